//! `skiff setup`: a new one-time link, while the panel has no owner.

use super::Failed;
use crate::actions::{Ctx, setup};

/// The link, to be printed.
pub async fn run(ctx: &Ctx) -> Result<String, Failed> {
    let link = setup::new_link(ctx).await?;
    link.ok_or_else(|| Failed::Said("This panel has an owner already: sign in instead.".into()))
}

//! The panel itself: whether it can work. Not here: who owns it (`setup`).

use super::{Ctx, Refused};

/// Whether the database answers.
pub async fn ready(ctx: &Ctx) -> Result<(), Refused> {
    Ok(ctx.db.ping().await?)
}

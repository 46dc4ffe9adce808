//! Whether somebody who goes on listening still may: asked at every look, so that who was removed hears nothing more. Not
//! here: tokens that were ended; their door looks at those.

use super::Refused;
use crate::db::{self, Tx};
use crate::domain::rights::{Grant, Permit};

/// What a listener might in the team when last looked at.
#[derive(Default)]
pub(super) struct Standing(Option<Vec<Grant>>);

impl Standing {
    /// Refuses whoever was removed, or may other things than before: who still may see it comes back at once, and asks anew.
    pub(super) async fn holds(&mut self, tx: &mut Tx<'_>, permit: &Permit) -> Result<(), Refused> {
        let Some(account) = permit.who().account() else { return Ok(()) };
        let grants = db::members::grants_of(tx, permit, account).await?;
        if grants.is_empty() || *self.0.get_or_insert_with(|| grants.clone()) != grants {
            return Err(Refused::NotFound);
        }
        Ok(())
    }
}

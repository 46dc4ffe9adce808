//! The one key pair a team signs in to its hosts with, made when it is first needed.

use crate::actions::sealing::Sealer;
use crate::actions::{Ctx, Refused};
use crate::db::secrets::Owner;
use crate::db::{self, Tx};
use crate::domain::ids::SecretId;
use crate::domain::rights::Permit;
use crate::remote::keys;

/// The name of the secret that holds the private half.
const NAME: &str = "ssh key";

/// The team's key.
pub(super) struct TeamKey {
    /// The secret that holds the private half.
    pub(super) secret: SecretId,
    /// The public line.
    pub(super) public: String,
}

/// The team's key; made in the caller's transaction where there is none. The team's row is held until that ends, so that
/// two who need one at once get the same.
pub(super) async fn of(ctx: &Ctx, tx: &mut Tx<'_>, permit: &Permit) -> Result<TeamKey, Refused> {
    let owner = Owner::Team(permit.team());
    let public = db::hosts::team_key(tx, permit).await?;
    if !public.is_empty()
        && let Some(row) = db::secrets::lock(tx, permit, owner, NAME).await?
    {
        return Ok(TeamKey { secret: row.id, public });
    }
    let (private, public) = keys::generate("skiff").map_err(|error| Refused::internal(&error))?;
    let secret = Sealer::open(ctx, tx, permit).await?.set(tx, owner, NAME, &private).await?;
    db::hosts::set_team_key(tx, permit, &public).await?;
    Ok(TeamKey { secret, public })
}

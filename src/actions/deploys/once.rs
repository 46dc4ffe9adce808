//! A request for a deploy that was given a name is done once: whoever had no answer to it asks again, and is given the same
//! deploy. Not here: asking for one.

use super::views::RequestDeploy;
use crate::actions::Refused;
use crate::db::{Tx, deploy_requests};
use crate::domain::ids::{AppId, DeployId};
use crate::domain::rights::Permit;

/// The longest name of a request: theirs are UUIDs or the number of a run.
const LONGEST: usize = 200;

/// The deploy that was asked for under the request's name, where it has one.
pub(super) async fn known(
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    input: &RequestDeploy,
) -> Result<Option<DeployId>, Refused> {
    let Some(account) = permit.who().account().filter(|_| !input.once.is_empty()) else { return Ok(None) };
    if input.once.len() > LONGEST || !input.once.bytes().all(|c| c.is_ascii_graphic()) {
        let sentence = format!("Use 1 to {LONGEST} visible ASCII characters as Idempotency-Key.");
        return Err(Refused::field("idempotency_key", sentence));
    }
    match deploy_requests::find(tx, permit, account, &input.once).await? {
        None => Ok(None),
        Some(row) if row.asked == asked(app, input) => Ok(Some(row.deploy)),
        Some(_) => Err(Refused::Conflict("This Idempotency-Key was used for another request: take a new one.".into())),
    }
}

/// Remembers the deploy under the request's name.
pub(super) async fn remember(
    tx: &mut Tx<'_>,
    permit: &Permit,
    app: AppId,
    input: &RequestDeploy,
    deploy: DeployId,
) -> Result<(), Refused> {
    if let Some(account) = permit.who().account().filter(|_| !input.once.is_empty()) {
        deploy_requests::insert(tx, permit, account, &input.once, &asked(app, input), deploy).await?;
    }
    Ok(())
}

/// What was asked for, to be compared.
fn asked(app: AppId, input: &RequestDeploy) -> String {
    let RequestDeploy { to, reference, image, commit, release, once: _ } = input;
    serde_json::json!([app, to, reference, image, commit, release]).to_string()
}

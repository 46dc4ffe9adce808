//! Deliveries of an app that came at once, and the deploy they ask for, are written in one transaction. Of several pushes the
//! newest asks for it: it deploys the head, which has what the others brought. Not here: signatures (`receive.rs`).

use std::collections::HashSet;

use super::receive::Received;
use crate::actions::{Ctx, Refused, deploys};
use crate::db::apps::Row;
use crate::db::deliveries::Came;
use crate::db::hooks::Known;
use crate::db::{self, Tx, deliveries};
use crate::domain::deploy::Target;
use crate::domain::hook::{self, Answer, Event, Push, Verdict};
use crate::domain::ids::{AppId, DeliveryId, DeployId};
use crate::domain::names::CommitId;
use crate::domain::rights::{Actor, On, Permission, Permit};

/// A delivery that is to be written down.
pub(super) struct Call {
    /// Who asks for the deploy.
    pub(super) actor: Actor,
    /// The hook that was called.
    pub(super) known: Known,
    /// The delivery.
    pub(super) delivery: DeliveryId,
    /// The forge's id of it.
    pub(super) key: String,
    /// The event by the forge's name.
    pub(super) name: String,
    /// What it says.
    pub(super) event: Event,
}

/// Writes deliveries of an app down, with an answer for each.
pub(super) async fn all(ctx: &Ctx, app: AppId, calls: &[Call]) -> Vec<Result<Received, Refused>> {
    match at_once(ctx, app, calls).await {
        Ok(received) => received.into_iter().map(Ok).collect(),
        // What is wrong with one of them is its own.
        Err(refused) if calls.len() > 1 && !matches!(refused, Refused::Unavailable(_)) => {
            let mut received = Vec::with_capacity(calls.len());
            for call in calls {
                let one = at_once(ctx, app, std::slice::from_ref(call)).await;
                received.push(one.map(|mut one| one.pop().unwrap_or(Received::Unsigned)));
            }
            received
        }
        Err(refused) => calls.iter().map(|_| Err(refused.clone())).collect(),
    }
}

/// The same, all or none.
async fn at_once(ctx: &Ctx, app: AppId, calls: &[Call]) -> Result<Vec<Received>, Refused> {
    let Some(first) = calls.first() else { return Ok(Vec::new()) };
    let permit = permit(first)?;
    let mut tx = ctx.db.begin(&permit).await?;
    // One after the other: what another delivery of the same push has begun is seen.
    if !db::apps::lock(&mut tx, &permit, app).await? {
        return Ok(calls.iter().map(|_| Received::Unsigned).collect());
    }
    let mut ordered: Vec<&Call> = calls.iter().collect();
    ordered.sort_by_key(|call| call.delivery);
    let new: Vec<_> = ordered.iter().map(|call| new(call)).collect();
    let inserted: HashSet<_> = deliveries::insert(&mut tx, &permit, app, &new).await?.into_iter().collect();
    ordered.retain(|call| inserted.contains(&call.delivery));
    if ordered.is_empty() {
        return Ok(calls.iter().map(|_| Received::Again).collect());
    }
    let row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    let came = act(&mut tx, &permit, &row, &ordered).await?;
    deliveries::answer(&mut tx, &permit, &came).await?;
    deliveries::forget_old(&mut tx, &permit, app).await?;
    tx.commit().await?;
    let received = calls.iter().map(|call| match came.iter().find(|came| came.id == call.delivery) {
        Some(came) => Received::Kept { answer: came.answer, reason: came.reason.clone(), deploy: came.deploy },
        None => Received::Again,
    });
    Ok(received.collect())
}

/// What a delivery's actor may.
fn permit(call: &Call) -> Result<Permit, Refused> {
    Ok(call.actor.may(Permission::Deploy, On::team(call.known.team))?)
}

/// A delivery as it is written down.
fn new(call: &Call) -> deliveries::New<'_> {
    let push = if let Event::Push(push) = &call.event { Some(push) } else { None };
    let moved = push.and_then(|push| push.reference.as_deref()).unwrap_or_default();
    deliveries::New {
        id: call.delivery,
        provider: call.known.provider,
        key: &call.key,
        event: &call.name,
        branch: moved.strip_prefix("refs/heads/").unwrap_or(moved),
        commit: commit(call).map(AsRef::as_ref).unwrap_or_default(),
        author: push.map_or("", |push| &push.author),
        subject: push.map_or("", |push| &push.subject),
        address: call.actor.who().address(),
    }
}

/// The commit that was pushed.
fn commit(call: &Call) -> Option<&CommitId> {
    match &call.event {
        Event::Push(Push { commit, .. }) => commit.as_ref(),
        _ => None,
    }
}

/// Asks for the deploy, where one is to be.
async fn act(tx: &mut Tx<'_>, permit_of_all: &Permit, row: &Row, calls: &[&Call]) -> Result<Vec<Came>, Refused> {
    let came = |call: &Call, answer, reason: &str, deploy: Option<DeployId>| Came {
        id: call.delivery,
        answer,
        reason: reason.to_owned(),
        deploy,
    };
    const PRESENT: &str = "This commit is deployed already, or about to be.";
    let (mut all, mut deploying): (Vec<Came>, Vec<&Call>) = (Vec::new(), Vec::new());
    for &call in calls {
        if let Verdict::Ignore(why) = hook::decide(call.known.provider, &row.source, &call.event) {
            all.push(came(call, Answer::Ignored, &why, None));
            continue;
        }
        let present = match (commit(call), deploying.last()) {
            (None, _) => false,
            (Some(commit_), Some(newest)) => commit(newest) == Some(commit_),
            (Some(commit), None) => deliveries::covered(tx, permit_of_all, row.id, commit).await?,
        };
        match present {
            true => all.push(came(call, Answer::Present, PRESENT, None)),
            false => deploying.push(call),
        }
    }
    let Some((newest, overtaken)) = deploying.split_last() else { return Ok(all) };
    let said = deploys::Said::of(row, &Target::Head, format!("Deploy {}", row.name));
    match deploys::ask(tx, &permit(newest)?, &newest.actor, row, &Target::Head, said).await {
        Ok(deploy) => {
            const OVERTAKEN: &str = "A newer push came in the same moment: the deploy is of that one.";
            all.push(came(newest, Answer::Deploys, "A deploy was asked for.", Some(deploy)));
            all.extend(overtaken.iter().map(|call| came(call, Answer::Deploys, OVERTAKEN, Some(deploy))));
        }
        // Said before anything was written: the transaction is good.
        Err(Refused::Conflict(why)) => {
            all.extend(deploying.iter().map(|call| came(call, Answer::Refused, &why, None)));
        }
        Err(refused) => return Err(refused),
    }
    Ok(all)
}

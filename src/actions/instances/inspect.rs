//! One instance as its host's Docker describes it, read when asked for. Secrets are never in it. Not here: a shell.

use std::time::Duration;

use time::OffsetDateTime;

use super::redaction::Redaction;
use super::views::{Inspected, InstanceView, Shown};
use crate::access;
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused, hosts};
use crate::db;
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::inspection;
use crate::domain::names::ContainerName;
use crate::domain::release::Release;
use crate::domain::rights::{Actor, Permission};
use crate::remote::docker::{Inspection, Processes};

/// Instances of an app that are looked through.
const MOST: i64 = 200;
/// A person waits for the page.
const LIMIT: Duration = Duration::from_secs(6);

/// One instance.
pub async fn inspect(ctx: &Ctx, actor: &Actor, app: AppId, id: InstanceId) -> Result<InstanceView, Refused> {
    let Open { mut tx, permit, on } = gate::app(ctx, actor, app, Permission::View).await?;
    let rows = db::instances::list(&mut tx, &permit, Some(app), None, MOST).await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    let release = db::deploy_runs::release(&mut tx, &permit, row.release).await?.ok_or(Refused::NotFound)?;
    tx.commit().await?;
    let mut redaction = Redaction::default();
    redaction.learn(ctx, &permit, [row.release]).await?;
    let name: ContainerName = row.name.parse().map_err(|bad| Refused::internal(&bad))?;
    let asking = async {
        let reached = access::reach(&ctx.access(), &permit, &[row.host]).await.map_err(|error| error.to_string())?;
        let reached = reached.into_iter().next().ok_or("The host is gone.")?;
        let host = reached.host.map_err(|error| format!("{} does not answer: {error}", row.host_name))?;
        let docker = host.docker();
        let (seen, processes) = tokio::join!(docker.inspection(&name), docker.processes(&name));
        let gone = || format!("The container is gone from {}. The next deploy makes another.", row.host_name);
        let seen = seen.map_err(|error| format!("{} could not tell: {error}", row.host_name))?.ok_or_else(gone)?;
        // One that does not run has none.
        Ok::<_, String>((seen, processes.unwrap_or_default()))
    };
    let seen = match tokio::time::timeout(LIMIT, asking).await {
        Ok(Ok((seen, processes))) => Ok(Box::new(told(&redaction, &release, seen, processes)?)),
        Ok(Err(why)) => Err(redaction.text(&why)),
        Err(_) => {
            Err(format!("{} has not answered within {} s. Look again in a moment.", row.host_name, LIMIT.as_secs()))
        }
    };
    let may_restart = row.wanted && !row.kept && actor.may(Permission::Deploy, on).is_ok();
    Ok(InstanceView {
        line: hosts::instance(row),
        image: release.image.to_string(),
        seen,
        at: OffsetDateTime::now_utc(),
        may_restart,
    })
}

/// Everything that was said, without secrets.
fn told(
    redaction: &Redaction,
    release: &Release,
    seen: Inspection,
    processes: Processes,
) -> Result<Inspected, Refused> {
    let clean = |text: &str| redaction.text(text);
    let pairs = |facts: Vec<(String, String)>| -> Vec<(String, String)> {
        facts.iter().map(|(name, value)| (clean(name), clean(value))).collect()
    };
    let shown = |name: &str| {
        let secret = release.spec.secrets.keys().any(|secret| secret.as_ref() == name);
        match release.spec.variables.iter().find(|(plain, _)| plain.as_ref() == name) {
            _ if secret => Shown::Secret,
            Some((_, value)) => Shown::Plain(value.as_ref().to_owned()),
            None => Shown::Image,
        }
    };
    let mut env: Vec<(String, Shown)> = seen.env.iter().map(|name| (name.clone(), shown(name))).collect();
    env.sort_by(|a, b| a.0.cmp(&b.0));
    let raw = serde_json::to_string_pretty(&seen.raw).map_err(|error| Refused::internal(&error))?;
    Ok(Inspected {
        status: clean(inspection::status(&seen.raw)),
        groups: inspection::groups(&seen.raw).into_iter().map(|(title, facts)| (title, pairs(facts))).collect(),
        env,
        labels: pairs(inspection::labels(&seen.raw)),
        process_heads: processes.heads.iter().map(|head| clean(head)).collect(),
        processes: processes.rows.iter().map(|row| row.iter().map(|cell| clean(cell)).collect()).collect(),
        raw: raw.lines().map(clean).collect::<Vec<_>>().join("\n"),
    })
}

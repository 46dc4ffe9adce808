//! The audit: who did what, from where, when, before and after. Not here: writing it; each action writes its own event.

use time::OffsetDateTime;

use super::gate::{self, Open};
use super::{Ctx, Refused};
use crate::db::audit::Row;
use crate::db::{self, Tx};
use crate::domain::ids::AuditEventId;
use crate::domain::rights::{Actor, On, Permission, Permit};

/// One event.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// The event.
    pub id: AuditEventId,
    /// When.
    pub at: OffsetDateTime,
    /// Who, by the name of that time.
    pub who: String,
    /// The address the request came from; empty for Skiff itself.
    pub address: String,
    /// What was done, as a word of ours: `app.created`.
    pub action: String,
    /// The same as people read it: "created the app web".
    pub words: String,
    /// What kind of thing it was done to: `app`, `host` …
    pub subject_kind: String,
    /// Its id.
    pub subject: Option<uuid::Uuid>,
    /// Its name at that time.
    pub subject_name: String,
    /// How it was, where something was changed; never a secret.
    pub before: Option<serde_json::Value>,
    /// How it became; never a secret.
    pub after: Option<serde_json::Value>,
}

/// Events on one page.
pub const EVENTS_ON_PAGE: i64 = 50;

/// The newest events, or those before this one. Needs a right on the whole team: events tell of all of it.
pub async fn list(ctx: &Ctx, actor: &Actor, before: Option<AuditEventId>) -> Result<Vec<AuditLine>, Refused> {
    let Open { mut tx, permit, .. } = gate::team_for(ctx, actor, Permission::View).await?;
    let rows = db::audit::latest(&mut tx, &permit, before, EVENTS_ON_PAGE).await?;
    tx.commit().await?;
    Ok(rows.into_iter().map(line).collect())
}

/// The newest events in the caller's transaction; none for whoever may not see the whole team.
pub(super) async fn latest(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    limit: i64,
) -> Result<Vec<AuditLine>, Refused> {
    if !gate::sees(actor, On::team(actor.team())) {
        return Ok(Vec::new());
    }
    Ok(db::audit::latest(tx, permit, None, limit).await?.into_iter().map(line).collect())
}

/// A row as a line.
fn line(row: Row) -> AuditLine {
    AuditLine {
        id: row.id,
        at: row.at,
        who: row.who,
        address: row.address,
        words: words(&row.action, &row.subject_name, row.after.as_ref().or(row.before.as_ref()).map(|json| &json.0)),
        action: row.action,
        subject_kind: row.subject_kind,
        subject: row.subject_id,
        subject_name: row.subject_name,
        before: row.before.map(|json| json.0),
        after: row.after.map(|json| json.0),
    }
}

/// An event as people read it.
fn words(action: &str, name: &str, detail: Option<&serde_json::Value>) -> String {
    let of = |key: &str| detail.and_then(|json| json.get(key)).and_then(|text| text.as_str()).unwrap_or_default();
    match action {
        "panel.set_up" => "set up the panel".into(),
        "team.created" => format!("created the team {name}"),
        "project.created" => format!("created the project {name}"),
        "environment.created" => format!("created the environment {} / {name}", of("project")),
        "host.added" => format!("added the host {name}"),
        "host.key_confirmed" => format!("confirmed the host key of {name}"),
        "host.provisioning" => format!("had {name} made ready"),
        "host.part_changed" => format!("changed what {name} does for the other hosts"),
        "host.port_changed" => format!("changed the proxy's port on {name}"),
        "app.created" => format!("created the app {name}"),
        "app.renamed" => format!("renamed an app to {name}"),
        "app.configured" => format!("changed the configuration of {name}"),
        "app.placed" => format!("placed {name} on other hosts or in other numbers"),
        "app.source_changed" => format!("changed the source of {name}"),
        "variable.set" => format!("set the variable {} of {name}", of("variable")),
        "variable.replaced" => format!("replaced the variable {} of {name}", of("variable")),
        "variable.removed" => format!("removed the variable {} of {name}", of("variable")),
        "secret.set" => format!("set the secret {} of {name}", of("secret")),
        "secret.replaced" => format!("replaced the secret {} of {name}", of("secret")),
        "secret.removed" => format!("removed the secret {} of {name}", of("secret")),
        "route.added" => format!("let {} lead to {name}", of("route")),
        "route.removed" => format!("took {} from {name}", of("route")),
        "volume.added" => format!("added the volume {} to {name}", of("volume")),
        "hook.created" => format!("turned push to deploy on for {name}"),
        "hook.rotated" => format!("gave the hook of {name} another secret"),
        "hook.shown" => format!("looked at the secret of the hook of {name}"),
        "hook.removed" => format!("turned push to deploy off for {name}"),
        "delivery.replayed" => format!("replayed {} for {name}", of("delivery")),
        "volume.detached" => format!("took the volume {} out of {name}", of("volume")),
        "volume.removed" => format!("removed the volume {} of {name} with its data", of("volume")),
        "token.created" => format!("made the token {name}"),
        "token.revoked" => format!("ended the token {name}"),
        "deploy.requested" => format!("asked to deploy {name}: {}", of("intent")),
        "deploy.cancelled" => format!("cancelled a deploy of {name}"),
        "job.cancelled" => format!("cancelled: {name}"),
        "account.password_changed" => "changed the password".into(),
        other => format!("{other} {name}"),
    }
}

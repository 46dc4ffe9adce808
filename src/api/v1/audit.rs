//! The audit: who did what, from where, when, before and after.

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::actions::audit::{self, AuditLine, Search};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, get};
use crate::api::take::Asked;
use crate::domain::ids::AuditEventId;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let list_ = get("/audit", Permission::View).title("Who did what, newest first");
    Routes::new().add(list_.gives::<Page<Event>>(), list)
}

/// Something that was done.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "AuditEvent")]
pub struct Event {
    /// The id.
    id: Uuid,
    /// When.
    at: Time,
    /// Who, by the name of that time.
    who: String,
    /// The address the request came from; empty for Skiff itself.
    address: String,
    /// What was done, as a word: `app.created`.
    action: String,
    /// The same as people read it.
    words: String,
    /// What kind of thing it was done to.
    subject_kind: String,
    /// Its id.
    subject: Option<Uuid>,
    /// Its name at that time.
    subject_name: String,
    /// How it was, where something was changed; never a secret.
    before: Option<serde_json::Value>,
    /// How it became; never a secret.
    after: Option<serde_json::Value>,
}

impl From<AuditLine> for Event {
    fn from(line: AuditLine) -> Self {
        Self {
            id: line.id.0,
            at: line.at.into(),
            who: line.who,
            address: line.address,
            action: line.action,
            words: line.words,
            subject_kind: line.subject_kind,
            subject: line.subject,
            subject_name: line.subject_name,
            before: line.before,
            after: line.after,
        }
    }
}

/// Which events are listed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Done by somebody with this in their name.
    #[serde(default)]
    who: String,
    /// Done to this kind of thing: `app`, `deploy`, `environment`, `host`, `invitation`, `job`, `member`, `project`, `team`
    /// or `token`.
    #[serde(default)]
    kind: String,
    /// Done to a thing with this in its name.
    #[serde(default)]
    name: String,
    /// The first day, as 2026-11-25 (UTC).
    #[serde(default)]
    from: String,
    /// The last day.
    #[serde(default)]
    to: String,
    /// Where the page begins: `next` of the one before.
    #[serde(default)]
    cursor: Option<Uuid>,
}

async fn list(
    State(api): State<Api>,
    caller: Caller,
    Asked(which): Asked<Which>,
) -> Result<Json<Page<Event>>, Problem> {
    let Which { who, kind, name, from, to, cursor } = which;
    let search = Search { who, kind, name, from, to, before: cursor.map(AuditEventId) };
    let found = audit::search(api.actions(), &caller.actor, search).await?;
    let items = found.lines.into_iter().map(Event::from).collect();
    Ok(Json(Page { items, next: found.older.map(|older| older.to_string()) }))
}

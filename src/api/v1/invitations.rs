//! Invitations: listed, made, taken back. Not here: accepting one; that is a person's.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::scopes::WantedScope;
use crate::actions::invitations::{self, InvitationLine, NewInvitation};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Created, Page, Time};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post};
use crate::api::take::{OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::InvitationId;
use crate::domain::rights::{Permission, Role};

/// The calls.
pub fn routes() -> Routes {
    let manage = Permission::ManageMembers;
    Routes::new()
        .about(Topic::Inviting)
        .add(get("/invitations", manage).title("Invitations whose links still work").gives::<Page<Invitation>>(), list)
        .add(
            post("/invitations", manage)
                .title("Invite somebody; the link is in this answer only, and ends with the token")
                .gives::<Created<Made>>(),
            create,
        )
        .add(delete("/invitations/{id}", manage).title("Take an invitation back: its link lets nobody in"), revoke)
}

/// An invitation whose link still works.
#[derive(Serialize, JsonSchema)]
pub struct Invitation {
    /// The id.
    id: Uuid,
    /// Whom it is for; may be empty.
    note: String,
    /// What they will be: "developer of Shop / dev".
    words: String,
    /// Who invited.
    by: String,
    /// When.
    created_at: Time,
    /// Until when the link works.
    expires_at: Time,
}

impl From<InvitationLine> for Invitation {
    fn from(line: InvitationLine) -> Self {
        Self {
            id: line.id.0,
            note: line.note,
            words: line.words,
            by: line.by_name,
            created_at: line.created_at.into(),
            expires_at: line.expires_at.into(),
        }
    }
}

/// An invitation that was just made.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "MadeInvitation")]
struct Made {
    /// The id.
    id: Uuid,
    /// Whom it is for; may be empty.
    note: String,
    /// What they will be.
    words: String,
    /// How many days the link works.
    days: i32,
    /// What lets one person in, once. It is shown this once.
    link: String,
}

/// Who shall be invited to what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "NewInvitation")]
struct Wanted {
    /// Whom it is for, for the list: at most 80 characters.
    #[serde(default)]
    note: String,
    /// What they will be.
    role: Role,
    /// Where: the whole team without any.
    #[serde(default)]
    scopes: Vec<WantedScope>,
    /// How many days the link works, 1–30; 7 without this.
    #[serde(default)]
    days: Option<i64>,
}

async fn list(State(api): State<Api>, caller: Caller) -> Result<Json<Page<Invitation>>, Problem> {
    Ok(Page::whole(invitations::list(api.actions(), &caller.actor).await?.into_iter().map(Invitation::from)))
}

async fn create(State(api): State<Api>, caller: Caller, Sent(wanted): Sent<Wanted>) -> Result<Created<Made>, Problem> {
    let scopes = wanted.scopes.iter().enumerate().map(|(place, scope)| scope.value("scopes", Some(place)));
    let input = NewInvitation {
        note: wanted.note,
        role: wanted.role.word().to_owned(),
        scopes: scopes.collect::<Result<_, _>>()?,
        days: wanted.days.map(|days| days.to_string()).unwrap_or_default(),
    };
    let made = invitations::create(api.actions(), &caller.actor, input).await?;
    let (id, note, words, days, link) = (made.id.0, made.note, made.words, made.days, made.link);
    Ok(Created::at(format!("/invitations/{id}"), Made { id, note, words, days, link }))
}

async fn revoke(State(api): State<Api>, caller: Caller, OfId(id): OfId<InvitationId>) -> Result<StatusCode, Problem> {
    invitations::revoke(api.actions(), &caller.actor, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

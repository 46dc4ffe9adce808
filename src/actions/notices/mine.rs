//! What a member wants to be told, and at which address.

use serde_json::json;

use super::views::ProjectChoice;
use super::{Ctx, Refused, WantedForm, choices, wanted, words};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::db::channels::{self, Choice};
use crate::db::{accounts, audit};
use crate::domain::names::Email;
use crate::domain::notice::Wanted;
use crate::domain::rights::Actor;

/// What one chose.
#[derive(Clone, Debug)]
pub struct Mine {
    /// Where to.
    pub email: String,
    /// What; nothing where nothing was chosen yet.
    pub wanted: Wanted,
    /// The projects one may choose from.
    pub projects: Vec<ProjectChoice>,
    /// Whether the team can send mail at all.
    pub can_mail: bool,
}

/// The form of one's own choice.
#[derive(Clone, Debug, Default)]
pub struct SetMine {
    /// An e-mail address.
    pub email: String,
    /// What is wanted.
    pub wanted: WantedForm,
}

/// One's own choice in the team.
pub async fn mine(ctx: &Ctx, actor: &Actor) -> Result<Mine, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let account = actor.who().account().ok_or(Refused::NotFound)?;
    let chosen = channels::choices(&mut tx, &permit, Some(account)).await?.pop();
    let projects = choices(&mut tx, &permit, actor).await?;
    let can_mail = channels::mail(&mut tx, &permit).await?.is_some();
    tx.commit().await?;
    if let Some(chosen) = chosen {
        return Ok(Mine { email: chosen.email.into(), wanted: chosen.wanted, projects, can_mail });
    }
    let mut tx = ctx.db.begin_door().await?;
    let email = accounts::get(&mut tx, account).await?.map(|row| row.email).unwrap_or_default();
    tx.commit().await?;
    Ok(Mine { email, wanted: Wanted { events: Vec::new(), projects: None }, projects, can_mail })
}

/// Chooses. Whoever ticks no event is told nothing.
pub async fn choose(ctx: &Ctx, actor: &Actor, input: SetMine) -> Result<(), Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let account = actor.who().account().ok_or(Refused::NotFound)?;
    // What is told is what the account may see, and it is told on when the token has ended.
    if !actor.is_whole() {
        return Err(Refused::Conflict("This token may less than its account: sign in, and choose there.".into()));
    }
    let mut fields = Fields::default();
    let email = fields.text::<Email>("email", &input.email);
    let before = channels::choices(&mut tx, &permit, Some(account)).await?.pop();
    let chosen = before.as_ref().map(|before| &before.wanted);
    let wanted = wanted(&mut fields, &mut tx, &permit, actor, &input.wanted, chosen).await?;
    let (Some(email), Some(wanted), true) = (email, wanted, fields.fine()) else { return Err(fields.refuse()) };
    let told = |email: &Email, wanted: &Wanted| {
        let mut told = words(wanted);
        if let Some(object) = told.as_object_mut() {
            object.insert("to".to_owned(), json!(email));
        }
        told
    };
    let after = told(&email, &wanted);
    let before = before.map(|old| told(&old.email, &old.wanted));
    channels::choose(&mut tx, &permit, &Choice { account, email, wanted }).await?;
    let event = audit::New {
        action: "notice.chosen",
        kind: "member",
        subject: None,
        name: actor.name(),
        before,
        after: Some(after),
    };
    audit::record(&mut tx, &permit, event).await?;
    tx.commit().await?;
    Ok(())
}

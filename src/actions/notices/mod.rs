//! Notices: where a team is told what happened, and what each member wants to hear. Not here: telling; jobs do.

mod channels;
mod mail;
mod mine;
mod test;
mod views;

pub use channels::{Made, SetChannel, add, channels, edit, get, remove};
pub use mail::{SetMail, mail, set_mail};
pub use mine::{Mine, SetMine, choose, mine};
pub use test::{Answered, test};
pub(in crate::actions) use views::sees;
pub use views::{
    AlertLine, ChannelLine, ChannelView, MailLine, NoticeLine, Overview, ProjectChoice, alerts, overview, sent,
};

pub use crate::db::notices::State;

use super::fields::Fields;
use super::gate;
use super::{Ctx, Refused};
use crate::db::{self, Tx};
use crate::domain::ids::ProjectId;
use crate::domain::notice::{Kind, Wanted};
use crate::domain::rights::{Actor, On, Permit};

/// The fields of what is wanted: events by their words, projects by their ids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedForm {
    /// Events, by their words: `deploy_failed` …
    pub events: Vec<String>,
    /// Projects by their ids; none means all of them.
    pub projects: Vec<String>,
}

/// Reads what is wanted. Of projects only those one sees can be chosen; what was chosen before and cannot be any more, as the project was
/// removed, stands where it is sent again. So a choice that nobody touched is no reason to refuse, and one that is left with projects that
/// are gone does not become the empty one, which means all of them.
async fn wanted(
    fields: &mut Fields,
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    form: &WantedForm,
    before: Option<&Wanted>,
) -> Result<Option<Wanted>, Refused> {
    let mut events = Vec::new();
    for (place, word) in form.events.iter().enumerate() {
        match Kind::of_slug(word.trim()) {
            Some(kind) if events.contains(&kind) => {}
            Some(kind) => events.push(kind),
            None => fields.wrong_entry("events", place, "There is no such event to be told of."),
        }
    }
    let mut projects: Vec<ProjectId> = Vec::new();
    if !form.projects.is_empty() {
        let known = choices(tx, permit, actor).await?;
        let before: Vec<ProjectId> = before.and_then(|before| before.projects.clone()).unwrap_or_default();
        let fits = |id: &ProjectId| before.contains(id) || known.iter().any(|choice| choice.id == *id);
        for (place, raw) in form.projects.iter().enumerate() {
            match raw.trim().parse::<ProjectId>().ok().filter(fits) {
                Some(id) if projects.contains(&id) => {}
                Some(id) => projects.push(id),
                None => fields.wrong_entry("projects", place, "Choose one of the team's projects."),
            }
        }
    }
    let projects = (!form.projects.is_empty()).then_some(projects);
    Ok(fields.fine().then_some(Wanted { events, projects }))
}

/// The projects one may choose from.
async fn choices(tx: &mut Tx<'_>, permit: &Permit, actor: &Actor) -> Result<Vec<ProjectChoice>, Refused> {
    let rows = db::projects::list(tx, permit, None).await?;
    let seen = rows.into_iter().filter(|row| gate::sees(actor, On::project(actor.team(), row.id)));
    Ok(seen.map(|row| ProjectChoice { id: row.id, name: row.name }).collect())
}

/// What is wanted, in words for history.
fn words(wanted: &Wanted) -> serde_json::Value {
    let events: Vec<&str> = wanted.events.iter().map(|kind| kind.slug()).collect();
    let projects = match &wanted.projects {
        None => "all".to_owned(),
        Some(chosen) => format!("{} chosen", chosen.len()),
    };
    serde_json::json!({ "events": events, "projects": projects })
}

//! What differs on a host from how it was made: the table on its page, and the button that looks again.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::Redirect;
use tower_sessions::Session;

use crate::actions::hosts::{self, CheckView, Difference, HostView};
use crate::domain::help;
use crate::domain::help::Topic;
use crate::domain::host::HostState;
use crate::domain::ids::HostId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Form, SafeUrl, Shape, Tone, When};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::HostsLooked).post(
        "/t/{team}/hosts/{id}/check",
        Policy::Team(Permission::ManageHosts),
        check,
    )
}

/// What the last check found.
#[derive(Template)]
#[template(path = "hosts/_check.html")]
pub struct Check {
    /// What came of it.
    pub last: Option<CheckView>,
    /// True while one waits or runs.
    pub checking: bool,
    /// The button.
    pub form: Option<Form>,
}

impl HtmlSafe for Check {}

impl Check {
    /// Of this host; none where there is nothing to say and nobody to ask.
    pub fn new(team: &str, id: &str, token: &str, view: &HostView) -> Option<Self> {
        let spoken_to = matches!(view.line.state, HostState::Ready | HostState::Unreachable);
        let may = view.may_manage && spoken_to && view.line.busy.is_none() && !view.checking;
        let action = SafeUrl::path(["t", team, "hosts", id, "check"]);
        let form = may.then(|| Form::act(action, token, "Check now", "small"));
        let last = view.check.clone();
        (last.is_some() || view.checking || form.is_some()).then_some(Self { last, checking: view.checking, form })
    }

    fn badge(&self, last: &CheckView) -> Badge {
        match (last.failed.is_empty(), last.differences.len()) {
            (false, _) => Badge::new(Shape::Dotted, Tone::Watch, "could not be checked"),
            (true, 0) => Badge::new(Shape::Disc, Tone::Well, "as it was made"),
            (true, 1) => Badge::new(Shape::Triangle, Tone::Watch, "one thing differs"),
            (true, many) => Badge::new(Shape::Triangle, Tone::Watch, format!("{many} things differ")),
        }
    }

    fn help(&self, difference: &Difference) -> SafeUrl {
        SafeUrl::help(help::of_difference(difference))
    }

    fn when(&self, last: &CheckView) -> When {
        When::new(last.at)
    }
}

async fn check(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, HostId)>,
) -> Result<Redirect, Problem> {
    hosts::check(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "The host is being looked at. What differs is shown here.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "hosts", &id.to_string()]).as_str()))
}

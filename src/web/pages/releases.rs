//! Releases: an app's history, the difference of each to the one before, one click back. Not here: the deploy that goes back.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::response::Response;
use time::OffsetDateTime;

use super::apps::{Head, In};
use super::deploys;
use crate::actions::apps as app_actions;
use crate::actions::apps::PendingChange;
use crate::actions::releases::{self, ReleaseLine, ReleaseView};
use crate::domain::ids::AppId;
use crate::domain::release::Commit;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Field, Form, SafeUrl, Shape, Shell, Tone, When, page};

/// The routes.
pub fn routes() -> Routes {
    let view = Policy::Team(Permission::View);
    Routes::new().get("/t/{team}/apps/{id}/releases", view, index).get(
        "/t/{team}/apps/{id}/releases/{number}",
        view,
        show,
    )
}

/// Differences between two descriptions.
#[derive(Template)]
#[template(path = "releases/_changes.html")]
pub struct Changes {
    /// Each.
    pub changes: Vec<PendingChange>,
}

impl HtmlSafe for Changes {}

/// Releases as a table.
#[derive(Template)]
#[template(path = "releases/_table.html")]
pub struct Table {
    /// The team's slug.
    pub team: String,
    /// The app.
    pub app: AppId,
    /// The releases.
    pub releases: Vec<ReleaseLine>,
    /// The token for the buttons that go back; none where one may not.
    pub token: Option<String>,
}

impl HtmlSafe for Table {}

/// The button that goes back to a release.
pub fn roll_back(team: &str, app: AppId, token: &str, number: i32, style: &'static str) -> Form {
    deploy_release(team, app, token, number, format!("Roll back to v{number}"), style)
}

/// The button that deploys a release that is there.
fn deploy_release(team: &str, app: AppId, token: &str, number: i32, verb: String, style: &'static str) -> Form {
    let action = SafeUrl::path(["t", team, "apps", &app.to_string(), "deploys"]);
    let mut form = Form::act(action, token, verb, style);
    for group in &mut form.groups {
        group.fields = vec![Field::hidden("to", "release"), Field::hidden("release", number.to_string())];
    }
    form
}

impl Table {
    fn page(&self, release: &ReleaseLine) -> SafeUrl {
        let (app, number) = (self.app.to_string(), release.number.to_string());
        SafeUrl::path(["t", &self.team, "apps", &app, "releases", &number])
    }

    fn serving(&self) -> Badge {
        Badge::new(Shape::Disc, Tone::Well, "serving")
    }

    fn short(&self, commit: &Commit) -> String {
        commit.id.as_ref().chars().take(7).collect()
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }

    fn back(&self, release: &ReleaseLine) -> Option<Form> {
        let token = self.token.as_ref().filter(|_| !release.current && release.kept)?;
        // The list is newest first: what stands before the serving one is no way back.
        let newer = self.releases.iter().take_while(|one| !one.current).any(|one| one.number == release.number);
        let verb = if newer { "Deploy v" } else { "Roll back to v" };
        let verb = [verb, &release.number.to_string()].concat();
        Some(deploy_release(&self.team, self.app, token, release.number, verb, "small"))
    }
}

/// The history of an app.
#[derive(Template)]
#[template(path = "releases/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The releases.
    pub releases: Table,
}

/// One release.
#[derive(Template)]
#[template(path = "releases/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// The release.
    pub view: ReleaseView,
    /// What changed since the one before.
    pub changes: Changes,
    /// The deploys of it.
    pub deploys: deploys::Table,
    /// The button that goes back to it.
    pub back: Option<Form>,
}

impl Show {
    fn serving(&self) -> Badge {
        Badge::new(Shape::Disc, Tone::Well, "serving")
    }

    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

async fn index(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let app = app_actions::get(web.actions(), here.actor()?, id).await?;
    let releases = releases::list(web.actions(), here.actor()?, id, None).await?;
    let team = here.place()?.team.slug.clone();
    let token = app.may.deploy.then(|| here.token.clone());
    let (shell, head) = In::app(&here, &app, "Releases")?;
    Ok(page(&Index { shell, head, releases: Table { team, app: id, releases, token } }))
}

async fn show(
    State(web): State<Web>,
    here: Here,
    At((_, id, number)): At<(String, AppId, i32)>,
) -> Result<Response, Problem> {
    let app = app_actions::get(web.actions(), here.actor()?, id).await?;
    let view = releases::get(web.actions(), here.actor()?, id, number).await?;
    let team = here.place()?.team.slug.clone();
    let back = view.may_roll_back.then(|| roll_back(&team, id, &here.token, number, "small"));
    let (shell, head) = In::app(&here, &app, "Releases")?;
    Ok(page(&Show {
        shell: shell.crumb(format!("v{number}"), None),
        head,
        changes: Changes { changes: view.changes.clone() },
        deploys: deploys::Table { team, deploys: view.deploys.clone() },
        view,
        back,
    }))
}

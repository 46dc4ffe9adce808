//! The audit: who did what, newest first.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::response::Response;
use time::OffsetDateTime;

use crate::actions::audit::{self, AuditLine};
use crate::domain::ids::AuditEventId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{SafeUrl, Shell, When, page};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().get("/t/{team}/audit", Policy::Team(Permission::View), index)
}

/// Events, a line each.
#[derive(Template)]
#[template(path = "audit/_lines.html")]
pub struct Lines {
    /// The events.
    pub events: Vec<AuditLine>,
    /// Whether the address they came from is shown.
    pub with_address: bool,
}

impl HtmlSafe for Lines {}

impl Lines {
    fn when(&self, at: &OffsetDateTime) -> When {
        When::new(*at)
    }
}

/// The page.
#[derive(Template)]
#[template(path = "audit/index.html")]
pub struct Index {
    /// The frame.
    pub shell: Shell,
    /// The events.
    pub events: Lines,
    /// The page with older ones.
    pub older: Option<SafeUrl>,
}

/// Events on a page: where fewer came, there are no older ones.
const FULL: usize = 50;

#[derive(serde::Deserialize)]
struct Asked {
    before: Option<AuditEventId>,
}

async fn index(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let events = audit::list(web.actions(), here.actor()?, asked.before).await?;
    let own = SafeUrl::path(["t", &here.place()?.team.slug, "audit"]);
    let older = events.last().filter(|_| events.len() >= FULL).map(|last| own.before(last.id.0));
    let shell = Shell::new(&here, "History", "History").crumb("History", None);
    Ok(page(&Index { shell, events: Lines { events, with_address: true }, older }))
}

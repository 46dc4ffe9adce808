//! The audit: who did what, newest first.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::Response;
use time::OffsetDateTime;

use crate::actions::Refused;
use crate::actions::audit::{self, AuditLine, Found, Search};
use crate::domain::ids::AuditEventId;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{SafeUrl, Shape, Shell, When, page_with};

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
    /// The team's slug.
    pub team: String,
    /// The events.
    pub events: Lines,
    /// What was looked for.
    pub asked: Asked,
    /// Why nothing was looked for, where it cannot be.
    pub refused: String,
    /// The page with older ones.
    pub older: Option<SafeUrl>,
}

impl Index {
    fn own(&self) -> SafeUrl {
        SafeUrl::path(["t", &self.team, "audit"])
    }

    fn kinds(&self) -> [&'static str; 13] {
        audit::KINDS
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.asked.kind == kind
    }

    fn searched(&self) -> bool {
        let Asked { who, kind, name, from, to, .. } = &self.asked;
        [who, kind, name, from, to].iter().any(|text| !text.is_empty())
    }
}

/// What is looked for: the address is the whole of it, so that it can be kept and sent to others.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    who: String,
    kind: String,
    name: String,
    from: String,
    to: String,
    before: Option<AuditEventId>,
}

async fn index(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let Asked { who, kind, name, from, to, before } = asked.clone();
    let search = Search { who, kind, name, from, to, before };
    let (found, refused) = match audit::search(web.actions(), here.actor()?, search).await {
        Ok(found) => (found, String::new()),
        Err(Refused::Fields(fields)) => {
            let sentences: Vec<String> = fields.into_iter().map(|field| field.sentence).collect();
            (Found { lines: Vec::new(), older: None }, sentences.join(" "))
        }
        Err(refused) => return Err(refused.into()),
    };
    let team = here.place()?.team.slug.clone();
    let older = found.older.map(|last| {
        let last = last.to_string();
        let Asked { who, kind, name, from, to, .. } = &asked;
        let pairs = [("who", who), ("kind", kind), ("name", name), ("from", from), ("to", to), ("before", &last)];
        SafeUrl::path(["t", &team, "audit"]).asking(pairs.map(|(name, value)| (name, value.as_str())))
    });
    let shell = Shell::new(&here, "History", "History").crumb("History", None);
    let status = if refused.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let events = Lines { events: found.lines, with_address: true };
    Ok(page_with(status, &Index { shell, team, events, asked, refused, older }))
}

//! What an app's instances print: a page of it that goes on live, and as a file. Not here: the stream itself (`live`).

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use time::OffsetDateTime;

use super::{Head, In};
use crate::actions::apps;
use crate::actions::instances::{self, AppLogLine, Voice, Wanted};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, InstanceId};
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{LogText, SafeUrl, Shell, When, page, pieces};
use crate::web::{Web, live};

/// The routes.
pub fn routes() -> Routes {
    let view = Policy::Team(Permission::View);
    Routes::new()
        .about(Topic::AppLogs)
        .get("/t/{team}/apps/{id}/logs", view, show)
        .get("/t/{team}/apps/{id}/logs/live", view, live::logs)
        .get("/t/{team}/apps/{id}/logs/download", view, download)
}

/// Colours that tell instances apart; the text beside them says it too.
const TINTS: usize = 8;

/// What a page of logs is asked for.
#[derive(Default, serde::Deserialize)]
pub struct Asked {
    #[serde(default)]
    q: String,
    #[serde(default)]
    instance: String,
    #[serde(default)]
    after: String,
}

/// The same for the action. What the browser has seen last is newer than what its page's address says.
pub fn wanted(asked: &Asked, seen: Option<i128>) -> Wanted {
    let after = seen.or_else(|| asked.after.parse().ok());
    Wanted {
        text: asked.q.trim().to_owned(),
        instance: asked.instance.parse::<InstanceId>().ok(),
        after: after.and_then(|nanos| OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()),
        ..Wanted::default()
    }
}

/// A line, ready for the page.
pub struct Line {
    /// When it was printed.
    pub at: When,
    /// The name of its voice's style.
    pub voice: &'static str,
    /// The number of its colour.
    pub tint: usize,
    /// "fra-1 v3·2".
    pub who: String,
    /// The same in words.
    pub title: String,
    /// The text.
    pub text: LogText,
}

/// Lines of several instances.
#[derive(Template)]
#[template(path = "apps/_log_lines.html")]
pub struct Lines {
    /// One after the other.
    pub lines: Vec<Line>,
}

impl HtmlSafe for Lines {}

impl Lines {
    /// These lines.
    pub fn new(lines: &[AppLogLine]) -> Self {
        Self { lines: lines.iter().map(line).collect() }
    }
}

fn line(line: &AppLogLine) -> Line {
    let origin = line.origin.as_ref();
    Line {
        at: When::alone(line.at),
        voice: match line.voice {
            Voice::Out => "out",
            Voice::Err => "err",
            Voice::Skiff => "skiff",
        },
        tint: origin.map_or(0, |origin| origin.tint % TINTS),
        who: origin.map_or(String::new(), |o| format!("{} v{}·{}", o.host, o.number, o.position)),
        title: origin.map_or(String::new(), |o| format!("instance {} of v{} on {}", o.position, o.number, o.host)),
        text: pieces(&line.line),
    }
}

/// What the live stream adds.
#[derive(Template)]
#[template(path = "apps/_log_update.html")]
pub struct Update {
    /// The lines.
    pub lines: Lines,
}

/// One instance to pick.
pub struct Pick {
    /// Its id.
    pub id: String,
    /// "fra-1 v3·2, serving".
    pub words: String,
    /// Whether it is picked.
    pub picked: bool,
}

/// The page.
#[derive(Template)]
#[template(path = "apps/logs.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// This page.
    pub own: SafeUrl,
    /// The stream that brings more.
    pub live: SafeUrl,
    /// All as a file.
    pub download: SafeUrl,
    /// The text that is looked for.
    pub text: String,
    /// The instances.
    pub picks: Vec<Pick>,
    /// The lines it begins with.
    pub lines: Lines,
}

impl Show {
    /// What is said where there is no line.
    fn nothing(&self) -> &'static str {
        match (self.picks.is_empty(), self.text.is_empty()) {
            (true, _) => "No instance yet: the first deploy starts some.",
            (false, true) => "Nothing printed yet.",
            (false, false) => "No line has this text. New ones that do are shown as they come.",
        }
    }
}

async fn show(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    let logs = instances::read(web.actions(), here.actor()?, id, wanted(&asked, None)).await?;
    let (team, app) = (here.place()?.team.slug.clone(), id.to_string());
    let below =
        |page: &[&str]| SafeUrl::path(["t", &team, "apps", &app, "logs"].into_iter().chain(page.iter().copied()));
    let (text, instance) = (asked.q.trim(), asked.instance.as_str());
    let until = logs.until.map(|at| at.unix_timestamp_nanos().to_string()).unwrap_or_default();
    let picks = logs.instances.iter().map(|one| Pick {
        id: one.id.to_string(),
        words: format!("{} v{}·{}, {}", one.host_name, one.number, one.position, one.state.word()),
        picked: instance == one.id.to_string(),
    });
    let (shell, head) = In::app(&here, &view, "Logs")?;
    Ok(page(&Show {
        shell,
        head,
        live: below(&["live"]).asking([("q", text), ("instance", instance), ("after", &until)]),
        download: below(&["download"]).asking([("q", text), ("instance", instance)]),
        own: below(&[]),
        picks: picks.collect(),
        lines: Lines::new(&logs.lines),
        text: text.to_owned(),
    }))
}

async fn download(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    let text = instances::download(web.actions(), here.actor()?, id, wanted(&asked, None)).await?;
    let name = ["attachment; filename=\"", &view.line.slug, ".log\""].concat();
    let kind = "text/plain; charset=utf-8".to_owned();
    Ok(([(header::CONTENT_TYPE, kind), (header::CONTENT_DISPOSITION, name)], text).into_response())
}

//! The script that makes a server ready before Skiff reaches it: shown, copied, downloaded.

use askama::Template;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use crate::actions::Refused;
use crate::actions::hosts::{self, NewScript};
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{SafeUrl, Shell, page};

/// The routes.
pub fn routes() -> Routes {
    let manage = Policy::Team(Permission::ManageHosts);
    Routes::new().get("/t/{team}/hosts/script", manage, show).get("/t/{team}/hosts/script/file", manage, file)
}

/// What is asked for in the address.
#[derive(Clone, Debug, Default, serde::Deserialize)]
#[serde(default)]
pub struct Asked {
    builds: String,
}

/// The page.
#[derive(Template)]
#[template(path = "hosts/script.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The script.
    pub script: String,
    /// Whether the host shall build for others.
    pub builds: bool,
    /// The page for a host that runs apps only.
    pub apps: SafeUrl,
    /// The page for one that builds too.
    pub building: SafeUrl,
    /// The file.
    pub file: SafeUrl,
}

async fn text(web: &Web, here: &Here, asked: &Asked) -> Result<String, Problem> {
    let input = NewScript { builds: asked.builds.clone(), ..NewScript::default() };
    match hosts::script(web.actions(), here.actor()?, input).await {
        // The page has two links: whoever writes another address by hand is shown what there is.
        Err(Refused::Fields(_)) => Err(Refused::NotFound.into()),
        other => Ok(other?),
    }
}

async fn show(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let script = text(&web, &here, &asked).await?;
    let team = here.place()?.team.slug.clone();
    let list = SafeUrl::path(["t", &team, "hosts"]);
    let at = |last: &[&str], builds: bool| {
        let parts = ["t", team.as_str(), "hosts", "script"].into_iter().chain(last.iter().copied());
        SafeUrl::path(parts).asking([("builds", if builds { "yes" } else { "" })])
    };
    let builds = asked.builds.trim() == "yes";
    let shell = Shell::new(&here, "Script", "Hosts").crumb("Hosts", Some(list)).crumb("Script", None);
    let (apps, building) = (at(&[], false), at(&[], true));
    Ok(page(&Show { shell, script, builds, apps, building, file: at(&["file"], builds) }))
}

async fn file(State(web): State<Web>, here: Here, Query(asked): Query<Asked>) -> Result<Response, Problem> {
    let script = text(&web, &here, &asked).await?;
    let name = "attachment; filename=\"skiff-host.bash\"";
    Ok(([(header::CONTENT_TYPE, "text/x-shellscript; charset=utf-8"), (header::CONTENT_DISPOSITION, name)], script)
        .into_response())
}

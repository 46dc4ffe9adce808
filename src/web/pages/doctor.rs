//! The doctor: what is wrong with the hosts and domains of a team (for an owner of the panel's team with the panel itself), and what to
//! do about each. The page comes at once and asks for the findings, as looking takes some seconds. Not here: looking.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::Response;

use crate::actions::doctor;
use crate::domain::doctor::{Area, Finding, Grade, Told};
use crate::domain::help::Topic;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::Here;
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, SafeUrl, Shape, Shell, Tone, page};

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::Doctor).get("/t/{team}/doctor", Policy::Team(Permission::ManageHosts), show)
}

/// What was found.
#[derive(Template)]
#[template(path = "doctor/_findings.html")]
pub struct Findings {
    /// All of it.
    pub told: Told,
}

impl HtmlSafe for Findings {}

impl Findings {
    /// Those about one thing, under its word; what is about nothing is left out.
    fn areas(&self) -> Vec<(&'static str, Vec<&Finding>)> {
        let of =
            |area: Area| -> Vec<&Finding> { self.told.findings.iter().filter(|found| found.area == area).collect() };
        let all = [Area::Panel, Area::Database, Area::Host, Area::Domain];
        all.into_iter().map(|area| (area.word(), of(area))).filter(|(_, found)| !found.is_empty()).collect()
    }

    fn badge(&self, grade: &Grade) -> Badge {
        match grade {
            Grade::Ok => Badge::new(Shape::Disc, Tone::Well, grade.word()),
            Grade::Warn => Badge::new(Shape::Triangle, Tone::Watch, grade.word()),
            Grade::Bad => Badge::new(Shape::Cross, Tone::Wrong, grade.word()),
        }
    }

    fn tone(&self) -> &'static str {
        self.badge(&self.told.grade).tone.class()
    }

    fn help(&self, finding: &Finding) -> Option<SafeUrl> {
        finding.help.map(SafeUrl::help)
    }
}

/// The page.
#[derive(Template)]
#[template(path = "doctor/show.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// What was found; none while it is looked for.
    pub findings: Option<Findings>,
    /// This page with what was found.
    pub now: SafeUrl,
}

#[derive(serde::Deserialize)]
struct Asked {
    #[serde(default)]
    now: String,
}

async fn show(
    State(web): State<Web>,
    here: Here,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let team = here.place()?.team.slug.clone();
    let wanted = headers.contains_key("hx-request") || !asked.now.is_empty();
    let findings = match wanted {
        true => Some(Findings { told: doctor::examine(web.actions(), here.actor()?).await?.told() }),
        false => None,
    };
    let shell = Shell::new(&here, "Doctor", "Hosts")
        .crumb("Hosts", Some(SafeUrl::path(["t", &team, "hosts"])))
        .crumb("Doctor", None);
    Ok(page(&Show { shell, findings, now: SafeUrl::path(["t", &team, "doctor"]).and("?now=yes") }))
}

//! The Dockerfile on an app's page of its source: what was seen in the repository, the text that is kept where that has none, and
//! how it differs from what would be written now.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::configuration::{saved, source_page};
use crate::actions::Refused;
use crate::actions::apps::{
    self, AppView, DockerfileLine, DockerfileView, FoundView, KeepDockerfile, KeptText, LookView,
};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Badge, Field, Form, Input, SafeUrl, Sent, Shape, Tone, When, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .about(Topic::WithoutDockerfile)
        .get("/t/{team}/apps/{id}/source/dockerfile", view, download)
        .post("/t/{team}/apps/{id}/source/dockerfile", edit, keep)
        .post("/t/{team}/apps/{id}/source/look", edit, look)
}

/// What is known of an app's Dockerfile.
#[derive(Template)]
#[template(path = "apps/_dockerfile.html")]
pub struct Dockerfile {
    /// What is known.
    pub view: DockerfileView,
    /// The page it stands on.
    pub own: SafeUrl,
    /// The kept text as a file.
    pub file: SafeUrl,
    /// The job that looks, or that came to nothing.
    pub job: Option<SafeUrl>,
    /// The button that has the repository looked at.
    pub look: Option<Form>,
    /// The form of the kept text.
    pub edit: Option<Form>,
    /// The button that takes what would be written now.
    pub take: Option<Form>,
}

impl HtmlSafe for Dockerfile {}

impl Dockerfile {
    /// Of this app.
    pub fn new(here: &Here, app: &AppView, view: DockerfileView) -> Result<Self, Problem> {
        let (team, id) = (here.place()?.team.slug.clone(), app.line.id.to_string());
        let own = SafeUrl::path(["t", &team, "apps", &id, "source"]);
        let file = SafeUrl::path(["t", &team, "apps", &id, "source", "dockerfile"]);
        let job = view.looking.or(view.failed.as_ref().map(|(job, _)| *job));
        let seen = view.look.is_some() || view.failed.is_some();
        let action = SafeUrl::path(["t", &team, "apps", &id, "source", "look"]);
        let verb = if seen { "Look again" } else { "Look at the repository" };
        let kept = view.kept.as_ref().map(|kept| kept.text.clone());
        let keep =
            |verb: &str, style, field: Field| Form::new(file.clone(), &here.token, verb, vec![field]).style(style);
        let label = if kept.is_some() { "Kept for as long as the repository has none" } else { "Write one" };
        let field = Field::of(Input::Tall, "text", label).value(kept.clone().unwrap_or_default());
        let unseen = kept.is_none() && !matches!(view.look, Some(LookView { found: FoundView::Unknown(_), .. }));
        let written = match &view.look {
            Some(LookView { found: FoundView::Written { text, .. }, .. }) if !view.difference.is_empty() => Some(text),
            _ => None,
        };
        Ok(Self {
            look: (app.may.edit && view.looking.is_none()).then(|| Form::act(action, &here.token, verb, "small")),
            edit: (app.may.edit && !unseen).then(|| keep("Keep it", "", field)),
            take: written.filter(|_| app.may.edit).map(|text| {
                let mut form = keep("Take this one", "small", Field::hidden("text", text));
                form.inline = true;
                form
            }),
            job: job.map(|job| SafeUrl::path(["t", &team, "jobs", &job.to_string()])),
            own,
            file,
            view,
        })
    }

    /// How it stands.
    fn badge(&self) -> Badge {
        if self.view.looking.is_some() {
            return Badge::new(Shape::Half, Tone::Busy, "being looked at");
        }
        match (&self.view.look, &self.view.failed) {
            (_, Some(_)) => Badge::new(Shape::Cross, Tone::Wrong, "could not be looked at"),
            (None, None) => Badge::new(Shape::Dotted, Tone::Quiet, "not looked at yet"),
            (Some(look), None) => match &look.found {
                FoundView::Own => Badge::new(Shape::Disc, Tone::Well, "the repository's own"),
                FoundView::Written { language, .. } => Badge::new(Shape::Disc, Tone::Well, *language),
                FoundView::Unknown(_) => Badge::new(Shape::Triangle, Tone::Watch, "nothing recognised"),
            },
        }
    }

    /// What was recognised, by what, and what may be otherwise.
    fn recognised<'a>(&self, look: &'a LookView) -> Option<(&'static str, &'a [String], &'a [String])> {
        match &look.found {
            FoundView::Written { language, evidence, uncertain, .. } => Some((language, evidence, uncertain)),
            FoundView::Own | FoundView::Unknown(_) => None,
        }
    }

    /// Why nothing was.
    fn unknown<'a>(&self, look: &'a LookView) -> Option<&'a str> {
        match &look.found {
            FoundView::Unknown(why) => Some(why),
            FoundView::Own | FoundView::Written { .. } => None,
        }
    }

    fn when(&self, look: &LookView) -> When {
        When::new(look.at)
    }

    fn written(&self, kept: &KeptText) -> String {
        match &kept.by {
            Some(by) => ["as ", by, " left it"].concat(),
            None => "written by Skiff".to_owned(),
        }
    }

    fn written_at(&self, kept: &KeptText) -> When {
        When::new(kept.at)
    }

    /// The sign before a line of the difference.
    fn sign(&self, line: &DockerfileLine) -> &'static str {
        match line {
            DockerfileLine::Same(_) => "same",
            DockerfileLine::Gone(_) => "gone",
            DockerfileLine::Come(_) => "come",
        }
    }

    fn text<'a>(&self, line: &'a DockerfileLine) -> &'a str {
        match line {
            DockerfileLine::Same(text) | DockerfileLine::Gone(text) | DockerfileLine::Come(text) => text,
        }
    }
}

async fn look(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
) -> Result<Response, Problem> {
    apps::look_at_source(web.actions(), here.actor()?, id).await?;
    session::flash(&session, "The repository is being looked at. What is found is shown here.").await?;
    Ok(Redirect::to(SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string(), "source"]).as_str())
        .into_response())
}

async fn keep(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = KeepDockerfile { text: sent.get("text") };
    match apps::keep_dockerfile(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(()) => saved(&here, &session, id, "source").await,
        Err(Refused::Fields(errors)) => {
            let app = apps::get(web.actions(), here.actor()?, id).await?;
            let view = apps::dockerfile(web.actions(), here.actor()?, id).await?;
            let mut show = source_page(&here, &app, &app.source_form, view)?;
            if let Some(dockerfile) = &mut show.dockerfile {
                dockerfile.edit = dockerfile.edit.take().map(|form| form.with("text", &input.text).refuse(&errors));
            }
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn download(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::dockerfile(web.actions(), here.actor()?, id).await?;
    let Some(kept) = view.and_then(|view| view.kept) else { return Err(Problem::NotFound) };
    let name = "attachment; filename=\"Dockerfile\"";
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::CONTENT_DISPOSITION, name)], kept.text)
        .into_response())
}

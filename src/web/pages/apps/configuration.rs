//! The forms of an app's configuration and source. Not here: what their values mean (the action reads them).

use askama::Template;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use tower_sessions::Session;

use super::dockerfile::Dockerfile;
use super::{Changes, Head, In, placement};
use crate::actions::Refused;
use crate::actions::apps::{self, AppView, DockerfileView, EditConfiguration, EditSource, Pair, RenameApp};
use crate::domain::help::Topic;
use crate::domain::ids::AppId;
use crate::domain::rights::Permission;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, page_with};
use crate::web::{Web, session};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    Routes::new()
        .about(Topic::Configuration)
        .get("/t/{team}/apps/{id}/configuration", view, configuration)
        .post("/t/{team}/apps/{id}/configuration", edit, configure)
        .post("/t/{team}/apps/{id}/name", edit, rename)
        .about(Topic::Sources)
        .get("/t/{team}/apps/{id}/source", view, source)
        .post("/t/{team}/apps/{id}/source", edit, set_source)
}

/// A page with one form.
#[derive(Template)]
#[template(path = "apps/form.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// What the next deploy changes.
    pub pending: Changes,
    /// What its reader should know.
    pub note: &'static str,
    /// The form.
    pub form: Form,
    /// The form that says where the app runs, where it belongs to the page.
    pub place: Option<Form>,
    /// The form that renames the app, where it belongs to the page.
    pub rename: Option<Form>,
    /// What is known of its Dockerfile, on the page of its source.
    pub dockerfile: Option<Dockerfile>,
}

/// What the container is.
pub fn kind_fields(input: &EditConfiguration) -> Vec<Field> {
    let kinds = vec![
        Choice::new("web", "Web", "answers HTTP on a port"),
        Choice::new("worker", "Worker", "no port; works in the background"),
    ];
    vec![
        Field::of(Input::Radio(kinds), "kind", "Kind").value(or(&input.kind, "web")),
        Field::number("port", "Port", "")
            .value(&input.port)
            .hint("Where the program in the container listens.")
            .when("kind=web"),
    ]
}

/// How it proves that it is well.
pub fn health_fields(input: &EditConfiguration) -> Vec<Field> {
    let of_web =
        vec![Choice::new("http", "HTTP", "a path answers 200–299"), Choice::new("tcp", "TCP", "the port opens")];
    let of_worker = vec![
        Choice::new("alive", "Alive", "it runs for a while"),
        Choice::new("command", "Command", "a program in it says so"),
    ];
    let (web, worker) = match input.kind.as_str() {
        "worker" => ("", input.health.as_str()),
        _ => (input.health.as_str(), ""),
    };
    vec![
        Field::of(Input::Radio(of_web), "health", "Healthy when").value(or(web, "http")).when("kind=web"),
        Field::of(Input::Radio(of_worker), "health_worker", "Healthy when")
            .value(or(worker, "alive"))
            .when("kind=worker"),
        Field::code("health_path", "Path").value(&input.health_path).empty("/").when("health=http"),
        Field::number("health_alive", "Alive for", "seconds")
            .value(&input.health_alive)
            .empty("5")
            .when("health_worker=alive"),
        Field::of(Input::Area, "health_command", "Command")
            .value(&input.health_command)
            .hint("Program and arguments, one per line. No shell reads it.")
            .when("health_worker=command"),
        Field::number("health_interval_ms", "Asked every", "ms").value(&input.health_interval_ms).empty("250"),
        Field::number("health_timeout_ms", "One answer may take", "ms").value(&input.health_timeout_ms).empty("2000"),
        Field::number("health_start_period_s", "First success within", "seconds")
            .value(&input.health_start_period_s)
            .empty("60")
            .hint("A release that is not healthy by then does not go live."),
    ]
}

/// How much of the host it gets.
pub fn size_fields(input: &EditConfiguration, instances: bool) -> Vec<Field> {
    let count = instances.then(|| Field::number("instances", "Instances", "").value(&input.instances).empty("1"));
    let limits = [
        Field::number("memory_mib", "Memory", "MB each").value(&input.memory_mib).empty("no limit"),
        Field::number("cpus", "CPU", "cores each").value(&input.cpus).empty("no limit").hint("Parts with a point: 0.5"),
    ];
    count.into_iter().chain(limits).collect()
}

/// How one release follows another.
pub fn change_fields(input: &EditConfiguration) -> Vec<Field> {
    let overlap = vec![
        Choice::new("yes", "Side by side", "the new one starts first"),
        Choice::new("no", "Alone", "the old one stops first"),
    ];
    vec![
        Field::of(Input::Radio(overlap), "overlap", "Old and new").value(or(&input.overlap, "yes")),
        Field::number("drain_s", "Finish requests within", "seconds")
            .value(&input.drain_s)
            .empty("30")
            .hint("How long an old instance may finish what it began.")
            .when("kind=web"),
        Field::number("stop_grace_s", "Stop within", "seconds")
            .value(&input.stop_grace_s)
            .empty("10")
            .hint("From SIGTERM to SIGKILL."),
        Field::number("watch_s", "Watched for", "seconds")
            .value(&input.watch_s)
            .empty("60")
            .hint("A release found bad in this time is taken back. 0 switches it off."),
        Field::number("watch_restarts", "Bad at restarts", "").value(&input.watch_restarts).empty("3"),
        Field::number("watch_errors", "Bad at answers of 500 and above", "%").value(&input.watch_errors).empty("50"),
    ]
}

/// Where it comes from.
pub fn source_fields(input: &EditSource) -> Vec<Field> {
    let from = vec![
        Choice::new("git", "Git repository", "built with its Dockerfile, or one that Skiff writes"),
        Choice::new("image", "Image", "run as it is"),
    ];
    let access = vec![
        Choice::new("public", "Public", "anyone may read it"),
        Choice::new("deploy_key", "Deploy key", "a key made by Skiff"),
        Choice::new("token", "Token", "over https"),
    ];
    vec![
        Field::of(Input::Radio(from), "from", "Source").value(or(&input.from, "git")),
        Field::code("git_url", "Repository")
            .value(&input.git_url)
            .empty("https://forge.example/team/shop.git")
            .when("from=git"),
        Field::code("git_branch", "Branch").value(&input.git_branch).empty("main").when("from=git"),
        Field::of(Input::Radio(access), "git_access", "Access").value(or(&input.git_access, "public")).when("from=git"),
        Field::code("git_token_user", "Token's user")
            .value(&input.git_token_user)
            .empty("git")
            .when("git_access=token"),
        Field::of(Input::Password("off"), "git_token", "Token")
            .hint("Sealed, and never shown again. Empty keeps the one that is there.")
            .when("git_access=token"),
        Field::code("image", "Image")
            .value(&input.image)
            .empty("registry.example/team/shop:1.4")
            .hint("Without a tag, latest is meant.")
            .when("from=image"),
    ]
}

/// How it is built.
pub fn build_fields(input: &EditSource) -> Vec<Field> {
    vec![
        Field::code("dockerfile", "Dockerfile")
            .value(&input.dockerfile)
            .empty("Dockerfile")
            .hint("Where there is none, Skiff writes one."),
        Field::code("context", "Folder sent to the builder").value(&input.context).empty("the repository's root"),
        Field::code("target", "Stage").value(&input.target).empty("the last one"),
        rows("build_args", "Arguments", "Name", "Value", false, &input.build_args)
            .hint("They can be read from the image: nothing secret."),
        rows("build_secrets", "Build secrets", "Id", "Value", true, &input.build_secrets)
            .hint("For RUN --mount=type=secret,id=…; never in a layer. An empty value keeps the one that is there."),
    ]
}

/// What a registry wants to know.
pub fn registry_fields(input: &EditSource) -> Vec<Field> {
    vec![
        Field::code("registry_user", "User").value(&input.registry_user),
        Field::of(Input::Password("off"), "registry_password", "Password or token")
            .hint("Sealed, and never shown again. Empty keeps the one that is there."),
    ]
}

/// Rows that are filled, and some that can be.
pub fn rows(
    name: &'static str,
    label: &str,
    first: &'static str,
    second: &'static str,
    secret: bool,
    pairs: &[Pair],
) -> Field {
    /// Empty rows under the filled ones.
    const FREE: usize = 2;
    let filled = pairs.iter().map(|pair| (pair.name.clone(), if secret { String::new() } else { pair.value.clone() }));
    let rows = filled.chain(std::iter::repeat_n((String::new(), String::new()), FREE)).collect();
    Field::of(Input::Rows { first, second, secret, rows }, name, label)
}

/// The pairs a form sent.
pub fn pairs(sent: &Sent, name: &str) -> Vec<Pair> {
    // The free rows under the filled ones are nothing that was said.
    let said = sent.rows(name).into_iter().filter(|(name, value)| !(name.trim().is_empty() && value.trim().is_empty()));
    said.map(|(name, value)| Pair { name, value }).collect()
}

fn or(value: &str, default: &str) -> String {
    if value.is_empty() { default.to_owned() } else { value.to_owned() }
}

/// The configuration a form sent.
pub fn read_configuration(sent: &Sent) -> EditConfiguration {
    EditConfiguration {
        kind: sent.get("kind"),
        port: sent.get("port"),
        health: sent.get(if sent.get("kind") == "worker" { "health_worker" } else { "health" }),
        health_path: sent.get("health_path"),
        health_alive: sent.get("health_alive"),
        health_command: sent.get("health_command"),
        health_interval_ms: sent.get("health_interval_ms"),
        health_timeout_ms: sent.get("health_timeout_ms"),
        health_start_period_s: sent.get("health_start_period_s"),
        memory_mib: sent.get("memory_mib"),
        cpus: sent.get("cpus"),
        instances: sent.get("instances"),
        stop_grace_s: sent.get("stop_grace_s"),
        drain_s: sent.get("drain_s"),
        watch_s: sent.get("watch_s"),
        watch_restarts: sent.get("watch_restarts"),
        watch_errors: sent.get("watch_errors"),
        overlap: sent.get("overlap"),
    }
}

/// The source a form sent.
pub fn read_source(sent: &Sent) -> EditSource {
    EditSource {
        from: sent.get("from"),
        git_url: sent.get("git_url"),
        git_branch: sent.get("git_branch"),
        git_access: sent.get("git_access"),
        git_token_user: sent.get("git_token_user"),
        git_token: sent.get("git_token"),
        dockerfile: sent.get("dockerfile"),
        context: sent.get("context"),
        target: sent.get("target"),
        build_args: pairs(sent, "build_args"),
        build_secrets: pairs(sent, "build_secrets"),
        image: sent.get("image"),
        registry_user: sent.get("registry_user"),
        registry_password: sent.get("registry_password"),
    }
}

/// The page of the configuration.
pub fn configuration_page(here: &Here, view: &AppView, input: &EditConfiguration) -> Result<Show, Problem> {
    let team = &here.place()?.team.slug;
    let action = SafeUrl::path(["t", team, "apps", &view.line.id.to_string(), "configuration"]);
    let (shell, head) = In::app(here, view, "Configuration")?;
    let form = Form::new(action, &here.token, "Save", kind_fields(input))
        .group("Size", size_fields(input, !placement::matters(view)))
        .group("Health", health_fields(input))
        .group("From one release to the next", change_fields(input));
    let note = "What is saved here takes effect with the next deploy, and stands as pending until then.";
    let rename = SafeUrl::path(["t", team, "apps", &view.line.id.to_string(), "name"]);
    let field = Field::text("name", "Name")
        .value(&view.line.name)
        .hint("Its addresses stay as they are. Takes effect at once.");
    let rename = view.may.edit.then(|| Form::new(rename, &here.token, "Rename", vec![field]).style("").inline());
    let place = (view.may.edit && placement::matters(view)).then(|| placement::form(here, view, "placement", "Save"));
    let place = place.transpose()?;
    Ok(Show {
        shell,
        head,
        pending: Changes { changes: view.pending.clone() },
        note,
        form,
        place,
        rename,
        dockerfile: None,
    })
}

/// The page of the source, with what is known of the Dockerfile of an app that has a repository.
pub fn source_page(
    here: &Here,
    view: &AppView,
    input: &EditSource,
    dockerfile: Option<DockerfileView>,
) -> Result<Show, Problem> {
    let team = &here.place()?.team.slug;
    let action = SafeUrl::path(["t", team, "apps", &view.line.id.to_string(), "source"]);
    let (shell, head) = In::app(here, view, "Source")?;
    let mut form = Form::new(action, &here.token, "Save", source_fields(input));
    form = form.folded("Build", "Dockerfile, folder, stage, arguments, secrets", "from=git", build_fields(input));
    form = form.folded("Registry login", "only where the registry wants one", "from=image", registry_fields(input));
    let note = "The next deploy takes its code or image from here. Releases that were made stay as they are.";
    let dockerfile = dockerfile.map(|known| Dockerfile::new(here, view, known)).transpose()?;
    Ok(Show {
        shell,
        head,
        pending: Changes { changes: Vec::new() },
        note,
        form,
        place: None,
        rename: None,
        dockerfile,
    })
}

async fn configuration(
    State(web): State<Web>,
    here: Here,
    At((_, id)): At<(String, AppId)>,
) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &configuration_page(&here, &view, &view.configuration)?))
}

async fn configure(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = read_configuration(&sent);
    match apps::configure(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(()) => saved(&here, &session, id, "configuration").await,
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = configuration_page(&here, &view, &input)?;
            show.form = show.form.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn rename(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    match apps::rename(web.actions(), here.actor()?, id, RenameApp { name: sent.get("name") }).await {
        Ok(()) => {
            session::flash(&session, "Renamed.").await?;
            let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &id.to_string(), "configuration"]);
            Ok(Redirect::to(page.as_str()).into_response())
        }
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let mut show = configuration_page(&here, &view, &view.configuration)?;
            show.rename = show.rename.map(|form| form.with("name", &sent.get("name")).refuse(&errors));
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

async fn source(State(web): State<Web>, here: Here, At((_, id)): At<(String, AppId)>) -> Result<Response, Problem> {
    let view = apps::get(web.actions(), here.actor()?, id).await?;
    let dockerfile = apps::dockerfile(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &source_page(&here, &view, &view.source_form, dockerfile)?))
}

async fn set_source(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id)): At<(String, AppId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = read_source(&sent);
    match apps::set_source(web.actions(), here.actor()?, id, input.clone()).await {
        Ok(()) => saved(&here, &session, id, "source").await,
        Err(Refused::Fields(errors)) => {
            let view = apps::get(web.actions(), here.actor()?, id).await?;
            let dockerfile = apps::dockerfile(web.actions(), here.actor()?, id).await?;
            let mut show = source_page(&here, &view, &input, dockerfile)?;
            show.form = show.form.refuse(&errors);
            Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
        }
        Err(refused) => Err(refused.into()),
    }
}

/// Back to the page the form was on, which says that it was kept.
pub async fn saved(here: &Here, session: &Session, app: AppId, at: &str) -> Result<Response, Problem> {
    session::flash(session, "Saved. It takes effect with the next deploy.").await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &app.to_string(), at]);
    Ok(Redirect::to(page.as_str()).into_response())
}

/// The answer to an act that takes something out of an app: the page it was on says so, or that it was gone before.
pub async fn removed(
    web: &Web,
    here: &Here,
    session: &Session,
    app: AppId,
    at: &str,
    done: Result<(), Refused>,
) -> Result<Response, Problem> {
    if let Err(refused) = done {
        return Err(gone(web, here, app, refused).await);
    }
    session::flash(session, "Removed. It takes effect with the next deploy.").await?;
    let page = SafeUrl::path(["t", &here.place()?.team.slug, "apps", &app.to_string(), at]);
    Ok(Redirect::to(page.as_str()).into_response())
}

/// Somebody else was faster: the app is there, the thing on its page is not any more. Where the app itself is not to be
/// seen, nothing is said of either.
pub async fn gone(web: &Web, here: &Here, app: AppId, refused: Refused) -> Problem {
    if refused != Refused::NotFound {
        return refused.into();
    }
    match here.actor() {
        Ok(actor) if apps::get(web.actions(), actor, app).await.is_ok() => {
            Problem::Conflict("It is gone already: somebody was faster, or the page was old.".to_owned())
        }
        _ => Problem::NotFound,
    }
}

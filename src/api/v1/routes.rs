//! Domains and paths that lead to an app, and their rules. Not here: what holds for all of them (`fronts.rs`).

use axum::Json;
use axum::extract::State;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::fronts::Front;
use super::jobs::{Begun, Nothing};
use crate::actions::apps::{self, Pair, RouteView};
use crate::actions::routes::{self, Change, Changed, EditRules, HostDifference, rules_form};
use crate::actions::tokens::Caller;
use crate::api::Api;
use crate::api::answer::{Accepted, Created, Page};
use crate::api::problem::Problem;
use crate::api::routes::{Routes, delete, get, post, put};
use crate::api::take::{OfApp, OfId, Sent};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, RouteId};
use crate::domain::ingress::Line;
use crate::domain::rights::Permission;

/// The calls.
pub fn routes() -> Routes {
    let (view, edit, all) = (Permission::View, Permission::EditApps, "/apps/{app}/routes");
    Routes::new()
        .about(Topic::RouteRules)
        .add(
            get(all, view).title("Domains and paths that lead to an app, and their rules").gives::<Page<Route>>(),
            list,
        )
        .add(
            post(all, edit).title("Let a domain and path lead to an app, by these rules").gives::<Created<Route>>(),
            add,
        )
        .add(
            post("/apps/{app}/routes/preview", edit)
                .title("What a change would make of the proxies' files; nothing is changed")
                .gives::<Page<Difference>>(),
            preview,
        )
        .add(
            put("/apps/{app}/routes/{id}", edit)
                .title("Replace the rules of a route; users without a password keep theirs")
                .gives::<Json<Route>>(),
            set,
        )
        .add(
            post("/apps/{app}/routes/{id}/move", edit)
                .title("Let a domain and path lead to another app of the team, with its rules and without a gap")
                .gives::<Json<Route>>(),
            lead,
        )
        .add(
            delete("/apps/{app}/routes/{id}", edit)
                .title("Let a domain and path no longer lead to an app")
                .gives::<Accepted<Begun>>(),
            remove,
        )
        .add(
            post("/apps/{app}/routes/again", edit)
                .title("Tell the proxies once more what is wanted of an app's routes and ports")
                .gives::<Accepted<Begun>>(),
            again,
        )
}

/// A domain and path that lead to an app.
#[derive(Serialize, JsonSchema)]
pub struct Route {
    /// The id.
    id: Uuid,
    /// The domain.
    domain: String,
    /// The path.
    path: String,
    /// Where it answers.
    url: String,
    /// What is asked of its requests, and done to its answers.
    rules: Rules,
    /// The same in short words.
    words: Vec<String>,
    /// True where the proxies have other rules still.
    waits: bool,
    /// The job that tells the proxies of this change, to be followed to its end; none where no proxy leads to the app yet, and where nothing was changed.
    job: Option<Uuid>,
}

impl From<RouteView> for Route {
    fn from(view: RouteView) -> Self {
        Self {
            id: view.id.0,
            domain: view.domain,
            path: view.path,
            url: view.url,
            words: view.rules.words(),
            rules: rules_form(&view.rules).into(),
            waits: view.waits,
            job: None,
        }
    }
}

/// What is asked of requests of a route. What is not there is not asked.
#[derive(Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rules {
    /// Where it leads instead of the app.
    redirect: Option<Redirect>,
    /// Who may come in, by a password; nobody named lets everybody in.
    users: Vec<User>,
    /// Networks one may come from; none is everywhere.
    allow: Vec<String>,
    /// Headers of requests: `Name: value` sets, `+Name: value` adds, `-Name` removes.
    request_headers: Vec<String>,
    /// Headers of answers, in the same way.
    answer_headers: Vec<String>,
    /// The most MB a request may send.
    body_mb: Option<u64>,
    /// Seconds the app may take for an answer; 300 without it.
    answer_s: Option<u64>,
    /// What they were read as: sent back, nothing is changed where others are there by now. Without it they replace whatever is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    as_of: Option<String>,
}

impl Rules {
    /// The same for who may look only: headers may have a secret in their values.
    fn veiled(mut self) -> Self {
        for line in self.request_headers.iter_mut().chain(&mut self.answer_headers) {
            if let Some((name, _)) = line.split_once(':') {
                *line = format!("{name}: …");
            }
        }
        self
    }
}

/// A redirect.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Redirect {
    /// The target: `https://shop.example/new`.
    to: String,
    /// 308, 307, 301 or 302; 308 without it.
    #[serde(default)]
    status: Option<u16>,
    /// Whether what stands behind the route's path, and the query, is put behind the target; true without it.
    #[serde(default)]
    keep: Option<bool>,
}

/// Somebody with a password.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct User {
    /// The name.
    name: String,
    /// The password, 8 to 72 bytes; without it the one that is there stays. It is never given back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    password: Option<String>,
}

impl From<Rules> for EditRules {
    fn from(rules: Rules) -> Self {
        let text = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let pair = |user: User| Pair { name: user.name, value: user.password.unwrap_or_default() };
        let (to, status, keep) = rules
            .redirect
            .map_or((String::new(), None, None), |redirect| (redirect.to, redirect.status, redirect.keep));
        Self {
            redirect: to,
            redirect_status: status.map(|status| status.to_string()).unwrap_or_default(),
            redirect_keep: if keep == Some(false) { "no" } else { "yes" }.to_owned(),
            users: rules.users.into_iter().map(pair).collect(),
            allow: rules.allow.join("\n"),
            request_headers: rules.request_headers.join("\n"),
            answer_headers: rules.answer_headers.join("\n"),
            body_mb: text(rules.body_mb),
            answer_s: text(rules.answer_s),
            as_of: rules.as_of.unwrap_or_default(),
        }
    }
}

impl From<EditRules> for Rules {
    fn from(form: EditRules) -> Self {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        let redirect = (!form.redirect.is_empty()).then(|| Redirect {
            to: form.redirect,
            status: form.redirect_status.parse().ok(),
            keep: Some(form.redirect_keep != "no"),
        });
        Self {
            redirect,
            users: form.users.into_iter().map(|pair| User { name: pair.name, password: None }).collect(),
            allow: lines(&form.allow),
            request_headers: lines(&form.request_headers),
            answer_headers: lines(&form.answer_headers),
            body_mb: form.body_mb.parse().ok(),
            answer_s: form.answer_s.parse().ok(),
            as_of: Some(form.as_of),
        }
    }
}

/// A domain and path that shall lead to an app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    /// The domain.
    domain: String,
    /// The path; `/` without it.
    #[serde(default)]
    path: Option<String>,
}

impl From<NewRoute> for apps::NewRoute {
    fn from(new: NewRoute) -> Self {
        Self { domain: new.domain, path: new.path.unwrap_or_default() }
    }
}

/// A domain and path that shall lead to an app, and its rules.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NewRuledRoute {
    /// The domain.
    domain: String,
    /// The path; `/` without it.
    #[serde(default)]
    path: Option<String>,
    /// Its rules; none without them.
    #[serde(default)]
    rules: Rules,
}

/// Another app.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OtherApp {
    /// Its id.
    app: Uuid,
}

/// A change that is thought of: another route, other rules of one that is there, its end or another app for it, what would hold for
/// all of them, or the page of maintenance. The first of these that is named.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Thought {
    /// The route whose rules would change; without it another one would be added.
    #[serde(default)]
    id: Option<Uuid>,
    /// The domain of the other one.
    #[serde(default)]
    domain: Option<String>,
    /// Its path.
    #[serde(default)]
    path: Option<String>,
    /// The rules.
    #[serde(default)]
    rules: Rules,
    /// Whether the route of this id would go.
    #[serde(default)]
    remove: bool,
    /// The app that the route of this id would lead to.
    #[serde(default)]
    app: Option<Uuid>,
    /// What would hold for all routes.
    #[serde(default)]
    front: Option<Front>,
    /// Whether everybody would see the page of maintenance.
    #[serde(default)]
    maintenance: Option<bool>,
}

/// What would differ on one host.
#[derive(Serialize, JsonSchema)]
pub(super) struct Difference {
    /// The host's name.
    host: String,
    /// Whether its proxy would be reloaded; open connections go on.
    reload: bool,
    /// The sections of its file that would differ.
    sections: Vec<Section>,
}

/// A section of a file.
#[derive(Serialize, JsonSchema)]
struct Section {
    /// Its first line.
    name: String,
    /// Its lines: those that go begin with `-`, those that come with `+`, others with a space.
    lines: Vec<String>,
}

impl From<HostDifference> for Difference {
    fn from(found: HostDifference) -> Self {
        let line = |line: Line| match line {
            Line::Same(text) => format!(" {text}"),
            Line::Gone(text) => format!("-{text}"),
            Line::New(text) => format!("+{text}"),
        };
        let section = |block: crate::domain::ingress::Block| Section {
            name: block.name,
            lines: block.lines.into_iter().map(line).collect(),
        };
        Self { host: found.host, reload: found.reload, sections: found.blocks.into_iter().map(section).collect() }
    }
}

async fn list(State(api): State<Api>, caller: Caller, OfApp(id): OfApp) -> Result<Json<Page<Route>>, Problem> {
    let view = apps::get(api.actions(), &caller.actor, id).await?;
    let edits = view.may.edit;
    let shown = |line: RouteView| {
        let mut route = Route::from(line);
        if !edits {
            route.rules = route.rules.veiled();
        }
        route
    };
    Ok(Page::whole(view.routes.into_iter().map(shown)))
}

/// One route of an app, after this change of it.
async fn one(api: &Api, caller: &Caller, app: AppId, changed: Changed) -> Result<Route, Problem> {
    let routes = apps::get(api.actions(), &caller.actor, app).await?.routes;
    let route = routes.into_iter().find(|route| Some(route.id) == changed.route).ok_or(Problem::NotFound)?;
    Ok(Route { job: changed.job.map(|job| job.0), ..route.into() })
}

async fn add(
    State(api): State<Api>,
    caller: Caller,
    OfApp(id): OfApp,
    Sent(NewRuledRoute { domain, path, rules }): Sent<NewRuledRoute>,
) -> Result<Created<Route>, Problem> {
    let route = apps::NewRoute { domain, path: path.unwrap_or_default() };
    let changed = routes::add(api.actions(), &caller.actor, id, route, rules.into()).await?;
    let made = one(&api, &caller, id, changed).await?;
    Ok(Created::at(format!("/apps/{id}/routes/{}", made.id), made))
}

async fn preview(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Sent(thought): Sent<Thought>,
) -> Result<Json<Page<Difference>>, Problem> {
    let rules = thought.rules.into();
    let change = match (thought.id, thought.front, thought.maintenance) {
        (Some(id), _, _) if thought.remove => Change::Remove(RouteId(id)),
        (Some(id), _, _) => match thought.app {
            Some(to) => Change::Move(RouteId(id), AppId(to)),
            None => Change::Rules(RouteId(id), rules),
        },
        (None, Some(front), _) => Change::Front(front.into()),
        (None, None, Some(on)) => Change::Maintenance(on),
        (None, None, None) => {
            let (domain, path) = (thought.domain.unwrap_or_default(), thought.path.unwrap_or_default());
            Change::Add(apps::NewRoute { domain, path }, rules)
        }
    };
    let found = routes::preview(api.actions(), &caller.actor, app, change).await?;
    Ok(Page::whole(found.into_iter().map(Difference::from)))
}

async fn set(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<RouteId>,
    Sent(rules): Sent<Rules>,
) -> Result<Json<Route>, Problem> {
    let changed = routes::set_rules(api.actions(), &caller.actor, app, id, rules.into()).await?;
    Ok(Json(one(&api, &caller, app, changed).await?))
}

async fn lead(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<RouteId>,
    Sent(OtherApp { app: to }): Sent<OtherApp>,
) -> Result<Json<Route>, Problem> {
    let changed = routes::move_to(api.actions(), &caller.actor, app, id, AppId(to)).await?;
    Ok(Json(one(&api, &caller, AppId(to), changed).await?))
}

async fn remove(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    OfId(id): OfId<RouteId>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(routes::remove(api.actions(), &caller.actor, app, id).await?.job))
}

async fn again(
    State(api): State<Api>,
    caller: Caller,
    OfApp(app): OfApp,
    Sent(Nothing {}): Sent<Nothing>,
) -> Result<Accepted<Begun>, Problem> {
    Ok(Begun::of(routes::again(api.actions(), &caller.actor, app).await?))
}

//! One route: the form of its rules, and what they make of the proxies' files.

use askama::Template;
use askama::filters::HtmlSafe;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;
use tower_sessions::Session;

use super::configuration::{gone, pairs};
use super::routes::{Done, look, see_or_save};
use super::{Head, In};
use crate::actions::Refused;
use crate::actions::apps::AppView;
use crate::actions::routes::{self, Change, EditRules, HostDifference, Other, rules_form};
use crate::domain::help::Topic;
use crate::domain::ids::{AppId, RouteId};
use crate::domain::ingress::Line;
use crate::domain::rights::Permission;
use crate::web::Web;
use crate::web::actor::{At, Here};
use crate::web::error::Problem;
use crate::web::routes::{Policy, Routes};
use crate::web::ui::{Choice, Field, Form, Input, SafeUrl, Sent, Shell, page_with};

/// The routes.
pub fn routes() -> Routes {
    let (view, edit) = (Policy::Team(Permission::View), Policy::Team(Permission::EditApps));
    let page = "/t/{team}/apps/{id}/routes/{route}";
    Routes::new().about(Topic::RouteRules).get(page, view, show).post(page, edit, set).post(
        "/t/{team}/apps/{id}/routes/{route}/move",
        edit,
        lead,
    )
}

/// What a change would make of the proxies' files.
#[derive(Template)]
#[template(path = "apps/_difference.html")]
pub struct Differences {
    /// By host.
    pub hosts: Vec<HostDifference>,
}

impl HtmlSafe for Differences {}

/// The page.
#[derive(Template)]
#[template(path = "apps/route.html")]
pub struct Show {
    /// The frame.
    pub shell: Shell,
    /// The app's head.
    pub head: Head,
    /// "shop.example/api".
    pub place: String,
    /// Its rules in words.
    pub words: Vec<String>,
    /// The form of its rules.
    pub form: Option<Form>,
    /// The form that leads it to another app, where there is one.
    pub moving: Option<Form>,
    /// All routes.
    pub back: SafeUrl,
    /// What the change would make of the proxies' files, where that was asked.
    pub differences: Option<Differences>,
}

impl Show {
    /// The page of a route; with what was typed, where something was.
    pub fn new(here: &Here, view: &AppView, id: RouteId, typed: Option<&EditRules>) -> Result<Self, Problem> {
        let (shell, head) = In::app(here, view, "Routes")?;
        let line = view.routes.iter().find(|line| line.id == id).ok_or(Problem::NotFound)?;
        let (team, app) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let action = SafeUrl::path(["t", &team, "apps", &app, "routes", &id.to_string()]);
        let back = SafeUrl::path(["t", &team, "apps", &app, "routes"]);
        let known = rules_form(&line.rules);
        let form = Form::new(action, &here.token, "Save", vec![Field::hidden("as_of", &known.as_of)])
            .also("see", "See what changes")
            .back(back.clone());
        let form = groups(form, typed.unwrap_or(&known)).open_filled();
        Ok(Self {
            shell,
            head,
            place: [line.domain.as_str(), line.path.as_str()].concat(),
            words: line.rules.words(),
            form: view.may.edit.then_some(form),
            moving: None,
            back,
            differences: None,
        })
    }

    /// The same with the apps it could lead to instead.
    fn or_to(
        mut self,
        here: &Here,
        view: &AppView,
        id: RouteId,
        others: Vec<Other>,
        chosen: &str,
    ) -> Result<Self, Problem> {
        if others.is_empty() || !view.may.edit {
            return Ok(self);
        }
        let (team, app) = (here.place()?.team.slug.clone(), view.line.id.to_string());
        let action = SafeUrl::path(["t", &team, "apps", &app, "routes", &id.to_string(), "move"]);
        let apps = others.into_iter().map(|other| Choice::new(other.id.to_string(), other.words, "")).collect();
        let field = Field::of(Input::Select(apps), "app", "App")
            .value(chosen)
            .hint("At once, with its rules and its certificate; no request falls between.");
        let form = Form::new(action, &here.token, "Lead it there", vec![field]).style("");
        self.moving = Some(form.also("see", "See what changes"));
        Ok(self)
    }
}

/// The groups of a form of rules, folded.
pub fn groups(form: Form, input: &EditRules) -> Form {
    /// Empty rows under the filled ones.
    const FREE: usize = 2;
    let filled = input.users.iter().map(|pair| (pair.name.clone(), pair.value.clone()));
    let rows = filled.chain(std::iter::repeat_n((String::new(), String::new()), FREE)).collect();
    let users = Input::Rows { first: "User", second: "Password", secret: true, rows };
    let status = ["308", "307", "301", "302"].into_iter().zip([
        "308: for good, forms too",
        "307: for now, forms too",
        "301: for good",
        "302: for now",
    ]);
    let status = status.map(|(value, label)| Choice::new(value, label, "")).collect();
    let keep = vec![
        Choice::new("yes", "With the rest", "/old/x?y leads to …/x?y"),
        Choice::new("no", "To this address", "whatever was asked for"),
    ];
    let or = |value: &str, default: &str| if value.is_empty() { default.to_owned() } else { value.to_owned() };
    form.folded("Leads elsewhere", "a redirect, in place of the app", "", vec![
        Field::code("redirect", "Redirect to").value(&input.redirect).empty("https://shop.example"),
        Field::of(Input::Select(status), "redirect_status", "Answered with").value(or(&input.redirect_status, "308")),
        Field::of(Input::Radio(keep), "redirect_keep", "The rest of the address").value(or(&input.redirect_keep, "yes")),
    ])
    .folded("Who may come in", "a password, networks", "", vec![
        Field::of(users, "users", "Password")
            .hint("The browser asks for it. Kept as a hash; an empty one keeps the one that is there. To take somebody out, empty the name."),
        Field::of(Input::Area, "allow", "Only from these networks")
            .value(&input.allow)
            .empty("everywhere")
            .hint("One a line: 203.0.113.7 or 203.0.113.0/24. Everybody else is answered 403."),
    ])
    .folded("Headers", "set, add, remove", "", vec![
        Field::of(Input::Area, "request_headers", "Of requests").value(&input.request_headers).empty("X-Tenant: acme"),
        Field::of(Input::Area, "answer_headers", "Of answers")
            .value(&input.answer_headers)
            .empty("X-Robots-Tag: noindex")
            .hint("One a line: Name: value sets, +Name: value adds, -Name removes."),
    ])
    .folded("Limits", "what is sent, how long an answer takes", "", vec![
        Field::number("body_mb", "A request sends at most", "MB")
            .value(&input.body_mb)
            .empty("no limit")
            .hint("Longer ones are answered 413; those that do not say how long they are, 411."),
        Field::number("answer_s", "The app answers within", "seconds").value(&input.answer_s).empty("300"),
    ])
}

/// The rules a form sent.
pub fn read(sent: &Sent) -> EditRules {
    EditRules {
        redirect: sent.get("redirect"),
        redirect_status: sent.get("redirect_status"),
        redirect_keep: sent.get("redirect_keep"),
        users: pairs(sent, "users"),
        allow: sent.get("allow"),
        request_headers: sent.get("request_headers"),
        answer_headers: sent.get("answer_headers"),
        body_mb: sent.get("body_mb"),
        answer_s: sent.get("answer_s"),
        as_of: sent.get("as_of"),
    }
}

async fn show(
    State(web): State<Web>,
    here: Here,
    At((_, id, route)): At<(String, AppId, RouteId)>,
) -> Result<Response, Problem> {
    let (view, _) = look(&web, &here, id).await?;
    let others = routes::others(web.actions(), here.actor()?, id).await?;
    Ok(page_with(StatusCode::OK, &Show::new(&here, &view, route, None)?.or_to(&here, &view, route, others, "")?))
}

async fn lead(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id, route)): At<(String, AppId, RouteId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let chosen = sent.get("app");
    let done = match chosen.parse::<AppId>() {
        Ok(to) => see_or_save(&web, &here, &session, id, &sent, Change::Move(route, to)).await?,
        Err(_) => Err(Refused::field("app", "Choose the app that it shall lead to.")),
    };
    let (status, seen, errors) = match done {
        Ok(Done::Saved(answer)) => return Ok(answer),
        Ok(Done::Seen(differences)) => (StatusCode::OK, Some(differences), None),
        Err(Refused::Fields(errors)) => (StatusCode::UNPROCESSABLE_ENTITY, None, Some(errors)),
        Err(refused) => return Err(gone(&web, &here, id, refused).await),
    };
    let (view, _) = look(&web, &here, id).await?;
    let others = routes::others(web.actions(), here.actor()?, id).await?;
    let mut show = Show::new(&here, &view, route, None)?.or_to(&here, &view, route, others, &chosen)?;
    show.differences = seen;
    if let Some(errors) = errors {
        show.moving = show.moving.map(|form| form.refuse(&errors));
    }
    Ok(page_with(status, &show))
}

async fn set(
    State(web): State<Web>,
    here: Here,
    session: Session,
    At((_, id, route)): At<(String, AppId, RouteId)>,
    sent: Sent,
) -> Result<Response, Problem> {
    let input = read(&sent);
    let change = Change::Rules(route, input.clone());
    let refused = match see_or_save(&web, &here, &session, id, &sent, change).await? {
        Ok(Done::Saved(answer)) => return Ok(answer),
        Ok(Done::Seen(differences)) => {
            let (view, _) = look(&web, &here, id).await?;
            let mut show = Show::new(&here, &view, route, Some(&input))?;
            show.form = show.form.map(|form| form.made_from(&input.as_of, &[]));
            show.differences = Some(differences);
            return Ok(page_with(StatusCode::OK, &show));
        }
        Err(refused) => refused,
    };
    let Refused::Fields(errors) = refused else { return Err(gone(&web, &here, id, refused).await) };
    let (view, _) = look(&web, &here, id).await?;
    let mut show = Show::new(&here, &view, route, Some(&input))?;
    show.form = show.form.map(|form| form.made_from(&input.as_of, &errors).refuse(&errors));
    Ok(page_with(StatusCode::UNPROCESSABLE_ENTITY, &show))
}

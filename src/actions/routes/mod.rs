//! Routes of apps: which domains and paths lead there and by which rules; what holds for all of them. Neither is part of a
//! release: a change holds at once, on every host, as soon as its HAProxy has accepted it. Not here: telling the proxies;
//! that is a job.

pub(in crate::actions) mod claims;
mod forms;
mod front;
pub(in crate::actions) mod generated;
mod host;
mod meanwhile;
mod moving;
pub(in crate::actions) mod ports;
mod preview;
mod read;
mod views;

pub use forms::{EditFront, EditRules, EditTrust};
pub use front::{maintain, set_front};
pub use host::{HostFront, host_front, set_base_domain, set_trust};
pub use moving::{Other, move_to, others};
pub use preview::{Change, HostDifference, preview, preview_trust};
pub use read::{front_form, rules_form, rules_words};
pub use views::{RoutesView, look, trouble};

use serde_json::json;
use uuid::Uuid;

use super::apps::{Editing, MOST_ROUTES, NewRoute, begin_edit};
use super::fields::Fields;
use super::{Ctx, FieldError, Refused};
use crate::db::{self, Tx};
use crate::domain::app::{Kind, Route};
use crate::domain::ids::{AppId, JobId, RouteId};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::rules::Rules;
use crate::jobs::look_after_certificates;
use crate::jobs::set_proxy::{self, Of};

/// What came of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The route, where it is about one.
    pub route: Option<RouteId>,
    /// The job that tells the proxies; none where no proxy leads to the app yet: then it holds from the first deploy on.
    pub job: Option<JobId>,
}

/// Makes a change that may have been looked at before.
pub async fn change(ctx: &Ctx, actor: &Actor, id: AppId, change: Change) -> Result<Changed, Refused> {
    match change {
        Change::Add(route, rules) => add(ctx, actor, id, route, rules).await,
        Change::Rules(route, rules) => set_rules(ctx, actor, id, route, rules).await,
        Change::Remove(route) => remove(ctx, actor, id, route).await,
        Change::Move(route, to) => move_to(ctx, actor, id, route, to).await,
        Change::Front(front) => set_front(ctx, actor, id, front).await,
        Change::Maintenance(on) => maintain(ctx, actor, id, on).await,
    }
}

/// Lets another domain and path lead to an app.
pub async fn add(ctx: &Ctx, actor: &Actor, id: AppId, input: NewRoute, rules: EditRules) -> Result<Changed, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let route = added(ctx, actor, &mut edit, &input, rules).await?;
    let words = json!({ "route": words(&route.1), "rules": rules_words(&route.2) });
    let domains = [route.1.domain.to_string()];
    look_after_certificates::want(&mut edit.tx, &edit.permit, &domains, &actor.who().cause()).await?;
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    edit.finish("route.added", None, Some(words)).await?;
    Ok(Changed { route: Some(route.0), job })
}

/// Adds the route within the caller's transaction.
async fn added(
    ctx: &Ctx,
    actor: &Actor,
    edit: &mut Editing,
    input: &NewRoute,
    rules: EditRules,
) -> Result<(RouteId, Route, Rules), Refused> {
    let mut fields = Fields::default();
    let domain = fields.text("domain", &input.domain);
    let path = fields.text("path", &input.path);
    let mut spec = edit.app.spec.0.clone();
    if spec.kind == Kind::Worker {
        fields.wrong("domain", "A worker answers no requests, so it has no domains.");
    }
    if spec.routes.len() >= MOST_ROUTES {
        fields.wrong("domain", format!("An app has at most {MOST_ROUTES} domains and paths."));
    }
    if takes_ports(edit).await? {
        fields.wrong("domain", "This app takes connections on ports, without HTTP. Take those away first.");
    }
    let route = domain.zip(path).map(|(domain, path)| Route { domain, path });
    let rules = read::rules(&mut fields, rules, &Rules::default(), route.as_ref());
    let (Some(route), Some(rules), true) = (route, rules, fields.fine()) else { return Err(fields.refuse()) };
    if spec.routes.contains(&route) {
        return Err(Refused::field("domain", "This domain and path lead here already."));
    }
    if let Some(why) = claims::barred(ctx, &mut edit.tx, &edit.permit, actor, edit.app.id, &route.domain).await? {
        return Err(Refused::field("domain", why));
    }
    let id = RouteId(Uuid::now_v7());
    // One that was left behind by a deploy of former times is ours already.
    let kept = db::routes::of_app(&mut edit.tx, &edit.permit, edit.app.id).await?;
    let id = match kept.into_iter().find(|row| row.route() == route) {
        Some(row) => row.id,
        None if db::routes::claim(&mut edit.tx, &edit.permit, id, edit.app.id, &route).await? => id,
        None => {
            let own = db::panel_addresses::all(&mut edit.tx).await?.iter().any(|row| row.domain == route.domain);
            let sentence = match own {
                true => format!("{} is the panel's own address. Use another domain.", route.domain),
                false => format!("{} leads to another app already. Use another domain or path.", words(&route)),
            };
            return Err(Refused::Fields(vec![FieldError { field: "domain", entry: None, sentence }]));
        }
    };
    if !rules.is_plain() {
        db::routes::want(&mut edit.tx, &edit.permit, id, &rules, true).await?;
    }
    spec.routes.push(route.clone());
    let placement = edit.app.placement.0.clone();
    db::apps::update_spec(&mut edit.tx, &edit.permit, edit.app.id, &spec, &placement).await?;
    Ok((id, route, rules))
}

/// Changes the rules of a route.
pub async fn set_rules(
    ctx: &Ctx,
    actor: &Actor,
    id: AppId,
    route: RouteId,
    input: EditRules,
) -> Result<Changed, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let (row, rules) = ruled(&mut edit, route, input).await?;
    let (before, after) = (rules_words(&row.rules), rules_words(&rules));
    let place = words(&row.route());
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    let before = json!({ "route": place, "rules": before });
    edit.finish("route.ruled", Some(before), Some(json!({ "route": place, "rules": after }))).await?;
    Ok(Changed { route: Some(route), job })
}

/// Changes the rules within the caller's transaction: how they were, how they are wanted.
async fn ruled(edit: &mut Editing, id: RouteId, input: EditRules) -> Result<(db::routes::Row, Rules), Refused> {
    let rows = db::routes::of_app(&mut edit.tx, &edit.permit, edit.app.id).await?;
    let row = rows.into_iter().find(|row| row.id == id).ok_or(Refused::NotFound)?;
    let mut fields = Fields::default();
    if !input.as_of.is_empty() && input.as_of != meanwhile::rules_digest(&row.rules) {
        fields.wrong(
            "as_of",
            "Somebody else changed the rules of this route meanwhile. Look at what is there now; saving once more replaces it.",
        );
    }
    let rules = read::rules(&mut fields, input, &row.rules, Some(&row.route()));
    let (Some(rules), true) = (rules, fields.fine()) else { return Err(fields.refuse()) };
    db::routes::want(&mut edit.tx, &edit.permit, id, &rules, false).await?;
    Ok((row, rules))
}

/// Has the proxies told once more of what is wanted: what was in the way the last time may be gone.
pub async fn again(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<Option<JobId>, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    edit.finish("app.routes_told", None, None).await?;
    Ok(job)
}

/// Lets a domain and path no longer lead to an app. Anybody may have it from then on.
pub async fn remove(ctx: &Ctx, actor: &Actor, id: AppId, route: RouteId) -> Result<Changed, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let gone = removed(&mut edit, route).await?;
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    edit.finish("route.removed", Some(json!({ "route": words(&gone) })), None).await?;
    Ok(Changed { route: None, job })
}

/// Removes the route within the caller's transaction.
async fn removed(edit: &mut Editing, id: RouteId) -> Result<Route, Refused> {
    let rows = db::routes::of_app(&mut edit.tx, &edit.permit, edit.app.id).await?;
    let route = rows.iter().find(|row| row.id == id).ok_or(Refused::NotFound)?.route();
    let mut spec = edit.app.spec.0.clone();
    spec.routes.retain(|known| *known != route);
    let placement = edit.app.placement.0.clone();
    db::apps::update_spec(&mut edit.tx, &edit.permit, edit.app.id, &spec, &placement).await?;
    db::routes::remove(&mut edit.tx, &edit.permit, id).await?;
    Ok(route)
}

/// True where an app takes connections on ports, as wanted.
async fn takes_ports(edit: &mut Editing) -> Result<bool, Refused> {
    let front = db::routes::front(&mut edit.tx, &edit.permit, edit.app.id).await?.ok_or(Refused::NotFound)?;
    Ok(!front.wanted.ports.is_empty())
}

/// "shop.example/api".
fn words(route: &Route) -> String {
    format!("{}{}", route.domain, route.path)
}

/// Has the proxies told. Where none leads to the app yet, what is wanted is so already.
async fn push(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    app: AppId,
    name: &str,
) -> Result<Option<JobId>, Refused> {
    if db::routes::hosts(tx, permit, app).await?.is_empty() {
        db::routes::apply(tx, permit, app).await?;
        db::routes::settle(tx, permit, app).await?;
        return Ok(None);
    }
    let title = format!("Routes of {name}");
    Ok(Some(set_proxy::ask(tx, permit, Of::App(app), &title, actor.who().cause()).await?))
}

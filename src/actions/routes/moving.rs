//! Leading a domain and path to another app of the team. The proxies change one entry in place, so that no request falls between;
//! where the other app could not answer it, the move is refused. Not here: giving a route up (`remove`), which frees it for anybody.

use serde_json::json;

use super::{Changed, push, words};
use crate::actions::apps::{self, MOST_ROUTES};
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::apps::Row;
use crate::db::{self, Tx, audit};
use crate::domain::app::{Kind, Route};
use crate::domain::ids::{AppId, RouteId};
use crate::domain::rights::{Actor, On, Permission, Permit};

/// An app that a route could lead to in place of its own.
#[derive(Clone, Debug)]
pub struct Other {
    /// The app.
    pub id: AppId,
    /// "shop / prod / web".
    pub words: String,
}

/// The apps a route of this one could lead to instead.
pub async fn others(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<Vec<Other>, Refused> {
    let mut all = apps::list(ctx, actor).await?;
    all.retain(|line| {
        let on = On::environment(actor.team(), line.project, line.environment);
        line.id != id && line.kind == Kind::Web && actor.may(Permission::EditApps, on).is_ok()
    });
    let words = |line: &apps::AppLine| format!("{} / {} / {}", line.project_name, line.environment_name, line.name);
    Ok(all.into_iter().map(|line| Other { words: words(&line), id: line.id }).collect())
}

/// Lets a route lead to another app from now on, with the rules it has.
pub async fn move_to(ctx: &Ctx, actor: &Actor, id: AppId, route: RouteId, to: AppId) -> Result<Changed, Refused> {
    let mut both = begin(ctx, actor, id, to, route).await?;
    let moved = led(&mut both, route).await?;
    let Both { mut tx, permit, from, to: other } = both;
    let job = push(&mut tx, &permit, actor, to, &other.name).await?;
    let place = words(&moved);
    for (action, app, far) in [("route.moved", &from, &other.name), ("route.taken", &other, &from.name)] {
        let after = Some(json!({ "route": place, "app": far }));
        let event = audit::New { action, kind: "app", subject: Some(app.id.0), name: &app.name, before: None, after };
        audit::record(&mut tx, &permit, event).await?;
    }
    tx.commit().await?;
    Ok(Changed { route: Some(route), job })
}

/// Lets the route lead to the other app, as far as the transaction goes.
pub(super) async fn led(Both { tx, permit, from, to }: &mut Both, route: RouteId) -> Result<Route, Refused> {
    let moved = of_app(tx, permit, from.id, route).await?;
    check(tx, permit, from, to, &words(&moved)).await?;
    let mut spec = from.spec.0.clone();
    spec.routes.retain(|known| *known != moved);
    db::apps::update_spec(tx, permit, from.id, &spec, &from.placement.0).await?;
    let mut spec = to.spec.0.clone();
    spec.routes.push(moved.clone());
    db::apps::update_spec(tx, permit, to.id, &spec, &to.placement.0).await?;
    db::routes::lead(tx, permit, route, to.id).await?;
    Ok(moved)
}

/// Two apps, both held until the transaction ends.
pub(super) struct Both {
    pub(super) tx: Tx<'static>,
    pub(super) permit: Permit,
    from: Row,
    to: Row,
}

/// Opens both for an edit: it is asked on each of them.
pub(super) async fn begin(ctx: &Ctx, actor: &Actor, id: AppId, to: AppId, route: RouteId) -> Result<Both, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, id, Permission::EditApps).await?;
    of_app(&mut tx, &permit, id, route).await?;
    if id == to {
        return Err(Refused::field("app", "It leads to this app already. Choose another one."));
    }
    let none = || Refused::field("app", "There is no such app that you may change. Choose one of the list.");
    let above = db::apps::above(&mut tx, &permit, to).await?.ok_or_else(none)?;
    let on = On::environment(actor.team(), above.project, above.environment);
    actor.may(Permission::EditApps, on).map_err(|_| none())?;
    // In one order, whichever of the two is the one that gives: two moves against each other wait and do not lock each other out.
    let mut both = [id, to];
    both.sort_by_key(|app| app.0);
    for app in both {
        db::apps::lock(&mut tx, &permit, app).await?;
    }
    let from = db::apps::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let to = db::apps::get(&mut tx, &permit, to).await?.ok_or_else(none)?;
    Ok(Both { tx, permit, from, to })
}

/// The app's route of this id.
async fn of_app(tx: &mut Tx<'_>, permit: &Permit, app: AppId, id: RouteId) -> Result<Route, Refused> {
    let rows = db::routes::of_app(tx, permit, app).await?;
    rows.iter().find(|row| row.id == id).map(db::routes::Row::route).ok_or(Refused::NotFound)
}

/// Whether the other app can take it, and every request that comes meanwhile.
async fn check(tx: &mut Tx<'_>, permit: &Permit, from: &Row, to: &Row, place: &str) -> Result<(), Refused> {
    let refuse = |why: String| Err(Refused::field("app", why));
    let name = &to.name;
    if to.spec.kind == Kind::Worker {
        return refuse(format!("{name} is a worker: it answers no requests. Choose a web app."));
    }
    if to.spec.routes.len() >= MOST_ROUTES {
        return refuse(format!("{name} has {MOST_ROUTES} domains and paths already. Take one from it first."));
    }
    let front = db::routes::front(tx, permit, to.id).await?.ok_or(Refused::NotFound)?;
    if !front.wanted.ports.is_empty() {
        return refuse(format!("{name} takes connections on ports, without HTTP. Take those away first."));
    }
    let served = db::routes::hosts(tx, permit, from.id).await?;
    if served.is_empty() {
        return Ok(());
    }
    if to.current.is_none() {
        return refuse(format!("{name} serves nothing yet, and requests of {place} come already. Deploy it first."));
    }
    if to.stopped_at.is_some() {
        return refuse(format!("{name} is stopped, and requests of {place} come already. Start it first."));
    }
    // A proxy keeps its backend of an app that has left the host: what it is placed on counts.
    let mut there = db::routes::hosts(tx, permit, to.id).await?;
    there.retain(|host| to.placement.0.iter().any(|place| place.host == *host));
    let missing: Vec<_> = served.into_iter().filter(|host| !there.contains(host)).collect();
    let missing = db::host_logins::of(tx, permit, &missing).await?;
    if missing.is_empty() {
        return Ok(());
    }
    let hosts: Vec<&str> = missing.iter().map(|row| row.name.as_str()).collect();
    refuse(format!(
        "{name} is not on {}, where requests of {place} come: they would be left unanswered. Deploy it there too; or, once the domain points to its own hosts, take the route from {} and add it to {name}.",
        hosts.join(" and "),
        from.name,
    ))
}

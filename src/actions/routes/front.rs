//! What holds for all routes of an app: maintenance, pages, compression, the same instance, HTTP/2, ports.

use serde_json::{Value, json};

use super::forms::EditFront;
use super::{Changed, meanwhile, ports, push, read};
use crate::actions::apps::{Editing, begin_edit};
use crate::actions::fields::Fields;
use crate::actions::{Ctx, Refused};
use crate::db;
use crate::domain::app::{Kind, Probe};
use crate::domain::ids::{AppId, HostId};
use crate::domain::release::Place;
use crate::domain::rights::{Actor, On, Permission};
use crate::domain::rules::Front;

/// Changes what holds for all routes of an app.
pub async fn set_front(ctx: &Ctx, actor: &Actor, id: AppId, input: EditFront) -> Result<Changed, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let (before, after) = fronted(&mut edit, actor, &input).await?;
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    edit.finish("app.fronted", Some(words(&before)), Some(words(&after))).await?;
    Ok(Changed { route: None, job })
}

/// Changes it within the caller's transaction: how it was, how it is wanted.
pub(super) async fn fronted(edit: &mut Editing, actor: &Actor, input: &EditFront) -> Result<(Front, Front), Refused> {
    let before = db::routes::front(&mut edit.tx, &edit.permit, edit.app.id).await?.ok_or(Refused::NotFound)?.wanted.0;
    let mut fields = Fields::default();
    let front = read::front(&mut fields, input, &before);
    if let Some(why) = meanwhile::front(&input.as_of, &before, front.as_ref()) {
        fields.wrong("as_of", why);
    }
    let spec = &edit.app.spec.0;
    if spec.kind == Kind::Worker {
        fields.wrong("ports", "A worker answers nobody, so nothing of this is of use to it.");
    }
    let opens = front.as_ref().is_some_and(|front| front.ports != before.ports);
    let manages = |place: &Place| actor.may(Permission::ManageHosts, On::host(actor.team(), place.host)).is_ok();
    if opens && !edit.app.placement.iter().all(manages) {
        fields.wrong("ports", "Ports are the hosts' own: somebody who manages all hosts of the app opens them.");
    }
    if front.as_ref().is_some_and(|front| front.send_proxy && !before.send_proxy)
        && matches!(spec.health.probe, Probe::Http { .. })
    {
        fields.wrong(
            "send_proxy",
            "Skiff asks the app for its health by HTTP, at the same port and without that line: choose \"the port opens\" or a command as its check first.",
        );
    }
    if let Some(front) = front.as_ref().filter(|front| !front.ports.is_empty()) {
        if !spec.routes.is_empty() {
            fields.wrong("ports", "The app has routes. An app answers either HTTP by its routes or connections on ports: remove its routes first.");
        }
        if before.maintenance {
            fields.wrong(
                "ports",
                "The app shows its page of maintenance, which connections on ports never see. End that first.",
            );
        }
        let on: Vec<HostId> = edit.app.placement.iter().map(|place| place.host).collect();
        if let Some(why) = ports::taken(&mut edit.tx, &edit.permit, edit.app.id, &front.ports, &on).await? {
            fields.wrong("ports", why);
        }
    }
    let (Some(front), true) = (front, fields.fine()) else { return Err(fields.refuse()) };
    db::routes::want_front(&mut edit.tx, &edit.permit, edit.app.id, &front).await?;
    Ok((before, front))
}

/// Shows everybody the page of maintenance in place of the app, or the app again.
pub async fn maintain(ctx: &Ctx, actor: &Actor, id: AppId, on: bool) -> Result<Changed, Refused> {
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let was = maintained(&mut edit, on).await?;
    let job = push(&mut edit.tx, &edit.permit, actor, id, &edit.app.name).await?;
    let action = if on { "app.maintenance_on" } else { "app.maintenance_off" };
    edit.finish(action, Some(json!({ "maintenance": was })), Some(json!({ "maintenance": on }))).await?;
    Ok(Changed { route: None, job })
}

/// Changes it within the caller's transaction: how it was.
pub(super) async fn maintained(edit: &mut Editing, on: bool) -> Result<bool, Refused> {
    if edit.app.spec.kind == Kind::Worker {
        return Err(Refused::Conflict("A worker answers nobody: there is nobody to show a page to.".into()));
    }
    let front = db::routes::front(&mut edit.tx, &edit.permit, edit.app.id).await?.ok_or(Refused::NotFound)?.wanted.0;
    if on && !front.ports.is_empty() {
        return Err(Refused::Conflict(
            "The app takes connections on ports, which show no page. Stop it instead.".into(),
        ));
    }
    let was = front.maintenance;
    db::routes::want_front(&mut edit.tx, &edit.permit, edit.app.id, &Front { maintenance: on, ..front }).await?;
    Ok(was)
}

/// A front as the audit keeps it: pages by their lengths.
fn words(front: &Front) -> Value {
    let length = |page: &Option<crate::domain::rules::PageText>| {
        page.as_ref().map(|page| format!("{} bytes", page.as_ref().len()))
    };
    json!({
        "compression": front.gzip,
        "same instance": front.sticky,
        "HTTP/2 to the app": front.h2c,
        "sees the app in maintenance": front.maintenance_allow,
        "page of maintenance": length(&front.maintenance_page),
        "page of errors": length(&front.error_page),
        "ports": front.ports.iter().map(|port| port.port.to_string()).collect::<Vec<_>>(),
        "PROXY protocol to the app": front.send_proxy,
    })
}

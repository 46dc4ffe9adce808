//! What a change makes of the proxies' files, before it is made: done in a transaction that is never committed, as the job
//! would find it.

use super::forms::{EditFront, EditRules, EditTrust};
use super::{added, front, host, moving, removed, ruled};
use crate::actions::apps::{Editing, NewRoute, begin_edit};
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx, host_logins};
use crate::domain::ids::{AppId, HostId, RouteId};
use crate::domain::ingress::{self, Block, Ingress, Line};
use crate::domain::rights::{Actor, Permission, Permit};
use crate::jobs::execute::ingress::{Listens, of_host_in};

/// A change that is thought of.
#[derive(Clone)]
pub enum Change {
    /// Another route with its rules.
    Add(NewRoute, EditRules),
    /// Other rules of a route.
    Rules(RouteId, EditRules),
    /// A route goes.
    Remove(RouteId),
    /// A route leads to another app.
    Move(RouteId, AppId),
    /// Something else for all routes.
    Front(EditFront),
    /// The page of maintenance, or the app again.
    Maintenance(bool),
}

/// What differs in the files of one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostDifference {
    /// The host.
    pub host: String,
    /// Sections of its file, and lines of its map.
    pub blocks: Vec<Block>,
    /// Whether its proxy is reloaded for it; open connections go on.
    pub reload: bool,
}

/// What a change makes of the files of the app's hosts, and of those of the app that a route would be led to. Refused as the change
/// would be.
pub async fn preview(ctx: &Ctx, actor: &Actor, id: AppId, change: Change) -> Result<Vec<HostDifference>, Refused> {
    if let Change::Move(route, to) = change {
        let mut both = moving::begin(ctx, actor, id, to, route).await?;
        let mut ids = db::routes::hosts(&mut both.tx, &both.permit, id).await?;
        ids.extend(db::routes::hosts(&mut both.tx, &both.permit, to).await?);
        let before = files(&mut both.tx, &both.permit, ids).await?;
        moving::led(&mut both, route).await?;
        db::routes::apply(&mut both.tx, &both.permit, to).await?;
        return differ(&mut both.tx, &both.permit, before).await;
    }
    let mut edit = begin_edit(ctx, actor, id, Permission::EditApps).await?;
    let ids = db::routes::hosts(&mut edit.tx, &edit.permit, id).await?;
    let before = files(&mut edit.tx, &edit.permit, ids).await?;
    make(ctx, &mut edit, actor, change).await?;
    db::routes::apply(&mut edit.tx, &edit.permit, id).await?;
    // Nothing of it was meant yet: the transaction ends with the value.
    differ(&mut edit.tx, &edit.permit, before).await
}

/// The hosts of these ids, each once, and what their proxies' files are made of.
async fn files(
    tx: &mut Tx<'_>,
    permit: &Permit,
    mut ids: Vec<HostId>,
) -> Result<Vec<(host_logins::Row, Ingress)>, Refused> {
    ids.sort_by_key(|id| id.0);
    ids.dedup();
    let mut all = Vec::new();
    for row in host_logins::of(tx, permit, &ids).await? {
        let ingress = of_host_in(tx, permit, row.id, &Listens::now(&row)).await?;
        all.push((row, ingress));
    }
    Ok(all)
}

/// What differs from these files now.
async fn differ(
    tx: &mut Tx<'_>,
    permit: &Permit,
    before: Vec<(host_logins::Row, Ingress)>,
) -> Result<Vec<HostDifference>, Refused> {
    let mut all = Vec::new();
    for (row, before) in before {
        let after = of_host_in(tx, permit, row.id, &Listens::now(&row)).await?;
        all.push(between(&row.name, &before, &after));
    }
    Ok(all)
}

/// What whom a host believes would make of its file. Refused as the change would be.
pub async fn preview_trust(ctx: &Ctx, actor: &Actor, id: HostId, input: &EditTrust) -> Result<HostDifference, Refused> {
    let Open { mut tx, permit, .. } = gate::host(ctx, actor, id, Permission::ManageHosts).await?;
    let trust = host::read_trust(&mut tx, &permit, id, input).await?.trust;
    let row = db::host_logins::of(&mut tx, &permit, &[id]).await?.pop().ok_or(Refused::NotFound)?;
    let before = of_host_in(&mut tx, &permit, id, &Listens::now(&row)).await?;
    db::fronts::want_trust(&mut tx, &permit, id, &trust).await?;
    db::fronts::apply_trust(&mut tx, &permit, id).await?;
    let after = of_host_in(&mut tx, &permit, id, &Listens::now(&row)).await?;
    Ok(between(&row.name, &before, &after))
}

/// What differs between two states of a host's proxy.
fn between(host: &str, before: &Ingress, after: &Ingress) -> HostDifference {
    let mut blocks = ingress::difference(&before.haproxy_cfg(), &after.haproxy_cfg());
    // As sections of one name each, so that the same reading does for both.
    let map = |ingress: &Ingress| format!("map of routes\n{}", indented(&ingress.routes_map()));
    let mut of_map = ingress::difference(&map(before), &map(after));
    for block in &mut of_map {
        // What stands beside it is the routes of others.
        block.lines.retain(|line| !matches!(line, Line::Same(_)));
    }
    blocks.extend(of_map);
    HostDifference { host: host.to_owned(), blocks, reload: before.fixed() != after.fixed() }
}

/// Makes a change of one app's.
async fn make(ctx: &Ctx, edit: &mut Editing, actor: &Actor, change: Change) -> Result<(), Refused> {
    match change {
        Change::Add(route, rules) => added(ctx, actor, edit, &route, rules).await.map(drop),
        Change::Rules(route, rules) => ruled(edit, route, rules).await.map(drop),
        Change::Remove(route) => removed(edit, route).await.map(drop),
        // Of two apps: it was made before.
        Change::Move(..) => Ok(()),
        Change::Front(input) => front::fronted(edit, actor, &input).await.map(drop),
        Change::Maintenance(on) => front::maintained(edit, on).await.map(drop),
    }
}

fn indented(text: &str) -> String {
    // Not the keys that kind readers are held against: they say the same once more.
    text.lines().filter(|line| !line.starts_with('~')).map(|line| format!("    {line}\n")).collect()
}

//! Looking at the hosts of an app: what is there, at all hosts at once. Nothing is believed because a row says so.

use std::net::Ipv4Addr;

use futures_util::future::{join_all, try_join_all};

use super::Ctx;
use super::proxy;
use crate::access::Reached;
use crate::db::Tx;
use crate::db::ledger::instances::{self, Row};
use crate::db::ledger::volumes as places;
use crate::domain::address::Bridge;
use crate::domain::container::{label, network_name, volume_name};
use crate::domain::ids::{DeployId, InstanceId, ReleaseId, VolumeId};
use crate::domain::ingress::{ServerSeen, named_peer};
use crate::domain::names::NetworkName;
use crate::domain::observed::{Have, HostSeen, Instance, OldNetwork, Running, Served};
use crate::domain::plan::Want;
use crate::domain::rights::Permit;
use crate::remote;

/// What was seen, and which hosts said nothing and why.
pub struct Looked {
    /// For the planner.
    pub have: Have,
    /// Hosts of the placement, by name, that did not answer.
    pub silent: Vec<(String, remote::Error)>,
}

/// Everything a deploy sees before it plans.
pub async fn app(ctx: &Ctx, permit: &Permit, hosts: &[Reached], want: &Want) -> Result<Looked, sqlx::Error> {
    let mut tx = ctx.db.begin(permit).await?;
    let rows = instances::of_app(&mut tx, permit, want.release.app).await?;
    let mut taken = Vec::new();
    for host in hosts {
        taken.push(instances::addresses(&mut tx, permit, host.id()).await?);
    }
    tx.commit().await?;
    let looks = hosts.iter().zip(taken).map(|(host, taken)| one(ctx, host, want, &rows, taken));
    let (hosts, silent): (Vec<HostSeen>, Vec<_>) = join_all(looks).await.into_iter().unzip();
    let placed = |host: &HostSeen| want.release.placement.iter().any(|place| place.host == host.host);
    let silent = hosts.iter().zip(silent).filter(|(host, _)| placed(host));
    let silent = silent.filter_map(|(host, error)| Some((host.name.clone(), error?))).collect();
    Ok(Looked { have: Have { hosts }, silent })
}

/// Notes where the app's volumes were seen: also one that is there already has its place in the ledger. The hosts come in
/// the order of the placement, and where a volume is wanted first is the last word.
pub async fn note_volumes(tx: &mut Tx<'_>, permit: &Permit, have: &Have) -> Result<(), sqlx::Error> {
    for host in have.hosts.iter().rev() {
        for volume in &host.volumes {
            places::placed(tx, permit, *volume, host.host).await?;
        }
    }
    Ok(())
}

async fn one(
    ctx: &Ctx,
    reached: &Reached,
    want: &Want,
    rows: &[Row],
    taken: Vec<String>,
) -> (HostSeen, Option<remote::Error>) {
    let mut seen = HostSeen {
        host: reached.id(),
        name: reached.row.name.clone(),
        unreachable: None,
        disk_free_mib: 0,
        arch: reached.row.arch.clone(),
        image_arch: None,
        peer: reached.row.peer_address.as_deref().and_then(|address| address.parse().ok()),
        peers: Vec::new(),
        image_present: false,
        network_present: false,
        old_networks: Vec::new(),
        volumes: Vec::new(),
        instances: Vec::new(),
        taken: taken.iter().filter_map(|address| address.parse().ok()).collect(),
        ports_taken: Vec::new(),
    };
    let looked = match &reached.host {
        Ok(host) => look(ctx, host, want, rows, &mut seen).await,
        Err(error) => Err(error.clone()),
    };
    seen.unreachable = looked.as_ref().err().map(ToString::to_string);
    (seen, looked.err())
}

/// All questions to one host at once: none depends on another's answer.
async fn look(
    ctx: &Ctx,
    host: &remote::Host,
    want: &Want,
    rows: &[Row],
    seen: &mut HostSeen,
) -> Result<(), remote::Error> {
    let docker = host.docker();
    let (release, app) = (&want.release, want.release.app.to_string());
    let network = network_name(release.environment);
    let bridge = want.bridges.iter().find(|(host, _)| *host == seen.host).map(|(_, bridge)| *bridge);
    let (containers, image, net, volumes, proxy, free) = tokio::try_join!(
        docker.list_by_label(label::APP, &app),
        docker.image(&release.image),
        networks(docker, &network, bridge, ctx.panel),
        volumes(docker, release.spec.mounts.iter().map(|mount| mount.volume).collect()),
        proxy::look(host),
        free_mib(host),
    )?;
    // By the name the container is made with: the same image under another name has to be tagged first.
    seen.image_arch = image.as_ref().map(|image| image.arch.clone()).filter(|arch| !arch.is_empty());
    seen.image_present = image.is_some_and(|image| image.id == release.image_id);
    seen.peers = proxy
        .peers
        .iter()
        .filter(|peer| peer.listed)
        .filter_map(|peer| Some((named_peer(&peer.name)?, peer.weight)))
        .filter(|((app, _), _)| *app == release.app)
        .map(|((_, host), weight)| (host, weight))
        .collect();
    let (present, in_use, old) = net;
    (seen.network_present, seen.old_networks) = (present, old);
    seen.taken.extend(in_use);
    seen.volumes = volumes;
    seen.disk_free_mib = free;
    for row in rows.iter().filter(|row| row.host == seen.host) {
        let container = containers.iter().find(|c| c.name == row.name.as_ref() && is_of(c, ctx.panel));
        let Ok(address) = row.address.parse() else { continue };
        seen.instances.push(Instance {
            id: row.id,
            name: row.name.clone(),
            container: container.map(|c| c.id.clone()),
            deploy: row.deploy,
            release: row.release,
            number: row.number,
            index: u16::try_from(row.position).unwrap_or(u16::MAX),
            address,
            running: container.map_or(Running::Missing, |c| c.running),
            served: served(&proxy.servers, row),
            stray: false,
        });
    }
    let known = |name: &str| rows.iter().any(|row| row.name.as_ref() == name);
    // What the panel makes names its deploy (the container of a release command has no row either); a run.bash does not.
    let by_hand = |c: &remote::docker::ContainerLine| is_of(c, ctx.panel) && !c.labels.contains_key(label::DEPLOY);
    let strays = containers.iter().filter(|c| by_hand(c) && !known(&c.name));
    seen.instances.extend(strays.filter_map(|container| stray(container, &proxy.servers)));
    Ok(())
}

/// A container of this app that the ledger does not know: a `run.bash` started it while the panel was away.
fn stray(container: &remote::docker::ContainerLine, servers: &[ServerSeen]) -> Option<Instance> {
    let server = servers.iter().find(|server| server.name == container.name);
    let nil = uuid::Uuid::nil();
    Some(Instance {
        id: InstanceId(nil),
        name: container.name.parse().ok()?,
        container: Some(container.id.clone()),
        deploy: DeployId(nil),
        release: ReleaseId(nil),
        number: 0,
        index: 0,
        address: server.map_or(Ipv4Addr::UNSPECIFIED, |server| server.address),
        running: container.running,
        served: server.map_or(Served::Absent, |server| server.served),
        stray: true,
    })
}

/// Whether this panel made the container: a stranger's with our name is not ours.
fn is_of(line: &remote::docker::ContainerLine, panel: uuid::Uuid) -> bool {
    line.labels.get(label::PANEL).is_some_and(|made_by| *made_by == panel.to_string())
}

fn served(servers: &[ServerSeen], row: &Row) -> Served {
    servers.iter().find(|server| server.name == row.name.as_ref()).map_or(Served::Absent, |server| server.served)
}

/// Whether the environment's network is there, the addresses in use on it, and what stands in its place.
async fn networks(
    docker: &remote::docker::Docker,
    name: &NetworkName,
    bridge: Option<Bridge>,
    panel: uuid::Uuid,
) -> Result<(bool, Vec<Ipv4Addr>, Vec<OldNetwork>), remote::Error> {
    let panel = panel.to_string();
    let (there, all) = tokio::try_join!(docker.network(name), docker.networks_by_label(label::PANEL, &panel))?;
    let Some(subnet) = bridge.map(Bridge::subnet) else {
        return Ok((there.is_some(), Vec::new(), Vec::new()));
    };
    let mut old = Vec::new();
    // One by the environment's name with another subnet, whoever made it; one of ours with its subnet by another name.
    let named = there.iter().filter(|seen| seen.subnet != subnet);
    old.extend(named.map(|seen| (name, &seen.subnet, seen.labels.get(label::PANEL) == Some(&panel))));
    let alike = all.iter().filter(|line| line.subnet == subnet && line.name != *name);
    old.extend(alike.map(|line| (&line.name, &line.subnet, true)));
    let looked = old.into_iter().map(|(name, subnet, ours)| async move {
        let on = docker.on_network(name).await?;
        Ok::<_, remote::Error>(OldNetwork { name: name.clone(), subnet: subnet.clone(), ours, on })
    });
    let old = try_join_all(looked).await?;
    let present = there.as_ref().is_some_and(|seen| seen.subnet == subnet);
    let taken = there.map(|seen| seen.taken).unwrap_or_default();
    Ok((present, taken, old))
}

async fn volumes(docker: &remote::docker::Docker, wanted: Vec<VolumeId>) -> Result<Vec<VolumeId>, remote::Error> {
    let asked = wanted.into_iter().map(|volume| async move {
        let there = docker.volume_exists(&volume_name(volume)).await?;
        Ok::<_, remote::Error>(there.then_some(volume))
    });
    Ok(try_join_all(asked).await?.into_iter().flatten().collect())
}

/// Free space where Docker keeps its data.
async fn free_mib(host: &remote::Host) -> Result<u64, remote::Error> {
    // A user who may not look into Docker's folder may look at the one above it, which nearly always is the same disk.
    let free = match host.free_mib("/var/lib/docker").await? {
        Some(free) => Some(free),
        None => host.free_mib("/var/lib").await?,
    };
    Ok(free.unwrap_or(u64::MAX))
}

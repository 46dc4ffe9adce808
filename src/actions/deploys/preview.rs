//! What a deploy would do, from what the ledger knows: the planner is asked without looking at a host. The deploy itself
//! looks first, and may find less to do.

use uuid::Uuid;

use super::intent;
use super::request::{target, with_image};
use super::views::{PlanStage, Preview, RequestDeploy};
use crate::actions::gate::{self, Open};
use crate::actions::{Ctx, Refused};
use crate::db::{self, Tx, ledger};
use crate::domain::address::Bridge;
use crate::domain::deploy::Target;
use crate::domain::diff;
use crate::domain::host::HostState;
use crate::domain::ids::{AppId, DeployId, InstanceId, ReleaseId};
use crate::domain::names::{ImageId, ImageRef};
use crate::domain::observed::{Have, HostSeen, Instance, Running, Served};
use crate::domain::plan::words::Words;
use crate::domain::plan::{self, Want};
use crate::domain::release::Release;
use crate::domain::rights::{Actor, Permission, Permit};
use crate::domain::source::Source;

/// Stands for an image nobody has built or fetched yet.
const NO_IMAGE_YET: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";
/// Its name.
const NO_NAME_YET: &str = "image-to-be";

/// What a deploy would do.
pub async fn preview(ctx: &Ctx, actor: &Actor, app: AppId, input: RequestDeploy) -> Result<Preview, Refused> {
    let Open { mut tx, permit, .. } = gate::app(ctx, actor, app, Permission::View).await?;
    let mut row = db::apps::get(&mut tx, &permit, app).await?.ok_or(Refused::NotFound)?;
    row.source.0 = with_image(&row.source, &input)?;
    let target = target(&mut tx, &permit, &row, &input).await?;
    let ids: Vec<_> = row.spec.secrets.values().copied().collect();
    let secrets = db::secrets::of(&mut tx, &permit, &ids).await?;
    let versions = secrets.iter().map(|secret| (secret.id, secret.version)).collect();
    let current = match row.current {
        Some(release) => db::releases::get(&mut tx, &permit, release).await?,
        None => None,
    };
    let (release, source) = match target {
        Target::Release { number } => {
            let kept = db::releases::numbered(&mut tx, &permit, app, number).await?.ok_or(Refused::NotFound)?;
            (kept.body.0, kept.source.0)
        }
        Target::Scale { number } => {
            let kept = db::releases::numbered(&mut tx, &permit, app, number).await?.ok_or(Refused::NotFound)?;
            let to_be = row.last_release.saturating_add(1);
            let id = ReleaseId(Uuid::now_v7());
            (kept.body.0.placed_anew(id, to_be, row.placement.0.clone()), kept.source.0)
        }
        Target::Head | Target::Ref { .. } | Target::Commit { .. } => (release_to_be(&row)?, row.source.0.clone()),
    };
    let have = have(&mut tx, &permit, &release).await?;
    let want = want(&mut tx, &permit, &row, release, &have).await?;
    tx.commit().await?;

    let changes = current.as_ref().map(|current| {
        let before = diff::Side::of_release(&current.body, &current.source);
        let after = match target {
            Target::Release { .. } | Target::Scale { .. } => diff::Side::of_release(&want.release, &source),
            Target::Head | Target::Ref { .. } | Target::Commit { .. } => {
                diff::Side::new(&row.spec, &row.source, &row.placement, &versions)
            }
        };
        diff::changes(&before, &after)
    });
    let words = Words::new(&row.name, &want, &have);
    let planned = plan::plan(&want, &have);
    let (stages, notes, refusal) = match planned {
        Ok(plan) => (stages(&plan, &words), plan.notes, None),
        Err(refusal) => (Vec::new(), Vec::new(), Some(refusal.0)),
    };
    Ok(Preview {
        intent: intent(&target, &row.source),
        plan: stages,
        notes,
        changes: changes.unwrap_or_default(),
        refusal,
    })
}

/// The release a deploy of the head would make. Its image is not known yet.
fn release_to_be(row: &db::apps::Row) -> Result<Release, Refused> {
    let image = match &row.source.0 {
        Source::Image(image) => image.image.clone(),
        Source::Git(_) => NO_NAME_YET.parse::<ImageRef>().map_err(|bad| Refused::internal(&bad))?,
    };
    Ok(Release {
        id: ReleaseId(Uuid::now_v7()),
        app: row.id,
        environment: row.environment,
        number: row.last_release.saturating_add(1),
        image_id: NO_IMAGE_YET.parse::<ImageId>().map_err(|bad| Refused::internal(&bad))?,
        image,
        spec: row.spec.0.clone(),
        secret_versions: Default::default(),
        placement: row.placement.0.clone(),
        commit: None,
    })
}

/// The hosts as the ledger has them.
async fn have(tx: &mut Tx<'_>, permit: &Permit, release: &Release) -> Result<Have, Refused> {
    let rows = ledger::instances::of_app(tx, permit, release.app).await?;
    let volumes = db::volumes::of_app(tx, permit, release.app).await?;
    let hosts = db::hosts::list(tx, permit, None).await?;
    let mut seen = Vec::new();
    for host in hosts {
        let placed = release.placement.iter().any(|place| place.host == host.id);
        let mine: Vec<_> = rows.iter().filter(|row| row.host == host.id && !row.kept).collect();
        if !placed && mine.is_empty() {
            continue;
        }
        let taken = ledger::instances::addresses(tx, permit, host.id).await?;
        let instances = mine.into_iter().filter_map(|row| {
            Some(Instance {
                id: row.id,
                name: row.name.clone(),
                container: row.container.clone(),
                deploy: row.deploy,
                release: row.release,
                number: row.number,
                index: u16::try_from(row.position).ok()?,
                address: row.address.parse().ok()?,
                running: if row.container.is_some() { Running::Up } else { Running::Missing },
                served: if row.wanted { Served::Up } else { Served::Absent },
                stray: false,
            })
        });
        seen.push(HostSeen {
            instances: instances.collect(),
            unreachable: (host.state != HostState::Ready).then(|| host.note.clone()),
            disk_free_mib: host.facts.disk_free_mib,
            arch: host.facts.arch.clone(),
            image_arch: None,
            peer: host.peer_address.as_deref().and_then(|address| address.parse().ok()),
            peers: Vec::new(),
            image_present: false,
            network_present: true,
            old_networks: Vec::new(),
            volumes: volumes.iter().filter(|volume| volume.host == Some(host.id)).map(|volume| volume.id).collect(),
            taken: taken.iter().filter_map(|address| address.parse().ok()).collect(),
            ports_taken: Vec::new(),
            host: host.id,
            name: host.name,
        });
    }
    Ok(Have { hosts: seen })
}

/// What the deploy would want.
async fn want(
    tx: &mut Tx<'_>,
    permit: &Permit,
    row: &db::apps::Row,
    release: Release,
    have: &Have,
) -> Result<Want, Refused> {
    let mut bridges = Vec::new();
    for seen in &have.hosts {
        // An environment without a bridge there yet gets the next one; which number it is makes no difference here.
        let known = ledger::networks::of(tx, permit, seen.host, release.environment).await?;
        bridges.extend(known.or_else(|| Bridge::new(0, 0)).map(|bridge| (seen.host, bridge)));
    }
    let former = db::deploy_runs::serving(tx, permit, row.id).await?;
    let wanted: usize = release.placement.iter().map(|place| usize::from(place.instances)).sum();
    Ok(Want {
        deploy: DeployId(Uuid::now_v7()),
        former: former.map(|former| former.deploy),
        former_web: former.is_some_and(|former| former.web),
        bridges,
        fresh: (0..wanted).map(|_| InstanceId(Uuid::now_v7())).collect(),
        image_arch: None,
        release_command: None,
        host_ports: Vec::new(),
        disk_needed_mib: 0,
        release,
    })
}

/// A plan in words.
fn stages(plan: &plan::Plan, words: &Words) -> Vec<PlanStage> {
    let stage = |stage: &plan::Stage| PlanStage {
        name: stage.name.clone(),
        after_switch: stage.after_switch,
        steps: stage.lanes.iter().flat_map(|lane| lane.steps.iter().map(|step| words.step(lane.host, step))).collect(),
    };
    plan.stages.iter().map(stage).collect()
}

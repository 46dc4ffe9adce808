//! One app's page. A fixed number of statements, however long its history is.

use super::addresses::Addresses;
use super::list::choice;
use super::views::{AppView, HostChoice, May, RouteView, VariableLine};
use super::{configuration, lines, placement, source};
use crate::actions::gate::{self, Open};
use crate::actions::kept::Weigh;
use crate::actions::{Ctx, Refused, deploys, hosts, jobs as job_lines, releases, secrets, volumes};
use crate::db;
use crate::db::app_lines::Filter;
use crate::domain::deploy::DeployState;
use crate::domain::diff;
use crate::domain::ids::{AppId, HostId};
use crate::domain::rights::{Actor, On, Permission};
use crate::jobs;

/// Releases on the page; more on their own.
const RELEASES: i64 = 20;
/// Deploys on the page; more on their own.
const DEPLOYS: i64 = 10;
/// Instances on the page: 64 serving, as many arriving, and some kept for inspection.
const INSTANCES: i64 = 200;

impl Weigh for AppView {
    fn bytes(&self) -> usize {
        /// All but the values of variables, which may be long.
        const REST: usize = 40_000;
        REST + 2 * self.variables.iter().map(|line| line.value.len()).sum::<usize>()
    }
}

/// One app.
pub async fn get(ctx: &Ctx, actor: &Actor, id: AppId) -> Result<AppView, Refused> {
    let Open { mut tx, permit, on } = gate::app(ctx, actor, id, Permission::View).await?;
    let filter = Filter { app: Some(id), project: None };
    let line = lines(&mut tx, &permit, actor, filter).await?.into_iter().next().ok_or(Refused::NotFound)?;
    let app = db::apps::get(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let routes = db::routes::of_app(&mut tx, &permit, id).await?;
    let addresses = Addresses::read(&mut tx, &permit, routes.iter().map(|row| row.domain.as_ref())).await?;
    let front = db::routes::front(&mut tx, &permit, id).await?.ok_or(Refused::NotFound)?;
    let instances = db::instances::list(&mut tx, &permit, Some(id), None, INSTANCES).await?;
    let key = jobs::deploy::lock_key(id);
    let acting = db::jobs::unfinished_of(&mut tx, &permit, &key).await?.filter(|job| job.deploy.is_none());
    let history = db::releases::list(&mut tx, &permit, id, None, RELEASES).await?;
    let filter = db::deploys::Filter { app: Some(id), ..Default::default() };
    let recent = db::deploys::list(&mut tx, &permit, filter, DEPLOYS).await?;
    let kept: Vec<_> = app.spec.secrets.values().copied().collect();
    let sealed = db::secrets::of(&mut tx, &permit, &kept).await?;
    let stored = db::volumes::of_app(&mut tx, &permit, id).await?;
    let stored_at = db::volumes::places(&mut tx, &permit, id).await?;
    let placed = app.placement.first().map(|place| place.host);
    let mut all = db::hosts::list(&mut tx, &permit, None).await?;
    all.retain(|row| {
        app.placement.iter().any(|p| p.host == row.id) || gate::sees(actor, On::host(actor.team(), row.id))
    });
    let places = placement::of_rows(&all, &app.placement);
    let host = all.into_iter().find(|row| placed == Some(row.id));
    let current = match app.current {
        Some(release) => db::releases::get(&mut tx, &permit, release).await?,
        None => None,
    };
    let kept_dockerfile = match &current {
        Some(release) if release.dockerfile.is_some() => db::dockerfiles::of(&mut tx, &permit, app.source_id).await?,
        _ => None,
    };
    let kept_dockerfile = kept_dockerfile.and_then(|row| row.text);
    tx.commit().await?;

    let port = host.as_ref().map_or(80, |host| host.proxy_port);
    let pending = current.as_ref().map(|current| {
        let versions = sealed.iter().map(|row| (row.id, row.version)).collect();
        let before = diff::Side::of_release(&current.body, &current.source);
        let mut changes = diff::changes(&before, &diff::Side::new(&app.spec, &app.source, &app.placement, &versions));
        // A release of the repository's own Dockerfile says nothing of the kept one: whether it is used, the next commit decides.
        if let (Some(built), Some(kept)) = (&current.dockerfile, &kept_dockerfile)
            && built != kept
        {
            let words = |text: &str| Some(format!("{} lines", text.lines().count()));
            changes.push(diff::Change {
                what: "Dockerfile kept in Skiff".to_owned(),
                before: words(built.as_ref()),
                after: words(kept.as_ref()).map(|words| format!("{words}, edited since")),
            });
        }
        changes
    });
    let deploys: Vec<_> = recent.into_iter().map(deploys::line).collect();
    let at = |state| deploys.iter().find(|deploy| deploy.state == state).cloned();
    Ok(AppView {
        source: source::view(&app.source),
        health: configuration::health(&app.spec),
        routes: routes
            .into_iter()
            .map(|row| RouteView {
                id: row.id,
                url: addresses.url(placed, row.domain.as_ref(), row.path.as_ref(), port),
                waits: row.applied.as_ref() != Some(&row.rules),
                rules: row.rules.0,
                domain: row.domain.into(),
                path: row.path.into(),
            })
            .collect(),
        variables: app
            .spec
            .variables
            .iter()
            .map(|(name, value)| VariableLine { name: name.to_string(), value: value.to_string() })
            .collect(),
        secrets: secrets::lines(sealed, current.as_ref().map(|current| &current.body.secret_versions)),
        volumes: volumes::lines(stored, &stored_at, &app.spec),
        instances: instances.into_iter().map(hosts::instance).collect(),
        releases: history.into_iter().map(|row| releases::line(row, app.current)).collect(),
        acting: acting.map(job_lines::line),
        running: at(DeployState::Running),
        waiting: at(DeployState::Queued),
        deploys,
        maintenance: front.wanted.maintenance,
        pending: pending.unwrap_or_default(),
        host: host.map(choice).unwrap_or(HostChoice {
            id: placed.unwrap_or(HostId(uuid::Uuid::nil())),
            name: String::new(),
            ready: false,
        }),
        places,
        hsts: app.hsts,
        configuration: configuration::form(&app.spec),
        source_form: source::form(&app.source),
        may: May {
            deploy: actor.may(Permission::Deploy, on).is_ok(),
            edit: actor.may(Permission::EditApps, on).is_ok(),
            remove: actor.may(Permission::EditProjects, on).is_ok(),
        },
        line,
        spec: app.spec.0,
    })
}

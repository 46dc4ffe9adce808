//! Making an app: everything its form holds, in one transaction. Not here: its first deploy.

use serde_json::json;
use uuid::Uuid;

use super::forms::NewApp;
use super::{configuration, entries, source};
use crate::actions::fields::Fields;
use crate::actions::gate::{self, Open};
use crate::actions::routes::{claims, generated};
use crate::actions::sealing::Sealer;
use crate::actions::{Ctx, Refused, projects};
use crate::db::secrets::Owner;
use crate::db::{self, Tx, audit};
use crate::domain::app::{Kind, Mount, Route, Spec};
use crate::domain::ids::{AppId, EnvironmentId, HostId, RouteId, SourceId, VolumeId};
use crate::domain::names::{DisplayName, Slug};
use crate::domain::release::Place;
use crate::domain::rights::{Actor, On, Permission, Permit};
use crate::jobs::look_after_certificates;

/// The project that is made where there is none.
const FIRST_PROJECT: &str = "Main";

/// Makes an app. Nothing is deployed yet.
pub async fn create(ctx: &Ctx, actor: &Actor, input: NewApp) -> Result<AppId, Refused> {
    let Open { mut tx, permit, .. } = gate::team(ctx, actor).await?;
    let mut fields = Fields::default();
    let environment = environment(&mut tx, &permit, actor, &mut fields, &input.environment).await?;
    let host = host(&mut tx, &permit, &mut fields, &input.host).await?;
    let name = fields.text::<DisplayName>("name", &input.name);
    let draft = source::read(&mut fields, ctx, &input.source, None);
    let spec = configuration::read(&mut fields, &input.configuration);
    let kind = spec.as_ref().map_or(Kind::Web, |spec| spec.kind);
    let routes = entries::routes(&mut fields, &input.routes, kind);
    let variables = entries::variables(&mut fields, &input.variables);
    let secrets = entries::secrets(&mut fields, &input.secrets, &variables);
    let volumes = entries::volumes(&mut fields, &input.volumes);
    if let Some(Wanted::Known(id)) = environment {
        let taken = db::app_lines::names(&mut tx, &permit, id).await?;
        if name.as_ref().is_some_and(|name| taken.contains(&name.to_string())) {
            fields.wrong("name", "The environment has an app of this name already.");
        }
    }
    if !fields.fine() {
        return Err(fields.refuse());
    }
    let (Some(environment), Some(host), Some(name), Some(draft), Some(mut spec)) =
        (environment, host, name, draft, spec)
    else {
        return Err(fields.refuse());
    };

    let environment = match environment {
        Wanted::Known(id) if db::environments::hold(&mut tx, &permit, id).await? => id,
        Wanted::Known(_) => return Err(Refused::field("environment", "Choose the environment.")),
        Wanted::First => {
            let project: DisplayName = FIRST_PROJECT.parse().map_err(|bad| Refused::internal(&bad))?;
            projects::make(&mut tx, &permit, &project).await?.1
        }
    };
    let (id, source_id) = (AppId(Uuid::now_v7()), SourceId(Uuid::now_v7()));
    let sealer = Sealer::open(ctx, &mut tx, &permit).await?;
    let source = draft.keep(&sealer, &mut tx, source_id).await?;
    for (name, value) in &secrets {
        let secret = sealer.set(&mut tx, Owner::App(id), name.as_ref(), value).await?;
        spec.secrets.insert(name.clone(), secret);
    }
    spec.routes = routes;
    spec.variables = variables;
    spec.mounts =
        volumes.into_iter().map(|(name, path)| Mount { volume: VolumeId(Uuid::now_v7()), name, path }).collect();
    let slugs = db::apps::slugs(&mut tx, &permit, environment).await?;
    let slug = Slug::of(name.as_ref(), "app", &slugs);
    let placement = [Place { host, instances: spec.instances }];
    db::sources::insert(&mut tx, &permit, source_id, &source).await?;
    let new = db::apps::New {
        id,
        environment,
        source: source_id,
        slug: &slug,
        name: &name,
        spec: &spec,
        placement: &placement,
    };
    db::apps::insert(&mut tx, &permit, &new).await?;
    for mount in &spec.mounts {
        db::volumes::insert(&mut tx, &permit, id, mount.volume, &mount.name).await?;
    }
    for route in &spec.routes {
        claim(ctx, &mut tx, &permit, actor, id, route).await?;
    }
    if spec.routes.is_empty() && spec.kind == Kind::Web {
        let given = generated::claim(ctx, &mut tx, &permit, id, host, environment, slug.as_ref()).await?;
        if let Some(route) = given {
            spec.routes.push(route);
            db::apps::update_spec(&mut tx, &permit, id, &spec, &placement).await?;
        }
    }
    let domains: Vec<String> = spec.routes.iter().map(|route| route.domain.to_string()).collect();
    look_after_certificates::want(&mut tx, &permit, &domains, &actor.who().cause()).await?;
    record(&mut tx, &permit, id, &name, &source, &spec).await?;
    tx.commit().await?;
    Ok(id)
}

/// Claims a route, or says in words that it is taken, never by whom.
async fn claim(
    ctx: &Ctx,
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    app: AppId,
    route: &Route,
) -> Result<(), Refused> {
    if let Some(why) = claims::barred(ctx, tx, permit, actor, app, &route.domain).await? {
        return Err(Refused::field("routes", why));
    }
    if db::routes::claim(tx, permit, RouteId(Uuid::now_v7()), app, route).await? {
        return Ok(());
    }
    let Route { domain, path } = route;
    if db::panel_addresses::all(tx).await?.iter().any(|row| row.domain == *domain) {
        return Err(Refused::field("routes", format!("{domain} is the panel's own address. Use another domain.")));
    }
    Err(Refused::field("routes", format!("{domain}{path} leads to another app already. Use another domain or path.")))
}

/// The environment a form names.
#[derive(Clone, Copy)]
enum Wanted {
    /// This one.
    Known(EnvironmentId),
    /// None is there: the first project is made with it.
    First,
}

/// Reads the environment: by id, or the team's only one. One that may not be seen is not there.
async fn environment(
    tx: &mut Tx<'_>,
    permit: &Permit,
    actor: &Actor,
    fields: &mut Fields,
    raw: &str,
) -> Result<Option<Wanted>, Refused> {
    const SENTENCE: &str = "Choose the environment.";
    let all = db::environments::list(tx, permit).await?;
    if all.is_empty() && raw.trim().is_empty() {
        actor.may(Permission::EditProjects, On::team(actor.team()))?;
        return Ok(Some(Wanted::First));
    }
    let on = |row: &db::environments::Row| On::environment(actor.team(), row.project, row.id);
    let seen: Vec<_> = all.into_iter().filter(|row| gate::sees(actor, on(row))).collect();
    let named = |row: &&db::environments::Row| raw.trim().parse() == Ok(row.id);
    let chosen = match (raw.trim(), seen.as_slice()) {
        ("", [only]) => Some(only),
        ("", _) => None,
        _ => seen.iter().find(named),
    };
    let Some(row) = chosen else {
        // Whoever may edit nowhere is told so instead.
        if seen.iter().all(|row| actor.may(Permission::EditApps, on(row)).is_err()) {
            actor.may(Permission::EditApps, On::team(actor.team()))?;
        }
        fields.wrong("environment", SENTENCE);
        return Ok(None);
    };
    actor.may(Permission::EditApps, on(row))?;
    Ok(Some(Wanted::Known(row.id)))
}

/// Reads the host: by id, or the team's only one.
async fn host(tx: &mut Tx<'_>, permit: &Permit, fields: &mut Fields, raw: &str) -> Result<Option<HostId>, Refused> {
    let all = db::hosts::list(tx, permit, None).await?;
    let chosen = match (raw.trim(), all.as_slice()) {
        (_, []) => {
            fields.wrong("host", "There is no host yet: add this machine or a server first.");
            return Ok(None);
        }
        ("", [only]) => Some(only.id),
        ("", _) => None,
        (id, _) => all.iter().find(|row| id.parse() == Ok(row.id)).map(|row| row.id),
    };
    if chosen.is_none() {
        fields.wrong("host", "Choose the host.");
    }
    Ok(chosen)
}

/// Writes the event down: names and addresses, no values of variables.
async fn record(
    tx: &mut Tx<'_>,
    permit: &Permit,
    id: AppId,
    name: &DisplayName,
    source: &crate::domain::source::Source,
    spec: &Spec,
) -> Result<(), Refused> {
    let view = source::view(source);
    let event = audit::New {
        action: "app.created",
        kind: "app",
        subject: Some(id.0),
        name: name.as_ref(),
        before: None,
        after: Some(json!({
            "name": name,
            "kind": spec.kind,
            "source": view.address,
            "routes": spec.routes.iter().map(|route| format!("{}{}", route.domain, route.path)).collect::<Vec<_>>(),
            "variables": spec.variables.keys().collect::<Vec<_>>(),
            "secrets": spec.secrets.keys().collect::<Vec<_>>(),
            "volumes": spec.mounts.iter().map(|mount| mount.name.as_ref()).collect::<Vec<_>>(),
        })),
    };
    Ok(audit::record(tx, permit, event).await?)
}

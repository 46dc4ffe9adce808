//! Making sure that something is there: made where it is missing, left alone where it is as it should be.

use serde_json::{Value, json};

use super::Failed;
use super::admin::{self, App, Host};
use crate::actions::apps::{EditConfiguration, EditSource, NewApp, NewRoute};
use crate::actions::hosts::{NO_HTTPS, NewHost, SetHttpPort, SetHttpsPort};
use crate::actions::{Ctx, apps, hosts};
use crate::domain::rights::Actor;

/// A host of this name.
pub async fn host(ctx: &Ctx, actor: &Actor, input: Host) -> Result<Value, Failed> {
    let known = admin::there(admin::find_host(ctx, actor, &input.name).await)?;
    let created = known.is_none();
    let id = match known {
        Some(id) => id,
        None => {
            let form = NewHost {
                name: input.name,
                address: input.address,
                port: input.port,
                user: input.user,
                http_port: input.http_port.clone().unwrap_or_default(),
                https_port: input.https_port.clone().unwrap_or_default(),
                host_key: input.host_key,
                ..NewHost::default()
            };
            hosts::create(ctx, actor, form).await?
        }
    };
    let view = hosts::get(ctx, actor, id).await?;
    let port = input.http_port.unwrap_or_else(|| view.http_port.to_string());
    if port != view.http_port.to_string() {
        hosts::set_http_port(ctx, actor, id, SetHttpPort { http_port: port.clone() }).await?;
    }
    let shown = |port: Option<i32>| port.map_or(NO_HTTPS.to_owned(), |port| port.to_string());
    let https = input.https_port.unwrap_or_else(|| shown(view.https_port));
    if https != shown(view.https_port) {
        hosts::set_https_port(ctx, actor, id, SetHttpsPort { https_port: https.clone() }).await?;
    }
    Ok(json!({
        "host": id,
        "created": created,
        "state": view.line.state,
        "ssh_user": view.ssh_user,
        "public_key": view.public_key,
        "host_key": view.host_key,
        "http_port": port,
        "https_port": https,
    }))
}

/// An app of this name.
pub async fn app(ctx: &Ctx, actor: &Actor, input: App) -> Result<Value, Failed> {
    let known = admin::there(admin::find_app(ctx, actor, &input.name).await)?;
    let created = known.is_none();
    let id = match known {
        Some(id) => id,
        None => create(ctx, actor, input).await?,
    };
    let view = apps::get(ctx, actor, id).await?;
    Ok(json!({
        "app": id,
        "created": created,
        "version": view.line.current.as_ref().map(|current| current.number),
        "url": view.line.url,
    }))
}

/// Makes the app.
async fn create(ctx: &Ctx, actor: &Actor, input: App) -> Result<crate::domain::ids::AppId, Failed> {
    let host = match &input.host {
        Some(name) => admin::find_host(ctx, actor, name).await?.to_string(),
        None => String::new(),
    };
    let environments = apps::new_form(ctx, actor).await?.environments;
    let environment = match &input.environment {
        None => environments.first().map(|known| known.id.to_string()).unwrap_or_default(),
        Some(words) => match environments.iter().find(|known| known.words == *words) {
            Some(known) => known.id.to_string(),
            None => {
                let known: Vec<&str> = environments.iter().map(|known| known.words.as_str()).collect();
                return Err(Failed::Said(format!("There is no such environment; there are: {}.", known.join(", "))));
            }
        },
    };
    let source = EditSource {
        from: if input.image.is_some() { "image".into() } else { "git".into() },
        image: input.image.unwrap_or_default(),
        git_url: input.git.unwrap_or_default(),
        git_branch: input.branch,
        context: input.context,
        dockerfile: input.dockerfile,
        ..EditSource::default()
    };
    let configuration = EditConfiguration {
        port: input.port,
        health_path: input.health_path,
        drain_s: input.drain,
        watch_s: input.watch,
        ..EditConfiguration::default()
    };
    let form = NewApp {
        name: input.name,
        environment,
        host,
        source,
        configuration,
        routes: vec![NewRoute { domain: input.domain, path: "/".into() }],
        ..NewApp::default()
    };
    Ok(apps::create(ctx, actor, form).await?)
}

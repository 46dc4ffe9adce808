//! The table of fields: how a text is sent in each, and how it is shown afterwards.

use futures_util::future::LocalBoxFuture;
use skiff::actions::Refused;
use skiff::actions::accounts::{self, ChangePassword, SignIn};
use skiff::actions::apps::{self, EditConfiguration, EditSource, NewRoute, Pair, RenameApp, SetVariable};
use skiff::actions::deploys::{self, RequestDeploy};
use skiff::actions::hosts::{self, ConfirmHostKey, NewHost, SetHttpPort};
use skiff::actions::projects::{self, NewEnvironment, NewProject, RemovePlace};
use skiff::actions::secrets::{self, SetSecret};
use skiff::actions::volumes::{self, NewVolume};
use skiff::domain::ids::{AccountId, AppId, HostId, ProjectId};

use crate::harness::panel::{Panel, new_app};

/// What the forms are sent to.
pub struct Target {
    pub panel: Panel,
    pub app: AppId,
    pub worker: AppId,
    pub git: AppId,
    pub host: HostId,
    pub project: ProjectId,
    pub account: AccountId,
    pub known: Vec<(AppId, EditConfiguration)>,
}

/// Sends one text in one field; gives the text as it is shown afterwards, where it was taken.
pub type Send = for<'a> fn(&'a Target, String) -> LocalBoxFuture<'a, Result<Shown, Refused>>;

/// What became of a text that was taken.
pub enum Shown {
    /// Shown again; must be what was sent.
    As(String),
    /// Shown with its outer white space cut, as names are.
    Trimmed(String),
    /// Left empty (or blank) it means a default.
    Default,
    /// Never shown: a secret.
    Never,
}

/// Takes what was sent for the default where it is blank.
pub fn or_default(sent: &str, shown: String) -> Shown {
    if sent.trim().is_empty() { Shown::Default } else { Shown::Trimmed(shown) }
}

macro_rules! configuration {
    ($($field:ident: $app:ident { $($known:ident: $value:expr),* };)+) => {
        vec![$(("configuration", stringify!($field), (|t, text| Box::pin(async move {
            let known = t.known.iter().find(|(id, _)| *id == t.$app).unwrap().1.clone();
            let form = EditConfiguration { $($known: $value.into(),)* $field: text.clone(), ..known };
            apps::configure(&t.panel.ctx, &t.panel.owner, t.$app, form).await?;
            let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.$app).await?.configuration.$field;
            Ok(or_default(&text, shown))
        })) as Send)),+]
    };
}

macro_rules! source {
    ($($field:ident { $($known:ident: $value:expr),* };)+) => {
        vec![$(("source", stringify!($field), (|t, text| Box::pin(async move {
            let known = EditSource { git_url: "https://example.org/a/b.git".into(), ..EditSource::default() };
            let form = EditSource { $($known: $value.into(),)* $field: text.clone(), ..known };
            apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
            let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.git).await?.source_form.$field;
            Ok(or_default(&text, shown))
        })) as Send)),+]
    };
}

pub fn fields() -> Vec<(&'static str, &'static str, Send)> {
    let mut all = configuration! {
        kind: app {};
        port: app {};
        health: app {};
        health_path: app {};
        health_alive: worker { health: "alive" };
        health_interval_ms: app {};
        health_timeout_ms: app {};
        health_start_period_s: app {};
        memory_mib: app {};
        cpus: app {};
        instances: app {};
        stop_grace_s: app {};
        drain_s: app {};
        watch_s: app {};
        watch_restarts: app {};
        watch_errors: app {};
        overlap: app {};
    };
    all.extend(source! {
        from {};
        git_url {};
        git_branch {};
        git_access {};
        git_token_user { git_access: "token", git_token: "x" };
        dockerfile {};
        context {};
        target {};
        image { from: "image" };
        registry_user { from: "image", image: "web:1", registry_password: "x" };
    });
    let more: Vec<(&'static str, &'static str, Send)> = vec![
        ("configuration", "health_command", |t, text| {
            Box::pin(async move {
                let known = t.known.iter().find(|(id, _)| *id == t.worker).unwrap().1.clone();
                let form = EditConfiguration { health: "command".into(), health_command: text.clone(), ..known };
                apps::configure(&t.panel.ctx, &t.panel.owner, t.worker, form).await?;
                let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.worker).await?.configuration.health_command;
                // One argument per line: that is what lines are for here.
                Ok(Shown::As(if text.lines().collect::<Vec<_>>().join("\n") == shown { text } else { shown }))
            })
        }),
        ("source", "git_token", |t, text| {
            Box::pin(async move {
                let form = EditSource {
                    git_url: "https://example.org/a/b.git".into(),
                    git_access: "token".into(),
                    git_token: text,
                    ..EditSource::default()
                };
                apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
                Ok(Shown::Never)
            })
        }),
        ("source", "registry_password", |t, text| {
            Box::pin(async move {
                let form = EditSource {
                    from: "image".into(),
                    image: "web:1".into(),
                    registry_user: "me".into(),
                    registry_password: text,
                    ..EditSource::default()
                };
                apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
                Ok(Shown::Never)
            })
        }),
        ("source", "build_args", |t, text| {
            Box::pin(args(t, Pair { name: text.clone(), value: "x".into() }, text, |p| p.name.clone()))
        }),
        ("source", "build_args", |t, text| {
            Box::pin(args(t, Pair { name: "ARG".into(), value: text.clone() }, text, |p| p.value.clone()))
        }),
        ("source", "build_secrets", |t, text| {
            Box::pin(async move {
                let form = EditSource {
                    git_url: "https://example.org/a/b.git".into(),
                    build_secrets: vec![Pair { name: text.clone(), value: "x".into() }],
                    ..EditSource::default()
                };
                apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
                let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.git).await?.source.build_secrets;
                Ok(or_default(&text, shown.first().cloned().unwrap_or_default()))
            })
        }),
        ("source", "build_secrets", |t, text| {
            Box::pin(async move {
                let form = EditSource {
                    git_url: "https://example.org/a/b.git".into(),
                    build_secrets: vec![Pair { name: "npm".into(), value: text }],
                    ..EditSource::default()
                };
                apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
                Ok(Shown::Never)
            })
        }),
        ("app", "name", |t, text| {
            Box::pin(async move {
                apps::rename(&t.panel.ctx, &t.panel.owner, t.app, RenameApp { name: text }).await?;
                Ok(Shown::Trimmed(apps::get(&t.panel.ctx, &t.panel.owner, t.app).await?.line.name))
            })
        }),
        ("new app", "name", |t, text| {
            Box::pin(async move {
                let mut form = new_app(&text);
                form.environment = environment(t).await;
                form.routes.clear();
                let id = apps::create(&t.panel.ctx, &t.panel.owner, form).await?;
                let shown = apps::get(&t.panel.ctx, &t.panel.owner, id).await?.line;
                assert!(shown.slug.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !shown.slug.is_empty());
                Ok(Shown::Trimmed(shown.name))
            })
        }),
        ("new app", "environment", |t, text| {
            Box::pin(async move {
                let mut form = new_app(&unique());
                form.environment = text.clone();
                apps::create(&t.panel.ctx, &t.panel.owner, form).await?;
                Ok(or_default(&text, String::new()))
            })
        }),
        ("new app", "host", |t, text| {
            Box::pin(async move {
                let mut form = new_app(&unique());
                form.host = text.clone();
                apps::create(&t.panel.ctx, &t.panel.owner, form).await?;
                Ok(or_default(&text, String::new()))
            })
        }),
        ("variable", "name", |t, text| {
            Box::pin(async move {
                let form = SetVariable { name: text.clone(), value: "x".into() };
                apps::set_variable(&t.panel.ctx, &t.panel.owner, t.app, form).await?;
                let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.app).await?.variables;
                apps::remove_variable(&t.panel.ctx, &t.panel.owner, t.app, &text).await?;
                Ok(Shown::As(shown.into_iter().find(|v| v.name == text).map(|v| v.name).unwrap_or_default()))
            })
        }),
        ("variable", "value", |t, text| {
            Box::pin(async move {
                let form = SetVariable { name: "HOSTILE".into(), value: text };
                apps::set_variable(&t.panel.ctx, &t.panel.owner, t.app, form).await?;
                let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.app).await?.variables;
                Ok(Shown::As(shown.into_iter().find(|v| v.name == "HOSTILE").map(|v| v.value).unwrap()))
            })
        }),
        ("secret", "name", |t, text| {
            Box::pin(async move {
                secrets::set(&t.panel.ctx, &t.panel.owner, t.app, SetSecret { name: text.clone(), value: "x".into() })
                    .await?;
                secrets::remove(&t.panel.ctx, &t.panel.owner, t.app, &text).await?;
                Ok(Shown::As(text))
            })
        }),
        ("secret", "value", |t, text| {
            Box::pin(async move {
                secrets::set(&t.panel.ctx, &t.panel.owner, t.app, SetSecret { name: "SECRET".into(), value: text })
                    .await?;
                Ok(Shown::Never)
            })
        }),
        ("route", "domain", |t, text| {
            Box::pin(route(t, NewRoute { domain: text.clone(), path: "/".into() }, |r| r.domain.clone()))
        }),
        ("route", "path", |t, text| {
            Box::pin(async move {
                let shown =
                    route(t, NewRoute { domain: "hostile.example.org".into(), path: text.clone() }, |r| r.path.clone())
                        .await?;
                Ok(if text.trim().is_empty() { Shown::Default } else { shown })
            })
        }),
        ("volume", "name", |t, text| {
            Box::pin(volume(t, NewVolume { name: text, path: "/hostile".into() }, |v| v.name.clone()))
        }),
        ("volume", "path", |t, text| {
            Box::pin(volume(t, NewVolume { name: unique(), path: text }, |v| v.path.clone().unwrap_or_default()))
        }),
        ("project", "name", |t, text| {
            Box::pin(async move {
                let id = projects::create(&t.panel.ctx, &t.panel.owner, NewProject { name: text }).await?;
                Ok(Shown::Trimmed(projects::get(&t.panel.ctx, &t.panel.owner, id).await?.line.name))
            })
        }),
        ("environment", "name", |t, text| {
            Box::pin(async move {
                let project = projects::create(&t.panel.ctx, &t.panel.owner, NewProject { name: unique() }).await?;
                let form = NewEnvironment { name: text };
                let id = projects::create_environment(&t.panel.ctx, &t.panel.owner, project, form).await?;
                let shown = projects::get(&t.panel.ctx, &t.panel.owner, project).await?.line.environments;
                Ok(Shown::Trimmed(shown.into_iter().find(|e| e.id == id).map(|e| e.name).unwrap()))
            })
        }),
        ("new host", "name", |t, text| {
            Box::pin(async move {
                let shown = new_host(
                    t,
                    NewHost { name: text, address: format!("{}.example.org", unique()), ..NewHost::default() },
                )
                .await?;
                Ok(Shown::Trimmed(shown.line.name))
            })
        }),
        ("new host", "address", |t, text| {
            Box::pin(async move {
                let sent = text.clone();
                let shown = new_host(t, NewHost { name: unique(), address: text, ..NewHost::default() }).await?;
                // Names of hosts are the same in either case.
                let sent = sent.trim().to_owned();
                Ok(Shown::Trimmed(if shown.line.address.eq_ignore_ascii_case(&sent) {
                    sent
                } else {
                    shown.line.address
                }))
            })
        }),
        ("new host", "port", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { port: text.clone(), ..some_host() }).await?;
                Ok(or_default(&text, shown.ssh_port.to_string()))
            })
        }),
        ("new host", "user", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { user: text.clone(), ..some_host() }).await?;
                Ok(or_default(&text, shown.ssh_user))
            })
        }),
        ("new host", "http_port", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { http_port: text.clone(), ..some_host() }).await?;
                Ok(or_default(&text, shown.http_port.to_string()))
            })
        }),
        ("new host", "host_key", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { host_key: text.clone(), ..some_host() }).await?;
                Ok(or_default(&text, shown.host_key))
            })
        }),
        ("host", "http_port", |t, text| {
            Box::pin(async move {
                hosts::set_http_port(&t.panel.ctx, &t.panel.owner, t.host, SetHttpPort { http_port: text }).await?;
                Ok(Shown::As(hosts::get(&t.panel.ctx, &t.panel.owner, t.host).await?.http_port.to_string()))
            })
        }),
        ("host", "https_port", |t, text| {
            Box::pin(async move {
                let form = hosts::SetHttpsPort { https_port: text.clone() };
                hosts::set_https_port(&t.panel.ctx, &t.panel.owner, t.host, form).await?;
                let shown = hosts::get(&t.panel.ctx, &t.panel.owner, t.host).await?.https_port;
                Ok(or_default(&text, shown.map(|port| port.to_string()).unwrap_or("0".into())))
            })
        }),
        ("new host", "https_port", |t, text| {
            Box::pin(async move {
                let shown = new_host(t, NewHost { https_port: text.clone(), ..some_host() }).await?.https_port;
                Ok(or_default(&text, shown.map(|port| port.to_string()).unwrap_or("0".into())))
            })
        }),
        ("host", "host_key", |t, text| {
            Box::pin(async move {
                hosts::confirm_key(
                    &t.panel.ctx,
                    &t.panel.owner,
                    t.host,
                    ConfirmHostKey { host_key: text, ..Default::default() },
                )
                .await?;
                Ok(Shown::As(hosts::get(&t.panel.ctx, &t.panel.owner, t.host).await?.host_key))
            })
        }),
        ("deploy", "to", |t, text| {
            Box::pin(async move { deploy(t, RequestDeploy { to: text, ..Default::default() }).await })
        }),
        ("deploy", "commit", |t, text| {
            Box::pin(async move {
                deploy(t, RequestDeploy { to: "commit".into(), commit: text, ..Default::default() }).await
            })
        }),
        ("deploy", "release", |t, text| {
            Box::pin(async move {
                deploy(t, RequestDeploy { to: "release".into(), release: text, ..Default::default() }).await
            })
        }),
        ("remove app", "name", |t, text| {
            Box::pin(async move {
                let form = apps::RemoveApp { name: text, volumes: String::new() };
                let done = apps::remove(&t.panel.ctx, &t.panel.owner, t.git, form).await;
                done.map(|_| panic!("removed without its name"))
            })
        }),
        ("remove project", "name", |t, text| {
            Box::pin(async move {
                let form = RemovePlace { name: text };
                let done = projects::remove(&t.panel.ctx, &t.panel.owner, t.project, form).await;
                done.map(|()| panic!("removed without its name"))
            })
        }),
        ("remove environment", "name", |t, text| {
            Box::pin(async move {
                let (form, id) = (RemovePlace { name: text }, environment(t).await.parse().unwrap());
                let done = projects::remove_environment(&t.panel.ctx, &t.panel.owner, t.project, id, form).await;
                done.map(|()| panic!("removed without its name"))
            })
        }),
        ("sign in", "password", |t, text| {
            Box::pin(async move {
                // From a new address each time, or the throttle answers first.
                let form = SignIn { email: format!("{}@example.org", unique()), password: text };
                accounts::sign_in(&t.panel.ctx, &unique(), form).await?;
                Ok(Shown::Never)
            })
        }),
        ("sign in", "password", |t, text| {
            Box::pin(async move {
                let form = SignIn { email: text, password: "not the password".into() };
                accounts::sign_in(&t.panel.ctx, &unique(), form).await?;
                Ok(Shown::Never)
            })
        }),
        ("password", "new", |t, text| {
            Box::pin(async move {
                let form = ChangePassword { current: "wrong".into(), new: text.clone(), repeat: text };
                match accounts::change_password(&t.panel.ctx, t.account, &[], &unique(), form).await {
                    // Long enough: only then is the present one looked at.
                    Err(Refused::Fields(wrong)) if wrong[0].field == "current" => Ok(Shown::Never),
                    Err(Refused::Unavailable(_)) => Ok(Shown::Never),
                    other => other.map(|()| panic!("changed with a wrong password")),
                }
            })
        }),
    ];
    all.extend(more);
    all.extend(super::people::fields());
    all.extend(super::ways::fields());
    all.extend(super::acme::fields());
    all
}

pub fn unique() -> String {
    format!("u{}", &uuid::Uuid::now_v7().simple().to_string()[14..])
}

pub(super) fn some_host() -> NewHost {
    NewHost { name: unique(), address: format!("{}.example.org", unique()), ..NewHost::default() }
}

async fn environment(t: &Target) -> String {
    projects::get(&t.panel.ctx, &t.panel.owner, t.project).await.unwrap().line.environments[0].id.to_string()
}

pub(super) async fn new_host(t: &Target, form: NewHost) -> Result<hosts::HostView, Refused> {
    let id = hosts::create(&t.panel.ctx, &t.panel.owner, form).await?;
    let view = hosts::get(&t.panel.ctx, &t.panel.owner, id).await?;
    // One host only, or the forms of apps have to name theirs.
    let mut root = t.panel.test.superuser().await;
    sqlx::query("delete from hosts where id = $1").bind(id.0).execute(&mut root).await.unwrap();
    Ok(view)
}

async fn args(t: &Target, pair: Pair, sent: String, part: fn(&Pair) -> String) -> Result<Shown, Refused> {
    let form =
        EditSource { git_url: "https://example.org/a/b.git".into(), build_args: vec![pair], ..EditSource::default() };
    apps::set_source(&t.panel.ctx, &t.panel.owner, t.git, form).await?;
    let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.git).await?.source_form.build_args;
    Ok(shown.first().map_or_else(|| or_default(&sent, String::new()), |pair| Shown::As(part(pair))))
}

async fn route(t: &Target, form: NewRoute, part: fn(&apps::RouteView) -> String) -> Result<Shown, Refused> {
    skiff::actions::routes::add(&t.panel.ctx, &t.panel.owner, t.app, form, Default::default()).await?;
    let added = apps::get(&t.panel.ctx, &t.panel.owner, t.app).await?.routes.pop().unwrap();
    skiff::actions::routes::remove(&t.panel.ctx, &t.panel.owner, t.app, added.id).await?;
    Ok(Shown::Trimmed(part(&added)))
}

async fn volume(t: &Target, form: NewVolume, part: fn(&volumes::VolumeLine) -> String) -> Result<Shown, Refused> {
    let id = volumes::add(&t.panel.ctx, &t.panel.owner, t.app, form).await?;
    let shown = apps::get(&t.panel.ctx, &t.panel.owner, t.app).await?.volumes;
    volumes::detach(&t.panel.ctx, &t.panel.owner, t.app, id).await?;
    Ok(Shown::Trimmed(part(shown.iter().find(|line| line.id == id).unwrap())))
}

async fn deploy(t: &Target, form: RequestDeploy) -> Result<Shown, Refused> {
    let blank = form.to.trim().is_empty();
    let id = deploys::request(&t.panel.ctx, &t.panel.owner, t.app, form).await?;
    deploys::cancel(&t.panel.ctx, &t.panel.owner, id).await?;
    assert!(blank, "a deploy of something that is not there was taken");
    Ok(Shown::Default)
}

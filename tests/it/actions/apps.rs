//! Making and editing apps.

use skiff::actions::apps::{self, AppState, EditConfiguration, EditSource, NewApp, NewRoute, Pair, SetVariable};
use skiff::actions::volumes::{self, NewVolume};
use skiff::actions::{Refused, home, jobs, projects, routes};
use skiff::domain::ids::VolumeId;

use super::{conflict, fields};
use crate::harness::panel::{Panel, new_app};

fn pair(name: &str, value: &str) -> Pair {
    Pair { name: name.into(), value: value.into() }
}

#[tokio::test]
async fn all_wrong_fields_are_named_at_once() {
    let panel = Panel::new().await;
    let form = NewApp {
        name: "\u{7}".into(),
        host: "no id".into(),
        environment: "no id".into(),
        source: EditSource {
            git_url: "ext::sh -c id".into(),
            git_branch: "--upload-pack=id".into(),
            git_access: "magic".into(),
            dockerfile: "../Dockerfile".into(),
            context: "/etc".into(),
            target: "-x".into(),
            build_args: vec![pair("1X", "")],
            build_secrets: vec![pair("Bad Name", "x")],
            ..EditSource::default()
        },
        configuration: EditConfiguration {
            port: "99999".into(),
            health_path: "up".into(),
            health_interval_ms: "1".into(),
            health_timeout_ms: "x".into(),
            health_start_period_s: "0".into(),
            memory_mib: "5".into(),
            cpus: "0.001".into(),
            instances: "65".into(),
            stop_grace_s: "601".into(),
            drain_s: "-1".into(),
            watch_s: "1e3".into(),
            watch_restarts: "0".into(),
            watch_errors: "101".into(),
            overlap: "maybe".into(),
            ..EditConfiguration::default()
        },
        routes: vec![NewRoute { domain: "http://x".into(), path: "/".into() }],
        variables: vec![pair("A B", "x")],
        secrets: vec![pair("", "x")],
        volumes: vec![NewVolume { name: "data".into(), path: "../x".into() }],
    };
    let mut named = fields(apps::create(&panel.ctx, &panel.owner, form).await);
    named.sort_unstable();
    assert_eq!(
        named,
        [
            "build_args",
            "build_secrets",
            "context",
            "cpus",
            "dockerfile",
            "drain_s",
            "environment",
            "git_access",
            "git_branch",
            "git_url",
            "health_interval_ms",
            "health_path",
            "health_start_period_s",
            "health_timeout_ms",
            "host",
            "instances",
            "memory_mib",
            "name",
            "overlap",
            "port",
            "routes",
            "secrets",
            "stop_grace_s",
            "target",
            "variables",
            "volumes",
            "watch_errors",
            "watch_restarts",
            "watch_s",
        ]
    );
}

#[tokio::test]
async fn the_first_app_brings_its_project_and_is_shown_whole() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let mut form = new_app("Web");
    form.routes = vec![NewRoute { domain: "Shop.Example.org".into(), path: "/api/".into() }];
    form.variables = vec![pair("GREETING", "line one\nline two\t\"quoted\" $x"), pair("", "")];
    form.secrets = vec![pair("KEY", "s3cret")];
    form.volumes = vec![NewVolume { name: "data".into(), path: "/var/data".into() }];
    form.configuration.cpus = "1.5".into();
    form.configuration.memory_mib = "256".into();
    let id = apps::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let view = apps::get(&panel.ctx, &panel.owner, id).await.unwrap();
    assert_eq!(
        (view.line.slug.as_str(), view.line.project_name.as_str(), view.line.environment_name.as_str()),
        ("web", "Main", "prod")
    );
    assert_eq!(view.line.url.as_deref(), Some("http://shop.example.org/api"));
    assert_eq!(view.line.state, AppState::New);
    assert_eq!(view.variables[0].value, "line one\nline two\t\"quoted\" $x");
    assert_eq!((view.secrets[0].name.as_str(), view.secrets[0].version, view.secrets[0].in_use), ("KEY", 1, None));
    assert_eq!((view.volumes[0].name.as_str(), view.volumes[0].path.as_deref()), ("data", Some("/var/data")));
    assert_eq!((view.configuration.cpus.as_str(), view.configuration.memory_mib.as_str()), ("1.5", "256"));
    assert!(view.pending.is_empty(), "nothing serves, so nothing is pending");
    assert!(view.source_form.registry_password.is_empty() && view.source_form.git_token.is_empty());
    let home = home::get(&panel.ctx, &panel.owner).await.unwrap();
    assert_eq!((home.apps.len(), home.hosts.len(), home.next), (1, 1, home::NextStep::Deploy(id)));
    assert!(home.lately.iter().any(|line| line.words == "created the app Web"), "{:?}", home.lately);
}

#[tokio::test]
async fn a_claimed_address_is_refused_without_saying_whose_it_is() {
    let panel = Panel::new().await;
    let other = panel.another_team().await;
    panel.host(&other, "theirs").await;
    panel.host(&panel.owner, "ours").await;
    panel.app(&other, "taken").await;
    let Err(Refused::Fields(wrong)) = apps::create(&panel.ctx, &panel.owner, new_app("taken")).await else {
        panic!("the address was given away twice")
    };
    assert_eq!(wrong[0].field, "routes");
    assert_eq!(wrong[0].sentence, "taken.example.org leads to another app already. Use another domain.");
    assert!(projects::list(&panel.ctx, &panel.owner).await.unwrap().is_empty(), "nothing of it was kept");
    let app = panel.app(&panel.owner, "free").await;
    // No path of it either: it would take requests of the other's visitors, or what is given away would lead nowhere.
    for (domain, path) in [
        ("taken.example.org", "/"),
        ("Taken.Example.ORG", ""),
        ("taken.example.org", "/other"),
        ("free.example.org", "/"),
    ] {
        let route = NewRoute { domain: domain.into(), path: path.into() };
        let added = routes::add(&panel.ctx, &panel.owner, app, route, Default::default()).await;
        assert_eq!(fields(added), ["domain"], "{domain}{path}");
    }
    let beside = NewRoute { domain: "free.example.org".into(), path: "/other".into() };
    routes::add(&panel.ctx, &panel.owner, app, beside, Default::default()).await.unwrap();
}

#[tokio::test]
async fn an_edit_is_pending_until_the_next_deploy() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    panel.deployed(&panel.owner, app).await;
    let clean = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(!clean.line.pending && clean.pending.is_empty(), "{:?}", clean.pending);

    let mut form = clean.configuration.clone();
    form.memory_mib = "512".into();
    form.instances = "2".into();
    apps::configure(&panel.ctx, &panel.owner, app, form).await.unwrap();
    let set = SetVariable { name: "MODE".into(), value: "fast".into() };
    apps::set_variable(&panel.ctx, &panel.owner, app, set).await.unwrap();
    let edited = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    let told: Vec<String> = edited
        .pending
        .iter()
        .map(|c| format!("{} {:?}→{:?}", c.what, c.before.as_deref(), c.after.as_deref()))
        .collect();
    assert_eq!(
        told,
        [
            "instances Some(\"1\")→Some(\"2\")",
            "memory Some(\"no limit\")→Some(\"512 MB\")",
            "variable MODE None→Some(\"fast\")"
        ]
    );
    assert!(edited.line.pending);
    assert_eq!(edited.spec.instances, 2);
    panel.deployed(&panel.owner, app).await;
    let after = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(!after.line.pending && after.pending.is_empty());
    assert_eq!(after.releases.len(), 2);

    apps::remove_variable(&panel.ctx, &panel.owner, app, "MODE").await.unwrap();
    let gone = apps::remove_variable(&panel.ctx, &panel.owner, app, "MODE").await;
    assert!(matches!(gone, Err(Refused::NotFound)));
}

#[tokio::test]
async fn an_address_that_is_given_up_is_free_at_once_and_no_matter_of_a_deploy() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let (one, two) = (panel.app(&panel.owner, "one").await, panel.app(&panel.owner, "two").await);
    panel.deployed(&panel.owner, one).await;
    let route = apps::get(&panel.ctx, &panel.owner, one).await.unwrap().routes[0].id;
    let want = NewRoute { domain: "one.example.org".into(), path: "/".into() };
    let add = |app| routes::add(&panel.ctx, &panel.owner, app, want.clone(), Default::default());
    assert_eq!(fields(add(two).await), ["domain"]);
    routes::remove(&panel.ctx, &panel.owner, one, route).await.unwrap();
    let view = apps::get(&panel.ctx, &panel.owner, one).await.unwrap();
    assert!(view.routes.is_empty() && !view.line.pending && view.pending.is_empty());
    add(two).await.unwrap();
    assert_eq!(fields(add(one).await), ["domain"]);
    let gone = routes::remove(&panel.ctx, &panel.owner, one, route).await;
    assert!(matches!(gone, Err(Refused::NotFound)));
}

#[tokio::test]
async fn a_source_keeps_its_secrets_where_the_form_leaves_them_empty() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let mut form = new_app("web");
    form.source = EditSource {
        git_url: "https://example.org/team/app.git".into(),
        git_access: "token".into(),
        git_token: "first".into(),
        build_secrets: vec![pair("npm", "s3cret")],
        ..EditSource::default()
    };
    let app = apps::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert_eq!((view.source.access, view.source.build_secrets.as_slice()), ("token", ["npm".to_owned()].as_slice()));
    let mut edit = view.source_form.clone();
    edit.git_branch = "next".into();
    apps::set_source(&panel.ctx, &panel.owner, app, edit.clone()).await.unwrap();
    assert_eq!(apps::get(&panel.ctx, &panel.owner, app).await.unwrap().source.branch.as_deref(), Some("next"));
    edit.git_access = "deploy_key".into();
    assert_eq!(fields(apps::set_source(&panel.ctx, &panel.owner, app, edit.clone()).await), ["git_access"]);
    edit.git_url = "git@example.org:team/app.git".into();
    apps::set_source(&panel.ctx, &panel.owner, app, edit.clone()).await.unwrap();
    let key = apps::get(&panel.ctx, &panel.owner, app).await.unwrap().source.deploy_key.unwrap();
    assert!(key.starts_with("ssh-ed25519 "), "{key}");
    edit.git_branch = "main".into();
    apps::set_source(&panel.ctx, &panel.owner, app, edit).await.unwrap();
    let same = apps::get(&panel.ctx, &panel.owner, app).await.unwrap().source.deploy_key.unwrap();
    assert_eq!(same, key, "the forge knows this one");
}

#[tokio::test]
async fn a_detached_volume_keeps_its_data_and_can_be_mounted_again() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    let form = |name: &str, path: &str| NewVolume { name: name.into(), path: path.into() };
    let id = volumes::add(&panel.ctx, &panel.owner, app, form("data", "/data")).await.unwrap();
    assert_eq!(fields(volumes::add(&panel.ctx, &panel.owner, app, form("data", "/data")).await), ["name", "path"]);
    volumes::detach(&panel.ctx, &panel.owner, app, id).await.unwrap();
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(view.spec.mounts.is_empty() && view.volumes[0].path.is_none() && view.volumes[0].id == id);
    assert_eq!(volumes::add(&panel.ctx, &panel.owner, app, form("data", "/srv")).await.unwrap(), id);
}

#[tokio::test]
async fn a_volume_goes_only_by_its_typed_name_and_only_when_nothing_mounts_it() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    let form = NewVolume { name: "data".into(), path: "/data".into() };
    let id = volumes::add(&panel.ctx, &panel.owner, app, form).await.unwrap();
    let typed = async |name: &str| {
        let form = volumes::RemoveVolume { name: name.into() };
        volumes::remove(&panel.ctx, &panel.owner, app, id, form).await
    };
    panel.deployed(&panel.owner, app).await;
    assert_eq!(fields(typed("Data").await), ["name"]);
    assert!(conflict(typed("data").await).contains("take it out"));
    volumes::detach(&panel.ctx, &panel.owner, app, id).await.unwrap();
    assert!(conflict(typed("data").await).contains("deploy first"));
    panel.deployed(&panel.owner, app).await;
    // As the deploy noted it before making it.
    let mut root = panel.test.superuser().await;
    sqlx::query("update ledger_volumes set host_id = (select id from hosts)").execute(&mut root).await.unwrap();
    let placed = "insert into ledger_volume_places (team_id, volume_id, host_id) select team_id, id, host_id from ledger_volumes";
    sqlx::query(placed).execute(&mut root).await.unwrap();
    let job = typed("data").await.unwrap().expect("it is on a host");
    assert_eq!(jobs::get(&panel.ctx, &panel.owner, job).await.unwrap().line.title, "Remove the volume data of web");
    assert_eq!(apps::get(&panel.ctx, &panel.owner, app).await.unwrap().volumes.len(), 1, "until the host has done it");
    let other = VolumeId(uuid::Uuid::now_v7());
    let gone = volumes::remove(&panel.ctx, &panel.owner, app, other, volumes::RemoveVolume::default()).await;
    assert!(matches!(gone, Err(Refused::NotFound)));
}

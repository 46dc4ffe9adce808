//! Removing apps, environments and projects: by typed name only, at once for everybody who looks, and never their history.

use skiff::actions::apps::{self, RemoveApp, RenameApp};
use skiff::actions::deploys::{self, RequestDeploy};
use skiff::actions::hosts::{self, ForgetHost};
use skiff::actions::projects::{self, NewEnvironment, RemovePlace};
use skiff::actions::volumes::{self, NewVolume, RemoveVolume};
use skiff::actions::{Refused, audit, hooks, jobs, releases};
use skiff::domain::deploy::DeployState;
use skiff::domain::ids::AppId;
use skiff::domain::rights::{Actor, Role};

use super::{conflict, fields};
use crate::harness::panel::{Panel, new_app};

fn typed(name: &str) -> RemoveApp {
    RemoveApp { name: name.into(), volumes: String::new() }
}

/// As the job notes it once no host has anything of it.
async fn cleared(panel: &Panel, app: AppId) {
    let mut root = panel.test.superuser().await;
    sqlx::query("update apps set cleared_at = now() where id = $1").bind(app.0).execute(&mut root).await.unwrap();
    sqlx::query(
        "update jobs set state = 'succeeded', finished_at = now(), lease_until = null where kind = 'remove_app'",
    )
    .execute(&mut root)
    .await
    .unwrap();
}

async fn words(panel: &Panel) -> Vec<String> {
    let lines = audit::list(&panel.ctx, &panel.owner, None).await.unwrap();
    lines.into_iter().map(|line| line.words).collect()
}

#[tokio::test]
async fn a_removed_app_is_gone_at_once_and_its_name_address_and_hook_are_free() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    panel.host(owner, "fra").await;
    let app = panel.app(owner, "web").await;
    panel.deployed(owner, app).await;
    let shown = hooks::create(ctx, owner, app, "generic").await;
    assert!(shown.is_ok(), "{:?}", shown.err());

    for (name, said) in [("", "name"), ("Web", "name"), ("web ; rm", "name")] {
        assert_eq!(fields(apps::remove(ctx, owner, app, typed(name)).await), [said], "{name}");
    }
    let form = RemoveApp { name: "web".into(), volumes: "data, $(id)".into() };
    assert_eq!(fields(apps::remove(ctx, owner, app, form).await), ["volumes"]);
    let (developer, other) = (panel.person(owner, Role::Developer).await, panel.another_team().await);
    assert!(matches!(apps::remove(ctx, &developer, app, typed("web")).await, Err(Refused::Forbidden(_))));
    assert!(matches!(apps::remove(ctx, &other, app, typed("web")).await, Err(Refused::NotFound)));
    assert!(apps::get(ctx, owner, app).await.is_ok(), "nothing was done");

    let waiting = deploys::request(ctx, owner, app, RequestDeploy::default()).await.unwrap();
    let job = apps::remove(ctx, owner, app, typed("web")).await.unwrap();
    assert_eq!(jobs::get(ctx, owner, job).await.unwrap().line.title, "Remove web");
    assert!(conflict(jobs::cancel(ctx, owner, job).await).contains("brought to its end"));
    let told = deploys::get(ctx, owner, waiting).await.unwrap();
    assert_eq!((told.line.state, told.may_deploy, told.may_cancel), (DeployState::Superseded, false, false));

    // Whoever acts on it is told that it is not there, whoever looks at its history sees it.
    let not_there = |refused: &Refused| assert_eq!(*refused, Refused::NotFound);
    not_there(&apps::get(ctx, owner, app).await.err().unwrap());
    not_there(&deploys::request(ctx, owner, app, RequestDeploy::default()).await.unwrap_err());
    not_there(&apps::stop(ctx, owner, app).await.unwrap_err());
    not_there(&apps::rename(ctx, owner, app, RenameApp { name: "x".into() }).await.unwrap_err());
    not_there(&apps::named(ctx, owner, "web").await.unwrap_err());
    assert!(apps::list(ctx, owner).await.unwrap().is_empty());
    assert_eq!(deploys::list(ctx, owner, app, None).await.unwrap().len(), 2);
    assert!(!releases::get(ctx, owner, app, 1).await.unwrap().line.current);
    let gone = apps::gone(ctx, owner, app).await.unwrap();
    assert_eq!((gone.name.as_str(), gone.by.as_str(), gone.cleared, gone.job), ("web", "Ada", false, Some(job)));
    not_there(&apps::gone(ctx, &other, app).await.err().unwrap());
    assert!(words(&panel).await.contains(&"removed the app web".to_owned()));
    let hooks: i64 =
        sqlx::query_scalar("select count(*) from hooks").fetch_one(&mut panel.test.superuser().await).await.unwrap();
    assert_eq!(hooks, 0);

    let again = panel.app(owner, "web").await;
    let line = apps::get(ctx, owner, again).await.unwrap().line;
    assert_eq!((line.slug.as_str(), line.url.as_deref()), ("web", Some("http://web.example.org/")));
    assert_eq!(apps::named(ctx, owner, "web").await.unwrap(), again);

    // Asked for once more, the job that waits is overtaken by another; once all is gone there is nothing to ask for.
    let second = apps::remove(ctx, owner, app, typed("web")).await.unwrap();
    assert_ne!(second, job);
    assert_eq!(words(&panel).await.iter().filter(|words| words.starts_with("removed the app")).count(), 1);
    cleared(&panel, app).await;
    not_there(&apps::remove(ctx, owner, app, typed("web")).await.unwrap_err());
    assert!(apps::gone(ctx, owner, app).await.unwrap().cleared);
}

#[tokio::test]
async fn a_running_deploy_is_asked_to_stop_unless_traffic_has_moved() {
    for (state, switched, asked) in [("running", false, true), ("queued", false, true), ("running", true, false)] {
        let panel = Panel::new().await;
        panel.host(&panel.owner, "fra").await;
        let app = panel.app(&panel.owner, "web").await;
        let deploy = deploys::request(&panel.ctx, &panel.owner, app, RequestDeploy::default()).await.unwrap();
        let mut root = panel.test.superuser().await;
        sqlx::query("update jobs set state = 'running', lease_until = now() + interval '1 h', leased_by = 'a test'")
            .execute(&mut root)
            .await
            .unwrap();
        sqlx::query("update deploys set state = $2, started_at = now(), switched_at = case when $1 then now() end")
            .bind(switched)
            .bind(state)
            .execute(&mut root)
            .await
            .unwrap();
        apps::remove(&panel.ctx, &panel.owner, app, typed("web")).await.unwrap();
        let by: Option<String> = sqlx::query_scalar(
            "select cancel_asked_by from jobs where id = (select job_id from deploys where id = $1)",
        )
        .bind(deploy.0)
        .fetch_one(&mut root)
        .await
        .unwrap();
        assert_eq!(by.is_some(), asked, "{state}, switched: {switched}");
    }
}

#[tokio::test]
async fn a_volume_outlives_its_app_and_goes_by_its_typed_name() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let host = panel.host(owner, "fra").await;
    let app = panel.app(owner, "web").await;
    let form = |name: &str, path: &str| NewVolume { name: name.into(), path: path.into() };
    let data = volumes::add(ctx, owner, app, form("data", "/data")).await.unwrap();
    let mut root = panel.test.superuser().await;
    sqlx::query(
        "insert into ledger_volume_places (team_id, volume_id, host_id) select team_id, id, $1 from ledger_volumes",
    )
    .bind(host.0)
    .execute(&mut root)
    .await
    .unwrap();
    assert!(volumes::left(ctx, owner).await.unwrap().is_empty());
    // Asked again without it, what was typed before goes all the same.
    let named = RemoveApp { name: "web".into(), volumes: "data".into() };
    apps::remove(ctx, owner, app, named).await.unwrap();
    let again = apps::remove(ctx, owner, app, typed("web")).await.unwrap();
    let (args, priority): (serde_json::Value, i16) = sqlx::query_as("select args, priority from jobs where id = $1")
        .bind(again.0)
        .fetch_one(&mut root)
        .await
        .unwrap();
    assert_eq!(args["volumes"], serde_json::json!([data]));
    assert!(priority < 0, "what people wait for goes first");
    let typed =
        async |by: &Actor, name: &str| volumes::remove_left(ctx, by, data, RemoveVolume { name: name.into() }).await;
    let left = volumes::left(ctx, owner).await.unwrap();
    assert_eq!(
        (left[0].name.as_str(), left[0].app_name.as_str(), left[0].hosts.as_slice()),
        ("data", "web", ["fra".to_owned()].as_slice())
    );
    assert!(conflict(typed(owner, "data").await).contains("still being removed"));
    cleared(&panel, app).await;
    let form = ForgetHost { name: "fra".into(), gone: "no".into() };
    assert!(conflict(hosts::forget(ctx, owner, host, form).await).contains("Data of volumes is on fra: web: data."));
    assert_eq!(fields(typed(owner, "Data").await), ["name"]);
    let viewer = panel.person(owner, Role::Viewer).await;
    assert!(matches!(typed(&viewer, "data").await, Err(Refused::Forbidden(_))));
    assert!(!volumes::left(ctx, &viewer).await.unwrap()[0].may_remove);
    let other = panel.another_team().await;
    assert!(matches!(typed(&other, "data").await, Err(Refused::NotFound)));
    assert!(volumes::left(ctx, &other).await.unwrap().is_empty());
    let job = typed(owner, "data").await.unwrap().expect("it is on a host");
    assert_eq!(jobs::get(ctx, owner, job).await.unwrap().line.title, "Remove the volume data of web");
    assert_eq!(volumes::left(ctx, owner).await.unwrap()[0].waits, "is being removed");
}

#[tokio::test]
async fn projects_and_environments_go_only_when_nothing_is_in_them() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    panel.host(owner, "fra").await;
    let app = panel.app(owner, "web").await;
    volumes::add(ctx, owner, app, NewVolume { name: "data".into(), path: "/data".into() }).await.unwrap();
    let view = projects::list(ctx, owner).await.unwrap().remove(0);
    let (project, prod) = (view.id, view.environments[0].id);
    let stage =
        projects::create_environment(ctx, owner, project, NewEnvironment { name: "stage".into() }).await.unwrap();
    let place = |name: &str| RemovePlace { name: name.into() };

    assert_eq!(fields(projects::remove_environment(ctx, owner, project, stage, place("Stage")).await), ["name"]);
    let developer = panel.person(owner, Role::Developer).await;
    let no = projects::remove_environment(ctx, &developer, project, stage, place("stage")).await;
    assert!(matches!(no, Err(Refused::Forbidden(_))));
    let other = panel.another_team().await;
    let hidden = projects::remove_environment(ctx, &other, project, stage, place("stage")).await;
    assert!(matches!(hidden, Err(Refused::NotFound)));
    projects::remove_environment(ctx, owner, project, stage, place("stage")).await.unwrap();
    let gone = projects::remove_environment(ctx, owner, project, stage, place("stage")).await;
    assert!(matches!(gone, Err(Refused::NotFound)));
    let again = projects::create_environment(ctx, owner, project, NewEnvironment { name: "stage".into() }).await;
    assert!(again.is_ok(), "its name is free");
    // Nobody makes an app where nothing is any more.
    let mut form = new_app("late");
    form.environment = stage.to_string();
    assert_eq!(fields(apps::create(ctx, owner, form).await), ["environment"]);

    let told = async || conflict(projects::remove_environment(ctx, owner, project, prod, place("prod")).await);
    assert!(told().await.contains("has an app: remove it first"));
    apps::remove(ctx, owner, app, typed("web")).await.unwrap();
    assert!(told().await.contains("still being removed"));
    cleared(&panel, app).await;
    assert!(told().await.contains("Volumes of removed apps are left"));
    assert!(conflict(projects::remove(ctx, owner, project, place("Main")).await).contains("Volumes"));
    let mut root = panel.test.superuser().await;
    sqlx::query("update ledger_volumes set removed_at = now()").execute(&mut root).await.unwrap();
    assert_eq!(fields(projects::remove(ctx, owner, project, place("main")).await), ["name"]);
    projects::remove(ctx, owner, project, place("Main")).await.unwrap();
    assert!(projects::list(ctx, owner).await.unwrap().is_empty());
    assert!(matches!(projects::get(ctx, owner, project).await, Err(Refused::NotFound)));
    assert_eq!(deploys::list(ctx, owner, app, None).await.unwrap().len(), 0, "still readable");
    let said = words(&panel).await;
    assert!(said.contains(&"removed the project Main".to_owned()), "{said:?}");
    assert!(said.contains(&"removed the environment Main / stage".to_owned()), "{said:?}");
    // The first app makes it anew.
    panel.app(owner, "next").await;
    assert_eq!(projects::list(ctx, owner).await.unwrap()[0].slug, "main");
}

#[tokio::test]
async fn a_restart_is_called_one_and_a_way_back_is_not() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    panel.host(owner, "fra").await;
    let app = panel.app(owner, "web").await;
    panel.deployed(owner, app).await;
    panel.deployed(owner, app).await;
    let asked = async |to: &str, release: &str| {
        let form = RequestDeploy { to: to.into(), release: release.into(), ..RequestDeploy::default() };
        deploys::request(ctx, owner, app, form).await.unwrap()
    };
    let restart = asked("again", "").await;
    let view = deploys::get(ctx, owner, restart).await.unwrap();
    assert_eq!((view.intent.as_str(), view.line.again), ("restart of v2", true));
    let back = asked("release", "1").await;
    let view = deploys::get(ctx, owner, back).await.unwrap();
    assert_eq!((view.intent.as_str(), view.line.again), ("back to v1", false));
}

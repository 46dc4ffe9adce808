//! Lists of whoever sees a part of the team: full pages as long as there is more, whatever else was done since.

use skiff::actions::members::{self, SetGrant};
use skiff::actions::projects::{self, NewEnvironment};
use skiff::actions::tokens::{self, NewToken};
use skiff::actions::{accounts, apps, audit, deploys, home, jobs};
use skiff::domain::ids::EnvironmentId;
use skiff::domain::rights::{Actor, Role};

use crate::harness::panel::{Panel, new_app};

/// Things of another environment that came later.
const OTHERS: i32 = 10_000;

/// A panel with 60 deploys of an app in dev and, since then, 10 000 jobs and events of prod.
async fn panel() -> (Panel, EnvironmentId) {
    let panel = Panel::new().await;
    let ctx = &panel.ctx;
    let host = panel.host(&panel.owner, "fra").await;
    let prod = apps::create(ctx, &panel.owner, new_app("shop")).await.unwrap();
    let project = apps::get(ctx, &panel.owner, prod).await.unwrap().line.project;
    let dev =
        projects::create_environment(ctx, &panel.owner, project, NewEnvironment { name: "dev".into() }).await.unwrap();
    let mut form = new_app("sketch");
    (form.environment, form.host) = (dev.to_string(), host.to_string());
    form.routes.clear();
    let sketch = apps::create(ctx, &panel.owner, form).await.unwrap();
    for _ in 0..60 {
        deploys::request(ctx, &panel.owner, sketch, Default::default()).await.unwrap();
    }
    let mut conn = panel.test.superuser().await;
    sqlx::query(
        "insert into jobs (team_id, id, kind, args, title, cause, state, started_at, finished_at)
         select j.team_id, ('ffffffff-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'stop_app',
                jsonb_build_object('app', $1::uuid), 'Stop shop', j.cause, 'succeeded', now(), now()
           from generate_series(1, $2) n, (select team_id, cause from jobs limit 1) j",
    )
    .bind(prod.0)
    .bind(OTHERS)
    .execute(&mut conn)
    .await
    .unwrap();
    sqlx::query(
        "insert into audit_events (team_id, id, at, who, address, action, subject_kind, subject_id, subject_name)
         select a.team_id, gen_random_uuid(), now() + n * interval '1 ms', 'Ada', '', 'app.configured', 'app', a.id, 'shop'
           from generate_series(1, $2) n, apps a where a.id = $1",
    )
    .bind(prod.0)
    .bind(OTHERS)
    .execute(&mut conn)
    .await
    .unwrap();
    (panel, dev)
}

/// Every page of jobs and of events, turned over as a program does.
async fn all(panel: &Panel, actor: &Actor) -> (Vec<String>, Vec<String>) {
    let (mut titles, mut before) = (Vec::new(), None);
    loop {
        let page = jobs::list(&panel.ctx, actor, false, before).await.unwrap();
        let full = page.len() as i64 == jobs::JOBS_ON_PAGE;
        before = page.last().map(|job| job.id);
        titles.extend(page.into_iter().map(|job| job.title));
        if !full {
            break;
        }
    }
    let (mut events, mut search) = (Vec::new(), audit::Search::default());
    loop {
        let found = audit::search(&panel.ctx, actor, search.clone()).await.unwrap();
        assert!(found.older.is_none() || found.lines.len() as i64 == audit::EVENTS_ON_PAGE, "a page is full");
        events.extend(found.lines.into_iter().map(|line| line.subject_name));
        search.before = found.older;
        if search.before.is_none() {
            break;
        }
    }
    (titles, events)
}

#[tokio::test]
async fn who_sees_a_part_finds_it_behind_ten_thousand_things_of_another() {
    let (panel, dev) = panel().await;
    let grace = panel.person(&panel.owner, Role::Viewer).await;
    let line = members::list(&panel.ctx, &panel.owner).await.unwrap().members;
    let id = line.iter().find(|line| Some(line.account) == grace.who().account()).unwrap().id;
    for (scope, role) in [(format!("environment:{dev}"), "developer"), ("team".to_owned(), "")] {
        let form = SetGrant { scope, role: role.into() };
        members::set_grant(&panel.ctx, &panel.owner, id, form).await.unwrap();
    }
    let account = panel.owner.who().account().unwrap();
    let team = accounts::teams_of(&panel.ctx, account).await.unwrap().remove(0).slug;
    let grace = accounts::actor(&panel.ctx, grace.who().account().unwrap(), &team, "").await.unwrap();
    // The owner's token for the same part sees as little.
    let form =
        NewToken { name: "ci".into(), role: "owner".into(), scope: format!("environment:{dev}"), days: "1".into() };
    let made = tokens::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let token = tokens::caller(&panel.ctx, made.secret.expose(), "").await.unwrap().unwrap().actor;
    for actor in [&grace, &token] {
        let (titles, events) = all(&panel, actor).await;
        assert_eq!((titles.len(), titles.iter().all(|title| title == "Deploy sketch")), (60, true), "{titles:?}");
        // 60 requests, the app, and the environment.
        assert_eq!(events.len(), 62, "{events:?}");
        assert!(!events.iter().any(|name| name == "shop"), "{events:?}");
        let view = home::get(&panel.ctx, actor).await.unwrap();
        assert_eq!((view.now.len(), view.lately.len()), (1, 10), "what waits, and what was done lately");
    }
    let newest = jobs::list(&panel.ctx, &panel.owner, false, None).await.unwrap();
    assert!(newest.iter().all(|job| job.title == "Stop shop"), "whoever sees all sees those first");
}

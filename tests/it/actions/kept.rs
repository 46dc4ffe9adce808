//! Views that are kept: never of a moment that is over, never somebody else's.

use std::sync::Arc;

use skiff::actions::Refused;
use skiff::actions::accounts::whoami;
use skiff::actions::apps::{self, AppView, RenameApp};
use skiff::actions::home::{self, Home};
use skiff::db::moments;
use skiff::domain::ids::{AccountId, AppId};
use skiff::domain::rights::{Actor, Role, Who};

use crate::harness::panel::Panel;

/// As a request comes in: somebody whose grants were just read.
async fn comes_in(panel: &Panel, somebody: &Actor, slug: &str) -> Actor {
    let Who::Person { account, .. } = somebody.who() else { panic!("a person") };
    let moment = moments::now(&mut panel.test.door().await.unwrap()).await.unwrap();
    whoami(&panel.ctx, *account, Some(&moment), Some(slug), "127.0.0.1").await.unwrap().unwrap().place.unwrap().actor
}

async fn home_of(panel: &Panel, actor: &Actor) -> Result<Arc<Home>, Refused> {
    panel.ctx.kept.view(&panel.ctx, actor, actor.team().0, async || home::get(&panel.ctx, actor).await).await
}

async fn app_of(panel: &Panel, actor: &Actor, app: AppId) -> Result<Arc<AppView>, Refused> {
    panel.ctx.kept.view(&panel.ctx, actor, app.0, async || apps::get(&panel.ctx, actor, app).await).await
}

#[tokio::test]
async fn what_was_written_is_seen_by_whoever_comes_in_next() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra-1").await;
    let app = panel.app(&panel.owner, "web").await;
    for turn in 0..50 {
        let name = format!("web {turn}");
        apps::rename(&panel.ctx, &panel.owner, app, RenameApp { name: name.clone() }).await.unwrap();
        // Twice: the second may be given what the first one read.
        for _ in 0..2 {
            let ada = comes_in(&panel, &panel.owner, "shop").await;
            assert_eq!(home_of(&panel, &ada).await.unwrap().apps[0].name, name);
            assert_eq!(app_of(&panel, &ada, app).await.unwrap().line.name, name);
        }
    }
}

#[tokio::test]
async fn everybody_sees_with_their_own_rights_of_this_moment() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra-1").await;
    let app = panel.app(&panel.owner, "web").await;
    let bob = panel.person(&panel.owner, Role::Viewer).await;
    for _ in 0..5 {
        let ada = comes_in(&panel, &panel.owner, "shop").await;
        let viewer = comes_in(&panel, &bob, "shop").await;
        assert!(app_of(&panel, &ada, app).await.unwrap().may.deploy);
        assert!(!app_of(&panel, &viewer, app).await.unwrap().may.deploy);
    }
    let Who::Person { account: AccountId(account), .. } = bob.who() else { panic!("a person") };
    let mut conn = panel.test.superuser().await;
    sqlx::query("delete from grants where member_id = (select id from members where account_id = $1)")
        .bind(account)
        .execute(&mut conn)
        .await
        .unwrap();
    let viewer = comes_in(&panel, &bob, "shop").await;
    assert_eq!(app_of(&panel, &viewer, app).await.map(drop), Err(Refused::NotFound));
    assert_eq!(home_of(&panel, &viewer).await.map(drop), Err(Refused::NotFound));
}

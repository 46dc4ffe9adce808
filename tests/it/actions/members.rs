//! Members: invited once each, changed at once, never left without an owner, and kept to their part of the team.

use futures_util::future::join_all;
use skiff::actions::apps;
use skiff::actions::audit::{self, Search};
use skiff::actions::invitations::{self, NewAccount, NewInvitation};
use skiff::actions::members::{self, MemberLine, SetGrant};
use skiff::actions::projects::{self, NewEnvironment};
use skiff::actions::{Refused, accounts, deploys, home, hosts, jobs, teams};
use skiff::domain::rights::{Actor, Role};

use super::fields;
use crate::harness::panel::{PASSWORD, Panel, new_app};

/// The token of a new link.
async fn link(panel: &Panel, by: &Actor, role: &str, scopes: &[String]) -> String {
    let form = NewInvitation { role: role.into(), scopes: scopes.to_vec(), ..NewInvitation::default() };
    let made = invitations::create(&panel.ctx, by, form).await.unwrap();
    made.link.rsplit('=').next().unwrap().to_owned()
}

fn grace() -> NewAccount {
    NewAccount { name: "Grace".into(), email: "grace@example.org".into(), password: PASSWORD.into() }
}

/// Somebody new, through a link.
async fn joined(panel: &Panel, role: &str, scopes: &[String]) -> Actor {
    let token = link(panel, &panel.owner, role, scopes).await;
    let joined = invitations::join_as_new(&panel.ctx, "127.0.0.9", &token, grace()).await.unwrap();
    accounts::actor(&panel.ctx, joined.account, &joined.team, "127.0.0.9").await.unwrap()
}

async fn line(panel: &Panel, name: &str) -> MemberLine {
    let all = members::list(&panel.ctx, &panel.owner).await.unwrap().members;
    all.into_iter().find(|line| line.name == name).unwrap_or_else(|| panic!("no member {name}"))
}

fn set(scope: &str, role: &str) -> SetGrant {
    SetGrant { scope: scope.into(), role: role.into() }
}

#[tokio::test]
async fn a_link_lets_one_person_in_once() {
    let panel = Panel::new().await;
    let token = link(&panel, &panel.owner, "developer", &[]).await;
    let offer = invitations::look(&panel.ctx, &token).await.unwrap();
    assert_eq!((offer.team.as_str(), offer.words.as_str()), ("Shop", "developer of the whole team"));
    let others = (0..4).map(|n| NewAccount { email: format!("grace{n}@example.org"), ..grace() });
    let tries = others.map(|form| invitations::join_as_new(&panel.ctx, "", &token, form));
    let answers = join_all(tries).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 1, "{answers:?}");
    assert!(answers.iter().flat_map(|answer| answer.as_ref().err()).all(|no| matches!(no, Refused::Conflict(_))));
    let accounts: i64 =
        sqlx::query_scalar("select count(*) from accounts").fetch_one(&mut panel.test.superuser().await).await.unwrap();
    assert_eq!(accounts, 2, "who came too late has no account either");
    assert!(matches!(invitations::look(&panel.ctx, &token).await, Err(Refused::Conflict(_))));
    assert_eq!(line(&panel, "Grace").await.grants[0].role, Role::Developer);
}

#[tokio::test]
async fn a_link_ends_by_time_by_hand_and_with_its_inviter() {
    let panel = Panel::new().await;
    let admin = panel.person(&panel.owner, Role::Admin).await;
    let old = link(&panel, &panel.owner, "viewer", &[]).await;
    sqlx::query("update invitations set expires_at = now()").execute(&mut panel.test.superuser().await).await.unwrap();
    let taken = link(&panel, &panel.owner, "viewer", &[]).await;
    let open = members::list(&panel.ctx, &panel.owner).await.unwrap().invitations;
    assert_eq!(open.len(), 1, "the old one is not listed");
    invitations::revoke(&panel.ctx, &admin, open[0].id).await.unwrap();
    let of_admin = link(&panel, &admin, "admin", &[]).await;
    let id = line(&panel, "admin").await.id;
    members::set_grant(&panel.ctx, &panel.owner, id, set("team", "viewer")).await.unwrap();
    for (why, token) in [("old", old), ("taken back", taken), ("of a demoted admin", of_admin), ("wrong", "x".into())] {
        let answer = invitations::join_as_new(&panel.ctx, "", &token, grace()).await;
        assert!(matches!(answer, Err(Refused::Conflict(_))), "{why}: {answer:?}");
    }
}

#[tokio::test]
async fn somebody_with_an_account_joins_with_it() {
    let panel = Panel::new().await;
    let stranger = panel.another_team().await;
    let account = stranger.who().account().unwrap();
    let token = link(&panel, &panel.owner, "viewer", &[]).await;
    let mine = invitations::join(&panel.ctx, panel.owner.who().account().unwrap(), "Ada", "", &token).await;
    assert!(matches!(mine, Err(Refused::Conflict(_))), "one is in it already, and the link stays good");
    let taken = NewAccount { email: "ADA@example.org".into(), ..grace() };
    assert_eq!(fields(invitations::join_as_new(&panel.ctx, "", &token, taken).await), ["email"]);
    let joined = invitations::join(&panel.ctx, account, "owner", "", &token).await.unwrap();
    let here = accounts::actor(&panel.ctx, account, &joined.team, "").await.unwrap();
    assert!(apps::list(&panel.ctx, &here).await.is_ok());
    assert!(hosts::list(&panel.ctx, &stranger).await.is_ok(), "their own team is still theirs");
}

#[tokio::test]
async fn nobody_gives_or_takes_above_their_own_role() {
    let panel = Panel::new().await;
    let admin = panel.person(&panel.owner, Role::Admin).await;
    let form = NewInvitation { role: "owner".into(), ..NewInvitation::default() };
    assert_eq!(fields(invitations::create(&panel.ctx, &admin, form).await.map(drop)), ["role"]);
    let ada = line(&panel, "Ada").await;
    let demote = members::set_grant(&panel.ctx, &admin, ada.id, set("team", "viewer")).await;
    assert!(matches!(demote, Err(Refused::Forbidden(no)) if no.needs == Role::Owner), "{demote:?}");
    let removed = members::remove(&panel.ctx, &admin, ada.id, &ada.email).await;
    assert!(matches!(removed, Err(Refused::Forbidden(_))), "{removed:?}");
    let own = line(&panel, "admin").await.id;
    assert_eq!(fields(members::set_grant(&panel.ctx, &admin, own, set("team", "owner")).await), ["role"]);
    let project = projects::create(&panel.ctx, &panel.owner, projects::NewProject { name: "P".into() }).await.unwrap();
    let part = set(&format!("project:{project}"), "owner");
    assert_eq!(fields(members::set_grant(&panel.ctx, &panel.owner, own, part).await), ["role"]);
    for role in [Role::Viewer, Role::Developer] {
        let actor = panel.person(&panel.owner, role).await;
        let form = NewInvitation { role: "viewer".into(), ..NewInvitation::default() };
        let no = invitations::create(&panel.ctx, &actor, form).await.map(drop);
        assert!(matches!(no, Err(Refused::Forbidden(no)) if no.needs == Role::Admin), "{no:?}");
    }
}

#[tokio::test]
async fn the_last_owner_stays() {
    let panel = Panel::new().await;
    let ada = line(&panel, "Ada").await;
    let demoted = members::set_grant(&panel.ctx, &panel.owner, ada.id, set("team", "admin")).await;
    assert!(matches!(demoted, Err(Refused::Conflict(_))), "{demoted:?}");
    let left = members::leave(&panel.ctx, &panel.owner, "Shop").await;
    assert!(matches!(left, Err(Refused::Conflict(_))), "{left:?}");

    // Two owners who demote each other at once: one of them is no owner any more when it is their turn.
    for _ in 0..5 {
        let second = panel.person(&panel.owner, Role::Owner).await;
        let other = line(&panel, "owner").await;
        let (one, two) = tokio::join!(
            members::set_grant(&panel.ctx, &panel.owner, other.id, set("team", "viewer")),
            members::set_grant(&panel.ctx, &second, ada.id, set("team", "viewer")),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        let owners: i64 = sqlx::query_scalar("select count(*) from grants where role = 'owner'")
            .fetch_one(&mut panel.test.superuser().await)
            .await
            .unwrap();
        assert_eq!(owners, 1);
        // As it was, for the next time.
        let mut conn = panel.test.superuser().await;
        sqlx::query("update grants set role = 'owner' where member_id = $1")
            .bind(ada.id.0)
            .execute(&mut conn)
            .await
            .unwrap();
        let other = line(&panel, "owner").await;
        members::remove(&panel.ctx, &panel.owner, other.id, &other.email).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_changed_holds_at_once() {
    let panel = Panel::new().await;
    let grace = joined(&panel, "developer", &[]).await;
    let (account, id) = (grace.who().account().unwrap(), line(&panel, "Grace").await.id);
    panel.host(&panel.owner, "fra").await;
    let app = apps::create(&panel.ctx, &panel.owner, new_app("web")).await.unwrap();
    let deploy = deploys::request(&panel.ctx, &grace, app, Default::default()).await.unwrap();
    let mut follow = deploys::follow(&panel.ctx, &grace, deploy, 0).await.unwrap();
    assert!(follow.next().await.unwrap().is_some(), "the live log has begun");
    let slug = teams_slug(&panel).await;

    members::set_grant(&panel.ctx, &panel.owner, id, set("team", "viewer")).await.unwrap();
    let now = accounts::actor(&panel.ctx, account, &slug, "").await.unwrap();
    let again = deploys::request(&panel.ctx, &now, app, Default::default()).await;
    assert!(matches!(again, Err(Refused::Forbidden(_))), "{again:?}");
    assert_eq!(follow.next().await.map(drop), Err(Refused::NotFound), "who may less than before asks for the log anew");

    let mut follow = deploys::follow(&panel.ctx, &now, deploy, 0).await.unwrap();
    assert!(follow.next().await.unwrap().is_some());
    members::remove(&panel.ctx, &panel.owner, id, "grace@example.org").await.unwrap();
    assert!(accounts::actor(&panel.ctx, account, &slug, "").await.is_err(), "not in the team");
    assert_eq!(follow.next().await.map(drop), Err(Refused::NotFound), "the live log ends");
    let view = deploys::get(&panel.ctx, &panel.owner, deploy).await.unwrap();
    assert_eq!(view.line.who, "Grace", "the deploy goes on under the name of who asked for it");
}

/// The slug of the owner's team.
async fn teams_slug(panel: &Panel) -> String {
    let account = panel.owner.who().account().unwrap();
    accounts::teams_of(&panel.ctx, account).await.unwrap().remove(0).slug
}

#[tokio::test]
async fn a_developer_of_dev_sees_and_does_there_and_nowhere_else() {
    let panel = Panel::new().await;
    let ctx = &panel.ctx;
    let host = panel.host(&panel.owner, "fra").await;
    let prod = apps::create(ctx, &panel.owner, new_app("shop")).await.unwrap();
    let project = apps::get(ctx, &panel.owner, prod).await.unwrap().line.project;
    let form = NewEnvironment { name: "dev".into() };
    let dev = projects::create_environment(ctx, &panel.owner, project, form).await.unwrap();
    deploys::request(ctx, &panel.owner, prod, Default::default()).await.unwrap();
    let grace = joined(&panel, "developer", &[format!("environment:{dev}")]).await;

    // There: she makes an app on a host she is named, deploys it, and reads of it.
    let offered = apps::new_form(ctx, &grace).await.unwrap();
    assert_eq!(offered.environments.iter().map(|choice| choice.id).collect::<Vec<_>>(), [dev]);
    let mut form = new_app("sketch");
    (form.environment, form.host) = (dev.to_string(), host.to_string());
    form.routes.clear();
    let sketch = apps::create(ctx, &grace, form).await.unwrap();
    let deploy = deploys::request(ctx, &grace, sketch, Default::default()).await.unwrap();
    assert!(deploys::get(ctx, &grace, deploy).await.is_ok());

    // Nowhere else.
    let mut form = new_app("elsewhere");
    form.environment = apps::get(ctx, &panel.owner, prod).await.unwrap().line.environment.to_string();
    form.host = host.to_string();
    assert_eq!(fields(apps::create(ctx, &grace, form).await), ["environment"]);
    assert_eq!(apps::get(ctx, &grace, prod).await.map(drop), Err(Refused::NotFound));
    assert_eq!(hosts::get(ctx, &grace, host).await.map(drop), Err(Refused::NotFound));
    let names = |lines: Vec<apps::AppLine>| lines.into_iter().map(|line| line.name).collect::<Vec<_>>();
    assert_eq!(names(apps::list(ctx, &grace).await.unwrap()), ["sketch"]);
    let seen = projects::list(ctx, &grace).await.unwrap();
    assert_eq!((seen.len(), seen[0].environments.len()), (1, 1));
    assert_eq!(jobs::list(ctx, &grace, false, None).await.unwrap().len(), 1);
    let view = home::get(ctx, &grace).await.unwrap();
    assert_eq!((view.apps.len(), view.hosts.len()), (1, 0));
    assert!(view.headline.ends_with("1 app"), "hosts she cannot see are not counted as none: {}", view.headline);
    let events = audit::list(ctx, &grace, None).await.unwrap();
    assert!(!events.is_empty() && events.iter().all(|event| ["sketch", "dev"].contains(&event.subject_name.as_str())));
    assert!(view.lately.len() <= events.len());
    let all = members::list(ctx, &grace).await.unwrap();
    assert_eq!(all.members.iter().map(|line| line.name.as_str()).collect::<Vec<_>>(), ["Grace"]);
    assert_eq!(members::get(ctx, &grace, line(&panel, "Ada").await.id).await.map(drop), Err(Refused::NotFound));

    members::leave(ctx, &grace, "Shop").await.unwrap();
    assert!(accounts::actor(ctx, grace.who().account().unwrap(), &teams_slug(&panel).await, "").await.is_err());
}

#[tokio::test]
async fn owners_make_teams_and_rename_them() {
    let panel = Panel::new().await;
    let ada = panel.owner.who().account().unwrap();
    let slug = teams::create(&panel.ctx, ada, "Ada", "", "Shop").await;
    assert_eq!(fields(slug.map(drop)), ["name"], "she is in a Shop already");
    let slug = teams::create(&panel.ctx, ada, "Ada", "", "Side  Project").await.unwrap().slug;
    let side = accounts::actor(&panel.ctx, ada, &slug, "").await.unwrap();
    assert_ne!(side.team(), panel.owner.team());
    assert!(hosts::list(&panel.ctx, &side).await.unwrap().is_empty());
    teams::rename(&panel.ctx, &side, "Aside").await.unwrap();
    let names = accounts::teams_of(&panel.ctx, ada).await.unwrap();
    assert_eq!(names.iter().map(|team| team.name.as_str()).collect::<Vec<_>>(), ["Aside", "Shop"]);
    assert!(accounts::actor(&panel.ctx, ada, &slug, "").await.is_ok(), "its address stays");
    let admin = panel.person(&panel.owner, Role::Admin).await;
    let no = teams::create(&panel.ctx, admin.who().account().unwrap(), "admin", "", "Mine").await;
    assert!(matches!(no, Err(Refused::Conflict(_))), "{no:?}");
    assert!(matches!(teams::rename(&panel.ctx, &admin, "Mine").await, Err(Refused::Forbidden(_))));
}

#[tokio::test]
async fn the_history_is_searched_and_turned_over_without_a_gap() {
    let panel = Panel::new().await;
    for n in 0..130 {
        let name = format!("Project {n}");
        projects::create(&panel.ctx, &panel.owner, projects::NewProject { name }).await.unwrap();
    }
    joined(&panel, "viewer", &[]).await;
    let mut before = None;
    let mut seen = Vec::new();
    loop {
        let search = Search { kind: "project".into(), before, ..Search::default() };
        let found = audit::search(&panel.ctx, &panel.owner, search).await.unwrap();
        seen.extend(found.lines.into_iter().map(|line| line.subject_name));
        before = found.older;
        if before.is_none() {
            break;
        }
    }
    let wanted: Vec<String> = (0..130).rev().map(|n| format!("Project {n}")).collect();
    assert_eq!(seen, wanted);
    let of =
        async |search: Search| audit::search(&panel.ctx, &panel.owner, search).await.map(|found| found.lines.len());
    assert_eq!(of(Search { who: "GRACE".into(), ..Search::default() }).await, Ok(1));
    assert_eq!(of(Search { name: "project 12".into(), ..Search::default() }).await, Ok(11));
    assert_eq!(of(Search { to: "2001-01-01".into(), ..Search::default() }).await, Ok(0));
    assert_eq!(of(Search { from: "2001-01-01".into(), who: "%".into(), ..Search::default() }).await, Ok(0));
    for (field, search) in [
        ("from", Search { from: "yesterday".into(), ..Search::default() }),
        ("to", Search { to: "2026-02-30".into(), ..Search::default() }),
        ("kind", Search { kind: "boat".into(), ..Search::default() }),
        ("who", Search { who: "x".repeat(1000), ..Search::default() }),
    ] {
        assert_eq!(fields(of(search).await), [field]);
    }
    let id = line(&panel, "Grace").await.id;
    members::set_grant(&panel.ctx, &panel.owner, id, set("team", "developer")).await.unwrap();
    let event = audit::list(&panel.ctx, &panel.owner, None).await.unwrap().remove(0);
    assert_eq!(event.words, "made Grace developer of the whole team");
    let change: Vec<_> = event.changes.iter().map(|c| (c.name.as_str(), c.was.as_str(), c.is.as_str())).collect();
    assert_eq!(change, [("role", "viewer", "developer")]);
}

//! Signing in, passwords, devices.

use skiff::actions::accounts::{self, ChangePassword, SignIn};
use skiff::actions::{Refused, setup};
use skiff::db::sessions::{self, ACCOUNT, Sessions};
use skiff::domain::rights::Role;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};

use super::fields;
use crate::harness::panel::{PASSWORD, Panel, set_up, token, unowned};

fn entry(email: &str, password: &str) -> SignIn {
    SignIn { email: email.into(), password: password.into() }
}

#[tokio::test]
async fn wrong_and_unknown_are_the_same_answer_and_right_gives_the_teams() {
    let (_test, ctx, _key) = unowned().await;
    let owner = setup::create_owner(&ctx, "", set_up(&token(&ctx).await)).await.unwrap();
    let wrong = accounts::sign_in(&ctx, "10.0.0.1", entry("ada@example.org", "not the password")).await;
    let unknown = accounts::sign_in(&ctx, "10.0.0.1", entry("bob@example.org", PASSWORD)).await;
    assert_eq!(wrong.unwrap_err(), unknown.unwrap_err());
    let right = accounts::sign_in(&ctx, "10.0.0.1", entry(" Ada@Example.org ", PASSWORD)).await.unwrap();
    assert_eq!((right.account, right.name.as_str()), (owner.account, "Ada"));
    assert_eq!(right.teams.len(), 1);
}

#[tokio::test]
async fn who_guesses_is_shut_out_and_the_owner_elsewhere_is_not() {
    let panel = Panel::new().await;
    for _ in 0..10 {
        fields(accounts::sign_in(&panel.ctx, "10.0.0.1", entry("ada@example.org", "guess")).await);
    }
    let even_right = accounts::sign_in(&panel.ctx, "10.0.0.1", entry("ada@example.org", PASSWORD)).await;
    assert!(matches!(even_right, Err(Refused::TooOften(sentence)) if sentence.contains("Too many attempts")));
    accounts::sign_in(&panel.ctx, "10.0.0.2", entry("ada@example.org", PASSWORD)).await.unwrap();
    fields(accounts::sign_in(&panel.ctx, "10.0.0.1", entry("bob@example.org", "guess")).await);
}

#[tokio::test]
async fn a_new_password_signs_all_other_devices_out() {
    let panel = Panel::new().await;
    let account = accounts::sign_in(&panel.ctx, "", entry("ada@example.org", PASSWORD)).await.unwrap().account;
    let store = Sessions::new(&panel.test);
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut record = Record {
            id: Id::default(),
            data: [(ACCOUNT.to_owned(), account.to_string().into())].into(),
            expiry_date: time::OffsetDateTime::now_utc() + time::Duration::hours(1),
        };
        store.create(&mut record).await.unwrap();
        ids.push(record.id);
    }
    let mine = sessions::id_hash(&ids[0]);
    let change = |current: &str, new: &str, repeat: &str| ChangePassword {
        current: current.into(),
        new: new.into(),
        repeat: repeat.into(),
    };
    let wrong = change("not it", "short", "other");
    assert_eq!(fields(accounts::change_password(&panel.ctx, account, &mine, "", wrong).await), ["new", "repeat"]);
    let wrong = change("not it", "a whole new password", "a whole new password");
    assert_eq!(fields(accounts::change_password(&panel.ctx, account, &mine, "", wrong).await), ["current"]);
    assert_eq!(accounts::get(&panel.ctx, account, &mine).await.unwrap().sessions.len(), 3);

    let right = change(PASSWORD, "a whole new password", "a whole new password");
    accounts::change_password(&panel.ctx, account, &mine, "", right).await.unwrap();
    let left = accounts::get(&panel.ctx, account, &mine).await.unwrap().sessions;
    assert_eq!(left.iter().map(|session| session.current).collect::<Vec<_>>(), [true]);
    fields(accounts::sign_in(&panel.ctx, "", entry("ada@example.org", PASSWORD)).await);
    accounts::sign_in(&panel.ctx, "", entry("ada@example.org", "a whole new password")).await.unwrap();

    accounts::revoke_session(&panel.ctx, account, &left[0].handle).await.unwrap();
    assert!(store.load(&ids[0]).await.unwrap().is_none());
    assert!(matches!(accounts::revoke_session(&panel.ctx, account, "zz").await, Err(Refused::NotFound)));
}

#[tokio::test]
async fn one_does_not_end_another_persons_session() {
    let panel = Panel::new().await;
    let stranger = panel.another_team().await;
    let viewer = panel.person(&panel.owner, Role::Viewer).await;
    for actor in [&stranger, &viewer] {
        assert_ne!(actor.name(), "Ada");
    }
    let account = accounts::sign_in(&panel.ctx, "", entry("ada@example.org", PASSWORD)).await.unwrap().account;
    let mut record = Record {
        id: Id::default(),
        data: [(ACCOUNT.to_owned(), account.to_string().into())].into(),
        expiry_date: time::OffsetDateTime::now_utc() + time::Duration::hours(1),
    };
    Sessions::new(&panel.test).create(&mut record).await.unwrap();
    let handle = hex::encode(sessions::id_hash(&record.id));
    let other = skiff::domain::ids::AccountId(uuid::Uuid::now_v7());
    assert!(matches!(accounts::revoke_session(&panel.ctx, other, &handle).await, Err(Refused::NotFound)));
    accounts::revoke_session(&panel.ctx, account, &handle).await.unwrap();
}

#[tokio::test]
async fn a_forgotten_password_is_set_on_the_panels_machine() {
    let panel = Panel::new().await;
    let account = accounts::sign_in(&panel.ctx, "", entry("ada@example.org", PASSWORD)).await.unwrap().account;
    let store = Sessions::new(&panel.test);
    let mut record = Record {
        id: Id::default(),
        data: [(ACCOUNT.to_owned(), account.to_string().into())].into(),
        expiry_date: time::OffsetDateTime::now_utc() + time::Duration::hours(1),
    };
    store.create(&mut record).await.unwrap();
    let refused = accounts::reset_password(&panel.ctx, "bob@example.org", "short").await;
    assert_eq!(fields(refused).len(), 2, "both the address and the password are named");
    assert!(store.load(&record.id).await.unwrap().is_some());
    let set = accounts::reset_password(&panel.ctx, "Ada@example.org", "another horse battery").await.unwrap();
    assert_eq!(set, account);
    assert!(store.load(&record.id).await.unwrap().is_none(), "every device is signed out");
    fields(accounts::sign_in(&panel.ctx, "", entry("ada@example.org", PASSWORD)).await);
    accounts::sign_in(&panel.ctx, "", entry("ada@example.org", "another horse battery")).await.unwrap();
}

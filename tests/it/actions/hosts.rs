//! Whom a host's key is confirmed by, and how knowingly.

use skiff::actions::hosts::{self, ConfirmHostKey, EditHost, ForgetHost, GivePass, NewHost};
use skiff::domain::host::HostState;
use skiff::domain::ids::AccountId;
use skiff::domain::rights::{Actor, Grant, Permit, Role, Scope};

use super::{conflict, fields};
use crate::harness::panel::Panel;

const OLD: &str = "SHA256:5w8cLJ1iTqzgU0yV2m3o4Qe7hJxkPz9rYbN6tDfGsWA";
const SHOWN: &str = "SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

#[tokio::test]
async fn another_key_is_accepted_only_by_who_types_the_name_and_both_are_kept_in_the_audit() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let form = NewHost { name: "fra-1".into(), address: "fra.example.org".into(), ..NewHost::default() };
    let host = hosts::create(ctx, owner, NewHost { host_key: OLD.into(), ..form }).await.unwrap();
    let permit = Permit::of_claimed_row(owner.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    skiff::db::hosts::key_seen(&mut tx, &permit, host, SHOWN, "").await.unwrap();
    skiff::db::host_logins::observed(&mut tx, &permit, host, HostState::KeyMismatch, "another key").await.unwrap();
    tx.commit().await.unwrap();

    let send = async |key: &str, name: &str| {
        hosts::confirm_key(ctx, owner, host, ConfirmHostKey { host_key: key.into(), name: name.into() }).await
    };
    for name in ["", "fra-2", "FRA-1"] {
        assert_eq!(fields(send(SHOWN, name).await), ["name"], "{name:?}");
    }
    assert!(conflict(send(OLD, "fra-1").await).contains("another key"), "only what was shown can be accepted");
    let kept = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((kept.host_key.as_str(), kept.line.state), (OLD, HostState::KeyMismatch), "a refusal changes nothing");

    send(SHOWN, " fra-1 ").await.unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((view.host_key.as_str(), view.host_key_seen.as_str()), (SHOWN, ""));
    assert_eq!((view.line.state, view.line.note.as_str()), (HostState::New, ""), "it is made ready again");
    let told: Vec<(serde_json::Value, serde_json::Value)> =
        sqlx::query_as("select before, after from audit_events where action = 'host.key_confirmed'")
            .fetch_all(&mut panel.test.superuser().await)
            .await
            .unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0].0["host_key"], &told[0].1["host_key"]), (&OLD.into(), &SHOWN.into()));
}

#[tokio::test]
async fn a_team_has_one_key_however_many_ask() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let asked = futures_util::future::join_all((0..8).map(|_| hosts::team_key(ctx, owner))).await;
    let keys: std::collections::BTreeSet<String> = asked.into_iter().map(Result::unwrap).collect();
    let key = keys.first().unwrap();
    assert_eq!(keys.len(), 1);
    assert!(key.starts_with("ssh-ed25519 "), "{key}");
    let form = NewHost { name: "fra-1".into(), address: "fra.example.org".into(), ..NewHost::default() };
    let host = hosts::create(ctx, owner, form).await.unwrap();
    assert_eq!(&hosts::get(ctx, owner, host).await.unwrap().public_key, key);
}

#[tokio::test]
async fn hosts_added_at_once_get_numbers_of_their_own() {
    let panel = Panel::new().await;
    let mut teams = vec![panel.owner.clone()];
    for _ in 0..9 {
        teams.push(panel.another_team().await);
    }
    // Two of each team: within a team and across teams.
    let add = |(place, actor)| {
        let form =
            NewHost { name: format!("h{place}"), address: format!("h{place}.example.org"), ..NewHost::default() };
        hosts::create(&panel.ctx, actor, form)
    };
    let added = futures_util::future::join_all(teams.iter().chain(&teams).enumerate().map(add)).await;
    let wrong: Vec<_> = added.iter().filter(|added| added.is_err()).collect();
    assert!(wrong.is_empty(), "{wrong:?}");
    let mut numbers: Vec<i16> =
        sqlx::query_scalar("select number from hosts").fetch_all(&mut panel.test.superuser().await).await.unwrap();
    numbers.sort_unstable();
    assert_eq!(numbers, (0..20).collect::<Vec<i16>>());
}

#[tokio::test]
async fn a_form_that_changes_the_way_in_names_what_is_wrong_and_keeps_the_pin() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let form = NewHost { name: "fra-1".into(), address: "fra.example.org".into(), ..NewHost::default() };
    let host = hosts::create(ctx, owner, NewHost { host_key: OLD.into(), ..form }).await.unwrap();
    panel.host(owner, "hel-2").await;
    let right = EditHost {
        name: "fra-1".into(),
        address: "fra.example.org".into(),
        port: String::new(),
        user: "root".into(),
        jump: String::new(),
    };
    for (form, field) in [
        (EditHost { name: "hel-2".into(), ..right.clone() }, "name"),
        (EditHost { name: " ".into(), ..right.clone() }, "name"),
        (EditHost { address: "hel-2.example.org".into(), ..right.clone() }, "address"),
        (EditHost { address: "a b".into(), ..right.clone() }, "address"),
        (EditHost { port: "70000".into(), ..right.clone() }, "port"),
        (EditHost { user: "-x".into(), ..right.clone() }, "user"),
        (EditHost { user: String::new(), ..right.clone() }, "user"),
        (EditHost { jump: "a@b@c".into(), ..right.clone() }, "jump"),
        (EditHost { jump: "gate:0".into(), ..right.clone() }, "jump"),
    ] {
        assert_eq!(fields(hosts::edit(ctx, owner, host, form).await), [field]);
    }
    let moved = EditHost { address: "203.0.113.9".into(), port: "2222".into(), ..right.clone() };
    hosts::edit(ctx, owner, host, moved.clone()).await.unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((view.line.address.as_str(), view.ssh_port, view.host_key.as_str()), ("203.0.113.9", 2222, OLD));
    assert!(view.jobs.is_empty(), "nothing has to be looked at");

    // A jump host has a key of its own, which is looked at.
    let behind = EditHost { jump: "ada@gate.example.org:2200".into(), ..moved };
    hosts::edit(ctx, owner, host, behind.clone()).await.unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((view.jump.as_str(), view.jump_host_key.as_str()), ("ada@gate.example.org:2200", ""));
    assert!(view.looking, "{:?}", view.jobs);
    let permit = Permit::of_claimed_row(owner.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    skiff::db::host_ways::jump_key_seen(&mut tx, &permit, host, SHOWN, "ssh-ed25519").await.unwrap();
    tx.commit().await.unwrap();
    hosts::confirm_key(ctx, owner, host, ConfirmHostKey { host_key: SHOWN.into(), ..Default::default() })
        .await
        .unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((view.jump_host_key.as_str(), view.host_key.as_str(), view.jump_key_seen.as_str()), (SHOWN, OLD, ""));
    // Another user there is the same server; another address is not.
    hosts::edit(ctx, owner, host, EditHost { jump: "eve@gate.example.org:2200".into(), ..behind.clone() })
        .await
        .unwrap();
    assert_eq!(hosts::get(ctx, owner, host).await.unwrap().jump_host_key, SHOWN);
    hosts::edit(ctx, owner, host, EditHost { jump: "eve@gate.example.org".into(), ..behind }).await.unwrap();
    assert_eq!(hosts::get(ctx, owner, host).await.unwrap().jump_host_key, "");
}

#[tokio::test]
async fn two_servers_may_have_one_address_behind_different_jump_hosts() {
    let panel = Panel::new().await;
    let add = async |name: &str, jump: &str| {
        let form = NewHost { name: name.into(), address: "10.0.0.5".into(), jump: jump.into(), ..NewHost::default() };
        hosts::create(&panel.ctx, &panel.owner, form).await
    };
    add("a", "gate-1").await.unwrap();
    add("b", "gate-2").await.unwrap();
    add("c", "").await.unwrap();
    assert_eq!(fields(add("d", "ada@gate-2").await), ["address"]);
}

#[tokio::test]
async fn a_host_is_forgotten_by_its_typed_name_once_no_app_is_placed_there() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let host = panel.host(owner, "fra-1").await;
    let app = panel.app(owner, "web").await;
    let forget = async |name: &str, gone: &str| {
        hosts::forget(ctx, owner, host, ForgetHost { name: name.into(), gone: gone.into() }).await
    };
    for (name, gone, field) in
        [("", "", "name"), ("FRA-1", "", "name"), ("fra-1", "maybe", "gone"), ("fra-1", "yes", "gone")]
    {
        assert_eq!(fields(forget(name, gone).await), [field], "{name} {gone}");
    }
    assert!(conflict(forget("fra-1", "").await).contains("placed on fra-1: web."));
    let mut conn = panel.test.superuser().await;
    sqlx::query("update apps set removed_at = now() where id = $1").bind(app.0).execute(&mut conn).await.unwrap();
    forget(" fra-1 ", "no").await.unwrap();
    assert_eq!(hosts::get(ctx, owner, host).await.unwrap_err(), skiff::actions::Refused::NotFound);
    let left: i64 = sqlx::query_scalar("select count(*) from host_numbers").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0, "its number is free");
    let told: serde_json::Value = sqlx::query_scalar("select before from audit_events where action = 'host.forgotten'")
        .fetch_one(&mut conn)
        .await
        .unwrap();
    assert_eq!(told["address"], "fra-1.example.org");
    panel.host(owner, "fra-1").await;
}

#[tokio::test]
async fn what_is_given_for_once_is_a_password_or_a_key() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let host = panel.host(owner, "fra-1").await;
    let give = async |password: &str, private_key: &str, passphrase: &str| {
        let [password, private_key, passphrase] = [password, private_key, passphrase].map(str::to_owned);
        hosts::give_pass(ctx, owner, host, GivePass { password, private_key, passphrase }).await
    };
    let key = skiff::remote::keys::generate("somebody").unwrap().0;
    for (password, private, passphrase, field) in [
        ("", "", "", "password"),
        ("", "", "x", "private_key"),
        ("x", key.expose().as_str(), "", "private_key"),
        ("x\ny", "", "", "password"),
        (&"x".repeat(2000), "", "", "password"),
        ("", "ssh-ed25519 AAAA", "", "private_key"),
        ("", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "", "private_key"),
        ("", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----", "x", "passphrase"),
        ("", &"x".repeat(70_000), "", "private_key"),
    ] {
        assert_eq!(fields(give(password, private, passphrase).await), [field]);
    }
    assert!(hosts::get(ctx, owner, host).await.unwrap().pass_given_at.is_none());
    assert_eq!(give("", key.expose(), "").await, Ok(None), "its key is not confirmed: it waits");
    assert!(hosts::get(ctx, owner, host).await.unwrap().pass_given_at.is_some());
    assert!(!format!("{:?}", GivePass { password: "tide".into(), ..GivePass::default() }).contains("tide"));
}

#[tokio::test]
async fn another_way_in_is_for_who_manages_all_hosts_and_takes_what_was_given_along() {
    let panel = Panel::new().await;
    let (ctx, owner) = (&panel.ctx, &panel.owner);
    let host = panel.host(owner, "fra-1").await;
    panel.host(owner, "fra-2").await;
    let of_one = vec![Grant { scope: Scope::Host(host), role: Role::Admin }];
    let eve = Actor::new(AccountId(uuid::Uuid::now_v7()), "Eve".into(), "127.0.0.3".into(), owner.team(), of_one);
    let form = |name: &str, address: &str| EditHost {
        name: name.into(),
        address: address.into(),
        port: "22".into(),
        user: "root".into(),
        jump: String::new(),
    };
    let given = GivePass { password: "once".into(), ..GivePass::default() };
    hosts::give_pass(ctx, owner, host, given).await.unwrap();

    for address in ["fra-2.example.org", "192.0.2.9"] {
        assert_eq!(fields(hosts::edit(ctx, &eve, host, form("fra-1", address)).await), ["address"], "{address}");
    }
    hosts::edit(ctx, &eve, host, form("fra-one", "fra-1.example.org")).await.unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!((view.line.name.as_str(), view.pass_given_at.is_some()), ("fra-one", true), "the same way in");

    hosts::edit(ctx, owner, host, form("fra-one", "192.0.2.9")).await.unwrap();
    let view = hosts::get(ctx, owner, host).await.unwrap();
    assert_eq!(
        (view.line.address.as_str(), view.pass_given_at),
        ("192.0.2.9", None),
        "it was given for another server"
    );
}

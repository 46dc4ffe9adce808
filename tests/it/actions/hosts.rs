//! Whom a host's key is confirmed by, and how knowingly.

use skiff::actions::hosts::{self, ConfirmHostKey, NewHost};
use skiff::domain::host::HostState;
use skiff::domain::rights::Permit;

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

//! Secrets go in and never come out.

use skiff::actions::secrets::{self, SetSecret};
use skiff::actions::{apps, releases};
use skiff::db::host_logins;
use skiff::domain::rights::Permit;
use skiff::vault::SecretPlace;

use super::fields;
use crate::harness::panel::{Panel, new_app};

fn secret(name: &str, value: &str) -> SetSecret {
    SetSecret { name: name.into(), value: value.into() }
}

#[tokio::test]
async fn a_value_is_sealed_byte_for_byte_and_stands_nowhere_in_clear() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let mut form = new_app("web");
    form.secrets = vec![apps::Pair { name: "AT_BIRTH".into(), value: "canary-0".into() }];
    form.source.registry_user = "me".into();
    form.source.registry_password = "canary-1".into();
    let app = apps::create(&panel.ctx, &panel.owner, form).await.unwrap();
    let value = "canary-2 \n\t\"'$(id)`\u{202e}é";
    secrets::set(&panel.ctx, &panel.owner, app, secret("KEY", value)).await.unwrap();

    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    let (id, version) = view.secrets.iter().find(|s| s.name == "KEY").map(|s| (s.id, s.version)).unwrap();
    let permit = Permit::of_claimed_row(panel.owner.team());
    let mut tx = panel.test.begin(&permit).await.unwrap();
    let key = host_logins::data_key(&mut tx, &permit).await.unwrap();
    let sealed = host_logins::versions(&mut tx, &permit, &[(id, version)]).await.unwrap().pop().unwrap();
    drop(tx);
    let place = SecretPlace { team: panel.owner.team(), secret: id, version };
    let opened = panel.ctx.vault.open_secret(&key, place, &sealed.sealed).unwrap();
    assert_eq!(opened.expose().as_slice(), value.as_bytes());

    // Every row of every table, as text: no canary anywhere.
    let mut root = panel.test.superuser().await;
    let dump: String = sqlx::query_scalar(
        "select coalesce(string_agg(t::text, ' '), '') from (
           select query_to_xml(format('select * from %I', relname), true, false, '')::text as t
             from pg_class where relnamespace = 'public'::regnamespace and relkind in ('r', 'p')) all_tables",
    )
    .fetch_one(&mut root)
    .await
    .unwrap();
    assert!(dump.contains("AT_BIRTH"), "the dump is one");
    assert!(!dump.contains("canary"), "a value stands in clear");
    assert!(!format!("{:?}", view.pending).contains("canary") && !format!("{:?}", view.spec).contains("canary"));
}

#[tokio::test]
async fn a_version_lives_as_long_as_a_release_names_it() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    let set = async |value: &str| secrets::set(&panel.ctx, &panel.owner, app, secret("KEY", value)).await.unwrap();
    set("one").await;
    panel.deployed(&panel.owner, app).await;
    for value in ["two", "three", "four", "five"] {
        set(value).await;
    }
    let view = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert_eq!((view.secrets[0].version, view.secrets[0].in_use), (5, Some(1)));
    assert_eq!(view.pending.len(), 1);
    assert_eq!(
        (view.pending[0].before.as_deref(), view.pending[0].after.as_deref()),
        (Some("version 1"), Some("version 5"))
    );
    assert!(view.line.pending);
    let mut root = panel.test.superuser().await;
    let versions = "select array_agg(version order by version) from secret_versions where secret_id = $1";
    let kept: Vec<i32> = sqlx::query_scalar(versions).bind(view.secrets[0].id.0).fetch_one(&mut root).await.unwrap();
    assert_eq!(kept, [1, 4, 5], "the release's, the current one, and the one a deploy under way may have read");

    secrets::remove(&panel.ctx, &panel.owner, app, "KEY").await.unwrap();
    let kept: Vec<i32> = sqlx::query_scalar(versions).bind(view.secrets[0].id.0).fetch_one(&mut root).await.unwrap();
    assert!(kept.contains(&1), "going back needs it");
    let gone = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert!(gone.secrets.is_empty() && gone.spec.secrets.is_empty());
    // The name is free again, and the new secret is another one.
    set("again").await;
    let again = apps::get(&panel.ctx, &panel.owner, app).await.unwrap();
    assert_ne!(again.secrets[0].id, view.secrets[0].id);
    assert_eq!(again.secrets[0].version, 1);
    panel.deployed(&panel.owner, app).await;
    let release = releases::get(&panel.ctx, &panel.owner, app, 2).await.unwrap();
    assert_eq!(release.before, Some(1));
}

#[tokio::test]
async fn one_name_has_one_value() {
    let panel = Panel::new().await;
    panel.host(&panel.owner, "fra").await;
    let app = panel.app(&panel.owner, "web").await;
    let plain = apps::SetVariable { name: "MODE".into(), value: "x".into() };
    apps::set_variable(&panel.ctx, &panel.owner, app, plain).await.unwrap();
    assert_eq!(fields(secrets::set(&panel.ctx, &panel.owner, app, secret("MODE", "y")).await), ["name"]);
    assert_eq!(fields(secrets::set(&panel.ctx, &panel.owner, app, secret("1", "a\0b")).await), ["name", "value"]);
}

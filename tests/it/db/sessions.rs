//! Sessions, one-time tokens and the throttle: what opens the panel.

use std::time::Duration;

use skiff::db::{accounts, sessions, setup, sign_ins};
use skiff::domain::ids::AccountId;
use skiff::vault;
use tower_sessions::SessionStore;
use tower_sessions::session::{Id, Record};
use uuid::Uuid;

use crate::harness::postgres::{TestDb, fresh_database};

async fn account(db: &TestDb) -> AccountId {
    let id = AccountId(Uuid::now_v7());
    let mut tx = db.begin_door().await.unwrap();
    accounts::insert(&mut tx, id, &"Ada@example.org".parse().unwrap(), "Ada", "$argon2id$x").await.unwrap();
    tx.commit().await.unwrap();
    id
}

fn record(account: AccountId) -> Record {
    let data = [("account", account.to_string()), ("device", "Firefox on Linux".into()), ("csrf", "c".into())];
    let data = data.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    let expiry_date = time::OffsetDateTime::now_utc() + time::Duration::hours(1);
    Record { id: Id::default(), data, expiry_date }
}

#[tokio::test]
async fn the_table_opens_nothing() {
    let db = fresh_database().await;
    let store = sessions::Sessions::new(&db);
    let mut signed_in = record(account(&db).await);
    store.create(&mut signed_in).await.unwrap();
    let mut loaded = store.load(&signed_in.id).await.unwrap().unwrap();
    store.save(&loaded).await.unwrap();
    loaded.data.remove(sessions::MOMENT).expect("it says when it was read");
    assert_eq!(loaded.data, signed_in.data, "columns and record make the whole again");

    let kept: (Vec<u8>, String) = sqlx::query_as("select id_hash, sessions::text from sessions")
        .fetch_one(&mut db.superuser().await)
        .await
        .unwrap();
    let raw = signed_in.id.0.to_le_bytes();
    assert!(!kept.1.contains(sessions::MOMENT), "{}", kept.1);
    assert!(!kept.1.contains(&signed_in.id.to_string()) && !kept.1.contains(&hex(&raw)), "{}", kept.1);
    assert_ne!(kept.0, raw);
    // The hash itself, used as an id, finds nothing.
    let forged = Id(i128::from_le_bytes(kept.0[..16].try_into().unwrap()));
    assert!(store.load(&forged).await.unwrap().is_none());
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn an_ended_session_does_not_come_back() {
    let db = fresh_database().await;
    let store = sessions::Sessions::new(&db);
    let account = account(&db).await;
    let (mut one, mut two, mut old) = (record(account), record(account), record(account));
    old.expiry_date = time::OffsetDateTime::now_utc() - time::Duration::seconds(1);
    for record in [&mut one, &mut two, &mut old] {
        store.create(record).await.unwrap();
    }
    assert!(store.load(&old.id).await.unwrap().is_none(), "it has run out");
    let mut tx = db.begin_door().await.unwrap();
    assert_eq!(sessions::sweep(&mut tx).await.unwrap(), 1);
    assert_eq!(sessions::of_account(&mut tx, account).await.unwrap().len(), 2);
    assert_eq!(sessions::end_others(&mut tx, account, &sessions::id_hash(&one.id)).await.unwrap(), 1);
    tx.commit().await.unwrap();
    assert!(store.load(&two.id).await.unwrap().is_none());
    // A request that was under way writes its session at its end.
    store.save(&two).await.unwrap();
    assert!(store.load(&two.id).await.unwrap().is_none());

    let mut tx = db.begin_door().await.unwrap();
    let stranger = AccountId(Uuid::now_v7());
    assert!(!sessions::end(&mut tx, stranger, &sessions::id_hash(&one.id)).await.unwrap(), "not another's");
    assert!(sessions::end(&mut tx, account, &sessions::id_hash(&one.id)).await.unwrap());
    tx.commit().await.unwrap();
    assert!(store.load(&one.id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_new_id_is_drawn_for_a_taken_one() {
    let db = fresh_database().await;
    let store = sessions::Sessions::new(&db);
    let account = account(&db).await;
    let mut one = record(account);
    store.create(&mut one).await.unwrap();
    let mut two = Record { id: one.id, ..record(account) };
    store.create(&mut two).await.unwrap();
    assert_ne!(one.id, two.id);
}

#[tokio::test]
async fn a_set_up_link_works_once_and_only_the_newest() {
    let db = fresh_database().await;
    let (first, second) = (vault::token_hash("first"), vault::token_hash("second"));
    let mut tx = db.begin_door().await.unwrap();
    setup::replace(&mut tx, &first, Duration::from_secs(60)).await.unwrap();
    setup::replace(&mut tx, &second, Duration::from_secs(60)).await.unwrap();
    assert!(!setup::opens(&mut tx, &first).await.unwrap());
    tx.commit().await.unwrap();
    let spend = async || {
        let mut tx = db.begin_door().await.unwrap();
        let spent = setup::spend(&mut tx, &second).await.unwrap();
        tx.commit().await.unwrap();
        spent
    };
    let spent = futures_util::future::join_all((0..5).map(|_| spend())).await;
    assert_eq!(spent.iter().filter(|spent| **spent).count(), 1, "{spent:?}");
    let mut tx = db.begin_door().await.unwrap();
    setup::replace(&mut tx, &first, Duration::ZERO).await.unwrap();
    assert!(!setup::spend(&mut tx, &first).await.unwrap(), "too old");
}

#[tokio::test]
async fn guessing_is_stopped_where_it_comes_from() {
    let db = fresh_database().await;
    let mut tx = db.begin_door().await.unwrap();
    for _ in 0..10 {
        assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "10.0.0.1").await.unwrap(), None);
    }
    let wait = sign_ins::attempt(&mut tx, " ADA@example.org", "::ffff:10.0.0.1").await.unwrap().unwrap();
    assert!(wait > Duration::from_secs(14 * 60) && wait <= Duration::from_secs(15 * 60), "{wait:?}");
    assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "10.0.0.2").await.unwrap(), None, "somebody else");
    // Another account from the first address goes on until the address has had enough.
    for n in 0..40 {
        let email = format!("user{n}@example.org");
        assert_eq!(sign_ins::attempt(&mut tx, &email, "10.0.0.1").await.unwrap(), None, "{n}");
    }
    assert!(sign_ins::attempt(&mut tx, "new@example.org", "10.0.0.1").await.unwrap().is_some());
    // A network of IPv6 is one client, whichever of its addresses it uses.
    for n in 0..10 {
        let address = format!("2001:db8:1:2::{n}");
        assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", &address).await.unwrap(), None, "{n}");
    }
    assert!(sign_ins::attempt(&mut tx, "ada@example.org", "2001:db8:1:2:f::1").await.unwrap().is_some());
    assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "2001:db8:1:3::1").await.unwrap(), None);
    // The right password at last: that client's failures are forgotten.
    for _ in 0..8 {
        assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "10.0.0.2").await.unwrap(), None);
    }
    sign_ins::succeeded(&mut tx, "ada@example.org", "10.0.0.2").await.unwrap();
    for n in 0..10 {
        assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "10.0.0.2").await.unwrap(), None, "{n}");
    }
}

#[tokio::test]
async fn an_account_guessed_at_from_everywhere_is_slow_for_strangers_and_open_where_it_is_signed_in() {
    let db = fresh_database().await;
    let account = account(&db).await;
    let mut home = record(account);
    home.data.insert(sessions::ADDRESS.to_owned(), "192.0.2.7".into());
    sessions::Sessions::new(&db).create(&mut home).await.unwrap();
    let mut tx = db.begin_door().await.unwrap();
    for n in 0..100 {
        let address = format!("10.0.{n}.1");
        assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", &address).await.unwrap(), None, "{n}");
    }
    let wait = sign_ins::attempt(&mut tx, "ada@example.org", "10.1.0.1").await.unwrap().unwrap();
    assert!(wait <= Duration::from_secs(3), "{wait:?}");
    assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "192.0.2.7").await.unwrap(), None, "known there");
    assert_eq!(sign_ins::attempt(&mut tx, "bob@example.org", "10.1.0.1").await.unwrap(), None, "another account");
    // The pause is over: one more stranger, and the next waits again.
    sqlx::query("update sign_in_failures set at = at - interval '4 s'").execute(&mut *tx).await.unwrap();
    assert_eq!(sign_ins::attempt(&mut tx, "ada@example.org", "10.1.0.1").await.unwrap(), None);
    assert!(sign_ins::attempt(&mut tx, "ada@example.org", "10.1.0.2").await.unwrap().is_some());
}

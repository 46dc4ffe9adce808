//! The embedded PostgreSQL: made, started, killed, taken over, refused.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use skiff::db::Db;
use skiff::db::cluster::{Cluster, ClusterSettings};
use tokio_util::sync::CancellationToken;

use crate::harness::host::run;

/// Longer than any start or restart on a busy machine.
const SOON: Duration = Duration::from_secs(30);

/// A folder the database's user can reach.
fn folder() -> (tempfile::TempDir, ClusterSettings) {
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    // As the panel's data folder is made: nobody else may look into it, and the database's user only passes.
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let settings = ClusterSettings { folder: folder.path().join("pg"), user: None };
    (folder, settings)
}

fn pid(settings: &ClusterSettings) -> String {
    let file = std::fs::read_to_string(settings.folder.join("data/postmaster.pid")).unwrap();
    file.lines().next().unwrap().to_owned()
}

async fn until(what: &str, mut seen: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !seen().await {
        assert!(began.elapsed() < SOON, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_cluster_of_ones_own() {
    let (folder, settings) = folder();
    let began = Instant::now();
    let cluster = Cluster::start(&settings).await.unwrap();
    let db = Db::connect(&cluster.settings()).await.unwrap();
    println!("made, started and migrated in {:?}", began.elapsed());

    let mut tx = db.begin_door().await.unwrap();
    let (user, superuser, fsync, tcp): (String, bool, String, String) = sqlx::query_as(
        "select current_user::text, rolsuper, current_setting('fsync'), current_setting('listen_addresses')
           from pg_roles where rolname = current_user",
    )
    .fetch_one(&mut *tx)
    .await
    .unwrap();
    assert_eq!((user.as_str(), superuser, fsync.as_str(), tcp.as_str()), ("skiff_app", false, "on", ""));
    tx.rollback().await.unwrap();
    db.begin_worker().await.unwrap().rollback().await.unwrap();
    let passed = std::fs::metadata(folder.path()).unwrap().permissions().mode();
    assert_eq!(passed & 0o077, 0o010, "its user passes and looks at nothing");
    for closed in ["pg", "pg/run", "pg/data"] {
        let mode = std::fs::metadata(folder.path().join(closed)).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{closed} is its user's alone");
    }
    db.close().await;
    let server = pid(&settings);
    cluster.stop().await;
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "it stops with the panel");

    let began = Instant::now();
    let cluster = Cluster::start(&settings).await.unwrap();
    println!("started again in {:?}", began.elapsed());
    let db = Db::connect(&cluster.settings()).await.unwrap();
    println!("and ready in {:?}", began.elapsed());
    assert!(skiff::db::panel::get(&mut db.begin_door().await.unwrap()).await.unwrap().is_none());
    cluster.stop().await;
}

#[tokio::test]
async fn it_is_restarted_when_it_dies_and_taken_over_when_its_keeper_does() {
    let (_folder, settings) = folder();
    let cluster = Cluster::start(&settings).await.unwrap();
    let db = Db::connect(&cluster.settings()).await.unwrap();
    let first = pid(&settings);

    // A second process is a guest: it neither starts nor stops anything.
    let guest = Cluster::start(&settings).await.unwrap();
    guest.stop().await;
    db.ping().await.unwrap();

    let (shutdown, killed) = (CancellationToken::new(), Instant::now());
    let keeping = tokio::spawn(cluster.keep(shutdown.clone()));
    run("kill", &["-9", &first]).await.must("kill");
    until("it is back", async || db.ping().await.is_ok() && pid(&settings) != first).await;
    println!("back {:?} after a kill", killed.elapsed());

    // The keeper dies without a word.
    keeping.abort();
    keeping.await.ok();
    let orphan = pid(&settings);
    let cluster = Cluster::start(&settings).await.unwrap();
    assert_eq!(pid(&settings), orphan, "the running one is taken over");
    let keeping = tokio::spawn(cluster.keep(shutdown.clone()));
    run("kill", &["-9", &orphan]).await.must("kill");
    until("an orphan is kept too", async || db.ping().await.is_ok() && pid(&settings) != orphan).await;
    let last = pid(&settings);
    shutdown.cancel();
    keeping.await.unwrap();
    assert!(!Path::new(&format!("/proc/{last}")).exists());
}

#[tokio::test]
async fn what_cannot_be_is_one_sentence() {
    let (folder, settings) = folder();
    let cluster = Cluster::start(&settings).await.unwrap();
    cluster.stop().await;
    std::fs::write(settings.folder.join("data/PG_VERSION"), "9\n").unwrap();
    let said = Cluster::start(&settings).await.unwrap_err().to_string();
    assert!(
        said.contains("were made by PostgreSQL 9, which is not installed") && said.contains("pg_upgrade"),
        "{said}"
    );

    let nobody = ClusterSettings { user: Some("no-such-user".into()), ..settings.clone() };
    let said = Cluster::start(&nobody).await.unwrap_err().to_string();
    assert!(said.contains("there is no user no-such-user"), "{said}");

    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
    let barred = ClusterSettings { folder: folder.path().join("others/pg"), user: None };
    let said = Cluster::start(&barred).await.unwrap_err().to_string();
    assert!(said.contains("may not enter") && said.contains("chmod o+x"), "{said}");

    let long = ClusterSettings { folder: folder.path().join("x".repeat(90)), user: None };
    let said = Cluster::start(&long).await.unwrap_err().to_string();
    assert!(said.contains("too long for a socket"), "{said}");
}

//! Connections to the database that nobody uses any more.

use std::time::{Duration, Instant};

use crate::harness::postgres::{TestDb, fresh_database};

/// Connections of the panel to this database.
async fn open(test: &TestDb) -> i64 {
    let count =
        "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'skiff'";
    sqlx::query_scalar(count).fetch_one(&mut test.superuser().await).await.unwrap()
}

#[tokio::test]
async fn what_a_busy_moment_opened_is_given_back_though_somebody_looks_now_and_then() {
    const MANY: usize = 6;
    let test = fresh_database().await;
    let mut busy = Vec::new();
    for _ in 0..MANY {
        busy.push(test.begin_worker().await.unwrap());
    }
    for tx in busy {
        tx.commit().await.unwrap();
    }
    assert_eq!(open(&test).await, MANY as i64);
    let began = Instant::now();
    // Those that are kept, and the one that is on its way back while the others are counted.
    while open(&test).await > 3 {
        assert!(began.elapsed() < Duration::from_secs(20), "they stay open");
        test.begin_worker().await.unwrap().commit().await.unwrap();
        test.spare().await;
    }
    test.spare().await;
    test.begin_worker().await.unwrap().commit().await.unwrap();
    assert!(open(&test).await > 0, "some are kept for whoever comes next");
}

//! What every case that ran jobs ends with.

use skiff::db::Db;

/// Stops the case where a job is left that waits or runs, or a lease. Waits a moment first: a job's end is written
/// after what it did can be seen.
pub async fn assert_quiet(db: &Db) {
    let mut left = Vec::new();
    for _ in 0..100 {
        let mut tx = db.begin_worker().await.unwrap();
        left = sqlx::query_as::<_, (String, String, String)>(
            "select title, state, coalesce(leased_by, '') from jobs where finished_at is null or lease_until is not null",
        )
        .fetch_all(&mut *tx)
        .await
        .unwrap();
        if left.is_empty() {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("jobs are left (title, state, worker): {left:?}");
}

//! The log of a job: numbers without a gap, places in the whole, pages.

use futures_util::TryStreamExt;
use skiff::db::job_log::{self, End, NewLine};
use skiff::domain::ids::JobId;
use skiff::domain::job::Stream;
use sqlx::Row;
use uuid::Uuid;

use crate::harness::postgres::{TestDb, fresh_database};
use crate::harness::team::TestTeam;

async fn running_job(db: &TestDb, team: &TestTeam) -> JobId {
    let job = JobId(Uuid::now_v7());
    let mut tx = db.begin(&team.permit).await.unwrap();
    sqlx::query(
        "insert into jobs (id, team_id, kind, args, title, cause, state, lease_until, fence)
         values ($1, $2, 'any', '{}', 'Any', '{}', 'running', now() + interval '20 s', 7)",
    )
    .bind(job.0)
    .bind(team.id.0)
    .execute(&mut *tx)
    .await
    .unwrap();
    tx.commit().await.unwrap();
    job
}

fn line(text: &str) -> NewLine {
    NewLine { stream: Stream::Out, step: None, line: text.as_bytes().to_vec() }
}

#[tokio::test]
async fn lines_of_many_writers_have_no_gap() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let job = running_job(&db, &team).await;
    let write = async |writer: usize| {
        for batch in 0..10 {
            let mut tx = db.begin(&team.permit).await.unwrap();
            let lines = [line(&format!("{writer}-{batch}-a")), line(&format!("{writer}-{batch}-b"))];
            job_log::append(&mut tx, &team.permit, job, 7, &lines).await.unwrap().unwrap();
            tx.commit().await.unwrap();
        }
    };
    futures_util::future::join_all((0..5).map(write)).await;

    let mut tx = db.begin(&team.permit).await.unwrap();
    let lines = job_log::after(&mut tx, &team.permit, job, 0, 1000).await.unwrap();
    assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), (1..=100).collect::<Vec<_>>());
    let mut place = 0;
    for line in &lines {
        assert_eq!(line.offset_bytes, place);
        place += line.line.len() as i64 + 1;
    }
    for pair in lines.chunks(2) {
        assert_eq!(pair[0].line[..4], pair[1].line[..4], "a batch stays together");
    }
    assert_eq!(job_log::end(&mut tx, &team.permit, job).await.unwrap(), End { seq: 100, bytes: place });
    let last = job_log::last(&mut tx, &team.permit, job, 3).await.unwrap();
    assert_eq!(last.iter().map(|line| line.seq).collect::<Vec<_>>(), [98, 99, 100]);
    let stale = job_log::append(&mut tx, &team.permit, job, 6, &[line("late")]).await.unwrap();
    assert_eq!(stale, None);
    assert_eq!(job_log::append(&mut tx, &team.permit, job, 7, &[]).await.unwrap(), Some(100), "nothing is no line");
}

#[tokio::test]
async fn a_download_is_the_whole_log_in_pages() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let job = running_job(&db, &team).await;
    let (mut wanted, mut tx) = (Vec::new(), db.begin(&team.permit).await.unwrap());
    for number in 0..300 {
        // Empty lines, bytes that are no text, and the longest there are.
        let text = [vec![], vec![0xff, 0, 0x1b], vec![b'x'; 16 * 1024]][number % 3].clone();
        wanted.extend_from_slice(&text);
        wanted.push(b'\n');
        let new = NewLine { stream: Stream::Err, step: Some(2), line: text };
        job_log::append(&mut tx, &team.permit, job, 7, &[new]).await.unwrap().unwrap();
    }
    tx.commit().await.unwrap();
    let pages: Vec<_> = job_log::pages(db.db.clone(), team.permit.clone(), job).try_collect().await.unwrap();
    assert!(pages.len() > 1, "1.6 MB are no single page");
    let mut got = Vec::new();
    for line in pages.iter().flatten() {
        got.extend_from_slice(&line.line);
        got.push(b'\n');
    }
    assert!(got == wanted, "{} bytes, {} wanted", got.len(), wanted.len());
    let other = TestTeam::new(&db).await;
    let nothing: Vec<_> = job_log::pages(db.db.clone(), other.permit, job).try_collect().await.unwrap();
    assert!(nothing.is_empty());
}

#[tokio::test]
async fn lines_go_to_the_partition_of_their_month() {
    let db = fresh_database().await;
    let team = TestTeam::new(&db).await;
    let job = running_job(&db, &team).await;
    let mut tx = db.begin(&team.permit).await.unwrap();
    job_log::append(&mut tx, &team.permit, job, 7, &[line("x")]).await.unwrap().unwrap();
    // The app's role may make the next month, though it owns no table.
    job_log::prepare_months(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    let mut superuser = db.superuser().await;
    let row = sqlx::query("select tableoid::regclass::text, to_char(now(), '\"job_log_\"YYYY_MM') from job_log");
    let row = row.fetch_one(&mut superuser).await.unwrap();
    assert_eq!(row.get::<String, _>(0), row.get::<String, _>(1));
    let months: i64 = sqlx::query_scalar("select count(*) from pg_inherits where inhparent = 'job_log'::regclass")
        .fetch_one(&mut superuser)
        .await
        .unwrap();
    assert_eq!(months, 3, "this month, the next, and the rest");
}

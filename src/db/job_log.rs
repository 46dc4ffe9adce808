//! The log of a job: lines numbered without a gap, each with its place in the whole. Not here: redacting, capping and
//! batching, which come before, and the end of a line, which is not stored.

use futures_util::stream::{self, Stream as AsyncStream};
use sqlx::PgConnection;
use time::OffsetDateTime;

use super::Db;
use crate::domain::ids::JobId;
use crate::domain::job::Stream;
use crate::domain::rights::Permit;

/// Lines of one page of a download.
const PAGE_LINES: i64 = 2_000;
/// Bytes of one page of a download, give or take a line: what one download holds in memory.
const PAGE_BYTES: i64 = 1 << 20;

/// A line to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLine {
    /// By whom.
    pub stream: Stream,
    /// The step it was said in.
    pub step: Option<i32>,
    /// Redacted, at most 16 KiB, without the newline.
    pub line: Vec<u8>,
}

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// 1, 2, … without a gap per job.
    pub seq: i64,
    /// When it was written.
    pub at: OffsetDateTime,
    /// By whom.
    pub stream: Stream,
    /// The step it was said in.
    pub step: Option<i32>,
    /// Bytes of the whole log before it, newlines counted.
    pub offset_bytes: i64,
    /// Without the newline.
    pub line: Vec<u8>,
}

/// The end of a log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// The last line's number, 0 for none.
    pub seq: i64,
    /// Bytes in all, newlines counted.
    pub bytes: i64,
}

/// Adds lines for the run with this fence and returns the last one's number. None when the run is stale: then nothing
/// was written.
pub async fn append(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    fence: i64,
    lines: &[NewLine],
) -> Result<Option<i64>, sqlx::Error> {
    let mut numbers = Vec::with_capacity(lines.len());
    let mut streams = Vec::with_capacity(lines.len());
    let mut steps = Vec::with_capacity(lines.len());
    let mut befores = Vec::with_capacity(lines.len());
    let mut texts = Vec::with_capacity(lines.len());
    let mut bytes = 0_i64;
    for (line, number) in lines.iter().zip(1_i64..) {
        numbers.push(number);
        streams.push(line.stream);
        steps.push(line.step);
        befores.push(bytes);
        texts.push(line.line.as_slice());
        bytes = bytes.saturating_add(i64::try_from(line.line.len()).unwrap_or(i64::MAX)).saturating_add(1);
    }
    let count = i64::try_from(lines.len()).unwrap_or(i64::MAX);
    sqlx::query_scalar!(
        r#"with mine as (
             select id from jobs where team_id = $1 and id = $2 and fence = $3 and state = 'running' for share),
           ends as (
             insert into job_log_ends as e (team_id, job_id, seq, bytes) select $1, $2, $4, $5 from mine
             on conflict (team_id, job_id) do update set seq = e.seq + excluded.seq, bytes = e.bytes + excluded.bytes
             returning seq, bytes),
           written as (
             insert into job_log (team_id, job_id, seq, stream, step, offset_bytes, line)
             select $1, $2, ends.seq - $4 + l.number, l.stream, l.step, ends.bytes - $5 + l.before, l.line
               from ends, unnest($6::bigint[], $7::text[], $8::int[], $9::bigint[], $10::bytea[])
                       as l(number, stream, step, before, line)
             returning seq)
           select seq as "seq!" from ends, pg_notify('skiff', 'job:' || $2::uuid) as told"#,
        permit.team().0,
        job.0,
        fence,
        count,
        bytes,
        &numbers,
        &streams as &[Stream],
        &steps as &[Option<i32>],
        &befores,
        &texts as &[&[u8]],
    )
    .fetch_optional(conn)
    .await
}

/// At most `limit` lines after number `seq`.
pub async fn after(
    conn: &mut PgConnection,
    permit: &Permit,
    job: JobId,
    seq: i64,
    limit: i64,
) -> Result<Vec<Line>, sqlx::Error> {
    sqlx::query_as!(
        Line,
        r#"select seq, at, stream as "stream: Stream", step, offset_bytes, line from job_log
            where team_id = $1 and job_id = $2 and seq > $3 order by seq limit $4"#,
        permit.team().0,
        job.0,
        seq,
        limit,
    )
    .fetch_all(conn)
    .await
}

/// The last `limit` lines, oldest first.
pub async fn last(conn: &mut PgConnection, permit: &Permit, job: JobId, limit: i64) -> Result<Vec<Line>, sqlx::Error> {
    let end = end(&mut *conn, permit, job).await?;
    after(conn, permit, job, end.seq.saturating_sub(limit).max(0), limit).await
}

/// Where the log ends now.
pub async fn end(conn: &mut PgConnection, permit: &Permit, job: JobId) -> Result<End, sqlx::Error> {
    let end = sqlx::query_as!(
        End,
        "select seq, bytes from job_log_ends where team_id = $1 and job_id = $2",
        permit.team().0,
        job.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(end.unwrap_or_default())
}

/// The whole log as it is now, in pages of about a megabyte, each in a transaction of its own: a slow download holds
/// none open.
pub fn pages(db: Db, permit: Permit, job: JobId) -> impl AsyncStream<Item = Result<Vec<Line>, sqlx::Error>> + Send {
    let begin = (db, permit, End::default());
    stream::try_unfold(begin, move |(db, permit, read)| async move {
        let mut tx = db.begin(&permit).await?;
        let page = sqlx::query_as!(
            Line,
            r#"select seq, at, stream as "stream: Stream", step, offset_bytes, line from job_log
                where team_id = $1 and job_id = $2 and seq > $3 and offset_bytes < $4 order by seq limit $5"#,
            permit.team().0,
            job.0,
            read.seq,
            read.bytes.saturating_add(PAGE_BYTES),
            PAGE_LINES,
        )
        .fetch_all(&mut *tx)
        .await?;
        tx.rollback().await?;
        Ok(page.last().map(place_after).map(|read| (page, (db, permit, read))))
    })
}

/// Where the log goes on after this line.
fn place_after(line: &Line) -> End {
    let length = i64::try_from(line.line.len()).unwrap_or(i64::MAX).saturating_add(1);
    End { seq: line.seq, bytes: line.offset_bytes.saturating_add(length) }
}

/// Drops the months of the log that ended so many days ago. Gives their names.
pub async fn drop_months(conn: &mut PgConnection, days: i32) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar!(r#"select skiff_job_log_drop($1) as "month!""#, days).fetch_all(conn).await
}

/// Makes the partitions of this month and the next. Nearly always finds them made.
pub async fn prepare_months(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!("select skiff_job_log_months()").execute(conn).await.map(drop)
}

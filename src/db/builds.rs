//! Builds: which recipe was built where, so that it is built once. Writes carry the job's fence.

use sqlx::PgConnection;

use crate::domain::build::BuildKey;
use crate::domain::ids::{BuildId, HostId, JobId, SourceId};
use crate::domain::names::{CommitId, ImageId, ImageRef};
use crate::domain::rights::Permit;

/// A build that is about to begin.
#[derive(Clone, Debug)]
pub struct NewBuild<'a> {
    /// Its identity.
    pub id: BuildId,
    /// The source.
    pub source: SourceId,
    /// The commit.
    pub commit: &'a CommitId,
    /// The recipe.
    pub key: &'a BuildKey,
    /// Where it is built.
    pub host: HostId,
    /// The job that builds it.
    pub job: JobId,
    /// The name the image will be kept by.
    pub image: &'a ImageRef,
}

/// The image that a recipe made on a host, as the table has it: whether it is still there, the host says.
pub async fn known(
    conn: &mut PgConnection,
    permit: &Permit,
    key: &BuildKey,
    host: HostId,
) -> Result<Option<ImageId>, sqlx::Error> {
    let found = sqlx::query_scalar!(
        r#"select image_id as "image_id!: ImageId" from builds
            where team_id = $1 and key = $2 and host_id = $3 and image_id is not null"#,
        permit.team().0,
        key.bytes(),
        host.0,
    );
    found.fetch_optional(conn).await
}

/// Notes a build before it begins. False when the job's fence is another one by now: then nothing was written.
pub async fn begin(
    conn: &mut PgConnection,
    permit: &Permit,
    fence: i64,
    build: &NewBuild<'_>,
) -> Result<bool, sqlx::Error> {
    let done = sqlx::query!(
        "insert into builds (team_id, id, source_id, commit_id, key, host_id, job_id, image)
         select $1, $2, $3, $4, $5, $6, j.id, $8 from jobs j
          where j.team_id = $1 and j.id = $7 and j.fence = $9 and j.state = 'running'",
        permit.team().0,
        build.id.0,
        build.source.0,
        build.commit.as_ref(),
        build.key.bytes(),
        build.host.0,
        build.job.0,
        build.image.as_ref(),
        fence,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Notes what a build made. An older build of the same recipe, whose image is gone, gives its place up. False when the
/// job's fence is another one by now.
pub async fn finish(
    conn: &mut PgConnection,
    permit: &Permit,
    fence: i64,
    build: &NewBuild<'_>,
    image: &ImageId,
) -> Result<bool, sqlx::Error> {
    sqlx::query!(
        "update builds set image_id = null
          where team_id = $1 and key = $2 and host_id = $3 and id <> $4 and image_id is not null
            and exists (select from jobs j where j.team_id = $1 and j.id = $5 and j.fence = $6 and j.state = 'running')",
        permit.team().0,
        build.key.bytes(),
        build.host.0,
        build.id.0,
        build.job.0,
        fence,
    )
    .execute(&mut *conn)
    .await?;
    let done = sqlx::query!(
        "update builds b set image_id = $3, finished_at = now() from jobs j
          where b.team_id = $1 and b.id = $2 and j.team_id = $1 and j.id = $4 and j.fence = $5 and j.state = 'running'",
        permit.team().0,
        build.id.0,
        image.as_ref(),
        build.job.0,
        fence,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

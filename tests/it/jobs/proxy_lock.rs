//! The lock on a host's proxy: whoever makes the host ready holds it too, so that nothing is taken out that came meanwhile.

use std::time::Duration;

use skiff::actions::certificates::{self, NewCertificate};
use uuid::Uuid;

use super::certificates::{IMAGE, address, ready, settled};
use super::provision_accidents::begin;
use crate::harness::team::cause;
use crate::harness::tls::Authority;

#[tokio::test(flavor = "multi_thread")]
async fn a_host_is_made_ready_under_the_lock_of_its_proxy() {
    let (host, world, id) = ready().await;
    let app = world.app(id, IMAGE, "shop.test").await;
    app.must_deploy().await;
    let (mut conn, other) = (world.db.superuser().await, Uuid::now_v7());
    let held = "with job as (insert into jobs (id, team_id, kind, args, title, state, lease_until, fence, cause)
                  values ($1, $2, 'other', '{}', 'Another', 'running', now() + interval '1 hour', 1, $4))
                insert into host_locks (team_id, host_id, job_id, fence) values ($2, $3, $1, 1)";
    let held = sqlx::query(held).bind(other).bind(world.team.id.0).bind(id.0).bind(sqlx::types::Json(cause()));
    held.execute(&mut conn).await.unwrap();

    let job = begin(&world, id).await;
    world.reach_step(job, "run the proxy").await;
    let authority = Authority::new("Test Authority");
    let made = authority.issue(&["shop.test"], 90);
    let input = NewCertificate { chain: made.chain.clone(), key: made.key.clone() };
    certificates::upload(&world.actions(), &world.team.owner, input).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let step = "select state from job_steps where job_id = $1 and words = 'run the proxy'";
    let step: String = sqlx::query_scalar(step).bind(job.0).fetch_one(&mut conn).await.unwrap();
    assert_eq!(step, "running", "it waits for the lock");

    sqlx::query("delete from jobs where id = $1").bind(other).execute(&mut conn).await.unwrap();
    let ended = world.over(job).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    settled(&world).await;
    assert_eq!(authority.get(address(&host), 443, "shop.test", "/").await.unwrap().served, made.der);
    let left: i64 = sqlx::query_scalar("select count(*) from host_locks").fetch_one(&mut conn).await.unwrap();
    assert_eq!(left, 0);
    world.quiet().await;
}

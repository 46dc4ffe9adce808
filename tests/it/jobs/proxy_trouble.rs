//! What is in the way of a proxy's files once a change holds: it is tried again until every proxy has it.

use std::time::Duration;

use skiff::actions::apps::Pair;
use skiff::actions::routes::{self, EditFront};

use super::certificates::ready;
use super::routes::without_routes;

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_a_host_cannot_write_down_is_tried_again_until_it_has_it() {
    let (host, world, id) = ready().await;
    let app = without_routes(&world, id).await;
    app.must_deploy().await;
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let bash = async |script: &str| host.enter(&["/bin/bash", "-c", script]).await.must(script);
    let on = |ports: &[&str]| EditFront {
        ports: ports.iter().map(|port| Pair { name: (*port).into(), value: String::new() }).collect(),
        ..EditFront::default()
    };
    let answer = async || {
        let asked = reqwest::get(format!("http://{}:5434/", host.address)).await;
        asked.ok().map(|answer| answer.status().as_u16())
    };

    bash("chown root: /etc/skiff/maps").await;
    let job = routes::set_front(&ctx, owner, app.id, on(&["5434"])).await.unwrap().job.unwrap();
    let mut conn = world.db.superuser().await;
    let put_off = async {
        loop {
            let text = "select state, wait_reason, run_at > now() + interval '10 minutes' from jobs where id = $1";
            let (state, why, late): (String, String, bool) =
                sqlx::query_as(text).bind(job.0).fetch_one(&mut conn).await.unwrap();
            assert!(state == "running" || state == "queued", "{state}: {why}");
            if state == "queued" && late {
                return why;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let why = tokio::time::timeout(Duration::from_secs(60), put_off).await.expect("it is put off");
    assert!(why.contains("/etc/skiff/maps"), "{why}");
    assert_eq!(answer().await, None);

    // Made ready again, the host has it without anybody asking for it.
    assert_eq!(world.provision_again(id).await.state, "succeeded");
    let waits = async {
        while routes::look(&ctx, owner, app.id).await.unwrap().last.unwrap().state
            != skiff::domain::job::JobState::Succeeded
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waits).await.expect("it is told");
    assert_eq!(answer().await, Some(200));
    world.quiet().await;
}

//! Hosts that send one another's requests on: an app on several answers on each of them, whichever has room or is there.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use skiff::actions::routes::{self, EditFront};

use crate::harness::fleet;
use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

const V1: &str = "127.0.0.1:5000/hello:1";
const V2: &str = "127.0.0.1:5000/hello:2";
const DOMAIN: &str = "peers.test";

/// Requests that the app's backend on a host has had since its proxy was loaded: each instance's, and those of all as "BACKEND".
async fn counts(host: &TestHost) -> Vec<(String, u64)> {
    let ask = "echo 'show stat' | socat -t 5 - UNIX-CONNECT:/run/skiff/haproxy.sock";
    let shown = host.enter(&["/bin/bash", "-c", ask]).await.must("the proxy answers");
    let rows = shown.lines().map(|line| line.split(',').collect::<Vec<_>>());
    rows.filter(|row| row[0] == "b0001").map(|row| (row[1].to_owned(), row[7].parse().unwrap())).collect()
}

/// Those that the instances of a host have answered together.
async fn answered(host: &TestHost) -> u64 {
    counts(host).await.into_iter().filter(|(name, _)| name == "BACKEND").map(|(_, count)| count).sum()
}

/// Those that each of them has answered.
async fn answered_each(host: &TestHost) -> Vec<u64> {
    counts(host).await.into_iter().filter(|(name, _)| name != "BACKEND").map(|(_, count)| count).collect()
}

/// Asks a host over and over until told to stop.
async fn visitor(stop: Arc<AtomicBool>, host: String, good: Arc<AtomicU64>, bad: Arc<std::sync::Mutex<Vec<String>>>) {
    let client = reqwest::Client::new();
    while !stop.load(Ordering::Relaxed) {
        match client.get(format!("http://{host}/")).header("host", DOMAIN).send().await {
            Ok(answer) if answer.status() == 200 => drop(good.fetch_add(1, Ordering::Relaxed)),
            Ok(answer) => bad.lock().unwrap().push(format!("{host}: {}", answer.status())),
            Err(error) => bad.lock().unwrap().push(format!("{host}: {error:?}")),
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_on_two_hosts_answers_on_each_with_the_instances_of_both() {
    let (a, b, world) = (TestHost::bare().await, TestHost::bare().await, World::new().await);
    let ids = fleet::ready(&world, &[&a, &b]).await;
    let (id_a, id_b) = (ids[0], ids[1]);
    fleet::reachable(&world, id_a, &a).await;
    fleet::reachable(&world, id_b, &b).await;
    let again = world.provision_again(id_a).await;
    assert!(again.steps.iter().all(|step| step.contains(": unchanged")), "a second run changes nothing: {again:#?}");
    for host in [&a, &b] {
        host.load_app(V1, "1").await;
        host.load_app(V2, "2").await;
    }
    let mut app = world.app(id_a, V1, DOMAIN).await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 1)]).await;
    let first = app.must_deploy().await;
    assert!(!first.log.contains("private address"), "{first:#?}");

    // Only the team's hosts get through the second door; and it is no way to the first.
    let stranger =
        reqwest::Client::new().get(format!("http://{}:7080/", a.address)).header("host", DOMAIN).send().await;
    assert!(stranger.is_err(), "{stranger:?}");
    for (asked, other) in [(&a, &b), (&b, &a)] {
        let before = answered(other).await;
        for _ in 0..20 {
            assert_eq!(ask(asked, DOMAIN, "/").await.0, 200);
        }
        assert!(answered(other).await > before, "the other host answers some of them");
    }

    // Deploys, a host that goes and one that comes back: nobody notices, on any host the app is on.
    let (stop, good, bad) = (Arc::default(), Arc::default(), Arc::default());
    let visiting = tokio::spawn(visitor(Arc::clone(&stop), a.address.clone(), Arc::clone(&good), Arc::clone(&bad)));
    app.image(V2).await;
    app.must_deploy().await;
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1)]).await;
    let left = app.must_deploy().await;
    assert!(app.containers(&b).await.is_empty(), "{left:#?}");
    fleet::place(&world, app.id, &mut app.spec, &[(id_a, 1), (id_b, 2)]).await;
    let back = app.must_deploy().await;
    let before = answered(&b).await;
    for _ in 0..20 {
        assert_eq!(ask(&a, DOMAIN, "/").await.0, 200);
    }
    assert!(answered(&b).await > before, "{back:#?}");

    // The other host is gone: its share is answered here.
    b.cut().await;
    for _ in 0..20 {
        assert_eq!(ask(&a, DOMAIN, "/").await.0, 200);
    }
    b.heal().await;
    stop.store(true, Ordering::Relaxed);
    visiting.await.unwrap();
    assert!(bad.lock().unwrap().is_empty() && good.load(Ordering::Relaxed) > 20, "{bad:?}");
    app.must_deploy().await;

    // The same instance: one visitor stays at one of the three, through the proxies of both hosts where that is not the host asked.
    let front = EditFront { sticky: "yes".into(), ..EditFront::default() };
    let changed = routes::set_front(&world.actions(), &world.team.owner, app.id, front).await.unwrap();
    let ended = world.over(changed.job.expect("proxies lead to it")).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    for asked in [&a, &b] {
        let before = [answered_each(&a).await, answered_each(&b).await].concat();
        for _ in 0..12 {
            assert_eq!(ask(asked, DOMAIN, "/").await.0, 200);
        }
        let after = [answered_each(&a).await, answered_each(&b).await].concat();
        let grown: Vec<u64> = after.iter().zip(&before).map(|(now, then)| now - then).collect();
        assert!(grown.len() == 3 && grown.contains(&12) && grown.iter().sum::<u64>() == 12, "{grown:?}");
    }

    // Who serves is in the file: a proxy that is started anew sends to both as before.
    let file = a.enter(&["cat", "/etc/skiff/haproxy.cfg"]).await.must("the file is there");
    assert!(file.contains(&format!("{}:7080 weight 2 check", b.address)), "{file}");
    world.quiet().await;
}

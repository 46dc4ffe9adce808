//! A port without HTTP that somebody else takes while the proxy is down: everything else is served, the host's check says so, and the port is
//! opened once it is free.

use skiff::actions::apps::{self, Pair};
use skiff::actions::routes::{self, EditFront, EditRules};

use super::check_host::differences;
use super::routes::without_routes;
use crate::harness::host::TestHost;
use crate::harness::probe::Probe;
use crate::harness::world::{World, ask};

const IMAGE: &str = "127.0.0.1:5000/hello:1";

#[tokio::test(flavor = "multi_thread")]
async fn a_port_taken_while_the_proxy_is_down_keeps_nothing_else_from_being_served() {
    let (host, world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app(IMAGE, "1").await;
    let other = world.app(id, IMAGE, "other.test").await;
    other.must_deploy().await;
    let app = without_routes(&world, id).await;
    app.must_deploy().await;
    let front = EditFront { ports: vec![Pair { name: "5434".into(), value: String::new() }], ..EditFront::default() };
    let job = routes::set_front(&world.actions(), &world.team.owner, app.id, front).await.unwrap().job.unwrap();
    assert_eq!(world.over(job).await.state, "succeeded");
    let url = format!("http://{}:5434/", host.address);
    let get = async || Ok::<_, reqwest::Error>(reqwest::get(&url).await?.text().await?.trim().to_owned());
    assert_eq!(get().await.unwrap(), "1");
    assert_eq!(differences(&world, id).await, [""; 0]);

    // Down, taken, up again.
    let take = "/etc/init.d/skiff-haproxy stop; for i in $(seq 100); do ss -Hltn 'sport = :5434' | grep -q . || break; sleep 0.1; done
        setsid socat TCP-LISTEN:5434,fork,reuseaddr EXEC:cat >/dev/null 2>&1 & echo $! >/tmp/taken
        for i in $(seq 50); do ss -Hltn 'sport = :5434' | grep -q . && break; sleep 0.1; done; /etc/init.d/skiff-haproxy start";
    host.enter(&["/bin/bash", "-c", take]).await.must("taken");
    let served = async {
        while reqwest::get(format!("http://{}/", host.address)).await.is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), served).await.expect("it starts");
    assert_eq!(ask(&host, "other.test", "/").await.0, 200);
    let said = differences(&world, id).await;
    assert!(said.iter().any(|line| line.starts_with("/etc/skiff/haproxy.cfg: ")), "{said:?}");

    // Nor is it in the way of another app's deploys.
    other.must_deploy().await;
    assert_eq!(ask(&host, "other.test", "/").await.0, 200);
    assert_eq!(differences(&world, id).await, ["port 5434: socat"]);
    // What needs a reload is refused with the port's name, and the proxy lets go of nothing to find that out.
    let probe = Probe::start(&host, "other.test");
    let (ctx, owner) = (world.actions(), &world.team.owner);
    let route = apps::get(&ctx, owner, other.id).await.unwrap().routes[0].id;
    let only = EditRules { allow: "10.9.9.9".into(), ..EditRules::default() };
    let job = routes::set_rules(&ctx, owner, other.id, route, only).await.unwrap().job.unwrap();
    let ended = world.over(job).await;
    assert!(ended.state == "failed" && ended.reason.contains("Port 5434 cannot be opened"), "{ended:#?}");
    assert!(ended.reason.contains("(socat, process "), "{ended:#?}");
    probe.clean("a port that is taken").await;

    // Started as a former version did, the port would be in everybody's way again.
    let former = "sed -i 's| /usr/local/lib/skiff/start-haproxy /etc/skiff/haproxy.cfg | |' /etc/init.d/skiff-haproxy";
    host.enter(&["/bin/bash", "-c", former]).await.must("former");
    let said = differences(&world, id).await;
    assert!(said.contains(&"service skiff-haproxy: not there, or of a former version".to_owned()), "{said:?}");

    // Free again.
    host.enter(&["/bin/bash", "-c", "pkill -s $(cat /tmp/taken) || kill $(cat /tmp/taken)"]).await.must("freed");
    let ended = world.provision_again(id).await;
    assert_eq!(ended.state, "succeeded", "{ended:#?}");
    assert_eq!(get().await.unwrap(), "1");
    // What was refused meanwhile holds now.
    let holds = async {
        while ask(&host, "other.test", "/").await.0 != 403 || routes::look(&ctx, owner, other.id).await.unwrap().waits {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(15), holds).await.expect("it holds");
    assert_eq!(differences(&world, id).await, [""; 0]);
    world.quiet().await;
}

//! Without the panel: the script of a release starts a container equal to the panel's, and the panel takes it from there
//! when it is back.

use serde_json::{Value, json};
use skiff::domain::app::Mount;
use skiff::domain::ids::VolumeId;

use crate::harness::host::TestHost;
use crate::harness::world::{World, ask};

#[tokio::test(flavor = "multi_thread")]
async fn the_script_starts_an_equal_container_and_the_next_deploy_replaces_it() {
    let (host, mut world) = (TestHost::bare().await, World::new().await);
    let id = world.provision(&host).await;
    host.load_app("127.0.0.1:5000/hello:1", "1").await;
    host.load_app("127.0.0.1:5000/hello:2", "2").await;
    let mut app = world.app(id, "127.0.0.1:5000/hello:1", "alone.test").await;
    let mut spec = app.spec.clone();
    (spec.memory_mib, spec.cpu_milli, spec.stop_grace_s) = (Some(64), Some(500), 3);
    let odd = "two lines\n$(reboot) 'and' \"quotes\" \\ \t end ";
    for (name, value) in [("ODD", odd), ("PATH", "/app/bin"), ("EMPTY", ""), ("DOCKER_HOST", "tcp://nowhere:1")] {
        spec.variables.insert(name.parse().unwrap(), value.parse().unwrap());
    }
    let volume = VolumeId(uuid::Uuid::now_v7());
    spec.mounts = vec![Mount { volume, name: "data".parse().unwrap(), path: "/data".parse().unwrap() }];
    app.save(spec.clone()).await;
    let (app_id, source) = (app.id, app.source);
    app.must_deploy().await;
    let made = app.containers(&host).await.into_keys().next().unwrap();
    let wanted = described(&host, &made).await;

    world.stop_worker().await;
    let script = format!("/var/lib/skiff/apps/{}/1/run.bash", app_id.simple());
    let said = host.enter(&["/bin/bash", &script]).await.must("the script runs");
    assert_eq!(ask(&host, "alone.test", "/").await.0, 200, "{said}");
    let filter = format!("label=skiff.app={app_id}");
    let running = host.docker(&["ps", "--filter", &filter, "--format", "{{.Names}}"]).await;
    let alone = running.trim().to_owned();
    assert!(!alone.contains('\n') && alone != made, "{running:?}: {said}");
    pretty_equal(&described(&host, &alone).await, &wanted);

    world.start_worker();
    let app = world.known_app(app_id, source, id, spec);
    app.image("127.0.0.1:5000/hello:2").await;
    let ended = app.must_deploy().await;
    for _ in 0..10 {
        assert!(ask(&host, "alone.test", "/").await.1.contains('2'), "{ended:#?}");
    }
    let left = app.containers(&host).await;
    assert_eq!(left.get(&alone).map(String::as_str), Some("exited"), "stopped, not removed: {left:?} {ended:#?}");
    assert_eq!(left.len(), 2, "{left:?}");
    world.quiet().await;
}

/// What a container is made of: everything Docker says about it but what is its own by nature (names, ids, times,
/// addresses), with the labels that name the deploy left out. Empty values are left out: the two ways to ask Docker
/// differ in how they say nothing.
async fn described(host: &TestHost, name: &str) -> Value {
    let text = host.docker(&["inspect", name]).await;
    let all: Value = serde_json::from_str(&text).unwrap();
    let mut config = all[0]["Config"].clone();
    let labels = config["Labels"].as_object_mut().unwrap();
    labels.remove("skiff.deploy");
    labels.remove("skiff.instance");
    config["Hostname"] = Value::Null;
    let mut env: Vec<String> = serde_json::from_value(config["Env"].clone()).unwrap();
    env.sort();
    config["Env"] = json!(env);
    let networks: Vec<&String> = all[0]["NetworkSettings"]["Networks"].as_object().unwrap().keys().collect();
    let mut host_config = all[0]["HostConfig"].clone();
    // The terminal's size at the moment of asking.
    host_config["ConsoleSize"] = Value::Null;
    let mut described = json!({
        "config": config,
        "host": host_config,
        "mounts": all[0]["Mounts"],
        "networks": networks,
        "image": all[0]["Image"],
        "path": all[0]["Path"],
        "args": all[0]["Args"],
    });
    drop_empty(&mut described);
    described
}

fn drop_empty(value: &mut Value) {
    if let Value::Object(map) = value {
        map.values_mut().for_each(drop_empty);
        map.retain(|_, v| {
            !matches!(v, Value::Null | Value::Bool(false))
                && *v != json!("")
                && *v != json!([])
                && *v != json!({})
                && *v != json!(0)
        });
    }
}

fn pretty_equal(left: &Value, right: &Value) {
    assert_eq!(format!("{left:#}"), format!("{right:#}"));
}

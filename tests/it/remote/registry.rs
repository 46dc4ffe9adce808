//! A small image registry (OCI distribution: manifests and blobs) that the test host reaches on its own loopback, where
//! Docker asks for no certificate.

use super::connected;
use crate::harness::host::TestHost;
use base64::Engine;
use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use skiff::domain::container::Login;
use skiff::domain::names::ImageRef;
use skiff::domain::secret::Secret;
use skiff::remote::Error;
use skiff::remote::docker::PullProgress;
use std::collections::HashMap;
use std::convert::Infallible;
use std::io::Read;
use std::sync::Arc;

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// The path of each answer, with its kind and bytes.
type Shelf = HashMap<String, (&'static str, Vec<u8>)>;

fn digest(bytes: &[u8]) -> String {
    format!("sha256:{}", hex::encode(Sha256::digest(bytes)))
}

/// One image of one layer, as `team/app:v1`; its manifest's digest and its id.
fn shelf() -> (Shelf, String, String) {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_ustar();
    header.set_size(2_000_000);
    header.set_cksum();
    tar.append_data(&mut header, "file", std::io::repeat(b'x').take(2_000_000)).unwrap();
    let layer = tar.into_inner().unwrap();
    let config = serde_json::json!({"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/x"]},
        "rootfs": {"type": "layers", "diff_ids": [digest(&layer)]}});
    let config = config.to_string().into_bytes();
    let part =
        |kind: &str, bytes: &[u8]| serde_json::json!({"mediaType": kind, "size": bytes.len(), "digest": digest(bytes)});
    let manifest = serde_json::json!({"schemaVersion": 2, "mediaType": MANIFEST,
        "config": part("application/vnd.docker.container.image.v1+json", &config),
        "layers": [part("application/vnd.docker.image.rootfs.diff.tar.gzip", &layer)]});
    let manifest = manifest.to_string().into_bytes();
    let (by, id) = (digest(&manifest), digest(&config));
    let blob = |bytes: &[u8]| format!("/v2/team/app/blobs/{}", digest(bytes));
    let shelf = HashMap::from([
        ("/v2/".to_owned(), ("application/json", b"{}".to_vec())),
        (format!("/v2/team/app/manifests/{by}"), (MANIFEST, manifest.clone())),
        ("/v2/team/app/manifests/v1".to_owned(), (MANIFEST, manifest)),
        (blob(&config), ("application/octet-stream", config)),
        (blob(&layer), ("application/octet-stream", layer)),
    ]);
    (shelf, by, id)
}

/// Serves the shelf on this address, to anyone or to those with this user and password; the port.
async fn serve(address: &str, shelf: Arc<Shelf>, login: Option<&'static str>) -> u16 {
    let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((peer, _)) = listener.accept().await {
            let shelf = shelf.clone();
            let answer = hyper::service::service_fn(move |asked: Request<hyper::body::Incoming>| {
                let shelf = shelf.clone();
                async move { Ok::<_, Infallible>(answer(&asked, &shelf, login)) }
            });
            tokio::spawn(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(peer), answer));
        }
    });
    port
}

fn answer(asked: &Request<hyper::body::Incoming>, shelf: &Shelf, login: Option<&str>) -> Response<Full<Bytes>> {
    let given = asked.headers().get(AUTHORIZATION).and_then(|value| value.to_str().ok()?.strip_prefix("Basic "));
    let wanted = login.map(|login| base64::engine::general_purpose::STANDARD.encode(login));
    if wanted.is_some_and(|wanted| given != Some(wanted.as_str())) {
        let refusal = Response::builder().status(401).header(WWW_AUTHENTICATE, "Basic realm=\"test\"");
        return refusal
            .body(Full::from("{\"errors\":[{\"code\":\"UNAUTHORIZED\",\"message\":\"authentication required\"}]}"))
            .unwrap();
    }
    match shelf.get(asked.uri().path()) {
        Some((kind, bytes)) => {
            let found = Response::builder().header(CONTENT_TYPE, *kind).header("docker-content-digest", digest(bytes));
            found.body(Full::from(bytes.clone())).unwrap()
        }
        None => {
            let unknown = "{\"errors\":[{\"code\":\"MANIFEST_UNKNOWN\",\"message\":\"manifest unknown\"}]}";
            Response::builder().status(404).body(Full::from(unknown)).unwrap()
        }
    }
}

#[tokio::test]
async fn images_are_pulled_by_tag_and_digest_and_refusals_are_told_apart() {
    let rig = TestHost::light().await;
    let host = connected(&rig).await;
    let (shelf, by, id) = shelf();
    let shelf = Arc::new(shelf);
    let outside = rig.address.replace(".2", ".1");
    assert!(outside.ends_with(".1") && outside != rig.address);
    let (open, locked) = (serve(&outside, shelf.clone(), None).await, serve(&outside, shelf, Some("ada:s3cret")).await);
    let forward = |name: &str, here: u16, there: u16| {
        format!("listen {name}\n  bind 127.0.0.1:{here}\n  server out {outside}:{there}\n")
    };
    let config = format!(
        "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 1m\n  timeout server 1m\n{}{}",
        forward("open", 5000, open),
        forward("locked", 5001, locked)
    );
    host.put("/tmp/registry.cfg", config.as_bytes(), 0o644).await.unwrap();
    assert_eq!(rig.enter(&["/usr/sbin/haproxy", "-q", "-D", "-f", "/tmp/registry.cfg"]).await.status, 0);
    let bulk = host.docker_bulk();
    let name = |text: &str| text.parse::<ImageRef>().unwrap();

    let mut steps: Vec<PullProgress> = Vec::new();
    let image = bulk.pull(&name("127.0.0.1:5000/team/app:v1"), None, &mut |step| steps.push(step)).await.unwrap();
    assert_eq!(image.id.as_ref(), id);
    assert_eq!(image.repo_digests, [format!("127.0.0.1:5000/team/app@{by}")]);
    assert!(steps.iter().any(|step| step.status == "Pull complete" && !step.layer.is_empty()), "{steps:?}");
    assert!(steps.iter().any(|step| step.total > 1_000_000 && step.done > 0), "{steps:?}");
    let pinned = name(&format!("127.0.0.1:5000/team/app@{by}"));
    assert_eq!(bulk.pull(&pinned, None, &mut |_| {}).await.unwrap().id, image.id);
    assert_eq!(host.docker().image(&pinned).await.unwrap().unwrap().id, image.id);

    let absent = bulk.pull(&name("127.0.0.1:5000/team/app:v9"), None, &mut |_| {}).await;
    assert!(matches!(absent, Err(Error::NoSuchImage { .. })), "{absent:?}");
    let login = |password: &str| Login { user: "ada".to_owned(), password: Secret::new(password.to_owned()) };
    let locked = name("127.0.0.1:5001/team/app:v1");
    for wrong in [None, Some(login("guess"))] {
        let refused = bulk.pull(&locked, wrong.as_ref(), &mut |_| {}).await;
        assert!(matches!(refused, Err(Error::RegistryDenied { .. })), "{refused:?}");
    }
    assert_eq!(bulk.pull(&locked, Some(&login("s3cret")), &mut |_| {}).await.unwrap().id, image.id);
}

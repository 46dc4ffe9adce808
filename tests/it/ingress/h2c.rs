//! An app that speaks HTTP/2 alone, as gRPC does: another HAProxy, which says by which version it was asked; and a server that takes calls
//! as gRPC makes them.

use std::convert::Infallible;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Command, Stdio};

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::{HeaderMap, Request, Response, StatusCode, Version};
use hyper_util::rt::{TokioExecutor, TokioIo};
use skiff::domain::ids::CertificateId;
use skiff::domain::ingress::{Tls, admit};
use skiff::domain::rules::Wire;

use super::apps::{free_port, get};
use super::proxy::{Proxy, until};
use super::{address, backend, route};
use crate::harness::tls::Authority;

/// Apps that speak HTTP/2 alone and say so, at these addresses.
pub struct Apps {
    child: Child,
    _folder: tempfile::TempDir,
}

impl Apps {
    pub fn serve(port: u16, at: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("app.cfg");
        let mut text = "defaults\n    mode http\n    timeout client 5s\n".to_owned();
        for last in at {
            let (place, answer) = (address(*last), "content-type text/plain lf-string \"by %[req.ver]\"");
            text += &format!(
                "frontend a{last}\n    bind {place}:{port} proto h2\n    http-request return status 200 {answer}\n"
            );
        }
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new("/usr/sbin/haproxy");
        let child = command.args(["-db", "-f"]).arg(&config).stderr(Stdio::null()).spawn().unwrap();
        Self { child, _folder: folder }
    }
}

impl Drop for Apps {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn an_app_is_asked_by_http_2_where_it_says_so() {
    let port = free_port();
    let _apps = Apps::serve(port, &[1, 2]);
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("grpc-1", 1)])];
        ingress.backends[0].front.h2c = true;
        ingress.routes = vec![(route("grpc.test", "/"), 1)];
    });
    until("the app answers", || (get(proxy.port(), "grpc.test", "/").body == "by 2.0").then_some(()));
    // One that comes while the proxy runs is spoken to in the same way.
    proxy.tell(&admit(1, &"grpc-2".parse().unwrap(), address(2), port, Wire::H2c));
    proxy.tell(&skiff::domain::ingress::drain(1, &"grpc-1".parse().unwrap()));
    until("the second answers", || (get(proxy.port(), "grpc.test", "/").body == "by 2.0").then_some(()));
}

/// Gives back what was sent, and behind it how it came.
async fn call(
    request: Request<Incoming>,
) -> Result<Response<impl hyper::body::Body<Data = Bytes, Error = Infallible>>, Infallible> {
    let te = request.headers().get("te").and_then(|te| te.to_str().ok()).unwrap_or("none").to_owned();
    let came = format!("{} {} {:?} te={te}", request.method(), request.uri().path(), request.version());
    let sent = request.into_body().collect().await.unwrap();
    let last = sent.trailers().and_then(|all| all.get("x-last")).cloned();
    let last = last.unwrap_or_else(|| "none".parse().unwrap());
    let mut trailers = HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    trailers.insert("x-came", came.parse().unwrap());
    trailers.insert("x-last", last);
    let frames = [Ok(Frame::data(sent.to_bytes())), Ok(Frame::trailers(trailers))];
    Ok(Response::builder()
        .header("content-type", "application/grpc")
        .body(StreamBody::new(stream::iter(frames)))
        .unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_grpc_comes_through_with_its_body_and_its_trailers() {
    let (port, https, authority) = (free_port(), free_port(), Authority::new("Test"));
    let listener = tokio::net::TcpListener::bind((address(1), port)).await.unwrap();
    let app = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let served = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(served.serve_connection(TokioIo::new(stream), hyper::service::service_fn(call)));
        }
    });
    let (id, made) = (CertificateId(uuid::Uuid::from_u128(1)), authority.issue(&["grpc.test"], 90));
    let proxy = Proxy::start(|ingress| {
        ingress.backends = vec![backend(1, port, &[("grpc-1", 1)])];
        ingress.backends[0].front.h2c = true;
        ingress.routes = vec![(route("grpc.test", "/"), 1)];
        let mut tls = Tls::empty(https);
        tls.certificates.insert(id);
        tls.secured.insert("grpc.test".parse().unwrap());
        ingress.tls = Some(tls);
        std::fs::create_dir_all(ingress.home.tls.folder.as_ref()).unwrap();
        std::fs::write(ingress.home.tls.certificate(id), format!("{}{}", made.chain, made.key)).unwrap();
    });
    assert_eq!(get(proxy.port(), "grpc.test", "/").status, 308, "in the clear it leads on");

    let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let stream = authority.connect(here, https, "grpc.test", &["h2"]).await.unwrap();
    let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.unwrap();
    let driven = tokio::spawn(connection);
    // More than one window of HTTP/2 (64 KiB), in pieces whose number nobody was told before.
    let piece = Bytes::from(vec![b'x'; 50_000]);
    let mut last = HeaderMap::new();
    last.insert("x-last", "of-the-request".parse().unwrap());
    let frames = (0..4).map(|_| Ok::<_, Infallible>(Frame::data(piece.clone()))).chain([Ok(Frame::trailers(last))]);
    let request = Request::post(format!("https://grpc.test:{https}/shop.Orders/Place"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .body(StreamBody::new(stream::iter(frames.collect::<Vec<_>>())))
        .unwrap();
    let answer = sender.send_request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(answer.headers()["content-type"], "application/grpc");
    let body = answer.into_body().collect().await.unwrap();
    let trailers = body.trailers().cloned().unwrap();
    assert_eq!(trailers["grpc-status"], "0");
    assert_eq!(trailers["x-came"], "POST /shop.Orders/Place HTTP/2.0 te=trailers");
    assert_eq!(trailers["x-last"], "of-the-request");
    assert!(body.to_bytes().iter().filter(|byte| **byte == b'x').count() == 200_000);
    driven.abort();
    app.abort();
}

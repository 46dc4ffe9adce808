//! How much a request may send: the most of a route, measured before the app gets any of it.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, Empty, StreamBody};
use hyper::body::Frame;
use hyper::client::conn::http2;
use hyper::{Method, Request};
use hyper_util::rt::{TokioExecutor, TokioIo};
use skiff::domain::rules::Rules;

use super::apps::{Client, LIMIT, get};
use super::rule;
use super::rules::proxy;

#[test]
fn what_is_longer_than_allowed_or_does_not_say_how_long_is_refused() {
    let (proxy, _app) = proxy(|ingress| {
        rule(ingress, 1, "shop.test", "/up", Rules { body_kib: Some(1), ..Rules::default() });
        rule(ingress, 1, "shop.test", "/big", Rules { body_kib: Some(5 * 1024), ..Rules::default() });
    });
    let post_at = |path: &str, length: &str, body: &[u8]| {
        let mut client = Client::open(proxy.port());
        client.send_raw(format!("POST {path} HTTP/1.1\r\nHost: shop.test\r\n{length}\r\n\r\n").as_bytes());
        client.send_raw(body);
        client.read()
    };
    let post = |length: &str, body: &[u8]| post_at("/up", length, body).status;
    assert_eq!(post("Content-Length: 1025", b""), 413);
    // In the unit of the form.
    let said = post_at("/big", "Content-Length: 5242881", b"").body;
    assert_eq!(said, "This is longer than the 5 MB that the app takes.\n");
    let said = post_at("/big", "Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n").body;
    assert_eq!(said, "Say how long this is: the app takes at most 5 MB.\n");
    assert_eq!(post("Transfer-Encoding: chunked", b"1\r\nx\r\n0\r\n\r\n"), 411);
    assert_eq!(get(proxy.port(), "shop.test", "/up").status, 200);
}

/// What is answered by HTTP/2 to this method at `/up`, with these bodies of frames, or none: none says that its head is its end. Not by
/// curl: one of 2023 may take the reset behind an early answer for a failure, and says nothing of the answer.
async fn by_two(port: u16, method: Method, frames: Option<&[&'static [u8]]>) -> u16 {
    let stream = tokio::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.unwrap();
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.unwrap();
    let driven = tokio::spawn(connection);
    let request = Request::builder().method(method).uri("http://shop.test/up");
    let asked = match frames {
        None => request.body(BodyExt::boxed(Empty::new())),
        Some(frames) => {
            let frames: Vec<_> =
                frames.iter().map(|data| Ok::<_, Infallible>(Frame::data(Bytes::from_static(data)))).collect();
            request.body(BodyExt::boxed(StreamBody::new(stream::iter(frames))))
        }
    };
    let answer =
        tokio::time::timeout(LIMIT, sender.send_request(asked.unwrap())).await.expect("it is answered in time");
    let status = answer.unwrap().status().as_u16();
    driven.abort();
    status
}

#[tokio::test]
async fn by_http_2_no_method_sends_a_body_without_saying_how_long_it_is() {
    let (proxy, _app) = proxy(|ingress| {
        rule(ingress, 1, "shop.test", "/up", Rules { body_kib: Some(1), ..Rules::default() });
    });
    for method in [Method::GET, Method::HEAD, Method::OPTIONS, Method::DELETE, Method::POST] {
        // A request has no length where it has no body, and does not wait for one.
        assert_eq!(by_two(proxy.port(), method.clone(), None).await, 200, "{method}");
        assert_eq!(by_two(proxy.port(), method.clone(), Some(&[b"x"])).await, 411, "{method}");
        let long: &[&[u8]] = &[&[b'x'; 1000], &[b'x'; 1000]];
        assert_eq!(by_two(proxy.port(), method.clone(), Some(long)).await, 411, "{method}");
    }
}

#[test]
fn a_websocket_goes_through_where_bodies_have_a_limit() {
    let (proxy, _app) = proxy(|ingress| {
        rule(ingress, 1, "shop.test", "/up", Rules { body_kib: Some(1), ..Rules::default() });
    });
    let mut client = Client::open(proxy.port());
    client.send(
        "shop.test",
        "/up",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    assert!(client.line().starts_with("HTTP/1.1 101 "));
    while client.line() != "\r\n" {}
    client.send_raw(b"there and back\n");
    assert_eq!(client.line(), "there and back\n");
}

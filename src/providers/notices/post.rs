//! One POST of JSON to an address that a user named. No redirect is followed: what was judged is where it goes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, HOST, HeaderValue, RETRY_AFTER, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use url::Url;

use super::outward::{addresses, connect};
use super::{NotSent, Outside, said};
use crate::domain::VERSION;

/// Bytes of an answer that are read: an error's JSON is shorter.
const ANSWER: usize = 16 * 1024;
/// The longest a service may put us off.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);

/// An answer.
pub(super) struct Answer {
    /// The status.
    pub status: u16,
    /// The beginning of the body.
    pub body: String,
    /// When to ask again, where it says so.
    pub after: Option<Duration>,
}

impl Answer {
    /// The body as JSON; null where it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }

    /// True where it was taken.
    pub fn is_fine(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Why it was not taken: what was said, and what to try.
    pub fn refusal(&self, service: &str, said_by_it: &str, advice: &str) -> NotSent {
        let detail = match said_by_it {
            "" => String::new(),
            text => format!(": {}", said(text)),
        };
        let advice = if advice.is_empty() { String::new() } else { format!(" {advice}") };
        let again = matches!(self.status, 408 | 425 | 429) || self.status >= 500;
        NotSent { words: format!("{service} answered {}{detail}.{advice}", self.status), again, after: self.after }
    }
}

/// Sends a body, and gives the answer.
pub(super) async fn post(
    outside: &Outside,
    url: &Url,
    body: String,
    headers: &[(&'static str, String)],
) -> Result<Answer, NotSent> {
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let request = request(url, body, headers)?;
    let stream = connect(host, &addresses(outside, host, port).await?).await?;
    if url.scheme() == "http" {
        return ask(host, stream, request).await;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let cannot = |error: rustls::Error| NotSent::later(format!("This machine cannot speak TLS: {error}."));
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let tls = tls.map_err(cannot)?.with_root_certificates(outside.trusted()).with_no_client_auth();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name =
        ServerName::try_from(bare.to_owned()).map_err(|_| NotSent::never(format!("{host} is no name for TLS.")))?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(name, stream).await.map_err(|error| {
        NotSent::later(format!(
            "{host} did not prove who it is: {}. Is its certificate in order?",
            said(&error.to_string())
        ))
    })?;
    ask(host, stream, request).await
}

fn request(url: &Url, body: String, headers: &[(&'static str, String)]) -> Result<Request<Full<Bytes>>, NotSent> {
    let cannot = || NotSent::never("The address cannot be asked: enter it again.");
    let path = url.query().map_or_else(|| url.path().to_owned(), |query| [url.path(), "?", query].concat());
    let authority = match (url.host_str(), url.port()) {
        (Some(host), Some(port)) => format!("{host}:{port}"),
        (host, _) => host.unwrap_or_default().to_owned(),
    };
    let mut request = Request::post(path)
        .header(HOST, authority)
        .header(USER_AGENT, format!("Skiff/{VERSION}"))
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, body.len());
    for (name, value) in headers {
        let mut value = HeaderValue::from_str(value).map_err(|_| cannot())?;
        value.set_sensitive(true);
        request = request.header(*name, value);
    }
    request.body(Full::new(Bytes::from(body))).map_err(|_| cannot())
}

async fn ask<S>(host: &str, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, NotSent>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broke = |error: hyper::Error| NotSent::later(format!("{host} broke off: {}.", said(&error.to_string())));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broke)?;
    // Ends with this function: the set is dropped.
    let mut driving = JoinSet::new();
    driving.spawn(async move { drop(connection.await) });
    let response = sender.send_request(request).await.map_err(broke)?;
    let (status, after) = (response.status().as_u16(), wait(&response));
    // What it says beyond the limit, or breaks off in, is not needed: the status is there.
    let body = Limited::new(response.into_body(), ANSWER).collect().await;
    let body = body.map(|body| String::from_utf8_lossy(&body.to_bytes()).into_owned()).unwrap_or_default();
    Ok(Answer { status, body, after })
}

fn wait<B>(response: &Response<B>) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse::<u64>().ok()?;
    Some(Duration::from_secs(seconds).min(LONGEST_WAIT))
}

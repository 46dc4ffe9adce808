//! The client of a panel's `/api/v1`: one address, one token, and every way it can go wrong as one sentence. It works from any
//! machine, so nothing of the panel's own is used here. Not here: what is asked for, how it is shown.

mod answer;
pub mod settings;

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Method, Request, Response, StatusCode, header};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client as Http;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use serde_json::Value;
use tokio::time::timeout;
use url::Url;

use super::Failed;
use crate::domain::VERSION;
use settings::Signed;

/// How long a connection may take: longer than three lost SYNs.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take: the panel waits up to a minute where it is asked to.
const ANSWER: Duration = Duration::from_secs(75);
/// Silence in a stream after which it is taken for dead: three of the panel's signs of life.
const SILENCE: Duration = Duration::from_secs(45);
/// Pauses before asking again: a panel that restarts is back within seconds.
const PAUSES: [Duration; 3] = [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(3)];
/// Bytes of an answer that are read: the panel's longest lists are far below.
const MAX_ANSWER: usize = 16 * 1024 * 1024;

/// A panel, and a token for it.
#[derive(Clone)]
pub struct Client {
    http: Http<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: Url,
    token: String,
}

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Ask {
    method: Method,
    path: Vec<String>,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
    once: Option<String>,
}

impl Ask {
    /// Reads.
    pub fn get(path: &[&str]) -> Self {
        Self::new(Method::GET, path, None)
    }

    /// Makes or begins something.
    pub fn post(path: &[&str], body: Value) -> Self {
        Self::new(Method::POST, path, Some(body))
    }

    /// Sets something.
    pub fn put(path: &[&str], body: Value) -> Self {
        Self::new(Method::PUT, path, Some(body))
    }

    /// Changes what is in it.
    pub fn patch(path: &[&str], body: Value) -> Self {
        Self::new(Method::PATCH, path, Some(body))
    }

    /// Takes away what the body names once more.
    pub fn delete_named(path: &[&str], body: Value) -> Self {
        Self::new(Method::DELETE, path, Some(body))
    }

    /// Removes something.
    pub fn delete(path: &[&str]) -> Self {
        Self::new(Method::DELETE, path, None)
    }

    /// Removes something that is named once more.
    pub fn delete_as(path: &[&str], body: Value) -> Self {
        Self::new(Method::DELETE, path, Some(body))
    }

    fn new(method: Method, path: &[&str], body: Option<Value>) -> Self {
        let path = path.iter().map(ToString::to_string).collect();
        Self { method, path, query: Vec::new(), body, once: None }
    }

    /// With a parameter.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    /// With a key by which the panel knows it again: it may be asked twice and is done once.
    pub fn once(mut self) -> Self {
        self.once = Some(uuid::Uuid::new_v4().to_string());
        self
    }

    /// True where asking twice does no more than asking once.
    fn may_repeat(&self) -> bool {
        self.method == Method::GET || self.once.is_some()
    }
}

impl Client {
    /// A client for this panel. Nothing is asked yet.
    pub fn new(signed: Signed) -> Result<Self, Failed> {
        let mut roots = RootCertStore::empty();
        // One of the machine's that cannot be read is not trusted, the others are.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let cannot = |error| Failed::Unreached(format!("This machine cannot speak TLS: {error}."));
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls = tls.map_err(cannot)?.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        // Redirects are not followed: the token is for this address, not for one that it names.
        let http = Http::builder(TokioExecutor::new()).build(connector);
        Ok(Self { http, base: signed.url, token: signed.token })
    }

    /// The panel's address.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Where the panel's docs say more about a document, as a line of its own; empty where they do not.
    pub fn more(&self, document: &Value) -> String {
        answer::more(&self.base, document)
    }

    /// Asks, and gives the answer's document; null where the panel answers with none.
    pub async fn ask(&self, ask: Ask) -> Result<Value, Failed> {
        let mut pauses = PAUSES.iter().filter(|_| ask.may_repeat());
        loop {
            let asked = timeout(ANSWER, async {
                let response = self.send(&ask, "application/json").await?;
                let away = is_away(response.status());
                Ok::<_, Failed>((away, self.document(response).await))
            });
            let failed = match asked.await {
                Ok(Ok((false, answer))) => return answer,
                Ok(Ok((true, answer))) => answer.err(),
                Ok(Err(failed)) => Some(failed),
                Err(_) => Some(answer::slow(&self.base)),
            };
            match (pauses.next(), failed) {
                (Some(pause), _) => tokio::time::sleep(*pause).await,
                (None, Some(failed)) => return Err(failed),
                (None, None) => return Err(answer::not_a_panel(&self.base, "it answered nothing")),
            }
        }
    }

    /// Asks for a text, and gives it as it is.
    pub async fn text(&self, ask: Ask) -> Result<String, Failed> {
        let asked = timeout(ANSWER, async {
            let response = self.send(&ask, "text/*").await?;
            if !response.status().is_success() {
                return Err(match self.document(response).await {
                    Err(failed) => failed,
                    Ok(_) => answer::not_a_panel(&self.base, "it answered otherwise than asked"),
                });
            }
            let bytes = self.bytes(response.into_body()).await?;
            String::from_utf8(bytes).map_err(|_| answer::not_a_panel(&self.base, "it does not answer in text"))
        });
        asked.await.map_err(|_| answer::slow(&self.base))?
    }

    /// All lines of a list, page after page.
    pub async fn list(&self, ask: Ask, most: usize) -> Result<Vec<Value>, Failed> {
        let (mut items, mut cursor) = (Vec::new(), None);
        loop {
            let page = match &cursor {
                None => ask.clone(),
                Some(cursor) => ask.clone().with("cursor", cursor),
            };
            let answer = self.ask(page).await?;
            let got = answer.get("items").and_then(Value::as_array).cloned().unwrap_or_default();
            let empty = got.is_empty();
            items.extend(got);
            let next = answer.get("next").and_then(Value::as_str).map(str::to_owned);
            // A page that is empty but goes on would go on for ever.
            if next.is_none() || next == cursor || empty || items.len() >= most {
                items.truncate(most);
                return Ok(items);
            }
            cursor = next;
        }
    }

    /// A stream of documents, one a line.
    pub async fn stream(&self, ask: Ask) -> Result<Lines, Failed> {
        let sent = timeout(SILENCE, self.send(&ask, "application/x-ndjson")).await;
        let response = sent.map_err(|_| answer::slow(&self.base))??;
        if !response.status().is_success() {
            return Err(match self.document(response).await {
                Err(failed) => failed,
                Ok(_) => answer::not_a_panel(&self.base, "it answered otherwise than asked"),
            });
        }
        Ok(Lines { body: response.into_body(), read: Vec::new() })
    }

    async fn send(&self, ask: &Ask, accept: &str) -> Result<Response<Incoming>, Failed> {
        let mut url = address(&self.base, &ask.path)?;
        if !ask.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&ask.query);
        }
        let mut request = Request::builder()
            .method(&ask.method)
            .uri(url.as_str())
            .header(header::ACCEPT, accept)
            .header(header::USER_AGENT, format!("skiff/{VERSION}"))
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        if let Some(key) = &ask.once {
            request = request.header("idempotency-key", key);
        }
        if ask.body.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let body = ask.body.as_ref().map(Value::to_string).unwrap_or_default();
        // The cause could quote the token.
        let request = request.body(Full::from(body));
        let request = request.map_err(|_| Failed::NotSignedIn("The token or the address cannot be sent.".into()))?;
        self.http.request(request).await.map_err(|error| answer::unreached(&self.base, &error, error.is_connect()))
    }

    async fn document(&self, response: Response<Incoming>) -> Result<Value, Failed> {
        let (head, body) = response.into_parts();
        answer::read(&self.base, head.status, &head.headers, &self.bytes(body).await?)
    }

    async fn bytes(&self, mut body: Incoming) -> Result<Vec<u8>, Failed> {
        let mut bytes = Vec::new();
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| answer::unreached(&self.base, &error, false))?;
            bytes.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            if bytes.len() > MAX_ANSWER {
                return Err(answer::not_a_panel(&self.base, "its answer has no end"));
            }
        }
        Ok(bytes)
    }
}

/// Lines of a stream.
pub struct Lines {
    body: Incoming,
    read: Vec<u8>,
}

impl Lines {
    /// The next document; none where the stream has broken or ended.
    pub async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(end) = self.read.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.read.drain(..=end).collect();
                return serde_json::from_slice(&line).ok();
            }
            if self.read.len() > MAX_ANSWER {
                return None;
            }
            let frame = timeout(SILENCE, self.body.frame()).await.ok()??.ok()?;
            self.read.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        }
    }
}

/// True for what a panel that restarts, or a proxy before it, answers for a moment.
fn is_away(status: StatusCode) -> bool {
    matches!(status, StatusCode::BAD_GATEWAY | StatusCode::SERVICE_UNAVAILABLE | StatusCode::GATEWAY_TIMEOUT)
}

/// The address of something, whose names are never read as a path.
fn address(base: &Url, path: &[String]) -> Result<Url, Failed> {
    let mut url = base.clone();
    if let Some(bad) = path.iter().find(|part| matches!(part.as_str(), "" | "." | "..")) {
        return Err(Failed::Said(format!("\u{201c}{bad}\u{201d} is no name.")));
    }
    if let Ok(mut parts) = url.path_segments_mut() {
        parts.pop_if_empty().extend(["api", "v1"]).extend(path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        let base: Url = "https://panel.example/".parse().unwrap();
        let of = |name: &str| address(&base, &["apps".into(), name.into()]).map(String::from);
        assert_eq!(of("shop.prod.web").unwrap(), "https://panel.example/api/v1/apps/shop.prod.web");
        assert_eq!(of("a/../b?c#d").unwrap(), "https://panel.example/api/v1/apps/a%2F..%2Fb%3Fc%23d");
        for none in ["", ".", ".."] {
            assert!(of(none).is_err());
        }
    }

    #[test]
    fn only_what_is_done_once_is_asked_twice() {
        assert!(Ask::get(&["me"]).may_repeat());
        assert!(!Ask::post(&["hosts"], Value::Null).may_repeat());
        assert!(Ask::post(&["apps", "web", "deploys"], Value::Null).once().may_repeat());
    }
}

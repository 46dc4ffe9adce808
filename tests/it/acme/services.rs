//! Those who keep domains, each as its API is: a stand-in that takes what the service takes and refuses what it refuses.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use skiff::domain::dns::AccountKind;
use skiff::domain::secret::Secret;
use skiff::providers::dns::{self, Account, Records, Services};
use skiff::providers::names::Names;

use super::names::NameServer;

/// The token all of them take.
pub const TOKEN: &str = "a-good-token";
/// The domain all of them keep.
const DOMAIN: &str = "example.org";

/// All three services behind one address; ended with the value. A record is (name, text).
pub struct Keepers {
    /// Where they are.
    pub services: Services,
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
}

#[derive(Clone, Default)]
struct Shared {
    records: Arc<Mutex<BTreeMap<u64, (String, String)>>>,
    calls: Arc<Mutex<Vec<String>>>,
    seen: Arc<Mutex<Option<Arc<NameServer>>>>,
    removals: Arc<Mutex<Removals>>,
}

/// What becomes of a record that is to be taken away.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub enum Removals {
    /// It is.
    #[default]
    Done,
    /// There is no answer.
    Silent,
    /// It is refused.
    Refused,
}

impl Drop for Keepers {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Keepers {
    /// Starts them. What is written there is seen at this name server.
    pub async fn start(seen: Option<Arc<NameServer>>) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared { seen: Arc::new(Mutex::new(seen)), ..Shared::default() };
        let app = Router::new().fallback(serve).with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        let services = Services {
            cloudflare: format!("{base}/cloudflare"),
            hetzner: format!("{base}/hetzner"),
            digitalocean: format!("{base}/digitalocean"),
        };
        Self { services, shared, task }
    }

    /// What is written: of which name, and the text.
    pub fn records(&self) -> Vec<(String, String)> {
        self.shared.records.lock().unwrap().values().cloned().collect()
    }

    /// What becomes of records that are to be taken away from now on.
    pub fn removals(&self, removals: Removals) {
        *self.shared.removals.lock().unwrap() = removals;
    }

    /// How often one was to be taken away.
    pub fn removed(&self) -> usize {
        self.shared.calls.lock().unwrap().iter().filter(|call| call.starts_with("DELETE ")).count()
    }
}

impl Shared {
    fn put(&self, name: String, text: String) -> u64 {
        if let Some(seen) = &*self.seen.lock().unwrap() {
            seen.text(&name, &text, true);
        }
        let mut records = self.records.lock().unwrap();
        let id = records.keys().next_back().copied().unwrap_or(40) + 1;
        records.insert(id, (name, text));
        id
    }

    fn take(&self, id: u64) -> bool {
        let gone = self.records.lock().unwrap().remove(&id);
        if let (Some((name, text)), Some(seen)) = (&gone, &*self.seen.lock().unwrap()) {
            seen.text(name, text, false);
        }
        gone.is_some()
    }

    fn find(&self, wanted: &str) -> Vec<(u64, String)> {
        let records = self.records.lock().unwrap();
        records.iter().filter(|(_, (name, _))| name == wanted).map(|(id, (_, text))| (*id, text.clone())).collect()
    }
}

async fn serve(State(shared): State<Shared>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 100_000).await.unwrap();
    let (method, path) = (parts.method, parts.uri.path().to_owned());
    shared.calls.lock().unwrap().push(format!("{method} {}", parts.uri));
    let removals = *shared.removals.lock().unwrap();
    match removals {
        Removals::Silent if method == Method::DELETE => std::future::pending().await,
        Removals::Refused if method == Method::DELETE => return answer(429, json!({ "message": "too many" })),
        _ => {}
    }
    let token = parts.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
    let good = token.as_deref() == Some(&format!("Bearer {TOKEN}"));
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
    let (service, rest) = path.trim_start_matches('/').split_once('/').unwrap();
    let rest: Vec<&str> = rest.split('/').collect();
    match service {
        "cloudflare" if !good => {
            answer(403, json!({ "success": false, "errors": [{ "code": 9109, "message": "Invalid access token" }] }))
        }
        "cloudflare" => cloudflare(&shared, &method, &rest, &query, &body),
        "hetzner" if !good => {
            answer(401, json!({ "error": { "code": "unauthorized", "message": "unable to authenticate" } }))
        }
        "hetzner" => hetzner(&shared, &method, &rest, &body),
        "digitalocean" if !good => {
            answer(401, json!({ "id": "Unauthorized", "message": "Unable to authenticate you" }))
        }
        _ => digitalocean(&shared, &method, &rest, &query, &body),
    }
}

fn answer(status: u16, body: Value) -> Response {
    (StatusCode::from_u16(status).unwrap(), [("content-type", "application/json")], body.to_string()).into_response()
}

fn read(body: &Bytes) -> Value {
    serde_json::from_slice(body).unwrap()
}

fn cloudflare(
    shared: &Shared,
    method: &Method,
    path: &[&str],
    query: &BTreeMap<String, String>,
    body: &Bytes,
) -> Response {
    match (method.as_str(), path) {
        ("GET", ["zones"]) => {
            let found = if query["name"] == DOMAIN { json!([{ "id": "z1", "name": DOMAIN }]) } else { json!([]) };
            answer(200, json!({ "success": true, "result": found }))
        }
        ("GET", ["zones", "z1", "dns_records"]) => {
            assert_eq!(query["type"], "TXT");
            let found: Vec<Value> = shared
                .find(&query["name"])
                .into_iter()
                .map(|(id, text)| json!({ "id": format!("r{id}"), "type": "TXT", "content": format!("\"{text}\"") }))
                .collect();
            answer(200, json!({ "success": true, "result": found }))
        }
        ("POST", ["zones", "z1", "dns_records"]) => {
            let record = read(body);
            assert_eq!((record["type"].as_str(), record["ttl"].as_u64()), (Some("TXT"), Some(60)));
            let text = record["content"].as_str().unwrap().trim_matches('"').to_owned();
            let id = shared.put(record["name"].as_str().unwrap().to_owned(), text);
            answer(200, json!({ "success": true, "result": { "id": format!("r{id}") } }))
        }
        ("DELETE", ["zones", "z1", "dns_records", id]) if shared.take(id.trim_start_matches('r').parse().unwrap()) => {
            answer(200, json!({ "success": true, "result": { "id": id } }))
        }
        _ => answer(404, json!({ "success": false, "errors": [{ "code": 7003, "message": "Could not route" }] })),
    }
}

fn hetzner(shared: &Shared, method: &Method, path: &[&str], body: &Bytes) -> Response {
    let whole = |name: &str| if name == "@" { DOMAIN.to_owned() } else { format!("{name}.{DOMAIN}") };
    let value = |record: &Value| {
        let value = record["value"].as_str().unwrap();
        // It wants texts quoted.
        assert!(value.starts_with('"') && value.ends_with('"'), "{value}");
        value.trim_matches('"').to_owned()
    };
    match (method.as_str(), path) {
        ("GET", ["zones", DOMAIN]) => answer(200, json!({ "zone": { "id": 7, "name": DOMAIN } })),
        ("GET", ["zones", DOMAIN, "rrsets", name, "TXT"]) => {
            let found = shared.find(&whole(name));
            if found.is_empty() {
                return answer(404, json!({ "error": { "code": "not_found", "message": "not found" } }));
            }
            let all: Vec<Value> = found.iter().map(|(_, text)| json!({ "value": format!("\"{text}\"") })).collect();
            answer(200, json!({ "rrset": { "name": name, "type": "TXT", "records": all } }))
        }
        ("POST", ["zones", DOMAIN, "rrsets", name, "TXT", "actions", "add_records"]) => {
            for record in read(body)["records"].as_array().unwrap() {
                shared.put(whole(name), value(record));
            }
            answer(201, json!({ "action": { "id": 1, "status": "running" } }))
        }
        ("POST", ["zones", DOMAIN, "rrsets", name, "TXT", "actions", "remove_records"]) => {
            for record in read(body)["records"].as_array().unwrap() {
                let text = value(record);
                for (id, _) in shared.find(&whole(name)).into_iter().filter(|(_, known)| *known == text) {
                    shared.take(id);
                }
            }
            answer(201, json!({ "action": { "id": 2, "status": "running" } }))
        }
        _ => answer(404, json!({ "error": { "code": "not_found", "message": "zone not found" } })),
    }
}

fn digitalocean(
    shared: &Shared,
    method: &Method,
    path: &[&str],
    query: &BTreeMap<String, String>,
    body: &Bytes,
) -> Response {
    match (method.as_str(), path) {
        ("GET", ["domains", DOMAIN]) => answer(200, json!({ "domain": { "name": DOMAIN } })),
        ("GET", ["domains", DOMAIN, "records"]) => {
            let found: Vec<Value> = shared
                .find(&query["name"])
                .into_iter()
                .map(|(id, text)| json!({ "id": id, "type": "TXT", "data": text }))
                .collect();
            answer(200, json!({ "domain_records": found }))
        }
        ("POST", ["domains", DOMAIN, "records"]) => {
            let record = read(body);
            let name = record["name"].as_str().unwrap();
            let whole = if name == "@" { DOMAIN.to_owned() } else { format!("{name}.{DOMAIN}") };
            let id = shared.put(whole, record["data"].as_str().unwrap().to_owned());
            answer(201, json!({ "domain_record": { "id": id } }))
        }
        ("DELETE", ["domains", DOMAIN, "records", id]) if shared.take(id.parse().unwrap()) => {
            StatusCode::NO_CONTENT.into_response()
        }
        _ => {
            answer(404, json!({ "id": "not_found", "message": "The resource you were accessing could not be found." }))
        }
    }
}

fn keeper(keepers: &Keepers, kind: AccountKind, token: &str) -> Box<dyn Records> {
    let account =
        Account { kind, server: None, key_name: String::new(), algorithm: None, secret: Secret::new(token.to_owned()) };
    dns::of(account, &keepers.services, &Names::of_this_machine()).unwrap()
}

#[tokio::test]
async fn each_service_takes_a_record_twice_and_gives_it_back() {
    for kind in [AccountKind::Cloudflare, AccountKind::Hetzner, AccountKind::Digitalocean] {
        let keepers = Keepers::start(None).await;
        let records = keeper(&keepers, kind, TOKEN);
        let name = "_acme-challenge.shop.example.org";
        records.add(name, "one").await.unwrap();
        records.add(name, "one").await.unwrap();
        records.add(name, "two").await.unwrap();
        let there = |texts: &[&str]| texts.iter().map(|text| (name.to_owned(), (*text).to_owned())).collect::<Vec<_>>();
        assert_eq!(keepers.records(), there(&["one", "two"]), "{kind:?}");
        records.remove(name, "one").await.unwrap();
        records.remove(name, "one").await.unwrap();
        assert_eq!(keepers.records(), there(&["two"]), "{kind:?}");
    }
}

#[tokio::test]
async fn a_service_that_refuses_is_quoted_and_the_token_is_not() {
    for (kind, said) in [
        (AccountKind::Cloudflare, "does not accept the token (Invalid access token)."),
        (AccountKind::Hetzner, "does not accept the token (unable to authenticate)."),
        (AccountKind::Digitalocean, "does not accept the token (Unable to authenticate you)."),
    ] {
        let keepers = Keepers::start(None).await;
        let refused =
            keeper(&keepers, kind, "another-token").add("_acme-challenge.example.org", "x").await.unwrap_err();
        assert!(refused.0.ends_with(said) && !refused.0.contains("another-token"), "{refused}");
        let elsewhere = keeper(&keepers, kind, TOKEN).add("_acme-challenge.example.net", "x").await.unwrap_err();
        assert!(elsewhere.0.contains("_acme-challenge.example.net"), "{elsewhere}");
    }
}

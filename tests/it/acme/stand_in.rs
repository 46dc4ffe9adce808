//! A stand-in for an authority that does what the test says at each moment: it speaks RFC 8555 as far as an order goes, over plain
//! HTTP on loopback, and checks no signature.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// What it answers a new order with.
#[derive(Clone, Debug)]
pub enum Answer {
    /// An order whose proof fails with this problem.
    ProofFails(&'static str, &'static str),
    /// A problem: status, type, words, and when to ask again.
    Problem(u16, &'static str, &'static str, Option<&'static str>),
    /// Something that is no document at all.
    Html(u16),
}

#[derive(Clone)]
struct Shared {
    base: String,
    answer: Arc<Mutex<Answer>>,
    orders: Arc<Mutex<BTreeMap<String, usize>>>,
    names: Arc<Mutex<Vec<Vec<String>>>>,
    window: Arc<Mutex<Option<(String, String)>>>,
    /// Whether each order named a certificate that it replaces.
    replaced: Arc<Mutex<Vec<bool>>>,
    /// Whom it was told that it may write to, and whether it refuses to be told.
    contacts: Arc<Mutex<Vec<Vec<String>>>>,
    refuses_contacts: Arc<AtomicBool>,
}

/// The stand-in; ended with the value.
pub struct StandIn {
    /// Its directory.
    pub directory: String,
    shared: Shared,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl StandIn {
    /// Starts it.
    pub async fn start(answer: Answer) -> Self {
        Self::start_at(answer, "127.0.0.1").await
    }

    /// The same at an address of this machine.
    pub async fn start_at(answer: Answer, address: &str) -> Self {
        let listener = tokio::net::TcpListener::bind((address, 0)).await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let shared = Shared {
            base: base.clone(),
            answer: Arc::new(Mutex::new(answer)),
            orders: Arc::default(),
            names: Arc::default(),
            window: Arc::default(),
            replaced: Arc::default(),
            contacts: Arc::default(),
            refuses_contacts: Arc::default(),
        };
        let app = Router::new()
            .route("/dir", get(directory))
            .route("/nonce", get(|| async { ([("replay-nonce", "n0")], StatusCode::OK) }))
            .route("/account", post(account))
            .route("/account/1", post(changed_account))
            .route("/order", post(order))
            .route("/order/{id}", post(known))
            .route("/authz/{id}", post(authorization))
            .route("/challenge/{id}", post(challenge))
            .route("/ari/{id}", get(window))
            .with_state(shared.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { directory: format!("{base}/dir"), shared, task }
    }

    /// Answers new orders like this from now on.
    pub fn answers(&self, answer: Answer) {
        *self.shared.answer.lock().unwrap() = answer;
    }

    /// Wants certificates renewed in this window.
    pub fn wants(&self, start: &str, end: &str) {
        *self.shared.window.lock().unwrap() = Some((start.to_owned(), end.to_owned()));
    }

    /// Of the orders since this was last asked, whether each named a certificate that it replaces.
    pub fn replaced(&self) -> Vec<bool> {
        std::mem::take(&mut *self.shared.replaced.lock().unwrap())
    }

    /// Whom it was told that it may write to, each time.
    pub fn contacts(&self) -> Vec<Vec<String>> {
        self.shared.contacts.lock().unwrap().clone()
    }

    /// Takes no other address for an account that is there.
    pub fn refuses_contacts(&self, refuses: bool) {
        self.shared.refuses_contacts.store(refuses, Ordering::Relaxed);
    }

    /// How often orders for each name were asked for.
    pub fn orders(&self) -> BTreeMap<String, usize> {
        self.shared.orders.lock().unwrap().clone()
    }
}

fn document(status: u16, body: Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    let kind = if status.is_success() { "application/json" } else { "application/problem+json" };
    (status, [(header::CONTENT_TYPE, kind), (header::HeaderName::from_static("replay-nonce"), "n1")], body.to_string())
        .into_response()
}

async fn directory(State(shared): State<Shared>) -> Response {
    let at = |path: &str| format!("{}/{path}", shared.base);
    document(
        200,
        json!({ "newNonce": at("nonce"), "newAccount": at("account"), "newOrder": at("order"), "renewalInfo": at("ari") }),
    )
}

fn hear_contact(shared: &Shared, body: &[u8]) {
    let said = payload(body)["contact"].as_array().cloned().unwrap_or_default();
    let said = said.iter().map(|one| one.as_str().unwrap().to_owned()).collect();
    shared.contacts.lock().unwrap().push(said);
}

async fn changed_account(State(shared): State<Shared>, body: Bytes) -> Response {
    hear_contact(&shared, &body);
    match shared.refuses_contacts.load(Ordering::Relaxed) {
        true => document(400, problem(400, "invalidContact", "example.org takes no mail")),
        false => document(200, json!({ "status": "valid" })),
    }
}

async fn account(State(shared): State<Shared>, body: Bytes) -> Response {
    hear_contact(&shared, &body);
    let mut response = document(201, json!({ "status": "valid" }));
    response.headers_mut().insert(header::LOCATION, format!("{}/account/1", shared.base).parse().unwrap());
    response
}

/// What was sent in a signed body.
fn payload(body: &[u8]) -> Value {
    let signed: Value = serde_json::from_slice(body).unwrap();
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(signed["payload"].as_str().unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap_or(Value::Null)
}

fn problem(status: u16, kind: &str, detail: &str) -> Value {
    json!({ "type": format!("urn:ietf:params:acme:error:{kind}"), "detail": detail, "status": status })
}

async fn order(State(shared): State<Shared>, _: HeaderMap, body: Bytes) -> Response {
    let replaces = payload(&body)["replaces"].is_string();
    shared.replaced.lock().unwrap().push(replaces);
    let names: Vec<String> = payload(&body)["identifiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|identifier| identifier["value"].as_str().unwrap().to_owned())
        .collect();
    for name in &names {
        *shared.orders.lock().unwrap().entry(name.clone()).or_default() += 1;
    }
    match shared.answer.lock().unwrap().clone() {
        Answer::Html(status) => {
            (StatusCode::from_u16(status).unwrap(), "<html>the server is being maintained</html>").into_response()
        }
        Answer::Problem(status, kind, detail, retry_after) => {
            let mut response = document(status, problem(status, kind, detail));
            if let Some(after) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, after.parse().unwrap());
            }
            response
        }
        Answer::ProofFails(..) => {
            let id = {
                let mut all = shared.names.lock().unwrap();
                all.push(names);
                all.len() - 1
            };
            let mut taken = state(&shared, id, "pending");
            if replaces {
                // What is replaced is repeated (RFC 9773 §5).
                taken["replaces"] = payload(&body)["replaces"].clone();
            }
            let mut response = document(201, taken);
            response.headers_mut().insert(header::LOCATION, format!("{}/order/{id}", shared.base).parse().unwrap());
            response
        }
    }
}

fn state(shared: &Shared, id: usize, status: &str) -> Value {
    let at = |path: &str| format!("{}/{path}/{id}", shared.base);
    json!({ "status": status, "authorizations": [at("authz")], "finalize": at("finalize"), "identifiers": [] })
}

async fn known(State(shared): State<Shared>, Path(id): Path<usize>) -> Response {
    document(200, state(&shared, id, "invalid"))
}

async fn authorization(State(shared): State<Shared>, Path(id): Path<usize>, body: Bytes) -> Response {
    let name = shared.names.lock().unwrap()[id][0].clone();
    let told = shared.orders.lock().unwrap().contains_key(&format!("told {id}"));
    let mut challenge = json!({ "type": "dns-01", "url": format!("{}/challenge/{id}", shared.base), "token": "abc", "status": "pending" });
    let _ = payload(&body);
    if let (true, Answer::ProofFails(kind, detail)) = (told, shared.answer.lock().unwrap().clone()) {
        challenge["status"] = json!("invalid");
        challenge["error"] = problem(403, kind, detail);
    }
    let status = if told { "invalid" } else { "pending" };
    document(
        200,
        json!({ "identifier": { "type": "dns", "value": name }, "status": status, "challenges": [challenge] }),
    )
}

async fn challenge(State(shared): State<Shared>, Path(id): Path<usize>) -> Response {
    shared.orders.lock().unwrap().insert(format!("told {id}"), 1);
    let url = format!("{}/challenge/{id}", shared.base);
    document(200, json!({ "type": "dns-01", "url": url, "token": "abc", "status": "processing" }))
}

async fn window(State(shared): State<Shared>) -> Response {
    match shared.window.lock().unwrap().clone() {
        Some((start, end)) => {
            let mut response = document(200, json!({ "suggestedWindow": { "start": start, "end": end } }));
            response.headers_mut().insert(header::RETRY_AFTER, "21600".parse().unwrap());
            response
        }
        None => document(404, problem(404, "malformed", "no such certificate")),
    }
}

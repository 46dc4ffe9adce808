//! The door that forges call: the body as it came, a signature instead of a session, plain text for an answer.
//! Not here: what a signature is and what comes of a delivery.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::Web;
use super::error::Plain;
use super::routes::{Policy, Routes};
use crate::actions::Refused;
use crate::actions::hooks::{self, Incoming, Received};
use crate::domain::help::Topic;
use crate::domain::hook::{Headers, Provider};
use crate::door::{body, client};

/// Most bytes of a delivery: GitHub sends no more.
pub const BODY_BYTES: usize = 25 * 1024 * 1024;
/// A body up to this size is an everyday push.
const SMALL_BYTES: usize = 256 * 1024;
/// Everyday bodies that are read at once: 64 MiB of memory, whoever sends them.
const SMALL_AT_ONCE: usize = 256;
/// Larger bodies that are read at once, apart from the others, so that a few large ones never hold up a push.
const LARGE_AT_ONCE: usize = 3;
/// How long a request waits for its turn to be read: forges give up after 10 s.
const TURN_WITHIN: Duration = Duration::from_secs(3);
/// Headers that are looked at.
const HEADERS: [&str; 19] = [
    "content-type",
    "idempotency-key",
    "webhook-id",
    "webhook-signature",
    "webhook-timestamp",
    "x-forgejo-delivery",
    "x-forgejo-event",
    "x-forgejo-signature",
    "x-gitea-delivery",
    "x-gitea-event",
    "x-gitea-signature",
    "x-github-delivery",
    "x-github-event",
    "x-gitlab-event",
    "x-gitlab-event-uuid",
    "x-gitlab-token",
    "x-hub-signature-256",
    "x-skiff-delivery",
    "x-skiff-signature",
];

static SMALL: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(SMALL_AT_ONCE)));
static LARGE: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(LARGE_AT_ONCE)));

/// The routes.
pub fn routes() -> Routes {
    Routes::new().about(Topic::Calls).post("/hooks/{provider}/{id}", Policy::Signed, receive)
}

async fn receive(State(web): State<Web>, Path((provider, id)): Path<(String, String)>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Some(provider) = Provider::of_slug(&provider) else {
        return say(StatusCode::NOT_FOUND, "There is no such provider: use github, gitlab, gitea or generic.");
    };
    let headers = read(&parts.headers);
    if !hooks::may_be_signed(provider, &headers) {
        return unsigned();
    }
    // One that says it is too large is read up to the limit all the same: cut off while it sends, it would not see why.
    let small = body::announced(&parts.headers).is_some_and(|bytes| bytes <= SMALL_BYTES);
    let Some(seat) = turn(small).await else {
        return busy("Too many deliveries are being read at the moment.");
    };
    let address = client::address(&parts, web.secure());
    let body = match body::take(&parts.headers, body, if small { SMALL_BYTES } else { BODY_BYTES }).await {
        Ok(body) => body,
        Err(status) => return unreadable(status),
    };
    let incoming = Incoming { provider, id, headers, body, address, seat: Some(seat) };
    answer(hooks::receive(web.actions(), incoming).await)
}

/// A seat for a body; none where all stay taken.
async fn turn(small: bool) -> Option<OwnedSemaphorePermit> {
    let seats = if small { &SMALL } else { &LARGE };
    tokio::time::timeout(TURN_WITHIN, Arc::clone(seats).acquire_owned()).await.ok()?.ok()
}

fn answer(received: Result<Received, Refused>) -> Response {
    match received {
        Ok(Received::Unsigned) => unsigned(),
        Ok(Received::Again) => say(StatusCode::OK, "This delivery was received before."),
        Ok(Received::Kept { answer, reason, .. }) => {
            let status = StatusCode::from_u16(answer.status()).unwrap_or(StatusCode::OK);
            say(status, &[answer.word(), ": ", &reason].concat())
        }
        // Sent again, it is done: nothing of it was written down.
        Err(Refused::Internal(id)) => {
            say(StatusCode::INTERNAL_SERVER_ERROR, &["Something went wrong inside Skiff: ", &id].concat())
        }
        Err(refused) => busy(&refused.to_string()),
    }
}

/// The same answer to a wrong signature and to a hook that is not there.
fn unsigned() -> Response {
    say(StatusCode::UNAUTHORIZED, "There is no such hook, or the signature is not made with its secret.")
}

fn unreadable(status: StatusCode) -> Response {
    match status {
        StatusCode::PAYLOAD_TOO_LARGE => say(status, "A delivery has at most 25 MiB."),
        StatusCode::REQUEST_TIMEOUT => say(status, "The body did not come in time."),
        _ => say(status, "The body cannot be read."),
    }
}

fn busy(why: &str) -> Response {
    let mut response = say(StatusCode::SERVICE_UNAVAILABLE, why);
    response.headers_mut().insert(header::RETRY_AFTER, axum::http::HeaderValue::from_static("5"));
    response
}

/// A sentence for a program.
fn say(status: StatusCode, sentence: &str) -> Response {
    let text = [sentence, "\n"].concat();
    let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response();
    response.extensions_mut().insert(Plain);
    response
}

/// The headers that are looked at. Of one that comes twice the first counts; one that is not text counts as not there.
fn read(headers: &HeaderMap) -> Headers {
    let text = |name: &str| headers.get(HeaderName::try_from(name).ok()?)?.to_str().ok().map(str::to_owned);
    HEADERS.iter().filter_map(|name| Some(((*name).to_owned(), text(name)?))).collect()
}

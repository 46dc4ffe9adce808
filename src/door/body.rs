//! The body of a request, whole: not larger than the route takes, and in time. Not here: what is in it.

use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use axum::http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt, Limited};

/// A body must bring something at least this often.
pub const PROGRESS: Duration = Duration::from_secs(10);
/// It must have come in whole by then, however steadily it trickles.
const TIMEOUT: Duration = Duration::from_secs(30);

/// A body that announces more than this gets a place of its own.
const LARGE: usize = 1024 * 1024;
/// The size of that place, of which only what comes is ever memory. Above 32 MiB the C library asks the system for it and gives
/// it back at once (mallopt(3), M_MMAP_THRESHOLD); what is smaller, each of its arenas keeps after a flood of them.
const ROOM: usize = 33 * 1024 * 1024;

/// The whole body, or the status that says why it was not taken.
pub async fn take(headers: &HeaderMap, body: Body, limit: usize) -> Result<Vec<u8>, StatusCode> {
    let room = match announced(headers) {
        Some(bytes) if bytes > LARGE => ROOM,
        Some(bytes) => bytes.min(limit),
        None => 0,
    };
    match tokio::time::timeout(TIMEOUT, whole(Limited::new(body, limit), room)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(error)) if slow(error.as_ref()) => Err(StatusCode::REQUEST_TIMEOUT),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// The bytes that a request says its body has.
pub fn announced(headers: &HeaderMap) -> Option<usize> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Piece after piece into one place, so that a large body is in memory once.
async fn whole(mut body: Limited<Body>, room: usize) -> Result<Vec<u8>, BoxError> {
    let mut bytes = Vec::with_capacity(room);
    while let Some(frame) = body.frame().await {
        if let Ok(piece) = frame?.into_data() {
            bytes.extend_from_slice(&piece);
        }
    }
    Ok(bytes)
}

/// True where the body stood still for too long.
fn slow(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut causes = std::iter::successors(Some(error), |error| error.source());
    causes.any(|cause| cause.is::<tower_http::timeout::TimeoutError>())
}

//! An id for each request: in its answer, in the log, and where a fault is told.

use axum::extract::Request;
use axum::http::HeaderValue;
use axum::middleware::Next;
use axum::response::Response;

/// The id of a request.
#[derive(Clone, Debug)]
pub struct RequestId(pub String);

/// Bytes of a request id.
const ID_BYTES: usize = 8;

/// Gives the request an id.
pub async fn identify(mut request: Request, next: Next) -> Response {
    use tracing::Instrument;
    let mut bytes = [0; ID_BYTES];
    rand::RngCore::fill_bytes(&mut rand::rng(), &mut bytes);
    let id = hex::encode(bytes);
    request.extensions_mut().insert(RequestId(id.clone()));
    let span =
        tracing::info_span!("request", request.id = %id, method = %request.method(), path = request.uri().path());
    let mut response = next.run(request).instrument(span).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert("x-request-id", value);
    }
    response
}

//! How the library asks: through our client, which notes what the library does not hand on.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, header};
use instant_acme::{BodyWrapper, BytesResponse, Error, HttpClient};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::providers::https::{Down, Https};

/// What the last answer said beside its body.
#[derive(Default)]
pub struct Ears {
    heard: Mutex<Heard>,
}

#[derive(Clone, Copy, Default)]
struct Heard {
    status: Option<u16>,
    retry_after: Option<OffsetDateTime>,
}

impl Ears {
    /// Its status.
    pub fn status(&self) -> Option<u16> {
        self.heard().status
    }

    /// When it may be asked again, where it said so.
    pub fn retry_after(&self) -> Option<OffsetDateTime> {
        self.heard().retry_after
    }

    fn heard(&self) -> Heard {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, heard: Heard) {
        *self.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }
}

/// Our client, as the library wants it.
pub struct Http {
    https: Https,
    ears: Arc<Ears>,
}

impl Http {
    pub fn new(https: Https, ears: Arc<Ears>) -> Self {
        Self { https, ears }
    }
}

impl HttpClient for Http {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, Error>> + Send>> {
        let (https, ears) = (self.https.clone(), Arc::clone(&self.ears));
        Box::pin(async move {
            let (parts, body) = request.into_parts();
            let Ok(body) = body.collect().await;
            ears.hear(Heard::default());
            let answer = https.send(Request::from_parts(parts, Full::new(body.to_bytes()))).await;
            let (parts, body) = answer.map_err(|down: Down| Error::Other(Box::new(down)))?;
            let said = parts.headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
            ears.hear(Heard { status: Some(parts.status.as_u16()), retry_after: said.and_then(moment) });
            Ok(BytesResponse { parts, body: Box::new(body) })
        })
    }
}

/// Seconds from now, or a moment (RFC 9110 §10.2.3).
fn moment(said: &str) -> Option<OffsetDateTime> {
    let said = said.trim();
    match said.parse::<u32>() {
        Ok(seconds) => Some(OffsetDateTime::now_utc() + Duration::from_secs(seconds.into())),
        Err(_) => OffsetDateTime::parse(said, &Rfc2822).ok(),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_moment_is_read_in_both_forms() {
        assert_eq!(super::moment("Fri, 31 Dec 1999 23:59:59 GMT").unwrap().unix_timestamp(), 946_684_799);
        assert!(super::moment(" 120 ").unwrap() > time::OffsetDateTime::now_utc());
        assert_eq!(super::moment("soon"), None);
    }
}

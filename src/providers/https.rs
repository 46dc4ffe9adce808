//! One request to a service outside, with limits: no redirect is followed, an answer has an end in time and in length.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::http::response::Parts;
use hyper::{Request, Response};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

/// How long a connection may take: longer than three lost SYNs.
const CONNECT: Duration = Duration::from_secs(10);
/// How long a whole answer may take.
const ANSWER: Duration = Duration::from_secs(30);
/// Bytes of an answer: the longest is a chain of certificates or a list of zones.
const MAX_ANSWER: usize = 1024 * 1024;

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Down {
    /// Its certificate is not valid by this machine's clock.
    #[error("{0}")]
    Clock(String),
    /// Its certificate is signed by nobody whom this machine knows, or for another name.
    #[error("{0}")]
    Untrusted(String),
    /// It was not reached, or broke off.
    #[error("{0}")]
    Away(String),
}

/// Asks services by HTTPS, and by plain HTTP where their address says so. Cheap to clone.
#[derive(Clone)]
pub struct Https {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Https {
    /// Trusts the machine's roots, and these beside them (PEM; empty for none).
    pub fn new(root_pem: &str) -> Result<Self, Down> {
        let mut roots = RootCertStore::empty();
        // One of the machine's that cannot be read is not trusted, the others are.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        for root in CertificateDer::pem_slice_iter(root_pem.as_bytes()) {
            let root = root.map_err(|error| Down::Untrusted(format!("the root entered is no certificate: {error}")))?;
            roots.add(root).map_err(|error| Down::Untrusted(format!("the root entered is no root: {error}")))?;
        }
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let tls =
            tls.map_err(|error| Down::Away(error.to_string()))?.with_root_certificates(roots).with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT));
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(connector);
        Ok(Self { client: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// Sends a request, and reads the whole answer.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Result<(Parts, Bytes), Down> {
        let asked = tokio::time::timeout(ANSWER, async {
            let response = self.client.request(request).await.map_err(|error| down(&error))?;
            whole(response).await
        });
        asked.await.map_err(|_| Down::Away(format!("no answer within {} s", ANSWER.as_secs())))?
    }
}

async fn whole(response: Response<Incoming>) -> Result<(Parts, Bytes), Down> {
    let (parts, mut body) = response.into_parts();
    let mut bytes = Vec::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Down::Away(format!("it broke off: {error}")))?;
        bytes.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
        if bytes.len() > MAX_ANSWER {
            return Err(Down::Away("its answer has no end".to_owned()));
        }
    }
    Ok((parts, bytes.into()))
}

/// What a failed request was, by the innermost cause.
fn down(error: &hyper_util::client::legacy::Error) -> Down {
    let mut cause: &dyn std::error::Error = error;
    let mut words = Vec::new();
    loop {
        let said = cause.to_string();
        // Most wrap the next one's words into their own.
        if words.last().is_none_or(|last: &String| !last.contains(&said)) {
            words.push(said);
        }
        match cause.source() {
            Some(inner) => cause = inner,
            None => break,
        }
    }
    let innermost = words.pop().unwrap_or_default();
    let all = [words.join(": ").as_str(), &innermost].join(" ");
    // rustls says these through an io::Error, which shows its words and not its type.
    if ["certificate expired", "certificate not valid yet"].iter().any(|sign| all.contains(sign)) {
        Down::Clock(innermost)
    } else if all.contains("invalid peer certificate") {
        Down::Untrusted(innermost)
    } else {
        Down::Away(innermost)
    }
}

//! Certificates of an authority of the test's own, and clients that look closely at who answers.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use time::OffsetDateTime;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Nothing here takes longer.
const LIMIT: Duration = Duration::from_secs(10);

/// An authority with one certificate of its own.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate (PEM).
    pub pem: String,
    der: CertificateDer<'static>,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Made {
    /// The certificate alone (PEM).
    pub leaf: String,
    /// The certificate and its authority's (PEM).
    pub chain: String,
    /// The key (PEM).
    pub key: String,
    /// The certificate.
    pub der: CertificateDer<'static>,
}

impl Authority {
    /// A new one of this name.
    pub fn new(name: &str) -> Self {
        Self::until(name, OffsetDateTime::now_utc() + time::Duration::days(365))
    }

    /// One that ends then.
    pub fn until(name: &str, not_after: OffsetDateTime) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.not_before = not_after - time::Duration::days(730);
        params.not_after = not_after;
        let certificate = params.self_signed(&key).unwrap();
        let (pem, der) = (certificate.pem(), certificate.der().clone());
        Self { issuer: Issuer::new(params, key), pem, der }
    }

    /// A certificate for these names, good for so many days from yesterday on.
    pub fn issue(&self, names: &[&str], days: i64) -> Made {
        let now = OffsetDateTime::now_utc();
        self.issue_between(names, now - time::Duration::days(1), now + time::Duration::days(days))
    }

    /// The same with a key of RSA, where all others have one of ECDSA, good for so long from now on.
    pub fn issue_rsa(&self, names: &[&str], left: time::Duration) -> Made {
        let made = std::process::Command::new("openssl").args(["genpkey", "-algorithm", "RSA"]).output().unwrap();
        let key = KeyPair::from_pem(std::str::from_utf8(&made.stdout).unwrap()).unwrap();
        let now = OffsetDateTime::now_utc();
        self.sign(key, names, now - time::Duration::days(1), now + left)
    }

    /// One with these dates.
    pub fn issue_between(&self, names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> Made {
        self.sign(KeyPair::generate().unwrap(), names, from, to)
    }

    fn sign(&self, key: KeyPair, names: &[&str], from: OffsetDateTime, to: OffsetDateTime) -> Made {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        params.not_before = from;
        params.not_after = to;
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let leaf = certificate.pem();
        Made { chain: format!("{leaf}{}", self.pem), leaf, key: key.serialize_pem(), der: certificate.der().clone() }
    }

    /// A client that trusts this authority and no other, and speaks these protocols.
    pub fn client(&self, alpn: &[&str]) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(self.der.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(config)
    }

    /// A connection under this name to whoever answers at the address.
    pub async fn connect(
        &self,
        address: IpAddr,
        port: u16,
        name: &str,
        alpn: &[&str],
    ) -> Result<TlsStream<TcpStream>, String> {
        let connecting = async {
            let stream =
                TcpStream::connect(SocketAddr::new(address, port)).await.map_err(|e| format!("connect: {e}"))?;
            let name = ServerName::try_from(name.to_owned()).unwrap();
            TlsConnector::from(self.client(alpn)).connect(name, stream).await.map_err(|e| format!("handshake: {e}"))
        };
        tokio::time::timeout(LIMIT, connecting).await.map_err(|_| "nothing within the limit".to_owned())?
    }

    /// One GET by HTTPS.
    pub async fn get(&self, address: IpAddr, port: u16, name: &str, path: &str) -> Result<Answer, String> {
        self.get_with(address, port, name, path, &[]).await
    }

    /// The same with further headers.
    pub async fn get_with(
        &self,
        address: IpAddr,
        port: u16,
        name: &str,
        path: &str,
        headers: &[(&str, &str)],
    ) -> Result<Answer, String> {
        let mut request = hyper::Request::get(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(address, port, name, request.body(Full::default()).unwrap()).await
    }

    /// Any request by HTTPS; its `Host` is the name's.
    pub async fn send(
        &self,
        address: IpAddr,
        port: u16,
        name: &str,
        mut request: hyper::Request<Full<Bytes>>,
    ) -> Result<Answer, String> {
        let stream = self.connect(address, port, name, &["http/1.1"]).await?;
        let served = presented(&stream);
        let io = hyper_util::rt::TokioIo::new(stream);
        let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.map_err(|e| e.to_string())?;
        let task = tokio::spawn(connection);
        let host = if port == 443 { name.to_owned() } else { format!("{name}:{port}") };
        request.headers_mut().insert("host", host.parse().unwrap());
        let asking = async {
            let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await.map_err(|e| e.to_string())?.to_bytes();
            Ok::<_, String>(Answer {
                status: head.status.as_u16(),
                headers: head.headers,
                body: String::from_utf8_lossy(&body).into_owned(),
                served,
            })
        };
        let answer = tokio::time::timeout(LIMIT, asking).await.map_err(|_| "no answer within the limit".to_owned())?;
        task.abort();
        answer
    }
}

/// A client that trusts the authorities of this text (PEM) and no other. Each of its connections is a whole handshake.
pub fn trusting(pem: &str) -> Arc<ClientConfig> {
    trusting_with(pem, rustls::ALL_VERSIONS, Resumption::disabled())
}

/// The same by these versions of TLS, and with what it remembers.
pub fn trusting_with(
    pem: &str,
    versions: &[&'static SupportedProtocolVersion],
    resumption: Resumption,
) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    for one in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        roots.add(one.unwrap()).unwrap();
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions).unwrap();
    let mut config = config.with_root_certificates(roots).with_no_client_auth();
    config.resumption = resumption;
    Arc::new(config)
}

/// What was answered, and with which certificate.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: hyper::HeaderMap,
    /// The body.
    pub body: String,
    /// The certificate that was shown.
    pub served: CertificateDer<'static>,
}

impl Answer {
    /// A header; empty where it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

/// The certificate that the other side showed.
pub fn presented(stream: &TlsStream<TcpStream>) -> CertificateDer<'static> {
    stream.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned()
}

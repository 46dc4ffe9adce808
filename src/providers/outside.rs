//! Reaching a name as somebody outside would: its addresses, a connection, what answers there. Not here: what is made of it.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{Request, header};
use hyper_util::rt::TokioIo;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::domain::names::Domain;
use crate::domain::{outgoing, trust};

/// How long a name server may take.
const RESOLVE: Duration = Duration::from_secs(10);
/// How long a connection with its handshake may take.
const CONNECT: Duration = Duration::from_secs(10);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(10);
/// Bytes of an answer that are read: what is asked for is shorter.
const MAX_ANSWER: usize = 4 * 1024;
/// Addresses of a name that are tried.
const ADDRESSES: usize = 4;

/// An address of documentation (RFC 5737): nobody is there, and the way to it is the way out of this machine.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// The address that this machine goes out from: others reach it there, where nothing translates addresses in between. Nothing is sent.
pub fn own_address() -> Option<IpAddr> {
    let socket = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).ok()?;
    socket.connect((ELSEWHERE, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// The addresses by which others may know a server that is reached at these: where it is this machine, also the one that it goes out
/// from. A public one among them says that it is not behind NAT.
pub fn as_others_know(server: &str, mut reached: Vec<IpAddr>) -> Vec<IpAddr> {
    if outgoing::is_this_machine(server) {
        reached.extend(own_address());
    }
    reached
}

/// The way out. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Outside {
    known: Arc<BTreeMap<String, IpAddr>>,
}

/// Where to ask, and as what.
#[derive(Clone, Debug)]
pub struct Asked<'a> {
    /// The name.
    pub domain: &'a Domain,
    /// The port.
    pub port: u16,
    /// The SHA-256 (hex) of the certificate that must answer; none asks over plain HTTP.
    pub certificate: Option<&'a str>,
    /// The path.
    pub path: &'a str,
}

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answered {
    /// The address that did.
    pub address: IpAddr,
    /// The status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Why nothing came back, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unmet {
    /// No address took a connection.
    Silent(String),
    /// Somebody did, and it was not what it should be.
    Other(String),
}

impl Outside {
    /// A way out that knows the addresses of some names by itself, as a hosts file does.
    pub fn knowing(names: impl IntoIterator<Item = (String, IpAddr)>) -> Self {
        Self { known: Arc::new(names.into_iter().collect()) }
    }

    /// The addresses of a name; or why there are none, as a sentence.
    pub async fn addresses(&self, domain: &Domain) -> Result<Vec<IpAddr>, String> {
        if let Some(address) = self.known.get(domain.as_ref()) {
            return Ok(vec![*address]);
        }
        let found = timeout(RESOLVE, tokio::net::lookup_host((domain.as_ref(), 0))).await;
        let found = found.map_err(|_| format!("The name server gave no answer about {domain}."))?;
        let mut found: Vec<IpAddr> = match found {
            Ok(found) => found.map(|address| address.ip()).collect(),
            Err(_) => Vec::new(),
        };
        // A hosts file often has the machine's own name at 127.0.1.1: that is nobody's way from outside.
        found.retain(|address| !address.is_loopback());
        found.dedup();
        found.truncate(ADDRESSES);
        match found.is_empty() {
            true => {
                Err(format!("DNS knows no address of {domain} yet: add a record for it that has the server's address."))
            }
            false => Ok(found),
        }
    }

    /// Asks the name at these addresses, which are its own, or one by which its server is reached from inside. Redirects are not
    /// followed.
    pub async fn ask(&self, addresses: &[IpAddr], asked: &Asked<'_>) -> Result<Answered, Unmet> {
        let (mut silent, mut other) = (Unmet::Silent(String::new()), None);
        for address in addresses {
            match one(*address, asked).await {
                Ok(answered) => return Ok(answered),
                Err(Unmet::Other(why)) => other = Some(why),
                Err(why) => silent = why,
            }
        }
        Err(other.map_or(silent, Unmet::Other))
    }
}

async fn one(address: IpAddr, asked: &Asked<'_>) -> Result<Answered, Unmet> {
    let Asked { domain, port, certificate, .. } = asked;
    let silent = || {
        proxied(domain, address).unwrap_or_else(|| {
            format!(
                "{domain} leads to {address}, where nothing answers on port {port}. Is that the server's address, and is the port open?"
            )
        })
    };
    let connected = timeout(CONNECT, TcpStream::connect(SocketAddr::new(address, *port))).await;
    let stream = connected.map_err(|_| Unmet::Silent(silent()))?.map_err(|_| Unmet::Silent(silent()))?;
    match certificate {
        None => exchange(stream, address, asked).await.map_err(Unmet::Other),
        Some(wanted) => {
            let name = ServerName::try_from(domain.to_string()).map_err(|_| Unmet::Other(silent()))?;
            let config =
                pinned(wanted).map_err(|error| Unmet::Other(format!("This machine cannot speak TLS: {error}.")))?;
            let handshake = TlsConnector::from(Arc::new(config)).connect(name, stream);
            let other = |_| Unmet::Other(another_certificate(domain, address));
            let stream = timeout(CONNECT, handshake).await.map_err(|_| Unmet::Other(silent()))?.map_err(other)?;
            exchange(stream, address, asked).await.map_err(Unmet::Other)
        }
    }
}

/// What is said where somebody else's certificate answers.
fn another_certificate(domain: &Domain, address: IpAddr) -> String {
    proxied(domain, address).unwrap_or_else(|| {
        format!(
            "{domain} leads to {address}, which answers with another certificate than the one that is stored for it, or with none."
        )
    })
}

/// That a service stands before the name which answers in its server's place, where this address of the name is such a one's.
pub fn proxied(domain: &Domain, address: IpAddr) -> Option<String> {
    trust::is_cloudflare(address).then(|| {
        format!(
            "{domain} leads to {address}, which is Cloudflare's: the name is proxied there, and Cloudflare answers with a certificate of its own. \
             In Cloudflare's list of DNS records, switch it to “DNS only” (grey cloud)."
        )
    })
}

/// One request on a connection.
pub async fn exchange<S>(stream: S, address: IpAddr, asked: &Asked<'_>) -> Result<Answered, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Asked { domain, path, port, .. } = asked;
    let broke = || format!("{domain} leads to {address}, which gave no answer on port {port}.");
    let asking = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.ok()?;
        let request = Request::get(*path).header(header::HOST, domain.to_string()).header(header::ACCEPT, "text/plain");
        let request = request.body(Empty::<Bytes>::new()).ok()?;
        let answer = async {
            let answer = sender.send_request(request).await.ok()?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), MAX_ANSWER).collect().await.ok()?.to_bytes();
            Some((status, String::from_utf8_lossy(&body).trim().to_owned()))
        };
        tokio::pin!(answer);
        tokio::select! {
            answered = &mut answer => answered,
            // It may have ended with the last byte, which is then still to be read.
            _ = connection => answer.await,
        }
    };
    let (status, body) = timeout(ANSWER, asking).await.ok().flatten().ok_or_else(broke)?;
    Ok(Answered { address, status, body })
}

/// A client that takes exactly one certificate: it is asked who answers, not whom a browser would trust.
fn pinned(fingerprint: &str) -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(ring::default_provider());
    let verifier = Pinned { fingerprint: fingerprint.to_owned(), provider: provider.clone() };
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    fingerprint: String,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match hex::encode(Sha256::digest(end_entity)) == self.fingerprint {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(rustls::Error::General("another certificate".to_owned())),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_proxied_is_told_from_one_that_leads_elsewhere() {
        let domain: Domain = "panel.example.org".parse().unwrap();
        let said = |address: &str| another_certificate(&domain, address.parse().unwrap());
        for address in ["104.21.3.4", "2606:4700:3030::1"] {
            let said = said(address);
            assert!(
                said.starts_with(&format!("panel.example.org leads to {address}, which is Cloudflare's")),
                "{said}"
            );
            assert!(said.contains("switch it to “DNS only” (grey cloud)") && !said.contains("stored"), "{said}");
        }
        assert!(said("203.0.113.7").contains("answers with another certificate than the one that is stored"));
    }
}

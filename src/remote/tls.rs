//! TLS to a server that a host reaches, to be answered as a visitor is. Which certificate it shows is not looked at: SSH has proven
//! the host, nothing secret is sent, and it is the app that is asked about. Not here: what is asked.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::io::Io;

/// Why no TLS came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unmet {
    /// The server refused, as one does that has no certificate for the name.
    Refused,
    /// It speaks no TLS, or the connection broke.
    Broken,
}

/// Shakes hands under this name.
pub(super) async fn connect(io: Io, name: &str) -> Result<TlsStream<Io>, Unmet> {
    let name = ServerName::try_from(name.to_owned()).map_err(|_| Unmet::Refused)?;
    let provider = Arc::new(ring::default_provider());
    let schemes = provider.signature_verification_algorithms.supported_schemes();
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|_| Unmet::Broken)?.dangerous();
    let config = config.with_custom_certificate_verifier(Arc::new(Anybody { schemes })).with_no_client_auth();
    TlsConnector::from(Arc::new(config)).connect(name, io).await.map_err(|error| {
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner {
            Some(rustls::Error::AlertReceived(_)) => Unmet::Refused,
            Some(_) | None => Unmet::Broken,
        }
    })
}

/// Takes any certificate.
#[derive(Debug)]
struct Anybody {
    schemes: Vec<SignatureScheme>,
}

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}

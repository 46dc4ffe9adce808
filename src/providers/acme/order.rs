//! One order at an authority, from the question to the certificate.

use std::time::Duration;

use instant_acme::{AuthorizationStatus, CertificateIdentifier, ChallengeType, OrderStatus};
use rustls::pki_types::CertificateDer;
use tokio::time::{Instant, sleep};

use super::Authority;
use crate::domain::acme::{At, Problem, Trouble, classify};

/// How long an authority may take to look at the proofs, or to sign.
const PATIENCE: Duration = Duration::from_secs(120);
/// The first pause between two looks; it doubles.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How a name is proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By what is answered under it on port 80.
    Http,
    /// By a record beside it.
    Dns,
}

/// A name to be proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proof {
    /// The name, without a star.
    pub name: String,
    /// What its record has to say.
    pub record: String,
}

/// How far an order is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Names are to be proven.
    Proving,
    /// A key is awaited.
    Ready,
    /// The certificate is made, or is being made.
    Signing,
    /// It came to nothing.
    Over,
}

/// An order.
pub struct Order {
    inner: instant_acme::Order,
    authority: Authority,
}

impl Order {
    pub(super) fn new(inner: instant_acme::Order, authority: Authority) -> Self {
        Self { inner, authority }
    }

    /// Its address, by which it is found again.
    pub fn url(&self) -> &str {
        self.inner.url()
    }

    /// How far it is.
    pub fn stage(&mut self) -> Stage {
        match self.inner.state().status {
            OrderStatus::Pending => Stage::Proving,
            OrderStatus::Ready => Stage::Ready,
            OrderStatus::Processing | OrderStatus::Valid => Stage::Signing,
            OrderStatus::Invalid => Stage::Over,
        }
    }

    /// The names that are still to be proven in this way.
    pub async fn proofs(&mut self, way: Way) -> Result<Vec<Proof>, Trouble> {
        let mut proofs = Vec::new();
        let authority = self.authority.clone();
        let mut all = self.inner.authorizations();
        while let Some(next) = all.next().await {
            let mut one = next.map_err(|error| authority.trouble(At::Order, "", error))?;
            if one.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = one.identifier().identifier.authorized(false).to_string();
            let detail = "it offers no such proof for this name.".to_owned();
            let challenge = one.challenge(kind(way)).ok_or(Trouble::Refused { detail })?;
            proofs.push(Proof { name, record: challenge.key_authorization().dns_value() });
        }
        Ok(proofs)
    }

    /// Names whose records nobody looks at any more: those that are proven, and all where nothing is to be proven.
    pub async fn spent(&mut self) -> Result<Vec<Proof>, Trouble> {
        let proving = self.stage() == Stage::Proving;
        let mut spent = Vec::new();
        let authority = self.authority.clone();
        let mut all = self.inner.authorizations();
        while let Some(next) = all.next().await {
            let mut one = next.map_err(|error| authority.trouble(At::Order, "", error))?;
            if proving && one.status == AuthorizationStatus::Pending {
                continue;
            }
            let name = one.identifier().identifier.authorized(false).to_string();
            if let Some(challenge) = one.challenge(kind(Way::Dns)) {
                spent.push(Proof { name, record: challenge.key_authorization().dns_value() });
            }
        }
        Ok(spent)
    }

    /// Has the authority look at the proofs, which are in place.
    pub async fn prove(&mut self, way: Way) -> Result<(), Trouble> {
        let authority = self.authority.clone();
        let mut all = self.inner.authorizations();
        while let Some(next) = all.next().await {
            let mut one = next.map_err(|error| authority.trouble(At::Order, "", error))?;
            if one.status != AuthorizationStatus::Pending {
                continue;
            }
            let name = one.identifier().identifier.authorized(false).to_string();
            if let Some(mut challenge) = one.challenge(kind(way)) {
                challenge.set_ready().await.map_err(|error| authority.trouble(At::Proof, &name, error))?;
            }
        }
        Ok(())
    }

    /// Waits until all names are proven, or one is not.
    pub async fn proven(&mut self) -> Result<(), Trouble> {
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            let status = match self.inner.refresh().await {
                Ok(state) => state.status,
                Err(error) => return Err(self.authority.trouble(At::Order, "", error)),
            };
            match status {
                OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => return Ok(()),
                OrderStatus::Invalid => return Err(self.why().await),
                OrderStatus::Pending if Instant::now() > until => return Err(self.slow("look at the proofs")),
                OrderStatus::Pending => {}
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Hands the request in, if it was not yet, and waits for the certificate with its chain (PEM).
    pub async fn certificate(&mut self, csr: &[u8]) -> Result<String, Trouble> {
        let name = String::new();
        if self.stage() == Stage::Ready {
            let done = self.inner.finalize_csr(csr).await;
            done.map_err(|error| self.authority.trouble(At::Order, &name, error))?;
        }
        let until = Instant::now() + PATIENCE;
        let mut pause = FIRST_PAUSE;
        loop {
            match self.stage() {
                Stage::Over => return Err(self.why().await),
                Stage::Proving | Stage::Ready => {
                    self.inner.refresh().await.map_err(|error| self.authority.trouble(At::Order, &name, error))?;
                }
                Stage::Signing => match self.inner.certificate().await {
                    Ok(Some(chain)) => return Ok(chain),
                    Ok(None) => {}
                    Err(error) => return Err(self.authority.trouble(At::Order, &name, error)),
                },
            }
            if Instant::now() > until {
                return Err(self.slow("sign the certificate"));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Why the order came to nothing: what was said of the first name that was not proven.
    async fn why(&mut self) -> Trouble {
        let authority = self.authority.clone();
        let server = authority.server();
        let mut found = None;
        let mut all = self.inner.authorizations();
        while let Some(Ok(mut one)) = all.next().await {
            if one.refresh().await.is_err() || one.status != AuthorizationStatus::Invalid {
                continue;
            }
            let name = one.identifier().identifier.authorized(false).to_string();
            let said = one.challenges.iter().find_map(|challenge| challenge.error.clone());
            let said = said.map(|said| Problem {
                kind: said.r#type.unwrap_or_default(),
                detail: said.detail.unwrap_or_default(),
                status: said.status.unwrap_or_default(),
            });
            found = Some(classify(At::Proof, &name, &server, &said.unwrap_or_default(), None));
            break;
        }
        let of_the_order = self.inner.state().error.clone();
        match (found, of_the_order) {
            (Some(found), _) => found,
            (None, Some(said)) => authority.trouble(At::Order, "", instant_acme::Error::Api(said)),
            (None, None) => {
                Trouble::Refused { detail: "the order came to nothing, and no reason was given.".to_owned() }
            }
        }
    }

    fn slow(&self, what: &str) -> Trouble {
        let detail = format!("it did not {what} within {} s", PATIENCE.as_secs());
        Trouble::ServerDown { server: self.authority.server(), detail, until: None }
    }
}

fn kind(way: Way) -> ChallengeType {
    match way {
        Way::Http => ChallengeType::Http01,
        Way::Dns => ChallengeType::Dns01,
    }
}

/// The id of a certificate (RFC 9773 §4.1); none where it does not say who signed it.
pub(super) fn certificate_id(der: &[u8]) -> Option<CertificateIdentifier<'static>> {
    CertificateIdentifier::try_from(&CertificateDer::from(der)).ok().map(CertificateIdentifier::into_owned)
}

//! Services that take notices, a file each. Every one turns the same letter into what it understands, and its answer into
//! words. Not here: when to send, and how often to try.

mod chat;
mod mail;
mod ntfy;
mod outward;
mod post;
mod telegram;
mod webhook;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::time::timeout;
use url::Url;

use crate::domain::channel::{MailServer, Target};
use crate::domain::notice::Letter;
use crate::domain::secret::Secret;
pub use webhook::signature;

/// A service that takes longer has not answered: longer than the slowest mail server that greets late on purpose.
const LIMIT: Duration = Duration::from_secs(20);
/// Characters of an answer that are shown.
const SHOWN: usize = 200;

/// How the panel reaches services outside. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outside(Arc<Settings>, Option<Arc<str>>);

/// What the panel's operator says about it.
#[derive(Debug, Default)]
pub struct Settings {
    /// Whether private addresses and the panel's own machine may be reached.
    pub private: bool,
    /// Certificates to trust in place of the machine's own, as PEM.
    pub roots: Option<Vec<u8>>,
    /// Where Slack, Discord and Telegram are, in place of their own addresses. A user cannot say this.
    pub services: Option<Url>,
    /// The address the panel was started with, without a slash at its end: links in letters begin with it where it has no name.
    pub base_url: String,
}

/// The certificates of the operator cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("The certificates in {0} cannot be read: {1}.")]
pub struct BadRoots(std::path::PathBuf, String);

/// Why a letter was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotSent {
    /// One sentence for people: what the service answered, and what to try.
    pub words: String,
    /// Whether it may be taken later.
    pub again: bool,
    /// When the service wants to be asked again, where it says so.
    pub after: Option<Duration>,
}

/// A mail server with its password.
#[derive(Clone, Debug)]
pub struct Mailing {
    /// The server.
    pub server: MailServer,
    /// The password; none where the server asks for none.
    pub password: Option<Secret<String>>,
}

impl Outside {
    /// With these settings.
    pub fn new(settings: Settings) -> Self {
        Self(Arc::new(settings), None)
    }

    /// The same, with links that begin with the address under the name the panel is known by, where it has one.
    pub fn known_as(&self, named_url: Option<String>) -> Self {
        Self(Arc::clone(&self.0), named_url.map(Arc::from))
    }

    /// Reads the operator's certificates, where a file of them is named.
    pub fn roots(file: Option<&Path>) -> Result<Option<Vec<u8>>, BadRoots> {
        let Some(file) = file else { return Ok(None) };
        let bad = |why: String| BadRoots(file.to_owned(), why);
        let pem = std::fs::read(file).map_err(|error| bad(error.to_string()))?;
        let count = CertificateDer::pem_slice_iter(&pem).filter(Result::is_ok).count();
        if count == 0 { Err(bad("there is no certificate in it".to_owned())) } else { Ok(Some(pem)) }
    }

    /// Sends a letter, and says in words what the service answered.
    pub async fn send(&self, target: &Target, mailing: Option<&Mailing>, letter: &Letter) -> Result<String, NotSent> {
        let sending = async {
            match target {
                Target::Email { to } => mail::send(self, mailing, to, letter).await,
                Target::Slack { url } => chat::slack(self, url, letter).await,
                Target::Discord { url } => chat::discord(self, url, letter).await,
                Target::Telegram { token, chat } => telegram::send(self, token, chat, letter).await,
                Target::Ntfy { url, token } => ntfy::send(self, url, token, letter).await,
                Target::Webhook { url, secret } => webhook::send(self, url, secret, letter).await,
            }
        };
        let late = || NotSent::later(format!("No answer within {} seconds.", LIMIT.as_secs()));
        timeout(LIMIT, sending).await.unwrap_or_else(|_| Err(late()))
    }

    /// The page a letter leads to.
    fn link(&self, letter: &Letter) -> String {
        [self.1.as_deref().unwrap_or(&self.0.base_url), &letter.path].concat()
    }

    /// The address of a service that has one of its own.
    fn of_service(&self, url: &Url) -> Url {
        let mut url = url.clone();
        if let Some(other) = &self.0.services {
            let _ = url.set_scheme(other.scheme());
            let _ = url.set_host(other.host_str());
            let _ = url.set_port(other.port());
        }
        url
    }

    /// The certificates that are trusted.
    fn trusted(&self) -> RootCertStore {
        let mut store = RootCertStore::empty();
        match &self.0.roots {
            Some(pem) => {
                store.add_parsable_certificates(CertificateDer::pem_slice_iter(pem).filter_map(Result::ok));
            }
            // One of the machine's that cannot be read is not trusted, the others are.
            None => {
                store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
        }
        store
    }
}

impl NotSent {
    /// It will not be taken later either.
    fn never(words: impl Into<String>) -> Self {
        Self { words: words.into(), again: false, after: None }
    }

    /// It may be taken later.
    fn later(words: impl Into<String>) -> Self {
        Self { words: words.into(), again: true, after: None }
    }
}

/// What a service said, on one line and not at any length: it is another's text.
fn said(text: &str) -> String {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(SHOWN).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

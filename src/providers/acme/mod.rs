//! A certificate authority (RFC 8555), spoken to by instant-acme. What goes wrong comes out as trouble that people can read.
//! Not here: when to ask, what is kept, how a name is proven.

mod client;
mod order;

pub use order::{Order, Proof, Stage, Way};

use std::sync::Arc;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use instant_acme::{AccountCredentials, ExternalAccountKey, Identifier, NewAccount, NewOrder};

use crate::domain::acme::{At, Problem, Trouble, Window, classify};
use crate::domain::secret::Secret;
use client::{Ears, Http};

use super::https::{Down, Https};

/// An authority. Nothing is asked before somebody signs in.
#[derive(Clone)]
pub struct Authority {
    https: Https,
    directory: String,
    ears: Arc<Ears>,
}

/// An account that was just made.
pub struct Registered {
    /// Its key and address, to be sealed.
    pub credentials: Secret<String>,
    /// Its address at the authority.
    pub url: String,
    /// What proves it over HTTP.
    pub thumbprint: String,
}

/// An account, signed in.
pub struct Account {
    inner: instant_acme::Account,
    authority: Authority,
}

/// The key that binds an account to one that the authority has already (RFC 8555 §7.3.4).
pub struct Binding {
    /// Its id.
    pub id: String,
    /// The key itself.
    pub key: Secret<Vec<u8>>,
}

impl Authority {
    /// The authority whose directory is here; trusted by the machine's roots and by this one (PEM; empty for none).
    pub fn new(directory: &str, root_pem: &str) -> Result<Self, Trouble> {
        let server = server_of(directory);
        let https = Https::new(root_pem).map_err(|down| trouble_of(&server, down))?;
        Ok(Self { https, directory: directory.to_owned(), ears: Arc::default() })
    }

    /// Makes an account. The terms were agreed to by whoever asks.
    pub async fn register(&self, email: &str, binding: Option<&Binding>) -> Result<Registered, Trouble> {
        let contact = contact(email);
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let wanted = NewAccount { contact: &contact, terms_of_service_agreed: true, only_return_existing: false };
        let key = binding.map(|binding| ExternalAccountKey::new(binding.id.clone(), binding.key.expose()));
        let made = self.builder().create(&wanted, self.directory.clone(), key.as_ref()).await;
        let (account, credentials) = made.map_err(|error| {
            let of_the_key = binding.is_some() && said_of_key(&error);
            match self.trouble(At::Account, "", error) {
                Trouble::Account { detail } if of_the_key => Trouble::Binding { detail },
                other => other,
            }
        })?;
        let credentials = serde_json::to_string(&credentials).map_err(|error| self.down(error.to_string()))?;
        Ok(Registered {
            url: account.id().to_owned(),
            thumbprint: account.key_thumbprint().to_owned(),
            credentials: Secret::new(credentials),
        })
    }

    /// Signs in with what was kept of an account.
    pub async fn sign_in(&self, credentials: &Secret<String>) -> Result<Account, Trouble> {
        let read: AccountCredentials =
            serde_json::from_str(credentials.expose()).map_err(|error| self.down(error.to_string()))?;
        let signed = self.builder().from_credentials(read).await;
        let inner = signed.map_err(|error| self.trouble(At::Account, "", error))?;
        Ok(Account { inner, authority: self.clone() })
    }

    fn builder(&self) -> instant_acme::AccountBuilder {
        instant_acme::Account::builder_with_http(Box::new(Http::new(self.https.clone(), Arc::clone(&self.ears))))
    }

    /// How many seconds this machine's clock is ahead of the authority's, by the moment its directory was answered (RFC 9110
    /// §6.6.1); none where it names none.
    pub async fn clock_ahead(&self) -> Result<Option<i64>, Trouble> {
        let down = |error: hyper::http::Error| self.down(error.to_string());
        let request = hyper::Request::get(&self.directory).body(http_body_util::Full::default()).map_err(down)?;
        let asked = OffsetDateTime::now_utc();
        let answer = self.https.send(request).await.map_err(|down| trouble_of(&self.server(), down))?;
        let here: OffsetDateTime = asked + (OffsetDateTime::now_utc() - asked) / 2_i32;
        let said = answer.0.headers.get(hyper::header::DATE).and_then(|value| value.to_str().ok());
        let there = said.and_then(|said| OffsetDateTime::parse(said.trim(), &Rfc2822).ok());
        Ok(there.map(|there| (here - there).whole_seconds()))
    }

    /// Its name for people: the directory's host.
    pub fn server(&self) -> String {
        server_of(&self.directory)
    }

    fn down(&self, detail: String) -> Trouble {
        Trouble::ServerDown { server: self.server(), detail, until: None }
    }

    /// True where an order was refused for the certificate that it named as replaced, and may be had without that word (RFC 9773 §5): it
    /// was replaced already, it is not known there or is another account's, or the authority has no word for it.
    fn is_about_what_is_replaced(&self, error: &instant_acme::Error) -> bool {
        use instant_acme::Error;
        match error {
            Error::Api(said) => {
                let status = said.status.or_else(|| self.ears.status()).unwrap_or_default();
                match kind(said) {
                    "alreadyReplaced" | "conflict" | "malformed" | "unauthorized" => true,
                    // Something of the account, of a limit, or of the names themselves.
                    kind => status == 409 && kind != "rateLimited",
                }
            }
            Error::Unsupported(_) => true,
            // It took the order, and did not repeat what is replaced.
            Error::Other(cause) => !cause.is::<Down>(),
            _ => false,
        }
    }

    /// What an error of the library means.
    fn trouble(&self, at: At, name: &str, error: instant_acme::Error) -> Trouble {
        use instant_acme::Error;
        match error {
            Error::Api(said) => {
                let problem = Problem {
                    kind: said.r#type.unwrap_or_default(),
                    detail: said.detail.unwrap_or_default(),
                    status: said.status.or_else(|| self.ears.status()).unwrap_or_default(),
                };
                classify(at, name, &self.server(), &problem, self.ears.retry_after())
            }
            Error::Other(cause) => match cause.downcast::<Down>() {
                Ok(down) => trouble_of(&self.server(), *down),
                Err(cause) => self.down(cause.to_string()),
            },
            // An answer that is no document, as a proxy gives before a server that is away.
            Error::Json(_) if self.ears.status().is_some_and(|status| status >= 400) => Trouble::ServerDown {
                server: self.server(),
                detail: format!("status {}", self.ears.status().unwrap_or_default()),
                until: self.ears.retry_after(),
            },
            other => self.down(other.to_string()),
        }
    }
}

impl Account {
    /// Asks for a certificate for these names; in place of one whose id this is, where the authority knows that.
    pub async fn order(&self, names: &[String], replaces: Option<&[u8]>) -> Result<Order, Trouble> {
        let names: Vec<Identifier> = names.iter().map(|name| Identifier::Dns(name.clone())).collect();
        let first = names.first().map(|name| name.authorized(false).to_string()).unwrap_or_default();
        if let Some(id) = replaces.and_then(order::certificate_id) {
            match self.inner.new_order(&NewOrder::new(&names).replaces(id)).await {
                Ok(order) => return Ok(Order::new(order, self.authority.clone())),
                Err(error) if self.authority.is_about_what_is_replaced(&error) => {}
                // Asked without, it would say the same once more, and count it.
                Err(error) => return Err(self.authority.trouble(At::Order, &first, error)),
            }
        }
        let order = self.inner.new_order(&NewOrder::new(&names)).await;
        let order = order.map_err(|error| self.authority.trouble(At::Order, &first, error))?;
        Ok(Order::new(order, self.authority.clone()))
    }

    /// Tells the authority whom it may write to in place of whom it knew (RFC 8555 §7.3.2); an empty address is nobody.
    pub async fn tell_contact(&self, email: &str) -> Result<(), Trouble> {
        let contact = contact(email);
        let contact: Vec<&str> = contact.iter().map(String::as_str).collect();
        let told = self.inner.update_contacts(&contact).await;
        told.map_err(|error| self.authority.trouble(At::Account, "", error))
    }

    /// An order that was asked for before. None where the authority does not know it any more.
    pub async fn known_order(&self, url: &str) -> Result<Option<Order>, Trouble> {
        match self.inner.order(url.to_owned()).await {
            Ok(order) => Ok(Some(Order::new(order, self.authority.clone()))),
            Err(instant_acme::Error::Api(said)) if said.status.is_none_or(|status| status < 429) => Ok(None),
            Err(error) => Err(self.authority.trouble(At::Order, "", error)),
        }
    }

    /// When the authority wants a certificate renewed (RFC 9773); none where it has no opinion.
    pub async fn window(&self, certificate: &[u8]) -> Result<Option<Window>, Trouble> {
        let Some(id) = order::certificate_id(certificate) else { return Ok(None) };
        match self.inner.renewal_info(&id).await {
            Ok((info, _)) => Ok(Some(Window { start: info.suggested_window.start, end: info.suggested_window.end })),
            // The library wants an answer to say when to ask again: one that does not has no opinion either.
            Err(instant_acme::Error::Unsupported(_) | instant_acme::Error::Api(_) | instant_acme::Error::Str(_)) => {
                Ok(None)
            }
            Err(error) => Err(self.authority.trouble(At::Order, "", error)),
        }
    }
}

/// An e-mail address as an account has it.
fn contact(email: &str) -> Option<String> {
    (!email.is_empty()).then(|| format!("mailto:{email}"))
}

/// The type of a problem, without what all types begin with.
fn kind(said: &instant_acme::Problem) -> &str {
    let kind = said.r#type.as_deref().unwrap_or_default();
    kind.rsplit(':').next().unwrap_or(kind)
}

/// True where making an account was refused for the key that binds it.
fn said_of_key(error: &instant_acme::Error) -> bool {
    match error {
        instant_acme::Error::Api(said) => {
            matches!(kind(said), "unauthorized" | "malformed" | "externalAccountRequired" | "badSignatureAlgorithm")
        }
        _ => false,
    }
}

/// The host of an address.
fn server_of(directory: &str) -> String {
    let url = directory.parse::<url::Url>().ok();
    url.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_else(|| directory.to_owned())
}

fn trouble_of(server: &str, down: Down) -> Trouble {
    let server = server.to_owned();
    match down {
        Down::Clock(detail) => Trouble::Clock { server, detail },
        Down::Untrusted(detail) => Trouble::Untrusted { server, detail },
        Down::Away(detail) => Trouble::ServerDown { server, detail, until: None },
    }
}

/// The first certificate of a PEM text, as its bytes.
pub fn leaf(pem: &[u8]) -> Option<Vec<u8>> {
    use rustls::pki_types::CertificateDer;
    use rustls::pki_types::pem::PemObject as _;
    Some(CertificateDer::pem_slice_iter(pem).next()?.ok()?.as_ref().to_vec())
}

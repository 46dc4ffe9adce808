//! E-mail by the team's mail server. The connection is made to an address that was judged; TLS is checked against the name.

use std::error::Error as _;
use std::time::Duration;

use lettre::address::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::Error;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt};
use lettre::transport::smtp::extension::{ClientId, Extension, MailBodyParameter, MailParameter};
use lettre::transport::smtp::response::Response;
use tokio::time::timeout;

use super::outward::addresses;
use super::{LIMIT, Mailing, NotSent, Outside, said};
use crate::domain::channel::Security;
use crate::domain::names::Email;
use crate::domain::notice::Letter;

/// Each word of the server may take so long.
const WORD: Duration = Duration::from_secs(10);
/// How long a good-bye is waited for.
const GOOD_BYE: Duration = Duration::from_secs(1);

/// What came of a letter that a mail server took for some at least.
#[derive(Clone, Debug)]
pub struct Mailed {
    /// In words: its answer, and whom it refused.
    pub words: String,
    /// Whom it refused for now: these alone are still to get the letter.
    pub left: Vec<Email>,
    /// Whom it refused for good, in one sentence; empty where there is nobody.
    pub dead: String,
}

impl Outside {
    /// Sends a letter by mail, and says who is to get it later.
    pub async fn mail(&self, mailing: Option<&Mailing>, to: &[Email], letter: &Letter) -> Result<Mailed, NotSent> {
        let late = || NotSent::later(format!("No answer within {} seconds.", LIMIT.as_secs()));
        let (answer, mut connection) =
            timeout(LIMIT, mail(self, mailing, to, letter)).await.unwrap_or_else(|_| Err(late()))?;
        // What was answered stands, however the server says good-bye.
        let _ = timeout(GOOD_BYE, connection.quit()).await;
        answer
    }
}

pub(super) async fn send(
    outside: &Outside,
    mailing: Option<&Mailing>,
    to: &[Email],
    letter: &Letter,
) -> Result<String, NotSent> {
    outside.mail(mailing, to, letter).await.map(|mailed| mailed.words)
}

/// Hands the letter over, and gives the connection with what was answered: no good-bye has been said.
async fn mail(
    outside: &Outside,
    mailing: Option<&Mailing>,
    to: &[Email],
    letter: &Letter,
) -> Result<(Result<Mailed, NotSent>, AsyncSmtpConnection), NotSent> {
    let Some(Mailing { server, password }) = mailing else {
        return Err(NotSent::never("The team has no mail server: an admin enters one under Notices."));
    };
    let host = server.host.as_ref();
    let message = message(outside, &server.sender, to, letter)?;
    let receivers: Vec<(&Email, Address)> =
        to.iter().map(|to| address(to).map(|address| (to, address))).collect::<Result<_, _>>()?;
    let sender = address(&server.sender)?;
    let found = addresses(outside, host, server.port).await?;
    let domain = server.sender.as_ref().rsplit('@').next().unwrap_or("localhost");
    let hello = ClientId::Domain(domain.to_owned());
    let tls = match server.security {
        Security::None => None,
        Security::Starttls | Security::Tls => Some(parameters(outside, host)?),
    };
    let broke = |stage: &'static str| move |error: Error| explain(host, stage, &error);
    let at_once = tls.clone().filter(|_| server.security == Security::Tls);
    let connecting = AsyncSmtpConnection::connect_tokio1(found.as_slice(), Some(WORD), &hello, at_once, None);
    let mut connection = connecting.await.map_err(broke("the connection"))?;
    if let (Security::Starttls, Some(tls)) = (server.security, tls) {
        if !connection.can_starttls() {
            connection.abort().await;
            let words = format!(
                "{host} offers no STARTTLS, so nothing was sent. If it listens for TLS at port 465, choose that; without \
                 any, choose None."
            );
            return Err(NotSent::never(words));
        }
        connection.starttls(tls, &hello).await.map_err(broke("STARTTLS"))?;
    }
    if let (false, Some(password)) = (server.username.is_empty(), password) {
        let credentials = Credentials::new(server.username.clone(), password.expose().clone());
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        connection.auth(&mechanisms, &credentials).await.map_err(broke("signing in"))?;
    }
    let (taken, refused) = match hand_over(&mut connection, sender, receivers, &message).await {
        Ok(done) => done,
        Err(error) => {
            connection.abort().await;
            return Err(explain(host, "the letter", &error));
        }
    };
    Ok((answered(host, taken, refused), connection))
}

/// What came of it, by the server's answer and those that it refused.
fn answered(host: &str, taken: Option<Response>, refused: Vec<(&Email, Error)>) -> Result<Mailed, NotSent> {
    let Some(taken) = taken else {
        let again = refused.iter().any(|(_, error)| !error.is_permanent());
        let first = refused.first().map(|(_, error)| explain(host, "the letter", error));
        return Err(NotSent { again, ..first.unwrap_or_else(unfit) });
    };
    let words: Vec<&str> = taken.message().collect();
    let mut words = format!("{host} answered {}: {}", taken.code(), said(&words.join(" ")));
    if !refused.is_empty() {
        words = format!("{}. {}", words.trim_end_matches('.'), not_for(&refused));
    }
    let (dead, later): (Vec<_>, Vec<_>) = refused.into_iter().partition(|(_, error)| error.is_permanent());
    let left = later.into_iter().map(|(to, _)| to.clone()).collect();
    Ok(Mailed { words, left, dead: if dead.is_empty() { String::new() } else { not_for(&dead) } })
}

/// Whom a letter was not taken for, and why.
fn not_for(refused: &[(&Email, Error)]) -> String {
    let all: Vec<String> = refused.iter().map(|(to, error)| format!("{to} ({})", refusal(error))).collect();
    format!("It did not take it for {}.", all.join(", "))
}

/// Hands a letter over for all receivers that the server takes, and gives those that it does not: one that is dead is in the way of no
/// other. No answer where it takes none.
async fn hand_over<'a>(
    connection: &mut AsyncSmtpConnection,
    sender: Address,
    receivers: Vec<(&'a Email, Address)>,
    message: &[u8],
) -> Result<(Option<Response>, Vec<(&'a Email, Error)>), Error> {
    let mut options = Vec::new();
    let ascii = |address: &Address| <Address as AsRef<str>>::as_ref(address).is_ascii();
    if !ascii(&sender) || !receivers.iter().all(|(_, address)| ascii(address)) {
        options.push(MailParameter::SmtpUtfEight);
    }
    if !message.is_ascii() && connection.server_info().supports_feature(Extension::EightBitMime) {
        options.push(MailParameter::Body(MailBodyParameter::EightBitMime));
    }
    connection.command(Mail::new(Some(sender), options)).await?;
    let (count, mut refused) = (receivers.len(), Vec::new());
    for (receiver, address) in receivers {
        match connection.command(Rcpt::new(address, Vec::new())).await {
            Ok(_) => {}
            Err(error) if error.status().is_some() => refused.push((receiver, error)),
            Err(error) => return Err(error),
        }
    }
    if refused.len() == count {
        return Ok((None, refused));
    }
    connection.command(Data).await?;
    Ok((Some(connection.message(message).await?), refused))
}

/// What was said of one receiver, with its code.
fn refusal(error: &Error) -> String {
    let code = error.status().map(|code| format!("{code} ")).unwrap_or_default();
    let detail = said(&chain(error));
    format!("{code}{}", after_code(&detail))
}

fn message(outside: &Outside, sender: &Email, to: &[Email], letter: &Letter) -> Result<Vec<u8>, NotSent> {
    let domain = sender.as_ref().rsplit('@').next().unwrap_or("localhost");
    let mut builder = Message::builder()
        .from(Mailbox::new(Some("Skiff".to_owned()), address(sender)?))
        // The same for every try: who got it twice sees it once.
        .message_id(Some(format!("<{}@{domain}>", letter.id)))
        .subject(format!("[{}] {}", one_line(&letter.team), one_line(&letter.title)));
    for receiver in to {
        builder = builder.to(Mailbox::new(None, address(receiver)?));
    }
    let text = format!("{}\n\n{}\n\n{}\n", letter.title, letter.body, outside.link(letter));
    let message = builder.header(ContentType::TEXT_PLAIN).body(text).map_err(|_| unfit())?;
    Ok(message.formatted())
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

fn address(email: &Email) -> Result<Address, NotSent> {
    email.as_ref().parse().map_err(|_| NotSent::never(format!("{email} is no address that mail can be sent to.")))
}

fn unfit() -> NotSent {
    NotSent::never("The letter cannot be written to these addresses: look at them again.")
}

fn parameters(outside: &Outside, host: &str) -> Result<TlsParameters, NotSent> {
    let cannot = |error: Error| NotSent::never(format!("TLS with {host} cannot begin: {}.", said(&chain(&error))));
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(pem) = &outside.0.roots {
        builder = builder.certificate_store(CertificateStore::None);
        builder = builder.add_root_certificate(Certificate::from_pem(pem).map_err(cannot)?);
    }
    builder.build().map_err(cannot)
}

/// Why it was not taken: what the server said, and what to try.
fn explain(host: &str, stage: &'static str, error: &Error) -> NotSent {
    let detail = said(&chain(error));
    let advice = match (stage, error.is_permanent()) {
        ("signing in", true) => " Are user and password right?",
        ("STARTTLS", _) | ("the connection", _) if detail.contains("certificate") => {
            " Is its certificate in order, and is this the name in it?"
        }
        ("the connection", false) if !error.is_transient() => " Are host, port and security right?",
        ("the letter", true) => " Does it let this sender send to these addresses?",
        _ => "",
    };
    let words = match error.status() {
        Some(code) => format!("{host} answered {code} to {stage}: {}.{advice}", after_code(&detail)),
        None => format!("{stage} failed at {host}: {detail}.{advice}"),
    };
    let mut words = words;
    if let Some(first) = words.get(..1).map(str::to_uppercase).filter(|_| error.status().is_none()) {
        words.replace_range(..1, &first);
    }
    NotSent { words, again: !error.is_permanent(), after: None }
}

/// lettre begins with its own words for the code, which stands before it already.
fn after_code(detail: &str) -> &str {
    detail.split_once("): ").map_or(detail, |(_, said)| said).trim_end_matches('.')
}

/// An error with all that it came from.
fn chain(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let next_text = next.to_string();
        if !text.contains(&next_text) {
            text.push_str(": ");
            text.push_str(&next_text);
        }
        cause = next.source();
    }
    text.trim_end_matches('.').to_owned()
}

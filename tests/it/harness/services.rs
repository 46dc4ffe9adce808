//! Services that take notices, as they are on the wire: a web server that notes what it is asked, and a mail server. They stand
//! in for what cannot be had here, and speak the real protocols.

use std::sync::{Arc, Mutex};

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use http_body_util::BodyExt;
use skiff::providers::notices::{Outside, Settings};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// Services outside, of which this machine may be one.
pub fn outside() -> Outside {
    outside_of(None, None)
}

/// The same with Slack, Discord and Telegram there, and this authority trusted alone.
pub fn outside_of(services: Option<&str>, roots: Option<&str>) -> Outside {
    Outside::new(Settings {
        private: true,
        roots: roots.map(|pem| pem.as_bytes().to_vec()),
        services: services.map(|base| base.parse().unwrap()),
        base_url: "http://127.0.0.1:7070".to_owned(),
    })
}

/// What a web server was asked.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The path, with its query.
    pub path: String,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The body as JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    /// A header.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A web server that notes what it is asked.
pub struct WebService {
    /// "http://127.0.0.1:PORT".
    pub base: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    serving: JoinHandle<()>,
}

impl WebService {
    /// One that answers like this; the number counts requests from 0.
    pub async fn start<F, R>(answer: F) -> Self
    where
        F: Fn(usize, &Asked) -> R + Clone + Send + Sync + 'static,
        R: IntoResponse + 'static,
    {
        Self::start_slow(move |number, asked| {
            let response = answer(number, &asked).into_response();
            async move { response }
        })
        .await
    }

    /// The same that may take its time.
    pub async fn start_slow<F, R>(answer: F) -> Self
    where
        F: Fn(usize, Asked) -> R + Clone + Send + Sync + 'static,
        R: Future<Output = Response> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let noted = asked.clone();
        let router = axum::Router::new().fallback(move |request: Request| {
            let (noted, answer) = (noted.clone(), answer.clone());
            async move {
                let (parts, body) = request.into_parts();
                let body: Bytes = body.collect().await.unwrap().to_bytes();
                let path = parts.uri.path_and_query().unwrap().to_string();
                let body = String::from_utf8(body.to_vec()).unwrap();
                let asked = Asked { path, headers: parts.headers, body };
                let number = {
                    let mut noted = noted.lock().unwrap();
                    noted.push(asked.clone());
                    noted.len() - 1
                };
                answer(number, asked).await
            }
        });
        #[allow(clippy::disallowed_types, reason = "a test's server needs no limits")]
        let serving = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { base, asked, serving }
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

impl Drop for WebService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// A letter that a mail server took.
#[derive(Clone, Debug)]
pub struct Mail {
    /// The envelope's sender.
    pub from: String,
    /// The envelope's receivers.
    pub to: Vec<String>,
    /// Headers and body.
    pub text: String,
    /// Whether it came by TLS.
    pub encrypted: bool,
    /// Who was signed in.
    pub user: Option<String>,
}

/// How a mail server behaves.
#[derive(Clone, Default)]
pub struct Manners {
    /// It offers STARTTLS.
    pub starttls: bool,
    /// It offers STARTTLS and then speaks no TLS.
    pub tls_breaks: bool,
    /// It speaks TLS from the first byte.
    pub tls: bool,
    /// It asks for this user and password.
    pub login: Option<(&'static str, &'static str)>,
    /// It answers this verb like this.
    pub refuses: Option<(&'static str, &'static str)>,
    /// It takes nothing for this receiver.
    pub dead: Option<&'static str>,
    /// It closes the connection instead of answering QUIT.
    pub rude: bool,
}

/// A mail server (RFC 5321, 3207, 4954: what is needed of them).
pub struct MailService {
    /// Its port on 127.0.0.1, where it is known as `localhost`.
    pub port: u16,
    /// The authority of its certificate.
    pub authority: String,
    mails: Arc<Mutex<Vec<Mail>>>,
    serving: JoinHandle<()>,
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

impl MailService {
    /// One that behaves like this.
    pub async fn start(manners: Manners) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let authority = made.cert.pem();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let mails: Arc<Mutex<Vec<Mail>>> = Arc::default();
        let noted = mails.clone();
        let serving = tokio::spawn(async move {
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let (manners, noted, acceptor) = (manners.clone(), noted.clone(), acceptor.clone());
                tokio::spawn(async move {
                    let first: Box<dyn Stream> = if manners.tls {
                        match acceptor.accept(stream).await {
                            Ok(stream) => Box::new(stream),
                            Err(_) => return,
                        }
                    } else {
                        Box::new(stream)
                    };
                    let encrypted = manners.tls;
                    if let Some(stream) = session(first, &manners, &noted, encrypted, true).await {
                        if manners.tls_breaks {
                            let mut stream = stream;
                            let _ = stream.write_all(b"this is no TLS at all, sorry\r\n").await;
                        } else if let Ok(stream) = acceptor.accept(stream).await {
                            session(Box::new(stream), &manners, &noted, true, false).await;
                        }
                    }
                });
            }
        });
        Self { port, authority, mails, serving }
    }

    /// What it took so far.
    pub fn mails(&self) -> Vec<Mail> {
        self.mails.lock().unwrap().clone()
    }
}

impl Drop for MailService {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One session; gives the stream back where it goes on as TLS.
async fn session(
    stream: Box<dyn Stream>,
    manners: &Manners,
    noted: &Mutex<Vec<Mail>>,
    encrypted: bool,
    greets: bool,
) -> Option<Box<dyn Stream>> {
    use base64::Engine;
    let mut stream = BufReader::new(stream);
    if greets {
        stream.write_all(b"220 localhost a test's mail server\r\n").await.ok()?;
    }
    let (mut from, mut to, mut user) = (String::new(), Vec::new(), None);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        let line = line.trim_end();
        let verb = line.split(' ').next().unwrap_or_default().to_uppercase();
        let refused = manners.refuses.filter(|(refused, _)| *refused == verb).map(|(_, reply)| reply);
        let reply = match verb.as_str() {
            "QUIT" if manners.rude => return None,
            "QUIT" => {
                let _ = stream.write_all(b"221 bye\r\n").await;
                return None;
            }
            _ if refused.is_some() => refused.unwrap().to_owned(),
            "EHLO" => {
                let mut offers = vec!["250-localhost"];
                if manners.starttls && !encrypted {
                    offers.push("250-STARTTLS");
                }
                if manners.login.is_some() {
                    offers.push("250-AUTH PLAIN LOGIN");
                }
                offers.push("250 8BITMIME");
                offers.join("\r\n")
            }
            "STARTTLS" => {
                stream.write_all(b"220 go ahead\r\n").await.ok()?;
                return Some(stream.into_inner());
            }
            "AUTH" => {
                let said = line.rsplit(' ').next().unwrap_or_default();
                let said = base64::engine::general_purpose::STANDARD.decode(said).unwrap_or_default();
                let parts: Vec<String> = String::from_utf8_lossy(&said).split('\0').map(str::to_owned).collect();
                match (&manners.login, parts.as_slice()) {
                    (Some((name, password)), [_, given, secret]) if given == name && secret == password => {
                        user = Some(given.clone());
                        "235 2.7.0 welcome".to_owned()
                    }
                    _ => "535 5.7.8 user or password is wrong".to_owned(),
                }
            }
            "MAIL" if manners.login.is_some() && user.is_none() => "530 5.7.0 sign in first".to_owned(),
            "MAIL" => {
                from = between(line);
                "250 2.1.0 fine".to_owned()
            }
            "RCPT" if manners.dead == Some(between(line).as_str()) => "550 5.1.1 no such user here".to_owned(),
            "RCPT" => {
                to.push(between(line));
                "250 2.1.5 fine".to_owned()
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await.ok()?;
                let mut text = String::new();
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).await.ok()? == 0 {
                        return None;
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let mail =
                    Mail { from: from.clone(), to: std::mem::take(&mut to), text, encrypted, user: user.clone() };
                noted.lock().unwrap().push(mail);
                "250 2.0.0 queued as 4711".to_owned()
            }
            "NOOP" | "RSET" => "250 fine".to_owned(),
            _ => "502 5.5.2 what".to_owned(),
        };
        stream.write_all(format!("{reply}\r\n").as_bytes()).await.ok()?;
    }
}

/// What stands between < and >.
fn between(line: &str) -> String {
    line.split(['<', '>']).nth(1).unwrap_or_default().to_owned()
}

//! Handshakes as fast as they go, by several visitors at once, each under the next of all names.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, HandshakeKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::harness::tls::{trusting, trusting_with};
use crate::scene::Scene;

/// Visitors at once: more than there are cores, so that the proxy always has something to do.
const AT_ONCE: usize = 16;
/// Names that somebody who comes back comes back to.
const BACK_TO: usize = 20;
/// Sessions they remember: rustls counts eight for each name.
const REMEMBERED: usize = 16 * BACK_TO;

/// What a visitor does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole handshake of TLS 1.3, and away.
    Whole13,
    /// The same of TLS 1.2.
    Whole12,
    /// Comes back: TLS 1.2 with a session the proxy remembers, and away.
    Resumed,
    /// A whole handshake and a request through to the app.
    Request,
}

impl Kind {
    pub const ALL: [Self; 4] = [Self::Whole13, Self::Whole12, Self::Resumed, Self::Request];

    pub fn words(self) -> &'static str {
        match self {
            Self::Whole13 => "whole handshakes, TLS 1.3",
            Self::Whole12 => "whole handshakes, TLS 1.2",
            Self::Resumed => "sessions resumed, TLS 1.2",
            Self::Request => "whole handshakes with a request to the app, TLS 1.3",
        }
    }
}

pub struct Done {
    pub handshakes: u64,
    pub resumed: u64,
    pub per_second: f64,
}

/// As many as there can be within this time.
pub async fn measure(scene: &Scene, port: u16, kind: Kind, lasts: Duration) -> Done {
    let pem = &scene.authority.pem;
    let trust = match kind {
        Kind::Whole13 | Kind::Request => trusting(pem),
        Kind::Whole12 => trusting_with(pem, &[&rustls::version::TLS12], Resumption::disabled()),
        Kind::Resumed => trusting_with(pem, &[&rustls::version::TLS12], Resumption::in_memory_sessions(REMEMBERED)),
    };
    let names: Arc<Vec<String>> = match kind {
        Kind::Resumed => Arc::new(scene.domains.iter().take(BACK_TO).cloned().collect()),
        Kind::Whole13 | Kind::Whole12 | Kind::Request => Arc::new(scene.domains.clone()),
    };
    let mut at = scene.way().at;
    at.set_port(port);
    let (began, mut running) = (Instant::now(), JoinSet::new());
    for visitor in 0..AT_ONCE {
        let (trust, names) = (trust.clone(), names.clone());
        running.spawn(async move {
            let (mut handshakes, mut resumed) = (0, 0);
            let mut turn = visitor * names.len() / AT_ONCE;
            while began.elapsed() < lasts {
                let name = &names[turn % names.len()];
                resumed += u64::from(once(at, &trust, name, kind).await);
                handshakes += 1;
                turn += 1;
            }
            (handshakes, resumed)
        });
    }
    let (mut handshakes, mut resumed) = (0, 0);
    while let Some(one) = running.join_next().await {
        let one: (u64, u64) = one.unwrap();
        (handshakes, resumed) = (handshakes + one.0, resumed + one.1);
    }
    Done { handshakes, resumed, per_second: handshakes as f64 / began.elapsed().as_secs_f64() }
}

/// One of them; true where a session was resumed.
async fn once(at: std::net::SocketAddr, trust: &Arc<ClientConfig>, name: &str, kind: Kind) -> bool {
    let stream = TcpStream::connect(at).await.expect("it listens");
    stream.set_nodelay(true).unwrap();
    // Tens of thousands of connections to one port: none waits after its end.
    stream.set_zero_linger().unwrap();
    let domain = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = TlsConnector::from(trust.clone()).connect(domain, stream).await.expect("it shakes hands");
    if kind == Kind::Request {
        let asked = format!("GET / HTTP/1.1\r\nhost: {name}\r\nconnection: close\r\n\r\n");
        stream.write_all(asked.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
    }
    if kind == Kind::Resumed {
        // Says good-bye, as browsers do: OpenSSL forgets the session of somebody who just hangs up.
        stream.shutdown().await.expect("it hears the end");
        let _ = stream.read_to_end(&mut Vec::new()).await;
    }
    matches!(stream.get_ref().1.handshake_kind(), Some(HandshakeKind::Resumed))
}

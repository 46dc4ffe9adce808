//! Names as the DNS has them: where one leads, by the name servers this machine asks, and whether our own answer to an
//! authority comes from there. Not here: reaching a name as a visitor (`outside`).

mod keepers;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

pub use keepers::Keepers;

use crate::domain::VERSION;
use crate::domain::acme::Met;
use crate::domain::dns::{self, Data, Kind, Reply};
use crate::domain::outgoing;

/// How long one name server may take to answer.
const ANSWER: Duration = Duration::from_secs(4);
/// How often each is asked: a datagram may get lost.
const TRIES: usize = 2;
/// How long a connection to our own proxy may take.
const CONNECT: Duration = Duration::from_secs(8);
/// How long most that keep domains take at most until all their name servers have a record.
const SETTLE: Duration = Duration::from_secs(60);
/// Bytes of its answer that are read: the right one is 87.
const MAX_ANSWER: usize = 512;
/// Where this machine's name servers stand.
const RESOLV_CONF: &str = "/etc/resolv.conf";

/// How names are looked at.
#[derive(Clone, Debug)]
pub struct Names {
    /// The name servers that are asked, in this order. None means those of this machine, as they are at that moment: a network may get
    /// others, or come up after the panel.
    pub servers: Vec<SocketAddr>,
    /// The port at which authorities ask for proofs: 80 (RFC 8555 §8.3).
    pub http_port: u16,
    /// The port at which the name servers that keep a zone are asked: 53.
    pub keepers_port: u16,
    /// How long after a record was written `servers` are not asked for it, where those that keep its zone say nothing: they keep "there
    /// is none" for as long as the zone says, half an hour at some, so one look too early spoils all later ones.
    pub settle: Duration,
}

/// No name server answered, or it refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoAnswer(pub String);

impl Default for Names {
    fn default() -> Self {
        Self::of_this_machine()
    }
}

impl Names {
    /// By the name servers of this machine.
    pub fn of_this_machine() -> Self {
        Self { servers: Vec::new(), http_port: 80, keepers_port: 53, settle: SETTLE }
    }

    /// The name servers to ask now.
    async fn asked(&self) -> Vec<SocketAddr> {
        if !self.servers.is_empty() {
            return self.servers.clone();
        }
        let text = tokio::fs::read_to_string(RESOLV_CONF).await.unwrap_or_default();
        let servers = text.lines().filter_map(|line| line.trim().strip_prefix("nameserver"));
        let found: Vec<SocketAddr> =
            servers.filter_map(|server| server.trim().parse::<IpAddr>().ok()).map(|ip| (ip, 53).into()).collect();
        if found.is_empty() { vec![SocketAddr::from(([127, 0, 0, 1], 53))] } else { found }
    }

    /// The addresses of a name, of both kinds. None where it has none.
    pub async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, NoAnswer> {
        let (four, six) = tokio::try_join!(self.ask(name, Kind::A), self.ask(name, Kind::Aaaa))?;
        let mut found: Vec<IpAddr> =
            four.answers.into_iter().chain(six.answers).filter_map(|r| address(r.data)).collect();
        found.dedup();
        Ok(found)
    }

    /// The addresses by which a server is reached that is known by this text; none where nobody knows.
    pub async fn of_server(&self, known_by: &str) -> Vec<IpAddr> {
        match known_by.parse::<IpAddr>() {
            Ok(address) => vec![address],
            Err(_) if outgoing::is_this_machine(known_by) => vec![Ipv4Addr::LOCALHOST.into()],
            Err(_) => self.addresses(known_by).await.unwrap_or_default(),
        }
    }

    /// The texts of a name.
    pub async fn texts(&self, name: &str) -> Result<Vec<Vec<u8>>, NoAnswer> {
        let reply = self.ask(name, Kind::Txt).await?;
        let text = |data| if let Data::Text(text) = data { Some(text) } else { None };
        Ok(reply.answers.into_iter().filter_map(|record| text(record.data)).collect())
    }

    /// Asks the first that answers.
    async fn ask(&self, name: &str, kind: Kind) -> Result<Reply, NoAnswer> {
        let mut last = NoAnswer("no name server is known".to_owned());
        let servers = self.asked().await;
        for _ in 0..TRIES {
            for server in &servers {
                match ask(*server, name, kind).await {
                    // 0 is well, 3 is "no such name", which is an answer too.
                    Ok(reply) if matches!(reply.code, 0 | 3) => return Ok(reply),
                    Ok(reply) => last = NoAnswer(format!("{server} answered with code {}", reply.code)),
                    Err(error) => last = NoAnswer(format!("{server}: {error}")),
                }
            }
        }
        Err(last)
    }

    /// Asks for a token as an authority does, and compares the answer.
    pub async fn meets(&self, name: &str, address: IpAddr, token: &str, wanted: &str) -> Met {
        match address.to_canonical() {
            // No authority asks there.
            address if address.is_loopback() => Met::NotAsked,
            address => self.meets_inside(name, (address, self.http_port).into(), token, wanted).await,
        }
    }

    /// The same at the address and the port by which a server is reached from inside, which may be this very machine.
    pub async fn meets_inside(&self, name: &str, at: SocketAddr, token: &str, wanted: &str) -> Met {
        let address = at.ip().to_canonical();
        if outgoing::judge(address, true).is_err() {
            return Met::NotAsked;
        }
        match timeout(CONNECT, fetch((address, at.port()).into(), name, token)).await {
            Ok(Ok((200, body))) if body.trim_ascii_end() == wanted.as_bytes() => Met::Us,
            Ok(Ok((status, _))) => Met::Other(format!("status {status}, without our answer")),
            Ok(Err(error)) => match no_way(&error) {
                true if address.is_ipv6() => Met::NotAsked,
                _ => Met::Nobody(error.to_string()),
            },
            Err(_) => Met::Nobody(format!("no answer within {} s", CONNECT.as_secs())),
        }
    }
}

/// True for an address that this machine itself has, loopback aside: only such a one can be bound (bind(2), EADDRNOTAVAIL).
pub fn is_of_this_machine(address: IpAddr) -> bool {
    !address.is_loopback() && !address.is_unspecified() && std::net::UdpSocket::bind((address, 0)).is_ok()
}

fn address(data: Data) -> Option<IpAddr> {
    if let Data::Address(address) = data { Some(address) } else { None }
}

/// True where this machine has no way to addresses of the kind.
fn no_way(error: &std::io::Error) -> bool {
    use std::io::ErrorKind;
    matches!(error.kind(), ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable | ErrorKind::AddrNotAvailable)
}

/// Asks one name server, by datagram and, where the answer is too long for one, by connection.
async fn ask(server: SocketAddr, name: &str, kind: Kind) -> std::io::Result<Reply> {
    let id = rand::random::<u16>();
    let question = dns::question(id, name, kind).ok_or_else(no_name)?;
    let reply = datagram(server, id, &question).await?;
    if reply.cut { over_tcp(server, id, &question).await } else { Ok(reply) }
}

fn no_name() -> std::io::Error {
    std::io::Error::other("that is no name")
}

async fn datagram(server: SocketAddr, id: u16, question: &[u8]) -> std::io::Result<Reply> {
    let any: IpAddr = if server.is_ipv6() { [0_u16; 8].into() } else { [0_u8; 4].into() };
    let socket = UdpSocket::bind((any, 0)).await?;
    // Only what comes from there is taken.
    socket.connect(server).await?;
    socket.send(question).await?;
    let mut bytes = vec![0; 4_096];
    timeout(ANSWER, async {
        loop {
            let length = socket.recv(&mut bytes).await?;
            // Whatever else arrives is not the answer.
            if let Some(reply) = bytes.get(..length).and_then(dns::read).filter(|reply| reply.id == id) {
                return Ok(reply);
            }
        }
    })
    .await
    .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

/// Sends a message over a connection, and reads the answer to it.
pub(super) async fn over_tcp(server: SocketAddr, id: u16, message: &[u8]) -> std::io::Result<Reply> {
    timeout(ANSWER, async {
        let mut stream = TcpStream::connect(server).await?;
        let length = u16::try_from(message.len()).map_err(std::io::Error::other)?;
        let mut framed = length.to_be_bytes().to_vec();
        framed.extend_from_slice(message);
        stream.write_all(&framed).await?;
        let length = stream.read_u16().await?;
        let mut bytes = vec![0; usize::from(length)];
        stream.read_exact(&mut bytes).await?;
        let reply = dns::read(&bytes).filter(|reply| reply.id == id);
        reply.ok_or_else(|| std::io::Error::other("the answer cannot be read"))
    })
    .await
    .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))?
}

/// One request for a token, over a connection of its own.
async fn fetch(address: SocketAddr, name: &str, token: &str) -> std::io::Result<(u16, Vec<u8>)> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(std::io::Error::other)?;
    let request = Request::get(format!("/.well-known/acme-challenge/{token}"))
        .header(hyper::header::HOST, name)
        .header(hyper::header::CONNECTION, "close")
        .header(hyper::header::USER_AGENT, format!("skiff/{VERSION}"))
        .body(Empty::<Bytes>::new())
        .map_err(std::io::Error::other)?;
    let asked = async {
        let response = sender.send_request(request).await.map_err(std::io::Error::other)?;
        let (parts, mut body) = response.into_parts();
        let mut bytes = Vec::new();
        while let Some(Ok(frame)) = body.frame().await {
            bytes.extend_from_slice(frame.data_ref().map(Bytes::as_ref).unwrap_or_default());
            if bytes.len() > MAX_ANSWER {
                break;
            }
        }
        Ok((parts.status.as_u16(), bytes))
    };
    // The connection is driven beside the request, and ends with it.
    tokio::pin!(asked);
    tokio::select! {
        answer = &mut asked => answer,
        ended = connection => match ended {
            // What came before its end is still to be read.
            Ok(()) => asked.await,
            Err(error) => Err(std::io::Error::other(error)),
        },
    }
}

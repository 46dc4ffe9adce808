//! Is an instance alive, asked from its host's side? One request on a channel of its own, no redirect followed, the
//! body not read. Not here: how often to ask, and what the answer means.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::{Request, client::conn::http1};
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use super::error::{Error, detail};
use super::link::Link;
use super::session::{Session, within};
use crate::domain::names::HttpPath;

/// Bytes that an answer's head may have: servers send a few hundred.
const HEAD_BYTES: u64 = 64 * 1024;

/// What a probe met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Probe {
    /// The port is open (TCP probes only).
    Open,
    /// An HTTP answer with this status that is no redirect.
    Status(u16),
    /// A redirect to this place: hostile text, cut.
    Redirect(u16, String),
    /// Nobody listens on that port.
    Refused,
    /// No answer within the limit.
    TimedOut,
    /// It listens, but the answer is no HTTP, or the connection was closed before one came.
    Closed,
}

/// Opens and closes the port.
pub(crate) async fn tcp(link: &Link, to: IpAddr, port: u16, limit: Duration) -> Result<Probe, Error> {
    let session = link.session().await?;
    let opened = link.open_tcp(&session, to, port, limit).await;
    judge(link, &session, opened.map(|_| Probe::Open)).await
}

/// Asks once by GET.
pub(crate) async fn http(
    link: &Link,
    to: IpAddr,
    port: u16,
    path: &HttpPath,
    host_header: &str,
    limit: Duration,
) -> Result<Probe, Error> {
    let request = Request::get(path.as_ref())
        .header(HOST, host_header)
        .header(USER_AGENT, "skiff-probe")
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|e| Error::Refused { detail: detail(e) })?;
    let session = link.session().await?;
    let asking = async {
        let io = link.open_tcp(&session, to, port, limit).await?.with_answers_up_to(Some(HEAD_BYTES));
        Ok::<_, Error>(ask(io, request).await)
    };
    let asked = within("The probe", limit, asking).await.and_then(|asked| asked);
    judge(link, &session, asked).await
}

/// Tells the port's fault from the connection's: a broken or dead connection to the host looks just like a server that
/// closes or is silent.
async fn judge(link: &Link, session: &Arc<Session>, asked: Result<Probe, Error>) -> Result<Probe, Error> {
    let probe = match asked {
        Ok(probe) => probe,
        Err(Error::Refused { .. }) => Probe::Refused,
        Err(Error::TimedOut { .. }) => Probe::TimedOut,
        Err(error) => return Err(error),
    };
    if matches!(probe, Probe::Closed | Probe::TimedOut) {
        link.doubt(session).await?;
    }
    Ok(probe)
}

/// The answer on an open channel.
async fn ask(io: super::io::Io, request: Request<Empty<Bytes>>) -> Probe {
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(io)).await else { return Probe::Closed };
    let (mut asking, mut connection) = (pin!(sender.send_request(request)), pin!(connection));
    let answered = tokio::select! {
        biased;
        answered = &mut asking => answered,
        // The connection may end with the answer already read: then it is handed out, else there is none.
        _ = &mut connection => asking.await,
    };
    let Ok(answer) = answered else { return Probe::Closed };
    let status = answer.status().as_u16();
    match answer.headers().get(LOCATION) {
        Some(place) if answer.status().is_redirection() => {
            Probe::Redirect(status, detail(String::from_utf8_lossy(place.as_bytes())))
        }
        Some(_) | None => Probe::Status(status),
    }
}

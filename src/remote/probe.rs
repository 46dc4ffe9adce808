//! Is an instance alive, asked from its host's side? One request on a channel of its own, no redirect followed, the
//! body not read. Not here: how often to ask, and what the answer means.

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::header::{CONNECTION, HOST, LOCATION, USER_AGENT};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};

use super::error::{Error, detail};
use super::link::Link;
use super::session::{Session, within};
use super::tls::{self, Unmet};
use crate::domain::names::HttpPath;

/// Bytes that an answer's head may have: servers send a few hundred.
const HEAD_BYTES: u64 = 64 * 1024;

/// How a server is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// HTTP/1.1.
    Plain,
    /// HTTP/2 without TLS, by prior knowledge (gRPC).
    H2c,
    /// HTTP/1.1 by TLS under the name that is asked for, whatever certificate is shown.
    Tls,
}

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
    /// It speaks TLS and refuses the name.
    NoCertificate,
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
    name: &str,
    way: Way,
    limit: Duration,
) -> Result<Probe, Error> {
    let request = request(path, name, way)?;
    let session = link.session().await?;
    let asking = async {
        let io = link.open_tcp(&session, to, port, limit).await?.with_answers_up_to(Some(HEAD_BYTES));
        Ok::<_, Error>(match way {
            Way::Plain => ask(io, request).await,
            Way::H2c => ask_h2c(io, request).await,
            Way::Tls => match tls::connect(io, name).await {
                Ok(stream) => ask(stream, request).await,
                Err(Unmet::Refused) => Probe::NoCertificate,
                Err(Unmet::Broken) => Probe::Closed,
            },
        })
    };
    let asked = within("The probe", limit, asking).await.and_then(|asked| asked);
    judge(link, &session, asked).await
}

/// The request, as its way wants it: HTTP/2 has the name in its address and says nothing of the connection.
fn request(path: &HttpPath, name: &str, way: Way) -> Result<Request<Empty<Bytes>>, Error> {
    let request = match way {
        Way::Plain | Way::Tls => Request::get(path.as_ref()).header(HOST, name).header(CONNECTION, "close"),
        Way::H2c => Request::get(format!("http://{name}{path}")),
    };
    let request = request.header(USER_AGENT, "skiff-probe").body(Empty::<Bytes>::new());
    request.map_err(|e| Error::Refused { detail: detail(e) })
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

/// The answer on an open connection.
async fn ask<S>(io: S, request: Request<Empty<Bytes>>) -> Probe
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Ok((mut sender, connection)) = http1::handshake(TokioIo::new(io)).await else { return Probe::Closed };
    answered(sender.send_request(request), connection).await
}

/// The same by HTTP/2.
async fn ask_h2c<S>(io: S, request: Request<Empty<Bytes>>) -> Probe
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http2::handshake(TokioExecutor::new(), TokioIo::new(io)).await;
    let Ok((mut sender, connection)) = shaken else { return Probe::Closed };
    answered(sender.send_request(request), connection).await
}

/// What is answered while the connection is driven beside.
async fn answered(
    asking: impl Future<Output = hyper::Result<Response<Incoming>>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Probe {
    let (mut asking, mut connection) = (pin!(asking), pin!(connection));
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

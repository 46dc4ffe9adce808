//! The way through a jump host: signed in to and known like a host, and then a pipe to the host behind it. What goes through
//! the pipe is the host's own SSH: the jump host sees none of it. Not here: what is done on the host.

use std::time::Duration;

use russh::ChannelOpenFailure;
use russh::client::{Handle, Msg};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::error::{Error, detail};
use super::pool::{Jump, Login};
use super::session::{AUTH_LIMIT, CONNECT_LIMIT, Lent, OPEN_LIMIT, Pinned, SIGN_LIMIT, Unmet, by_key, meet, own_key};
use super::wire::Wire;

/// A wire to the host's sshd through its jump host. The connection to the jump host lives as long as the wire.
pub(super) async fn wire(login: &Login, jump: &Jump, cut: &CancellationToken) -> Result<Wire, Error> {
    if jump.host_key.is_empty() {
        return Err(Error::JumpKeyUnknown);
    }
    let key = own_key(&login.key)?;
    let meeting = async {
        let wire = Wire::connect(jump.address.as_ref(), jump.port, cut).await.map_err(russh::Error::from)?;
        meet(wire, &jump.host_key, Lent::default()).await
    };
    let mut handle = match answer(CONNECT_LIMIT, meeting).await? {
        Ok(handle) => handle,
        Err(Unmet::Changed(seen)) => return Err(Error::JumpKeyChanged { seen }),
        Err(Unmet::Broke(error)) => return Err(unreachable(&error)),
    };
    match answer(AUTH_LIMIT, by_key(&mut handle, jump.user.as_ref(), key)).await? {
        Ok(true) => {}
        Ok(false) => return Err(Error::JumpAuthRefused),
        Err(error) => return Err(unreachable(&error)),
    }
    // Small messages leave at once only after something ran. Some jump hosts let nobody run anything: that is well too.
    let _ = timeout(SIGN_LIMIT, warm(&handle)).await;
    let asked = handle.channel_open_direct_tcpip(login.address.to_string(), u32::from(login.port), "127.0.0.1", 0);
    match timeout(OPEN_LIMIT, asked).await {
        Ok(Ok(channel)) => Ok(Wire::over(Through { stream: channel.into_stream(), _handle: handle }, cut)),
        Ok(Err(russh::Error::ChannelOpenFailure(ChannelOpenFailure::AdministrativelyProhibited))) => {
            Err(Error::JumpForbids)
        }
        Ok(Err(russh::Error::ChannelOpenFailure(_))) => {
            Err(Error::BehindJump { detail: "the connection is refused or finds no way".to_owned() })
        }
        Ok(Err(error)) => Err(unreachable(&error)),
        Err(_) => Err(Error::BehindJump { detail: format!("no answer within {} s", OPEN_LIMIT.as_secs()) }),
    }
}

async fn warm(handle: &Handle<Pinned>) -> Result<(), russh::Error> {
    let mut channel = handle.channel_open_session().await?;
    channel.exec(true, "true").await?;
    while channel.wait().await.is_some() {}
    Ok(())
}

/// What a jump host answers in time.
async fn answer<T>(limit: Duration, asking: impl Future<Output = T>) -> Result<T, Error> {
    let late = || Error::JumpUnreachable { detail: format!("no answer within {} s", limit.as_secs()) };
    timeout(limit, asking).await.map_err(|_| late())
}

fn unreachable(error: &russh::Error) -> Error {
    Error::JumpUnreachable { detail: detail(error) }
}

/// The pipe, and the connection it is in.
struct Through {
    stream: russh::ChannelStream<Msg>,
    _handle: Handle<Pinned>,
}

super::wire::passes_on!(Through, stream);

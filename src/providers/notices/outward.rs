//! Connecting to what a user named: every address is judged before a connection is made, and the connection is made to the
//! address that was judged, so that a name which resolves differently the next time changes nothing.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use url::Host;

use super::{NotSent, Outside};
use crate::domain::outgoing;

/// A connection that takes longer is none.
const CONNECT: Duration = Duration::from_secs(8);
/// Addresses of one name that are tried.
const TRIED: usize = 4;

/// The addresses of a name that may be connected to.
pub(super) async fn addresses(outside: &Outside, host: &str, port: u16) -> Result<Vec<SocketAddr>, NotSent> {
    let found: Vec<SocketAddr> = match Host::parse(host) {
        Ok(Host::Ipv4(address)) => vec![SocketAddr::new(IpAddr::V4(address), port)],
        Ok(Host::Ipv6(address)) => vec![SocketAddr::new(IpAddr::V6(address), port)],
        _ => match host.parse::<IpAddr>() {
            Ok(address) => vec![SocketAddr::new(address, port)],
            Err(_) => match timeout(CONNECT, lookup_host((host, port))).await {
                Ok(Ok(found)) => found.collect(),
                Ok(Err(_)) | Err(_) => {
                    return Err(NotSent::later(format!("The name {host} does not resolve: is it spelled right?")));
                }
            },
        },
    };
    let mut closed = None;
    let mut open = Vec::new();
    for address in found {
        match outgoing::judge(address.ip(), outside.0.private) {
            Ok(()) => open.push(address),
            Err(why) => closed = Some(why),
        }
    }
    open.truncate(TRIED);
    match (open.is_empty(), closed) {
        (false, _) => Ok(open),
        (true, Some(why)) => Err(NotSent::never(format!("{host} {}.", why.words()))),
        (true, None) => Err(NotSent::later(format!("The name {host} has no address."))),
    }
}

/// A connection to the first address that takes one.
pub(super) async fn connect(host: &str, addresses: &[SocketAddr]) -> Result<TcpStream, NotSent> {
    let mut last = String::from("it has no address");
    let each = CONNECT / u32::try_from(addresses.len().max(1)).unwrap_or(1);
    for address in addresses {
        match timeout(each, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => last = error.to_string(),
            Err(_) => last = "no answer".to_owned(),
        }
    }
    let port = addresses.first().map_or(0, SocketAddr::port);
    Err(NotSent::later(format!("{host} cannot be reached at port {port}: {last}.")))
}

//! Where a request comes from. Not here: what is made of it.

use std::net::{IpAddr, SocketAddr};

use axum::extract::ConnectInfo;
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};

/// The client's address; empty where the connection is not known.
pub fn address(parts: &Parts, proxied: bool) -> String {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map(|peer| of(peer.0.ip(), &parts.headers, proxied)).unwrap_or_default()
}

/// A panel known by an https address has a proxy in front of it; where that is on this machine, its word counts: the last
/// address it wrote, as anybody may have written those before.
fn of(peer: IpAddr, headers: &HeaderMap, proxied: bool) -> String {
    let said = || headers.get_all("x-forwarded-for").iter().next_back()?.to_str().ok()?.rsplit(',').next();
    let told = (proxied && peer.to_canonical().is_loopback()).then(said).flatten();
    told.and_then(|address| address.trim().parse::<IpAddr>().ok()).unwrap_or(peer).to_canonical().to_string()
}

/// What the client calls itself.
pub fn agent(headers: &HeaderMap) -> String {
    /// Characters kept: the whole line is long and its end says nothing.
    const KEPT: usize = 200;
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    agent.chars().take(KEPT).collect()
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use axum::http::HeaderMap;

    use super::of;

    #[test]
    fn only_the_proxy_of_an_https_panel_says_where_a_client_is() {
        let mut headers = HeaderMap::new();
        headers.append("x-forwarded-for", "192.0.2.1".parse().unwrap());
        headers.append("x-forwarded-for", "203.0.113.9, 198.51.100.7".parse().unwrap());
        let (proxy, stranger): (IpAddr, IpAddr) = ([127, 0, 0, 1].into(), [203, 0, 113, 5].into());
        assert_eq!(of(proxy, &headers, true), "198.51.100.7");
        assert_eq!(of(proxy, &headers, false), "127.0.0.1", "a panel without a proxy");
        assert_eq!(of(stranger, &headers, true), "203.0.113.5", "somebody who came past the proxy");
        headers.append("x-forwarded-for", "<script>".parse().unwrap());
        assert_eq!(of(proxy, &headers, true), "127.0.0.1");
    }
}

//! Ports whose connections go to an app as they are, without HTTP: a frontend for each. The app's own backend has the mode
//! of them, so that its instances come and go as all others do; an app has either such ports or routes.

use super::config::put;
use super::{Ingress, inner, slot_name, trust};

/// What stands behind the name of a section that is not HTTP.
pub(super) const FROM: &str = " from tcp";
/// Ports that are none of an app's: those of SSH, of the proxy's own doors, and of the hosts among one another.
pub const TAKEN_PORTS: [u16; 4] = [22, 80, 443, super::PEER_PORT];

/// What holds for them, where there are any. Not for the sections that name none: those are the last ones before them.
pub(super) fn defaults(text: &mut String, ingress: &Ingress) {
    if ingress.backends.iter().any(super::Backend::is_tcp) {
        text.push_str(
            "\ndefaults tcp\n    mode tcp\n    timeout connect 5s\n    # A connection that is silent for longer is cut.\n    timeout client 1h\n    timeout server 1h\n    timeout client-fin 30s\n    timeout server-fin 30s\n    retries 3\n    option redispatch 1\n    option clitcpka\n    option srvtcpka\n    balance leastconn\n",
        );
    }
}

/// The frontends. A port is opened where the app has instances and no earlier: one that cannot be opened would be in the way of
/// every other app's reloads, and goes with the instances of the deploy that found it out. Never the proxy's own: HAProxy would share
/// their connections among both without a word.
pub(super) fn frontends(text: &mut String, ingress: &Ingress) {
    let own = [Some(ingress.http_port), ingress.tls.as_ref().map(|tls| tls.port)];
    let here = ingress.backends.iter().filter(|backend| !backend.servers.is_empty());
    let mut all: Vec<_> = here.flat_map(|b| b.front.ports.iter().map(move |port| (port, b))).collect();
    all.retain(|(port, _)| !own.contains(&Some(port.port)));
    all.sort_by_key(|(port, backend)| (port.port, backend.slot));
    all.dedup_by_key(|(port, _)| port.port);
    for (port, backend) in all {
        put(
            text,
            format_args!(
                "\nfrontend tcp-{}{FROM}\n    # app {}\n    bind {}:{}\n",
                port.port, backend.app, ingress.home.bind, port.port
            ),
        );
        trust::connections(text, &ingress.trust);
        if !port.allow.is_empty() {
            inner::networks(text, "    ", "from", &port.allow);
            for condition in inner::outside("from", &port.allow) {
                // Of the session, not of the connection: by then the line of the PROXY protocol is read, and says who it is.
                put(text, format_args!("    tcp-request session reject if {condition}\n"));
            }
        }
        put(text, format_args!("    default_backend {}\n", slot_name(backend.slot)));
    }
}

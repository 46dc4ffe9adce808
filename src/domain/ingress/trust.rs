//! Those before the proxy who may say where a request came from, as lines of the frontend.

use super::config::put;
use super::inner;
use crate::domain::rules::Cidr;
use crate::domain::trust::{CLOUDFLARE, Trust};

/// Lines for connections: they stand before all others of the frontend.
pub(super) fn connections(text: &mut String, trust: &Trust) {
    if !trust.proxy_protocol.is_empty() {
        inner::networks(text, "    ", "before", &trust.proxy_protocol);
        for condition in inner::within("before", &trust.proxy_protocol) {
            put(text, format_args!("    tcp-request connection expect-proxy layer4 if {condition}\n"));
        }
    }
}

/// Lines for requests: from here on `src` is the client whom they name, and what they say of HTTPS holds. Who they are is
/// looked at once, before that: a client that has an address of theirs is not believed for it.
pub(super) fn requests(text: &mut String, trust: &Trust) {
    let cloudflare = CLOUDFLARE.iter().filter(|_| trust.cloudflare).filter_map(|network| network.parse().ok());
    let both = [
        ("cloudflare", "cf-connecting-ip", "cf-connecting-ip", cloudflare.collect::<Vec<Cidr>>()),
        ("forwarded", "x-forwarded-for", "x-forwarded-for,-1", trust.forwarded.clone()),
    ];
    for (name, _, _, networks) in both.iter().filter(|(_, _, _, networks)| !networks.is_empty()) {
        inner::networks(text, "    ", name, networks);
        for condition in inner::within(name, networks) {
            put(text, format_args!("    http-request set-var(txn.by) str({name}) if {condition}\n"));
        }
    }
    if both.iter().any(|(_, _, _, networks)| !networks.is_empty()) {
        text.push_str("    http-request set-var(txn.proto) req.hdr(x-forwarded-proto)\n");
    }
    for (name, header, fetched, networks) in &both {
        if !networks.is_empty() {
            put(
                text,
                format_args!(
                    "    http-request set-src hdr_ip({fetched}) if {{ var(txn.by) -m str {name} }} {{ req.hdr({header}) -m found }}\n"
                ),
            );
        }
    }
}

/// What is true where one who is believed says that a request came by HTTPS.
const BY_HTTPS: &str = "{ var(txn.by) -m found } { var(txn.proto) -m str https }";

/// The condition for that, where anybody is believed about it.
pub(super) fn by_https(trust: &Trust) -> Option<&'static str> {
    (trust.cloudflare || !trust.forwarded.is_empty()).then_some(BY_HTTPS)
}

/// The line after what is said about where a request comes from.
pub(super) fn protocol(text: &mut String, trust: &Trust) {
    if let Some(condition) = by_https(trust) {
        put(text, format_args!("    http-request set-header X-Forwarded-Proto https if {condition}\n"));
    }
}

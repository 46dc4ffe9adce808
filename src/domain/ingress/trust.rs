//! Those before the proxy who may say where a request came from, as lines of the frontend.

use super::config::put;
use crate::domain::trust::{CLOUDFLARE, Trust};

/// Lines for connections: they stand before all others of the frontend.
pub(super) fn connections(text: &mut String, trust: &Trust) {
    for network in &trust.proxy_protocol {
        put(text, format_args!("    acl before src {network}\n"));
    }
    if !trust.proxy_protocol.is_empty() {
        text.push_str("    tcp-request connection expect-proxy layer4 if before\n");
    }
}

/// Lines for requests: from here on `src` is the client whom they name, and what they say of HTTPS holds.
pub(super) fn requests(text: &mut String, trust: &Trust) {
    if trust.cloudflare {
        for network in CLOUDFLARE {
            put(text, format_args!("    acl cloudflare src {network}\n"));
        }
        text.push_str("    http-request set-var(txn.proto) req.hdr(x-forwarded-proto) if cloudflare\n");
        text.push_str("    http-request set-src hdr_ip(cf-connecting-ip) if cloudflare { req.hdr(cf-connecting-ip) -m found }\n");
    }
    for network in &trust.forwarded {
        put(text, format_args!("    acl forwarded src {network}\n"));
    }
    if !trust.forwarded.is_empty() {
        text.push_str("    http-request set-var(txn.proto) req.hdr(x-forwarded-proto) if forwarded\n");
        text.push_str("    http-request set-src hdr_ip(x-forwarded-for,-1) if forwarded { req.hdr(x-forwarded-for) -m found }\n");
    }
}

/// The line after what is said about where a request comes from.
pub(super) fn protocol(text: &mut String, trust: &Trust) {
    if trust.cloudflare || !trust.forwarded.is_empty() {
        text.push_str("    http-request set-header X-Forwarded-Proto https if { var(txn.proto) -m str https }\n");
    }
}

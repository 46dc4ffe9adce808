//! The text of haproxy.cfg. Every value in it is of a checked type or a number.

use super::{Backend, FULL_WEIGHT, FilePath, Ingress, peers, rules, slot_name, tcp, tls, trust};
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

use crate::domain::rules::Wire;

/// File descriptors a worker may use, where the system allows so many: about 25,000 connections, each with its server's,
/// which need about 800 MB at most. An upper bound and not `maxconn`, because HAProxy refuses to start where the system
/// allows less than that needs.
const MAX_DESCRIPTORS: u32 = 50_000;
/// Old workers that may live after reloads. Each reload ends the oldest beyond it, websockets or not: without a bound a
/// host with one patient websocket and many reloads runs out of memory.
const MAX_OLD_WORKERS: u32 = 20;

/// The same for every proxy of ours.
const DEFAULTS: &str = r#"
defaults
    mode http
    # A client has 10 s for the head of a request, and 60 s of silence between two of them.
    timeout http-request 10s
    timeout http-keep-alive 60s
    # An app may think for 5 minutes; a stream that is silent for longer is cut, a websocket after an hour.
    timeout connect 5s
    timeout queue 30s
    timeout client 5m
    timeout server 5m
    timeout tunnel 1h
    timeout client-fin 30s
    timeout server-fin 30s
    # Only a connection that was never made is tried again, at another instance if there is one: no request runs twice.
    retries 3
    retry-on conn-failure
    option redispatch 1
    # X_Real_IP reaches many apps as X-Real-IP does: what is no letter, digit or hyphen in a header's name goes no further.
    option http-restrict-req-hdr-names delete
    # A reload must not cut kept connections: they are closed with their next answer.
    option idle-close-on-response
    # A browser opens connections ahead; they end without an error page.
    option http-ignore-probes
    http-reuse safe
    balance leastconn
    http-error status 400 content-type "text/plain; charset=utf-8" string "This request could not be read.\n"
    http-error status 408 content-type "text/plain; charset=utf-8" string "The request did not arrive in time.\n"
    http-error status 500 content-type "text/plain; charset=utf-8" string "The proxy of this server could not handle the request.\n"
    http-error status 502 content-type "text/plain; charset=utf-8" string "The app closed the connection without an answer.\n"
    http-error status 503 content-type "text/plain; charset=utf-8" string "The app at this address is not running at the moment.\n"
    http-error status 504 content-type "text/plain; charset=utf-8" string "The app did not answer in time.\n"
"#;

/// What a request meets before its backend. Whatever the client says about where it comes from is not believed.
const REQUEST_RULES: &str = r#"    http-request del-header Forwarded
    http-request del-header X-Forwarded-Port
    http-request set-header X-Forwarded-For %[src]
    http-request set-header X-Real-IP %[src]
    http-request set-header X-Forwarded-Host %[req.hdr(host)]
"#;

/// Where a request goes that no route knows.
const NOWHERE_BACKEND: &str = r#"
backend nowhere
    http-request return status 421 content-type "text/plain; charset=utf-8" string "There is no app at this address.\n"
"#;

/// The line before the servers of a backend. `run.bash` replaces what stands between this and `servers_end`.
pub(in crate::domain) fn servers_begin(slot: u32) -> String {
    format!("    # {} servers: begin", slot_name(slot))
}

/// The line after the servers of a backend.
pub(in crate::domain) fn servers_end(slot: u32) -> String {
    format!("    # {} servers: end", slot_name(slot))
}

/// What stands after a server's name, in the file as well as in the running proxy. No checks by the proxy: Skiff proves
/// health itself before an instance is admitted, and a connection refused later is tried at another instance at once.
pub(in crate::domain) fn server_options(address: std::net::Ipv4Addr, port: u16, wire: Wire) -> String {
    format!("{address}:{port} weight {FULL_WEIGHT}{}", wire_option(wire))
}

/// What stands after a server by how it is spoken to.
fn wire_option(wire: Wire) -> &'static str {
    match wire {
        Wire::Plain => "",
        Wire::H2c => " proto h2",
        Wire::Proxied => " send-proxy-v2",
    }
}

/// The whole file.
pub(super) fn render(ingress: &Ingress) -> String {
    let mut text = String::from(
        "# Written by Skiff, which replaces it whole: changes made here are lost.\n# It always lists the instances now wanted.\n",
    );
    global(&mut text, ingress);
    put(
        &mut text,
        format_args!(
            "    # What of this file needs a reload: the running proxy is asked for it.\n    set-var {FIXED} str({})\n",
            fixed(ingress)
        ),
    );
    text.push_str(&head(ingress));
    if let Some(tls) = &ingress.tls {
        tls::panel_backend(&mut text, tls);
    }
    for slot in 1..=ingress.last_slot() {
        backend(&mut text, ingress, slot);
    }
    for slot in (1..=ingress.last_slot()).filter(|_| ingress.peering.is_some()) {
        let taken = ingress.backends.iter().find(|b| b.slot == slot);
        peers::backend(&mut text, slot, taken);
    }
    text
}

/// The variable of the running proxy that says which file it has read.
pub(super) const FIXED: &str = "proc.skiff_file";

/// All that stands before the backends, but the process itself.
fn head(ingress: &Ingress) -> String {
    let mut text = String::new();
    tcp::defaults(&mut text, ingress);
    text.push_str(DEFAULTS);
    for backend in &ingress.backends {
        rules::users(&mut text, backend);
    }
    let home = &ingress.home;
    put(&mut text, format_args!("\nfrontend http\n    bind {}:{}\n", home.bind, ingress.http_port));
    if let Some(tls) = &ingress.tls {
        tls::bind(&mut text, home, tls);
    }
    trust::connections(&mut text, &ingress.trust);
    trust::requests(&mut text, &ingress.trust);
    if ingress.tls.is_some() {
        tls::first_rules(&mut text, home, trust::by_https(&ingress.trust));
    }
    text.push_str(REQUEST_RULES);
    let proto = if ingress.tls.is_some() { "%[ssl_fc,iif(https,http)]" } else { "http" };
    put(&mut text, format_args!("    http-request set-header X-Forwarded-Proto {proto}\n"));
    trust::protocol(&mut text, &ingress.trust);
    let routing = routing(&home.map);
    text.push_str(&routing);
    text.push_str("    http-request set-var(txn.rule) var(txn.route),field(2,:)\n    http-request set-var(txn.timing) var(txn.rule)\n");
    if ingress.tls.is_some() {
        tls::routed_rules(&mut text, home);
    }
    text.push_str("    use_backend %[var(txn.slot)] if { var(txn.slot) -m found }\n    default_backend nowhere\n");
    if let Some(peering) = &ingress.peering {
        peers::frontend(&mut text, peering, &home.peers, &routing);
    }
    tcp::frontends(&mut text, ingress);
    text.push_str(NOWHERE_BACKEND);
    text
}

/// A digest of what the running proxy learns by a reload alone: everything but plain backends, which come and go by
/// its socket. Sixteen hex digits.
pub(super) fn fixed(ingress: &Ingress) -> String {
    let mut text = String::new();
    global(&mut text, ingress);
    text.push_str(&head(ingress));
    let mut backends: Vec<&Backend> = ingress.backends.iter().filter(|backend| !backend.is_plain()).collect();
    backends.sort_by_key(|backend| backend.slot);
    for backend in backends {
        // Where the requests go to other hosts too, the rules stand in two backends.
        let mixed = ingress.is_mixed(backend);
        let told = if backend.front.wire() == Wire::Proxied { " told" } else { "" };
        put(&mut text, format_args!("{} {mixed} {} {}{told}\n", backend.slot, backend.front.h2c, backend.is_tcp()));
        text.push_str(&rules::lines(backend));
    }
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Where a request belongs, by its host and path. Apps read paths more kindly than the map does: they undo `%61`, squeeze `//`, drop
/// `;…`, follow `..`, or overlook capitals. A request that would come by another route so than as it is written is refused, or a route that
/// asks for a password could be gone around (domains with a path of their own have keys for that; see `Ingress::route_entries`).
fn routing(map: &FilePath) -> String {
    let mut as_read = String::new();
    for nth in 1..=READINGS {
        put(&mut as_read, format_args!("    acl as-read var(txn.read),field({nth},{OR}),strcmp(txn.route) eq 0\n"));
    }
    format!(
        r#"    # The longest route that the request's host, path and one more slash begin with, and the one that a kind reader would take.
    http-request set-var(txn.host) req.hdr(host),field(1,:),field(1,/),rtrim(.),lower
    # With it begin the keys of a kind reader: nobody asks for those by name.
    http-request deny deny_status 400 if {{ var(txn.host) -m beg {KIND} }}
    http-request set-var(txn.path) path
    http-request set-var(txn.route) var(txn.host),concat(,txn.path,/),map_beg({map})
    http-request deny deny_status 400 if {{ path -m found }} !{{ path,url_dec -m found }}
    http-request set-var(txn.path) "path,url_dec,lower,regsub(';[^/]*',,g),regsub('[/\\\\]+',/,g)"
    http-request set-var(txn.read) str({KIND}),concat(,txn.host),concat(,txn.path,/),map_beg({map})
    acl kind var(txn.read) -m found
{as_read}    http-request deny deny_status 400 if kind !as-read || kind {{ var(txn.path) -m reg /\.\.?(/|$) }} || kind {{ path_sub -i %00 }}
    http-request set-var(txn.slot) var(txn.route),field(1,:)
"#
    )
}

/// Before the keys that kind readers are held against. A host that begins with it is refused.
pub(super) const KIND: char = '~';
/// Between the places of routes that differ in capitals alone: a kind reader may mean any of them.
pub(super) const OR: char = '|';
/// So many of them are looked at; by a further one a request is refused.
const READINGS: usize = 4;

/// Appends formatted text; writing to a `String` does not fail.
pub(super) fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    let _ = text.write_fmt(what);
}

/// The process itself.
fn global(text: &mut String, ingress: &Ingress) {
    let home = &ingress.home;
    text.push_str("\nglobal\n    master-worker\n");
    if let Some((user, group)) = &home.run_as {
        put(text, format_args!("    user {user}\n    group {group}\n"));
    }
    put(text, format_args!("    fd-hard-limit {MAX_DESCRIPTORS}\n"));
    if ingress.tls.is_some() {
        text.push_str(tls::GLOBAL);
    }
    let group = home.socket_group.as_ref().map(|group| format!(" group {group}")).unwrap_or_default();
    put(text, format_args!("    stats socket {} mode 660{group} level admin expose-fd listeners\n", home.socket));
    text.push_str(
        "    # After a reload an old worker keeps its websockets for up to a day, and not more than so many workers.\n",
    );
    put(text, format_args!("    hard-stop-after 1d\n    mworker-max-reloads {MAX_OLD_WORKERS}\n"));
}

/// One slot, taken or spare.
fn backend(text: &mut String, ingress: &Ingress, slot: u32) {
    let Some(taken) = ingress.backends.iter().find(|b| b.slot == slot) else {
        put(text, format_args!("\nbackend {}\n    # spare\n", slot_name(slot)));
        return;
    };
    let from = if taken.is_tcp() { tcp::FROM } else { "" };
    put(text, format_args!("\nbackend {}{from}\n", slot_name(slot)));
    text.push_str(&rules::lines(taken));
    // Read by `run.bash`.
    match taken.front.wire() {
        Wire::Plain => {}
        Wire::H2c => put(text, format_args!("    # {} speaks h2c\n", slot_name(slot))),
        Wire::Proxied => put(text, format_args!("    # {} is told who comes\n", slot_name(slot))),
    }
    put(text, format_args!("    # app {}\n{}\n", taken.app, servers_begin(slot)));
    let mut servers: Vec<_> = taken.servers.iter().collect();
    servers.sort();
    for (name, address) in servers {
        put(text, format_args!("    server {name} {}\n", server_options(*address, taken.port, taken.front.wire())));
    }
    put(text, format_args!("{}\n", servers_end(slot)));
}

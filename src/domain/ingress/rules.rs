//! Rules of routes and fronts of apps as lines of haproxy.cfg. They stand in the app's own backend, so that a request meets
//! those of its app alone, however many apps the host has. Which route it came by is in `txn.rule`, which the map gave;
//! what another host passes on has met them there (`txn.inner`). Every value is of a checked type, and text stands between
//! double quotes, escaped.

use std::fmt::Write as _;

use super::{Backend, inner};
use crate::domain::app::Route;
use crate::domain::ids::RouteId;
use crate::domain::names::Domain;
use crate::domain::rules::{Front, HeaderRule, PageText, Redirect, Rules, size};

/// What text is compressed: by its type, as it shrinks; pictures and archives are compressed already.
const COMPRESSED: &str = "text/html text/css text/plain text/xml text/javascript application/javascript application/json application/xml application/rss+xml image/svg+xml";
/// Clients whose instance is remembered: an entry has about 100 bytes.
const STICKY_CLIENTS: &str = "100k";
/// How long, after their last request.
const STICKY_FOR: &str = "2h";
/// What is said while an app is being worked on and has no page for it.
const MAINTENANCE: &str = "This app is being worked on. Try again in a few minutes.\n";
/// Seconds after which a program may ask again.
const RETRY_AFTER: u32 = 120;
/// How long the first byte of a body may take that does not say how long it is; then it is answered 408.
const FIRST_BYTE: &str = "10s";
/// Plain text.
const TEXT: &str = "content-type \"text/plain; charset=utf-8\"";
/// A page.
const HTML: &str = "content-type \"text/html; charset=utf-8\"";

/// A route that has rules.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruled {
    /// The route's identity: what the map says beside the backend.
    pub id: RouteId,
    /// The route.
    pub route: Route,
    /// Its rules; not plain ones.
    pub rules: Rules,
}

/// Text between double quotes, where HAProxy reads `\`, `"` and `$` as its own.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '\\' | '"' | '$' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The same where `%` begins a variable of HAProxy's.
fn format(text: &str) -> String {
    quoted(&text.replace('%', "%%"))
}

/// Adds a line.
fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.push_str("    ");
    let _ = text.write_fmt(what);
    text.push('\n');
}

/// The lists of users, which stand outside of backends.
pub(super) fn users(text: &mut String, backend: &Backend) {
    for Ruled { id, route, rules } in backend.ruled.iter().filter(|ruled| !ruled.rules.users.is_empty()) {
        let _ = writeln!(text, "\nuserlist u-{}", id.simple());
        put(text, format_args!("# {}{}", route.domain, route.path));
        for (user, hash) in &rules.users {
            put(text, format_args!("user {user} password {hash}"));
        }
    }
}

/// The lines of a backend, for a request's way in and an answer's way out; nothing where all is plain.
pub(super) fn lines(backend: &Backend) -> String {
    let mut text = String::new();
    for ruled in &backend.ruled {
        who(&mut text, ruled);
    }
    front(&mut text, &backend.front, backend.slot);
    for ruled in &backend.ruled {
        what(&mut text, ruled);
    }
    text
}

/// Who may come by a route, and whether it leads elsewhere. Before the page of maintenance: who may not come sees nothing, and
/// an address that moved has moved.
fn who(text: &mut String, Ruled { id, route, rules }: &Ruled) {
    let id = id.simple();
    put(text, format_args!("# {}{}", route.domain, route.path));
    put(text, format_args!("acl on-{id} var(txn.rule) -m str {id}"));
    if !rules.allow.is_empty() {
        let name = format!("from-{id}");
        inner::networks(text, "    ", &name, &rules.allow);
        for condition in inner::outside(&name, &rules.allow) {
            put(
                text,
                format_args!(
                    "http-request return status 403 {TEXT} string \"This address is not open to you.\\n\" if on-{id} {condition}"
                ),
            );
        }
    }
    if let Some(redirect) = &rules.redirect {
        let Redirect { to, moved, .. } = redirect;
        let rest = rest(route, redirect);
        put(text, format_args!("http-request redirect location \"{to}{rest}\" code {} if on-{id}", moved.status()));
    }
}

/// What stands behind the route's own path, with the query.
fn rest(route: &Route, redirect: &Redirect) -> String {
    match route.path.as_ref() {
        _ if !redirect.keep => String::new(),
        "/" => "%[pathq]".to_owned(),
        path => format!("%[pathq,bytes({})]", path.len()),
    }
}

/// The passwords of a route, and what is done to its requests and answers.
fn what(text: &mut String, Ruled { id, route, rules }: &Ruled) {
    let id = id.simple();
    if !rules.users.is_empty() {
        put(text, format_args!("http-request auth realm {} if on-{id} !{{ http_auth(u-{id}) }}", realm(&route.domain)));
        // The password was for the proxy, and is nothing to the app.
        put(text, format_args!("http-request del-header Authorization if on-{id}"));
    }
    if let Some(kib) = rules.body_kib {
        let (bytes, most) = (u64::from(kib) * 1024, size(kib));
        // What does not say how long it is cannot be measured before it has gone through: chunks, and what HTTP/2 sends so. There
        // any method, GET too, may have a body behind it, and only its first byte tells a request with one from one without; one
        // without ends with its head, and waits for nothing. A websocket does not end and is not waited for: before the app has
        // agreed to it nothing of the client's is passed on. By HTTP/2 the proxy itself writes its Upgrade, a client cannot.
        put(text, format_args!("acl unmeasured-{id} req.hdr(transfer-encoding) -m found"));
        let answer = format!("status 411 {TEXT} string \"Say how long this is: the app takes at most {most}.\\n\"");
        put(text, format_args!("http-request return {answer} if on-{id} unmeasured-{id}"));
        put(text, format_args!("acl socket-{id} req.hdr(upgrade) -m str -i websocket"));
        let unsaid = format!("on-{id} {{ req.ver 2.0 }} !{{ req.hdr(content-length) -m found }} !socket-{id}");
        put(text, format_args!("http-request wait-for-body time {FIRST_BYTE} at-least 1 if {unsaid}"));
        put(text, format_args!("http-request return {answer} if {unsaid} {{ req.body_size gt 0 }}"));
        put(
            text,
            format_args!(
                "http-request return status 413 {TEXT} string \"This is longer than the {most} that the app takes.\\n\" if on-{id} {{ req.hdr_val(content-length) gt {bytes} }}"
            ),
        );
    }
    if let Some(seconds) = rules.answer_s {
        put(text, format_args!("http-request set-timeout server {seconds}s if {{ var(txn.timing) -m str {id} }}"));
    }
    for (way, rules) in [("http-request", &rules.request), ("http-after-response", &rules.answer)] {
        for rule in rules {
            match rule {
                HeaderRule::Set(name, value) => {
                    put(text, format_args!("{way} set-header {name} {} if on-{id}", format(value.as_ref())))
                }
                HeaderRule::Add(name, value) => {
                    put(text, format_args!("{way} add-header {name} {} if on-{id}", format(value.as_ref())))
                }
                HeaderRule::Remove(name) => put(text, format_args!("{way} del-header {name} if on-{id}")),
            }
        }
    }
}

/// A domain as the words of a password's dialogue.
fn realm(domain: &Domain) -> String {
    quoted(domain.as_ref())
}

/// What holds for all routes of the app.
fn front(text: &mut String, front: &Front, slot: u32) {
    if front.maintenance {
        let through = format!("through-{slot}");
        let closed = if front.maintenance_allow.is_empty() {
            vec![String::new()]
        } else {
            inner::networks(text, "    ", &through, &front.maintenance_allow);
            inner::outside(&through, &front.maintenance_allow)
        };
        let (kind, page) = front.maintenance_page.as_ref().map_or((TEXT, MAINTENANCE), |page| (HTML, page.as_ref()));
        for condition in closed {
            put(
                text,
                format_args!(
                    "http-request return status 503 {kind} hdr Retry-After {RETRY_AFTER} hdr Cache-Control no-store string {} if !{{ var(txn.inner) -m bool }} {condition}",
                    quoted(page)
                ),
            );
        }
    }
    if let Some(page) = &front.error_page {
        errors(text, page);
    }
    if front.gzip {
        put(text, format_args!("compression algo gzip"));
        put(text, format_args!("compression type {COMPRESSED}"));
    }
    if front.sticky {
        put(text, format_args!("stick-table type ipv6 size {STICKY_CLIENTS} expire {STICKY_FOR}"));
        put(text, format_args!("stick on hdr_ip(x-real-ip)"));
    }
}

fn errors(text: &mut String, page: &PageText) {
    for status in [502, 503, 504] {
        put(text, format_args!("http-error status {status} {HTML} string {}", quoted(page.as_ref())));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_quotes() {
        assert_eq!(quoted("a\"b\\c$HOME\n\u{7}d"), "\"a\\\"b\\\\c\\$HOME\\nd\"");
        assert_eq!(format("100%[src]"), "\"100%%[src]\"");
    }
}

//! Between the forms of routes and what they mean, both ways. No password comes back out.

use std::collections::BTreeMap;
use std::str::FromStr;

use super::forms::{EditFront, EditRules, EditTrust};
use super::meanwhile::{front_digest, rules_digest, trust_digest};
use crate::actions::apps::Pair;
use crate::actions::fields::Fields;
use crate::domain::app::Route;
use crate::domain::ingress::TAKEN_PORTS;
use crate::domain::names::Bad;
use crate::domain::rules::{
    BasicUser, Cidr, Front, HeaderRule, MOST_ANSWER_S, MOST_BODY_KIB, MOST_HEADERS, MOST_NETWORKS, MOST_USERS, Moved,
    PasswordHash, Port, Redirect, Rules, Target,
};
use crate::domain::secret::Secret;
use crate::domain::trust::Trust;
use crate::vault;

/// KiB of a MB.
const KIB: u32 = 1024;
/// The most ports of an app.
const MOST_PORTS: usize = 10;
/// The shortest and the longest password: bcrypt reads 72 bytes.
const PASSWORD: std::ops::RangeInclusive<usize> = 8..=72;
const YES_OR_NO: [(&str, bool); 3] = [("", false), ("no", false), ("yes", true)];

/// Reads rules; `known` are those that are kept, `route` is what they are of.
pub(super) fn rules(fields: &mut Fields, input: EditRules, known: &Rules, route: Option<&Route>) -> Option<Rules> {
    let redirect = redirect(fields, &input, route);
    let users = users(fields, &input.users, known);
    let allow = networks(fields, "allow", &input.allow);
    let request = lines::<HeaderRule>(fields, "request_headers", &input.request_headers, MOST_HEADERS, "headers");
    let answer = lines::<HeaderRule>(fields, "answer_headers", &input.answer_headers, MOST_HEADERS, "headers");
    let body = fields.optional_number::<u32>("body_mb", &input.body_mb, 1..=MOST_BODY_KIB / KIB, "MB");
    let answer_s = fields.optional_number::<u32>("answer_s", &input.answer_s, 1..=MOST_ANSWER_S, "seconds");
    fields.fine().then(|| Rules {
        redirect,
        users,
        allow,
        request,
        answer,
        body_kib: body.map(|mb| mb * KIB),
        answer_s,
    })
}

fn redirect(fields: &mut Fields, input: &EditRules, route: Option<&Route>) -> Option<Redirect> {
    let to = fields.optional::<Target>("redirect", &input.redirect)?;
    let status = if input.redirect_status.trim().is_empty() { "308" } else { input.redirect_status.trim() };
    let moved = fields.choice("redirect_status", status, &Moved::ALL)?;
    let keep =
        fields.choice("redirect_keep", input.redirect_keep.trim(), &[("", true), ("yes", true), ("no", false)])?;
    if let (Some(route), Some((domain, path))) = (route, to.place()) {
        // A target below the route's own path is the route again, and the browser goes in a circle.
        let (own, path) = (route.path.as_ref(), path.as_ref());
        let below = own == "/" || path == own || path.strip_prefix(own).is_some_and(|rest| rest.starts_with('/'));
        if domain == route.domain && below {
            fields.wrong("redirect", "This leads to the route itself, again and again. Use another domain, or a path outside of the route's.");
        }
    }
    Some(Redirect { to, moved, keep })
}

fn users(fields: &mut Fields, raw: &[Pair], known: &Rules) -> BTreeMap<BasicUser, PasswordHash> {
    let mut users = BTreeMap::new();
    for (place, pair) in
        raw.iter().enumerate().filter(|(_, pair)| !(pair.name.trim().is_empty() && pair.value.is_empty()))
    {
        let Some(name) = fields.entry::<BasicUser>("users", place, &pair.name) else { continue };
        let hash = match (pair.value.as_str(), known.users.get(&name)) {
            ("", Some(kept)) => Some(kept.clone()),
            ("", None) => {
                fields.wrong_entry("users", place, "give the user a password.");
                None
            }
            (password, _) if !PASSWORD.contains(&password.len()) || password.chars().any(char::is_control) => {
                fields.wrong_entry("users", place, "use a password of 8 to 72 bytes without control characters.");
                None
            }
            (password, _) => {
                let hash = vault::basic_hash(&Secret::new(password.to_owned())).and_then(|hash| hash.parse().ok());
                if hash.is_none() {
                    fields.wrong_entry("users", place, "the password could not be hashed. Try again.");
                }
                hash
            }
        };
        let Some(hash) = hash else { continue };
        if users.insert(name, hash).is_some() {
            fields.wrong_entry("users", place, "the name is there twice.");
        }
    }
    if users.len() > MOST_USERS {
        fields.wrong("users", format!("Use at most {MOST_USERS} users."));
    }
    users
}

fn networks(fields: &mut Fields, field: &'static str, raw: &str) -> Vec<Cidr> {
    lines(fields, field, raw, MOST_NETWORKS, "networks")
}

/// Reads a value a line; empty lines are passed over, what is there twice counts once.
fn lines<T: FromStr<Err = Bad> + PartialEq>(
    fields: &mut Fields,
    field: &'static str,
    raw: &str,
    most: usize,
    what: &str,
) -> Vec<T> {
    let mut all: Vec<T> = Vec::new();
    for (number, line) in raw.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        match line.parse::<T>() {
            Ok(value) if all.contains(&value) => {}
            Ok(value) => all.push(value),
            Err(bad) => fields.wrong(field, format!("Line {}: {}", number + 1, bad.0)),
        }
    }
    if all.len() > most {
        fields.wrong(field, format!("Use at most {most} {what}."));
    }
    all
}

/// Reads a front; whether maintenance is on is no part of its form.
pub(super) fn front(fields: &mut Fields, input: &EditFront, known: &Front) -> Option<Front> {
    let gzip = fields.choice("gzip", input.gzip.trim(), &YES_OR_NO);
    let sticky = fields.choice("sticky", input.sticky.trim(), &YES_OR_NO);
    let h2c = fields.choice("h2c", input.h2c.trim(), &YES_OR_NO);
    let maintenance_allow = networks(fields, "maintenance_allow", &input.maintenance_allow);
    let maintenance_page = fields.optional("maintenance_page", &input.maintenance_page);
    let error_page = fields.optional("error_page", &input.error_page);
    let ports = ports(fields, &input.ports);
    let as_it_is = known.send_proxy && !ports.is_empty();
    let send_proxy =
        fields.choice("send_proxy", input.send_proxy.trim(), &[("", as_it_is), ("no", false), ("yes", true)]);
    if ports.is_empty() && send_proxy == Some(true) {
        fields.wrong(
            "send_proxy",
            "This is for ports without HTTP: requests say in X-Forwarded-For who comes. Leave it off.",
        );
    }
    if !ports.is_empty() && (gzip == Some(true) || sticky == Some(true) || h2c == Some(true)) {
        fields.wrong(
            "ports",
            "Connections on ports go to the app as they are: leave compression, HTTP/2 and the same instance off.",
        );
    }
    let (Some(gzip), Some(sticky), Some(h2c), Some(send_proxy), true) = (gzip, sticky, h2c, send_proxy, fields.fine())
    else {
        return None;
    };
    let maintenance = known.maintenance;
    Some(Front { maintenance, maintenance_allow, maintenance_page, error_page, gzip, sticky, h2c, ports, send_proxy })
}

fn ports(fields: &mut Fields, raw: &[Pair]) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for (place, pair) in
        raw.iter().enumerate().filter(|(_, p)| !(p.name.trim().is_empty() && p.value.trim().is_empty()))
    {
        let digits = pair.name.trim();
        let plain = digits.chars().all(|c| c.is_ascii_digit());
        let Some(port) = digits.parse::<u16>().ok().filter(|port| plain && *port > 0) else {
            fields.wrong_entry("ports", place, "use a port from 1 to 65535.");
            continue;
        };
        if TAKEN_PORTS.contains(&port) {
            fields.wrong_entry(
                "ports",
                place,
                "this port is the host's own: SSH, the proxy, or the other hosts answer there.",
            );
        }
        let mut allow = Vec::new();
        for text in pair.value.split([' ', ',', '\n', '\t']).filter(|text| !text.is_empty()) {
            allow.extend(fields.entry::<Cidr>("ports", place, text));
        }
        if allow.is_empty() && !pair.value.trim().is_empty() {
            fields.wrong_entry("ports", place, "name the networks, or leave them empty to let everybody in.");
        }
        if allow.len() > MOST_NETWORKS {
            fields.wrong_entry("ports", place, "use at most 100 networks.");
        }
        if ports.iter().any(|known| known.port == port) {
            fields.wrong_entry("ports", place, "the port is there twice.");
        }
        ports.push(Port { port, allow });
    }
    if ports.len() > MOST_PORTS {
        fields.wrong("ports", format!("Use at most {MOST_PORTS} ports."));
    }
    ports
}

/// Reads whom a host believes.
pub(super) fn trust(fields: &mut Fields, input: &EditTrust) -> Option<Trust> {
    let cloudflare = fields.choice("cloudflare", input.cloudflare.trim(), &YES_OR_NO);
    let forwarded = networks(fields, "forwarded", &input.forwarded);
    let proxy_protocol = networks(fields, "proxy_protocol", &input.proxy_protocol);
    for (field, all) in [("forwarded", &forwarded), ("proxy_protocol", &proxy_protocol)] {
        if all.iter().any(Cidr::is_everybody) {
            fields.wrong(field, "Then anybody could say where they come from. Name the networks of the proxies alone.");
        }
    }
    if proxy_protocol.iter().any(Cidr::holds_loopback) {
        fields.wrong(
            "proxy_protocol",
            "Skiff itself asks the proxy from this machine's loopback, without that line. Name the address by which the proxy before it comes.",
        );
    }
    let (Some(cloudflare), true) = (cloudflare, fields.fine()) else { return None };
    Some(Trust { cloudflare, forwarded, proxy_protocol })
}

/// Rules as a form, without passwords.
pub fn rules_form(rules: &Rules) -> EditRules {
    let number = |number: Option<u32>| number.map(|number| number.to_string()).unwrap_or_default();
    let redirect = rules.redirect.as_ref();
    EditRules {
        redirect: redirect.map(|redirect| redirect.to.to_string()).unwrap_or_default(),
        redirect_status: redirect.map_or("308", |redirect| redirect.moved.status()).to_owned(),
        redirect_keep: if redirect.is_none_or(|redirect| redirect.keep) { "yes" } else { "no" }.to_owned(),
        users: rules.users.keys().map(|user| Pair { name: user.to_string(), value: String::new() }).collect(),
        allow: joined(&rules.allow),
        request_headers: joined(&rules.request),
        answer_headers: joined(&rules.answer),
        body_mb: number(rules.body_kib.map(|kib| kib.div_ceil(KIB))),
        answer_s: number(rules.answer_s),
        as_of: rules_digest(rules),
    }
}

/// Rules as short words; one word where there are none.
pub fn rules_words(rules: &Rules) -> Vec<String> {
    if rules.is_plain() { vec!["none".to_owned()] } else { rules.words() }
}

fn joined<T: ToString>(all: &[T]) -> String {
    all.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// A front as a form.
pub fn front_form(front: &Front) -> EditFront {
    let yes = |yes: bool| if yes { "yes" } else { "no" }.to_owned();
    let text = |text: Option<String>| text.unwrap_or_default();
    let port = |port: &Port| Pair { name: port.port.to_string(), value: joined(&port.allow).replace('\n', " ") };
    EditFront {
        gzip: yes(front.gzip),
        sticky: yes(front.sticky),
        h2c: yes(front.h2c),
        maintenance_allow: joined(&front.maintenance_allow),
        maintenance_page: text(front.maintenance_page.clone().map(String::from)),
        error_page: text(front.error_page.clone().map(String::from)),
        ports: front.ports.iter().map(port).collect(),
        send_proxy: yes(front.send_proxy),
        as_of: front_digest(front),
    }
}

/// Whom a host believes as a form.
pub(super) fn trust_form(trust: &Trust) -> EditTrust {
    EditTrust {
        cloudflare: if trust.cloudflare { "yes" } else { "no" }.to_owned(),
        forwarded: joined(&trust.forwarded),
        proxy_protocol: joined(&trust.proxy_protocol),
        as_of: trust_digest(trust),
    }
}

//! What somebody else changed since a form was read: who changes rules, a front or trust says by a digest what they looked at, and
//! nothing is replaced unseen.

use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::domain::rules::{Cidr, Front, PageText, Rules};
use crate::domain::trust::Trust;

/// A digest of rules, 16 hex digits.
pub(super) fn rules_digest(rules: &Rules) -> String {
    digest(rules)
}

/// The same of a front. Whether maintenance is on has a switch of its own, and is in no form's way.
pub(super) fn front_digest(front: &Front) -> String {
    digest(&Front { maintenance: false, ..front.clone() })
}

/// The same of whom a host believes.
pub(super) fn trust_digest(trust: &Trust) -> String {
    digest(trust)
}

fn digest(what: &impl Serialize) -> String {
    let text = serde_json::to_vec(what).unwrap_or_default();
    Sha256::digest(&text).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Why a front is not replaced by what is wanted: another one than was read is there by now. None where it is the same, or the wanted one.
pub(super) fn front(as_of: &str, now: &Front, wanted: Option<&Front>) -> Option<String> {
    if as_of.is_empty() || as_of == front_digest(now) {
        return None;
    }
    let what = "what holds for all routes of this app";
    let Some(wanted) = wanted else { return Some(sentence(what, &[])) };
    let on = |on: bool| if on { "on" } else { "off" }.to_owned();
    let page = |page: &Option<PageText>| match page {
        Some(page) => format!("of {} bytes", page.as_ref().len()),
        None => "as Skiff has it".to_owned(),
    };
    let ports = || match now.ports.as_slice() {
        [] => "none".to_owned(),
        all => {
            let port =
                |port: &crate::domain::rules::Port| format!("{} from {}", port.port, from(&port.allow, "everywhere"));
            all.iter().map(port).collect::<Vec<_>>().join(" and ")
        }
    };
    let all = [
        ("compression", now.gzip == wanted.gzip, on(now.gzip)),
        ("the same instance", now.sticky == wanted.sticky, on(now.sticky)),
        ("HTTP/2 to the app", now.h2c == wanted.h2c, on(now.h2c)),
        (
            "who sees the app in maintenance:",
            now.maintenance_allow == wanted.maintenance_allow,
            from(&now.maintenance_allow, "nobody"),
        ),
        ("the page of maintenance", now.maintenance_page == wanted.maintenance_page, page(&now.maintenance_page)),
        ("the page of errors", now.error_page == wanted.error_page, page(&now.error_page)),
        ("ports:", now.ports == wanted.ports, ports()),
        ("the PROXY protocol to the app", now.send_proxy == wanted.send_proxy, on(now.send_proxy)),
    ];
    said(what, all)
}

/// The same of whom a host believes.
pub(super) fn trust(as_of: &str, now: &Trust, wanted: Option<&Trust>) -> Option<String> {
    if as_of.is_empty() || as_of == trust_digest(now) {
        return None;
    }
    let what = "whom this host believes";
    let Some(wanted) = wanted else { return Some(sentence(what, &[])) };
    let all = [
        (
            "Cloudflare",
            now.cloudflare == wanted.cloudflare,
            if now.cloudflare { "believed" } else { "not believed" }.into(),
        ),
        ("X-Forwarded-For of", now.forwarded == wanted.forwarded, from(&now.forwarded, "nobody")),
        ("the PROXY protocol of", now.proxy_protocol == wanted.proxy_protocol, from(&now.proxy_protocol, "nobody")),
    ];
    said(what, all)
}

fn from(networks: &[Cidr], none: &str) -> String {
    let all: Vec<String> = networks.iter().map(ToString::to_string).collect();
    if all.is_empty() { none.to_owned() } else { all.join(", ") }
}

/// What is there now, of what is not the same as wanted; none where all of it is: then there is nothing to lose.
fn said<const N: usize>(what: &str, all: [(&str, bool, String); N]) -> Option<String> {
    let differ: Vec<String> =
        all.into_iter().filter(|(_, same, _)| !same).map(|(name, _, now)| format!("{name} {now}")).collect();
    (!differ.is_empty()).then(|| sentence(what, &differ))
}

fn sentence(what: &str, differ: &[String]) -> String {
    let now = match differ {
        [] => "Look at what is there now".to_owned(),
        differ => format!("Other than you send it, there is now: {}. Look at that", differ.join("; ")),
    };
    format!("Somebody else changed {what} meanwhile. {now}; saving once more replaces it.")
}

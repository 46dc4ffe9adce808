//! What the forms of routes send: raw texts, as they were typed. Not here: what becomes of them.

use crate::actions::apps::Pair;

/// The rules of a route. Empty texts mean that nothing of it is asked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EditRules {
    /// Where it leads instead of the app: `https://shop.example/new`; empty leads to the app.
    pub redirect: String,
    /// `308` (also when empty), `307`, `301` or `302`.
    pub redirect_status: String,
    /// `yes` (also when empty) puts what stands behind the route's path, and the query, behind the target; `no` does not.
    pub redirect_keep: String,
    /// Users and their passwords. An empty password keeps the one that is there; who is not named has no way in any more.
    pub users: Vec<Pair>,
    /// Networks one may come from, one a line; empty is everywhere.
    pub allow: String,
    /// Headers of requests, one a line: `Name: value` sets, `+Name: value` adds, `-Name` removes.
    pub request_headers: String,
    /// Headers of answers, in the same way.
    pub answer_headers: String,
    /// The most MB a request may send, 1–102,400.
    pub body_mb: String,
    /// Seconds the app may take for an answer, 1–86,400; empty means 300.
    pub answer_s: String,
    /// The digest of the rules that were read before; where others are there by now, nothing is changed. Empty replaces whatever is there.
    pub as_of: String,
}

/// What holds for all routes of an app.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct EditFront {
    /// `yes` sends text compressed.
    pub gzip: String,
    /// `yes` sends who came once to the same instance again.
    pub sticky: String,
    /// `yes` where the app speaks HTTP/2 without TLS (gRPC).
    pub h2c: String,
    /// Networks that see the app in spite of the page of maintenance, one a line.
    pub maintenance_allow: String,
    /// That page, as HTML; empty means a sentence of ours.
    pub maintenance_page: String,
    /// The page where the app does not answer, as HTML; empty means sentences of ours.
    pub error_page: String,
    /// Ports whose connections go to the app as they are, and the networks one may come from, separated by spaces or commas.
    pub ports: Vec<Pair>,
    /// `yes` begins each of these with a line of the PROXY protocol, `no` does not; empty leaves it as it is.
    pub send_proxy: String,
    /// The digest of what was read before; where something else holds by now, nothing is changed. Empty replaces whatever is there.
    pub as_of: String,
}

/// Whom a host believes about where a request comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EditTrust {
    /// `yes` believes Cloudflare.
    pub cloudflare: String,
    /// Proxies that put the client last into `X-Forwarded-For`: their networks, one a line.
    pub forwarded: String,
    /// Proxies that speak the PROXY protocol: their networks, one a line.
    pub proxy_protocol: String,
    /// The digest of what was read before; where others are believed by now, nothing is changed. Empty replaces whatever is there.
    pub as_of: String,
}

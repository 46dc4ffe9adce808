//! What is asked of a request before it reaches its app, and what is done to the answer. Rules are of a route, a front is of
//! all routes of an app. Neither is part of a release: a change holds at once, and a rollback opens no door. Not here: how
//! the proxy is told (`ingress/rules.rs`).

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::names::{Bad, Domain, PathPrefix, checked_text, has_hidden};

/// The most networks in one list: each is a line of the proxy's file.
pub const MOST_NETWORKS: usize = 100;
/// The most headers that are changed on one way.
pub const MOST_HEADERS: usize = 20;
/// The most users of one route.
pub const MOST_USERS: usize = 20;
/// Seconds an app may take for an answer, at most: a day.
pub const MOST_ANSWER_S: u32 = 86_400;
/// KiB a request's body may be limited to, at most: 100 GiB.
pub const MOST_BODY_KIB: u32 = 104_857_600;
/// Bytes of a page: the proxy answers it out of one buffer of 16 KiB, and the head needs room.
pub const MOST_PAGE: usize = 12_000;

checked_text! {
    /// A network as `10.0.0.0/8`; one address is a network too. Bits beyond the prefix are cut.
    Cidr = |text| {
        network(text.trim()).ok_or("Use an address such as 203.0.113.7 or a network such as 203.0.113.0/24 or 2001:db8::/32.")
    };
    /// A header's name: letters, digits, hyphens and underscores, at most 64, and none of those that the proxy itself sets or
    /// that say how a message is framed.
    HeaderName = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let fits = (1..=64).contains(&text.len()) && text.chars().all(plain) && text.starts_with(|c: char| c.is_ascii_alphanumeric());
        if !fits { return Err("Name headers with letters, digits and hyphens, such as X-Robots-Tag."); }
        if OURS.iter().any(|ours| text.eq_ignore_ascii_case(ours)) {
            return Err("This header is the proxy's own: it frames the message, or says where the request came from.");
        }
        Ok(text.to_owned())
    };
    /// A header's value: 1 to 1,000 visible ASCII characters and spaces.
    HeaderValue = |text| {
        let text = text.trim();
        let fits = (1..=1000).contains(&text.len()) && text.chars().all(|c| c == ' ' || c.is_ascii_graphic());
        if fits { Ok(text.to_owned()) } else { Err("Give the header a value of 1 to 1,000 visible characters without accents.") }
    };
    /// Who signs in at a route: letters, digits and `. _ @ -`, at most 64.
    BasicUser = |text| {
        let text = text.trim();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '@' | '-');
        let fits = (1..=64).contains(&text.len()) && text.chars().all(plain);
        if fits { Ok(text.to_owned()) } else { Err("Name users with 1 to 64 letters, digits, dots, hyphens, underscores and @.") }
    };
    /// A password as bcrypt keeps it: `$2y$`, the cost, and 53 characters.
    PasswordHash = |text| {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '/');
        let cost = |cost: &str| cost.len() == 2 && cost.chars().all(|c| c.is_ascii_digit());
        let fits = text.strip_prefix("$2y$").and_then(|rest| rest.split_once('$'))
            .is_some_and(|(number, hash)| cost(number) && hash.len() == 53 && hash.chars().all(plain));
        if fits { Ok(text.to_owned()) } else { Err("This is no hash of a password.") }
    };
    /// Where a redirect leads: `https://domain/path` without a query; a last slash is cut.
    Target = |text| target(text.trim()).ok_or("Use an address such as https://shop.example.org or https://shop.example.org/new, without a query.");
    /// A page as text: at most 12,000 bytes without control characters other than line ends and tabs.
    PageText = |text| {
        let text = text.replace("\r\n", "\n");
        if text.trim().is_empty() { return Err("The page is empty."); }
        if text.len() > MOST_PAGE { return Err("The page is longer than 12,000 bytes, which is what the proxy answers at once."); }
        if has_hidden(&text.replace(['\n', '\t'], " ")) { return Err("The page has control characters, or some that turn text around."); }
        Ok(text)
    };
}

/// Headers that are the proxy's own.
const OURS: [&str; 17] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "keep-alive",
    "proxy-connection",
    "proxy-authorization",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
    "x-real-ip",
    "http2-settings",
];

fn network(text: &str) -> Option<String> {
    let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
    let address: IpAddr = address.parse().ok()?;
    let whole: u8 = if address.is_ipv4() { 32 } else { 128 };
    let bits = match bits {
        None => whole,
        Some(text) if (1..=3).contains(&text.len()) && text.chars().all(|c| c.is_ascii_digit()) => text.parse().ok()?,
        Some(_) => return None,
    };
    if bits > whole {
        return None;
    }
    let cut: IpAddr = match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(u32::from(whole - bits)).unwrap_or(0);
            std::net::Ipv4Addr::from(u32::from(v4) & mask).into()
        }
        IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some() => return None,
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(u32::from(whole - bits)).unwrap_or(0);
            std::net::Ipv6Addr::from(u128::from(v6) & mask).into()
        }
    };
    Some(format!("{cut}/{bits}"))
}

/// The base of the address plan (`domain/address.rs`), and of loopback.
const PLAN: u32 = u32::from_be_bytes([10, 64, 0, 0]);
const LOOPBACK: u32 = u32::from_be_bytes([127, 0, 0, 0]);

/// The first bits of an address.
fn masked(address: u32, bits: u32) -> u32 {
    address & u32::MAX.checked_shl(32 - bits.min(32)).unwrap_or(0)
}

impl Cidr {
    /// True where it is everybody.
    pub fn is_everybody(&self) -> bool {
        self.as_ref().ends_with("/0")
    }

    /// True where it holds the whole plan of Skiff's own containers and more.
    pub fn is_wider_than_plan(&self) -> bool {
        self.v4().is_some_and(|(network, bits)| bits < 10 && masked(PLAN, bits) == network)
    }

    /// True where it is the plan or lies within.
    pub fn is_planned(&self) -> bool {
        self.v4().is_some_and(|(network, bits)| bits >= 10 && masked(network, 10) == PLAN)
    }

    /// True where an address of the machine itself is in it.
    pub fn holds_loopback(&self) -> bool {
        let v6 = || self.as_ref().split('/').next().is_some_and(|text| text == "::1");
        self.v4().map_or_else(v6, |(network, bits)| masked(LOOPBACK, bits.min(8)) == masked(network, bits.min(8)))
    }

    fn v4(&self) -> Option<(u32, u32)> {
        let (address, bits) = self.as_ref().split_once('/').unwrap_or((self.as_ref(), "32"));
        Some((address.parse::<std::net::Ipv4Addr>().ok()?.to_bits(), bits.parse().ok()?))
    }
}

fn target(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    let (place, path) = rest.split_once('/').map_or((rest, String::new()), |(place, path)| (place, format!("/{path}")));
    let (domain, port) = place.split_once(':').map_or((place, None), |(domain, port)| (domain, Some(port)));
    let domain: Domain = domain.parse().ok()?;
    let port = match port {
        None => String::new(),
        Some(port) => format!(":{}", port.parse::<u16>().ok().filter(|port| *port > 0)?),
    };
    let path = match path.parse::<PathPrefix>().ok()? {
        root if root.as_ref() == "/" => String::new(),
        path => path.into(),
    };
    Some(format!("{scheme}://{domain}{port}{path}"))
}

impl Target {
    /// Its domain, and its path as a route's.
    pub fn place(&self) -> Option<(Domain, PathPrefix)> {
        let (_, rest) = self.as_ref().split_once("://")?;
        let (place, path) =
            rest.split_once('/').map_or((rest, "/".to_owned()), |(place, path)| (place, format!("/{path}")));
        let domain = place.split(':').next()?;
        Some((domain.parse().ok()?, path.parse().ok()?))
    }
}

/// How a redirect is meant: for now or for good, and whether a form sent there is sent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moved {
    /// 308: for good, and what was sent is sent there again.
    #[default]
    ForGood,
    /// 307: for now, and what was sent is sent there again.
    ForNow,
    /// 301: for good, as old programs know it.
    Old301,
    /// 302: for now, as old programs know it.
    Old302,
}

impl Moved {
    /// The words of a form, the numbers they stand for.
    pub const ALL: [(&'static str, Self); 4] =
        [("308", Self::ForGood), ("307", Self::ForNow), ("301", Self::Old301), ("302", Self::Old302)];

    /// The status it is answered with.
    pub fn status(self) -> &'static str {
        Self::ALL.iter().find(|(_, moved)| *moved == self).map_or("308", |(status, _)| status)
    }
}

/// A route that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// Where.
    pub to: Target,
    /// How it is meant.
    #[serde(default)]
    pub moved: Moved,
    /// Whether what stands behind the route's path, and the query, is put behind the target.
    #[serde(default)]
    pub keep: bool,
}

/// A change of one header, written as `Name: value` (set), `+Name: value` (add) or `-Name` (remove).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HeaderRule {
    /// It has this value alone.
    Set(HeaderName, HeaderValue),
    /// It is there once more, with this value.
    Add(HeaderName, HeaderValue),
    /// It is not there.
    Remove(HeaderName),
}

impl FromStr for HeaderRule {
    type Err = Bad;
    fn from_str(text: &str) -> Result<Self, Bad> {
        let text = text.trim();
        if let Some(name) = text.strip_prefix('-') {
            return Ok(Self::Remove(name.trim().parse()?));
        }
        let (add, rest) = text.strip_prefix('+').map_or((false, text), |rest| (true, rest));
        let (name, value) = rest
            .split_once(':')
            .ok_or(Bad("Write a header as Name: value, +Name: value to add one, or -Name to remove it."))?;
        let (name, value) = (name.trim().parse()?, value.parse()?);
        Ok(if add { Self::Add(name, value) } else { Self::Set(name, value) })
    }
}

impl TryFrom<String> for HeaderRule {
    type Error = Bad;
    fn try_from(text: String) -> Result<Self, Bad> {
        text.parse()
    }
}

impl From<HeaderRule> for String {
    fn from(rule: HeaderRule) -> Self {
        rule.to_string()
    }
}

impl fmt::Display for HeaderRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(name, value) => write!(f, "{name}: {value}"),
            Self::Add(name, value) => write!(f, "+{name}: {value}"),
            Self::Remove(name) => write!(f, "-{name}"),
        }
    }
}

/// What is asked of requests of one route.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Rules {
    /// It leads elsewhere.
    pub redirect: Option<Redirect>,
    /// Who may come in, by a password; empty lets everybody in.
    pub users: BTreeMap<BasicUser, PasswordHash>,
    /// From where one may come; empty is everywhere.
    pub allow: Vec<Cidr>,
    /// Headers of requests.
    pub request: Vec<HeaderRule>,
    /// Headers of answers.
    pub answer: Vec<HeaderRule>,
    /// The most KiB a request may send.
    pub body_kib: Option<u32>,
    /// Seconds the app may take between two pieces of an answer; none means 5 minutes.
    pub answer_s: Option<u32>,
}

impl Rules {
    /// True where requests simply go to the app.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// What they are, in short words: "password", "2 networks".
    pub fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let many = |n: usize, one: &str, more: &str| if n == 1 { format!("1 {one}") } else { format!("{n} {more}") };
        if let Some(Redirect { to, moved, .. }) = &self.redirect {
            words.push(format!("redirects to {to} ({})", moved.status()));
        }
        if !self.users.is_empty() {
            words.push(format!("password for {}", many(self.users.len(), "user", "users")));
        }
        if !self.allow.is_empty() {
            words.push(format!("only from {}", many(self.allow.len(), "network", "networks")));
        }
        let headers = self.request.len() + self.answer.len();
        if headers > 0 {
            words.push(many(headers, "header", "headers"));
        }
        if let Some(kib) = self.body_kib {
            words.push(format!("at most {} sent", size(kib)));
        }
        if let Some(seconds) = self.answer_s {
            words.push(format!("answers within {seconds} s"));
        }
        words
    }
}

/// Kibibytes as the form has them: whole MB where they are.
pub(super) fn size(kib: u32) -> String {
    if kib.is_multiple_of(1024) { format!("{} MB", kib / 1024) } else { format!("{kib} KB") }
}

/// What holds for all routes of an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Front {
    /// Everybody is told that the app is being worked on.
    pub maintenance: bool,
    /// But those who come from here.
    pub maintenance_allow: Vec<Cidr>,
    /// The page they see; none means a sentence of ours.
    pub maintenance_page: Option<PageText>,
    /// The page where the app does not answer (502, 503, 504); none means sentences of ours.
    pub error_page: Option<PageText>,
    /// Text is sent compressed to whoever can read it so.
    pub gzip: bool,
    /// Who came once is sent to the same instance again.
    pub sticky: bool,
    /// The app speaks HTTP/2 without TLS (gRPC).
    pub h2c: bool,
    /// Ports whose connections go to the app as they are.
    pub ports: Vec<Port>,
    /// Each of these begins with a line of the PROXY protocol, which names the client.
    pub send_proxy: bool,
}

/// How an app is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wire {
    /// By HTTP/1.1, or as whoever comes speaks.
    Plain,
    /// By HTTP/2 without TLS.
    H2c,
    /// As whoever comes speaks, after a line of the PROXY protocol, version 2
    /// (<https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>).
    Proxied,
}

/// A port of an app's hosts whose connections go to the app as they are, without HTTP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// The port.
    pub port: u16,
    /// From where one may come; empty is everywhere.
    #[serde(default)]
    pub allow: Vec<Cidr>,
}

impl Front {
    /// How the app is spoken to.
    pub fn wire(&self) -> Wire {
        match self {
            Self { send_proxy: true, .. } if !self.ports.is_empty() => Wire::Proxied,
            Self { h2c: true, .. } => Wire::H2c,
            _ => Wire::Plain,
        }
    }

    /// True where nothing is asked for.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_are_cut_to_their_prefix() {
        let cases = [
            ("203.0.113.7", "203.0.113.7/32"),
            (" 10.1.2.3/8 ", "10.0.0.0/8"),
            ("2001:DB8::1/32", "2001:db8::/32"),
            ("::1", "::1/128"),
            ("0.0.0.0/0", "0.0.0.0/0"),
        ];
        for (text, is) in cases {
            assert_eq!(text.parse::<Cidr>().unwrap().as_ref(), is, "{text}");
        }
        for bad in
            ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::1/129", "::ffff:10.0.0.1", "a.example", "10.0.0.0/8 }"]
        {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn targets_are_addresses_without_a_query() {
        let cases = [
            ("https://Shop.Example.org/", "https://shop.example.org"),
            ("http://shop.example.org:8080/new/", "http://shop.example.org:8080/new"),
        ];
        for (text, is) in cases {
            assert_eq!(text.parse::<Target>().unwrap().as_ref(), is, "{text}");
        }
        for bad in [
            "shop.example.org",
            "ftp://a.example",
            "https://a.example/?x",
            "https://a.example/%2e",
            "https://a.example:0",
            "https://u@a.example",
            "https://a.example/\" code 200",
            "javascript://a.example",
        ] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_read_as_they_are_written() {
        for text in ["X-Robots-Tag: noindex", "+Link: </a.css>; rel=preload", "-Server"] {
            assert_eq!(text.parse::<HeaderRule>().unwrap().to_string(), text);
        }
        for bad in
            ["X-A", "X A: b", "Host: x", "content-length: 0", "-x-real-ip", "X-A:", "X-A: a\nX-B: b", "", "-", "X-A: é"]
        {
            assert!(bad.parse::<HeaderRule>().is_err(), "{bad}");
        }
    }

    #[test]
    fn what_was_stored_before_an_option_was_there_is_read() {
        assert!(serde_json::from_str::<Rules>("{}").unwrap().is_plain());
        assert!(serde_json::from_str::<Front>("{}").unwrap().is_plain());
        let text = r#"{"redirect":{"to":"https://a.example"},"answer":["-Server"]}"#;
        let rules: Rules = serde_json::from_str(text).unwrap();
        assert_eq!(rules.words(), ["redirects to https://a.example (308)", "1 header"]);
    }
}

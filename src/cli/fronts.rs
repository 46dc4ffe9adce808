//! `skiff front` and `skiff proxy`: what holds for all routes of an app, and whom a host believes before its proxy; shown, changed
//! option by option, or looked at before. Not here: single routes (`routes.rs`).

use clap::Args;
use serde_json::{Map, Value, json};

use super::Failed;
use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::routes::{OnOff, differences, fronted, shown};
use super::show::{at, items, plain, set};
use super::told::{self, Patience};

/// What is said where browsers were to be told for a year, and only that was not taken.
const TAKEN_BUT_HSTS: &str = "All else that was asked for was taken before it, and the proxies are being told.";

/// Whose front, and what of it.
#[derive(Clone, Debug, Args)]
pub struct Front {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// Send text compressed
    #[arg(long, value_name = "on|off")]
    pub gzip: Option<OnOff>,
    /// Send who came once to the same instance again
    #[arg(long, value_name = "on|off")]
    pub sticky: Option<OnOff>,
    /// Speak HTTP/2 without TLS to the app (gRPC)
    #[arg(long, value_name = "on|off")]
    pub h2c: Option<OnOff>,
    /// The page of maintenance, as HTML; an empty name takes it away
    #[arg(long, value_name = "FILE")]
    pub maintenance_page: Option<String>,
    /// Networks that see the app all the same, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    pub maintenance_allow: Option<String>,
    /// The page where the app does not answer, as HTML; an empty name takes it away
    #[arg(long, value_name = "FILE")]
    pub error_page: Option<String>,
    /// A port whose connections go to the app as they are, and the networks one may come from: 5432 or 5432=203.0.113.0/24; may be given
    /// several times, and replaces those that are there
    #[arg(long = "port", value_name = "PORT[=NETWORKS]")]
    pub ports: Option<Vec<String>>,
    /// Begin each of these with a line of the PROXY protocol, version 2, which names the client
    #[arg(long, value_name = "on|off")]
    pub send_proxy: Option<OnOff>,
    /// Tell browsers to come by HTTPS only, for a year, under every name of the app that a certificate is served for (HSTS); it is not
    /// waited for
    #[arg(long, value_name = "on|off", conflicts_with = "preview")]
    pub hsts: Option<OnOff>,
    /// No such ports any more
    #[arg(long, conflicts_with = "ports")]
    pub no_ports: bool,
    /// Print what would change in the proxies' files, and change nothing
    #[arg(long)]
    pub preview: bool,
    /// Whether one waits.
    #[command(flatten)]
    pub patience: Patience,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Whose proxy, and whom it shall believe.
#[derive(Clone, Debug, Args)]
pub struct Proxy {
    /// The host's short name
    pub host: String,
    /// Believe Cloudflare about where a request comes from
    #[arg(long, value_name = "on|off")]
    pub cloudflare: Option<OnOff>,
    /// Networks of proxies that put the client last into X-Forwarded-For, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    pub forwarded: Option<String>,
    /// Networks of proxies that speak the PROXY protocol, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    pub proxy_protocol: Option<String>,
    /// The domain under which apps without one of their own get an address; empty gives none any more
    #[arg(long, value_name = "DOMAIN")]
    pub base_domain: Option<String>,
    /// The port of plain HTTP; it holds once the host was made ready with it
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1..))]
    pub http_port: Option<u16>,
    /// The port of HTTPS, 0 for none; it holds once the host was made ready with it
    #[arg(long, value_name = "PORT")]
    pub https_port: Option<u16>,
    /// Print what would change in the proxy's file, and change nothing
    #[arg(long, conflicts_with_all = ["base_domain", "http_port", "https_port"])]
    pub preview: bool,
    /// Whether one waits.
    #[command(flatten)]
    pub patience: Patience,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Shows or changes what holds for all routes of an app.
pub async fn front(input: Front) -> Result<String, Failed> {
    let client = input.common.client()?;
    let app = app_in_path(&input.app);
    let path = ["apps", app.as_str(), "front"];
    let mut known = client.ask(Ask::get(&path)).await?;
    let wanted = input.over(&known)?;
    if let (true, Some(wanted)) = (input.preview, &wanted) {
        return shown(&input.common, &client, &app, json!({ "front": wanted })).await;
    }
    let set_front = match wanted {
        Some(wanted) => Some(client.ask(Ask::put(&path, wanted)).await?),
        None => None,
    };
    // Of its own, as another page has it, and only once the rest was taken: browsers keep it for a year.
    let strict_path = ["apps", app.as_str(), "hsts"];
    let strict = client.ask(match input.hsts {
        Some(choice) => Ask::put(&strict_path, json!({ "hsts": choice == OnOff::On })),
        None => Ask::get(&strict_path),
    });
    let taken = if set_front.is_some() { TAKEN_BUT_HSTS } else { "" };
    let strict = strict.await.map_err(|failed| if taken.is_empty() { failed } else { failed.and(taken) })?;
    let words = |front: &mut Value| {
        set(front, "hsts", strict.get("hsts").cloned().unwrap_or_default());
        front_words(front)
    };
    match set_front {
        Some(front) => fronted(&input.common, &client, &input.app, input.patience, front, words).await,
        None => {
            let text = words(&mut known);
            Ok(input.common.print(Answer::new(known, text)))
        }
    }
}

/// Shows or changes whom a host believes.
pub async fn proxy(input: Proxy) -> Result<String, Failed> {
    let client = input.common.client()?;
    let host = input.host.as_str();
    let path = ["hosts", host, "trust"];
    let mut known = client.ask(Ask::get(&path)).await?;
    let mut job = String::new();
    let mut taken = Vec::new();
    if let Some(wanted) = input.over(&known) {
        if input.preview {
            let found = client.ask(Ask::post(&["hosts", host, "trust", "preview"], wanted)).await?;
            let text = differences(std::slice::from_ref(&found));
            return Ok(input.common.print(Answer::new(found, text)));
        }
        known = client.ask(Ask::put(&path, wanted)).await?;
        job = at(&known, "job");
        taken.push("whom the proxy believes");
    }
    if let Some(domain) = &input.base_domain {
        let domain = Some(domain.trim()).filter(|domain| !domain.is_empty());
        let set = client.ask(Ask::put(&["hosts", host, "base-domain"], json!({ "domain": domain }))).await;
        known = set.map_err(|failed| after(failed, &taken))?;
        taken.push("the domain for addresses of apps");
    }
    let mut ports = None;
    if let Some(port) = input.http_port {
        let path = ["hosts", host, "http-port"];
        let set = client.ask(Ask::put(&path, json!({ "http_port": port }))).await;
        ports = Some(set.map_err(|failed| after(failed, &taken))?);
        taken.push("the port of HTTP");
    }
    if let Some(port) = input.https_port {
        let port = Some(port).filter(|port| *port > 0);
        let path = ["hosts", host, "https-port"];
        let set = client.ask(Ask::put(&path, json!({ "https_port": port }))).await;
        ports = Some(set.map_err(|failed| after(failed, &taken))?);
    }
    // Waited for last: nothing that was asked for gets lost by a host that is away.
    let mut why = None;
    if !job.is_empty() && !input.patience.no_wait {
        let look = format!("skiff proxy {}", plain(host));
        let place = told::Place { front: &path, again: "the same command".to_owned(), look };
        why = place.until_told(&client, &job).await?.err();
        known = client.ask(Ask::get(&path)).await?;
    }
    let mut text = trust_words(&known);
    if let Some(ports) = ports {
        text.push_str(&ports_words(&ports, host));
        for name in ["http_port", "https_port"] {
            set(&mut known, name, ports.get(name).cloned().unwrap_or_default());
        }
    }
    match why {
        Some(why) => Err(input.common.not_as_wanted(Answer::new(known, String::new()), why)),
        None => Ok(input.common.print(Answer::new(known, text))),
    }
}

/// A refusal in the middle, with what was taken before it and stays.
fn after(failed: Failed, taken: &[&str]) -> Failed {
    if taken.is_empty() { failed } else { failed.and(&format!("Taken before it, and stays: {}.", taken.join(", "))) }
}

fn ports_words(ports: &Value, host: &str) -> String {
    let https = Some(at(ports, "https_port")).filter(|port| !port.is_empty()).unwrap_or_else(|| "none".to_owned());
    format!(
        "\nports: {}, and {https} for HTTPS, once it was made ready with them: skiff hosts provision {}",
        at(ports, "http_port"),
        plain(host)
    )
}

impl Front {
    /// What is wanted, over what is there; none where nothing was said.
    fn over(&self, known: &Value) -> Result<Option<Value>, Failed> {
        let mut wanted = of(
            known,
            &[
                "maintenance_allow",
                "maintenance_page",
                "error_page",
                "gzip",
                "sticky",
                "h2c",
                "ports",
                "send_proxy",
                // What another changes between the look and the change is not replaced by what was there before.
                "as_of",
            ],
        );
        let mut said = false;
        let mut set = |name: &str, value: Value| {
            said = true;
            wanted.insert(name.to_owned(), value);
        };
        let choices =
            [("gzip", self.gzip), ("sticky", self.sticky), ("h2c", self.h2c), ("send_proxy", self.send_proxy)];
        for (name, choice) in choices {
            if let Some(choice) = choice {
                set(name, json!(choice == OnOff::On));
            }
        }
        for (name, file) in [("maintenance_page", &self.maintenance_page), ("error_page", &self.error_page)] {
            if let Some(file) = file {
                set(name, page(file)?);
            }
        }
        if let Some(allow) = &self.maintenance_allow {
            set("maintenance_allow", json!(split(allow)));
        }
        if self.no_ports {
            set("ports", json!([]));
            set("send_proxy", json!(false));
        }
        if let Some(ports) = &self.ports {
            set("ports", json!(ports.iter().map(|port| one_port(port)).collect::<Result<Vec<_>, _>>()?));
        }
        Ok(said.then_some(Value::Object(wanted)))
    }
}

impl Proxy {
    /// What is wanted, over what is there; none where nothing was said.
    fn over(&self, known: &Value) -> Option<Value> {
        let mut wanted = of(known, &["cloudflare", "forwarded", "proxy_protocol", "as_of"]);
        let mut said = false;
        let mut set = |name: &str, value: Value| {
            said = true;
            wanted.insert(name.to_owned(), value);
        };
        if let Some(choice) = self.cloudflare {
            set("cloudflare", json!(choice == OnOff::On));
        }
        for (name, networks) in [("forwarded", &self.forwarded), ("proxy_protocol", &self.proxy_protocol)] {
            if let Some(networks) = networks {
                set(name, json!(split(networks)));
            }
        }
        said.then_some(Value::Object(wanted))
    }
}

/// These of a document's values.
fn of(known: &Value, names: &[&str]) -> Map<String, Value> {
    names.iter().filter_map(|name| Some(((*name).to_owned(), known.get(*name)?.clone()))).collect()
}

fn split(networks: &str) -> Vec<&str> {
    networks.split(',').map(str::trim).filter(|one| !one.is_empty()).collect()
}

/// A page of a file; nothing for an empty name.
fn page(file: &str) -> Result<Value, Failed> {
    if file.is_empty() {
        return Ok(Value::Null);
    }
    let text = std::fs::read_to_string(file);
    text.map(Value::String).map_err(|error| Failed::Said(format!("{file} cannot be read: {error}.")))
}

/// "5432" or "5432=203.0.113.0/24,198.51.100.7".
fn one_port(text: &str) -> Result<Value, Failed> {
    let (port, allow) = text.split_once('=').unwrap_or((text, ""));
    let wrong = || Failed::Said(format!("--port {text}: use a port from 1 to 65535, and networks behind a =."));
    let port: u16 = port.trim().parse().map_err(|_| wrong())?;
    Ok(json!({ "port": port, "allow": split(allow) }))
}

fn front_words(front: &Value) -> String {
    let mut lines = Vec::new();
    for (name, words) in [
        ("maintenance", "page of maintenance shown"),
        ("gzip", "text compressed"),
        ("sticky", "same instance"),
        ("h2c", "HTTP/2 to the app"),
        ("send_proxy", "PROXY protocol to the app"),
        ("hsts", "browsers come by HTTPS only"),
    ] {
        lines.push(format!("{words}: {}", at(front, name)));
    }
    for (name, words) in [("maintenance_page", "page of maintenance"), ("error_page", "page where it does not answer")]
    {
        let length = front
            .get(name)
            .and_then(Value::as_str)
            .map_or("a sentence of Skiff's".to_owned(), |page| format!("{} bytes", page.len()));
        lines.push(format!("{words}: {length}"));
    }
    for port in items(front, "ports") {
        lines.push(format!("port {}: {}", at(port, "port"), networks(port, "allow", "everybody")));
    }
    lines.extend(waits(front));
    lines.join("\n")
}

fn trust_words(trust: &Value) -> String {
    let mut lines = vec![
        format!("Cloudflare: {}", at(trust, "cloudflare")),
        format!("X-Forwarded-For: {}", networks(trust, "forwarded", "nobody")),
        format!("PROXY protocol: {}", networks(trust, "proxy_protocol", "nobody")),
        format!(
            "addresses for apps: {}",
            Some(plain(&at(trust, "base_domain"))).filter(|text| !text.is_empty()).unwrap_or_else(|| "none".to_owned())
        ),
    ];
    lines.extend(waits(trust));
    lines.join("\n")
}

/// That not every proxy has it, and why.
fn waits(what: &Value) -> Option<String> {
    let (waits, trouble) = (what.get("waits") == Some(&Value::Bool(true)), at(what, "trouble"));
    (waits || !trouble.is_empty()).then(|| told::not_yet(&trouble))
}

fn networks(value: &Value, name: &str, none: &str) -> String {
    let all: Vec<String> = items(value, name).iter().map(|one| plain(one.as_str().unwrap_or_default())).collect();
    if all.is_empty() { none.to_owned() } else { all.join(", ") }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    #[derive(clap::Parser)]
    struct Typed<T: Args> {
        #[command(flatten)]
        what: T,
    }

    fn typed<T: Args>(words: &[&str]) -> T {
        let words = std::iter::once(&"skiff").chain(words);
        Typed::<T>::try_parse_from(words).unwrap_or_else(|error| panic!("{error}")).what
    }

    #[test]
    fn what_is_changed_says_what_it_was_laid_over() {
        let known =
            json!({ "gzip": false, "ports": [{ "port": 5432, "allow": ["10.0.0.0/8"] }], "as_of": "a1", "job": null });
        let front: Front = typed(&["db", "--h2c", "off"]);
        let wanted = json!({ "gzip": false, "h2c": false, "ports": known["ports"], "as_of": "a1" });
        assert_eq!(front.over(&known).ok(), Some(Some(wanted)));
        let none: Front = typed(&["db"]);
        assert_eq!(none.over(&known).ok(), Some(None), "that alone changes nothing");
        let known = json!({ "cloudflare": true, "forwarded": [], "as_of": "b2", "waits": false });
        let proxy: Proxy = typed(&["fra-1", "--forwarded", "10.1.0.0/16"]);
        let wanted = json!({ "cloudflare": true, "forwarded": ["10.1.0.0/16"], "as_of": "b2" });
        assert_eq!(proxy.over(&known), Some(wanted));
        let none: Proxy = typed(&["fra-1"]);
        assert_eq!(none.over(&known), None);
    }

    #[test]
    fn a_port_may_have_networks() {
        let read = |text: &str| one_port(text).ok();
        assert_eq!(read("5432"), Some(json!({ "port": 5432, "allow": [] })));
        assert_eq!(
            read("5432=10.1.0.0/16, 10.2.0.1"),
            Some(json!({ "port": 5432, "allow": ["10.1.0.0/16", "10.2.0.1"] }))
        );
        for wrong in ["", "x", "70000", "-1", "=10.0.0.1"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}

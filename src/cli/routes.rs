//! `skiff routes`: the domains and paths that lead to an app, and their rules; `skiff maintenance`. A password is never taken
//! from a command line.

use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Map, Value, json};

use super::apps::MOST;
use super::client::{Ask, Client};
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, items, plain, table};
use super::told::{self, Patience};
use super::{Failed, typed};
use crate::domain::names::Domain;

/// Whose, and what.
#[derive(Clone, Debug, Args)]
pub struct Routes {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// What to do [default: list]
    #[command(subcommand)]
    pub what: Option<What>,
    /// Whether one waits.
    #[command(flatten)]
    pub patience: Patience,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// What is done.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// List them
    List,
    /// Tell the proxies once more what is wanted, where something was in the way
    Again,
    /// Let a domain and path lead to the app
    Add {
        /// The domain, and a path behind it: shop.example or shop.example/api
        route: String,
        /// Its rules.
        #[command(flatten)]
        rules: Rules,
        /// Print what would change in the proxies' files, and change nothing
        #[arg(long)]
        preview: bool,
    },
    /// Change rules of a route; those that are not named stay
    Set {
        /// The route: shop.example or shop.example/api
        route: String,
        /// Its rules.
        #[command(flatten)]
        rules: Rules,
        /// Print what would change in the proxies' files, and change nothing
        #[arg(long)]
        preview: bool,
    },
    /// Let a domain and path lead to another app of the team, with its rules; no request falls between
    Move {
        /// The route: shop.example or shop.example/api
        route: String,
        /// The other app: web, prod/web or shop/prod/web
        #[arg(long, value_name = "APP")]
        to: String,
        /// Print what would change in the proxies' files, and change nothing
        #[arg(long)]
        preview: bool,
    },
    /// Let a domain and path no longer lead to the app
    Remove {
        /// The route: shop.example or shop.example/api
        route: String,
        /// Print what would change in the proxies' files, and change nothing
        #[arg(long)]
        preview: bool,
    },
}

/// Rules of a route. An empty text takes one away.
#[derive(Clone, Debug, Default, Args)]
pub struct Rules {
    /// Redirect there, with what stands behind the route's path
    #[arg(long, value_name = "URL")]
    pub redirect: Option<String>,
    /// 308, 307, 301 or 302
    #[arg(long, value_name = "STATUS", requires = "redirect")]
    pub status: Option<u16>,
    /// Ask for a password of this user: it is typed without echo, or read from standard input
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
    /// Ask for no password any more
    #[arg(long, conflicts_with = "user")]
    pub no_users: bool,
    /// Networks one may come from, separated by commas
    #[arg(long, value_name = "NETWORKS")]
    pub allow: Option<String>,
    /// A header of requests, "Name: value", "+Name: value" or "-Name"; may be given several times
    #[arg(long = "request-header", value_name = "HEADER", allow_hyphen_values = true)]
    pub request_headers: Option<Vec<String>>,
    /// A header of answers, in the same way
    #[arg(long = "answer-header", value_name = "HEADER", allow_hyphen_values = true)]
    pub answer_headers: Option<Vec<String>>,
    /// The most MB a request may send; 0 for no limit
    #[arg(long, value_name = "MB")]
    pub body: Option<u64>,
    /// Seconds the app may take for an answer; 0 for what is usual
    #[arg(long, value_name = "SECONDS")]
    pub timeout: Option<u64>,
}

/// Whose page of maintenance, and whether it is shown.
#[derive(Clone, Debug, Args)]
pub struct Maintenance {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// Whether everybody sees it
    pub state: OnOff,
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

/// On or off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum OnOff {
    /// Yes
    On,
    /// No
    Off,
}

/// Does it.
pub async fn run(input: Routes) -> Result<String, Failed> {
    let client = input.common.client()?;
    let app = app_in_path(&input.app);
    let common = &input.common;
    // Whose proxies are told: after a move the other one's.
    let mut typed = input.app.clone();
    let (done, job, text) = match input.what.unwrap_or(What::List) {
        What::List => return list(common, &client, &input.app).await,
        What::Again => {
            let begun = client.ask(Ask::post(&["apps", &app, "routes", "again"], json!({}))).await?;
            let job = at(&begun, "job");
            (begun, job, "The proxies have its routes and ports as wanted.".to_owned())
        }
        What::Add { route, rules, preview } => {
            let (domain, below) = split(&route);
            let body = json!({ "domain": domain, "path": below, "rules": rules.over(Value::Null)? });
            if preview {
                return shown(common, &client, &app, body).await;
            }
            let made = client.ask(Ask::post(&["apps", &app, "routes"], body)).await?;
            let text = format!("{} leads to it: {}", plain(&route), at(&made, "url"));
            let job = at(&made, "job");
            (made, job, text)
        }
        What::Set { route, rules, preview } => {
            let known = find(&client, &app, &route).await?;
            let id = at(&known, "id");
            let rules = rules.over(known.get("rules").cloned().unwrap_or_default())?;
            if preview {
                return shown(common, &client, &app, json!({ "id": id, "rules": rules })).await;
            }
            let set = client.ask(Ask::put(&["apps", &app, "routes", &id], rules)).await?;
            let (job, text) = (at(&set, "job"), format!("{}: {}", plain(&route), words(&set)));
            (set, job, text)
        }
        What::Move { route, to, preview } => {
            let id = at(&find(&client, &app, &route).await?, "id");
            let other = client.ask(Ask::get(&["apps", &app_in_path(&to)])).await?;
            if preview {
                let body = json!({ "id": id, "app": at(&other, "id") });
                return shown(common, &client, &app, body).await;
            }
            let body = json!({ "app": at(&other, "id") });
            let moved = client.ask(Ask::post(&["apps", &app, "routes", &id, "move"], body)).await?;
            let (job, text) = (at(&moved, "job"), format!("{} leads to {}.", plain(&route), plain(&to)));
            typed = to;
            (moved, job, text)
        }
        What::Remove { route, preview } => {
            let id = at(&find(&client, &app, &route).await?, "id");
            if preview {
                return shown(common, &client, &app, json!({ "id": id, "remove": true })).await;
            }
            let begun = client.ask(Ask::delete(&["apps", &app, "routes", &id])).await?;
            let job = at(&begun, "job");
            (json!({ "id": id, "job": begun.get("job") }), job, format!("{} leads to it no more.", plain(&route)))
        }
    };
    if input.patience.no_wait {
        return Ok(common.print(Answer::new(done, text + told::later(&job))));
    }
    let so = of_app(&client, &typed, &job).await?;
    let all = client.list(Ask::get(&["apps", &app_in_path(&typed), "routes"]), MOST).await?;
    let mut now = all.into_iter().find(|route| at(route, "id") == at(&done, "id")).unwrap_or_else(|| done.clone());
    if let (Value::Object(now), Some(job)) = (&mut now, done.get("job")) {
        now.insert("job".to_owned(), job.clone());
    }
    match so {
        Ok(()) => Ok(common.print(Answer::new(now, text))),
        Err(why) => Err(common.not_as_wanted(Answer::new(now, String::new()), why)),
    }
}

/// Waits until the proxies have what this job tells them of an app; else why not.
pub(super) async fn of_app(client: &Client, typed: &str, job: &str) -> Result<Result<(), String>, Failed> {
    let (app, again) = (app_in_path(typed), format!("skiff routes {} again", plain(typed)));
    let look = format!("skiff status {}", plain(typed));
    told::Place { front: &["apps", &app, "front"], again, look }.until_told(client, job).await
}

/// Lists them, and says what is in the way of the last change.
async fn list(common: &Common, client: &Client, typed: &str) -> Result<String, Failed> {
    let app = app_in_path(typed);
    let routes = client.list(Ask::get(&["apps", &app, "routes"]), MOST).await?;
    let mut text = lines(&routes);
    let trouble = at(&client.ask(Ask::get(&["apps", &app, "front"])).await?, "trouble");
    if !trouble.is_empty() {
        let again = plain(typed);
        text.push_str(&format!(
            "\n\nNot every proxy has the last change: {trouble}\nOnce more: skiff routes {again} again"
        ));
    }
    Ok(common.print(Answer::list(routes, text)))
}

/// Shows the page of maintenance, or the app again.
pub async fn maintain(input: Maintenance) -> Result<String, Failed> {
    let client = input.common.client()?;
    let on = input.state == OnOff::On;
    let app = app_in_path(&input.app);
    if input.preview {
        return shown(&input.common, &client, &app, json!({ "maintenance": on })).await;
    }
    let set = client.ask(Ask::put(&["apps", &app, "maintenance"], json!({ "on": on }))).await?;
    let text = if on { "Everybody sees its page of maintenance." } else { "Everybody sees the app." };
    fronted(&input.common, &client, &input.app, input.patience, set, |_| text.to_owned()).await
}

/// Prints what holds for all routes, once the proxies have it.
pub(super) async fn fronted(
    common: &Common,
    client: &Client,
    typed: &str,
    patience: Patience,
    mut set: Value,
    words: impl Fn(&mut Value) -> String,
) -> Result<String, Failed> {
    let job = at(&set, "job");
    if patience.no_wait {
        let text = words(&mut set) + told::later(&job);
        return Ok(common.print(Answer::new(set, text)));
    }
    let so = of_app(client, typed, &job).await?;
    let mut now = client.ask(Ask::get(&["apps", &app_in_path(typed), "front"])).await?;
    match so {
        Ok(()) => {
            let text = words(&mut now);
            Ok(common.print(Answer::new(now, text)))
        }
        Err(why) => Err(common.not_as_wanted(Answer::new(now, String::new()), why)),
    }
}

/// "shop.example/api" as domain and path.
fn split(route: &str) -> (&str, String) {
    let route = route.trim();
    route.split_once('/').map_or((route, "/".to_owned()), |(domain, path)| (domain, format!("/{path}")))
}

/// A domain, or all below one with a star, as the panel keeps it: in ASCII and in lower case.
pub(super) fn as_kept(domain: &str) -> String {
    let domain = domain.trim();
    if let Some(below) = domain.strip_prefix("*.") {
        return format!("*.{}", as_kept(below));
    }
    domain.parse().map_or_else(|_| domain.to_lowercase(), |domain: Domain| domain.into())
}

/// The route as it is known.
async fn find(client: &Client, app: &str, route: &str) -> Result<Value, Failed> {
    let (domain, path) = split(route);
    let (domain, path) = (as_kept(domain), if path == "/" { path } else { path.trim_end_matches('/').to_owned() });
    let all = client.list(Ask::get(&["apps", app, "routes"]), MOST).await?;
    let same = |one: &&Value| at(one, "domain") == domain && at(one, "path") == path;
    let none =
        || Failed::Said(format!("{app} has no route {}. `skiff routes {app}` lists those it has.", plain(route)));
    all.iter().find(same).cloned().ok_or_else(none)
}

impl Rules {
    /// The rules as the API takes them: these, over those that are there.
    fn over(self, known: Value) -> Result<Value, Failed> {
        let mut rules = match known {
            Value::Object(rules) => rules,
            _ => Map::new(),
        };
        let mut set = |name: &str, value: Value| drop(rules.insert(name.to_owned(), value));
        if let Some(to) = self.redirect {
            set("redirect", if to.is_empty() { Value::Null } else { json!({ "to": to, "status": self.status }) });
        }
        if let Some(allow) = self.allow {
            let all: Vec<&str> = allow.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
            set("allow", json!(all));
        }
        for (name, lines) in [("request_headers", self.request_headers), ("answer_headers", self.answer_headers)] {
            if let Some(lines) = lines {
                set(name, json!(lines.into_iter().filter(|line| !line.trim().is_empty()).collect::<Vec<_>>()));
            }
        }
        for (name, number) in [("body_mb", self.body), ("answer_s", self.timeout)] {
            if let Some(number) = number {
                set(name, if number == 0 { Value::Null } else { json!(number) });
            }
        }
        if self.no_users {
            set("users", json!([]));
        }
        if let Some(name) = self.user {
            let password = typed::hidden(&format!("Password of {}", plain(&name)))?;
            let mut users = rules.get("users").and_then(Value::as_array).cloned().unwrap_or_default();
            users.retain(|user| at(user, "name") != name);
            users.push(json!({ "name": name, "password": password }));
            rules.insert("users".to_owned(), Value::Array(users));
        }
        Ok(Value::Object(rules))
    }
}

/// Prints what a change would make of the proxies' files.
pub(super) async fn shown(common: &Common, client: &Client, app: &str, body: Value) -> Result<String, Failed> {
    let found = client.ask(Ask::post(&["apps", app, "routes", "preview"], body)).await?;
    let mut text = differences(items(&found, "items"));
    if text.is_empty() {
        text.push_str("No proxy leads to the app yet.");
    }
    Ok(common.print(Answer::new(found, text)))
}

/// What would differ, host by host.
pub(super) fn differences(hosts: &[Value]) -> String {
    let mut text = String::new();
    for host in hosts {
        let reload = if at(host, "reload") == "yes" { "the proxy is reloaded" } else { "without a reload" };
        text.push_str(&format!("{} ({reload})\n", at(host, "host")));
        for section in items(host, "sections") {
            text.push_str(&format!("  {}\n", at(section, "name")));
            for line in items(section, "lines") {
                text.push_str(&format!("    {}\n", plain(line.as_str().unwrap_or_default())));
            }
        }
    }
    text.trim_end().to_owned()
}

fn words(route: &Value) -> String {
    let words: Vec<String> =
        items(route, "words").iter().map(|word| plain(word.as_str().unwrap_or_default())).collect();
    if words.is_empty() { "no rules".to_owned() } else { words.join(", ") }
}

fn lines(routes: &[Value]) -> String {
    if routes.is_empty() {
        return "Nothing leads to it: add a route.".to_owned();
    }
    let row = |route: &Value| {
        let waits = if at(route, "waits") == "yes" { "not yet" } else { "yes" };
        [format!("{}{}", at(route, "domain"), at(route, "path")), words(route), waits.to_owned(), at(route, "url")]
    };
    table(["route", "rules", "so", "address"], &routes.iter().map(row).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_that_are_not_named_stay() {
        let known = json!({ "allow": ["10.0.0.0/8"], "body_mb": 5, "redirect": { "to": "https://a.example" } });
        let typed = Rules { redirect: Some(String::new()), body: Some(0), timeout: Some(9), ..Rules::default() };
        let rules = typed.over(known).unwrap();
        assert_eq!(rules, json!({ "allow": ["10.0.0.0/8"], "body_mb": null, "answer_s": 9, "redirect": null }));
        assert_eq!([as_kept("Bücher.example"), as_kept("nothing")], ["xn--bcher-kva.example", "nothing"]);
        assert_eq!(split("shop.example/api/"), ("shop.example", "/api/".to_owned()));
    }
}

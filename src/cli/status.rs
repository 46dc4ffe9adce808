//! `skiff status`: whether everything, or one app, is as wanted. The exit status says the same.

use clap::Args;
use serde_json::Value;

use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, facts, items, state, time};
use super::{Failed, apps, told};

/// Whose.
#[derive(Clone, Debug, Args)]
pub struct Status {
    /// One app: web, prod/web or shop/prod/web [default: everything]
    pub app: Option<String>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Prints it; refuses where something is not as wanted.
pub async fn run(input: Status) -> Result<String, Failed> {
    let client = input.common.client()?;
    if let Some(name) = &input.app {
        let app = client.ask(Ask::get(&["apps", &app_in_path(name)])).await?;
        let state = at(&app, "state");
        let routes = match at(&app, "routes_wait").as_str() {
            "yes" => told::not_yet(&at(&client.ask(Ask::get(&["apps", &at(&app, "id"), "front"])).await?, "trouble")),
            _ => String::new(),
        };
        let answer = Answer::new(app.clone(), of_app(&app, &routes));
        return match state.as_str() {
            "running" if routes.is_empty() => Ok(input.common.print(answer)),
            "running" => Err(input
                .common
                .not_as_wanted(answer, format!("{}: its routes or ports are {routes}", at(&app, "path")))),
            other => {
                let reason = format!("{} is not running as wanted: {}.", at(&app, "path"), other.replace('_', " "));
                Err(input.common.not_as_wanted(answer, reason))
            }
        };
    }
    let status = client.ask(Ask::get(&["status"])).await?;
    let needs: Vec<String> = items(&status, "needs").iter().map(|need| format!("! {}", at(need, "sentence"))).collect();
    let now = items(&status, "now").iter().map(|job| format!("> {}", at(job, "title")));
    let mut text = vec![at(&status, "headline")];
    text.extend(needs.iter().cloned().chain(now));
    let all = items(&status, "apps");
    text.extend(all.iter().flat_map(notes));
    if !all.is_empty() {
        text.push(apps::lines(all));
    }
    let wrong = |item: &&Value| matches!(at(item, "state").as_str(), "needs_you" | "down" | "unknown");
    let bad = all.iter().filter(wrong).count();
    let away = items(&status, "hosts")
        .iter()
        .filter(|host| matches!(at(host, "state").as_str(), "unreachable" | "key_mismatch"));
    let away = away.count();
    let answer = Answer::new(status.clone(), text.join("\n"));
    if needs.is_empty() && bad == 0 && away == 0 {
        Ok(input.common.print(answer))
    } else {
        Err(input.common.not_as_wanted(answer, "Not everything is as wanted."))
    }
}

/// What an app's state does not say, and somebody who looks at it wants to know.
fn notes(app: &Value) -> Vec<String> {
    let path = at(app, "path");
    let mut notes = Vec::new();
    if at(app, "maintenance") == "yes" {
        notes.push(format!("~ {path}: everybody sees its page of maintenance."));
    }
    if at(app, "routes_wait") == "yes" {
        notes.push(format!("~ {path}: not every proxy has its routes and ports as wanted yet: skiff status {path}"));
    }
    notes
}

/// One app, a line each.
fn of_app(app: &Value, routes: &str) -> String {
    let last = match at(app, "last_deploy.state").as_str() {
        "" => String::new(),
        found => format!(
            "{} by {}, {} UTC",
            found.replace('_', " "),
            at(app, "last_deploy.who"),
            time(app, "last_deploy.created_at")
        ),
    };
    let maintenance = if at(app, "maintenance") == "yes" { "everybody sees its page of maintenance" } else { "" };
    let pending = if at(app, "pending") == "yes" { "something was changed that no deploy has taken up" } else { "" };
    facts(&[
        ("App", at(app, "path")),
        ("State", state(app, "state")),
        ("Address", at(app, "url")),
        ("Release", at(app, "release.number")),
        ("Serving", format!("{} of {}", at(app, "serving"), at(app, "wanted"))),
        ("Last deploy", last),
        ("Maintenance", maintenance.to_owned()),
        ("Routes, ports", routes.to_owned()),
        ("Pending", pending.to_owned()),
    ])
}

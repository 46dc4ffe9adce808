//! `skiff hosts check` and `skiff hosts script`: whether hosts are as they were made, and what makes a server so.

use serde_json::{Value, json};

use super::apps::MOST;
use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::show::{at, items, table};
use super::{Failed, follow};

/// Has one host looked at, or all that are ready, waits for that, and shows what differs.
pub async fn check(client: &Client, common: &Common, name: Option<&str>) -> Result<String, Failed> {
    let hosts = match name {
        Some(name) => vec![client.ask(Ask::get(&["hosts", name])).await?],
        None => {
            let hosts = client.list(Ask::get(&["hosts"]), MOST).await?;
            hosts.into_iter().filter(|host| matches!(at(host, "state").as_str(), "ready" | "unreachable")).collect()
        }
    };
    if hosts.is_empty() {
        return Ok(common.print(Answer::list(Vec::new(), "No host is ready yet: skiff hosts add NAME ADDRESS")));
    }
    // All are asked before the first is waited for: they are looked at side by side.
    let (mut begun, mut looked, mut rows, mut unwell) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for host in &hosts {
        match client.ask(Ask::post(&["hosts", &at(host, "id"), "check"], json!({}))).await {
            Ok(job) => begun.push((host, at(&job, "job"))),
            // One that is being made ready keeps nobody from looking at the others.
            Err(Failed::Said(why)) if name.is_none() => unwell.push(why),
            Err(failed) => return Err(failed),
        }
    }
    for (host, job) in &begun {
        let ended = follow::until_over(client, &["jobs", job], "The check").await?;
        let host = client.ask(Ask::get(&["hosts", &at(host, "id")])).await?;
        let slug = at(&host, "slug");
        let differences = host.get("check").map(|check| items(check, "differences")).unwrap_or_default();
        let failed = at(&host, "check.failed");
        if ended != "succeeded" {
            let why = if failed.is_empty() { format!("the check has {ended}") } else { failed };
            unwell.push(format!("{slug} could not be checked: {why}"));
        } else if !differences.is_empty() {
            unwell.push(format!("{slug} is not as it was made: {} differ.", differences.len()));
            rows.extend(differences.iter().map(|found| row(&slug, found)));
        }
        looked.push(
            json!({ "id": host.get("id"), "slug": slug, "state": host.get("state"), "check": host.get("check") }),
        );
    }
    let text =
        if rows.is_empty() { String::new() } else { table(["host", "what", "is", "should be", "what to do"], &rows) };
    if !unwell.is_empty() {
        return Err(common.not_as_wanted(Answer::list(looked, text), unwell.join("\n")));
    }
    let well = match looked.as_slice() {
        [one] => format!("{} is as it was made.", at(one, "slug")),
        many => format!("All {} hosts are as they were made.", many.len()),
    };
    Ok(common.print(Answer::list(looked, well)))
}

fn row(slug: &str, found: &Value) -> [String; 5] {
    [slug.to_owned(), at(found, "what"), at(found, "is"), at(found, "should_be"), at(found, "what_to_do")]
}

/// The script as it is: it is read by people and run by machines.
pub async fn script(client: &Client, common: &Common, builds: bool, http_port: u16) -> Result<String, Failed> {
    let ask = Ask::get(&["hosts", "script"]).with("builds", builds).with("http_port", http_port);
    let script = client.text(ask).await?;
    let text = script.trim_end().to_owned();
    Ok(common.print(Answer::new(json!({ "script": script }), text)))
}

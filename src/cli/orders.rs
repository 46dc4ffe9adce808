//! `skiff certificates orders`, `order`, `get`, `forget`: certificates that the panel gets and renews. Not here: what was got
//! (`certificates.rs`), from whom (`acme.rs`).

use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::routes::as_kept;
use super::show::{at, plain, table, time};
use super::{Failed, acme, follow};

/// Orders that are listed.
const MOST: usize = 10_000;
/// What goes on where somebody stops watching.
const GETTING: &str = "Getting the certificate";

/// All that are wanted.
pub async fn list(client: &Client) -> Result<Answer, Failed> {
    let all = client.list(Ask::get(&["certificate-orders"]), MOST).await?;
    let row = |one: &Value| [names(one), at(one, "words"), at(one, "trouble"), time(one, "next_at")];
    let rows: Vec<[String; 4]> = all.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "Nothing is wanted yet. Routes get certificates by themselves; others: skiff certificates order NAME…"
            .to_owned(),
        false => table(["names", "state", "what is wrong", "again (UTC)"], &rows),
    };
    Ok(Answer::list(all, text))
}

/// Wants one for these names together.
pub async fn order(
    client: &Client,
    common: &Common,
    wanted: &[String],
    dns_account: Option<&str>,
    wait: bool,
) -> Result<Answer, Failed> {
    let account = match dns_account {
        Some(name) => Value::String(at(&acme::account(client, name).await?, "id")),
        None => Value::Null,
    };
    let made =
        client.ask(Ask::post(&["certificate-orders"], json!({ "names": wanted, "dns_account": account }))).await?;
    let job = at(&made, "job");
    match wait {
        true => watched(client, common, &at(&made, "id"), &job).await,
        false => {
            let text = format!("A certificate for {} is being got: skiff certificates orders", names(&made));
            Ok(Answer::new(made, text))
        }
    }
}

/// Has one got now.
pub async fn get(client: &Client, common: &Common, name: &str, wait: bool) -> Result<Answer, Failed> {
    let id = at(&find(client, name).await?, "id");
    let begun = client.ask(Ask::post(&["certificate-orders", &id, "now"], json!({}))).await?;
    match wait {
        true => watched(client, common, &id, &at(&begun, "job")).await,
        false => {
            let text = format!("The certificate for {} is being got: skiff certificates orders", plain(name));
            Ok(Answer::new(begun, text))
        }
    }
}

/// Wants one no more.
pub async fn forget(client: &Client, name: &str) -> Result<Answer, Failed> {
    let found = find(client, name).await?;
    client.ask(Ask::delete(&["certificate-orders", &at(&found, "id")])).await?;
    let text = format!("{} is renewed no more; what was got serves until it runs out.", names(&found));
    Ok(Answer::new(found, text))
}

/// Follows the job to its end; ends with 1 where there is no certificate then.
async fn watched(client: &Client, common: &Common, id: &str, job: &str) -> Result<Answer, Failed> {
    if !job.is_empty() {
        follow::until_over(client, &["jobs", job], GETTING).await?;
    }
    let all = client.list(Ask::get(&["certificate-orders"]), MOST).await?;
    let gone = || Failed::Said("The order was removed meanwhile.".to_owned());
    let order = all.into_iter().find(|one| at(one, "id") == id).ok_or_else(gone)?;
    let (text, trouble) = (format!("{}: {}", names(&order), at(&order, "words")), at(&order, "trouble"));
    match at(&order, "state") == "valid" {
        true => Ok(Answer::new(order, text)),
        false => Err(common.not_as_wanted(
            Answer::new(order, text),
            if trouble.is_empty() { "It is not there yet.".into() } else { trouble },
        )),
    }
}

fn names(one: &Value) -> String {
    let names = one.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    names.iter().filter_map(Value::as_str).map(plain).collect::<Vec<_>>().join(", ")
}

/// The order that is meant.
async fn find(client: &Client, name: &str) -> Result<Value, Failed> {
    let all = client.list(Ask::get(&["certificate-orders"]), MOST).await?;
    let wanted = as_kept(name);
    let named = |one: &Value| {
        let names = one.get("names").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        at(one, "id") == wanted || names.iter().any(|known| known.as_str() == Some(wanted.as_str()))
    };
    let mut found: Vec<Value> = all.into_iter().filter(named).collect();
    let said = |sentence: String| Err(Failed::Said(sentence));
    match (found.pop(), found.len()) {
        (Some(one), 0) => Ok(one),
        (Some(_), _) => said(format!(
            "Several certificates are wanted for {}. Give the id: skiff certificates orders --json",
            plain(name)
        )),
        (None, _) => said(format!(
            "No certificate is wanted for {}. Those that are: skiff certificates orders. Another: skiff certificates order {0}",
            plain(name)
        )),
    }
}

//! `skiff notices`: where the team is told what happened, trying that, and what was sent. Not here: changing it (`channels.rs`).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failed;
use super::channels;
use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::show::{at, plain, table, time};

/// Channels, and letters, that are listed.
const MOST: usize = 1000;

/// What of notices.
#[derive(Clone, Debug, Args)]
pub struct Notices {
    /// What [default: list]
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// List the team's channels
    List,
    /// Add one: its address or token is typed without echo, or read from standard input, a line for each
    Add(channels::Add),
    /// Change one; what is not said stays as it is
    Change(channels::Change),
    /// Remove one: what waits for it is not sent any more
    Remove {
        /// The channel, by its name
        name: String,
    },
    /// Send a test to a channel; ends with 1 where the service does not take it
    Test {
        /// The channel, by its name
        name: String,
    },
    /// List what was sent lately, and what was answered
    Sent,
    /// List what of hosts and certificates is wrong now, and what was
    Alerts,
    /// Show the team's mail server, or set it
    Mail(channels::MailServer),
    /// Show what you are told by mail, or choose it
    Mine(channels::Mine),
}

/// Does it.
pub async fn run(input: Notices) -> Result<String, Failed> {
    let client = input.common.client()?;
    match input.command {
        None | Some(Command::List) => list(&client, &input.common).await,
        Some(Command::Test { name }) => test(&client, &input.common, &name).await,
        Some(Command::Sent) => sent(&client, &input.common).await,
        Some(Command::Alerts) => alerts(&client, &input.common).await,
        Some(Command::Add(add)) => Ok(input.common.print(channels::add(&client, add).await?)),
        Some(Command::Change(change)) => Ok(input.common.print(channels::change(&client, change).await?)),
        Some(Command::Remove { name }) => Ok(input.common.print(channels::remove(&client, &name).await?)),
        Some(Command::Mail(mail)) => Ok(input.common.print(channels::mail(&client, mail).await?)),
        Some(Command::Mine(mine)) => Ok(input.common.print(channels::mine(&client, mine).await?)),
    }
}

async fn list(client: &Client, common: &Common) -> Result<String, Failed> {
    let channels = client.list(Ask::get(&["notices", "channels"]), MOST).await?;
    let row = |channel: &Value| {
        let events = channel.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        let events: Vec<&str> = events.iter().filter_map(Value::as_str).collect();
        [at(channel, "name"), at(channel, "service"), at(channel, "leads_to"), events.join(", ")]
    };
    let rows: Vec<[String; 4]> = channels.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "The team has no channel yet: skiff notices add NAME SERVICE".to_owned(),
        false => table(["channel", "service", "leads to", "told of"], &rows),
    };
    Ok(common.print(Answer::list(channels, text)))
}

async fn test(client: &Client, common: &Common, name: &str) -> Result<String, Failed> {
    let channel = channels::channel(client, name).await?;
    let answer = client.ask(Ask::post(&["notices", "channels", &at(&channel, "id"), "test"], json!({}))).await?;
    let words = plain(&at(&answer, "answer"));
    if at(&answer, "taken") == "yes" {
        return Ok(common.print(Answer::new(answer, words)));
    }
    let more = client.more(&answer);
    Err(common.not_as_wanted(Answer::new(answer, ""), words + &more))
}

async fn alerts(client: &Client, common: &Common) -> Result<String, Failed> {
    let all = client.list(Ask::get(&["notices", "alerts"]), MOST).await?;
    let row = |alert: &Value| {
        let until = if at(alert, "closed_at").is_empty() { "now".to_owned() } else { time(alert, "closed_at") };
        [at(alert, "words"), plain(&at(alert, "cause")), time(alert, "opened_at"), until]
    };
    let rows: Vec<[String; 4]> = all.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "Nothing is wrong, and nothing was lately.".to_owned(),
        false => table(["what", "why", "since (UTC)", "until"], &rows),
    };
    Ok(common.print(Answer::list(all, text)))
}

async fn sent(client: &Client, common: &Common) -> Result<String, Failed> {
    let letters = client.list(Ask::get(&["notices", "sent"]), MOST).await?;
    let row = |letter: &Value| {
        [at(letter, "title"), at(letter, "to"), at(letter, "state"), at(letter, "answer"), time(letter, "created_at")]
    };
    let rows: Vec<[String; 5]> = letters.iter().map(row).collect();
    let text = match rows.is_empty() {
        true => "Nothing was sent yet.".to_owned(),
        false => table(["what", "to", "state", "answer", "put in (UTC)"], &rows),
    };
    Ok(common.print(Answer::list(letters, text)))
}

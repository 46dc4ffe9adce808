//! `skiff notices add`, `change`, `remove`, `mail` and `mine`: where the team and one oneself are told what happened. What leads to a
//! channel, and a mail server's password, are typed without echo or read from standard input: others read command lines.

use clap::Args;
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::remote::Answer;
use super::show::{at, facts, items, plain, set};
use super::{Failed, typed};
use crate::domain::notice::Kind;

/// Channels, and projects, that are looked through.
const MOST: usize = 1000;

/// What is told, and of which projects.
#[derive(Clone, Debug, Args)]
pub struct Told {
    /// What it is told: deploy_failed, deploy_returned, deploy_succeeded, host_down, host_up, certificate; may be given several times
    #[arg(long = "event", value_name = "EVENT")]
    pub events: Vec<String>,
    /// Of this project only; may be given several times [default: of all]
    #[arg(long = "project", value_name = "PROJECT")]
    pub projects: Vec<String>,
}

impl Told {
    /// The events that are said, or as they are known.
    fn events(&self, known: &Value) -> Value {
        match self.events.is_empty() {
            true => known.get("events").cloned().unwrap_or_default(),
            false => json!(self.events),
        }
    }

    /// The ids of the projects that are said, or as they are known; none of all.
    async fn projects(&self, client: &Client, known: &Value, all: bool) -> Result<Value, Failed> {
        if all || !self.projects.is_empty() {
            return Ok(json!(ids(client, &self.projects).await?));
        }
        Ok(known.get("projects").filter(|some| !some.is_null()).cloned().unwrap_or_else(|| json!([])))
    }
}

/// What of a channel depends on its service.
#[derive(Clone, Debug, Args)]
pub struct Way {
    /// Of e-mail: an address, in place of those that are there; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Of Telegram: the chat
    #[arg(long, default_value = "", hide_default_value = true, allow_hyphen_values = true)]
    pub chat: String,
    /// Of ntfy: ask for an access token, too
    #[arg(long)]
    pub with_token: bool,
    /// Of a webhook: ask for what it is signed with, too [default: it is made when the channel is, and shown once]
    #[arg(long)]
    pub with_secret: bool,
}

impl Way {
    /// As the API takes it, with what nobody shall see: typed without echo, or a line of standard input for each.
    fn body(&self, service: &str, with_address: bool) -> Result<Value, Failed> {
        let bot = service == "telegram";
        let address = if bot { ("token", "The bot's token") } else { ("url", "Address") };
        let asked = [
            (with_address || (bot && self.with_token), address),
            (self.with_token && !bot, ("token", "Access token")),
            (self.with_secret, ("secret", "Secret")),
        ];
        let asked: Vec<(&str, &str)> = asked.into_iter().filter(|(asked, _)| *asked).map(|(_, one)| one).collect();
        let questions: Vec<&str> = asked.iter().map(|(_, question)| *question).collect();
        let answers = typed::hidden_lines(&questions)?;
        let mut body = json!({ "to": self.to, "chat": self.chat });
        for ((name, _), answer) in asked.iter().zip(answers) {
            set(&mut body, name, json!(answer.trim()));
        }
        Ok(body)
    }
}

/// A channel that shall be there. Its address or token is typed without echo, or read from standard input, a line for each.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// What it is called
    pub name: String,
    /// email, slack, discord, telegram, ntfy or webhook
    pub service: String,
    /// Where it leads.
    #[command(flatten)]
    pub way: Way,
    /// What it is told [default: all but deploys that went well]
    #[command(flatten)]
    pub told: Told,
}

/// What a channel shall be from now on; what is not said stays as it is.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// What it is called
    pub name: String,
    /// What it shall be called
    #[arg(long, value_name = "NAME")]
    pub rename: Option<String>,
    /// Ask for another address, or bot's token
    #[arg(long)]
    pub with_address: bool,
    /// Where it leads.
    #[command(flatten)]
    pub way: Way,
    /// What it is told.
    #[command(flatten)]
    pub told: Told,
    /// Of all projects
    #[arg(long, conflicts_with = "projects")]
    pub all_projects: bool,
}

/// The team's mail server; shown where nothing is said, and what is not said stays as it is.
#[derive(Clone, Debug, Args)]
pub struct MailServer {
    /// Where it listens
    #[arg(long)]
    pub host: Option<String>,
    /// Its port [default: as before, or the usual one]
    #[arg(long)]
    pub port: Option<u16>,
    /// starttls, tls or none [default: as before, or starttls]
    #[arg(long)]
    pub security: Option<String>,
    /// Who signs in; the password is typed without echo, or read from standard input, also where the server is another; an empty one leaves it as it is
    #[arg(long)]
    pub user: Option<String>,
    /// Nobody signs in any more
    #[arg(long, conflicts_with = "user")]
    pub no_user: bool,
    /// Whom mail is from
    #[arg(long)]
    pub sender: Option<String>,
    /// The team has none any more
    #[arg(long, conflicts_with_all = ["host", "port", "security", "user", "no_user", "sender"])]
    pub remove: bool,
}

/// What one is told oneself, by mail; shown where nothing is said.
#[derive(Clone, Debug, Args)]
pub struct Mine {
    /// Where to
    #[arg(long, value_name = "ADDRESS")]
    pub email: Option<String>,
    /// What one is told.
    #[command(flatten)]
    pub told: Told,
    /// Of all projects
    #[arg(long, conflicts_with = "projects")]
    pub all_projects: bool,
    /// Nothing any more
    #[arg(long, conflicts_with = "events")]
    pub nothing: bool,
}

/// Adds a channel.
pub async fn add(client: &Client, add: Add) -> Result<Answer, Failed> {
    let usual = json!({ "events": Kind::USUAL.map(Kind::slug) });
    let projects = add.told.projects(client, &usual, false).await?;
    let mut body = add.way.body(&add.service, add.service != "email")?;
    set(&mut body, "name", json!(add.name));
    set(&mut body, "service", json!(add.service));
    set(&mut body, "events", add.told.events(&usual));
    set(&mut body, "projects", projects);
    let made = client.ask(Ask::post(&["notices", "channels"], body)).await?;
    let mut text = format!("{} is told from now on. Try it: skiff notices test {0}", plain(&at(&made, "name")));
    let secret = at(&made, "secret");
    if !secret.is_empty() {
        text.push_str(&format!("\nIts requests are signed with this secret, which is not shown again: {secret}"));
    }
    Ok(Answer::new(made, text))
}

/// Changes one.
pub async fn change(client: &Client, change: Change) -> Result<Answer, Failed> {
    let known = channel(client, &change.name).await?;
    let projects = change.told.projects(client, &known, change.all_projects).await?;
    let mut body = change.way.body(&at(&known, "service"), change.with_address)?;
    set(&mut body, "name", json!(change.rename.unwrap_or_else(|| at(&known, "name"))));
    set(&mut body, "events", change.told.events(&known));
    set(&mut body, "projects", projects);
    let changed = client.ask(Ask::put(&["notices", "channels", &at(&known, "id")], body)).await?;
    let text = format!("{} is changed.", plain(&at(&changed, "name")));
    Ok(Answer::new(changed, text))
}

/// Removes one.
pub async fn remove(client: &Client, name: &str) -> Result<Answer, Failed> {
    let known = channel(client, name).await?;
    client.ask(Ask::delete(&["notices", "channels", &at(&known, "id")])).await?;
    let text = format!("{} is told nothing any more.", plain(&at(&known, "name")));
    Ok(Answer::new(known, text))
}

/// Shows the mail server, sets or removes it.
pub async fn mail(client: &Client, mail: MailServer) -> Result<Answer, Failed> {
    let path = ["notices", "mail-server"];
    let known = client.ask(Ask::get(&path)).await?;
    let MailServer { host, port, security, user, no_user, sender, remove } = mail;
    let said = host.is_some() || port.is_some() || security.is_some() || user.is_some() || no_user || sender.is_some();
    let now = match (remove, said) {
        (true, _) => client.ask(Ask::put(&path, json!({ "host": "" }))).await?,
        (false, false) => known,
        (false, true) => {
            let there = !at(&known, "host").is_empty();
            let before = |name: &str| known.get(name).filter(|_| there).cloned();
            // A password is kept for the same server, way and user alone.
            let elsewhere = host.is_some() || port.is_some() || security.is_some();
            let signs_in = user.is_some() || (elsewhere && !no_user && there && !at(&known, "username").is_empty());
            let typed = if signs_in { typed::hidden("Password")? } else { String::new() };
            // The usual port goes with the security.
            let port = port.map(|port| json!(port)).or_else(|| before("port").filter(|_| security.is_none()));
            let user = user.or_else(|| no_user.then(String::new)).map(|user| json!(user));
            let body = json!({
                "host": host.map(|host| json!(host)).or_else(|| before("host")).unwrap_or_else(|| json!("")),
                "port": port,
                "security": security.map(|kind| json!(kind)).or_else(|| before("security")).unwrap_or_else(|| json!("starttls")),
                "username": user.or_else(|| before("username")).unwrap_or_else(|| json!("")),
                "password": typed,
                "sender": sender.map(|sender| json!(sender)).or_else(|| before("sender")).unwrap_or_else(|| json!("")),
            });
            if body.get("host") == Some(&json!("")) {
                return Err(Failed::Said(
                    "The team has no mail server yet: say where it listens with --host.".to_owned(),
                ));
            }
            client.ask(Ask::put(&path, body)).await?
        }
    };
    let text = match at(&now, "host").as_str() {
        "" => "The team has no mail server: skiff notices mail --host HOST --sender ADDRESS".to_owned(),
        host => facts(&[
            ("Server", format!("{}:{}, {}", plain(host), at(&now, "port"), at(&now, "security"))),
            (
                "Signs in as",
                Some(plain(&at(&now, "username"))).filter(|user| !user.is_empty()).unwrap_or("nobody".into()),
            ),
            ("Mail is from", plain(&at(&now, "sender"))),
        ]),
    };
    Ok(Answer::new(now, text))
}

/// Shows what one is told oneself, or chooses it.
pub async fn mine(client: &Client, mine: Mine) -> Result<Answer, Failed> {
    let path = ["notices", "mine"];
    let known = client.ask(Ask::get(&path)).await?;
    let said = mine.email.is_some()
        || mine.nothing
        || mine.all_projects
        || !mine.told.events.is_empty()
        || !mine.told.projects.is_empty();
    let chosen = match said {
        false => known,
        true => {
            let events = if mine.nothing { json!([]) } else { mine.told.events(&known) };
            let projects = mine.told.projects(client, &known, mine.all_projects).await?;
            let email = mine.email.unwrap_or_else(|| at(&known, "email"));
            client.ask(Ask::put(&path, json!({ "email": email, "events": events, "projects": projects }))).await?
        }
    };
    let events: Vec<&str> = items(&chosen, "events").iter().filter_map(Value::as_str).collect();
    let text = match events.is_empty() {
        true => "You are told nothing by mail: skiff notices mine --email ADDRESS --event deploy_failed".to_owned(),
        false => format!("{} is told of {}.", plain(&at(&chosen, "email")), events.join(", ")),
    };
    Ok(Answer::new(chosen, text))
}

/// The channel of this name.
pub(super) async fn channel(client: &Client, name: &str) -> Result<Value, Failed> {
    let all = client.list(Ask::get(&["notices", "channels"]), MOST).await?;
    let none = || Failed::Said(format!("The team has no channel {}: skiff notices lists them.", plain(name)));
    all.into_iter().find(|one| at(one, "name") == name || at(one, "id") == name).ok_or_else(none)
}

/// The ids of these projects, which are given by their short names.
async fn ids(client: &Client, projects: &[String]) -> Result<Vec<String>, Failed> {
    if projects.is_empty() {
        return Ok(Vec::new());
    }
    let all = client.list(Ask::get(&["projects"]), MOST).await?;
    let id = |wanted: &String| {
        let known = all.iter().find(|one| at(one, "slug") == *wanted || at(one, "id") == *wanted);
        known.map(|one| at(one, "id")).ok_or_else(|| Failed::Said(format!("There is no project {}.", plain(wanted))))
    };
    projects.iter().map(id).collect()
}

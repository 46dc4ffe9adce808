//! `skiff secrets`: which there are, setting and removing them. No value is ever shown, nor taken from a command line.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::apps::MOST;
use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, plain, table, time};
use super::{Failed, typed};

/// Whose, and what.
#[derive(Clone, Debug, Args)]
pub struct Secrets {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// What to do [default: list]
    #[command(subcommand)]
    pub what: Option<What>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// What is done.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// List them, without their values
    List,
    /// Set one: its value is typed without echo, or read from standard input
    Set {
        /// Its name
        name: String,
    },
    /// Remove one
    Unset {
        /// Its name
        name: String,
    },
}

/// Does it.
pub async fn run(input: Secrets) -> Result<String, Failed> {
    let client = input.common.client()?;
    let app = app_in_path(&input.app);
    let answer = match input.what.unwrap_or(What::List) {
        What::List => {
            let secrets = client.list(Ask::get(&["apps", &app, "secrets"]), MOST).await?;
            let row = |secret: &Value| {
                [at(secret, "name"), at(secret, "version"), at(secret, "in_use"), time(secret, "changed_at")]
            };
            let rows: Vec<[String; 4]> = secrets.iter().map(row).collect();
            let text = if rows.is_empty() {
                "It has no secrets.".into()
            } else {
                table(["name", "version", "in use", "changed (UTC)"], &rows)
            };
            Answer::list(secrets, text)
        }
        What::Set { name } => {
            // Asked for first: an app that is not there is said before a secret is typed.
            client.ask(Ask::get(&["apps", &app])).await?;
            let value = typed::hidden(&format!("Value of {}", plain(&name)))?;
            let set = client.ask(Ask::put(&["apps", &app, "secrets", &name], json!({ "value": value }))).await?;
            Answer::new(set, format!("{} is set. It applies from the next deploy on.", plain(&name)))
        }
        What::Unset { name } => {
            client.ask(Ask::delete(&["apps", &app, "secrets", &name])).await?;
            Answer::new(
                json!({ "name": name }),
                format!("{} is removed. It applies from the next deploy on.", plain(&name)),
            )
        }
    };
    Ok(input.common.print(answer))
}

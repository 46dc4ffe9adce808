//! `skiff acme`: the panel's certificate authority, and the accounts that prove names by DNS. No token and no key is taken from a
//! command line. Not here: what is got (`certificates.rs`).

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::apps::MOST;
use super::client::{Ask, Client};
use super::remote::{Answer, Common};
use super::show::{at, facts, plain, table, time};
use super::{Failed, certificates, typed};

/// What of the authority.
#[derive(Clone, Debug, Args)]
pub struct Acme {
    /// What to do [default: show]
    #[command(subcommand)]
    pub what: Option<What>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// What is done.
#[derive(Clone, Debug, Subcommand)]
pub enum What {
    /// Show which authority certificates come from
    Show,
    /// Choose one for the whole panel; certificates are got for all routes from then on
    Choose(Choose),
    /// Choose none: nothing is got and nothing renewed any more
    Forget,
    /// List the accounts that prove names by DNS, add one, change its token or key, remove one
    DnsAccounts {
        /// What to do [default: list]
        #[command(subcommand)]
        what: Option<Accounts>,
    },
}

/// The authority that shall be the panel's.
#[derive(Clone, Debug, Args)]
pub struct Choose {
    /// letsencrypt, letsencrypt-staging, or the https:// address of another one's directory
    pub authority: String,
    /// Whom it may write to
    #[arg(long, default_value = "")]
    pub email: String,
    /// File with its root (PEM), for an authority of your own
    #[arg(long, value_name = "FILE")]
    pub root: Option<PathBuf>,
    /// The id of the key it wants the account bound to (EAB); the key is typed without echo, or read from standard input
    #[arg(long, value_name = "ID")]
    pub eab_id: Option<String>,
    /// Says that you agree to its terms: without that it gives no certificates
    #[arg(long)]
    pub agree_to_terms: bool,
}

/// What is done with accounts.
#[derive(Clone, Debug, Subcommand)]
pub enum Accounts {
    /// List them, without their tokens
    List,
    /// Add one: its token or key is typed without echo, or read from standard input
    Add(Add),
    /// Give one another token or key, which is typed without echo, or read from standard input; an empty key leaves it as it is
    Change(Change),
    /// Remove one that no certificate needs
    Remove {
        /// What it is called
        name: String,
    },
}

/// An account that shall be kept.
#[derive(Clone, Debug, Args)]
pub struct Add {
    /// What it is called
    pub name: String,
    /// cloudflare, hetzner, digitalocean, or rfc2136: a name server that takes signed changes
    pub kind: String,
    /// Of a name server: where it is, with a port where that is not 53
    #[arg(long, default_value = "")]
    pub server: String,
    /// The name of its key
    #[arg(long, default_value = "")]
    pub key_name: String,
    /// hmac-sha256, hmac-sha384 or hmac-sha512 [default: hmac-sha256]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub algorithm: String,
}

/// How an account is got into from now on.
#[derive(Clone, Debug, Args)]
pub struct Change {
    /// What it is called
    pub name: String,
    /// Of a name server: where it is now [default: as before]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub server: String,
    /// The name of its key [default: as before]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub key_name: String,
    /// hmac-sha256, hmac-sha384 or hmac-sha512 [default: as before]
    #[arg(long, default_value = "", hide_default_value = true)]
    pub algorithm: String,
}

/// Does it.
pub async fn run(input: Acme) -> Result<String, Failed> {
    let client = input.common.client()?;
    let path = ["certificate-authority"];
    let answer = match input.what.unwrap_or(What::Show) {
        What::Show => {
            let chosen = client.ask(Ask::get(&path)).await?;
            let text = words(&chosen);
            Answer::new(chosen, text)
        }
        What::Choose(choice) => {
            let chosen = client.ask(Ask::put(&path, choice.body()?)).await?;
            let text = format!("Certificates come from {}.", at(&chosen, "directory"));
            Answer::new(chosen, text)
        }
        What::Forget => {
            client.ask(Ask::delete(&path)).await?;
            Answer::new(json!({ "directory": null }), "No certificate is got or renewed by itself any more.")
        }
        What::DnsAccounts { what } => accounts(&client, what.unwrap_or(Accounts::List)).await?,
    };
    Ok(input.common.print(answer))
}

impl Choose {
    /// As the API takes it.
    fn body(self) -> Result<Value, Failed> {
        let known = matches!(self.authority.as_str(), "letsencrypt" | "letsencrypt-staging");
        let (authority, directory) =
            if known { (self.authority.as_str(), "") } else { ("other", self.authority.as_str()) };
        let root = self.root.as_deref().map(certificates::read).transpose()?.unwrap_or_default();
        let key = match &self.eab_id {
            Some(id) => typed::hidden(&format!("Key {}", plain(id)))?,
            None => String::new(),
        };
        Ok(json!({
            "authority": authority,
            "directory": directory,
            "email": self.email,
            "ca_root": root,
            "eab_id": self.eab_id.unwrap_or_default(),
            "eab_key": key.trim(),
            "terms_agreed": self.agree_to_terms,
        }))
    }
}

fn words(chosen: &Value) -> String {
    if chosen.get("directory").is_none_or(Value::is_null) {
        return "No authority is chosen: skiff acme choose letsencrypt --agree-to-terms".to_owned();
    }
    let or =
        |name: &str, none: &str| Some(at(chosen, name)).filter(|said| !said.is_empty()).unwrap_or_else(|| none.into());
    let terms = format!("agreed to by {}, {} UTC", at(chosen, "terms_agreed_by"), time(chosen, "terms_agreed_at"));
    facts(&[
        ("Directory", at(chosen, "directory")),
        ("E-mail", or("email", "none")),
        ("Account", or("account", "made with the first certificate")),
        ("Terms", terms),
        ("Bound by", or("eab_id", "nothing")),
    ])
}

async fn accounts(client: &Client, what: Accounts) -> Result<Answer, Failed> {
    Ok(match what {
        Accounts::List => {
            let all = client.list(Ask::get(&["dns-accounts"]), MOST).await?;
            let row = |one: &Value| {
                [at(one, "name"), at(one, "kind"), at(one, "server"), at(one, "orders"), time(one, "created_at")]
            };
            let rows: Vec<[String; 5]> = all.iter().map(row).collect();
            let text = match rows.is_empty() {
                true => "The team has no DNS account: skiff acme dns-accounts add NAME KIND".to_owned(),
                false => table(["account", "kind", "server", "certificates", "entered (UTC)"], &rows),
            };
            Answer::list(all, text)
        }
        Accounts::Add(add) => {
            let (token, key) = secret(&add.kind)?;
            let made = client
                .ask(Ask::post(
                    &["dns-accounts"],
                    json!({ "name": add.name, "kind": add.kind, "token": token, "server": add.server,
                            "key_name": add.key_name, "algorithm": add.algorithm, "key": key }),
                ))
                .await?;
            let text = format!("{} is kept; names are proven with it by --dns-account {0}.", at(&made, "name"));
            Answer::new(made, text)
        }
        Accounts::Change(change) => {
            let found = account(client, &change.name).await?;
            let (token, key) = secret(&at(&found, "kind"))?;
            let body = json!({ "token": token, "server": change.server, "key_name": change.key_name,
                               "algorithm": change.algorithm, "key": key });
            let changed = client.ask(Ask::put(&["dns-accounts", &at(&found, "id")], body)).await?;
            let text = format!("{} is changed; certificates that it failed are tried again.", at(&changed, "name"));
            Answer::new(changed, text)
        }
        Accounts::Remove { name } => {
            let found = account(client, &name).await?;
            client.ask(Ask::delete(&["dns-accounts", &at(&found, "id")])).await?;
            let text = format!("{} is forgotten.", at(&found, "name"));
            Answer::new(found, text)
        }
    })
}

/// The token of a service, or the key of a name server, as the API takes the two.
fn secret(kind: &str) -> Result<(String, String), Failed> {
    let server = kind == "rfc2136";
    let secret = typed::hidden(if server { "Key" } else { "Token" })?.trim().to_owned();
    Ok(if server { (String::new(), secret) } else { (secret, String::new()) })
}

/// The account of this name.
pub(super) async fn account(client: &Client, name: &str) -> Result<Value, Failed> {
    let all = client.list(Ask::get(&["dns-accounts"]), MOST).await?;
    let none = || {
        Failed::Said(format!("There is no DNS account {}. Those that are there: skiff acme dns-accounts", plain(name)))
    };
    all.into_iter().find(|one| at(one, "name") == name || at(one, "id") == name).ok_or_else(none)
}

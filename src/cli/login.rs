//! `skiff login` and `skiff logout`: a panel's token is checked, then kept on this machine.

use clap::Args;
use serde_json::json;

use super::client::settings::{self, Panel, Signed};
use super::client::{Ask, Client};
use super::remote::Answer;
use super::show::{at, facts, state, time};
use super::{Failed, show, typed};

/// Letters of a token: 43 of chance, 6 of a check, after `skf_`.
const TOKEN: usize = 49;

/// A panel to sign in to.
#[derive(Clone, Debug, Args)]
pub struct Login {
    /// Its address, such as https://panel.example.org
    pub url: String,
    /// The name it is kept under [default: its address without https://]
    #[arg(long = "panel", value_name = "NAME")]
    pub name: Option<String>,
    /// Print one JSON document
    #[arg(long)]
    pub json: bool,
}

/// A panel to forget.
#[derive(Clone, Debug, Args)]
pub struct Logout {
    /// Its name [default: the one signed in to last]
    pub name: Option<String>,
}

/// Asks for the token, checks it, keeps it.
pub async fn login(input: Login) -> Result<String, Failed> {
    let url = settings::address(&input.url)?;
    let file = settings::place()?;
    let mut panels = settings::load(&file)?;
    if std::io::IsTerminal::is_terminal(&std::io::stdin()) {
        show::tell("Make a token on the panel's page of tokens, and paste it here.");
    }
    let token = typed::hidden("Token")?.trim().to_owned();
    let whole = token
        .strip_prefix("skf_")
        .is_some_and(|rest| rest.len() == TOKEN && rest.bytes().all(|b| b.is_ascii_alphanumeric()));
    if !whole {
        return Err(Failed::NotSignedIn(format!("That is not a token: one is skf_ and {TOKEN} letters and digits.")));
    }
    let client = Client::new(Signed { url: url.clone(), token: token.clone() })?;
    let me = client.ask(Ask::get(&["me"])).await?;
    let short =
        url.as_str().trim_start_matches("https://").trim_start_matches("http://").trim_end_matches('/').to_owned();
    let name = input.name.unwrap_or(short);
    panels.panels.insert(name.clone(), Panel { url, token });
    panels.default = Some(name.clone());
    settings::store(&file, &panels)?;

    let until = match at(&me, "token.expires_at").as_str() {
        "" => "it is revoked".to_owned(),
        _ => format!("{} UTC", time(&me, "token.expires_at")),
    };
    let text = facts(&[
        ("Panel", format!("{name} (Skiff {})", at(&me, "version"))),
        ("Signed in as", at(&me, "account.name")),
        ("Team", at(&me, "team.name")),
        ("May act as", at(&me, "role")),
        ("Scope", state(&me, "token.scope.kind")),
        ("Good until", until),
    ]);
    Ok(if input.json { me.to_string() } else { Answer::new(json!(null), text).text })
}

/// Forgets a token. It stays good until it is revoked on the panel.
pub fn logout(input: &Logout) -> Result<String, Failed> {
    let file = settings::place()?;
    let mut panels = settings::load(&file)?;
    let name = input.name.clone().or_else(|| panels.default.clone());
    let name = name.ok_or_else(|| Failed::NotSignedIn("You are not signed in to a panel.".into()))?;
    if panels.panels.remove(&name).is_none() {
        return Err(Failed::NotSignedIn(format!("No panel is called {name} here.")));
    }
    if panels.default.as_ref() == Some(&name) {
        panels.default = panels.panels.keys().next().cloned();
    }
    settings::store(&file, &panels)?;
    Ok(format!("The token for {name} is forgotten here. It stays good until it expires or is revoked on the panel."))
}

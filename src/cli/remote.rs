//! Commands that are done by a panel somewhere, through its API: what they are called and what they take.

use clap::{Args, Subcommand};
use serde_json::Value;

use super::client::{Client, settings};
use super::{
    Failed, acme, apps, certificates, completions, deploys, env, fronts, hosts, login, logs, notices, open, releases,
    routes, secrets, status,
};
use crate::domain::help::Topic;

/// Which panel, and how the answer is printed.
#[derive(Clone, Debug, Args)]
pub struct Common {
    /// The panel, by the name it was signed in to under [default: SKIFF_URL and SKIFF_TOKEN, else the one signed in to last]
    #[arg(long, value_name = "NAME", global = true)]
    pub panel: Option<String>,
    /// Print one JSON document, as the panel's API answers
    #[arg(long, global = true)]
    pub json: bool,
}

/// The commands.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Sign in to a panel: its token is typed without echo, or read from standard input
    Login(login::Login),
    /// Forget a panel's token on this machine
    Logout(login::Logout),
    /// Say whether everything is as wanted; ends with 1 where it is not
    Status(status::Status),
    /// List apps, remove one, or see its Dockerfile
    Apps(apps::Apps),
    /// Deploy an app
    Deploy(deploys::Deploy),
    /// Go back to a release
    Rollback(deploys::Rollback),
    /// List an app's releases
    Releases(releases::Releases),
    /// Print what an app's instances print; with -f, go on as it comes
    Logs(logs::Logs),
    /// Read and set an app's variables; they apply from its next deploy on
    Env(env::Env),
    /// Set an app's secrets; they apply from its next deploy on, and are never shown
    Secrets(secrets::Secrets),
    /// List an app's routes, add one, change their rules; they hold at once
    Routes(routes::Routes),
    /// Show everybody an app's page of maintenance, or the app again
    Maintenance(routes::Maintenance),
    /// Say what holds for all routes of an app: compression, pages, HTTP/2, HTTPS only, ports without HTTP
    Front(fronts::Front),
    /// Say which proxies before a host are believed, and under which domain its apps get addresses
    Proxy(fronts::Proxy),
    /// List hosts, add one, make one ready
    Hosts(hosts::Hosts),
    /// Say where the team and you are told what happened, and try it
    Notices(notices::Notices),
    /// List certificates, upload one, remove one; have them got and renewed
    Certificates(certificates::Certificates),
    /// Show or choose the certificate authority, keep accounts that prove names by DNS
    Acme(acme::Acme),
    /// Open an app in the browser
    Open(open::Open),
    /// Print what completes these commands in your shell
    Completions(completions::Completions),
}

impl Command {
    /// Where the docs say more about what it does.
    pub fn about(&self) -> Topic {
        match self {
            Self::Login(_) | Self::Logout(_) => Topic::NotSignedIn,
            Self::Status(_) | Self::Open(_) | Self::Completions(_) => Topic::FromATerminal,
            Self::Apps(_) => Topic::Configuration,
            Self::Deploy(_) | Self::Rollback(_) | Self::Releases(_) => Topic::Deploying,
            Self::Logs(_) => Topic::AppLogs,
            Self::Env(_) => Topic::Variables,
            Self::Secrets(_) => Topic::Secrets,
            Self::Routes(_) => Topic::RouteRules,
            Self::Maintenance(_) | Self::Front(_) => Topic::RoutesOfApp,
            Self::Proxy(_) => Topic::RoutesOfHost,
            Self::Hosts(_) => Topic::LettingIn,
            Self::Notices(_) => Topic::Channels,
            Self::Certificates(_) => Topic::Certificates,
            Self::Acme(_) => Topic::CertificateAuthority,
        }
    }
}

/// A document to print: as it is, or as people read it.
pub struct Answer {
    /// The document.
    pub document: Value,
    /// For people.
    pub text: String,
}

impl Answer {
    /// A document and how people read it.
    pub fn new(document: Value, text: impl Into<String>) -> Self {
        Self { document, text: text.into() }
    }

    /// A list, printed as the API answers it.
    pub fn list(items: Vec<Value>, text: impl Into<String>) -> Self {
        Self::new(serde_json::json!({ "items": items, "next": null }), text)
    }
}

impl Common {
    /// A client for the panel that is meant.
    pub fn client(&self) -> Result<Client, Failed> {
        Client::new(settings::find(self.panel.as_deref())?)
    }

    /// The answer as it was asked for.
    pub fn print(&self, answer: Answer) -> String {
        if self.json { answer.document.to_string() } else { answer.text }
    }

    /// An answer that is not as wanted: printed all the same.
    pub fn not_as_wanted(&self, answer: Answer, reason: impl Into<String>) -> Failed {
        Failed::Shown { text: self.print(answer), reason: reason.into() }
    }
}

/// Does it, and gives what is to be printed. `command` is the whole program's, for completions.
pub async fn run(command: Command, program: clap::Command) -> Result<String, Failed> {
    match command {
        Command::Login(input) => login::login(input).await,
        Command::Logout(input) => login::logout(&input),
        Command::Status(input) => status::run(input).await,
        Command::Apps(input) => apps::run(input).await,
        Command::Deploy(input) => deploys::deploy(input).await,
        Command::Rollback(input) => deploys::rollback(input).await,
        Command::Releases(input) => releases::run(input).await,
        Command::Logs(input) => logs::run(input).await,
        Command::Env(input) => env::run(input).await,
        Command::Secrets(input) => secrets::run(input).await,
        Command::Routes(input) => routes::run(input).await,
        Command::Maintenance(input) => routes::maintain(input).await,
        Command::Front(input) => fronts::front(input).await,
        Command::Proxy(input) => fronts::proxy(input).await,
        Command::Hosts(input) => hosts::run(input).await,
        Command::Notices(input) => notices::run(input).await,
        Command::Certificates(input) => certificates::run(input).await,
        Command::Acme(input) => acme::run(input).await,
        Command::Open(input) => open::run(input).await,
        Command::Completions(input) => completions::run(&input, program),
    }
}

/// An app as typed, as the API's paths name it: `shop/prod/web` is `shop.prod.web` there.
pub fn app_in_path(typed: &str) -> String {
    typed.trim_matches('/').replace('/', ".")
}

//! `skiff admin …`: what scripts on the panel's own machine ask for. Whoever may read the master key may do it; the audit
//! names the shell. Each prints one JSON object, and ends with 0 only when it truly succeeded.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::front_door::{self, Acme, Address};
use super::{Failed, ensure, wait};
use crate::actions::{Ctx, Refused, accounts, apps, deploys, home, hosts, panel, setup};
use crate::domain::deploy::DeployState;
use crate::domain::help::{self, Topic};
use crate::domain::ids::{AppId, HostId};
use crate::domain::job::JobState;
use crate::domain::rights::Actor;

/// Bytes of the line a password is read from: more than the longest has.
const LONGEST_LINE: u64 = 4096;

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// See to it that a host is known, and print the line for its authorized_keys
    Host(Host),
    /// Make a host ready, or look at it again, and wait for that
    Provision(Named),
    /// Give the panel a name, and wait until it is reached by it or is not
    Address(Address),
    /// Choose the certificate authority of the panel: certificates are got and renewed from then on
    Acme(Acme),
    /// See to it that an app is there, with this source and address
    App(App),
    /// Deploy an app and wait until it serves
    Deploy(Deploy),
    /// Print what is there and how it stands
    Status,
    /// Set somebody's forgotten password, read as one line from standard input, and sign all their devices out
    Password(Password),
}

/// A host that shall be known.
#[derive(Clone, Debug, Args)]
pub struct Host {
    /// Its name
    #[arg(long, default_value = "this machine")]
    pub name: String,
    /// Where it answers SSH
    #[arg(long, default_value = "127.0.0.1")]
    pub address: String,
    /// The port of its sshd
    #[arg(long, default_value = "22")]
    pub port: String,
    /// The user to sign in as the first time
    #[arg(long, default_value = "root")]
    pub user: String,
    /// The fingerprint of its host key, SHA256:…
    #[arg(long, default_value = "")]
    pub host_key: String,
    /// The port its proxy listens on; changes that of a known host
    #[arg(long)]
    pub http_port: Option<String>,
    /// The port it serves HTTPS on, or none; changes that of a known host
    #[arg(long)]
    pub https_port: Option<String>,
}

/// Something by its name.
#[derive(Clone, Debug, Args)]
pub struct Named {
    /// Its name
    #[arg(default_value = "this machine")]
    pub name: String,
}

/// An app that shall be there.
#[derive(Clone, Debug, Args)]
pub struct App {
    /// Its name
    pub name: String,
    /// Its git repository
    #[arg(long, conflicts_with = "image", required_unless_present = "image")]
    pub git: Option<String>,
    /// The branch
    #[arg(long, default_value = "main")]
    pub branch: String,
    /// The folder sent to the builder
    #[arg(long, default_value = "")]
    pub context: String,
    /// The Dockerfile
    #[arg(long, default_value = "")]
    pub dockerfile: String,
    /// Its image, where it is not built
    #[arg(long)]
    pub image: Option<String>,
    /// The container's port
    #[arg(long, default_value = "8080")]
    pub port: String,
    /// The path of its health check
    #[arg(long, default_value = "/")]
    pub health_path: String,
    /// The domain that leads to it
    #[arg(long, default_value = "")]
    pub domain: String,
    /// The environment it belongs to, as "project / environment" [default: the first]
    #[arg(long)]
    pub environment: Option<String>,
    /// The host it runs on; may be left out while there is one
    #[arg(long)]
    pub host: Option<String>,
    /// Seconds an old instance may finish its requests
    #[arg(long, default_value = "")]
    pub drain: String,
    /// Seconds a new release is watched
    #[arg(long, default_value = "")]
    pub watch: String,
}

/// A deploy.
#[derive(Clone, Debug, Args)]
pub struct Deploy {
    /// The app's name
    pub name: String,
    /// The commit, in place of the head of its branch
    #[arg(long, default_value = "", conflicts_with = "release")]
    pub commit: String,
    /// The release to go back to
    #[arg(long, default_value = "")]
    pub release: String,
    /// Only where nothing serves yet
    #[arg(long)]
    pub first_only: bool,
}

/// Whose password is set.
#[derive(Clone, Debug, Args)]
pub struct Password {
    /// The address they sign in with
    pub email: String,
}

impl Command {
    /// Where the docs say more about what was asked for.
    pub fn about(&self) -> Topic {
        match self {
            Self::Host(_) => Topic::LettingIn,
            Self::Provision(_) => Topic::HostsLooked,
            Self::Address(_) => Topic::PanelAddress,
            Self::Acme(_) => Topic::CertificateAuthority,
            Self::App(_) => Topic::Sources,
            Self::Deploy(_) => Topic::Deploying,
            Self::Status => Topic::Settings,
            Self::Password(_) => Topic::SignIn,
        }
    }
}

/// Does it, and gives the answer to print.
pub async fn run(ctx: &Ctx, command: Command) -> Result<Value, Failed> {
    // Accounts are of no team: a forgotten password can be set before there is one.
    let actor = async || setup::first_team(ctx).await.map(Actor::on_the_panels_machine);
    match command {
        Command::Host(input) => ensure::host(ctx, &actor().await?, input).await,
        Command::Provision(input) => provision(ctx, &actor().await?, &input.name).await,
        Command::Address(input) => front_door::address(ctx, &actor().await?, input).await,
        Command::Acme(input) => front_door::choose(ctx, &actor().await?, input).await,
        Command::App(input) => ensure::app(ctx, &actor().await?, input).await,
        Command::Deploy(input) => deploy(ctx, &actor().await?, input).await,
        Command::Status => status(ctx, &actor().await?).await,
        Command::Password(input) => password(ctx, &input.email).await,
    }
}

/// Sets a password. It comes in on standard input, as a command line can be read by everybody on the machine.
async fn password(ctx: &Ctx, email: &str) -> Result<Value, Failed> {
    use std::io::{BufRead, IsTerminal, Read};
    let read = || {
        let input = std::io::stdin();
        if input.is_terminal() {
            eprint!("New password, shown while you type: ");
        }
        let mut line = String::new();
        input.lock().take(LONGEST_LINE).read_line(&mut line).map(|_| line)
    };
    let line = tokio::task::spawn_blocking(read).await;
    let line = line.map_err(|error| Failed::Said(error.to_string()))?;
    let line = line.map_err(|error| Failed::Said(format!("The password could not be read: {error}.")))?;
    let account = accounts::reset_password(ctx, email, line.trim_end_matches(['\r', '\n'])).await?;
    Ok(json!({ "account": account, "password": "set", "signed_out": true }))
}

/// Makes a host ready and waits.
async fn provision(ctx: &Ctx, actor: &Actor, name: &str) -> Result<Value, Failed> {
    let host = find_host(ctx, actor, name).await?;
    let job = hosts::provision(ctx, actor, host).await?;
    let state = wait::until_over(ctx, actor, job).await?;
    let view = hosts::get(ctx, actor, host).await?;
    let changed: Vec<&str> = view
        .steps
        .iter()
        .filter(|step| step.state == crate::domain::job::StepState::Changed)
        .map(|step| step.words.as_str())
        .collect();
    let answer = json!({
        "host": host,
        "job": job,
        "state": view.line.state,
        "changed": changed,
        "http_port": view.http_port,
        "host_key_seen": view.host_key_seen,
    });
    if state == JobState::Succeeded {
        return Ok(answer);
    }
    let reason = view.jobs.iter().find(|line| line.id == job).map(|line| line.reason.clone()).unwrap_or_default();
    let help = help::of_job(&reason);
    Err(Failed::Ended { answer, reason, help })
}

/// Deploys an app and waits.
async fn deploy(ctx: &Ctx, actor: &Actor, input: Deploy) -> Result<Value, Failed> {
    let app = find_app(ctx, actor, &input.name).await?;
    let known = apps::get(ctx, actor, app).await?;
    if let (true, Some(current)) = (input.first_only, &known.line.current) {
        return Ok(
            json!({ "app": app, "deploy": null, "state": "succeeded", "version": current.number, "url": known.line.url }),
        );
    }
    let to = match (input.commit.as_str(), input.release.as_str()) {
        ("", "") => "head",
        ("", _) => "release",
        _ => "commit",
    };
    let request =
        deploys::RequestDeploy { to: to.into(), commit: input.commit, release: input.release, ..Default::default() };
    let id = deploys::request(ctx, actor, app, request).await?;
    let job = deploys::get(ctx, actor, id).await?.job;
    wait::until_over(ctx, actor, job).await?;
    let view = deploys::get(ctx, actor, id).await?;
    let answer = json!({
        "app": app,
        "deploy": id,
        "state": view.line.state,
        "version": view.line.number,
        "url": view.urls.first(),
        "failure": view.failure.as_ref().map(|failure| &failure.sentence),
    });
    if view.line.state == DeployState::Succeeded {
        return Ok(answer);
    }
    let help = view.failure.as_ref().map(|failure| failure.help);
    let reason = match view.failure {
        Some(failure) => format!("{} {}", failure.sentence, failure.advice),
        None => format!("The deploy was not carried out: it is {}.", view.line.state.word()),
    };
    Err(Failed::Ended { answer, reason, help })
}

/// What is there and how it stands.
async fn status(ctx: &Ctx, actor: &Actor) -> Result<Value, Failed> {
    let home = home::get(ctx, actor).await?;
    let owned = setup::stage(ctx).await? == setup::Stage::Done;
    let hosts: Vec<Value> = home
        .hosts
        .iter()
        .map(|host| json!({ "host": host.id, "name": host.name, "state": host.state, "note": host.note }))
        .collect();
    let apps: Vec<Value> = home
        .apps
        .iter()
        .map(|app| {
            json!({
                "app": app.id,
                "name": app.name,
                "state": app.state.word(),
                "version": app.current.as_ref().map(|current| current.number),
                "url": app.url,
                "instances": app.serving,
            })
        })
        .collect();
    let running = home.now.len();
    let panel = panel::base_url(ctx).await?;
    Ok(
        json!({ "owned": owned, "panel": panel, "headline": home.headline, "hosts": hosts, "apps": apps, "running": running }),
    )
}

/// A host by its name.
pub(super) async fn find_host(ctx: &Ctx, actor: &Actor, name: &str) -> Result<HostId, Failed> {
    let all = hosts::list(ctx, actor).await?;
    let found = all.iter().find(|host| host.name == name || host.slug == name).map(|host| host.id);
    found.ok_or_else(|| Failed::Said(format!("There is no host called {name}.")))
}

/// An app by its name; there must be one such.
pub(super) async fn find_app(ctx: &Ctx, actor: &Actor, name: &str) -> Result<AppId, Failed> {
    let all = apps::list(ctx, actor).await?;
    let found: Vec<AppId> = all.iter().filter(|app| app.name == name || app.slug == name).map(|app| app.id).collect();
    match found.as_slice() {
        [id] => Ok(*id),
        [] => Err(Failed::Said(format!("There is no app called {name}."))),
        _ => Err(Failed::Said(format!("There are several apps called {name}."))),
    }
}

/// Turns "not there" into nothing.
pub(super) fn there<T>(found: Result<T, Failed>) -> Result<Option<T>, Failed> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(Failed::Said(_)) | Err(Failed::Refused(Refused::NotFound)) => Ok(None),
        Err(other) => Err(other),
    }
}

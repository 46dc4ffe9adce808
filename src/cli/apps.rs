//! `skiff apps`: what there is, how it stands; and removing one. Not here: its Dockerfile (`dockerfiles.rs`).

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::client::Ask;
use super::dockerfiles::{self, Dockerfile};
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, plain, state, table, tell};
use super::{Failed, follow};

/// Lines of a list that are asked for: a team's apps are far fewer.
pub const MOST: usize = 10_000;

/// Which apps.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Apps {
    /// Those of this name: web, prod/web or shop/prod/web
    pub name: Option<String>,
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
    /// Remove one from all its hosts, and wait until nothing of it is left there; its volumes stay
    Remove(Remove),
    /// Print the Dockerfile that an app is built with while its repository has none; write it here, or keep another
    Dockerfile(Dockerfile),
}

/// An app that shall be gone.
#[derive(Clone, Debug, Args)]
pub struct Remove {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// The app's name once more, so that nobody removes another than they meant
    #[arg(long, value_name = "NAME")]
    pub yes: String,
    /// A volume of it whose data shall be gone too; may be given several times
    #[arg(long = "with-volume", value_name = "VOLUME")]
    pub volumes: Vec<String>,
}

/// Lists them, or does what is asked.
pub async fn run(input: Apps) -> Result<String, Failed> {
    match &input.what {
        Some(What::Remove(which)) => return remove(&input.common, which).await,
        Some(What::Dockerfile(which)) => return dockerfiles::run(&input.common, which).await,
        None => {}
    }
    let mut ask = Ask::get(&["apps"]);
    if let Some(name) = &input.name {
        ask = ask.with("name", name);
    }
    let apps = input.common.client()?.list(ask, MOST).await?;
    let text = match (apps.is_empty(), &input.name) {
        (true, Some(name)) => format!("No app is called {}.", super::show::plain(name)),
        (true, None) => "There are no apps yet: make one on the panel.".to_owned(),
        _ => lines(&apps),
    };
    Ok(input.common.print(Answer::list(apps, text)))
}

/// Removes one, and ends with success only when nothing of it is left on any host.
async fn remove(common: &Common, which: &Remove) -> Result<String, Failed> {
    let client = common.client()?;
    let body = json!({ "name": which.yes, "volumes": which.volumes });
    let begun = client.ask(Ask::delete_as(&["apps", &app_in_path(&which.app)], body)).await?;
    let job = at(&begun, "job");
    let name = plain(&which.yes);
    tell(&format!("· {name} is removed. What is on its hosts is being taken away."));
    follow::until_over(&client, &["jobs", &job], &format!("The removal of {name}")).await?;
    let over = client.ask(Ask::get(&["jobs", &job])).await?;
    let done = at(&over, "state") == "succeeded";
    let text = if done { format!("Nothing of {name} is left on any host.") } else { String::new() };
    let answer = Answer::new(over.clone(), text);
    if done {
        return Ok(common.print(answer));
    }
    let reason = format!("Something of {name} is left on its hosts. {}", at(&over, "reason"));
    Err(common.not_as_wanted(answer, reason.trim_end()))
}

/// Apps as a table.
pub fn lines(apps: &[Value]) -> String {
    let row = |app: &Value| {
        let number = at(app, "release.number");
        let release = if number.is_empty() { number } else { format!("#{number}") };
        let runs = format!("{}/{}", at(app, "serving"), at(app, "wanted"));
        [at(app, "path"), state(app, "state"), release, runs, at(app, "url")]
    };
    let rows: Vec<[String; 5]> = apps.iter().map(row).collect();
    table(["app", "state", "release", "serving", "address"], &rows)
}

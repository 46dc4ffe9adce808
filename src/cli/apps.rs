//! `skiff apps`: what there is, how it stands.

use clap::Args;
use serde_json::Value;

use super::Failed;
use super::client::Ask;
use super::remote::{Answer, Common};
use super::show::{at, state, table};

/// Lines of a list that are asked for: a team's apps are far fewer.
pub const MOST: usize = 10_000;

/// Which apps.
#[derive(Clone, Debug, Args)]
pub struct Apps {
    /// Those of this name: web, prod/web or shop/prod/web
    pub name: Option<String>,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Lists them.
pub async fn run(input: Apps) -> Result<String, Failed> {
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

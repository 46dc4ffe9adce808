//! `skiff releases`: what was deployed, and what one can go back to.

use clap::Args;
use serde_json::Value;

use super::Failed;
use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, table, time};

/// Releases that are listed where nothing else is said: a screenful.
const LISTED: usize = 20;
/// Releases at most.
const MOST: usize = 10_000;

/// Whose.
#[derive(Clone, Debug, Args)]
pub struct Releases {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// All of them [default: the newest 20]
    #[arg(long)]
    pub all: bool,
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
}

/// Lists them, newest first.
pub async fn run(input: Releases) -> Result<String, Failed> {
    let ask = Ask::get(&["apps", &app_in_path(&input.app), "releases"]);
    let releases = input.common.client()?.list(ask, if input.all { MOST } else { LISTED }).await?;
    let row = |release: &Value| {
        let stands = match (at(release, "current").as_str(), at(release, "kept").as_str()) {
            ("yes", _) => "serves",
            (_, "yes") => "kept",
            _ => "gone",
        };
        let commit: String = at(release, "commit").chars().take(10).collect();
        let from = if commit.is_empty() { at(release, "image") } else { commit };
        [
            format!("#{}", at(release, "number")),
            stands.into(),
            from,
            at(release, "created_by"),
            time(release, "created_at"),
        ]
    };
    let rows: Vec<[String; 5]> = releases.iter().map(row).collect();
    let text = if rows.is_empty() {
        format!("{} has no release yet: skiff deploy {0}", super::show::plain(&input.app))
    } else {
        table(["release", "stands", "from", "by", "made (UTC)"], &rows)
    };
    Ok(input.common.print(Answer::list(releases, text)))
}

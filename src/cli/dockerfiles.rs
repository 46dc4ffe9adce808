//! `skiff apps dockerfile`: the Dockerfile of an app whose repository has none, printed, written into a folder to be committed, or
//! replaced by another.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::client::{Ask, Client};
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, items, line, plain, tell};
use super::{Failed, follow};

/// Bytes of a file that is read: the panel keeps no longer one.
const MOST: u64 = 64 * 1024;

/// Whose Dockerfile, and what becomes of it.
#[derive(Clone, Debug, Args)]
pub struct Dockerfile {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// Look at the repository first, also where that was done before
    #[arg(long)]
    pub look: bool,
    /// Write Dockerfile and .dockerignore into this folder, to be committed; what is there is never overwritten
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, default_missing_value = ".")]
    pub write: Option<PathBuf>,
    /// Keep this file as the app's Dockerfile, from its next deploy on
    #[arg(long, value_name = "FILE", conflicts_with = "write")]
    pub set: Option<PathBuf>,
}

/// Does it.
pub async fn run(common: &Common, which: &Dockerfile) -> Result<String, Failed> {
    let client = common.client()?;
    let app = app_in_path(&which.app);
    if let Some(file) = &which.set {
        let body = json!({ "text": read(file)? });
        let kept = client.ask(Ask::put(&["apps", &app, "dockerfile"], body)).await?;
        let text =
            format!("Kept. The next deploy of {} builds from it, unless its repository has one.", plain(&which.app));
        return Ok(common.print(Answer::new(kept, text)));
    }
    let mut known = client.ask(Ask::get(&["apps", &app, "dockerfile"])).await?;
    let seen = known.get("look").is_some_and(|look| !look.is_null());
    let kept = known.get("text").is_some_and(Value::is_string);
    if which.look || (!seen && !kept) {
        known = look(&client, &app).await?;
    }
    told(&known);
    let Some(text) = known.get("text").and_then(Value::as_str) else {
        let why = match at(&known, "look.found").as_str() {
            "own" => format!(
                "The repository has a Dockerfile of its own at {}: it is the one that is used.",
                at(&known, "path")
            ),
            _ => format!("No Dockerfile could be written. {}", at(&known, "look.why")),
        };
        return Err(common.not_as_wanted(Answer::new(known, String::new()), why.trim_end()));
    };
    let shown = text.lines().map(line).collect::<Vec<_>>().join("\n");
    let Some(folder) = &which.write else { return Ok(common.print(Answer::new(known, shown))) };
    write(&folder.join("Dockerfile"), text)?;
    let ignore = folder.join(".dockerignore");
    let rules = known.get("ignore").and_then(Value::as_str).unwrap_or_default();
    let ignored = match ignore.exists() {
        true => String::new(),
        false => {
            write(&ignore, rules)?;
            format!(" and {}", ignore.display())
        }
    };
    let text = format!(
        "Wrote {}{ignored}. Commit them, and the next deploy builds from them.",
        folder.join("Dockerfile").display()
    );
    Ok(common.print(Answer::new(known, text)))
}

/// Has the repository looked at, waits, and asks again.
async fn look(client: &Client, app: &str) -> Result<Value, Failed> {
    let begun = client.ask(Ask::post(&["apps", app, "dockerfile", "look"], json!({}))).await?;
    let job = at(&begun, "job");
    let ended = follow::until_over(client, &["jobs", &job], "The look at the repository").await?;
    if ended != "succeeded" {
        let over = client.ask(Ask::get(&["jobs", &job])).await?;
        let reason = at(&over, "reason");
        return Err(Failed::Said(format!("The repository could not be looked at. {}", reason).trim_end().to_owned()));
    }
    client.ask(Ask::get(&["apps", app, "dockerfile"])).await
}

/// Says beside the text what is known of it.
fn told(known: &Value) {
    let Some(look) = known.get("look").filter(|look| !look.is_null()) else { return };
    if at(look, "found") == "written" {
        let by: Vec<String> = items(look, "evidence").iter().filter_map(Value::as_str).map(plain).collect();
        tell(&format!("· {}, by {}", at(look, "language"), by.join(", ")));
        for sentence in items(look, "uncertain").iter().filter_map(Value::as_str) {
            tell(&format!("▲ {}", plain(sentence)));
        }
        if look.get("text") != known.get("text") {
            let by = at(known, "written_by");
            let by = if by.is_empty() { "Skiff wrote before".to_owned() } else { format!("{by} left") };
            tell(&format!(
                "· The text is as {by} it; the page Source shows how it differs from what would be written now."
            ));
        }
    }
    if at(look, "found") == "own" {
        tell(&format!("· The repository has one of its own at {}: that is used, not this.", at(known, "path")));
    }
}

/// Reads a file that is not longer than what is kept.
fn read(file: &Path) -> Result<String, Failed> {
    let cannot = |why: String| Failed::Said(format!("{} cannot be read: {why}.", file.display()));
    let length = std::fs::metadata(file).map_err(|error| cannot(error.to_string()))?.len();
    if length > MOST {
        return Err(cannot("it is longer than 64 KiB".to_owned()));
    }
    std::fs::read_to_string(file).map_err(|error| cannot(error.to_string()))
}

/// Writes a file that is not there yet.
fn write(file: &Path, text: &str) -> Result<(), Failed> {
    let mut made = OpenOptions::new().write(true).create_new(true).open(file).map_err(|error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => Failed::Said(format!(
            "{} is there already, and stays as it is. Name another folder: --write FOLDER",
            file.display()
        )),
        _ => Failed::Said(format!("{} cannot be written: {error}.", file.display())),
    })?;
    made.write_all(text.as_bytes())
        .map_err(|error| Failed::Said(format!("{} cannot be written: {error}.", file.display())))
}

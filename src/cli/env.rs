//! `skiff env`: an app's variables.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failed;
use super::apps::MOST;
use super::client::Ask;
use super::remote::{Answer, Common, app_in_path};
use super::show::{at, plain};

/// Bytes of a file of variables that are read.
const LONGEST: u64 = 1024 * 1024;

/// Whose, and what.
#[derive(Clone, Debug, Args)]
pub struct Env {
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
    /// List them
    List,
    /// Set some; a secret belongs in `skiff secrets`
    Set {
        /// NAME=value
        #[arg(value_name = "NAME=VALUE", required_unless_present = "from_file")]
        pairs: Vec<String>,
        /// Lines NAME=value of a file; lines that begin with # are remarks
        #[arg(long, value_name = "FILE")]
        from_file: Option<PathBuf>,
    },
    /// Remove some
    Unset {
        /// Their names
        #[arg(required = true)]
        names: Vec<String>,
    },
}

/// Does it.
pub async fn run(input: Env) -> Result<String, Failed> {
    // What was typed is read before anything is asked.
    let what = input.what.unwrap_or(What::List);
    let wanted = match &what {
        What::Set { pairs, from_file } => pairs_of(pairs, from_file.as_ref())?,
        _ => Vec::new(),
    };
    let client = input.common.client()?;
    let app = app_in_path(&input.app);
    let answer = match what {
        What::List => {
            let all = client.list(Ask::get(&["apps", &app, "variables"]), MOST).await?;
            let lines: Vec<String> =
                all.iter().map(|one| format!("{}={}", at(one, "name"), at(one, "value"))).collect();
            let text = if lines.is_empty() { "It has no variables.".into() } else { lines.join("\n") };
            Answer::list(all, text)
        }
        What::Set { .. } => {
            let mut done: Vec<Value> = Vec::new();
            for (name, value) in wanted {
                let set = client.ask(Ask::put(&["apps", &app, "variables", &name], json!({ "value": value }))).await;
                done.push(set.map_err(|failed| so_far(failed, &done, &name))?);
            }
            let text = format!("Set: {}. It applies from the next deploy on.", names(&done));
            Answer::list(done, text)
        }
        What::Unset { names: all } => {
            let mut done: Vec<Value> = Vec::new();
            for name in all {
                let removed = client.ask(Ask::delete(&["apps", &app, "variables", &name])).await;
                removed.map_err(|failed| so_far(failed, &done, &name))?;
                done.push(json!({ "name": name }));
            }
            let text = format!("Removed: {}. It applies from the next deploy on.", names(&done));
            Answer::list(done, text)
        }
    };
    Ok(input.common.print(answer))
}

fn names(done: &[Value]) -> String {
    done.iter().map(|one| at(one, "name")).collect::<Vec<_>>().join(", ")
}

/// A failure in the middle says what was done before it.
fn so_far(failed: Failed, done: &[Value], name: &str) -> Failed {
    let before = if done.is_empty() { "nothing".into() } else { names(done) };
    let add = |said: String| format!("{}: {said}", plain(name));
    let failed = match failed {
        Failed::Said(said) => Failed::Said(add(said)),
        Failed::Unreached(said) => Failed::Unreached(add(said)),
        other => return other,
    };
    failed.and(&format!("Done before it: {before}."))
}

/// Pairs as typed and as in the file. What is typed goes over the file.
fn pairs_of(typed: &[String], file: Option<&PathBuf>) -> Result<Vec<(String, String)>, Failed> {
    let mut pairs = match file {
        None => Vec::new(),
        Some(path) => {
            let cannot =
                |cause: &dyn std::fmt::Display| Failed::Said(format!("{} cannot be read: {cause}.", path.display()));
            let size = std::fs::metadata(path).map_err(|error| cannot(&error))?.len();
            if size > LONGEST {
                return Err(cannot(&"it is longer than 1 MiB"));
            }
            of_file(&std::fs::read_to_string(path).map_err(|error| cannot(&error))?)?
        }
    };
    for pair in typed {
        let (name, value) = pair
            .split_once('=')
            .ok_or_else(|| Failed::Usage(format!("\u{201c}{}\u{201d} is not NAME=value.", plain(pair))))?;
        pairs.push((name.to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

/// Lines of a .env file as Docker's `--env-file` reads them, with quotes around a value taken off.
fn of_file(text: &str) -> Result<Vec<(String, String)>, Failed> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let line = line.strip_prefix("export ").unwrap_or(line);
        // The line's number only: the line may hold what nobody shall see.
        let (name, value) = line
            .split_once('=')
            .ok_or_else(|| Failed::Said(format!("Line {} of the file is not NAME=value.", index + 1)))?;
        let value = value.trim();
        let quoted = |mark: char| value.strip_prefix(mark)?.strip_suffix(mark);
        let value = quoted('"').or_else(|| quoted('\'')).unwrap_or(value);
        pairs.push((name.trim().to_owned(), value.to_owned()));
    }
    Ok(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_variables() {
        let text = "# remark\n\nA=1\nexport B = \"two words\"\nC='x=y'\nD=\nE=a # b\n";
        let pairs = of_file(text).unwrap();
        let all: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}|{value}")).collect();
        assert_eq!(all, ["A|1", "B|two words", "C|x=y", "D|", "E|a # b"]);
        assert_eq!(of_file("A=1\nhunter2\n").unwrap_err().to_string(), "Line 2 of the file is not NAME=value.");
        assert_eq!(pairs_of(&["nothing".into()], None).unwrap_err().code(), 2);
    }
}

//! `skiff doctor`: what is wrong with a panel and what it stands on, and what to do. On the panel's machine it looks by itself, so that it helps
//! where the panel does not even start; from elsewhere it asks a panel. Not here: looking.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;
use url::Url;

use super::Failed;
use super::client::{Ask, settings};
use super::remote::{Answer, Common};
use super::show::{at, folded, items};

/// Columns of a terminal that a finding is told in.
const WIDTH: usize = 100;

/// What is examined, and where that is written.
#[derive(Clone, Debug, Args)]
pub struct Examine {
    /// Which panel, and how.
    #[command(flatten)]
    pub common: Common,
    /// Write a support bundle (tar.gz) without secrets to this file; - is standard output
    #[arg(long, value_name = "FILE", overrides_with = "bundle", conflicts_with = "panel")]
    pub bundle: Option<PathBuf>,
    /// The panel's log, whose end goes into the bundle; - is standard input [default: that of its unit, or /var/log/skiff.log,
    /// and that of upgrades, where they may be read]
    #[arg(long, value_name = "FILE", requires = "bundle", overrides_with = "log_file")]
    pub log_file: Option<PathBuf>,
    /// How many lines of standard input are of upgrades, where root hands both logs over.
    #[arg(long, hide = true, requires = "log_file")]
    pub upgrade_lines: Option<usize>,
}

impl Examine {
    /// True where a panel elsewhere is meant: one was named, or none is on this machine and one was signed in to.
    pub fn is_remote(&self, data_dir: &Path) -> bool {
        let named = self.common.panel.is_some() || std::env::var_os("SKIFF_URL").is_some();
        self.bundle.is_none() && (named || (!data_dir.exists() && settings::find(None).is_ok()))
    }

    /// Where the bundle goes, if it goes into a file.
    pub fn file(&self) -> Option<&Path> {
        self.bundle.as_deref().filter(|file| *file != Path::new("-"))
    }

    /// The answer to print, or the same as a refusal where something is bad. `base` is the address of a panel elsewhere.
    pub fn told(&self, document: Value, base: Option<&Url>) -> Result<String, Failed> {
        let text = text(&document, base);
        let (bad, headline) = (at(&document, "grade") == "bad", at(&document, "headline"));
        let answer = Answer::new(document, text);
        if bad { Err(self.common.not_as_wanted(answer, headline)) } else { Ok(self.common.print(answer)) }
    }
}

/// Asks a panel.
pub async fn ask(input: &Examine) -> Result<String, Failed> {
    let client = input.common.client()?;
    let document = client.ask(Ask::get(&["doctor"])).await?;
    input.told(document, Some(client.base()))
}

/// A report for a terminal: the worst is what its reader looks for, so what is well takes one line.
pub fn text(document: &Value, base: Option<&Url>) -> String {
    let mut lines = Vec::new();
    let mut area = String::new();
    for finding in items(document, "findings") {
        let here = at(finding, "area");
        if here != area {
            if !area.is_empty() {
                lines.push(String::new());
            }
            lines.push(here.to_uppercase());
            area = here;
        }
        let mark = match at(finding, "grade").as_str() {
            "ok" => "ok  ",
            "warn" => "look",
            _ => "BAD ",
        };
        let said = format!("{}: {}", at(finding, "of"), at(finding, "what"));
        lines.extend(folded(&said, WIDTH).into_iter().enumerate().map(|(row, line)| match row {
            0 => format!("  {mark}  {line}"),
            _ => format!("        {line}"),
        }));
        let act = at(finding, "act");
        if !act.is_empty() {
            lines.extend(folded(&act, WIDTH).iter().map(|line| format!("        > {line}")));
        }
        let help = at(finding, "help");
        // On the panel's own machine it may be the panel that is away: its docs are in this program, too.
        let more = help.strip_prefix("/docs/").and_then(|place| match base {
            Some(base) => base.join(&help).ok().map(String::from),
            None => Some(["skiff docs ", place].concat()),
        });
        lines.extend(more.map(|more| ["        > ", &more].concat()));
    }
    lines.push(String::new());
    lines.push(at(document, "headline"));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    #[test]
    fn a_report_is_told_by_what_it_is_about() {
        let found = |area: &str, of: &str, grade: &str, act: &str, help: Value| json!({ "area": area, "of": of, "grade": grade, "what": format!("{of} \u{1b}[2Jwas seen."), "act": act, "help": help });
        let document = json!({ "grade": "bad", "headline": "1 thing bad.", "findings": [
            found("panel", "disk", "ok", "", Value::Null),
            found("panel", "clock", "warn", "Set it.", json!("/docs/panel-trouble#the-panels-clock")),
            found("host", "fra-1", "bad", &"word ".repeat(30), json!("https://elsewhere.example/")),
        ]});
        let base: Url = "http://127.0.0.1:7070".parse().unwrap();
        expect![[r#"
            PANEL
              ok    disk: disk was seen.
              look  clock: clock was seen.
                    > Set it.
                    > http://127.0.0.1:7070/docs/panel-trouble#the-panels-clock

            HOST
              BAD   fra-1: fra-1 was seen.
                    > word word word word word word word word word word word word word word word word word word word word
                    > word word word word word word word word word word

            1 thing bad."#]]
        .assert_eq(&text(&document, Some(&base)));
        let here = text(&document, None);
        assert!(here.contains("\n        > skiff docs panel-trouble#the-panels-clock\n"), "{here}");
    }
}

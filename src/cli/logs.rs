//! `skiff logs`: what an app's instances print, on standard output; words about it on standard error. The stream may break,
//! the panel may restart: it is asked again behind what was told.

use std::collections::HashMap;
use std::io::{IsTerminal, Write};

use clap::Args;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tokio::time::{Instant, sleep};

use super::Failed;
use super::client::{Ask, Client};
use super::follow::{AGAIN, AWAY};
use super::remote::{Common, app_in_path};
use super::show::{self, at, items};

/// The most lines a panel gives at once.
const MOST: i64 = 5_000;
/// Hosts' clocks differ by less than this: lines of one that is behind are not taken for old.
const CLOCKS: time::Duration = time::Duration::seconds(60);
/// Colours that tell instances apart, as terminals know them (ECMA-48 SGR); the text beside them says it too.
const TINTS: [&str; 6] = ["36", "33", "32", "35", "34", "31"];

/// Which lines.
#[derive(Clone, Debug, Args)]
pub struct Logs {
    /// The app: web, prod/web or shop/prod/web
    pub app: String,
    /// Go on with what comes, until Ctrl-C
    #[arg(short, long)]
    pub follow: bool,
    /// Only lines with this text in them, whatever their case
    #[arg(long, value_name = "TEXT")]
    pub filter: Option<String>,
    /// Begin with so many of the newest lines [default: 200]
    #[arg(long, value_name = "LINES", value_parser = clap::value_parser!(i64).range(0..=MOST))]
    pub tail: Option<i64>,
    /// Only the instance of this number
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(1..))]
    pub instance: Option<i32>,
    /// Which panel, and how: with --json a document for each line.
    #[command(flatten)]
    pub common: Common,
}

/// Prints them, to the end or until somebody has enough.
pub async fn run(input: Logs) -> Result<String, Failed> {
    let client = input.common.client()?;
    let app = app_in_path(&input.app);
    if let Some(number) = input.instance {
        is_there(&client, &app, number).await?;
    }
    let mut told = Told::new(input.common.json);
    tokio::select! {
        read = read(&client, &app, &input, &mut told) => read?,
        _ = tokio::signal::ctrl_c() => return Err(Failed::Interrupted("Stopped listening; the app goes on.".into())),
    }
    Ok(String::new())
}

/// Refuses an instance that is not there: one would wait for it without end.
async fn is_there(client: &Client, app: &str, number: i32) -> Result<(), Failed> {
    let list = client.ask(Ask::get(&["apps", app, "instances"])).await?;
    let mut known: Vec<i64> =
        items(&list, "items").iter().filter_map(|one| one.get("position").and_then(Value::as_i64)).collect();
    known.sort_unstable();
    known.dedup();
    if known.contains(&number.into()) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(ToString::to_string).collect();
    Err(Failed::Said(match known.is_empty() {
        true => format!("There is no instance {number}: none runs yet."),
        false => format!("There is no instance {number}. There are: {}.", known.join(", ")),
    }))
}

async fn read(client: &Client, app: &str, input: &Logs, told: &mut Told) -> Result<(), Failed> {
    let mut heard = Instant::now();
    let mut away = false;
    loop {
        match client.stream(ask(app, input, told)).await {
            Ok(mut stream) => {
                away = false;
                while let Some(event) = stream.next().await {
                    heard = Instant::now();
                    match at(&event, "type").as_str() {
                        "lines" => {
                            let listened = told.lines(items(&event, "lines"));
                            if !listened {
                                return Ok(());
                            }
                        }
                        "end" if event.get("complete") == Some(&Value::Bool(false)) => {
                            return Err(Failed::Said("Not all that was printed could be read.".into()));
                        }
                        "end" => return Ok(()),
                        // What a newer panel may add.
                        _ => {}
                    }
                }
            }
            Err(Failed::Unreached(why)) if heard.elapsed() > AWAY => return Err(Failed::Unreached(why)),
            Err(Failed::Unreached(_)) => {
                if !away {
                    show::tell("· The panel does not answer: waiting for it.");
                }
                away = true;
            }
            Err(other) => return Err(other),
        }
        sleep(AGAIN).await;
    }
}

/// What is asked for, behind what was told.
fn ask(app: &str, input: &Logs, told: &mut Told) -> Ask {
    let mut ask = Ask::get(&["apps", app, "logs"]).with("follow", input.follow);
    if let Some(text) = &input.filter {
        ask = ask.with("filter", text);
    }
    if let Some(number) = input.instance {
        ask = ask.with("instance", number);
    }
    match (told.behind(), input.tail) {
        (Some(after), _) => ask.with("after", after).with("tail", MOST),
        (None, Some(tail)) => ask.with("tail", tail),
        (None, None) => ask,
    }
}

/// What was told already.
struct Told {
    json: bool,
    coloured: bool,
    /// The newest moment that was told of each instance.
    last: HashMap<String, OffsetDateTime>,
    /// The same when it was last asked.
    known: HashMap<String, OffsetDateTime>,
    /// Instances in the order they were heard.
    seen: Vec<String>,
}

impl Told {
    fn new(json: bool) -> Self {
        let coloured = std::io::stdout().is_terminal() && show::may_colour();
        Self { json, coloured, last: HashMap::new(), known: HashMap::new(), seen: Vec::new() }
    }

    /// The moment to go on behind: what all have been told up to, as far as clocks may differ. What is told again is known.
    fn behind(&mut self) -> Option<String> {
        self.known.clone_from(&self.last);
        let (newest, oldest) = (*self.last.values().max()?, *self.last.values().min()?);
        oldest.max(newest - CLOCKS).format(&Rfc3339).ok()
    }

    /// Tells lines. False where nobody reads any more.
    fn lines(&mut self, lines: &[Value]) -> bool {
        let mut out = std::io::stdout().lock();
        for line in lines {
            let Some(text) = self.line(line) else { continue };
            if writeln!(out, "{text}").is_err() {
                return false;
            }
        }
        out.flush().is_ok()
    }

    /// A line as it is printed; none for one that was told, and for words, which go to standard error.
    fn line(&mut self, line: &Value) -> Option<String> {
        let instance = at(line, "instance");
        let words = at(line, "stream") == "skiff";
        if let (false, Ok(moment)) = (words, OffsetDateTime::parse(&at(line, "at"), &Rfc3339)) {
            if self.known.get(&instance).is_some_and(|known| moment <= *known) {
                return None;
            }
            let last = self.last.entry(instance.clone()).or_insert(moment);
            *last = moment.max(*last);
        }
        if self.json {
            return Some(line.to_string());
        }
        let text = show::line(line.get("text").and_then(Value::as_str).unwrap_or_default());
        if words {
            show::tell(&format!("· {text}"));
            return None;
        }
        let who = format!("{} v{}#{}", at(line, "host"), at(line, "release"), at(line, "position"));
        if !self.coloured {
            return Some(format!("{} {who} {text}", at(line, "at")));
        }
        let place = self.seen.iter().position(|seen| *seen == instance).unwrap_or_else(|| {
            self.seen.push(instance);
            self.seen.len() - 1
        });
        let tint = TINTS.get(place % TINTS.len()).copied().unwrap_or_default();
        let time = show::clock(line, "at");
        Some(format!("\u{1b}[{tint}m{time} {who}\u{1b}[0m {text}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line(instance: &str, position: i32, at: &str, text: &str) -> Value {
        json!({ "at": at, "instance": instance, "host": "fra-1", "release": 3, "position": position, "stream": "out", "text": text })
    }

    fn told(coloured: bool) -> Told {
        Told { json: false, coloured, last: HashMap::new(), known: HashMap::new(), seen: Vec::new() }
    }

    #[test]
    fn what_is_told_again_is_told_once_whatever_the_hosts_clocks_say() {
        let mut told = told(false);
        assert_eq!(told.behind(), None);
        let first = line("a", 1, "2026-11-25T07:58:10Z", "one");
        assert_eq!(told.line(&first).as_deref(), Some("2026-11-25T07:58:10Z fra-1 v3#1 one"));
        let behind = line("b", 2, "2026-11-25T07:58:04.5Z", "a clock that is behind");
        assert!(told.line(&behind).is_some() && told.line(&behind).is_some(), "two lines of one moment are two");
        assert_eq!(told.behind().as_deref(), Some("2026-11-25T07:58:04.5Z"));
        assert_eq!((told.line(&first), told.line(&behind)), (None, None));
        assert!(told.line(&line("a", 1, "2026-11-25T08:58:10Z", "much later")).is_some());
        assert_eq!(told.behind().as_deref(), Some("2026-11-25T08:57:10Z"), "one that is silent brings nothing back");
    }

    #[test]
    fn instances_have_colours_of_their_own_and_nothing_they_print_is_obeyed() {
        let mut told = told(true);
        let said = told.line(&line("a", 1, "2026-11-25T07:58:10Z", "\u{1b}[2J\u{1b}]0;x\u{7}hello")).unwrap();
        assert_eq!(said, "\u{1b}[36m07:58:10 fra-1 v3#1\u{1b}[0m hello");
        assert!(told.line(&line("b", 2, "2026-11-25T07:58:10Z", "x")).unwrap().starts_with("\u{1b}[33m"));
        assert!(told.line(&line("a", 1, "2026-11-25T07:58:11Z", "x")).unwrap().starts_with("\u{1b}[36m"));
    }
}

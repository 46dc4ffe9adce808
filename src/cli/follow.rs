//! Following a deploy or a job on a terminal: its lines and steps go to standard error as they come, below them, where a
//! person watches, the step that runs. The stream may break, the panel may restart: it is asked again behind the last line.

use std::collections::BTreeSet;
use std::io::Write;
use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use super::Failed;
use super::client::{Ask, Client};
use super::show::{self, at, items};

/// How long a panel may be away before one stops following: an update with its migrations takes less.
pub const AWAY: Duration = Duration::from_secs(300);
/// Pause before a panel that is away is asked again.
pub const AGAIN: Duration = Duration::from_secs(1);
/// How often the seconds of the running step are drawn.
const TICK: Duration = Duration::from_secs(1);
/// Letters of the running step that are drawn: more would wrap on a narrow terminal, and a wrapped line cannot be drawn over.
const DRAWN: usize = 60;

/// Follows until the end, and gives how it ended. `what` says what goes on without us where somebody presses Ctrl-C.
pub async fn until_over(client: &Client, path: &[&str], what: &str) -> Result<String, Failed> {
    let mut told = Told::new();
    let followed = tokio::select! {
        followed = follow(client, path, &mut told) => followed,
        _ = tokio::signal::ctrl_c() => Err(Failed::Interrupted(format!("{what} goes on without this terminal."))),
    };
    told.wipe();
    followed
}

async fn follow(client: &Client, path: &[&str], told: &mut Told) -> Result<String, Failed> {
    let events: Vec<&str> = path.iter().copied().chain(["events"]).collect();
    let mut heard = Instant::now();
    let mut away = false;
    loop {
        match client.stream(Ask::get(&events).with("after", told.after)).await {
            Ok(mut stream) => {
                away = false;
                let mut ticks = interval(TICK);
                ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
                loop {
                    // One wait for the next event, however often the seconds are drawn meanwhile.
                    let mut next = std::pin::pin!(stream.next());
                    let event = loop {
                        tokio::select! {
                            event = &mut next => break event,
                            _ = ticks.tick() => told.draw(),
                        }
                    };
                    let Some(event) = event else { break };
                    heard = Instant::now();
                    if let Some(end) = told.event(&event) {
                        return Ok(end);
                    }
                }
            }
            Err(away @ Failed::Unreached(_)) if heard.elapsed() > AWAY => {
                return Err(away.and("It goes on without this terminal."));
            }
            Err(Failed::Unreached(_)) => {
                if !away {
                    told.say("· ", "The panel does not answer: waiting for it.");
                }
                away = true;
            }
            Err(other) => return Err(other),
        }
        sleep(AGAIN).await;
    }
}

/// What was told already.
struct Told {
    /// The last line.
    after: i64,
    /// Steps that are over.
    steps: BTreeSet<i64>,
    /// The step that runs.
    running: String,
    since: Instant,
    watched: bool,
    drawn: bool,
}

impl Told {
    fn new() -> Self {
        let watched = show::is_watched();
        Self { after: 0, steps: BTreeSet::new(), running: String::new(), since: Instant::now(), watched, drawn: false }
    }

    /// Tells an event; gives the state where it is the end.
    fn event(&mut self, event: &Value) -> Option<String> {
        match at(event, "type").as_str() {
            "lines" => items(event, "lines").iter().for_each(|line| self.line(line)),
            "steps" => items(event, "steps").iter().for_each(|step| self.step(step)),
            "end" => return Some(at(event, "state")),
            // What a newer panel may add.
            _ => {}
        }
        None
    }

    fn line(&mut self, line: &Value) {
        let seq = line.get("seq").and_then(Value::as_i64).unwrap_or_default();
        if seq <= self.after {
            return;
        }
        self.after = seq;
        let mark = if at(line, "stream") == "skiff" { "· " } else { "  " };
        let text = line.get("text").and_then(Value::as_str).unwrap_or_default();
        self.say(mark, &show::line(text));
    }

    fn step(&mut self, step: &Value) {
        let seq = step.get("seq").and_then(Value::as_i64).unwrap_or_default();
        let (words, state) = (at(step, "words"), at(step, "state"));
        match state.as_str() {
            "changed" | "unchanged" | "failed" if self.steps.insert(seq) => {
                if self.running == words {
                    self.running.clear();
                }
                self.say("= ", format!("{words}: {state} {}", at(step, "note")).trim_end());
            }
            "running" if self.running != words => {
                self.running = words;
                self.since = Instant::now();
                self.draw();
            }
            _ => {}
        }
    }

    /// A line that stays.
    fn say(&mut self, mark: &str, text: &str) {
        self.wipe();
        show::tell(&format!("{mark}{text}"));
        self.draw();
    }

    /// The line that is drawn over: carriage return and "erase to the end of the line" (ECMA-48 EL), as every terminal knows them.
    fn draw(&mut self) {
        if !self.watched || self.running.is_empty() {
            return;
        }
        let words: String = self.running.chars().take(DRAWN).collect();
        let seconds = self.since.elapsed().as_secs();
        let mut out = std::io::stderr().lock();
        let _ = write!(out, "\r\u{1b}[K> {words} · {seconds} s");
        let _ = out.flush();
        self.drawn = true;
    }

    fn wipe(&mut self) {
        if std::mem::take(&mut self.drawn) {
            let mut out = std::io::stderr().lock();
            let _ = write!(out, "\r\u{1b}[K");
            let _ = out.flush();
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_stream_that_is_told_again_is_told_once() {
        let mut told = Told::new();
        let lines = json!({"type": "lines", "lines": [{"seq": 1, "stream": "skiff", "text": "a"}, {"seq": 2, "stream": "out", "text": "b"}]});
        assert_eq!(told.event(&lines), None);
        assert_eq!(told.event(&lines), None);
        assert_eq!(told.after, 2);
        let steps =
            json!({"type": "steps", "steps": [{"seq": 7, "words": "start web-1", "state": "changed", "note": ""}]});
        assert_eq!(told.event(&steps), None);
        assert_eq!(told.steps.iter().copied().collect::<Vec<_>>(), [7]);
        assert_eq!(told.event(&json!({"type": "later"})), None);
        assert_eq!(told.event(&json!({"type": "end", "state": "succeeded"})).as_deref(), Some("succeeded"));
    }
}

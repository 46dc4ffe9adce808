//! Waiting until the proxies have what was changed: the jobs that tell them, to their ends. Not here: following one (`follow.rs`).

use std::time::Duration;

use clap::Args;
use serde_json::Value;
use tokio::time::{Instant, sleep};

use super::client::{Ask, Client};
use super::show::{at, plain};
use super::{Failed, follow, show};

/// How long a job that was put off is waited for: a proxy that starts anew is back by then, a host that is away is not.
const PUT_OFF: Duration = Duration::from_secs(5);
/// How long one waits without a word for a job whose turn has not come.
const SILENT: Duration = Duration::from_secs(5);
/// How long one waits for its turn: a deploy ahead of it is over by then, workers that nobody runs never come.
const TURN: Duration = Duration::from_secs(15 * 60);

/// Whether one waits.
#[derive(Clone, Copy, Debug, Args)]
pub struct Patience {
    /// Do not wait until the proxies have it
    #[arg(long, global = true)]
    pub no_wait: bool,
}

/// What is said of a change that is not waited for.
pub fn later(job: &str) -> &'static str {
    if job.is_empty() { "" } else { "\nThe proxies are being told." }
}

/// How something stands that not every proxy has, and what is in the way where that is known.
pub fn not_yet(trouble: &str) -> String {
    match trouble {
        "" => "not on every proxy yet".to_owned(),
        trouble => format!("not on every proxy yet: {trouble}"),
    }
}

/// Where it can be seen what became of a change, and how it is tried once more.
pub struct Place<'a> {
    /// What names the newest job that tells the proxies: `apps/web/front`.
    pub front: &'a [&'a str],
    /// The command that has them told once more.
    pub again: String,
    /// The command that shows what became of it.
    pub look: String,
}

impl Place<'_> {
    /// Waits until all proxies have what this job tells them; else why not, and what to do. No job means that there is nothing to wait for.
    pub async fn until_told(&self, client: &Client, job: &str) -> Result<Result<(), String>, Failed> {
        let mut job = job.to_owned();
        while !job.is_empty() {
            let followed = ["jobs", &job];
            tokio::select! {
                followed = follow::until_over(client, &followed, "Telling the proxies") => drop(followed?),
                why = no_end(client, &job) => {
                    return Ok(Err(match why? {
                        Stuck::PutOff(why) => format!(
                            "Not every proxy has it yet: {why}\nIt stays as wanted, and is tried again by itself."
                        ),
                        Stuck::Waits(what) => format!(
                            "Not every proxy has it yet: the job that tells them has not begun for {} minutes. {what}\n\
                             The change is kept, and made when its turn comes: {} shows it.",
                            TURN.as_secs() / 60, self.look
                        ),
                    }));
                }
            }
            let over = client.ask(Ask::get(&["jobs", &job])).await?;
            match at(&over, "state").as_str() {
                "succeeded" => return Ok(Ok(())),
                // What a newer one tells has this in it.
                "superseded" => {
                    let newer = at(&client.ask(Ask::get(self.front)).await?, "job");
                    if newer == job {
                        return Ok(Err(format!(
                            "Another change took its place, and is not to be seen. Once more: {}",
                            self.again
                        )));
                    }
                    job = newer;
                }
                state => {
                    let why = at(&over, "reason");
                    let why = if why.is_empty() { format!("the job that tells them is {state}.") } else { why };
                    let again = &self.again;
                    return Ok(Err(format!(
                        "The proxies did not take it: {why}\nIt stays as wanted. Once nothing is in the way any more: {again}{}",
                        client.more(&over)
                    )));
                }
            }
        }
        Ok(Ok(()))
    }
}

/// Why a job is not waited for any longer.
#[derive(Debug, PartialEq, Eq)]
enum Stuck {
    /// It was put off, for this.
    PutOff(String),
    /// Its turn does not come; what it waits for.
    Waits(String),
}

/// Comes back once the job is not to be waited for any longer; says before what it waits for.
async fn no_end(client: &Client, job: &str) -> Result<Stuck, Failed> {
    let mut watch = Watch::default();
    loop {
        sleep(follow::AGAIN).await;
        let seen = match client.ask(Ask::get(&["jobs", job])).await {
            Ok(seen) => seen,
            // Who follows the job says so, and gives up in the end.
            Err(Failed::Unreached(_)) => continue,
            Err(failed) => return Err(failed),
        };
        if let Some(words) = watch.words(&seen, Instant::now()) {
            show::tell(&format!("· {words}"));
        }
        if let Some(stuck) = watch.stuck(&seen, Instant::now()) {
            return Ok(stuck);
        }
    }
}

/// Since when a job is as it was seen.
#[derive(Default)]
struct Watch {
    /// Put off.
    off: Option<Instant>,
    /// Without its turn.
    idle: Option<Instant>,
    /// What it waits for was said.
    said: bool,
}

impl Watch {
    /// What is to be said of a job whose turn does not come; once.
    fn words(&mut self, job: &Value, now: Instant) -> Option<String> {
        if !has_no_turn(job) || self.said {
            return None;
        }
        let since = *self.idle.get_or_insert(now);
        self.said = now.duration_since(since) >= SILENT;
        self.said.then(|| waits_for(job))
    }

    /// Whether it is waited for no longer, and why.
    fn stuck(&mut self, job: &Value, now: Instant) -> Option<Stuck> {
        let why = at(job, "wait_reason");
        if has_no_turn(job) {
            self.off = None;
            let since = *self.idle.get_or_insert(now);
            return (now.duration_since(since) >= TURN).then(|| Stuck::Waits(waits_for(job)));
        }
        self.idle = None;
        if at(job, "state") != "queued" || why.is_empty() {
            self.off = None;
            return None;
        }
        let since = *self.off.get_or_insert(now);
        (now.duration_since(since) >= PUT_OFF).then_some(Stuck::PutOff(why))
    }
}

/// True for one that never began: it waits for another one, or for a worker.
fn has_no_turn(job: &Value) -> bool {
    at(job, "state") == "queued" && at(job, "started_at").is_empty()
}

/// What it waits for, as a sentence.
fn waits_for(job: &Value) -> String {
    let why = plain(&at(job, "wait_reason"));
    match why.trim_end_matches('.') {
        "" => "Waits for a worker of the panel's that has nothing else to do.".to_owned(),
        why => format!("{why}."),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_job_whose_turn_does_not_come_is_told_of_once_and_waited_for_a_while() {
        let queued = json!({ "state": "queued", "started_at": null, "wait_reason": "Waits for: Deploy of web" });
        let (mut watch, start) = (Watch::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!((watch.words(&queued, start), watch.stuck(&queued, start)), (None, None));
        assert_eq!(watch.words(&queued, after(4)), None);
        assert_eq!(watch.words(&queued, after(5)).as_deref(), Some("Waits for: Deploy of web."));
        assert_eq!(watch.words(&queued, after(60)), None, "once");
        assert_eq!(watch.stuck(&queued, after(899)), None);
        assert_eq!(watch.stuck(&queued, after(900)), Some(Stuck::Waits("Waits for: Deploy of web.".into())));

        // Its turn came, and it was put off then.
        let runs = json!({ "state": "running", "started_at": "2026-01-01T00:00:00Z", "wait_reason": "" });
        assert_eq!((watch.words(&runs, after(901)), watch.stuck(&runs, after(901))), (None, None));
        let off =
            json!({ "state": "queued", "started_at": "2026-01-01T00:00:00Z", "wait_reason": "fra-1 does not answer." });
        assert_eq!((watch.stuck(&off, after(902)), watch.stuck(&off, after(906))), (None, None));
        assert_eq!(watch.stuck(&off, after(907)), Some(Stuck::PutOff("fra-1 does not answer.".into())));
        let alone = json!({ "state": "queued", "started_at": null, "wait_reason": "" });
        assert!(waits_for(&alone).starts_with("Waits for a worker"));
    }
}

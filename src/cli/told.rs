//! Waiting until the proxies have what was changed: the jobs that tell them, to their ends. Not here: following one (`follow.rs`).

use std::time::Duration;

use clap::Args;
use tokio::time::{Instant, sleep};

use super::client::{Ask, Client};
use super::show::at;
use super::{Failed, follow};

/// How long a job that was put off is waited for: a proxy that starts anew is back by then, a host that is away is not.
const PUT_OFF: Duration = Duration::from_secs(5);

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
}

impl Place<'_> {
    /// Waits until all proxies have what this job tells them; else why not, and what to do. No job means that there is nothing to wait for.
    pub async fn until_told(&self, client: &Client, job: &str) -> Result<Result<(), String>, Failed> {
        let mut job = job.to_owned();
        while !job.is_empty() {
            let followed = ["jobs", &job];
            tokio::select! {
                followed = follow::until_over(client, &followed, "Telling the proxies") => drop(followed?),
                why = put_off(client, &job) => {
                    return Ok(Err(format!("Not every proxy has it yet: {}\nIt stays as wanted, and is tried again by itself.", why?)));
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

/// Comes back once the job was put off for longer than a moment: why.
async fn put_off(client: &Client, job: &str) -> Result<String, Failed> {
    let mut since = None;
    loop {
        sleep(follow::AGAIN).await;
        let seen = match client.ask(Ask::get(&["jobs", job])).await {
            Ok(seen) => seen,
            // Who follows the job says so, and gives up in the end.
            Err(Failed::Unreached(_)) => continue,
            Err(failed) => return Err(failed),
        };
        let why = at(&seen, "wait_reason");
        // One that never began waits for another one.
        if at(&seen, "state") != "queued" || at(&seen, "started_at").is_empty() || why.is_empty() {
            since = None;
        } else if since.get_or_insert_with(Instant::now).elapsed() >= PUT_OFF {
            return Ok(why);
        }
    }
}

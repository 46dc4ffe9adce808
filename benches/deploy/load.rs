//! Visitors at a fixed pace, half of them on kept connections and half each on a new one, who remember what answered
//! and when they asked.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// One request.
#[derive(Clone, Debug)]
pub struct Asked {
    /// When it was sent.
    pub at: Instant,
    /// The version that answered, or what went wrong.
    pub answer: Result<String, String>,
}

/// A running load.
pub struct Load {
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
    visitors: JoinSet<()>,
}

impl Load {
    /// Starts it: requests a second in all, to this address with this Host header.
    pub fn start(url: &str, domain: &'static str, per_second: u64) -> Self {
        let (stop, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::new())));
        let mut visitors = JoinSet::new();
        for kept in [true, false] {
            let (url, stop, asked) = (url.to_owned(), stop.clone(), asked.clone());
            visitors.spawn(visit(url, domain, kept, Duration::from_micros(2_000_000 / per_second), stop, asked));
        }
        Self { stop, asked, visitors }
    }

    /// True once every request sent after `since` for a while was answered by this version.
    pub fn all_new(&self, version: &str, since: Instant, for_as_long: Duration) -> bool {
        let asked = self.asked.lock().unwrap();
        let last_other = asked.iter().filter(|a| a.answer.as_deref() != Ok(version)).map(|a| a.at).max();
        last_other.unwrap_or(since).max(since).elapsed() > for_as_long && asked.last().is_some_and(|a| a.at > since)
    }

    /// Ends it and hands out all that was asked.
    pub async fn end(mut self) -> Vec<Asked> {
        self.stop.store(true, Ordering::Relaxed);
        while self.visitors.join_next().await.is_some() {}
        std::mem::take(&mut self.asked.lock().unwrap())
    }
}

async fn visit(
    url: String,
    domain: &'static str,
    kept: bool,
    pause: Duration,
    stop: Arc<AtomicBool>,
    asked: Arc<Mutex<Vec<Asked>>>,
) {
    let client = || reqwest::Client::builder().pool_max_idle_per_host(if kept { 8 } else { 0 }).build().unwrap();
    let shared = client();
    let mut tick = tokio::time::interval(pause);
    let mut running = JoinSet::new();
    while !stop.load(Ordering::Relaxed) {
        tick.tick().await;
        while running.try_join_next().is_some() {}
        let (client, url, asked) = (if kept { shared.clone() } else { client() }, url.clone(), asked.clone());
        running.spawn(async move {
            let at = Instant::now();
            let answer = match client.get(url).header("host", domain).send().await {
                Ok(answer) if answer.status() == 200 => answer.text().await.map_err(|error| format!("{error:?}")),
                Ok(answer) => Err(answer.status().to_string()),
                Err(error) => Err(format!("{error:?}")),
            };
            asked.lock().unwrap().push(Asked { at, answer: answer.map(|text| text.trim().to_owned()) });
        });
    }
    while running.join_next().await.is_some() {}
}

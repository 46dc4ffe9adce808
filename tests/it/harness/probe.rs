//! Somebody who asks an app over and over, on new connections, and counts what is not a good answer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::host::TestHost;

/// Between two questions: some are under way at every moment of a deploy.
const PAUSE: Duration = Duration::from_millis(20);

/// A running probe.
pub struct Probe {
    stop: Arc<AtomicBool>,
    seen: Arc<Mutex<Seen>>,
    asking: tokio::task::JoinHandle<()>,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Answers of status 200.
    pub good: u64,
    /// Everything else, in words.
    pub bad: Vec<String>,
    /// The bodies of good answers.
    pub bodies: BTreeSet<String>,
}

impl Seen {
    fn take(&mut self, told: Result<String, String>) {
        match told {
            Ok(body) => {
                self.good += 1;
                self.bodies.insert(body.trim().to_owned());
            }
            Err(words) => self.bad.push(words),
        }
    }
}

impl Probe {
    /// Asks the proxy of a host for this domain from now on.
    pub fn start(host: &TestHost, domain: &str) -> Self {
        let (stop, seen) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Seen::default())));
        let (until, into, url, domain) =
            (stop.clone(), seen.clone(), format!("http://{}/", host.address), domain.to_owned());
        let asking = tokio::spawn(async move {
            let http = reqwest::Client::builder().pool_max_idle_per_host(0).timeout(Duration::from_secs(10));
            let http = http.build().unwrap();
            while !until.load(Ordering::Relaxed) {
                let answer = http.get(&url).header("host", &domain).send().await;
                let told = match answer {
                    Ok(answer) if answer.status() == 200 => answer.text().await.map_err(|error| format!("{error:?}")),
                    Ok(answer) => Err(answer.status().to_string()),
                    Err(error) => Err(format!("{error:?}")),
                };
                into.lock().unwrap().take(told);
                tokio::time::sleep(PAUSE).await;
            }
        });
        Self { stop, seen, asking }
    }

    /// What was seen so far.
    pub fn seen(&self) -> Seen {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until the next good answer, and forgets what was bad before it.
    pub async fn serves_again(&self, within: Duration) {
        let (begun, before) = (tokio::time::Instant::now(), self.seen().good);
        while self.seen().good == before {
            assert!(begun.elapsed() < within, "it does not serve again: {:?}", self.seen().bad.last());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.seen.lock().unwrap().bad.clear();
    }

    /// Ends, and wants nothing but good answers.
    pub async fn clean(self, what: &str) -> Seen {
        self.stop.store(true, Ordering::Relaxed);
        self.asking.await.unwrap();
        let seen = self.seen.lock().unwrap().clone();
        assert!(seen.bad.is_empty() && seen.good > 0, "{what}: {seen:?}");
        seen
    }
}

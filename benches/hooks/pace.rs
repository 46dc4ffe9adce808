//! Requests at a fixed pace, whatever becomes of those before; and what they were answered.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// What was answered, and after how long.
#[derive(Default)]
pub struct Answers {
    /// By status; 0 where there was no answer.
    pub statuses: BTreeMap<u16, i64>,
    took: Vec<Duration>,
}

impl Answers {
    /// One more.
    pub fn take(&mut self, status: u16, took: Duration) {
        *self.statuses.entry(status).or_default() += 1;
        self.took.push(took);
    }

    /// All of these too.
    pub fn add(&mut self, others: Self) {
        self.took.extend(others.took);
        others.statuses.into_iter().for_each(|(status, n)| *self.statuses.entry(status).or_default() += n);
    }

    /// How many there are.
    pub fn all(&self) -> usize {
        self.took.len()
    }

    /// With this status.
    pub fn count(&self, status: u16) -> i64 {
        self.statuses.get(&status).copied().unwrap_or(0)
    }

    /// With any other.
    pub fn but(&self, status: u16) -> i64 {
        self.statuses.values().sum::<i64>() - self.count(status)
    }

    /// In milliseconds.
    pub fn percentile(&self, part: usize) -> f64 {
        let mut took = self.took.clone();
        took.sort();
        took.get(took.len() * part / 100).map_or(f64::NAN, |took| took.as_secs_f64() * 1000.0)
    }
}

/// Does it every `pause`. A request's time counts from when it was due: what had to wait for its turn here waited too.
pub async fn at_pace<F: Future<Output = u16> + Send + 'static>(
    pause: Duration,
    lasting: Duration,
    mut ask: impl FnMut(u64) -> F,
) -> Answers {
    let (began, mut answers, mut running) = (Instant::now(), Answers::default(), JoinSet::new());
    for n in 0.. {
        let due = began + pause * u32::try_from(n).unwrap();
        if due >= began + lasting {
            break;
        }
        // Finer than a millisecond a timer is not: what is due meanwhile is sent at once.
        if due > Instant::now() {
            tokio::time::sleep_until(due.into()).await;
        }
        let asked = ask(n);
        running.spawn(async move { (asked.await, due.elapsed()) });
        while let Some(done) = running.try_join_next() {
            let (status, took) = done.unwrap();
            answers.take(status, took);
        }
    }
    while let Some(done) = running.join_next().await {
        let (status, took) = done.unwrap();
        answers.take(status, took);
    }
    answers
}

//! The log of a job: every line redacted, capped, batched into Postgres; steps begin and end in the same stream, so
//! that what the page shows is in order. Writing never makes a job wait.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::db::{Db, job_log, job_steps};
use crate::domain::ids::JobId;
use crate::domain::job::{StepState, Stream};
use crate::domain::redact::Redactor;
use crate::domain::rights::Permit;
use crate::queue::Run;

/// Bytes one line may have in the table; the rest is cut and marked.
pub const MAX_LINE: usize = 16 * 1024;
/// Bytes a line is counted with beside its own: what its row and its place in memory take, so that empty lines are not free.
const LINE_COST: usize = 100;
/// Bytes one job may log in all, each line counted with [`LINE_COST`]. A build that prints more has gone wrong, and nobody reads that far.
pub const MAX_LOG: u64 = 50 * 1024 * 1024;
/// Bytes that may wait for the database. More is dropped and said: a flood must not become the panel's memory.
const MAX_WAITING: i64 = 8 * 1024 * 1024;
/// Lines in one transaction.
const BATCH: usize = 500;
/// How long a line may wait for company.
const LINGER: Duration = Duration::from_millis(40);
/// How long the writer tries again while the database is away, before it gives the lines up.
const PATIENCE: Duration = Duration::from_secs(90);

/// A job's log. Cheap to clone.
#[derive(Clone)]
pub struct Log {
    entries: mpsc::UnboundedSender<Entry>,
    shared: Arc<Shared>,
}

struct Shared {
    redactor: Mutex<Redactor>,
    written: AtomicU64,
    waiting: AtomicI64,
    dropped: AtomicU64,
}

/// The writer behind a log. Closing it waits until the last line is stored.
pub struct Writer(JoinHandle<()>);

enum Entry {
    Line { step: Option<i32>, stream: Stream, line: Vec<u8> },
    Began { seq: i32 },
    Ended { seq: i32, state: StepState, note: String },
    Note { seq: i32, note: String },
    Flush(oneshot::Sender<()>),
}

impl Log {
    /// Opens the log of a claimed job.
    pub fn open(run: &Run) -> (Self, Writer) {
        let (entries, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            redactor: Mutex::new(Redactor::default()),
            written: AtomicU64::new(0),
            waiting: AtomicI64::new(0),
            dropped: AtomicU64::new(0),
        });
        let store = Store { db: run.db.clone(), permit: run.permit.clone(), job: run.job, fence: run.fence };
        #[expect(clippy::disallowed_methods, reason = "the writer is owned by the job and awaited in Writer::close")]
        let writer = tokio::spawn(write(store, received, Arc::clone(&shared)));
        (Self { entries, shared }, Writer(writer))
    }

    /// Teaches the redactor values that must never be seen. Called before a job's first line.
    pub fn learn<'a>(&self, secrets: impl IntoIterator<Item = &'a [u8]>) {
        let mut redactor = self.shared.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in secrets {
            redactor.learn(&String::from_utf8_lossy(secret));
        }
    }

    /// A text of ours that may quote something hostile or secret, made fit to be stored elsewhere.
    pub fn redacted(&self, text: &str) -> String {
        let redactor = self.shared.redactor.lock().unwrap_or_else(PoisonError::into_inner);
        redactor.text(text)
    }

    /// Says something in Skiff's own voice.
    pub fn say(&self, step: Option<i32>, text: impl AsRef<str>) {
        for line in text.as_ref().lines() {
            self.push(step, Stream::Skiff, line.as_bytes());
        }
    }

    /// One line of a build, a script or a container, without its newline.
    pub fn line(&self, step: Option<i32>, stream: Stream, line: &[u8]) {
        let size = (line.len().min(MAX_LINE) + LINE_COST) as u64;
        let before = self.shared.written.fetch_add(size, Ordering::Relaxed);
        if before > MAX_LOG {
            return;
        }
        if before + size > MAX_LOG {
            return self.say(step, "The log ends here: it has reached 50 MB. The job goes on.");
        }
        if self.shared.waiting.load(Ordering::Relaxed) > MAX_WAITING {
            self.shared.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        }
        self.push(step, stream, line);
    }

    /// A step begins.
    pub fn began(&self, seq: i32) {
        self.send(Entry::Began { seq });
    }

    /// A step has something to say beside its name: "answers 503".
    pub fn note(&self, seq: i32, note: impl Into<String>) {
        self.send(Entry::Note { seq, note: note.into() });
    }

    /// A step ends.
    pub fn ended(&self, seq: i32, state: StepState, note: impl Into<String>) {
        self.send(Entry::Ended { seq, state, note: note.into() });
    }

    /// Waits until everything said so far is stored, or given up.
    pub async fn flush(&self) {
        let (done, stored) = oneshot::channel();
        self.send(Entry::Flush(done));
        // An error means that the writer has ended: nothing is left to wait for.
        if stored.await.is_err() {
            tracing::debug!("log writer ended before the flush");
        }
    }

    fn push(&self, step: Option<i32>, stream: Stream, line: &[u8]) {
        let redacted = self.shared.redactor.lock().unwrap_or_else(PoisonError::into_inner).line(line);
        let line = cap(redacted);
        self.shared.waiting.fetch_add(waiting(line.len()), Ordering::Relaxed);
        self.send(Entry::Line { step, stream, line });
    }

    fn send(&self, entry: Entry) {
        // The writer outlives the job; it only goes early when the lease is lost, and then nothing may be written.
        if self.entries.send(entry).is_err() {
            tracing::debug!("log line after the writer ended");
        }
    }
}

impl Writer {
    /// Waits for the last line. Every clone of the log must be dropped first.
    pub async fn close(self) {
        if let Err(error) = self.0.await {
            tracing::error!(%error, "A log writer ended badly");
        }
    }
}

/// Bytes a waiting line is counted with.
fn waiting(len: usize) -> i64 {
    i64::try_from(len + LINE_COST).unwrap_or(i64::MAX / 2)
}

/// Cuts a line to [`MAX_LINE`] and marks it.
fn cap(mut line: Vec<u8>) -> Vec<u8> {
    if line.len() > MAX_LINE {
        let mark = format!(" … cut, the line had {} bytes", line.len());
        line.truncate(MAX_LINE - mark.len());
        line.extend_from_slice(mark.as_bytes());
    }
    line
}

struct Store {
    db: Db,
    permit: Permit,
    job: JobId,
    fence: i64,
}

async fn write(store: Store, mut received: mpsc::UnboundedReceiver<Entry>, shared: Arc<Shared>) {
    let mut batch = Vec::new();
    while received.recv_many(&mut batch, BATCH).await > 0 {
        if batch.len() < BATCH && !batch.iter().any(|entry| matches!(entry, Entry::Flush(_))) {
            let fill = async {
                while batch.len() < BATCH {
                    match received.recv().await {
                        Some(entry @ Entry::Flush(_)) => return batch.push(entry),
                        Some(entry) => batch.push(entry),
                        None => return,
                    }
                }
            };
            // Running out of time is how most batches end.
            if tokio::time::timeout(LINGER, fill).await.is_err() {
                tracing::trace!(job.id = %store.job, "log batch after its linger");
            }
        }
        let dropped = shared.dropped.swap(0, Ordering::Relaxed);
        if dropped > 0 {
            let line = format!("{dropped} lines were dropped here: they came faster than they could be stored.");
            batch.push(Entry::Line { step: None, stream: Stream::Skiff, line: line.into_bytes() });
        }
        let bytes: i64 =
            batch.iter().map(|e| if let Entry::Line { line, .. } = e { waiting(line.len()) } else { 0 }).sum();
        let kept = store.batch(&batch).await;
        shared.waiting.fetch_sub(bytes, Ordering::Relaxed);
        for entry in batch.drain(..) {
            if let Entry::Flush(done) = entry {
                // Whoever waited may have been cancelled.
                if done.send(()).is_err() {
                    tracing::trace!("nobody waits for the flush any more");
                }
            }
        }
        if !kept {
            return;
        }
    }
}

impl Store {
    /// Stores a batch, again and again while the database is away. False when the lease is lost.
    async fn batch(&self, batch: &[Entry]) -> bool {
        let begun = tokio::time::Instant::now();
        let mut pause = Duration::from_millis(50);
        loop {
            match self.once(batch).await {
                Ok(kept) => return kept,
                Err(error) if begun.elapsed() > PATIENCE => {
                    tracing::error!(job.id = %self.job, %error, "Gave up storing {} log entries", batch.len());
                    return true;
                }
                Err(error) => tracing::warn!(job.id = %self.job, %error, "Storing log lines failed, trying again"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    }

    async fn once(&self, batch: &[Entry]) -> Result<bool, sqlx::Error> {
        let mut tx = self.db.begin(&self.permit).await?;
        let lines: Vec<job_log::NewLine> = batch
            .iter()
            .filter_map(|entry| match entry {
                Entry::Line { step, stream, line } => {
                    Some(job_log::NewLine { step: *step, stream: *stream, line: line.clone() })
                }
                Entry::Began { .. } | Entry::Ended { .. } | Entry::Note { .. } | Entry::Flush(_) => None,
            })
            .collect();
        let mut kept = true;
        if !lines.is_empty() {
            kept = job_log::append(&mut tx, &self.permit, self.job, self.fence, &lines).await?.is_some();
        }
        for entry in batch {
            kept &= match entry {
                Entry::Began { seq } => job_steps::start(&mut tx, &self.permit, self.job, self.fence, *seq).await?,
                Entry::Note { seq, note } => {
                    job_steps::note(&mut tx, &self.permit, self.job, self.fence, *seq, note).await?
                }
                Entry::Ended { seq, state, note } => {
                    job_steps::finish(&mut tx, &self.permit, self.job, self.fence, *seq, *state, note).await?
                }
                Entry::Line { .. } | Entry::Flush(_) => true,
            };
        }
        tx.commit().await?;
        Ok(kept)
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn an_empty_line_is_not_free() {
        assert!(super::waiting(0) > 0);
    }

    #[test]
    fn a_line_over_16_kib_is_cut_and_marked() {
        let line = super::cap(vec![b'x'; 20_000]);
        assert_eq!(line.len(), super::MAX_LINE);
        assert!(String::from_utf8_lossy(&line).ends_with("cut, the line had 20000 bytes"));
    }
}

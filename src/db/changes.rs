//! Wake-ups: one connection listens, everyone waits on it. A wake-up is a hint and carries no data: register first,
//! read the table, then wait with a timer too. Not here: what changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::PgConnection;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Db;
use crate::domain::ids::{JobId, TeamId};

/// The one channel of the database; the payload is the topic.
const CHANNEL: &str = "skiff";
/// Between two tries to listen again.
const RETRY: Duration = Duration::from_millis(500);
/// Without a word for this long the connection is renewed: a peer that vanished says nothing.
const SILENCE: Duration = Duration::from_secs(60);
/// Between two looks for connections that nobody uses.
const SPARE_EVERY: Duration = Duration::from_secs(5);

/// What can be waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A job was queued, or a lease given back.
    Jobs,
    /// A running job was asked to stop.
    Cancels,
    /// The state, the steps or the log of this job grew.
    Job(JobId),
    /// Something the team can see changed.
    Team(TeamId),
}

/// Tells all panels of this database, when the transaction commits.
pub async fn notify(conn: &mut PgConnection, topic: Topic) -> Result<(), sqlx::Error> {
    sqlx::query!("select pg_notify($1, $2)", CHANNEL, topic.to_string()).execute(conn).await.map(drop)
}

/// The wake-ups of this process. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Changes {
    db: Db,
    topics: Arc<Mutex<HashMap<String, watch::Sender<u64>>>>,
}

impl Changes {
    /// Nobody listens until [`Changes::listen`] runs; waiting with a timer works all the same.
    pub fn new(db: &Db) -> Self {
        Self { db: db.clone(), topics: Arc::default() }
    }

    /// Waits for this topic from now on. The number means nothing; that it changed does.
    pub fn subscribe(&self, topic: Topic) -> watch::Receiver<u64> {
        let mut topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        topics.retain(|_, sender| sender.receiver_count() > 0);
        topics.entry(topic.to_string()).or_insert_with(|| watch::channel(0).0).subscribe()
    }

    /// Listens until `shutdown`, and gives connections back that nobody uses. Runs once per process; after a lost connection everyone
    /// is woken, as anything may have happened meanwhile.
    pub async fn listen(&self, shutdown: CancellationToken) {
        let sparing = async {
            while shutdown.run_until_cancelled(tokio::time::sleep(SPARE_EVERY)).await.is_some() {
                self.db.spare().await;
            }
        };
        tokio::join!(self.hear(&shutdown), sparing);
    }

    async fn hear(&self, shutdown: &CancellationToken) {
        let mut lost = false;
        while !shutdown.is_cancelled() {
            let ended = shutdown.run_until_cancelled(self.listen_once(lost)).await;
            if let Some(Err(error)) = ended {
                if !lost {
                    warn!(error = %error, "Wake-ups from the database stopped; timers go on");
                }
                lost = true;
                shutdown.run_until_cancelled(tokio::time::sleep(RETRY)).await;
            }
        }
    }

    /// One connection's life.
    async fn listen_once(&self, lost: bool) -> Result<(), sqlx::Error> {
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .connect_lazy_with(self.db.worker_options());
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        if lost {
            info!("Wake-ups from the database are back");
        }
        self.wake_all();
        loop {
            match tokio::time::timeout(SILENCE, listener.try_recv()).await {
                Ok(Ok(Some(told))) => self.wake(told.payload()),
                Ok(Ok(None)) => return Err(sqlx::Error::WorkerCrashed),
                Ok(Err(error)) => return Err(error),
                Err(_) => {
                    sqlx::query_scalar!("select 1").fetch_one(&mut listener).await?;
                }
            }
        }
    }

    fn wake(&self, topic: &str) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = topics.get(topic) {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    fn wake_all(&self) {
        let topics = self.topics.lock().unwrap_or_else(PoisonError::into_inner);
        for sender in topics.values() {
            sender.send_modify(|count| *count = count.wrapping_add(1));
        }
    }
}

impl std::fmt::Display for Topic {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Jobs => f.write_str("jobs"),
            Self::Cancels => f.write_str("cancels"),
            Self::Job(id) => write!(f, "job:{id}"),
            Self::Team(id) => write!(f, "team:{id}"),
        }
    }
}

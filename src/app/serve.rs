//! `skiff serve`: pages and workers in one process, drained on SIGTERM.

use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Stopped;
use super::doors;
use super::ground::Ground;
use super::seat::{self, Seat};
use crate::actions::{panel, setup};
use crate::config::{Role, Serve};
use crate::db::{Db, sessions};
use crate::door::server;
use crate::jobs;
use crate::providers::git;
use crate::providers::names::Names;
use crate::queue::{Registry, Runner, RunnerSettings};
use crate::schedule;
use crate::watch;

/// How long everything may take to end after SIGTERM: the pages' own drain and the workers' are shorter.
const DRAIN: Duration = Duration::from_secs(20);
/// How often sessions that ran out are removed: they open nothing meanwhile.
const SWEEP_EVERY: Duration = Duration::from_secs(60 * 60);

/// Serves until SIGTERM or SIGINT.
pub async fn run(settings: Serve) -> Result<(), Stopped> {
    let stop = CancellationToken::new();
    // Heard from the first moment: a start that is told to stop still stops the database it has just started.
    let mut ear = JoinSet::new();
    ear.spawn(until_told(stop.clone()));
    let ground = Ground::open(&settings.store).await?;
    let outcome = serve(&ground, &settings, &stop).await;
    ground.close().await;
    if outcome.is_ok() {
        info!("Skiff has stopped");
    }
    outcome
}

async fn serve(ground: &Ground, settings: &Serve, stop: &CancellationToken) -> Result<(), Stopped> {
    // The address first: a second panel started by mistake must not take any job.
    let listen = settings.store.listen;
    let listener = match settings.role {
        Role::Worker => None,
        Role::Web | Role::All => {
            Some(TcpListener::bind(listen).await.map_err(|cause| Stopped::Listen { listen, cause })?)
        }
    };
    let mut parts = JoinSet::new();
    let changes = ground.actions.changes.clone();
    let token = stop.clone();
    parts.spawn(async move { changes.listen(token).await });
    if settings.role != Role::Web {
        let work = work(ground, settings).await?;
        let seat = seat::take(&settings.store.data_dir)?;
        let runner = runner(ground, settings, &work, seat.as_ref());
        let telling = beside(ground, &work, seat.as_ref(), "notices", LETTERS, jobs::notices(&work));
        let getting = beside(ground, &work, seat.as_ref(), "certificates", ORDERS, jobs::certificates_of(&work));
        let token = stop.clone();
        parts.spawn(async move {
            tokio::join!(runner.run(token.clone()), telling.run(token.clone()), getting.run(token));
            drop(seat);
        });
        parts.spawn(schedule::run(ground.actions.clone(), stop.clone()));
        parts.spawn(watch::run(work.access(), work.panel, stop.clone()));
    }
    if let Some(listener) = listener {
        let base = settings.store.base_url()?;
        let sessions = Arc::new(sessions::Sessions::new(&ground.actions.db));
        let doors = doors::open(ground.actions.clone(), base.clone(), sessions, stop.clone());
        parts.spawn(server::serve(listener, doors.router, server::Limits::default(), stop.clone()));
        parts.spawn(sweep(ground.actions.db.clone(), stop.clone()));
        info!("Skiff serves {base}");
        panel::door_moved(&ground.actions).await.map_err(crate::cli::Failed::from)?;
        invite(ground).await?;
    }

    stop.cancelled().await;
    let ended = tokio::time::timeout(DRAIN, async { while parts.join_next().await.is_some() {} }).await;
    if ended.is_err() {
        warn!("Some work did not end in time and was left to the next start");
    }
    Ok(())
}

/// Prints the one-time link while nobody owns the panel.
async fn invite(ground: &Ground) -> Result<(), Stopped> {
    let link = setup::new_link(&ground.actions).await.map_err(crate::cli::Failed::from)?;
    if let Some(link) = link {
        info!("Nobody owns this panel yet. Set it up within 30 minutes at {link} (a new link: skiff setup)");
    }
    Ok(())
}

/// What jobs and watchers work with.
async fn work(ground: &Ground, settings: &Serve) -> Result<jobs::Ctx, Stopped> {
    let git = git::Git::open(git::Settings {
        data_dir: settings.store.data_dir.join("git"),
        local_root: settings.store.local_sources.clone(),
        ca_file: settings.store.git_ca_file.clone(),
    })
    .await?;
    Ok(jobs::Ctx {
        db: ground.actions.db.clone(),
        vault: Arc::new(ground.actions.vault.clone()),
        // One for all: two connections per host, whoever looks.
        pool: ground.actions.pool.clone(),
        git,
        visitor: Default::default(),
        names: Names::of_this_machine(),
        dns: Default::default(),
        panel: ground.panel,
        outside: ground.actions.outside.clone(),
    })
}

/// The workers.
fn runner(ground: &Ground, settings: &Serve, work: &jobs::Ctx, seat: Option<&Seat>) -> Runner {
    let mut how = RunnerSettings::default();
    if let Some(seat) = seat {
        (how.name, how.heir) = (seat.name.clone(), true);
    }
    if let Some(workers) = settings.workers {
        how.concurrency = usize::from(workers);
    }
    Runner::new(work.db.clone(), ground.actions.changes.clone(), jobs::on_hosts(work), how)
}

/// Letters at once: each waits for a service of others.
const LETTERS: usize = 4;
/// Certificates that are got at once: an authority takes its time, and counts.
const ORDERS: usize = 4;

/// Workers beside the others, for jobs that wait for services of others: they take no place of a deploy's.
fn beside(
    ground: &Ground,
    work: &jobs::Ctx,
    seat: Option<&Seat>,
    name: &str,
    at_once: usize,
    kinds: Registry,
) -> Runner {
    let mut how = RunnerSettings { concurrency: at_once, ..RunnerSettings::default() };
    if let Some(seat) = seat {
        (how.name, how.heir) = ([&seat.name, "-", name].concat(), true);
    }
    Runner::new(work.db.clone(), ground.actions.changes.clone(), kinds, how)
}

/// Removes sessions that ran out, now and then.
async fn sweep(db: Db, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(SWEEP_EVERY)).await.is_some() {
        let swept = async {
            let mut tx = db.begin_door().await?;
            let count = sessions::sweep(&mut tx).await?;
            tx.commit().await?;
            Ok::<_, sqlx::Error>(count)
        };
        if let Err(error) = swept.await {
            warn!(error = %error, "Sessions that ran out could not be removed; trying again later");
        }
    }
}

/// Waits for SIGTERM or SIGINT.
async fn until_told(stop: CancellationToken) {
    let heard = async |kind: SignalKind| match signal(kind) {
        Ok(mut signal) => {
            signal.recv().await;
        }
        // Without a handler the signal ends the process by itself.
        Err(_) => std::future::pending().await,
    };
    tokio::select! {
        () = heard(SignalKind::terminate()) => {}
        () = heard(SignalKind::interrupt()) => {}
    }
    info!("Skiff stops: nothing new is taken, what runs is given back");
    stop.cancel();
}

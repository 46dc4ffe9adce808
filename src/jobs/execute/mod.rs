//! Running a plan: stage after stage, the lanes of a stage side by side, the steps of a lane one after another.
//! It has no opinions: what to do is the plan's, what a failure means is the deploy's.

mod ask;
pub mod bring;
mod containers;
mod health;
mod images;
pub mod ingress;
mod leave;
mod peers;

pub use health::last_lines;

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::Instant;

use futures_util::future::join_all;
use tokio_util::sync::CancellationToken;

use super::Ctx;
use super::log::Log;
use super::stop::{Stop, on_host};
use crate::access::Reached;
use crate::db::deploy_runs;
use crate::domain::ids::HostId;
use crate::domain::job::StepState;
use crate::domain::names::EnvName;
use crate::domain::plan::{Plan, Stage, Step, Want};
use crate::queue::Run;

/// Everything the steps of one plan need.
pub struct Work<'a> {
    ctx: &'a Ctx,
    run: &'a Run,
    log: &'a Log,
    want: &'a Want,
    hosts: &'a [Reached],
    env: Vec<(EnvName, String)>,
    /// Hosts beside those that may have the image.
    builders: Vec<Reached>,
    /// Hosts whose registry has got the image from this work.
    filled: tokio::sync::Mutex<BTreeSet<HostId>>,
}

/// Which way the plan goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    /// To the new release: a person may cancel until traffic moves.
    Forward,
    /// Back to the former one: nothing stops it but the loss of the job.
    Back,
}

/// Whether a step changed anything, and what else it has to say.
pub(super) struct Done {
    state: StepState,
    note: String,
}

impl Done {
    /// Something was changed.
    fn changed(note: impl Into<String>) -> Self {
        Self { state: StepState::Changed, note: note.into() }
    }

    /// Everything was as it should be.
    fn unchanged(note: impl Into<String>) -> Self {
        Self { state: StepState::Unchanged, note: note.into() }
    }
}

impl<'a> Work<'a> {
    /// The work of one plan. `env` holds opened secrets; it goes into containers and nowhere else.
    pub fn new(
        ctx: &'a Ctx,
        run: &'a Run,
        log: &'a Log,
        want: &'a Want,
        hosts: &'a [Reached],
        env: Vec<(EnvName, String)>,
    ) -> Self {
        Self { ctx, run, log, want, hosts, env, builders: Vec::new(), filled: Default::default() }
    }

    /// Images may also come from these hosts.
    pub fn with_builders(self, builders: Vec<Reached>) -> Self {
        Self { builders, ..self }
    }
}

/// How a plan ended.
#[derive(Debug)]
pub enum Ended {
    /// Every step was done.
    Whole,
    /// The new release serves everywhere; something old could not be taken away, which the next deploy will do.
    Untidy(Stop),
}

/// Runs the plan. `first` is the number of its first step in the job's list.
pub async fn run(work: &Work<'_>, plan: &Plan, first: i32, mood: Mood) -> Result<Ended, Stop> {
    let mut seq = first;
    let mut switched = false;
    for stage in &plan.stages {
        if mood == Mood::Forward && stage.after_switch && !switched {
            switch(work).await?;
            switched = true;
        }
        let cancellable = mood == Mood::Forward && !stage.after_switch;
        let done = run_stage(work, stage, seq, cancellable).await;
        seq += i32::try_from(stage.lanes.iter().map(|lane| lane.steps.len()).sum::<usize>()).unwrap_or(i32::MAX);
        match done {
            Ok(()) => {}
            Err(stop @ (Stop::Lost | Stop::Again(_))) => return Err(stop),
            Err(stop) if stage.tidying && mood == Mood::Forward => return Ok(Ended::Untidy(stop)),
            Err(stop) => {
                for rest in seq..first + i32::try_from(steps(plan)).unwrap_or(i32::MAX) {
                    work.log.ended(rest, StepState::Skipped, "");
                }
                return Err(stop);
            }
        }
    }
    Ok(Ended::Whole)
}

/// Steps of a plan in all.
fn steps(plan: &Plan) -> usize {
    plan.stages.iter().flat_map(|stage| &stage.lanes).map(|lane| lane.steps.len()).sum()
}

/// Marks the moment from which cancel is refused; a cancel that came first wins.
async fn switch(work: &Work<'_>) -> Result<(), Stop> {
    let mut tx = work.ctx.db.begin(&work.run.permit).await?;
    let mine = deploy_runs::switch(&mut tx, &work.run.permit, work.want.deploy).await?;
    tx.commit().await?;
    if mine { Ok(()) } else { Err(Stop::Cancelled) }
}

async fn run_stage(work: &Work<'_>, stage: &Stage, first: i32, cancellable: bool) -> Result<(), Stop> {
    let halt = CancellationToken::new();
    let worst: Mutex<Option<Stop>> = Mutex::new(None);
    let mut seq = first;
    let mut lanes = Vec::new();
    for lane in &stage.lanes {
        let (from, halt, worst) = (seq, &halt, &worst);
        seq += i32::try_from(lane.steps.len()).unwrap_or(i32::MAX);
        lanes.push(async move {
            for (seq, step) in (from..).zip(&lane.steps) {
                if halt.is_cancelled() {
                    work.log.ended(seq, StepState::Skipped, "");
                    continue;
                }
                if let Err(stop) = run_step(work, lane.host, step, seq, cancellable, halt).await {
                    let mut worst = worst.lock().unwrap_or_else(PoisonError::into_inner);
                    // The first failure is the reason; what follows from it is not. The loss of the job outranks all.
                    if worst.is_none() || matches!(stop, Stop::Lost | Stop::Again(_)) {
                        *worst = Some(stop);
                    }
                    halt.cancel();
                }
            }
        });
    }
    join_all(lanes).await;
    match worst.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(stop) => Err(stop),
        None => Ok(()),
    }
}

async fn run_step(
    work: &Work<'_>,
    host: HostId,
    step: &Step,
    seq: i32,
    cancellable: bool,
    halt: &CancellationToken,
) -> Result<(), Stop> {
    if cancellable && work.run.cancel.is_cancelled() {
        work.log.ended(seq, StepState::Skipped, "cancelled");
        return Err(Stop::Cancelled);
    }
    work.log.began(seq);
    let begun = Instant::now();
    let never = CancellationToken::new();
    let cancel = if cancellable && is_long(step) { &work.run.cancel } else { &never };
    let done = tokio::select! {
        biased;
        () = work.run.lost.cancelled() => Err(Stop::Lost),
        () = cancel.cancelled() => Err(Stop::Cancelled),
        () = halted(step, halt) => Ok(Done { state: StepState::Skipped, note: "another step failed".to_owned() }),
        done = perform(work, host, step, seq) => done,
    };
    tracing::debug!(step.seq = seq, step.ms = begun.elapsed().as_millis() as u64, "Step {step:?}");
    match done {
        Ok(done) => {
            work.log.ended(seq, done.state, done.note);
            Ok(())
        }
        Err(stop) => {
            let note = match &stop {
                Stop::Failed(failure) => work.log.redacted(&failure.sentence()),
                Stop::Cancelled => "cancelled".to_owned(),
                Stop::Again(why) => why.clone(),
                Stop::Lost => return Err(stop),
            };
            let state = if matches!(stop, Stop::Cancelled) { StepState::Skipped } else { StepState::Failed };
            work.log.ended(seq, state, note);
            Err(stop)
        }
    }
}

/// Steps that a cancel breaks off. The others are let finish: a container that Docker makes after we looked for what to
/// take away would stay for ever.
fn is_long(step: &Step) -> bool {
    matches!(step, Step::BringImage | Step::RunReleaseCommand { .. } | Step::AwaitHealthy { .. } | Step::Drain { .. })
}

/// A wait for health or for connections to end is given up when a step beside it failed; everything else is short and
/// is let finish, so that what it does on the host is known.
async fn halted(step: &Step, halt: &CancellationToken) {
    match step {
        Step::AwaitHealthy { .. } | Step::Drain { .. } => halt.cancelled().await,
        _ => std::future::pending().await,
    }
}

/// One step on one host. The match has no `_`: a new step is done here or does not compile.
async fn perform(work: &Work<'_>, host: HostId, step: &Step, seq: i32) -> Result<Done, Stop> {
    let here = work.here(host)?;
    // The fence is read again before every remote write: a worker that was overtaken stops here.
    work.run.still_mine().await?;
    match step {
        Step::BringImage => boxed(|| here.bring_image(seq)).await,
        Step::ClearNetwork { name } => boxed(|| here.clear_network(name)).await,
        Step::MakeNetwork { bridge } => boxed(|| here.make_network(*bridge)).await,
        Step::MakeVolume { volume } => boxed(|| here.make_volume(*volume)).await,
        Step::WriteRelease => boxed(|| here.write_release()).await,
        Step::RunReleaseCommand { name, argv } => boxed(|| here.run_release_command(name, argv, seq)).await,
        Step::Create { instance, name, address, index } => {
            boxed(|| here.create(*instance, name, *address, *index)).await
        }
        Step::Start { name } => boxed(|| here.start(name, seq)).await,
        Step::AwaitHealthy { name, address } => boxed(|| here.await_healthy(name, *address, seq)).await,
        Step::WriteIngress { servers } => boxed(|| here.write_ingress(servers)).await,
        Step::Admit { name, address } => boxed(|| here.admit(name, *address)).await,
        Step::Share { peers } => boxed(|| here.share(peers)).await,
        Step::AskThrough => boxed(|| here.ask_through()).await,
        Step::Drain { name, seconds } => boxed(|| here.drain(name, *seconds, seq)).await,
        Step::Dismiss { name } => boxed(|| here.dismiss(name)).await,
        Step::Stop { name, grace, container: _ } => boxed(|| here.stop(name, *grace)).await,
        Step::Remove { name, container } => boxed(|| here.remove(name, container.as_ref())).await,
        Step::Keep { name } => boxed(|| here.keep(name)).await,
        Step::LeaveProxy => boxed(|| here.leave_proxy()).await,
        Step::RemoveFiles => boxed(|| here.remove_files()).await,
        Step::RemoveImage { image } => boxed(|| here.remove_image(image)).await,
        Step::RemoveNetwork => boxed(|| here.remove_network()).await,
    }
}

/// A future on the heap, made in a frame of its own: twenty kinds of steps side by side in one frame would fill a
/// thread's stack.
fn boxed<F: Future<Output = Result<Done, Stop>>>(make: impl FnOnce() -> F) -> Pin<Box<F>> {
    Box::pin(make())
}

/// One host within the work.
pub(super) struct Here<'a> {
    work: &'a Work<'a>,
    reached: &'a Reached,
    host: &'a crate::remote::Host,
}

impl<'a> Work<'a> {
    fn here(&'a self, id: HostId) -> Result<Here<'a>, Stop> {
        let reached = self.hosts.iter().find(|host| host.id() == id);
        let reached = reached.ok_or_else(|| Stop::Failed(super::stop::internal("a step names an unknown host")))?;
        match &reached.host {
            Ok(host) => Ok(Here { work: self, reached, host }),
            Err(error) => Err(on_host(&reached.row.name, error.clone())),
        }
    }
}

impl Here<'_> {
    /// What a host's error means, with the host's name.
    fn failed(&self, error: crate::remote::Error) -> Stop {
        on_host(&self.reached.row.name, error)
    }
}

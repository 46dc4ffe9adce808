//! The provisioning job: a server becomes a host, step by step. Each step says whether it changed anything; a second
//! run changes nothing, and one that failed is begun again from the start, where all that was done is found done.

mod broken;
pub(super) mod facts;
pub mod first_boot;
mod let_in;
mod owner;
pub(super) mod pin;
pub(super) mod scripts;

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::certificates::{self, By};
use super::execute::ingress::{self, Listens};
use super::log::Log;
use super::registry;
use super::renewal;
use super::set_proxy;
use super::stop::detail;
use crate::access::{self, Reached};
use crate::db::{host_checks, host_logins, job_steps};
use crate::domain::host::{Facts, HostState};
use crate::domain::ids::HostId;
use crate::domain::ingress::PEER_PORT;
use crate::domain::job::{StepState, Stream};
use crate::queue::{Job, Outcome, Run};
use crate::remote::{self, Host, RemoteScript};
pub(super) use broken::Broken;
use broken::stopped;
use pin::Seen;

/// Make a server ready, or see that it still is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Provision {
    /// The host.
    pub host: HostId,
}

/// The lock key of a host's provisioning.
pub fn lock_key(host: HostId) -> String {
    format!("host:{host}")
}

/// The user that Skiff signs in as once a host is provisioned.
const USER: &str = "skiff";

/// What a step came to.
type Stepped = Result<Done, Broken>;

/// How a step ended that worked, and a note to it.
type Done = (StepState, String);

/// The steps in their order, with their words.
const STEPS: [(&str, What); 9] = [
    ("look at the server", What::Look),
    ("install Docker, HAProxy and what they need", What::Packages),
    ("make the user skiff", What::User),
    ("make the folders", What::Folders),
    ("run Docker", What::Script(&scripts::DOCKER)),
    ("sign in as skiff", What::SignIn),
    ("run the proxy", What::Proxy),
    ("keep images for the other hosts", What::Registry),
    ("look again", What::Look),
];

#[derive(Clone, Copy)]
enum What {
    Look,
    Folders,
    Script(&'static RemoteScript),
    Packages,
    User,
    SignIn,
    Proxy,
    Registry,
}

impl Job for Provision {
    const KIND: &'static str = "provision";
    /// A slow mirror takes a quarter of an hour; more is a fault.
    const DEADLINE: Duration = Duration::from_secs(3600);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let outcome = self.drive(ctx, run, &log).await;
        drop(log);
        writer.close().await;
        outcome
    }
}

/// One run of a provisioning.
struct Course<'a> {
    ctx: &'a Ctx,
    run: &'a Run,
    log: &'a Log,
    reached: Reached,
    host: Arc<Host>,
}

impl Provision {
    async fn drive(&self, ctx: &Ctx, run: &Run, log: &Log) -> Outcome {
        let (mut first, given) = match self.plan(run, ctx).await {
            Ok(planned) => planned,
            Err(error) => return Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        };
        log.began(first);
        let begun = tokio::select! {
            () = run.lost.cancelled() => return Outcome::Again { after: Duration::ZERO, why: String::new() },
            () = run.cancel.cancelled() => {
                log.ended(first, StepState::Failed, "cancelled");
                return Outcome::Cancelled;
            }
            begun = self.begin(ctx, run, log, given.then_some(first)) => begun,
        };
        match begun {
            Ok(Some((state, note))) => {
                log.ended(first, state, note);
                first += 1;
            }
            Ok(None) => {}
            Err(broken) => return self.stay(ctx, run, log, first, broken).await,
        }
        let reached = match access::reach(&ctx.access(), &run.permit, &[self.host]).await {
            Ok(mut hosts) => hosts.pop(),
            Err(error) => return Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        };
        let Some(reached) = reached else { return Outcome::Failed { reason: "The host is gone.".to_owned() } };
        let host = match &reached.host {
            Ok(host) => Arc::clone(host),
            Err(error) => {
                log.began(first);
                return self.fail(ctx, run, log, first, error.clone().into()).await;
            }
        };
        let mut course = Course { ctx, run, log, reached, host };
        for (seq, (_, what)) in (first..).zip(STEPS) {
            log.began(seq);
            let stepped = tokio::select! {
                () = run.lost.cancelled() => return Outcome::Again { after: Duration::ZERO, why: String::new() },
                () = run.cancel.cancelled() => {
                    log.ended(seq, StepState::Failed, "cancelled");
                    return Outcome::Cancelled;
                }
                stepped = course.step(what, seq) => stepped,
            };
            match stepped {
                Ok((state, note)) => log.ended(seq, state, note),
                Err(Broken::Again(why)) => {
                    log.ended(seq, StepState::Failed, &why);
                    return Outcome::Again { after: run.backoff(), why };
                }
                Err(broken) => return self.fail(ctx, run, log, seq, broken).await,
            }
        }
        log.say(None, "The host is ready.");
        log.flush().await;
        match self.ready(ctx, run).await {
            Ok(()) => Outcome::Succeeded,
            Err(error) => Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        }
    }

    /// Before anything is done on the server: its key is the pinned one, and our own is let in where somebody gave the means.
    async fn begin(&self, ctx: &Ctx, run: &Run, log: &Log, given: Option<i32>) -> Result<Option<Done>, Broken> {
        match pin::pin(ctx, &run.permit, self.host).await {
            Ok(Seen::Pinned) => {}
            Ok(Seen::Waits(waits)) => return Err(Broken::Said(waits.sentence())),
            // Whoever was never met is no host yet that does not answer: nobody looks at it until a person asks.
            Err(Broken::Host(error)) => return Err(Broken::Said(detail(error))),
            Err(broken) => return Err(broken),
        }
        match given {
            Some(seq) => let_in::let_in(ctx, run, log, self.host, seq).await.map(Some),
            None => Ok(None),
        }
    }

    /// The number of the first step, and whether it is the one that lets our key in with what somebody gave.
    async fn plan(&self, run: &Run, ctx: &Ctx) -> Result<(i32, bool), sqlx::Error> {
        let given = let_in::is_given(ctx, run, self.host).await?;
        let words = given.then_some(let_in::WORDS).into_iter().chain(STEPS.iter().map(|(words, _)| *words));
        let steps: Vec<job_steps::NewStep> = words
            .map(|words| job_steps::NewStep { stage: String::new(), host: Some(self.host), words: words.to_owned() })
            .collect();
        let mut tx = ctx.db.begin(&run.permit).await?;
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?;
        tx.commit().await?;
        Ok((first.unwrap_or(1), given))
    }

    /// Nothing was done yet: a host that serves goes on as it did, and a new one says why it was not met.
    async fn stay(&self, ctx: &Ctx, run: &Run, log: &Log, seq: i32, broken: Broken) -> Outcome {
        let changed =
            matches!(broken, Broken::Host(remote::Error::HostKeyChanged { .. } | remote::Error::JumpKeyChanged { .. }));
        if changed {
            return self.fail(ctx, run, log, seq, broken).await;
        }
        let reason = log.redacted(&broken.sentence());
        log.ended(seq, StepState::Failed, &reason);
        log.say(None, &reason);
        log.flush().await;
        let note = async {
            let mut tx = ctx.db.begin(&run.permit).await?;
            host_logins::looked(&mut tx, &run.permit, self.host, &reason).await?;
            tx.commit().await
        };
        match note.await {
            Ok(()) => Outcome::Failed { reason },
            Err(error) => Outcome::Again { after: Duration::from_secs(2), why: detail(error) },
        }
    }

    async fn fail(&self, ctx: &Ctx, run: &Run, log: &Log, seq: i32, broken: Broken) -> Outcome {
        let state = match &broken {
            Broken::Host(remote::Error::HostKeyChanged { .. } | remote::Error::JumpKeyChanged { .. }) => {
                HostState::KeyMismatch
            }
            Broken::Host(
                remote::Error::Unreachable { .. }
                | remote::Error::JumpUnreachable { .. }
                | remote::Error::BehindJump { .. },
            ) => HostState::Unreachable,
            Broken::Host(_) | Broken::Said(_) | Broken::Again(_) | Broken::Db(_) => HostState::New,
        };
        if let Broken::Host(error) = &broken
            && let Err(error) = pin::note_changed(ctx, &run.permit, self.host, error).await
        {
            return Outcome::Again { after: Duration::from_secs(2), why: detail(error) };
        }
        let reason = log.redacted(&broken.sentence());
        log.ended(seq, StepState::Failed, &reason);
        log.say(None, &reason);
        log.flush().await;
        if let Err(error) = self.observed(ctx, run, state, &reason).await {
            return Outcome::Again { after: Duration::from_secs(2), why: detail(error) };
        }
        Outcome::Failed { reason }
    }

    /// What the last check found no longer holds: the next one is due.
    async fn ready(&self, ctx: &Ctx, run: &Run) -> Result<(), sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        host_logins::observed(&mut tx, &run.permit, self.host, HostState::Ready, "").await?;
        host_checks::forget(&mut tx, &run.permit, self.host).await?;
        tx.commit().await
    }

    async fn observed(&self, ctx: &Ctx, run: &Run, state: HostState, note: &str) -> Result<(), sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        host_logins::observed(&mut tx, &run.permit, self.host, state, note).await?;
        tx.commit().await
    }
}

impl Course<'_> {
    async fn step(&mut self, what: What, seq: i32) -> Stepped {
        self.run.still_mine().await.map_err(stopped)?;
        match what {
            What::Look => self.look(seq).await,
            What::Folders => {
                let panel = self.ctx.panel.to_string();
                self.script(&scripts::FOLDERS, &[("PANEL", panel.as_str())], seq).await
            }
            What::Script(script) => self.script(script, &[], seq).await,
            What::Packages => {
                let registry = if self.reached.row.builds { "yes" } else { "no" };
                let mut tx = self.ctx.db.begin(&self.run.permit).await?;
                let now = (host_checks::clock_ms(&mut tx).await? / 1000).to_string();
                tx.commit().await?;
                self.script(&scripts::PACKAGES, &[("REGISTRY", registry), ("NOW", now.as_str())], seq).await
            }
            What::User => {
                let key = remote::keys::public_line(&self.host.login().key)?;
                self.script(&scripts::USER, &[("PUBLIC_KEY", key.as_str())], seq).await
            }
            What::SignIn => self.sign_in().await,
            What::Proxy => self.proxy(seq).await,
            What::Registry => self.registry(seq).await,
        }
    }

    /// Runs a script: its lines into the log, its last words into the step.
    async fn script(&self, script: &RemoteScript, params: &[(&'static str, &str)], seq: i32) -> Stepped {
        let (mut said, mut no_root) = (scripts::Said::default(), None);
        let (log, user) = (self.log, &self.host.login().user);
        let exit = self
            .host
            .run(script, params, scripts::LIMIT, &mut |stream, line| {
                no_root = no_root.or_else(|| scripts::no_root(&String::from_utf8_lossy(line)));
                if !said.take(line) {
                    let stream = match stream {
                        remote::Stream::Out => Stream::Out,
                        remote::Stream::Err => Stream::Err,
                    };
                    log.line(Some(seq), stream, line);
                }
            })
            .await?;
        if exit.ok() {
            let state = if said.changed { StepState::Changed } else { StepState::Unchanged };
            return Ok((state, String::new()));
        }
        let fallback = || match no_root {
            Some(why) if script.root => scripts::without_root(user, why),
            _ => format!("The script {} ended with {}. Its last lines are in the log.", script.name, exit.status),
        };
        Err(Broken::Said(said.reason.unwrap_or_else(fallback)))
    }

    async fn look(&self, seq: i32) -> Stepped {
        let mut lines = Vec::new();
        let mut keep = |_, line: &[u8]| lines.push(String::from_utf8_lossy(line).into_owned());
        let exit = self.host.run(&scripts::FACTS, &[], scripts::LIMIT, &mut keep).await?;
        let facts: Facts = facts::read(&lines);
        for line in &lines {
            self.log.line(Some(seq), Stream::Out, line.as_bytes());
        }
        if !exit.ok() {
            return Err(Broken::Said(format!("The server could not say what it is (status {}).", exit.status)));
        }
        owner::is_ours(&lines, self.ctx.panel).map_err(Broken::Said)?;
        self.host.forwards().await?;
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        host_logins::facts(&mut tx, &self.run.permit, self.reached.id(), &facts).await?;
        tx.commit().await?;
        Ok((StepState::Unchanged, facts.os))
    }

    /// From here on as the user skiff: seen to work first, then written down.
    async fn sign_in(&mut self) -> Stepped {
        if self.host.login().user.as_ref() == USER {
            return Ok((StepState::Unchanged, String::new()));
        }
        let host = access::as_user(&self.ctx.access(), self.host.login(), USER).await?;
        host.docker().ping().await?;
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        host_logins::sign_in_as(&mut tx, &self.run.permit, self.reached.id(), USER).await?;
        tx.commit().await?;
        self.host = host;
        Ok((StepState::Changed, String::new()))
    }

    /// The registry of images, where the host builds; none where it does not.
    async fn registry(&self, seq: i32) -> Stepped {
        let (row, permit) = (&self.reached.row, &self.run.permit);
        let login = match row.builds {
            true => registry::login(self.ctx, permit, self.log, &self.reached).await?,
            false => None,
        };
        if row.builds && login.is_none() {
            return Err(Broken::Said(
                "The password of the host's registry cannot be opened. Save its part again.".into(),
            ));
        }
        let mut say = |line: &[u8]| self.log.line(Some(seq), Stream::Out, line);
        let changed = registry::ensure(&self.host, login.as_ref(), &mut say).await?.map_err(Broken::Said)?;
        let port = login.map(|_| i32::from(crate::domain::registry::PORT));
        let mut tx = self.ctx.db.begin(permit).await?;
        host_logins::registry_listens(&mut tx, permit, row.id, port).await?;
        tx.commit().await?;
        let note = if row.builds { "" } else { "it runs apps and builds for nobody" };
        Ok((if changed { StepState::Changed } else { StepState::Unchanged }, note.to_owned()))
    }

    /// The proxy's file as the ledger has it, then the script that starts or reloads it. Under the host's lock from the look at the ledger to
    /// the last certificate: what another job brings in between would be taken out again.
    async fn proxy(&self, seq: i32) -> Stepped {
        let (ctx, run, row) = (self.ctx, self.run, &self.reached.row);
        renewal::look(ctx, run, self.log, &self.reached, &self.host).await.map_err(stopped)?;
        ingress::lock(ctx, run, row.id, &row.name).await.map_err(stopped)?;
        let done = Box::pin(self.proxy_locked(seq)).await;
        ingress::unlock(ctx, run, row.id).await.map_err(stopped)?;
        done
    }

    async fn proxy_locked(&self, seq: i32) -> Stepped {
        let (row, permit) = (&self.reached.row, &self.run.permit);
        let mut wanted = ingress::of_host(self.ctx, permit, row.id, &Listens::wanted(row)).await?;
        let before = match self.host.get(ingress::CONFIG).await {
            Ok(bytes) => bytes,
            Err(remote::Error::NotFound { .. }) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        self.run.still_mine().await.map_err(stopped)?;
        let mut brought = Box::pin(ingress::write(self.ctx, permit, row.id, &self.host, &wanted, By::Folder)).await?;
        let same = before == wanted.haproxy_cfg().as_bytes();
        let port = row.http_port.to_string();
        let peer_port = if row.private_address.is_some() { PEER_PORT.to_string() } else { String::new() };
        let reload = if same { "no" } else { "yes" };
        let https_port = row.https_port.map(|port| port.to_string()).unwrap_or_default();
        let params = [
            ("HTTP_PORT", port.as_str()),
            ("HTTPS_PORT", https_port.as_str()),
            ("PEER_PORT", peer_port.as_str()),
            ("RELOAD", reload),
        ];
        let done = self.script(&scripts::HAPROXY, &params, seq).await;
        if done.is_err() {
            let moved = row.proxy_port != row.http_port || row.proxy_https_port != row.https_port;
            if moved || row.private_address != row.peer_address {
                Box::pin(self.former_file()).await;
            }
            return done;
        }
        let mut tx = self.ctx.db.begin(permit).await?;
        let listens =
            host_logins::Listens { http: row.http_port, https: row.https_port, peers: row.private_address.as_deref() };
        host_logins::proxy_listens(&mut tx, permit, row.id, &listens).await?;
        set_proxy::ask_waiting(&mut tx, permit, row.id).await?;
        tx.commit().await?;
        // Until the port of HTTPS was noted, nobody asked for this host who brought a certificate.
        let now = ingress::of_host(self.ctx, permit, row.id, &Listens::wanted(row)).await?;
        if now.tls != wanted.tls {
            let more = Box::pin(ingress::write(self.ctx, permit, row.id, &self.host, &now, By::Notes)).await?;
            brought.retain(|one| more.iter().all(|other| other.id != one.id));
            brought.extend(more);
            wanted = now;
        }
        self.run.still_mine().await.map_err(stopped)?;
        let settled = certificates::settle(self.ctx, permit, row.id, &self.host, &wanted, brought, true);
        // On the heap, as all of it side by side would fill a thread's stack.
        Box::pin(settled).await?;
        done
    }

    /// Puts the file with the former port back: what runs must be able to start again with the file that stands there.
    async fn former_file(&self) {
        let (ctx, run, row) = (self.ctx, self.run, &self.reached.row);
        let write = async {
            let former = ingress::of_host(ctx, &run.permit, row.id, &Listens::now(row)).await?;
            run.still_mine().await.map_err(stopped)?;
            ingress::write(ctx, &run.permit, row.id, &self.host, &former, By::Folder).await?;
            Ok::<(), Broken>(())
        };
        if let Err(broken) = write.await {
            let error = broken.sentence();
            self.log.say(None, format!("The proxy's file with the former port could not be put back: {error}"));
        }
    }
}

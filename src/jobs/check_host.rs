//! Looking whether a host is still as it was made: asked by a person, and once a day. Reads only. Not here: what is compared
//! (`domain/host_check.rs`), mending it (`provision.rs`).

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Ctx;
use super::execute::ingress::{self, Listens};
use super::log::Log;
use super::provision::{Broken, facts, pin, scripts};
use super::stop::detail;
use crate::access::{self, Reached};
use crate::db::{host_checks, host_logins, job_steps};
use crate::domain::host::HostState;
use crate::domain::host_check::{self, Checked, Difference, Seen, Wanted};
use crate::domain::ids::HostId;
use crate::domain::ingress::{Home, PEER_PORT};
use crate::domain::job::{StepState, Stream};
use crate::domain::registry;
use crate::queue::{Job, Outcome, Run};
use crate::remote::{self, Host, RemoteScript};

/// Look whether a host is as it was made.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckHost {
    /// The host.
    pub host: HostId,
}

/// The lock key of a host's checks: they run beside what changes the host, and take no job's place in the queue.
pub fn lock_key(host: HostId) -> String {
    format!("check:{host}")
}

/// Says how a host is. As root, who may read everything.
const CHECK: RemoteScript = RemoteScript::as_root("check", include_str!("../../scripts/check.bash"));
/// The same where the user may not become root any more: what it can see.
const CHECK_AS_USER: RemoteScript = RemoteScript::new("check", CHECK.text);
/// Each question of the script has an answer within seconds, or none.
const LIMIT: Duration = Duration::from_secs(60);
/// While the host is made ready it is looked at anyway, and what is half made would be said to differ.
const BUSY_PAUSE: Duration = Duration::from_secs(5);
/// How often the proxy's files are read: a deploy may write one between a look at the ledger and one at the file.
const FILE_LOOKS: u32 = 3;
/// Between two of those looks.
const FILE_PAUSE: Duration = Duration::from_secs(1);
/// The steps.
const STEPS: [&str; 2] = ["look at the server", "compare it with how it was made"];

impl Job for CheckHost {
    const KIND: &'static str = "check_host";
    /// Some scripts of a minute at most, and a host that answers slowly.
    const DEADLINE: Duration = Duration::from_secs(300);
    type Ctx = Ctx;

    async fn run(self, ctx: &Ctx, run: &Run) -> Outcome {
        let (log, writer) = Log::open(run);
        let checked = tokio::select! {
            () = run.lost.cancelled() => Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }),
            () = run.cancel.cancelled() => Ok(Outcome::Cancelled),
            checked = self.check(ctx, run, &log) => checked,
        };
        let outcome = match checked {
            Ok(outcome) => outcome,
            Err(error) => Outcome::Again { after: run.backoff(), why: detail(error) },
        };
        drop(log);
        writer.close().await;
        outcome
    }
}

impl CheckHost {
    async fn check(&self, ctx: &Ctx, run: &Run, log: &Log) -> Result<Outcome, sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        let now = host_checks::now(&mut tx, &run.permit, self.host).await?;
        tx.commit().await?;
        let Some(now) = now else { return Ok(Outcome::Failed { reason: "The host is gone.".to_owned() }) };
        if now.provisioning.is_some() {
            let why = format!("{} is being made ready", now.name);
            return Ok(Outcome::Again { after: BUSY_PAUSE, why });
        }
        let steps = STEPS.map(|words| job_steps::NewStep {
            stage: String::new(),
            host: Some(self.host),
            words: words.to_owned(),
        });
        let mut tx = ctx.db.begin(&run.permit).await?;
        let first = job_steps::plan(&mut tx, &run.permit, run.job, run.fence, &steps).await?;
        tx.commit().await?;
        let Some(first) = first else { return Ok(Outcome::Again { after: Duration::ZERO, why: String::new() }) };
        log.began(first);
        let Some(reached) = access::reach(&ctx.access(), &run.permit, &[self.host]).await?.pop() else {
            return Ok(Outcome::Failed { reason: "The host is gone.".to_owned() });
        };
        let look = Look { ctx, run, log, reached: &reached };
        let found = match &reached.host {
            Ok(host) => look.at(host, first).await,
            Err(error) => Err(error.clone().into()),
        };
        match found {
            Ok(differences) => {
                let note = match differences.len() {
                    0 => "nothing differs".to_owned(),
                    1 => "one thing differs".to_owned(),
                    many => format!("{many} things differ"),
                };
                log.ended(first + 1, StepState::Unchanged, note);
                log.flush().await;
                self.note(ctx, run, None, &Checked { differences, failed: String::new() }).await?;
                Ok(Outcome::Succeeded)
            }
            Err(Broken::Db(error)) => Err(error),
            Err(broken) => {
                let state = match &broken {
                    Broken::Host(error) => {
                        pin::note_changed(ctx, &run.permit, self.host, error).await?;
                        state_after(error)
                    }
                    Broken::Said(_) | Broken::Again(_) | Broken::Db(_) => None,
                };
                let reason = log.redacted(&broken.sentence());
                log.say(None, &reason);
                log.flush().await;
                let checked = Checked { differences: Vec::new(), failed: reason.clone() };
                self.note(ctx, run, state.map(|state| (state, reason.as_str())), &checked).await?;
                Ok(Outcome::Failed { reason })
            }
        }
    }

    /// Writes down what was found, and how the host stands where that is news.
    async fn note(
        &self,
        ctx: &Ctx,
        run: &Run,
        state: Option<(HostState, &str)>,
        checked: &Checked,
    ) -> Result<(), sqlx::Error> {
        let mut tx = ctx.db.begin(&run.permit).await?;
        host_checks::note(&mut tx, &run.permit, self.host, checked).await?;
        if let Some((state, words)) = state {
            host_logins::observed(&mut tx, &run.permit, self.host, state, words).await?;
        }
        tx.commit().await
    }
}

/// How a host stands that was asked and failed like this; none where that says nothing about it.
fn state_after(error: &remote::Error) -> Option<HostState> {
    match error {
        remote::Error::HostKeyChanged { .. } => Some(HostState::KeyMismatch),
        error if error.is_connection() => Some(HostState::Unreachable),
        _ => None,
    }
}

/// One look at one host.
struct Look<'a> {
    ctx: &'a Ctx,
    run: &'a Run,
    log: &'a Log,
    reached: &'a Reached,
}

impl Look<'_> {
    async fn at(&self, host: &Host, first: i32) -> Result<Vec<Difference>, Broken> {
        let os = self.facts(host, first).await?;
        self.log.ended(first, StepState::Unchanged, os);
        let row = &self.reached.row;
        let port = |port: i32| u16::try_from(port).unwrap_or(80);
        let wanted = Wanted {
            http_port: port(row.proxy_port),
            https_port: row.proxy_https_port.map(port),
            peer_port: row.peer_address.is_some().then_some(PEER_PORT),
            registry_port: row.builds.then_some(registry::PORT),
        };
        self.log.began(first + 1);
        let mut seen = self.script(host, &wanted, first + 1).await?;
        seen.files = self.files(host).await?;
        seen.networks = self.networks(host).await?;
        let differences = host_check::compare(&seen, &wanted);
        for Difference { what, is, should, act } in &differences {
            self.log.say(Some(first + 1), format!("{what}: {is}; should be: {should}. {act}"));
        }
        Ok(differences)
    }

    /// What the host says it is, refreshed.
    async fn facts(&self, host: &Host, seq: i32) -> Result<String, Broken> {
        let (mut lines, log) = (Vec::new(), self.log);
        let mut keep = |_, line: &[u8]| {
            log.line(Some(seq), Stream::Out, line);
            lines.push(String::from_utf8_lossy(line).into_owned());
        };
        let exit = host.run(&scripts::FACTS, &[], LIMIT, &mut keep).await?;
        if !exit.ok() {
            return Err(Broken::Said(format!("The server could not say what it is (status {}).", exit.status)));
        }
        let facts = facts::read(&lines);
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        host_logins::facts(&mut tx, &self.run.permit, self.reached.id(), &facts).await?;
        tx.commit().await?;
        Ok(facts.os)
    }

    /// What the script sees: as root, or else as the user, and then that it may not become root.
    async fn script(&self, host: &Host, wanted: &Wanted, seq: i32) -> Result<Seen, Broken> {
        let (seen, said, status) = self.ask(host, &CHECK, wanted, seq).await?;
        if seen.is_whole() {
            return Ok(seen);
        }
        let Some(why) = said.iter().find_map(|line| scripts::no_root(line)) else {
            return Err(Broken::Said(format!("The server could not say how it is (status {status}).")));
        };
        let (mut seen, _, status) = self.ask(host, &CHECK_AS_USER, wanted, seq).await?;
        if !seen.is_whole() {
            return Err(Broken::Said(format!("The server could not say how it is (status {status}).")));
        }
        seen.no_root = Some(why.to_owned());
        Ok(seen)
    }

    async fn ask(
        &self,
        host: &Host,
        script: &RemoteScript,
        wanted: &Wanted,
        seq: i32,
    ) -> Result<(Seen, Vec<String>, u32), Broken> {
        let key = remote::keys::public_line(&host.login().key)?;
        let text = |port: Option<u16>| port.map(|port| port.to_string()).unwrap_or_default();
        let (http, https) = (wanted.http_port.to_string(), text(wanted.https_port));
        let (peer, registry) = (text(wanted.peer_port), text(wanted.registry_port));
        let params = [
            ("PUBLIC_KEY", key.as_str()),
            ("HTTP_PORT", http.as_str()),
            ("HTTPS_PORT", https.as_str()),
            ("PEER_PORT", peer.as_str()),
            ("REGISTRY_PORT", registry.as_str()),
        ];
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let panel = host_checks::clock_ms(&mut tx).await?;
        tx.commit().await?;
        let (asked, mut ahead, log) = (Instant::now(), None, self.log);
        let (mut lines, mut said) = (Vec::new(), Vec::new());
        let mut keep = |stream, line: &[u8]| {
            let text = String::from_utf8_lossy(line).into_owned();
            let stream = match stream {
                remote::Stream::Out => {
                    if let Some(theirs) = text.strip_prefix("CLOCK_MS=").and_then(|ms| ms.parse::<i64>().ok()) {
                        let since = i64::try_from(asked.elapsed().as_millis()).unwrap_or(0);
                        ahead = Some(theirs.saturating_sub(panel.saturating_add(since)));
                    }
                    lines.push(text);
                    Stream::Out
                }
                remote::Stream::Err => {
                    said.push(text);
                    Stream::Err
                }
            };
            log.line(Some(seq), stream, line);
        };
        let exit = host.run(script, &params, LIMIT, &mut keep).await?;
        let mut seen = Seen::read(&lines);
        seen.ahead_ms = ahead;
        Ok((seen, said, exit.status))
    }

    /// Files of the proxy that are not as the panel wants them.
    async fn files(&self, host: &Host) -> Result<Vec<(&'static str, String)>, Broken> {
        let mut differ = self.files_once(host).await?;
        for _ in 1..FILE_LOOKS {
            if differ.is_empty() {
                break;
            }
            tokio::time::sleep(FILE_PAUSE).await;
            differ = self.files_once(host).await?;
        }
        if !differ.is_empty() {
            let mut tx = self.ctx.db.begin(&self.run.permit).await?;
            let moves = host_checks::in_motion(&mut tx, &self.run.permit).await?;
            tx.commit().await?;
            if moves {
                self.log.say(None, "The proxy's files are not compared: a deploy is changing them.");
                return Ok(Vec::new());
            }
        }
        Ok(differ)
    }

    async fn files_once(&self, host: &Host) -> Result<Vec<(&'static str, String)>, Broken> {
        let row = &self.reached.row;
        let wanted = ingress::of_host(self.ctx, &self.run.permit, row.id, &Listens::now(row)).await?;
        let Home { map, .. } = &wanted.home;
        let mut differ = Vec::new();
        // The list of other hosts is not compared: it heals with the next deploy.
        let mut files = vec![
            (ingress::CONFIG, ingress::CONFIG.to_owned(), wanted.haproxy_cfg()),
            ("the proxy's map of routes", map.to_string(), wanted.routes_map()),
        ];
        files.extend(
            super::certificates::lists(&wanted)
                .into_iter()
                .map(|(path, text)| ("the proxy's lists of HTTPS", path, text)),
        );
        for (name, path, text) in files {
            match host.get(&path).await {
                Ok(bytes) if bytes == text.as_bytes() => {}
                Ok(bytes) => differ.push((name, first_difference(&String::from_utf8_lossy(&bytes), &text))),
                Err(remote::Error::NotFound { .. }) => differ.push((name, String::new())),
                Err(error) if error.is_connection() => return Err(error.into()),
                Err(error) => differ.push((name, detail(error))),
            }
        }
        Ok(differ)
    }

    /// Networks that should be there, and how they are. A Docker that does not answer is said elsewhere.
    async fn networks(&self, host: &Host) -> Result<Vec<(String, String, Option<String>)>, Broken> {
        let mut tx = self.ctx.db.begin(&self.run.permit).await?;
        let wanted = host_checks::networks(&mut tx, &self.run.permit, self.reached.id()).await?;
        tx.commit().await?;
        let mut networks = Vec::new();
        for network in wanted {
            let Some(should) = network.subnet() else { continue };
            match host.docker().network(&network.name).await {
                Ok(seen) => networks.push((network.environment, should, seen.map(|seen| seen.subnet))),
                Err(error) if error.is_connection() => return Err(error.into()),
                Err(_) => break,
            }
        }
        Ok(networks)
    }
}

/// Where a file differs first, in words.
fn first_difference(is: &str, should: &str) -> String {
    let same = is.lines().zip(should.lines()).take_while(|(is, should)| is == should).count();
    format!("differs from line {} on", same + 1)
}

//! One run of `git`: absolute program, cleared environment, no shell of ours, its own process group, a time limit, and
//! caps on what is read from it.

use std::ffi::OsStr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, ChildStdout, Command};

use super::access::Env;
use super::{Error, Git};
use crate::domain::deploy::Failure;

/// Bytes kept of what git says on standard error: its reason stands at the end of a few lines.
const STDERR_CAP: usize = 16 * 1024;
/// Calls that touch only the cached clone answer in milliseconds; on a busy disk in seconds.
pub(super) const LOCAL_LIMIT: Duration = Duration::from_secs(60);
/// Bytes read of an answer that should be small.
pub(super) const SMALL: usize = 64 * 1024;

/// Settings of every run. They stand in the environment, which outranks any file.
const CONFIG: [(&str, &str); 13] = [
    ("core.hooksPath", "/dev/null"),
    ("core.fsmonitor", "false"),
    ("protocol.ext.allow", "never"),
    ("credential.helper", ""),
    ("core.askPass", ""),
    // A forge that sends less than 1,000 bytes a second for 30 s is not going to finish.
    ("http.lowSpeedLimit", "1000"),
    ("http.lowSpeedTime", "30"),
    ("http.followRedirects", "initial"),
    ("submodule.recurse", "false"),
    ("fetch.recurseSubmodules", "false"),
    ("gc.autoDetach", "false"),
    ("maintenance.auto", "false"),
    // Files get the modes of a usual checkout.
    ("tar.umask", "0022"),
];

/// How a run ended.
pub(super) struct Ended {
    /// The exit status; none where a signal ended it.
    pub(super) code: Option<i32>,
    /// Standard output.
    pub(super) out: Vec<u8>,
    /// Standard error, its last part.
    pub(super) err: String,
}

/// A running `git`. Dropping it kills it and what it started (its transport helpers, ssh).
pub(super) struct Running {
    child: Child,
}

impl Running {
    /// Its standard output, once.
    pub(super) fn out(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Reads standard error to its end and waits; standard output must have been read or dropped.
    pub(super) async fn end(mut self) -> Result<(Option<i32>, String), Error> {
        let err = last_of(self.child.stderr.take(), STDERR_CAP).await;
        let status = self.child.wait().await.map_err(Error::local("waiting for git"))?;
        Ok((status.code(), err))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // No id once it was waited for: its number may be another process's by then.
        let group = self.child.id().and_then(|id| i32::try_from(id).ok()).and_then(rustix::process::Pid::from_raw);
        if let Some(group) = group {
            // Only fails where the group is gone, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Git {
    /// What `git --version` prints.
    pub(super) async fn version(&self) -> Result<String, Error> {
        let ended = self.run(None, &["--version"], &Env::default(), LOCAL_LIMIT, SMALL).await?;
        Ok(String::from_utf8_lossy(&ended.out).trim().trim_start_matches("git version ").to_owned())
    }

    /// Runs git to its end. More output than `cap` bytes, or more time than `limit`, is an error.
    pub(super) async fn run<A: AsRef<OsStr>>(
        &self,
        clone: Option<&Path>,
        args: &[A],
        env: &Env,
        limit: Duration,
        cap: usize,
    ) -> Result<Ended, Error> {
        let mut running = self.start(clone, args, env)?;
        let out = running.out();
        let whole = async {
            let (out, ended) = tokio::join!(first_of(out, cap), running.end());
            let (code, err) = ended?;
            Ok(Ended { code, out: out?, err })
        };
        let seconds = limit.as_secs();
        let late = || Failure::SourceUnreachable { detail: format!("git was not done after {seconds} seconds") };
        tokio::time::timeout(limit, whole).await.map_err(|_| late())?
    }

    /// Starts git with its output on pipes.
    #[expect(clippy::disallowed_methods, reason = "the one place of this crate that starts git")]
    pub(super) fn start<A: AsRef<OsStr>>(&self, clone: Option<&Path>, args: &[A], env: &Env) -> Result<Running, Error> {
        let mut command = Command::new(&self.program);
        command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true).process_group(0).current_dir("/");
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin").env("LC_ALL", "C").env("HOME", "/nonexistent");
        command.env("GIT_CONFIG_NOSYSTEM", "1").env("GIT_CONFIG_GLOBAL", "/dev/null");
        command.env("GIT_TERMINAL_PROMPT", "0").env("GIT_ALLOW_PROTOCOL", "");
        if let Some(clone) = clone {
            command.env("GIT_DIR", clone);
        }
        command.envs(env.vars.iter().map(|(name, value)| (name, value)));
        let constant = CONFIG.iter().map(|(key, value)| (*key, *value));
        let own = env.config.iter().map(|(key, value)| (key.as_str(), value.as_str()));
        let mut count = 0_usize;
        for (key, value) in constant.chain(own) {
            command.env(format!("GIT_CONFIG_KEY_{count}"), key).env(format!("GIT_CONFIG_VALUE_{count}"), value);
            count += 1;
        }
        command.env("GIT_CONFIG_COUNT", count.to_string()).args(args);
        let child = command.spawn().map_err(Error::local("starting git"))?;
        Ok(Running { child })
    }
}

/// All of a stream, unless it is longer than the cap.
async fn first_of(from: Option<impl AsyncRead + Unpin>, cap: usize) -> Result<Vec<u8>, Error> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        let limit = u64::try_from(cap).unwrap_or(u64::MAX).saturating_add(1);
        from.take(limit).read_to_end(&mut bytes).await.map_err(Error::local("reading from git"))?;
    }
    if bytes.len() > cap {
        return Err(Failure::SourceUnreachable { detail: "git answered with more than is sensible".into() }.into());
    }
    Ok(bytes)
}

/// The last part of a stream, read to its end.
async fn last_of(from: Option<impl AsyncRead + Unpin>, cap: usize) -> String {
    let mut kept = Vec::new();
    let mut piece = [0_u8; 4096];
    if let Some(mut from) = from {
        // Bounded by the caller's time limit.
        while let Ok(n @ 1..) = from.read(&mut piece).await {
            kept.extend_from_slice(piece.get(..n).unwrap_or_default());
            if kept.len() > 2 * cap {
                kept.drain(..kept.len() - cap);
            }
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

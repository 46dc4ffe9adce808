//! A command inside a running container: its output by lines, and its exit status.

use bollard::exec::StartExecResults;
use bollard::models::ExecConfig;
use futures_util::StreamExt;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::containers::Which;
use super::{CALL_LIMIT, Docker};
use crate::remote::error::Error;
use crate::remote::lines::Lines;

/// Output kept of one command; the rest is read and let go.
pub const EXEC_BYTES: usize = 64 * 1024;

/// How a command in a container ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// Its exit status.
    pub code: i64,
    /// What it wrote to both streams, by lines, at most 64 KiB: hostile text.
    pub lines: Vec<Vec<u8>>,
}

impl Docker {
    /// Runs a program with arguments in a container, without a shell. [`Error::TimedOut`] when `limit` is over; the
    /// program may then still run.
    pub async fn exec(&self, which: impl Into<Which<'_>>, argv: &[String], limit: Duration) -> Result<Executed, Error> {
        const WHAT: &str = "A command in a container";
        let config = ExecConfig {
            attach_stdout: Some(true),
            attach_stderr: Some(true),
            cmd: Some(argv.to_vec()),
            ..Default::default()
        };
        let until = Instant::now() + limit;
        let made = self.call(WHAT, self.api.create_exec(which.into().text(), config)).await?;
        // The id goes into a path: only digits of the form Docker gives may.
        if made.id.len() != 64 || !made.id.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(Error::Refused { detail: "Docker's answer has no valid exec id".to_owned() });
        }
        let mut kept = Vec::new();
        let (mut lines, mut bytes) = (Lines::default(), 0);
        let mut keep = |line: &[u8]| {
            bytes += line.len();
            if bytes <= EXEC_BYTES {
                kept.push(line.to_vec());
            }
        };
        if let StartExecResults::Attached { mut output, .. } =
            self.call(WHAT, self.api.start_exec(&made.id, None)).await?
        {
            loop {
                match timeout_at(until, output.next()).await {
                    Ok(Some(Ok(piece))) => lines.feed(&piece.into_bytes(), &mut keep),
                    Ok(Some(Err(error))) => return Err(self.fault(WHAT, CALL_LIMIT, error).await),
                    Ok(None) => break,
                    Err(_) => return Err(Error::TimedOut { what: WHAT, after: limit }),
                }
            }
            lines.end(&mut keep);
        }
        let end = self.call(WHAT, self.api.inspect_exec(&made.id)).await?;
        Ok(Executed { code: end.exit_code.unwrap_or(-1), lines: kept })
    }
}

//! Constant scripts on a host. The command that sshd is given never differs; the script and its parameters arrive on
//! standard input and become variables without being read as code. Not here: the scripts.

use russh::ChannelMsg;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};

use super::error::Error;
use super::lines::Lines;
use super::session::{Session, unreachable};

/// Reads NUL-ended records from standard input: first the script, then `NAME=value`s, up to an empty record. What
/// follows that is the script's own standard input. `printf -v` assigns bytes; nothing is evaluated but the script.
const LOAD: &str = r#"LC_ALL=C exec /bin/bash --noprofile --norc -c 'IFS= read -r -d "" skiff_script || exit 125; while IFS= read -r -d "" skiff_line && [ -n "$skiff_line" ]; do case "${skiff_line%%=*}" in *[!A-Z0-9_]*|"") exit 125;; esac; printf -v "${skiff_line%%=*}" %s "${skiff_line#*=}"; done; unset skiff_line; eval "$skiff_script"' skiff"#;
/// The same as root.
const LOAD_AS_ROOT: &str = r#"LC_ALL=C exec sudo -n -- /bin/bash --noprofile --norc -c 'export LC_ALL=C; IFS= read -r -d "" skiff_script || exit 125; while IFS= read -r -d "" skiff_line && [ -n "$skiff_line" ]; do case "${skiff_line%%=*}" in *[!A-Z0-9_]*|"") exit 125;; esac; printf -v "${skiff_line%%=*}" %s "${skiff_line#*=}"; done; unset skiff_line; eval "$skiff_script"' skiff"#;
/// Output of one script beyond this is dropped and the exit says so: no script of ours prints a fraction of it.
pub const OUTPUT_BYTES: u64 = 16 << 20;
/// A parameter longer than this is refused: it would be read byte by byte.
pub const PARAMETER_BYTES: usize = 1 << 20;

/// A script of this repository.
#[derive(Clone, Copy, Debug)]
pub struct RemoteScript {
    /// Its name, for steps and sentences.
    pub name: &'static str,
    /// Its text, for bash.
    pub text: &'static str,
    /// True where it runs as root by `sudo -n`.
    pub root: bool,
}

impl RemoteScript {
    /// A script run as the login user.
    pub const fn new(name: &'static str, text: &'static str) -> Self {
        Self { name, text, root: false }
    }

    /// A script run as root.
    pub const fn as_root(name: &'static str, text: &'static str) -> Self {
        Self { name, text, root: true }
    }
}

/// Where a line came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// How a script ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Its status; 128 + n where a signal ended it, 255 where the host did not say.
    pub status: u32,
    /// True when output was dropped for its size.
    pub truncated: bool,
}

impl Exit {
    /// True for status 0.
    pub fn ok(&self) -> bool {
        self.status == 0
    }
}

/// Runs a script to its end. When `limit` is over it is told to end, and [`Error::TimedOut`] returned.
pub(crate) async fn run(
    session: std::sync::Arc<Session>,
    script: &RemoteScript,
    params: &[(&'static str, &str)],
    limit: Duration,
    on_line: &mut (dyn FnMut(Stream, &[u8]) + Send),
) -> Result<Exit, Error> {
    let input = input(script, params)?;
    let mut exec = session.open_session().await?;
    let load = if script.root { LOAD_AS_ROOT } else { LOAD };
    exec.write.exec(true, load).await.map_err(|e| unreachable(&e))?;
    let until = Instant::now() + limit;
    let write = exec.write.clone();
    let send = async move {
        write.data_bytes(input).await?;
        write.eof().await
    };
    let mut receipt = Receipt::default();
    let receive = async {
        while let Some(message) = exec.read.wait().await {
            receipt.take(message, on_line);
        }
    };
    // The end of what comes back is the end, whether or not everything was read over there.
    let exchange = async {
        tokio::select! {
            () = receive => {}
            () = async { let _ = send.await; std::future::pending().await } => {}
        }
    };
    if timeout_at(until, exchange).await.is_err() {
        let _ = timeout_at(Instant::now() + Duration::from_secs(1), exec.write.signal(russh::Sig::TERM)).await;
        return Err(Error::TimedOut { what: script.name, after: limit });
    }
    receipt.end(on_line);
    match receipt.status {
        Some(status) => Ok(Exit { status, truncated: receipt.bytes > OUTPUT_BYTES }),
        None => Err(Error::Unreachable { detail: format!("the connection broke during {}", script.name) }),
    }
}

/// What is sent on standard input.
fn input(script: &RemoteScript, params: &[(&'static str, &str)]) -> Result<Vec<u8>, Error> {
    let mut input = Vec::with_capacity(script.text.len() + 256);
    let refuse = |why: &str| Err(Error::Refused { detail: format!("{}: {why}", script.name) });
    input.extend_from_slice(script.text.as_bytes());
    input.push(0);
    for (name, value) in params {
        let plain = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        if !name.chars().all(plain) || !name.starts_with(|c: char| c.is_ascii_uppercase()) {
            return refuse("a parameter's name is not made of capital letters");
        }
        if value.contains('\0') || value.len() > PARAMETER_BYTES {
            return refuse("a parameter holds a NUL or is longer than 1 MiB");
        }
        for part in [name.as_bytes(), b"=", value.as_bytes(), b"\0"] {
            input.extend_from_slice(part);
        }
    }
    input.push(0);
    Ok(input)
}

/// What has come back.
#[derive(Default)]
struct Receipt {
    out: Lines,
    err: Lines,
    bytes: u64,
    status: Option<u32>,
}

impl Receipt {
    fn take(&mut self, message: ChannelMsg, on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        match message {
            ChannelMsg::Data { data } if self.fits(data.len()) => {
                self.out.feed(&data, &mut |line| on_line(Stream::Out, line));
            }
            ChannelMsg::ExtendedData { data, .. } if self.fits(data.len()) => {
                self.err.feed(&data, &mut |line| on_line(Stream::Err, line));
            }
            ChannelMsg::ExitStatus { exit_status } => self.status = Some(exit_status),
            ChannelMsg::ExitSignal { signal_name, .. } => self.status = Some(128 + number(&signal_name)),
            ChannelMsg::Failure => self.status = Some(255),
            _ => {}
        }
    }

    fn fits(&mut self, more: usize) -> bool {
        self.bytes = self.bytes.saturating_add(u64::try_from(more).unwrap_or(u64::MAX));
        self.bytes <= OUTPUT_BYTES
    }

    fn end(&mut self, on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        self.out.end(&mut |line| on_line(Stream::Out, line));
        self.err.end(&mut |line| on_line(Stream::Err, line));
    }
}

/// The numbers of the signals that end scripts (signal(7)); 0 for the rest.
fn number(signal: &russh::Sig) -> u32 {
    match signal {
        russh::Sig::HUP => 1,
        russh::Sig::INT => 2,
        russh::Sig::ABRT => 6,
        russh::Sig::KILL => 9,
        russh::Sig::SEGV => 11,
        russh::Sig::PIPE => 13,
        russh::Sig::TERM => 15,
        _ => 0,
    }
}

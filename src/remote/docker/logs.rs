//! A container's output: its last lines, or as it comes.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout_at};

use super::build::{Tasks, send};
use super::containers::Which;
use super::transport::Transport;
use super::{CALL_LIMIT, Docker};
use crate::remote::error::{Error, detail};
use crate::remote::lines::Lines;
use crate::remote::script::Stream;

/// The last lines never are more than this: more is a download.
pub const TAIL_LINES: u16 = 5_000;
/// Bytes of them at most; older lines are let go.
const TAIL_BYTES: usize = 8 << 20;
/// Lines that wait for a slow reader; what comes beyond is counted and let go, for an unread stream would stop the
/// whole connection. 16 MiB at most.
const FOLLOW_LINES: usize = 1024;
/// A frame of output begins with its stream, three zeros, and its length (Docker Engine API, "Attach").
const HEAD_BYTES: usize = 8;
/// Docker keeps longer lines in pieces of this size.
const PIECE_BYTES: usize = 16 * 1024;
/// The stream's number of standard error.
const STDERR: u8 = 2;

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written.
    pub stream: Stream,
    /// The bytes without the line's end, at most 16 KiB and a mark: hostile text.
    pub bytes: Vec<u8>,
    /// Lines lost just before this one, because the reader was too slow.
    pub lost_before: u64,
}

/// Output as it comes. Ends when the container does, or the connection.
pub struct Following {
    lines: mpsc::Receiver<LogLine>,
    pump: AbortHandle,
}

impl Following {
    /// The next line; `None` at the end.
    pub async fn next(&mut self) -> Option<LogLine> {
        self.lines.recv().await
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        self.pump.abort();
    }
}

/// Cuts output into lines, each stream by itself.
#[derive(Default)]
struct Sorter {
    out: Lines,
    err: Lines,
}

impl Sorter {
    fn feed(&mut self, output: &LogOutput, on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        let (
            err,
            LogOutput::StdErr { message }
            | LogOutput::StdOut { message }
            | LogOutput::StdIn { message }
            | LogOutput::Console { message },
        ) = (matches!(output, LogOutput::StdErr { .. }), output);
        self.take(err, message, on_line);
        self.over(err, message.len(), on_line);
    }

    /// A frame is a line, with its end or, from some daemons, without; only the pieces of a very long line are as long
    /// as a piece can be.
    fn over(&mut self, err: bool, length: usize, on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        match err {
            _ if length == PIECE_BYTES => {}
            true => self.err.end(&mut |line| on_line(Stream::Err, line)),
            false => self.out.end(&mut |line| on_line(Stream::Out, line)),
        }
    }

    fn take(&mut self, err: bool, bytes: &[u8], on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        if err {
            self.err.feed(bytes, &mut |line| on_line(Stream::Err, line));
        } else {
            self.out.feed(bytes, &mut |line| on_line(Stream::Out, line));
        }
    }

    fn end(&mut self, on_line: &mut (dyn FnMut(Stream, &[u8]) + Send)) {
        self.out.end(&mut |line| on_line(Stream::Out, line));
        self.err.end(&mut |line| on_line(Stream::Err, line));
    }
}

impl Docker {
    /// The last lines a container wrote, oldest first; at most [`TAIL_LINES`].
    pub async fn logs_tail(&self, which: impl Into<Which<'_>>, lines: u16) -> Result<Vec<LogLine>, Error> {
        const WHAT: &str = "Reading a container's output";
        let wanted = lines.min(TAIL_LINES);
        let options = LogsOptionsBuilder::default().stdout(true).stderr(true).tail(&wanted.to_string()).build();
        let mut stream = Box::pin(self.api.logs(which.into().text(), Some(options)));
        let until = Instant::now() + CALL_LIMIT;
        let (mut sorter, mut kept) = (Sorter::default(), Kept { lines: Vec::new(), bytes: 0 });
        loop {
            match timeout_at(until, stream.next()).await {
                Ok(Some(Ok(output))) => sorter.feed(&output, &mut |stream, line| kept.keep(stream, line)),
                Ok(Some(Err(error))) => return Err(self.fault(WHAT, CALL_LIMIT, error).await),
                Ok(None) => break,
                Err(_) => return Err(Error::TimedOut { what: WHAT, after: CALL_LIMIT }),
            }
        }
        sorter.end(&mut |stream, line| kept.keep(stream, line));
        let extra = kept.lines.len().saturating_sub(usize::from(wanted));
        Ok(kept.lines.split_off(extra))
    }

    /// Output as it comes, beginning with the last `tail` lines. Read on the bulk connection, by a pump that always
    /// drains: a slow reader loses lines, and is told how many.
    #[expect(clippy::disallowed_methods, reason = "the pump ends with the stream, or when its reader is dropped")]
    pub fn logs_follow<'a>(&self, which: impl Into<Which<'a>>, tail: u16) -> Following {
        let (send, lines) = mpsc::channel(FOLLOW_LINES);
        let transport = self.transport.clone();
        let which = which.into().text();
        let path = format!("/containers/{which}/logs?follow=1&stdout=1&stderr=1&tail={}", tail.min(TAIL_LINES));
        let pump = tokio::spawn(async move {
            let mut lost = 0;
            let mut pass = |stream, line: &[u8]| {
                let line = LogLine { stream, bytes: line.to_vec(), lost_before: lost };
                lost = if send.try_send(line).is_ok() { 0 } else { lost + 1 };
            };
            // How it ends is no news to the reader: whoever wants to know looks at the container.
            let _ = follow(&transport, &path, &mut pass).await;
        });
        Following { lines, pump: pump.abort_handle() }
    }
}

/// Reads frames of output to their end, none of them kept whole: a host says itself how long a frame is.
async fn follow(
    transport: &Transport,
    path: &str,
    on_line: &mut (dyn FnMut(Stream, &[u8]) + Send),
) -> Result<(), Error> {
    let mut tasks = Tasks::default();
    let ask = Request::get(path).header("host", "docker").body(Empty::<Bytes>::new());
    let ask = ask.map_err(|e| Error::Refused { detail: detail(e) })?;
    let answer = send(transport, &mut tasks, ask).await?;
    if !answer.status().is_success() {
        return Err(Error::NoSuchContainer);
    }
    let mut body = answer.into_body();
    let (mut sorter, mut head) = (Sorter::default(), Vec::with_capacity(HEAD_BYTES));
    let (mut length, mut left) = (0_usize, 0_usize);
    while let Some(Ok(frame)) = body.frame().await {
        let Ok(mut data) = frame.into_data() else { continue };
        while !data.is_empty() {
            if left > 0 {
                let piece = data.split_to(left.min(data.len()));
                let err = head.first() == Some(&STDERR);
                left -= piece.len();
                sorter.take(err, &piece, on_line);
                if left == 0 {
                    sorter.over(err, length, on_line);
                }
                continue;
            }
            if head.len() == HEAD_BYTES {
                head.clear();
            }
            head.extend_from_slice(&data.split_to((HEAD_BYTES - head.len()).min(data.len())));
            if let [_, _, _, _, a, b, c, d] = head.as_slice() {
                length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                left = length;
            }
        }
    }
    sorter.end(on_line);
    Ok(())
}

/// The newest lines within the bounds.
struct Kept {
    lines: Vec<LogLine>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, stream: Stream, line: &[u8]) {
        self.bytes += line.len();
        self.lines.push(LogLine { stream, bytes: line.to_vec(), lost_before: 0 });
        if self.bytes > TAIL_BYTES || self.lines.len() > 2 * usize::from(TAIL_LINES) {
            let half = self.lines.len() / 2;
            self.lines.drain(..half);
            self.bytes = self.lines.iter().map(|line| line.bytes.len()).sum();
        }
    }
}

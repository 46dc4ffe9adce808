//! A container's output: its last lines, or as it comes, with the moments of its lines where they are wanted.

use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptionsBuilder;
use bytes::Bytes;
use futures_util::StreamExt;
use http_body_util::{BodyExt, Empty};
use hyper::Request;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
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

/// Is told each line: when it was written where that is known, by which stream, and its bytes.
type OnLine<'a> = dyn FnMut(Option<OffsetDateTime>, Stream, &[u8]) + Send + 'a;

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
/// A moment before a line is 30 bytes and a blank (RFC 3339 with nanoseconds, UTC); what is longer is none.
const STAMP_BYTES: usize = 40;

/// A line of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Where it was written.
    pub stream: Stream,
    /// When, by the host's clock, where that was asked for.
    pub at: Option<OffsetDateTime>,
    /// The bytes without the line's end, at most 16 KiB and a mark: hostile text.
    pub bytes: Vec<u8>,
    /// Lines lost just before this one, because the reader was too slow.
    pub lost_before: u64,
}

/// Which output is read, with the moments of its lines.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// At most so many of the lines that are there, the newest.
    pub tail: u16,
    /// Not what is older than this.
    pub since: Option<OffsetDateTime>,
    /// Whether it goes on with what comes.
    pub follow: bool,
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
    pub fn logs_follow<'a>(&self, which: impl Into<Which<'a>>, tail: u16) -> Following {
        let path = format!(
            "/containers/{}/logs?follow=1&stdout=1&stderr=1&tail={}",
            which.into().text(),
            tail.min(TAIL_LINES)
        );
        self.pump(path, false)
    }

    /// The same with the moments of the lines, from where it is wanted on, with or without what comes later.
    pub fn logs_read<'a>(&self, which: impl Into<Which<'a>>, reading: Reading) -> Following {
        let Reading { tail, since, follow } = reading;
        let since =
            since.map(|at| format!("&since={}.{:09}", at.unix_timestamp(), at.nanosecond())).unwrap_or_default();
        let (which, tail, follow) = (which.into().text(), tail.min(TAIL_LINES), u8::from(follow));
        self.pump(
            format!("/containers/{which}/logs?follow={follow}&stdout=1&stderr=1&timestamps=1&tail={tail}{since}"),
            true,
        )
    }

    #[expect(clippy::disallowed_methods, reason = "the pump ends with the stream, or when its reader is dropped")]
    fn pump(&self, path: String, stamped: bool) -> Following {
        let (send, lines) = mpsc::channel(FOLLOW_LINES);
        let transport = self.transport.clone();
        let pump = tokio::spawn(async move {
            let mut lost = 0;
            let mut pass = |at, stream, line: &[u8]| {
                let line = LogLine { stream, at, bytes: line.to_vec(), lost_before: lost };
                lost = if send.try_send(line).is_ok() { 0 } else { lost + 1 };
            };
            // How it ends is no news to the reader: whoever wants to know looks at the container.
            let _ = follow(&transport, &path, stamped, &mut pass).await;
        });
        Following { lines, pump: pump.abort_handle() }
    }
}

/// Reads frames of output to their end, none of them kept whole: a host says itself how long a frame is.
async fn follow(transport: &Transport, path: &str, stamped: bool, on_line: &mut OnLine<'_>) -> Result<(), Error> {
    let mut tasks = Tasks::default();
    let ask = Request::get(path).header("host", "docker").body(Empty::<Bytes>::new());
    let ask = ask.map_err(|e| Error::Refused { detail: detail(e) })?;
    let answer = send(transport, &mut tasks, ask).await?;
    if !answer.status().is_success() {
        return Err(Error::NoSuchContainer);
    }
    let mut body = answer.into_body();
    let mut frames = Frames::new(stamped);
    while let Some(Ok(frame)) = body.frame().await {
        if let Ok(data) = frame.into_data() {
            frames.feed(data, on_line);
        }
    }
    frames.end(on_line);
    Ok(())
}

/// Takes frames apart, however their bytes arrive.
#[derive(Default)]
struct Frames {
    sorter: Sorter,
    head: Vec<u8>,
    /// Bytes of the present frame's text, and those that are still to come.
    length: usize,
    left: usize,
    /// Whether each frame begins with a moment.
    stamped: bool,
    /// The beginning of the present frame's moment, while it is being read.
    stamp: Option<Vec<u8>>,
    at: Option<OffsetDateTime>,
}

impl Frames {
    fn new(stamped: bool) -> Self {
        Self { stamped, head: Vec::with_capacity(HEAD_BYTES), ..Self::default() }
    }

    fn feed(&mut self, mut data: Bytes, on_line: &mut OnLine<'_>) {
        while !data.is_empty() {
            if self.left > 0 {
                let piece = data.split_to(self.left.min(data.len()));
                self.left -= piece.len();
                let piece = self.without_stamp(piece);
                let (err, at) = (self.head.first() == Some(&STDERR), self.at);
                self.sorter.take(err, &piece, &mut |stream, line| on_line(at, stream, line));
                if self.left == 0 {
                    self.sorter.over(err, self.length, &mut |stream, line| on_line(at, stream, line));
                }
                continue;
            }
            if self.head.len() == HEAD_BYTES {
                self.head.clear();
            }
            self.head.extend_from_slice(&data.split_to((HEAD_BYTES - self.head.len()).min(data.len())));
            if let [_, _, _, _, a, b, c, d] = self.head.as_slice() {
                self.length = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
                self.left = self.length;
                self.stamp = self.stamped.then(Vec::new);
            }
        }
    }

    /// Takes the frame's moment off its beginning. What is no moment is text.
    fn without_stamp(&mut self, mut piece: Bytes) -> Bytes {
        let Some(stamp) = &mut self.stamp else { return piece };
        let room = STAMP_BYTES.saturating_sub(stamp.len());
        match piece.iter().take(room).position(|byte| *byte == b' ') {
            Some(end) => {
                stamp.extend_from_slice(&piece.split_to(end));
                let _blank = piece.split_to(1);
                self.length = self.length.saturating_sub(stamp.len() + 1);
                self.at = std::str::from_utf8(stamp).ok().and_then(|text| OffsetDateTime::parse(text, &Rfc3339).ok());
                self.stamp = None;
                piece
            }
            None if piece.len() < room && self.left > 0 => {
                stamp.extend_from_slice(&piece);
                Bytes::new()
            }
            None => {
                let mut text = std::mem::take(stamp);
                text.extend_from_slice(&piece);
                (self.stamp, self.at) = (None, None);
                text.into()
            }
        }
    }

    fn end(&mut self, on_line: &mut OnLine<'_>) {
        let at = self.at;
        self.sorter.end(&mut |stream, line| on_line(at, stream, line));
    }
}

/// The newest lines within the bounds.
struct Kept {
    lines: Vec<LogLine>,
    bytes: usize,
}

impl Kept {
    fn keep(&mut self, stream: Stream, line: &[u8]) {
        self.bytes += line.len();
        self.lines.push(LogLine { stream, at: None, bytes: line.to_vec(), lost_before: 0 });
        if self.bytes > TAIL_BYTES || self.lines.len() > 2 * usize::from(TAIL_LINES) {
            let half = self.lines.len() / 2;
            self.lines.drain(..half);
            self.bytes = self.lines.iter().map(|line| line.bytes.len()).sum();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &[u8]) -> Vec<u8> {
        let length = u32::try_from(text.len()).unwrap().to_be_bytes();
        [&[stream, 0, 0, 0], &length[..], text].concat()
    }

    /// What is read of these bytes when they arrive in pieces of so many.
    fn read(bytes: &[u8], pieces: usize) -> Vec<(Option<i128>, Stream, Vec<u8>)> {
        let (mut frames, mut lines) = (Frames::new(true), Vec::new());
        let mut on_line = |at: Option<OffsetDateTime>, stream, line: &[u8]| {
            lines.push((at.map(OffsetDateTime::unix_timestamp_nanos), stream, line.to_vec()));
        };
        for piece in bytes.chunks(pieces) {
            frames.feed(Bytes::copy_from_slice(piece), &mut on_line);
        }
        frames.end(&mut on_line);
        lines
    }

    #[test]
    fn lines_with_their_moments_are_read_however_they_arrive() {
        let first = frame(1, b"1970-01-01T00:00:01.000000002Z hello\n");
        let second = frame(2, b"1970-01-01T00:00:03.000000000Z oh no\n");
        let without = frame(1, b"no-moment-at-all-and-longer-than-forty-bytes-of-it here\n");
        let mut long = b"1970-01-01T00:00:05.000000000Z ".to_vec();
        long.extend(vec![b'x'; PIECE_BYTES]);
        let end = frame(1, b"1970-01-01T00:00:05.000000001Z end\n");
        let all = [first, second, without, frame(1, &long), end].concat();
        for pieces in [1, 7, 64, all.len()] {
            let lines = read(&all, pieces);
            assert_eq!(lines.len(), 4, "in pieces of {pieces}");
            assert_eq!(lines[0], (Some(1_000_000_002), Stream::Out, b"hello".to_vec()));
            assert_eq!(lines[1], (Some(3_000_000_000), Stream::Err, b"oh no".to_vec()));
            assert_eq!((lines[2].0, lines[2].2.ends_with(b"here")), (None, true));
            // A line in two pieces is one, and cut.
            assert!(lines[3].2.starts_with(b"xxx") && lines[3].2.len() < PIECE_BYTES + 100);
        }
    }
}

//! A channel as a byte stream that holds its place in the budget, keeps its connection alive, and bounds what a host
//! may send in answer to one question.

use hyper_util::client::legacy::connect::{Connected, Connection};
use russh::ChannelStream;
use russh::client::Msg;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::OwnedSemaphorePermit;

use super::session::Session;

/// One channel.
pub(crate) struct Io {
    stream: ChannelStream<Msg>,
    /// Bytes that may still be read until something is written: `None` for no bound.
    answer: Option<u64>,
    left: u64,
    _permit: OwnedSemaphorePermit,
    _session: Arc<Session>,
}

impl Io {
    /// A channel in its place of the budget.
    pub fn new(stream: ChannelStream<Msg>, permit: OwnedSemaphorePermit, session: Arc<Session>) -> Self {
        Self { stream, answer: None, left: 0, _permit: permit, _session: session }
    }

    /// Bounds each answer: whoever asks again (writes) may be answered as much again.
    pub fn with_answers_up_to(mut self, bytes: Option<u64>) -> Self {
        self.answer = bytes;
        self.left = bytes.unwrap_or(0);
        self
    }
}

impl AsyncRead for Io {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.answer.is_some() {
            let read = u64::try_from(buf.filled().len() - before).unwrap_or(u64::MAX);
            match self.left.checked_sub(read) {
                Some(left) => self.left = left,
                None => return Poll::Ready(Err(io::Error::other("the host's answer is too large"))),
            }
        }
        polled
    }
}

impl AsyncWrite for Io {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.left = self.answer.unwrap_or(0);
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Connection for Io {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

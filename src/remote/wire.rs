//! The TCP connection below SSH, which can be cut from our side: a host that stopped answering never says so, and SSH
//! alone would wait for what it still wants to send.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// A TCP connection until it is cut. Reading and writing each notice by themselves.
pub(super) struct Wire {
    tcp: TcpStream,
    read_cut: Pin<Box<WaitForCancellationFutureOwned>>,
    write_cut: Pin<Box<WaitForCancellationFutureOwned>>,
}

impl Wire {
    /// Connects; small messages leave at once.
    pub async fn connect(address: &str, port: u16, cut: &CancellationToken) -> io::Result<Self> {
        let tcp = TcpStream::connect((address, port)).await?;
        tcp.set_nodelay(true)?;
        let noticing = || Box::pin(cut.clone().cancelled_owned());
        Ok(Self { tcp, read_cut: noticing(), write_cut: noticing() })
    }
}

/// An error once the wire is cut.
fn whole(cut: &mut Pin<Box<WaitForCancellationFutureOwned>>, cx: &mut Context<'_>) -> io::Result<()> {
    match cut.as_mut().poll(cx) {
        Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the host stopped answering")),
        Poll::Pending => Ok(()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        whole(&mut self.read_cut, cx)?;
        Pin::new(&mut self.tcp).poll_read(cx, buf)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        whole(&mut self.write_cut, cx)?;
        Pin::new(&mut self.tcp).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        whole(&mut self.write_cut, cx)?;
        Pin::new(&mut self.tcp).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tcp).poll_shutdown(cx)
    }
}

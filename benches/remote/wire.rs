//! A longer wire: connections to it reach the host, and every byte is under way for half of the delay, in both directions.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// The address and port by which the host is so far away. With no delay it is the host's own.
pub async fn delayed(address: &str, port: u16, delay: Duration) -> (String, u16) {
    if delay.is_zero() {
        return (address.to_owned(), port);
    }
    let (listener, to) = (TcpListener::bind("127.0.0.1:0").await.unwrap(), (address.to_owned(), port));
    let at = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let far = TcpStream::connect((to.0.as_str(), to.1)).await.unwrap();
            near.set_nodelay(true).unwrap();
            far.set_nodelay(true).unwrap();
            let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
            carry(near_read, far_write, delay / 2);
            carry(far_read, near_write, delay / 2);
        }
    });
    (at.ip().to_string(), at.port())
}

fn carry(
    mut from: impl AsyncRead + Unpin + Send + 'static,
    mut to: impl AsyncWrite + Unpin + Send + 'static,
    delay: Duration,
) {
    let (sender, mut under_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    tokio::spawn(async move {
        let mut piece = vec![0; 64 * 1024];
        while let Ok(read @ 1..) = from.read(&mut piece).await {
            if sender.send((Instant::now() + delay, piece[..read].to_vec())).is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((at, bytes)) = under_way.recv().await {
            sleep_until(at).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}

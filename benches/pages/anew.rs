//! A page read anew: something was written before each request, so that nothing kept answers it. One request after the other.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::load;

/// Requests of one measurement.
const TIMES: usize = 200;

/// The median time of an answer.
pub async fn median(conn: &mut PgConnection, authority: &str, paths: &[String], cookie: &str) -> Duration {
    let mut stream = TcpStream::connect(authority).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut buffer) = (Vec::new(), vec![0; 1 << 20]);
    for path in paths.iter().cycle().take(TIMES) {
        load::write(conn).await;
        let began = Instant::now();
        stream.write_all(&load::request(authority, path, cookie)).await.unwrap();
        load::answer(&mut stream, &mut buffer).await;
        took.push(began.elapsed());
    }
    took.sort();
    took[TIMES / 2]
}

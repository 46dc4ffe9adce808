//! Asking: kept connections, one request after the other on each, every answer read to its end.

use std::time::{Duration, Instant};

use sha2::Digest;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::door::Panel;

/// What came of it.
pub struct Measured {
    pub per_second: f64,
    pub p99_ms: f64,
    /// The last answer's size.
    pub bytes: usize,
}

/// A session as the door makes one, with its cookie.
pub async fn session_cookie(panel: &Panel) -> String {
    use base64::Engine;
    let id: i128 = i128::from_le_bytes(*b"a bench's cookie");
    let hash = sha2::Sha256::digest(id.to_le_bytes()).to_vec();
    sqlx::query(
        "insert into sessions (id_hash, account_id, device, address, data, expires_at)
         select $1, account_id, device, address, data, expires_at from sessions limit 1",
    )
    .bind(hash)
    .execute(&mut panel.db.superuser().await)
    .await
    .unwrap();
    format!("sid={}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(id.to_le_bytes()))
}

/// What a watched host writes when it was looked at.
pub async fn write(conn: &mut sqlx::PgConnection) {
    sqlx::raw_sql("update hosts set seen_at = now() where name = 'fra-1'").execute(conn).await.unwrap();
}

/// One request for a page.
pub fn request(authority: &str, path: &str, cookie: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {authority}\r\ncookie: {cookie}\r\n\r\n").into_bytes()
}

/// Asks for these pages in turn for so long.
pub async fn ask(
    authority: String,
    paths: Vec<String>,
    cookie: String,
    connections: usize,
    lasting: Duration,
) -> Measured {
    let began = Instant::now();
    let mut asking = tokio::task::JoinSet::new();
    for first in 0..connections {
        let requests: Vec<Vec<u8>> = paths.iter().map(|path| request(&authority, path, &cookie)).collect();
        asking.spawn(one_connection(authority.clone(), requests, first, began + lasting));
    }
    let (mut took, mut bytes) = (Vec::new(), 0);
    while let Some(done) = asking.join_next().await {
        let (times, last) = done.unwrap();
        took.extend(times);
        bytes = last;
    }
    let lasted = began.elapsed().as_secs_f64();
    took.sort();
    let p99 = took[took.len() * 99 / 100];
    Measured { per_second: took.len() as f64 / lasted, p99_ms: p99.as_secs_f64() * 1e3, bytes }
}

async fn one_connection(
    authority: String,
    requests: Vec<Vec<u8>>,
    first: usize,
    until: Instant,
) -> (Vec<Duration>, usize) {
    let mut stream = TcpStream::connect(&authority).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let (mut took, mut buffer, mut last) = (Vec::new(), vec![0; 1 << 20], 0);
    // Connections begin at different pages.
    let mut at = first * 7919;
    while Instant::now() < until {
        let began = Instant::now();
        stream.write_all(&requests[at % requests.len()]).await.unwrap();
        last = answer(&mut stream, &mut buffer).await;
        took.push(began.elapsed());
        at += 1;
    }
    (took, last)
}

/// Reads one answer to its end; gives its size. Anything but 200 stops the bench.
pub async fn answer(stream: &mut TcpStream, buffer: &mut [u8]) -> usize {
    let (mut have, mut want) = (0, usize::MAX);
    while have < want {
        let read = stream.read(&mut buffer[have..]).await.unwrap();
        assert!(read > 0, "the server closed the connection");
        have += read;
        if want == usize::MAX
            && let Some(end) = buffer[..have].windows(4).position(|four| four == b"\r\n\r\n")
        {
            let head = std::str::from_utf8(&buffer[..end]).unwrap().to_ascii_lowercase();
            assert!(head.starts_with("http/1.1 200"), "{head}");
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).expect("a length");
            want = end + 4 + length.trim().parse::<usize>().unwrap();
        }
    }
    have
}

//! Small apps behind the proxy: each answers with its name and what it was asked, slowly where asked to, and speaks
//! enough of the upgrade to carry bytes both ways.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// Nothing in these cases takes longer.
pub const LIMIT: Duration = Duration::from_secs(10);

/// How long an app takes for what is below `/slow`.
const SLOW: Duration = Duration::from_millis(800);
/// And below `/slower`.
pub const SLOWER: Duration = Duration::from_secs(3);

/// A port that nothing listens on, on any loopback address, and that no other case gets. Not one that the kernel picks:
/// it picks the same again, and two HAProxies can share a port without a word.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let first = 20_000 + (std::process::id() % 400) as u16 * 25;
    loop {
        let port = first + NEXT.fetch_add(1, Ordering::Relaxed);
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

/// An app of this name at this address, until the test's process ends or `Up` is dropped.
pub struct Up {
    listener: TcpListener,
}

impl Drop for Up {
    fn drop(&mut self) {
        // The accepting thread ends with its next connection.
        self.listener.set_nonblocking(true).unwrap();
        let _ = TcpStream::connect(self.listener.local_addr().unwrap());
    }
}

pub fn serve(name: &'static str, address: Ipv4Addr, port: u16) -> Up {
    let listener = TcpListener::bind((address, port)).unwrap();
    let up = Up { listener: listener.try_clone().unwrap() };
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            std::thread::spawn(move || answer(name, stream));
        }
    });
    up
}

/// Answers requests on one connection until it ends.
fn answer(name: &str, stream: TcpStream) {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut stream = stream;
    loop {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line == "\r\n" => break,
                Ok(_) => head.push_str(&line),
            }
        }
        if head.to_ascii_lowercase().contains("upgrade: websocket") {
            let _ = stream
                .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n");
            let mut byte = [0];
            while reader.read_exact(&mut byte).is_ok() && stream.write_all(&byte).is_ok() {}
            return;
        }
        if head.starts_with("GET /slow") {
            std::thread::sleep(if head.starts_with("GET /slower") { SLOWER } else { SLOW });
        }
        let body = format!("{name}\n{head}");
        let text =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).is_err() {
            return;
        }
    }
}

/// A client's connection to the proxy.
pub struct Client {
    reader: BufReader<TcpStream>,
}

/// What was answered.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Answer {
    /// The app that answered.
    pub fn app(&self) -> &str {
        self.body.lines().next().unwrap_or_default()
    }
}

impl Client {
    /// A connection that begins with these bytes, such as the line of another proxy.
    pub fn begun(port: u16, bytes: &[u8]) -> Self {
        let mut client = Self::open(port);
        client.reader.get_mut().write_all(bytes).unwrap();
        client
    }

    /// Sends bytes as they are.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.reader.get_mut().write_all(bytes).unwrap();
    }

    /// The next line, with its end.
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.reader.read_line(&mut line).unwrap();
        line
    }

    /// Whether the other side has ended the connection.
    pub fn is_closed(&mut self) -> bool {
        match self.reader.fill_buf() {
            Ok(bytes) => bytes.is_empty(),
            Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }

    pub fn open(port: u16) -> Self {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        Self { reader: BufReader::new(stream) }
    }

    /// Sends a GET with these further header lines.
    pub fn send(&mut self, host: &str, path: &str, headers: &str) {
        let text = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{headers}\r\n");
        self.reader.get_mut().write_all(text.as_bytes()).unwrap();
    }

    /// Reads one answer.
    pub fn read(&mut self) -> Answer {
        let mut head = String::new();
        loop {
            let mut line = String::new();
            assert!(self.reader.read_line(&mut line).unwrap() > 0, "the connection ended after {head:?}");
            if line == "\r\n" {
                break;
            }
            head.push_str(&line);
        }
        let length = head
            .lines()
            .find_map(|l| l.to_ascii_lowercase().strip_prefix("content-length: ").map(|n| n.parse().unwrap()));
        let mut body = vec![0; length.unwrap_or(0)];
        self.reader.read_exact(&mut body).unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Answer { status, head, body: String::from_utf8(body).unwrap() }
    }

    /// One request on this connection.
    pub fn get(&mut self, host: &str, path: &str) -> Answer {
        self.send(host, path, "");
        self.read()
    }

    /// Upgrades, as a browser opens a websocket.
    pub fn websocket(port: u16, host: &str) -> Self {
        let mut client = Self::open(port);
        client.send(host, "/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n");
        assert_eq!(client.read().status, 101);
        client
    }

    /// Sends a byte and sees it come back.
    pub fn echo(&mut self, byte: u8) {
        self.reader.get_mut().write_all(&[byte]).unwrap();
        let mut back = [0];
        self.reader.read_exact(&mut back).unwrap();
        assert_eq!(back[0], byte);
    }
}

/// One request on a connection of its own, with these further header lines.
pub fn get_with(port: u16, host: &str, path: &str, headers: &str) -> Answer {
    let mut client = Client::open(port);
    client.send(host, path, headers);
    client.read()
}

/// One request on a connection of its own.
pub fn get(port: u16, host: &str, path: &str) -> Answer {
    Client::open(port).get(host, path)
}

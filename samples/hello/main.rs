//! A web app of one file and the standard library: see README.md for its paths and its ways to misbehave.

mod h2c;
mod ws;

use std::env;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// Set by SIGTERM: no new connections, what runs is finished.
static LEAVING: AtomicBool = AtomicBool::new(false);
/// The listening socket, which the signal handler closes for `accept`.
static LISTENING: AtomicI32 = AtomicI32::new(-1);
/// Requests and websockets being served.
static BUSY: AtomicUsize = AtomicUsize::new(0);

/// A request head larger than this is refused.
const HEAD_BYTES: usize = 16 * 1024;
/// The longest `/sleep/<ms>`.
const LONGEST_SLEEP_MS: u64 = 60_000;

unsafe extern "C" {
    fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
    fn shutdown(socket: i32, how: i32) -> i32;
}
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;
const SHUT_RDWR: i32 = 2;

extern "C" fn leave(_: i32) {
    LEAVING.store(true, Ordering::SeqCst);
    // SAFETY: shutdown(2) may be called in a signal handler; it makes the waiting accept(2) return.
    unsafe { shutdown(LISTENING.load(Ordering::SeqCst), SHUT_RDWR) };
}

/// What the variables say.
struct Settings {
    version: String,
    status: Option<u16>,
    up_status: Option<u16>,
    redirect: Option<String>,
    hang: bool,
    h2c: bool,
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    env::var(name).ok()?.parse().ok()
}

fn main() -> io::Result<()> {
    // SAFETY: the handler touches atomics and one socket only.
    unsafe {
        signal(SIGTERM, leave);
        signal(SIGINT, leave);
    }
    if let Some(code) = number("EXIT_CODE") {
        eprintln!("hello: leaving at once with status {code}, as EXIT_CODE says");
        std::process::exit(code);
    }
    let settings: &'static Settings = Box::leak(Box::new(Settings {
        version: env::var("VERSION").unwrap_or_else(|_| "1".to_owned()),
        status: number("STATUS"),
        up_status: number("UP_STATUS"),
        redirect: env::var("REDIRECT").ok(),
        hang: env::var("HANG").is_ok(),
        h2c: env::var("H2C").is_ok(),
    }));
    sleep_unless_leaving(number("START_DELAY_MS").unwrap_or(0));
    let port: u16 = number("PORT").unwrap_or(8080);
    let listener = TcpListener::bind(("0.0.0.0", port))?;
    LISTENING.store(listener.as_raw_fd(), Ordering::SeqCst);
    println!("hello: version {} listens on {port}", settings.version);
    if let Some(ms) = number("FLAP_MS") {
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(ms));
            eprintln!("hello: ending after {ms} ms, as FLAP_MS says");
            std::process::exit(1);
        });
    }
    if let Some(megabytes) = number("MEMORY_MB") {
        let delay = number("MEMORY_DELAY_MS").unwrap_or(0);
        thread::spawn(move || {
            thread::sleep(Duration::from_millis(delay));
            eat(megabytes);
        });
    }
    while !LEAVING.load(Ordering::SeqCst) {
        let Ok((stream, _)) = listener.accept() else { continue };
        thread::spawn(move || serve(stream, settings));
    }
    drop(listener);
    println!("hello: leaving after what is being served");
    while BUSY.load(Ordering::SeqCst) > 0 {
        thread::sleep(Duration::from_millis(5));
    }
    Ok(())
}

fn sleep_unless_leaving(ms: u64) {
    for _ in 0..ms / 10 {
        if LEAVING.load(Ordering::SeqCst) {
            std::process::exit(0);
        }
        thread::sleep(Duration::from_millis(10));
    }
}

fn eat(megabytes: usize) {
    let mut eaten = Vec::new();
    for _ in 0..megabytes {
        eaten.push(vec![1_u8; 1024 * 1024]);
        thread::sleep(Duration::from_millis(2));
    }
    println!("hello: holding {} MB, as MEMORY_MB says", eaten.len());
    loop {
        thread::sleep(Duration::from_secs(3600));
    }
}

/// Counts what is being served for as long as it lives.
struct Busy;
impl Busy {
    fn new() -> Self {
        BUSY.fetch_add(1, Ordering::SeqCst);
        Self
    }
}
impl Drop for Busy {
    fn drop(&mut self) {
        BUSY.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A request's line and the headers that matter here.
struct Head {
    method: String,
    path: String,
    body_bytes: usize,
    close: bool,
    websocket_key: Option<String>,
}

fn serve(stream: TcpStream, settings: &Settings) {
    // Answers are small and each is one write.
    let _ = stream.set_nodelay(true);
    let Ok(writing) = stream.try_clone() else { return };
    let mut writer = writing;
    let mut reader = BufReader::new(stream);
    if settings.h2c {
        let _ = h2c::serve(reader, &mut writer, &format!("{}\n", settings.version));
        return;
    }
    loop {
        let Ok(Some(head)) = read_head(&mut reader) else { return };
        let _busy = Busy::new();
        if io::copy(&mut io::Read::take(&mut reader, head.body_bytes as u64), &mut io::sink()).is_err() {
            return;
        }
        if settings.hang {
            drop(_busy);
            loop {
                thread::sleep(Duration::from_secs(3600));
            }
        }
        if head.path == "/ws" && let Some(key) = &head.websocket_key {
            ws::echo(reader, &mut writer, key, &settings.version, &LEAVING);
            return;
        }
        let close = head.close || LEAVING.load(Ordering::SeqCst);
        if answer(&mut writer, &head, settings, close).is_err() || close {
            return;
        }
    }
}

fn answer(writer: &mut TcpStream, head: &Head, settings: &Settings, close: bool) -> io::Result<()> {
    let path = head.path.split('?').next().unwrap_or("/");
    let mut status = settings.status.unwrap_or(200);
    let mut body = format!("{}\n", settings.version);
    if path == "/up" {
        status = settings.up_status.unwrap_or(status);
        body = if status < 400 { "ok\n".to_owned() } else { "not well\n".to_owned() };
    } else if let Some(ms) = path.strip_prefix("/sleep/").and_then(|ms| ms.parse::<u64>().ok()) {
        thread::sleep(Duration::from_millis(ms.min(LONGEST_SLEEP_MS)));
    } else if path != "/" {
        status = settings.status.unwrap_or(404);
        body = "nothing is here\n".to_owned();
    }
    let mut location = String::new();
    if let Some(to) = &settings.redirect {
        status = 301;
        location = format!("Location: {to}\r\n");
    }
    let connection = if close { "close" } else { "keep-alive" };
    let mut text = format!(
        "HTTP/1.1 {status} {}\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\nConnection: {connection}\r\n\
         Cache-Control: no-store\r\nX-Version: {}\r\n{location}\r\n",
        reason(status),
        body.len(),
        settings.version,
    );
    if head.method != "HEAD" {
        text.push_str(&body);
    }
    writer.write_all(text.as_bytes())
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        301 => "Moved Permanently",
        404 => "Not Found",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}

/// The next request's head; none where the client closed.
fn read_head(reader: &mut BufReader<TcpStream>) -> io::Result<Option<Head>> {
    let mut read = 0;
    let mut line = String::new();
    let mut head: Option<Head> = None;
    loop {
        line.clear();
        let bytes = io::Read::take(&mut *reader, (HEAD_BYTES - read) as u64).read_line(&mut line)?;
        read += bytes;
        if bytes == 0 || read >= HEAD_BYTES {
            return Ok(None);
        }
        let text = line.trim_end();
        let Some(head) = &mut head else {
            let mut words = text.split(' ');
            let (Some(method), Some(path), Some(version)) = (words.next(), words.next(), words.next()) else {
                return Ok(None);
            };
            let close = version == "HTTP/1.0";
            head = Some(Head { method: method.to_owned(), path: path.to_owned(), body_bytes: 0, close, websocket_key: None });
            continue;
        };
        if text.is_empty() {
            break;
        }
        let Some((name, value)) = text.split_once(':') else { continue };
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "content-length" => head.body_bytes = value.parse().unwrap_or(0),
            "connection" => {
                let value = value.to_ascii_lowercase();
                head.close = value.contains("close") || (head.close && !value.contains("keep-alive"));
            }
            "sec-websocket-key" => head.websocket_key = Some(value.to_owned()),
            _ => {}
        }
    }
    Ok(head)
}

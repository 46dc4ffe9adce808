//! A websocket that sends back what it gets (RFC 6455), with the SHA-1 and base64 its greeting needs.

use std::io::{self, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Larger frames end the connection.
const FRAME_BYTES: usize = 64 * 1024;
/// How long a leaving server takes to notice it while nothing arrives.
const LOOK: Duration = Duration::from_millis(50);
/// "Going away".
const GOING_AWAY: u16 = 1001;

/// Greets, says the version, and echoes until the client closes or `leaving` is set.
pub fn echo(mut reader: BufReader<TcpStream>, writer: &mut TcpStream, key: &str, version: &str, leaving: &AtomicBool) {
    let accept = base64(&sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes()));
    let greeting = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let greeted = writer.write_all(greeting.as_bytes()).and_then(|()| send(writer, 1, version.as_bytes()));
    if greeted.is_err() || reader.get_ref().set_read_timeout(Some(LOOK)).is_err() {
        return;
    }
    loop {
        match next(&mut reader, leaving) {
            Ok(Some((8, body))) => {
                let _ = send(writer, 8, &body);
                return;
            }
            Ok(Some((9, body))) if send(writer, 10, &body).is_ok() => {}
            Ok(Some((10, _))) => {}
            Ok(Some((kind @ (0..=2), body))) if send(writer, kind, &body).is_ok() => {}
            Ok(None) => {
                let _ = send(writer, 8, &GOING_AWAY.to_be_bytes());
                // The client answers the close; a second is enough for those that do.
                let _ = reader.get_ref().set_read_timeout(Some(Duration::from_secs(1)));
                let _ = reader.read(&mut [0; 256]);
                return;
            }
            _ => return,
        }
    }
}

/// The next frame as (kind, body); none where the server is leaving. Fragments are echoed as they come, so the
/// first byte's end mark is not looked at but sent as set.
fn next(reader: &mut BufReader<TcpStream>, leaving: &AtomicBool) -> io::Result<Option<(u8, Vec<u8>)>> {
    let mut start = [0; 1];
    loop {
        match reader.read(&mut start) {
            Ok(1) => break,
            Ok(_) => return Err(ErrorKind::UnexpectedEof.into()),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted) => {
                if leaving.load(Ordering::SeqCst) {
                    return Ok(None);
                }
            }
            Err(error) => return Err(error),
        }
    }
    let [length] = exactly::<1>(reader)?;
    if length & 0x80 == 0 {
        return Err(ErrorKind::InvalidData.into());
    }
    let length = match length & 0x7f {
        126 => u16::from_be_bytes(exactly(reader)?) as usize,
        127 => u64::from_be_bytes(exactly(reader)?) as usize,
        small => small as usize,
    };
    if length > FRAME_BYTES {
        return Err(ErrorKind::InvalidData.into());
    }
    let mask: [u8; 4] = exactly(reader)?;
    let mut body = vec![0; length];
    fill(reader, &mut body)?;
    for (byte, mask) in body.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok(Some((start[0] & 0x0f, body)))
}

fn exactly<const N: usize>(reader: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(reader, &mut bytes)?;
    Ok(bytes)
}

/// Reads on over the short timeouts that only serve for looking whether to leave; a minute in all.
fn fill(reader: &mut impl Read, mut into: &mut [u8]) -> io::Result<()> {
    let mut looks = 0;
    while !into.is_empty() {
        match reader.read(into) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => into = &mut into[read..],
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) && looks < 1200 => looks += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn send(writer: &mut TcpStream, kind: u8, body: &[u8]) -> io::Result<()> {
    let mut frame = vec![0x80 | kind];
    match body.len() {
        small @ 0..=125 => frame.push(small as u8),
        middle @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        large => {
            frame.push(127);
            frame.extend_from_slice(&(large as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(body);
    writer.write_all(&frame)
}

fn sha1(bytes: &[u8]) -> [u8; 20] {
    let mut padded = bytes.to_vec();
    padded.push(0x80);
    while padded.len() % 64 != 56 {
        padded.push(0);
    }
    padded.extend_from_slice(&(bytes.len() as u64 * 8).to_be_bytes());
    let mut state: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];
    for block in padded.chunks(64) {
        let mut words = [0_u32; 80];
        for (word, four) in words.iter_mut().zip(block.chunks(4)) {
            *word = u32::from_be_bytes([four[0], four[1], four[2], four[3]]);
        }
        for i in 16..80 {
            words[i] = (words[i - 3] ^ words[i - 8] ^ words[i - 14] ^ words[i - 16]).rotate_left(1);
        }
        let [mut a, mut b, mut c, mut d, mut e] = state;
        for (i, word) in words.iter().enumerate() {
            let (mix, constant) = match i {
                0..20 => ((b & c) | (!b & d), 0x5a82_7999),
                20..40 => (b ^ c ^ d, 0x6ed9_eba1),
                40..60 => ((b & c) | (b & d) | (c & d), 0x8f1b_bcdc),
                _ => (b ^ c ^ d, 0xca62_c1d6_u32),
            };
            let next = a.rotate_left(5).wrapping_add(mix).wrapping_add(e).wrapping_add(constant).wrapping_add(*word);
            (e, d, c, b, a) = (d, c, b.rotate_left(30), a, next);
        }
        for (sum, part) in state.iter_mut().zip([a, b, c, d, e]) {
            *sum = sum.wrapping_add(part);
        }
    }
    let mut out = [0; 20];
    for (four, word) in out.chunks_mut(4).zip(state) {
        four.copy_from_slice(&word.to_be_bytes());
    }
    out
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let number = three.iter().fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for i in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * i) & 63) as usize];
            out.push(if i <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

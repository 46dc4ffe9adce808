//! HTTP/2 without TLS (RFC 9113), by prior knowledge and for short requests: every one is answered 200 with the same text, whatever it asks.

use std::io::{self, Read, Write};

/// What a client begins with.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// No frame is longer, as long as nobody allows more.
const FRAME_BYTES: usize = 16 * 1024;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
/// Of SETTINGS and PING; of DATA and HEADERS the bit says that the stream ends.
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:status: 200` by its number in the table of RFC 7541.
const STATUS_200: &[u8] = &[0x88];

/// Answers until the client leaves.
pub fn serve(mut reader: impl Read, writer: &mut impl Write, body: &str) -> io::Result<()> {
    let mut preface = [0; PREFACE.len()];
    reader.read_exact(&mut preface)?;
    if preface != PREFACE {
        return Ok(());
    }
    send(writer, SETTINGS, 0, 0, &[])?;
    loop {
        let mut head = [0; 9];
        reader.read_exact(&mut head)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]) & 0x7fff_ffff;
        if length > FRAME_BYTES {
            return Ok(());
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text)?;
        match kind {
            SETTINGS if flags & ACK == 0 => send(writer, SETTINGS, ACK, 0, &[])?,
            PING if flags & ACK == 0 => send(writer, PING, ACK, 0, &text)?,
            GOAWAY => return Ok(()),
            HEADERS | DATA if flags & END_STREAM != 0 => {
                send(writer, HEADERS, END_HEADERS, stream, STATUS_200)?;
                send(writer, DATA, END_STREAM, stream, body.as_bytes())?;
            }
            _ => {}
        }
    }
}

fn send(writer: &mut impl Write, kind: u8, flags: u8, stream: u32, text: &[u8]) -> io::Result<()> {
    let mut frame = (text.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(text);
    writer.write_all(&frame)
}

//! A client's half of the wire, for every program of tests: requests and masked frames out, responses and the server's
//! frames in. It is written without a look at the server's code, opens no socket, and panics at what RFC 9112 and RFC
//! 6455 forbid a server.
#![allow(dead_code)] // No program of tests uses all of it.

use std::io::{self, ErrorKind, Read};

/// The key and the accept of RFC 6455 section 1.3.
pub const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
pub const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;

/// The handshake's fields beside `Host`.
pub const HANDSHAKE: [(&str, &str); 4] = [
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", KEY),
    ("Sec-WebSocket-Version", "13"),
];

/// The mask where it does not matter: only the server has to be surprised by masks, in its own tests.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// Reads once. A read with a time-out is interrupted where a debugger or a freezer stops and continues the process,
/// also without a handler for signals (signal(7)).
pub fn read(from: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match from.read(buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            done => return done,
        }
    }
}

/// A request. `fields` may name a `Host` of their own.
pub fn request(method: &str, target: &str, host: &str, fields: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {target} HTTP/1.1\r\n");
    if !fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
        head += &format!("Host: {host}\r\n");
    }
    for (name, value) in fields {
        head += &format!("{name}: {value}\r\n");
    }
    if !body.is_empty() || method == "POST" {
        head += &format!("Content-Length: {}\r\n", body.len());
    }
    [head.as_bytes(), b"\r\n", body].concat()
}

/// The request for a WebSocket, with more fields.
pub fn upgrade(target: &str, host: &str, more: &[(&str, &str)]) -> Vec<u8> {
    request("GET", target, host, &[&HANDSHAKE, more].concat(), b"")
}

/// A frame from the client.
pub fn masked(fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    masked_with(MASK, fin, opcode, payload)
}

/// A frame from the client with this mask. The opcode may have reserved bits beside it.
pub fn masked_with(mask: [u8; 4], fin: bool, opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![u8::from(fin) << 7 | opcode];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..65_536 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

/// A frame from the server: never masked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub opcode: u8,
    pub payload: Vec<u8>,
    /// Deflated: only where permessage-deflate was agreed on (RFC 7692 section 6).
    pub rsv1: bool,
}

/// The first frame in `bytes` and its size; it is a whole message, as nearly all are.
pub fn frame(bytes: &[u8], deflate: bool) -> Option<(Frame, usize)> {
    let (fin, frame, size) = fragment(bytes, deflate)?;
    assert!(fin && frame.opcode != CONTINUATION, "only what a host sends in pieces comes in fragments");
    Some((frame, size))
}

/// The first frame in `bytes`, whether it is its message's last, and its size.
pub fn fragment(bytes: &[u8], deflate: bool) -> Option<(bool, Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (opcode, rsv1) = (first & 0x0f, first & 0x40 != 0);
    assert_eq!(first & 0x30, 0, "a reserved bit is set: {first:#x}");
    assert!(!rsv1 || deflate && matches!(opcode, TEXT | BINARY), "deflated, and should not be: {first:#x}");
    assert_eq!(second & 0x80, 0, "the server never masks");
    let (len, at) = match second {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?) as usize, 10),
        len => (usize::from(len), 2),
    };
    let shortest = match len {
        0..126 => 2,
        126..65_536 => 4,
        _ => 10,
    };
    assert_eq!(at, shortest, "a length of {len} in its shortest form");
    let control = (CLOSE..=PONG).contains(&opcode);
    let (fin, is_data) = (first & 0x80 != 0, matches!(opcode, CONTINUATION | TEXT | BINARY));
    assert!(is_data || control && len <= 125 && fin, "opcode {opcode}, {len} bytes");
    let payload = bytes.get(at..at + len)?.to_vec();
    Some((fin, Frame { opcode, payload, rsv1 }, at + len))
}

/// Code and reason of a close frame; 0 where it has none.
pub fn close_of(frame: &Frame) -> (u16, String) {
    assert_eq!(frame.opcode, CLOSE, "{frame:?}");
    match frame.payload.split_first_chunk::<2>() {
        Some((code, reason)) => {
            (u16::from_be_bytes(*code), String::from_utf8(reason.to_vec()).expect("UTF-8"))
        }
        None => (0, String::new()),
    }
}

/// A response.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Response {
    /// The first field of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("UTF-8")
    }
}

/// The first response in `bytes` and its size, to a request of this method: the one to HEAD has no body.
pub fn response(bytes: &[u8], method: &str) -> Option<(Response, usize)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let head = std::str::from_utf8(&bytes[..end]).expect("a head is text");
    let mut lines = head.trim_end().split("\r\n");
    let status =
        lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.split(' ').next()?.parse().ok());
    let field = |line: &str| {
        let (name, value) = line.split_once(':').unwrap_or_else(|| panic!("no header field: {head:?}"));
        (name.to_owned(), value.trim().to_owned())
    };
    let headers = lines.map(field).collect();
    let mut response = Response { status: status.expect("a status"), headers, body: Vec::new() };
    if response.status < 200 || response.status == 204 || method == "HEAD" {
        return Some((response, end));
    }
    let len: usize = response.header("content-length").and_then(|n| n.parse().ok()).expect("a length");
    response.body = bytes.get(end..end + len)?.to_vec();
    Some((response, end + len))
}

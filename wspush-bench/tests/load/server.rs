//! A server of a few lines that misbehaves on demand.

use base64::Engine;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
pub enum Fault {
    None,
    /// Each third publication is sent twice.
    Duplicate,
    /// Each third publication changes places with the one before it.
    Reorder,
    /// One character of each third publication is another one.
    Corrupt,
    /// Each third publication is sent to nobody.
    Lose,
    /// After the third publication everybody gets a close frame.
    Close,
    /// The accept value is wrong.
    BadAccept,
    /// Every handshake is answered with 503.
    Refuse,
    /// Publications are refused with 413.
    RefusePush,
    /// Messages come in three fragments, with pings between them, and byte by byte at their beginning.
    Fragment,
    /// A message that the bench did not publish comes first.
    Greet,
    /// permessage-deflate is agreed to, and every publication compressed.
    Deflate,
    /// The same, in three fragments.
    DeflateFragment,
    /// It is agreed to, and what is sent as compressed is not.
    DeflateGarbage,
    /// It is agreed to, but with a window from message to message.
    DeflateTakeover,
}

pub struct Server {
    pub url: String,
    pub push: String,
}

pub fn serve(fault: Fault) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |listener: &TcpListener| -> SocketAddr { listener.local_addr().unwrap() };
    let server = Server {
        url: format!("ws://{}/ws", address(&listener)),
        push: format!("http://{}/push", address(&admin)),
    };
    let members = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let joined = Arc::clone(&members);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let joined = Arc::clone(&joined);
            thread::spawn(move || greet(stream, fault, &joined));
        }
    });
    thread::spawn(move || {
        for stream in admin.incoming().map_while(Result::ok) {
            publish(stream, fault, &members);
        }
    });
    server
}

/// Reads a request's head: the first line's path, and the value of one header.
fn read_head(reader: &mut impl BufRead, header: &str) -> Option<(String, String)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|size| *size > 0)?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut found = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case(header) => value.clone_into(&mut found),
            Some(_) => {}
            None => return Some((path, found)),
        }
    }
}

fn greet(stream: TcpStream, fault: Fault, joined: &Mutex<Vec<TcpStream>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let Some((_, key)) = read_head(&mut reader, "Sec-WebSocket-Key") else { return };
    if fault == Fault::Refuse {
        writer.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap();
        return;
    }
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = base64::engine::general_purpose::STANDARD.encode(sha1.digest().bytes());
    if fault == Fault::BadAccept {
        accept = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
    }
    let extension = match fault {
        Fault::Deflate | Fault::DeflateFragment | Fault::DeflateGarbage => {
            "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n"
        }
        Fault::DeflateTakeover => "Sec-WebSocket-Extensions: permessage-deflate\r\n",
        _ => "",
    };
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n{extension}\r\n"
    );
    let mut members = joined.lock().unwrap();
    writer.write_all(head.as_bytes()).unwrap();
    if fault == Fault::Greet {
        writer.write_all(&frame(0x81, b"welcome")).unwrap();
    }
    members.push(writer.try_clone().unwrap());
    drop(members);
    answer_frames(&mut reader, &mut writer);
}

/// Echoes data and answers a close; the bench's frames are short.
fn answer_frames(reader: &mut impl Read, writer: &mut TcpStream) {
    let mut head = [0; 6];
    while reader.read_exact(&mut head).is_ok() {
        assert_eq!(head[1] & 0x80, 0x80, "clients mask");
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        if reader.read_exact(&mut payload).is_err() {
            return;
        }
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= head[2 + at % 4]);
        let is_pong = head[0] & 15 == 10;
        if !is_pong && writer.write_all(&frame(head[0], &payload)).is_err() {
            return;
        }
        if head[0] & 15 == 8 {
            return;
        }
    }
}

fn publish(stream: TcpStream, fault: Fault, members: &Mutex<Vec<TcpStream>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut held: Option<Vec<u8>> = None;
    let mut number = 0;
    while let Some((path, length)) = read_head(&mut reader, "Content-Length") {
        assert_eq!(path, "/push");
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        number += 1;
        let is_third = number % 3 == 0;
        let status = if fault == Fault::RefusePush { "413 Content Too Large" } else { "200 OK" };
        let wire = match fault {
            Fault::RefusePush => Vec::new(),
            Fault::Lose if is_third => Vec::new(),
            Fault::Duplicate if is_third => [frame(0x81, &body), frame(0x81, &body)].concat(),
            Fault::Corrupt if is_third => {
                *body.last_mut().unwrap() ^= 1;
                frame(0x81, &body)
            }
            Fault::Reorder if number % 3 == 2 => {
                held = Some(frame(0x81, &body));
                Vec::new()
            }
            Fault::Reorder if is_third => [frame(0x81, &body), held.take().unwrap_or_default()].concat(),
            Fault::Close if is_third => [frame(0x81, &body), frame(0x88, &1013u16.to_be_bytes())].concat(),
            Fault::Fragment => {
                let (first, rest) = body.split_at(10);
                [frame(0x01, first), frame(0x89, b"?"), frame(0x00, &rest[..7]), frame(0x80, &rest[7..])]
                    .concat()
            }
            Fault::Deflate => frame(0xc1, &deflate(&body)),
            Fault::DeflateFragment => {
                let wire = deflate(&body);
                let (first, rest) = wire.split_at(7);
                [frame(0x41, first), frame(0x89, b"?"), frame(0x00, &rest[..3]), frame(0x80, &rest[3..])]
                    .concat()
            }
            Fault::DeflateGarbage => frame(0xc1, &[0xff; 20]),
            _ => frame(0x81, &body),
        };
        for member in members.lock().unwrap().iter_mut() {
            let cut = if fault == Fault::Fragment { 3 } else { 0 };
            for byte in &wire[..cut.min(wire.len())] {
                let _ = member.write_all(&[*byte]);
            }
            let _ = member.write_all(&wire[cut.min(wire.len())..]);
        }
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok").unwrap();
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let length = payload.len() as u16;
    let head = match length {
        0..126 => vec![first, length as u8],
        _ => vec![first, 126, (length >> 8) as u8, length as u8],
    };
    [&head, payload].concat()
}

/// A message as RFC 7692 section 7.2.1 has it, without the tail of its last empty block.
fn deflate(message: &[u8]) -> Vec<u8> {
    let mut wire = vec![0; message.len() + 64];
    let mut state = zlib_rs::Deflate::new(6, false, 15);
    state.compress(message, &mut wire, zlib_rs::DeflateFlush::SyncFlush).unwrap();
    wire.truncate(state.total_out() as usize - 4);
    wire
}

//! A server of a few lines that misbehaves on demand.

use base64::Engine;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// A fault of the server.
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
    /// The subprotocol wspush.v1 is agreed to, and messages are envelopes.
    Envelope,
}

/// A running server.
pub struct Server {
    pub address: SocketAddr,
    pub admin_address: SocketAddr,
    pub url: String,
    pub push: String,
    admin: Arc<Admin>,
}

/// Its admin API.
struct Admin {
    fault: Fault,
    /// The header that requests need.
    authorization: Option<String>,
    members: Mutex<Vec<TcpStream>>,
    sends: AtomicU64,
}

pub fn serve(fault: Fault) -> Server {
    serve_guarded(fault, None)
}

/// A server whose admin API wants `Authorization: Bearer TOKEN`, if one is given.
pub fn serve_guarded(fault: Fault, token: Option<&str>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin_listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (address, admin_address) = (listener.local_addr().unwrap(), admin_listener.local_addr().unwrap());
    let authorization = token.map(|token| format!("Bearer {token}"));
    let admin = Arc::new(Admin { fault, authorization, members: Mutex::default(), sends: AtomicU64::new(0) });
    let joined = Arc::clone(&admin);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let joined = Arc::clone(&joined);
            thread::spawn(move || greet(stream, fault, &joined.members));
        }
    });
    let asked = Arc::clone(&admin);
    thread::spawn(move || {
        for stream in admin_listener.incoming().map_while(Result::ok) {
            let (asked, reader) = (Arc::clone(&asked), BufReader::new(stream.try_clone().unwrap()));
            thread::spawn(move || asked.answer(reader, stream));
        }
    });
    let (url, push) = (format!("ws://{address}/ws"), format!("http://{admin_address}/push"));
    Server { address, admin_address, url, push, admin }
}

impl Server {
    /// Has its admin API answer on a Unix socket as well.
    pub fn listen_at(&self, socket: &Path) {
        let (listener, admin) = (UnixListener::bind(socket).unwrap(), Arc::clone(&self.admin));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (asked, reader) = (Arc::clone(&admin), BufReader::new(stream.try_clone().unwrap()));
                thread::spawn(move || asked.answer(reader, stream));
            }
        });
    }
}

/// A request up to its body.
pub struct Head {
    /// Method and path.
    pub line: String,
    headers: Vec<(String, String)>,
}

impl Head {
    pub fn read(reader: &mut impl BufRead) -> Option<Self> {
        let mut first = String::new();
        reader.read_line(&mut first).ok().filter(|size| *size > 0)?;
        let line = first.trim_end().strip_suffix(" HTTP/1.1")?.to_owned();
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.push((name.to_ascii_lowercase(), value.to_owned())),
                None => break,
            }
        }
        Some(Self { line, headers })
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|header| header.0 == name).map(|header| header.1.as_str())
    }
}

fn greet(stream: TcpStream, fault: Fault, joined: &Mutex<Vec<TcpStream>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let Some(head) = Head::read(&mut reader) else { return };
    let key = head.get("sec-websocket-key").unwrap();
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
        Fault::Envelope => "Sec-WebSocket-Protocol: wspush.v1\r\n",
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
    if fault == Fault::Envelope {
        writer.write_all(&frame(0x81, br#"{"connected":{"conn":"1","ping_ms":30000}}"#)).unwrap();
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

impl Admin {
    fn answer(&self, mut reader: impl BufRead, mut writer: impl Write) {
        let mut held: Option<Vec<u8>> = None;
        let mut number = 0;
        while let Some(head) = Head::read(&mut reader) {
            let length = head.get("content-length").map_or(0, |length| length.parse().unwrap());
            let mut body = vec![0; length];
            reader.read_exact(&mut body).unwrap();
            let (status, answer) = if head.get("authorization") != self.authorization.as_deref() {
                ("401 Unauthorized", "no".to_owned())
            } else if self.fault == Fault::RefusePush {
                ("413 Content Too Large", "no".to_owned())
            } else if head.line == "GET /stats" {
                ("200 OK", self.stats())
            } else {
                assert_eq!(head.line, "POST /push");
                number += 1;
                let wire = wire(self.fault, number, body, &mut held);
                self.send(&wire);
                ("200 OK", "ok".to_owned())
            };
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
            // The bench may be gone, and then it has got what it wanted.
            let _ = writer.write_all(answer.as_bytes());
        }
    }

    fn stats(&self) -> String {
        let sends = self.sends.load(Ordering::Relaxed);
        format!(
            r#"{{"version":"x","counters":{{"deliveries":{},"sends":{sends},"send_bytes":{},"pings":1}}}}"#,
            2 * sends,
            100 * sends
        )
    }

    fn send(&self, wire: &[u8]) {
        for member in self.members.lock().unwrap().iter_mut() {
            let cut = if self.fault == Fault::Fragment { 3 } else { 0 };
            for byte in &wire[..cut.min(wire.len())] {
                let _ = member.write_all(&[*byte]);
            }
            let _ = member.write_all(&wire[cut.min(wire.len())..]);
            self.sends.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// The bytes that go out for the publication of that number.
fn wire(fault: Fault, number: u64, mut body: Vec<u8>, held: &mut Option<Vec<u8>>) -> Vec<u8> {
    let is_third = number.is_multiple_of(3);
    match fault {
        Fault::Lose if is_third => Vec::new(),
        Fault::Duplicate if is_third => [frame(0x81, &body), frame(0x81, &body)].concat(),
        Fault::Corrupt if is_third => {
            *body.last_mut().unwrap() ^= 1;
            frame(0x81, &body)
        }
        Fault::Reorder if number % 3 == 2 => {
            *held = Some(frame(0x81, &body));
            Vec::new()
        }
        Fault::Reorder if is_third => [frame(0x81, &body), held.take().unwrap_or_default()].concat(),
        Fault::Close if is_third => [frame(0x81, &body), frame(0x88, &1013u16.to_be_bytes())].concat(),
        Fault::Fragment => {
            let (first, rest) = body.split_at(10);
            [frame(0x01, first), frame(0x89, b"?"), frame(0x00, &rest[..7]), frame(0x80, &rest[7..])].concat()
        }
        Fault::Deflate => frame(0xc1, &deflate(&body)),
        Fault::DeflateFragment => {
            let wire = deflate(&body);
            let (first, rest) = wire.split_at(7);
            [frame(0x41, first), frame(0x89, b"?"), frame(0x00, &rest[..3]), frame(0x80, &rest[3..])].concat()
        }
        Fault::Envelope => {
            let text = String::from_utf8(body).unwrap();
            frame(
                0x81,
                format!(r#"{{"channel":"c","epoch":"1","offset":{number},"data":"{text}"}}"#).as_bytes(),
            )
        }
        Fault::DeflateGarbage => frame(0xc1, &[0xff; 20]),
        _ => frame(0x81, &body),
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

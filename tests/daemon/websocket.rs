//! A small blocking WebSocket client, strict with what it is sent and free in what it sends.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use socket2::{Domain, Socket, Type};

use super::{Daemon, Http, PATIENCE};
use crate::wire::{self, ACCEPT, CLOSE, Frame, HANDSHAKE, PING, PONG, Response, TEXT, close_of, masked};

/// An open connection.
pub struct WebSocket {
    stream: TcpStream,
    received: Vec<u8>,
    at: usize,
    pings: u32,
    deflate: bool,
}

/// A connection that holds as little as can be had: small segments, a small receive buffer.
pub fn narrow_socket(daemon: &Daemon) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(4096).expect("a small buffer");
    socket.set_tcp_mss(536).expect("small segments");
    socket.bind(&fresh_source().into()).expect("an address of the loopback");
    socket.connect(&daemon.public.into()).expect("the listener is there");
    socket.into()
}

/// An address of this machine that the kernel has no memory of. What it has learnt of one (a large window, segments out
/// of order) it goes by in later connections, and after a hostile test a send buffer may then take megabytes. So the
/// first one is drawn: numbers of processes come again.
fn fresh_source() -> SocketAddr {
    static NEXT: LazyLock<AtomicU64> =
        LazyLock::new(|| AtomicU64::new(RandomState::new().build_hasher().finish()));
    let [.., a, b, c] = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    SocketAddr::from(([127, 64 | a & 0x3f, b, c], 0))
}

impl WebSocket {
    /// Opens `/ws`.
    pub fn open(daemon: &Daemon) -> WebSocket {
        WebSocket::open_at(daemon, "/ws")
    }

    /// Opens another path.
    pub fn open_at(daemon: &Daemon, target: &str) -> WebSocket {
        let refused = |response: Response| panic!("{}: {}", response.status, response.text());
        WebSocket::ask(daemon.public, target, &[]).unwrap_or_else(refused)
    }

    /// Opens `/ws` from a socket that holds as little as can be had: small segments, a small receive buffer. Its
    /// server-side buffer is small then as well, so it is full soon if nothing is read.
    pub fn open_narrow(daemon: &Daemon, target: &str) -> WebSocket {
        WebSocket::open_narrow_with(daemon, target, &[])
    }

    /// The same, with more header fields.
    pub fn open_narrow_with(daemon: &Daemon, target: &str, more: &[(&str, &str)]) -> WebSocket {
        let refused = |response: Response| panic!("{}: {}", response.status, response.text());
        WebSocket::ask_over(Http::over(narrow_socket(daemon)), target, more).unwrap_or_else(refused)
    }

    /// Asks for a WebSocket; the answer if it is refused.
    pub fn ask(address: SocketAddr, target: &str, more: &[(&str, &str)]) -> Result<WebSocket, Response> {
        WebSocket::ask_over(Http::tcp(address), target, more)
    }

    /// The same over a connection that is there.
    pub fn ask_over(mut http: Http, target: &str, more: &[(&str, &str)]) -> Result<WebSocket, Response> {
        let response = http.ask("GET", target, &[&HANDSHAKE, more].concat(), b"");
        if response.status != 101 { Err(response) } else { Ok(WebSocket::from_upgrade(http, &response)) }
    }

    /// Goes on behind a 101.
    pub fn from_upgrade(http: Http, response: &Response) -> WebSocket {
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-accept"), Some(ACCEPT));
        assert_eq!(response.header("upgrade"), Some("websocket"));
        assert_eq!(response.header("connection"), Some("Upgrade"));
        let deflate = response.header("sec-websocket-extensions").is_some();
        let (stream, received) = http.into_parts();
        WebSocket { stream, received, at: 0, pings: 0, deflate }
    }

    /// Sends bytes as they are. Whether the server still listens shows in what it says.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        if let Err(e) = self.stream.write_all(bytes) {
            assert!(matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{e}");
        }
    }

    /// Sends a frame.
    pub fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.send_raw(&masked(true, opcode, payload));
    }

    /// Sends a text.
    pub fn send_text(&mut self, text: &str) {
        self.send(TEXT, text.as_bytes());
    }

    /// Sends a close frame.
    pub fn send_close(&mut self, code: u16, reason: &str) {
        self.send(CLOSE, &[&code.to_be_bytes()[..], reason.as_bytes()].concat());
    }

    /// The next frame; None: the stream has ended at a frame's boundary, or was reset.
    pub fn next(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, size)) = wire::frame(&self.received[self.at..], self.deflate) {
                self.at += size;
                if self.at == self.received.len() {
                    self.received.clear();
                    self.at = 0;
                }
                return Some(frame);
            }
            if self.receive() == 0 {
                return None;
            }
        }
    }

    /// The next frame, which may be a fragment of a message, and whether it is that message's last.
    pub fn fragment(&mut self) -> (bool, Frame) {
        loop {
            if let Some((fin, frame, size)) = wire::fragment(&self.received[self.at..], self.deflate) {
                self.at += size;
                return (fin, frame);
            }
            assert!(self.receive() > 0, "a frame, not the end");
        }
    }

    /// The next frame, which must be there.
    pub fn frame(&mut self) -> Frame {
        self.next().expect("a frame, not the end")
    }

    /// The next frame's text.
    pub fn text(&mut self) -> String {
        let frame = self.frame();
        assert_eq!(frame.opcode, TEXT, "{frame:?}");
        String::from_utf8(frame.payload).expect("UTF-8")
    }

    /// The frames that come before the answer to a ping: everything the server had for us.
    pub fn sync(&mut self) -> Vec<Frame> {
        self.pings += 1;
        let payload = format!("sync {}", self.pings).into_bytes();
        self.send(PING, &payload);
        let mut before = Vec::new();
        loop {
            let frame = self.frame();
            if frame.opcode == PONG && frame.payload == payload {
                return before;
            }
            before.push(frame);
        }
    }

    /// The close frame that comes next, its code and reason, and the end of the stream behind it.
    pub fn closed(&mut self) -> (u16, String) {
        let frame = self.frame();
        let said = close_of(&frame);
        assert_eq!(self.next(), None, "nothing follows a close frame");
        assert_eq!(self.leftover(), 0, "nothing follows a close frame");
        said
    }

    /// Bytes of an incomplete frame.
    pub fn leftover(&self) -> usize {
        self.received.len() - self.at
    }

    /// Closes, and waits for the answer.
    pub fn close(mut self, code: u16) {
        self.send_close(code, "");
        assert_eq!(self.closed(), (code, String::new()));
    }

    /// Closes our side only.
    pub fn half_close(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a connection");
    }

    /// Goes without a word: the server sees a reset.
    pub fn reset(self) {
        let socket = socket2::SockRef::from(&self.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("an option");
    }

    /// The socket, for a test that waits for many.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Reads more; 0 is the end.
    fn receive(&mut self) -> usize {
        self.received.drain(..self.at);
        self.at = 0;
        let start = self.received.len();
        self.received.resize(start + (16 << 10), 0);
        let read = match wire::read(&mut self.stream, &mut self.received[start..]) {
            Ok(n) => n,
            Err(e) if e.kind() == ErrorKind::ConnectionReset => 0,
            Err(e) => panic!("nothing came within {PATIENCE:?}: {e}"),
        };
        self.received.truncate(start + read);
        read
    }
}

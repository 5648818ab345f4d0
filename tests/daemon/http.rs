//! A small HTTP client that lets a test send every byte itself.

use std::io::{ErrorKind, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::PATIENCE;
use crate::wire::{self, Response};

enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

/// One connection.
pub struct Http {
    stream: Stream,
    host: String,
    received: Vec<u8>,
}

impl Response {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

impl Http {
    /// Connects.
    pub fn tcp(address: SocketAddr) -> Http {
        Http::over(TcpStream::connect(address).expect("the listener is there"))
    }

    /// Takes a connection that is there already.
    pub fn over(stream: TcpStream) -> Http {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        stream.set_nodelay(true).expect("an option");
        let host = stream.peer_addr().expect("a peer").to_string();
        Http { stream: Stream::Tcp(stream), host, received: Vec::new() }
    }

    /// Connects to a Unix-domain socket.
    pub fn unix(path: &str) -> Http {
        let stream = UnixStream::connect(path).expect("the listener is there");
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        Http { stream: Stream::Unix(stream), host: "localhost".to_owned(), received: Vec::new() }
    }

    /// The `Host` that it names.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Sends bytes as they are. That the server has hung up already shows in what it answered.
    pub fn send(&mut self, bytes: &[u8]) {
        let sent = match &mut self.stream {
            Stream::Tcp(stream) => stream.write_all(bytes),
            Stream::Unix(stream) => stream.write_all(bytes),
        };
        if let Err(e) = sent {
            assert!(matches!(e.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset), "{e}");
        }
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let finished = match &self.stream {
            Stream::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Stream::Unix(stream) => stream.shutdown(Shutdown::Write),
        };
        finished.expect("a connection");
    }

    /// A whole request's bytes.
    pub fn request(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
        wire::request(method, target, &self.host, headers, body)
    }

    /// Sends a request and waits for its answer.
    pub fn ask(&mut self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let request = self.request(method, target, headers, body);
        self.send(&request);
        self.response_to(method)
    }

    /// The next answer.
    pub fn response(&mut self) -> Response {
        self.response_to("GET")
    }

    /// The next answer, to this method: the one to HEAD has no body.
    pub fn response_to(&mut self, method: &str) -> Response {
        loop {
            if let Some((response, size)) = wire::response(&self.received, method) {
                self.received.drain(..size);
                return response;
            }
            assert!(self.receive(), "the end came instead of an answer: {:?}", self.leftover());
        }
    }

    /// More of what comes, as it is.
    pub fn more(&mut self) -> Vec<u8> {
        if self.received.is_empty() {
            assert!(self.receive(), "the end came instead of more");
        }
        std::mem::take(&mut self.received)
    }

    /// So many bytes, as they are.
    pub fn exactly(&mut self, len: usize) -> Vec<u8> {
        while self.received.len() < len {
            assert!(self.receive(), "the end came instead of more");
        }
        self.received.drain(..len).collect()
    }

    /// Bytes that belong to what comes next.
    pub fn put_back(&mut self, bytes: Vec<u8>) {
        self.received.splice(..0, bytes);
    }

    /// Asserts that the server ends the stream and says nothing more.
    pub fn expect_end(&mut self) {
        while self.receive() {}
        assert!(self.received.is_empty(), "{:?} came instead of the end", self.leftover());
    }

    fn leftover(&self) -> String {
        String::from_utf8_lossy(&self.received).into_owned()
    }

    /// Reads more. False: the stream has ended.
    fn receive(&mut self) -> bool {
        let mut buffer = [0; 16 << 10];
        let read = match &mut self.stream {
            Stream::Tcp(stream) => wire::read(stream, &mut buffer),
            Stream::Unix(stream) => wire::read(stream, &mut buffer),
        };
        match read {
            Ok(n) => {
                self.received.extend_from_slice(&buffer[..n]);
                n > 0
            }
            Err(e) if e.kind() == ErrorKind::ConnectionReset => false,
            Err(e) => panic!("no answer: {e}"),
        }
    }

    /// The connection and what was read beyond the last answer: after a 101.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        match self.stream {
            Stream::Tcp(stream) => (stream, self.received),
            Stream::Unix(_) => panic!("no WebSocket on a Unix-domain socket"),
        }
    }
}

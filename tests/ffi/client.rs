//! A WebSocket client, just enough of one: blocking, impatient.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::wire::{self, Response, masked};
pub(crate) use crate::wire::{BINARY, CLOSE, CONTINUATION, TEXT};

/// Valgrind makes everything slow, and so do others on the machine.
const PATIENCE: Duration = Duration::from_secs(180);

/// An open connection.
pub(crate) struct Client {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Client {
    /// Connects; the server must accept.
    pub(crate) fn open(port: u16, path: &str) -> Client {
        Client::open_saying(port, path, &[])
    }

    /// Connects, and says these texts in the same breath as it asks.
    pub(crate) fn open_saying(port: u16, path: &str, texts: &[&str]) -> Client {
        let (client, response) = Client::ask(port, path, &[], &frames(texts));
        assert_eq!(response.status, 101, "{path}");
        client
    }

    /// Connects; where it stands in its only channel (`Wspush-Position`).
    pub(crate) fn open_standing(port: u16, path: &str) -> (Client, String) {
        let (client, response) = Client::ask(port, path, &[], &[]);
        assert_eq!(response.status, 101, "{path}");
        let position = response.header("wspush-position").and_then(|value| value.split('=').next_back());
        (client, position.expect("a position").to_owned())
    }

    /// Asks for a response that does not end; the server must begin it.
    pub(crate) fn begun(port: u16, path: &str) -> Client {
        let mut client = Client::connect(port, path, &[], &[]);
        let head = client.take(|bytes| wire::response(bytes, "HEAD"));
        assert_eq!(head.status, 200, "{path}");
        client
    }

    /// Asks with more header fields; the status.
    pub(crate) fn status(port: u16, path: &str, fields: &[(&str, &str)]) -> u16 {
        Client::ask(port, path, fields, &[]).1.status
    }

    /// Connects; the server must refuse. Status and body.
    pub(crate) fn refusal(port: u16, path: &str) -> (u16, String) {
        let response = Client::ask(port, path, &[], &[]).1;
        (response.status, response.text().trim_end().to_owned())
    }

    /// Asks with more header fields; the connection, and the answer's head, with its body if it is refused.
    pub(crate) fn asked(port: u16, path: &str, fields: &[(&str, &str)]) -> (Client, Response) {
        Client::ask(port, path, fields, &[])
    }

    /// The same without the connection.
    pub(crate) fn answer(port: u16, path: &str, fields: &[(&str, &str)]) -> Response {
        Client::asked(port, path, fields).1
    }

    /// Says several texts in one breath.
    pub(crate) fn say(&mut self, texts: &[&str]) {
        self.stream.write_all(&frames(texts)).unwrap();
    }

    fn ask(port: u16, path: &str, fields: &[(&str, &str)], more: &[u8]) -> (Client, Response) {
        let mut client = Client::connect(port, path, fields, more);
        let response = client.take(|bytes| wire::response(bytes, "GET"));
        (client, response)
    }

    fn connect(port: u16, path: &str, fields: &[(&str, &str)], more: &[u8]) -> Client {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&[&wire::upgrade(path, "localhost", fields)[..], more].concat()).unwrap();
        Client { stream, received: Vec::new() }
    }

    /// Reads until there is a whole one of what is asked for.
    fn take<T>(&mut self, whole: impl Fn(&[u8]) -> Option<(T, usize)>) -> T {
        loop {
            if let Some((found, size)) = whole(&self.received) {
                self.received.drain(..size);
                return found;
            }
            let mut buffer = [0; 16 << 10];
            let read = wire::read(&mut self.stream, &mut buffer).unwrap();
            assert!(read > 0, "the server has hung up");
            self.received.extend_from_slice(&buffer[..read]);
        }
    }

    /// Sends one masked frame.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&masked(true, opcode, payload)).unwrap();
    }

    /// Sends a fragment of a message.
    pub(crate) fn send_fragment(&mut self, fin: bool, opcode: u8, payload: &[u8]) {
        self.stream.write_all(&masked(fin, opcode, payload)).unwrap();
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let frame = self.take(|bytes| wire::frame(bytes, false));
        (frame.opcode, frame.payload)
    }

    /// The next frame, which may be a fragment of a message, and whether it is that message's last.
    pub(crate) fn fragment(&mut self) -> (bool, u8, Vec<u8>) {
        let whole =
            |bytes: &[u8]| wire::fragment(bytes, false).map(|(fin, frame, size)| ((fin, frame), size));
        let (fin, frame) = self.take(whole);
        (fin, frame.opcode, frame.payload)
    }

    /// The next frame, which must be text.
    pub(crate) fn text(&mut self) -> String {
        let (opcode, payload) = self.frame();
        assert_eq!(opcode, TEXT, "{}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).unwrap()
    }

    /// Reads until the connection ends, however it does.
    pub(crate) fn until_cut(&mut self) {
        let mut rest = Vec::new();
        match self.stream.read_to_end(&mut rest).map_err(|error| error.kind()) {
            Ok(_) | Err(ErrorKind::ConnectionReset) => {}
            Err(problem) => panic!("not cut: {problem}"),
        }
    }

    /// Reads until the close frame, past messages whole or in pieces; its code.
    pub(crate) fn until_closed(&mut self) -> u16 {
        loop {
            let (_, opcode, payload) = self.fragment();
            if opcode == CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| masked(true, TEXT, text.as_bytes())).collect()
}

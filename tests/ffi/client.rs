//! A WebSocket client, just enough of one: blocking, impatient.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;

/// Valgrind makes everything slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// An open connection.
pub(crate) struct Client(BufReader<TcpStream>);

impl Client {
    /// Connects; the server must accept.
    pub(crate) fn open(port: u16, path: &str) -> Client {
        let (client, status, _) = Client::ask(port, path, "");
        assert_eq!(status, 101, "{path}");
        client
    }

    /// Asks with more header fields; the status.
    pub(crate) fn status(port: u16, path: &str, fields: &str) -> u16 {
        Client::ask(port, path, fields).1
    }

    /// Connects; the server must refuse. Status and body.
    pub(crate) fn refusal(port: u16, path: &str) -> (u16, String) {
        let (mut client, status, length) = Client::ask(port, path, "");
        let mut body = vec![0; length];
        client.0.read_exact(&mut body).unwrap();
        (status, String::from_utf8(body).unwrap().trim_end().to_owned())
    }

    /// Connects, and says these texts in the same breath as it asks.
    pub(crate) fn open_saying(port: u16, path: &str, texts: &[&str]) -> Client {
        let (client, status, _) = Client::ask_and(port, path, "", &frames(texts));
        assert_eq!(status, 101, "{path}");
        client
    }

    /// Says several texts in one breath.
    pub(crate) fn say(&mut self, texts: &[&str]) {
        self.0.get_mut().write_all(&frames(texts)).unwrap();
    }

    fn ask(port: u16, path: &str, fields: &str) -> (Client, u16, usize) {
        Client::ask_and(port, path, fields, &[])
    }

    fn ask_and(port: u16, path: &str, fields: &str, more: &[u8]) -> (Client, u16, usize) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
        );
        stream.write_all(&[request.as_bytes(), more].concat()).unwrap();
        let mut reader = BufReader::new(stream);
        let (mut status, mut length) = (0, 0);
        loop {
            let mut line = String::new();
            assert!(reader.read_line(&mut line).unwrap() > 0, "the server has hung up");
            if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
                status = rest[..3].parse().unwrap();
            } else if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap();
            } else if line == "\r\n" {
                return (Client(reader), status, length);
            }
        }
    }

    /// Sends one masked frame.
    pub(crate) fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.0.get_mut().write_all(&frame(opcode, payload)).unwrap();
    }

    /// The next frame.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).unwrap();
        assert_eq!((head[0] & 0xf0, head[1] & 0x80), (0x80, 0), "whole and not masked");
        let length = match head[1] {
            126 => {
                let mut long = [0; 2];
                self.0.read_exact(&mut long).unwrap();
                usize::from(u16::from_be_bytes(long))
            }
            127 => {
                let mut long = [0; 8];
                self.0.read_exact(&mut long).unwrap();
                u64::from_be_bytes(long) as usize
            }
            short => usize::from(short),
        };
        let mut payload = vec![0; length];
        self.0.read_exact(&mut payload).unwrap();
        (head[0] & 0x0f, payload)
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
        match self.0.read_to_end(&mut rest).map_err(|error| error.kind()) {
            Ok(_) | Err(ErrorKind::ConnectionReset) => {}
            Err(problem) => panic!("not cut: {problem}"),
        }
    }

    /// Reads until the close frame; its code.
    pub(crate) fn until_closed(&mut self) -> u16 {
        loop {
            let (opcode, payload) = self.frame();
            if opcode == CLOSE {
                return u16::from_be_bytes([payload[0], payload[1]]);
            }
        }
    }
}

/// One masked frame.
fn frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![0x80 | opcode];
    match payload.len() {
        length @ 0..=125 => frame.push(0x80 | length as u8),
        length @ 126..=0xffff => {
            frame.push(0x80 | 126);
            frame.extend((length as u16).to_be_bytes());
        }
        length => {
            frame.push(0x80 | 127);
            frame.extend((length as u64).to_be_bytes());
        }
    }
    let mask = [7, 11, 13, 17];
    frame.extend(mask);
    frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| frame(TEXT, text.as_bytes())).collect()
}

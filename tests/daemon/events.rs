//! A client of streams over plain HTTP: it takes the chunks apart, and reads events as WHATWG HTML section 9.2.6 says.
//! Like the WebSocket it is written without a look at the server's code.

use std::net::TcpStream;

use super::{Daemon, Http, PATIENCE};
use crate::wire::{self, Response};

/// An event, or a line: what is not there is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
    /// The last id when it was dispatched.
    pub id: String,
}

/// A stream as it comes, in whatever pieces.
#[derive(Debug, Default)]
pub struct Reader {
    /// Bytes of chunks that are not taken apart.
    raw: Vec<u8>,
    /// Data that is not read.
    data: String,
    is_chunked: bool,
    pub is_over: bool,
    /// The id that a client would come back with.
    pub id: String,
    pub retry_ms: Option<u64>,
    pub comments: Vec<String>,
    name: String,
    lines: Vec<String>,
}

/// A stream over TCP.
pub struct EventStream {
    stream: TcpStream,
    pub head: Response,
    pub reader: Reader,
}

impl Reader {
    pub fn new(is_chunked: bool) -> Reader {
        Reader { is_chunked, ..Reader::default() }
    }

    /// Takes what has come.
    pub fn take(&mut self, bytes: &[u8]) {
        self.raw.extend_from_slice(bytes);
        if !self.is_chunked {
            self.data += &String::from_utf8(std::mem::take(&mut self.raw)).expect("UTF-8 in ASCII pieces");
        }
        while self.is_chunked
            && !self.is_over
            && let Some(header) = self.raw.windows(2).position(|end| end == b"\r\n")
        {
            let digits = std::str::from_utf8(&self.raw[..header]).expect("a chunk's size");
            let len = usize::from_str_radix(digits, 16).expect("a chunk's size");
            let Some(chunk) = self.raw.get(header + 2..header + 4 + len) else { return };
            assert!(chunk.ends_with(b"\r\n"), "{digits:?}: {chunk:?}");
            self.data += std::str::from_utf8(&chunk[..len]).expect("a chunk has whole characters");
            self.is_over = len == 0;
            self.raw.drain(..header + 4 + len);
        }
    }

    /// The next event that is whole.
    pub fn event(&mut self) -> Option<Event> {
        while let Some(line) = self.line() {
            if line.is_empty() {
                let (name, lines) = (std::mem::take(&mut self.name), std::mem::take(&mut self.lines));
                if !lines.is_empty() {
                    return Some(Event { name, data: lines.join("\n"), id: self.id.clone() });
                }
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" => self.comments.push(value),
                "event" => self.name = value,
                "data" => self.lines.push(value),
                "id" => self.id = value,
                "retry" => self.retry_ms = value.parse().ok(),
                _ => {}
            }
        }
        None
    }

    /// Whether there are chunks.
    pub fn is_chunked(&self) -> bool {
        self.is_chunked
    }

    /// The bytes behind the last chunk.
    pub fn rest(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.raw)
    }

    /// The next line that is whole.
    pub fn line(&mut self) -> Option<String> {
        let end = self.data.find(['\n', '\r'])?;
        let is_crlf = self.data[end..].starts_with("\r\n");
        let line = self.data[..end].to_owned();
        self.data.drain(..end + 1 + usize::from(is_crlf));
        Some(line)
    }
}

impl EventStream {
    /// Asks for a stream that is there.
    pub fn open(daemon: &Daemon, target: &str) -> EventStream {
        EventStream::open_with(daemon, target, &[])
    }

    /// The same, with more fields.
    pub fn open_with(daemon: &Daemon, target: &str, fields: &[(&str, &str)]) -> EventStream {
        let http = Http::tcp(daemon.public);
        let request = http.request("GET", target, fields, b"");
        EventStream::over(http, &request)
    }

    /// The same, by this request on this connection.
    pub fn over(mut http: Http, request: &[u8]) -> EventStream {
        http.send(request);
        let (stream, mut received) = http.into_parts();
        stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let (head, size) = loop {
            if let Some(head) = wire::response(&received, "HEAD") {
                break head;
            }
            assert!(receive(&stream, &mut received), "the end came instead of an answer");
        };
        received.drain(..size);
        let is_chunked = head.header("transfer-encoding") == Some("chunked");
        let mut reader = Reader::new(is_chunked);
        reader.take(&received);
        EventStream { stream, head, reader }
    }

    /// The next event; None: the stream is over.
    pub fn next(&mut self) -> Option<Event> {
        self.next_of(Reader::event)
    }

    /// The next line; None: the stream is over.
    pub fn line(&mut self) -> Option<String> {
        self.next_of(Reader::line)
    }

    fn next_of<T>(&mut self, next: fn(&mut Reader) -> Option<T>) -> Option<T> {
        loop {
            if let Some(next) = next(&mut self.reader) {
                return Some(next);
            }
            if !self.read() {
                assert!(self.reader.is_over || !self.reader.is_chunked, "the stream breaks off");
                return None;
            }
        }
    }

    /// The next event, which has no name: its data.
    pub fn data(&mut self) -> String {
        let event = self.next().expect("an event, not the end");
        assert_eq!(event.name, "", "{event:?}");
        event.data
    }

    /// Reads once. False: the end has come.
    pub fn read(&mut self) -> bool {
        let mut received = Vec::new();
        let goes_on = receive(&self.stream, &mut received);
        self.reader.take(&received);
        goes_on
    }

    pub fn socket(&self) -> &TcpStream {
        &self.stream
    }
}

fn receive(mut stream: &TcpStream, into: &mut Vec<u8>) -> bool {
    let mut buffer = [0; 16 << 10];
    match wire::read(&mut stream, &mut buffer) {
        Ok(n) => {
            into.extend_from_slice(&buffer[..n]);
            n > 0
        }
        Err(e) if e.kind() == std::io::ErrorKind::ConnectionReset => false,
        Err(e) => panic!("nothing came: {e}"),
    }
}

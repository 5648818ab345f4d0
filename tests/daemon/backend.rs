//! An operator's backend: an HTTP server that answers as a test says, and remembers what it was asked.

use std::io::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use serde_json::Value;

use super::wait;
use crate::wire;

/// A request that it got.
#[derive(Clone, Debug)]
pub struct Asked {
    head: String,
    /// Its body.
    pub body: Vec<u8>,
}

impl Asked {
    /// The path it was made to.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).expect("a request line")
    }

    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields.find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }

    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }
}

/// The server; its threads end with the test's process.
pub struct Backend {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Backend {
    /// Starts one that gives these bytes to each request; none: it hangs up instead.
    pub fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Backend {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), asked.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (answer, seen) = (answer.clone(), seen.clone());
                std::thread::spawn(move || serve(stream.expect("a connection"), &*answer, &seen));
            }
        });
        Backend { address, asked }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://{}/hook?key=s3cret", self.address)
    }

    /// The requests so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("a list").clone()
    }

    /// Waits until there were so many requests.
    pub fn wait_asked(&self, count: usize) -> Vec<Asked> {
        wait("requests to the backend", || self.asked.lock().expect("a list").len() >= count);
        self.asked()
    }
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&Asked) -> Vec<u8>, seen: &Mutex<Vec<Asked>>) {
    let mut received = Vec::new();
    loop {
        let Some((asked, used)) = request(&received) else {
            let mut buffer = [0; 16 << 10];
            match wire::read(&mut stream, &mut buffer) {
                Ok(n @ 1..) => received.extend_from_slice(&buffer[..n]),
                _ => return,
            }
            continue;
        };
        received.drain(..used);
        seen.lock().expect("a list").push(asked.clone());
        let answer = answer(&asked);
        if answer.is_empty() || stream.write_all(&answer).is_err() {
            return;
        }
    }
}

fn request(bytes: &[u8]) -> Option<(Asked, usize)> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
    let head = String::from_utf8(bytes[..end].to_vec()).expect("ASCII");
    let mut asked = Asked { head, body: Vec::new() };
    let length: usize = asked.header("content-length").map_or(0, |length| length.parse().expect("a number"));
    asked.body = bytes.get(end..end + length)?.to_vec();
    Some((asked, end + length))
}

/// A door that all who come wait at until it is opened.
#[derive(Default)]
pub struct Gate(Mutex<bool>, Condvar);

impl Gate {
    /// Waits there.
    pub fn wait(&self) {
        let open = self.0.lock().expect("a door");
        drop(self.1.wait_while(open, |open| !*open).expect("a door"));
    }

    /// Opens it for good.
    pub fn open(&self) {
        *self.0.lock().expect("a door") = true;
        self.1.notify_all();
    }
}

/// An answer's bytes.
pub fn answer(status: u16, body: &str) -> Vec<u8> {
    let len = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {len}\r\n\r\n{body}")
        .into_bytes()
}

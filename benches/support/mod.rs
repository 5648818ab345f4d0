//! A reactor whose sockets lead nowhere: what is measured is wspush, not the kernel.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use wspush::config::{Config, LogLevel};
use wspush::journal::Journal;
use wspush::push::{Publication, PushOptions};
use wspush::reactor::{Host, ListenerRole, Reactor, Shared, Socket, Wake};
use wspush::time::Time;
use wspush::{Message, PushError};

/// The request of RFC 6455 section 1.2, as a browser would send it.
pub const REQUEST: &[u8] = b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Origin: http://127.0.0.1:8080\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n\r\n";

/// The request that all sinks have to read, and how many there were before it.
#[derive(Default)]
struct Script {
    request: Cell<&'static [u8]>,
    number: Cell<u32>,
}

/// Takes everything at once and forgets it; has each request of its script to read.
pub struct Sink {
    script: &'static Script,
    read: u32,
}

impl Socket for Sink {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.read == self.script.number.get() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.read = self.script.number.get();
        let request = self.script.request.get();
        buf[..request.len()].copy_from_slice(request);
        Ok(request.len())
    }

    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        Ok(std::hint::black_box(first.len() + second.len()))
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> Option<SocketAddr> {
        None
    }
}

/// A server with sinks for clients.
pub struct Rig {
    reactor: Reactor<Sink>,
    script: &'static Script,
    shared: Arc<Shared>,
    now: Time,
    /// Epoch and offset of the newest publication.
    newest: (u64, u64),
}

impl Rig {
    /// A server without connections.
    pub fn new(connections_max: usize) -> Rig {
        let config =
            Config { max_connections: connections_max, log_level: LogLevel::Off, ..Config::default() };
        let now = Time { mono_us: 1_000_000, unix_us: 1_000_000 };
        let shared = Arc::new(Shared::new(&config, now.unix_us, Box::new(|| {})));
        let journal = Journal::new(LogLevel::Off, Box::new(|_, _| {}));
        let reactor = Reactor::new(
            config,
            shared.clone(),
            Host { handler: Box::new(()), journal, descriptors: connections_max },
            now,
        );
        // It lives as long as the scenario, which is the whole program.
        Rig { reactor, script: Box::leak(Box::default()), shared, now, newest: (0, 0) }
    }

    /// Lets so many clients connect; each handshake is answered.
    pub fn connect(&mut self, request: &'static [u8], count: usize) {
        self.write_script(request);
        let before = self.script.number.get() - 1;
        for _ in 0..count {
            let sink = Sink { script: self.script, read: before };
            let index = self.reactor.admit(sink, ListenerRole::Public, None).expect("there is room");
            self.reactor.ready(index, true, true);
        }
    }

    /// Lets the clients in the first `count` slots send a request.
    #[allow(dead_code)] // Not every bench has clients that say something more.
    pub fn ask_again(&mut self, request: &'static [u8], count: usize) {
        self.write_script(request);
        (0..count).for_each(|index| self.reactor.ready(index, true, false));
    }

    fn write_script(&mut self, request: &'static [u8]) {
        self.script.request.set(request);
        self.script.number.set(self.script.number.get() + 1);
    }

    /// Publishes to everybody `burst` times back to back and flushes until all have it.
    pub fn broadcast(&mut self, burst: usize, message: &str) -> Result<(), PushError> {
        for _ in 0..burst {
            let publication = Publication::new(Message::Text(message), PushOptions::default())?;
            let receipt = self.shared.publish(None, publication, self.now.unix_us, Wake::Yes)?;
            self.newest = (receipt.epoch, receipt.offset);
        }
        // As the event loop does it: after each turn the receipts are brought up to date.
        let mut busy = true;
        while busy {
            busy = self.reactor.turn(self.now).busy;
            self.reactor.show(self.now);
        }
        Ok(())
    }

    /// Where somebody stands who has everything.
    #[allow(dead_code)]
    pub fn position(&self) -> String {
        format!("{}.{}", self.newest.0, self.newest.1)
    }

    /// Publications written to subscribers so far.
    pub fn deliveries(&mut self) -> u64 {
        self.reactor.metrics().deliveries
    }
}

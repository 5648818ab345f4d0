//! The reactor over a socket that is its own kernel: it takes keys, also new ones, and records are what a test puts in.
#![allow(clippy::unwrap_used)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls::ClientConnection;

use super::super::reactor::ListenerRole;
use super::super::reactor::{Host, Reactor};
use super::super::shared::Shared;
use super::super::socket::Socket;
use super::super::sys::Direction;
use super::{KernelSupport, Keys};
use crate::config::{Config, LogLevel};
use crate::journal::Journal;
use crate::metrics::{CloseReason, KernelTls};
use crate::time::Time;
use crate::tls::{Cipher, Suite, Version, test_pair};

const SUITE: Suite = Suite { version: Version::Tls13, cipher: Cipher::Aes128Gcm };
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const DATA: u8 = 23;

/// One connection's kernel.
#[derive(Default)]
struct Kernel {
    /// Ciphertext on its way to the server, and from it.
    raw_in: Vec<u8>,
    raw_out: Vec<u8>,
    attached: bool,
    /// Why it does not attach, for so many times.
    attach_errors: Vec<i32>,
    keys: Vec<(Direction, Vec<u8>)>,
    /// Keys that it takes before it refuses some.
    keys_max: usize,
    /// Records, by type.
    records_in: VecDeque<(u8, Vec<u8>)>,
    records_out: Vec<(u8, Vec<u8>)>,
    full: bool,
    records_left: u64,
    forged: bool,
}

#[derive(Clone, Default)]
struct Wire(Rc<RefCell<Kernel>>);

fn would_block<T>() -> io::Result<T> {
    Err(io::ErrorKind::WouldBlock.into())
}

impl Socket for Wire {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut kernel = self.0.borrow_mut();
        if kernel.keys.is_empty() {
            let n = kernel.raw_in.len().min(buf.len());
            buf[..n].copy_from_slice(&kernel.raw_in[..n]);
            kernel.raw_in.drain(..n);
            return if n == 0 { would_block() } else { Ok(n) };
        }
        if std::mem::take(&mut kernel.forged) {
            return Err(io::Error::from_raw_os_error(libc::EBADMSG));
        }
        match kernel.records_in.front() {
            None => would_block(),
            Some((DATA, bytes)) => {
                let n = bytes.len();
                buf[..n].copy_from_slice(bytes);
                kernel.records_in.pop_front();
                Ok(n)
            }
            Some(_) => Err(io::Error::from_raw_os_error(libc::EIO)),
        }
    }

    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        let bytes = [first, second].concat();
        if self.0.borrow().keys.len() < 2 {
            self.0.borrow_mut().raw_out.extend_from_slice(&bytes);
            return Ok(bytes.len());
        }
        self.send_record(DATA, &bytes)
    }

    fn finish(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn peer(&self) -> Option<SocketAddr> {
        None
    }

    fn attach_tls(&mut self) -> io::Result<()> {
        let mut kernel = self.0.borrow_mut();
        kernel.attached = kernel.attach_errors.is_empty();
        kernel.attach_errors.pop().map_or(Ok(()), |code| Err(io::Error::from_raw_os_error(code)))
    }

    fn install_keys(&mut self, direction: Direction, keys: &Keys) -> io::Result<()> {
        let mut kernel = self.0.borrow_mut();
        if kernel.keys.len() == kernel.keys_max {
            return Err(io::Error::from_raw_os_error(libc::EBUSY));
        }
        assert!(kernel.attached);
        kernel.keys.push((direction, keys.info().to_vec()));
        Ok(())
    }

    fn recv_record(&mut self, buf: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
        match self.0.borrow_mut().records_in.pop_front() {
            None => would_block(),
            Some((content_type, bytes)) => {
                buf[..bytes.len()].copy_from_slice(&bytes);
                Ok((bytes.len(), Some(content_type)))
            }
        }
    }

    fn send_record(&mut self, content_type: u8, bytes: &[u8]) -> io::Result<usize> {
        let mut kernel = self.0.borrow_mut();
        if kernel.full {
            return would_block();
        }
        kernel.records_out.push((content_type, bytes.to_vec()));
        Ok(bytes.len())
    }

    fn records_left(&self) -> io::Result<u64> {
        Ok(self.0.borrow().records_left)
    }
}

/// A reactor with one WebSocket that was handed over.
struct World {
    reactor: Reactor<Wire>,
    wire: Wire,
    client: ClientConnection,
    now: Time,
}

impl World {
    fn new(new_keys: bool, keys_max: usize) -> World {
        World::with(new_keys, Kernel { keys_max, records_left: u64::MAX, ..Kernel::default() })
    }

    fn with(new_keys: bool, kernel: Kernel) -> World {
        let (acceptor, client) = test_pair::pair(SUITE);
        let config = Config { demo: true, ..Config::default() };
        let now = Time { mono_us: 1_000_000, unix_us: 1_000_000 };
        let shared = Arc::new(Shared::new(&config, now.unix_us, Box::new(|| {})));
        let journal = Journal::new(LogLevel::Off, Box::new(|_, _| {}));
        let mut reactor =
            Reactor::new(config, shared, Host { handler: Box::new(()), journal, descriptors: 100 }, now);
        reactor.set_kernel_tls(KernelSupport::of(&[SUITE], new_keys));
        reactor.set_acceptor(Some(acceptor));
        let wire = Wire(Rc::new(RefCell::new(kernel)));
        reactor.admit_tls(wire.clone(), ListenerRole::Public, None).unwrap();
        let mut world = World { reactor, wire, client, now };
        while world.client.is_handshaking() {
            world.exchange();
        }
        let ask = "GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                   Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
        io::Write::write_all(&mut world.client.writer(), ask.as_bytes()).unwrap();
        world.exchange();
        world
    }

    fn exchange(&mut self) {
        while self.client.wants_write() {
            self.client.write_tls(&mut self.wire.0.borrow_mut().raw_in).unwrap();
        }
        self.reactor.ready(0, true, false);
        let said = std::mem::take(&mut self.wire.0.borrow_mut().raw_out);
        let mut said = &said[..];
        while !said.is_empty() {
            self.client.read_tls(&mut said).unwrap();
            self.client.process_new_packets().unwrap();
        }
    }

    /// The peer sends a record, and the server looks.
    fn receive(&mut self, content_type: u8, bytes: &[u8]) {
        self.wire.0.borrow_mut().records_in.push_back((content_type, bytes.to_vec()));
        self.turn();
    }

    fn turn(&mut self) {
        self.now.mono_us += 200_000;
        self.reactor.ready(0, true, false);
        self.reactor.turn(self.now);
        self.reactor.audit();
    }

    /// The server's records since the last time.
    fn said(&self) -> Vec<(u8, Vec<u8>)> {
        std::mem::take(&mut self.wire.0.borrow_mut().records_out)
    }

    fn keys(&self) -> Vec<(Direction, Vec<u8>)> {
        self.wire.0.borrow().keys.clone()
    }

    fn count(&mut self, event: KernelTls) -> u64 {
        self.reactor.metrics().kernel_tls.get(event)
    }

    fn closed(&mut self, reason: CloseReason) -> u64 {
        self.reactor.metrics().closed.get(reason)
    }
}

/// A masked text frame with "hi"; the mask is zero.
const HI: [u8; 8] = [0x81, 0x82, 0, 0, 0, 0, b'h', b'i'];
const ECHO: [u8; 4] = [0x81, 2, b'h', b'i'];
const KEY_UPDATE: [u8; 5] = [24, 0, 0, 1, 0];
const KEY_UPDATE_ASKED: [u8; 5] = [24, 0, 0, 1, 1];

#[test]
fn the_kernel_gets_the_keys_and_the_connection_is_plain() {
    let mut world = World::new(false, 2);
    let directions: Vec<_> = world.keys().into_iter().map(|(direction, _)| direction).collect();
    assert_eq!(directions, [Direction::Receive, Direction::Send]);
    assert_eq!(
        (world.count(KernelTls::HandedOver), world.reactor.audit().extras),
        (1, 0),
        "nothing is left of TLS"
    );
    world.receive(DATA, &HI);
    assert_eq!(world.said(), [(DATA, ECHO.to_vec())]);
}

#[test]
fn the_peer_gets_new_keys_and_so_do_we_if_it_asks() {
    let mut world = World::new(true, usize::MAX);
    assert_eq!(world.reactor.audit().extras, 0);
    assert_eq!(world.reactor.wire.tls.kernel.renewable().count(), 1, "what makes new keys");
    world.receive(HANDSHAKE, &KEY_UPDATE);
    assert_eq!(world.said(), []);
    assert_eq!(world.keys().len(), 3);
    // Behind data in the same breath; a plain read doesn't show it.
    world.wire.0.borrow_mut().records_in.push_back((DATA, HI.to_vec()));
    world.receive(HANDSHAKE, &KEY_UPDATE_ASKED);
    world.receive(DATA, &HI);
    let echo = (DATA, ECHO.to_vec());
    assert_eq!(world.said(), [echo.clone(), (HANDSHAKE, KEY_UPDATE.to_vec()), echo]);
    let keys = world.keys();
    let directions: Vec<_> = keys[2..].iter().map(|(direction, _)| *direction).collect();
    assert_eq!(directions, [Direction::Receive, Direction::Receive, Direction::Send]);
    let different: std::collections::HashSet<_> = keys.iter().map(|(_, keys)| &keys[4..]).collect();
    assert_eq!(different.len(), keys.len(), "no key comes twice");
    assert!(keys[2..].iter().all(|(_, keys)| keys.ends_with(&[0; 8])), "records are counted anew");
    assert_eq!(world.count(KernelTls::NewKeys), 2);
}

#[test]
fn our_notice_of_new_keys_waits_for_a_full_socket() {
    let mut world = World::new(true, usize::MAX);
    world.wire.0.borrow_mut().full = true;
    // However often it asks, there is one notice to be sent, and nothing piles up.
    for _ in 0..10 {
        world.receive(HANDSHAKE, &KEY_UPDATE_ASKED);
    }
    assert_eq!((world.said(), world.keys().len()), (vec![], 12));
    world.wire.0.borrow_mut().full = false;
    world.reactor.ready(0, false, true);
    assert_eq!((world.said(), world.keys().len()), (vec![(HANDSHAKE, KEY_UPDATE.to_vec())], 13));
    world.receive(DATA, &HI);
    assert_eq!(world.said(), [(DATA, ECHO.to_vec())]);
}

#[test]
fn without_new_keys_it_says_close_frame() {
    let mut world = World::new(false, 2);
    world.receive(HANDSHAKE, &KEY_UPDATE_ASKED);
    let said = world.said();
    let [(DATA, close), (ALERT, notify)] = &said[..] else { panic!("{said:?}") };
    assert_eq!((close[0], &close[2..4], &notify[..]), (0x88, &1012_u16.to_be_bytes()[..], &[1, 0][..]));
    // The next record can't be read; the peer has the time to hear why.
    world.wire.0.borrow_mut().forged = true;
    world.turn();
    assert_eq!((world.said(), world.closed(CloseReason::TlsKeys)), (vec![], 0));
    world.now.mono_us += 60_000_000;
    world.turn();
    assert_eq!((world.said(), world.closed(CloseReason::TlsKeys)), (vec![], 1));
}

#[test]
fn a_key_that_is_nearly_used_up_is_replaced_or_the_connection_ends() {
    let mut world = World::new(true, usize::MAX);
    world.wire.0.borrow_mut().records_left = 1 << 22;
    world.turn();
    assert_eq!(world.said(), [], "nobody asks before there was much to count");
    world.reactor.metrics().sends += 1 << 22;
    world.turn();
    assert_eq!((world.said(), world.keys().len()), (vec![(HANDSHAKE, KEY_UPDATE.to_vec())], 3));
    let mut world = World::new(false, 2);
    world.reactor.metrics().sends += 1 << 22;
    world.turn();
    assert_eq!(world.said(), [], "there is much left of this one");
    world.wire.0.borrow_mut().records_left = 1 << 22;
    world.reactor.metrics().sends += 1 << 22;
    world.turn();
    let said = world.said();
    assert_eq!((said.len(), said[0].1[0], &said[1]), (2, 0x88, &(ALERT, vec![1, 0])));
}

#[test]
fn alerts_and_what_does_not_belong_here() {
    for (content_type, bytes, answer, reason) in [
        (ALERT, &[1, 0][..], vec![(ALERT, vec![1, 0])], CloseReason::Reset),
        (ALERT, &[2, 40], vec![(ALERT, vec![1, 0])], CloseReason::Reset),
        (HANDSHAKE, &[1, 0, 0, 0], vec![(ALERT, vec![2, 10])], CloseReason::ProtocolError),
        (HANDSHAKE, &[24, 0, 0, 1, 2], vec![(ALERT, vec![2, 10])], CloseReason::ProtocolError),
        (20, &[1], vec![(ALERT, vec![2, 10])], CloseReason::ProtocolError),
    ] {
        let mut world = World::new(false, 2);
        world.receive(ALERT, &[1, 90]);
        assert_eq!((world.said(), world.reactor.connections()), (vec![], 1), "a warning is no end");
        world.receive(content_type, bytes);
        assert_eq!((world.said(), world.closed(reason), world.reactor.connections()), (answer, 1, 0));
    }
    let mut world = World::new(false, 2);
    world.wire.0.borrow_mut().forged = true;
    world.turn();
    assert_eq!((world.said(), world.closed(CloseReason::ProtocolError)), (vec![(ALERT, vec![2, 20])], 1));
}

#[test]
fn a_record_that_is_no_data_is_a_sign_of_life() {
    let mut world = World::new(true, usize::MAX);
    let ping = (DATA, vec![0x89, 0]);
    for _ in 0..3 {
        world.now.mono_us += 31_000_000;
        world.turn();
        assert_eq!((world.said(), world.reactor.connections()), (vec![ping.clone()], 1));
        world.receive(ALERT, &[1, 90]);
    }
    for (said, connections) in [(vec![ping], 1), (vec![(ALERT, vec![1, 0])], 0)] {
        world.now.mono_us += 31_000_000;
        world.turn();
        assert_eq!((world.said(), world.reactor.connections()), (said, connections));
    }
}

#[test]
fn keys_that_are_refused_halfway_are_the_end_of_that_connection() {
    let mut world = World::new(false, 1);
    assert_eq!((world.count(KernelTls::HandedOver), world.count(KernelTls::Failed)), (0, 1));
    assert_eq!((world.reactor.connections(), world.closed(CloseReason::Internal)), (0, 1));
    world.reactor.audit();
}

#[test]
fn a_connection_that_is_not_attached_goes_on_as_it_was() {
    let without = |attach_errors| {
        let kernel = Kernel { keys_max: 2, attach_errors, records_left: u64::MAX, ..Kernel::default() };
        World::with(false, kernel)
    };
    let echo = |world: &mut World| {
        io::Write::write_all(&mut world.client.writer(), &HI).unwrap();
        world.exchange();
        let mut said = Vec::new();
        let _ = io::Read::read_to_end(&mut world.client.reader(), &mut said);
        assert!(said.ends_with(&ECHO), "{said:?}");
    };
    // For once, and with the next message it is handed over.
    let mut world = without(vec![libc::ENOTCONN]);
    assert_eq!((world.count(KernelTls::HandedOver), world.keys().len()), (0, 0));
    echo(&mut world);
    assert_eq!((world.count(KernelTls::HandedOver), world.keys().len()), (1, 2));
    // The module is gone: nobody asks again.
    let mut world = without(vec![libc::ENOENT]);
    echo(&mut world);
    assert_eq!((world.count(KernelTls::HandedOver), world.keys().len()), (0, 0));
    world.reactor.audit();
}

//! The behaviour of the kernel's TLS that the reactor relies on, on bare sockets.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Duration;

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use std::os::fd::AsRawFd;

use wspush::reactor::ktls::Keys;
use wspush::reactor::sys::Direction;
use wspush::reactor::{Socket, Stream};
use wspush::tls::{Cipher, NONCE_BYTES, Suite, TrafficKeys, Version};

use super::offer;

const SUITE: Suite = Suite { version: Version::Tls13, cipher: Cipher::Aes128Gcm };
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// Whether the kernel offers what these tests use.
fn is_there() -> bool {
    let there = offer().is_some_and(|offer| offer.has(SUITE));
    if !there {
        eprintln!("skipped: the kernel does not offer {SUITE}");
    }
    there
}

fn keys(suite: Suite) -> Keys {
    let keys = TrafficKeys::new(suite, &[7; 32][..suite.key_bytes()], [9; NONCE_BYTES], 0);
    Keys::new(&keys.expect("a key as long as it should be"))
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let near = TcpStream::connect(listener.local_addr().expect("an address")).expect("a connection");
    (near, listener.accept().expect("the other end").0)
}

/// A socket of ours under the kernel's TLS, in both directions.
fn under_tls(stream: TcpStream, suite: Suite) -> Stream {
    stream.set_nonblocking(true).expect("a socket");
    let mut stream = Stream(stream.into());
    stream.attach_tls().expect("TLS");
    stream.install_keys(Direction::Receive, &keys(suite)).expect("keys to receive");
    stream.install_keys(Direction::Send, &keys(suite)).expect("keys to send");
    stream
}

fn tls_pair(suite: Suite) -> (Stream, Stream) {
    let (near, far) = pair();
    (under_tls(near, suite), under_tls(far, suite))
}

/// The bytes on the wire for what `say` sends.
fn wire(say: impl FnOnce(&mut Stream)) -> Vec<u8> {
    let (near, mut far) = pair();
    let mut near = under_tls(near, SUITE);
    say(&mut near);
    drop(near);
    let mut bytes = Vec::new();
    far.read_to_end(&mut bytes).expect("ciphertext");
    bytes
}

/// Reads until there is nothing more for now.
fn drain(stream: &mut Stream) -> (Vec<u8>, Option<io::Error>) {
    let (mut all, mut buf) = (Vec::new(), [0; 4096]);
    loop {
        match stream.recv(&mut buf) {
            Ok(0) => return (all, None),
            Ok(n) => all.extend_from_slice(&buf[..n]),
            Err(e) => return (all, Some(e)),
        }
    }
}

/// An edge-triggered poll, as the reactor's.
struct Edges(Poll, Events);

impl Edges {
    fn of(stream: &Stream) -> Edges {
        let poll = Poll::new().expect("a poll");
        let interest = Interest::READABLE | Interest::WRITABLE;
        poll.registry()
            .register(&mut SourceFd(&stream.0.as_raw_fd()), Token(0), interest)
            .expect("registered");
        Edges(poll, Events::with_capacity(8))
    }

    /// Whether something of the kind is reported within so many milliseconds.
    fn any(&mut self, wanted: fn(&mio::event::Event) -> bool, patience_ms: u64) -> bool {
        for _ in 0..patience_ms / 10 {
            self.0.poll(&mut self.1, Some(Duration::from_millis(10))).expect("polled");
            if self.1.iter().any(wanted) {
                return true;
            }
        }
        false
    }

    fn readable(&mut self) -> bool {
        self.any(mio::event::Event::is_readable, 10_000)
    }
}

#[test]
fn every_suite_of_the_offer_carries_bytes_both_ways() {
    let Some(offer) = offer() else { return };
    eprintln!("offered: {offer}; new keys: {}", offer.new_keys);
    let mut count = 0;
    for suite in Suite::all().filter(|suite| offer.has(*suite)) {
        let (mut near, mut far) = tls_pair(suite);
        assert_eq!(near.send(b"to and ", b"fro").expect("sent"), 10);
        assert_eq!(drain(&mut far).0, b"to and fro");
        assert_eq!(far.send(b"back", &[]).expect("sent"), 4);
        assert_eq!(drain(&mut near).0, b"back");
        for end in [&near, &far] {
            let limit = if suite.cipher == Cipher::Chacha20Poly1305 { u64::MAX } else { 1 << 24 };
            assert_eq!(end.records_left().expect("a number"), limit - 1, "one record was sent");
        }
        count += 1;
    }
    assert!(count > 0);
}

#[test]
fn a_short_read_does_not_mean_drained() {
    if !is_there() {
        return;
    }
    let (mut near, mut far) = tls_pair(SUITE);
    near.send(b"first", &[]).expect("sent");
    near.send(b"second", &[]).expect("sent");
    near.send_record(HANDSHAKE, b"control").expect("sent");
    near.send(b"third", &[]).expect("sent");
    let mut buf = [0; 64];
    assert_eq!(far.recv(&mut buf).expect("read"), 11, "several records in one call");
    // No new edge comes for what lies behind.
    assert_eq!(far.recv(&mut buf).expect_err("no application data").raw_os_error(), Some(libc::EIO));
    assert_eq!(far.recv(&mut buf).expect_err("and it stays there").raw_os_error(), Some(libc::EIO));
    assert_eq!(far.recv_record(&mut buf).expect("read"), (7, Some(HANDSHAKE)));
    assert_eq!(&buf[..7], b"control");
    assert_eq!(far.recv_record(&mut buf).expect("read"), (5, Some(23)));
    assert_eq!(far.recv(&mut buf).expect_err("nothing more").kind(), ErrorKind::WouldBlock);
    near.send_record(ALERT, &[1, 0]).expect("sent");
    assert_eq!(far.recv(&mut buf).expect_err("no application data").raw_os_error(), Some(libc::EIO));
    assert_eq!(far.recv_record(&mut buf).expect("read"), (2, Some(ALERT)));
}

#[test]
fn each_record_that_is_whole_makes_an_edge() {
    if !is_there() {
        return;
    }
    let bytes = wire(|near| {
        near.send(b"one", &[]).expect("sent");
        near.send(b"two", &[]).expect("sent");
    });
    let (first, second) = bytes.split_at(bytes.len() / 2);
    let (mut near, far) = pair();
    near.set_nodelay(true).expect("a socket");
    let mut far = under_tls(far, SUITE);
    let mut edges = Edges::of(&far);
    near.write_all(&[first, &second[..4]].concat()).expect("written");
    assert!(edges.readable());
    assert_eq!(drain(&mut far).0, b"one");
    near.write_all(&second[4..]).expect("written");
    assert!(edges.readable(), "the rest of a record that came in two parts");
    assert_eq!(drain(&mut far).0, b"two");
    drop(near);
    assert!(edges.readable(), "the end");
    assert!(drain(&mut far).1.is_none());
}

#[test]
fn what_came_before_the_keys_is_there_after_them() {
    if !is_there() {
        return;
    }
    let bytes = wire(|near| assert_eq!(near.send(b"early", &[]).expect("sent"), 5));
    let (mut near, far) = pair();
    near.write_all(&bytes).expect("written");
    let mut peeked = [0; 64];
    while far.peek(&mut peeked).expect("bytes") < bytes.len() {}
    assert_eq!(drain(&mut under_tls(far, SUITE)).0, b"early");
}

#[test]
fn a_forged_record_is_an_error_of_its_own() {
    if !is_there() {
        return;
    }
    let mut bytes = wire(|near| assert_eq!(near.send(b"genuine", &[]).expect("sent"), 7));
    *bytes.last_mut().expect("a tag") ^= 1;
    let (mut near, far) = pair();
    let mut far = under_tls(far, SUITE);
    near.write_all(&bytes).expect("written");
    let mut edges = Edges::of(&far);
    assert!(edges.readable());
    assert_eq!(drain(&mut far).1.expect("an error").raw_os_error(), Some(libc::EBADMSG));
}

#[test]
fn a_full_socket_says_so_and_tells_when_it_takes_more() {
    if !is_there() {
        return;
    }
    let (mut near, mut far) = tls_pair(SUITE);
    let mut edges = Edges::of(&near);
    while edges.any(mio::event::Event::is_writable, 10) {}
    let block: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
    let mut sent = Vec::new();
    loop {
        match near.send(&block, &[]) {
            Ok(n) => sent.extend_from_slice(&block[..n]),
            Err(e) => break assert_eq!(e.kind(), ErrorKind::WouldBlock),
        }
    }
    let full = near.send_record(ALERT, &[1, 0]).expect_err("full for control records as well");
    assert_eq!(full.kind(), ErrorKind::WouldBlock);
    let mut got = Vec::new();
    while got.len() < sent.len() {
        got.extend(drain(&mut far).0);
        std::thread::yield_now();
    }
    assert!(got == sent, "{} and {} bytes", got.len(), sent.len());
    assert!(edges.any(mio::event::Event::is_writable, 10_000));
    near.send_record(ALERT, &[1, 0]).expect("sent");
}

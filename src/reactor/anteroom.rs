//! Connections of proxies that have not said yet for whom they speak. They get no slot before they have: so a client is
//! counted by its own address from the first moment, TLS begins behind the header, and nobody else has a state for it.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use slab::Slab;

use crate::protocol::proxy::{self, HEADER_BYTES_MAX, Source};

use super::doors::Newcomer;
use super::socket::Stream;

/// How many there may be; one more is refused. A header mostly comes with the connection.
const WAITING_MAX: usize = 4_096;

/// Tokens for their events, below those of the listeners and above those of all slots.
const FIRST_TOKEN: usize = usize::MAX - 2 * WAITING_MAX;

/// One that waits, told from an earlier one in its place by its number.
struct Waiting {
    newcomer: Newcomer,
    number: u64,
}

/// When a connection came.
struct Arrival {
    key: usize,
    number: u64,
    since_ms: u64,
}

/// Those who wait, and when each has come.
#[derive(Default)]
pub(super) struct Anteroom {
    waiting: Slab<Waiting>,
    order: VecDeque<Arrival>,
    number: u64,
}

/// The outcome of looking at a connection.
pub(super) enum Seen {
    /// It may go on.
    Ready(Newcomer),
    /// It has to wait, or has gone without a word.
    Nothing,
    /// It is refused, and closed.
    Refused(Option<SocketAddr>, &'static str),
}

/// The key of those to whom this token belongs.
pub(super) fn key_of(token: usize) -> Option<usize> {
    token.checked_sub(FIRST_TOKEN).filter(|&key| key < WAITING_MAX)
}

impl Anteroom {
    /// Whether nobody is here.
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// When somebody has waited for too long.
    pub fn due_ms(&self, handshake_ms: u64) -> Option<u64> {
        self.order.front().map(|arrival| arrival.since_ms + handshake_ms)
    }

    /// Takes in one that was just accepted; mostly its header is here already.
    pub fn enter(&mut self, registry: &Registry, newcomer: Newcomer, now_ms: u64) -> Seen {
        let peer = newcomer.peer;
        match look(newcomer, false) {
            Looked::Over(seen) => seen,
            Looked::Early(_) if self.waiting.len() >= WAITING_MAX => {
                Seen::Refused(peer, "too many connections wait for their PROXY header")
            }
            Looked::Early(newcomer) => {
                let (entry, number) = (self.waiting.vacant_entry(), self.number + 1);
                let fd = newcomer.stream.0.as_raw_fd();
                let token = Token(FIRST_TOKEN + entry.key());
                if registry.register(&mut SourceFd(&fd), token, Interest::READABLE).is_err() {
                    return Seen::Refused(peer, "the kernel has no memory to wait for its PROXY header");
                }
                self.order.push_back(Arrival { key: entry.key(), number, since_ms: now_ms });
                entry.insert(Waiting { newcomer, number });
                self.number = number;
                Seen::Nothing
            }
        }
    }

    /// Something has come for one of them.
    pub fn take_event(&mut self, registry: &Registry, key: usize, ended: bool) -> Seen {
        let Some(Waiting { newcomer, number }) = self.waiting.try_remove(key) else { return Seen::Nothing };
        match look(newcomer, ended) {
            Looked::Early(newcomer) => {
                // The place that was just left is the next one to be taken.
                let key_again = self.waiting.insert(Waiting { newcomer, number });
                debug_assert_eq!(key, key_again);
                Seen::Nothing
            }
            Looked::Over(seen) => {
                if let Seen::Ready(newcomer) = &seen {
                    let fd = newcomer.stream.0.as_raw_fd();
                    // It is there; and if it weren't, there would be nothing to take out.
                    let _ = registry.deregister(&mut SourceFd(&fd));
                }
                seen
            }
        }
    }

    /// Takes out one that has waited for too long. Those that have gone on are forgotten by the way.
    pub fn take_due(&mut self, now_ms: u64, handshake_ms: u64) -> Option<Seen> {
        while self.due_ms(handshake_ms).is_some_and(|due_ms| due_ms <= now_ms) {
            let Arrival { key, number, .. } = self.order.pop_front()?;
            if self.waiting.get(key).is_some_and(|waiting| waiting.number == number) {
                let peer = self.waiting.remove(key).newcomer.peer;
                return Some(Seen::Refused(peer, "no whole PROXY header within handshake_ms"));
            }
        }
        if self.waiting.is_empty() && self.order.capacity() > 64 {
            (self.waiting, self.order) = Default::default();
        }
        None
    }
}

/// A look at what is there.
enum Looked {
    /// Not all of the header.
    Early(Newcomer),
    Over(Seen),
}

/// Looks at what a connection begins with, and reads the header if that is whole, and nothing behind it.
fn look(newcomer: Newcomer, ended: bool) -> Looked {
    let Newcomer { stream, peer, tls, kind, .. } = newcomer;
    let stream = TcpStream::from(stream.0);
    let mut buffer = [0; HEADER_BYTES_MAX];
    let seen = match stream.peek(&mut buffer) {
        // A look whether we are there.
        Ok(0) => return Looked::Over(Seen::Nothing),
        Ok(n) => proxy::parse(&buffer[..n]),
        Err(e) if [io::ErrorKind::WouldBlock, io::ErrorKind::Interrupted].contains(&e.kind()) => Ok(None),
        Err(_) => return Looked::Over(Seen::Nothing),
    };
    let go_on = |stream: TcpStream, peer, is_told| Newcomer {
        stream: Stream(stream.into()),
        peer,
        tls,
        is_told,
        kind,
    };
    match seen {
        Ok(None) if ended => Looked::Over(Seen::Refused(peer, "the connection ends within its PROXY header")),
        Ok(None) => Looked::Early(go_on(stream, peer, false)),
        Ok(Some((source, used))) => match (&stream).read(&mut buffer[..used]) {
            Ok(n) if n == used => Looked::Over(Seen::Ready(match source {
                Source::Client(client) => go_on(stream, Some(client), true),
                Source::Itself => go_on(stream, peer, false),
            })),
            // It was there a moment ago: only a broken connection has lost it.
            _ => Looked::Over(Seen::Nothing),
        },
        Err(why) => Looked::Over(Seen::Refused(peer, why)),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::net::TcpListener;

    use mio::{Events, Poll};

    use super::*;

    const HEADER: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 7 443\r\n";

    struct Pair {
        proxy: TcpStream,
        newcomer: Option<Newcomer>,
        peer: SocketAddr,
    }

    fn pair() -> Pair {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, peer) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        let stream = Stream(socket.into());
        Pair {
            proxy,
            newcomer: Some(Newcomer {
                stream,
                peer: Some(peer),
                tls: false,
                is_told: false,
                kind: crate::endpoint::Kind::PUSH,
            }),
            peer,
        }
    }

    /// An outcome as text.
    fn name(seen: &Seen) -> String {
        match seen {
            Seen::Ready(newcomer) => format!("{:?} {}", newcomer.peer, newcomer.is_told),
            Seen::Nothing => "nothing".to_owned(),
            Seen::Refused(_, why) => (*why).to_owned(),
        }
    }

    /// Waits for an event of the connection that is here.
    fn event(poll: &mut Poll) -> usize {
        let mut events = Events::with_capacity(8);
        while events.is_empty() {
            poll.poll(&mut events, None).unwrap();
        }
        let Token(token) = events.iter().next().unwrap().token();
        key_of(token).unwrap()
    }

    #[test]
    fn a_header_in_pieces_and_what_follows_it() {
        let (mut poll, mut anteroom, mut pair) = (Poll::new().unwrap(), Anteroom::default(), pair());
        assert_eq!(name(&anteroom.enter(poll.registry(), pair.newcomer.take().unwrap(), 0)), "nothing");
        for &byte in &HEADER[..HEADER.len() - 1] {
            pair.proxy.write_all(&[byte]).unwrap();
            let key = event(&mut poll);
            assert_eq!(name(&anteroom.take_event(poll.registry(), key, false)), "nothing");
        }
        pair.proxy.write_all(b"\nGET /").unwrap();
        let key = event(&mut poll);
        let Seen::Ready(mut newcomer) = anteroom.take_event(poll.registry(), key, false) else { panic!() };
        assert_eq!((newcomer.peer, newcomer.is_told), (Some("192.0.2.1:7".parse().unwrap()), true));
        let mut rest = [0; 9];
        let n = crate::reactor::Socket::recv(&mut newcomer.stream, &mut rest).unwrap();
        assert_eq!((&rest[..n], anteroom.is_empty()), (&b"GET /"[..], true));
        assert_eq!(key_of(usize::MAX), None);
    }

    #[test]
    fn who_goes_or_says_something_else_or_nothing() {
        let (mut poll, mut anteroom) = (Poll::new().unwrap(), Anteroom::default());
        let mut seen = |says: &[u8], ends: bool| {
            let mut pair = pair();
            anteroom.enter(poll.registry(), pair.newcomer.take().unwrap(), 10);
            pair.proxy.write_all(says).unwrap();
            if ends {
                drop(pair.proxy);
            }
            let key = event(&mut poll);
            (name(&anteroom.take_event(poll.registry(), key, ends)), Some(pair.peer))
        };
        assert_eq!(seen(b"", true).0, "nothing");
        assert!(seen(b"PROXY", true).0.contains("ends within"));
        assert!(seen(b"GET /ws", false).0.contains("does not begin with"));
        let (own, peer) = seen(b"PROXY UNKNOWN\r\n", false);
        assert_eq!(own, format!("{peer:?} false"));
        let mut silent = pair();
        anteroom.enter(poll.registry(), silent.newcomer.take().unwrap(), 20);
        assert!(anteroom.take_due(5_019, 5_000).is_none());
        assert_eq!(anteroom.due_ms(5_000), Some(5_020), "those that have gone are not waited for");
        assert!(name(&anteroom.take_due(5_020, 5_000).unwrap()).contains("handshake_ms"));
        assert!(anteroom.take_due(9_999, 5_000).is_none() && anteroom.is_empty());
    }
}

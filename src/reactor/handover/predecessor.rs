//! The old process's side: it listens at the path, and hands over what it has to whoever asks.

use std::io::{self, Read};
use std::ops::Range;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::Socket;

use super::meeting::Meeting;
use super::{ASKING_MS, HELLO, VERSION};
use crate::reactor::event_loop::{EventLoop, WAKER};
use crate::reactor::listener::Sharing;
use crate::reactor::sys::{self, rights};
use crate::reactor::unix_path::{Place, PlaceImage};

/// The path at which a successor asks.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) place: Place,
    pub(super) socket: Socket,
}

impl Door {
    /// Listens there, for this user alone.
    fn open(path: &Path) -> io::Result<Door> {
        let (socket, place) = Place::take(path, Sharing::Alone)?;
        Ok(Door { place, socket })
    }

    /// Its image, and its descriptors.
    pub(super) fn image(&self) -> (PlaceImage, [RawFd; 2]) {
        let (image, lock) = self.place.image();
        (image, [self.socket.as_raw_fd(), lock])
    }

    /// The door of an image, which is the other process's until it is made ours.
    pub(super) fn of_image(image: PlaceImage, socket: Socket, lock: std::os::fd::OwnedFd) -> Door {
        Door { place: Place::of_image(image, lock), socket }
    }
}

/// A process that asks.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) stream: UnixStream,
    since_ms: u64,
    /// The bytes that it has said so far.
    said: Vec<u8>,
}

/// It says that it is a successor, and which version of the records it understands.
const ASKED_BYTES: usize = HELLO.len() + size_of::<u32>();

/// Who may take over.
#[derive(Debug)]
pub struct Succession {
    pub(super) door: Door,
    /// The poll has reported something, here or at the inbox.
    is_called: bool,
    pub(super) asking: Option<Asking>,
    /// Since when all stand still, and until when they may.
    pub(super) span: Option<Range<Instant>>,
}

impl Succession {
    /// Listens at a path.
    pub fn open(path: &Path) -> io::Result<Succession> {
        Ok(Succession::at(Door::open(path)?))
    }

    pub(super) fn at(door: Door) -> Succession {
        Succession { door, is_called: false, asking: None, span: None }
    }

    /// Lets a server's reactors listen there: the first one, for all.
    pub fn in_front_of(self, loops: Vec<EventLoop>) -> io::Result<Vec<EventLoop>> {
        let meeting = Meeting::new(loops.len());
        let mut loops: Vec<EventLoop> =
            loops.into_iter().enumerate().map(|(seat, all)| all.with_part(&meeting, seat)).collect();
        if !loops.is_empty() {
            let first = loops.remove(0).with_succession(self)?;
            loops.insert(0, first);
        }
        Ok(loops)
    }

    /// The poll has reported what may be a call.
    pub(in super::super) fn note_call(succession: &mut Option<Box<Succession>>, token: Token) {
        if let Some(succession) = succession.as_mut().filter(|_| token == WAKER) {
            succession.is_called = true;
        }
    }

    /// From now on its path goes with it.
    pub(super) fn make_ours(&mut self) {
        self.door.place.make_ours();
    }

    /// Takes in who asks; one at a time.
    pub(super) fn take_caller(&mut self, registry: &Registry, now_ms: u64) -> io::Result<()> {
        if !std::mem::take(&mut self.is_called) {
            return Ok(());
        }
        loop {
            let (socket, _) = match self.door.socket.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
                Ok(accepted) => accepted,
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) => return Err(e),
            };
            let user = rights::peer_user(&socket)?;
            if user != sys::user() && user != 0 {
                return Err(io::Error::other(format!("the user {user} has asked, and may not")));
            }
            if self.asking.is_none() {
                let stream = UnixStream::from(std::os::fd::OwnedFd::from(socket));
                registry.register(&mut SourceFd(&stream.as_raw_fd()), WAKER, Interest::READABLE)?;
                self.asking = Some(Asking { stream, since_ms: now_ms, said: Vec::new() });
            }
        }
    }
}

impl Asking {
    /// Whether it has said what it wants. An error: that is no successor, or it says nothing.
    pub(super) fn has_asked(&mut self, now_ms: u64) -> io::Result<bool> {
        let mut piece = [0; ASKED_BYTES];
        while self.said.len() < ASKED_BYTES {
            match self.stream.read(&mut piece[..ASKED_BYTES - self.said.len()]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => self.said.extend_from_slice(&piece[..n]),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => break,
                Err(e) => return Err(e),
            }
        }
        if !self.said.starts_with(&HELLO[..self.said.len().min(HELLO.len())]) {
            return Err(io::Error::other("that is no successor"));
        }
        if self.said.len() < ASKED_BYTES && self.is_late(now_ms) {
            return Err(io::Error::other("it has asked for nothing"));
        }
        Ok(self.said.len() == ASKED_BYTES)
    }

    pub(super) fn is_late(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= ASKING_MS
    }

    /// Why it is refused, whatever the server has.
    pub(super) fn refusal(&self) -> Option<String> {
        let other = u32::from_le_bytes(self.said[HELLO.len()..].try_into().unwrap_or_default());
        (other != VERSION).then(|| {
            format!("the running server hands over in version {VERSION}, and this one takes version {other}")
        })
    }
}

//! The old process's side: it listens at the path, and hands over what it has to whoever asks.

use std::fmt::Display;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use socket2::Socket;

use super::records::{Kind, Teller};
use super::{ASKING_MS, CONNECTIONS_PER_MS, FROZEN_MS, HELLO, VERSION};
use crate::config::LogLevel;
use crate::reactor::event_loop::{EventLoop, WAKER};
use crate::reactor::listener::{Listener, Sharing};
use crate::reactor::sys::{self, rights};
use crate::reactor::unix_path::{Place, PlaceImage};

/// Between two looks at a server that is asked, and not yet at a moment in which nothing is under way.
const LOOK_MS: u64 = 5;

/// The path at which a successor asks.
#[derive(Debug)]
pub(super) struct Door {
    place: Place,
    socket: Socket,
}

impl Door {
    /// Listens there, for this user alone.
    fn open(path: &Path) -> io::Result<Door> {
        let (socket, place) = Place::take(path, Sharing::Alone)?;
        Ok(Door { place, socket })
    }

    /// Its image, and its descriptors.
    fn image(&self) -> (PlaceImage, [RawFd; 2]) {
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
struct Asking {
    stream: UnixStream,
    since_ms: u64,
    /// The bytes that it has said so far.
    said: Vec<u8>,
}

/// It says that it is a successor, and which version of the records it understands.
const ASKED_BYTES: usize = HELLO.len() + size_of::<u32>();

/// Who may take over.
#[derive(Debug)]
pub struct Succession {
    door: Door,
    /// The poll has reported something, here or at the inbox.
    is_called: bool,
    asking: Option<Asking>,
}

impl Succession {
    /// Listens at a path.
    pub fn open(path: &Path) -> io::Result<Succession> {
        Ok(Succession::at(Door::open(path)?))
    }

    pub(super) fn at(door: Door) -> Succession {
        Succession { door, is_called: false, asking: None }
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
    fn take_caller(&mut self, registry: &Registry, now_ms: u64) -> io::Result<()> {
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
    fn has_asked(&mut self, now_ms: u64) -> io::Result<bool> {
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

    fn is_late(&self, now_ms: u64) -> bool {
        now_ms.saturating_sub(self.since_ms) >= ASKING_MS
    }

    /// Why it is refused, whatever the server has.
    fn refusal(&self) -> Option<String> {
        let other = u32::from_le_bytes(self.said[HELLO.len()..].try_into().unwrap_or_default());
        (other != VERSION).then(|| {
            format!("the running server hands over in version {VERSION}, and this one takes version {other}")
        })
    }
}

impl EventLoop {
    /// The same with a path at which a successor asks.
    pub fn with_succession(mut self, succession: Succession) -> io::Result<EventLoop> {
        let fd = succession.door.socket.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), WAKER, Interest::READABLE)?;
        self.succession = Some(Box::new(succession));
        Ok(self)
    }

    /// When somebody who asks is looked after again.
    pub(in super::super) fn succession_due_ms(&self) -> Option<u64> {
        let asks = self.succession.as_ref().is_some_and(|succession| succession.asking.is_some());
        asks.then(|| self.reactor.now().mono_ms() + LOOK_MS)
    }

    /// Looks whether a successor asks, and hands over to it when nothing is under way.
    pub(in super::super) fn look_after_succession(&mut self) {
        let now_ms = self.reactor.now().mono_ms();
        let Some(succession) = &mut self.succession else { return };
        if let Err(problem) = succession.take_caller(self.poll.registry(), now_ms) {
            return self.note_failed(&problem);
        }
        let Some(asking) = &mut succession.asking else { return };
        match asking.has_asked(now_ms) {
            Ok(true) => {}
            Ok(false) => return,
            Err(problem) => {
                self.end_asking();
                return self.note_failed(&problem);
            }
        }
        let refusal = asking.refusal().or_else(|| self.reactor.refuses_successor().map(str::to_owned));
        let refusal = match refusal {
            None if self.reactor.is_quiet() && self.anteroom.is_empty() => None,
            None if !asking.is_late(now_ms) => return,
            None => Some("requests are under way all the time; try again".to_owned()),
            refusal => refusal,
        };
        let Some(Asking { stream, .. }) = self.end_asking() else { return };
        match refusal {
            Some(why) => self.refuse(&stream, &why),
            None => self.hand_over_to(&stream),
        }
    }

    /// Takes the process that asks out of the poll.
    fn end_asking(&mut self) -> Option<Asking> {
        let asking = self.succession.as_mut()?.asking.take()?;
        // It is there; and if it weren't, there would be nothing to take out.
        let _ = self.poll.registry().deregister(&mut SourceFd(&asking.stream.as_raw_fd()));
        Some(asking)
    }

    fn refuse(&mut self, stream: &UnixStream, why: &str) {
        let until = Instant::now() + Duration::from_millis(LOOK_MS);
        // If it doesn't listen it goes without.
        let _ = Teller::new(stream, until).tell(Kind::Refused, &why, &[]);
        self.note_failed(&why);
    }

    fn note_failed(&mut self, problem: &dyn Display) {
        let fields: [(&str, &dyn Display); 2] = [("problem", problem), ("so", &"this server goes on")];
        let now = self.reactor.now();
        self.reactor.journal().event(now, LogLevel::Warn, "handover_failed", &fields);
    }

    /// The hand-over. Nobody is served meanwhile, and if it fails nothing has happened.
    fn hand_over_to(&mut self, stream: &UnixStream) {
        let connections = self.reactor.connections();
        let ms = FROZEN_MS + connections as u64 / CONNECTIONS_PER_MS;
        let until = Instant::now() + Duration::from_millis(ms);
        let told = stream.set_nonblocking(false).and_then(|()| {
            let mut out = Teller::new(stream, until);
            let moved = self.tell(&mut out)?;
            out.await_word()?;
            Ok(moved)
        });
        match told {
            Ok(moved) => self.give_up(&moved),
            Err(problem) => self.note_failed(&problem),
        }
    }

    fn tell(&mut self, out: &mut Teller<'_>) -> io::Result<Vec<usize>> {
        out.tell(Kind::Head, &self.reactor.now().mono_us, &[])?;
        let (mut images, mut fds) = (Vec::new(), Vec::new());
        for listener in &self.listeners {
            let (image, own) = listener.image();
            images.push(image);
            fds.extend(own);
        }
        let door = self.succession.as_ref().map(|succession| {
            let (image, own) = succession.door.image();
            fds.extend(own);
            image
        });
        out.tell(Kind::Listeners, &(images, door), &fds)?;
        self.reactor.tell_all(out)
    }

    /// The successor has taken over: its sockets are touched no more.
    fn give_up(&mut self, moved: &[usize]) {
        let registry = self.poll.registry();
        for &index in moved {
            if let Some(stream) = self.reactor.socket(index) {
                let _ = registry.deregister(&mut SourceFd(&stream.0.as_raw_fd()));
            }
        }
        for listener in self.listeners.drain(..) {
            let _ = registry.deregister(&mut SourceFd(&listener.socket.as_raw_fd()));
            Listener::give_up(listener);
        }
        if let Some(mut succession) = self.succession.take() {
            let _ = registry.deregister(&mut SourceFd(&succession.door.socket.as_raw_fd()));
            succession.door.place.give_up();
        }
        let now = self.reactor.now();
        let left = self.reactor.connections() - moved.len();
        let count = moved.len();
        let fields: [(&str, &dyn Display); 2] = [("connections", &count), ("stay", &left)];
        self.reactor.journal().event(now, LogLevel::Info, "handed_over", &fields);
        self.reactor.succeeded(moved);
    }
}

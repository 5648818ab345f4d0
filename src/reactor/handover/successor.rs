//! The new process's side: it asks, takes everything in without touching it, and says the word.

use std::fmt;
use std::io::{self, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Interest, Token};

use super::predecessor::{Door, Succession};
use super::records::{Kind, Listening};
use super::{ANSWER_MS, HELLO, VERSION, fault};
use crate::narrow;
use crate::reactor::event_loop::{Clock, EventLoop};
use crate::reactor::listener::{Listener, ListenerImage};
use crate::reactor::reactor::Reactor;
use crate::reactor::socket::Stream;
use crate::reactor::sys::{self, rights};
use crate::reactor::unix_path::PlaceImage;

/// Why a running server has not handed over. It goes on.
#[derive(Debug)]
pub enum HandoverError {
    /// It has said why.
    Refused(String),
    /// Something went wrong on the way.
    Failed(io::Error),
}

impl fmt::Display for HandoverError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            HandoverError::Refused(why) => f.write_str(why),
            HandoverError::Failed(error) => error.fmt(f),
        }
    }
}

impl From<io::Error> for HandoverError {
    fn from(error: io::Error) -> HandoverError {
        HandoverError::Failed(error)
    }
}

/// A server that is about to take over from a running one.
pub struct Successor {
    from: Listening,
    clock: Clock,
    listeners: Vec<Listener>,
    door: Option<Door>,
    /// By reactor: connections that stay in the other process.
    stay: Vec<Vec<usize>>,
}

impl Successor {
    /// Asks the server that is running, for one of so many reactors. None: there is none at this path.
    pub fn ask(path: &Path, reactors: usize) -> Result<Option<Successor>, HandoverError> {
        let mut stream = match UnixStream::connect(path) {
            Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused) => {
                return Ok(None);
            }
            connected => connected?,
        };
        fault::point();
        let user = rights::peer_user(&stream)?;
        if user != sys::user() && user != 0 {
            let why = format!("{} is listened at by the user {user}", path.display());
            return Err(io::Error::other(why).into());
        }
        stream.set_read_timeout(Some(Duration::from_millis(ANSWER_MS)))?;
        stream.write_all(&HELLO)?;
        fault::point();
        stream.write_all(&VERSION.to_le_bytes())?;
        let mut from = Listening::new(stream);
        let told = from.next()?;
        if told.is(Kind::Refused) {
            return Err(HandoverError::Refused(told.value()?));
        }
        let broken = || io::Error::from(ErrorKind::InvalidData);
        let (mono_us, there): (u64, u32) = told.value()?;
        if there as usize != reactors {
            let why = format!(
                "the running server has {there} reactors, and this one {reactors}: it takes as many \
                 (--reactors {there})"
            );
            return Err(HandoverError::Refused(why));
        }
        let clock = Clock::resume(mono_us).ok_or_else(broken)?;
        let told = from.next()?;
        let (images, door): (Vec<ListenerImage>, Option<PlaceImage>) = told.value()?;
        let mut fds = told.fds.into_iter();
        let mut listeners = Vec::new();
        for image in images {
            listeners.push(Listener::of_image(image, &mut fds).ok_or_else(broken)?);
        }
        let door = match door {
            None => None,
            Some(image) => {
                let (socket, lock) = (fds.next().ok_or_else(broken)?, fds.next().ok_or_else(broken)?);
                Some(Door::of_image(image, socket.into(), lock))
            }
        };
        Ok(Some(Successor { from, clock, listeners, door, stay: Vec::new() }))
    }

    /// The other server's clock, which goes on.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// The other server's listeners.
    pub fn take_listeners(&mut self) -> Vec<Listener> {
        std::mem::take(&mut self.listeners)
    }

    /// Lets a reactor that has nothing yet take in what the other one with its number has; the first one comes first.
    pub fn fill(&mut self, reactor: &mut Reactor<Stream>) -> Result<(), HandoverError> {
        if self.stay.is_empty() {
            let told = self.from.next()?;
            if !told.is(Kind::Shared) {
                return Err(io::Error::from(ErrorKind::InvalidData).into());
            }
            reactor.shared().resume(told.value()?);
        }
        self.stay.push(reactor.take_all(&mut self.from)?);
        Ok(())
    }

    /// All reactors have taken in what is theirs.
    pub fn complete(&mut self, reactors: &mut [Box<Reactor<Stream>>]) -> Result<(), HandoverError> {
        let told = self.from.next()?;
        if !told.is(Kind::End) {
            return Err(io::Error::from(ErrorKind::InvalidData).into());
        }
        self.from.check(&told)?;
        let counted: Vec<_> = reactors.iter().flat_map(|reactor| reactor.counted_attendees()).collect();
        for (reactor, stay) in reactors.iter_mut().zip(&self.stay) {
            reactor.count_attendees(&counted);
            reactor.leave_out(stay)?;
        }
        Ok(())
    }

    /// Takes over, when everything is in its place: from here on the other server touches nothing.
    pub fn take_over(mut self, loops: Vec<EventLoop>) -> Result<Vec<EventLoop>, HandoverError> {
        let mut loops = match self.door.take() {
            Some(door) => Succession::at(door).in_front_of(loops)?,
            None => loops,
        };
        fault::point();
        for event_loop in &mut loops {
            event_loop.register_all()?;
        }
        self.from.say_word().map_err(|e| match e.kind() {
            ErrorKind::BrokenPipe | ErrorKind::ConnectionReset => {
                HandoverError::Refused("the running server has waited long enough, and goes on".to_owned())
            }
            _ => e.into(),
        })?;
        for event_loop in &mut loops {
            event_loop.listeners.iter_mut().for_each(Listener::make_ours);
            event_loop.handing.succession.iter_mut().for_each(|succession| succession.make_ours());
        }
        Ok(loops)
    }
}

impl Clock {
    /// A clock that goes on from there.
    pub fn resume(mono_us: u64) -> Option<Clock> {
        Instant::now().checked_sub(Duration::from_micros(mono_us)).map(Clock)
    }
}

impl EventLoop {
    /// Registers all connections that there are.
    fn register_all(&mut self) -> io::Result<()> {
        let interest = Interest::READABLE | Interest::WRITABLE;
        for (index, fd) in self.reactor.descriptors() {
            self.poll.registry().register(&mut SourceFd(&fd), Token(index), interest)?;
        }
        if let Some(doors) = &self.doors {
            let ever = narrow::to_usize(self.reactor.removed());
            doors.have_come(self.reactor.connections() + ever);
        }
        Ok(())
    }
}

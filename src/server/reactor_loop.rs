//! A reactor beside a server's first one, and whoever drives it.

use std::io;
use std::os::fd::RawFd;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::cpus::Pin;
use crate::reactor::Shared;
use crate::reactor::event_loop::EventLoop;
use crate::reactor::own::OnReactor;

/// A reactor beside a server's first one, for a host that drives each of them by a loop of its own
/// ([`Server::take_reactors`](super::Server::take_reactors)).
///
/// It has to be driven to its end like the server itself: the drain waits for it. One that is dropped before, or whose
/// callback panics, ends the server with an error.
///
/// ```no_run
/// use wspush::config::Reactors;
/// use wspush::{Config, Server};
///
/// let config = Config { reactors: "3".parse::<Reactors>()?, ..Config::default() };
/// let mut server = Server::bind(config)?;
/// let threads: Vec<_> = server
///     .take_reactors()
///     .into_iter()
///     .map(|reactor| std::thread::spawn(move || reactor.run()))
///     .collect();
/// server.run()?;
/// # for thread in threads { thread.join().unwrap()?; }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct ReactorLoop {
    /// None: it has come to its end.
    event_loop: Option<Box<EventLoop>>,
    number: usize,
    shared: Arc<Shared>,
    pin: Pin,
}

impl ReactorLoop {
    pub(super) fn new(event_loop: EventLoop, number: usize, shared: Arc<Shared>, pin: Pin) -> ReactorLoop {
        ReactorLoop { event_loop: Some(Box::new(event_loop)), number, shared, pin }
    }

    /// Which one it is, from 1; the server's own is 0. It is the upper 6 bits of its connections' ids.
    pub fn number(&self) -> usize {
        self.number
    }

    /// Runs until it has drained.
    pub fn run(mut self) -> io::Result<()> {
        while self.poll_once(None)? {}
        Ok(())
    }

    /// Waits at most `timeout` for something to happen and does one turn; its callbacks run inside. False: it has
    /// drained, or the server was dropped, and need not be polled again.
    ///
    /// # Errors
    /// The system's. They end the server, too.
    pub fn poll_once(&mut self, timeout: Option<Duration>) -> io::Result<bool> {
        if self.shared.is_abandoned() {
            self.event_loop = None;
        }
        // One that panics is gone with that.
        let Some(mut event_loop) = self.event_loop.take() else { return Ok(false) };
        let _on_reactor = OnReactor::enter();
        let _says_so = IfPanicking { number: self.number, shared: &self.shared };
        match self.pin.take().and_then(|()| event_loop.poll_once(timeout)) {
            Ok(true) => {
                self.event_loop = Some(event_loop);
                Ok(true)
            }
            Ok(false) => Ok(false),
            Err(problem) => {
                self.shared.fail(self.number, format!("reactor {}: {problem}", self.number));
                Err(problem)
            }
        }
    }

    /// A descriptor that becomes readable when [`poll_once`](Self::poll_once) has something to do; see
    /// [`Server::descriptor`](super::Server::descriptor). None: it has come to its end.
    pub fn descriptor(&self) -> Option<RawFd> {
        self.event_loop.as_ref().map(|event_loop| event_loop.descriptor())
    }

    /// How long it can do without being polled, if nothing happens.
    pub fn time_to_next(&self) -> Option<Duration> {
        self.event_loop.as_ref().and_then(|event_loop| event_loop.time_to_next())
    }
}

impl Drop for ReactorLoop {
    fn drop(&mut self) {
        if self.event_loop.take().is_some() && !self.shared.is_abandoned() {
            let problem = format!("reactor {} was dropped before it had drained", self.number);
            self.shared.fail(self.number, problem);
        }
    }
}

/// Tells the first reactor of a panic in another one.
struct IfPanicking<'a> {
    number: usize,
    shared: &'a Shared,
}

impl Drop for IfPanicking<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            let number = self.number;
            let problem = format!("reactor {number} has panicked; its message is on standard error");
            self.shared.fail(number, problem);
        }
    }
}

//! Who drives a server: nobody yet, a thread of ours, the host by polling, nobody any more.

mod further;

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wspush::server::{Handle, Server};

use super::error::CallError;
use super::host::OnReactor;
use super::status::*;
use further::Further;

/// How long somebody who drives several reactors waits for one of them, before the next.
const SHORT: Duration = Duration::from_millis(1);

enum RunState {
    /// To be polled, or to be started.
    Idle(Box<Server>),
    /// A thread of ours has it.
    Started(JoinHandle<Result<(), CallError>>),
    Stopped,
}

/// A server's driver. The lock is held while the host polls and while somebody stops it.
pub(super) struct Running {
    /// The first reactor.
    first: Mutex<RunState>,
    /// The others.
    further: Further,
}

impl Running {
    /// A server that nobody drives yet.
    pub(super) fn new(mut server: Server) -> Running {
        let further = Further::new(server.take_reactors());
        Running { first: Mutex::new(RunState::Idle(Box::new(server))), further }
    }

    /// How many reactors there are.
    pub(super) fn reactors(&self) -> usize {
        1 + self.further.count()
    }

    /// The state, unless another thread is using it.
    fn try_lock(&self) -> Result<MutexGuard<'_, RunState>, CallError> {
        match self.first.try_lock() {
            Ok(state) => Ok(state),
            // Every panic in here has left a whole state behind: see `poll`.
            Err(TryLockError::Poisoned(state)) => Ok(state.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(CallError::new(WSPUSH_ESTATE, "another thread is polling or stopping the server"))
            }
        }
    }

    /// Gives the server threads of its own.
    pub(super) fn start(&self) -> Result<(), CallError> {
        let mut state = self.try_lock()?;
        if matches!(*state, RunState::Idle(_)) {
            self.further.start()?;
        }
        match std::mem::replace(&mut *state, RunState::Stopped) {
            RunState::Idle(server) => {
                *state = RunState::Started(spawn(server)?);
                Ok(())
            }
            RunState::Started(thread) => {
                *state = RunState::Started(thread);
                Err(CallError::new(WSPUSH_ESTATE, "the server has been started already"))
            }
            RunState::Stopped => Err(stopped()),
        }
    }

    /// One turn on this thread; the others have threads of their own, unless the host polls them. False: the server has
    /// drained.
    pub(super) fn poll(&self, timeout: Option<Duration>) -> Result<bool, CallError> {
        let state = self.try_lock()?;
        if matches!(*state, RunState::Idle(_)) && !self.further.is_hosts() {
            self.further.start()?;
        }
        self.turn(state, timeout)
    }

    /// One turn of one reactor; the host polls all of them. False: it has drained.
    pub(super) fn poll_reactor(&self, reactor: usize, timeout: Option<Duration>) -> Result<bool, CallError> {
        self.further.check_number(reactor)?;
        self.further.leave_to_host()?;
        match reactor.checked_sub(1) {
            Some(further) => self.further.poll(further, timeout),
            None => self.turn(self.try_lock()?, timeout),
        }
    }

    fn turn(
        &self,
        mut state: MutexGuard<'_, RunState>,
        timeout: Option<Duration>,
    ) -> Result<bool, CallError> {
        // A server that panics is dropped, and what is left is a stopped one.
        match std::mem::replace(&mut *state, RunState::Stopped) {
            RunState::Idle(mut server) => {
                let _on_reactor = OnReactor::enter();
                let goes_on = server.poll_once(timeout)?;
                if goes_on {
                    *state = RunState::Idle(server);
                }
                Ok(goes_on)
            }
            RunState::Started(thread) => {
                *state = RunState::Started(thread);
                Err(started())
            }
            RunState::Stopped => Err(stopped()),
        }
    }

    /// How long the host may leave the server alone. None: until its descriptor is readable.
    pub(super) fn timeout(&self) -> Result<Option<Duration>, CallError> {
        match &*self.try_lock()? {
            RunState::Idle(server) => Ok(server.time_to_next()),
            RunState::Started(_) => Err(started()),
            RunState::Stopped => Err(stopped()),
        }
    }

    /// The same of one of its reactors.
    pub(super) fn reactor_timeout(&self, reactor: usize) -> Result<Option<Duration>, CallError> {
        self.further.check_number(reactor)?;
        match reactor.checked_sub(1) {
            Some(further) => self.further.timeout(further),
            None => self.timeout(),
        }
    }

    /// Waits for the end of a server that was told to drain; drives it there if nobody else does.
    pub(super) fn stop(&self, handle: &Handle, within: Option<Duration>) -> Result<(), CallError> {
        let tell = || match within {
            Some(time) => handle.drain_within(time),
            None => handle.drain(),
        };
        // First of all, so that a thread that polls without end comes out of it and gives the lock back.
        if !self.has_ended() {
            tell();
        }
        let mut state = self.first.lock().unwrap_or_else(PoisonError::into_inner);
        let ended = match std::mem::replace(&mut *state, RunState::Stopped) {
            RunState::Idle(server) => self.drive_to_end(server),
            RunState::Started(thread) => thread.join().unwrap_or_else(|_| Err(panicked())),
            RunState::Stopped => Ok(()),
        };
        // The first one has come to its end, so the others have, or do in their next turn.
        self.further.end();
        ended
    }

    fn drive_to_end(&self, mut server: Box<Server>) -> Result<(), CallError> {
        let _on_reactor = OnReactor::enter();
        if !self.further.is_hosts() {
            self.further.start()?;
            while server.poll_once(None)? {}
        } else {
            while server.poll_once(Some(SHORT))? {
                self.further.poll_all(SHORT);
            }
        }
        // Here, since it may have answers to give.
        drop(server);
        Ok(())
    }

    /// Whether nobody will take a command any more.
    pub(super) fn has_ended(&self) -> bool {
        match self.try_lock().as_deref() {
            Ok(RunState::Stopped) => true,
            Ok(RunState::Started(thread)) => thread.is_finished(),
            _ => false,
        }
    }
}

pub(super) fn stopped() -> CallError {
    CallError::new(WSPUSH_ESTOPPED, "the server has stopped")
}

pub(super) fn started() -> CallError {
    CallError::new(WSPUSH_ESTATE, "the server has a thread of its own (wspush_server_start)")
}

fn panicked() -> CallError {
    CallError::new(WSPUSH_EPANIC, "the server's thread has panicked; its message is on standard error")
}

/// The thread blocks all signals: they belong to the host's threads.
fn spawn(server: Box<Server>) -> io::Result<JoinHandle<Result<(), CallError>>> {
    let before = block_signals()?;
    let run = move || {
        let _on_reactor = OnReactor::enter();
        let result = catch_unwind(AssertUnwindSafe(|| server.run()));
        result.map_err(|_| panicked())?.map_err(CallError::from)
    };
    let thread = thread::Builder::new().name("wspush".to_owned()).spawn(run);
    // SAFETY: `before` is a set that pthread_sigmask has filled.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, std::ptr::null_mut()) };
    thread
}

/// Blocks all signals in this thread, for new ones to inherit; returns what was blocked before.
fn block_signals() -> io::Result<libc::sigset_t> {
    // SAFETY: sigfillset fills the set it is given, pthread_sigmask the one it puts the old mask in.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        let mut before = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        match libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before) {
            0 => Ok(before),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

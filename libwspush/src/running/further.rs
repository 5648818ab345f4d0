//! The reactors beside the first one: each has a thread of ours, or is polled by the host.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use wspush::server::ReactorLoop;

use super::super::error::CallError;
use super::super::status::*;
use super::{started, stopped};

/// Who drives them.
enum Drivers {
    /// Nobody yet.
    None,
    /// These threads, which are ours.
    Ours(Vec<JoinHandle<()>>),
    /// The host, from the first poll of one of them on.
    Host,
}

/// All of them.
pub(super) struct Further {
    /// Each locked while it is polled; None: it has come to its end, or a thread of ours has it.
    loops: Box<[Mutex<Option<ReactorLoop>>]>,
    drivers: Mutex<Drivers>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A loop that panics is gone by itself, and leaves the rest whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Further {
    pub(super) fn new(loops: Vec<ReactorLoop>) -> Further {
        let loops = loops.into_iter().map(|further| Mutex::new(Some(further))).collect();
        Further { loops, drivers: Mutex::new(Drivers::None) }
    }

    pub(super) fn count(&self) -> usize {
        self.loops.len()
    }

    /// Whether the server has a reactor with this number.
    pub(super) fn check_number(&self, reactor: usize) -> Result<(), CallError> {
        if reactor <= self.loops.len() {
            Ok(())
        } else {
            let all = self.loops.len() + 1;
            Err(CallError::new(
                WSPUSH_ENOTFOUND,
                format!("there is no reactor {reactor}, only {all} of them"),
            ))
        }
    }

    /// Gives each a thread, if they have none.
    pub(super) fn start(&self) -> Result<(), CallError> {
        let mut drivers = lock(&self.drivers);
        match &*drivers {
            Drivers::None => {}
            Drivers::Ours(_) => return Ok(()),
            Drivers::Host => {
                let why = "the host polls the server's reactors (wspush_server_reactor_poll)";
                return Err(CallError::new(WSPUSH_ESTATE, why));
            }
        }
        let mut threads = Vec::with_capacity(self.loops.len());
        for (n, further) in self.loops.iter().enumerate() {
            let Some(further) = lock(further).take() else { continue };
            let run = move || {
                wspush::reactor::sys::block_signals();
                // The first reactor is told, and says so.
                let _ = catch_unwind(AssertUnwindSafe(|| further.run()));
            };
            threads.push(thread::Builder::new().name(format!("wspush-{}", n + 1)).spawn(run)?);
        }
        *drivers = Drivers::Ours(threads);
        Ok(())
    }

    /// Whether the host polls them.
    pub(super) fn is_hosts(&self) -> bool {
        matches!(*lock(&self.drivers), Drivers::Host)
    }

    /// From now on it does.
    pub(super) fn leave_to_host(&self) -> Result<(), CallError> {
        let mut drivers = lock(&self.drivers);
        match &*drivers {
            Drivers::None => *drivers = Drivers::Host,
            Drivers::Host => {}
            // With one reactor there are no threads, and nothing to decide.
            Drivers::Ours(_) if self.loops.is_empty() => {}
            Drivers::Ours(_) => return Err(started()),
        }
        Ok(())
    }

    /// The one with this number, unless another thread is using it.
    fn try_lock(&self, further: usize) -> Result<MutexGuard<'_, Option<ReactorLoop>>, CallError> {
        if matches!(*lock(&self.drivers), Drivers::Ours(_)) {
            return Err(started());
        }
        match self.loops[further].try_lock() {
            Ok(state) => Ok(state),
            Err(TryLockError::Poisoned(state)) => Ok(state.into_inner()),
            Err(TryLockError::WouldBlock) => {
                Err(CallError::new(WSPUSH_ESTATE, "another thread is polling the reactor"))
            }
        }
    }

    /// One turn of it. False: it has drained.
    pub(super) fn poll(&self, further: usize, timeout: Option<Duration>) -> Result<bool, CallError> {
        let mut state = self.try_lock(further)?;
        let reactor = state.as_mut().ok_or_else(stopped)?;
        let goes_on = reactor.poll_once(timeout)?;
        if !goes_on {
            *state = None;
        }
        Ok(goes_on)
    }

    /// One turn of each that nobody else is polling.
    pub(super) fn poll_all(&self, timeout: Duration) {
        for further in 0..self.loops.len() {
            // One that fails ends the server, which says why.
            let _ = self.poll(further, Some(timeout));
        }
    }

    /// How long the host may leave it alone.
    pub(super) fn timeout(&self, further: usize) -> Result<Option<Duration>, CallError> {
        let state = self.try_lock(further)?;
        Ok(state.as_ref().ok_or_else(stopped)?.time_to_next())
    }

    /// Waits until they have come to their end, which they are about to.
    pub(super) fn end(&self) {
        // A poll from now on finds none.
        let drivers = std::mem::replace(&mut *lock(&self.drivers), Drivers::Host);
        if let Drivers::Ours(threads) = drivers {
            for thread in threads {
                // A panic has been caught.
                let _ = thread.join();
            }
        }
        // One that the host is polling comes out of it, since it is abandoned.
        self.loops.iter().for_each(|further| drop(lock(further).take()));
    }
}

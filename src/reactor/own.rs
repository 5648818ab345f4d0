//! Callbacks' own commands, given through a handle. They go through the inbox like all, so the reactor has to know how
//! far it must have got there before it goes on with what was asked for behind it.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

thread_local! {
    static HERE: u8 = const { 0 };
}

thread_local! {
    /// Whether this thread is at work as a reactor beside the first one.
    static IS_REACTOR: Cell<bool> = const { Cell::new(false) };
}

/// While it lives this thread is at work as a reactor beside the first one.
pub struct OnReactor(bool);

impl OnReactor {
    /// From now on.
    pub fn enter() -> OnReactor {
        OnReactor(IS_REACTOR.replace(true))
    }
}

impl Drop for OnReactor {
    fn drop(&mut self) {
        IS_REACTOR.set(self.0);
    }
}

/// Whether it is.
pub fn is_reactor_thread() -> bool {
    IS_REACTOR.get()
}

/// A number that no other thread has meanwhile.
fn this_thread() -> usize {
    HERE.with(|here| std::ptr::from_ref(here).addr())
}

/// The commands of the thread that runs the callbacks, while it runs one. Nobody else writes here but that thread.
#[derive(Debug, Default)]
pub struct Own {
    /// The thread of the callback that runs; 0: none does.
    thread: AtomicUsize,
    last: AtomicU64,
}

impl Own {
    /// A callback begins on this thread.
    #[inline]
    pub fn begin(&self) {
        self.thread.store(this_thread(), Ordering::Relaxed);
    }

    /// It is over.
    #[inline]
    pub fn end(&self) {
        self.thread.store(0, Ordering::Relaxed);
    }

    /// Notes that this thread has put command `number` into the inbox.
    #[inline]
    pub(super) fn note(&self, number: u64) {
        let thread = self.thread.load(Ordering::Relaxed);
        if thread != 0 && thread == this_thread() {
            self.last.store(number, Ordering::Relaxed);
        }
    }

    /// Whether this thread runs a callback.
    pub(super) fn is_here(&self) -> bool {
        self.thread.load(Ordering::Relaxed) == this_thread()
    }

    /// Number of the last command that a callback has put into the inbox.
    #[inline]
    pub fn last(&self) -> u64 {
        self.last.load(Ordering::Relaxed)
    }

    /// The same, for a session to look at.
    pub(super) fn counter(&self) -> &AtomicU64 {
        &self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_callback_asks_for_counts() {
        let own = Own::default();
        own.note(1);
        own.begin();
        std::thread::scope(|scope| {
            scope.spawn(|| own.note(2));
        });
        assert_eq!(own.last(), 0);
        own.note(3);
        own.end();
        own.note(4);
        assert_eq!(own.last(), 3);
    }
}

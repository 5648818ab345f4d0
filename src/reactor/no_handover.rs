//! A build that hands nothing over.

use std::time::Duration;

use super::event_loop::EventLoop;
use super::reactor::Reactor;
use super::socket::Socket;

impl EventLoop {
    #[inline]
    pub(super) fn succession_due_ms(&self) -> Option<u64> {
        None
    }

    #[inline]
    pub(super) fn look_after_succession(&mut self) {}

    #[inline]
    pub(super) fn stands_still(&mut self, _timeout: Option<Duration>) -> bool {
        false
    }

    /// The process that has taken over from this one.
    pub fn successor(&self) -> Option<u32> {
        None
    }
}

impl<S: Socket> Reactor<S> {
    #[inline]
    pub(super) fn introduce_taken_over(&mut self) {}
}

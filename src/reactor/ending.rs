//! The time that a connection has for its end. From when its close frame is written the peer has `close_wait_ms` to
//! answer. Before that it must have had the chance to read it: as long as it takes what is in front of it, it stays.

use crate::metrics::CloseReason;

use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;

/// Who takes something in each `pong_wait_ms` has so many of them to take all that is in front of its close frame, and
/// the close frame.
pub(super) const CLOSE_WAITS: u64 = 30;

impl<S: Socket> Reactor<S> {
    /// A connection's end has begun: it is looked after until its close frame is written, and then until the peer's
    /// has come.
    pub(super) fn await_close_written(&mut self, index: usize) -> Result<(), Gone> {
        if !self.connections.slots[index].flags.any(Flags::BLOCKED)
            && self.connections.slots[index].outbox().is_none()
        {
            return self.close_is_written(index);
        }
        let left = self.left(index);
        let slot = &mut self.connections.slots[index];
        if let Some(ending) = slot.extra.as_mut().and_then(|extra| extra.ending.as_mut()) {
            ending.left = left;
        }
        self.connections.timers.close_progress.push(index, slot.serial, self.now.mono_ms());
        Ok(())
    }

    /// A connection's close frame is written: now it is the peer's turn.
    pub(super) fn await_peer_close(&mut self, index: usize) {
        let serial = self.connections.slots[index].serial;
        self.connections.timers.closes.push(index, serial, self.now.mono_ms());
    }

    /// Bytes that the peer has not taken: those that are with us, and those that are with the kernel.
    fn left(&self, index: usize) -> u64 {
        let slot = &self.connections.slots[index];
        let sealed = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
        let sealed = sealed.map_or(0, |session| session.unsent().len() as u64);
        let sealed = sealed + slot.lines().map_or(0, |lines| lines.unsent().len() as u64);
        let waiting = slot.outbox().map_or(0, |outbox| outbox.left());
        // Where the kernel doesn't say, only what it takes of us is seen.
        waiting + sealed + slot.socket.untaken().unwrap_or(0)
    }

    /// Looks whether a connection takes what is in front of its close frame, and cuts it off if it doesn't.
    pub(super) fn check_close_progress(&mut self, index: usize, serial: u32) {
        let waits = |slot: &&Slot<S>| {
            slot.serial == serial && slot.phase == Phase::Closing && slot.flags.any(Flags::BLOCKED)
        };
        if self.connections.slots.get(index).filter(waits).is_none() {
            return;
        }
        let (left, now_ms) = (self.left(index), self.now.mono_ms());
        let slot = &mut self.connections.slots[index];
        let Some(ending) = slot.extra.as_mut().and_then(|extra| extra.ending.as_mut()) else { return };
        // In a drain it may take until the end of that.
        if self.exit.draining.is_some() || left < ending.left && now_ms < ending.until_ms {
            ending.left = left;
            self.connections.timers.close_progress.push(index, serial, now_ms);
            return;
        }
        self.metrics.goodbyes_unread += 1;
        self.remove(index, CloseReason::Client);
    }
}

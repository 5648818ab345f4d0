//! What waits at single connections, and the bound of all of it together.
//!
//! Each connection has bounds of its own: it isn't read before its outbox is empty. A million of them that ask
//! and don't listen to the answers would still be a million outboxes, so there is one more for the sum.

use crate::config::LogLevel;
use crate::metrics::{CloseReason, RefuseReason};
use crate::protocol::close::CloseCode;

use super::reactor::Reactor;
use super::slot::{Slot, State};
use super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// Changes what a connection holds, and keeps the sum right.
    #[inline]
    pub(super) fn hold<R>(&mut self, index: usize, change: impl FnOnce(&mut Slot<S>) -> R) -> R {
        let slot = &mut self.slots[index];
        let before = slot.backlog_bytes();
        let result = change(slot);
        self.backlog_bytes = self.backlog_bytes - before + slot.backlog_bytes();
        result
    }

    /// Whether so many more bytes may wait at a connection. The admin listener's few always may, and so may a close
    /// frame: both have a bound in the number of connections.
    pub(super) fn has_backlog_room(&self, index: usize, bytes: usize) -> bool {
        matches!(self.slots[index].state, State::Admin | State::Closing)
            || self.backlog_bytes.saturating_add(bytes) <= self.config.backlog_bytes_max
    }

    /// The same for input that waits. It has no exemption in a close: its sum is not bounded by the number of
    /// connections.
    pub(super) fn has_input_room(&self, index: usize, bytes: usize) -> bool {
        self.slots[index].state == State::Admin
            || self.backlog_bytes.saturating_add(bytes) <= self.config.backlog_bytes_max
    }

    /// There is no room for what would have to wait at this connection: says so if a frame boundary allows it, and
    /// closes it. False: it is gone.
    pub(super) fn overloaded(&mut self, index: usize, mid_frame: bool) -> bool {
        let id = self.slots[index].id(index);
        let fields: [(&str, &dyn std::fmt::Display); 2] =
            [("conn", &id), ("backlog_bytes_max", &self.config.backlog_bytes_max)];
        self.journal.event(self.now, LogLevel::Warn, "overloaded", &fields);
        match self.slots[index].state {
            State::Open if !mid_frame => {
                let code = CloseCode::TRY_AGAIN_LATER;
                self.begin_close(index, code, "the server is short of memory", CloseReason::Overload);
            }
            State::Open | State::Closing => self.remove(index, CloseReason::Overload),
            State::Http | State::Admin => {
                let peer = self.slots[index].socket.peer();
                self.refused(RefuseReason::Overload, "its answers wait (backlog_bytes_max)", peer);
                self.remove(index, CloseReason::Overload);
            }
        }
        self.slots.contains(index)
    }
}

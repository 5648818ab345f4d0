//! The backlog: what waits at single connections, and the bound of all of it together.
//!
//! Each connection has bounds of its own: it isn't read before its outbox is empty. A million of them that ask
//! and don't listen to the answers would still be a million outboxes, so there is one more for the sum. When that is
//! reached the one that holds most gives way, and not the one who comes next: see [`Shares`](super::shares::Shares).

use crate::config::LogLevel;
use crate::metrics::{CloseReason, RefuseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;

use super::addresses::network_of;
use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::work::DEADLINE;

impl<S: Socket> Reactor<S> {
    /// Changes what a connection holds, and keeps the sums right.
    #[inline]
    pub(super) fn hold<R>(&mut self, index: usize, change: impl FnOnce(&mut Slot<S>) -> R) -> R {
        let slot = &mut self.connections.slots[index];
        let before = slot.backlog_bytes();
        let result = change(slot);
        self.recount_backlog(index, before);
        result
    }

    /// Keeps the sums right for a connection that held `before` until now.
    #[inline]
    pub(super) fn recount_backlog(&mut self, index: usize, before: usize) {
        let after = self.connections.slots[index].backlog_bytes();
        if after != before {
            self.wire.backlog_bytes = self.wire.backlog_bytes - before + after;
            self.count_backlog(index);
        }
    }

    /// Counts what waits at a connection by now. The admin listener's few have no share.
    pub(super) fn count_backlog(&mut self, index: usize) {
        let slot = &self.connections.slots[index];
        if slot.phase != Phase::Admin {
            let from = || network_of(self.connections.peer(index));
            self.shares.backlog.set(narrow::to_u32(index), slot.backlog_bytes(), from);
        }
    }

    /// Bytes that may wait at single connections. Where TLS is spoken the last eighth is for what a flush seals, as who
    /// could give way is not looked for before its slice is over.
    fn backlog_limit(&self) -> usize {
        let max = self.config.backlog_bytes_max / self.shared.reactors();
        if self.wire.tls.acceptor.is_some() { max - max / 8 } else { max }
    }

    /// Whether so many more bytes may wait at a connection; if it takes that, whoever's address holds most gives way.
    /// The admin listener's few always may, and so may a close frame: both have a bound in the number of connections.
    pub(super) fn has_backlog_room(&mut self, index: usize, bytes: usize) -> bool {
        self.connections.slots[index].phase == Phase::Closing || self.has_input_room(index, bytes)
    }

    /// The same for input that waits. It has no exemption in a close: its sum is not bounded by the number of
    /// connections.
    pub(super) fn has_input_room(&mut self, index: usize, bytes: usize) -> bool {
        self.connections.slots[index].phase == Phase::Admin
            || self.wire.backlog_bytes.saturating_add(bytes) <= self.backlog_limit()
            || self.make_backlog_room(index, bytes)
    }

    #[cold]
    fn make_backlog_room(&mut self, index: usize, bytes: usize) -> bool {
        self.let_give_way(|reactor| {
            while reactor.wire.backlog_bytes.saturating_add(bytes) > reactor.backlog_limit() {
                let from = || network_of(reactor.connections.peer(index));
                let victim = reactor.shares.backlog.victim(narrow::to_u32(index), bytes, from);
                let Some(victim) = victim else { return false };
                reactor.lose_what_waits(victim);
            }
            true
        })
    }

    /// Lets others give way to the connection at hand. They are told so, and the part of that which has to wait has no
    /// claim to anybody else's room: it might be the room of the connection at hand.
    pub(super) fn let_give_way(&mut self, make_room: impl FnOnce(&mut Self) -> bool) -> bool {
        if std::mem::replace(&mut self.shares.gives_way, true) {
            return false;
        }
        let has_room = make_room(self);
        self.shares.gives_way = false;
        has_room
    }

    /// Lets those give way who hold most, if a flush has left more than there may be.
    pub(super) fn shed_backlog(&mut self) {
        while self.wire.backlog_bytes > self.backlog_limit()
            && let Some(victim) = self.shares.backlog.any_victim()
        {
            self.lose_what_waits(victim);
        }
    }

    /// Others need what a connection holds. It is told so if its socket is free and it has no half records.
    fn lose_what_waits(&mut self, index: usize) {
        self.work.charge(WorkKind::Send, DEADLINE);
        self.metrics.gave_way += 1;
        if self.connections.slots[index].flags.any(Flags::BLOCKED_OR_TLS) {
            let _ = self.overloaded(index, true);
            return;
        }
        let told = self.lose_input(index, "no memory left for what waits (backlog_bytes_max)");
        if told.is_ok() && self.connections.slots[index].backlog_bytes() > 0 {
            self.remove(index, CloseReason::Overload);
        }
    }

    /// There is no room for what would have to wait at this connection: says so if a frame boundary allows it, and
    /// closes it.
    pub(super) fn overloaded(&mut self, index: usize, mid_frame: bool) -> Result<(), Gone> {
        let id = self.connections.slots[index].id(index);
        let fields: [(&str, &dyn std::fmt::Display); 2] =
            [("conn", &id), ("backlog_bytes_max", &self.config.backlog_bytes_max)];
        self.journal.event(self.now, LogLevel::Warn, "overloaded", &fields);
        match self.connections.slots[index].phase {
            Phase::Open if !mid_frame => {
                let code = CloseCode::TRY_AGAIN_LATER;
                return self.begin_close(index, code, "the server is short of memory", CloseReason::Overload);
            }
            Phase::Open | Phase::Closing => self.remove(index, CloseReason::Overload),
            Phase::Http | Phase::Admin => {
                let peer = self.connections.peer(index);
                self.refused(RefuseReason::Overload, "its answers wait (backlog_bytes_max)", peer);
                self.remove(index, CloseReason::Overload);
            }
        }
        Err(Gone)
    }
}

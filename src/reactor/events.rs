//! The poll's events, and who comes first.

use crate::metrics::WorkKind;

use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{EVENT, FIRST, SHARE};

/// The poll's report on a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Readiness {
    /// There is something to read.
    pub readable: bool,
    /// It takes more.
    pub writable: bool,
    /// Its peer has closed its side or broken off. That is found out by reading, behind what came before.
    pub ended: bool,
}

impl Readiness {
    /// Of one that has just come.
    pub const NEW: Readiness = Readiness { readable: true, writable: false, ended: false };
}

impl<S: Socket> Reactor<S> {
    /// The poll says that a connection can be read or written. A word about a slot that is someone else's by
    /// now does no harm: it is looked at, and nothing is there.
    pub fn ready(&mut self, index: usize, readable: bool, writable: bool) {
        if writable {
            self.writable(index);
        }
        if readable {
            self.readable(index, false, SHARE);
        }
    }

    /// An event of the poll about a connection.
    ///
    /// Known connections come first; newcomers, which can make the server work most, wait for the next part of the
    /// turn. So do those that have had their share.
    pub fn take_event(&mut self, index: usize, event: Readiness) {
        self.work.charge(WorkKind::Events, EVENT);
        if event.writable {
            self.writable(index);
        }
        let Some(slot) = self.connections.slots.get(index) else { return };
        if !(event.readable || event.ended) {
            return;
        }
        let is_handshaking = || {
            let session = slot.extra.as_ref().and_then(|extra| extra.tls.as_ref());
            session.is_none_or(|session| !session.is_established())
        };
        let waits = slot.flags.any(Flags::QUEUED)
            || slot.phase == Phase::Http
            || slot.flags.any(Flags::TLS) && is_handshaking();
        if waits {
            self.read_later(index, event.ended);
        } else {
            self.readable(index, event.ended, FIRST);
        }
    }

    /// Whether the turn goes on to further events.
    pub fn has_time(&self) -> bool {
        !self.work.is_part_used()
    }

    /// Events are left for the next turn.
    pub fn leave_events(&mut self) {
        self.work.cut_by_most();
    }
}

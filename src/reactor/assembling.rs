//! Messages and request heads that are not whole yet: the time that they have, and who gives way when the pool that
//! holds them is used up.

use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::message::Assembly;

use super::addresses::network_of;
use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::work::DEADLINE;

/// Chunks of the pool that a connection holds.
pub(super) fn chunks_of<S>(slot: &Slot<S>) -> usize {
    let Some(extra) = &slot.extra else { return 0 };
    let message = extra.assembly.as_ref().map_or(0, |assembly| assembly.chunks());
    message + extra.http.as_ref().map_or(0, |request| request.chain.chunks())
}

impl<S: Socket> Reactor<S> {
    /// Counts what a connection holds of the pool by now. The admin listener's have a reserve of their own.
    pub(super) fn count_chunks(&mut self, index: usize) {
        let slot = &self.connections.slots[index];
        if slot.phase != Phase::Admin {
            let from = || network_of(self.connections.peer(index));
            self.shares.chunks.set(narrow::to_u32(index), chunks_of(slot), from);
        }
    }

    /// A connection needs so many more chunks of the pool than are free: whoever's address holds most gives way. False:
    /// that is its own.
    #[cold]
    pub(super) fn make_chunks_free(&mut self, index: usize, chunks: usize) -> bool {
        let free = self.pool.chunks_free() + chunks;
        self.let_give_way(|reactor| {
            while reactor.pool.chunks_free() < free {
                let from = || network_of(reactor.connections.peer(index));
                let victim = reactor.shares.chunks.victim(narrow::to_u32(index), chunks, from);
                let Some(victim) = victim else { return false };
                reactor.work.charge(WorkKind::Frames, DEADLINE);
                reactor.metrics.gave_way += 1;
                let _ = reactor.lose_input(victim, "out of assembly memory");
                debug_assert_eq!(reactor.shares.chunks.held_by(narrow::to_u32(victim)), 0);
            }
            true
        })
    }

    /// Others need what has come from a connection in part, or waits: it gets 503, or is closed.
    pub(super) fn lose_input(&mut self, index: usize, reason: &'static str) -> Result<(), Gone> {
        // Those of the connection at hand are not for this one.
        let replies = std::mem::take(&mut self.scratch.replies);
        let told = if self.connections.slots[index].phase == Phase::Http {
            self.drop_input(index);
            self.refuse_unfinished(index, reason)
        } else {
            self.end_message(index, CloseCode::TRY_AGAIN_LATER, reason, CloseReason::Overload)
        };
        self.scratch.replies = replies;
        told
    }

    /// A message that has begun has `message_ms` for the rest.
    pub(super) fn time_message(&mut self, index: usize, assembly: &mut Assembly) {
        if assembly.since_ms.is_some() {
            return;
        }
        let (now_ms, slots) = (self.now.mono_ms(), &self.connections.slots);
        assembly.since_ms = Some(now_ms);
        let is_unfinished = |index: usize, serial: u32, since_ms: u64| {
            let slot = slots.get(index).filter(|slot| slot.serial == serial);
            slot.is_some_and(|slot| begun_ms(slot) == Some(since_ms))
        };
        self.connections.timers.messages.push_among(index, slots[index].serial, now_ms, is_unfinished);
    }

    /// The time in which a connection isn't read is not its own: its message has `message_ms` from now on.
    pub(super) fn restart_message(&mut self, index: usize) {
        let extra = self.connections.slots[index].extra.as_mut();
        let Some(mut assembly) = extra.and_then(|extra| extra.assembly.take()) else { return };
        assembly.since_ms = None;
        self.time_message(index, &mut assembly);
        self.connections.slots[index].extra_mut().assembly = Some(assembly);
    }

    /// A message's time is up, unless it was another one that the connection has finished since.
    pub(super) fn message_due(&mut self, index: usize, serial: u32) {
        let Some(slot) = self.connections.get(index, serial) else {
            return;
        };
        let is_late = |since_ms| since_ms + self.config.message_ms <= self.now.mono_ms();
        if begun_ms(slot).is_some_and(is_late) {
            if slot.is_paused_by_host() {
                return self.restart_message(index);
            }
            let code = CloseCode::POLICY_VIOLATION;
            let reason = "the message did not arrive in time (message_ms)";
            let _ = self.end_message(index, code, reason, CloseReason::Unfinished);
        }
    }

    /// Ends a connection in the middle of a message: what still comes of that is not understood any more.
    fn end_message(
        &mut self,
        index: usize,
        code: CloseCode,
        reason: &str,
        cause: CloseReason,
    ) -> Result<(), Gone> {
        self.drop_input(index);
        self.begin_close(index, code, reason, cause)?;
        self.connections.slots[index].flags.set(Flags::IGNORE_INPUT, true);
        Ok(())
    }
}

/// When the message that a connection is in the middle of began.
fn begun_ms<S>(slot: &Slot<S>) -> Option<u64> {
    slot.extra.as_ref()?.assembly.as_ref()?.since_ms
}

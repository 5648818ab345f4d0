//! The heartbeat of WebSockets: silence is asked about, or filled.
//!
//! A connection that answers in good time is asked less often, if `heartbeat_max_ms` says so. How far that has come
//! lies beside another number in a byte of the slot that is there anyway.

use crate::config::Heartbeat;
use crate::metrics::CloseReason;
use crate::narrow;

use super::reactor::Reactor;
use super::slot::{Flags, HELD_MAX, Slot};
use super::socket::Socket;
use super::stamp::Stamp;

/// A ping without payload (RFC 6455 section 5.5.2).
const PING: [u8; 2] = [0x89, 0];
/// A pong without payload (RFC 6455 section 5.5.3).
const PONG: [u8; 2] = [0x8a, 0];

/// Two numbers in one byte: how many bytes of input the slot holds, and how often it was doubled after how long a
/// silence the connection is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Held(u8);

const BYTES: u8 = 0x1f;
const DOUBLED_SHIFT: u32 = 5;
/// So often at the most.
const DOUBLED_MAX: u8 = 6;
/// In the place of that: the kernel knows after how long to give the peer up.
const TIMED: u8 = 7;
const _: () = assert!(HELD_MAX <= BYTES as usize);

impl Held {
    /// The bytes.
    #[inline]
    pub fn bytes(self) -> usize {
        usize::from(self.0 & BYTES)
    }

    /// Sets them.
    #[inline]
    pub fn set_bytes(&mut self, bytes: usize) {
        self.0 = self.0 & !BYTES | narrow::to_u8(bytes);
    }

    fn doubled(self) -> u8 {
        self.0 >> DOUBLED_SHIFT
    }

    fn set_doubled(&mut self, doubled: u8) {
        self.0 = self.0 & BYTES | doubled << DOUBLED_SHIFT;
    }
}

impl<S> Slot<S> {
    /// It was heard of after it was asked: in good time it is asked less often, and as often as others otherwise.
    #[cold]
    pub(super) fn answered(&mut self, now_ms: u64, pong_wait_ms: u64) {
        let is_late = self.seen.age_ms(now_ms) * 2 > pong_wait_ms;
        let doubled = match self.held_len.doubled() {
            _ if is_late => 0,
            TIMED => 0,
            doubled => (doubled + 1).min(DOUBLED_MAX),
        };
        self.held_len.set_doubled(doubled);
    }
}

impl<S: Socket> Reactor<S> {
    /// After how long a silence something is said to a connection; `None`: never.
    #[inline]
    pub(super) fn interval_ms(&self, slot: &Slot<S>) -> Option<u64> {
        let (least_ms, most_ms) = (self.config.heartbeat_ms, self.config.heartbeat_max_ms);
        match slot.held_len.doubled() {
            _ if least_ms == 0 => None,
            0 | TIMED => Some(least_ms),
            doubled => Some((least_ms << doubled).min(most_ms).max(least_ms)),
        }
    }

    /// Pings a peer that has been silent for long enough, and gives it up when it still is `pong_wait_ms` later; or
    /// says something that is not answered.
    pub(super) fn websocket_heartbeat(&mut self, index: usize, silent_ms: u64) {
        let Some(interval_ms) = self.interval_ms(&self.connections.slots[index]) else { return };
        if self.config.heartbeat == Heartbeat::Pong {
            return self.say_pong(index, silent_ms);
        }
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::PINGED) {
            if silent_ms >= self.config.pong_wait_ms && !self.excuse_silence(index) {
                self.remove(index, CloseReason::Heartbeat);
            }
        } else if silent_ms >= interval_ms {
            slot.flags.set(Flags::PINGED, true);
            slot.seen = Stamp::at(now_ms);
            self.metrics.pings_sent += 1;
            // A full socket already has something to answer for; its silence counts all the same.
            self.say_heartbeat(index, &PING);
        }
    }

    /// Says a pong. A peer that has gone is found by the kernel, or, with its socket full, by us.
    fn say_pong(&mut self, index: usize, silent_ms: u64) {
        let now_ms = self.now.mono_ms();
        let untaken_ms = self.config.heartbeat_ms.saturating_add(self.config.pong_wait_ms);
        let slot = &mut self.connections.slots[index];
        // It may have been asked before another configuration came.
        slot.flags.set(Flags::PINGED, false);
        let is_stuck = slot.flags.any(Flags::BLOCKED) && !self.takes_more_within(index);
        if is_stuck {
            if silent_ms >= untaken_ms && !self.excuse_silence(index) {
                self.remove(index, CloseReason::Heartbeat);
            }
            return;
        }
        if silent_ms < self.config.heartbeat_ms {
            return;
        }
        let slot = &mut self.connections.slots[index];
        if slot.held_len.doubled() != TIMED {
            slot.held_len.set_doubled(TIMED);
            // A peer on a Unix socket, where there is no such time, can't vanish without a word.
            let _ = slot.socket.set_untaken_ms_max(u32::try_from(untaken_ms).unwrap_or(u32::MAX));
        }
        slot.seen = Stamp::at(now_ms);
        self.metrics.pings_sent += 1;
        self.say_heartbeat(index, &PONG);
    }

    pub(super) fn say_heartbeat(&mut self, index: usize, frame: &[u8]) {
        if !self.connections.slots[index].flags.any(Flags::BLOCKED) {
            let _ = self.push_out(index, frame);
        } else if self.takes_more_within(index) {
            let _ = self.say_within(index, frame);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_numbers_in_one_byte() {
        let mut held = Held::default();
        for (bytes, doubled) in [(19, 0), (19, 6), (0, 7), (5, 3)] {
            held.set_bytes(bytes);
            held.set_doubled(doubled);
            assert_eq!((held.bytes(), held.doubled()), (bytes, doubled));
        }
    }
}

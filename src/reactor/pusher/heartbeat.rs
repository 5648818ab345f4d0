//! The heartbeat of apps' connections. Their clients ask whether the server is there, after a silence of their own; the
//! server asks only those that have not.

use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::{self, Opcode};
use crate::protocol::pusher::Event;

use super::super::reactor::Reactor;
use super::super::slot::Flags;
use super::super::socket::Socket;
use super::super::stamp::Stamp;

/// The time that a client is given beyond the time after which it should have asked, and for its answer.
const PATIENCE_MS: u64 = 30_000;

impl<S: Socket> Reactor<S> {
    /// An app's connection has been silent for so long: it is asked, or given up; or its app is over.
    pub(in super::super) fn app_heartbeat(&mut self, index: usize, silent_ms: u64) {
        let Some(number) = Self::app_seat(&self.connections.slots[index]) else { return };
        if let Some((code, why)) = self.apps.over(number) {
            return self.close_in_order(index, CloseCode(code), why, CloseReason::Admin);
        }
        let interval_ms = self.app_of(index).settings.activity_timeout_s * 1_000 + PATIENCE_MS;
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::PINGED) {
            if silent_ms >= PATIENCE_MS && !self.excuse_silence(index) {
                let why = "pong not received in time";
                self.close_in_order(index, CloseCode(4_201), why, CloseReason::Heartbeat);
            }
        } else if silent_ms >= interval_ms {
            slot.flags.set(Flags::PINGED, true);
            slot.seen = Stamp::at(now_ms);
            self.metrics.pings_sent += 1;
            let (mut said, mut ping) = (Vec::new(), Vec::new());
            Event::new("pusher:ping").with(b"\"{}\"").push(&mut said);
            frame::encode(Opcode::Text, &said, &mut ping);
            self.say_heartbeat(index, &ping);
        }
    }
}

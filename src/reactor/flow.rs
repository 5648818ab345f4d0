//! Who waits for whom on one connection: what the host has asked of its flow, and the message that comes in pieces.
//!
//! Only few connections have such a state, and only while they need it: it lies in the box of rare state.

use crate::endpoint::{ConnId, FlowAsked};
use crate::protocol::INFLATING_BYTES;
use crate::protocol::pieces::Incoming;

use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;
use super::stamp::Stamp;
use super::transport::Transport;

/// A connection's flow, as far as it is not the ordinary one.
#[derive(Debug, Default)]
pub struct Flow {
    /// The message that comes in pieces.
    pub incoming: Incoming,
    /// The host wants nothing of it read.
    pub is_paused: bool,
}

impl Flow {
    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        let Flow { incoming, is_paused } = self;
        !is_paused && !incoming.in_message()
    }

    /// Memory that it holds, out of `backlog_bytes_max`.
    pub fn held_bytes(&self) -> usize {
        self.incoming.inflating.as_ref().map_or(0, |_| INFLATING_BYTES)
    }
}

impl<S> Slot<S> {
    /// Its flow, if that is not the ordinary one.
    pub fn flow(&self) -> Option<&Flow> {
        self.extra.as_ref()?.flow.as_deref()
    }

    /// The same to be changed, made if need be. Then [`tidy_flow`](Self::tidy_flow).
    pub fn flow_mut(&mut self) -> &mut Flow {
        self.extra_mut().flow.get_or_insert_default()
    }

    /// Gives back what is empty.
    pub fn tidy_flow(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.flow.take_if(|flow| flow.is_empty());
            self.tidy();
        }
    }

    /// Whether the host wants nothing of it read.
    pub fn is_paused_by_host(&self) -> bool {
        self.flow().is_some_and(|flow| flow.is_paused)
    }
}

impl<S: Socket> Reactor<S> {
    /// Does what the host has asked of a connection's flow.
    pub(super) fn change_flow(&mut self, conn: ConnId, asked: FlowAsked) {
        let Some(index) = self.find_open(conn) else { return };
        match asked {
            FlowAsked::Pause => self.pause_for_host(index),
            FlowAsked::Resume => self.end_pause(index),
        }
    }

    fn pause_for_host(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        let is_websocket = match slot.transport {
            Transport::WebSocket | Transport::V1 | Transport::Pieces | Transport::EndlessPieces => true,
            // Nothing that it says is listened to, and its end is only seen by reading.
            Transport::Sse(_) | Transport::Stream | Transport::Poll => false,
        };
        if is_websocket {
            slot.flags.set(Flags::PAUSED, true);
            slot.flow_mut().is_paused = true;
        }
    }

    /// The host wants it read again, or it is to be read for its close.
    pub(super) fn end_pause(&mut self, index: usize) {
        let stamp = self.stamp();
        let slot = &mut self.connections.slots[index];
        if !slot.is_paused_by_host() {
            return;
        }
        slot.flow_mut().is_paused = false;
        slot.tidy_flow();
        // Its silence was not its own.
        slot.seen = stamp;
        slot.flags.set(Flags::PINGED, false);
        self.restart_message(index);
        let slot = &mut self.connections.slots[index];
        // Else it is read when its outbox is empty.
        if !slot.flags.any(Flags::BLOCKED) {
            slot.flags.set(Flags::PAUSED, false);
            self.go_on_later(index);
        }
    }

    /// A connection that isn't read for want of the host's word was pinged, and can't have been heard. It is pinged
    /// again.
    pub(super) fn excuse_silence(&mut self, index: usize) -> bool {
        let now_ms = self.now.mono_ms();
        let slot = &mut self.connections.slots[index];
        let is_excused = slot.is_paused_by_host();
        if is_excused {
            slot.flags.set(Flags::PINGED, false);
            slot.seen = Stamp::at(now_ms);
        }
        is_excused
    }
}

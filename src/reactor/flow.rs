//! Who waits for whom on one connection: what the host has asked of its flow, and the message that comes in pieces.
//!
//! Only few connections have such a state, and only while they need it: it lies in the box of rare state.

use crate::endpoint::flow::SessionFacts;
use crate::endpoint::{ConnId, FlowAsked};
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::INFLATING_BYTES;
use crate::protocol::pieces::Incoming;

use super::outbox::Outbox;
use super::reactor::Reactor;
use super::sending::Sending;
use super::slot::{Aside, Flags, Phase, Slot};
use super::socket::Socket;
use super::stamp::Stamp;
use super::transport::Transport;
use super::work::MESSAGE;

/// A connection's flow, as far as it is not the ordinary one.
#[derive(Debug, Default)]
pub struct Flow {
    /// The message that comes in pieces.
    pub incoming: Incoming,
    /// The host wants nothing of it read.
    pub is_paused: bool,
    /// How often the host has asked to be told when its outbox is empty.
    awaits_drained: u32,
    /// The message that goes out in pieces.
    pub sending: Option<Sending>,
}

impl Flow {
    /// Whether there is nothing in it.
    fn is_empty(&self) -> bool {
        let Flow { incoming, is_paused, awaits_drained, sending } = self;
        !is_paused && *awaits_drained == 0 && sending.is_none() && !incoming.in_message()
    }

    /// Memory that it holds, out of `backlog_bytes_max`.
    pub fn held_bytes(&self) -> usize {
        let behind = self.sending.as_ref().and_then(Sending::behind);
        let decoder = self.incoming.inflating.as_ref().map_or(0, |_| INFLATING_BYTES);
        decoder + behind.map_or(0, Outbox::held_bytes)
    }
}

impl<S> Slot<S> {
    /// Whether it speaks TLS, in this process or in the kernel.
    pub fn is_secure(&self) -> bool {
        self.flags.any(Flags::TLS) && !self.is_plain_below() || self.flags.any(Flags::KERNEL_TLS)
    }

    /// Its flow, if that is not the ordinary one.
    pub fn flow(&self) -> Option<&Flow> {
        self.extra.as_ref()?.aside.as_ref()?.flow.as_deref()
    }

    /// The same to be changed, made if need be. Then [`tidy_flow`](Self::tidy_flow).
    pub fn flow_mut(&mut self) -> &mut Flow {
        self.aside_mut().flow.get_or_insert_default()
    }

    /// The same as it is.
    pub fn flow_there(&mut self) -> Option<&mut Flow> {
        self.extra.as_mut()?.aside.as_mut()?.flow.as_deref_mut()
    }

    /// Gives back what is empty.
    pub fn tidy_flow(&mut self) {
        if let Some(aside) = self.extra.as_mut().and_then(|extra| extra.aside.as_mut()) {
            aside.flow.take_if(|flow| flow.is_empty());
        }
        self.tidy_aside();
    }

    /// Whether the host wants nothing of it read.
    pub fn is_paused_by_host(&self) -> bool {
        self.flow().is_some_and(|flow| flow.is_paused)
    }
}

impl<S> SessionFacts for Slot<S> {
    fn user(&self) -> Option<&str> {
        Slot::user(self)
    }

    fn outbox_bytes(&self) -> usize {
        Slot::outbox_bytes(self)
    }

    fn is_secure(&self) -> bool {
        Slot::is_secure(self)
    }
}

impl Aside {
    /// Memory out of `backlog_bytes_max`.
    pub(super) fn held_bytes(&self) -> usize {
        let lines = self.lines.as_ref().map_or(0, |lines| lines.held_bytes());
        let questions = self.app.as_ref().map_or(0, |app| app.questions_bytes());
        self.stash.len() + self.flow.as_ref().map_or(0, |flow| flow.held_bytes()) + lines + questions
    }
}

impl<S: Socket> Reactor<S> {
    /// Does what the host has asked of a connection's flow.
    pub(super) fn change_flow(&mut self, conn: ConnId, asked: FlowAsked) {
        let Some(index) = self.find_open(conn) else { return };
        match asked {
            FlowAsked::Pause => self.pause_for_host(index),
            FlowAsked::Resume => self.end_pause(index),
            FlowAsked::TellDrained => {
                let slot = &mut self.connections.slots[index];
                let asked = &mut slot.flow_mut().awaits_drained;
                *asked = asked.saturating_add(1);
                if slot.outbox().is_none() {
                    self.is_drained(index);
                }
            }
            FlowAsked::Send(piece) => self.send_piece(index, piece),
        }
    }

    fn pause_for_host(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        let is_websocket = match slot.transport {
            Transport::WebSocket | Transport::V1 | Transport::Pieces | Transport::EndlessPieces => true,
            // It has no host.
            Transport::Pusher => false,
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
        // Else it is read when its outbox is empty; but the end of a message in pieces may depend on what it says.
        if !slot.flags.any(Flags::BLOCKED) || slot.sending().is_some() {
            slot.flags.set(Flags::PAUSED, false);
            self.go_on_later(index);
        }
    }

    /// A connection that isn't read for want of the host's word, or of the rest of its message, was pinged, and can't
    /// have been heard. It is pinged again.
    pub(super) fn excuse_silence(&mut self, index: usize) -> bool {
        let now_ms = self.now.mono_ms();
        let waits = self.takes_more_within(index);
        let slot = &mut self.connections.slots[index];
        let is_excused = slot.is_paused_by_host() || waits && slot.flags.any(Flags::PAUSED);
        if is_excused {
            slot.flags.set(Flags::PINGED, false);
            slot.seen = Stamp::at(now_ms);
        }
        is_excused
    }

    /// An outbox is written that a connection with a flow of its own had. False: nothing comes behind it for now.
    pub(super) fn goes_on_behind_flow(&mut self, index: usize) -> bool {
        self.is_drained(index);
        let is_sending = self.is_sending(index);
        if is_sending {
            self.hold_open(index);
        }
        !is_sending
    }

    /// A connection's outbox is empty. If the host waits for that it is told at the end of a turn, when no other
    /// callback runs.
    fn is_drained(&mut self, index: usize) {
        let slot = &self.connections.slots[index];
        if slot.flow().is_some_and(|flow| flow.awaits_drained > 0) {
            self.drained.push_back((narrow::to_u32(index), slot.serial));
        }
    }

    /// Tells the host whose outbox is empty, as far as the turn goes.
    pub(super) fn tell_drained(&mut self) {
        while !self.work.is_part_used()
            && let Some(&(index, serial)) = self.drained.front()
        {
            self.work.charge(WorkKind::Frames, MESSAGE);
            // The requests of earlier callbacks come first.
            let asked = self.shared.own().last();
            self.carry_out_until(asked);
            if !self.has_carried_out(asked) {
                return;
            }
            self.drained.pop_front();
            let index = index as usize;
            let slot = self.connections.get(index, serial).filter(|slot| slot.phase == Phase::Open);
            // Something may have come into it meanwhile; or it was told already.
            let Some(slot) = slot.filter(|slot| slot.outbox().is_none()) else { continue };
            let asked = slot.flow_there().map_or(0, |flow| std::mem::take(&mut flow.awaits_drained));
            if asked == 0 {
                continue;
            }
            slot.tidy_flow();
            let told = self.call_back(index, |handler, session| {
                session.answer_drains(asked);
                handler.on_drained(session);
                session.pace_by_host();
            });
            if told.and_then(|()| self.send_replies(index)).is_err() {
                self.scratch.replies.clear();
            }
        }
    }
}

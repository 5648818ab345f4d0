//! Messages that the host sends in pieces (RFC 6455 section 5.4).
//!
//! Between the frames of a message only control frames may come. So as long as one is under way the socket is full to
//! everybody else: the connection is marked as blocked, the walk passes it by, its cursors stay behind, and what is
//! said to it meanwhile waits in a queue behind the message. That it waits has the bounds that it always has.

use crate::config::LogLevel;
use crate::endpoint::{FlowPace, Outgoing};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::Opcode;
use crate::push::{Kind, Passage};

use super::connections::Gone;
use super::outbox::{ITEM_BYTES, Outbox};
use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;
use super::transport::Transport;
use super::wire::Sent;
use super::work::{BYTES, CALL};

/// Set on a message's last frame.
const FIN: u8 = 0x80;

/// A message under way.
#[derive(Debug)]
pub struct Sending {
    kind: Kind,
    /// The socket takes nothing for now: the poll, or a retry, will say when it does. What comes next waits.
    is_full: bool,
    /// The queue behind the message.
    behind: Option<Box<Outbox>>,
}

impl Sending {
    /// The queue behind the message.
    pub fn behind(&self) -> Option<&Outbox> {
        self.behind.as_deref()
    }
}

impl<S> Slot<S> {
    /// The message that goes out in pieces.
    pub fn sending(&self) -> Option<&Sending> {
        self.flow()?.sending.as_ref()
    }

    fn sending_mut(&mut self) -> Option<&mut Sending> {
        self.flow_there()?.sending.as_mut()
    }

    /// The queue for what is said to it now: behind the message under way, if there is one.
    pub fn queue_mut(&mut self) -> &mut Outbox {
        if self.sending().is_none() {
            self.flags.set(Flags::OUTBOX, true);
        }
        let extra = self.extra_mut();
        let flow = extra.aside.as_mut().and_then(|aside| aside.flow.as_mut());
        match flow.and_then(|flow| flow.sending.as_mut()) {
            Some(sending) => sending.behind.get_or_insert_default(),
            None => extra.outbox.get_or_insert_default(),
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Sends a piece, or lets it wait.
    pub(super) fn send_piece(&mut self, index: usize, piece: Outgoing) {
        let Outgoing { kind, more, mut frame, pace } = piece;
        self.note_heard(index);
        let slot = &self.connections.slots[index];
        match slot.transport {
            Transport::WebSocket | Transport::Pieces | Transport::EndlessPieces => {}
            Transport::V1 | Transport::Pusher | Transport::Sse(_) | Transport::Stream | Transport::Poll => {
                return self
                    .refuse_piece(index, "only a WebSocket without wspush.v1 takes messages in pieces");
            }
        }
        let under_way = slot.sending().map(|sending| sending.kind);
        if under_way.is_some_and(|under_way| under_way != kind) {
            return self.refuse_piece(index, "the pieces of a message are of different kinds");
        }
        let list = if under_way.is_some() { 0 } else { self.channels_behind(index) * ITEM_BYTES };
        if pace == FlowPace::ByHost && !self.outbox_has_room(index, list + frame.len()) {
            // The sender has gone on and can't be told; the client must not have a gap without notice.
            return self.close_slow(index);
        }
        let opcode = if under_way.is_some() { Opcode::Continuation } else { kind.opcode() };
        frame[0] = opcode as u8 | if more { 0 } else { FIN };
        if under_way.is_none() {
            if !self.has_room_to_wait(index, list) || !self.bring_up_to_date(index, None) {
                return;
            }
            let slot = &mut self.connections.slots[index];
            let is_full = slot.flags.any(Flags::BLOCKED);
            slot.flow_mut().sending = Some(Sending { kind, is_full, behind: None });
            self.connections.set_blocked(index, true);
        }
        if self.say_within(index, &frame).is_err() {
            return;
        }
        let slot = &mut self.connections.slots[index];
        if pace == FlowPace::ByReading && slot.sending().is_some_and(|sending| sending.is_full) {
            slot.flags.set(Flags::PAUSED, true);
        }
        if !more {
            self.end_sending(index);
        }
    }

    /// A host's mistake: the client must not have half a message without a word.
    fn refuse_piece(&mut self, index: usize, problem: &str) {
        let conn = self.connections.slots[index].id(index);
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &conn), ("problem", &problem)];
        self.journal.event(self.now, LogLevel::Warn, "piece_not_sent", &fields);
        self.close_in_order(index, CloseCode::INTERNAL_ERROR, problem, CloseReason::Internal);
    }

    /// Whether a message in pieces is under way on a connection.
    pub(super) fn is_sending(&self, index: usize) -> bool {
        self.connections.slots[index].sending().is_some()
    }

    /// Whether one is under way, and the socket takes more.
    pub(super) fn takes_more_within(&self, index: usize) -> bool {
        let slot = &self.connections.slots[index];
        slot.outbox().is_none() && slot.sending().is_some_and(|sending| !sending.is_full)
    }

    /// Writes whole frames that may come between those of the message under way, or are its own.
    pub(super) fn say_within(&mut self, index: usize, frames: &[u8]) -> Result<(), Gone> {
        self.work.charge(WorkKind::Send, CALL + frames.len() as u64 / BYTES);
        let slot = &mut self.connections.slots[index];
        let is_full = slot.outbox().is_some() || slot.sending().is_some_and(|sending| sending.is_full);
        let mut written = 0;
        if !is_full {
            let sent = self.wire.write(slot, &mut self.metrics, frames, &[]);
            written = sent.taken();
            let (is_full, is_short) = match sent {
                Sent::Bytes(n) => (n < frames.len(), false),
                Sent::Held { short, .. } => (true, short),
                Sent::Short => (true, true),
                Sent::Broken { cause, .. } => {
                    self.remove(index, cause);
                    return Err(Gone);
                }
            };
            if let Some(sending) = slot.sending_mut() {
                sending.is_full = is_full;
            }
            if is_short {
                self.connections.timers.retry(narrow::to_u32(index), slot.serial);
            }
            self.count_backlog(index);
        }
        let rest = &frames[written..];
        if rest.is_empty() {
            return Ok(());
        }
        if !self.has_backlog_room(index, rest.len()) {
            return self.overloaded(index, written > 0);
        }
        self.hold(index, |slot| slot.outbox_mut().push_frames(rest));
        Ok(())
    }

    /// Answers a ping while a message is under way. Who doesn't take the answers isn't read.
    pub(super) fn answer_within(&mut self, index: usize, pong: &[u8]) -> Result<(), Gone> {
        self.say_within(index, pong)?;
        let slot = &mut self.connections.slots[index];
        if slot.sending().is_some_and(|sending| sending.is_full) {
            slot.flags.set(Flags::PAUSED, true);
        }
        Ok(())
    }

    /// All that is there of the message under way is written: its rest is awaited.
    pub(super) fn hold_open(&mut self, index: usize) {
        self.connections.set_blocked(index, true);
        let slot = &mut self.connections.slots[index];
        let Some(sending) = slot.sending_mut() else { return };
        sending.is_full = false;
        if sending.behind.is_none() {
            self.end_wait(index);
        }
    }

    /// Nothing waits any more for a connection that wasn't read for that.
    fn end_wait(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::PAUSED) && !slot.is_paused_by_host() {
            slot.flags.set(Flags::PAUSED, false);
            self.go_on_later(index);
        }
    }

    /// TLS has something of its own to say on a connection that is marked as blocked, and no socket will tell when.
    pub(super) fn hold_full(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        let serial = slot.serial;
        if let Some(sending) = slot.sending_mut() {
            sending.is_full = true;
            self.connections.timers.retrying.push_back((narrow::to_u32(index), serial));
        }
    }

    /// The message has ended: what has waited for that is next.
    fn end_sending(&mut self, index: usize) {
        let is_full = self.hold(index, |slot| {
            let sending = slot.flow_there()?.sending.take()?;
            slot.tidy_flow();
            if let Some(behind) = sending.behind {
                slot.outbox_mut().append(*behind);
            }
            Some(sending.is_full)
        });
        if is_full == Some(false) {
            self.connections.set_blocked(index, false);
            let sent = self.metrics.send_bytes;
            self.write_behind(index);
            self.work.charge(WorkKind::Send, CALL + (self.metrics.send_bytes - sent) / BYTES);
        }
    }

    /// The message under way ends here, unfinished: what has waited for its end can't be said any more. A close frame
    /// may come next.
    pub(super) fn give_up_sending(&mut self, index: usize) {
        let sending = self.hold(index, |slot| {
            let sending = slot.flow_there()?.sending.take();
            slot.tidy_flow();
            sending
        });
        let Some(sending) = sending else { return };
        for stretch in sending.behind.iter().flat_map(|behind| behind.stretches()) {
            self.end_stretch(index, *stretch, Passage::Gone);
        }
        if !sending.is_full && self.connections.slots[index].outbox().is_none() {
            self.connections.set_blocked(index, false);
            self.end_wait(index);
        }
    }
}

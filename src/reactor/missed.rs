//! Publications that a client has come back for: those from its cursor on, which were there before it joined.

use crate::metrics::WorkKind;
use crate::narrow;
use crate::push::{ChannelId, Cursor};

use super::connections::Gone;
use super::flush::Counts;
use super::reactor::{READ_BYTES, Reactor};
use super::slot::Flags;
use super::socket::Socket;
use super::wire::Sent;
use super::work::{BYTES, CALL};

impl<S: Socket> Reactor<S> {
    /// Gives a connection that has joined a channel behind its head what it has come back for, as far as its socket
    /// takes it. Until then the log keeps that.
    pub(super) fn offer_missed(&mut self, index: usize, id: ChannelId) {
        let sent = self.metrics.send_bytes;
        let is_behind = self.connections.slots.contains(index)
            && self.cursor(index, id).is_some_and(|cursor| self.is_behind(index, id, cursor));
        if is_behind && !self.connections.slots[index].flags.any(Flags::BLOCKED) {
            self.catch_up(index, id);
            self.work.charge(WorkKind::Send, CALL + (self.metrics.send_bytes - sent) / BYTES);
        }
        if let Some(channel) = self.channels.try_get_mut(id) {
            channel.end_awaited();
        }
    }

    /// Sends the replies to a connection that has come back, and with the same call what follows them in a channel's
    /// log: the call costs more than the bytes. What is left of that is [offered](Self::offer_missed) afterwards.
    pub(super) fn send_replies_and_missed(&mut self, index: usize, id: ChannelId) -> Result<(), Gone> {
        let Some((form, true)) = self.connections.slots.get(index).map(|slot| {
            let is_plain = !slot.flags.any(Flags::BLOCKED_OR_TLS) && !slot.flags.any(Flags::OUTBOX);
            // Something else comes behind a stretch of several channels, and a poll ends with it.
            (slot.form, is_plain && !slot.form.is_of_many() && !slot.is_polling())
        }) else {
            return self.send_replies(index);
        };
        let cursor = self.cursor(index, id).filter(|_| !self.scratch.replies.is_empty());
        let (ring, ledger, _) = self.channels.get_mut(id).parts(form);
        let log = &ring.log;
        let Some(from) = cursor.and_then(|at| log.position(at)).filter(|&from| from < log.head()) else {
            return self.send_replies(index);
        };
        // Where the log's ring ends the rest needs a call of its own.
        let (missed, later) = log.slices_between(from, log.head());
        let (len, has_more) = (missed.len(), !later.is_empty());
        let replies = std::mem::take(&mut self.scratch.replies);
        let slot = &mut self.connections.slots[index];
        let sent = self.wire.write(slot, &mut self.metrics, &replies, missed);
        let (sent, over) = sent.split_at(replies.len());
        let reached = from + over as u64;
        Counts { ledger, metrics: &mut self.metrics }.written(log, from, reached);
        self.set_cursor(index, id, Cursor::at(reached));
        self.channels.touch(id);
        self.work.charge(WorkKind::Send, CALL + (replies.len() + over) as u64 / BYTES);
        let result = self.end_replies(index, &replies, &sent);
        self.scratch.replies = replies;
        self.scratch.replies.clear();
        self.scratch.replies.shrink_to(READ_BYTES);
        result?;
        if over > 0 && (over < len || has_more) {
            // Maybe in the middle of a frame: the rest of that comes before anything else.
            self.catch_up(index, id);
            self.connections.there(index)?;
        }
        self.pause_if_blocked(index);
        Ok(())
    }

    /// The consequences of a write for the replies that it began with.
    fn end_replies(&mut self, index: usize, replies: &[u8], sent: &Sent) -> Result<(), Gone> {
        let taken = sent.taken();
        match *sent {
            Sent::Broken { cause, .. } => {
                self.remove(index, cause);
                return Err(Gone);
            }
            _ if taken == replies.len() => return Ok(()),
            Sent::Short => {
                let serial = self.connections.slots[index].serial;
                self.connections.timers.retry(narrow::to_u32(index), serial);
            }
            Sent::Bytes(_) | Sent::Held { .. } => {}
        }
        if !self.has_backlog_room(index, replies.len() - taken) {
            return self.no_room_for(index, replies, taken);
        }
        self.wait_in_outbox(index, &replies[taken..]);
        Ok(())
    }
}

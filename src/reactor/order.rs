//! One thread's requests happen in their order: a publication reaches a connection before what was asked for behind
//! it, be it a message to it, the end of a subscription or its close.
//!
//! Publications wait for the flush, and the rest would not. So before it is done the connection is brought up to date.
//! If its socket is full, what it still has to get of the logs goes into its outbox: not a copy, but from where to
//! where.

use crate::endpoint::ConnId;
use crate::endpoint::handler::{Action, Step};
use crate::push::{ChannelId, Cursor};

use super::connections::Gone;
use super::outbox::{ITEM_BYTES, Stretch};
use super::reactor::Reactor;
use super::shared::Command;
use super::slot::{Flags, Phase};
use super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// Sees to it that a connection gets everything that was published so far, in one channel or in all, before
    /// whatever is said to it from now on. False: it is closed, or gone.
    pub(super) fn bring_up_to_date(&mut self, index: usize, only: Option<ChannelId>) -> bool {
        let blocked = |reactor: &Self| reactor.connections.slots[index].flags.any(Flags::BLOCKED);
        if !blocked(self) && !self.channels.has_unoffered() {
            // A connection that can be written to has everything.
            return true;
        }
        let mut at = 0;
        while let Some(id) = Self::nth_channel(&self.connections.slots[index], at) {
            at += 1;
            let is_asked_for = only.is_none_or(|only| only == id);
            if !is_asked_for
                || !self.cursor(index, id).is_some_and(|cursor| self.is_behind(index, id, cursor))
            {
                continue;
            }
            if !blocked(self) && self.catch_up(index, id) {
                continue;
            }
            match self.connections.slots.get(index) {
                Some(slot) if slot.phase == Phase::Open => {}
                _ => return false,
            }
            if !self.owe_stretch(index, id) {
                return false;
            }
        }
        true
    }

    /// The same for one channel, of which it may be owed so many pieces; one whose outbox has no room for them is a
    /// slow consumer. False: it is closed, or gone.
    pub(super) fn bring_to_head(&mut self, index: usize, id: ChannelId, pieces: usize) -> bool {
        let is_behind = self.cursor(index, id).is_some_and(|cursor| self.is_behind(index, id, cursor));
        let waits = is_behind && self.connections.slots[index].flags.any(Flags::BLOCKED);
        let bytes = if waits { pieces * ITEM_BYTES } else { 0 };
        if waits && !self.outbox_has_room(index, bytes) {
            self.close_slow(index);
            return false;
        }
        self.has_room_to_wait(index, bytes) && self.bring_up_to_date(index, Some(id))
    }

    /// Whether there is room for so many bytes more to wait for a connection; if not, that is closed.
    pub(super) fn has_room_to_wait(&mut self, index: usize, bytes: usize) -> bool {
        let has_room = bytes == 0 || self.has_backlog_room(index, bytes);
        if !has_room {
            let _ = self.overloaded(index, false);
        }
        has_room
    }

    /// Puts what a connection, whose socket is full, still has to get of a channel's log behind what waits for it.
    /// False: it is closed, or gone.
    fn owe_stretch(&mut self, index: usize, id: ChannelId) -> bool {
        self.jump_to_newest(index, id);
        let slot = &self.connections.slots[index];
        let Some(cursor) = self.cursor(index, id) else { return true };
        let Some(log) = self.channels.get(id).log_in(slot.form) else { return true };
        let Some(from) = log.position(cursor) else {
            // The walk has not come by yet.
            return self.fallen(index, id) && self.owe_stretch(index, id);
        };
        let (head, frame_end) = (log.head(), log.frame_end(from));
        if from == head {
            return true;
        }
        let slot = &self.connections.slots[index];
        let midway = slot.mid_channel() == Some(id);
        if midway && slot.outbox().is_some() {
            // The frame under way comes before what waits already.
            self.owe(index, id, (from, frame_end), true);
            self.owe(index, id, (frame_end, head), false);
        } else {
            self.owe(index, id, (from, head), midway);
        }
        self.set_cursor(index, id, Cursor::at(head));
        if midway {
            self.clear_midway(index);
        }
        true
    }

    /// Puts the rest of the frame that a connection is in the middle of, if it is, before what waits for it: it gets
    /// that whatever becomes of its subscription.
    pub(super) fn keep_frame_under_way(&mut self, index: usize) {
        let slot = &self.connections.slots[index];
        let Some(id) = slot.mid_channel() else { return };
        let log = self.channels.get(id).log_in(slot.form);
        let Some(log) = log else { return };
        let Some(from) = self.cursor(index, id).and_then(|cursor| log.position(cursor)) else { return };
        let end = log.frame_end(from);
        self.owe(index, id, (from, end), true);
        self.set_cursor(index, id, Cursor::at(end));
        self.clear_midway(index);
    }

    /// Puts a stretch of a log into a connection's outbox: one that begins in mid-frame in front, any other behind what
    /// is there.
    fn owe(&mut self, index: usize, id: ChannelId, (from, to): (u64, u64), midway: bool) {
        if from == to {
            return;
        }
        let form = self.connections.slots[index].form;
        let channel = self.channels.get_mut(id);
        if let Some(ring) = channel.ring_mut(form) {
            ring.owed += 1;
        }
        let stretch = Stretch { channel: id, form, midway, epoch: channel.epoch, from, to };
        self.hold(index, |slot| {
            // No message in pieces begins in mid-frame.
            let outbox = slot.queue_mut();
            if midway { outbox.put_first(stretch) } else { outbox.push_stretch(stretch) }
        });
    }

    /// Up to which of the commands that callbacks have given a connection has got what came of them. Exact where it
    /// costs nothing; else 0, and what is said to it now comes behind all of it.
    pub(super) fn seen_of_own(&self, index: usize) -> u64 {
        let last = self.shared.own().last();
        let is_current = last == 0
            || last <= self.inbox.flushed && !self.connections.slots[index].flags.any(Flags::BLOCKED)
            || !self.channels.has_unoffered() && self.channels_behind(index) == 0;
        if is_current { last } else { 0 }
    }

    /// Does what a callback has asked of the connection at hand, in its order: replies, what it has asked for through a
    /// handle, subscriptions and closes. Replies behind all of these go out with those to come.
    #[inline]
    pub(super) fn apply_actions(&mut self, index: usize) -> Result<(), Gone> {
        if self.scratch.actions.is_empty() { Ok(()) } else { self.grant_in_order(index) }
    }

    #[cold]
    fn grant_in_order(&mut self, index: usize) -> Result<(), Gone> {
        let conn = self.connections.slots[index].id(index);
        let mut steps = std::mem::take(&mut self.scratch.actions);
        let mut replies = std::mem::take(&mut self.scratch.replies);
        let (mut at, mut after) = (0, 0);
        for Step { replies: until, after: asked, action } in steps.drain(..) {
            self.reply_behind(after, conn, &replies[at..until]);
            (at, after) = (until, asked);
            self.carry_out_until(after);
            self.act_behind(
                after,
                match action {
                    Action::Close(code, reason) => Command::Close { conn, code, reason },
                    Action::Subscribe(channel, since) => Command::Subscribe { conn, channel, since },
                    Action::Unsubscribe(channel) => Command::Unsubscribe { conn, channel },
                    Action::Flow(asked) => Command::Flow { conn, asked },
                    Action::Tune(tune) => Command::Tune { conn, tune },
                    Action::Nothing => Command::BringUpToDate { conn },
                },
            );
        }
        self.scratch.actions = steps;
        replies.drain(..at);
        if self.has_carried_out(after) {
            self.scratch.replies = replies;
        } else {
            self.reply_behind(after, conn, &replies);
        }
        if self.find_open(conn).is_none() {
            // Nothing is said to whom it is over with.
            self.scratch.replies.clear();
        }
        self.connections.there(index)
    }

    fn reply_behind(&mut self, after: u64, conn: ConnId, frames: &[u8]) {
        if frames.is_empty() {
            return;
        }
        if self.has_carried_out(after) {
            self.reply_to(conn, frames);
        } else {
            self.inbox.steps.push_back((after, Command::Reply { conn, frames: frames.to_vec() }));
        }
    }

    fn act_behind(&mut self, after: u64, command: Command) {
        if self.has_carried_out(after) {
            self.act(command);
        } else {
            self.inbox.steps.push_back((after, command));
        }
    }

    /// Whether this thread's callbacks may go on: what earlier ones have asked for through a handle is done. If it
    /// can't be done yet, since a log has no room before the next flush, the connection at hand is looked at again
    /// then.
    #[inline]
    pub(super) fn may_call_back(&mut self, index: usize) -> Result<bool, Gone> {
        if self.has_carried_out(self.shared.own().last()) { Ok(true) } else { self.carry_out_own(index) }
    }

    #[cold]
    fn carry_out_own(&mut self, index: usize) -> Result<bool, Gone> {
        let asked = self.shared.own().last();
        // Replies up to here came before it.
        self.send_replies(index)?;
        self.carry_out_until(asked);
        self.connections.there(index)?;
        if !self.has_carried_out(asked) {
            self.go_on_later(index);
            return Ok(false);
        }
        Ok(!self.connections.slots[index].flags.any(Flags::PAUSED))
    }
}

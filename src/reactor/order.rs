//! What one thread asks for happens in its order: a publication reaches a connection before what was asked for behind
//! it, be it a message to it, the end of a subscription or its close.
//!
//! Publications wait for the flush, and the rest would not. So before it is done the connection is brought up to date.
//! If its socket is full, what it still has to get of the logs goes into its outbox: not a copy, but from where to
//! where.

use crate::push::{ChannelId, Cursor, DEFAULT};

use super::outbox::Stretch;
use super::reactor::Reactor;
use super::slot::{Flags, State};
use super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// Sees to it that a connection gets everything that was published so far, in one channel or in all, before
    /// whatever is said to it from now on. False: it is closed, or gone.
    pub(super) fn bring_up_to_date(&mut self, index: usize, only: Option<ChannelId>) -> bool {
        let blocked = |reactor: &Self| reactor.slots[index].flags.any(Flags::BLOCKED);
        if !blocked(self) && !self.channels.is_dirty() {
            // Whoever can be written to has everything.
            return true;
        }
        let mut at = 0;
        while let Some((id, cursor)) = self.nth_place(index, at) {
            at += 1;
            if only.is_some_and(|only| only != id) || !self.is_behind(index, id, cursor) {
                continue;
            }
            if !blocked(self) && self.catch_up(index, id) {
                continue;
            }
            match self.slots.get(index) {
                Some(slot) if slot.state == State::Open => {}
                _ => return false,
            }
            if !self.owe_stretch(index, id) {
                return false;
            }
        }
        true
    }

    /// The channels that a connection is subscribed to, one by one, and where it stands in them.
    fn nth_place(&self, index: usize, n: usize) -> Option<(ChannelId, Cursor)> {
        let slot = &self.slots[index];
        let broadcast = usize::from(slot.flags.any(Flags::BROADCAST));
        if n < broadcast {
            return Some((DEFAULT, slot.cursor));
        }
        let membership = slot.extra.as_ref()?.memberships.get(n - broadcast)?;
        let member = self.channels.get(membership.channel).members[membership.place as usize];
        Some((membership.channel, member.cursor))
    }

    /// Whether a connection that stands there has not got everything of a channel.
    pub(super) fn is_behind(&self, index: usize, id: ChannelId, cursor: Cursor) -> bool {
        let log = self.channels.get(id).log_in(self.slots[index].flags.takes_deflated());
        log.is_some_and(|log| cursor != Cursor::at(log.head()))
    }

    /// Whether there is room for so many bytes more to wait for a connection; if not, that is closed.
    pub(super) fn has_room_to_wait(&mut self, index: usize, bytes: usize) -> bool {
        let has_room = bytes == 0 || self.has_backlog_room(index, bytes);
        if !has_room {
            self.overloaded(index, false);
        }
        has_room
    }

    /// How many of its channels a connection is behind in whose socket is full.
    pub(super) fn channels_behind(&self, index: usize) -> usize {
        if !self.slots[index].flags.any(Flags::BLOCKED) {
            return 0;
        }
        let places = (0..).map_while(|n| self.nth_place(index, n));
        places.filter(|&(id, cursor)| self.is_behind(index, id, cursor)).count()
    }

    /// Puts what a connection, whose socket is full, still has to get of a channel's log behind what waits for it.
    /// False: it is closed, or gone.
    fn owe_stretch(&mut self, index: usize, id: ChannelId) -> bool {
        let slot = &self.slots[index];
        let Some(cursor) = self.cursor(index, id) else { return true };
        let Some(log) = self.channels.get(id).log_in(slot.flags.takes_deflated()) else { return true };
        let Some(from) = log.position(cursor) else {
            // The walk has not come by yet.
            return self.fallen(index, id) && self.owe_stretch(index, id);
        };
        let (head, frame_end) = (log.head(), log.frame_end(from));
        if from == head {
            return true;
        }
        let slot = &self.slots[index];
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
        let slot = &self.slots[index];
        let Some(id) = slot.mid_channel() else { return };
        let log = self.channels.get(id).log_in(slot.flags.takes_deflated());
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
        let form = usize::from(self.slots[index].flags.takes_deflated());
        let channel = self.channels.get_mut(id);
        channel.owed[form] += 1;
        let stretch = Stretch { channel: id, midway, epoch: channel.epoch, from, to };
        self.hold(index, |slot| {
            slot.flags.set(Flags::OUTBOX, true);
            let outbox = slot.extra_mut().outbox.get_or_insert_default();
            if midway { outbox.put_first(stretch) } else { outbox.push_stretch(stretch) }
        });
    }
}

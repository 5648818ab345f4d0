//! Frames under way, and what becomes of their rest when the log moves on over it.
//!
//! A full socket nearly always stops in the middle of a frame. Nothing else can be said on that connection before the
//! frame's rest, so that must not go with the log. Each channel knows who stands in mid-frame ([`Midway`]), and before
//! it evicts anything what these still need of it is copied: once for all who are in the same frame, within
//! `backlog_bytes_max`. Each of them is at a frame's boundary then, and meets the slow-consumer policy there.

use std::ops::Range;
use std::sync::{Arc, Weak};

use crate::config::LogLevel;
use crate::metrics::CloseReason;
use crate::narrow;
#[cfg(doc)]
use crate::push::Midway;
use crate::push::{Channel, ChannelId, Cursor, Form, Passage};

use super::outbox::Stretch;
use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;

/// A saved frame's memory beside its bytes: their owner, and its line in the ledger.
pub(super) const SAVED_BYTES: usize = 256;

/// The bytes of a frame that its log no longer has, from the first place on where somebody stood in it.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct Saved {
    channel: ChannelId,
    form: Form,
    epoch: u64,
    offset: u64,
    bytes: Box<[u8]>,
}

impl Saved {
    /// Whether it is a publication of this channel, in this life of it and in this form.
    pub fn is_of(&self, channel: (ChannelId, u64), form: Form) -> bool {
        ((self.channel, self.epoch), self.form) == (channel, form)
    }

    /// The bytes from one connection's place on.
    pub fn from(&self, at: u32) -> &[u8] {
        &self.bytes[at as usize..]
    }

    /// Its share of `backlog_bytes_max`, however many connections have it.
    pub fn held_bytes(&self) -> usize {
        self.bytes.len() + SAVED_BYTES
    }
}

/// One connection's place in a saved frame.
#[derive(Debug)]
pub struct Rest {
    /// The frame.
    pub saved: Arc<Saved>,
    /// How much of it is written.
    pub at: u32,
}

impl Rest {
    /// The unwritten bytes.
    pub fn left(&self) -> &[u8] {
        self.saved.from(self.at)
    }
}

/// The saving, which goes on over several turns if there are many.
#[derive(Debug, Default)]
pub(super) struct Saving {
    /// How many more laggards may be dealt with in this turn.
    pub left: usize,
    /// The frame saved last: its form, where in the log its copy begins and where it ends, and the copy.
    last: Option<(Form, u64, u64, Weak<Saved>)>,
}

impl Saving {
    /// The copy of the frame that ends there, if it reaches back to `position`.
    fn copy_of(&self, (id, epoch): (ChannelId, u64), form: Form, position: u64, end: u64) -> Option<Rest> {
        let (last_form, from, last_end, saved) = self.last.as_ref()?;
        let saved = saved.upgrade()?;
        let is_it = (*last_form, *last_end) == (form, end) && (saved.channel, saved.epoch) == (id, epoch);
        (is_it && *from <= position).then(|| Rest { at: narrow::low_half(position - from), saved })
    }
}

impl<S: Socket> Reactor<S> {
    /// The channel, form and position at which a connection stands in the middle of a frame, with its cursor.
    fn cursor_in_frame(&self, index: usize) -> Option<(ChannelId, Form, u64)> {
        let slot = &self.connections.slots[index];
        let id = slot.mid_channel()?;
        let position = self.channels.get(id).log_in(slot.form)?.position(self.cursor(index, id)?)?;
        Some((id, slot.form, position))
    }

    /// A connection's cursor has stopped in the middle of a frame: its channel is told.
    pub(super) fn enter_midway(&mut self, index: usize) {
        if let Some((id, form, position)) = self.cursor_in_frame(index)
            && let Some(ring) = self.channels.get_mut(id).ring_mut(form)
        {
            ring.midway.enter(position, narrow::to_u32(index));
        }
    }

    /// It goes on, or away.
    pub(super) fn leave_midway(&mut self, index: usize) {
        if let Some((id, form, position)) = self.cursor_in_frame(index)
            && let Some(ring) = self.channels.get_mut(id).ring_mut(form)
        {
            ring.midway.leave(position, narrow::to_u32(index));
        }
    }

    /// Its cursor is at a boundary.
    pub(super) fn clear_midway(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::MID_FRAME, false);
        if let Some(extra) = &mut slot.extra {
            extra.mid = None;
        }
    }

    /// Lets everybody who stands in the middle of a publication before `first_kept` have the rest of it apart from the
    /// log. False: there are more than one turn may deal with.
    #[inline]
    pub(super) fn save_rests(&mut self, id: ChannelId, first_kept: impl FnOnce(&Channel) -> u64) -> bool {
        let channel = self.channels.get(id);
        if !channel.has_midway() {
            return true;
        }
        let first_kept = first_kept(channel);
        self.save_rests_before(id, first_kept)
    }

    #[cold]
    fn save_rests_before(&mut self, id: ChannelId, first_kept: u64) -> bool {
        for form in Form::ALL {
            // With its last subscriber a log of notices goes as well.
            while let Some(ring) = self.channels.try_get(id).and_then(|channel| channel.ring(form))
                && let Some((position, index)) = ring.midway.first_before(ring.log.start_of(first_kept))
            {
                if self.walk.saving.left == 0 {
                    return false;
                }
                self.walk.saving.left -= 1;
                self.save_rest(id, form, position, index);
            }
        }
        self.walk.saving.last = None;
        true
    }

    fn save_rest(&mut self, id: ChannelId, form: Form, position: u64, index: u32) {
        let channel = self.channels.get_mut(id);
        let Some(ring) = channel.ring_mut(form) else { return };
        ring.midway.leave(position, index);
        let Some(log) = channel.log_in(form) else { return };
        let (end, offset, epoch) = (log.frame_end(position), log.offset_at(position).0, channel.epoch);
        let (index, bytes) = (index as usize, narrow::to_usize(end - position) + SAVED_BYTES);
        let mut rest = self.walk.saving.copy_of((id, epoch), form, position, end);
        if rest.is_none() && self.has_input_room(index, bytes) {
            rest = self.copy_rest(id, form, position..end);
        }
        let Some(rest) = rest else {
            self.cut_off(index, id);
            return;
        };
        let channel = self.channels.get_mut(id);
        channel.ledger.set_apart(offset);
        if let Some(ring) = channel.ring_mut(form) {
            ring.owed += 1;
        }
        self.metrics.rests_saved += 1;
        if self.connections.slots[index].mid_channel() == Some(id) {
            self.set_cursor(index, id, Cursor::at(end));
            self.clear_midway(index);
        } else {
            self.shorten_first(index, end);
        }
        self.hold(index, |slot| slot.outbox_mut().rest = Some(rest));
    }

    /// A copy of the end of a frame, for the first who needs it.
    fn copy_rest(&mut self, id: ChannelId, form: Form, Range { start, end }: Range<u64>) -> Option<Rest> {
        let channel = self.channels.get(id);
        let log = channel.log_in(form)?;
        let (first, second) = log.slices_between(start, end);
        let bytes = [first, second].concat().into_boxed_slice();
        let (epoch, offset) = (channel.epoch, log.offset_at(start).0);
        let saved = Arc::new(Saved { channel: id, form, epoch, offset, bytes });
        self.wire.backlog_bytes += saved.held_bytes();
        self.walk.saving.last = Some((form, start, end, Arc::downgrade(&saved)));
        Some(Rest { saved, at: 0 })
    }

    /// The stretch that waits first begins behind the frame under way.
    fn shorten_first(&mut self, index: usize, end: u64) {
        let outbox = self.connections.slots[index].extra.as_mut().and_then(|extra| extra.outbox.as_mut());
        let Some(outbox) = outbox else { return };
        let Some(stretch) = outbox.first_stretch() else { return };
        (stretch.from, stretch.midway) = (end, false);
        if stretch.from == stretch.to {
            let stretch = *stretch;
            outbox.drop_first();
            self.end_stretch(index, stretch, Passage::Gone);
        }
    }

    /// There is no room for the rest of the frame that a connection is in the middle of: nothing is left to say.
    pub(super) fn cut_off(&mut self, index: usize, id: ChannelId) {
        let (conn, name) = (self.connections.slots[index].id(index), self.channel_name(id));
        let fields: [(&str, &dyn std::fmt::Display); 4] = [
            ("conn", &conn),
            ("channel", &name),
            ("action", &"disconnect"),
            ("backlog_bytes_max", &self.config.backlog_bytes_max),
        ];
        self.journal.event(self.now, LogLevel::Warn, "slow_consumer", &fields);
        self.metrics.slow_cut += 1;
        self.remove(index, CloseReason::SlowConsumer);
    }

    /// A connection has had the rest of a frame, or never will.
    pub(super) fn end_rest(&mut self, rest: Rest, passage: Passage) {
        let Saved { channel: id, form, epoch, offset, .. } = *rest.saved;
        let now_us = self.now.mono_us;
        if let Some(channel) = self.channels.try_get_mut(id).filter(|channel| channel.epoch == epoch) {
            if let Some(ring) = channel.ring_mut(form) {
                ring.owed -= 1;
            }
            channel.ledger.rejoin(offset, passage, now_us);
            self.channels.touch(id);
            self.vacate(id);
        }
        if let Some(saved) = Arc::into_inner(rest.saved) {
            self.wire.backlog_bytes -= saved.held_bytes();
        }
    }

    /// A connection has had a stretch of a log, or never will have what is left of it.
    pub(super) fn end_stretch(&mut self, index: usize, stretch: Stretch, passage: Passage) {
        let Stretch { channel: id, form, midway, epoch, from, .. } = stretch;
        let Some(channel) = self.channels.try_get_mut(id).filter(|channel| channel.epoch == epoch) else {
            return;
        };
        if let Some(ring) = channel.ring_mut(form) {
            ring.owed -= 1;
            if midway {
                ring.midway.leave(from, narrow::to_u32(index));
            }
        }
        self.pass_stretch(stretch, passage);
        self.vacate(id);
    }

    /// Counts what became of the publications in a stretch.
    pub(super) fn pass_stretch(&mut self, stretch: Stretch, passage: Passage) {
        let Stretch { channel: id, form, from, to, .. } = stretch;
        let channel = self.channels.get_mut(id);
        let Some(log) = channel.log_in(form) else { return };
        // The ledger knows that what the log has given up is lost.
        let (first, next) = (log.offset_at(from.max(log.tail())).0, log.offset_at(to.max(log.tail())).0);
        channel.ledger.pass(passage, first, next);
        self.channels.touch(id);
    }

    /// Gives up what a connection that goes away was still to get. True: a close frame is among that.
    pub(super) fn give_up_owed(&mut self, index: usize) -> bool {
        self.leave_midway(index);
        let outbox = self.hold(index, |slot| {
            slot.flags.set(Flags::OUTBOX, false);
            slot.extra.as_mut()?.outbox.take()
        });
        let Some(mut outbox) = outbox else { return false };
        if let Some(rest) = outbox.rest.take() {
            self.end_rest(rest, Passage::Gone);
        }
        for stretch in outbox.stretches() {
            self.end_stretch(index, *stretch, Passage::Gone);
        }
        outbox.close
    }
}

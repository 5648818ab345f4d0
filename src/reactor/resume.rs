//! Going on where a full socket stopped: the frame under way, then what waits in the outbox in its order, then the
//! logs.

use std::sync::Arc;

use crate::config::{LogLevel, SlowConsumer};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::push::{Channel, ChannelId, DEFAULT, Keep, Passage, Ring};

use super::connections::Gone;
use super::flush::{Counts, Extent, Offered, offer, set_blocked, set_full};
use super::outbox::{Item, Outbox, Stretch};
use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::work::{BYTES, CALL, NAME, SHARE};

impl<S: Socket> Reactor<S> {
    /// The socket takes more: goes on where it stopped.
    pub(super) fn writable(&mut self, index: usize) {
        let stamp = self.stamp();
        let Some(slot) = self.connections.slots.get_mut(index) else { return };
        if !slot.flags.any(Flags::BLOCKED) {
            return;
        }
        set_blocked(&mut self.connections.census, &mut slot.flags, false);
        let (serial, sent) = (slot.serial, self.metrics.send_bytes);
        self.resume(index);
        self.work.charge(WorkKind::Send, CALL + (self.metrics.send_bytes - sent) / BYTES);
        if self.metrics.send_bytes != sent
            && let Some(slot) = self.connections.get(index, serial)
        {
            // A peer that reads is alive.
            slot.seen = stamp;
            slot.flags.set(Flags::PINGED, false);
        }
    }

    /// Goes on with the connections that a shortage of memory has stopped, as far as the turn goes.
    pub(super) fn retry(&mut self) {
        while !self.work.is_part_used()
            && let Some((index, serial)) = self.connections.timers.retrying.pop_front()
        {
            let index = index as usize;
            self.work.charge(WorkKind::Send, CALL);
            let Some(slot) = self.connections.get(index, serial) else { continue };
            if slot.flags.any(Flags::BLOCKED) {
                self.connections.set_blocked(index, false);
                self.resume(index);
            }
            self.readable(index, true, SHARE);
        }
    }

    /// Writes everything that this connection is behind with, until its socket is full.
    fn resume(&mut self, index: usize) {
        if self.write_behind(index) && self.connections.slots[index].flags.any(Flags::TLS) {
            let _ = self.hand_to_kernel(index);
        }
    }

    /// The same, in the midst of whatever is done with the connection. True: it has everything.
    pub(super) fn write_behind(&mut self, index: usize) -> bool {
        let flags = self.connections.slots[index].flags;
        let is_told = flags.any(Flags::OUTBOX) && self.connections.slots[index].form.is_of_many();
        if flags.any(Flags::TLS) && !self.write_unsent(index)
            || flags.any(Flags::KERNEL_TLS) && self.renew_ours(index) != Ok(true)
        {
            return false;
        }
        // The frame under way, alone if something waits behind it.
        if let Some(channel) = self.connections.slots[index].mid_channel()
            && !self.catch_up(index, channel)
        {
            return false;
        }
        if !self.write_outbox(index) {
            return false;
        }
        if self.connections.slots[index].flow().is_some() && !self.goes_on_behind_flow(index) {
            return false;
        }
        let mut at = 0;
        while let Some(channel) = Self::nth_channel(&self.connections.slots[index], at) {
            self.work.charge(WorkKind::Names, NAME);
            self.jump_to_newest(index, channel);
            if !self.catch_up(index, channel) {
                return false;
            }
            at += 1;
        }
        if is_told && !self.tell_positions(index) {
            return false;
        }
        let slot = &mut self.connections.slots[index];
        slot.tidy();
        let ends = slot.phase == Phase::Closing && !slot.flags.any(Flags::FINISH);
        if ends && self.close_is_written(index) == Err(Gone) {
            return false;
        }
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::FINISH) {
            let _ = self.finish(index);
            return false;
        } else if slot.flags.any(Flags::PAUSED) && !slot.is_paused_by_host() {
            slot.flags.set(Flags::PAUSED, false);
            self.go_on_later(index);
        }
        true
    }

    /// Writes a channel's log to one subscriber. False: stop here, the socket is full or the connection gone.
    pub(super) fn catch_up(&mut self, index: usize, id: ChannelId) -> bool {
        let slot = &self.connections.slots[index];
        if slot.is_polling() {
            self.end_poll(index);
            return false;
        }
        match slot.form.is_of_many() {
            true => self.catch_up_and_tell(index, id),
            false => self.catch_up_before(index, id, &[]),
        }
    }

    /// The same, with these bytes behind the log's head if it is reached.
    pub(super) fn catch_up_before(&mut self, index: usize, id: ChannelId, behind: &[u8]) -> bool {
        if self.connections.slots[index].mid_channel() == Some(id) {
            self.leave_midway(index);
        }
        let Some((offered, told)) = self.offer_log(index, id, behind) else { return true };
        if offered != Offered::Nothing {
            self.channels.touch(id);
        }
        let slot = &mut self.connections.slots[index];
        let rest = &behind[told..];
        match offered {
            Offered::Nothing => {
                self.clear_midway(index);
                true
            }
            Offered::Done => {
                self.clear_midway(index);
                rest.is_empty() || self.say_rest(index, rest, told)
            }
            Offered::Full { mid_frame } | Offered::Short { mid_frame } => {
                set_full(&mut self.connections.census, slot, id, mid_frame);
                if matches!(offered, Offered::Short { .. }) {
                    self.connections.timers.retry(narrow::to_u32(index), slot.serial);
                }
                self.enter_midway(index);
                self.count_backlog(index);
                // All of it may be sealed.
                let at_head = !rest.is_empty()
                    && self.cursor(index, id).is_some_and(|at| !self.is_behind(index, id, at));
                if at_head {
                    self.say_rest(index, rest, told);
                }
                false
            }
            // It may have been told what it misses, and that may have filled the socket.
            Offered::Fallen if self.fallen(index, id) => {
                !self.connections.slots[index].flags.any(Flags::BLOCKED) && self.catch_up(index, id)
            }
            // It was sent a close frame and has left its channels: if it heard that, it has caught up with everything.
            Offered::Fallen => {
                self.connections.slots.get(index).is_some_and(|slot| !slot.flags.any(Flags::BLOCKED))
            }
            Offered::Broken(cause) => {
                self.remove(index, cause);
                false
            }
        }
    }

    /// Writes a channel's log to one subscriber with one call, and as many of the bytes that come behind it as its
    /// socket takes. None: it doesn't receive the channel.
    fn offer_log(&mut self, index: usize, id: ChannelId, behind: &[u8]) -> Option<(Offered, usize)> {
        let slot = &mut self.connections.slots[index];
        let channel = self.channels.get_mut(id);
        let is_midway = slot.mid_channel() == Some(id);
        // Behind the frame under way comes something else, or the newest publication.
        let ends_with_frame =
            slot.flags.any(Flags::OUTBOX) || is_midway && channel.rules.keep == Keep::Latest;
        let extent = if ends_with_frame { Extent::Frame } else { Extent::Head };
        let (mut told, behind) = if ends_with_frame { (behind.len(), &[][..]) } else { (0, behind) };
        let (ring, ledger, members) = channel.parts(slot.form);
        let mut default_cursor = slot.cursor;
        let cursor = if id == DEFAULT {
            &mut default_cursor
        } else {
            let place = slot.extra.as_ref().and_then(|extra| extra.memberships.place(id))?;
            &mut members[place as usize].cursor
        };
        let wire = &mut self.wire;
        let offered = offer(
            |metrics, first, second| {
                // Three pieces would be two calls: where the log's ring ends the third comes later.
                let last = if second.is_empty() { behind } else { second };
                let sent = wire.write(slot, metrics, first, last);
                let (sent, over) = sent.split_at(first.len() + second.len());
                told += over;
                sent
            },
            &ring.log,
            &mut Counts { ledger, metrics: &mut self.metrics },
            cursor,
            extent,
        );
        slot.cursor = default_cursor;
        Some((offered, told))
    }

    /// Writes what waits, in its order. False: stop here, the socket is full or the connection gone.
    fn write_outbox(&mut self, index: usize) -> bool {
        while let Some(outbox) = self.connections.slots[index].outbox() {
            let goes_on = match outbox.first() {
                _ if outbox.rest.is_some() => self.write_rest(index),
                Some(Item::Frames { .. }) => self.write_frames(index),
                Some(&Item::Stretch(stretch)) => self.write_stretch(index, stretch),
                None => self.write_close(index),
            };
            if !goes_on {
                return false;
            }
        }
        true
    }

    /// Changes a connection's outbox, and drops it if that leaves nothing in it.
    pub(super) fn in_outbox<T: Default>(&mut self, index: usize, change: impl FnOnce(&mut Outbox) -> T) -> T {
        self.hold(index, |slot| {
            let Some(extra) = &mut slot.extra else { return T::default() };
            let Some(outbox) = &mut extra.outbox else { return T::default() };
            let result = change(outbox);
            if outbox.is_empty() {
                extra.outbox = None;
                slot.flags.set(Flags::OUTBOX, false);
            }
            result
        })
    }

    /// The rest of a frame that its log no longer has.
    fn write_rest(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        let Some(rest) = slot.outbox().and_then(|outbox| outbox.rest.as_ref()) else { return true };
        let (saved, at) = (rest.saved.clone(), rest.at);
        let bytes = saved.from(at);
        let sent = self.wire.write(slot, &mut self.metrics, bytes, &[]);
        let (n, done) = (sent.taken(), sent.taken() == bytes.len());
        // Its owners are counted.
        drop(saved);
        let whole = self.in_outbox(index, |outbox| {
            if let Some(rest) = &mut outbox.rest {
                rest.at += narrow::to_u32(n);
            }
            outbox.rest.take_if(|_| done)
        });
        if let Some(rest) = whole {
            self.metrics.deliveries += 1;
            self.end_rest(rest, Passage::Written);
        }
        self.after_write(index, &sent, done)
    }

    /// Frames for this connection alone.
    fn write_frames(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        // Taken out while it is written.
        let Some(outbox) = slot.extra.as_mut().and_then(|extra| extra.outbox.take()) else { return true };
        let bytes = outbox.first_frames();
        let sent = self.wire.write(slot, &mut self.metrics, bytes, &[]);
        slot.extra_mut().outbox = Some(outbox);
        let done = self.in_outbox(index, |outbox| outbox.frames_written(sent.taken()));
        self.after_write(index, &sent, done)
    }

    /// Publications that come before something else.
    fn write_stretch(&mut self, index: usize, stretch: Stretch) -> bool {
        let slot = &mut self.connections.slots[index];
        let Stretch { channel: id, form, midway, epoch, from, to } = stretch;
        let channel = self.channels.try_get_mut(id).filter(|channel| channel.epoch == epoch);
        let Some(channel) = channel else { return self.lost_stretch(index, stretch) };
        let (Ring { log, midway: in_frame, owed, .. }, ledger, _) = channel.parts(form);
        if log.tail() > from {
            return self.lost_stretch(index, stretch);
        }
        let (first, second) = log.slices_between(from, to);
        let sent = self.wire.write(slot, &mut self.metrics, first, second);
        let reached = from + sent.taken() as u64;
        let boundary = Counts { ledger, metrics: &mut self.metrics }.written(log, from, reached);
        if midway {
            in_frame.leave(from, narrow::to_u32(index));
        }
        if reached == to {
            *owed -= 1;
        } else if !boundary {
            in_frame.enter(reached, narrow::to_u32(index));
        }
        self.channels.touch(id);
        self.vacate(id);
        self.in_outbox(index, |outbox| match outbox.first_stretch() {
            Some(stretch) if reached < to => (stretch.from, stretch.midway) = (reached, !boundary),
            _ => outbox.drop_first(),
        });
        self.after_write(index, &sent, reached == to)
    }

    /// A log has moved on over a stretch that this connection was still to get before something else: its policy
    /// decides, as for whoever falls off with its cursor.
    fn lost_stretch(&mut self, index: usize, stretch: Stretch) -> bool {
        if stretch.midway {
            // Its channel is gone altogether, in the middle of a frame.
            self.cut_off(index, stretch.channel);
            return false;
        }
        let channel = self.channels.try_get(stretch.channel);
        if channel.is_some_and(|channel| channel.notices_of().is_some()) {
            return self.tell_in_place(index, stretch);
        }
        let keeps_newest = channel.is_some_and(|channel| channel.rules.keep == Keep::Latest);
        // Nobody knows any more where it began, so one that is told of its gaps can't be told of this one.
        let is_silent =
            self.connections.slots[index].transport.tells_gaps() && !channel.is_some_and(Channel::conflates);
        if self.config.slow_consumer == SlowConsumer::Close && !keeps_newest || is_silent {
            self.note_slow(index, stretch.channel, "close");
            self.close_slow(index);
            return self.connections.slots.get(index).is_some_and(|slot| !slot.flags.any(Flags::BLOCKED));
        }
        if !keeps_newest {
            self.note_slow(index, stretch.channel, "skip");
        }
        self.metrics.slow_skipped += 1;
        if let Some(newest) = self.skip_within(stretch) {
            self.in_outbox(index, |outbox| {
                if let Some(stretch) = outbox.first_stretch() {
                    stretch.from = newest;
                }
            });
        } else {
            self.in_outbox(index, Outbox::drop_first);
            self.end_stretch(index, stretch, Passage::Skipped);
        }
        true
    }

    /// Where a stretch goes on with the newest publication of its channel, if that one is in it.
    fn skip_within(&mut self, stretch: Stretch) -> Option<u64> {
        let form = stretch.form;
        let channel = self.channels.try_get_mut(stretch.channel)?;
        let log = channel.log_in(form).filter(|_| channel.epoch == stretch.epoch)?;
        let newest = log.newest_start();
        if newest >= stretch.to {
            return None;
        }
        channel.skip_to_newest(form);
        self.channels.touch(stretch.channel);
        Some(newest)
    }

    /// A channel's name, for the log; it may be gone.
    pub(super) fn channel_name(&self, id: ChannelId) -> Arc<str> {
        self.channels.try_get(id).map(|channel| channel.name.clone()).unwrap_or_default()
    }

    /// Notes in the log what becomes of a slow consumer.
    pub(super) fn note_slow(&mut self, index: usize, id: ChannelId, action: &str) {
        let conn = self.connections.slots[index].id(index);
        let name = self.channel_name(id);
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("conn", &conn), ("channel", &name), ("action", &action)];
        self.journal.event(self.now, LogLevel::Warn, "slow_consumer", &fields);
    }

    /// The close, behind all else.
    fn write_close(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        let Some(ending) = slot.extra.as_ref().and_then(|extra| extra.ending.as_ref()) else { return true };
        let frame = slot.transport.close(ending.code, &ending.reason, slot.serial);
        let sent = self.wire.write(slot, &mut self.metrics, &frame, &[]);
        let (n, done) = (sent.taken(), sent.taken() == frame.len());
        self.in_outbox(index, |outbox| {
            outbox.close = n == 0;
            if n > 0 && !done {
                outbox.push_frames(&frame[n..]);
            }
        });
        self.after_write(index, &sent, done)
    }

    /// Closes a slow consumer (1013), or lets one that is being closed already know that it has missed something. It
    /// gets no more of what was published but the rest of the frame under way.
    pub(super) fn close_slow(&mut self, index: usize) {
        let (code, reason) = (CloseCode::TRY_AGAIN_LATER, "slow consumer");
        if self.begin_close(index, code, reason, CloseReason::SlowConsumer) == Err(Gone)
            || !self.connections.slots[index].outbox().is_some_and(|outbox| outbox.close)
        {
            return;
        }
        if let Some(ending) =
            self.connections.slots[index].extra.as_mut().and_then(|extra| extra.ending.as_mut())
        {
            (ending.code, ending.reason) = (code, reason.to_owned());
            ending.cause = CloseReason::SlowConsumer;
        }
        self.end_behind_frame(index);
        if self.connections.slots[index].transport.tells_gaps() {
            // A position that it is told of promises that it has everything before that.
            self.in_outbox(index, Outbox::give_up_later_frames);
        }
        for stretch in self.in_outbox(index, Outbox::give_up_stretches) {
            self.end_stretch(index, stretch, Passage::Gone);
        }
    }

    /// Of a stretch that begins in mid-frame only the frame is left.
    fn end_behind_frame(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        let outbox = slot.extra.as_mut().and_then(|extra| extra.outbox.as_mut());
        let stretch = outbox.and_then(|outbox| outbox.first_stretch()).filter(|stretch| stretch.midway);
        let Some(stretch) = stretch else { return };
        let channel = self.channels.try_get(stretch.channel).filter(|channel| channel.epoch == stretch.epoch);
        let Some(log) = channel.and_then(|channel| channel.log_in(stretch.form)) else { return };
        let end = log.frame_end(stretch.from);
        let behind = Stretch { midway: false, from: end, ..*stretch };
        stretch.to = end;
        self.pass_stretch(behind, Passage::Gone);
    }
}

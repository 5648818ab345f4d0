//! Who receives which channel, and where it stands there: the only place that knows how that is kept.
//!
//! A subscriber of the default channel has a flag and a cursor in its slot. One of a named channel has a membership in
//! its box, which names a place in the channel's list; the cursor is there.

use std::fmt;

use crate::endpoint::ConnId;
use crate::metrics::WorkKind;
use crate::narrow;
use crate::push::presence::Departure;
use crate::push::{ChannelId, Cursor, DEFAULT, DEFAULT_NAME, Entry, Form, Membership, Since};

use super::directory::NoChannel;
use super::occupancy::Wish;
use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;
use super::work::{BYTES, NAME, RECEIPT};

/// To a client that comes with a position which this node of a cluster has not read yet.
pub(super) const AHEAD: &str = "this server has not read yet what the client has; try again";

/// A line of positions that is longer is ended.
const POSITIONS_LINE_BYTES: usize = 2_000;

/// Why there is no subscription.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotSubscribed {
    /// The connection is gone, or closing.
    NoSuchConnection,
    /// It has as many channels as it may have.
    TooMany,
    /// There is no such channel, and none can be made.
    NoChannel(NoChannel),
    /// It begins behind something that this node of a cluster has not read yet.
    Ahead,
}

impl fmt::Display for NotSubscribed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NotSubscribed::NoSuchConnection => f.write_str("no such connection"),
            NotSubscribed::TooMany => f.write_str("channels_per_connection_max"),
            NotSubscribed::NoChannel(problem) => problem.fmt(f),
            NotSubscribed::Ahead => f.write_str(AHEAD),
        }
    }
}

/// The terms of a subscription.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// A connection may receive so many channels beyond the default one.
    pub channels_max: usize,
    pub by: Wish,
}

impl<S: Socket> Reactor<S> {
    /// Whether a connection receives a channel.
    pub(super) fn is_subscribed(slot: &Slot<S>, id: ChannelId) -> bool {
        match id {
            DEFAULT => slot.flags.any(Flags::BROADCAST),
            id => slot.extra.as_ref().is_some_and(|extra| extra.memberships.place(id).is_some()),
        }
    }

    /// The channels that a connection receives, one by one in a fixed order: the default channel comes first.
    pub(super) fn nth_channel(slot: &Slot<S>, n: usize) -> Option<ChannelId> {
        let broadcast = usize::from(slot.flags.any(Flags::BROADCAST));
        if n < broadcast {
            return Some(DEFAULT);
        }
        slot.extra.as_ref()?.memberships.get(n - broadcast).map(|membership| membership.channel)
    }

    /// All of them, and where it stands in their logs.
    pub(super) fn subscriptions<'a>(
        &'a self,
        slot: &'a Slot<S>,
    ) -> impl Iterator<Item = (ChannelId, Cursor)> + 'a {
        let default = slot.flags.any(Flags::BROADCAST).then_some((DEFAULT, slot.cursor));
        let memberships = slot.extra.iter().flat_map(|extra| extra.memberships.iter());
        let member =
            |m: &Membership| (m.channel, self.channels.get(m.channel).members[m.place as usize].cursor);
        default.into_iter().chain(memberships.map(member))
    }

    /// Where a subscriber stands in a channel's log.
    pub(super) fn cursor(&self, index: usize, id: ChannelId) -> Option<Cursor> {
        let slot = &self.connections.slots[index];
        if id == DEFAULT {
            return slot.flags.any(Flags::BROADCAST).then_some(slot.cursor);
        }
        let place = slot.extra.as_ref()?.memberships.place(id)?;
        Some(self.channels.get(id).members[place as usize].cursor)
    }

    /// Moves a subscriber's cursor.
    pub(super) fn set_cursor(&mut self, index: usize, id: ChannelId, cursor: Cursor) {
        let slot = &mut self.connections.slots[index];
        if id == DEFAULT {
            slot.cursor = cursor;
        } else if let Some(extra) = &slot.extra
            && let Some(place) = extra.memberships.place(id)
        {
            self.channels.get_mut(id).members[place as usize].cursor = cursor;
        }
    }

    /// Whether a connection that stands there has not got everything of a channel.
    pub(super) fn is_behind(&self, index: usize, id: ChannelId, cursor: Cursor) -> bool {
        let log = self.channels.get(id).log_in(self.connections.slots[index].form);
        log.is_some_and(|log| cursor != Cursor::at(log.head()))
    }

    /// Whether the bytes that it should get next are no longer in the log.
    pub(super) fn is_fallen(&self, index: usize, id: ChannelId, cursor: Cursor) -> bool {
        let log = self.channels.get(id).log_in(self.connections.slots[index].form);
        log.is_some_and(|log| log.position(cursor).is_none())
    }

    /// How many of its channels a connection is behind in whose socket is full.
    pub(super) fn channels_behind(&self, index: usize) -> usize {
        let slot = &self.connections.slots[index];
        if !slot.flags.any(Flags::BLOCKED) {
            return 0;
        }
        self.subscriptions(slot).filter(|&(id, cursor)| self.is_behind(index, id, cursor)).count()
    }

    /// Subscribes an open connection to a channel by its name, which is made if need be, as the host or the operator
    /// wants it.
    pub(super) fn subscribe(
        &mut self,
        conn: ConnId,
        channel: &str,
        since: Since,
    ) -> Result<(), NotSubscribed> {
        let terms = Terms { channels_max: self.config.channels_per_connection_max, by: Wish::Hosts };
        let (index, id, entry) = self.begin_subscription_on(terms, conn, channel, since)?;
        if let Some(entry) = entry {
            self.tell_joined(index, channel, &entry);
        }
        self.offer_missed(index, id);
        Ok(())
    }

    /// The same as the client wants it, but what was published before is still to be [offered](Self::offer_missed).
    /// None: it is subscribed already, or gone.
    pub(super) fn begin_subscription(
        &mut self,
        conn: ConnId,
        channel: &str,
        since: Since,
    ) -> Result<(usize, ChannelId, Option<Entry>), NotSubscribed> {
        let terms = Terms { channels_max: self.config.channels_per_connection_max, by: Wish::Clients };
        self.begin_subscription_on(terms, conn, channel, since)
    }

    /// The same on these terms.
    pub(super) fn begin_subscription_on(
        &mut self,
        terms: Terms,
        conn: ConnId,
        channel: &str,
        since: Since,
    ) -> Result<(usize, ChannelId, Option<Entry>), NotSubscribed> {
        let index = self.find_open(conn).ok_or(NotSubscribed::NoSuchConnection)?;
        if !self.speaks_of(index, channel) {
            return Err(NotSubscribed::NoChannel(NoChannel::BadName));
        }
        let is_client = terms.by == Wish::Clients;
        if channel == DEFAULT_NAME {
            if is_client && self.is_ahead(DEFAULT, since) {
                return Err(NotSubscribed::Ahead);
            }
            return Ok((index, DEFAULT, self.join(index, DEFAULT, since)));
        }
        if self.has_channels(index, terms.channels_max) {
            return Err(NotSubscribed::TooMany);
        }
        let id = self.open_channel(index, channel, terms.by).map_err(NotSubscribed::NoChannel)?;
        if is_client && self.is_ahead(id, since) {
            self.abandon_channel(id);
            return Err(NotSubscribed::Ahead);
        }
        Ok((index, id, self.join_opened(index, id, since)))
    }

    /// Whether what is said in a channel is said in the way that a connection understands: an app's knows its app's.
    fn speaks_of(&self, index: usize, channel: &str) -> bool {
        let Some(number) = Self::app_seat(&self.connections.slots[index]) else { return true };
        channel.starts_with(&self.apps.at(number).settings.beginning())
    }

    /// Whether a connection receives so many channels beyond the default one. Notices are none.
    fn has_channels(&self, index: usize, count: usize) -> bool {
        let Some(extra) = &self.connections.slots[index].extra else { return count == 0 };
        let is_notices = |m: &&Membership| self.channels.get(m.channel).notices_of().is_some();
        let memberships = &extra.memberships;
        memberships.len() >= count
            && memberships.len() - memberships.iter().filter(is_notices).count() >= count
    }

    /// Whether a connection receives the channel of this name.
    pub(super) fn receives(&self, index: usize, channel: &str) -> bool {
        let known = self.channels.find(channel);
        known.is_some_and(|known| Self::is_subscribed(&self.connections.slots[index], known))
    }

    /// Ends a subscription that the connection has not asked to end, and tells it so.
    pub(super) fn end_subscription(&mut self, conn: ConnId, channel: &str) {
        let index = self.find_open(conn).filter(|&index| self.receives(index, channel));
        self.unsubscribe(conn, channel);
        if let Some(index) = index.filter(|_| self.find_open(conn).is_some()) {
            self.tell_left(index, channel);
        }
    }

    /// Ends an open connection's subscription, behind what was published before.
    pub(super) fn unsubscribe(&mut self, conn: ConnId, channel: &str) {
        let Some(index) = self.find_open(conn) else { return };
        let Some(id) = self.channels.find(channel) else { return };
        let is_there = self.bring_to_head(index, id, 1);
        let notices = is_there.then(|| self.notices_for(index, id)).flatten();
        if is_there && notices.is_none_or(|log| self.bring_to_head(index, log, 1)) {
            self.leave_channel(index, id, Departure::Said);
        }
    }

    /// Subscribes a connection to a channel that was opened for it, from there on.
    pub(super) fn join_opened(&mut self, index: usize, id: ChannelId, since: Since) -> Option<Entry> {
        let entry = self.join(index, id, since);
        self.abandon_channel(id);
        entry
    }

    /// Subscribes a connection to a channel, from there on. Nothing happens if it is already.
    pub(super) fn join(&mut self, index: usize, id: ChannelId, since: Since) -> Option<Entry> {
        self.work.charge(WorkKind::Names, NAME);
        if Self::is_subscribed(&self.connections.slots[index], id) {
            return None;
        }
        let serial = self.connections.slots[index].serial;
        if !self.make_way_for_more(index) {
            return None;
        }
        let form = self.connections.slots[index].form;
        let unix_ms = self.now.unix_ms();
        // Without room it gets less, and knows it.
        self.make_room_among_logs(|channels| channels.room_to_enter(id, form, since, unix_ms));
        if self.connections.slots.get(index).is_none_or(|slot| slot.serial != serial) {
            // A log has moved on over a frame that it was in the middle of.
            return None;
        }
        let entry = self.channels.enter(id, form, since, unix_ms);
        let Entry { cursor, effort, .. } = entry;
        let units = effort.copied_bytes as u64 / BYTES + effort.receipts as u64 * RECEIPT;
        self.work.charge(WorkKind::Names, units);
        let slot = &mut self.connections.slots[index];
        if id == DEFAULT {
            slot.cursor = cursor;
            slot.flags.set(Flags::BROADCAST, true);
        } else {
            let place = self.channels.get_mut(id).join(narrow::to_u32(index), cursor, self.now.mono_ms());
            slot.extra_mut().memberships.insert(id, place);
        }
        let channel = self.channels.get(id);
        if channel.subscribers == 1 || self.shared.has_others() {
            let (name, is_edge) = (channel.name.clone(), channel.subscribers == 1);
            self.count_subscriber(&name, true, is_edge);
        }
        self.attend(index, id);
        self.count_changed(id);
        Some(entry)
    }

    /// The channels that a connection receives, each with its position, as fields of a response: some on a line, since
    /// many a client takes no long ones.
    pub(super) fn put_positions(&self, index: usize, out: &mut Vec<u8>) {
        let slot = &self.connections.slots[index];
        let mut line_from = None;
        for (id, cursor) in self.subscriptions(slot) {
            let channel = self.channels.get(id);
            if channel.notices_of().is_some() {
                continue;
            }
            let Some(position) = channel.position(cursor, slot.form) else { continue };
            let begins = line_from.is_none_or(|from| out.len() - from > POSITIONS_LINE_BYTES);
            if begins {
                line_from = Some(out.len());
            }
            out.extend_from_slice(if begins { &b"\r\nWspush-Position: "[..] } else { b", " });
            out.extend_from_slice(channel.name.as_bytes());
            out.push(b'=');
            position.push_to(out);
        }
    }

    /// Moves a subscriber that has fallen off a log on to the newest publication, and tells it what it misses.
    /// False: it is gone, or closes.
    pub(super) fn skip(&mut self, index: usize, id: ChannelId) -> bool {
        let Slot { form, transport, .. } = self.connections.slots[index];
        let fallen = self.cursor(index, id);
        let channel = self.channels.get_mut(id);
        let is_told = transport.tells_gaps() && !channel.conflates();
        let gap = channel.ring(form).and_then(|ring| ring.gap_to_newest(fallen?));
        if is_told && gap.is_none() {
            // The channel has begun anew, and nobody knows any more where it stood.
            self.close_slow(index);
            return false;
        }
        let cursor = channel.skip_to_newest(form);
        self.set_cursor(index, id, cursor);
        self.metrics.slow_skipped += 1;
        self.channels.touch(id);
        gap.filter(|_| is_told).is_none_or(|gap| self.tell_gap(index, id, gap))
    }

    /// Moves a subscriber that has lagged on to the newest publication of a channel that keeps no other for it.
    pub(super) fn jump_to_newest(&mut self, index: usize, id: ChannelId) {
        let form = self.connections.slots[index].form;
        let Some(cursor) = self.cursor(index, id) else { return };
        if let Some(newest) = self.channels.get_mut(id).jump_to_newest(form, cursor) {
            self.set_cursor(index, id, newest);
            self.metrics.slow_skipped += 1;
            self.channels.touch(id);
        }
    }

    /// Ends all subscriptions of a connection.
    pub(super) fn leave_channels(&mut self, index: usize, departure: Departure) {
        self.leave_channel(index, DEFAULT, departure);
        while let Some(extra) = &mut self.connections.slots[index].extra
            && let Some(membership) = extra.memberships.pop()
        {
            let form = self.connections.slots[index].form;
            self.leave_presence(index, membership.channel, departure);
            self.leave_place(membership.channel, membership.place, form);
        }
        self.connections.slots[index].tidy();
    }

    /// Ends one subscription.
    fn leave_channel(&mut self, index: usize, id: ChannelId, departure: Departure) {
        if !Self::is_subscribed(&self.connections.slots[index], id) {
            return;
        }
        self.leave_presence(index, id, departure);
        if let Some(log) = self.notices_for(index, id) {
            self.leave_log(index, log);
        }
        self.leave_log(index, id);
    }

    fn leave_log(&mut self, index: usize, id: ChannelId) {
        let slot = &mut self.connections.slots[index];
        if id == DEFAULT {
            slot.flags.set(Flags::BROADCAST, false);
            self.channels.get_mut(DEFAULT).depart(slot.cursor, slot.form);
            self.channels.touch(DEFAULT);
            self.note_vacated(DEFAULT);
            return;
        }
        let Some(place) = slot.extra.as_mut().and_then(|extra| extra.memberships.remove(id)) else { return };
        let form = slot.form;
        self.leave_place(id, place, form);
        self.connections.slots[index].tidy();
    }

    /// Takes a member out of a channel and tells those that move up their new places.
    fn leave_place(&mut self, id: ChannelId, place: u32, form: Form) {
        let now_ms = self.now.mono_ms();
        let slots = &mut self.connections.slots;
        self.channels.get_mut(id).leave(place, form, now_ms, |slot, _, new| {
            if let Some(extra) = slots.get_mut(slot as usize).and_then(|slot| slot.extra.as_mut()) {
                extra.memberships.set_place(id, new);
            }
        });
        self.channels.touch(id);
        self.note_vacated(id);
        self.count_changed(id);
        self.vacate(id);
    }

    /// A subscriber has left a channel, and it may have been the last one.
    fn note_vacated(&mut self, id: ChannelId) {
        let channel = self.channels.get(id);
        if (channel.subscribers == 0 || self.shared.has_others()) && channel.notices_of().is_none() {
            let (name, is_edge) = (channel.name.clone(), channel.subscribers == 0);
            self.count_subscriber(&name, false, is_edge);
        }
    }
}

//! A channel: one log, its subscribers, and how far the flush has come through them.

use std::sync::Arc;

use crate::narrow;
use crate::protocol::envelope::Origin;

use super::encoder::Encoded;
use super::form::{Form, Lens};
use super::ledger::{Ledger, Passage};
use super::log::{Cursor, Log};
use super::other_rings::OtherRings;
use super::pace::Pacing;
use super::place::Place;
use super::position::Position;
use super::ring::Ring;
use super::rules::{ChannelRules, Keep};

#[cfg(test)]
mod tests;

/// One subscriber of a named channel: 8 bytes here and 8 ([`Membership`]) at the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Member {
    /// Slot of the connection.
    pub slot: u32,
    /// Where it stands in the log.
    pub cursor: Cursor,
}

/// The connection's side of a [`Member`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Membership {
    /// The channel.
    pub channel: super::ChannelId,
    /// The member's place in the channel's list.
    pub place: u32,
}

/// A flush under way: one pass over all subscribers, cut into slices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Walk {
    /// The subscriber to visit next: a place among the members, or a slot for the default channel.
    pub next: usize,
    /// The end of what it offers, as that was when the walk began. Whoever the walk has passed was offered everything
    /// before it.
    pub head: u64,
}

/// A channel.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Channel {
    /// Its name.
    pub name: Arc<str>,
    /// Which life of this name it is: microseconds since 1970 at its creation.
    pub epoch: u64,
    /// The publications, which every channel keeps in this form.
    pub plain: Ring,
    /// The publications in other forms, while there are subscribers who take them so.
    pub others: OtherRings,
    /// Logical position of the first byte of such a ring when one is made next: none is ever used twice.
    pub(super) others_from: u64,
    /// Who has them.
    pub ledger: Ledger,
    /// Subscribers of a named channel. The default channel has none here: its subscribers are the slots themselves.
    pub members: Vec<Member>,
    /// Number of subscribers.
    pub subscribers: u32,
    /// The flush under way.
    pub walk: Option<Walk>,
    /// Time of the last publication or subscription, for forgetting channels out of use.
    pub used_ms: u64,
    /// Whether the channel stands in the queue of channels to flush.
    pub(super) queued: bool,
    /// Whether the channel stands in the list of ledgers to settle.
    pub(super) unsettled: bool,
    /// Every subscriber has been offered everything before this position.
    pub(super) offered: u64,
    /// Subscribers that have entered behind the head, and were not offered anything yet, stand no earlier than here.
    pub(super) awaited: u64,
    /// Connections that are about to enter.
    pub expected: u32,
    /// The log has given up what somebody may still have to get: the walk goes and sees.
    pub(super) look_again: bool,
    /// The fate of a subscriber that falls off the log.
    pub fallen: Passage,
    /// How it is kept.
    #[serde(skip)]
    pub rules: ChannelRules,
    /// Bytes that any frame of it may have, whatever its log keeps.
    pub(super) frame_bytes_max: usize,
    /// See [`notices_of`](Self::notices_of).
    pub(super) notices_of: Option<super::ChannelId>,
    /// Those of what was published and not everybody was offered.
    pub(super) paces: Option<Box<Pacing>>,
}

impl Channel {
    pub(super) fn new(name: Arc<str>, epoch: u64, log: Log, lines_max: usize, now_ms: u64) -> Channel {
        Channel {
            name,
            epoch,
            ledger: Ledger::new(log.next_offset(), lines_max),
            offered: log.head(),
            others: Default::default(),
            others_from: log.head(),
            frame_bytes_max: log.bytes_max(),
            plain: Ring::new(Form::Plain, log),
            members: Vec::new(),
            subscribers: 0,
            walk: None,
            used_ms: now_ms,
            queued: false,
            unsettled: false,
            awaited: u64::MAX,
            expected: 0,
            look_again: false,
            fallen: Passage::Gone,
            rules: ChannelRules::default(),
            notices_of: None,
            paces: None,
        }
    }

    /// The publications in their plain form.
    #[inline]
    pub fn log(&self) -> &Log {
        &self.plain.log
    }

    /// A form; `None`: nobody has taken it for a while.
    pub fn ring(&self, form: Form) -> Option<&Ring> {
        match form {
            Form::Plain => Some(&self.plain),
            other => self.others.get(other),
        }
    }

    /// As [`ring`](Self::ring), to be changed.
    pub fn ring_mut(&mut self, form: Form) -> Option<&mut Ring> {
        match form {
            Form::Plain => Some(&mut self.plain),
            other => self.others.get_mut(other),
        }
    }

    /// The log that a subscriber of this form reads, the ledger that counts it, and the members' places.
    pub fn parts(&mut self, form: Form) -> (&mut Ring, &mut Ledger, &mut [Member]) {
        let other = self.others.get_mut(form);
        (other.unwrap_or(&mut self.plain), &mut self.ledger, &mut self.members)
    }

    /// The forms that are kept.
    pub fn rings(&self) -> impl Iterator<Item = &Ring> {
        std::iter::once(&self.plain).chain(self.others.iter())
    }

    pub(super) fn rings_mut(&mut self) -> impl Iterator<Item = &mut Ring> {
        std::iter::once(&mut self.plain).chain(self.others.iter_mut())
    }

    /// Whether there is another form than the plain one.
    pub fn has_other_forms(&self) -> bool {
        !self.others.is_empty()
    }

    /// Whether a publication of this size can be appended without evicting what some subscriber was not yet offered.
    ///
    /// This is what makes a burst larger than the log wait for the flush instead of turning everybody into a
    /// slow consumer. It also keeps cursors resolvable: see [`Cursor`].
    #[inline]
    pub fn has_room(&self, lens: Lens) -> bool {
        self.subscribers == 0 || self.tail_after(lens) <= self.held_from()
    }

    /// Position from which on nothing may be evicted yet.
    fn held_from(&self) -> u64 {
        self.offered.min(self.awaited)
    }

    /// Notes that all who have entered were offered what they have come back for.
    pub fn end_awaited(&mut self) {
        self.awaited = u64::MAX;
    }

    /// Where the plain ring's tail will be once a publication of this size has been appended. All forms have the same
    /// bounds and are evicted in step, so the one that takes the most bytes decides.
    #[inline]
    fn tail_after(&self, lens: Lens) -> u64 {
        let plain = &self.plain.log;
        let others = self.others.iter().map(|ring| (&ring.log, ring.log.tail_after(lens.of(ring.form()))));
        // One that gives up nothing may have begun later than the plain one.
        others
            .filter(|(log, tail)| *tail > log.tail())
            .fold(plain.tail_after(lens.of(Form::Plain)), |least, (log, tail)| {
                least.max(plain.start_of(log.offset_at(tail).0))
            })
    }

    /// This channel's part of a publication's envelope, when the publication has this offset.
    pub fn origin(&self, offset: u64) -> Origin<'_> {
        Origin { channel: &self.name, epoch: self.epoch, offset, frame_bytes_max: self.frame_bytes_max }
    }

    /// The log in the form that a subscriber takes; `None`: nobody has taken that for a while.
    pub fn log_in(&self, form: Form) -> Option<&Log> {
        self.ring(form).map(|ring| &ring.log)
    }

    /// Whether a publication has to be made in this form: because the form is kept, or stands in for a compressed one
    /// that is. A publication is compressed only if somebody takes it so.
    pub fn wants(&self, form: Form) -> bool {
        match form.is_deflated() {
            true => self.ring(form).is_some_and(|ring| ring.subscribers > 0),
            false => self.ring(form).is_some() || self.ring(form.deflated()).is_some(),
        }
    }

    /// Bytes allocated for what was published: rings, their indexes and the deliveries' counts. Whatever else is kept
    /// for each publication is added here, in `log_growth` and in
    /// `give_up_half`, and `logs_bytes_max` bounds it.
    pub fn log_bytes(&self) -> usize {
        self.rings().map(Ring::bytes).sum::<usize>() + self.ledger.bytes()
    }

    /// By how much that grows if a publication of this size is appended.
    pub(super) fn log_growth(&self, lens: Lens) -> usize {
        let first = self.first_after(lens);
        let growth = |ring: &Ring| ring.growth_from(first, lens.of(ring.form()));
        self.rings().map(growth).sum::<usize>() + self.ledger.growth()
    }

    /// Offset of the oldest publication that is left once one of this size has been appended.
    pub fn first_after(&self, lens: Lens) -> u64 {
        self.log().offset_at(self.tail_after(lens)).0
    }

    /// Offset of the oldest publication that is left once the older half is given up.
    pub fn first_at_half(&self) -> u64 {
        let log = self.log();
        log.offset_at(log.half()).0
    }

    /// Whether somebody stands in the middle of a frame.
    pub fn has_midway(&self) -> bool {
        self.rings().any(|ring| !ring.midway.is_empty())
    }

    /// Whether nobody needs it: no subscriber, none that is about to come, and none that has left and is still to get
    /// something.
    pub fn is_deserted(&self) -> bool {
        self.subscribers == 0 && self.expected == 0 && self.rings().all(|ring| ring.owed == 0)
    }

    /// Whether it has something to give up that every subscriber was offered.
    pub(super) fn can_give_up_half(&self) -> bool {
        self.log().publications() > 0 && (self.subscribers == 0 || self.log().half() <= self.held_from())
    }

    /// Whether the newest publication would go, though somebody may still have to skip to it.
    pub(super) fn gives_up_newest(&self) -> bool {
        self.subscribers > 0 && self.log().publications() == 1
    }

    /// Gives up the older half of what was published. Whoever has not read it yet has fallen off the log then; the
    /// next walk goes and sees, as it does after a publication that evicts others.
    pub(super) fn give_up_half(&mut self, now_us: u64) {
        self.give_up_before(self.first_at_half(), now_us);
    }

    /// Offset of the oldest publication that is left once those are given up that are too old and that every subscriber
    /// was offered.
    pub fn first_in_time(&self, unix_ms: u64) -> u64 {
        let offered = if self.subscribers > 0 { self.log().offset_at(self.held_from()).0 } else { u64::MAX };
        self.first_kept(unix_ms).min(offered)
    }

    /// Gives up the publications before this one.
    pub(super) fn give_up_before(&mut self, first: u64, now_us: u64) {
        self.rings_mut().for_each(|ring| ring.give_up_before(first));
        self.ledger.forget_before(first, now_us, self.fallen);
        self.look_again = self.subscribers > 0;
    }

    /// Changes how it is kept.
    pub(super) fn set_rules(&mut self, rules: ChannelRules, bytes_max: usize, publications_max: usize) {
        self.rules = rules;
        self.rings_mut().for_each(|ring| ring.log.set_bounds(bytes_max, publications_max));
        self.ledger.set_lines_max(publications_max);
    }

    /// Gives back the forms that have had no subscriber for so long, and of which nobody is to get more.
    pub(super) fn drop_unused_rings(&mut self, now_ms: u64, unused_ms: u64) {
        if let Some(head) = self.others.drop_if(|ring| ring.is_unused(now_ms, unused_ms)) {
            self.others_from = self.others_from.max(head);
        }
    }

    /// Appends a publication for all present subscribers.
    pub(super) fn append(&mut self, publication: &Encoded<'_>, place: Place) {
        self.used_ms = place.now_us / 1000;
        self.ledger.publish(place, self.subscribers, self.fallen);
        if self.has_other_forms() {
            let first = self.first_after(publication.lens());
            self.rings_mut().for_each(|ring| ring.evict_before(first));
        }
        let appended = self.plain.append(publication);
        assert_eq!(
            appended, place.offset,
            "the inbox gives out places in the order in which they are appended"
        );
        self.others.iter_mut().for_each(|ring| _ = ring.append(publication));
        if self.subscribers == 0 {
            self.offered = self.plain.log.head();
        }
    }

    /// Starts a walk, or goes on with the one under way. None: everybody was offered everything.
    pub fn resume_walk(&mut self) -> Option<Walk> {
        if self.walk.is_none() && (self.offered < self.log().head() || std::mem::take(&mut self.look_again)) {
            self.look_again = false;
            let log = self.log();
            let head = self.walk_until().map_or(log.head(), |offset| log.start_of(offset));
            self.walk = Some(Walk { next: 0, head });
            self.others.iter_mut().for_each(Ring::begin_walk);
        }
        self.walk
    }

    /// Notes that the walk has visited everybody.
    pub fn end_walk(&mut self) {
        if let Some(walk) = self.walk.take() {
            self.offered = walk.head;
            self.pass_paces();
        }
    }

    /// All who have fallen off were met by a walk, and there is none to come.
    pub(super) fn forget_evicted(&mut self) {
        self.others.iter_mut().for_each(Ring::forget_evicted);
    }

    /// Adds a subscriber that gets what is published from now on.
    #[cfg(test)]
    pub(super) fn enter_at_head(&mut self, form: Form) -> Cursor {
        let terms = super::entry::Terms { unix_ms: 0, asked_from: 0, spare_bytes: usize::MAX };
        self.enter(form, super::Since::Head, terms).cursor
    }

    /// Lists a subscriber that has entered as a member; returns its place.
    pub fn join(&mut self, slot: u32, cursor: Cursor, now_ms: u64) -> u32 {
        self.used_ms = now_ms;
        self.members.push(Member { slot, cursor });
        narrow::to_u32(self.members.len() - 1)
    }

    /// Removes the member at `place`, which took this form. Others take the places that become free:
    /// `moved(slot, old, new)` for each.
    ///
    /// A member that the walk has still to visit is never moved in front of it.
    pub fn leave(&mut self, place: u32, form: Form, now_ms: u64, mut moved: impl FnMut(u32, u32, u32)) {
        self.used_ms = now_ms;
        let mut gap = place as usize;
        self.depart(self.members[gap].cursor, form);
        let last = self.members.len() - 1;
        if let Some(walk) = &mut self.walk
            && gap < walk.next
        {
            walk.next -= 1;
            if gap != walk.next {
                self.members[gap] = self.members[walk.next];
                moved(self.members[gap].slot, narrow::to_u32(walk.next), narrow::to_u32(gap));
                gap = walk.next;
            }
        }
        if gap != last {
            self.members[gap] = self.members[last];
            moved(self.members[gap].slot, narrow::to_u32(last), narrow::to_u32(gap));
        }
        self.members.pop();
        // A crowd that has left leaves no memory behind.
        if self.members.capacity() > 64 && self.members.len() < self.members.capacity() / 4 {
            self.members.shrink_to(self.members.len() * 2);
        }
    }

    /// Where a subscriber stands that has everything.
    pub fn head_position(&self) -> Position {
        Position { epoch: self.epoch, offset: self.log().next_offset() - 1 }
    }

    /// Where a subscriber with its cursor there stands, in the form that it takes: it has everything up to that. None:
    /// it has fallen off.
    pub fn position(&self, cursor: Cursor, form: Form) -> Option<Position> {
        let log = self.log_in(form)?;
        let (next, _) = log.offset_at(log.position(cursor)?);
        Some(Position { epoch: self.epoch, offset: next - 1 })
    }

    /// Accounts for a subscriber that leaves with its cursor there, in the form that it took.
    pub fn depart(&mut self, cursor: Cursor, form: Form) {
        self.subscribers -= 1;
        if let Some(ring) = self.ring_mut(form) {
            ring.subscribers -= 1;
        }
        let log = self.log_in(form).unwrap_or(self.log());
        let offset = match log.position(cursor) {
            Some(position) => log.offset_at(position).0,
            None => log.first_offset(),
        };
        self.ledger.pass(Passage::Gone, offset, self.plain.log.next_offset());
    }

    /// Whether the newest publication, which is there, says all that a subscriber misses who lags.
    pub fn conflates(&self) -> bool {
        self.rules.keep == Keep::Latest && self.log().publications() > 0
    }

    /// Where a subscriber that lags goes on in a channel that keeps but the newest publication, in the form that it
    /// takes. None: where it stands.
    pub fn jump_to_newest(&mut self, form: Form, cursor: Cursor) -> Option<Cursor> {
        if self.rules.keep == Keep::All {
            return None;
        }
        let log = self.log_in(form)?;
        let newest = log.newest_start();
        let (offset, boundary) = log.offset_at(log.position(cursor)?);
        let (newest_offset, _) = log.offset_at(newest);
        if !boundary || offset >= newest_offset {
            return None;
        }
        self.ledger.pass(Passage::Skipped, offset, newest_offset);
        Some(Cursor::at(newest))
    }

    /// Moves a fallen subscriber on to the newest publication; returns its new cursor, in the form that it takes.
    pub fn skip_to_newest(&mut self, form: Form) -> Cursor {
        let log = self.log_in(form).unwrap_or(self.log());
        let position = log.newest_start();
        let (offset, first) = (log.offset_at(position).0, log.first_offset());
        self.ledger.pass(Passage::Skipped, first, offset);
        Cursor::at(position)
    }
}

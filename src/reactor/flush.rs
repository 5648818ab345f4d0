//! The flush: one pass over a channel's subscribers for everything that was published since the last, cut into
//! slices so that accepting, reading and heartbeats go on meanwhile.

mod stretches;

use std::ops::Range;

use crate::metrics::{CloseReason, Metrics};
use crate::narrow;
use crate::push::{Channel, ChannelId, Cursor, DEFAULT, Ledger, Log, Passage};

use super::apart::{APART, PLAIN, SEVERAL, asked_of};
use super::connections::{Census, Connections};
use super::reactor::Reactor;
use super::slot::{Flags, Slot};
use super::socket::Socket;
use super::wire::{Sent, Wire};
use stretches::{Stretch, Stretches};

/// How writing a log to a subscriber went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Offered {
    /// It had everything.
    Nothing,
    /// It has everything now.
    Done,
    /// Its socket is full, maybe in the middle of a frame.
    Full { mid_frame: bool },
    /// The kernel had no memory for it, maybe in the middle of a frame.
    Short { mid_frame: bool },
    /// The bytes that it should get next are no longer in the log.
    Fallen,
    /// Its connection is broken; what that counts as.
    Broken(CloseReason),
}

/// A subscriber that the walk could not deal with on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct WalkFailure {
    index: u32,
    serial: u32,
    trouble: Trouble,
}

#[derive(Clone, Copy, Debug)]
enum Trouble {
    /// It has fallen off the channel's log.
    Fallen(ChannelId),
    /// The kernel had no memory for it.
    Short,
    /// It has stopped in the middle of a frame.
    Midway,
    /// Its connection is broken.
    Broken(CloseReason),
}

/// How far a subscriber is written to at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Extent {
    /// Up to the log's head.
    Head,
    /// To the end of the frame under way: something waits behind it.
    Frame,
    /// Up to this position, which may lie behind it.
    Until(u64),
}

/// A part of a walk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// Subscribers that it has come by.
    pub visited: usize,
    /// Whether it was the last part, and there is nothing more to offer.
    pub is_over: bool,
}

/// Where deliveries are counted: for their receipts, and for the operator.
pub(super) struct Counts<'a> {
    pub ledger: &'a mut Ledger,
    pub metrics: &'a mut Metrics,
}

impl Counts<'_> {
    /// Counts the publications that a subscriber has in full now that it has got from one position to another; whether
    /// that is a frame's boundary.
    pub fn written(&mut self, log: &Log, from: u64, reached: u64) -> bool {
        let (first, _) = log.offset_at(from);
        let (next, boundary) = log.offset_at(reached);
        self.ledger.pass(Passage::Written, first, next);
        self.metrics.deliveries += if self.ledger.counts() { next - first } else { 0 };
        boundary
    }
}

/// Writes from `cursor` on with one call of `write`.
pub(super) fn offer(
    write: impl FnOnce(&mut Metrics, &[u8], &[u8]) -> Sent,
    log: &Log,
    counts: &mut Counts<'_>,
    cursor: &mut Cursor,
    extent: Extent,
) -> Offered {
    let Some(from) = log.position(*cursor) else { return Offered::Fallen };
    let to = match extent {
        Extent::Head => log.head(),
        Extent::Frame => log.frame_end(from),
        Extent::Until(to) => to.max(from),
    };
    if from == to {
        return Offered::Nothing;
    }
    let (first, second) = log.slices_between(from, to);
    let sent = write(counts.metrics, first, second);
    advance(sent, log, from..to, counts, cursor)
}

/// Moves a cursor on by so much of a stretch as was written.
fn advance(
    sent: Sent,
    log: &Log,
    stretch: Range<u64>,
    counts: &mut Counts<'_>,
    cursor: &mut Cursor,
) -> Offered {
    let reached = stretch.start + sent.taken() as u64;
    *cursor = Cursor::at(reached);
    let boundary = counts.written(log, stretch.start, reached);
    match sent {
        Sent::Bytes(_) if reached == stretch.end => Offered::Done,
        Sent::Bytes(_) | Sent::Held { short: false, .. } => Offered::Full { mid_frame: !boundary },
        Sent::Held { .. } | Sent::Short => Offered::Short { mid_frame: !boundary },
        Sent::Broken { cause, .. } => Offered::Broken(cause),
    }
}

/// Offers a subscriber what it still has to get; one whose socket is full is only looked at. Always inlined, and all
/// but the plain case kept out of it.
#[inline(always)]
fn visit<S: Socket>(
    slot: &mut Slot<S>,
    stretch: &mut Stretch<'_>,
    counts: &mut Counts<'_>,
    cursor: &mut Cursor,
    wire: &mut Wire,
) -> Offered {
    if slot.flags.any(Flags::BLOCKED_OR_TLS) {
        return visit_special(slot, stretch, counts, cursor, wire);
    }
    stretch.offer(&mut slot.socket, counts, cursor)
}

/// As [`visit`], for a subscriber that can't be written to just like that. Cold, so that what it needs is not kept at
/// hand on the way past it.
#[cold]
#[inline(never)]
fn visit_special<S: Socket>(
    slot: &mut Slot<S>,
    stretch: &Stretch<'_>,
    counts: &mut Counts<'_>,
    cursor: &mut Cursor,
    wire: &mut Wire,
) -> Offered {
    let log = stretch.log;
    if !slot.flags.any(Flags::BLOCKED) {
        let write =
            |metrics: &mut Metrics, first: &[u8], second: &[u8]| wire.seal(slot, metrics, first, second);
        offer(write, log, counts, cursor, Extent::Until(stretch.end()))
    } else if log.position(*cursor).is_none() {
        Offered::Fallen
    } else {
        Offered::Nothing
    }
}

/// Where a walk through a channel puts down what its visits have led to.
struct Notes<'a> {
    census: &'a mut Census,
    failures: &'a mut Vec<WalkFailure>,
    channel: ChannelId,
}

impl Notes<'_> {
    /// A call would cost half as much again as a delivery.
    #[inline(always)]
    fn take<S>(&mut self, slot: &mut Slot<S>, index: usize, offered: Offered) {
        let (index, serial) = (narrow::to_u32(index), slot.serial);
        let mut failed = |trouble| self.failures.push(WalkFailure { index, serial, trouble });
        match offered {
            Offered::Nothing | Offered::Done => {}
            Offered::Full { mid_frame } | Offered::Short { mid_frame } => {
                set_full(self.census, slot, self.channel, mid_frame);
                if mid_frame {
                    failed(Trouble::Midway);
                }
                if matches!(offered, Offered::Short { .. }) {
                    failed(Trouble::Short);
                }
            }
            Offered::Fallen => failed(Trouble::Fallen(self.channel)),
            Offered::Broken(cause) => failed(Trouble::Broken(cause)),
        }
    }
}

/// Marks a socket as full, or as taking more, and counts it.
pub(super) fn set_blocked(census: &mut Census, flags: &mut Flags, blocked: bool) {
    if flags.any(Flags::BLOCKED) != blocked {
        flags.set(Flags::BLOCKED, blocked);
        if blocked { census.blocked += 1 } else { census.blocked -= 1 }
    }
}

/// Marks a socket that a channel has filled, and whether that was in the middle of a frame.
pub(super) fn set_full<S>(census: &mut Census, slot: &mut Slot<S>, channel: ChannelId, mid_frame: bool) {
    set_blocked(census, &mut slot.flags, true);
    slot.flags.set(Flags::MID_FRAME, mid_frame);
    if mid_frame && channel != DEFAULT {
        slot.extra_mut().mid = Some(channel);
    } else if let Some(extra) = &mut slot.extra {
        extra.mid = None;
        slot.tidy();
    }
}

impl<S: Socket> Reactor<S> {
    /// Visits at most a slice of subscribers, channel after channel in turn.
    pub(super) fn flush_slice(&mut self) {
        let mut budget = self.config.flush_slice;
        while budget > 0
            && let Some(id) = self.channels.next_dirty()
        {
            let step = self.walk_on(id, budget);
            budget -= step.visited;
            if step.is_over && self.has_pending() {
                // Room in the log: the commands that waited for it come before the next slice.
                self.carry_out_commands();
            }
        }
    }

    /// Goes on with a channel's walk, so many subscribers at the most, and puts the channel back into its line.
    pub(super) fn walk_on(&mut self, id: ChannelId, budget: usize) -> Step {
        let Some(walk) = self.channels.get_mut(id).resume_walk() else {
            self.channels.requeue(id, false);
            return Step { visited: 0, is_over: false };
        };
        let end = if id == DEFAULT { self.connections.used } else { self.channels.get(id).members.len() };
        let until = end.min(walk.next.saturating_add(budget));
        let visited = until.saturating_sub(walk.next);
        let before = self.wire.backlog_bytes;
        if id == DEFAULT {
            self.walk_slots(walk.next, until);
        } else {
            self.walk_members(id, walk.next, until);
        }
        let has_sealed = self.wire.backlog_bytes != before;
        if has_sealed {
            self.count_sealed(id, walk.next..until);
        }
        let channel = self.channels.get_mut(id);
        if until == end {
            channel.end_walk();
        } else if let Some(walk) = &mut channel.walk {
            walk.next = until;
        }
        let dirty = channel.resume_walk().is_some();
        self.channels.touch(id);
        self.channels.requeue(id, dirty);
        self.serve_apart(id);
        self.settle_failures();
        if !dirty {
            self.channels.forget_evicted(id);
        }
        if has_sealed {
            self.shed_backlog();
        }
        Step { visited, is_over: !dirty }
    }

    /// Some of those that a walk has visited speak TLS, and their sockets have not taken all that was sealed.
    #[cold]
    fn count_sealed(&mut self, id: ChannelId, visited: Range<usize>) {
        for at in visited {
            let index = match id {
                DEFAULT => at,
                _ => self.channels.get(id).members[at].slot as usize,
            };
            if self.connections.slots.get(index).is_some_and(|slot| slot.flags.any(Flags::TLS)) {
                self.count_backlog(index);
            }
        }
    }

    /// The default channel's subscribers are the slots, in their order in memory.
    fn walk_slots(&mut self, from: usize, until: usize) {
        // As long as everybody takes the plain form nobody is asked.
        match asked_of(self.channels.get(DEFAULT)) {
            PLAIN => self.walk_slots_in::<PLAIN>(from, until),
            SEVERAL => self.walk_slots_in::<SEVERAL>(from, until),
            _ => self.walk_slots_in::<APART>(from, until),
        }
    }

    // Within the turn, which is large, it would have fewer registers.
    #[inline(never)]
    fn walk_slots_in<const ASKED: u8>(&mut self, from: usize, until: usize) {
        let channel = self.channels.get_mut(DEFAULT);
        let behind = channel.walk_until();
        let Channel { plain, others, ledger, .. } = channel;
        let (mut stretches, mut stretch) = Stretches::before(behind, plain, others);
        let Connections { slots, census, .. } = &mut self.connections;
        let mut counts = Counts { ledger, metrics: &mut self.metrics };
        let mut notes = Notes { census, failures: &mut self.walk.failures, channel: DEFAULT };
        for index in from..until {
            let Some(slot) = slots.get_mut(index) else { continue };
            if ASKED > PLAIN && slot.form != stretch.form {
                stretches.change(slot.form, &mut stretch);
            }
            if slot.cursor == stretch.last || !slot.flags.any(Flags::BROADCAST) {
                continue;
            }
            if ASKED == APART && slot.is_served_apart() {
                self.walk.apart.push(narrow::to_u32(index));
                continue;
            }
            let mut cursor = slot.cursor;
            let offered = visit(slot, &mut stretch, &mut counts, &mut cursor, &mut self.wire);
            slot.cursor = cursor;
            notes.take(slot, index, offered);
        }
        stretches.count(stretch, &mut counts);
    }

    /// A named channel's subscribers are listed in the channel.
    fn walk_members(&mut self, id: ChannelId, from: usize, until: usize) {
        match asked_of(self.channels.get(id)) {
            APART => self.walk_members_in::<APART>(id, from, until),
            _ => self.walk_members_in::<SEVERAL>(id, from, until),
        }
    }

    fn walk_members_in<const ASKED: u8>(&mut self, id: ChannelId, from: usize, until: usize) {
        let channel = self.channels.get_mut(id);
        let behind = channel.walk_until();
        let Channel { plain, others, ledger, members, .. } = channel;
        let (mut stretches, mut stretch) = Stretches::before(behind, plain, others);
        let Connections { slots, census, .. } = &mut self.connections;
        let mut counts = Counts { ledger, metrics: &mut self.metrics };
        let mut notes = Notes { census, failures: &mut self.walk.failures, channel: id };
        for member in &mut members[from..until] {
            let index = member.slot as usize;
            let Some(slot) = slots.get_mut(index) else { continue };
            if slot.form != stretch.form {
                stretches.change(slot.form, &mut stretch);
            }
            if member.cursor == stretch.last {
                continue;
            }
            if ASKED == APART && slot.is_served_apart() {
                self.walk.apart.push(narrow::to_u32(index));
                continue;
            }
            let offered = visit(slot, &mut stretch, &mut counts, &mut member.cursor, &mut self.wire);
            notes.take(slot, index, offered);
        }
        stretches.count(stretch, &mut counts);
    }

    /// Deals with the subscribers that a slice has put aside.
    fn settle_failures(&mut self) {
        let mut failures = std::mem::take(&mut self.walk.failures);
        for WalkFailure { index: slot, serial, trouble } in failures.drain(..) {
            let index = slot as usize;
            if !self.connections.has(index, serial) {
                continue;
            }
            match trouble {
                // One that may stay goes on when its socket takes more, or with the next flush.
                Trouble::Fallen(channel) => drop(self.fallen(index, channel)),
                Trouble::Short => self.connections.timers.retry(slot, serial),
                Trouble::Midway => self.enter_midway(index),
                Trouble::Broken(cause) => self.remove(index, cause),
            }
        }
        self.walk.failures = failures;
    }
}

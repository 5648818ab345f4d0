//! How a subscription begins: its cursor is set, and that is all. History, resume and "the newest value" are one
//! operation, which copies nothing and keeps nothing for the subscriber.
//!
//! Only the ring of a form that nobody has taken for a while may begin too late for it. Then that ring is made longer
//! at its older end, out of the plain one, once for all who come after.

use crate::narrow;
use crate::protocol::envelope::Origin;

use super::channel::Channel;
use super::form::Form;
use super::log::{Cursor, Log};
use super::older::Older;
use super::position::Position;
use super::ring::Ring;
use super::rules::Missed;
use super::since::Since;

#[cfg(test)]
mod tests;

/// A subscription that has begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Where the subscriber stands, in the form that it takes.
    pub cursor: Cursor,
    /// The same for the subscriber: everything behind this position follows.
    pub position: Position,
    /// The fate of its own position, if it came with one.
    pub recovery: Option<Recovery>,
    /// The work that this took beside setting the cursor.
    pub effort: Effort,
}

/// The fate of a position that a subscriber came with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recovery {
    /// It gets everything behind it.
    Whole,
    /// It doesn't get these.
    Missed(Gap),
}

impl Recovery {
    /// The publications that it doesn't get, if there are any.
    pub fn gap(self) -> Option<Gap> {
        match self {
            Recovery::Missed(gap) if gap.from <= gap.to => Some(gap),
            Recovery::Missed(_) | Recovery::Whole => None,
        }
    }
}

/// Publications that a subscriber will not get, by the first and the last offset. `to` is less than `from` where the
/// position was of another life of the channel, and this one has had nothing that the subscriber doesn't get.
///
/// ```
/// let gap = wspush::Gap { from: 3, to: 7 };
/// assert_eq!(gap.to - gap.from + 1, 5, "publications are gone");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first one.
    pub from: u64,
    /// The last one.
    pub to: u64,
}

/// Work that was done for an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effort {
    /// Bytes that were copied from the plain ring.
    pub copied_bytes: usize,
    /// Receipts that were opened again.
    pub receipts: usize,
}

/// The facts outside of a channel that an entry depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Terms {
    /// The calendar, in milliseconds since 1970.
    pub unix_ms: u64,
    /// The oldest receipt that can still be asked about.
    pub asked_from: u64,
    /// By how many bytes all logs together may grow.
    pub spare_bytes: usize,
}

/// Where somebody begins, before the form is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beginning {
    /// The first publication that it gets.
    pub first: u64,
    /// Its own position, if it came with one: recovered or not.
    pub recovery: Option<Recovery>,
}

impl Channel {
    /// Adds a subscriber, which takes publications in this form from there on.
    pub(super) fn enter(&mut self, form: Form, since: Since, terms: Terms) -> Entry {
        let kept = self.first_kept(terms.unix_ms);
        let mut beginning = self.begin(since, kept, self.rules.missed);
        let (reached, growth) = self.reach(form, beginning.first);
        // Publications that have no memory in this form, or no room in its ring, are gone to this subscriber.
        if growth > terms.spare_bytes {
            beginning = self.begin(since, kept.max(self.first_in(form)), self.rules.missed);
        } else if reached > beginning.first {
            beginning = self.begin(since, kept.max(reached), self.rules.missed);
        }
        let Beginning { first, recovery } = beginning;
        let copied_bytes = self.reach_back(form, first);
        if first < self.log().next_offset() {
            self.awaited = self.awaited.min(self.log().start_of(first));
        }
        self.subscribers += 1;
        let (ring, ledger, _) = self.parts(form);
        let cursor = ring.join(first);
        let effort = Effort { copied_bytes, receipts: ledger.recover(first, terms.asked_from) };
        let position = Position { epoch: self.epoch, offset: first - 1 };
        Entry { cursor, position, recovery, effort }
    }

    /// When a publication came whose delivery is still counted, in milliseconds since 1970.
    pub fn time_ms(&self, offset: u64) -> Option<u64> {
        self.ledger.time_ms(offset)
    }

    /// By how much the logs grow if somebody enters.
    pub(super) fn growth_to_enter(&self, form: Form, since: Since, unix_ms: u64) -> usize {
        self.reach(form, self.begin(since, self.first_kept(unix_ms), self.rules.missed).first).1
    }

    /// Offset of the oldest publication that is not gone: neither evicted nor too old.
    pub fn first_kept(&self, unix_ms: u64) -> u64 {
        let here = self.log().first_offset();
        match self.rules.ttl_ms {
            0 => here,
            ttl_ms => here.max(self.ledger.first_at((unix_ms + 1).saturating_sub(ttl_ms))),
        }
    }

    /// Where somebody begins; `missed` says where if its position can't be recovered.
    pub(super) fn begin(&self, since: Since, kept: u64, missed: Missed) -> Beginning {
        let next = self.log().next_offset();
        let newest = kept.max(next - 1);
        let first = match since {
            Since::Position(position) => return self.resume(position, kept, missed),
            Since::Head => next,
            Since::Earliest => kept,
            Since::Last(count) => kept.max(next.saturating_sub(count)),
            Since::Time(unix_ms) => kept.max(self.ledger.first_at(unix_ms)),
            Since::Latest => newest,
        };
        Beginning { first, recovery: None }
    }

    fn resume(&self, position: Position, kept: u64, missed: Missed) -> Beginning {
        let next = self.log().next_offset();
        let is_ours = position.epoch == self.epoch && position.offset < next;
        let wanted = if is_ours { position.offset + 1 } else { super::FIRST_OFFSET };
        if is_ours && wanted >= kept {
            return Beginning { first: wanted, recovery: Some(Recovery::Whole) };
        }
        let first = match missed {
            Missed::Report => next,
            Missed::Tail => kept,
            Missed::Latest => kept.max(next - 1),
        };
        let gap = Gap { from: wanted, to: first - 1 };
        Beginning { first, recovery: Some(Recovery::Missed(gap)) }
    }

    /// Offset of the oldest publication that is there in this form.
    fn first_in(&self, form: Form) -> u64 {
        self.log_in(form).map_or(self.log().next_offset(), Log::first_offset)
    }

    /// How far back this form can begin if it is to begin there, and by how much the logs grow then.
    fn reach(&self, form: Form, first: u64) -> (u64, usize) {
        let here = self.first_in(form);
        if form == Form::Plain || here <= first {
            return (first, 0);
        }
        let plain = self.log();
        let live = self.log_in(form).map_or(0, |log| narrow::to_usize(log.head() - log.tail()));
        let mut older = Older::new(form, plain, self.origin(here));
        let (reached, bytes) = older.reach(first..here, plain.bytes_max().saturating_sub(live));
        let publications = narrow::to_usize(here - reached);
        let growth = match self.log_in(form) {
            Some(log) => log.growth_before(bytes, publications),
            None => plain.beside(plain.head()).growth_before(bytes, publications),
        };
        (reached, growth)
    }

    /// Lets this form begin there at the latest; how many bytes that has copied.
    fn reach_back(&mut self, form: Form, first: u64) -> usize {
        if form == Form::Plain {
            return 0;
        }
        let plain = &self.plain.log;
        // In front of a new ring there is room for all that it may ever have to reach back for.
        let position = self.others_from + self.frame_bytes_max as u64;
        let new = || Ring::new(form, plain.beside(position));
        let origin = Origin {
            channel: &self.name,
            epoch: self.epoch,
            offset: first,
            frame_bytes_max: self.frame_bytes_max,
        };
        let Some(ring) = self.others.get_or_make(form, new) else { return 0 };
        ring.reach_back(Older::new(form, plain, origin), first)
    }
}

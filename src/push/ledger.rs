//! Who has which publication: the counts behind a push's receipt.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::budget::grown;
use super::place::Place;
use crate::narrow;

#[cfg(test)]
mod tests;

/// How many receipts can be asked about, the newest ones of the server.
pub const RECEIPTS_KEPT: usize = 4_096;

/// How far a publication has come.
///
/// `recipients = written + lagging + skipped + gone`; times are microseconds after the publication. With several
/// reactors one that has still to take the publication in counts as a recipient that lags, so that it is not taken for
/// done.
///
/// ```
/// use wspush::Delivery;
///
/// let delivery = Delivery { recipients: 3, written: 2, lagging: 1, ..Delivery::default() };
/// let settled = delivery.lagging == 0;
/// assert!(!settled, "one has still to get it");
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Deserialize, Serialize)]
pub struct Delivery {
    /// The receipt's id.
    pub id: u64,
    /// The publication's offset in its channel.
    pub offset: u64,
    /// Subscribers at the time of the publication, and those who have come back for it since.
    pub recipients: u32,
    /// Those of them who have come back for it, or came later and asked for what was there.
    pub recovered: u32,
    /// Subscribers for whom all its bytes have been handed to the kernel.
    pub written: u32,
    /// Subscribers that still have to get it.
    pub lagging: u32,
    /// Slow consumers that were moved past it.
    pub skipped: u32,
    /// Subscribers that left, or were closed, before they had it; also one that was closed in the middle of it.
    pub gone: u32,
    /// When the first subscriber had it.
    pub first_us: Option<u64>,
    /// When half of the recipients had it; with several reactors up to an eighth more of them.
    pub median_us: Option<u64>,
    /// When the last one had it: nobody lagged any more, for the first time.
    pub last_us: Option<u64>,
}

/// One subscriber's passage over some publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Passage {
    /// Written in full.
    Written,
    /// Jumped over by the slow-consumer policy.
    Skipped,
    /// The subscriber left before it had them.
    Gone,
}

/// Deliveries of a publication to those who were there when it was published. Who has come back for it has not waited
/// for it, and is in none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Written {
    /// How many.
    pub count: u32,
    /// After how many microseconds at the latest.
    pub after_us: u64,
}

/// By [`Passage`] those who have passed a publication, and last those who have come back for it.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize, serde::Serialize)]
struct Tally([i32; 4]);

const RECOVERED: usize = 3;

impl Tally {
    fn add(&mut self, other: Tally) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }

    fn take_off(&mut self, other: Tally) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine -= theirs;
        }
    }
}

/// Those who are in the middle of a publication that the log no longer has, and have its rest apart.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
struct Apart {
    count: u32,
    /// When it was published, and its delivery, once its line is gone.
    line: Option<(u64, Delivery)>,
}

#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
struct Line {
    /// The change at this offset against the one before: the counts are prefix sums over the lines.
    change: Tally,
    published_us: u64,
    /// The same on the calendar; never before the line in front of it.
    unix_ms: u64,
    delivery: Delivery,
}

/// The counts of a channel's newest publications.
///
/// A subscriber that passes the publications `a..b` adds one at `a` and takes one off at `b`: two additions,
/// whether a write carried one publication or a thousand.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Ledger {
    first: u64,
    lines: VecDeque<Line>,
    /// The counts for the offset that the next publication will have.
    at_next: Tally,
    /// Everything before this offset is settled: nobody lags, and nothing will change any more. Or nobody can ask any
    /// more what has become of it.
    unsettled_from: u64,
    /// Lines that were not settled when their time was up, and are to be shown for the last time.
    retired: Vec<(Delivery, Written)>,
    /// By offset: those who still get the rest of a publication, though it is lost to everybody else.
    apart: BTreeMap<u64, Apart>,
    /// The sum of all changes before that offset.
    settled: Tally,
    lines_max: usize,
}

impl Line {
    /// Brings the delivery up to date; `sum` are the counts at its offset. Subscribers that lag although the
    /// publication is `lost` to them have had a passage over it that nobody could count; but for those who have its
    /// rest `apart`.
    fn update(&mut self, sum: Tally, now_us: u64, lost: Option<Passage>, apart: u32) -> Written {
        let delivery = &mut self.delivery;
        let before = delivery.written;
        let [written, mut skipped, mut gone, recovered] = sum.0.map(|n| n.max(0) as u32);
        delivery.recipients = delivery.recipients - delivery.recovered + recovered;
        delivery.recovered = recovered;
        let mut lagging = delivery.recipients.saturating_sub(written + skipped + gone);
        if let Some(passage) = lost {
            let missed = lagging.saturating_sub(apart);
            *if passage == Passage::Skipped { &mut skipped } else { &mut gone } += missed;
            lagging -= missed;
        }
        delivery.lagging = lagging;
        (delivery.written, delivery.skipped, delivery.gone) = (written, skipped, gone);
        let after_us = now_us.saturating_sub(self.published_us);
        delivery.note_times(after_us);
        delivery.written_since(before, after_us)
    }
}

impl Delivery {
    /// How many of those who were there when it was published have it now, and hadn't when so many had.
    fn written_since(&self, before: u32, after_us: u64) -> Written {
        let there = self.recipients - self.recovered;
        Written { count: self.written.min(there).saturating_sub(before.min(there)), after_us }
    }

    fn note_times(&mut self, since_us: u64) {
        if self.written > 0 {
            self.first_us.get_or_insert(since_us);
        }
        if self.written > 0 && self.written >= self.recipients.div_ceil(2) {
            self.median_us.get_or_insert(since_us);
        }
        if self.lagging == 0 {
            self.last_us.get_or_insert(since_us);
        }
    }
}

impl Ledger {
    /// An empty ledger that keeps the newest `lines_max` publications; the first has offset `first`.
    pub fn new(first: u64, lines_max: usize) -> Ledger {
        Ledger {
            first,
            lines: VecDeque::new(),
            at_next: Tally::default(),
            unsettled_from: first,
            retired: Vec::new(),
            apart: BTreeMap::new(),
            settled: Tally::default(),
            lines_max,
        }
    }

    /// One that keeps nothing: about what it is told of nobody can ask.
    pub fn of_nothing(first: u64) -> Ledger {
        Ledger::new(first, 0)
    }

    /// Whether it counts anything.
    #[inline]
    pub fn counts(&self) -> bool {
        self.lines_max > 0
    }

    /// Notes a publication with its number of `recipients`. If the oldest one has to go for it, those that lag behind
    /// that one have lost it: `lost` says what became of them.
    pub fn publish(&mut self, place: Place, recipients: u32, lost: Passage) {
        let Place { offset, receipt: id, now_us: published_us, unix_ms } = place;
        debug_assert_eq!(offset, self.next_offset());
        if !self.counts() {
            *self = Ledger::of_nothing(offset + 1);
            return;
        }
        while self.lines.len() >= self.lines_max {
            self.retire_first(published_us, lost);
        }
        if self.lines.len() == self.lines.capacity() {
            self.lines.reserve_exact(grown(self.lines.capacity(), self.lines_max) - self.lines.len());
        }
        // A calendar that is set back must not bring the times out of order.
        let unix_ms = self.lines.back().map_or(unix_ms, |line| line.unix_ms.max(unix_ms));
        let delivery = Delivery { id, offset, recipients, lagging: recipients, ..Delivery::default() };
        let change = std::mem::take(&mut self.at_next);
        self.lines.push_back(Line { change, published_us, unix_ms, delivery });
    }

    /// Changes how many publications it keeps. If those are fewer, the next one retires the rest.
    pub fn set_lines_max(&mut self, lines_max: usize) {
        self.lines_max = lines_max;
    }

    fn next_offset(&self) -> u64 {
        self.first + self.lines.len() as u64
    }

    /// Notes that one subscriber more is to get the publications from this one on, which were there before it came; how
    /// many of them it has looked at. Those about which nobody can ask, as their receipts are before `asked_from`, are
    /// not.
    pub fn recover(&mut self, from: u64, asked_from: u64) -> usize {
        let (from, to) = (from.max(self.first), self.next_offset());
        if from >= to {
            return 0;
        }
        let asked_from = self.first + self.lines.partition_point(|line| line.delivery.id < asked_from) as u64;
        let reopened = from.max(asked_from)..self.unsettled_from;
        let looked_at = reopened.clone().count();
        if looked_at > 0 {
            let lines =
                narrow::to_usize(reopened.start - self.first)..narrow::to_usize(reopened.end - self.first);
            self.lines.range(lines).for_each(|line| self.settled.take_off(line.change));
            self.unsettled_from = reopened.start;
        }
        self.change_at(from, RECOVERED, 1);
        self.change_at(to, RECOVERED, -1);
        looked_at
    }

    /// One of those who receive the channel is not to get the newest publication, which nobody has got yet.
    pub fn leave_out_newest(&mut self) {
        if let Some(Line { delivery, .. }) = self.lines.back_mut() {
            delivery.recipients -= 1;
            delivery.lagging -= 1;
        }
    }

    /// When the publication of this offset came, in milliseconds since 1970.
    pub fn time_ms(&self, offset: u64) -> Option<u64> {
        let line = offset.checked_sub(self.first)?;
        self.lines.get(usize::try_from(line).ok()?).map(|line| line.unix_ms)
    }

    /// Offset of the first publication at this time or later, in milliseconds since 1970; of the next one if there is
    /// none.
    pub fn first_at(&self, unix_ms: u64) -> u64 {
        self.first + self.lines.partition_point(|line| line.unix_ms < unix_ms) as u64
    }

    fn retire_first(&mut self, now_us: u64, lost: Passage) {
        let Some(mut line) = self.lines.pop_front() else { return };
        if self.unsettled_from == self.first {
            self.settled.add(line.change);
            self.unsettled_from += 1;
            let apart = self.apart.get_mut(&self.first);
            let apart_count = apart.as_ref().map_or(0, |apart| apart.count);
            let written = line.update(self.settled, now_us, Some(lost), apart_count);
            if let Some(apart) = apart {
                apart.line = Some((line.published_us, line.delivery.clone()));
            }
            self.retired.push((line.delivery, written));
        }
        self.first += 1;
    }

    /// Notes that one subscriber keeps the rest of a publication apart from the log: to that one it isn't lost when it
    /// leaves the log.
    pub fn set_apart(&mut self, offset: u64) {
        self.apart.entry(offset).or_default().count += 1;
    }

    /// Notes what became of a publication whose rest a subscriber kept apart.
    pub fn rejoin(&mut self, offset: u64, passage: Passage, now_us: u64) {
        let Some(apart) = self.apart.get_mut(&offset) else { return };
        apart.count -= 1;
        let is_over = apart.count == 0;
        match &mut apart.line {
            Some((published_us, delivery)) => {
                delivery.lagging -= 1;
                let (before, after_us) = (delivery.written, now_us.saturating_sub(*published_us));
                *match passage {
                    Passage::Written => &mut delivery.written,
                    Passage::Skipped => &mut delivery.skipped,
                    Passage::Gone => &mut delivery.gone,
                } += 1;
                delivery.note_times(after_us);
                self.retired.push((delivery.clone(), delivery.written_since(before, after_us)));
            }
            None => self.pass(passage, offset, offset + 1),
        }
        if is_over {
            self.apart.remove(&offset);
        }
    }

    /// Forgets the publications before `offset`, which are no longer in the log, and gives back the memory.
    pub fn forget_before(&mut self, offset: u64, now_us: u64, lost: Passage) {
        while self.first < offset && !self.lines.is_empty() {
            self.retire_first(now_us, lost);
        }
        self.lines.shrink_to_fit();
    }

    /// Begins anew with this offset, when all that was published is [forgotten](Self::forget_before). Those who keep
    /// the rest of a publication apart are no longer waited for.
    pub fn count_from(&mut self, offset: u64) {
        debug_assert!(self.lines.is_empty());
        let retired = std::mem::take(&mut self.retired);
        *self = Ledger { retired, ..Ledger::new(offset, self.lines_max) };
    }

    /// Bytes allocated for the counts.
    pub fn bytes(&self) -> usize {
        self.lines.capacity() * size_of::<Line>()
    }

    /// By how much [`bytes`](Self::bytes) grows with one more publication.
    pub fn growth(&self) -> usize {
        if self.lines.len() < self.lines.capacity() || self.lines.len() >= self.lines_max {
            return 0;
        }
        (grown(self.lines.capacity(), self.lines_max) - self.lines.capacity()) * size_of::<Line>()
    }

    /// Notes that one subscriber has passed the publications `from..to`.
    #[inline]
    pub fn pass(&mut self, passage: Passage, from: u64, to: u64) {
        self.pass_all(passage, from, to, 1);
    }

    /// As [`pass`](Self::pass), for so many subscribers at once.
    #[inline]
    pub fn pass_all(&mut self, passage: Passage, from: u64, to: u64, subscribers: u32) {
        let from = from.max(self.first);
        if from >= to {
            return;
        }
        self.change_at(from, passage as usize, subscribers as i32);
        self.change_at(to, passage as usize, -(subscribers as i32));
    }

    fn change_at(&mut self, offset: u64, what: usize, by: i32) {
        if offset < self.unsettled_from {
            self.settled.0[what] += by;
        }
        let tally = match self.lines.get_mut(narrow::to_usize(offset - self.first)) {
            Some(line) => &mut line.change,
            None => &mut self.at_next,
        };
        tally.0[what] += by;
    }

    /// Brings the deliveries that are not settled up to date and shows each of them to `changed`, with what was written
    /// since the last time; how many publications it has looked at. Those before `logged_from` are no longer in the
    /// log, so whoever still lags behind them has `lost` them.
    ///
    /// Nobody can ask about receipts before `asked_from`. A subscriber that doesn't read would otherwise have
    /// everything behind it looked at in every turn.
    pub fn settle(
        &mut self,
        now_us: u64,
        (logged_from, lost): (u64, Passage),
        asked_from: u64,
        mut changed: impl FnMut(&Delivery, Written),
    ) -> usize {
        let mut looked_at = self.retired.len();
        self.retired.drain(..).for_each(|(delivery, written)| changed(&delivery, written));
        while let Some(line) = self.lines.get(narrow::to_usize(self.unsettled_from - self.first))
            && line.delivery.id < asked_from
        {
            self.settled.add(line.change);
            self.unsettled_from += 1;
            looked_at += 1;
        }
        let mut sum = self.settled;
        let mut settled = true;
        for line in self.lines.range_mut(narrow::to_usize(self.unsettled_from - self.first)..) {
            sum.add(line.change);
            let lost = (line.delivery.offset < logged_from).then_some(lost);
            let apart = if self.apart.is_empty() { None } else { self.apart.get(&line.delivery.offset) };
            let written = line.update(sum, now_us, lost, apart.map_or(0, |apart| apart.count));
            changed(&line.delivery, written);
            settled &= line.delivery.lagging == 0;
            if settled {
                self.unsettled_from = line.delivery.offset + 1;
                self.settled = sum;
            }
            looked_at += 1;
        }
        looked_at
    }

    /// The delivery of a publication that is still in the ledger, as of the last [`settle`](Self::settle).
    pub fn delivery(&self, offset: u64) -> Option<&Delivery> {
        let at = offset.checked_sub(self.first)?;
        self.lines.get(narrow::clamped(at)).map(|line| &line.delivery)
    }
}

/// Places of a publication: in each form, and in those that tell of gaps, which are all but the plain one and that
/// deflated, three times for those that have gone of late.
const PLACES: usize = crate::limits::LOG_FORMS + 3 * (crate::limits::LOG_FORMS - 2);
const _: () = assert!(size_of::<Line>() + PLACES * size_of::<u64>() <= crate::limits::LOG_INDEX_BYTES);

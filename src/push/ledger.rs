//! Who has which publication: the counts behind a push's receipt.

use std::collections::{BTreeMap, VecDeque};

use serde::Serialize;

use super::budget::grown;

/// How far a publication has come.
///
/// `recipients = written + lagging + skipped + gone`; times are microseconds after the publication.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Delivery {
    /// The receipt's id.
    pub id: u64,
    /// The publication's offset in its channel.
    pub offset: u64,
    /// Subscribers at the time of the publication.
    pub recipients: u32,
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
    /// When half of the recipients had it.
    pub median_us: Option<u64>,
    /// When the last one had it: nobody lags any more.
    pub last_us: Option<u64>,
}

/// One subscriber's passage over some publications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Written in full.
    Written,
    /// Jumped over by the slow-consumer policy.
    Skipped,
    /// The subscriber left before it had them.
    Gone,
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally([i32; 3]);

impl Tally {
    fn add(&mut self, other: Tally) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

/// Those who are in the middle of a publication that the log no longer has, and have its rest apart.
#[derive(Debug, Default)]
struct Apart {
    count: u32,
    /// When it was published, and its delivery, once its line is gone.
    line: Option<(u64, Delivery)>,
}

#[derive(Debug)]
struct Line {
    /// What changes at this offset against the one before: the counts are prefix sums over the lines.
    change: Tally,
    published_us: u64,
    delivery: Delivery,
}

/// The counts of a channel's newest publications.
///
/// A subscriber that passes the publications `a..b` adds one at `a` and takes one off at `b`: two additions,
/// whether a write carried one publication or a thousand.
#[derive(Debug)]
pub struct Ledger {
    first: u64,
    lines: VecDeque<Line>,
    /// What belongs to the offset that the next publication will have.
    at_next: Tally,
    /// Everything before this offset is settled: nobody lags, and nothing will change any more.
    unsettled_from: u64,
    /// Lines that were not settled when their time was up, and are to be shown for the last time.
    retired: Vec<Delivery>,
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
    fn update(&mut self, sum: Tally, now_us: u64, lost: Option<Passage>, apart: u32) {
        let delivery = &mut self.delivery;
        let [written, mut skipped, mut gone] = sum.0.map(|n| n.max(0) as u32);
        let mut lagging = delivery.recipients.saturating_sub(written + skipped + gone);
        if let Some(passage) = lost {
            let missed = lagging.saturating_sub(apart);
            *if passage == Passage::Skipped { &mut skipped } else { &mut gone } += missed;
            lagging -= missed;
        }
        delivery.lagging = lagging;
        (delivery.written, delivery.skipped, delivery.gone) = (written, skipped, gone);
        delivery.note_times(now_us.saturating_sub(self.published_us));
    }
}

impl Delivery {
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

    /// Lets the first publication have this offset; only before there was one.
    pub fn begin_at(&mut self, offset: u64) {
        debug_assert!(self.lines.is_empty());
        *self = Ledger::new(offset, self.lines_max);
    }

    /// Notes a publication with its receipt's `id` and number of `recipients`. If the oldest one has to go for it,
    /// those that lag behind that one have lost it: `lost` says what became of them.
    pub fn publish(&mut self, id: u64, recipients: u32, now_us: u64, lost: Passage) {
        if self.lines.len() >= self.lines_max {
            self.retire_first(now_us, lost);
        } else if self.lines.len() == self.lines.capacity() {
            self.lines.reserve_exact(grown(self.lines.capacity(), self.lines_max) - self.lines.len());
        }
        let offset = self.first + self.lines.len() as u64;
        let delivery = Delivery { id, offset, recipients, lagging: recipients, ..Delivery::default() };
        self.lines.push_back(Line {
            change: std::mem::take(&mut self.at_next),
            published_us: now_us,
            delivery,
        });
    }

    fn retire_first(&mut self, now_us: u64, lost: Passage) {
        let Some(mut line) = self.lines.pop_front() else { return };
        if self.unsettled_from == self.first {
            self.settled.add(line.change);
            self.unsettled_from += 1;
            let apart = self.apart.get_mut(&self.first);
            line.update(self.settled, now_us, Some(lost), apart.as_ref().map_or(0, |apart| apart.count));
            if let Some(apart) = apart {
                apart.line = Some((line.published_us, line.delivery.clone()));
            }
            self.retired.push(line.delivery);
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
                *match passage {
                    Passage::Written => &mut delivery.written,
                    Passage::Skipped => &mut delivery.skipped,
                    Passage::Gone => &mut delivery.gone,
                } += 1;
                delivery.note_times(now_us.saturating_sub(*published_us));
                self.retired.push(delivery.clone());
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
        self.change_at(from, passage, subscribers as i32);
        self.change_at(to, passage, -(subscribers as i32));
    }

    fn change_at(&mut self, offset: u64, passage: Passage, by: i32) {
        let tally = match self.lines.get_mut((offset - self.first) as usize) {
            Some(line) => &mut line.change,
            None => &mut self.at_next,
        };
        tally.0[passage as usize] += by;
    }

    /// Brings the deliveries that are not settled up to date and shows each of them to `changed`. Publications before
    /// `logged_from` are no longer in the log, so whoever still lags behind them has `lost` them.
    pub fn settle(
        &mut self,
        now_us: u64,
        logged_from: u64,
        lost: Passage,
        mut changed: impl FnMut(&Delivery),
    ) {
        self.retired.drain(..).for_each(|delivery| changed(&delivery));
        let mut sum = self.settled;
        let mut settled = true;
        for line in self.lines.range_mut((self.unsettled_from - self.first) as usize..) {
            sum.add(line.change);
            let lost = (line.delivery.offset < logged_from).then_some(lost);
            let apart = if self.apart.is_empty() { None } else { self.apart.get(&line.delivery.offset) };
            line.update(sum, now_us, lost, apart.map_or(0, |apart| apart.count));
            changed(&line.delivery);
            settled &= line.delivery.lagging == 0;
            if settled {
                self.unsettled_from = line.delivery.offset + 1;
                self.settled = sum;
            }
        }
    }

    /// The delivery of a publication that is still in the ledger, as of the last [`settle`](Self::settle).
    pub fn delivery(&self, offset: u64) -> Option<&Delivery> {
        let at = offset.checked_sub(self.first)?;
        self.lines.get(at as usize).map(|line| &line.delivery)
    }
}

const _: () = assert!(
    size_of::<Line>() + crate::limits::LOG_FORMS * size_of::<u64>() <= crate::limits::LOG_INDEX_BYTES
);

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(ledger: &Ledger, offset: u64) -> [u32; 4] {
        let d = ledger.delivery(offset).unwrap();
        [d.written, d.lagging, d.skipped, d.gone]
    }

    #[test]
    fn prefix_sums_count_every_subscriber_once() {
        let mut ledger = Ledger::new(10, 8);
        for id in 0..3 {
            ledger.publish(id, 4, 100, Passage::Gone);
        }
        ledger.pass(Passage::Written, 10, 13);
        ledger.pass(Passage::Written, 10, 11);
        ledger.pass(Passage::Gone, 11, 13);
        ledger.pass(Passage::Skipped, 10, 12);
        ledger.settle(150, 0, Passage::Gone, |_| {});
        assert_eq!(counts(&ledger, 10), [2, 1, 1, 0]);
        assert_eq!(counts(&ledger, 11), [1, 1, 1, 1]);
        assert_eq!(counts(&ledger, 12), [1, 2, 0, 1]);
        // What has passed the newest publication must not be counted for the next one.
        ledger.publish(3, 2, 200, Passage::Gone);
        ledger.settle(210, 0, Passage::Gone, |_| {});
        assert_eq!(counts(&ledger, 13), [0, 2, 0, 0]);
        let first = ledger.delivery(10).unwrap();
        assert_eq!((first.first_us, first.median_us, first.last_us), (Some(50), Some(50), None));
    }

    #[test]
    fn nobody_lags_behind_what_is_no_longer_there() {
        let mut ledger = Ledger::new(0, 2);
        for id in 0..3 {
            ledger.publish(id, 2, 0, Passage::Skipped);
            ledger.pass(Passage::Written, id, id + 1);
        }
        let mut seen = Vec::new();
        ledger.settle(5, 2, Passage::Gone, |d| {
            seen.push([d.id as u32, d.written, d.lagging, d.skipped, d.gone])
        });
        assert_eq!(seen, [[0, 1, 0, 1, 0], [1, 1, 0, 0, 1], [2, 1, 1, 0, 0]]);
        ledger.settle(6, 2, Passage::Gone, |d| assert_eq!(d.id, 2, "the others are settled"));
    }

    #[test]
    fn old_lines_go_and_their_sums_stay_right() {
        let mut ledger = Ledger::new(0, 2);
        ledger.publish(0, 1, 0, Passage::Gone);
        ledger.pass(Passage::Written, 0, 1);
        ledger.publish(1, 2, 0, Passage::Gone);
        ledger.publish(2, 2, 0, Passage::Gone);
        ledger.pass(Passage::Written, 0, 3);
        ledger.settle(9, 0, Passage::Gone, |_| {});
        assert_eq!((counts(&ledger, 1), counts(&ledger, 2)), ([1, 1, 0, 0], [1, 1, 0, 0]));
        assert!(ledger.delivery(0).is_none());
        ledger.pass(Passage::Written, 1, 3);
        let mut seen = Vec::new();
        ledger.settle(20, 0, Passage::Gone, |d| seen.push((d.id, d.lagging, d.last_us)));
        assert_eq!(seen, [(1, 0, Some(20)), (2, 0, Some(20))]);
        ledger.settle(30, 0, Passage::Gone, |d| panic!("{d:?} was settled"));
    }

    #[test]
    fn who_keeps_the_rest_has_not_lost_it() {
        let mut ledger = Ledger::new(0, 2);
        ledger.publish(7, 4, 0, Passage::Skipped);
        ledger.pass(Passage::Written, 0, 1);
        // Two of the three others are in the middle of it when it leaves the log; the third has fallen off.
        ledger.set_apart(0);
        ledger.set_apart(0);
        ledger.settle(5, 1, Passage::Skipped, |_| {});
        assert_eq!(counts(&ledger, 0), [1, 2, 1, 0]);
        ledger.rejoin(0, Passage::Written, 6);
        ledger.settle(6, 1, Passage::Skipped, |_| {});
        assert_eq!(counts(&ledger, 0), [2, 1, 1, 0]);
        // Its line goes, and what is still open is told all the same.
        ledger.publish(8, 0, 7, Passage::Skipped);
        ledger.publish(9, 0, 8, Passage::Skipped);
        let mut seen = Vec::new();
        let mut note = |d: &Delivery| seen.push((d.id, d.written, d.lagging, d.skipped, d.gone, d.last_us));
        ledger.settle(9, 1, Passage::Skipped, &mut note);
        ledger.rejoin(0, Passage::Gone, 10);
        ledger.settle(10, 1, Passage::Skipped, &mut note);
        assert_eq!(seen[0], (7, 2, 1, 1, 0, None));
        assert_eq!(seen.last(), Some(&(7, 2, 0, 1, 1, Some(10))), "{seen:?}");
        ledger.settle(11, 1, Passage::Gone, |d| panic!("{d:?} was settled"));
        assert!(ledger.apart.is_empty());
    }

    #[test]
    fn what_is_forgotten_is_told_once_more() {
        let mut ledger = Ledger::new(5, 100);
        for id in 5..14 {
            let growth = ledger.growth();
            let before = ledger.bytes();
            ledger.publish(id, 2, 0, Passage::Gone);
            assert_eq!(ledger.bytes(), before + growth);
        }
        ledger.pass(Passage::Written, 5, 7);
        ledger.pass(Passage::Written, 5, 8);
        ledger.settle(1, 5, Passage::Gone, |_| {});
        let before = ledger.bytes();
        ledger.forget_before(9, 2, Passage::Skipped);
        assert!(ledger.bytes() < before / 2, "{} of {before} bytes", ledger.bytes());
        let mut seen = Vec::new();
        ledger.settle(3, 9, Passage::Skipped, |d| {
            seen.push([d.offset as u32, d.written, d.lagging, d.skipped])
        });
        assert_eq!(seen[..3], [[7, 1, 0, 1], [8, 0, 0, 2], [9, 0, 2, 0]]);
        ledger.pass(Passage::Written, 5, 14);
        ledger.settle(4, 9, Passage::Skipped, |_| {});
        assert_eq!((counts(&ledger, 9), counts(&ledger, 13)), ([1, 1, 0, 0], [1, 1, 0, 0]));
        // More than there is: nothing is left, and the count goes on.
        ledger.forget_before(14, 5, Passage::Gone);
        assert_eq!(ledger.bytes(), 0);
        ledger.publish(14, 1, 6, Passage::Gone);
        ledger.settle(6, 14, Passage::Gone, |_| {});
        assert_eq!(ledger.delivery(14).map(|d| (d.id, d.lagging)), Some((14, 1)));
    }
}

//! Who has which publication: the counts behind a push's receipt.

use std::collections::VecDeque;

use serde::Serialize;

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
    /// Subscribers that left, or were closed, before they had it.
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
    /// The sum of all changes before that offset.
    settled: Tally,
    lines_max: usize,
}

impl Ledger {
    /// An empty ledger that keeps the newest `lines_max` publications; the first has offset `first`.
    pub fn new(first: u64, lines_max: usize) -> Ledger {
        Ledger {
            first,
            lines: VecDeque::new(),
            at_next: Tally::default(),
            unsettled_from: first,
            settled: Tally::default(),
            lines_max,
        }
    }

    /// Lets the first publication have this offset; only before there was one.
    pub fn begin_at(&mut self, offset: u64) {
        debug_assert!(self.lines.is_empty());
        *self = Ledger::new(offset, self.lines_max);
    }

    /// Notes a publication with its receipt's `id` and number of `recipients`.
    pub fn publish(&mut self, id: u64, recipients: u32, now_us: u64) {
        if self.lines.len() >= self.lines_max
            && let Some(line) = self.lines.pop_front()
        {
            if self.unsettled_from == self.first {
                self.settled.add(line.change);
                self.unsettled_from += 1;
            }
            self.first += 1;
        }
        let offset = self.first + self.lines.len() as u64;
        let delivery = Delivery { id, offset, recipients, lagging: recipients, ..Delivery::default() };
        self.lines.push_back(Line {
            change: std::mem::take(&mut self.at_next),
            published_us: now_us,
            delivery,
        });
    }

    /// Notes that one subscriber has passed the publications `from..to`.
    #[inline]
    pub fn pass(&mut self, passage: Passage, from: u64, to: u64) {
        let from = from.max(self.first);
        if from >= to {
            return;
        }
        self.change_at(from, passage, 1);
        self.change_at(to, passage, -1);
    }

    fn change_at(&mut self, offset: u64, passage: Passage, by: i32) {
        let tally = match self.lines.get_mut((offset - self.first) as usize) {
            Some(line) => &mut line.change,
            None => &mut self.at_next,
        };
        tally.0[passage as usize] += by;
    }

    /// Brings the deliveries that are not settled up to date and shows each of them to `changed`.
    pub fn settle(&mut self, now_us: u64, mut changed: impl FnMut(&Delivery)) {
        let mut sum = self.settled;
        let mut settled = true;
        for line in self.lines.range_mut((self.unsettled_from - self.first) as usize..) {
            sum.add(line.change);
            let delivery = &mut line.delivery;
            let [written, skipped, gone] = sum.0.map(|n| n.max(0) as u32);
            let since_us = now_us.saturating_sub(line.published_us);
            (delivery.written, delivery.skipped, delivery.gone) = (written, skipped, gone);
            delivery.lagging = delivery.recipients.saturating_sub(written + skipped + gone);
            if written > 0 {
                delivery.first_us.get_or_insert(since_us);
            }
            if written > 0 && written >= delivery.recipients.div_ceil(2) {
                delivery.median_us.get_or_insert(since_us);
            }
            if delivery.lagging == 0 {
                delivery.last_us.get_or_insert(since_us);
            }
            changed(delivery);
            settled &= delivery.lagging == 0;
            if settled {
                self.unsettled_from = delivery.offset + 1;
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
            ledger.publish(id, 4, 100);
        }
        ledger.pass(Passage::Written, 10, 13);
        ledger.pass(Passage::Written, 10, 11);
        ledger.pass(Passage::Gone, 11, 13);
        ledger.pass(Passage::Skipped, 10, 12);
        ledger.settle(150, |_| {});
        assert_eq!(counts(&ledger, 10), [2, 1, 1, 0]);
        assert_eq!(counts(&ledger, 11), [1, 1, 1, 1]);
        assert_eq!(counts(&ledger, 12), [1, 2, 0, 1]);
        // What has passed the newest publication must not be counted for the next one.
        ledger.publish(3, 2, 200);
        ledger.settle(210, |_| {});
        assert_eq!(counts(&ledger, 13), [0, 2, 0, 0]);
        let first = ledger.delivery(10).unwrap();
        assert_eq!((first.first_us, first.median_us, first.last_us), (Some(50), Some(50), None));
    }

    #[test]
    fn old_lines_go_and_their_sums_stay_right() {
        let mut ledger = Ledger::new(0, 2);
        ledger.publish(0, 1, 0);
        ledger.pass(Passage::Written, 0, 1);
        ledger.publish(1, 2, 0);
        ledger.publish(2, 2, 0);
        ledger.pass(Passage::Written, 0, 3);
        ledger.settle(9, |_| {});
        assert_eq!((counts(&ledger, 1), counts(&ledger, 2)), ([1, 1, 0, 0], [1, 1, 0, 0]));
        assert!(ledger.delivery(0).is_none());
        ledger.pass(Passage::Written, 1, 3);
        let mut seen = Vec::new();
        ledger.settle(20, |d| seen.push((d.id, d.lagging, d.last_us)));
        assert_eq!(seen, [(1, 0, Some(20)), (2, 0, Some(20))]);
        ledger.settle(30, |d| panic!("{d:?} was settled"));
    }
}

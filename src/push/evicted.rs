//! Where publications began that a ring has just evicted: a subscriber that has fallen off it is told from which one on
//! it misses them.

use std::collections::VecDeque;

use super::budget::grown;

/// The beginnings of publications evicted since the walk before the last one has begun. Each walk meets those who have
/// fallen off by then, and has dealt with them before the next but one begins. When no walk is to come they go.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Evicted {
    /// Offset of the first one here.
    first: u64,
    /// Logical positions, ascending.
    starts: VecDeque<u64>,
    /// How many of them there were when the last two walks began, the older one first.
    before_walks: [usize; 2],
}

/// In the time of so many walks, this one among them, a log evicts what it has room for at the most.
const WALKS: usize = 3;

impl Evicted {
    /// Bytes allocated.
    pub fn bytes(&self) -> usize {
        self.starts.capacity() * size_of::<u64>()
    }

    /// By how much that grows if so many publications are evicted from a log that has room for `publications_max`.
    pub fn growth(&self, count: usize, publications_max: usize) -> usize {
        (self.capacity_for(count, publications_max) - self.starts.capacity()) * size_of::<u64>()
    }

    fn capacity_for(&self, count: usize, publications_max: usize) -> usize {
        let (needed, capacity) = (self.starts.len() + count, self.starts.capacity());
        if needed <= capacity { capacity } else { grown(capacity, WALKS * publications_max).max(needed) }
    }

    /// Makes room for so many.
    pub fn reserve(&mut self, count: usize, publications_max: usize) {
        let capacity = self.capacity_for(count, publications_max);
        self.starts.reserve_exact(capacity - self.starts.len());
    }

    /// Makes room for so many, and no more.
    pub fn reserve_exact(&mut self, count: usize) {
        self.starts.reserve_exact(count);
    }

    /// The publication of this offset, which has begun there, is evicted. They come in order.
    pub fn note(&mut self, offset: u64, start: u64) {
        if self.starts.is_empty() {
            self.first = offset;
        }
        debug_assert_eq!(offset, self.first + self.starts.len() as u64);
        self.starts.push_back(start);
    }

    /// A walk begins.
    pub fn begin_walk(&mut self) {
        let [older, newer] = self.before_walks;
        self.starts.drain(..older);
        self.first += older as u64;
        self.before_walks = [newer - older, self.starts.len()];
    }

    /// Offset of the evicted publication that held the byte at this position.
    pub fn offset_at(&self, position: u64) -> Option<u64> {
        let begun = self.starts.partition_point(|&start| start <= position);
        Some(self.first + begun.checked_sub(1)? as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_known_for_two_walks() {
        let mut evicted = Evicted::default();
        assert_eq!(evicted.offset_at(5), None);
        for (offset, start) in [(7, 100), (8, 130)] {
            evicted.note(offset, start);
        }
        let found = |evicted: &Evicted| [99, 100, 129, 130, 500].map(|at| evicted.offset_at(at));
        assert_eq!(found(&evicted), [None, Some(7), Some(7), Some(8), Some(8)]);
        evicted.begin_walk();
        evicted.note(9, 200);
        evicted.begin_walk();
        assert_eq!(found(&evicted), [None, Some(7), Some(7), Some(8), Some(9)]);
        evicted.begin_walk();
        assert_eq!(found(&evicted), [None, None, None, None, Some(9)]);
        evicted.begin_walk();
        assert_eq!(found(&evicted), [None; 5]);
        evicted.begin_walk();
        evicted.note(20, 900);
        assert_eq!(evicted.offset_at(900), Some(20));
    }

    #[test]
    fn their_memory_is_foreseen() {
        let mut evicted = Evicted::default();
        for round in 0..40u64 {
            for (n, count) in [(0, 5), (5, 0), (5, 11)] {
                let growth = evicted.growth(count, 16);
                let before = evicted.bytes();
                evicted.reserve(count, 16);
                (0..count as u64).for_each(|k| evicted.note(16 * round + n + k, 160 * round + n + k));
                assert_eq!(evicted.bytes(), before + growth);
            }
            evicted.begin_walk();
        }
        assert!(evicted.bytes() <= WALKS * 16 * 8, "{}", evicted.bytes());
    }
}

//! The newest that this node has seen of each partition, by reading or by an answer. Whoever publishes says it to
//! Redis: a server that has less has lost something.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Epoch, and number of the newest entry.
#[derive(Debug)]
pub(super) struct Known(Mutex<Vec<(u64, u64)>>);

impl Known {
    pub fn new(partitions: usize) -> Known {
        Known(Mutex::new(vec![(0, 0); partitions]))
    }

    fn all(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes an epoch and an entry of it.
    pub fn note(&self, partition: usize, epoch: u64, entry: u64) {
        let known = &mut self.all()[partition];
        *known = (*known).max((epoch, entry));
    }

    pub fn of(&self, partition: usize) -> (u64, u64) {
        self.all()[partition]
    }

    pub fn epoch(&self, partition: usize) -> u64 {
        self.of(partition).0
    }

    /// The epochs of the first so many.
    pub fn epochs(&self, count: usize) -> Vec<u64> {
        self.all().iter().map(|known| known.0).take(count).collect()
    }
}

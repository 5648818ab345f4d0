//! Sums over several reactors: their connections, for the bounds that are of the whole server.

use std::sync::atomic::{AtomicU64, Ordering};

use super::addresses::Counts;
use super::connects::Connects;
use super::sync::AtomicUsize;

/// How many there are of something that there may be so many of at all reactors together: a place is looked for and
/// taken in one step, so that no two of them take the last one.
#[derive(Debug, Default)]
pub struct Places(AtomicUsize);

impl Places {
    /// Takes one of so many. False: they are all taken.
    pub fn take(&self, max: usize) -> bool {
        let more = |taken| (taken < max).then_some(taken + 1);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives one back.
    pub fn give_back(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// How many there are. Each reactor counts its own here as well.
#[derive(Debug, Default)]
pub struct Totals {
    /// Those on the public listeners.
    pub public: Places,
    /// The open ones of them, and those that are about to open.
    pub open: Places,
    /// Those that a drain has cut off.
    cut_off: AtomicUsize,
    /// Guests that the demo's chat has given a name.
    guests: AtomicU64,
    /// By address.
    pub by_address: Counts,
    /// How often they come, by address.
    pub connects: Connects,
}

impl Totals {
    /// A drain has cut off so many more.
    pub fn cut_off(&self, count: usize) {
        self.cut_off.fetch_add(count, Ordering::Relaxed);
    }

    /// How many those are.
    pub fn were_cut_off(&self) -> usize {
        self.cut_off.load(Ordering::Relaxed)
    }

    /// The number of the next guest.
    pub fn next_guest(&self) -> u64 {
        self.guests.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// How many guests there have been.
    #[cfg(feature = "handover")]
    pub fn guests(&self) -> u64 {
        self.guests.load(Ordering::Relaxed)
    }

    /// So many have been there before.
    #[cfg(feature = "handover")]
    pub fn resume_guests(&self, count: u64) {
        self.guests.store(count, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_places_are_taken_than_there_are() {
        let places = Places::default();
        assert_eq!((0..5).filter(|_| places.take(3)).count(), 3);
        places.give_back();
        assert_eq!((places.taken(), places.take(2), places.take(3), places.take(3)), (2, false, true, false));
    }
}

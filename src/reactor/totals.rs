//! Sums over several reactors: their connections, for the bounds that are of the whole server.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use super::addresses::Counts;
use super::connects::Connects;

/// How many there are. Each reactor counts its own here as well.
#[derive(Debug, Default)]
pub struct Totals {
    /// Those on the public listeners.
    public: AtomicUsize,
    /// The open ones of them.
    open: AtomicUsize,
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
    /// A connection has come in by a public listener.
    pub fn enter(&self) {
        self.public.fetch_add(1, Ordering::Relaxed);
    }

    /// It is gone.
    pub fn leave(&self) {
        self.public.fetch_sub(1, Ordering::Relaxed);
    }

    /// A connection opens.
    pub fn enter_open(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// An open connection closes.
    pub fn leave_open(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

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

    /// Those on the public listeners.
    pub fn public(&self) -> usize {
        self.public.load(Ordering::Relaxed)
    }

    /// The open ones.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

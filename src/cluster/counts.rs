//! How the engine is: whether it is there, and what it has done.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::metrics::{ClusterGauges, Histogram};

/// Counted by the two threads.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub placed: AtomicU64,
    pub refused: AtomicU64,
    pub read: AtomicU64,
    pub epochs: AtomicU64,
    pub gaps: AtomicU64,
    pub local: AtomicU64,
    losses: AtomicU64,
    /// From when something was asked until it was answered.
    seconds: Mutex<Histogram>,
    /// When there was nothing more to read, in milliseconds since 1970.
    abreast_ms: AtomicU64,
    /// When that was asked for which had nothing more, in microseconds since 1970: what was there then is read.
    read_until_us: AtomicU64,
    away: Mutex<Away>,
}

/// Why each of the two threads has no connection.
#[derive(Debug, Default)]
struct Away {
    reader: Option<Arc<str>>,
    writer: Option<Arc<str>>,
}

/// One of the threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Reader,
    Writer,
}

/// The meaning of a change for the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It is as it was.
    None,
    Lost,
    Back,
}

impl Counts {
    fn sides(&self) -> MutexGuard<'_, Away> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why it is away.
    pub fn away(&self) -> Option<Arc<str>> {
        let away = self.sides();
        away.writer.clone().or_else(|| away.reader.clone())
    }

    /// Why nothing can be handed over.
    pub fn writer_away(&self) -> Option<Arc<str>> {
        self.sides().writer.clone()
    }

    /// One of the threads has its connection, or has none and says why.
    pub fn set(&self, side: Side, why: Option<&str>) -> Change {
        let mut away = self.sides();
        let was_up = away.reader.is_none() && away.writer.is_none();
        let place = if side == Side::Reader { &mut away.reader } else { &mut away.writer };
        *place = why.map(Arc::from);
        let is_up = away.reader.is_none() && away.writer.is_none();
        match (was_up, is_up) {
            (true, false) => {
                self.losses.fetch_add(1, Ordering::Relaxed);
                Change::Lost
            }
            (false, true) => Change::Back,
            _ => Change::None,
        }
    }

    /// The reader has read all there is.
    pub fn come_abreast(&self, unix_us: u64) {
        self.abreast_ms.store(unix_us / 1_000, Ordering::Relaxed);
    }

    /// All is read that was there at this time.
    pub fn note_read(&self, asked_us: u64) {
        self.read_until_us.store(asked_us, Ordering::Relaxed);
    }

    pub fn read_until_us(&self) -> u64 {
        self.read_until_us.load(Ordering::Relaxed)
    }

    /// For how long it has not.
    pub fn lag_ms(&self, unix_us: u64) -> u64 {
        (unix_us / 1_000).saturating_sub(self.abreast_ms.load(Ordering::Relaxed))
    }

    /// Nothing will be handed over.
    pub fn lose(&self, why: &str) {
        self.set(Side::Writer, Some(why));
    }

    /// Something that was asked has been answered after this time.
    pub fn answered(&self, after: Duration) {
        let us = u64::try_from(after.as_micros()).unwrap_or(u64::MAX);
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).note(us);
    }

    pub fn gauges(&self) -> ClusterGauges {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        ClusterGauges {
            is_up: self.away().is_none(),
            placed: read(&self.placed),
            refused: read(&self.refused),
            read: read(&self.read),
            waiting: 0,
            losses: read(&self.losses),
            epochs: read(&self.epochs),
            gaps: read(&self.gaps),
            seconds: self.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            local: read(&self.local),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_there_when_both_are() {
        let counts = Counts::default();
        assert_eq!(counts.set(Side::Reader, Some("a")), Change::Lost);
        assert_eq!(counts.set(Side::Writer, Some("b")), Change::None);
        assert_eq!(counts.away().as_deref(), Some("b"));
        assert_eq!(counts.set(Side::Writer, None), Change::None);
        assert_eq!((counts.away().as_deref(), counts.writer_away()), (Some("a"), None));
        assert_eq!(counts.set(Side::Reader, None), Change::Back);
        assert_eq!((counts.gauges().losses, counts.gauges().is_up), (1, true));
    }
}

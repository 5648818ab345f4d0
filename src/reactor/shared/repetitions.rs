//! The publications of each idempotency key, so that a repetition is answered with the first receipts.
//!
//! A key is kept for [`IDEMPOTENCY_MS`], or until [`IDEMPOTENCY_KEYS_MAX`] newer ones have come, or as many as
//! [`IDEMPOTENCY_BYTES_MAX`] hold: the oldest goes first.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::endpoint::Receipt;
use crate::limits::{IDEMPOTENCY_BYTES_MAX, IDEMPOTENCY_KEYS_MAX, IDEMPOTENCY_MS};

/// Bytes of a key's entries in the two tables, about.
const ENTRY_BYTES: usize = 160;
/// Keys that are given up at once because their time is over: it bounds the work under the lock.
const EXPIRED_AT_ONCE: usize = 64;

/// An answer about a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// Nothing (any more).
    New,
    /// Just the same was published under it, with these receipts.
    Same(&'a [Receipt]),
    /// Something else was.
    Other,
}

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct Kept {
    fingerprint: u64,
    unix_us: u64,
    receipts: Box<[Receipt]>,
}

/// The newest keys.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Repetitions {
    kept: HashMap<Arc<str>, Kept>,
    /// When each came, the oldest first. One that came again after its time stands here twice.
    order: VecDeque<(Arc<str>, u64)>,
    bytes: usize,
}

impl Repetitions {
    /// Looks a key up.
    pub fn find(&self, key: &str, fingerprint: u64, unix_us: u64) -> Found<'_> {
        match self.kept.get(key).filter(|kept| !is_over(kept.unix_us, unix_us)) {
            None => Found::New,
            Some(kept) if kept.fingerprint == fingerprint => Found::Same(&kept.receipts),
            Some(_) => Found::Other,
        }
    }

    /// Keeps what was published under a key that is new.
    pub fn keep(&mut self, key: &str, fingerprint: u64, receipts: &[Receipt], unix_us: u64) {
        self.expire(unix_us);
        let kept = Kept { fingerprint, unix_us, receipts: receipts.into() };
        let key: Arc<str> = Arc::from(key);
        self.bytes += cost(&key, &kept);
        self.order.push_back((key.clone(), unix_us));
        if let Some(former) = self.kept.insert(key.clone(), kept) {
            self.bytes -= cost(&key, &former);
        }
        while self.order.len() > IDEMPOTENCY_KEYS_MAX || self.bytes > IDEMPOTENCY_BYTES_MAX {
            self.give_up_oldest();
        }
    }

    /// Gives up some of the keys whose time is over, and the memory when none is left. True: there are more of them.
    pub fn expire(&mut self, unix_us: u64) -> bool {
        for _ in 0..EXPIRED_AT_ONCE {
            if !self.is_oldest_over(unix_us) {
                break;
            }
            self.give_up_oldest();
        }
        if self.order.is_empty() && self.order.capacity() > 0 {
            *self = Repetitions::default();
        }
        self.is_oldest_over(unix_us)
    }

    fn is_oldest_over(&self, unix_us: u64) -> bool {
        self.order.front().is_some_and(|(_, came_us)| is_over(*came_us, unix_us))
    }

    fn give_up_oldest(&mut self) {
        let Some((key, came_us)) = self.order.pop_front() else { return };
        if self.kept.get(&key).is_some_and(|kept| kept.unix_us == came_us)
            && let Some(kept) = self.kept.remove(&key)
        {
            self.bytes -= cost(&key, &kept);
        }
    }
}

fn is_over(came_us: u64, unix_us: u64) -> bool {
    unix_us.saturating_sub(came_us) >= IDEMPOTENCY_MS * 1_000
}

fn cost(key: &str, kept: &Kept) -> usize {
    let receipts = kept.receipts.iter().map(|receipt| size_of::<Receipt>() + receipt.channel.len());
    ENTRY_BYTES + key.len() + receipts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER_US: u64 = IDEMPOTENCY_MS * 1_000;

    fn receipt(id: u64) -> Receipt {
        Receipt { channel: "c".into(), epoch: 1, offset: id, id }
    }

    fn audit(keys: &Repetitions) {
        let bytes: usize = keys.kept.iter().map(|(key, kept)| cost(key, kept)).sum();
        assert_eq!(bytes, keys.bytes);
        assert!(keys.kept.len() <= keys.order.len() && keys.order.len() <= IDEMPOTENCY_KEYS_MAX);
        assert!(bytes <= IDEMPOTENCY_BYTES_MAX);
    }

    #[test]
    fn a_key_stands_for_one_publication_for_its_time() {
        let mut keys = Repetitions::default();
        assert_eq!(keys.find("k", 7, 0), Found::New);
        keys.keep("k", 7, &[receipt(1)], 0);
        assert_eq!(keys.find("k", 7, OVER_US - 1), Found::Same(&[receipt(1)]));
        assert_eq!(keys.find("k", 8, OVER_US - 1), Found::Other);
        assert_eq!(keys.find("K", 7, 5), Found::New);
        assert_eq!(keys.find("k", 8, OVER_US), Found::New, "its time is over");
        keys.keep("k", 8, &[receipt(2)], OVER_US);
        assert_eq!(keys.find("k", 8, OVER_US), Found::Same(&[receipt(2)]));
        audit(&keys);
    }

    #[test]
    fn one_that_came_again_is_not_taken_for_its_former_self() {
        let mut keys = Repetitions::default();
        for n in 0..EXPIRED_AT_ONCE as u64 + 1 {
            keys.keep(&format!("old{n}"), 0, &[], 0);
        }
        let last = format!("old{EXPIRED_AT_ONCE}");
        // Its own time is over, but it has not been given up for that yet.
        keys.keep(&last, 5, &[receipt(9)], OVER_US);
        audit(&keys);
        keys.expire(OVER_US);
        assert_eq!(keys.find(&last, 5, OVER_US), Found::Same(&[receipt(9)]));
        audit(&keys);
        keys.expire(2 * OVER_US);
        assert_eq!((keys.kept.capacity(), keys.order.capacity(), keys.bytes), (0, 0, 0), "all is given back");
    }

    #[test]
    fn keys_and_bytes_are_bounded() {
        let mut keys = Repetitions::default();
        for n in 0..IDEMPOTENCY_KEYS_MAX + 10 {
            keys.keep(&n.to_string(), 0, &[], 5);
        }
        audit(&keys);
        assert_eq!((keys.find("9", 0, 5), keys.find("10", 0, 5)), (Found::New, Found::Same(&[])));
        let many: Vec<Receipt> = (0..1_000).map(receipt).collect();
        for n in 0..2_000 {
            keys.keep(&format!("batch{n}"), 0, &many, 6);
        }
        audit(&keys);
        assert_eq!(keys.find("batch1999", 0, 6), Found::Same(&many));
        assert_eq!(keys.find("batch0", 0, 6), Found::New);
    }
}

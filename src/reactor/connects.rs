//! How often clients of each address connect. Costs memory only while `connects_per_second_max` is set, and only for
//! addresses that have connected within the last second.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use super::addresses::network_of;
use super::bucket::Bucket;

/// Addresses that are known at once. Where there are more within a second, all begin anew: an attack from so many is not
/// held up by counting, and nobody else is to be held up for it.
const ADDRESSES_MAX: usize = 65_536;

/// The buckets, of one reactor or of several.
#[derive(Clone, Debug, Default)]
pub struct Connects(Arc<Mutex<HashMap<u64, Bucket>>>);

impl Connects {
    /// Counts a client that connects; false: it is one too many, and has to come back later.
    pub(super) fn take(&self, peer: Option<SocketAddr>, per_second: u32, now_ms: u64) -> bool {
        if peer.is_none() || per_second == 0 {
            return true;
        }
        let network = network_of(peer);
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= ADDRESSES_MAX && !buckets.contains_key(&network) {
            buckets.retain(|_, bucket| !bucket.is_full(now_ms));
            if buckets.len() >= ADDRESSES_MAX / 2 {
                buckets.clear();
            }
            buckets.shrink_to(ADDRESSES_MAX / 64);
        }
        let bucket = buckets.entry(network).or_insert_with(|| Bucket::full(per_second, now_ms));
        bucket.take(per_second, 1, now_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(n: u32) -> Option<SocketAddr> {
        Some(SocketAddr::from((n.to_be_bytes(), 1)))
    }

    #[test]
    fn each_address_has_its_own() {
        let connects = Connects::default();
        let come = |n, now_ms| (0..5).filter(|_| connects.take(peer(n), 3, now_ms)).count();
        assert_eq!((come(1, 0), come(2, 0), come(1, 333), come(1, 334)), (3, 3, 0, 1));
        assert_eq!(come(1, 10_000), 3);
        assert!((0..100).all(|_| connects.take(None, 1, 0) && connects.take(peer(9), 0, 0)));
    }

    #[test]
    fn very_many_addresses_take_no_more_memory_than_their_bound() {
        let connects = Connects::default();
        for n in 0..200_000 {
            assert!(connects.take(peer(n), 1, u64::from(n / 1_000)));
        }
        let buckets = connects.0.lock().unwrap();
        assert!(buckets.len() <= ADDRESSES_MAX && buckets.capacity() <= 2 * ADDRESSES_MAX);
    }
}

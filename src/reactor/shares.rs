//! How much of what all clients share each address holds, so that one can't use it up for the others.
//!
//! Memory, which can be taken away again, goes from the address that holds most: see [`Holdings`]. Of things that
//! can't, as channels, no address gets more than a [`Share`]. There is no fixed quota for that either: an address may
//! hold up to four times as much as is still free. Alone it may have most of what there is (behind a proxy all
//! clients are one address); the more of them want much, the less each may have, and something is always left for one
//! that comes new.

use std::collections::HashMap;

use super::addresses::Network;
use super::holdings::{First, Holdings};
use super::memory::shrink_sparse;

/// Memory that is taken away from those who hold most when others need it.
#[derive(Debug)]
pub struct Shares {
    /// Chunks of the assembly pool. A message that has begun is to come to its end.
    pub chunks: Holdings,
    /// Bytes of the backlog.
    pub backlog: Holdings,
    /// Whether somebody is giving way.
    pub gives_way: bool,
}

impl Default for Shares {
    fn default() -> Shares {
        let (chunks, backlog) = (Holdings::new(First::Newest), Holdings::new(First::Largest));
        Shares { chunks, backlog, gives_way: false }
    }
}

/// How many times what is free one address may hold: alone four fifths of all, two of them four ninths each.
const FREE_TIMES: usize = 4;

/// Something that clients share, in pieces of one kind.
#[derive(Debug, Default)]
pub struct Share {
    held: usize,
    by_address: HashMap<Network, usize>,
}

impl Share {
    /// The sum over all.
    pub fn held(&self) -> usize {
        self.held
    }

    /// One address's part.
    pub fn held_by(&self, address: Network) -> usize {
        self.by_address.get(&address).copied().unwrap_or(0)
    }

    /// Whether an address may have one more of `max`, of which something is free.
    pub fn may_have_more(&self, address: Network, max: usize) -> bool {
        self.held_by(address) < FREE_TIMES.saturating_mul(max.saturating_sub(self.held))
    }

    /// An address has so much more.
    pub fn take(&mut self, address: Network, amount: usize) {
        if amount > 0 {
            self.held += amount;
            *self.by_address.entry(address).or_default() += amount;
        }
    }

    /// It has given so much back.
    pub fn give_back(&mut self, address: Network, amount: usize) {
        let Some(held) = self.by_address.get_mut(&address) else {
            debug_assert_eq!(amount, 0, "given back by one who had nothing");
            return;
        };
        *held -= amount;
        self.held -= amount;
        if *held == 0 {
            self.by_address.remove(&address);
            shrink_sparse(&mut self.by_address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lets these addresses take in turn as much as they may.
    fn greedy(share: &mut Share, addresses: std::ops::Range<Network>, max: usize) {
        let mut took = true;
        while std::mem::take(&mut took) {
            for address in addresses.clone() {
                if share.held() < max && share.may_have_more(address, max) {
                    share.take(address, 1);
                    took = true;
                }
            }
        }
    }

    #[test]
    fn the_greedy_leave_something_to_who_comes_new() {
        for (greedies, each, left) in [(1, 800, 200), (2, 445, 110), (9, 108, 28)] {
            let mut share = Share::default();
            greedy(&mut share, 0..greedies, 1_000);
            let held: Vec<_> = (0..greedies).map(|address| share.held_by(address)).collect();
            assert!(held.iter().all(|held| held.abs_diff(each) <= 1), "{held:?}");
            assert!((1_000 - share.held()).abs_diff(left) < 10, "{} of {left}", share.held());
            assert!(share.may_have_more(99, 1_000));
        }
    }

    #[test]
    fn a_table_of_few_goes_to_who_comes_first() {
        for max in 0..=4 {
            let mut share = Share::default();
            greedy(&mut share, 7..8, max);
            assert_eq!(share.held(), max);
        }
    }

    #[test]
    fn nothing_stays_of_who_has_given_all_back() {
        let mut share = Share::default();
        share.take(1, 3);
        share.take(2, 4);
        share.take(2, 0);
        share.give_back(1, 2);
        assert_eq!((share.held(), share.held_by(1), share.held_by(2)), (5, 1, 4));
        share.give_back(1, 1);
        share.give_back(1, 0);
        share.give_back(2, 4);
        assert!(share.by_address.is_empty() && share.held() == 0);
    }
}

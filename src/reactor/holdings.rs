//! What each connection holds of something that all share, added up by address: so that when it is used up the one
//! that has taken most gives way, and not the one who comes next.

use std::collections::{BTreeSet, HashMap};

use slab::Slab;

use super::addresses::Network;
use super::memory::shrink_sparse;

/// No holder.
const NONE: u32 = u32::MAX;

/// One connection's part.
#[derive(Debug)]
struct Holder {
    slot: u32,
    network: Network,
    amount: usize,
    /// Its neighbours among the holders of its address.
    older: u32,
    newer: u32,
}

/// An address's part.
#[derive(Debug)]
struct Account {
    amount: usize,
    /// Of its connections the one that has begun to hold something last.
    newest: u32,
}

/// Who holds how much. Nothing is kept of connections that hold nothing.
#[derive(Debug, Default)]
pub struct Holdings {
    holders: Slab<Holder>,
    by_slot: HashMap<u32, u32>,
    accounts: HashMap<Network, Account>,
    /// The accounts, the largest last.
    order: BTreeSet<(usize, Network)>,
}

impl Holdings {
    /// Notes what the connection in a slot holds now, and where it is `from`.
    pub fn set(&mut self, slot: u32, amount: usize, from: impl FnOnce() -> Network) {
        let key = match self.by_slot.get(&slot) {
            Some(&key) => key,
            None if amount == 0 => return,
            None => self.insert(slot, from()),
        };
        let holder = &mut self.holders[key as usize];
        let (network, before) = (holder.network, std::mem::replace(&mut holder.amount, amount));
        if amount == 0 {
            self.remove(key);
        }
        self.change_account(network, before, amount);
    }

    /// Whose part is to go so that somebody else can have `more`: of the address that holds most the connection that
    /// has begun last. `None`: those who ask, or the others of their address, hold as much as anybody.
    pub fn victim(&self, asking: u32, more: usize, from: impl FnOnce() -> Network) -> Option<usize> {
        let holder = self.by_slot.get(&asking).map(|&key| &self.holders[key as usize]);
        let network = holder.map_or_else(from, |holder| holder.network);
        let &(most, largest) = self.order.last()?;
        let newest = self.accounts.get(&largest)?.newest;
        let is_fair = if largest == network {
            // Among themselves who has begun later gives way.
            holder.is_some() && self.holders[newest as usize].slot != asking
        } else {
            self.accounts.get(&network).map_or(0, |account| account.amount) + more < most
        };
        is_fair.then(|| self.holders[newest as usize].slot as usize)
    }

    fn insert(&mut self, slot: u32, network: Network) -> u32 {
        let account = self.accounts.entry(network).or_insert(Account { amount: 0, newest: NONE });
        let older = account.newest;
        let key = self.holders.insert(Holder { slot, network, amount: 0, older, newer: NONE }) as u32;
        account.newest = key;
        if let Some(older) = self.holders.get_mut(older as usize) {
            older.newer = key;
        }
        self.by_slot.insert(slot, key);
        key
    }

    fn remove(&mut self, key: u32) {
        let Holder { slot, network, older, newer, .. } = self.holders.remove(key as usize);
        if let Some(older) = self.holders.get_mut(older as usize) {
            older.newer = newer;
        }
        match self.holders.get_mut(newer as usize) {
            Some(newer) => newer.older = older,
            None => {
                if let Some(account) = self.accounts.get_mut(&network) {
                    account.newest = older;
                }
            }
        }
        self.by_slot.remove(&slot);
        shrink_sparse(&mut self.by_slot);
        if self.holders.is_empty() {
            self.holders = Slab::new();
        }
    }

    fn change_account(&mut self, network: Network, before: usize, after: usize) {
        let Some(account) = self.accounts.get_mut(&network) else { return };
        let amount = account.amount - before + after;
        if amount == account.amount && amount > 0 {
            return;
        }
        self.order.remove(&(account.amount, network));
        account.amount = amount;
        if amount > 0 {
            self.order.insert((amount, network));
        } else {
            self.accounts.remove(&network);
            shrink_sparse(&mut self.accounts);
        }
    }

    /// What the connection in a slot holds, as far as is known here.
    pub(super) fn held_by(&self, slot: u32) -> usize {
        self.by_slot.get(&slot).map_or(0, |&key| self.holders[key as usize].amount)
    }

    /// Panics where this contradicts itself; what all hold together.
    pub(super) fn audit(&self) -> usize {
        assert_eq!(self.by_slot.len(), self.holders.len());
        assert_eq!(self.order.len(), self.accounts.len());
        let mut holders = 0;
        for (&network, account) in &self.accounts {
            let (mut key, mut newer, mut sum) = (account.newest, NONE, 0);
            while key != NONE {
                let holder = &self.holders[key as usize];
                assert_eq!((holder.network, holder.newer), (network, newer), "a list of holders is torn");
                assert_eq!(self.by_slot.get(&holder.slot), Some(&key));
                assert!(holder.amount > 0, "slot {} holds nothing", holder.slot);
                sum += holder.amount;
                holders += 1;
                (newer, key) = (key, holder.older);
            }
            assert_eq!(sum, account.amount, "what an address holds is wrong");
            assert!(self.order.contains(&(sum, network)));
        }
        assert_eq!(holders, self.holders.len());
        self.accounts.values().map(|account| account.amount).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_newest_of_the_largest_gives_way() {
        let mut holdings = Holdings::default();
        assert_eq!(holdings.victim(9, 1, || 1), None, "nobody holds anything");
        for (slot, amount, network) in [(1, 5, 10), (2, 2, 10), (3, 6, 20), (4, 1, 10)] {
            holdings.set(slot, amount, || network);
        }
        assert_eq!(holdings.audit(), 14);
        assert_eq!(holdings.victim(9, 1, || 30), Some(4), "8 of address 10, and slot 4 came last");
        assert_eq!(holdings.victim(3, 1, || panic!("known")), Some(4));
        assert_eq!(holdings.victim(3, 2, || panic!("known")), None, "it would have as much");
        assert_eq!(holdings.victim(9, 1, || 10), None, "one more of those who have most");
        assert_eq!(holdings.victim(1, 1, || panic!("known")), Some(4), "it was there before");
        assert_eq!(holdings.victim(4, 1, || panic!("known")), None);
        holdings.set(4, 0, || panic!("known"));
        holdings.set(4, 0, || panic!("it holds nothing"));
        assert_eq!(holdings.victim(9, 1, || 30), Some(2));
        holdings.set(3, 9, || panic!("known"));
        assert_eq!((holdings.victim(9, 1, || 30), holdings.held_by(3)), (Some(3), 9));
        for slot in 1..4 {
            holdings.set(slot, 0, || panic!("known"));
        }
        assert_eq!((holdings.audit(), holdings.accounts.len(), holdings.victim(9, 1, || 1)), (0, 0, None));
    }

    proptest! {
        #[test]
        fn sums_are_right(steps in proptest::collection::vec((0_u32..12, 0_usize..5), 0..120)) {
            let mut holdings = Holdings::default();
            let mut model: BTreeMap<u32, usize> = BTreeMap::new();
            for (slot, amount) in steps {
                let network = u64::from(slot % 3);
                holdings.set(slot, amount, || network);
                model.insert(slot, amount);
                prop_assert_eq!(holdings.audit(), model.values().sum::<usize>());
                let of = |n: u32| model.iter().filter(|(slot, _)| **slot % 3 == n).map(|(_, n)| n).sum::<usize>();
                let most = (0..3).map(of).max().unwrap_or(0);
                let victim = holdings.victim(99, 1, || 99);
                prop_assert_eq!(victim.is_some(), most > 1);
                if let Some(victim) = victim {
                    prop_assert_eq!(of(victim as u32 % 3), most);
                }
            }
        }
    }
}

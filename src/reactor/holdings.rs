//! Each connection's part of something that all share, added up by address: so that when it is used up the one
//! that has taken most gives way, and not the one who comes next.

use std::collections::{BTreeSet, HashMap};

use super::addresses::Network;
use super::memory::shrink_sparse;

/// Who of the connections of one address gives way first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The one that has begun last to hold something: those before it come to their end.
    Newest,
    /// The one that holds most, of several the newest.
    Largest,
}

/// One connection's part.
#[derive(Debug)]
struct Holder {
    network: Network,
    amount: usize,
    /// A number that grows: when it began.
    since: u64,
}

/// An address's part.
#[derive(Debug, Default)]
struct Account {
    amount: usize,
    /// Its connections in the order in which they stay: (by what, since when, slot). The last one gives way first.
    parts: BTreeSet<(usize, u64, u32)>,
}

/// Who holds how much. Nothing is kept of connections that hold nothing.
#[derive(Debug)]
pub struct Holdings {
    first: First,
    holders: HashMap<u32, Holder>,
    accounts: HashMap<Network, Account>,
    /// The accounts, the largest last.
    order: BTreeSet<(usize, Network)>,
    next: u64,
}

impl Holdings {
    /// Nobody holds anything.
    pub fn new(first: First) -> Holdings {
        Holdings { first, holders: HashMap::new(), accounts: HashMap::new(), order: BTreeSet::new(), next: 0 }
    }

    /// Notes what the connection in a slot holds now, and where it is `from`.
    pub fn set(&mut self, slot: u32, amount: usize, from: impl FnOnce() -> Network) {
        let (network, before, since) = match self.holders.get(&slot) {
            Some(holder) => (holder.network, holder.amount, holder.since),
            None => (if amount > 0 { from() } else { return }, 0, self.next),
        };
        if amount == before {
            return;
        }
        self.next = self.next.max(since + 1);
        let account = self.accounts.entry(network).or_default();
        let total = account.amount;
        account.amount = total - before + amount;
        let rank = |amount| if self.first == First::Largest { amount } else { 0 };
        account.parts.remove(&(rank(before), since, slot));
        if amount > 0 {
            account.parts.insert((rank(amount), since, slot));
            self.holders.insert(slot, Holder { network, amount, since });
        } else {
            self.holders.remove(&slot);
            shrink_sparse(&mut self.holders);
        }
        self.order.remove(&(total, network));
        match account.amount {
            0 => {
                self.accounts.remove(&network);
                shrink_sparse(&mut self.accounts);
            }
            total => drop(self.order.insert((total, network))),
        }
    }

    /// Whose part is to go so that somebody else can have `more`: one of the address that holds most. `None`: those who
    /// ask hold as much as anybody, or the others of their address come first.
    pub fn victim(&self, asking: u32, more: usize, from: impl FnOnce() -> Network) -> Option<usize> {
        let holder = self.holders.get(&asking);
        let network = holder.map_or_else(from, |holder| holder.network);
        let (most, largest) = *self.order.last()?;
        let (rank, _, slot) = *self.accounts.get(&largest)?.parts.last()?;
        let is_fair = if largest != network {
            self.accounts.get(&network).map_or(0, |account| account.amount) + more < most
        } else {
            match self.first {
                First::Newest => holder.is_some() && slot != asking,
                First::Largest => holder.map_or(0, |holder| holder.amount) + more < rank,
            }
        };
        is_fair.then_some(slot as usize)
    }

    /// Whose part is to go if nobody in particular asks.
    pub fn any_victim(&self) -> Option<usize> {
        let (_, largest) = self.order.last()?;
        self.accounts.get(largest)?.parts.last().map(|&(_, _, slot)| slot as usize)
    }

    /// The part of the connection in a slot, as far as is known here.
    pub(super) fn held_by(&self, slot: u32) -> usize {
        self.holders.get(&slot).map_or(0, |holder| holder.amount)
    }

    /// Panics where this contradicts itself; what all hold together.
    pub(super) fn audit(&self) -> usize {
        assert_eq!(self.order.len(), self.accounts.len());
        let (mut holders, mut total) = (0, 0);
        for (&network, account) in &self.accounts {
            assert!(self.order.contains(&(account.amount, network)));
            let parts = account.parts.iter().map(|(_, since, slot)| {
                let holder = &self.holders[slot];
                assert_eq!((holder.network, holder.since), (network, *since), "slot {slot} is another's");
                assert!(holder.amount > 0, "slot {slot} holds nothing");
                holder.amount
            });
            assert_eq!(parts.sum::<usize>(), account.amount, "what an address holds is wrong");
            (holders, total) = (holders + account.parts.len(), total + account.amount);
        }
        assert_eq!(holders, self.holders.len());
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[test]
    fn the_newest_of_the_largest_gives_way() {
        let mut holdings = Holdings::new(First::Newest);
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

    #[test]
    fn the_largest_of_the_largest_gives_way() {
        let mut holdings = Holdings::new(First::Largest);
        for (slot, amount, network) in [(1, 5, 10), (2, 5, 10), (3, 6, 20), (4, 1, 10)] {
            holdings.set(slot, amount, || network);
        }
        assert_eq!((holdings.victim(9, 1, || 30), holdings.any_victim()), (Some(2), Some(2)));
        assert_eq!((holdings.victim(9, 4, || 10), holdings.victim(9, 5, || 10)), (Some(2), None));
        assert_eq!(holdings.victim(4, 3, || panic!("known")), Some(2));
        assert_eq!(holdings.victim(1, 0, || panic!("known")), None, "it holds as much");
        holdings.set(1, 7, || panic!("known"));
        assert_eq!(holdings.any_victim(), Some(1));
    }

    proptest! {
        #[test]
        fn sums_are_right(
            steps in proptest::collection::vec((0_u32..12, 0_usize..5), 0..120),
            by_age in any::<bool>(),
        ) {
            let mut holdings = Holdings::new(if by_age { First::Newest } else { First::Largest });
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
                    prop_assert_eq!(holdings.any_victim(), Some(victim));
                }
            }
        }
    }
}

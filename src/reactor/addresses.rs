//! How many connections come from each address. Costs memory only while `connections_per_address_max` is set.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::memory::shrink_sparse;

/// An IPv4 address, or an IPv6 network of 64 bits: what one customer of a provider has.
pub type Network = u64;

/// Where a client comes from whose address nobody knows. As a network of IPv6 it would be one of multicast.
pub(super) const NOWHERE: Network = u64::MAX;

/// Connections from each address, of one reactor or of several.
pub type Counts = Arc<Mutex<HashMap<Network, u32>>>;

/// The counts.
#[derive(Debug)]
pub struct Addresses {
    max: u32,
    counts: Counts,
    of_slot: HashMap<u32, Network>,
}

/// Where a client with this address comes from.
pub(super) fn network_of(peer: Option<SocketAddr>) -> Network {
    peer.map_or(NOWHERE, |peer| network(peer.ip()))
}

/// The network that an address counts as.
pub(super) fn network(address: IpAddr) -> Network {
    match address.to_canonical() {
        // No IPv6 network of the same number is in use: 0::/32 is reserved.
        IpAddr::V4(v4) => u64::from(v4.to_bits()),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

impl Addresses {
    /// No connections; 0: no bound.
    pub fn new(max: u32) -> Addresses {
        Addresses { max, counts: Counts::default(), of_slot: HashMap::new() }
    }

    /// The same together with others.
    pub fn among(self, counts: Counts) -> Addresses {
        Addresses { counts, ..self }
    }

    fn counts(&self) -> MutexGuard<'_, HashMap<Network, u32>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the bound for those that come from now on.
    pub fn set_max(&mut self, max: u32) {
        self.max = max;
    }

    /// Counts the connection in this slot by its address from now on. False: there are as many from there as there may
    /// be; it is counted as before. Looking and counting is one step, whatever other reactors count meanwhile.
    #[must_use]
    pub fn enter(&mut self, slot: u32, peer: Option<SocketAddr>) -> bool {
        if self.max == 0 {
            return true;
        }
        self.count(slot, peer, self.max)
    }

    /// The same for one that is there already, however many there may be.
    pub fn keep(&mut self, slot: u32, peer: Option<SocketAddr>) {
        if self.max > 0 {
            self.count(slot, peer, u32::MAX);
        }
    }

    fn count(&mut self, slot: u32, peer: Option<SocketAddr>, max: u32) -> bool {
        let network = peer.map(|peer| network(peer.ip()));
        if self.of_slot.get(&slot).copied() == network {
            return true;
        }
        if let Some(network) = network {
            let mut counts = self.counts();
            let count = counts.entry(network).or_insert(0);
            if *count >= max {
                return false;
            }
            *count += 1;
        }
        self.leave(slot);
        self.of_slot.extend(network.map(|network| (slot, network)));
        true
    }

    /// Counts the connection in this slot no more.
    pub fn leave(&mut self, slot: u32) {
        if self.of_slot.is_empty() {
            return;
        }
        let Some(network) = self.of_slot.remove(&slot) else { return };
        let mut counts = self.counts();
        if let Some(count) = counts.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&network);
            }
        }
        shrink_sparse(&mut counts);
        drop(counts);
        shrink_sparse(&mut self.of_slot);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peer(text: &str) -> Option<SocketAddr> {
        Some(SocketAddr::new(text.parse().unwrap(), 1))
    }

    #[test]
    fn addresses_are_capped_and_freed() {
        let mut addresses = Addresses::new(2);
        assert!(addresses.enter(0, peer("192.0.2.1")));
        assert!(addresses.enter(1, peer("::ffff:192.0.2.1")));
        assert!(!addresses.enter(2, peer("192.0.2.1")) && addresses.enter(2, peer("192.0.2.2")));
        assert!(addresses.enter(3, peer("2001:db8::1")) && addresses.enter(4, peer("2001:db8::2")));
        assert!(
            !addresses.enter(5, peer("2001:db8:0:0:ffff::")) && addresses.enter(5, peer("2001:db8:0:1::"))
        );
        addresses.leave(0);
        addresses.leave(0);
        assert!(addresses.enter(0, peer("192.0.2.1")) && !addresses.enter(6, peer("192.0.2.1")));
        addresses.keep(6, peer("192.0.2.1"));
        for slot in 0..7 {
            addresses.leave(slot);
        }
        assert!(addresses.counts().is_empty() && addresses.of_slot.is_empty());
    }

    #[test]
    fn one_that_is_counted_anew_keeps_its_place_until_it_has_the_other() {
        let counts = Counts::default();
        let mut addresses = Addresses::new(1).among(counts.clone());
        let mut others = Addresses::new(1).among(counts);
        assert!(addresses.enter(0, peer("192.0.2.1")) && others.enter(0, peer("192.0.2.2")));
        assert!(!addresses.enter(0, peer("192.0.2.2")) && !others.enter(1, peer("192.0.2.1")));
        assert!(addresses.enter(0, peer("192.0.2.1")), "it is counted already");
        assert!(addresses.enter(0, peer("192.0.2.3")) && others.enter(1, peer("192.0.2.1")));
        assert!(addresses.enter(0, None) && others.enter(2, peer("192.0.2.3")));
        (0..3).for_each(|slot| others.leave(slot));
        assert!(addresses.counts().is_empty() && addresses.of_slot.is_empty());
    }

    #[test]
    fn without_a_bound_nothing_is_kept() {
        let mut addresses = Addresses::new(0);
        assert!(addresses.enter(0, peer("192.0.2.1")) && addresses.enter(1, None));
        addresses.keep(2, peer("192.0.2.1"));
        assert!(addresses.of_slot.is_empty());
    }
}

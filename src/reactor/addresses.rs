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

    /// Whether there are as many from this address as there may be.
    pub fn is_full(&self, peer: Option<SocketAddr>) -> bool {
        let Some(peer) = peer.filter(|_| self.max > 0) else { return false };
        self.counts().get(&network(peer.ip())).is_some_and(|&count| count >= self.max)
    }

    /// Counts a new connection.
    pub fn enter(&mut self, slot: u32, peer: Option<SocketAddr>) {
        let Some(peer) = peer.filter(|_| self.max > 0) else { return };
        let network = network(peer.ip());
        *self.counts().entry(network).or_insert(0) += 1;
        self.of_slot.insert(slot, network);
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
        addresses.enter(0, peer("192.0.2.1"));
        assert!(!addresses.is_full(peer("::ffff:192.0.2.1")));
        addresses.enter(1, peer("::ffff:192.0.2.1"));
        assert!(addresses.is_full(peer("192.0.2.1")) && !addresses.is_full(peer("192.0.2.2")));
        addresses.enter(2, peer("192.0.2.2"));
        addresses.enter(3, peer("2001:db8::1"));
        addresses.enter(4, peer("2001:db8::2"));
        assert!(addresses.is_full(peer("2001:db8:0:0:ffff::")) && !addresses.is_full(peer("2001:db8:0:1::")));
        addresses.leave(0);
        addresses.leave(0);
        assert!(!addresses.is_full(peer("192.0.2.1")));
        for slot in 0..5 {
            addresses.leave(slot);
        }
        assert!(addresses.counts().is_empty() && addresses.of_slot.is_empty());
    }

    #[test]
    fn without_a_bound_nothing_is_kept() {
        let mut addresses = Addresses::new(0);
        addresses.enter(0, peer("192.0.2.1"));
        addresses.enter(1, None);
        assert!(!addresses.is_full(peer("192.0.2.1")) && !addresses.is_full(None));
        assert!(addresses.of_slot.is_empty());
    }
}

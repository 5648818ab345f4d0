//! Who gets a place on the admin listener. Strangers reach it where it listens on a network, and they must not hold
//! what the operator needs: a connection that has not passed the fence yet goes when somebody else wants its place.

use std::collections::VecDeque;
use std::net::SocketAddr;

use crate::metrics::{CloseReason, RefuseReason};
use crate::narrow;

use super::addresses::{Network, network};
use super::reactor::{ListenerRole, REFUSALS_MAX, Reactor};
use super::slot::{Flags, Phase};
use super::socket::Socket;

/// An admin connection, as it came.
#[derive(Clone, Copy, Debug)]
struct Arrival {
    index: u32,
    serial: u32,
    network: Option<Network>,
}

/// Admin connections that had shown nothing when they came, the oldest first. Some are gone by now, or known.
#[derive(Debug, Default)]
pub(super) struct Strangers(VecDeque<Arrival>);

impl Strangers {
    /// Adds a newcomer. Of the others only those stay that are strangers still; that is looked at once in `max` times.
    fn push(&mut self, arrival: Arrival, max: usize, is_stranger: impl Fn(&Arrival) -> bool) {
        if self.0.len() >= 2 * max {
            self.0.retain(is_stranger);
        }
        self.0.push_back(arrival);
    }

    /// Takes out the oldest, or the oldest from this network.
    fn take_oldest(
        &mut self,
        of: Option<Network>,
        is_stranger: impl Fn(&Arrival) -> bool,
    ) -> Option<Arrival> {
        let wanted = |arrival: &Arrival| (of.is_none() || arrival.network == of) && is_stranger(arrival);
        let at = self.0.iter().position(wanted)?;
        self.0.remove(at)
    }
}

impl<S: Socket> Reactor<S> {
    /// The slot for a newcomer, who is counted from now on; or why there is none.
    pub(super) fn find_place(
        &mut self,
        role: ListenerRole,
        peer: Option<SocketAddr>,
    ) -> Result<usize, RefuseReason> {
        if self.is_shut(role) {
            return Err(RefuseReason::Full);
        }
        self.look_for_newcomer();
        if role == ListenerRole::Admin
            && self.connections.census.admin >= self.config.admin_connections_max
            && !self.show_out_stranger(None)
        {
            return Err(RefuseReason::Full);
        }
        let peer = if self.config.trusted_proxies.is_empty() { peer } else { self.counted(role, peer) };
        let mut index = self.connections.slots.vacant_key();
        if !self.connections.addresses_of(role).enter(narrow::to_u32(index), peer) {
            let network = peer.map(|peer| network(peer.ip()));
            if role == ListenerRole::Public || !self.show_out_stranger(network) {
                return Err(RefuseReason::PerAddress);
            }
            index = self.connections.slots.vacant_key();
            if !self.connections.addresses_of(role).enter(narrow::to_u32(index), peer) {
                return Err(RefuseReason::PerAddress);
            }
        }
        if role == ListenerRole::Public {
            self.count_newcomer(peer)
                .inspect_err(|_| self.connections.addresses.leave(narrow::to_u32(index)))?;
        }
        Ok(index)
    }

    /// Counts a newcomer on the public listener, among all and by how often its address comes.
    fn count_newcomer(&mut self, peer: Option<SocketAddr>) -> Result<(), RefuseReason> {
        if !self.connections.enter_public(self.connections_max() + REFUSALS_MAX) {
            return Err(self.full().1);
        }
        if self.config.connects_per_second_max > 0 {
            self.count_connect(peer).inspect_err(|_| self.connections.leave_public())?;
        }
        Ok(())
    }

    /// Counts a client that comes, by its address.
    pub(super) fn count_connect(&mut self, peer: Option<SocketAddr>) -> Result<(), RefuseReason> {
        let (max, now_ms) = (self.config.connects_per_second_max, self.now.mono_ms());
        if self.connections.connects.take(peer, max, now_ms) {
            Ok(())
        } else {
            Err(RefuseReason::ConnectRate)
        }
    }

    /// Notes who has come in by the admin listener.
    pub(super) fn note_arrival(&mut self, index: usize, serial: u32, peer: Option<SocketAddr>) {
        let arrival =
            Arrival { index: narrow::to_u32(index), serial, network: peer.map(|peer| network(peer.ip())) };
        let (slots, max) = (&self.connections.slots, self.config.admin_connections_max);
        self.connections.strangers.push(arrival, max, |arrival| is_stranger(slots, arrival));
    }

    /// Ends the admin connection that has been a stranger the longest, among all or in one network. False: there is
    /// none.
    fn show_out_stranger(&mut self, of: Option<Network>) -> bool {
        let slots = &self.connections.slots;
        let oldest = self.connections.strangers.take_oldest(of, |arrival| is_stranger(slots, arrival));
        let Some(Arrival { index, .. }) = oldest else { return false };
        self.remove(index as usize, CloseReason::ShownOut);
        true
    }

    /// Whether a connection may go on after an answer with this status. On the admin listener only those may that have
    /// passed the fence, and not behind a request that it has stopped.
    pub(super) fn may_stay(&self, index: usize, status: u16) -> bool {
        let slot = &self.connections.slots[index];
        slot.phase != Phase::Admin || slot.flags.any(Flags::KNOWN) && !matches!(status, 401 | 403)
    }
}

fn is_stranger<S>(slots: &slab::Slab<super::slot::Slot<S>>, arrival: &Arrival) -> bool {
    slots
        .get(arrival.index as usize)
        .is_some_and(|slot| slot.serial == arrival.serial && !slot.flags.any(Flags::KNOWN))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(serial: u32) -> Arrival {
        Arrival { index: 7, serial, network: Some(u64::from(serial % 2)) }
    }

    #[test]
    fn the_oldest_goes_first() {
        let mut strangers = Strangers::default();
        for serial in 1..=5 {
            strangers.push(arrival(serial), 10, |_| true);
        }
        let mut oldest = |of, known: u32| strangers.take_oldest(of, |a| a.serial != known).map(|a| a.serial);
        assert_eq!(oldest(None, 1), Some(2));
        assert_eq!(oldest(Some(0), 0), Some(4));
        assert_eq!(oldest(Some(0), 0), None);
        assert_eq!(oldest(None, 0), Some(1));
        assert_eq!((oldest(Some(1), 3), oldest(None, 0), oldest(None, 0)), (Some(5), Some(3), None));
    }

    #[test]
    fn those_that_are_gone_leave_nothing_behind() {
        let mut strangers = Strangers::default();
        for serial in 1..=10_000 {
            strangers.push(arrival(serial), 8, |a| a.serial + 8 > serial);
            assert!(strangers.0.len() <= 16);
        }
    }
}

//! The clients that proxies speak for. Only their connections have an entry here; where there is no proxy that is
//! trusted, this costs nobody anything.

use std::collections::HashMap;
use std::net::SocketAddr;

use crate::metrics::RefuseReason;
use crate::narrow;
use crate::protocol::forwarded;
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;

use super::admission::Refused;
use super::connections::Connections;
use super::memory::shrink_sparse;
use super::reactor::{ListenerRole, Reactor};
use super::slot::Phase;
use super::socket::Socket;

/// The reason for a client whose address has its share of connections.
pub(super) const TOO_MANY: &str = "too many connections from this address (connections_per_address_max)";

/// The answer to a client whose address connects too often.
pub(super) const TOO_FAST: Refusal =
    Refusal::fixed(429, "too many new connections from this address (connects_per_second_max)")
        .with_headers(&[("Retry-After", "1")]);

/// The addresses behind one connection.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
struct Told {
    /// The address that has connected: what the PROXY protocol says, else the socket's.
    connected: SocketAddr,
    /// The client: what the head says, if the one that has connected is trusted.
    client: SocketAddr,
}

/// The addresses that the sockets themselves don't know, by slot.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct ToldPeers(HashMap<u32, Told>);

impl ToldPeers {
    /// Whether there is something that the socket of a connection doesn't know.
    #[cfg(feature = "handover")]
    pub fn has(&self, index: usize) -> bool {
        self.0.contains_key(&narrow::to_u32(index))
    }

    /// Forgets a connection.
    #[inline]
    pub fn leave(&mut self, index: usize) {
        if !self.0.is_empty() {
            self.forget(index);
        }
    }

    #[cold]
    fn forget(&mut self, index: usize) {
        self.0.remove(&narrow::to_u32(index));
        shrink_sparse(&mut self.0);
    }
}

impl<S: Socket> Connections<S> {
    /// The client's address, where there is one.
    #[inline]
    pub fn peer(&self, index: usize) -> Option<SocketAddr> {
        let told = if self.told.0.is_empty() { None } else { self.told.0.get(&narrow::to_u32(index)) };
        told.map_or_else(|| self.slots[index].socket.peer(), |told| Some(told.client))
    }

    /// The address that has connected.
    fn connected(&self, index: usize) -> Option<SocketAddr> {
        let told = self.told.0.get(&narrow::to_u32(index));
        told.map_or_else(|| self.slots[index].socket.peer(), |told| Some(told.connected))
    }
}

impl<S: Socket> Reactor<S> {
    /// A proxy has said by the PROXY protocol who has connected to it.
    pub(super) fn told_peer(&mut self, index: usize, peer: SocketAddr) {
        let told = Told { connected: peer, client: peer };
        self.connections.told.0.insert(narrow::to_u32(index), told);
    }

    /// A connection that was to begin with a PROXY header is closed without a word: who should have spoken it has no
    /// ear for another protocol.
    pub(super) fn refuse_proxy(&mut self, why: &str, peer: Option<SocketAddr>) {
        self.metrics().accepted += 1;
        self.refused(RefuseReason::Proxy, why, peer);
    }

    /// The address by which a newcomer is counted: none of its own, if its head is to tell.
    pub(super) fn counted(&self, role: ListenerRole, peer: Option<SocketAddr>) -> Option<SocketAddr> {
        peer.filter(|peer| role == ListenerRole::Admin || !self.config.trusts(peer.ip()))
    }

    /// A request's head is here: if a proxy has sent it, it may say for whom.
    #[cold]
    pub(super) fn read_forwarded(&mut self, index: usize, head: &Head<'_>) {
        let Some(connected) = self.connections.connected(index) else { return };
        if !self.config.trusts(connected.ip()) {
            return;
        }
        let fields: Vec<&[u8]> = head.headers("x-forwarded-for").collect();
        let client = forwarded::client(connected, fields.into_iter(), |address| self.config.trusts(address));
        self.connections.told.0.insert(narrow::to_u32(index), Told { connected, client });
    }

    /// Counts a client by the address that a proxy has told, which nobody knew when the connection came. One about whom
    /// somebody was asked meanwhile is not new.
    #[cold]
    pub(super) fn count_forwarded(&mut self, index: usize, is_new: bool) -> Result<(), Refused> {
        let connected = self.connections.connected(index);
        let is_told = connected.is_some_and(|connected| self.config.trusts(connected.ip()));
        if !is_told || self.connections.slots[index].phase == Phase::Admin {
            return Ok(());
        }
        let (slot, client) = (narrow::to_u32(index), self.connections.peer(index));
        if is_new {
            self.count_connect(client).map_err(|reason| (TOO_FAST, reason))?;
        }
        let addresses = self.connections.addresses_of(ListenerRole::Public);
        if addresses.enter(slot, client) {
            Ok(())
        } else {
            Err((Refusal::fixed(503, TOO_MANY), RefuseReason::PerAddress))
        }
    }
}

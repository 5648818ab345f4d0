//! Sockets that were just accepted: each gets a slot, or is told why there is none.

use std::net::SocketAddr;

use crate::endpoint::refusals;
use crate::metrics::RefuseReason;
use crate::narrow;
use crate::protocol::response::Refusal;

use super::reactor::{Encryption, Incoming, ListenerRole, Reactor};
use super::refusal;
use super::slot::{Phase, Slot};
use super::socket::Socket;
use super::sse;
use super::told::{TOO_FAST, TOO_MANY};

impl<S: Socket> Reactor<S> {
    /// Takes in a socket that was just accepted; returns its slot, the token of its events.
    ///
    /// None: there is no slot for it, or its address has too many already; it is told so and closed.
    pub fn admit(&mut self, socket: S, role: ListenerRole, peer: Option<SocketAddr>) -> Option<usize> {
        self.admit_incoming(Incoming { socket, role, peer, encryption: Encryption::None })
    }

    pub(super) fn admit_incoming(&mut self, incoming: Incoming<S>) -> Option<usize> {
        self.metrics.accepted += 1;
        let (role, peer) = (incoming.role, incoming.peer);
        let index = match self.find_place(role, peer) {
            Ok(index) => index,
            Err(reason) => {
                self.turn_away(incoming, reason);
                return None;
            }
        };
        let serial = self.connections.take_serial();
        let phase = if role == ListenerRole::Admin { Phase::Admin } else { Phase::Http };
        let mut slot = Slot::new(incoming.socket, serial, phase, self.stamp());
        slot.begin_handshake(self.now.mono_us);
        self.connections.slots.insert(slot);
        self.connections.used = self.connections.used.max(index + 1);
        if role == ListenerRole::Admin {
            self.connections.census.admin += 1;
            self.note_arrival(index, serial, peer);
        }
        self.connections.timers.handshakes.push(index, serial, self.now.mono_ms());
        Some(index)
    }

    /// Answers a connection that gets no slot. What it has sent is read first: closing a socket with unread bytes
    /// would be a reset, and the answer might be lost to it.
    fn turn_away(&mut self, incoming: Incoming<S>, reason: RefuseReason) {
        let Incoming { mut socket, role, peer, encryption } = incoming;
        let text = match reason {
            RefuseReason::PerAddress => TOO_MANY,
            RefuseReason::ConnectRate => &TOO_FAST.reason,
            RefuseReason::Memory => {
                "the server is full: there is no memory for more connections (memory_max)"
            }
            _ if self.exit.draining.is_some() => "the server is going away",
            _ if role == ListenerRole::Admin => "the admin listener is full (admin_connections_max)",
            _ => "the server is full",
        };
        self.refused(reason, text, peer);
        self.metrics.recvs += 1;
        let Ok(n @ 1..) = socket.recv(&mut self.scratch.input) else { return };
        if encryption == Encryption::Tls {
            self.turn_away_tls(&mut socket);
            return;
        }
        let is_too_fast = reason == RefuseReason::ConnectRate;
        let refusal = if is_too_fast { TOO_FAST } else { Refusal::new(503, text.to_owned()) };
        let told = match role {
            ListenerRole::Public => {
                // A number that differs from one to the next.
                let later_ms = sse::later_ms(narrow::low_half(self.metrics.accepted));
                refusals::unread(&self.scratch.input[..n], &refusal, later_ms, &self.config, &self.routes)
            }
            ListenerRole::Admin => None,
        };
        let answer = told.unwrap_or_else(|| {
            let mut answer = Vec::new();
            refusal::response(role, &refusal).write(&mut answer, false, false);
            answer
        });
        self.metrics.sends += 1;
        // A peer that has gone already misses nothing.
        let _ = socket.send(&answer, &[]);
        let _ = socket.finish();
    }
}

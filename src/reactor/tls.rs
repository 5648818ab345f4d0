//! Connections that speak TLS: what goes in between the socket and everything else. For a plain connection all of this
//! is one flag that is not set.
//!
//! Plaintext is sealed through one buffer that all connections share, and counts as written when it is sealed;
//! the ciphertext that the socket does not take is kept, at most about a record of it, and until it is gone the
//! connection is blocked. So a blocked TLS connection always has something unsent, and one that isn't has nothing.

use std::io;
use std::net::SocketAddr;

use crate::config::LogLevel;
use crate::metrics::{CloseReason, RefuseReason, TlsHandshake, WorkKind};
use crate::narrow;
use crate::protocol::response::Refusal;
use crate::tls::{self, Acceptor, Established, NO_ROOM_ALERT, Received, Records, TlsSession};

use super::connections::Gone;
use super::flush::set_blocked;
use super::input::{Read, receive_bytes};
use super::ktls::{KernelSupport, KernelTlsState};
use super::reactor::{Encryption, Incoming, ListenerRole, READ_BYTES, Reactor};
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::wire::{Sent, send};
use super::work::{HANDSHAKE, RECORD};

/// The state that connections which speak TLS share.
pub(super) struct Tls {
    /// None: no listener speaks TLS.
    pub acceptor: Option<Acceptor>,
    /// `backlog_bytes_max`, for where the configuration is out of reach.
    pub backlog_bytes_max: usize,
    /// The kernel's part.
    pub kernel: KernelTlsState,
    /// Records on their way out.
    pub records: Records,
    /// The plaintext of the records that have come in.
    plain: Vec<u8>,
}

impl Tls {
    pub(super) fn new(backlog_bytes_max: usize) -> Tls {
        let kernel = KernelTlsState::default();
        Tls { acceptor: None, backlog_bytes_max, kernel, records: Records::default(), plain: Vec::new() }
    }
}

/// The session of a connection, if it has begun.
fn session<S>(slot: &mut Slot<S>) -> Option<&mut TlsSession> {
    slot.extra.as_mut().and_then(|extra| extra.tls.as_deref_mut())
}

impl<S: Socket> Reactor<S> {
    /// Certificates and keys for the listeners that speak TLS; sessions that there are go on with theirs.
    pub fn set_acceptor(&mut self, acceptor: Option<Acceptor>) {
        let old = self.wire.tls.acceptor.take();
        self.wire.tls.acceptor = acceptor;
        let offer = self.wire.tls.kernel.offer;
        if let Some(new) = self.wire.tls.acceptor.as_mut().filter(|_| offer != KernelSupport::NONE) {
            new.allow_release(offer.new_keys);
        }
        if let (Some(new), Some(old)) = (&mut self.wire.tls.acceptor, &old) {
            new.inherit_tickets(old);
        }
    }

    /// As [`admit`](Self::admit), for a listener that speaks TLS. There is no session before the first byte.
    pub fn admit_tls(&mut self, socket: S, role: ListenerRole, peer: Option<SocketAddr>) -> Option<usize> {
        let index = self.admit_incoming(Incoming { socket, role, peer, encryption: Encryption::Tls })?;
        self.connections.slots[index].flags.set(Flags::TLS, true);
        Some(index)
    }

    /// Tells a client that there is no room; it has begun a handshake, and no other answer would be understood.
    pub(super) fn turn_away_tls(&mut self, socket: &mut S) {
        self.metrics.sends += 1;
        let _ = socket.send(&NO_ROOM_ALERT, &[]);
        let _ = socket.finish();
    }

    /// Reads from a connection that speaks TLS.
    pub(super) fn read_tls(&mut self, index: usize, buffer: &mut [u8]) -> Result<Read, Gone> {
        let slot = &mut self.connections.slots[index];
        let finishing = slot.flags.any(Flags::FINISH);
        let partial = match session(slot) {
            Some(session) if session.has_ended() => return self.tls_ended(index),
            Some(session) if !finishing => session.partial(),
            _ => &[],
        };
        let held = partial.len();
        buffer[..held].copy_from_slice(partial);
        let room = self.records_bytes(index).min(buffer.len() - held);
        match self.receive(index, &mut buffer[held..held + room], receive_bytes) {
            Ok((0, ())) => self.tls_ended(index),
            Ok((n, ())) => {
                if !finishing {
                    self.unseal(index, &mut buffer[..held + n])?;
                }
                Ok(if n < room { Read::Short } else { Read::More })
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.take_up_kept(index)?;
                Ok(Read::Drained)
            }
            Err(e) => self.read_failed(index, &e),
        }
    }

    /// Nothing more will come: the peer has said so, or closed its side.
    fn tls_ended(&mut self, index: usize) -> Result<Read, Gone> {
        self.take_up_kept(index)?;
        if self.work.has_postponed() {
            return Ok(Read::More);
        }
        let slot = &self.connections.slots[index];
        if slot.phase == Phase::Open && !slot.flags.any(Flags::BLOCKED) {
            // Whatever an end without a close counts as, a close_notify is owed (RFC 8446 section 6.1).
            self.close_tls(index)?;
        }
        self.read_end(index)
    }

    fn take_up_kept(&mut self, index: usize) -> Result<(), Gone> {
        let mut kept = self.connections.slots[index].kept().to_vec();
        self.take_up(index, &mut kept)
    }

    /// Takes ciphertext, in front of which is what was kept of it.
    fn unseal(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        if session(slot).is_none() {
            if input[0].is_ascii_uppercase() && !tls::is_handshake(input[0]) {
                return self.refuse_plain(index);
            }
            let Some(begun) = self.wire.tls.acceptor.as_ref().and_then(TlsSession::new) else {
                // The library has no randomness, or the server never had certificates.
                self.remove(index, CloseReason::Internal);
                return Err(Gone);
            };
            slot.extra_mut().tls = Some(Box::new(begun));
        }
        let mut plain = std::mem::take(&mut self.wire.tls.plain);
        plain.clear();
        plain.extend_from_slice(slot.kept());
        let received = self.open_records(index, input, &mut plain);
        // After a fatal alert nothing could be answered any more.
        let taken = self.send_records(index).and_then(|()| match received.failed {
            None => self.take_up(index, &mut plain),
            Some(_) => Ok(()),
        });
        plain.shrink_to(2 * READ_BYTES);
        self.wire.tls.plain = plain;
        taken?;
        self.after_unsealing(index, &received)
    }

    /// Appends the contents of the records to `plain`, and puts the protocol's own answer into [`Tls::records`].
    fn open_records(&mut self, index: usize, input: &mut [u8], plain: &mut Vec<u8>) -> Received {
        let mut records = std::mem::take(&mut self.wire.tls.records);
        records.clear();
        let (handshaking, received) = self.hold(index, |slot| {
            let Some(session) = session(slot) else { return (true, Received::default()) };
            (!session.is_established(), session.receive(input, plain, &mut records))
        });
        self.work.charge(WorkKind::Records, received.records as u64 * RECORD);
        if handshaking && !records.is_empty() {
            self.work.charge(WorkKind::Handshakes, HANDSHAKE);
        }
        self.wire.tls.records = records;
        if let Some(established) = received.established {
            self.note_established(established);
        }
        received
    }

    fn after_unsealing(&mut self, index: usize, received: &Received) -> Result<(), Gone> {
        if let Some(why) = &received.failed {
            return self.tls_failed(index, why);
        }
        let held = session(&mut self.connections.slots[index]).map_or(0, |session| session.held_bytes());
        if held > 0 && !self.has_backlog_room(index, 0) {
            return self.overloaded(index, false);
        }
        if received.ended {
            self.tls_ended(index)?;
            return Ok(());
        }
        self.hand_to_kernel(index)
    }

    /// The peer has broken the protocol, or the two have nothing in common. It was sent an alert.
    fn tls_failed(&mut self, index: usize, why: &str) -> Result<(), Gone> {
        let peer = self.connections.peer(index);
        let slot = &mut self.connections.slots[index];
        let (id, phase) = (slot.id(index), slot.phase);
        let handshaking = session(slot).is_none_or(|session| session.established().is_none());
        match phase {
            Phase::Http | Phase::Admin => {
                if handshaking {
                    self.refused(RefuseReason::TlsHandshake, why, peer);
                } else {
                    self.refused(RefuseReason::BadRequest, why, peer);
                }
                // Closing with something unread would be a reset, and the alert might be lost to it.
                self.finish(index)
            }
            Phase::Open | Phase::Closing => {
                let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &id), ("problem", &why)];
                self.journal.event(self.now, LogLevel::Info, "tls_broken", &fields);
                self.remove(index, CloseReason::ProtocolError);
                Err(Gone)
            }
        }
    }

    /// A client that asks without TLS is told so, in words that it understands.
    fn refuse_plain(&mut self, index: usize) -> Result<(), Gone> {
        let text = "this port speaks TLS: use https:// or wss://";
        let peer = self.connections.peer(index);
        self.refused(RefuseReason::TlsHandshake, text, peer);
        self.connections.slots[index].flags.set(Flags::TLS, false);
        self.say_no(index, &Refusal::fixed(400, text));
        self.send_replies(index)?;
        self.finish(index)
    }

    fn note_established(&mut self, established: Established) {
        self.metrics.tls_handshakes.bump(match (established.tls13, established.resumed) {
            (true, false) => TlsHandshake::Full13,
            (true, true) => TlsHandshake::Resumed13,
            (false, false) => TlsHandshake::Full12,
            (false, true) => TlsHandshake::Resumed12,
        });
    }

    /// Sends what the protocol itself has to say, behind what is unsent.
    fn send_records(&mut self, index: usize) -> Result<(), Gone> {
        let records = std::mem::take(&mut self.wire.tls.records);
        let (slot, bytes) = (&mut self.connections.slots[index], records.bytes());
        let mut written = 0;
        if !bytes.is_empty() && !slot.flags.any(Flags::BLOCKED) {
            match send(&mut slot.socket, &mut self.metrics, bytes, &[]) {
                Sent::Bytes(n) => written = n,
                Sent::Held { .. } => {}
                Sent::Short => self.connections.timers.retry(narrow::to_u32(index), slot.serial),
                Sent::Broken { cause, .. } => {
                    self.wire.tls.records = records;
                    self.remove(index, cause);
                    return Err(Gone);
                }
            }
        }
        if written < bytes.len() {
            set_blocked(&mut self.connections.census, &mut slot.flags, true);
            self.hold(index, |slot| session(slot).map(|session| session.keep_unsent(&bytes[written..])));
            self.hold_full(index);
        }
        self.wire.tls.records = records;
        Ok(())
    }

    /// Writes the records and the lines that the socket has not taken. False: stop here.
    pub(super) fn write_unsent(&mut self, index: usize) -> bool {
        self.write_unsent_records(index)
            && (self.connections.slots[index].lines().is_none() || self.write_unsent_lines(index))
    }

    fn write_unsent_records(&mut self, index: usize) -> bool {
        let slot = &mut self.connections.slots[index];
        let Some(session) = slot.extra.as_mut().and_then(|extra| extra.tls.as_deref_mut()) else {
            return true;
        };
        if session.unsent().is_empty() {
            return true;
        }
        let sent = send(&mut slot.socket, &mut self.metrics, session.unsent(), &[]);
        let done = self.hold(index, |slot| {
            self::session(slot).is_none_or(|session| {
                session.mark_sent(sent.taken());
                session.unsent().is_empty()
            })
        });
        self.after_write(index, &sent, done)
    }

    /// Tells the peer that nothing more will come, before the stream ends (RFC 8446 section 6.1). False: the socket
    /// did not take it yet.
    pub(super) fn close_tls(&mut self, index: usize) -> Result<bool, Gone> {
        self.wire.tls.records.clear();
        let Some(session) = session(&mut self.connections.slots[index]) else { return Ok(true) };
        session.close(&mut self.wire.tls.records);
        self.send_records(index)?;
        Ok(!self.connections.slots[index].flags.any(Flags::BLOCKED))
    }

    /// As [`close_tls`](Self::close_tls), for a connection that goes without waiting for anything.
    pub(super) fn leave_tls(&mut self, slot: &mut Slot<S>) {
        if slot.flags.any(Flags::BLOCKED) {
            return;
        }
        self.wire.tls.records.clear();
        // Behind half a record nothing would be understood.
        if let Some(session) = session(slot).filter(|session| session.unsent().is_empty()) {
            session.close(&mut self.wire.tls.records);
            if !self.wire.tls.records.is_empty() {
                // A peer that has gone already misses nothing.
                let _ = send(&mut slot.socket, &mut self.metrics, self.wire.tls.records.bytes(), &[]);
            }
        }
    }
}

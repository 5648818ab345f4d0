//! Bytes to a socket, sealed where it speaks TLS.

use std::io;

use crate::metrics::{CloseReason, Metrics, Shortage};
use crate::tls::RECORD_BYTES_MAX;

use super::input::is_shortage;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::tls::Tls;

/// Whatever a write needs beside the slot.
pub(super) struct Wire {
    pub tls: Tls,
    /// The sum of all slots' [`Slot::backlog_bytes`].
    pub backlog_bytes: usize,
    /// Slots of connections that are polled, which have got lines.
    pub polled: Vec<u32>,
    /// Lines on their way out.
    pub(super) lines: Vec<u8>,
}

/// How a write to a socket went.
pub(super) enum Sent {
    /// All of it, or so many bytes and then no more for now.
    Bytes(usize),
    /// So many bytes are sealed, maybe all of them, but not all of that is written; `short` for want of memory.
    Held { taken: usize, short: bool },
    /// Nothing: the kernel is out of memory. The poll won't say when that is over.
    Short,
    /// So many bytes, but the connection is broken; what that counts as.
    Broken { taken: usize, cause: CloseReason },
}

impl Sent {
    /// The same for the first `len` of the bytes that were to be written, and how many behind them count as written.
    pub(super) fn split_at(self, len: usize) -> (Sent, usize) {
        let over = self.taken().saturating_sub(len);
        let sent = match self {
            Sent::Bytes(n) => Sent::Bytes(n - over),
            Sent::Held { taken, short } => Sent::Held { taken: taken - over, short },
            Sent::Short => Sent::Short,
            Sent::Broken { taken, cause } => Sent::Broken { taken: taken - over, cause },
        };
        (sent, over)
    }

    /// How many bytes count as written.
    pub(super) fn taken(&self) -> usize {
        match *self {
            Sent::Bytes(n) => n,
            Sent::Held { taken, .. } | Sent::Broken { taken, .. } => taken,
            Sent::Short => 0,
        }
    }
}

/// Writes, and counts it.
#[inline]
pub(super) fn send<S: Socket>(socket: &mut S, metrics: &mut Metrics, first: &[u8], second: &[u8]) -> Sent {
    metrics.sends += 1;
    match socket.send(first, second) {
        Ok(n) => {
            metrics.send_bytes += n as u64;
            Sent::Bytes(n)
        }
        Err(e) if e.kind() == io::ErrorKind::WouldBlock => Sent::Bytes(0),
        Err(e) if is_shortage(&e) => {
            metrics.kernel_shortages.bump(Shortage::Send);
            Sent::Short
        }
        Err(_) => Sent::Broken { taken: 0, cause: CloseReason::Reset },
    }
}

impl Wire {
    /// Nothing is on its way.
    pub fn new(tls: Tls) -> Wire {
        Wire { tls, backlog_bytes: 0, polled: Vec::new(), lines: Vec::new() }
    }

    /// Writes to a connection that is not blocked.
    pub fn write<S: Socket>(
        &mut self,
        slot: &mut Slot<S>,
        metrics: &mut Metrics,
        first: &[u8],
        second: &[u8],
    ) -> Sent {
        if slot.flags.any(Flags::TLS) {
            return self.seal(slot, metrics, first, second);
        }
        send(&mut slot.socket, metrics, first, second)
    }

    /// The same of one that speaks TLS, or whose frames are made lines.
    pub fn seal<S: Socket>(
        &mut self,
        slot: &mut Slot<S>,
        metrics: &mut Metrics,
        first: &[u8],
        second: &[u8],
    ) -> Sent {
        match slot.lines() {
            None => self.seal_bytes(slot, metrics, first, second),
            Some(_) => self.write_lines(slot, metrics, first, second),
        }
    }

    /// Seals bytes as they are.
    pub fn seal_bytes<S: Socket>(
        &mut self,
        slot: &mut Slot<S>,
        metrics: &mut Metrics,
        first: &[u8],
        second: &[u8],
    ) -> Sent {
        let exempt = matches!(slot.phase, Phase::Admin | Phase::Closing);
        let Some(session) = slot.extra.as_mut().and_then(|extra| extra.tls.as_deref_mut()) else {
            return Sent::Broken { taken: 0, cause: CloseReason::Internal };
        };
        debug_assert!(session.unsent().is_empty());
        let (mut parts, mut taken) = ([first, second], 0);
        while parts.iter().any(|part| !part.is_empty()) {
            self.tls.records.clear();
            let mut room = RECORD_BYTES_MAX;
            for part in &mut parts {
                let (now, later) = part.split_at(part.len().min(room));
                if !now.is_empty() && !session.encrypt(now, &mut self.tls.records) {
                    return Sent::Broken { taken, cause: CloseReason::Internal };
                }
                (*part, room, taken) = (later, room - now.len(), taken + now.len());
            }
            let records = self.tls.records.bytes();
            let (written, short) = match send(&mut slot.socket, metrics, records, &[]) {
                Sent::Bytes(n) => (n, false),
                Sent::Short => (0, true),
                Sent::Held { .. } | Sent::Broken { .. } => {
                    return Sent::Broken { taken, cause: CloseReason::Reset };
                }
            };
            if written < records.len() {
                let before = session.held_bytes();
                session.keep_unsent(&records[written..]);
                self.backlog_bytes = self.backlog_bytes - before + session.held_bytes();
                if self.backlog_bytes > self.tls.backlog_bytes_max && !exempt {
                    // Sealed bytes can't be taken back, and nothing else may follow them.
                    return Sent::Broken { taken, cause: CloseReason::Overload };
                }
                return Sent::Held { taken, short };
            }
        }
        Sent::Bytes(taken)
    }
}

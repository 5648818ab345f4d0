//! Bytes from a connection: read into the one buffer, handed to whoever the connection's state says.

use std::io;

use crate::metrics::{CloseReason, Shortage, WorkKind};

use super::reactor::{READ_BYTES, Reactor};
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::work::{BYTES, CALL};

/// Read from a stranger at once, unless it is in the middle of a message that has more to come. If it can't all be
/// taken up in this turn the rest is memory of ours.
const INPUT_BYTES: usize = 16 << 10;

/// The same of a connection that speaks TLS, unless a longer record is under way. There may be a record in each 23
/// bytes, and what was read is opened as a whole.
const RECORDS_BYTES: usize = 4 << 10;

/// The result of a connection's read.
pub(super) enum Read {
    /// The socket is empty; the poll will tell when there is more.
    Drained,
    /// It had less than there was room for, so it is empty; but its end may have come already.
    Short,
    /// There may be more.
    More,
    /// The connection is gone.
    Gone,
}

impl<S: Socket> Reactor<S> {
    /// Reads what is there, up to a share of the turn.
    ///
    /// A short read has emptied the socket, and whatever comes later makes a new edge. The end of the stream is
    /// different: if it was there before the read it has shared the edge of the bytes in front of it. With `to_end`
    /// it is therefore looked for.
    pub(super) fn readable(&mut self, index: usize, to_end: bool, share: u64) {
        self.work.begin_share(share);
        loop {
            let serial = match self.connections.slots.get(index) {
                // It may have to wait for something else: see `may_call_back`, `begin_listing`.
                Some(slot) if slot.is_read() => slot.serial,
                _ => return,
            };
            let may_have_more = match self.read_once(index) {
                Read::More => true,
                Read::Short => to_end || self.work.has_postponed(),
                Read::Drained | Read::Gone => self.work.has_postponed(),
            };
            if !may_have_more {
                return;
            }
            if self.work.is_share_used() {
                if self.connections.has(index, serial) {
                    self.go_on_later(index);
                }
                return;
            }
        }
    }

    /// How much is read from a connection at once.
    fn input_bytes(&self, index: usize) -> usize {
        let slot = &self.connections.slots[index];
        if slot.phase == Phase::Admin || slot.flags.any(Flags::FINISH) {
            return READ_BYTES;
        }
        let assembly = slot.extra.as_ref().and_then(|extra| extra.assembly.as_ref());
        let left = assembly.map_or(0, |assembly| assembly.left());
        usize::try_from(left).unwrap_or(READ_BYTES).clamp(INPUT_BYTES, READ_BYTES)
    }

    /// The same of one that speaks TLS.
    pub(super) fn records_bytes(&self, index: usize) -> usize {
        let session = self.connections.slots[index].extra.as_ref().and_then(|extra| extra.tls.as_ref());
        session.map_or(0, |session| session.record_left()).clamp(RECORDS_BYTES, READ_BYTES)
    }

    fn read_once(&mut self, index: usize) -> Read {
        // The buffer is taken out so that what lies in it can be used while the reactor is changed.
        let mut buffer = std::mem::take(&mut self.scratch.input);
        let read = self.read_into(index, &mut buffer);
        self.scratch.input = buffer;
        read
    }

    fn read_into(&mut self, index: usize, buffer: &mut [u8]) -> Read {
        if let Some(mut stash) = self.hold(index, Slot::take_large_stash) {
            // Input that had to wait for the outbox; it comes before anything new.
            self.input(index, &mut stash);
            return if self.connections.slots.contains(index) { Read::More } else { Read::Gone };
        }
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::TLS) {
            return self.read_tls(index, buffer);
        }
        let kernel_tls = slot.flags.any(Flags::KERNEL_TLS);
        let kept = slot.kept().len();
        buffer[..kept].copy_from_slice(slot.kept());
        let room = self.input_bytes(index).min(buffer.len() - kept);
        self.metrics.recvs += 1;
        self.work.charge(WorkKind::Read, CALL);
        match self.connections.slots[index].socket.recv(&mut buffer[kept..kept + room]) {
            Ok(0) => {
                self.put_aside(index, &mut buffer[..kept]);
                if self.work.has_postponed() { Read::More } else { self.read_end(index) }
            }
            Ok(n) => {
                let serial = self.heard(index, n);
                if kept > 0 {
                    self.hold(index, |slot| slot.keep(&[]));
                }
                self.input(index, &mut buffer[..kept + n]);
                match self.connections.slots.get(index) {
                    Some(slot) if slot.serial == serial => {}
                    _ => return Read::Gone,
                }
                // Where TLS is the kernel's, a read ends in front of what is no application data.
                if n < room && !kernel_tls { Read::Short } else { Read::More }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.put_aside(index, &mut buffer[..kept]);
                Read::Drained
            }
            Err(e) if kernel_tls && !is_shortage(&e) => self.read_exception(index, buffer, kept, &e),
            Err(e) => self.read_failed(index, &e),
        }
    }

    /// Notes that so many bytes have come; the serial of who sent them.
    #[inline]
    pub(super) fn heard(&mut self, index: usize, bytes: usize) -> u32 {
        let stamp = self.stamp();
        self.metrics.recv_bytes += bytes as u64;
        self.work.charge(WorkKind::Read, bytes as u64 / BYTES);
        let slot = &mut self.connections.slots[index];
        slot.seen = stamp;
        slot.flags.set(Flags::PINGED, false);
        slot.serial
    }

    /// Nothing more will come, and what came before is taken up.
    pub(super) fn read_end(&mut self, index: usize) -> Read {
        match self.connections.slots.get(index) {
            // The end is still there when the answers to what came before it are written.
            Some(slot) if slot.flags.any(Flags::PAUSED) => {}
            Some(_) => self.end_of_stream(index),
            None => {}
        }
        Read::Gone
    }

    /// A read has failed, and not because there was nothing to read.
    pub(super) fn read_failed(&mut self, index: usize, e: &io::Error) -> Read {
        if !is_shortage(e) {
            self.remove(index, CloseReason::Reset);
            return Read::Gone;
        }
        // The kernel is out of memory for now; the connection isn't to blame. Look again with the next tick.
        self.connections.timers.retries.push((index as u32, self.connections.slots[index].serial));
        self.metrics.kernel_shortages.bump(Shortage::Recv);
        Read::Drained
    }

    /// Takes up input that had to wait for the outbox. If it is only the start of a frame that waits for its rest,
    /// looking at it once more does no harm.
    pub(super) fn put_aside(&mut self, index: usize, kept: &mut [u8]) {
        if !kept.is_empty() {
            self.hold(index, |slot| slot.keep(&[]));
            self.input(index, kept);
        }
    }

    /// Hands input to whoever the connection's state says.
    pub(super) fn input(&mut self, index: usize, input: &mut [u8]) {
        let slot = &self.connections.slots[index];
        match slot.phase {
            _ if slot.flags.any(Flags::FINISH) => {}
            Phase::Http | Phase::Admin => self.http_input(index, input),
            Phase::Open | Phase::Closing => self.open_input(index, input),
        }
    }

    /// The peer has closed its side.
    pub(super) fn end_of_stream(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        match slot.phase {
            // A client may close its side as soon as it has asked, or sent its close frame; it still gets its answer.
            Phase::Http | Phase::Admin | Phase::Closing if slot.flags.any(Flags::BLOCKED) => {
                slot.flags.set(Flags::FINISH, true);
                slot.flags.set(Flags::PAUSED, true);
            }
            Phase::Open => {
                let cause = slot.transport.cause_of_end();
                self.remove(index, cause);
            }
            Phase::Http | Phase::Admin | Phase::Closing => self.remove(index, CloseReason::Client),
        }
    }
}

/// Whether a system call failed for want of memory rather than for want of a connection.
pub(super) fn is_shortage(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::OutOfMemory || e.raw_os_error() == Some(libc::ENOBUFS)
}

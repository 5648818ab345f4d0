//! Bytes from a connection: read into the one buffer, handed to whoever the connection's state says.

use std::io;

use crate::metrics::{CloseReason, Shortage, WorkKind};
use crate::narrow;

use super::connections::Gone;
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
    /// Nothing more is there; if there will be, the poll tells.
    Drained,
    /// It had less than there was room for, so it is empty; but its end may have come already.
    Short,
    /// There may be more.
    More,
}

impl<S: Socket> Reactor<S> {
    /// Reads what is there, up to a share of the turn.
    ///
    /// A short read has emptied the socket, and whatever comes later makes a new edge. The end of the stream is
    /// different: if it was there before the read it has shared the edge of the bytes in front of it. With `to_end`
    /// it is therefore looked for.
    pub(super) fn readable(&mut self, index: usize, to_end: bool, share: u64) {
        self.work.begin_share(share);
        // It may have to wait for something else: see `may_call_back`, `begin_listing`.
        while self.connections.slots.get(index).is_some_and(Slot::is_read) {
            let may_have_more = match self.read_once(index) {
                Ok(Read::More) => true,
                Ok(Read::Short) => to_end || self.work.has_postponed(),
                Ok(Read::Drained) => self.work.has_postponed(),
                Err(Gone) => return,
            };
            if !may_have_more {
                return;
            }
            if self.work.is_share_used() {
                self.go_on_later(index);
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
        let in_pieces = || slot.flow().map_or(0, |flow| flow.incoming.left());
        let left = assembly.map_or_else(in_pieces, |assembly| assembly.left());
        usize::try_from(left).unwrap_or(READ_BYTES).clamp(INPUT_BYTES, READ_BYTES)
    }

    /// The same of one that speaks TLS.
    pub(super) fn records_bytes(&self, index: usize) -> usize {
        let session = self.connections.slots[index].extra.as_ref().and_then(|extra| extra.tls.as_ref());
        session.map_or(0, |session| session.record_left()).clamp(RECORDS_BYTES, READ_BYTES)
    }

    fn read_once(&mut self, index: usize) -> Result<Read, Gone> {
        // The buffer is taken out so that what lies in it can be used while the reactor is changed.
        let mut buffer = std::mem::take(&mut self.scratch.input);
        let read = self.read_into(index, &mut buffer);
        self.scratch.input = buffer;
        read
    }

    fn read_into(&mut self, index: usize, buffer: &mut [u8]) -> Result<Read, Gone> {
        if let Some(mut stash) = self.hold(index, Slot::take_large_stash) {
            // Input that had to wait for the outbox; it comes before anything new.
            self.input(index, &mut stash)?;
            return Ok(Read::More);
        }
        let flags = self.connections.slots[index].flags;
        if flags.any(Flags::TLS) {
            let slot = &self.connections.slots[index];
            if slot.is_polled() {
                // Its client says what it has to say with other requests.
                return Ok(Read::Drained);
            }
            if !slot.is_plain_below() {
                return self.read_tls(index, buffer);
            }
        }
        let kernel_tls = flags.any(Flags::KERNEL_TLS);
        let kept = self.recall(index, buffer);
        let room = self.input_bytes(index).min(buffer.len() - kept);
        match self.receive(index, &mut buffer[kept..kept + room], receive_bytes) {
            Ok((0, ())) => {
                self.take_up(index, &mut buffer[..kept])?;
                if self.work.has_postponed() { Ok(Read::More) } else { self.read_end(index) }
            }
            Ok((n, ())) => {
                self.take_up(index, &mut buffer[..kept + n])?;
                // Where TLS is the kernel's, a read ends in front of what is no application data.
                Ok(if n < room && !kernel_tls { Read::Short } else { Read::More })
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                self.take_up(index, &mut buffer[..kept])?;
                Ok(Read::Drained)
            }
            Err(e) if kernel_tls && !is_shortage(&e) => self.read_exception(index, buffer, kept, &e),
            Err(e) => self.read_failed(index, &e),
        }
    }

    /// Puts what was kept of earlier input in front of what is read next; how much that is.
    pub(super) fn recall(&self, index: usize, buffer: &mut [u8]) -> usize {
        let kept = self.connections.slots[index].kept();
        buffer[..kept.len()].copy_from_slice(kept);
        kept.len()
    }

    /// One call that reads, the only way to do so: it is counted and paid for, and with what comes the peer was heard
    /// of.
    #[inline]
    pub(super) fn receive<T>(
        &mut self,
        index: usize,
        room: &mut [u8],
        call: impl FnOnce(&mut S, &mut [u8]) -> io::Result<(usize, T)>,
    ) -> io::Result<(usize, T)> {
        self.metrics.recvs += 1;
        self.work.charge(WorkKind::Read, CALL);
        let stamp = self.stamp();
        let slot = &mut self.connections.slots[index];
        let received = call(&mut slot.socket, room)?;
        let bytes = received.0 as u64;
        if bytes > 0 {
            if slot.flags.any(Flags::PINGED) {
                slot.answered(self.now.mono_ms(), self.config.pong_wait_ms);
            }
            slot.seen = stamp;
            slot.flags.set(Flags::PINGED, false);
            self.metrics.recv_bytes += bytes;
            self.work.charge(WorkKind::Read, bytes / BYTES);
        }
        Ok(received)
    }

    /// Nothing more will come, and what came before is taken up.
    pub(super) fn read_end(&mut self, index: usize) -> Result<Read, Gone> {
        if !self.connections.slots[index].flags.any(Flags::PAUSED) {
            self.end_of_stream(index)?;
        }
        // Else the end is still there when the answers to what came before it are written.
        Ok(Read::Drained)
    }

    /// A read has failed, and not because there was nothing to read.
    pub(super) fn read_failed(&mut self, index: usize, e: &io::Error) -> Result<Read, Gone> {
        if !is_shortage(e) {
            self.remove(index, CloseReason::Reset);
            return Err(Gone);
        }
        // The kernel is out of memory for now; the connection isn't to blame. Look again with the next tick.
        self.connections.timers.retry(narrow::to_u32(index), self.connections.slots[index].serial);
        self.metrics.kernel_shortages.bump(Shortage::Recv);
        Ok(Read::Drained)
    }

    /// Takes up input that begins with what was kept of earlier input. If it is only the start of a frame that waits
    /// for its rest, looking at it once more does no harm.
    pub(super) fn take_up(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        if input.is_empty() {
            return Ok(());
        }
        if !self.connections.slots[index].kept().is_empty() {
            self.hold(index, |slot| slot.keep(&[]));
        }
        self.input(index, input)
    }

    /// Hands input to whoever the connection's state says.
    fn input(&mut self, index: usize, input: &mut [u8]) -> Result<(), Gone> {
        let slot = &self.connections.slots[index];
        let taken = match slot.phase {
            _ if slot.flags.any(Flags::FINISH) => return Ok(()),
            Phase::Http | Phase::Admin => self.http_input(index, input),
            Phase::Open | Phase::Closing => self.open_input(index, input),
        };
        if taken.is_err() {
            // Nobody is there to be answered.
            self.scratch.replies.clear();
        }
        taken
    }

    /// The peer has closed its side.
    pub(super) fn end_of_stream(&mut self, index: usize) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        let cause = match slot.phase {
            // A client may close its side as soon as it has asked, or sent its close frame; it still gets its answer.
            Phase::Http | Phase::Admin | Phase::Closing if slot.flags.any(Flags::BLOCKED) => {
                slot.flags.set(Flags::FINISH, true);
                slot.flags.set(Flags::PAUSED, true);
                return Ok(());
            }
            Phase::Open => slot.transport.cause_of_end(),
            Phase::Http | Phase::Admin | Phase::Closing => CloseReason::Client,
        };
        self.remove(index, cause);
        Err(Gone)
    }
}

/// Reads from a socket as it is.
pub(super) fn receive_bytes<S: Socket>(socket: &mut S, room: &mut [u8]) -> io::Result<(usize, ())> {
    Ok((socket.recv(room)?, ()))
}

/// Whether a system call failed for want of memory rather than for want of a connection.
pub(super) fn is_shortage(e: &io::Error) -> bool {
    e.kind() == io::ErrorKind::OutOfMemory || e.raw_os_error() == Some(libc::ENOBUFS)
}

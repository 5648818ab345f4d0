//! Bytes to a connection outside the walk: replies, and what of them has to wait in the outbox.

use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;

use super::connections::Gone;
use super::flush::set_blocked;
use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::wire::Sent;
use super::work::{BYTES, CALL};

impl<S: Socket> Reactor<S> {
    /// Sends what has been put into `replies` to this connection, at once if the socket takes it.
    ///
    /// Bytes that it doesn't take wait in the outbox, and the connection isn't read before they are gone: a peer that
    /// asks without listening to the answers can't make us keep more than one buffer of them.
    pub(super) fn send_replies(&mut self, index: usize) -> Result<(), Gone> {
        if self.scratch.replies.is_empty() {
            return Ok(());
        }
        let replies = std::mem::take(&mut self.scratch.replies);
        let sent = self.push_out(index, &replies);
        self.scratch.replies = replies;
        self.scratch.replies.clear();
        self.scratch.replies.shrink_to(super::reactor::READ_BYTES);
        sent?;
        self.pause_if_blocked(index);
        Ok(())
    }

    /// A connection that doesn't take its answers is not read before it has.
    pub(super) fn pause_if_blocked(&mut self, index: usize) {
        let slot = &mut self.connections.slots[index];
        if slot.flags.any(Flags::BLOCKED) {
            slot.flags.set(Flags::PAUSED, true);
        }
    }

    /// Writes whole frames to one connection, or lets them wait in its outbox.
    pub(super) fn push_out(&mut self, index: usize, bytes: &[u8]) -> Result<(), Gone> {
        self.work.charge(WorkKind::Send, CALL + bytes.len() as u64 / BYTES);
        let slot = &mut self.connections.slots[index];
        let mut written = 0;
        if !slot.flags.any(Flags::BLOCKED_OR_FINISHED) {
            match self.wire.write(slot, &mut self.metrics, bytes, &[]) {
                Sent::Bytes(n) => written = n,
                Sent::Held { taken, short } => {
                    written = taken;
                    set_blocked(&mut self.connections.census, &mut slot.flags, true);
                    if short {
                        self.connections.timers.retry(narrow::to_u32(index), slot.serial);
                    }
                    self.count_backlog(index);
                }
                Sent::Short => self.connections.timers.retry(narrow::to_u32(index), slot.serial),
                Sent::Broken { cause, .. } => {
                    self.remove(index, cause);
                    return Err(Gone);
                }
            }
        }
        let rest = &bytes[written..];
        // Behind its end nothing can be said: that of a stream may have come in the midst of something.
        if rest.is_empty() || self.connections.slots[index].flags.any(Flags::FINISH) {
            return Ok(());
        }
        if !self.has_backlog_room(index, rest.len()) {
            return self.no_room_for(index, bytes, written);
        }
        self.wait_in_outbox(index, rest);
        Ok(())
    }

    pub(super) fn wait_in_outbox(&mut self, index: usize, bytes: &[u8]) {
        let slot = &mut self.connections.slots[index];
        set_blocked(&mut self.connections.census, &mut slot.flags, true);
        self.hold(index, |slot| slot.queue_mut().push_frames(bytes));
    }

    /// There is no room for all that would have to wait. If there is for the frame under way, that comes first and what
    /// is wrong behind it.
    pub(super) fn no_room_for(&mut self, index: usize, frames: &[u8], written: usize) -> Result<(), Gone> {
        let slot = &self.connections.slots[index];
        // In front of the answer to its request, or within that, nothing can be said.
        let is_answer = frames.starts_with(b"HTTP/");
        let end = slot.transport.boundary_at(frames, written);
        let end = end.filter(|_| slot.phase == Phase::Open && !is_answer);
        let Some(end) = end else { return self.overloaded(index, written > 0 || is_answer) };
        if !self.has_backlog_room(index, end - written) {
            return self.overloaded(index, written > 0);
        }
        if end > written {
            self.wait_in_outbox(index, &frames[written..end]);
        }
        self.overloaded(index, false)
    }

    /// The consequences of a write, when what it took is counted. False: stop here, the rest is written later or the
    /// connection is gone.
    pub(super) fn after_write(&mut self, index: usize, sent: &Sent, done: bool) -> bool {
        let (blocked, short) = match *sent {
            Sent::Bytes(_) => (!done, false),
            Sent::Held { short, .. } => (true, short),
            Sent::Short => (true, true),
            Sent::Broken { cause, .. } => {
                self.remove(index, cause);
                return false;
            }
        };
        if matches!(sent, Sent::Held { .. }) {
            self.count_backlog(index);
        }
        let slot = &mut self.connections.slots[index];
        if blocked {
            set_blocked(&mut self.connections.census, &mut slot.flags, true);
        }
        if short {
            self.connections.timers.retry(narrow::to_u32(index), slot.serial);
        }
        !slot.flags.any(Flags::BLOCKED)
    }

    /// Ends the stream: what was written arrives, then its end. The slot waits for the peer to do the same.
    pub(super) fn finish(&mut self, index: usize) -> Result<(), Gone> {
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::FINISH, true);
        if slot.flags.any(Flags::BLOCKED) {
            return Ok(());
        }
        let is_said = match slot.flags {
            flags if flags.any(Flags::TLS) => self.close_tls(index)?,
            flags if flags.any(Flags::KERNEL_TLS) => self.close_kernel_tls(index)?,
            _ => true,
        };
        if !is_said {
            return Ok(());
        }
        let slot = &mut self.connections.slots[index];
        // Below the kernel's TLS the stream goes on: see `close_kernel_tls`.
        if !slot.flags.any(Flags::KERNEL_TLS) && slot.socket.finish().is_err() {
            self.remove(index, CloseReason::Reset);
            return Err(Gone);
        }
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::PAUSED, false);
        let (serial, phase) = (slot.serial, slot.phase);
        if matches!(phase, Phase::Http | Phase::Admin) {
            self.connections.timers.closes.push(index, serial, self.now.mono_ms());
            self.drop_input(index);
        }
        // The peer's end may have come already, behind what was put aside.
        self.go_on_later(index);
        Ok(())
    }
}

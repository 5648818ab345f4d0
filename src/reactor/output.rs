//! Bytes to a connection outside the walk: replies, the outbox, and going on where a full socket stopped.

use std::io;

use crate::metrics::{CloseReason, Shortage};
use crate::push::DEFAULT;

use super::flush::{Offer, offer, set_blocked, set_full};
use super::input::is_shortage;
use super::reactor::Reactor;
use super::slot::{Flags, Outbox, Slot, State, Unfinished};
use super::socket::Socket;
use super::tls::{Tls, send_sealed};

/// How a write to a socket went.
pub(super) enum Sent {
    /// All of it, or so many bytes and then no more for now.
    Bytes(usize),
    /// So many bytes are sealed, maybe all of them, but not all of that is written; `short` for want of memory.
    Held { taken: usize, short: bool },
    /// Nothing: the kernel is out of memory. The poll won't say when that is over.
    Short,
    /// The connection is broken; what that counts as.
    Broken(CloseReason),
}

/// Writes, and counts it.
#[inline]
pub(super) fn send<S: Socket>(
    socket: &mut S,
    metrics: &mut crate::metrics::Metrics,
    first: &[u8],
    second: &[u8],
) -> Sent {
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
        Err(_) => Sent::Broken(CloseReason::Reset),
    }
}

/// Writes to a connection that is not blocked, sealed if it speaks TLS.
fn transmit<S: Socket>(
    slot: &mut Slot<S>,
    tls: &mut Tls,
    backlog_bytes: &mut usize,
    metrics: &mut crate::metrics::Metrics,
    first: &[u8],
    second: &[u8],
) -> Sent {
    if slot.flags.any(Flags::TLS) {
        return send_sealed(slot, tls, backlog_bytes, metrics, first, second);
    }
    send(&mut slot.socket, metrics, first, second)
}

impl<S: Socket> Reactor<S> {
    /// Sends what has been put into `replies` to this connection, at once if the socket takes it.
    ///
    /// What it doesn't take waits in the outbox, and the connection isn't read before that is gone: whoever
    /// asks without listening to the answers can't make us keep more than one buffer of them.
    pub(super) fn send_replies(&mut self, index: usize) {
        if self.replies.is_empty() {
            return;
        }
        let replies = std::mem::take(&mut self.replies);
        if self.push_out(index, &replies)
            && let Some(slot) = self.slots.get_mut(index)
            && slot.flags.any(Flags::BLOCKED)
        {
            slot.flags.set(Flags::PAUSED, true);
        }
        self.replies = replies;
        self.replies.clear();
        self.replies.shrink_to(super::reactor::READ_BYTES);
    }

    /// Writes whole frames to one connection, or lets them wait in its outbox. False: the connection was broken
    /// and is gone.
    pub(super) fn push_out(&mut self, index: usize, bytes: &[u8]) -> bool {
        let slot = &mut self.slots[index];
        let mut written = 0;
        if !slot.flags.any(Flags::BLOCKED) {
            match transmit(slot, &mut self.tls, &mut self.backlog_bytes, &mut self.metrics, bytes, &[]) {
                Sent::Bytes(n) => written = n,
                Sent::Held { taken, short } => {
                    written = taken;
                    set_blocked(&mut self.census, &mut slot.flags, true);
                    if short {
                        self.timers.retries.push((index as u32, slot.serial));
                    }
                }
                Sent::Short => self.timers.retries.push((index as u32, slot.serial)),
                Sent::Broken(cause) => {
                    self.remove(index, cause);
                    return false;
                }
            }
        }
        if written < bytes.len() {
            if !self.has_backlog_room(index, bytes.len() - written) {
                return self.overloaded(index, written > 0);
            }
            let slot = &mut self.slots[index];
            set_blocked(&mut self.census, &mut slot.flags, true);
            slot.flags.set(Flags::OUTBOX, true);
            self.hold(index, |slot| {
                let outbox = slot.extra_mut().outbox.get_or_insert_default();
                outbox.bytes.extend_from_slice(&bytes[written..]);
            });
        }
        true
    }

    /// The socket takes more: goes on where it stopped.
    pub(super) fn writable(&mut self, index: usize) {
        let seconds = self.seconds();
        let Some(slot) = self.slots.get_mut(index) else { return };
        if !slot.flags.any(Flags::BLOCKED) {
            return;
        }
        set_blocked(&mut self.census, &mut slot.flags, false);
        let (serial, sent) = (slot.serial, self.metrics.send_bytes);
        self.resume(index);
        if self.metrics.send_bytes != sent
            && let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.serial == serial)
        {
            // Whoever reads is alive.
            slot.seen = seconds;
            slot.flags.set(Flags::PINGED, false);
        }
    }

    /// Goes on with the connections that a shortage of memory has stopped.
    pub(super) fn retry(&mut self) {
        for (index, serial) in std::mem::take(&mut self.timers.retries) {
            let index = index as usize;
            let Some(slot) = self.slots.get_mut(index).filter(|slot| slot.serial == serial) else { continue };
            if slot.flags.any(Flags::BLOCKED) {
                set_blocked(&mut self.census, &mut slot.flags, false);
                self.resume(index);
            }
            self.readable(index, true);
        }
    }

    /// Writes everything that this connection is behind with, until its socket is full.
    fn resume(&mut self, index: usize) {
        let flags = self.slots[index].flags;
        if flags.any(Flags::TLS) && !self.write_unsent(index)
            || flags.any(Flags::KERNEL_TLS) && !self.renew_ours(index)
        {
            return;
        }
        // The frame under way, alone if the outbox waits behind it: pongs and close frames go first.
        if let Some(channel) = self.slots[index].mid_channel()
            && !self.catch_up(index, channel)
        {
            return;
        }
        if !self.write_unfinished(index) || !self.write_outbox(index) {
            return;
        }
        if self.slots[index].flags.any(Flags::BROADCAST) && !self.catch_up(index, DEFAULT) {
            return;
        }
        let mut at = 0;
        while let Some(extra) = &self.slots[index].extra
            && let Some(membership) = extra.memberships.get(at)
        {
            let channel = membership.channel;
            if !self.catch_up(index, channel) {
                return;
            }
            at += 1;
        }
        let slot = &mut self.slots[index];
        slot.tidy();
        if slot.flags.any(Flags::FINISH) {
            self.finish(index);
        } else if slot.flags.any(Flags::PAUSED) {
            slot.flags.set(Flags::PAUSED, false);
            self.again.push((index as u32, slot.serial));
        }
        self.caught_up(index);
        if flags.any(Flags::TLS) {
            self.hand_to_kernel(index);
        }
    }

    /// Writes a channel's log to one subscriber. False: stop here, the socket is full or the connection gone.
    fn catch_up(&mut self, index: usize, id: crate::push::ChannelId) -> bool {
        let slot = &mut self.slots[index];
        let channel = self.channels.get_mut(id);
        let other = channel.deflated.as_ref().filter(|_| slot.flags.takes_deflated());
        let log = other.map_or(&channel.log, |deflated| &deflated.log);
        let outbox_waits = slot.flags.any(Flags::OUTBOX);
        let mut default_cursor = slot.cursor;
        let cursor = if id == DEFAULT {
            &mut default_cursor
        } else {
            let memberships = slot.extra.as_ref().map_or(&[][..], |extra| &extra.memberships);
            let Some(membership) = memberships.iter().find(|m| m.channel == id) else { return true };
            &mut channel.members[membership.place as usize].cursor
        };
        let (tls, backlog_bytes) = (&mut self.tls, &mut self.backlog_bytes);
        let offered = offer(
            |metrics, first, second| transmit(slot, tls, backlog_bytes, metrics, first, second),
            log,
            &mut channel.ledger,
            cursor,
            &mut self.metrics,
            outbox_waits,
        );
        slot.cursor = default_cursor;
        if offered != Offer::Nothing {
            self.channels.touch(id);
        }
        match offered {
            Offer::Nothing | Offer::Done => {
                slot.flags.set(Flags::MID_FRAME, false);
                if let Some(extra) = &mut slot.extra {
                    extra.mid = None;
                }
                true
            }
            Offer::Full { mid_frame } => {
                set_full(&mut self.census, slot, id, mid_frame);
                false
            }
            Offer::Short { mid_frame } => {
                set_full(&mut self.census, slot, id, mid_frame);
                self.timers.retries.push((index as u32, slot.serial));
                false
            }
            Offer::Fallen if self.fallen(index, id) => self.catch_up(index, id),
            // It was told goodbye and has left its channels: if it heard that, it has caught up with everything.
            Offer::Fallen => self.slots.get(index).is_some_and(|slot| !slot.flags.any(Flags::BLOCKED)),
            Offer::Broken(cause) => {
                self.remove(index, cause);
                false
            }
        }
    }

    /// Writes the rest of the frame that a closing connection was in the middle of. False: stop here.
    fn write_unfinished(&mut self, index: usize) -> bool {
        let slot = &mut self.slots[index];
        let Some(ending) = slot.extra.as_ref().and_then(|extra| extra.ending.as_ref()) else { return true };
        let Some(rest) = ending.unfinished else { return true };
        let channel = self.channels.try_get(rest.channel).filter(|channel| channel.epoch == rest.epoch);
        let log = channel.and_then(|channel| channel.log_in(slot.flags.takes_deflated()));
        let Some(log) = log.filter(|log| log.tail() <= rest.from) else {
            // The log has moved on; in the middle of a frame there is nothing left to say.
            self.remove(index, CloseReason::SlowConsumer);
            return false;
        };
        let (first, second) = log.slices_between(rest.from, rest.to);
        let sent = transmit(slot, &mut self.tls, &mut self.backlog_bytes, &mut self.metrics, first, second);
        let Some(n) = self.written(index, sent) else { return false };
        let rest = Unfinished { from: rest.from + n as u64, ..rest };
        let done = rest.from == rest.to;
        let slot = &mut self.slots[index];
        if let Some(ending) = slot.extra.as_mut().and_then(|extra| extra.ending.as_mut()) {
            ending.unfinished = (!done).then_some(rest);
        }
        if !done {
            set_blocked(&mut self.census, &mut slot.flags, true);
        }
        !slot.flags.any(Flags::BLOCKED)
    }

    /// Writes the outbox. False: stop here.
    fn write_outbox(&mut self, index: usize) -> bool {
        let slot = &mut self.slots[index];
        if !slot.flags.any(Flags::OUTBOX) {
            return true;
        }
        let Some(outbox) = slot.extra.as_mut().and_then(|extra| extra.outbox.take()) else { return true };
        let bytes = outbox.waiting();
        let sent = transmit(slot, &mut self.tls, &mut self.backlog_bytes, &mut self.metrics, bytes, &[]);
        slot.extra_mut().outbox = Some(outbox);
        let Some(n) = self.written(index, sent) else { return false };
        let slot = &mut self.slots[index];
        let Some(outbox) = slot.extra.as_mut().and_then(|extra| extra.outbox.as_deref_mut()) else {
            return true;
        };
        outbox.written += n;
        if !outbox.waiting().is_empty() {
            set_blocked(&mut self.census, &mut slot.flags, true);
            self.hold(index, |slot| slot.extra_mut().outbox.as_deref_mut().map(compact));
            return false;
        }
        slot.flags.set(Flags::OUTBOX, false);
        self.hold(index, |slot| slot.extra_mut().outbox = None);
        !self.slots[index].flags.any(Flags::BLOCKED)
    }

    /// How many bytes a write took; None: stop here, it is tried again later or the connection is gone.
    pub(super) fn written(&mut self, index: usize, sent: Sent) -> Option<usize> {
        let (taken, short) = match sent {
            Sent::Bytes(n) => return Some(n),
            Sent::Held { taken, short } => (Some(taken), short),
            Sent::Short => (None, true),
            Sent::Broken(cause) => {
                self.remove(index, cause);
                return None;
            }
        };
        let slot = &mut self.slots[index];
        set_blocked(&mut self.census, &mut slot.flags, true);
        if short {
            self.timers.retries.push((index as u32, slot.serial));
        }
        taken
    }

    /// Ends the stream: what was written arrives, then its end. The slot waits for the peer to do the same.
    pub(super) fn finish(&mut self, index: usize) {
        let slot = &mut self.slots[index];
        slot.flags.set(Flags::FINISH, true);
        if slot.flags.any(Flags::BLOCKED) || slot.flags.any(Flags::TLS) && !self.close_tls(index) {
            return;
        }
        let slot = &mut self.slots[index];
        if slot.flags.any(Flags::KERNEL_TLS) {
            if !self.finish_kernel_tls(index) {
                return;
            }
        } else if slot.socket.finish().is_err() {
            self.remove(index, CloseReason::Reset);
            return;
        }
        let slot = &mut self.slots[index];
        slot.flags.set(Flags::PAUSED, false);
        let (serial, state) = (slot.serial, slot.state);
        if matches!(state, State::Http | State::Admin) {
            self.timers.goodbyes.push(index, serial, self.now.mono_ms() + self.config.close_wait_ms);
            self.drop_input(index);
        }
        // The peer's end may have come already, behind what was put aside.
        self.again.push((index as u32, serial));
    }
}

/// Gives back what is written once it is the larger part.
fn compact(outbox: &mut Outbox) {
    if outbox.written > outbox.bytes.len() / 2 {
        outbox.bytes.drain(..outbox.written);
        outbox.bytes.shrink_to_fit();
        outbox.written = 0;
    }
}

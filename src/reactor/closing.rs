//! How connections end: slow consumers, close frames, and the slot's last moment.

use crate::config::{LogLevel, SlowConsumer};
use crate::endpoint::handler::{ABNORMAL_CLOSURE, goodbye};
use crate::endpoint::{Kind, chat};
use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;
use crate::protocol::message;
use crate::push::{ChannelId, DEFAULT, Message, Passage, PushOptions};

use super::flush::set_blocked;
use super::reactor::Reactor;
use super::slot::{Ending, Flags, State, Unfinished};
use super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// A subscriber has fallen off a channel's log: its policy decides. True: it stays, from the newest publication on.
    pub(super) fn fallen(&mut self, index: usize, id: ChannelId) -> bool {
        let slot = &self.slots[index];
        let conn = slot.id(index);
        let policy = self.config.slow_consumer;
        // In the middle of a frame there is nothing left to say.
        let cut_off = slot.mid_channel() == Some(id);
        let action = match policy {
            _ if cut_off => "disconnect",
            SlowConsumer::Close => "close",
            SlowConsumer::Skip => "skip",
        };
        let name = self.channels.get(id).name.clone();
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("conn", &conn), ("channel", &name), ("action", &action)];
        self.journal.event(self.now, LogLevel::Warn, "slow_consumer", &fields);
        match policy {
            _ if cut_off => self.remove(index, CloseReason::SlowConsumer),
            SlowConsumer::Close => {
                let code = CloseCode::TRY_AGAIN_LATER;
                self.begin_close(index, code, "slow consumer", CloseReason::SlowConsumer);
            }
            SlowConsumer::Skip => self.skip(index, id),
        }
        policy == SlowConsumer::Skip && !cut_off
    }

    /// What becomes of slow consumers is also what the deliveries' counts say of them.
    pub(super) fn tell_channels_the_policy(&mut self) {
        self.channels.set_fallen(match self.config.slow_consumer {
            SlowConsumer::Close => Passage::Gone,
            SlowConsumer::Skip => Passage::Skipped,
        });
    }

    fn skip(&mut self, index: usize, id: ChannelId) {
        let channel = self.channels.get_mut(id);
        let slot = &mut self.slots[index];
        let (cursor, _) = channel.skip_to_newest(slot.flags.takes_deflated());
        if id == DEFAULT {
            slot.cursor = cursor;
        } else if let Some(extra) = &slot.extra
            && let Some(membership) = extra.memberships.iter().find(|m| m.channel == id)
        {
            channel.members[membership.place as usize].cursor = cursor;
        }
        self.metrics.slow_skipped += 1;
        self.channels.touch(id);
    }

    /// Says goodbye with a close frame (RFC 6455 section 7.1.2), after the frame under way, and waits for the peer's.
    pub(super) fn begin_close(&mut self, index: usize, code: CloseCode, reason: &str, cause: CloseReason) {
        if self.slots[index].state != State::Open {
            return;
        }
        let unfinished = self.unfinished(index);
        if unfinished.is_none() && self.slots[index].flags.any(Flags::MID_FRAME) {
            // The log has moved on over the frame's rest; a close frame would be taken for it.
            self.remove(index, CloseReason::SlowConsumer);
            return;
        }
        self.leave_channels(index);
        let slot = &mut self.slots[index];
        slot.state = State::Closing;
        slot.flags.set(Flags::MID_FRAME, false);
        let serial = slot.serial;
        let extra = slot.extra_mut();
        extra.mid = None;
        extra.ending = Some(Box::new(Ending { code, reason: reason.to_owned(), cause, unfinished }));
        self.census.open_by_kind[self.slots[index].kind as usize] -= 1;
        self.census.deflating -= usize::from(self.slots[index].flags.window_bits() > 0);
        self.census.closing += 1;
        self.timers.goodbyes.push(index, serial, self.now.mono_ms() + self.config.close_wait_ms);
        self.push_out(index, &goodbye(code, reason));
    }

    /// The rest of the frame that this connection is in the middle of.
    fn unfinished(&self, index: usize) -> Option<Unfinished> {
        let slot = &self.slots[index];
        let id = slot.mid_channel()?;
        let channel = self.channels.get(id);
        let cursor = if id == DEFAULT {
            slot.cursor
        } else {
            let memberships = &slot.extra.as_ref()?.memberships;
            let place = memberships.iter().find(|m| m.channel == id)?.place;
            channel.members[place as usize].cursor
        };
        let log = channel.log_in(slot.flags.takes_deflated())?;
        let from = log.position(cursor)?;
        Some(Unfinished { channel: id, epoch: channel.epoch, from, to: log.frame_end(from) })
    }

    /// Ends all subscriptions of a connection.
    pub(super) fn leave_channels(&mut self, index: usize) {
        self.leave_channel(index, DEFAULT);
        while let Some(extra) = &self.slots[index].extra
            && let Some(membership) = extra.memberships.last()
        {
            self.leave_channel(index, membership.channel);
        }
    }

    /// Ends one subscription.
    pub(super) fn leave_channel(&mut self, index: usize, id: ChannelId) {
        let slot = &mut self.slots[index];
        if id == DEFAULT {
            if slot.flags.any(Flags::BROADCAST) {
                slot.flags.set(Flags::BROADCAST, false);
                self.channels.get_mut(DEFAULT).depart(slot.cursor, slot.flags.takes_deflated());
                self.channels.touch(DEFAULT);
            }
            return;
        }
        let Some(extra) = &mut slot.extra else { return };
        let Some(at) = extra.memberships.iter().position(|m| m.channel == id) else { return };
        let membership = extra.memberships.swap_remove(at);
        let deflated = slot.flags.takes_deflated();
        self.leave_place(id, membership.place, deflated);
        self.slots[index].tidy();
    }

    /// Moves the rest of the frame under way in front of the outbox, so that its channel can be left.
    pub(super) fn save_frame_under_way(&mut self, index: usize, id: ChannelId) {
        let deflated = self.slots[index].flags.takes_deflated();
        let rest = self.unfinished(index);
        let log = self.channels.get(id).log_in(deflated);
        let Some((rest, log)) = rest.zip(log) else {
            // It is no longer in the log: in the middle of a frame there is nothing left to say.
            self.remove(index, CloseReason::SlowConsumer);
            return;
        };
        let (first, second) = log.slices_between(rest.from, rest.to);
        let parts = [first, second].concat();
        self.hold(index, |slot| {
            slot.flags.set(Flags::MID_FRAME, false);
            slot.flags.set(Flags::OUTBOX, true);
            let extra = slot.extra_mut();
            extra.mid = None;
            let outbox = extra.outbox.get_or_insert_default();
            outbox.bytes = [&parts, outbox.waiting()].concat();
            outbox.written = 0;
        });
    }

    /// Takes a member out of a channel and tells those that move up their new places.
    fn leave_place(&mut self, id: ChannelId, place: u32, deflated: bool) {
        let now_ms = self.now.mono_ms();
        let slots = &mut self.slots;
        self.channels.get_mut(id).leave(place, deflated, now_ms, |slot, old, new| {
            let memberships = slots.get_mut(slot as usize).and_then(|slot| slot.extra.as_mut());
            let moved = memberships.into_iter().flat_map(|extra| &mut extra.memberships);
            for membership in moved.filter(|m| m.channel == id && m.place == old) {
                membership.place = new;
            }
        });
        self.channels.touch(id);
    }

    /// Gives back what half a request or message holds.
    pub(super) fn drop_input(&mut self, index: usize) {
        let before = self.slots[index].backlog_bytes();
        let Some(extra) = &mut self.slots[index].extra else { return };
        message::abandon(&mut extra.assembly, &mut self.pool);
        if let Some(mut request) = extra.http.take() {
            self.pool.release(&mut request.chain);
        }
        extra.stash = None;
        self.slots[index].tidy();
        self.backlog_bytes = self.backlog_bytes - before + self.slots[index].backlog_bytes();
    }

    /// The connection is gone: its slot is free, its descriptor closed.
    pub(super) fn remove(&mut self, index: usize, cause: CloseReason) {
        self.leave_channels(index);
        self.drop_input(index);
        let mut slot = self.slots.remove(index);
        self.backlog_bytes -= slot.backlog_bytes();
        self.removed += 1;
        if slot.flags.any(Flags::KERNEL_TLS) {
            self.leave_kernel_tls(index, &mut slot);
        }
        if cause != CloseReason::Reset {
            // A child that the host has forked may hold a copy of the descriptor: closing ours would end nothing.
            if slot.flags.any(Flags::TLS) {
                self.leave_tls(&mut slot);
            }
            let _ = slot.socket.finish();
        }
        set_blocked(&mut self.census, &mut slot.flags, false);
        if slot.state == State::Admin {
            self.census.admin -= 1;
        } else {
            self.census.public -= 1;
            self.addresses.leave(index as u32);
        }
        match slot.state {
            State::Open => {
                self.census.open_by_kind[slot.kind as usize] -= 1;
                self.census.deflating -= usize::from(slot.flags.window_bits() > 0);
            }
            State::Closing => self.census.closing -= 1,
            State::Http | State::Admin => {
                // That a client has gone, or was answered and told to go, is how HTTP ends; the rest is our doing.
                if matches!(cause, CloseReason::Idle | CloseReason::Unread | CloseReason::Drain) {
                    self.metrics.closed(cause);
                }
                return;
            }
        }
        if slot.kind == Kind::Refused {
            // It was counted when it was refused, and nobody has heard of it.
            return;
        }
        let id = slot.id(index);
        let extra = slot.extra.take().unwrap_or_default();
        let (code, reason, cause) = match extra.ending {
            Some(ending) => (ending.code, ending.reason, ending.cause),
            None => (ABNORMAL_CLOSURE, String::new(), cause),
        };
        self.metrics.closed(cause);
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("conn", &id), ("code", &code.0), ("cause", &cause.name())];
        self.journal.event(self.now, LogLevel::Debug, "closed", &fields);
        match slot.kind {
            Kind::Push => self.handler.on_close(id, extra.user.as_deref(), code, &reason),
            Kind::Chat => {
                let line = chat::left(extra.user.as_deref().unwrap_or("?"));
                // With the inbox full, one line about a guest is the least of what is missing.
                let _ = self.publish_here(
                    Some(chat::CHANNEL),
                    Message::Text(&line),
                    PushOptions::default(),
                    true,
                );
            }
            Kind::Echo | Kind::Refused => {}
        }
    }
}

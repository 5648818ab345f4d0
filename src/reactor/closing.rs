//! How connections end: slow consumers, close frames, and the slot's last moment.

use crate::config::{DEMO_SHOWN, LogLevel, SlowConsumer};
use crate::endpoint::handler::ABNORMAL_CLOSURE;
use crate::endpoint::{Closed, Kind, chat};
use crate::metrics::CloseReason;
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::message;
use crate::protocol::pieces::Incoming;
use crate::push::{ChannelId, Keep, Passage};

use super::addresses::NOWHERE;
use super::connections::Gone;
use super::ending::CLOSE_WAITS;
use super::places::handler_of;
use super::reactor::Reactor;
use super::slot::{Ending, Flags, Phase, Slot};
use super::socket::Socket;
use super::transport::Transport;

impl<S: Socket> Reactor<S> {
    /// A subscriber has fallen off a channel's log: its policy decides. True: it stays, from the newest publication on.
    pub(super) fn fallen(&mut self, index: usize, id: ChannelId) -> bool {
        if self.connections.slots[index].mid_channel() == Some(id) {
            // The frame that it was in the middle of was not saved in time; nothing is left to say.
            self.cut_off(index, id);
            return false;
        }
        if self.channels.get(id).notices_of().is_some() {
            return self.tell_instead(index, id);
        }
        if let Some(gap) = self.gap_of_break(index, id) {
            return self.pass_break(index, id, gap);
        }
        match self.config.slow_consumer {
            // Those who lag are expected to jump.
            _ if self.channels.get(id).rules.keep == Keep::Latest => self.skip(index, id),
            SlowConsumer::Close => {
                self.note_slow(index, id, "close");
                self.close_slow(index);
                false
            }
            SlowConsumer::Skip => {
                self.note_slow(index, id, "skip");
                self.skip(index, id)
            }
        }
    }

    /// The deliveries' counts follow the policy for slow consumers.
    pub(super) fn tell_channels_the_policy(&mut self) {
        self.channels.set_fallen(match self.config.slow_consumer {
            SlowConsumer::Close => Passage::Gone,
            SlowConsumer::Skip => Passage::Skipped,
        });
    }

    /// Closes a connection as somebody has asked for it: behind everything that was published before.
    pub(super) fn close_in_order(&mut self, index: usize, code: CloseCode, reason: &str, cause: CloseReason) {
        if self.bring_up_to_date(index, None) {
            let _ = self.begin_close(index, code, reason, cause);
        }
    }

    /// Says the end as the transport does, after the frame under way and what waits for this connection, and lets
    /// the peer answer if that is its turn.
    pub(super) fn begin_close(
        &mut self,
        index: usize,
        code: CloseCode,
        reason: &str,
        cause: CloseReason,
    ) -> Result<(), Gone> {
        if self.connections.slots[index].phase != Phase::Open {
            return Ok(());
        }
        if self.connections.slots[index].is_polling() {
            return self.dismiss_poll(index);
        }
        // Its answer is to be read.
        self.end_pause(index);
        self.give_up_sending(index);
        self.keep_frame_under_way(index);
        let transport = self.connections.slots[index].transport;
        let departure = self.departure(index, cause);
        self.leave_channels(index, departure);
        self.leave_app(index, departure);
        self.connections.leave_user(index);
        let until_ms = self.now.mono_ms() + CLOSE_WAITS * self.config.pong_wait_ms;
        let slot = &mut self.connections.slots[index];
        slot.phase = Phase::Closing;
        let serial = slot.serial;
        slot.extra_mut().ending =
            Some(Box::new(Ending { code, reason: reason.to_owned(), cause, left: 0, until_ms }));
        self.connections.leave_open(index);
        self.connections.census.closing += 1;
        if self.connections.slots[index].flags.any(Flags::BLOCKED)
            || self.connections.slots[index].outbox().is_some()
        {
            self.hold(index, |slot| slot.outbox_mut().close = true);
        } else {
            self.push_out(index, &transport.close(code, reason, serial))?;
        }
        self.await_close_written(index)
    }

    /// Gives back what half a request or message holds.
    pub(super) fn drop_input(&mut self, index: usize) {
        self.shares.chunks.set(narrow::to_u32(index), 0, || NOWHERE);
        let before = self.connections.slots[index].backlog_bytes();
        let Some(extra) = &mut self.connections.slots[index].extra else { return };
        message::abandon(&mut extra.assembly, &mut self.pool);
        if let Some(mut request) = extra.http.take() {
            self.pool.release(&mut request.chain);
        }
        if let Some(aside) = &mut extra.aside {
            aside.stash = Box::default();
            aside.flow.iter_mut().for_each(|flow| flow.incoming = Incoming::default());
        }
        self.connections.slots[index].tidy_flow();
        self.recount_backlog(index, before);
    }

    /// The connection is gone: its slot is free, its descriptor closed.
    pub(super) fn remove(&mut self, index: usize, cause: CloseReason) {
        self.give_up_sending(index);
        let untold = self.give_up_owed(index);
        let departure = self.departure(index, cause);
        self.leave_channels(index, departure);
        self.leave_app(index, departure);
        self.connections.leave_user(index);
        self.drop_input(index);
        let mut slot = self.connections.slots.remove(index);
        self.wire.backlog_bytes -= slot.backlog_bytes();
        self.shares.backlog.set(narrow::to_u32(index), 0, || NOWHERE);
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
        self.connections.leave(index, &mut slot);
        match slot.phase {
            // It was counted when it was refused, and nobody has heard of it.
            Phase::Open | Phase::Closing if slot.kind == Kind::REFUSED => {}
            Phase::Open | Phase::Closing => self.tell_closed(index, slot, cause, untold),
            Phase::Http | Phase::Admin => {
                // That a client has gone, or was answered and told to go, is how HTTP ends; the rest is our doing.
                let ours =
                    [CloseReason::Idle, CloseReason::Unread, CloseReason::Drain, CloseReason::ShownOut];
                if ours.contains(&cause) {
                    self.metrics.closed(cause);
                }
            }
        }
    }

    /// Tells the log and the handler that a WebSocket is gone. `untold`: its close frame has not left.
    fn tell_closed(&mut self, index: usize, mut slot: Slot<S>, cause: CloseReason, untold: bool) {
        let id = slot.id(index);
        let extra = slot.extra.take().unwrap_or_default();
        let user = extra.user.as_ref().map(|user| &*user.name);
        let (code, reason, cause) = match extra.ending {
            Some(ending) if !untold => (ending.code, ending.reason, ending.cause),
            // It went before it was told why.
            Some(ending) if cause != CloseReason::Drain => (ABNORMAL_CLOSURE, String::new(), ending.cause),
            _ => (ABNORMAL_CLOSURE, String::new(), cause),
        };
        self.metrics.closed(cause);
        let fields: [(&str, &dyn std::fmt::Display); 3] =
            [("conn", &id), ("code", &code.0), ("cause", &cause.name())];
        self.journal.event(self.now, LogLevel::Debug, "closed", &fields);
        match slot.kind {
            // A poll was never open to the host.
            Kind::PUSH if slot.transport == Transport::Poll => {}
            kind if kind.is_push() => {
                let (at, handler) = handler_of(&mut *self.handler, &mut self.routes, kind);
                let mut closed = Closed::new(id, user, (code, &reason)).with(at, extra.hosted);
                self.shared.own().begin();
                handler.on_closed(&mut closed);
                self.shared.own().end();
            }
            Kind::CHAT if DEMO_SHOWN => {
                let line = chat::left(user.unwrap_or("?"));
                // With the inbox full, one line about a guest is the least of what is missing.
                let _ = self.say_in_chat(&line);
            }
            _ => {}
        }
    }
}

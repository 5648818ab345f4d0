//! The work that time brings: deadlines, heartbeats, and channels out of use.

use crate::config::{Config, TokenAuth};
use crate::limits::SWEEP_MS;
use crate::metrics::{CloseReason, CpuPurpose, RefuseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::response::Refusal;
use crate::time::earliest;

use super::reactor::Reactor;
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;
use super::stamp::UNSEEN_MS_MAX;
use super::timers::{Deadlines, Timers};
use super::work::{DEADLINE, SLOT};

/// Slots that each piece of the sweep visits if there are so many: of a server with no more of them everybody is
/// visited every time. 48 KiB of slots are read in about 10 us.
const SWEEP_SLOTS_MIN: usize = 1_024;

/// Between two ticks at the most, where nothing is due before.
const TICK_MS_MAX: u64 = 5_000;

/// The same where tokens expire: by the calendar, which may be set.
const TICK_WITH_TOKENS_MS_MAX: u64 = 1_000;

/// A client that can fetch a new token is told so long before its own expires.
const EXPIRY_TOLD_S: u64 = 25;

impl<S: Socket> Reactor<S> {
    /// Does what is due by now. True: the server has drained.
    pub(super) fn due(&mut self) -> bool {
        let now_ms = self.now.mono_ms();
        let is_tick = now_ms >= self.connections.timers.tick_ms;
        self.work.begin_part();
        self.meet_deadlines();
        self.meet_polls();
        self.give_up_lost();
        if !self.apps.are_none() {
            self.meet_app_timers();
            self.meet_watchers();
            self.meet_app_polls();
        }
        if is_tick {
            self.rates.sample(now_ms, &self.metrics);
            self.connections.timers.begin_retries();
            self.begin_sweep();
            self.look_at_keys();
            self.give_memory_back();
            self.look_in_passing();
            self.forget_revoked();
        }
        self.work.begin_part();
        self.retry();
        self.spent_cpu(CpuPurpose::Other);
        self.sweep();
        self.spent_cpu(CpuPurpose::Heartbeat);
        self.look_at_channels(is_tick);
        self.end_handover();
        self.drain()
    }

    /// Takes out a connection whose deadline has passed, as far as the turn goes.
    fn pop_due(&mut self, of: fn(&mut Timers) -> &mut Deadlines, length_ms: u64) -> Option<(usize, u32)> {
        let now_ms = self.now.mono_ms();
        of(&mut self.connections.timers).due_ms(length_ms).filter(|&due_ms| due_ms <= now_ms)?;
        if self.work.is_part_used() {
            self.work.cut(WorkKind::Deadlines);
            return None;
        }
        self.work.charge(WorkKind::Deadlines, DEADLINE);
        of(&mut self.connections.timers).pop_due(now_ms, length_ms)
    }

    fn meet_deadlines(&mut self) {
        let now_ms = self.now.mono_ms();
        while let Some((index, serial)) =
            self.pop_due(|timers| &mut timers.handshakes, self.config.handshake_ms)
        {
            self.request_due(index, serial);
        }
        while let Some((index, serial)) = self.pop_due(|timers| &mut timers.messages, self.config.message_ms)
        {
            self.message_due(index, serial);
        }
        while let Some((index, serial)) = self.pop_due(|timers| &mut timers.closes, self.config.close_wait_ms)
        {
            let slot = self.connections.get(index, serial).map(|slot| &*slot);
            if self.exit.draining.is_some() && slot.is_some_and(|slot| slot.flags.any(Flags::BLOCKED)) {
                // It is still being written to; in the drain that may take until its end.
                self.connections.timers.closes.push(index, serial, now_ms);
                continue;
            }
            if slot.is_some_and(|slot| slot.phase == Phase::Closing || slot.flags.any(Flags::FINISH)) {
                self.remove(index, CloseReason::Client);
            }
        }
        while let Some((index, serial)) =
            self.pop_due(|timers| &mut timers.close_progress, self.config.pong_wait_ms)
        {
            self.check_close_progress(index, serial);
        }
    }

    /// When something will be due.
    pub(super) fn next_due_ms(&self) -> Option<u64> {
        let times = [
            self.connections.timers.handshakes.due_ms(self.config.handshake_ms),
            self.connections.timers.messages.due_ms(self.config.message_ms),
            self.connections.timers.closes.due_ms(self.config.close_wait_ms),
            self.connections.timers.close_progress.due_ms(self.config.pong_wait_ms),
            // An empty server sleeps.
            (!self.connections.slots.is_empty() || self.has_memory_to_give())
                .then_some(self.connections.timers.tick_ms),
            (self.channels.len() > 1 || self.channels.have_other_forms())
                .then_some(self.connections.timers.channels_ms),
            self.attendances.due_ms(self.config.presence_grace_ms),
            self.apps.due_ms(self.config.presence_grace_ms),
            self.end_due_ms(),
            self.paced_due_ms(),
            self.connections.timers.polls_due_ms(),
        ];
        earliest(times)
    }

    /// A request's time is up. The deadline may belong to an earlier request of the same connection.
    fn request_due(&mut self, index: usize, serial: u32) {
        let now_ms = self.now.mono_ms();
        let Some(slot) = self.connections.get(index, serial) else {
            return;
        };
        if !matches!(slot.phase, Phase::Http | Phase::Admin) || slot.flags.any(Flags::FINISH) {
            return;
        }
        let request = slot.extra.as_ref().and_then(|extra| extra.http.as_ref());
        // The first request's time counts from the accept, a later one's from its first byte.
        let late = !slot.flags.any(Flags::SERVED)
            || request.is_some_and(|request| request.since_ms + self.config.handshake_ms <= now_ms);
        if !late {
            return;
        }
        if slot.phase == Phase::Http && slot.flags.any(Flags::UNDECIDED) {
            return self.decision_due(index);
        }
        let silent = request.is_none();
        let peer = self.connections.peer(index);
        self.refused(RefuseReason::Timeout, "no whole request within handshake_ms", peer);
        if silent {
            self.remove(index, CloseReason::Client);
            return;
        }
        let refusal = Refusal::fixed(408, "the request did not arrive in time (handshake_ms)");
        self.say_no(index, &refusal);
        let _ = self.send_replies(index).and_then(|()| self.finish(index));
    }

    /// Everybody has been visited in one tick: the next one is when the first of them will have been silent for long
    /// enough, so that a machine with little to do sleeps. A newcomer's time is over later than that, since no time
    /// is shorter than what is waited here.
    fn sleep_until_due(&mut self) {
        // The kernel's keys are looked at in time however much is sent with them.
        let has_kernel_tls = self.connections.census.kernel_tls > 0;
        let is_busy = self.has_memory_to_give() || self.exit.draining.is_some() || has_kernel_tls;
        if is_busy || self.connections.used > SWEEP_SLOTS_MIN {
            return;
        }
        let has_tokens = self.config.auth != TokenAuth::None || self.config.auth_webhook.is_some();
        let most_ms = if has_tokens { TICK_WITH_TOKENS_MS_MAX } else { TICK_MS_MAX };
        let length_ms = self.shortest_time_ms().min(most_ms);
        self.connections.timers.sleep(self.now.mono_ms(), length_ms);
    }

    /// The shortest silence that is waited for.
    fn shortest_time_ms(&self) -> u64 {
        let Config { heartbeat_ms, pong_wait_ms, keep_alive_ms, .. } = self.config;
        let times = [heartbeat_ms, pong_wait_ms, keep_alive_ms, self.connections.timers.idle.ms];
        times.into_iter().filter(|&ms| ms > 0).fold(UNSEEN_MS_MAX, u64::min).max(SWEEP_MS)
    }

    /// A tick has come: its share of the slots is due. Everyone is visited once per period, so a silence is noticed at
    /// most one period late; with few slots at the next tick.
    fn begin_sweep(&mut self) {
        self.connections.timers.begin_tick(self.now.mono_ms());
        let share = (self.connections.used as u64 * SWEEP_MS).div_ceil(self.shortest_time_ms());
        let share = narrow::to_usize(share);
        self.connections.timers.sweep_due =
            (self.connections.timers.sweep_due + share.max(SWEEP_SLOTS_MIN)).min(self.connections.used);
    }

    /// Visits the slots that are due, as far as the turn goes.
    fn sweep(&mut self) {
        if self.connections.timers.sweep_due == 0 {
            return;
        }
        while self.connections.timers.sweep_due > 0 {
            if self.work.is_part_used() {
                self.work.cut(WorkKind::Sweep);
                return;
            }
            self.work.charge(WorkKind::Sweep, SLOT);
            self.connections.timers.sweep_due -= 1;
            if self.connections.timers.sweep_next >= self.connections.used {
                self.connections.timers.sweep_next = 0;
                self.connections.timers.idle.begin_anew();
            }
            self.visit(self.connections.timers.sweep_next);
            self.connections.timers.sweep_next += 1;
        }
        self.sleep_until_due();
    }

    fn visit(&mut self, index: usize) {
        let now_ms = self.now.mono_ms();
        let is_boxed = |slot: &Slot<S>| slot.phase == Phase::Open && slot.extra.is_some();
        if self.connections.slots.get(index).is_some_and(is_boxed) {
            if self.connections.slots[index].has_token() {
                self.look_at_token(index);
            }
            if self.connections.slots.get(index).is_some_and(is_boxed) {
                self.close_idle(index);
            }
        }
        let Some(slot) = self.connections.slots.get_mut(index) else { return };
        let silent_ms = slot.seen.age_ms(now_ms);
        slot.seen = slot.seen.aged(now_ms);
        let slot = &self.connections.slots[index];
        let interval_ms = self.interval_ms(slot).unwrap_or(u64::MAX);
        let patience_ms = match slot.phase {
            Phase::Http | Phase::Admin if slot.flags.any(Flags::FINISH) => self.config.close_wait_ms,
            Phase::Http | Phase::Admin => self.config.keep_alive_ms,
            Phase::Open if slot.flags.any(Flags::PINGED) => self.config.pong_wait_ms,
            Phase::Open if interval_ms > silent_ms => interval_ms,
            // One that was to hear something and takes nothing.
            Phase::Open => interval_ms.saturating_add(self.config.pong_wait_ms),
            _ => u64::MAX,
        };
        if silent_ms < patience_ms {
            self.connections.timers.due(now_ms.saturating_add(patience_ms - silent_ms));
        }
        match slot.phase {
            // Everything is said, and nobody takes it. One that reads, however slowly, is not silent.
            Phase::Http | Phase::Admin
                if slot.flags.any(Flags::FINISH)
                    && slot.flags.any(Flags::BLOCKED)
                    && silent_ms >= self.config.close_wait_ms
                    && self.exit.draining.is_none() =>
            {
                self.remove(index, CloseReason::Unread);
            }
            Phase::Http | Phase::Admin if silent_ms >= self.config.keep_alive_ms => {
                self.remove(index, CloseReason::Idle);
            }
            Phase::Open if self.config.heartbeat_ms > 0 => self.heartbeat(index, silent_ms),
            _ => {}
        }
    }

    /// Closes an open connection whose token has expired, or tells it that it will.
    fn look_at_token(&mut self, index: usize) {
        let unix_s = self.now.unix_us / 1_000_000;
        let slot = &self.connections.slots[index];
        if slot.is_token_over(unix_s) {
            let (code, cause) = (CloseCode::POLICY_VIOLATION, CloseReason::Expired);
            self.close_in_order(index, code, "the token has expired", cause);
        } else if slot.transport.tells_expiry()
            && let Some(expires_s) = slot.expiry_to_tell_s(unix_s, EXPIRY_TOLD_S)
        {
            self.tell_expiry(index, expires_s.saturating_sub(unix_s));
        }
    }

    /// Looks for what channels can do without, when that is due; with a tick a little earlier, which saves a wake-up.
    fn look_at_channels(&mut self, is_tick: bool) {
        let now_ms = self.now.mono_ms();
        let timers = &mut self.connections.timers;
        if now_ms < if is_tick { timers.channels_early_ms } else { timers.channels_ms } {
            return;
        }
        let wait_ms = if self.forget_channels() { SWEEP_MS } else { self.channels_wait_ms() };
        let timers = &mut self.connections.timers;
        (timers.channels_early_ms, timers.channels_ms) = (now_ms + wait_ms / 2, now_ms + wait_ms);
    }

    /// Between two such looks: the shortest time that anything in a channel lasts, but no more often than the server
    /// wakes up anyway. What is over is gone without them; they give its memory back.
    fn channels_wait_ms(&self) -> u64 {
        let forms = self.channels.have_other_forms().then_some(self.config.close_wait_ms);
        let times = [forms, self.channels.shortest_ttl_ms(), Some(self.config.channel_idle_ms)];
        times.into_iter().flatten().fold(TICK_MS_MAX, u64::min).max(SWEEP_MS)
    }

    /// True: there is more than can be done at once.
    fn forget_channels(&mut self) -> bool {
        let has_more_keys = self.shared.expire_keys(self.now.unix_us);
        self.channels.drop_unused_rings(self.now.mono_ms(), self.config.close_wait_ms);
        self.expire();
        self.forget_breaks();
        self.forget_idle(self.config.flush_slice) || has_more_keys
    }
}

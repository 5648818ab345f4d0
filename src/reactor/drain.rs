//! The end of the server. Newcomers are turned away, what is published still goes out, and then everybody is told. The
//! operator can look, and a publisher is answered, until the others are gone.

use std::fmt::Display;

use crate::config::LogLevel;
use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;

use super::reactor::{ListenerRole, Reactor};
use super::slot::{Flags, Phase, Slot};
use super::socket::Socket;

/// How long a server with `reuseport` goes on serving after it was told to end: connections that are on their way to
/// its listeners would be reset if it closed them at once. The kernel holds them back for about a second at the most
/// (TCP_DEFER_ACCEPT).
const HANDOVER_MS: u64 = 1_500;

/// How long an HTTP connection on which nothing is asked is kept at the beginning of the end, unless the whole end is
/// short: a request that is on its way gets its answer.
const LINGER_MS: u64 = 500;

/// The end of the time for the drain that is left to whoever is told last, at the most.
const LAST_WORD_MS: u64 = 250;

/// So many are told a second in any case: few that come back at once are no crowd, and a small server need not take
/// its time.
const TOLD_PER_SECOND_MIN: u64 = 1_000;

/// Between two slices of those who are told.
const TICK_MS: u64 = 10;

/// The time before the end, in which newcomers go to the successor.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handover {
    until_ms: u64,
    deadline_ms: u64,
}

/// The end of the server, under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// When whoever is left is cut off.
    deadline_ms: u64,
    /// Until when requests are waited for.
    linger_until_ms: u64,
    /// Who is told now.
    round: Round,
    /// The slot to look at next.
    next: usize,
    /// How the open ones are told, once that has begun: evenly, so that they don't all come back at once.
    spread: Option<Spread>,
}

/// Those who are told in time.
#[derive(Clone, Copy, Debug)]
struct Spread {
    began_ms: u64,
    per_second: u64,
    told: u64,
}

impl Spread {
    /// So many, of whom the last is told before the end.
    fn new(open: usize, now_ms: u64, deadline_ms: u64) -> Spread {
        let left_ms = deadline_ms.saturating_sub(now_ms);
        let spread_ms = left_ms - LAST_WORD_MS.min(left_ms / 10);
        let per_second = (open as u64 * 1_000).div_ceil(spread_ms.max(1));
        Spread { began_ms: now_ms, per_second: per_second.max(TOLD_PER_SECOND_MIN), told: 0 }
    }

    /// How many may be told by now.
    fn allowance(&self, now_ms: u64) -> u64 {
        let passed_ms = now_ms.saturating_sub(self.began_ms);
        (passed_ms.saturating_mul(self.per_second) / 1_000 + 1).saturating_sub(self.told)
    }
}

/// Those who are told one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Round {
    /// Open connections.
    Open,
    /// HTTP connections on the public listeners.
    Http,
    /// Those on the admin listener.
    Admin,
}

impl<S: Socket> Reactor<S> {
    /// Begins the end: nothing more is taken in, what is published still goes out. Asked for again it can only
    /// come sooner.
    pub(super) fn begin_drain(&mut self, within_ms: Option<u64>) {
        let (now_ms, drain_ms) = (self.now.mono_ms(), within_ms.unwrap_or(self.config.drain_ms));
        let deadline_ms = now_ms.saturating_add(drain_ms);
        let until_ms = now_ms + HANDOVER_MS.min(drain_ms / 2);
        if let Some(drain) = &mut self.exit.draining {
            drain.deadline_ms = drain.deadline_ms.min(deadline_ms);
        } else if let Some(handover) = &mut self.exit.handover {
            handover.until_ms = handover.until_ms.min(until_ms);
            handover.deadline_ms = handover.deadline_ms.min(deadline_ms);
        } else if self.config.reuseport {
            self.exit.handover = Some(Handover { until_ms, deadline_ms });
            if self.shared.is_first() {
                self.journal.event(self.now, LogLevel::Info, "handing_over", &[]);
            }
        } else {
            self.drain_until(deadline_ms);
        }
    }

    /// Begins the drain if the time before it is over.
    pub(super) fn end_handover(&mut self) {
        let now_ms = self.now.mono_ms();
        if let Some(Handover { deadline_ms, .. }) =
            self.exit.handover.take_if(|handover| now_ms >= handover.until_ms)
        {
            self.drain_until(deadline_ms);
        }
    }

    /// Begins the end of a server whose successor has taken over: of those who are left.
    #[cfg(feature = "handover")]
    pub(super) fn drain_the_rest(&mut self) {
        self.exit.leaves_state = true;
        self.drain_until(self.now.mono_ms().saturating_add(self.config.drain_ms));
    }

    fn drain_until(&mut self, deadline_ms: u64) {
        // Publishers are told so by the first one, when it says so to those whom it answers.
        if self.shared.is_first() {
            self.shared.stop();
        }
        let now_ms = self.now.mono_ms();
        let drain_ms = deadline_ms.saturating_sub(now_ms);
        let linger_until_ms = now_ms + LINGER_MS.min(drain_ms / 4);
        let (round, next, spread) = (Round::Open, 0, None);
        self.exit.draining = Some(Drain { deadline_ms, linger_until_ms, round, next, spread });
        self.connections.timers.hurry();
        let elsewhere = self.connections.public_of_all() - self.connections.census.public;
        let count = self.connections.slots.len() + elsewhere;
        let fields: [(&str, &dyn Display); 2] = [("connections", &count), ("drain_ms", &drain_ms)];
        if self.shared.is_first() {
            self.journal.event(self.now, LogLevel::Info, "draining", &fields);
        }
    }

    /// When the end goes on by itself.
    pub(super) fn end_due_ms(&self) -> Option<u64> {
        let now_ms = self.now.mono_ms();
        let drain = self.exit.draining.map(|drain| match drain.linger_until_ms {
            _ if drain.next < self.connections.used => (now_ms + TICK_MS).min(drain.deadline_ms),
            until_ms if until_ms > now_ms => until_ms.min(drain.deadline_ms),
            _ => drain.deadline_ms,
        });
        drain.or(self.exit.handover.map(|handover| handover.until_ms))
    }

    /// Whether connections are still to be closed.
    pub(super) fn is_closing_all(&self) -> bool {
        self.exit.draining.is_some_and(|drain| {
            drain.next < self.connections.used
                && drain.spread.is_none_or(|spread| {
                    drain.round != Round::Open || spread.allowance(self.now.mono_ms()) > 0
                })
        })
    }

    /// Whether newcomers are the successor's already.
    pub fn is_handing_over(&self) -> bool {
        self.exit.handover.is_some()
    }

    /// Whether the end has begun.
    pub fn is_draining(&self) -> bool {
        self.exit.draining.is_some()
    }

    /// Whether the end has come so far that nobody is let in by this listener any more.
    pub fn is_shut(&self, role: ListenerRole) -> bool {
        self.exit.draining.is_some_and(|drain| role == ListenerRole::Public || drain.round == Round::Admin)
    }

    /// Closes a slice of the connections. True: everyone is gone.
    pub(super) fn drain(&mut self) -> bool {
        let Some(drain) = self.exit.draining else { return false };
        if self.now.mono_ms() >= drain.deadline_ms {
            let left = self.connections.slots.len();
            for index in 0..self.connections.used {
                if self.connections.slots.contains(index) {
                    self.remove(index, CloseReason::Drain);
                }
            }
            self.shared.totals.cut_off(left);
            return self.say_drained();
        }
        // Publications made before the end go out before the close frames.
        if self.channels.is_dirty() || self.has_pending() || self.shared.waiting_here() > 0 {
            return false;
        }
        let drain = self.tell_slice(drain);
        self.exit.draining = Some(self.after_slice(drain));
        self.connections.slots.is_empty() && self.say_drained()
    }

    /// Nobody is left here. False: the others are still to come to their end.
    fn say_drained(&mut self) -> bool {
        if self.shared.is_first() && self.is_last() {
            let left = self.shared.totals.were_cut_off();
            self.journal.event(self.now, LogLevel::Info, "drained", &[("cut_off", &left)]);
        }
        self.is_last()
    }

    /// The operator can look until all reactors have nobody any more, which is the first one's to see.
    fn is_last(&self) -> bool {
        !self.shared.is_first() || self.shared.have_others_ended()
    }

    /// Tells a slice of them, as far as their time has come.
    fn tell_slice(&mut self, drain: Drain) -> Drain {
        let now_ms = self.now.mono_ms();
        let open = self.connections.census.open();
        let mut spread = drain.spread.unwrap_or_else(|| Spread::new(open, now_ms, drain.deadline_ms));
        let mut allowance = match drain.round {
            Round::Open => spread.allowance(now_ms),
            Round::Http | Round::Admin => u64::MAX,
        };
        let until = self.connections.used.min(drain.next.saturating_add(self.config.flush_slice));
        let mut next = drain.next;
        while next < until && allowance > 0 {
            if self.connections.slots.get(next).is_some_and(|slot| is_told(slot, drain.round)) {
                self.tell_the_end(next);
                (allowance, spread.told) = (allowance - 1, spread.told + 1);
            }
            next += 1;
        }
        Drain { next, spread: Some(spread), ..drain }
    }

    fn tell_the_end(&mut self, index: usize) {
        if self.connections.slots[index].phase == Phase::Open {
            let (code, reason) = (CloseCode::GOING_AWAY, "the server is going away");
            self.close_in_order(index, code, reason, CloseReason::GoingAway);
        } else {
            let _ = self.finish(index);
        }
    }

    /// Goes on to the next round when it is time for that.
    fn after_slice(&self, drain: Drain) -> Drain {
        let lingers = self.now.mono_ms() < drain.linger_until_ms;
        let round = match drain.round {
            _ if drain.next < self.connections.used || lingers => return drain,
            Round::Open => Round::Http,
            Round::Http if self.connections.census.public == 0 && self.is_last() => Round::Admin,
            Round::Http | Round::Admin => return drain,
        };
        Drain { round, next: 0, ..drain }
    }
}

/// Whether it is this connection's turn to be told. A request of the operator's that has begun is still answered, and
/// with that the connection ends.
fn is_told<S>(slot: &Slot<S>, round: Round) -> bool {
    let asks = || slot.extra.as_ref().is_some_and(|extra| extra.http.is_some());
    match slot.phase {
        Phase::Http | Phase::Admin if slot.flags.any(Flags::FINISH) => false,
        Phase::Open => round == Round::Open,
        Phase::Http => round == Round::Http,
        Phase::Admin => round == Round::Admin && !(slot.flags.any(Flags::KNOWN) && asks()),
        Phase::Closing => false,
    }
}

//! The flush of what has a pace: the same walk, in slices as large as the time that has passed allows.

use crate::narrow;
use crate::push::{ChannelId, Part};

use super::reactor::Reactor;
use super::socket::Socket;

/// Between two slices of a channel, unless its pace is slower than that: so many wake-ups a second are nothing, and
/// what goes out together is no crowd.
const TICK_MS: u64 = 10;

/// The channels whose publications go out at a pace, as they are looked after.
#[derive(Debug, Default)]
pub(super) struct Paced {
    /// Those of this turn; a buffer.
    ids: Vec<ChannelId>,
    /// When the next of their subscribers is to be written to.
    due_ms: u64,
}

impl<S: Socket> Reactor<S> {
    /// Writes to those subscribers whose time has come.
    #[inline]
    pub(super) fn flush_paced(&mut self) {
        if self.channels.has_paced() {
            self.flush_each_paced();
        }
    }

    #[cold]
    fn flush_each_paced(&mut self) {
        let mut ids = std::mem::take(&mut self.walk.paced.ids);
        while let Some(id) = self.channels.next_paced() {
            ids.push(id);
        }
        let (mut budget, now_ms) = (self.config.flush_slice, self.now.mono_ms());
        let mut due_ms = u64::MAX;
        // Another one is the first in each turn, in case there is too much to do.
        let first = narrow::to_usize(self.metrics.sends) % ids.len().max(1);
        ids.rotate_left(first);
        for id in ids.drain(..) {
            let visited = self.write_paced(id, budget);
            budget = budget.saturating_sub(visited);
            let Some(channel) = self.channels.try_get(id) else { continue };
            if let Some(at_ms) = channel.pace_due_ms().filter(|_| channel.is_paced()) {
                let soonest_ms = if budget == 0 { now_ms } else { now_ms + TICK_MS };
                due_ms = due_ms.min(at_ms.max(soonest_ms));
                self.channels.requeue(id, true);
            }
        }
        self.walk.paced = Paced { ids, due_ms };
    }

    /// This reactor's part of a rate.
    pub(super) fn part(&self) -> Part {
        Part::new(self.shared.seat(), self.shared.reactors())
    }

    /// Walks on through a channel as far as its pace and the turn allow; how many subscribers it has visited.
    fn write_paced(&mut self, id: ChannelId, budget: usize) -> usize {
        let part = self.part();
        let Some(channel) = self.channels.try_get_mut(id) else { return 0 };
        let allowance = narrow::clamped(channel.pace_allowance(part, self.now.mono_us));
        let (mut left, mut visited) = (allowance.min(budget), 0);
        while left > 0 && visited < budget {
            let sends = self.metrics.sends;
            let step = self.walk_on(id, left.min(budget - visited));
            // A record of TLS and what is said behind it are calls of their own.
            let written = narrow::to_usize(self.metrics.sends - sends).min(step.visited);
            visited += step.visited;
            left -= written;
            let Some(channel) = self.channels.try_get_mut(id) else { break };
            channel.pace_spent(written as u64);
            if step.is_over {
                break;
            }
        }
        visited
    }

    /// When the next subscriber is to be written to.
    pub(super) fn paced_due_ms(&self) -> Option<u64> {
        self.channels.has_paced().then_some(self.walk.paced.due_ms)
    }
}

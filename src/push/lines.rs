//! The channels that have something to flush, in turn: those of a higher priority come first.

use std::collections::VecDeque;

use super::channels::ChannelId;
use super::rules::Priority;

/// When others have come before them so often, it is the turn of those who wait, so that nobody waits for ever: their
/// logs have bounds.
const PASSED_OVER_MAX: u8 = 7;

/// A line for each priority.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines {
    high: VecDeque<ChannelId>,
    normal: VecDeque<ChannelId>,
    low: VecDeque<ChannelId>,
    /// How often somebody has been taken while others waited behind.
    passed_over: u8,
}

impl Lines {
    /// A channel comes, behind those of the same priority.
    pub fn push(&mut self, id: ChannelId, priority: Priority) {
        match priority {
            Priority::High => self.high.push_back(id),
            Priority::Normal => self.normal.push_back(id),
            Priority::Low => self.low.push_back(id),
        }
    }

    /// The next one to be walked over.
    pub fn pop(&mut self) -> Option<ChannelId> {
        let Lines { high, normal, low, passed_over } = self;
        let is_others_turn = *passed_over >= PASSED_OVER_MAX;
        let lines = if is_others_turn { [low, normal, high] } else { [high, normal, low] };
        let at = lines.iter().position(|line| !line.is_empty())?;
        let have_others = lines[at + 1..].iter().any(|line| !line.is_empty());
        *passed_over = if have_others && !is_others_turn { *passed_over + 1 } else { 0 };
        lines[at].pop_front()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.high.is_empty() && self.normal.is_empty() && self.low.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urgent_ones_come_first_and_nobody_waits_for_ever() {
        let mut lines = Lines::default();
        lines.push(ChannelId(1), Priority::Low);
        lines.push(ChannelId(2), Priority::Normal);
        lines.push(ChannelId(3), Priority::High);
        lines.push(ChannelId(4), Priority::High);
        let order: Vec<u32> = std::iter::from_fn(|| lines.pop()).map(|id| id.0).collect();
        assert_eq!(order, [3, 4, 2, 1]);
        assert!(lines.is_empty());
        // The urgent one has always more to write.
        let mut lines = Lines::default();
        lines.push(ChannelId(1), Priority::Low);
        let popped = (0..16).map(|_| {
            lines.push(ChannelId(3), Priority::High);
            lines.pop().map(|id| id.0)
        });
        assert_eq!(popped.filter(|id| *id == Some(1)).count(), 1);
    }

    #[test]
    fn while_nobody_waits_long_the_urgent_one_is_always_first() {
        let mut lines = Lines::default();
        for _ in 0..20 {
            lines.push(ChannelId(2), Priority::Normal);
            lines.push(ChannelId(3), Priority::High);
            let order = [lines.pop(), lines.pop(), lines.pop()];
            assert_eq!(order, [Some(ChannelId(3)), Some(ChannelId(2)), None]);
        }
    }
}

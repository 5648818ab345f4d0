//! Deadlines. All of one sort have the same length, so a queue is a timer: the first in is the first due. That length
//! may change with a reload, for those under way as well; what is kept is therefore when each began.

use std::collections::{BTreeMap, VecDeque};

use crate::limits::SWEEP_MS;
use crate::narrow;

#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
struct Entry {
    index: u32,
    serial: u32,
    since_ms: u64,
}

/// Entries from which on it is looked whether they are still awaited.
const AMONG_MIN: usize = 256;

/// Room for four times as many is kept.
const DEADLINES_KEPT: usize = 16;

/// Deadlines of one length. An entry whose connection is long gone is dropped when its time comes.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Deadlines(VecDeque<Entry>);

impl Deadlines {
    /// Adds a connection whose time begins now.
    pub(super) fn push(&mut self, index: usize, serial: u32, now_ms: u64) {
        self.0.push_back(Entry { index: narrow::to_u32(index), serial, since_ms: now_ms });
    }

    /// As [`push`](Self::push), where more may begin and end than their time lets pass: before there is room for more
    /// entries, those go that are not `awaited` any more.
    pub(super) fn push_among(
        &mut self,
        index: usize,
        serial: u32,
        now_ms: u64,
        awaited: impl Fn(usize, u32, u64) -> bool,
    ) {
        let capacity = self.0.capacity();
        if self.0.len() == capacity && capacity >= AMONG_MIN {
            self.0.retain(|entry| awaited(entry.index as usize, entry.serial, entry.since_ms));
            if self.0.len() > capacity / 2 {
                self.0.reserve_exact(2 * capacity - self.0.len());
            }
        }
        self.push(index, serial, now_ms);
    }

    /// The next deadline, if all are of this length.
    pub(super) fn due_ms(&self, length_ms: u64) -> Option<u64> {
        self.0.front().map(|entry| entry.since_ms + length_ms)
    }

    /// Takes out a connection (slot and serial number) whose deadline has passed.
    pub(super) fn pop_due(&mut self, now_ms: u64, length_ms: u64) -> Option<(usize, u32)> {
        let entry = *self.0.front().filter(|entry| entry.since_ms + length_ms <= now_ms)?;
        self.0.pop_front();
        // A storm of connections leaves no memory behind, nor do as many as a small machine has.
        if self.0.capacity() > 4 * self.0.len().max(DEADLINES_KEPT) {
            self.0.shrink_to(2 * self.0.len());
        }
        Some((entry.index as usize, entry.serial))
    }
}

/// The shortest idle time-out of a session: everybody is looked at as often as it needs.
#[derive(Clone, Copy, Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct ShortestIdle {
    /// As far as is known, in milliseconds.
    pub ms: u64,
    /// Among those that the sweep has come by since it began anew.
    found_ms: u64,
}

impl ShortestIdle {
    /// A session has this one.
    pub(super) fn note(&mut self, ms: u64) {
        (self.ms, self.found_ms) = (self.ms.min(ms), self.found_ms.min(ms));
    }

    /// The sweep has come by everybody.
    pub(super) fn begin_anew(&mut self) {
        (self.ms, self.found_ms) = (self.found_ms, u64::MAX);
    }
}

impl Default for ShortestIdle {
    fn default() -> ShortestIdle {
        ShortestIdle { ms: u64::MAX, found_ms: u64::MAX }
    }
}

/// All deadlines of the server.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub(super) struct Timers {
    /// From accept, or a request's first byte, to the request's end.
    pub handshakes: Deadlines,
    /// From a message's first byte to its last.
    pub messages: Deadlines,
    /// From our close frame to the peer's.
    pub closes: Deadlines,
    /// Between two looks whether a peer takes what is in front of our close frame.
    pub close_progress: Deadlines,
    /// Of sessions that have one of their own.
    pub idle: ShortestIdle,
    /// From a poll to its answer, by how long it waits, in milliseconds.
    pub polls: BTreeMap<u64, Deadlines>,
    /// Connections (slot and serial number) that the kernel had no memory for; looked at again with the next tick.
    retries: Vec<(u32, u32)>,
    /// Those of them whose tick has come.
    pub retrying: VecDeque<(u32, u32)>,
    /// The next tick of the sweep.
    pub tick_ms: u64,
    /// When it would be if there were a hurry.
    pub hurried_tick_ms: u64,
    /// The first of the times that those run into who were visited in this tick.
    pub due_ms: u64,
    /// How many slots the sweep has still to visit by now.
    pub sweep_due: usize,
    /// Which slot the sweep visits next.
    pub sweep_next: usize,
    /// When unused channels are looked for next,
    pub channels_ms: u64,
    /// and with a tick from here on.
    #[serde(skip)]
    pub channels_early_ms: u64,
}

impl Timers {
    pub(super) fn new(now_ms: u64) -> Timers {
        Timers {
            handshakes: Deadlines::default(),
            messages: Deadlines::default(),
            closes: Deadlines::default(),
            close_progress: Deadlines::default(),
            idle: ShortestIdle::default(),
            polls: BTreeMap::new(),
            retries: Vec::new(),
            retrying: VecDeque::new(),
            sweep_due: 0,
            tick_ms: now_ms,
            hurried_tick_ms: now_ms,
            due_ms: u64::MAX,
            sweep_next: 0,
            channels_ms: now_ms,
            channels_early_ms: now_ms,
        }
    }

    /// Has a connection looked at again soon.
    pub(super) fn retry(&mut self, slot: u32, serial: u32) {
        self.retries.push((slot, serial));
        self.hurry();
    }

    /// The tick has come of those who are to be looked at again.
    pub(super) fn begin_retries(&mut self) {
        self.retrying.extend(std::mem::take(&mut self.retries));
    }

    /// Lets the next tick come soon.
    pub(super) fn hurry(&mut self) {
        self.tick_ms = self.tick_ms.min(self.hurried_tick_ms);
    }

    /// A tick begins, and the next one comes soon unless it [turns out](Self::sleep) that it need not.
    pub(super) fn begin_tick(&mut self, now_ms: u64) {
        self.hurried_tick_ms = now_ms + SWEEP_MS;
        (self.tick_ms, self.due_ms) = (self.hurried_tick_ms, u64::MAX);
    }

    /// Somebody's time will be over then.
    pub(super) fn due(&mut self, at_ms: u64) {
        self.due_ms = self.due_ms.min(at_ms);
    }

    /// Everybody was visited in this tick. The next one is when the first one's time is over, but comes within
    /// `length_ms`.
    pub(super) fn sleep(&mut self, now_ms: u64, length_ms: u64) {
        if self.retries.is_empty() {
            self.tick_ms = self.due_ms.min(now_ms + length_ms).max(self.hurried_tick_ms);
        }
    }

    /// Somebody's time is over then: the next tick is no later, as far as ticks may come.
    pub(super) fn no_later_than(&mut self, due_ms: u64) {
        self.tick_ms = self.tick_ms.min(due_ms.max(self.hurried_tick_ms));
    }

    /// When the next poll is to be answered.
    pub(super) fn polls_due_ms(&self) -> Option<u64> {
        self.polls.iter().filter_map(|(&wait_ms, deadlines)| deadlines.due_ms(wait_ms)).min()
    }

    /// Takes out a poll (slot and serial number) whose time is up.
    pub(super) fn pop_due_poll(&mut self, now_ms: u64) -> Option<(usize, u32)> {
        self.polls.retain(|&wait_ms, deadlines| deadlines.due_ms(wait_ms).is_some());
        self.polls.iter_mut().find_map(|(&wait_ms, deadlines)| deadlines.pop_due(now_ms, wait_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_tick_is_when_the_first_ones_time_is_over() {
        let mut timers = Timers::new(5_300);
        let mut next = |due_ms: Option<u64>, length_ms| {
            timers.begin_tick(5_300);
            due_ms.into_iter().for_each(|due_ms| timers.due(due_ms));
            timers.sleep(5_300, length_ms);
            timers.tick_ms
        };
        assert_eq!((next(None, 1_000), next(Some(5_900), 1_000)), (6_300, 5_900));
        assert_eq!(
            (next(Some(9_000), 1_000), next(Some(5_310), 1_000), next(None, 50)),
            (6_300, 5_400, 5_400)
        );
    }

    #[test]
    fn what_is_tried_again_is_not_slept_over() {
        let mut timers = Timers::new(5_300);
        timers.begin_tick(5_300);
        timers.sleep(5_300, 1_000);
        timers.retry(3, 1);
        assert_eq!((timers.tick_ms, &timers.retries[..]), (5_400, &[(3, 1)][..]));
        timers.begin_tick(5_400);
        timers.sleep(5_400, 1_000);
        assert_eq!(timers.tick_ms, 5_500);
    }

    #[test]
    fn a_thousand_connections_leave_no_memory_behind() {
        let mut deadlines = Deadlines::default();
        (0..1_000).for_each(|n| deadlines.push(n, 1, 0));
        let popped = std::iter::from_fn(|| deadlines.pop_due(100, 100)).count();
        assert_eq!(popped, 1_000);
        assert!(deadlines.0.capacity() <= 4 * DEADLINES_KEPT, "{}", deadlines.0.capacity());
    }

    #[test]
    fn what_comes_first_is_due_first() {
        let mut deadlines = Deadlines::default();
        deadlines.push(1, 10, 0);
        deadlines.push(2, 11, 0);
        deadlines.push(3, 12, 50);
        assert_eq!((deadlines.due_ms(100), deadlines.pop_due(99, 100)), (Some(100), None));
        assert_eq!(
            (deadlines.pop_due(120, 100), deadlines.pop_due(120, 100)),
            (Some((1, 10)), Some((2, 11)))
        );
        assert_eq!((deadlines.pop_due(120, 100), deadlines.pop_due(150, 100)), (None, Some((3, 12))));
        assert_eq!(deadlines.due_ms(100), None);
    }

    #[test]
    fn what_is_not_awaited_any_more_takes_no_room() {
        let mut deadlines = Deadlines::default();
        for n in 0..100_000 {
            // Every hundredth message is never finished.
            deadlines.push_among(n, 1, n as u64, |index, _, since_ms| {
                index as u64 == since_ms && index % 100 == 0
            });
        }
        assert!(deadlines.0.capacity() <= 4_096, "{}", deadlines.0.capacity());
        let mut due = 0;
        while let Some((index, _)) = deadlines.pop_due(100_000, 0) {
            due += usize::from(index % 100 == 0);
        }
        assert_eq!(due, 1_000);
    }

    #[test]
    fn another_length_is_in_force_at_once() {
        let mut deadlines = Deadlines::default();
        deadlines.push(1, 10, 0);
        deadlines.push(2, 11, 60);
        assert_eq!(deadlines.pop_due(100, 600_000), None);
        assert_eq!((deadlines.due_ms(50), deadlines.pop_due(100, 50)), (Some(50), Some((1, 10))));
        assert_eq!((deadlines.pop_due(100, 50), deadlines.pop_due(110, 50)), (None, Some((2, 11))));
    }
}

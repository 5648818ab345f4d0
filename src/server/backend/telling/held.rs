//! Events that say that somebody has left, for the time in which that may not be for long.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Entries in the queue of times that may be of events taken back, beside as many as there are events.
const STALE_MAX: usize = 64;

/// Those events, and keys of others that are not to come again so soon.
pub(super) struct Held<E> {
    /// Each with its number.
    events: HashMap<Box<str>, (u64, Option<E>)>,
    /// When each is told, in order. Some of them are taken back meanwhile.
    due: VecDeque<(Instant, u64, Box<str>)>,
    kept: u64,
}

impl<E> Default for Held<E> {
    fn default() -> Held<E> {
        Held { events: HashMap::new(), due: VecDeque::new(), kept: 0 }
    }
}

impl<E> Held<E> {
    pub(super) fn len(&self) -> usize {
        self.events.len()
    }

    /// Those that are still to be told.
    pub(super) fn events(&self) -> usize {
        self.events.values().filter(|(_, event)| event.is_some()).count()
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.events.contains_key(key)
    }

    /// Holds an event back until then; or only its key.
    pub(super) fn keep(&mut self, key: Box<str>, until: Instant, event: Option<E>) {
        self.kept += 1;
        self.events.insert(key.clone(), (self.kept, event));
        self.due.push_back((until, self.kept, key));
        if self.due.len() > 2 * self.events.len() + STALE_MAX {
            let Held { events, due, .. } = self;
            due.retain(|(_, number, key)| events.get(key).is_some_and(|(own, _)| own == number));
        }
    }

    /// Takes the event of this key back. False: there is none.
    pub(super) fn take_back(&mut self, key: &str) -> bool {
        self.events.remove(key).is_some()
    }

    /// Gives up the oldest.
    pub(super) fn drop_oldest(&mut self) {
        let held = self.events.len();
        while self.events.len() == held
            && let Some((_, number, key)) = self.due.pop_front()
        {
            drop(self.take_due(number, &key));
        }
    }

    /// Moves the events that are due to those that are told; `None`: all of them are.
    pub(super) fn mature(&mut self, now: Option<Instant>, waiting: &mut VecDeque<E>) {
        let is_due = |until: Instant| now.is_none_or(|now| until <= now);
        while self.due.front().is_some_and(|(until, ..)| is_due(*until))
            && let Some((_, number, key)) = self.due.pop_front()
        {
            waiting.extend(self.take_due(number, &key));
        }
    }

    /// When the next one may be due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due.front().map(|(until, ..)| *until)
    }

    /// The event, unless it was taken back since, and perhaps another one put in its place.
    fn take_due(&mut self, number: u64, key: &str) -> Option<E> {
        self.events.get(key).filter(|(own, _)| *own == number)?;
        self.events.remove(key).and_then(|(_, event)| event)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn events_are_told_at_their_time_unless_they_are_taken_back() {
        let (mut held, mut waiting, begin) = (Held::default(), VecDeque::new(), Instant::now());
        let at = |s| begin + Duration::from_secs(s);
        for (key, until) in [("a", 1), ("b", 2), ("c", 3)] {
            held.keep(key.into(), at(until), Some(key));
        }
        assert!(held.take_back("b") && !held.take_back("b") && held.len() == 2);
        held.keep("b".into(), at(4), Some("b again"));
        held.mature(Some(at(0)), &mut waiting);
        assert!(waiting.is_empty() && held.due() == Some(at(1)));
        held.mature(Some(at(3)), &mut waiting);
        assert_eq!(waiting, ["a", "c"]);
        held.mature(None, &mut waiting);
        assert_eq!(waiting, ["a", "c", "b again"]);
        assert_eq!((held.len(), held.due()), (0, None));
        held.keep("d".into(), at(5), Some("d"));
        held.keep("e".into(), at(5), None);
        assert!(held.has("e"));
        held.take_back("d");
        held.drop_oldest();
        assert_eq!((held.len(), held.take_back("e")), (0, false));
    }

    #[test]
    fn who_comes_and_goes_leaves_no_memory_behind() {
        let (mut held, until) = (Held::default(), Instant::now());
        for _ in 0..10_000 {
            held.keep("a".into(), until, Some(()));
            assert!(held.take_back("a"));
        }
        assert!(held.due.len() <= STALE_MAX + 2, "{}", held.due.len());
    }
}

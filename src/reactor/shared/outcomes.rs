//! Threads of a host that wait for what an engine says of their publications.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::endpoint::Published;
use crate::push::PushError;

/// For so long a thread waits at the most.
const PATIENCE: Duration = Duration::from_secs(2);

type Outcome = Result<Published, PushError>;

/// Outcomes that are awaited, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Outcomes {
    awaited: Mutex<HashMap<u64, Option<Outcome>>>,
    news: Condvar,
}

impl Outcomes {
    fn lock(&self) -> MutexGuard<'_, HashMap<u64, Option<Outcome>>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody is going to wait for this one.
    pub fn begin(&self, ticket: u64) {
        self.lock().insert(ticket, None);
    }

    /// Nobody is.
    pub fn end(&self, ticket: u64) {
        self.lock().remove(&ticket);
    }

    /// It is there.
    pub fn put(&self, ticket: u64, outcome: Outcome) {
        if let Some(place) = self.lock().get_mut(&ticket) {
            *place = Some(outcome);
            self.news.notify_all();
        }
    }

    /// Waits for it.
    pub fn wait(&self, ticket: u64) -> Outcome {
        self.wait_until(ticket, Instant::now() + PATIENCE)
    }

    fn wait_until(&self, ticket: u64, until: Instant) -> Outcome {
        let mut awaited = self.lock();
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || awaited.get(&ticket).is_none_or(Option::is_some) {
                let outcome = awaited.remove(&ticket).flatten();
                return outcome.unwrap_or_else(|| Err(PushError::Unavailable("no answer in time".into())));
            }
            awaited = self.news.wait_timeout(awaited, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_waited_for_and_left_when_it_does_not_come() {
        let outcomes = Outcomes::default();
        outcomes.begin(7);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| outcomes.wait(7));
            outcomes.put(8, Err(PushError::InboxFull));
            outcomes.put(7, Err(PushError::KeyReused));
            assert_eq!(waits.join().unwrap(), Err(PushError::KeyReused));
        });
        outcomes.begin(9);
        let late = outcomes.wait_until(9, Instant::now());
        assert!(matches!(late, Err(PushError::Unavailable(_))), "{late:?}");
        outcomes.put(9, Err(PushError::KeyReused));
        assert!(outcomes.lock().is_empty());
    }
}

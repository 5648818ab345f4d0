//! The queue of events between the reactor, which never waits for it, and the thread that tells them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::signer::Signer;
use super::batch::Batch;
use crate::config::Config;
use crate::reactor::backend::Event;

/// A thread that has nothing to tell for so long ends.
const IDLE: Duration = Duration::from_secs(30);

pub(super) struct Settings {
    pub url: String,
    pub time: Duration,
    /// After this time a batch is given up.
    pub patience: Duration,
    pub signer: Signer,
    queue_max: usize,
    batch_max: usize,
    gathering: Duration,
}

impl Settings {
    /// None: nobody is told anything.
    pub(super) fn of(config: &Config) -> Option<Settings> {
        Some(Settings {
            url: config.webhook_url.clone()?,
            time: Duration::from_millis(config.webhook_timeout_ms),
            patience: Duration::from_secs(config.webhook_retry_s),
            signer: Signer::of(config),
            queue_max: config.webhook_queue_max,
            batch_max: config.webhook_batch_max,
            gathering: Duration::from_millis(config.webhook_batch_ms),
        })
    }
}

#[derive(Default)]
pub(super) struct Counts {
    /// Events that were taken.
    pub events: AtomicU64,
    /// Events that were given up.
    pub dropped: AtomicU64,
    /// Attempts that have failed.
    pub failures: AtomicU64,
}

pub(super) struct Queue {
    state: Mutex<State>,
    changed: Condvar,
    /// How this server's batches begin.
    name: u64,
    pub counts: Counts,
}

#[derive(Default)]
struct State {
    settings: Option<Arc<Settings>>,
    waiting: VecDeque<Event>,
    /// Events given up since the last batch.
    dropped: u64,
    batches: u64,
    /// Whether there is a thread.
    works: bool,
    /// When everything has to have been told.
    until: Option<Instant>,
}

impl Queue {
    pub(super) fn new(name: u64) -> Queue {
        Queue { state: Mutex::default(), changed: Condvar::new(), name, counts: Counts::default() }
    }

    /// A thread that panicked while it held the lock has left plain data behind, valid at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn renew(&self, settings: Option<Settings>) {
        let mut state = self.lock();
        if settings.is_none() {
            // Whom it was for need not hear it any more.
            (state.waiting, state.dropped) = (VecDeque::new(), 0);
        }
        state.settings = settings.map(Arc::new);
        drop(state);
        self.changed.notify_all();
    }

    /// None: there is nobody to tell.
    pub(super) fn settings(&self) -> Option<Arc<Settings>> {
        self.lock().settings.clone()
    }

    /// Adds an event, in place of the oldest if there is no room. True: a thread is to be started.
    pub(super) fn push(&self, event: Event) -> bool {
        let mut state = self.lock();
        let Some(settings) = state.settings.clone() else { return false };
        while state.waiting.len() >= settings.queue_max {
            state.waiting.pop_front();
            state.dropped += 1;
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        state.waiting.push_back(event);
        let is_worth_a_look = state.waiting.len() == 1 || state.waiting.len() == settings.batch_max;
        let is_needed = !std::mem::replace(&mut state.works, true);
        drop(state);
        if is_worth_a_look {
            self.changed.notify_all();
        }
        is_needed
    }

    /// Events of a batch that was given up.
    pub(super) fn give_up(&self, count: usize) {
        self.lock().dropped += count as u64;
        self.counts.dropped.fetch_add(count as u64, Ordering::Relaxed);
    }

    /// Waits for something to tell. None: the thread is not needed any more.
    pub(super) fn next_batch(&self) -> Option<Batch> {
        let (mut state, is_wanted) = self.gather(self.lock());
        let Some(settings) = state.settings.clone().filter(|_| is_wanted) else {
            // Under the same lock: the next event finds that a thread is to be started.
            state.works = false;
            drop(state);
            self.changed.notify_all();
            return None;
        };
        let count = state.waiting.len().min(settings.batch_max);
        let events: Vec<Event> = state.waiting.drain(..count).collect();
        if state.waiting.capacity() > 4 * state.waiting.len().max(256) {
            // A storm leaves no memory behind.
            state.waiting.shrink_to_fit();
        }
        state.batches += 1;
        let (id, dropped) = (format!("{}.{}", self.name, state.batches), state.dropped);
        state.dropped = 0;
        drop(state);
        Some(Batch::of(id, dropped, &events))
    }

    /// Waits for an event, and a little for more. False: none has come for a long time, or none will.
    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State>) -> (MutexGuard<'a, State>, bool) {
        let idle_until = Instant::now() + IDLE;
        while state.waiting.is_empty() {
            let left = idle_until.saturating_duration_since(Instant::now());
            if state.settings.is_none() || state.until.is_some() || left.is_zero() {
                return (state, false);
            }
            state = self.wait(state, left);
        }
        let since = Instant::now();
        while let Some(settings) = &state.settings {
            let left = settings.gathering.saturating_sub(since.elapsed());
            if state.waiting.len() >= settings.batch_max || state.until.is_some() || left.is_zero() {
                break;
            }
            state = self.wait(state, left);
        }
        let is_wanted = !state.waiting.is_empty();
        (state, is_wanted)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, time: Duration) -> MutexGuard<'a, State> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets so much time pass, or less if the server ends or the settings are not these any more.
    pub(super) fn pause(&self, time: Duration, settings: &Arc<Settings>) {
        let until = Instant::now() + time;
        let is_same = |state: &State| state.settings.as_ref().is_some_and(|now| Arc::ptr_eq(now, settings));
        let mut state = self.lock();
        while state.until.is_none() && is_same(&state) && Instant::now() < until {
            state = self.wait(state, until.saturating_duration_since(Instant::now()));
        }
    }

    /// Whether the server has ended.
    pub(super) fn is_over(&self) -> bool {
        self.lock().until.is_some()
    }

    /// The thread could not be started, or has come to a bad end.
    pub(super) fn has_no_thread(&self) {
        self.lock().works = false;
        self.changed.notify_all();
    }

    /// Waits until all is told, but not for longer than a request may take.
    pub(super) fn end(&self) {
        let mut state = self.lock();
        let until = Instant::now() + state.settings.as_ref().map_or(Duration::ZERO, |settings| settings.time);
        state.until = Some(until);
        self.changed.notify_all();
        while state.works && Instant::now() < until {
            state = self.wait(state, until.saturating_duration_since(Instant::now()));
        }
        // A thread that is still at it finds nothing more.
        state.waiting.clear();
    }

    pub(super) fn waiting(&self) -> usize {
        self.lock().waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn queue(change: impl FnOnce(&mut Config)) -> Queue {
        let url = Some("http://127.0.0.1:1/".to_owned());
        let mut config = Config { webhook_url: url, webhook_batch_ms: 0, ..Config::default() };
        change(&mut config);
        let queue = Queue::new(7);
        queue.renew(Settings::of(&config));
        queue
    }

    fn event(n: u64) -> Event {
        Event::new("channel_occupied", "news", n)
    }

    fn told(batch: &Batch) -> (String, u64, Vec<u64>) {
        let body: Value = serde_json::from_slice(&batch.body).unwrap();
        let times = body["events"].as_array().unwrap().iter().map(|event| event["time_ms"].as_u64().unwrap());
        (batch.id.clone(), body["dropped"].as_u64().unwrap_or(0), times.collect())
    }

    #[test]
    fn events_go_in_batches_in_their_order() {
        let queue = queue(|config| config.webhook_batch_max = 3);
        assert!(queue.push(event(0)), "a thread is wanted");
        (1..5).for_each(|n| assert!(!queue.push(event(n)), "there is one"));
        assert_eq!(told(&queue.next_batch().unwrap()), ("7.1".to_owned(), 0, vec![0, 1, 2]));
        assert_eq!(told(&queue.next_batch().unwrap()), ("7.2".to_owned(), 0, vec![3, 4]));
        queue.renew(None);
        queue.end();
        assert!(queue.next_batch().is_none());
    }

    #[test]
    fn the_oldest_give_way_and_that_is_said() {
        let queue = queue(|config| config.webhook_queue_max = 4);
        (0..10).for_each(|n| assert_eq!(queue.push(event(n)), n == 0));
        assert_eq!(queue.waiting(), 4);
        assert_eq!(told(&queue.next_batch().unwrap()), ("7.1".to_owned(), 6, vec![6, 7, 8, 9]));
        queue.give_up(4);
        queue.push(event(10));
        assert_eq!(told(&queue.next_batch().unwrap()), ("7.2".to_owned(), 4, vec![10]));
        assert_eq!(queue.counts.dropped.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn without_anybody_to_tell_nothing_is_kept() {
        let queue = queue(|_| {});
        queue.push(event(0));
        queue.renew(None);
        assert!(!queue.push(event(1)));
        assert_eq!((queue.waiting(), queue.next_batch().is_none()), (0, true));
    }

    #[test]
    fn a_storm_leaves_no_memory_behind() {
        let queue = queue(|config| (config.webhook_queue_max, config.webhook_batch_max) = (100_000, 1_000));
        (0..50_000).for_each(|n| assert_eq!(queue.push(event(n)), n == 0));
        (0..50).for_each(|_| drop(queue.next_batch()));
        assert!(queue.waiting() == 0 && queue.lock().waiting.capacity() < 4_096);
    }
}

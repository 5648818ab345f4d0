//! The queue of events between the reactor, which never waits for it, and the thread that tells them.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::super::signer::Signer;
use super::batch::{Batch, Tell};
use super::held::Held;
use crate::config::Config;
#[cfg(feature = "pusher")]
use crate::config::PusherApp;
use crate::metrics::Histogram;
use crate::reactor::backend::Turn;

/// A thread that has nothing to tell for so long ends.
const IDLE: Duration = Duration::from_secs(30);

/// An event that says that somebody has left waits for so long, in case of a return.
const HELD: Duration = Duration::from_secs(3);

pub(in super::super) struct Settings {
    /// The app whose backend it is, if it is an app's.
    pub app: Option<String>,
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
    pub(in super::super) fn of(config: &Config) -> Option<Settings> {
        let signer = Signer::of(config);
        Some(Settings::with(config, config.webhook_url.clone()?, signer))
    }

    /// The same for an app.
    #[cfg(feature = "pusher")]
    pub(in super::super) fn of_app(config: &Config, app: &PusherApp) -> Option<Settings> {
        let signer = Signer::of_app(app);
        let settings = Settings::with(config, app.webhook_url.clone()?, signer);
        Some(Settings { app: Some(app.id.clone()), ..settings })
    }

    fn with(config: &Config, url: String, signer: Signer) -> Settings {
        Settings {
            app: None,
            url,
            time: Duration::from_millis(config.webhook_timeout_ms),
            patience: Duration::from_secs(config.webhook_retry_s),
            signer,
            queue_max: config.webhook_queue_max,
            batch_max: config.webhook_batch_max,
            gathering: Duration::from_millis(config.webhook_batch_ms),
        }
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
    /// How long attempts have taken.
    pub seconds: Mutex<Histogram>,
}

impl Counts {
    /// An attempt has taken so long.
    pub(super) fn took(&self, us: u64) {
        self.seconds.lock().unwrap_or_else(PoisonError::into_inner).note(us);
    }
}

pub(super) struct Queue<E> {
    state: Mutex<State<E>>,
    changed: Condvar,
    /// How this server's batches begin.
    name: u64,
    pub counts: Counts,
}

struct State<E> {
    settings: Option<Arc<Settings>>,
    waiting: VecDeque<E>,
    /// Events that may be taken back.
    held: Held<E>,
    /// Events given up since the last batch.
    dropped: u64,
    batches: u64,
    /// Whether there is a thread.
    works: bool,
    /// When everything has to have been told.
    until: Option<Instant>,
}

impl<E> State<E> {
    fn new() -> State<E> {
        State {
            settings: None,
            waiting: VecDeque::new(),
            held: Held::default(),
            dropped: 0,
            batches: 0,
            works: false,
            until: None,
        }
    }

    /// Lets those wait that nobody takes back any more.
    fn mature(&mut self) {
        // A server that ends holds nothing back.
        let now = if self.until.is_some() { None } else { Some(Instant::now()) };
        self.held.mature(now, &mut self.waiting);
    }
}

impl<E: Tell> Queue<E> {
    pub(super) fn new(name: u64) -> Queue<E> {
        let state = Mutex::new(State::new());
        Queue { state, changed: Condvar::new(), name, counts: Counts::default() }
    }

    /// A thread that panicked while it held the lock has left plain data behind, valid at every step.
    fn lock(&self) -> MutexGuard<'_, State<E>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn renew(&self, settings: Option<Settings>) {
        let mut state = self.lock();
        if settings.is_none() {
            // Whom it was for need not hear it any more.
            (state.waiting, state.held, state.dropped) = (VecDeque::new(), Held::default(), 0);
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
    pub(super) fn push(&self, event: E) -> bool {
        let mut state = self.lock();
        let Some(settings) = state.settings.clone() else { return false };
        if let Turn::Returns(key) = event.turn()
            && state.held.take_back(key)
        {
            return false;
        }
        if let Turn::Once(key) = event.turn()
            && state.held.has(key)
        {
            return false;
        }
        while state.waiting.len() + state.held.len() >= settings.queue_max {
            if state.waiting.pop_front().is_none() {
                state.held.drop_oldest();
            }
            state.dropped += 1;
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
        let until = Instant::now() + HELD;
        let is_worth_a_look = if let Turn::Leaves(key) = event.turn() {
            let key = key.clone();
            state.held.keep(key, until, Some(event));
            state.held.len() == 1
        } else {
            if let Turn::Once(key) = event.turn() {
                state.held.keep(key.clone(), until, None);
            }
            state.waiting.push_back(event);
            state.waiting.len() == 1 || state.waiting.len() == settings.batch_max
        };
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
        let events: Vec<E> = state.waiting.drain(..count).collect();
        if state.waiting.capacity() > 4 * state.waiting.len().max(256) {
            // A storm leaves no memory behind.
            state.waiting.shrink_to_fit();
        }
        state.batches += 1;
        let (id, dropped) = (format!("{}.{}", self.name, state.batches), state.dropped);
        state.dropped = 0;
        drop(state);
        Some(E::batch(id, dropped, &events))
    }

    /// Waits for an event, and a little for more. False: none has come for a long time, or none will.
    fn gather<'a>(&'a self, mut state: MutexGuard<'a, State<E>>) -> (MutexGuard<'a, State<E>>, bool) {
        let idle_until = Instant::now() + IDLE;
        state.mature();
        while state.waiting.is_empty() {
            let until = state.held.due().unwrap_or(idle_until);
            let left = until.saturating_duration_since(Instant::now());
            let is_idle = state.held.len() == 0 && left.is_zero();
            if state.settings.is_none() || state.until.is_some() || is_idle {
                return (state, false);
            }
            state = self.wait(state, left);
            state.mature();
        }
        let since = Instant::now();
        while let Some(settings) = &state.settings {
            let left = settings.gathering.saturating_sub(since.elapsed());
            if state.waiting.len() >= settings.batch_max || state.until.is_some() || left.is_zero() {
                break;
            }
            state = self.wait(state, left);
            state.mature();
        }
        let is_wanted = !state.waiting.is_empty();
        (state, is_wanted)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State<E>>, time: Duration) -> MutexGuard<'a, State<E>> {
        self.changed.wait_timeout(state, time).unwrap_or_else(PoisonError::into_inner).0
    }

    /// Lets so much time pass, or less if the server ends or the settings are not these any more.
    pub(super) fn pause(&self, time: Duration, settings: &Arc<Settings>) {
        let until = Instant::now() + time;
        let is_same =
            |state: &State<E>| state.settings.as_ref().is_some_and(|now| Arc::ptr_eq(now, settings));
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
        (state.waiting, state.held) = (VecDeque::new(), Held::default());
    }

    pub(super) fn waiting(&self) -> usize {
        let state = self.lock();
        state.waiting.len() + state.held.events()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::backend::Event;
    use serde_json::Value;

    fn queue(change: impl FnOnce(&mut Config)) -> Queue<Event> {
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

    #[cfg(feature = "pusher")]
    #[test]
    fn who_is_back_has_not_left() {
        use crate::reactor::backend::AppEvent;

        let url = Some("http://127.0.0.1:1/".to_owned());
        let config = Config { webhook_url: url, webhook_timeout_ms: 60_000, ..Config::default() };
        let queue = Queue::new(7);
        queue.renew(Settings::of(&config));
        let event = |json: &str, turn| AppEvent { json: json.into(), turn };
        let (leaves, returns) = (|key: &str| Turn::Leaves(key.into()), |key: &str| Turn::Returns(key.into()));
        assert!(queue.push(event("0", leaves("a"))), "a thread is wanted, which tells it in time");
        queue.push(event("1", returns("b")));
        queue.push(event("2", returns("a")));
        queue.push(event("3", leaves("b")));
        queue.push(event("4", Turn::Once("c".into())));
        queue.push(event("5", Turn::Once("c".into())));
        assert_eq!(queue.waiting(), 3);
        std::thread::scope(|scope| {
            // Whom nobody sees return before the end has left.
            scope.spawn(|| queue.end());
            let mut told = String::new();
            while let Some(batch) = queue.next_batch() {
                told += &String::from_utf8(batch.body).unwrap();
            }
            let bodies: Vec<&str> = told.split("\"events\":").skip(1).collect();
            let all: String = bodies.iter().filter_map(|body| body.split(']').next()).collect();
            assert_eq!(all.replace('[', ","), ",1,4,3");
        });
    }

    #[test]
    fn a_storm_leaves_no_memory_behind() {
        let queue = queue(|config| (config.webhook_queue_max, config.webhook_batch_max) = (100_000, 1_000));
        (0..50_000).for_each(|n| assert_eq!(queue.push(event(n)), n == 0));
        (0..50).for_each(|_| drop(queue.next_batch()));
        assert!(queue.waiting() == 0 && queue.lock().waiting.capacity() < 4_096);
    }
}

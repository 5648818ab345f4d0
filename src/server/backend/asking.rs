//! Questions who a client is. Some are asked at once, each by a thread; some more wait; beyond that nobody is asked.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::unix_us;
use super::http::Client;
use super::signer::Signer;
use super::us_since;
use crate::auth::{Answer, REFUSED};
use crate::config::Config;
use crate::endpoint::ConnId;
use crate::limits::ANSWER_BYTES_MAX;
use crate::reactor::backend::Vouched;
use crate::reactor::delivery::deliver;
use crate::reactor::{Command, Shared};

/// A thread without anything to do ends after this time.
const IDLE: Duration = Duration::from_secs(30);

/// The threads, and what waits for them.
pub(super) struct Asking {
    shared: Arc<Shared>,
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// None: nobody is asked.
    settings: Option<Arc<Settings>>,
    waiting: VecDeque<Job>,
    threads: usize,
    idle: usize,
    is_over: bool,
}

struct Settings {
    url: String,
    time: Duration,
    /// How long a client waits at the most.
    patience: Duration,
    in_flight_max: usize,
    waiting_max: usize,
    signer: Signer,
    /// Made by the first thread that needs it: authorities to check certificates by have to be read.
    client: OnceLock<Result<Client, String>>,
}

struct Job {
    conn: ConnId,
    question: Vec<u8>,
    /// Then the client has been told to come back.
    until: Instant,
}

impl Asking {
    pub(super) fn new(shared: Arc<Shared>) -> Asking {
        Asking { shared, pool: Arc::default() }
    }

    pub(super) fn renew(&mut self, config: &Config) {
        let settings = config.auth_webhook.as_ref().map(|url| {
            Arc::new(Settings {
                url: url.clone(),
                time: Duration::from_millis(config.auth_webhook_timeout_ms),
                patience: Duration::from_millis(config.handshake_ms),
                in_flight_max: config.auth_webhook_in_flight_max,
                waiting_max: config.auth_webhook_waiting_max,
                signer: Signer::of(config),
                client: OnceLock::new(),
            })
        });
        let mut state = self.pool.lock();
        if settings.is_none() {
            state.waiting.clear();
        }
        state.settings = settings;
        drop(state);
        self.pool.changed.notify_all();
    }

    /// False: too many wait already, or there is nobody to ask.
    pub(super) fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool {
        let mut state = self.pool.lock();
        let Some(settings) = &state.settings else { return false };
        let (in_flight_max, waiting_max) = (settings.in_flight_max, settings.waiting_max);
        let until = Instant::now() + settings.patience;
        let busy = state.threads - state.idle;
        if state.waiting.len() >= waiting_max + in_flight_max.saturating_sub(busy) {
            return false;
        }
        state.waiting.push_back(Job { conn, question, until });
        if state.waiting.len() > state.idle && state.threads < in_flight_max {
            let (pool, shared) = (self.pool.clone(), self.shared.clone());
            let work = move || {
                shared.leave_its_cpu();
                pool.work(&shared);
            };
            match thread::Builder::new().name("auth_webhook".to_owned()).spawn(work) {
                Ok(_) => state.threads += 1,
                // Another one comes to it.
                Err(_) if state.threads > 0 => {}
                Err(_) => {
                    state.waiting.pop_back();
                    return false;
                }
            }
        }
        drop(state);
        self.pool.changed.notify_one();
        true
    }

    pub(super) fn waiting(&self) -> usize {
        self.pool.lock().waiting.len()
    }
}

/// A thread that is counted, until its end, whatever that is.
struct Leaves<'a>(&'a Pool);

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        self.0.lock().threads -= 1;
    }
}

/// The server has gone, and its threads go when they have done what they are at.
impl Drop for Asking {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        state.is_over = true;
        state.waiting.clear();
        drop(state);
        self.pool.changed.notify_all();
    }
}

impl Pool {
    /// A thread that panicked while it held the lock has left plain data behind, valid at every step.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A thread's life.
    fn work(&self, shared: &Shared) {
        let _leaves = Leaves(self);
        while let Some((job, settings)) = self.next() {
            if Instant::now() >= job.until {
                continue;
            }
            let (since, answer) = (Instant::now(), settings.ask(&job));
            let vouched = Vouched { conn: job.conn, answer, took_us: us_since(since) };
            if !deliver(shared, || Command::Vouched(Box::new(vouched.clone()))) {
                break;
            }
        }
    }

    /// The next question; None: this thread is not needed any more.
    fn next(&self) -> Option<(Job, Arc<Settings>)> {
        let mut state = self.lock();
        loop {
            let settings = state.settings.clone().filter(|_| !state.is_over)?;
            if state.threads > settings.in_flight_max {
                return None;
            }
            if let Some(job) = state.waiting.pop_front() {
                return Some((job, settings));
            }
            state.idle += 1;
            let waited = self.changed.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = waited.0;
            state.idle -= 1;
            if waited.1.timed_out() && state.waiting.is_empty() {
                return None;
            }
        }
    }
}

impl Settings {
    fn ask(&self, job: &Job) -> Result<Answer, String> {
        let client = self.client.get_or_init(|| Client::new(&self.url, self.in_flight_max)).as_ref();
        let unix_us = unix_us();
        // A connection may ask several times, one after the other.
        let id = format!("{}.{unix_us}", job.conn);
        let headers = self.signer.headers(&id, unix_us / 1_000_000, &job.question);
        let client = client.map_err(String::clone)?;
        let reply = client.post(&job.question, &headers, self.time, ANSWER_BYTES_MAX)?;
        match reply.status {
            200 => {}
            status @ (401 | 403) => return Ok(Answer::Refused { status, reason: REFUSED.to_owned() }),
            status => return Err(format!("an answer with status {status}; 200, 401 or 403 is expected")),
        }
        Answer::read(&reply.body, super::super::unix_us() / 1_000_000)
            .map_err(|why| format!("an answer that can't be used: {why}"))
    }
}

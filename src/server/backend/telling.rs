//! Events that the backend is told of: some at once in a request, in their order, again and again until it has taken
//! them. They wait in a queue that is bounded; when it is full, the oldest are given up, and the backend is told how
//! many.

#[cfg(feature = "pusher")]
mod apps;
mod batch;
mod held;
mod queue;

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::super::unix_us;
use super::http::Client;
use super::us_since;
use crate::metrics::Histogram;
use crate::reactor::backend::{NotTold, Told};
use crate::reactor::delivery::deliver;
use crate::reactor::{Command, Shared};

#[cfg(feature = "pusher")]
pub(super) use apps::Apps;
use batch::{Batch, Tell};
pub(super) use queue::Settings;
use queue::{Counts, Queue};

/// Between two attempts at first; each time it is twice as long.
const AGAIN: Duration = Duration::from_secs(1);
/// Between two attempts at the most.
const AGAIN_MAX: Duration = Duration::from_secs(30);
/// Of an answer only the status is looked at.
const ANSWER_BYTES_MAX: u64 = 64 << 10;

/// The thread, and what waits for it.
pub(super) struct Telling<E: Tell> {
    shared: Arc<Shared>,
    queue: Arc<Queue<E>>,
}

impl<E: Tell> Telling<E> {
    pub(super) fn new(shared: Arc<Shared>) -> Telling<E> {
        Telling { shared, queue: Arc::new(Queue::new(unix_us())) }
    }

    pub(super) fn renew(&mut self, settings: Option<Settings>) {
        self.queue.renew(settings);
    }

    pub(super) fn tell(&mut self, event: E) {
        if self.queue.push(event) {
            let (queue, shared) = (self.queue.clone(), self.shared.clone());
            let work = move || {
                shared.leave_its_cpu();
                work(&queue, &shared);
            };
            if thread::Builder::new().name("webhook".to_owned()).spawn(work).is_err() {
                // The next event tries it again.
                self.queue.has_no_thread();
            }
        }
    }

    pub(super) fn told(&self) -> Told {
        let Counts { events, dropped, failures, seconds } = &self.queue.counts;
        Told {
            events: events.load(Ordering::Relaxed),
            dropped: dropped.load(Ordering::Relaxed),
            failures: failures.load(Ordering::Relaxed),
            attempts: seconds.lock().unwrap_or_else(PoisonError::into_inner).count(),
        }
    }

    pub(super) fn seconds(&self) -> Histogram {
        self.queue.counts.seconds.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn waiting(&self) -> usize {
        self.queue.waiting()
    }
}

/// The server has gone. That its channels are empty now is among what is still to be told.
impl<E: Tell> Drop for Telling<E> {
    fn drop(&mut self) {
        self.queue.end();
    }
}

/// Lets another thread begin in the place of one that has panicked.
struct Fallen<'a, E: Tell>(&'a Queue<E>);

impl<E: Tell> Drop for Fallen<'_, E> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.has_no_thread();
        }
    }
}

/// The thread's life: it ends when the server has, or there is nobody to tell any more.
fn work<E: Tell>(queue: &Queue<E>, shared: &Shared) {
    let _fallen = Fallen(queue);
    let mut client: Option<(Arc<Settings>, Client)> = None;
    while let Some(batch) = queue.next_batch() {
        tell(queue, shared, &batch, &mut client);
    }
}

/// Tells it until it is taken, or has to be given up.
fn tell<E: Tell>(
    queue: &Queue<E>,
    shared: &Shared,
    batch: &Batch,
    client: &mut Option<(Arc<Settings>, Client)>,
) {
    let (since, mut again) = (Instant::now(), AGAIN);
    loop {
        let Some(settings) = queue.settings() else { return };
        let began = Instant::now();
        let outcome = attempt(batch, &settings, client);
        queue.counts.took(us_since(began));
        let problem = match outcome {
            Ok(()) => {
                queue.counts.events.fetch_add(batch.count as u64, Ordering::Relaxed);
                return;
            }
            Err(problem) => match &settings.app {
                Some(app) => format!("the backend of the app {app}: {problem}"),
                None => problem,
            },
        };
        queue.counts.failures.fetch_add(1, Ordering::Relaxed);
        let is_given_up = queue.is_over() || since.elapsed() + again > settings.patience;
        let not_told = NotTold { problem, lost: if is_given_up { batch.count } else { 0 } };
        // A server that has ended logs nothing.
        deliver(shared, || Command::NotTold(Box::new(not_told.clone())));
        if is_given_up {
            queue.give_up(batch.count);
            return;
        }
        queue.pause(again, &settings);
        again = (2 * again).min(AGAIN_MAX);
    }
}

fn attempt(
    batch: &Batch,
    settings: &Arc<Settings>,
    client: &mut Option<(Arc<Settings>, Client)>,
) -> Result<(), String> {
    if client.as_ref().is_none_or(|(made_for, _)| !Arc::ptr_eq(made_for, settings)) {
        *client = Some((settings.clone(), Client::new(&settings.url, 1)?));
    }
    let Some((_, client)) = client else { return Ok(()) };
    let headers = settings.signer.headers(&batch.id, unix_us() / 1_000_000, &batch.body);
    match client.post(&batch.body, &headers, settings.time, ANSWER_BYTES_MAX)?.status {
        200..=299 => Ok(()),
        status => Err(format!("an answer with status {status}; one from 200 to 299 is expected")),
    }
}

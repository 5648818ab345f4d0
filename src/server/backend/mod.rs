//! The operator's backend over HTTP: threads that ask it who a client is, and tell it what happens. The reactor waits
//! for none of them; what they hear comes to it as commands.

mod asking;
pub(super) mod http;
mod signer;
mod telling;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::config::Config;
use crate::endpoint::ConnId;
use crate::metrics::Histogram;
use crate::reactor::Shared;
#[cfg(feature = "pusher")]
use crate::reactor::backend::AppEvent;
use crate::reactor::backend::{Backend, Event, Told};

use asking::Asking;
use telling::{Settings, Telling};

/// The threads of one server.
pub(super) struct Threads {
    asking: Asking,
    telling: Telling<Event>,
    #[cfg(feature = "pusher")]
    apps: telling::Apps,
}

impl Threads {
    /// None yet: they begin with what there is to do.
    pub(super) fn new(shared: Arc<Shared>) -> Threads {
        Threads {
            asking: Asking::new(shared.clone()),
            #[cfg(feature = "pusher")]
            apps: telling::Apps::new(shared.clone()),
            telling: Telling::new(shared),
        }
    }
}

/// Those of several reactors.
impl Backend for Arc<Mutex<Threads>> {
    fn renew(&mut self, config: &Config) {
        lock(self).renew(config);
    }

    fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool {
        lock(self).ask(conn, question)
    }

    fn questions(&self) -> usize {
        lock(self).questions()
    }

    fn tell(&mut self, event: Event) {
        lock(self).tell(event);
    }

    #[cfg(feature = "pusher")]
    fn tell_app(&mut self, app: &str, event: AppEvent) {
        lock(self).tell_app(app, event);
    }

    fn told(&self) -> Told {
        lock(self).told()
    }

    fn telling_seconds(&self) -> Histogram {
        lock(self).telling_seconds()
    }

    fn untold(&self) -> usize {
        lock(self).untold()
    }
}

/// Microseconds since then.
fn us_since(then: Instant) -> u64 {
    u64::try_from(then.elapsed().as_micros()).unwrap_or(u64::MAX)
}

fn lock(threads: &Mutex<Threads>) -> MutexGuard<'_, Threads> {
    threads.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Threads {
    fn renew(&mut self, config: &Config) {
        self.asking.renew(config);
        self.telling.renew(Settings::of(config));
        #[cfg(feature = "pusher")]
        self.apps.renew(config);
    }

    fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool {
        self.asking.ask(conn, question)
    }

    fn questions(&self) -> usize {
        self.asking.waiting()
    }

    fn tell(&mut self, event: Event) {
        self.telling.tell(event);
    }

    #[cfg(feature = "pusher")]
    fn tell_app(&mut self, app: &str, event: AppEvent) {
        self.apps.tell(app, event);
    }

    fn told(&self) -> Told {
        let told = self.telling.told();
        #[cfg(feature = "pusher")]
        let told = self.apps.told(told);
        told
    }

    fn telling_seconds(&self) -> Histogram {
        let seconds = self.telling.seconds();
        #[cfg(feature = "pusher")]
        let seconds = self.apps.seconds(seconds);
        seconds
    }

    fn untold(&self) -> usize {
        let waiting = self.telling.waiting();
        #[cfg(feature = "pusher")]
        let waiting = waiting + self.apps.waiting();
        waiting
    }
}

//! The operator's backend over HTTP: threads that ask it who a client is, and tell it what happens. The reactor waits
//! for none of them; what they hear comes to it as commands.

mod asking;
pub(super) mod http;
mod signer;
mod telling;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::config::Config;
use crate::endpoint::ConnId;
use crate::reactor::Shared;
use crate::reactor::backend::{Backend, Event, Told};

use asking::Asking;
use telling::Telling;

/// The threads of one server.
pub(super) struct Threads {
    asking: Asking,
    telling: Telling,
}

impl Threads {
    /// None yet: they begin with what there is to do.
    pub(super) fn new(shared: Arc<Shared>) -> Threads {
        Threads { asking: Asking::new(shared.clone()), telling: Telling::new(shared) }
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

    fn told(&self) -> Told {
        lock(self).told()
    }

    fn untold(&self) -> usize {
        lock(self).untold()
    }
}

fn lock(threads: &Mutex<Threads>) -> MutexGuard<'_, Threads> {
    threads.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Backend for Threads {
    fn renew(&mut self, config: &Config) {
        self.asking.renew(config);
        self.telling.renew(config);
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

    fn told(&self) -> Told {
        self.telling.told()
    }

    fn untold(&self) -> usize {
        self.telling.waiting()
    }
}

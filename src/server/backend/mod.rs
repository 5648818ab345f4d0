//! The operator's backend over HTTP: threads that ask it who a client is. The reactor waits for none of them; what they
//! hear comes to it as commands.

mod asking;
pub(super) mod http;

use std::sync::Arc;

use crate::config::Config;
use crate::endpoint::ConnId;
use crate::reactor::Shared;
use crate::reactor::backend::Backend;

use asking::Asking;

/// The threads of one server.
pub(super) struct Threads {
    asking: Asking,
}

impl Threads {
    /// None yet: they begin with what there is to do.
    pub(super) fn new(shared: Arc<Shared>) -> Threads {
        Threads { asking: Asking::new(shared) }
    }
}

impl Backend for Threads {
    fn renew(&mut self, config: &Config) {
        self.asking.renew(config);
    }

    fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool {
        self.asking.ask(conn, question)
    }

    fn waiting(&self) -> usize {
        self.asking.waiting()
    }
}

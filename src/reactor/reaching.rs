//! A batch with messages to connections of several reactors: its answer says of each whether it was there, and so it
//! goes from one of those reactors to the next, behind the messages, and home.

use super::afar::said_by_admin;
use super::peers::PeerNews;
use super::reactor::Reactor;
use super::socket::Socket;
use super::waiting::{Asker, Told};
use crate::endpoint::publishing::BatchSent;

/// The answer to a batch, on its way.
#[derive(Debug)]
pub struct Reaching {
    asker: Asker<()>,
    batch: BatchSent,
    /// The reactor that is to look at its connections next; None: all have.
    at: Option<usize>,
}

impl<S: Socket> Reactor<S> {
    /// Lets whoever has asked wait for what the others say.
    pub(super) fn await_reached(&mut self, asker: Asker<()>, batch: BatchSent) {
        self.send_on(Reaching { asker, batch, at: None });
    }

    /// A batch has come by here. If that is not where it was sent, that reactor has ended, and has nobody.
    pub(super) fn reached(&mut self, mut reaching: Reaching) {
        if let Some(at) = reaching.at {
            reaching.batch.look(at, |conn| self.find_open(conn).is_some());
        }
        self.send_on(reaching);
    }

    fn send_on(&mut self, mut reaching: Reaching) {
        reaching.at = reaching.batch.next_reactor();
        match reaching.at {
            Some(at) => self.shared.tell_one(at, PeerNews::Reaching(Box::new(reaching))),
            None if self.shared.is_first() => {
                let answer = reaching.batch.answer();
                match reaching.asker {
                    Asker::Connection(waiting) => {
                        self.inbox.answers.push_back(Told::Connection(waiting, answer));
                    }
                    Asker::Node(to) => self.shared.reply(to, said_by_admin(&answer)),
                    Asker::Nobody | Asker::Host(_) | Asker::Whole(_) => {}
                }
            }
            None => self.shared.tell_one(0, PeerNews::Reaching(Box::new(reaching))),
        }
    }
}

//! The tickets of a campaign that resumes TLS sessions: rounds of as many connections as may be under way at once are
//! opened and left again, until every measured one will find a ticket. They can't live on each other's: some servers
//! give a resumed session no new one.

use super::Worker;
use super::conn::{Conn, Phase};
use crate::job::Job;
use crate::tally::Tally;

/// How far a worker is with its tickets.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Primer {
    /// Opening connections for their tickets; so many there were before.
    Opening { before: usize },
    /// Waiting for their ends.
    Leaving { before: usize },
    /// Waiting for the order to begin.
    Ready,
    /// The measured connections may be opened.
    Finished,
}

impl Primer {
    pub(crate) const fn new(resumes: bool) -> Self {
        if resumes { Self::Opening { before: 0 } } else { Self::Finished }
    }

    pub(crate) const fn finish(&mut self) {
        *self = Self::Finished;
    }

    pub(crate) const fn is_under_way(&self) -> bool {
        !matches!(self, Self::Finished)
    }

    /// How many slots may have a connection now.
    pub(crate) fn slots(&self, job: &Job) -> u32 {
        match self {
            Self::Opening { .. } => job.window.min(job.connections),
            Self::Leaving { .. } | Self::Ready => 0,
            Self::Finished => job.connections,
        }
    }
}

impl Worker {
    /// Goes on with collecting tickets; true when that has just come to its end.
    pub(super) fn prime(&mut self) -> bool {
        let count = self.untried as usize;
        match self.primer {
            Primer::Opening { before }
                if self.untried == self.primer.slots(&self.job) && self.handshakes == 0 =>
            {
                for slot in 0..count {
                    match self.conns[slot].phase {
                        Phase::Open => self.leave(slot),
                        _ => self.conns[slot] = Conn::vacant(),
                    }
                }
                self.primer = Primer::Leaving { before };
                false
            }
            Primer::Leaving { before }
                if self.conns[..count].iter().all(|conn| conn.phase != Phase::Leaving) =>
            {
                // Their failures are not counted: a server that refuses them will refuse the others too.
                self.ledger.tally = Tally::default();
                self.vacant.clear();
                self.untried = 0;
                let tickets = self.tls.as_ref().and_then(|tls| tls.tickets.as_ref());
                let (found, is_enough) = tickets.map_or((0, true), |it| (it.count(), it.suffice()));
                // A round that brought nothing is the last.
                let is_last = is_enough || found <= before;
                self.primer = if is_last { Primer::Ready } else { Primer::Opening { before: found } };
                is_last
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_resuming_campaigns_wait_for_the_order_to_begin() {
        assert!(!Primer::new(false).is_under_way());
        let mut primer = Primer::new(true);
        assert!(primer.is_under_way());
        primer.finish();
        assert_eq!(primer, Primer::Finished);
    }
}

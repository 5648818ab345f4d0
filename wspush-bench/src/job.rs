//! The protocol between the campaign and its workers. Everything in it can be a line of JSON, because a worker
//! may live in another process.

use crate::payload::Body;
use crate::source::SourceRange;
use crate::tally::Tally;
use crate::target::Target;
use crate::tls::Terms;
use crate::transport::Kind;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A worker's share of the campaign, told once.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) worker: usize,
    /// Number of this worker's first connection in the whole campaign.
    pub(crate) first: u32,
    pub(crate) connections: u32,
    pub(crate) transport: Kind,
    pub(crate) target: Target,
    pub(crate) tls: Terms,
    /// Offer permessage-deflate.
    pub(crate) deflate: bool,
    pub(crate) headers: Vec<String>,
    pub(crate) source: Option<SourceRange>,
    /// Connections begun per second; 0 is as fast as the window lets them.
    pub(crate) rate: f64,
    /// Handshakes under way at once.
    pub(crate) window: u32,
    pub(crate) timeout_ms: u64,
    pub(crate) wait: Wait,
    pub(crate) fixed_key: bool,
    pub(crate) never_read_percent: f64,
    pub(crate) receive_buffer: Option<u32>,
    pub(crate) seed: u64,
    /// Tags the messages of this campaign.
    pub(crate) run: u16,
    /// Publications that are checked, but not timed.
    pub(crate) warm_up: u32,
}

impl Job {
    /// Whether connection `slot` of this worker is one of those that are never read. They are spread evenly.
    pub(crate) fn is_unread(&self, slot: u32) -> bool {
        let upto = |number: u32| (f64::from(number) * self.never_read_percent / 100.0 + 1e-9) as u32;
        let number = self.first + slot;
        upto(number + 1) > upto(number)
    }
}

/// How a worker waits for bytes. A sleeping client costs the server a wake-up per send, a spinning one takes
/// a core.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Wait {
    Sleep,
    Busy,
}

/// From the campaign to every worker.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Order {
    /// Tickets are there: open the connections.
    Begin,
    /// So many publications will have been pushed; say when everybody has them.
    Expect { publications: u32 },
    /// Connections that came in the meantime have to hear everything from this publication on.
    Settle { publications: u32 },
    /// Begin to send messages and to answer each echo with the next.
    Echo { outstanding: u32, body: Body, size: usize },
    /// Forget the round trips and bytes so far: the warm-up is over.
    Mark,
    /// Send no further echo messages; say when the last one is back.
    Halt,
    /// Let so many connections a second leave and others join; 0 ends it.
    Churn { per_second: f64 },
    /// Count up, report, close.
    Finish,
}

/// From a worker to the campaign.
#[derive(Serialize, Deserialize)]
pub(crate) enum Event {
    /// As many TLS tickets as can be had for a start are there, and their connections gone.
    Primed,
    Progress {
        open: u32,
        failed: u32,
    },
    /// Every connection is open or has failed.
    Connected {
        open: u32,
        failed: u32,
    },
    /// Every open connection that is read has this many publications.
    CaughtUp {
        publications: u32,
    },
    /// The counts from before the order to mark are forgotten.
    Marked,
    /// No echo message is under way.
    Halted,
    Finished(Box<Tally>),
    /// The worker can't go on.
    Fault(String),
}

#[cfg(test)]
impl Job {
    /// One connection by a transport.
    pub(crate) fn sample(url: &str, transport: Kind) -> Self {
        Self {
            worker: 0,
            first: 0,
            connections: 1,
            transport,
            target: Target::load(url).unwrap(),
            tls: Terms::default(),
            deflate: false,
            headers: Vec::new(),
            source: None,
            rate: 0.0,
            window: 1,
            timeout_ms: 1,
            wait: Wait::Sleep,
            fixed_key: false,
            never_read_percent: 0.0,
            receive_buffer: None,
            seed: 0,
            run: 1,
            warm_up: 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unread_are_spread_evenly_over_workers() {
        let job = |first| Job {
            first,
            connections: 500,
            never_read_percent: 1.0,
            ..Job::sample("ws://127.0.0.1:1", Kind::Ws)
        };
        let unread = |job: Job| (0..500).filter(|slot| job.is_unread(*slot)).count();
        assert_eq!((unread(job(0)), unread(job(500))), (5, 5));
        assert_eq!(unread(Job { never_read_percent: 0.0, ..job(0) }), 0);
        assert_eq!(unread(Job { never_read_percent: 100.0, ..job(0) }), 500);
    }
}

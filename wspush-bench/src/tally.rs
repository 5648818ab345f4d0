//! What a worker counted, and the sum over workers.

use crate::samples::Samples;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How often each kind of failure was met.
pub(crate) type Kinds = BTreeMap<String, u64>;

/// How far one publication got.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reach {
    pub(crate) receipts: u32,
    /// `CLOCK_MONOTONIC` of the last receipt.
    pub(crate) last_ns: u64,
}

/// The connections that are never read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unread {
    pub(crate) connections: u64,
    /// Ended by the server before the campaign was over.
    pub(crate) disconnected: u64,
    /// What the kernel held for them at the end.
    pub(crate) waiting_bytes: u64,
}

/// Counts of one worker, or of all.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Connections ever begun; churn begins more than were asked for.
    pub(crate) begun: u64,
    pub(crate) opened: u64,
    /// Open at the end.
    pub(crate) active: u64,
    pub(crate) failed: Kinds,
    /// Open connections that the server ended, or whose frames were no frames.
    pub(crate) closed: Kinds,
    pub(crate) first_connect_ns: u64,
    pub(crate) last_open_ns: u64,
    pub(crate) setup: Samples,
    /// TLS handshakes, and what they agreed on.
    pub(crate) full_handshakes: u64,
    pub(crate) resumed_handshakes: u64,
    pub(crate) suites: Kinds,
    /// Connections that agreed to permessage-deflate.
    pub(crate) may_deflate: u64,

    /// What the sockets gave since the order to mark.
    pub(crate) wire_bytes: u64,
    /// Compressed messages, their bytes before and after.
    pub(crate) deflated: u64,
    pub(crate) deflated_bytes: u64,
    pub(crate) inflated_bytes: u64,
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
    pub(crate) foreign: u64,
    pub(crate) pings: u64,
    /// From the push, or from the sending of the echoed message.
    pub(crate) latency: Samples,
    pub(crate) reach: Vec<Reach>,
    pub(crate) unread: Unread,

    /// Measured round trips of the echo, and when they began and ended.
    pub(crate) round_trips: u64,
    pub(crate) marked_ns: u64,
    pub(crate) halted_ns: u64,

    pub(crate) left: u64,
    /// Of those that left, how many got no closing handshake from the server.
    pub(crate) left_unclean: u64,
}

impl Tally {
    pub(crate) fn merge(&mut self, other: &Self) {
        self.begun += other.begun;
        self.opened += other.opened;
        self.active += other.active;
        merge_kinds(&mut self.failed, &other.failed);
        merge_kinds(&mut self.closed, &other.closed);
        self.first_connect_ns = earliest(self.first_connect_ns, other.first_connect_ns);
        self.last_open_ns = self.last_open_ns.max(other.last_open_ns);
        self.setup.merge(&other.setup);
        self.full_handshakes += other.full_handshakes;
        self.resumed_handshakes += other.resumed_handshakes;
        merge_kinds(&mut self.suites, &other.suites);
        self.may_deflate += other.may_deflate;

        self.wire_bytes += other.wire_bytes;
        self.deflated += other.deflated;
        self.deflated_bytes += other.deflated_bytes;
        self.inflated_bytes += other.inflated_bytes;
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.foreign += other.foreign;
        self.pings += other.pings;
        self.latency.merge(&other.latency);
        if self.reach.len() < other.reach.len() {
            self.reach.resize(other.reach.len(), Reach::default());
        }
        for (ours, theirs) in self.reach.iter_mut().zip(&other.reach) {
            ours.receipts += theirs.receipts;
            ours.last_ns = ours.last_ns.max(theirs.last_ns);
        }
        self.unread.connections += other.unread.connections;
        self.unread.disconnected += other.unread.disconnected;
        self.unread.waiting_bytes += other.unread.waiting_bytes;

        self.round_trips += other.round_trips;
        self.marked_ns = earliest(self.marked_ns, other.marked_ns);
        self.halted_ns = self.halted_ns.max(other.halted_ns);
        self.left += other.left;
        self.left_unclean += other.left_unclean;
    }

    pub(crate) fn failed_total(&self) -> u64 {
        self.failed.values().sum()
    }
}

/// Counts one more of a kind.
pub(crate) fn count(kinds: &mut Kinds, kind: &str) {
    match kinds.get_mut(kind) {
        Some(count) => *count += 1,
        None => {
            kinds.insert(kind.to_owned(), 1);
        }
    }
}

fn merge_kinds(ours: &mut Kinds, theirs: &Kinds) {
    for (kind, count) in theirs {
        *ours.entry(kind.clone()).or_default() += count;
    }
}

/// The smaller time; 0 means that it never happened.
fn earliest(ours: u64, theirs: u64) -> u64 {
    match (ours, theirs) {
        (0, time) | (time, 0) => time,
        (ours, theirs) => ours.min(theirs),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_of_two_workers() {
        let mut ours = Tally { lost: 1, first_connect_ns: 0, ..Tally::default() };
        let mut theirs = Tally { lost: 2, first_connect_ns: 7, ..Tally::default() };
        count(&mut ours.failed, "http 503");
        count(&mut theirs.failed, "http 503");
        theirs.reach = vec![Reach { receipts: 3, last_ns: 9 }];
        theirs.latency.record(5_000);
        ours.merge(&theirs);
        assert_eq!((ours.lost, ours.failed["http 503"], ours.first_connect_ns), (3, 2, 7));
        assert_eq!(ours.reach, [Reach { receipts: 3, last_ns: 9 }]);
        assert_eq!(ours.latency.summary().count, 1);
    }
}

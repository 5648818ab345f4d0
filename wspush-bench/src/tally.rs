//! The counts of a worker, and their sum over all workers.

use crate::effort::Worked;
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
    /// Held for them by the kernel at the end.
    pub(crate) waiting_bytes: u64,
}

/// Messages that did not come as they should.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Faults {
    pub(crate) lost: u64,
    pub(crate) duplicated: u64,
    pub(crate) reordered: u64,
    pub(crate) corrupted: u64,
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

    /// Read from the sockets since the order to mark.
    pub(crate) wire_bytes: u64,
    /// Compressed messages, their bytes before and after.
    pub(crate) deflated: u64,
    pub(crate) deflated_bytes: u64,
    pub(crate) inflated_bytes: u64,
    pub(crate) received: u64,
    pub(crate) received_bytes: u64,
    pub(crate) faults: Faults,
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

    /// How busy each worker was: with the handshakes, and with what came after that.
    pub(crate) setting_up: Vec<Worked>,
    pub(crate) worked: Vec<Worked>,
}

/// Adds the named counts of one to those of another.
macro_rules! add {
    ($ours:ident += $theirs:ident: $($field:ident)+) => { $($ours.$field += $theirs.$field;)+ };
}

impl Faults {
    fn add(&mut self, other: Self) {
        add!(self += other: lost duplicated reordered corrupted);
    }
}

impl Unread {
    fn add(&mut self, other: Self) {
        add!(self += other: connections disconnected waiting_bytes);
    }
}

impl Tally {
    pub(crate) fn merge(&mut self, other: &Self) {
        add!(self += other: begun opened active full_handshakes resumed_handshakes may_deflate);
        merge_kinds(&mut self.failed, &other.failed);
        merge_kinds(&mut self.closed, &other.closed);
        merge_kinds(&mut self.suites, &other.suites);
        self.first_connect_ns = earliest(self.first_connect_ns, other.first_connect_ns);
        self.last_open_ns = self.last_open_ns.max(other.last_open_ns);
        self.setup.merge(&other.setup);

        add!(self += other: wire_bytes deflated deflated_bytes inflated_bytes received received_bytes foreign pings);
        self.faults.add(other.faults);
        self.latency.merge(&other.latency);
        if self.reach.len() < other.reach.len() {
            self.reach.resize(other.reach.len(), Reach::default());
        }
        for (ours, theirs) in self.reach.iter_mut().zip(&other.reach) {
            ours.receipts += theirs.receipts;
            ours.last_ns = ours.last_ns.max(theirs.last_ns);
        }
        self.unread.add(other.unread);

        add!(self += other: round_trips left left_unclean);
        self.marked_ns = earliest(self.marked_ns, other.marked_ns);
        self.halted_ns = self.halted_ns.max(other.halted_ns);
        self.setting_up.extend(&other.setting_up);
        self.worked.extend(&other.worked);
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
    use serde_json::Value;

    #[test]
    fn the_sum_of_two_workers() {
        let lost = |lost| Faults { lost, ..Faults::default() };
        let mut ours = Tally { faults: lost(1), first_connect_ns: 0, ..Tally::default() };
        let mut theirs = Tally { faults: lost(2), first_connect_ns: 7, ..Tally::default() };
        count(&mut ours.failed, "http 503");
        count(&mut theirs.failed, "http 503");
        theirs.reach = vec![Reach { receipts: 3, last_ns: 9 }];
        theirs.latency.record(5_000);
        theirs.worked = vec![Worked { elapsed_ns: 5, run_ns: 2, wait_ns: 1 }];
        (ours.worked, theirs.setting_up) = (vec![Worked::default()], theirs.worked.clone());
        ours.merge(&theirs);
        assert_eq!((&ours.worked[1..], &ours.setting_up), (&theirs.worked[..], &theirs.worked));
        assert_eq!((ours.faults.lost, ours.failed["http 503"], ours.first_connect_ns), (3, 2, 7));
        assert_eq!(ours.reach, [Reach { receipts: 3, last_ns: 9 }]);
        assert_eq!(ours.latency.summary().count, 1);
    }
    /// `value` with each number as 1.
    fn ones(value: &mut Value) {
        match value {
            Value::Object(fields) => fields.values_mut().for_each(ones),
            Value::Number(_) => *value = 1.into(),
            _ => {}
        }
    }

    #[test]
    fn no_count_is_forgotten_in_the_sum() {
        let mut counts = serde_json::to_value(Tally::default()).unwrap();
        ones(&mut counts);
        let mut sum = Tally::default();
        sum.merge(&serde_json::from_value(counts.clone()).unwrap());
        assert_eq!(serde_json::to_value(sum).unwrap(), counts);
    }
}

//! Holds every received message against the sequence that was sent.

use crate::payload::{self, Body, Template, Verdict};
use crate::tally::{Reach, Tally};
use crate::worker::conn::{Conn, FRESH, Phase};

/// Gaps that are remembered per connection, to tell a late message from a second one. What is missing beyond
/// is lost at once.
const MISSING_MAX: usize = 4_096;
/// How far a publication may be ahead of those that were announced: orders and publications come by different ways.
const AHEAD_MAX: u32 = 1_000_000;

/// A round-trip campaign: every echo is answered with the next message.
struct Echo {
    outstanding: u32,
    template: Template,
    halted: bool,
    /// Messages under way on all connections.
    under_way: u64,
    scratch: Vec<u8>,
}

/// The receipts of one worker.
pub(crate) struct Ledger {
    run: u16,
    warm_up: u32,
    /// Publications that have been pushed, or will have been soon.
    expected: u32,
    /// Connections that have not got all of them.
    behind: u32,
    echo: Option<Echo>,
    pub(crate) tally: Tally,
}

impl Ledger {
    pub(crate) fn new(run: u16, warm_up: u32) -> Self {
        Self { run, warm_up, expected: 0, behind: 0, echo: None, tally: Tally::default() }
    }

    pub(crate) fn opened(&mut self, conn: &mut Conn) {
        conn.next = if self.expected == 0 { 0 } else { FRESH };
    }

    /// The connection is no longer one that is waited for. Call it before the phase changes.
    pub(crate) fn forget(&mut self, conn: &Conn) {
        self.behind -= u32::from(conn.is_behind(self.expected));
        if let Some(echo) = &mut self.echo
            && conn.phase == Phase::Open
            && !echo.halted
        {
            echo.under_way -= u64::from(echo.outstanding);
            self.tally.faults.lost += u64::from(echo.outstanding);
        }
    }

    /// Waits for `publications` on every open connection.
    pub(crate) fn expect(&mut self, publications: u32, conns: &[Conn]) {
        self.expected = publications;
        self.behind = conns.iter().filter(|conn| conn.is_behind(publications)).count() as u32;
    }

    pub(crate) fn has_caught_up(&self) -> bool {
        self.behind == 0
    }

    /// A message has come as `wire_bytes` that inflate to `message_bytes`.
    pub(crate) fn deflated(&mut self, wire_bytes: usize, message_bytes: usize) {
        self.tally.deflated += 1;
        self.tally.deflated_bytes += wire_bytes as u64;
        self.tally.inflated_bytes += message_bytes as u64;
    }

    /// One whole message has come. Returns the number of the next one to send, if it was an echo.
    pub(crate) fn message(&mut self, conn: &mut Conn, message: &[u8], now_ns: u64) -> Option<u32> {
        self.tally.received_bytes += message.len() as u64;
        let stamp = match payload::check(message, self.run) {
            // A number that was never sent, with a right checksum: somebody has made it up.
            Verdict::Whole(stamp) if stamp.sequence > self.sequence_max(conn) => {
                self.tally.faults.corrupted += 1;
                return None;
            }
            Verdict::Whole(stamp) => stamp,
            Verdict::Corrupt(stamp) => {
                self.tally.faults.corrupted += 1;
                // It still takes its place in the sequence, when it names that: corrupted isn't lost as well.
                if stamp.is_some_and(|stamp| stamp.sequence == conn.next) {
                    self.advance(conn, conn.next.wrapping_add(1));
                }
                return None;
            }
            Verdict::Foreign => {
                self.tally.foreign += 1;
                return None;
            }
        };
        if !self.place(conn, stamp.sequence) {
            return None;
        }
        self.tally.received += 1;
        let age_ns = stamp.age_ns(now_ns);
        if let Some(echo) = &mut self.echo {
            echo.under_way -= 1;
            if echo.halted {
                return None;
            }
            self.tally.round_trips += 1;
            self.tally.latency.record(age_ns);
            return Some(stamp.sequence.wrapping_add(echo.outstanding));
        }
        self.reached(stamp.sequence, age_ns, now_ns);
        None
    }

    /// The largest number that a message can have. It bounds the memory for receipts.
    fn sequence_max(&self, conn: &Conn) -> u32 {
        match &self.echo {
            Some(echo) => conn.next.saturating_add(echo.outstanding - 1),
            None => self.expected.saturating_add(AHEAD_MAX),
        }
    }

    /// A publication has reached one more connection.
    fn reached(&mut self, sequence: u32, age_ns: u64, now_ns: u64) {
        let at = sequence as usize;
        if self.tally.reach.len() <= at {
            self.tally.reach.resize(at + 1, Reach::default());
        }
        let reach = &mut self.tally.reach[at];
        reach.receipts += 1;
        reach.last_ns = now_ns;
        if sequence >= self.warm_up {
            self.tally.latency.record(age_ns);
        }
    }

    /// Puts a sequence number into the connection's order; false for one that it has already.
    fn place(&mut self, conn: &mut Conn, sequence: u32) -> bool {
        if conn.next == FRESH || sequence == conn.next {
            self.advance(conn, sequence.wrapping_add(1));
        } else if sequence > conn.next {
            for number in conn.next..sequence {
                let missing = &mut conn.rare().missing;
                if missing.len() >= MISSING_MAX {
                    self.tally.faults.lost += u64::from(sequence - number);
                    break;
                }
                missing.insert(number);
            }
            self.advance(conn, sequence.wrapping_add(1));
        } else if conn.rare.as_mut().is_some_and(|rare| rare.missing.remove(&sequence)) {
            self.tally.faults.reordered += 1;
        } else {
            self.tally.faults.duplicated += 1;
            return false;
        }
        true
    }

    fn advance(&mut self, conn: &mut Conn, next: u32) {
        let was_behind = conn.is_behind(self.expected);
        conn.next = next;
        // A connection that joined late is first waited for when it has got the beginning of a burst.
        self.behind = self.behind + u32::from(conn.is_behind(self.expected)) - u32::from(was_behind);
    }

    /// Counts the messages that never came on this connection, when it leaves or when the campaign ends.
    pub(crate) fn settle_losses(&mut self, conn: &mut Conn) {
        if let Some(rare) = &mut conn.rare {
            self.tally.faults.lost += rare.missing.len() as u64;
            rare.missing.clear();
        }
    }

    /// The end of the campaign for one connection, open or ended early.
    pub(crate) fn finish(&mut self, conn: &mut Conn) {
        self.settle_losses(conn);
        if self.echo.is_none() && conn.next < self.expected {
            self.tally.faults.lost += u64::from(self.expected - conn.next);
        }
    }

    /// Every echo that is still under way is lost.
    pub(crate) fn finish_echo(&mut self) {
        if let Some(echo) = self.echo.take() {
            self.tally.faults.lost += echo.under_way;
        }
    }

    pub(crate) fn start_echo(&mut self, outstanding: u32, body: Body, size: usize) {
        let template = Template { run: self.run, body, size };
        self.echo = Some(Echo { outstanding, template, halted: false, under_way: 0, scratch: Vec::new() });
    }

    /// How many messages each connection has under way.
    pub(crate) fn outstanding(&self) -> u32 {
        self.echo.as_ref().map_or(0, |echo| echo.outstanding)
    }

    /// The message to send next. It counts as under way.
    pub(crate) fn next_echo(&mut self, sequence: u32, now_ns: u64) -> &[u8] {
        let Some(echo) = &mut self.echo else { return &[] };
        echo.scratch.clear();
        echo.template.compose(&mut echo.scratch, sequence, now_ns);
        echo.under_way += 1;
        &echo.scratch
    }

    pub(crate) fn mark(&mut self, now_ns: u64) {
        self.tally.latency.clear();
        self.tally.round_trips = 0;
        self.tally.wire_bytes = 0;
        self.tally.marked_ns = now_ns;
    }

    pub(crate) fn halt(&mut self, now_ns: u64) {
        self.tally.halted_ns = now_ns;
        if let Some(echo) = &mut self.echo {
            echo.halted = true;
        }
    }

    pub(crate) fn is_echo_quiet(&self) -> bool {
        self.echo.as_ref().is_none_or(|echo| echo.under_way == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: u16 = 7;
    const TEMPLATE: Template = Template { run: RUN, body: Body::Text, size: 40 };

    fn deliver(ledger: &mut Ledger, conn: &mut Conn, sequence: u32) {
        let mut message = Vec::new();
        TEMPLATE.compose(&mut message, sequence, 0);
        ledger.message(conn, &message, 1_000);
    }

    fn scene(expected: u32) -> (Ledger, Conn) {
        let mut ledger = Ledger::new(RUN, 0);
        let mut conn = Conn::vacant();
        conn.phase = Phase::Open;
        ledger.opened(&mut conn);
        ledger.expect(expected, std::slice::from_ref(&conn));
        (ledger, conn)
    }

    /// Received, lost, duplicated, reordered after delivering `sequences` of four publications.
    fn counts(sequences: &[u32]) -> (u64, u64, u64, u64) {
        let (mut ledger, mut conn) = scene(4);
        for sequence in sequences {
            deliver(&mut ledger, &mut conn, *sequence);
        }
        ledger.finish(&mut conn);
        let tally = &ledger.tally;
        (tally.received, tally.faults.lost, tally.faults.duplicated, tally.faults.reordered)
    }

    #[test]
    fn order_loss_and_duplication_are_told_apart() {
        assert_eq!(counts(&[0, 1, 2, 3]), (4, 0, 0, 0));
        assert_eq!(counts(&[0, 2, 1, 3]), (4, 0, 0, 1));
        assert_eq!(counts(&[0, 1, 1, 2, 3]), (4, 0, 1, 0));
        assert_eq!(counts(&[0, 2, 3]), (3, 1, 0, 0));
        assert_eq!(counts(&[0, 1]), (2, 2, 0, 0));
        assert_eq!(counts(&[]), (0, 4, 0, 0));
    }

    #[test]
    fn a_corrupted_message_is_not_lost_too() {
        let (mut ledger, mut conn) = scene(1);
        let mut message = Vec::new();
        TEMPLATE.compose(&mut message, 0, 0);
        message[39] ^= 1;
        ledger.message(&mut conn, &message, 1_000);
        ledger.finish(&mut conn);
        assert_eq!(
            (ledger.tally.faults.corrupted, ledger.tally.faults.lost, ledger.tally.received),
            (1, 0, 0)
        );
    }

    #[test]
    fn numbers_that_were_never_sent_are_corruption_and_take_no_memory() {
        let (mut ledger, mut conn) = scene(1);
        deliver(&mut ledger, &mut conn, u32::MAX);
        deliver(&mut ledger, &mut conn, AHEAD_MAX + 2);
        assert_eq!((ledger.tally.faults.corrupted, ledger.tally.reach.len(), conn.next), (2, 0, 0));
        ledger.expect(0, &[]);
        ledger.start_echo(2, Body::Text, 40);
        for sequence in 0..2 {
            ledger.next_echo(sequence, 0);
        }
        deliver(&mut ledger, &mut conn, 2);
        assert_eq!((ledger.tally.faults.corrupted, ledger.tally.round_trips), (3, 0));
        for sequence in 0..2 {
            deliver(&mut ledger, &mut conn, sequence);
        }
        assert_eq!((ledger.tally.round_trips, ledger.is_echo_quiet()), (2, true));
    }

    #[test]
    fn everybody_has_caught_up_or_is_forgotten() {
        let (mut ledger, mut conn) = scene(2);
        deliver(&mut ledger, &mut conn, 0);
        assert!(!ledger.has_caught_up());
        deliver(&mut ledger, &mut conn, 1);
        assert!(ledger.has_caught_up());
        ledger.expect(3, std::slice::from_ref(&conn));
        ledger.forget(&conn);
        assert!(ledger.has_caught_up());
    }

    #[test]
    fn who_joins_late_is_owed_nothing_from_before() {
        let (mut ledger, mut conn) = scene(9);
        ledger.opened(&mut conn);
        ledger.expect(9, std::slice::from_ref(&conn));
        deliver(&mut ledger, &mut conn, 6);
        deliver(&mut ledger, &mut conn, 8);
        ledger.finish(&mut conn);
        assert_eq!((ledger.tally.received, ledger.tally.faults.lost), (2, 1));
    }

    #[test]
    fn a_long_gap_stays_bounded() {
        let (mut ledger, mut conn) = scene(100_000);
        deliver(&mut ledger, &mut conn, 99_999);
        assert_eq!(conn.rare().missing.len(), MISSING_MAX);
        ledger.finish(&mut conn);
        assert_eq!(ledger.tally.faults.lost, 99_999);
    }
}

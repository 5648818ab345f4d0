//! From the first to the last moment of a connection.

use super::conn::{Conn, FRESH, Phase};
use super::{Worker, ramp};
use crate::sys::monotonic_ns;
use crate::tally;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use std::os::fd::AsRawFd;

/// Connections begun between two looks at the sockets.
const BEGIN_MAX: usize = 64;

impl Worker {
    /// Begins, ends and gives up connections, as far as it is time.
    pub(super) fn keep_time(&mut self) {
        let now_ns = monotonic_ns();
        for _ in 0..BEGIN_MAX {
            if self.handshakes >= self.job.window || !self.has_slot() || !self.pace.take(now_ns) {
                break;
            }
            self.begin();
        }
        while self.churn.as_mut().is_some_and(|churn| churn.take(now_ns)) {
            let slot = (self.random.next() % self.conns.len() as u64) as usize;
            if self.conns[slot].phase == Phase::Open {
                self.leave(slot);
            }
        }
        let now_us = ramp::clock_us(now_ns);
        while let Some((slot, begun_us)) = self.deadlines.pop(now_us) {
            let conn = &self.conns[slot as usize];
            if conn.begun_us != begun_us {
                continue;
            }
            match conn.phase {
                Phase::Connecting => self.end(slot as usize, "timed out in connect"),
                Phase::Securing => self.end(slot as usize, "timed out in the TLS handshake"),
                Phase::Greeting => self.end(slot as usize, "timed out in the handshake"),
                Phase::Leaving => self.end(slot as usize, "timed out in the closing handshake"),
                _ => {}
            }
        }
    }

    pub(super) fn has_slot(&self) -> bool {
        let slots = self.primer.slots(&self.job);
        self.untried < slots || slots == self.job.connections && !self.vacant.is_empty()
    }

    fn begin(&mut self) {
        let slot = self.vacant.pop().unwrap_or_else(|| {
            self.untried += 1;
            self.untried - 1
        });
        let now_ns = monotonic_ns();
        let tally = &mut self.ledger.tally;
        tally.begun += 1;
        if tally.first_connect_ns == 0 {
            tally.first_connect_ns = now_ns;
        }
        let opened = ramp::connect(&self.job, slot).and_then(|stream| {
            let interest = Interest::READABLE | Interest::WRITABLE;
            self.poll.registry().register(
                &mut SourceFd(&stream.as_raw_fd()),
                Token(slot as usize),
                interest,
            )?;
            Ok(stream)
        });
        let conn = &mut self.conns[slot as usize];
        conn.begun_us = ramp::clock_us(now_ns);
        match opened {
            Ok(stream) => {
                conn.stream = Some(stream);
                conn.phase = Phase::Connecting;
                self.deadlines.push(slot, conn.begun_us);
                self.handshakes += 1;
            }
            Err(error) => {
                conn.phase = Phase::Ended;
                conn.next = FRESH;
                tally::count(&mut tally.failed, &ramp::describe(&error));
            }
        }
    }

    /// A connection is over that should have gone on, or never came to be.
    pub(super) fn end(&mut self, slot: usize, kind: &str) {
        self.ledger.forget(&self.conns[slot]);
        let conn = &mut self.conns[slot];
        let tally = &mut self.ledger.tally;
        match conn.phase {
            Phase::Connecting | Phase::Securing | Phase::Greeting => {
                self.handshakes -= 1;
                conn.next = FRESH; // It is owed nothing: it has failed, its messages aren't lost as well.
                tally::count(&mut tally.failed, kind);
            }
            Phase::Leaving => {
                tally.left_unclean += 1;
                return self.has_left(slot);
            }
            Phase::Open | Phase::Unread => tally::count(&mut tally.closed, kind),
            Phase::Vacant | Phase::Ended => {}
        }
        conn.stream = None;
        conn.tls = None;
        conn.phase = Phase::Ended;
    }

    /// Says goodbye on an open connection; its slot is used again.
    pub(super) fn leave(&mut self, slot: usize) {
        self.ledger.forget(&self.conns[slot]);
        let conn = &mut self.conns[slot];
        conn.phase = Phase::Leaving;
        conn.begun_us = ramp::clock_us(monotonic_ns());
        self.deadlines.push(slot as u32, conn.begun_us);
        if self.transport.close() {
            self.flush(slot);
        } else {
            self.has_left(slot);
        }
    }

    pub(super) fn has_left(&mut self, slot: usize) {
        let conn = &mut self.conns[slot];
        self.ledger.settle_losses(conn);
        self.ledger.tally.left += 1;
        *conn = Conn::vacant();
        self.vacant.push(slot as u32);
    }
}

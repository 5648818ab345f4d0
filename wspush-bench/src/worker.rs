//! One poll loop with its share of the connections.

use super::conn::{Conn, FRESH, Phase};
use super::frame;
use super::job::{Event, Job, Order, Wait};
use super::ledger::Ledger;
use super::primer::Primer;
use super::ramp::{self, Deadlines, Pace};
use super::sys::monotonic_ns;
use super::tally;
use super::tls::Client;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

const WAKE: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1_024;
/// Connections begun between two looks at the sockets.
const BEGIN_MAX: usize = 64;
const PROGRESS_NS: u64 = 100_000_000;

/// A share of the load.
pub(crate) struct Worker {
    pub(super) job: Job,
    pub(super) poll: Poll,
    pub(super) conns: Vec<Conn>,
    pub(super) ledger: Ledger,
    pub(super) buffer: Vec<u8>,
    /// Makes the TLS sessions, of a wss:// address.
    pub(super) tls: Option<Client>,
    /// The plaintext of the records that just came, and what is to be written next.
    pub(super) plain: Vec<u8>,
    pub(super) wire: Vec<u8>,
    pub(super) primer: Primer,
    orders: Receiver<Order>,
    events: Sender<(usize, Event)>,

    pace: Pace,
    deadlines: Deadlines,
    /// The next slot that never had a connection, and those whose connection has left.
    pub(super) untried: u32,
    pub(super) vacant: Vec<u32>,
    pub(super) handshakes: u32,
    churn: Option<Pace>,

    is_connected: bool,
    awaited: Option<u32>,
    is_halting: bool,
    progress_ns: u64,
}

impl Worker {
    /// A worker and what wakes it after an order was sent.
    pub(crate) fn new(
        job: Job,
        orders: Receiver<Order>,
        events: Sender<(usize, Event)>,
    ) -> Result<(Self, Arc<Waker>), String> {
        let failed = |error: io::Error| format!("can't poll: {error}");
        let poll = Poll::new().map_err(failed)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(failed)?);
        let tls = job
            .target
            .is_secure
            .then(|| Client::new(&job.tls, &job.target.host, job.connections))
            .transpose()?;
        let mut conns = Vec::with_capacity(job.connections as usize);
        conns.resize_with(job.connections as usize, Conn::vacant);
        let worker = Self {
            ledger: Ledger::new(job.run, job.warm_up),
            pace: Pace::new(job.rate, monotonic_ns()),
            deadlines: Deadlines::new(job.timeout_ms),
            primer: Primer::new(job.tls.resumes),
            tls,
            plain: Vec::new(),
            wire: Vec::new(),
            job,
            poll,
            conns,
            buffer: vec![0; BUFFER_BYTES],
            orders,
            events,
            untried: 0,
            vacant: Vec::new(),
            handshakes: 0,
            churn: None,
            is_connected: false,
            awaited: None,
            is_halting: false,
            progress_ns: 0,
        };
        Ok((worker, waker))
    }

    /// Works until the order to finish, or until nobody gives orders any more.
    pub(crate) fn run(mut self) {
        if let Err(error) = self.work() {
            self.tell(Event::Fault(format!("poll: {error}")));
        }
    }

    fn work(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS_MAX);
        loop {
            match self.poll.poll(&mut events, self.patience()) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            for event in &events {
                if event.token() != WAKE {
                    self.serve(event.token().0, event);
                }
            }
            loop {
                match self.orders.try_recv() {
                    Ok(Order::Finish) | Err(TryRecvError::Disconnected) => {
                        self.finish();
                        return Ok(());
                    }
                    Ok(order) => self.obey(order),
                    Err(TryRecvError::Empty) => break,
                }
            }
            self.keep_time();
            self.announce();
        }
    }

    /// How long the poll may sleep.
    fn patience(&self) -> Option<Duration> {
        if self.job.wait == Wait::Busy {
            return Some(Duration::ZERO);
        }
        let now_ns = monotonic_ns();
        let mut patience = (!self.deadlines.is_empty()).then_some(Duration::from_millis(50));
        let waits_to_begin = self.handshakes < self.job.window && self.has_slot();
        for pace in [waits_to_begin.then_some(&self.pace), self.churn.as_ref()].into_iter().flatten() {
            patience = Some(patience.unwrap_or(Duration::MAX).min(pace.next_in(now_ns)));
        }
        patience
    }

    fn obey(&mut self, order: Order) {
        let now_ns = monotonic_ns();
        match order {
            Order::Begin => {
                self.primer.finish();
                if let Some(tickets) = self.tls.as_ref().and_then(|tls| tls.tickets.as_ref()) {
                    tickets.open();
                }
                self.pace = Pace::new(self.job.rate, now_ns);
            }
            Order::Expect { publications } => {
                self.ledger.expect(publications, &self.conns);
                self.awaited = Some(publications);
            }
            Order::Settle { publications } => {
                for conn in &mut self.conns {
                    if conn.phase == Phase::Open && conn.next == FRESH {
                        conn.next = publications;
                    }
                }
            }
            Order::Echo { outstanding, body, size } => {
                self.ledger.start_echo(outstanding, body, size);
                for slot in 0..self.conns.len() {
                    if self.conns[slot].phase == Phase::Open {
                        self.ledger.first_echoes(monotonic_ns());
                        self.flush(slot);
                    }
                }
            }
            Order::Mark => {
                self.ledger.mark(now_ns);
                self.tell(Event::Marked);
            }
            Order::Halt => {
                self.ledger.halt(now_ns);
                self.is_halting = true;
            }
            Order::Churn { per_second } => {
                self.churn = (per_second > 0.0).then(|| Pace::new(per_second, now_ns))
            }
            Order::Finish => {}
        }
    }

    /// Begins, ends and gives up connections, as far as it is time.
    fn keep_time(&mut self) {
        let now_ns = monotonic_ns();
        for _ in 0..BEGIN_MAX {
            if self.handshakes >= self.job.window || !self.has_slot() || !self.pace.take(now_ns) {
                break;
            }
            self.begin();
        }
        while self.churn.as_mut().is_some_and(|churn| churn.take(now_ns)) {
            let slot = self.ledger.choose(self.conns.len());
            if self.conns[slot].phase == Phase::Open {
                self.leave(slot);
            }
        }
        let now_us = (now_ns / 1_000) as u32;
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

    fn has_slot(&self) -> bool {
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
        conn.begun_us = (now_ns / 1_000) as u32;
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
        conn.begun_us = (monotonic_ns() / 1_000) as u32;
        self.deadlines.push(slot as u32, conn.begun_us);
        self.ledger.reply(frame::CLOSE, &1000u16.to_be_bytes());
        self.flush(slot);
    }

    pub(super) fn has_left(&mut self, slot: usize) {
        let conn = &mut self.conns[slot];
        self.ledger.settle_losses(conn);
        self.ledger.tally.left += 1;
        *conn = Conn::vacant();
        self.vacant.push(slot as u32);
    }

    fn announce(&mut self) {
        if self.primer.is_under_way() {
            if self.prime() {
                self.tell(Event::Primed);
            }
            return;
        }
        let failed = self.ledger.tally.failed_total() as u32;
        let open = self.ledger.tally.opened as u32;
        if !self.is_connected {
            if self.untried == self.job.connections && self.handshakes == 0 {
                self.is_connected = true;
                self.tell(Event::Connected { open, failed });
            } else if monotonic_ns() - self.progress_ns > PROGRESS_NS {
                self.progress_ns = monotonic_ns();
                self.tell(Event::Progress { open, failed });
            }
        }
        if self.ledger.has_caught_up()
            && let Some(publications) = self.awaited.take()
        {
            self.tell(Event::CaughtUp { publications });
        }
        if self.is_halting && self.ledger.is_echo_quiet() {
            self.is_halting = false;
            self.tell(Event::Halted);
        }
    }

    fn finish(&mut self) {
        for slot in 0..self.conns.len() {
            let conn = &mut self.conns[slot];
            match conn.phase {
                Phase::Open => {
                    self.ledger.tally.active += 1;
                    self.ledger.finish(conn);
                }
                Phase::Ended => self.ledger.finish(conn),
                Phase::Unread => self.look_at_unread(slot),
                // Nobody leaves in the last moments, so the server has had its time to answer.
                Phase::Leaving => {
                    self.ledger.tally.left_unclean += 1;
                    self.has_left(slot);
                }
                _ => {}
            }
        }
        self.ledger.finish_echo();
        let tally = std::mem::take(&mut self.ledger.tally);
        self.tell(Event::Finished(Box::new(tally)));
    }

    pub(super) fn tell(&self, event: Event) {
        // Without a listener the campaign is over, and `orders` will tell.
        let _ = self.events.send((self.job.worker, event));
    }
}

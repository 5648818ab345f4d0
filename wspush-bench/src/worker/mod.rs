//! A worker: one poll loop with its share of the connections.
//!
//! `life` opens a connection at its time (`ramp`), gives up on it, lets it leave and ends it; with `--resume`, `primer`
//! collects tickets before that. `traffic` reads and writes its socket, through TLS where the address says so. What
//! the bytes mean is the transport's affair (`transport`), and whether they are right the ledger's.

pub(crate) mod conn;
mod life;
mod primer;
mod ramp;
mod traffic;

use crate::effort::Effort;
use crate::job::{Event, Job, Order, Wait};
use crate::ledger::Ledger;
use crate::random::Random;
use crate::sys::monotonic_ns;
use crate::tls::Client;
use crate::transport::Transport;
use conn::{Conn, FRESH, Phase};
use mio::{Events, Poll, Token, Waker};
use primer::Primer;
use ramp::{Deadlines, Pace};
use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, TryRecvError};
use std::time::Duration;

const WAKE: Token = Token(usize::MAX);
const BUFFER_BYTES: usize = 256 * 1024;
const EVENTS_MAX: usize = 1_024;
const PROGRESS_NS: u64 = 100_000_000;

/// A share of the load.
pub(crate) struct Worker {
    job: Job,
    poll: Poll,
    conns: Vec<Conn>,
    ledger: Ledger,
    transport: Transport,
    /// Makes the TLS sessions, of a wss:// address.
    tls: Option<Client>,
    scratch: Scratch,
    primer: Primer,
    orders: Receiver<Order>,
    events: Sender<(usize, Event)>,

    pace: Pace,
    deadlines: Deadlines,
    /// The next slot that never had a connection, and those whose connection has left.
    untried: u32,
    vacant: Vec<u32>,
    handshakes: u32,
    churn: Option<Pace>,
    /// Chooses who leaves.
    random: Random,

    is_connected: bool,
    awaited: Option<u32>,
    is_halting: bool,
    progress_ns: u64,
    effort: Effort,
}

/// Buffers that all connections share.
struct Scratch {
    /// Bytes just read from the socket.
    input: Vec<u8>,
    /// The plaintext of the TLS records that just came.
    plain: Vec<u8>,
    /// Bytes to write next, as they go over the wire.
    wire: Vec<u8>,
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
            transport: Transport::new(&job),
            tls,
            scratch: Scratch { input: vec![0; BUFFER_BYTES], plain: Vec::new(), wire: Vec::new() },
            job,
            poll,
            conns,
            orders,
            events,
            untried: 0,
            vacant: Vec::new(),
            handshakes: 0,
            churn: None,
            random: Random::new(),
            is_connected: false,
            awaited: None,
            is_halting: false,
            progress_ns: 0,
            effort: Effort::default(),
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
        self.effort.begin();
        loop {
            let is_polling = self.job.wait == Wait::Busy && self.effort.has_begun();
            let begun_ns = if is_polling { monotonic_ns() } else { 0 };
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
            if is_polling && events.is_empty() {
                self.effort.idled(monotonic_ns() - begun_ns);
            }
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
                self.effort.begin();
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
                self.send_first_echoes();
            }
            Order::Mark => {
                self.ledger.mark(now_ns);
                self.effort.take();
                if self.ledger.outstanding() > 0 {
                    self.effort.begin();
                }
                self.tell(Event::Marked);
            }
            Order::Halt => {
                self.ledger.halt(now_ns);
                self.effort.end();
                self.is_halting = true;
            }
            Order::Churn { per_second } => {
                self.churn = (per_second > 0.0).then(|| Pace::new(per_second, now_ns))
            }
            Order::Finish => {}
        }
    }

    fn send_first_echoes(&mut self) {
        for slot in 0..self.conns.len() {
            if self.conns[slot].phase == Phase::Open {
                let now_ns = monotonic_ns();
                for sequence in 0..self.ledger.outstanding() {
                    self.transport.send(self.ledger.next_echo(sequence, now_ns));
                }
                self.flush(slot);
            }
        }
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
                self.ledger.tally.setting_up.push(self.effort.take());
                self.tell(Event::Connected { open, failed });
            } else if monotonic_ns() - self.progress_ns > PROGRESS_NS {
                self.progress_ns = monotonic_ns();
                self.tell(Event::Progress { open, failed });
            }
        }
        if self.ledger.has_caught_up()
            && let Some(publications) = self.awaited.take()
        {
            self.effort.end();
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
        self.ledger.tally.worked.push(self.effort.take());
        let tally = std::mem::take(&mut self.ledger.tally);
        self.tell(Event::Finished(Box::new(tally)));
    }

    fn tell(&self, event: Event) {
        // Without a listener the campaign is over, and `orders` will tell.
        let _ = self.events.send((self.job.worker, event));
    }
}

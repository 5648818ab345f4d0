//! The thread that hands publications over: what has come meanwhile goes in one request, and each is answered when
//! Redis has it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use redis::{Pipeline, cmd};

use super::Terms;
use super::asking::{self, Outcome, Problem};
use super::connect::{Link, strange};
use super::counts::Side;
use super::membership::{Membership, More};
use super::reader::{Fallen, Step, tell};
use crate::push::PushError;
use crate::reactor::Shared;
use crate::reactor::engine::{Asked, Asker, Wanted};

/// So much goes in one request at the most.
const REQUEST_COMMANDS: usize = 512;
const REQUEST_BYTES: usize = 4 << 20;
/// Without anything to hand over the server is asked whether it is there.
pub(super) const SILENCE: Duration = Duration::from_millis(500);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(100);

/// Publications that are to be handed over.
pub(super) struct Queue {
    terms: Arc<Terms>,
    waiting: Mutex<Waiting>,
    news: Condvar,
}

/// Something that was asked for, and since when.
type Waits = (Instant, Asked);

#[derive(Default)]
struct Waiting {
    asked: VecDeque<Waits>,
    bytes: usize,
    /// The server is to be asked now whether it is there.
    is_doubtful: bool,
    /// Members have come or gone.
    is_roused: bool,
}

impl Waiting {
    fn is_idle(&self) -> bool {
        self.asked.is_empty() && !self.is_doubtful && !self.is_roused
    }
}

impl Queue {
    pub fn new(terms: Arc<Terms>) -> Queue {
        Queue { terms, waiting: Mutex::default(), news: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn len(&self) -> usize {
        self.lock().asked.len()
    }

    /// Takes something to be handed over.
    pub fn push(&self, asked: Asked) -> Result<(), PushError> {
        if let Some(why) = self.terms.counts.writer_away() {
            self.terms.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(PushError::Unavailable(why));
        }
        let (mut waiting, bytes) = (self.lock(), asked.bytes());
        let is_full = waiting.asked.len() >= self.terms.commands_max
            || waiting.bytes.saturating_add(bytes) > self.terms.bytes_max;
        if is_full {
            return Err(PushError::InboxFull);
        }
        waiting.bytes += bytes;
        waiting.asked.push_back((self.terms.outside.now(), asked));
        if waiting.asked.len() == 1 {
            self.news.notify_one();
        }
        Ok(())
    }

    /// The other connection is lost: this one may be, and nobody has noticed.
    pub fn doubt(&self) {
        self.lock().is_doubtful = true;
        self.news.notify_one();
    }

    /// Members of this node have come or gone.
    pub fn rouse(&self) {
        let mut waiting = self.lock();
        if !std::mem::replace(&mut waiting.is_roused, true) {
            self.news.notify_one();
        }
    }

    /// Waits until there is something to do, for a while.
    fn wait(&self) {
        let waiting = self.lock();
        if waiting.is_idle() {
            drop(self.news.wait_timeout(waiting, SILENCE).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Whether there is nothing to do but to ask now and then whether the server is there.
    pub fn is_idle(&self) -> bool {
        self.lock().is_idle()
    }

    /// Takes as much as goes in one request; nothing if nothing has come. None: only members have come or gone.
    fn take(&self) -> Option<Vec<Waits>> {
        let mut waiting = self.lock();
        let is_roused = std::mem::take(&mut waiting.is_roused);
        let is_doubtful = std::mem::take(&mut waiting.is_doubtful);
        if is_roused && !is_doubtful && waiting.asked.is_empty() {
            return None;
        }
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < REQUEST_COMMANDS && bytes < REQUEST_BYTES {
            let Some(asked) = waiting.asked.pop_front() else { break };
            bytes += asked.1.bytes();
            taken.push(asked);
        }
        waiting.bytes -= bytes;
        Some(taken)
    }

    fn take_all(&self) -> VecDeque<Waits> {
        let mut waiting = self.lock();
        waiting.bytes = 0;
        std::mem::take(&mut waiting.asked)
    }
}

/// The thread.
pub(super) struct Writer {
    terms: Arc<Terms>,
    queue: Arc<Queue>,
    shared: Arc<Shared>,
    link: Option<Link>,
    membership: Membership,
}

impl Writer {
    pub fn new(terms: Arc<Terms>, queue: Arc<Queue>, shared: Arc<Shared>) -> Writer {
        let membership = Membership::new(terms.outside.now());
        Writer { terms, queue, shared, link: None, membership }
    }

    pub fn queue(&self) -> &Arc<Queue> {
        &self.queue
    }

    pub fn start(mut self) -> std::io::Result<()> {
        let run = move || self.run();
        thread::Builder::new().name("cluster-write".to_owned()).spawn(run).map(drop)
    }

    fn run(&mut self) {
        let (terms, shared) = (self.terms.clone(), self.shared.clone());
        let _fallen = Fallen(&terms, &shared, Side::Writer);
        while !self.shared.is_stopped() {
            if self.link.is_some() {
                self.queue.wait();
            }
            if let Step::Again(rest) = self.step() {
                self.terms.outside.rest(rest);
            }
        }
        self.refuse(Vec::new(), "the server is stopping");
    }

    /// Hands over what there is, or asks whether the server is there; or connects.
    pub fn step(&mut self) -> Step {
        for (asker, answered) in self.terms.calls.overdue(self.terms.outside.now()) {
            self.shared.answered(asker, answered);
        }
        if self.link.is_some() {
            if let Some(taken) = self.queue.take() {
                self.hand_over(taken);
            }
            self.tend();
            return Step::On;
        }
        match Link::open(&self.terms) {
            Ok(link) => {
                self.come_back(link);
                Step::On
            }
            Err(why) => {
                tell(&self.terms, &self.shared, Side::Writer, Some(&why));
                self.refuse(Vec::new(), &why);
                Step::Again(AGAIN)
            }
        }
    }

    /// Redis takes publications again, once it has heard of those that it has no places for.
    fn come_back(&mut self, mut link: Link) {
        let terms = self.terms.clone();
        let told = terms.local.as_ref().map_or(Ok(()), |local| {
            local.end();
            link.tell_of(&terms, local)
        });
        match told {
            Ok(()) => {
                self.link = Some(link);
                tell(&terms, &self.shared, Side::Writer, None);
            }
            Err(why) => self.lose(Vec::new(), &why),
        }
        if let Some(local) = &terms.local {
            local.go_on();
        }
    }

    /// Says that this node is there, and what has changed at it.
    fn tend(&mut self) {
        let Some(link) = &mut self.link else { return };
        match self.membership.tend(link, &self.terms, &self.shared) {
            Ok(More::Yes) => self.queue.rouse(),
            Ok(More::No) => {}
            Err(why) => self.lose(Vec::new(), &why),
        }
    }

    /// Sends a request and answers those who wait for what comes of it.
    fn hand_over(&mut self, taken: Vec<Waits>) {
        let Some(link) = &mut self.link else { return };
        let mut pipeline = Pipeline::with_capacity(taken.len().max(1));
        if taken.is_empty() {
            pipeline.add_command(cmd("PING"));
        }
        let (mut sent, mut counts) = (Vec::with_capacity(taken.len()), Vec::with_capacity(taken.len()));
        let mut refused = Vec::new();
        for (since, asked) in taken {
            if let (Wanted::Call { .. }, Asker::Reactor(_)) = (&asked.what, asked.asker) {
                // An answer may be read before this one has come.
                self.terms.calls.begin(asked.ticket, asked.asker, self.terms.outside.now());
            }
            match asking::commands(&self.terms, link, &asked) {
                Ok(commands) => {
                    counts.push(commands.len());
                    sent.push((since, asked));
                    commands.into_iter().for_each(|command| _ = pipeline.add_command(command));
                }
                Err(problem) => refused.push((asked, problem)),
            }
        }
        let count = pipeline.len();
        let answers = match link.wire.ask(&pipeline) {
            Ok(answers) if answers.len() == count => answers,
            Ok(_) => return self.lose(sent, &strange()),
            Err(why) => return self.lose(sent, &why),
        };
        refused.into_iter().for_each(|(asked, problem)| self.fail(asked, problem));
        let (mut lost, mut answers) = (None, &answers[..]);
        for ((since, asked), count) in sent.into_iter().zip(counts) {
            let (own, rest) = answers.split_at(count);
            answers = rest;
            self.count(since, &asked);
            match asking::read(&self.terms, &asked, own) {
                Ok(outcome) => self.end(asked, outcome),
                Err(Problem::Push(problem)) => self.fail(asked, problem),
                Err(Problem::Server(why)) => {
                    lost = Some(why.clone());
                    self.fail(asked, PushError::Unavailable(why.into()));
                }
            }
        }
        if let Some(why) = lost.filter(|why| is_to_connect_again(why)) {
            // Scripts that it has forgotten are handed to it again with the next connection.
            self.lose(Vec::new(), &why);
        }
    }

    /// It is known what has come of something that waited since then.
    fn count(&self, since: Instant, asked: &Asked) {
        if let Wanted::Publish { .. } = asked.what {
            self.terms.counts.answered(self.terms.outside.now().saturating_duration_since(since));
        }
    }

    fn end(&self, asked: Asked, outcome: Outcome) {
        match outcome {
            Outcome::Placed(published) => {
                self.terms.counts.placed.fetch_add(1, Ordering::Relaxed);
                self.shared.placed(asked, Ok(published));
            }
            Outcome::Heard(nodes) => {
                if let Some((asker, answered)) = self.terms.calls.expect(asked.ticket, nodes) {
                    self.shared.answered(asker, answered);
                }
            }
            Outcome::Answered(answered) => self.shared.answered(asked.asker, answered),
            Outcome::Done => {}
        }
    }

    fn fail(&self, asked: Asked, problem: PushError) {
        self.terms.counts.refused.fetch_add(1, Ordering::Relaxed);
        self.terms.calls.withdraw(asked.ticket);
        self.shared.placed(asked, Err(problem));
    }

    /// The connection is of no use any more. Nobody knows what has come of what was sent.
    fn lose(&mut self, taken: Vec<Waits>, why: &str) {
        let server = self.link.take().map_or_else(|| self.terms.outside.address(), |link| link.server);
        let why = format!("{server}: {why}");
        tell(&self.terms, &self.shared, Side::Writer, Some(&why));
        self.refuse(taken, &why);
    }

    fn refuse(&self, taken: Vec<Waits>, why: &str) {
        let why: Arc<str> = why.into();
        for (since, asked) in taken.into_iter().chain(self.queue.take_all()) {
            self.count(since, &asked);
            self.fail(asked, PushError::Unavailable(why.clone()));
        }
    }
}

/// Another connection may lead to a server that does it.
fn is_to_connect_again(why: &str) -> bool {
    ["NOSCRIPT", "READONLY", "NOAUTH", "NOPERM", "MASTERDOWN", "CLUSTERDOWN", "MOVED"]
        .iter()
        .any(|code| why.contains(code))
}

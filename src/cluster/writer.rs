//! The thread that hands publications over: what has come meanwhile goes in one request, and each is answered when
//! Redis has it.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use redis::{ConnectionLike, Pipeline, Value, cmd};

use super::Terms;
use super::connect::{Link, plain, strange};
use super::counts::Side;
use super::entry;
use super::reader::{Fallen, tell};
use super::reply;
use crate::endpoint::{Published, Receipt};
use crate::limits::IDEMPOTENCY_MS;
use crate::push::PushError;
use crate::reactor::Shared;
use crate::reactor::engine::{Asked, Wanted};

/// So much goes in one request at the most.
const REQUEST_COMMANDS: usize = 512;
const REQUEST_BYTES: usize = 4 << 20;
/// Without anything to hand over the server is asked whether it is there.
const SILENCE: Duration = Duration::from_millis(500);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(100);

/// Publications that are to be handed over.
pub(super) struct Queue {
    terms: Arc<Terms>,
    waiting: Mutex<Waiting>,
    news: Condvar,
}

#[derive(Default)]
struct Waiting {
    asked: VecDeque<Asked>,
    bytes: usize,
    /// The server is to be asked now whether it is there.
    is_doubtful: bool,
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
        waiting.asked.push_back(asked);
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

    /// Takes as much as goes in one request; nothing if nothing has come for a while.
    fn take(&self) -> Vec<Asked> {
        let mut waiting = self.lock();
        if waiting.asked.is_empty() && !waiting.is_doubtful {
            waiting = self.news.wait_timeout(waiting, SILENCE).unwrap_or_else(PoisonError::into_inner).0;
        }
        waiting.is_doubtful = false;
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < REQUEST_COMMANDS && bytes < REQUEST_BYTES {
            let Some(asked) = waiting.asked.pop_front() else { break };
            bytes += asked.bytes();
            taken.push(asked);
        }
        waiting.bytes -= bytes;
        taken
    }

    fn take_all(&self) -> VecDeque<Asked> {
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
}

impl Writer {
    pub fn new(terms: Arc<Terms>, queue: Arc<Queue>, shared: Arc<Shared>) -> Writer {
        Writer { terms, queue, shared, link: None }
    }

    pub fn start(mut self) -> std::io::Result<()> {
        let run = move || self.run();
        thread::Builder::new().name("cluster-write".to_owned()).spawn(run).map(drop)
    }

    fn run(&mut self) {
        let (terms, shared) = (self.terms.clone(), self.shared.clone());
        let _fallen = Fallen(&terms, &shared, Side::Writer);
        while !self.shared.is_stopped() {
            match &self.link {
                Some(_) => {
                    let taken = self.queue.take();
                    self.hand_over(taken);
                }
                None => match Link::open(&self.terms) {
                    Ok(link) => {
                        self.link = Some(link);
                        tell(&self.terms, &self.shared, Side::Writer, None);
                    }
                    Err(why) => {
                        tell(&self.terms, &self.shared, Side::Writer, Some(&why));
                        self.refuse(Vec::new(), &why);
                        thread::sleep(AGAIN);
                    }
                },
            }
        }
        self.refuse(Vec::new(), "the server is stopping");
    }

    /// Sends a request and answers those who wait for what comes of it.
    fn hand_over(&mut self, taken: Vec<Asked>) {
        let Some(link) = &mut self.link else { return };
        let mut pipeline = Pipeline::with_capacity(taken.len().max(1));
        if taken.is_empty() {
            pipeline.add_command(cmd("PING"));
        }
        for asked in &taken {
            pipeline.add_command(command(&self.terms, link, asked));
        }
        let count = pipeline.len();
        let answers = link.connection.req_packed_commands(&pipeline.get_packed_pipeline(), 0, count);
        let answers = match answers {
            Ok(answers) if answers.len() == count => answers,
            Ok(_) => return self.lose(taken, &strange()),
            Err(problem) => return self.lose(taken, &plain(&problem)),
        };
        let mut lost = None;
        for (asked, answer) in taken.into_iter().zip(answers) {
            let outcome = read(&self.terms, &asked, &answer).map_err(|problem| match problem {
                Problem::Push(problem) => problem,
                Problem::Server(why) => {
                    lost = Some(why.clone());
                    PushError::Unavailable(why.into())
                }
            });
            let count = if outcome.is_ok() { &self.terms.counts.placed } else { &self.terms.counts.refused };
            count.fetch_add(1, Ordering::Relaxed);
            self.shared.placed(asked, outcome);
        }
        if let Some(why) = lost.filter(|why| is_to_connect_again(why)) {
            // Scripts that it has forgotten are handed to it again with the next connection.
            self.lose(Vec::new(), &why);
        }
    }

    /// The connection is of no use any more. Nobody knows what has come of what was sent.
    fn lose(&mut self, taken: Vec<Asked>, why: &str) {
        let server = self.link.take().map_or_else(|| self.terms.address.to_string(), |link| link.server);
        let why = format!("{server}: {why}");
        tell(&self.terms, &self.shared, Side::Writer, Some(&why));
        self.refuse(taken, &why);
    }

    fn refuse(&self, taken: Vec<Asked>, why: &str) {
        let why: Arc<str> = why.into();
        for asked in taken.into_iter().chain(self.queue.take_all()) {
            self.terms.counts.refused.fetch_add(1, Ordering::Relaxed);
            self.shared.placed(asked, Err(PushError::Unavailable(why.clone())));
        }
    }
}

/// Another connection may lead to a server that does it.
fn is_to_connect_again(why: &str) -> bool {
    ["NOSCRIPT", "READONLY", "NOAUTH", "NOPERM", "MASTERDOWN"].iter().any(|code| why.contains(code))
}

fn command(terms: &Terms, link: &Link, asked: &Asked) -> redis::Cmd {
    let mut command = cmd("EVALSHA");
    match &asked.what {
        Wanted::Forget(channel) => {
            let partition = terms.keys.partition(channel);
            let (epoch, entry) = terms.known.of(partition);
            command.arg(&link.scripts.forget).arg(3);
            terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
            command.arg(&**channel).arg(epoch).arg(entry);
        }
        Wanted::Publish { publications, key, if_offset, sender } => {
            let partitions: Vec<usize> =
                publications.iter().map(|(channel, _)| terms.keys.partition(channel)).collect();
            command.arg(&link.scripts.publish).arg(3 * publications.len() + usize::from(key.is_some()));
            for &partition in &partitions {
                terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
            }
            if let Some((key, _)) = key {
                command.arg(terms.keys.idempotency(partitions[0], key));
            }
            command.arg(terms.entries).arg(IDEMPOTENCY_MS);
            command.arg(key.as_ref().map_or(String::new(), |(_, fingerprint)| format!("{fingerprint:x}")));
            command.arg(if_offset.map_or(String::new(), |offset| offset.to_string()));
            command.arg(&terms.origin).arg(asked.ticket).arg(publications.len());
            for ((channel, publication), &partition) in publications.iter().zip(&partitions) {
                let (epoch, entry) = terms.known.of(partition);
                command.arg(&**channel).arg(publication.payload()).arg(entry::flags(publication));
                command.arg(sender.map_or(String::new(), |conn| conn.to_string())).arg(epoch).arg(entry);
            }
        }
    }
    command
}

/// Why there are no places.
enum Problem {
    Push(PushError),
    Server(String),
}

/// The outcome, as a script has said it.
fn read(terms: &Terms, asked: &Asked, answer: &Value) -> Result<Published, Problem> {
    if let Value::ServerError(problem) = answer {
        return Err(Problem::Server(problem.to_string()));
    }
    let said = reply::list(answer);
    let words: Vec<&str> = said.iter().map(|value| reply::text(value).unwrap_or_default()).collect();
    let number = |word: &str| word.parse::<u64>().map_err(|_| Problem::Server(strange()));
    let channels: Vec<&Arc<str>> = match &asked.what {
        Wanted::Publish { publications, .. } => publications.iter().map(|(channel, _)| channel).collect(),
        Wanted::Forget(channel) => vec![channel],
    };
    let receipt = |(n, channel): (u64, &Arc<str>), epoch, offset, first: u64| Receipt {
        channel: channel.clone(),
        epoch,
        offset,
        id: if first == 0 { 0 } else { first + n },
    };
    match words.split_first() {
        Some((&"placed", places)) if places.len() == 4 * channels.len() => {
            let mut receipts = Vec::with_capacity(channels.len());
            for (at, place) in (0..).zip(channels).zip(places.chunks_exact(4)) {
                terms.known.note(terms.keys.partition(at.1), number(place[2])?, number(place[3])?);
                receipts.push(receipt(at, number(place[0])?, number(place[1])?, asked.ticket));
            }
            Ok(Published { receipts, duplicate: false })
        }
        Some((&"again", [places])) => {
            let places: Vec<&str> = places.split(' ').collect();
            let [origin, ticket, places @ ..] = &places[..] else { return Err(Problem::Server(strange())) };
            // Of what another node has published this one has no numbers.
            let first = if *origin == terms.origin { number(ticket)? } else { 0 };
            let mut receipts = Vec::with_capacity(channels.len());
            for (at, place) in (0..).zip(channels).zip(places.chunks_exact(2)) {
                receipts.push(receipt(at, number(place[0])?, number(place[1])?, first));
            }
            Ok(Published { receipts, duplicate: true })
        }
        Some((&"reused", [])) => Err(Problem::Push(PushError::KeyReused)),
        Some((&"differs", [channel, epoch, offset])) => Err(Problem::Push(PushError::OffsetDiffers {
            channel: Arc::from(*channel),
            epoch: number(epoch)?,
            offset: number(offset)?,
        })),
        _ => Err(Problem::Server(strange())),
    }
}

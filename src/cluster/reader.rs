//! The thread that reads the streams, and gives what it reads to the reactors in its order.

mod nodes;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use redis::{Value, cmd};

use super::Terms;
use super::connect::{CONNECT, Link, Look};
use super::counts::{Change, Side};
use super::entry::{Entry, Published, What};
use super::page::{ENTRIES, Page, Read};
use super::partition::{Partition, Sight, Verdict};
use super::reply;
use super::writer::Queue;
use crate::limits::CLUSTER_WARM_ENTRIES;
use crate::push::{FIRST_OFFSET, PushError};
use crate::reactor::Shared;
use crate::reactor::engine::{Arriving, EngineNews};

/// The server holds a question so long as there is nothing to read.
const BLOCK: Duration = Duration::from_millis(500);
/// To its answer, at the most.
const ANSWER: Duration = Duration::from_millis(1_500);
/// Between two attempts to connect.
const AGAIN: Duration = Duration::from_millis(100);
/// Between two looks at the partitions, while nothing comes.
const LOOK: Duration = Duration::from_secs(1);
/// The reactors are behind: they are asked again.
const BEHIND: Duration = Duration::from_millis(1);
/// More entries than there will ever be: whoever knows of so many makes a server begin another life.
const LOST: u64 = (1 << 53) - 1;

/// The id before all others.
const FIRST: &str = "0-0";

/// Says that one of the threads has its connection, or why it has none.
pub(super) fn tell(terms: &Terms, shared: &Shared, side: Side, why: Option<&str>) {
    match (terms.counts.set(side, why), why) {
        (Change::Lost, Some(why)) => shared.note(EngineNews::Lost(why.to_owned())),
        (Change::Back, _) => shared.note(EngineNews::Back),
        _ => {}
    }
}

/// A thread that has panicked is not there any more, and somebody has to know.
pub(super) struct Fallen<'a>(pub &'a Terms, pub &'a Shared, pub Side);

impl Drop for Fallen<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            tell(self.0, self.1, self.2, Some("its thread has panicked; its message is on standard error"));
        }
    }
}

/// The streams, and how far they are read.
pub(super) struct Reader {
    terms: Arc<Terms>,
    link: Option<Link>,
    partitions: Vec<Partition>,
    /// How far the stream is read that is for this node alone.
    own: String,
    /// Entries of each stream that are read next.
    entries: usize,
    looked: Instant,
    /// Something that nodes have told each other was missed.
    is_to_load: bool,
    /// Of the thread that hands publications over.
    queue: Option<Arc<Queue>>,
}

/// Why nothing more is read for now.
enum Stop {
    /// The server has ended.
    Over,
    /// The connection is of no use any more.
    Lost(String),
}

impl From<String> for Stop {
    fn from(why: String) -> Stop {
        Stop::Lost(why)
    }
}

/// How one of the threads goes on.
pub(super) enum Step {
    On,
    /// After this time, with another connection.
    Again(Duration),
    Over,
}

/// Gives the reactors time when they are behind; false: they have ended.
type Pause<'a> = &'a mut dyn FnMut() -> bool;

impl Reader {
    /// Looks at all partitions.
    pub fn begin(terms: Arc<Terms>, mut link: Link) -> Result<Reader, String> {
        let mut partitions = Vec::new();
        for number in 0..=terms.keys.partitions() {
            let look = link.look(&terms, number, (0, 0), false)?;
            terms.known.note(number, look.epoch, 0);
            partitions.push(Partition::new(look.epoch));
        }
        Ok(Reader {
            looked: terms.outside.now(),
            terms,
            link: Some(link),
            partitions,
            own: FIRST.to_owned(),
            entries: ENTRIES,
            is_to_load: false,
            queue: None,
        })
    }

    /// The thread that hands over is told when this one has lost its connection.
    pub fn warn(&mut self, queue: Arc<Queue>) {
        self.queue = Some(queue);
    }

    /// Reads the ends of the streams.
    pub fn warm(&mut self, shared: &Arc<Shared>, carry_out: &mut dyn FnMut()) -> Result<(), String> {
        let mut pause = || {
            carry_out();
            true
        };
        for number in 0..self.partitions.len() {
            match self.warm_partition(shared, number, &mut pause) {
                Ok(()) => {}
                Err(Stop::Over) => return Err("the server has ended".to_owned()),
                Err(Stop::Lost(why)) => return Err(format!("{}: {why}", self.terms.outside.address())),
            }
        }
        carry_out();
        if let Some(link) = &mut self.link {
            // Of a connection that has no such time another one is made when it is lost.
            let _ = link.wire.set_patience(ANSWER);
        }
        Ok(())
    }

    fn warm_partition(&mut self, shared: &Arc<Shared>, number: usize, pause: Pause<'_>) -> Result<(), Stop> {
        let look = self.look(number, true)?;
        if look.epoch > self.partitions[number].epoch {
            self.begin_epoch(shared, number, look.epoch);
        }
        if self.is_of_nodes(number) {
            // The calls of the past are over.
            self.partitions[number].stand(&look);
            return self.load(shared, pause);
        }
        self.partitions[number].pending = Some(look);
        let [log, ..] = self.terms.keys.of_partition(number);
        let (mut entries, mut bytes, mut before) = (Vec::new(), 0, "+".to_owned());
        'all: loop {
            let mut command = cmd("XREVRANGE");
            command.arg(&log).arg(&before).arg("-").arg("COUNT").arg(ENTRIES);
            let page = self.link()?.ask(&command)?;
            for value in reply::list(&page) {
                let Some(entry) = Entry::read(value) else { continue };
                if let What::Publication(published) = &entry.what {
                    bytes += published.publication.plain_frame().len();
                }
                before = format!("({}", entry.id);
                let is_old = entry.epoch < self.partitions[number].epoch;
                if is_old || bytes > self.terms.warm_bytes_max || entries.len() == CLUSTER_WARM_ENTRIES {
                    break 'all;
                }
                entries.push(entry);
            }
            if reply::list(&page).len() < ENTRIES {
                break;
            }
        }
        for entry in entries.into_iter().rev() {
            self.take(shared, number, entry, pause)?;
        }
        match self.partitions[number].overdue() {
            Some(look) => self.stand(shared, number, &look),
            None => Ok(()),
        }
    }

    /// The thread's life.
    pub fn run(mut self, shared: &Arc<Shared>) {
        let terms = self.terms.clone();
        let _fallen = Fallen(&terms, shared, Side::Reader);
        while !shared.is_stopped() {
            match self.step(shared) {
                Step::Over => return,
                Step::On => {}
                Step::Again(rest) => terms.outside.rest(rest),
            }
        }
    }

    /// Reads once, or connects and reads.
    pub fn step(&mut self, shared: &Arc<Shared>) -> Step {
        let why = match self.go_on(shared) {
            Ok(()) => return Step::On,
            Err(Stop::Over) => return Step::Over,
            Err(Stop::Lost(why)) => why,
        };
        self.link = None;
        if let Some(queue) = &self.queue {
            queue.doubt();
        }
        tell(&self.terms, shared, Side::Reader, Some(&why));
        Step::Again(AGAIN)
    }

    fn go_on(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        if self.link.is_none() {
            self.connect(shared)?;
        }
        let asked_us = self.terms.outside.unix_us();
        let page = Page::read(&self.read()?, self.entries, self.terms.keys.partitions());
        self.entries = page.next;
        let terms = self.terms.clone();
        let mut pause = || {
            terms.outside.rest(BEHIND);
            !shared.is_stopped()
        };
        let has_read = !page.entries.is_empty();
        for (number, read) in page.entries {
            match read {
                Read::Entry(entry) => self.take(shared, number, entry, &mut pause)?,
                Read::Strange(id) => self.partitions[number].id = id,
            }
        }
        page.own.iter().for_each(|answer| self.hear(shared, answer));
        if self.is_to_load {
            self.load(shared, &mut pause)?;
        }
        if let Some(live) = self.terms.take_live()
            && !self.terms.mirror.settle(shared, &live, terms.outside.now(), &mut pause)
        {
            return Err(Stop::Over);
        }
        if !page.has_more {
            self.terms.counts.come_abreast(self.terms.outside.unix_us());
            self.terms.counts.note_read(asked_us);
        }
        if !has_read {
            self.rest(shared)?;
        }
        Ok(())
    }

    fn connect(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        let mut link = Link::open(&self.terms)?;
        link.check_partitions(&self.terms)?;
        link.wire.set_patience(ANSWER)?;
        self.link = Some(link);
        // It may be another server, or one that has lost its data; who has answered already is heard once.
        self.own = FIRST.to_owned();
        self.partitions.iter_mut().for_each(Partition::connect);
        self.look_at_all(shared)?;
        tell(&self.terms, shared, Side::Reader, None);
        Ok(())
    }

    fn link(&mut self) -> Result<&mut Link, Stop> {
        self.link.as_mut().ok_or_else(|| Stop::Lost("no connection".to_owned()))
    }

    fn read(&mut self) -> Result<Value, Stop> {
        let mut command = cmd("XREAD");
        command.arg("COUNT").arg(self.entries).arg("BLOCK").arg(BLOCK.as_millis().to_string()).arg("STREAMS");
        for number in 0..self.partitions.len() {
            let [log, ..] = self.terms.keys.of_partition(number);
            command.arg(log);
        }
        command.arg(self.terms.keys.said_to(&self.terms.origin));
        self.partitions.iter().for_each(|partition| _ = command.arg(&partition.id));
        command.arg(&self.own);
        let link = self.link()?;
        Ok(link.ask(&command).map_err(|why| format!("{}: {why}", link.server))?)
    }

    /// Nothing has come for a while.
    fn rest(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        for number in 0..self.partitions.len() {
            if let Some(look) = self.partitions[number].overdue() {
                self.stand(shared, number, &look)?;
            }
        }
        if self.terms.outside.now().duration_since(self.looked) < LOOK {
            return Ok(());
        }
        let terms = self.terms.clone();
        let server = &self.link()?.server;
        if !terms.outside.is_still(server, CONNECT) {
            return Err(Stop::Lost(format!("{server} is the master no more")));
        }
        self.look_at_all(shared)
    }

    fn look_at_all(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        self.looked = self.terms.outside.now();
        for number in 0..self.partitions.len() {
            let look = self.look(number, false)?;
            match self.partitions[number].see(&look) {
                Sight::Well => {}
                Sight::Begun => self.begin_epoch(shared, number, look.epoch),
                Sight::Gone(missed) => self.miss(shared, number, missed)?,
            }
        }
        Ok(())
    }

    fn look(&mut self, number: usize, heads: bool) -> Result<Look, Stop> {
        let partition = &self.partitions[number];
        let known = (partition.epoch, partition.number.unwrap_or(0));
        let terms = self.terms.clone();
        Ok(self.link()?.look(&terms, number, known, heads)?)
    }

    /// Whether this is the stream of what nodes tell each other.
    fn is_of_nodes(&self, number: usize) -> bool {
        number == self.terms.keys.partitions()
    }

    /// Takes in the next entry of a stream.
    fn take(
        &mut self,
        shared: &Arc<Shared>,
        number: usize,
        entry: Entry,
        pause: Pause<'_>,
    ) -> Result<(), Stop> {
        match self.partitions[number].judge(&entry) {
            Verdict::Old => return Ok(()),
            Verdict::Next => {}
            Verdict::Begins => self.begin_epoch(shared, number, entry.epoch),
            Verdict::BeginsLate => {
                self.begin_epoch(shared, number, entry.epoch);
                self.miss(shared, number, entry.number.saturating_sub(1))?;
            }
            Verdict::Gap(missed) => self.miss(shared, number, missed)?,
            Verdict::Lost => {
                let (epoch, terms) = (self.partitions[number].epoch, self.terms.clone());
                let look = self.link()?.look(&terms, number, (epoch, LOST), false)?;
                self.partitions[number].begin(look.epoch);
                self.begin_epoch(shared, number, look.epoch);
                return Ok(());
            }
        }
        self.terms.known.note(number, entry.epoch, entry.number);
        self.terms.counts.read.fetch_add(1, Ordering::Relaxed);
        match entry.what {
            What::Publication(published) => self.deliver(shared, *published, pause)?,
            What::Anew { channel, epoch } => shared.forgotten(&channel, epoch),
            What::Apart { channel, epoch } => {
                shared.stand([(channel.as_str(), epoch, FIRST_OFFSET)]).map_err(|_| Stop::Over)?;
            }
            What::Called(called) => self.called(shared, &entry.id, &called, pause)?,
            What::Who { node, changes } => self.reflect(shared, &node, Some(&changes), pause)?,
            What::Gone(node) => self.reflect(shared, &node, None, pause)?,
            What::Epoch | What::Unknown => {}
        }
        match self.partitions[number].due() {
            Some(look) => self.stand(shared, number, &look),
            None => Ok(()),
        }
    }

    fn deliver(&self, shared: &Shared, published: Published, pause: Pause<'_>) -> Result<(), Stop> {
        let Published { channel, epoch, offset, publication, origin, ticket, except } = published;
        let own = (origin == self.terms.origin).then_some(ticket);
        // A number alone is that of a connection of the node that has published.
        let except = except.filter(|except| own.is_some() || except.server.is_some());
        let mut publication = publication;
        loop {
            let copy = publication.clone();
            let arriving = Arriving {
                channel: &channel,
                epoch,
                offset,
                publication: std::mem::replace(&mut publication, copy),
                own,
                except,
            };
            match shared.deliver(arriving, self.terms.outside.unix_us()) {
                Err(PushError::InboxFull) if pause() => {}
                Err(PushError::InboxFull | PushError::Stopped) => return Err(Stop::Over),
                Ok(()) | Err(_) => return Ok(()),
            }
        }
    }

    /// Another life of a partition has begun.
    fn begin_epoch(&mut self, shared: &Shared, number: usize, epoch: u64) {
        self.terms.known.note(number, epoch, 0);
        if self.is_of_nodes(number) {
            return;
        }
        self.terms.counts.epochs.fetch_add(1, Ordering::Relaxed);
        shared.begin_epoch(number, epoch);
        shared.note(EngineNews::Epoch { partition: number, epoch });
    }

    /// Some entries can't be read any more: when the rest is read, the channels that are behind have lost something.
    fn miss(&mut self, shared: &Shared, number: usize, missed: u64) -> Result<(), Stop> {
        self.terms.counts.gaps.fetch_add(1, Ordering::Relaxed);
        shared.note(EngineNews::Gap { partition: number, missed });
        if self.is_of_nodes(number) {
            self.is_to_load = true;
            return Ok(());
        }
        let look = self.look(number, true)?;
        self.partitions[number].pending = Some(look);
        Ok(())
    }

    fn stand(&self, shared: &Shared, number: usize, look: &Look) -> Result<(), Stop> {
        if look.epoch < self.partitions[number].epoch {
            return Ok(());
        }
        let heads = look.heads.iter().map(|(name, epoch, offset)| (name.as_str(), *epoch, offset + 1));
        shared.stand(heads).map_err(|_| Stop::Over)
    }
}

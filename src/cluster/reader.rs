//! The thread that reads the streams, and gives what it reads to the reactors in its order.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use redis::{Value, cmd};

use super::Terms;
use super::connect::{CONNECT, Link, Look};
use super::counts::{Change, Side};
use super::entry::{Entry, Published, What};
use super::partition::{Partition, Sight, Verdict};
use super::reply;
use super::writer::Queue;
use crate::limits::CLUSTER_WARM_ENTRIES;
use crate::push::PushError;
use crate::reactor::Shared;
use crate::reactor::engine::{Arriving, EngineNews};

/// So many entries of each stream at once, at the most.
const ENTRIES: usize = 256;
/// So many bytes of all streams at once, if the next publications are like the last ones.
const READ_BYTES: usize = 16 << 20;
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
    /// Entries of each stream that are read next.
    entries: usize,
    looked: Instant,
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

/// Gives the reactors time when they are behind; false: they have ended.
type Pause<'a> = &'a mut dyn FnMut() -> bool;

impl Reader {
    /// Looks at all partitions.
    pub fn begin(terms: Arc<Terms>, mut link: Link) -> Result<Reader, String> {
        let mut partitions = Vec::new();
        for number in 0..terms.keys.partitions() {
            let look = link.look(&terms, number, (0, 0), false)?;
            terms.known.note(number, look.epoch, 0);
            partitions.push(Partition::new(look.epoch));
        }
        Ok(Reader {
            terms,
            link: Some(link),
            partitions,
            entries: ENTRIES,
            looked: Instant::now(),
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
                Err(Stop::Lost(why)) => return Err(format!("{}: {why}", self.terms.address)),
            }
        }
        carry_out();
        Ok(())
    }

    fn warm_partition(&mut self, shared: &Arc<Shared>, number: usize, pause: Pause<'_>) -> Result<(), Stop> {
        let look = self.look(number, true)?;
        if look.epoch > self.partitions[number].epoch {
            self.begin_epoch(shared, number, look.epoch);
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
        if let Some(link) = &self.link {
            // Of a connection that has no such time another one is made when it is lost.
            let _ = link.connection.set_read_timeout(Some(ANSWER));
        }
        let terms = self.terms.clone();
        let _fallen = Fallen(&terms, shared, Side::Reader);
        while !shared.is_stopped() {
            let why = match self.go_on(shared) {
                Ok(()) => continue,
                Err(Stop::Over) => return,
                Err(Stop::Lost(why)) => why,
            };
            self.link = None;
            if let Some(queue) = &self.queue {
                queue.doubt();
            }
            tell(&self.terms, shared, Side::Reader, Some(&why));
            thread::sleep(AGAIN);
        }
    }

    fn go_on(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        if self.link.is_none() {
            self.connect(shared)?;
        }
        let page = self.read()?;
        self.entries = entries_for(&page, self.partitions.len());
        let mut pause = || {
            thread::sleep(BEHIND);
            !shared.is_stopped()
        };
        let mut has_read = false;
        for stream in reply::list(&page) {
            let [key, entries] = reply::list(stream) else { continue };
            let Some(number) = reply::text(key).and_then(number_of) else { continue };
            for value in reply::list(entries) {
                has_read = true;
                match Entry::read(value) {
                    Some(entry) => self.take(shared, number, entry, &mut pause)?,
                    None => self.pass(number, value),
                }
            }
        }
        if !has_read {
            self.rest(shared)?;
        }
        Ok(())
    }

    fn connect(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        let mut link = Link::open(&self.terms)?;
        link.check_partitions(&self.terms)?;
        link.connection.set_read_timeout(Some(ANSWER)).map_err(|e| e.to_string())?;
        self.link = Some(link);
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
        self.partitions.iter().for_each(|partition| _ = command.arg(&partition.id));
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
        if self.looked.elapsed() < LOOK {
            return Ok(());
        }
        let terms = self.terms.clone();
        let server = &self.link()?.server;
        if !terms.address.is_still(server, CONNECT) {
            return Err(Stop::Lost(format!("{server} is the master no more")));
        }
        self.look_at_all(shared)
    }

    fn look_at_all(&mut self, shared: &Arc<Shared>) -> Result<(), Stop> {
        self.looked = Instant::now();
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

    /// An entry that nobody here can read.
    fn pass(&mut self, number: usize, value: &Value) {
        if let [id, _] = reply::list(value)
            && let Some(id) = reply::text(id)
        {
            self.partitions[number].id = id.to_owned();
        }
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
            What::Epoch | What::Unknown => {}
        }
        match self.partitions[number].due() {
            Some(look) => self.stand(shared, number, &look),
            None => Ok(()),
        }
    }

    fn deliver(&self, shared: &Shared, published: Published, pause: Pause<'_>) -> Result<(), Stop> {
        let Published { channel, epoch, offset, publication, origin, ticket, sender } = published;
        let own = (origin == self.terms.origin).then_some((ticket, sender));
        let mut publication = publication;
        loop {
            let copy = publication.clone();
            let arriving = Arriving {
                channel: &channel,
                epoch,
                offset,
                publication: std::mem::replace(&mut publication, copy),
                own,
            };
            match shared.deliver(arriving, unix_us()) {
                Err(PushError::InboxFull) if pause() => {}
                Err(PushError::InboxFull | PushError::Stopped) => return Err(Stop::Over),
                Ok(()) | Err(_) => return Ok(()),
            }
        }
    }

    /// Another life of a partition has begun.
    fn begin_epoch(&mut self, shared: &Shared, number: usize, epoch: u64) {
        self.terms.known.note(number, epoch, 0);
        self.terms.counts.epochs.fetch_add(1, Ordering::Relaxed);
        shared.begin_epoch(number, epoch);
        shared.note(EngineNews::Epoch { partition: number, epoch });
    }

    /// Some entries can't be read any more: when the rest is read, the channels that are behind have lost something.
    fn miss(&mut self, shared: &Shared, number: usize, missed: u64) -> Result<(), Stop> {
        self.terms.counts.gaps.fetch_add(1, Ordering::Relaxed);
        shared.note(EngineNews::Gap { partition: number, missed });
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

/// How many entries of each stream are read next, when these were read last: the largest of them decides.
fn entries_for(page: &Value, partitions: usize) -> usize {
    let entries = reply::list(page).iter().flat_map(|stream| match reply::list(stream) {
        [_, entries] => reply::list(entries),
        _ => &[],
    });
    let bytes = entries.map(|entry| {
        let fields = reply::list(entry).last().map(reply::list).unwrap_or_default();
        let len = |field: &Value| if let Value::BulkString(bytes) = field { bytes.len() } else { 0 };
        fields.iter().map(len).sum::<usize>()
    });
    (READ_BYTES / partitions / bytes.max().unwrap_or(1).max(1)).clamp(1, ENTRIES)
}

/// The partition of a stream's key.
fn number_of(key: &str) -> Option<usize> {
    let (_, rest) = key.rsplit_once('{')?;
    rest.split_once('}')?.0.parse().ok()
}

fn unix_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_publications_are_read_a_few_at_once() {
        let bulk = |len| Value::BulkString(vec![b'x'; len]);
        let entry = |len| Value::Array(vec![bulk(3), Value::Array(vec![bulk(1), bulk(len)])]);
        let page = |lens: &[usize]| {
            let entries = Value::Array(lens.iter().copied().map(entry).collect());
            Value::Array(vec![Value::Array(vec![bulk(9), entries])])
        };
        assert_eq!(entries_for(&Value::Nil, 16), ENTRIES);
        assert_eq!(entries_for(&page(&[10, 100]), 16), ENTRIES);
        assert_eq!(entries_for(&page(&[10, 99_999, 5]), 16), 10);
        assert_eq!(entries_for(&page(&[9 << 20]), 16), 1);
    }

    #[test]
    fn a_key_tells_its_partition() {
        assert_eq!((number_of("wspush:{12}:log"), number_of("wspush:12:log")), (Some(12), None));
    }
}

//! The entries that were read at once, of all streams, in the order in which they are taken in.
//!
//! Between the streams of the partitions there is no order. But what nodes tell each other stands between the
//! publications: a host that publishes and then closes a user's connections, or subscribes a user and then publishes,
//! gets that in this order. Ids have the server's milliseconds, and within one of them a node's own numbers tell.

use std::collections::VecDeque;

use redis::Value;

use super::entry::{Entry, What};
use super::keys::NODES;
use super::reply;

/// So many entries of each stream at once, at the most.
pub(super) const ENTRIES: usize = 256;
/// So many bytes of all streams at once, if the next publications are like the last ones.
const READ_BYTES: usize = 16 << 20;

/// An entry, or the id of one that nobody here can read.
#[derive(Debug, PartialEq)]
pub(super) enum Read {
    Entry(Entry),
    Strange(String),
}

/// All that was read at once.
#[derive(Debug, Default)]
pub(super) struct Page {
    /// Entries with the number of their stream, in their order.
    pub entries: Vec<(usize, Read)>,
    /// Those of the stream that is for this node alone: ids and fields.
    pub own: Vec<Value>,
    /// How many entries of each stream are read next.
    pub next: usize,
    /// Whether a stream may have more.
    pub has_more: bool,
}

/// One stream's part of it.
struct Stream {
    number: usize,
    entries: VecDeque<Read>,
}

impl Page {
    /// Reads an answer of so many entries of each stream at the most, of so many partitions; what nodes tell each other
    /// has the number behind theirs.
    pub fn read(value: &Value, count: usize, partitions: usize) -> Page {
        let mut page = Page { next: entries_for(value, partitions), ..Page::default() };
        let (mut logs, mut told, mut is_told_full) = (Vec::new(), Vec::new(), false);
        // The last entry of each stream that may go on.
        let mut ends = Vec::new();
        for stream in reply::list(value) {
            let [key, entries] = reply::list(stream) else { continue };
            let (Some(number), entries) = (number_of(key, partitions), reply::list(entries)) else {
                page.own.extend_from_slice(reply::list(entries));
                continue;
            };
            page.has_more |= entries.len() >= count;
            let is_full = entries.len() >= count;
            let read: Vec<Read> = entries.iter().filter_map(Read::of).collect();
            if number == partitions {
                (told, is_told_full) = (read, is_full);
            } else {
                ends.extend(read.last().filter(|_| is_full).map(Place::of));
                logs.push(Stream { number, entries: read.into() });
            }
        }
        let is_due = |entry: &Read| ends.iter().all(|end: &Place| end.ends_behind(&Place::of(entry)));
        let due = told.iter().position(|entry| !is_due(entry)).unwrap_or(told.len());
        let rest = told.split_off(due);
        // Behind those there is more that was told.
        let next = rest.first().map(Place::of);
        let last = told.last().filter(|_| is_told_full && rest.is_empty()).map(|last| Place::of(last).ms);
        for entry in told {
            let at = Place::of(&entry);
            logs.iter_mut().for_each(|log| log.pass_before(&at, &mut page.entries));
            page.entries.push((partitions, entry));
        }
        for log in &mut logs {
            log.pass_while(
                |place| {
                    next.as_ref().is_none_or(|next| place.may_precede(next))
                        && last.is_none_or(|last| place.ms <= last)
                },
                &mut page.entries,
            );
        }
        page
    }
}

impl Stream {
    fn pass_while(&mut self, is_due: impl Fn(&Place) -> bool, to: &mut Vec<(usize, Read)>) {
        while self.entries.front().is_some_and(|entry| is_due(&Place::of(entry))) {
            to.extend(self.entries.pop_front().map(|entry| (self.number, entry)));
        }
    }

    /// Passes on all that is before something that was told: also what the same node has published in that millisecond
    /// before it, and what stands in front of that.
    fn pass_before(&mut self, at: &Place, to: &mut Vec<(usize, Read)>) {
        let near = self.entries.iter().map(Place::of).take_while(|place| place.ms <= at.ms).enumerate();
        let count = near.filter(|(_, place)| place.is_before(at)).map(|(n, _)| n + 1).max().unwrap_or(0);
        to.extend(self.entries.drain(..count).map(|entry| (self.number, entry)));
    }
}

/// When an entry was written, and by whom.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    ms: u64,
    /// The run of a node, and its number there; none: nobody's in particular.
    by: Option<(String, u64)>,
}

impl Place {
    fn of(read: &Read) -> Place {
        let (id, by) = match read {
            Read::Entry(entry) => {
                let by = match &entry.what {
                    What::Publication(published) => Some((published.origin.clone(), published.ticket)),
                    What::Called(called) => Some((called.origin.clone(), called.ticket)),
                    _ => None,
                };
                (&entry.id, by)
            }
            Read::Strange(id) => (id, None),
        };
        Place { ms: id.split_once('-').and_then(|(ms, _)| ms.parse().ok()).unwrap_or(0), by }
    }

    /// The same node's numbers of both, if they are of the same node.
    fn numbers(&self, other: &Place) -> Option<(u64, u64)> {
        match (&self.by, &other.by) {
            (Some((one, own)), Some((another, others))) if one == another => Some((*own, *others)),
            _ => None,
        }
    }

    /// Whether it is certainly before another.
    fn is_before(&self, other: &Place) -> bool {
        self.ms < other.ms
            || self.ms == other.ms && self.numbers(other).is_some_and(|(own, others)| own < others)
    }

    /// Whether all of a stream is read that is before this, if this is the last of it that was read.
    fn ends_behind(&self, told: &Place) -> bool {
        told.ms < self.ms || told.ms == self.ms && self.numbers(told).is_none_or(|(own, others)| own > others)
    }

    /// Whether it may come before something that is told later.
    fn may_precede(&self, told: &Place) -> bool {
        self.ms < told.ms || self.ms == told.ms && self.numbers(told).is_none_or(|(own, others)| own < others)
    }
}

impl Read {
    fn of(value: &Value) -> Option<Read> {
        if let Some(entry) = Entry::read(value) {
            return Some(Read::Entry(entry));
        }
        let [id, _] = reply::list(value) else { return None };
        reply::text(id).map(|id| Read::Strange(id.to_owned()))
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

/// The number of a stream that all nodes read, by its key.
fn number_of(key: &Value, partitions: usize) -> Option<usize> {
    let (_, rest) = reply::text(key)?.rsplit_once('{')?;
    let (number, what) = rest.split_once('}')?;
    match number {
        _ if what != ":log" => None,
        NODES => Some(partitions),
        number => number.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(id: &str, fields: &[(&str, &str)]) -> Value {
        let mut all = vec![("p", "7"), ("n", "1")];
        all.extend(fields);
        let fields = all.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]).collect();
        Value::Array(vec![bulk(id), Value::Array(fields)])
    }

    fn publication(id: &str, by: &str) -> Value {
        entry(id, &[("c", "x"), ("o", "1"), ("d", "x"), ("s", by)])
    }

    fn call(id: &str, by: &str) -> Value {
        entry(id, &[("k", "call"), ("s", by), ("j", r#"{"user":"u","do":{"unsubscribe":"x"}}"#)])
    }

    fn order(streams: &[(&str, Vec<Value>)], count: usize) -> Vec<String> {
        let streams = streams.iter().map(|(key, entries)| {
            Value::Array(vec![bulk(&format!("p:{{{key}}}:log")), Value::Array(entries.clone())])
        });
        let page = Page::read(&Value::Array(streams.collect()), count, 4);
        let shown = page.entries.into_iter().map(|(number, read)| match read {
            Read::Entry(entry) => format!("{number} {}", entry.id),
            Read::Strange(id) => format!("{number} {id}?"),
        });
        shown.collect()
    }

    #[test]
    fn what_is_told_stands_between_the_publications() {
        let logs = |ids: &[(&str, &str)]| ids.iter().map(|(id, by)| publication(id, by)).collect::<Vec<_>>();
        let one = logs(&[("10-0", "a 1"), ("20-0", "a 5"), ("20-1", "b 1"), ("30-0", "a 9")]);
        let two = logs(&[("20-0", "a 7"), ("21-0", "b 2")]);
        let told = vec![call("20-0", "a 6"), entry("25-0", &[("k", "later")])];
        let found = order(&[("0", one), ("1", two), ("nodes", told)], 100);
        assert_eq!(
            found,
            ["0 10-0", "0 20-0", "4 20-0", "0 20-1", "1 20-0", "1 21-0", "4 25-0", "0 30-0"],
            "a node's own order in one millisecond"
        );
    }

    #[test]
    fn nothing_is_taken_in_before_what_was_not_read() {
        let one = vec![publication("10-0", "a 1"), publication("20-0", "a 3")];
        let two = vec![publication("29-0", "b 1"), publication("30-0", "a 9"), publication("31-0", "c 1")];
        // The first partition may have more before the second call.
        let found = order(&[("0", one), ("1", two[..1].to_vec()), ("nodes", vec![call("15-0", "a 2")])], 2);
        assert_eq!(found, ["0 10-0", "4 15-0", "0 20-0", "1 29-0"]);
        let one = vec![publication("10-0", "a 1"), publication("20-0", "a 3")];
        let found = order(&[("0", one), ("1", two[..1].to_vec()), ("nodes", vec![call("25-0", "a 4")])], 2);
        assert_eq!(found, ["0 10-0", "0 20-0"], "also what is behind it waits");
        // There may be more told before the last publication.
        let told = vec![call("30-0", "a 8"), call("30-1", "a 10")];
        let found = order(&[("1", two[..2].to_vec()), ("nodes", told)], 2);
        assert_eq!(found, ["1 29-0", "4 30-0", "1 30-0"], "the second call waits for what may be before it");
        let told = vec![call("20-0", "a 7"), call("30-0", "a 8")];
        assert_eq!(order(&[("1", two), ("nodes", told)], 2), ["4 20-0", "1 29-0", "4 30-0", "1 30-0"]);
    }

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
    fn a_key_tells_its_stream() {
        let number = |key| number_of(&bulk(key), 16);
        assert_eq!((number("wspush:{12}:log"), number("wspush:12:log")), (Some(12), None));
        assert_eq!((number("a:{b}:{nodes}:log"), number("wspush:{nodes}:in:a:1:2")), (Some(16), None));
    }
}

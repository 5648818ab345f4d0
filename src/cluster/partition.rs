//! How far a node has read a partition, and what the next entry means: whether it follows, something was lost on the
//! way to this node, or the server itself has lost something that was there.

use super::connect::Look;
use super::entry::{Entry, What};

/// A partition, as far as it is read.
#[derive(Debug, Default)]
pub(super) struct Partition {
    /// The stream's id of the newest entry that was read.
    pub id: String,
    pub epoch: u64,
    /// The newest entry's number; None: none of this life was read.
    pub number: Option<u64>,
    /// Where the channels stand as of an entry that is still to be read: those that are behind then have lost
    /// something.
    pub pending: Option<Look>,
    /// The stream is read once more from its beginning.
    is_reading_again: bool,
    /// So many entries there had been at the last look.
    looked: u64,
}

/// The meaning of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The next one.
    Next,
    /// It was read before, or is of a former life.
    Old,
    /// A life begins with it.
    Begins,
    /// The same, and what was before it in that life can't be read any more.
    BeginsLate,
    /// So many before it can't be read any more.
    Gap(u64),
    /// Its number was given before: the server has lost that one.
    Lost,
}

/// The meaning of a look at a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nothing new.
    Well,
    /// Another life has begun.
    Begun,
    /// There are entries that don't come.
    Gone(u64),
}

impl Partition {
    pub fn new(epoch: u64) -> Partition {
        Partition { id: "0-0".to_owned(), epoch, ..Partition::default() }
    }

    /// Looks at the next entry of the stream.
    pub fn judge(&mut self, entry: &Entry) -> Verdict {
        self.id.clone_from(&entry.id);
        if entry.epoch < self.epoch {
            return Verdict::Old;
        }
        if entry.epoch > self.epoch {
            self.begin(entry.epoch);
            self.number = Some(entry.number);
            return if entry.what == What::Epoch { Verdict::Begins } else { Verdict::BeginsLate };
        }
        let Some(number) = self.number.replace(entry.number) else { return Verdict::Next };
        if entry.number == number + 1 {
            self.is_reading_again = false;
            return Verdict::Next;
        }
        if entry.number > number {
            self.is_reading_again = false;
            return Verdict::Gap(entry.number - number - 1);
        }
        self.number = Some(number);
        if self.is_reading_again { Verdict::Old } else { Verdict::Lost }
    }

    /// Another life has begun.
    pub fn begin(&mut self, epoch: u64) {
        (self.epoch, self.number, self.pending, self.looked) = (epoch, None, None, 0);
    }

    /// Begins behind all that there is.
    pub fn stand(&mut self, look: &Look) {
        self.id.clone_from(&look.newest);
        (self.epoch, self.number, self.looked) = (look.epoch, Some(look.entry), look.entry);
    }

    /// Another connection: what there was at a look at the last one may never have been read for.
    pub fn connect(&mut self) {
        self.looked = 0;
    }

    /// Looks at how the partition is when nothing has come for a while, or after the connection was lost.
    pub fn see(&mut self, look: &Look) -> Sight {
        if is_before(&look.newest, &self.id) {
            // The server's clock was set back with its data lost: nothing would ever come behind this id.
            self.id = "0-0".to_owned();
            self.is_reading_again = true;
        }
        if look.epoch > self.epoch {
            self.begin(look.epoch);
            return Sight::Begun;
        }
        let number = self.number.unwrap_or(0);
        let before = std::mem::replace(&mut self.looked, look.entry);
        // They were there at the last look, and were read for since.
        if before > number && self.pending.is_none() { Sight::Gone(before - number) } else { Sight::Well }
    }

    /// The heads that count now: all entries that they tell of have been read.
    pub fn due(&mut self) -> Option<Look> {
        let number = self.number?;
        self.pending.take_if(|pending| pending.entry <= number)
    }

    /// The same when nothing more comes: what they tell of beyond what was read is gone.
    pub fn overdue(&mut self) -> Option<Look> {
        let pending = self.pending.take()?;
        self.number = self.number.max(Some(pending.entry));
        Some(pending)
    }
}

/// Whether one id of a stream is before another.
fn is_before(one: &str, other: &str) -> bool {
    let parts = |id: &str| -> (u64, u64) {
        let (ms, count) = id.split_once('-').unwrap_or((id, "0"));
        (ms.parse().unwrap_or(0), count.parse().unwrap_or(0))
    };
    parts(one) < parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(id: &str, epoch: u64, number: u64) -> Entry {
        Entry { id: id.to_owned(), epoch, number, what: What::Unknown }
    }

    fn look(epoch: u64, entry: u64, newest: &str) -> Look {
        Look { epoch, entry, newest: newest.to_owned(), heads: Vec::new() }
    }

    #[test]
    fn each_number_comes_once() {
        let mut partition = Partition::new(7);
        for (id, epoch, number, verdict) in [
            ("10-0", 7, 5, Verdict::Next),
            ("10-1", 7, 6, Verdict::Next),
            ("11-0", 6, 7, Verdict::Old),
            ("12-0", 7, 9, Verdict::Gap(2)),
            ("13-0", 7, 8, Verdict::Lost),
            ("14-0", 7, 10, Verdict::Next),
            ("15-0", 9, 2, Verdict::BeginsLate),
            ("16-0", 9, 3, Verdict::Next),
        ] {
            assert_eq!(partition.judge(&entry(id, epoch, number)), verdict, "{id}");
            assert_eq!(partition.id, id);
        }
        let begins = Entry { what: What::Epoch, ..entry("17-0", 11, 1) };
        assert_eq!(partition.judge(&begins), Verdict::Begins);
    }

    #[test]
    fn a_clock_that_was_set_back_leaves_nobody_deaf() {
        let mut partition = Partition::new(7);
        partition.judge(&entry("100-3", 7, 5));
        assert_eq!(partition.see(&look(7, 5, "100-3")), Sight::Well);
        assert_eq!(partition.see(&look(8, 1, "20-0")), Sight::Begun);
        assert_eq!((partition.id.as_str(), partition.epoch, partition.number), ("0-0", 8, None));
        assert_eq!(partition.judge(&entry("19-0", 7, 1)), Verdict::Old);
        assert_eq!(partition.judge(&entry("20-0", 8, 1)), Verdict::Next);
        // The same life, read again from the beginning.
        partition.judge(&entry("30-0", 8, 2));
        assert_eq!(partition.see(&look(8, 2, "20-0")), Sight::Well);
        assert_eq!(partition.judge(&entry("20-0", 8, 1)), Verdict::Old);
        assert_eq!(partition.judge(&entry("20-5", 8, 3)), Verdict::Next);
    }

    #[test]
    fn entries_that_do_not_come_are_noticed_at_the_second_look() {
        let mut partition = Partition::new(7);
        partition.judge(&entry("1-0", 7, 5));
        assert_eq!(partition.see(&look(7, 9, "2-0")), Sight::Well);
        assert_eq!(partition.see(&look(7, 9, "2-0")), Sight::Gone(4));
        partition.pending = Some(look(7, 9, "2-0"));
        assert_eq!(partition.see(&look(7, 9, "2-0")), Sight::Well, "it is known already");
        assert_eq!(partition.due(), None);
        assert!(partition.overdue().is_some());
        assert_eq!(partition.number, Some(9));
        // A connection that was lost right after its look has read nothing.
        assert_eq!(partition.see(&look(7, 10, "2-0")), Sight::Well);
        partition.connect();
        assert_eq!(partition.see(&look(7, 10, "2-0")), Sight::Well);
        assert_eq!(partition.see(&look(7, 10, "2-0")), Sight::Gone(1));
        partition.pending = Some(look(7, 10, "2-0"));
        partition.judge(&entry("3-0", 7, 10));
        assert!(partition.due().is_some() && partition.pending.is_none());
    }
}

//! Answers to polls that are alike: whoever stands at the same place of a channel and has asked in the same way gets
//! the same bytes, so they are made for the first one of a crowd and written to all.

use crate::endpoint::streams::{self, LINES};
use crate::metrics::WorkKind;
use crate::protocol::chunk;
use crate::push::{ChannelId, Cursor, Log, Passage, Position};

use super::poll::Poll;
use super::reactor::Reactor;
use super::socket::Socket;
use super::work::{BYTES, CALL};

/// An answer that is longer is not kept when the crowd has it.
const KEPT_MAX: usize = 16 << 10;

/// Everything that an answer depends on.
#[derive(Debug, PartialEq, Eq)]
struct Terms {
    channel: ChannelId,
    epoch: u64,
    from: u64,
    to: u64,
    page: Option<Box<str>>,
    goes_on: bool,
}

/// Publications that a poll takes: up to where in the log, and their offsets, the end not included.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Taken {
    to: u64,
    begin: u64,
    end: u64,
}

/// The answer that was made last.
#[derive(Debug, Default)]
pub(super) struct LastAnswer {
    terms: Option<Terms>,
    taken: Taken,
    bytes: Vec<u8>,
}

impl Taken {
    pub(super) fn of(log: &Log, (from, to): (u64, u64)) -> Taken {
        Taken { to, begin: log.offset_at(from).0, end: log.offset_at(to).0 }
    }
}

impl LastAnswer {
    /// As it is written.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Forgets it: what it depends on beside its terms is another one now.
    pub(super) fn forget(&mut self) {
        *self = LastAnswer::default();
    }

    /// A crowd has it.
    pub(super) fn give_back(&mut self) {
        if self.bytes.capacity() > KEPT_MAX {
            self.forget();
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// The answer to a poll of one channel, in chunks: the publications that there are. Its cursor is behind them then.
    /// None: it is not as simple as that, and nothing has changed. Whoever has written it puts it back.
    pub(super) fn answer_alike(&mut self, index: usize, poll: &Poll, goes_on: bool) -> Option<LastAnswer> {
        let slot = &self.connections.slots[index];
        let mut all = self.subscriptions(slot);
        let ((id, cursor), None) = (all.next()?, all.next()) else { return None };
        drop(all);
        let form = slot.form;
        let (from, to) = self.stretch_to_take(index, (id, cursor), 0)?;
        let epoch = self.channels.get(id).epoch;
        let mut last = std::mem::take(&mut self.scratch.answer);
        let is_same = |terms: &Terms| {
            (terms.channel, terms.epoch, terms.from, terms.to, terms.goes_on)
                == (id, epoch, from, to, goes_on)
                && terms.page.as_deref() == poll.page()
        };
        if !last.terms.as_ref().is_some_and(is_same) {
            let log = self.channels.get(id).log_in(form)?;
            last.taken = Taken::of(log, (from, to));
            let position = Position { epoch, offset: last.taken.end - 1 };
            let (first, second) = log.slices_between(from, to);
            let mut tag = b"\"".to_vec();
            position.push_to(&mut tag);
            tag.push(b'"');
            let mut response = streams::uncached(200, LINES, Vec::new())
                .with("ETag", String::from_utf8_lossy(&tag))
                .with("Transfer-Encoding", "chunked");
            response.headers.extend(streams::cross_origin(poll.page(), &self.config.origins));
            last.bytes.clear();
            response.write_head_of_stream(&mut last.bytes, goes_on);
            for part in [first, second, chunk::LAST] {
                last.bytes.extend_from_slice(part);
            }
            let page = poll.page().map(Box::from);
            last.terms = Some(Terms { channel: id, epoch, from, to, page, goes_on });
        }
        self.note_taken(index, id, last.taken);
        self.work.charge(WorkKind::Send, CALL + (to - from) / BYTES);
        Some(last)
    }

    /// From where to where a poll takes a channel's log, if there is something: so much as may wait for a connection
    /// beside what it `has`, but always one publication.
    pub(super) fn stretch_to_take(
        &self,
        index: usize,
        (id, cursor): (ChannelId, Cursor),
        has: usize,
    ) -> Option<(u64, u64)> {
        let log = self.channels.get(id).log_in(self.connections.slots[index].form)?;
        let (from, head) = (log.position(cursor)?, log.head());
        let room = (self.config.outbox_bytes_max as u64).saturating_sub(has as u64);
        let to = match head - from <= room {
            true => head,
            false => log.start_of(log.offset_at(from + room).0).max(from),
        };
        let to = if to == from && has == 0 && from < head { log.frame_end(from) } else { to };
        (from < to).then_some((from, to))
    }

    /// A poll has taken that.
    pub(super) fn note_taken(&mut self, index: usize, id: ChannelId, taken: Taken) {
        let Taken { to, begin, end } = taken;
        self.channels.get_mut(id).ledger.pass(Passage::Written, begin, end);
        self.metrics.deliveries += end - begin;
        self.channels.touch(id);
        self.set_cursor(index, id, Cursor::at(to));
    }
}

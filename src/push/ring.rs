//! A channel's publications in one form, and those who take them so.

use std::ops::Range;

use super::encoder::Encoded;
use super::entry::Gap;
use super::evicted::Evicted;
use super::form::Form;
use super::log::{Cursor, Log};
use super::midway::Midway;
use super::older::Older;
use crate::narrow;

/// One form of a channel's log.
///
/// All forms of a channel hold the same publications under the same offsets, each from its creation on. They have the
/// same bounds, and are appended to and evicted from in step, as soon as one of them has to: whoever falls off one of
/// them has lost the same publications as on any other.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Ring {
    form: Form,
    /// The bytes.
    pub log: Log,
    /// Subscribers with a cursor into it.
    pub(super) subscribers: u32,
    /// Since when it has none.
    unused_since_ms: Option<u64>,
    /// Who stands in the middle of a frame.
    pub midway: Midway,
    /// Pieces of it that connections are still to get beside what their cursors say, as they have left, or something
    /// else comes behind it. It stays as long, and so does the channel.
    pub owed: u32,
    /// Of what it has evicted, while that may have to be told.
    evicted: Evicted,
}

impl Ring {
    /// A form in an empty log.
    pub(super) fn new(form: Form, log: Log) -> Ring {
        Ring {
            form,
            log,
            subscribers: 0,
            unused_since_ms: None,
            midway: Midway::default(),
            owed: 0,
            evicted: Evicted::default(),
        }
    }

    /// Which form it is.
    pub fn form(&self) -> Form {
        self.form
    }

    /// Subscribers with a cursor into it.
    pub fn subscribers(&self) -> u32 {
        self.subscribers
    }

    /// A subscriber joins, which is to get the publications from this one on; its cursor.
    pub(super) fn join(&mut self, first: u64) -> Cursor {
        self.subscribers += 1;
        self.unused_since_ms = None;
        Cursor::at(self.log.start_of(first))
    }

    /// Takes in the publications from `first` to those that it has; how many bytes that were. They fit.
    pub(super) fn reach_back(&mut self, mut older: Older<'_>, first: u64) -> usize {
        let missing = first..self.log.first_offset();
        if missing.is_empty() {
            return 0;
        }
        let (_, bytes) = older.reach(missing.clone(), usize::MAX);
        self.log.reserve_before(bytes, missing.clone().count());
        for offset in missing.rev() {
            let (first, second) = older.bytes(offset);
            self.log.prepend(first, second);
        }
        bytes
    }

    /// Bytes allocated for what was published.
    pub(super) fn bytes(&self) -> usize {
        self.log.bytes() + self.evicted.bytes()
    }

    /// By how much that grows, at the most, if everything before the publication `first` is evicted and one of `len`
    /// bytes appended.
    pub(super) fn growth_from(&self, first: u64, len: usize) -> usize {
        let evicted = self.to_be_noted(first).count();
        let noted = self.evicted.growth(evicted, self.log.publications_max);
        self.log.growth_from(self.log.start_of(first), len) + noted
    }

    /// The publications before this offset that somebody may have to be told of.
    fn to_be_noted(&self, first: u64) -> Range<u64> {
        let is_told = self.subscribers > 0 && self.form.is_made();
        let from = self.log.first_offset();
        from..if is_told { first.clamp(from, self.log.next_offset()) } else { from }
    }

    /// Evicts the publications before this offset.
    pub(super) fn evict_before(&mut self, first: u64) {
        let noted = self.begin_to_note(first);
        self.evicted.reserve(narrow::to_usize(noted.end - noted.start), self.log.publications_max);
        self.note(noted);
        self.log.evict_before(first);
    }

    /// As [`evict_before`](Self::evict_before), and gives up the memory that they took. Their notes take no more than
    /// their places in the log's index have taken: a ring that makes room for others never grows by it.
    pub(super) fn give_up_before(&mut self, first: u64) {
        let noted = self.begin_to_note(first);
        self.evicted.reserve_exact(narrow::to_usize(noted.end - noted.start));
        self.note(noted);
        self.log.give_up_before(self.log.start_of(first));
    }

    /// The publications before this offset whose beginnings are to be noted. Nobody needs those of a ring that nobody
    /// follows.
    fn begin_to_note(&mut self, first: u64) -> Range<u64> {
        if self.subscribers == 0 {
            self.evicted = Evicted::default();
        }
        self.to_be_noted(first)
    }

    fn note(&mut self, offsets: Range<u64>) {
        for offset in offsets {
            self.evicted.note(offset, self.log.start_of(offset));
        }
    }

    /// Nobody is left who has to be told.
    pub(super) fn forget_evicted(&mut self) {
        self.evicted = Evicted::default();
    }

    /// A walk over the subscribers begins.
    pub(super) fn begin_walk(&mut self) {
        self.evicted.begin_walk();
    }

    /// Offset of the publication at which a subscriber stands that has fallen off; `None`: that isn't known in this
    /// form.
    fn fallen_at(&self, cursor: Cursor) -> Option<u64> {
        let lag = narrow::low_half(self.log.head()).wrapping_sub(cursor.0);
        self.evicted.offset_at(self.log.head().checked_sub(u64::from(lag))?)
    }

    /// The publications that a subscriber misses when it is moved from where it has fallen off to the newest one.
    pub fn gap_to_newest(&self, cursor: Cursor) -> Option<Gap> {
        let newest = self.log.offset_at(self.log.newest_start()).0;
        Some(Gap { from: self.fallen_at(cursor)?, to: newest - 1 })
    }

    /// Appends a publication; its offset.
    pub(super) fn append(&mut self, publication: &Encoded<'_>) -> u64 {
        let bytes = publication.bytes(self.form);
        debug_assert!(self.form.are_whole(bytes), "a log holds whole publications only");
        self.log.append(bytes)
    }

    /// Whether nobody has used it for so long, nor will: one that closes may still have to get the rest of a frame.
    pub(super) fn is_unused(&mut self, now_ms: u64, for_ms: u64) -> bool {
        let in_use = self.subscribers > 0 || self.owed > 0;
        !in_use && *self.unused_since_ms.get_or_insert(now_ms) + for_ms <= now_ms
    }
}

#[cfg(test)]
mod tests {
    use super::super::channel::Channel;
    use super::super::ledger::Passage;
    use super::super::place::Place;
    use super::*;
    use crate::protocol::chunk;
    use crate::push::Message;
    use proptest::prelude::*;

    fn joined((a, b): (&[u8], &[u8])) -> Vec<u8> {
        [a, b].concat()
    }

    fn append(channel: &mut Channel, (frame, deflated): (&[u8], Option<&[u8]>), offset: u64) {
        let place = Place { offset, receipt: offset, now_us: 0, unix_ms: 0 };
        channel.append(&Encoded::plain(frame).with(Form::Deflated, deflated), place);
    }

    #[test]
    fn it_is_there_while_somebody_takes_it_and_a_while_longer() {
        let mut channel = Channel::new("c".into(), 1, Log::new(1, 1 << 16, 8), 8, 0);
        let plain = channel.enter_at_head(Form::Plain);
        assert!(channel.ring(Form::Deflated).is_none() && !channel.wants(Form::Deflated));
        let long = Message::Text("a long one").to_frame();
        append(&mut channel, (&long, None), 1);
        let other = channel.enter_at_head(Form::Deflated);
        append(&mut channel, (&long, Some(b"\xc1\x01x")), 2);
        append(&mut channel, (&long, None), 3);
        let log = channel.log_in(Form::Deflated).unwrap();
        assert_eq!((log.first_offset(), log.next_offset()), (2, 4), "the same offsets");
        let position = log.position(other).unwrap();
        assert_eq!(joined(log.slices(position)), [b"\xc1\x01x", &long[..]].concat());
        let log = channel.log();
        assert_eq!(joined(log.slices(log.position(plain).unwrap())), long.repeat(3));
        let head = channel.log_in(Form::Deflated).unwrap().head();
        channel.depart(other, Form::Deflated);
        assert!(!channel.wants(Form::Deflated));
        append(&mut channel, (&long, None), 4);
        channel.drop_unused_rings(1_000, 500);
        channel.drop_unused_rings(1_499, 500);
        assert!(channel.log_in(Form::Deflated).is_some(), "one that closes may have a rest to get");
        channel.drop_unused_rings(1_500, 500);
        assert!(channel.log_in(Form::Deflated).is_none());
        let cursor = channel.enter_at_head(Form::Deflated);
        let position = channel.log_in(Form::Deflated).unwrap().position(cursor).unwrap();
        assert!(position > head, "no position comes twice");
        channel.drop_unused_rings(9_999, 0);
        assert!(channel.log_in(Form::Deflated).is_some());
        channel.ledger.settle(1, (0, Passage::Gone), 0, |_, _| {});
        let d = channel.ledger.delivery(2).unwrap();
        assert_eq!((d.recipients, d.lagging, d.gone), (2, 1, 1));
    }

    #[test]
    fn one_that_makes_room_never_takes_more() {
        let mut channel = Channel::new("c".into(), 1, Log::new(1, 1 << 16, 4), 4, 0);
        let forms = [Form::Envelope, Form::EnvelopeDeflated, Form::SseJson, Form::SseManyJson, Form::Ndjson];
        for form in forms {
            channel.enter_at_head(form);
        }
        let (frame, mut chunk) = (Message::Text("a").to_frame(), Vec::new());
        chunk::push(b"a", &mut chunk);
        for offset in 1..=24 {
            let all = forms.into_iter().fold(Encoded::plain(&frame), |all, form| {
                all.with(form, Some(if form.is_streamed() { &chunk[..] } else { &frame[..] }))
            });
            channel.append(&all, Place { offset, receipt: offset, now_us: 0, unix_ms: 0 });
            if offset % 3 == 2 {
                let bytes = |channel: &Channel| channel.rings().map(Ring::bytes).sum::<usize>();
                let before = bytes(&channel);
                channel.give_up_half(0);
                assert!(bytes(&channel) <= before, "{} bytes, {before} before", bytes(&channel));
            }
        }
    }

    proptest! {
        /// All forms hold the same publications, and a cursor at a publication finds it in each.
        #[test]
        fn in_step_with_the_plain_log(
            publications_max in 1usize..10,
            bytes_max in 300usize..2_000,
            late in 0usize..20,
            lens in proptest::collection::vec((1usize..200, proptest::option::of(1usize..250)), 1..60),
        ) {
            let mut channel = Channel::new("c".into(), 1, Log::new(7, bytes_max, publications_max), 64, 0);
            for (n, (len, other)) in lens.into_iter().enumerate() {
                if n == late {
                    channel.enter_at_head(Form::Deflated);
                }
                let frame = Message::Binary(&vec![n as u8; len]).to_frame();
                let deflated = other.map(|len| Message::Binary(&vec![!(n as u8); len]).to_frame());
                append(&mut channel, (&frame, deflated.as_deref()), 7 + n as u64);
                let Some(other) = channel.log_in(Form::Deflated) else { continue };
                prop_assert_eq!(other.next_offset(), channel.log().next_offset());
                let first = channel.log().first_offset().max(7 + late as u64);
                prop_assert_eq!(other.first_offset(), first, "evicted in step");
                prop_assert!(other.head() - other.tail() <= channel.log().head() - channel.log().tail());
                let shorter = deflated.filter(|deflated| deflated.len() < frame.len()).unwrap_or(frame);
                prop_assert_eq!(joined(other.slices(other.newest_start())), shorter);
            }
        }

        /// Envelopes are longer: the form that takes the most bytes decides what is evicted, and nobody is evicted
        /// before being offered everything.
        #[test]
        fn the_longest_form_decides(
            // Any one of them fits; one that doesn't is kept alone.
            bytes_max in 304usize..2_000,
            late in 0usize..20,
            lens in proptest::collection::vec((1usize..200, 0usize..100, 0usize..10), 1..60),
        ) {
            let mut channel = Channel::new("c".into(), 1, Log::new(7, bytes_max, 100), 64, 0);
            channel.enter_at_head(Form::Plain);
            let mut model: Vec<(usize, usize)> = Vec::new();
            for (n, (len, more, flush)) in lens.into_iter().enumerate() {
                if n == late {
                    channel.enter_at_head(Form::Envelope);
                }
                let frame = Message::Binary(&vec![n as u8; len]).to_frame();
                let envelope = Message::Binary(&vec![!(n as u8); len + more]).to_frame();
                let encoded = Encoded::plain(&frame).with(Form::Envelope, Some(&envelope));
                if flush == 0 || !channel.has_room(encoded.lens()) {
                    channel.resume_walk();
                    channel.end_walk();
                }
                prop_assert!(channel.has_room(encoded.lens()));
                model.push((frame.len(), if n < late { 0 } else { envelope.len() }));
                let sums = |model: &[(usize, usize)]| model.iter().fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
                while sums(&model).0.max(sums(&model).1) > bytes_max || model.len() > 100 {
                    model.remove(0);
                }
                let (first, growth) = (channel.first_after(encoded.lens()), channel.log_growth(encoded.lens()));
                let bytes = channel.log_bytes();
                let offset = 7 + n as u64;
                channel.append(&encoded, Place { offset, receipt: offset, now_us: 0, unix_ms: 0 });
                prop_assert_eq!(channel.log_bytes(), bytes + growth);
                prop_assert_eq!((channel.log().first_offset(), first), (first, offset + 1 - model.len() as u64));
                let Some(other) = channel.log_in(Form::Envelope) else { continue };
                prop_assert_eq!(other.next_offset(), channel.log().next_offset());
                prop_assert_eq!(other.first_offset(), first.max(7 + late as u64), "evicted in step");
                prop_assert!(other.head() - other.tail() <= bytes_max as u64);
                prop_assert_eq!(joined(other.slices(other.newest_start())), envelope);
            }
        }
    }
}

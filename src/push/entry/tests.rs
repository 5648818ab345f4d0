//! Everybody who enters gets every publication behind its position once, or is told which of them are gone: held
//! against a model that knows what was published, and when.

use std::ops::Range;

use proptest::prelude::*;

use super::*;
use crate::protocol::{Chunk, Enveloper, Opcode, chunk, frame};
use crate::push::{
    ChannelId, ChannelRules, Channels, DEFAULT, Encoded, LogLimits, Message, Passage, Place, Room,
};

const EPOCH: u64 = 7;

/// One that takes publications, or has taken some.
#[derive(Clone, Copy, Debug)]
struct Subscriber {
    form: Form,
    cursor: Cursor,
    /// The first one that it doesn't have.
    next: u64,
}

/// The expected fate of one publication.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Counts {
    recipients: u32,
    recovered: u32,
    written: u32,
    skipped: u32,
    gone: u32,
}

struct Model {
    channels: Channels,
    now_ms: u64,
    /// When each publication came.
    times: Vec<u64>,
    counts: Vec<Counts>,
    subscribers: Vec<Subscriber>,
}

#[derive(Clone, Debug)]
enum Deed {
    Publish { len: usize, deflated: bool },
    Wait(u64),
    Flush,
    Enter(Form, Start),
    Read(usize),
    Leave(usize),
    Halve,
    DropRings,
}

/// A beginning, relative to what there is.
#[derive(Clone, Copy, Debug)]
enum Start {
    Back(u64),
    Ahead(u64),
    Foreign(u64),
    Since(Since),
    Ago(u64),
}

fn plain(offset: u64, len: usize) -> Vec<u8> {
    let mut payload = offset.to_be_bytes().to_vec();
    payload.resize(8 + len, b'.');
    Message::Binary(&payload).to_frame()
}

/// The offsets of the frames that lie there.
fn offsets((first, second): (&[u8], &[u8])) -> Vec<u64> {
    let bytes = [first, second].concat();
    let (mut rest, mut offsets) = (&bytes[..], Vec::new());
    while let Some((header, len)) = chunk::first(rest) {
        let text = std::str::from_utf8(&rest[header..len]).unwrap();
        offsets.push(match text.strip_prefix(&format!("id: {EPOCH}.")) {
            Some(event) => event.lines().next().unwrap().parse().unwrap(),
            None => {
                let envelope: serde_json::Value = serde_json::from_str(text).unwrap();
                envelope["offset"].as_u64().or(envelope["missed"]["to"].as_u64()).unwrap()
            }
        });
        rest = &rest[len..];
    }
    while !rest.is_empty() {
        let (header, len) = frame::decode_server_header(rest).unwrap();
        let (payload, behind) = rest[header..].split_at(len as usize);
        offsets.push(match serde_json::from_slice::<serde_json::Value>(payload) {
            Ok(envelope) => envelope["offset"].as_u64().or(envelope["missed"]["to"].as_u64()).unwrap(),
            Err(_) => u64::from_be_bytes(payload[..8].try_into().unwrap()),
        });
        rest = behind;
    }
    offsets
}

/// A publication in a form that is made of its payload.
fn made(form: Form, channel: &Channel, offset: u64, plain: &[u8]) -> Vec<u8> {
    let (mut enveloper, mut chunk) = (Enveloper::default(), Chunk::default());
    let (origin, opcode, payload) = (channel.origin(offset), Opcode::Binary, &plain[2..]);
    enveloper.make(origin, opcode, payload);
    if !form.is_streamed() {
        return enveloper.frame().to_vec();
    }
    crate::push::stream::make(form, origin, (opcode, payload), &enveloper, &mut chunk).to_vec()
}

impl Model {
    fn new(limits: LogLimits, rules: ChannelRules, start: u64) -> Model {
        let mut channels = Channels::new(limits, EPOCH);
        channels.start_at(start);
        channels.set_fallen(Passage::Skipped);
        channels.get_mut(DEFAULT).rules = rules;
        let (times, counts, subscribers) = (Vec::new(), Vec::new(), Vec::new());
        Model { channels, now_ms: 1_000_000, times, counts, subscribers }
    }

    fn channel(&self) -> &Channel {
        self.channels.get(DEFAULT)
    }

    /// Offset of the next publication.
    fn next(&self) -> u64 {
        self.times.len() as u64 + 1
    }

    fn counts(&mut self, offsets: Range<u64>) -> &mut [Counts] {
        if offsets.is_empty() {
            &mut []
        } else {
            &mut self.counts[offsets.start as usize - 1..offsets.end as usize - 1]
        }
    }

    /// The oldest one that is neither evicted nor too old.
    fn kept(&self) -> u64 {
        let ttl_ms = self.channel().rules.ttl_ms;
        let is_kept = |offset: &u64| {
            let age_ms = self.now_ms - self.times[*offset as usize - 1];
            *offset >= self.channel().log().first_offset() && (ttl_ms == 0 || age_ms < ttl_ms)
        };
        (1..self.next()).find(is_kept).unwrap_or(self.next())
    }

    /// The oldest one that a ring of a form that is made can have, which has been there from `here` on.
    fn reached(&self, form: Form, here: u64) -> u64 {
        let log = self.channel().log();
        let live = self.channel().log_in(form).map_or(0, |log| log.head() - log.tail());
        let (mut first, mut room) = (here, log.bytes_max() as u64 - live);
        while form.is_made() && first > log.first_offset() {
            let (a, b) = log.slices_between(log.start_of(first - 1), log.start_of(first));
            let len = made(form, self.channel(), first - 1, &[a, b].concat()).len() as u64;
            if len > room {
                return first;
            }
            (first, room) = (first - 1, room - len);
        }
        log.first_offset()
    }

    fn flush(&mut self) {
        while let Some(id) = self.channels.next_dirty() {
            self.channels.get_mut(id).resume_walk();
            self.channels.get_mut(id).end_walk();
            let dirty = self.channels.get_mut(id).resume_walk().is_some();
            self.channels.requeue(id, dirty);
        }
    }

    fn publish(&mut self, len: usize, deflated: bool) {
        let offset = self.next();
        let (plain, shorter) = (plain(offset, len), plain(offset, len / 3));
        let [envelope, event, line] =
            [Form::Envelope, Form::Sse, Form::Ndjson].map(|form| made(form, self.channel(), offset, &plain));
        let encoded = Encoded::plain(&plain)
            .with(Form::Deflated, deflated.then_some(&shorter[..]))
            .with(Form::Envelope, Some(&envelope))
            .with(Form::Sse, Some(&event))
            .with(Form::Ndjson, Some(&line));
        loop {
            match self.channels.room_for(DEFAULT, encoded.lens()) {
                Room::Ready => break,
                Room::Later => self.flush(),
                Room::AfterHalving(id) => self.halve(id),
            }
        }
        let place = Place { offset, receipt: offset, now_us: self.now_ms * 1_000, unix_ms: self.now_ms };
        self.channels.append(DEFAULT, &encoded, place);
        self.times.push(self.now_ms);
        self.counts.push(Counts { recipients: self.subscribers.len() as u32, ..Counts::default() });
    }

    fn halve(&mut self, id: ChannelId) {
        self.channels.give_up_half(id, 0);
    }

    fn since(&self, start: Start) -> Since {
        let at = |epoch, offset| Since::Position(Position { epoch, offset });
        match start {
            Start::Back(count) => at(EPOCH, (self.next() - 1).saturating_sub(count)),
            Start::Ahead(count) => at(EPOCH, self.next() + count),
            Start::Foreign(offset) => at(EPOCH + 1, offset),
            Start::Since(since) => since,
            Start::Ago(ms) => Since::Time(self.now_ms - ms),
        }
    }

    fn enter(&mut self, form: Form, start: Start) {
        let since = self.since(start);
        let has_room = self.channels.room_to_enter(DEFAULT, form, since, self.now_ms) == Room::Ready;
        let in_form = self.channel().first_in(form);
        let kept = self.kept().max(if has_room { self.reached(form, in_form) } else { in_form });
        let (next, newest) = (self.next(), kept.max(self.next() - 1));
        let (first, recovery) = match since {
            Since::Head => (next, None),
            Since::Earliest => (kept, None),
            Since::Last(count) => {
                ((1..next).rev().take(count as usize).take_while(|o| *o >= kept).last().unwrap_or(next), None)
            }
            Since::Time(ms) => {
                ((kept..next).find(|o| self.times[*o as usize - 1] >= ms).unwrap_or(next), None)
            }
            Since::Latest => (newest, None),
            Since::Position(Position { epoch, offset }) => {
                let is_known = epoch == EPOCH && offset < next;
                let wanted = if is_known { offset + 1 } else { 1 };
                if is_known && (wanted..next).all(|o| o >= kept) {
                    (wanted, Some(Recovery::Whole))
                } else {
                    let first = match self.channel().rules.missed {
                        Missed::Report => next,
                        Missed::Tail => kept,
                        Missed::Latest => newest,
                    };
                    (first, Some(Recovery::Missed(Gap { from: wanted, to: first - 1 })))
                }
            }
        };
        let before = self.channels.log_bytes();
        let entry = self.channels.enter(DEFAULT, form, since, self.now_ms);
        assert_eq!((entry.position.offset + 1, entry.recovery), (first, recovery), "{since:?} {form:?}");
        assert_eq!(entry.position.epoch, EPOCH);
        self.channels.get_mut(DEFAULT).end_awaited();
        let grown = self.channels.log_bytes() - before;
        assert!(grown == 0 || form != Form::Plain && first < in_form, "{since:?} has cost {grown} bytes");
        assert!(self.channels.log_bytes() <= self.channels.limits.sum_bytes);
        for counts in self.counts(first..next) {
            counts.recipients += 1;
            counts.recovered += 1;
        }
        self.subscribers.push(Subscriber { form, cursor: entry.cursor, next: first });
    }

    fn read(&mut self, n: usize) {
        let Subscriber { form, cursor, next } = self.subscribers[n];
        let log = self.channel().log_in(form).expect("somebody takes it");
        let Some(position) = log.position(cursor) else {
            assert!(next < log.first_offset(), "fallen off, though nothing is gone");
            let cursor = self.channels.get_mut(DEFAULT).skip_to_newest(form);
            self.channels.touch(DEFAULT);
            let newest = self.next() - u64::from(self.channel().log().publications() > 0);
            self.subscribers[n] = Subscriber { form, cursor, next: newest };
            self.counts(next..newest).iter_mut().for_each(|counts| counts.skipped += 1);
            return;
        };
        let end = self.next();
        assert_eq!(offsets(log.slices(position)), (next..end).collect::<Vec<_>>(), "{form:?}");
        let head = Cursor::at(log.head());
        self.channels.get_mut(DEFAULT).ledger.pass(Passage::Written, next, end);
        self.channels.touch(DEFAULT);
        self.subscribers[n] = Subscriber { form, cursor: head, next: end };
        self.counts(next..end).iter_mut().for_each(|counts| counts.written += 1);
    }

    fn leave(&mut self, n: usize) {
        let Subscriber { form, cursor, next } = self.subscribers.swap_remove(n);
        self.channels.get_mut(DEFAULT).depart(cursor, form);
        self.channels.touch(DEFAULT);
        let first = self.channel().log().first_offset().max(next);
        self.counts(next..first).iter_mut().for_each(|counts| counts.skipped += 1);
        let end = self.next();
        self.counts(first..end).iter_mut().for_each(|counts| counts.gone += 1);
    }

    /// All receipts that are left are as they must be.
    fn check(&mut self) {
        self.channels.settle(self.now_ms * 1_000, |_, _| {});
        let recount: usize = self.channels.iter().map(|(_, channel)| channel.log_bytes()).sum();
        assert_eq!(recount, self.channels.log_bytes());
        let logged_from = self.channel().log().first_offset();
        for offset in 1..self.next() {
            let Some(delivery) = self.channel().ledger.delivery(offset) else { continue };
            let mut expected = self.counts[offset as usize - 1];
            let behind =
                self.subscribers.iter().filter(|subscriber| subscriber.next <= offset).count() as u32;
            let lagging = if offset < logged_from { 0 } else { behind };
            expected.skipped += behind - lagging;
            let counts = Counts {
                recipients: delivery.recipients,
                recovered: delivery.recovered,
                written: delivery.written,
                skipped: delivery.skipped,
                gone: delivery.gone,
            };
            assert_eq!((counts, delivery.lagging), (expected, lagging), "{offset}");
        }
    }

    fn act(&mut self, deed: &Deed) {
        let one_of = |n: &usize, count: usize| Some(*n).filter(|_| count > 0).map(|n| n % count);
        match deed {
            Deed::Publish { len, deflated } => self.publish(*len, *deflated),
            Deed::Wait(ms) => self.now_ms += ms,
            Deed::Flush => self.flush(),
            Deed::Enter(form, start) => self.enter(*form, *start),
            Deed::Read(n) => one_of(n, self.subscribers.len()).into_iter().for_each(|n| self.read(n)),
            Deed::Leave(n) => one_of(n, self.subscribers.len()).into_iter().for_each(|n| self.leave(n)),
            Deed::Halve if self.channel().can_give_up_half() => self.halve(DEFAULT),
            Deed::Halve => {}
            Deed::DropRings => self.channels.drop_unused_rings(self.now_ms, 0),
        }
        self.check();
    }
}

fn any_start() -> impl Strategy<Value = Start> {
    prop_oneof![
        6 => (0u64..12).prop_map(Start::Back),
        1 => (0u64..3).prop_map(Start::Ahead),
        1 => (0u64..40).prop_map(Start::Foreign),
        1 => (1u64..8).prop_map(|count| Start::Since(Since::Last(count))),
        1 => (0u64..60).prop_map(Start::Ago),
        1 => Just(Start::Since(Since::Head)),
        1 => Just(Start::Since(Since::Earliest)),
        1 => Just(Start::Since(Since::Latest)),
    ]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    let form = prop_oneof![
        3 => Just(Form::Plain),
        3 => Just(Form::Deflated),
        2 => Just(Form::Envelope),
        1 => Just(Form::EnvelopeDeflated),
        1 => Just(Form::Sse),
        1 => Just(Form::Ndjson),
    ];
    prop_oneof![
        8 => (0usize..110, any::<bool>()).prop_map(|(len, deflated)| Deed::Publish { len, deflated }),
        1 => (1u64..30).prop_map(Deed::Wait),
        1 => Just(Deed::Flush),
        5 => (form, any_start()).prop_map(|(form, start)| Deed::Enter(form, start)),
        6 => (0usize..100).prop_map(Deed::Read),
        3 => (0usize..100).prop_map(Deed::Leave),
        1 => Just(Deed::Halve),
        1 => Just(Deed::DropRings),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if cfg!(miri) { 4 } else { 400 }))]
    #[test]
    fn everybody_gets_what_follows_its_position_or_knows_what_is_gone(
        publications in 1usize..12,
        bytes in 200usize..1_500,
        sum_bytes in prop_oneof![Just(1usize << 20), Just(12_500usize)],
        ttl_ms in prop_oneof![Just(0u64), 1u64..80],
        missed in prop_oneof![Just(Missed::Report), Just(Missed::Tail), Just(Missed::Latest)],
        start in prop_oneof![Just(0u64), Just(u64::from(u32::MAX) - 700)],
        deeds in proptest::collection::vec(any_deed(), 1..if cfg!(miri) { 20 } else { 80 }),
    ) {
        let limits = LogLimits { bytes, publications, sum_bytes };
        let mut model = Model::new(limits, ChannelRules { ttl_ms, missed, ..ChannelRules::default() }, start);
        deeds.iter().for_each(|deed| model.act(deed));
        // In the end everybody reads on to the head.
        for n in 0..model.subscribers.len() {
            (0..2).for_each(|_| model.read(n));
            prop_assert_eq!(model.subscribers[n].next, model.next());
        }
        model.check();
    }
}

fn model(rules: ChannelRules) -> Model {
    Model::new(LogLimits { bytes: 1 << 12, publications: 4, sum_bytes: 1 << 20 }, rules, 0)
}

#[test]
fn a_resume_takes_no_memory_in_the_plain_form() {
    let mut model = model(ChannelRules::default());
    (0..4).for_each(|_| model.publish(50, false));
    for back in 0..5 {
        let since = model.since(Start::Back(back));
        let entry = model.channels.enter(DEFAULT, Form::Plain, since, model.now_ms);
        assert_eq!((entry.recovery, entry.effort.copied_bytes), (Some(Recovery::Whole), 0));
    }
}

#[test]
fn a_form_that_comes_late_is_filled_once() {
    let mut model = model(ChannelRules::default());
    (0..4).for_each(|_| model.publish(50, false));
    let mut enter = |start| {
        let since = model.since(start);
        let entry = model.channels.enter(DEFAULT, Form::Deflated, since, model.now_ms);
        (entry.recovery, entry.effort.copied_bytes)
    };
    assert_eq!(enter(Start::Back(1)), (Some(Recovery::Whole), 60));
    assert_eq!(enter(Start::Back(3)), (Some(Recovery::Whole), 120), "only what is not there yet");
    assert_eq!(enter(Start::Back(2)), (Some(Recovery::Whole), 0));
}

#[test]
fn another_life_and_the_future_are_never_caught_up() {
    let mut model = model(ChannelRules::default());
    let mut enter = |start| {
        let since = model.since(start);
        model.channels.enter(DEFAULT, Form::Plain, since, 0).recovery
    };
    let nothing = Gap { from: 1, to: 0 };
    assert_eq!(enter(Start::Back(0)), Some(Recovery::Whole), "nothing was published yet");
    assert_eq!(enter(Start::Foreign(0)), Some(Recovery::Missed(nothing)));
    assert_eq!(enter(Start::Ahead(0)), Some(Recovery::Missed(nothing)));
}

#[test]
fn at_its_time_and_not_before_it_is_gone() {
    let mut model = model(ChannelRules { ttl_ms: 10, ..ChannelRules::default() });
    model.publish(1, false);
    for (age_ms, kept) in [(0, 1), (9, 1), (10, 2), (1_000, 2)] {
        assert_eq!(model.channel().first_kept(model.now_ms + age_ms), kept, "{age_ms} ms");
    }
}

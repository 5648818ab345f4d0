//! Clients of streams and polls over plain HTTP in the simulated world: they come back with the last id or tag that
//! they have seen, wherever they were cut off, and know by envelopes just what comes.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wspush::push::{Position, Since};

use super::client::{Client, Role, Stage};
use super::v1::V1;
use super::wire;

/// How it is pushed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Server-Sent Events with envelopes.
    Events,
    /// The same with payloads, of one channel.
    Raw,
    /// A message on each line.
    Lines,
    /// Answers to polls.
    Poll,
}

impl Kind {
    pub fn path(self) -> &'static str {
        match self {
            Kind::Events | Kind::Raw => "/sse",
            Kind::Lines => "/stream",
            Kind::Poll => "/poll",
        }
    }
}

/// The part of its knowledge that a client of `wspush.v1` has not.
#[derive(Debug)]
pub struct Streamed {
    pub kind: Kind,
    /// Its channels, as it has asked for them.
    pub channels: Vec<&'static str>,
    /// The id of the last event, or the tag of the last answer: it may come back with that.
    pub last: String,
    in_body: bool,
    has_begun: bool,
    /// It waits for the answer to a poll.
    pub waits: bool,
    /// The answer at hand.
    tag: String,
    lines: Vec<Value>,
}

/// An event as it is read.
#[derive(Debug, Default)]
struct Event {
    name: String,
    data: Option<String>,
    id: Option<String>,
    retry: Option<String>,
    comment: Option<String>,
}

impl Event {
    fn read(block: &str) -> Event {
        let mut event = Event::default();
        for line in block.lines() {
            let (field, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
            match field {
                "" => event.comment = Some(value),
                "event" => event.name = value,
                "data" => {
                    assert!(event.data.replace(value).is_none(), "these payloads have one line: {block}")
                }
                "id" => event.id = Some(value),
                "retry" => event.retry = Some(value),
                _ => panic!("a field that there is not: {block}"),
            }
        }
        event
    }
}

/// The data of the chunk that `bytes` begin with, taken out of them; nothing in the last one.
fn chunk(bytes: &mut Vec<u8>) -> Option<String> {
    let header = bytes.windows(2).position(|at| at == b"\r\n")?;
    let digits = std::str::from_utf8(&bytes[..header]).expect("a chunk's size");
    let len = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("no size: {digits:?}"));
    let end = header + 2 + len + 2;
    let data = bytes.get(header + 2..end)?.strip_suffix(b"\r\n").expect("a chunk's end");
    let data = String::from_utf8(data.to_vec()).expect("UTF-8");
    bytes.drain(..end);
    Some(data)
}

fn number(said: &Value, name: &str) -> u64 {
    said[name].as_u64().unwrap_or_else(|| panic!("no {name}: {said}"))
}

/// The channel that is told of, and its epoch.
fn place(said: &Value) -> (String, u64) {
    let text = |name: &str| said[name].as_str().unwrap_or_else(|| panic!("no {name}: {said}"));
    (text("channel").to_owned(), text("epoch").parse().expect("an epoch"))
}

impl Streamed {
    /// One that is about to ask for these, where another one has stopped.
    pub fn new(kind: Kind, channels: Vec<&'static str>, last: String) -> Streamed {
        Streamed {
            kind,
            channels,
            last,
            in_body: false,
            has_begun: false,
            waits: false,
            tag: String::new(),
            lines: Vec::new(),
        }
    }

    /// The positions that an id or a tag says.
    pub fn positions(&self, text: &str) -> BTreeMap<String, Position> {
        if text.is_empty() {
            return BTreeMap::new();
        }
        if let Ok(position) = text.parse() {
            // More channels may have come since it has asked.
            assert_eq!(self.channels.len(), 1, "whose position is {text}?");
            return [(self.channels[0].to_owned(), position)].into();
        }
        let named = |part: &str| {
            let (channel, position) = part.rsplit_once('~').unwrap_or_else(|| panic!("no position: {text}"));
            (channel.to_owned(), position.parse().unwrap_or_else(|_| panic!("no position: {text}")))
        };
        text.split(',').map(named).collect()
    }

    /// A stream begins, where it was told and with what it does not get.
    fn begin(&mut self, v1: &mut V1, events: Vec<Event>) {
        let mut events = events.into_iter();
        let first = events.next().expect("the beginning");
        assert_eq!(first.retry.as_deref(), Some("3000"), "{first:?}");
        let at = self.positions(first.id.as_deref().unwrap_or(""));
        assert!(self.channels.iter().all(|channel| at.contains_key(*channel)), "{first:?}: {self:?}");
        let missed = events.map(|event| {
            assert_eq!(event.name, "wspush.missed", "{event:?}");
            serde_json::from_str::<Value>(&event.data.expect("data")).expect("JSON")
        });
        let mut missed: BTreeMap<String, Value> = missed.map(|missed| (place(&missed).0, missed)).collect();
        for (channel, Position { epoch, offset }) in at {
            let mut said = json!({"channel": channel, "epoch": epoch.to_string(), "offset": offset});
            let gap = missed.remove(&channel);
            let wished = v1.wished.get(&channel).copied();
            if let Some(Since::Position(wished)) = wished {
                let is_anew = wished.offset == 0 && wished.epoch != epoch && gap.is_none();
                let is_empty = offset == 0 && wished != Position { epoch, offset };
                if !is_anew {
                    said["recovered"] = (gap.is_none() && !is_empty).into();
                }
            }
            v1.hear(&json!({ "subscribed": said }).to_string(), false);
            if let Some(gap) = gap {
                v1.hear(&json!({ "missed": gap }).to_string(), false);
            }
        }
        assert!(missed.is_empty(), "{missed:?} of what it has not");
        self.last = first.id.unwrap_or_default();
    }

    /// It is told where it stands: no further than it has heard.
    fn stands(&mut self, v1: &mut V1, id: String) {
        for (channel, at) in self.positions(&id) {
            match v1.position(&channel) {
                Some(known) if known.epoch == at.epoch => {
                    let is_heard = at.offset <= known.offset || v1.is_conflated(&channel);
                    assert!(is_heard, "{channel}: {known} is heard, and {id} is told");
                }
                Some(known) => panic!("{channel}: {known} was in another life than {id}"),
                None => v1.stand(&channel, at),
            }
        }
        self.last = id;
    }

    /// An event, or a message on a line, as `wspush.v1` has it.
    fn message(&mut self, v1: &mut V1, said: &Value, was_full: bool) -> Option<String> {
        if said.get("offset").is_some() {
            let (channel, epoch) = place(said);
            if v1.position(&channel).is_none() {
                // Its client was not told yet that it has got one more channel.
                v1.stand(&channel, Position { epoch, offset: number(said, "offset") - 1 });
            }
        } else if let Some(missed) = said.get("missed") {
            let (channel, epoch) = place(missed);
            if v1.position(&channel).is_none() {
                v1.stand(&channel, Position { epoch, offset: number(missed, "to") });
                return None;
            }
        }
        v1.hear(&said.to_string(), was_full)
    }

    /// A poll is answered: all that follows its positions, up to the tag.
    fn answered(&mut self, v1: &mut V1, status: u16) {
        self.waits = false;
        let lines = std::mem::take(&mut self.lines);
        let (mut publications, mut gaps) = (0, 0);
        for said in lines {
            if let Some(missed) = said.get("missed") {
                let (channel, epoch) = place(missed);
                let (from, to) = (number(missed, "from"), number(missed, "to"));
                let asked = v1.position(&channel).expect("a gap behind a position");
                let is_ours = asked.epoch == epoch && asked.offset <= to;
                assert_eq!(from, if is_ours { asked.offset + 1 } else { 1 }, "{said} behind {asked}");
                assert!(from <= to, "{said}");
                v1.stand(&channel, Position { epoch, offset: to });
                v1.counts.missed += 1;
                gaps += 1;
                continue;
            }
            let ((channel, epoch), offset) = (place(&said), number(&said, "offset"));
            match v1.position(&channel) {
                Some(at) if at.epoch == epoch => {}
                Some(at) => {
                    // Of this life nothing is missing, and the tag says which one it is.
                    assert!(offset == 1, "{said} behind {at}");
                    v1.stand(&channel, Position { epoch, offset: 0 });
                }
                None => v1.stand(&channel, Position { epoch, offset: offset - 1 }),
            }
            v1.hear(&said.to_string(), false);
            publications += 1;
        }
        let fits = match status {
            200 => publications + gaps > 0,
            410 => publications == 0 && gaps > 0,
            _ => publications == 0 && gaps == 0,
        };
        assert!(fits, "{status} with {publications} publications and {gaps} gaps");
        let tag = std::mem::take(&mut self.tag);
        for (channel, told) in self.positions(&tag) {
            match v1.position(&channel) {
                Some(at) if at == told => {}
                // Its channel has begun anew, and nothing was published there.
                Some(at) => assert!(told.offset == 0, "{channel}: {at} is heard, and {tag} is told"),
                None => {}
            }
            v1.stand(&channel, told);
        }
        self.last = tag;
    }
}

impl Client {
    /// Takes what has come of a response that has no end, or of the answer to a poll. False: it is not whole.
    pub(super) fn understand_streamed(&mut self) -> bool {
        let (Some(mut streamed), Some(mut v1)) = (self.streamed.take(), self.v1.take()) else { return false };
        let goes_on = self.take_streamed(&mut streamed, &mut v1);
        (self.streamed, self.v1) = (Some(streamed), Some(v1));
        goes_on
    }

    fn take_streamed(&mut self, streamed: &mut Streamed, v1: &mut V1) -> bool {
        if !streamed.in_body {
            let Some((head, size)) = wire::response(&self.buf, "HEAD") else { return false };
            self.buf.drain(..size);
            self.status = head.status;
            let is_chunked = head.header("transfer-encoding") == Some("chunked");
            let is_answer = match streamed.kind {
                Kind::Poll => matches!(head.status, 200 | 204 | 304 | 410) && head.header("etag").is_some(),
                _ => head.status == 200 && is_chunked,
            };
            if !is_answer {
                // Refused, or told to come later.
                assert!(head.status >= 400 || head.header("content-type") == Some("text/event-stream"));
                self.gone = true;
                self.buf.clear();
                self.wire.borrow_mut().end_up();
                return false;
            }
            self.stage = Stage::Open;
            streamed.in_body = is_chunked;
            streamed.tag = head.header("etag").unwrap_or_default().trim_matches('"').to_owned();
            if !is_chunked {
                streamed.answered(v1, head.status);
            }
            return !self.buf.is_empty();
        }
        let Some(data) = chunk(&mut self.buf) else { return false };
        match streamed.kind {
            Kind::Poll if data.is_empty() => {
                streamed.in_body = false;
                streamed.answered(v1, self.status);
            }
            Kind::Poll => {
                let line = data.strip_suffix('\n').expect("a line");
                streamed.lines.push(serde_json::from_str(line).expect("JSON"));
            }
            _ if data.is_empty() => {
                assert!(self.close_code.is_some(), "the end without a reason");
                self.stage = Stage::Closed;
            }
            Kind::Lines => self.line(streamed, v1, data.trim_start_matches(' ')),
            Kind::Events | Kind::Raw => self.events(streamed, v1, &data),
        }
        !self.buf.is_empty()
    }

    fn line(&mut self, streamed: &mut Streamed, v1: &mut V1, line: &str) {
        if line.is_empty() {
            return;
        }
        let said: Value = serde_json::from_str(line.strip_suffix('\n').expect("a line")).expect("JSON");
        if let Some(closed) = said.get("closed") {
            self.close_code = Some(number(closed, "code") as u16);
            return;
        }
        let was_full = self.wire.borrow().was_full;
        let direct = if said.get("subscribed").is_some() {
            v1.hear(&said.to_string(), was_full)
        } else {
            streamed.message(v1, &said, was_full)
        };
        if let Some(direct) = direct {
            self.message(&direct);
        }
    }

    fn events(&mut self, streamed: &mut Streamed, v1: &mut V1, data: &str) {
        let blocks = data.strip_suffix("\n\n").unwrap_or_else(|| panic!("half an event: {data:?}"));
        let events: Vec<Event> = blocks.split("\n\n").map(Event::read).collect();
        if !std::mem::replace(&mut streamed.has_begun, true) {
            return streamed.begin(v1, events);
        }
        for event in events {
            self.event(streamed, v1, event);
        }
    }

    fn event(&mut self, streamed: &mut Streamed, v1: &mut V1, event: Event) {
        let was_full = self.wire.borrow().was_full;
        let Event { name, data, id, comment, .. } = event;
        let Some(data) = data else {
            if let Some(code) = comment.as_deref().and_then(|comment| comment.split(' ').next()?.parse().ok())
            {
                self.close_code = Some(code);
            }
            if let Some(id) = id {
                streamed.stands(v1, id);
            }
            return;
        };
        let said = match name.strip_prefix("wspush.") {
            Some("binary") => {
                use base64::Engine as _;
                let bytes = base64::prelude::BASE64_STANDARD.decode(&data).expect("base64");
                Value::String(String::from_utf8(bytes).expect("UTF-8"))
            }
            Some(name) => json!({ name: serde_json::from_str::<Value>(&data).expect("JSON") }),
            None if streamed.kind == Kind::Raw => Value::String(data),
            None => serde_json::from_str(&data).expect("JSON"),
        };
        let said = match (said, &id) {
            (Value::String(payload), Some(id)) => {
                let (channel, Position { epoch, offset }) =
                    streamed.positions(id).pop_first().expect("a position");
                json!({"channel": channel, "epoch": epoch.to_string(), "offset": offset, "data": payload})
            }
            (Value::String(payload), None) => json!({ "message": { "data": payload } }),
            (said, _) => said,
        };
        if let (Some(id), Some(offset)) = (&id, said.get("offset")) {
            let (channel, epoch) = place(&said);
            let told = Position { epoch, offset: offset.as_u64().expect("a number") };
            assert_eq!(streamed.positions(id).get(&channel), Some(&told), "the id of {said}");
        }
        let direct = streamed.message(v1, &said, was_full);
        if let Some(id) = id {
            streamed.last = id;
        }
        if let Some(direct) = direct {
            self.message(&direct);
        }
    }

    /// Whether this is a client that polls and has no poll under way.
    pub fn is_between_polls(&self) -> bool {
        self.streamed.as_ref().is_some_and(|streamed| streamed.kind == Kind::Poll && !streamed.waits)
    }

    /// Whether this is a stream, which ends with a reason.
    pub fn is_stream(&self) -> bool {
        self.role == Role::Stream && self.streamed.as_ref().is_some_and(|own| own.kind != Kind::Poll)
    }
}

//! Clients of `wspush.v1`, and what they may be told: each offset of a channel once and in order from where they stand,
//! or a `missed` that names just what they don't get.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use wspush::push::{Position, Since};

use super::presence::Views;

/// A publication's channel, epoch and offset.
pub type Place = (String, u64, u64);

/// A command that is not answered yet.
#[derive(Debug)]
pub enum Asked {
    Subscribe(String, Since),
    Unsubscribe(String),
    /// A publication of this name.
    Publish(String, String),
    /// A page of at most so many publications.
    History(String, usize),
    /// Who is there.
    Presence(String),
    Ping,
    Nonsense,
}

/// A subscription.
#[derive(Clone, Copy, Debug)]
struct Stay {
    /// Which of the connection's subscriptions it is.
    number: usize,
    epoch: u64,
    /// The offset that comes next.
    next: u64,
}

/// A publication of its own.
#[derive(Debug)]
struct Own {
    name: String,
    /// The subscription under which it was published, which passes over it.
    stay: Option<usize>,
}

/// Counts of its rarer events.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Beginnings at a position behind which everything was there.
    pub recovered: u64,
    /// Beginnings behind which something was gone.
    pub missed: u64,
    /// Gaps on the way, as it was too slow.
    pub gaps: u64,
    /// Publications that a conflated channel has left out.
    pub conflated: u64,
    /// Publications of its own that it did not get.
    pub own: u64,
    /// Publications on pages of history.
    pub read: u64,
    /// Notices of who has come and gone.
    pub notices: u64,
    /// Times that it was told unasked who is there.
    pub anew: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        self.recovered += other.recovered;
        self.missed += other.missed;
        self.gaps += other.gaps;
        self.conflated += other.conflated;
        self.own += other.own;
        self.read += other.read;
        self.notices += other.notices;
        self.anew += other.anew;
    }
}

#[derive(Debug, Default)]
pub struct V1 {
    /// Channels of which only the newest publication counts.
    conflated: BTreeSet<String>,
    /// It may receive and publish to all channels.
    pub has_token: bool,
    connected: bool,
    /// It is told over plain HTTP.
    is_streamed: bool,
    /// Where the 101 says that it stands, as far as it was not told so in the new way.
    pub promised: VecDeque<(String, Position)>,
    /// Where its address has asked to begin.
    pub wished: BTreeMap<String, Since>,
    stays: BTreeMap<String, Stay>,
    subscriptions: usize,
    /// The gap that has to be told next: from where on, if that is known, and up to where.
    owed: Option<(String, Option<u64>, u64)>,
    ids: u64,
    pub asked: VecDeque<(u64, Asked)>,
    own: BTreeMap<Place, Own>,
    /// Publications by their places, and how often each came.
    heard: BTreeMap<Place, (String, u32)>,
    pub counts: Counts,
    pub views: Views,
}

fn text<'a>(said: &'a Value, name: &str) -> &'a str {
    said[name].as_str().unwrap_or_else(|| panic!("no {name}: {said}"))
}

fn number(said: &Value, name: &str) -> u64 {
    said[name].as_u64().unwrap_or_else(|| panic!("no {name}: {said}"))
}

fn position(said: &Value) -> Position {
    Position { epoch: text(said, "epoch").parse().unwrap(), offset: number(said, "offset") }
}

/// Who has come or gone, and which of it.
fn change(said: &Value) -> Option<(&Value, bool)> {
    let join = said.get("join").map(|join| (join, true));
    join.or_else(|| said.get("leave").map(|leave| (leave, false)))
}

/// The payload of a publication or a message to one.
fn payload(said: &Value) -> String {
    match said.get("base64") {
        None => text(said, "data").to_owned(),
        Some(coded) => {
            let bytes = BASE64_STANDARD.decode(coded.as_str().unwrap()).unwrap();
            String::from_utf8(bytes).unwrap()
        }
    }
}

impl V1 {
    pub fn new(conflated: BTreeSet<String>) -> V1 {
        V1 { conflated, ..V1::default() }
    }

    /// One that is told over plain HTTP, and says nothing.
    pub fn streamed(conflated: BTreeSet<String>) -> V1 {
        V1 { conflated, connected: true, is_streamed: true, ..V1::default() }
    }

    /// It stands there in a channel.
    pub fn stand(&mut self, channel: &str, at: Position) {
        self.subscriptions += 1;
        let stay = Stay { number: self.subscriptions, epoch: at.epoch, next: at.offset + 1 };
        self.stays.insert(channel.to_owned(), stay);
    }

    /// The newest publication that it has of a channel.
    pub fn position(&self, channel: &str) -> Option<Position> {
        self.stays.get(channel).map(|stay| Position { epoch: stay.epoch, offset: stay.next - 1 })
    }

    /// Whether only the newest publication of a channel counts.
    pub fn is_conflated(&self, channel: &str) -> bool {
        self.conflated.contains(channel)
    }

    /// The wish of its address for a channel, at the first time that it is told of it. A position in a life in
    /// which nothing was published is its beginning.
    fn take_wish(&mut self, subscribed: &Value) -> Option<Since> {
        let wished = self.wished.remove(text(subscribed, "channel"))?;
        let is_of_nothing =
            |at: Position| at.offset == 0 && text(subscribed, "epoch") != at.epoch.to_string();
        match (wished, subscribed.get("recovered")) {
            (Since::Position(at), None) if is_of_nothing(at) => Some(Since::Earliest),
            (Since::Position(at), Some(Value::Bool(true))) if is_of_nothing(at) => {
                Some(Since::Position(position(subscribed)))
            }
            (wished, _) => Some(wished),
        }
    }

    /// A command, as text.
    pub fn ask(&mut self, asked: Asked) -> String {
        self.ids += 1;
        let id = self.ids;
        let command = match &asked {
            Asked::Subscribe(channel, Since::Head) if !id.is_multiple_of(3) && self.views.has(channel) => {
                json!({"id": id, "subscribe": {"channel": channel, "presence": true}})
            }
            Asked::Subscribe(channel, Since::Head) => json!({"id": id, "subscribe": {"channel": channel}}),
            Asked::Subscribe(channel, since) => {
                json!({"id": id, "subscribe": {"channel": channel, "since": since.to_string()}})
            }
            Asked::Unsubscribe(channel) => json!({"id": id, "unsubscribe": {"channel": channel}}),
            Asked::Publish(channel, name) => json!({"id": id, "publish": {"channel": channel, "data": name}}),
            Asked::History(channel, limit) => {
                json!({"id": id, "history": {"channel": channel, "limit": limit}})
            }
            Asked::Presence(channel) => json!({"id": id, "presence": {"channel": channel}}),
            Asked::Ping => json!({"id": id, "ping": {}}),
            Asked::Nonsense => json!({"id": id, "shout": {}}),
        };
        self.asked.push_back((id, asked));
        command.to_string()
    }

    /// Channels that it receives, each with the position of the newest publication that it has.
    pub fn positions(&self) -> Vec<(String, Position)> {
        let position = |stay: &Stay| Position { epoch: stay.epoch, offset: stay.next - 1 };
        self.stays.iter().map(|(channel, stay)| (channel.clone(), position(stay))).collect()
    }

    /// The same, past its own publications: nothing else is to come before the next one of others.
    pub fn reached(&self) -> impl Iterator<Item = (&str, u64, u64)> {
        self.stays
            .iter()
            .map(|(channel, stay)| (&**channel, stay.epoch, self.past_own(channel, stay, u64::MAX)))
    }

    /// Whether the publication before this offset is its own, and makes up for those before that it has lagged behind.
    pub fn has_conflated(&self, channel: &str, epoch: u64, next: u64) -> bool {
        let is_own = |offset| self.own.contains_key(&(channel.to_owned(), epoch, offset));
        self.conflated.contains(channel) && next.checked_sub(1).is_some_and(is_own)
    }

    /// Everything that it knows to lie somewhere: its own publications and those of others, and how often these came.
    pub fn known(&self) -> impl Iterator<Item = (&Place, &str, u32)> {
        let heard = self.heard.iter().map(|(place, (name, times))| (place, &**name, *times));
        heard.chain(self.own.iter().map(|(place, own)| (place, &*own.name, 0)))
    }

    /// Takes a message of the server; the text that was meant for this connection alone, if it is one. `was_full`:
    /// whether its socket has ever been full, so that it may have lagged.
    pub fn hear(&mut self, message: &str, was_full: bool) -> Option<String> {
        let said: Value = serde_json::from_str(message).unwrap_or_else(|_| panic!("no JSON: {message}"));
        if !self.connected {
            assert!(said["connected"]["conn"].is_string(), "the first word: {said}");
            self.connected = true;
            return None;
        }
        if let Some((channel, from, to)) = self.owed.take() {
            self.gap_at_beginning(&said, &channel, (from, to));
        } else if said.get("id").is_some() {
            self.answer(&said);
        } else if let Some(subscribed) = said.get("subscribed") {
            let mut asked = if self.is_streamed { self.take_wish(subscribed) } else { None };
            if let Some(promised) = self.promised.pop_front() {
                let told = (text(subscribed, "channel").to_owned(), position(subscribed));
                assert_eq!(told, promised, "the 101 says something else");
                asked = Some(self.wished.remove(&told.0).unwrap_or_default());
            }
            self.subscribed(subscribed, asked);
        } else if let Some(unsubscribed) = said.get("unsubscribed") {
            assert!(unsubscribed["reason"].is_string(), "{said}");
            self.unsubscribed(text(unsubscribed, "channel"));
        } else if let Some(missed) = said.get("missed") {
            self.gap(missed, was_full);
        } else if let Some((change, is_there)) = change(&said) {
            let channel = text(change, "channel");
            if !self.is_received(channel, &said) {
                return None;
            }
            self.counts.notices += 1;
            self.views.changed(channel, text(change, "user"), is_there);
        } else if let Some(presence) = said.get("presence") {
            let channel = text(presence, "channel");
            if !self.is_received(channel, &said) {
                return None;
            }
            self.counts.anew += 1;
            self.views.shown(channel, presence);
        } else if let Some(message) = said.get("message") {
            return Some(payload(message));
        } else {
            self.publication(&said, was_full);
        }
        None
    }

    /// Whether it receives a channel, as it must to be told of it; a stream may not know yet.
    fn is_received(&self, channel: &str, said: &Value) -> bool {
        let is_received = self.stays.contains_key(channel);
        assert!(is_received || self.is_streamed, "{channel} is not received: {said}");
        is_received
    }

    fn answer(&mut self, said: &Value) {
        let (id, asked) = self.asked.pop_front().unwrap_or_else(|| panic!("nobody has asked: {said}"));
        assert_eq!(said["id"], id, "an answer is missing: {said}");
        if let Some(error) = said.get("error") {
            return self.refused(text(error, "code"), &asked);
        }
        match asked {
            Asked::Subscribe(channel, since) => {
                assert_eq!(said["subscribed"]["channel"], channel, "{said}");
                self.subscribed(&said["subscribed"], Some(since));
            }
            Asked::Unsubscribe(channel) => {
                assert_eq!(said["unsubscribed"], json!({ "channel": channel }), "{said}");
                self.unsubscribed(&channel);
            }
            Asked::Publish(channel, name) => {
                let Position { epoch, offset } = position(&said["published"]);
                let stay = self.stays.get(&channel).map(|stay| stay.number);
                let before = self.own.insert((channel, epoch, offset), Own { name, stay });
                assert!(before.is_none(), "an offset is given twice: {said}");
            }
            Asked::History(channel, limit) => self.page(&said["history"], &channel, limit),
            Asked::Presence(channel) => {
                assert_eq!(said["presence"]["channel"], channel, "{said}");
                // Of one that it doesn't receive it will hear no more.
                if self.stays.contains_key(&channel) {
                    self.views.shown(&channel, &said["presence"]);
                }
            }
            Asked::Ping => assert!(said["pong"].is_object(), "{said}"),
            Asked::Nonsense => panic!("it is understood: {said}"),
        }
    }

    fn refused(&self, code: &str, asked: &Asked) {
        let receives = |channel| self.stays.contains_key(channel);
        let expected = match (code, asked) {
            // Of commands or channels; or the inbox is full.
            ("limit" | "try_again", _) => true,
            ("already_subscribed", Asked::Subscribe(channel, _)) => receives(channel),
            ("not_subscribed", Asked::Unsubscribe(channel)) => !receives(channel),
            ("unknown_method", Asked::Nonsense) => true,
            ("forbidden", Asked::Presence(channel)) => {
                !self.views.has(channel) || !self.has_token && !receives(channel)
            }
            ("forbidden", Asked::Publish(..)) => !self.has_token,
            ("forbidden", Asked::Subscribe(channel, _) | Asked::History(channel, _)) => {
                !self.has_token && !receives(channel)
            }
            _ => false,
        };
        assert!(expected, "{code} as the answer to {asked:?}: {:?}", self.stays);
    }

    /// A subscription begins; `asked`: what the client has asked for, if it has.
    fn subscribed(&mut self, said: &Value, asked: Option<Since>) {
        let (channel, at) = (text(said, "channel").to_owned(), position(said));
        self.subscriptions += 1;
        let stay = Stay { number: self.subscriptions, epoch: at.epoch, next: at.offset + 1 };
        assert!(self.stays.insert(channel.clone(), stay).is_none(), "subscribed twice: {said}");
        if let Some(presence) = said.get("presence") {
            self.views.shown(&channel, presence);
        }
        let recovered = said.get("recovered").map(|recovered| recovered.as_bool().unwrap());
        let wanted = match asked {
            Some(Since::Position(wanted)) => Some(wanted),
            Some(_) => {
                assert_eq!(recovered, None, "{said}");
                return;
            }
            None => None,
        };
        assert!(wanted.is_none() || recovered.is_some(), "{said}, and {asked:?} was asked for");
        if recovered == Some(true) {
            assert!(wanted.is_none_or(|wanted| wanted == at), "{said}, and {wanted:?} was asked for");
            self.counts.recovered += 1;
        } else if recovered == Some(false) {
            self.counts.missed += 1;
            let is_ours = |wanted: Position| wanted.epoch == at.epoch && wanted.offset <= at.offset;
            let from = wanted.map(|wanted| if is_ours(wanted) { wanted.offset + 1 } else { 1 });
            if from.is_none_or(|from| from <= at.offset) && at.offset > 0 {
                self.owed = Some((channel, from, at.offset));
            }
        }
    }

    fn unsubscribed(&mut self, channel: &str) {
        assert!(self.stays.remove(channel).is_some(), "{channel} was not received");
        self.views.leave(channel);
    }

    fn gap_at_beginning(&self, said: &Value, channel: &str, (from, to): (Option<u64>, u64)) {
        let missed = &said["missed"];
        let (first, last) = (number(missed, "from"), number(missed, "to"));
        assert_eq!((text(missed, "channel"), last), (channel, to), "{said}");
        assert!(from.is_none_or(|from| from == first) && first <= last, "{said}, not from {from:?}");
        assert_eq!(text(missed, "epoch"), self.stays[channel].epoch.to_string(), "{said}");
    }

    fn stay(&self, said: &Value) -> (String, Stay) {
        let channel = text(said, "channel");
        let stay = *self.stays.get(channel).unwrap_or_else(|| panic!("{channel} is not received: {said}"));
        assert_eq!(text(said, "epoch"), stay.epoch.to_string(), "{said}");
        (channel.to_owned(), stay)
    }

    /// The next offset behind its own publications that it has passed over; not beyond `until`.
    fn past_own(&self, channel: &str, stay: &Stay, until: u64) -> u64 {
        let is_own = |offset| self.own.contains_key(&(channel.to_owned(), stay.epoch, offset));
        (stay.next..until).find(|&offset| !is_own(offset)).unwrap_or(until)
    }

    /// Comes to an offset: everything before it has come, but its own publications.
    fn reach(&mut self, said: &Value, (channel, stay): (&str, Stay), offset: u64, was_full: bool) {
        assert!(offset >= stay.next, "{} comes next, and this came: {said}", stay.next);
        let reached = self.past_own(channel, &stay, offset);
        self.counts.own += reached - stay.next;
        if reached < offset {
            let may_jump = was_full && self.conflated.contains(channel);
            assert!(may_jump, "{reached} is missing, and this came: {said}");
            self.counts.conflated += offset - reached;
        }
    }

    /// Something is gone on the way.
    fn gap(&mut self, said: &Value, was_full: bool) {
        let (channel, stay) = self.stay(said);
        let (from, to) = (number(said, "from"), number(said, "to"));
        assert!(from <= to, "{said}");
        self.reach(said, (&channel, stay), from, was_full);
        assert!(from == to || was_full, "it has not lagged: {said}");
        // Where the newest is kept for laggards it has gone for want of room.
        self.counts.gaps += u64::from(from < to && !self.conflated.contains(&channel));
        self.stays.insert(channel, Stay { next: to + 1, ..stay });
    }

    fn publication(&mut self, said: &Value, was_full: bool) {
        let (channel, stay) = self.stay(said);
        let offset = number(said, "offset");
        self.reach(said, (&channel, stay), offset, was_full);
        let place = (channel.clone(), stay.epoch, offset);
        let own_stay = self.own.get(&place).and_then(|own| own.stay);
        assert!(own_stay != Some(stay.number), "its own publication: {said}");
        self.hear_at(place, payload(said), 1);
        self.stays.insert(channel, Stay { next: offset + 1, ..stay });
    }

    fn hear_at(&mut self, place: Place, name: String, times: u32) {
        let (known, count) = self.heard.entry(place.clone()).or_insert_with(|| (name.clone(), 0));
        assert_eq!(*known, name, "{place:?} was something else before");
        *count += times;
    }

    fn page(&mut self, said: &Value, channel: &str, limit: usize) {
        let (top, epoch) = (number(said, "offset"), text(said, "epoch").parse().unwrap());
        assert_eq!(text(said, "channel"), channel);
        let publications = said["publications"].as_array().expect("a page");
        assert!(publications.len() <= limit, "{said}");
        let mut last = None;
        for publication in publications {
            let offset = number(publication, "offset");
            assert!(offset <= top && last.is_none_or(|last| last + 1 == offset), "{said}");
            self.hear_at((channel.to_owned(), epoch, offset), payload(publication), 0);
            last = Some(offset);
        }
        self.counts.read += publications.len() as u64;
    }
}

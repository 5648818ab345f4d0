//! Clients of streams and polls in the simulated world: they come, come back where another one has stopped, ask again,
//! and are given other channels.

use std::collections::BTreeMap;

use wspush::config::Keep;
use wspush::push::Since;
use wspush::reactor::Command;
use wspush::{CloseCode, ConnId};

use super::client::{Client, Stage};
use super::presence::Views;
use super::streams::{Kind, Streamed};
use super::v1::V1;
use super::world::{CHANNELS, World};

impl World {
    /// Makes a newcomer one that is pushed to over plain HTTP, and lets it ask.
    pub fn begin_streamed(&mut self, n: usize) {
        let mut kind =
            self.dice.pick(&[Kind::Events, Kind::Events, Kind::Raw, Kind::Lines, Kind::Poll, Kind::Poll]);
        let mut channels: Vec<&'static str> =
            CHANNELS[..3].iter().copied().filter(|_| !self.dice.one_in(3)).collect();
        if kind == Kind::Raw {
            channels = vec![self.dice.pick(&CHANNELS[..3])];
        }
        let mut last = String::new();
        if let Some((of, its, id)) = self.former_streamed(kind) {
            (kind, channels, last) = (of, its, id);
        }
        let conflates = |channel: &&&str| self.rule(channel).keep == Some(Keep::Latest);
        let conflated = CHANNELS.iter().filter(conflates).map(|channel| (*channel).to_owned());
        let mut v1 = V1::streamed(conflated.collect());
        let has_presence = |channel: &&&str| self.rule(channel).presence == Some(true);
        let with_presence = CHANNELS.iter().filter(has_presence).map(|channel| (*channel).to_owned());
        v1.views = Views::new(with_presence.collect());
        let streamed = Streamed::new(kind, channels, last);
        let client = &mut self.clients[n];
        (client.streamed, client.v1) = (Some(Box::new(streamed)), Some(Box::new(v1)));
        self.ask_for_stream(n);
    }

    /// The last id or tag of some client of this kind that has gone: where it was, or now and then any garbage.
    fn former_streamed(&mut self, kind: Kind) -> Option<(Kind, Vec<&'static str>, String)> {
        let gone = |client: &&Client| client.gone || client.stage == Stage::Over;
        let gone = self.clients.iter().filter(gone).filter_map(|client| client.streamed.as_deref());
        let gone: Vec<&Streamed> = gone.filter(|own| own.kind == kind && !own.last.is_empty()).collect();
        if gone.is_empty() || self.dice.one_in(4) {
            return None;
        }
        let former = gone[self.dice.below(gone.len())];
        Some((kind, former.channels.clone(), former.last.clone()))
    }

    fn ask_for_stream(&mut self, n: usize) {
        let Some(streamed) = &self.clients[n].streamed else { return };
        let (kind, channels, last) = (streamed.kind, streamed.channels.clone(), streamed.last.clone());
        let positions = streamed.positions(&last);
        let mut target = format!("{}?n={n}", kind.path());
        let mut wished = BTreeMap::new();
        if !channels.contains(&"broadcast") {
            target += "&quiet=1";
        }
        for channel in &channels {
            // A position in all of them comes before what is said of one.
            let mut since = match positions.get(*channel) {
                Some(at) => Since::Position(*at),
                None if last.is_empty() && kind != Kind::Poll => self.since(channel).unwrap_or_default(),
                None => Since::Head,
            };
            if *channel != "broadcast" {
                target += &format!("&channel={channel}");
            }
            if last.is_empty() && since != Since::Head {
                let at = format!("&since={since}");
                // In front of all channels it is the default one's.
                match *channel {
                    "broadcast" => target = target.replacen(&format!("?n={n}"), &format!("?n={n}{at}"), 1),
                    _ => target += &at,
                }
            } else if last.is_empty() {
                since = Since::Head;
            }
            wished.insert((*channel).to_owned(), since);
        }
        let mut field = String::new();
        let by_header = self.dice.one_in(2);
        match kind {
            _ if last.is_empty() => {}
            Kind::Events | Kind::Raw if by_header => field = format!("Last-Event-ID: {last}\r\n"),
            Kind::Events | Kind::Raw => target += &format!("&last_event_id={last}"),
            Kind::Poll if by_header => field = format!("If-None-Match: \"{last}\"\r\n"),
            Kind::Poll | Kind::Lines => target += &format!("&since={last}"),
        }
        if kind == Kind::Events {
            target += "&format=json";
        }
        if kind == Kind::Poll {
            target += &format!("&timeout={}", self.dice.below(4));
        }
        if self.dice.one_in(3) {
            field += "Accept: text/event-stream\r\n";
        }
        let request = format!("GET {target} HTTP/1.1\r\nHost: sim\r\n{field}\r\n");
        let client = &mut self.clients[n];
        client.outgoing.extend(request.as_bytes());
        let (Some(streamed), Some(v1)) = (&mut client.streamed, &mut client.v1) else { return };
        if kind != Kind::Poll {
            v1.wished = wished;
            return;
        }
        streamed.waits = true;
        for (channel, at) in positions {
            v1.stand(&channel, at);
        }
    }

    /// It polls again, behind the answer that it has got.
    pub fn streamed_speaks(&mut self, n: usize) {
        if self.clients[n].is_between_polls() {
            self.ask_for_stream(n);
        }
    }

    /// The host gives it another channel, or ends it.
    pub fn command_streamed(&mut self, n: usize, conn: ConnId, channel: String) {
        let since = self.since(&channel).unwrap_or_default();
        let Some(kind) = self.clients[n].streamed.as_ref().map(|streamed| streamed.kind) else { return };
        let command = match (kind, self.dice.below(20)) {
            (Kind::Lines, 0..=8) | (Kind::Events, 0..=18) => Command::Subscribe { conn, channel, since },
            (Kind::Lines, 9..=18) => Command::Unsubscribe { conn, channel },
            (_, 19) => Command::Close { conn, code: CloseCode(4002), reason: "enough".to_owned() },
            _ => return,
        };
        let _ = self.shared.command(command);
    }
}

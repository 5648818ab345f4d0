//! The expected outcome of a run of several reactors: each subscriber has each offset once and in order, all logs hold
//! the same, everybody is known everywhere, and receipts add up.

use std::collections::{BTreeMap, BTreeSet};

use wspush::config::ChannelRule;
use wspush::endpoint::Control;

use super::check::check_order;
use super::client::{Client, Reader, Stage};
use super::dice::Dice;
use super::several::{CHANNELS, Seat, Several};

/// Counts of what a run has met.
#[derive(Clone, Copy, Debug, Default)]
pub struct Met {
    pub published: u64,
    pub heard: u64,
    /// Publications that were refused while one inbox was full and others had room.
    pub refused_by_one: u64,
    /// Turns that a reactor was woken for while it slept.
    pub woken: u64,
    pub moved_members: u64,
    pub closed_slow: u64,
    pub directs: u64,
    /// Times that somebody asked about a publication which not all reactors had taken in.
    pub partly: u64,
}

impl std::ops::AddAssign for Met {
    fn add_assign(&mut self, other: Met) {
        self.published += other.published;
        self.heard += other.heard;
        self.refused_by_one += other.refused_by_one;
        self.woken += other.woken;
        self.moved_members += other.moved_members;
        self.closed_slow += other.closed_slow;
        self.directs += other.directs;
        self.partly += other.partly;
    }
}

/// A whole run: chaos, rest, and the end. Panics where an invariant is broken.
pub fn run(dice: Dice, steps: usize) -> Met {
    let mut server = Several::new(dice);
    for _ in 0..steps {
        server.happen();
    }
    if server.dice.one_in(3) {
        server.drain();
        return server.met;
    }
    server.settle();
    server.check_at_rest();
    server.drain();
    server.met
}

impl Several {
    /// Whether a client is there, reads what comes and hasn't said goodbye.
    fn listens(&self, n: usize) -> bool {
        let client = &self.clients[n];
        let is_known = client.conn.is_some_and(|conn| self.alive.contains_key(&conn));
        let is_well = !client.gone && !client.close_sent && client.reader != Reader::Never;
        is_known && is_well && client.stage == Stage::Open
    }

    fn check_client(&self, n: usize) {
        let client = &self.clients[n];
        let who = format!("client {n} at {} ({:?} {:?})", self.home[n], client.stage, client.reader);
        for (channel, heard) in &client.heard {
            let gaps = check_order(&who, channel, heard, &client.spans[channel]);
            assert_eq!(gaps, 0, "{who}: {channel} {heard:?} in {:?}", client.spans[channel]);
        }
    }

    /// One that listens has everything.
    fn check_complete(&self, n: usize) {
        let client = &self.clients[n];
        let who = format!("client {n} at {}", self.home[n]);
        assert_eq!(client.directs_heard, client.directs_sent, "{who}");
        for (channel, spans) in &client.spans {
            let Some(span) = spans.last().filter(|span| span.left.is_none()) else { continue };
            let (count, last) =
                (self.published[channel].len(), client.heard.get(channel).and_then(|h| h.last()));
            assert!(
                count == span.high || last == Some(&count),
                "{who}: {channel} {last:?} of {count}, {spans:?}"
            );
        }
    }

    pub fn check_at_rest(&mut self) {
        for n in 0..self.clients.len() {
            self.check_client(n);
            if self.listens(n) {
                self.check_complete(n);
                assert_eq!(
                    self.clients[n].answered, self.clients[n].asked,
                    "client {n}: answers are missing"
                );
            }
        }
        self.check_logs();
        self.check_presence();
        self.check_receipts();
        let open: usize = self.seats.iter().map(|seat| seat.audit.open).sum();
        let stats = self.shared.stats();
        assert_eq!(usize::try_from(stats.connections).unwrap(), open, "of all together");
        assert_eq!(self.shared.totals.open.taken(), open, "places that nobody has");
        let public: usize = self.seats.iter().map(|seat| seat.audit.connections).sum();
        assert_eq!(self.shared.totals.public.taken(), public, "places of newcomers that nobody has");
        let heard = self.clients.iter().flat_map(|client| client.heard.values()).map(Vec::len).sum::<usize>();
        self.met.heard += heard as u64;
        self.met.directs += self.clients.iter().map(|client| client.directs_heard as u64).sum::<u64>();
    }

    /// All reactors have appended the same.
    fn check_logs(&self) {
        for (channel, receipts) in &self.published {
            let Some(last) = receipts.last() else { continue };
            for (at, seat) in self.seats.iter().enumerate().filter(|(_, seat)| !seat.ended) {
                let found = seat.audit.channels.iter().find(|(name, ..)| name == channel);
                let next = found.map(|(_, epoch, next)| (*epoch, *next));
                assert_eq!(next, Some((last.epoch, last.offset + 1)), "reactor {at}: {channel}");
            }
        }
    }

    /// Every reactor knows who is in a channel, wherever they are.
    fn check_presence(&mut self) {
        // Those who were lost have been given up.
        self.rest_for(10_000_000);
        let has_presence = |channel| {
            ChannelRule::first(&self.config.channel_rule, channel).and_then(|rule| rule.presence)
                == Some(true)
        };
        for channel in CHANNELS {
            let is_in = |n: &usize| {
                let spans = self.clients[*n].spans.get(channel);
                spans.and_then(|spans| spans.last()).is_some_and(|span| span.left.is_none())
            };
            let there: BTreeSet<usize> = self.alive.values().copied().filter(is_in).collect();
            // One that was closed for its slowness is out of everything, though it is not told yet.
            let sure: BTreeSet<usize> =
                there.iter().copied().filter(|&n| !self.clients[n].wire.borrow().was_full).collect();
            let mut first = None;
            for (at, seat) in self.seats.iter().enumerate().filter(|(_, seat)| !seat.ended) {
                let members = seat.reactor.presence(channel).flatten().and_then(|found| found.members);
                let members = members.unwrap_or_default().into_iter();
                let found: BTreeMap<String, u32> = members.map(|one| (one.user, one.connections)).collect();
                if !has_presence(channel) {
                    assert!(found.is_empty(), "reactor {at}: {channel} has no presence: {found:?}");
                    continue;
                }
                let numbers: BTreeSet<usize> = found.keys().map(|user| user.parse().unwrap()).collect();
                let is_right = numbers.is_superset(&sure) && numbers.is_subset(&there);
                assert!(is_right, "reactor {at}: who is in {channel}: {found:?} of {there:?}, {sure:?}");
                assert!(found.values().all(|&connections| connections == 1), "{found:?}");
                assert_eq!(*first.get_or_insert_with(|| found.clone()), found, "reactor {at}: {channel}");
            }
        }
    }

    /// A publication that looks as if it were done is in the logs of all reactors.
    pub fn check_done(&mut self) {
        for (channel, receipts) in &self.published {
            for receipt in receipts.iter().rev().take(4) {
                let Some(told) = self.shared.delivery(receipt.id) else { continue };
                let lacks = |seat: &&Seat| {
                    let mut channels = seat.audit.channels.iter();
                    let logs = |(name, epoch, next): &(String, u64, u64)| {
                        name == channel && *epoch == receipt.epoch && *next > receipt.offset
                    };
                    !seat.ended && !channels.any(logs)
                };
                let lacking = self.seats.iter().filter(lacks).count();
                let is_open = told.lagging > 0 && told.last_us.is_none();
                assert!(is_open || lacking == 0, "{channel} {}: {told:?}, {lacking}", receipt.offset);
                self.met.partly += u64::from(lacking > 0);
            }
        }
    }

    fn check_receipts(&self) {
        let unsure = (0..self.clients.len()).filter(|&n| !self.listens(n)).count() as u32;
        for (channel, receipts) in &self.published {
            for (at, receipt) in receipts.iter().enumerate() {
                let Some(told) = self.shared.delivery(receipt.id) else { continue };
                let sum = told.written + told.lagging + told.skipped + told.gone;
                assert_eq!(told.recipients, sum, "{channel} {}: {told:?}", at + 1);
                let has =
                    |c: &&Client| c.heard.get(channel).is_some_and(|h| h.binary_search(&(at + 1)).is_ok());
                let heard = self.clients.iter().filter(has).count() as u32;
                let is_so = (heard..=heard + unsure).contains(&told.written);
                assert!(is_so, "{channel} {}: {heard} have heard it: {told:?}, {unsure}", at + 1);
            }
        }
    }

    /// The end: all reactors come to it, the first one last, and who listens is told behind everything.
    pub fn drain(&mut self) {
        let listeners: Vec<usize> = (0..self.clients.len()).filter(|&n| self.listens(n)).collect();
        self.publish();
        self.shared.drain(None);
        for _ in 0..20 {
            self.settle();
            assert!(
                !self.seats[0].ended || self.seats.iter().all(|seat| seat.ended),
                "the first one is the last"
            );
            if self.seats[0].ended {
                break;
            }
            self.rest_for(1_000_000);
        }
        assert!(self.seats.iter().all(|seat| seat.ended), "the server never ends");
        for n in 0..self.clients.len() {
            self.check_client(n);
        }
        for n in listeners {
            let client = &self.clients[n];
            // One that reads slowly may have been closed for that before, or cut off.
            let is_slow = client.wire.borrow().was_full;
            assert!(client.close_code.is_some() || is_slow, "client {n} was not told: {client:?}");
            if client.close_code == Some(1001) {
                self.check_complete(n);
            }
        }
        assert!(self.alive.is_empty(), "on_close was not called: {:?}", self.alive);
        for (at, seat) in self.seats.iter().enumerate() {
            assert_eq!((seat.audit.connections, seat.audit.extras), (0, 0), "reactor {at}: {:?}", seat.audit);
        }
        assert_eq!(self.shared.waiting(), 0, "something waits for nobody");
    }
}

//! A server whose publications an engine places: they go to it instead of the inbox, and come back with their places.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::directory::{Elsewhere, Step};
use super::super::engine::{Arriving, Asked, Asker, Engine, EngineNews, Placed, Wanted};
use super::super::peers::PeerNews;
use super::super::user_commands::UserCommand;
use super::group::{Addressee, Seats};
use super::inbox::{Door, Inbox};
use super::publishing::{Batch, Item};
use super::{Command, Shared, Wake, lock, place_of};
use crate::config::channel_name_ok;
use crate::endpoint::{ConnId, Published, Receipt};
use crate::push::{DEFAULT_NAME, FIRST_OFFSET, Publication, PushError, RECEIPTS_KEPT};

/// The numbers that publishers of this node have got before the places, and the receipts under which they have come.
#[derive(Debug, Default)]
pub(super) struct Tickets(Vec<(u64, u64)>);

impl Tickets {
    fn note(&mut self, ticket: u64, receipt: u64) {
        if self.0.is_empty() {
            self.0.resize(RECEIPTS_KEPT, (0, 0));
        }
        self.0[place_of(ticket)] = (ticket, receipt);
    }

    pub fn receipt(&self, ticket: u64) -> Option<u64> {
        self.0.get(place_of(ticket)).filter(|(kept, _)| *kept == ticket).map(|&(_, receipt)| receipt)
    }
}

impl Shared {
    /// From here on an engine places all publications. Before anything is published.
    pub fn follow(&self, engine: Box<dyn Engine>, elsewhere: Elsewhere) {
        let mut inbox = lock(&self.inbox);
        inbox.directory.follow(elsewhere);
        inbox.door = Door::Engine;
        drop(inbox);
        // There is one in the life of a server.
        let _ = self.engine.set(engine);
    }

    /// The engine that places the publications.
    pub fn engine(&self) -> Option<&dyn Engine> {
        self.engine.get().map(Box::as_ref)
    }

    /// Takes a publication for the engine: its receipt has a number, and no place yet.
    #[cold]
    pub(super) fn publish_elsewhere(
        &self,
        channel: Option<&str>,
        publication: Publication,
    ) -> Result<Receipt, PushError> {
        let name = channel.unwrap_or(DEFAULT_NAME);
        let names = [name];
        let items = vec![Item::Publish(&names, publication)];
        let batch = Batch { items, key: None, if_offset: None, except: Vec::new() };
        self.ask_engine(batch, Asker::Nobody, None).map(|mut receipts| receipts.swap_remove(0))
    }

    /// The same for a batch.
    #[cold]
    pub(super) fn publish_all_elsewhere(&self, batch: Batch<'_>) -> Result<Published, PushError> {
        let receipts = self.ask_engine(batch, Asker::Nobody, None)?;
        Ok(Published { receipts, duplicate: false })
    }

    /// Hands a batch over to the engine. The receipts have their numbers, which follow each other, and no places yet.
    pub(in super::super) fn ask_engine(
        &self,
        batch: Batch<'_>,
        asker: Asker,
        sender: Option<ConnId>,
    ) -> Result<Vec<Receipt>, PushError> {
        let Batch { items, key, if_offset, .. } = batch;
        let Some(engine) = self.engine() else { return Err(PushError::Stopped) };
        let (mut publications, mut with) = (Vec::new(), Vec::new());
        for item in items {
            match item {
                Item::Publish(channels, publication) => {
                    self.check_size(publication.plain_frame().len())?;
                    if channels.iter().any(|name| !channel_name_ok(name)) {
                        return Err(PushError::BadChannel);
                    }
                    publications.extend(channels.iter().map(|&name| (Arc::from(name), publication.clone())));
                }
                Item::Send(conn, publication) => with.push(Command::Send { conn, publication }),
                Item::User(request) => with.push(Command::User(Box::new(UserCommand::new(request)))),
            }
        }
        let ticket = self.tickets(publications.len())?;
        let receipt = |(n, (name, _)): (u64, &(Arc<str>, Publication))| Receipt {
            channel: name.clone(),
            epoch: 0,
            offset: 0,
            id: ticket + n,
        };
        let receipts = (0..).zip(&publications).map(receipt).collect();
        let key = key.map(|(key, fingerprint)| (key.into(), fingerprint));
        let what = Wanted::Publish { publications, key, if_offset, sender };
        engine.ask(Asked { what, ticket, asker, with })?;
        Ok(receipts)
    }

    /// Asks the engine for another life of a channel; the number that it answers.
    pub(in super::super) fn ask_to_forget(&self, channel: &str, asker: Asker) -> Result<u64, PushError> {
        let Some(engine) = self.engine() else { return Err(PushError::Stopped) };
        let ticket = self.tickets(1)?;
        let what = Wanted::Forget(Arc::from(channel));
        engine.ask(Asked { what, ticket, asker, with: Vec::new() })?;
        Ok(ticket)
    }

    /// So many numbers that follow each other, and at least one; the first of them.
    fn tickets(&self, count: usize) -> Result<u64, PushError> {
        let mut inbox = lock(&self.inbox);
        if inbox.door == Door::Stopped {
            return Err(PushError::Stopped);
        }
        let ticket = inbox.next_receipt;
        inbox.next_receipt += count.max(1) as u64;
        Ok(ticket)
    }

    /// For the engine: this has come of what it was asked.
    pub fn placed(&self, asked: Asked, outcome: Result<Published, PushError>) {
        let Asked { ticket, asker, with, .. } = asked;
        if outcome.as_ref().is_ok_and(|published| !published.duplicate) && !with.is_empty() {
            let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
            if inbox.door != Door::Stopped {
                with.into_iter().for_each(|command| self.add(&mut inbox, command, &mut woken));
            }
            drop(inbox);
            self.wake(woken, Wake::Yes);
        }
        if let Asker::Reactor(seat) = asker {
            self.tell_one(seat, PeerNews::Placed(Box::new(Placed { ticket, outcome })));
        }
    }

    /// For the engine: a publication, in its order among those of its channel.
    ///
    /// # Errors
    /// [`PushError::InboxFull`]: it is to come again; [`PushError::Stopped`].
    pub fn deliver(&self, arriving: Arriving<'_>, unix_us: u64) -> Result<(), PushError> {
        let Arriving { channel, epoch, offset, publication, own } = arriving;
        let bytes = publication.plain_frame().len();
        if self.check_size(bytes).is_err() || !channel_name_ok(channel) {
            // Another node may have larger logs than this one.
            return self.stand([(channel, epoch, offset + 1)]);
        }
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.admit_following(&inbox, bytes)?;
        let arrived = inbox.directory.arrive(channel, epoch, offset, unix_us);
        self.seats[0].has_news.store(true, Ordering::Release);
        let arrived = arrived?;
        if let Some(forgotten) = arrived.forgotten {
            self.add_to_all(&mut inbox, || Command::Forget(forgotten.clone()), &mut woken);
        }
        let name = &arrived.place.name;
        let news = match arrived.step {
            Step::Follows => None,
            Step::Opens => Some(PeerNews::Opened { channel: name.clone(), epoch, first: offset }),
            Step::Breaks => Some(PeerNews::Broken { channel: name.clone(), epoch, next: offset }),
            Step::Known | Step::Unplaced => {
                drop(inbox);
                self.wake(woken, Wake::Yes);
                return Ok(());
            }
        };
        if let Some(news) = news {
            self.add_news_to_all(&mut inbox, &news, &mut woken);
        }
        let receipt = inbox.receipt(arrived.place);
        if let Some((ticket, sender)) = own {
            inbox.tickets.note(ticket, receipt.id);
            if let Some(conn) = sender.filter(|conn| conn.reactor() < self.seats.len()) {
                let news = PeerNews::Sender { receipt: receipt.id, conn };
                self.add_to(&mut inbox, conn.reactor(), Command::Peer(Box::new(news)), &mut woken);
            }
        }
        self.add_publication(&mut inbox, &receipt, publication, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }

    /// For the engine: channels that have their next publications there, whatever has come of them.
    pub fn stand<'a>(&self, heads: impl IntoIterator<Item = (&'a str, u64, u64)>) -> Result<(), PushError> {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        if inbox.door == Door::Stopped {
            return Err(PushError::Stopped);
        }
        for (name, epoch, next) in heads {
            if let Some(channel) = inbox.directory.stand(name, epoch, next) {
                let news = PeerNews::Broken { channel, epoch, next };
                self.add_news_to_all(&mut inbox, &news, &mut woken);
            }
        }
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }

    /// For the engine: another life of all channels of a part begins.
    pub fn begin_epoch(&self, partition: usize, epoch: u64) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        for channel in inbox.directory.begin_epoch(partition, epoch) {
            let news = PeerNews::Broken { channel, epoch, next: FIRST_OFFSET };
            self.add_news_to_all(&mut inbox, &news, &mut woken);
        }
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// For the engine: somebody has let a channel forget what it has had.
    pub fn forgotten(&self, channel: &str, epoch: u64) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        if let Some(channel) = inbox.directory.stand(channel, epoch, FIRST_OFFSET) {
            let news = PeerNews::Anew { channel, epoch };
            self.add_news_to_all(&mut inbox, &news, &mut woken);
        }
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// For the engine: tells the operator something.
    pub fn note(&self, news: EngineNews) {
        self.tell_one(0, PeerNews::Engine(Box::new(news)));
    }

    /// The first offset that a channel which is opened has here.
    pub(in super::super) fn first_offset(&self, channel: &str) -> u64 {
        match self.engine() {
            None => FIRST_OFFSET,
            Some(_) => lock(&self.inbox).directory.first_offset(channel),
        }
    }

    /// Whether nothing more is taken.
    pub fn is_stopped(&self) -> bool {
        lock(&self.inbox).door == Door::Stopped
    }

    fn add_news_to_all(&self, inbox: &mut Inbox, news: &PeerNews, woken: &mut Seats) {
        let mut all = self.others(0);
        all.add(0);
        self.add_news(inbox, all, news, woken);
    }

    fn admit_following(&self, inbox: &Inbox, bytes: usize) -> Result<(), PushError> {
        if inbox.door == Door::Stopped {
            return Err(PushError::Stopped);
        }
        self.check_room(inbox, Addressee::All, 1, bytes)
    }
}

//! A server whose publications an engine places: they go to it instead of the inbox, and come back with their places.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::directory::{Elsewhere, Step};
use super::super::engine::{
    Answered, Arriving, Asked, Asker, Attended, CAN_CLUSTER, Call, Engine, EngineNews, HappenedAfar, Placed,
    ReturnTo, Said, Wanted, With,
};
use super::super::peers::PeerNews;
use super::super::user_commands::UserCommand;
use super::deliveries::place_of;
use super::group::{Addressee, Seats};
use super::inbox::{Door, Inbox};
use super::publishing::{Batch, Item};
use super::{Command, Shared, Wake, lock};
use crate::config::channel_name_ok;
use crate::endpoint::users::UserRequest;
use crate::endpoint::{Published, Receipt};
use crate::push::{DEFAULT_NAME, Delivery, FIRST_OFFSET, Publication, PushError, RECEIPTS_KEPT};

/// The numbers that publishers of this node have got before the places, and the receipts under which they have come.
#[derive(Debug, Default)]
pub(super) struct Tickets {
    own: Vec<(u64, u64)>,
    /// Where the newest publications of all nodes stand, by their receipts here.
    places: Vec<Option<Receipt>>,
}

impl Tickets {
    fn note(&mut self, ticket: u64, receipt: u64) {
        if self.own.is_empty() {
            self.own.resize(RECEIPTS_KEPT, (0, 0));
        }
        self.own[place_of(ticket)] = (ticket, receipt);
    }

    fn note_place(&mut self, receipt: &Receipt) {
        if self.places.is_empty() {
            self.places.resize(RECEIPTS_KEPT, None);
        }
        self.places[place_of(receipt.id)] = Some(receipt.clone());
    }

    pub fn receipt(&self, ticket: u64) -> Option<u64> {
        self.own.get(place_of(ticket)).filter(|(kept, _)| *kept == ticket).map(|&(_, receipt)| receipt)
    }

    fn place(&self, receipt: u64) -> Option<Receipt> {
        self.places.get(place_of(receipt))?.clone().filter(|kept| kept.id == receipt)
    }

    fn find(&self, channel: &str, epoch: u64, offset: u64) -> Option<u64> {
        let is_there =
            |kept: &&Receipt| kept.offset == offset && kept.epoch == epoch && *kept.channel == *channel;
        self.places.iter().flatten().find(is_there).map(|kept| kept.id)
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
        self.engine.get().filter(|_| CAN_CLUSTER).map(Box::as_ref)
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
        self.ask_engine(batch, Asker::Nobody).map(|mut receipts| receipts.swap_remove(0))
    }

    /// The same for a batch.
    #[cold]
    pub(super) fn publish_all_elsewhere(&self, batch: Batch<'_>) -> Result<Published, PushError> {
        // A callback waits for nothing: it would be the reactor that does.
        let waits = (batch.key.is_some() || batch.if_offset.is_some()) && !self.is_callback();
        let asker = if waits { Asker::Caller } else { Asker::Nobody };
        let receipts = self.ask_engine(batch, asker)?;
        match receipts.first() {
            Some(first) if waits => self.outcomes.wait(first.id),
            _ => Ok(Published::new(receipts, false)),
        }
    }

    /// Hands a batch over to the engine. The receipts have their numbers, which follow each other, and no places yet.
    pub(in super::super) fn ask_engine(
        &self,
        batch: Batch<'_>,
        asker: Asker,
    ) -> Result<Vec<Receipt>, PushError> {
        let Batch { items, key, if_offset, except } = batch;
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
                Item::Send(conn, publication) => with.push(With::Send(conn, publication)),
                Item::User(request) => with.push(With::User(request)),
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
        let what = Wanted::Publish { publications, key, if_offset, except };
        if asker == Asker::Caller {
            self.outcomes.begin(ticket);
        }
        if let Err(problem) = engine.ask(Asked { what, ticket, asker, with }) {
            self.outcomes.end(ticket);
            return Err(problem);
        }
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

    /// Asks other nodes for something, and this one with them; the number under which the answer comes.
    pub(in super::super) fn call(
        &self,
        call: Call,
        node: Option<&str>,
        asker: Asker,
    ) -> Result<u64, PushError> {
        let what = Wanted::Call { call: Box::new(call), node: node.map(Into::into) };
        self.ask_for_answer(what, asker)
    }

    /// Asks which nodes there are.
    pub(in super::super) fn ask_for_nodes(&self, asker: Asker) -> Result<u64, PushError> {
        self.ask_for_answer(Wanted::Nodes, asker)
    }

    fn ask_for_answer(&self, what: Wanted, asker: Asker) -> Result<u64, PushError> {
        let Some(engine) = self.engine() else { return Err(PushError::Stopped) };
        let ticket = self.tickets(1)?;
        engine.ask(Asked { what, ticket, asker, with: Vec::new() })?;
        Ok(ticket)
    }

    /// Something for all connections of a user, wherever they are. Nobody waits for it.
    pub fn for_user(&self, request: UserRequest) -> Result<(), PushError> {
        if self.engine().is_some() && request.is_for_all_nodes() {
            self.check_size(request.bytes())?;
            return self.call(Call::User(request), None, Asker::Nobody).map(drop);
        }
        self.command(Command::User(Box::new(UserCommand::new(request))))
    }

    /// Says to a node what it has asked for. If that can't be said now, it does without.
    pub(in super::super) fn reply(&self, to: ReturnTo, said: Said) {
        if let Some(engine) = self.engine() {
            let what = Wanted::Reply { to, said: Box::new(said) };
            // That one waits for an answer no longer than for one from a node that has gone.
            let _ = engine.ask(Asked { what, ticket: 0, asker: Asker::Nobody, with: Vec::new() });
        }
    }

    /// For the engine: a node has called, and may wait for an answer.
    ///
    /// # Errors
    /// [`PushError::InboxFull`]: it is to come again; [`PushError::Stopped`].
    pub fn called(&self, call: &Call, to: Option<ReturnTo>) -> Result<(), PushError> {
        self.admit_following(&lock(&self.inbox), 1, call.bytes())?;
        match (call, to) {
            (Call::User(request), to) => {
                let command = match to {
                    Some(to) => UserCommand::asked_by_node(request.clone(), to),
                    None => UserCommand::new(request.clone()),
                };
                self.add_one(Command::User(Box::new(command)));
            }
            (Call::Admin(call), Some(to)) => self.tell_one(0, PeerNews::Admin(Box::new((call.clone(), to)))),
            (Call::Delivery { channel, epoch, offset }, Some(to)) => {
                self.reply(to, Said::Delivery(self.delivery_at(channel, *epoch, *offset)));
            }
            (_, None) => {}
        }
        Ok(())
    }

    fn add_one(&self, command: Command) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.add(&mut inbox, command, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// For the engine: a member of a channel at another node has come or gone.
    ///
    /// # Errors
    /// [`PushError::InboxFull`]: it is to come again; [`PushError::Stopped`].
    pub fn attend(&self, attended: &Attended) -> Result<(), PushError> {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.admit_following(&inbox, 1, size_of::<Attended>())?;
        self.add_news_to_all(&mut inbox, &PeerNews::Attended(Box::new(attended.clone())), &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
        Ok(())
    }

    /// For the engine: somebody is anywhere only now in a channel, or nowhere any more. Without a user: subscribers.
    pub fn happened(&self, happened: HappenedAfar) {
        self.tell_one(0, PeerNews::Happened(Box::new(happened)));
    }

    /// The epoch and the newest offset of a channel, whether there is a log of it here or not.
    pub fn position_of(&self, channel: &str) -> (u64, u64) {
        lock(&self.inbox).directory.position_of(channel)
    }

    /// For the engine: tokens of these users are refused that were issued until then, in seconds since 1970.
    pub fn revoked(&self, users: Arc<[(Box<str>, u64)]>) {
        if users.is_empty() {
            return;
        }
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.add_news_to_all(&mut inbox, &PeerNews::Revoked(users), &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// For the engine: what nodes have said to a call of this one.
    pub fn answered(&self, asker: Asker, answered: Answered) {
        if let Asker::Reactor(seat) = asker {
            self.tell_one(seat, PeerNews::Answered(Box::new(answered)));
        }
    }

    /// Where the publication stands that got this number here.
    pub(in super::super) fn place_of_ticket(&self, ticket: u64) -> Option<Receipt> {
        let inbox = lock(&self.inbox);
        let receipt = inbox.tickets.receipt(ticket).unwrap_or(ticket);
        inbox.tickets.place(receipt)
    }

    /// How far the publication in this place has come here, if it is among the newest.
    fn delivery_at(&self, channel: &str, epoch: u64, offset: u64) -> Option<Delivery> {
        let receipt = lock(&self.inbox).tickets.find(channel, epoch, offset)?;
        self.delivery_here(receipt)
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
        if outcome.as_ref().is_ok_and(|published| !published.duplicate) {
            for part in with {
                // Nobody has been told more than that it is on its way.
                let _ = match part {
                    With::Send(conn, publication) => self.command(Command::Send { conn, publication }),
                    With::User(request) => self.for_user(request),
                };
            }
        }
        match asker {
            Asker::Nobody => {}
            Asker::Caller => self.outcomes.put(ticket, outcome),
            Asker::Reactor(seat) => {
                self.tell_one(seat, PeerNews::Placed(Box::new(Placed { ticket, outcome })));
            }
        }
    }

    /// For the engine: a publication, in its order among those of its channel.
    ///
    /// # Errors
    /// [`PushError::InboxFull`]: it is to come again; [`PushError::Stopped`].
    pub fn deliver(&self, arriving: Arriving<'_>, unix_us: u64) -> Result<(), PushError> {
        let Arriving { channel, epoch, offset, ref publication, .. } = arriving;
        if self.check_size(publication.plain_frame().len()).is_err() || !channel_name_ok(channel) {
            // Another node may have larger logs than this one.
            return self.stand([(channel, epoch, offset + 1)]);
        }
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.admit_following(&inbox, 1, arriving.publication.plain_frame().len())?;
        let taken = self.take_in(&mut inbox, arriving, unix_us, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
        taken
    }

    /// For the engine: the same for several, of which all are taken or none.
    pub fn deliver_all(&self, arriving: Vec<Arriving<'_>>, unix_us: u64) -> Result<(), PushError> {
        let bytes = arriving.iter().map(|one| one.publication.plain_frame().len()).sum();
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.admit_following(&inbox, arriving.len(), bytes)?;
        let taken =
            arriving.into_iter().try_for_each(|one| self.take_in(&mut inbox, one, unix_us, &mut woken));
        drop(inbox);
        self.wake(woken, Wake::Yes);
        taken
    }

    fn take_in(
        &self,
        inbox: &mut Inbox,
        arriving: Arriving<'_>,
        unix_us: u64,
        woken: &mut Seats,
    ) -> Result<(), PushError> {
        let Arriving { channel, epoch, offset, publication, own, except } = arriving;
        let arrived = inbox.directory.arrive(channel, epoch, offset, unix_us);
        self.seats[0].has_news.store(true, Ordering::Release);
        let arrived = arrived?;
        if let Some(forgotten) = arrived.forgotten {
            self.add_to_all(inbox, || Command::Forget(forgotten.clone()), woken);
        }
        let name = &arrived.place.name;
        let news = match arrived.step {
            Step::Follows => None,
            Step::Opens => Some(PeerNews::Opened { channel: name.clone(), epoch, first: offset }),
            Step::Renews => Some(PeerNews::Anew { channel: name.clone(), epoch }),
            Step::Breaks => Some(PeerNews::Broken { channel: name.clone(), epoch, next: offset }),
            Step::Known | Step::Unplaced => return Ok(()),
        };
        if let Some(news) = news {
            self.add_news_to_all(inbox, &news, woken);
        }
        let receipt = inbox.receipt(arrived.place);
        inbox.tickets.note_place(&receipt);
        if let Some(ticket) = own {
            inbox.tickets.note(ticket, receipt.id);
        }
        self.add_except(inbox, receipt.id, except, woken);
        self.add_publication(inbox, &receipt, publication, woken);
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

    fn admit_following(&self, inbox: &Inbox, count: usize, bytes: usize) -> Result<(), PushError> {
        if inbox.door == Door::Stopped {
            return Err(PushError::Stopped);
        }
        self.check_room(inbox, Addressee::All, count, bytes)
    }
}

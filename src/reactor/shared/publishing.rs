//! Publishing, from any thread. The places in the logs are given out under the lock that orders the inbox, so the
//! order of the offsets is that of the receipts, whichever threads push.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::endpoint::users::UserRequest;
use crate::endpoint::{ConnId, Published, Receipt};
use crate::limits::PUBLISH_CHANNELS_MAX;
use crate::push::{Carried, Message, Prepared, Publication, PublishTerms, PushError, fingerprint};

use super::super::engine::Except;
use super::super::peers::PeerNews;
use super::super::pusher::check_event;
use super::super::user_commands::UserCommand;
use super::group::{Addressee, Seats};
use super::inbox::{Door, Inbox};
use super::repetitions::Found;
use super::{Command, Shared, Wake, lock};

/// Things published at once: all of them, or none.
#[derive(Debug)]
pub struct Batch<'a> {
    /// The things.
    pub items: Vec<Item<'a>>,
    /// The key of which it may be a repetition, and a [fingerprint](fingerprint) of all that is asked for under it.
    pub key: Option<(&'a str, u64)>,
    /// The newest offset that all its channels must have.
    pub if_offset: Option<u64>,
    /// The connections that do not get the publications in the same places.
    pub except: Vec<Option<Except>>,
}

/// A part of a [`Batch`].
#[derive(Debug)]
pub enum Item<'a> {
    /// A publication, to each of these channels.
    Publish(&'a [&'a str], Publication),
    /// A message to one connection.
    Send(ConnId, Publication),
    /// A message to all connections of a user.
    User(UserRequest),
}

impl<'a> Batch<'a> {
    /// The channels that it publishes to, one for each receipt.
    pub fn channels(&self) -> impl Iterator<Item = &'a str> {
        let channels = self.items.iter().map(|item| match item {
            Item::Publish(channels, _) => *channels,
            Item::Send(..) | Item::User(_) => &[],
        });
        channels.flatten().copied()
    }

    /// The same, but not to this connection.
    pub fn but(self, conn: ConnId) -> Batch<'a> {
        let except = self.channels().map(|_| Some(conn.into())).collect();
        Batch { except, ..self }
    }

    /// One publication to some channels.
    ///
    /// # Errors
    /// [`PushError::BadTerms`], [`PushError::TooMany`], [`PushError::Empty`]
    pub fn of(
        channels: &'a [&'a str],
        message: Message<'_>,
        terms: &PublishTerms<'a>,
    ) -> Result<Batch<'a>, PushError> {
        terms.check()?;
        let (count, max) = (channels.len(), PUBLISH_CHANNELS_MAX);
        if count > max {
            return Err(PushError::TooMany { count, max, what: "channels of one publication" });
        }
        if channels.is_empty() {
            return Err(PushError::BadTerms("there is no channel to publish to"));
        }
        if channels.iter().enumerate().any(|(n, name)| channels[..n].contains(name)) {
            return Err(PushError::BadTerms("a channel is named twice; a publication goes there once"));
        }
        channels.iter().try_for_each(|channel| check_event(channel, message.kind(), message.bytes()))?;
        let publication = Publication::new(message, terms.options)?;
        let what = (channels, publication.payload(), publication.kind(), terms.options, terms.if_offset);
        let key = terms.idempotency_key.map(|key| (key, fingerprint(&what)));
        let items = vec![Item::Publish(channels, publication)];
        Ok(Batch { items, key, if_offset: terms.if_offset, except: Vec::new() })
    }
}

/// A thing that goes into the inbox, before its place is known.
enum Parcel<'a> {
    Publish(&'a str, Publication),
    Send(ConnId, Publication),
    User(UserRequest),
}

impl Shared {
    /// Puts a publication on its way to a channel (None: the default one) and says where it will stand.
    pub fn publish(
        &self,
        channel: Option<&str>,
        publication: Publication,
        unix_us: u64,
        wake: Wake,
    ) -> Result<Receipt, PushError> {
        let bytes = publication.plain_frame().len();
        self.check_size(bytes)?;
        if let Some(name) = channel {
            check_event(name, publication.kind(), publication.payload())?;
        }
        let mut inbox = lock(&self.inbox);
        if inbox.door != Door::Here {
            let is_frozen = inbox.door.is_frozen();
            drop(inbox);
            if is_frozen {
                return Err(PushError::InboxFull);
            }
            return self.publish_elsewhere(channel, publication);
        }
        self.check_room(&inbox, Addressee::All, 1, bytes)?;
        let placed = inbox.directory.publish(channel, unix_us);
        // A refusal is counted as well.
        self.seats[0].has_news.store(true, Ordering::Release);
        let (place, forgotten) = placed?;
        let receipt = inbox.receipt(place);
        // One command more than there may be, at the most: the next one finds the inbox full.
        let mut woken = Seats::NONE;
        if let Some(forgotten) = forgotten {
            self.add_to_all(&mut inbox, || Command::Forget(forgotten.clone()), &mut woken);
        }
        self.add_publication(&mut inbox, &receipt, publication, &mut woken);
        drop(inbox);
        self.wake(woken, wake);
        Ok(receipt)
    }

    /// Puts a whole batch on its way, or nothing of it. The receipts are those of its publications, in order.
    pub fn publish_all(&self, batch: Batch<'_>, unix_us: u64, wake: Wake) -> Result<Published, PushError> {
        let (count, bytes) = self.measure(&batch.items)?;
        if let Some(engine) = self.engine.get() {
            if batch.channels().next().is_some() {
                return self.publish_all_elsewhere(batch);
            }
            // Users may be anywhere.
            let has_users = batch.items.iter().any(|item| matches!(item, Item::User(_)));
            if let Some(why) = engine.away().filter(|_| has_users) {
                return Err(PushError::Unavailable(why));
            }
        }
        let Batch { items, key, if_offset, except } = batch;
        // Each log takes a copy; they are made before the lock is taken.
        let parcels = parcels(items, count);
        let channels: Vec<&str> = parcels.iter().filter_map(Parcel::channel).collect();
        let mut inbox = lock(&self.inbox);
        inbox.door.check()?;
        if let Some((key, fingerprint)) = key {
            match inbox.repetitions.find(key, fingerprint, unix_us) {
                Found::New => {}
                Found::Same(receipts) => {
                    return Ok(Published::new(receipts.to_vec(), true));
                }
                Found::Other => return Err(PushError::KeyReused),
            }
        }
        if let Some(offset) = if_offset {
            inbox.directory.check_newest(&channels, offset)?;
        }
        self.admit(&inbox, Addressee::All, count, bytes)?;
        let placed = inbox.directory.publish_all(&channels, unix_us);
        self.seats[0].has_news.store(true, Ordering::Release);
        let (places, forgotten) = placed?;
        let receipts: Vec<Receipt> = places.into_iter().map(|place| inbox.receipt(place)).collect();
        if let Some((key, fingerprint)) = key {
            inbox.repetitions.keep(key, fingerprint, &receipts, unix_us);
        }
        let (mut woken, mut afar) = (Seats::NONE, Vec::new());
        // A channel that has to go makes room for one that comes, and comes before it.
        for gone in forgotten {
            self.add_to_all(&mut inbox, || Command::Forget(gone.clone()), &mut woken);
        }
        for (receipt, except) in receipts.iter().zip(except) {
            self.add_except(&mut inbox, receipt.id, except, &mut woken);
        }
        let mut next = receipts.iter();
        for parcel in parcels {
            let command = match parcel {
                Parcel::Publish(_, publication) => {
                    if let Some(receipt) = next.next() {
                        self.add_publication(&mut inbox, receipt, publication, &mut woken);
                    }
                    continue;
                }
                Parcel::Send(conn, publication) => Command::Send { conn, publication },
                Parcel::User(request) if self.engine.get().is_some() => {
                    afar.push(request);
                    continue;
                }
                Parcel::User(request) => Command::User(Box::new(UserCommand::new(request))),
            };
            self.add(&mut inbox, command, &mut woken);
        }
        drop(inbox);
        self.wake(woken, wake);
        afar.into_iter().try_for_each(|request| self.for_user(request))?;
        Ok(Published::new(receipts, false))
    }

    /// Tells the reactor of a connection that is left out, before the publication comes.
    pub(super) fn add_except(
        &self,
        inbox: &mut Inbox,
        receipt: u64,
        except: Option<Except>,
        woken: &mut Seats,
    ) {
        if let Some(except) = except.filter(|except| except.conn.reactor() < self.seats.len()) {
            let news = PeerNews::Sender { receipt, except };
            self.add_to(inbox, except.conn.reactor(), Command::Peer(Box::new(news)), woken);
        }
    }

    /// Adds a publication that has its place: to the inboxes of all reactors, in the same order as all others.
    #[inline(always)]
    pub(super) fn add_publication(
        &self,
        inbox: &mut Inbox,
        receipt: &Receipt,
        publication: Publication,
        woken: &mut Seats,
    ) {
        let receipt = receipt.clone();
        // A single reactor ends with the inbox. Each publication comes this way, so it is not handed from one function
        // to the next.
        if let [queue] = &mut *inbox.queues {
            if queue.commands.is_empty() {
                woken.add(0);
            }
            queue.add(Command::Publish { receipt, publication: Carried::Alone(publication) });
            self.show_added(inbox, 0);
            return;
        }
        self.add_for_all(inbox, &receipt, publication, woken);
    }

    fn add_for_all(&self, inbox: &mut Inbox, receipt: &Receipt, publication: Publication, woken: &mut Seats) {
        let shared = Arc::new(Prepared::new(publication));
        let copy =
            || Command::Publish { receipt: receipt.clone(), publication: Carried::Together(shared.clone()) };
        self.add_to_all(inbox, copy, woken);
    }

    pub(super) fn add_to_all(&self, inbox: &mut Inbox, command: impl Fn() -> Command, woken: &mut Seats) {
        (0..self.seats.len()).for_each(|seat| self.add_to(inbox, seat, command(), woken));
    }

    /// For the reactor: gives up some of the idempotency keys whose time is over. True: there are more of them.
    pub fn expire_keys(&self, unix_us: u64) -> bool {
        lock(&self.inbox).repetitions.expire(unix_us)
    }

    /// A message that never fits is another error than one that doesn't fit for now.
    pub fn check_size(&self, bytes: usize) -> Result<(), PushError> {
        for (max, setting) in [(self.log_bytes, "log_bytes"), (self.bytes_max, "inbox_bytes_max")] {
            if bytes > max {
                return Err(PushError::TooLarge { bytes, max, setting });
            }
        }
        Ok(())
    }

    /// How many commands these are, and of how many bytes.
    fn measure(&self, items: &[Item<'_>]) -> Result<(usize, usize), PushError> {
        let (mut count, mut bytes) = (0, 0usize);
        for item in items {
            let (times, len) = match item {
                Item::Publish(channels, publication) => {
                    for name in *channels {
                        check_event(name, publication.kind(), publication.payload())?;
                    }
                    (channels.len(), publication.plain_frame().len())
                }
                Item::Send(_, publication) => (1, publication.plain_frame().len()),
                Item::User(request) => (1, request.bytes()),
            };
            self.check_size(len)?;
            count += times;
            bytes = bytes.saturating_add(len.saturating_mul(times));
        }
        self.check_sum(count, bytes)?;
        Ok((count, bytes))
    }

    /// So much never fits the inbox at once.
    pub(super) fn check_sum(&self, count: usize, bytes: usize) -> Result<(), PushError> {
        if bytes > self.bytes_max {
            return Err(PushError::TooLarge { bytes, max: self.bytes_max, setting: "inbox_bytes_max" });
        }
        if count > self.commands_max {
            let what = "publications at once (inbox_commands_max)";
            return Err(PushError::TooMany { count, max: self.commands_max, what });
        }
        Ok(())
    }
}

impl Inbox {
    pub(super) fn receipt(&mut self, place: super::super::directory::Opened) -> Receipt {
        let id = self.next_receipt;
        self.next_receipt += 1;
        Receipt { channel: place.name, epoch: place.epoch, offset: place.next_offset, id }
    }
}

impl<'a> Parcel<'a> {
    fn channel(&self) -> Option<&'a str> {
        match self {
            Parcel::Publish(channel, _) => Some(channel),
            Parcel::Send(..) | Parcel::User(_) => None,
        }
    }
}

fn parcels<'a>(items: Vec<Item<'a>>, count: usize) -> Vec<Parcel<'a>> {
    let mut parcels = Vec::with_capacity(count);
    for item in items {
        match item {
            Item::Publish(channels, publication) => {
                let Some((last, others)) = channels.split_last() else { continue };
                parcels.extend(others.iter().map(|name| Parcel::Publish(name, publication.clone())));
                parcels.push(Parcel::Publish(last, publication));
            }
            Item::Send(conn, publication) => parcels.push(Parcel::Send(conn, publication)),
            Item::User(request) => parcels.push(Parcel::User(request)),
        }
    }
    parcels
}

#[cfg(test)]
mod tests;

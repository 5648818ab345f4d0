//! Publishing, from any thread. The places in the logs are given out under the lock that orders the inbox, so the
//! order of the offsets is that of the receipts, whichever threads push.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use crate::endpoint::users::UserRequest;
use crate::endpoint::{ConnId, Published, Receipt};
use crate::limits::PUBLISH_CHANNELS_MAX;
use crate::push::{Carried, Message, Prepared, Publication, PublishTerms, PushError, fingerprint};

use super::super::pusher::check_event;
use super::super::user_commands::UserCommand;
use super::group::{Addressee, Seats};
use super::inbox::Inbox;
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
        Ok(Batch { items, key, if_offset: terms.if_offset })
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
        let mut inbox = lock(&self.inbox);
        self.admit(&inbox, Addressee::All, 1, bytes)?;
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
        let Batch { items, key, if_offset } = batch;
        let (count, bytes) = self.measure(&items)?;
        // Each log takes a copy; they are made before the lock is taken.
        let parcels = parcels(items, count);
        let channels: Vec<&str> = parcels.iter().filter_map(Parcel::channel).collect();
        let mut inbox = lock(&self.inbox);
        if inbox.stopped {
            return Err(PushError::Stopped);
        }
        if let Some((key, fingerprint)) = key {
            match inbox.repetitions.find(key, fingerprint, unix_us) {
                Found::New => {}
                Found::Same(receipts) => {
                    return Ok(Published { receipts: receipts.to_vec(), duplicate: true });
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
        let mut woken = Seats::NONE;
        // A channel that has to go makes room for one that comes, and comes before it.
        for gone in forgotten {
            self.add_to_all(&mut inbox, || Command::Forget(gone.clone()), &mut woken);
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
                Parcel::User(request) => Command::User(Box::new(UserCommand::new(request))),
            };
            self.add(&mut inbox, command, &mut woken);
        }
        drop(inbox);
        self.wake(woken, wake);
        Ok(Published { receipts, duplicate: false })
    }

    /// Adds a publication that has its place: to the inboxes of all reactors, in the same order as all others.
    #[inline(always)]
    fn add_publication(
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

    fn add_to_all(&self, inbox: &mut Inbox, command: impl Fn() -> Command, woken: &mut Seats) {
        (0..self.seats.len()).for_each(|seat| self.add_to(inbox, seat, command(), woken));
    }

    /// For the reactor: gives up some of the idempotency keys whose time is over.
    pub fn expire_keys(&self, unix_us: u64) {
        lock(&self.inbox).repetitions.expire(unix_us);
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
                Item::Publish(channels, publication) => (channels.len(), publication.plain_frame().len()),
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
    fn receipt(&mut self, place: super::super::directory::Opened) -> Receipt {
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
mod tests {
    use super::super::tests::{shared, taken};
    use super::*;
    use crate::config::Config;
    use crate::reactor::directory::Vacated;

    fn publish(shared: &Shared, channels: &[&str], terms: PublishTerms<'_>) -> Result<Published, PushError> {
        say(shared, channels, "hi", terms)
    }

    fn say(
        shared: &Shared,
        channels: &[&str],
        text: &str,
        terms: PublishTerms<'_>,
    ) -> Result<Published, PushError> {
        shared.publish_all(Batch::of(channels, Message::Text(text), &terms)?, 5, Wake::Yes)
    }

    fn places(published: &Published) -> Vec<(&str, u64, u64)> {
        published.receipts.iter().map(|r| (&*r.channel, r.offset, r.id)).collect()
    }

    #[test]
    fn several_channels_have_one_after_the_other() {
        let (shared, wakes) = shared(&Config::default());
        let terms = PublishTerms::default();
        publish(&shared, &["b"], terms).unwrap();
        let published = publish(&shared, &["a", "broadcast", "b"], terms).unwrap();
        assert_eq!(places(&published), [("a", 1, 2), ("broadcast", 1, 3), ("b", 2, 4)]);
        assert_eq!((published.duplicate, wakes.load(Ordering::Relaxed)), (false, 1));
        let commands = taken(&shared).commands;
        let logged: Vec<&Receipt> = commands
            .iter()
            .map(|command| match command {
                Command::Publish { receipt, publication } if publication.payload() == b"hi" => receipt,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(logged[1..], published.receipts.iter().collect::<Vec<_>>());
    }

    #[test]
    fn all_of_them_or_none() {
        let config = Config { channels_max: 3, inbox_commands_max: 3, ..Config::default() };
        let (shared, _) = shared(&config);
        let terms = PublishTerms::default();
        for (channels, expected) in [
            (&["a", "a"][..], "named twice"),
            (&[], "no channel"),
            (&["a", "b c"], "a channel name has"),
            (&["a", "b", "c"], "channels_max"),
            (&["a", "b", "c", "d"], "4 publications at once (inbox_commands_max) are over the limit of 3"),
        ] {
            let refused = publish(&shared, channels, terms).unwrap_err().to_string();
            assert!(refused.contains(expected), "{channels:?}: {refused}");
        }
        let many: Vec<String> = (0..=PUBLISH_CHANNELS_MAX).map(|n| n.to_string()).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(publish(&shared, &many, terms), Err(PushError::TooMany { max: 256, .. })));
        publish(&shared, &["a", "b"], terms).unwrap();
        assert_eq!(publish(&shared, &["a", "b"], terms), Err(PushError::InboxFull), "there is room for one");
        assert_eq!(taken(&shared).commands.len(), 2);
        let again = publish(&shared, &["b", "a"], terms).unwrap();
        assert_eq!(places(&again), [("b", 2, 3), ("a", 2, 4)], "what was refused has taken no place");
    }

    #[test]
    fn one_that_is_published_to_does_not_go_for_another() {
        let (shared, _) = shared(&Config { channels_max: 3, ..Config::default() });
        let terms = PublishTerms::default();
        let first = publish(&shared, &["a", "b"], terms).unwrap();
        for receipt in &first.receipts {
            assert_eq!(shared.vacate(&receipt.channel, receipt.epoch, Some(2)), Vacated::Kept);
        }
        taken(&shared);
        assert_eq!(
            publish(&shared, &["a", "c", "d"], terms),
            Err(PushError::TooManyChannels { max: 3 }),
            "b alone may go"
        );
        let published = publish(&shared, &["c", "a"], terms).unwrap();
        assert_eq!(places(&published), [("c", 1, 3), ("a", 2, 4)]);
        match &taken(&shared).commands[..] {
            [Command::Forget(gone), Command::Publish { .. }, Command::Publish { .. }] => {
                assert_eq!(&*gone.name, "b");
            }
            other => panic!("{other:?}"),
        }
        shared.with_directory(|directory| directory.audit());
    }

    #[test]
    fn a_repetition_has_the_first_receipts() {
        let (shared, _) = shared(&Config::default());
        let terms = PublishTerms::default().idempotency_key("k");
        let first = publish(&shared, &["a", "b"], terms).unwrap();
        let again = publish(&shared, &["a", "b"], terms).unwrap();
        assert_eq!(again, Published { duplicate: true, ..first });
        assert_eq!(taken(&shared).commands.len(), 2);
        let plain = crate::push::PushOptions::default().compress(false);
        for other in [
            publish(&shared, &["a"], terms),
            publish(&shared, &["b", "a"], terms),
            publish(&shared, &["a", "b"], terms.options(plain)),
            publish(&shared, &["a", "b"], terms.if_offset(1)),
            say(&shared, &["a", "b"], "ho", terms),
        ] {
            assert_eq!(other, Err(PushError::KeyReused));
        }
        let other = publish(&shared, &["a", "b"], PublishTerms::default().idempotency_key("K")).unwrap();
        assert!(!other.duplicate);
        shared.stop();
        assert_eq!(publish(&shared, &["a", "b"], terms), Err(PushError::Stopped));
    }

    #[test]
    fn one_that_was_refused_is_no_repetition_later() {
        let (shared, _) = shared(&Config { inbox_commands_max: 1, ..Config::default() });
        let terms = PublishTerms::default().idempotency_key("k");
        publish(&shared, &["a"], PublishTerms::default()).unwrap();
        assert_eq!(publish(&shared, &["a"], terms), Err(PushError::InboxFull));
        taken(&shared);
        let published = publish(&shared, &["a"], terms).unwrap();
        assert_eq!((places(&published), published.duplicate), (vec![("a", 2, 2)], false));
        assert!(publish(&shared, &["a"], terms).unwrap().duplicate, "also while the inbox is full");
    }

    #[test]
    fn only_behind_the_newest_that_was_named() {
        let (shared, _) = shared(&Config::default());
        let at = |offset| PublishTerms::default().if_offset(offset);
        let differs = |channel: &str, epoch, offset| {
            Err(PushError::OffsetDiffers { channel: channel.into(), epoch, offset })
        };
        assert_eq!(publish(&shared, &["a"], at(1)), differs("a", 0, 0), "there is no such channel");
        let first = publish(&shared, &["a"], at(0)).unwrap().receipts.remove(0);
        assert_eq!(publish(&shared, &["a"], at(0)), differs("a", first.epoch, 1));
        assert_eq!(publish(&shared, &["b", "a"], at(0)), differs("a", first.epoch, 1));
        assert_eq!(publish(&shared, &["b c"], at(0)), Err(PushError::BadChannel));
        assert_eq!(publish(&shared, &["a"], at(1)).unwrap().receipts[0].offset, 2);
        assert!(publish(&shared, &["broadcast"], at(0)).is_ok());
        assert_eq!(publish(&shared, &["broadcast"], at(0)), differs("broadcast", 1_000, 1));
        // A repetition doesn't come too late.
        let once = at(2).idempotency_key("k");
        assert!(!publish(&shared, &["a"], once).unwrap().duplicate);
        assert!(publish(&shared, &["a"], once).unwrap().duplicate);
        assert_eq!(taken(&shared).commands.len(), 4);
    }

    #[test]
    fn what_goes_to_many_counts_as_often() {
        let config = Config { inbox_bytes_max: 4_096, ..Config::default() };
        let (shared, _) = shared(&config);
        let text = "x".repeat(1_000);
        let terms = PublishTerms::default();
        let refused = say(&shared, &["a", "b", "c", "d", "e"], &text, terms);
        let expected = PushError::TooLarge { bytes: 5 * 1_004, max: 4_096, setting: "inbox_bytes_max" };
        assert_eq!(refused, Err(expected));
        assert!(say(&shared, &["a", "b", "c", "d"], &text, terms).is_ok());
        assert_eq!(say(&shared, &["a"], &text, terms), Err(PushError::InboxFull));
    }
}

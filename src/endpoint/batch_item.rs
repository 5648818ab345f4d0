//! Batches from a host, as `POST /push/batch` takes them: each item has a target of its own.

use crate::config::channel_name_ok;
use crate::push::{Message, Publication, PushError, PushOptions};

use super::batch::LINES_MAX;
use super::control::Receipt;
use super::users::is_user_name;
use super::{ConnId, Published};

/// One of several messages that are published at once ([`Handle::publish_batch`](crate::Handle::publish_batch)).
///
/// ```
/// use wspush::{BatchItem, ConnId, Message, PushOptions};
///
/// let items = [
///     BatchItem::channel("orders", Message::Text("17 is on its way")),
///     BatchItem::user("ada", Message::Text("yours is on its way")),
///     BatchItem::conn(ConnId(4_294_967_299), Message::Binary(b"\x01"))
///         .options(PushOptions::default().compress(false)),
/// ];
/// # assert_eq!(items.len(), 3);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct BatchItem<'a> {
    pub(crate) to: Recipient<'a>,
    message: Message<'a>,
    options: PushOptions,
}

/// To whom an item goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Recipient<'a> {
    Channel(&'a str),
    User(&'a str),
    Conn(ConnId),
}

/// The outcome of a batch.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// use wspush::{BatchItem, Message};
///
/// let items = [
///     BatchItem::channel("orders", Message::Text("17 is on its way")),
///     BatchItem::user("ada", Message::Text("yours is on its way")),
/// ];
/// let batch = handle.publish_batch(&items, Some("order-17"))?;
/// assert!(batch.receipts[0].is_some(), "it stands in the channel's log");
/// assert!(batch.receipts[1].is_none(), "what is sent to a user is kept nowhere");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedBatch {
    /// For each item, in their order. None: it goes to a user or to a connection, and has no place in a log.
    pub receipts: Vec<Option<Receipt>>,
    /// Whether the batch was published before, under the same idempotency key: these are the receipts of that.
    pub duplicate: bool,
    /// The request that it is part of, as the terms have it. None: there is none, or it is not valid.
    pub traceparent: Option<Box<str>>,
}

impl<'a> BatchItem<'a> {
    /// A publication to a channel; that of everybody is `broadcast`.
    pub fn channel(channel: &'a str, message: Message<'a>) -> BatchItem<'a> {
        BatchItem::new(Recipient::Channel(channel), message)
    }

    /// A message to all connections that a user has when its turn comes.
    pub fn user(user: &'a str, message: Message<'a>) -> BatchItem<'a> {
        BatchItem::new(Recipient::User(user), message)
    }

    /// A message to one connection.
    pub fn conn(conn: ConnId, message: Message<'a>) -> BatchItem<'a> {
        BatchItem::new(Recipient::Conn(conn), message)
    }

    /// The item with these options.
    #[must_use]
    pub fn options(self, options: PushOptions) -> BatchItem<'a> {
        BatchItem { options, ..self }
    }

    fn new(to: Recipient<'a>, message: Message<'a>) -> BatchItem<'a> {
        BatchItem { to, message, options: PushOptions::default() }
    }

    /// Its message, copied and encoded.
    ///
    /// # Errors
    /// There is no such target, or the message is empty.
    pub(crate) fn publication(&self) -> Result<Publication, PushError> {
        match self.to {
            Recipient::Channel(name) if !channel_name_ok(name) => Err(PushError::BadChannel),
            Recipient::User(name) if !is_user_name(name) => Err(PushError::BadUser),
            Recipient::Conn(ConnId(0)) => Err(PushError::NoSuchConnection),
            Recipient::Channel(_) => Publication::new(self.message, self.options),
            Recipient::User(_) | Recipient::Conn(_) => Publication::to_one(self.message, self.options),
        }
    }
}

impl PublishedBatch {
    /// The outcome of these items. The receipts are those of the publications among them.
    pub(crate) fn of(items: &[BatchItem<'_>], published: Published) -> PublishedBatch {
        let Published { receipts, duplicate, traceparent } = published;
        let mut receipts = receipts.into_iter();
        let receipt = |item: &BatchItem<'_>| match item.to {
            Recipient::Channel(_) => receipts.next(),
            Recipient::User(_) | Recipient::Conn(_) => None,
        };
        PublishedBatch { receipts: items.iter().map(receipt).collect(), duplicate, traceparent }
    }
}

/// Whether there are as many items as a batch may have.
pub(crate) fn check_count(count: usize) -> Result<(), PushError> {
    match count {
        0 => Err(PushError::BadTerms("the batch is empty")),
        1..=LINES_MAX => Ok(()),
        _ => Err(PushError::TooMany { count, max: LINES_MAX, what: "items of a batch" }),
    }
}

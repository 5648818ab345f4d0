//! Publishing to several channels, on terms, and many things at once.

use crate::endpoint::batch_item::{Recipient, check_count};
use crate::endpoint::trace::{self, Traced};
use crate::endpoint::users::{UserAction, UserRequest};
use crate::endpoint::{BatchItem, Published, PublishedBatch};
use crate::push::{Message, PublishTerms, PushError, fingerprint};
use crate::reactor::{Batch, Command, Item, Wake};

use super::{Handle, unix_us};

impl Handle {
    /// As [`publish`](Self::publish), to several channels at once and on terms: to each of them, or, with an error, to
    /// none. The default channel's name is `broadcast`.
    ///
    /// # Errors
    /// [`PushError::KeyReused`] and [`PushError::OffsetDiffers`] as the terms say; [`PushError::TooMany`] for more than
    /// 256 channels, and [`PushError::BadTerms`] for none or one that is named twice.
    pub fn publish_to(
        &self,
        channels: &[&str],
        message: Message<'_>,
        terms: PublishTerms<'_>,
    ) -> Result<Published, PushError> {
        let published =
            self.shared.publish_all(Batch::of(channels, message, &terms)?, unix_us(), Wake::Yes)?;
        Ok(self.trace(&terms, published))
    }

    /// Lets the log tell of a publication that is part of a request. Its line is lost where the inbox is full: what is
    /// published is published.
    fn trace(&self, terms: &PublishTerms<'_>, published: Published) -> Published {
        let Some(parent) = terms.traceparent.and_then(trace::valid) else { return published };
        if trace::is_sampled(parent) {
            let Published { receipts, duplicate, .. } = published.clone();
            let traced = Traced { parent: parent.into(), receipts, duplicate };
            let _ = self.shared.command(Command::Traced(Box::new(traced)));
        }
        Published { traceparent: Some(parent.into()), ..published }
    }

    /// Publishes up to 1,000 messages at once, each to a target of its own: all of them or, with an error, none. They
    /// go out in their order, and nothing of another thread comes between. A repetition of `idempotency_key`, of 1 to
    /// 128 bytes, within five minutes with the same items gets the first receipts again, and nothing is published.
    ///
    /// # Errors
    /// [`PushError::BadItem`] for the first item that is not right; [`PushError::KeyReused`],
    /// [`PushError::TooMany`] and [`PushError::TooLarge`] for all of them together, [`PushError::BadTerms`] for a key
    /// that is none and for no items.
    pub fn publish_batch(
        &self,
        items: &[BatchItem<'_>],
        idempotency_key: Option<&str>,
    ) -> Result<PublishedBatch, PushError> {
        self.publish_batch_on(items, PublishTerms { idempotency_key, ..PublishTerms::default() })
    }

    /// As [`publish_batch`](Self::publish_batch), on the terms that a batch can have: an idempotency key, and the
    /// request that all of it is part of. How each item is pushed stands in the item.
    ///
    /// # Errors
    /// As [`publish_batch`](Self::publish_batch); [`PushError::BadTerms`] also for other terms.
    pub fn publish_batch_on(
        &self,
        items: &[BatchItem<'_>],
        terms: PublishTerms<'_>,
    ) -> Result<PublishedBatch, PushError> {
        terms.check_for_batch()?;
        check_count(items.len())?;
        let parts = items.iter().enumerate().map(|(index, item)| {
            self.batch_part(item).map_err(|problem| PushError::BadItem { index, problem: Box::new(problem) })
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let key = terms.idempotency_key.map(|key| (key, fingerprint(&items)));
        let batch = Batch { items: parts, key, if_offset: None, except: Vec::new() };
        let published = self.shared.publish_all(batch, unix_us(), Wake::Yes)?;
        Ok(PublishedBatch::of(items, self.trace(&terms, published)))
    }

    fn batch_part<'a>(&self, item: &'a BatchItem<'_>) -> Result<Item<'a>, PushError> {
        let publication = item.publication()?;
        self.shared.check_size(publication.plain_frame().len())?;
        Ok(match &item.to {
            Recipient::Channel(name) => Item::Publish(std::slice::from_ref(name), publication),
            Recipient::Conn(conn) => Item::Send(*conn, publication),
            Recipient::User(user) => Item::User(UserRequest::new(
                *user,
                UserAction::Push { publication, notes: Default::default() },
            )?),
        })
    }
}

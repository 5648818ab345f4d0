//! Publishing to several channels, and on terms.

use crate::endpoint::Published;
use crate::push::{Message, PublishTerms, PushError};
use crate::reactor::{Batch, Wake};

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
        self.shared.publish_all(Batch::of(channels, message, &terms)?, unix_us(), Wake::Yes)
    }
}

//! The state that all threads share, as it is handed to another process: the order of publications, and who has them.

use super::super::directory::Owned;
use super::repetitions::Repetitions;
use super::{Shared, lock};
use crate::push::Delivery;

/// The image that [`Shared::image`] makes.
#[derive(serde::Deserialize)]
pub(in super::super) struct SharedImage {
    directory: Owned,
    next_receipt: u64,
    repetitions: Repetitions,
    deliveries: Vec<Delivery>,
}

impl Shared {
    /// Its image, in bytes.
    pub(in super::super) fn image(&self) -> Result<Vec<u8>, postcard::Error> {
        let inbox = lock(&self.inbox);
        let deliveries = lock(&self.seats[0].deliveries);
        postcard::to_allocvec(&(
            inbox.directory.image(),
            inbox.next_receipt,
            &inbox.repetitions,
            &deliveries.kept,
        ))
    }

    /// Goes on with an image.
    pub(in super::super) fn resume(&self, image: SharedImage) {
        let mut inbox = lock(&self.inbox);
        inbox.directory.resume(image.directory);
        inbox.next_receipt = image.next_receipt;
        inbox.repetitions = image.repetitions;
        lock(&self.seats[0].deliveries).kept = image.deliveries;
    }
}

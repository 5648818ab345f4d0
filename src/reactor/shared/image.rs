//! The state that all threads share, as it is handed to another process: the order of publications, and who has them.

use std::sync::Arc;

use super::super::directory::Owned;
use super::deliveries::Deliveries;
use super::inbox::Door;
use super::repetitions::Repetitions;
use super::{Shared, lock};

/// The image that [`Shared::image`] makes.
#[derive(serde::Deserialize)]
pub(in super::super) struct SharedImage {
    directory: Owned,
    next_receipt: u64,
    repetitions: Repetitions,
    /// Of each reactor.
    deliveries: Vec<Deliveries>,
    guests: u64,
}

impl Shared {
    /// Its image, in bytes.
    pub(in super::super) fn image(&self) -> Result<Vec<u8>, postcard::Error> {
        let inbox = lock(&self.inbox);
        let deliveries: Vec<_> = self.seats.iter().map(|seat| lock(&seat.deliveries).clone()).collect();
        postcard::to_allocvec(&(
            inbox.directory.image(),
            inbox.next_receipt,
            &inbox.repetitions,
            deliveries,
            self.totals.guests(),
        ))
    }

    /// Goes on with an image.
    pub(in super::super) fn resume(&self, image: SharedImage) {
        let mut inbox = lock(&self.inbox);
        inbox.directory.resume(image.directory);
        inbox.next_receipt = image.next_receipt;
        inbox.repetitions = image.repetitions;
        for (seat, deliveries) in self.seats.iter().zip(image.deliveries) {
            *lock(&seat.deliveries) = deliveries;
        }
        self.totals.resume_guests(image.guests);
    }

    /// A channel's name as everybody here has it.
    pub(in super::super) fn name_of(&self, channel: &str) -> Option<Arc<str>> {
        lock(&self.inbox).directory.name_of(channel)
    }

    /// Takes nothing more from other threads, if nothing waits here: whoever asks is told to try again. False:
    /// something waits.
    pub(in super::super) fn freeze(&self) -> bool {
        let mut inbox = lock(&self.inbox);
        let is_quiet = inbox.door == Door::Here && inbox.queues.iter().all(|queue| queue.commands.is_empty());
        if is_quiet {
            inbox.door = Door::Frozen;
        }
        is_quiet
    }

    /// Wakes all reactors.
    pub(in super::super) fn wake_all(&self) {
        self.seats.iter().for_each(|seat| (seat.wake)());
    }

    /// Goes on taking.
    pub(in super::super) fn thaw(&self) {
        let mut inbox = lock(&self.inbox);
        if inbox.door == Door::Frozen {
            inbox.door = Door::Here;
        }
    }
}

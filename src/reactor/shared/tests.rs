//! The inbox as other threads use it: how much it takes, when it wakes, what it announces and remembers.

use super::super::directory::Vacated;
use super::*;
use crate::endpoint::Receipt;
use crate::metrics::ChannelRefusal;
use crate::push::{Message, Publication, PushOptions};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

pub(super) fn shared(config: &Config) -> (Lane, Arc<AtomicUsize>) {
    let wakes = Arc::new(AtomicUsize::new(0));
    let counter = wakes.clone();
    let wake = move || {
        counter.fetch_add(1, Ordering::Relaxed);
    };
    (Lane::new(Arc::new(Shared::new(config, 1_000, Box::new(wake))), 0), wakes)
}

pub(super) fn taken(shared: &Lane) -> News {
    shared.take(&mut Vec::new()).expect("there is something new")
}

fn push(shared: &Shared, channel: Option<&str>, payload_bytes: usize) -> Result<Receipt, PushError> {
    let message = Message::Binary(&vec![0; payload_bytes]);
    let publication = Publication::new(message, PushOptions::default())?;
    shared.publish(channel, publication, 5, Wake::Yes)
}

#[test]
fn many_commands_one_wake_up() {
    let (shared, wakes) = shared(&Config::default());
    for n in 1..=100 {
        assert_eq!(push(&shared, None, 1).map(|r| (r.offset, r.id)), Ok((n, n)));
    }
    assert_eq!(wakes.load(Ordering::Relaxed), 1);
    assert_eq!(taken(&shared).commands.len(), 100);
    push(&shared, Some("a"), 1).unwrap();
    assert_eq!(wakes.load(Ordering::Relaxed), 2);
}

#[test]
fn the_inbox_is_bounded_in_commands_and_bytes() {
    let (shared, _) = shared(&Config { inbox_commands_max: 2, inbox_bytes_max: 1_000, ..Config::default() });
    let too_large = PushError::TooLarge { bytes: 2_000, max: 1_000, setting: "inbox_bytes_max" };
    assert_eq!(push(&shared, None, 1_996), Err(too_large));
    push(&shared, None, 10).unwrap();
    push(&shared, None, 10).unwrap();
    assert_eq!(push(&shared, None, 10), Err(PushError::InboxFull));
    shared.drain(None);
    shared.drain(Some(7));
    shared.drain(Some(9));
    assert_eq!(taken(&shared).commands.len(), 2);
    assert_eq!(shared.take_end(), EndAsked { by_config: true, within_ms: Some(7) });
    assert_eq!(shared.take_end(), EndAsked::default());
    assert!(shared.take(&mut Vec::new()).is_none(), "there is nothing new");
    // Refused publications have taken no place in the log.
    assert_eq!(push(&shared, None, 10).unwrap().offset, 3);
    shared.stop();
    assert_eq!(push(&shared, None, 10), Err(PushError::Stopped));
}

#[test]
fn a_channel_that_goes_is_announced_before_the_one_that_comes() {
    let (shared, wakes) = shared(&Config { channels_max: 2, ..Config::default() });
    let first = push(&shared, Some("a"), 1).unwrap();
    assert_eq!(push(&shared, Some("b"), 1), Err(PushError::InboxFull), "not logged yet");
    assert_eq!(push(&shared, Some("a b"), 1), Err(PushError::BadChannel));
    assert_eq!(taken(&shared).commands.len(), 1);
    assert_eq!(shared.vacate("a", first.epoch, Some(2)), Vacated::Kept);
    let second = push(&shared, Some("b"), 1).unwrap();
    assert_eq!((second.epoch > first.epoch, second.id, wakes.load(Ordering::Relaxed)), (true, 2, 2));
    match &taken(&shared).commands[..] {
        [Command::Forget(gone), Command::Publish { receipt, .. }] => {
            assert_eq!((&*gone.name, gone.epoch, receipt), ("a", first.epoch, &second));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(shared.occupy("b", 1, 5).map(|opened| opened.epoch), Ok(second.epoch));
    assert_eq!(push(&shared, Some("c"), 1), Err(PushError::TooManyChannels { max: 2 }));
    assert_eq!(taken(&shared).channels_refused.get(ChannelRefusal::Full), 2);
}

#[test]
fn the_newest_deliveries_are_kept() {
    let (shared, _) = shared(&Config::default());
    let delivery = |id| Delivery { id, recipients: id as u32, ..Delivery::default() };
    let mut keep = shared.keep_deliveries();
    for id in 1..=RECEIPTS_KEPT as u64 + 1 {
        keep(&delivery(id));
    }
    keep(&delivery(1));
    drop(keep);
    assert_eq!((shared.delivery(0), shared.delivery(1)), (None, None));
    assert_eq!(
        shared.delivery(RECEIPTS_KEPT as u64 + 1).map(|d| d.recipients),
        Some(RECEIPTS_KEPT as u32 + 1)
    );
}

//! The inbox as other threads use it: how much it takes, when it wakes, what it announces and remembers.

use super::super::directory::{NoChannel, Vacated};
use super::super::occupancy::Wish;
use super::*;
use crate::endpoint::conn_id::SERIAL_BITS;
use crate::endpoint::{ConnId, Receipt};
use crate::metrics::ChannelRefusal;
use crate::push::{Message, Publication, PushOptions, RECEIPTS_KEPT, Since};
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
    assert_eq!(shared.occupy("b", 1, 5, Wish::Clients).map(|opened| opened.epoch), Ok(second.epoch));
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

#[test]
fn a_subscription_that_makes_a_channel_needs_room_at_all_reactors_and_is_kept() {
    let config = Config { inbox_commands_max: 2, ..Config::default() };
    let wakes = (0..2).map(|_| -> WakeUp { Box::new(|| {}) }).collect();
    let shared = Arc::new(Shared::of_several(&config, 1_000, wakes));
    let lanes: Vec<Lane> = (0..2).map(|seat| Lane::new(shared.clone(), seat)).collect();
    let conn = |seat: u32| ConnId::new(7, seat << SERIAL_BITS | 1);
    let subscribe = |seat, channel: &str| {
        let (conn, channel) = (conn(seat), channel.to_owned());
        shared.command(Command::Subscribe { conn, channel, since: Since::Head })
    };
    assert_eq!(lanes[0].occupy("known", 1, 5, Wish::Clients).map(|opened| opened.next_offset), Ok(1));
    assert_eq!(subscribe(0, "new"), Ok(()));
    assert_eq!(subscribe(1, "known"), Ok(()));
    // The second reactor has no room for the word of another one.
    assert_eq!(subscribe(0, "newer"), Err(PushError::InboxFull));
    assert_eq!(subscribe(0, "known"), Ok(()));
    assert_eq!(lanes[0].occupy("newest", 1, 5, Wish::Clients), Err(NoChannel::NotYet));
    // But what was promised holds.
    assert_eq!(lanes[0].occupy("new", 1, 5, Wish::Hosts).map(|opened| opened.next_offset), Ok(1));
    assert_eq!((taken(&lanes[0]).commands.len(), taken(&lanes[1]).commands.len()), (2, 3));
}

#[test]
fn a_publication_is_not_done_before_all_reactors_have_it() {
    let wakes = (0..3).map(|_| -> WakeUp { Box::new(|| {}) }).collect();
    let shared = Arc::new(Shared::of_several(&Config::default(), 1_000, wakes));
    let lanes: Vec<Lane> = (0..3).map(|seat| Lane::new(shared.clone(), seat)).collect();
    let receipt = push(&shared, None, 1).unwrap();
    assert_eq!(shared.delivery(receipt.id), None);
    let part = |recipients, lagging, us| {
        let (written, time) = (recipients - lagging, (lagging == 0).then_some(us));
        let times = (Some(us), time, time);
        let (first_us, median_us, last_us) = times;
        let delivery =
            Delivery { id: receipt.id, offset: 1, recipients, written, lagging, ..Delivery::default() };
        Delivery { first_us, median_us, last_us, ..delivery }
    };
    let counts = || shared.delivery(receipt.id).map(|d| (d.recipients, d.written, d.lagging, d.last_us));
    lanes[0].keep_parts(110, receipt.id)(&part(2, 0, 10));
    assert_eq!(counts(), Some((4, 2, 2, None)));
    assert_eq!(shared.recipients(receipt.id), Some(2));
    // One that has nobody in the channel has taken it in all the same.
    drop(lanes[2].keep_parts(120, receipt.id));
    assert_eq!(counts(), Some((3, 2, 1, None)));
    lanes[1].keep_parts(130, receipt.id)(&part(2, 1, 30));
    assert_eq!(counts(), Some((4, 3, 1, None)));
    lanes[1].keep_parts(150, receipt.id)(&part(2, 0, 50));
    let whole = shared.delivery(receipt.id).unwrap();
    assert_eq!((whole.recipients, whole.lagging, whole.first_us), (4, 0, Some(10)));
    assert_eq!((whole.median_us, whole.last_us), (Some(10), Some(50)));
    let next = push(&shared, None, 1).unwrap();
    let of_next = Delivery { id: next.id, offset: 2, ..Delivery::default() };
    lanes[0].keep_parts(160, next.id)(&of_next);
    drop(lanes[1].keep_parts(160, next.id));
    assert_eq!(shared.delivery(next.id).map(|d| d.lagging), Some(1));
    shared.end_seat(2);
    assert_eq!(shared.delivery(next.id).map(|d| d.lagging), Some(0), "the last one has ended");
}

#[test]
fn a_channel_of_an_app_takes_events_alone() {
    let (shared, _) = shared(&Config::default());
    let text = |text: &str| Publication::new(Message::Text(text), PushOptions::default()).unwrap();
    let event = || text(r#"{"event":"e","channel":"news","data":""}"#);
    let publish =
        |publication| shared.publish(Some("pusher/3/news"), publication, 5, Wake::Yes).map(|r| r.offset);
    assert!(matches!(publish(text("no event")), Err(PushError::BadTerms(_))));
    assert_eq!(publish(event()), Ok(1));
    let together = |publication| {
        let items = vec![Item::Publish(&["a", "pusher/3/news"], publication)];
        let batch = Batch { items, key: None, if_offset: None, except: Vec::new() };
        shared.publish_all(batch, 5, Wake::Yes).map(|published| published.receipts.len())
    };
    assert!(matches!(together(text("no event")), Err(PushError::BadTerms(_))));
    assert_eq!(together(event()), Ok(2));
    assert_eq!(push(&shared, Some("a"), 1).map(|r| r.offset), Ok(2), "nothing of the refused ones is there");
}

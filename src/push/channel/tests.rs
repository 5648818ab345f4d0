use super::*;
use crate::push::Message;

fn channel(publications_max: usize) -> Channel {
    Channel::new("c".into(), 1, Log::new(1, 1 << 16, publications_max), publications_max, 0)
}

fn append(channel: &mut Channel, frame: &[u8], offset: u64) {
    channel.append(&Encoded::plain(frame), Place { offset, receipt: offset, now_us: 0, unix_ms: 0 });
}

fn join(channel: &mut Channel, slot: u32) {
    let cursor = channel.enter_at_head(Form::Plain);
    channel.join(slot, cursor, 0);
}

fn slots(channel: &Channel) -> Vec<u32> {
    channel.members.iter().map(|m| m.slot).collect()
}

#[test]
fn a_burst_waits_for_the_flush_not_for_the_slow() {
    let mut channel = channel(2);
    let frame = Message::Text("x").to_frame();
    join(&mut channel, 7);
    append(&mut channel, &frame, 1);
    append(&mut channel, &frame, 2);
    assert!(!channel.has_room(Lens::plain(frame.len())), "the first one was not offered yet");
    let walk = channel.resume_walk().unwrap();
    assert_eq!(walk.head, channel.log().head());
    channel.end_walk();
    assert!(channel.has_room(Lens::plain(frame.len())));
    assert_eq!(channel.resume_walk(), None);
    assert_eq!(channel.log().position(channel.members[0].cursor), Some(0), "an unwritten cursor stays");
}

#[test]
fn leaving_during_a_walk_hides_nobody_from_it() {
    let mut channel = channel(8);
    for slot in 0..6 {
        join(&mut channel, slot);
    }
    append(&mut channel, &Message::Text("x").to_frame(), 1);
    channel.resume_walk();
    channel.walk.as_mut().unwrap().next = 3;
    let mut moves = Vec::new();
    channel.leave(0, Form::Plain, 0, |slot, old, new| moves.push((slot, old, new)));
    assert_eq!((slots(&channel), channel.walk.unwrap().next), (vec![2, 1, 5, 3, 4], 2));
    assert_eq!(moves, [(2, 2, 0), (5, 5, 2)]);
    channel.leave(4, Form::Plain, 0, |_, _, _| panic!("the last one leaves no gap"));
    channel.leave(1, Form::Plain, 0, |_, _, _| {});
    assert_eq!((slots(&channel), channel.walk.unwrap().next), (vec![2, 3, 5], 1));
}

#[test]
fn who_leaves_counts_as_gone_and_who_falls_off_as_skipped() {
    let mut channel = channel(3);
    let frame = Message::Text("x").to_frame();
    join(&mut channel, 0);
    join(&mut channel, 1);
    for id in 1..4 {
        append(&mut channel, &frame, id);
    }
    channel.leave(0, Form::Plain, 0, |_, _, _| {});
    channel.end_walk();
    let cursor = channel.skip_to_newest(Form::Plain);
    assert_eq!(channel.log().position(cursor), Some(channel.log().newest_start()));
    channel.ledger.settle(1, (0, Passage::Gone), 0, |_, _| {});
    let d = channel.ledger.delivery(1).unwrap();
    assert_eq!((d.recipients, d.gone, d.skipped, d.lagging), (2, 1, 1, 0));
    assert_eq!(channel.ledger.delivery(3).unwrap().lagging, 1);
}

#[test]
fn a_form_that_nobody_takes_any_more_holds_what_its_next_subscriber_expects() {
    let mut channel = channel(8);
    let cursor = channel.enter_at_head(Form::EnvelopeDeflated);
    let wanted = |channel: &Channel| Form::LAZY.map(|form| channel.wants(form));
    assert_eq!(wanted(&channel), [false, true, true, false, false, false, false, false]);
    channel.depart(cursor, Form::EnvelopeDeflated);
    // Not compressed, but in envelopes.
    assert_eq!(wanted(&channel), [false, true, false, false, false, false, false, false]);
}

use super::*;
use crate::push::{Cursor, Form, Message};

const LIMITS: LogLimits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };

#[test]
fn a_channel_is_queued_once_and_in_turn() {
    let mut channels = Channels::new(LIMITS, 1);
    let news = channels.open(&"news".into(), 2, 0);
    assert_eq!(channels.open(&"news".into(), 9, 0), news);
    let cursor = channels.get_mut(news).enter_at_head(Form::Plain);
    channels.get_mut(news).join(0, cursor, 0);
    channels.get_mut(DEFAULT).subscribers = 1;
    let frame = Message::Text("x").to_frame();
    for (id, offset) in [(news, 1), (DEFAULT, 1), (news, 2)] {
        channels.append(id, &Encoded::plain(&frame), Place { offset, receipt: 0, now_us: 0, unix_ms: 0 });
    }
    assert_eq!((channels.next_dirty(), channels.is_dirty()), (Some(news), true));
    channels.requeue(news, true);
    assert_eq!(channels.next_dirty(), Some(DEFAULT));
    channels.requeue(DEFAULT, false);
    assert_eq!((channels.next_dirty(), channels.next_dirty()), (Some(news), None));
}

fn publish(channels: &mut Channels, id: ChannelId, payload_bytes: usize, unix_ms: u64) {
    let offset = channels.get(id).log().next_offset();
    let frame = Message::Binary(&vec![7; payload_bytes]).to_frame();
    channels.append(id, &Encoded::plain(&frame), Place { offset, receipt: offset, now_us: 0, unix_ms });
}

fn rules(texts: &[&str]) -> Vec<ChannelRule> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

#[test]
fn rules_hold_for_channels_that_are_there_and_those_to_come() {
    let mut channels = Channels::new(LIMITS, 1);
    let there = channels.open(&"news.a".into(), 2, 0);
    (0..8).for_each(|_| publish(&mut channels, there, 10, 0));
    channels.set_rules(rules(&["news.* publications=3 keep=latest", "* ttl_ms=50"]));
    assert_eq!(channels.get(there).log().publications(), 8, "until the next one comes");
    publish(&mut channels, there, 10, 0);
    let log = channels.get(there).log();
    assert_eq!((log.publications(), log.first_offset()), (3, 7));
    assert_eq!(channels.get(there).fallen, Passage::Skipped);
    let other = channels.open(&"other".into(), 3, 0);
    assert_eq!((channels.get(other).rules.ttl_ms, channels.get(other).fallen), (50, Passage::Gone));
    // More than a channel keeps is kept alone, and narrower bounds widen again.
    channels.set_rules(rules(&["news.* bytes=4096 publications=4"]));
    publish(&mut channels, there, 4_090, 0);
    assert_eq!((channels.get(there).log().publications(), channels.get(there).fallen), (1, Passage::Gone));
    channels.set_rules(Vec::new());
    (0..20).for_each(|_| publish(&mut channels, there, 10, 0));
    assert_eq!(channels.get(there).log().publications(), 8);
    let recount: usize = channels.iter().map(|(_, channel)| channel.log_bytes()).sum();
    assert_eq!(recount, channels.log_bytes());
}

#[test]
fn what_is_too_old_gives_its_memory_back() {
    let mut channels = Channels::new(LIMITS, 1);
    channels.set_rules(rules(&["* ttl_ms=50"]));
    [100, 120, 140].into_iter().for_each(|unix_ms| publish(&mut channels, DEFAULT, 10, unix_ms));
    assert_eq!(channels.expired(149).count(), 0);
    assert_eq!(channels.expired(170).collect::<Vec<_>>(), [DEFAULT]);
    channels.expire(DEFAULT, 170, 0);
    assert_eq!(channels.get(DEFAULT).log().first_offset(), 3);
    channels.expire(DEFAULT, 1_000, 0);
    assert_eq!((channels.log_bytes(), channels.expired(9_999).count()), (0, 0));
    publish(&mut channels, DEFAULT, 10, 1_000);
    // A subscriber that was not offered it yet keeps it.
    let cursor = channels.get_mut(DEFAULT).enter_at_head(Form::Plain);
    publish(&mut channels, DEFAULT, 10, 1_000);
    channels.expire(DEFAULT, 5_000, 0);
    assert_eq!(channels.get(DEFAULT).log().first_offset(), 5);
    assert!(channels.get(DEFAULT).log().position(cursor).is_some());
}

#[test]
fn one_that_lags_jumps_and_one_that_keeps_up_does_not() {
    let mut channels = Channels::new(LIMITS, 1);
    channels.set_rules(rules(&["* keep=latest"]));
    let channel = channels.get_mut(DEFAULT);
    let cursor = channel.enter_at_head(Form::Plain);
    assert_eq!(channel.jump_to_newest(Form::Plain, cursor), None);
    publish(&mut channels, DEFAULT, 10, 0);
    let channel = channels.get_mut(DEFAULT);
    assert_eq!(channel.jump_to_newest(Form::Plain, cursor), None, "that is the newest");
    (0..3).for_each(|_| publish(&mut channels, DEFAULT, 10, 0));
    let channel = channels.get_mut(DEFAULT);
    let midway = Cursor(cursor.0 + 5);
    assert_eq!(channel.jump_to_newest(Form::Plain, midway), None, "a frame is finished");
    let newest = Cursor::at(channel.log().newest_start());
    assert_eq!(channel.jump_to_newest(Form::Plain, cursor), Some(newest));
    channels.settle(1, |_, _| {});
    let skipped = |offset| channels.get(DEFAULT).ledger.delivery(offset).map(|d| (d.skipped, d.lagging));
    assert_eq!((skipped(1), skipped(3), skipped(4)), (Some((1, 0)), Some((1, 0)), Some((0, 1))));
    channels.set_rules(Vec::new());
    assert_eq!(channels.get_mut(DEFAULT).jump_to_newest(Form::Plain, cursor), None);
}

#[test]
fn a_channel_nobody_listens_to_is_logged_not_flushed_and_can_go() {
    let mut channels = Channels::new(LIMITS, 1);
    let news = channels.open(&"news".into(), 2, 0);
    let place = Place { offset: 1, receipt: 7, now_us: 5_000, unix_ms: 0 };
    channels.append(news, &Encoded::plain(&Message::Text("x").to_frame()), place);
    assert!(!channels.is_dirty());
    let mut seen = Vec::new();
    channels.remove(news, 5_000, |d, _| seen.push((d.id, d.recipients, d.last_us)));
    assert_eq!(seen, [(7, 0, Some(0))]);
    assert_eq!((channels.find("news"), channels.len(), channels.log_bytes()), (None, 1, 0));
    channels.settle(6_000, |d, _| panic!("{d:?} is settled"));
}

#[test]
fn who_takes_the_place_of_one_that_has_gone_is_not_taken_for_it() {
    let mut channels = Channels::new(LIMITS, 1);
    let frame = Message::Text("x").to_frame();
    for round in 0..3 {
        let id = channels.open(&format!("c{round}").into(), 2 + round, 0);
        let cursor = channels.get_mut(id).enter_at_head(Form::Plain);
        channels.get_mut(id).join(0, cursor, 0);
        channels.append(
            id,
            &Encoded::plain(&frame),
            Place { offset: 1, receipt: round, now_us: 0, unix_ms: 0 },
        );
        if round < 2 {
            channels.get_mut(id).leave(0, Form::Plain, 0, |_, _, _| {});
            channels.remove(id, 0, |d, _| assert_eq!((d.id, d.gone), (round, 1)));
        }
    }
    let mut seen = Vec::new();
    channels.settle(0, |d, _| seen.push(d.id));
    assert_eq!((seen, channels.find("c2")), (vec![2], Some(ChannelId(1))));
    assert_eq!(channels.next_dirty(), Some(ChannelId(1)));
    channels.requeue(ChannelId(1), false);
    assert_eq!((channels.next_dirty(), channels.is_dirty()), (None, false));
}

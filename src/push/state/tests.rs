//! A state comes back as it was, and nothing else is ever taken for one.

use proptest::prelude::*;

use super::super::{Channel, History, HistoryAsked, HistoryOrder, LogLimits, Past, Since};
use super::*;

const LIMITS: LogLimits = LogLimits { bytes: 1 << 14, publications: 16, sum_bytes: 1 << 20 };
const TERMS: Terms =
    Terms { is_name: |name| name != "bad", channels_max: 8, now_us: 5_000_000, new_epoch: 50 };
const REVOKED: [(&str, u64); 2] = [("ann", 1_800_000_000), ("caf\u{e9}", 7)];
const COUNTERS: Counters = Counters { next_receipt: 77, last_epoch: 9 };

fn written(channels: &Channels) -> Vec<u8> {
    let mut writer = StateWriter::begin(Vec::new(), StateKind::Final, COUNTERS).unwrap();
    for (_, channel) in channels.iter() {
        writer.channel(channel).unwrap();
    }
    let (mut bytes, header) = writer.end(REVOKED.into_iter()).unwrap();
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    bytes
}

fn loaded(bytes: &[u8], limits: LogLimits) -> Result<(Channels, Loaded), StateError> {
    verify(bytes)?;
    let mut channels = Channels::new(limits, 1);
    let loaded = load(bytes, &mut channels, TERMS)?;
    Ok((channels, loaded))
}

/// The bytes of them at the end of a body.
fn revoked_bytes() -> usize {
    REVOKED.iter().map(|(user, _)| 2 + user.len() + 8).sum::<usize>() + 2
}

fn append(channels: &mut Channels, id: ChannelId, message: Message<'_>, unix_ms: u64) {
    let offset = channels.get(id).log().next_offset();
    let place = Place { offset, receipt: offset, now_us: 0, unix_ms };
    channels.append(id, &Encoded::plain(&message.to_frame()), place);
}

fn past(channel: &Channel) -> History<'_> {
    let order = HistoryOrder::OldestFirst;
    let asked = HistoryAsked { since: Since::Earliest, limit: usize::MAX, bytes_max: usize::MAX, order };
    channel.history(asked, 0)
}

fn place(channel: &Channel) -> (&str, u64, u64, u64) {
    (&channel.name, channel.epoch, channel.log().first_offset(), channel.log().next_offset())
}

fn small() -> Channels {
    let mut channels = Channels::new(LIMITS, 3);
    let news = channels.open(&"news".into(), 5, 0);
    append(&mut channels, DEFAULT, Message::Text("caf\u{e9}"), 1_000);
    append(&mut channels, news, Message::Binary(b"\xff\0"), 2_000);
    channels
}

#[test]
fn what_is_published_next_goes_on() {
    let (mut channels, loaded) = loaded(&written(&small()), LIMITS).unwrap();
    assert_eq!(loaded.revoked, REVOKED.map(|(user, until_s)| (user.to_owned(), until_s)));
    assert_eq!((loaded.counters, loaded.publications, loaded.channels_dropped), (COUNTERS, 2, 0));
    let news = channels.find("news").unwrap();
    append(&mut channels, news, Message::Text("next"), 3_000);
    let history = past(channels.get(news));
    let times: Vec<_> = history.publications.iter().map(|past| (past.offset, past.unix_ms)).collect();
    assert_eq!(times, [(1, 2_000), (2, 3_000)]);
    assert!(!channels.is_unused(news), "it is known to have had publications");
    let recount: usize = channels.iter().map(|(_, channel)| channel.log_bytes()).sum();
    assert_eq!(recount, channels.log_bytes());
}

#[test]
fn every_truncation_is_refused() {
    let bytes = written(&small());
    for len in 0..bytes.len() {
        assert!(matches!(loaded(&bytes[..len], LIMITS), Err(StateError::Torn)), "{len} bytes");
    }
    let longer = [&bytes[..], b"\0"].concat();
    assert!(matches!(loaded(&longer, LIMITS), Err(StateError::Torn)));
}

#[test]
fn every_flipped_bit_is_refused() {
    let mut bytes = written(&small());
    for at in 0..bytes.len() * 8 {
        bytes[at / 8] ^= 1 << (at % 8);
        let refused = loaded(&bytes, LIMITS).map(|_| ()).unwrap_err();
        match at / 64 {
            0 => assert!(matches!(refused, StateError::Foreign), "bit {at}: {refused}"),
            1 if at < 96 => assert!(matches!(refused, StateError::Version(_)), "bit {at}: {refused}"),
            _ => assert!(matches!(refused, StateError::Torn), "bit {at}: {refused}"),
        }
        bytes[at / 8] ^= 1 << (at % 8);
    }
}

#[test]
fn a_wrong_body_is_refused_though_its_checksum_is_right() {
    let bytes = written(&small());
    let body = &bytes[HEADER_BYTES..];
    assert!(loaded(&seal(StateKind::Final, body), LIMITS).is_ok());
    for len in 0..body.len() {
        assert!(loaded(&seal(StateKind::Final, &body[..len]), LIMITS).is_err(), "{len} bytes");
    }
    let channel = |name: &str, first: u64, count: u32, publications: &[u8]| {
        let mut body =
            [[0; 16].as_slice(), &[name.len() as u8], name.as_bytes(), &7u64.to_le_bytes()].concat();
        body.extend(first.to_le_bytes());
        body.extend(count.to_le_bytes());
        body.extend(publications);
        body.extend([0; 3]);
        loaded(&seal(StateKind::Final, &body), LIMITS).map(|(_, loaded)| loaded.publications)
    };
    let publication = |kind: u8, payload: &[u8]| {
        [&5u64.to_le_bytes()[..], &[kind], &(payload.len() as u32).to_le_bytes(), payload].concat()
    };
    assert!(matches!(channel("a", 1, 1, &publication(0, b"x")), Ok(1)));
    assert!(matches!(channel("a", 9, 0, &[]), Ok(0)));
    for refused in [
        channel("bad", 1, 1, &publication(0, b"x")),
        channel("a", 0, 1, &publication(0, b"x")),
        channel("a", u64::MAX, 1, &publication(0, b"x")),
        channel("a", 1, 2, &publication(0, b"x")),
        channel("a", 1, 1, &publication(2, b"x")),
        channel("a", 1, 1, &publication(0, b"\xff")),
        channel("a", 1, 1, &publication(1, b"")),
    ] {
        assert!(matches!(refused, Err(StateError::Torn)), "{refused:?}");
    }
    for refused in
        [&b"\x03\0an"[..], b"\x03\0ann\0\0\0\0\0\0\0\0", b"\x01\0\xff\0\0\0\0\0\0\0\0\0\0", b"\x01\x01"]
    {
        assert!(
            loaded(&seal(StateKind::Final, &[&[0; 17], refused].concat()), LIMITS).is_err(),
            "{refused:?}"
        );
    }
    let twice = [&body[..body.len() - revoked_bytes() - 1], &body[16..]].concat();
    assert!(loaded(&seal(StateKind::Final, &twice), LIMITS).is_err(), "a channel is there twice");
}

#[test]
fn smaller_bounds_keep_the_newest() {
    let mut channels = Channels::new(LIMITS, 3);
    for n in 0..12 {
        let id = channels.open(&format!("c{n}").into(), 5 + n, 0);
        for len in [10, 5_000, 20, 30] {
            append(&mut channels, id, Message::Binary(&vec![n as u8; len]), n);
        }
    }
    let small = LogLimits { bytes: 1 << 10, publications: 2, sum_bytes: 1 << 13 };
    let (channels, loaded) = loaded(&written(&channels), small).unwrap();
    assert_eq!((channels.len(), loaded.channels_dropped), (8, 5));
    assert!(channels.log_bytes() <= small.sum_bytes);
    for (id, channel) in channels.iter().filter(|(id, _)| *id != DEFAULT) {
        let log = channel.log();
        assert_eq!(log.next_offset(), 5, "{id:?}");
        assert!(past(channel).publications.iter().all(|past| past.offset >= 3), "what was too large is gone");
    }
}

/// A snapshot of parts, each of a channel's publications from the one offset up to the other.
fn snapshot(parts: &[(&Channel, u64, u64)]) -> Vec<u8> {
    let mut writer = StateWriter::begin(Vec::new(), StateKind::Snapshot, COUNTERS).unwrap();
    for (channel, first, until) in parts {
        let mut made = Vec::new();
        push_part(&mut made, channel, *first..*until).unwrap();
        writer.parts(&made).unwrap();
    }
    let (mut bytes, header) = writer.end(REVOKED.into_iter()).unwrap();
    bytes[..HEADER_BYTES].copy_from_slice(&header);
    bytes
}

fn of_numbers(epoch: u64, count: u64) -> Channels {
    let mut channels = Channels::new(LIMITS, 3);
    let id = channels.open(&"news".into(), epoch, 0);
    (1..=count).for_each(|n| append(&mut channels, id, Message::Text(&format!("{epoch} {n}")), n));
    channels
}

#[test]
fn a_snapshot_comes_in_parts_and_begins_another_life() {
    let (all, later) = (of_numbers(5, 9), of_numbers(6, 2));
    let [news, reborn] = [&all, &later].map(|channels| channels.get(channels.find("news").unwrap()));
    let held = |parts: &[(&Channel, u64, u64)]| {
        let (channels, loaded) = loaded(&snapshot(parts), LIMITS)?;
        assert_eq!((loaded.kind, loaded.revoked.len()), (StateKind::Snapshot, 2));
        let channel = channels.get(channels.find("news").expect("it is there"));
        let publications = past(channel).publications;
        let text = |past: &Past<'_>| String::from_utf8_lossy(&past.payload).into_owned();
        let texts: Vec<String> = publications.iter().map(text).collect();
        assert_eq!(loaded.publications, texts.len() as u64);
        assert!(channel.epoch >= TERMS.new_epoch, "nobody's position is taken for one of it");
        Ok((channel.log().next_offset(), texts.join(",")))
    };
    assert_eq!(held(&[(news, 1, 3), (news, 3, 5)]).unwrap(), (5, "5 1,5 2,5 3,5 4".into()));
    // Some were evicted between the two.
    assert_eq!(held(&[(news, 1, 3), (news, 7, 9)]).unwrap(), (9, "5 7,5 8".into()));
    // It was forgotten and came back.
    assert_eq!(held(&[(news, 1, 9), (reborn, 1, 3)]).unwrap(), (3, "6 1,6 2".into()));
    assert!(matches!(held(&[(news, 1, 5), (news, 3, 9)]), Err(StateError::Torn)));
    // An epoch behind all that were given, also where the clock went back.
    let newest = of_numbers(9, 1);
    let newest = newest.get(newest.find("news").unwrap());
    let terms = Terms { new_epoch: 2, ..TERMS };
    let mut channels = Channels::new(LIMITS, 1);
    load(&snapshot(&[(newest, 1, 2)])[..], &mut channels, terms).unwrap();
    assert_eq!(channels.get(channels.find("news").unwrap()).epoch, 10);
    // A final state has each channel once.
    let mut parts = snapshot(&[(news, 1, 3), (news, 3, 5)]);
    parts = seal(StateKind::Final, &parts[HEADER_BYTES..]);
    assert!(matches!(loaded(&parts, LIMITS), Err(StateError::Torn)));
}

fn messages() -> impl Strategy<Value = Vec<(u8, bool, Vec<u8>, u64)>> {
    let message = (0u8..4, any::<bool>(), proptest::collection::vec(any::<u8>(), 1..400), 0u64..100_000);
    proptest::collection::vec(message, 0..80)
}

proptest! {
    #[test]
    fn a_state_comes_back_as_it_was(messages in messages(), wrap in any::<u32>()) {
        let mut channels = Channels::new(LIMITS, 3);
        channels.start_at(u64::from(wrap));
        let ids: Vec<ChannelId> = (0..3u64)
            .map(|n| channels.open(&format!("c{n}").into(), 10 + n, 0))
            .chain([DEFAULT])
            .collect();
        for (channel, is_text, bytes, unix_ms) in &messages {
            let text: String = bytes.iter().map(|&byte| char::from(byte)).collect();
            let message = if *is_text { Message::Text(&text) } else { Message::Binary(bytes) };
            append(&mut channels, ids[usize::from(*channel)], message, *unix_ms);
        }
        let bytes = written(&channels);
        let (again, _) = loaded(&bytes, LIMITS).unwrap();
        for (_, channel) in channels.iter() {
            let other = again.get(again.find(&channel.name).expect("it is there"));
            prop_assert_eq!(place(other), place(channel));
            prop_assert_eq!(past(other), past(channel));
        }
        prop_assert_eq!(written(&again), bytes);
    }

    /// Never a panic, whatever is in it.
    #[test]
    fn noise_is_refused(body in proptest::collection::vec(any::<u8>(), 0..200), raw in any::<bool>()) {
        let bytes = if raw { body } else { seal(StateKind::Final, &body) };
        let _ = loaded(&bytes, LIMITS).map(|_| ());
    }
}

//! Several channels at once, repetitions, and terms.

use super::super::tests::{shared, taken};
use super::*;
use crate::config::Config;
use crate::reactor::directory::Vacated;

fn publish(shared: &Shared, channels: &[&str], terms: PublishTerms<'_>) -> Result<Published, PushError> {
    say(shared, channels, "hi", terms)
}

fn say(
    shared: &Shared,
    channels: &[&str],
    text: &str,
    terms: PublishTerms<'_>,
) -> Result<Published, PushError> {
    shared.publish_all(Batch::of(channels, Message::Text(text), &terms)?, 5, Wake::Yes)
}

fn places(published: &Published) -> Vec<(&str, u64, u64)> {
    published.receipts.iter().map(|r| (&*r.channel, r.offset, r.id)).collect()
}

#[test]
fn several_channels_have_one_after_the_other() {
    let (shared, wakes) = shared(&Config::default());
    let terms = PublishTerms::default();
    publish(&shared, &["b"], terms).unwrap();
    let published = publish(&shared, &["a", "broadcast", "b"], terms).unwrap();
    assert_eq!(places(&published), [("a", 1, 2), ("broadcast", 1, 3), ("b", 2, 4)]);
    assert_eq!((published.duplicate, wakes.load(Ordering::Relaxed)), (false, 1));
    let commands = taken(&shared).commands;
    let logged: Vec<&Receipt> = commands
        .iter()
        .map(|command| match command {
            Command::Publish { receipt, publication } if publication.payload() == b"hi" => receipt,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(logged[1..], published.receipts.iter().collect::<Vec<_>>());
}

#[test]
fn all_of_them_or_none() {
    let config = Config { channels_max: 3, inbox_commands_max: 3, ..Config::default() };
    let (shared, _) = shared(&config);
    let terms = PublishTerms::default();
    for (channels, expected) in [
        (&["a", "a"][..], "named twice"),
        (&[], "no channel"),
        (&["a", "b c"], "a channel name has"),
        (&["a", "b", "c"], "channels_max"),
        (&["a", "b", "c", "d"], "4 publications at once (inbox_commands_max) are over the limit of 3"),
    ] {
        let refused = publish(&shared, channels, terms).unwrap_err().to_string();
        assert!(refused.contains(expected), "{channels:?}: {refused}");
    }
    let many: Vec<String> = (0..=PUBLISH_CHANNELS_MAX).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert!(matches!(publish(&shared, &many, terms), Err(PushError::TooMany { max: 256, .. })));
    publish(&shared, &["a", "b"], terms).unwrap();
    assert_eq!(publish(&shared, &["a", "b"], terms), Err(PushError::InboxFull), "there is room for one");
    assert_eq!(taken(&shared).commands.len(), 2);
    let again = publish(&shared, &["b", "a"], terms).unwrap();
    assert_eq!(places(&again), [("b", 2, 3), ("a", 2, 4)], "what was refused has taken no place");
}

#[test]
fn one_that_is_published_to_does_not_go_for_another() {
    let (shared, _) = shared(&Config { channels_max: 3, ..Config::default() });
    let terms = PublishTerms::default();
    let first = publish(&shared, &["a", "b"], terms).unwrap();
    for receipt in &first.receipts {
        assert_eq!(shared.vacate(&receipt.channel, receipt.epoch, Some(2)), Vacated::Kept);
    }
    taken(&shared);
    assert_eq!(
        publish(&shared, &["a", "c", "d"], terms),
        Err(PushError::TooManyChannels { max: 3 }),
        "b alone may go"
    );
    let published = publish(&shared, &["c", "a"], terms).unwrap();
    assert_eq!(places(&published), [("c", 1, 3), ("a", 2, 4)]);
    match &taken(&shared).commands[..] {
        [Command::Forget(gone), Command::Publish { .. }, Command::Publish { .. }] => {
            assert_eq!(&*gone.name, "b");
        }
        other => panic!("{other:?}"),
    }
    shared.with_directory(|directory| directory.audit());
}

#[test]
fn a_repetition_has_the_first_receipts() {
    let (shared, _) = shared(&Config::default());
    let terms = PublishTerms::default().idempotency_key("k");
    let first = publish(&shared, &["a", "b"], terms).unwrap();
    let again = publish(&shared, &["a", "b"], terms).unwrap();
    assert_eq!(again, Published { duplicate: true, ..first });
    assert_eq!(taken(&shared).commands.len(), 2);
    let plain = crate::push::PushOptions::default().compress(false);
    for other in [
        publish(&shared, &["a"], terms),
        publish(&shared, &["b", "a"], terms),
        publish(&shared, &["a", "b"], terms.options(plain)),
        publish(&shared, &["a", "b"], terms.if_offset(1)),
        say(&shared, &["a", "b"], "ho", terms),
    ] {
        assert_eq!(other, Err(PushError::KeyReused));
    }
    let other = publish(&shared, &["a", "b"], PublishTerms::default().idempotency_key("K")).unwrap();
    assert!(!other.duplicate);
    shared.stop();
    assert_eq!(publish(&shared, &["a", "b"], terms), Err(PushError::Stopped));
}

#[test]
fn one_that_was_refused_is_no_repetition_later() {
    let (shared, _) = shared(&Config { inbox_commands_max: 1, ..Config::default() });
    let terms = PublishTerms::default().idempotency_key("k");
    publish(&shared, &["a"], PublishTerms::default()).unwrap();
    assert_eq!(publish(&shared, &["a"], terms), Err(PushError::InboxFull));
    taken(&shared);
    let published = publish(&shared, &["a"], terms).unwrap();
    assert_eq!((places(&published), published.duplicate), (vec![("a", 2, 2)], false));
    assert!(publish(&shared, &["a"], terms).unwrap().duplicate, "also while the inbox is full");
}

#[test]
fn only_behind_the_newest_that_was_named() {
    let (shared, _) = shared(&Config::default());
    let at = |offset| PublishTerms::default().if_offset(offset);
    let differs = |channel: &str, epoch, offset| {
        Err(PushError::OffsetDiffers { channel: channel.into(), epoch, offset })
    };
    assert_eq!(publish(&shared, &["a"], at(1)), differs("a", 0, 0), "there is no such channel");
    let first = publish(&shared, &["a"], at(0)).unwrap().receipts.remove(0);
    assert_eq!(publish(&shared, &["a"], at(0)), differs("a", first.epoch, 1));
    assert_eq!(publish(&shared, &["b", "a"], at(0)), differs("a", first.epoch, 1));
    assert_eq!(publish(&shared, &["b c"], at(0)), Err(PushError::BadChannel));
    assert_eq!(publish(&shared, &["a"], at(1)).unwrap().receipts[0].offset, 2);
    assert!(publish(&shared, &["broadcast"], at(0)).is_ok());
    assert_eq!(publish(&shared, &["broadcast"], at(0)), differs("broadcast", 1_000, 1));
    // A repetition doesn't come too late.
    let once = at(2).idempotency_key("k");
    assert!(!publish(&shared, &["a"], once).unwrap().duplicate);
    assert!(publish(&shared, &["a"], once).unwrap().duplicate);
    assert_eq!(taken(&shared).commands.len(), 4);
}

#[test]
fn what_goes_to_many_counts_as_often() {
    let config = Config { inbox_bytes_max: 4_096, ..Config::default() };
    let (shared, _) = shared(&config);
    let text = "x".repeat(1_000);
    let terms = PublishTerms::default();
    let refused = say(&shared, &["a", "b", "c", "d", "e"], &text, terms);
    let expected = PushError::TooLarge { bytes: 5 * 1_004, max: 4_096, setting: "inbox_bytes_max" };
    assert_eq!(refused, Err(expected));
    assert!(say(&shared, &["a", "b", "c", "d"], &text, terms).is_ok());
    assert_eq!(say(&shared, &["a"], &text, terms), Err(PushError::InboxFull));
}

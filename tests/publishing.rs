//! `POST /push` to several channels, and on terms.

use serde_json::Value;

use crate::daemon::{Daemon, WebSocket};

fn push(daemon: &Daemon, query: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", &format!("/push?{query}"), &[], text.as_bytes());
    (response.status, response.json())
}

#[test]
fn to_several_channels_or_to_none() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=a&channel=b");
    let (status, answer) = push(&daemon, "channel=a&channel=c&channel=b", "hi");
    assert_eq!(status, 200, "{answer}");
    let publications = answer["publications"].as_array().expect("one for each channel");
    let place = |p: &Value| (p["channel"].to_string(), p["offset"].as_u64(), p["recipients"].as_u64());
    let expected = [("a", 1), ("c", 0), ("b", 1)].map(|(name, n)| (format!("{name:?}"), Some(1), Some(n)));
    assert_eq!(publications.iter().map(place).collect::<Vec<_>>(), expected);
    assert_eq!((client.text(), client.text()), ("hi".to_owned(), "hi".to_owned()));
    for (query, expected) in [
        ("channel=a&channel=a", 400),
        ("channel=a&channel=", 400),
        ("channel=a&channel=b%20c", 400),
        ("channel=a&conn=1", 400),
    ] {
        assert_eq!(push(&daemon, query, "no").0, expected, "{query}");
    }
    let many: Vec<String> = (0..257).map(|n| format!("channel=c{n}")).collect();
    let (status, answer) = push(&daemon, &many.join("&"), "no");
    assert!(status == 400 && answer["error"].as_str().is_some_and(|why| why.contains("256")), "{answer}");
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("publications"), 3);
}

#[test]
fn a_repetition_is_published_once() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=a");
    let (_, first) = push(&daemon, "channel=a&idempotency_key=k", "hi");
    assert_eq!((first.get("duplicate"), &first["recipients"]), (None, &1.into()));
    push(&daemon, "channel=a", "between");
    let (status, mut again) = push(&daemon, "idempotency_key=k&channel=a", "hi");
    assert_eq!((status, again["duplicate"].take()), (200, true.into()));
    again.as_object_mut().expect("an object").remove("duplicate");
    assert_eq!(again, first);
    for (query, text) in [("channel=a&idempotency_key=k", "ho"), ("idempotency_key=k", "hi")] {
        let (status, answer) = push(&daemon, query, text);
        assert!(
            status == 422 && answer["error"].as_str().is_some_and(|why| !why.contains("\"k\"")),
            "{answer}"
        );
    }
    assert_eq!((client.text(), client.text()), ("hi".to_owned(), "between".to_owned()));
    assert_eq!(client.sync(), []);
    // With the whole inbox, also for several channels.
    let (_, first) = push(&daemon, "channel=a&channel=b&idempotency_key=K", "hi");
    let (_, again) = push(&daemon, "channel=a&channel=b&idempotency_key=K", "hi");
    assert_eq!((&again["duplicate"], &again["publications"]), (&true.into(), &first["publications"]));
    assert_eq!(daemon.counter("publications"), 4);
}

#[test]
fn only_behind_the_newest() {
    let daemon = Daemon::start(&[]);
    let (status, answer) = push(&daemon, "channel=a&if_offset=3", "no");
    assert_eq!((status, &answer["channel"], &answer["offset"]), (409, &"a".into(), &0.into()), "{answer}");
    let (status, first) = push(&daemon, "channel=a&if_offset=0", "one");
    assert_eq!(status, 200, "{first}");
    let (status, answer) = push(&daemon, "channel=a&if_offset=0", "no");
    assert_eq!((status, &answer["epoch"], &answer["offset"]), (409, &first["epoch"], &1.into()), "{answer}");
    assert_eq!(push(&daemon, "channel=a&if_offset=1&idempotency_key=k", "two").0, 200);
    assert_eq!(push(&daemon, "channel=a&if_offset=1&idempotency_key=k", "two").1["duplicate"], true);
    assert_eq!(push(&daemon, "if_offset=0", "to everybody").0, 200);
    assert_eq!(push(&daemon, "if_offset=0", "no").0, 409);
    assert_eq!(push(&daemon, "channel=a&channel=broadcast&if_offset=1", "no").0, 409, "one of them differs");
    assert_eq!(daemon.counter("publications"), 3);
}

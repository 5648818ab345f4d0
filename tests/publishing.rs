//! `POST /push` to several channels, and on terms.

use serde_json::Value;

use crate::daemon::{Daemon, WebSocket};

fn push(daemon: &Daemon, query: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", &format!("/push?{query}"), &[], text.as_bytes());
    (response.status, response.json())
}

#[test]
fn to_several_channels_or_to_none() {
    let daemon = Daemon::start(&["--channels", "*"]);
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
    let daemon = Daemon::start(&["--channels", "*"]);
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
fn a_batch_is_all_or_nothing_and_in_order() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=a");
    let id = daemon.id_of(&client);
    let batch = |query: &str, lines: &[String]| {
        let response = daemon.ask("POST", &format!("/push/batch{query}"), &[], lines.join("\n").as_bytes());
        (response.status, response.json())
    };
    let mut lines: Vec<String> = (1..=300)
        .map(|n| match n % 3 {
            0 => format!("{{\"channel\":\"a\",\"data\":\"{n}\"}}"),
            1 => format!("{{\"channel\":\"broadcast\",\"data\":\"{n}\"}}"),
            _ => format!("{{\"conn\":\"{id}\",\"data\":\"{n}\"}}"),
        })
        .collect();
    let (status, answer) = batch("", &lines);
    let publications = answer["publications"].as_array().expect("one for each line");
    assert_eq!((status, publications.len()), (200, 300), "{answer}");
    assert!(publications.iter().all(|place| place["recipients"] == 1), "{answer}");
    assert_eq!(publications[299]["offset"], 100);
    // Each channel in its order, and what goes to the connection behind what came before it.
    let got: Vec<u32> = (1..=300).map(|_| client.text().parse().expect("a number")).collect();
    for rest in 0..3 {
        let part: Vec<u32> = got.iter().copied().filter(|n| n % 3 == rest).collect();
        assert!(part.is_sorted() && part.len() == 100, "{got:?}");
    }
    let at = |wanted| got.iter().position(|n| *n == wanted);
    assert!((1..=300).filter(|n| n % 3 == 2).all(|n| at(n) > at(n - 1)), "{got:?}");
    lines.insert(7, "{\"chanel\":\"a\",\"data\":\"x\"}".to_owned());
    let (status, answer) = batch("", &lines);
    assert!(
        status == 400 && answer["error"].as_str().is_some_and(|why| why.starts_with("line 8: ")),
        "{answer}"
    );
    assert_eq!(batch("?idempotency_key=k", &lines[..3]).0, 200);
    assert_eq!(batch("?idempotency_key=k", &lines[..3]).1["duplicate"], true);
    assert_eq!(batch("?idempotency_key=k", &lines[..2]).0, 422);
    assert_eq!(client.sync().len(), 3);
    assert_eq!(daemon.counter("publications"), 202);
    assert_eq!(daemon.ask("GET", "/push/batch", &[], b"").status, 405);
}

#[test]
fn only_behind_the_newest() {
    let daemon = Daemon::start(&["--channels", "*"]);
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

//! `GET /channels`, how a channel stands, and what it has had.

use serde_json::{Value, json};

use crate::daemon::{Daemon, WebSocket};

fn get(daemon: &Daemon, target: &str) -> Value {
    let response = daemon.ask("GET", target, &[], b"");
    assert_eq!(response.status, 200, "{target}: {}", response.json());
    response.json()
}

fn offsets(history: &Value) -> Vec<u64> {
    let publications = history["publications"].as_array().expect("publications");
    publications.iter().map(|publication| publication["offset"].as_u64().expect("an offset")).collect()
}

#[test]
fn every_channel_is_listed_once() {
    let daemon = Daemon::start(&["--channels", "*"]);
    for n in 0..25 {
        daemon.push_to(&format!("/push?channel=a.{n}"), "x");
    }
    let _client = WebSocket::open_at(&daemon, "/ws?channel=b");
    for (prefix, expected) in [("", 27), ("a.", 25), ("a.1", 11), ("b", 2), ("c", 0)] {
        let prefix = if prefix.is_empty() { String::new() } else { format!("&prefix={prefix}") };
        let (mut names, mut after) = (Vec::new(), String::new());
        loop {
            let page = get(&daemon, &format!("/channels?limit=4{prefix}{after}"));
            let channels = page["channels"].as_array().expect("channels");
            assert!(channels.len() <= 4);
            names.extend(channels.iter().map(|info| info["channel"].as_str().expect("a name").to_owned()));
            let Some(next) = page["next"].as_u64() else { break };
            assert_eq!(channels.len(), 4, "a page that is not the last is full");
            after = format!("&after={next}");
        }
        names.sort();
        names.dedup();
        assert_eq!(names.len(), expected, "{prefix}: {names:?}");
    }
    let head = daemon.ask("HEAD", "/channels", &[], b"");
    assert_eq!(head.status, 200);
}

#[test]
fn how_a_channel_stands() {
    let daemon = Daemon::start(&["--channels", "*", "--log-publications", "4"]);
    assert_eq!(daemon.ask("GET", "/channels/news", &[], b"").status, 404);
    assert_eq!(daemon.ask("GET", "/channels/news/history", &[], b"").status, 404);
    let mut receipt = Value::Null;
    for _ in 0..6 {
        receipt = daemon.push_to("/push?channel=news%2Feu", "0123456789");
    }
    let _client = WebSocket::open_at(&daemon, "/ws?channel=news/eu");
    let expected = json!({
        "channel": "news/eu", "epoch": receipt["epoch"], "offset": 6, "first": 3, "bytes": 48, "subscribers": 1,
        "members": 0
    });
    assert_eq!(get(&daemon, "/channels/news/eu"), expected);
    assert_eq!(get(&daemon, "/channels/news%2Feu/"), expected);
    let broadcast = get(&daemon, "/channels/broadcast");
    assert_eq!(
        (&broadcast["offset"], &broadcast["first"], &broadcast["subscribers"]),
        (&0.into(), &1.into(), &1.into())
    );
}

#[test]
fn what_a_channel_has_had() {
    let daemon = Daemon::start(&["--channels", "*", "--log-publications", "8"]);
    for n in 1..=11 {
        daemon.push_to("/push?channel=c", &format!("\"{n}\"\n"));
    }
    let bytes = [("Content-Type", "application/octet-stream")];
    let last = daemon.ask("POST", "/push?channel=c", &bytes, b"\xff").json();
    let (epoch, at) = (&last["epoch"], |query: &str| get(&daemon, &format!("/channels/c/history{query}")));
    let all = at("");
    assert_eq!((&all["channel"], &all["epoch"], &all["offset"]), (&"c".into(), epoch, &12.into()));
    assert_eq!((offsets(&all), all.get("missed")), ((5..=12).collect(), None));
    assert_eq!(
        (&all["publications"][0]["data"], &all["publications"][7]["base64"]),
        (&"\"5\"\n".into(), &"/w==".into())
    );
    let time = all["publications"][3]["time_ms"].as_u64().expect("milliseconds");
    assert!(time > 1_700_000_000_000, "{time}");
    for (query, expected) in [
        ("?limit=2", &[5, 6][..]),
        ("?limit=2&reverse=yes", &[12, 11]),
        ("?limit=2&reverse=no", &[5, 6]),
        ("?since=last:3", &[10, 11, 12]),
        ("?since=last:3&limit=2", &[10, 11]),
        ("?since=latest", &[12]),
        ("?since=head", &[]),
        ("?since=time:0&limit=1", &[5]),
    ] {
        let history = at(query);
        assert_eq!((offsets(&history), history.get("missed")), (expected.to_vec(), None), "{query}");
    }
    // Page by page, and told where something is gone.
    assert_eq!(offsets(&at(&format!("?since={epoch}.10"))), [11, 12]);
    assert_eq!(offsets(&at(&format!("?since={epoch}.12"))), [0; 0]);
    let gap = at(&format!("?since={epoch}.2&limit=1"));
    assert_eq!((offsets(&gap), &gap["missed"]), (vec![5], &json!({"from": 3, "to": 4})));
    let foreign = at("?since=7.11&limit=1");
    assert_eq!((offsets(&foreign), &foreign["missed"]), (vec![5], &json!({"from": 1, "to": 4})));
    for query in [
        "since=",
        "since=5",
        "since=last:0",
        "limit=0",
        "limit=1001",
        "reverse=",
        "from=1",
        "limit=1&limit=2",
    ] {
        assert_eq!(
            daemon.ask("GET", &format!("/channels/c/history?{query}"), &[], b"").status,
            400,
            "{query}"
        );
    }
}

#[test]
fn a_page_of_history_has_its_bounds() {
    let daemon = Daemon::start(&["--channels", "*", "--log-bytes", "2000000"]);
    let text = "x".repeat(100_000);
    for _ in 0..5 {
        daemon.push_to("/push?channel=c", &text);
    }
    daemon.push_to("/push?channel=c", &"y".repeat(300_000));
    let page = |query: &str| offsets(&get(&daemon, &format!("/channels/c/history{query}")));
    assert_eq!(page(""), [1, 2], "256 KiB");
    assert_eq!(page("?reverse=yes"), [6], "a large one is alone");
}

#[test]
fn forgotten_it_begins_anew_for_the_same_subscribers() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut client = WebSocket::open_at(&daemon, "/ws?channel=c");
    let first = daemon.push_to("/push?channel=c", "secret");
    assert_eq!(client.text(), "secret");
    daemon.wait_delivered(&first["receipt"]);
    assert_eq!(daemon.ask("DELETE", "/channels/d/history", &[], b"").status, 404);
    let response = daemon.ask("DELETE", "/channels/c/history", &[], b"");
    let info = response.json();
    assert_eq!(response.status, 200, "{info}");
    assert!(info["epoch"].as_u64() > first["epoch"].as_u64(), "{info}");
    let expected = [("offset", 0), ("first", 1), ("bytes", 0), ("subscribers", 1)];
    assert!(expected.iter().all(|(name, value)| info[name] == *value), "{info}");
    assert_eq!(offsets(&get(&daemon, "/channels/c/history")), [0; 0]);
    let gone = get(&daemon, &format!("/channels/c/history?since={}.0", first["epoch"]));
    assert_eq!(gone.get("missed"), None, "nothing of this life of it is gone");
    let second = daemon.push_to("/push?channel=c", "hello");
    assert_eq!(
        (&second["epoch"], &second["offset"], &second["recipients"]),
        (&info["epoch"], &1.into(), &1.into())
    );
    assert_eq!(client.text(), "hello");
    daemon.wait_delivered(&second["receipt"]);
    // Everybody's channel as well, with nobody there and again.
    daemon.push("to everybody");
    assert_eq!(client.text(), "to everybody");
    drop(client);
    daemon.wait_connections(0);
    for channel in ["broadcast", "c", "c"] {
        let path = format!("/channels/{channel}/history");
        assert_eq!(daemon.ask("DELETE", &path, &[], b"").status, 200, "{channel}");
        assert_eq!(daemon.push_to(&format!("/push?channel={channel}"), "x")["offset"], 1);
    }
}

#[test]
fn a_laggard_is_told_that_it_has_lost_something() {
    let daemon = Daemon::start(&["--channels", "*", "--slow-consumer", "close"]);
    let narrow = WebSocket::open_narrow(&daemon, "/ws?channel=c");
    let text = "x".repeat(200_000);
    daemon.push_until_full("/push?channel=c", |_| text.clone());
    // The full socket may have had the last one whole.
    daemon.push_to("/push?channel=c", &text);
    daemon.push_to("/push?channel=c", &text);
    crate::daemon::wait("everything is offered", || {
        daemon.ask("DELETE", "/channels/c/history", &[], b"").status == 200
    });
    let mut client = narrow;
    // The frame under way comes whole.
    assert_eq!(client.text().len(), text.len());
    let (code, _) = loop {
        match client.next() {
            Some(frame) if frame.opcode == 8 => {
                break (u16::from_be_bytes([frame.payload[0], frame.payload[1]]), ());
            }
            Some(frame) => assert_eq!(frame.payload.len(), text.len()),
            None => panic!("no close frame"),
        }
    };
    assert_eq!(code, 1013);
    assert_eq!(daemon.push_to("/push?channel=c", "x")["offset"], 1);
}

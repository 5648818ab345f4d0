//! Publications at a pace, over real sockets: who has got them. The simulator looks when they are written
//! (`tests/paced.rs`).

use serde_json::Value;

use crate::daemon::events::EventStream;
use crate::daemon::{Daemon, Http, WebSocket};
use crate::poll::poll;
use crate::v1::Client;
use crate::wire::HANDSHAKE;

fn push(daemon: &Daemon, query: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", &format!("/push{query}"), &[], text.as_bytes());
    (response.status, response.json())
}

fn delivery(daemon: &Daemon, receipt: &Value) -> Value {
    daemon.ask("GET", &format!("/stats?receipt={receipt}"), &[], b"").json()
}

/// A client that takes deflated frames. Its texts are too short to be.
fn deflating(daemon: &Daemon) -> WebSocket {
    let fields = [&HANDSHAKE[..], &[("Sec-WebSocket-Extensions", "permessage-deflate")]].concat();
    let mut http = Http::tcp(daemon.public);
    let response = http.ask("GET", "/ws", &fields, b"");
    WebSocket::from_upgrade(http, &response)
}

#[test]
fn all_transports_are_written_to_at_a_pace() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut plain: Vec<WebSocket> = (0..6).map(|_| WebSocket::open(&daemon)).collect();
    let mut deflated = deflating(&daemon);
    let mut v1 = Client::open(&daemon, "", &["broadcast"]);
    let mut sse = EventStream::open(&daemon, "/sse");
    let mut many = EventStream::open(&daemon, "/sse?channel=c");
    let mut lines = EventStream::open(&daemon, "/stream");
    let mut waiting = Http::tcp(daemon.public);
    let (_, tag, _) = poll(&mut waiting, "/poll", &[]);
    let request = waiting.request("GET", &format!("/poll?since={tag}"), &[], b"");
    waiting.send(&request);
    daemon.wait_connections(12);
    // One at once, and the next one not before a second is over.
    let (status, first) = push(&daemon, "?rate=1", "slowly");
    assert_eq!((status, &first["recipients"]), (200, &12.into()));
    let under_way = delivery(&daemon, &first["receipt"]);
    assert!(under_way["written"].as_u64().unwrap() < 12, "{under_way}");
    assert_eq!(under_way["lagging"].as_u64().unwrap() + under_way["written"].as_u64().unwrap(), 12);
    let metrics = daemon.ask("GET", "/metrics", &[], b"").body;
    let metrics = String::from_utf8(metrics).unwrap();
    assert!(metrics.contains("\nwspush_channels_paced 1\n"), "{metrics}");
    assert!(metrics.contains("\nwspush_publications_paced_total 1\n"), "{metrics}");
    // The next publication ends the pace.
    let (_, second) = push(&daemon, "", "at once");
    assert_eq!(daemon.wait_delivered(&second["receipt"])["lagging"], 0);
    assert_eq!(delivery(&daemon, &first["receipt"])["lagging"], 0);
    for client in plain.iter_mut().chain([&mut deflated]) {
        assert_eq!([client.text(), client.text()], ["slowly", "at once"]);
    }
    for wanted in ["slowly", "at once"] {
        assert_eq!(v1.next()["data"], wanted);
        assert_eq!(sse.data(), wanted);
        assert_eq!(many.data(), wanted);
    }
    let line = |stream: &mut EventStream| -> Value {
        serde_json::from_str(&stream.line().expect("a line")).expect("JSON")
    };
    assert!(line(&mut lines)["subscribed"].is_object());
    assert_eq!((&line(&mut lines)["data"], &line(&mut lines)["data"]), (&"slowly".into(), &"at once".into()));
    let (response, answered) = crate::poll::answer(&mut waiting);
    assert_eq!((response.status, &answered[0]["data"]), (200, &"slowly".into()));
}

#[test]
fn a_deadline_is_met_without_more() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open_at(&daemon, "/ws?channel=c")).collect();
    let batch = b"{\"channel\":\"c\",\"data\":\"1\",\"deadline_ms\":300}\n\
                  {\"channel\":\"broadcast\",\"data\":\"2\",\"rate\":200}";
    let response = daemon.ask("POST", "/push/batch", &[], batch);
    let answer = response.json();
    assert_eq!(response.status, 200, "{answer}");
    for at in 0..2 {
        let delivered = daemon.wait_delivered(&answer["publications"][at]["receipt"]);
        assert_eq!((&delivered["written"], &delivered["lagging"]), (&20.into(), &0.into()));
    }
    for client in &mut clients {
        let mut both = [client.text(), client.text()];
        both.sort();
        assert_eq!(both, ["1", "2"]);
    }
}

#[test]
fn several_reactors_keep_a_pace_and_a_deadline_together() {
    let daemon = Daemon::start(&["--channels", "*", "--reactors", "3"]);
    let mut clients: Vec<WebSocket> = (0..60).map(|_| WebSocket::open_at(&daemon, "/ws?channel=c")).collect();
    let (status, first) = push(&daemon, "?channel=c&rate=3", "slowly");
    assert_eq!((status, &first["recipients"]), (200, &60.into()));
    let mut under_way = Value::Null;
    // They write in turn, so the first may be some tenths of a second away when all have it.
    crate::daemon::wait("all reactors to have it, and one to write", || {
        under_way = delivery(&daemon, &first["receipt"]);
        under_way["recipients"] == 60 && under_way["written"] != 0
    });
    // Three a second in all; they last for twenty seconds.
    let written = under_way["written"].as_u64().unwrap();
    assert!(written < 60 && under_way["lagging"] == 60 - written, "{under_way}");
    assert_eq!(under_way["last_us"], Value::Null, "{under_way}");
    let (_, second) = push(&daemon, "?channel=c&deadline_ms=300", "in time");
    let (_, third) = push(&daemon, "?channel=c", "at once");
    for receipt in [&first, &second, &third].map(|answer| &answer["receipt"]) {
        let delivered = daemon.wait_delivered(receipt);
        assert_eq!((&delivered["recipients"], &delivered["written"]), (&60.into(), &60.into()));
    }
    for client in &mut clients {
        assert_eq!([client.text(), client.text(), client.text()], ["slowly", "in time", "at once"]);
    }
    let (_, last) = push(&daemon, "?channel=c&deadline_ms=300", "last");
    assert_eq!(daemon.wait_delivered(&last["receipt"])["written"], 60);
    clients.iter_mut().for_each(|client| assert_eq!(client.text(), "last"));
}

#[test]
fn an_urgent_channel_comes_first_at_each_reactor() {
    let rules = ["--channel-rule", "urgent priority=high", "--channel-rule", "bulk priority=low"];
    let daemon = Daemon::start(&[&["--channels", "*", "--reactors", "3"], &rules[..]].concat());
    let target = "/ws?broadcast=no&channel=bulk&channel=other&channel=urgent";
    let mut clients: Vec<WebSocket> = (0..9).map(|_| WebSocket::open_at(&daemon, target)).collect();
    let batch = [("bulk", 3), ("other", 2), ("urgent", 1)];
    let line = |(channel, text)| format!("{{\"channel\":\"{channel}\",\"data\":\"{text}\"}}\n");
    for _ in 0..20 {
        let answer = daemon.ask("POST", "/push/batch", &[], batch.map(line).concat().as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        for client in &mut clients {
            assert_eq!([client.text(), client.text(), client.text()], ["1", "2", "3"]);
        }
    }
}

#[test]
fn what_is_no_pace_is_refused_and_nothing_is_published() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let client = WebSocket::open_at(&daemon, "/ws");
    let conn = daemon.id_of(&client);
    for (query, reason) in [
        ("?rate=0", "rate is 0, and not a number from 1 to 1000000"),
        ("?rate=1000001", "rate is 1000001, and not a number from 1 to 1000000"),
        ("?rate=", "rate is empty; give it a value, or leave it out"),
        ("?rate=1&rate=1", "rate is there more than once; this path takes one parameter rate"),
        ("?deadline_ms=0", "deadline_ms is 0, and not a number from 1 to 3600000"),
        ("?deadline_ms=1.5", "deadline_ms is not a number from 1 to 3600000"),
        ("?rate=1&deadline_ms=5", "rate and deadline_ms exclude each other"),
        (&format!("?conn={conn}&rate=5"), "rate and deadline_ms go with channels, not with conn and user"),
        ("?user=ann&deadline_ms=5", "rate and deadline_ms go with channels, not with conn and user"),
    ] {
        let (status, answer) = push(&daemon, query, "x");
        assert_eq!((status, answer["error"].as_str().unwrap()), (400, reason), "{query}");
    }
    // Another pace under the same key is another push.
    assert_eq!(push(&daemon, "?idempotency_key=k&rate=5", "x").0, 200);
    assert_eq!(push(&daemon, "?idempotency_key=k&rate=6", "x").0, 422);
    assert_eq!(push(&daemon, "?idempotency_key=k&rate=5", "x").1["duplicate"], true);
    assert_eq!(daemon.counter("publications"), 1);
}

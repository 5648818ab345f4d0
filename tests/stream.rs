//! Envelopes on lines over real sockets: `GET /stream`.

use serde_json::{Value, json};

use crate::daemon::events::EventStream;
use crate::daemon::{Daemon, Http};

fn next(stream: &mut EventStream) -> Value {
    let line = stream.line().expect("a line, not the end");
    serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line:?}"))
}

#[test]
fn it_says_where_it_stands_and_then_what_comes() {
    let daemon = Daemon::start(&["--channels", "*"]);
    daemon.push("1");
    let receipt = daemon.push("2");
    let epoch = receipt["epoch"].to_string();
    let mut stream = EventStream::open(&daemon, &format!("/stream?since={epoch}.1&channel=c"));
    assert_eq!(stream.head.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(stream.head.header("transfer-encoding"), Some("chunked"));
    let mut subscribed = [next(&mut stream), next(&mut stream)];
    subscribed.sort_by_key(|one| one["subscribed"]["channel"].to_string());
    let all = json!({"subscribed": {"channel": "broadcast", "epoch": epoch, "offset": 1, "recovered": true}});
    assert_eq!(subscribed[0], all);
    assert_eq!(
        (&subscribed[1]["subscribed"]["channel"], &subscribed[1]["subscribed"]["offset"]),
        (&"c".into(), &0.into())
    );
    let publication = |offset: u64, data: &str| {
        let (channel, epoch) = ("broadcast", epoch.as_str());
        json!({"channel": channel, "epoch": epoch, "offset": offset, "data": data})
    };
    assert_eq!(next(&mut stream), publication(2, "2"));
    daemon.push("3\r\n");
    assert_eq!(next(&mut stream), publication(3, "3\r\n"));
    daemon.push_to("/push?channel=c", "in c");
    assert_eq!(next(&mut stream)["data"], "in c");
}

#[test]
fn it_is_told_as_in_wspush_v1() {
    let daemon = Daemon::start(&["--log-publications", "2"]);
    for n in 0..5 {
        daemon.push(&n.to_string());
    }
    let mut stream = EventStream::open(&daemon, "/stream?since=7.1");
    assert_eq!(next(&mut stream)["subscribed"]["recovered"], false);
    let missed = next(&mut stream)["missed"].clone();
    assert_eq!((&missed["from"], &missed["to"]), (&1.into(), &5.into()));
    let id = daemon.id_of_client(stream.socket());
    let ask = |method: &str, target: &str| {
        assert_eq!(daemon.ask(method, target, &[], if method == "POST" { b"you" } else { b"" }).status, 200);
    };
    ask("POST", &format!("/push?conn={id}"));
    assert_eq!(next(&mut stream), json!({"message": {"data": "you"}}));
    ask("POST", &format!("/connections/{id}/subscribe?channel=more"));
    assert_eq!(next(&mut stream)["subscribed"]["channel"], "more");
    ask("POST", &format!("/connections/{id}/unsubscribe?channel=more"));
    assert_eq!(next(&mut stream)["unsubscribed"]["channel"], "more");
    ask("DELETE", &format!("/connections/{id}?code=4000&reason=enough"));
    assert_eq!(next(&mut stream), json!({"closed": {"code": 4000, "reason": "enough"}}));
    assert_eq!(stream.line(), None);
}

#[test]
fn silence_is_filled_with_blanks() {
    let daemon = Daemon::start(&["--heartbeat-ms", "100"]);
    let mut stream = EventStream::open(&daemon, "/stream");
    let _ = next(&mut stream);
    daemon.wait_stats("two heartbeats", |stats| stats["counters"]["pings_sent"].as_u64() >= Some(2));
    daemon.push("x");
    let line = stream.line().unwrap();
    assert!(line.starts_with("  {"), "{line:?}");
    assert_eq!(serde_json::from_str::<Value>(&line).unwrap()["data"], "x");
}

#[test]
fn other_requests() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let head = http.ask("HEAD", "/stream", &[], b"");
    assert_eq!((head.status, head.header("content-type")), (200, Some("application/x-ndjson")));
    assert_eq!(http.ask("OPTIONS", "/stream", &[("Origin", "http://a.example")], b"").status, 204);
    assert_eq!(http.ask("GET", "/stream?format=json", &[], b"").status, 400);
    http.send(b"GET /stream HTTP/1.0\r\n\r\n");
    assert_eq!(http.response().status, 505);
}

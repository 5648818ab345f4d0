//! Server-Sent Events over real sockets.

mod asking;

use serde_json::{Value, json};

#[cfg(feature = "tls")]
use crate::daemon::events::Reader;
use crate::daemon::events::{Event, EventStream};
use crate::daemon::websocket::narrow_socket;
use crate::daemon::{Daemon, Http, WebSocket};

/// The event's data as JSON.
fn json(event: &Event) -> Value {
    serde_json::from_str(&event.data).unwrap_or_else(|e| panic!("{e}: {event:?}"))
}

fn position(receipt: &Value) -> String {
    format!("{}.{}", receipt["epoch"], receipt["offset"])
}

/// Reads until a client would come back with this id.
fn wait_id(stream: &mut EventStream, wanted: &str) {
    loop {
        let event = stream.reader.event();
        if stream.reader.id == wanted {
            return;
        }
        assert!(event.is_some() || stream.read(), "the end came instead of the id {wanted}");
    }
}

#[test]
fn it_begins_at_once() {
    let daemon = Daemon::start(&[]);
    let receipt = daemon.push("before");
    let mut stream = EventStream::open(&daemon, "/sse");
    assert_eq!(stream.head.status, 200);
    for (name, value) in [
        ("Content-Type", "text/event-stream"),
        ("Cache-Control", "no-store, no-transform"),
        ("X-Accel-Buffering", "no"),
        ("Transfer-Encoding", "chunked"),
        ("Vary", "Origin"),
    ] {
        assert_eq!(stream.head.header(name), Some(value), "{name}");
    }
    assert_eq!(stream.head.header("content-length"), None);
    wait_id(&mut stream, &position(&receipt));
    assert_eq!(stream.reader.retry_ms, Some(3_000));
    let receipt = daemon.push("after");
    let event = Event { name: String::new(), data: "after".to_owned(), id: position(&receipt) };
    assert_eq!(stream.next(), Some(event));
    assert_eq!(daemon.wait_delivered(&receipt["receipt"])["written"], 1);
}

#[test]
fn payloads_arrive_as_they_are_but_for_the_ends_of_their_lines() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse");
    for (text, data) in [
        ("a\nb", "a\nb"),
        ("a\r\nb\rc", "a\nb\nc"),
        ("\r\n", "\n"),
        (" b", " b"),
        ("id: 7\nretry: 1\n\ndata: x", "id: 7\nretry: 1\n\ndata: x"),
        ("\u{feff}a\0b\u{2028}", "\u{feff}a\0b\u{2028}"),
    ] {
        daemon.push(text);
        assert_eq!(stream.data(), data, "{text:?}");
    }
    assert_eq!(stream.reader.retry_ms, Some(3_000));
    let binary = [("Content-Type", "application/octet-stream")];
    assert_eq!(daemon.ask("POST", "/push", &binary, b"\0\xff\n").status, 200);
    let event = stream.next().unwrap();
    assert_eq!((event.name.as_str(), event.data.as_str()), ("wspush.binary", "AP8K"));
}

#[test]
fn the_envelope_if_it_is_asked_for() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse?format=json");
    let receipt = daemon.push("a\r\n\"b\"");
    let epoch = receipt["epoch"].to_string();
    let event = stream.next().unwrap();
    let expected = json!({"channel": "broadcast", "epoch": epoch, "offset": 1, "data": "a\r\n\"b\""});
    assert_eq!((json(&event), event.id, event.name.as_str()), (expected, position(&receipt), ""));
    let id = daemon.id_of_client(stream.socket());
    assert_eq!(daemon.ask("POST", &format!("/push?conn={id}"), &[], b"you").status, 200);
    assert_eq!(json(&stream.next().unwrap()), json!({"message": {"data": "you"}}));
}

#[test]
fn a_message_to_one_stream_has_no_id() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse");
    let receipt = daemon.push("all");
    assert_eq!(stream.data(), "all");
    let id = daemon.id_of_client(stream.socket());
    assert_eq!(daemon.ask("POST", &format!("/push?conn={id}"), &[], b"you").status, 200);
    let event = stream.next().unwrap();
    assert_eq!((event.data.as_str(), event.id), ("you", position(&receipt)), "the id of the event before it");
}

#[test]
fn who_comes_back_loses_nothing() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse");
    daemon.push("1");
    assert_eq!(stream.data(), "1");
    let id = stream.reader.id.clone();
    drop(stream);
    daemon.push("2");
    daemon.push("3");
    let resumed = |target: &str, fields: &[(&str, &str)]| {
        let mut stream = EventStream::open_with(&daemon, target, fields);
        [stream.data(), stream.data()]
    };
    let expected = ["2".to_owned(), "3".to_owned()];
    assert_eq!(resumed("/sse", &[("Last-Event-ID", &id)]), expected);
    assert_eq!(resumed(&format!("/sse?last_event_id={id}"), &[]), expected);
    assert_eq!(resumed(&format!("/sse?lastEventId={id}&since=earliest"), &[]), expected);
    assert_eq!(resumed(&format!("/sse?since={id}"), &[]), expected);
    // The header is what the browser knows; the page's parameter is older.
    let first = id.replace(".1", ".0");
    assert_eq!(resumed(&format!("/sse?last_event_id={first}"), &[("Last-Event-ID", &id)]), expected);
    let mut fresh = EventStream::open(&daemon, "/sse?since=last:3");
    assert_eq!([fresh.data(), fresh.data(), fresh.data()], ["1", "2", "3"]);
}

#[test]
fn an_id_that_is_none_is_never_refused() {
    let daemon = Daemon::start(&[]);
    daemon.push("before");
    let long = "9".repeat(4_000);
    for id in ["", "garbage", "1", "1.2.3", "~", "x~", "broadcast~", ",,,", "\u{1f600}", "0x1.2", &long] {
        let mut stream = EventStream::open_with(&daemon, "/sse", &[("Last-Event-ID", id)]);
        assert_eq!(stream.head.status, 200, "{id:?}");
        let receipt = daemon.push("after");
        let event = stream.next().unwrap();
        assert_eq!((event.data.as_str(), event.id), ("after", position(&receipt)), "{id:?}");
    }
    for query in ["last_event_id=", "last_event_id", "lastEventId=%ff%00"] {
        let stream = EventStream::open(&daemon, &format!("/sse?{query}"));
        assert_eq!(stream.head.status, 200, "{query}");
    }
}

#[test]
fn what_is_gone_is_told() {
    let daemon = Daemon::start(&["--log-publications", "2"]);
    let mut receipt = Value::Null;
    for n in 1..=5 {
        receipt = daemon.push(&n.to_string());
    }
    let epoch = receipt["epoch"].to_string();
    let told = |id: &str| {
        let mut stream = EventStream::open_with(&daemon, "/sse", &[("Last-Event-ID", id)]);
        let missed = stream.next().unwrap();
        assert_eq!(missed.name, "wspush.missed");
        let id = stream.reader.id.clone();
        (json(&missed), id)
    };
    let missed = |from| json!({"channel": "broadcast", "epoch": epoch, "from": from, "to": 5});
    assert_eq!(told(&format!("{epoch}.1")), (missed(2), position(&receipt)));
    assert_eq!(told("1.7"), (missed(1), position(&receipt)), "of another life");
    assert_eq!(told(&format!("{epoch}.6")).0, missed(1), "not published yet");
}

#[test]
fn several_channels_have_their_positions_behind_what_they_had() {
    let daemon = Daemon::start(&["--channels", "*"]);
    let target = "/sse?channel=a~b&channel=c&format=json";
    let in_a = daemon.push_to("/push?channel=a~b", "a0");
    let mut stream = EventStream::open(&daemon, target);
    let in_c = daemon.push_to("/push?channel=c", "c1");
    let all = daemon.push("all");
    let expected = format!("broadcast~{},a~b~{},c~{}", position(&all), position(&in_a), position(&in_c));
    wait_id(&mut stream, &expected);
    let id = stream.reader.id.clone();
    drop(stream);
    let in_a = daemon.push_to("/push?channel=a~b", "a1");
    let in_c = daemon.push_to("/push?channel=c", "c2");
    let all = daemon.push("all 2");
    let mut stream = EventStream::open_with(&daemon, target, &[("Last-Event-ID", &id)]);
    let mut seen: Vec<String> =
        (0..3).map(|_| json(&stream.next().unwrap())["data"].as_str().unwrap().to_owned()).collect();
    seen.sort();
    assert_eq!(seen, ["a1", "all 2", "c2"]);
    let expected = format!("broadcast~{},a~b~{},c~{}", position(&all), position(&in_a), position(&in_c));
    wait_id(&mut stream, &expected);
    // A channel that has come to the page since begins where its parameter says.
    let more = format!("{target}&channel=d&since=earliest");
    daemon.push_to("/push?channel=d", "d1");
    let mut stream = EventStream::open_with(&daemon, &more, &[("Last-Event-ID", &stream.reader.id)]);
    assert_eq!(json(&stream.next().unwrap())["data"], "d1");
}

#[test]
fn without_a_channel_there_is_no_position() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse?broadcast=no");
    let id = daemon.id_of_client(stream.socket());
    daemon.push("not for it");
    assert_eq!(daemon.ask("POST", &format!("/push?conn={id}"), &[], b"you").status, 200);
    assert_eq!(stream.next(), Some(Event { data: "you".to_owned(), ..Event::default() }));
}

#[test]
fn a_stream_of_one_channel_gets_a_second_one() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse");
    let id = daemon.id_of_client(stream.socket());
    let first = daemon.push("1");
    assert_eq!(
        daemon.ask("POST", &format!("/connections/{id}/subscribe?channel=more"), &[], b"").status,
        200
    );
    let second = daemon.push_to("/push?channel=more", "2");
    let third = daemon.push("3");
    assert_eq!([stream.data(), stream.data(), stream.data()], ["1", "2", "3"]);
    assert_eq!((&first["offset"], &third["offset"]), (&1.into(), &2.into()));
    wait_id(&mut stream, &format!("broadcast~{},more~{}", position(&third), position(&second)));
    assert_eq!(
        daemon.ask("POST", &format!("/connections/{id}/unsubscribe?channel=broadcast"), &[], b"").status,
        200
    );
    wait_id(&mut stream, &format!("more~{}", position(&second)));
    daemon.push("4");
    let last = daemon.push_to("/push?channel=more", "5");
    assert_eq!(stream.data(), "5");
    wait_id(&mut stream, &format!("more~{}", position(&last)));
}

#[test]
fn a_silent_stream_has_comments() {
    let daemon = Daemon::start(&["--heartbeat-ms", "100"]);
    let mut stream = EventStream::open(&daemon, "/sse");
    while stream.reader.comments.len() < 3 {
        assert_eq!(stream.reader.event(), None);
        assert!(stream.read());
    }
    assert!(stream.reader.comments.iter().all(String::is_empty));
    daemon.push("still there");
    assert_eq!(stream.data(), "still there");
    let silent = Daemon::start(&["--heartbeat-ms", "0"]);
    let mut stream = EventStream::open(&silent, "/sse");
    silent.push("x");
    assert_eq!((stream.data(), stream.reader.comments.len()), ("x".to_owned(), 0));
}

/// As to WebSockets, in both ways to deal with slow consumers.
#[test]
fn a_slow_reader_is_told_what_it_misses_or_to_come_back() {
    let text = "x".repeat(4_000);
    for (policy, target) in [("skip", "/sse"), ("close", "/sse"), ("skip", "/sse?channel=public.a")] {
        let daemon = Daemon::start(&["--log-publications", "8", "--slow-consumer", policy]);
        let http = Http::over(narrow_socket(&daemon));
        let request = http.request("GET", target, &[], b"");
        let mut stream = EventStream::over(http, &request);
        let mut newest = Value::Null;
        let counter = if policy == "skip" { "slow_skipped" } else { "slow_cut" };
        let is_slow = || {
            daemon.counter(counter) > 0
                || daemon.stats()["counters"]["closed"]["slow_consumer"] != 0
                || daemon.stats()["closing"] != 0
        };
        while !is_slow() {
            newest = daemon.push(&text);
        }
        let (mut expected, mut told) = (1, 0);
        let end = newest["offset"].as_u64().unwrap();
        while let Some(event) = stream.next() {
            if event.name == "wspush.missed" {
                let missed = json(&event);
                assert_eq!(missed["from"], expected, "no gap that is not told");
                (expected, told) = (missed["to"].as_u64().unwrap() + 1, told + 1);
            } else {
                assert_eq!(event.data, text);
                expected += 1;
            }
            if policy == "skip" && expected > end {
                break;
            }
        }
        if policy == "skip" {
            assert!(told > 0);
        } else {
            let id = format!("{}.{}", newest["epoch"], expected - 1);
            assert_eq!((told, stream.reader.id.as_str()), (0, &*id), "its client knows where it was");
            assert!(stream.reader.retry_ms.is_some_and(|ms| ms != 3_000));
            assert!(stream.reader.comments.iter().any(|text| text.contains("slow consumer")));
        }
    }
}

#[test]
fn the_drain_spreads_those_who_come_back() {
    let mut daemon = Daemon::start(&[]);
    let mut streams: Vec<EventStream> = (0..8).map(|_| EventStream::open(&daemon, "/sse")).collect();
    daemon.push("last");
    daemon.signal("TERM");
    let mut times = Vec::new();
    for stream in &mut streams {
        assert_eq!(stream.data(), "last");
        assert_eq!(stream.next(), None);
        assert!(stream.reader.is_over, "the last chunk");
        times.push(stream.reader.retry_ms.unwrap());
    }
    times.sort_unstable();
    times.dedup();
    assert!(times.len() == 8 && times[0] >= 1_000 && times[7] <= 10_000, "{times:?}");
    drop(streams);
    assert!(daemon.wait_exit().success());
}

#[test]
fn the_operator_ends_it() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::open(&daemon, "/sse");
    let id = daemon.id_of_client(stream.socket());
    let target = format!("/connections/{id}?code=4000&reason=enough%0Aof%20you");
    assert_eq!(daemon.ask("DELETE", &target, &[], b"").status, 200);
    assert_eq!(stream.next(), None);
    assert_eq!(
        (stream.reader.comments.as_slice(), stream.reader.retry_ms),
        (&["4000 enough of you".to_owned()][..], Some(3_000))
    );
    drop(stream);
    daemon.wait_connections(0);
    assert_eq!(daemon.stats()["counters"]["closed"]["admin"], 1);
}

#[test]
fn one_publication_reaches_all_in_one_order() {
    let daemon = Daemon::start(&[]);
    let mut ws = WebSocket::open(&daemon);
    let mut raw = EventStream::open(&daemon, "/sse");
    let mut enveloped = EventStream::open(&daemon, "/sse?format=json");
    let mut several = EventStream::open(&daemon, "/sse?channel=public.a");
    for n in 0..50 {
        daemon.push(&n.to_string());
    }
    for n in 0..50 {
        let n = n.to_string();
        assert_eq!((ws.text(), raw.data(), several.data()), (n.clone(), n.clone(), n.clone()));
        assert_eq!(json(&enveloped.next().unwrap())["data"], n);
    }
    let page = daemon.ask("GET", "/connections", &[], b"").json();
    let endpoints: Vec<&str> =
        page["connections"].as_array().unwrap().iter().map(|one| one["endpoint"].as_str().unwrap()).collect();
    assert_eq!(endpoints, ["ws", "sse", "sse", "sse"]);
}

#[cfg(feature = "tls")]
#[test]
fn over_tls() {
    use crate::daemon::tls::{Authority, TlsClient};
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    let mut client = TlsClient::connect(daemon.public, authority.client().config()).unwrap();
    client.ask("/sse", &[]);
    assert!(client.head().starts_with("HTTP/1.1 200 "));
    let mut reader = Reader::new(true);
    let mut next = |client: &mut TlsClient| loop {
        reader.take(&client.take());
        if let Some(event) = reader.event() {
            return event.data;
        }
        assert!(client.receive().unwrap() > 0 || client.end.is_none(), "the end came");
    };
    let long = "x".repeat(100_000);
    for text in ["short", &long, "last"] {
        daemon.push(text);
        assert_eq!(next(&mut client), text);
    }
}

#[cfg(feature = "auth")]
#[test]
fn tokens_let_in_and_their_end_ends_the_stream() {
    use std::time::{SystemTime, UNIX_EPOCH};
    use wspush::auth::{Claims, Rights, Rules, issue};
    const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let token = |expires_s| {
        let rights = Rights { expires_s: Some(expires_s), ..Rights::default() };
        let claims = Claims {
            user: Some("ann".to_owned()),
            channels: vec!["hers".to_owned()],
            rights,
            ..Claims::default()
        };
        issue(SECRET, &claims, &Rules::default(), now_s).unwrap()
    };
    let flags = ["--auth", "required", "--auth-secret", SECRET, "--auth-cookie", "session"];
    let daemon = Daemon::start(&flags);
    let good = token(now_s + 600);
    let (bearer, cookie) = (format!("Bearer {good}"), format!("session={good}"));
    let protocol = format!("wspush.bearer.{good}");
    let query = format!("/sse?token={good}");
    for (target, fields) in [
        ("/sse", [("Authorization", bearer.as_str())]),
        ("/sse", [("Sec-WebSocket-Protocol", &protocol)]),
        ("/sse", [("Cookie", &cookie)]),
        (&query, [("X", "y")]),
    ] {
        let mut stream = EventStream::open_with(&daemon, target, &fields);
        assert_eq!(stream.head.status, 200, "{target}");
        daemon.push_to("/push?channel=hers", "hers");
        assert_eq!(stream.data(), "hers");
    }
    let refused = Http::tcp(daemon.public).ask("GET", "/sse", &[("Accept", "text/event-stream")], b"");
    assert_eq!(refused.status, 401, "who has to log in is not to try again");
    // Within the leeway that clocks have.
    let mut ending = EventStream::open(&daemon, &format!("/sse?token={}", token(now_s - 3)));
    assert_eq!(ending.next(), None);
    assert!(ending.reader.comments.iter().any(|text| text.contains("expired")), "{:?}", ending.reader);
}

//! `GET /stats` and `GET /metrics`: that the numbers are there, and that they are right.

use std::collections::HashMap;

use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::{BINARY, HANDSHAKE, masked};
use serde_json::Value;

/// The samples of a Prometheus exposition, after it was checked line by line.
fn samples(text: &str) -> HashMap<String, f64> {
    assert!(text.ends_with('\n'));
    let (mut samples, mut families, mut family) =
        (HashMap::new(), Vec::new(), (String::new(), String::new()));
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, help) = help.split_once(' ').expect("a name and a help");
            assert!(!families.contains(&name.to_owned()) && !help.is_empty(), "{line}");
            families.push(name.to_owned());
            family.0 = name.to_owned();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            let (name, kind) = kind.split_once(' ').expect("a name and a type");
            assert!(name == family.0 && matches!(kind, "counter" | "gauge" | "histogram"), "{line}");
            assert_eq!(kind == "counter", name.ends_with("_total"), "{line}");
            family.1 = kind.to_owned();
        } else {
            let (name, value) = line.rsplit_once(' ').expect("a name and a value");
            let part = name.split('{').next().and_then(|name| name.strip_prefix(&family.0));
            let parts: &[_] = if family.1 == "histogram" { &["_bucket", "_sum", "_count"] } else { &[""] };
            assert!(part.is_some_and(|part| parts.contains(&part)), "{line}");
            if let Some((_, labels)) = name.split_once('{') {
                let label = labels.strip_suffix("\"}").and_then(|label| label.split_once("=\""));
                assert!(label.is_some_and(|(key, value)| !key.is_empty() && !value.contains('"')), "{line}");
            }
            let value: f64 = value.parse().expect("a number");
            assert!(samples.insert(name.to_owned(), value).is_none(), "{line} is there twice");
        }
    }
    samples
}

fn metrics(daemon: &Daemon) -> HashMap<String, f64> {
    let response = daemon.ask("GET", "/metrics", &[], b"");
    assert_eq!(response.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    samples(&response.text())
}

#[test]
fn a_new_server_has_everything_at_zero() {
    let daemon = Daemon::start(&["--max-connections", "1000", "--log-bytes", "2000000"]);
    let stats = daemon.stats();
    assert_eq!(stats["version"], env!("CARGO_PKG_VERSION"));
    for key in ["connections", "handshaking", "closing", "blocked", "inbox_commands"] {
        assert_eq!(stats[key], 0, "{key}");
    }
    assert_eq!((&stats["channels"], &stats["admin_connections"]), (&1.into(), &1.into()));
    assert_eq!(stats["draining"], false);
    let limits = &stats["limits"];
    assert_eq!((&limits["max_connections"], &limits["log_bytes"]), (&1000.into(), &2_000_000.into()));
    assert_eq!((&limits["message_bytes_max"], &limits["log_publications"]), (&65_536.into(), &1024.into()));
    assert!(stats["memory"]["rss_bytes"].as_u64() > Some(100_000));
    assert!(stats["memory"]["slot_bytes"].as_u64() <= Some(48), "an idle connection has 48 bytes");
    assert_eq!(daemon.ask("GET", "/stats?recipt=1", &[], b"").status, 400);
}

#[test]
fn the_numbers_add_up() {
    const CLIENTS: u64 = 7;
    const PUSHES: u64 = 5;
    let daemon = Daemon::start(&["--demo"]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    let _other = WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    let before = daemon.stats();
    let count = |stats: &Value, name: &str| stats["counters"][name].as_u64().expect("a counter");
    for _ in 0..PUSHES {
        let answer = daemon.push("hello");
        daemon.wait_delivered(&answer["receipt"]);
    }
    let receipt = daemon.push_to("/push?channel=public.a", "a")["receipt"].clone();
    daemon.wait_delivered(&receipt);
    echo.send_text("one");
    echo.send_text("two");
    assert_eq!([echo.text(), echo.text()], ["one", "two"]);
    for client in &mut clients {
        client.send_text("nobody cares");
        client.sync();
    }
    let after = daemon.stats();
    let gained = |name: &str| count(&after, name) - count(&before, name);
    assert_eq!((&after["connections"], &after["channels"]), (&(CLIENTS + 2).into(), &2.into()));
    assert_eq!(gained("publications"), PUSHES + 1);
    assert_eq!(gained("publications_bytes"), PUSHES * 7 + 3);
    assert_eq!(gained("deliveries"), PUSHES * (CLIENTS + 1) + 1);
    assert_eq!(gained("messages_in"), CLIENTS + 2);
    assert_eq!(count(&after, "handshakes_ok"), CLIENTS + 2);
    assert!(gained("sends") >= gained("deliveries"), "nothing was waiting to be put together");
    assert!(gained("send_bytes") > gained("publications_bytes"));
    assert!(gained("recv_bytes") > 0 && gained("recvs") > 0);
    let total = |stats: &Value, name: &str| {
        let counts = stats["counters"][name].as_object().expect("counts by reason");
        counts.values().filter_map(Value::as_u64).sum::<u64>()
    };
    assert_eq!((total(&after, "closed"), total(&after, "handshakes_refused")), (0, 0));
    let open = count(&after, "handshakes_ok") - total(&after, "closed");
    assert_eq!(after["connections"], open);
}

#[test]
fn metrics_are_a_valid_exposition_of_the_same_numbers() {
    let daemon = Daemon::start(&["--demo"]);
    let fresh = metrics(&daemon);
    assert!(fresh.len() > 40 && fresh["wspush_uptime_seconds"] >= 0.0);
    let _clients: Vec<_> = (0..3).map(|_| WebSocket::open(&daemon)).collect();
    let _echo = WebSocket::open_at(&daemon, "/echo");
    let _chat = WebSocket::open_at(&daemon, "/chat");
    let refused = WebSocket::ask(daemon.public, "/ws?channel=private", &[]);
    assert!(refused.is_err());
    let wrong = WebSocket::ask(daemon.public, "/nowhere", &[]);
    assert!(wrong.is_err());
    let mut bad = WebSocket::open(&daemon);
    bad.send_raw(b"\xff");
    assert_eq!(bad.closed().0, 1002);
    drop(bad);
    let receipt = daemon.push("hello")["receipt"].clone();
    daemon.wait_delivered(&receipt);
    daemon.wait_connections(5);
    let now = metrics(&daemon);
    let stats = daemon.stats();
    for (name, value) in [
        ("wspush_connections{kind=\"ws\"}", 3.0),
        ("wspush_connections{kind=\"echo\"}", 1.0),
        ("wspush_connections{kind=\"chat\"}", 1.0),
        ("wspush_channels", 2.0),
        ("wspush_handshakes_ok_total", 6.0),
        ("wspush_handshakes_refused_total{reason=\"forbidden_channel\"}", 1.0),
        ("wspush_handshakes_refused_total{reason=\"not_found\"}", 1.0),
        ("wspush_closed_total{reason=\"protocol_error\"}", 1.0),
        // The guest's coming is a publication as well.
        ("wspush_publications_total", 2.0),
        ("wspush_deliveries_total", 4.0),
    ] {
        assert_eq!(now[name], value, "{name}");
    }
    assert_eq!(fresh.len(), now.len(), "families are there from the start");
    for name in ["publications", "deliveries", "handshakes_ok", "messages_in", "slow_skipped", "pings_sent"] {
        let counted = stats["counters"][name].as_u64().expect("a counter") as f64;
        assert_eq!(now[&format!("wspush_{name}_total")], counted, "{name}");
    }
}

#[test]
fn every_refusal_is_counted_under_its_reason() {
    let daemon =
        Daemon::start(&["--max-connections", "1", "--origins", "https://a.example", "--handshake-ms", "200"]);
    let ask = |target: &str, headers: &[(&str, &str)]| {
        let refused = WebSocket::ask(daemon.public, target, headers);
        assert!(refused.is_err(), "{target}");
    };
    ask("/ws", &[("Sec-WebSocket-Key", "twice")]);
    ask("/ws", &[("Origin", "https://b.example")]);
    ask("/ws?channel=private", &[]);
    daemon::Http::tcp(daemon.public).ask("GET", "/ws", &[("Upgrade", "websocket")], b"");
    daemon::Http::tcp(daemon.public).ask("POST", "/ws", &HANDSHAKE, b"");
    ask("/nowhere", &[]);
    let long = "x".repeat(9000);
    daemon::Http::tcp(daemon.public).ask("GET", "/ws", &[("X", &long)], b"");
    let mut half = daemon::Http::tcp(daemon.public);
    half.send(b"GET");
    assert_eq!(half.response().status, 408);
    let _full = WebSocket::open(&daemon);
    ask("/ws", &[]);
    let refused = daemon.stats()["counters"]["handshakes_refused"].clone();
    for reason in ["origin", "not_found", "forbidden_channel", "method", "too_large", "timeout", "full"] {
        assert_eq!(refused[reason], 1, "{reason} in {refused}");
    }
    assert_eq!(refused["bad_request"], 2, "{refused}");
    // The log says so as well, with the client's address.
    let line = daemon.wait_log(|line| line.contains("event=refused") && line.contains("reason=origin"));
    assert!(line.contains("peer=127.0.0.1:"), "{line}");
}

#[test]
fn memory_is_told() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    client.send_raw(&masked(true, BINARY, &[0; 50_000])[..40_000]);
    daemon.wait_stats("half a message", |s| s["memory"]["assembly_bytes"].as_u64() > Some(30_000));
    let receipt = daemon.push(&"x".repeat(100_000))["receipt"].clone();
    daemon.wait_delivered(&receipt);
    let memory = daemon.stats()["memory"].clone();
    assert!(memory["log_bytes"].as_u64() >= Some(100_000), "{memory}");
    let seen = daemon::process::rss_bytes(daemon.pid());
    let told = memory["rss_bytes"].as_u64().expect("bytes");
    assert!(told > seen / 2 && told < seen * 2, "{told} told, {seen} seen");
    drop(client);
    daemon.wait_stats("the chunks", |s| s["memory"]["assembly_bytes"] == 0);
}

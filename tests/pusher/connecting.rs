//! How connections begin and end.

use serde_json::{Value, json};

use super::{Client, KEY, SECRET, start, subscribed};
use crate::daemon::{Daemon, Http, WebSocket, wait};
use crate::wire::HANDSHAKE;

/// The close code that a client gets in place of a connection.
fn refused(daemon: &Daemon, target: &str) -> u16 {
    WebSocket::open_at(daemon, target).closed().0
}

#[test]
fn a_refusal_is_a_close_code() {
    let more = [
        "--pusher-app",
        "4 key=off secret=b enabled=false",
        "--pusher-app",
        "5 key=one secret=b connections_max=1",
    ];
    let daemon = start("", &more);
    let at = |key: &str, query: &str| format!("/app/{key}{query}");
    for (target, code) in [
        (at("unknown", "?protocol=7"), 4_001),
        (at("off", "?protocol=7"), 4_003),
        (at(KEY, ""), 4_008),
        (at(KEY, "?protocol=seven"), 4_006),
        (at(KEY, "?protocol=4"), 4_007),
    ] {
        assert_eq!(refused(&daemon, &target), code, "{target}");
    }
    let only = Client::open_at(&daemon, "/app/one?protocol=7", &[]);
    assert_eq!(refused(&daemon, "/app/one?protocol=7"), 4_004);
    drop(only);
    daemon.wait_connections(0);
    Client::open_at(&daemon, "/app/one?protocol=7", &[]);
    // Until version 6 an event says it as well.
    let mut old = WebSocket::open_at(&daemon, "/app/unknown?protocol=5");
    assert!(old.text().starts_with(r#"{"event":"pusher:error","data":{"code":4001,"message":"#));
    assert_eq!(old.closed().0, 4_001);
    assert_eq!(daemon.stats()["counters"]["handshakes_refused"]["full"], 1);
    assert_eq!(Http::tcp(daemon.public).ask("GET", &at(KEY, "?protocol=7"), &[], b"").status, 426);
}

#[test]
fn a_full_server_says_when_to_come_again() {
    let daemon = start("", &["--max-connections", "1"]);
    let _only = Client::open(&daemon);
    assert_eq!(refused(&daemon, &format!("/app/{KEY}?protocol=7")), 4_100);
}

#[test]
fn without_an_app_there_is_no_such_path() {
    let daemon = Daemon::start(&[]);
    let response = Http::tcp(daemon.public).ask("GET", "/app/x?protocol=7", &HANDSHAKE, b"");
    assert_eq!(response.status, 404);
}

#[test]
fn a_path_may_stand_before_it() {
    let daemon = start("", &["--pusher-path", "/socket"]);
    let mut client = Client::open_at(&daemon, &format!("/socket/app/{KEY}?protocol=7"), &[]);
    assert_eq!(client.subscribe("news"), subscribed("news"));
    assert_eq!(Http::tcp(daemon.public).ask("GET", &format!("/app/{KEY}"), &HANDSHAKE, b"").status, 404);
}

#[test]
fn ids_are_numbers_and_never_come_again() {
    let daemon = start("", &[]);
    let (first, second) = (Client::open(&daemon), Client::open(&daemon));
    let parts = |id: &str| {
        let (epoch, conn) = id.split_once('.').unwrap();
        (epoch.parse::<u64>().unwrap(), conn.parse::<u64>().unwrap())
    };
    assert_eq!(parts(&first.id).0, parts(&second.id).0, "of one process");
    assert_ne!(parts(&first.id).1, parts(&second.id).1);
    let before = first.id.clone();
    let other = start("", &[]);
    assert_ne!(parts(&Client::open(&other).id).0, parts(&before).0, "of another process");
}

#[test]
fn questions_are_answered_and_errors_leave_the_connection() {
    let daemon = start("", &[]);
    let mut client = Client::open(&daemon);
    assert_eq!(
        client.ask(&json!({"event": "pusher:ping", "data": {}})),
        json!({"event": "pusher:pong", "data": "{}"})
    );
    client.send(&json!({"event": "pusher:pong", "data": {}}));
    assert!(client.rest().is_empty());
    client.socket.send_text("no JSON");
    let error = client.next();
    assert_eq!((&error["event"], &error["data"]["code"]), (&json!("pusher:error"), &json!(4200)));
    client.socket.send(2, b"bytes");
    assert_eq!(client.next()["data"]["code"], 4200);
    assert_eq!(client.ask(&json!({"event": "pusher:nothing"}))["data"]["code"], 4200);
    assert_eq!(client.subscribe("news"), subscribed("news"), "it is still there");
}

#[test]
fn a_reload_brings_apps_and_ends_them() {
    let file = std::env::temp_dir().join(format!("wspush-pusher-{}.toml", std::process::id()));
    let write = |apps: &str| {
        std::fs::write(&file, format!("{apps}\n")).unwrap();
    };
    let app = |id: &str, key: &str, more: &str| {
        format!("[[pusher_app]]\nid = \"{id}\"\nkey = \"{key}\"\nsecret = \"{SECRET}\"\n{more}\n")
    };
    write(&app("3", KEY, ""));
    let daemon = Daemon::start(&["--config", file.to_str().unwrap(), "--heartbeat-ms", "200"]);
    let (mut client, mut other) = (Client::open(&daemon), Client::open(&daemon));
    client.subscribe("news");
    write(&(app("3", KEY, "enabled = false") + &app("4", "new", "")));
    daemon.signal("HUP");
    daemon.wait_event("reloaded");
    assert_eq!((client.closed(), other.closed()), (4_003, 4_003));
    assert_eq!(refused(&daemon, &format!("/app/{KEY}?protocol=7")), 4_003);
    Client::open_at(&daemon, "/app/new?protocol=7", &[]);
    assert!(!daemon.log().contains(SECRET));
    std::fs::remove_file(file).unwrap();
}

#[test]
fn a_drain_tells_clients_to_come_back_in_a_second() {
    let mut daemon = start("", &["--drain-ms", "2000"]);
    let mut client = Client::open(&daemon);
    client.subscribe("news");
    daemon.signal("TERM");
    assert_eq!(client.closed(), 1_001);
    assert!(daemon.wait_exit().success());
}

#[cfg(feature = "deflate")]
#[test]
fn a_frame_is_the_same_for_all() {
    let daemon = start("", &[]);
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let target = format!("/app/{KEY}?protocol=7");
    let mut clients =
        [Client::open(&daemon), Client::open(&daemon), Client::open_at(&daemon, &target, &offer)];
    for client in &mut clients {
        assert_eq!(client.subscribe("news"), subscribed("news"));
    }
    let data = "x".repeat(2_000);
    let event = super::publish(&daemon, "news", "long", &data);
    let [one, two, third] = &mut clients;
    let (one, two, third) = (one.socket.frame(), two.socket.frame(), third.socket.frame());
    assert_eq!((serde_json::from_slice::<Value>(&one.payload).unwrap(), &one.payload), (event, &two.payload));
    assert!(third.payload.len() < 200, "{} bytes", third.payload.len());
    wait("three deliveries", || daemon.counter("deliveries") == 3);
}

#[test]
fn an_app_may_be_there_by_tls_alone() {
    let daemon = start("tls_only=true", &[]);
    assert_eq!(refused(&daemon, &format!("/app/{KEY}?protocol=7")), 4_000);
}

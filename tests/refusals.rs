//! `?refusals=close`: a client that can't see a status is told by a close frame, and costs no more than any other that
//! is refused.

use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::{HANDSHAKE, close_of};

/// Asks for this; the close frame that comes behind the 101.
fn told(daemon: &Daemon, target: &str, more: &[(&str, &str)]) -> (u16, String) {
    let mut client = WebSocket::ask(daemon.public, target, more)
        .unwrap_or_else(|refused| panic!("{target}: {} {}", refused.status, refused.text()));
    let said = close_of(&client.frame());
    client.send_close(said.0, "");
    assert_eq!(client.next(), None);
    said
}

fn counter(daemon: &Daemon, of: &str, reason: &str) -> u64 {
    daemon.stats()["counters"][of][reason].as_u64().expect("a counter")
}

#[test]
fn every_reason_has_its_code() {
    let daemon = Daemon::start(&["--demo", "--origins", "https://app.example"]);
    let foreign = [("Origin", "https://evil.example")];
    for (target, more, code, said) in [
        ("/ws?refusals=close&chan=a", &[][..], 4400, "unknown parameter \"chan\""),
        ("/ws?refusals=close&channel=", &[], 4400, "channel is empty"),
        ("/ws?channel=a%20b&refusals=close", &[], 4400, "channel is not a channel"),
        ("/ws?refusals=close&channel=private", &[], 4403, "channel \"private\" is not open to clients"),
        ("/ws?refusals=close", &foreign, 4403, "pages of this origin may not connect"),
        ("/echo?refusals=close&x=1", &[], 4400, "unknown parameter \"x\""),
        ("/chat/?refusals=close", &foreign, 4403, "pages of this origin may not connect"),
    ] {
        let (got, reason) = told(&daemon, target, more);
        assert_eq!((got, reason.starts_with(said)), (code, true), "{target}: {reason}");
    }
    daemon.wait_stats("their end", |s| s["closing"] == 0 && s["handshaking"] == 0);
    assert_eq!(
        (counter(&daemon, "handshakes_refused", "bad_request"), daemon.counter("handshakes_ok")),
        (4, 0)
    );
    assert_eq!(counter(&daemon, "handshakes_refused", "forbidden_channel"), 1);
    assert_eq!(counter(&daemon, "handshakes_refused", "origin"), 2);
    let stats = daemon.stats();
    let closed = stats["counters"]["closed"].as_object().expect("the reasons");
    assert!(closed.values().all(|count| *count == 0), "they were never open: {closed:?}");
}

#[test]
fn everybody_else_sees_the_status() {
    let daemon = Daemon::start(&["--demo"]);
    for (target, status) in [
        ("/ws?chan=a", 400),
        ("/ws?refusals=status&chan=a", 400),
        ("/ws?refusals=close&refusals=close", 400),
        ("/ws?refusals=Close", 400),
        ("/nowhere?refusals=close", 404),
    ] {
        let refused = WebSocket::ask(daemon.public, target, &[]).err().map(|response| response.status);
        assert_eq!(refused, Some(status), "{target}");
    }
    // A request that is no handshake can't be answered as one.
    let plain = Http::tcp(daemon.public).ask("GET", "/ws?refusals=close&x=1", &[], b"");
    assert_eq!(plain.status, 426);
    assert!(WebSocket::ask(daemon.public, "/ws?refusals=close", &[]).expect("let in").sync().is_empty());
}

#[test]
fn the_full_server_says_so_with_a_slot_and_without_one() {
    let daemon = Daemon::start(&["--max-connections", "1", "--connections-per-address-max", "0"]);
    let first = WebSocket::open(&daemon);
    assert_eq!(told(&daemon, "/ws?refusals=close", &[]).0, 4503);
    // Those who are told and say nothing hold the slots that there are for them, and then there is none.
    let mut silent: Vec<WebSocket> = Vec::new();
    for _ in 0..60 {
        let mut client = WebSocket::ask(daemon.public, "/ws?refusals=close", &[]).expect("101");
        let (code, reason) = close_of(&client.frame());
        assert_eq!((code, reason.starts_with("the server is full")), (4503, true), "{reason}");
        silent.push(client);
    }
    let refused = counter(&daemon, "handshakes_refused", "full");
    assert_eq!(refused, 61);
    // They go by themselves: nobody waits for longer than close_wait_ms.
    daemon.wait_stats("their end", |s| s["closing"] == 0);
    assert_eq!(daemon.stats()["connections"], 1);
    drop(silent);
    first.close(1000);
    daemon.wait_connections(0);
    WebSocket::open(&daemon);
}

#[test]
fn an_address_that_has_its_share_is_told() {
    let daemon = Daemon::start(&["--connections-per-address-max", "1"]);
    let _first = WebSocket::open(&daemon);
    let (code, reason) = told(&daemon, "/ws?refusals=close&channel=public.a", &[]);
    assert_eq!((code, reason.contains("connections_per_address_max")), (4503, true), "{reason}");
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err().map(|response| response.status);
    assert_eq!(refused, Some(503));
    assert_eq!(counter(&daemon, "handshakes_refused", "per_address"), 2);
}

#[test]
fn a_refused_client_is_nobody() {
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "60000"]);
    let mut guest = WebSocket::open_at(&daemon, "/chat");
    assert_eq!(guest.text(), "* guest1 has joined.");
    let refused = ["/chat?refusals=close&x=1", "/ws?refusals=close&x=1"]
        .map(|target| WebSocket::ask(daemon.public, target, &[]).expect("101"));
    daemon.wait_stats("both", |s| s["closing"] == 2);
    let listed = daemon.ask("GET", "/connections", &[], b"").json();
    assert_eq!(listed["connections"].as_array().map(Vec::len), Some(1), "{listed}");
    assert_eq!(daemon.push("everybody")["recipients"], 0);
    // Its messages are read over, up to its close frame, and then the server ends the stream.
    for mut client in refused {
        client.send_text("hello?");
        assert_eq!(close_of(&client.frame()).0, 4400);
        client.send_close(4400, "");
        assert_eq!(client.next(), None);
    }
    daemon.wait_stats("their end", |s| s["closing"] == 0);
    assert_eq!(guest.sync(), [], "nobody has come or gone");
}

#[test]
fn offered_subprotocols_get_an_answer() {
    let daemon = Daemon::start(&["--subprotocols", "two"]);
    for (offered, chosen) in [("one, two", "two"), ("one, three", "one")] {
        let mut http = Http::tcp(daemon.public);
        let more = [("Sec-WebSocket-Protocol", offered), ("Sec-WebSocket-Extensions", "permessage-deflate")];
        let headers = [&HANDSHAKE, &more[..]].concat();
        let response = http.ask("GET", "/ws?refusals=close&x=1", &headers, b"");
        assert_eq!((response.status, response.header("sec-websocket-protocol")), (101, Some(chosen)));
        assert_eq!(response.header("sec-websocket-extensions"), None);
    }
}

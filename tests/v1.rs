//! `wspush.v1`: envelopes, commands and their answers, beside plain subscribers of the same channels.

use std::fmt::Write;

use serde_json::{Value, json};

use crate::daemon::{Daemon, WebSocket};
use crate::wire::{BINARY, CLOSE, HANDSHAKE, close_of, masked};

const PROTOCOL: (&str, &str) = ("Sec-WebSocket-Protocol", "wspush.v1");

/// A client that speaks it.
pub struct Client(pub WebSocket);

impl Client {
    pub fn open_with(daemon: &Daemon, query: &str, more: &[(&str, &str)]) -> Client {
        let mut http = crate::daemon::Http::tcp(daemon.public);
        let fields = [&HANDSHAKE[..], &[PROTOCOL], more].concat();
        let response = http.ask("GET", &format!("/ws?{query}"), &fields, b"");
        assert_eq!(response.header("Sec-WebSocket-Protocol"), Some("wspush.v1"), "{response:?}");
        Client(WebSocket::from_upgrade(http, &response))
    }

    /// One that has been greeted as one that receives these channels.
    pub fn open(daemon: &Daemon, query: &str, channels: &[&str]) -> Client {
        let mut client = Client::open_with(daemon, query, &[]);
        let connected = client.next();
        assert_eq!(connected["connected"]["ping_ms"], 30_000);
        for channel in channels {
            assert_eq!(client.next()["subscribed"]["channel"], *channel);
        }
        client
    }

    pub fn next(&mut self) -> Value {
        serde_json::from_str(&self.0.text()).expect("JSON")
    }

    /// The answer to a command.
    pub fn ask(&mut self, command: &Value) -> Value {
        self.0.send_text(&command.to_string());
        self.next()
    }

    /// The code and the text of the error that answers a command.
    pub fn denied(&mut self, command: &str) -> (String, String) {
        self.0.send_text(command);
        let answer = self.next();
        let text =
            |name: &str| answer["error"][name].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned();
        (text("code"), text("message"))
    }

    /// Everything that the server had to say.
    pub fn rest(&mut self) -> Vec<Value> {
        self.0.sync().iter().map(|frame| serde_json::from_slice(&frame.payload).expect("JSON")).collect()
    }
}

fn offsets(said: &[Value]) -> Vec<u64> {
    said.iter().map(|one| one["offset"].as_u64().unwrap_or_else(|| panic!("{one}"))).collect()
}

#[test]
fn a_client_is_told_who_it_is_and_where_it_stands() {
    let daemon = Daemon::start(&[]);
    let epoch = daemon.push("before")["epoch"].as_u64().unwrap().to_string();
    let mut client = Client::open_with(&daemon, "channel=public.a", &[]);
    let connected = &client.next()["connected"];
    assert_eq!(connected["conn"], *daemon.id_of(&client.0));
    assert!(connected["server"].as_str().unwrap().starts_with("wspush/") && connected["user"].is_null());
    let expected = json!({"subscribed": {"channel": "broadcast", "epoch": epoch, "offset": 1}});
    assert_eq!(client.next(), expected);
    let subscribed = &client.next()["subscribed"];
    assert_eq!((&subscribed["channel"], &subscribed["offset"]), (&"public.a".into(), &0.into()));
    // A plain client of the same channel, before and after it, has the same in the same order.
    let mut plain = WebSocket::open(&daemon);
    let receipts: Vec<_> = ["say \"hi\"\n", "caf\u{e9}"].into_iter().map(|text| daemon.push(text)).collect();
    let headers = [("Content-Type", "application/octet-stream")];
    daemon.ask("POST", "/push", &headers, &[0, 255]);
    daemon.wait_delivered(&receipts[1]["receipt"]);
    let (channel, epoch) = ("broadcast", &epoch);
    let whole = |offset: u64| json!({"channel": channel, "epoch": epoch, "offset": offset});
    let envelope = |offset: u64, name: &str, data: &str| {
        let mut envelope = whole(offset);
        envelope[name] = data.into();
        envelope
    };
    assert_eq!(
        client.0.text(),
        format!(r#"{{"channel":"broadcast","epoch":"{epoch}","offset":2,"data":"say \"hi\"\n"}}"#)
    );
    assert_eq!(client.rest(), [envelope(3, "data", "caf\u{e9}"), envelope(4, "base64", "AP8=")]);
    let payloads: Vec<_> = plain.sync().into_iter().map(|frame| frame.payload).collect();
    assert_eq!(payloads, [b"say \"hi\"\n".to_vec(), "caf\u{e9}".into(), vec![0, 255]]);
}

#[test]
fn channels_are_joined_and_left() {
    let daemon = Daemon::start(&["--channels", "public.*", "--channels-per-connection-max", "2"]);
    let mut client = Client::open(&daemon, "broadcast=no", &[]);
    let subscribe = |id: i64, channel: &str| json!({"id": id, "subscribe": {"channel": channel}});
    let answer = client.ask(&subscribe(-7, "public.a"));
    let epoch = answer["subscribed"]["epoch"].clone();
    let expected = json!({"id": -7, "subscribed": {"channel": "public.a", "epoch": epoch, "offset": 0}});
    assert_eq!(answer, expected);
    let (code, why) = client.denied(&subscribe(1, "public.a").to_string());
    assert_eq!(
        (code.as_str(), why.as_str()),
        ("already_subscribed", "channel \"public.a\" is received already")
    );
    let (code, why) = client.denied(&subscribe(2, "secret").to_string());
    assert!(code == "forbidden" && why.starts_with("channel \"secret\" is not open to clients"), "{why}");
    assert_eq!(client.denied(&subscribe(3, "no name").to_string()).0, "bad_request");
    client.ask(&subscribe(4, "public.b"));
    let (code, why) = client.denied(&subscribe(5, "public.c").to_string());
    assert_eq!((code.as_str(), why.contains("channels_per_connection_max")), ("limit", true));
    // Behind what was published before it, and then nothing more.
    for text in ["one", "two"] {
        daemon.push_to("/push?channel=public.a", text);
    }
    client.0.send_text(r#"{"id":6,"unsubscribe":{"channel":"public.a"}}"#);
    let said: Vec<_> = (0..3).map(|_| client.next()).collect();
    assert_eq!((&said[0]["data"], &said[1]["data"]), (&"one".into(), &"two".into()));
    assert_eq!(said[2], json!({"id": 6, "unsubscribed": {"channel": "public.a"}}));
    daemon.push_to("/push?channel=public.a", "three");
    daemon.push_to("/push?channel=public.b", "for b");
    assert_eq!(client.next()["data"], "for b");
    let left = r#"{"id":7,"unsubscribe":{"channel":"public.a"}}"#;
    assert_eq!(client.denied(left), ("not_subscribed".into(), "channel \"public.a\" is not received".into()));
    assert_eq!(client.ask(&json!({"id": 8, "ping": {}})), json!({"id": 8, "pong": {}}));
}

#[test]
fn who_was_away_comes_back_for_what_it_has_missed() {
    let daemon = Daemon::start(&["--log-publications", "4"]);
    let receipts: Vec<_> =
        (1..=6).map(|n| daemon.push_to("/push?channel=public.a", &format!("{n}"))).collect();
    let epoch = receipts[0]["epoch"].as_u64().unwrap();
    for deflate in [&[][..], &[("Sec-WebSocket-Extensions", "permessage-deflate")]] {
        let mut client = Client::open_with(&daemon, "broadcast=no", deflate);
        client.next();
        let mut back = |since: String| {
            let command = json!({"id": 1, "subscribe": {"channel": "public.a", "since": since}});
            let answer = client.ask(&command)["subscribed"].clone();
            let said = client.rest();
            client.ask(&json!({"id": 2, "unsubscribe": {"channel": "public.a"}}));
            (answer["offset"].as_u64().unwrap(), answer["recovered"].as_bool(), said)
        };
        let (at, recovered, said) = back(format!("{epoch}.4"));
        assert_eq!((at, recovered, offsets(&said)), (4, Some(true), vec![5, 6]));
        let (at, recovered, said) = back(format!("{epoch}.2"));
        assert_eq!((at, recovered, offsets(&said)), (2, Some(true), vec![3, 4, 5, 6]));
        let (channel, life) = ("public.a", epoch.to_string());
        let missed =
            |from: u64| json!({"missed": {"channel": channel, "epoch": life, "from": from, "to": 6}});
        assert_eq!(back(format!("{epoch}.1")), (6, Some(false), vec![missed(2)]));
        assert_eq!(back("17.3".to_owned()), (6, Some(false), vec![missed(1)]));
        let (at, recovered, said) = back("last:2".to_owned());
        assert_eq!((at, recovered, offsets(&said)), (4, None, vec![5, 6]));
        let now = r#"{"id":3,"subscribe":{"channel":"public.a","since":"now"}}"#;
        assert_eq!(client.denied(now).0, "bad_request");
    }
    // The same in the address.
    let mut client =
        Client::open_with(&daemon, &format!("broadcast=no&channel=public.a&since={epoch}.5"), &[]);
    assert_eq!(
        (client.next()["connected"].is_null(), client.next()["subscribed"]["recovered"].as_bool()),
        (false, Some(true))
    );
    assert_eq!(offsets(&client.rest()), [6]);
}

#[test]
fn history_is_read_page_by_page() {
    let daemon = Daemon::start(&[]);
    let mut client = Client::open(&daemon, "", &["broadcast"]);
    let empty = client.ask(&json!({"id": 1, "history": {"channel": "public.h"}}));
    assert_eq!(empty["history"]["publications"], json!([]));
    for n in 1..=5 {
        daemon.push_to("/push?channel=public.h", &format!("{n}"));
    }
    let mut page = |since: &str, limit: u64| {
        let answer =
            client.ask(&json!({"id": 2, "history": {"channel": "public.h", "since": since, "limit": limit}}));
        assert_eq!(answer["history"]["offset"], 5);
        (answer["history"]["epoch"].clone(), answer["history"]["publications"].as_array().unwrap().clone())
    };
    let (epoch, first) = page("earliest", 2);
    assert_eq!(offsets(&first), [1, 2]);
    assert!(first[0]["time_ms"].as_u64().unwrap() > 1_600_000_000_000 && first[0]["data"] == "1");
    assert_eq!(offsets(&page(&format!("{}.2", epoch.as_str().unwrap()), 9).1), [3, 4, 5]);
    assert_eq!(offsets(&page("last:1", 1_000).1), [5]);
    let many = r#"{"id":3,"history":{"channel":"public.h","limit":1001}}"#;
    assert_eq!(client.denied(many).0, "bad_request");
    assert_eq!(client.denied(r#"{"id":3,"history":{"channel":"secret"}}"#).0, "forbidden");
}

#[cfg(feature = "auth")]
#[test]
fn a_client_that_publishes_does_not_get_its_own() {
    use wspush::auth::{Claims, Rights, Rules, issue};
    let secret = "a_secret_of_more_than_32_bytes_0123456";
    let daemon = Daemon::start(&["--auth", "optional", "--auth-secret", secret]);
    let publish = ["room.*".to_owned(), "broadcast".to_owned()].into();
    let rights = Rights { allow: ["room.*".to_owned()].into(), publish, ..Rights::default() };
    let claims = Claims {
        user: Some("ann".to_owned()),
        channels: vec!["room.1".to_owned()],
        rights,
        ..Claims::default()
    };
    let token = issue(secret, &claims, &Rules::default(), 1_700_000_000).unwrap();
    let open = || {
        let mut client = Client::open_with(&daemon, &format!("broadcast=no&token={token}"), &[]);
        assert_eq!(client.next()["connected"]["user"], "ann");
        assert_eq!(client.next()["subscribed"]["channel"], "room.1");
        client
    };
    let (mut ann, mut bob) = (open(), open());
    for n in 1..=3 {
        let (from, to) = if n % 2 == 1 { (&mut ann, &mut bob) } else { (&mut bob, &mut ann) };
        let published =
            from.ask(&json!({"id": n, "publish": {"channel": "room.1", "data": format!("m{n}")}}));
        assert_eq!((&published["published"]["offset"], &published["id"]), (&n.into(), &n.into()));
        let said = to.next();
        assert_eq!((&said["data"], &said["offset"]), (&format!("m{n}").into(), &n.into()));
    }
    // Several at once, between those of others.
    daemon.push_to("/push?channel=room.1", "other");
    let burst: Vec<u8> = (5..=8)
        .flat_map(|n| {
            let command = json!({"id": n, "publish": {"channel": "room.1", "base64": "AP8="}}).to_string();
            masked(true, 1, command.as_bytes())
        })
        .collect();
    ann.0.send_raw(&burst);
    let said: Vec<_> = (0..5).map(|_| ann.next()).collect();
    assert_eq!(said.iter().filter(|one| one["data"] == "other").count(), 1, "{said:?}");
    assert_eq!(said.iter().filter(|one| one["published"].is_object()).count(), 4, "{said:?}");
    let last = daemon.push_to("/push?channel=room.1", "last");
    assert_eq!(last["offset"], 9);
    let delivery = daemon.wait_delivered(&last["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["written"]), (&2.into(), &2.into()));
    assert_eq!(offsets(&ann.rest()), [9]);
    assert_eq!(offsets(&bob.rest()), [4, 5, 6, 7, 8, 9]);
    // One that is not subscribed publishes all the same, and nobody without the right.
    let mut other = open();
    other.ask(&json!({"id": 1, "unsubscribe": {"channel": "room.1"}}));
    other.ask(&json!({"id": 2, "publish": {"channel": "room.1", "data": "from outside"}}));
    assert_eq!((offsets(&ann.rest()), offsets(&bob.rest()), other.rest().len()), (vec![10], vec![10], 0));
    let denied = other.denied(r#"{"id":3,"publish":{"channel":"public.a","data":"x"}}"#);
    assert_eq!(denied.0, "forbidden");
}

#[test]
fn messages_to_one_connection_have_their_place() {
    let daemon = Daemon::start(&[]);
    let mut client = Client::open(&daemon, "", &["broadcast"]);
    let id = daemon.id_of(&client.0);
    daemon.push("for all");
    daemon.ask("POST", &format!("/push?conn={id}"), &[("Content-Type", "text/plain")], b"for \"you\"");
    assert_eq!(client.next()["data"], "for all");
    assert_eq!(client.next(), json!({"message": {"data": "for \"you\""}}));
}

#[test]
fn a_slow_consumer_is_told_what_it_misses() {
    let daemon = Daemon::start(&["--slow-consumer", "skip", "--log-publications", "8"]);
    let target = "/ws?broadcast=no&channel=public.a";
    let mut client = Client(WebSocket::open_narrow_with(&daemon, target, &[PROTOCOL]));
    assert!(client.next()["connected"].is_object() && client.next()["subscribed"].is_object());
    // Until its socket is full, and some publications more than the log has.
    let text = "x".repeat(20_000);
    let mut count = 0;
    while daemon.counter("slow_skipped") < 3 {
        count = daemon.push_to("/push?channel=public.a", &text)["offset"].as_u64().unwrap();
        assert!(count < 5_000, "it takes all of that");
    }
    let (mut next, mut gaps) = (1, 0);
    while next <= count {
        let said = client.next();
        if let Some(missed) = said.get("missed") {
            let at = |name: &str| missed[name].as_u64().unwrap();
            assert_eq!((at("from"), &missed["channel"]), (next, &"public.a".into()));
            assert!(at("to") >= next, "{said}");
            (next, gaps) = (at("to") + 1, gaps + 1);
        } else {
            assert_eq!(said["offset"], next);
            next += 1;
        }
    }
    assert!(gaps > 0);
    assert!(client.rest().is_empty());
}

#[test]
fn what_is_wrong_is_said_and_only_what_cannot_be_read_ends_the_connection() {
    let daemon = Daemon::start(&[]);
    let mut client = Client::open(&daemon, "", &["broadcast"]);
    for (command, code) in [
        (r#"{"id":1}"#, "bad_request"),
        (r#"{"ping":{}}"#, "bad_request"),
        (r#"{"id":1,"subscribe":{"channel":"public.a","extra":1}}"#, "bad_request"),
        (r#"{"id":1,"shout":{}}"#, "unknown_method"),
        (r#"{"id":1,"publish":{"channel":"public.a","data":"x"}}"#, "forbidden"),
        (r#"{"id":1,"presence":{"channel":"public.a"}}"#, "forbidden"),
        (r#"{"id":1,"refresh":{"token":"SECRET"}}"#, "forbidden"),
    ] {
        let (said, why) = client.denied(command);
        assert_eq!(said, code, "{command}");
        assert!(!why.contains("SECRET"), "{why}");
    }
    assert_eq!(client.ask(&json!({"id": 8, "ping": {}})), json!({"id": 8, "pong": {}}));
    for (opcode, payload, code) in
        [(1, &b"{\"id\":1"[..], 1007), (1, b"\xff", 1007), (1, b"[]", 1008), (BINARY, b"{}", 1008)]
    {
        let mut client = Client::open(&daemon, "", &["broadcast"]);
        client.0.send_raw(&masked(true, opcode, payload));
        let frame = client.0.frame();
        assert_eq!((frame.opcode, close_of(&frame).0), (CLOSE, code), "{payload:?}");
    }
}

#[test]
fn a_flood_of_commands_is_answered_within_its_bound_and_delays_nobody() {
    let daemon = Daemon::start(&["--commands-per-second-max", "50"]);
    let mut client = Client::open(&daemon, "", &["broadcast"]);
    let mut flood = Vec::new();
    for n in 0..2_000 {
        let mut command = String::new();
        let (method, id) = (["subscribe", "unsubscribe"][n % 2], n);
        write!(command, r#"{{"id":{id},"{method}":{{"channel":"public.{}"}}}}"#, n / 2).unwrap();
        flood.extend(masked(true, 1, command.as_bytes()));
    }
    client.0.send_raw(&flood);
    let mut limited = 0;
    for id in 0..2_000 {
        let answer = client.next();
        assert_eq!(answer["id"], id);
        limited += u64::from(answer["error"]["code"] == "limit");
    }
    // As many as there are in the seconds that this took, and what is not limited was done.
    assert!(limited >= 1_000, "{limited}");
    let stats = daemon.stats();
    assert!(stats["channels"].as_u64().unwrap() <= 2, "{stats}");
    daemon.push("still there");
    assert_eq!(client.next()["data"], "still there");
}

//! Clients and their app's backend: what it publishes, sees, and is told.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wspush::auth::pusher::Credentials;

use super::{Client, KEY, SECRET, start, subscribed};
use crate::daemon::{Daemon, Http};
#[cfg(feature = "backend")]
use crate::daemon::{
    backend::{Backend, answer},
    wait,
};

/// Asks the admin listener as the app's backend does.
pub(super) fn ask(daemon: &Daemon, line: &str, body: &Value) -> Value {
    ask_at(&mut daemon.admin_http(), line, body)
}

pub(super) fn ask_at(http: &mut Http, line: &str, body: &Value) -> Value {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let signer = Credentials::new(KEY, SECRET);
    let query = signer.sign_request((method, path), &pairs, body.as_bytes(), now_s);
    let answer = http.ask(method, &format!("{path}?{query}"), &[], body.as_bytes());
    assert_eq!(answer.status, 200, "{line}: {}", answer.text());
    answer.json()
}

pub(super) fn event(channel: &str, name: &str) -> Value {
    json!({ "event": name, "channel": channel, "data": "{}" })
}

#[test]
fn one_connection_is_left_out() {
    let daemon = start("", &[]);
    let (mut ann, mut bob) = (Client::open(&daemon), Client::open(&daemon));
    for client in [&mut ann, &mut bob] {
        for channel in ["a", "b"] {
            assert_eq!(client.subscribe(channel), subscribed(channel));
        }
    }
    let to_both = |name: &str| json!({ "name": name, "channels": ["a", "b"], "data": {} });
    let mut without = to_both("first");
    without["socket_id"] = ann.id.as_str().into();
    ask(&daemon, "POST /apps/3/events", &without);
    let one =
        |name: &str, except: &str| json!({ "name": name, "channel": "a", "data": "{}", "socket_id": except });
    let batch = json!({ "batch": [one("second", &bob.id), one("third", &ann.id), one("fourth", "1.2")] });
    ask(&daemon, "POST /apps/3/batch_events", &batch);
    ask(&daemon, "POST /apps/3/events", &to_both("fifth"));
    let (a, b) = (|name| event("a", name), |name| event("b", name));
    let of = |got: &[Value], channel: &str| {
        got.iter().filter(|one| one["channel"] == channel).cloned().collect::<Vec<_>>()
    };
    let got = ann.rest();
    assert_eq!(of(&got, "a"), [a("second"), a("fourth"), a("fifth")]);
    assert_eq!(of(&got, "b"), [b("fifth")]);
    let got = bob.rest();
    assert_eq!(of(&got, "a"), [a("first"), a("third"), a("fourth"), a("fifth")]);
    assert_eq!(of(&got, "b"), [b("first"), b("fifth")]);
}

#[test]
fn members_are_counted_and_listed() {
    let daemon = start("", &[]);
    let mut clients: Vec<Client> = (0..3).map(|_| Client::open(&daemon)).collect();
    for (client, user) in clients.iter_mut().zip(["\"ann\"", "\"ann\"", "10"]) {
        client.subscribe_signed("presence-room", Some(&format!("{{\"user_id\":{user}}}")));
    }
    // It hears of the one who came behind it first.
    clients[0].rest();
    assert_eq!(clients[0].subscribe("news"), subscribed("news"));
    let is = |line: &str, expected: Value| assert_eq!(ask(&daemon, line, &Value::Null), expected, "{line}");
    let counts = json!({ "user_count": 2, "subscription_count": 3 });
    is(
        "GET /apps/3/channels/presence-room?info=user_count,subscription_count",
        json!({ "occupied": true, "user_count": 2, "subscription_count": 3 }),
    );
    is("GET /apps/3/channels/presence-room/users", json!({ "users": [{ "id": "10" }, { "id": "ann" }] }));
    is(
        "GET /apps/3/channels?filter_by_prefix=presence-&info=user_count,subscription_count",
        json!({ "channels": { "presence-room": counts } }),
    );
    is("GET /apps/3/channels", json!({ "channels": { "presence-room": {}, "news": {} } }));
    is("GET /apps/3/connections", json!({ "connections": 3 }));
    let asked = json!({ "name": "n", "channels": ["presence-room", "news"], "data": "",
        "info": "user_count,subscription_count" });
    let told = json!({ "channels": { "presence-room": counts, "news": { "subscription_count": 1 } } });
    assert_eq!(ask(&daemon, "POST /apps/3/events", &asked), told);
}

#[test]
fn a_user_is_written_to_and_sent_away() {
    let daemon = start("", &[]);
    let (mut ann, mut bob) = (Client::open(&daemon), Client::open(&daemon));
    ann.sign_in(r#"{"id":"ann"}"#);
    bob.sign_in(r#"{"id":"bob"}"#);
    assert_eq!(ann.subscribe("#server-to-user-ann"), subscribed("#server-to-user-ann"));
    let to_ann = json!({ "name": "greet", "channels": ["#server-to-user-ann"], "data": "{}" });
    ask(&daemon, "POST /apps/3/events", &to_ann);
    assert_eq!(ann.next(), event("#server-to-user-ann", "greet"));
    assert_eq!(ask(&daemon, "GET /apps/3/channels", &Value::Null), json!({ "channels": {} }));
    for user in ["ann", "nobody"] {
        let path = format!("POST /apps/3/users/{user}/terminate_connections");
        assert_eq!(ask(&daemon, &path, &json!({})), json!({}));
    }
    assert_eq!(ann.closed(), 4_009);
    assert!(bob.rest().is_empty(), "nobody else is");
    assert_eq!(ask(&daemon, "GET /apps/3/connections", &Value::Null), json!({ "connections": 1 }));
}

#[test]
fn the_event_that_a_cache_channel_keeps_is_shown() {
    let daemon = start("client_events=true", &[]);
    let cache =
        || ask(&daemon, "GET /apps/3/channels/private-cache-a?info=cache", &Value::Null)["cache"].clone();
    assert_eq!(cache(), Value::Null);
    let mut client = Client::open(&daemon);
    assert_eq!(client.subscribe_signed("private-cache-a", None), subscribed("private-cache-a"));
    client.rest();
    let newest = json!({ "name": "n", "channel": "private-cache-a", "data": "{\"x\":1}" });
    ask(&daemon, "POST /apps/3/events", &newest);
    client.send(&json!({ "event": "client-a", "channel": "private-cache-a", "data": 7 }));
    client.rest();
    let shown = cache();
    assert_eq!(shown["data"], "{\"x\":1}");
    assert!(shown["ttl"].as_u64().is_some_and(|ttl_s| (1_000..=1_800).contains(&ttl_s)), "{shown}");
}

#[cfg(feature = "backend")]
#[test]
fn a_backend_hears_how_many_are_subscribed() {
    let backend = Backend::start(|_| answer(200, ""));
    let app =
        format!("subscription_count=true webhook_events=subscription_count webhook_url={}", backend.url());
    let daemon = start(&app, &["--webhook-batch-ms", "0"]);
    let mut clients = [Client::open(&daemon), Client::open(&daemon)];
    for (client, count) in clients.iter_mut().zip(1..) {
        assert_eq!(client.subscribe("news"), subscribed("news"));
        let event = json!({ "name": "subscription_count", "channel": "news", "subscription_count": count });
        wait("the count", || backend.asked().iter().any(|asked| asked.json()["events"][0] == event));
    }
}

/// All that a backend is told of one client's doings, by the channel and in its order.
#[cfg(feature = "backend")]
#[test]
fn a_backend_hears_of_users_and_events() {
    let backend = Backend::start(|_| answer(200, ""));
    let app = format!("client_events=true webhook_url={}", backend.url());
    let daemon = start(&app, &["--webhook-batch-ms", "0", "--presence-grace-ms", "0"]);
    let mut client = Client::open(&daemon);
    client.subscribe_signed("presence-cache-a", Some(r#"{"user_id":"ann"}"#));
    client.send(&json!({ "event": "client-a", "channel": "presence-cache-a", "data": { "x": 1 } }));
    client.send(&json!({ "event": "client-b", "channel": "presence-cache-a", "data": "text" }));
    client.rest();
    let id = client.id.clone();
    let events = || {
        let bodies: Vec<Value> = backend.asked().iter().map(|asked| asked.json()).collect();
        bodies.iter().flat_map(|body| body["events"].as_array().unwrap().clone()).collect::<Vec<_>>()
    };
    wait("what it has done", || events().len() >= 5);
    client.reset();
    wait("its end", || events().len() >= 7);
    let of = |name: &str| json!({ "name": name, "channel": "presence-cache-a" });
    let with = |name: &str, more: &[(&str, &str)]| {
        let mut event = of(name);
        more.iter().for_each(|&(key, value)| event[key] = value.into());
        event
    };
    let sent = |event, data| {
        with("client_event", &[("event", event), ("data", data), ("socket_id", &id), ("user_id", "ann")])
    };
    let mut told = events();
    told.sort_by_key(|event| event["name"] == "channel_vacated" || event["name"] == "member_removed");
    let named = |event: &Value| event["name"].as_str().unwrap().to_owned();
    told[5..].sort_by_key(named);
    told[..5].sort_by_key(|event| (named(event), event["event"].as_str().map(str::to_owned)));
    assert_eq!(
        told,
        [
            of("cache_miss"),
            of("channel_occupied"),
            sent("client-a", "{\"x\":1}"),
            sent("client-b", "text"),
            with("member_added", &[("user_id", "ann")]),
            of("channel_vacated"),
            with("member_removed", &[("user_id", "ann")]),
        ]
    );
}

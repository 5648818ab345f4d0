//! Channels of every sort, and what is said in them.

use serde_json::{Value, json};

use super::{Client, held, publish, start, subscribed};
use crate::daemon::wait;

pub(super) fn error(message: &Value) -> (&str, &str, u64) {
    assert_eq!(message["event"], "pusher:subscription_error", "{message}");
    let data = &message["data"];
    (message["channel"].as_str().unwrap(), data["type"].as_str().unwrap(), data["status"].as_u64().unwrap())
}

pub(super) fn member(user: &str) -> String {
    json!({"user_id": user, "user_info": {"name": user}}).to_string()
}

pub(super) fn members(message: &Value) -> Value {
    assert_eq!(message["event"], "pusher_internal:subscription_succeeded", "{message}");
    held(message)["presence"].clone()
}

#[test]
fn events_reach_subscribers_of_their_channel_until_they_leave() {
    let daemon = start("", &[]);
    let (mut one, mut two) = (Client::open(&daemon), Client::open(&daemon));
    for channel in ["news", "a=b,c;d@e.f_g-h"] {
        assert_eq!(one.subscribe(channel), subscribed(channel));
    }
    two.subscribe("news");
    let event = publish(&daemon, "news", "e", "{\"some\":\"data\"}");
    assert_eq!((one.next(), two.next()), (event.clone(), event));
    let event = publish(&daemon, "a=b,c;d@e.f_g-h", "e", "x");
    assert_eq!((one.rest(), two.rest()), (vec![event], vec![]));
    assert_eq!(one.subscribe("news"), subscribed("news"), "it is subscribed once, and told again");
    one.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "news"}}));
    assert!(one.rest().is_empty(), "no answer");
    let event = publish(&daemon, "news", "e", "y");
    assert_eq!((one.rest(), two.rest()), (vec![], vec![event]));
    let status = daemon.ask("GET", "/channels/pusher%2F3%2Fnews", &[], b"").json();
    assert_eq!(status["subscribers"], 1);
}

#[test]
fn names_that_pusher_does_not_have_are_refused() {
    let daemon = start("channels_per_connection_max=2", &[]);
    let mut client = Client::open(&daemon);
    for name in ["", "a b", "a/b", "#x", &"n".repeat(201)] {
        assert_eq!(error(&client.subscribe(name)), (name, "LimitReached", 4_009));
    }
    let long = "n".repeat(200);
    assert_eq!(client.subscribe(&long), subscribed(&long));
    client.subscribe("second");
    assert_eq!(error(&client.subscribe("third")), ("third", "LimitReached", 4_009));
}

#[test]
fn a_private_channel_needs_the_backends_signature() {
    let daemon = start("", &[]);
    let (mut client, mut other) = (Client::open(&daemon), Client::open(&daemon));
    for channel in ["private-a", "private-encrypted-a", "presence-a", "private-cache-a", "presence-cache-a"] {
        assert_eq!(error(&client.subscribe(channel)), (channel, "AuthError", 401));
        let foreign = super::signature(&format!("{}:{channel}", other.id));
        let asked = json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": foreign}});
        assert_eq!(error(&client.ask(&asked)), (channel, "AuthError", 401), "signed for another connection");
    }
    assert_eq!(client.subscribe_signed("private-a", None), subscribed("private-a"));
    assert_eq!(other.subscribe_signed("private-encrypted-a", None), subscribed("private-encrypted-a"));
    let event = publish(&daemon, "private-encrypted-a", "e", "{\"nonce\":\"n\",\"ciphertext\":\"c\"}");
    assert_eq!((client.rest(), other.rest()), (vec![], vec![event]));
}

#[test]
fn members_are_told_of_each_other_once_for_each_user() {
    let daemon = start("", &["--presence-grace-ms", "0"]);
    let (mut ann, mut bob, mut tab) = (Client::open(&daemon), Client::open(&daemon), Client::open(&daemon));
    let only = members(&ann.subscribe_signed("presence-a", Some(&member("ann"))));
    assert_eq!(only, json!({"ids": ["ann"], "hash": {"ann": {"name": "ann"}}, "count": 1}));
    let both = members(&bob.subscribe_signed("presence-a", Some(&member("bob"))));
    let hash = json!({"ann": {"name": "ann"}, "bob": {"name": "bob"}});
    assert_eq!(both, json!({"ids": ["ann", "bob"], "hash": hash, "count": 2}));
    let added = ann.rest();
    assert_eq!(added.len(), 1);
    assert_eq!(
        (&added[0]["event"], &added[0]["channel"]),
        (&json!("pusher_internal:member_added"), &json!("presence-a"))
    );
    assert_eq!(held(&added[0]), json!({"user_id": "bob", "user_info": {"name": "bob"}}));
    assert!(bob.rest().is_empty(), "nobody is told of itself");
    // A second tab is no second member, whichever goes first.
    assert_eq!(members(&tab.subscribe_signed("presence-a", Some(&member("bob"))))["count"], 2);
    bob.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "presence-a"}}));
    bob.rest();
    assert!(ann.rest().is_empty());
    tab.reset();
    let removed = ann.next();
    assert_eq!(removed["event"], "pusher_internal:member_removed");
    assert_eq!(held(&removed), json!({"user_id": "bob"}));
    let status = daemon.ask("GET", "/channels/pusher%2F3%2Fpresence-a/presence", &[], b"").json();
    assert_eq!((&status["count"], &status["members"][0]["user"]), (&json!(1), &json!("ann")));
}

#[test]
fn one_connection_may_be_another_user_in_each_channel() {
    let daemon = start("", &["--presence-grace-ms", "0"]);
    let (mut client, mut watcher) = (Client::open(&daemon), Client::open(&daemon));
    for (channel, user) in [("presence-a", "1"), ("presence-b", "2")] {
        watcher.subscribe_signed(channel, Some(&member("watcher")));
        assert_eq!(
            members(&client.subscribe_signed(channel, Some(&member(user))))["ids"],
            json!([user, "watcher"])
        );
    }
    watcher.rest();
    client.reset();
    let gone: Vec<(Value, Value)> = (0..2)
        .map(|_| watcher.next())
        .map(|message| (message["channel"].clone(), held(&message)["user_id"].clone()))
        .collect();
    assert!(
        gone.contains(&(json!("presence-a"), json!("1")))
            && gone.contains(&(json!("presence-b"), json!("2")))
    );
}

#[test]
fn a_presence_channel_has_its_limits() {
    let daemon = start("members_max=2 member_bytes_max=20", &[]);
    let mut clients = [Client::open(&daemon), Client::open(&daemon), Client::open(&daemon)];
    let plain = |user: &str| json!({"user_id": user}).to_string();
    for (n, client) in clients.iter_mut().enumerate().take(2) {
        members(&client.subscribe_signed("presence-a", Some(&plain(&n.to_string()))));
    }
    let third = &mut clients[2];
    let refused = third.subscribe_signed("presence-a", Some(&plain("3")));
    assert_eq!(error(&refused), ("presence-a", "LimitReached", 4_004));
    assert_eq!(members(&third.subscribe_signed("presence-a", Some(&plain("1"))))["count"], 2, "one of them");
    let large = json!({"user_id": "4", "user_info": "x".repeat(20)}).to_string();
    assert_eq!(
        error(&third.subscribe_signed("presence-b", Some(&large))),
        ("presence-b", "LimitReached", 4_301)
    );
    for data in ["", "{}", "{\"user_id\":\"\"}", "no JSON", &plain(&"u".repeat(129))] {
        assert_eq!(
            error(&third.subscribe_signed("presence-b", Some(data))),
            ("presence-b", "AuthError", 401),
            "{data}"
        );
    }
    let ten = third.subscribe_signed("presence-b", Some("{\"user_id\":10}"));
    assert_eq!(
        members(&ten),
        json!({"ids": ["10"], "hash": {"10": {}}, "count": 1}),
        "numbers are names as well"
    );
}

#[test]
fn a_cache_channel_says_its_last_event() {
    let daemon = start("client_events=true", &[]);
    let mut first = Client::open(&daemon);
    for channel in ["cache-a", "private-cache-a", "private-encrypted-cache-a"] {
        assert_eq!(first.subscribe_signed(channel, None), subscribed(channel));
        assert_eq!(first.next(), json!({"event": "pusher:cache_miss", "channel": channel}));
        publish(&daemon, channel, "e", "1");
        let event = publish(&daemon, channel, "e", "2");
        first.rest();
        let mut second = Client::open(&daemon);
        assert_eq!(second.subscribe_signed(channel, None), subscribed(channel));
        assert_eq!(second.rest(), [event], "{channel}");
    }
    // Events of clients are not kept for newcomers.
    let sent = json!({"event": "client-a", "channel": "private-cache-a", "data": 7});
    first.send(&sent);
    first.rest();
    let mut third = Client::open(&daemon);
    third.subscribe_signed("private-cache-a", None);
    assert_eq!(third.rest()[0]["data"], "2");
    let mut fourth = Client::open(&daemon);
    members(&fourth.subscribe_signed("presence-cache-b", Some(&member("1"))));
    assert_eq!(fourth.rest(), [json!({"event": "pusher:cache_miss", "channel": "presence-cache-b"})]);
}

#[test]
fn events_of_clients_go_to_the_others() {
    let daemon = start("client_events=true event_bytes_max=100", &[]);
    let (mut ann, mut bob) = (Client::open(&daemon), Client::open(&daemon));
    for client in [&mut ann, &mut bob] {
        client.subscribe_signed("private-a", None);
        client.subscribe("news");
        client.subscribe_signed("private-encrypted-a", None);
    }
    ann.subscribe_signed("presence-a", Some(&member("ann")));
    bob.subscribe_signed("presence-a", Some(&member("bob")));
    ann.rest();
    for data in [json!({"a": [1, null]}), json!("{\"a\":1}"), json!(7)] {
        let sent = json!({"event": "client-typing", "channel": "private-a", "data": data});
        ann.send(&sent);
        assert_eq!(ann.rest(), Vec::<Value>::new(), "its sender has it");
        assert_eq!(bob.next(), sent);
    }
    ann.send(&json!({"event": "client-typing", "channel": "presence-a", "data": {}}));
    ann.rest();
    let with_user = json!({"event": "client-typing", "channel": "presence-a", "data": {}, "user_id": "ann"});
    assert_eq!(bob.next(), with_user);
    for (event, channel, data) in [
        ("client-a", "news", "x"),
        ("client-a", "private-encrypted-a", "x"),
        ("client-a", "private-b", "x"),
        ("client-a", "private-a", &"x".repeat(100)),
        (&format!("client-{}", "n".repeat(200)), "private-a", "x"),
    ] {
        let answer = ann.ask(&json!({"event": event, "channel": channel, "data": data}));
        assert_eq!(
            (&answer["event"], &answer["data"]["code"]),
            (&json!("pusher:error"), &json!(4301)),
            "{event} {channel}"
        );
    }
    assert!(bob.rest().is_empty());
    // The backend's events reach them in the order in which all are published.
    let event = publish(&daemon, "private-a", "e", "1");
    assert_eq!((ann.rest(), bob.rest()), (vec![event.clone()], vec![event]));
}

#[test]
fn a_flood_of_client_events_is_not_passed_on() {
    let daemon = start("client_events=true client_events_per_second=5", &[]);
    let (mut ann, mut bob) = (Client::open(&daemon), Client::open(&daemon));
    ann.subscribe_signed("private-a", None);
    bob.subscribe_signed("private-a", None);
    for n in 0..100 {
        ann.send(&json!({"event": "client-a", "channel": "private-a", "data": n}));
    }
    let refused = ann.rest();
    assert!(refused.iter().all(|message| message["data"]["code"] == 4301), "{refused:?}");
    let passed = bob.rest();
    assert_eq!(refused.len() + passed.len(), 100);
    assert!(passed.len() >= 5 && refused.len() >= 5, "{} passed", passed.len());
    let mut still = start("", &[]);
    let mut off = Client::open(&still);
    off.subscribe_signed("private-a", None);
    let answer = off.ask(&json!({"event": "client-a", "channel": "private-a", "data": 1}));
    assert_eq!(answer["data"]["code"], 4301, "the app takes none");
    still.signal("TERM");
    still.wait_exit();
}

#[test]
fn apps_never_meet_and_other_tongues_hear_what_is_opened_to_them() {
    let more = ["--pusher-app", "4 key=other secret=b", "--channels", "*", "--channels", "pusher/3/open*"];
    let daemon = start("", &more);
    let (mut client, mut stranger) =
        (Client::open(&daemon), Client::open_at(&daemon, "/app/other?protocol=7", &[]));
    let mut plain = crate::daemon::WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/open-news");
    let http = crate::daemon::Http::tcp(daemon.public);
    let closed = crate::daemon::WebSocket::ask_over(http, "/ws?channel=pusher/3/private-a", &[]);
    assert_eq!(
        closed.map(|_| 101).unwrap_or_else(|response| response.status),
        403,
        "* opens no app's channels"
    );
    client.subscribe("open-news");
    stranger.subscribe("open-news");
    let mut events = crate::daemon::Http::tcp(daemon.public);
    events.send(b"GET /sse?broadcast=no&channel=pusher/3/open-news HTTP/1.1\r\nHost: x\r\n\r\n");
    let mut shown = String::new();
    let mut until = |so: fn(&str) -> bool| {
        while !so(&shown) {
            shown.push_str(&String::from_utf8(events.more()).unwrap());
        }
        shown.clone()
    };
    until(|shown| shown.contains("retry: "));
    let sent: Vec<Value> = (0..20).map(|n| publish(&daemon, "open-news", "e", &n.to_string())).collect();
    let heard = |text: String| serde_json::from_str::<Value>(&text).unwrap();
    assert_eq!((0..20).map(|_| heard(plain.text())).collect::<Vec<_>>(), sent, "the same in the same order");
    assert_eq!(client.rest(), sent);
    let shown = until(|shown| shown.matches("\ndata: ").count() == 20);
    let data = shown.lines().filter_map(|line| line.strip_prefix("data: "));
    assert_eq!(data.map(|data| heard(data.to_owned())).collect::<Vec<_>>(), sent, "in every tongue");
    assert!(stranger.rest().is_empty());
}

#[test]
fn subscribers_are_counted_where_the_app_wants_it() {
    let daemon = start("subscription_count=true", &[]);
    let count = |message: &Value| {
        assert_eq!(message["event"], "pusher_internal:subscription_count", "{message}");
        (message["channel"].clone(), held(message)["subscription_count"].clone())
    };
    let (mut one, mut two) = (Client::open(&daemon), Client::open(&daemon));
    assert_eq!(one.subscribe("cache-a"), subscribed("cache-a"));
    assert_eq!(one.next()["event"], "pusher:cache_miss");
    assert_eq!(count(&one.next()), (json!("cache-a"), json!(1)));
    assert_eq!(two.subscribe("cache-a"), subscribed("cache-a"));
    assert_eq!(two.next()["event"], "pusher:cache_miss", "a count is no event");
    assert_eq!((count(&one.next()).1, count(&two.next()).1), (json!(2), json!(2)));
    two.reset();
    assert_eq!(count(&one.next()).1, 1);
    members(&one.subscribe_signed("presence-a", Some(&member("1"))));
    assert!(one.rest().is_empty(), "presence says it there");
}

#[test]
fn other_payloads_than_events_are_refused() {
    let daemon = start("", &[]);
    let mut client = Client::open(&daemon);
    client.subscribe("news");
    let push = |target: &str, body: &str| daemon.ask("POST", target, &[], body.as_bytes());
    let refused = push("/push?channel=pusher/3/news", "hello");
    assert_eq!(refused.status, 400, "{}", refused.text());
    assert!(refused.text().contains("a channel of an app takes events"));
    let line = json!({"channel": "pusher/3/news", "data": "hello"}).to_string();
    assert_eq!(push("/push/batch", &line).status, 400);
    let id = client.id.split_once('.').unwrap().1.to_owned();
    assert_eq!(push(&format!("/push?conn={id}"), "for you").status, 200);
    assert_eq!(client.next(), json!({"event": "message", "data": "for you"}), "to one alone it is a message");
    assert_eq!(push(&format!("/connections/{id}/subscribe?channel=other"), "").status, 503);
    assert!(client.rest().is_empty());
}

#[test]
fn what_a_cache_channel_keeps_outlives_the_idle_time_of_channels() {
    let daemon = start("cache_ttl_s=2", &["--channel-idle-ms", "1"]);
    let event = publish(&daemon, "cache-a", "e", "{}");
    publish(&daemon, "other", "e", "{}");
    let is_there = |name: &str| {
        let path = format!("/channels/pusher%2F3%2F{name}");
        daemon.ask("GET", &path, &[], b"").status == 200
    };
    wait("the other one is forgotten", || !is_there("other"));
    let mut client = Client::open(&daemon);
    assert_eq!(client.subscribe("cache-a"), subscribed("cache-a"));
    assert_eq!(client.next(), event);
    client.reset();
    wait("its time is over as well", || !is_there("cache-a"));
}

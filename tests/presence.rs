//! Presence over real sockets: who is in a channel, and what its subscribers are told of that.
#![cfg(feature = "auth")]

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use wspush::auth::{Claims, Rights, Rules, issue};

use crate::daemon::events::{Event, EventStream};
use crate::daemon::{Daemon, Http, WebSocket};
use crate::v1::Client;

pub const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";
const RULE: &str = "room.* presence=true";

pub fn start(more: &[&str]) -> Daemon {
    let flags = ["--auth", "optional", "--auth-secret", SECRET, "--channels", "room.*", "--channel-rule"];
    Daemon::start(&[&flags[..], more].concat())
}

pub fn token(user: &str, info: Option<&str>) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let rights = Rights { expires_s: Some(now_s + 600), info: info.map(Into::into), ..Rights::default() };
    let claims = Claims { user: Some(user.to_owned()), rights, ..Claims::default() };
    issue(SECRET, &claims, &Rules::default(), now_s).unwrap()
}

/// A user's client of `wspush.v1`, greeted, in no channel.
fn client(daemon: &Daemon, user: &str) -> Client {
    let mut client = Client::open_with(daemon, &format!("broadcast=no&token={}", token(user, None)), &[]);
    assert_eq!(client.next()["connected"]["user"], user);
    client
}

/// The same without a user.
fn nobody(daemon: &Daemon) -> Client {
    Client::open(daemon, "broadcast=no", &[])
}

fn subscribe(client: &mut Client, channel: &str) -> Value {
    let answer = client.ask(&json!({"id": 1, "subscribe": {"channel": channel, "presence": true}}));
    answer["subscribed"]["presence"].clone()
}

fn unsubscribe(client: &mut Client, channel: &str) {
    client.rest();
    let answer = client.ask(&json!({"id": 2, "unsubscribe": {"channel": channel}}));
    assert_eq!(answer["unsubscribed"]["channel"], channel, "{answer}");
}

fn presence(client: &mut Client, channel: &str) -> Value {
    client.ask(&json!({"id": 3, "presence": {"channel": channel}}))["presence"].clone()
}

fn join(channel: &str, user: &str) -> Value {
    json!({"join": {"channel": channel, "user": user}})
}

fn leave(channel: &str, user: &str) -> Value {
    json!({"leave": {"channel": channel, "user": user}})
}

fn member(user: &str, connections: u32) -> Value {
    json!({"user": user, "connections": connections})
}

#[test]
fn two_tabs_are_one_member_whatever_they_speak() {
    let daemon = start(&[RULE]);
    let mut watcher = nobody(&daemon);
    assert_eq!(subscribe(&mut watcher, "room.1"), json!({"count": 0, "members": []}), "it is nobody itself");
    let info = r#"{"name":"Ann \u00e9"}"#;
    let plain = format!("/ws?broadcast=no&channel=room.1&token={}", token("ann", Some(info)));
    let mut tab = WebSocket::open_at(&daemon, &plain);
    tab.sync();
    let joined = json!({"join": {"channel": "room.1", "user": "ann", "info": {"name": "Ann \u{e9}"}}});
    assert_eq!(watcher.rest(), [joined], "once, with what its token says of it");
    let mut second = client(&daemon, "ann");
    let ann = json!({"user": "ann", "info": {"name": "Ann \u{e9}"}, "connections": 2});
    assert_eq!(subscribe(&mut second, "room.1"), json!({"count": 1, "members": [ann]}));
    let mut bob = client(&daemon, "bob");
    assert_eq!(subscribe(&mut bob, "room.1"), json!({"count": 2, "members": [ann, member("bob", 1)]}));
    assert_eq!((watcher.rest(), second.rest()), (vec![join("room.1", "bob")], vec![join("room.1", "bob")]));
    assert!(bob.rest().is_empty(), "nobody is told of itself");

    let epoch = daemon.push_to("/push?channel=room.1", "hello")["epoch"].as_u64().unwrap();
    assert_eq!(watcher.next()["data"], "hello");
    let whole = |epoch: Value| {
        let members = [ann.clone(), member("bob", 1)];
        json!({"channel": "room.1", "epoch": epoch, "offset": 1, "count": 2, "members": members})
    };
    assert_eq!(presence(&mut watcher, "room.1"), whole(epoch.to_string().into()));
    let read = |path: &str| daemon.ask("GET", path, &[], b"").json();
    assert_eq!(read("/channels/room.1/presence"), whole(epoch.into()));
    assert_eq!(read("/channels/room.1")["members"], 2);
    assert_eq!(
        read("/connections?user=bob")["connections"][0]["channels"],
        json!(["room.1"]),
        "and no other"
    );
    assert_eq!(read("/channels?prefix=room")["channels"].as_array().map(Vec::len), Some(1));
    assert_eq!((daemon.stats()["channels"].clone(), daemon.counter("deliveries")), (2.into(), 4));

    unsubscribe(&mut second, "room.1");
    assert!(watcher.rest().is_empty());
    tab.sync();
    tab.close(1000);
    assert_eq!(watcher.rest(), [leave("room.1", "ann")], "with the last of its connections");
    assert_eq!(presence(&mut watcher, "room.1")["members"], json!([member("bob", 1)]));
    let events = &daemon.stats()["counters"]["channel_events"];
    assert_eq!((&events["member_added"], &events["member_removed"]), (&2.into(), &1.into()));
    assert_eq!((&events["channel_occupied"], &events["channel_vacated"]), (&1.into(), &0.into()));
}

#[test]
fn whoever_is_lost_may_be_back_at_once_and_who_says_goodbye_is_gone() {
    let daemon = start(&[RULE, "--presence-grace-ms", "60000"]);
    let mut watcher = nobody(&daemon);
    subscribe(&mut watcher, "room.1");
    let mut ann = client(&daemon, "ann");
    subscribe(&mut ann, "room.1");
    drop(ann);
    daemon.wait_connections(1);
    assert_eq!(watcher.rest(), [join("room.1", "ann")]);
    assert_eq!(presence(&mut watcher, "room.1")["members"], json!([member("ann", 0)]));
    // A page that is loaded anew says that it goes away (1001), and is back.
    let mut ann = client(&daemon, "ann");
    assert_eq!(subscribe(&mut ann, "room.1")["members"], json!([member("ann", 1)]));
    ann.0.close(1001);
    let mut ann = client(&daemon, "ann");
    subscribe(&mut ann, "room.1");
    assert!(watcher.rest().is_empty(), "nobody has heard that it was away");
    // It leaves, comes again, and ends.
    unsubscribe(&mut ann, "room.1");
    assert_eq!(watcher.rest(), [leave("room.1", "ann")]);
    subscribe(&mut ann, "room.1");
    ann.0.close(1000);
    assert_eq!(watcher.rest(), [join("room.1", "ann"), leave("room.1", "ann")]);
    // The operator's word is one too.
    let mut ann = client(&daemon, "ann");
    subscribe(&mut ann, "room.1");
    daemon.ask("DELETE", "/users/ann", &[], b"");
    assert_eq!(ann.0.closed().0, 1008);
    assert_eq!(watcher.rest(), [join("room.1", "ann"), leave("room.1", "ann")]);
}

#[test]
fn the_time_for_coming_back_ends() {
    let daemon = start(&[RULE, "--presence-grace-ms", "1"]);
    let mut watcher = nobody(&daemon);
    subscribe(&mut watcher, "room.1");
    for _ in 0..3 {
        let mut ann = client(&daemon, "ann");
        subscribe(&mut ann, "room.1");
        assert_eq!(watcher.next(), join("room.1", "ann"));
        drop(ann);
        assert_eq!(watcher.next(), leave("room.1", "ann"));
    }
    // The last one of a channel that nobody has published to: it is gone with its time.
    let mut ann = client(&daemon, "ann");
    subscribe(&mut ann, "room.2");
    drop(ann);
    daemon.wait_stats("the room to go", |stats| stats["channels"] == 2);
    assert_eq!(
        presence(&mut watcher, "room.2"),
        json!({"channel": "room.2", "epoch": "0", "offset": 0, "count": 0, "members": []})
    );
}

#[test]
fn too_many_are_counted_until_nobody_is_there() {
    let daemon = start(&[RULE, "--presence-members-max", "2"]);
    let mut watcher = nobody(&daemon);
    subscribe(&mut watcher, "room.1");
    let mut clients: Vec<Client> = ["a", "b", "c", "d"].map(|user| client(&daemon, user)).into();
    for client in &mut clients[..2] {
        subscribe(client, "room.1");
    }
    assert_eq!(watcher.rest(), [join("room.1", "a"), join("room.1", "b")]);
    assert_eq!(subscribe(&mut clients[2], "room.1"), json!({"count": 3}));
    let said = watcher.rest();
    assert_eq!((said.len(), &said[0]["presence"]["count"]), (1, &3.into()), "{said:?}");
    assert_eq!(
        (&said[0]["presence"]["channel"], &said[0]["presence"]["members"]),
        (&"room.1".into(), &Value::Null)
    );
    subscribe(&mut clients[3], "room.1");
    assert_eq!(presence(&mut clients[3], "room.1")["count"], 4);
    let read = daemon.ask("GET", "/channels/room.1/presence", &[], b"").json();
    assert_eq!((&read["count"], &read["members"]), (&4.into(), &Value::Null));
    for client in &mut clients[1..] {
        unsubscribe(client, "room.1");
    }
    assert!(watcher.rest().is_empty(), "nobody is told of those who are only counted");
    unsubscribe(&mut clients[0], "room.1");
    let said = watcher.rest();
    assert_eq!((said.len(), &said[0]["presence"]["members"]), (1, &json!([])), "{said:?}");
    subscribe(&mut clients[1], "room.1");
    assert_eq!(watcher.rest(), [join("room.1", "b")]);
    let events = &daemon.stats()["counters"]["channel_events"];
    assert_eq!((&events["member_added"], &events["member_removed"]), (&3.into(), &2.into()));
}

#[test]
fn a_rule_says_what_clients_may_do() {
    let rule = "room.closed presence=true clients=publish";
    let daemon = start(&[rule, "--channel-rule", "hall.* presence=true clients=subscribe+history+publish"]);
    let mut client = nobody(&daemon);
    let denied = |client: &mut Client, command: Value| client.denied(&command.to_string());
    let (code, why) = denied(&mut client, json!({"id": 1, "subscribe": {"channel": "room.closed"}}));
    assert_eq!(
        (code.as_str(), why.as_str()),
        (
            "forbidden",
            "the rule for channel \"room.closed\" leaves out subscribe (clients), and no token allows it (allow)"
        )
    );
    let published = client.ask(&json!({"id": 2, "publish": {"channel": "room.closed", "data": "in"}}));
    assert_eq!((&published["id"], &published["published"]["offset"]), (&2.into(), &1.into()));
    for (command, right) in [
        (json!({"id": 3, "history": {"channel": "room.closed"}}), "history"),
        (json!({"id": 3, "presence": {"channel": "room.closed"}}), "presence"),
        (json!({"id": 3, "presence": {"channel": "hall.1"}}), "presence"),
        (json!({"id": 3, "subscribe": {"channel": "hall.1", "presence": true}}), "presence"),
    ] {
        let (code, why) = denied(&mut client, command);
        assert!(code == "forbidden" && why.contains(&format!("leaves out {right} (clients)")), "{why}");
    }
    let (code, why) =
        denied(&mut client, json!({"id": 3, "subscribe": {"channel": "room.1", "presence": true}}));
    assert!(code == "forbidden" && why.starts_with("channel \"room.1\" has no presence"), "{why}");
    // The sender doesn't get its own, without any token.
    client.ask(&json!({"id": 4, "subscribe": {"channel": "hall.1"}}));
    let published = client.ask(&json!({"id": 5, "publish": {"channel": "hall.1", "data": "own"}}));
    assert_eq!(published["published"]["offset"], 1, "{published}");
    assert!(client.rest().is_empty());
    let page = client.ask(&json!({"id": 6, "history": {"channel": "hall.1"}}));
    assert_eq!(page["history"]["publications"][0]["data"], "own", "{page}");
    // On /ws the rule decides as well, and a token adds to it.
    let refused = |target: &str| WebSocket::ask(daemon.public, target, &[]).err().map(|answer| answer.status);
    assert_eq!((refused("/ws?channel=room.closed"), refused("/ws?channel=hall.2")), (Some(403), None));
    let rights = Rights { allow: ["room.closed".to_owned()].into(), ..Rights::default() };
    let claims = Claims { user: Some("ann".into()), rights, ..Claims::default() };
    let token = issue(SECRET, &claims, &Rules::default(), 1_000).unwrap();
    let mut ann = Client::open_with(&daemon, &format!("broadcast=no&channel=room.closed&token={token}"), &[]);
    ann.next();
    assert_eq!(ann.next()["subscribed"]["channel"], "room.closed");
    assert_eq!(presence(&mut ann, "room.closed")["count"], 1);
}

#[test]
fn a_rule_may_get_and_lose_presence_while_the_server_runs() {
    let file = std::env::temp_dir().join(format!("wspush-presence-{}.toml", std::process::id()));
    let rules = |presence: &str| {
        fs::write(&file, format!("[[channel]]\nmatch = \"room.*\"\npresence = {presence}\n")).unwrap();
    };
    rules("false");
    let flags = ["--auth", "optional", "--auth-secret", SECRET, "--channels", "room.*", "--config"];
    let daemon = Daemon::start(&[&flags[..], &[file.to_str().unwrap()]].concat());
    let reload = |presence: &str, times: usize| {
        rules(presence);
        daemon.signal("HUP");
        crate::daemon::wait("the reload", || daemon.events("reloaded") == times);
    };
    let plain = format!("/ws?broadcast=no&channel=room.1&token={}", token("ann", None));
    let ann = WebSocket::open_at(&daemon, &plain);
    let mut watcher = nobody(&daemon);
    watcher.ask(&json!({"id": 1, "subscribe": {"channel": "room.1"}}));
    let (code, _) = watcher.denied(r#"{"id":2,"presence":{"channel":"room.1"}}"#);
    assert_eq!(code, "forbidden");
    assert_eq!(daemon.ask("GET", "/channels/room.1/presence", &[], b"").status, 404);
    reload("true", 1);
    assert_eq!(watcher.next()["presence"]["members"], json!([member("ann", 1)]), "those who were there");
    let mut bob = client(&daemon, "bob");
    subscribe(&mut bob, "room.1");
    assert_eq!(watcher.next(), join("room.1", "bob"));
    reload("false", 2);
    assert_eq!(watcher.next()["presence"]["members"], json!([]), "the last that is said of it");
    assert_eq!(daemon.ask("GET", "/channels/room.1", &[], b"").json()["members"], 0);
    unsubscribe(&mut bob, "room.1");
    reload("true", 3);
    let again = watcher.next();
    assert_eq!(again["presence"]["members"], json!([member("ann", 1)]), "and not twice");
    ann.close(1000);
    assert_eq!(watcher.next(), leave("room.1", "ann"));
    fs::remove_file(&file).unwrap();
}

/// The next event's name and data, which is JSON.
fn named(stream: &mut EventStream) -> (String, Value) {
    let Event { name, data, .. } = stream.next().expect("an event");
    (name, serde_json::from_str(&data).expect("JSON"))
}

fn line(stream: &mut EventStream) -> Value {
    serde_json::from_str(&stream.line().expect("a line")).expect("JSON")
}

#[test]
fn streams_are_members_and_are_told() {
    let daemon = start(&[RULE, "--presence-grace-ms", "0"]);
    let mut watcher = nobody(&daemon);
    subscribe(&mut watcher, "room.1");
    let mut single = EventStream::open(&daemon, "/sse?broadcast=no&channel=room.1");
    let mut several = EventStream::open(&daemon, "/sse?channel=room.1&format=json");
    let mut lines = EventStream::open(&daemon, "/stream?broadcast=no&channel=room.1");
    assert_eq!(line(&mut lines)["subscribed"]["channel"], "room.1");
    let target = format!("/sse?broadcast=no&channel=room.1&token={}", token("sue", Some("{\n \"n\": 1}")));
    let sue = EventStream::open(&daemon, &target);
    let told = json!({"channel": "room.1", "user": "sue", "info": {"n": 1}});
    assert_eq!(named(&mut single), ("wspush.join".to_owned(), told.clone()));
    assert_eq!(named(&mut several), ("wspush.join".to_owned(), told.clone()));
    assert_eq!(line(&mut lines), json!({"join": told}));
    assert_eq!(watcher.rest(), [json!({"join": told})]);
    let receipt = daemon.push_to("/push?channel=room.1", "hello");
    assert_eq!((single.data(), line(&mut lines)["data"].clone()), ("hello".to_owned(), "hello".into()));
    assert_eq!(named(&mut several).1["data"], "hello");
    // A notice has no position, and does not change the one that a client comes back with.
    let at = format!("{}.{}", receipt["epoch"], receipt["offset"]);
    assert_eq!(single.reader.id, at);
    drop(sue);
    let told = json!({"channel": "room.1", "user": "sue"});
    assert_eq!(named(&mut single), ("wspush.leave".to_owned(), told.clone()));
    assert_eq!((line(&mut lines), single.reader.id.as_str()), (leave("room.1", "sue"), at.as_str()));
    assert_eq!(named(&mut several), ("wspush.leave".to_owned(), told));

    // A stream that gets another channel goes on to be told of the first one.
    let id = daemon.id_of_client(single.socket());
    let more = format!("/connections/{id}/subscribe?channel=room.2");
    assert_eq!(daemon.ask("POST", &more, &[], b"").status, 200);
    let mut bob = client(&daemon, "bob");
    subscribe(&mut bob, "room.1");
    subscribe(&mut bob, "room.2");
    for channel in ["room.1", "room.2"] {
        let told = json!({"channel": channel, "user": "bob"});
        assert_eq!(named(&mut single), ("wspush.join".to_owned(), told));
    }
    daemon.push_to("/push?channel=room.2", "both");
    assert_eq!(single.data(), "both");
}

#[test]
fn a_poll_is_a_member_while_it_waits_and_a_little_longer() {
    let daemon = start(&[RULE, "--presence-grace-ms", "60000"]);
    let mut watcher = nobody(&daemon);
    subscribe(&mut watcher, "room.1");
    let receipt = daemon.push_to("/push?channel=room.1", "before");
    let mut http = Http::tcp(daemon.public);
    let at = |offset: u64| format!("{}.{offset}", receipt["epoch"]);
    let mut ask = |offset| {
        let query = format!("broadcast=no&channel=room.1&since={}&timeout=120", at(offset));
        let request = http.request("GET", &format!("/poll?{query}&token={}", token("pol", None)), &[], b"");
        http.send(&request);
        daemon.wait_connections(2);
    };
    ask(1);
    assert_eq!(watcher.rest().pop(), Some(join("room.1", "pol")));
    assert_eq!(presence(&mut watcher, "room.1")["members"], json!([member("pol", 1)]));
    assert_eq!(daemon.ask("POST", "/push?user=pol", &[], b"you").json()["recipients"], 0);
    daemon.push_to("/push?channel=room.1", "there");
    daemon.wait_connections(1);
    assert_eq!(watcher.rest().len(), 1);
    assert_eq!(presence(&mut watcher, "room.1")["members"], json!([member("pol", 0)]));
    ask(2);
    assert_eq!(presence(&mut watcher, "room.1")["members"], json!([member("pol", 1)]));
    // The operator closes all that the user has.
    let closed = daemon.ask("DELETE", "/users/pol", &[], b"").json();
    assert_eq!((&closed["user"], &closed["closed"]), (&"pol".into(), &1.into()));
    daemon.wait_connections(1);
}

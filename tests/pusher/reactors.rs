//! Apps on several reactors: one service to the outside, whichever of them has a client.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::backends::{ask, ask_at, event};
use super::channels::{error, member, members};
use super::{Client, held, publish, start, subscribed};
#[cfg(feature = "backend")]
use crate::daemon::backend::{Backend, answer};
use crate::daemon::{Daemon, Http, wait};

const REACTORS: usize = 4;

fn start_several(app: &str, more: &[&str]) -> Daemon {
    start(app, &[&["--reactors", "4"], more].concat())
}

/// A client of each reactor.
fn clients(daemon: &Daemon) -> Vec<Client> {
    let clients: Vec<Client> = (0..REACTORS).map(|_| Client::open(daemon)).collect();
    let reactor = |client: &Client| client.id.split_once('.').unwrap().1.parse::<u64>().unwrap() >> 58;
    assert_eq!(clients.iter().map(reactor).collect::<BTreeSet<_>>(), BTreeSet::from([0, 1, 2, 3]));
    clients
}

fn names(got: &[Value]) -> Vec<&str> {
    got.iter().map(|message| message["event"].as_str().unwrap()).collect()
}

/// Waits until a client has got so many messages.
fn take(client: &mut Client, count: usize) -> Vec<Value> {
    (0..count).map(|_| client.next()).collect()
}

#[test]
fn a_client_is_left_out_at_whichever_reactor_it_is() {
    let daemon = start_several("client_events=true", &[]);
    let mut clients = clients(&daemon);
    let ids: Vec<String> = clients.iter().map(|client| client.id.clone()).collect();
    for client in &mut clients {
        assert_eq!(client.subscribe_signed("private-a", None), subscribed("private-a"));
    }
    for (n, id) in ids.iter().enumerate() {
        let name = format!("without-{n}");
        let one = json!({ "name": name, "channel": "private-a", "data": "{}", "socket_id": id });
        ask(&daemon, "POST /apps/3/events", &one);
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&json!({ "event": format!("client-{n}"), "channel": "private-a", "data": {} }));
    }
    for (n, client) in clients.iter_mut().enumerate() {
        let got = take(client, 2 * (REACTORS - 1));
        let mut seen: BTreeSet<String> = names(&got).into_iter().map(str::to_owned).collect();
        assert!(seen.insert(format!("without-{n}")) && seen.insert(format!("client-{n}")), "{n}: {got:?}");
        assert_eq!(seen.len(), 2 * REACTORS);
    }
    publish(&daemon, "private-a", "last", "{}");
    for client in &mut clients {
        assert_eq!(client.next(), event("private-a", "last"), "nothing comes behind");
    }
}

#[test]
fn members_are_those_of_all_reactors() {
    let daemon = start_several("members_max=3", &["--presence-grace-ms", "0"]);
    let mut clients = clients(&daemon);
    let mut come = |n: usize, user: &str, count: u64| {
        let shown = members(&clients[n].subscribe_signed("presence-a", Some(&member(user))));
        assert_eq!(shown["count"], count, "{shown}");
    };
    let known = |count: u64| {
        let path = "GET /apps/3/channels/presence-a?info=user_count,subscription_count";
        wait("all know", || ask(&daemon, path, &Value::Null)["subscription_count"] == count);
    };
    for (n, (user, count)) in [("ann", 1), ("bob", 2), ("ann", 2), ("cid", 3)].into_iter().enumerate() {
        come(n, user, count);
        known(n as u64 + 1);
        // Each reactor has heard of it when what is published behind it has come.
        ask(&daemon, "POST /apps/3/events", &json!({ "name": "mark", "channel": "presence-a", "data": "" }));
    }
    let first = take(&mut clients[0], 6);
    let added = first.iter().filter(|one| one["event"] == "pusher_internal:member_added");
    let added: Vec<Value> = added.map(|one| held(one)["user_id"].clone()).collect();
    assert_eq!(added, ["bob", "cid"], "a second connection of a user is nobody new");
    let mut more = Client::open(&daemon);
    let full = more.subscribe_signed("presence-a", Some(&member("dan")));
    assert_eq!(error(&full), ("presence-a", "LimitReached", 4_004));
    assert_eq!(members(&more.subscribe_signed("presence-a", Some(&member("bob"))))["count"], 3);
    let users = json!({ "users": [{ "id": "ann" }, { "id": "bob" }, { "id": "cid" }] });
    assert_eq!(ask(&daemon, "GET /apps/3/channels/presence-a/users", &Value::Null), users);
    let ann = clients.remove(2);
    ann.reset();
    wait("one is left of her", || daemon.stats()["connections"] == REACTORS as u64);
    clients.remove(1).reset();
    more.send(&json!({ "event": "pusher:unsubscribe", "data": { "channel": "presence-a" } }));
    let gone = clients[0].next();
    assert_eq!(gone["event"], "pusher_internal:member_removed", "{gone}");
    assert_eq!(held(&gone), json!({ "user_id": "bob" }), "once he has no connection at any of them");
}

#[test]
fn subscribers_and_connections_are_counted_over_all() {
    let daemon = start_several("subscription_count=true connections_max=5", &[]);
    let mut clients = clients(&daemon);
    for client in &mut clients {
        client.send(&json!({ "event": "pusher:subscribe", "data": { "channel": "news", "auth": "" } }));
    }
    for client in &mut clients {
        let is_last = |message: &Value| {
            message["event"] == "pusher_internal:subscription_count"
                && held(message) == json!({ "subscription_count": REACTORS })
        };
        while !is_last(&client.next()) {}
    }
    let counts = json!({ "occupied": true, "subscription_count": REACTORS });
    assert_eq!(ask(&daemon, "GET /apps/3/channels/news?info=subscription_count", &Value::Null), counts);
    clients.push(Client::open(&daemon));
    assert_eq!(ask(&daemon, "GET /apps/3/connections", &Value::Null), json!({ "connections": 5 }));
    let target = format!("/app/{}?protocol=7", super::KEY);
    for _ in 0..REACTORS {
        let mut refused = crate::daemon::WebSocket::open_at(&daemon, &target);
        assert_eq!(refused.closed().0, 4_004, "the quota is that of all");
    }
    clients.remove(1).reset();
    wait("its place is free", || ask(&daemon, "GET /apps/3/connections", &Value::Null)["connections"] == 4);
    clients.push(Client::open(&daemon));
    let ended = json!({ "event": "pusher:unsubscribe", "data": { "channel": "news" } });
    clients[1].send(&ended);
    let is_two = |message: &Value| held(message) == json!({ "subscription_count": 2 });
    while !is_two(&clients[0].next()) {}
}

#[test]
fn a_user_is_sent_away_everywhere_and_backends_are_heard_by_every_reactor() {
    let daemon = start_several("", &["--pusher-http-public"]);
    let mut clients = clients(&daemon);
    for client in &mut clients {
        client.sign_in(r#"{"id":"ann"}"#);
        assert_eq!(client.subscribe("#server-to-user-ann"), subscribed("#server-to-user-ann"));
    }
    let mut bob = Client::open(&daemon);
    bob.sign_in(r#"{"id":"bob"}"#);
    // Open at once, so each reactor has one.
    let mut doors: Vec<Http> = (0..REACTORS).map(|_| Http::tcp(daemon.public)).collect();
    for (n, door) in doors.iter_mut().enumerate() {
        let event = json!({ "name": format!("n-{n}"), "channel": "#server-to-user-ann", "data": "{}" });
        assert_eq!(ask_at(door, "POST /apps/3/events", &event), json!({}));
    }
    for client in &mut clients {
        let got = take(client, REACTORS);
        assert_eq!(names(&got), ["n-0", "n-1", "n-2", "n-3"]);
    }
    let asked = "POST /apps/3/users/ann/terminate_connections";
    assert_eq!(ask_at(&mut doors[3], asked, &json!({})), json!({}));
    for client in &mut clients {
        assert_eq!(client.closed(), 4_009);
    }
    assert!(bob.rest().is_empty());
}

#[test]
fn a_cache_channel_says_its_last_event_at_every_reactor() {
    let daemon = start_several("", &[]);
    let mut clients = clients(&daemon);
    let subscribe = json!({ "event": "pusher:subscribe", "data": { "channel": "cache-a", "auth": "" } });
    let (before, after) = clients.split_at_mut(2);
    for client in before.iter_mut() {
        client.send(&subscribe);
        let got = take(client, 2);
        assert_eq!(
            got,
            [subscribed("cache-a"), json!({ "event": "pusher:cache_miss", "channel": "cache-a" })]
        );
    }
    ask(&daemon, "POST /apps/3/events", &json!({ "name": "n", "channel": "cache-a", "data": "{}" }));
    assert_eq!(before[1].next(), event("cache-a", "n"));
    for client in after {
        client.send(&subscribe);
        assert_eq!(take(client, 2), [subscribed("cache-a"), event("cache-a", "n")]);
    }
}

/// Each thing is told once, by one reactor for all.
#[cfg(feature = "backend")]
#[test]
fn a_backend_is_told_once() {
    let backend = Backend::start(|_| answer(200, ""));
    let app = format!("client_events=true webhook_url={}", backend.url());
    let daemon = start_several(&app, &["--webhook-batch-ms", "0", "--presence-grace-ms", "0"]);
    let mut clients = clients(&daemon);
    let channel = "presence-cache-a";
    for client in &mut clients {
        client.subscribe_signed(channel, Some(r#"{"user_id":"ann"}"#));
        client.rest();
    }
    for (n, client) in clients.iter_mut().enumerate() {
        client.send(&json!({ "event": format!("client-{n}"), "channel": channel, "data": "text" }));
        client.rest();
    }
    let told = || {
        let bodies: Vec<Value> = backend.asked().iter().map(|asked| asked.json()).collect();
        let events = bodies.iter().flat_map(|body| body["events"].as_array().unwrap().clone());
        let mut names: Vec<String> =
            events.map(|one| one["event"].as_str().or(one["name"].as_str()).unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    wait("what they have done", || told().len() >= 3 + REACTORS);
    clients.into_iter().for_each(Client::reset);
    wait("their end", || told().iter().any(|name| name == "channel_vacated") && told().len() >= 5 + REACTORS);
    assert_eq!(
        told(),
        [
            "cache_miss",
            "channel_occupied",
            "channel_vacated",
            "client-0",
            "client-1",
            "client-2",
            "client-3",
            "member_added",
            "member_removed"
        ]
    );
}

/// However many come at once, and whichever reactors have them.
#[test]
fn a_channel_never_has_more_members_than_it_may() {
    const MAX: u64 = 7;
    let daemon = start_several("members_max=7", &[]);
    let mut clients: Vec<Client> = (0..40).map(|_| Client::open(&daemon)).collect();
    for round in 0..3 {
        let channel = format!("presence-full-{round}");
        for (n, client) in clients.iter_mut().enumerate() {
            client.send_signed(&channel, Some(&member(&n.to_string())));
        }
        let mut joined = 0;
        for client in &mut clients {
            let answers = client.rest();
            let is_answer = |said: &&Value| said["event"] != "pusher_internal:member_added";
            let answer = answers.iter().find(is_answer).unwrap_or_else(|| panic!("{answers:?}"));
            if answer["event"] == "pusher_internal:subscription_succeeded" {
                assert!(held(answer)["presence"]["count"].as_u64().unwrap() <= MAX);
                joined += 1;
            } else {
                assert_eq!(error(answer), (&*channel, "LimitReached", 4_004));
            }
        }
        assert_eq!(joined, MAX);
        let users = ask(&daemon, &format!("GET /apps/3/channels/{channel}/users"), &Value::Null);
        assert_eq!(users["users"].as_array().map(Vec::len), Some(7));
        clients.iter_mut().for_each(|client| drop(client.rest()));
    }
}

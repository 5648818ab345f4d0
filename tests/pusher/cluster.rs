//! An app that several nodes serve, by a real Redis server: one app, whichever of them a client or a backend comes to.

use serde_json::{Value, json};

use super::backends::{ask, event};
use super::channels::{error, member};
use super::{Client, KEY, SECRET, held, subscribed};
use crate::cluster::node;
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, wait};

/// Two nodes with this app.
fn start(redis: &Redis, app: &str, more: &[&str]) -> [Daemon; 2] {
    let app = format!("3 key={KEY} secret={SECRET} {app}");
    let flags = [&["--pusher-app", &app, "--presence-grace-ms", "0"], more].concat();
    [(); 2].map(|()| node(redis, &flags))
}

fn get(daemon: &Daemon, path: &str) -> Value {
    ask(daemon, &format!("GET /apps/3/{path}"), &Value::Null)
}

/// Until all nodes say this.
fn wait_for(nodes: &[Daemon], path: &str, expected: &Value) {
    for daemon in nodes {
        wait(&format!("{path} is {expected}"), || get(daemon, path) == *expected);
    }
}

fn post(daemon: &Daemon, body: &Value) {
    assert_eq!(ask(daemon, "POST /apps/3/events", body), json!({}));
}

/// Everything until an event of this name has come in a channel.
fn until(client: &mut Client, name: &str) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let said = client.next();
        if said["event"] == name {
            return all;
        }
        all.push(said);
    }
}

fn users(ids: &[&str]) -> Value {
    json!({ "users": ids.iter().map(|id| json!({ "id": id })).collect::<Vec<_>>() })
}

#[test]
fn members_are_those_of_all_nodes() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "", &[]);
    let mut ann = Client::open(&nodes[0]);
    let joined = ann.subscribe_signed("presence-room", Some(&member("ann")));
    assert_eq!(held(&joined)["presence"]["ids"], json!(["ann"]));
    wait_for(&nodes, "channels/presence-room/users", &users(&["ann"]));
    let mut bob = Client::open(&nodes[1]);
    let joined = bob.subscribe_signed("presence-room", Some(&member("bob")));
    assert_eq!(held(&joined)["presence"]["ids"], json!(["ann", "bob"]));
    assert_eq!(held(&joined)["presence"]["count"], 2);
    let added = ann.next();
    assert_eq!(
        (&added["event"], &held(&added)["user_id"]),
        (&json!("pusher_internal:member_added"), &json!("bob"))
    );
    wait_for(&nodes, "channels/presence-room/users", &users(&["ann", "bob"]));
    // A user at both nodes comes once and goes once.
    let mut tab = Client::open(&nodes[1]);
    tab.subscribe_signed("presence-room", Some(&member("ann")));
    let counts = json!({ "occupied": true, "user_count": 2, "subscription_count": 3 });
    wait_for(&nodes, "channels/presence-room?info=user_count,subscription_count", &counts);
    ann.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "presence-room"}}));
    let counts = json!({ "occupied": true, "user_count": 2, "subscription_count": 2 });
    wait_for(&nodes, "channels/presence-room?info=user_count,subscription_count", &counts);
    tab.reset();
    let removed = bob.next();
    assert_eq!(removed["event"], "pusher_internal:member_removed", "{removed}");
    assert_eq!(held(&removed)["user_id"], "ann");
    assert_eq!(ann.rest(), [] as [Value; 0], "she has left before");
}

#[test]
fn a_client_is_left_out_at_whichever_node_it_is() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "client_events=true", &[]);
    let mut clients = [Client::open(&nodes[0]), Client::open(&nodes[1])];
    for client in &mut clients {
        assert_eq!(client.subscribe_signed("private-a", None), subscribed("private-a"));
        assert_eq!(client.subscribe("a"), subscribed("a"));
    }
    // Ids of the other node are nobody's here, but for that node.
    for (n, daemon) in nodes.iter().enumerate() {
        for (m, client) in clients.iter().enumerate() {
            let name = format!("{n}-but-{m}");
            post(daemon, &json!({ "name": name, "channel": "a", "data": "{}", "socket_id": client.id }));
        }
        let one = |m: usize| {
            json!({ "name": format!("batch-{n}-but-{m}"), "channel": "a", "data": "{}",
            "socket_id": clients[m].id })
        };
        let batch = json!({ "batch": [one(0), one(1)] });
        assert_eq!(ask(daemon, "POST /apps/3/batch_events", &batch), json!({}));
    }
    post(&nodes[0], &json!({ "name": "end", "channel": "a", "data": "{}" }));
    for (m, client) in clients.iter_mut().enumerate() {
        let other = 1 - m;
        let expected: Vec<Value> = (0..2)
            .flat_map(|n| [format!("{n}-but-{other}"), format!("batch-{n}-but-{other}")])
            .map(|name| event("a", &name))
            .collect();
        assert_eq!(until(client, "end"), expected, "{m}");
    }
    let [first, second] = &mut clients;
    first.send(&json!({ "event": "client-a", "channel": "private-a", "data": { "n": 1 } }));
    assert_eq!(second.next(), json!({ "event": "client-a", "channel": "private-a", "data": { "n": 1 } }));
    second.send(&json!({ "event": "client-b", "channel": "private-a", "data": 2 }));
    assert_eq!(first.next()["event"], "client-b");
    assert_eq!(second.rest(), [] as [Value; 0]);
}

#[test]
fn numbers_are_those_of_all_nodes() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "subscription_count=true connections_max=4", &[]);
    let mut clients: Vec<Client> = [0, 1, 1].map(|n| Client::open(&nodes[n])).into();
    for client in &mut clients {
        assert_eq!(client.subscribe("news"), subscribed("news"));
    }
    wait_for(
        &nodes,
        "channels/news?info=subscription_count",
        &json!({ "occupied": true, "subscription_count": 3 }),
    );
    wait_for(
        &nodes,
        "channels?info=subscription_count",
        &json!({ "channels": { "news": { "subscription_count": 3 } } }),
    );
    wait_for(&nodes, "connections", &json!({ "connections": 3 }));
    // Each subscriber is told of all in the end. Two nodes that have not heard of each other yet tell of their own.
    for client in &mut clients {
        let mut counts = Vec::new();
        while counts.last() != Some(&json!(3)) {
            let said = client.next();
            assert_eq!(said["event"], "pusher_internal:subscription_count", "{said}");
            counts.push(held(&said)["subscription_count"].clone());
        }
        assert!(counts.len() <= 5, "{counts:?}");
    }
    // A node lists channels that only others have subscribers of.
    let mut there = Client::open(&nodes[1]);
    there.subscribe("only-there");
    let all = json!({ "channels": { "news": {}, "only-there": {} } });
    wait_for(&nodes, "channels", &all);
    wait_for(&nodes, "channels?filter_by_prefix=only", &json!({ "channels": { "only-there": {} } }));
    // The quota is that of all.
    wait_for(&nodes, "connections", &json!({ "connections": 4 }));
    for daemon in &nodes {
        let mut more = crate::daemon::WebSocket::open_at(daemon, &format!("/app/{KEY}?protocol=7"));
        assert_eq!(more.closed().0, 4_004);
    }
    there.reset();
    wait_for(&nodes, "channels", &json!({ "channels": { "news": {} } }));
    wait_for(&nodes, "connections", &json!({ "connections": 3 }));
    // A node that dies takes its own along.
    let [first, second] = nodes;
    drop(second);
    wait_for(
        &[first],
        "channels/news?info=subscription_count",
        &json!({ "occupied": true, "subscription_count": 1 }),
    );
}

#[test]
fn a_channel_holds_no_more_users_than_it_may() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "members_max=2", &[]);
    let mut clients: Vec<Client> = [0, 1, 0, 1].map(|n| Client::open(&nodes[n])).into();
    clients[0].subscribe_signed("presence-room", Some(&member("ann")));
    wait_for(&nodes, "channels/presence-room/users", &users(&["ann"]));
    clients[1].subscribe_signed("presence-room", Some(&member("bob")));
    wait_for(&nodes, "channels/presence-room/users", &users(&["ann", "bob"]));
    for n in [2, 3] {
        let answer = clients[n].subscribe_signed("presence-room", Some(&member("cid")));
        assert_eq!(error(&answer), ("presence-room", "LimitReached", 4_004));
        let answer = clients[n].subscribe_signed("presence-room", Some(&member("bob")));
        assert_eq!(held(&answer)["presence"]["count"], 2, "who is there already may come again");
    }
}

#[test]
fn users_are_watched_and_sent_away_over_nodes() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "watchlists=true", &[]);
    let (mut ann, mut bob) = (Client::open(&nodes[0]), Client::open(&nodes[1]));
    bob.sign_in(r#"{"id":"bob"}"#);
    wait_for(&nodes, "connections", &json!({ "connections": 2 }));
    let changes = |message: &Value| {
        assert_eq!(message["event"], "pusher_internal:watchlist_events", "{message}");
        held(message)["events"].clone()
    };
    ann.sign_in(r#"{"id":"ann","watchlist":["bob","cid"]}"#);
    let mut told = changes(&ann.next());
    if told[0]["user_ids"] != json!(["bob"]) {
        // It was not known here yet.
        assert_eq!(told, json!([{ "name": "offline", "user_ids": ["bob", "cid"] }]));
        told = changes(&ann.next());
    }
    assert_eq!(told[0], json!({ "name": "online", "user_ids": ["bob"] }));
    let mut tab = Client::open(&nodes[0]);
    tab.sign_in(r#"{"id":"bob"}"#);
    let mut cid = Client::open(&nodes[1]);
    cid.sign_in(r#"{"id":"cid"}"#);
    assert_eq!(changes(&ann.next()), json!([{ "name": "online", "user_ids": ["cid"] }]));
    // Asked of one node, it is done at all.
    assert_eq!(ask(&nodes[0], "POST /apps/3/users/bob/terminate_connections", &json!({})), json!({}));
    assert_eq!((bob.closed(), tab.closed()), (4_009, 4_009));
    assert_eq!(changes(&ann.next()), json!([{ "name": "offline", "user_ids": ["bob"] }]));
    assert_eq!(cid.subscribe("#server-to-user-cid"), subscribed("#server-to-user-cid"));
    post(&nodes[0], &json!({ "name": "greet", "channel": "#server-to-user-cid", "data": "{}" }));
    assert_eq!(cid.next(), event("#server-to-user-cid", "greet"));
    assert_eq!(get(&nodes[0], "channels"), json!({ "channels": {} }), "that one is nobody's to list");
}

#[test]
fn a_cache_channel_says_its_last_event_at_every_node() {
    let redis = Redis::start(&[]);
    let nodes = start(&redis, "", &[]);
    post(&nodes[0], &json!({ "name": "e", "channel": "cache-a", "data": "{}" }));
    let cached = |daemon: &Daemon| get(daemon, "channels/cache-a?info=cache")["cache"]["data"].clone();
    for daemon in &nodes {
        wait("it is there", || cached(daemon) == "{}");
        let mut client = Client::open(daemon);
        assert_eq!(client.subscribe("cache-a"), subscribed("cache-a"));
        assert_eq!(client.next(), event("cache-a", "e"));
    }
}

/// Each thing once, whichever node it has happened at.
#[cfg(feature = "backend")]
#[test]
fn a_backend_is_told_once_by_the_cluster() {
    use crate::daemon::backend::{Backend, answer};
    let redis = Redis::start(&[]);
    let backend = Backend::start(|_| answer(200, ""));
    let app = format!("subscription_count=true client_events=true webhook_url={}", backend.url());
    let nodes = start(&redis, &app, &["--webhook-batch-ms", "0"]);
    let told = || {
        let mut all: Vec<String> = backend
            .asked()
            .iter()
            .flat_map(|asked| asked.json()["events"].as_array().unwrap().clone())
            .filter(|event| event["name"] != "subscription_count")
            .map(|event| {
                let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
                format!("{} {} {}", text("name"), text("channel"), text("user_id")).trim().to_owned()
            })
            .collect();
        all.sort_unstable();
        all
    };
    let mut clients: Vec<Client> = [0, 1, 1].map(|n| Client::open(&nodes[n])).into();
    for (client, user) in clients.iter_mut().zip(["ann", "ann", "bob"]) {
        client.subscribe_signed("presence-room", Some(&member(user)));
        client.subscribe("news");
    }
    let counts = json!({ "occupied": true, "user_count": 2, "subscription_count": 3 });
    wait_for(&nodes, "channels/presence-room?info=user_count,subscription_count", &counts);
    wait_for(
        &nodes,
        "channels/news?info=subscription_count",
        &json!({ "occupied": true, "subscription_count": 3 }),
    );
    let mut expected = vec![
        "channel_occupied news",
        "channel_occupied presence-room",
        "member_added presence-room ann",
        "member_added presence-room bob",
    ];
    wait("they have come", || told().len() >= expected.len());
    assert_eq!(told(), expected);
    clients[0].send(&json!({ "event": "client-a", "channel": "presence-room", "data": 1 }));
    expected.insert(2, "client_event presence-room ann");
    wait("the event", || told().iter().any(|event| event.starts_with("client_event")));
    // The last count that is told is that of all.
    let last_count = || {
        let events: Vec<Value> = backend
            .asked()
            .iter()
            .flat_map(|asked| asked.json()["events"].as_array().unwrap().clone())
            .collect();
        let counts = events.iter().filter(|event| event["name"] == "subscription_count");
        counts.map(|event| event["subscription_count"].as_u64().unwrap()).max()
    };
    wait("the count", || last_count() == Some(3));
    clients.into_iter().for_each(Client::reset);
    expected.splice(2..2, ["channel_vacated news", "channel_vacated presence-room"]);
    expected.extend(["member_removed presence-room ann", "member_removed presence-room bob"]);
    wait("they have gone", || told().len() >= expected.len());
    assert_eq!(told(), expected);
    wait_for(&nodes, "channels", &json!({ "channels": {} }));
}

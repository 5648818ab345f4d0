//! Presence in a cluster: every node knows all members, everybody is told once of each, and so is the backend.

use serde_json::{Value, json};

use crate::cluster_nodes::{named, wait_nodes};
use crate::daemon::backend::{Asked, Backend, answer};
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, wait};
use crate::presence::token;
use crate::v1::Client;

const ROOM: [&str; 4] = ["--channel-rule", "room presence=true", "--presence-grace-ms", "0"];

/// A client in the room, and who was there then.
fn enter(daemon: &Daemon, user: &str) -> (Client, Value) {
    let query = format!("broadcast=no&token={}", token(user, Some(&format!("{{\"name\":\"{user}\"}}"))));
    let mut client = Client::open_with(daemon, &query, &[]);
    client.next();
    let answer = client.ask(&json!({"id": 1, "subscribe": {"channel": "room", "presence": true}}));
    (client, answer["subscribed"]["presence"].clone())
}

fn leave(client: &mut Client) {
    client.rest();
    let mut answer = client.ask(&json!({"id": 2, "unsubscribe": {"channel": "room"}}));
    while answer["leave"].is_object() {
        answer = client.next();
    }
    assert_eq!(answer["unsubscribed"]["channel"], "room", "{answer}");
}

/// Who is in the room, as a node tells it: names and connections.
fn members(daemon: &Daemon) -> Vec<(String, u64)> {
    let response = daemon.ask("GET", "/channels/room/presence", &[], b"");
    if response.status == 404 {
        return Vec::new();
    }
    let presence = response.json();
    let members = presence["members"].as_array().expect("a list");
    assert_eq!(presence["count"], members.len(), "{presence}");
    let member = |member: &Value| {
        assert_eq!(member["info"]["name"], member["user"], "{member}");
        (member["user"].as_str().unwrap().to_owned(), member["connections"].as_u64().unwrap())
    };
    members.iter().map(member).collect()
}

fn wait_members(nodes: &[&Daemon], expected: &[(&str, u64)]) {
    let expected: Vec<(String, u64)> = expected.iter().map(|&(user, n)| (user.to_owned(), n)).collect();
    for daemon in nodes {
        wait(&format!("the members {expected:?}"), || members(daemon) == expected);
    }
}

fn join(user: &str) -> Value {
    json!({"join": {"channel": "room", "user": user, "info": {"name": user}}})
}

fn left(user: &str) -> Value {
    json!({"leave": {"channel": "room", "user": user}})
}

/// The events told so far, sorted: nodes tell side by side.
fn events(asked: &[Asked]) -> Vec<String> {
    let bodies = asked.iter().map(Asked::json);
    let all = bodies.flat_map(|body| body["events"].as_array().unwrap().clone());
    let shown = |event: Value| {
        let user = event["user"].as_str().map_or_else(String::new, |user| format!(" {user}"));
        format!("{}{user}", event["event"].as_str().unwrap())
    };
    let mut shown: Vec<String> = all.map(shown).collect();
    shown.sort();
    shown
}

#[test]
fn members_are_those_of_all_nodes_and_told_of_once() {
    let redis = Redis::start(&[]);
    let backend = Backend::start(|_| answer(200, ""));
    let url = backend.url();
    let hooks = ["--webhook-url", url.as_str(), "--webhook-batch-ms", "0"];
    let more = [&ROOM[..], &hooks].concat();
    let (a, b) = (named(&redis, "a", &more), named(&redis, "b", &[&more[..], &["--reactors", "2"]].concat()));
    let (mut ann, there) = enter(&a, "ann");
    assert_eq!(there["members"].as_array().unwrap().len(), 1, "{there}");
    wait_members(&[&a, &b], &[("ann", 1)]);
    // A snapshot has those of the other node.
    let (mut bob, there) = enter(&b, "bob");
    let names: Vec<&Value> = there["members"].as_array().unwrap().iter().map(|one| &one["user"]).collect();
    assert_eq!(names, ["ann", "bob"]);
    assert_eq!(ann.next(), join("bob"));
    // One who is there already does not come again.
    let (mut second, _) = enter(&b, "ann");
    wait_members(&[&a, &b], &[("ann", 2), ("bob", 1)]);
    let (third, _) = enter(&a, "bob");
    wait_members(&[&a, &b], &[("ann", 2), ("bob", 2)]);
    leave(&mut second);
    drop(third);
    wait_members(&[&a, &b], &[("ann", 1), ("bob", 1)]);
    assert_eq!((ann.rest(), bob.rest()), (Vec::<Value>::new(), Vec::<Value>::new()));
    // One that comes later knows of all of them, and hears of them.
    let c = named(&redis, "c", &more);
    wait_members(&[&c], &[("ann", 1), ("bob", 1)]);
    let (mut eve, there) = enter(&c, "eve");
    assert_eq!(there["count"], 3, "{there}");
    assert_eq!((ann.next(), bob.next()), (join("eve"), join("eve")));
    leave(&mut ann);
    assert_eq!((bob.next(), eve.next()), (left("ann"), left("ann")));
    wait_members(&[&a, &b, &c], &[("bob", 1), ("eve", 1)]);
    leave(&mut bob);
    leave(&mut eve);
    wait("the events", || {
        backend.asked().iter().map(Asked::json).any(|_| true) && { events(&backend.asked()).len() >= 8 }
    });
    let expected = [
        "channel_occupied",
        "channel_vacated",
        "member_added ann",
        "member_added bob",
        "member_added eve",
        "member_removed ann",
        "member_removed bob",
        "member_removed eve",
    ];
    assert_eq!(events(&backend.asked()), expected, "each is told by one node");
    assert_eq!(redis.cli(&["EXISTS", "wspush:{nodes}:who"]), "0", "nobody is left there");
}

#[test]
fn the_members_of_a_node_that_dies_leave_and_of_one_that_stood_still_come_back() {
    let redis = Redis::start(&[]);
    let backend = Backend::start(|_| answer(200, ""));
    let url = backend.url();
    let hooks = ["--webhook-url", url.as_str(), "--webhook-batch-ms", "0"];
    let more = [&ROOM[..], &hooks].concat();
    let (a, b, c) = (named(&redis, "a", &more), named(&redis, "b", &more), named(&redis, "c", &more));
    wait_nodes(&a, 3);
    let (mut ann, _) = enter(&a, "ann");
    let (_bob, _) = enter(&b, "bob");
    wait_members(&[&a], &[("ann", 1), ("bob", 1)]);
    let (_eve, _) = enter(&c, "eve");
    let (_both, _) = enter(&c, "ann");
    wait_members(&[&a, &b, &c], &[("ann", 2), ("bob", 1), ("eve", 1)]);
    b.signal("KILL");
    c.signal("STOP");
    wait_nodes(&a, 1);
    wait_members(&[&a], &[("ann", 1)]);
    let mut told = [ann.next(), ann.next(), ann.next(), ann.next()];
    told[2..].sort_by_key(|one| one.to_string());
    assert_eq!(told, [join("bob"), join("eve"), left("bob"), left("eve")]);
    // It comes back as another member, with all that it has.
    c.signal("CONT");
    wait_nodes(&a, 2);
    wait_members(&[&a, &c], &[("ann", 2), ("eve", 1)]);
    assert_eq!(ann.next(), join("eve"));
    assert_eq!(ann.rest(), Vec::<Value>::new());
    let members = |asked: &[Asked]| -> Vec<String> {
        events(asked).into_iter().filter(|event| event.starts_with("member")).collect()
    };
    wait("the events", || members(&backend.asked()).len() >= 6);
    let expected = [
        "member_added ann",
        "member_added bob",
        "member_added eve",
        "member_added eve",
        "member_removed bob",
        "member_removed eve",
    ];
    assert_eq!(members(&backend.asked()), expected);
}

#[test]
fn members_are_there_again_when_redis_has_lost_all() {
    let mut redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &ROOM), named(&redis, "b", &ROOM));
    let (mut ann, _) = enter(&a, "ann");
    wait_members(&[&b], &[("ann", 1)]);
    let (mut bob, _) = enter(&b, "bob");
    assert_eq!((ann.next(), bob.rest()), (join("bob"), Vec::<Value>::new()));
    wait_members(&[&a, &b], &[("ann", 1), ("bob", 1)]);
    redis.kill();
    redis.lose_data();
    redis.restart();
    wait_nodes_when_back(&a, 2);
    let c = named(&redis, "c", &ROOM);
    wait_members(&[&a, &b, &c], &[("ann", 1), ("bob", 1)]);
    // Nobody has left meanwhile, and what changes is heard of.
    let (_eve, _) = enter(&c, "eve");
    let told = |client: &mut Client| loop {
        let said = client.next();
        if said["join"].is_object() || said["leave"].is_object() {
            break said;
        }
        assert!(said["missed"].is_object(), "{said}");
    };
    assert_eq!((told(&mut ann), told(&mut bob)), (join("eve"), join("eve")));
}

fn wait_nodes_when_back(daemon: &Daemon, count: usize) {
    wait("the nodes are back", || {
        let response = daemon.ask("GET", "/nodes", &[], b"");
        response.status == 200 && response.json()["nodes"].as_array().unwrap().len() == count
    });
}

//! Requests that concern all nodes of a cluster: users wherever they are, sums, one node asked by way of another.

use serde_json::{Value, json};

use crate::cluster::{metric, node, open, publications};
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, WebSocket, wait};
use crate::presence::{SECRET, token};
use crate::v1::Client;

/// A node with a name, where clients have tokens.
pub fn named(redis: &Redis, name: &str, more: &[&str]) -> Daemon {
    let auth = ["--node", name, "--auth", "optional", "--auth-secret", SECRET];
    node(redis, &[&auth[..], more].concat())
}

/// A client of `wspush.v1` with a user.
pub fn user(daemon: &Daemon, name: &str) -> Client {
    let mut client = Client::open_with(daemon, &format!("broadcast=no&token={}", token(name, None)), &[]);
    assert_eq!(client.next()["connected"]["user"], name);
    client
}

fn ask(daemon: &Daemon, method: &str, target: &str, body: &str) -> (u16, Value) {
    let response = daemon.ask(method, target, &[("Content-Type", "text/plain")], body.as_bytes());
    (response.status, response.json())
}

/// The nodes that there are, when there are so many.
pub fn wait_nodes(daemon: &Daemon, count: usize) -> Vec<Value> {
    let mut nodes = Vec::new();
    wait("the nodes", || {
        let (status, answer) = ask(daemon, "GET", "/nodes", "");
        assert_eq!(status, 200, "{answer}");
        nodes = answer["nodes"].as_array().expect("a list").clone();
        nodes.len() == count
    });
    nodes
}

#[test]
fn a_user_is_reached_wherever_it_is_and_in_order() {
    let redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &["--reactors", "2"]), named(&redis, "b", &[]));
    let c = named(&redis, "c", &[]);
    let nodes = wait_nodes(&a, 3);
    let names: Vec<&str> = nodes.iter().map(|node| node["node"].as_str().unwrap()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert!(nodes.iter().all(|node| node["since_ms"].as_u64() > Some(1_700_000_000_000)), "{nodes:?}");
    assert!(nodes.iter().all(|node| node["lease_ms"].as_u64() > Some(0)), "{nodes:?}");
    let mut anns = [user(&a, "ann"), user(&a, "ann"), user(&b, "ann")];
    let mut bob = user(&b, "bob");
    // Asked of one that the user is not at.
    let told = json!({"user": "ann", "recipients": 3});
    assert_eq!(ask(&c, "POST", "/push?user=ann", "hi"), (200, told));
    for ann in &mut anns {
        assert_eq!(ann.next(), json!({"message": {"data": "hi"}}));
    }
    assert_eq!(ask(&c, "POST", "/push?user=eve", "hi").1, json!({"user": "eve", "recipients": 0}));
    // Publications behind the subscription are received, everywhere, and none before it.
    for round in 0..12 {
        let channel = format!("room{round}");
        ask(&c, "POST", &format!("/push?channel={channel}"), "before");
        let (_, answer) = ask(&c, "POST", &format!("/users/ann/subscribe?channel={channel}"), "");
        assert_eq!((&answer["connections"], &answer["refused"]), (&json!(3), &json!(0)), "{answer}");
        ask(&c, "POST", &format!("/push?channel={channel}"), "behind");
        for ann in &mut anns {
            assert_eq!(ann.next()["subscribed"]["channel"], channel);
            assert_eq!(ann.next()["data"], "behind");
        }
    }
    let (_, answer) = ask(&a, "POST", "/users/ann/unsubscribe?channel=room0", "");
    assert_eq!(answer["connections"], 3, "{answer}");
    for ann in &mut anns {
        assert_eq!(ann.next()["unsubscribed"]["channel"], "room0");
    }
    let lines = "{\"channel\":\"room1\",\"data\":\"1\"}\n{\"user\":\"ann\",\"data\":\"2\"}\n\
                 {\"user\":\"bob\",\"data\":\"3\"}\n";
    assert_eq!(ask(&c, "POST", "/push/batch", lines).0, 200);
    for ann in &mut anns {
        assert_eq!((&ann.next()["data"], &ann.next()["message"]["data"]), (&json!("1"), &json!("2")));
    }
    assert_eq!(bob.next()["message"]["data"], "3");
    assert_eq!(ask(&c, "POST", "/push/batch", "{\"user\":\"bob\",\"data\":\"4\"}\n").0, 200);
    assert_eq!(bob.next()["message"]["data"], "4");
    let closed = json!({"user": "ann", "closed": 3, "code": 4001});
    assert_eq!(ask(&b, "DELETE", "/users/ann?code=4001&reason=out", ""), (200, closed));
    for daemon in [&a, &b] {
        let left = u64::from(std::ptr::eq(daemon, &b));
        daemon.wait_connections(left);
    }
    assert_eq!(bob.rest(), Vec::<Value>::new());
}

#[test]
fn tokens_are_revoked_at_all_nodes_and_at_those_to_come() {
    let redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &[]), named(&redis, "b", &[]));
    wait_nodes(&a, 2);
    let (ann, bob) = (token("ann", None), token("bob", None));
    let status = |daemon: &Daemon, token: &str| {
        WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[])
            .err()
            .map(|response| response.status)
    };
    assert_eq!((status(&a, &ann), status(&b, &ann)), (None, None));
    let (_, answer) = ask(&a, "DELETE", "/users/ann?revoke=yes", "");
    assert_eq!(answer["revoked"], true, "{answer}");
    let c = named(&redis, "c", &[]);
    for daemon in [&a, &b, &c] {
        assert_eq!((status(daemon, &ann), status(daemon, &bob)), (Some(401), None));
    }
}

#[test]
fn a_node_is_asked_through_another_and_all_of_them_at_once() {
    let redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &[]), named(&redis, "b", &["--reactors", "2"]));
    wait_nodes(&a, 2);
    let (mut here, at) = open(&a, "channel=news");
    let (mut there, _) = open(&b, "channel=news");
    let (_second, _) = open(&b, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    let receipt = a.push_to("/push?channel=news", "1")["receipt"].clone();
    assert_eq!(publications(&mut here, epoch, 1), publications(&mut there, epoch, 1));
    wait("all of them have it", || {
        let (status, delivery) = ask(&a, "GET", &format!("/stats?receipt={receipt}"), "");
        let counts = (&delivery["recipients"], &delivery["written"], &delivery["id"]);
        status == 200 && counts == (&json!(3), &json!(3), &receipt)
    });
    assert_eq!(ask(&a, "GET", "/stats?receipt=999999", "").0, 404);
    let (_, own) = ask(&a, "GET", "/connections", "");
    assert_eq!((&own["node"], own["connections"].as_array().unwrap().len()), (&json!("a"), 1));
    let (_, others) = ask(&a, "GET", "/connections?node=b&channel=news&limit=1", "");
    assert_eq!((&others["node"], others["connections"].as_array().unwrap().len()), (&json!("b"), 1));
    assert!(others["next"].is_string(), "{others}");
    let (_, all) = ask(&b, "GET", "/connections?node=*", "");
    let counts: Vec<(&Value, usize)> = all["nodes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|node| (&node["node"], node["connections"].as_array().unwrap().len()))
        .collect();
    assert_eq!((counts, &all["missing"]), (vec![(&json!("a"), 1), (&json!("b"), 2)], &json!([])));
    let (_, all) = ask(&a, "GET", "/channels/news?node=*", "");
    let subscribers: Vec<&Value> =
        all["nodes"].as_array().unwrap().iter().map(|node| &node["subscribers"]).collect();
    assert_eq!(subscribers, [1, 2]);
    assert_eq!(ask(&a, "GET", "/channels?node=b&prefix=ne", "").1["channels"][0]["channel"], "news");
    // One connection of another node.
    let id = others["connections"][0]["id"].as_str().unwrap().to_owned();
    let (_, told) = ask(&a, "POST", &format!("/push?conn={id}&node=b"), "to one");
    assert_eq!((&told["node"], &told["conn"], &told["recipients"]), (&json!("b"), &json!(id), &json!(1)));
    let (_, told) = ask(&a, "POST", &format!("/connections/{id}/subscribe?channel=more&node=b"), "");
    assert_eq!(told["connections"], 1, "{told}");
    let (status, told) = ask(&a, "DELETE", &format!("/connections/{id}?node=b&code=4002"), "");
    assert_eq!((status, &told["code"]), (200, &json!(4002)));
    b.wait_connections(1);
    for (target, status) in [("/connections?node=x", 404), ("/connections?node=", 400), ("/nodes?x=1", 400)] {
        assert_eq!(ask(&a, "GET", target, "").0, status, "{target}");
    }
    assert_eq!(metric(&b, "wspush_cluster_gaps_total"), 0);
}

#[test]
fn a_node_that_stands_still_is_named_and_not_waited_for() {
    let redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &[]), named(&redis, "b", &[]));
    wait_nodes(&a, 2);
    let mut ann = user(&a, "ann");
    b.signal("STOP");
    let (_, answer) = ask(&a, "POST", "/push?user=ann", "hi");
    assert_eq!(answer, json!({"missing": ["b"], "user": "ann", "recipients": 1}));
    assert_eq!(ann.next()["message"]["data"], "hi");
    assert_eq!(ask(&a, "GET", "/connections?node=b", "").0, 504);
    b.signal("CONT");
    wait("it is there again", || ask(&a, "GET", "/connections?node=b", "").0 == 200);
}

/// Lines to channels have the places that Redis gives them; those to a connection and to a user go with them, once.
#[test]
fn a_batch_is_taken_as_a_whole() {
    let redis = Redis::start(&[]);
    let (a, b) = (named(&redis, "a", &["--reactors", "2"]), named(&redis, "b", &[]));
    let mut here = Client::open_with(&a, "broadcast=no&channel=news", &[]);
    let conn = here.next()["connected"]["conn"].clone();
    let at = here.next()["subscribed"].clone();
    let (mut there, _) = open(&b, "channel=news");
    let mut ann = user(&b, "ann");
    let bad = "{\"channel\":\"news\",\"data\":\"0\"}\n{\"channel\":\"no name\",\"data\":\"0\"}\n";
    assert_eq!(ask(&a, "POST", "/push/batch", bad).0, 400);
    let lines = format!(
        "{{\"channel\":\"news\",\"data\":\"1\"}}\n{{\"conn\":{conn},\"data\":\"2\"}}\n\
         {{\"channel\":\"news\",\"data\":\"3\"}}\n{{\"user\":\"ann\",\"data\":\"4\"}}\n\
         {{\"channel\":\"other\",\"data\":\"5\"}}\n"
    );
    let (status, first) = ask(&a, "POST", "/push/batch?idempotency_key=k", &lines);
    assert_eq!(status, 200, "{first}");
    let places = |answer: &Value| -> Vec<Value> {
        let all = answer["publications"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
        all.map(|one| json!([one["channel"], one["offset"], one["conn"], one["user"]])).collect()
    };
    let expected = [
        json!(["news", 1, null, null]),
        json!([null, null, conn, null]),
        json!(["news", 2, null, null]),
        json!([null, null, null, "ann"]),
        json!(["other", 1, null, null]),
    ];
    assert_eq!(places(&first), expected);
    assert_eq!(first["publications"][0]["epoch"].to_string(), at["epoch"].as_str().unwrap());
    // The same once more, whichever node is asked: it stands where it stood, and nobody is sent anything.
    for daemon in [&a, &b] {
        let (status, again) = ask(daemon, "POST", "/push/batch?idempotency_key=k", &lines);
        assert_eq!((status, &again["duplicate"]), (200, &json!(true)), "{again}");
        assert_eq!(places(&again), expected);
    }
    assert_eq!(ask(&a, "POST", "/push/batch?idempotency_key=k", bad.lines().next().unwrap()).0, 422);
    ask(&b, "POST", "/push?channel=news", "last");
    ask(&b, "POST", "/push?user=ann", "last");
    let mut texts = Vec::new();
    while texts.last() != Some(&json!("last")) {
        let heard = here.next();
        texts.push(if heard["message"].is_object() {
            heard["message"]["data"].clone()
        } else {
            heard["data"].clone()
        });
    }
    texts.retain(|text| text != "2");
    assert_eq!(texts, ["1", "3", "last"], "and the message to it alone in between");
    assert_eq!([&there.next()["data"], &there.next()["data"], &there.next()["data"]], ["1", "3", "last"]);
    assert_eq!([&ann.next()["message"]["data"], &ann.next()["message"]["data"]], ["4", "last"]);
}

//! Several daemons that are one service by a real Redis server: one order, resumed anywhere, and nobody is left deaf.

use serde_json::{Value, json};

use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, WebSocket, wait};
use crate::v1::Client;

/// A node of the cluster.
pub fn node(redis: &Redis, more: &[&str]) -> Daemon {
    Daemon::start(&[&["--channels", "*", "--cluster", &redis.url()], more].concat())
}

/// A client that has been greeted, and what it was told of its channel.
pub fn open(daemon: &Daemon, query: &str) -> (Client, Value) {
    let mut client = Client::open_with(daemon, &format!("broadcast=no&{query}"), &[]);
    assert!(client.next()["connected"].is_object());
    let subscribed = client.next()["subscribed"].clone();
    assert!(subscribed.is_object(), "{subscribed}");
    (client, subscribed)
}

/// The next so many publications: offsets and texts, all of this epoch.
pub fn publications(client: &mut Client, epoch: u64, count: usize) -> Vec<(u64, String)> {
    let one = |_| {
        let said = client.next();
        assert_eq!(said["epoch"], epoch.to_string(), "{said}");
        (said["offset"].as_u64().expect("a number"), said["data"].as_str().expect("a text").to_owned())
    };
    (0..count).map(one).collect()
}

pub fn numbered(offsets: std::ops::RangeInclusive<u64>) -> Vec<(u64, String)> {
    offsets.map(|offset| (offset, offset.to_string())).collect()
}

pub fn metric(daemon: &Daemon, name: &str) -> u64 {
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse().ok()).unwrap_or_else(|| panic!("no {name} in {text}"))
}

pub fn readiness(daemon: &Daemon) -> u16 {
    daemon.ask("GET", "/readyz", &[], b"").status
}

/// Pushes a text as soon as that is possible; the answer.
pub fn push_when_back(daemon: &Daemon, target: &str, text: &str) -> Value {
    let mut answer = Value::Null;
    wait("a push that is taken", || {
        let response = daemon.ask("POST", target, &[("Content-Type", "text/plain")], text.as_bytes());
        assert!([200, 503].contains(&response.status), "{}", response.text());
        answer = response.json();
        response.status == 200
    });
    answer
}

#[test]
fn two_nodes_have_one_order_and_a_client_goes_on_at_the_other() {
    let redis = Redis::start(&[]);
    // Several reactors, and one.
    let (first, second) = (node(&redis, &["--reactors", "2"]), node(&redis, &[]));
    let (mut one, at) = open(&first, "channel=news");
    let (mut two, _) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().expect("a text").parse().expect("a number");
    assert_eq!(at["offset"], 0);
    for number in 1..=40u64 {
        let daemon = if number % 2 == 0 { &first } else { &second };
        let answer = daemon.push_to("/push?channel=news", &number.to_string());
        assert_eq!((&answer["epoch"], &answer["offset"]), (&json!(epoch), &json!(number)), "{answer}");
    }
    let expected = numbered(1..=40);
    assert_eq!(publications(&mut one, epoch, 40), expected);
    assert_eq!(publications(&mut two, epoch, 40), expected);
    drop(one);
    let answer = second.push_to("/push?channel=news", "41");
    assert_eq!(answer["offset"], 41);
    // With the position of the first node, at the other one and at one that has just come.
    let third = node(&redis, &[]);
    for daemon in [&second, &third] {
        let (mut again, at) = open(daemon, &format!("channel=news&since={epoch}.30"));
        assert_eq!((&at["recovered"], &at["offset"]), (&json!(true), &json!(30)), "{at}");
        assert_eq!(publications(&mut again, epoch, 11), numbered(31..=41));
    }
    // A channel that nobody has at the node which is asked.
    let history = third.ask("GET", "/channels/news/history?since=last:2", &[], b"").json();
    assert_eq!(history["publications"][1]["offset"], 41, "{history}");
    // Everybody's channel.
    let answer = first.push("all");
    let (_, at) = {
        let mut client = Client::open_with(&second, "since=earliest", &[]);
        client.next();
        let at = client.next()["subscribed"].clone();
        assert_eq!(client.next()["data"], "all");
        (client, at)
    };
    assert_eq!((&at["epoch"], &answer["offset"]), (&json!(answer["epoch"].to_string()), &json!(1)));
    // The even ones of 40, and the last; the odd ones, and 41.
    let counted = [&first, &second].map(|node| metric(node, "wspush_cluster_seconds_count"));
    assert_eq!(counted, [21, 21]);
}

#[test]
fn terms_hold_for_all_nodes() {
    let redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let push = |daemon: &Daemon, terms: &str, text: &str| {
        let target = format!("/push?{terms}");
        let response = daemon.ask("POST", &target, &[("Content-Type", "text/plain")], text.as_bytes());
        (response.status, response.json())
    };
    let (_, one) = push(&first, "channel=a&idempotency_key=k", "x");
    assert_eq!((&one["offset"], &one["duplicate"]), (&json!(1), &Value::Null));
    for (daemon, receipt) in [(&first, one["receipt"].clone()), (&second, json!(0))] {
        let (status, again) = push(daemon, "channel=a&idempotency_key=k", "x");
        let mut expected = json!({"channel": "a", "epoch": one["epoch"], "offset": 1, "receipt": receipt});
        expected["duplicate"] = json!(true);
        assert_eq!((status, again), (200, expected));
        assert_eq!(push(daemon, "channel=a&idempotency_key=k", "y").0, 422);
    }
    let (status, differs) = push(&second, "channel=a&if_offset=0", "x");
    assert_eq!((status, &differs["offset"], &differs["epoch"]), (409, &json!(1), &one["epoch"]), "{differs}");
    assert_eq!(push(&second, "channel=a&if_offset=1", "x").1["offset"], 2);
    let (_, several) = push(&first, "channel=a&channel=b&channel=c", "x");
    let offsets: Vec<&Value> =
        several["publications"].as_array().unwrap().iter().map(|place| &place["offset"]).collect();
    assert_eq!(offsets, [3, 1, 1]);
    // A sender does not get its own, wherever the others are.
    let flags = ["--channel-rule", "chat clients=publish+subscribe"];
    let (third, fourth) = (node(&redis, &flags), node(&redis, &flags));
    let ((mut sender, at), (mut other, _)) = (open(&third, "channel=chat"), open(&fourth, "channel=chat"));
    let said = sender.ask(&json!({"id": 5, "publish": {"channel": "chat", "data": "hi"}}));
    let place = json!({"channel": "chat", "epoch": at["epoch"], "offset": 1});
    assert_eq!(said, json!({"id": 5, "published": place}));
    assert_eq!(other.next()["data"], "hi");
    fourth.push_to("/push?channel=chat", "you");
    assert_eq!(sender.next()["offset"], 2, "its own is not sent to it");
    // A channel that forgets does so everywhere.
    let response = fourth.ask("DELETE", "/channels/chat/history", &[], b"");
    let epoch = response.json()["epoch"].clone();
    assert!(
        epoch.as_u64() > at["epoch"].as_str().and_then(|epoch| epoch.parse().ok()),
        "{}",
        response.text()
    );
    assert_eq!(third.push_to("/push?channel=chat", "anew")["epoch"], epoch);
    assert_eq!(sender.next()["epoch"], epoch.to_string());
    // How far it has come, under the number that the publisher has got.
    let receipt = third.push_to("/push?channel=chat", "last")["receipt"].clone();
    let delivery = third.wait_delivered_to(&receipt, 2);
    assert_eq!(
        (&delivery["id"], &delivery["offset"], &delivery["written"]),
        (&receipt, &json!(2), &json!(2))
    );
}

#[test]
fn a_server_that_comes_back_with_its_data_has_lost_nothing() {
    let mut redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let (mut client, at) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    first.push_to("/push?channel=news", "1");
    assert_eq!(publications(&mut client, epoch, 1), numbered(1..=1));
    redis.kill();
    // It is told at once, and clients stay and come back.
    wait("no readiness", || readiness(&first) == 503 && readiness(&second) == 503);
    let response = first.ask("POST", "/push?channel=news", &[("Content-Type", "text/plain")], b"lost");
    assert_eq!((response.status, response.header("retry-after")), (503, Some("1")), "{}", response.text());
    let (mut again, at) = open(&second, &format!("channel=news&since={epoch}.0"));
    assert_eq!(at["recovered"], true, "from the rings");
    assert_eq!(publications(&mut again, epoch, 1), numbered(1..=1));
    redis.restart();
    wait("readiness", || readiness(&first) == 200 && readiness(&second) == 200);
    assert_eq!(push_when_back(&first, "/push?channel=news", "2")["offset"], 2);
    for client in [&mut client, &mut again] {
        assert_eq!(publications(client, epoch, 1), numbered(2..=2));
    }
    for node in [&first, &second] {
        // Each of its two connections may find out by itself.
        node.wait_event("cluster_lost");
        node.wait_event("cluster_back");
        assert_eq!((node.events("cluster_epoch"), metric(node, "wspush_cluster_epochs_total")), (0, 0));
    }
}

#[test]
fn a_server_that_has_lost_its_data_begins_another_life_once_and_clients_are_told() {
    let mut redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let (mut client, at) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    (1..=3).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    assert_eq!(publications(&mut client, epoch, 3), numbered(1..=3));
    redis.kill();
    wait("no readiness", || readiness(&first) == 503 && readiness(&second) == 503);
    redis.lose_data();
    redis.restart();
    wait("readiness", || readiness(&first) == 200 && readiness(&second) == 200);
    let answer = push_when_back(&first, "/push?channel=news", "1");
    let anew = answer["epoch"].as_u64().unwrap();
    assert!(anew > epoch && answer["offset"] == 1, "{answer}");
    let missed = json!({"missed": {"channel": "news", "epoch": anew.to_string(), "from": 1, "to": 0}});
    assert_eq!(client.next(), missed);
    assert_eq!(publications(&mut client, anew, 1), numbered(1..=1));
    // At the other node as well, and no position of the former life is taken for one of this.
    for node in [&first, &second] {
        wait("both have it", || {
            let channel = node.ask("GET", "/channels/news", &[], b"").json();
            channel["epoch"] == anew && channel["offset"] == 1
        });
        let (_client, at) = open(node, &format!("channel=news&since={epoch}.3"));
        assert_eq!((&at["recovered"], &at["offset"]), (&json!(false), &json!(1)), "{at}");
    }
    // One life for each partition, whoever has seen it first.
    let epochs: Vec<String> =
        (0..16).map(|n| redis.cli(&["HGET", &format!("wspush:{{{n}}}:state"), "e"])).collect();
    for node in [&first, &second] {
        wait("each life begins once", || metric(node, "wspush_cluster_epochs_total") == 16);
    }
    let since: Vec<String> =
        (0..16).map(|n| redis.cli(&["HGET", &format!("wspush:{{{n}}}:state"), "e"])).collect();
    assert_eq!(since, epochs, "no other since");
}

#[test]
fn a_node_that_stalls_for_longer_than_the_stream_is_long_tells_the_gap() {
    let redis = Redis::start(&[]);
    let few = ["--cluster-partitions", "1", "--cluster-entries", "100"];
    let (first, second) = (node(&redis, &few), node(&redis, &few));
    let (mut client, at) = open(&second, "channel=news");
    let (mut quiet, _) = open(&second, "channel=quiet");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    first.push_to("/push?channel=news", "1");
    assert_eq!(publications(&mut client, epoch, 1), numbered(1..=1));
    second.signal("STOP");
    wait("all of its threads stand still", || {
        let threads = std::fs::read_dir(format!("/proc/{}/task", second.pid())).expect("its threads");
        let is_stopped = |thread: std::io::Result<std::fs::DirEntry>| {
            let stat = std::fs::read_to_string(thread.expect("a thread").path().join("stat"));
            stat.expect("its state").rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('T'))
        };
        threads.into_iter().all(is_stopped)
    });
    // The question that it has asked before is answered with the first of these; what follows waits in the stream.
    first.push_to("/push?channel=other", "not lost");
    first.push_to("/push?channel=quiet", "lost");
    let lines: String = (2..=1_000).map(|n| format!("{{\"channel\":\"news\",\"data\":\"{n}\"}}\n")).collect();
    let response = first.ask("POST", "/push/batch", &[], lines.as_bytes());
    assert_eq!(response.status, 200, "{}", response.text());
    second.signal("CONT");
    let missed = client.next()["missed"].clone();
    let to = missed["to"].as_u64().unwrap_or_else(|| panic!("{missed}"));
    assert_eq!((&missed["from"], &missed["epoch"]), (&json!(2), &json!(epoch.to_string())));
    assert!((700..1_000).contains(&to), "{to}");
    let rest = usize::try_from(1_000 - to).unwrap();
    assert_eq!(publications(&mut client, epoch, rest), numbered(to + 1..=1_000));
    // Also in a channel of which nothing more comes.
    let missed = json!({"missed": {"channel": "quiet", "epoch": epoch.to_string(), "from": 1, "to": 1}});
    assert_eq!(quiet.next(), missed);
    assert!(metric(&second, "wspush_cluster_gaps_total") >= 1);
}

/// A client that another node has told more comes again, until this one has read that, or all that there is.
#[test]
fn a_client_that_is_ahead_of_a_node_comes_again() {
    let redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let epoch = first.push_to("/push?channel=news", "1")["epoch"].clone();
    let target = format!("/ws?channel=news&since={epoch}.9");
    let refused = WebSocket::ask(second.public, &target, &[]).err().expect("it has not read that");
    assert_eq!((refused.status, refused.header("Retry-After")), (503, Some("1")));
    assert_eq!(metric(&second, "wspush_handshakes_refused_total{reason=\"behind\"}"), 1);
    let (mut client, _) = open(&second, "channel=other");
    let command = json!({"id": 1, "subscribe": {"channel": "news", "since": format!("{epoch}.8")}});
    assert_eq!(client.ask(&command)["error"]["code"], "try_again");
    // There is nothing of the kind: when all is read they are told so.
    wait("it is let in", || WebSocket::ask(second.public, &target, &[]).is_ok());
    let mut subscribed = Value::Null;
    wait("the subscription", || {
        subscribed = client.ask(&command)["subscribed"].clone();
        !subscribed.is_null()
    });
    assert_eq!((&subscribed["recovered"], &subscribed["offset"]), (&json!(false), &json!(1)), "{subscribed}");
    assert_eq!(
        client.next()["missed"],
        json!({"channel": "news", "epoch": epoch.to_string(), "from": 1, "to": 1})
    );
    // One that is there goes on.
    let (_client, at) = open(&second, &format!("channel=news&since={epoch}.1"));
    assert_eq!(at["recovered"], true, "{at}");
}

#[test]
fn whom_nobody_can_rely_on_is_refused_at_the_start() {
    let refused = |flags: &[&str]| {
        let (status, said) = Daemon::refused(flags);
        assert!(!status.success(), "{said}");
        assert!(!said.contains("s3cret"), "{said}");
        said
    };
    let redis = Redis::start(&["--requirepass", "right"]);
    let with = |user: &str| format!("redis://{user}{}", redis.address());
    assert!(refused(&["--cluster", &with("")]).contains("asks for a password"));
    assert!(refused(&["--cluster", &with(":s3cret@")]).contains("password or the user"));
    let first = Daemon::start(&["--cluster", &with(":right@")]);
    assert!(
        refused(&["--cluster", &with(":right@"), "--cluster-partitions", "8"]).contains("cluster_partitions")
    );
    first.push("hi");
    let evicting = Redis::start(&["--maxmemory", "10mb", "--maxmemory-policy", "allkeys-lru"]);
    assert!(refused(&["--cluster", &evicting.url()]).contains("noeviction"));
    let replica = Redis::start(&["--replicaof", "127.0.0.1", "1"]);
    assert!(refused(&["--cluster", &replica.url()]).contains("master"));
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(refused(&["--cluster", &format!("redis://:s3cret@127.0.0.1:{nobody}")]).contains("refused"));
    assert!(refused(&["--cluster", "redis//:s3cret@h"]).contains("redis://"));
}

#[test]
fn an_old_server_is_refused_with_its_version() {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut buffer = [0; 65_536];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            let asked = String::from_utf8_lossy(&buffer[..count]).into_owned();
            // As it says it: each command has as many answers.
            for command in asked.split('*').skip(1) {
                let is_asked = command.contains("everything");
                let answer = if is_asked { "$20\r\nredis_version:5.0.14\r\n" } else { "+OK\r\n" };
                // It has gone when it has heard enough.
                let _ = stream.write_all(answer.as_bytes());
            }
        }
    });
    let (_, said) = Daemon::refused(&["--cluster", &format!("redis://{address}")]);
    assert!(said.contains("Redis 5.0.14") && said.contains("6.2"), "{said}");
}

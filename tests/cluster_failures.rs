//! A cluster whose Redis server fails: it stalls, is full, loses the end of what it had, or another takes its place.

use serde_json::{Value, json};

use crate::cluster::{metric, node, numbered, open, publications, push_when_back, readiness};
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, wait};

/// The status of a push, and what is said.
fn push(daemon: &Daemon, target: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", target, &[("Content-Type", "text/plain")], text.as_bytes());
    if response.status == 503 {
        assert_eq!(response.header("retry-after"), Some("1"));
    }
    (response.status, response.json())
}

#[test]
fn a_server_that_stalls_is_not_waited_for_and_a_repetition_is_published_once() {
    let redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let (mut client, at) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    redis.signal("STOP");
    // Nobody knows what will have come of it: it is in the server's hands.
    let target = "/push?channel=news&idempotency_key=k";
    let (status, said) = push(&first, target, "1");
    assert_eq!(status, 503);
    assert!(said["error"].as_str().unwrap().contains("no answer in time"), "{said}");
    wait("no readiness", || readiness(&first) == 503 && readiness(&second) == 503);
    assert_eq!(push(&first, "/push?channel=news", "refused").0, 503, "at once");
    redis.signal("CONT");
    let again = push_when_back(&first, target, "1");
    assert_eq!(again["offset"], 1);
    assert_eq!(push_when_back(&second, "/push?channel=news", "2")["offset"], 2);
    assert_eq!(publications(&mut client, epoch, 2), numbered(1..=2));
    assert_eq!(metric(&second, "wspush_cluster_epochs_total"), 0);
}

#[test]
fn a_server_without_memory_refuses_and_says_why() {
    let redis = Redis::start(&[]);
    let daemon = node(&redis, &[]);
    let (mut client, at) = open(&daemon, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    redis.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let (status, said) = push(&daemon, "/push?channel=news", "lost");
    assert_eq!(status, 503);
    assert!(said["error"].as_str().unwrap().contains("OOM"), "{said}");
    redis.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(push_when_back(&daemon, "/push?channel=news", "1")["offset"], 1, "it has taken no place");
    assert_eq!(publications(&mut client, epoch, 1), numbered(1..=1));
}

#[test]
fn a_server_that_has_lost_its_newest_begins_another_life_of_that_partition_alone() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let (first, second) = (node(&redis, &[]), node(&redis, &[]));
    let (mut client, at) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    (1..=3).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    assert_eq!(redis.cli(&["SAVE"]), "OK");
    (4..=5).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    assert_eq!(publications(&mut client, epoch, 5), numbered(1..=5));
    redis.kill();
    redis.restart();
    let answer = push_when_back(&first, "/push?channel=news", "1");
    let anew = answer["epoch"].as_u64().unwrap();
    assert!(anew > epoch && answer["offset"] == 1, "no offset is given twice: {answer}");
    let missed = json!({"missed": {"channel": "news", "epoch": anew.to_string(), "from": 1, "to": 0}});
    assert_eq!(client.next(), missed);
    assert_eq!(publications(&mut client, anew, 1), numbered(1..=1));
    for node in [&first, &second] {
        wait("both know it", || metric(node, "wspush_cluster_epochs_total") == 1);
        let (_client, at) = open(node, &format!("channel=news&since={epoch}.4"));
        assert_eq!((&at["recovered"], &at["epoch"]), (&json!(false), &json!(anew.to_string())));
    }
}

#[test]
fn a_replica_takes_over_and_nothing_is_lost() {
    let mut master = Redis::start(&[]);
    let at = master.address();
    let replica = Redis::start(&["--replicaof", &at.ip().to_string(), &at.port().to_string()]);
    wait("a replica", || master.cli(&["WAIT", "1", "100"]) == "1");
    let sentinel = Redis::sentinel(&master, "main");
    wait("the Sentinel's replica", || {
        let replicas = sentinel.cli(&["SENTINEL", "REPLICAS", "main"]);
        replicas.contains(&replica.address().ip().to_string()) && replicas.contains("\nok\n")
    });
    let url = format!("redis+sentinel://{}/main", sentinel.address());
    let flags = ["--channels", "*", "--cluster", &url];
    let (first, second) = (Daemon::start(&flags), Daemon::start(&flags));
    let (mut client, at) = open(&second, "channel=news");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    (1..=3).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    // WAIT would tell of the writes of its own connection.
    wait("all at the replica", || {
        (0..16).any(|n| replica.cli(&["HGET", &format!("wspush:{{{n}}}:top"), "news"]).starts_with("3 "))
    });
    master.kill();
    wait("no readiness", || readiness(&first) == 503);
    let answer = push_when_back(&first, "/push?channel=news", "4");
    assert_eq!((&answer["epoch"], &answer["offset"]), (&json!(epoch), &json!(4)));
    assert_eq!(publications(&mut client, epoch, 4), numbered(1..=4));
}

//! A cluster by a Redis Cluster of three masters: the partitions lie at all of them, and move.

use serde_json::{Value, json};

use crate::cluster::{metric, numbered, open, publications, push_when_back, readiness};
use crate::cluster_nodes::user;
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, wait};
use crate::presence::SECRET;

fn url(masters: &[Redis]) -> String {
    let addresses: Vec<String> = masters.iter().map(|master| master.address().to_string()).collect();
    format!("redis-cluster://{}", addresses.join(","))
}

fn node(masters: &[Redis], name: &str) -> Daemon {
    let auth = ["--auth", "optional", "--auth-secret", SECRET];
    Daemon::start(&[&["--channels", "*", "--cluster", &url(masters), "--node", name], &auth[..]].concat())
}

fn push(daemon: &Daemon, target: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", target, &[("Content-Type", "text/plain")], text.as_bytes());
    (response.status, response.json())
}

fn epoch_of(at: &Value) -> u64 {
    at["epoch"].as_str().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(|| panic!("an epoch: {at}"))
}

/// Who has the slot of a key: its place among the masters.
fn master_of(masters: &[Redis], key: &str) -> usize {
    let has = |master: &Redis| master.cli(&["EXISTS", key]) == "1";
    masters.iter().position(has).unwrap_or_else(|| panic!("nobody has {key}"))
}

#[test]
fn masters_share_the_partitions_and_nodes_have_one_order() {
    let masters = Redis::cluster(3);
    let (first, second) = (node(&masters, "a"), node(&masters, "b"));
    let channels: Vec<String> = (0..16).map(|n| format!("channel{n}")).collect();
    let query: String = channels.iter().map(|name| format!("&channel={name}")).collect();
    let mut client = crate::v1::Client::open_with(&second, &format!("broadcast=no{query}"), &[]);
    assert!(client.next()["connected"].is_object());
    channels.iter().for_each(|_| assert!(client.next()["subscribed"].is_object()));
    for name in &channels {
        assert_eq!(first.push_to(&format!("/push?channel={name}"), "1")["offset"], 1);
        let said = client.next();
        assert_eq!((&said["channel"], &said["offset"]), (&json!(name), &json!(1)));
    }
    let used = |master: &&Redis| master.cli(&["DBSIZE"]).parse::<u64>().is_ok_and(|keys| keys > 3);
    assert_eq!(masters.iter().filter(used).count(), 3, "each has some of them");
    // A batch goes to all that it concerns, and its repetition is one.
    let target = format!("/push?{}&idempotency_key=k", &query[1..]);
    let (status, all) = push(&first, &target, "2");
    assert_eq!(status, 200, "{all}");
    let offsets: Vec<&Value> =
        all["publications"].as_array().unwrap().iter().map(|place| &place["offset"]).collect();
    assert_eq!(offsets, vec![&json!(2); channels.len()]);
    let (status, again) = push(&second, &target, "2");
    assert_eq!((status, &again["duplicate"]), (200, &json!(true)), "{again}");
    let mut got: Vec<String> =
        channels.iter().map(|_| client.next()["channel"].as_str().unwrap().to_owned()).collect();
    got.sort();
    let mut expected = channels.clone();
    expected.sort();
    assert_eq!(got, expected, "each once");
    assert_eq!(push(&first, &target, "3").0, 422);
    // Several servers can't judge it together.
    let (status, said) = push(&first, &format!("/push?{}&if_offset=2", &query[1..]), "3");
    assert_eq!(status, 400, "{said}");
    assert_eq!(push(&first, "/push?channel=channel0&if_offset=1", "3").0, 409);
    assert_eq!(push(&first, "/push?channel=channel0&if_offset=2", "3").1["offset"], 3);
    // Users are reached wherever they are.
    let mut ann = user(&second, "ann");
    assert_eq!(push(&first, "/push?user=ann", "hi").1["recipients"], 1);
    assert_eq!(ann.next(), json!({"message": {"data": "hi"}}));
    // One that comes later has all that there was.
    let third = node(&masters, "c");
    let (_, at) = open(&third, "channel=channel7&since=last:2");
    assert_eq!(at["offset"], 0, "{at}");
    for node in [&first, &second, &third] {
        assert_eq!(
            metric(node, "wspush_cluster_epochs_total") + metric(node, "wspush_cluster_gaps_total"),
            0
        );
    }
}

#[test]
fn slots_move_while_publications_come() {
    let masters = Redis::cluster(3);
    let (first, second) = (node(&masters, "a"), node(&masters, "b"));
    let (mut client, at) = open(&second, "channel=news");
    let epoch = epoch_of(&at);
    let mut count = 0;
    let mut publish = |daemon: &Daemon| {
        count += 1;
        let place = push_when_back(daemon, "/push?channel=news", &count.to_string());
        assert_eq!((&place["epoch"], &place["offset"]), (&json!(epoch), &json!(count)), "{place}");
    };
    publish(&first);
    // The partition of that channel.
    let key = "wspush:{13}:log";
    let from = master_of(&masters, key);
    let (from, to) = (&masters[from], &masters[(from + 1) % 3]);
    let id = |master: &Redis| master.cli(&["CLUSTER", "MYID"]);
    let slot = from.cli(&["CLUSTER", "KEYSLOT", key]);
    assert_eq!(to.cli(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &id(from)]), "OK");
    assert_eq!(from.cli(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &id(to)]), "OK");
    publish(&second);
    let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", &slot, "100"]);
    let (ip, port) = (to.address().ip().to_string(), to.address().port().to_string());
    let words = ["MIGRATE", &ip, &port, "", "0", "5000", "KEYS"];
    assert_eq!(from.cli(&[&words[..], &keys.lines().collect::<Vec<_>>()].concat()), "OK");
    // All keys are at the other one, and the slot is not.
    (0..3).for_each(|_| publish(&first));
    for master in [to, from] {
        assert_eq!(master.cli(&["CLUSTER", "SETSLOT", &slot, "NODE", &id(to)]), "OK");
    }
    publish(&first);
    publish(&second);
    assert_eq!(publications(&mut client, epoch, 7), numbered(1..=7));
    // And with what comes new.
    let third = node(&masters, "c");
    let (mut again, at) = open(&third, &format!("channel=news&since={epoch}.4"));
    assert_eq!(at["recovered"], true);
    publish(&third);
    assert_eq!(publications(&mut again, epoch, 4), numbered(5..=8));
    assert_eq!(publications(&mut client, epoch, 1), numbered(8..=8));
    for node in [&first, &second] {
        assert_eq!(
            metric(node, "wspush_cluster_epochs_total") + metric(node, "wspush_cluster_gaps_total"),
            0
        );
    }
}

#[test]
fn a_master_that_is_away_is_waited_for() {
    let mut masters = Redis::cluster(3);
    let (first, second) = (node(&masters, "a"), node(&masters, "b"));
    let (mut client, at) = open(&second, "channel=news");
    first.push_to("/push?channel=news", "1");
    let away = master_of(&masters, "wspush:{13}:log");
    masters[away].kill();
    wait("no readiness", || readiness(&first) == 503 && readiness(&second) == 503);
    assert_eq!(push(&first, "/push?channel=news", "lost").0, 503);
    masters[away].restart();
    assert_eq!(push_when_back(&first, "/push?channel=news", "2")["offset"], 2);
    assert_eq!(publications(&mut client, epoch_of(&at), 2), numbered(1..=2));
    // One server's URL is not enough for it, and the other way round.
    let refused = |url: &str| {
        let (status, said) = Daemon::refused(&["--cluster", url]);
        assert!(!status.success(), "{said}");
        said
    };
    assert!(refused(&masters[away].url()).contains("redis-cluster://"));
    let alone = Redis::start(&[]);
    assert!(refused(&format!("redis-cluster://{}", alone.address())).contains("cluster support disabled"));
}

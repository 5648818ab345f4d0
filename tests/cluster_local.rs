//! `cluster_down = local`: while Redis is away each node goes on for its own clients, in lives of the channels that are
//! nobody else's, and when it is back all are told what they have missed.

use serde_json::{Value, json};

use crate::cluster::{metric, node, numbered, open, publications, push_when_back, readiness};
use crate::cluster_nodes::{named, user};
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, wait};
use crate::v1::Client;

const LOCAL: [&str; 2] = ["--cluster-down", "local"];

fn push(daemon: &Daemon, target: &str, text: &str) -> (u16, Value) {
    let response = daemon.ask("POST", target, &[("Content-Type", "text/plain")], text.as_bytes());
    (response.status, response.json())
}

fn epoch_of(at: &Value) -> u64 {
    at["epoch"].as_str().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(|| panic!("an epoch: {at}"))
}

fn is_up(daemon: &Daemon) -> bool {
    metric(daemon, "wspush_cluster_up") == 1
}

/// A subscriber is told that another life of its channel has begun.
fn assert_told_anew(client: &mut Client, epoch: u64) {
    let missed = json!({"missed": {"channel": "news", "epoch": epoch.to_string(), "from": 1, "to": 0}});
    assert_eq!(client.next(), missed);
}

#[test]
fn each_node_goes_on_alone_and_comes_back_to_one_order() {
    let mut redis = Redis::start(&[]);
    let (first, second) = (node(&redis, &LOCAL), node(&redis, &LOCAL));
    let ((mut one, at), (mut two, _)) = (open(&first, "channel=news"), open(&second, "channel=news"));
    let (mut quiet, still) = open(&second, "channel=quiet");
    let (epoch, quiet_epoch) = (epoch_of(&at), epoch_of(&still));
    (1..=2).for_each(|n| _ = first.push_to("/push?channel=news", &n.to_string()));
    second.push_to("/push?channel=quiet", "1");
    for client in [&mut one, &mut two] {
        assert_eq!(publications(client, epoch, 2), numbered(1..=2));
    }
    redis.kill();
    wait("both have noticed", || !is_up(&first) && !is_up(&second));
    assert_eq!((readiness(&first), readiness(&second)), (200, 200), "they serve all the same");
    // Places of its own, which are dense and of another life.
    let (status, place) = push(&first, "/push?channel=news", "1");
    let own = place["epoch"].as_u64().expect("an epoch");
    assert_eq!((status, &place["offset"]), (200, &json!(1)), "{place}");
    assert!(own > epoch, "{own} {epoch}");
    assert_eq!(push(&first, "/push?channel=news", "2").1["offset"], 2);
    assert_told_anew(&mut one, own);
    assert_eq!(publications(&mut one, own, 2), numbered(1..=2));
    // A client comes back within that life, at this node alone.
    let (mut again, at) = open(&first, &format!("channel=news&since={own}.1"));
    assert_eq!(&at["recovered"], &json!(true));
    assert_eq!(publications(&mut again, own, 1), numbered(2..=2));
    let (_, at) = open(&second, &format!("channel=news&since={own}.1"));
    assert_eq!((&at["recovered"], epoch_of(&at)), (&json!(false), epoch));
    // Redis alone can judge these.
    for terms in ["idempotency_key=k", "if_offset=2"] {
        let (status, said) = push(&first, &format!("/push?channel=news&{terms}"), "x");
        assert_eq!(status, 503, "{said}");
    }
    assert_eq!(metric(&first, "wspush_cluster_local_total"), 2);
    redis.restart();
    wait("both are back", || is_up(&first) && is_up(&second));
    // One life for all, younger than each of those.
    let place = push_when_back(&second, "/push?channel=news", "1");
    let anew = place["epoch"].as_u64().expect("an epoch");
    assert!(anew > own && place["offset"] == 1, "{place}");
    assert_eq!(push_when_back(&first, "/push?channel=news", "2")["offset"], 2);
    for client in [&mut one, &mut two, &mut again] {
        assert_told_anew(client, anew);
        assert_eq!(publications(client, anew, 2), numbered(1..=2));
    }
    for since in [format!("{own}.2"), format!("{epoch}.2")] {
        let (_, at) = open(&second, &format!("channel=news&since={since}"));
        assert_eq!(&at["recovered"], &json!(false), "nobody is taken to have had everything");
    }
    // Nothing has happened to the others, nor to their partition.
    assert_eq!(push_when_back(&first, "/push?channel=quiet", "2")["epoch"], quiet_epoch);
    assert_eq!(publications(&mut quiet, quiet_epoch, 2), numbered(1..=2));
    assert_eq!(metric(&second, "wspush_cluster_epochs_total"), 0);
}

#[test]
fn both_place_what_they_are_given_and_one_life_follows() {
    let mut redis = Redis::start(&["--appendonly", "no"]);
    let (first, second) = (node(&redis, &LOCAL), node(&redis, &LOCAL));
    let ((mut one, _), (mut two, _)) = (open(&first, "channel=news"), open(&second, "channel=news"));
    redis.kill();
    wait("both have noticed", || !is_up(&first) && !is_up(&second));
    let own = [(&first, &mut one), (&second, &mut two)].map(|(daemon, client)| {
        let (status, place) = push(daemon, "/push?channel=news", "1");
        assert_eq!((status, &place["offset"]), (200, &json!(1)), "{place}");
        let own = place["epoch"].as_u64().expect("an epoch");
        assert_eq!(
            client.next(),
            json!({"channel": "news", "epoch": own.to_string(), "offset": 1, "data": "1"})
        );
        own
    });
    assert_ne!(own[0], own[1]);
    // It comes back without its data: the partitions begin anew as well.
    redis.lose_data();
    redis.restart();
    wait("both are back", || is_up(&first) && is_up(&second));
    let last = push_when_back(&first, "/push?channel=news", "end");
    for client in [&mut one, &mut two] {
        let told = loop {
            let said = client.next();
            if said["data"] == "end" {
                break said;
            }
            assert!(said["missed"].is_object(), "{said}");
        };
        assert_eq!((&told["epoch"], &told["offset"]), (&json!(last["epoch"].to_string()), &last["offset"]));
    }
    assert!(last["epoch"].as_u64() > own.into_iter().max(), "{last}");
}

#[test]
fn users_are_reached_at_the_node_that_is_asked() {
    let mut redis = Redis::start(&[]);
    let daemon = named(&redis, "a", &LOCAL);
    let mut client = user(&daemon, "ann");
    redis.kill();
    wait("it has noticed", || !is_up(&daemon));
    let (status, said) = push(&daemon, "/push?user=ann", "hi");
    assert_eq!((status, &said["recipients"]), (200, &json!(1)), "{said}");
    assert_eq!(client.next(), json!({"message": {"data": "hi"}}));
    // A revocation would be lost to the others.
    let revoked = daemon.ask("DELETE", "/users/ann?revoke=yes", &[], b"");
    assert_eq!(revoked.status, 503, "{}", revoked.text());
    let closed = daemon.ask("DELETE", "/users/ann", &[], b"");
    assert_eq!((closed.status, &closed.json()["closed"]), (200, &json!(1)), "{}", closed.text());
}

//! A host that is a node of a cluster, and channels that nobody has needed for long.

use serde_json::json;
use wspush::{BatchItem, Config, Message, PublishTerms, PushError, Server};

use crate::cluster::{node, open, publications, push_when_back};
use crate::daemon::redis::Redis;
use crate::daemon::wait;

#[test]
fn a_host_is_told_what_redis_says_of_its_terms() {
    let redis = Redis::start(&[]);
    let daemon = node(&redis, &[]);
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        cluster: Some(redis.url()),
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let handle = server.handle();
    let thread = std::thread::spawn(move || server.run());
    let publish = |text: &str, terms| handle.publish_to(&["a", "b"], Message::Text(text), terms);
    let keyed = || PublishTerms::default().idempotency_key("k");
    let first = publish("x", keyed()).unwrap();
    let places: Vec<u64> = first.receipts.iter().map(|receipt| receipt.offset).collect();
    assert!(places == [1, 1] && !first.duplicate && first.receipts[0].epoch > 0, "{first:?}");
    let again = publish("x", keyed()).unwrap();
    assert!(again.duplicate && again.receipts == first.receipts, "{again:?}");
    assert_eq!(publish("y", keyed()), Err(PushError::KeyReused));
    let differs = publish("x", PublishTerms::default().if_offset(7));
    assert!(matches!(differs, Err(PushError::OffsetDiffers { offset: 1, .. })), "{differs:?}");
    assert_eq!(publish("x", PublishTerms::default().if_offset(1)).unwrap().receipts[0].offset, 2);
    let item = |text| [BatchItem::channel("a", Message::Text(text))];
    assert!(!handle.publish_batch(&item("x"), Some("batch")).unwrap().duplicate);
    assert!(handle.publish_batch(&item("x"), Some("batch")).unwrap().duplicate);
    assert_eq!(handle.publish_batch(&item("y"), Some("batch")).unwrap_err(), PushError::KeyReused);
    // Which nodes there are.
    let (tell, told) = std::sync::mpsc::sync_channel(1);
    let nodes = || {
        let tell = tell.clone();
        handle.nodes(move |nodes| drop(tell.send(nodes))).unwrap();
        told.recv().unwrap()
    };
    wait("both nodes", || nodes().is_ok_and(|nodes| nodes.len() == 2));
    assert!(nodes().unwrap().iter().all(|node| node.lease_ms > 0 && !node.version.is_empty()));
    // Without them nobody waits: the places come later.
    assert_eq!(publish("x", PublishTerms::default()).unwrap().receipts[0].offset, 0);
    let at =
        |channel: &str| daemon.ask("GET", &format!("/channels/{channel}"), &[], b"").json()["offset"].clone();
    wait("all are at the other node", || (at("a"), at("b")) == (json!(4), json!(3)));
    drop(redis);
    let gone = publish("x", keyed());
    assert!(matches!(gone, Err(PushError::Unavailable(_))), "{gone:?}");
    assert!(matches!(nodes(), Err(PushError::Unavailable(_))));
    handle.drain();
    thread.join().unwrap().unwrap();
}

#[test]
fn a_channel_that_was_idle_for_long_is_forgotten_and_begins_anew() {
    let redis = Redis::start(&[]);
    let one = ["--cluster-partitions", "1"];
    let (first, second) = (node(&redis, &one), node(&redis, &one));
    let (mut client, at) = open(&second, "channel=old");
    let (mut waiting, _) = open(&second, "channel=new");
    let epoch: u64 = at["epoch"].as_str().unwrap().parse().unwrap();
    first.push_to("/push?channel=old", "1");
    first.push_to("/push?channel=young", "1");
    assert_eq!(publications(&mut client, epoch, 1), [(1, "1".to_owned())]);
    let value = |channel: &str| redis.cli(&["HGET", "wspush:{0}:top", channel]);
    assert!(value("old").starts_with("1  "), "{}", value("old"));
    redis.cli(&["HSET", "wspush:{0}:top", "old", "1  20000"]);
    wait("it is forgotten", || value("old").is_empty());
    assert!(!value("young").is_empty());
    // No offset is given twice in one epoch, and who was there is told.
    let answer = push_when_back(&first, "/push?channel=old", "2");
    let anew = answer["epoch"].as_u64().unwrap();
    assert!(anew > epoch && answer["offset"] == 1, "{answer}");
    assert_eq!(client.next()["missed"]["epoch"], anew.to_string());
    assert_eq!(publications(&mut client, anew, 1), [(1, "2".to_owned())]);
    // Of one that is new nobody has missed anything.
    assert_eq!(first.push_to("/push?channel=new", "3")["epoch"], anew);
    assert_eq!(publications(&mut waiting, anew, 1), [(1, "3".to_owned())]);
    assert_eq!(first.push_to("/push?channel=young", "2")["epoch"], epoch);
    assert_eq!(first.push_to("/push?channel=new", "4")["offset"], 2);
}

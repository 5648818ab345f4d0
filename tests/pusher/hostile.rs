//! Strangers who ask for much of an app.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::backends::{ask, ask_at};
use super::channels::{error, member};
use super::{Client, KEY, SECRET, held, start, subscribed};
use crate::daemon::{Http, wait};

/// Each wrong signature costs one answer and nothing that stays, and nobody else notices.
#[test]
fn wrong_signatures_by_the_thousand_leave_nothing() {
    let daemon = start("", &["--pusher-http-public"]);
    let mut bystander = Client::open(&daemon);
    let mut http = Http::tcp(daemon.public);
    let target = format!(
        "/apps/3/events?auth_key={KEY}&auth_timestamp=1&auth_version=1.0&body_md5=0&auth_signature={}",
        "0".repeat(64)
    );
    for _ in 0..2_000 {
        let answer = http.ask("POST", &target, &[], b"");
        assert_eq!(answer.status, 401);
        assert!(!answer.text().contains(SECRET));
    }
    // Of a larger one not even the body is read.
    let head = format!("POST {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n");
    let mut large = Http::tcp(daemon.public);
    large.send(head.as_bytes());
    assert_eq!(large.response().status, 401);
    let mut stranger = Client::open(&daemon);
    for n in 0..2_000 {
        let channel = format!("private-{n}");
        let data = json!({ "channel": channel, "auth": format!("{KEY}:{}", "0".repeat(64)) });
        let refused = stranger.ask(&json!({ "event": "pusher:subscribe", "data": data }));
        assert_eq!(error(&refused), (&*channel, "AuthError", 401));
    }
    assert_eq!(bystander.subscribe("news"), subscribed("news"));
    assert_eq!(ask(&daemon, "GET /apps/3/channels", &Value::Null), json!({ "channels": { "news": {} } }));
    assert_eq!(daemon.stats()["channels"], 2, "the default one, and the bystander's");
    assert_eq!(daemon.stats()["memory"]["backlog_bytes"], 0);
}

/// One after the other, clients may have any number of names; the server keeps those that somebody has.
#[test]
fn channel_names_by_the_thousand_are_forgotten() {
    let daemon = start("", &["--channels-max", "200"]);
    let mut stranger = Client::open(&daemon);
    for n in 0..10_000 {
        let name = format!("n-{n}");
        assert_eq!(stranger.subscribe(&name), subscribed(&name));
        stranger.send(&json!({ "event": "pusher:unsubscribe", "data": { "channel": name } }));
    }
    assert!(stranger.rest().is_empty());
    wait("only what is needed is kept", || daemon.stats()["channels"] == 1);
    assert_eq!(stranger.subscribe("news"), subscribed("news"), "there is room for who comes");
}

/// A backend may publish to any number of names; the server keeps as many as it may have.
#[test]
fn a_million_channel_names_are_no_more_than_there_may_be() {
    let daemon = start("", &["--channels-max", "200"]);
    let mut bystander = Client::open(&daemon);
    assert_eq!(bystander.subscribe("news"), subscribed("news"));
    let mut http = daemon.admin_http();
    for n in 0..10_000 {
        let names: Vec<String> = (0..100).map(|m| format!("p-{n}-{m}")).collect();
        ask_at(&mut http, "POST /apps/3/events", &json!({ "name": "e", "channels": names, "data": "" }));
        if n % 500 == 0 {
            assert!(daemon.stats()["channels"].as_u64().is_some_and(|channels| channels <= 200));
        }
    }
    ask(&daemon, "POST /apps/3/events", &json!({ "name": "e", "channel": "news", "data": "" }));
    assert_eq!(bystander.next()["event"], "e", "the channel of who is there is kept");
}

/// So many notices as the protocol's limit on members allows, however many ask to come.
#[test]
fn a_crowd_of_members_is_told_of_no_more_than_may_be_there() {
    let daemon = start("members_max=30", &[]);
    let mut clients: Vec<Client> = (0..31).map(|_| Client::open(&daemon)).collect();
    let (mut joined, mut refused) = (Vec::new(), 0);
    // The last connection comes as one user after the other.
    for n in 0..10_000 {
        let client = &mut clients[n.min(30)];
        let answer = client.subscribe_signed("presence-crowd", Some(&member(&n.to_string())));
        if answer["event"] == "pusher_internal:subscription_succeeded" {
            joined.push(n);
            assert_eq!(held(&answer)["presence"]["count"], joined.len());
        } else {
            assert_eq!(error(&answer), ("presence-crowd", "LimitReached", 4_004));
            refused += 1;
        }
    }
    assert_eq!((joined.len(), refused), (30, 9_970));
    let mut told = HashMap::new();
    for (n, client) in clients.iter_mut().enumerate() {
        told.insert(n, client.rest().len());
    }
    for (n, count) in told {
        assert_eq!(count, if n < 30 { 29 - n } else { 0 }, "{n} hears of those who come behind it");
    }
}

/// Sessions of the fallback are those of open connections: others that are made up are nobody's.
#[test]
fn sessions_that_nobody_has_are_no_memory() {
    let daemon = start("", &["--max-connections", "20"]);
    let mut http = Http::tcp(daemon.public);
    for n in 0..2_000 {
        let path = format!("/pusher/app/{KEY}/1/s{n}/xhr_send");
        assert_eq!(http.ask("POST", &path, &[], br#"["{}"]"#).status, 404);
    }
    let poll = |session: &str| {
        let path = format!("/pusher/app/{KEY}/1/{session}/xhr?protocol=7");
        Http::tcp(daemon.public).ask("POST", &path, &[], b"").text()
    };
    let (mut opened, mut refused) = (0, 0);
    for n in 0..40 {
        match poll(&format!("p{n}")) {
            text if text.starts_with("o{}\nm") => opened += 1,
            text => {
                assert!(text.starts_with("o{}\nc[4100,"), "{text}");
                refused += 1;
            }
        }
    }
    assert!(opened <= 20 && opened > 0 && opened + refused == 40, "{opened} {refused}");
    assert_eq!(ask(&daemon, "GET /apps/3/connections", &Value::Null), json!({ "connections": opened }));
}

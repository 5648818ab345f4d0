//! Several reactors: one server to the outside, whichever of them has a connection.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use wspush::config::Reactors;
use wspush::{Config, Server};

use crate::daemon::{self, Daemon, WebSocket};
#[cfg(feature = "auth")]
use crate::presence;
use crate::reactors_host::Gate;
use crate::state_file::Folder;
use crate::v1::Client;

pub(crate) const REACTORS: usize = 3;

fn start(more: &[&str]) -> Daemon {
    Daemon::start(&[&["--reactors", "3", "--channels", "*"], more].concat())
}

/// So many clients for each reactor.
fn clients(daemon: &Daemon, each: usize, target: &str) -> Vec<WebSocket> {
    let clients = (0..REACTORS * each).map(|_| WebSocket::open_at(daemon, target)).collect();
    daemon.wait_connections((REACTORS * each) as u64);
    clients
}

fn read(daemon: &Daemon, path: &str) -> Value {
    daemon.ask("GET", path, &[], b"").json()
}

/// Connections of each reactor, as the metrics have them.
fn shares(daemon: &Daemon) -> Vec<u64> {
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    let count =
        |line: &str| line.strip_prefix("wspush_reactor_connections{")?.split(' ').nth(1)?.parse().ok();
    text.lines().filter_map(count).collect()
}

fn reactor_of(id: &str) -> u64 {
    id.parse::<u64>().expect("an id") >> 58
}

#[test]
fn connections_are_even_however_they_come_and_go() {
    let daemon = start(&[]);
    let mut clients = clients(&daemon, 20, "/ws");
    assert_eq!(shares(&daemon), [20; 3]);
    // Those who came first leave; the rest is uneven on purpose.
    let mut n = 0;
    clients.retain(|client| {
        n += 1;
        n % 2 == 0 || reactor_of(&daemon.id_of(client)) == 1
    });
    daemon.wait_connections(clients.len() as u64);
    let before = shares(&daemon);
    assert_eq!(before[1], 20, "{before:?}");
    while clients.len() < 60 {
        clients.push(WebSocket::open(&daemon));
    }
    daemon.wait_connections(60);
    assert_eq!(shares(&daemon), [20; 3]);
    let stats = daemon.stats();
    assert_eq!((&stats["connections"], &stats["transports"]["ws"]), (&60.into(), &60.into()));
}

#[test]
fn one_reactor_has_no_label() {
    let daemon = Daemon::start(&[]);
    let _client = WebSocket::open(&daemon);
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    assert!(!text.contains("reactor"), "{text}");
    assert_eq!(daemon.id_of(&_client).parse::<u64>().unwrap() >> 58, 0);
}

#[test]
fn a_push_is_counted_once_and_reaches_everybody() {
    let daemon = start(&[]);
    let mut clients = clients(&daemon, 5, "/ws?channel=news");
    let receipt = daemon.push_to("/push?channel=news", "hello");
    assert_eq!((&receipt["recipients"], &receipt["offset"]), (&15.into(), &1.into()));
    // It is not done before each reactor has taken the publication in, and has added its own.
    let delivery = daemon.wait_delivered(&receipt["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["written"]), (&15.into(), &15.into()));
    assert!(delivery["first_us"].as_u64() <= delivery["median_us"].as_u64(), "{delivery}");
    assert!(delivery["median_us"].as_u64() <= delivery["last_us"].as_u64(), "{delivery}");
    clients.iter_mut().for_each(|client| assert_eq!(client.text(), "hello"));
    let counters = daemon.wait_stats("all deliveries", |stats| stats["counters"]["deliveries"] == 15);
    assert_eq!(counters["counters"]["publications"], 1);
    let channel = read(&daemon, "/channels/news");
    assert_eq!((&channel["subscribers"], &channel["offset"]), (&15.into(), &1.into()));
    let repeated = |key: &str| daemon.push_to(&format!("/push?channel=news&idempotency_key={key}"), "again");
    let (first, again) = (repeated("k"), repeated("k"));
    assert_eq!((&again["receipt"], &again["duplicate"]), (&first["receipt"], &true.into()));
}

#[test]
fn a_connection_is_reached_by_its_id_wherever_it_is() {
    let daemon = start(&[]);
    let mut clients = clients(&daemon, 2, "/ws");
    let ids: Vec<String> = clients.iter().map(|client| daemon.id_of(client)).collect();
    let reactors: BTreeSet<u64> = ids.iter().map(|id| reactor_of(id)).collect();
    assert_eq!(reactors, BTreeSet::from([0, 1, 2]));
    for (client, id) in clients.iter_mut().zip(&ids) {
        let sent = daemon.push_to(&format!("/push?conn={id}"), id);
        assert_eq!(sent, json!({ "conn": id, "recipients": 1 }));
        assert_eq!(client.text(), *id);
        let joined =
            daemon.ask("POST", &format!("/connections/{id}/subscribe?channel=c.{id}"), &[], b"").json();
        assert_eq!(joined["connections"], 1);
        daemon.push_to(&format!("/push?channel=c.{id}"), "in it");
        assert_eq!(client.text(), "in it");
        let closed =
            daemon.ask("DELETE", &format!("/connections/{id}?code=4001&reason=why"), &[], b"").json();
        assert_eq!(closed, json!({ "conn": id, "code": 4001 }));
        assert_eq!(client.closed(), (4001, "why".to_owned()));
    }
    drop(clients);
    daemon.wait_connections(0);
    for id in &ids {
        for (method, path) in [("DELETE", format!("/connections/{id}")), ("POST", format!("/push?conn={id}"))]
        {
            assert_eq!(daemon.ask(method, &path, &[], b"x").status, 404, "{path}");
        }
    }
}

#[test]
fn a_batch_says_of_each_connection_whether_it_was_there() {
    let daemon = start(&[]);
    let mut clients = clients(&daemon, 2, "/ws?channel=news");
    let ids: Vec<String> = clients.iter().map(|client| daemon.id_of(client)).collect();
    // One of each reactor goes.
    let gone: Vec<String> =
        (0..3).map(|at| ids.iter().find(|id| reactor_of(id) == at).unwrap().clone()).collect();
    for (n, id) in gone.iter().enumerate() {
        let at = ids.iter().position(|other| other == id).unwrap() - n;
        drop(clients.remove(at));
    }
    daemon.wait_connections(3);
    let mut lines: Vec<String> =
        ids.iter().map(|id| json!({ "conn": id, "data": format!("to {id}") }).to_string()).collect();
    lines.insert(1, json!({ "channel": "news", "data": "to all" }).to_string());
    lines.push(json!({ "user": "nobody", "data": "x" }).to_string());
    let (mut http, body) = (daemon.admin_http(), lines.join("\n"));
    let answer = http.ask("POST", "/push/batch?idempotency_key=k", &[], body.as_bytes());
    let told = answer.json();
    let expected = |id: &String| json!({ "conn": id, "recipients": u32::from(!gone.contains(id)) });
    let mut publications: Vec<Value> = ids.iter().map(expected).collect();
    let receipt = &told["publications"][1];
    assert_eq!((&receipt["offset"], &receipt["recipients"]), (&1.into(), &3.into()), "{told}");
    publications.insert(1, receipt.clone());
    publications.push(json!({ "user": "nobody" }));
    assert_eq!((answer.status, &told), (200, &json!({ "publications": publications })));
    for client in &mut clients {
        let id = daemon.id_of(client);
        let mut texts = [client.text(), client.text()];
        texts.sort();
        assert_eq!(texts, [format!("to {id}"), "to all".to_owned()]);
    }
    // Nothing is sent for a repetition, and so nobody is told of; the connection that has asked goes on.
    let again = http.ask("POST", "/push/batch?idempotency_key=k", &[], body.as_bytes()).json();
    assert_eq!((&again["publications"][0], &again["duplicate"]), (&json!({ "conn": ids[0] }), &true.into()));
    assert_eq!(http.ask("GET", "/stats", &[], b"").status, 200);
}

#[test]
fn lists_go_through_all_reactors_page_by_page() {
    let daemon = start(&[]);
    let _clients = clients(&daemon, 4, "/ws");
    let _others = WebSocket::open_at(&daemon, "/ws?channel=odd");
    let (mut all, mut after, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = read(&daemon, &format!("/connections?limit=5{after}"));
        pages += 1;
        all.extend(
            page["connections"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert_eq!((all.len(), all.iter().collect::<BTreeSet<_>>().len(), pages), (13, 13, 3));
    assert_eq!(read(&daemon, "/connections?channel=odd")["connections"].as_array().map(Vec::len), Some(1));
    let channels = read(&daemon, "/channels?prefix=odd");
    daemon::wait("the channel at the first reactor", || {
        read(&daemon, "/channels?prefix=odd")["channels"][0]["subscribers"] == 1
    });
    assert!(channels["channels"].is_array());
}

#[test]
fn what_was_published_is_there_at_every_reactor() {
    let daemon = start(&["--log-publications", "8"]);
    for n in 1..=5 {
        daemon.push_to("/push?channel=news", &n.to_string());
    }
    let epoch = read(&daemon, "/channels/news")["epoch"].clone();
    for _ in 0..2 * REACTORS {
        let mut client = WebSocket::open_at(&daemon, &format!("/ws?channel=news&since={epoch}.2"));
        let told = [client.text(), client.text(), client.text()];
        assert_eq!(told, ["3", "4", "5"]);
        std::mem::forget(client);
    }
    let mut clients: Vec<Client> =
        (0..REACTORS).map(|_| Client::open(&daemon, "broadcast=no&channel=news", &["news"])).collect();
    for client in &mut clients {
        let asked = json!({"id": 1, "history": {"channel": "news", "since": "last:2"}});
        let history = client.ask(&asked);
        assert_eq!(history["history"]["publications"].as_array().map(Vec::len), Some(2), "{history}");
        let published = client.ask(&json!({"id": 2, "publish": {"channel": "news", "data": "mine"}}));
        assert!(published["published"].is_object() || published["error"].is_object(), "{published}");
    }
    assert_eq!(daemon.ask("DELETE", "/channels/news/history", &[], b"").status, 200);
    let receipt = daemon.push_to("/push?channel=news", "anew");
    assert_eq!(receipt["offset"], 1);
    assert!(receipt["epoch"].as_u64() > epoch.as_u64());
    for client in &mut clients {
        daemon::wait("the first of the next life", || client.next()["data"] == "anew");
    }
}

#[test]
fn the_limits_are_of_the_whole() {
    let daemon = start(&["--max-connections", "7", "--connections-per-address-max", "5"]);
    let clients: Vec<WebSocket> = (0..5).map(|_| WebSocket::open(&daemon)).collect();
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err().expect("refused");
    assert!(refused.text().contains("connections_per_address_max"), "{}", refused.text());
    drop(clients);
    daemon.wait_connections(0);
    let daemon = start(&["--max-connections", "7"]);
    let _clients: Vec<WebSocket> = (0..7).map(|_| WebSocket::open(&daemon)).collect();
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err().expect("refused");
    assert!(refused.text().contains("the server is full: 7 connections"), "{}", refused.text());
    assert_eq!(daemon.ask("GET", "/readyz", &[], b"").status, 503);
}

#[test]
fn no_more_come_in_at_once_than_there_may_be() {
    let daemon = Daemon::start(&["--reactors", "4", "--max-connections", "40"]);
    for round in 0..5 {
        let come = |_| {
            let public = daemon.public;
            std::thread::spawn(move || {
                let come = (0..12).filter_map(|_| WebSocket::ask(public, "/ws", &[]).ok());
                come.collect::<Vec<WebSocket>>()
            })
        };
        let threads: Vec<_> = (0..8).map(come).collect();
        let clients: Vec<_> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(clients.len(), 40, "in round {round}");
        drop(clients);
        daemon.wait_connections(0);
    }
}

#[test]
fn a_drain_reaches_all_and_the_state_outlives_it() {
    let folder = Folder::new("reactors");
    let mut daemon = folder.start(&["--reactors", "3"]);
    let mut clients = clients(&daemon, 3, "/ws?channel=news");
    for n in 1..=4 {
        daemon.push_to("/push?channel=news", &n.to_string());
    }
    let before = read(&daemon, "/channels/news/history");
    daemon.signal("TERM");
    for client in &mut clients {
        let said: Vec<String> = (1..=4).map(|_| client.text()).collect();
        assert_eq!(said, ["1", "2", "3", "4"]);
        assert_eq!(client.closed().0, 1001);
    }
    assert!(daemon.wait_exit().success(), "{}", daemon.log());
    assert_eq!(
        (daemon.events("draining"), daemon.events("drained"), daemon.events("state_saved")),
        (1, 1, 1)
    );
    let daemon = folder.start(&["--reactors", "2"]);
    assert_eq!(read(&daemon, "/channels/news/history"), before);
    for _ in 0..4 {
        let mut client = WebSocket::open_at(&daemon, "/ws?channel=news&since=last:1");
        assert_eq!(client.text(), "4");
        std::mem::forget(client);
    }
}

#[cfg(feature = "daemon")]
#[test]
fn settings_reach_all_reactors() {
    let folder = std::env::temp_dir().join(format!("wspush-reactors-{}.toml", std::process::id()));
    std::fs::write(&folder, "reactors = 3\nchannels = [\"a\"]\n").unwrap();
    let daemon = Daemon::start(&["--config", folder.to_str().unwrap()]);
    std::fs::write(&folder, "reactors = 2\nchannels = [\"b\"]\n").unwrap();
    daemon.signal("HUP");
    let line = daemon.wait_event("reloaded");
    assert!(line.contains("need_restart=reactors") && line.contains("applied=channels"), "{line}");
    let mut open = Vec::new();
    daemon::wait("all to have taken it over", || {
        open = (0..2 * REACTORS)
            .filter_map(|_| WebSocket::ask(daemon.public, "/ws?channel=b", &[]).ok())
            .collect();
        open.len() == 2 * REACTORS
    });
    assert_eq!(daemon.events("reloaded"), 1);
    std::fs::remove_file(folder).unwrap();
}

#[test]
fn what_can_not_be_is_said_at_the_start() {
    for (flags, expected) in [
        (&["--reactors", "0"][..], "allowed are 1 to 64, or auto"),
        (&["--reactors", "65"], "allowed are 1 to 64, or auto"),
        (&["--reactors", "many"], "allowed are 1 to 64, or auto"),
        (
            &["--reactors", "4", "--assembly-bytes-max", "200000"],
            "among which assembly_bytes_max = 200000 is divided",
        ),
    ] {
        let (status, said) = Daemon::refused(flags);
        assert!(!status.success() && said.contains(expected), "{flags:?}: {said}");
    }
    let config = || Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
    let several = Config { reactors: Reactors::new(2).unwrap(), ..config() };
    let problem = Server::bind_with(several, |_| Box::new(Gate::default()), None).err().expect("one handler");
    assert!(problem.to_string().contains("bind_each"), "{problem}");
}

/// A client of `wspush.v1` on some reactor, in the room, as this user.
#[cfg(feature = "auth")]
fn member(daemon: &Daemon, user: &str) -> Client {
    let mut client =
        Client::open_with(daemon, &format!("broadcast=no&token={}", presence::token(user, None)), &[]);
    assert_eq!(client.next()["connected"]["user"], user);
    let joined = client.ask(&json!({"id": 1, "subscribe": {"channel": "room.1", "presence": true}}));
    let members = joined["subscribed"]["presence"]["members"].as_array().expect("members").clone();
    assert!(members.iter().any(|member| member["user"] == user), "{user} sees itself: {joined}");
    client
}

#[cfg(feature = "auth")]
#[test]
fn all_members_know_of_each_other() {
    let daemon = presence::start(&["room.* presence=true", "--reactors", "3"]);
    let users = ["ann", "bob", "cyd", "dan", "eve", "fay"];
    let mut clients: Vec<(&str, Client)> = users.iter().map(|user| (*user, member(&daemon, user))).collect();
    let shown = || {
        let presence = read(&daemon, "/channels/room.1/presence");
        let members = presence["members"].as_array().cloned().unwrap_or_default();
        members
            .iter()
            .map(|member| member["user"].as_str().unwrap_or_default().to_owned())
            .collect::<Vec<_>>()
    };
    daemon::wait("all at the first reactor", || shown() == users);
    let count = |client: &mut Client| {
        client.rest();
        client.ask(&json!({"id": 2, "presence": {"channel": "room.1"}}))["presence"]["count"].clone()
    };
    for (_, client) in &mut clients {
        daemon::wait("all at every reactor", || count(client) == 6);
    }
    // One of two tabs goes, and then the last one.
    let second = member(&daemon, "ann");
    second.0.close(1000);
    let (_, ann) = clients.remove(0);
    ann.0.close(1000);
    for (_, client) in &mut clients {
        daemon::wait("the word that she has left", || {
            let said = client.rest();
            said.iter().any(|said| said["leave"]["user"] == "ann")
        });
    }
    daemon::wait("five at the first reactor", || shown() == users[1..]);
    for (_, client) in &mut clients {
        client.0.send_close(1000, "");
    }
    daemon::wait("nobody", || shown().is_empty());
    let stats = daemon.wait_stats("every event once", |stats| {
        let events = &stats["counters"]["channel_events"];
        events["member_added"] == 6 && events["member_removed"] == 6
    });
    let events = &stats["counters"]["channel_events"];
    assert_eq!(events["channel_occupied"], events["channel_vacated"], "{events}");
}

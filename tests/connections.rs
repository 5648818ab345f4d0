//! `GET /connections` and `DELETE /connections/ID`.

use std::collections::HashSet;

use crate::daemon::{Daemon, WebSocket};
use crate::wire::{CLOSE, close_of};
use serde_json::Value;

fn list(daemon: &Daemon, query: &str) -> Value {
    let response = daemon.ask("GET", &format!("/connections{query}"), &[], b"");
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

fn ids(page: &Value) -> Vec<String> {
    let connections = page["connections"].as_array().expect("a list");
    connections.iter().map(|c| c["id"].as_str().expect("an id in quotes").to_owned()).collect()
}

#[test]
fn every_connection_is_described() {
    let daemon = Daemon::start(&["--demo"]);
    assert_eq!(list(&daemon, ""), serde_json::json!({ "connections": [], "next": null }));
    let push = WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let peer = push.stream().local_addr().expect("an address").to_string();
    let mut chat = WebSocket::open_at(&daemon, "/chat");
    chat.text();
    let _echo = WebSocket::open_at(&daemon, "/echo");
    let page = list(&daemon, "");
    let field = |n: usize, name: &str| page["connections"][n][name].clone();
    assert_eq!(field(0, "peer"), peer);
    assert_eq!(field(0, "channels"), serde_json::json!(["broadcast", "public.a"]));
    assert_eq!((field(0, "endpoint"), field(0, "user")), ("ws".into(), Value::Null));
    assert_eq!((field(1, "endpoint"), field(1, "user")), ("chat".into(), "guest1".into()));
    assert_eq!((field(2, "endpoint"), field(2, "channels")), ("echo".into(), serde_json::json!([])));
    for n in 0..3 {
        assert_eq!(field(n, "state"), "open");
        assert_eq!((field(n, "lag_bytes"), field(n, "outbox_bytes")), (0.into(), 0.into()));
    }
    assert_eq!(ids(&page).into_iter().collect::<HashSet<_>>().len(), 3);
}

#[test]
fn pages_cover_everyone_once() {
    let daemon = Daemon::start(&[]);
    let _clients: Vec<_> = (0..25).map(|_| WebSocket::open(&daemon)).collect();
    let all = ids(&list(&daemon, ""));
    assert_eq!(all.len(), 25);
    for limit in [1, 7, 24, 25, 26] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = list(&daemon, &format!("?limit={limit}{after}"));
            let listed = ids(&page);
            assert!(listed.len() <= limit);
            seen.extend(listed);
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, all, "in pages of {limit}");
    }
}

#[test]
fn a_page_goes_on_behind_one_that_has_left() {
    let daemon = Daemon::start(&[]);
    let mut clients: Vec<_> = (0..6).map(|_| WebSocket::open(&daemon)).collect();
    let all = ids(&list(&daemon, ""));
    let next = list(&daemon, "?limit=3")["next"].as_str().expect("more").to_owned();
    clients.remove(2).close(1000);
    daemon.wait_connections(5);
    assert_eq!(ids(&list(&daemon, &format!("?limit=9&after={next}"))), all[3..]);
}

#[test]
fn filters_choose() {
    let daemon = Daemon::start(&["--demo"]);
    let _plain = WebSocket::open(&daemon);
    let _a = WebSocket::open_at(&daemon, "/ws?channel=public.a");
    let _ab = WebSocket::open_at(&daemon, "/ws?channel=public.a&channel=public.b");
    let _chat = WebSocket::open_at(&daemon, "/chat");
    let count = |query: &str| ids(&list(&daemon, query)).len();
    assert_eq!(count(""), 4);
    assert_eq!(count("?channel=broadcast"), 3);
    assert_eq!((count("?channel=public.a"), count("?channel=public.b")), (2, 1));
    assert_eq!((count("?channel=public.none"), count("?user=guest1")), (0, 1));
    assert_eq!((count("?user=guest2"), count("?user=guest1&channel=public.a")), (0, 0));
    assert_eq!(
        list(&daemon, "?channel=public.a&limit=1")["next"],
        list(&daemon, "?channel=public.a")["connections"][0]["id"]
    );
    for wrong in ["?limit=0", "?limit=1001", "?limit=x", "?after=x", "?channel=a%20b", "?chanel=a"] {
        assert_eq!(daemon.ask("GET", &format!("/connections{wrong}"), &[], b"").status, 400, "{wrong}");
    }
}

#[test]
fn delete_closes_with_a_code() {
    let daemon = Daemon::start(&[]);
    for (query, code, reason) in [
        ("", 1008, "disconnected by the operator"),
        ("?code=1000&reason=bye", 1000, "bye"),
        ("?code=4999", 4999, "disconnected by the operator"),
        ("?reason=caf%C3%A9+closes", 1008, "caf\u{e9} closes"),
    ] {
        let mut client = WebSocket::open(&daemon);
        let mut other = WebSocket::open(&daemon);
        let target = format!("/connections/{}", daemon.id_of(&client));
        for wrong in
            ["?code=999", "?code=1005", "?code=1006", "?code=2999", "?code=5000", "?code=x", "?cod=1"]
        {
            assert_eq!(daemon.ask("DELETE", &format!("{target}{wrong}"), &[], b"").status, 400, "{wrong}");
        }
        let long = format!("{target}?reason={}", "x".repeat(124));
        assert_eq!(daemon.ask("DELETE", &long, &[], b"").status, 400);
        let response = daemon.ask("DELETE", &format!("{target}{query}"), &[], b"");
        assert_eq!((response.status, response.json()["code"].as_u64()), (200, Some(code)));
        let frame = client.frame();
        assert_eq!(close_of(&frame), (code as u16, reason.to_owned()));
        // Until it has answered it is on its way out, and can't be closed again.
        assert_eq!(daemon.ask("DELETE", &target, &[], b"").status, 404);
        client.send(frame.opcode, &frame.payload);
        assert_eq!(client.next(), None);
        drop(client);
        daemon.wait_connections(1);
        assert_eq!(daemon.ask("DELETE", &target, &[], b"").status, 404);
        assert_eq!(other.sync(), []);
        other.close(1000);
        daemon.wait_connections(0);
    }
}

#[test]
fn a_stale_id_names_nobody() {
    let daemon = Daemon::start(&[]);
    let client = WebSocket::open(&daemon);
    let old = daemon.id_of(&client);
    client.close(1000);
    daemon.wait_connections(0);
    let mut next = WebSocket::open(&daemon);
    let new = daemon.id_of(&next);
    assert_ne!(old, new);
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{old}"), &[], b"").status, 404);
    for wrong in ["x", "", "1/2", "-1", "99999999999999999999999"] {
        let status = daemon.ask("DELETE", &format!("/connections/{wrong}"), &[], b"").status;
        assert!(matches!(status, 400 | 404), "{wrong:?}: {status}");
    }
    assert_eq!(next.sync(), []);
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{new}"), &[], b"").status, 200);
    assert_eq!(next.frame().opcode, CLOSE);
}

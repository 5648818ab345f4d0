//! Connections of all kinds come over: apps' clients, clients whom a proxy speaks for, those who inflate, TLS; and
//! publications that go out at a pace.

use crate::daemon::{Daemon, Http, WebSocket};
use crate::handover::Folder;

#[cfg(feature = "pusher")]
#[test]
fn clients_of_an_app_stay_where_they_are() {
    use crate::pusher::{Client, publish, subscribed};
    use serde_json::json;
    let folder = Folder::new("pusher");
    let app = format!("3 key={} secret={} client_events=true", crate::pusher::KEY, crate::pusher::SECRET);
    let flags = ["--pusher-app", app.as_str()];
    let daemon = folder.start(&flags);
    let (mut one, mut two) = (Client::open(&daemon), Client::open(&daemon));
    let data = |user: &str| json!({"user_id": user}).to_string();
    for client in [&mut one, &mut two] {
        assert_eq!(client.subscribe("news"), subscribed("news"));
        client.subscribe_signed("private-a", None);
    }
    one.subscribe_signed("presence-room", Some(&data("ann")));
    two.subscribe_signed("presence-room", Some(&data("bob")));
    assert_eq!(one.next()["event"], "pusher_internal:member_added");
    two.sign_in(r#"{"id":"bob"}"#);
    let daemon = folder.succeed(daemon, &flags);
    publish(&daemon, "news", "headline", "after");
    for client in [&mut one, &mut two] {
        let event = client.next();
        assert_eq!((&event["event"], &event["data"]), (&json!("headline"), &json!("after")));
    }
    // Its id is what it was, or it would get its own.
    one.send(&json!({"event": "client-typing", "channel": "private-a", "data": {"x": 1}}));
    assert_eq!(two.next()["event"], "client-typing");
    two.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "presence-room"}}));
    let left = one.next();
    assert_eq!(left["event"], "pusher_internal:member_removed");
    assert!(left["data"].as_str().unwrap().contains("bob"), "{left}");
    let mut three = Client::open(&daemon);
    assert!(three.id != one.id && three.id != two.id);
    assert_eq!(three.subscribe("news"), subscribed("news"));
}

#[test]
fn the_addresses_that_proxies_have_told_come_over() {
    use crate::proxied::{PROXIED, binary, peers, text};
    let folder = Folder::new("proxied");
    let flags = [PROXIED, &["--connections-per-address-max", "2"]].concat();
    let daemon = folder.start(&flags);
    let open = |daemon: &Daemon, header: &[u8], fields: &[(&str, &str)]| {
        let mut http = Http::tcp(daemon.public);
        http.send(header);
        WebSocket::ask_over(http, "/ws", fields).map_err(|response| response.status)
    };
    let mut clients = vec![
        open(&daemon, &text("192.0.2.1"), &[]).unwrap(),
        open(&daemon, &binary([192, 0, 2, 2], &[]), &[]).unwrap(),
        open(&daemon, b"PROXY UNKNOWN\r\n", &[("X-Forwarded-For", "192.0.2.2")]).unwrap(),
    ];
    let before = peers(&daemon);
    let daemon = folder.succeed(daemon, &flags);
    assert_eq!(peers(&daemon), before, "they are whom they were");
    let refused = open(&daemon, &text("192.0.2.2"), &[]);
    assert_eq!(refused.err(), Some(503), "two of that address are there");
    clients.push(open(&daemon, &text("192.0.2.1"), &[]).unwrap());
    daemon.push("to all");
    clients.iter_mut().for_each(|client| assert_eq!(client.text(), "to all"));
    // Who leaves makes room for its own address.
    drop(clients.remove(1));
    daemon.wait_connections(3);
    assert!(open(&daemon, &text("192.0.2.2"), &[]).is_ok());
}

#[test]
fn what_goes_out_at_a_pace_goes_out_to_its_end() {
    const CLIENTS: usize = 40;
    let folder = Folder::new("paced");
    let daemon = folder.start(&[]);
    let mut clients: Vec<WebSocket> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    // So slow that it can't be over.
    let receipt = daemon.push_to("/push?rate=5", "slowly");
    daemon.wait_stats("the first of them", |_| {
        daemon.ask("GET", &format!("/stats?receipt={}", receipt["receipt"]), &[], b"").json()["written"] != 0
    });
    let daemon = folder.succeed(daemon, &[]);
    let delivery = daemon.ask("GET", &format!("/stats?receipt={}", receipt["receipt"]), &[], b"").json();
    let lagging = delivery["lagging"].as_u64().expect("a number");
    assert!(lagging > 0 && delivery["written"].as_u64() > Some(0), "{delivery}");
    // One without a pace takes along what lies before it.
    daemon.push("at once");
    for client in &mut clients {
        assert_eq!((client.text(), client.text()), ("slowly".to_owned(), "at once".to_owned()));
    }
    let delivery = daemon.wait_delivered(&receipt["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["written"]), (&CLIENTS.into(), &CLIENTS.into()));
}

#[cfg(feature = "deflate")]
#[test]
fn who_inflates_goes_on_inflating() {
    use crate::deflate::{message, quotes};
    use serde_json::Value;
    let folder = Folder::new("deflate");
    let daemon = folder.start(&[]);
    let offer = ("Sec-WebSocket-Extensions", "permessage-deflate; client_max_window_bits");
    let v1 = ("Sec-WebSocket-Protocol", "wspush.v1");
    let mut plain = WebSocket::ask(daemon.public, "/ws", &[offer]).unwrap_or_else(|r| panic!("{}", r.status));
    let mut talker =
        WebSocket::ask(daemon.public, "/ws", &[offer, v1]).unwrap_or_else(|r| panic!("{}", r.status));
    let json = |client: &mut WebSocket| -> (Value, bool) {
        let (text, is_deflated) = message(&client.frame());
        (serde_json::from_str(&text).unwrap(), is_deflated)
    };
    assert!(json(&mut talker).0["connected"].is_object());
    assert_eq!(json(&mut talker).0["subscribed"]["channel"], "broadcast");
    let mut check = |daemon: &Daemon, n: usize| {
        daemon.push(&quotes(n));
        assert_eq!(message(&plain.frame()), (quotes(n), true));
        let (said, is_deflated) = json(&mut talker);
        assert_eq!((said["data"].as_str(), said["offset"].as_u64()), (Some(&*quotes(n)), Some(n as u64)));
        assert!(is_deflated);
    };
    check(&daemon, 1);
    let daemon = folder.succeed(daemon, &[]);
    check(&daemon, 2);
    let daemon = folder.succeed(daemon, &[]);
    check(&daemon, 3);
}

#[cfg(feature = "tls")]
#[test]
fn tls_that_the_process_speaks_ends_with_it_in_good_order() {
    use crate::daemon::tls::{Authority, TlsClient};
    let folder = Folder::new("tls");
    let authority = Authority::with_localhost();
    let more = authority.flags(&["one"]);
    let mut flags: Vec<&str> = more.iter().map(String::as_str).collect();
    flags.extend(["--listen", "127.0.0.1:0", "--kernel-tls", "off"]);
    let mut daemon = folder.start(&flags);
    let plain = *daemon.public_addresses().last().unwrap();
    let mut bystander = WebSocket::ask(plain, "/ws", &[]).expect("101");
    let mut client = TlsClient::open(daemon.public, authority.client().config(), "/ws");
    daemon.push("before");
    assert_eq!((client.text(), bystander.text()), ("before".to_owned(), "before".to_owned()));
    let successor = folder.start(&flags);
    assert!(daemon.wait_event("handed_over").contains("connections=1 stay=1"));
    let frame = client.next().expect("a close frame");
    assert_eq!(crate::wire::close_of(&frame), (1001, "the server is going away".to_owned()));
    drop(client);
    assert!(daemon.wait_exit().success());
    successor.push("after");
    assert_eq!(bystander.text(), "after");
    let mut again = TlsClient::open(successor.public, authority.client().config(), "/ws");
    successor.push("again");
    assert_eq!((again.text(), bystander.text()), ("again".to_owned(), "again".to_owned()));
}

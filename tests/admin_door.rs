//! The operator's door when strangers reach it: they get one answer, hold no place that anybody else wants, and not for
//! long.

use std::net::{SocketAddr, TcpStream};

use crate::daemon::{self, Daemon, Http, WebSocket};

const TOKEN: (&str, &str) = ("Authorization", "Bearer s3cret");
const HALF: &[u8] = b"GET /stats HTTP/1.1\r\nHost: localhost\r\nX: ";

/// A daemon with a token. Nothing but what a test is about ends a connection meanwhile.
fn start(flags: &[&str]) -> Daemon {
    let common = ["--admin-token", "s3cret", "--handshake-ms", "600000"];
    Daemon::start(&[&common, flags].concat())
}

/// A connection to the admin listener from one of the many addresses of this machine.
fn from(daemon: &Daemon, address: &str) -> Http {
    let local: SocketAddr = format!("{address}:0").parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&local.into()).expect("all of 127.0.0.0/8 is here");
    socket.connect(&daemon.admin().into()).expect("the listener is there");
    Http::over(TcpStream::from(socket))
}

/// Looks at the numbers from an address that nobody else comes from.
struct Watch(Http);

impl Watch {
    fn over(daemon: &Daemon) -> Watch {
        Watch(from(daemon, "127.0.0.9"))
    }

    fn stats(&mut self) -> serde_json::Value {
        self.0.ask("GET", "/stats", &[TOKEN], b"").json()
    }

    /// Waits until so many are connected, itself included.
    fn wait(&mut self, count: u64) {
        daemon::wait("the number of connections", || self.stats()["admin_connections"] == count);
    }
}

#[test]
fn a_stranger_gets_one_answer() {
    let daemon = start(&["--keep-alive-ms", "600000"]);
    for (target, headers, status) in [
        ("/stats", vec![], 401),
        ("/push", vec![("Authorization", "Bearer wrong")], 401),
        ("/nowhere", vec![], 401),
        ("/healthz", vec![], 200),
        ("/healthz?x=1", vec![], 400),
        ("/healthz", vec![("Authorization", "Bearer wrong")], 200),
    ] {
        let mut http = daemon.admin_http();
        let twice = http.request("GET", target, &headers, b"").repeat(2);
        http.send(&twice);
        let answer = http.response();
        assert_eq!((answer.status, answer.header("connection")), (status, Some("close")), "{target}");
        http.expect_end();
    }
    // A client that knows the token keeps the connection, also for what needs none, until it is wrong.
    let mut http = daemon.admin_http();
    assert_eq!(http.ask("GET", "/healthz", &[TOKEN], b"").status, 200);
    for (target, status) in [("/healthz", 200), ("/nowhere", 404), ("/push", 405), ("/healthz", 200)] {
        let answer = http.ask("GET", target, &[TOKEN], b"");
        assert_eq!((answer.status, answer.header("connection")), (status, Some("keep-alive")), "{target}");
    }
    assert_eq!(http.ask("GET", "/healthz", &[], b"").header("connection"), Some("keep-alive"));
    let answer = http.ask("GET", "/stats", &[], b"");
    assert_eq!((answer.status, answer.header("connection")), (401, Some("close")));
    http.expect_end();
}

#[test]
fn without_a_token_the_fence_decides() {
    let daemon = Daemon::start(&[]);
    let own = daemon.admin().to_string();
    for foreign in [("Host", "evil.example"), ("Origin", "http://evil.example")] {
        let mut http = daemon.admin_http();
        assert_eq!(http.ask("GET", "/stats", &[], b"").header("connection"), Some("keep-alive"));
        let answer = http.ask("GET", "/stats", &[foreign], b"");
        assert_eq!((answer.status, answer.header("connection")), (403, Some("close")));
        http.expect_end();
        let mut http = daemon.admin_http();
        assert_eq!(http.ask("GET", "/healthz", &[foreign], b"").header("connection"), Some("close"));
        http.expect_end();
    }
    let mut http = daemon.admin_http();
    assert_eq!(http.ask("GET", "/healthz", &[("Host", &own)], b"").header("connection"), Some("keep-alive"));
}

#[test]
fn strangers_make_room() {
    let daemon = start(&["--admin-connections-max", "4"]);
    let mut strangers: Vec<Http> = (0..4).map(|_| daemon.admin_http()).collect();
    for stranger in &mut strangers {
        stranger.send(HALF);
    }
    // All places are taken, and the operator gets in all the same, as often as it comes.
    let mut operators: Vec<Http> = Vec::new();
    for n in 1..=4 {
        let mut http = daemon.admin_http();
        let stats = http.ask("GET", "/stats", &[TOKEN], b"").json();
        assert_eq!(stats["admin_connections"], 4);
        assert_eq!(stats["counters"]["closed"]["shown_out"], n);
        // The oldest has gone; the others are still there.
        strangers.remove(0).expect_end();
        operators.push(http);
    }
    // Nobody makes room who has shown the token.
    let mut late = daemon.admin_http();
    let answer = late.ask("GET", "/stats", &[TOKEN], b"");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("admin_connections_max"), "{}", answer.text());
    late.expect_end();
    for http in &mut operators {
        assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
    }
    // Not even in the middle of a long push.
    let mut watch = Watch(operators.remove(0));
    drop(operators);
    watch.wait(1);
    let mut client = WebSocket::open(&daemon);
    let mut pusher = daemon.admin_http();
    let push = pusher.request("POST", "/push", &[TOKEN], b"in two pieces");
    pusher.send(&push[..push.len() - 1]);
    watch.wait(2);
    let mut strangers: Vec<Http> = (0..8).map(|_| daemon.admin_http()).collect();
    strangers.iter_mut().for_each(|http| http.send(HALF));
    daemon::wait("all of them", || watch.stats()["counters"]["closed"]["shown_out"] == 4 + 6);
    pusher.send(&push[push.len() - 1..]);
    assert_eq!(pusher.response().status, 200);
    assert_eq!(client.text(), "in two pieces");
}

#[test]
fn the_cap_per_address_holds() {
    let daemon = start(&["--connections-per-address-max", "3"]);
    let mut watch = Watch::over(&daemon);
    let mut strangers = Vec::new();
    for (n, address) in ["127.0.0.2", "127.0.0.1"].into_iter().enumerate() {
        let mut http = from(&daemon, address);
        http.send(HALF);
        watch.wait(n as u64 + 2);
        strangers.push(http);
    }
    let [mut other, mut first] = strangers.try_into().unwrap_or_else(|_| panic!("there are two"));
    let mut second = from(&daemon, "127.0.0.1");
    assert_eq!(second.ask("GET", "/healthz", &[TOKEN], b"").status, 200);
    let mut third = from(&daemon, "127.0.0.1");
    assert_eq!(third.ask("GET", "/healthz", &[TOKEN], b"").status, 200);
    // A stranger of the same address makes room, not the elder one of another address.
    let mut fourth = from(&daemon, "127.0.0.1");
    assert_eq!(fourth.ask("GET", "/healthz", &[TOKEN], b"").status, 200);
    let stats = watch.stats();
    assert_eq!(
        (&stats["admin_connections"], &stats["counters"]["closed"]["shown_out"]),
        (&5.into(), &1.into())
    );
    first.expect_end();
    let mut fifth = from(&daemon, "127.0.0.1");
    let answer = fifth.ask("GET", "/stats", &[TOKEN], b"");
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("connections_per_address_max"), "{}", answer.text());
    // The others' share is their own, and the public listeners' as well.
    other.send(b"y\r\nAuthorization: Bearer s3cret\r\n\r\n");
    assert_eq!(other.response().status, 200);
    let mut clients: Vec<WebSocket> = (0..3).map(|_| WebSocket::open(&daemon)).collect();
    assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_err());
    assert_eq!(watch.stats()["counters"]["handshakes_refused"]["per_address"], 2);
    // Each that goes makes room for one.
    drop(second);
    watch.wait(4);
    assert_eq!(from(&daemon, "127.0.0.1").ask("GET", "/stats", &[TOKEN], b"").status, 200);
    assert!(clients.iter_mut().all(|client| client.sync().is_empty()));
}

#[test]
fn bytes_that_trickle_in_renew_nothing() {
    let daemon =
        Daemon::start(&["--handshake-ms", "400", "--admin-token", "s3cret", "--close-wait-ms", "100"]);
    let mut http = daemon.admin_http();
    http.send(HALF);
    // A byte at a time, far more often than the deadline, until the server has had enough.
    daemon::wait("the end of its patience", || {
        http.send(b"x");
        daemon.stats()["counters"]["handshakes_refused"]["timeout"] == 1
    });
    assert_eq!(http.response().status, 408);
    http.expect_end();
}

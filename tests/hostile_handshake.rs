//! Strangers who don't get as far as a WebSocket, and what they cost everybody else: nothing.

use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::daemon::process::{raise_own_limit, rss_bytes};
use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::HANDSHAKE;
use socket2::{Domain, Socket, Type};

/// The daemon's growth when everything hostile is gone: allocator slack, a touched page here and there.
const SLACK_BYTES: u64 = 8 << 20;

fn refused(daemon: &Daemon, reason: &str) -> u64 {
    daemon.stats()["counters"]["handshakes_refused"][reason].as_u64().expect("a counter")
}

#[test]
fn a_trickle_of_bytes_is_no_request() {
    const SLOW: usize = 60;
    let daemon = Daemon::start(&["--handshake-ms", "1500"]);
    let mut subscriber = WebSocket::open(&daemon);
    let mut slow: Vec<Http> = (0..SLOW).map(|_| Http::tcp(daemon.public)).collect();
    // Each byte is a sign of life, and none moves the deadline.
    let request = slow[0].request("GET", "/ws", &HANDSHAKE, b"");
    for (n, byte) in request.iter().take(request.len() - 1).enumerate() {
        for http in &mut slow {
            http.send(&[*byte]);
        }
        if n % 20 == 0 {
            daemon.push(&format!("meanwhile {n}"));
            assert_eq!(subscriber.text(), format!("meanwhile {n}"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    for http in &mut slow {
        assert_eq!(http.response().status, 408);
        http.expect_end();
    }
    assert_eq!(refused(&daemon, "timeout"), SLOW as u64);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
    assert_eq!(subscriber.sync(), []);
}

#[test]
fn the_silent_are_hung_up_on() {
    const SILENT: u64 = 300;
    raise_own_limit();
    let daemon = Daemon::start(&["--handshake-ms", "500", "--accept-budget", "7"]);
    let silent: Vec<Http> = (0..SILENT).map(|_| Http::tcp(daemon.public)).collect();
    // Clients that have something to say needn't wait for those that have not: the kernel holds these back for a second
    // (TCP_DEFER_ACCEPT), and after that they have a slot for handshake_ms.
    let mut talking = WebSocket::open(&daemon);
    for mut http in silent {
        http.expect_end();
    }
    assert_eq!(talking.sync(), []);
    daemon.wait_stats("their end", |s| s["counters"]["handshakes_refused"]["timeout"] == SILENT);
    assert_eq!(daemon.stats()["handshaking"], 0);
}

#[test]
fn endless_headers_end_soon() {
    let daemon = Daemon::start(&[]);
    let before = rss_bytes(daemon.pid());
    // One line that never ends, and lines without end.
    for (start, piece) in
        [("GET /ws HTTP/1.1\r\nX: ", "y".repeat(1000)), ("GET /ws HTTP/1.1\r\n", "X: y\r\n".repeat(100))]
    {
        for _ in 0..20 {
            let mut http = Http::tcp(daemon.public);
            http.send(start.as_bytes());
            for _ in 0..200 {
                http.send(piece.as_bytes());
            }
            assert_eq!(http.response().status, 431);
        }
    }
    daemon.wait_stats("their end", |s| s["handshaking"] == 0 && s["memory"]["assembly_bytes"] == 0);
    assert_eq!(refused(&daemon, "too_large"), 40);
    assert!(rss_bytes(daemon.pid()) < before + SLACK_BYTES);
}

#[test]
fn tls_on_the_plain_port_is_told_off() {
    let daemon = Daemon::start(&[]);
    // A ClientHello as browsers send it, as far as it matters here: it looks like no HTTP at all.
    let mut hello = vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    hello.extend((0..500u32).map(|n| (n * 7 % 251) as u8));
    for address in [daemon.public, daemon.admin()] {
        let mut http = Http::tcp(address);
        http.send(&hello);
        assert_eq!(http.response().status, 400);
        http.expect_end();
    }
    assert_eq!((refused(&daemon, "bad_request"), daemon.counter("admin_refused")), (1, 1));
}

#[test]
fn a_smuggled_push_is_not_carried_out() {
    let daemon = Daemon::start(&[]);
    let mut subscriber = WebSocket::open(&daemon);
    let inner = "POST /push HTTP/1.1\r\nHost: localhost\r\nContent-Length: 8\r\n\r\nsmuggled";
    for fields in [
        format!("Content-Length: {}\r\nContent-Length: 0\r\n", inner.len()),
        "Content-Length: 0\r\nTransfer-Encoding: chunked\r\n".to_owned(),
        "Transfer-Encoding: xchunked\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n".to_owned(),
        "Transfer-Encoding : chunked\r\n".to_owned(),
        "Content-Length: +0\r\n".to_owned(),
        "Content-Length: 0\r\n folded: 1\r\n".to_owned(),
        "X: y\nContent-Length: 3\r\n\r".to_owned(),
        "Content-Length: 0x0\r\n".to_owned(),
        "Transfer-Encoding: chunked\r\n\r\n0\n\r\n".to_owned(),
    ] {
        let mut http = Http::tcp(daemon.admin());
        http.send(format!("POST /stats HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n{inner}").as_bytes());
        let status = http.response().status;
        assert!(matches!(status, 400 | 405 | 501), "{status} for {fields:?}");
        if status != 405 {
            http.expect_end();
        }
    }
    assert_eq!(subscriber.sync(), []);
    assert_eq!(daemon.counter("publications"), 0);
}

#[test]
fn pages_of_other_sites_get_nothing() {
    let daemon = Daemon::start(&["--demo", "--origins", "https://app.example"]);
    // Cross-site WebSocket hijacking: a browser tells the truth about the page, whatever cookies it sends along.
    for origin in ["https://evil.example", "null", "https://app.example.evil.example", "http://app.example"] {
        let more = [("Origin", origin), ("Cookie", "session=1")];
        assert_eq!(
            WebSocket::ask(daemon.public, "/ws", &more).err().map(|r| r.status),
            Some(403),
            "{origin}"
        );
    }
    assert!(WebSocket::ask(daemon.public, "/ws", &[("Origin", "https://app.example")]).is_ok());
    // DNS rebinding: the page's own name points to 127.0.0.1 now, so its origin is the host it asks.
    let rebound = [("Host", "evil.example:8081"), ("Origin", "http://evil.example:8081")];
    for (method, target) in
        [("POST", "/push"), ("GET", "/stats"), ("DELETE", "/connections/1"), ("GET", "/metrics")]
    {
        assert_eq!(daemon.ask(method, target, &rebound, b"").status, 403, "{method} {target}");
    }
    assert_eq!((refused(&daemon, "origin"), daemon.counter("admin_refused")), (4, 4));
    // The demo's form is on the public listener, and would push to everybody.
    let mut subscriber = WebSocket::open(&daemon);
    let push = |more: &[(&str, &str)]| Http::tcp(daemon.public).ask("POST", "/demo/push", more, b"x").status;
    assert_eq!(push(&[("Host", "evil.example:8080"), ("Origin", "http://evil.example:8080")]), 403);
    assert_eq!(push(&[("Host", "evil.example:8080")]), 403);
    assert_eq!(push(&[("Origin", "https://app.example")]), 403, "allowed to connect is not allowed to push");
    assert_eq!((refused(&daemon, "origin"), subscriber.sync()), (7, Vec::new()));
    assert_eq!(push(&[("Host", "app.example"), ("Origin", "https://app.example")]), 200, "its own page");
    assert_eq!(push(&[]), 200);
    assert_eq!([subscriber.text(), subscriber.text()], ["x", "x"]);
}

/// A connection to `to` from another of the loopback addresses.
fn from(address: &str, to: SocketAddr) -> Http {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None).expect("a socket");
    let address: SocketAddr = address.parse().expect("an address");
    socket.bind(&address.into()).expect("all of 127.0.0.0/8 is ours");
    socket.connect(&to.into()).expect("the listener is there");
    Http::over(TcpStream::from(socket))
}

#[test]
fn addresses_have_their_share_each() {
    let mut flags = vec!["--connections-per-address-max", "3", "--listen", "127.0.0.1:0"];
    if std::net::TcpListener::bind("[::1]:0").is_ok() {
        flags.extend(["--listen", "[::1]:0"]);
    }
    let daemon = Daemon::start(&flags);
    let listeners = daemon.public_addresses();
    let mut sources = vec![("127.0.0.1:0", listeners[0]), ("127.0.0.2:0", listeners[0])];
    sources.extend(listeners.get(1).map(|v6| ("[::1]:0", *v6)));
    let mut open = Vec::new();
    // A v4 address is one customer; so is the whole /64 that ::1 lies in.
    for &(source, to) in &sources {
        for _ in 0..3 {
            open.push(WebSocket::ask_over(from(source, to), "/ws", &[]).expect("within the share"));
        }
        let mut fourth = from(source, to);
        let response = fourth.ask("GET", "/ws", &HANDSHAKE, b"");
        assert_eq!(response.status, 503);
        assert!(response.text().contains("connections_per_address_max"));
        fourth.expect_end();
    }
    assert_eq!(refused(&daemon, "per_address"), sources.len() as u64);
    daemon.push("all");
    assert!(open.iter_mut().all(|client| client.text() == "all"));
    drop(open);
    daemon.wait_connections(0);
    assert!(WebSocket::ask_over(from("127.0.0.2:0", listeners[0]), "/ws", &[]).is_ok());
}

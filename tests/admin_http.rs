//! The admin listener as an HTTP server: framing, keep-alive, pipelining, and who may use it.

use std::os::unix::fs::PermissionsExt;

use crate::daemon::{self, Daemon, Http, WebSocket};

/// Sends a request as it stands, but for `HOST`.
fn raw(daemon: &Daemon, request: &str) -> Http {
    let mut http = daemon.admin_http();
    let request = request.replace("HOST", http.host());
    http.send(request.as_bytes());
    http
}

#[test]
fn one_connection_serves_many_requests() {
    let daemon = Daemon::start(&[]);
    let mut http = daemon.admin_http();
    for n in 1..=5_u64 {
        let response = http.ask("POST", "/push", &[], b"x");
        assert_eq!((response.status, response.header("connection")), (200, Some("keep-alive")));
        assert_eq!(response.json()["offset"], n);
        assert_eq!(http.ask("GET", "/stats", &[], b"").json()["admin_connections"], 1);
    }
    let last = http.ask("GET", "/healthz", &[("Connection", "close")], b"");
    assert_eq!((last.text().as_str(), last.header("connection")), ("ok\n", Some("close")));
    http.expect_end();
}

#[test]
fn http_1_0_is_served_once() {
    let daemon = Daemon::start(&[]);
    let mut http = raw(&daemon, "POST /push HTTP/1.0\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(http.response().status, 200);
    http.expect_end();
    let mut http = raw(&daemon, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_eq!(http.response().status, 200);
    assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn a_hundred_posts_in_one_segment_are_answered_in_order() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let mut http = daemon.admin_http();
    let requests: Vec<u8> =
        (0..100).flat_map(|n| http.request("POST", "/push", &[], format!("{n}").as_bytes())).collect();
    http.send(&requests);
    for n in 1..=100_u64 {
        let answer = http.response().json();
        assert_eq!((&answer["offset"], &answer["receipt"]), (&n.into(), &n.into()));
    }
    for n in 0..100 {
        assert_eq!(client.text(), n.to_string());
    }
    assert_eq!(client.sync(), []);
}

#[test]
fn a_pipeline_goes_on_whatever_the_cuts() {
    let daemon = Daemon::start(&[]);
    let mut http = daemon.admin_http();
    let chunked = "POST /push HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: t\r\n\r\n";
    let one = [
        http.request("POST", "/push", &[], b"plain"),
        chunked.into(),
        http.request("GET", "/stats", &[], b""),
    ];
    let one = one.concat();
    for step in [1, 2, 3, 7, 64, one.len()] {
        for piece in one.chunks(step) {
            http.send(piece);
        }
        assert_eq!(http.response().json()["channel"], "broadcast");
        assert_eq!(http.response().json()["channel"], "broadcast");
        assert_eq!(http.response().json()["admin_connections"], 1, "in pieces of {step}");
    }
    assert_eq!(daemon.counter("publications"), 12);
}

#[test]
fn a_client_that_does_not_listen_is_not_listened_to() {
    let daemon = Daemon::start(&[]);
    let mut http = daemon.admin_http();
    let request = http.request("GET", "/metrics", &[], b"");
    // Far more answers than any buffer holds: they can't all be waiting in the server.
    let mut sender = daemon.admin_http();
    std::mem::swap(&mut sender, &mut http);
    let (stream, _) = sender.into_parts();
    let mut writer = stream.try_clone().expect("a second handle");
    let count = 3_000;
    let requests = request.repeat(count);
    let writing = std::thread::spawn(move || std::io::Write::write_all(&mut writer, &requests));
    daemon.wait_stats("a full socket", |s| s["blocked"] == 1);
    let before = daemon::process::rss_bytes(daemon.pid());
    assert!(before < 64 << 20, "{before} bytes");
    let mut http = Http::over(stream);
    for n in 0..count {
        assert_eq!(http.response().status, 200, "answer {n}");
    }
    writing.join().expect("no panic").expect("all written");
}

#[test]
fn chunked_bodies_are_put_together() {
    let daemon = Daemon::start(&["--admin-body-bytes-max", "2000"]);
    let mut client = WebSocket::open(&daemon);
    let head = "POST /push HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut http = raw(&daemon, &format!("{head}5\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0\r\n\r\n"));
    assert_eq!(http.response().status, 200);
    assert_eq!(client.text(), "hello world");
    let mut empty = raw(&daemon, &format!("{head}0\r\n\r\n"));
    assert_eq!(empty.response().status, 400, "an empty message");
    // The limit is held against what is announced, before it has come.
    let mut large = raw(&daemon, &format!("{head}7d1\r\n"));
    assert_eq!(large.response().status, 413);
    large.expect_end();
    for wrong in ["x\r\n", "5\r\nhelloXX", "-1\r\n", "5 5\r\n", "\r\n", "5\nhello\r\n"] {
        let mut http = raw(&daemon, &format!("{head}{wrong}"));
        assert_eq!(http.response().status, 400, "{wrong:?}");
        http.expect_end();
    }
    assert_eq!(client.sync(), []);
}

#[test]
fn the_body_may_wait_for_100_continue() {
    let daemon = Daemon::start(&["--admin-body-bytes-max", "100"]);
    let head = "POST /push HTTP/1.1\r\nHost: HOST\r\nExpect: 100-continue\r\n";
    let mut http = raw(&daemon, &format!("{head}Content-Length: 5\r\n\r\n"));
    assert_eq!(http.response().status, 100);
    http.send(b"hello");
    assert_eq!(http.response().status, 200);
    // The connection goes on.
    assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
    // A request that would be refused is refused at once, before its body.
    let mut http = raw(&daemon, &format!("{head}Content-Length: 101\r\n\r\n"));
    assert_eq!(http.response().status, 413);
    let mut http = raw(&daemon, &format!("{head}Transfer-Encoding: chunked\r\n\r\n"));
    assert_eq!(http.response().status, 100);
    http.send(b"2\r\nhi\r\n0\r\n\r\n");
    assert_eq!(http.response().status, 200);
}

#[test]
fn requests_that_can_be_read_in_two_ways_are_refused_for_good() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let smuggled = "POST /push HTTP/1.1\r\nHost: HOST\r\nContent-Length: 8\r\n\r\nsmuggled";
    for (fields, status) in [
        ("Content-Length: 5\r\nTransfer-Encoding: chunked", 400),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5", 400),
        ("Content-Length: 5\r\nContent-Length: 6", 400),
        ("Content-Length: 5\r\nContent-Length: 5", 400),
        ("Content-Length: 5, 5", 400),
        ("Content-Length: +5", 400),
        ("Content-Length: -5", 400),
        ("Content-Length: 0x5", 400),
        ("Content-Length: 5 5", 400),
        ("Content-Length: 99999999999999999999999", 400),
        ("Content-Length : 5", 400),
        ("Transfer-Encoding: gzip, chunked", 501),
        ("Transfer-Encoding: chunked, chunked", 501),
        ("Transfer-Encoding: identity", 501),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked", 501),
        ("Transfer-Encoding: xchunked", 501),
        ("X: a\rContent-Length: 5", 400),
    ] {
        let request = format!("POST /push HTTP/1.1\r\nHost: HOST\r\n{fields}\r\n\r\n0\r\n\r\n{smuggled}");
        let mut http = raw(&daemon, &request);
        assert_eq!(http.response().status, status, "{fields:?}");
        http.expect_end();
    }
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("publications"), 0);
}

#[test]
fn head_tells_the_length_and_no_more() {
    let daemon = Daemon::start(&[]);
    let mut http = daemon.admin_http();
    for target in ["/healthz", "/stats", "/metrics", "/connections"] {
        http.send(&http.request("HEAD", target, &[], b""));
        let response = http.response_to("HEAD");
        assert_eq!(response.status, 200, "{target}");
        assert!(response.header("content-length").is_some_and(|length| length != "0"));
    }
    assert_eq!(http.ask("GET", "/healthz", &[], b"").text(), "ok\n");
    for (method, target, allow) in [
        ("GET", "/push", "POST"),
        ("DELETE", "/stats", "GET, HEAD"),
        ("POST", "/metrics", "GET, HEAD"),
        ("POST", "/connections", "GET, HEAD"),
        ("GET", "/connections/1", "DELETE"),
        ("OPTIONS", "/push", "POST"),
    ] {
        let response = http.ask(method, target, &[], b"");
        assert_eq!((response.status, response.header("allow")), (405, Some(allow)), "{method} {target}");
    }
    assert_eq!(http.ask("GET", "/ws", &[], b"").status, 404, "the admin listener opens no WebSockets");
}

#[test]
fn the_token_is_asked_for_everywhere_but_at_the_health_check() {
    let daemon = Daemon::start(&["--admin-token", "s3cret"]);
    for wrong in [
        None,
        Some("Bearer s3cre"),
        Some("Bearer s3cret1"),
        Some("Basic s3cret"),
        Some("s3cret"),
        Some("Bearer"),
    ] {
        let headers: Vec<_> = wrong.map(|value| ("Authorization", value)).into_iter().collect();
        for (method, target) in [
            ("POST", "/push"),
            ("GET", "/stats"),
            ("GET", "/metrics"),
            ("GET", "/connections"),
            ("GET", "/none"),
        ] {
            let mut http = daemon.admin_http();
            let response = http.ask(method, target, &headers, b"");
            assert_eq!(response.status, 401, "{wrong:?} {target}");
            assert_eq!(response.header("www-authenticate"), Some("Bearer"));
            http.expect_end();
        }
    }
    assert_eq!(daemon.admin_http().ask("GET", "/healthz", &[], b"").status, 200);
    let right = [("Authorization", "bearer s3cret"), ("Host", "push.example")];
    assert_eq!(daemon.admin_http().ask("POST", "/push", &right, b"x").status, 200);
    assert_eq!(daemon.counter("publications"), 1);
}

#[test]
fn an_address_that_is_not_loopback_needs_a_token() {
    let (status, said) = Daemon::refused(&["--admin", "0.0.0.0:0"]);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("admin_token") && said.trim_end().lines().count() == 1, "{said}");
    let (status, _) = Daemon::refused(&["--admin", "[::]:0"]);
    assert_eq!(status.code(), Some(2));
}

#[test]
fn a_taken_port_is_one_clear_line() {
    let daemon = Daemon::start(&[]);
    let taken = daemon.public.to_string();
    let (status, said) = Daemon::refused(&["--listen", &taken]);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains(&taken) && said.contains("in use"), "{said}");
}

#[test]
fn foreign_names_and_pages_are_refused() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let own = format!("http://{}", daemon.admin());
    for host in ["evil.example", "localhost.evil.example:80", "127.0.0.1.evil.example"] {
        for (method, target, body) in [("POST", "/push", &b"x"[..]), ("GET", "/stats", b"")] {
            let status = daemon.admin_http().ask(method, target, &[("Host", host)], body).status;
            assert_eq!(status, 403, "{target} {host}");
        }
    }
    for origin in ["http://evil.example", "null", "https://127.0.0.1"] {
        let status = daemon.admin_http().ask("POST", "/push", &[("Origin", origin)], b"x").status;
        assert_eq!(status, 403, "{origin}");
    }
    assert_eq!(client.sync(), []);
    let mut http = daemon.admin_http();
    assert_eq!(http.ask("POST", "/push", &[("Origin", &own)], b"own").status, 200);
    assert_eq!(http.ask("POST", "/push", &[("Host", "localhost:1")], b"local").status, 200);
    assert_eq!([client.text(), client.text()], ["own", "local"]);
}

/// The answer to these bytes, which must be a refusal with its reason as JSON.
fn refusal(mut http: Http, bytes: &[u8]) -> u16 {
    http.send(bytes);
    let response = http.response();
    assert_eq!(response.header("content-type"), Some("application/json"), "{}", response.text());
    assert!(!response.json()["error"].as_str().expect("a reason").is_empty());
    assert_eq!(response.body.last(), Some(&b'\n'));
    response.status
}

#[test]
fn every_error_is_json() {
    let daemon = Daemon::start(&["--handshake-ms", "300", "--admin-body-bytes-max", "1000"]);
    let head = "POST /push HTTP/1.1\r\nHost: localhost\r\n";
    for (bytes, expected) in [
        ("GET /nope HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 404),
        ("PUT /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 405),
        (format!("{head}Content-Length: 0\r\n\r\n"), 400),
        (format!("{head}Content-Length: 1001\r\n\r\n"), 413),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n989680\r\n"), 413),
        (format!("{head}Content-Length: x\r\n\r\n"), 400),
        (format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n"), 501),
        (format!("{head}X: {}", "x".repeat(9_000)), 431),
        (format!("{head}{}\r\n", "X: 1\r\n".repeat(65)), 431),
        (format!("{head}X Y: 1\r\n\r\n"), 400),
        ("nonsense\r\n\r\n".to_owned(), 400),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), 400),
        ("GET http://user@host/ HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), 400),
        ("GET /stats HTTP/1.1\r\nHost: evil.example\r\n\r\n".to_owned(), 403),
        (head.to_owned(), 408),
    ] {
        assert_eq!(refusal(daemon.admin_http(), bytes.as_bytes()), expected, "{bytes:?}");
    }
    let full = Daemon::start(&["--admin-connections-max", "1"]);
    let mut first = full.admin_http();
    assert_eq!(first.ask("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(refusal(full.admin_http(), b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n"), 503);
}

#[test]
fn the_name_in_an_absolute_target_counts() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let ask = |target: &str, host: &str| {
        let request = format!("POST {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx");
        let mut http = daemon.admin_http();
        http.send(request.as_bytes());
        http.response().status
    };
    assert_eq!(ask("http://evil.example/push", "127.0.0.1"), 403);
    assert_eq!(ask("http://evil.example:8081/push", "localhost:8081"), 403);
    assert_eq!(client.sync(), []);
    assert_eq!(
        ask("http://localhost/push", "evil.example"),
        200,
        "what Host says beside it counts for nothing"
    );
    assert_eq!(client.text(), "x");
}

#[test]
fn an_origin_that_is_not_clear_is_foreign() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let own = format!("Origin: http://{}", daemon.admin());
    for origins in [
        format!("{own}\r\n{own}"),
        format!("{own}\r\nOrigin: http://evil.example"),
        format!("{own}\u{e9}").replace('\u{e9}', "\u{fffd}"),
        "Origin:".to_owned(),
    ] {
        let request = format!(
            "POST /push HTTP/1.1\r\nHost: {}\r\n{origins}\r\nContent-Length: 1\r\n\r\nx",
            daemon.admin()
        );
        assert_eq!(refusal(daemon.admin_http(), request.as_bytes()), 403, "{origins}");
    }
    let mut bytes = format!("POST /push HTTP/1.1\r\nHost: {}\r\n{own}", daemon.admin()).into_bytes();
    bytes.extend(b"\xff\r\nContent-Length: 1\r\n\r\nx");
    assert_eq!(refusal(daemon.admin_http(), &bytes), 403);
    assert_eq!(client.sync(), []);
}

#[test]
fn a_unix_socket_is_private_and_goes_with_the_daemon() {
    let path = std::env::temp_dir().join(format!("wspush-admin-{}.sock", std::process::id()));
    let listen = format!("unix:{}", path.display());
    let mut daemon = Daemon::start(&["--admin", &listen]);
    let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let mut client = WebSocket::open(&daemon);
    let mut http = daemon.admin_http();
    for n in 1..=3_u64 {
        assert_eq!(http.ask("POST", "/push", &[], b"through the path").json()["offset"], n);
        assert_eq!(client.text(), "through the path");
    }
    // No browser gets there, so nobody's name was pointed at it.
    assert_eq!(http.ask("POST", "/push", &[("Host", "admin.sock")], b"any name").status, 200);
    assert_eq!(client.text(), "any name");
    let (status, said) = Daemon::refused(&["--admin", &listen]);
    assert_eq!(status.code(), Some(2), "another daemon is using it: {said}");
    assert!(path.exists());
    drop(client);
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
    assert!(!path.exists());
}

#[test]
fn without_an_admin_listener_there_is_none() {
    let daemon = Daemon::start(&["--admin", "off"]);
    assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_ok());
    let mut http = Http::tcp(daemon.public);
    for target in ["/push", "/stats", "/metrics", "/connections"] {
        assert_eq!(http.ask("GET", target, &[], b"").status, 404, "{target}");
    }
    let response = http.ask("POST", "/push", &[], b"x");
    assert!(matches!(response.status, 404 | 413), "{}", response.status);
}

#[test]
fn the_admin_listener_has_its_own_bound() {
    let daemon = Daemon::start(&["--admin-connections-max", "2", "--max-connections", "1"]);
    let _public = WebSocket::open(&daemon);
    let mut first = daemon.admin_http();
    assert_eq!(first.ask("GET", "/stats", &[], b"").json()["connections"], 1);
    let mut second = daemon.admin_http();
    assert_eq!(second.ask("GET", "/healthz", &[], b"").status, 200);
    daemon.admin_http().expect_end();
    drop(second);
    daemon::wait("the second one's end", || {
        first.ask("GET", "/stats", &[], b"").json()["admin_connections"] == 1
    });
    assert_eq!(daemon.admin_http().ask("GET", "/healthz", &[], b"").status, 200);
}

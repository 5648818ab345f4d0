//! The opening handshake, right and wrong.

use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::{HANDSHAKE, KEY, TEXT, masked};

/// The handshake without one field, or with another value for it.
fn altered<'a>(name: &str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let keep =
        |(n, v): (&'static str, &'static str)| if n == name { Some((n, value?)) } else { Some((n, v)) };
    HANDSHAKE.into_iter().filter_map(keep).collect()
}

fn status_of(daemon: &Daemon, method: &str, target: &str, headers: &[(&str, &str)]) -> u16 {
    Http::tcp(daemon.public).ask(method, target, headers, b"").status
}

#[test]
fn a_right_handshake_opens() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    assert_eq!(client.sync(), []);
    daemon.wait_connections(1);
    assert_eq!(daemon.counter("handshakes_ok"), 1);
    client.close(1000);
    daemon.wait_connections(0);
}

#[test]
fn spelling_and_lists_do_not_matter() {
    let daemon = Daemon::start(&[]);
    let request = format!(
        "GET /ws HTTP/1.1\r\nhost: {}\r\nUPGRADE: h2c, WebSocket\r\nconnection: keep-alive , upgrade\r\n\
         sec-websocket-KEY:{KEY}\r\nSec-WebSocket-Version: 13\r\nX-Other: \u{e9}\r\n\r\n",
        daemon.public
    );
    let mut http = Http::tcp(daemon.public);
    http.send(request.as_bytes());
    let response = http.response();
    assert_eq!(WebSocket::from_upgrade(http, &response).sync(), []);
}

#[test]
fn empty_elements_of_lists_mean_nothing() {
    let daemon = Daemon::start(&["--subprotocols", "chat"]);
    for (upgrade, connection, version, protocol, chosen) in [
        ("websocket,", ", Upgrade", "13,", "chat,", Some("chat")),
        (",, websocket", "keep-alive,,Upgrade,", ", 13", " ,chat, ,other", Some("chat")),
        ("websocket", "Upgrade", "13", "", None),
        ("websocket", "Upgrade", "13", ",", None),
    ] {
        let headers = [
            ("Upgrade", upgrade),
            ("Connection", connection),
            ("Sec-WebSocket-Key", KEY),
            ("Sec-WebSocket-Version", version),
            ("Sec-WebSocket-Protocol", protocol),
            ("Sec-WebSocket-Extensions", ","),
        ];
        let response = Http::tcp(daemon.public).ask("GET", "/ws", &headers, b"");
        assert_eq!(response.status, 101, "{protocol:?}: {}", response.text());
        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{protocol:?}");
    }
}

#[test]
fn a_slash_behind_the_path_makes_no_difference() {
    let daemon = Daemon::start(&["--demo"]);
    for target in ["/ws/", "/ws/?channel=public.a", "/echo/", "/chat/"] {
        assert!(WebSocket::ask(daemon.public, target, &[]).is_ok(), "{target}");
    }
    assert_eq!(status_of(&daemon, "GET", "/healthz/", &[]), 200);
}

#[test]
fn an_unknown_empty_or_repeated_parameter_opens_nothing() {
    let daemon = Daemon::start(&["--demo"]);
    for (target, name) in [
        ("/ws?chan=public.a", "\"chan\""),
        ("/ws?channel=public.a&token=x", "\"token\""),
        ("/ws?channel=", "channel"),
        ("/ws?channel=public.a&channel=", "channel"),
        ("/ws?refusals=", "refusals"),
        ("/ws?refusals=status&refusals=status", "refusals"),
        ("/ws?refusals=never", "refusals"),
        ("/echo?channel=public.a", "\"channel\""),
        ("/chat?name=ada", "\"name\""),
    ] {
        let refused = WebSocket::ask(daemon.public, target, &[]).err().expect("it is refused");
        assert_eq!(
            (refused.status, refused.text().contains(name)),
            (400, true),
            "{target}: {}",
            refused.text()
        );
    }
    let refused = Http::tcp(daemon.public).ask("GET", "/healthz?x=1", &[], b"");
    assert_eq!((refused.status, refused.text().contains("\"x\"")), (400, true));
    assert_eq!(daemon.stats()["connections"], 0);
    assert!(WebSocket::ask(daemon.public, "/ws?channel=public.a&channel=public.a", &[]).is_ok());
}

#[test]
fn byte_by_byte_it_opens_as_well() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let request = http.request("GET", "/ws", &HANDSHAKE, b"");
    for byte in &request {
        http.send(std::slice::from_ref(byte));
    }
    let response = http.response();
    assert_eq!(WebSocket::from_upgrade(http, &response).sync(), []);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn frames_may_follow_in_the_same_segment() {
    let daemon = Daemon::start(&["--demo"]);
    let mut http = Http::tcp(daemon.public);
    let request = http.request("GET", "/echo", &HANDSHAKE, b"");
    let early = masked(true, TEXT, b"early");
    http.send(&[request, early].concat());
    let response = http.response();
    assert_eq!(WebSocket::from_upgrade(http, &response).text(), "early");
}

#[test]
fn wrong_versions_are_told_the_right_one() {
    let daemon = Daemon::start(&[]);
    for version in [Some("8"), Some("14"), Some("13, 8"), Some("x")] {
        let headers = altered("Sec-WebSocket-Version", version);
        let response = Http::tcp(daemon.public).ask("GET", "/ws", &headers, b"");
        assert_eq!(response.status, 426, "{version:?}: {}", response.text());
        assert_eq!(response.header("sec-websocket-version"), Some("13"));
    }
    let plain = Http::tcp(daemon.public).ask("GET", "/ws", &[], b"");
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")));
}

#[test]
fn bad_requests_are_refused_and_counted_nowhere_as_connections() {
    let daemon = Daemon::start(&[]);
    for (name, value) in [
        ("Sec-WebSocket-Key", None),
        ("Sec-WebSocket-Key", Some("")),
        ("Sec-WebSocket-Key", Some("c2hvcnQ=")),
        ("Sec-WebSocket-Key", Some("not base64 not base64!!!")),
        ("Connection", None),
        ("Connection", Some("keep-alive")),
        ("Upgrade", None),
        ("Upgrade", Some("websocketish")),
        ("Sec-WebSocket-Version", None),
    ] {
        let status = status_of(&daemon, "GET", "/ws", &altered(name, value));
        let expected = if matches!(name, "Upgrade" | "Sec-WebSocket-Version") { 426 } else { 400 };
        // A handshake without a version is as malformed as one without a key.
        let missing_version = (name, value, status) == ("Sec-WebSocket-Version", None, 400);
        assert!(status == expected || missing_version, "{name}: {value:?} was answered {status}");
    }
    assert_eq!(status_of(&daemon, "POST", "/ws", &HANDSHAKE), 405);
    assert_eq!(status_of(&daemon, "get", "/ws", &HANDSHAKE), 405);
    assert_eq!(status_of(&daemon, "GET", "/nowhere", &HANDSHAKE), 404);
    assert_eq!(status_of(&daemon, "GET", "/ws//", &HANDSHAKE), 404);
    let twice = [&HANDSHAKE[..], &[("Sec-WebSocket-Key", KEY)]].concat();
    assert_eq!(status_of(&daemon, "GET", "/ws", &twice), 400);
    let stats = daemon.stats();
    assert_eq!((&stats["connections"], &stats["counters"]["handshakes_ok"]), (&0.into(), &0.into()));
}

#[test]
fn lines_that_are_no_http_get_400_and_the_end() {
    let daemon = Daemon::start(&[]);
    for request in [
        "\u{16}\u{3}\u{1} this is TLS\r\n\r\n",
        "GET /ws\r\n\r\n",
        "GET /ws HTTP/2.0\r\nHost: x\r\n\r\n",
        "GET /ws HTTP/1.1\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost : x\r\n\r\n",
        "GET /ws HTTP/1.1\r\nHost: x\r\nfolded: a\r\n b\r\n\r\n",
        "GET /w s HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut http = Http::tcp(daemon.public);
        http.send(request.as_bytes());
        assert_eq!(http.response().status, 400, "{request:?}");
        http.expect_end();
    }
}

#[test]
fn a_head_over_the_limit_gets_431() {
    let daemon = Daemon::start(&["--handshake-bytes-max", "1024"]);
    let long = "x".repeat(1024);
    let mut http = Http::tcp(daemon.public);
    assert_eq!(http.ask("GET", "/ws", &[("X-Long", &long)], b"").status, 431);
    http.expect_end();
    // The same in pieces, and never finished: the limit counts what is there.
    let mut http = Http::tcp(daemon.public);
    for piece in [b"GET /ws HTTP/1.1\r\nX: ".to_vec(), vec![b'a'; 600], vec![b'a'; 600]] {
        http.send(&piece);
    }
    assert_eq!(http.response().status, 431);
    let mut http = Http::tcp(daemon.public);
    let many: String = (0..80).map(|n| format!("a{n}:\r\n")).collect();
    http.send(format!("GET /ws HTTP/1.1\r\nHost: x\r\n{many}\r\n").as_bytes());
    assert_eq!(http.response().status, 431);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn a_handshake_with_a_body_is_refused() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let response = http.ask("GET", "/ws", &HANDSHAKE, b"body");
    assert!(matches!(response.status, 400 | 413), "{}", response.status);
}

#[test]
fn only_listed_origins_may_connect() {
    let daemon = Daemon::start(&["--origins", "https://app.example,http://localhost:3000"]);
    let from = |origin: &str| match WebSocket::ask(daemon.public, "/ws", &[("Origin", origin)]) {
        Ok(_) => 101,
        Err(response) => response.status,
    };
    for allowed in
        ["https://app.example", "https://APP.example", "https://app.example:443", "http://localhost:3000"]
    {
        assert_eq!(from(allowed), 101, "{allowed}");
    }
    for foreign in ["https://evil.example", "http://app.example", "null", "https://app.example.evil.example"]
    {
        assert_eq!(from(foreign), 403, "{foreign}");
    }
    assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_ok(), "no browser, no origin");
}

#[test]
fn unless_it_is_said_a_cookie_comes_from_the_servers_own_pages() {
    let daemon = Daemon::start(&["--demo"]);
    let own = format!("http://{}", daemon.public);
    let cookie = ("Cookie", "session=1");
    let from = |target: &str, more: &[(&str, &str)]| match WebSocket::ask(daemon.public, target, more) {
        Ok(_) => 101,
        Err(response) => {
            assert!(response.text().contains("set origins"), "{}", response.text());
            response.status
        }
    };
    for target in ["/ws", "/echo", "/chat"] {
        for origin in ["http://evil.example", "null", "capacitor://localhost", &own] {
            assert_eq!(from(target, &[("Origin", origin)]), 101, "a stranger from {origin}");
        }
        for foreign in ["http://evil.example", "null", "http://127.0.0.1", "http://localhost:8080"] {
            assert_eq!(from(target, &[("Origin", foreign), cookie]), 403, "a visitor from {foreign}");
        }
        let basic = ("Authorization", "Basic YTpi");
        assert_eq!(from(target, &[("Origin", "http://evil.example"), basic]), 403);
        assert_eq!(from(target, &[("Origin", &own), cookie]), 101);
        assert_eq!(from(target, &[cookie]), 101, "no browser");
    }
    // Behind a proxy that forwards Host, or names the site in the target.
    let site = [("Host", "app.example"), ("Origin", "https://app.example"), cookie];
    assert_eq!(from("/ws", &site), 101);
    assert_eq!(from("http://app.example/ws", &[("Origin", "https://app.example"), cookie]), 101);
    assert_eq!(from("http://other.example/ws", &site), 403);
    let any = Daemon::start(&["--origins", "*"]);
    assert!(WebSocket::ask(any.public, "/ws", &[("Origin", "http://evil.example"), cookie]).is_ok());
}

#[test]
fn apps_have_origins_of_their_own() {
    let daemon =
        Daemon::start(&["--origins", "capacitor://localhost,file://,app://.,chrome-extension://abcd,null"]);
    let from = |origin: &str| match WebSocket::ask(daemon.public, "/ws", &[("Origin", origin)]) {
        Ok(_) => 101,
        Err(response) => response.status,
    };
    for allowed in ["capacitor://localhost", "file://", "app://.", "Chrome-Extension://ABCD", "null"] {
        assert_eq!(from(allowed), 101, "{allowed}");
    }
    for foreign in ["ionic://localhost", "http://localhost", "chrome-extension://abce", "https://app.example"]
    {
        assert_eq!(from(foreign), 403, "{foreign}");
    }
}

#[test]
fn the_first_subprotocol_of_the_client_that_is_ours_is_chosen() {
    let daemon = Daemon::start(&["--subprotocols", "one,two"]);
    for (offered, chosen) in
        [(Some("three, two, one"), Some("two")), (Some("three"), None), (Some("ONE"), None), (None, None)]
    {
        let mut http = Http::tcp(daemon.public);
        let more: Vec<_> = offered.map(|list| ("Sec-WebSocket-Protocol", list)).into_iter().collect();
        let response = http.ask("GET", "/ws", &[&HANDSHAKE, &more[..]].concat(), b"");
        assert_eq!(response.status, 101);
        assert_eq!(response.header("sec-websocket-protocol"), chosen, "{offered:?}");
    }
    for wrong in ["one, one", "one, t(w)o"] {
        let more = [("Sec-WebSocket-Protocol", wrong)];
        assert_eq!(WebSocket::ask(daemon.public, "/ws", &more).err().map(|r| r.status), Some(400), "{wrong}");
    }
}

#[test]
fn a_full_server_says_503_and_has_room_again_later() {
    let daemon = Daemon::start(&["--max-connections", "2"]);
    let first = WebSocket::open(&daemon);
    assert_eq!(Http::tcp(daemon.public).ask("GET", "/readyz", &[], b"").text(), "ready\n");
    let _second = WebSocket::open(&daemon);
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err();
    assert_eq!(refused.map(|response| response.status), Some(503));
    // Only WebSockets count: the health check is still answered.
    assert_eq!(status_of(&daemon, "GET", "/healthz", &[]), 200);
    // And who sends clients here knows where to send them no more.
    let full = "the server is full: 2 connections (max_connections)";
    let public = Http::tcp(daemon.public).ask("GET", "/readyz", &[], b"");
    assert_eq!((public.status, &*public.text()), (503, &*format!("{full}\n")));
    let admin = daemon.admin_http().ask("GET", "/readyz", &[], b"");
    assert_eq!((admin.status, &admin.json()["error"]), (503, &full.into()));
    first.close(1000);
    daemon.wait_connections(1);
    assert_eq!(status_of(&daemon, "GET", "/readyz", &[]), 200);
    WebSocket::open(&daemon);
}

#[test]
fn one_address_has_its_share() {
    let daemon = Daemon::start(&["--connections-per-address-max", "2"]);
    let first = WebSocket::open(&daemon);
    let _second = WebSocket::open(&daemon);
    Http::tcp(daemon.public).expect_end();
    first.close(1000);
    daemon.wait_connections(1);
    WebSocket::open(&daemon);
}

#[test]
fn half_a_request_is_answered_408_in_the_end() {
    let daemon = Daemon::start(&["--handshake-ms", "300"]);
    let mut half = Http::tcp(daemon.public);
    half.send(b"GET /ws HTTP/1.1\r\nHost: x\r\n");
    assert_eq!(half.response().status, 408);
    half.expect_end();
    // A client that says nothing at all is not spoken to either.
    Http::tcp(daemon.public).expect_end();
    // One that is open has all the time of the world.
    let mut open = WebSocket::open(&daemon);
    let mut late = Http::tcp(daemon.public);
    late.send(b"G");
    assert_eq!(late.response().status, 408);
    assert_eq!(open.sync(), []);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn a_second_request_on_the_connection_may_be_the_handshake() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    assert_eq!(http.ask("GET", "/healthz", &[], b"").text(), "ok\n");
    assert_eq!(http.ask("HEAD", "/healthz", &[], b"").header("content-length"), Some("3"));
    assert_eq!(http.ask("GET", "/nowhere", &[], b"").status, 404);
    assert!(WebSocket::ask_over(http, "/ws", &[]).is_ok());
}

#[test]
fn several_listeners_are_one_server() {
    if let Err(e) = std::net::TcpListener::bind("[::1]:0") {
        eprintln!("skipped: there is no IPv6 here: {e}");
        return;
    }
    let daemon = Daemon::start(&["--listen", "127.0.0.1:0", "--listen", "[::1]:0"]);
    let addresses = daemon.public_addresses();
    assert_eq!(addresses.len(), 2);
    let open = |address| WebSocket::ask(address, "/ws", &[]).unwrap_or_else(|r| panic!("{}", r.text()));
    let mut clients: Vec<_> = addresses.into_iter().map(open).collect();
    daemon.push("both");
    assert!(clients.iter_mut().all(|client| client.text() == "both"));
}

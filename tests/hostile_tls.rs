//! Hostile TLS peers: bytes one by one, records torn apart, garbage, silence, and ends in the wrong place.
#![cfg(feature = "tls")]

mod versions;

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::daemon::process::rss_bytes;
use crate::daemon::tls::{Authority, ClientOptions, TlsClient};
use crate::daemon::websocket::narrow_socket;
use crate::daemon::{Daemon, Http, PATIENCE, wait};
use crate::wire::{BINARY, CLOSE, PING, PONG, TEXT, close_of, masked, upgrade};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

const BOTH: [&[&SupportedProtocolVersion]; 2] = [&[&TLS12], &[&TLS13]];

/// Fatal alerts (RFC 8446 section 6).
const UNEXPECTED_MESSAGE: u8 = 10;
const DECODE_ERROR: u8 = 50;
const PROTOCOL_VERSION: u8 = 70;
const INTERNAL_ERROR: u8 = 80;

fn client(
    authority: &Authority,
    versions: &'static [&'static SupportedProtocolVersion],
) -> rustls::ClientConfig {
    ClientOptions { versions, ..authority.client() }.config()
}

fn refused(daemon: &Daemon) -> u64 {
    daemon.stats()["counters"]["handshakes_refused"]["tls_handshake"].as_u64().unwrap()
}

/// Everything until the end of the stream.
fn rest(stream: &mut TcpStream) -> Vec<u8> {
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut bytes = Vec::new();
    match stream.read_to_end(&mut bytes) {
        Err(e) if e.kind() != ErrorKind::ConnectionReset => panic!("{e}"),
        _ => bytes,
    }
}

/// The description of the fatal alert that comes in answer to `bytes`, before the end of the stream.
fn alert(daemon: &Daemon, bytes: &[u8]) -> u8 {
    let mut stream = TcpStream::connect(daemon.public).unwrap();
    stream.write_all(bytes).unwrap();
    match rest(&mut stream)[..] {
        [21, 3, _, 0, 2, 2, description] => description,
        ref other => panic!("no alert: {other:x?}"),
    }
}

#[test]
fn bytes_come_one_by_one() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo", "--handshake-ms", "60000"]);
    for versions in BOTH {
        let mut slow = TlsClient::new(daemon.public, client(&authority, versions), "localhost");
        let drip = |slow: &mut TlsClient| {
            for byte in slow.outgoing() {
                slow.send_raw(&[byte]);
            }
        };
        while slow.tls.is_handshaking() {
            drip(&mut slow);
            if slow.tls.is_handshaking() {
                slow.receive().unwrap();
            }
        }
        slow.tls.writer().write_all(&upgrade("/echo", "a", &[])).unwrap();
        drip(&mut slow);
        assert!(slow.head().starts_with("HTTP/1.1 101 "));
        slow.tls.writer().write_all(&masked(true, TEXT, &[b'x'; 300])).unwrap();
        drip(&mut slow);
        assert_eq!(slow.text(), "x".repeat(300));
    }
}

#[test]
fn records_come_in_any_pieces() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let mut ragged = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        // Frames that have nothing to do with where records end, and records of one byte.
        let frames: Vec<u8> =
            (0..40).flat_map(|n| masked(true, BINARY, &vec![n; usize::from(n) * 97])).collect();
        let mut sealed = Vec::new();
        let (mut at, mut size) = (0, 1);
        while at < frames.len() {
            let end = (at + size).min(frames.len());
            ragged.tls.writer().write_all(&frames[at..end]).unwrap();
            sealed.extend(ragged.outgoing());
            (at, size) = (end, size % 700 * 3 + 1);
        }
        let mut size = 1;
        while !sealed.is_empty() {
            let part: Vec<u8> = sealed.drain(..size.min(sealed.len())).collect();
            ragged.send_raw(&part);
            size = size % 5_000 * 2 + 1;
        }
        for n in 0..40 {
            assert_eq!(ragged.next().unwrap().payload, vec![n; usize::from(n) * 97]);
        }
    }
}

#[test]
fn large_messages_go_both_ways() {
    const SIZE: usize = 3 << 20;
    let authority = Authority::with_localhost();
    let sizes =
        ["--message-bytes-max", "4194304", "--log-bytes", "16777216", "--admin-body-bytes-max", "4194304"];
    let daemon = authority.daemon(&["one"], &[&["--demo"][..], &sizes].concat());
    for versions in BOTH {
        let mut echo = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        let payload: Vec<u8> = (0..SIZE).map(|n| (n % 251) as u8).collect();
        echo.send_frame(BINARY, &payload);
        assert!(echo.next().unwrap().payload == payload);
        let mut subscriber = TlsClient::open(daemon.public, client(&authority, versions), "/ws");
        let text = "y".repeat(SIZE);
        daemon.push(&text);
        daemon.push("behind it");
        assert!(subscriber.text() == text);
        assert_eq!(subscriber.text(), "behind it");
    }
    wait("nothing to wait", || daemon.stats()["memory"]["backlog_bytes"] == 0);
}

#[test]
fn garbage_is_answered_by_an_alert() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    let mut expected = refused(&daemon);
    for (bytes, description) in [
        (&b"\x00garbage"[..], DECODE_ERROR),
        (&[0xff; 4_000][..], DECODE_ERROR),
        // A record of application data, before any keys.
        (&[23, 3, 3, 0, 4, 1, 2, 3, 4][..], UNEXPECTED_MESSAGE),
        // A handshake record with another message than the first.
        (&[22, 3, 3, 0, 4, 20, 0, 0, 0][..], UNEXPECTED_MESSAGE),
    ] {
        assert_eq!(alert(&daemon, bytes), description, "{:x?}", &bytes[..8]);
        expected += 1;
        assert_eq!(refused(&daemon), expected);
    }
    daemon.wait_log(|line| line.contains("event=refused") && line.contains("reason=tls_handshake"));
}

#[test]
fn plain_http_is_told_that_this_port_speaks_tls() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &[]);
    for request in
        ["GET / HTTP/1.1\r\nHost: a\r\n\r\n", "POST /push HTTP/1.1\r\nContent-Length: 9\r\n\r\n123"]
    {
        let mut http = Http::tcp(daemon.public);
        http.send(request.as_bytes());
        let response = http.response();
        let said = response.text();
        assert_eq!((response.status, said.contains("this port speaks TLS")), (400, true), "{said}");
        http.expect_end();
    }
    assert_eq!(refused(&daemon), 2);
    wait("everybody has gone", || daemon.stats()["handshaking"] == 0);
    // The admin listener says it as it says all errors.
    let sealed = authority.daemon(&["one"], &["--admin", "tls://127.0.0.1:0"]);
    let mut http = Http::tcp(sealed.admin());
    http.send(b"GET /stats HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let response = http.response();
    assert_eq!((response.status, response.header("content-type")), (400, Some("application/json")));
    assert!(response.json()["error"].as_str().expect("a reason").contains("speaks TLS"));
    http.expect_end();
}

#[test]
fn ends_in_the_wrong_place_leave_nothing_behind() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let hello = TlsClient::new(daemon.public, client(&authority, versions), "localhost").outgoing();
        // After each part of the first message, by the end of the stream and by a reset.
        for length in [0, 1, 5, 60, hello.len() - 1, hello.len()] {
            for reset in [false, true] {
                let mut stream = TcpStream::connect(daemon.public).unwrap();
                stream.write_all(&hello[..length]).unwrap();
                if reset {
                    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
                } else {
                    stream.shutdown(Shutdown::Write).unwrap();
                    rest(&mut stream);
                }
            }
        }
        // Inside a record, with a WebSocket open.
        let mut torn = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        torn.tls.writer().write_all(&masked(true, TEXT, &[b'x'; 1_000])).unwrap();
        let sealed = torn.outgoing();
        torn.send_raw(&sealed[..700]);
        torn.stream.shutdown(Shutdown::Write).unwrap();
        torn.wait_end();
    }
    wait("everybody has gone", || {
        let stats = daemon.stats();
        stats["connections"] == 0 && stats["handshaking"] == 0 && stats["memory"]["backlog_bytes"] == 0
    });
}

#[test]
fn a_forged_record_ends_the_connection() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let mut forger = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        forger.send_frame(TEXT, b"good");
        assert_eq!(forger.text(), "good");
        forger.tls.writer().write_all(&masked(true, TEXT, b"bad")).unwrap();
        let mut bad = forger.outgoing();
        *bad.last_mut().unwrap() ^= 1;
        forger.send_raw(&bad);
        let alert = loop {
            match forger.receive() {
                Err(e) => break e,
                Ok(_) => assert!(forger.end.is_none(), "no alert"),
            }
        };
        assert!(matches!(alert, rustls::Error::AlertReceived(_)), "{alert}");
    }
    daemon.wait_event("tls_broken");
    let closed = &daemon.wait_stats("nobody", |s| s["connections"] == 0)["counters"]["closed"];
    assert_eq!(closed["protocol_error"], 2);
}

#[test]
fn keys_are_changed_at_the_clients_wish() {
    let authority = Authority::with_localhost();
    // A kernel that has taken over may not take new keys; tests/ktls/wss.rs sees to that.
    let daemon = authority.daemon(&["one"], &["--demo", "--kernel-tls", "off"]);
    let mut client = TlsClient::open(daemon.public, client(&authority, BOTH[1]), "/echo");
    for round in 0..5 {
        client.tls.refresh_traffic_keys().unwrap();
        let text = format!("with key {round}");
        client.send_frame(TEXT, text.as_bytes());
        assert_eq!(client.text(), text);
    }
    // Torn apart, with a frame of the server's in the middle: it has only a part of a handshake message then.
    client.tls.refresh_traffic_keys().unwrap();
    let update = client.outgoing();
    client.send_raw(&update[..3]);
    let id = daemon.id_of_client(&client.stream);
    daemon.ask("POST", &format!("/push?conn={id}"), &[("Content-Type", "text/plain")], b"in between");
    assert_eq!(client.text(), "in between");
    client.send_raw(&update[3..]);
    client.send_frame(PING, b"p");
    assert_eq!(client.next().unwrap().opcode, PONG);
}

#[test]
fn a_full_server_says_so_with_an_alert() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--connections-per-address-max", "1"]);
    let first = TlsClient::open(daemon.public, authority.client().config(), "/ws");
    let hello = TlsClient::new(daemon.public, authority.client().config(), "localhost").outgoing();
    assert_eq!(alert(&daemon, &hello), INTERNAL_ERROR);
    drop(first);
}

#[test]
fn half_a_handshake_is_given_its_time_and_no_more() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--handshake-ms", "300"]);
    let hello = TlsClient::new(daemon.public, authority.client().config(), "localhost").outgoing();
    // Nothing, half of the first message, all of it, and TLS without a request.
    for length in [0, hello.len() / 2, hello.len()] {
        let mut stream = TcpStream::connect(daemon.public).unwrap();
        stream.write_all(&hello[..length]).unwrap();
        rest(&mut stream);
    }
    let mut quiet = TlsClient::connect(daemon.public, authority.client().config()).unwrap();
    assert!(quiet.wait_end(), "a close_notify");
    daemon.wait_stats("four time-outs", |s| s["counters"]["handshakes_refused"]["timeout"] == 4);
}

#[test]
fn whoever_does_not_read_costs_little_and_is_closed() {
    const SLEEPERS: usize = 20;
    let authority = Authority::with_localhost();
    let flags = ["--demo", "--log-bytes", "2097152", "--pong-wait-ms", "500"];
    let daemon = authority.daemon(&["one"], &flags);
    let sleepers: Vec<TlsClient> = (0..SLEEPERS)
        .map(|_| {
            let mut client =
                TlsClient::over(narrow_socket(&daemon), authority.client().config(), "localhost");
            client.shake().unwrap();
            client.upgrade("/ws");
            client
        })
        .collect();
    let mut awake = TlsClient::open(daemon.public, authority.client().config(), "/ws");
    let before = rss_bytes(daemon.pid());
    let text = "z".repeat(50_000);
    let mut blocked = 0;
    for _ in 0..400 {
        daemon.push(&text);
        assert!(awake.text() == text, "the others are not disturbed");
        let stats = daemon.stats();
        blocked = blocked.max(stats["blocked"].as_u64().unwrap());
        // About a record each, and no more.
        let backlog = stats["memory"]["backlog_bytes"].as_u64().unwrap();
        assert!(backlog <= SLEEPERS as u64 * 18_000, "{backlog}");
        if stats["counters"]["closed"]["slow_consumer"] == SLEEPERS {
            break;
        }
    }
    assert_eq!(blocked, SLEEPERS as u64);
    let gone = |s: &serde_json::Value| s["counters"]["closed"]["slow_consumer"] == SLEEPERS;
    daemon.wait_stats("the sleepers' end", gone);
    assert!(rss_bytes(daemon.pid()) - before < 16 << 20);
    daemon.wait_stats("no backlog", |s| s["memory"]["backlog_bytes"] == 0);
    drop(sleepers);
}

#[test]
fn an_asker_that_does_not_listen_is_not_read() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    let mut asker = TlsClient::over(narrow_socket(&daemon), authority.client().config(), "localhost");
    asker.shake().unwrap();
    asker.upgrade("/echo");
    asker.stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let frame = masked(true, BINARY, &[9; 30_000]);
    let mut sent = 0;
    // Until the server has stopped to read and everything on the way is full.
    let unsent = loop {
        asker.tls.writer().write_all(&frame).unwrap();
        let bytes = asker.outgoing();
        sent += 1;
        let mut at = 0;
        while at < bytes.len() {
            match asker.stream.write(&bytes[at..]) {
                Ok(n) => at += n,
                Err(e) if e.kind() == ErrorKind::WouldBlock => break,
                Err(e) => panic!("{e}"),
            }
        }
        if at < bytes.len() {
            break bytes[at..].to_vec();
        }
        assert!(sent < 5_000, "the server goes on reading");
    };
    assert!(daemon.stats()["memory"]["backlog_bytes"].as_u64().unwrap() < 300_000);
    // And now it listens: everything is answered.
    asker.stream.set_write_timeout(None).unwrap();
    let mut writer = asker.stream.try_clone().unwrap();
    let rest = std::thread::spawn(move || writer.write_all(&unsent).unwrap());
    for _ in 0..sent {
        assert!(asker.next().unwrap().payload == [9; 30_000]);
    }
    rest.join().unwrap();
}

#[test]
fn the_drain_says_1001_and_close_notify() {
    let authority = Authority::with_localhost();
    for versions in BOTH {
        let mut daemon = authority.daemon(&["one"], &["--demo"]);
        let mut open = TlsClient::open(daemon.public, client(&authority, versions), "/ws");
        let mut quiet = TlsClient::connect(daemon.public, client(&authority, versions)).unwrap();
        let half = TcpStream::connect(daemon.public).unwrap();
        (&half).write_all(&[22, 3]).unwrap();
        daemon.push("last words");
        daemon.signal("TERM");
        assert_eq!(open.text(), "last words");
        let close = open.next().unwrap();
        assert_eq!((close.opcode, close_of(&close).0), (CLOSE, 1001));
        open.send_frame(CLOSE, &1001_u16.to_be_bytes());
        assert!(open.wait_end() && quiet.wait_end(), "a close_notify comes before the end");
        drop((open, quiet, half));
        assert!(daemon.wait_exit().success());
    }
}

#[test]
fn both_close_whoever_begins() {
    let authority = Authority::with_localhost();
    let daemon = authority.daemon(&["one"], &["--demo"]);
    for versions in BOTH {
        let mut polite = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        polite.send_frame(CLOSE, &1000_u16.to_be_bytes());
        assert_eq!(close_of(&polite.next().unwrap()).0, 1000);
        assert!(polite.wait_end());
        // A request and a close_notify in one: the answer comes, then ours.
        let mut brief = TlsClient::connect(daemon.public, client(&authority, versions)).unwrap();
        brief.tls.writer().write_all(b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        brief.tls.send_close_notify();
        brief.flush();
        assert!(brief.head().starts_with("HTTP/1.1 200 "));
        assert!(brief.wait_end());
        // Without any frame, by close_notify alone.
        let mut curt = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        curt.tls.send_close_notify();
        curt.flush();
        assert!(curt.wait_end());
        // A violation is answered by its code.
        let mut wrong = TlsClient::open(daemon.public, client(&authority, versions), "/echo");
        wrong.send(&[0x83, 0x80, 0, 0, 0, 0]);
        assert_eq!(close_of(&wrong.next().unwrap()).0, 1002);
    }
    daemon.wait_stats("nobody", |s| s["connections"] == 0 && s["closing"] == 0);
}

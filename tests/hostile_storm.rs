//! More connections than there is room for, and connections that break off at every moment.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;

use crate::daemon::process::{descriptors, raise_own_limit, rss_bytes};
use crate::daemon::{self, Daemon, Http, PATIENCE, WebSocket};
use crate::wire::{self, HANDSHAKE, TEXT, masked};

/// How a stream ended.
#[derive(Debug, PartialEq)]
enum End {
    Open,
    /// With this status and then the end, not a reset.
    Refused(u16),
    Reset,
}

fn outcome(stream: &mut TcpStream) -> End {
    stream.set_read_timeout(Some(PATIENCE)).expect("an option");
    let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        match wire::read(stream, &mut buffer) {
            Ok(0) => break,
            Ok(n) => received.extend_from_slice(&buffer[..n]),
            Err(e) if e.kind() == ErrorKind::ConnectionReset => return End::Reset,
            Err(e) => panic!(
                "neither an answer nor an end: {e} {:?} {:?}",
                String::from_utf8_lossy(&received),
                stream
            ),
        }
        if received.starts_with(b"HTTP/1.1 101") {
            return End::Open;
        }
    }
    let status =
        std::str::from_utf8(received.get(9..12).unwrap_or_default()).ok().and_then(|s| s.parse().ok());
    End::Refused(status.unwrap_or(0))
}

#[test]
fn a_storm_is_told_that_the_server_is_full() {
    // More than there are slots for refusals: the last ones get their answer without a slot.
    const MAX: usize = 50;
    const STORM: usize = 1_000;
    raise_own_limit();
    let daemon = Daemon::start(&["--max-connections", "50", "--close-wait-ms", "600000"]);
    let request = Http::tcp(daemon.public).request("GET", "/ws", &HANDSHAKE, b"");
    let mut storm: Vec<TcpStream> = (0..STORM)
        .map(|_| {
            let mut stream = TcpStream::connect(daemon.public).expect("the listener is there");
            stream.write_all(&request).expect("a new connection");
            stream
        })
        .collect();
    let ends: Vec<End> = storm.iter_mut().map(outcome).collect();
    assert_eq!(ends.iter().filter(|end| **end == End::Open).count(), MAX);
    let others: Vec<_> = ends.iter().filter(|end| !matches!(end, End::Open | End::Refused(503))).collect();
    assert!(others.is_empty(), "{others:?}");
    let stats = daemon.stats();
    assert_eq!(stats["counters"]["handshakes_refused"]["full"], STORM - MAX);
    assert_eq!(stats["connections"], MAX);
    // The storm is over: there is room again for as many.
    drop(storm);
    daemon.wait_connections(0);
    let _again: Vec<WebSocket> = (0..MAX).map(|_| WebSocket::open(&daemon)).collect();
}

#[test]
fn without_descriptors_to_spare_the_admin_still_gets_in() {
    raise_own_limit();
    let daemon =
        Daemon::start_with_descriptors(300, &["--max-connections", "100000", "--admin-connections-max", "8"]);
    let possible =
        daemon.stats()["limits"]["connections_by_descriptors"].as_u64().expect("a number") as usize;
    let storm: Vec<_> = (0..possible + 200).map(|_| WebSocket::ask(daemon.public, "/ws", &[])).collect();
    assert_eq!(storm.iter().filter(|asked| asked.is_ok()).count(), possible);
    assert!(storm.iter().flat_map(|asked| asked.as_ref().err()).all(|response| response.status == 503));
    assert_eq!(daemon.stats()["counters"]["accept_paused"]["process_descriptors"], 0);
}

#[test]
fn resets_at_every_state_leave_nothing_behind() {
    raise_own_limit();
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "600000", "--handshake-ms", "600000"]);
    drop(WebSocket::open(&daemon));
    daemon.wait_connections(0);
    let (before, memory) = (descriptors(daemon.pid()), rss_bytes(daemon.pid()));
    let reset = |http: Http| {
        let (stream, _) = http.into_parts();
        let linger = socket2::SockRef::from(&stream).set_linger(Some(std::time::Duration::ZERO));
        linger.expect("an option");
    };
    for _ in 0..30 {
        // Accepted, in the head, in a body, between two requests, refused.
        reset(Http::tcp(daemon.public));
        for piece in [
            &b"G"[..],
            b"GET /ws HTTP/1.1\r\nHost",
            b"POST /demo/push HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nab",
        ] {
            for address in [daemon.public, daemon.admin()] {
                let mut http = Http::tcp(address);
                http.send(piece);
                reset(http);
            }
        }
        let mut http = Http::tcp(daemon.public);
        assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
        reset(http);
        let mut http = Http::tcp(daemon.public);
        http.send(b"nonsense\r\n\r\n");
        reset(http);
        // Open, in a frame's head, in a message, in a fragmented one, closing, with answers unread.
        WebSocket::open(&daemon).reset();
        let part = masked(false, TEXT, &[b'x'; 3000]);
        for piece in [&[0x81][..], &[0x81, 0xfe, 1, 0, 1, 2, 3, 4, 5], &part] {
            let mut client = WebSocket::open(&daemon);
            client.send_raw(piece);
            client.reset();
        }
        let mut client = WebSocket::open(&daemon);
        client.send(3, b"");
        client.reset();
        let mut client = WebSocket::open_narrow(&daemon, "/echo");
        for _ in 0..30 {
            client.send(TEXT, &[b'y'; 3000]);
        }
        client.reset();
        // Before the answer to the request.
        let mut http = Http::tcp(daemon.public);
        let request = http.request("GET", "/ws", &HANDSHAKE, b"");
        http.send(&request);
        reset(http);
    }
    let stats = daemon.wait_stats("an empty server", |s| {
        ["connections", "handshaking", "closing", "blocked"].iter().all(|state| s[state] == 0)
            && s["admin_connections"] == 1
    });
    assert_eq!(stats["memory"]["assembly_bytes"], 0);
    assert_eq!(stats["memory"]["backlog_bytes"], 0);
    daemon::wait("the descriptors", || descriptors(daemon.pid()) <= before);
    assert!(rss_bytes(daemon.pid()) < memory + (8 << 20));
}

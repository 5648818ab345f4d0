//! Clients that have got as far as a WebSocket and abuse it.

use std::io::Write;

use crate::daemon::process::{cpu_ticks, raise_own_limit, rss_bytes};
use crate::daemon::{self, Daemon, WebSocket, wait};
use crate::wire::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_of, masked};

/// The most that allocator and page slack may add to a bound.
const SLACK_BYTES: u64 = 12 << 20;

fn closed(daemon: &Daemon, reason: &str) -> u64 {
    daemon.stats()["counters"]["closed"][reason].as_u64().expect("a counter")
}

/// Lets a client write without waiting for the server to read.
fn flood(client: &WebSocket, bytes: &[u8], most: usize) -> usize {
    let mut stream = client.stream();
    stream.set_nonblocking(true).expect("an option");
    let mut sent = 0;
    let mut refusals = 0;
    while sent < most && refusals < 50 {
        match stream.write(&bytes[sent % bytes.len()..]) {
            Ok(n) => (sent, refusals) = (sent + n, 0),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {
                refusals += 1;
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            Err(_) => break,
        }
    }
    stream.set_nonblocking(false).expect("an option");
    sent
}

#[test]
fn unmasked_frames_are_violations_whatever_they_are() {
    let daemon = Daemon::start(&[]);
    for (n, opcode) in [TEXT, BINARY, CONTINUATION, PING, PONG, CLOSE].into_iter().enumerate() {
        let mut client = WebSocket::open(&daemon);
        client.send_raw(&[0x80 | opcode, 2, 3, 0xe8]);
        assert_eq!(client.closed().0, 1002, "opcode {opcode}");
        daemon.wait_stats("the count", |s| s["counters"]["closed"]["protocol_error"] == n as u64 + 1);
    }
}

#[test]
fn a_ping_flood_is_answered_in_order() {
    const PINGS: u32 = 20_000;
    let daemon = Daemon::start(&[]);
    let mut subscriber = WebSocket::open_at(&daemon, "/ws?channel=public.others");
    let client = WebSocket::open(&daemon);
    let pings: Vec<u8> = (0..PINGS).flat_map(|n| masked(true, PING, &n.to_be_bytes())).collect();
    let mut half = client.stream().try_clone().expect("a descriptor");
    let writer = std::thread::spawn(move || half.write_all(&pings));
    let mut client = client;
    for n in 0..PINGS {
        let frame = client.frame();
        assert_eq!((frame.opcode, frame.payload), (PONG, n.to_be_bytes().to_vec()));
        if n % 5_000 == 0 {
            daemon.push_to("/push?channel=public.others", "others go on");
            assert_eq!(subscriber.text(), "others go on");
        }
    }
    writer.join().expect("a thread").expect("all of them");
}

#[test]
fn a_ping_flood_without_reading_is_not_listened_to() {
    let daemon = Daemon::start(&["--heartbeat-ms", "0"]);
    let mut subscriber = WebSocket::open(&daemon);
    let before = rss_bytes(daemon.pid());
    let pings = masked(true, PING, &[7; 125]).repeat(500);
    let flooders: Vec<WebSocket> = (0..20).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    for client in &flooders {
        // Bytes that the kernel's buffers don't take stay with the flooder.
        assert!(flood(client, &pings, 64 << 20) < 64 << 20);
    }
    daemon.wait_stats("blocked flooders", |s| s["blocked"] == 20);
    daemon.push("undisturbed");
    assert_eq!(subscriber.text(), "undisturbed");
    assert!(rss_bytes(daemon.pid()) < before + SLACK_BYTES);
    // Not listening is not spinning either.
    let (busy, passed) = (cpu_ticks(daemon.pid()), std::time::Instant::now());
    std::thread::sleep(std::time::Duration::from_millis(500));
    let ticks_possible = passed.elapsed().as_millis() as u64 / 10;
    assert!(cpu_ticks(daemon.pid()) - busy < ticks_possible / 2, "the processor is kept busy");
    drop(flooders);
    daemon.wait_connections(1);
    assert_eq!(daemon.stats()["memory"]["backlog_bytes"], 0);
}

#[test]
fn ten_thousand_tiny_frames_in_one_segment() {
    const FRAMES: usize = 10_000;
    let daemon = Daemon::start(&["--demo"]);
    let mut client = WebSocket::open_at(&daemon, "/echo");
    let mut stream = client.stream().try_clone().expect("a descriptor");
    let all: Vec<u8> = (0..FRAMES).flat_map(|n| masked(true, BINARY, &[n as u8])).collect();
    let writer = std::thread::spawn(move || stream.write_all(&all));
    for n in 0..FRAMES {
        let frame = client.frame();
        assert_eq!((frame.opcode, frame.payload), (BINARY, vec![n as u8]), "frame {n}");
    }
    writer.join().expect("a thread").expect("all of them");
    // Empty fragments add up to nothing, and the message still ends.
    let mut pieces = masked(false, TEXT, b"");
    pieces.extend(masked(false, CONTINUATION, b"").repeat(FRAMES));
    pieces.extend(masked(true, CONTINUATION, b"end"));
    client.send_raw(&pieces);
    assert_eq!(client.text(), "end");
    assert_eq!(daemon.counter("messages_in"), FRAMES as u64 + 1);
}

#[test]
fn messages_that_never_end_share_one_bound() {
    const CLIENTS: usize = 1_000;
    const POOL: u64 = 8 << 20;
    raise_own_limit();
    let daemon = Daemon::start(&["--assembly-bytes-max", "8388608", "--heartbeat-ms", "0"]);
    let mut subscriber = WebSocket::open(&daemon);
    let mut clients: Vec<WebSocket> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    let before = rss_bytes(daemon.pid());
    // Together they would be 32 MB; each alone is within message_bytes_max.
    let first = masked(false, BINARY, &[1; 8_000]);
    let more = masked(false, CONTINUATION, &[2; 8_000]);
    for piece in [&first, &more, &more, &more] {
        for client in &mut clients {
            client.send_raw(piece);
        }
        assert_eq!(daemon.stats()["connections"].as_u64().map(|n| n >= 1), Some(true));
    }
    let stats = daemon.wait_stats("the pool's end", |s| {
        s["counters"]["closed"]["overload"].as_u64() > Some(0) || s["closing"].as_u64() > Some(0)
    });
    assert!(stats["memory"]["assembly_bytes"].as_u64().expect("a number") <= POOL);
    assert!(rss_bytes(daemon.pid()) < before + POOL + SLACK_BYTES);
    // A client that found no room was told so (1013); the others wait, and the server serves.
    daemon.push("still here");
    assert_eq!(subscriber.text(), "still here");
    let mut told = 0;
    for client in &mut clients {
        client.send(PING, b"?");
        match client.next() {
            Some(frame) if frame.opcode == CLOSE => {
                assert_eq!(close_of(&frame).0, 1013);
                told += 1;
            }
            Some(frame) => assert!(frame.opcode == TEXT || frame.opcode == PONG),
            None => panic!("an end without a close frame"),
        }
    }
    assert!(told > 0 && told < CLIENTS, "{told}");
    drop(clients);
    daemon.wait_connections(1);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
    assert_eq!(closed(&daemon, "overload"), told as u64);
    // It has room again by itself.
    let mut client = WebSocket::open(&daemon);
    client.send_raw(&first);
    assert_eq!(client.sync(), []);
}

#[test]
fn after_a_storm_of_half_messages_memory_is_as_before() {
    const CLIENTS: usize = 800;
    raise_own_limit();
    let daemon = Daemon::start(&["--heartbeat-ms", "0"]);
    let before = rss_bytes(daemon.pid());
    let half = &masked(true, BINARY, &[1; 60_000])[..50_000];
    let clients: Vec<WebSocket> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    for client in &clients {
        client.stream().write_all(half).expect("half a message");
    }
    let held = (CLIENTS * 50_000) as u64;
    daemon.wait_stats("all of it", |s| s["memory"]["assembly_bytes"].as_u64() > Some(held));
    assert!(rss_bytes(daemon.pid()) > before + held);
    drop(clients);
    daemon.wait_connections(0);
    wait("the memory's return", || rss_bytes(daemon.pid()) < before + SLACK_BYTES / 2);
}

#[test]
fn whoever_asks_without_listening_shares_one_bound() {
    const CLIENTS: usize = 200;
    const BACKLOG: u64 = 512 << 10;
    raise_own_limit();
    let daemon = Daemon::start(&["--demo", "--backlog-bytes-max", "524288", "--heartbeat-ms", "0"]);
    let mut subscriber = WebSocket::open(&daemon);
    let before = rss_bytes(daemon.pid());
    let message = masked(true, BINARY, &[3; 50_000]);
    let askers: Vec<WebSocket> = (0..CLIENTS).map(|_| WebSocket::open_narrow(&daemon, "/echo")).collect();
    for client in &askers {
        flood(client, &message, 1 << 20);
        let backlog = daemon.stats()["memory"]["backlog_bytes"].as_u64().expect("a number");
        // One outbox may go over, by what a vector grows ahead.
        assert!(backlog <= BACKLOG + (256 << 10), "{backlog}");
    }
    let stats = daemon.wait_stats("overload", |s| {
        s["counters"]["closed"]["overload"].as_u64() > Some(0) || s["closing"] != 0
    });
    assert!(stats["blocked"].as_u64() > Some(0), "{stats}");
    assert!(rss_bytes(daemon.pid()) < before + BACKLOG + SLACK_BYTES);
    daemon.wait_event("overloaded");
    daemon.push("undisturbed");
    assert_eq!(subscriber.text(), "undisturbed");
    drop(askers);
    daemon.wait_connections(1);
    assert_eq!(daemon.stats()["memory"]["backlog_bytes"], 0);
    // Somebody who does listen is served as before.
    let mut fair = WebSocket::open_at(&daemon, "/echo");
    fair.send(BINARY, &[4; 50_000]);
    assert_eq!(fair.frame().payload.len(), 50_000);
}

#[test]
fn bodies_that_never_end_share_it_too() {
    const CLIENTS: usize = 300;
    raise_own_limit();
    let flags = ["--demo", "--backlog-bytes-max", "1048576", "--handshake-ms", "600000"];
    let daemon = Daemon::start(&flags);
    let mut posts = Vec::new();
    for _ in 0..CLIENTS {
        let mut http = daemon::Http::tcp(daemon.public);
        http.send(b"POST /demo/push HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
        http.send(&[b'x'; 20_000]);
        posts.push(http);
    }
    let stats = daemon
        .wait_stats("refusals", |s| s["counters"]["handshakes_refused"]["overload"].as_u64() > Some(200));
    assert!(stats["memory"]["backlog_bytes"].as_u64() <= Some(1 << 20), "{stats}");
    // The newest of those who hold most gives way to who comes next.
    assert_eq!(posts[CLIENTS - 2].response().status, 503);
    // The admin listener is not strangers' to fill.
    daemon.push(&"y".repeat(500_000));
    drop(posts);
    daemon.wait_stats("their end", |s| s["handshaking"] == 0 && s["memory"]["backlog_bytes"] == 0);
}

#[test]
fn subscribers_that_never_read_cost_no_memory() {
    const SLEEPERS: usize = 100;
    let daemon = Daemon::start(&["--log-bytes", "1100000", "--heartbeat-ms", "0"]);
    let mut awake = WebSocket::open(&daemon);
    let sleepers: Vec<WebSocket> = (0..SLEEPERS).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    daemon.push("the log's ring is there");
    assert_eq!(awake.text(), "the log's ring is there");
    let before = rss_bytes(daemon.pid());
    for n in 0..200 {
        let text = format!("{n} {}", "z".repeat(60_000));
        daemon.push(&text);
        assert_eq!(awake.text(), text, "everyone else gets everything, in order");
    }
    // 12 MB went by; the log keeps 1.1 MB, the sleepers nothing.
    assert!(rss_bytes(daemon.pid()) < before + (2 << 20) + SLACK_BYTES);
    let gone = |s: &serde_json::Value| {
        s["counters"]["closed"]["slow_consumer"].as_u64().unwrap_or(0) + s["closing"].as_u64().unwrap_or(0)
            >= SLEEPERS as u64
    };
    daemon.wait_stats("everybody who sleeps to be closed", gone);
    daemon.wait_event("slow_consumer");
    drop(sleepers);
    daemon.wait_connections(1);
    assert_eq!(closed(&daemon, "slow_consumer"), SLEEPERS as u64);
}

#[test]
fn half_closed_streams_end_and_their_requests_are_answered() {
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "600000"]);
    // Everything that was asked before the end is answered, though a WebSocket that is half closed is closed.
    let mut http = daemon::Http::tcp(daemon.public);
    let request = http.request("GET", "/healthz", &[], b"");
    http.send(&request.repeat(3));
    http.finish();
    for _ in 0..3 {
        assert_eq!(http.response().status, 200);
    }
    http.expect_end();
    let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open_at(&daemon, "/echo")).collect();
    for client in &mut clients {
        client.send_text("last words");
        client.half_close();
    }
    for client in &mut clients {
        while let Some(frame) = client.next() {
            assert_eq!(frame.payload, b"last words");
        }
    }
    // With a frame only half there, and in the middle of a close.
    let mut client = WebSocket::open(&daemon);
    client.send_raw(&[0x81, 0xfe]);
    client.half_close();
    assert_eq!(client.next(), None);
    let mut client = WebSocket::open(&daemon);
    client.send_close(1000, "");
    client.half_close();
    assert_eq!(client.closed().0, 1000);
    wait("their slots", || daemon.stats()["connections"] == 0 && daemon.stats()["closing"] == 0);
}

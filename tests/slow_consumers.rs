//! Slow consumers are told, not cut: 180 readers that are too slow, on plain connections and over TLS, with both
//! policies, small logs and default ones, publications of 100 to 8,000 bytes.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::daemon::websocket::narrow_socket;
use crate::daemon::{self, Daemon, Http, WebSocket};
use crate::wire::{BINARY, CLOSE, Frame, close_of};
use serde_json::Value;

const SIZES: [usize; 3] = [100, 1_000, 8_000];
const EACH: usize = 15;
const READERS: u64 = (SIZES.len() * EACH) as u64;

/// Between two frames that a slow reader takes.
const PACE: Duration = Duration::from_millis(50);

/// A subscriber's connection.
enum Line {
    Plain(WebSocket),
    #[cfg(feature = "tls")]
    Tls(Box<daemon::tls::TlsClient>),
}

impl Line {
    /// The next frame; None: the stream has ended.
    fn next(&mut self) -> Option<Frame> {
        match self {
            Line::Plain(client) => client.next(),
            #[cfg(feature = "tls")]
            Line::Tls(client) => client.next(),
        }
    }

    fn answer_close(&mut self, payload: &[u8]) {
        match self {
            Line::Plain(client) => client.send(CLOSE, payload),
            #[cfg(feature = "tls")]
            Line::Tls(client) => client.send_frame(CLOSE, payload),
        }
    }
}

/// How a reader has ended.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    /// Without a word.
    Cut,
    Told(u16),
    /// It has the newest publication.
    Newest,
}

fn body(size: usize, number: u64) -> Vec<u8> {
    let mut body = format!("{number:08}").into_bytes();
    body.resize(size, b'a' + (number % 26) as u8);
    body
}

/// Reads whole frames in order until it is over; how it ended, and how many gaps there were.
fn read(mut line: Line, size: usize, slow: bool, decided: &AtomicBool) -> (End, usize) {
    while !slow && !decided.load(Ordering::SeqCst) {
        std::thread::sleep(PACE);
    }
    let (mut last, mut gaps) = (0, 0);
    while let Some(frame) = line.next() {
        match frame.opcode {
            CLOSE => {
                line.answer_close(&frame.payload);
                assert_eq!(line.next(), None, "something behind the close frame");
                return (End::Told(close_of(&frame).0), gaps);
            }
            BINARY => {}
            _ => continue,
        }
        if frame.payload == b"the newest" {
            return (End::Newest, gaps);
        }
        let number = std::str::from_utf8(&frame.payload[..8]).ok().and_then(|text| text.parse().ok());
        let number: u64 = number.expect("a number");
        assert_eq!(frame.payload, body(size, number), "whole");
        assert!(number > last, "in order");
        gaps += usize::from(number > last + 1);
        last = number;
        if slow && !decided.load(Ordering::SeqCst) {
            std::thread::sleep(PACE);
        }
    }
    (End::Cut, gaps)
}

fn push(http: &mut Http, size: usize, count: u64, next: &mut u64) {
    let fields = [("Content-Type", "application/octet-stream")];
    let target = format!("/push?channel=public.{size}");
    let mut burst = Vec::new();
    for _ in 0..count {
        *next += 1;
        burst.extend(http.request("POST", &target, &fields, &body(size, *next)));
    }
    http.send(&burst);
    for _ in 0..count {
        assert_eq!(http.response().status, 200);
    }
}

/// One daemon's 45 readers; how they ended, and how many of them have seen a gap.
fn run(daemon: &Daemon, policy: &str, open: impl Fn(&Daemon, &str) -> Line) -> (BTreeMap<End, u64>, u64) {
    let decided = Arc::new(AtomicBool::new(false));
    let mut readers = Vec::new();
    for size in SIZES {
        for n in 0..EACH {
            let line = open(daemon, &format!("/ws?channel=public.{size}"));
            let decided = decided.clone();
            readers.push(std::thread::spawn(move || read(line, size, n % 2 == 0, &decided)));
        }
    }
    let mut http = daemon.admin_http();
    let mut next = [0; SIZES.len()];
    let number = |stats: &Value, name: &str| stats["counters"][name].as_u64().expect("a number");
    loop {
        for (size, next) in SIZES.into_iter().zip(&mut next) {
            push(&mut http, size, (40 * 100 / size as u64).max(2), next);
        }
        let stats = daemon.stats();
        let closed = stats["counters"]["closed"]["slow_consumer"].as_u64().expect("a number");
        let dealt_with = match policy {
            "close" => closed + stats["closing"].as_u64().expect("a number"),
            _ => closed + number(&stats, "slow_skipped") / 20,
        };
        if dealt_with >= READERS {
            break;
        }
        assert!(next[0] < 200_000, "the sockets take everything");
    }
    for size in SIZES {
        let fields = [("Content-Type", "application/octet-stream")];
        let target = format!("/push?channel=public.{size}");
        assert_eq!(http.ask("POST", &target, &fields, b"the newest").status, 200);
    }
    decided.store(true, Ordering::SeqCst);
    let (mut ends, mut with_gaps) = (BTreeMap::new(), 0);
    for reader in readers {
        let (end, gaps) = reader.join().expect("no panic");
        *ends.entry(end).or_insert(0) += 1;
        with_gaps += u64::from(gaps > 0);
    }
    daemon.wait_connections(0);
    let stats = daemon.wait_stats("nothing waits", |s| s["memory"]["backlog_bytes"] == 0);
    if policy == "close" {
        assert_eq!(stats["counters"]["closed"]["slow_consumer"], READERS);
        assert_eq!(number(&stats, "slow_skipped"), 0);
    }
    assert_eq!(number(&stats, "slow_cut"), 0, "there is room for every rest");
    (ends, with_gaps)
}

/// All 180. At most one in a hundred may be cut.
fn all(start: impl Fn(&[&str]) -> Daemon, open: impl Fn(&Daemon, &str) -> Line, kind: &str) {
    daemon::process::raise_own_limit();
    let (mut cut, mut saved) = (0, 0);
    for policy in ["close", "skip"] {
        for small in [true, false] {
            let mut flags = vec!["--slow-consumer", policy, "--heartbeat-ms", "0"];
            if small {
                flags.extend(["--log-publications", "16", "--log-bytes", "262144"]);
                flags.extend(["--admin-body-bytes-max", "100000"]);
            }
            let daemon = start(&flags);
            let (ends, with_gaps) = run(&daemon, policy, &open);
            saved += daemon.counter("rests_saved");
            eprintln!("{kind}, {policy}, small log {small}: {ends:?}, {with_gaps} with gaps");
            let of = |end| ends.get(&end).copied().unwrap_or(0);
            cut += of(End::Cut);
            match policy {
                "close" => assert_eq!(of(End::Told(1013)) + of(End::Cut), READERS, "{ends:?}"),
                _ => {
                    assert_eq!(of(End::Newest) + of(End::Cut), READERS, "{ends:?}");
                    assert!(with_gaps > READERS / 2, "{with_gaps} have skipped");
                }
            }
        }
    }
    assert!(cut * 100 <= 4 * READERS, "{cut} of {} were cut", 4 * READERS);
    assert!(saved > 0, "nobody was in the middle of a frame");
}

#[test]
fn on_plain_connections() {
    let open = |daemon: &Daemon, target: &str| {
        let client = WebSocket::ask_over(Http::over(narrow_socket(daemon)), target, &[]);
        Line::Plain(client.unwrap_or_else(|response| panic!("{}", response.status)))
    };
    all(Daemon::start, open, "plain");
}

#[cfg(feature = "tls")]
#[test]
fn over_tls() {
    let authority = daemon::tls::Authority::with_localhost();
    let open = |daemon: &Daemon, target: &str| {
        let config = authority.client().config();
        let mut client = daemon::tls::TlsClient::over(narrow_socket(daemon), config, "localhost");
        client.shake().expect("a handshake");
        client.upgrade(target);
        Line::Tls(Box::new(client))
    };
    let start = |flags: &[&str]| authority.daemon(&["one"], &[flags, &["--kernel-tls", "off"]].concat());
    all(start, open, "TLS");
}

#[test]
fn without_room_for_the_rest_it_is_the_end() {
    const LAGGARDS: u64 = 10;
    let flags = ["--backlog-bytes-max", "4096", "--log-publications", "4", "--heartbeat-ms", "0"];
    let daemon = Daemon::start(&flags);
    let clients: Vec<_> = (0..LAGGARDS).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    let mut next = 0;
    while daemon.stats()["connections"] != 0 {
        next += 1;
        let body = body(60_000, next);
        let fields = [("Content-Type", "application/octet-stream")];
        assert_eq!(daemon.ask("POST", "/push", &fields, &body).status, 200);
        assert!(next < 500, "the sockets take everything");
    }
    // Nobody is there any more, and everybody's end is in the books.
    let stats = daemon.stats();
    let cut = stats["counters"]["slow_cut"].as_u64().expect("a number");
    assert!(cut > 0 && cut + stats["closing"].as_u64().expect("a number") == LAGGARDS, "{stats}");
    let line = daemon.wait_log(|line| line.contains("action=disconnect"));
    assert!(line.contains("event=slow_consumer") && line.contains("backlog_bytes_max=4096"), "{line}");
    drop(clients);
}

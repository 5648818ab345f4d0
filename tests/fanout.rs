//! Broadcasts to many: everyone gets everything once and in order, whatever others do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::daemon::process::raise_own_limit;
use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::{BINARY, CLOSE, PING, close_of};
use serde_json::Value;

const CLIENTS: usize = 500;
const PUSHES: u64 = 100;

fn text(n: u64) -> String {
    format!("publication {n}")
}

/// Reads `from..=PUSHES`, each once and in order, and sees that nothing else is there.
fn read_all(client: &mut WebSocket, from: u64) {
    for n in from..=PUSHES {
        assert_eq!(client.text(), text(n));
    }
    assert_eq!(client.sync(), []);
}

#[test]
fn everyone_gets_everything_once_and_in_order() {
    raise_own_limit();
    let daemon = Daemon::start(&[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    let mut http = daemon.admin_http();
    for n in 1..=PUSHES {
        let answer = http.ask("POST", "/push", &[], text(n).as_bytes()).json();
        assert_eq!((&answer["recipients"], &answer["offset"]), (&CLIENTS.into(), &n.into()));
    }
    for client in &mut clients {
        read_all(client, 1);
    }
    let stats = daemon.stats();
    assert_eq!(stats["counters"]["deliveries"], CLIENTS as u64 * PUSHES);
    assert_eq!((&stats["connections"], &stats["blocked"]), (&CLIENTS.into(), &0.into()));
}

/// Publications made meanwhile are one write.
#[test]
fn a_burst_is_few_writes() {
    raise_own_limit();
    let daemon = Daemon::start(&[]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    let mut http = daemon.admin_http();
    let burst: Vec<u8> =
        (1..=PUSHES).flat_map(|n| http.request("POST", "/push", &[], text(n).as_bytes())).collect();
    let before = daemon.counter("sends");
    http.send(&burst);
    let mut last = Value::Null;
    for n in 1..=PUSHES {
        last = http.response().json();
        assert_eq!(last["offset"], n);
    }
    let delivery = daemon.wait_delivered(&last["receipt"]);
    assert_eq!(delivery["written"], CLIENTS);
    let (sends, deliveries) = (daemon.counter("sends") - before, daemon.counter("deliveries"));
    assert_eq!(deliveries, CLIENTS as u64 * PUSHES);
    eprintln!("a burst of {PUSHES} to {CLIENTS} connections: {deliveries} deliveries in {sends} sends");
    // One each if the burst is read at once. The kernel may hand it over in a few pieces.
    assert!(sends < 10 * CLIENTS as u64, "{sends} sends");
    for client in &mut clients {
        read_all(client, 1);
    }
}

#[test]
fn who_joins_meanwhile_gets_exactly_what_came_after() {
    raise_own_limit();
    const JOINERS: usize = 150;
    // Small slices: the walk is under way when somebody comes.
    let daemon = Arc::new(Daemon::start(&["--flush-slice", "16"]));
    let mut early: Vec<_> = (0..200).map(|_| WebSocket::open(&daemon)).collect();
    let begun = Arc::new(AtomicU64::new(0));
    let answered = Arc::new(AtomicU64::new(0));
    let (join, joined) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
    let joiner = std::thread::spawn({
        let (daemon, begun, answered) = (daemon.clone(), begun.clone(), answered.clone());
        let (join, joined) = (join.clone(), joined.clone());
        move || {
            let mut clients = Vec::new();
            while clients.len() < JOINERS {
                if !join.swap(false, Ordering::SeqCst) {
                    std::thread::yield_now();
                    continue;
                }
                for _ in 0..3 {
                    let before = answered.load(Ordering::SeqCst);
                    let client = WebSocket::open(&daemon);
                    clients.push((client, before, begun.load(Ordering::SeqCst)));
                }
                joined.fetch_add(1, Ordering::SeqCst);
            }
            clients
        }
    });
    let mut http = daemon.admin_http();
    for n in 1..=PUSHES {
        if n % 2 == 0 && n <= 2 * (JOINERS as u64 / 3) {
            // They come while the next two publications are on their way.
            join.store(true, Ordering::SeqCst);
        }
        begun.store(n, Ordering::SeqCst);
        assert_eq!(http.ask("POST", "/push", &[], text(n).as_bytes()).status, 200);
        answered.store(n, Ordering::SeqCst);
        if n % 2 == 1 && n > 1 {
            daemon::wait("the joiners", || joined.load(Ordering::SeqCst) >= n.min(PUSHES) / 2);
        }
    }
    for client in &mut early {
        read_all(client, 1);
    }
    for (client, before, begun) in &mut joiner.join().expect("no panic") {
        let got: Vec<String> =
            client.sync().iter().map(|f| String::from_utf8_lossy(&f.payload).into()).collect();
        let first = PUSHES + 1 - got.len() as u64;
        let expected: Vec<String> = (first..=PUSHES).map(text).collect();
        assert_eq!(got, expected, "a suffix without gaps");
        assert!(
            *before < first && first <= *begun + 1,
            "joined between {before} and {begun}, got {first} first"
        );
    }
}

#[test]
fn who_never_reads_holds_nobody_up() {
    raise_own_limit();
    const NEVER: usize = 5;
    const BYTES: usize = 4_000;
    let daemon = Daemon::start(&["--log-publications", "50"]);
    let mut clients: Vec<_> = (0..CLIENTS - NEVER).map(|_| WebSocket::open(&daemon)).collect();
    let silent: Vec<_> = (0..NEVER).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    let body = |n: u64| format!("{n} {}", "x".repeat(BYTES));
    let mut answers = Vec::new();
    for n in 1..=PUSHES {
        answers.push(daemon.push(&body(n)));
        if n % 10 != 0 {
            continue;
        }
        for client in &mut clients {
            // Everyone else has it, though some sockets are full.
            for n in n - 9..=n {
                assert!(client.text().starts_with(&format!("{n} ")));
            }
        }
    }
    let stats = daemon.wait_stats("the slow ones' end", |s| s["connections"] == CLIENTS - NEVER);
    assert_eq!(
        stats["counters"]["closed"]["slow_consumer"].as_u64().unwrap_or(0)
            + stats["closing"].as_u64().unwrap_or(0),
        NEVER as u64
    );
    for answer in &answers {
        let d = daemon.wait_delivered(&answer["receipt"]);
        let sum: u64 = ["written", "lagging", "skipped", "gone"].iter().filter_map(|k| d[k].as_u64()).sum();
        assert_eq!(d["recipients"], sum, "{d}");
        assert!(d["written"].as_u64() >= Some((CLIENTS - NEVER) as u64), "{d}");
    }
    drop(silent);
    for client in &mut clients {
        assert_eq!(client.sync(), []);
    }
}

/// Clients that will not read.
const NARROW: u64 = 4;

/// A publication of four bytes with its header. A socket's buffer gets full at the end of a segment, whose size is
/// a multiple of four: mostly at a frame's boundary, then.
fn short(n: u16) -> [u8; 2] {
    n.to_be_bytes()
}

fn open_narrow(daemon: &Daemon) -> Vec<WebSocket> {
    (0..NARROW).map(|_| WebSocket::open_narrow(daemon, "/ws")).collect()
}

/// Pushes bursts larger than the log until something is so, and one more.
fn overrun(daemon: &Daemon, so: impl Fn(&Value) -> bool) -> u16 {
    const BYTES: [(&str, &str); 1] = [("Content-Type", "application/octet-stream")];
    let mut http = daemon.admin_http();
    let (mut n, mut over) = (0, false);
    while !over {
        over = so(&daemon.stats());
        let burst = n + 1..=n + 100;
        let bytes = burst.clone().flat_map(|n| http.request("POST", "/push", &BYTES, &short(n)));
        let bytes: Vec<u8> = bytes.collect();
        http.send(&bytes);
        for _ in burst {
            assert_eq!(http.response().status, 200);
        }
        n += 100;
        assert!(n < 60_000, "the sockets take everything");
    }
    n
}

#[test]
fn a_slow_consumer_is_closed_with_1013() {
    let daemon = Daemon::start(&[
        "--log-publications",
        "16",
        "--close-wait-ms",
        "60000",
        "--pong-wait-ms",
        "60000",
        "--heartbeat-ms",
        "0",
    ]);
    let mut fast = WebSocket::open(&daemon);
    let mut narrow = open_narrow(&daemon);
    let reader = std::thread::spawn(move || {
        let mut next = 1;
        while let Some(frame) = fast.next() {
            if frame.opcode == CLOSE {
                break;
            }
            assert_eq!(frame.payload, short(next));
            next += 1;
        }
        next - 1
    });
    let pushed = overrun(&daemon, |s| s["connections"] == 1);
    let mut told = 0;
    for client in &mut narrow {
        let mut next = 1;
        // Whole frames in order, then the reason, whether it was in the middle of a frame or not.
        while let Some(frame) = client.next() {
            if frame.opcode == CLOSE {
                assert_eq!(close_of(&frame), (1013, "slow consumer".to_owned()));
                told += 1;
                client.send(CLOSE, &frame.payload);
                continue;
            }
            assert_eq!(frame.payload, short(next));
            next += 1;
        }
        assert!(next < pushed);
    }
    assert_eq!(told, NARROW);
    drop(narrow);
    daemon.wait_connections(1);
    assert_eq!(daemon.stats()["counters"]["closed"]["slow_consumer"], NARROW);
    daemon.wait_event("slow_consumer");
    let id = daemon.ask("GET", "/connections", &[], b"").json()["connections"][0]["id"].clone();
    let id = id.as_str().expect("an id").to_owned();
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{id}"), &[], b"").status, 200);
    assert_eq!(reader.join().expect("no panic"), pushed, "the fast one has everything");
}

#[test]
fn a_slow_consumer_may_skip_instead() {
    let daemon =
        Daemon::start(&["--log-publications", "16", "--slow-consumer", "skip", "--heartbeat-ms", "0"]);
    let mut narrow = open_narrow(&daemon);
    // All full. The last burst leaves them all behind.
    let pushed = overrun(&daemon, |s| s["blocked"] == NARROW);
    assert!(daemon.counter("slow_skipped") > 0);
    let mut stayed = 0;
    for client in &mut narrow {
        client.send(PING, b"end");
        let (mut next, mut gaps) = (1, 0);
        while let Some(frame) = client.next() {
            if frame.opcode != BINARY {
                // The answer to the ping stands between frames; what comes after it goes on in order.
                if next > pushed { break } else { continue }
            }
            let n = u16::from_be_bytes(frame.payload.try_into().expect("two bytes"));
            assert!(n >= next, "{n} after {}", next - 1);
            gaps += u32::from(n > next);
            next = n + 1;
            if n == pushed {
                break;
            }
        }
        if next == pushed + 1 {
            stayed += 1;
            assert!(gaps > 0);
        }
    }
    assert_eq!(stayed, NARROW);
    let answer = daemon.push("after");
    assert_eq!(answer["recipients"], stayed);
    assert_eq!(daemon.wait_delivered(&answer["receipt"])["written"], stayed);
}

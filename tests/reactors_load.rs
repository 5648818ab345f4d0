//! Several reactors under load: publishers on many threads, clients that come and go and are killed. And their memory.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::{PING, PONG};

const PUBLISHERS: u64 = 20;
const STAYING: usize = 40;
const CHURNING: u64 = 4;

/// How long publishers go on.
#[derive(Clone, Copy)]
enum Until {
    /// They have published so many each.
    Count(u64),
    /// So much time is over, with a pause of so many milliseconds behind each of theirs.
    Time(Duration, u64),
}

/// All that somebody has heard, in its order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    count: u64,
    hash: u64,
}

impl Heard {
    fn add(&mut self, text: &str) {
        let mut hasher = DefaultHasher::new();
        (self.hash, text).hash(&mut hasher);
        (self.count, self.hash) = (self.count + 1, hasher.finish());
    }
}

/// Clients that come and leave in one of three ways. They count how many there were.
fn churn(daemon: &Daemon, n: u64, is_over: &Arc<AtomicBool>, pause: Duration) -> JoinHandle<u64> {
    let (public, is_over) = (daemon.public, is_over.clone());
    thread::spawn(move || {
        let mut come = 0;
        // Not for ever: each leaves a port that can't be used for a minute.
        while come < 4_000 && !is_over.load(Ordering::Relaxed) {
            let Ok(mut client) = WebSocket::ask(public, "/ws?channel=c", &[]) else { continue };
            match (n + come) % 3 {
                0 => client.reset(),
                // Not the next publication: after the last one there is none.
                1 => drop(client.sync()),
                _ => client.send_close(1000, ""),
            }
            come += 1;
            thread::sleep(pause);
        }
        come
    })
}

/// Reads until every publisher has said its last word. Each one's publications come in their order.
fn read(mut client: WebSocket) -> JoinHandle<Heard> {
    thread::spawn(move || {
        let (mut heard, mut next, mut ended) = (Heard::default(), BTreeMap::new(), 0);
        while ended < PUBLISHERS {
            let frame = client.frame();
            if frame.opcode == PING {
                client.send(PONG, &frame.payload);
                continue;
            }
            let text = String::from_utf8(frame.payload).expect("a publication");
            let (publisher, number) = text.split_once('.').expect("a publication");
            let (expected, is_end) = (next.entry(publisher.to_owned()).or_insert(0_u64), number == "end");
            assert!(is_end || number == expected.to_string(), "{text}, and not {expected}");
            *expected += 1;
            ended += u64::from(is_end);
            heard.add(&text);
        }
        heard
    })
}

fn publish(daemon: &Daemon, publisher: u64, until: Until) -> JoinHandle<Vec<(u64, String)>> {
    let mut http = daemon::Http::tcp(daemon.admin());
    let (begun, mut n) = (Instant::now(), 0);
    thread::spawn(move || {
        let mut published = Vec::new();
        let mut push = |text: String| {
            let response = http.ask("POST", "/push?channel=c", &[], text.as_bytes());
            assert_eq!(response.status, 200, "{}", response.text());
            published.push((response.json()["offset"].as_u64().unwrap(), text));
        };
        loop {
            match until {
                Until::Count(count) if n == count => break,
                Until::Time(time, _) if begun.elapsed() >= time => break,
                Until::Time(_, pause_ms) => thread::sleep(Duration::from_millis(pause_ms)),
                Until::Count(_) => {}
            }
            push(format!("{publisher}.{n}"));
            n += 1;
        }
        push(format!("{publisher}.end"));
        published
    })
}

/// Those who stay get each offset once and in order. Returns how many publications and churning clients there were.
fn everybody_gets_everything(until: Until, pause: Duration) -> (u64, u64) {
    daemon::process::raise_own_limit();
    let daemon = Daemon::start(&["--reactors", "4", "--channels", "*"]);
    let staying = (0..STAYING).map(|_| WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=c"));
    let readers: Vec<JoinHandle<Heard>> = staying.map(read).collect();
    let is_over = Arc::new(AtomicBool::new(false));
    let churning: Vec<JoinHandle<u64>> = (0..CHURNING).map(|n| churn(&daemon, n, &is_over, pause)).collect();
    let publishers: Vec<_> = (0..PUBLISHERS).map(|n| publish(&daemon, n, until)).collect();
    let mut published: Vec<(u64, String)> =
        publishers.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    published.sort_unstable();
    assert!((1..).zip(&published).all(|(at, (offset, _))| at == *offset), "an offset twice or left out");
    let mut expected = Heard::default();
    published.iter().for_each(|(_, text)| expected.add(text));
    for reader in readers {
        assert_eq!(reader.join().unwrap(), expected);
    }
    is_over.store(true, Ordering::Relaxed);
    let come = churning.into_iter().map(|thread| thread.join().unwrap()).sum();
    (expected.count, come)
}

#[test]
fn everybody_gets_everything_once_and_in_order() {
    let (published, _) = everybody_gets_everything(Until::Count(50), Duration::ZERO);
    assert_eq!(published, PUBLISHERS * 51);
}

/// `./test soak`.
#[test]
#[ignore = "takes ten minutes"]
fn everybody_gets_everything_for_ten_minutes() {
    let until = Until::Time(Duration::from_secs(600), 100);
    let (published, come) = everybody_gets_everything(until, Duration::from_millis(150));
    println!("{published} publications to {STAYING} clients, while {come} came and left");
    assert!(published > PUBLISHERS * 100 && come > 1_000, "{published} {come}");
}

#[test]
fn a_further_reactor_takes_less_than_a_mebibyte() {
    const MORE: u64 = 8;
    let sizes: Vec<u64> = [1, 1 + MORE]
        .iter()
        .map(|reactors| {
            let daemon = Daemon::start(&["--reactors", &reactors.to_string()]);
            // Every one has had its turns.
            let clients: Vec<WebSocket> = (0..2 * (1 + MORE)).map(|_| WebSocket::open(&daemon)).collect();
            daemon.push_to("/push", "all");
            daemon.wait_connections(clients.len() as u64);
            drop(clients);
            daemon.wait_connections(0);
            daemon::process::rss_bytes(daemon.pid())
        })
        .collect();
    let each = sizes[1].saturating_sub(sizes[0]) / MORE;
    assert!(each <= 1 << 20, "{each} bytes: {sizes:?}");
}

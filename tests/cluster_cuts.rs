//! A cluster whose nodes die in the middle of a publish, whose connections are cut, and whose clocks differ.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};

use crate::cluster::{metric, node, numbered, open, publications, push_when_back, readiness};
use crate::daemon::redis::Redis;
use crate::daemon::{Daemon, program, wait};

/// A proxy between nodes and their server: it passes everything on, until it cuts.
struct Proxy {
    at: SocketAddr,
    open: Arc<Mutex<Vec<TcpStream>>>,
    /// So many bytes of answers are still passed on.
    left: Arc<AtomicU64>,
    /// All that nodes have said.
    asked: Arc<Mutex<Vec<u8>>>,
}

impl Proxy {
    fn before(server: SocketAddr) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let at = listener.local_addr().expect("an address");
        let (open, left) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicU64::new(u64::MAX)));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let proxy = Proxy { at, open: open.clone(), left: left.clone(), asked: asked.clone() };
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(server) else { continue };
                let streams = [&client, &server].map(|stream| stream.try_clone().expect("a copy"));
                open.lock().expect("streams").extend(streams);
                let copies = [&client, &server].map(|stream| stream.try_clone().expect("a copy"));
                let [client_too, server_too] = copies;
                let (left, asked) = (left.clone(), asked.clone());
                let note = move |bytes: &[u8]| asked.lock().expect("bytes").extend_from_slice(bytes);
                thread::spawn(move || pass(client, server_too, &AtomicU64::new(u64::MAX), note));
                thread::spawn(move || pass(server, client_too, &left, |_| {}));
            }
        });
        proxy
    }

    fn url(&self) -> String {
        format!("redis://{}", self.at)
    }

    /// Whether a node has said this.
    fn has_passed(&self, text: &str) -> bool {
        self.asked.lock().expect("bytes").windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// Cuts all connections.
    fn cut(&self) {
        for stream in self.open.lock().expect("streams").drain(..) {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
        self.left.store(u64::MAX, Ordering::SeqCst);
    }

    /// Passes so many bytes of answers on, and nothing more.
    fn pass_only(&self, bytes: u64) {
        self.left.store(bytes, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicU64, note: impl Fn(&[u8])) {
    let mut buffer = [0; 4_096];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        let take = |left: u64| Some(if left == u64::MAX { left } else { left.saturating_sub(count as u64) });
        let before = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, take).expect("always");
        let passed = usize::try_from(before).unwrap_or(usize::MAX).min(count);
        if to.write_all(&buffer[..passed]).is_err() {
            return;
        }
        note(&buffer[..passed]);
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
}

fn epoch_of(at: &Value) -> u64 {
    at["epoch"].as_str().and_then(|epoch| epoch.parse().ok()).unwrap_or_else(|| panic!("an epoch: {at}"))
}

#[test]
fn a_node_dies_in_the_middle_of_a_publish_and_the_publisher_repeats_it_elsewhere() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.address());
    let (mut first, second) =
        (Daemon::start(&["--channels", "*", "--cluster", &proxy.url()]), node(&redis, &[]));
    let (mut client, at) = open(&second, "channel=news");
    let epoch = epoch_of(&at);
    first.push_to("/push?channel=news", "1");
    // It is with Redis, which has not looked at it.
    let (address, target) = (first.admin(), "/push?channel=news&idempotency_key=of-this-one");
    let request = format!(
        "POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nContent-Length: 1\r\n\r\n2"
    );
    let mut publisher = loop {
        redis.signal("STOP");
        let mut publisher = TcpStream::connect(address).expect("the admin listener");
        publisher.write_all(request.as_bytes()).expect("it takes it");
        publisher.set_nonblocking(true).expect("an option");
        let mut is_answered = false;
        wait("it is handed over", || {
            is_answered = publisher.peek(&mut [0]).is_ok();
            is_answered || proxy.has_passed("of-this-one")
        });
        publisher.set_nonblocking(false).expect("an option");
        if !is_answered {
            break publisher;
        }
        // The node had something else to say just then, and has waited for that in vain.
        redis.signal("CONT");
        wait("it is back", || readiness(&first) == 200);
    };
    first.signal("KILL");
    first.wait_exit();
    let mut answer = Vec::new();
    let _ = publisher.read_to_end(&mut answer);
    assert!(answer.is_empty(), "nobody has answered: {}", String::from_utf8_lossy(&answer));
    redis.signal("CONT");
    let again = push_when_back(&second, target, "2");
    assert_eq!((&again["offset"], &again["duplicate"]), (&json!(2), &json!(true)), "{again}");
    assert_eq!(push_when_back(&second, "/push?channel=news", "3")["offset"], 3);
    assert_eq!(publications(&mut client, epoch, 3), numbered(1..=3));
    assert_eq!(metric(&second, "wspush_cluster_epochs_total"), 0);
}

#[test]
fn connections_are_cut_wherever_an_answer_is_and_nothing_is_lost_or_doubled() {
    let redis = Redis::start(&[]);
    let proxy = Proxy::before(redis.address());
    let url = proxy.url();
    let daemon = Daemon::start(&["--channels", "*", "--cluster", &url]);
    let other = node(&redis, &[]);
    let ((mut here, at), (mut there, _)) = (open(&daemon, "channel=news"), open(&other, "channel=news"));
    let epoch = epoch_of(&at);
    // After so many bytes of the next answers, which are those of readers and of the writer.
    let cuts = [0, 1, 5, 23, 60, 111, 180, 300];
    for (n, bytes) in (0u64..).zip(cuts) {
        proxy.pass_only(bytes);
        let text = (2 * n + 1).to_string();
        let target = format!("/push?channel=news&idempotency_key=key{n}");
        let headers = [("Content-Type", "text/plain")];
        let status = daemon.ask("POST", &target, &headers, text.as_bytes()).status;
        assert!([200, 503].contains(&status), "{status}");
        proxy.cut();
        assert_eq!(push_when_back(&daemon, &target, &text)["offset"], 2 * n + 1);
        assert_eq!(
            push_when_back(&other, "/push?channel=news", &(2 * n + 2).to_string())["offset"],
            2 * n + 2
        );
        wait("it is back", || readiness(&daemon) == 200);
    }
    let last = 2 * cuts.len() as u64;
    for client in [&mut here, &mut there] {
        assert_eq!(publications(client, epoch, 2 * cuts.len()), numbered(1..=last));
    }
    for one in [&daemon, &other] {
        assert_eq!(metric(one, "wspush_cluster_epochs_total") + metric(one, "wspush_cluster_gaps_total"), 0);
    }
    assert!(metric(&daemon, "wspush_cluster_losses_total") > 0);
}

/// A node whose clock is wrong by so much. It is a process of its own: one below `faketime` would outlive the test.
fn with_clock(redis: &Redis, offset: &str, more: &[&str]) -> Daemon {
    let library = Command::new("faketime").args(["-f", "+0", "printenv", "LD_PRELOAD"]).output();
    let library = String::from_utf8(library.expect("faketime is installed (./test does it)").stdout).unwrap();
    let mut command = Command::new(program());
    // Clocks that only go forward are as they are.
    command
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME", offset)
        .env("LD_PRELOAD", library.trim());
    Daemon::start_by(command, &[&["--channels", "*", "--cluster", &redis.url()], more].concat())
}

#[test]
fn clocks_that_differ_by_days_change_no_order() {
    let mut redis = Redis::start(&[]);
    let local = ["--cluster-down", "local"];
    let (ahead, behind) = (with_clock(&redis, "+2d", &local), with_clock(&redis, "-2d", &local));
    let ((mut one, at), (mut two, _)) = (open(&ahead, "channel=news"), open(&behind, "channel=news"));
    let mut epoch = epoch_of(&at);
    for number in 1..=10u64 {
        let daemon = if number % 2 == 0 { &ahead } else { &behind };
        let place = daemon.push_to("/push?channel=news", &number.to_string());
        assert_eq!((&place["epoch"], &place["offset"]), (&json!(epoch), &json!(number)), "{place}");
    }
    for client in [&mut one, &mut two] {
        assert_eq!(publications(client, epoch, 10), numbered(1..=10));
    }
    let (mut again, at) = open(&behind, &format!("channel=news&since={epoch}.5"));
    assert_eq!(at["recovered"], true);
    assert_eq!(publications(&mut again, epoch, 5), numbered(6..=10));
    // Each goes on alone, in lives by such clocks, and the one that follows is younger than both.
    redis.kill();
    wait("both have noticed", || [&ahead, &behind].iter().all(|node| metric(node, "wspush_cluster_up") == 0));
    let own =
        [&ahead, &behind].map(|node| node.push_to("/push?channel=news", "1")["epoch"].as_u64().unwrap());
    assert!(own.iter().all(|own| *own > epoch), "{own:?} {epoch}");
    redis.restart();
    wait("both are back", || [&ahead, &behind].iter().all(|node| metric(node, "wspush_cluster_up") == 1));
    let place = push_when_back(&behind, "/push?channel=news", "end");
    epoch = place["epoch"].as_u64().unwrap();
    assert!(own.iter().all(|own| *own < epoch), "{own:?} {epoch}");
    for client in [&mut one, &mut two] {
        let last = std::iter::repeat_with(|| client.next()).find(|said| said["data"] == "end").unwrap();
        assert_eq!((&last["epoch"], &last["offset"]), (&json!(epoch.to_string()), &place["offset"]));
    }
}

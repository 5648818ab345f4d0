//! A daemon hands everything to its successor, and no client notices.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::daemon::events::EventStream;
use crate::daemon::{Daemon, Http, WebSocket, process, program, wait};
use crate::poll::answer;
use crate::presence::{SECRET, token};
use crate::v1::Client;
use crate::wire::{TEXT, masked};

/// A folder for the socket, gone when the test is over.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Folder {
        let path = std::env::temp_dir().join(format!("wspush-handover-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Folder(path)
    }

    fn socket(&self) -> PathBuf {
        self.0.join("handover.sock")
    }

    /// The value of `handover`.
    pub(crate) fn address(&self) -> String {
        format!("unix:{}", self.socket().display())
    }

    /// Whether a daemon waits there for its successor.
    pub(crate) fn exists(&self) -> bool {
        self.socket().exists()
    }

    fn flags<'a>(&self, more: &[&'a str]) -> Vec<&'a str> {
        // It lives as long as the test's process.
        let at: &'static str = self.address().leak();
        [&["--channels", "*", "--handover", at], more].concat()
    }

    /// A daemon, which takes over from the one that is running.
    pub(crate) fn start(&self, more: &[&str]) -> Daemon {
        let daemon = Daemon::start(&self.flags(more));
        wait("the socket", || self.socket().exists());
        daemon
    }

    /// The same to which something happens on the way.
    fn start_with(&self, fault: &str, more: &[&str]) -> Doomed {
        let flags = [&["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"], &self.flags(more)[..]].concat();
        let mut command = Command::new(program());
        command.env("HANDOVER_FAULT", fault).args(flags).stdin(Stdio::null()).stderr(Stdio::null());
        Doomed(command.spawn().expect("it starts"))
    }

    /// Lets another daemon take over; the former one has ended as it should.
    pub(crate) fn succeed(&self, mut former: Daemon, more: &[&str]) -> Daemon {
        let daemon = self.start(more);
        assert_eq!((daemon.public, daemon.admin_address()), (former.public, former.admin_address()));
        assert!(former.wait_exit().success(), "{}", former.log());
        assert_eq!(former.events("handed_over"), 1);
        daemon
    }
}

/// A daemon that doesn't outlive the test.
struct Doomed(Child);

impl Drop for Doomed {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn number(text: &str) -> usize {
    text.parse().unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A subscriber, which takes one publication at a time.
enum Subscriber {
    Plain(WebSocket),
    V1(Client),
    Events(EventStream),
    Lines(EventStream),
}

impl Subscriber {
    fn nth(daemon: &Daemon, n: usize) -> Subscriber {
        match n % 4 {
            0 => Subscriber::Plain(WebSocket::open(daemon)),
            1 => Subscriber::V1(Client::open(daemon, "", &["broadcast"])),
            2 => Subscriber::Events(EventStream::open(daemon, "/sse")),
            _ => {
                let mut lines = EventStream::open(daemon, "/stream");
                assert!(lines.line().expect("a line").contains("subscribed"));
                Subscriber::Lines(lines)
            }
        }
    }

    /// The number in the next publication.
    fn next(&mut self) -> usize {
        let data = |said: &Value| number(said["data"].as_str().unwrap_or_else(|| panic!("{said}")));
        match self {
            Subscriber::Plain(socket) => number(&socket.text()),
            Subscriber::V1(client) => data(&client.next()),
            Subscriber::Events(stream) => number(&stream.data()),
            Subscriber::Lines(stream) => {
                let line = stream.line().expect("a line");
                data(&serde_json::from_str(&line).expect("JSON"))
            }
        }
    }
}

#[test]
fn a_crowd_loses_nothing_under_publications_and_churn() {
    lose_nothing("crowd", 500, &[]);
}

#[test]
fn the_crowd_of_several_reactors_loses_nothing() {
    lose_nothing("crowds", 300, &["--reactors", "3"]);
}

fn lose_nothing(name: &str, crowd_size: usize, flags: &[&str]) {
    const HANDOVERS: usize = 3;
    /// Publications from one to the next, at the most.
    const PART: usize = 300;
    process::raise_own_limit();
    let folder = Folder::new(name);
    let mut daemon = folder.start(flags);
    let mut crowd: Vec<Subscriber> = (0..crowd_size).map(|n| Subscriber::nth(&daemon, n)).collect();
    let (public, admin) = (daemon.public, daemon.admin());
    let (is_over, published) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    // Nobody reads meanwhile, and all of it has to fit into the sockets.
    let allowed = Arc::new(AtomicUsize::new(PART));
    let (over, count, most) = (is_over.clone(), published.clone(), allowed.clone());
    let publisher = thread::spawn(move || {
        let mut kept = Http::tcp(admin);
        while !over.load(Ordering::Acquire) {
            let n = count.load(Ordering::Acquire);
            thread::sleep(Duration::from_millis(5));
            if n >= most.load(Ordering::Acquire) {
                continue;
            }
            let text = n.to_string();
            let fields = [("Content-Type", "text/plain")];
            // One on a connection that goes on, and one on a connection of its own.
            let response = match n % 2 {
                0 => kept.ask("POST", "/push", &fields, text.as_bytes()),
                _ => Http::tcp(admin).ask("POST", "/push", &fields, text.as_bytes()),
            };
            assert_eq!(response.status, 200, "{}", response.text());
            assert_eq!(response.json()["offset"], n + 1, "offsets have no holes");
            count.store(n + 1, Ordering::Release);
        }
    });
    let (over, came) = (is_over.clone(), Arc::new(AtomicUsize::new(0)));
    let counted = came.clone();
    let churn = thread::spawn(move || {
        while !over.load(Ordering::Acquire) {
            let mut client = WebSocket::ask(public, "/ws", &[]).expect("it is let in");
            let got = client.sync();
            let numbers: Vec<usize> =
                got.iter().map(|frame| number(str::from_utf8(&frame.payload).expect("UTF-8"))).collect();
            assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
            counted.fetch_add(1, Ordering::AcqRel);
        }
    });
    for _ in 0..HANDOVERS {
        let (before, arrivals) = (published.load(Ordering::Acquire), came.load(Ordering::Acquire));
        wait("publications", || published.load(Ordering::Acquire) > before + 20);
        wait("arrivals", || came.load(Ordering::Acquire) > arrivals + 2);
        daemon = folder.succeed(daemon, flags);
        allowed.store(published.load(Ordering::Acquire) + PART, Ordering::Release);
    }
    let before = published.load(Ordering::Acquire);
    wait("publications", || published.load(Ordering::Acquire) > before + 20);
    is_over.store(true, Ordering::Release);
    publisher.join().unwrap();
    churn.join().unwrap();
    let all = published.load(Ordering::Acquire);
    for (n, subscriber) in crowd.iter_mut().enumerate() {
        for expected in 0..all {
            assert_eq!(subscriber.next(), expected, "subscriber {n}");
        }
    }
    daemon.wait_connections(crowd_size as u64);
    assert_eq!(daemon.stats()["counters"]["closed"]["slow_consumer"], 0);
}

#[test]
fn what_is_half_said_is_said_to_its_end() {
    let folder = Folder::new("half");
    let flags = ["--handshake-ms", "60000"];
    let daemon = folder.start(&flags);
    let mut talker = Client::open(&daemon, "broadcast=no", &[]);
    let command = masked(true, TEXT, br#"{"id":1,"ping":{}}"#);
    // Within a header, within a payload, and a fragment that is whole.
    talker.0.send_raw(&command[..1]);
    let mut second = Client::open(&daemon, "broadcast=no", &[]);
    second.0.send_raw(&command[..12]);
    let mut third = Client::open(&daemon, "broadcast=no", &[]);
    third.0.send_raw(&masked(false, TEXT, br#"{"id":1,"#));
    let mut request = Http::tcp(daemon.public);
    request.send(b"GET /healthz HTTP/1.1\r\nHo");
    let mut push = daemon.admin_http();
    let asked = push.request("POST", "/push", &[("Content-Type", "text/plain")], b"whole");
    push.send(&asked[..asked.len() - 2]);
    // One that reads nothing stands in the middle of a frame, with others behind it.
    let mut slow = WebSocket::open_narrow(&daemon, "/ws");
    let texts: Vec<String> = (0..4).map(|n| n.to_string().repeat(900_000)).collect();
    let receipts: Vec<Value> = texts.iter().map(|text| daemon.push(text)).collect();
    daemon.wait_stats("a full socket", |stats| stats["blocked"] == 1);
    let direct = format!("/push?conn={}", daemon.id_of(&slow));
    daemon.push_to(&direct, "to you alone");
    let daemon = folder.succeed(daemon, &flags);
    assert_eq!(daemon.stats()["blocked"], 1);
    talker.0.send_raw(&command[1..]);
    second.0.send_raw(&command[12..]);
    third.0.send_raw(&masked(true, 0, br#""ping":{}}"#));
    for client in [&mut talker, &mut second, &mut third] {
        assert_eq!(client.next(), json!({"id": 1, "pong": {}}));
    }
    request.send(b"st: a\r\n\r\n");
    assert_eq!(request.response().status, 200);
    push.send(&asked[asked.len() - 2..]);
    assert_eq!(push.response().json()["offset"], 5);
    for text in &texts {
        assert!(slow.text() == *text, "as it was published");
    }
    assert_eq!((slow.text(), slow.text()), ("to you alone".to_owned(), "whole".to_owned()));
    let delivery = daemon.wait_delivered(&receipts[3]["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["written"]), (&json!(1), &json!(1)));
}

#[test]
fn who_is_there_stays_there() {
    stay_there("users", "1");
}

#[test]
fn who_is_there_at_several_reactors_stays_there() {
    stay_there("users-of-several", "3");
}

fn stay_there(name: &str, reactors: &str) {
    let folder = Folder::new(name);
    let flags = [
        "--reactors",
        reactors,
        "--auth",
        "required",
        "--auth-secret",
        SECRET,
        "--channel-rule",
        "room.* presence=true clients=subscribe+publish+presence+history",
    ];
    let daemon = folder.start(&flags);
    let client = |daemon: &Daemon, user: &str| {
        let mut client = Client::open_with(daemon, &format!("broadcast=no&token={}", token(user, None)), &[]);
        assert_eq!(client.next()["connected"]["user"], user);
        let answer = client.ask(&json!({"id": 1, "subscribe": {"channel": "room.a", "presence": true}}));
        assert!(answer["subscribed"]["presence"]["count"].as_u64() > Some(0), "{answer}");
        client
    };
    let (mut ann, mut bob) = (client(&daemon, "ann"), client(&daemon, "bob"));
    assert_eq!(ann.next(), json!({"join": {"channel": "room.a", "user": "bob"}}));
    let conn = daemon.ask("GET", "/users/ann", &[], b"").json();
    let eve = token("eve", None);
    daemon.ask("DELETE", "/users/eve?revoke=yes", &[], b"");
    let before = daemon.push_to("/push?channel=room.a&idempotency_key=k", "once");
    let mut poll = Http::tcp(daemon.public);
    let position = format!("{}.1", before["epoch"]);
    let target = format!("/poll?broadcast=no&channel=room.a&since={position}&token={}", token("cat", None));
    poll.send(&poll.request("GET", &target, &[], b""));
    assert_eq!(ann.next()["data"], "once");
    assert_eq!(ann.next(), json!({"join": {"channel": "room.a", "user": "cat"}}));
    let daemon = folder.succeed(daemon, &flags);
    assert_eq!(daemon.ask("GET", "/users/ann", &[], b"").json(), conn, "ids are what they were");
    let again = daemon.push_to("/push?channel=room.a&idempotency_key=k", "once");
    assert_eq!((&again["receipt"], &again["duplicate"]), (&before["receipt"], &json!(true)));
    assert_eq!(bob.next()["data"], "once");
    assert_eq!(bob.next(), json!({"join": {"channel": "room.a", "user": "cat"}}));
    let seen = ann.ask(&json!({"id": 2, "presence": {"channel": "room.a"}}));
    let users: Vec<&Value> =
        seen["presence"]["members"].as_array().unwrap().iter().map(|member| &member["user"]).collect();
    assert_eq!(users, ["ann", "bob", "cat"]);
    let said = bob.ask(&json!({"id": 3, "publish": {"channel": "room.a", "data": "hello"}}));
    assert_eq!(said["published"]["offset"], 2);
    assert_eq!(ann.next()["data"], "hello");
    let (response, lines) = answer(&mut poll);
    assert_eq!((response.status, &lines[0]["data"], &lines[0]["offset"]), (200, &json!("hello"), &json!(2)));
    daemon.push_to("/push?user=ann", "only you");
    assert_eq!(ann.next()["message"]["data"], "only you");
    bob.0.close(1000);
    assert_eq!(ann.next(), json!({"leave": {"channel": "room.a", "user": "bob"}}));
    let refused = WebSocket::ask(daemon.public, &format!("/ws?token={eve}"), &[]);
    assert_eq!(refused.err().map(|response| response.status), Some(401), "revoked is revoked");
}

#[test]
fn a_successor_that_dies_anywhere_leaves_all_as_it_was() {
    survive_deaths("deaths", &[]);
}

#[test]
fn and_so_with_several_reactors() {
    survive_deaths("deaths-of-several", &["--reactors", "2"]);
}

fn survive_deaths(name: &str, flags: &[&str]) {
    let folder = Folder::new(name);
    let daemon = folder.start(flags);
    let mut crowd: Vec<Subscriber> = (0..12).map(|n| Subscriber::nth(&daemon, n)).collect();
    let mut channels: Vec<WebSocket> =
        (0..12).map(|n| WebSocket::open_at(&daemon, &format!("/ws?broadcast=no&channel=c{n}"))).collect();
    let mut deaths = 0;
    loop {
        let fault = format!("die:{}", deaths + 1);
        let mut child = folder.start_with(&fault, flags);
        let mut status = None;
        wait("its end, or its taking over", || {
            status = child.0.try_wait().expect("a child");
            status.is_some() || daemon.events("handed_over") > 0
        });
        if status.is_none() {
            // All points are passed.
            break;
        }
        assert!(!status.expect("it has ended").success());
        deaths += 1;
        let n = deaths - 1;
        assert_eq!(daemon.push(&n.to_string())["offset"], n + 1);
        crowd.iter_mut().for_each(|subscriber| assert_eq!(subscriber.next(), n));
        daemon.push_to(&format!("/push?channel=c{}", n % 12), "here");
        assert_eq!(channels[n % 12].text(), "here");
        assert!(WebSocket::ask(daemon.public, "/ws", &[]).is_ok(), "newcomers are let in");
    }
    assert!(deaths >= 20, "{deaths} points");
}

#[test]
fn a_successor_that_stands_still_is_not_waited_for() {
    let folder = Folder::new("still");
    let daemon = folder.start(&[]);
    let mut client = WebSocket::open(&daemon);
    // Before it has taken in anything, and in front of the last word.
    for (n, point) in ["stop:4", "stop:11"].into_iter().enumerate() {
        let mut child = folder.start_with(point, &[]);
        wait("that it is not waited for", || daemon.events("handover_failed") == n + 1);
        assert_eq!(daemon.push(&n.to_string())["recipients"], 1);
        assert_eq!(number(&client.text()), n);
        process::signal(child.0.id(), "CONT");
        assert!(!child.0.wait().expect("it ends").success(), "it has come too late");
        assert_eq!(daemon.push("after")["recipients"], 1);
        assert_eq!(client.text(), "after");
    }
}

#[test]
fn only_a_successor_is_answered() {
    let folder = Folder::new("strangers");
    let daemon = folder.start(&[]);
    let mode = std::fs::metadata(folder.socket()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    for (n, said) in
        [&b"GET / HTTP/1.1\r\n\r\n"[..], b"wspushHO\xff\xff\0\0", b"wspu"].into_iter().enumerate()
    {
        let mut stream = UnixStream::connect(folder.socket()).unwrap();
        stream.write_all(said).unwrap();
        let mut answer = Vec::new();
        // A server that has not read everything resets the connection.
        let _ = stream.read_to_end(&mut answer);
        let is_told = String::from_utf8_lossy(&answer).contains("this one takes version 65535");
        assert_eq!(is_told, n == 1, "{answer:?}");
        wait("the line of it", || daemon.events("handover_failed") == n + 1);
    }
    let mut client = WebSocket::open(&daemon);
    daemon.push("on");
    assert_eq!(client.text(), "on");
    // One with less room is no successor.
    let _crowd: Vec<WebSocket> = (0..40).map(|_| WebSocket::open(&daemon)).collect();
    let (status, said) = Daemon::refused(&folder.flags(&["--max-connections", "1"]));
    assert!(!status.success() && said.contains("room for fewer connections here (max_connections"), "{said}");
    assert_eq!(daemon.push("still")["recipients"], 41);
    assert_eq!(client.text(), "still");
    // Nor is one with another number of reactors.
    let (status, said) = Daemon::refused(&folder.flags(&["--reactors", "2"]));
    assert!(!status.success() && said.contains("it takes as many (--reactors 1)"), "{said}");
    assert_eq!(daemon.push("and still")["recipients"], 41);
    assert_eq!(client.text(), "and still");
}

#[test]
fn paths_go_with_whoever_has_them() {
    let folder = Folder::new("paths");
    let admin = folder.0.join("admin.sock");
    let at = format!("unix:{}", admin.display());
    let flags = ["--admin", at.as_str()];
    let mut daemon = folder.start(&flags);
    let mut kept = daemon.admin_http();
    assert_eq!(kept.ask("GET", "/stats", &[], b"").status, 200);
    for _ in 0..2 {
        daemon = folder.succeed(daemon, &flags);
        assert_eq!(daemon.ask("GET", "/stats", &[], b"").status, 200);
        assert_eq!(kept.ask("GET", "/stats", &[], b"").status, 200, "this connection goes on");
    }
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
    let names: Vec<_> =
        std::fs::read_dir(&folder.0).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.is_empty(), "{names:?}");
}

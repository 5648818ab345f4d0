//! Heartbeats: silence is asked about, an answer keeps the connection, no answer ends it.

use std::time::Duration;

use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::{CLOSE, PING, PONG, TEXT};

#[test]
fn who_answers_stays_and_who_does_not_is_dropped() {
    let daemon = Daemon::start(&["--heartbeat-ms", "200", "--pong-wait-ms", "2000"]);
    let mut silent = WebSocket::open(&daemon);
    let mut alive = WebSocket::open(&daemon);
    let silent_hears = std::thread::spawn(move || {
        let ping = silent.frame();
        assert_eq!((ping.opcode, ping.payload), (PING, vec![]));
        // It hears nothing more, not even a close frame: nobody is there to read it.
        assert_eq!(silent.next(), None);
    });
    let mut pings = 0;
    // The silent one is gone only after the one that answers was asked several times.
    while daemon.stats()["connections"] == 2 || pings < 3 {
        let ping = alive.frame();
        assert_eq!(ping.opcode, PING);
        alive.send(PONG, &ping.payload);
        pings += 1;
    }
    silent_hears.join().expect("no panic");
    let stats = daemon.stats();
    assert_eq!((&stats["connections"], &stats["counters"]["closed"]["heartbeat"]), (&1.into(), &1.into()));
    assert!(stats["counters"]["pings_sent"].as_u64() > Some(pings));
}

#[test]
fn anything_said_is_a_sign_of_life() {
    let daemon = Daemon::start(&["--heartbeat-ms", "200", "--pong-wait-ms", "2000"]);
    let mut talker = WebSocket::open(&daemon);
    let mut silent = WebSocket::open(&daemon);
    let mut pings = 0;
    // Pings are not answered as such, but there is a text now and then.
    while daemon.stats()["connections"] == 2 {
        assert_eq!(talker.frame().opcode, PING);
        pings += 1;
        talker.send(TEXT, b"busy");
    }
    assert!(pings > 1);
    assert_eq!(silent.frame().opcode, PING);
    assert_eq!(silent.next(), None);
    assert!(talker.sync().iter().all(|frame| frame.opcode == PING));
    assert_eq!(daemon.stats()["counters"]["closed"]["heartbeat"], 1);
}

#[test]
fn a_pong_that_nobody_has_asked_for_keeps_it_open() {
    let daemon = Daemon::start(&["--heartbeat", "pong", "--heartbeat-ms", "150", "--pong-wait-ms", "100"]);
    let mut client = WebSocket::open(&daemon);
    for _ in 0..4 {
        let pong = client.frame();
        assert_eq!((pong.opcode, pong.payload), (PONG, vec![]), "and it says nothing");
    }
    assert_eq!(daemon.stats()["connections"], 1);
    assert!(daemon.counter("pings_sent") >= 4);
}

#[test]
fn who_answers_need_not_answer_as_often() {
    let daemon = Daemon::start(&["--heartbeat-ms", "100", "--heartbeat-max-ms", "3600000"]);
    let often = Daemon::start(&["--heartbeat-ms", "100"]);
    let (mut client, mut other) = (WebSocket::open(&daemon), WebSocket::open(&often));
    // While another server asks thirty times, this one asks after 100, 200, 400, 800, 1600 ms ..
    for _ in 0..30 {
        assert_eq!(other.frame().opcode, PING);
        other.send(PONG, b"");
        client.send_raw(&[]);
        if daemon.counter("pings_sent") > 0 && client.leftover() == 0 {
            client.stream().set_nonblocking(true).expect("a socket");
            let waits = client.stream().peek(&mut [0; 2]).is_ok();
            client.stream().set_nonblocking(false).expect("a socket");
            if waits {
                assert_eq!(client.frame().opcode, PING);
                client.send(PONG, b"");
            }
        }
    }
    assert!(daemon.counter("pings_sent") < often.counter("pings_sent") / 2);
}

#[test]
fn the_cpu_time_is_told_by_purpose() {
    let daemon = Daemon::start(&["--heartbeat-ms", "100"]);
    let mut client = WebSocket::open(&daemon);
    let purposes = ["accept", "read", "flush", "heartbeat", "other"];
    let spent = |stats: &serde_json::Value| -> u64 {
        let spent = &stats["counters"]["cpu_microseconds"];
        purposes.iter().map(|purpose| spent[purpose].as_u64().expect("a purpose")).sum()
    };
    daemon::wait("some of it", || {
        daemon.push("x");
        spent(&daemon.stats()) > 0
    });
    let metrics = String::from_utf8(daemon.ask("GET", "/metrics", &[], b"").body).expect("text");
    for purpose in purposes {
        assert!(
            metrics.contains(&format!("\nwspush_cpu_seconds_total{{purpose=\"{purpose}\"}} ")),
            "{metrics}"
        );
    }
    client.sync();
}

#[test]
fn zero_means_never() {
    let daemon = Daemon::start(&["--heartbeat-ms", "0"]);
    let other = Daemon::start(&["--heartbeat-ms", "200"]);
    let mut client = WebSocket::open(&daemon);
    let mut pinged = WebSocket::open(&other);
    // While another server has asked a few times, this one hasn't.
    for _ in 0..2 {
        assert_eq!(pinged.frame().opcode, PING);
        pinged.send(PONG, b"");
    }
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("pings_sent"), 0);
}

#[test]
fn an_idle_http_connection_is_closed() {
    let daemon = Daemon::start(&["--keep-alive-ms", "300"]);
    for mut http in [daemon::Http::tcp(daemon.public), daemon.admin_http()] {
        assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
        http.expect_end();
    }
    assert_eq!(WebSocket::open(&daemon).sync(), []);
}

#[test]
fn a_shorter_time_is_in_force_for_those_who_are_there() {
    let path = std::env::temp_dir().join(format!("wspush-times-{}.toml", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).expect("a file");
    write("handshake_ms = 600000\nclose_wait_ms = 600000\n");
    let daemon = Daemon::start(&["--config", path.to_str().expect("UTF-8")]);
    let mut slow = daemon::Http::tcp(daemon.public);
    slow.send(b"GET /ws HTTP/1.1\r\n");
    let mut rude = WebSocket::open(&daemon);
    let id = daemon.id_of(&rude);
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{id}"), &[], b"").status, 200);
    assert_eq!(rude.frame().opcode, CLOSE);
    write("handshake_ms = 100\nclose_wait_ms = 100\n");
    daemon.signal("HUP");
    daemon.wait_event("reloaded");
    assert_eq!(slow.response().status, 408);
    slow.expect_end();
    assert_eq!(rude.next(), None);
    std::fs::remove_file(&path).expect("it was there");
}

/// By its own count and its own clock: how long this test takes makes no difference.
#[test]
fn ten_idle_connections_wake_it_less_than_once_a_second() {
    /// For the two questions, and for deadlines of handshakes that are over.
    const BESIDE: u64 = 12;
    let daemon = Daemon::start(&[]);
    let clients: Vec<_> = (0..10).map(|_| WebSocket::open_at(&daemon, "/ws?channel=public.a")).collect();
    let look = || {
        let stats = daemon.stats();
        (stats["counters"]["wakeups"].as_u64(), stats["uptime_ms"].as_u64())
    };
    let (Some(wakeups), Some(from_ms)) = look() else { panic!("{}", daemon.stats()) };
    std::thread::sleep(Duration::from_secs(4));
    let (Some(later), Some(to_ms)) = look() else { panic!("{}", daemon.stats()) };
    let seconds = (to_ms - from_ms).div_ceil(1_000);
    assert!(later - wakeups <= seconds + BESIDE, "{} in {seconds} s", later - wakeups);
    drop(clients);
}

#[test]
fn awakenings_are_counted() {
    let daemon = Daemon::start(&[]);
    let before = daemon.counter("wakeups");
    // A request that comes while another one is answered finds the server awake.
    daemon.wait_stats("awakenings", |stats| stats["counters"]["wakeups"].as_u64() > Some(before));
}

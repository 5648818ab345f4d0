//! The end of the daemon, and changes of its settings while it runs.

use crate::daemon::{self, Daemon, Http, WebSocket, process};
use crate::wire::{CLOSE, close_of};

const GOING_AWAY: (u16, &str) = (1001, "the server is going away");

#[test]
fn term_closes_everyone_behind_what_was_pushed() {
    process::raise_own_limit();
    const PUSHES: u64 = 50;
    let mut daemon = Daemon::start(&["--demo"]);
    let mut clients: Vec<_> = (0..100).map(|_| WebSocket::open(&daemon)).collect();
    clients.extend((0..5).map(|_| WebSocket::open_at(&daemon, "/ws?channel=public.a")));
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    let mut idle = Http::tcp(daemon.public);
    assert_eq!(idle.ask("GET", "/healthz", &[], b"").status, 200);
    let body = |n: u64| format!("{n} {}", "x".repeat(10_000));
    let mut http = daemon.admin_http();
    let burst = (1..=PUSHES).flat_map(|n| http.request("POST", "/push", &[], body(n).as_bytes()));
    let burst: Vec<u8> = burst.collect();
    http.send(&burst);
    for _ in 1..=PUSHES {
        assert_eq!(http.response().status, 200);
    }
    daemon.signal("TERM");
    for client in &mut clients {
        for n in 1..=PUSHES {
            assert_eq!(client.text(), body(n), "whole, and in order");
        }
        let frame = client.frame();
        assert_eq!(close_of(&frame), (GOING_AWAY.0, GOING_AWAY.1.to_owned()));
        client.send(CLOSE, &frame.payload);
        assert_eq!(client.next(), None);
    }
    assert_eq!(echo.closed().0, 1001);
    idle.expect_end();
    http.expect_end();
    drop((clients, echo, idle, http));
    assert!(daemon.wait_exit().success());
    let line = daemon.wait_event("drained");
    assert_eq!(daemon::field(&line, "cut_off"), Some("0"));
}

#[test]
fn the_doors_are_shut_while_it_drains() {
    let mut daemon = Daemon::start(&["--drain-ms", "20000", "--close-wait-ms", "20000"]);
    let mut admin = daemon.admin_http();
    assert_eq!(admin.ask("GET", "/healthz", &[], b"").status, 200);
    let mut slow = WebSocket::open(&daemon);
    daemon.signal("TERM");
    daemon.wait_event("draining");
    assert_eq!(close_of(&slow.frame()).0, 1001);
    // It waits for the last one's close frame, but nobody comes in any more.
    daemon::wait("the listener's end", || std::net::TcpStream::connect(daemon.public).is_err());
    slow.send_close(1001, "");
    assert_eq!(slow.next(), None);
    drop((slow, admin));
    assert!(daemon.wait_exit().success());
}

/// Asks on a connection of its own while the server drains: the answer, which must be the connection's last.
fn ask_last(daemon: &Daemon, method: &str, target: &str) -> daemon::Response {
    let mut http = daemon.admin_http();
    let answer = http.ask(method, target, &[], if method == "POST" { b"late" } else { b"" });
    assert_eq!(answer.header("connection"), Some("close"), "{target}");
    http.expect_end();
    answer
}

#[test]
fn the_operator_and_the_publishers_are_answered_while_it_drains() {
    let path = std::env::temp_dir().join(format!("wspush-drain-{}.sock", std::process::id()));
    for admin in ["127.0.0.1:0".to_owned(), format!("unix:{}", path.display())] {
        let mut daemon =
            Daemon::start(&["--drain-ms", "600000", "--close-wait-ms", "600000", "--admin", &admin]);
        let [mut publisher, mut scraper] = [daemon.admin_http(), daemon.admin_http()];
        assert_eq!(publisher.ask("POST", "/push", &[], b"before").status, 200);
        assert_eq!(scraper.ask("GET", "/metrics", &[], b"").status, 200);
        let mut slow = WebSocket::open(&daemon);
        daemon.signal("TERM");
        daemon.wait_event("draining");
        daemon::wait("the listener's end", || std::net::TcpStream::connect(daemon.public).is_err());
        for _ in 0..2 {
            assert_eq!(ask_last(&daemon, "GET", "/stats").json()["draining"], true);
            assert!(ask_last(&daemon, "GET", "/metrics").text().contains("wspush_connections_closing 1"));
            assert_eq!(ask_last(&daemon, "GET", "/healthz").text(), "ok\n");
            let not_ready = ask_last(&daemon, "GET", "/readyz");
            assert_eq!(
                (not_ready.status, &not_ready.json()["error"]),
                (503, &"the server is going away".into())
            );
            let refused = ask_last(&daemon, "POST", "/push");
            assert_eq!((refused.status, &refused.json()["error"]), (503, &"the server is stopping".into()));
        }
        assert_eq!(publisher.ask("POST", "/push", &[], b"late").status, 503);
        publisher.expect_end();
        assert!(scraper.ask("GET", "/metrics", &[], b"").text().contains("wspush_connections_closing 1"));
        scraper.expect_end();
        assert_eq!(close_of(&slow.frame()).0, 1001);
        slow.send_close(1001, "");
        assert_eq!(slow.next(), None);
        drop((slow, publisher, scraper));
        assert!(daemon.wait_exit().success());
        assert_eq!(daemon::field(&daemon.wait_event("drained"), "cut_off"), Some("0"));
    }
    assert!(!path.exists());
}

#[test]
fn no_request_on_a_kept_connection_goes_unanswered() {
    let mut daemon = Daemon::start(&[]);
    // Each asks without a pause until it is told to go.
    let ask = |mut http: Http, method: &'static str, target: &'static str| {
        std::thread::spawn(move || {
            let mut count = 0;
            loop {
                let answer = http.ask(method, target, &[], if method == "POST" { b"x" } else { b"" });
                count += 1;
                if answer.header("connection") == Some("close") {
                    http.expect_end();
                    return (count, answer.status);
                }
                assert_eq!(answer.status, 200);
            }
        })
    };
    let publishers: Vec<_> = (0..6).map(|_| ask(daemon.admin_http(), "POST", "/push")).collect();
    let others: Vec<_> = (0..3).map(|_| ask(Http::tcp(daemon.public), "GET", "/healthz")).collect();
    daemon::wait("some of each", || daemon.counter("publications") > 50);
    daemon.signal("TERM");
    for publisher in publishers {
        let (count, status) = publisher.join().expect("every request was answered");
        // The one in the middle of which the end begins is the last that is taken.
        assert!(count > 1 && [200, 503].contains(&status), "{count} answers, the last one {status}");
    }
    for other in others {
        assert_eq!(other.join().expect("every request was answered").1, 200);
    }
    assert!(daemon.wait_exit().success());
}

#[test]
fn a_push_that_has_begun_is_answered_and_an_idle_connection_keeps_nobody() {
    let mut daemon = Daemon::start(&["--drain-ms", "600000", "--handshake-ms", "600000"]);
    let mut idle = daemon.admin_http();
    assert_eq!(idle.ask("GET", "/healthz", &[], b"").status, 200);
    let mut publisher = daemon.admin_http();
    let push = publisher.request("POST", "/push", &[], b"in two pieces");
    publisher.send(&push[..push.len() - 3]);
    daemon.wait_stats("the first piece", |stats| stats["memory"]["backlog_bytes"] != 0);
    daemon.signal("TERM");
    idle.expect_end();
    daemon::wait("the listener's end", || std::net::TcpStream::connect(daemon.admin()).is_err());
    publisher.send(&push[push.len() - 3..]);
    assert_eq!(publisher.response().status, 503);
    publisher.expect_end();
    drop((idle, publisher));
    assert!(daemon.wait_exit().success());
}

#[test]
fn who_does_not_answer_is_cut_off_in_time() {
    let mut daemon = Daemon::start(&["--drain-ms", "300", "--close-wait-ms", "60000"]);
    let mut rude: Vec<_> = (0..3).map(|_| WebSocket::open(&daemon)).collect();
    daemon.signal("TERM");
    let line = daemon.wait_event("drained");
    assert_eq!(daemon::field(&line, "cut_off"), Some("3"));
    assert!(daemon.wait_exit().success());
    assert!(rude.iter_mut().all(|client| client.closed().0 == 1001));
}

#[test]
fn a_full_socket_does_not_keep_it() {
    let mut daemon = Daemon::start(&["--drain-ms", "300"]);
    let mut narrow = WebSocket::open_narrow(&daemon, "/ws");
    daemon.push_until_full("/push", |_| "x".repeat(20_000));
    daemon.signal("INT");
    assert!(daemon.wait_exit().success());
    // Whole frames as far as they came.
    while let Some(frame) = narrow.next() {
        assert!(frame.opcode == CLOSE || frame.payload.len() == 20_000);
    }
}

#[test]
fn a_second_term_ends_it_at_once() {
    let mut daemon = Daemon::start(&["--drain-ms", "600000", "--close-wait-ms", "600000"]);
    let mut client = WebSocket::open(&daemon);
    daemon.signal("TERM");
    // The second one must not come before the close frame has left.
    assert_eq!(close_of(&client.frame()).0, 1001);
    daemon.signal("TERM");
    assert_eq!(daemon.wait_exit().code(), Some(143));
}

#[test]
fn hup_reloads_what_can_be_reloaded() {
    let path = std::env::temp_dir().join(format!("wspush-reload-{}.toml", std::process::id()));
    let write = |text: &str| std::fs::write(&path, text).expect("a file");
    write("origins = [\"https://a.example\"]\nmessage_bytes_max = 1000\n");
    let daemon = Daemon::start(&["--config", path.to_str().expect("UTF-8")]);
    let from = |origin: &str| match WebSocket::ask(daemon.public, "/ws", &[("Origin", origin)]) {
        Ok(_) => 101,
        Err(response) => response.status,
    };
    assert_eq!((from("https://a.example"), from("https://b.example")), (101, 403));
    let mut client = WebSocket::open(&daemon);
    write("origins = [\"https://b.example\"]\nmessage_bytes_max = 200\nlog_publications = 7\n");
    daemon.signal("HUP");
    let line = daemon.wait_event("reloaded");
    let (applied, waiting) = (daemon::field(&line, "applied"), daemon::field(&line, "need_restart"));
    assert_eq!((applied, waiting), (Some("origins,message_bytes_max"), Some("log_publications")));
    assert_eq!((from("https://a.example"), from("https://b.example")), (403, 101));
    let limits = daemon.stats()["limits"].clone();
    assert_eq!((&limits["message_bytes_max"], &limits["log_publications"]), (&200.into(), &1024.into()));
    // Who was there stays, under the new rules.
    assert_eq!(daemon.push("still here")["recipients"], 1);
    assert_eq!(client.text(), "still here");
    client.send_text(&"x".repeat(201));
    assert_eq!(client.closed().0, 1009);
    // A mistake changes nothing.
    write("message_bytes_max = \"many\"\n");
    daemon.signal("HUP");
    let line = daemon.wait_event("not_reloaded");
    assert!(line.contains("message_bytes_max"), "{line}");
    assert_eq!(daemon.stats()["limits"]["message_bytes_max"], 200);
    assert_eq!(from("https://b.example"), 101);
    std::fs::remove_file(&path).expect("it was there");
}

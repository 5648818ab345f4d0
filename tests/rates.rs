//! How often clients may come, and how much they may say.

use crate::daemon::{Daemon, Http, WebSocket, field, wait};
use crate::wire::{CLOSE, TEXT};

/// The statuses of so many that come at once.
fn come(daemon: &Daemon, count: usize, fields: &[(&str, &str)]) -> Vec<u16> {
    let ask = |_| match WebSocket::ask(daemon.public, "/ws", fields) {
        Ok(_) => 101,
        Err(response) => response.status,
    };
    (0..count).map(ask).collect()
}

#[test]
fn who_comes_too_often_is_told_when_to_come_back() {
    // With one a second, each second that passes here lets one more in.
    let daemon = Daemon::start(&["--connects-per-second-max", "1"]);
    assert_eq!(come(&daemon, 1, &[]), [101]);
    let answer = std::iter::repeat_with(|| WebSocket::ask(daemon.public, "/ws", &[])).find_map(Result::err);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, Some("1")));
    assert!(answer.text().contains("connects_per_second_max"), "{}", answer.text());
    let line = daemon.wait_event("refused");
    assert_eq!(field(&line, "reason"), Some("connect_rate"));
    assert!(daemon.stats()["counters"]["handshakes_refused"]["connect_rate"].as_u64() >= Some(1));
    // A page that asks so is told by a close frame, and an event stream by the time after which it is to come back.
    wait("a close frame that says it", || {
        let Ok(mut client) = WebSocket::ask(daemon.public, "/ws?refusals=close", &[]) else { return false };
        // One that was let in is answered with the same code.
        client.send_close(1000, "");
        client
            .next()
            .is_some_and(|frame| frame.opcode == CLOSE && frame.payload[..2] == 4429_u16.to_be_bytes())
    });
    wait("an event stream that says it", || {
        let mut http = Http::tcp(daemon.public);
        http.send(b"GET /sse HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\nConnection: close\r\n\r\n");
        let said = String::from_utf8_lossy(&http.more()).into_owned();
        said.contains(": 429 too many") && said.contains("retry: ")
    });
}

#[test]
fn behind_a_proxy_each_client_has_its_own() {
    let daemon = Daemon::start(&["--connects-per-second-max", "3", "--trusted-proxies", "127.0.0.1"]);
    for n in 1..=20 {
        let client = format!("192.0.2.{n}");
        assert_eq!(come(&daemon, 2, &[("X-Forwarded-For", &client)]), [101, 101]);
    }
    wait("one that comes too often", || {
        come(&daemon, 10, &[("X-Forwarded-For", "192.0.2.1")]).contains(&429)
    });
}

#[test]
fn who_says_too_much_is_closed() {
    let daemon = Daemon::start(&["--demo", "--messages-per-second-max", "5"]);
    for target in ["/echo", "/ws"] {
        let mut client = WebSocket::open_at(&daemon, target);
        // In one piece, so that a second's end lies within it at most once.
        let all: Vec<u8> = (0..40).flat_map(|_| crate::wire::masked(true, TEXT, b"x")).collect();
        client.send_raw(&all);
        let mut heard = 0;
        let last = loop {
            let frame = client.frame();
            if frame.opcode == CLOSE {
                break frame;
            }
            heard += 1;
        };
        assert_eq!(last.payload[..2], 1008_u16.to_be_bytes());
        let why = String::from_utf8_lossy(&last.payload[2..]);
        assert!(why.contains("more than 5 messages") && heard <= 10, "{why}, after {heard}");
    }
    // Pings are no messages.
    let mut calm = WebSocket::open_at(&daemon, "/echo");
    for _ in 0..40 {
        calm.sync();
    }
    calm.send_text("still here");
    assert_eq!(calm.text(), "still here");
}

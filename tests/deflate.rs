//! permessage-deflate over real sockets: who gets which form, what it costs, and what hostile clients get.

#![cfg(feature = "deflate")]

use crate::daemon::{self, Daemon, Frame, Http, WebSocket, process};
use crate::wire::{BINARY, CLOSE, CONTINUATION, HANDSHAKE, PING, TEXT, close_of, masked};

const FIELD: &str = "Sec-WebSocket-Extensions";
const RSV1: u8 = 0x40;

/// Opens a path with this offer.
fn open_with(daemon: &Daemon, target: &str, offer: &str) -> WebSocket {
    let refused = |response: daemon::Response| panic!("{}: {}", response.status, response.text());
    WebSocket::ask(daemon.public, target, &[(FIELD, offer)]).unwrap_or_else(refused)
}

fn open(daemon: &Daemon, target: &str) -> WebSocket {
    open_with(daemon, target, "permessage-deflate; client_max_window_bits")
}

/// The code of the close frame that comes next, answered: else the server waits for that.
fn closed(client: &mut WebSocket) -> u16 {
    let (code, _) = close_of(&client.frame());
    client.send_close(code, "");
    assert_eq!(client.next(), None, "nothing follows a close frame");
    code
}

fn deflated(message: &[u8]) -> Vec<u8> {
    let mut stream = zlib_rs::Deflate::new(9, false, 15);
    let mut out = vec![0; message.len() + 1_000];
    stream.compress(message, &mut out, zlib_rs::DeflateFlush::SyncFlush).expect("room");
    out.truncate(stream.total_out() as usize - 4);
    out
}

/// The message in a frame, and whether it came deflated.
pub(crate) fn message(frame: &Frame) -> (String, bool) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    if !frame.rsv1 {
        return (text(&frame.payload), false);
    }
    let mut stream = zlib_rs::Inflate::new(false, 15);
    let mut out = vec![0; 1 << 18];
    let whole = [&frame.payload[..], &[0, 0, 0xff, 0xff]].concat();
    stream.decompress(&whole, &mut out, zlib_rs::InflateFlush::SyncFlush).expect("deflated data");
    assert_eq!(stream.total_in() as usize, whole.len());
    (text(&out[..stream.total_out() as usize]), true)
}

/// About 1 KiB as a price service would push it.
pub(crate) fn quotes(n: usize) -> String {
    let quote = |i: usize| {
        let (bid, ask) = (10_000 + (i * 37 + n) % 900, 10_002 + (i * 37 + n) % 900);
        format!(r#"{{"symbol":"STK{i:02}","bid":{bid},"ask":{ask},"currency":"EUR","market":"XETRA"}}"#)
    };
    let quotes: Vec<String> = (0..13).map(quote).collect();
    format!(r#"{{"type":"quotes","n":{n},"items":[{}]}}"#, quotes.join(","))
}

#[test]
fn it_is_agreed_on_as_asked() {
    let daemon = Daemon::start(&[]);
    let always = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    let ask = |offer: &str| {
        let fields = [&HANDSHAKE[..], &[(FIELD, offer)]].concat();
        let response = Http::tcp(daemon.public).ask("GET", "/ws", &fields, b"");
        (response.status, response.header(FIELD).map(str::to_owned))
    };
    assert_eq!(ask("permessage-deflate"), (101, Some(always.to_owned())));
    let window = format!("{always}; server_max_window_bits=10");
    assert_eq!(ask("permessage-deflate; server_max_window_bits=10"), (101, Some(window)));
    assert_eq!(ask("x-other, permessage-deflate; mystery"), (101, None));
    assert_eq!(ask("permessage-deflate; server_max_window_bits=\"1"), (400, None));
    drop(daemon);
    let daemon = Daemon::start(&["--deflate=false"]);
    let fields = [&HANDSHAKE[..], &[(FIELD, "permessage-deflate")]].concat();
    let response = Http::tcp(daemon.public).ask("GET", "/ws", &fields, b"");
    assert_eq!((response.status, response.header(FIELD)), (101, None));
}

#[test]
fn a_publication_is_compressed_once_for_everybody_who_takes_it() {
    let daemon = Daemon::start(&["--channels", "*"]);
    daemon.push(&quotes(0));
    assert_eq!(daemon.counter("publications_deflated"), 0, "nobody is there");
    let mut plain: Vec<WebSocket> = (0..5).map(|_| WebSocket::open_at(&daemon, "/ws?channel=q")).collect();
    daemon.push(&quotes(0));
    assert_eq!(daemon.counter("publications_deflated"), 0, "nobody takes it deflated");
    let mut deflate: Vec<WebSocket> = (0..20).map(|_| open(&daemon, "/ws?channel=q")).collect();
    let mut small = open_with(&daemon, "/ws?channel=q", "permessage-deflate; server_max_window_bits=10");
    assert_eq!(daemon.stats()["deflating"], 21);
    let texts = [quotes(1), "short".to_owned(), quotes(2)];
    for target in ["/push", "/push?channel=q"] {
        for text in &texts {
            assert_eq!(daemon.push_to(target, text)["recipients"], 26);
        }
        daemon
            .push_to(&format!("{target}{}compress=no", if target == "/push" { "?" } else { "&" }), &texts[0]);
    }
    let mut expected: Vec<(String, bool)> =
        texts.iter().map(|text| (text.clone(), text.len() > 128)).collect();
    expected.push((texts[0].clone(), false));
    let expected = [&expected[..], &expected].concat();
    for client in &mut deflate {
        let got: Vec<_> = client.sync().iter().map(message).collect();
        assert_eq!(got, expected);
    }
    for client in plain.iter_mut().chain([&mut small]) {
        let got: Vec<_> = client.sync().iter().map(message).filter(|(text, _)| *text != quotes(0)).collect();
        let all_plain: Vec<_> = expected.iter().map(|(text, _)| (text.clone(), false)).collect();
        assert_eq!(got, all_plain, "no window for it");
    }
    assert_eq!(daemon.counter("publications_deflated"), 4, "one for each, not for each subscriber");
    let (before, after) = (daemon.counter("deflate_in_bytes"), daemon.counter("deflate_out_bytes"));
    let frames: usize = texts.iter().filter(|text| text.len() > 128).map(|text| text.len() + 4).sum();
    assert_eq!(before, 2 * frames as u64);
    assert!(after * 100 <= before * 35, "{after} of {before} bytes");
    assert!(
        daemon.ask("GET", "/metrics", &[], b"").text().contains("\nwspush_publications_deflated_total 4\n")
    );
}

#[test]
fn a_broadcast_is_a_third_on_the_wire() {
    let count = 50;
    let sent = |offer: Option<&str>| {
        let daemon = Daemon::start(&[]);
        let mut clients: Vec<WebSocket> = (0..count)
            .map(|_| offer.map_or_else(|| WebSocket::open(&daemon), |offer| open_with(&daemon, "/ws", offer)))
            .collect();
        let before = daemon.counter("send_bytes");
        for n in 0..10 {
            daemon.push(&quotes(n));
        }
        for client in &mut clients {
            for n in 0..10 {
                assert_eq!(message(&client.frame()).0, quotes(n));
            }
        }
        // Some of it are answers to the pushes: the same in both.
        daemon.counter("send_bytes") - before
    };
    let (plain, deflated) = (sent(None), sent(Some("permessage-deflate")));
    assert!(deflated * 100 <= plain * 35, "{deflated} of {plain} bytes");
}

#[test]
fn answers_to_one_are_compressed_where_its_window_suffices() {
    let daemon = Daemon::start(&["--demo"]);
    for (offer, len, compressed) in [
        ("permessage-deflate", 60_000, true),
        ("permessage-deflate; server_max_window_bits=9", 512, true),
        ("permessage-deflate; server_max_window_bits=9", 513, false),
        ("permessage-deflate", 127, false),
        ("permessage-deflate", 128, true),
    ] {
        let text = "ab".repeat(len)[..len].to_owned();
        let mut echo = open_with(&daemon, "/echo", offer);
        for (payload, first) in [(deflated(text.as_bytes()), TEXT | RSV1), (text.clone().into_bytes(), TEXT)]
        {
            echo.send(first, &payload);
            assert_eq!(message(&echo.frame()), (text.clone(), compressed), "{offer} {len}");
        }
        let mut client = open_with(&daemon, "/ws", offer);
        let list = daemon.ask("GET", "/connections", &[], b"").json();
        let conns = list["connections"].as_array().unwrap();
        let conn = conns.iter().find(|c| c["endpoint"] == "ws" && c["state"] == "open").unwrap();
        let target = format!("/push?conn={}", conn["id"].as_str().unwrap());
        daemon.push_to(&target, &text);
        daemon.push_to(&format!("{target}&compress=no"), &text);
        assert_eq!(message(&client.frame()), (text.clone(), compressed), "{offer} {len}");
        assert_eq!(message(&client.frame()), (text.clone(), false));
        client.close(1000);
        echo.close(1000);
    }
}

#[test]
fn a_message_in_fragments_is_inflated_as_one() {
    let daemon = Daemon::start(&["--demo"]);
    let mut echo = open(&daemon, "/echo");
    let text = quotes(7).repeat(20);
    let payload = deflated(text.as_bytes());
    for size in [1, 100, payload.len() - 1] {
        let mut pieces = payload.chunks(size).enumerate().peekable();
        while let Some((n, piece)) = pieces.next() {
            let first = if n == 0 { TEXT | RSV1 } else { CONTINUATION };
            echo.send_raw(&masked(pieces.peek().is_none(), first, piece));
            if n == 0 {
                echo.send(PING, b"between");
                assert_eq!(echo.frame().payload, b"between");
            }
        }
        assert_eq!(message(&echo.frame()).0, text);
    }
    // Cut at any byte of the stream as well.
    let frame = masked(true, TEXT | RSV1, &payload);
    for cut in [1, 5, frame.len() / 2, frame.len() - 1] {
        echo.send_raw(&frame[..cut]);
        echo.send_raw(&frame[cut..]);
        assert_eq!(message(&echo.frame()).0, text);
    }
    echo.close(1000);
}

#[test]
fn what_breaks_the_extension_is_closed_with_its_code() {
    let daemon = Daemon::start(&["--demo", "--message-bytes-max", "1000"]);
    let hello = deflated(b"hello, hello, hello");
    let with = |bytes: Vec<u8>| vec![bytes];
    let cases: [(&str, Vec<Vec<u8>>, u16); 10] = [
        ("corrupt", with(masked(true, TEXT | RSV1, b"\xff\xff\xff")), 1007),
        ("cut off", with(masked(true, TEXT | RSV1, &hello[..hello.len() - 2])), 1007),
        ("no UTF-8", with(masked(true, TEXT | RSV1, &deflated(b"caf\xe9 and more of it"))), 1007),
        ("RSV1 on a ping", with(masked(true, PING | RSV1, b"")), 1002),
        ("RSV1 on a close frame", with(masked(true, 8 | RSV1, b"")), 1002),
        ("RSV1 in between", vec![masked(false, TEXT | RSV1, &hello), masked(true, RSV1, b"x")], 1002),
        ("RSV2", with(masked(true, TEXT | 0x20, &hello)), 1002),
        ("too large inflated", with(masked(true, TEXT | RSV1, &deflated(&[b'a'; 1001]))), 1009),
        ("too large deflated", with(masked(true, TEXT | RSV1, &[0; 1200])), 1009),
        (
            "too large in pieces",
            vec![masked(false, BINARY | RSV1, &[0; 1100]), masked(false, 0, &[0; 100])],
            1009,
        ),
    ];
    for (name, frames, code) in cases {
        let mut echo = open(&daemon, "/echo");
        frames.iter().for_each(|frame| echo.send_raw(frame));
        assert_eq!(closed(&mut echo), code, "{name}");
    }
    let mut plain = WebSocket::open_at(&daemon, "/echo");
    plain.send_raw(&masked(true, TEXT | RSV1, &hello));
    assert_eq!(closed(&mut plain), 1002, "it was not agreed on");
    let mut echo = open(&daemon, "/echo");
    for text in ["a".repeat(1000), String::new()] {
        echo.send_raw(&masked(true, TEXT | RSV1, &deflated(text.as_bytes())));
        assert_eq!(message(&echo.frame()).0, text);
    }
    // A message that can't be compressed is a little longer for it, and still not over the limit.
    let next = |n: &u64| Some(n.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695));
    let noise: Vec<u8> =
        std::iter::successors(Some(7u64), next).map(|n| (n >> 56) as u8).take(1000).collect();
    let stored = [&[0, 0xe8, 3, 0x17, 0xfc][..], &noise, &[0]].concat();
    echo.send_raw(&masked(true, BINARY | RSV1, &stored));
    assert_eq!(echo.frame().payload, noise);
}

#[test]
fn bombs_do_not_go_off() {
    let daemon = Daemon::start(&["--demo"]);
    let bomb = deflated(&vec![0; 10 << 20]);
    assert!(bomb.len() < 12_000, "{} bytes", bomb.len());
    let mut first = open(&daemon, "/echo");
    first.send(BINARY | RSV1, &bomb);
    assert_eq!(closed(&mut first), 1009);
    let before = process::rss_bytes(daemon.pid());
    for n in 0..200 {
        let mut echo = open(&daemon, "/echo");
        if n % 2 == 0 {
            echo.send(BINARY | RSV1, &bomb);
        } else {
            let (start, rest) = bomb.split_at(n);
            echo.send_raw(&masked(false, BINARY | RSV1, start));
            echo.send_raw(&masked(true, CONTINUATION, rest));
        }
        assert_eq!(closed(&mut echo), 1009);
    }
    let grown = process::rss_bytes(daemon.pid()).saturating_sub(before);
    assert!(grown < 2 << 20, "{grown} bytes");
    daemon.wait_stats("all of them counted", |s| s["counters"]["closed"]["too_big"] == 201);
}

/// Fills the socket of a client that doesn't read, so that it stops in the middle of a deflated frame.
fn noise(n: usize) -> String {
    let word = |i: usize| format!("{:08x}", (n * 1_000_003 + i).wrapping_mul(2_654_435_761) as u32);
    (0..1_000).map(word).collect()
}

fn open_narrow(daemon: &Daemon) -> WebSocket {
    WebSocket::open_narrow_with(daemon, "/ws", &[(FIELD, "permessage-deflate")])
}

#[test]
fn a_slow_consumer_gets_whole_deflated_frames_and_no_gap() {
    let daemon = Daemon::start(&[]);
    let (mut slow, mut fast) = (open_narrow(&daemon), open(&daemon, "/ws"));
    let mut count = 0;
    while daemon.stats()["blocked"] != 1 {
        daemon.push(&noise(count));
        count += 1;
        assert!(count < 600, "it never fills");
    }
    for _ in 0..5 {
        daemon.push(&noise(count));
        count += 1;
    }
    for n in 0..count {
        for client in [&mut fast, &mut slow] {
            let (text, deflated) = message(&client.frame());
            assert!(text == noise(n) && deflated, "publication {n}");
        }
    }
    let receipt = daemon.push("the last one")["receipt"].clone();
    for client in [&mut fast, &mut slow] {
        assert_eq!(message(&client.frame()), ("the last one".to_owned(), false));
    }
    let delivery = daemon.wait_delivered(&receipt);
    assert_eq!((delivery["recipients"].as_u64(), delivery["written"].as_u64()), (Some(2), Some(2)));
}

#[test]
fn who_falls_off_the_deflated_log_meets_the_policy() {
    for policy in ["close", "skip"] {
        let flags = ["--slow-consumer", policy, "--log-publications", "4"];
        let daemon = Daemon::start(&flags);
        let (mut slow, mut fast) = (open_narrow(&daemon), open(&daemon, "/ws"));
        let fell = || match policy {
            "close" => daemon.stats()["closing"] == 1,
            _ => daemon.counter("slow_skipped") > 0,
        };
        let mut count = 0;
        while !fell() {
            daemon.push(&noise(count));
            assert_eq!(message(&fast.frame()), (noise(count), true));
            count += 1;
            assert!(count < 2_000, "it never falls");
        }
        let receipt = daemon.push(&noise(count))["receipt"].clone();
        // Whole deflated frames in order, and then the reason or the newest one.
        let mut at = 0;
        loop {
            let frame = slow.frame();
            if frame.opcode == CLOSE {
                assert_eq!((policy, close_of(&frame).0), ("close", 1013));
                break;
            }
            let (text, deflated) = message(&frame);
            let number = (at..=count).find(|&n| deflated && text == noise(n));
            let number = number.unwrap_or_else(|| panic!("what is this, behind {at}?"));
            assert!(number == at || policy == "skip", "{number} for {at}");
            at = number + 1;
            if number == count {
                break;
            }
        }
        drop(slow);
        let delivery = daemon.wait_delivered(&receipt);
        assert_eq!(delivery["lagging"], 0, "{delivery}");
    }
}

#[test]
fn everybody_gets_whole_frames_at_the_end() {
    let daemon = Daemon::start(&[]);
    let mut slow: Vec<WebSocket> = (0..3).map(|_| open_narrow(&daemon)).collect();
    let mut count = 0;
    while daemon.stats()["blocked"] != 3 {
        daemon.push(&noise(count));
        count += 1;
        assert!(count < 600, "they never fill");
    }
    daemon.signal("TERM");
    for client in &mut slow {
        for n in 0..count {
            assert!(message(&client.frame()) == (noise(n), true), "publication {n}");
        }
        assert_eq!(client.closed().0, 1001);
    }
}

#[test]
fn the_deflated_log_goes_with_its_last_subscriber() {
    let daemon = Daemon::start(&["--close-wait-ms", "50"]);
    let log_bytes = || daemon.stats()["memory"]["log_bytes"].as_u64().unwrap();
    let mut client = open(&daemon, "/ws");
    for n in 0..20 {
        daemon.push(&noise(n));
    }
    let both = log_bytes();
    assert_eq!(client.sync().len(), 20);
    client.close(1000);
    daemon::wait("the ring is given back", || log_bytes() < both);
    let again = open(&daemon, "/ws");
    assert_eq!(daemon.push(&quotes(1))["recipients"], 1);
    let mut again = again;
    assert_eq!(message(&again.frame()), (quotes(1), true));
}

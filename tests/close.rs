//! How connections end: close codes, violations, half-closed and broken streams.

use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_of, masked};

#[test]
fn a_close_code_is_echoed() {
    let daemon = Daemon::start(&["--close-wait-ms", "100"]);
    for code in
        [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
    {
        let mut client = WebSocket::open(&daemon);
        client.send_close(code, "why not");
        assert_eq!(client.closed().0, code);
    }
    let mut client = WebSocket::open(&daemon);
    client.send(CLOSE, b"");
    assert_eq!(client.frame().payload, b"", "no code is answered by none");
    assert_eq!(client.next(), None);
    daemon.wait_connections(0);
    let closed = &daemon.stats()["counters"]["closed"];
    assert_eq!((&closed["client"], &closed["going_away"]), (&16.into(), &1.into()));
}

#[test]
fn codes_that_may_not_be_sent_are_violations() {
    let daemon = Daemon::start(&["--close-wait-ms", "100"]);
    for code in [0, 999, 1004, 1005, 1006, 1015, 1016, 2000, 2999, 5000, 65535] {
        let mut client = WebSocket::open(&daemon);
        client.send_close(code, "");
        assert_eq!(client.closed().0, 1002, "{code}");
    }
    let mut client = WebSocket::open(&daemon);
    client.send(CLOSE, b"\x03");
    assert_eq!(client.closed().0, 1002, "half a code");
    let mut client = WebSocket::open(&daemon);
    client.send(CLOSE, b"\x03\xe8\xff");
    assert_eq!(client.closed().0, 1007, "a reason that isn't UTF-8");
    daemon.wait_connections(0);
}

#[test]
fn violations_are_told_and_end_the_connection() {
    let daemon = Daemon::start(&["--demo", "--message-bytes-max", "1000", "--close-wait-ms", "100"]);
    let ping_in_parts = [masked(false, PING, b"x"), masked(true, CONTINUATION, b"y")].concat();
    let large_in_parts =
        [masked(false, TEXT, &[b'a'; 600]), masked(true, CONTINUATION, &[b'b'; 600])].concat();
    let bad_in_parts = [masked(false, TEXT, b"ok \xe2"), masked(true, CONTINUATION, b"\x28")].concat();
    let cases: [(&str, Vec<u8>, u16); 17] = [
        ("not masked", b"\x81\x02hi".to_vec(), 1002),
        ("reserved bit", [&[0xc1][..], &masked(true, TEXT, b"hi")[1..]].concat(), 1002),
        ("reserved opcode", masked(true, 3, b"hi"), 1002),
        ("reserved control opcode", masked(true, 11, b"hi"), 1002),
        ("fragmented ping", ping_in_parts, 1002),
        ("long ping", masked(true, PING, &[0; 126]), 1002),
        ("continuation of nothing", masked(true, CONTINUATION, b"x"), 1002),
        ("message inside a message", [masked(false, TEXT, b"x"), masked(true, TEXT, b"y")].concat(), 1002),
        ("long form of a short length", b"\x81\xfe\x00\x05".to_vec(), 1002),
        ("length over 63 bits", b"\x82\xff\x80\0\0\0\0\0\0\0".to_vec(), 1002),
        ("text not UTF-8", masked(true, TEXT, b"\xff"), 1007),
        ("text cut inside a character", masked(true, TEXT, b"\xe2\x82"), 1007),
        ("not UTF-8 in fragments", bad_in_parts, 1007),
        ("a surrogate", masked(true, TEXT, b"\xed\xa0\x80"), 1007),
        ("too large", masked(true, BINARY, &[0; 1001]), 1009),
        ("announced too large", b"\x82\xff\0\0\0\0\x7f\xff\xff\xff\0\0\0\0".to_vec(), 1009),
        ("too large in fragments", large_in_parts, 1009),
    ];
    for target in ["/ws", "/echo"] {
        for (what, bytes, code) in &cases {
            let mut whole = WebSocket::open_at(&daemon, target);
            whole.send_raw(bytes);
            assert_eq!(whole.closed().0, *code, "{what} at {target}");
            let mut crumbs = WebSocket::open_at(&daemon, target);
            for byte in bytes.iter().take(200) {
                crumbs.send_raw(std::slice::from_ref(byte));
            }
            crumbs.send_raw(&bytes[bytes.len().min(200)..]);
            assert_eq!(crumbs.closed().0, *code, "{what} at {target}, byte by byte");
        }
    }
    let mut binary = WebSocket::open_at(&daemon, "/chat");
    binary.text();
    binary.send(BINARY, b"x");
    assert_eq!(close_of(&binary.frame()).0, 1003);
    drop(binary);
    daemon.wait_connections(0);
    let stats = daemon.stats();
    assert_eq!(stats["memory"]["assembly_bytes"], 0);
    let closed = &stats["counters"]["closed"];
    for (reason, count) in
        [("protocol_error", 40), ("invalid_payload", 16), ("too_big", 12), ("unsupported", 1)]
    {
        assert_eq!(closed[reason], count, "{reason}");
    }
}

#[test]
fn nothing_is_heard_after_a_close_frame() {
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "100"]);
    let mut client = WebSocket::open_at(&daemon, "/echo");
    let bytes = [
        masked(true, TEXT, b"before"),
        masked(true, CLOSE, b"\x03\xe8"),
        masked(true, TEXT, b"after"),
        masked(true, PING, b"after"),
    ];
    client.send_raw(&bytes.concat());
    assert_eq!(client.text(), "before");
    assert_eq!(client.closed().0, 1000);
    assert_eq!(daemon.counter("messages_in"), 1);
}

#[test]
fn pings_are_answered_even_inside_a_message() {
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "100"]);
    let mut client = WebSocket::open_at(&daemon, "/echo");
    client.send_raw(&masked(false, TEXT, b"one, "));
    client.send(PING, b"are you there");
    client.send(PING, b"");
    client.send(PONG, b"nobody asked");
    assert_eq!((client.frame().payload, client.frame().opcode), (b"are you there".to_vec(), PONG));
    client.send_raw(&masked(false, CONTINUATION, b"two, "));
    client.send_raw(&masked(true, CONTINUATION, b"three"));
    assert_eq!(client.text(), "one, two, three");
    client.send(PING, &[7; 125]);
    assert_eq!(client.frame().payload, [7; 125]);
}

#[test]
fn a_half_closed_stream_is_a_closed_one() {
    let daemon = Daemon::start(&["--close-wait-ms", "100"]);
    let mut client = WebSocket::open(&daemon);
    client.half_close();
    assert_eq!(client.next(), None);
    daemon.wait_connections(0);
    assert_eq!(daemon.stats()["counters"]["closed"]["reset"], 1);
    // In the middle of a frame as well.
    let mut client = WebSocket::open(&daemon);
    client.send_raw(&masked(true, TEXT, &[b'x'; 500])[..100]);
    client.half_close();
    assert_eq!(client.next(), None);
    daemon.wait_connections(0);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn a_request_is_answered_although_its_sender_says_no_more() {
    let daemon = Daemon::start(&["--close-wait-ms", "100"]);
    for mut http in [daemon::Http::tcp(daemon.public), daemon.admin_http()] {
        http.send(&http.request("GET", "/healthz", &[], b""));
        http.finish();
        assert_eq!(http.response().text(), "ok\n");
        http.expect_end();
    }
}

#[test]
fn resets_free_everything() {
    let daemon = Daemon::start(&["--demo", "--close-wait-ms", "100"]);
    let before = daemon::process::descriptors(daemon.pid());
    for target in ["/ws", "/ws?channel=public.a", "/echo", "/chat"] {
        for _ in 0..5 {
            WebSocket::open_at(&daemon, target).reset();
        }
        let mut halfway = WebSocket::open_at(&daemon, target);
        halfway.send_raw(&masked(false, TEXT, b"never finished"));
        halfway.reset();
    }
    daemon.wait_connections(0);
    daemon::wait("the descriptors", || daemon::process::descriptors(daemon.pid()) <= before);
    assert_eq!(daemon.push("to nobody")["recipients"], 0);
    assert_eq!(daemon.push_to("/push?channel=public.a", "to nobody")["recipients"], 0);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn a_peer_that_never_answers_a_close_frame_is_cut_off() {
    let daemon = Daemon::start(&["--close-wait-ms", "100"]);
    let mut client = WebSocket::open(&daemon);
    let id = daemon.id_of(&client);
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{id}"), &[], b"").status, 200);
    assert_eq!(client.closed().0, 1008);
    daemon.wait_connections(0);
}

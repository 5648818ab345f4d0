//! Messages at the borders of the length classes and of the limits, in both directions.

use crate::daemon::{Daemon, Frame, WebSocket};
use crate::wire::{BINARY, CONTINUATION, PING, PONG, TEXT, masked};

/// Bytes that tell their place.
fn pattern(len: usize) -> Vec<u8> {
    (0..len as u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()).take(len).collect()
}

fn binary(payload: Vec<u8>) -> Frame {
    Frame { opcode: BINARY, payload, rsv1: false }
}

#[test]
fn pushes_of_every_length_class_arrive_whole() {
    let daemon = Daemon::start(&[]);
    let mut clients = [WebSocket::open(&daemon), WebSocket::open_narrow(&daemon, "/ws")];
    let bytes = [("Content-Type", "application/octet-stream")];
    for len in [1, 125, 126, 127, 65_535, 65_536, 65_537, 1 << 20] {
        let response = daemon.ask("POST", "/push", &bytes, &pattern(len));
        assert_eq!(response.status, 200, "{len}");
        for client in &mut clients {
            assert_eq!(client.frame(), binary(pattern(len)), "{len}");
        }
    }
    assert_eq!(daemon.ask("POST", "/push", &bytes, &pattern((1 << 20) + 1)).status, 413);
    assert!(clients.iter_mut().all(|client| client.sync().is_empty()));
}

#[test]
fn frames_lie_across_the_rings_seam() {
    let daemon = Daemon::start(&["--log-bytes", "200000", "--admin-body-bytes-max", "100000"]);
    let mut client = WebSocket::open(&daemon);
    let mut narrow = WebSocket::open_narrow(&daemon, "/ws");
    let bytes = [("Content-Type", "application/octet-stream")];
    for round in 0..40 {
        let len = 50_000 + round * 1_234;
        assert_eq!(daemon.ask("POST", "/push", &bytes, &pattern(len)).status, 200);
        assert_eq!(client.frame(), binary(pattern(len)));
        assert_eq!(narrow.frame(), binary(pattern(len)));
    }
}

#[test]
fn messages_in_up_to_the_limit() {
    let daemon = Daemon::start(&["--demo"]);
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    for len in [65_535, 65_536] {
        echo.send(BINARY, &pattern(len));
        assert_eq!(echo.frame(), binary(pattern(len)));
        // In two fragments, and in a hundred.
        for piece in [len / 2 + 1, len / 100] {
            let payload = pattern(len);
            let pieces: Vec<_> = payload.chunks(piece).collect();
            for (n, part) in pieces.iter().enumerate() {
                let opcode = if n == 0 { BINARY } else { CONTINUATION };
                echo.send_raw(&masked(n + 1 == pieces.len(), opcode, part));
            }
            assert_eq!(echo.frame(), binary(payload));
        }
    }
    echo.send(BINARY, &pattern(65_537));
    assert_eq!(echo.closed().0, 1009);
    let mut parts = WebSocket::open_at(&daemon, "/echo");
    parts.send_raw(&masked(false, TEXT, &[b'a'; 65_536]));
    assert_eq!(parts.sync(), []);
    parts.send_raw(&masked(false, CONTINUATION, b""));
    parts.send_raw(&masked(true, CONTINUATION, b"b"));
    assert_eq!(parts.closed().0, 1009);
    assert_eq!(daemon.stats()["memory"]["assembly_bytes"], 0);
}

#[test]
fn a_large_message_in_crumbs_is_put_together() {
    let daemon = Daemon::start(&["--demo", "--message-bytes-max", "300000"]);
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    let frame = masked(true, BINARY, &pattern(300_000));
    for step in [1_000, 1_460, 4_096, 65_536] {
        for piece in frame.chunks(step) {
            echo.send_raw(piece);
        }
        assert_eq!(echo.frame(), binary(pattern(300_000)));
    }
    // A character cut by a fragment's end is a character all the same.
    let text = "\u{1f600}".repeat(1_000);
    for cut in 1..8 {
        echo.send_raw(&masked(false, TEXT, &text.as_bytes()[..cut]));
        echo.send_raw(&masked(true, CONTINUATION, &text.as_bytes()[cut..]));
        assert_eq!(echo.text(), text);
    }
}

/// The sockets hold less than a frame: every write is a partial one, and control frames wait for a frame's end.
#[test]
fn replies_and_pushes_mix_only_at_frame_boundaries() {
    let daemon = Daemon::start(&["--log-bytes", "40000000", "--admin-body-bytes-max", "1000000"]);
    let mut client = WebSocket::open_narrow(&daemon, "/ws?channel=public.a");
    let id = daemon.id_of(&client);
    let bytes = [("Content-Type", "application/octet-stream")];
    for n in 0..20_usize {
        let target = if n % 2 == 0 { "/push" } else { "/push?channel=public.a" };
        assert_eq!(daemon.ask("POST", target, &bytes, &pattern(300_000 + n)).status, 200);
        client.send(PING, format!("ping {n}").as_bytes());
        if n % 5 == 0 {
            daemon.push_to(&format!("/push?conn={id}"), "own");
        }
    }
    let (mut lengths, mut pongs, mut own) = (Vec::new(), 0, 0);
    while lengths.len() < 20 || pongs < 20 || own < 4 {
        let frame = client.frame();
        match frame.opcode {
            BINARY => {
                assert_eq!(frame.payload, pattern(frame.payload.len()));
                lengths.push(frame.payload.len() - 300_000);
            }
            PONG => pongs += 1,
            _ => {
                assert_eq!(frame.payload, b"own");
                own += 1;
            }
        }
    }
    // Each channel in its order.
    for parity in 0..2 {
        let got: Vec<_> = lengths.iter().copied().filter(|n| n % 2 == parity).collect();
        let expected: Vec<_> = (0..20).filter(|n| n % 2 == parity).collect();
        assert_eq!(got, expected);
    }
    assert_eq!(client.sync(), []);
}

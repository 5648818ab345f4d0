//! Messages that a host sends in pieces: what may come between them, who is paced by whom, and how they end.

use super::*;

fn text(text: &str, more: bool) -> Fragment<'_> {
    Fragment { data: Message::Text(text), more }
}

/// Frames of messages: opcode, payload, and whether it is the last.
fn frames(client: &mut WebSocket, count: usize) -> Vec<(u8, String, bool)> {
    let next = || {
        let (fin, frame) = client.fragment();
        (frame.opcode, String::from_utf8(frame.payload).unwrap(), fin)
    };
    std::iter::repeat_with(next).take(count).collect()
}

fn is(frames: &[(u8, String, bool)], expected: &[(u8, &str, bool)]) {
    let frames: Vec<_> = frames.iter().map(|(opcode, text, fin)| (*opcode, text.as_str(), *fin)).collect();
    assert_eq!(frames, expected);
}

#[test]
fn a_message_goes_out_in_pieces_and_others_wait_for_its_end() {
    let rig = Rig::start(nothing);
    let (mut client, conn) = rig.open("/ws", &[]);
    let (mut other, _) = rig.open("/ws", &[]);
    let handle = &rig.handle;
    handle.broadcast(Message::Text("before")).unwrap();
    handle.send_fragment(conn, text("one", true)).unwrap();
    handle.broadcast(Message::Text("published")).unwrap();
    handle.send(conn, Message::Text("sent")).unwrap();
    // That much has come, and a ping is answered at once.
    is(&frames(&mut client, 2), &[(TEXT, "before", true), (TEXT, "one", false)]);
    client.send(PING, b"1");
    is(&frames(&mut client, 1), &[(PONG, "1", true)]);
    assert_eq!([other.text(), other.text()], ["before", "published"]);
    handle.send_fragment(conn, text("two", true)).unwrap();
    handle.subscribe(conn, "news").unwrap();
    handle.publish("news", Message::Text("news")).unwrap();
    is(&frames(&mut client, 1), &[(CONTINUATION, "two", false)]);
    client.send(PING, b"2");
    is(&frames(&mut client, 1), &[(PONG, "2", true)]);
    handle.send_fragment(conn, text("", false)).unwrap();
    handle.send_fragment(conn, text("alone", false)).unwrap();
    let expected = [
        (CONTINUATION, "", true),
        (TEXT, "published", true),
        (TEXT, "sent", true),
        (TEXT, "news", true),
        (TEXT, "alone", true),
    ];
    is(&frames(&mut client, 5), &expected);
    handle.broadcast(Message::Text("behind")).unwrap();
    is(&frames(&mut client, 1), &[(TEXT, "behind", true)]);
    client.close(1000);
}

#[test]
fn a_callback_answers_in_pieces_and_in_order() {
    let rig = Rig::start(|session, fragment| {
        session.reply(Message::Text("first"));
        session.send_fragment(text("a", true));
        session.reply(Message::Text("second"));
        session.send_fragment(fragment);
        session.reply(Message::Text("third"));
        session.send_fragment(text("b", true));
        session.send_fragment(text("c", false));
    });
    let (mut client, _) = rig.open("/ws?pieces=bounded", &[]);
    for _ in 0..3 {
        client.send_text("x");
        let expected = [
            (TEXT, "first", true),
            (TEXT, "a", false),
            (CONTINUATION, "x", true),
            (TEXT, "second", true),
            (TEXT, "third", true),
            (TEXT, "b", false),
            (CONTINUATION, "c", true),
        ];
        is(&frames(&mut client, 7), &expected);
    }
    assert_eq!(client.sync(), []);
}

#[test]
fn an_echo_of_pieces_is_paced_by_who_reads_it() {
    let rig = Rig::start(|session, fragment| session.send_fragment(fragment));
    let (mut client, _) = rig.open("/ws?pieces=endless", &[]);
    let message: Vec<u8> = (0..8u32 << 20).map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()[3]).collect();
    let frame = masked(true, BINARY, &message);
    let mut reader = client.stream().try_clone().unwrap();
    let sender = std::thread::spawn(move || std::io::Write::write_all(&mut reader, &frame).unwrap());
    let mut echoed = Vec::new();
    loop {
        let (fin, frame) = client.fragment();
        assert_eq!(frame.opcode, if echoed.is_empty() { BINARY } else { CONTINUATION });
        echoed.extend(frame.payload);
        if fin {
            break;
        }
    }
    sender.join().unwrap();
    assert!(echoed == message);
    assert_eq!(client.sync(), []);
}

#[test]
fn an_unfinished_message_ends_with_the_connection() {
    let rig = Rig::start(nothing);
    let (mut client, conn) = rig.open("/ws", &[]);
    rig.handle.send_fragment(conn, text("half", true)).unwrap();
    rig.handle.send(conn, Message::Text("never said")).unwrap();
    rig.handle.broadcast(Message::Text("neither")).unwrap();
    rig.handle.close(conn, CloseCode(4_001), "enough").unwrap();
    is(&frames(&mut client, 1), &[(TEXT, "half", false)]);
    assert_eq!(closed(&mut client), 4_001);
    assert_eq!(rig.next(), Heard::Closed(4_001));
    // By the client, in the midst of it.
    let (mut client, conn) = rig.open("/ws", &[]);
    rig.handle.send_fragment(conn, text("half", true)).unwrap();
    is(&frames(&mut client, 1), &[(TEXT, "half", false)]);
    client.close(1000);
    assert_eq!(rig.next(), Heard::Closed(1000));
}

#[test]
fn a_piece_that_can_not_be_sent_says_so() {
    let rig = Rig::start(nothing);
    let (mut client, conn) = rig.open("/ws", &[]);
    rig.handle.send_fragment(conn, text("text", true)).unwrap();
    rig.handle.send_fragment(conn, Fragment { data: Message::Binary(b"bytes"), more: false }).unwrap();
    is(&frames(&mut client, 1), &[(TEXT, "text", false)]);
    assert_eq!(closed(&mut client), 1011);
    let v1 = [("Sec-WebSocket-Protocol", "wspush.v1")];
    let (mut client, conn) = rig.open("/ws", &v1);
    assert!(client.text().starts_with(r#"{"connected""#));
    assert!(client.text().starts_with(r#"{"subscribed""#));
    rig.handle.send_fragment(conn, text("text", true)).unwrap();
    assert_eq!(closed(&mut client), 1011);
    assert!(rig.handle.send_fragment(ConnId(0), text("", false)).is_err());
}

#[test]
fn a_client_that_does_not_read_what_is_not_paced_is_closed() {
    let config = Config { outbox_bytes_max: 100_000, ..Config::default() };
    let rig = Rig::start_with(config, nothing);
    let (mut client, conn) = rig.open("/ws", &[]);
    let piece = vec![7; 90_000];
    // More than all buffers on the way hold.
    for _ in 0..200 {
        rig.handle.send_fragment(conn, Fragment { data: Message::Binary(&piece), more: true }).unwrap();
    }
    rig.turn();
    let mut count = 0;
    let close = loop {
        let (fin, frame) = client.fragment();
        if fin {
            break frame;
        }
        count += 1;
    };
    assert_eq!(close_of(&close).0, 1013);
    assert!(count < 200, "{count}");
}

/// Sends so many pieces to who opens, the next one whenever the last one has gone.
struct Download {
    told: Sender<Heard>,
    left: usize,
}

const PIECE: usize = 64 << 10;

impl Download {
    fn go_on(&mut self, session: &mut Session<'_>) {
        self.left -= 1;
        let bytes = vec![self.left.to_le_bytes()[0]; PIECE];
        session.send_fragment(Fragment { data: Message::Binary(&bytes), more: self.left > 0 });
        assert!(session.outbox_bytes() >= PIECE);
        if self.left > 0 {
            session.notify_drained();
        }
    }
}

impl Handler for Download {
    fn on_open(&mut self, session: &mut Session<'_>) {
        self.told.send(Heard::Open(session.id())).unwrap();
        if self.left > 0 {
            self.go_on(session);
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        session.reply(message);
        session.notify_drained();
    }

    fn on_drained(&mut self, session: &mut Session<'_>) {
        assert_eq!(session.outbox_bytes(), 0);
        match self.left {
            0 => self.told.send(Heard::Text("drained".into(), false)).unwrap(),
            _ => self.go_on(session),
        }
    }
}

#[test]
fn a_download_goes_on_whenever_its_outbox_is_drained() {
    let (told, heard) = channel();
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let config =
        Config { listen, log_level: LogLevel::Off, outbox_bytes_max: 2 * PIECE, ..Config::default() };
    let make = |_| Box::new(Download { told, left: 200 }) as Box<dyn Handler>;
    let server = Server::bind_with(config, make, None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let mut client = WebSocket::ask(address, "/ws", &[]).unwrap();
    let mut len = 0;
    for left in (0..200usize).rev() {
        if left % 50 == 0 {
            // A slow reader, which is listened to meanwhile.
            client.send(PING, b"still");
            handle.broadcast(Message::Text("published")).unwrap();
        }
        let (fin, frame) = loop {
            let (fin, frame) = client.fragment();
            if frame.opcode != PONG {
                break (fin, frame);
            }
        };
        assert!(frame.payload.iter().all(|&byte| byte == left.to_le_bytes()[0]));
        assert_eq!(fin, left == 0);
        len += frame.payload.len();
    }
    assert_eq!(len, 200 * PIECE);
    // The flush of the last one may come behind a pong.
    let mut published = 0;
    while published < 4 {
        published += client.sync().into_iter().filter(|frame| frame.opcode == TEXT).count();
    }
    assert_eq!(published, 4, "what was published meanwhile");
    // Asked for where nothing waits it is told as well, once.
    client.send_text("echo");
    assert_eq!(client.text(), "echo");
    assert!(matches!(heard.recv_timeout(PATIENCE), Ok(Heard::Open(_))));
    assert_eq!(heard.recv_timeout(PATIENCE), Ok(Heard::Text("drained".into(), false)));
    client.sync();
    assert!(heard.try_recv().is_err());
    handle.drain_within(std::time::Duration::ZERO);
    thread.join().unwrap().unwrap();
}

/// The message that goes out ends when the one that comes in does, so a pause in the middle of it must not last.
#[test]
fn an_echo_by_another_thread_pauses_at_each_piece() {
    let (taken, pieces) = channel::<(ConnId, Vec<u8>, bool)>();
    let rig = Rig::start(move |session, fragment| {
        session.pause();
        taken.send((session.id(), fragment.data.bytes().to_vec(), fragment.more)).unwrap();
    });
    let handle = rig.handle.clone();
    let echo = std::thread::spawn(move || {
        for (conn, bytes, more) in pieces {
            handle.send_fragment(conn, Fragment { data: Message::Binary(&bytes), more }).unwrap();
            // It waits for the end of the message, and changes nothing.
            handle.send(conn, Message::Text("behind")).unwrap();
            handle.resume(conn).unwrap();
        }
    });
    let (mut client, _) = rig.open("/ws?pieces=bounded", &[]);
    for n in 0..4u8 {
        client.send_raw(&masked(n == 3, if n == 0 { BINARY } else { CONTINUATION }, &[n]));
        let (fin, frame) = client.fragment();
        assert_eq!((fin, frame.payload), (n == 3, vec![n]));
    }
    for _ in 0..4 {
        assert_eq!(client.text(), "behind");
    }
    client.close(1000);
    drop(rig);
    echo.join().unwrap();
}

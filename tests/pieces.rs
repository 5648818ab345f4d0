//! Messages in pieces, over real sockets: what a host is handed and when, what a client is told, who waits for whom.

use std::cell::RefCell;
use std::io::{ErrorKind, Write};
use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::thread::JoinHandle;

use crate::daemon::{PATIENCE, WebSocket};
use crate::wire::{BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, close_of, masked};
use wspush::config::LogLevel;
use wspush::{
    Accept, CloseCode, Config, ConnId, Connect, Decision, Fragment, Handle, Handler, Message, Pieces, Server,
    Session,
};

mod asking;
mod sending;

/// The things that a host hears.
#[derive(Debug, PartialEq)]
enum Heard {
    Open(ConnId),
    Text(String, bool),
    Binary(Vec<u8>, bool),
    Whole(Vec<u8>),
    Closed(u16),
}

/// Takes pieces as the query wants it (`bounded`, `endless`, else none), tells what it hears, and does what the test
/// wants at each piece.
struct Host<F> {
    told: Sender<Heard>,
    at_piece: F,
}

impl<F: FnMut(&mut Session<'_>, Fragment<'_>) + Send> Handler for Host<F> {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let pieces = match connect.query("pieces").as_deref() {
            Some("bounded") => Pieces::Bounded,
            Some("endless") => Pieces::Unbounded,
            _ => Pieces::Off,
        };
        Decision::Accept(Accept { pieces, ..Accept::default() })
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        self.tell(Heard::Open(session.id()));
    }

    fn on_message(&mut self, _session: &mut Session<'_>, message: Message<'_>) {
        self.tell(Heard::Whole(message.bytes().to_vec()));
    }

    fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
        (self.at_piece)(session, fragment);
        let more = fragment.more;
        self.tell(match fragment.data {
            Message::Text(text) => Heard::Text(text.to_owned(), more),
            Message::Binary(bytes) => Heard::Binary(bytes.to_vec(), more),
        });
    }

    fn on_close(&mut self, _conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        self.tell(Heard::Closed(code.0));
    }
}

impl<F> Host<F> {
    fn tell(&self, heard: Heard) {
        // At the end nobody listens any more.
        let _ = self.told.send(heard);
    }
}

struct Rig {
    handle: Handle,
    address: SocketAddr,
    heard: Receiver<Heard>,
    /// A client that nothing is done with but to see the server make a turn. None: it would be pinged.
    bystander: Option<RefCell<WebSocket>>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Rig {
    fn start(at_piece: impl FnMut(&mut Session<'_>, Fragment<'_>) + Send + 'static) -> Rig {
        Rig::start_with(Config::default(), at_piece)
    }

    fn start_with(
        config: Config,
        at_piece: impl FnMut(&mut Session<'_>, Fragment<'_>) + Send + 'static,
    ) -> Rig {
        let is_pinged = config.heartbeat_ms < Config::default().heartbeat_ms;
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let config = Config { listen, log_level: LogLevel::Off, ..config };
        let (told, heard) = channel();
        let make = |_| Box::new(Host { told, at_piece }) as Box<dyn Handler>;
        let server = Server::bind_with(config, make, None).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        let thread = Some(std::thread::spawn(move || server.run()));
        let bystander = (!is_pinged).then(|| RefCell::new(WebSocket::ask(address, "/ws", &[]).unwrap()));
        assert!(is_pinged || matches!(heard.recv_timeout(PATIENCE), Ok(Heard::Open(_))));
        Rig { handle, address, heard, bystander, thread }
    }

    fn open(&self, target: &str, more: &[(&str, &str)]) -> (WebSocket, ConnId) {
        let client = WebSocket::ask(self.address, target, more).unwrap();
        let Heard::Open(conn) = self.next() else { panic!("not opened") };
        (client, conn)
    }

    fn next(&self) -> Heard {
        self.heard.recv_timeout(PATIENCE).expect("the host hears something")
    }

    /// The pieces of a message put together, whether they were several, and whether that is a text.
    fn message(&self) -> (Vec<u8>, usize, bool) {
        let (mut all, mut count) = (Vec::new(), 0);
        loop {
            let (bytes, more, is_text) = match self.next() {
                Heard::Text(text, more) => (text.into_bytes(), more, true),
                Heard::Binary(bytes, more) => (bytes, more, false),
                other => panic!("{other:?}"),
            };
            all.extend(bytes);
            count += 1;
            if !more {
                return (all, count, is_text);
            }
        }
    }

    /// The code with which the host hears of a client's end.
    fn closed(&self) -> u16 {
        loop {
            if let Heard::Closed(code) = self.next() {
                return code;
            }
        }
    }

    /// Lets the server make a turn, in which it would hear of whoever has said something.
    fn turn(&self) {
        self.bystander.as_ref().unwrap().borrow_mut().sync();
    }

    /// Sees to it that the host hears nothing for some turns.
    fn hears_nothing(&self) {
        for _ in 0..5 {
            self.turn();
        }
        assert_eq!(self.heard.try_recv(), Err(TryRecvError::Empty));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain_within(std::time::Duration::ZERO);
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ok(())))));
    }
}

/// The code of the close frame that comes next, answered: else the server waits for that.
fn closed(client: &mut WebSocket) -> u16 {
    let (code, _) = close_of(&client.frame());
    client.send_close(code, "");
    assert_eq!(client.next(), None, "nothing follows a close frame");
    code
}

fn nothing(_session: &mut Session<'_>, _fragment: Fragment<'_>) {}

#[test]
fn pieces_come_at_once_and_a_ping_between_them_is_answered() {
    let rig = Rig::start(nothing);
    let (mut client, _) = rig.open("/ws?pieces=bounded", &[]);
    client.send_raw(&masked(false, TEXT, "né".as_bytes()));
    assert_eq!(rig.next(), Heard::Text("né".into(), true));
    client.send(PING, b"still there?");
    assert_eq!((client.frame().opcode, client.sync()), (PONG, vec![]));
    // A character in two fragments, and a ping inside it.
    client.send_raw(&masked(false, CONTINUATION, &"€".as_bytes()[..1]));
    client.send(PING, b"and now?");
    assert_eq!(client.frame().payload, b"and now?");
    client.send_raw(&masked(true, CONTINUATION, &"€".as_bytes()[1..]));
    assert_eq!(rig.next(), Heard::Text("€".into(), false));
    // In the midst of a frame.
    let frame = masked(true, BINARY, &[7; 1_000]);
    client.send_raw(&frame[..108]);
    assert_eq!(rig.next(), Heard::Binary(vec![7; 100], true));
    client.send_raw(&frame[108..]);
    assert_eq!(rig.next(), Heard::Binary(vec![7; 900], false));
    client.send(BINARY, b"");
    assert_eq!(rig.next(), Heard::Binary(vec![], false));
    client.close(1000);
    assert_eq!(rig.closed(), 1000);
}

#[test]
fn who_asks_for_none_gets_whole_messages() {
    let rig = Rig::start(nothing);
    let (mut client, _) = rig.open("/ws", &[]);
    client.send_raw(&masked(false, TEXT, b"one "));
    client.send_raw(&masked(true, CONTINUATION, b"message"));
    assert_eq!(rig.next(), Heard::Whole(b"one message".into()));
    // wspush.v1 is its own protocol, whose messages the host does not hear.
    let v1 = [("Sec-WebSocket-Protocol", "wspush.v1")];
    let (mut client, _) = rig.open("/ws?pieces=bounded", &v1);
    assert!(client.text().starts_with(r#"{"connected""#));
    assert!(client.text().starts_with(r#"{"subscribed""#));
    client.send_text(r#"{"id":7,"ping":{}}"#);
    assert_eq!(client.text(), r#"{"id":7,"pong":{}}"#);
}

#[test]
fn the_limit_holds_over_the_whole_message() {
    let config = || Config { message_bytes_max: 1_000, ..Config::default() };
    let rig = Rig::start_with(config(), nothing);
    let (mut client, _) = rig.open("/ws?pieces=bounded", &[]);
    client.send_raw(&masked(false, BINARY, &[1; 600]));
    client.send_raw(&masked(true, CONTINUATION, &[2; 400]));
    assert_eq!(rig.message().0.len(), 1_000);
    client.send_raw(&masked(false, BINARY, &[1; 600]));
    client.send_raw(&masked(true, CONTINUATION, &[2; 401]));
    assert_eq!(closed(&mut client), 1009);
    assert_eq!(rig.next(), Heard::Binary(vec![1; 600], true));
    assert_eq!(rig.next(), Heard::Closed(1009));
    let (mut client, _) = rig.open("/ws?pieces=endless", &[]);
    client.send(BINARY, &[3; 300_000]);
    let (bytes, count, is_text) = rig.message();
    assert_eq!((bytes.len(), is_text), (300_000, false));
    assert!(count > 1, "they come as they are read");
}

#[test]
fn text_that_is_none_ends_it() {
    let rig = Rig::start(nothing);
    for (first, second) in [(&b"a\xf0\x9d"[..], &b"xyz"[..]), (b"\xc3", b"")] {
        let (mut client, _) = rig.open("/ws?pieces=endless", &[]);
        client.send_raw(&masked(false, TEXT, first));
        client.send_raw(&masked(true, CONTINUATION, second));
        assert_eq!(closed(&mut client), 1007);
        assert_eq!(rig.closed(), 1007);
    }
    // As soon as it is known, and not at the frame's end.
    let (mut client, _) = rig.open("/ws?pieces=endless", &[]);
    client.send_raw(&masked(true, TEXT, b"\xff and more")[..7]);
    assert_eq!(closed(&mut client), 1007);
}

#[cfg(feature = "deflate")]
mod deflated {
    use super::*;

    const OFFER: [(&str, &str); 1] = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    const RSV1: u8 = 0x40;

    fn deflate(message: &[u8]) -> Vec<u8> {
        let mut stream = zlib_rs::Deflate::new(9, false, 15);
        let mut out = vec![0; message.len() / 2 + 1_000];
        stream.compress(message, &mut out, zlib_rs::DeflateFlush::SyncFlush).unwrap();
        out.truncate(stream.total_out() as usize - 4);
        out
    }

    #[test]
    fn fragments_are_inflated_as_they_come() {
        let rig = Rig::start(nothing);
        let (mut client, _) = rig.open("/ws?pieces=bounded", &OFFER);
        let text = "grüße, und so weiter. ".repeat(2_000);
        let payload = deflate(text.as_bytes());
        let pieces: Vec<_> = payload.chunks(payload.len() / 3 + 1).collect();
        client.send_raw(&masked(false, TEXT | RSV1, pieces[0]));
        client.send(PING, b"between");
        client.send_raw(&masked(false, CONTINUATION, pieces[1]));
        client.send_raw(&masked(true, CONTINUATION, pieces[2]));
        assert_eq!(client.frame().payload, b"between");
        let (bytes, count, is_text) = rig.message();
        assert!(bytes == text.as_bytes() && is_text && count >= 2, "{count} pieces");
        client.send(TEXT | RSV1, b"\xff\xff");
        assert_eq!(closed(&mut client), 1007);
    }

    #[test]
    fn a_bomb_takes_its_turns_and_no_more() {
        let config = Config { message_bytes_max: 1 << 20, ..Config::default() };
        let rig = Rig::start_with(config, nothing);
        let bomb = deflate(&vec![b'x'; 32 << 20]);
        let (mut client, _) = rig.open("/ws?pieces=endless", &OFFER);
        client.send(BINARY | RSV1, &bomb);
        // Others have their turns meanwhile.
        let Heard::Binary(first, true) = rig.next() else { panic!("no piece") };
        rig.turn();
        let (rest, count, _) = rig.message();
        assert_eq!(first.len() + rest.len(), 32 << 20);
        assert!(count + 1 >= 1_024, "at most 32 KiB at a time");
        let (mut client, _) = rig.open("/ws?pieces=bounded", &OFFER);
        client.send(BINARY | RSV1, &bomb);
        assert_eq!(closed(&mut client), 1009);
    }
}

/// Sends until the connection takes no more, so that its buffers are full; how much that was.
fn fill(client: &WebSocket, mut bytes: &[u8]) -> usize {
    let (mut stream, all) = (client.stream(), bytes.len());
    stream.set_nonblocking(true).unwrap();
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(n) => bytes = &bytes[n..],
            Err(e) if e.kind() == ErrorKind::WouldBlock => break,
            Err(e) => panic!("{e}"),
        }
    }
    stream.set_nonblocking(false).unwrap();
    all - bytes.len()
}

#[test]
fn a_paused_client_is_not_read_until_another_thread_resumes() {
    let mut is_first = true;
    let rig = Rig::start(move |session, _| {
        if std::mem::take(&mut is_first) {
            session.pause();
        }
    });
    let (mut client, conn) = rig.open("/ws?pieces=endless", &[]);
    let frame = masked(true, BINARY, &vec![9; 10 << 20]);
    let sent = fill(&client, &frame);
    let Heard::Binary(first, true) = rig.next() else { panic!("no piece") };
    let sender = std::thread::spawn(move || {
        client.send_raw(&frame[sent..]);
        client
    });
    rig.hears_nothing();
    let handle = rig.handle.clone();
    std::thread::spawn(move || handle.resume(conn).unwrap()).join().unwrap();
    assert_eq!(first.len() + rig.message().0.len(), 10 << 20);
    sender.join().unwrap().close(1000);
}

#[test]
fn a_paused_client_is_pinged_and_its_silence_excused() {
    let config = Config { heartbeat_ms: 100, pong_wait_ms: 100, message_ms: 100, ..Config::default() };
    let rig = Rig::start_with(config, nothing);
    for target in ["/ws?pieces=bounded", "/ws"] {
        let (mut client, conn) = rig.open(target, &[]);
        rig.handle.pause(conn).unwrap();
        // Before the second ping the wait for the first one's pong was over.
        for _ in 0..4 {
            assert_eq!(client.frame().opcode, PING);
        }
        client.send(TEXT, b"hello");
        assert_eq!(client.frame().opcode, PING);
        assert!(rig.heard.try_recv().is_err(), "heard while paused");
        rig.handle.resume(conn).unwrap();
        let heard = rig.next();
        assert!([Heard::Text("hello".into(), false), Heard::Whole(b"hello".into())].contains(&heard));
        client.send_close(1000, "");
        assert_eq!(rig.next(), Heard::Closed(1000));
    }
}

#[test]
fn a_message_under_way_has_its_time_anew_behind_a_pause() {
    let config = Config { heartbeat_ms: 100, pong_wait_ms: 60_000, message_ms: 300, ..Config::default() };
    let rig = Rig::start_with(config, nothing);
    let (mut client, conn) = rig.open("/ws", &[]);
    client.send_raw(&masked(false, TEXT, b"half of "));
    assert_eq!(client.sync(), []);
    rig.handle.pause(conn).unwrap();
    let mut other = WebSocket::ask(rig.address, "/ws", &[]).unwrap();
    other.send_raw(&masked(false, TEXT, b"never ends"));
    // The other one's time was over behind the paused one's.
    let close = loop {
        let frame = other.frame();
        match frame.opcode {
            PING => other.send(PONG, b""),
            _ => break frame,
        }
    };
    assert_eq!(close.opcode, CLOSE);
    rig.handle.resume(conn).unwrap();
    client.send_raw(&masked(true, CONTINUATION, b"a text"));
    let heard = std::iter::repeat_with(|| rig.next()).find(|heard| matches!(heard, Heard::Whole(_)));
    assert_eq!(heard, Some(Heard::Whole(b"half of a text".into())));
}

#[test]
fn a_paused_client_is_closed_like_any_other() {
    let rig = Rig::start(nothing);
    // By the host, which reads its answer.
    let (mut client, conn) = rig.open("/ws", &[]);
    rig.handle.pause(conn).unwrap();
    rig.handle.close(conn, CloseCode(4_000), "enough").unwrap();
    assert_eq!(client.frame().opcode, CLOSE);
    client.send_close(4_000, "");
    assert_eq!(client.next(), None);
    assert_eq!(rig.next(), Heard::Closed(4_000));
    // By itself: that is heard of when it is read again.
    let (mut client, conn) = rig.open("/ws", &[]);
    rig.handle.pause(conn).unwrap();
    rig.turn();
    client.send_text("still to be heard");
    client.send_close(1000, "");
    rig.hears_nothing();
    rig.handle.resume(conn).unwrap();
    assert_eq!(rig.next(), Heard::Whole(b"still to be heard".into()));
    assert_eq!(client.closed().0, 1000);
}

#[test]
fn a_callback_pauses_before_the_next_one() {
    let rig = Rig::start(|session, _| session.pause());
    let (mut client, conn) = rig.open("/ws?pieces=bounded", &[]);
    let three: Vec<u8> = (0..3).flat_map(|n| masked(true, BINARY, &[n; 50])).collect();
    client.send_raw(&three);
    for n in 0..3 {
        assert_eq!(rig.next(), Heard::Binary(vec![n; 50], false));
        rig.hears_nothing();
        rig.handle.resume(conn).unwrap();
    }
    rig.hears_nothing();
}

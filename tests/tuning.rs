//! Control frames of a host's own, and limits of one session that are set from another thread.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::daemon::WebSocket;
use wspush::config::LogLevel;
use wspush::{Config, ConnId, Fragment, Handle, Handler, Message, PushError, Server, Session};

/// Tells who opens, and says back what comes in a pong.
struct Host {
    opened: Sender<ConnId>,
}

impl Handler for Host {
    fn on_open(&mut self, session: &mut Session<'_>) {
        self.opened.send(session.id()).unwrap();
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        match message.bytes() {
            b"beat" => {
                session.reply(Message::Text("before"));
                session.ping(b"a").unwrap();
                session.pong(b"b").unwrap();
                assert!(session.ping(&[0; 126]).is_err() && session.pong(&[0; 126]).is_err());
                session.reply(Message::Text("behind"));
            }
            b"pieces" => {
                let piece = |text, more| Fragment { data: Message::Text(text), more };
                session.send_fragment(piece("one ", true));
                session.reply(Message::Text("behind"));
                session.ping(b"between").unwrap();
                session.send_fragment(piece("two", false));
            }
            b"half" => session.send_fragment(Fragment { data: Message::Text("half"), more: true }),
            _ => session.reply(message),
        }
    }

    fn on_pong(&mut self, session: &mut Session<'_>, payload: &[u8]) {
        session.reply(Message::Text(&format!("pong {}", String::from_utf8_lossy(payload))));
    }
}

struct Rig {
    handle: Handle,
    address: SocketAddr,
    opened: Receiver<ConnId>,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Rig {
    fn start() -> Rig {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let config = Config { listen, log_level: LogLevel::Off, ..Config::default() };
        let (sender, opened) = channel();
        let server = Server::bind_with(config, |_| Box::new(Host { opened: sender }), None).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        Rig { handle, address, opened, thread: Some(std::thread::spawn(move || server.run())) }
    }

    fn open(&self) -> (WebSocket, ConnId) {
        let Ok(client) = WebSocket::ask(self.address, "/ws", &[]) else { panic!("refused") };
        (client, self.opened.recv().unwrap())
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ok(())))));
    }
}

#[test]
fn a_host_pings_and_hears_the_answer() {
    let rig = Rig::start();
    let (mut client, conn) = rig.open();
    rig.handle.send(conn, Message::Text("first")).unwrap();
    rig.handle.ping(conn, b"are you there?").unwrap();
    rig.handle.pong(conn, b"beat").unwrap();
    rig.handle.ping(conn, &[b'x'; 125]).unwrap();
    assert_eq!(client.text(), "first");
    for (opcode, payload) in [(9, &b"are you there?"[..]), (10, b"beat"), (9, &[b'x'; 125])] {
        let frame = client.frame();
        assert_eq!((frame.opcode, &frame.payload[..]), (opcode, payload));
    }
    // One without a payload is the answer to the server's own.
    client.send(10, b"");
    client.send(10, b"here");
    assert_eq!(client.text(), "pong here");
    for wrong in [rig.handle.ping(conn, &[0; 126]), rig.handle.pong(conn, &[0; 126])] {
        assert!(matches!(wrong, Err(PushError::BadTerms(_))), "{wrong:?}");
    }
    assert_eq!(rig.handle.ping(ConnId(0), b""), Err(PushError::NoSuchConnection));
    client.close(1000);
    // It has gone, and nothing happens.
    rig.handle.ping(conn, b"x").unwrap();
}

#[test]
fn a_callback_pings_in_the_order_of_its_calls() {
    let rig = Rig::start();
    let (mut client, conn) = rig.open();
    client.send_text("beat");
    let mut next = || {
        let (is_last, frame) = client.fragment();
        (is_last, frame.opcode, String::from_utf8(frame.payload).unwrap())
    };
    for (opcode, text) in [(1, "before"), (9, "a"), (10, "b"), (1, "behind")] {
        assert_eq!(next(), (true, opcode, text.to_owned()));
    }
    client.send_text("pieces");
    let mut next = || {
        let (is_last, frame) = client.fragment();
        (is_last, frame.opcode, String::from_utf8(frame.payload).unwrap())
    };
    // Between the frames of a message only control frames may come (RFC 6455 section 5.4).
    for (is_last, opcode, text) in
        [(false, 1, "one "), (true, 9, "between"), (true, 0, "two"), (true, 1, "behind")]
    {
        assert_eq!(next(), (is_last, opcode, text.to_owned()));
    }
    client.send_text("half");
    assert_eq!(client.fragment().1.payload, b"half");
    rig.handle.ping(conn, b"from another thread").unwrap();
    assert_eq!(client.fragment().1.payload, b"from another thread");
}

#[test]
fn limits_are_set_from_another_thread() {
    let rig = Rig::start();
    let (mut client, conn) = rig.open();
    client.send_text(&"x".repeat(1_000));
    assert_eq!(client.text().len(), 1_000);
    rig.handle.set_message_bytes_max(conn, 200).unwrap();
    rig.handle.send(conn, Message::Text("now")).unwrap();
    assert_eq!(client.text(), "now");
    client.send_text(&"x".repeat(200));
    assert_eq!(client.text().len(), 200);
    client.send_text(&"x".repeat(201));
    assert_eq!(client.closed().0, 1009);
}

#[test]
fn so_is_an_idle_time_out() {
    let rig = Rig::start();
    let (mut client, conn) = rig.open();
    rig.handle.set_idle_timeout(conn, Some(Duration::from_secs(3_600))).unwrap();
    rig.handle.set_idle_timeout(conn, None).unwrap();
    rig.handle.set_idle_timeout(conn, Some(Duration::from_millis(100))).unwrap();
    assert_eq!(client.closed().0, 1001);
}

//! A host that decides later: clients wait for it unread, are let in or not, and not for longer than `handshake_ms`.

use std::sync::mpsc::{Receiver, Sender, channel};

use crate::daemon::events::EventStream;
use crate::daemon::{Http, WebSocket};
use crate::poll::answer;
use crate::wire::{HANDSHAKE, TEXT, masked};
use wspush::config::LogLevel;
use wspush::{
    Accept, Config, ConnId, Connect, Decision, Handle, Handler, Message, PushError, Server, Session,
};

struct Later {
    asked: Sender<ConnId>,
}

impl Handler for Later {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        self.asked.send(connect.id()).unwrap();
        Decision::Pending
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { panic!("no text") };
        session.reply(Message::Text(&format!("{}: {text}", session.user().unwrap_or("nobody"))));
    }
}

struct Rig {
    handle: Handle,
    address: std::net::SocketAddr,
    asked: Receiver<ConnId>,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
}

impl Rig {
    fn start(handshake_ms: u64) -> Rig {
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            log_level: LogLevel::Off,
            handshake_ms,
            ..Config::default()
        };
        let (sender, asked) = channel();
        let make = |_| Box::new(Later { asked: sender }) as Box<dyn Handler>;
        let server = Server::bind_with(config, make, None).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        Rig { handle, address, asked, thread: Some(std::thread::spawn(move || server.run())) }
    }

    /// Asks for a WebSocket and says a text behind that, without waiting.
    fn ask(&self, text: &str) -> Http {
        let mut http = Http::tcp(self.address);
        let request = http.request("GET", "/ws", &HANDSHAKE, b"");
        http.send(&[request, masked(true, TEXT, text.as_bytes())].concat());
        http
    }

    /// Asks for something else.
    fn ask_for(&self, target: &str, fields: &[(&str, &str)]) -> Http {
        let mut http = Http::tcp(self.address);
        let request = http.request("GET", target, fields, b"");
        http.send(&request);
        http
    }

    fn accept(&self, user: &str) -> Decision {
        Decision::Accept(Accept { user: Some(user.to_owned()), ..Accept::default() })
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn clients_wait_for_the_host_each_on_its_own() {
    let rig = Rig::start(60_000);
    let mut first = rig.ask("hello");
    let conn = rig.asked.recv().unwrap();
    let mut second = rig.ask("hi");
    let other = rig.asked.recv().unwrap();
    assert_ne!(conn, other);
    // The second one is not held up by the first, and a decision of no effect changes nothing.
    rig.handle.decide(other, Decision::Pending).unwrap();
    rig.handle.decide(other, rig.accept("bea")).unwrap();
    rig.handle.decide(other, Decision::refuse(403, "too late to change one's mind")).unwrap();
    let response = second.response();
    let mut second = WebSocket::from_upgrade(second, &response);
    assert_eq!(second.text(), "bea: hi");
    rig.handle.broadcast(Message::Text("before")).unwrap();
    assert_eq!(second.text(), "before");
    rig.handle.decide(conn, rig.accept("ada")).unwrap();
    let response = first.response();
    let mut first = WebSocket::from_upgrade(first, &response);
    // That it is in shows in its 101; until then publications may still come before. Its own text was read behind that.
    assert_eq!(first.text(), "ada: hello");
    rig.handle.broadcast(Message::Text("after")).unwrap();
    assert_eq!(first.text(), "after");
    assert_eq!(rig.handle.decide(ConnId(0), Decision::Pending), Err(PushError::NoSuchConnection));
    assert_eq!(second.text(), "after");
    first.close(1000);
    second.close(1000);
}

#[test]
fn a_refusal_leaves_the_connection_to_the_next_request() {
    let rig = Rig::start(60_000);
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/ws", &HANDSHAKE, b"");
    http.send(&[request.clone(), request].concat());
    let conn = rig.asked.recv().unwrap();
    rig.handle.decide(conn, Decision::refuse(403, "not you")).unwrap();
    let response = http.response();
    assert_eq!((response.status, response.text().as_str()), (403, "not you\n"));
    let again = rig.asked.recv().unwrap();
    assert_eq!(again, conn, "it is the same connection");
    rig.handle.decide(again, rig.accept("ada")).unwrap();
    assert_eq!(http.response().status, 101);
}

#[test]
fn a_host_that_never_decides_keeps_nobody() {
    let rig = Rig::start(100);
    let mut http = rig.ask("hello");
    let conn = rig.asked.recv().unwrap();
    let response = http.response();
    assert_eq!(response.status, 503);
    assert!(response.text().contains("handshake_ms"), "{}", response.text());
    http.expect_end();
    // The decision comes when there is nobody to decide on.
    rig.handle.decide(conn, rig.accept("ada")).unwrap();
    assert_eq!(Http::tcp(rig.address).ask("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn streams_and_polls_wait_for_the_host_as_well() {
    let rig = Rig::start(60_000);
    for path in ["/sse", "/stream"] {
        let http = rig.ask_for(path, &[]);
        let conn = rig.asked.recv().unwrap();
        rig.handle.decide(conn, rig.accept("ada")).unwrap();
        let mut stream = EventStream::over(http, b"");
        assert_eq!(stream.head.status, 200, "{path}");
        rig.handle.publish_user("ada", Message::Text("hello, ada")).unwrap();
        while !stream.line().expect("a line").contains("hello, ada") {}
    }
    rig.handle.broadcast(Message::Text("there")).unwrap();
    let mut http = rig.ask_for("/poll?since=earliest", &[]);
    let conn = rig.asked.recv().unwrap();
    rig.handle.decide(conn, rig.accept("ada")).unwrap();
    let (response, lines) = answer(&mut http);
    assert_eq!((response.status, lines[0]["data"].as_str()), (200, Some("there")));
}

#[test]
fn a_stream_that_is_refused_later_is_told_as_one_that_is_refused_at_once() {
    let rig = Rig::start(60_000);
    let accept = [("Accept", "text/event-stream")];
    for (status, answered) in [(403, 403), (429, 200)] {
        let mut http = rig.ask_for("/sse", &accept);
        let conn = rig.asked.recv().unwrap();
        rig.handle.decide(conn, Decision::refuse(status, "no")).unwrap();
        assert_eq!(http.response().status, answered);
    }
    let rig = Rig::start(100);
    for (path, answered) in [("/sse", 200), ("/stream", 503), ("/poll", 503)] {
        let mut http = rig.ask_for(path, &accept);
        let _ = rig.asked.recv().unwrap();
        let response = http.response();
        assert_eq!(response.status, answered, "{path}");
        assert!(response.text().contains("handshake_ms"), "{}", response.text());
    }
}

//! One thread's requests happen in their order: through a `Handle`, in a handler's callbacks, and in the requests of
//! one admin connection. And no callback sees a session that the host has ended.

use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use crate::daemon::{Daemon, Http, WebSocket, wait};
use crate::wire::{CLOSE, HANDSHAKE, TEXT, close_of, masked};
use wspush::config::LogLevel;
use wspush::{
    Accept, CloseCode, Config, ConnId, Connect, Decision, Handle, Handler, Message, Server, Session,
};

const ROUNDS: usize = 20;

/// The host's record: opened, messages, closed with.
#[derive(Default)]
struct Seen {
    opened: Vec<ConnId>,
    messages: Vec<String>,
    closed: Vec<(ConnId, u16)>,
}

struct Host {
    handle: Handle,
    seen: Arc<Mutex<Seen>>,
}

impl Host {
    fn publish(&self, text: &str) {
        self.handle.publish("news", Message::Text(text)).unwrap();
    }
}

impl Handler for Host {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let channels = vec!["news".to_owned()];
        let user = connect.query("name");
        Decision::Accept(Accept { user, broadcast: false, channels, ..Accept::default() })
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        self.seen.lock().unwrap().opened.push(session.id());
        let Some(name) = session.user() else { return };
        if name == "id" {
            self.handle.close(session.id(), CloseCode(4001), "not today").unwrap();
        } else {
            session.close(CloseCode(4001), "not today");
        }
        session.reply(Message::Text("too late"));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { panic!("no text") };
        self.seen.lock().unwrap().messages.push(text.to_owned());
        session.reply(Message::Text("1"));
        self.publish("2");
        session.reply(Message::Text("3"));
        self.handle.send(session.id(), Message::Text("4")).unwrap();
        self.publish("5");
        session.unsubscribe("news");
        self.publish("to others");
        session.reply(Message::Text("6"));
        session.subscribe("news");
        self.publish("7");
        match text {
            "by id" => self.handle.close(session.id(), CloseCode(4000), "as you wish").unwrap(),
            _ => session.close(CloseCode(4000), "as you wish"),
        }
        self.publish("8");
        session.reply(Message::Text("too late"));
        session.close(CloseCode(4003), "only the first one counts");
    }

    fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        self.seen.lock().unwrap().closed.push((conn, code.0));
    }
}

/// A server in this process, and what its host sees.
struct Rig {
    handle: Handle,
    address: std::net::SocketAddr,
    seen: Arc<Mutex<Seen>>,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
}

impl Rig {
    fn start() -> Rig {
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            log_level: LogLevel::Off,
            ..Config::default()
        };
        let seen = Arc::new(Mutex::new(Seen::default()));
        let host = seen.clone();
        let make = |handle| Box::new(Host { handle, seen: host }) as Box<dyn Handler>;
        let server = Server::bind_with(config, make, None).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        Rig { handle, address, seen, thread: Some(std::thread::spawn(move || server.run())) }
    }

    /// Asks for a WebSocket, and says these texts in the same breath.
    fn open(&self, target: &str, texts: &[&str]) -> WebSocket {
        let mut http = Http::over(TcpStream::connect(self.address).unwrap());
        let request = http.request("GET", target, &HANDSHAKE, b"");
        http.send(&[request, frames(texts)].concat());
        let response = http.response();
        WebSocket::from_upgrade(http, &response)
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

fn frames(texts: &[&str]) -> Vec<u8> {
    texts.iter().flat_map(|text| masked(true, TEXT, text.as_bytes())).collect()
}

/// All texts up to the close frame, and that one's code.
fn rest(client: &mut WebSocket) -> (Vec<String>, u16) {
    let mut texts = Vec::new();
    loop {
        let frame = client.frame();
        if frame.opcode == CLOSE {
            client.send(CLOSE, &frame.payload);
            return (texts, close_of(&frame).0);
        }
        texts.push(String::from_utf8(frame.payload).unwrap());
    }
}

fn said(texts: &[&str], code: u16) -> (Vec<String>, u16) {
    (texts.iter().map(|text| (*text).to_owned()).collect(), code)
}

#[test]
fn a_handle_is_taken_at_its_word() {
    let rig = Rig::start();
    let publish = |text| rig.handle.publish("news", Message::Text(text)).unwrap();
    for round in 0..ROUNDS {
        let mut client = rig.open("/ws", &[]);
        let conn = rig.seen.lock().unwrap().opened[round];
        let first = publish("one");
        rig.handle.send(conn, Message::Text("two")).unwrap();
        let second = publish("three");
        rig.handle.unsubscribe(conn, "news").unwrap();
        let missed = publish("to others");
        rig.handle.subscribe(conn, "news").unwrap();
        let third = publish("four");
        rig.handle.close(conn, CloseCode(4002), "enough").unwrap();
        let late = publish("to others");
        assert_eq!(rest(&mut client), said(&["one", "two", "three", "four"], 4002));
        wait("all of it to be settled", || rig.handle.delivery(&late).is_some());
        for (receipt, count) in [(&first, 1), (&second, 1), (&missed, 0), (&third, 1), (&late, 0)] {
            let d = rig.handle.delivery(receipt).unwrap();
            assert_eq!((d.recipients, d.written, d.gone), (count, count, 0), "{d:?}");
        }
    }
}

#[test]
fn a_callback_is_taken_at_its_word_and_its_session_ends_once() {
    let rig = Rig::start();
    let mut expected = Vec::new();
    for text in ["session", "by id"] {
        for _ in 0..ROUNDS {
            let mut client = rig.open("/ws", &[text, "not heard", "not heard"]);
            assert_eq!(rest(&mut client), said(&["1", "2", "3", "4", "5", "6", "7"], 4000));
            let mut client = rig.open("/ws", &[]);
            client.send_raw(&frames(&[text, "not heard", "not heard"]));
            assert_eq!(rest(&mut client), said(&["1", "2", "3", "4", "5", "6", "7"], 4000));
            expected.extend([text, text]);
        }
    }
    for name in ["session", "id"] {
        for _ in 0..ROUNDS {
            let mut client = rig.open(&format!("/ws?name={name}"), &["not heard", "not heard"]);
            assert_eq!(rest(&mut client), said(&[], 4001));
        }
    }
    wait("all ends", || rig.seen.lock().unwrap().closed.len() == 6 * ROUNDS);
    let seen = rig.seen.lock().unwrap();
    assert_eq!(seen.messages, expected);
    let ended: Vec<ConnId> = seen.closed.iter().map(|(conn, _)| *conn).collect();
    assert!(seen.opened.iter().all(|conn| ended.iter().filter(|ended| *ended == conn).count() == 1));
}

#[test]
fn pipelined_requests_are_taken_at_their_word() {
    let daemon = Daemon::start(&[]);
    for _ in 0..ROUNDS {
        let mut client = WebSocket::open_at(&daemon, "/ws?channel=public.a");
        let (id, mut http) = (daemon.id_of(&client), daemon.admin_http());
        let push = |http: &Http, target: &str, text: &str| {
            http.request("POST", target, &[("Content-Type", "text/plain")], text.as_bytes())
        };
        let (channel, conn) = ("/push?channel=public.a", format!("/push?conn={id}"));
        let requests = [
            push(&http, channel, "one"),
            push(&http, &conn, "two"),
            push(&http, "/push", "three"),
            push(&http, &conn, "four"),
            push(&http, channel, "five"),
            http.request("DELETE", &format!("/connections/{id}?code=4002"), &[], b""),
            push(&http, channel, "late"),
        ];
        http.send(&requests.concat());
        let answers: Vec<_> = requests.iter().map(|_| http.response()).collect();
        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(rest(&mut client), said(&["one", "two", "three", "four", "five"], 4002));
        for (n, count) in [(0, 1), (2, 1), (4, 1), (6, 0)] {
            let delivery = daemon.wait_delivered(&answers[n].json()["receipt"]);
            assert_eq!((&delivery["recipients"], &delivery["written"]), (&count.into(), &count.into()));
        }
        drop(client);
        daemon.wait_connections(0);
    }
}

/// A log of two, and many who have to be offered it: publications wait for room, and what is asked behind them too.
#[test]
fn pipelined_requests_wait_for_each_other() {
    const OTHERS: usize = 60;
    let daemon = Daemon::start(&["--log-publications", "2", "--flush-slice", "1"]);
    let others: Vec<_> = (0..OTHERS).map(|_| WebSocket::open(&daemon)).collect();
    for _ in 0..ROUNDS {
        let mut client = WebSocket::open(&daemon);
        let (id, mut http) = (daemon.id_of(&client), daemon.admin_http());
        let mut requests: Vec<_> =
            (0..8).map(|n| http.request("POST", "/push", &[], format!("{n}").as_bytes())).collect();
        requests.insert(5, http.request("POST", &format!("/push?conn={id}"), &[], b"yours"));
        requests.push(http.request("DELETE", &format!("/connections/{id}?code=4002"), &[], b""));
        http.send(&requests.concat());
        for _ in &requests {
            assert_eq!(http.response().status, 200);
        }
        assert_eq!(rest(&mut client), said(&["0", "1", "2", "3", "4", "yours", "5", "6", "7"], 4002));
        drop(client);
        daemon.wait_connections(OTHERS as u64);
    }
    drop(others);
}

//! The facts that a host in Rust may rely on about those who come, and what it is told of a slip of its own.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use crate::daemon::WebSocket;
use crate::wire::close_of;
use wspush::endpoint::Session;
use wspush::{
    Accept, CloseCode, Config, ConnId, Connect, Decision, Handle, Handler, Message, PushError, Server,
};

/// Lets in whom the query says, as whom it says, and tells what it was called for.
struct Gate(Sender<&'static str>);

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        self.0.send("connect").unwrap();
        match connect.query("as") {
            Some(user) => Decision::Accept(Accept { user: Some(user), ..Accept::default() }),
            None => Decision::refuse(429, "too often"),
        }
    }

    fn on_open(&mut self, _session: &mut Session<'_>) {
        self.0.send("open").unwrap();
    }

    fn on_close(&mut self, _conn: ConnId, _user: Option<&str>, _code: CloseCode, _reason: &str) {
        self.0.send("close").unwrap();
    }
}

struct Host {
    address: SocketAddr,
    handle: Handle,
    called: Receiver<&'static str>,
    thread: JoinHandle<std::io::Result<()>>,
}

fn config() -> Config {
    Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() }
}

impl Host {
    fn start(with_handler: bool, origins: &[&str]) -> Host {
        let mut config = config();
        if !origins.is_empty() {
            config.origins = origins.iter().map(|origin| (*origin).to_owned()).collect();
        }
        let (sender, called) = channel();
        let server = match with_handler {
            true => Server::bind_with(config, |_| Box::new(Gate(sender)), None).unwrap(),
            false => Server::bind(config).unwrap(),
        };
        let (address, handle) = (server.addresses()[0], server.handle());
        Host { address, handle, called, thread: std::thread::spawn(move || server.run()) }
    }

    fn status(&self, target: &str, more: &[(&str, &str)]) -> u16 {
        WebSocket::ask(self.address, target, more).err().map_or(101, |response| response.status)
    }

    /// Drains; what the handler was called for.
    fn end(self) -> Vec<&'static str> {
        self.handle.drain();
        self.thread.join().unwrap().unwrap();
        self.called.iter().collect()
    }
}

#[test]
fn a_library_opens_no_port_that_nobody_asked_for() {
    let server = Server::bind(config()).unwrap();
    assert_eq!(server.addresses().len(), 1);
    assert_eq!(server.admin_address(), None);
    let asked = Config { admin: vec!["127.0.0.1:0".parse().unwrap()], ..config() };
    assert!(Server::bind(asked).unwrap().admin_address().is_some());
}

#[test]
fn pages_of_other_origins_are_nobodys_to_decide() {
    let host = Host::start(true, &[]);
    let own = format!("http://{}", host.address);
    for foreign in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(host.status("/ws?as=eve", &[("Origin", foreign)]), 403, "{foreign}");
    }
    assert_eq!(host.status("/ws?as=ada", &[("Origin", &own)]), 101);
    assert_eq!(host.status("/ws?as=ada", &[]), 101, "no page");
    let called = host.end();
    assert_eq!(called.iter().filter(|call| **call == "connect").count(), 2, "{called:?}");
    let said = Host::start(true, &["*"]);
    assert_eq!(said.status("/ws?as=eve", &[("Origin", "http://evil.example")]), 101);
    said.end();
    let nobody = Host::start(false, &[]);
    assert_eq!(nobody.status("/ws", &[("Origin", "http://evil.example")]), 101);
    assert_eq!(nobody.status("/ws", &[("Origin", "http://evil.example"), ("Cookie", "a=b")]), 403);
    nobody.end();
}

#[test]
fn parameters_are_the_hosts_to_read() {
    let host = Host::start(true, &[]);
    assert_eq!(host.status("/ws?as=ada&other=1&other=&as", &[]), 101);
    assert_eq!(host.status("/ws?as=ada&channel=", &[]), 400);
    assert_eq!(host.status("/ws?as=ada&refusals=x", &[]), 400);
    host.end();
    let nobody = Host::start(false, &[]);
    assert_eq!(nobody.status("/ws?as=ada", &[]), 400, "nobody reads it");
    nobody.end();
}

#[test]
fn its_refusal_is_a_close_frame_for_whoever_asks_so() {
    let host = Host::start(true, &[]);
    assert_eq!(host.status("/ws", &[]), 429);
    let mut told =
        WebSocket::ask(host.address, "/ws?refusals=close", &[]).unwrap_or_else(|r| panic!("{}", r.status));
    assert_eq!(close_of(&told.frame()), (4429, "too often".to_owned()));
    told.send_close(4429, "");
    assert_eq!(told.next(), None);
    drop(told);
    assert_eq!(host.end(), ["connect", "connect"], "it was never open");
}

#[test]
fn nobody_is_not_everybody() {
    let host = Host::start(true, &[]);
    assert_eq!(host.status("/ws?as=", &[]), 500, "a user without a name");
    let ada = WebSocket::ask(host.address, "/ws?as=ada", &[]);
    let mut ada = ada.unwrap_or_else(|response| panic!("{}", response.status));
    let (handle, hi) = (&host.handle, Message::Text("hi"));
    assert_eq!(handle.publish("", hi), Err(PushError::BadChannel));
    assert_eq!(handle.publish_with(Some(""), hi, Default::default()), Err(PushError::BadChannel));
    let none = ConnId(0);
    assert_eq!(handle.send(none, hi), Err(PushError::NoSuchConnection));
    assert_eq!(handle.close(none, CloseCode::NORMAL, ""), Err(PushError::NoSuchConnection));
    assert_eq!(handle.subscribe(none, "a"), Err(PushError::NoSuchConnection));
    assert_eq!(handle.unsubscribe(none, "a"), Err(PushError::NoSuchConnection));
    assert_eq!(handle.subscribe(ConnId(1), ""), Err(PushError::BadChannel));
    assert_eq!(ada.sync(), []);
    assert_eq!(handle.stats().counters.publications, 0);
    drop(ada);
    host.end();
}

/// Drops another server, and the connections it has, when somebody comes.
struct Dropper(Option<Server>);

impl Handler for Dropper {
    fn on_message(&mut self, _session: &mut Session<'_>, _message: Message<'_>) {
        self.0 = None;
    }
}

#[test]
fn a_server_dropped_in_anothers_callback_is_gone_at_once() {
    let (sender, called) = channel();
    let mut guest = Server::bind_with(config(), |_| Box::new(Gate(sender)), None).unwrap();
    let (address, handle) = (guest.addresses()[0], guest.handle());
    let asking = std::thread::spawn(move || WebSocket::ask(address, "/ws?as=ada", &[]));
    while handle.stats().connections == 0 {
        assert!(guest.poll_once(None).unwrap());
    }
    let mut ada = asking.join().unwrap().unwrap_or_else(|response| panic!("{}", response.status));
    let host = Server::bind_with(config(), |_| Box::new(Dropper(Some(guest))), None).unwrap();
    let (door, owner) = (host.addresses()[0], host.handle());
    let thread = std::thread::spawn(move || host.run());
    let mut client =
        WebSocket::ask(door, "/ws", &[]).unwrap_or_else(|response| panic!("{}", response.status));
    client.send_text("x");
    assert_eq!(ada.next(), None);
    // Its handler went with it, and was asked for nothing any more.
    assert_eq!(called.iter().collect::<Vec<_>>(), ["connect", "open"]);
    assert_eq!(handle.broadcast(Message::Text("hi")), Err(PushError::Stopped));
    owner.drain();
    drop(client);
    thread.join().unwrap().unwrap();
}

/// Refuses everybody, and says by what they have come.
struct Porter;

impl Handler for Porter {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        Decision::refuse(403, connect.transport().name())
    }
}

#[test]
fn a_host_knows_by_what_a_client_comes_wherever_it_asks() {
    let own = Config { demo: true, ws_paths: vec!["/socket".to_owned()], ..config() };
    let elsewhere = Config { endpoints: false, ws_paths: vec!["/sse".to_owned()], ..config() };
    for (config, paths) in [
        (own, &[("/sse", "sse"), ("/stream", "stream"), ("/poll", "poll"), ("/ws", "ws")][..]),
        (elsewhere, &[("/sse", "ws")][..]),
    ] {
        let demo = [("/demo/sse", "sse"), ("/demo/poll", "poll"), ("/demo/ws", "ws"), ("/socket", "ws")];
        let demo = demo.iter().filter(|_| config.demo);
        let server = Server::bind_with(config.clone(), |_| Box::new(Porter), None).unwrap();
        let (address, handle) = (server.addresses()[0], server.handle());
        let thread = std::thread::spawn(move || server.run());
        for (path, transport) in paths.iter().chain(demo) {
            let refusal = WebSocket::ask(address, path, &[]).err().expect("a refusal");
            assert_eq!((refusal.status, refusal.text()), (403, format!("{transport}\n")), "{path}");
        }
        handle.drain();
        thread.join().unwrap().unwrap();
    }
}

//! Paths of a host's own: which handler hears of a client, what the path, the head and the host say about it, and whose
//! terms hold.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::daemon::{Http, WebSocket};
use crate::wire::{HANDSHAKE, close_of};
use wspush::config::LogLevel;
use wspush::{
    Accept, Closed, Config, ConnId, Connect, Decision, Handle, Handler, Message, PushError, Route, RouteId,
    Router, Server, Session, SessionList, StartError,
};

mod answers;
mod sessions;

/// A room of a chat: what one says all in it hear.
struct Chat {
    handle: Handle,
    told: Sender<String>,
}

/// The things that it keeps at each guest.
struct Guest {
    room: String,
    messages: u64,
}

impl Handler for Chat {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let Some(room) = connect.param("room") else { return Decision::refuse(500, "no room") };
        if connect.cookie("banned").is_some() {
            return Decision::refuse(403, "you are not welcome");
        }
        let guest = Guest { room: room.to_owned(), messages: 0 };
        Decision::Accept(Accept {
            user: connect.query("as"),
            broadcast: false,
            channels: vec![format!("room.{}", room.len())],
            ..Accept::default()
                .with_header("Set-Cookie", format!("room={}", room.len()))
                .with_attribute(guest)
        })
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let facts = format!(
            "{:?} {:?} {:?} {} {}",
            session.pattern(),
            session.param("room"),
            session.param("none"),
            session.is_open(),
            session.peer().is_some_and(|peer| peer.ip().is_loopback())
        );
        session.reply(Message::Text(&facts));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Message::Text(text) = message else { panic!("a text") };
        let Some(guest) = session.attribute_mut::<Guest>() else { panic!("a guest") };
        guest.messages += 1;
        let line = format!("{}: {text}", guest.messages);
        let channel = format!("room.{}", guest.room.len());
        self.handle.publish(&channel, Message::Text(&line)).unwrap();
    }

    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        let guest = closed.take_attribute::<Guest>().map(|guest| (guest.room, guest.messages));
        let facts = (closed.param("room"), closed.user(), closed.code().0, closed.reason());
        // Nobody hears of those who are there at the end.
        let _ = self.told.send(format!("{guest:?} {facts:?}"));
    }
}

/// Gives back what it gets, with its name in front.
struct Echo(&'static str);

impl Handler for Echo {
    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let text = String::from_utf8_lossy(message.bytes()).into_owned();
        session.reply(Message::Text(&format!("{}: {text}", self.0)));
    }
}

struct Rig {
    handle: Handle,
    address: SocketAddr,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

fn config() -> Config {
    Config { listen: vec!["127.0.0.1:0".parse().unwrap()], log_level: LogLevel::Off, ..Config::default() }
}

impl Rig {
    fn start(config: Config, fill: impl FnOnce(Handle) -> Router) -> Rig {
        let server = Server::bind_with(config, |handle| Box::new(fill(handle)), None).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        Rig { handle, address, thread: Some(std::thread::spawn(move || server.run())) }
    }

    fn open(&self, target: &str) -> WebSocket {
        let asked = WebSocket::ask(self.address, target, &[]);
        asked.unwrap_or_else(|response| panic!("{target}: {}", response.status))
    }

    fn status(&self, target: &str) -> u16 {
        WebSocket::ask(self.address, target, &[]).err().map_or(101, |response| response.status)
    }

    /// Who answers at a path.
    fn says(&self, target: &str) -> String {
        let mut client = self.open(target);
        client.send_text("x");
        let text = client.text();
        client.close(1000);
        text
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain();
        let ended = self.thread.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(Ok(())))));
    }
}

fn ask<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, PushError>) + Send>) -> Result<(), PushError>,
) -> T {
    let (tell, told) = channel();
    ask(Box::new(move |answer| tell.send(answer).unwrap())).unwrap();
    told.recv().unwrap().unwrap()
}

/// A chat, and what is told when its guests go.
fn chat() -> (Rig, Receiver<String>) {
    let (told, hears) = channel();
    let rig = Rig::start(config(), |handle| {
        let mut router = Router::new(());
        router.add("/chat/{room}", Chat { handle, told }).unwrap();
        router
    });
    (rig, hears)
}

#[test]
fn the_most_specific_route_hears_of_a_client() {
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(Echo("ours"));
        for pattern in ["/echo", "/chat/{room}", "/chat/lobby", "/chat/*", "/{any}/log", "/caf\u{e9}"] {
            router.add(pattern, Echo(pattern)).unwrap();
        }
        router
    });
    for (target, pattern) in [
        ("/ws", "ours"),
        ("/echo", "/echo"),
        ("/echo/", "/echo"),
        ("/echo?room=1&room=&x", "/echo"),
        ("/chat/a", "/chat/{room}"),
        ("/chat/%6cobby", "/chat/lobby"),
        ("/chat", "/chat/*"),
        ("/chat/a/b", "/chat/*"),
        ("/x/log", "/{any}/log"),
        ("/caf%C3%A9", "/caf\u{e9}"),
    ] {
        assert_eq!(rig.says(target), format!("{pattern}: x"), "{target}");
    }
    for (target, status) in
        [("/", 404), ("/Echo", 404), ("//log", 404), ("/a/../log", 400), ("/%zz/log", 400)]
    {
        assert_eq!(rig.status(target), status, "{target}");
    }
    assert_eq!(rig.handle.stats().connections, 0);
}

#[test]
fn a_guest_of_a_room_has_its_own_state_to_the_end() {
    let (rig, hears) = chat();
    let mut ada = rig.open("/chat/lobby?as=ada");
    assert_eq!(ada.text(), r#"Some("/chat/{room}") Some("lobby") None true true"#);
    let mut other = rig.open("/chat/a%2Fb%20c");
    assert_eq!(other.text(), r#"Some("/chat/{room}") Some("a/b c") None true true"#);
    ada.send_text("hi");
    ada.send_text("ho");
    assert_eq!((ada.text(), ada.text()), ("1: hi".to_owned(), "2: ho".to_owned()));
    assert_eq!((other.text(), other.text()), ("1: hi".to_owned(), "2: ho".to_owned()));
    rig.handle.broadcast(Message::Text("to everybody")).unwrap();
    assert_eq!(ada.sync(), [], "the host has said no to what is broadcast");
    ada.close(1000);
    assert_eq!(hears.recv().unwrap(), r#"Some(("lobby", 2)) (Some("lobby"), Some("ada"), 1000, "")"#);
    other.reset();
    assert_eq!(hears.recv().unwrap(), r#"Some(("a/b c", 0)) (Some("a/b c"), None, 1006, "")"#);
    assert_eq!(rig.status("/chat/"), 404, "an empty name is no room");
}

#[test]
fn a_routes_terms_are_its_own() {
    let rig = Rig::start(Config { subprotocols: vec!["ours".to_owned()], ..config() }, |_| {
        let mut router = Router::new(Echo("ours"));
        let own = Route::new("/own").message_bytes_max(200).subprotocols(["b", "wspush.v1"]);
        router.add(own.origins(["https://example.com"]), Echo("own")).unwrap();
        router.add("/plain", Echo("plain")).unwrap();
        router
    });
    let asked = |target: &str, more: &[(&str, &str)]| {
        let fields = [&HANDSHAKE[..], more].concat();
        let response = Http::tcp(rig.address).ask("GET", target, &fields, b"");
        (response.status, response.header("sec-websocket-protocol").map(str::to_owned))
    };
    let offered = [("Sec-WebSocket-Protocol", "wspush.v1, ours, b")];
    assert_eq!(asked("/own", &offered), (101, Some("wspush.v1".to_owned())));
    assert_eq!(asked("/own", &[("Sec-WebSocket-Protocol", "ours, b")]), (101, Some("b".to_owned())));
    assert_eq!(asked("/plain", &offered), (101, Some("ours".to_owned())));
    let page = |origin| [("Origin", origin)];
    assert_eq!(asked("/own", &page("https://example.com")).0, 101);
    let own_page = format!("http://{}", rig.address);
    assert_eq!((asked("/own", &page(&own_page)).0, asked("/plain", &page(&own_page)).0), (403, 101));
    assert_eq!(asked("/plain", &page("https://example.com")).0, 403);

    for (target, len, closes) in [("/own", 200, false), ("/own", 201, true), ("/plain", 201, false)] {
        let mut client = rig.open(target);
        client.send_text(&"x".repeat(len));
        let frame = client.frame();
        let code = (frame.opcode == 8).then(|| close_of(&frame).0);
        assert_eq!(code, closes.then_some(1009), "{target} {len}");
    }
}

#[test]
fn the_servers_own_paths_can_be_given_up() {
    let with = |config: Config| {
        let mut router = Router::new(());
        router.add("/ws", Echo("mine")).unwrap();
        Server::bind_with(config, |_| Box::new(router), None)
    };
    let problem = with(config()).err().map(|error| error.to_string()).unwrap();
    assert_eq!(
        problem,
        "route \"/ws\": the server has this path itself (settings: endpoints, ws_paths, demo)"
    );
    let off = Config { endpoints: false, ws_paths: vec!["/socket".to_owned()], ..config() };
    let rig = Rig::start(off, |_| {
        let mut router = Router::new(Echo("ours"));
        router.add("/ws", Echo("mine")).unwrap();
        router
    });
    assert_eq!(rig.says("/ws"), "mine: x");
    assert_eq!(rig.says("/socket/"), "ours: x");
    assert_eq!(Http::tcp(rig.address).ask("GET", "/sse", &[], b"").status, 404);
    assert_eq!(Http::tcp(rig.address).ask("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn terms_out_of_bounds_are_found_at_the_start() {
    for (route, says) in [
        (Route::new("/a").message_bytes_max(1), "message_bytes_max"),
        (Route::new("/a").message_bytes_max(200 << 20), "assembly_bytes_max"),
        (Route::new("/a").subprotocols(["a b"]), "subprotocols"),
        (Route::new("/a").subprotocols(["a", "a"]), "twice"),
        (Route::new("/a").origins(["example.com"]), "origins"),
    ] {
        let mut router = Router::new(());
        router.add(route, ()).unwrap();
        match Server::bind_with(config(), |_| Box::new(router), None) {
            Err(StartError::Route(error)) => {
                assert!(error.pattern == "/a" && error.problem.contains(says), "{error}");
            }
            other => panic!("{says}: {:?}", other.err()),
        }
    }
}

#[test]
fn as_many_routes_as_there_may_be() {
    let mut ids = Vec::new();
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(());
        for number in 0..250 {
            ids.push(router.add(format!("/service/{number}/{{name}}"), Echo("x")).unwrap());
        }
        for number in 250..2_000 {
            let error = router.add(format!("/service/{number}"), Echo("x")).unwrap_err();
            assert!(error.problem.contains("250 routes at the most"), "{error}");
        }
        router
    });
    let (first, last) = (rig.open("/service/0/a"), rig.open("/service/249/a"));
    let online = |id: &RouteId| rig.handle.online(*id);
    assert_eq!((online(&ids[0]), online(&ids[1]), online(&ids[249])), (1, 0, 1));
    drop((first, last));
    // A path of as many segments as fit a head visits no more of the patterns than there are.
    let long = format!("/service/7{}", "/a".repeat(3_500));
    assert_eq!(rig.status(&long), 404);
    assert_eq!(rig.status(&"/".repeat(7_000)), 404);
    assert_eq!(rig.status(&format!("/service/7/{}", "%2561".repeat(1_000))), 101);
}

#[test]
fn other_paths_are_ws_as_well() {
    let ws_paths = vec!["/".to_owned(), "/stomp/websocket".to_owned()];
    let rig = Rig::start(Config { ws_paths, ..config() }, |_| Router::new(Echo("ours")));
    for path in ["/", "/ws", "/stomp/websocket?channel=a", "/stomp/websocket/"] {
        let expected = if path.contains("channel") { 403 } else { 101 };
        assert_eq!(rig.status(path), expected, "{path}");
    }
    assert_eq!(rig.says("/stomp/websocket"), "ours: x");
    let reloaded = Config { ws_paths: vec!["/other".to_owned()], ..config() };
    rig.handle.reload(reloaded).unwrap();
    // Answered behind it.
    ask(|answer| rig.handle.sessions(SessionList::default(), answer));
    assert_eq!(rig.says("/other"), "ours: x");
    assert_eq!(rig.status("/"), 404);
}

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
fn the_host_answers_with_headers_of_its_own() {
    let (rig, _hears) = chat();
    let mut http = Http::tcp(rig.address);
    let response = http.ask("GET", "/chat/lobby", &HANDSHAKE, b"");
    assert_eq!((response.status, response.header("set-cookie")), (101, Some("room=5")));
    let banned = [&HANDSHAKE[..], &[("Cookie", "a=1; banned=yes")]].concat();
    let response = Http::tcp(rig.address).ask("GET", "/chat/lobby", &banned, b"");
    assert_eq!((response.status, &response.body[..]), (403, &b"you are not welcome\n"[..]));
    let told = WebSocket::ask(rig.address, "/chat/lobby?refusals=close", &[("Cookie", "banned=1")]);
    let mut told = told.unwrap_or_else(|response| panic!("{}", response.status));
    assert_eq!(close_of(&told.frame()), (4403, "you are not welcome".to_owned()));
}

/// Adds these fields to whatever it lets in.
struct Adds(&'static str, &'static str);

impl Handler for Adds {
    fn on_connect(&mut self, _connect: &Connect<'_>) -> Decision {
        Decision::Accept(Accept::default().with_header(self.0, self.1))
    }
}

#[test]
fn a_header_can_not_be_broken_out_of() {
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(Adds("X-Stream", "yes"));
        router.add("/value", Adds("X-A", "b\r\nSet-Cookie: s3cret")).unwrap();
        router.add("/name", Adds("X-A: b\r\nC", "d")).unwrap();
        router.add("/own", Adds("Sec-WebSocket-Accept", "forged")).unwrap();
        router
    });
    for path in ["/value", "/name", "/own"] {
        let response = Http::tcp(rig.address).ask("GET", path, &HANDSHAKE, b"");
        let text = String::from_utf8_lossy(&response.body).into_owned();
        assert!(response.status == 500 && text.starts_with("the host: "), "{path}: {text}");
        assert!(!text.contains("s3cret") && response.header("set-cookie").is_none(), "{text}");
    }
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/sse", &[], b"");
    http.send(&request);
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        head.extend(http.more());
    }
    let head = String::from_utf8(head).unwrap();
    assert!(head.contains("\r\nX-Stream: yes") && head.contains("text/event-stream"), "{head}");
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

/// Sets the session's own limit to what is said.
struct Limited;

impl Handler for Limited {
    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let text = String::from_utf8_lossy(message.bytes()).into_owned();
        if let Ok(bytes) = text.parse() {
            session.set_message_bytes_max(bytes);
        }
        session.reply(Message::Text(&text.len().to_string()));
    }
}

#[test]
fn a_session_has_a_limit_of_its_own() {
    let rig = Rig::start(config(), |_| Router::new(Limited));
    let mut client = rig.open("/ws");
    for (text, answer) in [("300", "3"), (&*"x".repeat(300), "300"), ("126", "3"), (&*"x".repeat(126), "126")]
    {
        client.send_text(text);
        assert_eq!(client.text(), answer);
    }
    client.send_text(&"x".repeat(127));
    assert_eq!(client.closed().0, 1009);
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

/// Decides later, and tells whom it was asked about.
struct Later(Sender<ConnId>);

impl Handler for Later {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        self.0.send(connect.id()).unwrap();
        Decision::Pending
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let text = format!("{:?} {:?}", session.param("room"), session.attribute::<u64>());
        session.reply(Message::Text(&text));
    }
}

#[test]
fn who_waits_for_its_decision_keeps_its_route() {
    let (asked, asks) = channel();
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(());
        router.add("/later/{room}", Later(asked)).unwrap();
        router
    });
    let mut http = Http::tcp(rig.address);
    let request = http.request("GET", "/later/lobby", &HANDSHAKE, b"");
    http.send(&request);
    let accept = Accept::default().with_header("X-Late", "yes").with_attribute(7_u64);
    rig.handle.decide(asks.recv().unwrap(), Decision::Accept(accept)).unwrap();
    let response = http.response();
    assert_eq!((response.status, response.header("x-late")), (101, Some("yes")));
    let mut client = WebSocket::from_upgrade(http, &response);
    assert_eq!(client.text(), r#"Some("lobby") Some(7)"#);
}

/// Counts how many there are.
struct Dropped(Sender<()>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.send(()).unwrap();
    }
}

struct Keeps(Sender<()>);

impl Handler for Keeps {
    fn on_open(&mut self, session: &mut Session<'_>) {
        session.set_attribute(Dropped(self.0.clone()));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        match message.bytes() {
            b"another" => session.set_attribute(Dropped(self.0.clone())),
            b"take" => drop(session.take_attribute::<Dropped>()),
            _ => {}
        }
        session.reply(message);
    }
}

#[test]
fn an_attribute_is_dropped_once_and_in_time() {
    let (sender, dropped) = channel();
    let server = Server::bind_with(config(), |_| Box::new(Keeps(sender)), None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let open =
        || WebSocket::ask(address, "/ws", &[]).unwrap_or_else(|response| panic!("{}", response.status));
    let say = |client: &mut WebSocket, text: &str| {
        client.send_text(text);
        assert_eq!(client.text(), text);
    };
    let mut client = open();
    say(&mut client, "hi");
    assert!(dropped.try_recv().is_err());
    say(&mut client, "another");
    dropped.recv().unwrap();
    say(&mut client, "take");
    dropped.recv().unwrap();
    client.close(1000);
    let mut client = open();
    say(&mut client, "hi");
    client.close(1000);
    dropped.recv().unwrap();
    let mut stays = open();
    say(&mut stays, "hi");
    handle.drain_within(std::time::Duration::ZERO);
    thread.join().unwrap().unwrap();
    assert_eq!(dropped.iter().count(), 1, "that of the one that was there at the end");
}

/// Gives those who come a time-out, and says something when it is asked to.
struct Patient;

impl Handler for Patient {
    fn on_open(&mut self, session: &mut Session<'_>) {
        session.set_idle_timeout(Some(Duration::from_millis(1)));
        let timeout = session.idle_timeout().map(|timeout| timeout.as_millis());
        session.reply(Message::Text(&format!("{timeout:?}")));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        if message.bytes() == b"for ever" {
            session.set_idle_timeout(None);
        }
        session.reply(message);
    }
}

#[test]
fn a_session_that_has_nothing_to_say_is_closed() {
    let rig = Rig::start(config(), |_| Router::new(Patient));
    let (mut idle, mut stays) = (rig.open("/ws"), rig.open("/ws"));
    assert_eq!((idle.text(), stays.text()), ("Some(100)".to_owned(), "Some(100)".to_owned()));
    stays.send_text("for ever");
    // It may be late for that on a slow machine, and then it is told so.
    let answer = stays.frame();
    let is_late = answer.opcode == 8;
    assert!(is_late || answer.payload == b"for ever");
    assert_eq!(idle.closed(), (1001, "nothing was said for 100 ms".to_owned()));
    if !is_late {
        let mut again = rig.open("/ws");
        assert_eq!((again.text(), again.closed().0), ("Some(100)".to_owned(), 1001));
        assert_eq!(stays.sync(), [], "nobody closes it");
    }
}

fn ask<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, PushError>) + Send>) -> Result<(), PushError>,
) -> T {
    let (tell, told) = channel();
    ask(Box::new(move |answer| tell.send(answer).unwrap())).unwrap();
    told.recv().unwrap().unwrap()
}

#[test]
fn open_sessions_are_listed_by_route_and_asked_about() {
    let mut routes = Vec::new();
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(());
        for pattern in ["/a/{name}/{of}", "/b"] {
            routes.push(router.add(pattern, Echo(pattern)).unwrap());
        }
        router
    });
    let mut clients: Vec<_> = (0..5).map(|n| rig.open(&format!("/a/{n}/x%20y"))).collect();
    clients.push(rig.open("/b"));
    clients.push(rig.open("/ws"));
    clients.iter_mut().for_each(|client| assert_eq!(client.sync(), []));
    let of = |list: SessionList| ask(|answer| rig.handle.sessions(list, answer));
    let (list, mut names) = (SessionList::default().of(routes[0]).limit(2), Vec::new());
    let mut page = of(list);
    loop {
        assert!(page.sessions.len() <= 2 && page.sessions.iter().all(|one| one.route == Some(routes[0])));
        names.extend(page.sessions.iter().map(|one| one.param("name").unwrap().to_owned()));
        let Some(next) = page.next else { break };
        page = of(list.after(next));
    }
    names.sort_unstable();
    assert_eq!(names, ["0", "1", "2", "3", "4"]);
    let all = of(SessionList::default()).sessions;
    let ours: Vec<_> = all.iter().filter(|one| one.route.is_none()).collect();
    assert_eq!((all.len(), ours.len(), &ours[0].parameters[..]), (7, 1, &[][..]));
    let (online, none) = (|at: usize| rig.handle.online(routes[at]), SessionList::default().limit(0));
    assert_eq!((online(0), online(1)), (5, 1));
    assert!(rig.handle.sessions(none, |_| panic!("it is never asked")).is_err());

    let of_b = of(SessionList::default().of(routes[1])).sessions.remove(0);
    let peer = clients[5].stream().local_addr().unwrap();
    assert_eq!((of_b.peer, of_b.user, of_b.route), (Some(peer), None, Some(routes[1])));
    let one = |id| ask(|answer| rig.handle.session(id, answer));
    assert_eq!(one(of_b.id).map(|found| found.id), Some(of_b.id));
    clients.remove(5).close(1000);
    assert_eq!((one(of_b.id), rig.handle.online(routes[1])), (None, 0));
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

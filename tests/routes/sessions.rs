//! The facts about open sessions, and what a host keeps and sets there.

use super::*;

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

/// Says which time-out a session has.
struct Asked;

impl Handler for Asked {
    fn on_open(&mut self, session: &mut Session<'_>) {
        let timeout = session.idle_timeout().map(|timeout| timeout.as_millis());
        session.reply(Message::Text(&format!("{timeout:?} {:?}", session.param("name"))));
    }
}

#[test]
fn a_route_gives_its_sessions_a_time_out() {
    let rig = Rig::start(config(), |_| {
        let mut router = Router::new(Asked);
        router.add(Route::new("/short").idle_timeout(Duration::from_millis(1)), Asked).unwrap();
        router.add(Route::new("/long/{name}").idle_timeout(Duration::from_secs(3_600)), Asked).unwrap();
        router
    });
    let (mut ours, mut long) = (rig.open("/ws"), rig.open("/long/a"));
    assert_eq!((ours.text(), long.text()), ("None None".to_owned(), r#"Some(3600000) Some("a")"#.to_owned()));
    let mut short = rig.open("/short");
    assert_eq!(short.text(), "Some(100) None");
    assert_eq!(short.closed().0, 1001);
    assert_eq!((ours.sync(), long.sync()), (vec![], vec![]));
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
    assert!(!of_b.is_secure && of_b.outbox_bytes == 0);
    let one = |id| ask(|answer| rig.handle.session(id, answer));
    assert_eq!(one(of_b.id).map(|found| found.id), Some(of_b.id));
    clients.remove(5).close(1000);
    assert_eq!((one(of_b.id), rig.handle.online(routes[1])), (None, 0));
}

#[test]
fn what_waits_for_a_session_is_told_on_any_thread() {
    let rig = Rig::start(config(), |_| Router::new(Echo("ours")));
    let mut client = rig.open("/ws");
    let all = ask(|answer| rig.handle.sessions(SessionList::default(), answer)).sessions;
    let conn = all[0].id;
    let waits = || ask(|answer| rig.handle.session(conn, answer)).map(|session| session.outbox_bytes);
    let (message, mut sent) = ("x".repeat(60 << 10), 0);
    while waits() == Some(0) {
        rig.handle.send(conn, Message::Text(&message)).unwrap();
        sent += 1;
    }
    assert!(waits().is_some_and(|bytes| bytes <= message.len() + 10));
    (0..sent).for_each(|_| assert_eq!(client.text().len(), message.len()));
    assert_eq!((client.sync(), waits()), (vec![], Some(0)));
}

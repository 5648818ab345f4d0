//! Several reactors behind a host of its own: the threads that callbacks come from, users, and the end.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle, ThreadId};
use std::time::Duration;

use wspush::config::Reactors;
use wspush::{
    Accept, CloseCode, Config, ConnId, Connect, Decision, Handle, Handler, Message, PushError, ReactorLoop,
    Server, Session,
};

use crate::daemon::{self, WebSocket};
use crate::reactors::REACTORS;

/// Lets everybody in as whom the query says, and notes on which threads.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<BTreeSet<String>>>, Arc<AtomicU64>);

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        self.0.lock().unwrap().insert(format!("{:?}", thread::current().id()));
        let channels = connect.channels.clone();
        Decision::Accept(Accept { user: connect.query("as"), channels, ..Accept::default() })
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        self.1.fetch_add(1, Ordering::Relaxed);
        session.reply(message);
    }
}

struct Host {
    address: SocketAddr,
    handle: Handle,
    gate: Gate,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    fn start() -> Host {
        let gate = Gate::default();
        let server = bound(&gate);
        let (address, handle) = (server.addresses()[0], server.handle());
        Host { address, handle, gate, thread: Some(thread::spawn(move || server.run())) }
    }

    fn open(&self, target: &str) -> WebSocket {
        WebSocket::ask(self.address, target, &[]).unwrap_or_else(|r| panic!("{target}: {}", r.status))
    }

    /// The answer to a question.
    fn told<T: Send + 'static>(&self, ask: impl FnOnce(Box<dyn FnOnce(T) + Send>)) -> T {
        let (tell, told) = std::sync::mpsc::channel();
        ask(Box::new(move |answer| drop(tell.send(answer))));
        told.recv_timeout(daemon::PATIENCE).expect("an answer")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

#[test]
fn callbacks_come_from_each_reactors_thread() {
    let host = Host::start();
    let mut clients: Vec<WebSocket> = (0..3 * REACTORS).map(|_| host.open("/ws")).collect();
    for client in &mut clients {
        client.send_text("hello");
        assert_eq!(client.text(), "hello");
    }
    assert_eq!((host.gate.0.lock().unwrap().len(), host.gate.1.load(Ordering::Relaxed)), (REACTORS, 9));
    let own: ThreadId = thread::current().id();
    assert!(!host.gate.0.lock().unwrap().contains(&format!("{own:?}")));
}

#[test]
fn a_user_is_one_wherever_its_connections_are() {
    let host = Host::start();
    let mut anns: Vec<WebSocket> = (0..2 * REACTORS).map(|_| host.open("/ws?as=ann")).collect();
    let mut bob = host.open("/ws?as=bob");
    host.handle.publish_user("ann", Message::Text("for ann")).unwrap();
    anns.iter_mut().for_each(|ann| assert_eq!(ann.text(), "for ann"));
    assert_eq!(bob.sync(), []);
    let (mut after, mut ids) = (None, Vec::new());
    loop {
        let page = host.told(|tell| host.handle.user_connections("ann", after, 4, tell).unwrap()).unwrap();
        ids.extend(page.connections.iter().map(|connection| connection.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((ids.len(), ids.iter().collect::<std::collections::HashSet<_>>().len()), (6, 6));
    for &id in &ids {
        let session = host.told(|tell| host.handle.session(id, tell).unwrap()).unwrap();
        assert_eq!(session.expect("it is open").user.as_deref(), Some("ann"));
    }
    host.handle.subscribe_user("ann", "news").unwrap();
    host.handle.publish("news", Message::Text("in order")).unwrap();
    host.handle.disconnect_user("ann", CloseCode(4002), "bye").unwrap();
    for ann in &mut anns {
        assert_eq!(ann.text(), "in order");
        assert_eq!(ann.closed(), (4002, "bye".to_owned()));
    }
    assert_eq!(bob.sync(), []);
}

fn bound(gate: &Gate) -> Server {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        reactors: Reactors::new(REACTORS).unwrap(),
        ..Config::default()
    };
    Server::bind_each(config, |_| Box::new(gate.clone()), None, Vec::new()).unwrap()
}

#[test]
fn a_host_drives_each_reactor_by_loops_of_its_own() {
    let gate = Gate::default();
    let mut server = bound(&gate);
    let descriptors = server.descriptors();
    assert_eq!((descriptors.len(), descriptors[0]), (REACTORS, server.descriptor()));
    let mut others = server.take_reactors();
    assert_eq!(others.iter().map(ReactorLoop::number).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(others.iter().filter_map(ReactorLoop::descriptor).collect::<Vec<_>>(), descriptors[1..]);
    assert!(server.take_reactors().is_empty() && server.descriptors().len() == 1);
    let (address, handle) = (server.addresses()[0], server.handle());
    let client = thread::spawn(move || {
        let open = || WebSocket::ask(address, "/ws", &[]).unwrap_or_else(|r| panic!("{}", r.status));
        let mut clients: Vec<WebSocket> = (0..2 * REACTORS).map(|_| open()).collect();
        for client in &mut clients {
            client.send_text("hello");
            assert_eq!(client.text(), "hello");
        }
        handle.broadcast(Message::Text("to all")).unwrap();
        clients.iter_mut().for_each(|client| assert_eq!(client.text(), "to all"));
        handle.drain();
        clients.iter_mut().for_each(|client| assert_eq!(client.closed().0, 1001));
    });
    let (turn, mut goes_on) = (Some(Duration::from_millis(1)), true);
    while goes_on || !others.is_empty() {
        goes_on = goes_on && server.poll_once(turn).unwrap();
        others.retain_mut(|other| other.poll_once(turn).unwrap());
    }
    client.join().unwrap();
    let own = format!("{:?}", thread::current().id());
    assert_eq!(gate.0.lock().unwrap().iter().collect::<Vec<_>>(), [&own], "nobody else has driven one");
}

/// Notes who has come, in the order of the reactors.
#[derive(Clone, Default)]
struct Arrivals(Arc<Mutex<BTreeSet<ConnId>>>);

impl Handler for Arrivals {
    fn on_open(&mut self, session: &mut Session<'_>) {
        self.0.lock().unwrap().insert(session.id());
    }
}

#[test]
fn a_subscription_that_was_promised_comes_true_whoever_is_behind() {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        reactors: Reactors::new(2).unwrap(),
        inbox_commands_max: 4,
        ..Config::default()
    };
    let arrivals = Arrivals::default();
    let host = |_| -> Box<dyn Handler> { Box::new(arrivals.clone()) };
    let mut server = Server::bind_each(config, host, None, Vec::new()).unwrap();
    let mut other = server.take_reactors().pop().unwrap();
    let (address, handle) = (server.addresses()[0], server.handle());
    let now = Some(Duration::ZERO);
    let mut first = || assert!(server.poll_once(now).unwrap());
    let mut second = || assert!(other.poll_once(now).unwrap());
    let clients = thread::spawn(move || {
        let open = || WebSocket::ask(address, "/ws", &[]).unwrap_or_else(|r| panic!("{}", r.status));
        [open(), open()]
    });
    daemon::wait("a client at each reactor", || {
        first();
        second();
        clients.is_finished()
    });
    let ids: Vec<ConnId> = arrivals.0.lock().unwrap().iter().copied().collect();
    // The second reactor gets no turn, and what is for it stays in its inbox.
    handle.subscribe(ids[0], "promised").unwrap();
    while handle.unsubscribe(ids[1], "none") != Err(PushError::InboxFull) {}
    assert_eq!(handle.subscribe(ids[0], "another"), Err(PushError::InboxFull), "nothing is promised");
    (0..10).for_each(|_| first());
    daemon::wait("room at the second one", || {
        second();
        handle.publish("promised", Message::Text("kept")).is_ok()
    });
    // The first one to come is at the first reactor.
    let reader = thread::spawn(move || clients.join().unwrap()[0].text());
    daemon::wait("the publication", || {
        first();
        second();
        reader.is_finished()
    });
    assert_eq!(reader.join().unwrap(), "kept");
}

#[test]
fn a_reactor_that_is_given_up_ends_the_server() {
    let mut server = bound(&Gate::default());
    let mut others = server.take_reactors();
    drop(others.pop());
    let problem = server.run().unwrap_err();
    assert_eq!(problem.to_string(), "reactor 2 was dropped before it had drained");
    assert!(!others[0].poll_once(None).unwrap(), "and with the server the others come to their end");
    assert_eq!(others[0].descriptor(), None);
}

#[test]
fn a_server_that_is_dropped_takes_its_threads_with_it() {
    let gate = Gate::default();
    let mut server = bound(&gate);
    let (address, handle) = (server.addresses()[0], server.handle());
    let client = thread::spawn(move || {
        let Ok(mut client) = WebSocket::ask(address, "/ws", &[]) else { panic!("it is not let in") };
        client.send_text("hello");
        client.text()
    });
    while !client.is_finished() {
        server.poll_once(Some(Duration::from_millis(10))).unwrap();
    }
    assert_eq!(client.join().unwrap(), "hello");
    drop(server);
    assert!(handle.broadcast(Message::Text("x")).is_err());
    assert_eq!(Arc::strong_count(&gate.0), 1, "no reactor has a handler any more");
}

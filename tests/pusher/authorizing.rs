//! A host that decides on private channels and sign-ins, at once or later.

use std::sync::mpsc::{Receiver, Sender, channel};

use serde_json::{Value, json};
use wspush::config::LogLevel;
use wspush::{Authorization, Authorized, Config, ConnId, Handle, Handler, Server};

use super::{Client, KEY, SECRET, held, signature, subscribed};

/// Each question as it was seen: the texts of it, and whether it is signed.
type Seen = (Option<String>, String, Option<String>, bool, Option<String>);

struct Gate {
    seen: Sender<Seen>,
    later: Sender<(ConnId, u32)>,
    handle: Handle,
}

impl Handler for Gate {
    fn on_authorize(&mut self, asked: &Authorization<'_>) -> Authorized {
        assert_eq!(asked.app(), "3");
        assert!(asked.socket_id().contains('.'));
        let own = |text: Option<&str>| text.map(str::to_owned);
        let seen = (
            own(asked.channel()),
            asked.auth().to_owned(),
            own(asked.data()),
            asked.is_signed(),
            own(asked.user()),
        );
        self.seen.send(seen).unwrap();
        match asked.auth() {
            "yes" => Authorized::yes(),
            "ada" if asked.channel().is_some() => {
                Authorized::as_user(r#"{"user_id":"ada","user_info":{"a":1}}"#)
            }
            "ada" => Authorized::as_user(r#"{"id":"ada"}"#),
            "no" => Authorized::no("not you"),
            "broken" => Authorized::as_user("{}"),
            "later" => {
                self.later.send((asked.conn(), asked.number())).unwrap();
                Authorized::Pending
            }
            // Calls of a callback are carried out behind it.
            "soon" => {
                self.handle.authorize(asked.conn(), asked.number(), Authorized::no("soon")).unwrap();
                Authorized::Pending
            }
            _ => Authorized::BySignature,
        }
    }
}

struct Rig {
    handle: Handle,
    address: std::net::SocketAddr,
    seen: Receiver<Seen>,
    later: Receiver<(ConnId, u32)>,
    thread: Option<std::thread::JoinHandle<std::io::Result<()>>>,
}

impl Rig {
    fn start(handshake_ms: u64, reactors: usize) -> Rig {
        Rig::start_with(Config {
            handshake_ms,
            reactors: wspush::config::Reactors::Count(reactors.try_into().unwrap()),
            ..Config::default()
        })
    }

    fn start_with(config: Config) -> Rig {
        let config = Config {
            listen: vec!["127.0.0.1:0".parse().unwrap()],
            log_level: LogLevel::Off,
            pusher_app: vec![format!("3 key={KEY} secret={SECRET}").parse().unwrap()],
            ..config
        };
        let ((seen_by, seen), (later_by, later)) = (channel(), channel());
        let make = |handle| {
            Box::new(Gate { seen: seen_by.clone(), later: later_by.clone(), handle }) as Box<dyn Handler>
        };
        let server = Server::bind_each(config, make, None, Vec::new()).unwrap();
        let (handle, address) = (server.handle(), server.addresses()[0]);
        let thread = Some(std::thread::spawn(move || server.run()));
        Rig { handle, address, seen, later, thread }
    }

    fn open(&self) -> Client {
        Client::at(self.address)
    }

    fn authorize(&self, (conn, number): (ConnId, u32), authorized: Authorized) {
        self.handle.authorize(conn, number, authorized).unwrap();
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

fn asked(channel: &str, auth: &str) -> Value {
    json!({"event": "pusher:subscribe", "data": {"channel": channel, "auth": auth}})
}

fn sign_in(auth: &str) -> Value {
    json!({"event": "pusher:signin", "data": {"auth": auth, "user_data": "{\"id\":\"eve\"}"}})
}

/// The status of a subscription that was not given.
fn status(answer: &Value) -> i64 {
    assert_eq!(answer["event"], "pusher:subscription_error", "{answer}");
    answer["data"]["status"].as_i64().unwrap()
}

#[test]
fn the_host_decides_beside_the_signature() {
    let rig = Rig::start(60_000, 1);
    let mut client = rig.open();
    assert_eq!(client.ask(&asked("private-a", "yes")), subscribed("private-a"));
    let first = rig.seen.recv().unwrap();
    assert_eq!(first, (Some("private-a".into()), "yes".into(), None, false, None));
    let refused = client.ask(&asked("private-b", "no"));
    assert_eq!((status(&refused), &refused["data"]["error"]), (403, &json!("not you")));
    // Where it has no opinion the signature counts, which it is told of.
    assert_eq!(status(&client.ask(&asked("private-b", "x:y"))), 401);
    assert_eq!(client.subscribe_signed("private-b", None), subscribed("private-b"));
    let seen: Vec<bool> = rig.seen.try_iter().map(|(_, _, _, is_signed, _)| is_signed).collect();
    assert_eq!(seen, [false, false, true]);
    // It is asked of nothing that is open to anybody, and of nothing that a client has already.
    assert_eq!(client.subscribe("news"), subscribed("news"));
    assert_eq!(client.ask(&asked("private-a", "no")), subscribed("private-a"));
    assert!(rig.seen.try_recv().is_err());
}

#[test]
fn the_host_says_who_somebody_is() {
    let rig = Rig::start(60_000, 1);
    let mut client = rig.open();
    let joined = client.ask(&asked("presence-a", "ada"));
    assert_eq!(held(&joined)["presence"]["hash"], json!({"ada": {"a": 1}}));
    // A client's own word is nobody's, unless a backend has signed it.
    let unsigned = json!({"channel": "presence-b", "auth": "yes", "channel_data": "{\"user_id\":\"root\"}"});
    assert_eq!(status(&client.ask(&json!({"event": "pusher:subscribe", "data": unsigned}))), 401);
    assert_eq!(status(&client.ask(&asked("presence-b", "broken"))), 401);
    assert_eq!(client.ask(&sign_in("ada"))["event"], "pusher:signin_success");
    let (.., user) = rig.seen.try_iter().last().unwrap();
    assert_eq!(user, None, "it is asked before");
    assert_eq!(client.subscribe("#server-to-user-ada"), subscribed("#server-to-user-ada"));
    let joined = client.ask(&asked("presence-b", "yes"));
    assert_eq!(held(&joined)["presence"]["ids"], json!(["ada"]), "whom it has signed in as");
    assert_eq!(rig.seen.try_iter().last().unwrap().4, Some("ada".into()));
    for auth in ["no", "yes", "broken"] {
        let mut other = rig.open();
        assert_eq!(other.ask(&sign_in(auth))["data"]["code"], 4_009, "{auth}");
        assert_eq!(other.closed(), 4_009);
    }
}

#[test]
fn the_host_decides_later_and_nobody_waits() {
    for reactors in [1, 3] {
        let rig = Rig::start(60_000, reactors);
        let mut clients: Vec<Client> = (0..4).map(|_| rig.open()).collect();
        for client in &mut clients {
            client.send(&asked("private-a", "later"));
            client.send(&asked("presence-a", "later"));
            assert_eq!(client.subscribe("news"), subscribed("news"), "it goes on meanwhile");
            let [private, presence] = [0; 2].map(|_| rig.later.recv().unwrap());
            rig.authorize(presence, Authorized::Pending);
            rig.authorize(presence, Authorized::as_user(r#"{"user_id":7}"#));
            assert_eq!(held(&client.next())["presence"]["ids"], json!(["7"]));
            rig.authorize(private, Authorized::no("no"));
            assert_eq!(status(&client.next()), 403);
            // Each is answered once.
            rig.authorize(private, Authorized::yes());
            client.send(&sign_in("later"));
            rig.authorize(rig.later.recv().unwrap(), Authorized::as_user(r#"{"id":"7"}"#));
            assert_eq!(client.next()["event"], "pusher:signin_success");
            assert_eq!(client.rest(), [] as [Value; 0]);
        }
    }
}

#[test]
fn who_has_changed_its_mind_is_not_answered() {
    let rig = Rig::start(60_000, 1);
    let mut client = rig.open();
    client.send(&asked("private-a", "later"));
    client.send(&json!({"event": "pusher:unsubscribe", "data": {"channel": "private-a"}}));
    client.send(&asked("private-a", "later"));
    let [first, second] = [0; 2].map(|_| rig.later.recv().unwrap());
    rig.authorize(first, Authorized::yes());
    assert_eq!(client.rest(), [] as [Value; 0]);
    // The number is the question's, not the channel's; and one of another connection is none of this one's.
    rig.authorize((first.0, first.1.wrapping_add(100)), Authorized::yes());
    rig.authorize((ConnId(first.0.0 ^ (1 << 40)), second.1), Authorized::yes());
    assert_eq!(client.rest(), [] as [Value; 0]);
    rig.authorize(second, Authorized::yes());
    assert_eq!(client.next(), subscribed("private-a"));
    client.send(&asked("private-b", "later"));
    let gone = rig.later.recv().unwrap();
    client.reset();
    rig.authorize(gone, Authorized::yes());
    assert_eq!(rig.open().subscribe("news"), subscribed("news"), "nothing has happened");
}

#[test]
fn an_answer_that_never_comes_is_no() {
    let rig = Rig::start(200, 1);
    let mut client = rig.open();
    client.send(&asked("private-a", "later"));
    assert_eq!(status(&client.next()), 503);
    assert_eq!(status(&client.ask(&asked("private-b", "soon"))), 403);
    let mut other = rig.open();
    other.send(&sign_in("later"));
    assert_eq!(other.next()["data"]["code"], 4_009);
    assert_eq!(other.closed(), 4_009);
}

#[test]
fn questions_of_one_client_are_bounded() {
    let rig = Rig::start(60_000, 1);
    let mut client = rig.open();
    let max = wspush::limits::PUSHER_QUESTIONS_MAX;
    for n in 0..max {
        client.send(&asked(&format!("private-{n}"), "later"));
    }
    assert_eq!(status(&client.ask(&asked("private-x", "later"))), 4_100);
    assert_eq!(rig.later.try_iter().count(), max);
    assert!(rig.seen.try_iter().count() == max, "the host isn't asked in vain");
    // The same one again takes its own place.
    client.send(&asked("private-0", "yes"));
    assert_eq!(client.next(), subscribed("private-0"));
    client.send(&asked("private-x", "later"));
    assert_eq!(client.rest(), [] as [Value; 0]);
}

#[test]
fn who_is_no_host_is_not_asked() {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        log_level: LogLevel::Off,
        pusher_app: vec![format!("3 key={KEY} secret={SECRET}").parse().unwrap()],
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let mut client = Client::at(address);
    assert_eq!(status(&client.ask(&asked("private-a", "yes"))), 401);
    let auth = signature(&format!("{}:private-a", client.id));
    assert_eq!(client.ask(&asked("private-a", &auth)), subscribed("private-a"));
    handle.drain();
    thread.join().unwrap().unwrap();
}

/// The answer to the first server's question finds nobody, so the second one's host is asked.
#[cfg(feature = "handover")]
#[test]
fn a_successor_is_asked_again() {
    let socket = std::env::temp_dir().join(format!("wspush-authorizing-{}", std::process::id()));
    let start = || {
        let handover = Some(format!("unix:{}", socket.display()));
        Rig::start_with(Config { handshake_ms: 60_000, handover, ..Config::default() })
    };
    let first = start();
    let mut client = first.open();
    assert_eq!(client.subscribe("news"), subscribed("news"));
    client.send(&asked("private-a", "later"));
    client.send(&asked("private-b", "later"));
    client.send(&sign_in("later"));
    let former: Vec<(ConnId, u32)> = (0..3).map(|_| first.later.recv().unwrap()).collect();
    let second = start();
    let anew: Vec<(ConnId, u32)> = (0..3).map(|_| second.later.recv().unwrap()).collect();
    assert!(anew.iter().all(|(conn, _)| *conn == former[0].0), "it is the same connection");
    let asked: Vec<_> = second.seen.try_iter().map(|(channel, ..)| channel).collect();
    assert_eq!(asked, [Some("private-a".to_owned()), Some("private-b".to_owned()), None]);
    second.authorize(anew[1], Authorized::yes());
    assert_eq!(client.next(), subscribed("private-b"));
    second.authorize(anew[0], Authorized::no("no"));
    assert_eq!(status(&client.next()), 403);
    second.authorize(anew[2], Authorized::as_user(r#"{"id":"7"}"#));
    assert_eq!(client.next()["event"], "pusher:signin_success");
}

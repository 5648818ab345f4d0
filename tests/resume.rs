//! Clients that were away get what they have missed: positions, and where a subscription begins.

use std::sync::{Arc, Mutex};

use crate::daemon::{Daemon, WebSocket, wait};
use crate::wire::{HANDSHAKE, Response};
use wspush::config::LogLevel;
use wspush::push::FIRST_OFFSET;
use wspush::{Accept, Config, Connect, Decision, Handler, Message, Position, Server, Session, Since};

/// A client and what its 101 says of its positions.
fn open(daemon: &Daemon, query: &str, more: &[(&str, &str)]) -> (WebSocket, String) {
    let mut http = crate::daemon::Http::tcp(daemon.public);
    let fields = [&HANDSHAKE[..], more].concat();
    let response = http.ask("GET", &format!("/ws?{query}"), &fields, b"");
    assert_eq!(response.status, 101, "{response:?}");
    let positions = response.header("Wspush-Position").expect("a position").to_owned();
    (WebSocket::from_upgrade(http, &response), positions)
}

fn refused(daemon: &Daemon, query: &str) -> Response {
    WebSocket::ask(daemon.public, &format!("/ws?{query}"), &[]).err().expect("a refusal")
}

/// Pushes so many texts, the first of them with this number; the channel's epoch.
fn push(daemon: &Daemon, target: &str, numbers: std::ops::RangeInclusive<u64>) -> u64 {
    let mut epoch = 0;
    for number in numbers {
        let answer = daemon.push_to(target, &number.to_string());
        assert_eq!(answer["offset"], number);
        epoch = answer["epoch"].as_u64().expect("a number");
        daemon.wait_delivered(&answer["receipt"]);
    }
    epoch
}

fn numbers(client: &mut WebSocket) -> Vec<u64> {
    client.sync().iter().map(|frame| str::from_utf8(&frame.payload).unwrap().parse().unwrap()).collect()
}

#[test]
fn a_client_comes_back_for_what_it_has_missed() {
    let daemon = Daemon::start(&["--log-publications", "6"]);
    let (mut first, at) = open(&daemon, "", &[]);
    let (epoch, none) = at.strip_prefix("broadcast=").and_then(|at| at.split_once('.')).expect("a position");
    assert_eq!(none, "0", "nothing was published yet");
    push(&daemon, "/push", FIRST_OFFSET..=8);
    assert_eq!(numbers(&mut first), [1, 2, 3, 4, 5, 6, 7, 8]);
    drop(first);
    for (since, position, expected) in [
        (format!("{epoch}.8"), 8, vec![]),
        (format!("{epoch}.5"), 5, vec![6, 7, 8]),
        (format!("{epoch}.2"), 2, vec![3, 4, 5, 6, 7, 8]),
        // Gone, of another life, and not yet there: from the head, and the position says so.
        (format!("{epoch}.1"), 8, vec![]),
        (format!("{epoch}1.5"), 8, vec![]),
        (format!("{epoch}.9"), 8, vec![]),
        ("head".to_owned(), 8, vec![]),
        ("earliest".to_owned(), 2, vec![3, 4, 5, 6, 7, 8]),
        ("latest".to_owned(), 7, vec![8]),
        ("last:2".to_owned(), 6, vec![7, 8]),
        ("last:1000".to_owned(), 2, vec![3, 4, 5, 6, 7, 8]),
        ("time:0".to_owned(), 2, vec![3, 4, 5, 6, 7, 8]),
        ("time:253402300799999".to_owned(), 8, vec![]),
    ] {
        for fields in [&[][..], &[("Sec-WebSocket-Extensions", "permessage-deflate")]] {
            let (mut client, at) = open(&daemon, &format!("since={since}"), fields);
            assert_eq!(at, format!("broadcast={epoch}.{position}"), "{since}");
            assert_eq!(numbers(&mut client), expected, "{since} {fields:?}");
        }
    }
    let delivery = daemon.push("end");
    let of_eight = delivery["receipt"].as_u64().unwrap() - 1;
    let delivery = daemon.ask("GET", &format!("/stats?receipt={of_eight}"), &[], b"").json();
    let recovered = &delivery["recovered"];
    assert_eq!(
        (recovered, &delivery["recipients"], &delivery["written"]),
        (&14.into(), &15.into(), &15.into())
    );
}

#[test]
fn each_channel_has_its_own_beginning() {
    let daemon = Daemon::start(&[]);
    let default = push(&daemon, "/push", 1..=3);
    let a = push(&daemon, "/push?channel=public.a", 1..=4);
    let query = format!("since={default}.2&channel=public.a&since={a}.2&channel=public.new");
    let (mut client, at) = open(&daemon, &query, &[]);
    let (known, new) = at.rsplit_once(", public.new=").expect("a position of each");
    assert_eq!(known, format!("broadcast={default}.2, public.a={a}.2"));
    assert!(new.ends_with(".0"), "{new}");
    assert_eq!(numbers(&mut client), [3, 3, 4]);
    let (mut only, at) = open(&daemon, "channel=public.a&since=latest&broadcast=no", &[]);
    assert_eq!(at, format!("public.a={a}.3"));
    daemon.wait_delivered(&daemon.push("to others")["receipt"]);
    assert_eq!(numbers(&mut only), [4]);
    for (query, reason) in [
        ("since=", "since is empty; give it a value, or leave it out"),
        ("since=yesterday", "since is not one of E.O, head, earliest, last:N, time:UNIX_MS, latest"),
        ("since=head&since=head", "since is there more than once for the channel broadcast"),
        ("broadcast=maybe", "broadcast is not no"),
    ] {
        let refusal = refused(&daemon, query);
        assert_eq!((refusal.status, String::from_utf8_lossy(&refusal.body).trim()), (400, reason), "{query}");
    }
}

/// More than a socket takes at once: one that comes back slowly is an ordinary slow consumer.
#[test]
fn a_large_rest_comes_in_its_order() {
    const COUNT: u64 = 40;
    let daemon = Daemon::start(&["--log-bytes", "8388608"]);
    let mut epoch = serde_json::Value::Null;
    for number in 1..=COUNT {
        epoch = daemon.push(&format!("{number:09}{}", "x".repeat(100_000)))["epoch"].clone();
    }
    let mut client = WebSocket::open_narrow(&daemon, &format!("/ws?since={epoch}.5"));
    let last = daemon.push("last");
    for number in 6..=COUNT {
        assert_eq!(client.text()[..9], format!("{number:09}"));
    }
    assert_eq!(client.text(), "last");
    let delivery = daemon.wait_delivered(&last["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["recovered"]), (&1.into(), &0.into()));
}

/// Lets everybody begin where it says, and subscribes who asks for it.
struct Host(Arc<Mutex<Option<Position>>>);

impl Handler for Host {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let since = match (connect.query("own"), *self.0.lock().unwrap()) {
            (Some(_), Some(position)) => vec![("news".to_owned(), Since::Position(position))],
            _ => Vec::new(),
        };
        let channels = vec!["news".to_owned()];
        Decision::Accept(Accept { broadcast: false, channels, since, ..Accept::default() })
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let Message::Text(channel) = message else { panic!("no text") };
        session.reply(Message::Text("before"));
        session.subscribe_since(channel, Since::Last(2));
        session.reply(Message::Text("behind"));
    }
}

#[test]
fn a_host_says_where_its_clients_begin() {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        log_level: LogLevel::Off,
        ..Config::default()
    };
    let position = Arc::new(Mutex::new(None));
    let host = Host(position.clone());
    let server = Server::bind_with(config, |_| Box::new(host), None).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let running = std::thread::spawn(move || server.run());
    let publish = |channel, text| handle.publish(channel, Message::Text(text)).unwrap();
    for text in ["1", "2", "3"] {
        publish("other", text);
    }
    let second = ["1", "2", "3"].map(|text| publish("news", text))[1].clone();
    *position.lock().unwrap() = Some(Position { epoch: second.epoch, offset: second.offset });
    wait("the publications to be logged", || handle.delivery(&second).is_some());
    let open = |target| WebSocket::ask(address, target, &[]).expect("let in");
    let texts = |client: &mut WebSocket, count| (0..count).map(|_| client.text()).collect::<Vec<_>>();
    assert_eq!(texts(&mut open("/ws?own=1"), 1), ["3"]);
    // Where the host says nothing the client's wish counts.
    let mut client = open("/ws?channel=news&since=last:2");
    assert_eq!(texts(&mut client, 2), ["2", "3"]);
    client.send_text("other");
    assert_eq!(texts(&mut client, 4), ["before", "2", "3", "behind"]);
    handle.drain();
    running.join().unwrap().unwrap();
}

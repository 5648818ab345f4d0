//! A host asks through a handle: how channels stand, what was published there, which connections a user has.

use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::daemon::{PATIENCE, WebSocket};
use wspush::config::LogLevel;
use wspush::{
    Accept, ChannelList, Config, Connect, Decision, Gap, Handle, Handler, HistoryQuery, Journal, Message,
    Position, PublishTerms, PushError, Server, Since,
};

/// Lets everybody in as whom the query says.
struct Gate;

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let channels = connect.channels.clone();
        let info = connect.query("info");
        Decision::Accept(Accept { user: connect.query("as"), channels, info, ..Accept::default() })
    }
}

fn server() -> Server {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        log_level: LogLevel::Off,
        log_publications: 4,
        channel_rule: vec!["room.* presence=true".parse().unwrap()],
        ..Config::default()
    };
    Server::bind_with(config, |_| Box::new(Gate), None).unwrap()
}

struct Host {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    fn start() -> Host {
        let server = server();
        let (address, handle) = (server.addresses()[0], server.handle());
        Host { address, handle, thread: Some(std::thread::spawn(move || server.run())) }
    }

    fn open(&self, target: &str) -> WebSocket {
        WebSocket::ask(self.address, target, &[]).unwrap_or_else(|r| panic!("{target}: {}", r.status))
    }

    fn say(&self, channel: &str, text: &str) {
        self.handle.publish(channel, Message::Text(text)).unwrap();
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handle.drain();
        self.thread.take().unwrap().join().unwrap().unwrap();
    }
}

/// Asks, and waits for the answer.
fn answer<T: Send + 'static>(
    ask: impl FnOnce(Box<dyn FnOnce(Result<T, PushError>) + Send>) -> Result<(), PushError>,
) -> Result<T, PushError> {
    let (tell, told) = sync_channel(1);
    ask(Box::new(move |answer| tell.send(answer).unwrap()))?;
    let answer = told.recv_timeout(PATIENCE).expect("an answer");
    assert!(told.recv().is_err(), "it is called once");
    answer
}

#[test]
fn history_comes_in_pages_from_both_ends() {
    let host = Host::start();
    let history =
        |query| answer(|tell| host.handle.history("news", query, tell)).map(|page| page.expect("a channel"));
    let all = HistoryQuery::default();
    assert_eq!(answer(|tell| host.handle.history("news", all, tell)), Ok(None));
    for n in 1..=6 {
        host.say("news", &n.to_string());
    }
    host.handle.publish("news", Message::Binary(b"\xff")).unwrap();
    // Behind what this thread has published, however far the server has come.
    let page = history(all).unwrap();
    let said: Vec<_> = page.publications.iter().map(|past| (past.offset, past.message())).collect();
    let text = |n| Message::Text(n);
    assert_eq!(said, [(4, text("4")), (5, text("5")), (6, text("6")), (7, Message::Binary(b"\xff"))]);
    assert_eq!((page.channel.offset, page.channel.first, page.missed), (7, 4, None));
    assert!(page.publications[0].unix_ms > 1_000_000_000_000);
    let offsets =
        |query| -> Vec<u64> { history(query).unwrap().publications.iter().map(|past| past.offset).collect() };
    assert_eq!(offsets(all.newest_first().limit(2)), [7, 6]);
    assert_eq!(offsets(all.limit(1)), [4]);
    assert_eq!(offsets(all.since(Since::Last(2))), [6, 7]);
    let behind = |offset| Since::Position(Position { epoch: page.channel.epoch, offset });
    assert_eq!(offsets(all.since(behind(5))), [6, 7]);
    assert_eq!(history(all.since(behind(1))).unwrap().missed, Some(Gap { from: 2, to: 3 }));
    for limit in [0, 1_001] {
        assert!(matches!(history(all.limit(limit)), Err(PushError::BadTerms(_))));
    }
    let bad = answer(|tell| host.handle.history("no name", all, tell));
    assert_eq!(bad, Err(PushError::BadChannel));
}

#[test]
fn a_page_has_no_more_bytes_than_a_turn_copies() {
    let host = Host::start();
    let large = "x".repeat(150_000);
    (0..3).for_each(|_| host.say("large", &large));
    let page = answer(|tell| host.handle.history("large", HistoryQuery::default(), tell)).unwrap().unwrap();
    assert_eq!((page.publications.len(), page.channel.offset), (1, 3));
}

#[test]
fn channels_are_listed_in_pages() {
    let host = Host::start();
    (0..7).for_each(|n| host.say(&format!("inbox.{n}"), "x"));
    host.say("other", "x");
    let mut list = ChannelList { prefix: "inbox.".into(), limit: 3, ..ChannelList::default() };
    let mut names = Vec::new();
    loop {
        let page = answer(|tell| host.handle.channels(list.clone(), tell)).unwrap();
        assert!(page.channels.len() <= 3);
        names.extend(page.channels.iter().map(|channel| channel.channel.to_string()));
        let Some(next) = page.next else { break };
        list.after = Some(next);
    }
    assert_eq!(names, (0..7).map(|n| format!("inbox.{n}")).collect::<Vec<_>>());
    let info = answer(|tell| host.handle.channel("inbox.3", tell)).unwrap().expect("a channel");
    assert_eq!((&*info.channel, info.offset, info.first, info.subscribers), ("inbox.3", 1, 1, 0));
    assert_eq!(answer(|tell| host.handle.channel("nobody", tell)), Ok(None));
    let all = answer(|tell| host.handle.channels(ChannelList::default(), tell)).unwrap();
    assert_eq!(all.channels.len(), 9, "the default channel is one");
}

#[test]
fn more_lists_than_may_be_under_way_are_refused() {
    let mut server = server();
    let handle = server.handle();
    let (tell, told) = sync_channel(200);
    for _ in 0..100 {
        let tell = tell.clone();
        handle.channels(ChannelList::default(), move |page| tell.send(page.map(|_| ())).unwrap()).unwrap();
    }
    drop(tell);
    let mut answers = Vec::new();
    while answers.len() < 100 {
        server.poll_once(Some(Duration::ZERO)).unwrap();
        answers.extend(told.try_iter());
    }
    assert!(answers.iter().all(|answer| matches!(answer, Ok(()) | Err(PushError::InboxFull))), "{answers:?}");
    assert!(answers.iter().filter(|answer| answer.is_ok()).count() >= 64);
}

#[test]
fn what_was_published_goes_out_before_it_is_forgotten() {
    let host = Host::start();
    let mut reader = host.open("/ws?channel=inbox");
    for round in 0..20 {
        host.say("inbox", &round.to_string());
        let before = answer(|tell| host.handle.channel("inbox", tell)).unwrap().unwrap();
        host.say("inbox", "last");
        let after = answer(|tell| host.handle.forget_history("inbox", tell)).unwrap().unwrap();
        assert_eq!((after.offset, after.first, after.subscribers), (0, 1, 1));
        assert_ne!(after.epoch, before.epoch);
        assert_eq!([reader.text(), reader.text()], [round.to_string(), "last".to_owned()]);
    }
    assert_eq!(answer(|tell| host.handle.forget_history("none", tell)), Ok(None));
}

#[test]
fn a_users_connections_are_listed_in_pages() {
    let host = Host::start();
    let anns: Vec<WebSocket> = (0..3).map(|_| host.open("/ws?as=ann&channel=news")).collect();
    let _bob = host.open("/ws?as=bob");
    let first = answer(|tell| host.handle.user_connections("ann", None, 2, tell)).unwrap();
    assert_eq!((first.connections.len(), first.next), (2, first.connections.last().map(|last| last.id)));
    let rest = answer(|tell| host.handle.user_connections("ann", first.next, 2, tell)).unwrap();
    assert_eq!((rest.connections.len(), rest.next), (1, None));
    for connection in first.connections.iter().chain(&rest.connections) {
        assert_eq!(connection.channels, ["broadcast", "news"]);
        host.handle.send(connection.id, Message::Text("found")).unwrap();
    }
    for mut ann in anns {
        assert_eq!(ann.text(), "found");
    }
    let nobody = answer(|tell| host.handle.user_connections("eve", None, 2, tell)).unwrap();
    assert_eq!((nobody.connections.len(), nobody.next), (0, None));
    assert_eq!(answer(|tell| host.handle.user_connections("", None, 2, tell)), Err(PushError::BadUser));
}

/// In the middle of an answer the handle is as usable as anywhere, and what it is told happens in its order.
#[test]
fn an_answer_may_ask_again() {
    let host = Host::start();
    let mut reader = host.open("/ws?channel=news");
    let (tell, told) = sync_channel(1);
    let handle = host.handle.clone();
    host.handle
        .channel("news", move |_| {
            handle.publish("news", Message::Text("one")).unwrap();
            let again = handle.clone();
            let ask = move |info: Result<Option<wspush::ChannelInfo>, _>| {
                again.publish("news", Message::Text("two")).unwrap();
                tell.send(info.unwrap().unwrap().offset).unwrap();
            };
            handle.channel("news", ask).unwrap();
        })
        .unwrap();
    assert_eq!(told.recv_timeout(PATIENCE), Ok(1));
    assert_eq!([reader.text(), reader.text()], ["one", "two"]);
}

#[test]
fn who_is_there_and_what_the_host_says_of_them() {
    let host = Host::start();
    let presence = |channel: &str| answer(|tell| host.handle.presence(channel, tell)).unwrap();
    assert_eq!((presence("room.1"), presence("broadcast")), (None, None), "it isn't there, or has none");
    let mut tab = host.open("/ws?channel=room.1&as=ann&info=%7B%22n%22%3A1%7D");
    let mut other = host.open("/ws?channel=room.1&as=ann");
    let mut bob = host.open("/ws?channel=room.1&as=bob");
    [&mut tab, &mut other, &mut bob].into_iter().for_each(|client| assert!(client.sync().is_empty()));
    host.say("room.1", "hello");
    let found = presence("room.1").expect("a channel with presence");
    assert_eq!((&*found.channel, found.offset, found.count), ("room.1", 1, 2));
    let members = found.members.expect("they are few");
    let members: Vec<_> =
        members.iter().map(|one| (one.user.as_str(), one.info.as_deref(), one.connections)).collect();
    assert_eq!(members, [("ann", Some("{\"n\":1}"), 2), ("bob", None, 1)]);
    assert_eq!(host.handle.presence("no name", |_| {}), Err(PushError::BadChannel));
    let wrong = WebSocket::ask(host.address, "/ws?as=ann&info=x", &[]).err().map(|answer| answer.status);
    assert_eq!(wrong, Some(500), "the host's mistake");
}

#[test]
fn a_server_that_ends_answers_everybody() {
    for turns in 0..3 {
        let mut server = server();
        let handle = server.handle();
        let (tell, told) = sync_channel(200);
        for _ in 0..100 {
            let tell = tell.clone();
            let query = HistoryQuery::default();
            handle.history("broadcast", query, move |page| tell.send(page.map(|_| ())).unwrap()).unwrap();
        }
        for _ in 0..turns {
            server.poll_once(Some(Duration::ZERO)).unwrap();
        }
        drop(server);
        drop(tell);
        let answers: Vec<_> = told.iter().collect();
        assert_eq!(answers.len(), 100);
        assert!(
            answers.iter().all(|answer| matches!(answer, Ok(()) | Err(PushError::Stopped))),
            "{answers:?}"
        );
        let late = handle.channel("broadcast", |_| panic!("it was refused"));
        assert_eq!(late, Err(PushError::Stopped));
    }
}

#[test]
fn a_full_inbox_takes_no_question_and_calls_nobody() {
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        log_level: LogLevel::Off,
        inbox_commands_max: 2,
        ..Config::default()
    };
    let mut server = Server::bind(config).unwrap();
    let handle = server.handle();
    handle.broadcast(Message::Text("1")).unwrap();
    handle.broadcast(Message::Text("2")).unwrap();
    let refused = |_: Result<_, _>| panic!("it was refused");
    assert_eq!(handle.channel("broadcast", refused), Err(PushError::InboxFull));
    let refused = |_: Result<_, _>| panic!("it was refused");
    assert_eq!(handle.user_connections("ann", None, 1, refused), Err(PushError::InboxFull));
    server.poll_once(Some(Duration::ZERO)).unwrap();
    let differs = handle.publish_to(&["broadcast"], Message::Text("3"), PublishTerms::default().if_offset(1));
    assert!(matches!(differs, Err(PushError::OffsetDiffers { offset: 2, .. })));
}

/// A request that somebody records.
pub const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A server, and what it logs.
pub struct Logging {
    pub server: Server,
    lines: Arc<Mutex<Vec<String>>>,
}

impl Logging {
    pub fn new() -> Logging {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let sink = lines.clone();
        let sink = Box::new(move |_: LogLevel, line: &str| sink.lock().unwrap().push(line.to_owned()));
        let config = Config { listen: vec!["127.0.0.1:0".parse().unwrap()], ..Config::default() };
        let journal = Journal::new(LogLevel::Info, sink);
        Logging { server: Server::bind_with(config, |_| Box::new(()), Some(journal)).unwrap(), lines }
    }

    /// The lines that a turn logs of publications.
    pub fn published(&mut self) -> Vec<String> {
        self.server.poll_once(Some(Duration::ZERO)).unwrap();
        let lines = std::mem::take(&mut *self.lines.lock().unwrap());
        lines.iter().filter_map(|line| line.split_once("event=published ")).map(|l| l.1.to_owned()).collect()
    }
}

#[test]
fn a_publication_says_of_which_request_it_is_a_part() {
    let mut host = Logging::new();
    let handle = host.server.handle();
    let publish = |parent: &str| {
        let terms = PublishTerms::default().idempotency_key(&parent[parent.len() - 2..]).traceparent(parent);
        handle.publish_to(&["a", "b"], Message::Text("x"), terms).unwrap()
    };
    let published = publish(PARENT);
    let again = publish(PARENT);
    assert!(again.duplicate && again.receipts == published.receipts);
    let unsampled = PARENT.replace("-01", "-00");
    let traced = [published.clone(), again, publish(&unsampled), publish(&PARENT[1..])];
    let traced = traced.map(|published| published.traceparent);
    assert_eq!(
        traced.each_ref().map(Option::as_deref),
        [Some(PARENT), Some(PARENT), Some(&*unsampled), None]
    );
    let [a, b] =
        [0, 1].map(|n| format!("{}~{}.1", published.receipts[n].channel, published.receipts[n].epoch));
    let line = |duplicate| format!("at={a},{b} receipt=1,2 duplicate={duplicate} traceparent={PARENT}");
    assert_eq!(host.published(), [line(false), line(true)]);
}

//! A client on each rung of the ladder during a restart with `state_file`: it comes back with its position, and nothing
//! is lost, and nothing comes twice behind its own look at the ids.

use serde_json::Value;

use crate::daemon::events::EventStream;
use crate::daemon::{Daemon, Http, WebSocket};
use crate::poll::{answer, poll};
use crate::state_file::Folder;
use crate::wire::TEXT;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rung {
    Plain,
    V1,
    Events,
    /// Of two channels, with the envelope.
    Several,
    Lines,
    Poll,
}

const RUNGS: [Rung; 6] = [Rung::Plain, Rung::V1, Rung::Events, Rung::Several, Rung::Lines, Rung::Poll];

enum Link {
    Socket(WebSocket),
    Stream(EventStream),
    Http(Http),
    Lost,
}

/// A client as it knows itself, whatever becomes of its connection.
struct Client {
    rung: Rung,
    /// The position that it comes back with: as its transport has told it.
    at: String,
    /// Offsets and texts, as they came.
    got: Vec<(u64, String)>,
    link: Link,
}

fn envelope(said: &Value) -> Option<(u64, String)> {
    Some((said["offset"].as_u64()?, said["data"].as_str()?.to_owned()))
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

fn open(daemon: &Daemon, rung: Rung, at: &str) -> Link {
    let since = if at.is_empty() { String::new() } else { format!("&since={at}") };
    let only = format!("?broadcast=no&channel=news{since}");
    let v1 = [("Sec-WebSocket-Protocol", "wspush.v1")];
    match rung {
        Rung::Plain => Link::Socket(WebSocket::open_at(daemon, &format!("/ws{only}"))),
        Rung::V1 => Link::Socket(WebSocket::ask(daemon.public, &format!("/ws{only}"), &v1).expect("101")),
        // As a browser does it.
        Rung::Events | Rung::Several => {
            let target = if rung == Rung::Events {
                "/sse?broadcast=no&channel=news"
            } else {
                "/sse?channel=news&format=json"
            };
            let field = [("Last-Event-ID", at)];
            let fields = if at.is_empty() { &[][..] } else { &field };
            Link::Stream(EventStream::open_with(daemon, target, fields))
        }
        Rung::Lines => Link::Stream(EventStream::open(daemon, &format!("/stream{only}"))),
        Rung::Poll => Link::Http(Http::tcp(daemon.public)),
    }
}

impl Client {
    fn begin(daemon: &Daemon, rung: Rung, epoch: &str) -> Client {
        let link = open(daemon, rung, "");
        let at = if rung == Rung::Several { String::new() } else { format!("{epoch}.0") };
        Client { rung, at, got: Vec::new(), link }
    }

    /// The next publication, unless it is known to have come.
    fn take(&mut self, (offset, text): (u64, String)) {
        if self.got.last().is_none_or(|(last, _)| offset > *last) {
            self.got.push((offset, text));
        }
        if !matches!(self.rung, Rung::Events | Rung::Several | Rung::Poll) {
            let epoch = self.at.split('.').next().expect("an epoch").to_owned();
            self.at = format!("{epoch}.{}", self.got.len());
        }
    }

    /// Reads until it has so many; without a number to the end.
    fn read(&mut self, count: Option<usize>) {
        while count.is_none_or(|count| self.got.len() < count) {
            match &mut self.link {
                Link::Socket(socket) => {
                    let Some(frame) = socket.next().filter(|frame| frame.opcode == TEXT) else { return };
                    let text = String::from_utf8(frame.payload).expect("UTF-8");
                    match self.rung {
                        // It has no other way to know than to count.
                        Rung::Plain => self.take((self.got.len() as u64 + 1, text)),
                        _ => _ = envelope(&parsed(&text)).map(|publication| self.take(publication)),
                    }
                }
                Link::Stream(stream) if self.rung == Rung::Lines => {
                    let Some(line) = stream.line() else { return };
                    let publication = envelope(&parsed(&line));
                    publication.into_iter().for_each(|publication| self.take(publication));
                }
                Link::Stream(stream) => {
                    let event = stream.next();
                    let id = stream.reader.id.clone();
                    let Some(event) = event else {
                        self.at = id;
                        return;
                    };
                    if self.rung == Rung::Events {
                        let offset = event.id.split('.').nth(1).and_then(|offset| offset.parse().ok());
                        self.take((offset.expect("an offset"), event.data));
                    } else if let Some(publication) = envelope(&parsed(&event.data)) {
                        self.take(publication);
                    }
                    self.at = id;
                }
                Link::Lost => panic!("nothing comes any more"),
                Link::Http(http) => {
                    let target = format!("/poll?broadcast=no&channel=news&since={}", self.at);
                    let (status, tag, lines) = poll(http, &target, &[]);
                    assert_eq!(status, 200);
                    self.at = tag;
                    lines.iter().filter_map(envelope).for_each(|publication| self.take(publication));
                }
            }
        }
    }
}

#[test]
fn nobody_loses_anything_on_any_rung() {
    const BEFORE: usize = 10;
    const ALL: usize = 25;
    let folder = Folder::new("rungs");
    let mut daemon = folder.start(&[]);
    let push = |daemon: &Daemon, n: usize| daemon.push_to("/push?channel=news", &format!("number {n}"));
    let epoch = push(&daemon, 0)["epoch"].to_string();
    // That one is history to all of them.
    let mut clients: Vec<Client> =
        RUNGS.into_iter().map(|rung| Client::begin(&daemon, rung, &epoch)).collect();
    for client in &mut clients {
        client.got.push((1, "number 0".to_owned()));
        if client.rung != Rung::Several {
            client.at = format!("{epoch}.1");
        }
    }
    for n in 1..BEFORE {
        push(&daemon, n);
    }
    let poller = clients.iter_mut().find(|client| client.rung == Rung::Poll).expect("one that polls");
    poller.read(Some(BEFORE));
    let Link::Http(http) = &mut poller.link else { panic!("no poll") };
    let request =
        http.request("GET", &format!("/poll?broadcast=no&channel=news&since={}", poller.at), &[], b"");
    http.send(&request);
    daemon.wait_connections(RUNGS.len() as u64);
    daemon.signal("TERM");
    let (response, lines) = answer(http);
    assert_eq!((response.status, lines.len()), (204, 0), "it is told to come again");
    clients.iter_mut().filter(|client| client.rung != Rung::Poll).for_each(|client| client.read(None));
    for client in &mut clients {
        assert_eq!(client.got.len(), BEFORE, "{:?}: what was published goes out", client.rung);
        client.link = Link::Lost;
    }
    assert!(daemon.wait_exit().success());

    let daemon = folder.start(&[]);
    (BEFORE..20).for_each(|n| _ = push(&daemon, n));
    for client in &mut clients {
        client.link = open(&daemon, client.rung, &client.at);
    }
    (20..ALL).for_each(|n| _ = push(&daemon, n));
    let expected: Vec<(u64, String)> = (0..ALL).map(|n| (n as u64 + 1, format!("number {n}"))).collect();
    for client in &mut clients {
        client.read(Some(ALL));
        assert_eq!(client.got, expected, "{:?}", client.rung);
    }
}

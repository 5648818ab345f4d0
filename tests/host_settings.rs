//! A host in Rust whose settings clients see: heartbeats that nobody answers or that become rare, urgent channels,
//! paces of several reactors, and channels for which there is no room. The other hosts: `tests/ffi/settings.rs`.

use std::net::SocketAddr;
use std::thread::JoinHandle;

use wspush::config::{Heartbeat, Reactors};
use wspush::{BatchItem, Config, Handle, Message, Pace, PublishTerms, PushError, Server};

use crate::daemon::{Daemon, WebSocket, wait};
use crate::wire::{Frame, PING, PONG};

struct Host {
    address: SocketAddr,
    handle: Handle,
    thread: Option<JoinHandle<std::io::Result<()>>>,
}

impl Host {
    fn start(config: Config) -> Host {
        let listen = vec!["127.0.0.1:0".parse().unwrap()];
        let server = Server::bind(Config { listen, channels: vec!["*".to_owned()], ..config }).unwrap();
        let (address, handle) = (server.addresses()[0], server.handle());
        Host { address, handle, thread: Some(std::thread::spawn(move || server.run())) }
    }

    fn open(&self, target: &str) -> WebSocket {
        WebSocket::ask(self.address, target, &[]).unwrap_or_else(|r| panic!("{target}: {}", r.status))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.handle.drain();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap().unwrap();
        }
    }
}

/// One without a payload.
fn control(opcode: u8) -> Frame {
    Frame { opcode, payload: Vec::new(), rsv1: false }
}

#[test]
fn a_pong_unasked_is_a_heartbeat_as_well() {
    let quiet =
        Config { heartbeat: Heartbeat::Pong, heartbeat_ms: 100, pong_wait_ms: 100, ..Config::default() };
    let host = Host::start(quiet);
    let mut client = host.open("/ws");
    // Nobody has to answer them.
    (0..4).for_each(|_| assert_eq!(client.frame(), control(PONG)));
    host.handle.broadcast(Message::Text("still here")).unwrap();
    while client.frame().payload != b"still here" {}
}

/// One that answers is asked less often, after 100, 200, 400, 800 and 1600 ms.
#[test]
fn the_time_between_heartbeats_grows() {
    let often = Config { heartbeat_ms: 100, pong_wait_ms: 100_000, ..Config::default() };
    let (usual, adaptive) =
        (Host::start(often.clone()), Host::start(Config { heartbeat_max_ms: 3_600_000, ..often }));
    let (mut quick, mut slow) = (usual.open("/ws"), adaptive.open("/ws"));
    let asked = std::thread::spawn(move || {
        (0..5).for_each(|_| {
            assert_eq!(slow.frame(), control(PING));
            slow.send(PONG, b"");
        });
    });
    let mut pings = 0;
    while !asked.is_finished() {
        assert_eq!(quick.frame(), control(PING));
        quick.send(PONG, b"");
        pings += 1;
    }
    asked.join().unwrap();
    // Meanwhile the other one could be asked thirty times.
    assert!(pings >= 8, "{pings}");
}

#[test]
fn an_urgent_channel_comes_first_at_each_reactor() {
    let channel_rule = ["urgent priority=high", "bulk priority=low"].map(|rule| rule.parse().unwrap()).into();
    let host = Host::start(Config { channel_rule, reactors: Reactors::new(2).unwrap(), ..Config::default() });
    let target = "/ws?broadcast=no&channel=bulk&channel=other&channel=urgent";
    let mut clients: Vec<WebSocket> = (0..4).map(|_| host.open(target)).collect();
    for _ in 0..20 {
        let items = [("bulk", "3"), ("other", "2"), ("urgent", "1")];
        let items = items.map(|(channel, text)| BatchItem::channel(channel, Message::Text(text)));
        host.handle.publish_batch(&items, None).unwrap();
        for client in &mut clients {
            assert_eq!([client.text(), client.text(), client.text()], ["1", "2", "3"]);
        }
    }
}

#[test]
fn a_pace_holds_for_all_reactors_together() {
    let host = Host::start(Config { reactors: Reactors::new(4).unwrap(), ..Config::default() });
    let mut clients: Vec<WebSocket> = (0..40).map(|_| host.open("/ws")).collect();
    // Fewer a second than there are reactors.
    let slowly = PublishTerms::default().pace(Pace::PerSecond(1));
    let receipt =
        host.handle.publish_to(&["broadcast"], Message::Text("slowly"), slowly).unwrap().receipts.remove(0);
    let delivery = || host.handle.delivery(&receipt).unwrap_or_default();
    wait("all reactors to have it", || delivery().recipients == 40);
    let under_way = delivery();
    assert!(under_way.written < 40 && under_way.written + under_way.lagging == 40, "{under_way:?}");
    host.handle.broadcast(Message::Text("at once")).unwrap();
    for client in &mut clients {
        assert_eq!([client.text(), client.text()], ["slowly", "at once"]);
    }
    wait("all to have it", || delivery().written == 40);
}

#[test]
fn whoever_subscribes_hears_that_there_are_too_many_channels() {
    let host = Host::start(Config { channels_max: 2, ..Config::default() });
    let full = PushError::TooManyChannels { max: 2 };
    {
        let _client = host.open("/ws?broadcast=no&channel=a");
        let conn = wspush::ConnId(77);
        assert_eq!(host.handle.subscribe(conn, "a"), Ok(()));
        assert_eq!(host.handle.subscribe(conn, "broadcast"), Ok(()));
        assert_eq!(host.handle.subscribe(conn, "b"), Err(full.clone()));
        assert_eq!(host.handle.subscribe_user("ann", "b"), Err(full));
        assert_eq!(host.handle.subscribe_user("ann", "a"), Ok(()));
    }
    // A channel that nobody needs any more gives its place away.
    wait("room", || host.handle.subscribe(wspush::ConnId(77), "b").is_ok());
}

/// An operator hears it as well.
#[test]
fn an_operator_hears_that_there_are_too_many_channels() {
    let daemon = Daemon::start(&["--channels", "*", "--channels-max", "2"]);
    let client = WebSocket::open_at(&daemon, "/ws?channel=a");
    let conn = daemon.id_of(&client);
    let response = daemon.ask("POST", &format!("/connections/{conn}/subscribe?channel=b"), &[], b"");
    assert_eq!(response.status, 503, "{}", response.text());
    assert!(response.text().contains("channels_max"), "{}", response.text());
}

//! Idle time-outs of sessions in the simulated world, where time passes as told.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::handler::Seen;
use crate::sim::wire::{TEXT, masked};
use crate::sim::world::World;
use wspush::endpoint::{ConnId, Handler, Session};
use wspush::metrics::CloseReason;
use wspush::push::{Publication, PushOptions};
use wspush::reactor::{Command, ListenerRole, Shared};
use wspush::{CloseCode, Config, Message};

/// Gives a time-out to those who ask for it.
struct Patient {
    seen: Arc<Mutex<Seen>>,
    opened: Arc<Mutex<Vec<ConnId>>>,
}

impl Handler for Patient {
    fn on_open(&mut self, session: &mut Session<'_>) {
        session.set_idle_timeout(Some(Duration::from_secs(10)));
        self.opened.lock().unwrap().push(session.id());
        self.seen.lock().unwrap().opened.push((usize::MAX, session.id()));
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        if message.bytes().starts_with(b"for ever") {
            session.set_idle_timeout(None);
        }
    }

    fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
        self.seen.lock().unwrap().closed.push((conn, code.0));
    }
}

struct Rig {
    world: World,
    shared: Arc<Shared>,
    opened: Arc<Mutex<Vec<ConnId>>>,
}

impl Rig {
    /// Everybody answers a ping each second, so it is not silence that is noticed.
    fn new(clients: usize) -> Rig {
        let config = Config { heartbeat_ms: 1_000, pong_wait_ms: 5_000, ..Config::default() };
        let opened = Arc::new(Mutex::new(Vec::new()));
        let mut kept = None;
        let mut world = World::with_handler(Dice::from_seed(5), config, 0, |shared, seen| {
            kept = Some(shared);
            Box::new(Patient { seen, opened: opened.clone() })
        });
        for _ in 0..clients {
            let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
            world.clients[n].shake_hands("/ws");
            world.everybody_acts(1, 1_000);
        }
        Rig { world, shared: kept.expect("it was made"), opened }
    }

    fn say(&mut self, client: usize, text: &str) {
        self.world.clients[client].outgoing.extend(masked(true, TEXT, text.as_bytes()));
    }

    fn wait_s(&mut self, s: u64) {
        self.world.everybody_acts(s * 5, 200_000);
    }

    fn codes(&self) -> Vec<Option<u16>> {
        self.world.clients.iter().map(|client| client.close_code).collect()
    }
}

#[test]
fn who_says_nothing_and_is_told_nothing_is_closed_in_time() {
    let mut rig = Rig::new(4);
    rig.wait_s(6);
    assert_eq!((rig.codes(), rig.opened.lock().unwrap().len()), (vec![None; 4], 4));
    rig.say(1, "hi");
    rig.say(3, "for ever");
    let conn = rig.opened.lock().unwrap()[2];
    let publication = Publication::new(Message::Text("R|1"), PushOptions::default()).unwrap();
    rig.shared.command(Command::Send { conn, publication }).unwrap();
    rig.wait_s(5);
    assert_eq!(rig.codes(), [Some(1001), None, None, None]);
    rig.wait_s(4);
    assert_eq!(rig.codes(), [Some(1001), None, None, None]);
    rig.wait_s(3);
    assert_eq!(rig.codes(), [Some(1001), Some(1001), Some(1001), None]);
    rig.wait_s(20);
    assert_eq!(rig.codes()[3], None);
    assert_eq!(rig.world.reactor.metrics().closed.get(CloseReason::Idle), 3);
}

#[test]
fn among_many_as_well() {
    // More than one piece of the sweep visits.
    let mut rig = Rig::new(1_100);
    rig.wait_s(7);
    assert!(rig.codes().iter().all(Option::is_none));
    rig.wait_s(15);
    assert!(rig.codes().iter().all(|code| *code == Some(1001)), "{:?}", rig.codes());
}

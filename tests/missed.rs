//! Clients that come back, in the simulated world: what they have missed goes out with the answer to their request, and
//! nothing comes between the halves of a frame.

use std::sync::Arc;

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::parse::frame;
use crate::sim::world::{World, publish};
use wspush::config::Config;
use wspush::endpoint::{Accept, Connect, Decision, Handler, Session};
use wspush::push::{Message, PushOptions};
use wspush::reactor::{ListenerRole, Shared};

/// Tells everybody when somebody has come.
struct Host(Arc<Shared>);

impl Handler for Host {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        Decision::Accept(Accept { channels: connect.channels.clone(), ..Accept::default() })
    }

    fn on_open(&mut self, _session: &mut Session<'_>) {
        publish(&self.0, None, Message::Text("somebody has come"), PushOptions::default(), 1)
            .expect("a place");
    }
}

/// The texts behind the head of the answer; every byte belongs to a frame.
fn texts(answer: &[u8]) -> Vec<String> {
    let head = answer.windows(4).position(|four| four == b"\r\n\r\n").expect("a head") + 4;
    let (mut texts, mut rest) = (Vec::new(), answer[head..].to_vec());
    while let Some(frame) = frame(&mut rest, 0) {
        texts.push(String::from_utf8(frame.payload).expect("text"));
    }
    assert!(rest.is_empty(), "a frame is not whole");
    texts
}

/// A log whose ring ends within a frame is written with two calls, and its subscriber receives another channel as well.
#[test]
fn nothing_comes_between_the_halves_of_a_frame() {
    const KEPT: usize = 30;
    let config = Config { heartbeat_ms: 0, log_publications: KEPT, ..Config::default() };
    let mut world = World::with_handler(Dice::from_seed(3), config, 0, |shared, _| Box::new(Host(shared)));
    // Each further publication moves the place where the ring ends.
    for last in 0..200 {
        let text = format!("{last:03}{}", "x".repeat(100));
        world.push(Some("b"), Message::Text(&text)).expect("a place in the inbox");
        world.turn(true);
        let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 1 << 20);
        world.clients[n].tls = None;
        world.clients[n].shake_hands("/ws?channel=b&since=earliest");
        world.clients[n].send(usize::MAX);
        while world.audit.connections == 0 || world.turn.busy {
            world.turn(true);
        }
        let answer = world.clients[n].wire.borrow_mut().pull_down(usize::MAX, world.now_us);
        let (ours, others): (Vec<_>, Vec<_>) =
            texts(&answer).into_iter().partition(|text| text.ends_with('x'));
        let numbers: Vec<usize> = ours.iter().map(|text| text[..3].parse().unwrap()).collect();
        let first = (last + 1usize).saturating_sub(KEPT);
        assert_eq!(numbers, (first..=last).collect::<Vec<_>>());
        assert_eq!(others, ["somebody has come"]);
        world.clients[n].wire.borrow_mut().cut();
        while world.audit.connections > 0 {
            world.turn(true);
        }
    }
}

//! Whole servers: connections that say anything at any moment, and the simulator with the fuzzer's dice.

use wspush::push::Message;
use wspush::reactor::ListenerRole;

use crate::sim::client::{Reader, Role};
use crate::sim::deflate;
use crate::sim::dice::Dice;
use crate::sim::wire::masked;
use crate::sim::world::World;
use crate::sim::{self, chaos};

const HANDSHAKES: [&str; 4] = ["/ws", "/echo", "/chat", "/ws?channel=public.a"];

/// Any bytes on any connection, in any order with readiness, reading, time and publications. Whatever it is, the
/// reactor's books agree, clients get responses and then whole frames, and nothing is left at the end.
pub fn connection(data: &[u8]) {
    let mut dice = Dice::from_tape(data);
    let config = wspush::Config { channels: vec!["*".to_owned()], ..chaos::config(&mut dice) };
    let start = chaos::log_start(&mut dice);
    let mut world = World::new(dice, config, start);
    while !world.dice.is_at_end() && world.clients.len() < 40 {
        step(&mut world);
    }
    world.calm();
    world.settle();
    world.part();
    world.check_empty();
}

fn step(world: &mut World) {
    let what = world.dice.below(16);
    if what == 0 || world.clients.is_empty() {
        let listener = if world.dice.one_in(3) { ListenerRole::Admin } else { ListenerRole::Public };
        let reader = [Reader::Fast, Reader::Slow(50), Reader::Never][world.dice.below(3)];
        let down_max = [130, 1_000, 1 << 20][world.dice.below(3)];
        let n = world.connect(Role::Raw, listener, reader, down_max);
        let target = n + world.dice.below(6);
        if let Some(target) = HANDSHAKES.get(target % 6).filter(|_| listener == ListenerRole::Public) {
            world.clients[n].offer = deflate::OFFERS[n % deflate::OFFERS.len()].0;
            let separator = if target.contains('?') { '&' } else { '?' };
            world.clients[n].shake_hands(&format!("{target}{separator}n={n}"));
        }
        return;
    }
    let n = world.dice.below(world.clients.len());
    match what {
        1..=3 => {
            let bytes: Vec<u8> = (0..world.dice.below(64)).map(|_| world.dice.below(256) as u8).collect();
            world.clients[n].outgoing.extend(bytes);
        }
        4..=6 => {
            let (first, len) = (world.dice.below(256) as u8, world.dice.below(256));
            let fill = vec![world.dice.below(256) as u8; len];
            world.clients[n].outgoing.extend(masked(first & 0x80 != 0, first & 0x0f, &fill));
        }
        7 => {
            let bytes = world.dice.below(40);
            world.clients[n].send(bytes);
        }
        8 => {
            let (len, channel) = (world.dice.below(300), world.dice.one_in(2).then_some("public.a"));
            let payload = vec![b'x'; len + 1];
            let _ = world.push(channel, Message::Binary(&payload));
        }
        9 => world.pass_time(200_000),
        10 if world.dice.one_in(8) => world.pass_time(6_000_000),
        11 if world.dice.one_in(4) => world.clients[n].wire.borrow_mut().end_up(),
        12 if world.dice.one_in(4) => {
            world.clients[n].gone = true;
            world.clients[n].wire.borrow_mut().cut();
        }
        13 => world.faults.borrow_mut().shortage = [0, 3][world.dice.below(2)],
        14 => world.act(),
        _ => {
            world.act();
            world.turn(false);
        }
    }
}

/// The simulator, with the fuzzer's bytes for dice.
pub fn world(data: &[u8]) {
    let _ = sim::run(Dice::from_tape(data), 400);
}

//! A user with very many connections, in the simulated world: nothing that is done with all of them takes more of a
//! turn than its bound, and everybody else is served meanwhile.

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::wire::{PING, masked};
use crate::sim::world::{World, text};
use wspush::CloseCode;
use wspush::config::Config;
use wspush::endpoint::users::{Tokens, UserAction, UserRequest};
use wspush::endpoint::{Accept, Connect, Decision, Handler};
use wspush::metrics::WorkKind;
use wspush::reactor::user_commands::UserCommand;
use wspush::reactor::{Command, ListenerRole};

/// Units for commands in a turn, and for one step beyond that.
const PART: u64 = 524_288;
const STEP: u64 = 16_384;

const CROWD: usize = 1_500;

/// Lets everybody in as whom the query says.
struct Gate;

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        Decision::Accept(Accept { user: connect.query("as"), ..Accept::default() })
    }
}

fn open(world: &mut World, target: &str) -> usize {
    let n = world.connect(Role::Raw, ListenerRole::Public, Reader::Never, 1 << 20);
    world.clients[n].tls = None;
    world.clients[n].shake_hands(target);
    world.clients[n].send(usize::MAX);
    turn(world);
    assert!(take(world, n).starts_with(b"HTTP/1.1 101"));
    n
}

fn turn(world: &mut World) {
    world.pass_time(1_000);
    world.turn(true);
}

fn take(world: &mut World, n: usize) -> Vec<u8> {
    let now_us = world.now_us;
    world.clients[n].wire.borrow_mut().pull_down(usize::MAX, now_us)
}

fn crowd() -> (World, Vec<usize>, usize) {
    let config = Config { heartbeat_ms: 0, max_connections: 2 * CROWD, ..Config::default() };
    let config = Config { connections_per_address_max: 0, ..config };
    let mut world = World::with_handler(Dice::from_seed(5), config, 0, |_, _| Box::new(Gate));
    let crowd = (0..CROWD).map(|_| open(&mut world, "/ws?as=ann")).collect();
    let bystander = open(&mut world, "/ws?as=bob");
    (world, crowd, bystander)
}

/// Lets turns pass until it is done; a bystander is answered in each. How many those were.
fn carry_out(world: &mut World, bystander: usize, action: UserAction) -> usize {
    let request = UserRequest::new("ann", action).unwrap();
    world.shared.command(Command::User(Box::new(UserCommand::new(request)))).unwrap();
    for turns in 1.. {
        world.clients[bystander].wire.borrow_mut().push_up(&masked(true, PING, b"x"));
        turn(world);
        assert_eq!(take(world, bystander), [0x8a, 1, b'x']);
        let units = world.reactor.units(WorkKind::Commands) + world.reactor.units(WorkKind::Send);
        assert!(units <= PART + STEP, "{units} units in a turn");
        if world.audit.pending == 0 {
            return turns;
        }
    }
    unreachable!("turns are endless")
}

#[test]
fn a_crowd_is_pushed_to_over_several_turns() {
    let (mut world, crowd, bystander) = crowd();
    let push = |what| UserAction::Push { publication: text(what), notes: Default::default() };
    let turns = carry_out(&mut world, bystander, push("hi"));
    assert!((2..20).contains(&turns), "{turns} turns");
    for &n in &crowd {
        assert_eq!(take(&mut world, n), b"\x81\x02hi", "once");
    }
    // Some go meanwhile, and one comes behind it.
    let request = UserRequest::new("ann", push("ho")).unwrap();
    world.shared.command(Command::User(Box::new(UserCommand::new(request)))).unwrap();
    turn(&mut world);
    assert_eq!(world.audit.pending, 1, "it is under way");
    for &n in crowd.iter().step_by(3) {
        world.clients[n].wire.borrow_mut().cut();
    }
    let late = open(&mut world, "/ws?as=ann");
    while world.audit.pending > 0 {
        turn(&mut world);
    }
    assert_eq!(take(&mut world, late), b"");
    for (_, &n) in crowd.iter().enumerate().filter(|(at, _)| at % 3 > 0) {
        assert_eq!(take(&mut world, n), b"\x81\x02ho", "once");
    }
}

#[test]
fn a_crowd_is_closed_over_several_turns() {
    let (mut world, crowd, bystander) = crowd();
    let close =
        UserAction::Disconnect { code: CloseCode(4000), reason: "bye".to_owned(), tokens: Tokens::Kept };
    let turns = carry_out(&mut world, bystander, close);
    assert!((2..20).contains(&turns), "{turns} turns");
    for &n in &crowd {
        assert_eq!(take(&mut world, n), b"\x88\x05\x0f\xa0bye");
    }
    assert_eq!((world.audit.open, world.audit.closing), (1, CROWD));
}

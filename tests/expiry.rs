//! Tokens in the simulated world: who comes in, with which name, and for how long.
#![cfg(feature = "auth")]

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::Config;
use wspush::auth::{Claims, Rights, Rules, issue};
use wspush::config::TokenAuth;
use wspush::metrics::{CloseReason, RefuseReason};
use wspush::reactor::ListenerRole;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn world(auth: TokenAuth) -> World {
    let config =
        Config { auth, auth_secret: vec![SECRET.to_owned()], pong_wait_ms: 1_000, ..Config::default() };
    World::new(Dice::from_seed(7), config, 0)
}

fn connect(world: &mut World, target: &str) -> usize {
    let n = world.connect(Role::Push, ListenerRole::Public, Reader::Fast, 1 << 20);
    world.clients[n].shake_hands(target);
    n
}

/// A token of this user that is valid for so long.
fn token(world: &World, user: &str, for_s: Option<u64>) -> String {
    let now_s = world.unix_us() / 1_000_000;
    let rights = Rights { expires_s: for_s.map(|for_s| now_s + for_s), ..Rights::default() };
    let claims = Claims { user: Some(user.to_owned()), channels: vec!["inbox".to_owned()], rights };
    issue(SECRET, &claims, &Rules::default(), now_s).expect("it is a good one")
}

fn wait_s(world: &mut World, s: u64) {
    world.everybody_acts(s * 20, 50_000);
}

#[test]
fn a_connection_ends_with_its_token_and_no_other_does() {
    let mut world = world(TokenAuth::Required);
    let lasting: Vec<Option<u64>> = vec![Some(10), None, Some(60), Some(10)];
    for for_s in &lasting {
        let target = format!("/ws?token={}", token(&world, "ann", *for_s));
        connect(&mut world, &target);
    }
    wait_s(&mut world, 12);
    assert_eq!((world.audit.open, world.reactor.metrics().closed.sum()), (4, 0), "clocks may differ by 5 s");
    wait_s(&mut world, 6);
    let ended = |world: &World| -> Vec<Option<u16>> {
        world.clients.iter().map(|client| client.close_code).collect()
    };
    assert_eq!(ended(&world), [Some(1008), None, None, Some(1008)]);
    assert_eq!(world.reactor.metrics().closed.get(CloseReason::Expired), 2);
    wait_s(&mut world, 50);
    assert_eq!(ended(&world), [Some(1008), None, Some(1008), Some(1008)]);
    assert_eq!(world.audit.open, 1);
}

#[test]
fn nobody_comes_in_without_a_token_that_is_good() {
    for (auth, without) in [(TokenAuth::Required, 401), (TokenAuth::Optional, 101), (TokenAuth::None, 101)] {
        let mut world = world(auth);
        let good = token(&world, "ann", Some(60));
        // Where tokens are not looked at, the parameter is the host's.
        let bad_one = if auth == TokenAuth::None { 101 } else { 401 };
        let targets = [
            ("/ws".to_owned(), without),
            (format!("/ws?token={good}"), 101),
            (format!("/ws?token={good}x"), bad_one),
            ("/ws?token=none".to_owned(), bad_one),
            ("/echo".to_owned(), 404),
        ];
        let first = world.clients.len();
        for (target, _) in &targets {
            connect(&mut world, target);
        }
        wait_s(&mut world, 1);
        for (client, (target, status)) in world.clients[first..].iter().zip(&targets) {
            assert_eq!(client.status, *status, "{auth} {target}");
        }
        let refused = targets.iter().filter(|(_, status)| *status == 401).count() as u64;
        assert_eq!(world.reactor.metrics().handshakes_refused.get(RefuseReason::Token), refused);
    }
}

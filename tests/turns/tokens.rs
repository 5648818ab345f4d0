//! Floods of tokens that are bad, and of clients about whom a backend is asked.

use std::sync::{Arc, Mutex};

use wspush::ConnId;
use wspush::auth::{Answer, Claims, Jwks, Rules, Verifier};
use wspush::config::{Config, TokenAuth};
use wspush::metrics::{AuthWebhook, Histogram, WorkKind};
use wspush::reactor::Command;
use wspush::reactor::backend::{Backend, Event, Told, Vouched};

use super::*;

/// Claims under a signature that is not theirs (RFC 7515 appendix A.3, with another end).
const FORGED: &str = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UifQ.\
                      DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
/// A signature checked costs so many units, beside the rest.
const CHECK: u64 = 100_000;

/// A world in which tokens are checked with the key of the RFC.
fn checking(config: Config) -> World {
    let mut verifier = Verifier::new(Rules::default());
    let keys = br#"{"keys":[{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#;
    verifier.set_published(Jwks::read(keys).expect("the document of the RFC"));
    let mut world = world(Config { auth: TokenAuth::Optional, ..config });
    world.reactor.set_verifier(Some(verifier));
    world
}

fn within_its_bound(world: &mut World, bystander: usize) {
    let (turns, most) = stand(world, bystander, WorkKind::Tokens);
    assert!(most <= CLIENTS + 2 * (SHARE + CHECK) && turns > 10, "{turns} turns, {most} units");
    assert!(cuts(world, WorkKind::Tokens) > 0, "{turns} turns, {most} units, and none was cut");
}

#[test]
fn at_the_door() {
    let mut world = checking(Config::default());
    let bystander = open(&mut world, "/ws", "");
    for _ in 0..ATTACKERS {
        let n = connect(&mut world);
        say(&mut world, n, &wire::upgrade(&format!("/ws?token={FORGED}"), "sim", &[]).repeat(20));
    }
    within_its_bound(&mut world, bystander);
}

#[test]
fn inside() {
    for command in ["\"refresh\":{", "\"subscribe\":{\"channel\":\"a\","] {
        let mut world = checking(Config { commands_per_second_max: 1_000, ..Config::default() });
        let bystander = open(&mut world, "/ws", "");
        let text = format!("{{\"id\":1,{command}\"token\":\"{FORGED}\"}}}}");
        let flood = masked(true, wire::TEXT, text.as_bytes()).repeat(20);
        let attackers: Vec<usize> = (0..ATTACKERS).map(|_| connect(&mut world)).collect();
        for &n in &attackers {
            say(&mut world, n, &wire::upgrade("/ws", "sim", &[("Sec-WebSocket-Protocol", "wspush.v1")]));
            turn(&mut world);
            assert!(take(&mut world, n).starts_with(b"HTTP/1.1 101"));
        }
        attackers.into_iter().for_each(|n| say(&mut world, n, &flood));
        within_its_bound(&mut world, bystander);
        assert_eq!(world.audit.open, ATTACKERS + 1, "they are refused, and stay");
    }
}

/// A backend that never says anything of its own accord.
#[derive(Clone, Default)]
struct Silent(Arc<Mutex<Vec<ConnId>>>);

impl Backend for Silent {
    fn renew(&mut self, _: &Config) {}

    fn ask(&mut self, conn: ConnId, question: Vec<u8>) -> bool {
        assert!(question.starts_with(format!("{{\"conn\":\"{conn}\",\"path\":\"/ws\"").as_bytes()));
        let mut asked = self.0.lock().expect("a list");
        asked.push(conn);
        asked.len() <= 400
    }

    fn questions(&self) -> usize {
        self.0.lock().expect("a list").len()
    }

    fn tell(&mut self, _: Event) {}

    fn told(&self) -> Told {
        Told::default()
    }

    fn telling_seconds(&self) -> Histogram {
        Histogram::default()
    }

    fn untold(&self) -> usize {
        0
    }
}

fn vouch(world: &World, conn: ConnId) {
    let claims = Claims { user: Some("ann".to_owned()), ..Claims::default() };
    let vouched = Vouched { conn, answer: Ok(Answer::Good(claims)), took_us: 7 };
    world.shared.command(Command::Vouched(Box::new(vouched))).expect("room in the inbox");
}

#[test]
fn asked_about() {
    let silent = Silent::default();
    let url = Some("http://backend/".to_owned());
    let mut world = world(Config { auth_webhook: url, handshake_ms: 60_000, ..Config::default() });
    world.reactor.set_backend(Box::new(silent.clone()));
    let ask = |world: &mut World| {
        let n = connect(world);
        say(world, n, &[wire::upgrade("/ws", "sim", &[]), masked(true, PING, b"early")].concat());
        n
    };
    let bystander = ask(&mut world);
    turn(&mut world);
    let first = silent.0.lock().expect("a list")[0];
    vouch(&world, first);
    (0..2).for_each(|_| turn(&mut world));
    assert!(take(&mut world, bystander).starts_with(b"HTTP/1.1 101"));
    // They come at once, and wait: nobody is read twice, and the bystander is answered in each turn.
    let clients: Vec<usize> = (0..500).map(|_| ask(&mut world)).collect();
    let (_, most) = stand(&mut world, bystander, WorkKind::Heads);
    assert!(most <= CLIENTS + 2 * SHARE, "{most} units");
    assert_eq!(world.audit.open, 1);
    let outcomes = world.reactor.counters().auth_webhook.clone();
    assert_eq!((outcomes.get(AuthWebhook::Busy), outcomes.get(AuthWebhook::Allowed)), (101, 1));
    // The answers come at once as well, twice, and for one that has gone.
    let asked = silent.0.lock().expect("a list").clone();
    let conns = &asked[1..400];
    world.clients[clients[0]].wire.borrow_mut().cut();
    turn(&mut world);
    conns.iter().for_each(|&conn| vouch(&world, conn));
    vouch(&world, conns[5]);
    let (_, most) = stand(&mut world, bystander, WorkKind::Heads);
    assert!(most <= CLIENTS + 2 * SHARE, "{most} units");
    assert_eq!(world.audit.open, 399, "with the bystander, and without the one that has gone");
}

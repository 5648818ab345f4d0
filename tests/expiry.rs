//! Tokens in the simulated world: who comes in, with which name, and for how long.
#![cfg(feature = "auth")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::{KeyPair, PublicKeyData};

use crate::sim::client::{Reader, Role};
use crate::sim::dice::Dice;
use crate::sim::world::World;
use wspush::Config;
use wspush::auth::{Claims, Jwks, Rights, Rules, issue};
use wspush::config::TokenAuth;
use wspush::metrics::{CloseReason, RefuseReason};
use wspush::reactor::published_keys::KeysRead;
use wspush::reactor::{Command, ListenerRole};

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
    let claims = Claims {
        user: Some(user.to_owned()),
        channels: vec!["inbox".to_owned()],
        rights,
        ..Claims::default()
    };
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

/// An identity provider's key, its document, and tokens that name it.
struct Provider(KeyPair);

impl Provider {
    fn new() -> Provider {
        Provider(KeyPair::generate().expect("a P-256 key"))
    }

    fn keys(&self, name: &str) -> Jwks {
        let (x, y) = self.0.der_bytes()[1..].split_at(32);
        let text = |bytes: &[u8]| BASE64_URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (text(x), text(y));
        let key = format!(r#"{{"kty":"EC","crv":"P-256","kid":"{name}","x":"{x}","y":"{y}"}}"#);
        Jwks::read(format!("{{\"keys\":[{key}]}}").as_bytes()).expect("a document")
    }

    fn target(&self, name: &str) -> String {
        let header = Header { kid: Some(name.to_owned()), ..Header::new(Algorithm::ES256) };
        let key = EncodingKey::from_ec_der(&self.0.serialize_der());
        let claims = serde_json::json!({ "sub": "ann" });
        format!("/ws?token={}", encode(&header, &claims, &key).expect("a token"))
    }
}

fn status(world: &mut World, target: &str) -> u16 {
    let n = connect(world, target);
    wait_s(world, 1);
    world.clients[n].status
}

#[test]
fn keys_are_asked_for_when_a_token_names_a_new_one_and_not_too_often() {
    const URL: &str = "https://id.example/keys";
    let config = Config { auth: TokenAuth::Required, auth_jwks: Some(URL.to_owned()), ..Config::default() };
    let mut world = World::new(Dice::from_seed(7), config, 0);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    world.reactor.set_key_reader(Box::new(move |source| {
        assert_eq!(source, URL);
        count.fetch_add(1, Ordering::Relaxed);
        true
    }));
    let provider = Provider::new();
    let deliver_from = |source: &str, world: &mut World, keys: Result<Jwks, String>| {
        let read = KeysRead { source: source.to_owned(), keys };
        world.shared.command(Command::KeysRead(Box::new(read))).expect("room in the inbox");
        // In its next turn the reactor sees to it.
        wait_s(world, 1);
    };
    let deliver = |world: &mut World, keys| deliver_from(URL, world, keys);
    let asked = || asked.load(Ordering::Relaxed);
    // Asked for at the start; nobody comes in before they are there.
    assert_eq!((asked(), status(&mut world, &provider.target("1")), asked()), (1, 503, 1));
    deliver(&mut world, Err("cannot be fetched".to_owned()));
    assert_eq!((status(&mut world, &provider.target("1")), asked()), (401, 1), "it was just now");
    deliver(&mut world, Ok(provider.keys("1")));
    assert_eq!((status(&mut world, &provider.target("1")), asked()), (101, 1));
    // A name that is new, and any number of strangers with more of them.
    wait_s(&mut world, 10);
    for n in 0..5 {
        assert_eq!((status(&mut world, &provider.target(&format!("new {n}"))), asked()), (503, 2));
    }
    assert_eq!(status(&mut world, &provider.target("1")), 101, "who has a good one is not kept waiting");
    deliver(&mut world, Ok(provider.keys("2")));
    assert_eq!((status(&mut world, &provider.target("2")), asked()), (101, 2));
    wait_s(&mut world, 10);
    assert_eq!((status(&mut world, &provider.target("1")), asked()), (503, 3), "replaced, and 10 s are over");
    deliver(&mut world, Err("cannot be fetched".to_owned()));
    assert_eq!(
        (status(&mut world, &provider.target("1")), status(&mut world, &provider.target("2"))),
        (401, 101)
    );
    // Keys of another setting count no longer.
    deliver_from("https://other.example", &mut world, Ok(provider.keys("3")));
    assert_eq!((status(&mut world, &provider.target("3")), asked()), (401, 3));
}

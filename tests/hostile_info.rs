//! As much as one likes said of a user, by tokens and by hosts: what is too much is refused with its size, and nothing
//! of it is kept, shown or logged.
#![cfg(feature = "auth")]

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::daemon::{Daemon, Http, WebSocket};
use crate::v1::Client;
use crate::wire::HANDSHAKE;
use wspush::limits::TOKEN_INFO_BYTES_MAX as MAX;
use wspush::{Accept, Config, ConnId, Connect, Decision, Handle, Handler, Server};

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";
/// A word to look for where it must not stand.
const SAID: &str = "embarrassing";

/// JSON of so many bytes that says something.
fn info(bytes: usize) -> String {
    let text = format!("\"{SAID}{}\"", "x".repeat(bytes - SAID.len() - 2));
    assert_eq!(text.len(), bytes);
    text
}

/// A token with this `info`, which need not be one that `wspushd token new` would make.
fn token(user: &str, info: &str) -> String {
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let info: Value = serde_json::from_str(info).unwrap();
    let claims = json!({"sub": user, "iat": now_s, "exp": now_s + 600, "info": info});
    encode(&Header::default(), &claims, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

fn start() -> Daemon {
    let auth = ["--auth", "optional", "--auth-secret", SECRET, "--channels", "room.*"];
    let rest = ["--channel-rule", "room.* presence=true", "--handshake-bytes-max", "65536"];
    Daemon::start(&[&auth[..], &rest].concat())
}

fn refused(daemon: &Daemon, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let response =
        WebSocket::ask(daemon.public, "/ws", &[("Authorization", &bearer)]).err().expect("it is in");
    (response.status, response.text())
}

#[test]
fn a_token_says_no_more_than_a_kibibyte() {
    let daemon = start();
    let bearer = |token: &str| format!("Bearer {token}");
    let room = "broadcast=no&channel=room.1";
    let largest = info(MAX);
    let mut ann = Client::open_with(&daemon, room, &[("Authorization", &bearer(&token("ann", &largest)))]);
    ann.rest();
    for bytes in [MAX + 1, 5_000] {
        let (status, reason) = refused(&daemon, &token("bob", &info(bytes)));
        assert_eq!(status, 401, "{reason}");
        assert!(reason.contains(&format!("has {bytes} bytes; it may have {MAX}")), "{reason}");
        assert!(!reason.contains(SAID), "{reason}");
    }
    // Nobody looks at what a token says that is too large itself, or its head.
    let (status, reason) = refused(&daemon, &token("bob", &info(30_000)));
    assert!(
        status == 401 && reason.contains("it may have 8192") && !reason.contains(SAID),
        "{status} {reason}"
    );
    assert_eq!(refused(&daemon, &token("bob", &info(70_000))).0, 431);
    // One that is known does not get more in by another token, and loses nothing by trying.
    let command = json!({"id": 1, "refresh": {"token": token("ann", &info(MAX + 1))}}).to_string();
    let (code, why) = ann.denied(&command);
    assert!(code == "forbidden" && why.contains("1025 bytes") && !why.contains(SAID), "{code} {why}");
    let presence = &ann.ask(&json!({"id": 2, "presence": {"channel": "room.1"}}))["presence"];
    let expected: Value = serde_json::from_str(&largest).unwrap();
    assert_eq!(presence["members"], json!([{"user": "ann", "info": expected, "connections": 1}]));
    assert!(!daemon.log().contains(SAID), "{}", daemon.log());
}

#[test]
fn a_crowd_that_says_as_much_as_it_may_is_shown_in_full() {
    const CROWD: usize = 50;
    let daemon = start();
    let crowd: Vec<Client> = (0..CROWD)
        .map(|n| {
            let token = token(&format!("user{n:02}"), &info(MAX));
            let mut client =
                Client::open_with(&daemon, &format!("broadcast=no&channel=room.1&token={token}"), &[]);
            client.rest();
            client
        })
        .collect();
    let page = daemon.ask("GET", "/channels/room.1/presence", &[], b"").json();
    let members = page["members"].as_array().unwrap();
    assert_eq!((page["count"].as_u64(), members.len()), (Some(CROWD as u64), CROWD));
    assert!(members.iter().all(|member| member["info"].as_str().unwrap().len() == MAX - 2), "{page}");
    drop(crowd);
}

/// Lets in whom the query says, at once or later, and says as much of it.
struct Gate(Handle);

impl Handler for Gate {
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let bytes = connect.query("bytes").unwrap().parse().unwrap();
        let user = Some("ann".to_owned());
        let decision = Decision::Accept(Accept { user, info: Some(info(bytes)), ..Accept::default() });
        let conn: ConnId = connect.id();
        if connect.query("later").is_none() {
            return decision;
        }
        self.0.decide(conn, decision).unwrap();
        Decision::Pending
    }
}

#[test]
fn a_host_says_no_more_than_that_either() {
    let listen = vec!["127.0.0.1:0".parse().unwrap()];
    let server =
        Server::bind_with(Config { listen, ..Config::default() }, |handle| Box::new(Gate(handle)), None)
            .unwrap();
    let (address, handle) = (server.addresses()[0], server.handle());
    let thread = std::thread::spawn(move || server.run());
    for when in ["", "&later=yes"] {
        for bytes in [MAX + 1, 10_000_000] {
            let mut http = Http::tcp(address);
            let response = http.ask("GET", &format!("/ws?bytes={bytes}{when}"), &HANDSHAKE, b"");
            let (status, why) = (response.status, response.text());
            assert!(status == 500 && why.contains(&format!("{bytes} bytes")), "{status} {why}");
            assert!(why.contains(&MAX.to_string()) && !why.contains(SAID), "{why}");
        }
        let client = WebSocket::ask(address, &format!("/ws?bytes={MAX}{when}"), &[]);
        assert!(client.is_ok(), "{:?}", client.err());
    }
    handle.drain();
    thread.join().unwrap().unwrap();
}

//! Tokens that are taken back: whoever has one is put out, and it lets nobody in again, by any way.
#![cfg(feature = "auth")]

use std::path::PathBuf;

use serde_json::{Value, json};

use crate::daemon::{Daemon, WebSocket};
use wspush::auth::{Claims, Rights, Rules, issue};

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";

fn now_s() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}

/// A token that was issued so long ago.
fn issued(user: &str, ago_s: u64) -> String {
    let rights =
        Rights { expires_s: Some(now_s() + 600), allow: ["news.*".to_owned()].into(), ..Rights::default() };
    let claims = Claims { user: Some(user.to_owned()), rights, ..Claims::default() };
    issue(SECRET, &claims, &Rules::default(), now_s() - ago_s).unwrap()
}

/// One of the next second, which is within what clocks may differ by.
fn new(user: &str) -> String {
    let claims = Claims { user: Some(user.to_owned()), ..Claims::default() };
    issue(SECRET, &claims, &Rules::default(), now_s() + 2).unwrap()
}

fn start(more: &[&str]) -> Daemon {
    Daemon::start(&[&["--auth", "required", "--auth-secret", SECRET], more].concat())
}

fn refusal(daemon: &Daemon, token: &str) -> Option<(u16, String)> {
    let answer = WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]);
    answer.err().map(|response| (response.status, response.text()))
}

const REVOKED: &str = "the token was revoked; a new one is needed\n";

fn revoke(daemon: &Daemon, user: &str) -> Value {
    let response = daemon.ask("DELETE", &format!("/users/{user}?revoke=yes&code=4001&reason=out"), &[], b"");
    assert_eq!(response.status, 200, "{}", response.text());
    response.json()
}

#[test]
fn a_user_is_put_out_and_comes_in_by_a_new_token_only() {
    let daemon = start(&[]);
    let (ann, bob) = (issued("ann", 10), issued("bob", 10));
    let (older, newer) = (issued("ann", 300), issued("ann", 0));
    let open =
        |token: &str| WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]).expect("let in");
    let (mut first, mut second, mut other) = (open(&ann), open(&older), open(&bob));
    assert_eq!(daemon.ask("DELETE", "/users/bob?revoke=no", &[], b"").json()["revoked"], Value::Null);
    assert_eq!(other.closed().0, 1008);
    assert_eq!(revoke(&daemon, "ann"), json!({"user": "ann", "closed": 2, "code": 4001, "revoked": true}));
    for client in [&mut first, &mut second] {
        assert_eq!(client.closed(), (4001, "out".to_owned()));
    }
    for old in [&ann, &older, &newer] {
        assert_eq!(refusal(&daemon, old), Some((401, REVOKED.to_owned())));
    }
    assert_eq!((refusal(&daemon, &bob), refusal(&daemon, &new("ann"))), (None, None));
    assert!(daemon.ask("GET", "/metrics", &[], b"").text().contains("\nwspush_revoked_users 1\n"));
    daemon.wait_log(|line| line.contains("event=revoked user=ann"));
    for part in ann.split('.') {
        assert!(!daemon.log().contains(part));
    }
}

/// A token without `iat` counts as one from before.
#[test]
fn a_token_that_does_not_say_when_it_was_issued_is_an_old_one() {
    let daemon = start(&[]);
    let claims = json!({"sub": "ann", "exp": now_s() + 60});
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let undated = jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key).unwrap();
    assert_eq!(refusal(&daemon, &undated), None);
    revoke(&daemon, "ann");
    assert_eq!(refusal(&daemon, &undated), Some((401, REVOKED.to_owned())));
}

#[test]
fn neither_refresh_nor_subscribe_takes_what_was_revoked() {
    let daemon = start(&[]);
    let mut protocols =
        [("Sec-WebSocket-Protocol", format!("wspush.v1, wspush.bearer.{}", issued("ann", 10)))];
    let fields: Vec<(&str, &str)> = protocols.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut ann = WebSocket::ask(daemon.public, "/ws", &fields).expect("let in");
    assert!(ann.text().contains("connected") && ann.text().contains("subscribed"));
    revoke(&daemon, "ann");
    assert_eq!(ann.closed().0, 4001);
    // With a new token she is back, and shows the old one.
    protocols[0].1 = format!("wspush.v1, wspush.bearer.{}", new("ann"));
    let fields: Vec<(&str, &str)> = protocols.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut ann = WebSocket::ask(daemon.public, "/ws", &fields).expect("let in");
    assert!(ann.text().contains("connected") && ann.text().contains("subscribed"));
    let old = issued("ann", 5);
    let refresh = json!({"id": 1, "refresh": {"token": old}});
    let subscribe = json!({"id": 1, "subscribe": {"channel": "news.x", "token": old}});
    for command in [refresh, subscribe] {
        ann.send_text(&command.to_string());
        let answer: Value = serde_json::from_str(&ann.text()).unwrap();
        assert_eq!(answer["error"]["code"], "forbidden", "{answer}");
        assert!(answer["error"]["message"].as_str().unwrap().contains("revoked"), "{answer}");
    }
    ann.send_text(&json!({"id": 2, "refresh": {"token": new("ann")}}).to_string());
    assert!(ann.text().contains("refreshed"));
}

#[test]
fn where_no_tokens_are_looked_at_there_is_nothing_to_revoke() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let response = daemon.ask("DELETE", "/users/ann?revoke=yes", &[], b"");
    assert_eq!(response.status, 409);
    assert!(response.text().contains("auth is none"), "{}", response.text());
    for target in ["/users/ann?revoke=", "/users/ann?revoke=true", "/users/ann?revoke=yes&revoke=yes"] {
        let response = daemon.ask("DELETE", target, &[], b"");
        assert_eq!((response.status, response.text().contains("revoke")), (400, true), "{}", response.text());
    }
    assert!(client.sync().is_empty());
}

#[test]
fn a_bounded_lifetime_takes_users_off_the_list() {
    let daemon = start(&["--auth-lifetime-max-s", "600"]);
    // It was good for 610 s from the beginning.
    let longer = refusal(&daemon, &issued("ann", 10)).expect("refused");
    assert!(longer.0 == 401 && longer.1.contains("(auth_lifetime_max_s)"), "{longer:?}");
    assert_eq!(refusal(&daemon, &issued("ann", 0)), None);
    let endless = refusal(&daemon, &new("ann")).expect("refused");
    assert!(endless.1.contains("(auth_lifetime_max_s)"), "{endless:?}");
}

#[test]
fn it_is_remembered_by_the_next_process() {
    let folder: PathBuf = std::env::temp_dir().join(format!("wspush-revocation-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("state");
    let file = file.to_str().unwrap();
    let mut daemon = start(&["--state-file", file]);
    revoke(&daemon, "ann");
    daemon.signal("TERM");
    daemon.wait_exit();
    let daemon = start(&["--state-file", file]);
    assert!(daemon.wait_event("state_loaded").contains("revoked_users=1"));
    assert_eq!(refusal(&daemon, &issued("ann", 10)), Some((401, REVOKED.to_owned())));
    assert_eq!((refusal(&daemon, &new("ann")), refusal(&daemon, &issued("bob", 10))), (None, None));
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_handle_revokes_as_well() {
    use wspush::config::TokenAuth;
    use wspush::{CloseCode, Config, PushError, Server};

    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        auth: TokenAuth::Required,
        auth_secret: vec![SECRET.to_owned()],
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let ask = |token: &str| WebSocket::ask(address, &format!("/ws?token={token}"), &[]);
    let mut ann = ask(&issued("ann", 10)).expect("let in");
    handle.revoke_user("ann", CloseCode(4001), "out").unwrap();
    assert_eq!(ann.closed(), (4001, "out".to_owned()));
    assert_eq!(ask(&issued("ann", 10)).err().map(|response| response.status), Some(401));
    assert_eq!(handle.revoke_user("", CloseCode(4001), ""), Err(PushError::BadUser));
    handle.drain();
    thread.join().unwrap().unwrap();
}

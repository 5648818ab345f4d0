//! Tokens over real sockets: where they are found, what they allow, and that nothing that is said repeats one.
#![cfg(feature = "auth")]

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::Header;
use serde_json::{Value, json};

use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::upgrade;
use wspush::auth::{Claims, Rights, Rules, issue};

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";
const OTHER: &str = "another_secret_of_more_than_32_bytes";

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn token(secret: &str, change: impl FnOnce(&mut Claims)) -> String {
    let rights = Rights { expires_s: Some(now_s() + 600), ..Rights::default() };
    let mut claims = Claims { user: Some("ann".to_owned()), rights, ..Claims::default() };
    change(&mut claims);
    issue(secret, &claims, &Rules::default(), now_s()).unwrap()
}

fn start(more: &[&str]) -> Daemon {
    Daemon::start(&[&["--auth", "required", "--auth-secret", SECRET], more].concat())
}

fn refused(daemon: &Daemon, target: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let response = WebSocket::ask(daemon.public, target, fields).err().expect("it was let in");
    (response.status, response.text())
}

/// A client that gets 101, and all that is said with it.
fn answered(daemon: &Daemon, target: &str, fields: &[(&str, &str)]) -> (WebSocket, String) {
    let mut http = Http::tcp(daemon.public);
    http.send(&upgrade(target, "localhost", fields));
    let response = http.response();
    assert_eq!(response.status, 101, "{}", response.text());
    let head = format!("{response:?}");
    (WebSocket::from_upgrade(http, &response), head)
}

#[test]
fn a_token_is_taken_from_every_place_and_told_to_nobody() {
    let daemon = start(&["--auth-cookie", "session", "--subprotocols", "chat"]);
    let token = token(SECRET, |_| {});
    let bearer = format!("Bearer {token}");
    let (protocol, cookie) = (format!("wspush.bearer.{token}, chat"), format!("a=b; session={token}"));
    let query = format!("/ws?token={token}");
    for (target, fields) in [
        ("/ws", [("Authorization", bearer.as_str())]),
        ("/ws", [("Sec-WebSocket-Protocol", &protocol)]),
        ("/ws", [("Cookie", &cookie)]),
        (&query, [("X", "y")]),
    ] {
        let (client, head) = answered(&daemon, target, &fields);
        assert!(!head.contains(&token) && !head.contains("bearer"), "{head}");
        let connections = daemon.ask("GET", "/connections?user=ann", &[], b"").json();
        assert_eq!(connections["connections"].as_array().map(Vec::len), Some(1), "{connections}");
        drop(client);
        daemon.wait_connections(0);
    }
    // A refusal by a close frame chooses a subprotocol as well, and not the token.
    let only = format!("wspush.bearer.{token}");
    let fields = [("Sec-WebSocket-Protocol", only.as_str())];
    let (_, head) = answered(&daemon, "/ws?refusals=close&channel=private", &fields);
    assert!(!head.contains("bearer"), "{head}");
    assert!(!daemon.log().contains(&token[token.len() - 20..]), "{}", daemon.log());
}

#[test]
fn nobody_comes_in_without_one_and_is_told_why() {
    let daemon = start(&["--subprotocols", "chat"]);
    let (status, text) = refused(&daemon, "/ws", &[]);
    assert_eq!(
        (status, text.starts_with("this needs a token: 'Authorization: Bearer TOKEN'")),
        (401, true),
        "{text}"
    );
    let good = token(SECRET, |_| {});
    let expired = issue(
        SECRET,
        &Claims { rights: Rights { expires_s: Some(1_000), ..Rights::default() }, ..Claims::default() },
        &Rules::default(),
        900,
    )
    .unwrap();
    for (bad, said) in [
        (expired, "the token has expired "),
        (token(OTHER, |_| {}), "the token's signature is not by a configured key"),
        (good.replacen("eyJ", "eyK", 1), "the token is not a signed JWT"),
        ("eyJhbGciOiJub25lIn0.eyJzdWIiOiJyb290In0.".to_owned(), "the token is signed by an algorithm (alg)"),
    ] {
        for fields in [&[("Authorization", format!("Bearer {bad}"))][..], &[]] {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let target = if fields.is_empty() { format!("/ws?token={bad}") } else { "/ws".to_owned() };
            let (status, text) = refused(&daemon, &target, &fields);
            assert_eq!((status, text.starts_with(said)), (401, true), "{text}");
            assert!(!text.contains(&bad[bad.len().saturating_sub(20)..]), "{text}");
        }
        assert!(!daemon.log().contains(&bad[bad.len().saturating_sub(20)..]));
    }
    // The first token counts, also when it is bad and another one would be good.
    let both = format!("/ws?token={good}");
    assert_eq!(refused(&daemon, &both, &[("Authorization", "Bearer x")]).0, 401);
    let head = daemon.ask("GET", "/stats", &[], b"").json();
    assert_eq!(head["counters"]["handshakes_refused"]["token"], 10);
}

#[test]
fn a_token_joins_its_channels_and_allows_more_than_the_settings() {
    let daemon = start(&["--channels", "public.*", "--channels-per-connection-max", "3"]);
    let token = token(SECRET, |claims| {
        claims.channels = vec!["inbox:ann".to_owned(), "broadcast".to_owned()];
        claims.rights.allow = ["news.*".to_owned()].into();
    });
    let ask = |query: &str| WebSocket::ask(daemon.public, &format!("/ws?token={token}{query}"), &[]);
    let mut client = ask("&channel=news.x&channel=public.y").expect("let in");
    for channel in ["inbox:ann", "news.x", "public.y"] {
        daemon.push_to(&format!("/push?channel={channel}"), channel);
        assert_eq!(client.text(), channel);
    }
    let said = |query: &str| ask(query).err().map(|response| (response.status, response.text()));
    let (status, text) = said("&channel=private").expect("refused");
    assert_eq!((status, text.contains("(channels, or the token's allow)")), (403, true), "{text}");
    let (status, text) = said("&channel=news.1&channel=news.2&channel=news.3").expect("refused");
    assert_eq!((status, text.contains("channels_per_connection_max")), (400, true), "{text}");
    assert!(ask("&channel=inbox:ann").is_ok(), "asking for what is joined anyway");
}

#[test]
fn keys_are_changed_while_the_server_runs() {
    let folder = std::env::temp_dir().join(format!("wspush-tokens-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("wspushd.toml");
    let write = |secrets: &str| {
        fs::write(&file, format!("auth = \"required\"\nauth_secret = [{secrets}]\n")).unwrap()
    };
    write(&format!("{SECRET:?}"));
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let lets_in = |secret| {
        let target = format!("/ws?token={}", token(secret, |_| {}));
        WebSocket::ask(daemon.public, &target, &[]).is_ok()
    };
    assert!(lets_in(SECRET) && !lets_in(OTHER));
    for (secrets, both) in [(format!("{OTHER:?}, {SECRET:?}"), true), (format!("{OTHER:?}"), false)] {
        write(&secrets);
        let before = daemon.events("reloaded");
        daemon.signal("HUP");
        crate::daemon::wait("the reload", || daemon.events("reloaded") > before);
        assert!(lets_in(OTHER) && lets_in(SECRET) == both);
    }
    write("\"s3cret\"");
    daemon.signal("HUP");
    let line = daemon.wait_event("not_reloaded");
    assert!(line.contains("auth_secret") && !line.contains("s3cret"), "{line}");
    assert!(lets_in(OTHER), "what was there before stays");
    for secret in [SECRET, OTHER] {
        assert!(!daemon.log().contains(secret));
    }
    fs::remove_dir_all(&folder).unwrap();
}

/// A client of `wspush.v1`, behind its greeting.
fn v1(daemon: &Daemon, token: &str) -> (WebSocket, Value) {
    let protocols = format!("wspush.v1, wspush.bearer.{token}");
    let (mut client, _) = answered(daemon, "/ws", &[("Sec-WebSocket-Protocol", &protocols)]);
    let connected: Value = serde_json::from_str(&client.text()).unwrap();
    assert!(client.text().contains("\"subscribed\""));
    (client, connected["connected"].clone())
}

fn ask(client: &mut WebSocket, command: &Value) -> Value {
    client.send_text(&command.to_string());
    serde_json::from_str(&client.text()).unwrap()
}

#[test]
fn a_client_of_v1_is_told_that_its_token_expires_and_shows_a_new_one() {
    let daemon = start(&[]);
    let short = token(SECRET, |claims| claims.rights.expires_s = Some(now_s() + 20));
    let (mut client, connected) = v1(&daemon, &short);
    assert_eq!(connected["user"], "ann");
    let told: Value = serde_json::from_str(&client.text()).unwrap();
    assert!(told["expires"]["in_s"].as_u64().is_some_and(|in_s| (1..=20).contains(&in_s)), "{told}");
    let denied = |client: &mut WebSocket, token: String| {
        let answer = ask(client, &json!({"id": 1, "refresh": {"token": token}}));
        answer["error"]["code"].as_str().map(str::to_owned)
    };
    let of = |user: &str| token(SECRET, |claims| claims.user = Some(user.to_owned()));
    assert_eq!(denied(&mut client, of("bob")).as_deref(), Some("forbidden"));
    assert_eq!(denied(&mut client, token(OTHER, |_| {})).as_deref(), Some("forbidden"));
    let over = Claims { rights: Rights { expires_s: Some(1_000), ..Rights::default() }, ..Claims::default() };
    let over = issue(SECRET, &over, &Rules::default(), 900).unwrap();
    assert_eq!(denied(&mut client, over).as_deref(), Some("expired"));
    let answer = ask(&mut client, &json!({"id": 2, "refresh": {"token": of("ann")}}));
    assert!(answer["refreshed"]["expires_in_s"].as_u64().is_some_and(|in_s| in_s > 500), "{answer}");
    let lasting = token(SECRET, |claims| claims.rights.expires_s = None);
    let answer = ask(&mut client, &json!({"id": 3, "refresh": {"token": lasting}}));
    assert_eq!(answer, json!({"id": 3, "refreshed": {}}));
    assert!(client.sync().is_empty(), "it is told once");
}

#[test]
fn a_client_of_v1_subscribes_by_a_token() {
    let daemon = start(&[]);
    let own = token(SECRET, |claims| claims.rights.allow = ["own.*".to_owned()].into());
    let (mut client, _) = v1(&daemon, &own);
    let mut subscribe = |channel: &str, token: Option<String>| {
        let mut fields = json!({"channel": channel});
        if let Some(token) = token {
            fields["token"] = json!(token);
        }
        let answer = ask(&mut client, &json!({"id": 1, "subscribe": fields}));
        answer["error"]["code"].as_str().unwrap_or("subscribed").to_owned()
    };
    assert_eq!(subscribe("own.1", None), "subscribed");
    assert_eq!(subscribe("private", None), "forbidden");
    let by = |user: Option<&str>| {
        token(SECRET, |claims| {
            claims.user = user.map(str::to_owned);
            claims.channels = vec!["private".to_owned()];
        })
    };
    assert_eq!(subscribe("private", Some(by(Some("bob")))), "forbidden");
    assert_eq!(subscribe("other", Some(by(None))), "forbidden");
    assert_eq!(subscribe("private", Some(by(None))), "subscribed");
    assert_eq!(subscribe("private", Some(by(Some("ann")))), "already_subscribed");
}

/// Runs `wspushd token ..`: its exit status, what it prints and what it complains of.
fn run(args: &[&str], secret: &str, input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wspushd"));
    command.args(args).env("WSPUSH_AUTH", "required").env("WSPUSH_AUTH_SECRET", secret);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading it.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn an_operator_makes_and_checks_tokens() {
    let args = ["token", "new", "--user", "ann", "--expires=90s", "--channel", "inbox:ann", "--channel", "b"];
    let more = ["--allow", "news.*", "--publish=*", "--info", "{\"a\": 1}", "--auth-audience", "push"];
    let (code, token, errors) = run(&[&args[..], &more].concat(), SECRET, "");
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let audience = ["--auth-audience", "push"];
    let (code, said, errors) = run(&[&["token", "check"][..], &audience].concat(), SECRET, &token);
    assert_eq!((code, errors.as_str()), (Some(0), ""));
    let (valid, rest) = said.split_once('\n').unwrap();
    assert!(valid.starts_with("valid until 20") && valid.ends_with(" s from now"), "{valid}");
    let expected = "user: ann\nchannels: inbox:ann b\nallow: news.*\npublish: *\ninfo: {\"a\": 1}\n";
    assert_eq!(rest, expected);
    let daemon = start(&audience);
    assert!(WebSocket::ask(daemon.public, &format!("/ws?token={}", token.trim()), &[]).is_ok());
    let (code, said, errors) = run(&["token", "check"], OTHER, &token);
    assert_eq!((code, said.as_str()), (Some(1), ""));
    assert!(errors.starts_with("wspushd: the token's signature is not by a configured key"), "{errors}");
    assert!(!errors.contains(token.trim()) && !errors.contains(OTHER));
}

#[test]
fn an_operator_is_told_what_is_wrong() {
    for (args, said) in [
        (&["token"][..], "the first word behind token is new or check"),
        (&["token", "make"], "the first word behind token is new or check"),
        (&["token", "new", "--user"], "--user needs a value"),
        (&["token", "new", "--expires", "soon"], "--expires is no time like 90s"),
        (
            &["token", "new", "--channel", "a b"],
            "the token's channels has as entry 1 what is not a channel's name",
        ),
        (&["token", "new", "--info", "{"], "the token's info is not JSON"),
        (&["token", "new", "--nonsense"], "unknown flag \"--nonsense\""),
        (&["token", "check", "eyJhbGciOiJub25lIn0.e30."], "the first argument is no flag"),
    ] {
        let (code, printed, errors) = run(args, SECRET, "");
        assert_eq!((code, printed.as_str()), (Some(2), ""), "{args:?}");
        assert!(errors.contains(said) && !errors.contains("eyJ") && !errors.contains(SECRET), "{errors}");
    }
    let (code, help, _) = run(&["token", "--help"], SECRET, "");
    assert!(code == Some(0) && help.contains("wspushd token check"), "{help}");
}

#[test]
fn clocks_differ_a_little_and_no_more() {
    let daemon = start(&[]);
    let key = jsonwebtoken::EncodingKey::from_secret(SECRET.as_bytes());
    let with = |header: &Header, claims: Value| {
        let token = jsonwebtoken::encode(header, &claims, &key).unwrap();
        let answer = WebSocket::ask(daemon.public, &format!("/ws?token={token}"), &[]);
        answer.err().map_or((101, String::new()), |response| (response.status, response.text()))
    };
    let plain = Header::default();
    let (soon, later) = (now_s() + 3, now_s() + 600);
    assert_eq!(with(&plain, json!({"nbf": soon, "iat": soon})).0, 101);
    for (claims, said) in [
        (json!({"nbf": later}), "the token is not valid for another"),
        (json!({"iat": later}), "the token is issued in"),
        (json!({"exp": now_s() - 600}), "the token has expired 60"),
    ] {
        let (status, text) = with(&plain, claims);
        assert!(status == 401 && text.starts_with(said), "{text}");
    }
    // A secret has no name, and one that a token gives leads to no file and no other key.
    let named = Header { kid: Some("../../../etc/passwd".to_owned()), ..Header::default() };
    assert_eq!(with(&named, json!({})).0, 101);
    let longer = Header { alg: jsonwebtoken::Algorithm::HS384, ..Header::default() };
    let (status, text) = with(&longer, json!({}));
    assert!(status == 401 && text.contains("(alg)"), "{text}");
}

//! The HTTP API in front of a server that remembers what was asked of it.

use super::*;
use crate::config::Config;
use crate::endpoint::{Published, Receipt};
use crate::protocol::head;

const NOW_S: u64 = 1_800_000_000;

#[derive(Default)]
struct Fake {
    asked: Vec<String>,
    is_full: bool,
}

impl Backends for Fake {
    fn publish_events(&mut self, events: Vec<Posted>) -> Result<Taken, PushError> {
        if self.is_full {
            return Err(PushError::InboxFull);
        }
        let receipt = |(event, id): (&Posted, u64)| {
            let payload = String::from_utf8_lossy(event.publication.payload()).into_owned();
            let except = event.except.as_deref().map_or(String::new(), |id| format!(" but {id}"));
            self.asked.push(format!("{} {payload}{except}", event.channel));
            Receipt { channel: event.channel.as_str().into(), epoch: 5, offset: 6, id }
        };
        let receipts: Vec<Receipt> = events.iter().zip(7..).map(receipt).collect();
        Ok(Taken {
            recipients: vec![Some(1); receipts.len()],
            published: Published::new(receipts, false),
            later: None,
        })
    }
    fn counts(&self, _app: &PusherApp, channel: &str) -> Counts {
        Counts {
            subscriptions: if channel.ends_with("empty") { 0 } else { 2 },
            users: channel.contains("presence-").then_some(1),
        }
    }
    fn users_in(&self, _app: &PusherApp, _channel: &str) -> Vec<String> {
        vec!["1".to_owned(), "\"".to_owned()]
    }
    fn cached(&self, _app: &PusherApp, channel: &str) -> Option<Cached> {
        channel.contains("cache-").then(|| Cached { data: "{}".to_owned(), ttl_s: 60 })
    }
    fn terminate(&mut self, app: &PusherApp, user: &str) -> Result<(), PushError> {
        self.asked.push(format!("terminate {}", app.user(user)));
        Ok(())
    }
    fn connections_of(&self, _app: &PusherApp) -> u64 {
        9
    }
}

fn config() -> Config {
    let off = PusherApp { enabled: false, ..PusherApp::new("off", "key-off", "secret-off") };
    Config { pusher_app: vec![PusherApp::new("3", "key", "secret"), off], ..Config::default() }
}

/// Lets an answer to these bytes be made.
fn with_head<T>(line: &str, then: impl FnOnce(&Head<'_>) -> T) -> T {
    let request = format!("{line} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(request.as_bytes(), 8192, &mut fields).unwrap().unwrap();
    then(&head)
}

fn ask_of(server: &mut Fake, line: &str, body: &str) -> (u16, String) {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (&**name, &**value)).collect();
    let (key, secret) =
        if path.starts_with("/apps/off/") { ("key-off", "secret-off") } else { ("key", "secret") };
    let query = Credentials::new(key, secret).sign_request((method, path), &pairs, body.as_bytes(), NOW_S);
    with_head(&format!("{method} {path}?{query}"), |head| {
        let config = config();
        let rest = config.pusher_path(head.path(), BEFORE).unwrap();
        let response = match admit(head, rest, config.apps(), NOW_S) {
            Ok(admitted) => match admitted.answer(head, body.as_bytes(), server) {
                Answer::Now(response) => response,
                Answer::Later(ticket, response) => panic!("{ticket}: {response:?}"),
                Answer::List(mut list) => {
                    for name in ["a", "presence-b", "empty", "news!eu", "$server-to-user-1"] {
                        let channel = format!("pusher/3/{name}");
                        if channel.starts_with(&list.prefix) {
                            list.add(&channel, server.counts(&config.pusher_app[0], &channel));
                        }
                    }
                    list.response()
                }
            },
            Err(refusal) => refusal.into(),
        };
        (response.status, String::from_utf8(response.body.to_vec()).unwrap())
    })
}

fn ask(line: &str, body: &str) -> (u16, String) {
    ask_of(&mut Fake::default(), line, body)
}

fn says(answer: (u16, String), status: u16, text: &str) {
    assert!(answer.0 == status && answer.1.contains(text), "{answer:?}, expected {status} {text:?}");
}

#[test]
fn events_are_published_as_clients_get_them() {
    let mut server = Fake::default();
    let body = r#"{"name":"greet","channels":["a","news;eu","a"],"data":"{\"x\":1}","socket_id":"12.34"}"#;
    assert_eq!(ask_of(&mut server, "POST /apps/3/events", body), (200, "{}".to_owned()));
    let data = r#""data":"{\"x\":1}""#;
    assert_eq!(
        server.asked,
        [
            format!(r#"pusher/3/a {{"event":"greet","channel":"a",{data}}} but 12.34"#),
            format!(r#"pusher/3/news!eu {{"event":"greet","channel":"news;eu",{data}}} but 12.34"#),
        ]
    );
    server.asked.clear();
    let body = r#"{"name":"n","channel":"a","data":{"x" :[1]},"tags":{},"socket_id":""}"#;
    assert_eq!(ask_of(&mut server, "POST /apps/3/events", body).0, 200);
    assert_eq!(server.asked, [r#"pusher/3/a {"event":"n","channel":"a","data":"{\"x\" :[1]}"}"#]);
    let full = ask_of(&mut Fake { is_full: true, ..Fake::default() }, "POST /apps/3/events", body);
    assert_eq!(full.0, 503, "{full:?}");
}

#[test]
fn numbers_come_with_the_answer_where_they_are_asked_for() {
    let with =
        |info: &str| format!(r#"{{"name":"n","channels":["a","presence-b"],"data":"","info":"{info}"}}"#);
    let both =
        r#"{"channels":{"a":{"subscription_count":2},"presence-b":{"subscription_count":2,"user_count":1}}}"#;
    assert_eq!(ask("POST /apps/3/events", &with("user_count,subscription_count")), (200, both.to_owned()));
    let users = r#"{"channels":{"a":{},"presence-b":{"user_count":1}}}"#;
    assert_eq!(ask("POST /apps/3/events", &with("user_count")), (200, users.to_owned()));
    assert_eq!(ask("POST /apps/3/events", &with("something_new")), (200, "{}".to_owned()));
    let batch = r#"{"batch":[{"name":"n","channel":"a","data":"1","info":"subscription_count"},
        {"name":"m","channel":"a","data":"2"}]}"#;
    let expected = r#"{"batch":[{"subscription_count":2},{}]}"#;
    assert_eq!(ask("POST /apps/3/batch_events", batch), (200, expected.to_owned()));
}

#[test]
fn a_batch_is_published_whole_or_not_at_all() {
    let mut server = Fake::default();
    let one = r#"{"name":"n","channel":"a","data":"1"}"#;
    let of = |events: &[&str]| format!(r#"{{"batch":[{}]}}"#, events.join(","));
    let good = ask_of(&mut server, "POST /apps/3/batch_events", &of(&[one; 10]));
    assert_eq!((good, server.asked.len()), ((200, "{}".to_owned()), 10));
    server.asked.clear();
    for (events, text) in [
        (&[one; 11][..], "11 events are more than the 10 of a batch (batch_events_max)"),
        (
            &[one, r#"{"name":"n","channel":"a b","data":"1"}"#],
            "event 2: \"a b\" is not the name of a channel",
        ),
        (&[one, one, r#"{"name":"n","channels":["a"],"data":"1"}"#], "event 3: it has one channel"),
        (&[], "batch is missing"),
        (&[one, r#"["n","1","a"]"#], "event 2: it is no JSON object"),
        (&["7"], "event 1: it is no JSON object"),
    ] {
        says(ask_of(&mut server, "POST /apps/3/batch_events", &of(events)), 400, text);
    }
    assert!(server.asked.is_empty());
}

#[test]
fn what_is_wrong_with_an_event_is_said() {
    let long = "n".repeat(201);
    let large = format!(r#"{{"name":"n","channel":"a","data":"{}"}}"#, "d".repeat(10_241));
    says(ask("POST /apps/3/events", &large), 413, "data of 10241 bytes are more than the 10240");
    let many: Vec<String> = (0..101).map(|n| format!("\"c{n}\"")).collect();
    for (body, text) in [
        ("", "no JSON object"),
        ("[]", "no JSON object"),
        ("{", "can't be read at line 1"),
        (r#"{"name":"s3cret","name":"b"}"#, "can't be read at line 1"),
        (r#"{"channel":"a","data":"x"}"#, "name is missing"),
        (r#"{"name":"","channel":"a","data":"x"}"#, "name is missing"),
        (&format!(r#"{{"name":"{long}","channel":"a","data":"x"}}"#), "of 201 characters is longer than 200"),
        (r#"{"name":"n","data":"x"}"#, "channels is missing"),
        (r#"{"name":"n","channels":[],"data":"x"}"#, "channels is missing"),
        (r#"{"name":"n","channels":["a"],"channel":"a","data":"x"}"#, "not both"),
        (
            &format!(r#"{{"name":"n","channels":[{}],"data":"x"}}"#, many.join(",")),
            "101 channels are more than the 100",
        ),
        (r#"{"name":"n","channels":["a","b/c"],"data":"x"}"#, "\"b/c\" is not the name of a channel"),
        (r#"{"name":"n","channel":"a"}"#, "data is missing"),
        (r#"{"name":"n","channel":"a","data":null}"#, "data is missing"),
        (r#"{"name":"n","channel":"a","data":"x","socket_id":"12"}"#, "socket_id is not two numbers"),
        (r#"{"name":"n","channel":"a","data":"x","socket_id":"1.2:x"}"#, "socket_id is not two numbers"),
        (r#"{"name":"n","channel":"a","data":"\ud800"}"#, "data is not a string that can be read"),
    ] {
        says(ask("POST /apps/3/events", body), 400, text);
    }
    assert!(!ask("POST /apps/3/events", r#"{"name":"s3cret" "#).1.contains("s3cret"));
}

#[test]
fn channels_and_users_are_looked_at() {
    let is = |line: &str, expected: &str| assert_eq!(ask(line, ""), (200, expected.to_owned()), "{line}");
    is("GET /apps/3/channels", r#"{"channels":{"a":{},"presence-b":{},"news;eu":{}}}"#);
    is(
        "GET /apps/3/channels?info=subscription_count",
        concat!(
            r#"{"channels":{"a":{"subscription_count":2},"presence-b":{"subscription_count":2},"#,
            r#""news;eu":{"subscription_count":2}}}"#
        ),
    );
    is(
        "GET /apps/3/channels?filter_by_prefix=presence-&info=user_count",
        r#"{"channels":{"presence-b":{"user_count":1}}}"#,
    );
    is("GET /apps/3/channels?filter_by_prefix=news;&unknown=1", r#"{"channels":{"news;eu":{}}}"#);
    is("GET /apps/3/channels?filter_by_prefix=none", r#"{"channels":{}}"#);
    is("GET /apps/3/channels/a", r#"{"occupied":true}"#);
    is("GET /apps/3/channels/empty?info=subscription_count", r#"{"occupied":false,"subscription_count":0}"#);
    is(
        "GET /apps/3/channels/presence-b?info=user_count,subscription_count",
        r#"{"occupied":true,"subscription_count":2,"user_count":1}"#,
    );
    is("GET /apps/3/channels/cache-a?info=cache", r#"{"cache":{"data":"{}","ttl":60},"occupied":true}"#);
    is("GET /apps/3/channels/a?info=cache", r#"{"cache":null,"occupied":true}"#);
    is("GET /apps/3/channels/presence-b/users", r#"{"users":[{"id":"1"},{"id":"\""}]}"#);
    is("GET /apps/3/connections", r#"{"connections":9}"#);
    for (line, text) in [
        ("GET /apps/3/channels?info=user_count", "filter_by_prefix=presence-"),
        ("GET /apps/3/channels?filter_by_prefix=pres&info=user_count", "filter_by_prefix=presence-"),
        ("GET /apps/3/channels?filter_by_prefix=a%20b", "is not the name of a channel"),
        ("GET /apps/3/channels/a?info=user_count", "presence channels alone"),
        ("GET /apps/3/channels/a/users", "only presence channels"),
        ("GET /apps/3/channels/a%20b", "is not the name of a channel"),
        ("GET /apps/3/channels/%ff", "not UTF-8"),
    ] {
        says(ask(line, ""), 400, text);
    }
}

#[test]
fn a_user_is_sent_away() {
    let mut server = Fake::default();
    let answer = ask_of(&mut server, "POST /apps/3/users/a%20b/terminate_connections", "{}");
    assert_eq!((answer, server.asked), ((200, "{}".to_owned()), vec!["terminate pusher/3/a b".to_owned()]));
}

#[test]
fn only_who_can_sign_is_told_anything() {
    let refused = |line: &str| {
        with_head(line, |head| {
            let config = config();
            let rest = config.pusher_path(head.path(), BEFORE).unwrap();
            admit(head, rest, config.apps(), NOW_S).unwrap_err()
        })
    };
    for line in [
        "POST /apps/3/events",
        "GET /apps/3/nothing",
        "GET /apps/3",
        "DELETE /apps/3/events?auth_key=key&auth_timestamp=1800000000&auth_version=1.0&auth_signature=0",
    ] {
        assert_eq!(refused(line).status, 401, "{line}");
    }
    assert_eq!(refused("POST /apps/4/events").status, 404);
    assert_eq!(refused("POST /apps/").status, 404);
    says(ask("GET /apps/off/channels", ""), 403, "not enabled");
    says(ask("GET /apps/3/nothing", ""), 404, "no such path");
    says(ask("GET /apps/3/events", ""), 405, "takes POST");
    says(ask("POST /apps/3/channels", "{}"), 405, "takes GET");
}

#[test]
fn a_body_is_bounded_by_the_limits_of_its_app() {
    let max = |line: &str| {
        let (method, path) = line.split_once(' ').unwrap();
        let query = Credentials::new("key", "secret").sign_request((method, path), &[], b"", NOW_S);
        with_head(&format!("{line}?{query}"), |head| {
            let config = config();
            let rest = config.pusher_path(head.path(), BEFORE).unwrap();
            admit(head, rest, config.apps(), NOW_S).unwrap().body_bytes_max()
        })
    };
    let (event, batch) = (max("POST /apps/3/events"), max("POST /apps/3/batch_events"));
    assert!((60 << 10..128 << 10).contains(&event), "{event}");
    assert!((600 << 10..1 << 20).contains(&batch), "{batch}");
    assert_eq!(max("POST /apps/3/users/1/terminate_connections"), 1_024);
}

//! The HTTP API of the Pusher Channels protocol over real sockets: a backend publishes, looks and sends away, on the
//! admin listener and where it is asked for on a public one, by its signature alone.
#![cfg(feature = "pusher")]

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::json;
use wspush::auth::pusher::Credentials;

use crate::daemon::{Daemon, Http, Response, WebSocket};

const APP: &str = "3 key=278d425bdf160c739803 secret=7ad3773142a6692b25b8";
const OTHER: &str = "4 key=other secret=other-secret event_channels_max=2 batch_events_max=2";

fn now_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn ours() -> Credentials {
    Credentials::new("278d425bdf160c739803", "7ad3773142a6692b25b8")
}

fn start(more: &[&str]) -> Daemon {
    let apps = format!("{APP},{OTHER}");
    Daemon::start(&[&["--pusher-app", &apps, "--channel-rule", "pusher/* clients=subscribe"], more].concat())
}

/// Asks as the app's backend does.
fn ask(http: &mut Http, line: &str, body: &str) -> Response {
    ask_as(&ours(), http, line, body)
}

fn ask_as(who: &Credentials, http: &mut Http, line: &str, body: &str) -> Response {
    let (method, target) = line.split_once(' ').unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let pairs: Vec<(&str, &str)> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
    // A prefix is the server's own.
    let signed = path.strip_prefix("/socket").unwrap_or(path);
    let query = who.sign_request((method, signed), &pairs, body.as_bytes(), now_s());
    http.ask(method, &format!("{path}?{query}"), &[("Content-Type", "application/json")], body.as_bytes())
}

fn event(channels: &[&str], data: &str) -> String {
    json!({ "name": "greet", "channels": channels, "data": data }).to_string()
}

#[test]
fn a_backend_publishes_by_its_signature_alone() {
    let daemon = start(&["--admin-token", "s3cret"]);
    let mut subscriber = WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/news");
    let mut http = daemon.admin_http();
    let answer = ask(&mut http, "POST /apps/3/events", &event(&["news", "other"], "{\"x\":1}"));
    assert_eq!((answer.status, answer.text().as_str()), (200, "{}"));
    let receipts = answer.header("wspush-receipt").expect("a receipt").to_owned();
    assert_eq!(receipts.split(", ").count(), 2, "{receipts}");
    let expected = r#"{"event":"greet","channel":"news","data":"{\"x\":1}"}"#;
    assert_eq!(subscriber.text(), expected);
    let receipt = receipts.split(", ").next().unwrap();
    let bearer = [("Authorization", "Bearer s3cret")];
    let delivery = http.ask("GET", &format!("/stats?receipt={receipt}"), &bearer, b"");
    assert_eq!(delivery.json()["recipients"], 1, "{}", delivery.text());
    // A name that was pointed here is no matter: a page can't sign.
    let path = "/apps/3/connections";
    let query = ours().sign_request(("GET", path), &[], b"", now_s());
    let request = format!("GET {path}?{query} HTTP/1.1\r\nHost: elsewhere.example\r\n\r\n");
    http.send(request.as_bytes());
    assert_eq!(http.response().status, 200);
    let fenced = daemon.admin_http().ask("GET", "/stats", &[], b"");
    assert_eq!(fenced.status, 401, "the rest has its fence");
    assert_eq!(http.ask("GET", "/up", &[], b"").text(), r#"{"health":"OK"}"#);
}

#[test]
fn apps_never_meet() {
    let daemon = start(&[]);
    let mut both =
        WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/news&channel=pusher/4/news");
    let (mut http, other) = (daemon.admin_http(), Credentials::new("other", "other-secret"));
    assert_eq!(ask_as(&other, &mut http, "POST /apps/3/events", &event(&["news"], "x")).status, 401);
    let mut http = daemon.admin_http();
    assert_eq!(ask_as(&other, &mut http, "POST /apps/4/events", &event(&["news"], "4")).status, 200);
    assert_eq!(ask(&mut http, "POST /apps/3/events", &event(&["news"], "3")).status, 200);
    for data in ["4", "3"] {
        assert_eq!(both.text(), format!(r#"{{"event":"greet","channel":"news","data":"{data}"}}"#));
    }
    let channels = |who: &Credentials, http: &mut Http, id: &str| {
        ask_as(who, http, &format!("GET /apps/{id}/channels?info=subscription_count"), "").text()
    };
    let one = r#"{"channels":{"news":{"subscription_count":1}}}"#;
    assert_eq!(
        (channels(&ours(), &mut http, "3").as_str(), channels(&other, &mut http, "4").as_str()),
        (one, one)
    );
    assert_eq!(ask(&mut http, "GET /apps/5/channels", "").status, 404);
}

#[test]
fn a_public_listener_takes_backends_if_it_is_told_to() {
    let daemon = start(&[]);
    assert_eq!(ask(&mut Http::tcp(daemon.public), "GET /apps/3/channels", "").status, 404);
    assert_eq!(Http::tcp(daemon.public).ask("GET", "/up", &[], b"").status, 404);
    let daemon = start(&["--pusher-http-public", "--pusher-path", "/socket"]);
    let mut subscriber = WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/news");
    let mut http = Http::tcp(daemon.public);
    assert_eq!(ask(&mut http, "POST /socket/apps/3/events", &event(&["news"], "1")).text(), "{}");
    assert_eq!(subscriber.text(), r#"{"event":"greet","channel":"news","data":"1"}"#);
    let listed = ask(&mut http, "GET /socket/apps/3/channels", "");
    assert_eq!(listed.text(), r#"{"channels":{"news":{}}}"#);
    assert_eq!(
        ask(&mut http, "GET /socket/apps/3/channels/news?info=subscription_count", "").json(),
        json!({ "occupied": true, "subscription_count": 1 })
    );
    assert_eq!(http.ask("GET", "/socket/up", &[], b"").text(), r#"{"health":"OK"}"#);
    assert_eq!(Http::tcp(daemon.public).ask("GET", "/apps/3/channels", &[], b"").status, 404);
    assert_eq!(
        Http::tcp(daemon.public).ask("GET", "/stats", &[], b"").status,
        404,
        "nothing else of the admin API"
    );
}

#[test]
fn all_channels_get_an_event_or_none() {
    let daemon = start(&[]);
    let names: Vec<String> = (0..100).map(|n| format!("c{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut last = WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/c99");
    let mut http = daemon.admin_http();
    let many = [&names[..], &["c100"]].concat();
    let refused = ask(&mut http, "POST /apps/3/events", &event(&many, "1"));
    assert!(refused.status == 400 && refused.text().contains("101 channels"), "{}", refused.text());
    let bad = [&names[1..], &["a b"]].concat();
    assert_eq!(ask(&mut http, "POST /apps/3/events", &event(&bad, "2")).status, 400);
    let batch = |second: &str| {
        let one = |channel: &str| json!({ "name": "n", "channel": channel, "data": "b" });
        json!({ "batch": [one("c99"), one(second)] }).to_string()
    };
    assert_eq!(ask(&mut http, "POST /apps/3/batch_events", &batch("a b")).status, 400);
    let large = ask(&mut http, "POST /apps/3/events", &event(&["c99"], &"d".repeat(10_241)));
    assert!(large.status == 413 && large.text().contains("event_bytes_max"), "{}", large.text());
    let taken = ask(&mut http, "POST /apps/3/events", &event(&names, &"\"".repeat(10_240)));
    assert_eq!((taken.status, taken.header("wspush-receipt").unwrap().split(", ").count()), (200, 100));
    assert_eq!(ask(&mut http, "POST /apps/3/batch_events", &batch("c98")).text(), "{}");
    assert!(last.text().ends_with(&format!("{}\"}}", "\\\"".repeat(10_240))));
    assert_eq!(last.text(), r#"{"event":"n","channel":"c99","data":"b"}"#);
    let huge = event(&["c99"], &"d".repeat(1 << 20));
    assert_eq!(ask(&mut http, "POST /apps/3/events", &huge).status, 413);
}

/// Names cost a place each, and places are taken from those that nobody is in.
#[test]
fn names_without_end() {
    let daemon = start(&["--channels-max", "250"]);
    let mut subscriber = WebSocket::open_at(&daemon, "/ws?broadcast=no&channel=pusher/3/news");
    let mut http = daemon.admin_http();
    for round in 0..50 {
        let names: Vec<String> = (0..100).map(|n| format!("presence-{round}-{n}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(ask(&mut http, "POST /apps/3/events", &event(&names, "1")).text(), "{}", "{round}");
    }
    assert_eq!(ask(&mut http, "POST /apps/3/events", &event(&["news"], "last")).text(), "{}");
    assert_eq!(subscriber.text(), r#"{"event":"greet","channel":"news","data":"last"}"#);
    assert!(daemon.stats()["channels"].as_u64().is_some_and(|count| count <= 250), "{}", daemon.stats());
    assert_eq!(ask(&mut http, "GET /apps/3/channels", "").text(), r#"{"channels":{"news":{}}}"#);
}

/// Somebody who can't sign has no body read, costs little, and is told nothing; whoever can is served meanwhile.
#[test]
fn thousands_of_wrong_signatures() {
    let daemon = start(&["--pusher-http-public"]);
    let (mut stranger, mut backend) = (Http::tcp(daemon.public), Http::tcp(daemon.public));
    let good = ours().sign_request(("GET", "/apps/3/connections"), &[], b"", now_s());
    let (before, digits) = good.split_at(good.len() - 64);
    let wrong: String = digits.chars().map(|digit| if digit == '0' { '1' } else { '0' }).collect();
    let request = format!("GET /apps/3/connections?{before}{wrong} HTTP/1.1\r\nHost: x\r\n\r\n");
    for round in 0..40 {
        stranger.send(request.repeat(100).as_bytes());
        for _ in 0..100 {
            let answer = stranger.response();
            assert!(answer.status == 401 && !answer.text().contains(digits), "{}", answer.text());
        }
        let name = format!("c{round}");
        assert_eq!(ask(&mut backend, "POST /apps/3/events", &event(&[&name], "1")).text(), "{}");
    }
    // With a body: it is answered before that comes, and is the last answer.
    let head = "POST /apps/3/events?auth_key=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n";
    let mut http = Http::tcp(daemon.public);
    http.send(head.as_bytes());
    assert_eq!(http.response().status, 401);
    http.expect_end();
    let stats = daemon.admin_http().ask("GET", "/stats", &[], b"").json();
    assert_eq!(stats["memory"]["backlog_bytes"], 0, "{stats}");
}

//! The backends of apps are told what happens in them: in the words of Pusher Channels, signed, each its own.
#![cfg(all(feature = "backend", feature = "pusher"))]

use serde_json::Value;
use wspush::auth::pusher::Credentials;

use crate::daemon::backend::{Asked, Backend, answer};
use crate::daemon::{Daemon, WebSocket, wait};

const SECRET: &str = "7ad3773142a6692b25b8";

fn start(first: &Backend, second: &Backend, more: &str) -> Daemon {
    let apps = [
        format!("3 key=three secret={SECRET} webhook_url={}{more}", first.url()),
        format!("4 key=four secret=other webhook_url={} webhook_events=channel_occupied", second.url()),
    ];
    let flags = ["--channel-rule", "pusher/* clients=subscribe", "--webhook-batch-ms", "0"];
    Daemon::start(&[&["--pusher-app", &apps.join(",")], &flags[..]].concat())
}

/// Everything told so far.
fn events(asked: &[Asked]) -> Vec<String> {
    let bodies: Vec<Value> = asked.iter().map(Asked::json).collect();
    let all = bodies.iter().flat_map(|body| body["events"].as_array().unwrap());
    all.map(Value::to_string).collect()
}

fn client(daemon: &Daemon, channel: &str) -> WebSocket {
    WebSocket::open_at(daemon, &format!("/ws?broadcast=no&channel={channel}"))
}

#[test]
fn each_app_hears_of_its_own_channels() {
    let (first, second) = (Backend::start(|_| answer(200, "")), Backend::start(|_| answer(200, "")));
    let daemon = start(&first, &second, "");
    let news = client(&daemon, "pusher/3/news!eu");
    wait("the first event", || !events(&first.asked()).is_empty());
    let other = client(&daemon, "pusher/4/news");
    let _own = client(&daemon, "public.news");
    wait("the other app's", || !events(&second.asked()).is_empty());
    news.close(1000);
    other.close(1000);
    wait("the end", || events(&first.asked()).len() >= 2);
    let told = |name: &str| format!(r#"{{"channel":"news;eu","name":"{name}"}}"#);
    assert_eq!(events(&first.asked()), [told("channel_occupied"), told("channel_vacated")]);
    assert_eq!(events(&second.asked()), [r#"{"channel":"news","name":"channel_occupied"}"#]);
    for asked in first.asked() {
        let signature = Credentials::new("three", SECRET).sign(&asked.body);
        assert_eq!(asked.header("x-pusher-signature"), Some(&*signature));
        assert_eq!(asked.header("x-pusher-key"), Some("three"));
        assert_eq!(asked.header("content-type"), Some("application/json"));
        assert!(asked.json()["time_ms"].as_u64().is_some_and(|time_ms| time_ms > 1_700_000_000_000));
    }
}

#[test]
fn what_is_not_taken_is_told_again() {
    let second = Backend::start(|_| answer(200, ""));
    let refusals = std::sync::atomic::AtomicUsize::new(0);
    let first = Backend::start(move |_| match refusals.fetch_add(1, std::sync::atomic::Ordering::Relaxed) {
        0 => answer(500, ""),
        _ => answer(200, ""),
    });
    let daemon = start(&first, &second, " webhook_events=channel_occupied");
    let _client = client(&daemon, "pusher/3/news");
    let asked = first.wait_asked(2);
    assert_eq!(asked[0].body, asked[1].body);
    let line = daemon.wait_log(|line| line.contains("event=webhook_failed"));
    assert!(line.contains("the backend of the app 3: an answer with status 500"), "{line}");
    assert!(!line.contains("s3cret"), "{line}");
}

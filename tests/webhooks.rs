//! A backend is told what happens to channels: all of it, in order, signed, again until it has taken it; and what could
//! not be kept for it is said.
#![cfg(feature = "backend")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wspush::auth::{Claims, Rights, Rules, issue};
use wspush::{Config, Server};

use crate::daemon::backend::{Asked, Backend, Gate, answer};
use crate::daemon::{Daemon, WebSocket, wait};

const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";

fn taken() -> Vec<u8> {
    answer(200, "")
}

fn start(backend: &Backend, more: &[&str]) -> Daemon {
    let flags = ["--webhook-url", &backend.url(), "--channels", "*", "--webhook-timeout-ms", "60000"];
    let at_once = ["--webhook-batch-ms", "0"];
    let gathers = more.contains(&at_once[0]);
    Daemon::start(&[&flags[..], if gathers { &[] } else { &at_once }, more].concat())
}

/// Everything told so far: the event, the channel, the user; and that nothing else is said.
fn events(asked: &[Asked]) -> Vec<String> {
    let bodies = asked.iter().map(Asked::json);
    let shown = |event: &Value| {
        assert!(event["time_ms"].as_u64().is_some_and(|time_ms| time_ms > 1_700_000_000_000), "{event}");
        let user = event["user"].as_str().map_or_else(String::new, |user| format!(" {user}"));
        format!("{} {}{user}", event["event"].as_str().unwrap(), event["channel"].as_str().unwrap())
    };
    bodies.flat_map(|body| body["events"].as_array().unwrap().iter().map(shown).collect::<Vec<_>>()).collect()
}

fn wait_events(backend: &Backend, count: usize) -> Vec<String> {
    wait("the events", || events(&backend.asked()).len() >= count);
    events(&backend.asked())
}

/// A client of this channel alone.
fn client(daemon: &Daemon, channel: &str) -> WebSocket {
    WebSocket::open_at(daemon, &format!("/ws?broadcast=no&channel={channel}"))
}

#[test]
fn a_backend_is_told_who_comes_and_goes() {
    let backend = Backend::start(|_| taken());
    let auth = ["--auth", "optional", "--auth-secret", SECRET, "--channel-rule", "room presence=true"];
    let more = ["--webhook-secret", SECRET, "--presence-grace-ms", "0"];
    let daemon = start(&backend, &[&auth[..], &more].concat());
    let rights = Rights { info: Some(r#"{"name":"Ann"}"#.into()), ..Rights::default() };
    let claims = Claims { user: Some("ann".to_owned()), rights, ..Claims::default() };
    let token = issue(SECRET, &claims, &Rules::default(), 1_000).unwrap();
    let stranger = client(&daemon, "room");
    wait_events(&backend, 1);
    let target = format!("/ws?broadcast=no&channel=room&token={token}");
    let anns = [WebSocket::open_at(&daemon, &target), WebSocket::open_at(&daemon, &target)];
    wait_events(&backend, 2);
    let everybody = WebSocket::open(&daemon);
    wait_events(&backend, 3);
    anns.into_iter().for_each(|ann| ann.close(1000));
    wait_events(&backend, 4);
    stranger.close(1000);
    wait_events(&backend, 5);
    everybody.close(1000);
    let told = wait_events(&backend, 6);
    assert_eq!(
        told,
        [
            "channel_occupied room",
            "member_added room ann",
            "channel_occupied broadcast",
            "member_removed room ann",
            "channel_vacated room",
            "channel_vacated broadcast",
        ]
    );
    let asked = backend.asked();
    let added = asked[1].json()["events"][0].clone();
    assert_eq!((&added["info"], added.as_object().unwrap().len()), (&json!({"name": "Ann"}), 5));
    for asked in &asked {
        let body = asked.json();
        let (id, time_s) = (asked.header("webhook-id").unwrap(), asked.header("webhook-timestamp").unwrap());
        assert_eq!((&body["id"], &body["dropped"]), (&json!(id), &Value::Null));
        let time_s: u64 = time_s.parse().unwrap();
        let signed = wspush::auth::signature::sign(&[SECRET.to_owned()], id, time_s, &asked.body);
        assert_eq!(asked.header("webhook-signature"), Some(&*signed));
        assert_eq!(asked.header("content-type"), Some("application/json"));
    }
    let ids: Vec<&str> = asked.iter().filter_map(|asked| asked.header("webhook-id")).collect();
    let (server, _) = ids[0].split_once('.').unwrap();
    assert_eq!(ids, (1..=6).map(|n| format!("{server}.{n}")).collect::<Vec<_>>());
    wait("the count", || daemon.counter("webhook_events") == 6);
    assert!(!daemon.log().contains("s3cret") && !daemon.log().contains(SECRET), "{}", daemon.log());
}

#[test]
fn events_go_together_and_keep_their_order() {
    let gate = Arc::new(Gate::default());
    let waiting = gate.clone();
    let backend = Backend::start(move |_| {
        waiting.wait();
        taken()
    });
    let daemon = start(&backend, &["--webhook-batch-max", "7"]);
    let _first = client(&daemon, "first");
    backend.wait_asked(1);
    let _clients: Vec<WebSocket> = (0..20).map(|n| client(&daemon, &format!("c{n}"))).collect();
    gate.open();
    let told = wait_events(&backend, 21);
    let expected = (0..20).map(|n| format!("channel_occupied c{n}"));
    assert_eq!(told[1..], expected.collect::<Vec<_>>());
    let asked = backend.asked();
    let counts = asked.iter().map(|asked| asked.json()["events"].as_array().unwrap().len());
    assert_eq!(counts.collect::<Vec<_>>(), [1, 7, 7, 6]);
}

#[test]
fn what_is_not_taken_is_told_again() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let counted = attempts.clone();
    let backend = Backend::start(move |_| match counted.fetch_add(1, Ordering::Relaxed) {
        0 => answer(500, "s3cret"),
        1 => Vec::new(),
        _ => answer(204, ""),
    });
    let daemon = start(&backend, &["--webhook-batch-max", "1"]);
    let _clients = [client(&daemon, "a"), client(&daemon, "b")];
    // An attempt on a connection that had been kept is made once more at once when that is closed.
    wait("all of them", || daemon.counter("webhook_events") == 2);
    let asked = backend.asked();
    let bodies: Vec<Value> = asked.iter().map(Asked::json).collect();
    let (last, before) = bodies.split_last().unwrap();
    assert_eq!(last["events"][0]["channel"], "b");
    assert!(before.len() >= 3 && before.iter().all(|body| *body == before[0]), "{before:?}");
    assert_eq!(before[0]["events"][0]["channel"], "a");
    assert_eq!(
        (daemon.counter("webhook_failures") >= 1, daemon.counter("webhook_events_dropped")),
        (true, 0)
    );
    let line = daemon.wait_event("webhook_failed");
    assert!(line.contains("status 500") && !line.contains("s3cret"), "{line}");
}

#[test]
fn the_oldest_are_dropped_and_that_is_said() {
    let gate = Arc::new(Gate::default());
    let waiting = gate.clone();
    let backend = Backend::start(move |_| {
        waiting.wait();
        taken()
    });
    let daemon = start(&backend, &["--webhook-queue-max", "5"]);
    let _first = client(&daemon, "first");
    backend.wait_asked(1);
    let _clients: Vec<WebSocket> = (0..20).map(|n| client(&daemon, &format!("c{n}"))).collect();
    daemon.wait_stats("the drops", |stats| stats["counters"]["webhook_events_dropped"] == 15);
    let metrics = daemon.ask("GET", "/metrics", &[], b"").text();
    assert!(metrics.contains("\nwspush_webhook_events_waiting 5\n"), "{metrics}");
    gate.open();
    let told = wait_events(&backend, 6);
    let expected = (15..20).map(|n| format!("channel_occupied c{n}"));
    assert_eq!(told[1..], expected.collect::<Vec<_>>());
    let dropped: Vec<Value> = backend.asked().iter().map(|asked| asked.json()["dropped"].clone()).collect();
    assert_eq!(dropped, [Value::Null, json!(15)]);
}

#[test]
fn a_backend_that_never_takes_anything_is_given_up() {
    let says = Arc::new(Mutex::new(answer(503, "")));
    let answers = says.clone();
    let backend = Backend::start(move |_| answers.lock().unwrap().clone());
    let daemon = start(&backend, &["--webhook-retry-s", "0"]);
    let _a = client(&daemon, "a");
    let line = daemon.wait_event("webhook_lost");
    assert!(line.contains("events=1"), "{line}");
    *says.lock().unwrap() = taken();
    let _b = client(&daemon, "b");
    wait("the next one", || daemon.counter("webhook_events") == 1);
    let asked = backend.asked();
    assert_eq!(
        (&asked[1].json()["dropped"], events(&asked[1..])),
        (&json!(1), vec!["channel_occupied b".to_owned()])
    );
    assert_eq!(daemon.counter("webhook_events_dropped"), 1);
}

#[test]
fn only_what_is_wanted_is_told() {
    let backend = Backend::start(|_| taken());
    let more = ["--webhook-events", "channel_vacated", "--webhook-channels", "news.*,b"];
    let daemon = start(&backend, &more);
    for channel in ["news.x", "other", "b"] {
        client(&daemon, channel).close(1000);
        daemon.wait_connections(0);
    }
    let told = wait_events(&backend, 2);
    assert_eq!(told, ["channel_vacated news.x", "channel_vacated b"]);
    for (flag, value, said) in [
        ("--webhook-events", "occupied", "channel_occupied"),
        ("--webhook-secret", "s3cret", "32 to 256"),
        ("--webhook-url", "ftp://s3cret/", "https://"),
    ] {
        let (status, text) = Daemon::refused(&[flag, value]);
        assert!(!status.success() && text.contains(said), "{text}");
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[test]
fn the_last_words_are_told_before_the_end() {
    let backend = Backend::start(|_| taken());
    let mut daemon = start(&backend, &["--webhook-batch-ms", "60000"]);
    let _clients = [client(&daemon, "a"), client(&daemon, "b")];
    daemon.signal("TERM");
    daemon.wait_exit();
    let mut told = events(&backend.asked());
    told.sort();
    assert_eq!(told, ["channel_occupied a", "channel_occupied b", "channel_vacated a", "channel_vacated b"]);
}

#[test]
fn settings_do_it_in_a_program_of_ones_own() {
    let backend = Backend::start(|_| taken());
    let config = Config {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        webhook_url: Some(backend.url()),
        webhook_timeout_ms: 60_000,
        ..Config::default()
    };
    let server = Server::bind(config).unwrap();
    let (handle, address) = (server.handle(), server.addresses()[0]);
    let thread = std::thread::spawn(move || server.run());
    let Ok(_client) = WebSocket::ask(address, "/ws", &[]) else { panic!("refused") };
    handle.drain();
    thread.join().unwrap().unwrap();
    assert_eq!(events(&backend.asked()), ["channel_occupied broadcast", "channel_vacated broadcast"]);
}

#[test]
fn another_backend_is_told_after_a_reload() {
    let folder = std::env::temp_dir().join(format!("wspush-webhooks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let file = folder.join("wspushd.toml");
    let (deaf, new) = (Backend::start(|_| answer(500, "")), Backend::start(|_| taken()));
    let write = |backend: &Backend| {
        let text = format!("channels = [\"*\"]\nwebhook_batch_ms = 0\nwebhook_url = {:?}\n", backend.url());
        std::fs::write(&file, text).unwrap();
    };
    write(&deaf);
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let _a = client(&daemon, "a");
    deaf.wait_asked(1);
    write(&new);
    daemon.signal("HUP");
    assert_eq!(wait_events(&new, 1), ["channel_occupied a"], "it was not lost");
    let _b = client(&daemon, "b");
    assert_eq!(wait_events(&new, 2)[1], "channel_occupied b");
    std::fs::remove_dir_all(&folder).unwrap();
}

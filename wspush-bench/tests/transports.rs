//! `wspush-bench --transport`: the same judgement over everything that carries publications.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod load;

use load::streams::{Flaw, serve_streams};
use load::{Fault, bench, serve};
use serde_json::Value;

const CONNECTIONS: u64 = 4;
const MESSAGES: u64 = 6;
const ALL: u64 = CONNECTIONS * MESSAGES;
const OVER_HTTP: [&str; 3] = ["sse", "stream", "poll"];

fn broadcast(transport: &str, url: &str, push: &str) -> (i32, Value, String) {
    let (connections, messages) = (CONNECTIONS.to_string(), MESSAGES.to_string());
    bench(
        "broadcast",
        &["--transport", transport, "--url", url, "--push", push, "-n", &connections, "-m", &messages]
            .into_iter()
            .chain(["--warm-up", "0", "--size", "60", "--interval", "1ms", "--burst", "6"])
            .collect::<Vec<_>>(),
    )
}

fn over_http(transport: &str, flaw: Flaw) -> (i32, Value, String) {
    let (address, push) = serve_streams(flaw);
    broadcast(transport, &format!("http://{address}/{transport}"), &push)
}

#[test]
fn a_faithful_server_passes_by_each_transport() {
    for transport in OVER_HTTP {
        let (status, report, text) = over_http(transport, Flaw::None);
        assert_eq!(report["messages"]["received"], ALL, "{transport}: {text}");
        assert_eq!((status, report["transport"].as_str()), (0, Some(transport)), "{text}");
        assert_eq!(report["connections"]["active"], CONNECTIONS);
    }
    let server = serve(Fault::Envelope);
    let (status, report, text) = broadcast("v1", &server.url, &server.push);
    assert_eq!((status, &report["messages"]["received"]), (0, &ALL.into()), "{text}");
}

#[test]
fn missing_messages_are_lost_by_each_transport() {
    for transport in OVER_HTTP {
        let (status, report, text) = over_http(transport, Flaw::Lose);
        assert_eq!(report["messages"]["lost"], ALL / 3, "{transport}: {text}");
        assert_eq!(status, 1);
    }
}

#[test]
fn the_end_of_a_stream_and_a_poll_that_comes_too_late_are_told() {
    for (transport, kind) in [
        ("sse", "protocol: the end of the stream"),
        ("stream", "protocol: the end of the stream"),
        ("poll", "protocol: a poll was answered 410: publications are gone"),
    ] {
        let (status, report, text) = over_http(transport, Flaw::End);
        assert_eq!(report["connections"]["closed"][kind], CONNECTIONS, "{transport}: {text}");
        assert_eq!(status, 1);
    }
}

#[test]
fn refusals_are_failures_by_kind() {
    for transport in OVER_HTTP {
        let (status, report, text) = over_http(transport, Flaw::Refuse);
        assert_eq!(report["connections"]["failed"]["http 503"], CONNECTIONS, "{transport}: {text}");
        assert_eq!(status, 1);
    }
    let server = serve(Fault::None);
    let (_, report, text) = broadcast("v1", &server.url, &server.push);
    let declined = "the subprotocol wspush.v1 was declined";
    assert_eq!(report["connections"]["failed"][declined], CONNECTIONS, "{text}");
}

#[test]
fn connections_come_and_go_without_a_goodbye() {
    for transport in OVER_HTTP {
        let (address, push) = serve_streams(Flaw::None);
        let url = format!("http://{address}/{transport}");
        let args = ["--transport", transport, "--url", &url, "--push", &push, "-n", "4", "--duration", "1s"];
        let (status, report, text) =
            bench("soak", &[&args[..], &["--churn", "100", "--interval", "20ms"]].concat());
        assert_eq!((status, &report["soak"]["left_unclean"]), (0, &0.into()), "{transport}: {text}");
        assert!(report["soak"]["left"].as_u64().unwrap() > 0, "{transport}: {text}");
    }
}

#[test]
fn what_a_transport_can_not_do_is_refused_at_once() {
    for (mode, args, words) in [
        (
            "connect",
            &["--transport", "sse", "--url", "ws://127.0.0.1:1/ws"][..],
            "--transport sse needs an http://",
        ),
        ("connect", &["--transport", "v1", "--url", "https://127.0.0.1:1/"], "--transport v1 needs an ws://"),
        (
            "connect",
            &["--transport", "stream", "--deflate"],
            "--deflate is WebSocket's, and --transport is stream",
        ),
        ("echo", &["--transport", "v1"], "which only --transport ws can, and not v1"),
        ("broadcast", &["--transport", "poll", "--never-read", "1"], "--never-read needs"),
        ("connect", &["--transport", "carrier"], "[possible values: ws, v1, sse, stream, poll]"),
    ] {
        let (status, _, text) = bench(mode, args);
        assert!(status == 2 && text.contains(words), "{text}");
    }
}

//! `wspush-bench` over TLS and with compression: what it counts, checks and refuses.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod load;

use load::terminator::Terminator;
use load::{Fault, Server, bench, serve};
use serde_json::Value;

const CONNECTIONS: u64 = 6;
const MESSAGES: u64 = 5;
const ALL: u64 = CONNECTIONS * MESSAGES;

fn broadcast(url: &str, push: &str, more: &[&str]) -> (i32, Value, String) {
    let (connections, messages) = (CONNECTIONS.to_string(), MESSAGES.to_string());
    let mut args = vec!["--url", url, "--push", push, "-n", &connections, "-m", &messages];
    args.extend(["--warm-up", "0", "--interval", "1ms"]);
    args.extend(more);
    bench("broadcast", &args)
}

fn secured(gives_tickets: bool) -> (Server, Terminator, String) {
    let server = serve(Fault::None);
    let terminator = Terminator::before(server.address, gives_tickets);
    let certificate = terminator.certificate().to_str().unwrap().to_owned();
    (server, terminator, certificate)
}

#[test]
fn tls_carries_everything_and_tells_what_was_agreed_on() {
    let (server, tls, ca) = secured(true);
    for (version, suite) in [("1.2", "TLSv1_2 "), ("1.3", "TLSv1_3 ")] {
        let (status, report, text) =
            broadcast(&tls.url(), &server.push, &["--ca", &ca, "--tls-version", version, "--size", "20000"]);
        assert_eq!((status, &report["messages"]["received"]), (0, &Value::from(ALL)), "{text}");
        assert_eq!(report["tls"]["full"], CONNECTIONS, "{text}");
        assert_eq!(report["tls"]["resumed"], 0);
        let suites = report["tls"]["suites"].as_object().unwrap();
        assert!(suites.len() == 1 && suites.keys().all(|name| name.starts_with(suite)), "{text}");
        // More than the message and its frame, less than a record of overhead for every segment.
        let wire = report["messages"]["wire_bytes"].as_f64().unwrap();
        assert!((20_004.0 + 2.0 * 21.0..20_400.0).contains(&wire), "{text}");
        assert_eq!(report["target"], tls.url());
    }
}

#[test]
fn certificates_are_checked_unless_told_otherwise() {
    let (server, tls, ca) = secured(true);
    let other = secured(true);
    for (args, opened) in
        [(&["--insecure"][..], CONNECTIONS), (&["--ca", &ca], CONNECTIONS), (&["--ca", &other.2], 0)]
    {
        let (status, report, text) = broadcast(&tls.url(), &server.push, args);
        assert_eq!(report["connections"]["opened"], opened, "{args:?}: {text}");
        assert_eq!(status, i32::from(opened == 0), "{args:?}: {text}");
        assert_eq!(text.contains("invalid peer certificate"), opened == 0, "{text}");
    }
    // Self-made for 127.0.0.1 and localhost, and for no other name.
    let elsewhere = tls.url().replace("127.0.0.1", "127.0.0.2");
    let (status, _, text) = broadcast(&elsewhere, &server.push, &["--ca", &ca]);
    assert_eq!(status, 1, "{text}");
    let empty = tls.empty();
    let (status, _, text) = broadcast(&tls.url(), &server.push, &["--ca", empty.to_str().unwrap()]);
    assert!(status == 2 && text.contains("holds no certificate") && text.contains("--insecure"), "{text}");
}

#[test]
fn every_counted_connection_resumes_where_the_server_gives_tickets() {
    for (version, gives_tickets) in [("1.3", true), ("1.2", true), ("1.3", false)] {
        let (server, tls, _) = secured(gives_tickets);
        // Fewer primers than connections, so that the counted ones live on each other's tickets.
        let more = ["--insecure", "--resume", "--tls-version", version, "--window", "2"];
        let (status, report, text) = broadcast(&tls.url(), &server.push, &more);
        let counts = |name: &str| report["tls"][name].as_u64().unwrap();
        let expected = if gives_tickets { (0, CONNECTIONS) } else { (CONNECTIONS, 0) };
        assert_eq!((counts("full"), counts("resumed")), expected, "{version}: {text}");
        // The primers are forgotten.
        assert_eq!(report["connections"]["begun"], CONNECTIONS, "{text}");
        assert_eq!((status, &report["messages"]["received"]), (0, &Value::from(ALL)), "{text}");
    }
}

#[test]
fn tls_works_in_threads_processes_echo_and_soak() {
    let (server, tls, _) = secured(true);
    let more = ["--insecure", "--resume", "--threads", "2", "--processes", "2"];
    let (status, report, text) = broadcast(&tls.url(), &server.push, &more);
    assert_eq!((status, &report["tls"]["resumed"]), (0, &Value::from(CONNECTIONS)), "{text}");
    let url = tls.url();
    let args = ["--url", &url, "-k", "-n", "3", "--duration", "200ms", "--warm-up", "50ms"];
    let (status, report, text) = bench("echo", &args);
    assert!(status == 0 && report["round_trips"]["count"].as_u64().unwrap() > 0, "{text}");
    let args =
        ["--url", &url, "-k", "--push", &server.push, "-n", "6", "--duration", "600ms", "--churn", "40"];
    let (status, report, text) = bench("soak", &[&args[..], &["--interval", "50ms"]].concat());
    assert!(status == 0 && report["soak"]["left"].as_u64().unwrap() > 0, "{text}");
}

#[test]
fn a_server_without_tls_fails_by_kind() {
    let server = serve(Fault::None);
    let (status, report, text) = broadcast(&server.url.replace("ws:", "wss:"), &server.push, &["-k"]);
    assert_eq!((status, report["connections"]["opened"].as_u64()), (1, Some(0)), "{text}");
}

#[test]
fn compressed_messages_are_inflated_checked_and_counted() {
    for fault in [Fault::Deflate, Fault::DeflateFragment] {
        let server = serve(fault);
        let (status, report, text) =
            broadcast(&server.url, &server.push, &["--deflate", "--payload", "json"]);
        assert_eq!((status, &report["messages"]["received"]), (0, &Value::from(ALL)), "{text}");
        let deflate = &report["deflate"];
        assert_eq!(deflate["negotiated"], CONNECTIONS, "{text}");
        assert_eq!((&deflate["compressed"], &deflate["messages"]), (&Value::from(ALL), &Value::from(ALL)));
        assert_eq!(deflate["inflated_bytes"], ALL * 1_024);
        assert!(deflate["deflated_bytes"].as_u64().unwrap() < ALL * 600, "{text}");
        assert!(report["messages"]["wire_bytes"].as_f64().unwrap() < 700.0, "{text}");
    }
}

#[test]
fn what_is_compressed_wrongly_is_no_message() {
    let server = serve(Fault::DeflateGarbage);
    let (status, report, text) = broadcast(&server.url, &server.push, &["--deflate"]);
    let closed = &report["connections"]["closed"]["protocol: deflated message does not inflate"];
    assert_eq!((status, closed), (1, &Value::from(CONNECTIONS)), "{text}");
    let server = serve(Fault::DeflateTakeover);
    let (status, report, text) = broadcast(&server.url, &server.push, &["--deflate"]);
    let failed = &report["connections"]["failed"]["permessage-deflate without server_no_context_takeover"];
    assert_eq!((status, failed), (1, &Value::from(CONNECTIONS)), "{text}");
}

#[test]
fn who_does_not_negotiate_compression_is_told() {
    let server = serve(Fault::None);
    let (status, report, text) = broadcast(&server.url, &server.push, &["--deflate"]);
    assert_eq!((status, &report["deflate"]["declined"]), (1, &Value::from(CONNECTIONS)), "{text}");
    assert!(text.contains("6 connections did not negotiate permessage-deflate"), "{text}");
    assert_eq!(report["messages"]["received"], ALL);
    // And who compresses without being asked breaks the protocol.
    let server = serve(Fault::Deflate);
    let (status, report, text) = broadcast(&server.url, &server.push, &[]);
    let failed = &report["connections"]["failed"]["an extension that was not offered"];
    assert_eq!((status, failed), (1, &Value::from(CONNECTIONS)), "{text}");
}

#[test]
fn plain_bytes_on_the_wire_are_frames() {
    let server = serve(Fault::None);
    let (_, report, text) = broadcast(&server.url, &server.push, &["--size", "60"]);
    assert_eq!(report["messages"]["wire_bytes"], 62.0, "{text}");
    assert_eq!((&report["tls"], &report["deflate"]), (&Value::Null, &Value::Null));
}

#[test]
fn contradictions_of_the_command_line_are_told() {
    for (args, words) in [
        (&["--resume"][..], "wss://"),
        (&["--url", "wss://127.0.0.1:1/", "--ca", "x", "--insecure"], "cannot be used with"),
        (&["--url", "wss://127.0.0.1:1/", "--tls-version", "1.1"], "possible values: 1.2, 1.3"),
    ] {
        let (status, _, text) = bench("connect", args);
        assert!(status == 2 && text.contains(words), "{args:?}: {text}");
    }
    let (status, _, text) = bench("broadcast", &["--payload", "json", "--size", "95"]);
    assert!(status == 2 && text.contains("at least 96"), "{text}");
}

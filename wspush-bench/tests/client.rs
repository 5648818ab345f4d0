//! `wspush-bench` must tell a faithful server from every kind of unfaithful one. It runs here against a
//! server of a few lines that misbehaves on demand; only counts are asserted, never times.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod load;

use load::{Fault, bench, serve};
use serde_json::Value;

const CONNECTIONS: u64 = 5;
const MESSAGES: u64 = 9;

fn broadcast(fault: Fault, more: &[&str]) -> (i32, Value, String) {
    let server = serve(fault);
    let (connections, messages) = (CONNECTIONS.to_string(), MESSAGES.to_string());
    let mut args = vec!["--url", &server.url, "--push", &server.push, "--connections", &connections];
    // All in one burst, so that a swapped or lost publication holds nobody up; the close needs a round of its
    // own.
    args.extend(["--messages", &messages, "--warm-up", "0", "--size", "60", "--interval", "1ms"]);
    args.extend(if fault == Fault::Close { ["--burst", "3"] } else { ["--burst", "9"] });
    args.extend(more);
    bench("broadcast", &args)
}

/// (received, lost, duplicated, reordered, corrupted) of the report.
fn counts(report: &Value) -> (u64, u64, u64, u64, u64) {
    let count = |name: &str| report["messages"][name].as_u64().unwrap();
    (count("received"), count("lost"), count("duplicated"), count("reordered"), count("corrupted"))
}

const ALL: u64 = CONNECTIONS * MESSAGES;
const THIRD: u64 = ALL / 3;

#[test]
fn a_faithful_server_passes() {
    let (status, report, text) = broadcast(Fault::None, &[]);
    assert_eq!(counts(&report), (ALL, 0, 0, 0, 0), "{text}");
    assert_eq!(report["messages"]["latency_us"]["summary"]["count"], ALL);
    assert_eq!(report["messages"]["fan_out_us"]["count"], MESSAGES);
    assert_eq!(report["connections"]["active"], CONNECTIONS);
    assert_eq!((status, &report["passed"]), (0, &Value::Bool(true)));
    assert!(text.contains("PASSED") && text.contains("p99.9"), "{text}");
}

#[test]
fn fragments_pings_and_pieces_are_a_faithful_delivery() {
    let (status, report, text) = broadcast(Fault::Fragment, &["--pipeline", "9", "--wait", "busy"]);
    assert_eq!(counts(&report), (ALL, 0, 0, 0, 0), "{text}");
    assert_eq!((status, report["wait"].as_str()), (0, Some("busy")));
}

#[test]
fn threads_and_processes_sum_up() {
    let more = ["--threads", "2", "--processes", "2", "--source", "127.0.0.0/24"];
    let (status, report, text) = broadcast(Fault::None, &more);
    assert_eq!(counts(&report), (ALL, 0, 0, 0, 0), "{text}");
    assert_eq!(report["messages"]["latency_us"]["summary"]["count"], ALL);
    assert_eq!((status, report["processes"].as_u64()), (0, Some(2)));
}

#[test]
fn how_busy_the_client_was_is_told_and_noted() {
    let (status, report, text) = broadcast(Fault::None, &["--threads", "2"]);
    let client = &report["client"];
    let shares = ["busiest", "running", "waiting"].map(|name| client[name].as_f64().unwrap());
    assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{client}");
    assert!(shares[0] > 0.0, "it has received something: {client}");
    assert!(text.contains("busiest thread"), "{text}");
    // On a busy machine it may well be, which is no fault.
    assert_eq!(
        (status, text.contains("NOTE: the client is the limit")),
        (0, client["is_limit"] == true),
        "{text}"
    );
}

/// Where a process may run.
fn allowed(pid: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
    line.unwrap().trim().to_owned()
}

#[test]
fn a_server_is_kept_on_some_processors_until_the_end() {
    let mut server = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let (pid, before) = (server.id().to_string(), allowed(server.id()));
    let first = before.split(['-', ',']).next().unwrap();
    let pinned = broadcast(Fault::None, &["--server-pid", &pid, "--server-cpus", first]);
    assert_eq!((pinned.0, allowed(server.id())), (0, before.clone()), "{}", pinned.2);
    let (status, _, text) = broadcast(Fault::None, &["--server-pid", &pid, "--server-cpus", "1023"]);
    assert!(status == 2 && text.contains("may use none of 1023"), "{text}");
    let (status, _, text) = broadcast(Fault::None, &["--server-cpus", first]);
    assert!(status == 2 && text.contains("--server-pid"), "{text}");
    server.kill().unwrap();
    server.wait().unwrap();
}

#[test]
fn duplicates_are_duplicates() {
    let (status, report, text) = broadcast(Fault::Duplicate, &[]);
    // The second copy of the very last publication may come after everybody has everything.
    let (received, lost, duplicated, reordered, corrupted) = counts(&report);
    assert_eq!((received, lost, reordered, corrupted), (ALL, 0, 0, 0), "{text}");
    assert!((THIRD - CONNECTIONS..=THIRD).contains(&duplicated), "{text}");
    assert_eq!(status, 1);
}

#[test]
fn late_messages_are_out_of_order_and_not_lost() {
    let (status, report, text) = broadcast(Fault::Reorder, &[]);
    assert_eq!(counts(&report), (ALL, 0, 0, THIRD, 0), "{text}");
    assert_eq!(status, 1);
}

#[test]
fn changed_messages_are_corrupted_and_not_lost() {
    let (status, report, text) = broadcast(Fault::Corrupt, &[]);
    assert_eq!(counts(&report), (ALL - THIRD, 0, 0, 0, THIRD), "{text}");
    assert_eq!(status, 1);
}

#[test]
fn missing_messages_are_lost() {
    let (status, report, text) = broadcast(Fault::Lose, &[]);
    assert_eq!(counts(&report), (ALL - THIRD, THIRD, 0, 0, 0), "{text}");
    assert_eq!(status, 1);
    assert!(text.contains("FAILED"), "{text}");
}

#[test]
fn a_close_by_the_server_is_told_with_its_code() {
    let (status, report, text) = broadcast(Fault::Close, &[]);
    assert_eq!(report["connections"]["closed"]["close 1013"], CONNECTIONS, "{text}");
    assert_eq!(report["connections"]["active"], 0);
    assert_eq!(status, 1);
}

#[test]
fn refused_handshakes_are_failures_by_kind() {
    let (status, report, text) = broadcast(Fault::Refuse, &[]);
    assert_eq!(report["connections"]["failed"]["http 503"], CONNECTIONS, "{text}");
    assert_eq!((status, report["connections"]["opened"].as_u64()), (1, Some(0)));
    let (status, report, text) = broadcast(Fault::BadAccept, &[]);
    assert_eq!(report["connections"]["failed"]["wrong Sec-WebSocket-Accept"], CONNECTIONS, "{text}");
    assert_eq!(status, 1);
}

#[test]
fn refused_pushes_are_told() {
    let (status, _, text) = broadcast(Fault::RefusePush, &[]);
    assert_eq!(status, 1);
    assert!(text.contains("refused: http 413"), "{text}");
}

#[test]
fn a_greeting_is_not_ours_and_harms_nothing() {
    let (status, report, text) = broadcast(Fault::Greet, &[]);
    assert_eq!(counts(&report), (ALL, 0, 0, 0, 0), "{text}");
    assert_eq!((status, report["messages"]["foreign"].as_u64()), (0, Some(CONNECTIONS)));
}

#[test]
fn the_unread_are_reported_apart() {
    let (status, report, text) = broadcast(Fault::None, &["--never-read", "20"]);
    assert_eq!(counts(&report), (ALL - MESSAGES, 0, 0, 0, 0), "{text}");
    let unread = &report["messages"]["never_read"];
    assert_eq!((unread["connections"].as_u64(), unread["disconnected"].as_u64()), (Some(1), Some(0)));
    assert_eq!(unread["waiting_bytes"], MESSAGES * 62);
    assert_eq!(status, 0);
}

#[test]
fn echoes_are_counted_and_none_is_lost() {
    let server = serve(Fault::None);
    let args = ["--url", &server.url, "-n", "4", "-d", "3", "--duration", "200ms", "--warm-up", "50ms"];
    let (status, report, text) = bench("echo", &args);
    let trips = &report["round_trips"];
    assert!(trips["count"].as_u64().unwrap() > 0, "{text}");
    assert_eq!((trips["lost"].as_u64(), trips["corrupted"].as_u64()), (Some(0), Some(0)));
    assert_eq!(trips["latency_us"]["summary"]["count"], trips["count"]);
    assert_eq!(status, 0, "{text}");
}

#[test]
fn connections_come_and_go_in_a_soak() {
    let server = serve(Fault::None);
    let mut args =
        vec!["--url", &server.url, "--push", &server.push, "-n", "10", "--duration", "1s", "--churn", "40"];
    let pid = std::process::id().to_string();
    args.extend(["--interval", "50ms", "--size", "40", "--server-pid", &pid]);
    let (status, report, text) = bench("soak", &args);
    assert!(report["soak"]["left"].as_u64().unwrap() > 0, "{text}");
    assert_eq!(report["soak"]["left_unclean"], 0, "{text}");
    assert_eq!(report["connections"]["active"], 10, "{text}");
    assert!(report["soak"]["rss"].as_array().unwrap().len() > 3, "{text}");
    assert_eq!(status, 0, "{text}");
}

#[test]
fn what_is_wrong_with_the_command_line_is_said() {
    for (args, words) in [
        (&["--url", "wsss://127.0.0.1/"][..], "expected ws://... or wss://HOST"),
        (&["--source", "127.0.0.1/99"], "127.0.1.0/24"),
        (&["--connections", "0"], "connections"),
        (&["--wait", "never"], "possible values: sleep, busy"),
        (&["--connections", "4000000000", "--processes", "1"], "RLIMIT_NOFILE"),
        (&["--server-pid", "4294967295"], "can't be measured"),
    ] {
        let (status, _, text) = bench("connect", args);
        assert_eq!(status, 2, "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    let (status, _, text) = bench("broadcast", &["--push", "http://127.0.0.1:1/push"]);
    assert_eq!(status, 2);
    assert!(text.contains("push to 127.0.0.1:1"), "{text}");
}

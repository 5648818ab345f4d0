//! `wspush-bench` must tell a faithful server from every kind of unfaithful one. It runs here against a
//! server of a few lines that misbehaves on demand; only counts are asserted, never times.
#![cfg(feature = "bench")]
// What can't be unwrapped here is a failed test.
#![allow(clippy::unwrap_used)]

use base64::Engine;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does wrong.
#[derive(Clone, Copy, PartialEq)]
enum Fault {
    None,
    /// Each third publication is sent twice.
    Duplicate,
    /// Each third publication changes places with the one before it.
    Reorder,
    /// One character of each third publication is another one.
    Corrupt,
    /// Each third publication is sent to nobody.
    Lose,
    /// After the third publication everybody gets a close frame.
    Close,
    /// The accept value is wrong.
    BadAccept,
    /// Every handshake is answered with 503.
    Refuse,
    /// Publications are refused with 413.
    RefusePush,
    /// Messages come in three fragments, with pings between them, and byte by byte at their beginning.
    Fragment,
    /// A message that the bench did not publish comes first.
    Greet,
}

const CONNECTIONS: u64 = 5;
const MESSAGES: u64 = 9;

struct Server {
    url: String,
    push: String,
}

fn serve(fault: Fault) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let admin = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = |listener: &TcpListener| -> SocketAddr { listener.local_addr().unwrap() };
    let server = Server {
        url: format!("ws://{}/ws", address(&listener)),
        push: format!("http://{}/push", address(&admin)),
    };
    let members = Arc::new(Mutex::new(Vec::<TcpStream>::new()));
    let joined = Arc::clone(&members);
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let joined = Arc::clone(&joined);
            thread::spawn(move || greet(stream, fault, &joined));
        }
    });
    thread::spawn(move || {
        for stream in admin.incoming().map_while(Result::ok) {
            publish(stream, fault, &members);
        }
    });
    server
}

/// Reads a request's head: the first line's path, and the value of one header.
fn read_head(reader: &mut impl BufRead, header: &str) -> Option<(String, String)> {
    let mut first = String::new();
    reader.read_line(&mut first).ok().filter(|size| *size > 0)?;
    let path = first.split(' ').nth(1)?.to_owned();
    let mut found = String::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        match line.trim_end().split_once(": ") {
            Some((name, value)) if name.eq_ignore_ascii_case(header) => value.clone_into(&mut found),
            Some(_) => {}
            None => return Some((path, found)),
        }
    }
}

fn greet(stream: TcpStream, fault: Fault, joined: &Mutex<Vec<TcpStream>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let Some((_, key)) = read_head(&mut reader, "Sec-WebSocket-Key") else { return };
    if fault == Fault::Refuse {
        writer.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").unwrap();
        return;
    }
    let mut sha1 = sha1_smol::Sha1::new();
    sha1.update(key.as_bytes());
    sha1.update(b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    let mut accept = base64::engine::general_purpose::STANDARD.encode(sha1.digest().bytes());
    if fault == Fault::BadAccept {
        accept = "AAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
    }
    let head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let mut members = joined.lock().unwrap();
    writer.write_all(head.as_bytes()).unwrap();
    if fault == Fault::Greet {
        writer.write_all(&frame(0x81, b"welcome")).unwrap();
    }
    members.push(writer.try_clone().unwrap());
    drop(members);
    answer_frames(&mut reader, &mut writer);
}

/// Echoes data and answers a close; the bench's frames are short.
fn answer_frames(reader: &mut impl Read, writer: &mut TcpStream) {
    let mut head = [0; 6];
    while reader.read_exact(&mut head).is_ok() {
        assert_eq!(head[1] & 0x80, 0x80, "clients mask");
        let mut payload = vec![0; usize::from(head[1] & 0x7f)];
        if reader.read_exact(&mut payload).is_err() {
            return;
        }
        payload.iter_mut().enumerate().for_each(|(at, byte)| *byte ^= head[2 + at % 4]);
        let is_pong = head[0] & 15 == 10;
        if !is_pong && writer.write_all(&frame(head[0], &payload)).is_err() {
            return;
        }
        if head[0] & 15 == 8 {
            return;
        }
    }
}

fn publish(stream: TcpStream, fault: Fault, members: &Mutex<Vec<TcpStream>>) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    let mut held: Option<Vec<u8>> = None;
    let mut number = 0;
    while let Some((path, length)) = read_head(&mut reader, "Content-Length") {
        assert_eq!(path, "/push");
        let mut body = vec![0; length.parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        number += 1;
        let is_third = number % 3 == 0;
        let status = if fault == Fault::RefusePush { "413 Content Too Large" } else { "200 OK" };
        let wire = match fault {
            Fault::RefusePush => Vec::new(),
            Fault::Lose if is_third => Vec::new(),
            Fault::Duplicate if is_third => [frame(0x81, &body), frame(0x81, &body)].concat(),
            Fault::Corrupt if is_third => {
                *body.last_mut().unwrap() ^= 1;
                frame(0x81, &body)
            }
            Fault::Reorder if number % 3 == 2 => {
                held = Some(frame(0x81, &body));
                Vec::new()
            }
            Fault::Reorder if is_third => [frame(0x81, &body), held.take().unwrap_or_default()].concat(),
            Fault::Close if is_third => [frame(0x81, &body), frame(0x88, &1013u16.to_be_bytes())].concat(),
            Fault::Fragment => {
                let (first, rest) = body.split_at(10);
                [frame(0x01, first), frame(0x89, b"?"), frame(0x00, &rest[..7]), frame(0x80, &rest[7..])]
                    .concat()
            }
            _ => frame(0x81, &body),
        };
        for member in members.lock().unwrap().iter_mut() {
            let cut = if fault == Fault::Fragment { 3 } else { 0 };
            for byte in &wire[..cut.min(wire.len())] {
                let _ = member.write_all(&[*byte]);
            }
            let _ = member.write_all(&wire[cut.min(wire.len())..]);
        }
        write!(writer, "HTTP/1.1 {status}\r\nContent-Length: 2\r\n\r\nok").unwrap();
    }
}

fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() < 126);
    [&[first, payload.len() as u8], payload].concat()
}

/// Runs the bench and returns its exit status, its report, and what it printed.
fn bench(mode: &str, args: &[&str]) -> (i32, Value, String) {
    let folder = std::env::temp_dir().join(format!(
        "wspush-bench-{}-{:?}",
        std::process::id(),
        thread::current().id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let (json, html) = (folder.join("report.json"), folder.join("report.html"));
    let output = Command::new(env!("CARGO_BIN_EXE_wspush-bench"))
        .arg(mode)
        .args(args)
        .args(["--timeout", "2s", "--json"])
        .arg(&json)
        .arg("--html")
        .arg(&html)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read(&json).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    if !report.is_null() {
        let page = std::fs::read_to_string(&html).unwrap();
        assert!(page.starts_with("<!doctype html>") && page.contains("<style>") && !page.contains("NaN"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    (output.status.code().unwrap(), report, text)
}

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
        (&["--wait", "never"], "expected sleep or busy"),
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

//! Our own bounds, reached: a full inbox, a full log, a log of events that nobody takes, a clock that jumps.

use std::fs::OpenOptions;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::daemon::process::signal;
use crate::daemon::{Daemon, Http, Sockets, WebSocket};
use crate::wire::{PONG, TEXT};

#[test]
fn a_full_log_and_a_full_inbox_lose_nothing_that_was_taken() {
    // The log keeps two, the flush visits one subscriber at a time, and the inbox takes four commands: pushing is
    // faster than that, and is told so.
    let flags = ["--log-publications", "2", "--flush-slice", "1", "--inbox-commands-max", "4"];
    let daemon = Daemon::start(&flags);
    let mut subscribers: Vec<WebSocket> = (0..40).map(|_| WebSocket::open(&daemon)).collect();
    let mut admin = daemon.admin_http();
    let mut taken = Vec::new();
    let mut refused = 0;
    for round in 0..20 {
        let texts: Vec<String> = (0..50).map(|n| format!("{round}.{n}")).collect();
        let all: Vec<u8> =
            texts.iter().flat_map(|text| admin.request("POST", "/push", &[], text.as_bytes())).collect();
        admin.send(&all);
        for text in texts {
            let response = admin.response();
            match response.status {
                200 => taken.push(text),
                503 => {
                    assert_eq!(response.header("retry-after"), Some("1"));
                    refused += 1;
                }
                other => panic!("{other}: {}", response.text()),
            }
        }
    }
    assert!(refused > 0 && !taken.is_empty(), "{refused} refused, {} taken", taken.len());
    for subscriber in &mut subscribers {
        for text in &taken {
            assert_eq!(subscriber.text(), *text);
        }
        assert_eq!(subscriber.sync(), []);
    }
    assert_eq!(daemon.counter("inbox_full"), refused);
    assert_eq!(daemon.counter("publications"), taken.len() as u64);
    // It has room again by itself.
    daemon.push("after");
    assert!(subscribers.iter_mut().all(|subscriber| subscriber.text() == "after"));
}

/// A daemon whose standard error the test decides on.
struct Mute(Child);

impl Mute {
    fn start(sockets: &Sockets, redirections: &str, stderr: Stdio) -> Mute {
        let mut command: Command = sockets.command(redirections);
        Mute(command.args(["--log-level", "debug"]).stderr(stderr).spawn().expect("the daemon starts"))
    }
}

impl Drop for Mute {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn lost(sockets: &Sockets) -> u64 {
    let stats = Http::tcp(sockets.admin_address()).ask("GET", "/stats", &[], b"").json();
    stats["counters"]["log_lines_lost"].as_u64().expect("a counter")
}

/// Open and closed, each a line of the log; the bursts are bounded, so it takes a moment for many.
fn make_noise(sockets: &Sockets, rounds: usize) {
    for n in 0..rounds {
        let client = WebSocket::ask(sockets.public_address(), "/ws", &[]).expect("open");
        client.close(1000);
        let refused = Http::tcp(sockets.public_address()).ask("GET", &format!("/nothing{n}"), &[], b"");
        assert_eq!(refused.status, 404);
    }
}

#[test]
fn a_full_disk_under_the_log_stops_nothing() {
    let sockets = Sockets::bind();
    let _daemon = Mute::start(&sockets, "2>/dev/full", Stdio::null());
    make_noise(&sockets, 20);
    assert!(lost(&sockets) > 10);
}

#[test]
fn a_closed_standard_error_stops_nothing() {
    let sockets = Sockets::bind();
    let _daemon = Mute::start(&sockets, "2>&-", Stdio::null());
    make_noise(&sockets, 20);
    // And a pipe whose reader has gone.
    let sockets = Sockets::bind();
    let mut daemon = Mute::start(&sockets, "", Stdio::piped());
    drop(daemon.0.stderr.take());
    make_noise(&sockets, 20);
    assert!(lost(&sockets) > 10);
    signal(daemon.0.id(), "TERM");
    assert!(daemon.0.wait().expect("its end").success());
}

#[test]
fn a_pipe_that_nobody_reads_stops_nothing() {
    let sockets = Sockets::bind();
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    // Full up to the last byte before the daemon is there.
    let filled = fill(&writer);
    let daemon = Mute::start(&sockets, "", Stdio::from(writer));
    make_noise(&sockets, 20);
    let lost_then = lost(&sockets);
    assert!(lost_then > 10);
    // Somebody reads again: so the log goes on, and says what is missing.
    let mut old = vec![0; filled];
    reader.read_exact(&mut old).expect("what it was filled with");
    let (public, stop) = (sockets.public_address(), Arc::new(AtomicBool::new(false)));
    let stopped = stop.clone();
    let noise = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            assert_eq!(Http::tcp(public).ask("GET", "/nothing", &[], b"").status, 404);
        }
    });
    let mut first = String::new();
    BufReader::new(reader).read_line(&mut first).expect("a line");
    stop.store(true, Ordering::Relaxed);
    noise.join().expect("noise");
    drop(daemon);
    assert!(first.starts_with("ts=") && first.contains(" lost="), "{first}");
}

/// Writes until a pipe takes no more; how much that was. The pipe is opened once more for it: not to wait is a
/// property of what was opened, and the daemon must not inherit it.
fn fill(writer: &PipeWriter) -> usize {
    const O_NONBLOCK: i32 = 0o4000;
    let again = format!("/proc/self/fd/{}", writer.as_raw_fd());
    let mut pipe = OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(again).expect("the pipe");
    let mut filled = 0;
    for piece in [4096, 1] {
        while let Ok(n) = pipe.write(&vec![b'.'; piece]) {
            filled += n;
        }
    }
    filled
}

#[test]
fn stopped_for_a_while_and_none_the_worse() {
    // As a laptop that slept, or a machine that was moved: for the server the time jumps.
    let flags = ["--heartbeat-ms", "300", "--pong-wait-ms", "20000", "--handshake-ms", "20000"];
    let daemon = Daemon::start(&flags);
    let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(&daemon)).collect();
    signal(daemon.pid(), "STOP");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    signal(daemon.pid(), "CONT");
    daemon.push("back");
    for client in &mut clients {
        loop {
            let frame = client.frame();
            if frame.opcode == TEXT {
                break assert_eq!(frame.payload, b"back");
            }
            client.send(PONG, &frame.payload);
        }
    }
    assert_eq!(daemon.stats()["connections"], 20);
}

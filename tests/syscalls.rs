//! The system calls of a broadcast, as strace counts them: one send for each connection, and nothing else
//! that grows with their number.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use crate::daemon::events::EventStream;
use crate::daemon::{Daemon, Http, WebSocket, process};
use crate::poll::answer;

/// An strace at a daemon.
struct Strace {
    child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Strace {
    /// Attaches. None: there is no strace here, or it may not trace.
    fn attach(daemon: &Daemon, options: &[&str]) -> Option<Strace> {
        let pid = daemon.pid().to_string();
        let mut strace = Command::new("strace");
        let started = strace.args(["-f", "-p", &pid]).args(options).stderr(Stdio::piped()).spawn();
        let Ok(mut child) = started else {
            eprintln!("skipped: there is no strace here (apt-get install strace)");
            return None;
        };
        let mut said = BufReader::new(child.stderr.take().expect("a pipe"));
        let mut line = String::new();
        said.read_line(&mut line).expect("text");
        let mut strace = Strace { child, said };
        if line.contains(" attached") {
            return Some(strace);
        }
        strace.child.wait().expect("a child");
        eprintln!("skipped: strace may not trace here: {}", line.trim());
        None
    }

    /// Detaches; everything it has said.
    fn text(mut self) -> String {
        process::signal(self.child.id(), "INT");
        let mut text = String::new();
        self.said.read_to_string(&mut text).expect("text");
        self.child.wait().expect("a child");
        text
    }

    /// Detaches from what it has counted (`-c`); calls by name.
    fn counts(self) -> HashMap<String, u64> {
        let text = self.text();
        let row = |line: &str| {
            let words: Vec<&str> = line.split_whitespace().collect();
            // % time, seconds, usecs/call, calls, perhaps errors, syscall
            let calls = words.get(3)?.parse().ok()?;
            words.first()?.parse::<f64>().ok()?;
            let name = words.last()?;
            (*name != "total").then(|| ((*name).to_owned(), calls))
        };
        text.lines().filter_map(row).collect()
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Calls of one push, or a burst of them in one segment, to so many connections: sends, and all others by name.
fn cost(connections: usize, pushes: usize) -> Option<(u64, HashMap<String, u64>)> {
    let daemon = Daemon::start(&["--heartbeat-ms", "0"]);
    let mut clients: Vec<_> = (0..connections).map(|_| WebSocket::open(&daemon)).collect();
    let mut http = daemon.admin_http();
    assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
    let strace = Strace::attach(&daemon, &["-c"])?;
    let burst = http.request("POST", "/push", &[], b"counted").repeat(pushes);
    http.send(&burst);
    for _ in 0..pushes {
        assert_eq!(http.response().json()["recipients"], connections);
    }
    for client in &mut clients {
        for _ in 0..pushes {
            assert_eq!(client.text(), "counted");
        }
    }
    let mut counts = strace.counts();
    let sends = ["sendto", "sendmsg", "send", "write", "writev"].map(|name| counts.remove(name).unwrap_or(0));
    Some((sends.iter().sum(), counts))
}

#[test]
fn a_broadcast_is_one_send_for_each_connection_and_nothing_else() {
    process::raise_own_limit();
    let Some((few_sends, few)) = cost(50, 1) else { return };
    let Some((many_sends, many)) = cost(400, 1) else { return };
    eprintln!("one push to 50: {few_sends} sends and {few:?}; to 400: {many_sends} sends and {many:?}");
    // One more is the answer to the push.
    assert_eq!((few_sends, many_sends), (51, 401));
    for (name, calls) in &many {
        let before = few.get(name).copied().unwrap_or(0);
        assert!(*calls <= before + 8, "{name}: {before} for 50 connections, {calls} for 400");
    }
    assert!(many.values().sum::<u64>() < 30, "{many:?}");
}

#[test]
fn a_burst_costs_the_same_calls() {
    process::raise_own_limit();
    const PUSHES: usize = 100;
    let Some((sends, others)) = cost(200, PUSHES) else { return };
    eprintln!("a burst of {PUSHES} to 200: {sends} sends and {others:?}");
    // The burst may come in a few pieces, and each is answered; but never a send for each publication.
    assert!(sends < 10 * 200, "{sends}");
    assert!(others.values().sum::<u64>() < 100, "{others:?}");
}

#[test]
fn between_two_looks_at_the_poll_lies_one_slice() {
    process::raise_own_limit();
    const CLIENTS: usize = 400;
    const SLICE: usize = 16;
    let daemon = Daemon::start(&["--heartbeat-ms", "0", "--flush-slice", &SLICE.to_string()]);
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| WebSocket::open(&daemon)).collect();
    let Some(strace) = Strace::attach(&daemon, &["-e", "trace=sendto,epoll_wait,accept4"]) else { return };
    assert_eq!(daemon.admin_http().ask("POST", "/push", &[], b"counted").status, 200);
    // A client that comes meanwhile is accepted by the turn that follows the next look.
    clients.push(WebSocket::open(&daemon));
    for client in &mut clients[..CLIENTS] {
        assert_eq!(client.text(), "counted");
    }
    let text = strace.text();
    let between: Vec<usize> = text.split("epoll_wait(").map(|turn| turn.matches("sendto(").count()).collect();
    eprintln!("{} looks at the poll, sends between them: {between:?}", between.len());
    // The answers to the push and to the newcomer may fall into a turn as well.
    assert!(between.iter().all(|&sends| sends <= SLICE + 2), "{between:?}");
    assert!(between.len() > CLIENTS / SLICE, "{between:?}");
    assert_eq!(between.iter().sum::<usize>(), CLIENTS + 2);
}

/// An answered poll and the request that follows it: a send and a read.
#[test]
fn a_poll_is_one_send_and_one_read() {
    process::raise_own_limit();
    const CLIENTS: usize = 200;
    let daemon = Daemon::start(&["--heartbeat-ms", "0"]);
    let epoch = daemon.push("0")["epoch"].to_string();
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Http::tcp(daemon.public)).collect();
    let ask = |clients: &mut [Http], offset| {
        for http in clients {
            let request = http.request("GET", &format!("/poll?timeout=120&since={epoch}.{offset}"), &[], b"");
            http.send(&request);
        }
        daemon.wait_connections(CLIENTS as u64);
    };
    ask(&mut clients, 1);
    let mut pusher = daemon.admin_http();
    assert_eq!(pusher.ask("GET", "/healthz", &[], b"").status, 200);
    let Some(strace) = Strace::attach(&daemon, &["-c"]) else { return };
    assert_eq!(pusher.ask("POST", "/push", &[], b"1").json()["recipients"], CLIENTS);
    for http in &mut clients {
        let (response, lines) = answer(http);
        assert_eq!((response.status, lines.len()), (200, 1));
        let request = http.request("GET", &format!("/poll?timeout=120&since={epoch}.2"), &[], b"");
        http.send(&request);
    }
    while pusher.ask("GET", "/stats", &[], b"").json()["connections"] != CLIENTS {}
    let asked = daemon.counter("admin_requests") as usize;
    let counts = strace.counts();
    eprintln!("{CLIENTS} polls, {asked} requests to the admin listener: {counts:?}");
    // The same for each request of the operator's, and what its connections begin and end with.
    let most = (CLIENTS + 2 * asked + 10) as u64;
    assert!(counts["sendto"] <= most && counts["recvfrom"] <= most, "{counts:?}");
}

/// Nothing is heard from the client of a stream: that it is gone shows in what it does not acknowledge.
#[test]
fn streams_have_a_time_for_what_is_not_acknowledged() {
    let daemon = Daemon::start(&["--heartbeat-ms", "20000", "--pong-wait-ms", "5000"]);
    let Some(strace) = Strace::attach(&daemon, &["-e", "trace=setsockopt"]) else { return };
    let socket = WebSocket::open(&daemon);
    let streams = ["/sse", "/stream"].map(|path| EventStream::open(&daemon, path));
    let text = strace.text();
    assert_eq!(text.matches("TCP_USER_TIMEOUT, [25000]").count(), 2, "{text}");
    drop((socket, streams));
}

//! A bound of memory, the process's and the kernel's together: who is let in, who is not, and what is told.

use std::net::TcpStream;
use std::process::Command;

use crate::daemon::{self, Daemon, WebSocket, field, process, wait};

/// The resident set of a daemon that nobody has come to.
fn empty_rss() -> u64 {
    process::rss_bytes(Daemon::start(&["--memory-max", "off"]).pid())
}

/// A bound that leaves room for some hundred connections beside the process and the pools.
fn bound() -> u64 {
    (empty_rss() + (3 << 20)) / 25 * 32
}

/// Opens clients until one is refused; those that are in, and the refusal.
fn fill(daemon: &Daemon) -> (Vec<WebSocket>, crate::daemon::Response) {
    let mut clients = Vec::new();
    loop {
        match WebSocket::ask(daemon.public, "/ws", &[]) {
            Ok(client) => clients.push(client),
            Err(refusal) => return (clients, refusal),
        }
        assert!(clients.len() < 3_000, "nobody is refused");
    }
}

#[test]
fn connections_are_let_in_while_they_fit_and_then_refused_with_the_reason() {
    process::raise_own_limit();
    let max = bound();
    let daemon = Daemon::start(&["--memory-max", &max.to_string()]);
    assert_eq!(field(&daemon.wait_event("memory"), "memory_max"), Some(&*max.to_string()));
    let (mut clients, refusal) = fill(&daemon);
    assert_eq!(refusal.status, 503);
    let text = String::from_utf8_lossy(&refusal.body).into_owned();
    assert!(text.contains("there is memory for ") && text.contains("(memory_max)"), "{text}");
    assert!(clients.len() >= 100, "{}: {}", clients.len(), daemon.stats());
    daemon.wait_event("memory_full");

    let stats = daemon.stats();
    let memory = &stats["memory"];
    let (rss, kernel) = (memory["rss_bytes"].as_u64(), memory["kernel_bytes"].as_u64());
    assert_eq!(memory["bytes_max"], max);
    assert!(rss.zip(kernel).is_some_and(|(rss, kernel)| rss + kernel <= max), "{memory}");
    assert!(kernel > Some(clients.len() as u64 * 2_000), "{memory}");
    assert!(stats["counters"]["handshakes_refused"]["memory"].as_u64() >= Some(1));
    assert!(stats["limits"]["connections_by_memory"].as_u64() >= Some(clients.len() as u64), "{stats}");
    assert_eq!(daemon.ask("GET", "/readyz", &[], b"").status, 503);

    // Those who are in are served.
    daemon.push("served");
    for client in &mut clients {
        assert_eq!(client.text(), "served");
    }
    // Where most have left others may come, also if others on this machine have filled their sockets meanwhile: the
    // kernel tells of all of them together.
    let left = clients.len() / 4;
    clients.truncate(left);
    daemon.wait_connections(left as u64);
    wait("room", || WebSocket::ask(daemon.public, "/ws", &[]).is_ok());
}

/// A client of an app is told in a close frame, and counted as the others are.
#[cfg(feature = "pusher")]
#[test]
fn a_client_of_an_app_is_refused_for_the_same_reason() {
    process::raise_own_limit();
    let max = bound().to_string();
    let daemon = Daemon::start(&["--memory-max", &max, "--pusher-app", "3 key=k secret=at-least-sixteen"]);
    let (_clients, _) = fill(&daemon);
    let refused = |reason: &str| daemon.stats()["counters"]["handshakes_refused"][reason].as_u64();
    let before = refused("memory");
    assert_eq!(WebSocket::open_at(&daemon, "/app/k?protocol=7").closed().0, 4100);
    assert!(refused("memory") > before && refused("full") == Some(0));
}

#[test]
fn what_a_connection_takes_is_measured_and_told() {
    process::raise_own_limit();
    let daemon = Daemon::start(&["--memory-max", "1 GiB"]);
    let clients: Vec<_> = (0..300).map(|_| WebSocket::open(&daemon)).collect();
    let metrics = String::from_utf8(daemon.ask("GET", "/metrics", &[], b"").body).expect("text");
    let value = |name: &str| {
        let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("wspush_{name} ")));
        line.and_then(|number| number.parse::<u64>().ok()).unwrap_or_else(|| panic!("{name} is not there"))
    };
    assert_eq!(value("memory_bytes_max"), 1 << 30);
    let each = value("kernel_bytes_per_connection");
    assert!((1_500..40_000).contains(&each), "{each}");
    assert!(value("kernel_bytes") >= 300 * 1_500);
    assert!(value("user_bytes_per_connection") >= 40);
    assert!(value("connections_by_memory") > 300);
    assert!(value("rss_bytes") > 0 && value("tcp_bytes_pressure") > 0);
    drop(clients);
}

#[test]
fn a_start_says_what_is_too_large() {
    let flags = ["--memory-max", "8 MiB", "--max-connections", "20000"];
    let (status, said) = Daemon::refused(&flags);
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("max_connections = 20000: ") && said.contains("(max_connections 82"), "{said}");
    assert!(said.contains("memory_max leaves 8388608"), "{said}");
    for text in ["8", "8 MB", "0%", "all"] {
        let (_, said) = Daemon::refused(&["--memory-max", text]);
        assert!(said.contains("also as 64 MiB") && said.contains("auto"), "{said}");
    }
}

/// The address space that a process may have bounds what it reserves: with little of it, it starts all the same.
#[test]
fn limits_that_nobody_has_set_fit_the_address_space() {
    // The program itself, its libraries and stacks are in it.
    const KIB: u32 = 200 << 10;
    let limited = || {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -v {KIB} && exec \"$@\""), "sh"]).arg(daemon::program());
        command
    };
    let daemon = Daemon::start_by(limited(), &[]);
    let line = daemon.wait_event("memory");
    assert_eq!(field(&line, "limited_by"), Some("address_space"), "{line}");
    assert!(field(&line, "lowered").is_some_and(|names| names.contains("max_connections")), "{line}");
    let mut client = WebSocket::open(&daemon);
    daemon.push("within it");
    assert_eq!(client.text(), "within it");
    let mut command = limited();
    command.args(["--listen", "127.0.0.1:0", "--admin", "off", "--max-connections", "9000000"]);
    let (status, said) = Daemon::ends(&mut command);
    assert!(!status.success());
    assert!(said.contains("max_connections = 9000000: ") && said.contains("address space"), "{said}");
}

#[test]
fn a_reload_keeps_what_was_lowered() {
    let daemon = Daemon::start(&["--memory-max", "64 MiB"]);
    let lowered = daemon.stats()["limits"]["logs_bytes_max"].clone();
    daemon.signal("HUP");
    let line = daemon.wait_event("reloaded");
    assert!(field(&line, "need_restart").is_none_or(str::is_empty), "{line}");
    assert_eq!(daemon.stats()["limits"]["logs_bytes_max"], lowered);
    assert_eq!(lowered, 8 << 20);
    assert!(TcpStream::connect(daemon.public).is_ok());
}

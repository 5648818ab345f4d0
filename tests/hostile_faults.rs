//! A kernel that has run out of something: descriptors, buffers, memory. The server keeps those it has, says what is
//! wrong, and goes on by itself when it is over.

use crate::daemon::fault::Fault;
use crate::daemon::process::{cpu_ticks, raise_own_limit};
use crate::daemon::{Daemon, Http, WebSocket, field};

fn paused(daemon: &Daemon, reason: &str) -> u64 {
    daemon.stats()["counters"]["accept_paused"][reason].as_u64().expect("a counter")
}

/// An accept that fails, its reason in the metrics, and what the log advises.
fn accepting_fails(error: &str, reason: &str, fix: &str) {
    let daemon = Daemon::start(&[]);
    let mut open = WebSocket::open(&daemon);
    let mut admin = daemon.admin_http();
    assert_eq!(admin.ask("GET", "/healthz", &[], b"").status, 200);
    let fault = Fault::inject(&daemon, "accept4", error, "1+");
    // The kernel takes the connection, the server can't yet.
    let mut waiting = Http::tcp(daemon.public);
    let request = waiting.request("GET", "/healthz", &[], b"");
    waiting.send(&request);
    let line = daemon.wait_event("accept_paused");
    assert!(line.contains(fix), "{line}");
    // Those that are there are served, and the admin can look.
    assert_eq!(admin.ask("POST", "/push", &[], b"meanwhile").status, 200);
    assert_eq!(open.text(), "meanwhile");
    let metrics = admin.ask("GET", "/metrics", &[], b"").text();
    let name = format!("wspush_accept_paused_total{{reason=\"{reason}\"}}");
    let sample = metrics.lines().find_map(|line| line.strip_prefix(&name)).expect("the sample");
    assert_ne!(sample.trim(), "0");
    // Trying again is not spinning.
    let before = cpu_ticks(daemon.pid());
    std::thread::sleep(std::time::Duration::from_millis(600));
    assert!(cpu_ticks(daemon.pid()) - before < 30, "the processor is kept busy");
    fault.lift();
    assert_eq!(waiting.response().status, 200);
    daemon.wait_event("accept_resumed");
    WebSocket::open(&daemon).close(1000);
    assert_eq!(open.sync(), []);
}

#[test]
fn emfile_from_accept() {
    accepting_fails("EMFILE", "process_descriptors", "ulimit");
}

#[test]
fn enfile_from_accept() {
    accepting_fails("ENFILE", "system_descriptors", "fs.file-max");
}

#[test]
fn enobufs_from_accept() {
    accepting_fails("ENOBUFS", "kernel_memory", "tcp_mem");
}

#[test]
fn enomem_from_accept() {
    accepting_fails("ENOMEM", "kernel_memory", "tcp_mem");
}

#[test]
fn connections_that_break_in_the_queue_are_only_counted() {
    let daemon = Daemon::start(&[]);
    let mut admin = daemon.admin_http();
    assert_eq!(admin.ask("GET", "/healthz", &[], b"").status, 200);
    let fault = Fault::inject(&daemon, "accept4", "ECONNABORTED", "1..5");
    let mut client = Http::tcp(daemon.public);
    assert_eq!(client.ask("GET", "/healthz", &[], b"").status, 200);
    fault.lift();
    let counters = admin.ask("GET", "/stats", &[], b"").json()["counters"].clone();
    assert_eq!(counters["accept_errors"], 5);
    assert_eq!(daemon.events("accept_paused"), 0);
}

/// Reads or writes fail for a while: nothing is lost, nobody is disconnected, and nothing spins.
fn memory_is_short(call: &str, counter: &str, error: &str, when: &str) {
    let daemon = Daemon::start(&["--demo"]);
    let mut admin = daemon.admin_http();
    let mut subscribers: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(&daemon)).collect();
    let mut echo = WebSocket::open_at(&daemon, "/echo");
    let fault = Fault::inject(&daemon, call, error, when);
    for n in 0..10 {
        echo.send_text(&format!("echo {n}"));
        let request = admin.request("POST", "/push", &[], format!("push {n}").as_bytes());
        admin.send(&request);
        if when == "1+" {
            continue;
        }
        assert_eq!(admin.response().status, 200);
        for subscriber in &mut subscribers {
            assert_eq!(subscriber.text(), format!("push {n}"));
        }
        assert_eq!(echo.text(), format!("echo {n}"));
    }
    if when == "1+" {
        let before = cpu_ticks(daemon.pid());
        std::thread::sleep(std::time::Duration::from_millis(600));
        assert!(cpu_ticks(daemon.pid()) - before < 30, "the processor is kept busy");
    }
    fault.lift();
    if when == "1+" {
        // Not one edge is due for what was refused: the server remembers by itself.
        for n in 0..10 {
            assert_eq!(admin.response().status, 200, "{n}");
            assert_eq!(echo.text(), format!("echo {n}"));
            for subscriber in &mut subscribers {
                assert_eq!(subscriber.text(), format!("push {n}"));
            }
        }
    }
    let stats = daemon.stats();
    assert_eq!(stats["connections"], 21);
    let shortages = &stats["counters"]["kernel_shortages"];
    assert!(shortages[counter].as_u64() > Some(0), "{shortages}");
    for subscriber in &mut subscribers {
        assert_eq!(subscriber.sync(), []);
    }
    daemon.wait_stats("nobody to be blocked", |s| s["blocked"] == 0);
}

#[test]
fn enobufs_from_every_third_send() {
    memory_is_short("sendto", "send", "ENOBUFS", "1+3");
}

#[test]
fn enomem_from_all_sends() {
    memory_is_short("sendto", "send", "ENOMEM", "1+");
}

#[test]
fn enobufs_from_every_second_recv() {
    memory_is_short("recvfrom", "recv", "ENOBUFS", "1+2");
}

#[test]
fn enomem_from_all_recvs() {
    memory_is_short("recvfrom", "recv", "ENOMEM", "1+");
}

#[test]
fn interrupted_calls_are_made_again() {
    for call in ["recvfrom", "sendto", "accept4", "epoll_wait"] {
        let daemon = Daemon::start(&["--demo"]);
        let fault = Fault::inject(&daemon, call, "EINTR", "1+2");
        let mut echo = WebSocket::open_at(&daemon, "/echo");
        for n in 0..5 {
            echo.send_text(&format!("{call} {n}"));
            assert_eq!(echo.text(), format!("{call} {n}"));
        }
        fault.lift();
        echo.close(1000);
    }
}

#[test]
fn really_no_descriptors() {
    // No injection: a host that uses up its own descriptors. Here they are taken by the limit itself.
    raise_own_limit();
    let daemon = Daemon::start(&["--max-connections", "100"]);
    let mut open: Vec<WebSocket> = (0..10).map(|_| WebSocket::open(&daemon)).collect();
    // The lowest number that is free is the one that the next connection would get.
    let taken =
        |number: usize| std::fs::symlink_metadata(format!("/proc/{}/fd/{number}", daemon.pid())).is_ok();
    let limit = (0..).find(|&number| !taken(number)).expect("a free number");
    let set = |soft: usize| {
        let soft = format!("--nofile={soft}:");
        let status =
            std::process::Command::new("prlimit").args(["--pid", &daemon.pid().to_string(), &soft]).status();
        assert!(status.is_ok_and(|status| status.success()));
    };
    set(limit);
    let mut waiting = Http::tcp(daemon.public);
    let request = waiting.request("GET", "/healthz", &[], b"");
    waiting.send(&request);
    let line = daemon.wait_event("accept_paused");
    assert_eq!(field(&line, "listener"), Some(daemon.public.to_string().as_str()));
    assert!(open.iter_mut().all(|client| client.sync().is_empty()));
    // One that ends makes room for the one that waits, without anybody's help.
    open.pop().expect("one").close(1000);
    assert_eq!(waiting.response().status, 200);
    drop(waiting);
    daemon.wait_event("accept_resumed");
    assert!(paused(&daemon, "process_descriptors") > 0);
    assert!(open.iter_mut().all(|client| client.sync().is_empty()));
}

/// A daemon whose `nth` call of socket() says that there is no such family, as for IPv6 on a machine where it is off.
fn without_ipv6(nth: u32, flags: &[&str]) -> Daemon {
    let mut command = std::process::Command::new("strace");
    let inject = format!("inject=socket:error=EAFNOSUPPORT:when={nth}");
    // With -D the daemon is this test's child, and strace goes with it.
    command.args(["-D", "-o", "/dev/null", "-e", "trace=socket", "-e", &inject, "--"]);
    command.arg(env!("CARGO_BIN_EXE_wspushd"));
    Daemon::start_by(command, flags)
}

#[test]
fn without_ipv6_it_serves_ipv4() {
    let daemon = without_ipv6(1, &["--listen", "[::]:0"]);
    let line = daemon.wait_event("no_ipv6");
    assert_eq!((field(&line, "address"), field(&line, "listens_at")), (Some("[::]:0"), Some("0.0.0.0:0")));
    assert!(daemon.public.ip().is_unspecified() && daemon.public.is_ipv4(), "{}", daemon.public);
    let here = ([127, 0, 0, 1], daemon.public.port()).into();
    assert!(WebSocket::ask(here, "/ws", &[]).is_ok());
}

#[test]
fn without_ipv6_the_admin_listener_is_on_loopback_as_well() {
    let daemon = without_ipv6(2, &["--admin", "[::1]:0"]);
    assert_eq!(field(&daemon.wait_event("no_ipv6"), "address"), Some("[::1]:0"));
    assert!(daemon.admin().is_ipv4() && daemon.admin().ip().is_loopback());
    let mut client = WebSocket::open(&daemon);
    daemon.push("hello");
    assert_eq!(client.text(), "hello");
}

#[test]
fn both_families_are_one_listener_without_ipv6() {
    // The port is free while nobody else takes it in between; the daemon says so if somebody has.
    let free = std::net::TcpListener::bind("0.0.0.0:0").expect("a free port");
    let port = free.local_addr().expect("an address").port();
    drop(free);
    let listen = format!("0.0.0.0:{port},[::]:{port}");
    let daemon = without_ipv6(2, &["--listen", &listen]);
    let line = daemon.wait_event("no_ipv6");
    assert_eq!(field(&line, "listens_at"), Some(format!("0.0.0.0:{port}").as_str()));
    assert_eq!(daemon.public_addresses(), [([0, 0, 0, 0], port).into()]);
    assert!(WebSocket::ask(([127, 0, 0, 1], port).into(), "/ws", &[]).is_ok());
}

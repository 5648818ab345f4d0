//! The bounds of descriptors and memory: what happens there, and that everything comes back afterwards.

use crate::daemon::{Daemon, Http, WebSocket, process, wait};
use crate::wire::{BINARY, TEXT, masked};

/// A connection that has begun a request.
fn half(daemon: &Daemon) -> Http {
    let mut http = Http::tcp(daemon.public);
    http.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n");
    http
}

fn complete(http: &mut Http) {
    http.send(b"\r\n");
    assert_eq!(http.response().text(), "ok\n");
}

#[test]
fn without_descriptors_newcomers_wait_and_nobody_spins() {
    let daemon = Daemon::start_with_descriptors(32, &["--handshake-ms", "600000"]);
    let mut admin = daemon.admin_http();
    // Taken in before it gets tight: a connection that has said nothing waits in the kernel.
    assert_eq!(admin.ask("GET", "/healthz", &[], b"").status, 200);
    let line = daemon.wait_event("capacity");
    assert!(
        line.contains("level=info") && line.contains("descriptors=32") && line.contains("ulimit -n"),
        "{line}"
    );
    // More than there are descriptors; the rest waits in the kernel.
    let mut clients: Vec<_> = (0..100).map(|_| half(&daemon)).collect();
    let mut paused = 0;
    wait("the descriptors' end", || {
        paused =
            admin.ask("GET", "/stats", &[], b"").json()["counters"]["accept_paused"]["process_descriptors"]
                .as_u64()
                .expect("a count");
        paused > 0
    });
    assert!(daemon.wait_event("accept_paused").contains("ulimit"));
    // It tries again a few times a second, and sleeps in between. A loop that spins would use every tick.
    let ticks = process::cpu_ticks(daemon.pid());
    let mut questions = 0;
    wait("a few more tries", || {
        std::thread::sleep(std::time::Duration::from_millis(90));
        questions += 1;
        let stats = admin.ask("GET", "/stats", &[], b"").json();
        stats["counters"]["accept_paused"]["process_descriptors"].as_u64() >= Some(paused + 4)
    });
    let used = process::cpu_ticks(daemon.pid()) - ticks;
    assert!(used < 40, "{used} ticks for {questions} questions");
    // Clients that are in are served, and one makes room for one that waits.
    for mut client in clients.drain(..) {
        complete(&mut client);
    }
    let mut late = half(&daemon);
    complete(&mut late);
}

#[test]
fn strangers_leave_the_admin_listener_its_descriptors() {
    let daemon = Daemon::start_with_descriptors(200, &["--handshake-ms", "600000"]);
    let strangers: Vec<_> = (0..300).map(|_| half(&daemon)).collect();
    daemon.wait_event("refused");
    assert_eq!(daemon.admin_http().ask("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(daemon.stats()["counters"]["accept_paused"]["process_descriptors"], 0);
    drop(strangers);
}

#[test]
fn a_low_limit_bounds_the_connections_itself() {
    let daemon = Daemon::start_with_descriptors(200, &[]);
    // 64 for other things, 64 for the admin listener.
    assert_eq!(daemon.stats()["limits"]["connections_by_descriptors"], 72);
    let clients: Vec<_> = (0..72).map(|_| WebSocket::open(&daemon)).collect();
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err().map(|response| response.status);
    assert_eq!(refused, Some(503));
    assert_eq!(daemon.push("still working")["recipients"], 72);
    drop(clients);
    daemon.wait_connections(0);
}

#[test]
fn churn_leaves_nothing_behind() {
    process::raise_own_limit();
    let daemon = Daemon::start(&["--demo", "--channel-idle-ms", "1"]);
    let round = |many: usize| {
        let mut clients: Vec<_> = (0..many)
            .map(|n| match n % 4 {
                0 => WebSocket::open(&daemon),
                1 => WebSocket::open_at(&daemon, &format!("/ws?channel=public.{n}")),
                2 => WebSocket::open_at(&daemon, "/echo"),
                _ => WebSocket::open_at(&daemon, "/chat"),
            })
            .collect();
        daemon.push(&"x".repeat(1000));
        for (n, client) in clients.iter_mut().enumerate() {
            client.send_text("hello");
            if n % 3 == 0 {
                client.send_raw(&masked(false, TEXT, b"never finished"));
            }
        }
        for (n, client) in clients.into_iter().enumerate() {
            match n % 3 {
                0 => drop(client),
                1 => client.reset(),
                _ => client.half_close(),
            }
        }
        daemon.wait_stats("everyone's end", |s| {
            s["connections"] == 0 && s["closing"] == 0 && s["handshaking"] == 0 && s["blocked"] == 0
        });
    };
    // The first rounds bring the buffers to their size.
    for _ in 0..3 {
        round(200);
    }
    daemon.wait_stats("only the default channel", |s| s["channels"] == 1);
    let descriptors = process::descriptors(daemon.pid());
    let rss = process::rss_bytes(daemon.pid());
    for _ in 0..8 {
        round(200);
    }
    let stats = daemon.wait_stats("only the default channel", |s| s["channels"] == 1);
    assert_eq!(stats["memory"]["assembly_bytes"], 0);
    wait("the descriptors", || process::descriptors(daemon.pid()) <= descriptors);
    let after = process::rss_bytes(daemon.pid());
    assert!(after < rss + (1 << 20), "{rss} bytes before, {after} after");
}

#[test]
fn half_messages_have_a_common_bound() {
    let flags = ["--assembly-bytes-max", "1000000", "--message-bytes-max", "60000"];
    let daemon = Daemon::start(&flags);
    let before = process::rss_bytes(daemon.pid());
    // 40 times 50,000 bytes are twice what may be kept.
    let mut clients: Vec<_> = (0..40).map(|_| WebSocket::open(&daemon)).collect();
    for client in &mut clients {
        client.send_raw(&masked(true, BINARY, &[1; 60_000])[..50_000]);
    }
    let stats = daemon.wait_stats("the bound", |s| s["connections"].as_u64() < Some(40));
    assert!(stats["memory"]["assembly_bytes"].as_u64() <= Some(1_000_000), "{stats}");
    assert!(process::rss_bytes(daemon.pid()) < before + (8 << 20));
    // The operator is not locked out.
    let receipt = daemon.push("still working")["receipt"].clone();
    daemon.wait_delivered(&receipt);
    drop(clients);
    daemon.wait_stats("the chunks", |s| s["memory"]["assembly_bytes"] == 0);
}

#[test]
fn who_never_reads_does_not_grow_us() {
    process::raise_own_limit();
    let daemon = Daemon::start(&["--log-bytes", "1100000", "--slow-consumer", "skip"]);
    let _silent: Vec<_> = (0..50).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    let mut http = daemon.admin_http();
    let body = "x".repeat(20_000);
    let mut fill = |pushes: usize| {
        for _ in 0..pushes {
            assert_eq!(http.ask("POST", "/push", &[], body.as_bytes()).status, 200);
        }
    };
    fill(100);
    let full = process::rss_bytes(daemon.pid());
    // Ten times the log, to 50 that read nothing: a queue for each would be hundreds of MB.
    fill(550);
    let after = process::rss_bytes(daemon.pid());
    assert!(after < full + (4 << 20), "{full} bytes with a full log, {after} bytes later");
}

#[test]
fn an_outbox_is_bounded() {
    let daemon = Daemon::start(&["--outbox-bytes-max", "65536"]);
    let client = WebSocket::open_narrow(&daemon, "/ws");
    let target = format!("/push?conn={}", daemon.id_of(&client));
    let mut http = daemon.admin_http();
    let body = "x".repeat(10_000);
    let mut taken = 0;
    let refused = loop {
        let response = http.ask("POST", &target, &[], body.as_bytes());
        if response.status != 200 {
            break response;
        }
        taken += 1;
        assert!(taken < 10_000, "it takes everything");
    };
    assert_eq!(refused.status, 503);
    assert!(refused.text().contains("outbox_bytes_max"));
    assert_eq!(daemon.counter("outbox_overflow"), 1);
    let page = daemon.ask("GET", "/connections", &[], b"").json();
    assert!(page["connections"][0]["outbox_bytes"].as_u64() <= Some(65_536), "{page}");
    let mut client = client;
    for _ in 0..taken {
        assert_eq!(client.text().len(), 10_000);
    }
    assert_eq!(client.sync(), []);
    assert_eq!(http.ask("POST", &target, &[], b"room again").status, 200);
    assert_eq!(client.text(), "room again");
}

#[test]
fn all_logs_together_are_bounded() {
    let flags =
        ["--log-bytes", "65536", "--log-publications", "64", "--logs-bytes-max", "640000", "--channels", "*"];
    let daemon = Daemon::start(&[&flags[..], &["--admin-body-bytes-max", "60000"]].concat());
    let mut subscribers: Vec<_> =
        (0..30).map(|n| WebSocket::open_at(&daemon, &format!("/ws?channel=c{n}"))).collect();
    let mut http = daemon.admin_http();
    let body = |n: usize, round: usize| format!("{n}.{round}.{}", "x".repeat(3_000));
    // 30 channels of 64 KiB would be 2 MB, and with what lies beside it 4: each is pushed to all the same.
    for round in 0..40 {
        for n in 0..30 {
            let target = format!("/push?channel=c{n}");
            let response = http.ask("POST", &target, &[], body(n, round).as_bytes());
            assert_eq!(response.status, 200, "{}", response.text());
        }
        let memory = daemon.stats()["memory"]["log_bytes"].as_u64().expect("bytes");
        assert!(memory <= 640_000, "{memory} bytes in round {round}");
    }
    for (n, subscriber) in subscribers.iter_mut().enumerate() {
        for round in 0..40 {
            assert_eq!(subscriber.text(), body(n, round), "nobody who reads has missed anything");
        }
        assert_eq!(subscriber.sync(), []);
    }
    assert!(daemon.counter("logs_halved") > 0);
    assert_eq!(
        (daemon.counter("inbox_full"), daemon.stats()["counters"]["closed"]["slow_consumer"].as_u64()),
        (0, Some(0))
    );
    let line = daemon.wait_event("log_halved");
    assert!(line.contains("channel=c") && line.contains("limit=logs_bytes_max"), "{line}");
    let metrics = daemon.ask("GET", "/metrics", &[], b"").text();
    assert!(metrics.contains("\nwspush_log_bytes_max 640000\n"), "{metrics}");
    // As large as a publication may be: the others make room for it.
    assert_eq!(http.ask("POST", "/push?channel=c3", &[], &[b'y'; 60_000]).status, 200);
    assert_eq!(subscribers[3].text().len(), 60_000);
}

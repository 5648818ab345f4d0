//! Processes that end: in the middle of a broadcast, without warning, and while a successor takes over.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use crate::daemon::process::raise_own_limit;
use crate::daemon::{self, Daemon, Http, PATIENCE, Sockets, WebSocket, field};
use crate::wire::{CLOSE, TEXT, close_of};

/// Asks for the health check again and again on new connections, which must all succeed.
struct Visitors {
    stop: Arc<AtomicBool>,
    served: Arc<AtomicUsize>,
    threads: Vec<JoinHandle<()>>,
}

fn visit(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(std::io::Error::other(answer)) }
}

impl Visitors {
    fn send(address: SocketAddr) -> Visitors {
        let (stop, served) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let run = || {
            let (stop, served) = (stop.clone(), served.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    if let Err(e) = visit(address) {
                        panic!("visitor {} was not served: {e}", served.load(Ordering::Relaxed));
                    }
                    served.fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(std::time::Duration::from_millis(2));
                }
            })
        };
        let threads = (0..3).map(|_| run()).collect();
        Visitors { stop, served, threads }
    }

    /// Waits until so many more were served.
    fn more(&self, count: usize) {
        let until = self.served.load(Ordering::Relaxed) + count;
        daemon::wait("visitors to be served", || {
            self.served.load(Ordering::Relaxed) >= until || self.threads.iter().any(JoinHandle::is_finished)
        });
    }

    fn end(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().expect("all visitors served"));
    }
}

/// Takes a close frame, gives it back, and sees the stream end.
fn close_properly(mut client: WebSocket) {
    assert_eq!(close_of(&client.frame()).0, 1001);
    client.send_close(1001, "");
    assert_eq!(client.next(), None);
    assert_eq!(client.leftover(), 0);
}

#[test]
fn term_in_the_middle_of_a_broadcast() {
    const CLIENTS: usize = 200;
    const PUSHES: usize = 10;
    raise_own_limit();
    // A slice is one subscriber: the end comes in the middle of everything.
    let mut daemon = Daemon::start(&["--flush-slice", "1", "--drain-ms", "60000"]);
    let clients: Vec<WebSocket> = (0..CLIENTS)
        .map(|n| if n % 4 == 0 { WebSocket::open_narrow(&daemon, "/ws") } else { WebSocket::open(&daemon) })
        .collect();
    let mut admin = daemon.admin_http();
    let texts: Vec<String> = (0..PUSHES).map(|n| format!("{n} {}", "t".repeat(20_000))).collect();
    let all: Vec<u8> =
        texts.iter().flat_map(|text| admin.request("POST", "/push", &[], text.as_bytes())).collect();
    admin.send(&all);
    for _ in 0..PUSHES {
        assert_eq!(admin.response().status, 200);
    }
    daemon.signal("TERM");
    for mut client in clients {
        for text in &texts {
            assert!(client.text() == *text, "every publication that was taken, whole and in order");
        }
        close_properly(client);
    }
    drop(admin);
    assert!(daemon.wait_exit().success());
    assert_eq!(field(&daemon.wait_event("drained"), "cut_off"), Some("0"));
}

#[test]
fn whoever_does_not_read_is_cut_off_when_the_drain_is_over() {
    let mut daemon =
        Daemon::start(&["--drain-ms", "700", "--close-wait-ms", "600000", "--heartbeat-ms", "0"]);
    let mut asleep: Vec<WebSocket> = (0..10).map(|_| WebSocket::open_narrow(&daemon, "/ws")).collect();
    let mut awake = WebSocket::open(&daemon);
    let text = "d".repeat(1_000_000);
    daemon.push(&text);
    assert!(awake.text() == text);
    daemon.signal("TERM");
    close_properly(awake);
    assert!(daemon.wait_exit().success());
    assert_eq!(field(&daemon.wait_event("drained"), "cut_off"), Some("10"));
    // They read the beginning of the frame that they were in now, and no garbage behind it.
    for client in &mut asleep {
        assert_eq!(client.next(), None);
    }
}

#[test]
fn killed_and_back_at_once_on_the_same_port() {
    let mut daemon = Daemon::start(&[]);
    let (public, admin) = (daemon.public.to_string(), daemon.admin().to_string());
    for round in 0..5 {
        let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(&daemon)).collect();
        daemon.push("before");
        assert!(clients.iter_mut().all(|client| client.text() == "before"));
        let mut half = Http::tcp(daemon.public);
        half.send(b"GET /ws HTT");
        daemon.signal("KILL");
        assert!(!daemon.wait_exit().success());
        daemon = Daemon::start(&["--listen", &public, "--admin", &admin]);
        assert_eq!(daemon.public.to_string(), public, "round {round}");
        assert!(clients.iter_mut().all(|client| client.next().is_none()));
    }
    WebSocket::open(&daemon).close(1000);
}

#[test]
fn a_killed_daemon_leaves_no_unix_socket_in_the_way() {
    let path = std::env::temp_dir().join(format!("wspush-death-{}.sock", std::process::id()));
    let admin = format!("unix:{}", path.display());
    let mut first = Daemon::start(&["--admin", &admin]);
    first.signal("KILL");
    first.wait_exit();
    assert!(path.exists(), "left behind");
    let second = Daemon::start(&["--admin", &admin, "--reuseport"]);
    assert_eq!(second.push("works")["recipients"], 0);
    // A successor takes the path over; the one that goes doesn't take it away.
    let third = Daemon::start(&["--admin", &admin, "--reuseport"]);
    let mut second = second;
    second.signal("TERM");
    assert!(second.wait_exit().success());
    assert_eq!(third.push("works as well")["recipients"], 0);
    drop(third);
    // It was killed, so it is left behind once more.
    let _ = std::fs::remove_file(path);
}

#[test]
fn a_successor_takes_over_without_refusing_anybody() {
    let mut old = Daemon::start(&["--reuseport", "--drain-ms", "20000"]);
    let (public, admin) = (old.public.to_string(), old.admin().to_string());
    let visitors = Visitors::send(old.public);
    visitors.more(50);
    for generation in 0..2 {
        let mut clients: Vec<WebSocket> = (0..20).map(|_| WebSocket::open(&old)).collect();
        let new =
            Daemon::start(&["--reuseport", "--drain-ms", "20000", "--listen", &public, "--admin", &admin]);
        visitors.more(50);
        old.signal("TERM");
        old.wait_event("handing_over");
        for client in &mut clients {
            while let Some(frame) = client.next() {
                assert_eq!((frame.opcode, close_of(&frame).0), (CLOSE, 1001), "generation {generation}");
            }
        }
        drop(clients);
        assert!(old.wait_exit().success());
        assert_eq!(old.events("not_handed_over"), 0);
        visitors.more(50);
        old = new;
    }
    visitors.end();
    let mut client = WebSocket::open(&old);
    old.push("the last one serves");
    assert_eq!(client.frame().opcode, TEXT);
}

#[test]
fn without_reuseport_a_taken_port_is_refused() {
    let first = Daemon::start(&[]);
    let (status, said) = Daemon::refused(&["--reuseport", "--listen", &first.public.to_string()]);
    assert_eq!(status.code(), Some(2));
    assert!(said.contains("cannot listen on") && said.lines().count() == 1, "{said}");
}

#[test]
fn inherited_sockets_outlive_every_process() {
    let sockets = Sockets::bind();
    let mut old = Daemon::start_inheriting(&sockets, &[]);
    assert_eq!((old.public, old.admin()), (sockets.public_address(), sockets.admin_address()));
    assert!(old.wait_event("listening").contains("socket=inherited"));
    let visitors = Visitors::send(old.public);
    visitors.more(30);
    // A successor beside it, one behind it, and one behind a crash: connections wait in the kernel meanwhile.
    let new = Daemon::start_inheriting(&sockets, &[]);
    let mut client = WebSocket::open(&new);
    old.signal("TERM");
    assert!(old.wait_exit().success());
    visitors.more(30);
    let mut old = new;
    old.signal("TERM");
    while client.next().is_some() {}
    drop(client);
    assert!(old.wait_exit().success());
    let mut new = Daemon::start_inheriting(&sockets, &[]);
    visitors.more(30);
    visitors.end();
    new.signal("KILL");
    new.wait_exit();
    let mut waiting = Http::tcp(sockets.public_address());
    let request = waiting.request("GET", "/healthz", &[], b"");
    waiting.send(&request);
    let _new = Daemon::start_inheriting(&sockets, &[]);
    assert_eq!(waiting.response().status, 200);
}

#[test]
fn inherited_sockets_that_nobody_asked_for_are_an_error() {
    let (sockets, others) = (Sockets::bind(), Sockets::bind());
    let mut command = Sockets::command_with(&sockets.public, &others.public, "");
    command.args(["--listen", &sockets.public_address().to_string(), "--admin", "off"]);
    let (status, said) = Daemon::ends(&mut command);
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(
        said.contains(&others.public_address().to_string()) && said.contains("listen and admin"),
        "{said}"
    );
    // No descriptor at all, and one that doesn't listen.
    let (status, said) = Daemon::ends(&mut sockets.command("4<&-"));
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("LISTEN_FDS"), "{said}");
    let (status, said) = Daemon::ends(&mut sockets.command("4</dev/null"));
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("inherited socket 2 of 2"), "{said}");
}

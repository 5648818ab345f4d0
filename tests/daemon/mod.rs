//! The real daemon, started for one test: on free ports, watched through its log, gone when dropped.
//!
//! Tests never assert how long something takes. They wait until a state is reached, and give up after
//! [`PATIENCE`], which is only there so that a broken server ends a test instead of hanging it.

#[cfg(feature = "backend")]
pub mod backend;
pub mod events;
pub mod fault;
pub mod http;
pub mod inherit;
pub mod process;
#[cfg(feature = "cluster")]
pub mod redis;
#[cfg(feature = "tls")]
pub mod tls;
pub mod websocket;

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;

pub use crate::wire::{Frame, Response};
pub use http::Http;
pub use inherit::Sockets;
pub use websocket::WebSocket;

/// How long anything may take before a test gives up on it.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The lines a daemon has written to standard error.
#[derive(Default)]
struct Log {
    lines: Mutex<(Vec<String>, bool)>,
    news: Condvar,
}

/// The daemon that is tested: the one that cargo has built, or `WSPUSHD`, which may be another machine's
/// (`tests/targets/run`).
pub fn program() -> OsString {
    std::env::var_os("WSPUSHD").unwrap_or_else(|| env!("CARGO_BIN_EXE_wspushd").into())
}

/// A running daemon.
pub struct Daemon {
    child: Child,
    log: Arc<Log>,
    /// The first public listener.
    pub public: SocketAddr,
    /// The admin listener, as the log shows it.
    admin: Option<String>,
    token: Option<String>,
}

impl Daemon {
    /// Starts a daemon on free ports, with these flags besides.
    pub fn start(flags: &[&str]) -> Daemon {
        Daemon::start_by(Command::new(program()), flags)
    }

    /// Starts it with so many descriptors at the most.
    pub fn start_with_descriptors(count: u32, flags: &[&str]) -> Daemon {
        let mut command = Command::new("sh");
        let script = format!("ulimit -n {count} && exec \"$@\"");
        command.args(["-c", &script, "sh"]).arg(program());
        Daemon::start_by(command, flags)
    }

    /// Starts it by another program's command line, to which its own is the end.
    pub fn start_by(mut command: Command, flags: &[&str]) -> Daemon {
        add_flags(&mut command, flags);
        Daemon::watch(command.stdin(Stdio::null()), flags)
    }

    /// Starts a daemon on sockets that it inherits, as systemd starts it.
    pub fn start_inheriting(sockets: &Sockets, flags: &[&str]) -> Daemon {
        Daemon::watch(sockets.command("").args(flags), flags)
    }

    /// Spawns the daemon and waits until it listens.
    pub fn watch(command: &mut Command, flags: &[&str]) -> Daemon {
        let mut child = command.stderr(Stdio::piped()).spawn().expect("the daemon starts");
        let log = Arc::new(Log::default());
        let (stderr, shared) = (child.stderr.take().expect("a pipe"), log.clone());
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                shared.lines.lock().expect("lines").0.push(line);
                shared.news.notify_all();
            }
            shared.lines.lock().expect("lines").1 = true;
            shared.news.notify_all();
        });
        let public = "127.0.0.1:0".parse().expect("an address");
        let token = flags.iter().position(|f| *f == "--admin-token").map(|at| flags[at + 1].to_owned());
        let mut daemon = Daemon { child, log, public, admin: None, token };
        let off = flags.windows(2).any(|pair| pair == ["--admin", "off"]);
        let address = |line: String| field(&line, "address").expect("an address in the line").to_owned();
        let door = |door: &'static str| {
            move |line: &str| field(line, "event") == Some("listening") && field(line, "door") == Some(door)
        };
        daemon.public = address(daemon.wait_log(door("public"))).parse().expect("an address and a port");
        daemon.admin = (!off).then(|| address(daemon.wait_log(door("admin"))));
        daemon
    }

    /// Runs a daemon that is expected to end by itself; what it said.
    pub fn refused(flags: &[&str]) -> (ExitStatus, String) {
        let mut command = Command::new(program());
        add_flags(&mut command, flags);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Daemon::ends(&mut command)
    }

    /// Runs any command that is expected to end by itself; what it said.
    pub fn ends(command: &mut Command) -> (ExitStatus, String) {
        let child = command.stderr(Stdio::piped()).spawn().expect("the daemon starts");
        let pid = child.id();
        let (done, ended) = std::sync::mpsc::channel::<()>();
        std::thread::spawn(move || {
            if ended.recv_timeout(PATIENCE) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                process::signal(pid, "KILL");
            }
        });
        let output = child.wait_with_output().expect("it ends");
        drop(done);
        (output.status, String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All public listeners.
    pub fn public_addresses(&self) -> Vec<SocketAddr> {
        let lines = self.log.lines.lock().expect("lines").0.clone();
        let public = lines.iter().filter(|line| field(line, "door") == Some("public"));
        public.filter_map(|line| field(line, "address")?.parse().ok()).collect()
    }

    /// The admin listener's TCP address.
    pub fn admin(&self) -> SocketAddr {
        self.admin.as_ref().and_then(|admin| admin.parse().ok()).expect("an admin listener on TCP")
    }

    /// The admin listener, as the log shows it.
    #[cfg(feature = "handover")]
    pub fn admin_address(&self) -> Option<&str> {
        self.admin.as_deref()
    }

    /// A new connection to the admin listener.
    pub fn admin_http(&self) -> Http {
        match self.admin.as_deref().and_then(|admin| admin.strip_prefix("unix:")) {
            Some(path) => Http::unix(path),
            None => Http::tcp(self.admin()),
        }
    }

    /// Asks the admin API on a connection of its own.
    pub fn ask(&self, method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all = headers.to_vec();
        all.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str())));
        self.admin_http().ask(method, target, &all, body)
    }

    /// Pushes text to everyone; the answer.
    pub fn push(&self, text: &str) -> Value {
        self.push_to("/push", text)
    }

    /// Pushes text to `/push?...`; the answer.
    pub fn push_to(&self, target: &str, text: &str) -> Value {
        let response = self.ask("POST", target, &[("Content-Type", "text/plain")], text.as_bytes());
        assert_eq!(response.status, 200, "{}", response.text());
        response.json()
    }

    /// Pushes these, numbered from 1, until a socket is full. How many that takes is the kernel's affair; returns it.
    pub fn push_until_full(&self, target: &str, text: impl Fn(usize) -> String) -> usize {
        let mut count = 0;
        wait("a full socket", || {
            count += 1;
            self.push_to(target, &text(count));
            self.stats()["blocked"] == 1
        });
        count
    }

    /// A client's id, as the server lists it.
    pub fn id_of(&self, client: &WebSocket) -> String {
        self.id_of_client(client.stream())
    }

    /// The id of a client at the other end of this stream.
    pub fn id_of_client(&self, stream: &std::net::TcpStream) -> String {
        let address = stream.local_addr().expect("an address").to_string();
        let page = self.ask("GET", "/connections?limit=1000", &[], b"").json();
        let connections = page["connections"].as_array().expect("a list");
        let own = connections.iter().find(|connection| connection["peer"] == address.as_str());
        own.and_then(|own| own["id"].as_str()).expect("it is in the list").to_owned()
    }

    /// `GET /stats`.
    pub fn stats(&self) -> Value {
        self.ask("GET", "/stats", &[], b"").json()
    }

    /// One of the counters in `GET /stats`.
    pub fn counter(&self, name: &str) -> u64 {
        self.stats()["counters"][name].as_u64().unwrap_or_else(|| panic!("no counter {name}"))
    }

    /// Asks for `GET /stats` until it is as wanted.
    pub fn wait_stats(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        wait(what, || {
            last = self.stats();
            wanted(&last)
        });
        last
    }

    /// Waits until so many WebSockets are open, and none is on its way out.
    pub fn wait_connections(&self, count: u64) {
        let what = format!("{count} open connections");
        self.wait_stats(&what, |s| s["connections"] == count && s["closing"] == 0);
    }

    /// Waits until everybody has been dealt with whom a publication was for; its delivery.
    pub fn wait_delivered(&self, receipt: &Value) -> Value {
        let target = format!("/stats?receipt={receipt}");
        let mut last = Value::Null;
        wait("a delivery without laggards", || {
            let response = self.ask("GET", &target, &[], b"");
            last = if response.status == 200 { response.json() } else { Value::Null };
            last["lagging"] == 0
        });
        last
    }

    /// The same in a cluster, once its servers have read it for so many together.
    #[cfg(feature = "cluster")]
    pub fn wait_delivered_to(&self, receipt: &Value, recipients: u64) -> Value {
        wait("all servers to have read it", || self.wait_delivered(receipt)["recipients"] == recipients);
        self.wait_delivered(receipt)
    }

    /// Waits for a line of the log.
    pub fn wait_log(&self, wanted: impl Fn(&str) -> bool) -> String {
        let give_up = Instant::now() + PATIENCE;
        let mut lines = self.log.lines.lock().expect("lines");
        loop {
            if let Some(line) = lines.0.iter().find(|line| wanted(line)) {
                return line.clone();
            }
            let left = give_up.saturating_duration_since(Instant::now());
            assert!(!lines.1 && !left.is_zero(), "not in the log:\n{}", lines.0.join("\n"));
            lines = self.log.news.wait_timeout(lines, left).expect("lines").0;
        }
    }

    /// Waits for an event in the log.
    pub fn wait_event(&self, name: &str) -> String {
        self.wait_log(|line| field(line, "event") == Some(name))
    }

    /// How many lines of this event are in the log.
    pub fn events(&self, name: &str) -> usize {
        let lines = self.log.lines.lock().expect("lines");
        lines.0.iter().filter(|line| field(line, "event") == Some(name)).count()
    }

    /// All that it has said.
    pub fn log(&self) -> String {
        self.log.lines.lock().expect("lines").0.join("\n")
    }

    /// Sends it a signal: `TERM`, `HUP`.
    pub fn signal(&self, name: &str) {
        process::signal(self.pid(), name);
    }

    /// Waits until it has ended by itself, and all that it has said is in the log.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let mut status = None;
        wait("the daemon's end", || {
            status = self.child.try_wait().expect("a child");
            status.is_some()
        });
        wait("the log's end", || self.log.lines.lock().expect("lines").1);
        status.expect("a status")
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let lines = self.log.lines.lock().map(|lines| lines.0.clone()).unwrap_or_default();
            let last = lines.len().saturating_sub(20);
            eprintln!("the daemon's log ends with:\n{}", lines[last..].join("\n"));
        }
    }
}

/// Waits until something is so.
pub fn wait(what: &str, mut so: impl FnMut() -> bool) {
    let give_up = Instant::now() + PATIENCE;
    while !so() {
        assert!(Instant::now() < give_up, "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn add_flags(command: &mut Command, flags: &[&str]) {
    // The developer's own variables must not reach the daemon.
    let ours = std::env::vars().map(|(name, _)| name).filter(|name| name.starts_with("WSPUSH_"));
    for name in ours {
        command.env_remove(name);
    }
    if !flags.contains(&"--listen") {
        command.args(["--listen", "127.0.0.1:0"]);
    }
    if !flags.contains(&"--admin") {
        command.args(["--admin", "127.0.0.1:0"]);
    }
    command.args(flags);
}

/// The value of a field in a line of the log.
pub fn field<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    let key = format!("{name}=");
    line.split(' ').find_map(|word| word.strip_prefix(&key)).map(|value| value.trim_matches('"'))
}

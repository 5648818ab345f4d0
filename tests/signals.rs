//! Signals: those that mean something are obeyed whenever they come, and the others end nothing.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::daemon::{self, Daemon, WebSocket};
use crate::wire::close_of;

/// A file of settings that goes with the test.
struct Settings(PathBuf);

impl Settings {
    fn new(name: &str, text: &str) -> Settings {
        let path = std::env::temp_dir().join(format!("wspush-signals-{name}-{}.toml", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Settings(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().expect("UTF-8")
    }
}

impl Drop for Settings {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).expect("it is there");
    }
}

/// A daemon that gets a signal in the moment in which it opens its file of settings.
fn signalled_at_the_start(signal: &str, settings: &Settings) -> (Command, [String; 2]) {
    let mut command = Command::new("strace");
    let inject = format!("inject=openat:signal={signal}:when=1");
    // With -D the daemon is this test's child, and strace goes with it.
    command.args(["-D", "-o", "/dev/null", "-P", settings.name(), "-e", "trace=openat", "-e", &inject, "--"]);
    command.arg(env!("CARGO_BIN_EXE_wspushd"));
    (command, ["--config".to_owned(), settings.name().to_owned()])
}

#[test]
fn the_habits_of_other_programs_end_nothing() {
    let mut daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    daemon.signal("USR1");
    let line = daemon.wait_log(|line| line.contains("USR1"));
    assert!(line.contains("HUP") && line.contains("USR2") && line.contains("TERM"), "{line}");
    daemon.signal("USR2");
    assert!(daemon.wait_event("state_not_saved").contains("no state_file is set"));
    daemon.signal("XFSZ");
    daemon.push("still here");
    assert_eq!(client.text(), "still here");
    drop(client);
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
}

#[test]
fn a_log_of_objects_has_no_other_lines() {
    let settings = Settings::new("objects", "");
    let mut daemon = Daemon::start(&["--config", settings.name()]);
    std::fs::write(settings.name(), "log_format = \"json\"\n").expect("a file");
    daemon.signal("HUP");
    daemon.wait_log(|line| line.contains("\"applied\":\"log_format\""));
    let before = daemon.log().lines().count() - 1;
    for (signal, event) in [("USR1", "signal"), ("USR2", "state_not_saved"), ("TERM", "drained")] {
        daemon.signal(signal);
        daemon.wait_log(|line| line.contains(&format!("\"event\":\"{event}\"")));
    }
    assert!(daemon.wait_exit().success());
    for line in daemon.log().lines().skip(before) {
        let line: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(line["event"].is_string(), "{line}");
    }
}

#[test]
fn a_signal_in_the_middle_of_the_start_ends_nothing() {
    let settings = Settings::new("start", "message_bytes_max = 1000\n");
    for (signal, said) in [("HUP", "event=reloaded"), ("USR1", "USR1"), ("USR2", "event=state_not_saved")] {
        let (command, flags) = signalled_at_the_start(signal, &settings);
        let daemon = Daemon::start_by(command, &flags.each_ref().map(String::as_str));
        daemon.wait_log(|line| line.contains(said));
        assert_eq!(daemon.push("hello")["offset"], 1);
    }
}

#[test]
fn an_end_that_was_asked_for_in_the_middle_of_the_start_comes() {
    let settings = Settings::new("end", "drain_ms = 20000\n");
    for signal in ["TERM", "INT"] {
        let (mut command, flags) = signalled_at_the_start(signal, &settings);
        command.args(["--listen", "127.0.0.1:0", "--admin", "off"]).args(flags);
        let (status, said) = Daemon::ends(command.stdin(Stdio::null()));
        assert!(status.success(), "{status}: {said}");
        assert!(said.contains("event=drained"), "{said}");
    }
}

#[test]
fn a_hup_that_can_not_be_taken_says_so() {
    let mut daemon = Daemon::start(&["--drain-ms", "600000", "--close-wait-ms", "600000"]);
    let mut client = WebSocket::open(&daemon);
    daemon.signal("TERM");
    daemon.wait_event("draining");
    daemon.signal("HUP");
    let line = daemon.wait_event("not_reloaded");
    assert!(line.contains("the server is stopping"), "{line}");
    assert_eq!(close_of(&client.frame()).0, 1001);
    client.send_close(1001, "");
    drop(client);
    assert!(daemon.wait_exit().success());
    assert_eq!(daemon.events("reloaded"), 0);
}

#[test]
fn whoever_does_not_read_the_log_can_still_end_it() {
    let settings = Settings::new("full", "message_bytes_max = 1000\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wspushd"));
    // A log that takes nothing: what is said to nobody must not end whoever obeys.
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("it is there");
    let path = settings.0.with_extension("sock");
    let admin = format!("unix:{}", path.display());
    let flags = ["--listen", "127.0.0.1:0", "--admin", &admin, "--config", settings.name()];
    let mut child = command.args(flags).stdin(Stdio::null()).stderr(full).spawn().expect("it starts");
    let pid = child.id();
    daemon::wait("its start", || std::os::unix::net::UnixStream::connect(&path).is_ok());
    std::fs::write(&settings.0, "message_bytes_max = \"many\"\n").expect("a file");
    for signal in ["HUP", "USR1", "TERM"] {
        daemon::process::signal(pid, signal);
        // One that is still pending is not sent twice; the next one would overtake it.
        daemon::wait("the signal's arrival", || daemon::process::pending_signals(pid) == 0);
    }
    daemon::wait("its end", || child.try_wait().expect("a child").is_some());
    assert!(child.wait().expect("a child").success());
}

//! Old kernels, strict sandboxes and bare systems: the real daemon without what others take for granted.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::daemon::{self, Daemon, WebSocket};

/// Where there is no such filter.
const SKIPPED: i32 = 77;

/// A daemon's command line without these things; None: this machine can't take them away.
fn without(things: &[&str]) -> Option<Command> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/odd_systems/without");
    let command = |program: &std::ffi::OsStr| {
        let mut command = Command::new(&script);
        command.args(things).arg("--").arg(program);
        command
    };
    let tried = command("true".as_ref()).status().expect("python3 is there");
    if tried.code() == Some(SKIPPED) {
        eprintln!("skipped: no filter of system calls here");
        return None;
    }
    assert!(tried.success(), "{things:?}: {tried}");
    Some(command(&daemon::program()))
}

/// Clients come in, one is told something in a channel, everybody is pushed to, and the daemon ends in order.
fn serves(mut daemon: Daemon) {
    let mut clients: Vec<_> = (0..20).map(|_| WebSocket::open_at(&daemon, "/ws?channel=public.a")).collect();
    daemon.push("to all");
    daemon.push_to("/push?channel=public.a", "to a channel");
    for client in &mut clients {
        assert_eq!((client.text(), client.text()), ("to all".into(), "to a channel".into()));
    }
    assert_eq!(daemon.ask("GET", "/metrics", &[], b"").status, 200);
    drop(clients);
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
}

fn serves_without(things: &[&str], flags: &[&str]) {
    let Some(command) = without(things) else { return };
    serves(Daemon::start_by(command, flags));
}

#[test]
fn it_serves_without_accept4() {
    serves_without(&["accept4"], &[]);
}

#[test]
fn it_serves_without_a_shared_port() {
    serves_without(&["SO_REUSEPORT"], &[]);
    let Some(mut command) = without(&["SO_REUSEPORT"]) else { return };
    command.args(["--listen", "127.0.0.1:0", "--admin", "off", "--reuseport"]).stdin(Stdio::null());
    let (status, said) = Daemon::ends(&mut command);
    assert!(!status.success() && said.contains("cannot listen on 127.0.0.1:0"), "{said}");
}

#[test]
fn it_serves_without_ipv6() {
    serves_without(&["IPv6"], &[]);
    let Some(command) = without(&["IPv6"]) else { return };
    let daemon = Daemon::start_by(command, &["--listen", "[::]:0"]);
    daemon.wait_event("no_ipv6");
    serves(daemon);
}

#[test]
fn it_serves_before_the_machine_has_randomness() {
    serves_without(&["getrandom"], &[]);
}

#[test]
fn it_serves_with_the_system_calls_of_linux_3_2() {
    serves_without(&["new-calls"], &[]);
    serves_without(&["new-calls", "accept4", "SO_REUSEPORT", "IPv6", "getrandom"], &[]);
}

#[test]
fn it_serves_on_one_core_with_small_stacks() {
    serves_without(&["one-core"], &["--reactors", "auto"]);
    serves_without(&["small-stack"], &["--reactors", "2"]);
}

/// A daemon's command line in a file system of its own, which this script has changed; None: nobody may do so here.
fn where_files(script: &str) -> Option<Command> {
    let command = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
        command
    };
    let tried = command(&format!("{script} && true")).stderr(Stdio::null()).status();
    if !tried.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no file systems of one's own here");
        return None;
    }
    let mut command = command(&format!("{script} && exec \"$@\""));
    command.arg(daemon::program());
    Some(command)
}

#[test]
fn it_serves_without_proc_and_shared_memory_on_a_root_that_is_read_only() {
    for script in [
        "mount -t tmpfs none /proc",
        "mount -t tmpfs none /dev/shm -o ro",
        "mount -o remount,bind,ro /",
        "mount -o remount,bind,ro / && mount -t tmpfs none /sys && mount -t tmpfs none /proc",
    ] {
        let Some(command) = where_files(script) else { continue };
        eprintln!("{script}");
        serves(Daemon::start_by(command, &[]));
    }
}

/// A calendar that can be set, for one daemon.
struct Calendar {
    folder: PathBuf,
}

impl Calendar {
    fn new() -> Calendar {
        let folder = std::env::temp_dir().join(format!("wspush-calendar-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/odd_systems/calendar.c");
        let mut compile = Command::new("cc");
        compile
            .args(["-Wall", "-Werror", "-shared", "-fPIC", "-o"])
            .arg(folder.join("calendar.so"))
            .arg(source);
        assert!(compile.status().expect("a compiler").success());
        Calendar { folder }
    }

    /// Sets it to so many seconds after the beginning of 1970.
    fn set(&self, calendar_s: u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a later year");
        let ahead_s = i128::from(calendar_s) - i128::from(now.as_secs());
        let written = self.folder.join("new");
        fs::write(&written, ahead_s.to_string()).expect("a file");
        fs::rename(written, self.folder.join("ahead")).expect("both lie in one folder");
    }

    /// The daemon's command line, with this calendar.
    fn command(&self) -> Command {
        let mut command = Command::new(daemon::program());
        command.env("LD_PRELOAD", self.folder.join("calendar.so"));
        command.env("CALENDAR_AHEAD", self.folder.join("ahead"));
        command
    }
}

impl Drop for Calendar {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// 1970, the second in which 32 bits of seconds end, the one behind it, and 2106, where those without a sign end.
const CALENDARS_S: [u64; 6] = [60, (1 << 31) - 1, 1 << 31, 60, (1 << 32) + 1, 1_800_000_000];

/// The newest publication of the default channel: its offset, and when it was made.
fn newest(daemon: &Daemon) -> (u64, u64) {
    let history = daemon.ask("GET", "/channels/broadcast/history?since=last:1", &[], b"").json();
    let newest = &history["publications"][0];
    (newest["offset"].as_u64().expect("an offset"), newest["time_ms"].as_u64().expect("a time"))
}

#[test]
fn it_serves_in_1970_when_2038_has_passed_and_while_the_calendar_jumps() {
    let calendar = Calendar::new();
    for first_s in [60, 1 << 31] {
        calendar.set(first_s);
        let daemon = Daemon::start_by(calendar.command(), &[]);
        let mut clients: Vec<_> = (0..5).map(|_| WebSocket::open(&daemon)).collect();
        let mut latest_s = 0;
        for (offset, calendar_s) in (1..).zip(CALENDARS_S) {
            calendar.set(calendar_s);
            clients.push(WebSocket::open(&daemon));
            daemon.push("to all");
            assert!(clients.iter_mut().all(|client| client.text() == "to all"), "in second {calendar_s}");
            let (newest, unix_ms) = newest(&daemon);
            assert_eq!(newest, offset);
            // Publications of a log have times that never go back, whatever the calendar does.
            latest_s = latest_s.max(calendar_s);
            let hour = latest_s * 1_000..(latest_s + 3_600) * 1_000;
            assert!(hour.contains(&unix_ms), "{unix_ms} in second {calendar_s}");
        }
        serves(daemon);
    }
}

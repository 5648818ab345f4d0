//! Old kernels, strict sandboxes and bare systems: the real daemon without what others take for granted.

use std::path::Path;
use std::process::{Command, Stdio};

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

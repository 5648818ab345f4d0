//! Notifications to systemd, by the protocol of sd_notify(3), and the units that are shipped.

use std::collections::VecDeque;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::daemon::{self, Daemon};

const PATIENCE: Duration = Duration::from_secs(30);

/// systemd's end of the socket, in a folder that goes with the test.
struct Manager {
    socket: UnixDatagram,
    path: PathBuf,
    heard: VecDeque<String>,
}

impl Manager {
    fn new(name: &str) -> Manager {
        let path = std::env::temp_dir().join(format!("wspush-{name}-{}.sock", std::process::id()));
        let socket = UnixDatagram::bind(&path).expect("a socket");
        socket.set_read_timeout(Some(PATIENCE)).expect("a time");
        Manager { socket, path, heard: VecDeque::new() }
    }

    fn start(&self, variables: &[(&str, &str)], flags: &[&str]) -> Daemon {
        let mut command = Command::new(daemon::program());
        command.env("NOTIFY_SOCKET", &self.path).envs(variables.iter().copied()).stdin(Stdio::null());
        Daemon::start_by(command, flags)
    }

    /// The next line that is no sign of life.
    fn line(&mut self) -> String {
        loop {
            match self.any() {
                sign if sign == "WATCHDOG=1" => {}
                line => return line,
            }
        }
    }

    fn any(&mut self) -> String {
        while self.heard.is_empty() {
            let mut datagram = [0; 4096];
            let size = self.socket.recv(&mut datagram).expect("systemd is told something");
            let text = String::from_utf8(datagram[..size].to_vec()).expect("UTF-8");
            self.heard.extend(text.lines().map(str::to_owned));
        }
        self.heard.pop_front().expect("a line")
    }
}

impl Drop for Manager {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

#[test]
fn it_hears_of_the_start_a_reload_and_the_end() {
    let mut manager = Manager::new("notify");
    let mut daemon = manager.start(&[], &[]);
    assert_eq!(manager.line(), "READY=1");
    daemon.signal("HUP");
    assert_eq!(manager.line(), "RELOADING=1");
    assert!(manager.line().strip_prefix("MONOTONIC_USEC=").unwrap().parse::<u64>().unwrap() > 0);
    assert_eq!(manager.line(), "READY=1");
    daemon.wait_event("reloaded");
    daemon.signal("TERM");
    assert_eq!(manager.line(), "STOPPING=1");
    assert!(daemon.wait_exit().success());
}

#[cfg(feature = "handover")]
#[test]
fn the_successor_becomes_the_services_process() {
    let mut manager = Manager::new("succeeded");
    let folder = std::env::temp_dir().join(format!("wspush-succeeded-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let path = folder.join("handover.sock");
    let flags = ["--handover".to_owned(), format!("unix:{}", path.display())];
    let watched = [("WATCHDOG_USEC", "1500000")];
    let mut daemon = manager.start(&watched, &flags.each_ref().map(String::as_str));
    assert_eq!(manager.line(), "READY=1");
    daemon::wait("the socket", || path.exists());
    let mut client = daemon::WebSocket::open(&daemon);
    // As ExecReload of the unit does it, where nothing is said of signs of life.
    let mut upgrade = Command::new(daemon::program());
    upgrade.arg("upgrade").args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).args(&flags);
    upgrade.env("NOTIFY_SOCKET", &manager.path).env("MAINPID", daemon.pid().to_string());
    let upgrade = upgrade.stdin(Stdio::null()).stderr(Stdio::null()).output().expect("it starts");
    assert!(upgrade.status.success(), "it comes back when that is done");
    // From the process that systemd knows, and from the one that it is to know.
    let said: std::collections::BTreeSet<String> = [manager.line(), manager.line()].into();
    assert!(said.contains("READY=1"), "{said:?}");
    let process: u32 = said.iter().find_map(|line| line.strip_prefix("MAINPID=")).unwrap().parse().unwrap();
    let _successor = Killed(process);
    assert!(daemon.wait_exit().success(), "and nothing of its end");
    assert_ne!(process, daemon.pid());
    for _ in 0..4 {
        assert_eq!(manager.any(), "WATCHDOG=1", "the successor gives signs of life");
    }
    daemon.push("on");
    assert_eq!(client.text(), "on");
    let again =
        Command::new(daemon::program()).arg("upgrade").stdin(Stdio::null()).output().expect("it starts");
    assert_eq!(again.status.code(), Some(2), "there is no path");
    let nobody = format!("unix:{}", folder.join("nobody.sock").display());
    let flags = ["upgrade", "--listen", "127.0.0.1:0", "--admin", "off", "--handover", &nobody];
    let again = Command::new(daemon::program()).args(flags).stdin(Stdio::null()).output().expect("it starts");
    let said = String::from_utf8_lossy(&again.stderr);
    assert!(again.status.code() == Some(1) && said.contains("there is nothing to take over"), "{said}");
    daemon::process::signal(process, "TERM");
    assert_eq!(manager.line(), "STOPPING=1");
    assert_eq!(client.closed().0, 1001);
    let _ = fs::remove_dir_all(&folder);
}

/// A process that doesn't outlive the test.
#[cfg(feature = "handover")]
struct Killed(u32);

#[cfg(feature = "handover")]
impl Drop for Killed {
    fn drop(&mut self) {
        // It has ended, unless something has failed.
        let _ = Command::new("kill").args(["-KILL", &self.0.to_string()]).stderr(Stdio::null()).status();
    }
}

#[test]
fn a_reload_that_is_refused_ends_as_well() {
    let mut manager = Manager::new("refused");
    let file = std::env::temp_dir().join(format!("wspush-notify-{}.toml", std::process::id()));
    fs::write(&file, "drain_ms = 1\n").unwrap();
    let daemon = manager.start(&[], &["--config", file.to_str().unwrap()]);
    assert_eq!(manager.line(), "READY=1");
    fs::write(&file, "drain_ms = -1\n").unwrap();
    daemon.signal("HUP");
    assert_eq!((manager.line().as_str(), manager.line().starts_with("MONOTONIC")), ("RELOADING=1", true));
    assert_eq!(manager.line(), "READY=1");
    daemon.wait_event("not_reloaded");
    fs::remove_file(&file).unwrap();
}

#[test]
fn it_gets_signs_of_life_as_long_as_the_loop_turns() {
    let mut manager = Manager::new("watchdog");
    let mut daemon = manager.start(&[("WATCHDOG_USEC", "300000")], &[]);
    for _ in 0..5 {
        while manager.any() != "WATCHDOG=1" {}
    }
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success());
}

#[test]
fn the_units_are_right() {
    let contrib = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib");
    let folder = std::env::temp_dir().join(format!("wspush-units-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let unit = fs::read_to_string(contrib.join("wspushd.service")).unwrap();
    let program = daemon::program();
    let program = Path::new(&program).to_str().expect("UTF-8");
    assert!(unit.contains("Type=notify\n"));
    fs::write(folder.join("wspushd.service"), unit.replace("/usr/local/bin/wspushd", program)).unwrap();
    fs::copy(contrib.join("wspushd.socket"), folder.join("wspushd.socket")).unwrap();
    // With keys of root's and port 443 as well.
    fs::create_dir_all(folder.join("wspushd.service.d")).unwrap();
    fs::copy(contrib.join("wspushd-tls.conf"), folder.join("wspushd.service.d/tls.conf")).unwrap();
    fs::copy(contrib.join("wspushd-cluster.conf"), folder.join("wspushd.service.d/cluster.conf")).unwrap();
    let analyze = |args: &[&str]| {
        let output = Command::new("systemd-analyze")
            .args(args)
            .current_dir(&folder)
            .output()
            .expect("systemd-analyze");
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        (output.status.success(), said)
    };
    let (is_right, said) = analyze(&["verify", "./wspushd.service", "./wspushd.socket"]);
    // Other units of this machine may be wrong.
    assert!(is_right && !said.contains("wspushd."), "{said}");
    // From 0, sealed off, to 100; above the threshold it fails.
    let (is_sealed, said) = analyze(&["security", "--offline=true", "--threshold=20", "./wspushd.service"]);
    assert!(is_sealed, "{said}");
    fs::remove_dir_all(&folder).unwrap();
}

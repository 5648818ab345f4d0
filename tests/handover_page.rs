//! The upgrade that `docs/upgrades.md` invites its reader to try, by the commands that stand there.

use std::ffi::OsStr;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::daemon::{Daemon, Http, program, wait};
use crate::handover::Folder;

/// Those that the page has one below the other: the server's, the clients', the upgrade's, and the end's.
fn commands() -> [Vec<String>; 4] {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/upgrades.md");
    let page = std::fs::read_to_string(page).expect("the page");
    let (_, page) = page.split_once("Try it, under load.").expect("the invitation");
    let words = |line: &str| {
        line.split_whitespace().filter(|word| *word != "&").map(str::to_owned).collect::<Vec<_>>()
    };
    let mut commands = page
        .lines()
        .filter_map(|line| line.strip_prefix("    "))
        .filter(|line| line.starts_with("wspush") || line.starts_with("curl"))
        .map(words);
    std::array::from_fn(|_| commands.next().expect("four commands"))
}

/// The load client, built: with all of the workspace, or else now.
fn bench() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_wspushd")).with_file_name("wspush-bench");
    if program.exists() {
        return program;
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "-p", "wspush-bench"]);
    let release: &[&str] = if cfg!(debug_assertions) { &[] } else { &["--release"] };
    assert!(cargo.args(release).status().expect("cargo").success());
    program
}

/// A server that is nobody's child, ended when the test is over.
struct Ended(SocketAddr);

impl Ended {
    fn ask(&self, method: &str, target: &str) -> u16 {
        Http::tcp(self.0).ask(method, target, &[], b"").status
    }
}

impl Drop for Ended {
    fn drop(&mut self) {
        // Where the test has failed, it may be there still.
        if std::net::TcpStream::connect(self.0).is_ok() {
            self.ask("POST", "/drain");
        }
    }
}

/// Clients that don't outlive the test.
struct Clients(Option<Child>);

impl Drop for Clients {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

#[test]
fn a_reader_in_two_terminals_sees_no_client_blink() {
    let [server, clients, upgrade, end] = commands();
    let folder = Folder::new("page");
    let path = folder.address();
    let here = |words: &[String]| -> Vec<String> {
        let here = |word: &String| match word.as_str() {
            "unix:/tmp/handover.sock" => path.clone(),
            "60s" => "10s".to_owned(),
            _ => word.clone(),
        };
        words.iter().map(here).collect()
    };
    let with = |program: &OsStr, words: &[String]| {
        let mut command = Command::new(program);
        command.args(&here(words)[1..]).stdin(Stdio::null());
        command
    };
    assert_eq!([&server[0], &clients[0], &upgrade[0]], ["wspushd", "wspush-bench", "wspushd"]);
    let mut daemon = Daemon::start_by(with(&program(), &server), &[]);
    wait("the socket", || folder.exists());
    let (public, successor) = (format!("ws://{}/ws", daemon.public), Ended(daemon.admin()));
    let push = format!("http://{}/push", successor.0);
    let mut clients = with(bench().as_os_str(), &clients);
    clients.args(["--url", &public, "--push", &push]).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut clients = Clients(Some(clients.spawn().expect("the clients")));
    daemon.wait_stats("the clients", |stats| stats["connections"].as_u64() >= Some(500));
    let mut upgrades = 0;
    while clients.0.as_mut().expect("clients").try_wait().expect("a child").is_none() {
        let mut upgrade = with(&program(), &upgrade);
        upgrade.args(["--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"]).stderr(Stdio::null());
        assert!(upgrade.status().expect("it starts").success(), "upgrade {}", upgrades + 1);
        upgrades += 1;
    }
    let report = clients.0.take().expect("clients").wait_with_output().expect("a report");
    let text = String::from_utf8_lossy(&report.stdout);
    assert!(report.status.success() && text.contains("PASSED"), "{text}");
    assert!(text.contains("0 lost, 0 duplicated, 0 out of order, 0 corrupted"), "{text}");
    // The last one may have come after the clients' end.
    assert!(upgrades > 2, "{upgrades} upgrades\n{text}");
    assert!(daemon.wait_exit().success() && daemon.events("handed_over") == 1, "{}", daemon.log());
    let [curl, method, post, url] = &end[..] else { panic!("{end:?}") };
    assert_eq!([curl, method], ["curl", "-X"]);
    let path = url.strip_prefix("http://127.0.0.1:8081").expect("the admin listener");
    assert_eq!(successor.ask(post, path), 200);
    wait("its end", || std::net::TcpStream::connect(successor.0).is_err());
}

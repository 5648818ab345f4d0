//! The admin API that `wspush-bench` pushes to and asks: over TCP, TLS and a Unix socket, with a token and without.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

mod load;

use load::terminator::Terminator;
use load::{Fault, Outcome, bench, run, serve, serve_guarded};
use serde_json::Value;
use std::path::PathBuf;

const CONNECTIONS: u64 = 3;
const MESSAGES: u64 = 4;
const TOKEN: &str = "hunter2-is-not-to-be-seen";

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("wspush-admin-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn file(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn broadcast(url: &str, push: &str, more: &[&str], token: Option<&str>) -> Outcome {
    let (connections, messages) = (CONNECTIONS.to_string(), MESSAGES.to_string());
    let mut args = vec!["--url", url, "--push", push, "-n", &connections, "-m", &messages];
    args.extend(["--warm-up", "0", "--interval", "1ms"]);
    args.extend(more);
    run("broadcast", &args, token)
}

fn assert_all_received(outcome: &Outcome) {
    let Outcome { status, report, text, .. } = outcome;
    let received = &report["messages"]["received"];
    assert_eq!((*status, received), (0, &Value::from(CONNECTIONS * MESSAGES)), "{text}");
}

#[test]
fn a_token_comes_from_a_file_or_the_environment_and_is_shown_to_nobody() {
    let (server, folder) = (serve_guarded(Fault::None, Some(TOKEN)), Folder::new("token"));
    let file = folder.file("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    for (more, token) in [
        (&["--admin-token-file", file.as_str()][..], None),
        (&[], Some(TOKEN)),
        // The file is the stronger one.
        (&["--admin-token-file", &file], Some("hunter2-is-wrong")),
    ] {
        let outcome = broadcast(&server.url, &server.push, more, token);
        assert_all_received(&outcome);
        let shown = format!("{}{}{}", outcome.text, outcome.page, outcome.report);
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

#[test]
fn a_missing_or_wrong_token_is_told_with_the_way_out() {
    let server = serve_guarded(Fault::None, Some(TOKEN));
    for token in [None, Some("hunter2-is-wrong")] {
        let Outcome { status, text, .. } = broadcast(&server.url, &server.push, &[], token);
        assert_eq!(status, 1, "{text}");
        assert!(
            text.contains("refused: http 401; give the token in a file with --admin-token-file"),
            "{text}"
        );
        assert!(!text.contains("hunter2"), "{text}");
    }
    // An empty variable is not an unset one.
    for token in ["hunter2\r\nX: y", ""] {
        let Outcome { status, text, .. } = broadcast(&server.url, &server.push, &[], Some(token));
        assert!(status == 2 && text.contains("WSPUSH_ADMIN_TOKEN: expected a token"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn secrets_of_the_command_line_are_in_no_report() {
    let server = serve(Fault::None);
    let url = format!("{}?channel=a&token={TOKEN}", server.url);
    let header = format!("Cookie: {TOKEN}");
    let outcome = broadcast(&url, &server.push, &["--header", &header], None);
    assert_all_received(&outcome);
    let shown = format!("{}{}{}", outcome.text, outcome.page, outcome.report);
    assert!(!shown.contains("hunter2"), "{shown}");
    let target = outcome.report["target"].as_str().unwrap();
    assert_eq!(target, format!("{}?channel=a&token=...", server.url));
}

#[test]
fn a_unix_socket_takes_pushes_and_tells_its_statistics() {
    let (server, folder) = (serve_guarded(Fault::None, Some(TOKEN)), Folder::new("unix"));
    let socket = folder.file("admin.sock");
    server.listen_at(socket.as_ref());
    let (address, stats) = (format!("unix:{socket}"), format!("unix:{socket}:/stats"));
    for push in [address.clone(), format!("{address}:/push")] {
        let outcome = broadcast(&server.url, &push, &["--stats", &stats, "--pipeline", "4"], Some(TOKEN));
        assert_all_received(&outcome);
        // Earlier connections may still be members of the server, so a send may go nowhere.
        let sends = outcome.report["counted"]["sends"].as_u64().unwrap();
        assert!(sends >= CONNECTIONS * MESSAGES, "{}", outcome.report);
        assert_eq!(outcome.report["counted"]["deliveries"], 2 * sends);
        assert_eq!(outcome.report["counted"]["send_bytes"], 100 * sends);
        assert!(outcome.text.contains("Counted by the server"), "{}", outcome.text);
    }
    let (status, _, text) = bench("broadcast", &["--url", &server.url, "--push", "unix:/nonexistent/socket"]);
    assert!(status == 2 && text.contains("push to unix:/nonexistent/socket: No such file"), "{text}");
}

#[test]
fn an_https_admin_is_trusted_as_a_wss_server_is() {
    let server = serve_guarded(Fault::None, Some(TOKEN));
    let tls = Terminator::before(server.admin_address, true);
    let certificate = tls.certificate();
    let (push, stats) = (format!("https://{}/push", tls.address), format!("https://{}", tls.address));
    for trust in [&["--ca", certificate.to_str().unwrap()][..], &["--insecure"]] {
        let outcome = broadcast(&server.url, &push, &[trust, &["--stats", &stats]].concat(), Some(TOKEN));
        assert_all_received(&outcome);
        assert!(outcome.report["counted"]["sends"].as_u64().unwrap() >= CONNECTIONS * MESSAGES);
    }
    let other = Terminator::before(server.admin_address, true);
    let certificate = other.certificate();
    let Outcome { status, text, .. } =
        broadcast(&server.url, &push, &["--ca", certificate.to_str().unwrap()], Some(TOKEN));
    assert!(status == 2 && text.contains("invalid peer certificate"), "{text}");
}

#[test]
fn statistics_that_are_none_are_told_before_the_first_connection() {
    let server = serve_guarded(Fault::None, Some(TOKEN));
    let stats = format!("http://{}/stats", server.admin_address);
    let args = ["--url", &server.url, "--stats", &stats];
    let Outcome { status, text, .. } = run("connect", &args, None);
    assert!(status == 2 && text.contains("http 401") && text.contains("--admin-token-file"), "{text}");
    let Outcome { status, report, text, .. } = run("connect", &args, Some(TOKEN));
    assert_eq!((status, &report["counted"]["sends"]), (0, &Value::from(0)), "{text}");
    let elsewhere = format!("http://{}/push", server.address);
    let (status, _, text) = bench("connect", &["--url", &server.url, "--stats", &elsewhere]);
    assert!(status == 2 && text.starts_with("wspush-bench: stats of"), "{text}");
}

#[test]
fn options_without_an_admin_api_are_contradictions() {
    for (mode, args, words) in [
        ("connect", &["--admin-token-file", "/dev/null"][..], "for --push and --stats"),
        ("echo", &["--ca", "/dev/null"], "wss:// and https://"),
        ("broadcast", &["--push", "ftp://127.0.0.1/"], "unix:/SOCKET"),
        (
            "broadcast",
            &["--push", "https://127.0.0.1:1/", "--resume"],
            "for wss:// and https:// addresses, and --url has none",
        ),
    ] {
        let (status, _, text) = bench(mode, args);
        assert!(status == 2 && text.contains(words), "{args:?}: {text}");
    }
}

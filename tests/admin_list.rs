//! Several admin listeners, one of which has numbers only; and who may connect to a Unix-domain socket.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use crate::daemon::{Daemon, Http, field};

/// The address of the listener at this door.
fn address(daemon: &Daemon, door: &str) -> String {
    let is_it = |line: &str| field(line, "event") == Some("listening") && field(line, "door") == Some(door);
    field(&daemon.wait_log(is_it), "address").unwrap().to_owned()
}

#[test]
fn numbers_are_for_anybody_and_nothing_else_is() {
    let admin = "127.0.0.1:0,metrics://127.0.0.1:0";
    let daemon = Daemon::start(&["--admin", admin, "--admin-token", "s3cret"]);
    let numbers = address(&daemon, "metrics").parse().unwrap();
    for (method, target, status) in [
        ("GET", "/metrics", 200),
        ("HEAD", "/metrics", 200),
        ("GET", "/healthz", 200),
        ("GET", "/readyz", 200),
        ("GET", "/", 404),
        ("GET", "/stats", 404),
        ("GET", "/connections", 404),
        ("GET", "/channels", 404),
        ("POST", "/push", 404),
        ("POST", "/drain", 404),
        ("DELETE", "/users/ann", 404),
        ("POST", "/metrics", 405),
    ] {
        for host in ["localhost", "prometheus.example"] {
            let mut http = Http::tcp(numbers);
            let head = format!("{method} {target} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 0\r\n\r\n");
            http.send(head.as_bytes());
            assert_eq!(http.response_to(method).status, status, "{method} {target}");
        }
        // With the token it is no more than without.
        let response = Http::tcp(numbers).ask(method, target, &[("Authorization", "Bearer s3cret")], b"");
        assert_eq!(response.status, status, "{method} {target} with the token");
    }
    assert_eq!(daemon.push("there all is as it was")["recipients"], 0);
    assert_eq!(Http::tcp(daemon.admin()).ask("GET", "/metrics", &[], b"").status, 401);
    let text = Http::tcp(numbers).ask("GET", "/metrics", &[], b"").text();
    for name in
        ["wspush_build_info{version=", "process_cpu_seconds_total ", "process_threads ", "process_max_fds "]
    {
        assert!(text.contains(&format!("\n{name}")), "{name} in {text}");
    }
}

#[test]
fn a_socket_and_an_address_serve_the_same() {
    let folder = std::env::temp_dir().join(format!("wspush-admins-{}", std::process::id()));
    fs::create_dir(&folder).unwrap();
    let (one, two) = (folder.join("one"), folder.join("two"));
    let admin = format!("127.0.0.1:0,unix:{},unix:{}", one.display(), two.display());
    let group = fs::metadata(&folder).unwrap().gid().to_string();
    let flags = ["--admin", &admin, "--admin-socket-mode", "0660", "--admin-socket-group", &group];
    let mut daemon = Daemon::start(&flags);
    for path in [&one, &two] {
        let metadata = fs::metadata(path).unwrap();
        assert_eq!(
            (metadata.permissions().mode() & 0o777, metadata.gid().to_string()),
            (0o660, group.clone())
        );
        // A name that is not this machine's is refused where a browser may ask, and nowhere else.
        let mut http = Http::unix(path.to_str().unwrap());
        http.send(b"GET /stats HTTP/1.1\r\nHost: app.example\r\n\r\n");
        assert_eq!(http.response().status, 200);
    }
    let mut http = Http::tcp(daemon.admin());
    http.send(b"GET /stats HTTP/1.1\r\nHost: app.example\r\n\r\n");
    assert_eq!(http.response().status, 403);
    daemon.signal("TERM");
    assert!(daemon.wait_exit().success() && !one.exists() && !two.exists());
    fs::remove_dir(&folder).unwrap();
}

#[test]
fn what_lets_too_many_in_or_is_nobody_is_refused() {
    let path = std::env::temp_dir().join(format!("wspush-loose-{}", std::process::id()));
    let unix = format!("unix:{}", path.display());
    for (flags, why) in [
        (&["--admin-socket-mode", "0666"][..], "needs admin_token"),
        (&["--admin-socket-mode", "0066"], "its owner itself"),
        (&["--admin-socket-mode", "rw"], "octal"),
        (&["--admin-socket-group", "no-such-group-here"], "no such group"),
        (&["--admin-socket-group", "a:b"], "no group's name"),
    ] {
        let (status, said) = Daemon::refused(&[&["--admin", &unix], flags].concat());
        assert!(!status.success() && said.contains(why), "{said}");
        assert!(!path.exists(), "{said}");
    }
    let (status, said) = Daemon::refused(&["--admin", "off,127.0.0.1:0"]);
    assert!(!status.success() && said.contains("expected"), "{said}");
}

#[test]
fn the_request_that_a_push_is_part_of_is_in_its_answer_and_in_the_log() {
    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let daemon = Daemon::start(&["--admin-token", "s3cret"]);
    let field = [("traceparent", PARENT)];
    let batch = br#"{"channel":"news","data":"1"}"#;
    for (target, body) in [
        ("/push", &b"x"[..]),
        ("/push?channel=a&channel=b", b"x"),
        ("/push?user=ann", b"x"),
        ("/push/batch", batch),
    ] {
        let answer = daemon.ask("POST", target, &field, body);
        assert_eq!((answer.status, answer.json()["traceparent"].as_str()), (200, Some(PARENT)), "{target}");
    }
    let is_it = |line: &str| crate::daemon::field(line, "traceparent") == Some(PARENT);
    assert_eq!(crate::daemon::field(&daemon.wait_log(is_it), "request").map(|text| &text[..4]), Some("POST"));
    let lines = || daemon.log().lines().filter(|line| is_it(line)).count();
    crate::daemon::wait("the lines", || lines() >= 4);
    assert_eq!((lines(), daemon.events("audit")), (4, 4));
    for wrong in ["", "x", "00-0-0-0", &PARENT.to_uppercase()] {
        let answer = daemon.ask("POST", "/push", &[("traceparent", wrong)], b"x");
        assert_eq!((answer.status, answer.json().get("traceparent")), (200, None), "{wrong}");
    }
    // Where there are no audit lines, only a trace that somebody records has one.
    let daemon = Daemon::start(&[]);
    let unsampled = PARENT.replace("-01", "-00");
    for parent in [&*unsampled, PARENT] {
        let answer = daemon.ask("POST", "/push", &[("traceparent", parent)], b"x");
        assert_eq!((answer.status, answer.json()["traceparent"].as_str()), (200, Some(parent)));
    }
    daemon.wait_log(is_it);
    assert_eq!(daemon.events("audit"), 1);
}

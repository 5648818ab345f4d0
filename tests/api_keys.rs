//! Keys of programs: what each may do, how often, and the lines that say what was done with it.

use std::fs;

use crate::daemon::{Daemon, Http, Response, field};

/// A key and its SHA-256.
const SHOP: (&str, &str) = ("foo", "2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
const OPS: (&str, &str) = ("bar", "fcde2b2edba56bf408601fb721fe9b5c338d10ee429ea04fae5511b68fbf8fb9");
const TOKEN: &str = "s3cret";

fn shop(rest: &str) -> String {
    format!("shop sha256={} {rest}", SHOP.1)
}

fn ask(http: &mut Http, key: &str, line: &str, body: &str) -> Response {
    let (method, target) = line.split_once(' ').unwrap();
    http.ask(method, target, &[("Authorization", &format!("Bearer {key}"))], body.as_bytes())
}

#[test]
fn a_key_does_what_it_allows_where_it_may() {
    let ops = format!("ops sha256={} allow=read+disconnect", OPS.1);
    let keys = format!("{},{ops}", shop("allow=push+read channels=orders.*;news"));
    let daemon = Daemon::start(&["--api-key", &keys, "--admin-token", TOKEN]);
    for (line, body, by_shop, by_ops) in [
        ("POST /push?channel=orders.7", "x", 200, 403),
        ("POST /push?channel=news", "x", 200, 403),
        ("POST /push?channel=news&channel=other", "x", 403, 403),
        ("POST /push?channel=news2", "x", 403, 403),
        ("POST /push", "x", 403, 403),
        ("POST /push?user=ann", "x", 403, 403),
        ("POST /push?conn=77", "x", 403, 403),
        ("POST /push/batch", r#"{"channel":"news","data":"1"}"#, 200, 403),
        (
            "POST /push/batch",
            "{\"channel\":\"news\",\"data\":\"1\"}\n{\"user\":\"ann\",\"data\":\"1\"}",
            403,
            403,
        ),
        ("POST /push/batch", r#"{"channel":"other","data":"1"}"#, 403, 403),
        ("GET /stats", "", 200, 200),
        ("GET /metrics", "", 200, 200),
        ("GET /connections", "", 403, 200),
        ("GET /connections?channel=news", "", 403, 200),
        ("GET /channels", "", 403, 200),
        ("GET /channels?prefix=orders.7", "", 200, 200),
        ("GET /channels?prefix=order", "", 403, 200),
        ("GET /channels/news", "", 200, 200),
        ("GET /channels/orders%2e7/history", "", 200, 200),
        ("GET /channels/broadcast", "", 403, 200),
        ("DELETE /channels/news/history", "", 200, 403),
        ("GET /users/ann", "", 403, 200),
        ("DELETE /users/ann", "", 403, 200),
        ("POST /users/ann/subscribe?channel=news", "", 403, 200),
        ("DELETE /connections/77", "", 403, 404),
        ("GET /healthz", "", 200, 200),
        ("GET /readyz", "", 200, 200),
    ] {
        let answer = ask(&mut daemon.admin_http(), SHOP.0, line, body);
        assert_eq!(answer.status, by_shop, "shop: {line}: {}", answer.text());
        let answer = ask(&mut daemon.admin_http(), OPS.0, line, body);
        assert_eq!(answer.status, by_ops, "ops: {line}: {}", answer.text());
    }
    assert_eq!(ask(&mut daemon.admin_http(), TOKEN, "POST /push?user=ann", "x").status, 200);
    let why = |line| ask(&mut daemon.admin_http(), SHOP.0, line, "x").json()["error"].to_string();
    assert!(why("POST /push?channel=other").contains(r#"the key shop is not for the channel \"other\""#));
    assert!(why("DELETE /users/ann").contains(r#"it needs \"disconnect\" in allow"#));
}

#[test]
fn where_there_are_keys_nobody_comes_without_one() {
    let daemon = Daemon::start(&["--api-key", &shop("allow=push")]);
    let mut http = daemon.admin_http();
    assert_eq!(http.ask("POST", "/push", &[], b"x").status, 401);
    http.expect_end();
    assert_eq!(ask(&mut daemon.admin_http(), "fo", "POST /push", "x").status, 401);
    // Who knows the hash knows no key.
    assert_eq!(ask(&mut daemon.admin_http(), SHOP.1, "POST /push", "x").status, 401);
    assert_eq!(ask(&mut daemon.admin_http(), SHOP.0, "POST /push", "x").status, 200);
}

#[test]
fn every_change_is_one_line_that_says_who_made_it() {
    let file = std::env::temp_dir().join(format!("wspush-audit-{}.toml", std::process::id()));
    let settings = format!("api_key = '{}'\n", shop("allow=push channels=news"));
    fs::write(&file, &settings).unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    // From here on for machines.
    fs::write(&file, settings + "log_format = 'json'\n").unwrap();
    daemon.signal("HUP");
    daemon.wait_log(|line| line.contains(r#""event":"reloaded","applied":"log_format""#));
    fs::remove_file(&file).unwrap();
    let mut http = daemon.admin_http();
    for _ in 0..40 {
        assert_eq!(ask(&mut http, SHOP.0, "POST /push?channel=news&idempotency_key=hidden", "x").status, 200);
    }
    assert_eq!(ask(&mut http, SHOP.0, "POST /push?channel=other", "x").status, 403);
    daemon.wait_log(|line| line.contains("\"event\":\"audit\"") && line.contains("\"status\":\"403\""));
    let lines: Vec<serde_json::Value> = daemon
        .log()
        .lines()
        .filter(|line| !line.starts_with("ts="))
        .map(|line| serde_json::from_str(line).expect(line))
        .collect();
    let audited: Vec<_> = lines.iter().filter(|line| line["event"] == "audit").collect();
    assert_eq!(audited.len(), 41);
    let first = audited[0];
    assert_eq!(
        [&first["key"], &first["request"], &first["status"], &first["to"]],
        ["shop", "POST /push", "200", "channel=news"]
    );
    assert!(first["peer"].as_str().unwrap().starts_with("127.0.0.1:"));
    for secret in ["hidden", SHOP.1, "Bearer"] {
        assert!(!daemon.log().contains(secret), "{secret}");
    }
}

#[test]
fn the_operator_is_named_too_and_audit_may_be_off() {
    let daemon = Daemon::start(&["--admin-token", TOKEN]);
    assert_eq!(ask(&mut daemon.admin_http(), TOKEN, "DELETE /users/ann?revoke=no", "").status, 200);
    let line = daemon.wait_event("audit");
    assert_eq!(field(&line, "key"), Some("admin_token"));
    assert_eq!(field(&line, "status"), Some("later"));
    for (flags, lines) in
        [(&["--audit", "off", "--admin-token", TOKEN][..], 0), (&["--audit", "on"], 1), (&[], 0)]
    {
        let daemon = Daemon::start(flags);
        assert_eq!(ask(&mut daemon.admin_http(), TOKEN, "POST /push", "x").status, 200);
        // Of what only looks there is never a line.
        assert_eq!(ask(&mut daemon.admin_http(), TOKEN, "GET /stats", "").status, 200);
        if lines > 0 {
            daemon.wait_event("audit");
        }
        let log = daemon.log();
        assert_eq!(log.lines().filter(|line| line.contains("event=audit")).count(), lines, "{flags:?}");
    }
}

#[test]
fn a_key_pushes_as_often_as_it_may() {
    let daemon =
        Daemon::start(&["--api-key", &shop("allow=push pushes_per_second=3"), "--admin-token", TOKEN]);
    let mut http = daemon.admin_http();
    let batch = "{\"channel\":\"news\",\"data\":\"1\"}\n".repeat(4);
    let answer = ask(&mut http, SHOP.0, "POST /push/batch", &batch);
    assert_eq!((answer.status, answer.text().contains("4 pushes at once")), (413, true));
    // However slow this machine is: 200 of them take less than a minute.
    let answers: Vec<Response> = (0..200).map(|_| ask(&mut http, SHOP.0, "POST /push", "x")).collect();
    let refused: Vec<&Response> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(!refused.is_empty() && answers[0].status == 200);
    assert_eq!(refused[0].header("retry-after"), Some("1"));
    assert_eq!(daemon.counter("publications") as usize, answers.len() - refused.len(), "nothing in between");
    // The others' pushes are their own.
    assert_eq!(ask(&mut http, TOKEN, "POST /push/batch", &batch).status, 200);
}

#[test]
fn keys_are_tables_and_are_changed_while_the_server_runs() {
    let file = std::env::temp_dir().join(format!("wspush-keys-{}.toml", std::process::id()));
    let table = |name: &str, hash: &str| {
        format!(
            "[[api_key]]\nname = \"{name}\"\nsha256 = \"{hash}\"\n\
             allow = [\"push\", \"read\"]\nchannels = [\"news\", \"a.*\"]\n"
        )
    };
    fs::write(&file, table("shop", SHOP.1)).unwrap();
    let daemon = Daemon::start(&["--config", file.to_str().unwrap()]);
    let status = |key: &str| ask(&mut daemon.admin_http(), key, "POST /push?channel=a.b", "x").status;
    assert_eq!((status(SHOP.0), status(OPS.0)), (200, 401));
    fs::write(&file, table("ops", OPS.1)).unwrap();
    daemon.signal("HUP");
    daemon.wait_event("reloaded");
    assert_eq!((status(SHOP.0), status(OPS.0)), (401, 200));
    for (wrong, said) in [
        (table("a b", SHOP.1), "values"),
        (table("shop", "f00"), "sha256 is not the 64 hexadecimal digits"),
        (table("shop", SHOP.1).repeat(2), "the name shop is there twice"),
        (table("shop", SHOP.1) + &table("ops", SHOP.1), "shop and ops are the same key"),
        ("[[api_key]]\nname = \"x\"".to_owned(), "x: sha256 is missing"),
        ("[[api_key]]\nsha256 = \"x\"".to_owned(), "a table [[api_key]] has a key name"),
        ("[api_key]\nname = \"x\"".to_owned(), "is not a list of text"),
    ] {
        fs::write(&file, &wrong).unwrap();
        let (status, problem) = Daemon::refused(&["--config", file.to_str().unwrap()]);
        assert_eq!(status.code(), Some(2));
        assert!(problem.contains(said) && !problem.contains(SHOP.1), "{problem}");
    }
    fs::remove_file(&file).unwrap();
}

//! `POST /push`: what is taken, what is refused, and the receipt.

use crate::daemon::{self, Daemon, Frame, WebSocket};
use crate::wire::{BINARY, TEXT};

const FORM: &str = "application/x-www-form-urlencoded";

fn frame(opcode: u8, payload: &[u8]) -> Frame {
    Frame { opcode, payload: payload.to_vec(), rsv1: false }
}

fn push(daemon: &Daemon, target: &str, content_type: &str, body: &[u8]) -> (u16, serde_json::Value) {
    let headers: Vec<_> =
        [("Content-Type", content_type)].into_iter().filter(|(_, v)| !v.is_empty()).collect();
    let response = daemon.ask("POST", target, &headers, body);
    assert_eq!(response.header("content-type"), Some("application/json"));
    (response.status, response.json())
}

#[test]
fn the_payload_is_what_was_posted() {
    let daemon = Daemon::start(&[]);
    let mut clients = [WebSocket::open(&daemon), WebSocket::open(&daemon)];
    let cases: [(&str, &[u8], Frame); 10] = [
        ("", b"no type is text", frame(TEXT, b"no type is text")),
        (
            "text/plain; charset=utf-8",
            "caf\u{e9} \u{1f600}".as_bytes(),
            frame(TEXT, "caf\u{e9} \u{1f600}".as_bytes()),
        ),
        ("application/json", b"{\"a\":1}", frame(TEXT, b"{\"a\":1}")),
        ("application/octet-stream", b"\x00\xff\xfe", frame(BINARY, b"\x00\xff\xfe")),
        ("Application/Octet-Stream; x=y", b"b", frame(BINARY, b"b")),
        (FORM, b"message=caf%C3%A9+%26+tea", frame(TEXT, "caf\u{e9} & tea".as_bytes())),
        (FORM, b"%6dess%61ge=second", frame(TEXT, b"second")),
        // curl -d calls everything a form.
        (FORM, b"hello", frame(TEXT, b"hello")),
        (FORM, b"1 + 1 = 2 & so on", frame(TEXT, b"1 + 1 = 2 & so on")),
        ("text/plain", b"\0", frame(TEXT, b"\0")),
    ];
    for (n, (content_type, body, expected)) in cases.iter().enumerate() {
        let (status, answer) = push(&daemon, "/push", content_type, body);
        assert_eq!(status, 200, "{answer}");
        assert_eq!((&answer["channel"], &answer["recipients"]), (&"broadcast".into(), &2.into()));
        assert_eq!(answer["offset"], n as u64 + 1, "offsets count from 1 without gaps");
        for client in &mut clients {
            assert_eq!(client.frame(), *expected, "{content_type}");
        }
    }
}

#[test]
fn curl_needs_no_options() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let url = format!("http://{}/push", daemon.admin());
    let Ok(output) = std::process::Command::new("curl").args(["-sS", "-d", "hello", &url]).output() else {
        eprintln!("skipped: there is no curl here");
        return;
    };
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"recipients\":1"), "{output:?}");
    assert_eq!(client.text(), "hello");
    // The shell's word for nobody is nothing: that is not everybody.
    for target in ["?channel=", "?conn=", "?channel", "?compress="] {
        let output =
            std::process::Command::new("curl").args(["-sS", "-d", "x", &format!("{url}{target}")]).output();
        let answer = String::from_utf8(output.expect("as before").stdout).expect("text");
        assert!(answer.contains("is empty"), "{target}: {answer}");
    }
    assert_eq!(client.sync(), []);
}

#[test]
fn curl_may_send_a_form_in_parts() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let url = format!("http://{}/push", daemon.admin());
    let file = std::env::temp_dir().join(format!("wspush-push-{}.bin", std::process::id()));
    std::fs::write(&file, b"\x00\xff\r\n--").expect("a file");
    let (plain, bytes) =
        (format!("message=@{};type=text/plain", file.display()), format!("message=@{}", file.display()));
    let curl = |arguments: &[&str]| {
        let output = std::process::Command::new("curl").arg("-sS").args(arguments).arg(&url).output().ok()?;
        Some(String::from_utf8(output.stdout).expect("text"))
    };
    let Some(answer) = curl(&["-F", "message=caf\u{e9} & +"]) else {
        eprintln!("skipped: there is no curl here");
        return;
    };
    assert!(answer.contains("\"taken_as\":\"form field message\""), "{answer}");
    assert_eq!(client.text(), "caf\u{e9} & +");
    assert!(curl(&["-F", &bytes]).expect("as before").contains("\"recipients\":1"));
    assert_eq!(client.frame(), frame(BINARY, b"\x00\xff\r\n--"));
    assert!(curl(&["-F", &plain]).expect("as before").contains("not valid UTF-8"));
    assert!(curl(&["-F", "message=a", "-F", "channel=b"]).expect("as before").contains("\\\"channel\\\""));
    assert!(curl(&["-F", "message=a", "-F", "message=b"]).expect("as before").contains("more than once"));
    assert!(curl(&["-F", "other=a"]).expect("as before").contains("\\\"other\\\""));
    std::fs::remove_file(&file).expect("it is there");
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("publications"), 2);
}

#[test]
fn what_is_not_read_here_is_pushed_to_nobody() {
    let daemon = Daemon::start(&["--demo"]);
    let mut client = WebSocket::open(&daemon);
    let utf16 = ("Content-Type", "text/plain; charset=utf-16le");
    let gzip = ("Content-Encoding", "gzip");
    for headers in [&[gzip][..], &[utf16], &[gzip, ("Content-Type", "application/octet-stream")]] {
        let refused = daemon.ask("POST", "/push", headers, b"h\0i\0");
        assert_eq!(refused.status, 415, "{headers:?}");
        assert!(!refused.json()["error"].as_str().expect("a reason").is_empty());
        let expected = headers.contains(&gzip).then_some("identity");
        assert_eq!(refused.header("accept-encoding"), expected);
        let refused = daemon::Http::tcp(daemon.public).ask("POST", "/demo/push", headers, b"h\0i\0");
        assert_eq!(refused.status, 415, "{headers:?}");
        assert_eq!(refused.header("content-type"), Some("text/plain; charset=utf-8"));
    }
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("publications"), 0);
    let twice = [("Content-Type", "text/plain"), ("Content-Type", "application/octet-stream")];
    assert_eq!(daemon.ask("POST", "/push", &twice, b"x").status, 400);
    let ascii = [("Content-Type", "text/plain; charset=\"us-ascii\""), ("Content-Encoding", "identity")];
    assert_eq!(daemon.ask("POST", "/push/", &ascii, b"x").status, 200);
    assert_eq!(client.text(), "x");
}

#[test]
fn what_is_refused_is_sent_to_nobody() {
    let daemon = Daemon::start(&["--admin-body-bytes-max", "1000"]);
    let mut client = WebSocket::open(&daemon);
    let large = vec![b'x'; 1001];
    let cases: [(&str, &str, &[u8], u16); 23] = [
        ("/push", "text/plain", b"", 400),
        ("/push", "application/octet-stream", b"", 400),
        ("/push", FORM, b"message=", 400),
        ("/push", "text/plain", b"\xff\xfe", 400),
        ("/push", "text/plain", b"cut \xc3", 400),
        ("/push", FORM, b"message=%ff", 400),
        ("/push", FORM, b"message=%ed%a0%80", 400),
        ("/push?chanel=public.a", "text/plain", b"x", 400),
        ("/push", FORM, b"message=x&channel=public.a", 400),
        ("/push", FORM, b"message=x&message=y", 400),
        ("/push?channel=", "text/plain", b"x", 400),
        ("/push?conn=", "text/plain", b"x", 400),
        ("/push?channel=a&channel=a", "text/plain", b"x", 400),
        ("/push?conn=1&conn=1", "text/plain", b"x", 400),
        ("/push?conn=0", "text/plain", b"x", 400),
        ("/push?channel=%ff", "text/plain", b"x", 400),
        ("/push?channel=with%20space", "text/plain", b"x", 400),
        ("/push?channel=star*", "text/plain", b"x", 400),
        ("/push?conn=abc", "text/plain", b"x", 400),
        ("/push?conn=-1", "text/plain", b"x", 400),
        ("/push?conn=1&channel=public.a", "text/plain", b"x", 400),
        ("/push?conn=77", "text/plain", b"x", 404),
        ("/nothing", "text/plain", b"x", 404),
    ];
    for (target, content_type, body, expected) in cases {
        let (status, answer) = push(&daemon, target, content_type, body);
        assert_eq!(status, expected, "{target} {content_type}: {answer}");
        assert!(answer["error"].as_str().is_some_and(|error| !error.is_empty()));
    }
    assert_eq!(daemon.ask("POST", "/push", &[], &large).status, 413);
    assert_eq!(daemon.ask("GET", "/push", &[], b"").header("allow"), Some("POST"));
    assert_eq!(daemon.ask("PUT", "/push", &[], b"x").status, 405);
    assert_eq!(client.sync(), []);
    assert_eq!(daemon.counter("publications"), 0);
    assert_eq!(daemon.push("good")["offset"], 1, "refused pushes take no offset");
    assert_eq!(client.text(), "good");
    assert_eq!(daemon.ask("POST", "/push", &[], &large[..1000]).status, 200, "exactly the limit");
    assert_eq!(client.text().len(), 1000);
}

#[test]
fn a_long_channel_name_is_refused() {
    let daemon = Daemon::start(&[]);
    let target = |len: usize| format!("/push?channel={}", "c".repeat(len));
    assert_eq!(push(&daemon, &target(128), "", b"x").0, 200);
    assert_eq!(push(&daemon, &target(129), "", b"x").0, 400);
}

#[test]
fn a_frame_that_no_log_holds_is_too_large() {
    let daemon = Daemon::start(&["--log-bytes", "8192", "--admin-body-bytes-max", "8182"]);
    let mut client = WebSocket::open(&daemon);
    let body = vec![b'x'; 8182];
    assert_eq!(push(&daemon, "/push", "", &body).0, 200);
    assert_eq!(client.text().len(), 8182);
    assert_eq!(daemon.ask("POST", "/push", &[], &vec![b'x'; 8183]).status, 413);
    assert_eq!(client.sync(), []);
}

#[test]
fn one_connection_can_be_addressed() {
    let daemon = Daemon::start(&[]);
    let mut first = WebSocket::open(&daemon);
    let mut second = WebSocket::open(&daemon);
    let id = daemon.id_of(&second);
    let answer = daemon.push_to(&format!("/push?conn={id}"), "only you");
    assert_eq!((&answer["recipients"], &answer["conn"]), (&1.into(), &id.into()));
    assert_eq!(second.text(), "only you");
    assert_eq!(first.sync(), []);
    let target = format!("/push?conn={}", daemon.id_of(&first));
    assert_eq!(push(&daemon, &target, "application/octet-stream", &[1, 2]).0, 200);
    assert_eq!(first.frame(), frame(BINARY, &[1, 2]));
    assert_eq!(push(&daemon, &target, "", b"").0, 400);
    first.close(1000);
    daemon.wait_connections(1);
    assert_eq!(push(&daemon, &target, "", b"too late").0, 404);
    // The next one gets the slot, but not the id.
    let mut third = WebSocket::open(&daemon);
    assert_eq!(push(&daemon, &target, "", b"too late").0, 404);
    assert_eq!(third.sync(), []);
}

#[test]
fn messages_to_one_and_to_all_keep_their_order() {
    let daemon = Daemon::start(&[]);
    let mut client = WebSocket::open(&daemon);
    let own = format!("/push?conn={}", daemon.id_of(&client));
    let mut expected = Vec::new();
    for n in 0..50 {
        expected.push(format!("{n}"));
        // Waiting for the delivery, because a message to one connection does not queue behind those to all.
        let receipt = daemon.push(&format!("{n}"))["receipt"].clone();
        daemon.wait_delivered(&receipt);
        expected.push(format!("own {n}"));
        daemon.push_to(&own, &format!("own {n}"));
    }
    let got: Vec<String> = expected.iter().map(|_| client.text()).collect();
    assert_eq!(got, expected);
}

#[test]
fn a_receipt_tells_how_far_the_publication_has_come() {
    let daemon = Daemon::start(&[]);
    let nobody = daemon.push("nobody is there");
    assert_eq!(nobody["recipients"], 0);
    let delivery = daemon.wait_delivered(&nobody["receipt"]);
    assert_eq!((&delivery["recipients"], &delivery["written"]), (&0.into(), &0.into()));

    let mut clients: Vec<_> = (0..5).map(|_| WebSocket::open(&daemon)).collect();
    let answer = daemon.push("five are");
    assert_eq!((&answer["recipients"], &answer["offset"]), (&5.into(), &2.into()));
    assert_eq!(answer["epoch"], nobody["epoch"]);
    let delivery = daemon.wait_delivered(&answer["receipt"]);
    for (key, expected) in
        [("recipients", 5), ("written", 5), ("lagging", 0), ("skipped", 0), ("gone", 0), ("offset", 2)]
    {
        assert_eq!(delivery[key], expected, "{key} in {delivery}");
    }
    let time = |key: &str| delivery[key].as_u64().expect("a time");
    assert!(time("first_us") <= time("median_us") && time("median_us") <= time("last_us"));
    assert!(clients.iter_mut().all(|client| client.text() == "five are"));
    for (receipt, status) in [("999", 404), ("0", 404), ("x", 400), ("-1", 400)] {
        let response = daemon.ask("GET", &format!("/stats?receipt={receipt}"), &[], b"");
        assert_eq!(response.status, status, "{receipt}");
    }
}

#[test]
fn whoever_pushes_and_then_looks_sees_it() {
    let daemon = Daemon::start(&[]);
    let mut http = daemon.admin_http();
    for n in 1..=20_u64 {
        let mut requests = http.request("POST", "/push?channel=public.a", &[], b"x");
        for target in [format!("/stats?receipt={n}"), "/stats".to_owned()] {
            requests.extend(http.request("GET", &target, &[], b""));
        }
        http.send(&requests);
        assert_eq!(http.response().json()["receipt"], n);
        let delivery = http.response();
        assert_eq!(delivery.status, 200, "{}", delivery.text());
        assert_eq!(delivery.json()["offset"], n);
        assert_eq!(http.response().json()["counters"]["publications"], n);
    }
}

#[test]
fn who_comes_later_gets_nothing_of_before() {
    let daemon = Daemon::start(&[]);
    daemon.push("before");
    let mut client = WebSocket::open(&daemon);
    daemon.push("after");
    assert_eq!(client.text(), "after");
    assert_eq!(client.sync(), []);
}

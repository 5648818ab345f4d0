//! Long polling over real sockets.

use std::thread;

use serde_json::{Value, json};

use crate::daemon::events::Reader;
use crate::daemon::{Daemon, Http};
use crate::wire::Response;

/// An answer that may be in chunks, and its lines.
pub fn answer(http: &mut Http) -> (Response, Vec<Value>) {
    let mut response = http.response_to("HEAD");
    let mut reader = Reader::new(response.header("transfer-encoding") == Some("chunked"));
    if reader.is_chunked() {
        while !reader.is_over {
            let more = http.more();
            reader.take(&more);
        }
        http.put_back(reader.rest());
    } else if response.status != 204 && response.status != 304 {
        let len: usize = response.header("content-length").unwrap().parse().unwrap();
        response.body = http.exactly(len);
        reader.take(&response.body);
    }
    let lines = std::iter::from_fn(|| reader.line());
    let lines =
        lines.map(|line| serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    (response, lines)
}

pub fn poll(http: &mut Http, target: &str, fields: &[(&str, &str)]) -> (u16, String, Vec<Value>) {
    let request = http.request("GET", target, fields, b"");
    http.send(&request);
    let (response, lines) = answer(http);
    assert_eq!(response.header("cache-control"), Some("no-store"));
    let tag = response.header("etag").expect("a tag").trim_matches('"').to_owned();
    (response.status, tag, lines)
}

fn data(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["data"].as_str().expect("data")).collect()
}

/// Waits until so many polls wait.
fn wait_polls(daemon: &Daemon, count: usize) {
    daemon.wait_connections(count as u64);
}

#[test]
fn nothing_is_lost_between_two_polls() {
    let daemon = Daemon::start(&[]);
    daemon.push("before");
    let mut http = Http::tcp(daemon.public);
    let (status, at, lines) = poll(&mut http, "/poll", &[]);
    assert_eq!((status, lines.len()), (204, 0), "the first one is told where it is");
    daemon.push("1");
    daemon.push("2");
    let (status, next, lines) = poll(&mut http, &format!("/poll?since={at}"), &[]);
    assert_eq!((status, data(&lines)), (200, vec!["1", "2"]));
    let epoch = at.split('.').next().unwrap();
    assert_eq!(lines[0], json!({"channel": "broadcast", "epoch": epoch, "offset": 2, "data": "1"}));
    assert_eq!(next, format!("{epoch}.3"));
    let (status, same, _) = poll(&mut http, &format!("/poll?since={next}&timeout=0"), &[]);
    assert_eq!((status, &same), (204, &next));
    let (status, same, _) = poll(&mut http, "/poll?timeout=0", &[("If-None-Match", &format!("\"{next}\""))]);
    assert_eq!((status, &same), (304, &next));
    let (status, _, lines) = poll(&mut http, "/poll", &[("If-None-Match", &format!("W/\"{at}\""))]);
    assert_eq!((status, data(&lines)), (200, vec!["1", "2"]));
    let (status, _, lines) = poll(&mut http, "/poll?since=last:2", &[]);
    assert_eq!((status, data(&lines)), (200, vec!["1", "2"]));
}

#[test]
fn it_waits_for_what_comes() {
    let daemon = Daemon::start(&[]);
    let mut first = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut first, "/poll", &[]);
    let mut waiting: Vec<Http> = (0..5).map(|_| Http::tcp(daemon.public)).collect();
    for http in &mut waiting {
        let request = http.request("GET", &format!("/poll?since={at}&timeout=120"), &[], b"");
        http.send(&request);
    }
    wait_polls(&daemon, 5);
    let page = daemon.ask("GET", "/connections", &[], b"").json();
    assert!(page["connections"].as_array().unwrap().iter().all(|one| one["endpoint"] == "poll"));
    let receipt = daemon.push("now");
    assert_eq!(receipt["recipients"], 5);
    for http in &mut waiting {
        let (response, lines) = answer(http);
        assert_eq!((response.status, data(&lines)), (200, vec!["now"]));
    }
    assert_eq!(daemon.wait_delivered(&receipt["receipt"])["written"], 5);
    wait_polls(&daemon, 0);
    assert_eq!(daemon.stats()["handshaking"], 6, "the connections are still there");
}

#[test]
fn its_time_ends() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut http, "/poll", &[]);
    for (fields, expected) in [(vec![], 204), (vec![("If-None-Match", "\"x\"")], 304)] {
        let (status, same, _) = poll(&mut http, &format!("/poll?since={at}&timeout=1"), &fields);
        assert_eq!((status, &same), (expected, &at));
    }
    let bad = http.ask("GET", &format!("/poll?since={at}&timeout=121"), &[], b"");
    assert_eq!(bad.status, 400);
}

#[test]
fn several_channels_have_one_tag() {
    let daemon = Daemon::start(&["--channels", "*"]);
    daemon.push_to("/push?channel=a", "a0");
    let mut http = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut http, "/poll?channel=a&broadcast=no&channel=b", &[]);
    daemon.push_to("/push?channel=a", "a1");
    daemon.push_to("/push?channel=b", "b1");
    let target = |at: &str| format!("/poll?channel=a&broadcast=no&channel=b&channel=c&since={at}");
    // The channels are named in it, wherever it stands.
    let (status, next, lines) = poll(&mut http, &target(&at), &[]);
    let mut got = data(&lines);
    got.sort_unstable();
    assert_eq!((status, got), (200, vec!["a1", "b1"]), "nobody had published to the second one before");
    assert!(next.starts_with("a~") && next.contains(",b~") && next.contains(",c~"), "{next}");
    daemon.push_to("/push?channel=c", "c1");
    let (status, _, lines) = poll(&mut http, &target(&next), &[]);
    assert_eq!((status, data(&lines)), (200, vec!["c1"]));
}

#[test]
fn a_position_that_is_gone() {
    let rules = ["--channel-rule", "public.t missed=tail"];
    let daemon = Daemon::start(&[&["--log-publications", "2"][..], &rules].concat());
    let mut epochs = Vec::new();
    for target in ["/push", "/push?channel=public.t"] {
        let mut receipt = Value::Null;
        for n in 1..=5 {
            receipt = daemon.push_to(target, &n.to_string());
        }
        epochs.push(receipt["epoch"].to_string());
    }
    let mut http = Http::tcp(daemon.public);
    let (status, tag, lines) = poll(&mut http, &format!("/poll?since={}.1", epochs[0]), &[]);
    let missed = json!({"missed": {"channel": "broadcast", "epoch": epochs[0], "from": 2, "to": 5}});
    assert_eq!((status, tag, lines), (410, format!("{}.5", epochs[0]), vec![missed]));
    let target = format!("/poll?broadcast=no&channel=public.t&since={}.1", epochs[1]);
    let (status, _, lines) = poll(&mut http, &target, &[]);
    assert_eq!(
        (status, lines[0]["missed"]["to"].as_u64(), data(&lines[1..])),
        (200, Some(3), vec!["4", "5"])
    );
}

#[test]
fn requests_behind_it_wait_for_it() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut http, "/poll", &[]);
    let one = http.request("GET", &format!("/poll?since={at}"), &[], b"");
    let health = http.request("GET", "/healthz", &[], b"");
    http.send(&[&health[..], &one, &health, &health].concat());
    assert_eq!(http.response().status, 200);
    wait_polls(&daemon, 1);
    http.send(&health);
    daemon.push("x");
    let (response, lines) = answer(&mut http);
    assert_eq!((response.status, data(&lines)), (200, vec!["x"]));
    for _ in 0..3 {
        assert_eq!(http.response().text(), "ok\n");
    }
}

#[test]
fn much_is_taken_in_several_answers() {
    let daemon = Daemon::start(&["--outbox-bytes-max", "4096"]);
    let mut http = Http::tcp(daemon.public);
    let (_, mut at, _) = poll(&mut http, "/poll", &[]);
    let text = "x".repeat(1_000);
    let large = "y".repeat(10_000);
    for n in 0..20 {
        daemon.push(if n == 7 { &large } else { &text });
    }
    let mut got = 0;
    while got < 20 {
        let (status, next, lines) = poll(&mut http, &format!("/poll?since={at}"), &[]);
        assert_eq!(status, 200);
        assert!((1..=4).contains(&lines.len()), "{}", lines.len());
        for line in &lines {
            got += 1;
            assert_eq!(line["offset"], got);
        }
        at = next;
    }
}

#[test]
fn http_1_0_gets_it_in_one_piece() {
    let daemon = Daemon::start(&[]);
    daemon.push("a");
    daemon.push("b");
    let mut http = Http::tcp(daemon.public);
    http.send(b"GET /poll?since=earliest HTTP/1.0\r\n\r\n");
    let (response, lines) = answer(&mut http);
    assert_eq!((response.header("transfer-encoding"), data(&lines)), (None, vec!["a", "b"]));
    http.expect_end();
}

#[test]
fn the_drain_answers_those_who_wait() {
    let mut daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut http, "/poll", &[]);
    let request = http.request("GET", &format!("/poll?since={at}"), &[], b"");
    http.send(&request);
    wait_polls(&daemon, 1);
    daemon.signal("TERM");
    let (response, _) = answer(&mut http);
    assert_eq!((response.status, response.header("connection")), (204, Some("close")));
    http.expect_end();
    assert!(daemon.wait_exit().success());
}

#[test]
fn who_goes_away_waits_no_longer() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let (_, at, _) = poll(&mut http, "/poll", &[]);
    let request = http.request("GET", &format!("/poll?since={at}&timeout=120"), &[], b"");
    http.send(&request);
    wait_polls(&daemon, 1);
    drop(http);
    wait_polls(&daemon, 0);
    assert_eq!(daemon.stats()["handshaking"], 0);
}

#[test]
fn pages_of_other_origins_see_the_tag() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let origin = ("Origin", "https://a.example");
    let request = http.request("GET", "/poll", &[origin], b"");
    http.send(&request);
    let (response, _) = answer(&mut http);
    assert_eq!(response.header("access-control-allow-origin"), Some(origin.1));
    assert_eq!(response.header("access-control-expose-headers"), Some("ETag"));
    assert_eq!(http.ask("OPTIONS", "/poll", &[origin], b"").status, 204);
    assert_eq!(http.ask("HEAD", "/poll", &[], b"").status, 200);
}

/// Those of a crowd who stand at one place and have asked in one way share an answer, and nobody gets another one's.
#[test]
fn everybody_in_a_crowd_gets_an_answer_of_its_own_kind() {
    let daemon = Daemon::start(&["--channels", "*", "--origins", "https://a.example,https://b.example"]);
    let mut http = Http::tcp(daemon.public);
    let (_, before, _) = poll(&mut http, "/poll", &[]);
    daemon.push("0");
    daemon.push_to("/push?channel=c", "c0");
    let (_, at, _) = poll(&mut http, "/poll?since=last:1", &[]);
    let (_, in_c, _) = poll(&mut http, "/poll?broadcast=no&channel=c&since=last:1", &[]);
    let (a, b) = (("Origin", "https://a.example"), ("Origin", "https://b.example"));
    let close = ("Connection", "close");
    let kinds: [(&str, &[(&str, &str)]); 6] = [
        ("", &[]),
        ("", &[a]),
        ("", &[b]),
        ("", &[close]),
        ("&channel=c", &[a]),
        ("&broadcast=no&channel=c", &[a, close]),
    ];
    let mut crowd: Vec<_> = (0..24).map(|n| (n % kinds.len(), Http::tcp(daemon.public))).collect();
    for (kind, http) in &mut crowd {
        let (channel, fields) = kinds[*kind];
        let since = match channel {
            "" => at.clone(),
            "&channel=c" => format!("broadcast~{at},c~{in_c}"),
            _ => in_c.clone(),
        };
        let target = format!("/poll?timeout=120{channel}&since={since}");
        let request = http.request("GET", &target, fields, b"");
        http.send(&request);
    }
    wait_polls(&daemon, 24);
    let receipt = daemon.push_to("/push?channel=broadcast&channel=c", "1");
    for (kind, http) in &mut crowd {
        let (channel, fields) = kinds[*kind];
        let (response, lines) = answer(http);
        let of = |name: &str| lines.iter().filter(|line| line["channel"] == name).count();
        let is_asked = (usize::from(!channel.contains("no")), usize::from(!channel.is_empty()));
        assert_eq!((response.status, of("broadcast"), of("c")), (200, is_asked.0, is_asked.1), "{kind}");
        let origin = fields.iter().find(|(name, _)| *name == "Origin").map(|(_, page)| *page);
        assert_eq!(response.header("access-control-allow-origin"), origin, "{kind}");
        let connection = if fields.contains(&close) { "close" } else { "keep-alive" };
        assert_eq!(response.header("connection"), Some(connection), "{kind}");
        let tag = response.header("etag").expect("a tag");
        assert!(lines.iter().all(|line| tag.contains(&format!(
            "{}.{}",
            line["epoch"].as_str().unwrap(),
            line["offset"]
        ))));
        if connection == "close" {
            http.expect_end();
        } else {
            assert_eq!(http.ask("GET", "/healthz", &[], b"").status, 200);
        }
    }
    assert_eq!(receipt["publications"].as_array().map(Vec::len), Some(2));
    // Who stands further back gets more.
    let (status, _, lines) = poll(&mut http, &format!("/poll?since={before}"), &[]);
    assert_eq!((status, data(&lines)), (200, vec!["0", "1"]));
}

/// Every publication reaches a client that polls again and again, once and in order, whatever comes between two polls.
#[test]
fn again_and_again() {
    let daemon = Daemon::start(&[]);
    let address = daemon.public;
    let mut clients = Vec::new();
    let mut first = Http::tcp(address);
    let (_, begin, _) = poll(&mut first, "/poll", &[]);
    for _ in 0..4 {
        let mut at = begin.clone();
        clients.push(thread::spawn(move || {
            let (mut http, mut got) = (Http::tcp(address), Vec::new());
            while got.last().is_none_or(|last| last != "99") {
                let (status, next, lines) = poll(&mut http, &format!("/poll?since={at}"), &[]);
                assert_eq!(status, 200);
                got.extend(data(&lines).into_iter().map(str::to_owned));
                at = next;
            }
            got
        }));
    }
    for n in 0..100 {
        daemon.push(&n.to_string());
    }
    let expected: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    for client in clients {
        assert_eq!(client.join().unwrap(), expected);
    }
}

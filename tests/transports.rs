//! The things that all transports have in common: which are served, how they are counted, who is let in, and that one
//! order reaches them all.

use std::fs;

use serde_json::{Value, json};

use crate::daemon::events::{EventStream, Reader};
use crate::daemon::{Daemon, Http, WebSocket};
use crate::wire::CLOSE;

const V1: (&str, &str) = ("Sec-WebSocket-Protocol", "wspush.v1");

fn v1(daemon: &Daemon, target: &str) -> WebSocket {
    let mut client = WebSocket::ask(daemon.public, target, &[V1]).expect("101");
    assert!(client.text().starts_with("{\"connected\""));
    client
}

fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|e| panic!("{e}: {text}"))
}

/// A poll that waits, for which somebody has to come.
fn wait_poll(daemon: &Daemon, target: &str, fields: &[(&str, &str)]) -> Http {
    let mut http = Http::tcp(daemon.public);
    let request = http.request("GET", target, fields, b"");
    http.send(&request);
    http
}

fn status(daemon: &Daemon, method: &str, target: &str, fields: &[(&str, &str)]) -> u16 {
    let mut http = Http::tcp(daemon.public);
    let request = http.request(method, target, fields, b"");
    http.send(&request);
    http.response_to("HEAD").status
}

#[test]
fn what_is_left_out_is_answered_404_that_a_page_can_read() {
    let daemon = Daemon::start(&["--transports", "ws,poll"]);
    let origin = ("Origin", "https://a.example");
    for path in ["/sse", "/stream"] {
        let mut http = Http::tcp(daemon.public);
        let preflight = http.ask("OPTIONS", path, &[origin], b"");
        let accept = ("Accept", "text/event-stream");
        let answer = http.ask("GET", path, &[origin, accept], b"");
        assert_eq!((preflight.status, answer.status), (204, 404), "{path}: final to an EventSource");
        assert_eq!(answer.header("access-control-allow-origin"), Some(origin.1));
        assert_eq!(answer.text(), format!("{path} is not served here (transports)\n"));
        assert_eq!(http.ask("HEAD", path, &[], b"").status, 404);
    }
    assert_eq!(status(&daemon, "GET", "/poll", &[]), 204);
    drop(WebSocket::open(&daemon));
    let counters = &daemon.stats()["counters"];
    assert_eq!(counters["clients_refused"], json!({"ws": 0, "sse": 2, "stream": 2, "poll": 0}));
    assert_eq!(counters["handshakes_refused"]["not_found"], 4);

    // So is one for a path that there never was, if its page may connect.
    let mut http = Http::tcp(daemon.public);
    let answer = http.ask("GET", "/polll", &[origin], b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (404, Some(origin.1)));
    assert_eq!((answer.header("vary"), answer.text().as_str()), (Some("Origin"), "not found\n"));
    let own = Daemon::start(&["--origins", "https://b.example"]);
    let answer = Http::tcp(own.public).ask("GET", "/polll", &[origin], b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (404, None));

    let daemon = Daemon::start(&["--transports", "sse"]);
    let refused = WebSocket::ask(daemon.public, "/ws", &[]).err().map(|response| response.status);
    assert_eq!(refused, Some(404));
    let mut told = WebSocket::ask(daemon.public, "/ws?refusals=close", &[]).expect("101");
    let frame = told.frame();
    assert_eq!((frame.opcode, &frame.payload[..2]), (CLOSE, &4404_u16.to_be_bytes()[..]));
    assert_eq!(EventStream::open(&daemon, "/sse").head.status, 200);
    let (_, said) = Daemon::refused(&["--transports", "ws,pigeon"]);
    assert!(said.contains("transports") && said.contains("expected one of ws, sse, stream, poll"), "{said}");
}

#[test]
fn a_reload_leaves_those_who_are_there() {
    let file = std::env::temp_dir().join(format!("wspush-transports-{}.toml", std::process::id()));
    let write = |transports: &str| fs::write(&file, format!("transports = {transports}\n")).expect("a file");
    write("[\"ws\", \"sse\"]");
    let daemon = Daemon::start(&["--config", file.to_str().expect("text")]);
    let mut stream = EventStream::open(&daemon, "/sse");
    write("[\"ws\"]");
    daemon.signal("HUP");
    assert!(daemon.wait_event("reloaded").contains("applied=transports "));
    assert_eq!(status(&daemon, "GET", "/sse", &[]), 404);
    daemon.push("still there");
    assert_eq!(stream.data(), "still there");
    write("[]");
    daemon.signal("HUP");
    assert!(daemon.wait_event("not_reloaded").contains("at least one of ws, sse, stream, poll"));
    fs::remove_file(&file).expect("the file");
}

#[test]
fn each_is_counted_by_itself() {
    let daemon = Daemon::start(&[]);
    let clients = (WebSocket::open(&daemon), v1(&daemon, "/ws"));
    let streams: Vec<EventStream> =
        ["/sse", "/sse?format=json", "/stream"].map(|path| EventStream::open(&daemon, path)).into();
    let poll = wait_poll(&daemon, "/poll?since=earliest&timeout=120", &[]);
    daemon.wait_connections(6);
    let counts = json!({"ws": 2, "sse": 2, "stream": 1, "poll": 1});
    let stats = daemon.stats();
    assert_eq!((&stats["transports"], &stats["counters"]["clients_admitted"]), (&counts, &counts));
    assert_eq!(stats["counters"]["handshakes_ok"], 2, "WebSockets only");
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    for line in [
        "wspush_connections_by_transport{transport=\"sse\"} 2",
        "wspush_connections_by_transport{transport=\"ws\"} 2",
        "wspush_clients_admitted_total{transport=\"poll\"} 1",
    ] {
        assert!(text.lines().any(|own| own == line), "{line}: {text}");
    }
    drop((clients, streams, poll));
    daemon.wait_connections(0);
    let none = json!({"ws": 0, "sse": 0, "stream": 0, "poll": 0});
    assert_eq!(daemon.stats()["transports"], none);
}

#[test]
fn an_address_that_has_its_share_is_told_to_come_later() {
    let daemon = Daemon::start(&["--connections-per-address-max", "2"]);
    let streams = ["/sse", "/stream"].map(|path| EventStream::open(&daemon, path));
    let origin = ("Origin", "https://a.example");
    let mut times = Vec::new();
    for _ in 0..4 {
        let accept = ("Accept", "text/event-stream");
        let later = Http::tcp(daemon.public).ask("GET", "/sse", &[accept, origin], b"");
        assert_eq!((later.status, later.header("content-type")), (200, Some("text/event-stream")));
        assert_eq!(later.header("access-control-allow-origin"), Some(origin.1));
        let mut reader = Reader::new(false);
        reader.take(&later.body);
        assert_eq!(reader.event(), None);
        assert!(reader.comments[0].contains("connections_per_address_max"), "{reader:?}");
        times.push(reader.retry_ms.expect("a time"));
    }
    times.sort_unstable();
    times.dedup();
    assert_eq!(times.len(), 4, "not all at the same moment: {times:?}");
    for path in ["/stream", "/poll?since=earliest", "/sse"] {
        let refused = Http::tcp(daemon.public).ask("GET", path, &[], b"");
        assert_eq!(refused.status, 503, "{path}");
    }
    assert_eq!(daemon.stats()["counters"]["handshakes_refused"]["per_address"], 7);
    drop(streams);
    daemon.wait_connections(0);
    daemon.wait_stats("room", |stats| stats["handshaking"] == 0);
    assert_eq!(EventStream::open(&daemon, "/sse").head.status, 200);
}

/// All of them get each publication once, in one order, whatever bytes it is in.
#[test]
fn one_order_for_all() {
    const EACH: usize = 40;
    const PUBLICATIONS: usize = 60;
    let daemon = Daemon::start(&["--channels", "*"]);
    let target = |path: &str| format!("{path}?channel=a&broadcast=no");
    let mut plain: Vec<_> = (0..EACH).map(|_| WebSocket::open_at(&daemon, &target("/ws"))).collect();
    let mut enveloped: Vec<_> = (0..EACH).map(|_| v1(&daemon, &target("/ws"))).collect();
    let mut raw: Vec<_> = (0..EACH).map(|_| EventStream::open(&daemon, &target("/sse"))).collect();
    let mut lines: Vec<_> = (0..EACH).map(|_| EventStream::open(&daemon, &target("/stream"))).collect();
    let mut several: Vec<_> =
        (0..EACH).map(|_| EventStream::open(&daemon, "/sse?channel=a&format=json")).collect();
    for client in &mut enveloped {
        assert!(client.text().starts_with("{\"subscribed\""));
    }
    for stream in &mut lines {
        assert!(stream.line().expect("a line").starts_with("{\"subscribed\""));
    }
    daemon.wait_connections(5 * EACH as u64);
    let receipts: Vec<Value> =
        (0..PUBLICATIONS).map(|n| daemon.push_to("/push?channel=a", &format!("line\n{n}"))).collect();
    let delivered = daemon.wait_delivered(&receipts[PUBLICATIONS - 1]["receipt"]);
    assert_eq!((&delivered["recipients"], &delivered["gone"]), (&(5 * EACH).into(), &0.into()));
    for (n, receipt) in receipts.iter().enumerate() {
        let (epoch, text) = (receipt["epoch"].to_string(), format!("line\n{n}"));
        let envelope = json!({"channel": "a", "epoch": epoch, "offset": n + 1, "data": text});
        plain.iter_mut().for_each(|client| assert_eq!(client.text(), text));
        enveloped.iter_mut().for_each(|client| assert_eq!(parsed(&client.text()), envelope));
        for stream in &mut raw {
            let event = stream.next().expect("an event");
            assert_eq!((event.data, event.id), (text.clone(), format!("{epoch}.{}", n + 1)));
        }
        lines.iter_mut().for_each(|stream| assert_eq!(parsed(&stream.line().expect("a line")), envelope));
        several.iter_mut().for_each(|stream| assert_eq!(parsed(&stream.data()), envelope));
    }
    assert_eq!(daemon.counter("deliveries"), (5 * EACH * PUBLICATIONS) as u64);
}

#[cfg(feature = "auth")]
#[test]
fn a_token_is_taken_from_every_place_by_each() {
    use std::time::{SystemTime, UNIX_EPOCH};
    use wspush::auth::{Claims, Rights, Rules, issue};
    const SECRET: &str = "a_secret_of_more_than_32_bytes_0123456";
    let now_s = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs();
    let rights = Rights { expires_s: Some(now_s + 600), ..Rights::default() };
    let channels = vec!["hers".to_owned()];
    let claims = Claims { user: Some("ann".to_owned()), channels, rights, ..Claims::default() };
    let token = issue(SECRET, &claims, &Rules::default(), now_s).expect("a token");
    let flags = ["--auth", "required", "--auth-secret", SECRET, "--auth-cookie", "session"];
    let daemon = Daemon::start(&[&flags[..], &["--origins", "https://a.example"]].concat());
    let (bearer, cookie) = (format!("Bearer {token}"), format!("session={token}"));
    let protocol = format!("wspush.bearer.{token}, wspush.v1");
    let query = format!("?token={token}");
    let places: [(&str, &[(&str, &str)]); 4] = [
        ("", &[("Authorization", &bearer)]),
        ("", &[("Sec-WebSocket-Protocol", &protocol)]),
        ("", &[("Cookie", &cookie), ("Origin", "https://a.example")]),
        (&query, &[]),
    ];
    for (query, fields) in places {
        let receipt = daemon.push_to("/push?channel=hers", "before");
        assert!(WebSocket::ask(daemon.public, &format!("/ws{query}"), fields).is_ok(), "{fields:?}");
        for path in ["/sse", "/stream"] {
            let mut stream = EventStream::open_with(&daemon, &format!("{path}{query}"), fields);
            let named = fields.iter().any(|(name, _)| *name == "Origin").then_some("true");
            assert_eq!(stream.head.header("access-control-allow-credentials"), named);
            assert_eq!(stream.head.status, 200, "{path}: {fields:?}");
            daemon.push_to("/push?channel=hers", "hers");
            let end = if path == "/sse" { "data: hers" } else { "\"data\":\"hers\"}" };
            while !stream.line().expect("a line").ends_with(end) {}
        }
        let at = format!("hers~{}.{}", receipt["epoch"], receipt["offset"]);
        let joint = if query.is_empty() { "?" } else { "&" };
        let target = format!("/poll{query}{joint}broadcast=no&since={at}");
        assert_eq!(status(&daemon, "GET", &target, fields), 200, "{fields:?}");
    }
    for path in ["/ws", "/sse", "/stream", "/poll"] {
        let refused = match path {
            "/ws" => WebSocket::ask(daemon.public, path, &[]).err().map(|response| response.status),
            _ => Some(status(&daemon, "GET", path, &[("Accept", "text/event-stream")])),
        };
        assert_eq!(refused, Some(401), "{path}");
    }
    let refused = daemon.stats()["counters"]["clients_refused"].clone();
    assert_eq!(refused, json!({"ws": 1, "sse": 1, "stream": 1, "poll": 1}));
    assert!(!daemon.log().contains(&token[..20]), "no token in the log");
}

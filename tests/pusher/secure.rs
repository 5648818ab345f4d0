//! Apps over TLS, which is the kernel's where that offers it: WebSockets, and streams whose lines lie below it.

use serde_json::json;

use super::backends::ask;
use super::{KEY, SECRET};
use crate::daemon::tls::{Authority, TlsClient};
use crate::daemon::{Daemon, Http};
use crate::wire::TEXT;

const SUBSCRIBE: &str = r#"{"event":"pusher:subscribe","data":{"channel":"news","auth":""}}"#;

fn daemon(authority: &Authority, more: &[&str]) -> Daemon {
    let app = format!("3 key={KEY} secret={SECRET} tls_only=true");
    authority.daemon(&["one"], &[&["--pusher-app", &app], more].concat())
}

fn publish(daemon: &Daemon, name: &str, data: &str) {
    ask(daemon, "POST /apps/3/events", &json!({ "name": name, "channel": "news", "data": data }));
}

#[test]
fn an_app_has_wss() {
    let authority = Authority::with_localhost();
    let daemon = daemon(&authority, &[]);
    let target = format!("/app/{KEY}?protocol=7");
    let mut client = TlsClient::open(daemon.public, authority.client().config(), &target);
    assert!(client.text().contains("connection_established"));
    client.send_frame(TEXT, SUBSCRIBE.as_bytes());
    assert!(client.text().contains("subscription_succeeded"));
    for n in 0..100 {
        publish(&daemon, &format!("n-{n}"), &"x".repeat(5_000));
    }
    for n in 0..100 {
        assert!(client.text().starts_with(&format!("{{\"event\":\"n-{n}\",")), "{n}");
    }
}

/// All that a client reads, until it ends so.
fn until(client: &mut TlsClient, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        client.receive().unwrap();
        text += &String::from_utf8(client.take()).unwrap();
    }
    text
}

/// The same lines as without TLS, though its client reads late.
#[test]
fn a_stream_is_sealed() {
    let authority = Authority::with_localhost();
    let daemon = daemon(&authority, &["--listen", "127.0.0.1:0"]);
    let config = authority.client().config();
    let mut stream = TlsClient::connect(daemon.public, config).unwrap();
    let path = format!("/pusher/app/{KEY}/1/abc");
    let head = format!(
        "POST {path}/xhr_streaming?protocol=7 HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    );
    stream.send(head.as_bytes());
    let begun = until(&mut stream, "\"\n\r\n");
    assert!(begun.contains("4\r\no{}\n\r\n") && begun.contains("connection_established"), "{begun}");
    // Its requests may come by another listener.
    let said = json!([SUBSCRIBE]).to_string();
    let mut http = Http::tcp(daemon.public_addresses()[1]);
    assert_eq!(http.ask("POST", &format!("{path}/xhr_send"), &[], said.as_bytes()).status, 204);
    assert!(until(&mut stream, "\"\n\r\n").contains("subscription_succeeded"));
    for n in 0..300 {
        publish(&daemon, &format!("n-{n}"), &"x".repeat(10_000));
    }
    let mut text = String::new();
    while !text.contains("n-299") {
        text += &until(&mut stream, "\"\n\r\n");
    }
    let mut at = 0;
    for n in 0..300 {
        let name = format!("{{\\\"event\\\":\\\"n-{n}\\\",");
        at += text[at..].find(&name).unwrap_or_else(|| panic!("{name} is missing behind {at}"));
    }
}

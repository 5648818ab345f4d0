//! The RFC's own handshake, and every way to get it wrong.

use super::*;
use crate::protocol::head;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// The request of RFC 6455 section 1.2.
const REQUEST: &str = "GET /chat HTTP/1.1\r\nHost: server.example.com\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: http://example.com\r\n\
    Sec-WebSocket-Protocol: chat, superchat\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// Checks [`REQUEST`] with `from` replaced by `to`.
fn with<T>(from: &str, to: &str, then: impl Fn(Result<Upgrade<'_>, Refusal>) -> T) -> T {
    assert!(REQUEST.contains(from));
    let text = REQUEST.replacen(from, to, 1);
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(text.as_bytes(), 65536, &mut fields).unwrap().expect("a whole head");
    then(check(&head))
}

fn status(from: &str, to: &str) -> u16 {
    with(from, to, |result| result.map_or_else(|refusal| refusal.status, |_| 101))
}

#[test]
fn the_example_of_the_rfc() {
    with("", "", |result| {
        let upgrade = result.unwrap();
        assert_eq!((upgrade.key, upgrade.origin), (KEY.as_bytes(), Some("http://example.com")));
        assert_eq!(upgrade.protocols().collect::<Vec<_>>(), ["chat", "superchat"]);
        assert!(is_upgrade(upgrade.head));
        let choose = |ours: &[&str]| upgrade.choose(|offered| ours.contains(&offered));
        assert_eq!(choose(&["superchat", "chat"]), Some("chat"));
        assert_eq!((choose(&["superchat"]), choose(&[])), (Some("superchat"), None));
    });
    assert_eq!(&accept_key(KEY.as_bytes()), b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    let mut out = Vec::new();
    respond(KEY.as_bytes(), Some("chat"), None, |_| {}, &mut out);
    let answer = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    assert_eq!(String::from_utf8(out).unwrap(), answer);
    let mut out = Vec::new();
    respond(KEY.as_bytes(), None, None, |_| {}, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), answer.replace("Sec-WebSocket-Protocol: chat\r\n", ""));
}

#[test]
fn what_clients_may_do() {
    for (from, to) in [
        ("Connection: Upgrade", "Connection: keep-alive, upgrade"),
        // Empty elements of lists (RFC 9110 section 5.6.1.2).
        ("Connection: Upgrade", "Connection: ,, Upgrade,"),
        ("Upgrade: websocket", "Upgrade: , websocket ,"),
        ("Upgrade: websocket", "Upgrade:\r\nUpgrade: websocket"),
        ("Version: 13", "Version: 13,"),
        ("Version: 13", "Version: , 13 ,,"),
        ("Version: 13", "Version: 13\r\nSec-WebSocket-Version:"),
        ("chat, superchat", "chat,, superchat"),
        ("chat, superchat", "chat,"),
        ("chat, superchat", ""),
        ("chat, superchat", " , "),
        ("Origin:", "Sec-WebSocket-Extensions:\r\nOrigin:"),
        ("Origin:", "Sec-WebSocket-Extensions: ,permessage-deflate,,\r\nOrigin:"),
        ("Upgrade: websocket", "upgrade: h2c, WebSocket"),
        ("Upgrade: websocket", "Upgrade: h2c\r\nUpgrade: websocket"),
        ("Origin: http://example.com\r\n", ""),
        ("Sec-WebSocket-Protocol: chat, superchat\r\n", ""),
        ("chat, superchat", "chat\r\nSec-WebSocket-Protocol: superchat"),
        ("Origin:", "Content-Length: 0\r\nOrigin:"),
        (KEY, "dGhlIHNhbXBsZSBub25jZR=="),
        ("/chat", "http://server.example.com/chat"),
    ] {
        assert_eq!(status(from, to), 101, "{to:?}");
    }
}

#[test]
fn what_they_may_not() {
    for (from, to, expected) in [
        ("GET", "POST", 405),
        ("GET", "HEAD", 405),
        ("HTTP/1.1", "HTTP/1.0", 400),
        ("Upgrade: websocket\r\n", "", 426),
        ("Upgrade: websocket", "Upgrade: websockets", 426),
        ("Connection: Upgrade\r\n", "", 400),
        ("Connection: Upgrade", "Connection: close", 400),
        (KEY, "", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ=", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZWE=", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZWFh", 400),
        (KEY, "dGhlIHNhbXBsZSBub25j!Q==", 400),
        (KEY, "dGhl IHNhbXBsZSBub25jZQ==", 400),
        (KEY, "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", 400),
        ("Version: 13", "Version: 8", 426),
        ("Version: 13", "Version: 13, 8", 426),
        ("Version: 13", "Version: ,", 426),
        ("Sec-WebSocket-Version: 13\r\n", "", 426),
        ("Version: 13", "Version: 13\r\nSec-WebSocket-Version: 13", 400),
        ("Origin:", "Origin: http://evil.example\r\nOrigin:", 400),
        ("Origin:", "Authorization: Bearer a\r\nAuthorization: Bearer b\r\nOrigin:", 400),
        ("Origin:", "Content-Length: 5\r\nOrigin:", 400),
        ("Origin:", "Transfer-Encoding: chunked\r\nOrigin:", 400),
        ("chat, superchat", "chat, chat", 400),
        ("chat, superchat", "chat\r\nSec-WebSocket-Protocol: chat", 400),
        ("chat, superchat", "a b", 400),
        ("chat, superchat", "\"chat, superchat\"", 400),
    ] {
        assert_eq!(status(from, to), expected, "{to:?}");
    }
}

#[test]
fn refusals_carry_what_their_status_asks_for() {
    let headers = |from, to| with(from, to, |result| result.unwrap_err().headers);
    assert_eq!(headers("GET", "POST"), [("Allow", "GET")]);
    let asked_for = [("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")];
    assert_eq!(headers("Upgrade: websocket\r\n", ""), asked_for);
    assert_eq!(headers("Version: 13", "Version: 7"), asked_for);
}

#[test]
fn an_origin_that_is_no_text_is_refused() {
    let mut bytes = REQUEST.replacen("http://example.com", "http://\u{1}", 1).into_bytes();
    let at = bytes.iter().position(|&byte| byte == 1).unwrap();
    bytes[at] = 0xff;
    let mut fields = head::Fields::new();
    let (head, _) = head::parse(&bytes, 8192, &mut fields).unwrap().expect("a whole head");
    assert_eq!(check(&head).unwrap_err().status, 400);
}

#[test]
fn at_most_so_many_protocols() {
    let offer = |count: usize| (0..count).map(|i| format!("p{i}")).collect::<Vec<_>>().join(",");
    assert_eq!(status("chat, superchat", &offer(PROTOCOLS_MAX)), 101);
    assert_eq!(status("chat, superchat", &offer(PROTOCOLS_MAX + 1)), 400);
}

#[test]
#[cfg_attr(debug_assertions, should_panic = "subprotocol")]
fn a_protocol_cannot_inject_fields() {
    let mut out = Vec::new();
    respond(KEY.as_bytes(), Some("chat\r\nSet-Cookie: a"), None, |_| {}, &mut out);
    assert!(!String::from_utf8(out).unwrap().contains("Cookie"));
}

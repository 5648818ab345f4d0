//! Heads as clients, proxies and attackers write them.

use super::*;
use proptest::prelude::*;

const MAX: usize = 8192;

fn head<'a>(text: &'a str, fields: &'a mut Fields<'a>) -> Head<'a> {
    let (head, size) = parse(text.as_bytes(), MAX, fields).unwrap().expect("a whole head");
    assert_eq!(size, text.len());
    head
}

fn with(fields: &str) -> String {
    format!("POST /push HTTP/1.1\r\nHost: a\r\n{fields}\r\n")
}

fn status(text: &str) -> u16 {
    parse(text.as_bytes(), MAX, &mut Fields::new()).expect_err(text).status
}

#[test]
fn what_a_browser_sends() {
    let text = "GET /ws?channel=a%20b&channel=c+d HTTP/1.1\r\nHost: example.org:8080\r\nX-One: 1 \r\n\
        x-one:2\r\n\r\n";
    let mut fields = Fields::new();
    let head = head(text, &mut fields);
    assert_eq!((head.method, head.target, head.minor_version), ("GET", "/ws?channel=a%20b&channel=c+d", 1));
    assert_eq!((head.path(), head.query()), ("/ws", "channel=a%20b&channel=c+d"));
    let pairs: Vec<_> = head.query_pairs().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(pairs, ["channel=a b", "channel=c d"]);
    assert_eq!(head.headers_called("X-ONE").next(), Some(&b"1"[..]));
    assert_eq!(head.headers("x-one").collect::<Vec<_>>(), [b"1", b"2"]);
    assert_eq!((head.header_str("host"), head.header_str("none")), (Some("example.org:8080"), None));
}

#[test]
fn absolute_targets() {
    let text = "GET http://example.org/a?b HTTP/1.1\r\nHost: x\r\n\r\n";
    assert_eq!((head(text, &mut Fields::new()).path(), head(text, &mut Fields::new()).query()), ("/a", "b"));
}

#[test]
fn a_head_needs_every_byte_and_no_more() {
    let text = "\r\nGET / HTTP/1.1\r\nHost: a\r\nB: c\r\n\r\n";
    for cut in 0..text.len() {
        assert!(parse(&text.as_bytes()[..cut], MAX, &mut Fields::new()).unwrap().is_none(), "{cut}");
    }
    let more = format!("{text}body\r\n\r\n");
    assert_eq!(
        parse(more.as_bytes(), MAX, &mut Fields::new()).unwrap().map(|(_, size)| size),
        Some(text.len())
    );
}

#[test]
fn bounds() {
    let text = with("");
    assert!(parse(text.as_bytes(), text.len(), &mut Fields::new()).unwrap().is_some());
    assert_eq!(parse(text.as_bytes(), text.len() - 1, &mut Fields::new()).unwrap_err().status, 431);
    assert_eq!(parse(&text.as_bytes()[..20], 20, &mut Fields::new()).unwrap_err().status, 431);
    assert!(parse(&text.as_bytes()[..19], 20, &mut Fields::new()).unwrap().is_none());
    let fields = |count: usize| with(&"A: b\r\n".repeat(count - 1));
    assert!(parse(fields(HEADERS_MAX).as_bytes(), MAX, &mut Fields::new()).unwrap().is_some());
    assert_eq!(status(&fields(HEADERS_MAX + 1)), 431);
}

#[test]
fn malformed() {
    for text in [
        "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1 \r\nHost: a\r\n\r\n",
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
        "GET / HTTP/0.9\r\n\r\n",
        "GET /\r\n\r\n",
        "G{T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "CONNECT a:80 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\x16\x03\x01\x02",
    ] {
        assert_eq!(status(text), 400, "{text:?}");
    }
    for fields in
        ["A : b\r\n", " A: b\r\n", "A: b\r\n c\r\n", "A: b\rc\r\n", "A: b\0\r\n", "A\r\n", ": b\r\n"]
    {
        assert_eq!(status(&with(fields)), 400, "{fields:?}");
    }
}

#[test]
fn bare_line_feeds_end_lines() {
    let text = "GET / HTTP/1.1\nHost: a\nB: c\n\n";
    assert_eq!(head(text, &mut Fields::new()).header("b"), Some(&b"c"[..]));
}

#[test]
fn hosts() {
    assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"), 400);
    assert_eq!(status("GET / HTTP/1.1\r\nHost: u@a/\r\n\r\n"), 400);
    head("GET / HTTP/1.0\r\n\r\n", &mut Fields::new());
    head("GET / HTTP/1.1\r\nHost:\r\n\r\n", &mut Fields::new());
    head("GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", &mut Fields::new());
}

#[test]
fn tokens_in_lists() {
    let text = with("Connection: keep-alive,\tUpgrade\r\nX: \"a, upgrade\"\r\nconnection: other\r\n");
    let mut fields = Fields::new();
    let head = head(&text, &mut fields);
    assert!(head.has_token("connection", "upgrade") && head.has_token("connection", "OTHER"));
    assert!(!head.has_token("connection", "keep") && !head.has_token("x", "upgrade"));
}

#[test]
fn keeping_the_connection() {
    let keeps = |version: u8, fields: &str| {
        head(&format!("GET / HTTP/1.{version}\r\nHost: a\r\n{fields}\r\n"), &mut Fields::new()).keep_alive()
    };
    assert!(keeps(1, "") && !keeps(0, ""));
    assert!(!keeps(1, "Connection: Close\r\n") && keeps(0, "Connection: Keep-Alive\r\n"));
    assert!(!keeps(0, "Connection: keep-alive, close\r\n"));
}

#[test]
fn expectations() {
    assert!(head(&with("Expect: 100-Continue\r\n"), &mut Fields::new()).expects_continue());
    assert!(!head(&with(""), &mut Fields::new()).expects_continue());
    assert!(!head("GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", &mut Fields::new()).expects_continue());
}

/// Something near a head.
fn near() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        Just("GET / HTTP/1.1\r\n"),
        Just("GET / HTTP/1.0\n"),
        Just("Host: a\r\n"),
        Just("B: c\n"),
        Just("\r\n"),
        Just("\n"),
        Just("\r"),
        Just("x"),
        Just(" "),
        Just(":"),
    ];
    proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    /// In whatever pieces a head comes, it is the same one, and ends where it ends.
    #[test]
    fn more_bytes_never_change_an_answer(text in near(), lead in any::<bool>()) {
        let text = if lead { format!("GET / HTTP/1.1\r\nHost: a\r\n{text}") } else { text };
        let mut seen = None;
        for cut in 0..=text.len() {
            match parse(&text.as_bytes()[..cut], MAX, &mut Fields::new()) {
                Ok(Some((_, size))) => prop_assert_eq!(*seen.get_or_insert(size), size),
                Ok(None) => prop_assert_eq!(seen, None),
                Err(_) => break,
            }
        }
    }

    #[test]
    fn noise_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300), bytes_max in 0usize..400) {
        let _ = parse(&bytes, bytes_max, &mut Fields::new());
    }
}

#[test]
fn debug_shows_no_credentials() {
    let request = b"GET /ws?token=hunter2 HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer hunter2\r\n\
                    Cookie: a=hunter2\r\n\r\n";
    let mut fields = Fields::new();
    let (head, _) = parse(request, 8192, &mut fields).unwrap().unwrap();
    let shown = format!("{head:?}");
    assert!(
        shown.contains("/ws") && shown.contains("Authorization") && !shown.contains("hunter2"),
        "{shown}"
    );
}

//! Who may have a stream, by which request, and what the others are answered.

use super::position;
use crate::daemon::events::{EventStream, Reader};
use crate::daemon::{Daemon, Http};

#[test]
fn refusals_stop_an_event_source_only_where_it_should_stop() {
    let daemon = Daemon::start(&["--max-connections", "1", "--origins", "https://a.example"]);
    let accept = ("Accept", "text/event-stream");
    let status = |target: &str, fields: &[(&str, &str)]| {
        Http::tcp(daemon.public).ask("GET", target, fields, b"").status
    };
    assert_eq!(status("/sse?x=1", &[accept]), 400);
    assert_eq!(status("/sse?channel=secret", &[accept]), 403);
    assert_eq!(status("/sse", &[accept, ("Origin", "https://b.example")]), 403);
    let _one = EventStream::open(&daemon, "/sse");
    let later = Http::tcp(daemon.public).ask("GET", "/sse", &[accept], b"");
    assert_eq!((later.status, later.header("content-type")), (200, Some("text/event-stream")));
    let mut reader = Reader::new(false);
    reader.take(&later.body);
    assert_eq!(reader.event(), None);
    assert!(reader.retry_ms.is_some_and(|ms| ms >= 1_000), "{reader:?}");
    assert_eq!(status("/sse", &[]), 503);
}

#[test]
fn pages_of_other_origins_see_what_they_may() {
    let daemon = Daemon::start(&["--origins", "auto,https://a.example"]);
    for (origin, credentials) in [("https://a.example", Some("true")), ("https://b.example", None)] {
        let fields = [("Origin", origin)];
        let stream = EventStream::open_with(&daemon, "/sse", &fields);
        let refused = Http::tcp(daemon.public).ask("GET", "/sse?x=1", &fields, b"");
        let preflight = Http::tcp(daemon.public).ask("OPTIONS", "/sse?channel=public.a", &fields, b"");
        assert_eq!((stream.head.status, refused.status, preflight.status), (200, 400, 204));
        for head in [&stream.head, &refused, &preflight] {
            assert_eq!(head.header("access-control-allow-origin"), Some(origin));
            assert_eq!(head.header("access-control-allow-credentials"), credentials, "{origin}");
            assert_eq!(head.header("vary"), Some("Origin"));
        }
        let allowed = preflight.header("access-control-allow-headers");
        assert_eq!(allowed, Some("authorization, last-event-id, cache-control, if-none-match"));
    }
    let fields = [("Origin", "https://b.example"), ("Cookie", "session=1")];
    let refused = Http::tcp(daemon.public).ask("GET", "/sse", &fields, b"");
    assert_eq!(refused.status, 403, "with a cookie only pages that are named");
}

#[test]
fn other_methods() {
    let daemon = Daemon::start(&[]);
    let mut http = Http::tcp(daemon.public);
    let head = http.ask("HEAD", "/sse", &[], b"");
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
    assert_eq!(http.ask("HEAD", "/sse?x=1", &[], b"").status, 400, "on the same connection");
    let options = http.ask("OPTIONS", "/sse", &[], b"");
    assert_eq!((options.status, options.header("allow")), (204, Some("GET, HEAD, OPTIONS")));
    assert_eq!(http.ask("POST", "/sse", &[], b"").status, 405);
    assert_eq!(daemon.stats()["connections"], 0);
}

/// nginx asks like that unless it is told otherwise.
#[test]
fn to_http_1_0_the_stream_ends_with_the_connection() {
    let daemon = Daemon::start(&[]);
    let mut stream = EventStream::over(Http::tcp(daemon.public), b"GET /sse HTTP/1.0\r\n\r\n");
    assert_eq!((stream.head.status, stream.head.header("transfer-encoding")), (200, None));
    let receipt = daemon.push("a\nb");
    let event = stream.next().unwrap();
    assert_eq!((event.data.as_str(), event.id), ("a\nb", position(&receipt)));
    let id = daemon.id_of_client(stream.socket());
    assert_eq!(daemon.ask("DELETE", &format!("/connections/{id}"), &[], b"").status, 200);
    assert_eq!(stream.next(), None);
}

#[test]
fn requests_behind_it_are_not_answered() {
    let daemon = Daemon::start(&[]);
    let http = Http::tcp(daemon.public);
    let request = http.request("GET", "/sse", &[], b"");
    let mut stream = EventStream::over(http, &request.repeat(3));
    daemon.push("one");
    daemon.push("two");
    assert_eq!([stream.data(), stream.data()], ["one", "two"]);
    assert_eq!(daemon.stats()["connections"], 1);
}

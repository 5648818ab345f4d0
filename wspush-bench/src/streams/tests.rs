use super::*;
use crate::ledger::Ledger;
use crate::payload::{Body, Template};
use crate::worker::conn::{Conn, Phase};

/// A connection that is open.
struct Scene {
    job: Job,
    streams: Streams,
    conn: Conn,
    ledger: Ledger,
}

impl Scene {
    fn new(kind: Kind, url: &str, is_chunked: bool) -> Self {
        let job = Job::sample(url, kind);
        let mut conn = Conn::vacant();
        (conn.phase, conn.is_chunked) = (Phase::Open, is_chunked);
        Self { streams: Streams::new(&job), job, conn, ledger: Ledger::new(1, 0) }
    }

    fn take(&mut self, bytes: &[u8]) -> Result<(), End> {
        let Self { job, streams, conn, ledger } = self;
        streams.take(&mut Receiver { job, conn, ledger, now_ns: 0 }, bytes)
    }

    /// Takes bytes in pieces of a size; how many messages came, whole and in order.
    fn received(&mut self, wire: &[u8], cut: usize) -> u64 {
        for piece in wire.chunks(cut) {
            self.take(piece).unwrap();
        }
        let tally = &self.ledger.tally;
        assert_eq!((tally.faults.corrupted, tally.faults.lost, tally.foreign), (0, 0, 0), "pieces of {cut}");
        tally.received
    }
}

fn message(sequence: u32) -> String {
    let mut message = Vec::new();
    Template { run: 1, body: Body::Text, size: 50 }.compose(&mut message, sequence, 0);
    String::from_utf8(message).unwrap()
}

fn chunked(pieces: &[String]) -> Vec<u8> {
    pieces.iter().flat_map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len()).into_bytes()).collect()
}

fn envelope(sequence: u32) -> String {
    format!(
        r#"{{"channel":"broadcast","epoch":"17","offset":{},"data":"{}"}}"#,
        sequence + 1,
        message(sequence)
    )
}

#[test]
fn events_come_out_of_chunks_however_they_are_cut() {
    let pieces = [
        "retry: 3000\nid: 17.1\n\n".to_owned(),
        format!("id: 17.2\ndata: {}\n\n:\n\n", message(0)),
        // An event in two chunks, and bytes.
        "event: wspush.binary\nda".to_owned(),
        format!("ta: {}\n\n", STANDARD.encode(message(1))),
        "event: wspush.missed\ndata: {}\n\n".to_owned(),
    ];
    for cut in 1..80 {
        let mut scene = Scene::new(Kind::Sse, "http://127.0.0.1:1/sse", true);
        assert_eq!(scene.received(&chunked(&pieces), cut), 2, "pieces of {cut}");
        assert!(scene.conn.rare.is_none(), "nothing is kept");
    }
    let whole: String = pieces.concat();
    let mut scene = Scene::new(Kind::Sse, "http://127.0.0.1:1/sse", false);
    assert_eq!(scene.received(whole.as_bytes(), 7), 2, "without chunks");
    let mut scene = Scene::new(Kind::Sse, "http://127.0.0.1:1/sse", false);
    let marked = format!("\u{feff}data: {}\n\n\u{feff}data: no field\n\n", message(0));
    assert_eq!(scene.received(marked.as_bytes(), 1), 1, "with a byte order mark in front");
    let mut scene = Scene::new(Kind::Sse, "http://127.0.0.1:1/sse?format=json", true);
    assert_eq!(scene.received(&chunked(&[format!("data: {}\n\n", envelope(0))]), 9), 1, "as envelopes");
}

#[test]
fn lines_come_out_of_chunks_and_their_end_is_told() {
    let pieces = [
        "{\"subscribed\":{\"channel\":\"broadcast\",\"epoch\":\"17\",\"offset\":0}}\n".to_owned(),
        format!("{}\n", envelope(0)),
        " ".to_owned(),
        format!(" {}\n{}", envelope(1), &envelope(2)[..20]),
        format!("{}\n", &envelope(2)[20..]),
    ];
    for cut in [1, 2, 3, 7, 50, 1_000] {
        let mut scene = Scene::new(Kind::Stream, "http://127.0.0.1:1/stream", true);
        assert_eq!(scene.received(&chunked(&pieces), cut), 3, "pieces of {cut}");
        assert!(scene.conn.rare.is_none(), "nothing is kept");
        let end = chunked(&["{\"closed\":{\"code\":1001,\"reason\":\"drain\"}}\n".to_owned()]);
        assert_eq!(scene.take(&end), Err(End::Close(1001)));
        assert_eq!(scene.take(b"0\r\n\r\n"), Err(End::Fault("the end of the stream")));
    }
}

#[test]
fn each_poll_leads_to_the_next() {
    let lines = format!("{}\n{}\n", envelope(0), envelope(1));
    let wire = format!(
        "HTTP/1.1 204 No Content\r\nETag: \"17.0\"\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\n\
         ETag: \"17.2\"\r\nContent-Length: {}\r\n\r\n{lines}",
        lines.len()
    );
    for cut in [1, 10, 1_000] {
        let mut scene = Scene::new(Kind::Poll, "http://127.0.0.1:1/poll?timeout=9", false);
        assert_eq!(scene.received(wire.as_bytes(), cut), 2, "pieces of {cut}");
        let asked = String::from_utf8(std::mem::take(&mut scene.streams.out)).unwrap();
        let paths: Vec<_> = asked.lines().filter(|line| line.starts_with("GET")).collect();
        let expected = ["0", "2"].map(|offset| format!("GET /poll?timeout=9&since=17.{offset} HTTP/1.1"));
        assert_eq!(paths, expected);
    }
    // As Nchan has it.
    let mut scene = Scene::new(Kind::Poll, "http://127.0.0.1:1/sub", false);
    let (text, time) = (message(0), "Fri, 27 Nov 2026 10:00:00 GMT");
    let wire =
        format!("HTTP/1.1 200 OK\r\nLast-Modified: {time}\r\nEtag: 3\r\nContent-Length: 50\r\n\r\n{text}");
    assert_eq!(scene.received(wire.as_bytes(), 1_000), 1);
    let asked = String::from_utf8(scene.streams.out).unwrap();
    assert!(asked.starts_with("GET /sub HTTP/1.1\r\n"), "{asked}");
    assert!(asked.contains(&format!("If-None-Match: 3\r\nIf-Modified-Since: {time}\r\n")), "{asked}");
}

#[test]
fn refused_polls_end_a_connection() {
    for (status, fault) in [
        ("410 Gone", "a poll was answered 410: publications are gone"),
        ("503 Service Unavailable", "a poll was refused"),
    ] {
        let mut scene = Scene::new(Kind::Poll, "http://127.0.0.1:1/poll", false);
        let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(scene.take(answer.as_bytes()), Err(End::Fault(fault)));
    }
}

#[test]
fn answers_are_told_apart() {
    let accept = |kind, answer: &str| {
        Streams::new(&Job::sample("http://127.0.0.1:1/", kind)).accept(answer.as_bytes())
    };
    let head = |media_type: &str| {
        format!("HTTP/1.1 200 OK\r\nContent-Type: {media_type}\r\nTransfer-Encoding: chunked\r\n\r\n")
    };
    let events = head("text/event-stream; charset=utf-8");
    let good = |size| Ok(Some(Answer { size, may_deflate: false, is_chunked: true }));
    assert_eq!(accept(Kind::Sse, &events), good(events.len()));
    assert_eq!(accept(Kind::Sse, &events[..30]), Ok(None));
    assert!(accept(Kind::Stream, &events).is_err());
    assert_eq!(accept(Kind::Stream, &head("application/x-ndjson")), good(head("application/x-ndjson").len()));
    assert_eq!(accept(Kind::Poll, &head("text/plain")), good(0));
    let refused = "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n";
    for kind in [Kind::Sse, Kind::Stream, Kind::Poll] {
        assert_eq!(accept(kind, refused), Err("http 503".to_owned()));
        assert!(accept(kind, "\u{0}").is_err());
    }
}

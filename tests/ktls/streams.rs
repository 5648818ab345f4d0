//! Streams over plain HTTP with kernel TLS.

use super::wss::Rig;
use crate::daemon::events::Reader;
use crate::daemon::tls::TlsClient;

/// The next of what a stream says, as this takes it.
fn next<T>(client: &mut TlsClient, reader: &mut Reader, take: fn(&mut Reader) -> Option<T>) -> T {
    loop {
        reader.take(&client.take());
        if let Some(next) = take(reader) {
            return next;
        }
        assert!(client.receive().expect("good records") > 0 || client.end.is_none(), "the end came");
    }
}

#[test]
fn streams_are_handed_over_as_well() {
    let Some(rig) = Rig::start_if_offered(&["--heartbeat-ms", "200"]) else { return };
    let open = |path: &str| {
        let mut client = rig.connect();
        client.ask(path, &[]);
        assert!(client.head().starts_with("HTTP/1.1 200 "), "{path}");
        (client, Reader::new(true))
    };
    let (mut events, mut event_reader) = open("/sse");
    let (mut lines, mut line_reader) = open("/stream");
    assert!(next(&mut lines, &mut line_reader, Reader::line).starts_with("{\"subscribed\""));
    rig.daemon.wait_stats("both", |stats| stats["counters"]["kernel_tls"]["handed_over"] == 2);
    for size in [1, 16_384, 60_000] {
        let text = "x".repeat(size);
        rig.daemon.push(&text);
        assert_eq!(next(&mut events, &mut event_reader, Reader::event).data, text);
        assert!(next(&mut lines, &mut line_reader, Reader::line).trim_start().contains(&text));
    }
    // Each heartbeat is a record of its own.
    while event_reader.comments.is_empty() {
        event_reader.take(&events.take());
        assert_eq!(event_reader.event(), None);
        events.receive().expect("good records");
    }
    drop((events, lines));
    rig.daemon.wait_connections(0);
    assert_eq!(rig.counter("kernel_tls", "failed"), 0);
}

/// Behind it comes the next request, which depends on what our session knows.
#[test]
fn a_poll_is_not_handed_over() {
    let Some(rig) = Rig::start_if_offered(&[]) else { return };
    let mut client = rig.connect();
    for text in ["one", "two"] {
        client.ask("/poll?since=head&timeout=60", &[("Origin", "https://localhost"), ("Cookie", "a=b")]);
        rig.daemon.wait_connections(1);
        rig.daemon.push(text);
        let head = client.head();
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        let mut reader = Reader::new(true);
        assert!(next(&mut client, &mut reader, Reader::line).contains(text));
        while !reader.is_over {
            client.receive().expect("good records");
            reader.take(&client.take());
        }
    }
    assert_eq!(rig.handed_over(), 0);
}

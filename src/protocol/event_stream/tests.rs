use super::*;
use proptest::prelude::*;

const ORIGIN: Origin<'_> = Origin { channel: "news", epoch: 17, offset: 42, frame_bytes_max: 1 << 20 };

/// A browser's way to read a stream (section 9.2.6), written without a look at the encoder.
#[derive(Debug, Default, PartialEq, Eq)]
struct Reader {
    /// Name, data and last id of each event.
    events: Vec<(String, String, String)>,
    id: String,
    retry_ms: Option<u64>,
}

impl Reader {
    fn read(stream: &[u8]) -> Reader {
        let text = String::from_utf8_lossy(stream).into_owned();
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let (mut reader, mut name, mut data) = (Reader::default(), String::new(), String::new());
        for line in lines(text) {
            if line.is_empty() {
                if let Some(data) = data.strip_suffix('\n') {
                    let name = if name.is_empty() { "message".to_owned() } else { name.clone() };
                    reader.events.push((name, data.to_owned(), reader.id.clone()));
                }
                (name, data) = (String::new(), String::new());
                continue;
            }
            let (field, value) = line.split_once(':').unwrap_or((&line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match field {
                "event" => name = value.to_owned(),
                "data" => data += &format!("{value}\n"),
                "id" if !value.contains('\0') => reader.id = value.to_owned(),
                "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                    reader.retry_ms = value.parse().ok();
                }
                _ => {}
            }
        }
        reader
    }

    fn data(&self) -> Vec<&str> {
        self.events.iter().map(|(_, data, _)| data.as_str()).collect()
    }
}

/// Only whole lines: what has no end yet is not read.
fn lines(text: &str) -> Vec<String> {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<String> = unified.split('\n').map(str::to_owned).collect();
    lines.pop();
    lines
}

fn payload(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    push_payload(Opcode::Text, text.as_bytes(), &mut out);
    out
}

#[test]
fn payloads_to_the_letter() {
    for (text, expected) in [
        ("a", "data: a\n\n"),
        (" a", "data:  a\n\n"),
        ("a\nb", "data: a\ndata: b\n\n"),
        ("a\rb", "data: a\ndata: b\n\n"),
        ("a\r\nb", "data: a\ndata: b\n\n"),
        ("a\n\rb", "data: a\ndata: \ndata: b\n\n"),
        ("a\n", "data: a\ndata: \n\n"),
        ("\n", "data: \ndata: \n\n"),
        ("\r\n\r\n", "data: \ndata: \ndata: \n\n"),
        ("id: 7\nretry: 1", "data: id: 7\ndata: retry: 1\n\n"),
        ("\u{feff}a", "data: \u{feff}a\n\n"),
        ("a\0b", "data: a\0b\n\n"),
        ("a\u{2028}b\u{b}c\u{85}d", "data: a\u{2028}b\u{b}c\u{85}d\n\n"),
    ] {
        assert_eq!(payload(text), expected.as_bytes(), "{text:?}");
    }
    let mut out = Vec::new();
    push_payload(Opcode::Binary, b"\0\xff\n", &mut out);
    assert_eq!(out, b"event: wspush.binary\ndata: AP8K\n\n");
}

#[test]
fn everything_else_to_the_letter() {
    let mut out = Vec::new();
    push_retry(3_000, &mut out);
    push_comment("one\r\ntwo", &mut out);
    push_id(|out| out.extend_from_slice(b"17.42"), &mut out);
    out.push(b'\n');
    push_missed(&ORIGIN, (3, 9), &mut out);
    push_json(br#"{"a":1}"#, &mut out);
    out.extend_from_slice(HEARTBEAT);
    let expected = "retry: 3000\n: one  two\nid: 17.42\n\nevent: wspush.missed\n\
                    data: {\"channel\":\"news\",\"epoch\":\"17\",\"from\":3,\"to\":9}\n\ndata: {\"a\":1}\n\n:\n\n";
    assert_eq!(out, expected.as_bytes());
    let read = Reader::read(&out);
    assert_eq!((read.retry_ms, read.id.as_str(), read.events.len()), (Some(3_000), "17.42", 2));
}

/// The streams of the web platform tests' eventsource/format-*, so that the reader here is one.
#[test]
fn the_reader_is_a_browser() {
    for (stream, expected) in [
        ("data\n\n", &[""][..]),
        ("data:test\n\n", &["test"]),
        ("data: test\n\n", &["test"]),
        ("data:\n\ndata\ndata\n\ndata:test\n\n", &["", "\n", "test"]),
        ("\u{feff}data:1\n\n\u{feff}data:2\n\ndata:3\n\n", &["1", "3"]),
        ("\u{feff}\u{feff}data:1\n\ndata:2\n\ndata:3\n\n", &["2", "3"]),
        ("data:1\r:\0\n:\r\ndata:2\n\ndata:3\n\n", &["1\n2", "3"]),
        ("data: data\n\ndata:\t test\r\n\r\n", &["data", "\t test"]),
        (
            "data:msg\ndata: msg\n\n:\nfalsefield:msg\n\nfalsefield:msg\nData:data\n\ndata\n\ndata:end\n\n",
            &["msg\nmsg", "", "end"],
        ),
        ("\n\ndata:\0\n\n\0data:2\n\n", &["\0"]),
        ("data:1\n\ndata:no end", &["1"]),
    ] {
        assert_eq!(Reader::read(stream.as_bytes()).data(), expected, "{stream:?}");
    }
    let ids = Reader::read(b"id: 1\ndata:a\n\nid: 2\0\ndata:b\n\nid\ndata:c\n\n");
    assert_eq!(ids.events.iter().map(|(_, _, id)| id.as_str()).collect::<Vec<_>>(), ["1", "1", ""]);
}

/// Likewise their fields besides `data`: names, ids that stay, times to come back, what is no UTF-8.
#[test]
fn the_reader_knows_all_fields_as_a_browser_does() {
    type Expected = (&'static [(&'static str, &'static str, &'static str)], &'static str, Option<u64>);
    let cases: [(&[u8], Expected); 14] = [
        (b"event:test\ndata:x\n\ndata:x\n\n", (&[("test", "x", ""), ("message", "x", "")], "", None)),
        (b"event: \ndata:data\n\n", (&[("message", "data", "")], "", None)),
        (b"event:a\nevent:b\ndata:c\n\n", (&[("b", "c", "")], "", None)),
        (b"event:nothing\n\ndata:x\n\n", (&[("message", "x", "")], "", None)),
        (b"data:first\nid\n:\n\n", (&[("message", "first", "")], "", None)),
        (b"id: 1\ndata:a\n\ndata:b\n\n", (&[("message", "a", "1"), ("message", "b", "1")], "1", None)),
        (b"id: 1\n\ndata:b\n\n", (&[("message", "b", "1")], "1", None)),
        (b"id:\xe2\x80\xa6\ndata:a\n\n", (&[("message", "a", "\u{2026}")], "\u{2026}", None)),
        (b"retry:3\ndata:x\n\n", (&[("message", "x", "")], "", Some(3))),
        (b"retry:3000\nretry:1000x\ndata:x\n\n", (&[("message", "x", "")], "", Some(3_000))),
        (b"retry\ndata:test\n\n", (&[("message", "test", "")], "", None)),
        (b":retry:1\nRetry:2\nretry :3\n\n", (&[], "", None)),
        (b"data:ok\xe2\x80\xa6\n\n", (&[("message", "ok\u{2026}", "")], "", None)),
        (b"data:\xff!\n\n", (&[("message", "\u{fffd}!", "")], "", None)),
    ];
    for (stream, (events, id, retry_ms)) in cases {
        let read = Reader::read(stream);
        let said: Vec<_> =
            read.events.iter().map(|(name, data, id)| (name.as_str(), data.as_str(), id.as_str())).collect();
        let shown = String::from_utf8_lossy(stream);
        assert_eq!((&said[..], read.id.as_str(), read.retry_ms), (events, id, retry_ms), "{shown:?}");
    }
}

proptest! {
    #[test]
    fn every_text_arrives(texts in proptest::collection::vec("[a-z :\r\n\0\u{feff}\u{e9}]{1,12}", 1..5)) {
        let stream: Vec<u8> = texts.iter().flat_map(|text| payload(text)).collect();
        // A byte order mark is taken away only where a stream begins, and ours begin with `retry`.
        let read = Reader::read(&[b"retry: 1\n", &stream[..]].concat());
        let expected: Vec<String> =
            texts.iter().map(|text| text.replace("\r\n", "\n").replace('\r', "\n")).collect();
        prop_assert_eq!(read.data(), expected);
    }

    /// To a reader, the chunks of an event stream that is not taken for chunked are that event stream.
    #[test]
    fn chunks_are_an_event_stream_themselves(texts in proptest::collection::vec("[a-z\n]{1,300}", 1..5)) {
        let mut chunked = b"retry: 1\n\n".to_vec();
        for (n, text) in texts.iter().enumerate() {
            let mut event = Vec::new();
            push_id(|out| json::push_number(n as u64, out), &mut event);
            event.extend(payload(text));
            super::super::chunk::push(&event, &mut chunked);
        }
        let read = Reader::read(&chunked);
        prop_assert_eq!(read.data(), texts.iter().map(String::as_str).collect::<Vec<_>>());
        prop_assert_eq!(read.id, (texts.len() - 1).to_string());
    }
}

#[test]
fn a_message_is_an_event_of_its_name() {
    let event = |object: &[u8]| {
        let mut out = Vec::new();
        push_message(object, &mut out);
        String::from_utf8(out).unwrap()
    };
    let leave = br#"{"leave":{"channel":"a\":b","user":"u"}}"#;
    assert_eq!(event(leave), "event: wspush.leave\ndata: {\"channel\":\"a\\\":b\",\"user\":\"u\"}\n\n");
    assert_eq!(event(br#"{"presence":{}}"#), "event: wspush.presence\ndata: {}\n\n");
}

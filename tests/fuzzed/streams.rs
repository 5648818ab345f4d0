//! Event streams and the positions in their ids, in both directions.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use wspush::endpoint::Beginnings;
use wspush::protocol::chunk;
use wspush::protocol::event_stream as events;
use wspush::protocol::{Opcode, json};
use wspush::push::positions::push_named;
use wspush::push::{Position, Positions, Since};

/// An event as its reader dispatches it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Event {
    name: String,
    data: String,
    id: String,
}

/// Reads a stream as WHATWG HTML section 9.2.6 says, without a look at what has written it.
fn read(stream: &str) -> Vec<Event> {
    let (mut events, mut event, mut has_data) = (Vec::new(), Event::default(), false);
    let mut rest = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    while let Some(end) = rest.find(['\r', '\n']) {
        let line = &rest[..end];
        rest = rest[end..].strip_prefix("\r\n").unwrap_or(&rest[end + 1..]);
        if line.is_empty() {
            let id = event.id.clone();
            let event = std::mem::replace(&mut event, Event { id, ..Event::default() });
            if std::mem::take(&mut has_data) {
                events.push(event);
            }
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => event.name = value.to_owned(),
            "data" if has_data => event.data = format!("{}\n{value}", event.data),
            "data" => (event.data, has_data) = (value.to_owned(), true),
            "id" if !value.contains('\0') => event.id = value.to_owned(),
            _ => {}
        }
    }
    assert_eq!(rest, "", "an event that is not whole");
    events
}

/// A payload comes out of its event as it went in, but for the ends of its lines, whatever it has in it; and the chunk
/// around it is one.
pub fn event(data: &[u8]) {
    let mut stream = b"retry: 1\nid: 6.1\n\n".to_vec();
    let begin = stream.len();
    events::push_id(|out| out.extend_from_slice(b"7.2"), &mut stream);
    let text = std::str::from_utf8(data).ok();
    let opcode = if text.is_some() { Opcode::Text } else { Opcode::Binary };
    events::push_payload(opcode, data, &mut stream);
    let mut chunks = Vec::new();
    chunk::push(&stream[begin..], &mut chunks);
    assert!(chunk::are_whole(&chunks) && chunk::boundary_at(&chunks, 1) == Some(chunks.len()));
    let mut unpacked = Vec::new();
    chunk::push_data(&chunks, &mut unpacked);
    assert_eq!(unpacked, stream[begin..]);
    events::push_comment(text.unwrap_or("?"), &mut stream);
    stream.extend_from_slice(events::HEARTBEAT);
    let read = read(std::str::from_utf8(&stream).expect("UTF-8 in an ASCII frame"));
    let [Event { name, data: said, id }] = &read[..] else { panic!("one event: {read:?}") };
    assert_eq!(id, "7.2");
    match text {
        Some(text) => {
            let lines = text.replace("\r\n", "\n").replace('\r', "\n");
            assert_eq!((name.as_str(), said), ("", &lines));
        }
        None => {
            assert_eq!(name, events::BINARY);
            assert_eq!(BASE64_STANDARD.decode(said).expect("base64"), data);
        }
    }
    message(data);
}

/// A message of `wspush.v1` is an event, whatever its strings are.
fn message(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut object = b"{\"leave\":{\"channel\":\"c\",\"user\":".to_vec();
    json::push_string(text.as_bytes(), &mut object);
    object.extend_from_slice(b"}}");
    assert_eq!(json::in_one_line(&object), object, "strings have no ends of lines");
    let mut stream = Vec::new();
    events::push_message(&object, &mut stream);
    let read = read(std::str::from_utf8(&stream).expect("UTF-8"));
    let [Event { name, data, .. }] = &read[..] else { panic!("one event: {read:?}") };
    let said: serde_json::Value = serde_json::from_str(data).expect("JSON");
    assert_eq!((name.as_str(), said["user"].as_str()), ("wspush.leave", Some(&*text)));
}

/// Positions are read out of any garbage (`Last-Event-ID`, a tag, `since` of a poll), as those that they are; and what
/// was read says the same when it is written.
pub fn positions(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (read, is_all) = Positions::read(&text);
    let mut written = Vec::new();
    for (n, (name, at)) in read.named.iter().enumerate() {
        assert!(!name.is_empty() && !name.contains(','), "{name:?}");
        push_named(name, *at, n == 0, &mut written);
    }
    if let Some(bare) = read.bare {
        written.extend_from_slice(if written.is_empty() { b"" } else { b"," });
        written.extend_from_slice(bare.to_string().as_bytes());
    }
    let written = String::from_utf8(written).expect("UTF-8");
    if !written.is_empty() {
        assert_eq!(Positions::read(&written), (read.clone(), true), "{written:?}");
    }
    assert!(!is_all || written.len() == text.len(), "{text:?} is {written:?}");
    let parts = text.split(',').filter(|part| part.parse::<Position>().is_ok()).count();
    assert_eq!(parts > 0, read.bare.is_some(), "{text:?}");
    // A client that goes on there has these channels there, and all others where they were.
    let mut beginnings = Beginnings::default();
    beginnings.go_on(read.clone(), true, &["a".to_owned()]);
    let of = |name: &str| read.named.get(name).map(|at| Since::Position(*at));
    assert_eq!(beginnings.of("a"), of("a").unwrap_or_default());
    let bare = read.bare.map(Since::Position);
    assert_eq!(beginnings.of("broadcast"), of("broadcast").or(bare).unwrap_or_default());
}

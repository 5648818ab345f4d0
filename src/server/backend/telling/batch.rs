//! Events on their way, in one request.

use serde::Serialize;
use serde_json::value::RawValue;

use crate::reactor::backend::{Event, Turn};

/// Some events, as they are posted.
pub(in super::super) struct Batch {
    /// The same however often it is posted.
    pub id: String,
    /// JSON.
    pub body: Vec<u8>,
    /// So many events.
    pub count: usize,
}

/// Something to be told.
pub(in super::super) trait Tell: Send + 'static {
    /// Puts events together, in their order. `dropped` of those before them nobody was told of.
    fn batch(id: String, dropped: u64, events: &[Self]) -> Batch
    where
        Self: Sized;

    /// When it is told.
    fn turn(&self) -> &Turn {
        &Turn::Now
    }
}

impl Tell for Event {
    fn batch(id: String, dropped: u64, events: &[Event]) -> Batch {
        Batch::of(id, dropped, events)
    }
}

#[derive(Serialize)]
struct Body<'a> {
    id: &'a str,
    /// Events before these that nobody was told of.
    #[serde(skip_serializing_if = "is_none")]
    dropped: u64,
    events: Vec<Shown<'a>>,
}

#[derive(Serialize)]
struct Shown<'a> {
    event: &'a str,
    channel: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    time_ms: u64,
}

fn is_none(dropped: &u64) -> bool {
    *dropped == 0
}

impl Shown<'_> {
    fn of(event: &Event) -> Shown<'_> {
        Shown {
            event: event.event,
            channel: &event.channel,
            user: event.user.as_deref(),
            // It was read as JSON when it came.
            info: event.info.as_deref().and_then(|info| serde_json::from_str(info).ok()),
            time_ms: event.time_ms,
        }
    }
}

impl Batch {
    fn of(id: String, dropped: u64, events: &[Event]) -> Batch {
        let events: Vec<Shown<'_>> = events.iter().map(Shown::of).collect();
        let count = events.len();
        // Text and numbers: nothing in it can't be written.
        let body = serde_json::to_vec(&Body { id: &id, dropped, events }).unwrap_or_default();
        Batch { id, body, count }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_is_json_with_all_its_events() {
        let occupied = Event::new("channel_occupied", "news", 5);
        let added = Event {
            user: Some("ann".into()),
            info: Some(r#"{ "a": 1 }"#.into()),
            ..Event::new("member_added", "room", 6)
        };
        let batch = Batch::of("7.1".to_owned(), 0, &[occupied.clone(), added]);
        let expected = concat!(
            r#"{"id":"7.1","events":[{"event":"channel_occupied","channel":"news","time_ms":5},"#,
            r#"{"event":"member_added","channel":"room","user":"ann","info":{ "a": 1 },"time_ms":6}]}"#
        );
        assert_eq!((String::from_utf8(batch.body).unwrap().as_str(), batch.count), (expected, 2));
        let batch = Batch::of("7.2".to_owned(), 3, &[occupied]);
        assert!(batch.body.starts_with(br#"{"id":"7.2","dropped":3,"events":[{"#));
    }
}

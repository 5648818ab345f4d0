//! The requests that are pushed to over plain HTTP.

use super::{BEGINNING, BROADCAST, CHANNEL_TO_RECEIVE, GUEST, Listeners, Request, TOKEN, WS, optional};
use crate::config::Transport;
use crate::endpoint::query::{Parameter, Times, Value};
use crate::limits::POLL_S_MAX;

/// Server-Sent Events.
pub static SSE: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/sse",
    query: &[
        CHANNEL_TO_RECEIVE,
        BEGINNING,
        BROADCAST,
        FORMAT,
        optional(
            LAST_EVENT_ID,
            Value::Anything,
            "the `id` of the event that was received last, where the header `Last-Event-ID` is not sent; comes before \
             `since`",
        ),
        optional(LAST_EVENT_ID_CAMEL, Value::Anything, "the same, as polyfills of `EventSource` call it"),
        TOKEN,
    ],
};

/// Envelopes on lines.
pub static STREAM: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/stream",
    query: &[CHANNEL_TO_RECEIVE, BEGINNING, BROADCAST, TOKEN],
};

/// Long polling.
pub static POLL: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/poll",
    query: &[CHANNEL_TO_RECEIVE, POSITIONS, BROADCAST, TIMEOUT, TOKEN],
};

/// Server-Sent Events for a guest of the demo.
pub static DEMO_SSE: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/demo/sse",
    query: &[CHANNEL_TO_RECEIVE, BEGINNING, BROADCAST, FORMAT, TOKEN, GUEST],
};

/// Long polling of a guest.
pub static DEMO_POLL: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/demo/poll",
    query: &[CHANNEL_TO_RECEIVE, POSITIONS, BROADCAST, TIMEOUT, TOKEN, GUEST],
};

/// How an event has a publication.
const FORMAT: Parameter = optional(
    "format",
    Value::Choice(&["raw", "json"]),
    "`json`: an event's data is the envelope of `wspush.v1`; without it, or with `raw`, the payload",
);

/// From where on a poll asks.
const POSITIONS: Parameter = Parameter {
    name: "since",
    times: Times::Repeatable,
    value: Value::Positions,
    meaning: "as for `GET /ws`; or the positions in several channels, as an `ETag` has them: `C~E.O,D~E.O`",
};

/// How long a poll waits.
const TIMEOUT: Parameter = optional(
    "timeout",
    Value::Number(0, POLL_S_MAX),
    "how many seconds it waits if there is nothing; without it, 25",
);

/// The event that a client has received last.
pub const LAST_EVENT_ID: &str = "last_event_id";
/// The same to polyfills of `EventSource`, unless they are told otherwise.
pub const LAST_EVENT_ID_CAMEL: &str = "lastEventId";

impl Transport {
    /// The request for it.
    pub fn request(self) -> &'static Request {
        match self {
            Transport::WebSocket => &WS,
            Transport::Sse => &SSE,
            Transport::Stream => &STREAM,
            Transport::Poll => &POLL,
        }
    }

    /// The request for it at this path: there are two, one of them for the demo's guests.
    pub fn request_at(self, path: &str) -> &'static Request {
        [&DEMO_SSE, &DEMO_POLL].into_iter().find(|request| request.path == path).unwrap_or(self.request())
    }
}

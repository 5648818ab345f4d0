//! Every request that there is, and the parameters it takes. docs/http.md has it as a table.

use super::demo::GUEST_BYTES_MAX;
use super::query::{Parameter, Times, Value};
use crate::limits::{
    APP_CHANNEL_NAME_BYTES_MAX, CLUSTER_NAME_BYTES_MAX, IDEMPOTENCY_KEY_BYTES_MAX, PACE_DEADLINE_MS,
    PACE_RATE, TOKEN_BYTES_MAX, USER_BYTES_MAX,
};
use crate::protocol::close::REASON_MAX;
use crate::protocol::head::Head;

mod streams;

pub use streams::{DEMO_POLL, DEMO_SSE, LAST_EVENT_ID, LAST_EVENT_ID_CAMEL, POLL, SSE, STREAM};

/// Which listener takes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listeners {
    /// The public ones.
    Public,
    /// The admin listener.
    Admin,
    /// All of them.
    Both,
}

/// A request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Who takes it.
    pub listener: Listeners,
    /// Its method; `HEAD` goes with `GET`.
    pub method: &'static str,
    /// Its path; what is in capitals differs.
    pub path: &'static str,
    /// The parameters of its query.
    pub query: &'static [Parameter],
}

/// Entries on a page of `GET /connections` or `GET /channels`, unless the request says otherwise.
pub const PAGE_DEFAULT: u64 = 100;
/// Entries on a page at the most: it bounds the answer's size and the time it takes.
pub const PAGE_MAX: u64 = 1_000;

const fn optional(name: &'static str, value: Value, meaning: &'static str) -> Parameter {
    Parameter { name, times: Times::Optional, value, meaning }
}

/// For clients that can't see a status, as no page in a browser can.
const REFUSALS: Parameter = optional(
    "refusals",
    Value::Choice(&["status", "close"]),
    "`close`: a refusal is 101 and a close frame that says why; without it, or with `status`, an HTTP status",
);

/// For clients that can set no header and no cookie, and offer no subprotocols.
const TOKEN: Parameter = optional(
    "token",
    Value::Text(TOKEN_BYTES_MAX),
    "a token (JWT), where `auth` is set; `Authorization: Bearer` and the others of docs/auth.md come before it",
);

/// For all that are pushed to.
const CHANNEL_TO_RECEIVE: Parameter = Parameter {
    name: "channel",
    times: Times::Repeatable,
    value: Value::Channel,
    meaning: "receives this channel as well as the default one",
};

/// The same.
const BEGINNING: Parameter = Parameter {
    name: "since",
    times: Times::Repeatable,
    value: Value::Since,
    meaning: "from where on, for the `channel` in front of it, or for the default one if there is none: \
              `E.O` (behind this position), `earliest`, `last:N`, `time:UNIX_MS`, `latest`; without it, or \
              with `head`, from now on",
};

/// The same.
const BROADCAST: Parameter =
    optional("broadcast", Value::Choice(&["no"]), "`no`: does not receive the default channel");

const FOR_ANY_SOCKET: &[Parameter] = &[REFUSALS, TOKEN];

/// A WebSocket that is pushed to.
pub static WS: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/ws",
    query: &[CHANNEL_TO_RECEIVE, BEGINNING, BROADCAST, REFUSALS, TOKEN],
};

/// A WebSocket at a path of the host's, whose query is the host's to read.
pub static ROUTE: Request =
    Request { listener: Listeners::Public, method: "GET", path: "a route", query: FOR_ANY_SOCKET };

/// The same for a guest of the demo.
pub static DEMO_WS: Request = Request {
    listener: Listeners::Public,
    method: "GET",
    path: "/demo/ws",
    query: &[CHANNEL_TO_RECEIVE, BEGINNING, BROADCAST, REFUSALS, TOKEN, GUEST],
};

/// The name that a guest of the demo gives.
const GUEST: Parameter = optional(
    "as",
    Value::Text(GUEST_BYTES_MAX),
    "who it is, in letters, digits and `-`: a user, whom nobody has checked; only where neither tokens nor a host say \
     who comes",
);

/// Whether guests of the demo say there who they are.
pub fn is_for_guests(path: &str) -> bool {
    [&DEMO_WS, &DEMO_SSE, &DEMO_POLL].iter().any(|request| request.path == path)
}

/// The demo's WebSocket that gives back what it gets.
pub static ECHO: Request =
    Request { listener: Listeners::Public, method: "GET", path: "/echo", query: FOR_ANY_SOCKET };

/// The demo's WebSocket for all who are there.
pub static CHAT: Request =
    Request { listener: Listeners::Public, method: "GET", path: "/chat", query: FOR_ANY_SOCKET };

/// The demo's page.
pub static PAGE: Request = Request { listener: Listeners::Public, method: "GET", path: "/", query: &[] };

/// The demo's form.
pub static DEMO_PUSH: Request = Request {
    listener: Listeners::Public,
    method: "POST",
    path: "/demo/push",
    query: &[optional("channel", Value::Channel, "to this one channel; without it, to everybody")],
};

/// The server's state for the demo's page.
pub static DEMO_INFO: Request =
    Request { listener: Listeners::Public, method: "GET", path: "/demo/info", query: &[] };

/// Whether the server is there.
pub static HEALTH: Request =
    Request { listener: Listeners::Both, method: "GET", path: "/healthz", query: &[] };

/// Whether newcomers are let in.
pub static READINESS: Request =
    Request { listener: Listeners::Both, method: "GET", path: "/readyz", query: &[] };

/// The dashboard.
pub static DASHBOARD: Request = Request { listener: Listeners::Admin, method: "GET", path: "/", query: &[] };

/// The end of the server.
pub static DRAIN: Request =
    Request { listener: Listeners::Admin, method: "POST", path: "/drain", query: &[] };

/// A push.
pub static PUSH: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/push",
    query: &[
        Parameter {
            name: "channel",
            times: Times::Repeatable,
            value: Value::Channel,
            meaning: "to the subscribers of this channel, or of these; without it, `conn` and `user`, to everybody",
        },
        optional("conn", Value::Number(1, u64::MAX), "to this connection alone; not beside `channel`"),
        optional(
            "user",
            Value::Text(USER_BYTES_MAX),
            "to all connections that this user has; not beside `channel` and `conn`",
        ),
        optional("compress", Value::Choice(&["yes", "no"]), "`no`: compressed for nobody"),
        optional(
            "idempotency_key",
            Value::Text(IDEMPOTENCY_KEY_BYTES_MAX),
            "published once, however often it is asked for; not beside `conn` and `user`",
        ),
        optional(
            "if_offset",
            Value::Number(0, u64::MAX),
            "only if this is the newest offset of each channel, 0 of one that has none; else 409; not beside `conn` \
             and `user`",
        ),
        optional(
            "rate",
            Value::Number(PACE_RATE.min, PACE_RATE.max),
            "so many subscribers a second are written to; not beside `deadline_ms`, `conn` and `user`",
        ),
        optional(
            "deadline_ms",
            Value::Number(PACE_DEADLINE_MS.min, PACE_DEADLINE_MS.max),
            "all subscribers are written to within so many milliseconds, evenly; not beside `rate`, `conn` and `user`",
        ),
        optional(
            "node",
            Value::Text(CLUSTER_NAME_BYTES_MAX),
            "of a cluster: `conn` is a connection of the node with this name; not without it",
        ),
    ],
};

/// Many publications.
pub static BATCH: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/push/batch",
    query: &[optional(
        "idempotency_key",
        Value::Text(IDEMPOTENCY_KEY_BYTES_MAX),
        "the whole batch is published once, however often it is asked for",
    )],
};

/// Numbers.
pub static STATS: Request = Request {
    listener: Listeners::Admin,
    method: "GET",
    path: "/stats",
    query: &[
        optional(
            "receipt",
            Value::Number(0, u64::MAX),
            "how far this publication has come, at all nodes together; without it, the server's numbers",
        ),
        NODE,
    ],
};

/// Numbers for Prometheus.
pub static METRICS: Request =
    Request { listener: Listeners::Admin, method: "GET", path: "/metrics", query: &[] };

/// The nodes of a cluster.
pub static NODES: Request = Request { listener: Listeners::Admin, method: "GET", path: "/nodes", query: &[] };

/// Where it is to be asked.
const NODE: Parameter = optional(
    "node",
    Value::Text(CLUSTER_NAME_BYTES_MAX),
    "of a cluster: at the node with this name, as `GET /nodes` lists it; where something is looked at, `*` is all of \
     them; without it, at the one that is asked",
);

/// Which page of a list.
const AFTER: Parameter = optional(
    "after",
    Value::Number(1, u64::MAX),
    "behind this connection: the `next` of the page before; without it, from the first",
);

/// How much of a list.
const LIMIT: Parameter =
    optional("limit", Value::Number(1, PAGE_MAX), "so many on the page; without it, 100");

/// The code of a close.
const CODE: Parameter = optional("code", Value::Number(1_000, 4_999), "the close code; without it, 1008");

/// The reason of a close.
const REASON: Parameter = optional(
    "reason",
    Value::Text(REASON_MAX),
    "what the close frame says; without it, that the operator has closed it",
);

/// A page of the connections.
pub static CONNECTIONS: Request = Request {
    listener: Listeners::Admin,
    method: "GET",
    path: "/connections",
    query: &[
        optional("user", Value::Text(usize::MAX), "only this user's; without it, everybody's"),
        optional("channel", Value::Channel, "only this channel's subscribers; without it, all"),
        AFTER,
        LIMIT,
        NODE,
    ],
};

/// A page of the channels.
pub static CHANNELS: Request = Request {
    listener: Listeners::Admin,
    method: "GET",
    path: "/channels",
    query: &[
        optional(
            "prefix",
            Value::Text(APP_CHANNEL_NAME_BYTES_MAX),
            "only those whose names begin so; without it, all",
        ),
        optional(
            "after",
            Value::Number(0, u64::MAX),
            "behind this place: the `next` of the page before; without it, from the first",
        ),
        optional("limit", Value::Number(1, PAGE_MAX), "so many on the page; without it, 100"),
        NODE,
    ],
};

/// How a channel stands.
pub static CHANNEL: Request =
    Request { listener: Listeners::Admin, method: "GET", path: "/channels/C", query: &[NODE] };

/// The publications that a channel has.
pub static HISTORY: Request = Request {
    listener: Listeners::Admin,
    method: "GET",
    path: "/channels/C/history",
    query: &[
        optional("since", Value::Since, "from there on; without it, from the oldest that the channel has"),
        optional("limit", Value::Number(1, PAGE_MAX), "so many on the page; without it, 100"),
        optional("reverse", Value::Choice(&["yes", "no"]), "`yes`: the newest first"),
        NODE,
    ],
};

/// Who is in a channel.
pub static PRESENCE: Request =
    Request { listener: Listeners::Admin, method: "GET", path: "/channels/C/presence", query: &[NODE] };

/// The end of what a channel has had.
pub static FORGET: Request =
    Request { listener: Listeners::Admin, method: "DELETE", path: "/channels/C/history", query: &[] };

/// The end of one connection.
pub static DISCONNECT: Request = Request {
    listener: Listeners::Admin,
    method: "DELETE",
    path: "/connections/ID",
    query: &[CODE, REASON, NODE],
};

/// A page of a user's connections.
pub static USER: Request =
    Request { listener: Listeners::Admin, method: "GET", path: "/users/USER", query: &[AFTER, LIMIT, NODE] };

/// The end of all of them.
pub static DISCONNECT_USER: Request = Request {
    listener: Listeners::Admin,
    method: "DELETE",
    path: "/users/USER",
    query: &[
        CODE,
        REASON,
        optional(
            "revoke",
            Value::Choice(&["yes", "no"]),
            "`yes`: and no token of this user's that was issued before now is taken any more",
        ),
    ],
};

/// The channel of a subscription.
const CHANNEL_NAME: Parameter =
    Parameter { name: "channel", times: Times::Required, value: Value::Channel, meaning: "the channel" };

/// The beginning of a subscription.
const SINCE: Parameter =
    optional("since", Value::Since, "from where on, as for `GET /ws`; without it, from now on");

/// A subscription of one connection.
pub static SUBSCRIBE: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/connections/ID/subscribe",
    query: &[CHANNEL_NAME, SINCE, NODE],
};

/// The end of one.
pub static UNSUBSCRIBE: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/connections/ID/unsubscribe",
    query: &[CHANNEL_NAME, NODE],
};

/// A subscription of all connections of a user.
pub static SUBSCRIBE_USER: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/users/USER/subscribe",
    query: &[CHANNEL_NAME, SINCE],
};

/// The end of them.
pub static UNSUBSCRIBE_USER: Request = Request {
    listener: Listeners::Admin,
    method: "POST",
    path: "/users/USER/unsubscribe",
    query: &[CHANNEL_NAME],
};

/// All of them.
pub static ALL: &[&Request] = &[
    &WS,
    &SSE,
    &STREAM,
    &POLL,
    &PAGE,
    &ECHO,
    &CHAT,
    &DEMO_WS,
    &DEMO_SSE,
    &DEMO_POLL,
    &DEMO_PUSH,
    &DEMO_INFO,
    &DASHBOARD,
    &DRAIN,
    &PUSH,
    &BATCH,
    &STATS,
    &METRICS,
    &NODES,
    &CONNECTIONS,
    &CHANNELS,
    &CHANNEL,
    &HISTORY,
    &FORGET,
    &PRESENCE,
    &DISCONNECT,
    &SUBSCRIBE,
    &UNSUBSCRIBE,
    &USER,
    &DISCONNECT_USER,
    &SUBSCRIBE_USER,
    &UNSUBSCRIBE_USER,
    &HEALTH,
    &READINESS,
];

/// The field of a push's form, in either kind of form.
pub static PUSH_FORM: &[Parameter] = &[Parameter {
    name: "message",
    times: Times::Required,
    value: Value::Text(usize::MAX),
    meaning: "what is pushed",
}];

/// The path by which a request is known: a slash behind it makes no other one of it.
pub fn path<'a>(head: &Head<'a>) -> &'a str {
    let path = head.path();
    match path.strip_suffix('/') {
        Some(known) if !known.is_empty() && !known.ends_with('/') => known,
        _ => path,
    }
}

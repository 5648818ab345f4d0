//! The server's messages beside publications and history.

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::super::envelope;
use super::super::frame::Opcode;
use super::command::Id;

/// A message, but for those that carry payloads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerMessage<'a> {
    /// The first one on a connection.
    Connected {
        /// The connection's id.
        conn: &'a str,
        /// Who it is.
        #[serde(skip_serializing_if = "Option::is_none")]
        user: Option<&'a str>,
        /// The server's name and version.
        server: &'a str,
        /// How long the connection may be silent before it is pinged; 0: it never is.
        ping_ms: u64,
    },
    /// A subscription begins.
    Subscribed {
        /// The channel.
        channel: &'a str,
        /// Which life of the channel.
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        /// Where the subscriber stands: what follows has greater offsets.
        offset: u64,
        /// Whether it follows on the position that was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        recovered: Option<bool>,
        /// Who is there, if that was asked for.
        #[serde(skip_serializing_if = "Option::is_none")]
        presence: Option<Snapshot<'a>>,
    },
    /// A subscription is over.
    Unsubscribed {
        /// The channel.
        channel: &'a str,
        /// Why, if nobody has asked for it.
        #[serde(skip_serializing_if = "Option::is_none")]
        reason: Option<&'a str>,
    },
    /// The client's publication has its place.
    Published {
        /// The channel.
        channel: &'a str,
        /// Which life of the channel.
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        /// The publication's offset.
        offset: u64,
    },
    /// Who is there.
    Presence {
        /// The channel.
        channel: &'a str,
        /// Which life of the channel.
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        /// The newest publication's offset at that moment.
        offset: u64,
        /// Who is there.
        #[serde(flatten)]
        snapshot: Snapshot<'a>,
    },
    /// The new token is in force.
    Refreshed {
        /// How long; None: for ever.
        #[serde(skip_serializing_if = "Option::is_none")]
        expires_in_s: Option<u64>,
    },
    /// Somebody is there.
    Pong {},
    /// Publications that this subscriber does not get.
    Missed {
        /// The channel.
        channel: &'a str,
        /// Which life of the channel.
        #[serde(serialize_with = "as_text")]
        epoch: u64,
        /// The offset of the first one.
        from: u64,
        /// The offset of the last one.
        to: u64,
    },
    /// Somebody has come.
    Join {
        /// The channel.
        channel: &'a str,
        /// Who.
        user: &'a str,
        /// The token's claims about that user.
        #[serde(skip_serializing_if = "Option::is_none")]
        info: Option<&'a RawValue>,
    },
    /// Somebody has gone.
    Leave {
        /// The channel.
        channel: &'a str,
        /// Who.
        user: &'a str,
    },
    /// The token will not be good any more.
    Expires {
        /// In so many seconds.
        in_s: u64,
    },
    /// Something was not done.
    Error {
        /// The sort of error.
        code: ErrorCode,
        /// The reason, and what would be right.
        message: &'a str,
    },
}

/// Those who are there.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Snapshot<'a> {
    /// How many.
    pub count: u64,
    /// Who; `None`: they are too many to be listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<&'a [Member<'a>]>,
}

/// A user who is there.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Member<'a> {
    /// Who.
    pub user: &'a str,
    /// The token's claims about that user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub info: Option<&'a RawValue>,
    /// With how many connections.
    pub connections: u32,
}

/// The sorts of errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorCode {
    /// A field is missing, unknown, there twice or not what it should be.
    BadRequest,
    /// The configuration, or the token, doesn't allow it.
    Forbidden,
    /// There is no such subscription.
    NotSubscribed,
    /// There is one already.
    AlreadySubscribed,
    /// It would be one too many.
    Limit,
    /// There is no such method.
    UnknownMethod,
    /// The token is not good any more.
    Expired,
    /// Not now.
    TryAgain,
}

impl ErrorCode {
    /// As it stands in messages.
    pub fn name(self) -> &'static str {
        match self {
            ErrorCode::BadRequest => "bad_request",
            ErrorCode::Forbidden => "forbidden",
            ErrorCode::NotSubscribed => "not_subscribed",
            ErrorCode::AlreadySubscribed => "already_subscribed",
            ErrorCode::Limit => "limit",
            ErrorCode::UnknownMethod => "unknown_method",
            ErrorCode::Expired => "expired",
            ErrorCode::TryAgain => "try_again",
        }
    }
}

impl ServerMessage<'_> {
    /// Appends the message; with an id it answers that question.
    pub fn push(&self, id: Option<Id<'_>>, out: &mut Vec<u8>) {
        let start = out.len();
        if let Some(Id(id)) = id {
            out.extend_from_slice(b"{\"id\":");
            out.extend_from_slice(id.as_bytes());
        }
        let object = out.len();
        let written = serde_json::to_writer(&mut *out, self);
        debug_assert!(written.is_ok(), "it has nothing that JSON can't say");
        if object > start {
            // Another member of the same object.
            out[object] = b',';
        }
    }
}

/// Appends `{"message":{"data":"text"}}`, or with `base64`: what was sent to this connection alone.
pub fn push_direct(opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"message\":{");
    envelope::push_payload(opcode, payload, out);
    out.extend_from_slice(b"}}");
}

/// JavaScript's numbers end at 2^53.
fn as_text<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(id: Option<&str>, message: ServerMessage<'_>) -> String {
        let mut out = b"before".to_vec();
        message.push(id.map(Id), &mut out);
        String::from_utf8(out.split_off(6)).unwrap()
    }

    #[test]
    fn answers_to_the_letter() {
        let (channel, epoch) = ("C", u64::MAX);
        let subscribed = |recovered, presence| {
            said(Some("1"), ServerMessage::Subscribed { channel, epoch, offset: 3, recovered, presence })
        };
        assert_eq!(
            subscribed(Some(true), None),
            r#"{"id":1,"subscribed":{"channel":"C","epoch":"18446744073709551615","offset":3,"recovered":true}}"#
        );
        let snapshot = Snapshot { count: 9, members: None };
        assert_eq!(
            subscribed(None, Some(snapshot)),
            concat!(
                r#"{"id":1,"subscribed":{"channel":"C","epoch":"18446744073709551615","offset":3,"#,
                r#""presence":{"count":9}}}"#
            )
        );
        let info = RawValue::from_string(r#"{"name":"U"}"#.to_owned()).unwrap();
        let member = Member { user: "U", info: Some(&info), connections: 1 };
        let snapshot = Snapshot { count: 2, members: Some(&[member]) };
        assert_eq!(
            said(Some("5"), ServerMessage::Presence { channel, epoch: 7, offset: 0, snapshot }),
            concat!(
                r#"{"id":5,"presence":{"channel":"C","epoch":"7","offset":0,"count":2,"#,
                r#""members":[{"user":"U","info":{"name":"U"},"connections":1}]}}"#
            )
        );
        assert_eq!(
            said(Some("-2"), ServerMessage::Unsubscribed { channel, reason: None }),
            r#"{"id":-2,"unsubscribed":{"channel":"C"}}"#
        );
        assert_eq!(
            said(Some("3"), ServerMessage::Published { channel, epoch: 7, offset: 4 }),
            r#"{"id":3,"published":{"channel":"C","epoch":"7","offset":4}}"#
        );
        assert_eq!(
            said(Some("6"), ServerMessage::Refreshed { expires_in_s: Some(60) }),
            r#"{"id":6,"refreshed":{"expires_in_s":60}}"#
        );
        assert_eq!(said(Some("7"), ServerMessage::Pong {}), r#"{"id":7,"pong":{}}"#);
        let error = ServerMessage::Error { code: ErrorCode::Forbidden, message: "\"no\"" };
        assert_eq!(said(Some("8"), error), r#"{"id":8,"error":{"code":"forbidden","message":"\"no\""}}"#);
    }

    #[test]
    fn notices_to_the_letter() {
        let channel = "C";
        let connected = |user| {
            said(
                None,
                ServerMessage::Connected { conn: "1-2", user, server: "wspush/0.1.0", ping_ms: 30_000 },
            )
        };
        assert_eq!(
            connected(Some("U")),
            r#"{"connected":{"conn":"1-2","user":"U","server":"wspush/0.1.0","ping_ms":30000}}"#
        );
        assert_eq!(
            connected(None),
            r#"{"connected":{"conn":"1-2","server":"wspush/0.1.0","ping_ms":30000}}"#
        );
        let missed = said(None, ServerMessage::Missed { channel, epoch: 7, from: 1, to: 9 });
        assert_eq!(missed, r#"{"missed":{"channel":"C","epoch":"7","from":1,"to":9}}"#);
        let mut own = Vec::new();
        envelope::push_missed(channel, 7, (1, 9), &mut own);
        assert_eq!(own, missed.as_bytes());
        assert_eq!(
            said(None, ServerMessage::Join { channel, user: "U", info: None }),
            r#"{"join":{"channel":"C","user":"U"}}"#
        );
        assert_eq!(
            said(None, ServerMessage::Leave { channel, user: "U" }),
            r#"{"leave":{"channel":"C","user":"U"}}"#
        );
        assert_eq!(
            said(None, ServerMessage::Unsubscribed { channel, reason: Some("expired") }),
            r#"{"unsubscribed":{"channel":"C","reason":"expired"}}"#
        );
        assert_eq!(said(None, ServerMessage::Expires { in_s: 25 }), r#"{"expires":{"in_s":25}}"#);
        let mut out = Vec::new();
        push_direct(Opcode::Text, b"a\n", &mut out);
        push_direct(Opcode::Binary, b"\0", &mut out);
        assert_eq!(out, br#"{"message":{"data":"a\n"}}{"message":{"base64":"AA=="}}"#);
    }

    #[test]
    fn codes_have_their_names() {
        use ErrorCode as E;
        for code in [
            E::BadRequest,
            E::Forbidden,
            E::NotSubscribed,
            E::AlreadySubscribed,
            E::Limit,
            E::UnknownMethod,
            E::Expired,
            E::TryAgain,
        ] {
            assert_eq!(serde_json::to_value(code).unwrap(), code.name());
        }
    }
}

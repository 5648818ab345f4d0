//! `POST /push/batch`: one publication a line, as JSON (NDJSON). One bad line, and nothing is published.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;

use crate::config::channel_name_ok;
use crate::protocol::head::Head;
use crate::protocol::json::is_object;
use crate::protocol::response::Refusal;
use crate::push::{Message, Pace, Publication, PushError, PushOptions};

use super::control::Control;
use super::users::is_user_name;
use super::{ConnId, push_request};

/// Lines of a batch.
pub const LINES_MAX: usize = 1_000;

/// A line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The one it goes to.
    pub target: Target,
    /// The publication.
    pub publication: Publication,
}

/// To whom a line goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// To a channel's subscribers.
    Channel(String),
    /// To one connection.
    Conn(ConnId),
    /// To all connections of a user.
    User(String),
}

impl Target {
    /// The channel, if it is one.
    pub fn channel(&self) -> Option<&str> {
        match self {
            Target::Channel(name) => Some(name),
            Target::Conn(_) | Target::User(_) => None,
        }
    }

    /// The connection, if it is one.
    pub fn conn(&self) -> Option<ConnId> {
        match self {
            Target::Conn(conn) => Some(*conn),
            Target::Channel(_) | Target::User(_) => None,
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    channel: Option<String>,
    conn: Option<Id>,
    user: Option<String>,
    #[serde(borrow)]
    data: Option<Text<'a>>,
    #[serde(borrow)]
    base64: Option<Text<'a>>,
    compress: Option<bool>,
    rate: Option<u64>,
    deadline_ms: Option<u64>,
}

/// Not copied, where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A connection's id, as answers have it; a number is taken as well.
#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(u64),
}

/// Reads the lines. `server` knows how large a message may be.
///
/// # Errors
/// 400 with the number of the first bad line, 413 for one that is too large, 415 for a body that is packed.
pub fn read(head: &Head<'_>, body: &[u8], server: &dyn Control) -> Result<Vec<Line>, Refusal> {
    push_request::check_codings(head.headers("content-encoding"))?;
    let body = body.strip_suffix(b"\n").unwrap_or(body);
    if body.is_empty() {
        return Err(Refusal::fixed(400, "the batch is empty; it has a publication on each line"));
    }
    let count = 1 + body.iter().filter(|&&byte| byte == b'\n').count();
    if count > LINES_MAX {
        return Err(Refusal::new(400, format!("{count} lines are over the limit of {LINES_MAX} in a batch")));
    }
    let number = |(n, line): (usize, &[u8])| {
        read_line(line, server).map_err(|refusal| {
            let reason = format!("line {}: {}; nothing was published", n + 1, refusal.reason);
            Refusal { reason: reason.into(), ..refusal }
        })
    };
    body.split(|&byte| byte == b'\n').enumerate().map(number).collect()
}

fn read_line(line: &[u8], server: &dyn Control) -> Result<Line, Refusal> {
    let bad = |at| {
        // Serde's own words may quote the line.
        let shape = "an object of channel, conn or user, of data or base64, and perhaps compress, rate or deadline_ms, \
                     each once";
        Refusal::new(400, format!("it is not {shape} (at byte {at})"))
    };
    if !is_object(line) {
        return Err(bad(1));
    }
    let raw: Raw<'_> = serde_json::from_slice(line).map_err(|error| bad(error.column()))?;
    let pace = Pace::asked(raw.rate, raw.deadline_ms)?;
    let options = PushOptions::default().compress(raw.compress.unwrap_or(true)).pace(pace);
    let bytes;
    let message = match (&raw.data, &raw.base64) {
        (Some(Text(text)), None) => Message::Text(text),
        (None, Some(Text(text))) => {
            let decoded = BASE64_STANDARD.decode(&**text);
            bytes = decoded.map_err(|_| Refusal::fixed(400, "base64 is not base64 (RFC 4648 section 4)"))?;
            Message::Binary(&bytes)
        }
        _ => return Err(Refusal::fixed(400, "it has one of data and base64")),
    };
    let target = target(raw.channel, raw.conn, raw.user)?;
    let publication = match target {
        Target::Channel(_) => Publication::new(message, options)?,
        Target::Conn(_) | Target::User(_) => Publication::to_one(message, options)?,
    };
    server.check_size(&publication)?;
    Ok(Line { target, publication })
}

fn target(channel: Option<String>, conn: Option<Id>, user: Option<String>) -> Result<Target, Refusal> {
    match (channel, conn, user) {
        (Some(name), None, None) if channel_name_ok(&name) => Ok(Target::Channel(name)),
        (Some(_), None, None) => Err(PushError::BadChannel.into()),
        (None, None, Some(user)) if is_user_name(&user) => Ok(Target::User(user)),
        (None, None, Some(_)) => Err(PushError::BadUser.into()),
        (None, Some(id), None) => {
            let id = match id {
                Id::Text(text) => text.parse().ok(),
                Id::Number(number) => Some(ConnId(number)),
            };
            let known = id.filter(|&id| id != ConnId(0));
            known.map(Target::Conn).ok_or(Refusal::fixed(400, "conn is not the id of a connection"))
        }
        // A missing target is never everybody.
        _ => Err(Refusal::fixed(
            400,
            "it has one of channel, conn and user; everybody is the channel broadcast",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::admin::tests::Fake;
    use crate::protocol::head;

    fn lines(body: &str) -> Result<Vec<Line>, String> {
        let mut fields = head::Fields::new();
        let (head, _) =
            head::parse(b"POST /push/batch HTTP/1.1\r\nHost: x\r\n\r\n", 8192, &mut fields).unwrap().unwrap();
        read(&head, body.as_bytes(), &Fake::default()).map_err(|refusal| {
            assert!(matches!(refusal.status, 400 | 413), "{refusal}");
            refusal.reason.into_owned()
        })
    }

    fn line(target: Target, message: Message<'_>, options: PushOptions) -> Line {
        Line { target, publication: Publication::new(message, options).unwrap() }
    }

    #[test]
    fn every_kind_of_line() {
        let read = lines(
            "{\"channel\":\"a\",\"data\":\"caf\u{e9} \\n\"}\r\n\
             {\"base64\":\"/w==\", \"conn\":\"12\"}\n\
             {\"conn\":13,\"data\":\"x\",\"compress\":false}\n\
             {\"user\":\"ada\",\"data\":\"y\"}\n\
             {\"channel\":\"a\",\"data\":\"z\",\"rate\":5}\n\
             {\"channel\":\"a\",\"data\":\"z\",\"deadline_ms\":60000}\n",
        );
        let options = PushOptions::default();
        let expected = [
            line(Target::Channel("a".into()), Message::Text("caf\u{e9} \n"), options),
            line(Target::Conn(ConnId(12)), Message::Binary(b"\xff"), options),
            line(Target::Conn(ConnId(13)), Message::Text("x"), options.compress(false)),
            line(Target::User("ada".into()), Message::Text("y"), options),
            line(Target::Channel("a".into()), Message::Text("z"), options.pace(Pace::PerSecond(5))),
            line(Target::Channel("a".into()), Message::Text("z"), options.pace(Pace::WithinMs(60_000))),
        ];
        assert_eq!(read.as_deref(), Ok(&expected[..]));
    }

    #[test]
    fn a_bad_line_is_named() {
        let good = "{\"channel\":\"a\",\"data\":\"x\"}";
        for (bad, expected) in [
            ("", "it is not an object"),
            ("x", "it is not an object"),
            ("[]", "it is not an object"),
            ("[\"a\",null,\"x\",null,null]", "it is not an object"),
            ("{}", "it has one of data and base64"),
            ("{\"data\":\"x\"}", "everybody is the channel broadcast"),
            ("{\"channel\":null,\"data\":\"x\"}", "everybody is the channel broadcast"),
            ("{\"channel\":\"\",\"data\":\"x\"}", "a channel name has"),
            ("{\"channel\":\"a b\",\"data\":\"x\"}", "a channel name has"),
            ("{\"channel\":\"a\",\"conn\":\"1\",\"data\":\"x\"}", "it has one of channel, conn and user"),
            ("{\"channel\":\"a\",\"user\":\"u\",\"data\":\"x\"}", "it has one of channel, conn and user"),
            ("{\"user\":\"\",\"data\":\"x\"}", "user"),
            ("{\"user\":null,\"data\":\"x\"}", "everybody is the channel broadcast"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"base64\":\"\"}", "it has one of data and base64"),
            ("{\"channel\":\"a\",\"data\":\"\"}", "the message is empty"),
            ("{\"channel\":\"a\",\"base64\":\"=\"}", "base64 is not base64"),
            ("{\"channel\":\"a\",\"base64\":\"/x==\"}", "base64 is not base64"),
            ("{\"channel\":\"a\",\"data\":7}", "it is not an object"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"chanel\":\"b\"}", "it is not an object"),
            ("{\"channel\":\"a\",\"channel\":\"b\",\"data\":\"x\"}", "it is not an object"),
            ("{\"conn\":\"0\",\"data\":\"x\"}", "conn is not the id"),
            ("{\"conn\":\"x\",\"data\":\"x\"}", "conn is not the id"),
            ("{\"conn\":-1,\"data\":\"x\"}", "it is not an object"),
            ("{\"channel\":\"a\",\"data\":\"x\"} {}", "it is not an object"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"rate\":0}", "from 1 to 1000000"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"rate\":-1}", "it is not an object"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"deadline_ms\":3600001}", "from 1 to 3600000"),
            ("{\"channel\":\"a\",\"data\":\"x\",\"rate\":1,\"deadline_ms\":1}", "exclude each other"),
            ("{\"user\":\"u\",\"data\":\"x\",\"rate\":1}", "go with channels"),
        ] {
            let refused = lines(&format!("{good}\n{bad}\n{good}")).unwrap_err();
            assert!(refused.starts_with("line 2: ") && refused.contains(expected), "{bad}: {refused}");
        }
        let secret = lines("{\"channel\":\"a\",\"s3cret\":1}").unwrap_err();
        assert!(!secret.contains("s3cret"), "{secret}");
        assert!(lines("").unwrap_err().contains("empty") && lines("\n").unwrap_err().contains("empty"));
        let many = format!("{good}\n").repeat(LINES_MAX);
        assert_eq!(lines(&many).map(|lines| lines.len()), Ok(LINES_MAX));
        assert!(lines(&format!("{many}{good}")).unwrap_err().contains("1001 lines"));
        let large = format!("{good}\n{{\"channel\":\"a\",\"data\":\"{}\"}}", "x".repeat(5_000));
        assert!(lines(&large).unwrap_err().starts_with("line 2: a message of"));
    }
}

//! Entries of a Redis stream. A consumer group keeps how far they were read, and which of them the server does not have
//! yet: those come first, when this program starts again.

use std::time::Duration;

use redis::{Client, Connection, Value, cmd};

use super::arguments::{Arguments, Source};
use super::target::Target;
use super::{Body, Item, Stop, encoded, pass_on, pass_over};

/// Entries at once.
const COUNT: usize = 100;
/// Redis holds a question so long as there is nothing to read.
const BLOCK: Duration = Duration::from_secs(1);
/// To an answer, at the most.
const ANSWER: Duration = Duration::from_secs(5);
/// The group's only consumer.
const CONSUMER: &str = "feed";

/// An entry's number and its fields; none: it was deleted while it was under way.
type Entry = (String, Vec<(String, Vec<u8>)>);

/// Reads until that is no longer possible.
pub(super) fn follow(arguments: &Arguments, target: &mut Target) -> Stop {
    let Source::Stream { key, group, from_start } = &arguments.source else {
        return Stop::Wrong("no stream".to_owned());
    };
    let stream = Stream { key, group, channel: arguments.channel.as_deref() };
    match open(&arguments.url).and_then(|mut connection| {
        stream.make_group(&mut connection, *from_start)?;
        stream.read_all(&mut connection, target)
    }) {
        Ok(()) => Stop::Away("nothing more comes".to_owned()),
        Err(stop) => stop,
    }
}

/// Connects to a Redis server.
pub(super) fn open(url: &str) -> Result<Connection, Stop> {
    // No error repeats the URL.
    let client =
        Client::open(url).map_err(|_| Stop::Wrong("the source is no URL of a Redis server".to_owned()))?;
    let connection = client.get_connection_with_timeout(ANSWER).map_err(stopped)?;
    connection.set_read_timeout(Some(ANSWER)).map_err(stopped)?;
    connection.set_write_timeout(Some(ANSWER)).map_err(stopped)?;
    Ok(connection)
}

/// The meaning of an error.
pub(super) fn stopped(problem: redis::RedisError) -> Stop {
    let is_wrong = matches!(problem.kind(), redis::ErrorKind::AuthenticationFailed)
        || matches!(problem.code(), Some("NOAUTH" | "WRONGPASS" | "NOPERM" | "WRONGTYPE"));
    if is_wrong { Stop::Wrong(format!("the source: {problem}")) } else { Stop::Away(problem.to_string()) }
}

struct Stream<'a> {
    key: &'a str,
    group: &'a str,
    channel: Option<&'a str>,
}

impl Stream<'_> {
    fn make_group(&self, connection: &mut Connection, from_start: bool) -> Result<(), Stop> {
        let mut command = cmd("XGROUP");
        command.arg("CREATE").arg(self.key).arg(self.group).arg(if from_start { "0" } else { "$" });
        match command.arg("MKSTREAM").query::<()>(connection) {
            Err(problem) if problem.code() != Some("BUSYGROUP") => Err(stopped(problem)),
            _ => Ok(()),
        }
    }

    fn read_all(&self, connection: &mut Connection, target: &mut Target) -> Result<(), Stop> {
        // At first what was read before, and is not acknowledged.
        let mut is_old = true;
        loop {
            let entries = self.read(connection, is_old)?;
            if is_old && entries.is_empty() {
                is_old = false;
            }
            if entries.is_empty() {
                continue;
            }
            let mut done = cmd("XACK");
            done.arg(self.key).arg(self.group);
            for (id, fields) in &entries {
                match self.item(id, fields) {
                    Ok(item) => pass_on(target, &item)?,
                    Err(why) => pass_over(id, why),
                }
                done.arg(id);
            }
            done.query::<()>(connection).map_err(stopped)?;
        }
    }

    fn read(&self, connection: &mut Connection, is_old: bool) -> Result<Vec<Entry>, Stop> {
        let mut command = cmd("XREADGROUP");
        command.arg("GROUP").arg(self.group).arg(CONSUMER).arg("COUNT").arg(COUNT);
        if !is_old {
            command.arg("BLOCK").arg(BLOCK.as_millis().to_string());
        }
        command.arg("STREAMS").arg(self.key).arg(if is_old { "0" } else { ">" });
        let answer: Value = match command.query(connection) {
            Ok(answer) => answer,
            // Somebody has deleted the stream: it is begun again.
            Err(problem) if problem.code() == Some("NOGROUP") => return Err(Stop::Away(problem.to_string())),
            Err(problem) => return Err(stopped(problem)),
        };
        Ok(entries(&answer))
    }

    /// The publication that an entry is.
    fn item(&self, id: &str, fields: &[(String, Vec<u8>)]) -> Result<Item, &'static str> {
        let find = |name: &str| fields.iter().find(|(found, _)| found == name).map(|(_, value)| &value[..]);
        let text = |name: &str| find(name).map(std::str::from_utf8).transpose();
        let target = match (text("channel"), text("user"), self.channel) {
            (Err(_), ..) | (_, Err(_), _) => return Err("its target is not UTF-8"),
            (Ok(Some(_)), Ok(Some(_)), _) => return Err("it has a channel and a user"),
            (_, Ok(Some(user)), _) => format!("user={}", encoded(user)),
            (Ok(Some(channel)), ..) | (_, _, Some(channel)) => format!("channel={}", encoded(channel)),
            (Ok(None), Ok(None), None) => return Err("it has no channel, and there is no --channel"),
        };
        let body = match (find("data"), find("base64")) {
            (Some(_), Some(_)) => return Err("it has data and base64"),
            (Some(data), None) if std::str::from_utf8(data).is_ok() => Body::Text(data.to_vec()),
            (Some(data), None) => Body::Binary(data.to_vec()),
            (None, Some(text)) => Body::Binary(decoded(text).ok_or("its base64 is none")?),
            (None, None) => return Err("it has neither data nor base64"),
        };
        Ok(Item { target, body, key: format!("{}:{}:{id}", self.group, self.key) })
    }
}

/// Bytes that are written as base64.
fn decoded(text: &[u8]) -> Option<Vec<u8>> {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(text).ok()
}

/// The entries of an answer for one stream.
fn entries(answer: &Value) -> Vec<Entry> {
    let Value::Array(streams) = answer else { return Vec::new() };
    let Some(Value::Array(stream)) = streams.first() else { return Vec::new() };
    let Some(Value::Array(entries)) = stream.get(1) else { return Vec::new() };
    let bytes = |value: &Value| match value {
        Value::BulkString(bytes) => Some(bytes.clone()),
        Value::SimpleString(text) => Some(text.clone().into_bytes()),
        _ => None,
    };
    let text = |value: &Value| bytes(value).map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let entry = |value: &Value| {
        let Value::Array(parts) = value else { return None };
        let fields = match parts.get(1) {
            Some(Value::Array(fields)) => {
                fields.chunks_exact(2).filter_map(|pair| Some((text(&pair[0])?, bytes(&pair[1])?))).collect()
            }
            _ => Vec::new(),
        };
        Some((text(parts.first()?)?, fields))
    };
    entries.iter().filter_map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_publication_or_says_why_not() {
        let stream = Stream { key: "orders", group: "g", channel: None };
        let item = |stream: &Stream<'_>, fields: &[(&str, &[u8])]| {
            let fields: Vec<_> =
                fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())).collect();
            stream.item("5-1", &fields)
        };
        let whole = item(&stream, &[("channel", b"a b"), ("data", b"x"), ("more", b"y")]).unwrap();
        let expected = Item {
            target: "channel=a%20b".into(),
            body: Body::Text(b"x".to_vec()),
            key: "g:orders:5-1".into(),
        };
        assert_eq!(whole, expected);
        let to_user = item(&stream, &[("user", b"ann"), ("base64", b"/w==")]).unwrap();
        assert_eq!((&*to_user.target, to_user.body), ("user=ann", Body::Binary(vec![0xff])));
        let raw = item(&stream, &[("channel", b"a"), ("data", b"\xff")]).unwrap();
        assert_eq!(raw.body, Body::Binary(vec![0xff]));
        type Fields<'a> = &'a [(&'a str, &'a [u8])];
        let all: [(Fields<'_>, &str); 7] = [
            (&[("data", b"x")], "no channel"),
            (&[("channel", b"a"), ("user", b"b"), ("data", b"x")], "and a user"),
            (&[("channel", b"a")], "neither"),
            (&[("channel", b"a"), ("data", b"x"), ("base64", b"eA==")], "data and base64"),
            (&[("channel", b"a"), ("base64", b"%")], "base64 is none"),
            (&[("channel", b"\xff"), ("data", b"x")], "not UTF-8"),
            (&[], "no channel"),
        ];
        for (fields, why) in all {
            let problem = item(&stream, fields).unwrap_err();
            assert!(problem.contains(why), "{problem}");
        }
        let named = Stream { channel: Some("all"), ..stream };
        assert_eq!(item(&named, &[("data", b"x")]).unwrap().target, "channel=all");
        assert_eq!(item(&named, &[("channel", b"a"), ("data", b"x")]).unwrap().target, "channel=a");
    }
}

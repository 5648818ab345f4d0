//! An entry of a stream: a publication, or a life that begins.

use redis::Value;

use super::call::{self, Called};
use super::reply;
use crate::push::{Kind, Message, Pace, Publication, PushError, PushOptions};
use crate::reactor::engine::Except;

/// An entry as a node reads it.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    /// Its place in the stream.
    pub id: String,
    /// The partition's epoch.
    pub epoch: u64,
    /// How many entries there have been in all, with this one.
    pub number: u64,
    pub what: What,
}

#[derive(Debug, PartialEq)]
pub(super) enum What {
    /// Another life of the partition begins.
    Epoch,
    /// Another life of a channel begins.
    Anew {
        channel: String,
        epoch: u64,
    },
    /// The same, as a node has placed something itself that the others have missed.
    Apart {
        channel: String,
        epoch: u64,
    },
    Publication(Box<Published>),
    /// A node has asked all for something.
    Called(Box<Called>),
    /// Members of a node have come or gone.
    Who {
        node: String,
        /// The changes, as JSON.
        changes: String,
    },
    /// A node is there no more.
    Gone(String),
    /// Something that a newer node has written.
    Unknown,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Published {
    pub channel: String,
    pub epoch: u64,
    pub offset: u64,
    pub publication: Publication,
    /// The node that has published it, its number there, and the connection that does not get it.
    pub origin: String,
    pub ticket: u64,
    pub except: Option<Except>,
}

impl Entry {
    /// Reads an entry. None: it is not one of ours.
    pub fn read(value: &Value) -> Option<Entry> {
        let [id, fields] = reply::list(value) else { return None };
        let fields = reply::list(fields);
        let find = |name: &str| {
            fields.chunks_exact(2).find(|pair| reply::text(&pair[0]) == Some(name)).map(|pair| &pair[1])
        };
        let epoch = reply::number(find("p")?)?;
        let text = |name| find(name).and_then(reply::text).map(str::to_owned);
        let channel = || find("c").and_then(reply::text).map(str::to_owned);
        let what = match find("k").map(reply::text) {
            Some(Some("epoch")) => What::Epoch,
            Some(Some("anew")) => What::Anew { channel: channel()?, epoch: reply::number(find("e")?)? },
            Some(Some("apart")) => What::Apart { channel: channel()?, epoch: reply::number(find("e")?)? },
            Some(Some("call")) => {
                call::read(find).map_or(What::Unknown, |called| What::Called(Box::new(called)))
            }
            Some(Some("who")) => What::Who { node: text("w")?, changes: text("j")? },
            Some(Some("gone")) => What::Gone(text("w")?),
            Some(_) => What::Unknown,
            None => {
                let mut sender = reply::text(find("s")?)?.split(' ');
                let Value::BulkString(payload) = find("d")? else { return None };
                What::Publication(Box::new(Published {
                    channel: channel()?,
                    epoch: find("e").map_or(Some(epoch), reply::number)?,
                    offset: reply::number(find("o")?)?,
                    publication: publication(payload, find("f").and_then(reply::text).unwrap_or_default())?,
                    origin: sender.next()?.to_owned(),
                    ticket: sender.next()?.parse().ok()?,
                    except: read_except(sender),
                }))
            }
        };
        Some(Entry { id: reply::text(id)?.to_owned(), epoch, number: reply::number(find("n")?)?, what })
    }
}

/// The connection that does not get a publication, as it stands behind the node and the number.
pub(super) fn except_text(except: Option<Except>) -> String {
    match except {
        None => String::new(),
        Some(Except { conn, server: None }) => conn.to_string(),
        Some(Except { conn, server: Some(server) }) => format!("{conn} {server}"),
    }
}

fn read_except<'a>(mut parts: impl Iterator<Item = &'a str>) -> Option<Except> {
    let conn = parts.next()?.parse().ok()?;
    let server = match parts.next() {
        None => None,
        Some(server) => Some(server.parse().ok()?),
    };
    Some(Except { conn, server })
}

/// Everything of a publication beside its payload; nothing for one of text without options.
pub(super) fn flags(publication: &Publication) -> String {
    let PushOptions { compress, pace, .. } = publication.options();
    let mut flags = String::new();
    if publication.kind() == Kind::Binary {
        flags.push('b');
    }
    if !compress {
        flags.push('n');
    }
    match pace {
        None => {}
        Some(Pace::PerSecond(rate)) => flags.push_str(&format!("r{rate}")),
        Some(Pace::WithinMs(ms)) => flags.push_str(&format!("m{ms}")),
    }
    flags
}

pub(super) fn publication(payload: &[u8], flags: &str) -> Option<Publication> {
    let (is_binary, flags) = flags.strip_prefix('b').map_or((false, flags), |rest| (true, rest));
    let (compress, flags) = flags.strip_prefix('n').map_or((true, flags), |rest| (false, rest));
    let pace = match flags.split_at_checked(1) {
        Some(("r", rate)) => Some(Pace::PerSecond(rate.parse().ok()?)),
        Some(("m", ms)) => Some(Pace::WithinMs(ms.parse().ok()?)),
        _ => None,
    };
    let message =
        if is_binary { Message::Binary(payload) } else { Message::Text(str::from_utf8(payload).ok()?) };
    let made: Result<_, PushError> =
        Publication::new(message, PushOptions::default().compress(compress).pace(pace));
    made.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::ConnId;

    fn bulk(text: &str) -> Value {
        Value::BulkString(text.as_bytes().to_vec())
    }

    fn entry(fields: &[(&str, &str)]) -> Value {
        let fields = fields.iter().flat_map(|(name, value)| [bulk(name), bulk(value)]).collect();
        Value::Array(vec![bulk("5-1"), Value::Array(fields)])
    }

    #[test]
    fn who_is_left_out_comes_back() {
        let of = |except| read_except(except_text(except).split(' ').filter(|part| !part.is_empty()));
        for except in [None, Some(ConnId(7).into()), Some(Except { conn: ConnId(7), server: Some(99) })] {
            assert_eq!(of(except), except);
        }
        assert_eq!(read_except("7 x".split(' ')), None);
    }

    #[test]
    fn a_publication_comes_back_as_it_was() {
        for message in [Message::Text("hi"), Message::Binary(b"\xff")] {
            for compress in [true, false] {
                for pace in [None, Some(Pace::PerSecond(7)), Some(Pace::WithinMs(1_000))] {
                    let options = PushOptions::default().compress(compress).pace(pace);
                    let original = Publication::new(message, options).unwrap();
                    let again = publication(original.payload(), &flags(&original));
                    assert_eq!(again.as_ref(), Some(&original));
                }
            }
        }
        assert_eq!(publication(b"\xff", ""), None, "text is text");
        assert_eq!(publication(b"", ""), None);
    }

    #[test]
    fn entries_are_read_and_strange_ones_are_not() {
        let all = [
            ("p", "7"),
            ("n", "3"),
            ("c", "news"),
            ("o", "12"),
            ("d", "hi"),
            ("s", "a:1:2 9 77"),
            ("e", "8"),
        ];
        let Some(Entry { id, epoch: 7, number: 3, what: What::Publication(published) }) =
            Entry::read(&entry(&all))
        else {
            panic!("a publication")
        };
        assert_eq!(
            (id.as_str(), &*published.channel, published.epoch, published.offset),
            ("5-1", "news", 8, 12)
        );
        assert_eq!(
            (&*published.origin, published.ticket, published.except),
            ("a:1:2", 9, Some(ConnId(77).into()))
        );
        for left_out in 0..6 {
            let mut some = all.to_vec();
            some.remove(left_out);
            assert_eq!(Entry::read(&entry(&some)), None, "{left_out}");
        }
        let kind = |kind| {
            let fields = [("p", "7"), ("n", "3"), ("k", kind), ("c", "x"), ("e", "9")];
            Entry::read(&entry(&fields)).map(|entry| entry.what)
        };
        assert_eq!(kind("epoch"), Some(What::Epoch));
        assert_eq!(kind("anew"), Some(What::Anew { channel: "x".into(), epoch: 9 }));
        assert_eq!(kind("apart"), Some(What::Apart { channel: "x".into(), epoch: 9 }));
        assert_eq!(kind("later"), Some(What::Unknown));
        assert_eq!(Entry::read(&Value::Nil), None);
    }
}

//! From where on a client wants each of its channels: `since` in its query, which belongs to the `channel` in front of
//! it, and to the default channel if there is none.

use std::collections::BTreeMap;

use crate::protocol::response::Refusal;
use crate::push::{DEFAULT_NAME, Positions, Since};

use super::query::Query;

/// A client's word on its channels beside their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginnings {
    /// In the default channel, if it says so; apart, since that is the only one of most.
    default: Option<Since>,
    since: BTreeMap<String, Since>,
    /// Whether it takes the default channel.
    pub broadcast: bool,
}

impl Beginnings {
    /// Reads them from a query.
    ///
    /// # Errors
    /// 400: a channel begins twice, or the default channel is wanted and not wanted.
    pub fn read(query: &Query<'_>) -> Result<Beginnings, Refusal> {
        if query.is_empty() {
            // As with most.
            return Ok(Beginnings::default());
        }
        let (mut beginnings, mut several) = (Beginnings::default(), BTreeMap::new());
        let (mut channel, mut default_named) = (DEFAULT_NAME, false);
        for (name, value) in query.pairs() {
            match name {
                "channel" => {
                    channel = value;
                    default_named |= channel == DEFAULT_NAME;
                }
                "since" => {
                    // That it is one was seen when it was read.
                    let Ok(begin) = value.parse::<Since>() else {
                        // Its channels are named in it, wherever it stands.
                        several.extend(Positions::read(value).0.named);
                        continue;
                    };
                    default_named |= channel == DEFAULT_NAME;
                    if beginnings.set(channel, begin).is_some() {
                        let text = format!("since is there more than once for the channel {channel}");
                        return Err(Refusal::new(400, text));
                    }
                }
                "broadcast" => beginnings.broadcast = value != "no",
                _ => {}
            }
        }
        if default_named && !beginnings.broadcast {
            let text = "broadcast is no, and yet channel or since names the channel broadcast";
            return Err(Refusal::fixed(400, text));
        }
        for (name, position) in several {
            beginnings.set(&name, Since::Position(position));
        }
        Ok(beginnings)
    }

    fn set(&mut self, channel: &str, since: Since) -> Option<Since> {
        match channel {
            DEFAULT_NAME => self.default.replace(since),
            _ => self.since.insert(channel.to_owned(), since),
        }
    }

    /// Lets a client go on where it was, as far as its positions say. One that names no channel is its only channel's,
    /// or the default channel's; and every channel's if the default channel is not among several: whose it is not, to
    /// that it is of another life, and the client is told.
    pub fn go_on(&mut self, positions: Positions, broadcast: bool, channels: &[String]) {
        if let Some(position) = positions.bare {
            let takers: &mut dyn Iterator<Item = &str> = match broadcast && !channels.is_empty() {
                true => &mut std::iter::once(DEFAULT_NAME),
                false => &mut broadcast
                    .then_some(DEFAULT_NAME)
                    .into_iter()
                    .chain(channels.iter().map(String::as_str)),
            };
            takers.for_each(|name| _ = self.set(name, Since::Position(position)));
        }
        for (name, position) in positions.named {
            self.set(&name, Since::Position(position));
        }
    }

    /// Where a channel begins.
    pub fn of(&self, channel: &str) -> Since {
        match channel {
            DEFAULT_NAME => self.of_default(),
            _ => self.since.get(channel).copied().unwrap_or_default(),
        }
    }

    /// Where the default channel begins.
    pub fn of_default(&self) -> Since {
        self.default.unwrap_or_default()
    }

    /// Whether any channel begins elsewhere than with the next publication.
    pub fn are_all_at_head(&self) -> bool {
        self.default.iter().chain(self.since.values()).all(|since| *since == Since::Head)
    }
}

impl Default for Beginnings {
    fn default() -> Beginnings {
        Beginnings { default: None, since: BTreeMap::new(), broadcast: true }
    }
}

#[cfg(test)]
mod tests {
    use super::super::query::Others;
    use super::super::requests;
    use super::*;
    use crate::protocol::head;
    use crate::push::Position;

    fn read(query: &str) -> Result<Beginnings, String> {
        let request = format!("GET /ws?{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 65_536, &mut fields).unwrap().unwrap();
        let query = Query::read(&head, requests::WS.query, Others::Refused);
        let beginnings = query.and_then(|query| Beginnings::read(&query));
        beginnings.map_err(|refusal| {
            assert_eq!(refusal.status, 400);
            refusal.reason.into_owned()
        })
    }

    #[test]
    fn since_belongs_to_the_channel_before_it() {
        let beginnings =
            read("since=earliest&channel=a&since=last:3&channel=b&channel=c&since=7.42").unwrap();
        assert_eq!(beginnings.of(DEFAULT_NAME), Since::Earliest);
        assert_eq!((beginnings.of("a"), beginnings.of("b")), (Since::Last(3), Since::Head));
        assert_eq!(beginnings.of("c"), Since::Position(Position { epoch: 7, offset: 42 }));
        assert!(beginnings.broadcast && !beginnings.are_all_at_head());
        assert_eq!(
            read("channel=a&since=latest&channel=broadcast&since=head").unwrap().of("a"),
            Since::Latest
        );
        assert_eq!(read("channel=a").unwrap(), Beginnings::default());
        assert!(!read("channel=a&broadcast=no&since=latest").unwrap().broadcast);
    }

    #[test]
    fn a_client_goes_on_where_it_was() {
        let go_on = |query: &str, positions: &str, broadcast, channels: &[&str]| {
            let mut beginnings = read(query).unwrap();
            let channels: Vec<String> = channels.iter().map(|name| (*name).to_owned()).collect();
            beginnings.go_on(Positions::read(positions).0, broadcast, &channels);
            let of = |name: &str| beginnings.of(name).to_string();
            [DEFAULT_NAME, "a", "b"].map(of)
        };
        let query = "since=earliest&channel=a&since=last:3";
        assert_eq!(go_on(query, "7.1", true, &[]), ["7.1", "last:3", "head"]);
        assert_eq!(go_on(query, "7.1", true, &["a"]), ["7.1", "last:3", "head"]);
        assert_eq!(go_on(query, "7.1", false, &["a"]), ["earliest", "7.1", "head"]);
        assert_eq!(go_on(query, "7.1", false, &["a", "b"]), ["earliest", "7.1", "7.1"]);
        assert_eq!(go_on(query, "b~7.1,x~7.2", true, &["a", "b"]), ["earliest", "last:3", "7.1"]);
        assert_eq!(go_on(query, "garbage", true, &["a"]), ["earliest", "last:3", "head"]);
    }

    #[test]
    fn contradictions_are_named() {
        for (query, expected) in [
            ("since=head&since=latest", "since is there more than once for the channel broadcast"),
            (
                "channel=a&since=head&channel=b&channel=a&since=head",
                "since is there more than once for the channel a",
            ),
            (
                "broadcast=no&since=head",
                "broadcast is no, and yet channel or since names the channel broadcast",
            ),
            (
                "channel=broadcast&broadcast=no",
                "broadcast is no, and yet channel or since names the channel broadcast",
            ),
            ("broadcast=yes", "broadcast is not no"),
            ("since=", "since is empty; give it a value, or leave it out"),
            ("since=now", "since is not one of E.O, head, earliest, last:N, time:UNIX_MS, latest"),
            ("since=last:0", "since is not last:N with N in 1..=1048576"),
        ] {
            assert_eq!(read(query), Err(expected.to_owned()), "{query}");
        }
    }
}

//! From where on a client wants each of its channels: `since` in its query, which belongs to the `channel` in front of
//! it, and to the default channel if there is none.

use std::collections::BTreeMap;

use crate::protocol::response::Refusal;
use crate::push::{DEFAULT_NAME, Since};

use super::query::Query;

/// A client's word on its channels beside their names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginnings {
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
        let mut since = BTreeMap::new();
        let (mut channel, mut broadcast, mut default_named) = (DEFAULT_NAME, true, false);
        for (name, value) in query.pairs() {
            match name {
                "channel" => {
                    channel = value;
                    default_named |= channel == DEFAULT_NAME;
                }
                "since" => {
                    default_named |= channel == DEFAULT_NAME;
                    // That it is one was seen when it was read.
                    let Ok(begin) = value.parse::<Since>() else { continue };
                    if since.insert(channel.to_owned(), begin).is_some() {
                        let text = format!("since is there more than once for the channel {channel}");
                        return Err(Refusal::new(400, text));
                    }
                }
                "broadcast" => broadcast = value != "no",
                _ => {}
            }
        }
        if default_named && !broadcast {
            let text = "broadcast is no, and yet channel or since names the channel broadcast";
            return Err(Refusal::fixed(400, text));
        }
        Ok(Beginnings { since, broadcast })
    }

    /// Where a channel begins.
    pub fn of(&self, channel: &str) -> Since {
        self.since.get(channel).copied().unwrap_or_default()
    }

    /// Whether any channel begins elsewhere than with the next publication.
    pub fn are_all_at_head(&self) -> bool {
        self.since.values().all(|since| *since == Since::Head)
    }
}

impl Default for Beginnings {
    fn default() -> Beginnings {
        Beginnings { since: BTreeMap::new(), broadcast: true }
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

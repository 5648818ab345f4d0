//! The parameters of requests: one rule for all of them. A parameter that a path does not know, one
//! without a value and one that is there too often are each 400 with its name, so that nothing that is missing or
//! misspelt ever means "everybody" or "all".
//!
//! [`requests`](super::requests) says which parameters there are. The fields of forms go by the same rule.

use std::borrow::Cow;

use crate::alphabet::shown;
use crate::config::channel_name_ok;
use crate::protocol::form;
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::{Position, Positions, PushError, Since};

/// How often a parameter may be there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Times {
    /// Once, or not at all.
    Optional,
    /// Once.
    Required,
    /// Any number of times.
    Repeatable,
}

/// The type of a parameter's value. It is empty only where that is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// A channel's name.
    Channel,
    /// Any text of so many bytes at the most.
    Text(usize),
    /// Digits, for a number from the first to the second.
    Number(u64, u64),
    /// Where a subscription begins.
    Since,
    /// The same, or the positions in several channels.
    Positions,
    /// Anything, be it nothing or no text: one that can't be read does no harm.
    Anything,
    /// One of these.
    Choice(&'static [&'static str]),
}

/// A parameter that a request may have.
#[derive(Clone, Copy, Debug)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// How often it may be there.
    pub times: Times,
    /// The type of its value.
    pub value: Value,
    /// Its effect, and what is done without it.
    pub meaning: &'static str,
}

/// Whose parameters may be there as well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nobody's.
    Refused,
    /// The host's, which reads what it likes.
    Allowed,
}

/// The parameters of one request, all in order.
#[derive(Debug)]
pub struct Query<'a> {
    values: Vec<(&'static Parameter, Cow<'a, str>)>,
}

impl<'a> Query<'a> {
    /// Reads a request's query.
    ///
    /// # Errors
    /// 400 with the name of the first parameter that breaks the rule.
    pub fn read(
        head: &Head<'a>,
        parameters: &'static [Parameter],
        others: Others,
    ) -> Result<Query<'a>, Refusal> {
        let mut tally = Tally::new("parameter", parameters);
        let mut values = Vec::new();
        for field in form::fields(head.query().as_bytes()) {
            if others == Others::Allowed && !parameters.iter().any(|known| is_name(known, &field.name)) {
                continue;
            }
            let parameter = tally.admit(&field.name)?;
            values.push((parameter, parameter.take(field.value.unwrap_or_default())?));
        }
        tally.finish()?;
        Ok(Query { values })
    }

    /// The value of a parameter that may be there once.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).next()
    }

    /// The values of a repeatable parameter.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.values.iter().filter(move |(known, _)| known.name == name).map(|(_, value)| &**value)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// All of them by their names, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(known, value)| (known.name, &**value))
    }

    /// The number that a parameter is.
    pub fn number(&self, name: &str) -> Option<u64> {
        // That it is one was seen when it was read.
        self.text(name).and_then(|text| text.parse().ok())
    }
}

/// Holds the names that come against those that may come.
pub struct Tally {
    /// The noun for what is counted: `parameter`, `form field`.
    kind: &'static str,
    known: &'static [Parameter],
    /// A bit for each that has come.
    seen: u64,
}

impl Tally {
    /// Nothing has come yet.
    pub fn new(kind: &'static str, known: &'static [Parameter]) -> Tally {
        debug_assert!(known.len() <= 64);
        Tally { kind, known, seen: 0 }
    }

    /// One of these names has come.
    ///
    /// # Errors
    /// 400: there is no such name, or it has come before and may not come twice.
    pub fn admit(&mut self, name: &[u8]) -> Result<&'static Parameter, Refusal> {
        let Some(at) = self.known.iter().position(|known| is_name(known, name)) else {
            return Err(self.unknown(name));
        };
        let (parameter, bit) = (&self.known[at], 1 << at);
        if self.seen & bit != 0 && parameter.times != Times::Repeatable {
            let (name, kind) = (parameter.name, self.kind);
            return Err(Refusal::new(
                400,
                format!("{name} is there more than once; this path takes one {kind} {name}"),
            ));
        }
        self.seen |= bit;
        Ok(parameter)
    }

    /// That was all.
    ///
    /// # Errors
    /// 400: one that has to come has not.
    pub fn finish(&self) -> Result<(), Refusal> {
        let missing = |(at, known): (usize, &'static Parameter)| {
            (known.times == Times::Required && self.seen & 1 << at == 0).then_some(known)
        };
        match self.known.iter().enumerate().find_map(missing) {
            Some(known) => Err(Refusal::new(400, format!("there is no {} {}", self.kind, known.name))),
            None => Ok(()),
        }
    }

    fn unknown(&self, name: &[u8]) -> Refusal {
        let names: Vec<&str> = self.known.iter().map(|known| known.name).collect();
        let names = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        Refusal::new(400, format!("unknown {} {}; this path knows {names}", self.kind, shown(name)))
    }
}

impl Parameter {
    /// Its value, if it may have this one.
    ///
    /// # Errors
    /// 400: it may not.
    pub fn take<'v>(&self, value: Cow<'v, [u8]>) -> Result<Cow<'v, str>, Refusal> {
        if self.value == Value::Anything {
            return Ok(match value {
                Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
                Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
            });
        }
        let name = self.name;
        let refuse = |why: String| Err(Refusal::new(400, format!("{name} {why}")));
        let text = match value {
            Cow::Borrowed(bytes) => str::from_utf8(bytes).ok().map(Cow::Borrowed),
            Cow::Owned(bytes) => String::from_utf8(bytes).ok().map(Cow::Owned),
        };
        let Some(text) = text else { return refuse("is not UTF-8".to_owned()) };
        if text.is_empty() {
            return refuse("is empty; give it a value, or leave it out".to_owned());
        }
        let allowed = match self.value {
            Value::Channel if channel_name_ok(&text) => None,
            Value::Channel => Some(format!("is not a channel: {}", PushError::BadChannel)),
            Value::Text(max) if text.len() <= max => None,
            Value::Text(max) => Some(format!("has {} bytes; it may have {max}", text.len())),
            Value::Number(min, max) => {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                // A number that is too long for its type is out of range as well.
                let number = text.parse::<u64>().ok().filter(|_| digits);
                let fits = number.is_some_and(|number| (min..=max).contains(&number));
                (!fits).then(|| {
                    let said = number.map_or_else(String::new, |number| format!("{number}, and "));
                    format!("is {said}not a number from {min} to {max}")
                })
            }
            Value::Anything => None,
            // Mostly it is that of one channel.
            Value::Positions if text.parse::<Position>().is_ok() || Positions::read(&text).1 => None,
            Value::Positions | Value::Since => text.parse::<Since>().err().map(|why| format!("is {why}")),
            Value::Choice(names) if names.contains(&&*text) => None,
            Value::Choice(names) => Some(format!("is not {}", names.join(" or "))),
        };
        match allowed {
            None => Ok(text),
            Some(why) => refuse(why),
        }
    }
}

fn is_name(known: &Parameter, name: &[u8]) -> bool {
    known.name.as_bytes() == name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::head;

    static KNOWN: &[Parameter] = &[
        Parameter { name: "channel", times: Times::Repeatable, value: Value::Channel, meaning: "" },
        Parameter { name: "user", times: Times::Optional, value: Value::Text(5), meaning: "" },
        Parameter { name: "limit", times: Times::Optional, value: Value::Number(1, 1_000), meaning: "" },
        Parameter { name: "how", times: Times::Optional, value: Value::Choice(&["yes", "no"]), meaning: "" },
    ];
    static REQUIRED: &[Parameter] =
        &[Parameter { name: "id", times: Times::Required, value: Value::Number(1, u64::MAX), meaning: "" }];

    fn read(query: &str, known: &'static [Parameter], others: Others) -> Result<Vec<String>, String> {
        let request = format!("GET /?{query} HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut fields = head::Fields::new();
        let (head, _) = head::parse(request.as_bytes(), 65_536, &mut fields).unwrap().unwrap();
        match Query::read(&head, known, others) {
            Ok(query) => {
                Ok(query.values.iter().map(|(known, value)| format!("{}={value}", known.name)).collect())
            }
            Err(refusal) => {
                assert_eq!(refusal.status, 400);
                Err(refusal.reason.into_owned())
            }
        }
    }

    #[test]
    fn what_may_be_there() {
        let read = |query| read(query, KNOWN, Others::Refused).unwrap();
        assert_eq!(read(""), [""; 0]);
        assert_eq!(read("&"), [""; 0]);
        assert_eq!(read("channel=a&user=%C3%A9+x&channel=b"), ["channel=a", "user=\u{e9} x", "channel=b"]);
        assert_eq!(read("%6cimit=007&how=no"), ["limit=007", "how=no"]);
    }

    #[test]
    fn what_may_not_is_named() {
        for (query, expected) in [
            ("chan=a", "unknown parameter \"chan\"; this path knows channel, user, limit, how"),
            ("Channel=a", "unknown parameter \"Channel\"; this path knows channel, user, limit, how"),
            ("=a", "unknown parameter \"\"; this path knows channel, user, limit, how"),
            ("channel=", "channel is empty; give it a value, or leave it out"),
            ("channel", "channel is empty; give it a value, or leave it out"),
            ("channel=a&channel=", "channel is empty; give it a value, or leave it out"),
            ("user=", "user is empty; give it a value, or leave it out"),
            ("limit=", "limit is empty; give it a value, or leave it out"),
            ("how=", "how is empty; give it a value, or leave it out"),
            ("user=a&user=a", "user is there more than once; this path takes one parameter user"),
            ("user=%ff", "user is not UTF-8"),
            ("user=sixsix", "user has 6 bytes; it may have 5"),
            ("limit=0", "limit is 0, and not a number from 1 to 1000"),
            ("limit=1001", "limit is 1001, and not a number from 1 to 1000"),
            ("limit=%2B5", "limit is not a number from 1 to 1000"),
            ("limit=99999999999999999999999", "limit is not a number from 1 to 1000"),
            ("how=maybe", "how is not yes or no"),
        ] {
            assert_eq!(read(query, KNOWN, Others::Refused), Err(expected.to_owned()), "{query}");
        }
        let bad = read("channel=a%20b", KNOWN, Others::Refused).unwrap_err();
        assert!(bad.starts_with("channel is not a channel: "), "{bad}");
        assert_eq!(read("", REQUIRED, Others::Refused), Err("there is no parameter id".to_owned()));
        let none = read("x=1", &[], Others::Refused);
        assert_eq!(none, Err("unknown parameter \"x\"; this path knows none".to_owned()));
    }

    #[test]
    fn a_host_reads_what_it_likes_and_the_rule_holds_for_the_rest() {
        let read = |query| read(query, KNOWN, Others::Allowed);
        assert_eq!(read("token=&token=x&channel=a&%ff"), Ok(vec!["channel=a".to_owned()]));
        assert!(read("token=x&channel=").is_err() && read("user=a&token=x&user=b").is_err());
    }

    #[test]
    fn what_may_be_a_secret_is_not_repeated() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJ1In0.c2VjcmV0";
        for name in [token, "a%0ab", "%ff"] {
            let text = read(name, KNOWN, Others::Refused).unwrap_err();
            assert!(text.starts_with("unknown parameter of ") && !text.contains(name), "{text}");
        }
        for query in ["limit=s3cret", "how=s3cret", "channel=s3%20cret", "user=s3cret"] {
            let text = read(query, KNOWN, Others::Refused).unwrap_err();
            assert!(!text.contains("cret"), "{text}");
        }
    }
}

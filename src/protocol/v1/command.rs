//! A client's message, read.
//!
//! `serde_json` finds out whether it is JSON, without keeping anything of it and without recursion, however deep it is.
//! The few values that count are looked at here, so that an error names the field and never repeats a value: it might
//! be a token.

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::alphabet::shown;

use super::super::close::{CloseCode, Violation};
use super::message::ErrorCode;

/// So long may an id be: as long as the longest integers of 128 bits.
const ID_BYTES_MAX: usize = 40;

/// A client's request.
#[derive(Debug, PartialEq, Eq)]
pub struct Command<'a> {
    /// Which question this is: it comes back with the answer.
    pub id: Id<'a>,
    /// The question.
    pub call: Call<'a>,
}

/// An integer, as the client has written it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Id<'a>(pub &'a str);

/// One of the methods, with its parameters.
#[derive(PartialEq, Eq)]
pub enum Call<'a> {
    /// To receive a channel.
    Subscribe {
        /// The channel's name.
        channel: Cow<'a, str>,
        /// From where on.
        since: Option<Cow<'a, str>>,
        /// The token that allows it.
        token: Option<Cow<'a, str>>,
        /// Whether to be told who is there.
        presence: bool,
    },
    /// To receive it no more.
    Unsubscribe {
        /// The channel's name.
        channel: Cow<'a, str>,
    },
    /// To publish.
    Publish {
        /// The channel's name.
        channel: Cow<'a, str>,
        /// A text, or some bytes.
        payload: Payload<'a>,
    },
    /// To read what a channel's log has.
    History {
        /// The channel's name.
        channel: Cow<'a, str>,
        /// From where on.
        since: Option<Cow<'a, str>>,
        /// At most so many publications.
        limit: Option<u64>,
    },
    /// Who is there.
    Presence {
        /// The channel's name.
        channel: Cow<'a, str>,
    },
    /// A new token in place of one that expires.
    Refresh {
        /// The token.
        token: Cow<'a, str>,
    },
    /// Whether somebody is there.
    Ping,
}

/// A client's publication. It is never empty.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'a> {
    /// `data`.
    Text(Cow<'a, str>),
    /// `base64`.
    Binary(Vec<u8>),
}

/// Why a message is none.
#[derive(Debug, PartialEq, Eq)]
pub enum Fault<'a> {
    /// It can't be read, and the connection ends.
    Unreadable(Violation),
    /// It is answered with an error.
    Refused {
        /// The question, as far as that is known.
        id: Option<Id<'a>>,
        /// The sort of error.
        code: ErrorCode,
        /// Why it is refused.
        why: String,
    },
}

impl Call<'_> {
    /// The names of all methods.
    const NAMES: [&'static str; 7] =
        ["subscribe", "unsubscribe", "publish", "history", "presence", "refresh", "ping"];

    /// Its method's name.
    pub fn name(&self) -> &'static str {
        Call::NAMES[match self {
            Call::Subscribe { .. } => 0,
            Call::Unsubscribe { .. } => 1,
            Call::Publish { .. } => 2,
            Call::History { .. } => 3,
            Call::Presence { .. } => 4,
            Call::Refresh { .. } => 5,
            Call::Ping => 6,
        }]
    }
}

/// Without a token, and without what is published.
impl fmt::Debug for Call<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct(self.name());
        if let Call::Subscribe { channel, .. }
        | Call::Unsubscribe { channel }
        | Call::Publish { channel, .. }
        | Call::History { channel, .. }
        | Call::Presence { channel } = self
        {
            shown.field("channel", channel);
        }
        shown.finish_non_exhaustive()
    }
}

impl<'a> Command<'a> {
    /// Reads a text message.
    pub fn parse(text: &'a str) -> Result<Command<'a>, Fault<'a>> {
        let (mut ids, mut calls) = (Once::default(), Once::default());
        let members = members(text, |name, value| match &*name {
            "id" => ids.put(value),
            _ => calls.put((name, value)),
        });
        members.map_err(|error| match error.classify() {
            serde_json::error::Category::Data => Fault::Unreadable(Violation {
                code: CloseCode::POLICY_VIOLATION,
                reason: "not a JSON object",
            }),
            _ => Fault::Unreadable(Violation { code: CloseCode::INVALID_PAYLOAD, reason: "not JSON" }),
        })?;
        let id = Id::of(ids);
        let known = id.as_ref().ok().copied();
        let refuse = |code, why| Err(Fault::Refused { id: known, code, why });
        let id = match id {
            Ok(id) => id,
            Err(why) => return refuse(ErrorCode::BadRequest, why.to_owned()),
        };
        let all = || Call::NAMES.join(", ");
        let (name, parameters) = match calls {
            Once { first: None, .. } => {
                return refuse(ErrorCode::BadRequest, format!("no method: one of {}", all()));
            }
            Once { first: Some(call), more: false } => call,
            _ => return refuse(ErrorCode::BadRequest, "more than one method in a message".to_owned()),
        };
        let Some(method) = Call::NAMES.iter().find(|method| **method == name) else {
            let why = format!("there is no method {}; there are {}", shown(name.as_bytes()), all());
            return refuse(ErrorCode::UnknownMethod, why);
        };
        match read_call(method, parameters) {
            Ok(call) => Ok(Command { id, call }),
            Err(why) => refuse(ErrorCode::BadRequest, why),
        }
    }
}

/// A member that should be there once.
struct Once<T> {
    first: Option<T>,
    /// There are others.
    more: bool,
}

impl<T> Default for Once<T> {
    fn default() -> Once<T> {
        Once { first: None, more: false }
    }
}

impl<T> Once<T> {
    fn put(&mut self, value: T) {
        self.more = self.first.is_some();
        self.first.get_or_insert(value);
    }
}

impl<'a> Id<'a> {
    fn of(ids: Once<&'a RawValue>) -> Result<Id<'a>, &'static str> {
        let text = match ids {
            Once { first: None, .. } => return Err("id is missing"),
            Once { first: Some(id), more: false } => id.get(),
            _ => return Err("id is there twice"),
        };
        let digits = text.strip_prefix('-').unwrap_or(text);
        let is_integer = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        match is_integer && text.len() <= ID_BYTES_MAX {
            true => Ok(Id(text)),
            false => Err("id is not an integer of at most 40 characters"),
        }
    }
}

fn read_call<'a>(method: &'static str, parameters: &'a RawValue) -> Result<Call<'a>, String> {
    Ok(match method {
        "subscribe" => {
            let fields = Fields::read(method, parameters, ["channel", "since", "token", "presence"])?;
            let (channel, since) = (fields.needed_text(0)?, fields.text(1)?);
            Call::Subscribe { channel, since, token: fields.text(2)?, presence: fields.is_true(3)? }
        }
        "unsubscribe" => {
            Call::Unsubscribe { channel: Fields::read(method, parameters, ["channel"])?.needed_text(0)? }
        }
        "publish" => {
            let fields = Fields::read(method, parameters, ["channel", "data", "base64"])?;
            let channel = fields.needed_text(0)?;
            let payload = match (fields.text(1)?, fields.text(2)?) {
                (Some(text), None) => Payload::Text(text),
                (None, Some(base64)) => match BASE64_STANDARD.decode(base64.as_bytes()) {
                    Ok(bytes) => Payload::Binary(bytes),
                    Err(_) => return Err("base64 is not base64, padded".to_owned()),
                },
                (None, None) => return Err("data is missing (or base64)".to_owned()),
                (Some(_), Some(_)) => return Err("data and base64 are there both".to_owned()),
            };
            Call::Publish { channel, payload }
        }
        "history" => {
            let fields = Fields::read(method, parameters, ["channel", "since", "limit"])?;
            let (channel, since) = (fields.needed_text(0)?, fields.text(1)?);
            Call::History { channel, since, limit: fields.count(2)? }
        }
        "presence" => {
            Call::Presence { channel: Fields::read(method, parameters, ["channel"])?.needed_text(0)? }
        }
        "refresh" => Call::Refresh { token: Fields::read(method, parameters, ["token"])?.needed_text(0)? },
        _ => {
            Fields::read(method, parameters, [])?;
            Call::Ping
        }
    })
}

/// A method's parameters: each there once, or not.
struct Fields<'a, const N: usize> {
    names: [&'static str; N],
    values: [Option<&'a str>; N],
}

impl<'a, const N: usize> Fields<'a, N> {
    fn read(method: &str, parameters: &'a RawValue, names: [&'static str; N]) -> Result<Self, String> {
        let (mut values, mut problem) = ([None; N], None);
        let members = members(parameters.get(), |name, value| {
            let twice = match names.iter().position(|known| *known == name) {
                Some(at) => values[at].replace(value.get()).map(|_| format!("{name} is there twice")),
                None if N == 0 => {
                    Some(format!("{method} has no fields, and {} is none", shown(name.as_bytes())))
                }
                None => {
                    Some(format!("{method} has no field {}: {}", shown(name.as_bytes()), names.join(", ")))
                }
            };
            problem = problem.take().or(twice);
        });
        match problem {
            Some(problem) => Err(problem),
            // It has been found to be JSON already.
            None if members.is_err() => Err(format!("{method} is not an object")),
            None => Ok(Fields { names, values }),
        }
    }

    /// A text that is not empty.
    fn text(&self, at: usize) -> Result<Option<Cow<'a, str>>, String> {
        let Some(value) = self.values[at] else { return Ok(None) };
        match serde_json::from_str::<Text<'a>>(value) {
            Ok(Text(text)) if text.is_empty() => Err(format!("{} is empty", self.names[at])),
            Ok(Text(text)) => Ok(Some(text)),
            Err(_) => Err(format!("{} is not a string of Unicode characters", self.names[at])),
        }
    }

    fn needed_text(&self, at: usize) -> Result<Cow<'a, str>, String> {
        self.text(at)?.ok_or_else(|| format!("{} is missing", self.names[at]))
    }

    fn is_true(&self, at: usize) -> Result<bool, String> {
        match self.values[at] {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(format!("{} is not true or false", self.names[at])),
        }
    }

    /// A positive number.
    fn count(&self, at: usize) -> Result<Option<u64>, String> {
        let Some(value) = self.values[at] else { return Ok(None) };
        let count = value.parse().ok().filter(|&count| count > 0);
        count.map(Some).ok_or_else(|| format!("{} is not an integer from 1 on", self.names[at]))
    }
}

/// A string, borrowed if nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Shows all members of an object, one after the other.
fn members<'a>(
    object: &'a str,
    each: impl FnMut(Cow<'a, str>, &'a RawValue),
) -> Result<(), serde_json::Error> {
    struct Members<F>(F);
    impl<'de, F: FnMut(Cow<'de, str>, &'de RawValue)> Visitor<'de> for Members<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Text(name)) = map.next_key::<Text<'de>>()? {
                (self.0)(name, map.next_value()?);
            }
            Ok(())
        }
    }
    let mut deserializer = serde_json::Deserializer::from_str(object);
    deserializer.deserialize_map(Members(each))?;
    deserializer.end()
}

#[cfg(test)]
mod tests;

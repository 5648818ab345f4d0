//! Between a [`Value`] and the type of a field: what the rows of the table are made of.

use std::fmt::Display;
use std::str::FromStr;

use super::memory_max::MemoryMax;
use super::reactors::Reactors;
use super::setting::Value;
use super::shown::looks_like_a_key;
use super::validate::check_token;
use super::{AdminListen, PUSHER_SPOKEN, PusherApp};
use crate::limits::{CPU_MAX, FILE_NAME_BYTES_MAX};

/// `Setting::set` has looked at the type already; a row of another kind than its field is found by the tests.
pub(super) const OTHER_TYPE: &str = "the value has another type";

/// No admin API.
const OFF: &str = "off";

pub(super) fn number<T: TryFrom<u64>>(value: Value) -> Result<T, String> {
    match value {
        Value::Integer(number) => T::try_from(number).map_err(|_| "too large for this machine".to_owned()),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn shown_number<T: Copy + TryInto<u64>>(number: &T) -> Value {
    Value::Integer((*number).try_into().unwrap_or(u64::MAX))
}

pub(super) fn reactors(value: Value) -> Result<Reactors, String> {
    match value {
        Value::Integer(number) => number.to_string().parse(),
        Value::Text(text) => text.parse(),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn shown_reactors(reactors: &Reactors) -> Value {
    match reactors {
        Reactors::Count(count) => Value::Integer(count.get() as u64),
        Reactors::Auto => Value::Text(reactors.to_string()),
    }
}

pub(super) fn memory(value: Value) -> Result<MemoryMax, String> {
    match value {
        Value::Integer(bytes) => MemoryMax::bytes(bytes),
        Value::Text(text) => text.parse(),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn shown_memory(max: &MemoryMax) -> Value {
    match max {
        MemoryMax::Bytes(bytes) => Value::Integer(*bytes),
        _ => Value::Text(max.to_string()),
    }
}

/// A CPU's number.
pub(super) fn cpu(text: String) -> Result<usize, String> {
    let number = text.parse().ok().filter(|&cpu| cpu <= CPU_MAX);
    number.ok_or_else(|| format!("{text:?} is no CPU's number: they are 0 to {CPU_MAX}"))
}

pub(super) fn boolean(value: Value) -> Result<bool, String> {
    match value {
        Value::Boolean(yes) => Ok(yes),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn parsed<T: FromStr<Err = String>>(value: Value) -> Result<T, String> {
    match value {
        Value::Text(text) => text.parse(),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn shown_text<T: Display>(choice: &T) -> Value {
    Value::Text(choice.to_string())
}

pub(super) fn shown_boolean(yes: &bool) -> Value {
    Value::Boolean(*yes)
}

pub(super) fn shown_optional(token: &Option<String>) -> Value {
    token.clone().map_or(Value::Unset, Value::Text)
}

/// A shell's variable that was never set must not take the token away: an empty one is an error.
pub(super) fn token(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => check_token(&text).map(|()| Some(text)),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

pub(super) fn entries<T>(value: Value, entry: fn(String) -> Result<T, String>) -> Result<Vec<T>, String> {
    match value {
        Value::List(list) => list.into_iter().map(entry).collect(),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// A group's name or number, or none is set.
pub(super) fn group(value: Value) -> Result<Option<String>, String> {
    let is_name =
        |name: &str| !name.is_empty() && name.len() <= 256 && !name.contains([':', '\n', '\0', '/']);
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) if is_name(&text) => Ok(Some(text)),
        Value::Text(text) => Err(format!("{text:?} is no group's name")),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

/// Addresses of the admin API; `off` alone is none.
pub(super) fn admin(value: Value) -> Result<Vec<AdminListen>, String> {
    match value {
        Value::List(list) if list.len() == 1 && list[0] == OFF => Ok(Vec::new()),
        other => entries(other, entry),
    }
}

pub(super) fn shown_admin(list: &[AdminListen]) -> Value {
    if list.is_empty() { Value::List(vec![OFF.to_owned()]) } else { shown_entries(list) }
}

pub(super) fn shown_entries<T: Display>(list: &[T]) -> Value {
    Value::List(list.iter().map(T::to_string).collect())
}

pub(super) fn entry<T: FromStr<Err = String>>(text: String) -> Result<T, String> {
    text.parse()
}

/// An app, where there are any.
pub(super) fn app(text: String) -> Result<PusherApp, String> {
    if PUSHER_SPOKEN {
        text.parse()
    } else {
        Err("this build speaks no Pusher protocol (cargo feature pusher)".to_owned())
    }
}

pub(super) fn shown_apps(apps: &[PusherApp]) -> Value {
    if PUSHER_SPOKEN { shown_entries(apps) } else { Value::List(Vec::new()) }
}

/// A file's name.
pub(super) fn file(name: String) -> Result<String, String> {
    if looks_like_a_key(&name) {
        return Err(
            "this looks like a key or a certificate itself; here stands the name of its file".to_owned()
        );
    }
    let ok = !name.is_empty() && name.len() <= FILE_NAME_BYTES_MAX && !name.contains('\0');
    if ok {
        Ok(name)
    } else {
        Err(format!("a file's name has 1 to {FILE_NAME_BYTES_MAX} bytes, none of them NUL"))
    }
}

/// A file's name, or none is set; an empty name is an error.
pub(super) fn optional_file(value: Value) -> Result<Option<String>, String> {
    match value {
        Value::Unset => Ok(None),
        Value::Text(text) => file(text).map(Some),
        _ => Err(OTHER_TYPE.to_owned()),
    }
}

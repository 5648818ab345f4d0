//! Settings that are a list of text, as tables of the TOML file: rules of channels, keys of programs.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::error::Problem;
use super::setting::Value;
use super::{ApiKey, ChannelRule, PusherApp};

/// A setting whose entries may be tables.
pub(super) struct Tables {
    /// The tables' name.
    pub table: &'static str,
    /// The setting that has the same as a list of text.
    pub setting: &'static str,
    /// The key whose value begins an entry's text, and what it is for.
    first: (&'static str, &'static str),
    /// Between the entries of a list in an entry's text.
    separators: &'static [(&'static str, char)],
    /// Says why an entry's text is refused.
    check: fn(&str) -> Result<(), String>,
}

static TABLES: [Tables; 3] = [
    Tables {
        table: "channel",
        setting: "channel_rule",
        first: ("match", "which says for which channels it is"),
        separators: &[("clients", '+')],
        check: |text| text.parse::<ChannelRule>().map(drop),
    },
    Tables {
        table: "api_key",
        setting: "api_key",
        first: ("name", "which says whose it is"),
        separators: &[("allow", '+'), ("channels", ';')],
        check: |text| text.parse::<ApiKey>().map(drop),
    },
    Tables {
        table: "pusher_app",
        setting: "pusher_app",
        first: ("id", "by which backends name it"),
        separators: &[],
        check: |text| text.parse::<PusherApp>().map(drop),
    },
];

/// The setting that tables of this name are for.
pub(super) fn tables_of(name: &str) -> Option<&'static Tables> {
    TABLES.iter().find(|tables| tables.table == name)
}

/// The entries that stand there as tables, as text.
pub(super) fn entries_of(kind: &Tables, tables: &DeArray<'_>) -> Result<Value, (Problem, Range<usize>)> {
    let entry_text = |entry: &Spanned<DeValue<'_>>| {
        let refuse = |why: String, span| Err((Problem::Invalid(why), span));
        let DeValue::Table(table) = entry.get_ref() else {
            return refuse(format!("an entry is a table [[{}]] here", kind.table), entry.span());
        };
        let (first, meaning) = kind.first;
        let Some(beginning) = table.get(first) else {
            return refuse(format!("a table [[{}]] has a key {first}, {meaning}", kind.table), entry.span());
        };
        let mut rule = String::new();
        let rest = table.iter().filter(|(key, _)| key.get_ref() != first);
        for (key, value) in
            std::iter::once((None, beginning)).chain(rest.map(|(key, value)| (Some(key), value)))
        {
            let text = match value.get_ref() {
                DeValue::String(text) if !text.contains(char::is_whitespace) && !text.is_empty() => {
                    text.to_string()
                }
                DeValue::Integer(number) => number.as_str().to_owned(),
                DeValue::Boolean(yes) => yes.to_string(),
                DeValue::Array(names) => {
                    let name = key.map_or(first, |key: &Spanned<_>| key.get_ref());
                    match joined(names, kind.separator(name)) {
                        Some(text) => text,
                        None => return refuse(format!("{name} is not a list of words"), value.span()),
                    }
                }
                _ => {
                    let why = "the values here are numbers, words, true, false and lists of words";
                    return refuse(why.to_owned(), value.span());
                }
            };
            rule += &key.map_or(text.clone(), |key| format!(" {}={text}", key.get_ref()));
        }
        // With the place of its own table, not of the list.
        (kind.check)(&rule).map(|()| rule).map_err(|why| (Problem::Invalid(why), entry.span()))
    };
    tables.iter().map(entry_text).collect::<Result<_, _>>().map(Value::List)
}

impl Tables {
    fn separator(&self, key: &str) -> char {
        self.separators.iter().find(|(name, _)| *name == key).map_or('+', |&(_, separator)| separator)
    }
}

/// A list of words as it stands in an entry's text.
fn joined(names: &DeArray<'_>, separator: char) -> Option<String> {
    let word = |name: &Spanned<DeValue<'_>>| match name.get_ref() {
        DeValue::String(word)
            if !word.contains(|c: char| c.is_whitespace() || c == separator) && !word.is_empty() =>
        {
            Some(word.to_string())
        }
        _ => None,
    };
    Some(names.iter().map(word).collect::<Option<Vec<_>>>()?.join(&separator.to_string()))
}

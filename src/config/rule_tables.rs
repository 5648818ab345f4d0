//! The rules of channels as tables of the TOML file.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeArray, DeValue};

use super::ChannelRule;
use super::error::Problem;
use super::setting::Value;

/// The rules of channels as a table each, `[[channel]]`; the setting that has them as a list of text.
pub(super) const RULE_TABLES: &str = "channel";
pub(super) const RULES: &str = "channel_rule";

/// The rules that stand there as tables, as text.
pub(super) fn rules_of(tables: &DeArray<'_>) -> Result<Value, (Problem, Range<usize>)> {
    let rule = |entry: &Spanned<DeValue<'_>>| {
        let refuse = |why: &str, span| Err((Problem::Invalid(why.to_owned()), span));
        let DeValue::Table(table) = entry.get_ref() else {
            return refuse("a rule is a table [[channel]] here", entry.span());
        };
        let Some(pattern) = table.get("match") else {
            return refuse(
                "a table [[channel]] has a key match, which says for which channels it is",
                entry.span(),
            );
        };
        let mut rule = String::new();
        let rest = table.iter().filter(|(key, _)| key.get_ref() != "match");
        for (key, value) in
            std::iter::once((None, pattern)).chain(rest.map(|(key, value)| (Some(key), value)))
        {
            let text = match value.get_ref() {
                DeValue::String(text) if !text.contains(char::is_whitespace) && !text.is_empty() => {
                    text.to_string()
                }
                DeValue::Integer(number) => number.as_str().to_owned(),
                DeValue::Boolean(yes) => yes.to_string(),
                DeValue::Array(names) => match joined(names) {
                    Some(text) => text,
                    None => return refuse("a list in a rule is one of words", value.span()),
                },
                _ => {
                    return refuse(
                        "a rule's values are numbers, words, true, false and lists of words",
                        value.span(),
                    );
                }
            };
            rule += &key.map_or(text.clone(), |key| format!(" {}={text}", key.get_ref()));
        }
        // With the place of its own table, not of the list.
        rule.parse::<ChannelRule>().map(|_| rule).map_err(|why| (Problem::Invalid(why), entry.span()))
    };
    tables.iter().map(rule).collect::<Result<_, _>>().map(Value::List)
}

/// A list of words as it stands in a rule's text.
fn joined(names: &DeArray<'_>) -> Option<String> {
    let word = |name: &Spanned<DeValue<'_>>| match name.get_ref() {
        DeValue::String(word)
            if !word.contains(|c: char| c.is_whitespace() || c == '+') && !word.is_empty() =>
        {
            Some(word.to_string())
        }
        _ => None,
    };
    Some(names.iter().map(word).collect::<Option<Vec<_>>>()?.join("+"))
}

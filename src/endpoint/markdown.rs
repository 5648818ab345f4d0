//! The table of parameters in docs/http.md.

use std::fmt::Write as _;

use super::query::{Parameter, Times, Value};
use super::requests::{ALL, Listeners};

/// A Markdown table of all requests and their parameters, to stand between `<!-- parameters:begin -->` and
/// `<!-- parameters:end -->`.
pub fn parameters_markdown() -> String {
    let mut text = String::from(
        "| listener | request | parameter | times | value | what it does |\n|---|---|---|---|---|---|\n",
    );
    for request in ALL {
        let listener = match request.listener {
            Listeners::Public => "public",
            Listeners::Admin => "admin",
            Listeners::Both => "both",
        };
        let line = format!("| {listener} | `{} {}`", request.method, request.path);
        if request.query.is_empty() {
            let _ = writeln!(text, "{line} | none | | | |");
        }
        for parameter in request.query {
            let _ = writeln!(text, "{line} | {}", row(parameter));
        }
    }
    text
}

fn row(parameter: &Parameter) -> String {
    let times = match parameter.times {
        Times::Optional => "at most once",
        Times::Required => "once",
        Times::Repeatable => "any number",
    };
    let value = match parameter.value {
        Value::Channel => "a channel's name".to_owned(),
        Value::Text(usize::MAX) => "text".to_owned(),
        Value::Text(max) => format!("text of at most {max} bytes"),
        Value::Number(min, u64::MAX) => format!("a number from {min} on"),
        Value::Number(min, max) => format!("a number from {min} to {max}"),
        Value::Positions => "a position, several, or one of the words".to_owned(),
        Value::Anything => "anything".to_owned(),
        Value::Since => "a position or one of the words".to_owned(),
        Value::Choice(names) => format!("`{}`", names.join("` or `")),
    };
    format!("`{}` | {times} | {value} | {} |", parameter.name, parameter.meaning)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::blessed::hold;

    /// `WSPUSH_BLESS=1 cargo test parameters_table` writes the table instead.
    #[test]
    fn the_book_has_the_parameters_table() {
        let markers = ("<!-- parameters:begin -->\n", "<!-- parameters:end -->");
        hold("docs/http.md", markers, &parameters_markdown());
    }

    #[test]
    fn every_row_has_every_column() {
        for row in parameters_markdown().lines() {
            assert_eq!(row.matches('|').count(), 7, "{row}");
        }
    }
}

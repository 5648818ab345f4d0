//! The README's table of settings.

use std::fmt::Write as _;

use super::setting::Value;
use super::{Config, SETTINGS};

/// A Markdown table of all settings, to stand between `<!-- settings:begin -->` and `<!-- settings:end -->`.
pub fn settings_markdown() -> String {
    let mut text = String::from(
        "| key | flag | environment | default | allowed | reload | meaning |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let default = Config::default();
    for setting in SETTINGS {
        let shown = match setting.get(&default) {
            Value::Unset => Value::Unset.to_string(),
            value => format!("`{value}`"),
        };
        let _ = writeln!(
            text,
            "| `{}` | `{}` | `{}` | {shown} | {} | {} | {} |",
            setting.name,
            setting.flag(),
            setting.variable(),
            setting.allowed(),
            if setting.reloadable { "yes" } else { "no" },
            setting.help,
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `WSPUSH_BLESS=1 cargo test settings_table` writes the table instead.
    #[cfg(feature = "deflate")] // The defaults are those of the default build.
    #[test]
    fn the_readme_has_the_settings_table() {
        const BEGIN: &str = "<!-- settings:begin -->\n";
        const END: &str = "<!-- settings:end -->";
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
        let readme = std::fs::read_to_string(path).unwrap();
        let (before, rest) = readme.split_once(BEGIN).expect("no settings:begin in README.md");
        let (table, after) = rest.split_once(END).expect("no settings:end in README.md");
        if std::env::var_os("WSPUSH_BLESS").is_some_and(|bless| bless == "1") {
            std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", settings_markdown())).unwrap();
        } else {
            assert_eq!(table, settings_markdown(), "run: WSPUSH_BLESS=1 cargo test settings_table");
        }
    }

    #[test]
    fn every_row_has_every_column() {
        for row in settings_markdown().lines() {
            assert_eq!(row.matches('|').count(), 8, "{row}");
        }
    }
}

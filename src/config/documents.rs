//! The settings as the documents show them: the book's table, and the lists of the manual pages. The tests hold the
//! documents to it; `WSPUSH_BLESS=1 cargo test -p wspush --all-features --lib documents` writes them.

use std::fmt::Write as _;

use super::blessed::hold;
use super::cli::default_text;
use super::setting::{Kind, Setting, Value};
use super::{Config, SETTINGS};

/// A Markdown table of all settings.
fn markdown() -> String {
    let mut text = String::from(
        "| key | flag | environment | default | allowed | reload | meaning |\n\
         |---|---|---|---|---|---|---|\n",
    );
    let shown = |setting: &Setting, defaults: &Config| match setting.get(defaults) {
        Value::Unset => Value::Unset.to_string(),
        value => format!("`{value}`"),
    };
    for setting in SETTINGS {
        let (daemon, library) = (shown(setting, &Config::daemon()), shown(setting, &Config::default()));
        let default = if daemon == library { daemon } else { format!("{daemon}; in a library {library}") };
        let _ = writeln!(
            text,
            "| `{}` | `{}` | `{}` | {} | {} | {} | {} |",
            setting.name,
            setting.flag(),
            setting.variable(),
            default,
            setting.allowed(),
            if setting.reloadable { "yes" } else { "no" },
            setting.help,
        );
    }
    text
}

/// How a manual page names a setting.
#[derive(Clone, Copy)]
enum Named {
    /// wspushd(1): `--listen ADDR`.
    AsFlag,
    /// wspush(3): `listen`, as `wspush_config_set` and the TOML file take it.
    AsKey,
}

impl Named {
    /// The defaults of whoever reads that page.
    fn defaults(self) -> Config {
        match self {
            Named::AsFlag => Config::daemon(),
            Named::AsKey => Config::default(),
        }
    }
}

/// An mdoc(7) list of all settings under the headings of `--help`.
fn mdoc(named: Named) -> String {
    let mut text = String::new();
    let mut group = None;
    for setting in SETTINGS {
        if group != Some(setting.group) {
            text += if group.is_some() { ".El\n" } else { "" };
            let _ = writeln!(text, ".Ss {}\n.Bl -tag -width Ds", setting.group.title());
            group = Some(setting.group);
        }
        let _ = match (named, setting.kind) {
            (Named::AsKey, _) => writeln!(text, ".It Cm {}", setting.name),
            (Named::AsFlag, Kind::Boolean) => writeln!(text, ".It Fl {}", &setting.flag()[1..]),
            (Named::AsFlag, _) => writeln!(text, ".It Fl {} Ar value", &setting.flag()[1..]),
        };
        // A line that begins with a dot or a quote would be a request.
        let _ = writeln!(text, "\\&{}.", escaped(setting.help));
        let _ = writeln!(
            text,
            "Allowed: {}; default: {}.",
            escaped(&setting.allowed()),
            escaped(&default_text(setting, &named.defaults()))
        );
    }
    text + ".El\n"
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\e").replace("--", "\\-\\-")
}

const IN_MARKDOWN: (&str, &str) = ("<!-- settings:begin -->\n", "<!-- settings:end -->");
const IN_MDOC: (&str, &str) = (".\\\" settings:begin\n", ".\\\" settings:end");

#[test]
#[cfg_attr(
    not(target_pointer_width = "64"),
    ignore = "the documents have the bounds of 64 bits, and some are lower here"
)]
fn the_documents_have_all_settings() {
    hold("docs/settings.md", IN_MARKDOWN, &markdown());
    hold("docs/man/wspushd.1", IN_MDOC, &mdoc(Named::AsFlag));
    hold("docs/man/wspush.3", IN_MDOC, &mdoc(Named::AsKey));
}

#[test]
fn every_row_has_every_column() {
    for row in markdown().lines() {
        assert_eq!(row.matches('|').count(), 8, "{row}");
    }
}

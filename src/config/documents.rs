//! The settings as the documents show them: the book's table, and the lists of the manual pages. The tests hold the
//! documents to it; `WSPUSH_BLESS=1 cargo test -p wspush
//! --all-features --lib documents` writes them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

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

/// Holds what stands in `document` between the two markers to `expected`, or writes it there.
fn hold(document: &str, (begin, end): (&str, &str), expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let whole = fs::read_to_string(&path).expect(document);
    let (before, rest) = whole.split_once(begin).unwrap_or_else(|| panic!("no {begin:?} in {document}"));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} in {document}"));
    if std::env::var_os("WSPUSH_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).expect(document);
    } else {
        assert_eq!(
            found, expected,
            "run: WSPUSH_BLESS=1 cargo test -p wspush --all-features --lib documents"
        );
    }
}

const IN_MARKDOWN: (&str, &str) = ("<!-- settings:begin -->\n", "<!-- settings:end -->");
const IN_MDOC: (&str, &str) = (".\\\" settings:begin\n", ".\\\" settings:end");

#[test]
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

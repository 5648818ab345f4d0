//! The public API: what it is, and that each type of it is shown in use.

use super::source::words;

/// The types that a file with re-exports shows to everybody. An item behind `#[doc(hidden)]` is shown to nobody.
pub(super) fn shown(text: &str) -> Vec<&str> {
    let mut types = Vec::new();
    let mut is_hidden = false;
    for line in text.split_inclusive([';', ']']).map(str::trim) {
        if line.ends_with(']') {
            is_hidden |= line.ends_with("#[doc(hidden)]");
            continue;
        }
        let item = line.find("pub use ").filter(|&at| at == 0 || line[..at].ends_with('\n'));
        if let Some(at) = item.filter(|_| !is_hidden) {
            let names = line[at..].split(|c: char| !c.is_alphanumeric() && c != '_');
            types.extend(names.filter(|name| is_type(name)));
        }
        is_hidden = false;
    }
    types
}

/// Types begin with a capital letter, and constants have nothing else.
fn is_type(name: &str) -> bool {
    name.starts_with(char::is_uppercase) && name.contains(char::is_lowercase)
}

/// Whether the type is defined in this file, and if so whether there is an example in front of it.
pub(super) fn example(text: &str, name: &str) -> Option<bool> {
    let mut has_example = false;
    let mut is_documented = false;
    for line in text.lines().map(str::trim_start) {
        if let Some(doc) = line.strip_prefix("///") {
            has_example |= doc.trim_start().starts_with("```");
            is_documented = true;
        } else if line.starts_with("#[") {
            continue;
        } else {
            if is_documented && defines(line, name) {
                return Some(has_example);
            }
            (has_example, is_documented) = (false, false);
        }
    }
    None
}

/// Whether this line begins the type's definition; `metrics/table.rs` has a macro for its tables.
fn defines(line: &str, name: &str) -> bool {
    let is_item =
        ["pub struct ", "pub enum ", "pub trait ", "pub type "].iter().any(|item| line.starts_with(item));
    let is_table = line.starts_with(name) && line.ends_with("{");
    (is_item || is_table) && words(line, name).next().is_some()
}

#[test]
fn what_is_shown_is_found() {
    let text = "//! A room.\n\nmod a;\n#[doc(hidden)]\npub mod b;\n#[doc(inline)]\npub use a::Shown;\n\
                // For nobody.\n#[doc(hidden)]\npub use b::{Hidden, LIMIT};\n\
                // Two.\npub use c::d::{Ab, LIMIT, call};\n#[cfg(feature = \"x\")]\n#[doc(hidden)]\npub use e::F;\n";
    assert_eq!(shown(text), ["Shown", "Ab"]);
}

#[test]
fn a_type_without_an_example_is_found() {
    let text = "/// A.\n///\n/// ```\n/// x();\n/// ```\n#[derive(Debug)]\npub struct Ab<'a> {\n    /// B.\n\
                    pub b: &'a str,\n}\n/// C.\npub enum Cd {}\nimpl Ab<'_> {}\n";
    assert_eq!(
        (example(text, "Ab"), example(text, "Cd"), example(text, "Ef")),
        (Some(true), Some(false), None)
    );
}

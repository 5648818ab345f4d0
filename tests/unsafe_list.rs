//! docs/unsafe.md lists every use of `unsafe` in the sources, with its count and its reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use crate::tidy::source::{code_of, line_of, words};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Uses in one file: blocks, and everything else (`unsafe fn`, `unsafe impl`, types of pointers, attributes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Uses {
    blocks: usize,
    others: usize,
}

fn uses(text: &str) -> Uses {
    let code = code_of(text);
    let mut uses = Uses::default();
    for at in words(&code, "unsafe") {
        match code[at + "unsafe".len()..].trim_start().starts_with('{') {
            true => uses.blocks += 1,
            false => uses.others += 1,
        }
    }
    uses
}

/// Every source file that has any.
fn in_sources() -> BTreeMap<String, Uses> {
    let mut found = BTreeMap::new();
    for folder in ["src", "wspushd/src", "libwspush/src", "wspush-bench/src"] {
        in_folder(&Path::new(ROOT).join(folder), &mut found);
    }
    found
}

fn in_folder(folder: &Path, found: &mut BTreeMap<String, Uses>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            in_folder(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let uses = uses(&fs::read_to_string(&path).unwrap());
            let name = path.strip_prefix(ROOT).unwrap().display().to_string();
            if uses != Uses::default() {
                found.insert(name, uses);
            }
        }
    }
}

/// The rows ``| `src/file.rs` | blocks | others | reason |``; each has a reason.
fn in_table(document: &str) -> BTreeMap<String, Uses> {
    let mut listed = BTreeMap::new();
    for line in document.lines().filter(|line| line.starts_with("| `") && line.contains("src/")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let &[name, blocks, others, reason] = &cells[..] else {
            panic!("docs/unsafe.md: not four cells: {line}")
        };
        assert!(reason.len() > 20, "docs/unsafe.md: say why {name} may");
        let uses = Uses { blocks: blocks.parse().unwrap(), others: others.parse().unwrap() };
        assert_eq!(listed.insert(name.trim_matches('`').to_owned(), uses), None, "{name} is there twice");
    }
    listed
}

#[test]
fn every_use_is_listed_with_its_count() {
    let found = in_sources();
    let document = fs::read_to_string(Path::new(ROOT).join("docs/unsafe.md")).unwrap();
    let listed = in_table(&document);
    let mut findings = Vec::new();
    for (name, uses) in &found {
        if listed.get(name) != Some(uses) {
            findings.push(format!("| `{name}` | {} | {} | why |", uses.blocks, uses.others));
        }
    }
    for name in listed.keys().filter(|name| !found.contains_key(*name)) {
        findings.push(format!("no row for `{name}`: it has no unsafe code"));
    }
    assert!(findings.is_empty(), "docs/unsafe.md: read the code again, then write\n{}", findings.join("\n"));
    let sum = |of: fn(&Uses) -> usize| found.values().map(of).sum::<usize>();
    let total = format!("{} blocks and {} other uses", sum(|uses| uses.blocks), sum(|uses| uses.others));
    assert!(document.contains(&total), "docs/unsafe.md: its sum is now: {total}");
}

#[test]
fn the_reasons_are_beside_the_code() {
    let found = in_sources();
    for name in found.keys() {
        let text = fs::read_to_string(Path::new(ROOT).join(name)).unwrap();
        let code = code_of(&text);
        let lines: Vec<&str> = text.lines().collect();
        for at in
            words(&code, "unsafe").filter(|at| code[at + "unsafe".len()..].trim_start().starts_with('{'))
        {
            let line = line_of(&code, at);
            // Clippy holds each block to a SAFETY line; in a macro it does not look.
            let above = &lines[line.saturating_sub(6)..line];
            assert!(above.iter().any(|line| line.contains("SAFETY:")), "{name}:{line}: write a SAFETY line");
        }
    }
}

#[test]
fn uses_are_told_apart() {
    let text = "#![allow(unsafe_code)] // unsafe {\nunsafe fn f() { unsafe { g(\"unsafe {\") } }\n\
                #[unsafe(no_mangle)] pub unsafe extern \"C\" fn h(p: unsafe extern \"C\" fn()) { unsafe\n{ p() } }";
    assert_eq!(uses(text), Uses { blocks: 2, others: 4 });
    let row = in_table("| `src/a.rs` | 2 | 4 | because there is no other way |\n| file | blocks | others |");
    assert_eq!(row["src/a.rs"], uses(text));
}

//! Holds the repository to its own rules: the rooms of docs/ARCHITECTURE.md and CONTRIBUTING.md. Each finding says
//! what to do.
//!
//! The checks are functions from a file's text to findings, and their own tests show that they find something.

mod examples;
mod programs;
mod prose;
mod rooms;
mod shape;
pub(crate) mod source;
mod text;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The files that git knows of, and those that it will know of when they are committed.
fn files() -> BTreeSet<String> {
    let command = ["ls-files", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(command).current_dir(ROOT).output();
    let output = output.expect("tests/tidy.rs asks git which files there are: install git");
    assert!(output.status.success(), "not a git repository: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().filter(|name| Path::new(ROOT).join(name).is_file()).map(str::to_owned).collect()
}

fn read(name: &str) -> String {
    // Pictures are no text and break no rule for texts.
    fs::read(Path::new(ROOT).join(name))
        .ok()
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .unwrap_or_default()
}

/// Runs a check over all files that `wanted` selects.
fn check(wanted: impl Fn(&str) -> bool, check: impl Fn(&str, &str) -> Vec<String>) {
    let names = files().into_iter().filter(|name| wanted(name)).collect::<Vec<_>>();
    assert!(!names.is_empty(), "the check looks at no file: has a folder been renamed?");
    let findings: Vec<String> = names.iter().flat_map(|name| check(name, &read(name))).collect();
    assert!(findings.is_empty(), "{} findings:\n{}\n", findings.len(), findings.join("\n"));
}

fn is_rust_source(name: &str) -> bool {
    let folders = ["src/", "wspushd/src/", "libwspush/src/", "wspush-bench/src/"];
    name.ends_with(".rs") && folders.iter().any(|folder| name.starts_with(folder))
}

fn is_code(name: &str) -> bool {
    let extension = Path::new(name).extension().and_then(|extension| extension.to_str());
    // Its source is beside it, or in libwspush/src.
    let is_made = name.ends_with(".min.js") || name == "include/wspush.h";
    !is_made
        && matches!(extension, Some("rs" | "c" | "cc" | "cpp" | "h" | "hpp" | "java" | "py" | "js" | "mjs"))
}

#[test]
fn rooms_import_only_from_the_rooms_below() {
    let all = files();
    let has = |name: &str| all.contains(name);
    check(is_rust_source, |name, text| rooms::imports(name, text, has));
}

#[test]
fn only_reactor_and_server_know_sockets_and_clocks() {
    check(is_rust_source, rooms::sockets_and_clocks);
}

#[test]
fn unsafe_code_has_its_places() {
    check(is_rust_source, rooms::unsafe_code);
}

#[test]
fn lines_and_files_are_short() {
    check(is_code, text::line_lengths);
    // A generated file is as long as those that it is made of.
    check(|name| is_code(name) && name != "include/wspush.h", text::file_size);
}

#[test]
fn files_functions_and_lists_of_arguments_are_short() {
    let is_product = |name: &str| is_rust_source(name) && !name.starts_with("wspush-bench/");
    check(is_product, shape::too_long);
}

#[test]
fn every_file_of_tests_is_run() {
    let all = files();
    let programs = all.iter().filter(|name| name.starts_with("tests/it")).map(|name| read(name));
    let findings = programs::left_out(all.iter().map(String::as_str), &programs.collect::<String>());
    assert!(findings.is_empty(), "{}", findings.join("\n"));
}

/// `cargo test --doc` compiles the examples.
#[test]
fn every_public_type_has_an_example() {
    let (root, config) = (read("src/lib.rs"), read("src/config/mod.rs"));
    let mut types = examples::shown(&root);
    types.extend(examples::shown(&config));
    types.extend(["Listen", "ClientAuth", "KernelTls", "AdminListen", "SlowConsumer", "LogLevel"]);
    assert!(types.len() > 30, "lib.rs shows {types:?} and nothing else: has its form changed?");
    let sources: Vec<String> =
        files().iter().filter(|name| name.starts_with("src/")).map(|name| read(name)).collect();
    let mut found =
        types.iter().map(|name| (name, sources.iter().find_map(|text| examples::example(text, name))));
    let missing: Vec<_> = found.by_ref().filter(|(_, example)| *example != Some(true)).collect();
    assert!(missing.is_empty(), "write an example in front of each of these: {missing:?}");
}

#[test]
fn nothing_is_left_unfinished() {
    check(|name| is_code(name) || name.ends_with(".md"), text::unfinished);
}

#[test]
fn comments_name_the_thing_or_say_why() {
    check(|name| name.ends_with(".rs"), text::comments);
}

#[test]
fn no_file_names_a_place_on_one_machine() {
    check(|_| true, text::machine_paths);
}

#[test]
fn files_end_with_a_line_feed_and_lines_without_blanks() {
    // A fuzzer's input stays as it was found.
    let as_it_is = |name: &str| name.starts_with("LICENSE") || name.starts_with("fuzz/corpus/");
    check(|name| !as_it_is(name), text::whitespace);
}

#[test]
fn paths_in_the_documents_exist() {
    let all = files();
    let exists = |path: &str| {
        let folder = format!("{}/", path.trim_end_matches('/'));
        all.contains(path) || all.iter().any(|name| name.starts_with(&folder))
    };
    check(|name| name.ends_with(".md"), |name, text| prose::paths(name, text, exists));
}

#[test]
fn the_readme_is_short_and_shows_the_two_commands() {
    let readme = read("README.md");
    for command in ["cargo run --release -- --demo", "./test"] {
        assert!(readme.contains(command), "README.md: show the command `{command}`");
    }
    assert!(readme.lines().count() <= 130, "README.md: one screen and a bit; the rest is a page of the book");
}

/// Every event that an operator finds in the log is explained.
#[test]
fn the_book_has_every_event_of_the_log() {
    let table = read("docs/service.md");
    let missing = |name: &str, text: &str| {
        let code = text.split("#[cfg(test)]").next().unwrap_or_default().replace("journal()", "journal");
        let events = code.split("journal.event(").skip(1).filter_map(|rest| rest.split('"').nth(1));
        let missing = events.filter(|event| !table.contains(&format!("`{event}`")));
        missing.map(|event| format!("{name}: the event {event:?} is not in docs/service.md")).collect()
    };
    check(|name| name.starts_with("src/") && name.ends_with(".rs"), missing);
    assert_eq!(missing("x.rs", "journal.event(now, Info, \"unheard_of\", &[])").len(), 1);
}

#[test]
fn the_book_has_every_page_and_links_lead_to_headings() {
    let summary = read("docs/SUMMARY.md");
    let all = files();
    let pages = all.iter().filter_map(|name| name.strip_prefix("docs/"));
    let missing: Vec<&str> = pages
        .filter(|page| page.ends_with(".md") && !page.contains('/') && *page != "SUMMARY.md")
        .filter(|page| !summary.contains(&format!("({page})")))
        .collect();
    assert!(missing.is_empty(), "docs/SUMMARY.md: no line for {missing:?}");
    check(|name| name.ends_with(".md"), |name, text| prose::anchors(name, text, read));
}

#[test]
fn the_changelog_knows_the_version() {
    let finding = prose::version(&read("CHANGELOG.md"), env!("CARGO_PKG_VERSION"));
    assert_eq!(finding, None);
}

#[test]
fn continuous_integration_runs_the_one_command() {
    let script = read(".ci/run");
    let commands: Vec<&str> = script.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(commands, ["exec \"$(dirname \"$0\")/../test\""], ".ci/run: call ./test and nothing else");
}

//! `include/wspush.h` is what cbindgen writes from `libwspush/src`, and it promises what the library exports.
//!
//! `WSPUSH_BLESS=1 cargo test --test it header::` writes the header and the list anew. cbindgen is a dev-dependency, so
//! that an ordinary build neither downloads nor compiles it, and every `cargo test` notices drift.

use crate::library;
use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn generated() -> String {
    let mut config = cbindgen::Config::from_root_or_default(root());
    config.autogen_warning = None;
    // A declaration comes behind all that it needs, and a reader meets things in the order he needs them.
    let order = [
        "version",
        "status",
        "last_error",
        "text",
        "config",
        "server",
        "connect",
        "session",
        "attributes",
        "authorization",
        "callbacks",
        "push",
        "flow",
        "tuning",
        "publishing",
        "batch",
        "users",
        "reads",
        "presence",
        "nodes",
        "pending",
        "routes",
        "stats",
    ];
    let mut builder = cbindgen::Builder::new().with_config(config);
    for name in order {
        let path = root().join(format!("libwspush/src/{name}.rs"));
        builder = builder.with_src(path);
    }
    let mut text = Vec::new();
    builder.generate().expect("cbindgen reads libwspush/src").write(&mut text);
    in_c89(&String::from_utf8(text).unwrap())
}

/// The comments in the one form that C89 knows. cbindgen's own puts every sentence of it on lines of its own.
fn in_c89(header: &str) -> String {
    let mut text = String::new();
    let mut lines = header.lines().peekable();
    while let Some(line) = lines.next() {
        let Some((before, comment)) = line.split_once("//") else {
            text += line;
            text.push('\n');
            continue;
        };
        text += &format!("{before}/*{comment}");
        let begins = format!("{before}//");
        while before.trim().is_empty()
            && let Some(next) = lines.next_if(|next| next.starts_with(&begins))
        {
            text += &format!("\n{before} *{}", &next[begins.len()..]);
        }
        text += " */\n";
    }
    text
}

/// Compares with the checked-in file, or writes it.
fn check(path: &str, text: &str) {
    let path = root().join(path);
    if std::env::var_os("WSPUSH_BLESS").is_some() {
        fs::write(&path, text).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    assert!(kept == text, "{} has drifted: WSPUSH_BLESS=1 cargo test --test it header::", path.display());
}

#[test]
fn the_header_is_what_cbindgen_writes() {
    check("include/wspush.h", &generated());
}

/// Names of the functions that the header declares.
fn declared(header: &str) -> BTreeSet<String> {
    // A type of functions is none.
    let is_code =
        |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase()) && !line.starts_with("typedef");
    let lines = header.lines().filter(is_code);
    let names = lines.filter_map(|line| line.split_once("(").map(|(before, _)| before));
    names.filter_map(|before| before.rsplit([' ', '*']).next()).map(str::to_owned).collect()
}

#[test]
fn the_library_exports_what_is_listed_and_the_header_declares_it() {
    let library = library::path();
    let nm = std::process::Command::new("nm").args(["-D", "--defined-only"]).arg(library).output();
    let nm = match nm {
        Ok(output) if output.status.success() => String::from_utf8(output.stdout).unwrap(),
        Ok(output) => panic!("{}: {}", library.display(), String::from_utf8_lossy(&output.stderr)),
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "SKIPPED: nm (binutils) can't be run: {problem}");
            return;
        }
    };
    let exports = nm.lines().filter_map(|line| line.split_whitespace().nth(2));
    // Java's names come from the classes in java/.
    let ours: BTreeSet<&str> = exports.filter(|name| !name.starts_with("Java_")).collect();
    let list: String = ours.iter().map(|name| format!("{name}\n")).collect();
    check("ffi-tests/exports.txt", &list);
    let declared = declared(&generated());
    assert_eq!(declared.iter().map(String::as_str).collect::<BTreeSet<_>>(), ours);
}

#[test]
fn every_export_goes_through_the_fence() {
    let mut exports = 0;
    for entry in fs::read_dir(root().join("libwspush/src")).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        for export in text.split("#[unsafe(no_mangle)]").skip(1) {
            exports += 1;
            let body = &export[..export.find("\n}\n").unwrap()];
            // Those without a parameter and without a failure have nothing that could panic.
            let is_plain = body.contains("pub extern \"C\" fn");
            assert!(is_plain || body.contains("call!("), "{}: {body}", path.display());
        }
    }
    assert!(exports > 40);
}

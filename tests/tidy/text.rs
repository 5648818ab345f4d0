//! The rules for any text.

/// Rust code is held to 110 by rustfmt; this is for its comments and literals.
const LINE_CHARS_MAX: usize = 120;

/// For languages that nothing formats here.
const FOREIGN_LINE_CHARS_MAX: usize = 132;

/// Lines of code in a file.
const FILE_LINES_MAX: usize = 500;

/// Finds long lines. An address and a raw string can't be broken.
pub fn line_lengths(name: &str, text: &str) -> Vec<String> {
    let max = if name.ends_with(".rs") { LINE_CHARS_MAX } else { FOREIGN_LINE_CHARS_MAX };
    let breakable = |line: &str| !line.contains("://") && !line.contains("r#\"");
    let finding = |(n, line): (usize, &str)| {
        let chars = line.chars().count();
        let long = chars > max && breakable(line);
        long.then(|| format!("{name}:{}: {chars} characters; break it before {max}", n + 1))
    };
    text.lines().enumerate().filter_map(finding).collect()
}

/// Finds files that hold more than one thing.
pub fn file_size(name: &str, text: &str) -> Vec<String> {
    let comment = ["//", "#!", "# ", "/*", "*"];
    let code = |line: &&str| !line.is_empty() && !comment.iter().any(|mark| line.starts_with(mark));
    let lines = text.lines().map(str::trim).filter(code).count();
    if lines <= FILE_LINES_MAX {
        return Vec::new();
    }
    vec![format!("{name}: {lines} lines of code; split it below {FILE_LINES_MAX}, one noun to a file")]
}

/// Finds notes to oneself.
pub fn unfinished(name: &str, text: &str) -> Vec<String> {
    // Written in pieces, so that this file passes.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("db", "g!(")];
    let found = |(n, line): (usize, &str)| {
        let mark = marks.iter().find(|mark| line.contains(**mark))?;
        Some(format!("{name}:{}: {mark}: do it, or file an issue for it", n + 1))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Finds comments that begin like half a sentence instead of naming the thing or saying why.
pub fn comments(name: &str, text: &str) -> Vec<String> {
    let begins = |line: &str| {
        let comment = ["//!", "///", "//"].iter().find_map(|mark| line.split(&format!("{mark} ")).nth(1))?;
        ["What ", "Whoever "].into_iter().find(|word| comment.starts_with(word))
    };
    let found = |(n, line): (usize, &str)| {
        let word = begins(line)?.trim_end();
        Some(format!("{name}:{}: the comment begins with {word:?}: name the thing, or say why", n + 1))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Finds absolute paths that exist on somebody's machine only.
pub fn machine_paths(name: &str, text: &str) -> Vec<String> {
    let paths = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/")];
    let starts = |line: &str, path: &str| {
        let before = |at: usize| line[..at].chars().next_back();
        line.match_indices(path).any(|(at, _)| {
            before(at).is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '.' | '-' | '_' | '}' | '*'))
        })
    };
    let found = |(n, line): (usize, &str)| {
        let path = paths.iter().find(|path| starts(line, path))?;
        Some(format!("{name}:{}: {path} is on one machine only: name a path below the repository", n + 1))
    };
    text.lines().enumerate().filter_map(found).collect()
}

/// Finds blanks at the ends of lines, tabs' worth of carriage returns, and a last line without an end.
pub fn whitespace(name: &str, text: &str) -> Vec<String> {
    let mut findings: Vec<String> = text
        .split('\n')
        .enumerate()
        .filter(|(_, line)| line.ends_with([' ', '\t', '\r']))
        .map(|(n, _)| format!("{name}:{}: remove the blanks at the line's end", n + 1))
        .collect();
    if !text.is_empty() && (!text.ends_with('\n') || text.ends_with("\n\n")) {
        findings.push(format!("{name}: end it with one line feed"));
    }
    findings
}

#[test]
fn a_long_line_is_found() {
    let text =
        format!("short\n{}\n// https://{}\n{}", "x".repeat(121), "x".repeat(200), "\u{e4}".repeat(120));
    assert_eq!(line_lengths("a.rs", &text), ["a.rs:2: 121 characters; break it before 120"]);
    assert_eq!(line_lengths("a.py", &text), [""; 0]);
}

#[test]
fn a_long_file_is_found() {
    assert!(file_size("a.rs", &"x();\n".repeat(501))[0].starts_with("a.rs: 501 lines"));
    assert_eq!(file_size("a.rs", &"x();\n\n// why\n".repeat(500)), [""; 0]);
}

#[test]
fn notes_to_oneself_are_found() {
    let text = format!("fine\n// {}: later\n{}x)", concat!("TO", "DO"), concat!("db", "g!("));
    assert_eq!(unfinished("a.rs", &text).len(), 2);
}

#[test]
fn half_sentences_are_found() {
    let text = format!(
        "/// {0} comes.\n    //! {1} comes.\nlet x = 1; // {0} x is.\n/// {0}ever.\n",
        "What", "Whoever"
    );
    assert_eq!(comments("a.rs", &text).len(), 3);
    assert_eq!(comments("a.rs", "/// The peer, and what it says.\nlet x = \"What \";\n"), [""; 0]);
}

#[test]
fn places_on_one_machine_are_found() {
    let path = concat!("/ro", "ot/x");
    let text = format!("cd {path}\nbuild.dir{path}\n\"{path}\"\na{path}");
    let found = machine_paths("a.md", &text);
    assert_eq!(found.iter().map(|f| &f[..6]).collect::<Vec<_>>(), ["a.md:1", "a.md:3"]);
}

#[test]
fn stray_blanks_are_found() {
    assert_eq!(whitespace("a", "x \ny\r\nz").len(), 3);
    assert_eq!(whitespace("a", "x\n\n").len(), 1);
    assert_eq!(whitespace("a", "x\n  y\n"), [""; 0]);
}

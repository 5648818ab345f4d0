//! How long a file and a function may be, and how many arguments a function may take.

use super::source::{code_of, line_of, words};

/// Lines of a file, whatever is in them.
const FILE_LINES_MAX: usize = 450;

/// Lines of a function from its name to its last brace.
const FUNCTION_LINES_MAX: usize = 70;

/// Arguments beside `self`.
const ARGUMENTS_MAX: usize = 5;

/// A function in some code.
#[derive(Debug, PartialEq)]
struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
    arguments: usize,
    /// Called by C: its arguments are a published ABI.
    is_foreign: bool,
}

/// Finds a file, functions and lists of arguments that are too long.
pub(super) fn too_long(name: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if lines > FILE_LINES_MAX {
        findings.push(format!("{name}: {lines} lines; split it below {FILE_LINES_MAX}, one noun to a file"));
    }
    let code = code_of(text);
    for function in functions(&code) {
        let Function { name: function, line, lines, arguments, is_foreign } = function;
        if lines > FUNCTION_LINES_MAX {
            findings
                .push(format!("{name}:{line}: {function} has {lines} lines; at most {FUNCTION_LINES_MAX}"));
        }
        if arguments > ARGUMENTS_MAX && !is_foreign {
            findings.push(format!(
                "{name}:{line}: {function} takes {arguments} arguments; put together what belongs together, in at \
                 most {ARGUMENTS_MAX}"
            ));
        }
    }
    findings
}

fn functions(code: &str) -> impl Iterator<Item = Function<'_>> {
    words(code, "fn").filter_map(|at| {
        let rest = code[at + 2..].trim_start();
        let start = code.len() - rest.len();
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_')?];
        // The type of a function has no name.
        if name.is_empty() {
            return None;
        }
        let open = start + name.len() + bracketed(&rest[name.len()..], 0).unwrap_or(0);
        let arguments = &code[open..open + bracketed(&code[open..], 1)?];
        let behind = open + arguments.len();
        let body = behind + code[behind..].find(['{', ';'])?;
        let end = body + bracketed(&code[body..], 2).unwrap_or(1);
        let line = line_of(code, at);
        let qualifiers = &code[code[..at].rfind(['{', '}', ';', ']']).map_or(0, |at| at + 1)..at];
        Some(Function {
            name,
            line,
            lines: line_of(code, end) - line + 1,
            arguments: count(arguments),
            is_foreign: name.starts_with("wspush_") || words(qualifiers, "extern").next().is_some(),
        })
    })
}

/// Bytes of the pair of brackets that `code` begins with: `<>`, `()` or `{}`, whichever is asked for.
fn bracketed(code: &str, which: usize) -> Option<usize> {
    let (open, close) = [('<', '>'), ('(', ')'), ('{', '}')][which];
    let mut depth = 0;
    for (at, c) in code.char_indices() {
        let is_arrow = c == '>' && code[..at].ends_with(['-', '=']);
        match c {
            c if c == open => depth += 1,
            c if c == close && !is_arrow => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return (at > 0).then_some(at + 1);
        }
    }
    None
}

/// How many arguments stand between these parentheses, `self` not counted.
fn count(arguments: &str) -> usize {
    let inside = &arguments[1..arguments.len() - 1];
    let (mut depth, mut previous) = (0, ' ');
    let parts = inside.split(|c: char| {
        match c {
            '(' | '[' | '<' => depth += 1,
            ')' | ']' => depth -= 1,
            '>' if previous != '-' => depth -= 1,
            _ => {}
        }
        previous = c;
        c == ',' && depth == 0
    });
    let is_self =
        |part: &str| part.split(':').next().is_some_and(|name| words(name, "self").next().is_some());
    parts.filter(|part| !part.trim().is_empty() && !is_self(part)).count()
}

#[test]
fn functions_are_measured() {
    let code = "impl<'a> X<'a> {\n    pub const fn one(&mut self, a: u8, b: Vec<(u8, u8)>) -> u8 {\n        {}\n    }\n\
                    fn two<F: Fn(u8, u8) -> u8>(f: F, g: impl Fn(u8) -> Map<u8, u8>, h: fn(u8, u8));\n\
                    extern fn three(a: u8) {}\n}\nfn wspush_four(\n    a: u8,\n    b: u8,\n) where\n{\n}\n";
    let found: Vec<_> =
        functions(code).map(|f| (f.name, f.line, f.lines, f.arguments, f.is_foreign)).collect();
    let expected = [
        ("one", 2, 3, 2, false),
        ("two", 5, 1, 3, false),
        ("three", 6, 1, 1, true),
        ("wspush_four", 8, 6, 2, true),
    ];
    assert_eq!(found, expected);
}

#[test]
fn what_is_too_long_is_found() {
    assert_eq!(too_long("a.rs", &"\n".repeat(450)), [""; 0]);
    assert_eq!(too_long("a.rs", &"\n".repeat(451)).len(), 1);
    let function = |lines: usize| format!("fn f() {{\n{}}}\n", "x();\n".repeat(lines - 2));
    assert_eq!(too_long("a.rs", &function(70)), [""; 0]);
    assert_eq!(too_long("a.rs", &function(71)), ["a.rs:1: f has 71 lines; at most 70"]);
    let six = "fn f(&self, a: u8, b: u8, c: u8, d: u8, e: u8, f: u8) {}";
    assert!(too_long("a.rs", six)[0].starts_with("a.rs:1: f takes 6 arguments"));
    assert_eq!(too_long("a.rs", &six.replace(", f: u8", "")), [""; 0]);
    assert_eq!(too_long("a.rs", &format!("pub unsafe extern {six}")), [""; 0]);
}

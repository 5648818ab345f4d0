//! Rust source with everything blanked out that is no code.

/// The text with comments and the insides of string and character literals as blanks; lines keep their places.
pub fn code_of(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let len = match c {
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => block_comment(rest),
            '"' => 1 + string(&rest[1..]),
            'r' | 'b' if !ends_in_word(&code) => match prefixed(rest) {
                Some(len) => len,
                None => keep(&mut code, c),
            },
            '\'' => match character(rest) {
                Some(len) => len,
                None => keep(&mut code, c),
            },
            _ => keep(&mut code, c),
        };
        let (passed, behind) = rest.split_at(len);
        if !(len == c.len_utf8() && code.ends_with(c)) {
            code.extend(passed.chars().map(|c| if c == '\n' { '\n' } else { ' ' }));
        }
        rest = behind;
    }
    code
}

fn keep(code: &mut String, c: char) -> usize {
    code.push(c);
    c.len_utf8()
}

fn ends_in_word(code: &str) -> bool {
    code.ends_with(|c: char| c.is_alphanumeric() || c == '_')
}

/// Bytes of a comment, which may hold others.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        let rest = &text.as_bytes()[at..];
        if rest.starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if rest.starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    text.len()
}

/// Bytes up to and with the closing quote.
fn string(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Bytes of a raw or byte literal.
fn prefixed(text: &str) -> Option<usize> {
    let after_b = text.strip_prefix('b').unwrap_or(text);
    let b = text.len() - after_b.len();
    if b == 1 && after_b.starts_with('"') {
        return Some(2 + string(&after_b[1..]));
    }
    if b == 1 && after_b.starts_with('\'') {
        return character(after_b).map(|len| 1 + len);
    }
    let hashes = after_b.strip_prefix('r')?;
    let content = hashes.trim_start_matches('#');
    let count = hashes.len() - content.len();
    let content = content.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(count));
    let start = text.len() - content.len();
    Some(content.find(&end).map_or(text.len(), |at| start + at + end.len()))
}

/// Bytes of a character literal; a lifetime is none.
fn character(text: &str) -> Option<usize> {
    let mut chars = text.char_indices().skip(1);
    match chars.next()?.1 {
        '\\' => {
            chars.next()?;
            chars.find(|(_, c)| *c == '\'').map(|(at, _)| at + 1)
        }
        _ => match chars.next()? {
            (at, '\'') => Some(at + 1),
            _ => None,
        },
    }
}

/// The number of the line that holds the byte at `at`.
pub fn line_of(text: &str, at: usize) -> usize {
    1 + text[..at].matches('\n').count()
}

/// Where `word` stands in `code` as a word of its own.
pub fn words<'a>(code: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !code[..at].ends_with(inside) && !code[at + word.len()..].starts_with(inside))
}

#[test]
fn only_code_is_left() {
    let text = "let a = \"mio \\\" // x\"; // mio\n/* mio /* mio */ mio */ let b: &'mio str = r#\"mio \" mio\"#;\n\
                let c = ('\"', '\\'', b'm', br\"mio\", b\"mio\"); for_r\"mio\"; mio";
    let code = code_of(text);
    assert_eq!(code.matches("mio").count(), 2, "{code}");
    assert!(code.contains("&'mio str") && code.ends_with("; mio"), "{code}");
    assert_eq!(code.lines().count(), text.lines().count());
}

#[test]
fn words_are_whole() {
    let places: Vec<usize> = words("mio amio mio_ mio::x", "mio").collect();
    assert_eq!(places, [0, 14]);
    assert_eq!(line_of("a\nb\nc", 4), 3);
}

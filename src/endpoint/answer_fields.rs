//! Header fields that a host adds to the answer to a client.

use crate::alphabet::{is_token, shown};

/// Fields of one answer.
const FIELDS_MAX: usize = 32;

/// Their bytes together.
const FIELDS_BYTES_MAX: usize = 4 << 10;

/// Those that the server writes, or that say where the answer ends.
const OWN: [&str; 13] = [
    "cache-control",
    "connection",
    "content-length",
    "content-type",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "wspush-position",
    "x-accel-buffering",
    "x-content-type-options",
];

/// Beginnings of names that are the server's as well.
const OWN_BEGINNINGS: [&str; 2] = ["sec-websocket-", "access-control-"];

/// The memory that they take.
pub fn bytes(fields: &[(String, String)]) -> usize {
    fields.iter().map(|(name, value)| name.len() + value.len() + 2 * size_of::<String>()).sum()
}

/// Whether these can be in an answer.
///
/// # Errors
/// The problem with one of them; its value is not repeated.
pub fn check(fields: &[(String, String)]) -> Result<(), String> {
    let bytes: usize = fields.iter().map(|(name, value)| name.len() + value.len()).sum();
    if fields.len() > FIELDS_MAX || bytes > FIELDS_BYTES_MAX {
        return Err(format!(
            "{} headers of {bytes} bytes, allowed are {FIELDS_MAX} of {FIELDS_BYTES_MAX}",
            fields.len()
        ));
    }
    for (name, value) in fields {
        if !is_token(name.as_bytes()) {
            return Err(format!("a header's name {} is no token", shown(name.as_bytes())));
        }
        let lower = name.to_ascii_lowercase();
        if OWN.contains(&&*lower) || OWN_BEGINNINGS.iter().any(|own| lower.starts_with(own)) {
            return Err(format!("the server writes the header {lower} itself"));
        }
        if value.contains(|char: char| char.is_control() && char != '\t') {
            return Err(format!("a control character is in the header {lower}"));
        }
    }
    Ok(())
}

/// Appends fields that were checked, each with a line's end in front.
pub fn push(fields: &[(String, String)], out: &mut Vec<u8>) {
    for (name, value) in fields {
        for part in ["\r\n", name, ": ", value] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}

/// Puts fields that were checked into a head that is whole already.
pub fn push_into_head(fields: &[(String, String)], head: &mut Vec<u8>) {
    const END: &[u8] = b"\r\n\r\n";
    if !fields.is_empty() && head.ends_with(END) {
        head.truncate(head.len() - END.len());
        push(fields, head);
        head.extend_from_slice(END);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    #[test]
    fn a_host_adds_what_is_not_the_servers() {
        for (name, value) in [("Set-Cookie", "a=1; Path=/"), ("X-Room", "caf\u{e9}\t1"), ("x", "")] {
            assert_eq!(check(&fields(&[(name, value)])), Ok(()), "{name}");
        }
        for (name, value) in [
            ("", "a"),
            ("a b", "c"),
            ("a:", "c"),
            ("a\r\nb", "c"),
            ("a", "b\r\nSet-Cookie: c"),
            ("a", "b\n"),
            ("a", "\0"),
            ("a", "\u{85}"),
            ("Connection", "close"),
            ("CONTENT-LENGTH", "0"),
            ("Sec-WebSocket-Protocol", "x"),
            ("sec-websocket-accept", "x"),
            ("Access-Control-Allow-Origin", "*"),
            ("Wspush-Position", "1.1"),
        ] {
            let problem = check(&fields(&[("x", "y"), (name, value)])).unwrap_err();
            assert!(!problem.contains("Set-Cookie"), "{problem}");
        }
        assert!(check(&fields(&[("a", "b"); 32])).is_ok() && check(&fields(&[("a", "b"); 33])).is_err());
        let long = "b".repeat(FIELDS_BYTES_MAX);
        assert!(check(&fields(&[("a", &long[1..])])).is_ok() && check(&fields(&[("a", &long)])).is_err());
    }

    #[test]
    fn they_come_in_front_of_the_heads_end() {
        let mut head = b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n".to_vec();
        push_into_head(&[], &mut head);
        push_into_head(&fields(&[("C", "d"), ("E", "f")]), &mut head);
        assert_eq!(head, b"HTTP/1.1 200 OK\r\nA: b\r\nC: d\r\nE: f\r\n\r\n");
    }
}

//! An event stream as WHATWG HTML section 9.2.6 has it read, with all three ends of a line.

use crate::transport::End;
use std::borrow::Cow;

/// One that is dispatched.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Event<'a> {
    /// Empty for `message`.
    pub(super) name: &'a [u8],
    pub(super) data: Cow<'a, [u8]>,
}

/// Hands on each event that has data and is whole, and returns how many bytes the whole ones took. A CR at the end
/// may be half of an end: the LF behind it would end an empty event then, which is none.
pub(super) fn each<'a>(
    bytes: &'a [u8],
    mut take: impl FnMut(Event<'a>) -> Result<(), End>,
) -> Result<usize, End> {
    let (mut used, mut at) = (0, 0);
    let (mut name, mut data) = (&b""[..], None);
    while let Some((line, size)) = line(&bytes[at..]) {
        at += size;
        if line.is_empty() {
            used = at;
            let said = std::mem::take(&mut name);
            if let Some(data) = data.take() {
                take(Event { name: said, data })?;
            }
            continue;
        }
        let colon = line.iter().position(|byte| *byte == b':').unwrap_or(line.len());
        let value = line.get(colon + 1..).unwrap_or_default();
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"event" => name = value,
            b"data" => data = Some(joined(data.take(), value)),
            _ => {}
        }
    }
    Ok(used)
}

/// One more line of data.
fn joined<'a>(before: Option<Cow<'a, [u8]>>, line: &'a [u8]) -> Cow<'a, [u8]> {
    let Some(before) = before else { return Cow::Borrowed(line) };
    let mut all = before.into_owned();
    all.push(b'\n');
    all.extend_from_slice(line);
    Cow::Owned(all)
}

/// The first whole line, and its bytes with its end.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'))?;
    let is_pair = bytes[end..].starts_with(b"\r\n");
    Some((&bytes[..end], end + 1 + usize::from(is_pair)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Vec<(String, String)> {
        let mut events = Vec::new();
        let mut held = Vec::new();
        // As it comes, one byte after the other, and as a whole.
        for piece in bytes.chunks(1) {
            held.extend_from_slice(piece);
            let used = each(&held, |event| {
                events.push(shown(&event));
                Ok(())
            });
            held.drain(..used.unwrap());
        }
        let mut at_once = Vec::new();
        each(bytes, |event| {
            at_once.push(shown(&event));
            Ok(())
        })
        .unwrap();
        assert_eq!(events, at_once, "{:?}", String::from_utf8_lossy(bytes));
        events
    }

    fn shown(event: &Event<'_>) -> (String, String) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(event.name), text(&event.data))
    }

    /// The rules that the web platform tests' eventsource/format-* look at.
    #[test]
    fn it_reads_what_a_browser_reads() {
        for (stream, expected) in [
            ("data:test\n\n", &[("", "test")][..]),
            ("data\n\n", &[("", "")]),
            ("data: one space less\n\ndata:  two\n\n", &[("", "one space less"), ("", " two")]),
            ("data:\t tab\n\n", &[("", "\t tab")]),
            ("data:a\ndata:b\n\n", &[("", "a\nb")]),
            ("data:\n\ndata\ndata\n\n", &[("", ""), ("", "\n")]),
            ("data:a\r\ndata:b\r\r\ndata:c\n\r", &[("", "a\nb"), ("", "c")]),
            (":comment\ndata:a\n:\n\n", &[("", "a")]),
            ("event:x\ndata:a\n\ndata:b\n\n", &[("x", "a"), ("", "b")]),
            ("event:x\n\ndata:b\n\n", &[("", "b")]),
            ("id:1\nretry:1000\nData:x\nfield\ndata :y\n\n", &[]),
            ("data:\0\n\n", &[("", "\0")]),
            ("data:a:b\n\n", &[("", "a:b")]),
            ("data:1\n\ndata:no end\n", &[("", "1")]),
        ] {
            let expected: Vec<_> =
                expected.iter().map(|(name, data)| ((*name).to_owned(), (*data).to_owned())).collect();
            assert_eq!(read(stream.as_bytes()), expected, "{stream:?}");
        }
    }
}

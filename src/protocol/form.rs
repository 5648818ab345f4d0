//! Names and values of queries and of `application/x-www-form-urlencoded` bodies (WHATWG URL section 5.1).

use std::borrow::Cow;

/// A field, decoded. What it says need not be UTF-8: that is for whoever reads it to refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field<'a> {
    /// Its name.
    pub name: Cow<'a, [u8]>,
    /// Its value; `None`: there is no `=`.
    pub value: Option<Cow<'a, [u8]>>,
}

/// The fields, in order. Nothing between two `&` is none.
pub fn fields(bytes: &[u8]) -> impl Iterator<Item = Field<'_>> {
    bytes.split(|&byte| byte == b'&').filter(|field| !field.is_empty()).map(|field| {
        match field.iter().position(|&byte| byte == b'=') {
            Some(at) => Field { name: decode(&field[..at]), value: Some(decode(&field[at + 1..])) },
            None => Field { name: decode(field), value: None },
        }
    })
}

/// A plus is a space, and an escape that is broken stands for itself.
fn decode(raw: &[u8]) -> Cow<'_, [u8]> {
    if !raw.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return Cow::Borrowed(raw);
    }
    if !raw.contains(&b'+') {
        return percent_encoding::percent_decode(raw).into();
    }
    let spaced: Vec<u8> = raw.iter().map(|&byte| if byte == b'+' { b' ' } else { byte }).collect();
    Cow::Owned(percent_encoding::percent_decode(&spaced).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(String, Option<String>)> {
        let text_of = |bytes: Cow<'_, [u8]>| String::from_utf8(bytes.into_owned()).unwrap();
        fields(text.as_bytes()).map(|field| (text_of(field.name), field.value.map(text_of))).collect()
    }

    #[test]
    fn names_and_values_are_decoded() {
        let value = |name: &str, value: &str| (name.to_owned(), Some(value.to_owned()));
        assert_eq!(read("a=1&b=2"), [value("a", "1"), value("b", "2")]);
        assert_eq!(read("%6dessage=caf%C3%A9+%26+tea"), [value("message", "caf\u{e9} & tea")]);
        assert_eq!(read("a+b=%2B"), [value("a b", "+")]);
        assert_eq!(read("&a=&&=b&"), [value("a", ""), value("", "b")]);
        assert_eq!(read("a=b=c"), [value("a", "b=c")]);
        assert_eq!(read("a=100%&b=%2&c=%zz"), [value("a", "100%"), value("b", "%2"), value("c", "%zz")]);
        assert_eq!(read("a&%61"), [("a".to_owned(), None), ("a".to_owned(), None)]);
        assert_eq!(read(""), []);
        let bytes = fields(b"a=%ff").next().unwrap();
        assert_eq!(bytes.value.as_deref(), Some(&b"\xff"[..]));
    }
}

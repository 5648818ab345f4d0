//! `Content-Type`, and the parameters that it shares its form with `Content-Disposition` (RFC 9110 section 8.3.1).

use std::borrow::Cow;

use crate::alphabet::is_token;

/// White space in fields (RFC 9110 section 5.6.3).
const WHITE: [char; 2] = [' ', '\t'];

/// A media type, or another value with parameters behind it: `text/plain; charset=utf-8`.
#[derive(Clone, Copy, Debug)]
pub struct MediaType<'a> {
    /// The type and subtype in front of the parameters, without white space around them.
    pub essence: &'a str,
    rest: &'a str,
}

impl<'a> MediaType<'a> {
    /// Takes a field's value apart.
    pub fn of(value: &'a str) -> MediaType<'a> {
        let (essence, rest) = value.split_at(value.find(';').unwrap_or(value.len()));
        MediaType { essence: essence.trim_matches(WHITE), rest }
    }

    /// Whether this is its name; case does not count.
    pub fn is(&self, name: &str) -> bool {
        self.essence.eq_ignore_ascii_case(name)
    }

    /// The values of all parameters of this name, without their quotes; names are case-insensitive. `None` in it:
    /// from there on it can't be understood.
    pub fn all(&self, name: &str) -> impl Iterator<Item = Option<Cow<'a, str>>> {
        Parameters { rest: self.rest }.filter_map(move |parameter| match parameter {
            Some((found, value)) => found.eq_ignore_ascii_case(name).then_some(Some(value)),
            None => Some(None),
        })
    }

    /// The value of the parameter that may be there once; `None` also if there are several or it is not understood.
    pub fn one(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut values = self.all(name);
        let only = values.next()??;
        values.next().is_none().then_some(only)
    }
}

/// The parameters behind the first `;`. Ends behind a `None`.
struct Parameters<'a> {
    rest: &'a str,
}

impl<'a> Iterator for Parameters<'a> {
    type Item = Option<(&'a str, Cow<'a, str>)>;

    fn next(&mut self) -> Option<Self::Item> {
        // RFC 9110 section 5.6.6: empty parameters mean nothing.
        let rest = self.rest.trim_start_matches([';', ' ', '\t']);
        self.rest = "";
        if rest.is_empty() {
            return None;
        }
        Some(parameter(rest).map(|(name, value, rest)| {
            self.rest = rest;
            (name, value)
        }))
    }
}

/// `token "=" ( token / quoted-string )`, and what follows it: nothing, or a `;`. White space around the `=` and a name
/// alone, which has an empty value then, are read as what they must mean.
fn parameter(text: &str) -> Option<(&str, Cow<'_, str>, &str)> {
    let (name, rest) = text.split_at(text.find(['=', ';']).unwrap_or(text.len()));
    let name = name.trim_end_matches(WHITE);
    if !is_token(name.as_bytes()) {
        return None;
    }
    let Some(value) = rest.strip_prefix('=') else { return Some((name, Cow::Borrowed(""), rest)) };
    let value = value.trim_start_matches(WHITE);
    let (value, rest) = match value.strip_prefix('"') {
        Some(quoted) => unquoted(quoted)?,
        None => {
            let (value, rest) = value.split_at(value.find(';').unwrap_or(value.len()));
            (Cow::Borrowed(value.trim_end_matches(WHITE)), rest)
        }
    };
    let rest = rest.trim_start_matches(WHITE);
    (rest.is_empty() || rest.starts_with(';')).then_some((name, value, rest))
}

/// The rest of a quoted string (RFC 9110 section 5.6.4), and what follows it.
fn unquoted(text: &str) -> Option<(Cow<'_, str>, &str)> {
    let end = text.find(['"', '\\'])?;
    if text.as_bytes()[end] == b'"' {
        return Some((Cow::Borrowed(&text[..end]), &text[end + 1..]));
    }
    let (mut value, mut chars) = (String::new(), text.char_indices());
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((Cow::Owned(value), &text[at + 1..])),
            '\\' => value.push(chars.next()?.1),
            c => value.push(c),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_and_parameters() {
        let of = MediaType::of("Text/Plain ; CharSet=\"utf-8\"; a=b;;c = d");
        assert!(of.is("text/plain") && !of.is("text"));
        assert_eq!(of.one("charset").as_deref(), Some("utf-8"));
        assert_eq!(of.one("a").as_deref(), Some("b"));
        assert_eq!(of.one("c").as_deref(), Some("d"));
        let none = MediaType::of("");
        assert_eq!((none.essence, none.one("charset")), ("", None));
        assert_eq!(MediaType::of("a/b; charset; a=b").one("charset").as_deref(), Some(""));
        assert_eq!(MediaType::of("a/b; (x)=1").all("charset").collect::<Vec<_>>(), [None]);
        assert_eq!(MediaType::of("a/b; x=1; x=2").one("x"), None, "twice");
        assert_eq!(MediaType::of("a/b; x=").one("x").as_deref(), Some(""));
    }

    #[test]
    fn quotes() {
        let name = |value| MediaType::of(value).one("name").map(Cow::into_owned);
        assert_eq!(name("form-data; name=\"a;b=\\\"c\\\"\\\\\"; x=y"), Some("a;b=\"c\"\\".into()));
        assert_eq!(name("form-data; filename=\"name=\"; name=\"\u{e9}\""), Some("\u{e9}".into()));
        assert_eq!(name("form-data; name=\"a"), None);
        assert_eq!(name("form-data; name=\"a\\"), None);
        assert_eq!(name("form-data; name=\"a\"b"), None);
    }
}

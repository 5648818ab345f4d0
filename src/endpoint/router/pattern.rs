//! Patterns of paths: `/chat`, `/chat/{room}`, `/chat/*`.

use std::fmt;

use super::path::segments;

/// Routes that one server may have.
pub const ROUTES_MAX: usize = 250;

/// Bytes of a pattern.
pub const PATTERN_BYTES_MAX: usize = 256;

/// Segments of a pattern, and so how deep a search goes.
pub const SEGMENTS_MAX: usize = 32;

/// A part of a pattern between two slashes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Segment {
    /// The path has it as it is.
    Literal(Box<str>),
    /// Anything that is not empty, under this name.
    Name(Box<str>),
}

/// A pattern that is known to be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    pub(super) segments: Box<[Segment]>,
    /// Whether it ends with `/*`.
    pub(super) is_prefix: bool,
}

/// Why there is no such route.
///
/// ```
/// use wspush::{RouteError, Router};
///
/// let mut router = Router::new(());
/// router.add("/chat/{room}", ())?;
/// let again = router.add("/chat/{id}", ()).unwrap_err();
/// assert_eq!(again.to_string(), "route \"/chat/{id}\": \"/chat/{room}\" takes the same paths");
/// # Ok::<(), RouteError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteError {
    /// The pattern.
    pub pattern: String,
    /// The problem with it, and what would be right.
    pub problem: String,
}

impl RouteError {
    pub(super) fn new(pattern: &str, problem: impl Into<String>) -> RouteError {
        RouteError { pattern: pattern.to_owned(), problem: problem.into() }
    }
}

impl fmt::Display for RouteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "route {:?}: {}", self.pattern, self.problem)
    }
}

impl std::error::Error for RouteError {}

impl Pattern {
    /// Reads a pattern. A slash behind it makes no other one of it.
    ///
    /// # Errors
    /// It is none.
    pub fn parse(text: &str) -> Result<Pattern, RouteError> {
        let refuse = |problem: String| Err(RouteError::new(text, problem));
        let Some(rest) = text.strip_prefix('/') else {
            return refuse("a pattern begins with a slash, like /chat/{room}".to_owned());
        };
        if text.len() > PATTERN_BYTES_MAX {
            return refuse(format!(
                "{} bytes, and a pattern has {PATTERN_BYTES_MAX} at the most",
                text.len()
            ));
        }
        let (rest, is_prefix) = match rest.strip_suffix('*') {
            Some(rest) if rest.is_empty() || rest.ends_with('/') => (rest, true),
            _ => (rest, false),
        };
        let rest = rest.strip_suffix('/').filter(|rest| !rest.is_empty()).unwrap_or(rest);
        let mut segments = Vec::new();
        for segment in rest.split('/').filter(|_| !rest.is_empty()) {
            match Segment::parse(segment) {
                Ok(Segment::Name(name)) if segments.contains(&Segment::Name(name.clone())) => {
                    return refuse(format!("{{{name}}} is there twice"));
                }
                Ok(segment) => segments.push(segment),
                Err(problem) => return refuse(problem),
            }
        }
        if segments.len() > SEGMENTS_MAX {
            return refuse(format!(
                "{} segments, and a pattern has {SEGMENTS_MAX} at the most",
                segments.len()
            ));
        }
        Ok(Pattern { text: text.into(), segments: segments.into(), is_prefix })
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The names in it, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.segments.iter().filter_map(|segment| match segment {
            Segment::Name(name) => Some(&**name),
            Segment::Literal(_) => None,
        })
    }

    /// Which of the names this is.
    pub fn number_of(&self, name: &str) -> Option<usize> {
        self.names().position(|own| own == name)
    }

    /// The values of the names in a path that this takes, in their order.
    pub fn parameters(&self, path: &str) -> Vec<String> {
        if !self.has_names() {
            return Vec::new();
        }
        let named = self.segments.iter().zip(segments(path).unwrap_or_default());
        let named = named.filter(|(segment, _)| matches!(segment, Segment::Name(_)));
        named.map(|(_, text)| text.into_owned()).collect()
    }

    /// The rest of a path that this takes, below it; None: it takes no path but its own.
    pub fn rest(&self, path: &str) -> Option<String> {
        let segments = segments(path).unwrap_or_default();
        self.is_prefix.then(|| segments.get(self.segments.len()..).unwrap_or_default().join("/"))
    }

    /// Whether there are names in it.
    pub fn has_names(&self) -> bool {
        self.names().next().is_some()
    }

    /// The path that it is, if it is that of one endpoint and no other.
    pub fn exact(&self) -> Option<&str> {
        let exact = self.text.strip_suffix('/').filter(|text| !text.is_empty()).unwrap_or(&self.text);
        (!self.is_prefix && !self.has_names()).then_some(exact)
    }
}

impl Segment {
    fn parse(text: &str) -> Result<Segment, String> {
        if text.is_empty() {
            return Err("a segment is empty: two slashes follow each other".to_owned());
        }
        if let Some(name) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(format!("{text:?} is no name: letters, digits, _ and - in braces"));
            }
            return Ok(Segment::Name(name.into()));
        }
        if text.contains(['{', '}']) {
            return Err(format!("in {text:?} a name does not stand alone: it takes a whole segment"));
        }
        if text.contains('*') {
            return Err(format!(
                "in {text:?} a * does not stand alone: it is the last segment, for all below"
            ));
        }
        if matches!(text, "." | "..") {
            return Err(format!("no path that is looked for has a segment {text:?}"));
        }
        if let Some(other) = text.chars().find(|char| matches!(char, '?' | '#' | '%') || char.is_control()) {
            return Err(format!(
                "{other:?} is in it: a pattern is a decoded path, without query and fragment"
            ));
        }
        Ok(Segment::Literal(text.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_read() {
        for (text, names, is_prefix, exact) in [
            ("/", &[][..], false, Some("/")),
            ("/*", &[], true, None),
            ("/chat", &[], false, Some("/chat")),
            ("/chat/", &[], false, Some("/chat")),
            ("/chat/*", &[], true, None),
            ("/chat/{room}", &["room"], false, None),
            ("/chat/{room}/", &["room"], false, None),
            ("/a/{b}/c/{d-e_1}/*", &["b", "d-e_1"], true, None),
            ("/caf\u{e9}/a b", &[], false, Some("/caf\u{e9}/a b")),
        ] {
            let pattern = Pattern::parse(text).unwrap();
            assert_eq!(pattern.names().collect::<Vec<_>>(), names, "{text}");
            assert_eq!((pattern.is_prefix, pattern.exact(), pattern.text()), (is_prefix, exact, text));
        }
        assert_eq!(Pattern::parse("/a/b/").unwrap().segments, Pattern::parse("/a/b").unwrap().segments);
    }

    #[test]
    fn names_stand_for_segments() {
        let pattern = Pattern::parse("/a/{b}/c/{d}/*").unwrap();
        assert_eq!(pattern.parameters("/a/1%2F2/c/%20/e/f%3f/"), ["1/2", " "]);
        assert_eq!(pattern.rest("/a/1/c/2/e/f%3f/").as_deref(), Some("e/f?"));
        assert_eq!(pattern.rest("/a/1/c/2").as_deref(), Some(""));
        assert_eq!((pattern.number_of("d"), pattern.number_of("a")), (Some(1), None));
        let exact = Pattern::parse("/a").unwrap();
        assert_eq!((exact.parameters("/a"), exact.rest("/a")), (Vec::new(), None));
    }

    #[test]
    fn what_is_no_pattern_is_told_why() {
        for (text, problem) in [
            ("", "begins with a slash"),
            ("chat", "begins with a slash"),
            ("//", "a segment is empty"),
            ("/a//b", "a segment is empty"),
            ("/a//*", "a segment is empty"),
            ("/a*", "a * does not stand alone"),
            ("/*/a", "a * does not stand alone"),
            ("/**", "a * does not stand alone"),
            ("/{}", "is no name"),
            ("/{a b}", "is no name"),
            ("/{a", "a name does not stand alone"),
            ("/v{a}", "a name does not stand alone"),
            ("/{a}.{b}", "is no name"),
            ("/{a}/{a}", "{a} is there twice"),
            ("/a/../b", "\"..\""),
            ("/./b", "\".\""),
            ("/a?b", "'?'"),
            ("/a#b", "'#'"),
            ("/a%20b", "'%'"),
            ("/a\nb", "'\\n'"),
            (&format!("/{}", "a".repeat(256)), "257 bytes"),
            (&"/a".repeat(33), "33 segments"),
        ] {
            let error = Pattern::parse(text).unwrap_err();
            assert!(error.problem.contains(problem), "{text:?}: {error}");
        }
        assert!(Pattern::parse(&format!("/{}", "a".repeat(255))).is_ok());
        assert!(Pattern::parse(&"/a".repeat(32)).is_ok());
    }
}

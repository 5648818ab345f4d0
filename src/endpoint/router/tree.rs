//! Patterns put together to a tree by their segments. A search visits each of its nodes once at the most, so what it
//! takes is bounded by the patterns, whatever the path is.

use std::borrow::Cow;
use std::collections::HashMap;

use super::pattern::{Pattern, Segment};

/// A place in the tree: what has come so far.
#[derive(Debug, Default)]
pub(super) struct Tree {
    /// Where these segments lead.
    literals: HashMap<Box<str>, Tree>,
    /// Where any other one does.
    named: Option<Box<Tree>>,
    /// The route whose pattern ends here.
    here: Option<u8>,
    /// The route of all that is below and has no other.
    below: Option<u8>,
}

impl Tree {
    /// Puts a pattern into its place.
    ///
    /// # Errors
    /// The route that takes the same paths.
    pub(super) fn insert(&mut self, pattern: &Pattern, route: u8) -> Result<(), u8> {
        let mut at = self;
        for segment in &pattern.segments {
            at = match segment {
                Segment::Literal(text) => at.literals.entry(text.clone()).or_default(),
                Segment::Name(_) => at.named.get_or_insert_default(),
            };
        }
        let place = if pattern.is_prefix { &mut at.below } else { &mut at.here };
        match place {
            Some(taken) => Err(*taken),
            None => {
                *place = Some(route);
                Ok(())
            }
        }
    }

    /// The most specific route for a path: at the first segment where two patterns differ, one that has it as it is
    /// comes before a name, and a name before `*`.
    pub(super) fn find(&self, segments: &[Cow<'_, str>]) -> Option<u8> {
        let Some((first, rest)) = segments.split_first() else { return self.here.or(self.below) };
        let by_literal = self.literals.get(&**first).and_then(|tree| tree.find(rest));
        let named = || self.named.as_ref().filter(|_| !first.is_empty());
        by_literal.or_else(|| named()?.find(rest)).or(self.below)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::path::segments;
    use super::*;

    fn tree(patterns: &[&str]) -> Tree {
        let mut tree = Tree::default();
        for (at, text) in patterns.iter().enumerate() {
            tree.insert(&Pattern::parse(text).unwrap(), at as u8).unwrap();
        }
        tree
    }

    #[test]
    fn the_most_specific_pattern_is_found() {
        let patterns = [
            "/",
            "/*",
            "/chat",
            "/chat/*",
            "/chat/{room}",
            "/chat/lobby",
            "/chat/{room}/log",
            "/chat/lobby/{day}",
            "/{any}/log",
        ];
        let tree = tree(&patterns);
        for (path, found) in [
            ("/", "/"),
            ("/x", "/*"),
            ("/x/y", "/*"),
            ("/x/log", "/{any}/log"),
            ("/chat", "/chat"),
            ("/chat/", "/chat"),
            ("/chat/a", "/chat/{room}"),
            ("/chat/a/", "/chat/{room}"),
            ("/chat/lobby", "/chat/lobby"),
            // The literal leads nowhere, so the name is gone back to.
            ("/chat/lobby/log", "/chat/lobby/{day}"),
            ("/chat/a/log", "/chat/{room}/log"),
            ("/chat/a/b", "/chat/*"),
            ("/chat/lobby/a/b", "/chat/*"),
            ("/chat//log", "/chat/*"),
            ("/chat/log", "/chat/{room}"),
            ("//log", "/*"),
            ("/%63hat", "/chat"),
            ("/chat%2Fa", "/*"),
        ] {
            let at = tree.find(&segments(path).unwrap()).map(|at| patterns[usize::from(at)]);
            assert_eq!(at, Some(found), "{path}");
        }
    }

    #[test]
    fn what_no_pattern_takes_is_not_found() {
        let tree = tree(&["/chat/{room}", "/a/*", "/b/{c}/*"]);
        for path in ["/", "/chat", "/chat/", "/chat//", "/chat/a/b", "/Chat/a", "/b", "/ab", "//a"] {
            assert_eq!(tree.find(&segments(path).unwrap()), None, "{path}");
        }
        assert_eq!(tree.find(&segments("/a").unwrap()), Some(1), "the path itself is below it");
        assert_eq!(tree.find(&segments("/b/x").unwrap()), Some(2));
    }

    #[test]
    fn the_same_paths_are_taken_once() {
        let mut tree = tree(&["/a/{b}", "/a/*"]);
        for (text, taken) in [("/a/{c}", 0), ("/a/{b}/", 0), ("/a/*", 1)] {
            assert_eq!(tree.insert(&Pattern::parse(text).unwrap(), 9), Err(taken), "{text}");
        }
        assert_eq!(tree.insert(&Pattern::parse("/a").unwrap(), 9), Ok(()));
    }

    /// How specific a pattern is for a path that it takes, read segment by segment; None: it does not take it.
    fn rank(pattern: &Pattern, path: &[Cow<'_, str>]) -> Option<Vec<u8>> {
        let is_long_enough = path.len() >= pattern.segments.len();
        let takes = is_long_enough && (pattern.is_prefix || path.len() == pattern.segments.len());
        let mut rank = Vec::new();
        for (segment, text) in pattern.segments.iter().zip(path) {
            match segment {
                Segment::Literal(own) if **own == **text => rank.push(0),
                Segment::Name(_) if !text.is_empty() => rank.push(1),
                _ => return None,
            }
        }
        rank.extend(pattern.is_prefix.then_some(2));
        takes.then_some(rank)
    }

    proptest! {
        #[test]
        fn the_tree_finds_what_a_look_at_every_pattern_does(
            texts in prop::collection::vec("(/([ab]|\\{x\\}|c)){0,3}(/\\{y\\})?(/\\*|/)", 1..20),
            path in "(/[abcd]?){0,6}",
        ) {
            let mut tree = Tree::default();
            let mut patterns = Vec::new();
            for pattern in texts.iter().filter_map(|text| Pattern::parse(text).ok()) {
                if tree.insert(&pattern, patterns.len() as u8).is_ok() {
                    patterns.push(pattern);
                }
            }
            let path = segments(&path).unwrap();
            let naive = patterns.iter().enumerate().filter_map(|(at, pattern)| Some((rank(pattern, &path)?, at)));
            prop_assert_eq!(tree.find(&path), naive.min().map(|(_, at)| at as u8));
        }
    }
}

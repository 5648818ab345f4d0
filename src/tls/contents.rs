//! The contents of the files that the settings name, as far as it takes to see that they have changed.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

/// A sum for each setting. Nobody gains by two files with the same one: a reload would not be told.
#[derive(Clone, Default)]
pub(crate) struct Contents(BTreeMap<&'static str, DefaultHasher>);

impl std::fmt::Debug for Contents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Contents {
    /// Adds what a setting's next file has.
    pub(crate) fn add(&mut self, setting: &'static str, bytes: &[u8]) {
        let sum = self.0.entry(setting).or_default();
        sum.write_usize(bytes.len());
        sum.write(bytes);
    }

    /// The settings whose files are not what they were.
    pub(crate) fn changes_since(&self, old: &Contents) -> Vec<&'static str> {
        let names = self.0.keys().chain(old.0.keys().filter(|setting| !self.0.contains_key(*setting)));
        names.copied().filter(|setting| self.sum(setting) != old.sum(setting)).collect()
    }

    fn sum(&self, setting: &str) -> Option<u64> {
        self.0.get(setting).map(Hasher::finish)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contents(files: &[(&'static str, &str)]) -> Contents {
        let mut contents = Contents::default();
        files.iter().for_each(|(setting, text)| contents.add(setting, text.as_bytes()));
        contents
    }

    #[test]
    fn changes_are_named() {
        let old = contents(&[("cert", "ab"), ("cert", "c"), ("key", "d")]);
        assert_eq!(old.changes_since(&old), [""; 0]);
        assert_eq!(contents(&[("cert", "a"), ("cert", "bc"), ("key", "d")]).changes_since(&old), ["cert"]);
        assert_eq!(
            contents(&[("cert", "ab"), ("cert", "c"), ("ca", "e")]).changes_since(&old),
            ["ca", "key"]
        );
        assert!(!format!("{old:?}").contains(|c: char| c.is_ascii_digit()), "{old:?}");
    }
}

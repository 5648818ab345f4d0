//! The name that a mistyped one was probably meant to be.

/// The candidate within a third of `word`'s length in edits (at least one), nearest first.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // Nobody mistypes a name by hundreds of characters, and the distance costs the product of the lengths.
    if word.len() > 64 {
        return None;
    }
    let word = word.to_ascii_lowercase().replace('-', "_");
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .map(|candidate| {
            (strsim::levenshtein(&word, &candidate.to_ascii_lowercase().replace('-', "_")), candidate)
        })
        .filter(|&(edits, _)| edits <= allowed)
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_near() {
        let names = || ["listen", "max_connections", "demo"].into_iter();
        assert_eq!(nearest("max_conections", names()), Some("max_connections"));
        assert_eq!(nearest("max-connections", names()), Some("max_connections"));
        assert_eq!(nearest("Listne", names()), Some("listen"));
        assert_eq!(nearest("dmo", names()), Some("demo"));
        assert_eq!(nearest("bogus", names()), None);
        assert_eq!(nearest("", names()), None);
        assert_eq!(nearest(&"x".repeat(1 << 20), names()), None);
    }
}

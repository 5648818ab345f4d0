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
        .map(|candidate| (distance(&word, &candidate.to_ascii_lowercase().replace('-', "_")), candidate))
        .filter(|&(edits, _)| edits <= allowed)
        .min_by_key(|&(edits, _)| edits)
        .map(|(_, candidate)| candidate)
}

/// How many characters are inserted, deleted or replaced between the two (Levenshtein), one row at a time.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (above, c) in from.chars().enumerate() {
        let mut diagonal = above;
        row[0] = above + 1;
        for (column, &other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(c != other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances() {
        assert_eq!(distance("", ""), 0);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("max_conections", "max_connections"), 1);
    }

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

//! Parts of the documents that are written from the source. A test holds them to it, or with `WSPUSH_BLESS=1` writes
//! them.

use std::fs;
use std::path::Path;

/// Holds what stands in `document` between the two markers to `expected`, or writes it there.
pub(crate) fn hold(document: &str, (begin, end): (&str, &str), expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
    let whole = fs::read_to_string(&path).expect(document);
    let (before, rest) = whole.split_once(begin).unwrap_or_else(|| panic!("no {begin:?} in {document}"));
    let (found, after) = rest.split_once(end).unwrap_or_else(|| panic!("no {end:?} in {document}"));
    if std::env::var_os("WSPUSH_BLESS").is_some_and(|bless| bless == "1") {
        fs::write(&path, format!("{before}{begin}{expected}{end}{after}")).expect(document);
    } else {
        assert_eq!(found, expected, "{document}: run this test with WSPUSH_BLESS=1");
    }
}

//! Dependencies, checked without a network: licences, counts, versions, and what may run at build time. Every list
//! here is a decision; a change of the tree is one too, and the finding says which line to write.

mod licence;
mod tree;

use std::collections::BTreeSet;

use self::licence::is_satisfied;
use self::tree::{Package, Tree, linked_by_the_library};

/// Licences of which one must be offered. BSL-1.0 is Boost's, of a hash function that redis needs.
const LICENCES: &[&str] =
    &["Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "ISC", "MIT", "Unicode-3.0", "Zlib"];

/// Also for what is not linked into anything that we ship.
const LICENCES_AT_BUILD: &[&str] = &["MPL-2.0"];

/// The members of the workspace.
const OURS: &[&str] = &["libwspush", "wspush", "wspush-bench", "wspushd"];

/// The crates that an embedder links: normal dependencies without default features.
const LIBRARY: &[&str] = &[
    "base64",
    "form_urlencoded",
    "httparse",
    "humantime",
    "itoa",
    "libc",
    "log",
    "memchr",
    "mio",
    "percent-encoding",
    "serde",
    "serde_core",
    "serde_json",
    "sha1_smol",
    "simdutf8",
    "slab",
    "socket2",
    "strsim",
    "subtle",
    "zmij",
];

/// However much is decided to be needed.
const LIBRARY_CRATES_MAX: usize = 20;

/// Crates that are linked in two versions.
///
/// base64: jsonwebtoken asks for 0.22, and links a few of its functions.
///
/// embedded-io: postcard can work with two versions of it, and with neither of them here.
///
/// untrusted: aws-lc-rs asks for an older one than rustls-webpki; it is a cursor over bytes, 300 lines.
const DUPLICATES: &[&str] = &["base64", "embedded-io", "untrusted"];

/// Code that runs on the machine that builds or tests: build scripts and procedural macros.
const RUN_AT_BUILD: &[&str] = &[
    "alloca",
    "asn1-rs-derive",
    "asn1-rs-impl",
    "aws-lc-rs",
    "aws-lc-sys",
    "cbindgen",
    "clap_derive",
    "der_derive",
    "displaydoc",
    "getrandom",
    "httparse",
    "jni",
    "jni-macros",
    "jni-sys-macros",
    "libc",
    "num-traits",
    "oid-registry",
    "portable-atomic",
    "proc-macro2",
    "quote",
    "ring",
    "rustix",
    "rustls",
    "serde",
    "serde_core",
    "serde_derive",
    "serde_json",
    "signal-hook",
    "thiserror",
    "thiserror-impl",
    "time-macros",
    "zerocopy",
    "zerocopy-derive",
    "zeroize_derive",
    "zmij",
];

fn assert_listed(list: &str, listed: &[&str], found: &BTreeSet<&str>) {
    let listed = listed.iter().copied().collect();
    let (new, gone) = (found - &listed, &listed - found);
    assert!(new.is_empty() && gone.is_empty(), "{list} in tests/supply_chain.rs: new {new:?}, gone {gone:?}");
}

#[test]
fn every_licence_allows_what_we_do() {
    let tree = Tree::read();
    let linked: BTreeSet<&str> = tree.linked().map(|package| package.name.as_str()).collect();
    let is_wrong = |package: &&Package| {
        let may = |licence: &str| {
            let at_build = !linked.contains(package.name.as_str()) && LICENCES_AT_BUILD.contains(&licence);
            LICENCES.contains(&licence) || at_build
        };
        !is_satisfied(&package.licence, &may)
    };
    let wrong: Vec<String> =
        tree.packages.iter().filter(is_wrong).map(|p| format!("{}: {:?}", p.name, p.licence)).collect();
    assert!(wrong.is_empty(), "licences that tests/supply_chain.rs does not know: {wrong:#?}");
}

#[test]
fn the_library_links_few_crates() {
    let found = linked_by_the_library();
    assert_listed("LIBRARY", LIBRARY, &found.iter().map(String::as_str).collect());
    assert!(found.len() <= LIBRARY_CRATES_MAX, "the library links {} crates", found.len());
}

#[test]
fn nothing_is_linked_twice() {
    let tree = Tree::read();
    let mut seen = BTreeSet::new();
    let twice: BTreeSet<&str> =
        tree.linked().map(|package| package.name.as_str()).filter(|name| !seen.insert(*name)).collect();
    assert_listed("DUPLICATES", DUPLICATES, &twice);
}

#[test]
fn what_runs_at_build_is_known() {
    let tree = Tree::read();
    let found = tree.packages.iter().filter(|package| package.runs_at_build && package.from_registry);
    assert_listed("RUN_AT_BUILD", RUN_AT_BUILD, &found.map(|package| package.name.as_str()).collect());
}

#[test]
fn everything_comes_from_the_registry_with_a_checksum() {
    let tree = Tree::read();
    let elsewhere: Vec<&str> = tree
        .packages
        .iter()
        .filter(|package| !package.from_registry)
        .map(|package| package.name.as_str())
        .collect();
    assert_eq!(elsewhere, OURS, "git or path dependencies have no version that can be audited");
    let without =
        tree.locked().into_iter().filter(|locked| locked.checksum.is_none()).map(|locked| locked.name);
    assert_eq!(without.collect::<Vec<_>>(), OURS, "Cargo.lock: no checksum");
}

/// As of when the index was last read; without an index there is nothing to say.
#[test]
fn no_locked_version_is_known_to_be_yanked() {
    let tree = Tree::read();
    let (mut known, mut yanked) = (0, Vec::new());
    for locked in tree.locked() {
        match tree.is_yanked(&locked) {
            Some(false) => known += 1,
            Some(true) => yanked.push(format!("{} {}", locked.name, locked.version)),
            None => {}
        }
    }
    println!("{known} versions looked up in the index, none yanked");
    assert!(yanked.is_empty(), "yanked: {yanked:?}; cargo update -p NAME");
}

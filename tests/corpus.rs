//! Every fuzz target over its checked-in corpus, without a fuzzer; and over some noise.
//!
//! `WSPUSH_CORPUS` names other folders, with ':' between them: `fuzz/reached` looks at what those reach.

#![cfg(feature = "daemon")] // The configuration as text is part of it.

use crate::fuzzed;
use std::fs;
use std::path::Path;

use crate::sim::dice::Dice;

#[test]
fn corpora() {
    let ours = format!("{}/fuzz/corpus", env!("CARGO_MANIFEST_DIR"));
    let folders = std::env::var("WSPUSH_CORPUS").unwrap_or(ours);
    for &(name, target) in fuzzed::TARGETS {
        let mut inputs = 0;
        for folder in folders.split(':').map(|folder| Path::new(folder).join(name)) {
            for entry in fs::read_dir(&folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display())) {
                let path = entry.unwrap().path();
                println!("{}", path.display());
                target(&fs::read(&path).unwrap());
                inputs += 1;
            }
        }
        assert!(inputs > 0, "{name} has no corpus");
    }
}

#[test]
fn noise() {
    let mut dice = Dice::from_seed(1);
    for &(name, target) in fuzzed::TARGETS {
        let runs = if ["world", "connection"].contains(&name) { 40 } else { 400 };
        for run in 0..runs {
            let data: Vec<u8> = (0..dice.below(300)).map(|_| dice.below(256) as u8).collect();
            println!("{name} {run} {data:x?}");
            target(&data);
        }
    }
}

//! The server in a simulated world, thousands of times.
//!
//! `WSPUSH_SEED=n cargo test --test simulation` replays one run; `WSPUSH_SEEDS=n` sets how many there are.

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};

use sim::dice::Dice;

/// Runs in `cargo test`.
const SEEDS: u64 = 3_000;

/// Things that happen in one run, on average twice as many as clients and publishers need to meet.
const STEPS: usize = 250;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn simulation() {
    if let Some(seed) = number("WSPUSH_SEED") {
        return sim::run(Dice::from_seed(seed), STEPS);
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    for seed in first..first + number("WSPUSH_SEEDS").unwrap_or(SEEDS) {
        if catch_unwind(AssertUnwindSafe(|| sim::run(Dice::from_seed(seed), STEPS))).is_err() {
            panic!("seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test --test simulation");
        }
    }
}

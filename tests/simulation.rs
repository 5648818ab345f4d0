//! The server in a simulated world, thousands of times.
//!
//! `WSPUSH_SEED=n cargo test --test simulation` replays one run; `WSPUSH_SEEDS=n` sets how many there are.

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread;

use sim::dice::Dice;

/// Runs in `cargo test`.
const SEEDS: u64 = 2_000;

/// What happens in one run, in events of all sorts.
const STEPS: usize = 250;

const THREADS: u64 = 2;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn simulation() {
    if let Some(seed) = number("WSPUSH_SEED") {
        return sim::run(Dice::from_seed(seed), STEPS);
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    let end = first + number("WSPUSH_SEEDS").unwrap_or(SEEDS);
    let runs = |from: u64| {
        for seed in (first + from..end).step_by(THREADS as usize) {
            if catch_unwind(AssertUnwindSafe(|| sim::run(Dice::from_seed(seed), STEPS))).is_err() {
                panic!("seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test --test simulation");
            }
        }
    };
    thread::scope(|scope| {
        for from in 0..THREADS {
            scope.spawn(move || runs(from));
        }
    });
}

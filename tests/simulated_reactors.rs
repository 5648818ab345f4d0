//! A server of several reactors in a simulated world, in thousands of orders in which they and the publishers get their
//! turns.
//!
//! `WSPUSH_SEED=n cargo test --test it simulated_reactors::` replays one run; `WSPUSH_SEEDS=n` sets how many there are.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::dice::Dice;
use crate::sim::several_check::{self, Met};
use crate::simulation::number;

/// Runs in `cargo test`.
const SEEDS: u64 = 100;

/// The length of one run, in events of all sorts.
const STEPS: usize = 300;

#[test]
fn several_reactors_are_one_server_in_any_order() {
    if let Some(seed) = number("WSPUSH_SEED") {
        println!("{:?}", several_check::run(Dice::from_seed(seed), STEPS));
        return;
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    let mut total = Met::default();
    for seed in first..first + number("WSPUSH_SEEDS").unwrap_or(SEEDS) {
        match catch_unwind(AssertUnwindSafe(|| several_check::run(Dice::from_seed(seed), STEPS))) {
            Ok(met) => total += met,
            Err(_) => panic!(
                "seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test --test it simulated_reactors::"
            ),
        }
    }
    println!("{total:?}");
    assert!(total.published > 0 && total.heard > 0, "{total:?}");
    assert!(total.refused_by_one > 0 && total.woken > 0 && total.closed_slow > 0, "{total:?}");
    assert!(total.moved_members > 0 && total.directs > 0 && total.partly > 0, "{total:?}");
}

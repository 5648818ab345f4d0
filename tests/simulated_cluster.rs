//! Clusters in virtual time: hundreds of nodes with a hundred million connections, and small ones in very many courses
//! of what goes wrong.
//!
//! `WSPUSH_SEED=n cargo test -p wspush --all-features --test it simulated_cluster::small` replays one run;
//! `WSPUSH_SEEDS=n` sets how many there are, and with `large` in place of `small` it is the large one.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sim::dice::Dice;
use crate::sim::fleet::{self, Plan, Verdict};
use crate::simulation::number;

const S: u64 = 1_000_000;

/// Small ones in `cargo test`, and some more in which something was found.
const SEEDS: u64 = 60;
const FOUND: [u64; 4] = [117, 156, 189, 707];

/// Everybody has everything before this time is over.
const LAST_US: u64 = 60 * S;

fn large() -> Plan {
    Plan {
        nodes: 400,
        ears: 2,
        connections: 100_000_000,
        posts: 24,
        time_us: 40 * S,
        slow: 20,
        cuts: 40,
        deaths: 8,
        failovers: 1,
        loss: 20_000,
    }
}

fn small(dice: &mut Dice) -> Plan {
    Plan {
        nodes: dice.range(2, 8),
        ears: dice.range(1, 4),
        connections: dice.pick(&[100, 100_000]),
        posts: dice.range(10, 60),
        time_us: dice.pick(&[4, 20]) * S,
        slow: dice.pick(&[0, 2, 3]),
        cuts: dice.below(6),
        deaths: dice.below(3),
        failovers: dice.below(3),
        loss: dice.pick(&[0, 50, 1_000]),
    }
}

fn runs(seeds: u64, found: &[u64], name: &str, run: impl Fn(Dice) -> Verdict) -> Verdict {
    if let Some(seed) = number("WSPUSH_SEED") {
        let verdict = run(Dice::from_seed(seed));
        println!("{verdict:?}");
        return verdict;
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    let mut total = Verdict::default();
    let count = number("WSPUSH_SEEDS").unwrap_or(seeds);
    for seed in (first..first + count).chain(found.iter().copied()) {
        match catch_unwind(AssertUnwindSafe(|| run(Dice::from_seed(seed)))) {
            Ok(verdict) => total += verdict,
            Err(_) => panic!(
                "seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test -p wspush --all-features --test it \
                 simulated_cluster::{name}"
            ),
        }
    }
    println!("{total:?}");
    assert!(total.last_us < LAST_US, "{total:?}");
    total
}

#[test]
fn small_ones_are_one_service_whatever_goes_wrong() {
    let total = runs(SEEDS, &FOUND, "small", |mut dice| {
        let plan = small(&mut dice);
        fleet::run(dice, plan)
    });
    assert_eq!(total.told_within, 0, "within a life nothing is ever gone: {total:?}");
    if number("WSPUSH_SEED").is_none() {
        assert!(total.recovered > 0 && total.repeated > 0 && total.lost_wires > 0, "{total:?}");
        assert!(total.failovers > 0 && total.told > 0 && total.lost > 0, "{total:?}");
    }
}

#[test]
fn large_ones_reach_a_hundred_million_within_a_minute() {
    let total = runs(1, &[], "large", |dice| fleet::run(dice, large()));
    assert_eq!(total.told_within, 0, "within a life nothing is ever gone: {total:?}");
    assert!(total.recovered > 0 && total.receipts > 0, "{total:?}");
}

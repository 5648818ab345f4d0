//! The server in a simulated world, thousands of times.
//!
//! `WSPUSH_SEED=n cargo test --test it simulation::` replays one run; `WSPUSH_SEEDS=n` sets how many there are.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::thread;

use crate::sim::dice::Dice;
use crate::sim::{self, Tally};

/// Runs in `cargo test`.
const SEEDS: u64 = 2_000;

/// The length of one run, in events of all sorts.
const STEPS: usize = 250;

const THREADS: u64 = 2;

pub fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().expect("a number"))
}

#[test]
fn simulation() {
    if let Some(seed) = number("WSPUSH_SEED") {
        println!("{:?}", sim::run(Dice::from_seed(seed), STEPS));
        return;
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    let end = first + number("WSPUSH_SEEDS").unwrap_or(SEEDS);
    let total = Mutex::new(Tally::default());
    let runs = |from: u64| {
        for seed in (first + from..end).step_by(THREADS as usize) {
            match catch_unwind(AssertUnwindSafe(|| sim::run(Dice::from_seed(seed), STEPS))) {
                Ok(tally) => *total.lock().expect("nobody has panicked") += tally,
                Err(_) => {
                    panic!(
                        "seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test --test it simulation::"
                    )
                }
            };
        }
    };
    thread::scope(|scope| {
        for from in 0..THREADS {
            let runs = &runs;
            scope.spawn(move || runs(from));
        }
    });
    let total = total.into_inner().expect("nobody has panicked");
    println!("{total:?}");
    assert_eq!(total.deflated > 0, cfg!(feature = "deflate"), "{total:?}");
    assert!(total.comebacks.recovered > 0 && total.comebacks.missed > 0, "{total:?}");
    let v1 = total.v1;
    assert!(v1.recovered > 0 && v1.missed > 0 && v1.gaps > 0 && v1.conflated > 0 && v1.read > 0, "{v1:?}");
    let streams = total.streams;
    assert!(streams.recovered > 0 && streams.missed > 0 && streams.gaps > 0, "{streams:?}");
    assert!(streams.notices > 0 && streams.anew > 0, "{streams:?}");
    assert!(v1.notices > 0 && v1.anew > 0, "{v1:?}");
    assert_eq!(v1.own > 0, cfg!(feature = "auth"), "{v1:?}");
    assert!(total.rests_saved > 0 && total.slow_cut > 0 && total.goodbyes_unread > 0, "{total:?}");
}

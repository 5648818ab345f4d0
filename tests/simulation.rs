//! The server in a simulated world, thousands of times.
//!
//! `WSPUSH_SEED=n cargo test --test simulation` replays one run; `WSPUSH_SEEDS=n` sets how many there are.

mod sim;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
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
        let deflated = sim::run(Dice::from_seed(seed), STEPS);
        println!("{deflated} publications came deflated");
        return;
    }
    let first = number("WSPUSH_FIRST_SEED").unwrap_or(0);
    let end = first + number("WSPUSH_SEEDS").unwrap_or(SEEDS);
    let deflated = AtomicUsize::new(0);
    let runs = |from: u64| {
        for seed in (first + from..end).step_by(THREADS as usize) {
            match catch_unwind(AssertUnwindSafe(|| sim::run(Dice::from_seed(seed), STEPS))) {
                Ok(count) => deflated.fetch_add(count, Ordering::Relaxed),
                Err(_) => {
                    panic!(
                        "seed {seed} fails; replay it with WSPUSH_SEED={seed} cargo test --test simulation"
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
    let deflated = deflated.into_inner();
    println!("{deflated} publications came deflated");
    assert_eq!(deflated > 0, cfg!(feature = "deflate"), "{deflated} publications came deflated");
}

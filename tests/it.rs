//! The tests of the library in the simulator, and of the repository itself, as one program. With real sockets it is
//! `tests/it_wspushd.rs`. `cargo test -p wspush --test it tidy::` runs those of `tests/tidy.rs`.
#![allow(clippy::unwrap_used)]

// The configuration as text is part of it.
#[cfg(feature = "daemon")]
mod fuzzed;
mod sim;

mod attendance;
mod beats;
mod calendar;
#[cfg(feature = "daemon")]
mod corpus;
mod crowds;
mod envelopes;
mod expiry;
mod idle;
mod laggards;
mod missed;
mod order;
mod paced;
mod shares;
mod simulated;
#[cfg(feature = "cluster")]
mod simulated_cluster;
mod simulated_reactors;
mod simulation;
mod supply_chain;
mod tidy;
mod turns;
mod unsafe_list;
mod wakeups;

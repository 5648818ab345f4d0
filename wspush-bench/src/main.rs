//! `wspush-bench`: the load client that proves the numbers, against any server that pushes.
//!
//! Nothing here is in the library, and nothing here imports it: the bench has a handshake and a frame parser of
//! its own, so that a fault of the server's codec can't hide behind the same fault in its judge.
//!
//! `args` become a plan, and the plan `job`s for workers. A `fleet` runs the workers, as threads or as re-execs of
//! this program when one process may not open enough descriptors. A `worker` is one poll loop with its connections; all
//! that it says and hears on them is a `transport`'s affair (`websocket` or `streams`), over `tls` where the
//! address says so; the `ledger` checks each message's `payload`. Meanwhile the `campaign` posts publications to
//! the server's `admin` API, reads with `probe` what the server costs, and merges the workers' `tally`s into a
//! `report`: as text, as JSON, and as a page with plots. `plot` draws those, and documents of others. `sizing`
//! reckons with what was measured.

mod admin;
mod args;
mod campaign;
mod cpus;
mod effort;
mod fleet;
mod http;
mod job;
mod json_body;
mod ledger;
mod payload;
mod plot;
mod probe;
mod progress;
mod quantity;
mod random;
mod redact;
mod report;
mod samples;
mod sizing;
mod source;
mod streams;
mod sys;
mod tally;
mod target;
mod tickets;
mod tls;
mod transport;
mod websocket;
mod worker;

use std::io::Write;
use std::process::ExitCode;

/// Parses, runs, reports. 0: every connection and message as it should be; 1: the server failed; 2: the bench
/// could not run.
fn main() -> ExitCode {
    let action = args::parse();
    let outcome = match action {
        args::Action::Worker => fleet::serve_parent().map(|()| true),
        args::Action::Plot(plot) => {
            plot::document::draw(&plot.document, plot.output.as_deref()).map(|()| true)
        }
        args::Action::Plan(sizing) => sizing::run(&sizing),
        args::Action::Campaign(plan) => campaign::run(&plan),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(message) => {
            // Nothing is left to tell when stderr is gone too.
            let _ = writeln!(std::io::stderr(), "wspush-bench: {message}");
            ExitCode::from(2)
        }
    }
}

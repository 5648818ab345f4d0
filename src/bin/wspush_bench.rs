//! `wspush-bench`: the load client that proves the numbers, against any WebSocket server.

#[path = "../bench/mod.rs"]
mod bench;

fn main() -> std::process::ExitCode {
    bench::main()
}

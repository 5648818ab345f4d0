#![no_main]
#[path = "../../tests/fuzzed/mod.rs"]
mod fuzzed;
#[path = "../../tests/sim/mod.rs"]
mod sim;

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzzed::pusher_event(data));

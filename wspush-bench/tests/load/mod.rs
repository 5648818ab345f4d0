//! `wspush-bench`, run against servers whose faults are known.
#![allow(dead_code, unreachable_pub, unused_imports, clippy::unwrap_used)] // Every test file uses a part of it.

pub mod server;
pub mod streams;
pub mod terminator;

use serde_json::Value;
use std::process::{Command, Stdio};
use std::thread;

#[allow(unused_imports)] // Every test file uses a part of it.
pub use server::{Fault, Server, serve, serve_guarded};

/// The results of a run of the bench.
pub struct Outcome {
    pub status: i32,
    pub report: Value,
    pub page: String,
    /// Standard output and standard error.
    pub text: String,
}

/// Runs the bench and returns its exit status, its report, and what it printed.
pub fn bench(mode: &str, args: &[&str]) -> (i32, Value, String) {
    let Outcome { status, report, text, .. } = run(mode, args, None);
    (status, report, text)
}

/// Runs the bench, maybe with the token of the admin API in its environment.
pub fn run(mode: &str, args: &[&str], token: Option<&str>) -> Outcome {
    let folder = std::env::temp_dir().join(format!(
        "wspush-bench-{}-{:?}",
        std::process::id(),
        thread::current().id()
    ));
    std::fs::create_dir_all(&folder).unwrap();
    let (json, html) = (folder.join("report.json"), folder.join("report.html"));
    let mut command = Command::new(env!("CARGO_BIN_EXE_wspush-bench"));
    command.arg(mode).args(args).args(["--timeout", "2s", "--json"]).arg(&json).arg("--html").arg(&html);
    match token {
        Some(token) => command.env("WSPUSH_ADMIN_TOKEN", token),
        None => command.env_remove("WSPUSH_ADMIN_TOKEN"),
    };
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let report = std::fs::read(&json).map_or(Value::Null, |bytes| serde_json::from_slice(&bytes).unwrap());
    let page = std::fs::read_to_string(&html).unwrap_or_default();
    if !report.is_null() {
        assert!(page.starts_with("<!doctype html>") && page.contains("<style>") && !page.contains("NaN"));
    }
    std::fs::remove_dir_all(&folder).unwrap();
    Outcome { status: output.status.code().unwrap(), report, page, text }
}

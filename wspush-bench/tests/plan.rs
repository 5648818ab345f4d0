//! `wspush-bench plan`, as the book shows it and as programs read it.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn plan(options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_wspush-bench")).arg("plan").args(options).output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// The book's page has, word for word, what these commands print: each stands in front of its answer.
#[test]
fn the_book_shows_what_it_prints() {
    let page = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/capacity.md"));
    let page = std::fs::read_to_string(page).unwrap();
    let mut found = 0;
    for block in page.split("```text\n$ wspush-bench plan").skip(1) {
        let (command, shown) = block.split_once('\n').unwrap();
        let shown = shown.split("```").next().unwrap();
        let options: Vec<&str> = command.split_whitespace().collect();
        let output = plan(&options);
        assert_eq!(text(&output), shown, "docs/capacity.md, wspush-bench plan{command}");
        found += 1;
    }
    assert!(found >= 2, "{found} of them");
}

#[test]
fn programs_get_the_same_as_json() {
    let file = std::env::temp_dir().join(format!("wspush-plan-{}.json", std::process::id()));
    let output = plan(&["-n", "1M", "--plan-json", file.to_str().unwrap()]);
    assert!(output.status.success());
    let json: Value = serde_json::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    std::fs::remove_file(&file).unwrap();
    let machines = json["machines"].as_u64().unwrap();
    assert!(text(&output).contains(&format!("PLAN: {machines} machine")), "{}", text(&output));
    assert_eq!((&json["connections"], &json["deadline_s"]), (&1e6.into(), &60.0.into()));
    let row = json["rows"].as_array().unwrap().iter().find(|row| row["machines"] == machines).unwrap();
    assert_eq!(row["is_in_time"], true);
}

#[test]
fn what_cannot_be_is_said() {
    let late = plan(&["--deadline", "10s"]);
    assert_eq!(
        (late.status.code(), text(&late).contains("NO PLAN")),
        (Some(1), true),
        "the engine takes fifteen"
    );
    for (options, words) in [
        (&["--connections", "many"][..], "expected a number"),
        (&["--cores", "0"], "0 is not in 1..=64"),
        (&["--measured", "/does/not/exist"], "/does/not/exist"),
        (&["--measured", "x", "--delivery-us", "1"], "cannot be used with"),
    ] {
        let output = plan(options);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(words), "{said}");
    }
}

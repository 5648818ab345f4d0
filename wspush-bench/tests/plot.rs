//! `wspush-bench plot`, by itself and for the scripts that compare servers.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

const BENCH: &str = env!("CARGO_BIN_EXE_wspush-bench");
const DOCUMENT: &str = r#"{"label":"costs","panels":[{"title":"one","bars":[{"name":"a","value":3}]}]}"#;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn fed(command: &mut Command, input: &str) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that finds its arguments wrong does not read.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn python(args: &[&str], input: &str) -> (i32, String) {
    let output = fed(Command::new("python3").arg("-B").args(args).current_dir(root()), input);
    (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
}

#[test]
fn a_document_becomes_an_image_for_light_and_dark() {
    let output = fed(Command::new(BENCH).arg("plot"), DOCUMENT);
    let image = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(image.starts_with("<svg xmlns=") && image.ends_with("</svg>\n"), "{image}");
    assert!(image.contains("prefers-color-scheme: dark") && image.contains(">one</text>"), "{image}");
}

#[test]
fn the_example_in_the_documentation_is_a_document() {
    let page = std::fs::read_to_string(root().join("docs/bench.md")).unwrap();
    let example = page.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let output = fed(Command::new(BENCH).arg("plot"), example);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn what_is_no_document_is_told() {
    for (args, input, words) in [
        (&["plot"][..], "{", "standard input: EOF"),
        (&["plot"], &" ".repeat((1 << 20) + 1), "longer than the 1048576 bytes"),
        (&["plot", "/nonexistent/x.json"], "", "/nonexistent/x.json: No such file"),
        (&["plot", "--output", "/nonexistent/x.svg"], DOCUMENT, "/nonexistent/x.svg: No such file"),
    ] {
        let output = fed(Command::new(BENCH).args(args), input);
        let text = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
}

/// The results of a run with two servers, as `benches/peers/run` keeps them.
const RESULTS: &str = r#"{"settings":{"rounds":1,"connections":10,"size":128,"messages":2,"burst_messages":2,
    "heavy_messages":2,"echo":"1s","wait":"busy"},
    "machine":{"cpu":"x","cores":2,"kernel":"Linux 6","date":"2026-01-01","load":0.1},"skipped":[],
    "servers":{"floor":{"version":"C","rounds":[],"failures":[],"median":{"delivery_us":1.5,"handshake_us":9}},
    "wspushd":{"version":"0","rounds":[],"failures":[],"median":{"delivery_us":1234.5,"tls_bytes":4022.4}}}}"#;

#[test]
fn the_scripts_that_compare_servers_have_their_plots_drawn() {
    let folder = std::env::temp_dir().join(format!("wspush-plot-{}", std::process::id()));
    let script = "import json, pathlib, sys; sys.path.insert(0, 'benches/peers'); import page, wss_page\n\
                  results, folder = json.load(sys.stdin), pathlib.Path(sys.argv[1])\n\
                  page.write(results, folder, sys.argv[2])\n\
                  wss_page.write({'tls': results}, folder, sys.argv[2])";
    let (status, text) = python(&["-c", script, folder.to_str().unwrap(), BENCH], RESULTS);
    assert_eq!(status, 0, "{text}");
    let read = |name: &str| std::fs::read_to_string(PathBuf::from(&folder).join(name)).unwrap();
    let (plain, secure) = (read("benchmarks.svg"), read("wss.svg"));
    std::fs::remove_dir_all(&folder).unwrap();
    assert!(plain.contains(">1,234.50<") && plain.contains("class=\"strong\""), "{plain}");
    assert!(plain.contains("class=\"accent\"") && plain.contains(">9.0<"), "{plain}");
    assert!(secure.contains(">4,022<") && secure.contains("aria-label=\"Costs of TLS"), "{secure}");
}

#[test]
fn selecting_no_server_is_an_error_with_the_names() {
    let everybody = "there are: floor; wspushd; libwspush, calls; Bun (uWebSockets); nginx + Nchan; node ws; \
                     tokio-tungstenite, small buffers; tokio-tungstenite, defaults";
    let secure = "there are: wspushd; Bun (uWebSockets); nginx + Nchan; node ws\n";
    for (args, words) in [
        (&["--only", "nobody"][..], everybody),
        (&["--only", "bun", "--only", "nobody"], "no server has 'nobody' in its name"),
        (&["--only", ""], "no server has '' in its name"),
        (&["--suite", "tls", "--only", "tokio"], secure),
        (&["--suite", "deflate", "--only", "floor"], secure),
        (&["--suite", "nobody"], "choose from"),
        (&["--rounds", "0"], "expected a whole number from 1"),
    ] {
        let (status, text) = python(&[&["benches/peers/run", "--bench", "/nonexistent"], args].concat(), "");
        assert_eq!(status, 2, "{args:?}: {text}");
        assert!(text.contains(words), "{args:?}: {text}");
    }
    let (status, text) = python(&["benches/instructions/check", "--blss"], "");
    assert!(status == 2 && text.contains("--blss"), "{text}");
}

#[test]
fn a_part_of_a_name_selects_whatever_its_case() {
    let script = "import sys; sys.path.insert(0, 'benches/peers'); import servers\n\
                  plain = servers.of_suite('plain', None)\n\
                  names = lambda words: [server.name for server in servers.select(plain, words)]\n\
                  assert names(['bun', 'NGINX']) == ['floor', 'Bun (uWebSockets)', 'nginx + Nchan'], names(['bun'])\n\
                  assert len(names(None)) == len(plain)";
    let (status, text) = python(&["-c", script], "");
    assert_eq!(status, 0, "{text}");
}

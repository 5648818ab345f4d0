//! `wspushd config` and `wspushd completions`: the settings for people and for programs.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::daemon::program;

/// Exit code, standard output, standard error.
fn run(args: &[&str]) -> (Option<i32>, String, String) {
    let output = Command::new(program()).args(args).output().expect("wspushd runs");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> File {
        let path = std::env::temp_dir().join(format!("wspush-config-{name}-{}.toml", std::process::id()));
        fs::write(&path, text).unwrap();
        File(path)
    }

    fn name(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

#[test]
fn the_defaults_are_a_file_that_is_good() {
    let (code, text, _) = run(&["config", "default"]);
    assert!(code == Some(0) && text.contains("\nadmin = [\"127.0.0.1:8081\"]"), "{text}");
    let file = File::new("default", &text);
    assert_eq!(run(&["config", "check", file.name()]).0, Some(0));
    assert_eq!(run(&["config", "check", "--config", file.name(), "--demo", "--drain-ms", "5"]).0, Some(0));
}

/// As it is shipped, and with all that it only mentions but files that are not here.
#[test]
fn the_sample_is_a_file_that_is_good() {
    let sample = concat!(env!("CARGO_MANIFEST_DIR"), "/../contrib/wspushd.toml");
    let (code, shown, said) = run(&["--config", sample, "--check"]);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        shown.contains("connects_per_second_max = 200") && shown.contains("news.* publications=1000"),
        "{shown}"
    );
    assert_eq!(run(&["config", "check", sample]).0, Some(0));
    let text = fs::read_to_string(sample).unwrap();
    let is_setting = |line: &str| {
        let name = line.strip_prefix("# ").and_then(|line| line.split_once(" = ")).map(|(name, _)| name);
        name.is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
            && !line.starts_with("# tls_")
    };
    let mentioned = text.lines().filter(|line| is_setting(line)).count();
    assert!(mentioned >= 5, "{mentioned} settings that are only mentioned");
    let all: Vec<&str> = text.lines().map(|line| if is_setting(line) { &line[2..] } else { line }).collect();
    let file = File::new("sample", &all.join("\n"));
    let (code, shown, said) = run(&["config", "check", file.name()]);
    assert_eq!(code, Some(0), "{shown}{said}");
}

#[test]
fn a_file_is_checked_with_all_that_it_names() {
    for (text, said) in [
        ("drain_ms = -1", "drain_ms = -1"),
        ("lisen = []", "did you mean \"listen\"?"),
        ("auth = \"required\"\nauth_public_keys = \"/nowhere.pem\"", "/nowhere.pem"),
        (
            "listen = \"tls://127.0.0.1:0\"\ntls_cert = \"/nowhere.pem\"\ntls_key = \"/nowhere.pem\"",
            "/nowhere.pem",
        ),
    ] {
        let file = File::new("wrong", text);
        let (code, out, problem) = run(&["config", "check", file.name()]);
        assert!(code == Some(2) && out.is_empty() && problem.contains(said), "{text}: {problem}");
    }
    for wrong in [
        &["config"][..],
        &["config", "chek"],
        &["config", "default", "x"],
        &["completions", "tcsh"],
        &["completions"],
    ] {
        let (code, _, problem) = run(wrong);
        assert!(code == Some(2) && problem.contains("--help"), "{wrong:?}: {problem}");
    }
    assert!(run(&["config", "--help"]).1.contains("config schema"));
}

#[test]
fn editors_have_a_schema() {
    let (code, text, _) = run(&["config", "schema"]);
    assert_eq!(code, Some(0));
    let schema: serde_json::Value = serde_json::from_str(&text).unwrap();
    let properties = &schema["properties"];
    assert_eq!(properties["drain_ms"]["default"], 5_000);
    assert_eq!(properties["drain_ms"]["type"], "integer");
    assert_eq!(properties["demo"]["type"], "boolean");
    assert!(properties["log_level"]["enum"].as_array().unwrap().contains(&"debug".into()));
    assert_eq!(properties["listen"]["default"], serde_json::json!(["127.0.0.1:8080"]));
    assert_eq!(properties["channel"]["items"]["type"], "object");
    assert_eq!(schema["additionalProperties"], false);
    let defaults = run(&["config", "default"]).1;
    for name in properties.as_object().unwrap().keys().filter(|name| *name != "channel") {
        assert!(defaults.contains(&format!("{name} = ")), "{name}");
    }
}

#[test]
fn shells_complete_flags_and_their_values() {
    for (shell, flag) in [("bash", "--log-level"), ("zsh", "'--log-level["), ("fish", "-l log-level ")] {
        let (code, text, _) = run(&["completions", shell]);
        assert!(code == Some(0) && text.contains(flag), "{shell}: {text}");
    }
    let completed = |words: &str, at: usize| {
        let script = format!(
            "{}COMP_WORDS=({words}); COMP_CWORD={at}; _wspushd; echo ${{COMPREPLY[@]}}\n",
            run(&["completions", "bash"]).1
        );
        let output = Command::new("bash").args(["-c", &script]).output().unwrap();
        assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    assert_eq!(completed("wspushd --log-level i", 2), "info");
    assert_eq!(completed("wspushd con", 1), "config");
    assert_eq!(completed("wspushd config s", 2), "schema");
    assert_eq!(completed("wspushd --demo --drain", 2), "--drain-ms");
}

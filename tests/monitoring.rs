//! The dashboard for Grafana and the alerts for Prometheus ask for metrics that there are, and the exposition is one
//! that Prometheus's own tool takes.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::daemon::Daemon;

fn contrib(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(name);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

/// Names of metrics in a text, each with the labels and their values that it is asked for by, as far as one brace goes.
fn asked(text: &str) -> BTreeSet<(String, String)> {
    let mut asked = BTreeSet::new();
    for word in ["wspush_", "process_"] {
        for (at, _) in text.match_indices(word) {
            if text[..at].ends_with(is_word) {
                continue;
            }
            let name: String = text[at..].chars().take_while(|&c| is_word(c)).collect();
            let rest = &text[at + name.len()..];
            let labels =
                rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(labels, _)| labels);
            asked.insert((name, labels.to_owned()));
        }
    }
    asked
}

/// Whether a selector's labels are there in some sample: `reason="a"`, `reason=~"a|b"`. Prometheus adds `instance`.
fn is_there(samples: &[&str], name: &str, labels: &str) -> bool {
    let of_it = |line: &&&str| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' ']));
    let all: Vec<_> = samples.iter().filter(of_it).collect();
    let has = |selector: &str| {
        let (label, values) = selector.split_once('=').expect("a label and its value");
        let values = values.trim_start_matches('~').trim_matches(['"', '\\']);
        label == "instance"
            || values
                .split('|')
                .all(|value| all.iter().any(|line| line.contains(&format!("{label}=\"{value}\""))))
    };
    !all.is_empty() && labels.split(',').filter(|selector| !selector.is_empty()).all(has)
}

#[test]
fn every_metric_that_is_asked_for_exists() {
    #[cfg(feature = "cluster")]
    let redis = crate::daemon::redis::Redis::start(&[]);
    #[cfg(feature = "cluster")]
    let daemon = Daemon::start(&["--cluster", &redis.url()]);
    #[cfg(not(feature = "cluster"))]
    let daemon = Daemon::start(&[]);
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    let samples: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    for (file, least) in [("grafana.json", 34), ("prometheus/alerts.yml", 12)] {
        let asked = asked(&contrib(file));
        assert!(asked.len() >= least, "{file} asks for {}", asked.len());
        for (name, labels) in asked {
            // Kernels before 6.2 don't say how many descriptors are open.
            let may_lack = name == "process_open_fds"
                || !cfg!(feature = "cluster") && name.starts_with("wspush_cluster_");
            assert!(may_lack || is_there(&samples, &name, &labels), "{file}: {name}{{{labels}}}");
        }
    }
    assert!(
        !is_there(&samples, "wspush_no_such", "")
            && !is_there(&samples, "wspush_closed_total", "reason=\"no\"")
    );
    assert!(!is_there(&samples, "wspush_turn", ""), "a part of a name is no name");
}

#[test]
fn the_dashboard_is_json_with_an_expression_in_each_panel() {
    let dashboard: serde_json::Value = serde_json::from_str(&contrib("grafana.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let has_expression = |panel: &serde_json::Value| {
        let targets = panel["targets"].as_array().expect("targets");
        !targets.is_empty()
            && targets.iter().all(|target| target["expr"].as_str().is_some_and(|e| !e.is_empty()))
    };
    assert!(panels.len() >= 20 && panels.iter().all(has_expression));
}

/// Runs Prometheus's tool, if it is there; what it finds wrong.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let mut command = Command::new("promtool");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let Ok(mut child) = command.spawn() else {
        eprintln!("skipped: no promtool (apt-get install prometheus)");
        return None;
    };
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it ends");
    let said =
        [output.stdout, output.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
    Some(if output.status.success() { String::new() } else { said })
}

#[test]
fn prometheus_takes_the_exposition_and_the_alerts() {
    let daemon = Daemon::start(&["--reactors", "2"]);
    let text = daemon.ask("GET", "/metrics", &[], b"").text();
    let Some(wrong) = promtool(&["check", "metrics"], &text) else { return };
    assert_eq!(wrong, "");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/prometheus/alerts.yml");
    assert_eq!(promtool(&["check", "rules", path.to_str().unwrap()], "").as_deref(), Some(""));
    let broken = promtool(&["check", "metrics"], "# TYPE a counter\na{ 1\n").unwrap();
    assert_ne!(broken, "", "it finds nothing wrong with anything");
}

//! The manual page and `--help` name the same options under the same headings, and `./install` installs the page.
// A failed unwrap is a failed test.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

const BENCH: &str = env!("CARGO_BIN_EXE_wspush-bench");
const MODES: [&str; 6] = ["connect", "broadcast", "echo", "soak", "plot", "plan"];
/// Headings of what every program has.
const NOT_OURS: [&str; 2] = ["Options", "Arguments"];

/// Options by heading.
type Groups = BTreeMap<String, BTreeSet<String>>;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn page() -> String {
    std::fs::read_to_string(root().join("docs/man/wspush-bench.1")).unwrap()
}

fn help(args: &[&str]) -> String {
    let output = Command::new(BENCH).args(args).arg("--help").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

/// The groups of a help text, whose options stand in its first column: `  -n, --connections <NUMBER>  How many`.
fn groups_of_help(text: &str) -> Groups {
    let mut groups = Groups::new();
    let mut heading = String::new();
    for line in text.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            name.clone_into(&mut heading);
        } else if line.trim_start().starts_with('-') {
            let names = line.split_whitespace().take_while(|word| word.starts_with('-'));
            let names = names.map(|name| name.trim_end_matches(',').to_owned());
            groups.entry(heading.clone()).or_default().extend(names);
        }
    }
    groups.retain(|heading, _| !NOT_OURS.contains(&heading.as_str()));
    groups
}

/// The groups of the page: sections begin with `.Ss`, options with `.It Fl n , -connections Ar number`.
fn groups_of_page(text: &str) -> Groups {
    let mut groups = Groups::new();
    let mut heading = None;
    for line in text.lines() {
        if let Some(name) = line.strip_prefix(".Ss ") {
            heading = Some(name.to_owned());
        } else if line.starts_with(".Sh ") {
            heading = None;
        } else if let (Some(heading), Some(item)) = (&heading, line.strip_prefix(".It Fl ")) {
            let names = item.split(" Ar ").next().unwrap().split_whitespace().filter(|word| *word != ",");
            groups.entry(heading.clone()).or_default().extend(names.map(|name| format!("-{name}")));
        }
    }
    groups
}

#[test]
fn page_and_help_name_the_same_options() {
    let page = groups_of_page(&page());
    let mut found = Groups::new();
    for mode in MODES {
        let groups = groups_of_help(&help(&[mode]));
        assert!(!groups.is_empty(), "{mode}");
        for (heading, names) in groups {
            let listed = page.get(&heading);
            assert_eq!(
                listed,
                Some(&names),
                "{mode}, {heading}: docs/man/wspush-bench.1 has to list the same"
            );
            found.insert(heading, names);
        }
    }
    assert_eq!(page, found, "docs/man/wspush-bench.1 lists what there is not");
}

#[test]
fn each_option_stands_under_a_heading_of_its_mode() {
    let groups = |mode| groups_of_help(&help(&[mode])).into_keys().collect::<Vec<_>>();
    let all = ["Client", "Connections", "Report", "Server", "TLS"];
    for (mode, own) in [
        ("connect", &["Connect"][..]),
        ("broadcast", &["Broadcast", "Messages", "Publications"]),
        ("echo", &["Echo", "Messages"]),
        ("soak", &["Messages", "Publications", "Soak"]),
    ] {
        let mut expected = [&all, own].concat();
        expected.sort_unstable();
        assert_eq!(groups(mode), expected, "{mode}");
    }
    assert_eq!(groups("plot"), ["Plot"]);
    assert_eq!(groups("plan"), ["Aim", "Costs", "Machine", "Plan"]);
}

#[test]
fn page_and_help_name_the_same_modes() {
    let text = help(&[]);
    let modes = text.split("Modes:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    let modes: Vec<&str> = modes.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(modes, [&MODES[..], &["help"]].concat());
    let page = page();
    let listed: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix(".It Cm ")).collect();
    assert_eq!(listed, MODES);
}

#[test]
fn the_page_is_installed_with_the_program() {
    let folder = std::env::temp_dir().join(format!("wspush-install-{}", std::process::id()));
    let target = folder.join("target");
    std::fs::create_dir_all(&target).unwrap();
    std::fs::write(target.join("libwspush.so"), "").unwrap();
    let install = |destination: &str| {
        let destination = folder.join(destination);
        let mut command = Command::new(root().join("install"));
        command.env("TARGET", &target).env("DESTDIR", &destination).env("PREFIX", "/opt/wspush");
        assert!(command.env_remove("LIBDIR").output().unwrap().status.success());
        ["bin/wspush-bench", "share/man/man1/wspush-bench.1"]
            .map(|file| destination.join("opt/wspush").join(file).is_file())
    };
    assert_eq!(install("without"), [false, false]);
    std::fs::copy(BENCH, target.join("wspush-bench")).unwrap();
    assert_eq!(install("with"), [true, true]);
    std::fs::remove_dir_all(&folder).unwrap();
}

//! Packages: all have the version of Cargo.toml, and the daemon takes the settings that they come with. That they are
//! built, installed and used is `./test packages`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon;

const TOKEN: (&str, &str) = ("WSPUSH_ADMIN_TOKEN", "a-token-of-the-test-that-is-long-enough");

/// Files with the version, and what it stands in (as x.y.z).
const VERSIONS: &[(&str, &str)] = &[
    ("contrib/openwrt/Makefile", "\nPKG_VERSION:=x.y.z\n"),
    ("docs/java.md", "io.wspush:wspush:x.y.z"),
    ("docs/packages.md", "wspush-x.y.z-x86_64-linux.tar.gz"),
    ("java/pom.xml", "<artifactId>wspush</artifactId>\n  <version>x.y.z</version>"),
    ("js/package.json", "\"version\": \"x.y.z\","),
    ("js/package-lock.json", "\"name\": \"wspush-client\",\n  \"version\": \"x.y.z\","),
    ("libwspush/Cargo.toml", "\nwspush = { path = \"..\", version = \"x.y.z\","),
    ("packaging/helm/wspush/Chart.yaml", "\nversion: x.y.z\nappVersion: \"x.y.z\"\n"),
    ("packaging/image/compose.yaml", "image: localhost/wspush:x.y.z\n"),
    ("wspushd/Cargo.toml", "\nwspush = { path = \"..\", version = \"x.y.z\","),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|e| panic!("{name}: {e}"))
}

/// Files that have another version, or none where it is looked for.
fn with_another(version: &str) -> Vec<&'static str> {
    let wrong =
        VERSIONS.iter().filter(|(name, place)| !read(name).contains(&place.replace("x.y.z", version)));
    wrong.map(|(name, _)| *name).collect()
}

#[test]
fn all_packages_have_cargos_version() {
    assert_eq!(with_another(env!("CARGO_PKG_VERSION")), [""; 0], "write {} there", env!("CARGO_PKG_VERSION"));
    assert_eq!(with_another("99.0.0").len(), VERSIONS.len());
}

fn checked(variables: &[(String, String)]) -> Output {
    let mut command = Command::new(daemon::program());
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.env_clear().envs(variables).arg("--check").output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&*output.stdout, &*output.stderr].concat()).into_owned()
}

#[test]
fn the_image_starts_with_a_token_and_not_without() {
    let text = read("packaging/image/Dockerfile");
    let line = text.lines().find_map(|line| line.strip_prefix("ENV ")).expect("it has variables");
    let mut variables: Vec<(String, String)> = line
        .split_whitespace()
        .map(|each| each.split_once('=').expect("a value"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    assert_eq!(variables.len(), 2, "{line}");
    let without = checked(&variables);
    assert!(!without.status.success() && said(&without).contains("admin_token"), "{}", said(&without));
    variables.push((TOKEN.0.to_owned(), TOKEN.1.to_owned()));
    let with = checked(&variables);
    assert!(with.status.success(), "{}", said(&with));
}

#[test]
fn the_settings_of_the_composed_servers_are_settings() {
    let text = read("packaging/image/compose.yaml");
    for node in ["wspush-1", "wspush-2"] {
        let (_, service) = text.split_once(&format!("\n  {node}:\n")).expect("it is there");
        let variables: Vec<(String, String)> = service
            .lines()
            .skip_while(|line| !line.ends_with("environment:"))
            .skip(1)
            .map_while(|line| line.trim().strip_prefix("WSPUSH_")?.split_once(": "))
            .map(|(name, value)| {
                let value = if value.starts_with("${") { TOKEN.1 } else { value };
                (format!("WSPUSH_{name}"), value.to_owned())
            })
            .collect();
        assert_eq!(variables.len(), 3, "{variables:?}");
        let output = checked(&variables);
        assert!(output.status.success(), "{}", said(&output));
        assert!(said(&output).contains(&format!("\nnode = \"{node}\"")), "{}", said(&output));
    }
}

/// As packaging/debian/rules makes it of the sample.
#[test]
fn debians_settings_are_good() {
    let rules = read("packaging/debian/rules");
    assert!(
        rules.contains(
            "sed -e 's/^# state_file/state_file/' -e 's/^# handover/handover/' contrib/wspushd.toml"
        ),
        "the test does the same"
    );
    let text = read("contrib/wspushd.toml");
    let text = text.replace("\n# state_file", "\nstate_file").replace("\n# handover", "\nhandover");
    let path = std::env::temp_dir().join(format!("wspush-packages-{}.toml", std::process::id()));
    fs::write(&path, text).unwrap();
    let output = Command::new(daemon::program()).arg("--check").arg("--config").arg(&path).output();
    let _ = fs::remove_file(&path);
    let output = output.expect("it runs");
    assert!(output.status.success(), "{}", said(&output));
    for line in
        ["\nstate_file = \"/var/lib/wspush/state\"", "\nhandover = \"unix:/run/wspush/handover.sock\""]
    {
        assert!(said(&output).contains(line), "{}", said(&output));
    }
}

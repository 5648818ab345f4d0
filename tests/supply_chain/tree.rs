//! The tree of dependencies as cargo tells it, for this machine's kind.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A package in use: built for the product, its build, its tests or its benches.
pub struct Package {
    pub name: String,
    pub licence: String,
    /// A build script, or a procedural macro.
    pub runs_at_build: bool,
    is_macro: bool,
    pub from_registry: bool,
    id: String,
}

/// A package in Cargo.lock.
pub struct Locked {
    pub name: String,
    pub version: String,
    pub checksum: Option<String>,
}

pub struct Tree {
    pub packages: Vec<Package>,
    /// Package id -> ids of its normal dependencies.
    normal: BTreeMap<String, Vec<String>>,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

impl Tree {
    /// Asks cargo, which asks no one else.
    pub fn read() -> Tree {
        let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--offline", "--locked", "--format-version=1", "--filter-platform", &target])
            .current_dir(ROOT)
            .output()
            .unwrap();
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
        let mut normal = BTreeMap::new();
        for node in array(&metadata["resolve"]["nodes"]) {
            let is_normal = |dep: &&Value| array(&dep["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            let deps = array(&node["deps"]).iter().filter(is_normal).map(|dep| text(&dep["pkg"]));
            normal.insert(text(&node["id"]), deps.collect());
        }
        let mut packages: Vec<Package> = array(&metadata["packages"]).iter().map(package).collect();
        packages.retain(|package| normal.contains_key(&package.id));
        Tree { packages, normal }
    }

    /// The crates in the files that we ship: normal dependencies of normal dependencies, without those of macros.
    pub fn linked(&self) -> impl Iterator<Item = &Package> {
        let by_id: BTreeMap<&str, &Package> = self.packages.iter().map(|p| (p.id.as_str(), p)).collect();
        let ours = self.packages.iter().filter(|package| !package.from_registry);
        let roots = ours.map(|package| package.id.as_str());
        let (mut seen, mut open) = (BTreeSet::new(), roots.collect::<Vec<_>>());
        while let Some(id) = open.pop() {
            if !by_id[id].is_macro && seen.insert(id) {
                open.extend(self.normal[id].iter().map(String::as_str));
            }
        }
        self.packages
            .iter()
            .filter(move |package| package.from_registry && seen.contains(package.id.as_str()))
    }

    /// All packages of Cargo.lock, for every platform.
    pub fn locked(&self) -> Vec<Locked> {
        let lock = fs::read_to_string(Path::new(ROOT).join("Cargo.lock")).unwrap();
        let field = |entry: &str, name: &str| {
            let start = format!("{name} = \"");
            let line = entry.lines().find_map(|line| line.strip_prefix(start.as_str()))?;
            Some(line.trim_end_matches('"').to_owned())
        };
        let entry = |entry: &str| Locked {
            name: field(entry, "name").unwrap(),
            version: field(entry, "version").unwrap(),
            checksum: field(entry, "checksum"),
        };
        lock.split("[[package]]").skip(1).map(entry).collect()
    }

    /// The entry in cargo's copy of the index, if there is one.
    pub fn is_yanked(&self, locked: &Locked) -> Option<bool> {
        let file = index_folders()
            .into_iter()
            .find_map(|folder| fs::read(folder.join(index_path(&locked.name))).ok())?;
        // Versions and JSON, a NUL behind each.
        file.split(|byte| *byte == 0).find_map(|part| {
            let entry: Value = serde_json::from_slice(part).ok()?;
            (entry["vers"] == locked.version.as_str()).then(|| entry["yanked"] == true)
        })
    }
}

/// The crates in the library of somebody who embeds it without default features. `cargo metadata` mixes in the features
/// that the daemon asks of the library; `cargo tree` looks at one package alone.
pub fn linked_by_the_library() -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--package=wspush", "--no-default-features"])
        .args(["--edges=normal,no-proc-macro", "--prefix=none", "--format={p}"])
        .current_dir(ROOT)
        .output()
        .unwrap();
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    let names = names.lines().filter_map(|line| line.split(' ').next());
    names.filter(|name| *name != "wspush").map(str::to_owned).collect()
}

fn package(value: &Value) -> Package {
    let has = |kind: &str| {
        array(&value["targets"]).iter().any(|target| array(&target["kind"]).iter().any(|k| k == kind))
    };
    Package {
        name: text(&value["name"]),
        licence: text(&value["license"]),
        runs_at_build: has("custom-build") || has("proc-macro"),
        is_macro: has("proc-macro"),
        from_registry: text(&value["source"]).starts_with("registry+"),
        id: text(&value["id"]),
    }
}

fn index_folders() -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let entries = home.and_then(|home| fs::read_dir(home.join("registry/index")).ok());
    entries.into_iter().flatten().flatten().map(|entry| entry.path().join(".cache")).collect()
}

/// The index's own scheme: short names by length, others by their first letters.
fn index_path(name: &str) -> PathBuf {
    let name = name.to_lowercase();
    match name.len() {
        1 | 2 => PathBuf::from(format!("{}/{name}", name.len())),
        3 => PathBuf::from(format!("3/{}/{name}", &name[..1])),
        _ => PathBuf::from(format!("{}/{}/{name}", &name[..2], &name[2..4])),
    }
}

//! The documents: what they name is there.

/// Folders of this repository, present ones and those that the design plans: what begins with one is a path.
const FOLDERS: &[&str] = &[
    ".ci",
    "benches",
    "contrib",
    "docs",
    "examples",
    "ffi-tests",
    "fuzz",
    "include",
    "java",
    "js",
    "libwspush",
    "src",
    "tests",
    "wspush-bench",
    "wspushd",
];

/// Extensions by which a file's name is known as one.
const EXTENSIONS: &[&str] = &[
    ".rs", ".md", ".toml", ".lock", ".h", ".c", ".cc", ".cpp", ".java", ".py", ".svg", ".png", ".html",
    ".service",
];

/// Finds paths in backticks, and links, that lead nowhere. `exists` is asked for a file or folder of the repository.
pub fn paths(name: &str, text: &str, exists: impl Fn(&str) -> bool) -> Vec<String> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let below = |path: &str| join(folder, path).is_some_and(|path| exists(&path));
    let mut findings = Vec::new();
    let mut fenced = false;
    for (n, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let named = in_backticks(line).flat_map(str::split_whitespace).filter(|word| is_path(word));
            let wrong =
                named.filter(|word| !below(word) && !join("", word).is_some_and(|path| exists(&path)));
            let dead = links(line).filter(|link| !below(link));
            findings.extend(wrong.chain(dead).map(|path| {
                format!("{name}:{}: there is no {path:?}: name what exists, or take the sentence out", n + 1)
            }));
        }
    }
    findings
}

/// A path relative to a folder, without its dots; None: it leads out of the repository.
fn join(folder: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/').filter(|part| !part.is_empty() && *part != ".") {
        match part {
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn in_backticks(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

fn is_path(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
    if !word.chars().all(plain) || word.starts_with('/') || word.starts_with("..") {
        return false;
    }
    let word = word.strip_prefix("./").unwrap_or(word);
    // A build's output is not there before.
    if word.split('/').any(|part| part == "target") {
        return false;
    }
    let in_folder = word.split_once('/').is_some_and(|(first, _)| FOLDERS.contains(&first));
    let known = EXTENSIONS.iter().any(|extension| word.ends_with(extension) && word.len() > extension.len());
    // In small letters a bare name is mostly a kind of file: `mod.rs`, an output, a module just spoken of.
    in_folder || (known && !word.contains('/') && word.starts_with(|c: char| c.is_ascii_uppercase()))
}

/// Targets of links and pictures in this repository.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let markdown = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ', '#']).next());
    let html = ["src=\"", "srcset=\"", "href=\""].into_iter().flat_map(move |attribute| {
        line.split(attribute).skip(1).filter_map(|rest| rest.split(['"', '#']).next())
    });
    markdown.chain(html).filter(|link| !link.is_empty() && !link.contains(':'))
}

/// Finds links to headings that are not there. `read` gives a file of the repository.
pub fn anchors(name: &str, text: &str, read: impl Fn(&str) -> String) -> Vec<String> {
    let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut findings = Vec::new();
    for (n, line) in text.lines().enumerate() {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        let inside = targets.filter(|target| !target.contains(':')).filter_map(|t| t.split_once('#'));
        for (page, anchor) in inside {
            let page = if page.is_empty() { Some(name.to_owned()) } else { join(folder, page) };
            let there = page.is_some_and(|page| headings(&read(&page)).any(|heading| heading == anchor));
            if !there {
                findings.push(format!("{name}:{}: no heading has the anchor #{anchor}", n + 1));
            }
        }
    }
    findings
}

/// The anchors of a document's headings, as mdBook and GitHub make them.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| {
        let kept = title
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c))
            .collect::<String>();
        kept.replace(' ', "-")
    })
}

/// Whether the changelog has a heading for the version.
pub fn version(changelog: &str, version: &str) -> Option<String> {
    let heading =
        |line: &str| line.starts_with("## ") && line.split([' ', '[', ']']).any(|word| word == version);
    let missing = !changelog.lines().any(heading);
    missing.then(|| format!("CHANGELOG.md: write a section for {version}, the version in Cargo.toml"))
}

#[test]
fn a_path_to_nowhere_is_found() {
    let exists = |path: &str| ["src/lib.rs", "src", "docs/log.svg", "README.md", "fuzz/run"].contains(&path);
    let text = "`src/lib.rs`, `src/gone.rs`, `application/json`, `/push`, `fuzz/run 5`,\x20\
                `java/build`, `java/target/x.jar`\n\
                ```\n`src/gone.rs`\n```\n\
                ![a picture](log.svg) [read](../README.md#top) [x](gone.md) <img src=\"no.png\">\n[out](https://example.com/gone.md) `README.md` `Gone.toml` `a.b.c` `mod.rs` `..` `src/`";
    let found = paths("docs/a.md", text, exists);
    let named: Vec<&str> = found.iter().map(|finding| finding.split('"').nth(1).unwrap()).collect();
    assert_eq!(named, ["src/gone.rs", "java/build", "gone.md", "no.png", "Gone.toml"], "{found:#?}");
}

#[test]
fn a_missing_version_is_found() {
    assert_eq!(version("# Changelog\n\n## 1.2.3 (2026-01-01)\n", "1.2.3"), None);
    assert!(version("# Changelog\n1.2.3\n## 1.2.30\n", "1.2.3").is_some());
}

#[test]
fn a_link_to_no_heading_is_found() {
    let page = "# One page\n\n## Tokens, and `keys`\n";
    let read = |name: &str| if name == "docs/a.md" { page.to_owned() } else { String::new() };
    assert!(anchors("docs/a.md", "[x](#tokens-and-keys) [y](https://example.com/#z)\n", read).is_empty());
    assert!(anchors("README.md", "[x](docs/a.md#one-page)", read).is_empty());
    let findings = anchors("README.md", "[x](docs/a.md#two)\n[x](docs/b.md#one-page)", read);
    assert_eq!(findings.len(), 2, "{findings:?}");
}

//! The beans of examples/spring, compiled and run with Spring as Debian has it.

use std::path::Path;
use std::process::Command;

use crate::java::{built, finish, jni_complaint, jvm, repository, succeed};

/// Spring 4.3, and what its context needs.
const SPRING: &[&str] = &[
    "spring3-context",
    "spring3-web",
    "spring3-core",
    "spring3-beans",
    "spring3-aop",
    "spring3-expression",
    "commons-logging",
];

#[test]
fn a_context_starts_and_stops_the_server_and_its_handlers_hear_it() {
    let Some(built) = built() else { return };
    let jars: Vec<String> = SPRING.iter().map(|name| format!("/usr/share/java/{name}.jar")).collect();
    if !jars.iter().all(|jar| Path::new(jar).exists()) {
        eprintln!("SKIPPED: the Spring example needs libspring-context-java and libspring-web-java");
        return;
    }
    let classes = Path::new(env!("CARGO_TARGET_TMPDIR")).join("java/spring");
    // There is nothing the first time.
    let _ = std::fs::remove_dir_all(&classes);
    let path = format!("{}:{}:{}", built.jar.display(), built.classes.display(), jars.join(":"));
    let mut javac = Command::new("javac");
    // Debian's jars name others that are not there.
    javac.args(["--release", "11", "-Xlint:all,-path", "-Werror", "-cp", &path, "-d"]).arg(&classes);
    for directory in ["examples/spring", "ffi-tests/spring"] {
        let files = std::fs::read_dir(repository().join(directory)).unwrap();
        javac.args(files.map(|file| file.unwrap().path()));
    }
    succeed(javac.output().unwrap(), "javac");
    let mut java = jvm();
    java.args(["-Xcheck:jni", "-Xmx256m", "-cp"]).arg(format!("{}:{path}", classes.display()));
    java.arg("SpringHost");
    let said = succeed(finish(java), "SpringHost");
    assert!(!said.lines().any(jni_complaint), "{said}");
}

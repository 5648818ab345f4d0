//! `./install` puts everything where a C programmer looks for it.

use std::fs;
use std::path::Path;
use std::process::Command;

use super::embedding::{check_program, program_source};
use super::host::{Host, Language, Tool, build_dir, has_compiler, root, run, skip};

/// Installs what cargo has built beside the test.
fn install(destination: &Path, prefix: &str) {
    let target = crate::library::path();
    let mut install = Command::new(root().join("install"));
    install.env("TARGET", target.parent().unwrap()).env("DESTDIR", destination).env("PREFIX", prefix);
    run(install.env_remove("LIBDIR"));
}

#[test]
fn everything_is_where_it_belongs() {
    let destination = build_dir().join("destdir");
    let _ = fs::remove_dir_all(&destination);
    install(&destination, "/opt/wspush");
    let version = env!("CARGO_PKG_VERSION");
    let at = |path: &str| destination.join("opt/wspush").join(path);
    assert!(at(&format!("lib/libwspush.so.{version}")).is_file());
    assert_eq!(
        fs::read_link(at("lib/libwspush.so.0")).unwrap(),
        Path::new(&format!("libwspush.so.{version}"))
    );
    assert_eq!(fs::read_link(at("lib/libwspush.so")).unwrap(), Path::new("libwspush.so.0"));
    for path in [
        "lib/libwspush.a",
        "include/wspush.h",
        "include/wspush.hpp",
        "include/wspush_values.hpp",
        "include/wspush_host.hpp",
        "include/wspush_routes.hpp",
        "include/wspush_session.hpp",
        "share/man/man1/wspushd.1",
        "share/man/man3/wspush.3",
    ] {
        assert!(at(path).is_file(), "{path}");
    }
    let pc = fs::read_to_string(at("lib/pkgconfig/wspush.pc")).unwrap();
    assert!(pc.contains("prefix=/opt/wspush\nlibdir=/opt/wspush/lib\n"), "{pc}");
    assert!(pc.contains(&format!("Version: {version}\n")) && !pc.contains('@'), "{pc}");
}

/// The words of a field of the installed wspush.pc, as pkg-config would give them.
fn pkg_config(prefix: &Path, arguments: &[&str]) -> Option<Vec<String>> {
    let mut command = Command::new("pkg-config");
    command.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).args(arguments).arg("wspush");
    if Command::new("pkg-config").arg("--version").output().is_err() {
        skip("install", &"no pkg-config");
        return None;
    }
    Some(run(&mut command).split_whitespace().map(str::to_owned).collect())
}

#[test]
fn a_program_is_built_from_what_is_installed_shared_and_static() {
    let prefix = build_dir().join("prefix");
    let _ = fs::remove_dir_all(&prefix);
    install(Path::new(""), prefix.to_str().unwrap());
    if !has_compiler(Language::C) {
        return;
    }
    let Some(shared) = pkg_config(&prefix, &["--cflags", "--libs"]) else { return };
    let Some(private) = pkg_config(&prefix, &["--cflags", "--libs", "--static"]) else { return };
    let archive = prefix.join("lib/libwspush.a");
    let with_archive = private.iter().map(|word| match word.as_str() {
        "-lwspush" => archive.to_str().unwrap().to_owned(),
        other => other.to_owned(),
    });
    for (name, flags) in [("server_shared", shared.clone()), ("server_static", with_archive.collect())] {
        let program = build_dir().join(name);
        run(Command::new("cc").arg("-std=c99").arg("-o").arg(&program).arg(program_source()).args(flags));
        let mut host = Host::start_program(&program, Tool::Plain, &["127.0.0.1:0"]).unwrap();
        check_program(&mut host);
    }
}

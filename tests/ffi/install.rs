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
        "include/wspush_questions.hpp",
        "share/man/man1/wspushd.1",
        "share/man/man3/wspush.3",
        "share/wspush/installed",
    ] {
        assert!(at(path).is_file(), "{path}");
    }
    let pc = fs::read_to_string(at("lib/pkgconfig/wspush.pc")).unwrap();
    assert!(pc.contains("prefix=/opt/wspush\nlibdir=/opt/wspush/lib\n"), "{pc}");
    assert!(pc.contains(&format!("Version: {version}\n")) && !pc.contains('@'), "{pc}");
    // A file of somebody else's stays, and so does the folder in which it lies.
    fs::write(at("lib/other"), "").unwrap();
    let mut uninstall = Command::new(root().join("uninstall"));
    run(uninstall.env("DESTDIR", &destination).env("PREFIX", "/opt/wspush"));
    let left = |folder: &Path| -> Vec<_> {
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect()
    };
    assert_eq!((left(&at("")), left(&at("lib"))), (vec!["lib".into()], vec!["other".into()]));
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
    let with_archive: Vec<String> = with_archive.collect();
    let all_static = ["-static".to_owned()].into_iter().chain(with_archive.clone()).collect();
    for (name, flags) in
        [("server_shared", shared), ("server_static", with_archive), ("server_all_static", all_static)]
    {
        let program = build_dir().join(name);
        run(Command::new("cc").arg("-std=c99").arg("-o").arg(&program).arg(program_source()).args(flags));
        if name == "server_shared" {
            // Where the loader doesn't look by itself the program says where.
            let needs = run(Command::new("ldd").arg(&program).env_remove("LD_LIBRARY_PATH"));
            let library = prefix.join("lib/libwspush.so.0");
            assert!(needs.contains(library.to_str().unwrap()), "{needs}");
        }
        let mut host = Host::start_program(&program, Tool::Plain, &["127.0.0.1:0"]).unwrap();
        check_program(&mut host);
    }
}

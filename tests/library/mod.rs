//! The shared library that the tests of C, C++ and Java link: as the sources are now.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where it lies. Cargo builds no shared library for a test, so it is asked to; if nothing has changed that is quick.
pub(crate) fn path() -> &'static Path {
    static PATH: OnceLock<PathBuf> = OnceLock::new();
    PATH.get_or_init(|| {
        // Another machine's (tests/targets/run).
        if let Some(path) = std::env::var_os("WSPUSH_LIBRARY") {
            return path.into();
        }
        let mut command = Command::new(env!("CARGO"));
        command.current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
        command.args(["build", "--quiet", "--package", "libwspush", "--all-features"]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let status = command.status().expect("cargo runs");
        assert!(status.success(), "cargo builds the library: {status}");
        // The test lies in `deps`, beside the library.
        std::env::current_exe().expect("a path").with_file_name("libwspush.so")
    })
}

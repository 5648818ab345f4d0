//! The settings and scripts for small machines below `contrib/` work with this daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon;

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(name)
}

/// The options of OpenWrt's configuration, by name.
fn options() -> Vec<(String, String)> {
    let text = fs::read_to_string(contrib("openwrt/files/wspushd.config")).expect("it is there");
    let options = text.lines().filter_map(|line| line.trim().strip_prefix("option "));
    options
        .map(|option| {
            let (name, value) = option.split_once(' ').expect("a name and a value");
            (name.to_owned(), value.trim_matches('\'').to_owned())
        })
        .collect()
}

#[test]
fn the_settings_for_openwrt_are_settings_and_its_script_passes_them_on() {
    let script = fs::read_to_string(contrib("openwrt/files/wspushd.init")).expect("it is there");
    let (_, rest) = script.split_once("SETTINGS=\"").expect("a list");
    let passed: Vec<&str> = rest.split('"').next().expect("its end").split_whitespace().collect();
    let mut command = Command::new(daemon::program());
    for (name, value) in options() {
        assert!(passed.contains(&&*name), "{name} is not passed on");
        command.env(format!("WSPUSH_{}", name.to_uppercase()), value);
    }
    let output = command.arg("--check").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for name in passed {
        let names = said.lines().map(|line| line.trim_start_matches("# "));
        assert!(names.clone().any(|line| line.starts_with(&format!("{name} ="))), "{name} is no setting");
    }
    let small = "max_connections = 2000  # environment WSPUSH_MAX_CONNECTIONS";
    assert!(said.contains(small), "{said}");
}

/// BusyBox's init script with its files in a folder of the test's.
struct Script(PathBuf);

impl Script {
    fn call(&self, action: &str) -> Output {
        let mut command = Command::new("sh");
        command.arg(contrib("busybox/S80wspushd")).arg(action).env("DAEMON", daemon::program());
        for (name, file) in [("PIDFILE", "pid"), ("SETTINGS", "settings"), ("LOG", "log")] {
            command.env(name, self.0.join(file));
        }
        command.output().expect("sh is there")
    }

    fn says(&self, action: &str) -> String {
        String::from_utf8(self.call(action).stdout).expect("text")
    }

    fn log(&self, text: &str) {
        daemon::wait(text, || fs::read_to_string(self.0.join("log")).is_ok_and(|log| log.contains(text)));
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.call("stop");
        // It may not have come as far as that.
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_init_of_busybox_starts_reloads_and_stops_it() {
    let script = Script(std::env::temp_dir().join(format!("wspush-init-{}", std::process::id())));
    fs::create_dir_all(&script.0).expect("a folder");
    let settings = script.0.join("settings");
    fs::write(&settings, "WSPUSH_LISTEN=nowhere\n").expect("a file");
    assert!(!script.call("start").status.success(), "what is wrong is said at once");
    assert_eq!(script.says("status"), "wspushd does not run\n");
    fs::write(&settings, "WSPUSH_LISTEN=127.0.0.1:0\nWSPUSH_ADMIN=off\n").expect("a file");
    assert!(script.call("start").status.success());
    assert_eq!(script.says("status"), "wspushd runs\n");
    script.log("event=ready");
    assert!(script.call("reload").status.success());
    script.log("event=reloaded");
    assert!(script.call("stop").status.success());
    script.log("event=drained");
    assert_eq!(script.says("status"), "wspushd does not run\n");
}

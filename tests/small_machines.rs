//! The settings and scripts for small machines below `contrib/` work with this daemon.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::daemon;

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(name)
}

/// The shells that the scripts have to work in: BusyBox's too, where it is installed.
fn shells() -> impl Iterator<Item = &'static [&'static str]> {
    let shells: [&[&str]; 2] = [&["sh"], &["busybox", "sh"]];
    shells.into_iter().filter(|shell| {
        let is_there = Command::new(shell[0]).args(&shell[1..]).args(["-c", "true"]).output().is_ok();
        assert!(is_there || shell[0] == "busybox");
        is_there
    })
}

fn shell(words: &[&str]) -> Command {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    command
}

/// OpenWrt's own functions, as far as the script calls them: they print what procd would be told.
const PROCD: &str = r#"
config_load() { [ "$1" = wspushd ]; }
option() { sed -n "s/^[[:space:]]*option $1 '\(.*\)'\$/\1/p" "$OPTIONS"; }
config_get() { eval "$1=\$(option $3)"; }
procd_open_instance() { :; }
procd_close_instance() { echo closed; }
procd_set_param() { echo "$@"; }
procd_append_param() { echo "$@"; }
procd_add_reload_trigger() { echo "trigger $1"; }
mkdir() { echo "mkdir $2"; }
chown() { echo "chown $1"; }
. "$SCRIPT"
start_service && service_triggers
"#;

#[test]
fn procd_is_told_to_start_it_with_the_settings_for_openwrt() {
    let options = contrib("openwrt/files/wspushd.config");
    let text = fs::read_to_string(&options).expect("it is there");
    let count = text.lines().filter(|line| line.trim().starts_with("option ")).count();
    assert!(count > 5, "{text}");
    for words in shells() {
        let mut start = shell(words);
        start
            .args(["-c", PROCD])
            .env("OPTIONS", &options)
            .env("SCRIPT", contrib("openwrt/files/wspushd.init"));
        let output = start.output().expect("the shell is there");
        let told = String::from_utf8(output.stdout).expect("text");
        assert!(output.status.success() && output.stderr.is_empty(), "{words:?}: {told} {:?}", output.stderr);
        let lines: Vec<&str> = told.lines().collect();
        for line in
            ["command /usr/sbin/wspushd", "user wspush", "respawn", "reload_signal HUP", "trigger wspushd"]
        {
            assert!(lines.contains(&line), "{words:?}: {told}");
        }
        let settings: Vec<_> =
            lines.iter().filter_map(|line| line.strip_prefix("env ")?.split_once('=')).collect();
        assert_eq!(settings.len(), count, "every option is passed on: {told}");
        let output = Command::new(daemon::program()).arg("--check").envs(settings).output().expect("it runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("max_connections = 2000  # environment WSPUSH_MAX_CONNECTIONS"), "{said}");
    }
}

#[test]
fn every_name_that_the_script_for_openwrt_passes_on_is_a_setting() {
    let script = fs::read_to_string(contrib("openwrt/files/wspushd.init")).expect("it is there");
    let (_, rest) = script.split_once("SETTINGS=\"").expect("a list");
    let output = Command::new(daemon::program()).arg("--check").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stdout);
    for name in rest.split('"').next().expect("its end").split_whitespace() {
        let mut names = said.lines().map(|line| line.trim_start_matches("# "));
        assert!(names.any(|line| line.starts_with(&format!("{name} ="))), "{name} is no setting");
    }
}

/// BusyBox's init script with its files in a folder of the test's.
struct Script {
    folder: PathBuf,
    shell: &'static [&'static str],
}

impl Script {
    fn call(&self, action: &str) -> Output {
        let mut command = shell(self.shell);
        command.arg(contrib("busybox/S80wspushd")).arg(action).env("DAEMON", daemon::program());
        for (name, file) in [("PIDFILE", "pid"), ("SETTINGS", "settings"), ("LOG", "log")] {
            command.env(name, self.folder.join(file));
        }
        command.output().expect("the shell is there")
    }

    fn says(&self, action: &str) -> String {
        String::from_utf8(self.call(action).stdout).expect("text")
    }

    fn log(&self, text: &str) {
        daemon::wait(text, || {
            fs::read_to_string(self.folder.join("log")).is_ok_and(|log| log.contains(text))
        });
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.call("stop");
        // It may not have come as far as that.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn an_init_of_busybox_starts_reloads_and_stops_it() {
    for (n, shell) in shells().enumerate() {
        let folder = std::env::temp_dir().join(format!("wspush-init-{}-{n}", std::process::id()));
        let script = Script { folder, shell };
        fs::create_dir_all(&script.folder).expect("a folder");
        let settings = script.folder.join("settings");
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
}

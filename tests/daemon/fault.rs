//! Faults of the kernel, put in front of a running daemon's system calls by `strace -e inject`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::Daemon;

/// The calls fail until this is dropped.
pub struct Fault(Child);

impl Fault {
    /// From now on `call` of this daemon answers `error`; `when` is strace's: `1+`, `1+3` (every third), `1..5`.
    pub fn inject(daemon: &Daemon, call: &str, error: &str, when: &str) -> Fault {
        let (trace, inject) = (format!("trace={call}"), format!("inject={call}:error={error}:when={when}"));
        let pid = daemon.pid().to_string();
        let mut child = Command::new("strace")
            .args(["-p", &pid, "-e", &trace, "-e", &inject])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("strace is installed");
        let mut lines = BufReader::new(child.stderr.take().expect("a pipe")).lines().map_while(Result::ok);
        // The reactor alone, which has the main thread: the one for signals waits in a recv of its own, and has no
        // connections to keep.
        let attached = lines.by_ref().any(|line| line.contains(" attached"));
        assert!(attached, "strace may attach to its own user's processes");
        // It writes on; nobody needs it.
        std::thread::spawn(move || lines.for_each(drop));
        Fault(child)
    }

    /// The calls work again.
    pub fn lift(self) {}
}

impl Drop for Fault {
    fn drop(&mut self) {
        // INT makes strace detach; a strace that is killed would leave the daemon stopped for a moment.
        super::process::signal(self.0.id(), "INT");
        let _ = self.0.wait();
    }
}

//! Faults of the kernel, put in front of a running daemon's system calls by `strace -e inject`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use super::Daemon;

/// So often in a row the daemon has to seem stopped.
const STOPPED_LOOKS: usize = 5;

/// The calls fail until this is dropped.
pub struct Fault {
    strace: Child,
    daemon: u32,
}

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
        Fault { strace: child, daemon: daemon.pid() }
    }

    /// The calls work again.
    pub fn lift(self) {}
}

impl Drop for Fault {
    fn drop(&mut self) {
        // A call in the middle of which strace lets go is one that the kernel doesn't know (ENOSYS), so the daemon is
        // stopped first: it stops behind a call. At each call that strace looks at it seems stopped as well, for a
        // moment.
        super::process::signal(self.daemon, "STOP");
        let mut looks = 0;
        let is_stopped = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", self.daemon)).unwrap_or_default();
            let runs =
                status.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['R', 'S', 'D']));
            looks = if runs { 0 } else { looks + 1 };
            looks == STOPPED_LOOKS
        };
        super::wait("the daemon to stop", is_stopped);
        // INT makes strace detach; a strace that is killed would leave the daemon stopped for a moment.
        super::process::signal(self.strace.id(), "INT");
        let _ = self.strace.wait();
        super::process::signal(self.daemon, "CONT");
    }
}

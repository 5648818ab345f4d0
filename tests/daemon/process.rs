//! The kernel's view of a process.

use std::process::Command;

/// Sends a signal by name.
pub fn signal(pid: u32, name: &str) {
    let sent = Command::new("kill").args(["-s", name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill -s {name} {pid}");
}

/// Lets this process open many descriptors: a test is the other end of all its connections.
pub fn raise_own_limit() {
    wspush::reactor::sys::raise_descriptor_limit().expect("the hard limit can be had");
}

/// Open descriptors.
pub fn descriptors(pid: u32) -> usize {
    std::fs::read_dir(format!("/proc/{pid}/fd")).expect("/proc").count()
}

/// Resident set.
pub fn rss_bytes(pid: u32) -> u64 {
    status(pid, "VmRSS:") * 1024
}

/// Processor time, in ticks of 10 ms.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("/proc");
    let after_name = stat.rsplit_once(") ").expect("a name in brackets").1;
    let fields: Vec<u64> = after_name.split(' ').skip(11).take(2).flat_map(str::parse).collect();
    fields.iter().sum()
}

/// Signals that were sent to it and have not arrived yet, as a mask.
pub fn pending_signals(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc");
    let mask = status.lines().find_map(|line| line.strip_prefix("ShdPnd:")).expect("the key");
    u64::from_str_radix(mask.trim(), 16).expect("a number")
}

fn status(pid: u32, key: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix(key)).expect("the key");
    line.split_whitespace().next().and_then(|n| n.parse().ok()).expect("a number")
}

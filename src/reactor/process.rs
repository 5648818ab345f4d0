//! The process as /proc shows it.

use std::fs;

use crate::metrics::Process;

use super::sys;

/// Looks at it. Nothing here takes longer where there are more connections.
pub(super) fn look(began_unix_s: u64) -> Process {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may have spaces in it.
    let fields: Vec<u64> = stat
        .rsplit_once(") ")
        .map(|(_, rest)| rest.split(' ').map(|field| field.parse().unwrap_or(0)).collect())
        .unwrap_or_default();
    // Of proc(5) the fields from the third on.
    let field = |number: usize| fields.get(number - 3).copied().unwrap_or(0);
    let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let limit =
        limits.lines().find_map(|line| line.strip_prefix("Max open files")?.split_whitespace().next());
    Process {
        // The kernel tells them in hundredths of a second, whatever its own clock is (USER_HZ).
        cpu_ticks: field(14) + field(15),
        // Their number is the folder's size since Linux 6.2, and 0 before that.
        open_descriptors: fs::metadata("/proc/self/fd").map_or(0, |folder| folder.len()),
        descriptors_max: limit.and_then(|limit| limit.parse().ok()).unwrap_or(0),
        virtual_bytes: field(23),
        resident_bytes: sys::rss_bytes(),
        threads: field(20),
        began_unix_s,
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_kernel_says_it() {
        let process = super::look(7);
        assert!(process.virtual_bytes > process.resident_bytes && process.resident_bytes > 100_000);
        assert!(process.threads >= 1 && process.descriptors_max >= 16);
        let open = process.open_descriptors;
        let listed = std::fs::read_dir("/proc/self/fd").unwrap().count() as u64;
        assert!(open == 0 || open.abs_diff(listed) < 200, "{open} {listed}");
    }
}

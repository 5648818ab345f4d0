//! The memory of the machine, of the process and of the kernel's sockets, as the files below /proc and /sys tell it.
//! Each of them may be missing.

use std::fs;
use std::path::{Path, PathBuf};

use super::sys;

/// The objects of an idle connection on TCP, by the names of their slabs (proc(5), "slabinfo"); where a name is there
/// twice its larger one counts.
const SLABS: &[&[&str]] = &[
    &["TCP", "TCPv6"],
    &["sock_inode_cache"],
    &["filp"],
    &["dentry"],
    &["eventpoll_epi"],
    &["eventpoll_pwq"],
    &["ep_head"],
    &["lsm_inode_cache"],
    &["lsm_file_cache"],
];

/// Whose limit of memory it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// The machine's memory.
    Machine,
    /// The control group's.
    Cgroup,
    /// The process's address space (RLIMIT_AS).
    AddressSpace,
}

impl Owner {
    /// Its name in the log.
    pub fn name(self) -> &'static str {
        match self {
            Owner::Machine => "machine",
            Owner::Cgroup => "cgroup",
            Owner::AddressSpace => "address_space",
        }
    }
}

/// The kernel's sockets of TCP, all of this machine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpMemory {
    /// How many there are.
    pub sockets: u64,
    /// Their buffers.
    pub buffer_bytes: u64,
}

/// The memory in use at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// The process's resident set.
    pub rss_bytes: u64,
    /// The sockets' buffers.
    pub tcp: TcpMemory,
    /// The control group's, without files that can be read again; None: it has no limit.
    pub cgroup_bytes: Option<u64>,
}

/// A control group with a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Cgroup {
    limit: u64,
    folder: PathBuf,
    /// Whether the buffers of sockets are in its count: those of the first version leave them out.
    counts_buffers: bool,
}

/// Where the kernel tells these things.
#[derive(Clone, Debug)]
pub struct Machine {
    root: PathBuf,
    page_bytes: u64,
    cgroup: Option<Cgroup>,
}

impl Machine {
    /// This one.
    pub fn this() -> Machine {
        Machine::at(Path::new("/"), sys::page_bytes() as u64)
    }

    fn at(root: &Path, page_bytes: u64) -> Machine {
        let mut machine = Machine { root: root.to_owned(), page_bytes, cgroup: None };
        machine.cgroup = machine.find_cgroup();
        machine
    }

    fn text(&self, path: &str) -> Option<String> {
        fs::read_to_string(self.root.join(path)).ok()
    }

    /// The least memory that any of its owners leaves, and whose it is.
    pub fn available(&self) -> Option<(u64, Owner)> {
        let machine = self.total().map(|bytes| (bytes, Owner::Machine));
        let cgroup = self.cgroup.as_ref().map(|cgroup| (cgroup.limit, Owner::Cgroup));
        let space = self.address_space_left().map(|left| (left + self.rss(), Owner::AddressSpace));
        machine.into_iter().chain(cgroup).chain(space).min_by_key(|(bytes, _)| *bytes)
    }

    fn total(&self) -> Option<u64> {
        let text = self.text("proc/meminfo")?;
        Some(field(&text, "MemTotal:")? << 10)
    }

    /// Bytes of address space that the process may still have; None: there is no limit.
    pub fn address_space_left(&self) -> Option<u64> {
        let limit = sys::address_space_limit()?;
        let pages = self.text("proc/self/statm").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Some(limit.saturating_sub(pages.unwrap_or(0) * self.page_bytes))
    }

    /// The process's resident set; 0 if nobody says.
    pub fn rss(&self) -> u64 {
        let pages = self.text("proc/self/statm").and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
        pages.unwrap_or(0) * self.page_bytes
    }

    /// The sockets of TCP.
    pub fn tcp(&self) -> TcpMemory {
        let line = self
            .text("proc/net/sockstat")
            .and_then(|text| text.lines().find(|line| line.starts_with("TCP:")).map(str::to_owned));
        let line = line.unwrap_or_default();
        TcpMemory {
            sockets: field(&line, "alloc").unwrap_or(0),
            buffer_bytes: field(&line, "mem").unwrap_or(0) * self.page_bytes,
        }
    }

    /// Bytes of buffers from which on the kernel saves, the second number of `net.ipv4.tcp_mem`.
    pub fn tcp_pressure_bytes(&self) -> Option<u64> {
        let text = self.text("proc/sys/net/ipv4/tcp_mem")?;
        Some(text.split_whitespace().nth(1)?.parse::<u64>().ok()? * self.page_bytes)
    }

    /// Bytes of a socket's send buffer at the most, the third number of `net.ipv4.tcp_wmem`.
    pub fn full_socket_bytes(&self) -> Option<u64> {
        self.text("proc/sys/net/ipv4/tcp_wmem")?.split_whitespace().nth(2)?.parse().ok()
    }

    /// Bytes of an idle connection in the kernel, as its slabs are here; None: they are only for root to see.
    pub fn socket_bytes(&self) -> Option<u64> {
        let text = self.text("proc/slabinfo")?;
        let bytes = |name: &&str| {
            let line = text.lines().find(|line| line.split_whitespace().next() == Some(name))?;
            let mut numbers = line.split_whitespace().skip(4).map(|word| word.parse::<u64>().ok());
            let (per_slab, pages) = (numbers.next()??, numbers.next()??);
            (pages * self.page_bytes).checked_div(per_slab)
        };
        let largest = |names: &&[&str]| names.iter().filter_map(bytes).max();
        // Without the first there is nothing to be known; the others may go by the names of slabs like them.
        largest(&SLABS[0])?;
        Some(SLABS.iter().filter_map(largest).sum())
    }

    /// All that changes with time.
    pub fn look(&self) -> Seen {
        let tcp = self.tcp();
        let cgroup_bytes = self.cgroup.as_ref().and_then(|cgroup| {
            let buffers = if cgroup.counts_buffers { 0 } else { tcp.buffer_bytes };
            Some(self.used_by(cgroup)? + buffers)
        });
        Seen { rss_bytes: self.rss(), tcp, cgroup_bytes }
    }

    fn used_by(&self, cgroup: &Cgroup) -> Option<u64> {
        let (used, files) = match cgroup.counts_buffers {
            true => ("memory.current", "inactive_file"),
            false => ("memory.usage_in_bytes", "total_inactive_file"),
        };
        let used = number(&cgroup.folder.join(used))?;
        let stat = fs::read_to_string(cgroup.folder.join("memory.stat")).unwrap_or_default();
        Some(used.saturating_sub(field(&stat, files).unwrap_or(0)))
    }

    /// The control group with the lowest limit among the process's own and those around it.
    fn find_cgroup(&self) -> Option<Cgroup> {
        let text = self.text("proc/self/cgroup")?;
        let total = self.total().unwrap_or(u64::MAX);
        let groups = text.lines().filter_map(|line| {
            let mut parts = line.splitn(3, ':');
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            match controllers {
                "" => Some(("sys/fs/cgroup", "memory.max", path)),
                _ if controllers.split(',').any(|name| name == "memory") => {
                    Some(("sys/fs/cgroup/memory", "memory.limit_in_bytes", path))
                }
                _ => None,
            }
        });
        let found = groups.flat_map(|(top, file, path)| {
            let top = self.root.join(top);
            let own = top.join(path.trim_start_matches('/'));
            // In a container the path may be one of the machine's: what is mounted there is the container's own.
            let folders = own.ancestors().take_while(|folder| folder.starts_with(&top));
            let folders: Vec<PathBuf> = folders.map(Path::to_owned).collect();
            folders.into_iter().filter_map(move |folder| {
                let limit = number(&folder.join(file))?;
                Some(Cgroup { limit, folder, counts_buffers: file == "memory.max" })
            })
        });
        found.filter(|cgroup| cgroup.limit < total).min_by_key(|cgroup| cgroup.limit)
    }
}

/// The number in a file; None also for `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number behind a word.
fn field(text: &str, name: &str) -> Option<u64> {
    let mut words = text.split_whitespace();
    words.find(|word| *word == name)?;
    words.next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder in place of /, with these files.
    struct Root(PathBuf);

    impl Root {
        fn with(name: &str, files: &[(&str, &str)]) -> Root {
            let root =
                Root(std::env::temp_dir().join(format!("wspush-machine-{}-{name}", std::process::id())));
            for (path, text) in files {
                let path = root.0.join(path);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            root
        }

        fn machine(&self) -> Machine {
            Machine::at(&self.0, 4_096)
        }
    }

    impl Drop for Root {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    const MEMINFO: (&str, &str) = ("proc/meminfo", "MemTotal:       61440 kB\nMemFree: 1 kB\n");

    #[test]
    fn nothing_is_known_where_there_are_no_files() {
        let root = Root::with("none", &[]);
        let machine = root.machine();
        assert_eq!((machine.look(), machine.socket_bytes()), (Seen::default(), None));
        assert_eq!((machine.total(), machine.tcp_pressure_bytes()), (None, None));
    }

    #[test]
    fn the_machine_and_its_sockets() {
        let root = Root::with(
            "all",
            &[
                MEMINFO,
                ("proc/self/statm", "5000 300 200 1 0 1 0\n"),
                (
                    "proc/net/sockstat",
                    "sockets: used 9\nTCP: inuse 2 orphan 0 tw 180 alloc 7 mem 135\nUDP: inuse 0 mem 9\n",
                ),
                ("proc/sys/net/ipv4/tcp_mem", "100\t200\t300\n"),
                ("proc/sys/net/ipv4/tcp_wmem", "4096\t16384\t4194304\n"),
                (
                    "proc/slabinfo",
                    "slabinfo - version: 2.1\n\
                     TCPv6                 13     13   2496   13    8 : tunables    0    0    0\n\
                     TCP                   91    143   2368   16    8 : tunables    0    0    0\n\
                     sock_inode_cache     266    266    832   19    4 : tunables    0    0    0\n\
                     filp                 973   1008    192   21    1 : tunables    0    0    0\n\
                     dentry            273488 296058    192   21    1 : tunables    0    0    0\n\
                     eventpoll_epi        480    480    128   32    1 : tunables    0    0    0\n",
                ),
            ],
        );
        let machine = root.machine();
        let tcp = TcpMemory { sockets: 7, buffer_bytes: 135 * 4_096 };
        assert_eq!(machine.look(), Seen { rss_bytes: 300 * 4_096, tcp, cgroup_bytes: None });
        assert_eq!(
            machine.available().map(|(bytes, owner)| (bytes, owner.name())),
            Some((60 << 20, "machine"))
        );
        assert_eq!(machine.tcp_pressure_bytes(), Some(200 * 4_096));
        assert_eq!(machine.full_socket_bytes(), Some(4 << 20));
        assert_eq!(machine.socket_bytes(), Some(2_520 + 862 + 195 + 195 + 128));
    }

    #[test]
    fn of_control_groups_the_lowest_limit_counts() {
        let root = Root::with(
            "v2",
            &[
                MEMINFO,
                ("proc/self/cgroup", "0::/a/b\n"),
                ("sys/fs/cgroup/a/memory.max", "16777216\n"),
                ("sys/fs/cgroup/a/memory.current", "5000000\n"),
                ("sys/fs/cgroup/a/memory.stat", "anon 1\ninactive_file 1000000\nactive_file 5\n"),
                ("sys/fs/cgroup/a/b/memory.max", "max\n"),
                ("proc/net/sockstat", "TCP: inuse 2 orphan 0 tw 180 alloc 7 mem 1\n"),
            ],
        );
        let machine = root.machine();
        assert_eq!(machine.available(), Some((16 << 20, Owner::Cgroup)));
        assert_eq!(machine.look().cgroup_bytes, Some(4_000_000), "the buffers are in it");

        let root = Root::with(
            "v1",
            &[
                MEMINFO,
                ("proc/self/cgroup", "9:name=systemd:/\n4:cpu,memory:/of/the/machine\n0::/\n"),
                ("sys/fs/cgroup/memory/memory.limit_in_bytes", "16777216\n"),
                ("sys/fs/cgroup/memory/memory.usage_in_bytes", "5000000\n"),
                ("sys/fs/cgroup/memory/memory.stat", "inactive_file 7\ntotal_inactive_file 1000000\n"),
                ("proc/net/sockstat", "TCP: inuse 2 orphan 0 tw 180 alloc 7 mem 1\n"),
            ],
        );
        let machine = root.machine();
        assert_eq!(machine.available(), Some((16 << 20, Owner::Cgroup)));
        assert_eq!(machine.look().cgroup_bytes, Some(4_000_000 + 4_096), "the buffers come to it");

        let unlimited = [
            MEMINFO,
            ("proc/self/cgroup", "4:memory:/\n"),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
        ];
        let root = Root::with("unlimited", &unlimited);
        assert_eq!(root.machine().available(), Some((60 << 20, Owner::Machine)));
        assert_eq!(root.machine().look().cgroup_bytes, None);
    }

    #[test]
    fn this_machine_has_memory() {
        let machine = Machine::this();
        assert!(machine.available().is_some_and(|(bytes, _)| bytes > 1 << 20));
        assert!(machine.look().rss_bytes > 100_000);
    }
}

//! A real Redis server on a free port of loopback, for one test.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{PATIENCE, process, wait};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// The server. Its data are gone with it.
pub struct Redis {
    child: Child,
    at: SocketAddr,
    folder: PathBuf,
    flags: Vec<String>,
    /// Of the command line's client: how it speaks with the server.
    client: Vec<String>,
}

impl Redis {
    /// Starts it with these flags besides.
    pub fn start(flags: &[&str]) -> Redis {
        let flags = flags.iter().map(|&flag| flag.to_owned()).collect();
        Redis::start_at(fresh_address(), flags, Vec::new())
    }

    fn start_at(at: SocketAddr, flags: Vec<String>, client: Vec<String>) -> Redis {
        let folder = new_folder();
        let mut child = spawn(at, &folder, &flags);
        assert!(is_up(at, &mut child), "a Redis server");
        Redis { child, at, folder, flags, client }
    }

    /// Starts one that speaks TLS alone, with a certificate of this authority, and asks for one of it.
    #[cfg(feature = "tls")]
    pub fn start_tls(authority: &super::tls::Authority) -> Redis {
        let at = fresh_address();
        authority.make("redis", &[&at.ip().to_string()]);
        let [port, ca] = [at.port().to_string(), authority.ca()];
        let [cert, key] = ["redis.pem", "redis.key"].map(|name| authority.file(name));
        let flags = [
            ["--port", "0"],
            ["--tls-port", &port],
            ["--tls-ca-cert-file", &ca],
            ["--tls-cert-file", &cert],
            ["--tls-key-file", &key],
        ];
        let client = ["--tls", "--cacert", &ca, "--cert", &cert, "--key", &key];
        let owned = |text: &&str| (*text).to_owned();
        Redis::start_at(at, flags.iter().flatten().map(owned).collect(), client.iter().map(owned).collect())
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.client.is_empty() { "redis" } else { "rediss" }, self.at)
    }

    /// Its address.
    pub fn address(&self) -> SocketAddr {
        self.at
    }

    /// A Sentinel that watches a master, and makes a replica the master when that is gone.
    pub fn sentinel(master: &Redis, name: &str) -> Redis {
        Redis::sentinel_with(master, name, "")
    }

    /// The same with these lines in its file.
    pub fn sentinel_with(master: &Redis, name: &str, lines: &str) -> Redis {
        let folder = new_folder();
        let at = fresh_address();
        let config = folder.join("sentinel.conf");
        let text = format!(
            "port {}\nbind {}\nprotected-mode no\ndir {}\nsentinel monitor {name} {} {} 1\n\
             sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n{lines}\n",
            at.port(),
            at.ip(),
            folder.display(),
            master.at.ip(),
            master.at.port()
        );
        std::fs::write(&config, text).expect("its file");
        let mut command = Command::new("redis-server");
        command.arg(&config).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().expect("redis-server is installed");
        assert!(is_up(at, &mut child), "a Sentinel");
        Redis { child, at, folder, flags: Vec::new(), client: Vec::new() }
    }

    /// So many masters of a Redis Cluster.
    pub fn cluster(count: usize) -> Vec<Redis> {
        let start = |_| {
            let at = fresh_address();
            let ip = at.ip().to_string();
            let flags =
                ["--cluster-enabled", "yes", "--cluster-announce-ip", &ip, "--cluster-node-timeout", "2000"];
            Redis::start_at(at, flags.iter().map(|&flag| flag.to_owned()).collect(), Vec::new())
        };
        let masters: Vec<Redis> = (0..count).map(start).collect();
        let mut command = Command::new("redis-cli");
        command.args(["--cluster", "create"]).args(masters.iter().map(|master| master.at.to_string()));
        let made =
            command.arg("--cluster-yes").stdin(Stdio::null()).output().expect("redis-cli is installed");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        wait("a Redis Cluster", || {
            masters.iter().all(|master| master.cli(&["CLUSTER", "INFO"]).contains("cluster_state:ok"))
        });
        masters
    }

    /// The command line's client: what it says.
    pub fn cli(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command
            .args(["-h", &self.at.ip().to_string(), "-p", &self.at.port().to_string()])
            .args(&self.client)
            .args(words)
            .output();
        String::from_utf8_lossy(&output.expect("redis-cli is installed").stdout).trim().to_owned()
    }

    /// Sends it a signal.
    pub fn signal(&self, name: &str) {
        process::signal(self.child.id(), name);
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.child.wait().expect("a child");
    }

    /// Starts it again, at the same port.
    pub fn restart(&mut self) {
        let mut child = spawn(self.at, &self.folder, &self.flags);
        assert!(is_up(self.at, &mut child), "it starts again");
        self.child = child;
    }

    /// Loses its data, while it is not running.
    pub fn lose_data(&self) {
        std::fs::remove_dir_all(&self.folder).expect("its folder");
        std::fs::create_dir_all(&self.folder).expect("a folder");
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn new_folder() -> PathBuf {
    let number = FOLDERS.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("wspush-redis-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// An address of this machine that no other test has, so that a server which is started again finds its port free.
fn fresh_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, number] = u16::try_from(NEXT.fetch_add(1, Ordering::Relaxed) % 64).expect("small").to_be_bytes();
    let [.., high, low] = std::process::id().to_be_bytes();
    SocketAddr::from(([127, 64 | number, high, low | 1], 16_379 + u16::from(low & 1)))
}

fn spawn(at: SocketAddr, folder: &PathBuf, flags: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command
        .args(["--port", &at.port().to_string(), "--bind", &at.ip().to_string(), "--save", "", "--dir"])
        .arg(folder);
    command.args([
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
        "--daemonize",
        "no",
        "--protected-mode",
        "no",
    ]);
    command.args(["--replica-announce-ip", &at.ip().to_string()]);
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed (./test does it)")
}

/// Whether it takes connections. False: it has ended.
fn is_up(at: SocketAddr, child: &mut Child) -> bool {
    let mut is_up = false;
    wait("a Redis server", || {
        let has_ended = child.try_wait().expect("a child").is_some();
        is_up = !has_ended && std::net::TcpStream::connect_timeout(&at, PATIENCE).is_ok();
        is_up || has_ended
    });
    is_up
}

//! A real Redis server on a free port of loopback, for one test.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use super::{PATIENCE, process, wait};

static FOLDERS: AtomicU32 = AtomicU32::new(0);

/// The server. Its data are gone with it.
pub struct Redis {
    child: Child,
    port: u16,
    folder: PathBuf,
    flags: Vec<String>,
}

impl Redis {
    /// Starts it with these flags besides.
    pub fn start(flags: &[&str]) -> Redis {
        let folder = new_folder();
        let flags: Vec<String> = flags.iter().map(|&flag| flag.to_owned()).collect();
        let mut port = free_port();
        let mut child = spawn(port, &folder, &flags);
        // Somebody else may have taken the port meanwhile.
        for _ in 0..20 {
            if is_up(port, &mut child) {
                break;
            }
            port = free_port();
            child = spawn(port, &folder, &flags);
        }
        Redis { child, port, folder, flags }
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// A Sentinel that watches a master, and makes a replica the master when that is gone.
    pub fn sentinel(master: &Redis, name: &str) -> Redis {
        let folder = new_folder();
        let port = free_port();
        let config = folder.join("sentinel.conf");
        let text = format!(
            "port {port}\nbind 127.0.0.1\ndir {}\nsentinel monitor {name} 127.0.0.1 {} 1\n\
             sentinel down-after-milliseconds {name} 500\nsentinel failover-timeout {name} 3000\n",
            folder.display(),
            master.port
        );
        std::fs::write(&config, text).expect("its file");
        let mut command = Command::new("redis-server");
        command.arg(&config).arg("--sentinel").stdin(Stdio::null()).stdout(Stdio::null());
        let mut child = command.stderr(Stdio::null()).spawn().expect("redis-server is installed");
        assert!(is_up(port, &mut child), "a Sentinel");
        Redis { child, port, folder, flags: Vec::new() }
    }

    /// The command line's client: what it says.
    pub fn cli(&self, words: &[&str]) -> String {
        let mut command = Command::new("redis-cli");
        let output = command.args(["-p", &self.port.to_string()]).args(words).output();
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
        let mut child = spawn(self.port, &self.folder, &self.flags);
        assert!(is_up(self.port, &mut child), "it starts again");
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

fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

fn spawn(port: u16, folder: &PathBuf, flags: &[String]) -> Child {
    let mut command = Command::new("redis-server");
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--dir"]).arg(folder);
    command.args(["--appendonly", "yes", "--appendfsync", "always", "--daemonize", "no"]);
    command.args(flags).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().expect("redis-server is installed (./test does it)")
}

/// Whether it takes connections. False: it has ended.
fn is_up(port: u16, child: &mut Child) -> bool {
    let address: SocketAddr = format!("127.0.0.1:{port}").parse().expect("an address");
    let mut is_up = false;
    wait("a Redis server", || {
        let has_ended = child.try_wait().expect("a child").is_some();
        is_up = !has_ended && std::net::TcpStream::connect_timeout(&address, PATIENCE).is_ok();
        is_up || has_ended
    });
    is_up
}

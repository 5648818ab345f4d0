//! The real daemon with its demo, on free ports.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;

/// A running daemon, ended when dropped.
pub struct Daemon {
    child: Child,
    /// Where the page is.
    pub public: SocketAddr,
    /// Where pushes are taken.
    pub admin: SocketAddr,
}

/// A daemon that was stopped.
pub struct Stopped {
    public: SocketAddr,
    admin: SocketAddr,
}

impl Daemon {
    /// Starts one.
    pub fn start() -> Daemon {
        Daemon::start_with(&[])
    }

    /// Starts one with these flags besides.
    pub fn start_with(flags: &[&str]) -> Daemon {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        Daemon::at(any, any, flags)
    }

    fn at(public: SocketAddr, admin: SocketAddr, flags: &[&str]) -> Daemon {
        let mut child = Command::new(env!("CARGO_BIN_EXE_wspushd"))
            .args(["--demo", "--listen", &public.to_string(), "--admin", &admin.to_string()])
            .args(["--max-connections", "100"])
            .args(flags)
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap());
        let mut listening = || {
            let mut line = String::new();
            log.read_line(&mut line).unwrap();
            let address = line.split("address=").nth(1).and_then(|rest| rest.split_whitespace().next());
            address.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no address in {line:?}"))
        };
        let (public, admin) = (listening(), listening());
        // Read on, so that the daemon never waits for us.
        thread::spawn(move || std::io::copy(&mut log, &mut std::io::sink()));
        Daemon { child, public, admin }
    }

    /// Pushes to everyone; returns the answer.
    pub fn push(&self, content_type: &str, message: &[u8]) -> String {
        let head = format!(
            "POST /push HTTP/1.1\r\nHost: {}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\
             Connection: close\r\n\r\n",
            self.admin,
            message.len()
        );
        let mut stream = TcpStream::connect(self.admin).unwrap();
        stream.write_all(&[head.as_bytes(), message].concat()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        answer
    }

    /// Ends it as a service manager does.
    pub fn stop(mut self) -> Stopped {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success(), "drained");
        Stopped { public: self.public, admin: self.admin }
    }
}

impl Stopped {
    /// Starts it at the same addresses.
    pub fn start_again(self) -> Daemon {
        Daemon::at(self.public, self.admin, &[])
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

//! Listening sockets that a daemon inherits, as from systemd: the test holds them, so it knows where they listen
//! whatever the daemon says, and they outlive it.

use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, BorrowedFd};
use std::process::{Command, Stdio};

/// A public and an admin one.
pub struct Sockets {
    pub public: TcpListener,
    pub admin: TcpListener,
}

impl Sockets {
    /// On free ports.
    pub fn bind() -> Sockets {
        let bind = || TcpListener::bind("127.0.0.1:0").expect("a free port");
        Sockets { public: bind(), admin: bind() }
    }

    pub fn public_address(&self) -> SocketAddr {
        self.public.local_addr().expect("an address")
    }

    pub fn admin_address(&self) -> SocketAddr {
        self.admin.local_addr().expect("an address")
    }

    /// A daemon that gets both, by the protocol of sd_listen_fds(3); a shell moves them to the numbers 3 and 4 and
    /// does what else `redirections` say.
    pub fn command(&self, redirections: &str) -> Command {
        let mut command = Sockets::command_with(&self.public, &self.admin, redirections);
        let (listen, admin) = (self.public_address().to_string(), self.admin_address().to_string());
        command.args(["--listen", &listen, "--admin", &admin]);
        command
    }

    /// The same without telling the daemon any address.
    pub fn command_with(third: &impl AsFd, fourth: &impl AsFd, redirections: &str) -> Command {
        let script = format!(
            "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$@\" 3<&0 4<&1 </dev/null >/dev/null {redirections}"
        );
        let mut command = Command::new("sh");
        let copy = |listener: BorrowedFd<'_>| listener.try_clone_to_owned().expect("a descriptor");
        command
            .args(["-c", &script, "sh", env!("CARGO_BIN_EXE_wspushd")])
            .stdin(Stdio::from(copy(third.as_fd())))
            .stdout(Stdio::from(copy(fourth.as_fd())));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WSPUSH_")) {
            command.env_remove(name);
        }
        command
    }
}

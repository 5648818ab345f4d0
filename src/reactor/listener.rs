//! A listening socket, TCP or Unix.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use socket2::{Domain, Socket, Type};

use crate::endpoint::Kind;

use super::reactor::ListenerRole;
use super::socket::Stream;
use super::sys;
use super::unix_path::Place;

/// Connections that the kernel keeps ready for us; it takes the smaller of this and net.core.somaxconn.
pub(super) const BACKLOG: i32 = 65_535;

/// How long the kernel may hold back a connection that says nothing.
const DEFER_SECONDS: i32 = 1;

/// Where a listener listens.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum ListenAddr {
    /// TCP.
    Tcp(SocketAddr),
    /// A path.
    Unix(PathBuf),
}

impl fmt::Display for ListenAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAddr::Tcp(address) => address.fmt(f),
            ListenAddr::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// A listener. Its Unix-domain path goes with it.
#[derive(Debug)]
pub struct Listener {
    /// The path, if it is ours. It goes first: as long as the socket is there no other file has its inode.
    #[cfg_attr(not(feature = "handover"), allow(dead_code, reason = "it is there to be dropped"))]
    place: Option<Place>,
    pub(super) socket: Socket,
    address: ListenAddr,
    pub(super) role: ListenerRole,
    /// Whether those who come in speak TLS.
    pub(super) tls: bool,
    /// Whether proxies say first for whom they speak.
    pub(super) proxy: bool,
    /// The kind of its admin connections.
    pub(super) kind: Kind,
    /// The poll has reported connections, and they were not all taken yet.
    pub(super) waiting: bool,
    /// No descriptors were left; when to try again even if none of ours is closed.
    pub(super) retry_ms: Option<u64>,
    /// Accepting was stopped, and nothing has been accepted since.
    pub(super) paused: bool,
    /// Where its socket came from.
    origin: Origin,
}

/// Whether others may listen on the same address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sharing {
    /// They may not.
    Alone,
    /// A predecessor and a successor may (`reuseport`).
    WithSuccessor,
}

/// Where a listener's socket came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Origin {
    /// It was bound here, for this server alone.
    Bound,
    /// It was bound here, and others may listen on the same address (`reuseport`).
    Shared,
    /// The program that started the process has bound it (systemd's socket activation), and keeps it open.
    Inherited,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Origin::Bound => "bound",
            Origin::Shared => "shared",
            Origin::Inherited => "inherited",
        })
    }
}

impl Listener {
    /// Listens. Port 0 takes a free port, which [`address`](Self::address) then tells. If the address may be shared, a
    /// predecessor that was started so as well may still be listening there.
    pub fn bind(address: &ListenAddr, role: ListenerRole, sharing: Sharing) -> io::Result<Listener> {
        let origin = if sharing == Sharing::Alone { Origin::Bound } else { Origin::Shared };
        let (socket, address, place) = match address {
            ListenAddr::Tcp(address) => {
                let socket = bind_tcp(*address, sharing)?;
                let bound = socket.local_addr()?.as_socket().unwrap_or(*address);
                (socket, ListenAddr::Tcp(bound), None)
            }
            ListenAddr::Unix(path) => {
                let (socket, place) = Place::take(path, sharing)?;
                (socket, address.clone(), Some(place))
            }
        };
        Ok(Listener::new(socket, address, role, origin, place))
    }

    fn new(
        socket: Socket,
        address: ListenAddr,
        role: ListenerRole,
        origin: Origin,
        place: Option<Place>,
    ) -> Listener {
        let kind = if matches!(address, ListenAddr::Unix(_)) { Kind::LOCAL } else { Kind::PUSH };
        Listener {
            kind,
            place,
            socket,
            address,
            role,
            tls: false,
            proxy: false,
            waiting: false,
            retry_ms: None,
            paused: false,
            origin,
        }
    }

    /// Listens on a socket that was there when the process started.
    pub fn inherit(socket: Socket, address: &ListenAddr, role: ListenerRole) -> io::Result<Listener> {
        socket.set_nonblocking(true)?;
        if let ListenAddr::Tcp(_) = address {
            socket.set_tcp_nodelay(true)?;
            sys::defer_accept(&socket, DEFER_SECONDS)?;
        }
        Ok(Listener::new(socket, address.clone(), role, Origin::Inherited, None))
    }

    /// Listens no more, even if a forked child has a copy of the socket; an inherited one is not ours to end.
    pub(super) fn stop(&self) {
        if self.origin == Origin::Shared {
            sys::steer_no_more(&self.socket);
        }
        if self.origin != Origin::Inherited {
            // It fails where nobody listens any more, and that is what is wanted.
            let _ = self.socket.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Where its socket came from.
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// Lets the successor on the same address have the connections that come from now on, as far as the kernel can
    /// be told so. Those on their way to this socket still have to be accepted.
    pub(super) fn hand_over(&self) -> io::Result<()> {
        match (self.origin, &self.address) {
            (Origin::Shared, ListenAddr::Tcp(_)) => sys::steer_to_successor(&self.socket),
            _ => Ok(()),
        }
    }

    /// Where it listens.
    pub fn address(&self) -> &ListenAddr {
        &self.address
    }

    /// The mode of the path that it was bound to by whoever started the process.
    pub fn inherited_mode(&self) -> Option<u32> {
        match &self.address {
            ListenAddr::Unix(path) if self.origin == Origin::Inherited => {
                let metadata = std::fs::metadata(path).ok()?;
                Some(metadata.permissions().mode() & 0o777)
            }
            _ => None,
        }
    }

    /// Its address, if it is a TCP one.
    pub fn tcp_address(&self) -> Option<SocketAddr> {
        match self.address {
            ListenAddr::Tcp(address) => Some(address),
            ListenAddr::Unix(_) => None,
        }
    }

    /// Whether it is the one that a configuration asks for; a port that was to be any one is whichever it became.
    pub fn serves(&self, wanted: &ListenAddr, role: ListenerRole) -> bool {
        let is_there = match (&self.address, wanted) {
            (ListenAddr::Tcp(here), ListenAddr::Tcp(wanted)) if wanted.port() == 0 => {
                here.ip() == wanted.ip()
            }
            (here, wanted) => here == wanted,
        };
        is_there && self.role == role
    }

    /// Whether it is the admin listener.
    pub fn is_admin(&self) -> bool {
        self.role == ListenerRole::Admin
    }

    /// Lets those who come in speak TLS.
    pub fn with_tls(mut self, tls: bool) -> Listener {
        self.tls = tls;
        self
    }

    /// Lets proxies say first for whom they speak.
    pub fn with_proxy(mut self, proxy: bool) -> Listener {
        self.proxy = proxy;
        self
    }

    /// Has nothing but numbers.
    pub fn with_numbers_only(mut self) -> Listener {
        self.kind = Kind::NUMBERS;
        self
    }

    /// Whether it has more than numbers.
    pub fn has_all(&self) -> bool {
        self.kind != Kind::NUMBERS
    }

    /// Gives its path a mode and a group. Nobody has connected yet, and it was its owner's alone until now.
    pub fn open_to(&self, mode: u32, group: Option<u32>) -> io::Result<()> {
        let ListenAddr::Unix(path) = &self.address else { return Ok(()) };
        if group.is_some() {
            std::os::unix::fs::chown(path, None, group)?;
        }
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
    }

    /// Whether they do that.
    pub fn speaks_proxy(&self) -> bool {
        self.proxy
    }

    /// Whether they do.
    pub fn speaks_tls(&self) -> bool {
        self.tls
    }

    /// Takes the next connection that waits.
    pub(super) fn accept(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        match self.socket.accept4(libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC) {
            Err(e) if e.raw_os_error() == Some(libc::ENOSYS) => self.accept_in_steps(),
            taken => taken.map(|(socket, peer)| (Stream(socket), peer.as_socket())),
        }
    }

    /// The same where there is no accept4: in a sandbox that does not know it, or on a very old kernel.
    fn accept_in_steps(&self) -> io::Result<(Stream, Option<SocketAddr>)> {
        let socket = Socket::from(sys::accept(&self.socket)?);
        socket.set_cloexec(true)?;
        socket.set_nonblocking(true)?;
        // One that has gone meanwhile has no address, and shows so when it is read.
        let peer = socket.peer_addr().ok().and_then(|peer| peer.as_socket());
        Ok((Stream(socket), peer))
    }
}

fn bind_tcp(address: SocketAddr, sharing: Sharing) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), None)?;
    socket.set_reuse_address(true)?;
    // Kernels before 3.9 don't know it.
    if sharing == Sharing::WithSuccessor {
        socket.set_reuse_port(true)?;
    }
    if address.is_ipv6() {
        // [::] and 0.0.0.0 are two listeners, whatever net.ipv6.bindv6only says.
        socket.set_only_v6(true)?;
    }
    // Accepted sockets inherit it: no system call for each.
    socket.set_tcp_nodelay(true)?;
    sys::defer_accept(&socket, DEFER_SECONDS)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket)
}

#[cfg(feature = "handover")]
mod image;
#[cfg(feature = "handover")]
pub use image::ListenerImage;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_is_told() {
        let listener = Listener::bind(
            &ListenAddr::Tcp("127.0.0.1:0".parse().unwrap()),
            ListenerRole::Public,
            Sharing::Alone,
        )
        .unwrap();
        let ListenAddr::Tcp(address) = *listener.address() else { panic!("not TCP") };
        assert_ne!(address.port(), 0);
        let again = Listener::bind(listener.address(), ListenerRole::Public, Sharing::Alone);
        assert_eq!(again.unwrap_err().kind(), io::ErrorKind::AddrInUse);
    }
}

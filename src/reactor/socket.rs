//! The seam between the reactor and the network: what it asks of a connection, and nothing more.

use std::io;
use std::net::SocketAddr;

/// A connected, non-blocking byte stream. The kernel's sockets implement it (see [`Stream`]), and a simulator's.
///
/// `WouldBlock` means what it means in the kernel: nothing was done, and readiness will be reported again.
pub trait Socket {
    /// Reads what is there. `Ok(0)`: the peer has closed its side.
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize>;

    /// Writes as much of `first` and then of `second` as the socket takes, in one system call.
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize>;

    /// Says that nothing more will be written.
    fn finish(&mut self) -> io::Result<()>;

    /// The peer's address, where there is one.
    fn peer(&self) -> Option<SocketAddr>;
}

/// A TCP or Unix-domain stream: a descriptor, four bytes.
#[derive(Debug)]
pub struct Stream(pub socket2::Socket);

/// Never a signal, never a wait, whatever the host process has set.
const FLAGS: i32 = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;

impl Socket for Stream {
    #[inline]
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        use std::io::Read;
        loop {
            match (&self.0).read(buf) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }

    #[inline]
    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        loop {
            let result = if second.is_empty() {
                self.0.send_with_flags(first, FLAGS)
            } else {
                let both = [io::IoSlice::new(first), io::IoSlice::new(second)];
                self.0.send_vectored_with_flags(&both, FLAGS)
            };
            match result {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                result => return result,
            }
        }
    }

    fn finish(&mut self) -> io::Result<()> {
        self.0.shutdown(std::net::Shutdown::Write)
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.0.peer_addr().ok()?.as_socket()
    }
}

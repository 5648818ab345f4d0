//! The seam between the reactor and the network: what it asks of a connection, and nothing more.

use std::io;
use std::net::SocketAddr;

use super::ktls::{self, Keys};
use super::sys::{self, Direction};

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

    /// A socket without a peer, for a connection whose bytes are fetched.
    fn nowhere() -> io::Result<Self>
    where
        Self: Sized,
    {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Bytes written that the peer has not taken yet.
    fn untaken(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Lets the connection break when bytes written have not been taken for so long. The kernel gives up by itself as
    /// well, but after a quarter of an hour.
    fn set_untaken_ms_max(&mut self, _ms: u32) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Puts the connection under the kernel's TLS; without keys nothing changes for it.
    fn attach_tls(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives the kernel the keys of one direction. From then on `recv` or `send` are of what is said within TLS.
    fn install_keys(&mut self, _direction: Direction, _keys: &Keys) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Reads like `recv`, but also what is no application data, for which `recv` fails with EIO; tells which it is.
    fn recv_record(&mut self, _buf: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Has the kernel's TLS send a record of this content type.
    fn send_record(&mut self, _content_type: u8, _bytes: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Records that the kernel's TLS may still send under the keys that it has.
    fn records_left(&self) -> io::Result<u64> {
        Err(io::ErrorKind::Unsupported.into())
    }
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
                Err(e) if e.raw_os_error() == Some(libc::EBADMSG) => {
                    // The kernel could not decrypt, and would let the next call fail as well: an alert, say.
                    let _ = self.0.take_error();
                    return Err(e);
                }
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

    fn nowhere() -> io::Result<Stream> {
        let (own, _) = socket2::Socket::pair(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
        own.set_nonblocking(true)?;
        Ok(Stream(own))
    }

    fn untaken(&self) -> io::Result<u64> {
        sys::untaken(&self.0)
    }

    fn set_untaken_ms_max(&mut self, ms: u32) -> io::Result<()> {
        self.0.set_tcp_user_timeout(Some(std::time::Duration::from_millis(ms.into())))
    }

    fn attach_tls(&mut self) -> io::Result<()> {
        sys::attach_tls(&self.0)
    }

    fn install_keys(&mut self, direction: Direction, keys: &Keys) -> io::Result<()> {
        keys.install(&self.0, direction)
    }

    fn recv_record(&mut self, buf: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
        sys::recv_record(&self.0, buf)
    }

    fn send_record(&mut self, content_type: u8, bytes: &[u8]) -> io::Result<usize> {
        let (control, parts) = (sys::record_type(content_type), [io::IoSlice::new(bytes)]);
        self.0.sendmsg(&socket2::MsgHdr::new().with_buffers(&parts).with_control(&control), FLAGS)
    }

    fn records_left(&self) -> io::Result<u64> {
        ktls::records_left(&self.0)
    }
}

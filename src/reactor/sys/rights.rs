//! Descriptors that go from one process to another (SCM_RIGHTS), and who that is.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use crate::narrow;

/// A message carries no more of them (the kernel's SCM_MAX_FD).
pub const RIGHTS_MAX: usize = 253;

/// The kernel's `struct cmsghdr`: a length of the size of a pointer, and two ints.
const HEADER_BYTES: usize = size_of::<usize>() + 8;

/// The control message that carries these descriptors.
pub fn rights(fds: &[RawFd]) -> Vec<u8> {
    assert!(fds.len() <= RIGHTS_MAX, "a message carries no more");
    let len = HEADER_BYTES + size_of_val(fds);
    let mut control = Vec::with_capacity(len.next_multiple_of(size_of::<usize>()));
    control.extend_from_slice(&len.to_ne_bytes());
    control.extend_from_slice(&libc::SOL_SOCKET.to_ne_bytes());
    control.extend_from_slice(&libc::SCM_RIGHTS.to_ne_bytes());
    fds.iter().for_each(|fd| control.extend_from_slice(&fd.to_ne_bytes()));
    control.resize(len.next_multiple_of(size_of::<usize>()), 0);
    control
}

/// Reads bytes from a connected Unix-domain socket, and adds the descriptors that come with them to `fds`.
pub fn recv(socket: &impl AsRawFd, buf: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    // Words, so that it is aligned as a cmsghdr is.
    let mut control = [0usize; (HEADER_BYTES + RIGHTS_MAX * size_of::<RawFd>()).div_ceil(size_of::<usize>())];
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: a msghdr is pointers and numbers, for all of which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut control).cast();
    message.msg_controllen = size_of_val(&control) as _;
    // SAFETY: `message` names two buffers with their lengths, which outlive the call; every byte that the kernel may
    // write into them is a valid one for their types.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    let bytes: Vec<u8> = control.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let told = (message.msg_controllen as usize).min(bytes.len());
    for fd in numbers(&bytes[..told]) {
        // SAFETY: the kernel has just made this descriptor for us, so it is open and nobody else's.
        fds.push(unsafe { OwnedFd::from_raw_fd(fd) });
    }
    if message.msg_flags & libc::MSG_CTRUNC != 0 {
        return Err(io::Error::other(
            "descriptors were lost on the way: there is no room for more (ulimit -n)",
        ));
    }
    Ok(n as usize)
}

/// The descriptors in the control messages that the kernel has written.
fn numbers(mut control: &[u8]) -> Vec<RawFd> {
    let mut fds = Vec::new();
    while let Some((header, _)) = control.split_at_checked(HEADER_BYTES) {
        let (len, kind) = header.split_at(size_of::<usize>());
        let len = usize::from_ne_bytes(len.try_into().unwrap_or_default());
        let Some(data) = control.get(HEADER_BYTES..len) else { break };
        let is_rights = kind == [libc::SOL_SOCKET.to_ne_bytes(), libc::SCM_RIGHTS.to_ne_bytes()].concat();
        if is_rights {
            let each = data.chunks_exact(size_of::<RawFd>());
            fds.extend(each.map(|fd| RawFd::from_ne_bytes(fd.try_into().unwrap_or_default())));
        }
        control = control.get(len.next_multiple_of(size_of::<usize>())..).unwrap_or_default();
    }
    fds
}

/// The user that the process at the other end of a Unix-domain socket had when it connected.
pub fn peer_user(socket: &impl AsRawFd) -> io::Result<u32> {
    peer(socket).map(|peer| peer.uid)
}

/// That process.
pub fn peer_process(socket: &impl AsRawFd) -> Option<u32> {
    peer(socket).ok().and_then(|peer| u32::try_from(peer.pid).ok()).filter(|process| *process != 0)
}

fn peer(socket: &impl AsRawFd) -> io::Result<libc::ucred> {
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = narrow::to_u32(size_of::<libc::ucred>());
    // SAFETY: the kernel writes at most `size` bytes, and that is the size of `peer`, for which any numbers are valid.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut peer).cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(peer) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    use super::*;
    use crate::reactor::sys::user;

    #[test]
    fn descriptors_come_over_and_bytes_with_them() {
        let (ours, theirs) = UnixStream::pair().unwrap();
        let (mut near, far) = UnixStream::pair().unwrap();
        let many: Vec<RawFd> = vec![far.as_raw_fd(); RIGHTS_MAX];
        let message = [io::IoSlice::new(b"abc")];
        for fds in [&many[..1], &many[..], &[]] {
            let control = rights(fds);
            let mut header = socket2::MsgHdr::new().with_buffers(&message);
            if !fds.is_empty() {
                header = header.with_control(&control);
            }
            assert_eq!(socket2::SockRef::from(&ours).sendmsg(&header, 0).unwrap(), 3);
            let (mut buf, mut taken) = ([0; 2], Vec::new());
            assert_eq!(recv(&theirs, &mut buf, &mut taken).unwrap(), 2);
            assert_eq!((taken.len(), &buf), (fds.len(), b"ab"));
            assert_eq!(recv(&theirs, &mut buf, &mut taken).unwrap(), 1);
            assert_eq!(taken.len(), fds.len(), "each comes once");
            if let Some(fd) = taken.pop() {
                UnixStream::from(fd).write_all(b"through").unwrap();
                let mut said = [0; 7];
                near.read_exact(&mut said).unwrap();
                assert_eq!(&said, b"through");
            }
        }
        assert_eq!(peer_user(&theirs).unwrap(), user());
    }

    #[test]
    fn what_is_no_control_message_has_no_descriptors() {
        for control in [&[][..], &[0; 5], &[0; 64], &[0xff; 64]] {
            assert!(numbers(control).is_empty());
        }
    }
}

//! The few things asked of the kernel that mio and socket2 do not offer. The only `unsafe` outside the C ABI.
#![allow(unsafe_code)]

mod calendar;
pub mod cpus;

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

pub use calendar::calendar;

use crate::narrow;

#[cfg(feature = "handover")]
pub mod rights;

/// A way through a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From us to the peer.
    Send,
    /// From the peer to us.
    Receive,
}

/// Raises the soft limit of open descriptors to the hard one and returns it.
pub fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit64 for the kernel to fill.
    if unsafe { libc::getrlimit64(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur < limit.rlim_max {
        let raised = libc::rlimit64 { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
        // SAFETY: `raised` is a valid rlimit64 that the kernel only reads.
        if unsafe { libc::setrlimit64(libc::RLIMIT_NOFILE, &raw const raised) } == 0 {
            limit.rlim_cur = limit.rlim_max;
        }
    }
    Ok(limit.rlim_cur)
}

/// The process's limit of address space; None: there is none.
pub fn address_space_limit() -> Option<u64> {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit64 for the kernel to fill.
    let result = unsafe { libc::getrlimit64(libc::RLIMIT_AS, &raw mut limit) };
    (result == 0 && limit.rlim_cur != libc::RLIM64_INFINITY).then_some(limit.rlim_cur)
}

/// Blocks all signals in this thread: they belong to the host's.
pub fn block_signals() {
    // SAFETY: sigfillset fills the set that it is given, which pthread_sigmask only reads.
    unsafe {
        let mut all = std::mem::zeroed::<libc::sigset_t>();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_BLOCK, &raw const all, std::ptr::null_mut());
    }
}

/// Lets the kernel hold a new connection back until its first bytes are there (TCP_DEFER_ACCEPT), for about
/// this long: accepting then finds the request waiting, and a silent peer costs no descriptor.
pub fn defer_accept(listener: &impl AsRawFd, seconds: i32) -> io::Result<()> {
    let size = narrow::to_u32(size_of::<i32>());
    // SAFETY: the option takes an int; pointer and size are those of `seconds`, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_DEFER_ACCEPT,
            (&raw const seconds).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes a connection that waits, by the oldest call for it.
pub fn accept(listener: &impl AsRawFd) -> io::Result<OwnedFd> {
    // SAFETY: without a place for it the peer's address is not written anywhere.
    let fd = unsafe { libc::accept(listener.as_raw_fd(), std::ptr::null_mut(), std::ptr::null_mut()) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: accept has just made it, so it is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// In a group of two sockets on one port (SO_REUSEPORT) the elder is number 0 and its successor number 1: a program
/// of one instruction, "always 1", gives the successor every connection from now on. Without a successor there is no
/// number 1, and the kernel goes on as before.
pub fn steer_to_successor(listener: &impl AsRawFd) -> io::Result<()> {
    const RETURN_CONSTANT: u16 = 0x06;
    let mut always_1 = [libc::sock_filter { code: RETURN_CONSTANT, jt: 0, jf: 0, k: 1 }];
    let program = libc::sock_fprog { len: 1, filter: always_1.as_mut_ptr() };
    let size = narrow::to_u32(size_of::<libc::sock_fprog>());
    // SAFETY: the option takes a sock_fprog; it, and the one instruction that it points to, outlive the call.
    let result = unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Takes that program away again, if there is one.
pub fn steer_no_more(listener: &impl AsRawFd) {
    const SO_DETACH_REUSEPORT_BPF: i32 = 68;
    let (nothing, size) = (0i32, narrow::to_u32(size_of::<i32>()));
    // SAFETY: the option ignores its value; pointer and size are those of `nothing`, which outlives the call. That it
    // fails where no program is attached does not matter.
    unsafe {
        libc::setsockopt(
            listener.as_raw_fd(),
            libc::SOL_SOCKET,
            SO_DETACH_REUSEPORT_BPF,
            (&raw const nothing).cast(),
            size,
        );
    }
}

/// Bytes in a socket's send queue, which the peer has not acknowledged (SIOCOUTQ, as TIOCOUTQ is called for sockets).
pub fn untaken(socket: &impl AsRawFd) -> io::Result<u64> {
    let mut bytes: libc::c_int = 0;
    // SAFETY: the request takes a pointer to an int that the kernel fills; `bytes` outlives the call.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
    if result == 0 { Ok(u64::try_from(bytes).unwrap_or(0)) } else { Err(io::Error::last_os_error()) }
}

/// `struct tls_crypto_info` and what follows it, as setsockopt(2) takes and getsockopt(2) gives it (linux/tls.h): the
/// largest is that of AES-256-GCM and of ChaCha20-Poly1305.
pub const TLS_KEYS_MAX: usize = 56;

/// Puts a connected TCP socket under the kernel's TLS (TCP_ULP). Without keys nothing changes for it. ENOENT: there
/// is none, or its module is not loaded and this process may not have it loaded.
pub fn attach_tls(socket: &impl AsRawFd) -> io::Result<()> {
    set_option(socket, libc::IPPROTO_TCP, libc::TCP_ULP, b"tls")
}

/// The kernel's TLS option for the keys of what is sent, or of what is received.
fn tls_option(direction: Direction) -> i32 {
    match direction {
        Direction::Send => 1,    // TLS_TX
        Direction::Receive => 2, // TLS_RX
    }
}

/// Gives the kernel the keys of one direction: `struct tls_crypto_info` and what belongs to its cipher.
pub fn set_tls_keys(socket: &impl AsRawFd, direction: Direction, keys: &[u8]) -> io::Result<()> {
    set_option(socket, libc::SOL_TLS, tls_option(direction), keys)
}

fn set_option(socket: &impl AsRawFd, level: i32, option: i32, value: &[u8]) -> io::Result<()> {
    let size = narrow::to_u32(value.len());
    // SAFETY: the three options of the callers take bytes without pointers in them, and the kernel only reads them;
    // pointer and size are those of `value`, which outlives the call.
    let result = unsafe { libc::setsockopt(socket.as_raw_fd(), level, option, value.as_ptr().cast(), size) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Reads the kernel's keys of one direction into `keys`, which must have been made as long as what was set; the last
/// eight bytes are the number of the next record.
pub fn tls_keys(socket: &impl AsRawFd, direction: Direction, keys: &mut [u8]) -> io::Result<()> {
    let mut size = narrow::to_u32(keys.len());
    // SAFETY: the kernel writes at most `size` bytes, and that is the length of `keys`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_TLS,
            tls_option(direction),
            keys.as_mut_ptr().cast(),
            &raw mut size,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// The kernel's `struct cmsghdr` with the one byte that TLS_GET_RECORD_TYPE and TLS_SET_RECORD_TYPE carry.
#[repr(C)]
#[derive(Debug)]
struct RecordType {
    length: usize,
    level: i32,
    option: i32,
    content_type: u8,
}

/// Reads from a socket under the kernel's TLS: bytes of one content type (RFC 8446 section 5.1), and which that is. The
/// type is None where the socket has no receive keys. Waits if the socket does.
pub fn recv_record(socket: &impl AsRawFd, buf: &mut [u8]) -> io::Result<(usize, Option<u8>)> {
    const TLS_GET_RECORD_TYPE: i32 = 2;
    let mut record = RecordType { length: 0, level: 0, option: 0, content_type: 0 };
    let mut part = libc::iovec { iov_base: buf.as_mut_ptr().cast(), iov_len: buf.len() };
    // SAFETY: a msghdr is pointers and numbers, for all of which zero is a value.
    let mut message: libc::msghdr = unsafe { std::mem::zeroed() };
    message.msg_iov = &raw mut part;
    message.msg_iovlen = 1;
    message.msg_control = (&raw mut record).cast();
    message.msg_controllen = size_of::<RecordType>() as _;
    // SAFETY: `message` names two buffers with their lengths, which outlive the call; every byte that the kernel may
    // write into them is a valid one for their types.
    let n = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_DONTWAIT) };
    if n < 0 {
        return Err(io::Error::last_os_error());
    }
    let told = message.msg_controllen as usize > std::mem::offset_of!(RecordType, content_type)
        && (record.level, record.option) == (libc::SOL_TLS, TLS_GET_RECORD_TYPE);
    Ok((n as usize, told.then_some(record.content_type)))
}

/// The control message that has the kernel's TLS send a record of another type than application data.
pub fn record_type(content_type: u8) -> [u8; size_of::<usize>() + 16] {
    const TLS_SET_RECORD_TYPE: i32 = 1;
    let mut control = [0; size_of::<usize>() + 16];
    let length = std::mem::offset_of!(RecordType, content_type) + 1;
    let (head, rest) = control.split_at_mut(size_of::<usize>());
    head.copy_from_slice(&length.to_ne_bytes());
    rest[..4].copy_from_slice(&libc::SOL_TLS.to_ne_bytes());
    rest[4..8].copy_from_slice(&TLS_SET_RECORD_TYPE.to_ne_bytes());
    rest[8] = content_type;
    control
}

/// Standard error for a log that must never wait: where a write would wait (a full pipe that nobody reads, a stopped
/// terminal) it fails instead. A line of the log is shorter than what "writable" promises of a pipe (PIPE_BUF).
#[derive(Debug)]
pub struct Stderr;

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut stderr = libc::pollfd { fd: libc::STDERR_FILENO, events: libc::POLLOUT, revents: 0 };
        // SAFETY: `stderr` is one valid pollfd, as the count says, and a time-out of 0 makes the call return at once.
        if unsafe { libc::poll(&raw mut stderr, 1, 0) } == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        io::stderr().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The descriptors that whoever started this process has left to it, by the protocol of sd_listen_fds(3): LISTEN_FDS
/// of them from number 3 on, if LISTEN_PID is this process. They are copies: whatever stands at those numbers by now,
/// nothing of anybody's is taken away. Ask before the process opens descriptors of its own, and once.
pub fn inherited_sockets() -> io::Result<Vec<OwnedFd>> {
    let number = |name: &str| std::env::var(name).ok().and_then(|value| value.parse::<u32>().ok());
    if number("LISTEN_PID") != Some(std::process::id()) {
        return Ok(Vec::new());
    }
    let end =
        3 + number("LISTEN_FDS").and_then(|count| RawFd::try_from(count).ok()).unwrap_or(0).min(1 << 20);
    (3..end).map(|fd| copy(fd, end)).collect()
}

/// A descriptor's copy with a number from `least` on, that no program started from here inherits; nor does one
/// inherit the original any more.
fn copy(fd: RawFd, least: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: F_SETFD only changes a flag of the descriptor, if the number is one.
    if unsafe { libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: F_DUPFD_CLOEXEC only makes a new descriptor, if the number is one.
    let copy = unsafe { libc::fcntl(fd, libc::F_DUPFD_CLOEXEC, least) };
    if copy < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: fcntl has just made it, so it is open and nobody else's.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}

/// The user that files made by this process belong to.
pub fn user() -> u32 {
    // SAFETY: geteuid takes nothing and can't fail.
    unsafe { libc::geteuid() }
}

/// Bytes of a file that can be locked are below this one, wherever the file ends.
pub const LOCK_BYTE_MAX: u64 = libc::off_t::MAX as u64;

/// Locks one byte of a file that is open for writing, for this open file and its copies (F_OFD_SETLK). False: another
/// has it. The kernel unlocks it with the last copy.
pub fn lock_byte(file: &impl AsRawFd, byte: u64) -> io::Result<bool> {
    match set_lock(file, byte, libc::F_WRLCK) {
        Err(e) if matches!(e.raw_os_error(), Some(libc::EAGAIN | libc::EACCES)) => Ok(false),
        result => result.map(|()| true),
    }
}

/// Unlocks one.
pub fn unlock_byte(file: &impl AsRawFd, byte: u64) -> io::Result<()> {
    set_lock(file, byte, libc::F_UNLCK)
}

#[allow(clippy::cast_possible_truncation, reason = "a flock's kinds are small numbers")]
fn set_lock(file: &impl AsRawFd, byte: u64, kind: i32) -> io::Result<()> {
    debug_assert!(byte < LOCK_BYTE_MAX);
    // SAFETY: a flock is numbers, for all of which zero is a value.
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as _;
    lock.l_whence = libc::SEEK_SET as _;
    lock.l_start = libc::off_t::try_from(byte).unwrap_or(libc::off_t::MAX);
    lock.l_len = 1;
    // SAFETY: the command takes a flock that the kernel only reads, and `lock` outlives the call.
    let result = unsafe { libc::fcntl(file.as_raw_fd(), libc::F_OFD_SETLK, &raw const lock) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// Whether this machine has any IPv6 address, be it ::1. If /proc does not say, it may have.
pub fn has_ipv6_addresses() -> bool {
    std::fs::read("/proc/net/if_inet6").map_or(true, |list| !list.is_empty())
}

/// Gives the memory behind these bytes back to the kernel, as far as it is whole pages (MADV_DONTNEED). What they are
/// then is not said: zeros, or what they were.
pub fn discard(bytes: &mut [u8]) {
    let page_bytes = page_bytes();
    let skipped = bytes.as_ptr().align_offset(page_bytes).min(bytes.len());
    let pages = &mut bytes[skipped..];
    let len = pages.len() / page_bytes * page_bytes;
    // SAFETY: the pages lie within a slice that is borrowed for writing, so nobody else looks at them, and any byte
    // that the kernel puts there is a value. If it refuses, nothing has happened.
    unsafe { libc::madvise(pages.as_mut_ptr().cast(), len, libc::MADV_DONTNEED) };
}

/// The size of a page.
pub fn page_bytes() -> usize {
    // SAFETY: sysconf only reads a constant of the system.
    let page_bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(page_bytes).unwrap_or(4096)
}

/// The CPU time that this thread has had, in nanoseconds.
pub fn thread_cpu_ns() -> u64 {
    // SAFETY: a timespec is plain numbers, for which zeroes are valid.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a local that outlives the call.
    if unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time) } != 0 {
        return 0;
    }
    let (seconds, ns) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + ns.unwrap_or(0)
}

/// The process's resident set, in bytes; 0 if /proc does not say.
pub fn rss_bytes() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split_whitespace().nth(1)?.parse::<u64>().ok());
    resident.unwrap_or(0) * page_bytes() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_answers() {
        assert!(raise_descriptor_limit().unwrap() >= 256);
        assert!(rss_bytes() > 100_000);
        let before = thread_cpu_ns();
        while thread_cpu_ns() == before {}
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        defer_accept(&listener, 1).unwrap();
    }

    #[test]
    fn whole_pages_are_given_back_and_nothing_beside_them() {
        let mut bytes = vec![7; 64 * 4096];
        discard(&mut bytes[100..40 * 4096]);
        assert!(bytes[..100].iter().chain(&bytes[40 * 4096..]).all(|&byte| byte == 7));
        let zeros = bytes.iter().filter(|&&byte| byte == 0).count();
        assert!(zeros % page_bytes() == 0 && zeros + 2 * page_bytes() >= 40 * 4096, "{zeros} zeros");
        discard(&mut bytes[1..3]);
        discard(&mut []);
    }

    #[test]
    fn what_a_peer_has_not_taken_is_seen() {
        use std::io::{Read, Write};
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut stream, _) = listener.accept().unwrap();
        assert_eq!(untaken(&stream).unwrap(), 0);
        stream.set_nonblocking(true).unwrap();
        let mut sent = 0;
        while let Ok(n) = stream.write(&[0; 65_536]) {
            sent += n;
        }
        let before = untaken(&stream).unwrap();
        assert!(before > 0 && before <= sent as u64, "{before} of {sent}");
        peer.read_exact(&mut vec![0; sent]).unwrap();
        // The acknowledgement comes in its own time.
        while untaken(&stream).unwrap() > 0 {
            std::thread::yield_now();
        }
    }
}

//! The calls that neither std, mio nor socket2 offer. The bench's only unsafe code.
#![allow(unsafe_code)]

use crate::cpus::Cpus;
use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Nanoseconds of `CLOCK_MONOTONIC`, which all processes of a machine share; `Instant` can't be sent to
/// another one.
pub(crate) fn monotonic_ns() -> u64 {
    clock_ns(libc::CLOCK_MONOTONIC)
}

/// Nanoseconds for which this thread had a processor.
pub(crate) fn thread_cpu_ns() -> u64 {
    clock_ns(libc::CLOCK_THREAD_CPUTIME_ID)
}

fn clock_ns(clock: libc::clockid_t) -> u64 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid timespec for the whole call, and both clock ids exist on every Linux.
    unsafe { libc::clock_gettime(clock, &mut now) };
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// The processors on which a thread may run.
pub(crate) fn affinity(thread: u32) -> io::Result<Cpus> {
    let mut cpus = Cpus::default();
    // SAFETY: the words are a valid set of processors of the size that is given, and outlive the call, which writes no
    // further.
    let status = unsafe {
        libc::sched_getaffinity(thread as libc::pid_t, size_of_val(&cpus.0), cpus.0.as_mut_ptr().cast())
    };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(cpus) }
}

/// Lets a thread run on these processors only.
pub(crate) fn set_affinity(thread: u32, cpus: &Cpus) -> io::Result<()> {
    // SAFETY: the words are a valid set of processors of the size that is given, and the call only reads them.
    let status = unsafe {
        libc::sched_setaffinity(thread as libc::pid_t, size_of_val(&cpus.0), cpus.0.as_ptr().cast())
    };
    if status < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Raises the soft descriptor limit to the hard one and returns it.
pub(crate) fn raise_descriptor_limit() -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid rlimit for the whole call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    limit.rlim_cur = limit.rlim_max;
    // SAFETY: `limit` is a valid rlimit, and raising to the hard limit needs no privilege.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// Makes `bind` to port 0 choose no port: the kernel picks it in `connect`, when the destination is known,
/// and may give the same port to many sockets with different destinations or sources. Without it each address
/// runs out after 28,000.
pub(crate) fn bind_address_no_port(socket: BorrowedFd<'_>) -> io::Result<()> {
    let yes: libc::c_int = 1;
    // SAFETY: the descriptor is borrowed for the whole call, and the option value is one c_int that outlives
    // it.
    let status = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_IP,
            libc::IP_BIND_ADDRESS_NO_PORT,
            (&raw const yes).cast(),
            size_of::<libc::c_int>() as libc::socklen_t,
        )
    };
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// How long a clock tick of /proc/PID/stat is.
pub(crate) fn clock_tick_us() -> u64 {
    // SAFETY: sysconf takes no pointers.
    let per_second = unsafe { libc::sysconf(libc::_SC_CLK_TCK) };
    1_000_000 / u64::try_from(per_second).unwrap_or(100).max(1)
}

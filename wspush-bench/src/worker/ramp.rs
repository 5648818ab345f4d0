//! Opening connections: how fast, how many at once, from which address, and for how long to wait.

use crate::job::Job;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::AsFd;
use std::time::Duration;

/// So many things a second, counted from a start.
pub(crate) struct Pace {
    per_second: f64,
    start_ns: u64,
    done: u64,
}

impl Pace {
    pub(crate) fn new(per_second: f64, start_ns: u64) -> Self {
        Self { per_second, start_ns, done: 0 }
    }

    /// Takes one if it is due. A rate of 0 is no limit.
    pub(crate) fn take(&mut self, now_ns: u64) -> bool {
        let due = self.per_second == 0.0 || self.next_in(now_ns).is_zero();
        self.done += u64::from(due);
        due
    }

    /// How long until the next one is due.
    pub(crate) fn next_in(&self, now_ns: u64) -> Duration {
        if self.per_second == 0.0 {
            return Duration::ZERO;
        }
        let due_ns = self.start_ns + (self.done as f64 / self.per_second * 1e9) as u64;
        Duration::from_nanos(due_ns.saturating_sub(now_ns))
    }
}

/// `CLOCK_MONOTONIC` in microseconds, wrapping: four bytes in a connection are enough to tell how old it is.
pub(crate) fn clock_us(now_ns: u64) -> u32 {
    (now_ns / 1_000) as u32
}

/// A time limit that is the same for all: a queue is enough of a timer.
pub(crate) struct Deadlines {
    limit_us: i32,
    queue: VecDeque<(u32, u32)>,
}

impl Deadlines {
    pub(crate) fn new(limit_ms: u64) -> Self {
        Self { limit_us: i32::try_from(limit_ms * 1_000).unwrap_or(i32::MAX), queue: VecDeque::new() }
    }

    pub(crate) fn push(&mut self, slot: u32, begun_us: u32) {
        self.queue.push_back((slot, begun_us));
    }

    /// The next slot whose time is over, with the beginning that it was noted with. It may long have moved
    /// on.
    pub(crate) fn pop(&mut self, now_us: u32) -> Option<(u32, u32)> {
        let (_, begun_us) = self.queue.front()?;
        // Signed, because what was begun in this turn of the loop is younger than the turn's time.
        if (now_us.wrapping_sub(*begun_us) as i32) < self.limit_us {
            return None;
        }
        self.queue.pop_front()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }
}

/// Begins to connect; the socket becomes writable when the connection stands.
pub(crate) fn connect(job: &Job, slot: u32) -> io::Result<TcpStream> {
    let address = job.target.address;
    let socket =
        Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_tcp_nodelay(true)?;
    if job.is_unread(slot)
        && let Some(size) = job.receive_buffer
    {
        socket.set_recv_buffer_size(size as usize)?;
    }
    if let Some(range) = job.source {
        crate::sys::bind_address_no_port(socket.as_fd())?;
        socket.bind(&SockAddr::from(SocketAddr::new(IpAddr::V4(range.address(job.first + slot)), 0)))?;
    }
    match socket.connect(&SockAddr::from(address)) {
        Err(error) if error.raw_os_error() != Some(libc::EINPROGRESS) => Err(error),
        _ => Ok(socket.into()),
    }
}

/// Names a failure so that equal ones are counted together.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::EMFILE | libc::ENFILE) => "descriptor limit".into(),
        Some(libc::EADDRNOTAVAIL) => "no free local port (give --source a wider range)".into(),
        Some(libc::ECONNREFUSED) => "connection refused".into(),
        Some(libc::ECONNRESET | libc::EPIPE) => "connection reset".into(),
        Some(libc::ETIMEDOUT) => "timed out".into(),
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_allows_what_is_due_and_no_more() {
        let mut pace = Pace::new(10.0, 0);
        let taken = |pace: &mut Pace, now_ns| (0..100).filter(|_| pace.take(now_ns)).count();
        assert_eq!(taken(&mut pace, 0), 1);
        assert_eq!(taken(&mut pace, 99_000_000), 0);
        assert_eq!(pace.next_in(90_000_000), Duration::from_millis(10));
        assert_eq!(taken(&mut pace, 500_000_000), 5);
        assert_eq!(taken(&mut Pace::new(0.0, 0), 0), 100);
    }

    #[test]
    fn deadlines_come_in_order_and_survive_the_wrap() {
        let mut deadlines = Deadlines::new(1);
        deadlines.push(1, u32::MAX - 10);
        deadlines.push(2, 5);
        assert_eq!(deadlines.pop(500), None);
        assert_eq!(deadlines.pop(990), Some((1, u32::MAX - 10)));
        assert_eq!(deadlines.pop(1_000), None);
        assert_eq!(deadlines.pop(1_005), Some((2, 5)));
        assert!(deadlines.is_empty());
        deadlines.push(3, 1_000);
        assert_eq!(deadlines.pop(999), None, "begun after the clock was read");
    }
}

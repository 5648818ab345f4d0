//! A network of one process: bounded buffers, partial writes, resets, and readiness as epoll's edges tell it.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use wspush::reactor::Socket;

use super::dice::Dice;

/// `ENOBUFS` on Linux.
const ENOBUFS: i32 = 105;

/// A connection, seen by both sides.
#[derive(Debug, Default)]
pub struct Wire {
    /// From the client to the server.
    pub up: VecDeque<u8>,
    /// The client has closed its side.
    pub up_ended: bool,
    /// From the server to the client, as far as the client has not read it.
    pub down: VecDeque<u8>,
    /// The capacity of `down`.
    pub down_max: usize,
    /// The server was told that the socket is full, and is owed an edge.
    pub full: bool,
    /// It was full at least once.
    pub was_full: bool,
    /// The client has reset the connection.
    pub reset: bool,
    /// The server has closed its side.
    pub finished: bool,
    /// The server has closed the socket.
    pub closed: bool,
    /// The server has closed the socket with input unread: the kernel sends a reset.
    pub unread: bool,
    /// An edge is on its way to the server.
    pub edge: bool,
    /// When the server last read something, when the client last had read everything, and when the server closed.
    pub heard_us: u64,
    pub drained_us: u64,
    /// When the client last took something.
    pub taken_us: u64,
    pub closed_us: u64,
    /// Bytes moved in either direction, for noticing that nothing moves any more.
    pub moved: u64,
}

impl Wire {
    /// The client writes.
    pub fn push_up(&mut self, bytes: &[u8]) {
        self.up.extend(bytes);
        self.moved += bytes.len() as u64;
        self.edge = true;
    }

    /// The client closes its side.
    pub fn end_up(&mut self) {
        self.up_ended = true;
        self.edge = true;
    }

    /// The client goes without a word.
    pub fn cut(&mut self) {
        self.reset = true;
        self.edge = true;
        self.up.clear();
        self.down.clear();
    }

    /// The client reads at most `n` bytes.
    pub fn pull_down(&mut self, n: usize, now_us: u64) -> Vec<u8> {
        let n = n.min(self.down.len());
        self.moved += n as u64;
        if n > 0 && !self.closed {
            self.taken_us = now_us;
        }
        let mut bytes = vec![0; n];
        std::io::Read::read_exact(&mut self.down, &mut bytes).expect("they are there");
        if self.down.is_empty() && !self.closed {
            self.drained_us = now_us;
        }
        if self.full && self.has_space() {
            self.full = false;
            self.edge = true;
        }
        bytes
    }

    /// As the kernel sees it: a socket is writable when a third of its buffer is free.
    fn has_space(&self) -> bool {
        (self.down_max - self.down.len()) * 3 >= self.down_max
    }

    /// The readiness that epoll would report now.
    pub fn readiness(&self) -> (bool, bool) {
        let readable = !self.up.is_empty() || self.up_ended || self.reset;
        (readable, self.has_space() || self.reset)
    }

    /// Nothing more comes from the server.
    pub fn is_over(&self) -> bool {
        self.down.is_empty() && (self.closed || self.finished)
    }
}

/// Faults that the kernel may have.
#[derive(Debug)]
pub struct Faults {
    /// Decides on them.
    pub dice: Dice,
    /// The time.
    pub now_us: u64,
    /// One system call in so many fails for want of memory; 0: none.
    pub shortage: usize,
    /// One write in so many is cut short although there is room; 0: none.
    pub short_write: usize,
}

/// The server's end of a wire.
#[derive(Debug)]
pub struct SimSocket {
    pub wire: Rc<RefCell<Wire>>,
    pub faults: Rc<RefCell<Faults>>,
    pub peer: Option<SocketAddr>,
}

impl SimSocket {
    fn shortage(&self) -> io::Result<()> {
        let mut faults = self.faults.borrow_mut();
        let n = faults.shortage;
        if n > 0 && faults.dice.one_in(n) { Err(io::Error::from_raw_os_error(ENOBUFS)) } else { Ok(()) }
    }
}

impl Socket for SimSocket {
    fn recv(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        assert!(!buf.is_empty(), "a read into nothing looks like the end");
        if self.wire.borrow().reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        self.shortage()?;
        let mut wire = self.wire.borrow_mut();
        if wire.up.is_empty() {
            return if wire.up_ended { Ok(0) } else { Err(io::ErrorKind::WouldBlock.into()) };
        }
        let n = buf.len().min(wire.up.len());
        std::io::Read::read_exact(&mut wire.up, &mut buf[..n])?;
        wire.moved += n as u64;
        wire.heard_us = self.faults.borrow().now_us;
        Ok(n)
    }

    fn send(&mut self, first: &[u8], second: &[u8]) -> io::Result<usize> {
        assert!(!first.is_empty(), "an empty write");
        if self.wire.borrow().reset {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let mut wire = self.wire.borrow_mut();
        if let Err(shortage) = self.shortage() {
            wire.was_full = true;
            return Err(shortage);
        }
        assert!(!wire.finished, "a write after the end");
        let len = first.len() + second.len();
        let mut n = len.min(wire.down_max - wire.down.len());
        let mut faults = self.faults.borrow_mut();
        let rate = faults.short_write;
        if n > 0 && rate > 0 && faults.dice.one_in(rate) {
            n = faults.dice.below(n + 1);
        }
        if n < len {
            wire.was_full = true;
            // With room left the edge comes at once, otherwise when the client has read.
            if wire.has_space_after(n) { wire.edge = true } else { wire.full = true }
        }
        let head = n.min(first.len());
        wire.down.extend(&first[..head]);
        wire.down.extend(&second[..n - head]);
        wire.moved += n as u64;
        if n == 0 { Err(io::ErrorKind::WouldBlock.into()) } else { Ok(n) }
    }

    fn finish(&mut self) -> io::Result<()> {
        let mut wire = self.wire.borrow_mut();
        if wire.reset {
            return Err(io::ErrorKind::NotConnected.into());
        }
        wire.finished = true;
        Ok(())
    }

    fn peer(&self) -> Option<SocketAddr> {
        self.peer
    }

    fn untaken(&self) -> io::Result<u64> {
        Ok(self.wire.borrow().down.len() as u64)
    }
}

impl Wire {
    fn has_space_after(&self, n: usize) -> bool {
        (self.down_max - self.down.len() - n) * 3 >= self.down_max
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let mut wire = self.wire.borrow_mut();
        wire.closed = true;
        wire.closed_us = self.faults.borrow().now_us;
        wire.unread = !wire.up.is_empty();
    }
}

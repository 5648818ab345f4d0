//! Records over a Unix-domain socket: a kind, descriptors that come along, and bytes. Whoever reads has each whole or
//! not at all, and at the end the sum of all of them is held against what was written.

use std::io::{self, ErrorKind, Read, Write};
use std::net::Shutdown;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use sha1_smol::Sha1;
use socket2::SockRef;

use super::TAKEN;
use crate::narrow;
use crate::reactor::sys::rights;

/// The subject of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// There is no hand-over: why.
    Refused = 0,
    /// The clock, and how many reactors there are.
    Head = 1,
    Listeners = 2,
    Channel = 3,
    Saved = 4,
    Connections = 5,
    /// The last one of a reactor.
    Facts = 6,
    /// In front of all reactors.
    Shared = 7,
    /// The checksum of all before it.
    End = 8,
    /// The source of new keys for a connection whose TLS is the kernel's.
    Keys = 9,
}

/// Kind, number of descriptors, length.
const HEADER_BYTES: usize = 7;

/// A record is read in pieces of this size, so that a length alone makes nobody reserve memory.
const PIECE_BYTES: u64 = 1 << 20;

fn broken(why: &str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, why.to_owned())
}

fn left(until: Instant) -> io::Result<Duration> {
    match until.saturating_duration_since(Instant::now()) {
        Duration::ZERO => Err(io::Error::new(ErrorKind::TimedOut, "it took too long")),
        left => Ok(left),
    }
}

fn late(e: io::Error) -> io::Error {
    if e.kind() == ErrorKind::WouldBlock {
        io::Error::new(ErrorKind::TimedOut, "it took too long")
    } else {
        e
    }
}

/// The side that tells.
pub(super) struct Teller {
    stream: UnixStream,
    sha: Sha1,
    until: Instant,
}

impl Teller {
    pub(super) fn new(stream: UnixStream, until: Instant) -> Teller {
        Teller { stream, sha: Sha1::new(), until }
    }

    /// The process that is told.
    pub(super) fn peer(&self) -> Option<u32> {
        rights::peer_process(&self.stream)
    }

    /// Tells a value, and lends descriptors along.
    pub(super) fn tell(&mut self, kind: Kind, value: &impl Serialize, fds: &[RawFd]) -> io::Result<()> {
        let mut bytes = vec![0; HEADER_BYTES];
        bytes = postcard::to_extend(value, bytes).map_err(io::Error::other)?;
        self.send(kind, bytes, fds)
    }

    /// Tells bytes that were made before.
    pub(super) fn tell_made(&mut self, kind: Kind, made: &[u8]) -> io::Result<()> {
        self.send(kind, [&[0; HEADER_BYTES], made].concat(), &[])
    }

    fn send(&mut self, kind: Kind, mut bytes: Vec<u8>, fds: &[RawFd]) -> io::Result<()> {
        let len = u32::try_from(bytes.len() - HEADER_BYTES).map_err(|_| broken("a record of 4 GiB"))?;
        bytes[0] = kind as u8;
        bytes[1..3].copy_from_slice(&narrow::to_u16(fds.len()).to_le_bytes());
        bytes[3..HEADER_BYTES].copy_from_slice(&len.to_le_bytes());
        self.sha.update(&bytes);
        self.stream.set_write_timeout(Some(left(self.until)?))?;
        let mut sent = 0;
        if !fds.is_empty() {
            let (control, parts) = (rights::rights(fds), [io::IoSlice::new(&bytes)]);
            let message = socket2::MsgHdr::new().with_buffers(&parts).with_control(&control);
            sent = loop {
                match SockRef::from(&self.stream).sendmsg(&message, libc::MSG_NOSIGNAL) {
                    Err(e) if e.kind() == ErrorKind::Interrupted => {}
                    result => break result.map_err(late)?,
                }
            };
        }
        (&mut &self.stream).write_all(&bytes[sent..]).map_err(late)
    }

    /// Tells that this was all, with its sum.
    pub(super) fn end(&mut self) -> io::Result<()> {
        let sum = self.sha.clone().digest().bytes();
        self.tell(Kind::End, &sum, &[])
    }

    /// Waits for the word that the other side has taken over. An error: it has not, and never will.
    pub(super) fn await_word(&mut self) -> io::Result<()> {
        let heard = self.hear();
        if heard.is_ok() {
            return heard;
        }
        // From here on the kernel refuses the word to the other side; it may have come before that.
        self.stream.shutdown(Shutdown::Read)?;
        self.stream.set_nonblocking(true)?;
        match self.read_word() {
            Ok(()) => Ok(()),
            Err(_) => heard,
        }
    }

    fn hear(&mut self) -> io::Result<()> {
        self.stream.set_read_timeout(Some(left(self.until)?))?;
        self.read_word()
    }

    fn read_word(&mut self) -> io::Result<()> {
        let mut word = [0];
        loop {
            match (&mut &self.stream).read(&mut word) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(late(e)),
                Ok(0) => return Err(io::Error::new(ErrorKind::UnexpectedEof, "the successor has gone")),
                Ok(_) if word == [TAKEN] => return Ok(()),
                Ok(_) => return Err(broken("not the word that takes over")),
            }
        }
    }
}

/// A record as it was read.
pub(super) struct Told {
    pub kind: u8,
    bytes: Vec<u8>,
    pub fds: Vec<OwnedFd>,
}

impl Told {
    /// Whether it is of this kind.
    pub(super) fn is(&self, kind: Kind) -> bool {
        self.kind == kind as u8
    }

    /// The value in it.
    pub(super) fn value<T: DeserializeOwned>(&self) -> io::Result<T> {
        match postcard::take_from_bytes(&self.bytes) {
            Ok((value, [])) => Ok(value),
            Ok(_) => Err(broken("a record with something behind its end")),
            Err(e) => Err(io::Error::new(ErrorKind::InvalidData, e)),
        }
    }
}

/// The side that listens.
pub(super) struct Listening {
    pub stream: UnixStream,
    sha: Sha1,
}

impl Listening {
    pub(super) fn new(stream: UnixStream) -> Listening {
        Listening { stream, sha: Sha1::new() }
    }

    /// The next record.
    pub(super) fn next(&mut self) -> io::Result<Told> {
        super::fault::point();
        let (mut header, mut at, mut fds) = ([0; HEADER_BYTES], 0, Vec::new());
        while at < HEADER_BYTES {
            match rights::recv(&self.stream, &mut header[at..], &mut fds) {
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(late(e)),
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(n) => at += n,
            }
        }
        let count = usize::from(u16::from_le_bytes([header[1], header[2]]));
        let len = u64::from(u32::from_le_bytes([header[3], header[4], header[5], header[6]]));
        let mut bytes = Vec::new();
        while (bytes.len() as u64) < len {
            let piece = (len - bytes.len() as u64).min(PIECE_BYTES);
            let before = bytes.len();
            (&mut &self.stream).take(piece).read_to_end(&mut bytes).map_err(late)?;
            if bytes.len() == before {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        if fds.len() != count {
            return Err(broken("not as many descriptors as were lent"));
        }
        if header[0] != Kind::End as u8 {
            self.sha.update(&header);
            self.sha.update(&bytes);
        }
        Ok(Told { kind: header[0], bytes, fds })
    }

    /// Holds what was read against the sum in the last record.
    pub(super) fn check(&self, last: &Told) -> io::Result<()> {
        let sum: [u8; 20] = last.value()?;
        if sum == self.sha.clone().digest().bytes() {
            Ok(())
        } else {
            Err(broken("the checksum is another one"))
        }
    }

    /// Says the word that takes over. An error: the other side goes on.
    pub(super) fn say_word(&mut self) -> io::Result<()> {
        super::fault::point();
        SockRef::from(&self.stream).send_with_flags(&[TAKEN], libc::MSG_NOSIGNAL).map(|_| ())
    }
}

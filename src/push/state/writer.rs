//! The writing of a state, channel by channel or in parts of them.

use std::io::{self, Write};
use std::ops::Range;

use sha1_smol::Sha1;

use super::super::channel::Channel;
use super::super::channels::FIRST_OFFSET;
use super::super::message::Kind;
use super::{Counters, DIGEST_AT, HEADER_BYTES, MAGIC, VERSION};
use crate::narrow;

/// Whether more was published behind a state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StateKind {
    /// Nothing: the server has ended with it.
    #[default]
    Final,
    /// Perhaps: the server has gone on.
    Snapshot,
}

/// Writes a state, channel by channel.
pub struct StateWriter<W> {
    out: Hashed<W>,
    kind: StateKind,
}

struct Hashed<W> {
    to: W,
    sha: Sha1,
    bytes: u64,
}

impl<W: Write> Write for Hashed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write_all(bytes)?;
        self.sha.update(bytes);
        self.bytes += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// Whether there is something of a channel that a successor can go on with: it was published to, by others than the
/// server itself.
pub fn is_saved(channel: &Channel) -> bool {
    channel.log().next_offset() > FIRST_OFFSET && channel.notices_of().is_none()
}

/// Appends the publications of these offsets, which the channel has, and says whose they are.
pub fn push_part(out: &mut impl Write, channel: &Channel, offsets: Range<u64>) -> io::Result<()> {
    out.write_all(&[narrow::to_u8(channel.name.len())])?;
    out.write_all(channel.name.as_bytes())?;
    out.write_all(&channel.epoch.to_le_bytes())?;
    out.write_all(&offsets.start.to_le_bytes())?;
    let count = narrow::to_u32(narrow::to_usize(offsets.end - offsets.start));
    out.write_all(&count.to_le_bytes())?;
    for offset in offsets {
        let past = channel.past(offset);
        out.write_all(&past.unix_ms.to_le_bytes())?;
        out.write_all(&[u8::from(past.kind == Kind::Binary)])?;
        out.write_all(&narrow::to_u32(past.payload.len()).to_le_bytes())?;
        out.write_all(&past.payload)?;
    }
    Ok(())
}

impl<W: Write> StateWriter<W> {
    /// Begins a state in `to`, with room for the header.
    pub fn begin(mut to: W, kind: StateKind, counters: Counters) -> io::Result<StateWriter<W>> {
        to.write_all(&[0; HEADER_BYTES])?;
        let mut out = Hashed { to, sha: Sha1::new(), bytes: 0 };
        out.write_all(&counters.next_receipt.to_le_bytes())?;
        out.write_all(&counters.last_epoch.to_le_bytes())?;
        Ok(StateWriter { out, kind })
    }

    /// Adds a channel.
    pub fn channel(&mut self, channel: &Channel) -> io::Result<()> {
        let log = channel.log();
        push_part(&mut self.out, channel, log.first_offset()..log.next_offset())
    }

    /// Adds parts that were made before.
    pub fn parts(&mut self, made: &[u8]) -> io::Result<()> {
        self.out.write_all(made)
    }

    /// Ends it with the users whose tokens are revoked; the header is to be written over the room for it, last of all.
    pub fn end<'a>(
        mut self,
        revoked: impl Iterator<Item = (&'a str, u64)>,
    ) -> io::Result<(W, [u8; HEADER_BYTES])> {
        let out = &mut self.out;
        out.write_all(&[0])?;
        for (user, until_s) in revoked {
            out.write_all(&(narrow::to_u16(user.len())).to_le_bytes())?;
            out.write_all(user.as_bytes())?;
            out.write_all(&until_s.to_le_bytes())?;
        }
        out.write_all(&[0; 2])?;
        Ok((self.out.to, header(self.kind, self.out.bytes, self.out.sha)))
    }
}

pub(super) fn header(kind: StateKind, body_bytes: u64, mut sha: Sha1) -> [u8; HEADER_BYTES] {
    let mut header = [0; HEADER_BYTES];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    header[12] = u8::from(kind == StateKind::Snapshot);
    header[16..DIGEST_AT].copy_from_slice(&body_bytes.to_le_bytes());
    sha.update(&header[..DIGEST_AT]);
    header[DIGEST_AT..].copy_from_slice(&sha.digest().bytes());
    header
}

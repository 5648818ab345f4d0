//! The state that a server keeps for its successor: all logs, each under its epoch, and whose tokens are revoked.
//!
//! A final one is written when nothing more is published, and its channels go on under their epochs. A snapshot is of
//! some moment before: nobody knows what was published behind it, so its channels come back under new epochs, and no
//! position of the former life is taken for one of theirs.
//!
//! ```text
//! "wspushSF"  version u32  flags u32 (0 final, 1 snapshot)  body length u64
//! SHA-1 (20 bytes, of the body and of what is before it here)
//! body:        next receipt u64, last epoch u64, the channels, a zero byte, the revoked users, two zero bytes
//! channel:     name length u8, name, epoch u64, first offset u64, publications u32, and these
//! publication: milliseconds since 1970 u64, kind u8 (0 text, 1 bytes), length u32, payload
//!              In a snapshot a channel may come in parts: one that follows at once under the same name and epoch and
//!              does not begin before the end of the former goes on with it, any other replaces it
//! user:        name length u16, name, tokens issued until then (seconds since 1970) u64
//! ```
//!
//! Numbers are little-endian. A file that is not just so is refused as a whole: its reader begins anew, under new
//! epochs.

use std::cmp::Ordering;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use sha1_smol::Sha1;

use super::budget::Room;
use super::channels::{ChannelId, Channels, DEFAULT, FIRST_OFFSET};
use super::encoder::Encoded;
use super::message::Message;
use super::place::Place;
use crate::limits::{APP_CHANNEL_NAME_BYTES_MAX, REVOKED_USERS_MAX, USER_BYTES_MAX};

mod writer;

pub use writer::{StateKind, StateWriter, is_saved, push_part};

#[cfg(test)]
mod tests;

const MAGIC: [u8; 8] = *b"wspushSF";
const VERSION: u32 = 2;
/// Bytes of the header.
pub const HEADER_BYTES: usize = 44;
const DIGEST_AT: usize = 24;
const PIECE_BYTES: usize = 64 << 10;

/// Why a file is not taken.
#[derive(Debug)]
pub enum StateError {
    /// It is something else.
    Foreign,
    /// It was written by another wspush, in a way that this one doesn't know.
    Version(u32),
    /// Something is missing, or was changed.
    Torn,
    /// It can't be read.
    Io(io::Error),
}

/// Numbers that go on where they stopped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// The next publication's receipt.
    pub next_receipt: u64,
    /// The newest epoch that was given to a channel.
    pub last_epoch: u64,
}

/// The outcome of a load.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Numbers that go on.
    pub counters: Counters,
    /// Publications that are here again.
    pub publications: u64,
    /// Channels for which there was no room.
    pub channels_dropped: u64,
    /// Users, and up to when their tokens are revoked.
    pub revoked: Vec<(String, u64)>,
    /// Whether its channels go on under their epochs.
    pub kind: StateKind,
}

/// A body with the header that belongs to it, for tests.
#[doc(hidden)]
pub fn seal(kind: StateKind, body: &[u8]) -> Vec<u8> {
    let mut sha = Sha1::new();
    sha.update(body);
    [&writer::header(kind, body.len() as u64, sha)[..], body].concat()
}

/// Holds a whole file against its header.
///
/// # Errors
/// It is not what its header says.
pub fn verify(mut input: impl Read) -> Result<(), StateError> {
    let mut header = [0; HEADER_BYTES];
    input.read_exact(&mut header).map_err(short)?;
    if header[..8] != MAGIC {
        return Err(StateError::Foreign);
    }
    let version = u32::from_le_bytes([header[8], header[9], header[10], header[11]]);
    if version != VERSION {
        return Err(StateError::Version(version));
    }
    let (mut sha, mut bytes) = (Sha1::new(), 0u64);
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(n) => {
                sha.update(&piece[..n]);
                bytes += n as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(StateError::Io(error)),
        }
    }
    sha.update(&header[..DIGEST_AT]);
    let is_whole = header[16..DIGEST_AT] == bytes.to_le_bytes() && kind_of(&header).is_some();
    if is_whole && header[DIGEST_AT..] == sha.digest().bytes() { Ok(()) } else { Err(StateError::Torn) }
}

fn kind_of(header: &[u8; HEADER_BYTES]) -> Option<StateKind> {
    match header[12..16] {
        [0, 0, 0, 0] => Some(StateKind::Final),
        [1, 0, 0, 0] => Some(StateKind::Snapshot),
        _ => None,
    }
}

/// The terms on which a state is loaded.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    /// Whether a channel may have this name.
    pub is_name: fn(&str) -> bool,
    /// Channels that there may be.
    pub channels_max: usize,
    /// The reactor's clock, in microseconds.
    pub now_us: u64,
    /// The first epoch that no channel has had yet, for those of a snapshot.
    pub new_epoch: u64,
}

/// Reads a file that was [verified](verify) into channels of which there is nothing yet but the default one. Where they
/// have no room they give up the oldest first.
///
/// # Errors
/// It is not what it should be; the channels are of no use then.
pub fn load(input: impl Read, channels: &mut Channels, terms: Terms) -> Result<Loaded, StateError> {
    let mut input = Input(input);
    let kind = kind_of(&input.bytes()?).ok_or(StateError::Torn)?;
    let counters = Counters { next_receipt: input.u64()?, last_epoch: input.u64()? };
    let unused = counters.last_epoch.checked_add(1).ok_or(StateError::Torn)?;
    let mut loading = Loading { kind, new_epoch: terms.new_epoch.max(unused), part: None };
    let mut loaded = Loaded { counters, kind, ..Loaded::default() };
    let mut payload = Vec::new();
    loop {
        let [name_bytes] = input.bytes()?;
        if name_bytes == 0 {
            loaded.revoked = input.revoked(&mut payload)?;
            loaded.publications =
                channels.iter().map(|(_, channel)| channel.log().publications() as u64).sum();
            return Ok(loaded);
        }
        input.fill(usize::from(name_bytes), &mut payload)?;
        let name = str::from_utf8(&payload).ok().filter(|name| (terms.is_name)(name));
        let name: Arc<str> = Arc::from(name.ok_or(StateError::Torn)?);
        let (epoch, first) = (input.u64()?, input.u64()?);
        let count = u64::from(u32::from_le_bytes(input.bytes()?));
        if first < FIRST_OFFSET || first.checked_add(count).is_none() {
            return Err(StateError::Torn);
        }
        let has_room = channels.len() < terms.channels_max || channels.find(&name).is_some();
        let id = match has_room {
            true => Some(loading.open(channels, &name, (epoch, first), terms.now_us / 1000)?),
            false => None,
        };
        loaded.channels_dropped += u64::from(id.is_none());
        for offset in first..first + count {
            let unix_ms = input.u64()?;
            let frame = input.frame(&mut payload)?;
            if let Some(id) = id {
                channels.put_back(id, &frame, Place { offset, receipt: 0, now_us: terms.now_us, unix_ms });
            }
        }
    }
}

/// How far a load has come.
struct Loading {
    kind: StateKind,
    /// For the next channel of a snapshot.
    new_epoch: u64,
    /// The channel read last, and its epoch in the file.
    part: Option<(ChannelId, u64)>,
}

impl Loading {
    /// The channel of this name, ready for a publication of this offset.
    fn open(
        &mut self,
        channels: &mut Channels,
        name: &Arc<str>,
        (epoch, first): (u64, u64),
        now_ms: u64,
    ) -> Result<ChannelId, StateError> {
        let known = channels.find(name).filter(|&id| id != DEFAULT || !channels.is_unused(id));
        let former = std::mem::take(&mut self.part);
        let id = match (self.kind, known) {
            (StateKind::Final, Some(_)) => return Err(StateError::Torn),
            (StateKind::Final, None) => channels.open_at(name, epoch, first, now_ms),
            (StateKind::Snapshot, Some(id)) if former == Some((id, epoch)) => {
                let (own, next) = (channels.get(id).epoch, channels.get(id).log().next_offset());
                match first.cmp(&next) {
                    Ordering::Less => return Err(StateError::Torn),
                    Ordering::Equal => id,
                    // The log has moved on meanwhile, and offsets have no holes.
                    Ordering::Greater => channels.open_at(name, own, first, now_ms),
                }
            }
            (StateKind::Snapshot, _) => {
                let own = self.new_epoch;
                self.new_epoch = own.checked_add(1).ok_or(StateError::Torn)?;
                channels.open_at(name, own, first, now_ms)
            }
        };
        self.part = Some((id, epoch));
        Ok(id)
    }
}

impl Channels {
    /// Appends a publication of another process.
    fn put_back(&mut self, id: ChannelId, frame: &[u8], place: Place) {
        if frame.len() > self.get(id).log().bytes_max() {
            // Nothing before it is of use any more: offsets have no holes.
            let (name, epoch) = (self.get(id).name.clone(), self.get(id).epoch);
            self.open_at(&name, epoch, place.offset + 1, place.now_us / 1000);
            return;
        }
        let encoded = Encoded::plain(frame);
        while let Room::AfterHalving(largest) = self.room_for(id, encoded.lens()) {
            self.give_up_half(largest, place.now_us);
        }
        self.append(id, &encoded, place);
    }
}

/// The rest of a file.
struct Input<R>(R);

impl<R: Read> Input<R> {
    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], StateError> {
        let mut bytes = [0; N];
        self.0.read_exact(&mut bytes).map_err(short)?;
        Ok(bytes)
    }

    fn u64(&mut self) -> Result<u64, StateError> {
        self.bytes().map(u64::from_le_bytes)
    }

    /// The users whose tokens are revoked.
    fn revoked(&mut self, name: &mut Vec<u8>) -> Result<Vec<(String, u64)>, StateError> {
        let mut revoked = Vec::new();
        loop {
            let bytes = usize::from(u16::from_le_bytes(self.bytes()?));
            if bytes == 0 {
                return Ok(revoked);
            }
            if bytes > USER_BYTES_MAX || revoked.len() == REVOKED_USERS_MAX {
                return Err(StateError::Torn);
            }
            self.fill(bytes, name)?;
            let user = str::from_utf8(name).map_err(|_| StateError::Torn)?;
            revoked.push((user.to_owned(), self.u64()?));
        }
    }

    /// A publication's plain frame.
    fn frame(&mut self, payload: &mut Vec<u8>) -> Result<Vec<u8>, StateError> {
        let [kind] = self.bytes()?;
        let len = u32::from_le_bytes(self.bytes()?) as usize;
        self.fill(len, payload)?;
        let message = match (kind, str::from_utf8(payload)) {
            (0, Ok(text)) if len > 0 => Message::Text(text),
            (1, _) if len > 0 => Message::Binary(payload),
            _ => return Err(StateError::Torn),
        };
        Ok(message.to_frame())
    }

    /// So many bytes in place of what is in `out`, which grows with what is really there.
    fn fill(&mut self, len: usize, out: &mut Vec<u8>) -> Result<(), StateError> {
        out.clear();
        let read = (&mut self.0).take(len as u64).read_to_end(out).map_err(StateError::Io)?;
        if read == len { Ok(()) } else { Err(StateError::Torn) }
    }
}

fn short(error: io::Error) -> StateError {
    if error.kind() == io::ErrorKind::UnexpectedEof { StateError::Torn } else { StateError::Io(error) }
}

impl fmt::Display for StateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StateError::Foreign => f.write_str("it is no state file of wspush"),
            StateError::Version(version) => {
                write!(f, "it is of version {version}, and this wspush reads version {VERSION}")
            }
            StateError::Torn => {
                f.write_str("it is torn: its length or its checksum is not what its header says")
            }
            StateError::Io(error) => error.fmt(f),
        }
    }
}

const _: () = assert!(APP_CHANNEL_NAME_BYTES_MAX <= u8::MAX as usize && USER_BYTES_MAX <= u16::MAX as usize);

//! Messages and names from Java's arrays and buffers.

use jni::Env;
use jni::objects::{JByteArray, JByteBuffer};
use jni::sys::jint;

use crate::callbacks::{WSPUSH_TEXT, WSPUSH_UNCOMPRESSED};
use wspush::push::{Message, Pace, PushError, PushOptions};

use super::native_error::NativeError;
use super::raw::Raw;

/// Bytes that are copied to the stack rather than to the heap; most messages are no longer.
const ON_STACK: usize = 256;

/// Bytes that Java has handed over: a part of an array, or else of a direct buffer.
pub(super) struct Payload<'a, 'local> {
    /// The array, or null.
    pub(super) array: &'a JByteArray<'local>,
    /// The direct buffer, or null.
    pub(super) direct: &'a JByteBuffer<'local>,
    /// Where the message begins.
    pub(super) from: jint,
    /// Its length.
    pub(super) len: jint,
    /// As in the C ABI: `WSPUSH_TEXT` or `WSPUSH_BINARY`, with or without `WSPUSH_UNCOMPRESSED`.
    pub(super) kind: jint,
}

impl Payload<'_, '_> {
    /// Shows the message to `use_it`. An array's bytes are copied, since the garbage collector may move it; a
    /// direct buffer's are read where they are.
    pub(super) fn read<T>(
        &self,
        raw: &Raw<'_>,
        use_it: impl FnOnce(Message<'_>) -> Result<T, NativeError>,
    ) -> Result<T, NativeError> {
        let Ok(len) = usize::try_from(self.len) else {
            return Err(NativeError::Argument("a negative length"));
        };
        let use_it = |bytes: &[u8]| use_it(message(bytes, self.kind)?);
        if self.array.is_null() {
            return use_it(direct(raw, self.direct, self.from, len)?);
        }
        if len <= ON_STACK {
            let mut copy = [0; ON_STACK];
            raw.copy(self.array, self.from, &mut copy[..len])?;
            use_it(unsigned(&copy[..len]))
        } else {
            // The JVM checks the bounds before it copies, but the memory is taken before that.
            if len > raw.len(self.array)? {
                return Err(NativeError::Argument("a length beyond the array's end"));
            }
            let mut copy = vec![0; len];
            raw.copy(self.array, self.from, &mut copy)?;
            use_it(unsigned(&copy))
        }
    }

    /// How it is pushed.
    pub(super) fn options(&self) -> PushOptions {
        options(self.kind)
    }
}

/// How a message of this kind is pushed.
pub(super) fn options(kind: jint) -> PushOptions {
    PushOptions::default().compress(kind & WSPUSH_UNCOMPRESSED == 0)
}

/// A pace as Java packs it: `rN` for a rate, `dN` for a deadline, or nothing. The outer None: it is none of these.
pub(super) fn pace(packed: &str) -> Option<Option<Pace>> {
    if packed.is_empty() {
        return Some(None);
    }
    let (which, number) = packed.split_at_checked(1)?;
    let number = number.parse().ok();
    match which {
        "r" => Pace::asked(Some(number?), None).ok(),
        "d" => Pace::asked(None, Some(number?)).ok(),
        _ => None,
    }
}

/// A message of this kind.
pub(super) fn message(bytes: &[u8], kind: jint) -> Result<Message<'_>, PushError> {
    if kind & WSPUSH_TEXT != 0 {
        simdutf8::basic::from_utf8(bytes).map(Message::Text).map_err(|_| PushError::NotUtf8)
    } else {
        Ok(Message::Binary(bytes))
    }
}

fn direct<'a>(
    raw: &Raw<'_>,
    buffer: &'a JByteBuffer<'_>,
    from: jint,
    len: usize,
) -> Result<&'a [u8], NativeError> {
    const NOT_DIRECT: NativeError = NativeError::Argument("neither an array nor a direct buffer");
    let (address, capacity) = raw.direct(buffer).ok_or(NOT_DIRECT)?;
    let from = usize::try_from(from).map_err(|_| NativeError::Argument("a negative position"))?;
    if from.checked_add(len).is_none_or(|end| end > capacity) {
        return Err(NativeError::Argument("a limit beyond the buffer's end"));
    }
    // SAFETY: the JVM says that `capacity` bytes begin at `address`, and `from + len` is not more. The buffer's memory
    // lives as long as the object, which the caller's reference keeps for `'a`. That nobody writes to it meanwhile
    // is what the Javadoc asks of the caller.
    Ok(unsafe { std::slice::from_raw_parts(address.add(from), len) })
}

/// Java's bytes have a sign.
fn unsigned(bytes: &[i8]) -> &[u8] {
    // SAFETY: `i8` and `u8` have the same size and alignment, and every bit pattern is valid for both.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// The same the other way.
pub(super) fn signed(bytes: &[u8]) -> &[i8] {
    // SAFETY: as in `unsigned`.
    unsafe { std::slice::from_raw_parts(bytes.as_ptr().cast(), bytes.len()) }
}

/// A new Java array with these bytes.
pub(super) fn new_array<'local>(
    env: &mut Env<'local>,
    bytes: &[u8],
) -> jni::errors::Result<JByteArray<'local>> {
    let array = JByteArray::new(env, bytes.len())?;
    array.set_region(env, 0, signed(bytes))?;
    Ok(array)
}

/// A whole Java array.
pub(super) fn read_array(env: &Env<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>, NativeError> {
    if array.is_null() {
        return Err(NativeError::Argument("null"));
    }
    Ok(env.convert_byte_array(array)?)
}

/// A Java array's bytes, without the `jni` crate around it.
pub(super) fn read_raw(raw: &Raw<'_>, array: &JByteArray<'_>) -> Result<Vec<u8>, NativeError> {
    let mut copy = vec![0; raw.len(array)?];
    raw.copy(array, 0, &mut copy)?;
    Ok(unsigned(&copy).to_vec())
}

/// A name, and a byte more than any that is allowed has, so that too long a one is still seen to be.
pub(super) struct Name<const BYTES_MAX: usize> {
    bytes: [i8; BYTES_MAX],
    len: usize,
}

/// A channel's name.
pub(super) type ChannelName = Name<129>;

/// A user's name.
pub(super) type UserName = Name<257>;

impl<const BYTES_MAX: usize> Name<BYTES_MAX> {
    pub(super) fn read(raw: &Raw<'_>, array: &JByteArray<'_>) -> Result<Self, NativeError> {
        let mut name = Name { bytes: [0; BYTES_MAX], len: 0 };
        name.len = raw.copy_head(array, &mut name.bytes)?;
        Ok(name)
    }

    /// None also if it was cut within a character: then it is too long anyway.
    fn text(&self) -> Option<&str> {
        std::str::from_utf8(unsigned(&self.bytes[..self.len])).ok()
    }
}

impl ChannelName {
    pub(super) fn get(&self) -> Result<&str, PushError> {
        self.text().ok_or(PushError::BadChannel)
    }
}

impl UserName {
    pub(super) fn get(&self) -> Result<&str, PushError> {
        self.text().ok_or(PushError::BadUser)
    }
}

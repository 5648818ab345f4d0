//! The native methods of `io.wspush.Native` for small messages: those that lie in an `io.wspush.Crossing`, memory of
//! this library that both sides see. They ask nothing of the JVM, and a receipt is put there, too.
#![allow(non_snake_case)]

use std::cell::UnsafeCell;
use std::sync::atomic::{AtomicBool, Ordering};

use jni::objects::{JByteBuffer, JClass};
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned};

use wspush::endpoint::Receipt;
use wspush::push::{Message, PushError};

use super::native_error::NativeError;
use super::natives::{conn_id, fenced, fenced_raw};
use super::payload::{message, options};
use super::{registry, replies};

/// Where the name begins, and behind it the message. In front of it are a receipt's epoch, offset and id.
const AT: usize = 3 * 8;
/// Name and message are so long at the most.
const BYTES_MAX: usize = 1_024;
/// As many as `Crossing` has.
const PLACES: usize = 64;

const OUT_OF_BOUNDS: NativeError = NativeError::Argument("more than fits");

/// Memory for one call at a time.
struct Place {
    is_used: AtomicBool,
    bytes: UnsafeCell<[u8; AT + BYTES_MAX]>,
}

// SAFETY: who looks at the bytes has `is_used` to itself.
unsafe impl Sync for Place {}

static ALL: [Place; PLACES] =
    [const { Place { is_used: AtomicBool::new(false), bytes: UnsafeCell::new([0; AT + BYTES_MAX]) } };
        PLACES];

fn place(number: jint) -> Result<&'static Place, NativeError> {
    let place = usize::try_from(number).ok().and_then(|number| ALL.get(number));
    place.ok_or(NativeError::Argument("a place that there isn't"))
}

/// The memory of one call.
struct Crossing(&'static Place);

impl Drop for Crossing {
    fn drop(&mut self) {
        self.0.is_used.store(false, Ordering::Release);
    }
}

impl Crossing {
    fn at(number: jint) -> Result<Crossing, NativeError> {
        let place = place(number)?;
        match place.is_used.swap(true, Ordering::Acquire) {
            false => Ok(Crossing(place)),
            true => Err(NativeError::State("another call has this place")),
        }
    }

    fn bytes(&self) -> &[u8; AT + BYTES_MAX] {
        // SAFETY: `is_used` is this one's until it is dropped, and Java writes only between two calls.
        unsafe { &*self.0.bytes.get() }
    }

    /// Name and message.
    fn parts(&self, name: jint, len: jint) -> Result<(&[u8], &[u8]), NativeError> {
        let (name, len) = (usize::try_from(name), usize::try_from(len));
        let (Ok(name), Ok(len)) = (name, len) else { return Err(NativeError::Argument("a negative length")) };
        let (name, rest) = self.bytes()[AT..].split_at_checked(name).ok_or(OUT_OF_BOUNDS)?;
        Ok((name, rest.get(..len).ok_or(OUT_OF_BOUNDS)?))
    }

    fn message(&self, len: jint, kind: jint) -> Result<Message<'_>, NativeError> {
        Ok(message(self.parts(0, len)?.1, kind)?)
    }

    fn put(self, receipt: &Receipt) {
        let numbers = [receipt.epoch, receipt.offset, receipt.id];
        // SAFETY: as in `bytes`, and nobody has a reference from there any more.
        let bytes = unsafe { &mut *self.0.bytes.get() };
        for (place, number) in bytes[..AT].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
    }
}

/// `ByteBuffer crossing(int place)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_crossing<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    number: jint,
) -> JByteBuffer<'l> {
    fenced(env, |env: &mut Env<'_>| {
        let memory = place(number)?.bytes.get();
        // SAFETY: the memory is there as long as the library, which is unloaded after its class loader, and only that
        // one's classes have the buffer.
        Ok(unsafe { env.new_direct_byte_buffer(memory.cast(), AT + BYTES_MAX)? })
    })
}

/// `void publishSmall(long server, int crossing, int name, int length, int kind)`: to the default channel if `name` is
/// -1.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    crossing: jint,
    name: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let crossing = Crossing::at(crossing)?;
        let (channel, bytes) = crossing.parts(name.max(0), len)?;
        let (channel, message) = (str::from_utf8(channel), message(bytes, kind)?);
        let receipt = registry::with(server, |entry| {
            let channel = (name >= 0).then_some(channel).transpose().map_err(|_| PushError::BadChannel)?;
            Ok(entry.handle.publish_with(channel, message, options(kind))?)
        })?;
        crossing.put(&receipt);
        Ok(())
    })
}

/// `void sendSmall(long server, long conn, int crossing, int length, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_sendSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    crossing: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        let crossing = Crossing::at(crossing)?;
        let message = crossing.message(len, kind)?;
        registry::with(server, |entry| Ok(entry.handle.send_with(conn, message, options(kind))?))
    })
}

/// `void replySmall(long conn, int crossing, int length, int kind)`: within a callback.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_replySmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    conn: jlong,
    crossing: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        let crossing = Crossing::at(crossing)?;
        replies::reply(conn, crossing.message(len, kind)?, options(kind))
    })
}

/// `void publishUserSmall(long server, int crossing, int name, int length, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishUserSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    crossing: jint,
    name: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let crossing = Crossing::at(crossing)?;
        let (user, bytes) = crossing.parts(name, len)?;
        let user = str::from_utf8(user).map_err(|_| PushError::BadUser)?;
        let message = message(bytes, kind)?;
        registry::with(server, |entry| Ok(entry.handle.publish_user_with(user, message, options(kind))?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::callbacks::{WSPUSH_BINARY, WSPUSH_TEXT};

    #[test]
    fn what_java_puts_there_and_gets_back() {
        let put = |bytes: &[u8]| {
            let crossing = Crossing::at(7).unwrap();
            // SAFETY: as in `put`.
            let memory = unsafe { &mut *crossing.0.bytes.get() };
            memory[AT..AT + bytes.len()].copy_from_slice(bytes);
            crossing
        };
        let crossing = put(b"newshello");
        assert_eq!(crossing.parts(4, 5).unwrap(), (&b"news"[..], &b"hello"[..]));
        assert!(matches!(crossing.message(4, WSPUSH_TEXT).unwrap(), Message::Text("news")));
        assert_eq!(crossing.parts(24, 1_000).unwrap().1.len(), 1_000);
        for (name, len) in [(25, 1_000), (0, 1_025), (1_025, 0), (-1, 1), (1, -1), (i32::MAX, i32::MAX)] {
            assert!(matches!(crossing.parts(name, len), Err(NativeError::Argument(_))), "{name} {len}");
        }
        assert!(matches!(Crossing::at(7), Err(NativeError::State(_))), "one call at a time");
        drop(crossing);
        let crossing = put(b"\xff");
        assert!(matches!(crossing.message(1, WSPUSH_TEXT), Err(NativeError::Push(PushError::NotUtf8))));
        assert!(crossing.message(1, WSPUSH_BINARY).is_ok());
        let channel = "news".into();
        crossing.put(&Receipt { channel, epoch: 1, offset: 2, id: 3 });
        let numbers: Vec<u64> = Crossing::at(7).unwrap().bytes()[..AT]
            .chunks(8)
            .map(|number| u64::from_ne_bytes(number.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [1, 2, 3]);
        for wrong in [-1, 64, i32::MAX, i32::MIN] {
            assert!(matches!(Crossing::at(wrong), Err(NativeError::Argument(_))), "{wrong}");
        }
    }
}

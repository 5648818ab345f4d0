//! The native methods of `io.wspush.Native` for small messages: those that lie in an `io.wspush.Crossing`, memory of
//! Java's that both sides see. They ask nothing of the JVM, and a receipt is put there, too.
//!
//! The address is Java's own: of a direct buffer that the calling method holds until the native one has returned.
#![allow(non_snake_case)]

use jni::objects::{JByteBuffer, JClass};
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned};

use wspush::endpoint::Receipt;
use wspush::push::{Message, PushError};

use super::native_error::NativeError;
use super::natives::{conn_id, fenced, fenced_raw};
use super::payload::{message, options};
use super::{registry, replies};

/// Where epoch, offset and id of a receipt go, as `Crossing` has it.
const RECEIPT: usize = 8;
/// Where the name begins, and behind it the message.
const AT: usize = RECEIPT + 3 * 8;
/// So long are both together at the most.
const BYTES_MAX: usize = 1_024;

const OUT_OF_BOUNDS: NativeError = NativeError::Argument("more than fits");

/// The memory of one call.
struct Crossing<'a> {
    bytes: &'a mut [u8; AT + BYTES_MAX],
}

impl Crossing<'_> {
    /// # Safety
    /// `address` is 0 or that of an `io.wspush.Crossing` that nobody else uses during `'a`.
    unsafe fn at<'a>(address: jlong) -> Result<Crossing<'a>, NativeError> {
        let memory = std::ptr::with_exposed_provenance_mut::<[u8; AT + BYTES_MAX]>(address as usize);
        // SAFETY: null is seen to; otherwise it is so many bytes, whose alignment doesn't matter, and Java fills a new
        // buffer with zeros.
        let bytes = unsafe { memory.as_mut() }.ok_or(NativeError::Argument("no memory"))?;
        Ok(Crossing { bytes })
    }

    /// Name and message.
    fn parts(&self, name: jint, len: jint) -> Result<(&[u8], &[u8]), NativeError> {
        let (name, len) = (usize::try_from(name), usize::try_from(len));
        let (Ok(name), Ok(len)) = (name, len) else { return Err(NativeError::Argument("a negative length")) };
        let (name, rest) = self.bytes[AT..].split_at_checked(name).ok_or(OUT_OF_BOUNDS)?;
        Ok((name, rest.get(..len).ok_or(OUT_OF_BOUNDS)?))
    }

    fn message(&self, len: jint, kind: jint) -> Result<Message<'_>, NativeError> {
        Ok(message(self.parts(0, len)?.1, kind)?)
    }

    fn put(self, receipt: &Receipt) {
        let numbers = [receipt.epoch, receipt.offset, receipt.id];
        for (place, number) in self.bytes[RECEIPT..AT].chunks_exact_mut(8).zip(numbers) {
            place.copy_from_slice(&number.to_ne_bytes());
        }
    }
}

/// `long address(ByteBuffer direct)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_address<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    direct: JByteBuffer<'l>,
) -> jlong {
    fenced(env, |env: &mut Env<'_>| Ok(env.get_direct_buffer_address(&direct)?.expose_provenance() as jlong))
}

/// `void publishSmall(long server, long crossing, int name, int length, int kind)`: to the default channel if `name` is
/// -1.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    crossing: jlong,
    name: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        // SAFETY: Java's `Crossing` hands this call memory of its own.
        let crossing = unsafe { Crossing::at(crossing)? };
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

/// `void sendSmall(long server, long conn, long crossing, int length, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_sendSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    crossing: jlong,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        // SAFETY: as in `publishSmall`.
        let crossing = unsafe { Crossing::at(crossing)? };
        let message = crossing.message(len, kind)?;
        registry::with(server, |entry| Ok(entry.handle.send_with(conn, message, options(kind))?))
    })
}

/// `void replySmall(long conn, long crossing, int length, int kind)`: within a callback.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_replySmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    conn: jlong,
    crossing: jlong,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        // SAFETY: as in `publishSmall`.
        let crossing = unsafe { Crossing::at(crossing)? };
        replies::reply(conn, crossing.message(len, kind)?, options(kind))
    })
}

/// `void publishUserSmall(long server, long crossing, int name, int length, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishUserSmall<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    crossing: jlong,
    name: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |_| {
        // SAFETY: as in `publishSmall`.
        let crossing = unsafe { Crossing::at(crossing)? };
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
        let mut memory = [0; AT + BYTES_MAX];
        memory[AT..AT + 9].copy_from_slice(b"newshello");
        let crossing = Crossing { bytes: &mut memory };
        assert_eq!(crossing.parts(4, 5).unwrap(), (&b"news"[..], &b"hello"[..]));
        assert!(matches!(crossing.message(4, WSPUSH_TEXT).unwrap(), Message::Text("news")));
        assert_eq!(crossing.parts(24, 1_000).unwrap().1.len(), 1_000);
        for (name, len) in [(25, 1_000), (0, 1_025), (1_025, 0), (-1, 1), (1, -1), (i32::MAX, i32::MAX)] {
            assert!(matches!(crossing.parts(name, len), Err(NativeError::Argument(_))), "{name} {len}");
        }
        crossing.bytes[AT] = 0xff;
        assert!(matches!(crossing.message(1, WSPUSH_TEXT), Err(NativeError::Push(PushError::NotUtf8))));
        assert!(crossing.message(1, WSPUSH_BINARY).is_ok());
        let channel = "news".into();
        crossing.put(&Receipt { channel, epoch: 1, offset: 2, id: 3 });
        let numbers: Vec<u64> = memory[RECEIPT..AT]
            .chunks(8)
            .map(|number| u64::from_ne_bytes(number.try_into().unwrap()))
            .collect();
        assert_eq!(numbers, [1, 2, 3]);
    }
}

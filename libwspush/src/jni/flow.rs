//! The native methods of `io.wspush.Native` for one session's flow, its limits and control frames. Within a callback of
//! the session they need no room in the inbox.
#![allow(non_snake_case)]

use std::time::Duration;

use jni::EnvUnowned;
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray};
use jni::sys::{jboolean, jint, jlong};

use wspush::endpoint::{ConnId, Fragment, Session};
use wspush::push::PushError;
use wspush::server::Handle;

use super::native_error::NativeError;
use super::natives::{conn_id, fenced, fenced_raw};
use super::payload::{Payload, read_array};
use super::{registry, replies};

/// In the session's callback, or else through the inbox.
fn here_or_later(
    server: jlong,
    conn: ConnId,
    here: impl FnOnce(&mut Session<'_>),
    later: impl FnOnce(&Handle) -> Result<(), PushError>,
) -> Result<(), NativeError> {
    match replies::present(conn, here) {
        Some(()) => Ok(()),
        None => registry::with(server, |entry| Ok(later(&entry.handle)?)),
    }
}

/// `void idleTimeout(long server, long conn, long ms)`: none if it is negative.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_idleTimeout<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    ms: jlong,
) {
    fenced(env, |_| {
        let conn = conn_id(conn)?;
        let timeout = u64::try_from(ms).ok().map(Duration::from_millis);
        let here = |session: &mut Session<'_>| session.set_idle_timeout(timeout);
        here_or_later(server, conn, here, |handle| handle.set_idle_timeout(conn, timeout))
    })
}

/// `void maxMessage(long server, long conn, int bytes)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_maxMessage<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    bytes: jint,
) {
    fenced(env, |_| {
        let conn = conn_id(conn)?;
        let bytes = usize::try_from(bytes).map_err(|_| NativeError::Argument("a negative size"))?;
        let here = |session: &mut Session<'_>| session.set_message_bytes_max(bytes);
        here_or_later(server, conn, here, |handle| handle.set_message_bytes_max(conn, bytes))
    })
}

/// `void pause(long server, long conn)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_pause<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        here_or_later(server, conn, |session| session.pause(), |handle| handle.pause(conn))
    })
}

/// `void resume(long server, long conn)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_resume<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        here_or_later(server, conn, |session| session.resume(), |handle| handle.resume(conn))
    })
}

/// `void fragment(long server, long conn, byte[] array, ByteBuffer direct, int from, int len, int kind, boolean more)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_fragment<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
    more: jboolean,
) {
    fenced_raw(env, |raw| {
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let conn = conn_id(conn)?;
        payload.read(&raw, |data| {
            if more && data.bytes().is_empty() {
                return Err(PushError::Empty.into());
            }
            let fragment = Fragment { data, more };
            let here = |session: &mut Session<'_>| session.send_fragment(fragment);
            here_or_later(server, conn, here, |handle| handle.send_fragment(conn, fragment))
        })
    })
}

/// `void notifyDrained(long server, long conn)`: through the inbox in any case, so that answers come in the order of
/// the requests.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_notifyDrained<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
) {
    fenced_raw(env, |_| {
        let conn = conn_id(conn)?;
        registry::with(server, |entry| Ok(entry.handle.notify_drained(conn)?))
    })
}

/// `void sendNotified(long server, long conn, byte[] array, ByteBuffer direct, int from, int len, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_sendNotified<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |raw| {
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let (conn, options) = (conn_id(conn)?, payload.options());
        registry::with(server, |entry| {
            payload.read(&raw, |message| Ok(entry.handle.send_notified(conn, message, options)?))
        })
    })
}

/// `void sendAll(long server, long[] conns, byte[] array, ByteBuffer direct, int from, int len, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_sendAll<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conns: JLongArray<'l>,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |raw| {
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let conns = raw.longs(&conns)?.into_iter().map(conn_id).collect::<Result<Vec<_>, _>>()?;
        let options = payload.options();
        registry::with(server, |entry| {
            payload.read(&raw, |message| Ok(entry.handle.send_to_all(&conns, message, options)?))
        })
    })
}

/// `void control(long server, long conn, byte[] payload, boolean ping)`: a ping, or else a pong.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_control<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    payload: JByteArray<'l>,
    ping: jboolean,
) {
    fenced(env, |env| {
        let conn = conn_id(conn)?;
        let payload = read_array(env, &payload)?;
        registry::with(server, |entry| match ping {
            true => Ok(entry.handle.ping(conn, &payload)?),
            false => Ok(entry.handle.pong(conn, &payload)?),
        })
    })
}

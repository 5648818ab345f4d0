//! The native methods of `io.wspush.Native` for users.
#![allow(non_snake_case)]

use jni::EnvUnowned;
use jni::objects::{JByteArray, JByteBuffer, JClass};
use jni::sys::{jboolean, jint, jlong};

use super::native_error::NativeError;
use super::natives::{close_of, fenced, fenced_raw};
use super::payload::{ChannelName, Payload, UserName, read_array};
use super::registry;

/// `void publishUser(long server, byte[] user, byte[] array, ByteBuffer direct, int from, int len, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishUser<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    user: JByteArray<'l>,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |raw| {
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let name = UserName::read(&raw, &user)?;
        registry::with(server, |entry| {
            let (user, options) = (name.get()?, payload.options());
            payload.read(&raw, |message| Ok(entry.handle.publish_user_with(user, message, options)?))
        })
    })
}

/// `void disconnectUser(long server, byte[] user, int code, byte[] reason, boolean revoke)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_disconnectUser<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    user: JByteArray<'l>,
    code: jint,
    reason: JByteArray<'l>,
    revoke: jboolean,
) {
    fenced(env, |env| {
        let user = String::from_utf8(read_array(env, &user)?);
        let user = user.map_err(|_| NativeError::Argument("a user's name that is not UTF-8"))?;
        let (code, reason) = close_of(env, code, &reason)?;
        registry::with(server, |entry| match revoke {
            true => Ok(entry.handle.revoke_user(&user, code, &reason)?),
            false => Ok(entry.handle.disconnect_user(&user, code, &reason)?),
        })
    })
}

/// `void subscribeUser(long server, byte[] user, byte[] channel, boolean on)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_subscribeUser<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    user: JByteArray<'l>,
    channel: JByteArray<'l>,
    on: jboolean,
) {
    fenced_raw(env, |raw| {
        let (user, channel) = (UserName::read(&raw, &user)?, ChannelName::read(&raw, &channel)?);
        let (user, channel) = (user.get()?, channel.get()?);
        registry::with(server, |entry| match on {
            true => Ok(entry.handle.subscribe_user(user, channel)?),
            false => Ok(entry.handle.unsubscribe_user(user, channel)?),
        })
    })
}

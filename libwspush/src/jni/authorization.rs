//! Questions of apps' clients, carried to Java, and answers that come later.

#![allow(non_snake_case)]

use jni::objects::{JByteArray, JClass};
use jni::signature::ReturnType;
use jni::sys::{jint, jlong};
use jni::{Env, EnvUnowned};

use wspush::endpoint::{Authorization, Authorized};

use super::handler::{Callbacks, FAILED, bytes};
use super::native_error::NativeError;
use super::natives::{conn_id, fenced};
use super::payload::{new_array, read_array};
use super::{packed, registry};

/// Asks the host.
pub(super) fn ask(callbacks: &Callbacks, asked: &Authorization<'_>) -> Authorized {
    let answer = callbacks.call(|env, methods, object| {
        let args = [bytes(&new_array(env, &question(asked))?).as_jni()];
        // SAFETY: `authorize` is `byte[] (byte[])` of the object's class.
        let answer =
            unsafe { env.call_method_unchecked(object, methods.authorize, ReturnType::Array, &args)? };
        let answer = answer.l()?;
        if answer.is_null() {
            return Ok(None);
        }
        // SAFETY: what `authorize` returns is a byte[] that nobody else has a reference to.
        let answer = unsafe { JByteArray::from_raw(env, answer.into_raw()) };
        env.convert_byte_array(&answer).map(Some)
    });
    let authorized = answer.flatten().as_deref().and_then(authorized);
    authorized.unwrap_or_else(|| Authorized::no(FAILED))
}

/// A question as `io.wspush.AuthorizationRequest` takes it apart.
fn question(asked: &Authorization<'_>) -> Vec<u8> {
    let (conn, number) = (asked.conn().0.to_string(), asked.number().to_string());
    let given = |text: Option<&str>| text.map_or_else(String::new, |text| format!("={text}"));
    let (user, channel, data) = (given(asked.user()), given(asked.channel()), given(asked.data()));
    let is_signed = asked.is_signed().to_string();
    let parts =
        [&conn, &number, asked.app(), asked.socket_id(), &user, &channel, asked.auth(), &data, &is_signed];
    packed::pack(parts.map(str::as_bytes))
}

/// The answer, as `io.wspush.Authorized` packs it.
fn authorized(answer: &[u8]) -> Option<Authorized> {
    Some(match packed::unpack(answer)?.as_slice() {
        ["signature"] => Authorized::BySignature,
        ["pending"] => Authorized::Pending,
        ["yes"] => Authorized::yes(),
        ["yes", data] => Authorized::as_user(*data),
        ["no", reason] => Authorized::no(*reason),
        _ => return None,
    })
}

/// `void authorize(long server, long conn, int number, byte[] authorized)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_authorize<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    number: jint,
    answer: JByteArray<'l>,
) {
    fenced(env, |env: &mut Env<'_>| {
        let (conn, answer) = (conn_id(conn)?, read_array(env, &answer)?);
        let answer = authorized(&answer).ok_or(NativeError::Argument("an answer that can't be read"))?;
        registry::with(server, |entry| Ok(entry.handle.authorize(conn, number.cast_unsigned(), answer)?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_java_answers() {
        let read = |parts: &[&str]| authorized(&packed::pack(parts.iter().map(|part| part.as_bytes())));
        assert_eq!(read(&["signature"]), Some(Authorized::BySignature));
        assert_eq!(read(&["pending"]), Some(Authorized::Pending));
        assert_eq!(read(&["yes"]), Some(Authorized::yes()));
        assert_eq!(read(&["yes", "{}"]), Some(Authorized::as_user("{}")));
        assert_eq!(read(&["no", "why"]), Some(Authorized::no("why")));
        for wrong in [&[][..], &["no"], &["yes", "a", "b"], &["maybe"]] {
            assert_eq!(read(wrong), None, "{wrong:?}");
        }
        assert_eq!(authorized(b"\0\0"), None);
    }
}

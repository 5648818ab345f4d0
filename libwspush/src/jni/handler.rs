//! The server's callbacks, carried to Java.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JByteArray, JValue};
use jni::signature::{Primitive, ReturnType};

use wspush::config::LogLevel;
use wspush::endpoint::{Accept, ConnId, Connect, Decision, Handler, Session};
use wspush::journal::Journal;
use wspush::protocol::close::CloseCode;
use wspush::push::Message;

use super::methods::{CallbackMethods, JavaObject};
use super::payload::new_array;
use super::{packed, replies};

/// The reason that a client is told when its callback has failed; the details are for the host's log only.
const FAILED: &str = "internal error";

/// The object that takes the callbacks, an `io.wspush.Callbacks`.
pub(super) type Callbacks = JavaObject<CallbackMethods>;

/// Where the server's log goes.
pub(super) fn journal(callbacks: &Arc<Callbacks>, level: LogLevel) -> Journal {
    let callbacks = callbacks.clone();
    Journal::new(level, Box::new(move |level, line| log(&callbacks, level, line)))
}

fn log(callbacks: &Callbacks, level: LogLevel, line: &str) {
    callbacks.call(|env, methods, object| {
        let args = [JValue::Int(level as i32).as_jni(), bytes(&new_array(env, line.as_bytes())?).as_jni()];
        let returns = ReturnType::Primitive(Primitive::Void);
        // SAFETY: `log` is `void (int, byte[])` of the object's class.
        unsafe { env.call_method_unchecked(object, methods.log, returns, &args) }.map(drop)
    });
}

pub(super) fn bytes<'a>(array: &'a JByteArray<'_>) -> JValue<'a> {
    JValue::Object(array)
}

fn optional<'local>(env: &mut Env<'local>, text: Option<&str>) -> jni::errors::Result<JByteArray<'local>> {
    text.map_or_else(|| Ok(JByteArray::null()), |text| new_array(env, text.as_bytes()))
}

fn id(conn: ConnId) -> JValue<'static> {
    JValue::Long(conn.0.cast_signed())
}

/// Carries each callback over and back.
pub(super) struct JavaHandler {
    pub(super) callbacks: Arc<Callbacks>,
    /// Whether a listener of the host's is behind them.
    pub(super) listens: bool,
}

impl Handler for JavaHandler {
    fn is_host(&self) -> bool {
        self.listens
    }

    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let answer = self.callbacks.call(|env, methods, object| {
            let args = [bytes(&new_array(env, &request(connect))?).as_jni()];
            // SAFETY: `connect` is `byte[] (byte[])` of the object's class.
            let answer =
                unsafe { env.call_method_unchecked(object, methods.connect, ReturnType::Array, &args)? };
            let answer = answer.l()?;
            if answer.is_null() {
                return Ok(None);
            }
            // SAFETY: what `connect` returns is a byte[] that nobody else has a reference to. (`cast_local` would
            // ask the JVM, and keep a class for it in a static.)
            let answer = unsafe { JByteArray::from_raw(env, answer.into_raw()) };
            env.convert_byte_array(&answer).map(Some)
        });
        let answer = answer.flatten();
        answer.as_deref().and_then(decision).unwrap_or_else(|| Decision::refuse(500, FAILED))
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        let user = session.user().map(str::to_owned);
        let conn = session.id();
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let user = optional(env, user.as_deref())?;
                let args = [id(conn).as_jni(), bytes(&user).as_jni()];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `open` is `boolean (long, byte[])` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.open, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let user = session.user().map(str::to_owned);
        let conn = session.id();
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let user = optional(env, user.as_deref())?;
                let payload = new_array(env, message.bytes())?;
                let text = JValue::Bool(matches!(message, Message::Text(_)));
                let args =
                    [id(conn).as_jni(), bytes(&user).as_jni(), bytes(&payload).as_jni(), text.as_jni()];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `message` is `boolean (long, byte[], byte[], boolean)` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.message, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_close(&mut self, conn: ConnId, user: Option<&str>, code: CloseCode, reason: &str) {
        self.callbacks.call(|env, methods, object| {
            let user = optional(env, user)?;
            let reason = new_array(env, reason.as_bytes())?;
            let code = JValue::Int(i32::from(code.0));
            let args = [id(conn).as_jni(), bytes(&user).as_jni(), code.as_jni(), bytes(&reason).as_jni()];
            let returns = ReturnType::Primitive(Primitive::Void);
            // SAFETY: `closed` is `void (long, byte[], int, byte[])` of the object's class.
            unsafe { env.call_method_unchecked(object, methods.closed, returns, &args) }.map(drop)
        });
    }
}

/// A request as `io.wspush.ConnectRequest` takes it apart.
fn request(connect: &Connect<'_>) -> Vec<u8> {
    let head = connect.head;
    let peer = connect.peer().map_or_else(String::new, |peer| peer.to_string());
    let (status, reason) = match connect.by_config() {
        Decision::Accept(_) => (0, String::new()),
        Decision::Refuse { status, reason } => (status, reason),
        Decision::Pending => (0, String::new()),
    };
    let (status, channels) = (status.to_string(), connect.channels.len().to_string());
    let mut out = Vec::with_capacity(1_024);
    let subject = connect.client_subject().unwrap_or_default();
    let conn = connect.id().0.to_string();
    let claims = connect.claims();
    // None of them is empty where there is one.
    let user = claims.and_then(|claims| claims.user.as_deref()).unwrap_or_default();
    let info = claims.and_then(|claims| claims.rights.info.as_deref()).unwrap_or_default();
    let json = claims.map_or("", |claims| &claims.json);
    let transport = connect.transport().name();
    let request = [&conn, connect.path(), head.query(), transport];
    for part in request.into_iter().chain([&peer, &subject, &status, &reason, user, info, json]) {
        packed::put(&mut out, part.as_bytes());
    }
    packed::put(&mut out, channels.as_bytes());
    for channel in &connect.channels {
        packed::put(&mut out, channel.as_bytes());
    }
    for (name, value) in head.fields() {
        packed::put(&mut out, name.as_bytes());
        packed::put(&mut out, value);
    }
    out
}

/// The answer, as `io.wspush.Decision` packs it.
pub(super) fn decision(answer: &[u8]) -> Option<Decision> {
    let given = |text: &str| text.strip_prefix('=').map(str::to_owned);
    match packed::unpack(answer)?.as_slice() {
        ["accept", broadcast, user, protocol, info, channels @ ..] => {
            // One with a space says from where on a channel is received.
            let (since, channels): (Vec<&str>, Vec<&str>) =
                channels.iter().partition(|channel| channel.contains(' '));
            let beginning = |entry: &str| {
                let (channel, since) = entry.split_once(' ')?;
                Some((channel.to_owned(), since.parse().ok()?))
            };
            Some(Decision::Accept(Accept {
                user: given(user),
                broadcast: *broadcast == "true",
                channels: channels.iter().map(ToString::to_string).collect(),
                since: since.into_iter().map(beginning).collect::<Option<_>>()?,
                protocol: given(protocol).map(String::into_boxed_str),
                info: given(info),
                ..Accept::default()
            }))
        }
        ["pending"] => Some(Decision::Pending),
        ["refuse", status, reason] => Some(Decision::refuse(status.parse().ok()?, *reason)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use wspush::push::Since;

    #[test]
    fn what_java_decides() {
        let answer = |parts: &[&str]| decision(&packed::pack(parts.iter().map(|part| part.as_bytes())));
        let ada = Accept {
            user: Some("Ada".to_owned()),
            broadcast: false,
            channels: vec!["a".to_owned(), "b".to_owned()],
            info: Some("7".to_owned()),
            ..Accept::default()
        };
        assert_eq!(answer(&["accept", "false", "=Ada", "", "=7", "a", "b"]), Some(Decision::Accept(ada)));
        let since = vec![("a".to_owned(), Since::Last(3))];
        let begins = Accept { channels: vec!["a".to_owned()], since, ..Accept::default() };
        assert_eq!(answer(&["accept", "true", "", "", "", "a", "a last:3"]), Some(Decision::Accept(begins)));
        assert_eq!(answer(&["accept", "true", "", "", ""]), Some(Decision::Accept(Accept::default())));
        assert_eq!(answer(&["refuse", "401", "who?"]), Some(Decision::refuse(401, "who?")));
        for wrong in [
            &[][..],
            &["accept"],
            &["refuse", "x", ""],
            &["refuse", "401", "", ""],
            &["maybe"],
            &["accept", "true", "", "", "", "a last:0"],
        ] {
            assert_eq!(answer(wrong), None, "{wrong:?}");
        }
    }
}

//! The server's callbacks, carried to Java.

use std::sync::Arc;

use jni::Env;
use jni::objects::{JByteArray, JValue};
use jni::signature::{Primitive, ReturnType};

use wspush::config::LogLevel;
use wspush::endpoint::{
    Accept, Authorization, Authorized, Closed, ConnId, Connect, Decision, Fragment, Handler, Session,
};
use wspush::journal::Journal;
use wspush::protocol::close::CloseCode;
use wspush::push::Message;

use super::methods::{CallbackMethods, JavaObject};
use super::payload::new_array;
use super::routes::Place;
use super::{authorization, packed, replies, routes};

/// The reason that a client is told when its callback has failed; the details are for the host's log only.
pub(super) const FAILED: &str = "internal error";

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

fn optional<'local>(env: &mut Env<'local>, bytes: Option<&[u8]>) -> jni::errors::Result<JByteArray<'local>> {
    bytes.map_or_else(|| Ok(JByteArray::null()), |bytes| new_array(env, bytes))
}

fn id(conn: ConnId) -> JValue<'static> {
    JValue::Long(conn.0.cast_signed())
}

/// The attributes of a session that is let in, until it is open; they lie in Java, under a number. If the session
/// doesn't come, Java is told, wherever this is dropped.
struct Arriving {
    callbacks: Arc<Callbacks>,
    number: i64,
}

impl Arriving {
    /// The session has come.
    fn take(mut self) -> i64 {
        std::mem::take(&mut self.number)
    }
}

impl Drop for Arriving {
    fn drop(&mut self) {
        if self.number == 0 {
            return;
        }
        self.callbacks.call(|env, methods, object| {
            let args = [JValue::Long(self.number).as_jni()];
            let returns = ReturnType::Primitive(Primitive::Void);
            // SAFETY: `stayAway` is `void (long)` of the object's class.
            unsafe { env.call_method_unchecked(object, methods.stay_away, returns, &args) }.map(drop)
        });
    }
}

/// Carries each callback over and back.
pub(super) struct JavaHandler {
    pub(super) callbacks: Arc<Callbacks>,
    /// Whether a listener of the host's is behind them.
    pub(super) listens: bool,
    /// The route that it is for; None: the server's own paths.
    pub(super) place: Option<Place>,
}

/// Who a session is, as each callback says it.
struct Who {
    conn: ConnId,
    user: Option<String>,
    parameters: Option<Vec<u8>>,
}

impl Who {
    fn of(session: &Session<'_>, place: Option<&Place>) -> Who {
        let parameters = place.and_then(|place| place.parameters(|name| session.param(name)));
        Who { conn: session.id(), user: session.user().map(str::to_owned), parameters }
    }

    /// User and parameters for Java.
    fn arrays<'local>(
        &self,
        env: &mut Env<'local>,
    ) -> jni::errors::Result<(JByteArray<'local>, JByteArray<'local>)> {
        let user = optional(env, self.user.as_deref().map(str::as_bytes))?;
        Ok((user, optional(env, self.parameters.as_deref())?))
    }
}

impl Handler for JavaHandler {
    fn is_host(&self) -> bool {
        self.listens
    }

    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        let answer = self.callbacks.call(|env, methods, object| {
            let request = request(connect, self.place.as_ref());
            let args = [bytes(&new_array(env, &request)?).as_jni()];
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
        let decision = answer.as_deref().and_then(|answer| decision(answer, Some(&self.callbacks)));
        decision.unwrap_or_else(|| Decision::refuse(500, FAILED))
    }

    fn on_open(&mut self, session: &mut Session<'_>) {
        if let Some(idle) = self.place.as_ref().and_then(|place| place.idle) {
            session.set_idle_timeout(Some(idle));
        }
        let attributes = session.take_attribute::<Arriving>().map_or(0, Arriving::take);
        let who = Who::of(session, self.place.as_ref());
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let (user, parameters) = who.arrays(env)?;
                let attributes = JValue::Long(attributes);
                let args = [
                    id(who.conn).as_jni(),
                    bytes(&user).as_jni(),
                    bytes(&parameters).as_jni(),
                    attributes.as_jni(),
                ];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `open` is `boolean (long, byte[], byte[], long)` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.open, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_taken_over(&mut self, session: &mut Session<'_>) {
        let who = Who::of(session, self.place.as_ref());
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let (user, parameters) = who.arrays(env)?;
                let args = [id(who.conn).as_jni(), bytes(&user).as_jni(), bytes(&parameters).as_jni()];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `takenOver` is `boolean (long, byte[], byte[])` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.taken_over, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
        let who = Who::of(session, self.place.as_ref());
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let (user, parameters) = who.arrays(env)?;
                let payload = new_array(env, message.bytes())?;
                let text = JValue::Bool(matches!(message, Message::Text(_)));
                let args = [
                    id(who.conn).as_jni(),
                    bytes(&user).as_jni(),
                    bytes(&parameters).as_jni(),
                    bytes(&payload).as_jni(),
                    text.as_jni(),
                ];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `message` is `boolean (long, byte[], byte[], byte[], boolean)` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.message, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
        let who = Who::of(session, self.place.as_ref());
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let (user, parameters) = who.arrays(env)?;
                let payload = new_array(env, fragment.data.bytes())?;
                let text = JValue::Bool(matches!(fragment.data, Message::Text(_)));
                let more = JValue::Bool(fragment.more);
                let args = [
                    id(who.conn).as_jni(),
                    bytes(&user).as_jni(),
                    bytes(&parameters).as_jni(),
                    bytes(&payload).as_jni(),
                    text.as_jni(),
                    more.as_jni(),
                ];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `fragment` is `boolean (long, byte[], byte[], byte[], boolean, boolean)` of the object's
                // class.
                unsafe { env.call_method_unchecked(object, methods.fragment, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_authorize(&mut self, asked: &Authorization<'_>) -> Authorized {
        authorization::ask(&self.callbacks, asked)
    }

    fn on_drained(&mut self, session: &mut Session<'_>) {
        let (conn, answered) = (session.id(), i32::try_from(session.drains()).unwrap_or(i32::MAX));
        replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let args = [id(conn).as_jni(), JValue::Int(answered).as_jni()];
                let returns = ReturnType::Primitive(Primitive::Void);
                // SAFETY: `drained` is `void (long, int)` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.drained, returns, &args) }.map(drop)
            })
        });
    }

    fn on_pong(&mut self, session: &mut Session<'_>, payload: &[u8]) {
        let who = Who::of(session, self.place.as_ref());
        let done = replies::during(session, || {
            self.callbacks.call(|env, methods, object| {
                let (user, parameters) = who.arrays(env)?;
                let payload = new_array(env, payload)?;
                let args = [
                    id(who.conn).as_jni(),
                    bytes(&user).as_jni(),
                    bytes(&parameters).as_jni(),
                    bytes(&payload).as_jni(),
                ];
                let returns = ReturnType::Primitive(Primitive::Boolean);
                // SAFETY: `pong` is `boolean (long, byte[], byte[], byte[])` of the object's class.
                unsafe { env.call_method_unchecked(object, methods.pong, returns, &args)? }.z()
            })
        });
        if done != Some(true) {
            session.close(CloseCode::INTERNAL_ERROR, FAILED);
        }
    }

    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        let parameters = self.place.as_ref();
        let parameters = parameters.and_then(|place| place.parameters(|name| closed.param(name)));
        let (conn, user) = (closed.id(), closed.user().map(str::to_owned));
        let who = Who { conn, user, parameters };
        self.callbacks.call(|env, methods, object| {
            let (user, parameters) = who.arrays(env)?;
            let reason = new_array(env, closed.reason().as_bytes())?;
            let code = JValue::Int(i32::from(closed.code().0));
            let args = [
                id(who.conn).as_jni(),
                bytes(&user).as_jni(),
                bytes(&parameters).as_jni(),
                code.as_jni(),
                bytes(&reason).as_jni(),
            ];
            let returns = ReturnType::Primitive(Primitive::Void);
            // SAFETY: `closed` is `void (long, byte[], byte[], int, byte[])` of the object's class.
            unsafe { env.call_method_unchecked(object, methods.closed, returns, &args) }.map(drop)
        });
    }
}

/// A request as `io.wspush.ConnectRequest` takes it apart.
fn request(connect: &Connect<'_>, place: Option<&Place>) -> Vec<u8> {
    let head = connect.head;
    let peer = connect.peer().map_or_else(String::new, |peer| peer.to_string());
    let (status, reason) = match connect.by_config() {
        Decision::Accept(_) => (0, String::new()),
        Decision::Refuse { status, reason, .. } => (status, reason),
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
    packed::put(&mut out, connect.is_secure().to_string().as_bytes());
    packed::put(&mut out, place.map_or(0, Place::count).to_string().as_bytes());
    if let Some(parameters) = place.and_then(|place| place.parameters(|name| connect.param(name))) {
        out.extend_from_slice(&parameters);
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
pub(super) fn decision(answer: &[u8], callbacks: Option<&Arc<Callbacks>>) -> Option<Decision> {
    match packed::unpack(answer)?.as_slice() {
        ["accept", rest @ ..] => {
            let (mut accept, attributes) = accept(rest)?;
            if let (Some(callbacks), true) = (callbacks, attributes != 0) {
                accept = accept.with_attribute(Arriving { callbacks: callbacks.clone(), number: attributes });
            }
            Some(Decision::Accept(accept))
        }
        ["pending"] => Some(Decision::Pending),
        ["refuse", status, reason, headers @ ..] => {
            let mut decision = Decision::refuse(status.parse().ok()?, *reason);
            for header in headers.chunks(2) {
                let &[name, value] = header else { return None };
                decision = decision.with_header(name, value);
            }
            Some(decision)
        }
        _ => None,
    }
}

/// A yes, and the number of the attributes that the session is to have.
fn accept(parts: &[&str]) -> Option<(Accept, i64)> {
    let given = |text: &str| text.strip_prefix('=').map(str::to_owned);
    let [broadcast, user, protocol, info, attributes, pieces, headers, rest @ ..] = parts else {
        return None;
    };
    let (headers, channels) = rest.split_at_checked(headers.parse().ok()?)?;
    // One with a space says from where on a channel is received.
    let (since, channels): (Vec<&str>, Vec<&str>) =
        channels.iter().partition(|channel| channel.contains(' '));
    let beginning = |entry: &str| {
        let (channel, since) = entry.split_once(' ')?;
        Some((channel.to_owned(), since.parse().ok()?))
    };
    let mut accept = Accept {
        user: given(user),
        broadcast: *broadcast == "true",
        channels: channels.iter().map(ToString::to_string).collect(),
        since: since.into_iter().map(beginning).collect::<Option<_>>()?,
        protocol: given(protocol).map(Into::into),
        info: given(info),
        pieces: routes::pieces(pieces)?,
        ..Accept::default()
    };
    for header in headers.chunks(2) {
        let &[name, value] = header else { return None };
        accept = accept.with_header(name, value);
    }
    Some((accept, attributes.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wspush::Pieces;
    use wspush::push::Since;

    #[test]
    fn what_java_refuses() {
        let refused =
            |parts: &[&str]| decision(&packed::pack(parts.iter().map(|part| part.as_bytes())), None);
        let no = Decision::refuse(401, "who?");
        assert_eq!(refused(&["refuse", "401", "who?"]), Some(no.clone()));
        assert_eq!(refused(&["refuse", "401", "who?", "X", "y"]), Some(no.with_header("X", "y")));
        assert_eq!(refused(&["refuse", "401", "who?", "X"]), None);
    }

    #[test]
    fn what_java_decides() {
        let accepted = |parts: &[&str]| accept(parts);
        let ada = Accept {
            user: Some("Ada".to_owned()),
            broadcast: false,
            channels: vec!["a".to_owned(), "b".to_owned()],
            info: Some("7".to_owned()),
            pieces: Pieces::Unbounded,
            ..Accept::default()
        };
        assert_eq!(accepted(&["false", "=Ada", "", "=7", "0", "2", "0", "a", "b"]), Some((ada, 0)));
        let since = vec![("a".to_owned(), Since::Last(3))];
        let begins = Accept { channels: vec!["a".to_owned()], since, ..Accept::default() };
        assert_eq!(accepted(&["true", "", "", "", "0", "0", "0", "a", "a last:3"]), Some((begins, 0)));
        let with_header = Accept::default().with_header("X", "y");
        assert_eq!(accepted(&["true", "", "", "", "7", "0", "2", "X", "y"]), Some((with_header, 7)));
        let none = Accept { protocol: Some("".into()), ..Accept::default() };
        assert_eq!(accepted(&["true", "", "=", "", "0", "0", "0"]), Some((none, 0)));
        for wrong in [
            &[][..],
            &["true", "", "", ""],
            &["true", "", "", "", "0", "0", "1"],
            &["true", "", "", "", "0", "0", "1", "a"],
            &["true", "", "", "", "x", "0", "0"],
            &["true", "", "", "", "0", "3", "0"],
            &["true", "", "", "", "0", "0", "0", "a last:0"],
        ] {
            assert_eq!(accepted(wrong), None, "{wrong:?}");
        }
    }
}

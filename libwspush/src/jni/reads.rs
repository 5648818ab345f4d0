//! The native methods of `io.wspush.Native` for publishing on terms and for questions. Whatever has several parts
//! travels as one packed array.
#![allow(non_snake_case)]

use jni::EnvUnowned;
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JObject, JValue};
use jni::signature::{Primitive, ReturnType};
use jni::sys::{jint, jlong};

use wspush::endpoint::{
    ChannelHistory, ChannelInfo, ChannelList, ChannelPage, ChannelPresence, ConnId, HistoryQuery, NodeInfo,
    RouteId, SessionInfo, SessionList, SessionPage, UserPage,
};
use wspush::push::{Kind, PublishTerms, PushError};
use wspush::server::Handle;

use super::handler::bytes;
use super::methods::{JavaObject, ReplyMethods};
use super::native_error::NativeError;
use super::natives::{fenced, fenced_raw};
use super::packed;
use super::payload::{self, Payload, new_array, read_array, read_raw};
use super::registry;

/// Outcomes of `publishTo` and `publishBatch`.
pub(super) const PUBLISHED: jint = 0;
pub(super) const DUPLICATE: jint = 1;
const CONFLICT: jint = 2;

/// How an answer is, as `io.wspush.Reply` has it.
const FOUND: jint = 0;
const NOT_FOUND: jint = 1;
const INBOX_FULL: jint = 2;
const STOPPED: jint = 3;
const OTHER: jint = 4;

pub(super) const NOT_PACKED: NativeError = NativeError::Argument("something that is not packed");

/// `int publishTo(long server, byte[] channels, byte[] array, ByteBuffer direct, int from, int len, int kind, byte[]
/// terms, long[] receipts)`: epoch, offset and id of each are put into `receipts`, and behind them whether the
/// `traceparent` is one. In a conflict it is the epoch and the offset of the channel, and its index.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publishTo<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    channels: JByteArray<'l>,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
    terms: JByteArray<'l>,
    receipts: JLongArray<'l>,
) -> jint {
    fenced_raw(env, |raw| {
        if receipts.is_null() {
            return Err(NativeError::Argument("no place for the receipts"));
        }
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let (channels, terms) = (read_raw(&raw, &channels)?, read_raw(&raw, &terms)?);
        let channels = packed::unpack(&channels).ok_or(NOT_PACKED)?;
        let terms = packed::unpack(&terms).ok_or(NOT_PACKED)?;
        let terms = publish_terms(&terms).ok_or(NOT_PACKED)?;
        let terms = terms.options(payload.options().pace(terms.options.pace));
        let published = registry::with(server, |entry| {
            payload.read(&raw, |message| Ok(entry.handle.publish_to(&channels, message, terms)))
        })?;
        let (outcome, places) = match published {
            Ok(published) => {
                let places = published.receipts.iter().flat_map(|r| [r.epoch, r.offset, r.id]);
                let places = places.chain([u64::from(published.traceparent.is_some())]).collect();
                (if published.duplicate { DUPLICATE } else { PUBLISHED }, places)
            }
            Err(PushError::OffsetDiffers { channel, epoch, offset }) => {
                let index = channels.iter().position(|name| **name == *channel).unwrap_or_default();
                (CONFLICT, vec![epoch, offset, index as u64])
            }
            Err(problem) => return Err(problem.into()),
        };
        let places: Vec<jlong> = places.into_iter().map(u64::cast_signed).collect();
        raw.put(&receipts, &places);
        Ok(outcome)
    })
}

/// `=KEY` or nothing, the offset or -1, the pace, and the `traceparent` or nothing.
pub(super) fn publish_terms<'a>(parts: &[&'a str]) -> Option<PublishTerms<'a>> {
    let &[key, offset, pace, traceparent] = parts else { return None };
    let (idempotency_key, offset) = (key.strip_prefix('='), offset.parse::<i64>().ok()?);
    let mut terms = PublishTerms::default();
    terms.idempotency_key = idempotency_key;
    terms.if_offset = u64::try_from(offset).ok();
    terms.traceparent = Some(traceparent).filter(|text| !text.is_empty());
    Some(terms.pace(payload::pace(pace)?))
}

/// `void subscribeUserSince(long server, byte[] user, byte[] channel, byte[] since)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_subscribeUserSince<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    user: JByteArray<'l>,
    channel: JByteArray<'l>,
    since: JByteArray<'l>,
) {
    fenced(env, |env| {
        let text = |array| {
            let text = String::from_utf8(read_array(env, array)?);
            text.map_err(|_| NativeError::Argument("a text that is not UTF-8"))
        };
        let (user, channel, since) = (text(&user)?, text(&channel)?, text(&since)?);
        let since = since.parse().map_err(|_| NOT_SINCE)?;
        registry::with(server, |entry| Ok(entry.handle.subscribe_user_since(&user, &channel, since)?))
    })
}

const NOT_SINCE: NativeError =
    NativeError::Argument("since is not one of E.O, head, earliest, last:N, time:UNIX_MS, latest");

/// `void ask(long server, byte[] question, Reply reply)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_ask<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    question: JByteArray<'l>,
    reply: JObject<'l>,
) {
    fenced(env, |env| {
        if reply.is_null() {
            return Err(NativeError::Argument("no reply"));
        }
        let question = read_array(env, &question)?;
        let question = packed::unpack(&question).ok_or(NOT_PACKED)?;
        let reply = JavaObject::new(env, &reply)?;
        registry::with(server, |entry| ask(&entry.handle, &question, Reply(reply)))
    })
}

fn ask(handle: &Handle, question: &[&str], reply: Reply) -> Result<(), NativeError> {
    match *question {
        ["channel", name] => {
            handle.channel(name, move |info| reply.give(info.map(|info| info.map(channel))))?
        }
        ["forget", name] => {
            handle.forget_history(name, move |info| reply.give(info.map(|info| info.map(channel))))?;
        }
        ["presence", name] => {
            let give = move |found: Result<Option<_>, _>| reply.give(found.map(|found| found.map(presence)));
            handle.presence(name, give)?;
        }
        ["channels", prefix, after, limit] => {
            let after = number(after)?.checked_sub(1);
            let list = ChannelList { prefix: prefix.to_owned(), after, limit: page_limit(limit)? };
            handle.channels(list, move |page| reply.give(page.map(|page| Some(channels(page)))))?;
        }
        ["history", name, since, limit, newest_first] => {
            let since = since.parse().map_err(|_| NOT_SINCE)?;
            let query = HistoryQuery::default().since(since).limit(page_limit(limit)?);
            let query = if newest_first == "true" { query.newest_first() } else { query };
            handle.history(name, query, move |page| reply.give(page.map(|page| page.map(history))))?;
        }
        ["user", name, after, limit] => {
            let after = Some(ConnId(number(after)?)).filter(|after| after.0 != 0);
            let limit = page_limit(limit)?;
            let give = move |page: Result<_, _>| reply.give(page.map(|page| Some(connections(&page))));
            handle.user_connections(name, after, limit, give)?;
        }
        ["nodes"] => handle.nodes(move |found| reply.give(found.map(|found| Some(nodes(&found)))))?,
        ["session", conn] => {
            let conn = ConnId(number(conn)?);
            handle.session(conn, move |found| {
                reply.give(found.map(|found| found.map(|info| session(&info))))
            })?;
        }
        ["sessions", route, after, limit] => {
            let route = usize::try_from(number(route)?).ok().and_then(RouteId::from_number);
            let route = route.ok_or(NativeError::Argument("a route that there isn't"))?;
            let mut list = SessionList::default().of(route).limit(page_limit(limit)?);
            list.after = Some(ConnId(number(after)?)).filter(|after| after.0 != 0);
            handle.sessions(list, move |page| reply.give(page.map(|page| Some(sessions(&page)))))?;
        }
        _ => return Err(NativeError::Argument("a question that can't be read")),
    }
    Ok(())
}

fn number(text: &str) -> Result<u64, NativeError> {
    text.parse::<i64>().map(i64::cast_unsigned).map_err(|_| NativeError::Argument("not a number"))
}

/// One that is out of bounds is refused with all others.
fn page_limit(text: &str) -> Result<usize, NativeError> {
    Ok(text.parse().unwrap_or(0))
}

/// A Java object that waits for an answer.
struct Reply(JavaObject<ReplyMethods>);

impl Reply {
    /// Gives the answer, packed. None: there is no such thing.
    fn give(self, answer: Result<Option<Vec<u8>>, PushError>) {
        let (status, body) = match answer {
            Ok(Some(body)) => (FOUND, body),
            Ok(None) => (NOT_FOUND, Vec::new()),
            Err(problem) => {
                let status = match problem {
                    PushError::InboxFull => INBOX_FULL,
                    PushError::Stopped => STOPPED,
                    _ => OTHER,
                };
                (status, problem.to_string().into_bytes())
            }
        };
        self.0.call(|env, methods, object| {
            let body = new_array(env, &body)?;
            let args = [JValue::Int(status).as_jni(), bytes(&body).as_jni()];
            let returns = ReturnType::Primitive(Primitive::Void);
            // SAFETY: `answered` is `void (int, byte[])` of the object's class, a Reply.
            unsafe { env.call_method_unchecked(object, methods.answered, returns, &args) }.map(drop)
        });
    }
}

fn put_number(out: &mut Vec<u8>, number: u64) {
    packed::put(out, number.cast_signed().to_string().as_bytes());
}

fn put_channel(out: &mut Vec<u8>, info: &ChannelInfo) {
    packed::put(out, info.channel.as_bytes());
    for number in [info.epoch, info.offset, info.first, info.bytes, info.subscribers.into(), info.members] {
        put_number(out, number);
    }
}

fn channel(info: ChannelInfo) -> Vec<u8> {
    let mut out = Vec::new();
    put_channel(&mut out, &info);
    out
}

fn channels(page: ChannelPage) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, page.next.map_or(0, |place| place + 1));
    page.channels.iter().for_each(|info| put_channel(&mut out, info));
    out
}

fn history(page: ChannelHistory) -> Vec<u8> {
    let mut out = Vec::new();
    put_channel(&mut out, &page.channel);
    let (from, to) = page.missed.map_or((0, 0), |gap| (gap.from, gap.to));
    [from, to].into_iter().for_each(|number| put_number(&mut out, number));
    for past in &page.publications {
        for number in [past.offset, past.unix_ms, u64::from(past.kind == Kind::Text)] {
            put_number(&mut out, number);
        }
        packed::put(&mut out, &past.payload);
    }
    out
}

fn presence(found: ChannelPresence) -> Vec<u8> {
    let mut out = Vec::new();
    packed::put(&mut out, found.channel.as_bytes());
    for number in [found.epoch, found.offset, found.count, u64::from(found.members.is_some())] {
        put_number(&mut out, number);
    }
    for member in found.members.iter().flatten() {
        packed::put(&mut out, member.user.as_bytes());
        packed::put(&mut out, member.info.as_deref().unwrap_or_default().as_bytes());
        put_number(&mut out, member.connections.into());
    }
    out
}

fn nodes(found: &[NodeInfo]) -> Vec<u8> {
    let mut out = Vec::new();
    for info in found {
        [&info.node, &info.run, &info.version].iter().for_each(|text| packed::put(&mut out, text.as_bytes()));
        for number in [info.since_ms, info.connections, info.lag_ms, info.lease_ms] {
            put_number(&mut out, number);
        }
    }
    out
}

fn connections(page: &UserPage) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, page.next.map_or(0, |conn| conn.0));
    for connection in &page.connections {
        put_number(&mut out, connection.id.0);
        put_number(&mut out, connection.channels.len() as u64);
        connection.channels.iter().for_each(|name| packed::put(&mut out, name.as_bytes()));
    }
    out
}

fn session(info: &SessionInfo) -> Vec<u8> {
    let mut out = Vec::new();
    put_session(&mut out, info);
    out
}

fn sessions(page: &SessionPage) -> Vec<u8> {
    let mut out = Vec::new();
    put_number(&mut out, page.next.map_or(0, |conn| conn.0));
    page.sessions.iter().for_each(|info| put_session(&mut out, info));
    out
}

/// Id, user, where it comes from, the route or -1, the parameters as one part, whether it speaks TLS, and what waits
/// for it.
fn put_session(out: &mut Vec<u8>, info: &SessionInfo) {
    put_number(out, info.id.0);
    packed::put(out, info.user.as_deref().unwrap_or_default().as_bytes());
    packed::put(out, info.peer.map_or_else(String::new, |peer| peer.to_string()).as_bytes());
    put_number(out, info.route.map_or(u64::MAX, |route| route.number() as u64));
    let pairs = info.parameters.iter().flat_map(|(name, value)| [name.as_bytes(), value.as_bytes()]);
    packed::put(out, &packed::pack(pairs));
    put_number(out, info.is_secure.into());
    put_number(out, info.outbox_bytes as u64);
}

#[cfg(test)]
mod tests {
    use super::*;
    use wspush::Pace;

    #[test]
    fn terms_as_java_packs_them() {
        assert_eq!(publish_terms(&["", "-1", "", ""]), Some(PublishTerms::default()));
        let terms = PublishTerms::default().idempotency_key("k").if_offset(0).pace(Pace::WithinMs(5));
        assert_eq!(publish_terms(&["=k", "0", "d5", "00-a"]), Some(terms.traceparent("00-a")));
        assert_eq!(publish_terms(&["=", "-1", "", ""]), Some(PublishTerms::default().idempotency_key("")));
        let wrong = [
            &[][..],
            &["="],
            &["=", "-1", ""],
            &["=", "x", "", ""],
            &["=", "1", "2", ""],
            &["", "-1", "r0", ""],
        ];
        for wrong in wrong {
            assert_eq!(publish_terms(wrong), None);
        }
    }
}

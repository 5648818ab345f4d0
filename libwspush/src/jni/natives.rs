//! The native methods of `io.wspush.Native`. They are called by that class only; each of them throws what goes wrong.
#![allow(non_snake_case)]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use jni::errors::Error;
use jni::objects::{JByteArray, JByteBuffer, JClass, JLongArray, JObject, JObjectArray};
use jni::sys::{jboolean, jint, jlong};
use jni::{Env, EnvUnowned};

use wspush::config::{Config, Layers};
use wspush::endpoint::{ConnId, Receipt};
use wspush::protocol::close::CloseCode;
use wspush::push::{Delivery, Message, PushError};
use wspush::server::{Server, StartError};
use wspush::{Handler, RouteId, Router};

use super::handler::{Callbacks, JavaHandler, journal};
use super::native_error::{NativeError, Raise};
use super::payload::{ChannelName, Payload, new_array, read_array};
use super::raw::Raw;
use super::registry::{self, Entry};
use super::routes::{self, JavaRoute};
use super::{packed, replies, stats};

/// The fence around every native method: no panic and no error gets past it but as an exception.
pub(super) fn fenced<'local, T: Default>(
    mut env: EnvUnowned<'local>,
    body: impl FnOnce(&mut Env<'local>) -> Result<T, NativeError>,
) -> T {
    env.with_env(body).resolve::<Raise>()
}

/// The same fence where each call into the JVM counts: only what goes wrong meets the `jni` crate.
pub(super) fn fenced_raw<'local, T: Default>(
    env: EnvUnowned<'local>,
    body: impl FnOnce(Raw<'_>) -> Result<T, NativeError>,
) -> T {
    match catch_unwind(AssertUnwindSafe(|| body(Raw::of(&env)))) {
        Ok(Ok(result)) => result,
        // Thrown already.
        Ok(Err(NativeError::Java(Error::JavaException))) => T::default(),
        Ok(Err(failure)) => fenced(env, |_| Err(failure)),
        Err(panic) => fenced(env, |_| resume_unwind(panic)),
    }
}

/// `byte[] load()`: says the library's version.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_load<'l>(env: EnvUnowned<'l>, _: JClass<'l>) -> JByteArray<'l> {
    fenced(env, |env| Ok(new_array(env, env!("CARGO_PKG_VERSION").as_bytes())?))
}

/// `long start(byte[] settings, Callbacks callbacks, boolean listens, byte[] routes, Callbacks[] routed)`: binds a
/// server; its id. `settings` are names and values in turn; `listens` says whether a listener of the host's is behind
/// the callbacks; `routed` are those of the routes.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_start<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    settings: JByteArray<'l>,
    callbacks: JObject<'l>,
    listens: jboolean,
    routes: JByteArray<'l>,
    routed: JObjectArray<'l>,
) -> jlong {
    fenced(env, |env| {
        if callbacks.is_null() {
            return Err(NativeError::Argument("no callbacks"));
        }
        let config = config(&read_array(env, &settings)?)?;
        let callbacks = Arc::new(Callbacks::new(env, &callbacks)?);
        let journal = journal(&callbacks, config.log_level);
        let routed = self::routed(env, &read_array(env, &routes)?, &routed)?;
        let mut routers = Vec::new();
        for _ in 0..config.reactors.count() {
            let own = JavaHandler { callbacks: callbacks.clone(), listens, place: None };
            routers.push(router(own, &routed)?);
        }
        let next = |_| -> Box<dyn Handler> {
            let own = || JavaHandler { callbacks: callbacks.clone(), listens, place: None };
            Box::new(routers.pop().unwrap_or_else(|| Router::new(own())))
        };
        let server = Server::bind_each(config, next, Some(journal), Vec::new())?;
        let addresses = addresses(&server);
        Ok(registry::insert(Entry::new(server, addresses, Some(callbacks))))
    })
}

/// Local references that a route's callbacks take while they are looked at.
const ROUTE_REFERENCES: usize = 8;

/// Routes, and the callbacks of each.
fn routed(
    env: &mut Env<'_>,
    routes: &[u8],
    routed: &JObjectArray<'_>,
) -> Result<Vec<(JavaRoute, Arc<Callbacks>)>, NativeError> {
    const NOT_READ: NativeError = NativeError::Argument("routes that can't be read");
    let routes = packed::unpack(routes).and_then(|parts| routes::unpack(&parts)).ok_or(NOT_READ)?;
    let callbacks = |(at, route)| {
        // However many routes there are, their references are not there at once.
        let callbacks = env.with_local_frame(ROUTE_REFERENCES, |env| -> Result<_, NativeError> {
            let object = routed.get_element(env, at)?;
            Ok(Arc::new(Callbacks::new(env, &object)?))
        })?;
        Ok((route, callbacks))
    };
    routes.into_iter().enumerate().map(callbacks).collect()
}

/// One reactor's: callbacks are the same for all of them.
fn router(own: JavaHandler, routed: &[(JavaRoute, Arc<Callbacks>)]) -> Result<Router, NativeError> {
    let mut router = Router::new(own);
    for (JavaRoute { route, place }, callbacks) in routed {
        let handler = JavaHandler { callbacks: callbacks.clone(), listens: true, place: Some(place.clone()) };
        router.add(route.clone(), handler).map_err(StartError::Route)?;
    }
    Ok(router)
}

fn config(settings: &[u8]) -> Result<Config, NativeError> {
    let parts = packed::unpack(settings).ok_or(NativeError::Argument("settings that are not packed"))?;
    let mut layers = Layers::default();
    for pair in parts.chunks(2) {
        let &[name, value] = pair else { return Err(NativeError::Argument("a setting without a value")) };
        layers.add_option(name, value).map_err(StartError::Config)?;
    }
    Ok(layers.finish().map_err(StartError::Config)?)
}

fn addresses(server: &Server) -> Vec<u8> {
    let admin = server.admin_address().map_or_else(String::new, |address| address.to_string());
    let all: Vec<String> = server.addresses().iter().map(ToString::to_string).chain([admin]).collect();
    packed::pack(all.iter().map(String::as_bytes))
}

/// `int reactors(long server)`: how many threads drive it.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_reactors<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
) -> jint {
    fenced(env, |_| registry::with(server, |entry| Ok(jint::try_from(entry.reactors).unwrap_or(jint::MAX))))
}

/// `void run(long server, int reactor)`: drives one of its reactors on this thread until that has drained.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_run<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    reactor: jint,
) {
    fenced(env, |_| {
        let reactor = registry::with(server, |entry| {
            let taken = usize::try_from(reactor).ok().and_then(|reactor| entry.take(reactor));
            taken.ok_or(NativeError::State("the reactor has been run already"))
        })?;
        reactor.run().map_err(NativeError::System)
    })
}

/// `void free(long server)`: the id is no longer valid. The server goes on until it has drained.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_free<'l>(env: EnvUnowned<'l>, _: JClass<'l>, server: jlong) {
    fenced(env, |_| registry::remove(server).map(drop).ok_or(NativeError::Closed))
}

/// `long online(long server, int route)`: open sessions of a route, by its number.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_online<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    route: jint,
) -> jlong {
    fenced(env, |_| {
        let route = usize::try_from(route).ok().and_then(RouteId::from_number);
        let route = route.ok_or(NativeError::Argument("a route that there isn't"))?;
        registry::with(server, |entry| Ok(entry.handle.online(route).cast_signed()))
    })
}

/// `byte[] addresses(long server)`: the public listeners and then the admin one, packed.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_addresses<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
) -> JByteArray<'l> {
    fenced(env, |env| {
        let addresses = registry::with(server, |entry| Ok(entry.addresses.clone()))?;
        Ok(new_array(env, &addresses)?)
    })
}

/// `void publish(long server, byte[] channel, byte[] array, ByteBuffer direct, int from, int len, int kind, long[]
/// receipt)`: to the default channel if `channel` is null. Epoch, offset and id are put into `receipt`.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_publish<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    channel: JByteArray<'l>,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
    receipt: JLongArray<'l>,
) {
    fenced_raw(env, |raw| {
        if receipt.is_null() {
            return Err(NativeError::Argument("no place for the receipt"));
        }
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let Receipt { epoch, offset, id, .. } = registry::with(server, |entry| {
            let options = payload.options();
            if channel.is_null() {
                let publish = |message: Message<'_>| entry.handle.publish_with(None, message, options);
                return payload.read(&raw, |message| Ok(publish(message)?));
            }
            let name = ChannelName::read(&raw, &channel)?;
            let publish =
                |name, message: Message<'_>| entry.handle.publish_with(Some(name), message, options);
            payload.read(&raw, |message| Ok(publish(name.get()?, message)?))
        })?;
        raw.put(&receipt, &[epoch, offset, id].map(u64::cast_signed));
        Ok(())
    })
}

/// `void send(long server, long conn, byte[] array, ByteBuffer direct, int from, int len, int kind)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_send<'l>(
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
        let conn = conn_id(conn)?;
        registry::with(server, |entry| {
            let options = payload.options();
            payload.read(&raw, |message| Ok(entry.handle.send_with(conn, message, options)?))
        })
    })
}

/// `void reply(long conn, byte[] array, ByteBuffer direct, int from, int len, int kind)`: within a callback.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_reply<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    conn: jlong,
    array: JByteArray<'l>,
    direct: JByteBuffer<'l>,
    from: jint,
    len: jint,
    kind: jint,
) {
    fenced_raw(env, |raw| {
        let payload = Payload { array: &array, direct: &direct, from, len, kind };
        let conn = conn_id(conn)?;
        payload.read(&raw, |message| replies::reply(conn, message, payload.options()))
    })
}

/// `void disconnect(long server, long conn, int code, byte[] reason)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_disconnect<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    code: jint,
    reason: JByteArray<'l>,
) {
    fenced(env, |env| {
        let conn = conn_id(conn)?;
        let (code, reason) = close_of(env, code, &reason)?;
        registry::with(server, |entry| Ok(entry.handle.close(conn, code, &reason)?))
    })
}

/// `void decide(long server, long conn, byte[] decision)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_decide<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    decision: JByteArray<'l>,
) {
    fenced(env, |env| {
        let conn = conn_id(conn)?;
        let decision = read_array(env, &decision)?;
        registry::with(server, |entry| {
            let decision = super::handler::decision(&decision, entry.callbacks.as_ref());
            let decision = decision.ok_or(NativeError::Argument("a decision that can't be read"))?;
            Ok(entry.handle.decide(conn, decision)?)
        })
    })
}

/// `void subscribe(long server, long conn, byte[] channel, boolean on)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_subscribe<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    channel: JByteArray<'l>,
    on: jboolean,
) {
    fenced_raw(env, |raw| {
        let name = ChannelName::read(&raw, &channel)?;
        let (conn, name) = (conn_id(conn)?, name.get()?);
        registry::with(server, |entry| match on {
            true => Ok(entry.handle.subscribe(conn, name)?),
            false => Ok(entry.handle.unsubscribe(conn, name)?),
        })
    })
}

/// `void subscribeSince(long server, long conn, byte[] channel, byte[] since)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_subscribeSince<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    conn: jlong,
    channel: JByteArray<'l>,
    since: JByteArray<'l>,
) {
    fenced(env, |env| {
        let (conn, channel, since) = (conn_id(conn)?, read_array(env, &channel)?, read_array(env, &since)?);
        let channel = str::from_utf8(&channel).map_err(|_| PushError::BadChannel)?;
        let since = str::from_utf8(&since).ok().and_then(|since| since.parse().ok()).ok_or(
            NativeError::Argument("since is not one of E.O, head, earliest, last:N, time:UNIX_MS, latest"),
        )?;
        registry::with(server, |entry| Ok(entry.handle.subscribe_since(conn, channel, since)?))
    })
}

/// `void drain(long server)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_drain<'l>(env: EnvUnowned<'l>, _: JClass<'l>, server: jlong) {
    fenced(env, |_| {
        registry::with(server, |entry| {
            entry.handle.drain();
            Ok(())
        })
    })
}

/// `void saveState(long server)`
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_saveState<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
) {
    fenced(env, |_| registry::with(server, |entry| Ok(entry.handle.save_state()?)))
}

/// `byte[] stats(long server)`: names and values in turn, packed.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_stats<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
) -> JByteArray<'l> {
    fenced(env, |env| {
        let stats = registry::with(server, |entry| Ok(entry.handle.stats()))?;
        Ok(new_array(env, &stats::pack(&stats))?)
    })
}

/// `boolean delivery(long server, long receipt, long[] numbers)`: in the order of `io.wspush.Delivery`'s fields, -1
/// for a time that there isn't yet. False: unknown.
#[unsafe(no_mangle)]
pub extern "system" fn Java_io_wspush_Native_delivery<'l>(
    env: EnvUnowned<'l>,
    _: JClass<'l>,
    server: jlong,
    receipt: jlong,
    numbers: JLongArray<'l>,
) -> jboolean {
    fenced(env, |env| {
        let (channel, epoch, offset) = (Arc::from(""), 0, 0);
        let receipt = Receipt { channel, epoch, offset, id: receipt.cast_unsigned() };
        let Some(delivery) = registry::with(server, |entry| Ok(entry.handle.delivery(&receipt)))? else {
            return Ok(false);
        };
        let Delivery { recipients, written, lagging, skipped, gone, recovered, .. } = delivery;
        let counts = [recipients, written, lagging, skipped, gone, recovered];
        let times = [delivery.first_us, delivery.median_us, delivery.last_us];
        let times = times.map(|time| time.map_or(-1, u64::cast_signed));
        if numbers.is_null() {
            return Err(NativeError::Argument("no place for the numbers"));
        }
        let all: Vec<jlong> = counts.map(jlong::from).into_iter().chain(times).collect();
        numbers.set_region(env, 0, &all)?;
        Ok(true)
    })
}

/// A code that a close frame may carry, and its reason.
pub(super) fn close_of(
    env: &Env<'_>,
    code: jint,
    reason: &JByteArray<'_>,
) -> Result<(CloseCode, String), NativeError> {
    let reason = String::from_utf8(read_array(env, reason)?);
    let reason = reason.map_err(|_| NativeError::Argument("a reason that is not UTF-8"))?;
    let code = u16::try_from(code).map(CloseCode).ok().filter(|code| code.is_valid_on_wire());
    let code =
        code.ok_or(NativeError::Argument("a close code is 1000 to 1003, 1007 to 1014 or 3000 to 4999"))?;
    Ok((code, reason))
}

/// 0 is none: a field that was never set must not pass for a connection that has gone.
pub(super) fn conn_id(conn: jlong) -> Result<ConnId, NativeError> {
    match conn.cast_unsigned() {
        0 => Err(NativeError::Argument("0 is no connection's id")),
        conn => Ok(ConnId(conn)),
    }
}

//! A host whose functions use everything that they are given, for Miri as well: no socket is needed.

use std::cell::Cell;
use std::ffi::{c_char, c_void};
use std::sync::Arc;
use std::sync::atomic::AtomicPtr;

use wspush::Config;
use wspush::config::LogLevel;
use wspush::endpoint::{Accept, ConnId, Connect, Decision, Fragment, Handler, Pieces, Session};
use wspush::protocol::close::CloseCode;
use wspush::protocol::head::parse;
use wspush::push::{Message, Position, Since};

use crate::callbacks::{WSPUSH_TEXT, WSPUSH_UNCOMPRESSED, wspush_callbacks};
use crate::connect::*;
use crate::flow::*;
use crate::host::{Host, log_sink};
use crate::presence::wspush_connect_set_info;
use crate::server::wspush_server;
use crate::session::*;
use crate::status::*;
use crate::text::wspush_str;

const REQUEST: &[u8] = b"GET /ws?name=Ad%C3%A9&room=a+b HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
    X-Token: secret\r\n\r\n";

/// The host's `user_data`.
#[derive(Default)]
struct Seen {
    texts: Vec<String>,
    connect: Option<*mut wspush_connect>,
    session: Option<*mut wspush_session>,
    id: Cell<u64>,
}

/// A text as C passes it.
macro_rules! c {
    ($text:expr) => {
        ($text.as_ptr().cast::<c_char>(), $text.len())
    };
}

/// A value from the library, read through its pointer.
fn read(text: &wspush_str) -> String {
    // SAFETY: the library says that there are so many bytes.
    let bytes = unsafe { std::slice::from_raw_parts(text.data.cast::<u8>(), text.length) };
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn nothing() -> wspush_str {
    wspush_str::from("")
}

/// The host's data, as its functions get it back.
unsafe fn seen<'a>(user_data: *mut c_void) -> &'a mut Seen {
    // SAFETY: the caller's: the test's `Seen`, which nobody else uses meanwhile.
    unsafe { &mut *user_data.cast::<Seen>() }
}

unsafe extern "C" fn on_connect(user_data: *mut c_void, _: *mut wspush_server, connect: *mut wspush_connect) {
    let mut texts = [nothing(); 6];
    // SAFETY: `user_data` is the test's, `connect` the library's, the places are locals.
    unsafe {
        let seen = seen(user_data);
        seen.connect = Some(connect);
        let ((name, name_length), (room, room_length)) = (c!("name"), c!("room"));
        let ((token, token_length), (absent, absent_length)) = (c!("x-token"), c!("absent"));
        assert_eq!(wspush_connect_query(connect, name, name_length, &raw mut texts[0]), WSPUSH_OK);
        assert_eq!(wspush_connect_query(connect, room, room_length, &raw mut texts[1]), WSPUSH_OK);
        assert_eq!(wspush_connect_peer(connect, &raw mut texts[2]), WSPUSH_OK);
        assert_eq!(wspush_connect_client_subject(connect, &raw mut texts[3]), WSPUSH_OK);
        let mut transport = 0;
        assert_eq!(wspush_connect_transport(connect, &raw mut transport), WSPUSH_OK);
        assert_eq!(transport, WSPUSH_TRANSPORT_WS);
        assert_eq!(wspush_connect_path(connect, &raw mut texts[4]), WSPUSH_OK);
        assert_eq!(wspush_connect_header(connect, token, token_length, &raw mut texts[5]), WSPUSH_OK);
        let mut other = nothing();
        assert_eq!(wspush_connect_channel(connect, 0, &raw mut other), WSPUSH_OK);
        assert_eq!(wspush_connect_query(connect, absent, absent_length, &raw mut other), WSPUSH_ENOTFOUND);
        // More text than the first place for it has room for.
        for _ in 0..10 {
            assert_eq!(wspush_connect_query(connect, name, name_length, &raw mut other), WSPUSH_OK);
        }
        assert_eq!(wspush_connect_set_user(connect, name, name_length), WSPUSH_OK);
        assert_eq!(wspush_connect_add_channel(connect, room, room_length), WSPUSH_OK);
        assert_eq!(wspush_connect_set_protocol(connect, name, name_length), WSPUSH_OK);
        assert_eq!(wspush_connect_set_broadcast(connect, 0), WSPUSH_OK);
        assert_eq!(wspush_connect_set_pieces(connect, WSPUSH_PIECES_BOUNDED), WSPUSH_OK);
        assert_eq!(wspush_connect_set_pieces(connect, 3), WSPUSH_EINVAL);
        let (info, info_length) = c!("7");
        assert_eq!(wspush_connect_set_info(connect, info, info_length), WSPUSH_OK);
        for (since, since_length) in [c!("head"), c!("7.42")] {
            let begin = wspush_connect_set_since(connect, room, room_length, since, since_length);
            assert_eq!(begin, WSPUSH_OK);
        }
        assert_eq!(wspush_connect_refuse(connect, 401, room, room_length), WSPUSH_OK);
        assert_eq!(wspush_connect_accept(connect), WSPUSH_OK);
        // All of it is still there, whatever was asked behind it.
        seen.texts.extend(texts.iter().map(read));
    }
}

unsafe extern "C" fn on_open(user_data: *mut c_void, _: *mut wspush_server, session: *mut wspush_session) {
    let (mut user, mut id) = (nothing(), 0);
    let ((channel, channel_length), (reason, reason_length)) = (c!("news"), c!("enough"));
    // SAFETY: as in `on_connect`.
    unsafe {
        let seen = seen(user_data);
        // A pointer that it was given before is recognised without being looked at.
        let earlier = seen.connect.unwrap();
        assert_eq!(wspush_connect_accept(earlier), WSPUSH_EWRONGTHREAD);
        assert_eq!(wspush_session_user(session, &raw mut user), WSPUSH_OK);
        assert_eq!(wspush_session_id(session, &raw mut id), WSPUSH_OK);
        assert_eq!(wspush_session_subscribe(session, channel, channel_length), WSPUSH_OK);
        assert_eq!(wspush_session_unsubscribe(session, channel, channel_length), WSPUSH_OK);
        let (since, since_length) = c!("last:2");
        let begin = wspush_session_subscribe_since(session, channel, channel_length, since, since_length);
        assert_eq!(begin, WSPUSH_OK);
        let begin = wspush_session_subscribe_since(session, channel, channel_length, since, since_length - 1);
        assert_eq!(begin, WSPUSH_EINVAL);
        seen.session = Some(session);
        seen.texts.push(read(&user));
        seen.id.set(id);
        assert_eq!(wspush_session_close(session, 4000, reason, reason_length), WSPUSH_OK);
    }
}

unsafe extern "C" fn on_message(
    user_data: *mut c_void,
    _: *mut wspush_server,
    session: *mut wspush_session,
    kind: i32,
    data: *const c_void,
    length: usize,
) {
    // SAFETY: as in `on_connect`; `data` is the library's.
    unsafe {
        let seen = seen(user_data);
        seen.texts.push(read(&wspush_str { data: data.cast(), length }));
        let earlier = seen.session.unwrap();
        assert!(
            earlier == session || wspush_session_reply(earlier, kind, data, length) == WSPUSH_EWRONGTHREAD
        );
        // The same bytes go back, while the session is in use.
        assert_eq!(wspush_session_reply(session, kind | WSPUSH_UNCOMPRESSED, data, length), WSPUSH_OK);
        assert_eq!(wspush_session_reply(session, WSPUSH_TEXT, std::ptr::null(), 1), WSPUSH_ENULL);
    }
}

unsafe extern "C" fn on_fragment(
    user_data: *mut c_void,
    _: *mut wspush_server,
    session: *mut wspush_session,
    kind: i32,
    more: i32,
    data: *const c_void,
    length: usize,
) {
    let mut waits = 0;
    // SAFETY: as in `on_message`.
    unsafe {
        let seen = seen(user_data);
        seen.texts.push(format!("{kind} {more} {}", read(&wspush_str { data: data.cast(), length })));
        assert_eq!(wspush_session_send_fragment(session, kind, more, data, length), WSPUSH_OK);
        let nothing = wspush_session_send_fragment(session, kind, 1, data, 0);
        assert_eq!(nothing, WSPUSH_EEMPTY, "only the last one");
        assert_eq!(wspush_session_outbox_bytes(session, &raw mut waits), WSPUSH_OK);
        assert_eq!(waits, 2 + length as u64);
        assert_eq!(wspush_session_pause(session), WSPUSH_OK);
        assert_eq!(wspush_session_resume(session), WSPUSH_OK);
        assert_eq!(wspush_session_notify_drained(session), WSPUSH_OK);
    }
}

unsafe extern "C" fn on_drained(user_data: *mut c_void, _: *mut wspush_server, session: *mut wspush_session) {
    // SAFETY: as in `on_message`.
    unsafe {
        seen(user_data).texts.push("drained".to_owned());
        assert_eq!(wspush_session_send_fragment(session, WSPUSH_TEXT, 0, std::ptr::null(), 0), WSPUSH_OK);
    }
}

unsafe extern "C" fn on_close(
    user_data: *mut c_void,
    _: *mut wspush_server,
    conn: u64,
    user: *const c_char,
    user_length: usize,
    code: u16,
    reason: *const c_char,
    reason_length: usize,
) {
    // SAFETY: as in `on_message`.
    let seen = unsafe { seen(user_data) };
    let user = if user.is_null() { nothing() } else { wspush_str { data: user, length: user_length } };
    let reason = read(&wspush_str { data: reason, length: reason_length });
    seen.texts.push(format!("{conn} {} {code} {reason}", read(&user)));
}

unsafe extern "C" fn on_log(user_data: *mut c_void, level: i32, line: *const c_char, length: usize) {
    // SAFETY: as in `on_message`.
    let seen = unsafe { seen(user_data) };
    seen.texts.push(format!("{level} {}", read(&wspush_str { data: line, length })));
}

fn callbacks(seen: *mut Seen) -> wspush_callbacks {
    wspush_callbacks {
        user_data: seen.cast(),
        on_connect: Some(on_connect),
        on_open: Some(on_open),
        on_message: Some(on_message),
        on_close: Some(on_close),
        on_log: Some(on_log),
        on_fragment: Some(on_fragment),
        on_drained: Some(on_drained),
        ..wspush_callbacks::NONE
    }
}

/// The handler of a host, and what that sees.
fn host() -> (Host, *mut Seen) {
    let seen = Box::into_raw(Box::new(Seen::default()));
    (Host { callbacks: callbacks(seen), server: Arc::new(AtomicPtr::default()) }, seen)
}

/// The host's record of its callbacks.
fn end(seen: *mut Seen) -> Seen {
    // SAFETY: from `host`, once, when the handler calls nobody any more.
    *unsafe { Box::from_raw(seen) }
}

fn ask(host: &mut Host) -> Decision {
    let mut fields = wspush::protocol::head::Fields::new();
    let (head, _) = parse(REQUEST, REQUEST.len(), &mut fields).unwrap().unwrap();
    let (peer, tls) =
        (|| Some("192.0.2.1:50000".parse().unwrap()), || Some(Some("CN=ada,O=Example".to_owned())));
    let config = Config::default();
    host.on_connect(&Connect::new(&head, &peer, &tls, vec!["public.a".to_owned()], &config))
}

#[test]
fn text_that_the_host_was_given_stays_while_its_callback_runs() {
    let (mut host, seen) = host();
    let accept = Accept {
        user: Some("name".to_owned()),
        broadcast: false,
        channels: vec!["room".to_owned()],
        since: vec![("room".to_owned(), Since::Position(Position { epoch: 7, offset: 42 }))],
        protocol: Some("name".into()),
        info: Some("7".to_owned()),
        pieces: Pieces::Bounded,
        ..Accept::default()
    };
    assert_eq!(ask(&mut host), Decision::Accept(accept));
    let said = ["Adé", "a b", "192.0.2.1:50000", "CN=ada,O=Example", "/ws", "secret"];
    assert_eq!(end(seen).texts, said);
}

#[test]
fn a_session_is_used_while_it_is_lent() {
    let (mut host, seen) = host();
    ask(&mut host);
    let (mut replies, mut actions) = (Vec::new(), Vec::new());
    host.on_open(&mut Session::new(ConnId(7), &Some("Ada"), &mut replies, &mut actions));
    assert_eq!(actions.len(), 4, "{actions:?}");
    let mut session = Session::new(ConnId(7), &Some("Ada"), &mut replies, &mut actions);
    for _ in 0..3 {
        host.on_message(&mut session, Message::Text("hello"));
    }
    host.on_message(&mut session, Message::Binary(b"bytes"));
    host.on_close(ConnId(7), Some("Ada"), CloseCode(4000), "enough");
    host.on_close(ConnId(8), None, CloseCode(1006), "");
    assert_eq!(replies, b"\x81\x05hello\x81\x05hello\x81\x05hello\x82\x05bytes");
    let seen = end(seen);
    assert_eq!(seen.id.get(), 7);
    let heard = ["Ada", "hello", "hello", "hello", "bytes", "7 Ada 4000 enough", "8  1006 "];
    assert_eq!(seen.texts[6..], heard);
}

#[test]
fn a_session_lends_its_pieces_and_takes_some() {
    let (mut host, seen) = host();
    for (data, more) in
        [(Message::Text("one"), true), (Message::Text(""), false), (Message::Binary(b"two"), false)]
    {
        let (mut replies, mut actions) = (Vec::new(), Vec::new());
        let mut session = Session::new(ConnId(7), &None, &mut replies, &mut actions);
        host.on_fragment(&mut session, Fragment { data, more });
        assert_eq!(actions.len(), 4, "{actions:?}");
    }
    let (mut replies, mut actions) = (Vec::new(), Vec::new());
    host.on_drained(&mut Session::new(ConnId(7), &None, &mut replies, &mut actions));
    assert_eq!((replies.len(), actions.len()), (0, 1));
    assert_eq!(end(seen).texts, ["1 1 one", "1 0 ", "2 0 two", "drained"]);
}

#[test]
fn the_log_is_lent_line_by_line() {
    let (host, seen) = host();
    let mut sink = log_sink(host.callbacks).unwrap();
    sink(LogLevel::Warn, "one line");
    sink(LogLevel::Debug, "");
    drop(sink);
    assert_eq!(end(seen).texts, ["2 one line", "4 "]);
}

//! A client that asks to be let in, inside `on_connect`.

use std::ffi::c_char;

use wspush::Transport;
use wspush::endpoint::users::is_user_name;
use wspush::endpoint::{Accept, Connect, Decision};
use wspush::push::PushError;

use super::error::CallError;
use super::status::*;
use super::text::wspush_str;

/// A transport: WebSocket, at `/ws`.
pub const WSPUSH_TRANSPORT_WS: i32 = 1;
/// A transport: Server-Sent Events, at `/sse`.
pub const WSPUSH_TRANSPORT_SSE: i32 = 2;
/// A transport: envelopes of `wspush.v1`, one a line, at `/stream`.
pub const WSPUSH_TRANSPORT_STREAM: i32 = 3;
/// A transport: the same envelopes, by long polling, at `/poll`.
pub const WSPUSH_TRANSPORT_POLL: i32 = 4;

/// A client that asks for `/ws`, or for a route of the host's. It is there while `on_connect` runs; outside of it,
/// and on other threads, every function that takes it answers `WSPUSH_EWRONGTHREAD`. Text that they give lives as
/// long.
pub struct wspush_connect {
    /// Borrowed for the time of the callback.
    connect: *const Connect<'static>,
    verdict: Verdict,
    pub(super) accept: Accept,
    /// Text that was made for the host.
    kept: Vec<Box<str>>,
}

enum Verdict {
    ByConfig,
    Accept,
    Decided(Decision),
}

impl wspush_connect {
    /// The question to the host about `connect`.
    pub(super) fn new(connect: &Connect<'_>) -> wspush_connect {
        wspush_connect {
            connect: std::ptr::from_ref(connect).cast(),
            verdict: Verdict::ByConfig,
            accept: Accept::default(),
            kept: Vec::new(),
        }
    }

    pub(super) fn connect(&self) -> &Connect<'_> {
        // SAFETY: `self` is only reached while `on_connect` runs (see `pointer::current`), and the Connect that it was
        // made from lives longer; the lifetime handed out is `self`'s.
        unsafe { &*self.connect.cast() }
    }

    /// The host's decision.
    pub(super) fn decide(self) -> Decision {
        let by_config = matches!(self.verdict, Verdict::ByConfig).then(|| self.connect().by_config());
        let headers = self.accept.more.as_ref().map_or(&[][..], |more| &more.headers);
        let with_headers = |decision: Decision| {
            headers.iter().fold(decision, |decision, (name, value)| decision.with_header(name, value))
        };
        match (self.verdict, by_config) {
            (Verdict::Decided(decision), _) => with_headers(decision),
            (_, Some(Decision::Accept(accept))) => {
                let mut channels = accept.channels;
                channels.extend(self.accept.channels);
                Decision::Accept(Accept { channels, ..self.accept })
            }
            (_, Some(refusal)) => with_headers(refusal),
            (_, None) => Decision::Accept(self.accept),
        }
    }

    pub(super) fn keep(&mut self, text: String) -> wspush_str {
        // The host's pointer comes from where the text stays: one from before a Box moves is not valid behind it.
        self.kept.push(text.into_boxed_str());
        self.kept.last().map_or("", |text| text).into()
    }
}

/// A user's name.
pub(super) fn user_name(user: &str) -> Result<&str, CallError> {
    if user.is_empty() {
        return Err(CallError::new(WSPUSH_EINVAL, "user is empty; who has no name is not named"));
    }
    if is_user_name(user) { Ok(user) } else { Err(PushError::BadUser.into()) }
}

/// A refusal with a status that is one.
pub(super) fn refusal(status: u16, reason: &str) -> Result<Decision, CallError> {
    if (400..600).contains(&status) {
        return Ok(Decision::refuse(status, reason));
    }
    Err(CallError::new(WSPUSH_EINVAL, format!("{status} is not an HTTP status from 400 to 599")))
}

fn none(what: &str) -> CallError {
    CallError::new(WSPUSH_ENOTFOUND, format!("the request has no such {what}"))
}

/// The request's path, without the query.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_path(
    connect: *const wspush_connect,
    path: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, path: place => {
        path.put(connect.connect().path().into());
        Ok(WSPUSH_OK)
    })
}

/// The way that it wants to be pushed to: `WSPUSH_TRANSPORT_WS` or another of these numbers. Which of them there are is
/// the setting `transports`; a later library may know more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_transport(
    connect: *const wspush_connect,
    transport: *mut i32,
) -> wspush_status {
    call!(connect: current, transport: place => {
        transport.put(match connect.connect().transport() {
            Transport::WebSocket => WSPUSH_TRANSPORT_WS,
            Transport::Sse => WSPUSH_TRANSPORT_SSE,
            Transport::Stream => WSPUSH_TRANSPORT_STREAM,
            Transport::Poll => WSPUSH_TRANSPORT_POLL,
        });
        Ok(WSPUSH_OK)
    })
}

/// The first value of a query parameter, decoded. `WSPUSH_ENOTFOUND`: there is none.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_query(
    connect: *mut wspush_connect,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(connect: current_mut, name: text(name_length), value: place => {
        let found = connect.connect().query(name).ok_or_else(|| none("parameter"))?;
        value.put(connect.keep(found));
        Ok(WSPUSH_OK)
    })
}

/// The first value of a header, whose name is compared without regard to case. `WSPUSH_ENOTFOUND`: there is none, or it
/// is not UTF-8. `Authorization` is there once at the most; a client may send any other one several times.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_header(
    connect: *const wspush_connect,
    name: *const c_char,
    name_length: usize,
    value: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, name: text(name_length), value: place => {
        value.put(connect.connect().header(name).ok_or_else(|| none("header"))?.into());
        Ok(WSPUSH_OK)
    })
}

/// Where the client comes from: `192.0.2.1:50000` or `[2001:db8::1]:50000`. `WSPUSH_ENOTFOUND`: it has gone already.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_peer(
    connect: *mut wspush_connect,
    peer: *mut wspush_str,
) -> wspush_status {
    call!(connect: current_mut, peer: place => {
        let address = connect.connect().peer().ok_or_else(|| none("peer"))?;
        peer.put(connect.keep(address.to_string()));
        Ok(WSPUSH_OK)
    })
}

/// Whose TLS certificate the client has shown, as `CN=alice,O=Example` (RFC 4514); it was checked against
/// `tls_client_ca`. `WSPUSH_ENOTFOUND`: it has shown none, or wasn't asked (`tls_client_auth`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_client_subject(
    connect: *mut wspush_connect,
    subject: *mut wspush_str,
) -> wspush_status {
    call!(connect: current_mut, subject: place => {
        let found = connect.connect().client_subject().ok_or_else(|| none("client certificate"))?;
        subject.put(connect.keep(found));
        Ok(WSPUSH_OK)
    })
}

/// Whom the token that it has shown names, where the setting `auth` is set, or the backend's answer (`auth_webhook`);
/// the token was checked. It is the connection's user unless `wspush_connect_set_user` names another.
/// `WSPUSH_ENOTFOUND`: it has shown none, or one that names nobody.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_user(
    connect: *const wspush_connect,
    user: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, user: place => {
        let claims = connect.connect().claims();
        let name = claims.and_then(|claims| claims.user.as_deref()).ok_or_else(|| none("token with a user"))?;
        user.put(name.into());
        Ok(WSPUSH_OK)
    })
}

/// The token's `info`, which others may be shown of its user: any JSON, as it stands there. `WSPUSH_ENOTFOUND`: it
/// has shown no token, or one that doesn't say.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_info(
    connect: *const wspush_connect,
    info: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, info: place => {
        let claims = connect.connect().claims();
        let text = claims.and_then(|claims| claims.rights.info.as_deref()).ok_or_else(|| none("token with info"))?;
        info.put(text.into());
        Ok(WSPUSH_OK)
    })
}

/// Everything that the token says, or the backend's answer (`auth_webhook`), as a JSON object: `sub`, `exp`,
/// `channels`, and whatever else its issuer has put there. `WSPUSH_ENOTFOUND`: it has shown no token, or tokens are not
/// looked at (`auth`), and no backend is asked.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_claims(
    connect: *const wspush_connect,
    claims: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, claims: place => {
        let found = connect.connect().claims().ok_or_else(|| none("token"))?;
        claims.put((&*found.json).into());
        Ok(WSPUSH_OK)
    })
}

/// The channels that it asks for (`?channel=`), by index from 0. `WSPUSH_ENOTFOUND`: there are no more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_channel(
    connect: *const wspush_connect,
    index: usize,
    channel: *mut wspush_str,
) -> wspush_status {
    call!(connect: current, channel: place => {
        let name = connect.connect().channels.get(index).ok_or_else(|| none("channel"))?;
        channel.put(name.as_str().into());
        Ok(WSPUSH_OK)
    })
}

/// Lets it in, whatever the configuration says: with the default channel and those of `wspush_connect_add_channel`,
/// but not those that it asks for. The last one of accept and refuse counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_accept(connect: *mut wspush_connect) -> wspush_status {
    call!(connect: current_mut => {
        connect.verdict = Verdict::Accept;
        Ok(WSPUSH_OK)
    })
}

/// Answers the request with an HTTP status from 400 to 599, the headers of `wspush_connect_add_header` and a reason as
/// its body, instead of opening a WebSocket. A client that asks with `?refusals=close` gets a close frame instead,
/// whose code is 4000 and the status.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_refuse(
    connect: *mut wspush_connect,
    status: u16,
    reason: *const c_char,
    reason_length: usize,
) -> wspush_status {
    call!(connect: current_mut, reason: text(reason_length) => {
        connect.verdict = Verdict::Decided(refusal(status, reason)?);
        Ok(WSPUSH_OK)
    })
}

/// Lets it wait until `wspush_accept_pending` or `wspush_refuse_pending` is called for `conn`, the id of the
/// connection, from any thread. Until then nothing that it says is read; after `handshake_ms` it is refused with 503.
/// User and channels set here count for nothing. The last one of accept, refuse and pending counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_pending(
    connect: *mut wspush_connect,
    conn: *mut u64,
) -> wspush_status {
    call!(connect: current_mut, conn: place => {
        conn.put(connect.connect().id().0);
        connect.verdict = Verdict::Decided(Decision::Pending);
        Ok(WSPUSH_OK)
    })
}

/// Says who it is; the callbacks are told, and the admin API. It counts if the client is let in. `WSPUSH_EINVAL`: a
/// name that hasn't 1 to 256 bytes; who has none is not named.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_user(
    connect: *mut wspush_connect,
    user: *const c_char,
    user_length: usize,
) -> wspush_status {
    call!(connect: current_mut, user: text(user_length) => {
        connect.accept.user = Some(user_name(user)?.to_owned());
        Ok(WSPUSH_OK)
    })
}

/// Lets it receive a channel, beside those it is let in with.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_add_channel(
    connect: *mut wspush_connect,
    channel: *const c_char,
    channel_length: usize,
) -> wspush_status {
    call!(connect: current_mut, channel: text(channel_length) => {
        connect.accept.channels.push(super::push::channel_name(channel)?.to_owned());
        Ok(WSPUSH_OK)
    })
}

/// Says from where on it receives a channel, of those it is let in with or the default one (`broadcast`); `since` as in
/// `wspush_subscribe_since`. Without this the client's own wish counts (`?since=`), or what is published from now on.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_since(
    connect: *mut wspush_connect,
    channel: *const c_char,
    channel_length: usize,
    since: *const c_char,
    since_length: usize,
) -> wspush_status {
    call!(connect: current_mut, channel: text(channel_length), since: text(since_length) => {
        let (channel, since) = (super::push::channel_name(channel)?.to_owned(), super::push::beginning(since)?);
        connect.accept.since.retain(|(known, _)| *known != channel);
        connect.accept.since.push((channel, since));
        Ok(WSPUSH_OK)
    })
}

/// Whether it receives the default channel, what `wspush_broadcast` sends: it does, unless told otherwise by 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_broadcast(
    connect: *mut wspush_connect,
    broadcast: i32,
) -> wspush_status {
    call!(connect: current_mut => {
        connect.accept.broadcast = broadcast != 0;
        Ok(WSPUSH_OK)
    })
}

/// Chooses the subprotocol, which must be one that the client offers (`Sec-WebSocket-Protocol`), or else none is
/// chosen. Without it the configuration chooses.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn wspush_connect_set_protocol(
    connect: *mut wspush_connect,
    protocol: *const c_char,
    protocol_length: usize,
) -> wspush_status {
    call!(connect: current_mut, protocol: text(protocol_length) => {
        connect.accept.protocol = Some(protocol.into());
        Ok(WSPUSH_OK)
    })
}

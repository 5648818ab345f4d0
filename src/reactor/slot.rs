//! One connection's memory: a slot of 48 bytes, and a box for what only few need.

use super::backend::Earlier;
use super::flow::Flow;
use super::granted::Granted;
use super::heartbeat::Held;
use super::outbox::Outbox;
use super::poll::Poll;
use super::pusher::apps::AppSession;
use super::sending::Sending;
use super::stamp::Stamp;
use super::transport::Transport;
use super::users::User;
use crate::auth::Claims;
use crate::endpoint::hosted::Hosted;
use crate::endpoint::{ConnId, Kind};
use crate::metrics::CloseReason;
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::frame::CONTROL_FRAME_MAX;
use crate::protocol::message::Assembly;
use crate::protocol::pool::Chain;
use crate::protocol::pusher::lines::Lines;
use crate::push::{ChannelId, Cursor, DEFAULT, Form, Memberships};
use crate::tls::TlsSession;

/// The phases of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub enum Phase {
    /// Speaks HTTP on a public listener; the handshake may come out of it.
    Http,
    /// Speaks HTTP on the admin listener.
    Admin,
    /// Open, on the slot's [`Transport`].
    Open,
    /// Its close is said or queued. A WebSocket's peer still has to answer it.
    Closing,
}

/// The largest window of deflate, as an exponent of 2 (RFC 7692 section 7.1.2).
const WINDOW_BITS_MAX: u8 = 15;

/// A set of yes-or-no facts about a connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Flags(u16);

impl Flags {
    /// Receives the default channel.
    pub const BROADCAST: Flags = Flags(1);
    /// The socket took less than it was given; the poll will say when it takes more.
    pub const BLOCKED: Flags = Flags(1 << 1);
    /// A channel's frame has been written in part, up to the cursor. Implies BLOCKED.
    pub const MID_FRAME: Flags = Flags(1 << 2);
    /// The outbox is not empty. Implies BLOCKED.
    pub const OUTBOX: Flags = Flags(1 << 3);
    /// Was pinged, and has been silent since.
    pub const PINGED: Flags = Flags(1 << 4);
    /// Nothing is read before the outbox is empty.
    pub const PAUSED: Flags = Flags(1 << 5);
    /// Everything was said: the stream ends when the outbox is empty. What still comes in is thrown away; the
    /// peer's end of the stream is awaited so that what was sent last is not lost to a reset.
    pub const FINISH: Flags = Flags(1 << 6);
    /// An HTTP connection that has had a request answered: silence is keep-alive, not a slow handshake.
    pub const SERVED: Flags = Flags(1 << 7);
    /// A WebSocket whose peer has broken the protocol: what it says can't be understood any more. Shares its bit with
    /// SERVED, which only HTTP connections have.
    pub const IGNORE_INPUT: Flags = Flags::SERVED;
    /// Speaks TLS.
    pub const TLS: Flags = Flags(1 << 12);
    /// Spoke TLS with us and now does with the kernel: to us what is said is plain.
    pub const KERNEL_TLS: Flags = Flags(1 << 13);
    /// Its peer was told through the kernel that nothing more will come, or that TLS is broken.
    pub const CLOSE_NOTIFIED: Flags = Flags(1 << 14);
    /// An admin connection that has passed the fence: with the token, if there is one. Shares its bit with
    /// CLOSE_NOTIFIED, which only WebSockets have.
    pub const KNOWN: Flags = Flags::CLOSE_NOTIFIED;
    /// Has used its share of a turn, and goes on in another one.
    pub const QUEUED: Flags = Flags(1 << 15);
    /// An admin connection that waits for its answer. Shares its bit with the window, which only WebSockets have.
    pub const LISTING: Flags = Flags(1 << 8);
    /// A client of a public listener on whose handshake the host decides later. Shares its bit with the window, too.
    pub const UNDECIDED: Flags = Flags::LISTING;
    /// Is not read for now.
    pub const PAUSED_OR_QUEUED: Flags = Flags(Flags::PAUSED.0 | Flags::QUEUED.0);
    /// Nothing more is written to it now, or ever.
    pub const BLOCKED_OR_FINISHED: Flags = Flags(Flags::BLOCKED.0 | Flags::FINISH.0);
    /// It can't be written to just like that: one test for both.
    pub const BLOCKED_OR_TLS: Flags = Flags(Flags::BLOCKED.0 | Flags::TLS.0);

    /// Four bits for the window that permessage-deflate may use on this connection, as an exponent of 2; 0: it isn't
    /// agreed on.
    const WINDOW: Flags = Flags(0x0f00);

    /// The window agreed on for what we send (RFC 7692 section 7.1.2.1), 8 to 15; 0: nothing is compressed.
    #[inline]
    pub fn window_bits(self) -> u8 {
        ((self.0 & Flags::WINDOW.0) >> 8) as u8
    }

    /// Sets the window agreed on.
    fn set_window_bits(&mut self, bits: u8) {
        debug_assert!(bits == 0 || (8..=WINDOW_BITS_MAX).contains(&bits));
        self.0 = self.0 & !Flags::WINDOW.0 | u16::from(bits) << 8;
    }

    /// Whether any of these is set.
    #[inline]
    pub fn any(self, of: Flags) -> bool {
        self.0 & of.0 != 0
    }

    /// Sets or clears all of these.
    #[inline]
    pub fn set(&mut self, which: Flags, on: bool) {
        if on { self.0 |= which.0 } else { self.0 &= !which.0 }
    }
}

/// Bytes of an incomplete frame header or short control frame that fit into the slot itself.
pub const HELD_MAX: usize = 19;

/// A connection. Everything an idle open one needs is in here.
#[derive(Debug)]
pub struct Slot<S> {
    /// The socket.
    pub socket: S,
    /// Which accept this was; the other half of the connection's id.
    pub serial: u32,
    /// Its place in the default channel's log.
    pub cursor: Cursor,
    /// When it was last heard of.
    pub seen: Stamp,
    /// See [`Flags`].
    pub flags: Flags,
    /// See [`Phase`].
    pub phase: Phase,
    /// Which endpoint an open connection is at.
    pub kind: Kind,
    /// The protocol on it once it is open.
    pub transport: Transport,
    /// In which form it takes publications.
    pub form: Form,
    pub(super) held_len: Held,
    held: [u8; HELD_MAX],
    /// State that only few connections need, while they need it.
    pub extra: Option<Box<Extra>>,
}

/// Phase that an idle connection on the default channel does without. Dropped as soon as it is empty.
#[derive(Debug, Default)]
pub struct Extra {
    /// Channels beyond the default one.
    pub memberships: Memberships,
    /// The channel whose frame is under way, if it isn't the default one.
    pub mid: Option<ChannelId>,
    /// The queue for the socket, beside the logs.
    pub outbox: Option<Box<Outbox>>,
    /// Who it is.
    pub user: Option<Box<User>>,
    /// The rights that its token gives.
    pub granted: Option<Box<Granted>>,
    /// The message coming in.
    pub assembly: Option<Box<Assembly>>,
    /// The request coming in.
    pub http: Option<Box<Request>>,
    /// Input that can't be used yet, and a flow that is not the ordinary one: few have it, and only for moments.
    pub aside: Option<Box<Aside>>,
    /// Its side of TLS, from the first byte on.
    pub tls: Option<Box<TlsSession>>,
    /// How it ends.
    pub ending: Option<Box<Ending>>,
    /// The things that its host keeps there.
    pub hosted: Option<Box<Hosted>>,
}

/// The rarest state, behind one word of the box.
#[derive(Debug, Default)]
pub struct Aside {
    /// Input that was read but can't be used yet.
    pub stash: Box<[u8]>,
    /// Messages in pieces, and what the host has asked of its flow.
    pub flow: Option<Box<Flow>>,
    /// The state that an app's connection has beside its channels.
    pub app: Option<Box<AppSession>>,
    /// Its frames are made lines.
    pub lines: Option<Box<Lines>>,
}

/// A request of which not everything has come.
#[derive(Debug, Default)]
pub struct Request {
    /// When its first byte came, in milliseconds of the reactor's clock.
    pub since_ms: u64,
    /// The head as far as it is here, or input that waits for its turn.
    pub chain: Chain,
    /// The body, once the head is whole.
    pub body: Option<Body>,
    /// A poll that waits for publications.
    pub poll: Option<Poll>,
    /// For whom a handshake waits.
    pub undecided: Undecided,
    /// The decisions on a handshake that has waited for them.
    pub decided: Option<Box<Earlier>>,
}

/// The one that decides on a handshake.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Awaited {
    /// The host.
    #[default]
    Host,
    /// The operator's backend.
    Backend,
}

/// A handshake that waits.
#[derive(Debug, Default)]
pub struct Undecided {
    /// For the word of this one.
    pub awaited: Awaited,
    /// The backend has spoken for the client already, and the host is to decide.
    pub vouched: Option<Box<Claims>>,
}

/// A request's body on its way in.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Body {
    /// The head, for when the body is whole.
    pub head: Vec<u8>,
    /// How its end is found.
    pub framing: BodyFraming,
    /// It may have so many bytes.
    pub bytes_max: usize,
    /// The bytes that are here.
    pub bytes: Vec<u8>,
}

/// How a body's end is found.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub enum BodyFraming {
    /// After so many more bytes.
    Length(usize),
    /// RFC 9112 section 7.1.
    Chunked(crate::protocol::body::Chunked),
}

/// Why a connection ends, for whoever asks when it is gone.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Ending {
    /// The close code that was sent or received first; 1006 if none was.
    pub code: CloseCode,
    /// The reason with it.
    pub reason: String,
    /// The reason that it counts as.
    pub cause: CloseReason,
    /// Bytes that were still to be written when it was looked last whether they become fewer.
    pub left: u64,
    /// When it ends at the latest without having taken them.
    pub until_ms: u64,
}

impl<S> Slot<S> {
    /// A connection just accepted.
    pub fn new(socket: S, serial: u32, phase: Phase, seen: Stamp) -> Slot<S> {
        Slot {
            socket,
            serial,
            cursor: Cursor::default(),
            seen,
            flags: Flags::default(),
            phase,
            kind: Kind::PUSH,
            transport: Transport::default(),
            form: Form::Plain,
            held_len: Held::default(),
            held: [0; HELD_MAX],
            extra: None,
        }
    }

    /// The id of the connection in slot `index`.
    pub fn id(&self, index: usize) -> ConnId {
        ConnId::new(narrow::to_u32(index), self.serial)
    }

    /// Whether the walk leaves it to be served apart: it gets more than the bytes of its form.
    #[inline]
    pub fn is_served_apart(&self) -> bool {
        self.form.is_of_many() || self.transport == Transport::Poll
    }

    /// Sets what is spoken, and the window agreed on for permessage-deflate, see [`Flags::window_bits`]. Deflated forms
    /// are made for everybody, so only those take them whose window is the largest.
    pub fn speak(&mut self, transport: Transport, bits: u8) {
        self.transport = transport;
        self.flags.set_window_bits(bits);
        let form = transport.form();
        self.form = if bits == WINDOW_BITS_MAX { form.deflated() } else { form };
    }

    /// Input that was kept from the last read and comes before the next one.
    pub fn kept(&self) -> &[u8] {
        let aside = self.extra.as_ref().and_then(|extra| extra.aside.as_ref());
        match aside.filter(|aside| !aside.stash.is_empty()) {
            Some(aside) => &aside.stash,
            None => &self.held[..self.held_len.bytes()],
        }
    }

    /// Keeps `rest` for the next read, in place of what was kept before.
    pub fn keep(&mut self, rest: &[u8]) {
        let fits = rest.len() <= HELD_MAX;
        self.held_len.set_bytes(if fits { rest.len() } else { 0 });
        if fits {
            self.held[..rest.len()].copy_from_slice(rest);
            if let Some(extra) = &mut self.extra {
                if let Some(aside) = &mut extra.aside {
                    aside.stash = Box::default();
                }
                self.tidy_aside();
            }
        } else {
            self.aside_mut().stash = rest.into();
        }
    }

    /// Takes out what was put aside if it is too much to go in front of the next read.
    pub fn take_large_stash(&mut self) -> Option<Box<[u8]>> {
        let extra = self.extra.as_mut()?;
        let aside = extra.aside.as_mut().filter(|aside| aside.stash.len() > CONTROL_FRAME_MAX)?;
        let stash = std::mem::take(&mut aside.stash);
        self.tidy_aside();
        Some(stash)
    }

    /// The rarest state, made if need be.
    pub fn aside_mut(&mut self) -> &mut Aside {
        self.extra_mut().aside.get_or_insert_default()
    }

    /// Gives that back if nothing is in it, and the box.
    pub fn tidy_aside(&mut self) {
        if let Some(extra) = &mut self.extra {
            extra.aside.take_if(|aside| aside.is_empty());
            self.tidy();
        }
    }

    /// The box, made if need be.
    pub fn extra_mut(&mut self) -> &mut Extra {
        self.extra.get_or_insert_default()
    }

    /// Gives the box back if nothing is in it.
    pub fn tidy(&mut self) {
        if self.extra.as_ref().is_some_and(|extra| extra.is_empty()) {
            self.extra = None;
        }
    }

    /// The channel of the frame under way.
    pub fn mid_channel(&self) -> Option<ChannelId> {
        let mid = self.extra.as_ref().and_then(|extra| extra.mid);
        self.flags.any(Flags::MID_FRAME).then(|| mid.unwrap_or(DEFAULT))
    }

    /// Takes out what the host keeps here, for a callback.
    #[inline]
    pub fn take_hosted(&mut self) -> Option<Box<Hosted>> {
        self.extra.as_mut()?.hosted.take()
    }

    /// Puts it back.
    #[inline]
    pub fn put_hosted(&mut self, hosted: Option<Box<Hosted>>) {
        match hosted.filter(|hosted| !hosted.is_empty()) {
            Some(hosted) => self.extra_mut().hosted = Some(hosted),
            None => self.tidy(),
        }
    }

    /// Who it is.
    pub fn user(&self) -> Option<&str> {
        self.extra.as_ref().and_then(|extra| extra.user.as_ref()).map(|user| &*user.name)
    }

    /// Memory that it holds for itself alone, out of `backlog_bytes_max`.
    pub fn backlog_bytes(&self) -> usize {
        let Some(extra) = &self.extra else { return 0 };
        let outbox = extra.outbox.as_ref().map_or(0, |outbox| outbox.held_bytes());
        let aside = extra.aside.as_ref().map_or(0, |aside| aside.held_bytes());
        let body = extra.http.as_ref().and_then(|request| request.body.as_ref());
        let tls = extra.tls.as_ref().map_or(0, |session| session.held_bytes());
        outbox + aside + tls + body.map_or(0, |body| body.head.capacity() + body.bytes.capacity())
    }

    /// Whether it is decided on its handshake, which has waited for that.
    pub fn is_decided(&self) -> bool {
        let http = self.extra.as_ref().and_then(|extra| extra.http.as_ref());
        self.phase == Phase::Http && http.is_some_and(|http| http.decided.is_some())
    }

    /// Whether it is read for now, if it has something to say.
    pub fn is_read(&self) -> bool {
        let waits = matches!(self.phase, Phase::Admin | Phase::Http)
            && self.flags.any(Flags(Flags::LISTING.0 | Flags::UNDECIDED.0));
        // Behind a poll one request is kept at the most.
        let waits = waits || self.is_polling() && !self.kept().is_empty();
        !waits && !self.flags.any(Flags::PAUSED_OR_QUEUED)
    }

    /// The queue for its socket, if there is one.
    pub fn outbox(&self) -> Option<&Outbox> {
        self.extra.as_ref()?.outbox.as_deref()
    }

    /// The same to be put into, made if need be.
    pub fn outbox_mut(&mut self) -> &mut Outbox {
        self.flags.set(Flags::OUTBOX, true);
        self.extra_mut().outbox.get_or_insert_default()
    }

    /// Bytes that wait for it alone.
    pub fn outbox_bytes(&self) -> usize {
        let behind = self.sending().and_then(Sending::behind);
        self.outbox().map_or(0, Outbox::bytes) + behind.map_or(0, Outbox::bytes)
    }
}

impl Extra {
    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.memberships.is_empty()
            && self.mid.is_none()
            && self.outbox.is_none()
            && self.user.is_none()
            && self.granted.is_none()
            && self.assembly.is_none()
            && self.http.is_none()
            && self.aside.is_none()
            && self.tls.is_none()
            && self.ending.is_none()
            && self.hosted.is_none()
    }
}

pub mod image;
#[cfg(test)]
mod tests;

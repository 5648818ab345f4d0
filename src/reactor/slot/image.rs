//! A connection as it is handed to another process. What lies in it is what the slot and its box have; what others
//! know of it (its place in lists, sums, the poll) is made anew there.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::super::granted::Granted;
use super::super::heartbeat::Held;
use super::super::outbox::{Item, Outbox};
use super::super::poll::Poll;
use super::super::pusher::apps::AppSession;
use super::super::rest::{Rest, Saved};
use super::super::stamp::Stamp;
use super::super::transport::Transport;
use super::super::users::User;
use super::{Aside, Body, Ending, Extra, Flags, HELD_MAX, Phase, Request, Slot};
use crate::endpoint::Kind;
use crate::endpoint::hosted::{Hosted, HostedImage};
use crate::protocol::message::{Assembly, AssemblyImage};
use crate::protocol::pool::{Chain, Pool};
use crate::protocol::pusher::lines::Lines;
use crate::push::{ChannelId, Cursor, Form, Memberships};

/// A slot without its socket.
#[derive(Debug, serde::Deserialize, serde::Serialize)]
pub struct SlotImage {
    serial: u32,
    cursor: Cursor,
    seen: Stamp,
    flags: Flags,
    phase: Phase,
    kind: Kind,
    transport: Transport,
    form: Form,
    held_len: Held,
    held: [u8; HELD_MAX],
    extra: Option<Box<ExtraImage>>,
}

/// Its box.
#[derive(Debug, Default, serde::Deserialize, serde::Serialize)]
struct ExtraImage {
    memberships: Memberships,
    mid: Option<ChannelId>,
    outbox: Option<OutboxImage>,
    user: Option<Box<str>>,
    granted: Option<Box<Granted>>,
    assembly: Option<AssemblyImage>,
    http: Option<RequestImage>,
    stash: Vec<u8>,
    app: Option<Box<AppSession>>,
    lines: Option<Box<Lines>>,
    ending: Option<Box<Ending>>,
    hosted: Option<HostedImage>,
}

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct OutboxImage {
    /// Which saved frame, and how much of it is written.
    rest: Option<(u64, u32)>,
    close: bool,
    items: VecDeque<Item>,
}

#[derive(Debug, serde::Deserialize, serde::Serialize)]
struct RequestImage {
    since_ms: u64,
    bytes: Vec<u8>,
    body: Option<Body>,
    poll: Option<Poll>,
}

/// The saved frames, by numbers that stand for them.
pub type SavedFrames = HashMap<u64, Arc<Saved>>;

/// The number of a saved frame: each has a place in memory of its own.
pub fn number_of(saved: &Arc<Saved>) -> u64 {
    Arc::as_ptr(saved).addr() as u64
}

/// There is no room for a connection, or it names what is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

impl<S> Slot<S> {
    /// The saved frame that it is in the middle of.
    pub fn saved(&self) -> Option<&Arc<Saved>> {
        self.outbox()?.rest.as_ref().map(|rest| &rest.saved)
    }

    /// Its image. Where it [stays](Self::stays) that says what the others have to do with it.
    pub fn image(&self, pool: &Pool) -> SlotImage {
        let extra = self.extra.as_ref().map(|extra| Box::new(extra.image(pool)));
        let Slot { serial, cursor, seen, flags, phase, kind, transport, form, held_len, held, .. } = *self;
        let mut image =
            SlotImage { serial, cursor, seen, flags, phase, kind, transport, form, held_len, held, extra };
        if self.stays() {
            image.flags.set(Flags::TLS, false);
            image.flags.set(Flags::KERNEL_TLS, false);
            // Its session is here.
            image.extra.iter_mut().for_each(|extra| extra.lines = None);
        }
        if self.is_undecided() {
            image.ask_again();
        }
        image
    }

    /// Whether it can't be handed to another process: TLS that this one speaks, a message in pieces under way, an
    /// answer that is being made, lines that are polled.
    pub fn stays(&self) -> bool {
        let extra_stays = self.extra.as_ref().is_some_and(|extra| {
            extra.tls.is_some() || extra.aside.as_ref().is_some_and(|aside| aside.flow.is_some())
        });
        let is_answered = self.phase == Phase::Admin && self.flags.any(Flags::LISTING);
        // The kernel's TLS stays with the socket, and lines are written as TLS is.
        let is_tls = self.flags.any(Flags::TLS) && !self.is_plain_below();
        extra_stays || is_answered || is_tls || self.is_polled()
    }

    fn is_undecided(&self) -> bool {
        self.phase == Phase::Http && self.flags.any(Flags::UNDECIDED)
    }

    /// The slot of an image.
    ///
    /// # Errors
    /// [`NoRoom`]
    pub fn of_image(
        socket: S,
        image: SlotImage,
        pool: &mut Pool,
        saved: &SavedFrames,
    ) -> Result<Slot<S>, NoRoom> {
        let SlotImage { serial, cursor, seen, flags, phase, kind, transport, form, held_len, held, extra } =
            image;
        let mut slot = Slot {
            socket,
            serial,
            cursor,
            seen,
            flags,
            phase,
            kind,
            transport,
            form,
            held_len,
            held,
            extra: None,
        };
        if let Some(extra) = extra {
            slot.extra = Some(Box::new(Extra::of_image(*extra, pool, saved)?));
            // It may have had nothing but the host's value.
            slot.tidy();
        }
        Ok(slot)
    }
}

impl SlotImage {
    /// The decision on a handshake is on its way to this process: the other one asks again.
    fn ask_again(&mut self) {
        self.flags.set(Flags::UNDECIDED, false);
        self.flags.set(Flags::QUEUED, true);
        let Some(extra) = &mut self.extra else { return };
        if let Some(body) = extra.http.take().and_then(|request| request.body) {
            let held = &self.held[..self.held_len.bytes()];
            extra.stash = [&body.head[..], held, &extra.stash].concat();
            self.held_len.set_bytes(0);
        }
    }
}

impl Extra {
    fn image(&self, pool: &Pool) -> ExtraImage {
        ExtraImage {
            memberships: self.memberships.clone(),
            mid: self.mid,
            outbox: self.outbox.as_ref().map(|outbox| image_of(outbox)),
            user: self.user.as_ref().map(|user| user.name.clone()),
            granted: self.granted.clone(),
            assembly: self.assembly.as_ref().map(|assembly| assembly.image(pool)),
            http: self.http.as_ref().map(|request| request.image(pool)),
            stash: self.aside.as_ref().map(|aside| aside.stash.to_vec()).unwrap_or_default(),
            app: self.aside.as_ref().and_then(|aside| aside.app.clone()),
            lines: self.aside.as_ref().and_then(|aside| aside.lines.clone()),
            ending: self.ending.clone(),
            hosted: self.hosted.as_ref().and_then(|hosted| hosted.image()),
        }
    }

    fn of_image(image: ExtraImage, pool: &mut Pool, saved: &SavedFrames) -> Result<Extra, NoRoom> {
        let ExtraImage {
            memberships,
            mid,
            outbox,
            user,
            granted,
            assembly,
            http,
            stash,
            app,
            lines,
            ending,
            hosted,
        } = image;
        let assembly = match assembly {
            Some(image) => Some(Box::new(Assembly::of_image(image, pool).ok_or(NoRoom)?)),
            None => None,
        };
        let http = match http {
            Some(image) => Some(Box::new(Request::of_image(image, pool)?)),
            None => None,
        };
        let outbox = match outbox {
            Some(image) => Some(Box::new(outbox_of(image, saved)?)),
            None => None,
        };
        let aside = Aside { stash: stash.into(), app, lines, ..Aside::default() };
        let aside = (!aside.is_empty()).then(|| Box::new(aside));
        Ok(Extra {
            memberships,
            mid,
            outbox,
            user: user.map(|name| Box::new(User::new(&name))),
            granted,
            assembly,
            http,
            aside,
            ending,
            hosted: hosted.map(|image| Box::new(Hosted::of_image(image))),
            ..Extra::default()
        })
    }
}

impl Request {
    fn image(&self, pool: &Pool) -> RequestImage {
        let mut bytes = Vec::new();
        pool.gather(&self.chain, &mut bytes);
        RequestImage { since_ms: self.since_ms, bytes, body: self.body.clone(), poll: self.poll.clone() }
    }

    fn of_image(image: RequestImage, pool: &mut Pool) -> Result<Request, NoRoom> {
        let RequestImage { since_ms, bytes, body, poll } = image;
        let mut chain = Chain::default();
        if !pool.append(&mut chain, &bytes, 0) {
            return Err(NoRoom);
        }
        Ok(Request { since_ms, chain, body, poll, ..Request::default() })
    }
}

fn image_of(outbox: &Outbox) -> OutboxImage {
    OutboxImage {
        rest: outbox.rest.as_ref().map(|rest| (number_of(&rest.saved), rest.at)),
        close: outbox.close,
        items: outbox.items().clone(),
    }
}

fn outbox_of(image: OutboxImage, saved: &SavedFrames) -> Result<Outbox, NoRoom> {
    let OutboxImage { rest, close, items } = image;
    let mut outbox = Outbox::of_items(items);
    outbox.close = close;
    if let Some((number, at)) = rest {
        let saved = saved.get(&number).filter(|saved| saved.held_bytes() > at as usize).ok_or(NoRoom)?;
        outbox.rest = Some(Rest { saved: saved.clone(), at });
    }
    Ok(outbox)
}

//! Clients that ask for `GET /app/KEY`: let in, or told by a close code why not. A page sees no status of HTTP.

use crate::config::{OWN_ORIGIN, Transport as Named};
use crate::endpoint::origins::{self, Facts};
use crate::endpoint::{Accept, Kind, requests};
use crate::metrics::{ConnectionTransport, RefuseReason};
use crate::protocol::close::{CloseCode, encode_close};
use crate::protocol::extensions::Agreement;
use crate::protocol::form;
use crate::protocol::frame::{self, Opcode};
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::protocol::pusher::event;
use crate::push::Cursor;

use super::super::admission::{Admitted, Wishes};
use super::super::connections::Gone;
use super::super::reactor::Reactor;
use super::super::socket::Socket;
use super::super::transport::Transport;

/// The oldest version of the protocol that is spoken.
const PROTOCOL_MIN: u64 = 5;
/// From this version on a refusal is a close code alone.
const PROTOCOL_OF_CODES: u64 = 6;

/// A client that is not let in.
struct NotLetIn {
    /// The close code, by which it knows whether to come again.
    code: u16,
    why: String,
    reason: RefuseReason,
}

fn refuse<T>(code: u16, why: &str, reason: RefuseReason) -> Result<T, NotLetIn> {
    Err(NotLetIn { code, why: why.to_owned(), reason })
}

/// The version of the protocol that a client asks for.
fn version(head: &Head<'_>) -> Result<u64, NotLetIn> {
    let mut fields = form::fields(head.query().as_bytes());
    let Some(field) = fields.find(|field| &*field.name == b"protocol") else {
        return refuse(4_008, "no protocol version: ask for protocol=7", RefuseReason::BadRequest);
    };
    let text = field.value.unwrap_or_default();
    let number = std::str::from_utf8(&text).ok().and_then(|text| text.parse().ok());
    match number {
        None => refuse(4_006, "the protocol version is not a number", RefuseReason::BadRequest),
        Some(version) if version < PROTOCOL_MIN => {
            refuse(4_007, "protocol versions from 5 on are spoken", RefuseReason::Version)
        }
        Some(version) => Ok(version),
    }
}

impl<S: Socket> Reactor<S> {
    /// Opens a WebSocket of an app's client, or refuses it by a close code.
    pub(in super::super) fn upgrade_app(&mut self, index: usize, upgrade: &Upgrade<'_>) -> Result<(), Gone> {
        let number = match self.let_into_app(index, upgrade) {
            Ok(number) => number,
            Err(not) => {
                let peer = self.connections.slots[index].socket.peer();
                self.refused(not.reason, &not.why, peer);
                self.metrics.clients_refused.bump(ConnectionTransport::WebSocket);
                return self.refuse_app_client(index, upgrade, &not);
            }
        };
        let deflate = upgrade.deflate.filter(|_| self.config.deflate);
        let slot = &mut self.connections.slots[index];
        slot.speak(Transport::Pusher, deflate.map_or(0, Agreement::window_bits));
        // It stands in no default channel, and its place there says which app it is of.
        slot.cursor = Cursor(number);
        let accept = Accept { broadcast: false, ..Accept::default() };
        let mut admitted = Admitted { accept, rights: None, channels: Vec::new(), wishes: Wishes::default() };
        // Publications that other threads have made by now came before it.
        self.carry_out_commands();
        let entries = self.open(index, Kind::APP, &mut admitted);
        self.apps.count(number, true);
        self.metrics.handshakes_ok += 1;
        self.metrics.clients_admitted.bump(ConnectionTransport::WebSocket);
        let offered = upgrade.protocols().next();
        handshake::respond(upgrade.key, offered, deflate, |_| {}, &mut self.scratch.replies);
        self.begin_open(index, Kind::APP, &admitted, &entries)
    }

    /// The seat of the app whose key a client has.
    fn let_into_app(&self, index: usize, upgrade: &Upgrade<'_>) -> Result<u32, NotLetIn> {
        let Upgrade { head, origin, .. } = *upgrade;
        version(head)?;
        if !self.config.transports.contains(&Named::WebSocket) {
            return refuse(4_005, "WebSockets are not served here (transports)", RefuseReason::NotFound);
        }
        let key = self.config.pusher_path(requests::path(head), "/app/").unwrap_or_default();
        let Some((number, app)) = self.apps.by_key(key) else {
            return refuse(4_001, "there is no app with this key", RefuseReason::NotFound);
        };
        self.check_page(index, head, origin)?;
        if let Some((code, why)) = self.apps.over(number) {
            return refuse(code, why, RefuseReason::NotFound);
        }
        let max = app.settings.connections_max;
        if max > 0 && self.apps.open(number) >= max {
            let why = format!("the app has {max} connections, which is its quota (connections_max)");
            return refuse(4_004, &why, RefuseReason::Full);
        }
        match self.check_newcomers() {
            Ok(()) => Ok(number),
            Err(refusal) => refuse(4_100, &refusal.reason, RefuseReason::Full),
        }
    }

    /// Pages that are not listed may not connect. Where none are listed any may: no cookie says who a client is.
    fn check_page(&self, index: usize, head: &Head<'_>, origin: Option<&str>) -> Result<(), NotLetIn> {
        if self.config.origins.iter().any(|own| own == OWN_ORIGIN) {
            return Ok(());
        }
        let is_tls = self.connections.slots[index].is_secure();
        let facts = Facts { has_host: false, is_tls, has_certificate: &|| false };
        origins::check(origin, head, &self.config.origins, &facts)
            .or_else(|refusal| refuse(4_009, &refusal.reason, RefuseReason::Origin))
    }

    /// Answers 101, and the close code.
    fn refuse_app_client(
        &mut self,
        index: usize,
        upgrade: &Upgrade<'_>,
        NotLetIn { code, why, .. }: &NotLetIn,
    ) -> Result<(), Gone> {
        put_refusal(upgrade, *code, why, &mut self.scratch.replies);
        self.await_refused(index)
    }
}

/// Appends the answer to a client that is not let in.
pub(in super::super) fn put_refusal(upgrade: &Upgrade<'_>, code: u16, why: &str, out: &mut Vec<u8>) {
    handshake::respond(upgrade.key, upgrade.protocols().next(), None, |_| {}, out);
    if version(upgrade.head).is_ok_and(|version| version < PROTOCOL_OF_CODES) {
        let mut said = Vec::new();
        event::push_error(code, why, &mut said);
        frame::encode(Opcode::Text, &said, out);
    }
    encode_close(CloseCode(code), why, out);
}

//! Clients that ask for `GET /app/KEY`: let in, or told by a close code why not. A page sees no status of HTTP.

use crate::config::{OWN_ORIGIN, Transport as Named, app_itself};
use crate::endpoint::app_client::{self, OVER_CAPACITY};
use crate::endpoint::origins::{self, Facts};
use crate::endpoint::{Accept, Kind, requests};
use crate::metrics::{ConnectionTransport, RefuseReason};
use crate::narrow;
use crate::protocol::extensions::Agreement;
use crate::protocol::handshake::{self, Upgrade};
use crate::protocol::head::Head;
use crate::push::{ChannelId, Cursor, Entry};

use super::super::admission::{Admitted, Wishes};
use super::super::connections::Gone;
use super::super::reactor::Reactor;
use super::super::socket::Socket;
use super::super::transport::Transport;

/// A client that is not let in.
pub(super) struct NotLetIn {
    /// The close code, by which it knows whether to come again.
    pub code: u16,
    pub why: String,
    pub reason: RefuseReason,
}

fn refuse<T>(code: u16, why: &str, reason: RefuseReason) -> Result<T, NotLetIn> {
    Err(NotLetIn { code, why: why.to_owned(), reason })
}

impl<S: Socket> Reactor<S> {
    /// Opens a WebSocket of an app's client, or refuses it by a close code.
    pub(in super::super) fn upgrade_app(&mut self, index: usize, upgrade: &Upgrade<'_>) -> Result<(), Gone> {
        let letting = if self.config.transports.contains(&Named::WebSocket) {
            let key = self.config.pusher_path(requests::path(upgrade.head), "/app/").unwrap_or_default();
            self.let_into_app(index, upgrade.head, upgrade.origin, key)
        } else {
            refuse(4_005, "WebSockets are not served here (transports)", RefuseReason::NotFound)
        };
        let number = match letting {
            Ok(number) => number,
            Err(not) => {
                let peer = self.connections.peer(index);
                self.refused(not.reason, &not.why, peer);
                self.metrics.clients_refused.bump(ConnectionTransport::WebSocket);
                return self.refuse_app_client(index, upgrade, &not);
            }
        };
        let deflate = upgrade.deflate.filter(|_| self.config.deflate);
        let (admitted, entries) = self.open_app(index, number, deflate.map_or(0, Agreement::window_bits));
        self.metrics.handshakes_ok += 1;
        self.metrics.clients_admitted.bump(ConnectionTransport::WebSocket);
        let offered = upgrade.protocols().next();
        handshake::respond(upgrade.key, offered, deflate, |_| {}, &mut self.scratch.replies);
        self.begin_open(index, Kind::APP, &admitted, &entries)
    }

    /// Opens a connection of the app in this seat, which has counted it.
    pub(super) fn open_app(
        &mut self,
        index: usize,
        number: u32,
        window_bits: u8,
    ) -> (Admitted, Vec<(ChannelId, Entry)>) {
        let slot = &mut self.connections.slots[index];
        slot.speak(Transport::Pusher, window_bits);
        // It stands in no default channel, and its place there says which app it is of.
        slot.cursor = Cursor(number);
        let accept = Accept { broadcast: false, ..Accept::default() };
        let mut admitted = Admitted { accept, rights: None, channels: Vec::new(), wishes: Wishes::default() };
        // Publications that other threads have made by now came before it.
        self.carry_out_commands();
        let entries = self.open(index, Kind::APP, &mut admitted);
        self.tell_app_connections(number);
        let within_ms = self.apps.at(number).settings.authorization_s * 1_000;
        if within_ms > 0 {
            let (due_ms, serial) = (self.now.mono_ms() + within_ms, self.connections.slots[index].serial);
            self.apps.timers.await_known(due_ms, narrow::to_u32(index), serial);
        }
        (admitted, entries)
    }

    /// The open connections of an app at other nodes of a cluster.
    pub(in super::super) fn app_connections_afar(&self, id: &str) -> u64 {
        self.shared.engine().map_or(0, |engine| engine.subscribers(&app_itself(id)))
    }

    /// An app has another count of connections here.
    pub(super) fn tell_app_connections(&self, number: u32) {
        if let Some(engine) = self.shared.engine() {
            let id = &self.apps.at(number).settings.id;
            engine.counted(&app_itself(id), &|| u32::try_from(self.apps.open(number)).unwrap_or(u32::MAX));
        }
    }

    /// The seat of the app whose key a client has, which counts it from here on.
    pub(super) fn let_into_app(
        &self,
        index: usize,
        head: &Head<'_>,
        origin: Option<&str>,
        key: &str,
    ) -> Result<u32, NotLetIn> {
        if let Err((code, why)) = app_client::version(head) {
            return refuse(code, why, RefuseReason::BadRequest);
        }
        let Some((number, app)) = self.apps.by_key(key) else {
            return refuse(4_001, "there is no app with this key", RefuseReason::NotFound);
        };
        if app.settings.tls_only && !self.connections.slots[index].is_secure() {
            return refuse(4_000, "the app takes clients by TLS alone (tls_only)", RefuseReason::BadRequest);
        }
        self.check_page(index, head, origin)?;
        if let Some((code, why)) = self.apps.over(number) {
            return refuse(code, why, RefuseReason::NotFound);
        }
        if let Err((refusal, reason)) = self.check_newcomers() {
            return refuse(OVER_CAPACITY, &refusal.reason, reason);
        }
        if !self.apps.enter(number, self.app_connections_afar(&app.settings.id)) {
            let max = app.settings.connections_max;
            let why = format!("the app has {max} connections, which is its quota (connections_max)");
            return refuse(4_004, &why, RefuseReason::Full);
        }
        if let Err((refusal, reason)) = self.take_place() {
            self.apps.leave(number);
            return refuse(OVER_CAPACITY, &refusal.reason, reason);
        }
        Ok(number)
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
        app_client::put_refusal(upgrade, *code, why, &mut self.scratch.replies);
        self.await_refused(index)
    }
}

//! Session tickets for `--resume`. All connections go to one server, and each ticket is used once (RFC 8446
//! appendix C.4). Collecting comes first, on full handshakes; what resumed sessions give is kept for need, since node
//! refuses such tickets. The newest goes first: a server that remembers sessions forgets the oldest.

use rustls::NamedGroup;
use rustls::client::{ClientSessionStore, Tls12ClientSessionValue, Tls13ClientSessionValue};
use rustls::pki_types::ServerName;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

#[derive(Debug, Default)]
struct Store {
    /// Tickets are for use: collecting is over.
    is_open: bool,
    group: Option<NamedGroup>,
    session: Option<Tls12ClientSessionValue>,
    tickets: VecDeque<Tls13ClientSessionValue>,
}

/// The tickets of one worker.
#[derive(Debug)]
pub(crate) struct Tickets {
    /// How many connections there will be, each in need of one.
    wanted: usize,
    store: Mutex<Store>,
}

impl Tickets {
    pub(crate) fn new(wanted: u32) -> Self {
        Self { wanted: wanted as usize, store: Mutex::default() }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many connections can resume now.
    pub(crate) fn count(&self) -> usize {
        let store = self.store();
        // A session of TLS 1.2 may be resumed again and again.
        if store.session.is_some() { self.wanted } else { store.tickets.len() }
    }

    /// From now on sessions are resumed.
    pub(crate) fn open(&self) {
        self.store().is_open = true;
    }

    /// One for each connection.
    pub(crate) fn suffice(&self) -> bool {
        self.count() >= self.wanted
    }
}

impl ClientSessionStore for Tickets {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.store().group = Some(group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.store().group
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.store().session = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        let store = self.store();
        if store.is_open { store.session.clone() } else { None }
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.store().session = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        let store = &mut *self.store();
        let tickets = &mut store.tickets;
        match (store.is_open, tickets.len() < self.wanted) {
            (true, true) => tickets.push_front(value),
            (true, false) => {}
            (false, has_room) => {
                if !has_room {
                    tickets.pop_front();
                }
                tickets.push_back(value);
            }
        }
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        let store = &mut *self.store();
        if store.is_open { store.tickets.pop_back() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_ticket_at_first() {
        let tickets = Tickets::new(3);
        assert_eq!((tickets.count(), tickets.suffice()), (0, false));
        assert!(Tickets::new(0).suffice());
        let name = ServerName::try_from("localhost").unwrap();
        assert!(tickets.take_tls13_ticket(&name).is_none() && tickets.tls12_session(&name).is_none());
    }
}

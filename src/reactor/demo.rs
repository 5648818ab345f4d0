//! The answers to the demo's page.

use crate::auth::Claims;
use crate::config::{DEMO_SHOWN, TokenAuth};
use crate::endpoint::demo::{self, Facts, Guests};
use crate::endpoint::query::Query;
use crate::endpoint::requests;
use crate::metrics::RefuseReason;
use crate::protocol::head::Head;
use crate::protocol::response::{Refusal, Response};

use super::reactor::{ListenerRole, Reactor};
use super::refusal;
use super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// Where the admin API is reached from this machine, for the page to show.
    pub fn set_admin_url(&mut self, url: Option<String>) {
        self.admin_url = url;
    }

    /// Whether visitors of the demo are whom they say: nobody else says it.
    fn guests(&self) -> Guests {
        let is_said = self.config.auth != TokenAuth::None || self.asks_backend() || self.handler.is_host();
        if is_said { Guests::Unnamed } else { Guests::Named }
    }

    /// The guest who asks for this, if it is one.
    pub(super) fn guest(&self, head: &Head<'_>, query: &Query<'_>) -> Result<Option<Claims>, Refusal> {
        let is_theirs =
            DEMO_SHOWN && requests::is_for_guests(requests::path(head)) && self.guests() == Guests::Named;
        query.text("as").filter(|_| is_theirs).map(demo::guest).transpose()
    }

    pub(super) fn demo_info(&self) -> Response {
        if !DEMO_SHOWN {
            return Refusal::fixed(404, "not found").into();
        }
        demo::info(&Facts {
            connections: self.connections.open_of_all(),
            admin: self.admin_url.as_deref(),
            needs_token: self.config.admin_token.is_some(),
            guests: self.guests() == Guests::Named,
        })
    }

    pub(super) fn demo_push(&mut self, index: usize, head: &Head<'_>, body: &[u8]) -> Response {
        if !DEMO_SHOWN {
            return Refusal::fixed(404, "not found").into();
        }
        let config = self.config.clone();
        demo::push(head, body, (&config, self.guests()), self).unwrap_or_else(|(refusal, reason)| {
            self.note_demo_refusal(index, &refusal, reason);
            refusal::response(ListenerRole::Public, &refusal)
        })
    }

    fn note_demo_refusal(&mut self, index: usize, refusal: &Refusal, reason: Option<RefuseReason>) {
        let peer = self.connections.peer(index);
        match (reason, refusal.status) {
            (Some(reason), _) => self.refused(reason, &refusal.reason, peer),
            // A push that the inbox has no room for is counted there.
            (None, 503) => {}
            (None, status) => self.note_refusal(index, status, &refusal.reason),
        }
    }
}

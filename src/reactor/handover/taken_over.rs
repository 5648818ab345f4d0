//! Connections that have come over: their sessions are found again, and the host hears of them.

use crate::reactor::reactor::Reactor;
use crate::reactor::socket::Stream;

impl Reactor<Stream> {
    /// Tells the host of the connections that have come over, before anything that they say.
    pub(in super::super) fn introduce_taken_over(&mut self) {
        for (index, serial) in std::mem::take(&mut self.taken_over) {
            if !self.connections.is_open(index, serial) {
                continue;
            }
            if self.ask_app_again(index) {
                continue;
            }
            let told = self.call_back(index, |handler, session| handler.on_taken_over(session));
            if told.and_then(|()| self.send_replies(index)).is_err() {
                self.scratch.replies.clear();
            }
        }
    }

    /// The connection of a session has come over from another process.
    pub(super) fn resume_session(&self, index: usize) {
        let slot = &self.connections.slots[index];
        if slot.lines().is_some()
            && let Some(session) = slot.app_session().and_then(|app| app.session.as_deref())
        {
            self.shared.app_sessions.enter(session, slot.id(index));
        }
    }
}

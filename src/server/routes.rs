//! A host's routes, through a handle.

use std::sync::atomic::Ordering;

use crate::endpoint::reads::{Answer, Question, check_limit};
use crate::endpoint::{ConnId, RouteId, SessionInfo, SessionList, SessionPage};
use crate::push::PushError;
use crate::reactor::Command;

use super::{Handle, check_conn};

/// Sessions and routes.
impl Handle {
    /// The facts about a session; None: it is not open any more. Asked and answered as all
    /// [questions](Self#questions).
    ///
    /// # Errors
    /// [`PushError::NoSuchConnection`] for 0, [`PushError::InboxFull`], [`PushError::Stopped`].
    pub fn session(
        &self,
        conn: ConnId,
        answer: impl FnOnce(Result<Option<SessionInfo>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Ask(Box::new(Question::Session(conn, Answer::new(answer)))))
    }

    /// Which sessions are open, a page at a time, at all paths or at one route. However many there are, it takes no
    /// other time from anybody than a share of each turn.
    ///
    /// # Errors
    /// [`PushError::BadTerms`] for a limit that is not 1 to 1,000. The answer is [`PushError::InboxFull`] if 64 lists
    /// are under way.
    pub fn sessions(
        &self,
        list: SessionList,
        answer: impl FnOnce(Result<SessionPage, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_limit(list.limit)?;
        self.shared.command(Command::Ask(Box::new(Question::Sessions(list, Answer::new(answer)))))
    }

    /// How many connections of a route are open. It takes no lock and asks nobody; 0 of a route that this server
    /// doesn't have.
    ///
    /// ```no_run
    /// # fn example(handle: &wspush::Handle, chat: wspush::RouteId) {
    /// println!("{} guests", handle.online(chat));
    /// # }
    /// ```
    pub fn online(&self, route: RouteId) -> u64 {
        let online = self.shared.online.get().and_then(|online| online.get(route.number()));
        online.map_or(0, |online| online.load(Ordering::Relaxed))
    }
}

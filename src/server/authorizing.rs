//! Answers to what clients of apps ask for, through a handle.

use crate::endpoint::{Authorized, ConnId};
use crate::push::PushError;
use crate::reactor::Command;

use super::{Handle, check_conn};

impl Handle {
    /// Answers a question of [`Handler::on_authorize`](crate::Handler::on_authorize) that was
    /// [pending](Authorized::Pending). It changes nothing about one that is answered, or out of time, or of a client
    /// that has gone.
    ///
    /// # Errors
    /// [`PushError::NoSuchConnection`] for 0, [`PushError::InboxFull`], [`PushError::Stopped`].
    pub fn authorize(&self, conn: ConnId, number: u32, authorized: Authorized) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Authorize { conn, number, authorized: Box::new(authorized) })
    }
}

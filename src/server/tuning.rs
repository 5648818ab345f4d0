//! A session's limits and control frames, through a handle.

use std::time::Duration;

use crate::endpoint::ConnId;
use crate::endpoint::tune::Tune;
use crate::push::PushError;
use crate::reactor::Command;

use super::{Handle, check_conn};

/// Limits and control frames of one session.
impl Handle {
    /// [`Session::set_idle_timeout`](crate::Session::set_idle_timeout) from any thread.
    ///
    /// # Errors
    /// [`PushError::NoSuchConnection`] for 0, [`PushError::InboxFull`], [`PushError::Stopped`].
    pub fn set_idle_timeout(&self, conn: ConnId, timeout: Option<Duration>) -> Result<(), PushError> {
        self.tune(conn, Tune::IdleTimeout(timeout))
    }

    /// [`Session::set_message_bytes_max`](crate::Session::set_message_bytes_max) from any thread.
    ///
    /// # Errors
    /// As for [`set_idle_timeout`](Self::set_idle_timeout).
    pub fn set_message_bytes_max(&self, conn: ConnId, bytes: usize) -> Result<(), PushError> {
        self.tune(conn, Tune::MessageBytesMax(bytes))
    }

    /// Sends a ping (RFC 6455 section 5.5.2) to a WebSocket, behind the messages that were sent to it before, but
    /// between the pieces of one that is under way. Its answer comes to
    /// [`Handler::on_pong`](crate::Handler::on_pong), unless the payload is empty. The server's own pings are not to
    /// be seen.
    ///
    /// # Errors
    /// [`PushError::BadTerms`] for more than 125 bytes; and as for [`set_idle_timeout`](Self::set_idle_timeout).
    pub fn ping(&self, conn: ConnId, payload: &[u8]) -> Result<(), PushError> {
        self.tune(conn, Tune::ping(payload)?)
    }

    /// Sends a pong that no ping has asked for (RFC 6455 section 5.5.3).
    ///
    /// # Errors
    /// As for [`ping`](Self::ping).
    pub fn pong(&self, conn: ConnId, payload: &[u8]) -> Result<(), PushError> {
        self.tune(conn, Tune::pong(payload)?)
    }

    fn tune(&self, conn: ConnId, tune: Tune) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Tune { conn, tune })
    }
}

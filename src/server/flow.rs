//! Who waits for whom, asked from any thread: [`Handle`]'s methods for one connection's flow.

use crate::endpoint::{ConnId, FlowAsked, FlowPace, Fragment};
use crate::push::PushError;
use crate::reactor::Command;

use super::{Handle, check_conn};

impl Handle {
    /// Has a connection not read until [`resume`](Self::resume), see [`Session::pause`](crate::Session::pause). It is
    /// paused when the server's thread has got to it; until then callbacks may hear of it. Nothing happens if it has
    /// gone.
    ///
    /// # Errors
    /// [`PushError::NoSuchConnection`] for 0, [`PushError::InboxFull`], [`PushError::Stopped`].
    pub fn pause(&self, conn: ConnId) -> Result<(), PushError> {
        self.change_flow(conn, FlowAsked::Pause)
    }

    /// Ends a [`pause`](Self::pause), however often that was asked for.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn resume(&self, conn: ConnId) -> Result<(), PushError> {
        self.change_flow(conn, FlowAsked::Resume)
    }

    /// Sends a piece of a message to one connection, see [`Session::send_fragment`](crate::Session::send_fragment): as
    /// in `on_drained`, what waits is the host's to bound, with [`notify_drained`](Self::notify_drained). Two threads
    /// must not send pieces to the same connection.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn send_fragment(&self, conn: ConnId, fragment: Fragment<'_>) -> Result<(), PushError> {
        check_conn(conn)?;
        self.change_flow(conn, FlowAsked::Send(fragment.outgoing(FlowPace::ByHost)))
    }

    /// Has [`Handler::on_drained`](crate::Handler::on_drained) called when everything that this thread has sent to a
    /// connection until now is with the kernel.
    ///
    /// # Errors
    /// As [`pause`](Self::pause).
    pub fn notify_drained(&self, conn: ConnId) -> Result<(), PushError> {
        self.change_flow(conn, FlowAsked::TellDrained)
    }

    fn change_flow(&self, conn: ConnId, asked: FlowAsked) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Flow { conn, asked })
    }
}

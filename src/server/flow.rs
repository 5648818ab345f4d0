//! Who waits for whom, asked from any thread: [`Handle`]'s methods for one connection's flow.

use crate::endpoint::{ConnId, FlowAsked, FlowPace, Fragment};
use crate::push::{Message, Publication, PushError, PushOptions};
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

    /// Sends a message, and has [`Handler::on_drained`](crate::Handler::on_drained) called when it is with the kernel:
    /// both, or, with an error, neither. So whoever tries again sends nothing twice.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_notified(
        &self,
        conn: ConnId,
        message: Message<'_>,
        options: PushOptions,
    ) -> Result<(), PushError> {
        let publication = Publication::to_one(message, options)?;
        check_conn(conn)?;
        let notify = Command::Flow { conn, asked: FlowAsked::TellDrained };
        self.shared.both(Command::Send { conn, publication }, notify)
    }

    /// Sends one message to each of these connections: to all of them that are there, or, with an error, to none.
    ///
    /// # Errors
    /// As [`send`](Self::send), [`PushError::TooMany`] for more than `inbox_commands_max` at once, and
    /// [`PushError::TooLarge`] where all of them together never fit `inbox_bytes_max`.
    ///
    /// ```no_run
    /// # fn example(handle: &wspush::Handle, room: &[wspush::ConnId]) -> Result<(), wspush::PushError> {
    /// use wspush::{Message, PushOptions};
    ///
    /// handle.send_to_all(room, Message::Text("the meeting begins"), PushOptions::default())
    /// # }
    /// ```
    pub fn send_to_all(
        &self,
        conns: &[ConnId],
        message: Message<'_>,
        options: PushOptions,
    ) -> Result<(), PushError> {
        let publication = Publication::to_one(message, options)?;
        conns.iter().try_for_each(|conn| check_conn(*conn))?;
        self.shared.send_to_all(conns, &publication)
    }

    fn change_flow(&self, conn: ConnId, asked: FlowAsked) -> Result<(), PushError> {
        check_conn(conn)?;
        self.shared.command(Command::Flow { conn, asked })
    }
}

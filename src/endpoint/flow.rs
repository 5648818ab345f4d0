//! Messages in pieces, and who waits for whom: what a host may ask of one connection's flow.

use crate::push::Message;

use super::handler::{Action, Session};

/// A piece of a message: what has come of it, or what is to go out next.
///
/// ```
/// use wspush::{Fragment, Handler, Session};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn on_fragment(&mut self, session: &mut Session<'_>, fragment: Fragment<'_>) {
///         session.send_fragment(fragment);
///     }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fragment<'a> {
    /// The bytes, of a text whole characters. All pieces of a message are of one kind. Nothing but the last piece that
    /// comes in is empty.
    pub data: Message<'a>,
    /// Whether the message goes on.
    pub more: bool,
}

/// Whether a host takes a client's messages as they come, see [`Handler::on_fragment`](super::Handler::on_fragment).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pieces {
    /// It takes whole messages.
    #[default]
    Off,
    /// It takes pieces. A message has at most `message_bytes_max` bytes (else 1009).
    Bounded,
    /// It takes pieces, and a message may be as long as the client likes.
    Unbounded,
}

/// What a host asks of a connection's flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowAsked {
    /// Read nothing of it.
    Pause,
    /// Read it again.
    Resume,
}

impl<'a> Session<'a> {
    /// Has the connection not read until [`resume`](Self::resume): no callback but `on_close` hears of it meanwhile.
    /// What was read already is kept; what comes waits in the kernel, and then at the client, whose `send` gets slow or
    /// waits. It is pinged as ever, and its silence is not held against it: whether it is still there is seen when
    /// something is written to it. Only a WebSocket can be paused.
    ///
    /// ```
    /// use wspush::{Fragment, Handle, Session};
    ///
    /// fn store(session: &mut Session<'_>, fragment: Fragment<'_>, handle: &Handle) {
    ///     session.pause();
    ///     let (conn, handle, bytes) = (session.id(), handle.clone(), fragment.data.bytes().to_vec());
    ///     std::thread::spawn(move || {
    ///         // Here they are written to a disk.
    ///         drop(bytes);
    ///         handle.resume(conn)
    ///     });
    /// }
    /// ```
    pub fn pause(&mut self) {
        self.action(Action::Flow(FlowAsked::Pause));
    }

    /// Ends a [`pause`](Self::pause), however often that was asked for.
    pub fn resume(&mut self) {
        self.action(Action::Flow(FlowAsked::Resume));
    }
}

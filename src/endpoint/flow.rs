//! Messages in pieces, and who waits for whom: what a host may ask of one connection's flow.

use crate::protocol::frame;
use crate::push::{Kind, Message};

use super::handler::{Action, Session, Step};

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
///
/// ```
/// use wspush::{Accept, Connect, Decision, Pieces};
///
/// fn let_in(connect: &Connect<'_>) -> Decision {
///     let pieces = if connect.query("file").is_some() { Pieces::Unbounded } else { Pieces::Off };
///     Decision::Accept(Accept { pieces, ..Accept::default() })
/// }
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pieces {
    /// It takes whole messages, unless the route says otherwise ([`Route::pieces`](crate::Route::pieces)).
    #[default]
    Off,
    /// It takes pieces. A message has at most `message_bytes_max` bytes (else 1009).
    Bounded,
    /// It takes pieces, and a message may be as long as the client likes.
    Unbounded,
}

/// A host's request about a connection's flow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FlowAsked {
    /// Read nothing of it.
    Pause,
    /// Read it again.
    Resume,
    /// Call `on_drained` when its outbox is empty.
    TellDrained,
    /// Send it the next piece of a message.
    Send(Outgoing),
}

impl FlowAsked {
    /// The bytes that it takes on its way to the reactor.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            FlowAsked::Send(piece) => piece.frame.len(),
            FlowAsked::Pause | FlowAsked::Resume | FlowAsked::TellDrained => 0,
        }
    }
}

/// A piece on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// The message's kind.
    pub kind: Kind,
    /// Whether the message goes on.
    pub more: bool,
    /// The piece as a frame, but for its first byte.
    pub frame: Vec<u8>,
    /// Who sees to it that not too much waits.
    pub pace: FlowPace,
}

/// The bound of the pieces that wait for a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlowPace {
    /// They are an answer: while they wait the client isn't read.
    ByReading,
    /// The host waits for `on_drained`; what doesn't fit `outbox_bytes_max` closes the connection.
    ByHost,
}

impl Fragment<'_> {
    /// The piece for its way out.
    pub(crate) fn outgoing(&self, pace: FlowPace) -> Outgoing {
        let bytes = self.data.bytes();
        let (header, size) = frame::encode_header(self.data.kind().opcode(), bytes.len());
        let frame = [&header[..size], bytes].concat();
        Outgoing { kind: self.data.kind(), more: self.more, frame, pace }
    }
}

/// The facts about a connection that a callback may ask for.
#[doc(hidden)]
pub trait SessionFacts {
    /// The name that it was given.
    fn user(&self) -> Option<&str>;

    /// Bytes that wait for it alone.
    fn outbox_bytes(&self) -> usize;

    /// Whether it speaks TLS.
    fn is_secure(&self) -> bool;
}

/// Of one that is only called something.
impl SessionFacts for Option<&str> {
    fn user(&self) -> Option<&str> {
        *self
    }

    fn outbox_bytes(&self) -> usize {
        0
    }

    fn is_secure(&self) -> bool {
        false
    }
}

impl<'a> Session<'a> {
    /// Has the connection not read until [`resume`](Self::resume): nothing that it says is handed over meanwhile. The
    /// bytes that were read already are kept; what comes waits in the kernel, and then at the client, whose `send` gets
    /// slow or waits. It is pinged as ever, and its silence is not held against it: whether it is still there is seen
    /// when something is written to it. Only a WebSocket can be paused. Pause before anybody who resumes knows of it.
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

    /// Sends a piece of a message, in the order of the calls; the client gets it at once, as a frame of its own (RFC
    /// 6455 section 5.4). Until the last piece is sent everything else that is said to it waits, publications as well:
    /// that is for one client's download, and whoever takes longer than a channel's log lasts is a slow consumer there.
    /// If the connection ends first, so does the message.
    ///
    /// As an answer (in `on_open`, `on_message`, `on_fragment`) a piece is never refused for want of room, and the
    /// client isn't read while it waits. In `on_drained` it has to fit `outbox_bytes_max` together with what waits
    /// already, or the client is closed as one that doesn't read (1013): the next piece is sent when the last one has
    /// gone.
    ///
    /// All pieces of a message are of one kind. With another one, or on a connection with `wspush.v1` or without a
    /// WebSocket, the log says `piece_not_sent`, and the connection is closed (1011). Pieces are not compressed.
    ///
    /// ```
    /// use std::io::{Read, Result};
    /// use wspush::{Fragment, Message, Session};
    ///
    /// /// Called by `on_open` first, and by `on_drained` then.
    /// fn go_on(session: &mut Session<'_>, file: &mut impl Read) -> Result<()> {
    ///     let mut bytes = [0; 65_536];
    ///     let n = file.read(&mut bytes)?;
    ///     session.send_fragment(Fragment { data: Message::Binary(&bytes[..n]), more: n > 0 });
    ///     if n > 0 {
    ///         session.notify_drained();
    ///     }
    ///     Ok(())
    /// }
    /// ```
    pub fn send_fragment(&mut self, fragment: Fragment<'_>) {
        self.action(Action::Flow(FlowAsked::Send(fragment.outgoing(FlowPace::ByReading))));
    }

    /// Has [`Handler::on_drained`](super::Handler::on_drained) called when everything that was sent to this connection
    /// until now is with the kernel: at once, behind this callback, if that is so already.
    pub fn notify_drained(&mut self) {
        self.action(Action::Flow(FlowAsked::TellDrained));
    }

    /// In `on_drained`: how many requests to be told it answers, which are those that were made before it in their
    /// order. 0 elsewhere.
    pub fn drains(&self) -> u32 {
        self.drains
    }

    /// For the reactor: this callback answers so many of them.
    #[doc(hidden)]
    pub fn answer_drains(&mut self, asked: u32) {
        self.drains = asked;
    }

    /// For the reactor: what this callback sends is no answer to the client.
    #[doc(hidden)]
    pub fn pace_by_host(&mut self) {
        for Step { action, .. } in &mut *self.actions {
            if let Action::Flow(FlowAsked::Send(piece)) = action {
                piece.pace = FlowPace::ByHost;
            }
        }
    }

    /// Bytes of the pieces that this callback has sent.
    pub(super) fn pieces_bytes(&self) -> usize {
        let bytes = |step: &Step| match &step.action {
            Action::Flow(asked) => asked.bytes(),
            _ => 0,
        };
        self.actions.iter().map(bytes).sum()
    }
}

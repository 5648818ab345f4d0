//! The embedder's decisions and callbacks: who may connect, what clients say, who has left.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::close::CloseCode;
use crate::push::{Kind, Message, PushOptions, Since};

use super::flow::{FlowAsked, Fragment, Pieces, SessionFacts};
use super::more::More;
use super::session_state::SessionState;
use super::tune::Tune;
use super::{Authorization, Authorized, Closed, ConnId, Connect, Router, answer_fields};

/// The answer to a [`Connect`].
///
/// ```
/// use wspush::Decision;
///
/// let decision = Decision::refuse(403, "closed on Sundays");
/// assert!(matches!(decision, Decision::Refuse { status: 403, .. }));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// It may come in.
    Accept(Accept),
    /// It may not. A client with `?refusals=close` gets 101 and a close frame with 4000 and the status as its code.
    Refuse {
        /// The HTTP status, 400 to 599; another number becomes 403.
        status: u16,
        /// The response's body.
        reason: String,
        /// Header fields of the answer: see [`with_header`](Self::with_header).
        headers: Vec<(String, String)>,
    },
    /// The host asks somebody else first, and says later with `Handle::decide` and [`Connect::id`]. Until then the
    /// client waits, and nothing that it says is read; after `handshake_ms` it is refused with 503. No callback hears
    /// of a client that has gone meanwhile: a decision about it changes nothing.
    Pending,
}

impl Decision {
    /// The bytes that it takes on its way to the reactor.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Decision::Accept(Accept { user, channels, protocol, info, more, .. }) => {
                let texts = channels.iter().chain(user).chain(info);
                let names = texts.map(String::len).sum::<usize>();
                let more = more.as_ref().map_or(0, |more| more.bytes());
                names
                    + more
                    + protocol.as_ref().map_or(0, |name| name.len())
                    + channels.len() * size_of::<String>()
            }
            Decision::Refuse { reason, headers, .. } => reason.len() + answer_fields::bytes(headers),
            Decision::Pending => 0,
        }
    }

    /// A refusal.
    pub fn refuse(status: u16, reason: impl Into<String>) -> Decision {
        Decision::Refuse { status, reason: reason.into(), headers: Vec::new() }
    }
}

/// How a connection is taken in.
///
/// ```
/// use wspush::Accept;
///
/// let accept = Accept { user: Some("ada".into()), channels: vec!["user.ada".into()], ..Accept::default() };
/// assert!(accept.broadcast, "the default channel as well");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Who it is; shown by `/connections`. Not empty: that is answered 500. None: whom its token names, if it has one.
    pub user: Option<String>,
    /// Whether it receives the default channel.
    pub broadcast: bool,
    /// Channels it receives as well.
    pub channels: Vec<String>,
    /// From where on it receives some of them, or the default channel (`broadcast`). For the others that is where the
    /// client wants it (`since`), and otherwise what is published from now on.
    pub since: Vec<(String, Since)>,
    /// The subprotocol; None: the first one offered that the configuration lists.
    pub protocol: Option<Box<str>>,
    /// JSON of at most 1,024 bytes that says more about the user to those who see it in a channel with presence; other
    /// text is answered 500. None: what its token says (`info`), if it has one.
    pub info: Option<String>,
    /// Whether its messages are handed over as they come ([`Handler::on_fragment`]) and not whole. That is for
    /// WebSockets; with `wspush.v1` and everywhere else it changes nothing.
    pub pieces: Pieces,
    /// For the few who need more: see [`with_header`](Self::with_header) and [`with_attribute`](Self::with_attribute).
    #[doc(hidden)]
    pub more: Option<Box<More>>,
}

impl Default for Accept {
    fn default() -> Accept {
        Accept {
            user: None,
            broadcast: true,
            channels: Vec::new(),
            since: Vec::new(),
            protocol: None,
            info: None,
            pieces: Pieces::Off,
            more: None,
        }
    }
}

/// An order that a callback gives beyond its replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Receive this channel from there on.
    Subscribe(String, Since),
    /// Receive it no more.
    Unsubscribe(String),
    /// Close the connection.
    Close(CloseCode, String),
    /// Change its flow.
    Flow(FlowAsked),
    /// Send a control frame.
    Tune(Tune),
    /// Nothing, but let the connection have what came before.
    Nothing,
}

/// An action, and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// So many bytes of the replies.
    pub replies: usize,
    /// The commands that the callback has given through a handle, up to this number.
    pub after: u64,
    /// The action.
    pub action: Action,
}

/// How a transport frames a message to one connection.
pub trait Framing {
    /// Appends the message to what is said to the connection. A text's payload is UTF-8.
    fn frame(&mut self, kind: Kind, payload: &[u8], options: PushOptions, out: &mut Vec<u8>);
}

/// An open connection inside a callback.
///
/// A callback's requests happen in their order, replies and calls through a [`Handle`](crate::Handle)
/// included. Once it has closed the connection, nothing more that it asks of it does anything.
///
/// ```
/// use wspush::{CloseCode, Message, Session};
///
/// fn said(session: &mut Session<'_>, text: &str) {
///     match text {
///         "news, please" => session.subscribe("public.news"),
///         "bye" => session.close(CloseCode::NORMAL, "as you wish"),
///         _ => session.reply(Message::Text("what?")),
///     }
/// }
/// ```
pub struct Session<'a> {
    id: ConnId,
    facts: &'a dyn SessionFacts,
    pub(super) replies: &'a mut Vec<u8>,
    pub(super) actions: &'a mut Vec<Step>,
    framing: Option<&'a mut dyn Framing>,
    /// Number of the last command that a callback has given through a handle.
    commands: Option<&'a AtomicU64>,
    /// Up to which of them the connection has what came of them when the next reply goes out.
    noted: u64,
    pub(super) closed: bool,
    /// Requests to be told that the outbox is empty which this callback answers.
    pub(super) drains: u32,
    pub(super) state: Option<SessionState<'a>>,
}

impl<'a> Session<'a> {
    /// For the reactor: frames are appended to `replies`, everything else to `actions`. A reply is one plain WebSocket
    /// frame, unless [`framed_by`](Self::framed_by) says otherwise.
    #[doc(hidden)]
    pub fn new(
        id: ConnId,
        facts: &'a dyn SessionFacts,
        replies: &'a mut Vec<u8>,
        actions: &'a mut Vec<Step>,
    ) -> Session<'a> {
        Session {
            id,
            facts,
            replies,
            actions,
            framing: None,
            commands: None,
            noted: 0,
            closed: false,
            drains: 0,
            state: None,
        }
    }

    /// For the reactor: replies are framed as the connection's transport does.
    #[doc(hidden)]
    pub fn framed_by(self, framing: &'a mut dyn Framing) -> Session<'a> {
        Session { framing: Some(framing), ..self }
    }

    /// For the reactor: keeps the order with commands that callbacks give through a handle. `commands` is the number
    /// of
    /// the last one, and up to `noted` the connection has seen what came of them.
    #[doc(hidden)]
    pub fn beside(self, commands: &'a AtomicU64, noted: u64) -> Session<'a> {
        Session { commands: Some(commands), noted, ..self }
    }

    /// For the reactor: what is known of the connection, and what the host keeps there.
    #[doc(hidden)]
    pub fn with_state(self, state: SessionState<'a>) -> Session<'a> {
        Session { state: Some(state), ..self }
    }

    /// The connection's id.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// The name that `on_connect` gave it.
    pub fn user(&self) -> Option<&str> {
        self.facts.user()
    }

    /// Whether it speaks TLS with this server. Behind a proxy that ends TLS it doesn't.
    pub fn is_secure(&self) -> bool {
        self.facts.is_secure()
    }

    /// Bytes that wait for this connection alone, as of now: what was sent to it, and its socket has not taken, and
    /// what this callback has sent.
    pub fn outbox_bytes(&self) -> usize {
        self.facts.outbox_bytes() + self.replies.len() + self.pieces_bytes()
    }

    /// Sends a message to this connection, in the order of the calls, before anything pushed to it later.
    pub fn reply(&mut self, message: Message<'_>) {
        self.reply_with(message, PushOptions::default());
    }

    /// As [`reply`](Self::reply), with options.
    pub fn reply_with(&mut self, message: Message<'_>, options: PushOptions) {
        if self.commands() > self.noted {
            self.noted = self.commands();
            self.action(Action::Nothing);
        }
        if self.closed {
            return;
        }
        match &mut self.framing {
            Some(framing) => framing.frame(message.kind(), message.bytes(), options, self.replies),
            None => message.encode(self.replies),
        }
    }

    /// Closes the connection after what was replied.
    pub fn close(&mut self, code: CloseCode, reason: impl Into<String>) {
        self.action(Action::Close(code, reason.into()));
        self.closed = true;
    }

    /// Subscribes the connection to a channel, from now on.
    pub fn subscribe(&mut self, channel: impl Into<String>) {
        self.subscribe_since(channel, Since::Head);
    }

    /// Subscribes the connection to a channel, from there on. Nothing happens if it is subscribed already.
    pub fn subscribe_since(&mut self, channel: impl Into<String>, since: Since) {
        self.action(Action::Subscribe(channel.into(), since));
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, channel: impl Into<String>) {
        self.action(Action::Unsubscribe(channel.into()));
    }

    pub(super) fn action(&mut self, action: Action) {
        if !self.closed {
            self.actions.push(Step { replies: self.replies.len(), after: self.commands(), action });
        }
    }

    fn commands(&self) -> u64 {
        self.commands.map_or(0, |commands| commands.load(Ordering::Relaxed))
    }
}

/// The embedder's callbacks for `/ws`, or for a route of its own ([`Router`](crate::Router)). They run on the
/// reactor's thread and must not block: while one runs, nothing else does. Once the host has closed a session in a
/// callback, only [`on_close`](Self::on_close) hears of it again.
///
/// ```
/// use wspush::{CloseCode, ConnId, Handler, Message, Session};
///
/// struct Echo;
///
/// impl Handler for Echo {
///     fn on_message(&mut self, session: &mut Session<'_>, message: Message<'_>) {
///         session.reply(message);
///     }
///
///     fn on_close(&mut self, conn: ConnId, _user: Option<&str>, code: CloseCode, _reason: &str) {
///         println!("{conn} has gone: {code}");
///     }
/// }
/// ```
pub trait Handler: Send {
    /// Whether there is a host behind it. Then the query's parameters are its own to read, but for `channel`, `since`,
    /// `broadcast` and `refusals`, and unless `origins` is set only pages of the server's own origin may connect. Only
    /// `()` says no.
    fn is_host(&self) -> bool {
        true
    }

    /// Decides on a client.
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        connect.by_config()
    }

    /// The handshake was answered; the connection receives what is published from now on.
    fn on_open(&mut self, _session: &mut Session<'_>) {}

    /// A connection has come over from the server that ran before this one ([`Config::handover`](crate::Config)), in
    /// place of `on_open`. Called once for each that is open, before anything that it says: it is in its channels, has
    /// its id and user, and lacks what the former host kept there ([`Session::attribute`]): that can't leave a
    /// process.
    fn on_taken_over(&mut self, _session: &mut Session<'_>) {}

    /// A whole message has come in.
    fn on_message(&mut self, _session: &mut Session<'_>, _message: Message<'_>) {}

    /// Decides whether a client of an app (`[[pusher_app]]`) may have a private or presence channel, or is the user
    /// that it signs in as. `/app` is no path of the host's otherwise: what such a client says is the app's.
    fn on_authorize(&mut self, _asked: &Authorization<'_>) -> Authorized {
        Authorized::BySignature
    }

    /// A pong with a payload has come: the answer to [`Handle::ping`](crate::Handle::ping), or one that nothing has
    /// asked
    /// for. The server's own pings have no payload, and their answers are not told.
    fn on_pong(&mut self, _session: &mut Session<'_>, _payload: &[u8]) {}

    /// A piece of a message has come in, from a client that was accepted with [`Accept::pieces`]; `on_message` hears
    /// nothing of that client. The pieces are what the network has brought, or what a step of inflating has made, and
    /// not the client's frames. A message that turns out to be none (text that is not UTF-8, one that is too long) has
    /// no last piece: the connection is closed.
    fn on_fragment(&mut self, _session: &mut Session<'_>, _fragment: Fragment<'_>) {}

    /// The outbox of a connection is empty, as [`Session::notify_drained`] has asked to be told: what was sent to it is
    /// with the kernel. Called once for each time that it was asked for in vain, and not if the connection ends first.
    fn on_drained(&mut self, _session: &mut Session<'_>) {}

    /// The connection is gone; called once for each `on_open` and `on_taken_over`. 1006 (RFC 6455 section 7.4.1):
    /// without a close frame.
    fn on_close(&mut self, _conn: ConnId, _user: Option<&str>, _code: CloseCode, _reason: &str) {}

    /// The same, with what the host keeps at the connection. The server calls this one; unless it is there, it calls
    /// [`on_close`](Self::on_close).
    fn on_closed(&mut self, closed: &mut Closed<'_>) {
        self.on_close(closed.id(), closed.user(), closed.code(), closed.reason());
    }

    /// For the reactor, once at the start: whether there are handlers behind it, one for each path.
    #[doc(hidden)]
    fn take_router(&mut self) -> Option<Router> {
        None
    }
}

/// No decisions and no interest in what clients say: the daemon's handler.
impl Handler for () {
    fn is_host(&self) -> bool {
        false
    }
}

/// "Abnormal closure" (RFC 6455 section 7.4.1): what the end without a close frame is called. Never on the wire.
pub const ABNORMAL_CLOSURE: CloseCode = CloseCode(1006);

/// The code of a close frame that has none (RFC 6455 section 7.4.1). Never on the wire.
pub const NO_STATUS: CloseCode = CloseCode(1005);

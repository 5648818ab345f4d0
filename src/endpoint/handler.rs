//! What an embedder decides and hears: who may connect, what clients say, who has left.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::config::Config;
use crate::protocol::Deflater;
use crate::protocol::close::{CloseCode, encode_close};
use crate::protocol::frame::{self, Opcode};
use crate::protocol::handshake::Upgrade;
use crate::push::{Message, PushOptions};

use super::ConnId;

/// A client that asks for `/ws`.
pub struct Connect<'a> {
    /// The checked handshake; `upgrade.head` has path, query and headers.
    pub upgrade: &'a Upgrade<'a>,
    /// The channels it asks for (`?channel=`), names already checked.
    pub channels: Vec<String>,
    config: &'a Config,
    peer: &'a dyn Fn() -> Option<SocketAddr>,
    client_subject: &'a dyn Fn() -> Option<String>,
}

impl<'a> Connect<'a> {
    /// For the reactor, once the handshake itself is in order.
    pub fn new(
        upgrade: &'a Upgrade<'a>,
        peer: &'a dyn Fn() -> Option<SocketAddr>,
        client_subject: &'a dyn Fn() -> Option<String>,
        channels: Vec<String>,
        config: &'a Config,
    ) -> Connect<'a> {
        Connect { upgrade, channels, config, peer, client_subject }
    }

    /// Whose TLS certificate the client has shown, as `CN=alice,O=Example` (RFC 4514); it was checked against
    /// `tls_client_ca`. None: it has shown none that can be read, or wasn't asked
    /// (`tls_client_auth`).
    pub fn client_subject(&self) -> Option<String> {
        (self.client_subject)()
    }

    /// Where it comes from; None where the transport has no addresses. Asks the kernel, at the cost of a system call.
    pub fn peer(&self) -> Option<SocketAddr> {
        (self.peer)()
    }

    /// The request's path.
    pub fn path(&self) -> &'a str {
        self.upgrade.head.path()
    }

    /// The first value of a query parameter, decoded.
    pub fn query(&self, name: &str) -> Option<String> {
        self.upgrade.head.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    /// The first value of a header; None also if it isn't UTF-8. `Authorization` is there once at the most. A client
    /// may send any other one several times: `upgrade.head.headers` has them all.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        self.upgrade.head.header_str(name)
    }

    /// What happens without a handler: the default channel, and those it asks for if the configuration lets
    /// clients choose them (else 403).
    pub fn by_config(&self) -> Decision {
        let denied =
            |name: &&String| !self.config.channels.iter().any(|p| crate::config::pattern_matches(p, name));
        match self.channels.iter().find(denied) {
            Some(name) => {
                Decision::refuse(403, format!("channel {name:?} is not open to clients (channels)"))
            }
            None => Decision::Accept(Accept { channels: self.channels.clone(), ..Accept::default() }),
        }
    }
}

/// The answer to a [`Connect`].
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
    },
}

impl Decision {
    /// A refusal.
    pub fn refuse(status: u16, reason: impl Into<String>) -> Decision {
        Decision::Refuse { status, reason: reason.into() }
    }
}

/// How a connection is taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accept {
    /// Who it is; shown by `/connections`. Not empty: that is answered 500.
    pub user: Option<String>,
    /// Whether it receives the default channel.
    pub broadcast: bool,
    /// Channels it receives as well.
    pub channels: Vec<String>,
    /// The subprotocol; None: the first one offered that the configuration lists.
    pub protocol: Option<String>,
}

impl Default for Accept {
    fn default() -> Accept {
        Accept { user: None, broadcast: true, channels: Vec::new(), protocol: None }
    }
}

/// What a callback asks for beyond its replies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Receive this channel from now on.
    Subscribe(String),
    /// Receive it no more.
    Unsubscribe(String),
    /// Close the connection.
    Close(CloseCode, String),
    /// Nothing, but let the connection have what came before.
    Nothing,
}

/// A action, and what comes before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// So many bytes of the replies.
    pub replies: usize,
    /// What the callback has asked for through a handle: up to the command of this number.
    pub after: u64,
    /// The action.
    pub action: Action,
}

/// An open connection inside a callback.
///
/// What a callback asks for happens in its order, replies and what it does through a [`Handle`](crate::Handle)
/// included. Once it has closed the connection, nothing more that it asks of it does anything.
pub struct Session<'a> {
    id: ConnId,
    user: Option<&'a str>,
    replies: &'a mut Vec<u8>,
    actions: &'a mut Vec<Step>,
    deflater: Option<(&'a mut Deflater, u8)>,
    /// Number of the last command that a callback has given through a handle.
    commands: Option<&'a AtomicU64>,
    /// Up to which of them the connection has what came of them when the next reply goes out.
    noted: u64,
    closed: bool,
}

impl<'a> Session<'a> {
    /// For the reactor: frames are appended to `replies`, everything else to `actions`.
    pub fn new(
        id: ConnId,
        user: Option<&'a str>,
        replies: &'a mut Vec<u8>,
        actions: &'a mut Vec<Step>,
    ) -> Session<'a> {
        Session { id, user, replies, actions, deflater: None, commands: None, noted: 0, closed: false }
    }

    /// For the reactor: compresses replies where that is worth it, for a client that has agreed on this window.
    pub fn deflating(self, deflater: &'a mut Deflater, window_bits: u8) -> Session<'a> {
        Session { deflater: (window_bits > 0).then_some((deflater, window_bits)), ..self }
    }

    /// For the reactor: keeps the order with commands that callbacks give through a handle. `commands` is the number of
    /// the last one, and up to `noted` the connection has seen what came of them.
    pub fn beside(self, commands: &'a AtomicU64, noted: u64) -> Session<'a> {
        Session { commands: Some(commands), noted, ..self }
    }

    /// The connection's id.
    pub fn id(&self) -> ConnId {
        self.id
    }

    /// The name that `on_connect` gave it.
    pub fn user(&self) -> Option<&str> {
        self.user
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
        match &mut self.deflater {
            Some((deflater, bits)) if options.compress => {
                deflater.encode(message.opcode(), message.bytes(), *bits, self.replies);
            }
            _ => message.encode(self.replies),
        }
    }

    /// Closes the connection after what was replied.
    pub fn close(&mut self, code: CloseCode, reason: impl Into<String>) {
        self.action(Action::Close(code, reason.into()));
        self.closed = true;
    }

    /// Subscribes the connection to a channel.
    pub fn subscribe(&mut self, channel: impl Into<String>) {
        self.action(Action::Subscribe(channel.into()));
    }

    /// Ends a subscription.
    pub fn unsubscribe(&mut self, channel: impl Into<String>) {
        self.action(Action::Unsubscribe(channel.into()));
    }

    fn action(&mut self, action: Action) {
        if !self.closed {
            self.actions.push(Step { replies: self.replies.len(), after: self.commands(), action });
        }
    }

    fn commands(&self) -> u64 {
        self.commands.map_or(0, |commands| commands.load(Ordering::Relaxed))
    }
}

/// The embedder's callbacks for `/ws`. They run on the reactor's thread and must not block: while one runs,
/// nothing else does. Once the host has closed a session in a callback, only [`on_close`](Self::on_close) hears of it
/// again.
pub trait Handler: Send {
    /// Whether there is a host behind it. Then the query's parameters are its own to read, but for `channel` and
    /// `refusals`, and unless `origins` is set only pages of the server's own origin may connect. Only `()` says no.
    fn is_host(&self) -> bool {
        true
    }

    /// Decides on a client.
    fn on_connect(&mut self, connect: &Connect<'_>) -> Decision {
        connect.by_config()
    }

    /// The handshake was answered; the connection receives what is published from now on.
    fn on_open(&mut self, _session: &mut Session<'_>) {}

    /// A whole message has come in.
    fn on_message(&mut self, _session: &mut Session<'_>, _message: Message<'_>) {}

    /// The connection is gone; called once for each `on_open`. 1006 (RFC 6455 section 7.4.1): without a close frame.
    fn on_close(&mut self, _conn: ConnId, _user: Option<&str>, _code: CloseCode, _reason: &str) {}
}

/// No decisions and no interest in what clients say: the daemon's handler.
impl Handler for () {
    fn is_host(&self) -> bool {
        false
    }
}

/// "Abnormal closure" (RFC 6455 section 7.4.1): what the end without a close frame is called. Never on the wire.
pub const ABNORMAL_CLOSURE: CloseCode = CloseCode(1006);

/// What a close frame without a code means (RFC 6455 section 7.4.1). Never on the wire.
pub const NO_STATUS: CloseCode = CloseCode(1005);

/// The close frame (RFC 6455 section 5.5.1).
pub fn close_frame(code: CloseCode, reason: &str) -> Vec<u8> {
    let mut frame = Vec::with_capacity(4 + reason.len());
    if code == NO_STATUS {
        frame::encode(Opcode::Close, &[], &mut frame);
    } else {
        encode_close(code, reason, &mut frame);
    }
    frame
}

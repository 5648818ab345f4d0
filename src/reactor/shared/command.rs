//! The requests of other threads to a reactor.

use crate::endpoint::reads::Question;
use crate::endpoint::trace::Traced;
use crate::endpoint::tune::Tune;
use crate::endpoint::{Authorized, ConnId, Decision, FlowAsked, Receipt};
use crate::protocol::close::CloseCode;
use crate::push::{Carried, Publication, Since};

use super::super::backend::{NotTold, Vouched};
use super::super::directory::Forgotten;
use super::super::peers::PeerNews;
use super::super::published_keys::KeysRead;
use super::super::reload::Renewal;
use super::super::snapshot::SnapshotNews;
use super::super::user_commands::UserCommand;

/// A request of another thread to the reactor.
#[derive(Debug)]
pub enum Command {
    /// Append a publication to a channel's log. Its place there is settled already.
    Publish {
        /// Channel, epoch, offset and receipt id.
        receipt: Receipt,
        /// The publication.
        publication: Carried,
    },
    /// A channel is over: its place was needed for the next one.
    Forget(Forgotten),
    /// Write a message to one connection.
    Send {
        /// The connection.
        conn: ConnId,
        /// The message.
        publication: Publication,
    },
    /// Close one connection.
    Close {
        /// The connection.
        conn: ConnId,
        /// With this code.
        code: CloseCode,
        /// And this reason.
        reason: String,
    },
    /// Write replies of a callback to its connection, which is not read while they wait. Only within the reactor.
    Reply {
        /// The connection.
        conn: ConnId,
        /// Whole frames.
        frames: Vec<u8>,
    },
    /// Let a connection have what was published before anything else. Only within the reactor.
    BringUpToDate {
        /// The connection.
        conn: ConnId,
    },
    /// Let a connection receive a channel.
    Subscribe {
        /// The connection.
        conn: ConnId,
        /// The channel.
        channel: String,
        /// From where on.
        since: Since,
    },
    /// Let it receive the channel no more.
    Unsubscribe {
        /// The connection.
        conn: ConnId,
        /// The channel.
        channel: String,
    },
    /// Change a session, or send it a control frame.
    Tune {
        /// The connection.
        conn: ConnId,
        /// How.
        tune: Tune,
    },
    /// Change a connection's flow.
    Flow {
        /// The connection.
        conn: ConnId,
        /// How.
        asked: FlowAsked,
    },
    /// Let in a client whose handshake waits, or not.
    Decide {
        /// The connection.
        conn: ConnId,
        /// The host's decision.
        decision: Box<Decision>,
    },
    /// Answer what a client of an app has asked for, or not.
    Authorize {
        /// The connection.
        conn: ConnId,
        /// Which of its questions.
        number: u32,
        /// The host's answer.
        authorized: Box<Authorized>,
    },
    /// Something for all connections of a user.
    User(Box<UserCommand>),
    /// Answer a question of the host.
    Ask(Box<Question>),
    /// Take over what can be changed while running, and the certificates that were read with it.
    Reload(Box<Renewal>),
    /// A backend's answer about a client whose handshake waits for it.
    Vouched(Box<Vouched>),
    /// A backend has not taken what it was told.
    NotTold(Box<NotTold>),
    /// Tell the log of a publication that is part of a request.
    Traced(Box<Traced>),
    /// Take keys that an identity provider publishes.
    KeysRead(Box<KeysRead>),
    /// Hear what another reactor tells.
    Peer(Box<PeerNews>),
    /// Write the state, and go on.
    SaveState,
    /// Go on with a state that is being written.
    Snapshot(SnapshotNews),
}

impl Command {
    /// Whether a program asks for it, and can ask again.
    #[cold]
    pub fn is_asked_by_program(&self) -> bool {
        matches!(
            self,
            Command::Publish { .. }
                | Command::Send { .. }
                | Command::Close { .. }
                | Command::Subscribe { .. }
                | Command::Unsubscribe { .. }
                | Command::Tune { .. }
                | Command::Flow { .. }
                | Command::Decide { .. }
                | Command::Authorize { .. }
                | Command::User(_)
                | Command::Ask(_)
        )
    }

    /// The bytes that it takes in the inbox.
    #[inline]
    pub fn bytes(&self) -> usize {
        // Of very many commands in an inbox nearly all are publications.
        let more = match self {
            Command::Publish { publication: Carried::Alone(publication), .. } => {
                publication.plain_frame().len()
            }
            other => other.more_bytes(),
        };
        size_of::<Command>() + more
    }

    /// The bytes beside its own.
    fn more_bytes(&self) -> usize {
        match self {
            Command::Publish { publication, .. } => publication.plain_frame().len(),
            Command::Send { publication, .. } => publication.plain_frame().len(),
            Command::Close { reason, .. } => reason.len(),
            Command::Forget(Forgotten { name, .. }) => name.len(),
            Command::Subscribe { channel, .. } | Command::Unsubscribe { channel, .. } => channel.len(),
            Command::Reply { frames, .. } => frames.len(),
            Command::Decide { decision, .. } => decision.bytes(),
            Command::Authorize { authorized, .. } => authorized.bytes(),
            Command::User(command) => command.bytes(),
            Command::Vouched(vouched) => vouched.bytes(),
            Command::NotTold(not_told) => not_told.problem.len(),
            Command::Traced(traced) => traced.bytes(),
            Command::Tune { tune, .. } => tune.bytes(),
            Command::Ask(question) => size_of::<Question>() + question.bytes(),
            Command::Flow { asked, .. } => asked.bytes(),
            Command::BringUpToDate { .. } | Command::Reload(..) | Command::KeysRead(..) => 0,
            Command::Peer(_) | Command::SaveState | Command::Snapshot(_) => 0,
        }
    }

    /// It was not taken: whoever has asked is told so, and nobody else.
    pub(super) fn withdraw(mut self) {
        match &mut self {
            Command::Ask(question) => question.withdraw(),
            Command::User(command) => command.withdraw(),
            _ => {}
        }
    }
}

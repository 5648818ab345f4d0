//! `wspush.v1` on an open connection: commands carried out and answered, and what it is told unasked.

mod presence;
mod tokens;

use std::collections::HashMap;

use crate::config::{ClientRight, channel_name_ok};
use crate::endpoint::Receipt;
use crate::endpoint::v1::{self, Denial};
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::close::{CloseCode, Violation};
use crate::protocol::v1::command::Payload;
use crate::protocol::v1::{Call, Command, ErrorCode, Fault, HistoryPage, Id, ServerMessage};
use crate::push::{
    ChannelId, DEFAULT_NAME, Entry, Gap, Message, Position, PushError, PushOptions, Recovery, Since,
};

use super::attendance::Members;
use super::connections::Gone;
use super::directory::NoChannel;
use super::pusher::check_event;
use super::reactor::{READ_BYTES, Reactor, Scratch};
use super::shared::Wake;
use super::slot::Phase;
use super::socket::Socket;
use super::subscriptions::NotSubscribed;
use super::websocket::Next;
use super::work::{BYTES, MESSAGE, NAME};

/// Connections that are counted when a second begins anew, with the room for as many.
const COUNTS_AT_REST: usize = 1_024;

/// How many commands each connection has given in this second. One that gives none is not in it.
#[derive(Debug, Default)]
pub(super) struct CommandCounts {
    second: u64,
    /// By slot and serial number.
    counts: HashMap<(u32, u32), u32>,
}

impl CommandCounts {
    /// Counts a command, or a message. False: it is one more than `max`.
    pub(super) fn allow(&mut self, conn: (u32, u32), now_ms: u64, max: u32) -> bool {
        let second = now_ms / 1_000;
        if second != self.second {
            self.second = second;
            self.counts.clear();
            self.counts.shrink_to(COUNTS_AT_REST);
        }
        let count = self.counts.entry(conn).or_default();
        *count = count.saturating_add(1);
        *count <= max
    }
}

/// A subscription as it is asked for.
struct Wanted {
    /// From where on.
    since: Since,
    /// Whether it is to begin with who is there.
    presence: bool,
}

/// Why a command was not carried out.
enum Undone {
    /// The client is told why.
    Denied(Denial),
    /// There is nobody to be told.
    Gone,
}

impl From<Denial> for Undone {
    fn from(denial: Denial) -> Undone {
        Undone::Denied(denial)
    }
}

impl From<Gone> for Undone {
    fn from(Gone: Gone) -> Undone {
        Undone::Gone
    }
}

impl<S: Socket> Reactor<S> {
    /// Tells a connection that has opened who it is, and where it stands in each of its channels.
    pub(super) fn greet_v1(&mut self, index: usize, entries: &[(ChannelId, Entry)]) {
        let slot = &self.connections.slots[index];
        let (conn, user) = (slot.id(index).to_string(), slot.user().map(str::to_owned));
        let (server, ping_ms) = (v1::SERVER, self.config.heartbeat_ms.max(self.config.heartbeat_max_ms));
        let connected = ServerMessage::Connected { conn: &conn, user: user.as_deref(), server, ping_ms };
        self.say_v1(index, None, &connected);
        self.tell_entries(index, entries);
    }

    /// Tells a connection where it stands in each of its channels.
    pub(super) fn tell_entries(&mut self, index: usize, entries: &[(ChannelId, Entry)]) {
        for (id, entry) in entries {
            self.work.charge(WorkKind::Names, NAME);
            let name = self.channel_name(*id);
            self.tell_subscribed(index, None, &name, entry);
        }
    }

    /// A message from a client.
    pub(super) fn v1_message(&mut self, index: usize, message: Message<'_>) -> Result<Next, Gone> {
        self.metrics.messages_in += 1;
        self.work.charge(WorkKind::Frames, MESSAGE + message.bytes().len() as u64 / BYTES);
        let Message::Text(text) = message else {
            let reason = "wspush.v1 is text messages";
            return self.violation(index, Violation { code: CloseCode::POLICY_VIOLATION, reason });
        };
        let command = match Command::parse(text) {
            Ok(command) => command,
            Err(Fault::Unreadable(violation)) => return self.violation(index, violation),
            Err(Fault::Refused { id, code, why }) => {
                self.deny(index, id, &Denial { code, why });
                return Ok(Next::Continue);
            }
        };
        let max = self.config.commands_per_second_max;
        let conn = (narrow::to_u32(index), self.connections.slots[index].serial);
        if !self.connections.command_counts.allow(conn, self.now.mono_ms(), max) {
            let why = format!("more than {max} commands within a second (commands_per_second_max)");
            self.deny(index, Some(command.id), &Denial::new(ErrorCode::Limit, why));
            return Ok(Next::Continue);
        }
        match self.obey(index, &command) {
            Ok(()) => {}
            Err(Undone::Denied(denial)) => self.deny(index, Some(command.id), &denial),
            Err(Undone::Gone) => return Err(Gone),
        }
        let is_open = self.connections.slots[index].phase == Phase::Open;
        Ok(if is_open { Next::Continue } else { Next::Closing })
    }

    /// Does what a client asks for, and answers; or says why not.
    fn obey(&mut self, index: usize, command: &Command<'_>) -> Result<(), Undone> {
        let id = command.id;
        match &command.call {
            Call::Refresh { token } => Ok(self.refresh_v1(index, id, token)?),
            Call::Presence { channel } => {
                self.may_v1(index, ClientRight::Presence, channel)?;
                self.tell_presence(index, id, channel)
            }
            Call::Subscribe { channel, since, token, presence } => {
                let since = v1::since(since.as_deref())?.unwrap_or_default();
                let allowed = match token {
                    Some(token) => self.may_receive_by(index, channel, token),
                    None => self.may_v1(index, ClientRight::Subscribe, channel),
                };
                let allowed = allowed.and_then(|()| match presence {
                    true => self.may_see_with_it(index, channel),
                    false => Ok(()),
                });
                let wanted = Wanted { since, presence: *presence };
                self.subscribe_v1(index, id, (channel, allowed), wanted)
            }
            Call::Unsubscribe { channel } => self.unsubscribe_v1(index, id, channel),
            Call::Publish { channel, payload } => Ok(self.publish_v1(index, id, channel, payload)?),
            Call::History { channel, since, limit } => {
                let since = v1::since(since.as_deref())?.unwrap_or(Since::Earliest);
                // It knows of what it has published, which may still be on its way to the log.
                self.send_replies(index)?;
                self.carry_out_commands();
                self.connections.there(index)?;
                if self.connections.slots[index].phase != Phase::Open {
                    return Ok(());
                }
                Ok(self.tell_history(index, id, channel, (since, v1::history_limit(*limit)?))?)
            }
            Call::Ping => {
                self.say_v1(index, Some(id), &ServerMessage::Pong {});
                Ok(())
            }
        }
    }

    /// Whether a client may do this with a channel: by its token, by the channel's rule, or as it receives it already.
    fn may_v1(&mut self, index: usize, right: ClientRight, channel: &str) -> Result<(), Denial> {
        let patterns = 1 + self.config.channels.len() + self.config.channel_rule.len();
        let rights = self.connections.slots[index].rights();
        let own = rights.map_or(0, |rights| rights.patterns());
        self.work.charge(WorkKind::Names, (patterns + own) as u64 * NAME);
        if !channel_name_ok(channel) {
            return Err(Denial::new(ErrorCode::BadRequest, PushError::BadChannel.to_string()));
        }
        let rights = self.connections.slots[index].rights();
        let by_token = rights.is_some_and(|rights| match right {
            ClientRight::Publish => rights.may_publish(channel),
            _ => rights.may_subscribe(channel),
        });
        let reads = matches!(right, ClientRight::History | ClientRight::Presence);
        let by_subscription =
            reads && self.config.rule_allows(right, channel).is_none() && self.receives(index, channel);
        if by_token || by_subscription {
            return Ok(());
        }
        v1::may(right, channel, &self.config, self.handler.is_host())
    }

    fn subscribe_v1(
        &mut self,
        index: usize,
        id: Id<'_>,
        (channel, allowed): (&str, Result<(), Denial>),
        Wanted { since, presence }: Wanted,
    ) -> Result<(), Undone> {
        if self.receives(index, channel) {
            let why = format!("channel {channel:?} is received already");
            return Err(Denial::new(ErrorCode::AlreadySubscribed, why).into());
        }
        allowed?;
        let conn = self.connections.slots[index].id(index);
        let (_, known, entry) = match self.begin_subscription(conn, channel, since) {
            Ok(begun) => begun,
            Err(problem) => {
                return Err(not_subscribed(&problem, self.config.channels_per_connection_max).into());
            }
        };
        if let Some(entry) = entry {
            let shown = presence.then_some(known);
            self.tell_subscribed_with(index, Some(id), (channel, shown), &entry);
        }
        // The publications that it has come back for come behind the word of it. Until they are offered, or their
        // subscriber is gone, the log keeps them.
        let sent = self.send_replies_and_missed(index, known);
        self.offer_missed(index, known);
        sent?;
        Ok(self.connections.there(index)?)
    }

    fn unsubscribe_v1(&mut self, index: usize, id: Id<'_>, channel: &str) -> Result<(), Undone> {
        if !self.receives(index, channel) {
            let why = format!("channel {channel:?} is not received");
            return Err(Denial::new(ErrorCode::NotSubscribed, why).into());
        }
        self.work.charge(WorkKind::Names, NAME);
        let conn = self.connections.slots[index].id(index);
        self.send_replies(index)?;
        self.unsubscribe(conn, channel);
        self.connections.there(index)?;
        if self.find_open(conn).is_some() {
            self.say_v1(index, Some(id), &ServerMessage::Unsubscribed { channel, reason: None });
        }
        Ok(())
    }

    fn publish_v1(
        &mut self,
        index: usize,
        id: Id<'_>,
        channel: &str,
        payload: &Payload<'_>,
    ) -> Result<(), Denial> {
        let conn = self.connections.slots[index].id(index);
        self.may_v1(index, ClientRight::Publish, channel)?;
        let message = match payload {
            Payload::Text(text) => Message::Text(text),
            Payload::Binary(bytes) => Message::Binary(bytes),
        };
        check_event(channel, message.kind(), message.bytes())
            .map_err(|problem| v1::not_published(&problem))?;
        if self.shared.engine().is_some() {
            return self.publish_v1_elsewhere(conn, id, channel, message);
        }
        let name = (channel != DEFAULT_NAME).then_some(channel);
        let published = self.publish_here(name, message, PushOptions::default(), Wake::Yes);
        let Receipt { epoch, offset, id: receipt, .. } = published.map_err(|e| v1::not_published(&e))?;
        self.inbox.senders.push(receipt, conn);
        self.say_v1(index, Some(id), &ServerMessage::Published { channel, epoch, offset });
        Ok(())
    }

    /// Tells a connection of the end of a subscription that it has not asked to end.
    pub(super) fn tell_unsubscribed_v1(&mut self, index: usize, channel: &str) {
        let over = ServerMessage::Unsubscribed { channel, reason: Some("ended by the server") };
        self.aside(index, |reactor| reactor.say_v1(index, None, &over));
    }

    /// Tells a slow consumer which publications it does not get. False: it is gone.
    pub(super) fn tell_missed(&mut self, index: usize, id: ChannelId, Gap { from, to }: Gap) -> bool {
        let serial = self.connections.slots[index].serial;
        let channel = self.channels.get(id);
        let (name, epoch) = (channel.name.clone(), channel.epoch);
        let missed = ServerMessage::Missed { channel: &name, epoch, from, to };
        self.aside(index, |reactor| reactor.say_v1(index, None, &missed));
        self.connections.is_open(index, serial)
    }

    /// Says something to a connection that is not the one at hand.
    pub(super) fn aside(&mut self, index: usize, say: impl FnOnce(&mut Self)) {
        let replies = std::mem::take(&mut self.scratch.replies);
        say(self);
        let said = std::mem::replace(&mut self.scratch.replies, replies);
        // If it is gone there is nobody to tell.
        let _ = self.push_out(index, &said);
    }

    fn tell_history(
        &mut self,
        index: usize,
        id: Id<'_>,
        channel: &str,
        (since, limit): (Since, u64),
    ) -> Result<(), Denial> {
        self.may_v1(index, ClientRight::History, channel)?;
        let mut page = std::mem::take(&mut self.scratch.said);
        match self.channels.find(channel) {
            Some(known) => {
                let from = (since, self.now.unix_ms());
                v1::push_history(id, self.channels.get(known), from, limit, &mut page);
            }
            // Nothing was ever published there, in a life that has not begun.
            None => HistoryPage::begin(id, channel, (0, 0), &mut page).end(),
        }
        self.work.charge(WorkKind::Names, page.len() as u64 / BYTES);
        self.scratch.said = page;
        self.say_made(index);
        Ok(())
    }

    /// Says where a subscription has begun, and what it does not get.
    pub(super) fn tell_subscribed(&mut self, index: usize, id: Option<Id<'_>>, channel: &str, entry: &Entry) {
        self.tell_subscribed_with(index, id, (channel, None), entry);
    }

    /// The same, and who is there in the channel that is shown.
    fn tell_subscribed_with(
        &mut self,
        index: usize,
        id: Option<Id<'_>>,
        (channel, shown): (&str, Option<ChannelId>),
        entry: &Entry,
    ) {
        let Position { epoch, offset } = entry.position;
        let recovered = entry.recovery.map(|recovery| recovery == Recovery::Whole);
        let mut said = std::mem::take(&mut self.scratch.said);
        let members = shown.map(|shown| self.members_of(shown));
        let presence = members.as_ref().map(Members::snapshot);
        ServerMessage::Subscribed { channel, epoch, offset, recovered, presence }.push(id, &mut said);
        self.scratch.said = said;
        self.say_made(index);
        if let Some(Gap { from, to }) = entry.recovery.and_then(Recovery::gap) {
            self.say_v1(index, None, &ServerMessage::Missed { channel, epoch, from, to });
        }
    }

    pub(super) fn deny(&mut self, index: usize, id: Option<Id<'_>>, denial: &Denial) {
        let Denial { code, why } = denial;
        self.say_v1(index, id, &ServerMessage::Error { code: *code, message: why });
    }

    /// Puts a message behind the replies to the connection at hand.
    pub(super) fn say_v1(&mut self, index: usize, id: Option<Id<'_>>, message: &ServerMessage<'_>) {
        message.push(id, &mut self.scratch.said);
        self.say_made(index);
    }

    pub(super) fn say_made(&mut self, index: usize) {
        let bits = self.window_bits(index);
        let Scratch { said, replies, .. } = &mut self.scratch;
        let slot = &self.connections.slots[index];
        // Its own command may have closed it, and nothing comes behind a close frame.
        if slot.phase == Phase::Open {
            slot.transport.framing(&mut self.encoder.deflater, bits).object(said, replies);
        }
        said.clear();
        said.shrink_to(READ_BYTES);
        self.charge_compressed();
    }
}

/// Why there is no subscription, as a client is told.
fn not_subscribed(problem: &NotSubscribed, max: usize) -> Denial {
    match problem {
        NotSubscribed::TooMany => {
            let why = format!("a connection receives at most {max} channels (channels_per_connection_max)");
            Denial::new(ErrorCode::Limit, why)
        }
        NotSubscribed::NoChannel(NoChannel::BadName) => {
            Denial::new(ErrorCode::BadRequest, problem.to_string())
        }
        NotSubscribed::NoChannel(NoChannel::NotYet)
        | NotSubscribed::NoSuchConnection
        | NotSubscribed::Ahead => Denial::new(ErrorCode::TryAgain, problem.to_string()),
        NotSubscribed::NoChannel(_) => Denial::new(ErrorCode::Limit, problem.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_counted_by_connection_and_second() {
        let mut counts = CommandCounts::default();
        let mut allowed = |conn, now_ms| (0..5).filter(|_| counts.allow(conn, now_ms, 3)).count();
        assert_eq!((allowed((1, 1), 5_000), allowed((1, 1), 5_999)), (3, 0));
        assert_eq!((allowed((1, 2), 5_999), allowed((2, 1), 5_999)), (3, 3), "others are others");
        assert_eq!(allowed((1, 1), 6_000), 3);
        (0..9_000).for_each(|n| _ = counts.allow((n, 0), 7_000, 3));
        assert!(counts.allow((1, 1), 8_000, 3) && counts.counts.capacity() < 4 * COUNTS_AT_REST);
    }
}

//! Presence in `wspush.v1`: who is there, for whoever asks.

use crate::config::{ChannelRule, ClientRight};
use crate::endpoint::v1::{self, Denial};
use crate::metrics::WorkKind;
use crate::protocol::v1::{Id, ServerMessage};
use crate::push::Position;

use super::super::attendance::Members;
use super::super::reactor::Reactor;
use super::super::socket::Socket;
use super::super::work::BYTES;
use super::Undone;

impl<S: Socket> Reactor<S> {
    /// Whether a client that may receive a channel may be told with that who is there.
    pub(super) fn may_see_with_it(&mut self, index: usize, channel: &str) -> Result<(), Denial> {
        self.check_presence(channel)?;
        match self.config.rule_allows(ClientRight::Presence, channel) {
            None => Ok(()),
            Some(_) => self.may_v1(index, ClientRight::Presence, channel),
        }
    }

    fn check_presence(&self, channel: &str) -> Result<(), Denial> {
        let rule = ChannelRule::first(&self.config.channel_rule, channel);
        let has_presence = rule.is_some_and(|rule| rule.presence == Some(true));
        if has_presence { Ok(()) } else { Err(v1::no_presence(channel)) }
    }

    /// Tells a client who is there, behind the notices of how that has come about.
    pub(super) fn tell_presence(&mut self, index: usize, id: Id<'_>, channel: &str) -> Result<(), Undone> {
        self.check_presence(channel)?;
        let known = self.channels.find(channel);
        if let Some(known) = known {
            self.know_members_afar(known);
        }
        if let Some(log) = known.and_then(|known| self.notices_for(index, known)) {
            self.send_replies(index)?;
            if !self.bring_to_head(index, log, 1) {
                self.connections.there(index)?;
                return Ok(());
            }
        }
        let mut said = std::mem::take(&mut self.scratch.said);
        let afar = if known.is_none() { self.presence_afar(channel) } else { None };
        let members = match (known, &afar) {
            (Some(known), _) => self.members_of(known),
            (None, Some(afar)) => Members::of(afar),
            (None, None) => Members::none(),
        };
        // Of one that is not there nothing was ever published, in a life that has not begun.
        let nowhere = afar.as_ref().map_or((0, 0), |afar| (afar.epoch, afar.offset));
        let nowhere = Position { epoch: nowhere.0, offset: nowhere.1 };
        let Position { epoch, offset } =
            known.map_or(nowhere, |known| self.channels.get(known).head_position());
        let snapshot = members.snapshot();
        ServerMessage::Presence { channel, epoch, offset, snapshot }.push(Some(id), &mut said);
        drop(members);
        self.work.charge(WorkKind::Names, said.len() as u64 / BYTES);
        self.scratch.said = said;
        self.say_made(index);
        Ok(())
    }
}

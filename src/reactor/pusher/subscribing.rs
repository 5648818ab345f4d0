//! Subscriptions of apps' clients: who may have which, and how it begins.

use crate::config::app_channel;
use crate::metrics::WorkKind;
use crate::protocol::pusher::channel::user_of;
use crate::protocol::pusher::{ChannelData, Event, Traits, event};
use crate::push::{Channel, ChannelId, Since};

use super::super::connections::Gone;
use super::super::directory::NoChannel;
use super::super::occupancy::Wish;
use super::super::reactor::Reactor;
use super::super::socket::Socket;
use super::super::subscriptions::{NotSubscribed, Terms};
use super::super::work::{BYTES, NAME};
use super::apps::App;
use super::authorizing::{Verdict, Wanted};
use super::is_user_id;

/// Publications among which the last event of a backend is looked for.
const CACHE_LOOKED_AT: u64 = 1_024;

/// Why there is no subscription, as the client is told.
pub(super) struct NoSubscription {
    pub kind: &'static str,
    pub error: String,
    pub status: u16,
}

impl NoSubscription {
    pub(super) fn unauthorized(error: impl Into<String>) -> NoSubscription {
        NoSubscription { kind: "AuthError", error: error.into(), status: 401 }
    }

    pub(super) fn limit(status: u16, error: impl Into<String>) -> NoSubscription {
        NoSubscription { kind: "LimitReached", error: error.into(), status }
    }
}

fn too_many_members(max: u64) -> NoSubscription {
    NoSubscription::limit(4_004, format!("the channel has {max} members (members_max)"))
}

fn bad_name() -> NoSubscription {
    NoSubscription::limit(4_009, "a channel's name has 1 to 200 letters, digits and _-=@,.;")
}

impl<S: Socket> Reactor<S> {
    /// Subscribes a client to a channel of its app, and tells it how that has gone; or lets the host think about it.
    pub(super) fn subscribe_client(
        &mut self,
        index: usize,
        channel: &str,
        auth: &str,
        channel_data: Option<&str>,
    ) -> Result<(), Gone> {
        let app = self.app_of(index);
        self.work.charge(WorkKind::Names, NAME + channel_data.map_or(0, str::len) as u64 / BYTES);
        let verdict = match app.settings.channel(channel) {
            None => Some(Err(bad_name())),
            Some(name) if self.receives(index, &name) => Some(Ok(None)),
            Some(_) => {
                self.check_client(index, &app, Wanted { channel: Some(channel), auth, data: channel_data })
            }
        };
        match verdict {
            Some(verdict) => self.end_subscribing(index, channel, verdict),
            None => Ok(()),
        }
    }

    /// Whether a client may have a channel is decided: it has it now, or is told why not.
    pub(super) fn end_subscribing(
        &mut self,
        index: usize,
        channel: &str,
        verdict: Result<Option<String>, NoSubscription>,
    ) -> Result<(), Gone> {
        let app = self.app_of(index);
        let begun = verdict.and_then(|data| self.begin_client(index, &app, channel, data.as_deref()));
        match begun {
            Ok(id) => {
                self.connections.there(index)?;
                self.tell_begun(index, id, channel);
                if Traits::of(channel).is_cached {
                    self.tell_cached(index, id, (channel, app.settings.cache_ttl_s));
                }
                // The publications that come from now on come behind the word of it.
                let sent = self.send_replies_and_missed(index, id);
                self.offer_missed(index, id);
                sent?;
            }
            Err(NoSubscription { kind, error, status }) => {
                event::push_subscription_error(channel, kind, &error, status, &mut self.scratch.said);
                self.say_made(index);
            }
        }
        self.connections.there(index)
    }

    fn begin_client(
        &mut self,
        index: usize,
        app: &App,
        channel: &str,
        channel_data: Option<&str>,
    ) -> Result<ChannelId, NoSubscription> {
        let name = app.settings.channel(channel).ok_or_else(bad_name)?;
        let known = self.channels.find(&name);
        if let Some(known) = known.filter(|&id| Self::is_subscribed(&self.connections.slots[index], id)) {
            return Ok(known);
        }
        let joining = if Traits::of(channel).has_presence {
            Some(self.member_to_be(index, app, channel_data, &name)?)
        } else {
            None
        };
        let entering = joining.as_ref().filter(|_| self.shared.has_others());
        let entering = entering.map(|member| member.user_id.clone());
        if let Some(user) = &entering
            && !self.shared.rosters.enter(&name, user, app.settings.members_max)
        {
            return Err(too_many_members(app.settings.members_max));
        }
        let max = app.settings.channels_per_connection_max;
        let conn = self.connections.slots[index].id(index);
        self.apps.joining = joining;
        let terms = Terms { channels_max: crate::narrow::to_usize(max), by: Wish::Clients };
        let begun = self.begin_subscription_on(terms, conn, &name, Since::Head);
        let is_member = self.apps.joining.take().is_none();
        if let Some(user) = entering.filter(|_| begun.is_err() || !is_member) {
            self.shared.rosters.leave(&name, &user);
            self.shared.rosters.forget(&name, &user);
        }
        match begun {
            Ok((_, id, _)) => Ok(id),
            Err(NotSubscribed::TooMany) => {
                let why =
                    format!("a connection receives at most {max} channels (channels_per_connection_max)");
                Err(NoSubscription::limit(4_009, why))
            }
            Err(NotSubscribed::NoChannel(problem @ NoChannel::BadName)) => {
                Err(NoSubscription::limit(4_009, problem.to_string()))
            }
            Err(problem) => Err(NoSubscription::limit(4_100, problem.to_string())),
        }
    }

    /// Whether a client may have a channel: the host or the backend says so, or it is the client's own.
    fn check_client(&mut self, index: usize, app: &App, wanted: Wanted<'_>) -> Verdict {
        let channel = wanted.channel.unwrap_or_default();
        if let Some(user) = user_of(channel) {
            if Self::signed_in(&self.connections.slots[index], app) == Some(user) {
                return Some(Ok(None));
            }
            let why = "this channel is for the user of its name, signed in";
            return Some(Err(NoSubscription::unauthorized(why)));
        }
        if Traits::of(channel).is_private { self.authorize(index, app, wanted) } else { Some(Ok(None)) }
    }

    /// The user that a client is to be in a presence channel: the one that was signed, or the one it has signed in as.
    fn member_to_be(
        &self,
        index: usize,
        app: &App,
        channel_data: Option<&str>,
        name: &str,
    ) -> Result<ChannelData, NoSubscription> {
        let slot = &self.connections.slots[index];
        let signed_in = || {
            let user_info = slot.rights().and_then(|rights| rights.info()).map(str::to_owned);
            Some(ChannelData { user_id: Self::signed_in(slot, app)?.to_owned(), user_info })
        };
        let member = channel_data.map_or_else(signed_in, ChannelData::parse);
        let member = member.filter(|member| is_user_id(&member.user_id)).ok_or_else(|| {
            NoSubscription::unauthorized(
                "a presence channel needs channel_data with a user_id of 1 to 128 bytes",
            )
        })?;
        let (bytes, max) = (member.user_info.as_ref().map_or(0, String::len), app.settings.member_bytes_max);
        if bytes as u64 > max {
            let why = format!("user_info has {bytes} bytes; {max} are taken (member_bytes_max)");
            return Err(NoSubscription::limit(4_301, why));
        }
        let max = app.settings.members_max;
        if self.is_full_for(name, &member.user_id, max) {
            return Err(too_many_members(max));
        }
        Ok(member)
    }

    fn tell_begun(&mut self, index: usize, id: ChannelId, channel: &str) {
        let mut said = std::mem::take(&mut self.scratch.said);
        if self.channels.get(id).rules.presence && Traits::of(channel).has_presence {
            event::push_subscribed_with(channel, &self.sorted_members(id), &mut said);
        } else {
            event::push_subscribed(channel, &mut said);
        }
        self.work.charge(WorkKind::Names, said.len() as u64 / BYTES);
        self.scratch.said = said;
        self.say_made(index);
    }

    /// Whether a channel without subscribers is kept for what its next one is told.
    pub(in super::super) fn keeps_cached(&self, channel: &Channel) -> bool {
        let Some((app, name)) = app_channel(&channel.name) else { return false };
        let ttl_s = self.apps.by_id(app).map_or(0, |app| app.settings.cache_ttl_s);
        Traits::of(&name).is_cached
            && channel.log().publications() > 0
            && channel.used_ms.saturating_add(ttl_s.saturating_mul(1_000)) > self.now.mono_ms()
    }

    /// Tells a client the last event that a backend has sent to a channel, if that is not too old.
    fn tell_cached(&mut self, index: usize, id: ChannelId, (channel, ttl_s): (&str, u64)) {
        let unix_ms = self.now.unix_ms();
        let kept = self.channels.get(id);
        let (first, next) = kept.readable(Since::Earliest, unix_ms);
        let first = first.max(next.saturating_sub(CACHE_LOOKED_AT));
        let of_backend = (first..next).rev().map(|offset| kept.past(offset));
        let mut looked_at = 0;
        let last = of_backend.inspect(|_| looked_at += 1).find(|past| event::is_of_backend(&past.payload));
        let last = last.filter(|past| past.unix_ms.saturating_add(ttl_s.saturating_mul(1_000)) > unix_ms);
        match last {
            Some(past) => self.scratch.said.extend_from_slice(&past.payload),
            None => {
                Event::new("pusher:cache_miss").on(channel).push(&mut self.scratch.said);
                #[cfg(feature = "pusher")]
                self.tell_cache_miss(id);
            }
        }
        self.work.charge(WorkKind::Names, looked_at);
        self.say_made(index);
    }
}

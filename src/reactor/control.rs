//! The reactor as the admin API and the demo see it.

use crate::endpoint::batch::{Line, Target};
use crate::endpoint::control::{Filter, Memory, StatsLimits};
use crate::endpoint::users::{UserAction, UserRequest};
use crate::endpoint::{ChannelInfo, ChannelPresence, ConnId, ConnectionInfo, Control, Kind, Stats, Taken};
use crate::metrics::{CloseReason, Format, Gauges};
use crate::protocol::close::CloseCode;
use crate::protocol::pool::CHUNK_BYTES;
use crate::protocol::response::Refusal;
use crate::push::{
    ChannelId, Delivery, History, HistoryAsked, Message, Publication, PublishTerms, PushError, PushOptions,
};

use super::engine::Asker;
use super::outbox::Outbox;
use super::pusher::check_event;
use super::reactor::Reactor;
use super::sending::Sending;
use super::shared::{Batch, Command, Item, Wake};
use super::slot::{Phase, Slot};
use super::socket::Socket;
use super::sys;

impl<S: Socket> Reactor<S> {
    /// The numbers that cost nothing to have.
    pub(super) fn light_stats(&self) -> Stats {
        let census = &self.connections.census;
        Stats {
            version: env!("CARGO_PKG_VERSION"),
            uptime_ms: self.now.mono_ms() - self.started.mono_ms(),
            connections: census.open() as u64,
            transports: census.by_transport(),
            handshaking: (census.public - census.open() - census.closing) as u64,
            closing: census.closing as u64,
            admin_connections: census.admin as u64,
            blocked: census.blocked as u64,
            deflating: census.deflating as u64,
            channels: self.channels.len() as u64,
            inbox_commands: self.inbox.pending.len() as u64,
            draining: self.exit.draining.is_some(),
            rates: self.rates.rates(self.now.mono_ms(), &self.metrics),
            memory: Memory {
                rss_bytes: 0,
                kernel_bytes: 0,
                bytes_max: 0,
                slot_bytes: size_of::<Slot<S>>() as u64,
                slots_bytes: (self.connections.used * size_of::<Slot<S>>()) as u64,
                log_bytes: self.channels.log_bytes() as u64,
                assembly_bytes: (self.pool.chunks_in_use() * CHUNK_BYTES) as u64,
                backlog_bytes: self.wire.backlog_bytes as u64,
            },
            limits: StatsLimits {
                max_connections: self.config.max_connections as u64,
                connections_by_descriptors: self.connections.descriptors as u64,
                connections_by_memory: self.memory.bound().map(|bound| bound as u64),
                message_bytes_max: self.config.message_bytes_max as u64,
                log_bytes: self.config.log_bytes as u64,
                log_publications: self.config.log_publications as u64,
                logs_bytes_max: self.config.logs_bytes_max as u64,
            },
            counters: self.metrics.clone(),
        }
    }

    pub(super) fn info(&self, index: usize, slot: &Slot<S>) -> ConnectionInfo {
        let behind = slot.sending().and_then(Sending::behind);
        let mut lag_bytes = slot.outbox().into_iter().chain(behind).map(Outbox::published).sum();
        let mut channels = Vec::new();
        for (id, cursor) in self.subscriptions(slot) {
            let channel = self.channels.get(id);
            let log = channel.log_in(slot.form).unwrap_or(channel.log());
            lag_bytes += log.head() - log.position(cursor).unwrap_or(log.tail());
            if channel.notices_of().is_none() {
                channels.push(channel.name.to_string());
            }
        }
        ConnectionInfo {
            id: slot.id(index).to_string(),
            endpoint: slot.transport.endpoint().unwrap_or(slot.kind.name()),
            state: if slot.phase == Phase::Open { "open" } else { "closing" },
            peer: self.connections.peer(index).map(|peer| peer.to_string()),
            user: slot.user().map(str::to_owned),
            channels,
            lag_bytes,
            outbox_bytes: slot.outbox_bytes(),
        }
    }

    pub(super) fn channel_info(&self, id: ChannelId) -> ChannelInfo {
        let channel = self.channels.get(id);
        let log = channel.log();
        ChannelInfo {
            channel: channel.name.clone(),
            epoch: channel.epoch,
            offset: channel.head_position().offset,
            first: log.first_offset(),
            bytes: log.head() - log.tail(),
            subscribers: self.subscribers(&channel.name, channel.subscribers),
            members: self.members_in(id) as u64,
        }
    }

    pub(super) fn matches(&self, slot: &Slot<S>, filter: &Filter) -> bool {
        let user = filter.user.as_deref().is_none_or(|user| slot.user() == Some(user));
        let channel = filter
            .channel
            .as_deref()
            .is_none_or(|name| self.channels.find(name).is_some_and(|id| Self::is_subscribed(slot, id)));
        user && channel && matches!(slot.phase, Phase::Open | Phase::Closing) && slot.kind != Kind::REFUSED
    }

    /// Puts a batch on its way and logs what it can of it.
    pub(super) fn take_batch(&mut self, batch: Batch<'_>) -> Result<Taken, PushError> {
        if self.shared.engine().is_some() && batch.channels().next().is_some() {
            return self.take_batch_elsewhere(batch);
        }
        // Others may have written it to a poll, which leaves with that, before we look.
        let has_others = self.shared.has_others();
        let before = has_others.then(|| batch.channels().map(|name| self.shared.subscribers(name)).collect());
        let before: Vec<u32> = before.unwrap_or_default();
        let wake = if self.shared.is_first() { Wake::No } else { Wake::Yes };
        let published = self.shared.publish_all(batch, self.now.unix_us, wake);
        if published == Err(PushError::InboxFull) {
            self.metrics.inbox_full += 1;
        }
        let published = published?;
        // Logged before it is answered: whoever joins after the answer does not get it, and the number of recipients
        // is the receipt's.
        self.carry_out_commands();
        if published.duplicate {
            // The first one's recipients are in its line.
            self.settle();
        }
        let recipients =
            published.receipts.iter().enumerate().map(|(n, receipt)| match published.duplicate {
                true => self.shared.recipients(receipt.id),
                false if has_others => before.get(n).copied(),
                false => Some(
                    self.channels.find(&receipt.channel).map_or(0, |id| self.channels.get(id).subscribers),
                ),
            });
        Ok(Taken { recipients: recipients.collect(), published, later: None })
    }
}

impl<S: Socket> Control for Reactor<S> {
    fn publish(
        &mut self,
        channels: &[&str],
        message: Message<'_>,
        terms: PublishTerms<'_>,
    ) -> Result<Taken, PushError> {
        let batch = Batch::of(channels, message, &terms)?;
        self.take_batch(batch)
    }

    fn publish_batch(&mut self, lines: Vec<Line>, key: Option<(&str, u64)>) -> Result<Taken, PushError> {
        let names: Vec<&str> = lines.iter().map(|line| line.target.channel().unwrap_or_default()).collect();
        let item = |(line, name): (&Line, _)| {
            let publication = line.publication.clone();
            if let Target::Channel(channel) = &line.target {
                check_event(channel, publication.kind(), publication.payload())?;
            }
            Ok(match &line.target {
                Target::Channel(_) => Item::Publish(std::slice::from_ref(name), publication),
                Target::Conn(conn) => Item::Send(*conn, publication),
                Target::User(user) => {
                    let action = UserAction::Push { publication, notes: Default::default() };
                    Item::User(UserRequest::new(user.as_str(), action)?)
                }
            })
        };
        let items = lines.iter().zip(&names).map(item).collect::<Result<Vec<_>, PushError>>()?;
        self.take_batch(Batch { items, key, if_offset: None, except: Vec::new() })
    }

    fn check_size(&self, publication: &Publication) -> Result<(), PushError> {
        self.shared.check_size(publication.plain_frame().len())
    }

    fn is_elsewhere(&self, conn: ConnId) -> bool {
        let at = conn.reactor();
        self.shared.has_others() && at != self.shared.seat() && at < self.shared.reactors()
    }

    fn check_ready(&self) -> Result<(), Refusal> {
        self.check_newcomers().map_err(|(refusal, _)| refusal)?;
        self.check_engine()
    }

    fn take_pushes(&mut self, key: &str, per_second: u32, count: usize) -> bool {
        self.connections.budgets.take(key, per_second, count as u64, self.now.mono_ms())
    }

    fn drain(&mut self) {
        self.shared.drain(None);
    }

    fn is_open(&self, conn: ConnId) -> bool {
        self.find_open(conn).is_some()
    }

    fn channel(&self, name: &str) -> Option<ChannelInfo> {
        self.channels.find(name).map(|id| self.channel_info(id))
    }

    fn history(&self, name: &str, asked: HistoryAsked) -> Option<(ChannelInfo, History<'_>)> {
        let id = self.channels.find(name)?;
        Some((self.channel_info(id), self.channels.get(id).history(asked, self.now.unix_ms())))
    }

    fn presence(&self, name: &str) -> Option<Option<ChannelPresence>> {
        let Some(id) = self.channels.find(name) else { return self.presence_afar(name).map(Some) };
        let here = self.presence_in(id);
        if here.is_none() || self.attendances.channels.contains_key(&id) {
            return Some(here);
        }
        // Nobody has asked for it here until now.
        Some(self.presence_afar(name).or(here))
    }

    fn forget_history(&mut self, name: &str) -> Option<Result<ChannelInfo, PushError>> {
        let id = self.channels.find(name)?;
        let is_done = self.begin_anew(id);
        Some(if is_done { Ok(self.channel_info(id)) } else { Err(PushError::InboxFull) })
    }

    fn forget_later(&mut self, name: &str) -> Option<Result<u64, PushError>> {
        self.shared.engine()?;
        Some(self.shared.ask_to_forget(name, Asker::Reactor(self.shared.seat())))
    }

    fn send(&mut self, conn: ConnId, message: Message<'_>, options: PushOptions) -> Result<(), PushError> {
        let publication = Publication::to_one(message, options)?;
        if self.has_pending() && self.find_open(conn).is_some() {
            // Behind the publications that wait for room in a log.
            return self.shared.command(Command::Send { conn, publication });
        }
        self.send_to(conn, &publication)
    }

    fn disconnect(&mut self, conn: ConnId, code: CloseCode, reason: &str) -> Result<(), PushError> {
        let index = self.find_open(conn).ok_or(PushError::NoSuchConnection)?;
        if self.has_pending() {
            return self.shared.command(Command::Close { conn, code, reason: reason.to_owned() });
        }
        self.close_in_order(index, code, reason, CloseReason::Admin);
        Ok(())
    }

    fn stats(&self) -> Stats {
        let mut stats = self.light_stats();
        self.shared.stats_of_others(|shown| stats.add(shown));
        stats.inbox_commands += self.shared.waiting() as u64;
        let mut gauges = Gauges { rss_bytes: sys::rss_bytes(), ..Gauges::default() };
        self.memory_gauges(&mut gauges);
        stats.memory.rss_bytes = gauges.rss_bytes;
        stats.memory.kernel_bytes = gauges.kernel_bytes;
        stats.memory.bytes_max = gauges.memory_bytes_max;
        stats
    }

    fn prometheus(&self, format: Format) -> Vec<u8> {
        super::exhibition::prometheus(self, format)
    }

    fn delivery(&self, receipt: u64) -> Option<Delivery> {
        self.shared.delivery(receipt)
    }
}

//! The expected outcome of a run.

use wspush::config::{ChannelRule, Keep, SlowConsumer};
use wspush::metrics::CloseReason;

use super::client::{Client, Reader, Role, Span, Stage};
use super::net::Wire;
use super::world::World;

impl World {
    /// Everybody has what it should have; the server rests.
    pub fn check_at_rest(&mut self) {
        assert_eq!(self.audit.pending, 0, "commands wait for ever");
        for n in 0..self.clients.len() {
            self.check_client(n);
        }
        if self.audit.blocked == 0 {
            let lagging = self.deliveries().find(|d| d.lagging > 0);
            assert_eq!(lagging, None, "nobody is behind, says the census");
        }
        self.check_receipts();
    }

    /// Everyone is gone: so must be what was there for them.
    pub fn check_empty(&self) {
        let audit = &self.audit;
        assert_eq!((audit.connections, audit.extras, audit.chunks), (0, 0, 0), "left behind: {audit:?}");
        assert_eq!((audit.open, audit.closing, audit.blocked), (0, 0, 0), "left behind: {audit:?}");
        assert_eq!(self.alive(), 0, "on_close was not called");
        let lagging = self.deliveries().find(|d| d.lagging > 0);
        assert_eq!(lagging, None, "nobody is left");
        self.check_receipts();
        for client in &self.clients {
            assert!(client.wire.borrow().closed, "client {} still has a socket", client.n);
        }
    }

    fn deliveries(&self) -> impl Iterator<Item = wspush::Delivery> {
        self.published.values().flatten().filter_map(|receipt| self.shared.delivery(receipt.id))
    }

    fn check_receipts(&self) {
        let in_envelopes = self.check_places();
        for (channel, receipts) in &self.published {
            for (at, receipt) in receipts.iter().enumerate() {
                let Some(d) = self.shared.delivery(receipt.id) else { continue };
                let sum = d.written + d.lagging + d.skipped + d.gone;
                assert_eq!(d.recipients, sum, "{channel} {}: {d:?}", at + 1);
                let heard =
                    |c: &&Client| c.heard.get(channel).is_some_and(|h| h.binary_search(&(at + 1)).is_ok());
                let heard = self.clients.iter().filter(heard).count() as u32;
                let place = (channel.clone(), receipt.epoch, receipt.offset);
                let heard = heard + in_envelopes.get(&place).copied().unwrap_or_default();
                assert!(heard <= d.written, "{channel} {}: {heard} have heard it: {d:?}", at + 1);
            }
        }
    }

    fn check_client(&mut self, n: usize) {
        self.note_positions();
        let client = &self.clients[n];
        let who = format!("client {n} ({:?} {:?} {:?})", client.role, client.stage, client.reader);
        let mut gaps = 0;
        for (channel, heard) in &client.heard {
            let own = check_order(&who, channel, heard, &client.spans[channel]);
            gaps += if self.may_jump(n, channel) { 0 } else { own };
        }
        let told = client.v1.as_ref().map_or(0, |v1| v1.counts.gaps);
        gaps += told as usize;
        assert!(gaps == 0 || self.may_skip(n), "{who}: {gaps} gaps: {:?} {:?}", client.heard, client.spans);
        self.check_handshake(n, &who);
        let client = &self.clients[n];
        let wire = client.wire.borrow();
        if wire.up_ended && client.reader != Reader::Never && client.slot.is_some() {
            assert!(wire.closed, "{who}: the server has not noticed the end of the stream");
        }
        drop(wire);
        match self.clients[n].stage {
            Stage::Over => self.check_end(n, &who),
            Stage::Open => self.check_complete(n, &who),
            Stage::Handshake | Stage::Closed => {}
        }
        let skipped = self.reactor.metrics().slow_skipped;
        assert!(gaps == 0 || skipped > 0, "{who}: a gap that nobody has counted");
    }

    /// Whether it has lagged in a channel where one that lags goes on with the newest.
    fn may_jump(&self, n: usize, channel: &str) -> bool {
        self.rule(channel).keep == Some(Keep::Latest) && self.clients[n].wire.borrow().was_full
    }

    /// How a channel is kept.
    pub fn rule(&self, channel: &str) -> ChannelRule {
        ChannelRule::first(&self.config.channel_rule, channel).cloned().unwrap_or_default()
    }

    fn may_skip(&self, n: usize) -> bool {
        self.config.slow_consumer == SlowConsumer::Skip && self.clients[n].wire.borrow().was_full
    }

    /// A connection that reads and is open has everything.
    fn check_complete(&self, n: usize, who: &str) {
        let client = &self.clients[n];
        if client.gone || client.reader == Reader::Never || client.wire.borrow().up_ended || client.close_sent
        {
            return;
        }
        // The last thing it has read may have been pings.
        assert!(client.outgoing.len() < 32, "{who}: the server doesn't read");
        assert!(client.wire.borrow().up.is_empty(), "{who}: the server doesn't read");
        assert!(client.pongs.is_empty(), "{who}: {} pongs missing", client.pongs.len());
        assert!(client.echoes.is_empty(), "{who}: {} echoes missing", client.echoes.len());
        assert_eq!(client.answered, client.asked, "{who}: answers missing");
        assert_eq!(client.requests.len(), 0, "{who}: responses missing");
        assert_eq!(client.directs_heard, client.directs_sent, "{who}: messages missing");
        self.check_has_newest(n, who);
        self.check_v1_complete(n, who);
    }

    /// It has heard the newest publication of every channel that it is in.
    fn check_has_newest(&self, n: usize, who: &str) {
        let client = &self.clients[n];
        if client.has_half_a_message() {
            // Its end was the message's, and of all that waited behind.
            return;
        }
        // Where all logs together have too little room for two, a slow one may skip even the newest.
        let halved = self.audit.logs_halved > 0;
        for (channel, spans) in &client.spans {
            let is_too_old = self.rule(channel).ttl_ms.is_some() && self.may_skip(n);
            // One that skips goes on with the newest, which may be a client's.
            let is_newest = self.is_newest(channel);
            let skipped = !is_newest && (self.may_skip(n) || self.may_jump(n, channel));
            let skipped = skipped || halved && (self.may_skip(n) || self.may_jump(n, channel)) || is_too_old;
            let Some(span) = spans.last().filter(|span| span.left.is_none()) else { continue };
            let (count, heard) = (self.count(channel), client.heard.get(channel).and_then(|h| h.last()));
            if count > span.high && !skipped {
                assert_eq!(heard, Some(&count), "{who}: {channel} is not complete, {spans:?}");
            }
        }
    }

    /// Whether the newest publication of a channel is the publishers' newest.
    fn is_newest(&self, channel: &str) -> bool {
        let newest = self.published[channel].last().map(|receipt| (receipt.epoch, receipt.offset + 1));
        let next = self.audit.channels.iter().find(|(name, ..)| name == channel);
        next.is_none_or(|(_, epoch, next)| newest == Some((*epoch, *next)))
    }

    /// A stream that has ended has ended in an orderly way, or there is a reason.
    fn check_end(&self, n: usize, who: &str) {
        let client = &self.clients[n];
        let wire = client.wire.borrow();
        // A stream has nothing to say, and is ended for that only if it takes nothing either.
        let heartbeat = self.was_silent(&wire) && (!client.is_stream() || wire.was_full);
        let silent_ms = wire.closed_us.saturating_sub(wire.heard_us) / 1000;
        let behind_ms = wire.closed_us.saturating_sub(wire.drained_us) / 1000;
        let cut = client.gone || wire.reset || wire.unread;
        let deadline = wire.was_full && behind_ms.max(silent_ms) >= self.config.close_wait_ms;
        // One that reads slowly may still be busy with what comes before its close frame.
        let is_cut_off = wire.was_full && self.reactor.counters().closed.get(CloseReason::Drain) > 0;
        let drained = self.draining && (behind_ms >= self.config.drain_ms || is_cut_off);
        let is_websocket = client.status == 101 && client.role != Role::Raw || client.is_stream();
        if cut
            || heartbeat
            || deadline && !is_websocket
            || drained
            || wire.up_ended && !client.close_sent && client.role != Role::Http
        {
            return;
        }
        match client.role {
            Role::Push | Role::V1 | Role::Echo | Role::Chat | Role::Stream
                if client.status == 101 || client.is_stream() && client.status == 200 =>
            {
                // One that was closing when there was no room left counts as what it was closing for.
                let no_room = client.close_sent && self.config.backlog_bytes_max < 1 << 20;
                let told =
                    client.close_code.is_some() || wire.was_full && (no_room || self.could_not_tell(&wire));
                assert!(told, "{who}: the end without a close frame: {wire:?}");
            }
            Role::Http if client.slot.is_some() => {
                let late = wire.closed_us.saturating_sub(client.began_us) >= self.config.handshake_ms * 1000;
                // No answer follows one that refuses what is no request, or for which there is no memory.
                let last_word = matches!(client.status, 400 | 408 | 413 | 431 | 503);
                // Answers that find no room to wait are not given.
                let no_room = self.config.backlog_bytes_max < 1 << 20;
                let fine = client.requests.is_empty()
                    || last_word
                    || no_room
                    || late
                    || self.draining
                    || !client.outgoing.is_empty();
                assert!(fine, "{who}: {} responses missing: {client:?}", client.requests.len());
                assert!(!client.has_rest() || late || no_room || self.draining, "{who}: half a response");
            }
            _ => {}
        }
    }

    /// Whether there is a reason for the end of a slow connection without a close frame: it has not taken what was in
    /// front of that, or there was no memory for what had to be.
    fn could_not_tell(&self, wire: &Wire) -> bool {
        let (wait_us, reader_us) = (self.config.pong_wait_ms * 1000, wire.closed_us - wire.taken_us);
        let too_long = wire.closed_us - wire.drained_us >= 30 * wait_us;
        let counters = self.reactor.counters();
        let no_room = counters.slow_cut + counters.closed.get(CloseReason::Overload) > 0;
        no_room || counters.goodbyes_unread > 0 && (reader_us >= wait_us || too_long)
    }

    /// Whether it was dropped for not answering a ping.
    fn was_silent(&self, wire: &Wire) -> bool {
        let silent_ms = wire.closed_us.saturating_sub(wire.heard_us) / 1000;
        self.config.heartbeat_ms > 0 && silent_ms >= self.config.pong_wait_ms
    }

    /// Nobody takes longer for the handshake than it may.
    fn check_handshake(&self, n: usize, who: &str) {
        let client = &self.clients[n];
        let wire = client.wire.borrow();
        let late_us = (self.config.handshake_ms + self.config.close_wait_ms) * 1000 + 200_000;
        let unanswered = client.status == 0 && client.reader != Reader::Never;
        if unanswered && client.slot.is_some() && !wire.was_full && !client.gone {
            assert!(wire.closed || self.now_us < client.began_us + late_us, "{who}: still in its handshake");
        }
    }
}

/// Holds what was heard against the stays in the channel; returns the number of gaps.
pub(super) fn check_order(who: &str, channel: &str, heard: &[usize], spans: &[Span]) -> usize {
    let fits = |span: &Span, number: usize| span.low < number && number <= span.high + 1;
    let mut gaps = 0;
    let mut at = None;
    let mut last = 0;
    for &number in heard {
        let stays = |span: &Span| span.left.is_none_or(|left| number <= left);
        let next = at.is_some_and(|at: usize| number == last + 1 && stays(&spans[at]));
        if !next {
            let later = at.map_or(0, |at| at + 1);
            match (later..spans.len()).find(|&k| fits(&spans[k], number) && stays(&spans[k])) {
                Some(k) => at = Some(k),
                None => {
                    // A gap, perhaps at a stay's beginning.
                    gaps += 1;
                    let first = at.unwrap_or(0);
                    let k = (first..spans.len()).find(|&k| spans[k].low < number && stays(&spans[k]));
                    at =
                        Some(k.unwrap_or_else(|| {
                            panic!("{who}: {channel} {number} of {heard:?} in {spans:?}")
                        }));
                }
            }
        }
        last = number;
    }
    gaps
}

impl World {
    /// Whether this is a subscriber that reads what comes and has not closed.
    pub fn listens(&self, n: usize) -> bool {
        let client = &self.clients[n];
        let wire = client.wire.borrow();
        let present = !client.gone && !client.close_sent && !wire.up_ended && !wire.closed && !wire.reset;
        let reads = client.reader != Reader::Never && !client.mute;
        let is_told = matches!(client.role, Role::Push | Role::V1) || client.is_stream();
        is_told && client.stage == Stage::Open && present && reads
    }

    /// Who was there to hear it was told that the server goes away, behind everything published before.
    /// Only the drain's deadline may come before it.
    pub fn check_close(&mut self, n: usize, deadline_us: u64) {
        self.check_client(n);
        let client = &self.clients[n];
        let who = format!("client {n} ({:?} {:?})", client.stage, client.reader);
        match client.close_code {
            Some(1001) => {
                self.check_has_newest(n, &who);
                self.check_v1_reached(n, &who);
            }
            // Closed for another reason on the way there.
            Some(_) => {}
            None => {
                let wire = client.wire.borrow();
                let cut_off = wire.was_full || self.was_silent(&wire) || wire.closed_us >= deadline_us;
                assert!(cut_off && wire.closed, "{who}: no close frame within the drain: {wire:?}");
            }
        }
    }

    /// Everyone has come to its end.
    pub fn check_drained(&mut self, n: usize) {
        self.check_client(n);
    }
}

//! The commands of other threads, carried out in their order.

use std::fmt::Display;

use crate::config::LogLevel;
use crate::endpoint::{ConnId, Receipt, chat};
use crate::metrics::{CloseReason, WorkKind};
use crate::push::{
    Carried, Channel, ChannelId, Channels, DEFAULT, DEFAULT_NAME, Encoded, Lens, Message, Place, Publication,
    PushError, PushOptions, Room,
};

use super::outbox::ITEM_BYTES;
use super::reactor::Reactor;
use super::shared::{Command, EndAsked, Wake};
use super::slot::Phase;
use super::socket::Socket;
use super::subscriptions::NotSubscribed;

/// Commands whose place is kept when the queue is empty again.
const COMMANDS_AT_REST: usize = 1_024;

impl<S: Socket> Reactor<S> {
    /// Carries out what waits, and then once what is in the inbox. Stops before a publication that the log has
    /// no room for yet: the flush comes first. Then the inbox fills up and pushing threads are told so.
    pub(super) fn carry_out_commands(&mut self) {
        self.begin_asked_end();
        self.carry_out_until(u64::MAX);
    }

    /// The same, up to the command of this number.
    pub(super) fn carry_out_until(&mut self, number: u64) {
        if !self.carry_out_pending(number) || self.inbox.carried >= number {
            return;
        }
        self.take_news();
        if self.carry_out_pending(number) && self.inbox.pending.is_empty() {
            self.inbox.pending.shrink_to(COMMANDS_AT_REST);
        }
    }

    /// Takes in what has come into the inbox.
    fn take_news(&mut self) {
        let Some(mut news) = self.shared.take(&mut self.inbox.spare) else { return };
        self.inbox.pending.extend(news.commands.drain(..));
        news.commands.shrink_to(COMMANDS_AT_REST);
        self.inbox.spare = news.commands;
        self.metrics.channels_refused = news.channels_refused;
    }

    fn begin_asked_end(&mut self) {
        let EndAsked { by_config, within_ms } = self.shared.take_end();
        if by_config {
            self.begin_drain(None);
        }
        if within_ms.is_some() {
            self.begin_drain(within_ms);
        }
    }

    /// Whether commands wait for room in a log.
    pub(super) fn has_pending(&self) -> bool {
        !self.inbox.pending.is_empty()
    }

    /// Whether the command of this number is carried out.
    #[inline]
    pub(super) fn has_carried_out(&self, number: u64) -> bool {
        self.inbox.carried >= number
    }

    /// False: a log has no room, or this turn no time.
    fn carry_out_pending(&mut self, number: u64) -> bool {
        loop {
            // The steps that callbacks have asked for behind the commands that are done now.
            while self.inbox.steps.front().is_some_and(|(after, _)| *after <= self.inbox.carried)
                && let Some((_, step)) = self.inbox.steps.pop_front()
            {
                self.act(step);
            }
            if self.inbox.carried >= number {
                return true;
            }
            if self.work.are_commands_used() && !self.inbox.pending.is_empty() {
                self.work.cut(WorkKind::Commands);
                return false;
            }
            let (before, bytes) = (self.work.total(), self.inbox.pending.front().map_or(0, Command::bytes));
            match self.inbox.pending.pop_front() {
                Some(Command::Publish { receipt, publication }) => {
                    let id = receipt.id;
                    if let Err(waits) = self.append(receipt, publication) {
                        self.inbox.pending.push_front(waits);
                        return false;
                    }
                    self.inbox.taken_in = id;
                }
                Some(Command::User(mut command)) => {
                    if !self.carry_out_for_user(&mut command) {
                        self.inbox.pending.push_front(Command::User(command));
                        self.work.charge_command(0, before);
                        self.work.cut(WorkKind::Commands);
                        return false;
                    }
                }
                Some(Command::Peer(news)) => {
                    if let Err(waits) = self.hear(*news) {
                        self.inbox.pending.push_front(waits);
                        return false;
                    }
                }
                Some(Command::Ask(question)) => {
                    if let Err(waits) = self.look_up(*question) {
                        self.inbox.pending.push_front(Command::Ask(Box::new(waits)));
                        return false;
                    }
                }
                Some(command) => self.act(command),
                None => return true,
            }
            self.inbox.carried += 1;
            self.work.charge_command(bytes, before);
        }
    }

    /// Does what was asked for, if that is no publication: only those may have to wait.
    pub(super) fn act(&mut self, command: Command) {
        match command {
            Command::Publish { .. } | Command::User(_) | Command::Ask(_) | Command::Peer(_) => {
                debug_assert!(false, "what may have to wait comes through the inbox");
            }
            Command::Forget(forgotten) => self.forgotten(&forgotten),
            Command::Send { conn, publication } => {
                if self.send_to(conn, &publication) == Err(PushError::OutboxFull)
                    && let Some(index) = self.find_open(conn)
                {
                    // The sender has gone on and can't be told; the client must not have a gap without notice.
                    self.close_slow(index);
                }
            }
            Command::Close { conn, code, reason } => {
                if let Some(index) = self.find_open(conn) {
                    self.close_in_order(index, code, &reason, CloseReason::Admin);
                }
            }
            Command::Reply { conn, frames } => self.reply_to(conn, &frames),
            Command::BringUpToDate { conn } => {
                if let Some(index) = self.find_open(conn)
                    && self.has_room_to_wait(index, self.channels_behind(index) * ITEM_BYTES)
                {
                    self.bring_up_to_date(index, None);
                }
            }
            Command::Subscribe { conn, channel, since } => match self.subscribe(conn, &channel, since) {
                // Who has gone meanwhile needs nothing.
                Ok(()) | Err(NotSubscribed::NoSuchConnection) => {}
                Err(problem) => self.not_subscribed(conn, &channel, &problem),
            },
            Command::Unsubscribe { conn, channel } => self.end_subscription(conn, &channel),
            Command::Tune { conn, tune } => self.tune(conn, tune),
            Command::Flow { conn, asked } => self.change_flow(conn, asked),
            Command::Decide { conn, decision } => self.decide_later(conn, *decision),
            Command::Authorize { conn, number, authorized } => {
                self.authorize_later(conn, number, *authorized)
            }
            Command::Vouched(vouched) => self.vouched(*vouched),
            Command::NotTold(not_told) => self.not_told(&not_told),
            Command::Traced(traced) => self.note_traced(&traced),
            Command::Reload(renewal) => self.reload(*renewal),
            Command::KeysRead(read) => self.keys_read(*read),
            Command::SaveState => self.begin_snapshot(),
            Command::Snapshot(news) => self.snapshot_news(news),
        }
    }

    /// The channel of a publication. None: somebody has come here to its next life before the word of its end.
    #[inline]
    fn open_for(&mut self, receipt: &Receipt) -> Option<ChannelId> {
        let id = if &*receipt.channel == DEFAULT_NAME {
            DEFAULT
        } else {
            self.channels.open(&receipt.channel, receipt.epoch, self.now.mono_ms())
        };
        Some(id).filter(|&id| receipt.epoch >= self.channels.get(id).epoch)
    }

    /// Appends a publication to its channel's log, or gives it back if there is no room before the next flush: in that
    /// log, or among all of them.
    fn append(&mut self, receipt: Receipt, publication: Carried) -> Result<(), Command> {
        let frame = publication.plain_frame();
        let Some(id) = self.open_for(&receipt) else { return Ok(()) };
        let sender = self.inbox.senders.of(receipt.id);
        let receiver = sender.and_then(|conn| self.prepare_sender(conn, id));
        let several = self.channels.get(id).has_other_forms();
        let mut lens = Lens::plain(frame.len());
        let mut together = None;
        if several {
            let channel = self.channels.get(id);
            // While the plain frame has no room the other forms need not be made.
            if !channel.has_room(lens) {
                self.channels.end_pace(id);
                return Err(Command::Publish { receipt, publication });
            }
            // Once for everybody who takes it so, and only if there is somebody.
            let origin = channel.origin(receipt.offset);
            lens = match &publication {
                Carried::Alone(publication) => {
                    self.encoder.encode(publication, origin, |form| channel.wants(form))
                }
                Carried::Together(prepared) => {
                    let made = self.encoder.encode_for_all(prepared, origin, |form| channel.wants(form));
                    together.insert(made).0.lens()
                }
            };
            self.charge_compressed();
        }
        if !self.make_room(id, lens) {
            self.end_paces_for_room(id);
            return Err(Command::Publish { receipt, publication });
        }
        // It may be gone for the room.
        let receiver = receiver.filter(|_| sender.is_some_and(|conn| self.is_at_head(conn, id)));
        self.metrics.publications += 1;
        self.metrics.publications_bytes += frame.len() as u64;
        let mut deflated = (0, 0);
        let encoded = match several {
            false => Encoded::plain(frame),
            true => match together {
                Some((made, here)) => {
                    deflated = here;
                    made
                }
                None => {
                    let made = self.encoder.encoded(&publication);
                    deflated = made.deflated_bytes();
                    made
                }
            },
        };
        let (now_us, unix_ms) = (self.now.mono_us, self.now.unix_ms());
        let place = Place { offset: receipt.offset, receipt: receipt.id, now_us, unix_ms };
        let pace = publication.options().pace.map(|pace| (pace, self.part()));
        self.metrics.publications_paced += u64::from(pace.is_some());
        self.channels.append_paced(id, &encoded, place, pace);
        if several {
            self.count_deflated(deflated);
        }
        if let Some(index) = receiver {
            self.pass_over_newest(index, id);
        }
        self.inbox.senders.appended(receipt.id);
        if self.channels.get(id).subscribers == 0 {
            self.vacate(id);
        }
        Ok(())
    }

    /// Counts a publication that was compressed, of so many bytes to so many; 0: it was not.
    fn count_deflated(&mut self, (from, to): (usize, usize)) {
        self.metrics.publications_deflated += u64::from(to > 0);
        self.metrics.deflate_in_bytes += from as u64;
        self.metrics.deflate_out_bytes += to as u64;
    }

    /// Sees to it that a publication can be appended to a channel's log, and that nobody loses the rest of a frame by
    /// that. False: not now.
    fn make_room(&mut self, id: ChannelId, lens: Lens) -> bool {
        self.make_room_among_logs(|channels| channels.room_for(id, lens))
            && self.save_rests(id, |channel| channel.first_after(lens))
    }

    /// Nothing that waits for room waits for a pace: the log's own, or, where all logs together are too large, any.
    fn end_paces_for_room(&mut self, id: ChannelId) {
        match self.channels.try_get(id) {
            Some(channel) if channel.has_pace() || !channel.is_offered() => self.channels.end_pace(id),
            _ => self.channels.end_paces(),
        }
    }

    /// Lets the largest logs give up their older halves until there is room. False: not now.
    pub(super) fn make_room_among_logs(&mut self, room: impl Fn(&Channels) -> Room) -> bool {
        loop {
            match room(&self.channels) {
                Room::Ready => return true,
                Room::Later => return false,
                Room::AfterHalving(largest) => {
                    if !self.save_rests(largest, Channel::first_at_half) {
                        return false;
                    }
                    // It may be gone with its last subscriber.
                    if self.channels.try_get(largest).is_some() {
                        self.halve(largest);
                    }
                }
            }
        }
    }

    fn halve(&mut self, id: ChannelId) {
        self.channels.give_up_half(id, self.now.mono_us);
        self.metrics.logs_halved += 1;
        let channel = self.channels.get(id);
        let (name, bytes) = (&channel.name, channel.log_bytes());
        let fields: [(&str, &dyn Display); 3] =
            [("channel", name), ("log_bytes", &bytes), ("limit", &"logs_bytes_max")];
        self.journal.event(self.now, LogLevel::Warn, "log_halved", &fields);
    }

    /// Publishes from this thread: through the inbox like everybody, so that there is one order. With [`Wake::No`] the
    /// caller looks at the inbox itself before the next poll.
    pub(super) fn publish_here(
        &mut self,
        channel: Option<&str>,
        message: Message<'_>,
        options: PushOptions,
        wake: Wake,
    ) -> Result<Receipt, PushError> {
        let publication = Publication::new(message, options)?;
        let published = self.shared.publish(channel, publication, self.now.unix_us, wake);
        if published == Err(PushError::InboxFull) {
            self.metrics.inbox_full += 1;
        }
        published
    }

    /// Publishes a line to everybody in the demo's chat.
    pub(super) fn say_in_chat(&mut self, line: &str) -> Result<Receipt, PushError> {
        self.publish_here(Some(chat::CHANNEL), Message::Text(line), PushOptions::default(), Wake::Yes)
    }

    /// The slot of an open connection. A poll is none that could be spoken to.
    pub(super) fn find_open(&self, conn: ConnId) -> Option<usize> {
        let slot = self.connections.slots.get(conn.slot())?;
        (slot.serial == conn.serial() && slot.phase == Phase::Open && !slot.is_polling()).then(|| conn.slot())
    }

    /// Sends a message to one connection, or lets it wait in its outbox as far as that may grow.
    pub(super) fn send_to(&mut self, conn: ConnId, publication: &Publication) -> Result<(), PushError> {
        let index = self.find_open(conn).ok_or(PushError::NoSuchConnection)?;
        let (transport, bits) = (self.connections.slots[index].transport, self.window_bits(index));
        let mut made = Vec::new();
        let frame = transport.framing(&mut self.encoder.deflater, bits).publication(publication, &mut made);
        self.charge_compressed();
        let list = self.channels_behind(index) * ITEM_BYTES;
        if !self.outbox_has_room(index, list + frame.len()) {
            return Err(PushError::OutboxFull);
        }
        if self.has_room_to_wait(index, list)
            && self.bring_up_to_date(index, None)
            && self.push_out(index, frame).is_ok()
        {
            self.note_heard(index);
            Ok(())
        } else {
            Err(PushError::NoSuchConnection)
        }
    }

    /// Whether so many bytes more may wait for a connection. A frame larger than the outbox may still go to one for
    /// which nothing waits.
    pub(super) fn outbox_has_room(&mut self, index: usize, bytes: usize) -> bool {
        let waiting = self.connections.slots[index].outbox_bytes();
        let fits = waiting == 0 || waiting + bytes <= self.config.outbox_bytes_max;
        self.metrics.outbox_overflow += u64::from(!fits);
        fits
    }

    /// Writes a callback's replies to its connection, which is not read while they wait.
    pub(super) fn reply_to(&mut self, conn: ConnId, frames: &[u8]) {
        if let Some(index) = self.find_open(conn)
            && self.push_out(index, frames).is_ok()
        {
            self.pause_if_blocked(index);
        }
    }

    fn not_subscribed(&mut self, conn: ConnId, channel: &str, problem: &dyn Display) {
        let fields: [(&str, &dyn Display); 3] =
            [("conn", &conn), ("channel", &channel), ("problem", problem)];
        self.journal.event(self.now, LogLevel::Warn, "not_subscribed", &fields);
    }
}

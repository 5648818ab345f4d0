//! Server-Sent Events on an open connection: what is said beside the publications, which lie in the rings as events.
//!
//! An event in a ring is the same for everybody, so its `id` can name the position in its own channel at the most. That
//! is enough for a stream of one channel. One of several takes events without ids, and behind them is told where it
//! stands in each of its channels, by an event that has nothing but an id: to a client that loses its connection in
//! between, what follows its last id comes once more, and nothing is lost.

use crate::metrics::CloseReason;
use crate::protocol::close::CloseCode;
use crate::protocol::envelope::Origin;
use crate::protocol::event_stream as events;
use crate::protocol::frame::Opcode;
use crate::protocol::{chunk, v1};
use crate::push::positions::push_named;
use crate::push::{ChannelId, Entry, Gap, Recovery};

use super::reactor::Reactor;
use super::slot::{Flags, Phase};
use super::socket::Socket;
use super::transport::EventFormat;

/// The time after which a client connects again that has lost its connection.
const RETRY_MS: u64 = 3_000;

/// Those who are told to come back later do so within this time, each at its own.
const LATER_MS: u64 = 10_000;

/// A comment, which keeps a silent stream open.
pub(super) const HEARTBEAT: &[u8] = b"3\r\n:\n\n\r\n";

/// The end of a stream, with the reason for people who look. Its client comes back; where everybody is told to go at
/// once it does not at the same time as all others.
pub(super) fn end(code: CloseCode, reason: &str, lot: u32) -> Vec<u8> {
    let (mut said, mut end) = (Vec::new(), Vec::new());
    events::push_comment(&format!("{} {reason}", code.0), &mut said);
    if matches!(code, CloseCode::GOING_AWAY | CloseCode::TRY_AGAIN_LATER) {
        events::push_retry(later_ms(lot), &mut said);
    }
    said.push(b'\n');
    chunk::push(&said, &mut end);
    end.extend_from_slice(chunk::LAST);
    end
}

/// When a client that is told to come back later does so: numbers that follow one another are far apart.
pub(super) fn later_ms(lot: u32) -> u64 {
    let spread = u64::from(lot.wrapping_mul(0x9e37_79b9));
    RETRY_MS / 3 + spread * (LATER_MS - RETRY_MS / 3) / u64::from(u32::MAX)
}

/// How long a client waits whose stream has ended for this reason, before it connects again.
pub(super) fn pause_ms(cause: CloseReason, lot: u32) -> u64 {
    match cause {
        CloseReason::SlowConsumer | CloseReason::Overload => later_ms(lot),
        _ => RETRY_MS,
    }
}

/// Appends a message to one connection alone. It has no position, and so no id.
pub(super) fn push_direct(format: EventFormat, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
    let mut event = Vec::new();
    match format {
        EventFormat::Raw => events::push_payload(opcode, payload, &mut event),
        EventFormat::Json => {
            let mut object = Vec::new();
            v1::message::push_direct(opcode, payload, &mut object);
            events::push_json(&object, &mut event);
        }
    }
    chunk::push(&event, out);
}

/// Appends a message of `wspush.v1`, as an event of its own.
pub(super) fn push_message(object: &[u8], out: &mut Vec<u8>) {
    let mut event = Vec::new();
    events::push_message(object, &mut event);
    chunk::push(&event, out);
}

/// Appends what a subscriber is told that has come with a position, if it doesn't get all that follows it.
fn push_missed_at_entry(channel: &str, entry: &Entry, out: &mut Vec<u8>) {
    if let Some(Gap { from, to }) = entry.recovery.and_then(Recovery::gap) {
        let origin = Origin { channel, epoch: entry.position.epoch, offset: 0, frame_bytes_max: usize::MAX };
        events::push_missed(&origin, (from, to), out);
    }
}

impl<S: Socket> Reactor<S> {
    /// Begins a stream, at once, so that its client and the proxies in between know that it is there; it has a position
    /// from here on.
    pub(super) fn begin_events(&mut self, index: usize, entries: &[(ChannelId, Entry)]) {
        let mut said = Vec::new();
        events::push_retry(RETRY_MS, &mut said);
        self.push_id(index, None, &mut said);
        said.push(b'\n');
        for (id, entry) in entries {
            push_missed_at_entry(&self.channels.get(*id).name, entry, &mut said);
        }
        chunk::push(&said, &mut self.scratch.replies);
    }

    /// Appends where a connection stands, if that is known of all its channels; in this one, if there is one, at the
    /// head.
    fn push_id(&self, index: usize, at_head: Option<ChannelId>, out: &mut Vec<u8>) {
        let slot = &self.connections.slots[index];
        let start = out.len();
        let (mut is_known, mut is_first) = (true, true);
        let put = |out: &mut Vec<u8>| {
            for (id, cursor) in self.subscriptions(slot) {
                let channel = self.channels.get(id);
                if channel.notices_of().is_some() {
                    continue;
                }
                let position = match at_head == Some(id) {
                    true => Some(channel.head_position()),
                    false => channel.position(cursor, slot.form),
                };
                match position {
                    // With one that has fallen off the others would be told without it.
                    None => is_known = false,
                    Some(position) if slot.form.is_of_many() => {
                        push_named(&channel.name, position, is_first, out);
                    }
                    Some(position) => position.push_to(out),
                }
                is_first = false;
            }
        };
        events::push_id(put, out);
        if !is_known || is_first {
            out.truncate(start);
        }
    }

    /// Appends a chunk that tells a stream of several channels where it stands.
    fn push_positions(&self, index: usize, at_head: Option<ChannelId>, out: &mut Vec<u8>) {
        let mut said = Vec::new();
        self.push_id(index, at_head, &mut said);
        if !said.is_empty() {
            said.push(b'\n');
            chunk::push(&said, out);
        }
    }

    /// Tells a stream of several channels where it stands. False: its socket is full, or it is gone.
    pub(super) fn tell_positions(&mut self, index: usize) -> bool {
        let slot = &self.connections.slots[index];
        if slot.phase != Phase::Open || !slot.form.is_of_many() {
            return true;
        }
        let mut said = Vec::new();
        self.push_positions(index, None, &mut said);
        // Of one that has fallen off a log, or has left all its channels, there are none.
        said.is_empty() || self.say_rest(index, &said, 0)
    }

    /// Writes a channel's log to such a stream, and behind it where it stands then. False: stop here, the socket is
    /// full or the connection gone.
    pub(super) fn catch_up_and_tell(&mut self, index: usize, id: ChannelId) -> bool {
        if self.channels.get(id).notices_of().is_some() {
            // They have no position.
            return self.catch_up_before(index, id, &[]);
        }
        let mut positions = std::mem::take(&mut self.scratch.positions);
        positions.clear();
        self.push_positions(index, Some(id), &mut positions);
        let goes_on = self.catch_up_before(index, id, &positions);
        self.scratch.positions = positions;
        goes_on
    }

    /// Says the rest of something of which so many bytes are said. False: the socket is full, or the connection gone.
    pub(super) fn say_rest(&mut self, index: usize, rest: &[u8], said: usize) -> bool {
        if said == 0 {
            // For want of memory it may have been ended.
            return self.push_out(index, rest).is_ok()
                && self.connections.slots[index].phase == Phase::Open
                && !self.connections.slots[index].flags.any(Flags::BLOCKED);
        }
        if self.has_backlog_room(index, rest.len()) {
            self.wait_in_outbox(index, rest);
        } else {
            let _ = self.overloaded(index, true);
        }
        false
    }

    /// A stream of one channel that gets a second one takes events without ids from here on, behind those that it still
    /// has to get. False: it is closed, or gone.
    pub(super) fn make_way_for_more(&mut self, index: usize) -> bool {
        let slot = &self.connections.slots[index];
        let (form, many) = (slot.form, slot.form.of_many());
        if form == many {
            return true;
        }
        // Its channel, and the log of notices that goes with it.
        let ids: Vec<ChannelId> = self.subscriptions(slot).map(|(id, _)| id).collect();
        if ids.is_empty() {
            return true;
        }
        if !self.bring_up_to_date(index, None) {
            return false;
        }
        for id in ids {
            let Some(cursor) = self.cursor(index, id) else { continue };
            self.channels.get_mut(id).depart(cursor, form);
            let entry = self.channels.enter(id, many, crate::push::Since::Head, self.now.unix_ms());
            self.set_cursor(index, id, entry.cursor);
        }
        self.connections.slots[index].form = many;
        true
    }

    /// Tells a stream that others have subscribed it to a channel.
    pub(super) fn tell_joined_sse(&mut self, index: usize, channel: &str, entry: &Entry) {
        let (mut said, mut chunks) = (Vec::new(), Vec::new());
        push_missed_at_entry(channel, entry, &mut said);
        if !said.is_empty() {
            chunk::push(&said, &mut chunks);
        }
        self.push_positions(index, None, &mut chunks);
        if !chunks.is_empty() {
            // If it is gone there is nobody to tell.
            let _ = self.push_out(index, &chunks);
        }
    }

    /// Tells a slow consumer which publications it does not get. False: it is gone.
    pub(super) fn tell_missed_sse(&mut self, index: usize, id: ChannelId, Gap { from, to }: Gap) -> bool {
        let serial = self.connections.slots[index].serial;
        let (mut said, mut chunks) = (Vec::new(), Vec::new());
        events::push_missed(&self.channels.get(id).origin(to), (from, to), &mut said);
        chunk::push(&said, &mut chunks);
        let _ = self.push_out(index, &chunks);
        self.connections.is_open(index, serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heartbeat_is_one_chunk() {
        let mut expected = Vec::new();
        chunk::push(events::HEARTBEAT, &mut expected);
        assert_eq!(HEARTBEAT, expected);
    }

    #[test]
    fn those_who_come_back_are_spread_over_the_time() {
        let mut at: Vec<u64> = (1..=1_000).map(later_ms).collect();
        at.sort_unstable();
        assert!((1_000..1_100).contains(&at[0]) && (9_900..=10_000).contains(&at[999]), "{at:?}");
        assert!(at.windows(2).all(|pair| pair[1] - pair[0] < 50), "{at:?}");
    }

    #[test]
    fn an_end_says_why_and_when_to_come_back() {
        let end = |code, reason: &str| {
            let end = end(code, reason, 0);
            assert!(end.ends_with(chunk::LAST));
            let mut data = Vec::new();
            chunk::push_data(&end, &mut data);
            String::from_utf8(data).unwrap()
        };
        assert_eq!(
            end(CloseCode::POLICY_VIOLATION, "the token\nhas expired"),
            ": 1008 the token has expired\n\n"
        );
        assert_eq!(end(CloseCode::GOING_AWAY, "away"), ": 1001 away\nretry: 1000\n\n");
    }
}

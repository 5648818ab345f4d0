//! Logs of notices: who has come to a channel and gone, for those of its subscribers that are told.
//!
//! Notices lie in a log of their own beside the channel's, with the same forms, the same walk and the same cursors. In
//! the channel's own log they would take the place of publications, be told again to whoever resumes, and be skipped
//! by whoever skips to the newest publication. They take no offset of the channel, have no receipts, and nothing is
//! counted for them.

use std::borrow::Cow;
use std::sync::Arc;

use super::channel::Channel;
use super::channels::{ChannelId, Channels, FIRST_OFFSET};
use super::encoder::Encoded;
use super::form::{Form, Lens};
use super::ledger::Ledger;
use super::log::Log;
use super::place::Place;
use crate::limits::NOTICES_BYTES;
use crate::narrow;
use crate::protocol::json::in_one_line;
use crate::protocol::{Opcode, chunk, event_stream, frame};

/// A notice, in the bytes of those who take it.
#[derive(Debug, Default)]
pub struct Notice {
    frame: Vec<u8>,
    event: Vec<u8>,
    line: Vec<u8>,
}

impl Notice {
    /// Of a message of `wspush.v1`, for those who subscribe to this log.
    pub fn new(mut object: Vec<u8>, log: &Channel) -> Notice {
        if let Cow::Owned(line) = in_one_line(&object) {
            object = line;
        }
        let mut notice = Notice::default();
        frame::encode(Opcode::Text, &object, &mut notice.frame);
        if Form::STREAMED.into_iter().any(|form| form != Form::Ndjson && log.wants(form)) {
            let mut event = Vec::new();
            event_stream::push_message(&object, &mut event);
            chunk::push(&event, &mut notice.event);
        }
        if log.wants(Form::Ndjson) {
            object.push(b'\n');
            chunk::push(&object, &mut notice.line);
        }
        notice
    }

    /// Its forms.
    pub fn encoded(&self) -> Encoded<'_> {
        Encoded::of_notice(&self.frame, &self.event, &self.line)
    }

    /// How long its frame is.
    pub fn bytes(&self) -> usize {
        self.frame.len()
    }
}

impl Channel {
    /// The channel whose notices these are; None: it is a channel like any other.
    pub fn notices_of(&self) -> Option<ChannelId> {
        self.notices_of
    }

    /// Whether something of this size can be appended just like that: nobody loses anything by it.
    pub fn has_ready_room(&self, lens: Lens) -> bool {
        self.has_room(lens) && (!self.has_midway() || self.first_after(lens) == self.log().first_offset())
    }
}

impl Channels {
    /// An empty log for the notices of a channel.
    pub fn open_notices(&mut self, of: ChannelId, now_ms: u64) -> ChannelId {
        let subject = self.get(of);
        let (name, epoch) = (Arc::clone(&subject.name), subject.epoch);
        let (bytes, publications) = (self.limits.bytes.min(NOTICES_BYTES), self.limits.publications);
        let log = Log::starting_at(self.start, FIRST_OFFSET, bytes, publications);
        let mut channel = Channel::new(name, epoch, log, publications, now_ms);
        channel.ledger = Ledger::of_nothing(FIRST_OFFSET);
        channel.notices_of = Some(of);
        ChannelId(narrow::to_u32(self.all.insert(channel)))
    }

    /// Appends a notice.
    pub fn append_notice(&mut self, id: ChannelId, notice: &Encoded<'_>, (now_us, unix_ms): (u64, u64)) {
        let offset = self.get(id).log().next_offset();
        self.append(id, notice, Place { offset, receipt: 0, now_us, unix_ms });
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT, Form, LogLimits, Message, Since};
    use super::*;

    #[test]
    fn they_lie_beside_the_channel() {
        let limits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };
        let mut channels = Channels::new(limits, 7);
        let id = channels.open_notices(DEFAULT, 0);
        assert_eq!(
            (channels.get(id).notices_of(), channels.get(DEFAULT).notices_of()),
            (Some(DEFAULT), None)
        );
        assert_eq!(
            (channels.len(), channels.find("broadcast")),
            (1, Some(DEFAULT)),
            "it has no name of its own"
        );
        let cursor = channels.enter(id, Form::Envelope, Since::Head, 0).cursor;
        channels.get_mut(id).join(0, cursor, 0);
        let frame = Message::Text("{\"join\":{}}").to_frame();
        for _ in 0..3 {
            channels.append_notice(id, &Encoded::plain(&frame), (5, 6));
        }
        let channel = channels.get(id);
        let log = channel.log_in(Form::Envelope).unwrap();
        assert_eq!(log.slices(log.position(cursor).unwrap()).0, frame.repeat(3));
        assert_eq!((channel.ledger.bytes(), channel.ledger.delivery(1)), (0, None));
        assert_eq!(
            (channels.next_dirty(), channels.get(DEFAULT).log().next_offset()),
            (Some(id), FIRST_OFFSET)
        );
        let mut shown = 0;
        channels.settle(9, |_, _| shown += 1);
        assert_eq!(shown, 0);
        channels.get_mut(id).leave(0, Form::Envelope, 0, |_, _, _| {});
        channels.remove(id, 0, |_, _| {});
        assert_eq!(channels.find("broadcast"), Some(DEFAULT));
    }

    #[test]
    fn each_takes_it_in_its_own_bytes() {
        let limits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };
        let mut channels = Channels::new(limits, 7);
        let id = channels.open_notices(DEFAULT, 0);
        let made = |log: &Channel| {
            let notice = Notice::new(b"{\"join\":{\"info\":{\n}}}".to_vec(), log);
            Form::ALL.map(|form| String::from_utf8_lossy(notice.encoded().bytes(form)).into_owned())
        };
        let frame = "\u{fffd}\u{15}{\"join\":{\"info\":{ }}}";
        let all = made(channels.get(id));
        assert!(all.iter().all(|bytes| bytes == frame), "nobody takes others: {all:?}");
        for form in [Form::SseMany, Form::Ndjson] {
            channels.enter(id, form, Since::Head, 0);
        }
        let all = made(channels.get(id));
        let event = "27\r\nevent: wspush.join\ndata: {\"info\":{ }}\n\n\r\n";
        let line = "16\r\n{\"join\":{\"info\":{ }}}\n\r\n";
        let expected = [frame, frame, frame, frame, event, event, event, event, line];
        assert_eq!(all, expected);
    }

    #[test]
    fn rules_and_policies_leave_them_alone() {
        let limits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };
        let mut channels = Channels::new(limits, 7);
        let id = channels.open_notices(DEFAULT, 0);
        channels.set_rules(vec!["* keep=latest publications=2 ttl_ms=5".parse().unwrap()]);
        assert_eq!(channels.get(id).rules, super::super::ChannelRules::default());
        assert_ne!(channels.get(DEFAULT).rules, super::super::ChannelRules::default());
        let frame = Message::Text("x").to_frame();
        (0..5).for_each(|_| channels.append_notice(id, &Encoded::plain(&frame), (5, 6)));
        assert_eq!((channels.get(id).log().publications(), channels.get(id).ledger.bytes()), (5, 0));
    }
}

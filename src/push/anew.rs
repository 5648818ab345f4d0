//! A channel that forgets what it has had: another life of it begins, with the same subscribers.

use super::channel::Channel;
use super::channels::{ChannelId, Channels, FIRST_OFFSET};
use super::form::Form;

/// Where a log was broken off in one form: a subscriber that stood there had everything until then, and misses what
/// follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken {
    /// The form.
    pub form: Form,
    /// The head's position in its log.
    pub at: u64,
}

impl Channel {
    /// Whether every subscriber was offered all that was published, so that only laggards lose something.
    pub fn is_offered(&self) -> bool {
        self.subscribers == 0 || self.walk.is_none() && self.offered == self.log().head()
    }

    /// Begins another life. Nobody stands in the middle of a frame: see `save_rests`.
    fn begin_anew(&mut self, epoch: u64, now_us: u64) {
        let (next, fallen) = (self.log().next_offset(), self.fallen);
        for ring in self.rings_mut() {
            ring.log.give_up_before(ring.log.head());
            ring.log.first_offset = FIRST_OFFSET;
            // Those who are still to get a piece of it find another epoch.
            ring.owed = 0;
        }
        self.ledger.forget_before(next, now_us, fallen);
        self.ledger.count_from(FIRST_OFFSET);
        self.epoch = epoch;
        self.end_pace();
        self.look_again = self.subscribers > 0;
    }
}

impl Channel {
    /// Goes on in this life of the channel with this offset, as what lies between is lost. Nobody stands in the middle
    /// of a frame: see `save_rests`.
    fn break_off(&mut self, epoch: u64, next: u64, now_us: u64) -> Vec<Broken> {
        let (here, fallen, is_anew) = (self.log().next_offset(), self.fallen, epoch != self.epoch);
        let mut broken = Vec::new();
        for ring in self.rings_mut() {
            broken.push(Broken { form: ring.form(), at: ring.log.head() });
            ring.give_up_before(here);
            ring.forget_evicted();
            ring.log.pass_over(next);
            if is_anew {
                ring.owed = 0;
            }
        }
        self.ledger.forget_before(here, now_us, fallen);
        self.ledger.count_from(next);
        self.epoch = epoch;
        self.end_pace();
        if self.subscribers == 0 {
            self.offered = self.log().head();
        }
        broken
    }
}

impl Channels {
    /// Lets a channel go on in this life with this offset: what lies between is lost, and those who stand where it was
    /// broken off are to be told.
    pub fn break_off(&mut self, id: ChannelId, epoch: u64, next: u64, now_us: u64) -> Vec<Broken> {
        let broken = self.resize(id, |channel| channel.break_off(epoch, next, now_us));
        self.queue(id);
        self.touch(id);
        broken
    }

    /// Lets a channel forget its publications and begin another life under this epoch.
    pub fn begin_anew(&mut self, id: ChannelId, epoch: u64, now_us: u64) {
        self.resize(id, |channel| channel.begin_anew(epoch, now_us));
        self.queue(id);
        self.touch(id);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{DEFAULT, Encoded, Form, LogLimits, Message, Passage, Place, Since};
    use super::*;

    const LIMITS: LogLimits = LogLimits { bytes: 1 << 12, publications: 8, sum_bytes: 1 << 20 };

    fn append(channels: &mut Channels, id: ChannelId, offset: u64, receipt: u64) {
        let frame = Message::Text("x").to_frame();
        channels.append(id, &Encoded::plain(&frame), Place { offset, receipt, now_us: 5, unix_ms: 6 });
    }

    #[test]
    fn offsets_begin_anew_and_subscribers_stay() {
        let mut channels = Channels::new(LIMITS, 1);
        let id = channels.open(&"c".into(), 2, 0);
        let forms = [Form::Plain, Form::Deflated, Form::Envelope, Form::EnvelopeDeflated];
        for form in forms {
            let cursor = channels.enter(id, form, Since::Head, 0).cursor;
            channels.get_mut(id).join(form as u32, cursor, 0);
        }
        let unoffered = channels.log_bytes();
        append(&mut channels, id, 1, 1);
        append(&mut channels, id, 2, 2);
        assert!(!channels.get(id).is_offered(), "there is a walk to come");
        channels.get_mut(id).resume_walk();
        assert!(!channels.get(id).is_offered(), "and under way");
        channels.get_mut(id).end_walk();
        assert!(channels.get(id).is_offered());
        // The one has had everything, and all others nothing.
        let up_to_date = super::super::Cursor::at(channels.get(id).log().head());
        channels.get_mut(id).members[0].cursor = up_to_date;
        channels.get_mut(id).ledger.pass(Passage::Written, 1, 3);
        channels.begin_anew(id, 9, 7);
        let channel = channels.get(id);
        let log = channel.log();
        assert_eq!((channel.epoch, log.first_offset(), log.next_offset(), log.publications()), (9, 1, 1, 0));
        assert_eq!(log.position(up_to_date), Some(log.head()), "it goes on with the next one");
        let lagging = channel.members[1].cursor;
        assert_eq!(channel.log_in(Form::ALL[1]).and_then(|log| log.position(lagging)), None);
        assert!(channels.log_bytes() <= unoffered, "the memory is given back");
        assert!(channels.next_dirty() == Some(id) && channels.get_mut(id).resume_walk().is_some());
        channels.get_mut(id).skip_to_newest(Form::ALL[1]);
        append(&mut channels, id, 1, 3);
        let mut seen = Vec::new();
        channels.settle(9, |d, _| seen.push((d.id, d.offset, d.recipients, d.written, d.gone, d.lagging)));
        let all = forms.len() as u32;
        assert!(
            seen.contains(&(2, 2, all, 1, all - 1, 0)) && seen.contains(&(3, 1, all, 0, 0, all)),
            "{seen:?}"
        );
    }

    #[test]
    fn whoever_has_everything_falls_off_where_something_is_lost() {
        let mut channels = Channels::new(LIMITS, 1);
        let id = channels.open(&"c".into(), 2, 0);
        append(&mut channels, id, 1, 1);
        let cursor = channels.enter(id, Form::Plain, Since::Head, 0).cursor;
        channels.get_mut(id).join(0, cursor, 0);
        for (epoch, next) in [(2, 40), (9, 1), (9, 7)] {
            let head = channels.get(id).log().head();
            let broken = channels.break_off(id, epoch, next, 7);
            assert_eq!(broken, [super::Broken { form: Form::Plain, at: head }]);
            let channel = channels.get_mut(id);
            assert_eq!(
                (channel.epoch, channel.log().next_offset(), channel.log().position(cursor)),
                (epoch, next, None)
            );
            assert!(channel.resume_walk().is_some(), "somebody has to be told");
            channel.end_walk();
        }
        append(&mut channels, id, 7, 3);
        let since = Since::Position(super::super::Position { epoch: 9, offset: 5 });
        let entry = channels.enter(id, Form::Plain, since, 0);
        assert_eq!(
            entry.recovery.and_then(|recovery| recovery.gap()).map(|gap| (gap.from, gap.to)),
            Some((6, 7))
        );
        let last = Since::Position(super::super::Position { epoch: 9, offset: 6 });
        assert_eq!(channels.enter(id, Form::Plain, last, 0).recovery, Some(super::super::Recovery::Whole));
    }

    #[test]
    fn one_without_subscribers_is_offered() {
        let mut channels = Channels::new(LIMITS, 1);
        append(&mut channels, DEFAULT, 1, 1);
        assert!(channels.get(DEFAULT).is_offered());
        channels.begin_anew(DEFAULT, 2, 0);
        assert!(!channels.is_dirty() && !channels.is_unused(DEFAULT));
        append(&mut channels, DEFAULT, 1, 2);
    }
}

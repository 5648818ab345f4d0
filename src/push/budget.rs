//! The bound on the sum of all logs (`logs_bytes_max`): who makes room when it is reached.
//!
//! A log is a bounded piece of history, so giving up its oldest publications is always allowed, as long as everybody
//! was offered them. The one that takes the most memory gives up its older half, as often as it takes; a channel's
//! newest publication, if there are subscribers, only when nothing else is left. So no channel can keep another from
//! being published to, and in the end all that are in use have about the same share. If nobody can give anything up
//! before the next flush, the publication waits for that, as it does for room in its own log.

use super::channels::{ChannelId, Channels, LogLimits};
use super::form::{Form, Lens};
use super::since::Since;
use crate::limits::log_memory_bytes;

/// The entries that an index or a ledger has first.
const ENTRIES_MIN: usize = 8;

/// How many entries an index or a ledger with so many gets when it is full: twice as many, `max` at the most.
pub(super) fn grown(entries: usize, max: usize) -> usize {
    (2 * entries).max(ENTRIES_MIN).min(max)
}

/// Whether there is room for a publication, or for what a subscriber needs of its form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Room {
    /// There is.
    Ready,
    /// Not before the next flush.
    Later,
    /// When this channel, the largest, has given up the older half of its log; then ask again.
    AfterHalving(ChannelId),
}

impl LogLimits {
    /// Bytes that one channel's log takes at the most, in all its forms.
    pub fn whole_bytes(&self) -> usize {
        log_memory_bytes(self.bytes, self.publications)
    }
}

impl Channels {
    /// Bytes allocated for all logs.
    pub fn log_bytes(&self) -> usize {
        self.log_bytes
    }

    /// Whether a publication of this size can be appended: in the channel's log, and among all logs.
    pub fn room_for(&self, id: ChannelId, lens: Lens) -> Room {
        if !self.get(id).has_room(lens) {
            return Room::Later;
        }
        // Far from the bound there is nothing to look at more closely.
        if self.log_bytes + self.limits.whole_bytes() <= self.limits.sum_bytes {
            return Room::Ready;
        }
        self.room_to_grow(self.get(id).log_growth(lens))
    }

    /// Whether a channel can have one more subscriber of this form that begins there: its ring may have to reach
    /// further back.
    pub fn room_to_enter(&self, id: ChannelId, form: Form, since: Since, unix_ms: u64) -> Room {
        self.room_to_grow(self.get(id).growth_to_enter(form, since, unix_ms))
    }

    fn room_to_grow(&self, bytes: usize) -> Room {
        if bytes == 0 || self.log_bytes + bytes <= self.limits.sum_bytes {
            return Room::Ready;
        }
        self.largest_that_can_give().map_or(Room::Later, Room::AfterHalving)
    }

    /// Lets a channel give up the older half of its log.
    pub fn give_up_half(&mut self, id: ChannelId, now_us: u64) {
        self.resize(id, |channel| channel.give_up_half(now_us));
        self.queue(id);
        self.touch(id);
    }

    fn largest_that_can_give(&self) -> Option<ChannelId> {
        let able = self.iter().filter(|(_, channel)| channel.can_give_up_half());
        able.max_by_key(|(_, channel)| (!channel.gives_up_newest(), channel.log_bytes())).map(|(id, _)| id)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Channel, DEFAULT, Encoded, Form, Message, Passage, Place};
    use super::*;

    /// Room for one whole log in two forms, and half as much again.
    const LIMITS: LogLimits =
        LogLimits { bytes: 1 << 14, publications: 64, sum_bytes: 3 * (1 << 14) + 12 * (1 << 10) };

    struct Bench {
        channels: Channels,
        ids: Vec<ChannelId>,
        next: Vec<u64>,
        halved: Vec<String>,
    }

    impl Bench {
        fn new(count: usize) -> Bench {
            let mut channels = Channels::new(LIMITS, 1);
            let ids = (0..count).map(|n| channels.open(&format!("c{n}").into(), 2, 0)).collect();
            Bench { channels, ids, next: vec![1; count], halved: Vec::new() }
        }

        fn publish(&mut self, n: usize, len: usize) -> bool {
            let frame = Message::Binary(&vec![n as u8; len]).to_frame();
            let id = self.ids[n];
            let shorter = Message::Binary(&vec![n as u8; len / 3]).to_frame();
            let encoded = Encoded::plain(&frame).with(Form::Deflated, Some(&shorter));
            loop {
                match self.channels.room_for(id, encoded.lens()) {
                    Room::Ready => break,
                    Room::Later => return false,
                    Room::AfterHalving(largest) => {
                        self.channels.give_up_half(largest, 5);
                        self.halved.push(self.channels.get(largest).name.to_string());
                    }
                }
            }
            let place = Place { offset: self.next[n], receipt: self.next[n], now_us: 5, unix_ms: 0 };
            self.channels.append(id, &encoded, place);
            self.next[n] += 1;
            let recount: usize = self.channels.iter().map(|(_, channel)| channel.log_bytes()).sum();
            assert_eq!(recount, self.channels.log_bytes());
            assert!(recount <= LIMITS.sum_bytes, "{recount} bytes");
            true
        }

        fn join(&mut self, n: usize, form: Form) {
            let channel = self.channels.get_mut(self.ids[n]);
            let cursor = channel.enter_at_head(form);
            channel.join(n as u32, cursor, 0);
        }

        fn channel(&self, n: usize) -> &Channel {
            self.channels.get(self.ids[n])
        }

        fn flush(&mut self) {
            while let Some(id) = self.channels.next_dirty() {
                assert!(self.channels.get_mut(id).resume_walk().is_some());
                self.channels.get_mut(id).end_walk();
                let dirty = self.channels.get_mut(id).resume_walk().is_some();
                self.channels.requeue(id, dirty);
            }
        }
    }

    #[test]
    fn one_log_is_never_in_need_of_room() {
        let mut bench = Bench::new(1);
        for len in [16_000, 1, 5_000].into_iter().cycle().take(500) {
            assert!(bench.publish(0, len));
        }
        assert!(bench.halved.is_empty(), "{:?}", bench.halved);
        assert!(bench.channel(0).log_bytes() <= LIMITS.whole_bytes());
    }

    #[test]
    fn the_largest_gives_and_all_get_a_share() {
        let mut bench = Bench::new(12);
        for _ in 0..100 {
            assert!(bench.publish(0, 500));
        }
        assert!(bench.halved.is_empty());
        for n in (1..12).cycle().take(if cfg!(miri) { 400 } else { 2_000 }) {
            assert!(bench.publish(n, 200));
        }
        assert_eq!(bench.halved[0], "c0", "it had the most");
        for n in 0..12 {
            let log = bench.channel(n).log();
            assert!(log.next_offset() - log.first_offset() >= 1, "channel {n} has nothing left");
            assert!(bench.channel(n).log_bytes() <= 3 * LIMITS.sum_bytes / 12, "channel {n} has too much");
        }
        // As large as it gets: everybody else may have to go, but it is taken.
        assert!(bench.publish(7, LIMITS.bytes - 10));
        assert_eq!(bench.channel(7).log().next_offset(), bench.next[7]);
    }

    #[test]
    fn what_somebody_was_not_offered_stays() {
        let mut bench = Bench::new(20);
        for n in 0..20 {
            bench.join(n, Form::ALL[n % 2]);
        }
        let mut taken = 0;
        while bench.publish(taken % 20, 1_000) {
            taken += 1;
            assert!(taken < 1_000, "there is a bound");
        }
        assert!(bench.halved.is_empty() && taken > 20, "{taken}: {:?}", bench.halved);
        assert!((0..20).all(|n| bench.channel(n).log().first_offset() == 1), "nothing is lost");
        bench.flush();
        assert!(bench.publish(taken % 20, 1_000), "everybody was offered everything");
        assert!(!bench.halved.is_empty());
    }

    #[test]
    fn whoever_was_behind_is_looked_after_and_counted() {
        let mut bench = Bench::new(3);
        bench.channels.set_fallen(Passage::Skipped);
        bench.join(0, Form::Deflated);
        for _ in 0..10 {
            assert!(bench.publish(0, 1_500));
        }
        bench.flush();
        assert!(!bench.channels.is_dirty());
        for _ in 0..40 {
            assert!(bench.publish(1, 380));
            assert!(bench.publish(2, 200));
        }
        assert_eq!(bench.halved, ["c0"]);
        let channel = bench.channel(0);
        assert_eq!(
            (
                channel.log().first_offset(),
                channel.log_in(Form::Deflated).unwrap().position(channel.members[0].cursor)
            ),
            (6, None)
        );
        assert_eq!(bench.channels.next_dirty(), Some(bench.ids[0]), "a walk finds who has fallen off");
        let channel = bench.channels.get_mut(bench.ids[0]);
        assert!(channel.resume_walk().is_some());
        let mut seen = Vec::new();
        bench.channels.settle(9, |d, _| seen.push((d.offset, d.recipients, d.skipped, d.lagging)));
        for offset in 1..=10 {
            let skipped = u32::from(offset < 6);
            assert!(seen.contains(&(offset, 1, skipped, 1 - skipped)), "{offset}: {seen:?}");
        }
    }

    #[test]
    fn a_channel_that_goes_takes_its_bytes_along() {
        let mut bench = Bench::new(1);
        bench.publish(0, 100);
        bench.channels.settle(0, |_, _| {});
        assert!(bench.channels.log_bytes() > 0);
        bench.channels.remove(bench.ids[0], 0, |_, _| {});
        assert_eq!(bench.channels.log_bytes(), 0);
        assert_eq!(bench.channels.get(DEFAULT).log_bytes(), 0);
    }
}

//! The pace of a publication: how it is spread over time, so that a million clients don't answer in the same second.
//!
//! A channel that has publications with a pace is still walked over as any other is: one pass over its subscribers, cut
//! into slices. But its slices are as large as the time that has passed allows. What lies before the first of these
//! publications goes out at once, and one without a pace, or with a faster one, takes along what lies before it: the
//! order stays.

use std::collections::VecDeque;

use super::channel::Channel;
use super::channels::{ChannelId, Channels};
use super::push_error::PushError;
use crate::limits::{PACE_DEADLINE_MS, PACE_RATE};

/// How the writes of a publication are spread over time.
///
/// ```
/// use wspush::{Pace, PushOptions};
///
/// let slowly = PushOptions::default().pace(Pace::PerSecond(5_000));
/// let within_a_minute = PushOptions::default().pace(Pace::WithinMs(60_000));
/// assert_ne!(slowly, within_a_minute);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pace {
    /// So many subscribers a second, 1 to 1,000,000.
    PerSecond(u32),
    /// All who are there within so many milliseconds, 1 to 3,600,000, evenly.
    WithinMs(u32),
}

/// One of several reactors, each of which has about as many subscribers as any other and makes its part of a rate's
/// writes: all of them together make as many as were asked for, in turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    reactor: u64,
    reactors: u64,
}

impl Part {
    /// Of one reactor alone.
    pub const WHOLE: Part = Part { reactor: 0, reactors: 1 };

    /// That of this reactor, of so many.
    pub fn new(reactor: usize, reactors: usize) -> Part {
        Part { reactor: reactor as u64, reactors: reactors.max(1) as u64 }
    }
}

const NS_PER_MS: u64 = 1_000_000;
const NS_PER_S: u64 = 1_000 * NS_PER_MS;

/// A server that was held up writes no more than what this time allows at once, unless a deadline is to be kept.
const CATCH_UP_NS: u64 = 100 * NS_PER_MS;

/// Pacing one behind the other in a channel. One more goes with the last of them.
const GROUPS_MAX: usize = 8;

impl Pace {
    /// The pace of these, of which there may be one.
    ///
    /// # Errors
    /// [`PushError::BadTerms`]: both, or one that is out of its bounds.
    pub fn asked(rate: Option<u64>, deadline_ms: Option<u64>) -> Result<Option<Pace>, PushError> {
        let number = |asked: u64| u32::try_from(asked).unwrap_or(u32::MAX);
        let pace = match (rate, deadline_ms) {
            (None, None) => return Ok(None),
            (Some(rate), None) => Pace::PerSecond(number(rate)),
            (None, Some(ms)) => Pace::WithinMs(number(ms)),
            (Some(_), Some(_)) => return Err(PushError::BadTerms("rate and deadline_ms exclude each other")),
        };
        pace.check().map(|()| Some(pace))
    }

    /// Whether there is such a pace.
    ///
    /// # Errors
    /// [`PushError::BadTerms`]
    pub(crate) fn check(self) -> Result<(), PushError> {
        match self {
            Pace::PerSecond(rate) if !PACE_RATE.contains(u64::from(rate)) => {
                Err(PushError::BadTerms("a rate is a number of writes a second from 1 to 1000000"))
            }
            Pace::WithinMs(ms) if !PACE_DEADLINE_MS.contains(u64::from(ms)) => {
                Err(PushError::BadTerms("a deadline is a number of milliseconds from 1 to 3600000"))
            }
            _ => Ok(()),
        }
    }

    /// From one write to the next.
    fn period_ns(self, subscribers: u32, part: Part) -> u64 {
        match self {
            Pace::PerSecond(rate) => part.reactors * NS_PER_S / u64::from(rate.max(1)),
            Pace::WithinMs(ms) => (u64::from(ms) * NS_PER_MS / u64::from(subscribers.max(1))).max(1),
        }
    }
}

const _: () = assert!(PACE_RATE.max == 1_000_000 && PACE_DEADLINE_MS.max == 3_600_000, "the errors say so");
const _: () = assert!(PACE_RATE.min == 1 && PACE_DEADLINE_MS.min == 1, "the errors say so");

/// Publications that lie one behind the other and go out at the same pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
struct Group {
    /// The offset of the first one.
    first: u64,
    period_ns: u64,
    /// When the last one is to be written, if that was asked for.
    until_ns: Option<u64>,
}

/// The paces of a channel, each slower than the one before it.
#[derive(Clone, Debug, Default, serde::Deserialize, serde::Serialize)]
pub(super) struct Pacing {
    groups: VecDeque<Group>,
    /// When the next write is due; `None`: the first group has not begun.
    due_ns: Option<u64>,
    /// Whether the channel stands in the list of those to be written to in time.
    pub is_listed: bool,
}

impl Pacing {
    /// Another publication has its pace. Slower ones before it are taken along.
    fn add(&mut self, offset: u64, pace: (Pace, Part), subscribers: u32, now_ns: u64) {
        let (pace, part) = pace;
        let period_ns = pace.period_ns(subscribers, part);
        let until_ns = match pace {
            Pace::PerSecond(_) => None,
            Pace::WithinMs(ms) => Some(now_ns + u64::from(ms) * NS_PER_MS),
        };
        let mut first = offset;
        while let Some(slower) = self.groups.back().filter(|last| last.period_ns > period_ns) {
            first = slower.first;
            self.groups.pop_back();
        }
        let has_room = self.groups.len() < GROUPS_MAX;
        match self.groups.back_mut() {
            // Nearly the same pace: as if both had been published at once.
            Some(last) if period_ns <= last.period_ns + last.period_ns / 8 || !has_room => {
                last.until_ns = last.until_ns.and(until_ns);
            }
            _ => self.groups.push_back(Group { first, period_ns, until_ns }),
        }
        if let (1, Some(due_ns)) = (self.groups.len(), &mut self.due_ns) {
            *due_ns = (*due_ns).min(now_ns + period_ns);
        }
    }

    /// How many writes are due.
    fn allowance(&mut self, subscribers: u32, part: Part, now_ns: u64) -> u64 {
        let Some(group) = self.groups.front_mut() else { return 0 };
        let due_ns = self.due_ns.get_or_insert_with(|| {
            // It may have waited for others.
            if let Some(until_ns) = group.until_ns {
                let left_ns = until_ns.saturating_sub(now_ns) / u64::from(subscribers.max(1));
                group.period_ns = group.period_ns.min(left_ns.max(1));
                return now_ns;
            }
            now_ns + group.period_ns / part.reactors * part.reactor
        });
        if group.until_ns.is_none() {
            *due_ns = (*due_ns).max(now_ns.saturating_sub(CATCH_UP_NS));
        }
        match now_ns.checked_sub(*due_ns) {
            None => 0,
            Some(late_ns) => late_ns / group.period_ns + 1,
        }
    }

    /// So many were made.
    fn spend(&mut self, writes: u64) {
        if let (Some(group), Some(due_ns)) = (self.groups.front(), &mut self.due_ns) {
            *due_ns += writes * group.period_ns;
        }
    }
}

impl Channel {
    /// Notes the pace of the publication that was just appended.
    pub(super) fn set_pace(&mut self, offset: u64, pace: Option<(Pace, Part)>, now_us: u64) {
        match pace {
            Some(pace) if self.subscribers > 0 => {
                let paces = self.paces.get_or_insert_default();
                paces.add(offset, pace, self.subscribers, now_us * 1_000);
            }
            _ => self.end_pace(),
        }
    }

    /// Lets all that was published go out at once.
    pub(super) fn end_pace(&mut self) {
        self.paces = None;
    }

    /// Whether something of it goes out at a pace.
    pub fn has_pace(&self) -> bool {
        self.paces.is_some()
    }

    /// Whether the walk that is under way, or the next one, goes at a pace.
    #[inline]
    pub fn is_paced(&self) -> bool {
        match &self.paces {
            None => false,
            Some(paces) => {
                paces.groups.front().is_some_and(|group| self.log().start_of(group.first) <= self.offered)
            }
        }
    }

    /// The first publication that this walk leaves to another one, with another pace. None: it goes up to the head.
    #[inline]
    pub fn walk_until(&self) -> Option<u64> {
        let paces = self.paces.as_ref()?;
        let next = usize::from(self.is_paced());
        paces.groups.get(next).map(|group| group.first)
    }

    /// A walk is over: paces whose publications everybody was offered are over as well.
    pub(super) fn pass_paces(&mut self) {
        let Some(mut paces) = self.paces.take() else { return };
        while !paces.groups.is_empty() {
            let end = paces.groups.get(1).map_or(self.log().head(), |next| self.log().start_of(next.first));
            if end > self.offered {
                self.paces = Some(paces);
                return;
            }
            paces.groups.pop_front();
            paces.due_ns = None;
        }
    }

    /// How many subscribers may be written to by now, if it is paced.
    pub fn pace_allowance(&mut self, part: Part, now_us: u64) -> u64 {
        let subscribers = self.subscribers;
        self.paces.as_mut().map_or(0, |paces| paces.allowance(subscribers, part, now_us * 1_000))
    }

    /// So many were written to.
    pub fn pace_spent(&mut self, writes: u64) {
        if let Some(paces) = &mut self.paces {
            paces.spend(writes);
        }
    }

    /// When the next one is to be written to.
    pub fn pace_due_ms(&self) -> Option<u64> {
        self.paces.as_ref().map(|paces| paces.due_ns.unwrap_or(0).div_ceil(NS_PER_MS))
    }
}

impl Channels {
    /// Puts a channel into the list of those whose publications go out at a pace.
    pub(super) fn list_paced(&mut self, id: ChannelId) {
        if let Some(paces) = &mut self.get_mut(id).paces
            && !std::mem::replace(&mut paces.is_listed, true)
        {
            self.paced.push_back(id);
        }
    }

    /// Whether there is one in it.
    #[inline]
    pub fn has_paced(&self) -> bool {
        !self.paced.is_empty()
    }

    /// How many stand in it.
    pub fn paced(&self) -> usize {
        self.paced.len()
    }

    /// Takes out the next one; it comes [back](Self::requeue) as long as its pace lasts.
    pub fn next_paced(&mut self) -> Option<ChannelId> {
        while let Some(id) = self.paced.pop_front() {
            // One whose pace has ended, or that was forgotten, may have left its line here.
            if let Some(channel) = self.try_get_mut(id)
                && channel.is_paced()
                && let Some(paces) = &mut channel.paces
                && std::mem::take(&mut paces.is_listed)
            {
                return Some(id);
            }
        }
        None
    }

    /// Lets go out at once what a channel has published: something waits for that.
    pub fn end_pace(&mut self, id: ChannelId) {
        if self.get(id).has_pace() {
            self.get_mut(id).end_pace();
            self.queue(id);
        }
    }

    /// The same for all channels.
    pub fn end_paces(&mut self) {
        let all: Vec<ChannelId> =
            self.iter().filter(|(_, channel)| channel.has_pace()).map(|(id, _)| id).collect();
        all.into_iter().for_each(|id| self.end_pace(id));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn firsts(paces: &Pacing) -> Vec<(u64, u64)> {
        paces.groups.iter().map(|group| (group.first, group.period_ns / NS_PER_MS)).collect()
    }

    #[test]
    fn writes_are_due_one_by_one() {
        let mut paces = Pacing::default();
        paces.add(1, (Pace::PerSecond(10), Part::WHOLE), 5, 0);
        let ms = |ms| ms * NS_PER_MS;
        assert_eq!(paces.allowance(5, Part::WHOLE, ms(7)), 1, "the first one at once");
        paces.spend(1);
        assert_eq!(
            (paces.allowance(5, Part::WHOLE, ms(106)), paces.allowance(5, Part::WHOLE, ms(107))),
            (0, 1)
        );
        paces.spend(1);
        assert_eq!(paces.allowance(5, Part::WHOLE, ms(407)), 2, "never more than a tenth of a second behind");
        let mut paces = Pacing::default();
        paces.add(1, (Pace::WithinMs(1_000), Part::WHOLE), 5, 0);
        assert_eq!(paces.allowance(5, Part::WHOLE, 0), 1);
        paces.spend(1);
        assert_eq!(
            (paces.allowance(5, Part::WHOLE, ms(199)), paces.allowance(5, Part::WHOLE, ms(200))),
            (0, 1)
        );
        assert_eq!(paces.allowance(5, Part::WHOLE, ms(950)), 4, "a deadline is kept");
    }

    /// Also fewer a second than there are reactors.
    #[test]
    fn reactors_write_in_turn_and_together_as_many_as_were_asked_for() {
        for (rate, reactors) in [(1, 1), (1, 3), (2, 3), (3, 3), (7, 3), (10, 4), (1, 64)] {
            let mut all = vec![Pacing::default(); reactors];
            for (at, paces) in all.iter_mut().enumerate() {
                paces.add(1, (Pace::PerSecond(rate), Part::new(at, reactors)), 1_000, 0);
            }
            let (mut written, seconds) = (0, 120);
            for ms in 0..seconds * 1_000 {
                let before = written;
                for (at, paces) in all.iter_mut().enumerate() {
                    let due = paces.allowance(1_000, Part::new(at, reactors), ms * NS_PER_MS);
                    paces.spend(due);
                    written += due;
                }
                assert!(written - before <= 1, "{rate} of {reactors}: one after the other");
                let whole = ms * u64::from(rate) / 1_000 + 1;
                assert!(written <= whole && written + 1 >= whole, "{rate} of {reactors}: {written} at {ms}");
            }
        }
    }

    #[test]
    fn one_that_is_faster_takes_along_what_lies_before_it() {
        let mut paces = Pacing::default();
        paces.add(1, (Pace::PerSecond(100), Part::WHOLE), 5, 0);
        paces.add(2, (Pace::PerSecond(10), Part::WHOLE), 5, 0);
        paces.add(3, (Pace::PerSecond(10), Part::WHOLE), 5, 0);
        paces.add(4, (Pace::PerSecond(1), Part::WHOLE), 5, 0);
        assert_eq!(firsts(&paces), [(1, 10), (2, 100), (4, 1_000)]);
        paces.add(5, (Pace::PerSecond(20), Part::WHOLE), 5, 0);
        assert_eq!(firsts(&paces), [(1, 10), (2, 50)]);
        paces.add(6, (Pace::PerSecond(1_000), Part::WHOLE), 5, 0);
        assert_eq!(firsts(&paces), [(1, 1)]);
        for n in 0..20 {
            paces.add(7 + n, (Pace::PerSecond(1_000 >> n.min(9)), Part::WHOLE), 5, 0);
        }
        assert_eq!(paces.groups.len(), GROUPS_MAX);
    }

    #[test]
    fn one_that_has_waited_keeps_its_deadline() {
        let mut paces = Pacing::default();
        paces.add(1, (Pace::PerSecond(10), Part::WHOLE), 4, 0);
        paces.add(2, (Pace::WithinMs(4_000), Part::WHOLE), 4, 0);
        paces.groups.pop_front();
        assert_eq!(paces.allowance(4, Part::WHOLE, 3_000 * NS_PER_MS), 1);
        assert_eq!(firsts(&paces), [(2, 250)]);
    }

    #[test]
    fn bounds() {
        assert_eq!(Pace::asked(None, None), Ok(None));
        assert!(Pace::asked(Some(1), Some(1)).is_err() && Pace::asked(Some(u64::MAX), None).is_err());
        for (pace, is_good) in [
            (Pace::PerSecond(0), false),
            (Pace::PerSecond(1), true),
            (Pace::PerSecond(1_000_000), true),
            (Pace::PerSecond(1_000_001), false),
            (Pace::WithinMs(0), false),
            (Pace::WithinMs(3_600_000), true),
            (Pace::WithinMs(3_600_001), false),
        ] {
            assert_eq!(pace.check().is_ok(), is_good, "{pace:?}");
            let asked = match pace {
                Pace::PerSecond(rate) => Pace::asked(Some(u64::from(rate)), None),
                Pace::WithinMs(ms) => Pace::asked(None, Some(u64::from(ms))),
            };
            assert_eq!(asked.ok(), is_good.then_some(Some(pace)));
        }
    }
}

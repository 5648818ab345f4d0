//! One reactor's side of what all share.

use std::ops::Deref;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::super::addresses::Network;
use super::super::directory::{Forgotten, NoChannel, Opened, Vacated};
use super::super::occupancy::Wish;
use super::super::own::Own;
use super::super::peers::PeerNews;
use super::group::Seats;
use super::inbox::News;
use super::{Command, EndAsked, Shared, Wake, lock};
use crate::endpoint::Stats;
use crate::metrics::{ChannelEnd, Gauges};
use crate::push::Delivery;

/// A reactor's own inbox, and its place among the others.
#[derive(Clone)]
pub(in super::super) struct Lane {
    shared: Arc<Shared>,
    seat: usize,
}

impl Deref for Lane {
    type Target = Arc<Shared>;

    fn deref(&self) -> &Arc<Shared> {
        &self.shared
    }
}

impl Lane {
    /// The reactor with this number among those who share it.
    pub fn new(shared: Arc<Shared>, seat: usize) -> Lane {
        Lane { shared, seat }
    }

    /// Its number.
    pub fn seat(&self) -> usize {
        self.seat
    }

    /// Whether it is the one that the operator and the host ask, and that tells the backend.
    #[inline]
    pub fn is_first(&self) -> bool {
        self.seat == 0
    }

    /// Whether there are others.
    #[inline]
    pub fn has_others(&self) -> bool {
        self.shared.seats.len() > 1
    }

    /// The commands that its own callbacks have put into its inbox.
    #[inline]
    pub fn own(&self) -> &Own {
        &self.shared.seats[self.seat].own
    }

    /// The requests for the end since it last looked.
    pub fn take_end(&self) -> EndAsked {
        let has_end = &self.shared.seats[self.seat].has_end;
        if !has_end.load(Ordering::Acquire) {
            return EndAsked::default();
        }
        let mut inbox = lock(&self.shared.inbox);
        has_end.store(false, Ordering::Relaxed);
        std::mem::take(&mut inbox.queues[self.seat].end)
    }

    /// Takes all that is new, leaving `spare`, which is empty, in the commands' place. None: nothing is.
    pub fn take(&self, spare: &mut Vec<Command>) -> Option<News> {
        debug_assert!(spare.is_empty());
        let has_news = &self.shared.seats[self.seat].has_news;
        if !has_news.load(Ordering::Acquire) {
            return None;
        }
        let mut inbox = lock(&self.shared.inbox);
        has_news.store(false, Ordering::Relaxed);
        let queue = &mut inbox.queues[self.seat];
        queue.bytes = 0;
        let commands = std::mem::replace(&mut queue.commands, std::mem::take(spare));
        Some(News { commands, channels_refused: inbox.directory.refused.clone() })
    }

    /// How many commands wait for this reactor.
    pub fn waiting_here(&self) -> usize {
        lock(&self.shared.inbox).queues[self.seat].commands.len()
    }

    /// The channel of this name for a subscriber from an address, made if need be. A client is told if others have no
    /// room for the word of it; those who were promised it don't depend on that.
    pub fn occupy(&self, channel: &str, from: Network, unix_us: u64, by: Wish) -> Result<Opened, NoChannel> {
        let (mut inbox, mut woken) = (lock(&self.shared.inbox), Seats::NONE);
        let is_new = self.has_others() && inbox.directory.is_unknown(channel);
        let may_wait = is_new && by == Wish::Clients;
        if may_wait && inbox.queues.iter().any(|queue| queue.commands.len() >= self.shared.commands_max) {
            return Err(NoChannel::NotYet);
        }
        let occupied = inbox.directory.occupy(self.seat, channel, from, unix_us);
        self.shared.seats[self.seat].has_news.store(true, Ordering::Release);
        let (opened, forgotten) = occupied?;
        if let Some(forgotten) = forgotten {
            for seat in 0..self.shared.seats.len() {
                self.shared.add_to(&mut inbox, seat, Command::Forget(forgotten.clone()), &mut woken);
            }
        }
        if is_new {
            let news = {
                let (channel, epoch) = (opened.name.clone(), opened.epoch);
                PeerNews::Opened { channel, epoch, first: inbox.directory.first_offset(&opened.name) }
            };
            self.shared.add_news(&mut inbox, self.shared.others(self.seat), &news, &mut woken);
        }
        drop(inbox);
        self.shared.wake(woken, Wake::Yes);
        Ok(opened)
    }

    /// Keeps a channel that is there, in this life of it. False: it is not there any more.
    pub fn hold(&self, channel: &Arc<str>) -> bool {
        lock(&self.shared.inbox).directory.hold(self.seat, channel)
    }

    /// Nobody is subscribed to this channel here, of which so much is logged.
    pub fn vacate(&self, channel: &str, epoch: u64, logged: Option<u64>) -> Vacated {
        let (mut inbox, mut woken) = (lock(&self.shared.inbox), Seats::NONE);
        let vacated = inbox.directory.vacate(self.seat, channel, epoch, logged);
        if vacated == Vacated::Gone && self.has_others() {
            let gone = Forgotten { name: Arc::from(channel), epoch };
            let news = PeerNews::Gone { gone, end: ChannelEnd::Unpublished };
            self.shared.add_news(&mut inbox, self.shared.others(self.seat), &news, &mut woken);
        }
        drop(inbox);
        self.shared.wake(woken, Wake::Yes);
        vacated
    }

    /// Another life of a channel begins, of which so much is logged. None: something is on its way there.
    pub fn begin_anew(&self, channel: &str, logged: u64, unix_us: u64) -> Option<u64> {
        let (mut inbox, mut woken) = (lock(&self.shared.inbox), Seats::NONE);
        let epoch = inbox.directory.begin_anew(channel, logged, unix_us)?;
        if self.has_others() {
            let news = PeerNews::Anew { channel: Arc::from(channel), epoch };
            self.shared.add_news(&mut inbox, self.shared.others(self.seat), &news, &mut woken);
        }
        drop(inbox);
        self.shared.wake(woken, Wake::Yes);
        Some(epoch)
    }

    /// Forgets the channel that has been idle longest, if it is `old` enough.
    pub fn forget_oldest(&self, old: impl FnOnce(&Opened) -> bool) -> Option<Forgotten> {
        let (mut inbox, mut woken) = (lock(&self.shared.inbox), Seats::NONE);
        let forgotten = inbox.directory.forget_oldest(old)?;
        if self.has_others() {
            let news = PeerNews::Gone { gone: forgotten.clone(), end: ChannelEnd::Idle };
            self.shared.add_news(&mut inbox, self.shared.others(self.seat), &news, &mut woken);
        }
        drop(inbox);
        self.shared.wake(woken, Wake::Yes);
        Some(forgotten)
    }

    /// Lets the channel that has been idle longest stay.
    pub fn keep_oldest(&self) {
        lock(&self.shared.inbox).directory.keep_oldest();
    }

    /// Counts a subscriber of a channel that has come to this reactor, or has left. The first reactor hears of the
    /// first one of all that comes and the last one that leaves.
    pub fn count_subscriber(&self, channel: &str, has_come: bool) {
        let (mut inbox, mut woken) = (lock(&self.shared.inbox), Seats::NONE);
        if inbox.directory.count_subscriber(channel, has_come) {
            let news = PeerNews::Occupancy { channel: Arc::from(channel), is_occupied: has_come };
            self.shared.add_news(&mut inbox, Seats::one(0), &news, &mut woken);
        }
        drop(inbox);
        self.shared.wake(woken, Wake::Yes);
    }

    /// Shows the numbers as of this turn.
    pub fn update_stats(&self, update: impl FnOnce(&mut Stats)) {
        update(&mut lock(&self.shared.seats[self.seat].stats));
    }

    /// The same for those that only the metrics have.
    pub fn show_gauges(&self, gauges: Gauges) {
        *lock(&self.shared.seats[self.seat].gauges) = gauges;
    }

    /// The numbers that each of the other reactors has shown.
    pub fn stats_of_others(&self, mut look: impl FnMut(&Stats)) {
        let others = self.shared.seats.iter().enumerate().filter(|&(seat, _)| seat != self.seat);
        others.for_each(|(_, seat)| look(&lock(&seat.stats)));
    }

    /// Keeps deliveries for those who ask.
    pub fn keep_deliveries(&self) -> impl FnMut(&Delivery) + '_ {
        let mut deliveries = lock(&self.shared.seats[self.seat].deliveries);
        move |delivery| deliveries.keep(delivery)
    }

    /// The same for one of several reactors, which has taken in the publications up to this receipt.
    pub fn keep_parts(&self, now_us: u64, taken_in: u64) -> impl FnMut(&Delivery) + '_ {
        let mut deliveries = lock(&self.shared.seats[self.seat].deliveries);
        deliveries.take_in(taken_in);
        move |delivery| deliveries.keep_part(delivery, now_us)
    }
}

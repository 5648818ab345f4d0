//! Several reactors: for which of them something is, and what they tell each other. It goes through the inboxes like
//! everything, so it comes in its order among the publications.

use std::sync::atomic::Ordering;

use super::super::peers::PeerNews;
use super::super::user_commands::UserCommand;
use super::inbox::Inbox;
use super::{Command, Shared, Wake, lock};
use crate::endpoint::ConnId;
use crate::endpoint::reads::Question;
use crate::metrics::Gauges;

/// The reactors that something is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Addressee {
    One(usize),
    All,
}

/// Some of the reactors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Seats(u64);

impl Seats {
    pub const NONE: Seats = Seats(0);

    pub fn one(seat: usize) -> Seats {
        Seats(1 << seat)
    }

    pub fn add(&mut self, seat: usize) {
        self.0 |= 1 << seat;
    }

    pub fn without(self, others: Seats) -> Seats {
        Seats(self.0 & !others.0)
    }

    pub fn iter(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let seat = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (seat < u64::BITS as usize).then_some(seat)
        })
    }
}

impl Command {
    /// The reactors that are to carry it out, of so many.
    pub(super) fn addressee(&self, reactors: usize) -> Addressee {
        let has =
            |conn: &ConnId| Addressee::One(Some(conn.reactor()).filter(|&at| at < reactors).unwrap_or(0));
        if reactors == 1 {
            return Addressee::One(0);
        }
        match self {
            Command::Send { conn, .. }
            | Command::Close { conn, .. }
            | Command::Reply { conn, .. }
            | Command::BringUpToDate { conn }
            | Command::Subscribe { conn, .. }
            | Command::Unsubscribe { conn, .. }
            | Command::Tune { conn, .. }
            | Command::Flow { conn, .. }
            | Command::Decide { conn, .. }
            | Command::Authorize { conn, .. } => has(conn),
            Command::Vouched(vouched) => has(&vouched.conn),
            Command::User(command) => command.connection().map_or(Addressee::All, |conn| has(&conn)),
            Command::Ask(question) => match &**question {
                Question::Session(conn, _) => has(conn),
                _ => Addressee::One(0),
            },
            Command::Publish { .. } | Command::Forget(_) | Command::Reload(_) | Command::KeysRead(_) => {
                Addressee::All
            }
            Command::NotTold(_)
            | Command::Traced(_)
            | Command::SaveState
            | Command::Snapshot(_)
            | Command::Peer(_) => Addressee::One(0),
        }
    }

    /// The channel that connections are to receive by it.
    pub(super) fn subscribes_to(&self) -> Option<&str> {
        match self {
            Command::Subscribe { channel, .. } => Some(channel),
            Command::User(command) => command.subscribes_to(),
            _ => None,
        }
    }

    /// The same command once for each reactor.
    fn divide(self, reactors: usize) -> Vec<Command> {
        let mut parts: Vec<Command> = match &self {
            Command::User(_) => Vec::new(),
            Command::Reload(renewal) => (1..reactors).map(|_| Command::Reload(renewal.clone())).collect(),
            Command::KeysRead(read) => (1..reactors).map(|_| Command::KeysRead(read.clone())).collect(),
            _ => Vec::new(),
        };
        match self {
            Command::User(command) => {
                let divided = UserCommand::divide(*command, reactors).into_iter();
                divided.map(|part| Command::User(Box::new(part))).collect()
            }
            whole => {
                parts.push(whole);
                parts
            }
        }
    }
}

impl Shared {
    /// Puts a command into the inboxes of those that are to carry it out, and notes which of them have to be woken.
    pub(super) fn add(&self, inbox: &mut Inbox, command: Command, woken: &mut Seats) {
        match command.addressee(self.seats.len()) {
            Addressee::One(seat) => self.add_to(inbox, seat, command, woken),
            Addressee::All => {
                for (seat, part) in command.divide(self.seats.len()).into_iter().enumerate() {
                    self.add_to(inbox, seat, part, woken);
                }
            }
        }
    }

    /// Puts a command into one inbox, and notes whether its reactor has to be woken for it.
    pub(super) fn add_to(&self, inbox: &mut Inbox, seat: usize, command: Command, woken: &mut Seats) {
        if inbox.queues[seat].has_ended {
            return self.add_instead(inbox, command, woken);
        }
        let queue = &mut inbox.queues[seat];
        if queue.commands.is_empty() {
            woken.add(seat);
        }
        queue.add(command);
        self.show_added(inbox, seat);
    }

    /// The reactor that a command is for has ended: whoever waits for what comes of it is answered by the first one.
    #[cold]
    fn add_instead(&self, inbox: &mut Inbox, command: Command, woken: &mut Seats) {
        match command {
            Command::Peer(news) if news.is_job() => self.add_to(inbox, 0, Command::Peer(news), woken),
            Command::User(command) => self.add_to(inbox, 0, Command::User(Box::new(command.over())), woken),
            _ => {}
        }
    }

    /// Tells reactors something, under the lock that the caller holds.
    pub(super) fn add_news(&self, inbox: &mut Inbox, to: Seats, news: &PeerNews, woken: &mut Seats) {
        for seat in to.iter() {
            if let Some(copy) = news.copied() {
                self.add_to(inbox, seat, Command::Peer(Box::new(copy)), woken);
            }
        }
    }

    /// All reactors but this one.
    pub(super) fn others(&self, seat: usize) -> Seats {
        let mut all = Seats::NONE;
        (0..self.seats.len()).for_each(|other| all.add(other));
        all.without(Seats::one(seat))
    }

    /// For a reactor: tells all others something, behind all that it has told them and that was published until now.
    pub(in super::super) fn tell_others(&self, seat: usize, news: &PeerNews) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.add_news(&mut inbox, self.others(seat), news, &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// The same to one, or to the first one in place of one that has ended.
    pub(in super::super) fn tell_one(&self, seat: usize, news: PeerNews) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        self.add_to(&mut inbox, seat, Command::Peer(Box::new(news)), &mut woken);
        drop(inbox);
        self.wake(woken, Wake::Yes);
    }

    /// How many subscribers a channel has at all reactors.
    pub(in super::super) fn subscribers(&self, channel: &str) -> u32 {
        lock(&self.inbox).directory.subscribers(channel)
    }

    /// A reactor has drained: what it was still told goes to the first one, which answers whoever waits for it.
    pub(in super::super) fn end_seat(&self, seat: usize) {
        let (mut inbox, mut woken) = (lock(&self.inbox), Seats::NONE);
        inbox.queues[seat].has_ended = true;
        for command in std::mem::take(&mut inbox.queues[seat].commands) {
            self.add_instead(&mut inbox, command, &mut woken);
        }
        drop(inbox);
        // It has no recipients any more.
        lock(&self.seats[seat].deliveries).take_in(u64::MAX);
        (self.seats[0].wake)();
    }

    /// The other reactors than the first are to end at once: nobody drives that one any more.
    pub fn abandon(&self) {
        self.is_abandoned.store(true, Ordering::Release);
        self.seats[1..].iter().for_each(|seat| (seat.wake)());
    }

    /// Whether they are.
    pub fn is_abandoned(&self) -> bool {
        self.is_abandoned.load(Ordering::Acquire)
    }

    /// A reactor has failed, and with it the server.
    pub fn fail(&self, seat: usize, problem: String) {
        lock(&self.failure).get_or_insert(problem);
        self.end_seat(seat);
    }

    /// Why a reactor has failed, if one has.
    pub fn failure(&self) -> Option<String> {
        if self.seats.len() == 1 { None } else { lock(&self.failure).clone() }
    }

    /// Whether all reactors but the first one have drained.
    pub(in super::super) fn have_others_ended(&self) -> bool {
        self.seats.len() == 1 || lock(&self.inbox).queues[1..].iter().all(|queue| queue.has_ended)
    }

    /// The numbers of all reactors, one by one.
    pub(in super::super) fn gauges(&self) -> Vec<Gauges> {
        self.seats.iter().map(|seat| lock(&seat.gauges).clone()).collect()
    }
}

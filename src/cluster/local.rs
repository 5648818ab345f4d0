//! Publications that this node places itself while Redis is away (`cluster_down = local`): for its own clients alone,
//! in a life of each channel that is younger than all that was. Redis alone can judge an idempotency key, `if_offset`
//! and a revocation: those are refused as otherwise.
//!
//! When Redis is back, another life of these channels begins at all nodes before anything is handed over again: the
//! others have missed what was placed here, and this node's clients what was placed elsewhere. All of them are told.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use redis::cmd;

use super::connect::Link;
use super::{Terms, call};
use crate::endpoint::{Published, Receipt};
use crate::push::{FIRST_OFFSET, PushError};
use crate::reactor::Shared;
use crate::reactor::engine::{Arriving, Asked, Asker, Call, Manner, ReturnTo, Wanted};

/// Channels of which Redis is told before it is asked again which there are.
const AT_ONCE: usize = 512;

/// The lives of channels that have begun here.
#[derive(Debug)]
pub(super) struct Local {
    places: Mutex<Places>,
    channels_max: usize,
}

#[derive(Debug, Default)]
struct Places {
    lives: HashMap<Arc<str>, Life>,
    /// Redis is there again, and is being told.
    is_ending: bool,
}

#[derive(Debug)]
struct Life {
    epoch: u64,
    next: u64,
    /// The newest publication's time.
    last: Instant,
}

/// A life that is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Over {
    pub channel: Arc<str>,
    pub epoch: u64,
    /// The time since its newest publication.
    pub age: Duration,
}

impl Local {
    pub fn new(channels_max: usize) -> Local {
        Local { places: Mutex::default(), channels_max }
    }

    fn lock(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does here what is asked for; None: Redis is there, and it goes to that.
    pub fn ask(&self, terms: &Terms, shared: &Shared, asked: Asked) -> Result<Option<Asked>, PushError> {
        let Some(why) = terms.counts.writer_away() else { return Ok(Some(asked)) };
        match &asked.what {
            Wanted::Publish { key: None, if_offset: None, .. } => {
                let Some(published) = self.place(terms, shared, &asked)? else { return Ok(Some(asked)) };
                shared.placed(asked, Ok(published));
                Ok(None)
            }
            Wanted::Call { call, node: None } if is_for_here(call) => {
                self.call(terms, shared, call, (asked.ticket, asked.asker))?;
                Ok(None)
            }
            Wanted::Reply { to, said } if *to.origin == terms.origin => {
                if let Some((asker, answered)) = terms.calls.say(to.ticket, &terms.origin, (**said).clone()) {
                    shared.answered(asker, answered);
                }
                Ok(None)
            }
            _ => Err(PushError::Unavailable(why)),
        }
    }

    /// Gives publications their places here, all of them or none. None: Redis is there again.
    fn place(&self, terms: &Terms, shared: &Shared, asked: &Asked) -> Result<Option<Published>, PushError> {
        let Wanted::Publish { publications, except, .. } = &asked.what else { return Ok(None) };
        let mut places = self.lock();
        if terms.counts.writer_away().is_none() {
            return Ok(None);
        }
        if places.is_ending {
            return Err(PushError::Unavailable("the cluster is just coming back".into()));
        }
        if places.lives.len() + publications.len() > self.channels_max
            && publications.iter().any(|(channel, _)| !places.lives.contains_key(channel))
        {
            return Err(PushError::TooManyChannels { max: self.channels_max });
        }
        let unix_us = terms.outside.unix_us();
        let (mut arriving, mut receipts) = (Vec::new(), Vec::new());
        let mut next: HashMap<&str, (u64, u64)> = HashMap::new();
        let except = except.iter().copied().chain(std::iter::repeat(None));
        for (((channel, publication), except), ticket) in publications.iter().zip(except).zip(asked.ticket..)
        {
            let (epoch, offset) = next.entry(channel).or_insert_with(|| match places.lives.get(channel) {
                Some(life) => (life.epoch, life.next),
                None => (unix_us.max(shared.position_of(channel).0 + 1), FIRST_OFFSET),
            });
            receipts.push(Receipt { channel: channel.clone(), epoch: *epoch, offset: *offset, id: ticket });
            arriving.push(Arriving {
                channel,
                epoch: *epoch,
                offset: *offset,
                publication: publication.clone(),
                own: Some(ticket),
                except,
            });
            *offset += 1;
        }
        shared.deliver_all(arriving, unix_us)?;
        for Receipt { channel, epoch, offset, .. } in &receipts {
            let life = Life { epoch: *epoch, next: offset + 1, last: terms.outside.now() };
            places.lives.insert(channel.clone(), life);
        }
        terms.counts.local.fetch_add(receipts.len() as u64, Ordering::Relaxed);
        Ok(Some(Published::new(receipts, false)))
    }

    /// Something for the connections of a user, of which this node looks for its own.
    fn call(
        &self,
        terms: &Terms,
        shared: &Shared,
        call: &Call,
        (ticket, asker): (u64, Asker),
    ) -> Result<(), PushError> {
        if !matches!(asker, Asker::Reactor(_)) {
            return shared.called(call, None);
        }
        terms.calls.begin(ticket, asker, terms.outside.now());
        terms.calls.expect(ticket, vec![terms.origin.clone()]);
        let to = ReturnTo { origin: Arc::from(terms.origin.as_str()), ticket, manner: Manner::Outcome };
        shared.called(call, Some(to)).inspect_err(|_| terms.calls.withdraw(ticket))
    }

    /// Redis is there again: nothing more is placed here until that has heard of what was.
    pub fn end(&self) {
        self.lock().is_ending = true;
    }

    /// Some of the lives of which it has not heard.
    pub fn over(&self, now: Instant, count: usize) -> Vec<Over> {
        let places = self.lock();
        let over = places.lives.iter().take(count).map(|(channel, life)| Over {
            channel: channel.clone(),
            epoch: life.epoch,
            age: now.saturating_duration_since(life.last),
        });
        over.collect()
    }

    /// It has heard of these.
    pub fn forget(&self, over: &[Over]) {
        let mut places = self.lock();
        for Over { channel, .. } in over {
            places.lives.remove(channel);
        }
        places.lives.shrink_to(0);
    }

    /// It takes publications again, or is away after all.
    pub fn go_on(&self) {
        self.lock().is_ending = false;
    }
}

impl Link {
    /// Tells Redis of the channels that have lived here: another life of them begins for all.
    ///
    /// # Errors
    /// The connection's, or why the server does not do it.
    pub fn tell_of(&mut self, terms: &Terms, local: &Local) -> Result<(), String> {
        loop {
            let over = local.over(terms.outside.now(), AT_ONCE);
            if over.is_empty() {
                return Ok(());
            }
            for Over { channel, epoch, age } in &over {
                let (mut command, partition) = (cmd("EVALSHA"), terms.keys.partition(channel));
                command.arg(&self.scripts.forget).arg(3);
                terms.keys.of_partition(partition).iter().for_each(|key| _ = command.arg(key));
                let (known, entry) = terms.known.of(partition);
                command.arg(&**channel).arg(known).arg(entry).arg(*epoch);
                command.arg(u64::try_from(age.as_micros()).unwrap_or(u64::MAX));
                self.ask(&command)?;
            }
            local.forget(&over);
        }
    }
}

/// Whether a call can be followed by one node alone: a revocation would be lost to the others.
fn is_for_here(called: &Call) -> bool {
    matches!(called, Call::User(_)) && call::revoked(called).is_none()
}

//! The hand-over as the old process goes through it: it asks its reactors to stop, tells what they have, and gives it
//! up or goes on.

use std::fmt::Display;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::Interest;
use mio::unix::SourceFd;

use super::meeting::{Lead, Meeting, Part, Step, Sums};
use super::predecessor::{Asking, Succession};
use super::records::{Kind, Teller};
use super::{CONNECTIONS_PER_MS, FROZEN_MS, LOOK_MS};
use crate::config::LogLevel;
use crate::narrow;
use crate::reactor::event_loop::{EventLoop, WAKER};
use crate::reactor::listener::Listener;

/// One reactor's part in a hand-over.
#[derive(Default)]
pub struct Handing {
    /// By which a successor asks; the first one's.
    pub(in super::super) succession: Option<Box<Succession>>,
    part: Option<Box<Part>>,
    /// The process that has taken over.
    successor: Option<u32>,
}

impl EventLoop {
    /// The same with a path at which a successor asks, for the first of some reactors.
    pub(super) fn with_succession(mut self, succession: Succession) -> io::Result<EventLoop> {
        let fd = succession.door.socket.as_raw_fd();
        self.poll.registry().register(&mut SourceFd(&fd), WAKER, Interest::READABLE)?;
        self.handing.succession = Some(Box::new(succession));
        Ok(self)
    }

    /// The same as one of those who meet.
    pub(super) fn with_part(mut self, meeting: &Arc<Meeting>, seat: usize) -> EventLoop {
        self.handing.part = Some(Box::new(Part::new(meeting.clone(), seat)));
        self
    }

    /// The process that has taken over from this one.
    pub fn successor(&self) -> Option<u32> {
        self.handing.successor
    }

    /// When this is looked after again.
    pub(in super::super) fn succession_due_ms(&self) -> Option<u64> {
        let asks = self.handing.succession.as_ref().is_some_and(|succession| succession.asking.is_some());
        let is_due = asks || self.handing.part.as_ref().is_some_and(|part| part.is_due());
        is_due.then(|| self.reactor.now().mono_ms() + LOOK_MS)
    }

    /// At the end of a turn: looks whether a successor asks, and stands still if all are to.
    pub(in super::super) fn look_after_succession(&mut self) {
        if self.handing.succession.is_some() {
            self.look_after_caller();
        }
        let Some(part) = &mut self.handing.part else { return };
        if part.is_stopped() || !part.meeting().is_called() {
            return;
        }
        let has_newcomers = self.doors.as_ref().is_some_and(|doors| doors.has_some());
        if self.reactor.is_quiet() && self.anteroom.is_empty() && !has_newcomers {
            part.stop();
            self.stands_still(Some(Duration::ZERO));
        } else if self.handing.succession.is_some() {
            self.lead();
        }
    }

    fn look_after_caller(&mut self) {
        let now_ms = self.reactor.now().mono_ms();
        let Some(succession) = &mut self.handing.succession else { return };
        if let Err(problem) = succession.take_caller(self.poll.registry(), now_ms) {
            return self.note_failed(&problem);
        }
        let Some(asking) = &mut succession.asking else { return };
        match asking.has_asked(now_ms) {
            Ok(true) => {}
            Ok(false) => return,
            Err(problem) => {
                self.end_asking();
                return self.note_failed(&problem);
            }
        }
        match asking.refusal().or_else(|| self.reactor.refuses_successor().map(str::to_owned)) {
            Some(why) => self.refuse(&why),
            None => {
                if self.handing.part.as_ref().is_some_and(|part| part.meeting().call()) {
                    self.reactor.wake_others();
                }
            }
        }
    }

    /// Takes the process that asks out of the poll.
    fn end_asking(&mut self) -> Option<Asking> {
        let asking = self.handing.succession.as_mut()?.asking.take()?;
        // It is there; and if it weren't, there would be nothing to take out.
        let _ = self.poll.registry().deregister(&mut SourceFd(&asking.stream.as_raw_fd()));
        Some(asking)
    }

    fn refuse(&mut self, why: &str) {
        if let Some(Asking { stream, .. }) = self.end_asking() {
            let until = Instant::now() + Duration::from_millis(LOOK_MS);
            // If it doesn't listen it goes without.
            let _ = Teller::new(stream, until).tell(Kind::Refused, &why, &[]);
        }
        self.note_failed(&why);
    }

    fn note_failed(&mut self, problem: &dyn Display) {
        let fields: [(&str, &dyn Display); 2] = [("problem", problem), ("so", &"this server goes on")];
        let now = self.reactor.now();
        self.reactor.journal().event(now, LogLevel::Warn, "handover_failed", &fields);
    }

    /// Whether this reactor stands still; then it does what is to be done in place of a turn.
    pub(in super::super) fn stands_still(&mut self, timeout: Option<Duration>) -> bool {
        if !self.handing.part.as_ref().is_some_and(|part| part.is_stopped()) {
            return false;
        }
        if self.handing.succession.is_some() {
            self.lead();
        }
        let has_newcomers = self.doors.as_ref().is_some_and(|doors| doors.has_some());
        let has_news = has_newcomers || !self.reactor.is_quiet();
        let Some(part) = &mut self.handing.part else { return false };
        match part.step(has_news, timeout) {
            Step::Wait => true,
            Step::GoOn => false,
            Step::Tell(mut teller) => {
                let told = self.reactor.tell_all(&mut teller);
                part.told(teller, told, self.reactor.connections());
                true
            }
            Step::GiveUp => {
                let moved = std::mem::take(&mut part.moved);
                self.give_up(&moved);
                false
            }
        }
    }

    /// The first one's side of it.
    fn lead(&mut self) {
        loop {
            let Some(meeting) = self.handing.part.as_ref().map(|part| part.meeting().clone()) else { return };
            let now_ms = self.clock.now().mono_ms();
            let is_late = self.handing.succession.as_ref().is_some_and(|succession| {
                succession.asking.as_ref().is_some_and(|asking| asking.is_late(now_ms))
                    || succession.span.as_ref().is_some_and(|span| Instant::now() >= span.end)
            });
            let (shared, doors) = (self.reactor.shared(), &self.doors);
            let freeze = || doors.as_ref().is_none_or(|doors| doors.are_empty()) && shared.freeze();
            match meeting.lead(is_late, freeze) {
                Lead::Wait => return,
                Lead::Begin => self.begin_telling(),
                Lead::End(mut teller, sums) => {
                    let over = teller.end().and_then(|()| teller.await_word());
                    self.handing.successor = teller.peer().filter(|_| over.is_ok());
                    return self.end_meeting(&meeting, over.map(|()| sums));
                }
                Lead::Failed(problem) => return self.end_meeting(&meeting, Err(problem)),
            }
        }
    }

    /// All stand still: nobody is served until it is over, and if it fails nothing has happened.
    fn begin_telling(&mut self) {
        let Some(Asking { stream, .. }) = self.end_asking() else { return };
        let ms = FROZEN_MS + self.reactor.connections_of_all() as u64 / CONNECTIONS_PER_MS;
        let now = Instant::now();
        let until = now + Duration::from_millis(ms);
        if let Some(succession) = &mut self.handing.succession {
            succession.span = Some(now..until);
        }
        let told = stream.set_nonblocking(false);
        let mut teller = Teller::new(stream, until);
        let told = told.and_then(|()| self.tell_first(&mut teller));
        if let Some(part) = &mut self.handing.part {
            part.told(teller, told, self.reactor.connections());
        }
    }

    fn tell_first(&mut self, out: &mut Teller) -> io::Result<Vec<usize>> {
        let reactors = self.handing.part.as_ref().map_or(1, |part| part.meeting().reactors());
        out.tell(Kind::Head, &(self.reactor.now().mono_us, narrow::to_u32(reactors)), &[])?;
        let (mut images, mut fds) = (Vec::new(), Vec::new());
        for listener in &self.listeners {
            let (image, own) = listener.image();
            images.push(image);
            fds.extend(own);
        }
        let door = self.handing.succession.as_ref().map(|succession| {
            let (image, own) = succession.door.image();
            fds.extend(own);
            image
        });
        out.tell(Kind::Listeners, &(images, door), &fds)?;
        out.tell_made(Kind::Shared, &self.reactor.shared().image().map_err(io::Error::other)?)?;
        self.reactor.tell_all(out)
    }

    /// It is over: the others hear of it by the meeting.
    fn end_meeting(&mut self, meeting: &Meeting, over: io::Result<Sums>) {
        let began = self.handing.succession.as_mut().and_then(|succession| succession.span.take());
        let Err(problem) = over.map(|Sums { moved, stay }| {
            let stood_still_ms = began.map_or(0, |span| span.start.elapsed().as_millis());
            let fields: [(&str, &dyn Display); 3] =
                [("connections", &moved), ("stay", &stay), ("ms", &stood_still_ms)];
            let now = self.reactor.now();
            self.reactor.journal().event(now, LogLevel::Info, "handed_over", &fields);
            meeting.close(true);
        }) else {
            return;
        };
        self.reactor.shared().thaw();
        meeting.close(false);
        self.refuse(&problem.to_string());
    }

    /// The successor has taken over: its sockets are touched no more.
    fn give_up(&mut self, moved: &[usize]) {
        let registry = self.poll.registry();
        for &index in moved {
            if let Some(stream) = self.reactor.socket(index) {
                let _ = registry.deregister(&mut SourceFd(&stream.0.as_raw_fd()));
            }
        }
        for listener in self.listeners.drain(..) {
            let _ = registry.deregister(&mut SourceFd(&listener.socket.as_raw_fd()));
            Listener::give_up(listener);
        }
        if let Some(mut succession) = self.handing.succession.take() {
            let _ = registry.deregister(&mut SourceFd(&succession.door.socket.as_raw_fd()));
            succession.door.place.give_up();
        }
        self.reactor.succeeded(moved);
    }
}

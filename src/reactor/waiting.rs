//! Requests whose answer takes more than a turn, or comes behind what was asked for before: on the admin listener,
//! where the connection that has asked is not read meanwhile, and by the host.

use std::sync::{Arc, Mutex};

use crate::endpoint::reads::Answer;
use crate::metrics::WorkKind;
use crate::protocol::head::Head;
use crate::protocol::response::Response;

use super::connections::Gone;
use super::engine::ReturnTo;
use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;
use super::user_commands::Gathering;
use super::work::{CALL, FIRST};

/// A connection that waits for an answer.
#[derive(Clone, Copy, Debug)]
pub struct Waiting {
    index: usize,
    serial: u32,
    is_head: bool,
    /// Whether there may be further requests behind it.
    goes_on: bool,
}

#[cfg(test)]
impl Waiting {
    pub(super) fn of(index: usize, serial: u32) -> Waiting {
        Waiting { index, serial, is_head: false, goes_on: false }
    }
}

/// The one who waits for what comes of a request.
#[derive(Debug)]
pub enum Asker<T> {
    /// Nobody does.
    Nobody,
    /// A connection of the admin API.
    Connection(Waiting),
    /// The host.
    Host(Answer<T>),
    /// One of these, when the other reactors have done their part.
    Whole(Arc<Mutex<Gathering>>),
    /// Another node of a cluster, or this one among all.
    Node(ReturnTo),
}

/// An answer that is found and not yet given.
pub enum Told {
    /// To a connection of the admin API.
    Connection(Waiting, Response),
    /// To the host: calls its function.
    Host(Box<dyn FnOnce() + Send>),
}

impl<S: Socket> Reactor<S> {
    /// Lets a connection wait for the answer to this request.
    pub(super) fn begin_waiting(&mut self, index: usize, head: &Head<'_>, goes_on: bool) -> Waiting {
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::LISTING, true);
        Waiting { index, serial: slot.serial, is_head: head.method == "HEAD", goes_on }
    }

    /// It is answered at once after all.
    pub(super) fn end_waiting(&mut self, index: usize) {
        self.connections.slots[index].flags.set(Flags::LISTING, false);
    }

    /// Whether somebody still waits.
    pub(super) fn is_waiting(&self, waiting: &Waiting) -> bool {
        self.connections.has(waiting.index, waiting.serial)
    }

    /// Gives the answers that commands have led to. They are not given at once: a command may be carried out while
    /// another connection is answered.
    pub(super) fn give_answers(&mut self) {
        while !self.work.is_part_used()
            && let Some(told) = self.inbox.answers.pop_front()
        {
            self.work.charge(WorkKind::Listing, CALL);
            match told {
                Told::Connection(waiting, response) => self.answer_waiting(waiting, &response),
                Told::Host(call) => {
                    self.shared.own().begin();
                    call();
                    self.shared.own().end();
                }
            }
        }
        if !self.inbox.answers.is_empty() {
            self.work.cut(WorkKind::Listing);
        }
    }

    /// Whether there are answers to give in the next turn.
    pub(super) fn has_answers_to_give(&self) -> bool {
        !self.inbox.answers.is_empty() || !self.listings.is_empty()
    }

    /// Answers whoever waits, if it does, and goes on with what it says next.
    pub(super) fn answer_waiting(&mut self, waiting: Waiting, response: &Response) {
        let Waiting { index, is_head, goes_on, .. } = waiting;
        if !self.is_waiting(&waiting) {
            return;
        }
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::LISTING, false);
        if slot.flags.any(Flags::FINISH) {
            // It was told to go meanwhile; its end is awaited.
            self.go_on_later(index);
            return;
        }
        let goes_on = goes_on && self.exit.draining.is_none();
        response.write(&mut self.scratch.replies, goes_on, is_head);
        if self.send_replies(index) == Err(Gone) {
            return;
        }
        if goes_on {
            // The edge of what it has said meanwhile has passed.
            self.readable(index, true, FIRST);
        } else {
            let _ = self.finish(index);
        }
    }
}

//! Subscribers that need more than the bytes of their form: the walk leaves them out, and behind its slice each is
//! served by itself.

use crate::push::{Channel, ChannelId, Form};

use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;

/// Everybody takes the plain form: nobody is asked for it.
pub(super) const PLAIN: u8 = 0;
/// There are several forms.
pub(super) const SEVERAL: u8 = 1;
/// And there may be some who need more than the bytes of their form.
pub(super) const APART: u8 = 2;

/// The question that a walk through a channel asks each subscriber. The walk is compiled for each of them, so that
/// nobody pays for what others take.
pub(super) fn asked_of(channel: &Channel) -> u8 {
    match channel {
        channel if !channel.has_other_forms() => PLAIN,
        channel if Form::STREAMED.into_iter().any(|form| channel.ring(form).is_some()) => APART,
        _ => SEVERAL,
    }
}

impl<S: Socket> Reactor<S> {
    /// Offers those what is there who need more than the bytes of their form. Nothing is published meanwhile.
    #[inline]
    pub(super) fn serve_apart(&mut self, id: ChannelId) {
        if !self.walk.apart.is_empty() {
            self.serve_each_apart(id);
        }
    }

    #[cold]
    fn serve_each_apart(&mut self, id: ChannelId) {
        let mut apart = std::mem::take(&mut self.walk.apart);
        for index in apart.drain(..).map(|index| index as usize) {
            // It may have gone for the room that another one needed.
            let Some(cursor) = self.connections.slots.get(index).and_then(|_| self.cursor(index, id)) else {
                continue;
            };
            if !self.connections.slots[index].flags.any(Flags::BLOCKED) {
                self.catch_up(index, id);
            } else if self.is_fallen(index, id, cursor) {
                self.fallen(index, id);
            }
        }
        self.walk.apart = apart;
        self.scratch.answer.give_back();
    }
}

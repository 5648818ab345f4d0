//! Clients that are ahead of this node: they come from another one of its cluster, with a position that this one has
//! not read yet. Told that they have missed something they would get it twice, so they are to come again. A position
//! that is still beyond the end when all was read that was there when it came, is of nothing that there is.

use std::collections::VecDeque;

use super::reactor::Reactor;
use super::socket::Socket;
use crate::push::{ChannelId, Position, Since};

/// Positions that are remembered. One that is forgotten for others is asked to come once more.
const NOTES_MAX: usize = 64;

/// The positions that have come too early.
#[derive(Debug, Default)]
pub(super) struct Ahead(VecDeque<Note>);

#[derive(Debug)]
struct Note {
    channel: ChannelId,
    position: Position,
    /// When it came first, in microseconds since 1970.
    since_us: u64,
}

impl Ahead {
    /// Whether a position may be one that is still to be read, where all is read that was there at a time.
    fn is_to_wait(&mut self, channel: ChannelId, position: Position, (now_us, read_us): (u64, u64)) -> bool {
        let known = self.0.iter().position(|note| note.channel == channel && note.position == position);
        match known {
            Some(at) if self.0[at].since_us < read_us => {
                self.0.remove(at);
                false
            }
            Some(_) => true,
            None if now_us < read_us => false,
            None => {
                if self.0.len() == NOTES_MAX {
                    self.0.pop_front();
                }
                self.0.push_back(Note { channel, position, since_us: now_us });
                true
            }
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Whether a client that begins there is to come again, when this node has read more.
    pub(super) fn is_ahead(&mut self, id: ChannelId, since: Since) -> bool {
        let (Since::Position(position), Some(engine)) = (since, self.shared.engine()) else { return false };
        let channel = self.channels.get(id);
        if (position.epoch, position.offset) < (channel.epoch, channel.log().next_offset()) {
            return false;
        }
        let read_us = engine.read_until_us();
        self.ahead.is_to_wait(id, position, (self.now.unix_us, read_us))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::push::DEFAULT;

    #[test]
    fn a_position_waits_until_all_is_read_that_was_there_when_it_came() {
        let mut ahead = Ahead::default();
        let mut asks = |offset, times| ahead.is_to_wait(DEFAULT, Position { epoch: 7, offset }, times);
        assert!(asks(5, (100, 90)) && asks(5, (200, 100)), "nothing was read since");
        assert!(asks(6, (201, 100)), "another one");
        assert!(!asks(5, (300, 101)), "all was");
        assert!(asks(5, (400, 101)), "it may be there by now");
        (0..NOTES_MAX as u64).for_each(|n| assert!(asks(1_000 + n, (500, 500))));
        assert!(asks(6, (600, 600)), "it was forgotten");
        assert!(!asks(7, (600, u64::MAX)), "nothing is to be read");
        assert_eq!(ahead.0.len(), NOTES_MAX);
    }
}

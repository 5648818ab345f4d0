//! A client that publishes does not get its own publication. That lies in the log as for everybody; its sender has
//! everything before it, or is owed that from its outbox, and its cursor passes over it. So nobody else's delivery has
//! to look who has sent what.

use std::collections::VecDeque;

use crate::endpoint::ConnId;
use crate::push::{ChannelId, Cursor};

use super::reactor::Reactor;
use super::socket::Socket;

/// Publications of clients that are on their way to their logs, by their receipts, in the order of those.
#[derive(Debug, Default)]
pub(super) struct Senders(VecDeque<(u64, ConnId)>);

impl Senders {
    /// A client has published. Another thread's publications may have earlier receipts, and be heard of later.
    pub fn push(&mut self, receipt: u64, conn: ConnId) {
        let at = self.0.partition_point(|&(other, _)| other < receipt);
        self.0.insert(at, (receipt, conn));
    }

    /// The client that has this receipt, which is the next one to be appended.
    #[inline]
    pub fn of(&self, receipt: u64) -> Option<ConnId> {
        self.0.front().filter(|&&(first, _)| first == receipt).map(|&(_, conn)| conn)
    }

    /// This receipt's publication is appended.
    #[inline]
    pub fn appended(&mut self, receipt: u64) {
        if self.of(receipt).is_some() {
            self.0.pop_front();
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Lets the sender of a publication that is about to be appended have everything before it. None: it does not
    /// receive the channel, or not any more.
    #[cold]
    pub(super) fn prepare_sender(&mut self, conn: ConnId, id: ChannelId) -> Option<usize> {
        let index = self.receiver(conn, id)?;
        // The frame under way may be apart from the rest.
        self.bring_to_head(index, id, 2).then_some(index)
    }

    /// Whether the sender stands where its publication is going to be.
    #[cold]
    pub(super) fn is_at_head(&self, conn: ConnId, id: ChannelId) -> bool {
        let index = self.receiver(conn, id);
        index.is_some_and(|index| self.cursor(index, id).is_some_and(|at| !self.is_behind(index, id, at)))
    }

    /// The sender passes over its publication, which was just appended.
    #[cold]
    pub(super) fn pass_over_newest(&mut self, index: usize, id: ChannelId) {
        let form = self.connections.slots[index].form;
        let channel = self.channels.get_mut(id);
        channel.ledger.leave_out_newest();
        let head = channel.log_in(form).map(|log| Cursor::at(log.head()));
        if let Some(head) = head {
            self.set_cursor(index, id, head);
        }
    }

    fn receiver(&self, conn: ConnId, id: ChannelId) -> Option<usize> {
        let index = self.find_open(conn)?;
        Self::is_subscribed(&self.connections.slots[index], id).then_some(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_the_order_of_the_receipts() {
        let (mut senders, conns) = (Senders::default(), [ConnId::new(1, 1), ConnId::new(2, 1)]);
        senders.push(6, conns[1]);
        senders.push(4, conns[0]);
        for (receipt, conn) in [(3, None), (4, Some(conns[0])), (5, None), (6, Some(conns[1])), (7, None)] {
            assert_eq!(senders.of(receipt), conn, "{receipt}");
            senders.appended(receipt);
        }
    }
}

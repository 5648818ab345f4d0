//! Lists of connections. To find the few that are asked for among a million takes longer than a turn may, so a list is
//! made over several of them. Whoever has asked is not read meanwhile.

use crate::endpoint::admin;
use crate::endpoint::control::{List, Page};
use crate::metrics::WorkKind;
use crate::protocol::head::Head;

use super::reactor::Reactor;
use super::socket::Socket;
use super::waiting::Waiting;
use super::work::{CALL, NAME, SLOT};

/// A list that is being made.
#[derive(Debug)]
pub(super) struct Listing {
    waiting: Waiting,
    asked: List,
    /// The slot to look at next.
    next: usize,
    page: Page,
}

impl<S: Socket> Reactor<S> {
    /// Begins a list for a connection, which waits for it.
    pub(super) fn begin_listing(&mut self, index: usize, head: &Head<'_>, asked: List, goes_on: bool) {
        let waiting = self.begin_waiting(index, head, goes_on);
        let next = asked.after.map_or(0, |id| id.slot() + 1);
        self.listings.push_back(Listing { waiting, asked, next, page: Page::default() });
    }

    /// Goes on with the lists, one after the other, as far as the turn goes.
    pub(super) fn go_on_listing(&mut self) {
        while let Some(mut listing) = self.listings.pop_front() {
            if !self.is_waiting(&listing.waiting) {
                continue;
            }
            if self.look_for(&mut listing) {
                self.answer_waiting(listing.waiting, &admin::page(&listing.page));
            } else {
                // The others have a turn as well.
                self.listings.push_back(listing);
                self.work.cut(WorkKind::Listing);
                return;
            }
        }
    }

    /// Looks at further slots. False: the rest is for the next turn.
    fn look_for(&mut self, listing: &mut Listing) -> bool {
        let Listing { asked, next, page, .. } = listing;
        while *next < self.connections.used {
            if self.work.is_part_used() {
                return false;
            }
            self.work.charge(WorkKind::Listing, SLOT);
            let index = *next;
            *next += 1;
            let Some(slot) =
                self.connections.slots.get(index).filter(|slot| self.matches(slot, &asked.filter))
            else {
                continue;
            };
            if page.connections.len() == asked.limit {
                page.next = page.connections.last().map(|last| last.id.clone());
                return true;
            }
            let info = self.info(index, slot);
            self.work.charge(WorkKind::Listing, CALL + info.channels.len() as u64 * NAME);
            page.connections.push(info);
        }
        true
    }
}

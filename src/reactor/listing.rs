//! Lists of connections. To find the few that are asked for among a million takes longer than a turn may, so a list is
//! made over several of them. Whoever has asked is not read meanwhile.

use crate::endpoint::admin;
use crate::endpoint::control::{List, Page};
use crate::metrics::WorkKind;
use crate::protocol::head::Head;

use super::reactor::Reactor;
use super::slot::Flags;
use super::socket::Socket;
use super::work::{CALL, FIRST, NAME, SLOT};

/// A list that is being made.
#[derive(Debug)]
pub(super) struct Listing {
    /// Who has asked: slot and serial number.
    index: usize,
    serial: u32,
    asked: List,
    /// The slot to look at next.
    next: usize,
    page: Page,
    is_head: bool,
    /// Whether there may be further requests behind it.
    goes_on: bool,
}

impl<S: Socket> Reactor<S> {
    /// Begins a list for a connection, which waits for it.
    pub(super) fn begin_listing(&mut self, index: usize, head: &Head<'_>, asked: List, goes_on: bool) {
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::LISTING, true);
        let next = asked.after.map_or(0, |id| id.slot() + 1);
        self.listings.push_back(Listing {
            index,
            serial: slot.serial,
            asked,
            next,
            page: Page::default(),
            is_head: head.method == "HEAD",
            goes_on,
        });
    }

    /// Goes on with the lists, one after the other, as far as the turn goes.
    pub(super) fn go_on_listing(&mut self) {
        while let Some(mut listing) = self.listings.pop_front() {
            if self.connections.slots.get(listing.index).is_none_or(|slot| slot.serial != listing.serial) {
                continue;
            }
            if self.look_for(&mut listing) {
                self.answer_listing(listing);
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

    fn answer_listing(&mut self, listing: Listing) {
        let Listing { index, page, is_head, goes_on, .. } = listing;
        let slot = &mut self.connections.slots[index];
        slot.flags.set(Flags::LISTING, false);
        if slot.flags.any(Flags::FINISH) {
            // It was told to go meanwhile; its end is awaited.
            self.go_on_later(index);
            return;
        }
        let goes_on = goes_on && self.exit.draining.is_none();
        admin::page(&page).write(&mut self.scratch.replies, goes_on, is_head);
        self.send_replies(index);
        if !self.connections.slots.contains(index) {
            return;
        }
        if goes_on {
            // The edge of what it has said meanwhile has passed.
            self.readable(index, true, FIRST);
        } else {
            self.finish(index);
        }
    }
}

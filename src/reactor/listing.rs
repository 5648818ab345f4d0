//! Lists of connections, sessions and channels. To find the few that are asked for among a million takes longer than
//! a turn may, so a list is made over several of them. Whoever has asked is not read meanwhile.

use crate::endpoint::admin;
use crate::endpoint::channels::{ChannelList, ChannelPage};
use crate::endpoint::control::{List, Page, Wanted};
use crate::endpoint::reads::Answer;
use crate::endpoint::sessions::{SessionList, SessionPage};
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::head::Head;
use crate::push::{Channel, ChannelId};

use super::reactor::Reactor;
use super::slot::Slot;
use super::socket::Socket;
use super::waiting::Asker;
use super::work::{CALL, NAME, SLOT};

/// Lists that the host may have under way at once.
pub(super) const LISTS_OF_HOST_MAX: usize = 64;

/// A list that is being made.
#[derive(Debug)]
pub(super) struct Listing {
    asker: Asker<ChannelPage>,
    /// The slot or the channel to look at next.
    next: usize,
    made: Made,
}

/// A list that is asked for, and as much as was found of it.
#[derive(Debug)]
enum Made {
    Connections(List, Page),
    Channels(ChannelList, ChannelPage),
    /// Only for the host.
    Sessions(SessionList, SessionPage, Answer<SessionPage>),
}

impl Listing {
    fn of_channels(asker: Asker<ChannelPage>, list: ChannelList) -> Listing {
        let behind = |after| usize::try_from(after).unwrap_or(usize::MAX).saturating_add(1);
        Listing {
            asker,
            next: list.after.map_or(0, behind),
            made: Made::Channels(list, ChannelPage::default()),
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Begins a list for a connection, which waits for it.
    pub(super) fn begin_listing(&mut self, index: usize, head: &Head<'_>, asked: Wanted, goes_on: bool) {
        let asker = Asker::Connection(self.begin_waiting(index, head, goes_on));
        self.listings.push_back(match asked {
            Wanted::Connections(list) => {
                let next = list.after.map_or(0, |id| id.slot() + 1);
                Listing { asker, next, made: Made::Connections(list, Page::default()) }
            }
            Wanted::Channels(list) => Listing::of_channels(asker, list),
        });
    }

    /// Begins a list of channels for the host.
    pub(super) fn list_channels_for_host(&mut self, list: ChannelList, answer: Answer<ChannelPage>) {
        self.listings.push_back(Listing::of_channels(Asker::Host(answer), list));
    }

    /// Begins a list of open sessions for the host.
    pub(super) fn list_sessions_for_host(&mut self, list: SessionList, answer: Answer<SessionPage>) {
        let next = list.after.map_or(0, |id| id.slot() + 1);
        let made = Made::Sessions(list, SessionPage::default(), answer);
        self.listings.push_back(Listing { asker: Asker::Nobody, next, made });
    }

    /// Lists of the host that are under way.
    pub(super) fn lists_of_host(&self) -> usize {
        let is_hosts = |listing: &&Listing| {
            matches!(listing.asker, Asker::Host(_)) || matches!(listing.made, Made::Sessions(..))
        };
        self.listings.iter().filter(is_hosts).count()
    }

    /// Goes on with the lists, one after the other, as far as the turn goes.
    pub(super) fn go_on_listing(&mut self) {
        while let Some(mut listing) = self.listings.pop_front() {
            if matches!(&listing.asker, Asker::Connection(waiting) if !self.is_waiting(waiting)) {
                continue;
            }
            if self.look_for(&mut listing) {
                match (listing.asker, listing.made) {
                    (Asker::Connection(waiting), Made::Connections(_, page)) => {
                        self.answer_waiting(waiting, &admin::page(&page));
                    }
                    (Asker::Connection(waiting), Made::Channels(_, page)) => {
                        self.answer_waiting(waiting, &admin::page(&page));
                    }
                    (Asker::Host(answer), Made::Channels(_, page)) => self.tell(answer, Ok(page)),
                    (_, Made::Sessions(_, page, answer)) => self.tell(answer, Ok(page)),
                    (Asker::Host(_) | Asker::Nobody, _) => {}
                }
            } else {
                // The others have a turn as well.
                self.listings.push_back(listing);
                self.work.cut(WorkKind::Listing);
                return;
            }
        }
    }

    /// Looks at further slots, or channels. False: the rest is for the next turn.
    fn look_for(&mut self, Listing { next, made, .. }: &mut Listing) -> bool {
        let places = match made {
            Made::Connections(..) | Made::Sessions(..) => self.connections.used,
            Made::Channels(..) => self.channels.places(),
        };
        while *next < places {
            if self.work.is_part_used() {
                return false;
            }
            self.work.charge(WorkKind::Listing, SLOT);
            let place = *next;
            *next += 1;
            let is_over = match made {
                Made::Connections(asked, page) => self.look_at_slot(place, asked, page),
                Made::Channels(asked, page) => self.look_at_channel(place, asked, page),
                Made::Sessions(asked, page, _) => self.look_at_session(place, asked, page),
            };
            if is_over {
                return true;
            }
        }
        true
    }

    /// Lists the connection in this slot, if it is one of those. True: the page is full, and there are more.
    fn look_at_slot(&mut self, index: usize, asked: &List, page: &mut Page) -> bool {
        let slot = self.connections.slots.get(index).filter(|slot| self.matches(slot, &asked.filter));
        let Some(slot) = slot else { return false };
        if page.connections.len() == asked.limit {
            page.next = page.connections.last().map(|last| last.id.clone());
            return true;
        }
        let info = self.info(index, slot);
        self.work.charge(WorkKind::Listing, CALL + info.channels.len() as u64 * NAME);
        page.connections.push(info);
        false
    }

    /// The same for the session in this slot.
    fn look_at_session(&mut self, index: usize, asked: &SessionList, page: &mut SessionPage) -> bool {
        let is_elsewhere = |slot: &Slot<S>| asked.route.is_some_and(|route| slot.kind.route() != Some(route));
        if self.connections.slots.get(index).is_none_or(is_elsewhere) {
            return false;
        }
        let Some(info) = self.session_info(index) else { return false };
        if page.sessions.len() == asked.limit {
            page.next = page.sessions.last().map(|last| last.id);
            return true;
        }
        self.work.charge(WorkKind::Listing, CALL + info.parameters.len() as u64 * NAME);
        page.sessions.push(info);
        false
    }

    /// The same for the channel in this place.
    fn look_at_channel(&mut self, place: usize, asked: &ChannelList, page: &mut ChannelPage) -> bool {
        let id = ChannelId(narrow::to_u32(place));
        let is_asked_for =
            |channel: &Channel| channel.notices_of().is_none() && channel.name.starts_with(&asked.prefix);
        if !self.channels.try_get(id).is_some_and(is_asked_for) {
            return false;
        }
        if page.channels.len() == asked.limit {
            page.next = Some(page.last);
            return true;
        }
        self.work.charge(WorkKind::Listing, CALL);
        page.channels.push(self.channel_info(id));
        page.last = place as u64;
        false
    }
}

//! Lists of connections, sessions and channels. To find the few that are asked for among a million takes longer than
//! a turn may, so a list is made over several of them. Whoever has asked is not read meanwhile.

use crate::endpoint::admin;
#[cfg(feature = "pusher")]
use crate::endpoint::apps::AppChannels;
use crate::endpoint::channels::{ChannelList, ChannelPage};
use crate::endpoint::control::{List, Page, Wanted};
use crate::endpoint::reads::Answer;
use crate::endpoint::sessions::{SessionList, SessionPage};
use crate::metrics::WorkKind;
use crate::narrow;
use crate::protocol::head::Head;
use crate::push::{Channel, ChannelId};

use super::afar::said_by_admin;
use super::peers::PeerNews;
use super::reactor::Reactor;
use super::slot::Slot;
use super::socket::Socket;
use super::waiting::Asker;
use super::work::{CALL, NAME, SLOT};

/// Lists that the host may have under way at once.
pub(super) const LISTS_OF_HOST_MAX: usize = 64;

/// A list that is being made.
#[derive(Debug)]
pub struct Listing {
    asker: Asker<ChannelPage>,
    /// The slot or the channel to look at next.
    next: usize,
    made: Made,
    /// All is found: it goes home.
    is_over: bool,
}

/// A list that is asked for, and as much as was found of it.
#[derive(Debug)]
enum Made {
    Connections(List, Page),
    Channels(ChannelList, ChannelPage),
    /// Only for a backend.
    #[cfg(feature = "pusher")]
    AppChannels(AppChannels),
    /// Only for the host.
    Sessions(SessionList, SessionPage, Answer<SessionPage>),
}

impl Made {
    /// Whether it is of channels, which every reactor knows.
    fn is_of_channels(&self) -> bool {
        match self {
            Made::Connections(..) | Made::Sessions(..) => false,
            Made::Channels(..) => true,
            #[cfg(feature = "pusher")]
            Made::AppChannels(_) => true,
        }
    }
}

impl Listing {
    fn of_channels(asker: Asker<ChannelPage>, list: ChannelList) -> Listing {
        let behind = |after| usize::try_from(after).unwrap_or(usize::MAX).saturating_add(1);
        Listing {
            asker,
            next: list.after.map_or(0, behind),
            made: Made::Channels(list, ChannelPage::default()),
            is_over: false,
        }
    }
}

impl<S: Socket> Reactor<S> {
    /// Begins a list for a connection, which waits for it.
    pub(super) fn begin_listing(&mut self, index: usize, head: &Head<'_>, asked: Wanted, goes_on: bool) {
        let asker = Asker::Connection(self.begin_waiting(index, head, goes_on));
        self.begin_list(asker, asked);
    }

    /// Begins a list for whoever waits for it.
    pub(super) fn begin_list(&mut self, asker: Asker<ChannelPage>, asked: Wanted) {
        match asked {
            Wanted::Connections(list) => {
                let (at, next) = list.after.map_or((0, 0), |id| (id.reactor(), id.slot() + 1));
                let made = Made::Connections(list, Page::default());
                self.begin(Listing { asker, next, made, is_over: false }, at);
            }
            Wanted::Channels(list) => self.listings.push_back(Listing::of_channels(asker, list)),
            #[cfg(feature = "pusher")]
            Wanted::AppChannels(list) => {
                let made = Made::AppChannels(list);
                self.listings.push_back(Listing { asker, next: 0, made, is_over: false });
            }
        }
    }

    /// Puts a list to the others: where the connections are that come next.
    fn begin(&mut self, listing: Listing, at: usize) {
        if at == self.shared.seat() || !self.shared.has_others() {
            self.listings.push_back(listing);
        } else {
            self.lists_away += 1;
            let at = at.min(self.shared.reactors() - 1);
            self.shared.tell_one(at, PeerNews::Listing(listing));
        }
    }

    /// Begins a list of channels for the host.
    pub(super) fn list_channels_for_host(&mut self, list: ChannelList, answer: Answer<ChannelPage>) {
        self.listings.push_back(Listing::of_channels(Asker::Host(answer), list));
    }

    /// Begins a list of open sessions for the host.
    pub(super) fn list_sessions_for_host(&mut self, list: SessionList, answer: Answer<SessionPage>) {
        let (at, next) = list.after.map_or((0, 0), |id| (id.reactor(), id.slot() + 1));
        let made = Made::Sessions(list, SessionPage::default(), answer);
        self.begin(Listing { asker: Asker::Nobody, next, made, is_over: false }, at);
    }

    /// Lists of the host that are under way.
    pub(super) fn lists_of_host(&self) -> usize {
        let is_hosts = |listing: &&Listing| {
            matches!(listing.asker, Asker::Host(_)) || matches!(listing.made, Made::Sessions(..))
        };
        self.lists_away + self.listings.iter().filter(is_hosts).count()
    }

    /// Goes on with the lists, one after the other, as far as the turn goes.
    pub(super) fn go_on_listing(&mut self) {
        while let Some(mut listing) = self.listings.pop_front() {
            let is_home = self.shared.is_first();
            if is_home && matches!(&listing.asker, Asker::Connection(waiting) if !self.is_waiting(waiting)) {
                continue;
            }
            if listing.is_over || self.look_for(&mut listing) {
                let Some(listing) = self.pass_on(listing) else { continue };
                if let (Asker::Node(to), made) = (&listing.asker, &listing.made) {
                    let response = match made {
                        Made::Connections(_, page) => admin::page(page),
                        Made::Channels(_, page) => admin::page(page),
                        _ => continue,
                    };
                    self.shared.reply(to.clone(), said_by_admin(&response));
                    continue;
                }
                match (listing.asker, listing.made) {
                    (Asker::Connection(waiting), Made::Connections(_, page)) => {
                        self.answer_waiting(waiting, &self.of_this_node(admin::page(&page)));
                    }
                    (Asker::Connection(waiting), Made::Channels(_, page)) => {
                        self.answer_waiting(waiting, &self.of_this_node(admin::page(&page)));
                    }
                    #[cfg(feature = "pusher")]
                    (Asker::Connection(waiting), Made::AppChannels(mut list)) => {
                        self.add_app_channels_afar(&mut list);
                        self.answer_waiting(waiting, &list.response());
                    }
                    (Asker::Host(answer), Made::Channels(_, page)) => self.tell(answer, Ok(page)),
                    (_, Made::Sessions(_, page, answer)) => self.tell(answer, Ok(page)),
                    (Asker::Host(_) | Asker::Nobody | Asker::Whole(_) | Asker::Node(_), _) => {}
                }
            } else {
                // The others have a turn as well.
                self.listings.push_back(listing);
                self.work.cut(WorkKind::Listing);
                return;
            }
        }
    }

    /// Gives a list that has seen all there is here to the next reactor, or home; None: it has gone there.
    fn pass_on(&mut self, mut listing: Listing) -> Option<Listing> {
        let is_of_all = !listing.made.is_of_channels();
        if !self.shared.has_others() || !is_of_all || (listing.is_over && self.shared.is_first()) {
            return Some(listing);
        }
        let next = self.shared.seat() + 1;
        listing.next = 0;
        listing.is_over |= next == self.shared.reactors();
        if listing.is_over && self.shared.is_first() {
            return Some(listing);
        }
        self.lists_away += usize::from(self.shared.is_first());
        self.shared.tell_one(if listing.is_over { 0 } else { next }, PeerNews::Listing(listing));
        None
    }

    /// Goes on with a list that another reactor has begun. One that has come to the first one is over: there is nothing
    /// behind the last reactor, and one that has ended has nobody.
    pub(super) fn go_on_with(&mut self, mut listing: Listing) {
        if self.shared.is_first() {
            self.lists_away = self.lists_away.saturating_sub(1);
            listing.is_over = true;
        }
        self.listings.push_back(listing);
    }

    /// Looks at further slots, or channels. False: the rest is for the next turn.
    fn look_for(&mut self, Listing { next, made, is_over, .. }: &mut Listing) -> bool {
        let places = match made {
            Made::Connections(..) | Made::Sessions(..) => self.connections.used,
            Made::Channels(..) => self.channels.places(),
            #[cfg(feature = "pusher")]
            Made::AppChannels(_) => self.channels.places(),
        };
        while *next < places {
            if self.work.is_part_used() {
                return false;
            }
            self.work.charge(WorkKind::Listing, SLOT);
            let place = *next;
            *next += 1;
            *is_over = match made {
                Made::Connections(asked, page) => self.look_at_slot(place, asked, page),
                Made::Channels(asked, page) => self.look_at_channel(place, asked, page),
                Made::Sessions(asked, page, _) => self.look_at_session(place, asked, page),
                #[cfg(feature = "pusher")]
                Made::AppChannels(list) => {
                    self.work.charge(WorkKind::Listing, NAME);
                    let channel = self.channels.try_get(ChannelId(narrow::to_u32(place)));
                    let asked = channel.map(|channel| (&*channel.name, channel.subscribers));
                    asked.is_some_and(|(name, here)| self.look_at_app_channel(name, here, list))
                }
            };
            if *is_over {
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

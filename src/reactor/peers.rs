//! Several reactors of one server. Each has its own connections and no other's, and a copy of every log: what was
//! published comes to all of them in the same order, and so does what one has to tell the others. That is
//!
//! - which channels there are, so that each can answer for all of them;
//! - who has come to a channel with presence and who has left, so that each knows all members;
//! - a request that is about connections of any of them: it goes from one to the next, and home with what was found.
//!
//! The first reactor is the one that the operator and the host ask, and that tells the backend.

use std::sync::Arc;

use crate::endpoint::ConnId;
use crate::metrics::ChannelEnd;
use crate::push::presence::Departure;

#[cfg(feature = "pusher")]
use super::backend::AppEvent;
use super::directory::Forgotten;
use super::engine::{AdminCall, Answered, Attended, EngineNews, Except, HappenedAfar, Placed, ReturnTo};
use super::happenings::Happening;
use super::listing::Listing;
use super::pusher::sessions::Poller;
use super::reaching::Reaching;
use super::reactor::Reactor;
use super::shared::Command;
use super::socket::Socket;
use super::user_commands::Gathered;

/// Something that a reactor tells others.
#[derive(Debug)]
pub enum PeerNews {
    /// A channel has been opened for a subscriber.
    Opened {
        /// Its name, which is the same allocation at all reactors in one life of it.
        channel: Arc<str>,
        /// Which life of it.
        epoch: u64,
        /// Offset of its first publication here.
        first: u64,
    },
    /// Something of a channel is lost, and it goes on.
    Broken {
        /// Its name.
        channel: Arc<str>,
        /// In which life of it.
        epoch: u64,
        /// With which offset.
        next: u64,
    },
    /// To a client's reactor: it does not get the publication with this receipt.
    Sender {
        /// The receipt.
        receipt: u64,
        /// The client, if it is one of this server.
        except: Except,
    },
    /// To the one that has asked an engine: what has come of it.
    Placed(Box<Placed>),
    /// To the one that has asked other nodes: what they say.
    Answered(Box<Answered>),
    /// A member of a channel at another node has come or gone.
    Attended(Box<Attended>),
    /// To the first one: something has happened to a channel of the cluster, of which this node tells.
    Happened(Box<HappenedAfar>),
    /// Another node has revoked the tokens of these users, until then.
    Revoked(Arc<[(Box<str>, u64)]>),
    /// To the first one: a request to the admin API that another node passes on.
    Admin(Box<(AdminCall, ReturnTo)>),
    /// To the first one, for the log: how the engine is.
    Engine(Box<EngineNews>),
    /// A channel is over.
    Gone {
        /// Which.
        gone: Forgotten,
        /// Why.
        end: ChannelEnd,
    },
    /// A channel is to forget its publications.
    Anew {
        /// Its name.
        channel: Arc<str>,
        /// The epoch that begins.
        epoch: u64,
    },
    /// A user's connection has joined a channel with presence.
    Entered {
        /// The channel.
        channel: Arc<str>,
        /// The user.
        user: Box<str>,
        /// JSON that says more about it.
        info: Option<Box<str>>,
    },
    /// Such a connection has left.
    Left {
        /// The channel.
        channel: Arc<str>,
        /// The user.
        user: Box<str>,
        /// How.
        departure: Departure,
    },
    /// To the first one: somebody is subscribed to a channel now, or nobody any more.
    Occupancy {
        /// The channel.
        channel: Arc<str>,
        /// Whether somebody is.
        is_occupied: bool,
    },
    /// To the first one, which tells an app's backend of something.
    #[cfg(feature = "pusher")]
    AppHappened {
        /// The app's id.
        app: Box<str>,
        /// The event, in the words of its protocol.
        event: AppEvent,
    },
    /// A user of an app with watchlists has signed in on a connection.
    SignedIn {
        /// The app's id.
        app: Box<str>,
        /// Who.
        user: Box<str>,
    },
    /// Such a connection has gone.
    SignedOut {
        /// The app's id.
        app: Box<str>,
        /// Who.
        user: Box<str>,
        /// How.
        departure: Departure,
    },
    /// To the first one: a channel of an app has another count of subscribers.
    Counted {
        /// The channel.
        channel: Arc<str>,
    },
    /// To the reactor of an app's connection: its client has said something there.
    AppSaid {
        /// The connection.
        conn: ConnId,
        /// The messages.
        said: Vec<String>,
    },
    /// To the same: somebody polls it.
    AppPoll {
        /// The connection.
        conn: ConnId,
        /// The one who waits.
        poller: Poller,
    },
    /// To the reactor of the one who waits: the answer.
    AppPolled {
        /// The one who waits.
        poller: Poller,
        /// The lines for it.
        lines: Vec<u8>,
    },
    /// A list that is being made.
    Listing(Listing),
    /// To the first one: what has come of a request for a user.
    Gathered(Gathered),
    /// The answer to a batch, to those whose connections it names.
    Reaching(Box<Reaching>),
}

impl PeerNews {
    /// The same for another reactor; None: it goes to one alone.
    pub(super) fn copied(&self) -> Option<PeerNews> {
        Some(match self {
            PeerNews::Opened { channel, epoch, first } => {
                PeerNews::Opened { channel: channel.clone(), epoch: *epoch, first: *first }
            }
            PeerNews::Broken { channel, epoch, next } => {
                PeerNews::Broken { channel: channel.clone(), epoch: *epoch, next: *next }
            }
            PeerNews::Gone { gone, end } => PeerNews::Gone { gone: gone.clone(), end: *end },
            PeerNews::Anew { channel, epoch } => PeerNews::Anew { channel: channel.clone(), epoch: *epoch },
            PeerNews::Entered { channel, user, info } => {
                PeerNews::Entered { channel: channel.clone(), user: user.clone(), info: info.clone() }
            }
            PeerNews::Left { channel, user, departure } => {
                PeerNews::Left { channel: channel.clone(), user: user.clone(), departure: *departure }
            }
            PeerNews::SignedIn { app, user } => PeerNews::SignedIn { app: app.clone(), user: user.clone() },
            PeerNews::SignedOut { app, user, departure } => {
                PeerNews::SignedOut { app: app.clone(), user: user.clone(), departure: *departure }
            }
            PeerNews::Occupancy { channel, is_occupied } => {
                PeerNews::Occupancy { channel: channel.clone(), is_occupied: *is_occupied }
            }
            PeerNews::Revoked(users) => PeerNews::Revoked(users.clone()),
            PeerNews::Attended(attended) => PeerNews::Attended(attended.clone()),
            #[cfg(feature = "pusher")]
            PeerNews::AppHappened { .. } => return None,
            PeerNews::AppSaid { .. } | PeerNews::AppPoll { .. } | PeerNews::AppPolled { .. } => return None,
            PeerNews::Counted { .. } | PeerNews::Listing(_) => return None,
            PeerNews::Gathered(_) | PeerNews::Reaching(_) => return None,
            PeerNews::Sender { .. } | PeerNews::Placed(_) | PeerNews::Engine(_) => return None,
            PeerNews::Answered(_) | PeerNews::Admin(_) | PeerNews::Happened(_) => return None,
        })
    }

    /// Whether somebody waits for what comes of it.
    pub(super) fn is_job(&self) -> bool {
        matches!(self, PeerNews::Listing(_) | PeerNews::Gathered(_) | PeerNews::Reaching(_))
    }
}

impl<S: Socket> Reactor<S> {
    /// Carries out what was asked for until now, before anything that comes from clients: a subscriber who has come
    /// behind the answer to a push does not get what was pushed.
    pub fn carry_out_before_events(&mut self) {
        self.work.begin_part();
        self.work.begin_commands();
        self.carry_out_commands();
        self.work.begin_part();
    }

    /// The end has come: the first reactor writes the state, the others say that they are done.
    pub fn end(&mut self) {
        if self.shared.is_first() {
            self.save_state();
        } else {
            self.shared.end_seat(self.shared.seat());
        }
    }

    /// Takes in what another reactor tells, or gives it back if its time has not come.
    pub(super) fn hear(&mut self, news: PeerNews) -> Result<(), Command> {
        match news {
            PeerNews::Opened { channel, epoch, first } => {
                self.channels.open_from(&channel, epoch, first, self.now.mono_ms());
            }
            PeerNews::Broken { channel, epoch, next } => {
                if !self.break_channel_off(&channel, epoch, next) {
                    return Err(Command::Peer(Box::new(PeerNews::Broken { channel, epoch, next })));
                }
            }
            PeerNews::Sender { receipt, except: Except { conn, server } } => {
                // One of another process is nobody's here, whatever its number.
                if server.is_none_or(|server| server == self.started.unix_us) {
                    self.inbox.senders.push(receipt, conn);
                }
            }
            PeerNews::Placed(placed) => self.placed(*placed),
            PeerNews::Answered(answered) => self.answered_afar(*answered),
            PeerNews::Revoked(users) => self.revoked_afar(&users),
            PeerNews::Attended(attended) => self.attended_afar(&attended),
            PeerNews::Happened(happened) => self.happened_afar(&happened),
            PeerNews::Admin(asked) => {
                let (call, to) = *asked;
                self.answer_for_node(&call, to);
            }
            PeerNews::Engine(news) => self.note_engine(&news),
            PeerNews::Gone { gone, end } => self.gone(&gone, end),
            PeerNews::Anew { channel, epoch } => {
                if !self.follow_anew(&channel, epoch) {
                    return Err(Command::Peer(Box::new(PeerNews::Anew { channel, epoch })));
                }
            }
            PeerNews::Entered { channel, user, info } => {
                self.entered_elsewhere(&channel, &user, info.as_deref())
            }
            PeerNews::SignedIn { app, user } => self.came_online(&app, &user),
            PeerNews::SignedOut { app, user, departure } => self.went_offline(&app, &user, departure),
            PeerNews::Left { channel, user, departure } => self.left_elsewhere(&channel, &user, departure),
            PeerNews::Occupancy { channel, is_occupied } => {
                if let Some(id) = self.channels.find(&channel) {
                    self.channels.get_mut(id).used_ms = self.now.mono_ms();
                    self.count_changed(id);
                }
                let happening = if is_occupied { Happening::Occupied } else { Happening::Vacated };
                self.happened(&channel, happening);
            }
            #[cfg(feature = "pusher")]
            PeerNews::AppHappened { app, event } => self.tell_backend_of_app(&app, event),
            PeerNews::Counted { channel } => {
                if let Some(id) = self.channels.find(&channel) {
                    self.count_changed(id);
                }
            }
            PeerNews::AppSaid { conn, said } => self.app_said(conn, &said),
            PeerNews::AppPoll { conn, poller } => self.poll_app(conn, poller),
            PeerNews::AppPolled { poller, lines } => self.answer_poll_here(poller, lines),
            PeerNews::Listing(listing) => self.go_on_with(listing),
            PeerNews::Gathered(gathered) => self.answer_gathered(gathered),
            PeerNews::Reaching(reaching) => self.reached(*reaching),
        }
        Ok(())
    }

    /// A subscriber has come to a channel here, or has left it; `is_edge`: it is the only one here, or was.
    pub(super) fn count_subscriber(&mut self, channel: &Arc<str>, has_come: bool, is_edge: bool) {
        if self.shared.has_others() {
            self.shared.count_subscriber(channel, has_come);
        } else if is_edge {
            self.happened(channel, if has_come { Happening::Occupied } else { Happening::Vacated });
        }
    }

    /// How many subscribers a channel has, at all reactors.
    pub(super) fn subscribers(&self, channel: &str, here: u32) -> u32 {
        if self.shared.has_others() { self.shared.subscribers(channel) } else { here }
    }

    /// The same of a channel of an app, at all nodes.
    pub(super) fn subscribers_of_all(&self, channel: &str, here: u32) -> u64 {
        let afar = self.shared.engine().map_or(0, |engine| engine.subscribers(channel));
        u64::from(self.subscribers(channel, here)) + afar
    }
}

//! The Pusher Channels protocol on open connections: what clients of apps ask for, and what they are told.

pub(super) mod apps;
pub(super) mod authorizing;
mod events;
pub(super) mod fallback;
mod heartbeat;
pub(super) mod opening;
mod presence;
pub(super) mod rosters;
pub(super) mod sessions;
mod subscribing;
mod timers;
pub(super) mod watching;

use std::sync::Arc;

use crate::config::PUSHER_SPOKEN;
use crate::endpoint::ConnId;
use crate::limits::{PUSHER_NAME_BYTES_MAX, PUSHER_USER_BYTES_MAX};
use crate::metrics::{CloseReason, WorkKind};
use crate::narrow;
use crate::protocol::close::CloseCode;
use crate::protocol::pusher::{Command, Event, SocketId, Traits, UserData, event};
use crate::push::Message;
use crate::push::presence::Departure;
use apps::App;
use authorizing::Wanted;
pub(super) use events::check_event;
pub(super) use presence::push_app_notice;
use subscribing::NoSubscription;

use super::connections::Gone;
use super::reactor::Reactor;
use super::slot::{Phase, Slot};
use super::socket::Socket;
use super::transport::Transport;
use super::users::User;
use super::websocket::Next;
use super::work::{BYTES, MESSAGE, NAME};

/// An error that a client is told, and stays.
struct Told {
    code: u16,
    message: String,
}

fn tell<T>(code: u16, message: impl Into<String>) -> Result<T, Told> {
    Err(Told { code, message: message.into() })
}

/// Its message can't be read.
const UNREADABLE: u16 = 4_200;
/// It is not who it would have to be.
const UNAUTHORIZED: u16 = 4_009;
/// A client's event is not passed on.
const CLIENT_EVENT: u16 = 4_301;

/// The events of one user in a second are counted up to this.
fn per_second(max: u64) -> u32 {
    u32::try_from(max).unwrap_or(u32::MAX)
}

impl<S: Socket> Reactor<S> {
    /// The seat of a connection's app; None: it is of no app.
    pub(super) fn app_seat(slot: &Slot<S>) -> Option<u32> {
        (PUSHER_SPOKEN && slot.transport == Transport::Pusher).then_some(slot.cursor.0)
    }

    fn app_of(&self, index: usize) -> Arc<App> {
        self.apps.at(self.connections.slots[index].cursor.0)
    }

    /// The id of a connection as clients and backends know it.
    pub(super) fn socket_id(&self, conn: ConnId) -> SocketId {
        SocketId { epoch: self.started.unix_us, conn: conn.0 }
    }

    /// An app's connection closes, or is gone. Before its user is forgotten.
    pub(super) fn leave_app(&mut self, index: usize, departure: Departure) {
        let slot = &self.connections.slots[index];
        if let Some(number) = Self::app_seat(slot).filter(|_| slot.phase == Phase::Open) {
            self.apps.leave(number);
            self.tell_app_connections(number);
            self.leave_session(index);
            self.forget_questions(index);
            self.unwatch(index, &self.apps.at(number), departure);
        }
    }

    /// Tells a connection that has opened its id.
    pub(super) fn greet_app(&mut self, index: usize) {
        if !PUSHER_SPOKEN {
            return;
        }
        let id = self.socket_id(self.connections.slots[index].id(index));
        let activity_timeout_s = self.app_of(index).settings.activity_timeout_s;
        event::push_established(id, activity_timeout_s, &mut self.scratch.said);
        self.say_made(index);
    }

    /// A message from a client.
    pub(super) fn app_message(&mut self, index: usize, message: Message<'_>) -> Result<Next, Gone> {
        if !PUSHER_SPOKEN {
            return Ok(Next::Continue);
        }
        self.metrics.messages_in += 1;
        self.work.charge(WorkKind::Frames, MESSAGE + message.bytes().len() as u64 / BYTES);
        let command = match message {
            Message::Text(text) => Command::parse(text),
            Message::Binary(_) => Err("the protocol is text messages"),
        };
        let done = match command {
            Ok(command) => self.obey_client(index, command)?,
            Err(why) => tell(UNREADABLE, why),
        };
        if let Err(told) = done {
            self.tell_error(index, &told);
        }
        let is_open = self.connections.slots[index].phase == Phase::Open;
        Ok(if is_open { Next::Continue } else { Next::Closing })
    }

    fn obey_client(&mut self, index: usize, command: Command<'_>) -> Result<Result<(), Told>, Gone> {
        match command {
            Command::Ping => {
                Event::new("pusher:pong").with(b"\"{}\"").push(&mut self.scratch.said);
                self.say_made(index);
            }
            Command::Pong => {}
            Command::Subscribe { channel, auth, channel_data } => {
                self.subscribe_client(index, &channel, &auth, channel_data.as_deref())?;
            }
            Command::Unsubscribe { channel } => self.unsubscribe_client(index, &channel)?,
            Command::SignIn { auth, user_data } => self.sign_in(index, &auth, &user_data)?,
            Command::Client { event, channel, data } => {
                return Ok(self.client_event(index, (&event, &channel), data));
            }
            Command::Unknown { event } => {
                let shown: String = event.chars().filter(|char| char.is_ascii_graphic()).take(64).collect();
                return Ok(tell(UNREADABLE, format!("there is no event {shown:?} for clients")));
            }
        }
        Ok(Ok(()))
    }

    fn unsubscribe_client(&mut self, index: usize, channel: &str) -> Result<(), Gone> {
        self.work.charge(WorkKind::Names, NAME);
        self.forget_question(index, Some(channel));
        let Some(channel) = self.app_of(index).settings.channel(channel) else { return Ok(()) };
        if self.receives(index, &channel) {
            let conn = self.connections.slots[index].id(index);
            self.send_replies(index)?;
            self.unsubscribe(conn, &channel);
        }
        self.connections.there(index)
    }

    /// The user that a connection has signed in as, as its app knows it.
    fn signed_in<'a>(slot: &'a Slot<S>, app: &App) -> Option<&'a str> {
        slot.user()?.strip_prefix(&*app.settings.beginning())
    }

    fn sign_in(&mut self, index: usize, auth: &str, user_data: &str) -> Result<(), Gone> {
        let app = self.app_of(index);
        self.work.charge(WorkKind::Names, NAME + user_data.len() as u64 / BYTES);
        let wanted = Wanted { channel: None, auth, data: Some(user_data) };
        match self.authorize(index, &app, wanted) {
            Some(verdict) => self.end_signing_in(index, verdict),
            None => Ok(()),
        }
    }

    /// Whether a client is the user that this says is decided.
    fn end_signing_in(
        &mut self,
        index: usize,
        verdict: Result<Option<String>, NoSubscription>,
    ) -> Result<(), Gone> {
        let app = self.app_of(index);
        let why = match verdict {
            Err(not) => not.error,
            Ok(user_data) => {
                let user_data = user_data.unwrap_or_default();
                match UserData::parse(&user_data).filter(|user| is_user_id(&user.id)) {
                    Some(user) => {
                        if let Err(told) = self.enter_signed_in(index, &app, user, &user_data) {
                            self.tell_error(index, &told);
                        }
                        return Ok(());
                    }
                    None => format!("user_data has an id of 1 to {PUSHER_USER_BYTES_MAX} bytes"),
                }
            }
        };
        self.tell_error(index, &Told { code: UNAUTHORIZED, message: why.clone() });
        self.answer_and_close(index, CloseCode(UNAUTHORIZED), &why, CloseReason::Policy)
    }

    fn tell_error(&mut self, index: usize, told: &Told) {
        event::push_error(told.code, &told.message, &mut self.scratch.said);
        self.say_made(index);
    }

    fn enter_signed_in(
        &mut self,
        index: usize,
        app: &App,
        user: UserData,
        user_data: &str,
    ) -> Result<(), Told> {
        let info_bytes = user.user_info.as_ref().map_or(0, String::len) as u64;
        if info_bytes > app.settings.member_bytes_max {
            let max = app.settings.member_bytes_max;
            return tell(
                UNAUTHORIZED,
                format!("user_info has {info_bytes} bytes; {max} are taken (member_bytes_max)"),
            );
        }
        let slot = &mut self.connections.slots[index];
        let known = Self::signed_in(slot, app).map(str::to_owned);
        if known.as_ref().is_some_and(|known| *known != user.id) {
            return tell(UNAUTHORIZED, "this connection is signed in as somebody else already");
        }
        if known.is_none() {
            slot.extra_mut().user = Some(Box::new(User::new(&app.settings.user(&user.id))));
            self.connections.enter_user(index);
        }
        let info = user.user_info.as_deref().map(Into::into);
        let rights = crate::auth::Rights { info, ..Default::default() };
        self.connections.slots[index].grant(&rights);
        event::push_signed_in(user_data, &mut self.scratch.said);
        self.say_made(index);
        self.watch(index, app, &user, known.is_none());
        Ok(())
    }

    /// Passes a client's event on to the others of its channel.
    fn client_event(&mut self, index: usize, (name, channel): (&str, &str), data: &str) -> Result<(), Told> {
        let app = self.app_of(index);
        if !app.settings.client_events {
            return tell(CLIENT_EVENT, "the app takes no events from clients (client_events)");
        }
        if !Traits::of(channel).takes_client_events() {
            return tell(
                CLIENT_EVENT,
                "client events go to private and presence channels that are not encrypted",
            );
        }
        if name.len() > PUSHER_NAME_BYTES_MAX {
            return tell(CLIENT_EVENT, format!("an event's name has at most {PUSHER_NAME_BYTES_MAX} bytes"));
        }
        if data.len() as u64 > app.settings.event_bytes_max {
            let (has, max) = (data.len(), app.settings.event_bytes_max);
            return tell(
                CLIENT_EVENT,
                format!("the data has {has} bytes; {max} are taken (event_bytes_max)"),
            );
        }
        self.work.charge(WorkKind::Names, NAME);
        let known = app.settings.channel(channel).filter(|known| self.receives(index, known));
        let Some(known) = known else {
            return tell(CLIENT_EVENT, "client events go to channels that the connection is subscribed to");
        };
        let conn = self.connections.slots[index].id(index);
        let max = app.settings.client_events_per_second;
        let counted = (narrow::to_u32(index), conn.serial());
        if !self.apps.client_events.allow(counted, self.now.mono_ms(), per_second(max)) {
            return tell(
                CLIENT_EVENT,
                format!("more than {max} events within a second (client_events_per_second)"),
            );
        }
        let user_id = self.channels.find(&known).and_then(|id| self.member_in(index, id)).map(str::to_owned);
        let event =
            Event { user_id: user_id.as_deref(), ..Event::new(name).on(channel).with(data.as_bytes()) };
        let mut payload = Vec::new();
        event.push(&mut payload);
        let text = String::from_utf8_lossy(&payload);
        if let Err(problem) = self.publish_for(conn, &known, Message::Text(&text)) {
            return tell(CLIENT_EVENT, problem.to_string());
        }
        #[cfg(feature = "pusher")]
        self.tell_client_event(conn, &known, &event);
        Ok(())
    }
}

/// Whether somebody can be called so.
fn is_user_id(id: &str) -> bool {
    (1..=PUSHER_USER_BYTES_MAX).contains(&id.len())
}

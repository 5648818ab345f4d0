//! Questions to the host: whether a client of an app may have a private channel, or is the user that it says. The host
//! decides at once or later; without one the signature does.

use crate::config::LogLevel;
use crate::endpoint::{Authorization, Authorized, ConnId};
use crate::limits::PUSHER_QUESTIONS_MAX;
use crate::metrics::WorkKind;
use crate::narrow;

use super::super::connections::Gone;
use super::super::reactor::Reactor;
use super::super::slot::Slot;
use super::super::socket::Socket;
use super::super::work::CALL;
use super::apps::{App, AppSession};
use super::subscribing::NoSubscription;

/// Something that a client wants, and what it shows for it.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    /// The channel; None: to be known as a user.
    pub channel: Option<&'a str>,
    pub auth: &'a str,
    pub data: Option<&'a str>,
}

/// A question that the host answers later.
#[derive(Clone, Debug, PartialEq, Eq, serde::Deserialize, serde::Serialize)]
pub struct Question {
    number: u32,
    channel: Option<Box<str>>,
    auth: Box<str>,
    data: Option<Box<str>>,
    is_signed: bool,
}

impl Question {
    fn wanted(&self) -> Wanted<'_> {
        Wanted { channel: self.channel.as_deref(), auth: &self.auth, data: self.data.as_deref() }
    }

    fn bytes(&self) -> usize {
        let texts = [self.channel.as_deref(), self.data.as_deref(), Some(&*self.auth)];
        size_of::<Question>() + texts.into_iter().flatten().map(str::len).sum::<usize>()
    }
}

impl AppSession {
    /// The memory of the questions that wait.
    pub fn questions_bytes(&self) -> usize {
        self.questions.iter().map(Question::bytes).sum()
    }
}

/// Who it is that may, as JSON, or why it may not. None: that is said later.
pub(super) type Verdict = Option<Result<Option<String>, NoSubscription>>;

/// The verdict by an answer of the host.
fn judge(authorized: Authorized, signed: Result<(), String>, data: Option<&str>) -> Verdict {
    let of_signed = data.filter(|_| signed.is_ok()).map(str::to_owned);
    Some(match authorized {
        Authorized::BySignature => signed.map(|()| of_signed).map_err(NoSubscription::unauthorized),
        Authorized::Yes { data } => Ok(data.or(of_signed)),
        Authorized::No(why) => Err(NoSubscription { kind: "AuthError", error: why, status: 403 }),
        Authorized::Pending => return None,
    })
}

impl<S> Slot<S> {
    fn questions(&self) -> usize {
        self.app_session().map_or(0, |app| app.questions.len())
    }

    /// Whether an app's client waits for the host.
    #[cfg(feature = "handover")]
    pub(in super::super) fn has_questions(&self) -> bool {
        self.questions() > 0
    }
}

impl<S: Socket> Reactor<S> {
    /// Whether a client may have what it wants. What the host wants to think about is kept.
    pub(super) fn authorize(&mut self, index: usize, app: &App, wanted: Wanted<'_>) -> Verdict {
        let Wanted { channel, auth, data } = wanted;
        let slot = &self.connections.slots[index];
        let conn = slot.id(index);
        let socket_id = self.socket_id(conn).to_string();
        let signed = match channel {
            Some(channel) => app.credentials.check_channel(&socket_id, channel, data, auth),
            None => app.credentials.check_user(&socket_id, data.unwrap_or_default(), auth),
        };
        let signed = signed.map_err(|problem| problem.to_string());
        if !self.has_host {
            return judge(Authorized::BySignature, signed, data);
        }
        let waiting = self.forget_question(index, channel);
        if waiting >= PUSHER_QUESTIONS_MAX {
            let why = format!("{PUSHER_QUESTIONS_MAX} questions of this connection wait for an answer");
            return Some(Err(NoSubscription::limit(4_100, why)));
        }
        self.apps.questions = self.apps.questions.wrapping_add(1);
        let number = self.apps.questions;
        let asked = Authorization {
            conn,
            number,
            app: &app.settings.id,
            socket_id: &socket_id,
            user: Self::signed_in(&self.connections.slots[index], app),
            channel,
            auth,
            data,
            is_signed: signed.is_ok(),
        };
        self.work.charge(WorkKind::Commands, CALL);
        self.shared.own().begin();
        let authorized = self.handler.on_authorize(&asked);
        self.shared.own().end();
        let is_signed = signed.is_ok();
        let verdict = judge(authorized, signed, data);
        if verdict.is_none() {
            let own = |text: &str| text.into();
            let (channel, data) = (channel.map(own), data.map(own));
            let question = Question { number, channel, auth: auth.into(), data, is_signed };
            if !self.has_backlog_room(index, question.bytes()) {
                let why = "the server is short of memory (backlog_bytes_max)";
                return Some(Err(NoSubscription::limit(4_100, why)));
            }
            self.keep_question(index, question);
        }
        verdict
    }

    fn keep_question(&mut self, index: usize, question: Question) {
        let due_ms = self.now.mono_ms().saturating_add(self.config.handshake_ms);
        let (serial, number) = (self.connections.slots[index].serial, question.number);
        self.apps.timers.await_answer(due_ms, (narrow::to_u32(index), serial), number);
        self.hold(index, |slot| slot.aside_mut().app.get_or_insert_default().questions.push(question));
    }

    /// Forgets a question about the same thing; how many others wait.
    pub(super) fn forget_question(&mut self, index: usize, channel: Option<&str>) -> usize {
        if self.connections.slots[index].questions() == 0 {
            return 0;
        }
        self.take_question(index, |question| question.channel.as_deref() == channel);
        self.connections.slots[index].questions()
    }

    /// A connection closes, or is gone: it is told nothing more.
    pub(super) fn forget_questions(&mut self, index: usize) {
        self.hold(index, |slot| {
            if let Some(app) = slot.app_session_mut() {
                app.questions = Vec::new();
            }
        });
    }

    fn take_question(&mut self, index: usize, is_it: impl Fn(&Question) -> bool) -> Option<Question> {
        self.hold(index, |slot| {
            let app = slot.app_session_mut()?;
            let at = app.questions.iter().position(is_it)?;
            let question = app.questions.remove(at);
            if app.questions.is_empty() {
                app.questions = Vec::new();
            }
            slot.tidy_app();
            Some(question)
        })
    }

    /// The host has decided on a question. Nothing happens if it is over.
    pub(in super::super) fn authorize_later(&mut self, conn: ConnId, number: u32, authorized: Authorized) {
        let Some(index) = self.find_open(conn).filter(|_| authorized != Authorized::Pending) else { return };
        let is_app = Self::app_seat(&self.connections.slots[index]).is_some();
        let question = is_app.then(|| self.take_question(index, |question| question.number == number));
        let Some(question) = question.flatten() else { return };
        let signed = match question.is_signed {
            true => Ok(()),
            false => Err("the app's secret has not signed this".to_owned()),
        };
        if let Some(verdict) = judge(authorized, signed, question.data.as_deref()) {
            self.beside(index, |reactor| reactor.follow_verdict(index, question.wanted(), verdict));
        }
    }

    /// The time for an answer is over.
    pub(super) fn answer_due(&mut self, (index, serial): (usize, u32), number: u32) {
        if self.connections.get(index, serial).is_none() {
            return;
        }
        let conn = self.connections.slots[index].id(index);
        let question = self
            .find_open(conn)
            .and_then(|_| self.take_question(index, |question| question.number == number));
        let Some(question) = question else { return };
        let what = question.channel.as_deref().unwrap_or("a sign-in");
        let fields: [(&str, &dyn std::fmt::Display); 2] = [("conn", &conn), ("asked_for", &what)];
        self.journal.event(self.now, LogLevel::Warn, "not_authorized_in_time", &fields);
        let error = "the server has not decided in time (handshake_ms)".to_owned();
        let not = NoSubscription { kind: "AuthError", error, status: 503 };
        self.beside(index, |reactor| reactor.follow_verdict(index, question.wanted(), Err(not)));
    }

    /// The questions of a connection that has come over from another server are asked again: an answer to one of that
    /// server's finds nobody. False: it is of no app.
    #[cfg(feature = "handover")]
    pub(in super::super) fn ask_app_again(&mut self, index: usize) -> bool {
        if Self::app_seat(&self.connections.slots[index]).is_none() {
            return false;
        }
        let questions = self.hold(index, |slot| {
            let app = slot.app_session_mut();
            let questions = app.map(|app| std::mem::take(&mut app.questions)).unwrap_or_default();
            slot.tidy_app();
            questions
        });
        let conn = self.connections.slots[index].id(index);
        for question in questions {
            if self.find_open(conn).is_none() {
                break;
            }
            let app = self.app_of(index);
            if let Some(verdict) = self.authorize(index, &app, question.wanted()) {
                self.beside(index, |reactor| reactor.follow_verdict(index, question.wanted(), verdict));
            }
        }
        true
    }

    fn follow_verdict(
        &mut self,
        index: usize,
        wanted: Wanted<'_>,
        verdict: Result<Option<String>, NoSubscription>,
    ) -> Result<(), Gone> {
        match wanted.channel {
            Some(channel) => self.end_subscribing(index, channel, verdict),
            None => self.end_signing_in(index, verdict),
        }
    }

    /// Does something at a connection that may not be the one at hand, whose replies wait.
    fn beside(&mut self, index: usize, act: impl FnOnce(&mut Self) -> Result<(), Gone>) {
        let replies = std::mem::take(&mut self.scratch.replies);
        // If it is gone there is nobody to tell.
        let _ = act(self).and_then(|()| self.send_replies(index));
        self.scratch.replies = replies;
    }
}

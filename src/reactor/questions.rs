//! Questions of the host, carried out in their turn. They are answered at the end of a turn: what takes an answer is
//! the host's, and no other callback may be running then.

use crate::endpoint::channels::HISTORY_BYTES_MAX;
use crate::endpoint::reads::{Answer, Question};
use crate::endpoint::{ChannelHistory, ChannelInfo, Control};
use crate::metrics::WorkKind;
use crate::push::{HistoryAsked, Past, PushError};

use super::listing::LISTS_OF_HOST_MAX;
use super::reactor::Reactor;
use super::socket::Socket;
use super::waiting::Told;
use super::work::{BYTES, CALL, NAME};

/// Answers that wait to be given before the next question is looked at: each may be a page of history.
const ANSWERS_MAX: usize = 16;

impl<S: Socket> Reactor<S> {
    /// Finds the answer to a question, or gives it back if its time has not come.
    pub(super) fn look_up(&mut self, question: Question) -> Result<(), Question> {
        if self.inbox.answers.len() >= ANSWERS_MAX {
            self.work.cut(WorkKind::Listing);
            return Err(question);
        }
        match question {
            Question::Channel(name, answer) => {
                let found = self.channels.find(&name).map(|id| self.channel_info(id));
                self.tell(answer, Ok(found));
            }
            Question::Channels(list, answer) => {
                if self.lists_of_host() < LISTS_OF_HOST_MAX {
                    self.list_channels_for_host(list, answer);
                } else {
                    self.tell(answer, Err(PushError::InboxFull));
                }
            }
            Question::History(name, query, answer) => {
                let asked = HistoryAsked {
                    since: query.since,
                    limit: query.limit,
                    bytes_max: HISTORY_BYTES_MAX,
                    order: query.order,
                };
                let page = self.read_history(&name, asked);
                self.tell(answer, Ok(page));
            }
            Question::Presence(name, answer) => {
                let found = self.presence(&name).flatten();
                let members = found.as_ref().and_then(|found| found.members.as_ref()).map_or(0, Vec::len);
                self.work.charge(WorkKind::Commands, members as u64 * NAME);
                self.tell(answer, Ok(found));
            }
            Question::Forget(name, answer) => return self.forget_for_host(name, answer),
            Question::Session(conn, answer) => {
                let found = self.find_open(conn).and_then(|index| self.session_info(index));
                self.tell(answer, Ok(found));
            }
            Question::Nodes(answer) => self.ask_nodes_for_host(answer),
            Question::Sessions(list, answer) => {
                if self.lists_of_host() < LISTS_OF_HOST_MAX {
                    self.list_sessions_for_host(list, answer);
                } else {
                    self.tell(answer, Err(PushError::InboxFull));
                }
            }
        }
        Ok(())
    }

    fn read_history(&mut self, name: &str, asked: HistoryAsked) -> Option<ChannelHistory> {
        let id = self.channels.find(name)?;
        let history = self.channels.get(id).history(asked, self.now.unix_ms());
        let missed = history.missed;
        let publications: Vec<Past<'static>> =
            history.publications.into_iter().map(Past::into_owned).collect();
        let bytes: usize = publications.iter().map(|past| past.payload.len() + size_of::<Past<'_>>()).sum();
        self.work.charge(WorkKind::Commands, bytes as u64 / BYTES);
        Some(ChannelHistory { channel: self.channel_info(id), publications, missed })
    }

    /// The host's own publications go out first: what it has published and then has forgotten, its subscribers get.
    fn forget_for_host(&mut self, name: String, answer: Answer<Option<ChannelInfo>>) -> Result<(), Question> {
        let Some(id) = self.channels.find(&name) else {
            self.tell(answer, Ok(None));
            return Ok(());
        };
        if !self.channels.get(id).is_offered() {
            return Err(Question::Forget(name, answer));
        }
        let is_done = self.begin_anew_in_turn(id);
        let info = if is_done { Ok(Some(self.channel_info(id))) } else { Err(PushError::InboxFull) };
        self.tell(answer, info);
        Ok(())
    }

    /// Gives an answer to the host when its time comes.
    pub(super) fn tell<T: Send + 'static>(&mut self, answer: Answer<T>, told: Result<T, PushError>) {
        self.work.charge(WorkKind::Commands, CALL);
        self.inbox.answers.push_back(Told::Host(Box::new(move || answer.give(told))));
    }
}

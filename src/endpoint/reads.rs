//! Questions of a host about channels, users and sessions, and the answers.

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::narrow;
use crate::push::{Gap, HistoryOrder, Kind, Message, Past, PushError, Since};

use super::ConnId;
use super::channels::{ChannelInfo, ChannelList, ChannelPage};
use super::node_info::NodeInfo;
use super::presence::ChannelPresence;
use super::requests::{PAGE_DEFAULT, PAGE_MAX};
use super::sessions::{SessionInfo, SessionList, SessionPage};
use super::users::UserConnection;

/// Which publications of a channel to read. By default those that it has, from the oldest one on, 100 at the most.
///
/// ```
/// use wspush::{HistoryQuery, Since};
///
/// // The ten newest, the newest first.
/// let query = HistoryQuery::default().newest_first().limit(10);
/// // The next page behind one whose last publication was the 17th.
/// let next = HistoryQuery::default().since("1795257271813595.17".parse()?);
/// # assert_eq!((query.since, query.limit), (Since::Earliest, 10));
/// # assert_ne!(next.since, query.since);
/// # Ok::<(), wspush::NoSince>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct HistoryQuery {
    /// From where on.
    pub since: Since,
    /// So many at the most, 1 to 1,000. A page has about 256 KiB at the most, but always one publication if there is
    /// one.
    pub limit: usize,
    /// From which end.
    pub order: HistoryOrder,
}

impl Default for HistoryQuery {
    fn default() -> HistoryQuery {
        let (since, limit) = (Since::Earliest, narrow::to_usize(PAGE_DEFAULT));
        HistoryQuery { since, limit, order: HistoryOrder::OldestFirst }
    }
}

impl HistoryQuery {
    /// The same from there on.
    #[must_use]
    pub fn since(self, since: Since) -> HistoryQuery {
        HistoryQuery { since, ..self }
    }

    /// The same with so many publications at the most.
    #[must_use]
    pub fn limit(self, limit: usize) -> HistoryQuery {
        HistoryQuery { limit, ..self }
    }

    /// The same from the other end.
    #[must_use]
    pub fn newest_first(self) -> HistoryQuery {
        HistoryQuery { order: HistoryOrder::NewestFirst, ..self }
    }
}

/// A page of what was published in a channel.
///
/// ```
/// use wspush::{ChannelHistory, HistoryQuery, Position, Since};
///
/// /// The query for what comes behind this page; None: there is nothing more.
/// fn next(page: &ChannelHistory) -> Option<HistoryQuery> {
///     let last = page.publications.last()?;
///     let behind = Position { epoch: page.channel.epoch, offset: last.offset };
///     (last.offset < page.channel.offset).then(|| HistoryQuery::default().since(Since::Position(behind)))
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ChannelHistory {
    /// How the channel stood then.
    pub channel: ChannelInfo,
    /// Those that were asked for and are here, in the order that was asked for.
    pub publications: Vec<Past<'static>>,
    /// Those that were asked for and are gone.
    pub missed: Option<Gap>,
}

/// A page of a user's connections.
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
/// handle.user_connections("ada", None, 100, |page| {
///     if let Ok(page) = page {
///         println!("ada has {} connections", page.connections.len());
///     }
/// })
/// # }
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserPage {
    /// The connections, and the channels that each receives.
    pub connections: Vec<UserConnection>,
    /// Ask for those behind this one for the next page; None: that was all.
    pub next: Option<ConnId>,
}

type Give<T> = Box<dyn FnOnce(Result<T, PushError>) + Send>;

/// A function that takes an answer. It is called once, whatever becomes of the question.
pub struct Answer<T>(Option<Give<T>>);

impl<T> Answer<T> {
    /// The answer goes there.
    pub fn new(give: impl FnOnce(Result<T, PushError>) + Send + 'static) -> Answer<T> {
        Answer(Some(Box::new(give)))
    }

    /// Gives it.
    pub fn give(mut self, answer: Result<T, PushError>) {
        if let Some(give) = self.0.take() {
            give(answer);
        }
    }

    /// The question was never asked.
    pub fn withdraw(&mut self) {
        self.0 = None;
    }
}

/// A server that goes leaves no question without an answer.
impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(give) = self.0.take() {
            // A server that goes because of a panic must not meet a second one.
            let _ = catch_unwind(AssertUnwindSafe(|| give(Err(PushError::Stopped))));
        }
    }
}

impl<T> fmt::Debug for Answer<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Answer")
    }
}

/// A question of a host about channels or sessions. Without an answer: there is none such.
#[derive(Debug)]
pub enum Question {
    /// How does it stand?
    Channel(String, Answer<Option<ChannelInfo>>),
    /// Which are there?
    Channels(ChannelList, Answer<ChannelPage>),
    /// Which publications does it have?
    History(String, HistoryQuery, Answer<Option<ChannelHistory>>),
    /// Who is there? Without an answer also: it has no presence.
    Presence(String, Answer<Option<ChannelPresence>>),
    /// Have it forget them.
    Forget(String, Answer<Option<ChannelInfo>>),
    /// Is this session open, and what is known of it?
    Session(ConnId, Answer<Option<SessionInfo>>),
    /// Which sessions are open?
    Sessions(SessionList, Answer<SessionPage>),
    /// Which servers does the cluster have?
    Nodes(Answer<Vec<NodeInfo>>),
}

impl Question {
    /// Its bytes in the inbox, beside itself.
    pub fn bytes(&self) -> usize {
        match self {
            Question::Channel(name, _)
            | Question::History(name, ..)
            | Question::Presence(name, _)
            | Question::Forget(name, _) => name.len(),
            Question::Channels(list, _) => list.prefix.len(),
            Question::Session(..) | Question::Sessions(..) | Question::Nodes(_) => 0,
        }
    }

    /// It was never asked.
    pub fn withdraw(&mut self) {
        match self {
            Question::Channel(_, answer) | Question::Forget(_, answer) => answer.withdraw(),
            Question::Channels(_, answer) => answer.withdraw(),
            Question::History(_, _, answer) => answer.withdraw(),
            Question::Presence(_, answer) => answer.withdraw(),
            Question::Session(_, answer) => answer.withdraw(),
            Question::Sessions(_, answer) => answer.withdraw(),
            Question::Nodes(answer) => answer.withdraw(),
        }
    }
}

impl Past<'_> {
    /// The publication as it was pushed.
    pub fn message(&self) -> Message<'_> {
        match self.kind {
            Kind::Text => str::from_utf8(&self.payload).map_or(Message::Binary(&self.payload), Message::Text),
            Kind::Binary => Message::Binary(&self.payload),
        }
    }

    /// A copy that outlives the log.
    pub fn into_owned(self) -> Past<'static> {
        let Past { offset, unix_ms, kind, payload } = self;
        Past { offset, unix_ms, kind, payload: Cow::Owned(payload.into_owned()) }
    }
}

/// A page has so many entries.
///
/// # Errors
/// [`PushError::BadTerms`]
pub fn check_limit(limit: usize) -> Result<(), PushError> {
    let fits = (1..=narrow::to_usize(PAGE_MAX)).contains(&limit);
    if fits { Ok(()) } else { Err(PushError::BadTerms("the limit of a page is 1 to 1000")) }
}

const _: () = assert!(PAGE_MAX == 1_000, "the error says so");

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    fn answer() -> (Answer<u8>, mpsc::Receiver<Result<u8, PushError>>) {
        let (tell, told) = mpsc::channel();
        (Answer::new(move |answer| tell.send(answer).unwrap()), told)
    }

    #[test]
    fn an_answer_is_given_once() {
        let (given, told) = answer();
        given.give(Ok(7));
        assert_eq!(told.iter().collect::<Vec<_>>(), [Ok(7)]);
        let (lost, told) = answer();
        drop(lost);
        assert_eq!(told.iter().collect::<Vec<_>>(), [Err(PushError::Stopped)]);
        let (mut withdrawn, told) = answer();
        withdrawn.withdraw();
        drop(withdrawn);
        assert_eq!(told.iter().count(), 0);
        let panics: Answer<u8> = Answer::new(|_| panic!("on purpose"));
        drop(panics);
    }

    #[test]
    fn a_page_has_its_bounds() {
        assert_eq!([0, 1, 1_000, 1_001].map(|limit| check_limit(limit).is_ok()), [false, true, true, false]);
        assert_eq!(HistoryQuery::default().limit, 100);
    }

    #[test]
    fn a_publication_comes_back_as_it_was() {
        let past =
            |kind, payload: &'static [u8]| Past { offset: 1, unix_ms: 2, kind, payload: payload.into() };
        assert_eq!(past(Kind::Text, b"a").message(), Message::Text("a"));
        assert_eq!(past(Kind::Binary, b"a").into_owned().message(), Message::Binary(b"a"));
    }
}

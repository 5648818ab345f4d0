//! Questions through a handle. A question goes through the inbox, as everything that a thread asks for, so its answer
//! knows of all that the thread has published before.

use crate::endpoint::channels::{ChannelList, ChannelPage};
use crate::endpoint::reads::{Answer, Question, check_limit};
use crate::endpoint::users::{UserAction, UserRequest};
use crate::endpoint::{
    ChannelHistory, ChannelInfo, ChannelPresence, ConnId, HistoryQuery, NodeInfo, UserPage,
};
use crate::push::PushError;
use crate::reactor::Command;
use crate::reactor::user_commands::UserCommand;

use super::{Handle, check_channel};

/// Questions.
///
/// `answer` is called once, on the server's thread, where it must not block, and may use the handle; with
/// [`PushError::Stopped`] if the server ends before. If the method itself fails it is not called. To wait for an
/// answer on another thread let it send that through a channel:
///
/// ```no_run
/// # fn example(handle: &wspush::Handle) -> Result<(), Box<dyn std::error::Error>> {
/// let (tell, told) = std::sync::mpsc::sync_channel(1);
/// handle.channel("news", move |answer| drop(tell.send(answer)))?;
/// match told.recv()?? {
///     Some(channel) => println!("{} publications so far", channel.offset),
///     None => println!("nobody has subscribed or published yet"),
/// }
/// # Ok(())
/// # }
/// ```
impl Handle {
    /// How a channel stands; None: there is no such channel, as it has neither subscribers nor publications.
    ///
    /// # Errors
    /// [`PushError::BadChannel`], [`PushError::InboxFull`] and [`PushError::Stopped`], here and below.
    pub fn channel(
        &self,
        name: &str,
        answer: impl FnOnce(Result<Option<ChannelInfo>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_channel(name)?;
        self.ask(Question::Channel(name.to_owned(), Answer::new(answer)))
    }

    /// Which channels there are, a page at a time.
    ///
    /// # Errors
    /// [`PushError::BadTerms`] for a limit that is not 1 to 1,000. The answer is [`PushError::InboxFull`] if 64 lists
    /// are under way.
    pub fn channels(
        &self,
        list: ChannelList,
        answer: impl FnOnce(Result<ChannelPage, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_limit(list.limit)?;
        self.ask(Question::Channels(list, Answer::new(answer)))
    }

    /// Which servers the cluster has, this one among them, by their names. Redis is asked, so the answer is
    /// [`PushError::Unavailable`] if that is away.
    ///
    /// # Errors
    /// [`PushError::BadTerms`]: this server is in none (`cluster` is not set).
    pub fn nodes(
        &self,
        answer: impl FnOnce(Result<Vec<NodeInfo>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        if self.shared.engine().is_none() {
            return Err(PushError::BadTerms("this server is no node of a cluster (cluster is not set)"));
        }
        self.ask(Question::Nodes(Answer::new(answer)))
    }

    /// The publications that a channel has, a page at a time; None: there is no such channel.
    ///
    /// ```no_run
    /// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
    /// use wspush::HistoryQuery;
    ///
    /// handle.history("inbox.ada", HistoryQuery::default().newest_first().limit(10), |answer| {
    ///     if let Ok(Some(page)) = answer {
    ///         for publication in &page.publications {
    ///             println!("{} {:?}", publication.offset, publication.message());
    ///         }
    ///     }
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`PushError::BadTerms`] for a limit that is not 1 to 1,000.
    pub fn history(
        &self,
        channel: &str,
        query: HistoryQuery,
        answer: impl FnOnce(Result<Option<ChannelHistory>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_channel(channel)?;
        check_limit(query.limit)?;
        self.ask(Question::History(channel.to_owned(), query, Answer::new(answer)))
    }

    /// Who is in a channel, at most `presence_members_max` by their names; None: there is no such channel, or it has no
    /// presence.
    ///
    /// ```no_run
    /// # fn example(handle: &wspush::Handle) -> Result<(), wspush::PushError> {
    /// handle.presence("room.1", |answer| {
    ///     if let Ok(Some(presence)) = answer {
    ///         println!("{} users are there", presence.count);
    ///     }
    /// })
    /// # }
    /// ```
    pub fn presence(
        &self,
        channel: &str,
        answer: impl FnOnce(Result<Option<ChannelPresence>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_channel(channel)?;
        self.ask(Question::Presence(channel.to_owned(), Answer::new(answer)))
    }

    /// Lets a channel forget what was published there. It begins another life, with the same subscribers; the answer
    /// is how it stands then. Whoever lags misses the rest; nobody else does. The answer is [`PushError::InboxFull`]
    /// while others publish there: try again.
    pub fn forget_history(
        &self,
        channel: &str,
        answer: impl FnOnce(Result<Option<ChannelInfo>, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_channel(channel)?;
        self.ask(Question::Forget(channel.to_owned(), Answer::new(answer)))
    }

    /// Which connections a user has, a page at a time: those behind `after`, `limit` (1 to 1,000) at the most.
    ///
    /// # Errors
    /// [`PushError::BadUser`], and [`PushError::BadTerms`] for another limit.
    pub fn user_connections(
        &self,
        user: &str,
        after: Option<ConnId>,
        limit: usize,
        answer: impl FnOnce(Result<UserPage, PushError>) + Send + 'static,
    ) -> Result<(), PushError> {
        check_limit(limit)?;
        let request = UserRequest::new(user, UserAction::List { after, limit })?;
        let command = UserCommand::asked_by_host(request, Answer::new(answer));
        self.shared.command(Command::User(Box::new(command)))
    }

    fn ask(&self, question: Question) -> Result<(), PushError> {
        self.shared.command(Command::Ask(Box::new(question)))
    }
}

//! Users, through a handle.

use crate::endpoint::users::{Tokens, UserAction, UserRequest};
use crate::protocol::close::CloseCode;
use crate::push::{Message, Publication, PushError, PushOptions, Since};

use super::{Handle, check_channel};

impl Handle {
    /// Sends to all connections that a user has then, on whatever channels: to nobody if it is away, since what is sent
    /// to a user is kept nowhere. A client that doesn't read is closed (1013), as by [`send`](Self::send).
    ///
    /// # Errors
    /// [`PushError::BadUser`]: a name that is empty, or longer than 256 bytes, here and in the other methods for users.
    pub fn publish_user(&self, user: &str, message: Message<'_>) -> Result<(), PushError> {
        self.publish_user_with(user, message, PushOptions::default())
    }

    /// As [`publish_user`](Self::publish_user), with options.
    pub fn publish_user_with(
        &self,
        user: &str,
        message: Message<'_>,
        options: PushOptions,
    ) -> Result<(), PushError> {
        let publication = Publication::to_one(message, options)?;
        self.for_user(user, UserAction::Push { publication, notes: Default::default() })
    }

    /// Closes all connections that a user has then.
    pub fn disconnect_user(&self, user: &str, code: CloseCode, reason: &str) -> Result<(), PushError> {
        self.close_user(user, code, reason, Tokens::Kept)
    }

    /// As [`disconnect_user`](Self::disconnect_user), and refuses the user's tokens that were issued before then
    /// (`iat`), or don't say when: to clients that connect, and to those of `wspush.v1` that show one later. The log
    /// says `not_revoked`, and nothing is done, where tokens are not looked at ([`auth`](crate::Config::auth)), or
    /// 100,000 users are revoked already.
    pub fn revoke_user(&self, user: &str, code: CloseCode, reason: &str) -> Result<(), PushError> {
        self.close_user(user, code, reason, Tokens::Revoked)
    }

    fn close_user(&self, user: &str, code: CloseCode, reason: &str, tokens: Tokens) -> Result<(), PushError> {
        self.for_user(user, UserAction::Disconnect { code, reason: reason.to_owned(), tokens })
    }

    /// Lets all connections that a user has then receive a channel from then on; not those to come.
    ///
    /// # Errors
    /// [`PushError::BadUser`], and those of [`subscribe`](Self::subscribe).
    pub fn subscribe_user(&self, user: &str, channel: &str) -> Result<(), PushError> {
        self.subscribe_user_since(user, channel, Since::Head)
    }

    /// As [`subscribe_user`](Self::subscribe_user), from there on.
    pub fn subscribe_user_since(&self, user: &str, channel: &str, since: Since) -> Result<(), PushError> {
        check_channel(channel)?;
        self.shared.check_channel_room(channel)?;
        self.for_user(user, UserAction::Subscribe { channel: channel.to_owned(), since })
    }

    /// Lets them receive the channel no more.
    pub fn unsubscribe_user(&self, user: &str, channel: &str) -> Result<(), PushError> {
        check_channel(channel)?;
        self.for_user(user, UserAction::Unsubscribe { channel: channel.to_owned() })
    }

    fn for_user(&self, user: &str, action: UserAction) -> Result<(), PushError> {
        self.shared.for_user(UserRequest::new(user, action)?)
    }
}

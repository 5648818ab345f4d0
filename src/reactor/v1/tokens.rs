//! Tokens in `wspush.v1`: a new one in place of one that expires, one for a single channel, and the word that one
//! expires.

use crate::auth::{Claims, TokenError};
use crate::config::TokenAuth;
use crate::endpoint::v1::{self, Denial};
use crate::protocol::v1::{ErrorCode, Id, ServerMessage};

use super::super::reactor::Reactor;
use super::super::socket::Socket;

impl<S: Socket> Reactor<S> {
    /// Puts a new token in the place of the one that a connection has shown. It has to be the same user's.
    pub(super) fn refresh_v1(&mut self, index: usize, id: Id<'_>, token: &str) -> Result<(), Denial> {
        let claims = self.claims_v1(token)?;
        let slot = &mut self.connections.slots[index];
        if claims.user.as_deref() != slot.user() {
            return Err(another_user());
        }
        let now_s = self.now.unix_us / 1_000_000;
        let expires_in_s = claims.rights.expires_s.map(|expires_s| expires_s.saturating_sub(now_s));
        let mut rights = claims.rights;
        if rights.info.is_none() {
            // The host may have said more of its user than the token does.
            rights.info = slot.rights().and_then(|former| former.info().map(Into::into));
        }
        slot.grant(&rights);
        self.say_v1(index, Some(id), &ServerMessage::Refreshed { expires_in_s });
        Ok(())
    }

    /// Whether a token that came with a command lets this connection receive the channel.
    pub(super) fn may_receive_by(&mut self, index: usize, channel: &str, token: &str) -> Result<(), Denial> {
        let claims = self.claims_v1(token)?;
        let user = self.connections.slots[index].user();
        if claims.user.is_some() && claims.user.as_deref() != user {
            return Err(another_user());
        }
        if claims.channels.iter().any(|own| own == channel) || claims.rights.may_subscribe(channel) {
            return Ok(());
        }
        let why = format!("the token allows other channels than {channel:?} (channels, allow)");
        Err(Denial::new(ErrorCode::Forbidden, why))
    }

    fn claims_v1(&mut self, token: &str) -> Result<Claims, Denial> {
        if self.config.auth == TokenAuth::None {
            return Err(v1::no_tokens());
        }
        let error = match self.claims(token) {
            Ok(claims) => return Ok(claims),
            Err(error) => error,
        };
        let code = match error {
            TokenError::Expired(_) => ErrorCode::Expired,
            TokenError::UnknownKey if self.ask_for_keys() => ErrorCode::TryAgain,
            _ => ErrorCode::Forbidden,
        };
        Err(Denial::new(code, error.to_string()))
    }

    /// Tells a connection once that its token expires in so many seconds.
    pub(in super::super) fn tell_expiry(&mut self, index: usize, in_s: u64) {
        self.connections.slots[index].note_expiry_told();
        self.aside(index, |reactor| reactor.say_v1(index, None, &ServerMessage::Expires { in_s }));
    }
}

fn another_user() -> Denial {
    Denial::new(ErrorCode::Forbidden, "the token is another user's; a connection stays whose it is")
}

//! Clients' tokens: whether a handshake needs one, and what is in it.

use std::fmt::Display;

use crate::auth::{Claims, RevokedFull, Rights, TokenError, Verifier, bearer};
use crate::config::{LogLevel, TokenAuth};
use crate::endpoint::query::Query;
use crate::endpoint::{Accept, Kind};
use crate::limits::REVOKED_USERS_MAX;
use crate::metrics::{RefuseReason, WorkKind};
use crate::protocol::head::Head;
use crate::protocol::response::Refusal;
use crate::push::DEFAULT_NAME;

use super::admission::Refused;
use super::reactor::Reactor;
use super::socket::Socket;
use super::work::{NAME, SECRET, SIGNATURE, TOKEN};

/// The headers of a 401 (RFC 6750 section 3).
const ASKED_FOR: &[(&str, &str)] = &[("WWW-Authenticate", "Bearer")];
/// The same where there was one (RFC 6750 section 3.1).
const REFUSED: &[(&str, &str)] = &[("WWW-Authenticate", "Bearer error=\"invalid_token\"")];

/// Users taken off the list of the revoked with each tick of the sweep.
const FORGOTTEN_AT_ONCE: usize = 1_000;

impl<S: Socket> Reactor<S> {
    /// Sets what tokens are checked with from now on, where `auth` asks for it.
    pub fn set_verifier(&mut self, verifier: Option<Verifier>) {
        self.verifier = verifier;
    }

    /// Who a client says it is; None: nobody, and nobody has to.
    pub(super) fn check_token(
        &mut self,
        head: &Head<'_>,
        query: &Query<'_>,
    ) -> Result<Option<Claims>, Refused> {
        if self.config.auth == TokenAuth::None {
            return Ok(None);
        }
        let Some(token) = self.find_token(head, query)? else {
            return if self.config.auth == TokenAuth::Required { Err(missing()) } else { Ok(None) };
        };
        match self.claims(token) {
            Ok(claims) => Ok(Some(claims)),
            Err(TokenError::UnknownKey) if self.ask_for_keys() => Err(pending()),
            Err(error) => Err(refused(&error)),
        }
    }

    /// The token that a client shows.
    pub(super) fn find_token<'a>(
        &self,
        head: &Head<'a>,
        query: &'a Query<'_>,
    ) -> Result<Option<&'a str>, Refused> {
        let found = bearer::find(head, self.config.auth_cookie.as_deref(), query.text("token"));
        found.map_err(|refusal| (refusal, RefuseReason::BadRequest))
    }

    /// The claims of a token; its check is work of the connection at hand.
    pub(super) fn claims(&mut self, token: &str) -> Result<Claims, TokenError> {
        // There is one wherever `auth` is set; without one no key is known.
        let Some(verifier) = &self.verifier else { return Err(TokenError::UnknownKey) };
        let verdict = verifier.check(token, self.now.unix_us / 1_000_000);
        let tries = verdict.secrets as u64 * SECRET + verdict.signatures as u64 * SIGNATURE;
        self.work.charge(WorkKind::Tokens, TOKEN + tries);
        let claims = verdict.outcome?;
        if self.revoked.concerns(&claims) { Err(TokenError::Revoked) } else { Ok(claims) }
    }

    /// Refuses the tokens from now on that a user has by now.
    pub(super) fn revoke(&mut self, user: &str) -> Result<(), Refusal> {
        let refused = if self.config.auth == TokenAuth::None {
            Err(Refusal::fixed(
                409,
                "there are no tokens to revoke: this server looks at none (auth is none)",
            ))
        } else {
            self.revoked.add(user, self.now.unix_us / 1_000_000).map_err(|RevokedFull| {
                let text = format!(
                    "the tokens of {REVOKED_USERS_MAX} users are revoked, which is the most; with auth_lifetime_max_s \
                     those that have expired since then would make room"
                );
                Refusal::new(503, text)
            })
        };
        match &refused {
            // All reactors do the same, and one says so.
            _ if !self.shared.is_first() => {}
            Ok(()) => self.journal.event(self.now, LogLevel::Info, "revoked", &[("user", &user)]),
            Err(Refusal { reason, .. }) => {
                let fields: [(&str, &dyn Display); 2] = [("user", &user), ("problem", reason)];
                self.journal.event(self.now, LogLevel::Warn, "not_revoked", &fields);
            }
        }
        refused
    }

    /// Another node of the cluster has revoked the tokens of these users, up to these seconds. It has said so if there
    /// were too many.
    pub(super) fn revoked_afar(&mut self, users: &[(Box<str>, u64)]) {
        if self.config.auth != TokenAuth::None {
            self.work.charge(WorkKind::Names, users.len() as u64 * NAME);
            let full =
                users.iter().filter(|(user, until_s)| self.revoked.add(user, *until_s).is_err()).count();
            debug_assert!(full == 0 || self.revoked.len() == REVOKED_USERS_MAX);
        }
    }

    /// Takes users off the list whose tokens have expired since they were revoked.
    pub(super) fn forget_revoked(&mut self) {
        self.revoked.forget(self.now.unix_us / 1_000_000, self.config.auth_lifetime_max_s, FORGOTTEN_AT_ONCE);
    }

    /// The decision completed by a client's token: its user where nobody has said otherwise, and its channels
    /// as well.
    pub(super) fn with_claims(
        &self,
        accept: &mut Accept,
        claims: Claims,
        kind: Kind,
    ) -> Result<Rights, Refused> {
        if kind.is_push() {
            accept.user = accept.user.take().or(claims.user);
            let asked = accept.channels.len();
            for name in claims.channels.into_iter().filter(|name| name != DEFAULT_NAME) {
                if !accept.channels.contains(&name) {
                    accept.channels.push(name);
                }
            }
            let (max, count) = (self.config.channels_per_connection_max, accept.channels.len());
            if count > max && count > asked {
                let text = format!(
                    "with those of the token {count} channels, and a connection may join {max} \
                     (channels_per_connection_max)"
                );
                return Err((Refusal::new(400, text), RefuseReason::ForbiddenChannel));
            }
        }
        Ok(claims.rights)
    }
}

fn missing() -> Refused {
    let text = "this needs a token: 'Authorization: Bearer TOKEN', the subprotocol wspush.bearer.TOKEN, ?token=TOKEN, \
                or the cookie that the server is set to (auth)";
    (Refusal::fixed(401, text).with_headers(ASKED_FOR), RefuseReason::Token)
}

/// The key may be a new one, and nobody comes in before that is known.
fn pending() -> Refused {
    let text = "the key that the token names is being fetched; try again in a second";
    (Refusal::fixed(503, text).with_headers(&[("Retry-After", "1")]), RefuseReason::Token)
}

fn refused(error: &TokenError) -> Refused {
    (Refusal::new(401, error.to_string()).with_headers(REFUSED), RefuseReason::Token)
}

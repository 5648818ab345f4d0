//! A token's claims, once it is known to be good.

use super::TokenError;
use crate::config::pattern_opens;
use crate::limits::TOKEN_LEEWAY_S;

/// Who a client is and what it may do, as its token says.
///
/// ```
/// use wspush::Claims;
///
/// let nobody = Claims::default();
/// assert!(nobody.user.is_none() && !nobody.rights.may_subscribe("news"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// `sub`: the user. None: it has none, or an empty one, and stands for somebody without a name.
    pub user: Option<String>,
    /// `iat`: when it was issued, in seconds since 1970. None: it doesn't say.
    pub issued_s: Option<u64>,
    /// `channels`: joined at connect.
    pub channels: Vec<String>,
    /// The rights that last as long as the connection is open.
    pub rights: Rights,
    /// Everything that the token says, as the JSON that stands in it: claims that mean nothing here among them.
    pub json: Box<str>,
}

/// The rights that a token gives as long as its connection is open.
///
/// ```
/// use wspush::Rights;
///
/// let rights = Rights { allow: ["news.*".to_owned()].into(), ..Rights::default() };
/// assert!(rights.may_subscribe("news.x") && !rights.may_publish("news.x"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rights {
    /// `exp`: until then it is valid, in seconds since 1970. None: for ever.
    pub expires_s: Option<u64>,
    /// `allow`: patterns of further channels that it may subscribe to.
    pub allow: Box<[String]>,
    /// `publish`: patterns of channels that it may publish to.
    pub publish: Box<[String]>,
    /// `info`: JSON that others are shown of it, as it stands in the token.
    pub info: Option<Box<str>>,
}

/// A backend's answer to the question who a client is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It may come in, as whom this says.
    Good(Claims),
    /// It may not.
    Refused {
        /// The HTTP status, 400 to 599.
        status: u16,
        /// The text for the client.
        reason: String,
    },
}

/// The verdict on a token, and how much work it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// Who it stands for, or why for nobody.
    pub outcome: Result<Claims, TokenError>,
    /// So many secrets were tried, each a hash over the token.
    pub secrets: usize,
    /// So many signatures were checked with public keys, which takes far longer.
    pub signatures: usize,
}

/// Whether a token with this `exp` is no longer valid, with a little more because clocks differ.
pub fn is_over(expires_s: u64, unix_s: u64) -> bool {
    unix_s >= expires_s.saturating_add(TOKEN_LEEWAY_S)
}

impl Rights {
    /// Whether the token is no longer valid at this time.
    pub fn is_over(&self, unix_s: u64) -> bool {
        self.expires_s.is_some_and(|expires_s| is_over(expires_s, unix_s))
    }

    /// Whether it may subscribe to this channel, whatever the settings say.
    pub fn may_subscribe(&self, channel: &str) -> bool {
        self.allow.iter().any(|pattern| pattern_opens(pattern, channel))
    }

    /// Whether it may publish to this channel.
    pub fn may_publish(&self, channel: &str) -> bool {
        self.publish.iter().any(|pattern| pattern_opens(pattern, channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_are_patterns() {
        let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let rights = Rights { allow: list(&["news.*", "a"]), publish: list(&["*"]), ..Rights::default() };
        assert!(rights.may_subscribe("news.x") && rights.may_subscribe("a") && !rights.may_subscribe("ab"));
        assert!(rights.may_publish("x") && !Rights::default().may_publish("x"));
    }
}

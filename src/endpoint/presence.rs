//! Who is in a channel, as a host and the admin API are told.

use std::sync::Arc;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use crate::limits::TOKEN_INFO_BYTES_MAX;

/// Who is in a channel. The epoch and the offset of its newest publication say at which moment.
///
/// ```
/// use wspush::ChannelPresence;
///
/// fn is_there(presence: &ChannelPresence, user: &str) -> Option<bool> {
///     // None: they are too many to be listed.
///     Some(presence.members.as_ref()?.iter().any(|member| member.user == user))
/// }
/// # assert_eq!(is_there(&ChannelPresence::default(), "ada"), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChannelPresence {
    /// The channel.
    pub channel: Arc<str>,
    /// Which life of it.
    pub epoch: u64,
    /// The offset of its newest publication; 0: none yet.
    pub offset: u64,
    /// How many users are there.
    pub count: u64,
    /// Who, in the order of their names; None: they are more than `presence_members_max`, and only counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<ChannelMember>>,
}

/// A user who is in a channel, once however many connections it has there.
///
/// ```
/// use wspush::ChannelMember;
///
/// fn may_be_back(member: &ChannelMember) -> bool {
///     member.connections == 0
/// }
/// # assert!(may_be_back(&ChannelMember::default()));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ChannelMember {
    /// The user.
    pub user: String,
    /// JSON that says more about it: its token's `info`, or the host's.
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_it_stands")]
    pub info: Option<String>,
    /// Its connections in the channel; 0: the last one was lost, and it may be back at once.
    pub connections: u32,
}

/// Whether this may be said of a user: JSON, and not too much of it.
pub fn is_info(text: &str) -> bool {
    text.len() <= TOKEN_INFO_BYTES_MAX && serde_json::from_str::<&RawValue>(text).is_ok()
}

/// JSON within JSON.
fn as_it_stands<S: Serializer>(info: &Option<String>, to: S) -> Result<S::Ok, S::Error> {
    let raw = info.as_deref().and_then(|info| serde_json::from_str::<&RawValue>(info).ok());
    raw.serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_is_json_and_short() {
        let long = |bytes: usize| format!("\"{}\"", "i".repeat(bytes - 2));
        assert!([r#"{"a":[1]}"#, " null ", "7", &long(1_024)].into_iter().all(is_info));
        assert!(!["", "{", "{} {}", "ann", &long(1_025)].into_iter().any(is_info));
    }

    #[test]
    fn to_the_letter() {
        let member = ChannelMember { user: "ada".into(), info: Some(r#"{"n":1}"#.into()), connections: 2 };
        let members = Some(vec![member, ChannelMember { user: "bob".into(), ..ChannelMember::default() }]);
        let presence = ChannelPresence { channel: "c".into(), epoch: 7, offset: 3, count: 2, members };
        assert_eq!(
            serde_json::to_string(&presence).unwrap(),
            concat!(
                r#"{"channel":"c","epoch":7,"offset":3,"count":2,"members":["#,
                r#"{"user":"ada","info":{"n":1},"connections":2},{"user":"bob","connections":0}]}"#
            )
        );
        let counted = ChannelPresence { count: 9, members: None, ..presence };
        assert_eq!(
            serde_json::to_string(&counted).unwrap(),
            r#"{"channel":"c","epoch":7,"offset":3,"count":9}"#
        );
    }
}

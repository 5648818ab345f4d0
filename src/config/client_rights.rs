//! The rights that a rule gives to every client.

use std::fmt;
use std::str::FromStr;

use super::{ChannelRule, Config, pattern_opens};

/// Something that a client does with a channel.
///
/// ```
/// use wspush::config::ClientRight;
///
/// assert_eq!("history".parse(), Ok(ClientRight::History));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientRight {
    /// To receive it.
    Subscribe,
    /// To publish there.
    Publish,
    /// To read what it has had.
    History,
    /// To see who is there.
    Presence,
}

/// Between the rights in a rule's text, where a comma would end the rule.
const SEPARATOR: char = '+';

/// A set of rights: `subscribe+history`, or nothing.
///
/// ```
/// use wspush::config::{ClientRight, ClientRights};
///
/// let rights: ClientRights = "subscribe+history".parse()?;
/// assert!(rights.contains(ClientRight::History) && !rights.contains(ClientRight::Publish));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientRights(u8);

impl ClientRights {
    /// Whether this right is among them.
    pub fn contains(self, right: ClientRight) -> bool {
        self.0 & 1 << right as u8 != 0
    }
}

impl FromStr for ClientRights {
    type Err = String;

    fn from_str(text: &str) -> Result<ClientRights, String> {
        if text.is_empty() {
            return Ok(ClientRights::default());
        }
        let rights = some_of::<ClientRight>(text, ClientRight::NAMES)?;
        Ok(ClientRights(rights.into_iter().fold(0, |all, right| all | 1 << right as u8)))
    }
}

/// Choices of these names, one at the least and each once.
pub(super) fn some_of<T: FromStr + PartialEq>(text: &str, names: &[&str]) -> Result<Vec<T>, String> {
    let mut chosen = Vec::new();
    for name in text.split(SEPARATOR) {
        let choice = name
            .parse()
            .map_err(|_| format!("expected some of {}, with {SEPARATOR} between them", names.join(", ")))?;
        if chosen.contains(&choice) {
            return Err(format!("{name} is there twice"));
        }
        chosen.push(choice);
    }
    Ok(chosen)
}

impl fmt::Display for ClientRights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let own = ClientRight::ALL.iter().filter(|&&right| self.contains(right));
        let names: Vec<&str> = own.map(|right| right.name()).collect();
        f.write_str(&names.join(&SEPARATOR.to_string()))
    }
}

impl Config {
    /// Whether the rule for a channel gives every client this right; None: it leaves that open, or there is none.
    pub fn rule_allows(&self, right: ClientRight, channel: &str) -> Option<bool> {
        let rule = ChannelRule::first(&self.channel_rule, channel)?;
        if !pattern_opens(&rule.pattern, channel) {
            return None;
        }
        Some(rule.clients?.contains(right))
    }

    /// Whether every client may receive a channel that it names: by the channel's rule, or by `channels`.
    pub fn is_open_to_clients(&self, channel: &str) -> bool {
        let by_pattern = || self.channels.iter().any(|pattern| pattern_opens(pattern, channel));
        self.rule_allows(ClientRight::Subscribe, channel).unwrap_or_else(by_pattern)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rights_there_and_back() {
        for text in ["", "subscribe", "publish+presence", "subscribe+publish+history+presence"] {
            assert_eq!(text.parse::<ClientRights>().unwrap().to_string(), text);
        }
        let refused = |text: &str| text.parse::<ClientRights>().unwrap_err();
        assert_eq!(refused("history+history"), "history is there twice");
        for text in ["read", "subscribe,history", "+", "history+", " "] {
            let allowed = "expected some of subscribe, publish, history, presence, with + between them";
            assert_eq!(refused(text), allowed, "{text:?}");
        }
    }

    #[test]
    fn a_rule_decides_before_the_patterns() {
        let rules = ["public.quiet clients=", "news.* clients=subscribe+history", "public.* ttl_ms=5"];
        let channel_rule = rules.map(|rule| rule.parse().unwrap()).into();
        let config = Config { channel_rule, ..Config::default() };
        let open =
            ["public.quiet", "public.a", "news.a", "other"].map(|name| config.is_open_to_clients(name));
        assert_eq!(open, [false, true, true, false]);
        let history = |name| config.rule_allows(ClientRight::History, name);
        assert_eq!((history("news.a"), history("public.quiet")), (Some(true), Some(false)));
        assert_eq!((history("public.a"), history("other")), (None, None));
    }
}

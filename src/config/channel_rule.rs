//! The rules by which channels are kept, as text and as tables of the TOML file.

use std::fmt;
use std::str::FromStr;

use super::nearest::nearest;
use super::validate::check_pattern;
use super::{ClientRights, Keep, Missed, Priority, pattern_matches};
use crate::limits::{Bounds, CHANNEL_TTL_MS, LOG_BYTES, LOG_PUBLICATIONS};
use crate::narrow;

/// How the channels that a pattern names are kept: `news.* keep=latest ttl_ms=60000`. Of several rules the first one
/// that matches a channel's name counts; what it leaves open is as for all channels.
///
/// ```
/// use wspush::config::{ChannelRule, Keep};
///
/// let rule: ChannelRule = "news.* keep=latest ttl_ms=60000".parse()?;
/// assert_eq!((rule.pattern.as_str(), rule.keep, rule.ttl_ms), ("news.*", Some(Keep::Latest), Some(60_000)));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChannelRule {
    /// A channel's name, or the beginning of one and `*`.
    pub pattern: String,
    /// Publications that its log keeps, `log_publications` at the most.
    pub publications: Option<usize>,
    /// Bytes that its log keeps, `log_bytes` at the most. A publication that is larger is kept alone.
    pub bytes: Option<usize>,
    /// For how long a publication is kept; 0: as long as there is room.
    pub ttl_ms: Option<u64>,
    /// The publications for a subscriber that lags.
    pub keep: Option<Keep>,
    /// The beginning for a subscriber whose position can't be recovered.
    pub missed: Option<Missed>,
    /// Whether its subscribers are told who is there.
    pub presence: Option<bool>,
    /// Whether it is written to before other channels, or behind them.
    pub priority: Option<Priority>,
    /// The rights of every client, token or not. Without it `channels` decides.
    pub clients: Option<ClientRights>,
}

/// The keys behind the pattern. In a table of the TOML file the pattern has the key `match`.
const KEYS: &[&str] =
    &["publications", "bytes", "ttl_ms", "keep", "missed", "presence", "priority", "clients"];

impl ChannelRule {
    /// The first of these that matches a channel's name.
    pub fn first<'a>(rules: &'a [ChannelRule], name: &str) -> Option<&'a ChannelRule> {
        rules.iter().find(|rule| pattern_matches(&rule.pattern, name))
    }

    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let is_there = match key {
            "publications" => {
                put(&mut self.publications, narrow::to_usize(within(key, value, LOG_PUBLICATIONS)?))
            }
            "bytes" => put(&mut self.bytes, narrow::to_usize(within(key, value, LOG_BYTES)?)),
            "ttl_ms" => put(&mut self.ttl_ms, within(key, value, CHANNEL_TTL_MS)?),
            "keep" => put(&mut self.keep, value.parse().map_err(|why| format!("keep={value}: {why}"))?),
            "missed" => put(&mut self.missed, value.parse().map_err(|why| format!("missed={value}: {why}"))?),
            "presence" => {
                let is_on = value.parse().map_err(|_| format!("presence={value}: expected true or false"))?;
                put(&mut self.presence, is_on)
            }
            "priority" => {
                put(&mut self.priority, value.parse().map_err(|why| format!("priority={value}: {why}"))?)
            }
            "clients" => {
                put(&mut self.clients, value.parse().map_err(|why| format!("clients={value}: {why}"))?)
            }
            _ => {
                return Err(match nearest(key, KEYS.iter().copied()) {
                    Some(near) => format!("unknown key {key:?}; did you mean {near:?}?"),
                    None => format!("unknown key {key:?}; there are {}", KEYS.join(", ")),
                });
            }
        };
        if is_there { Err(format!("{key} is there twice")) } else { Ok(()) }
    }
}

/// Whether there was a value already.
fn put<T>(field: &mut Option<T>, value: T) -> bool {
    field.replace(value).is_some()
}

pub(super) fn within(key: &str, value: &str, bounds: Bounds) -> Result<u64, String> {
    let is_decimal = value.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let number = value.replace('_', "").parse().ok().filter(|_| is_decimal);
    number
        .filter(|&number| bounds.contains(number))
        .ok_or_else(|| format!("{key}={value} is out of range; allowed {}..={}", bounds.min, bounds.max))
}

impl FromStr for ChannelRule {
    type Err = String;

    fn from_str(text: &str) -> Result<ChannelRule, String> {
        let mut words = text.split_ascii_whitespace();
        let pattern =
            words.next().ok_or("a rule begins with a channel's name, or the beginning of one and *")?;
        let mut rule = ChannelRule { pattern: check_pattern(pattern.to_owned())?, ..ChannelRule::default() };
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word:?} is not key=value ({})", KEYS.join(", ")))?;
            rule.set(key, value).map_err(|why| format!("{pattern}: {why}"))?;
        }
        Ok(rule)
    }
}

impl fmt::Display for ChannelRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChannelRule { pattern, publications, bytes, ttl_ms, keep, missed, presence, priority, clients } =
            self;
        f.write_str(pattern)?;
        let values: [Option<&dyn fmt::Display>; 8] = [
            publications.as_ref().map(|value| value as _),
            bytes.as_ref().map(|value| value as _),
            ttl_ms.as_ref().map(|value| value as _),
            keep.as_ref().map(|value| value as _),
            missed.as_ref().map(|value| value as _),
            presence.as_ref().map(|value| value as _),
            priority.as_ref().map(|value| value as _),
            clients.as_ref().map(|value| value as _),
        ];
        for (key, value) in KEYS.iter().zip(values) {
            if let Some(value) = value {
                write!(f, " {key}={value}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        text.parse::<ChannelRule>().expect_err("a wrong rule was accepted")
    }

    #[test]
    fn there_and_back() {
        for text in [
            "*",
            "news.* keep=latest",
            "public.a publications=2 bytes=4096 ttl_ms=0 keep=all missed=tail",
            "a ttl_ms=60000 missed=latest",
            "a presence=true priority=high clients=subscribe+history",
            "a presence=false clients=",
        ] {
            assert_eq!(text.parse::<ChannelRule>().unwrap().to_string(), text);
        }
        assert_eq!(
            "a  missed=report ttl_ms=1_000".parse::<ChannelRule>().unwrap().to_string(),
            "a ttl_ms=1000 missed=report"
        );
    }

    #[test]
    fn errors_name_the_rule_and_what_would_be_allowed() {
        for (text, error) in [
            ("", "a rule begins with a channel's name, or the beginning of one and *"),
            ("a kep=latest", "a: unknown key \"kep\"; did you mean \"keep\"?"),
            (
                "a x=1",
                "a: unknown key \"x\"; there are publications, bytes, ttl_ms, keep, missed, presence, priority, \
                 clients",
            ),
            ("a keep=newest", "a: keep=newest: expected one of all, latest"),
            ("a missed=", "a: missed=: expected one of report, tail, latest"),
            ("a priority=urgent", "a: priority=urgent: expected one of high, normal, low"),
            ("a presence=yes", "a: presence=yes: expected true or false"),
            (
                "a clients=read",
                "a: clients=read: expected some of subscribe, publish, history, presence, with + between them",
            ),
            ("a keep=all keep=all", "a: keep is there twice"),
            (
                "a keep",
                "\"keep\" is not key=value (publications, bytes, ttl_ms, keep, missed, presence, priority, \
                 clients)",
            ),
            ("a publications=1", "a: publications=1 is out of range; allowed 2..=1048576"),
            ("a ttl_ms=-1", "a: ttl_ms=-1 is out of range; allowed 0..=31622400000"),
            ("a bytes=", "a: bytes= is out of range; allowed 4096..=1073741823"),
        ] {
            assert_eq!(refused(text), error);
        }
        assert!(refused("a*b keep=all").contains("\"a*b\" is not a channel's name"));
    }

    #[test]
    fn the_first_that_matches_counts() {
        let rules = ["news.sport keep=latest", "news.* keep=all", "*"].map(|text| text.parse().unwrap());
        let first = |name| ChannelRule::first(&rules, name).map(|rule| rule.pattern.as_str());
        assert_eq!(
            (first("news.sport"), first("news.x"), first("x")),
            (Some("news.sport"), Some("news.*"), Some("*"))
        );
        assert_eq!(ChannelRule::first(&rules[..2], "x"), None);
    }
}

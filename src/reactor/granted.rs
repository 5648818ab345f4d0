//! The rights that a token gives a connection, and whether it knows that they end.

use crate::auth::{Rights, is_over};
use crate::config::pattern_opens;

use super::slot::Slot;

/// Rights, in the box of a connection that has shown a token. Most tokens say who it is and until when. What else one
/// gives is a single text, so that it takes no more than that says.
#[derive(Clone, Debug, serde::Deserialize, serde::Serialize)]
pub struct Granted {
    /// [`NEVER`], if they don't end, or after the year 2105.
    expires_s: u32,
    /// It was told that they end soon.
    is_told: bool,
    /// `allow` and `publish`, each a line of patterns with a space behind each of them, and then `info`. None: the
    /// token gives nothing of that.
    more: Option<Box<str>>,
}

const NEVER: u32 = u32::MAX;

/// The rights that a token gives beside being here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grants<'a> {
    allow: &'a str,
    publish: &'a str,
    info: &'a str,
}

impl<'a> Grants<'a> {
    fn read(text: &'a str) -> Grants<'a> {
        let (allow, rest) = text.split_once('\n').unwrap_or_default();
        let (publish, info) = rest.split_once('\n').unwrap_or_default();
        Grants { allow, publish, info }
    }

    /// How many patterns it has.
    pub fn patterns(&self) -> usize {
        each(self.allow).count() + each(self.publish).count()
    }

    /// Whether it may subscribe to this channel, whatever the settings say.
    pub fn may_subscribe(&self, channel: &str) -> bool {
        each(self.allow).any(|pattern| pattern_opens(pattern, channel))
    }

    /// Whether it may publish to this channel.
    pub fn may_publish(&self, channel: &str) -> bool {
        each(self.publish).any(|pattern| pattern_opens(pattern, channel))
    }

    /// JSON that others are shown of it.
    pub fn info(&self) -> Option<&'a str> {
        Some(self.info).filter(|info| !info.is_empty())
    }
}

fn each(patterns: &str) -> impl Iterator<Item = &str> {
    patterns.split_terminator(' ')
}

/// The text of what the rights give; None: nothing.
fn text_of(rights: &Rights) -> Option<Box<str>> {
    if rights.allow.is_empty() && rights.publish.is_empty() && rights.info.is_none() {
        return None;
    }
    let mut text = String::new();
    for patterns in [&rights.allow, &rights.publish] {
        for pattern in patterns {
            debug_assert!(crate::config::pattern_ok(pattern));
            text.push_str(pattern);
            text.push(' ');
        }
        text.push('\n');
    }
    text.push_str(rights.info.as_deref().unwrap_or_default());
    Some(text.into())
}

impl<S> Slot<S> {
    /// The rights that its token gives beside being here.
    pub fn rights(&self) -> Option<Grants<'_>> {
        self.granted()?.more.as_deref().map(Grants::read)
    }

    /// Whether it has a token that may expire.
    pub fn has_token(&self) -> bool {
        self.granted().is_some()
    }

    /// Whether its token is no longer valid.
    pub fn is_token_over(&self, unix_s: u64) -> bool {
        self.granted().is_some_and(|granted| granted.expires_s().is_some_and(|at| is_over(at, unix_s)))
    }

    /// Gives it the rights of a token.
    pub fn grant(&mut self, rights: &Rights) {
        if *rights == Rights::default() {
            if let Some(extra) = &mut self.extra {
                extra.granted = None;
                self.tidy();
            }
        } else {
            let expires_s = rights.expires_s.and_then(|at| u32::try_from(at).ok()).unwrap_or(NEVER);
            let granted = Granted { expires_s, is_told: false, more: text_of(rights) };
            self.extra_mut().granted = Some(Box::new(granted));
        }
    }

    /// The token of a connection that is to be told that it expires: when, if that is within so many seconds.
    pub fn expiry_to_tell_s(&self, unix_s: u64, ahead_s: u64) -> Option<u64> {
        let granted = self.granted().filter(|granted| !granted.is_told)?;
        granted.expires_s().filter(|&expires_s| expires_s <= unix_s.saturating_add(ahead_s))
    }

    /// It was told.
    pub fn note_expiry_told(&mut self) {
        if let Some(granted) = self.extra.as_mut().and_then(|extra| extra.granted.as_mut()) {
            granted.is_told = true;
        }
    }

    fn granted(&self) -> Option<&Granted> {
        self.extra.as_ref().and_then(|extra| extra.granted.as_deref())
    }
}

impl Granted {
    fn expires_s(&self) -> Option<u64> {
        Some(self.expires_s).filter(|&expires_s| expires_s != NEVER).map(u64::from)
    }
}

#[cfg(test)]
mod tests {
    use super::super::slot::Phase;
    use super::super::stamp::Stamp;
    use super::*;

    #[test]
    fn a_token_that_only_lets_in_takes_little() {
        let mut slot = Slot::new((), 1, Phase::Open, Stamp::default());
        let end = Rights { expires_s: Some(5_000), ..Rights::default() };
        slot.grant(&end);
        assert!(slot.has_token() && slot.rights().is_none());
        assert_eq!((slot.expiry_to_tell_s(4_990, 20), slot.expiry_to_tell_s(4_970, 20)), (Some(5_000), None));
        slot.note_expiry_told();
        assert_eq!(slot.expiry_to_tell_s(4_990, 20), None);
        assert_eq!([4_000, 5_000, 9_000].map(|now_s| slot.is_token_over(now_s)), {
            [4_000, 5_000, 9_000].map(|now_s| end.is_over(now_s))
        });
        slot.grant(&Rights::default());
        assert!(!slot.has_token() && slot.extra.is_none());
    }

    #[test]
    fn a_token_takes_what_it_says_and_no_more() {
        let list = |patterns: &[&str]| patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        let info = "{\"a\":\"b\\n\",\n\n \"c\":1}";
        for (allow, publish, info) in [
            (&["news.*", "a"][..], &["*"][..], Some(info)),
            (&["a"], &[], None),
            (&[], &["a", "b.*"], None),
            (&[], &[], Some("7")),
        ] {
            let rights = Rights {
                expires_s: Some(u64::MAX),
                allow: list(allow),
                publish: list(publish),
                info: info.map(Into::into),
            };
            let mut slot = Slot::new((), 1, Phase::Open, Stamp::default());
            slot.grant(&rights);
            let given = slot.rights().unwrap();
            assert_eq!((given.patterns(), given.info()), (allow.len() + publish.len(), info));
            for channel in ["news.x", "news", "a", "ab", "b.", "x"] {
                assert_eq!(
                    given.may_subscribe(channel),
                    rights.may_subscribe(channel),
                    "{rights:?} {channel}"
                );
                assert_eq!(given.may_publish(channel), rights.may_publish(channel), "{rights:?} {channel}");
            }
            assert!(!slot.is_token_over(u64::MAX), "it has no end that anybody will see");
            let granted = slot.granted().unwrap();
            let says: usize = allow.iter().chain(publish).map(|pattern| pattern.len() + 1).sum();
            let bytes = size_of_val(granted) + granted.more.as_ref().unwrap().len();
            assert_eq!(bytes, size_of::<Granted>() + says + 2 + info.map_or(0, str::len));
        }
    }
}

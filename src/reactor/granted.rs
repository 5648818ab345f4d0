//! The rights that a token gives a connection, and whether it knows that they end.

use crate::auth::{Rights, is_over};

use super::slot::Slot;

/// Rights, in the box of a connection that has shown a token. Most tokens say who it is and until when, so the rest is
/// apart.
#[derive(Debug)]
pub struct Granted {
    /// [`NEVER`], if they don't end.
    expires_s: u64,
    /// It was told that they end soon.
    is_told: bool,
    /// All of them, if the token gives others than to be here until then.
    more: Option<Box<Rights>>,
}

const NEVER: u64 = u64::MAX;

impl<S> Slot<S> {
    /// The rights that its token gives beside being here.
    pub fn rights(&self) -> Option<&Rights> {
        self.granted()?.more.as_deref()
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
    pub fn grant(&mut self, rights: Rights) {
        if rights == Rights::default() {
            if let Some(extra) = &mut self.extra {
                extra.granted = None;
                self.tidy();
            }
        } else {
            let expires_s = rights.expires_s.unwrap_or(NEVER);
            let has_more = rights != Rights { expires_s: rights.expires_s, ..Rights::default() };
            let more = has_more.then(|| Box::new(rights));
            self.extra_mut().granted = Some(Box::new(Granted { expires_s, is_told: false, more }));
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
        Some(self.expires_s).filter(|&expires_s| expires_s != NEVER)
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
        slot.grant(end.clone());
        assert!(slot.has_token() && slot.rights().is_none());
        assert_eq!((slot.expiry_to_tell_s(4_990, 20), slot.expiry_to_tell_s(4_970, 20)), (Some(5_000), None));
        slot.note_expiry_told();
        assert_eq!(slot.expiry_to_tell_s(4_990, 20), None);
        assert_eq!([4_000, 5_000, 9_000].map(|now_s| slot.is_token_over(now_s)), {
            [4_000, 5_000, 9_000].map(|now_s| end.is_over(now_s))
        });
        let more = Rights { allow: ["a".to_owned()].into(), ..Rights::default() };
        slot.grant(more.clone());
        assert_eq!((slot.rights(), slot.is_token_over(u64::MAX)), (Some(&more), false));
        slot.grant(Rights::default());
        assert!(!slot.has_token() && slot.extra.is_none());
    }
}

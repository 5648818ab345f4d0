//! Users whose tokens are no longer taken, if they were issued before somebody said so.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::Claims;
use crate::limits::{REVOKED_USERS_MAX, TOKEN_LEEWAY_S};

/// A list of users, each with the time up to which its tokens are refused. It is bounded: beyond that a user is not
/// taken, rather than that another one's tokens were good again.
///
/// ```
/// use wspush::auth::{Claims, Revoked};
///
/// let mut revoked = Revoked::default();
/// revoked.add("ann", 1_000).unwrap();
/// let issued = |issued_s| Claims { user: Some("ann".to_owned()), issued_s, ..Claims::default() };
/// assert!(revoked.concerns(&issued(Some(1_000))) && revoked.concerns(&issued(None)));
/// assert!(!revoked.concerns(&issued(Some(1_001))));
/// ```
#[derive(Clone, Debug, Default)]
pub struct Revoked {
    until_s: HashMap<Arc<str>, u64>,
    oldest: BTreeSet<(u64, Arc<str>)>,
}

/// There are as many users on the list as it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RevokedFull;

impl Revoked {
    /// Adds a user, whose tokens are refused that were issued up to the end of this second.
    ///
    /// # Errors
    /// The list is full.
    pub fn add(&mut self, user: &str, until_s: u64) -> Result<(), RevokedFull> {
        let (user, before) = match self.until_s.get_key_value(user) {
            Some((user, &before)) if before >= until_s => {
                debug_assert!(self.oldest.contains(&(before, user.clone())));
                return Ok(());
            }
            Some((user, &before)) => (user.clone(), Some(before)),
            None if self.until_s.len() >= REVOKED_USERS_MAX => return Err(RevokedFull),
            None => (Arc::from(user), None),
        };
        if let Some(before) = before {
            self.oldest.remove(&(before, user.clone()));
        }
        self.oldest.insert((until_s, user.clone()));
        self.until_s.insert(user, until_s);
        Ok(())
    }

    /// Whether a token that says this is refused. One that doesn't say when it was issued (`iat`) counts as older than
    /// everything.
    pub fn concerns(&self, claims: &Claims) -> bool {
        // Without anybody on the list nothing is looked up.
        let until_s = claims.user.as_deref().and_then(|user| self.until_s.get(user));
        until_s.is_some_and(|&until_s| claims.issued_s.is_none_or(|issued_s| issued_s <= until_s))
    }

    /// Takes off, at this time, at most so many users of whom no token can be around any more, as none is good for
    /// longer than `lifetime_s` (0: that is not known, and nobody is taken off).
    pub fn forget(&mut self, unix_s: u64, lifetime_s: u64, mut count: usize) {
        while count > 0
            && lifetime_s > 0
            && let Some((until_s, _)) = self.oldest.first()
            && until_s.saturating_add(lifetime_s).saturating_add(TOKEN_LEEWAY_S) < unix_s
        {
            if let Some((_, user)) = self.oldest.pop_first() {
                self.until_s.remove(&user);
            }
            count -= 1;
        }
        if self.until_s.capacity() > 8 * self.until_s.len().max(256) {
            self.until_s.shrink_to(2 * self.until_s.len());
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.until_s.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.until_s.is_empty()
    }

    /// All of them, the oldest first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, u64)> {
        self.oldest.iter().map(|(until_s, user)| (&**user, *until_s))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued(user: &str, issued_s: u64) -> Claims {
        Claims { user: Some(user.to_owned()), issued_s: Some(issued_s), ..Claims::default() }
    }

    #[test]
    fn a_user_is_revoked_again_and_never_less() {
        let mut revoked = Revoked::default();
        for until_s in [100, 300, 200] {
            revoked.add("ann", until_s).unwrap();
        }
        assert_eq!(revoked.iter().collect::<Vec<_>>(), [("ann", 300)]);
        assert!(revoked.concerns(&issued("ann", 300)) && !revoked.concerns(&issued("ann", 301)));
        assert!(!revoked.concerns(&issued("bob", 1)) && !revoked.concerns(&Claims::default()));
    }

    #[test]
    fn who_has_no_token_left_is_taken_off() {
        let mut revoked = Revoked::default();
        (0..10).for_each(|n| revoked.add(&format!("u{n}"), 100 + n).unwrap());
        revoked.forget(u64::MAX, 0, 100);
        assert_eq!(revoked.len(), 10, "tokens may be good for ever");
        revoked.forget(160 + TOKEN_LEEWAY_S, 60, 100);
        assert_eq!(revoked.len(), 10, "the last second of the first one");
        revoked.forget(165 + TOKEN_LEEWAY_S, 60, 2);
        assert_eq!(revoked.iter().next(), Some(("u2", 102)), "so many at once");
        revoked.forget(165 + TOKEN_LEEWAY_S, 60, 100);
        assert_eq!(revoked.iter().next(), Some(("u5", 105)));
        revoked.forget(1_000, 60, 100);
        assert!(revoked.is_empty() && !revoked.concerns(&issued("u9", 1)));
    }

    #[test]
    fn a_full_list_keeps_whom_it_has() {
        let mut revoked = Revoked::default();
        (0..REVOKED_USERS_MAX).for_each(|n| revoked.add(&n.to_string(), 100).unwrap());
        assert_eq!(revoked.add("one more", 200), Err(RevokedFull));
        assert_eq!(revoked.add("7", 200), Ok(()), "it is there already");
        assert!(revoked.concerns(&issued("7", 200)) && revoked.concerns(&issued("0", 100)));
        revoked.forget(1_000, 60, usize::MAX);
        assert!(revoked.until_s.capacity() < 4_096, "its memory is given back");
    }
}

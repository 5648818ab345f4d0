//! A channel's traits, which its name tells.

/// How a channel may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traits {
    /// A subscription is signed by the app's backend.
    pub is_private: bool,
    /// Its subscribers are users and are told of each other.
    pub has_presence: bool,
    /// Its data is encrypted for somebody else.
    pub is_encrypted: bool,
    /// Who comes is told its last event.
    pub is_cached: bool,
}

impl Traits {
    /// Those of the channel of this name.
    pub fn of(name: &str) -> Traits {
        let mut traits = Traits::default();
        let mut rest = name;
        if let Some(behind) = name.strip_prefix("private-") {
            (traits.is_private, rest) = (true, behind);
            if let Some(behind) = rest.strip_prefix("encrypted-") {
                (traits.is_encrypted, rest) = (true, behind);
            }
        } else if let Some(behind) = name.strip_prefix("presence-") {
            (traits.is_private, traits.has_presence, rest) = (true, true, behind);
        }
        traits.is_cached = rest.starts_with("cache-");
        traits
    }

    /// Whether clients may send events there.
    pub fn takes_client_events(self) -> bool {
        self.is_private && !self.is_encrypted
    }
}

/// The user whose own channel this is.
pub fn user_of(name: &str) -> Option<&str> {
    name.strip_prefix("#server-to-user-").filter(|user| !user.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_what_a_channel_is() {
        for (name, letters) in [
            ("news", ""),
            ("privately", ""),
            ("cache-news", "c"),
            ("private-a", "p"),
            ("private-cache-a", "pc"),
            ("private-encrypted-a", "pe"),
            ("private-encrypted-cache-a", "pec"),
            ("presence-a", "pm"),
            ("presence-cache-a", "pmc"),
            ("presence-encrypted-a", "pm"),
            ("#server-to-user-1", ""),
        ] {
            let traits = Traits::of(name);
            let Traits { is_private, has_presence, is_encrypted, is_cached } = traits;
            let shown: String =
                [(is_private, 'p'), (has_presence, 'm'), (is_encrypted, 'e'), (is_cached, 'c')]
                    .into_iter()
                    .filter_map(|(is, letter)| is.then_some(letter))
                    .collect();
            assert_eq!(shown, letters, "{name}");
            assert_eq!(traits.takes_client_events(), is_private && !is_encrypted, "{name}");
        }
        assert_eq!(
            (user_of("#server-to-user-1"), user_of("#server-to-user-"), user_of("a")),
            (Some("1"), None, None)
        );
    }
}

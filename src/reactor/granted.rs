//! The rights that a token gives a connection, and whether it knows that they end.

use crate::auth::Rights;

use super::slot::Slot;

/// Rights, in the box of a connection that has shown a token.
#[derive(Debug)]
pub struct Granted {
    rights: Rights,
    /// It was told that they end soon.
    is_told: bool,
}

impl<S> Slot<S> {
    /// The rights that its token gives.
    pub fn rights(&self) -> Option<&Rights> {
        self.granted().map(|granted| &granted.rights)
    }

    /// Gives it the rights of a token.
    pub fn grant(&mut self, rights: Rights) {
        if rights == Rights::default() {
            if let Some(extra) = &mut self.extra {
                extra.granted = None;
                self.tidy();
            }
        } else {
            self.extra_mut().granted = Some(Box::new(Granted { rights, is_told: false }));
        }
    }

    /// The token of a connection that is to be told that it expires: when, if that is within so many seconds.
    pub fn expiry_to_tell_s(&self, unix_s: u64, ahead_s: u64) -> Option<u64> {
        let granted = self.granted().filter(|granted| !granted.is_told)?;
        granted.rights.expires_s.filter(|&expires_s| expires_s <= unix_s.saturating_add(ahead_s))
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

//! In place of the signatures of the Pusher Channels protocol in a build without them, where no app is configured.

use std::fmt;

/// Of an app that there is not.
#[derive(Clone, Debug)]
pub enum Credentials {}

/// Why something is not signed.
#[derive(Clone, Copy, Debug)]
pub enum AuthError {}

impl fmt::Display for AuthError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl Credentials {
    /// Checks nothing: there is no app.
    pub fn check_channel(&self, _: &str, _: &str, _: Option<&str>, _: &str) -> Result<(), AuthError> {
        match *self {}
    }

    /// The same.
    pub fn check_user(&self, _: &str, _: &str, _: &str) -> Result<(), AuthError> {
        match *self {}
    }
}

//! Why there is no TLS.

use std::fmt;

/// A file that is not what it should be, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file; empty if it is not about one.
    pub file: String,
    /// What is wrong.
    pub why: String,
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            "" => write!(f, "{}: {}", self.setting, self.why),
            file => write!(f, "{} = {file:?}: {}", self.setting, self.why),
        }
    }
}

impl std::error::Error for TlsError {}

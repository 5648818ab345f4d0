//! Why there is no TLS.

use std::fmt;

/// A file that is not what it should be, and why.
///
/// ```
/// use wspush::TlsError;
///
/// let error = TlsError { setting: "tls_cert", file: "a.pem".into(), why: "there is no certificate".into() };
/// assert_eq!(error.to_string(), "tls_cert = \"a.pem\": there is no certificate");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsError {
    /// The setting that names the file.
    pub setting: &'static str,
    /// The file; empty if it is not about one.
    pub file: String,
    /// Why it can't be used.
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

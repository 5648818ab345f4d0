//! Headers by which a backend sees that a request comes from this server.

use crate::auth::signature;
use crate::config::Config;

/// The secrets that a backend shares.
pub(super) struct Signer(Vec<String>);

impl Signer {
    pub(super) fn of(config: &Config) -> Signer {
        Signer(config.webhook_secret.clone())
    }

    /// The headers of a message of this id; only the id and the time where there is no secret.
    pub(super) fn headers(&self, id: &str, unix_s: u64, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", unix_s.to_string())];
        if !self.0.is_empty() {
            headers.push(("webhook-signature", signature::sign(&self.0, id, unix_s, body)));
        }
        headers
    }
}

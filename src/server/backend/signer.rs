//! Headers by which a backend sees that a request comes from this server.

#[cfg(feature = "pusher")]
use crate::auth::pusher::Credentials;
use crate::auth::signature;
use crate::config::Config;
#[cfg(feature = "pusher")]
use crate::config::PusherApp;

/// The way in which a backend is shown who posts.
pub(super) enum Signer {
    /// By secrets that it shares, as Standard Webhooks has it.
    Secrets(Vec<String>),
    /// By an app's secret, as Pusher Channels has it.
    #[cfg(feature = "pusher")]
    App(Box<Credentials>),
}

impl Signer {
    pub(super) fn of(config: &Config) -> Signer {
        Signer::Secrets(config.webhook_secret.clone())
    }

    #[cfg(feature = "pusher")]
    pub(super) fn of_app(app: &PusherApp) -> Signer {
        Signer::App(Box::new(Credentials::new(&app.key, &app.secret)))
    }

    /// The headers of a message of this id; only the id and the time where there is no secret.
    pub(super) fn headers(&self, id: &str, unix_s: u64, body: &[u8]) -> Vec<(&'static str, String)> {
        let secrets = match self {
            Signer::Secrets(secrets) => secrets,
            #[cfg(feature = "pusher")]
            Signer::App(app) => {
                let key = app.key().to_owned();
                return vec![("X-Pusher-Key", key), ("X-Pusher-Signature", app.sign(body))];
            }
        };
        let mut headers = vec![("webhook-id", id.to_owned()), ("webhook-timestamp", unix_s.to_string())];
        if !secrets.is_empty() {
            headers.push(("webhook-signature", signature::sign(secrets, id, unix_s, body)));
        }
        headers
    }
}
